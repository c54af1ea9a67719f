# 080_schedule.pl: po_schedule() with a real pg_cron, which runs the job; and what it says where
# there is no pg_cron, or where it is in another database.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

sub make_node
{
	my ($name, $conf) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init;
	$node->append_conf('postgresql.conf', $conf // '');
	$node->start;
	return $node;
}

my $node = make_node('cron', "shared_preload_libraries = 'pg_cron'\ncron.database_name = 'billing'\n");
# it connects like any client, by default to localhost
$node->append_conf('postgresql.conf', "cron.host = '" . $node->host . "'\n");
$node->restart;

# error: what a statement that fails says
sub error
{
	my ($db, $sql, $server) = @_;
	my (undef, undef, $err) = ($server // $node)->psql($db, $sql);
	return $err;
}

$node->safe_psql('postgres', $_) for ('CREATE DATABASE billing', q{CREATE DATABASE "other db"});
$node->safe_psql('billing', 'CREATE SCHEMA "p o"; CREATE EXTENSION po_mgmt SCHEMA "p o"');
$node->safe_psql('other db', 'CREATE EXTENSION po_mgmt');

like(error('billing', 'SELECT "p o".po_schedule()'),
	qr/ERROR:  pg_cron is not installed in database "billing"\nDETAIL:  .*"billing" \(cron\.database_name\)\.\nHINT:  CREATE EXTENSION pg_cron; /,
	'its database, without the extension');

# a reminder that is due on every day of the month
$node->safe_psql('billing', <<'EOS');
CREATE EXTENSION pg_cron;
SET search_path = "p o";
INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month)
VALUES ('A', 'P', 'AWS Inc.', '2020-01', po_today('A')::po_month + 5);
INSERT INTO po_contact (account_id, po_number, email) VALUES ('A', 'P', 'ap@example.com');
INSERT INTO po_order (account_id, po_number, bill_from, status, effective_month, expiration_month, currency, source, created_at, updated_at)
VALUES ('A', 'due', 'AWS Inc.', 'active', '2020-01', po_today('A')::po_month, 'USD', 'user', '2020-01-01', '2020-01-01');
INSERT INTO po_contact (account_id, po_number, email) VALUES ('A', 'due', 'ap@example.com');
EOS
is( $node->safe_psql('billing', q{SELECT "p o".po_schedule('* * * * *')}),
	'job 1 of pg_cron, "po_mgmt reminders of billing": SELECT "p o".po_scan_expirations() at "* * * * *" as '
	  . $node->safe_psql('billing', 'SELECT current_user') . ' in database billing',
	'it says what it did');
my $until = time + 130;

# ---- while the minute passes ----

my $hint = error('other db', 'SELECT po_schedule()');
like($hint, qr/ERROR:  pg_cron is not installed in database "other db"\nDETAIL:  .*"billing"/, 'another database');
my ($statement) = $hint =~ /HINT:  In database "billing": (SELECT .*;)$/m;
is($node->safe_psql('billing', $statement // 'SELECT NULL'), 2, 'the hint does it');
is( $node->safe_psql('billing', 'SELECT schedule, command, database FROM cron.job WHERE jobid = 2'),
	'15 5 * * *|SELECT public.po_scan_expirations()|other db', 'daily');

like(error('billing', q{SELECT "p o".po_schedule('never')}), qr/ERROR:  invalid schedule: never/, 'no time');
like(error('billing', q{SELECT "p o".po_schedule(NULL)}), qr/ERROR:  schedule must not be null/, 'null');

$node->safe_psql('billing', <<'EOS');
CREATE ROLE clerk LOGIN;
GRANT USAGE ON SCHEMA "p o" TO clerk;
EOS
my $as_clerk = 'SET ROLE clerk; SELECT "p o".po_schedule()';
like(error('billing', $as_clerk), qr/ERROR:  permission denied for function po_schedule/, 'not for everybody');
$node->safe_psql('billing', 'GRANT EXECUTE ON FUNCTION "p o".po_schedule(text) TO clerk');
like(error('billing', $as_clerk), qr/ERROR:  permission denied for function po_scan_expirations/, 'who may not scan schedules no job that fails');
$node->safe_psql('billing', 'GRANT EXECUTE ON FUNCTION "p o".po_scan_expirations(date) TO clerk');
like(error('billing', $as_clerk), qr/ERROR:  permission denied for schema cron/, 'nor who may not use pg_cron');
$node->safe_psql('billing', 'GRANT USAGE ON SCHEMA cron TO clerk');
like($node->safe_psql('billing', $as_clerk), qr/ at "15 5 \* \* \*" as clerk in database billing$/, 'his own job');

my $plain = make_node('plain');
$plain->safe_psql('postgres', 'CREATE EXTENSION po_mgmt');
$hint = error('postgres', q{SELECT po_schedule('0 6 * * *')}, $plain);
like($hint, qr/ERROR:  pg_cron is not loaded in this server\nDETAIL:  .*shared_preload_libraries/, 'a server without pg_cron');
my ($line) = $hint =~ /the same: 0 6 \* \* \*  (psql .*)$/m;
is(system_log('sh', '-c', 'PGHOST=' . $plain->host . ' PGPORT=' . $plain->port . ' ' . ($line // 'false')), 0, 'the line for the crontab works');
$plain->stop;

# ---- the job ----

my $written = '';
while (time < $until)
{
	$written = $node->safe_psql('billing', q{SELECT string_agg(po_number, ',') FROM "p o".po_notification});
	last if $written ne '';
	sleep(0.5);
}
is($written, 'due', 'pg_cron has scanned');
is( $node->safe_psql('billing', q{SELECT status FROM cron.job_run_details WHERE jobid = 1 ORDER BY runid LIMIT 1}),
	'succeeded', 'and says so');

like($node->safe_psql('billing', 'SELECT "p o".po_schedule()'), qr/^job 1 .* at "15 5 \* \* \*"/, 'scheduled again, it is the same job');
is($node->safe_psql('billing', q{SELECT count(*) FROM cron.job WHERE username <> 'clerk' AND database = 'billing'}), 1, 'and the only one');
$node->stop;
done_testing();
