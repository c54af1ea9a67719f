# 045_attached.pl: attached tables and whole servers. A dump has the attachment with the user's
# table, and its restore books nothing twice, in every format; po_attach_existing() goes on where it
# was stopped; two sessions that load at once leave exact balances.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $dir = PostgreSQL::Test::Utils::tempdir;
my $node = PostgreSQL::Test::Cluster->new('attached');
$node->init;
$node->start;
my $port = $node->port;
my $host = $node->host;

# the state of the books and of the user's table, as one text
sub state_of
{
	my ($database) = @_;
	return $node->safe_psql($database, q{
		SELECT v FROM po_invoice v ORDER BY invoice_id;
		SELECT l FROM po_ledger l ORDER BY entry_id;
		SELECT i FROM po_line_item i;
		SELECT b FROM bill b ORDER BY number;
		SELECT a FROM po_attachment a;
		SELECT c FROM po_check_integrity() c;
	});
}

# rows of bill that differ from their invoices, or lack one
sub disagree
{
	my ($database) = @_;
	return $node->safe_psql($database, q{
		SELECT count(*) FROM bill b FULL JOIN po_invoice v ON v.invoice_id = b.number
		WHERE (v.amount, v.po_number, v.line_number) IS DISTINCT FROM (b.amount, b.po, b.line)});
}

$node->safe_psql('postgres', 'CREATE DATABASE original');
$node->safe_psql('original', q{
	CREATE EXTENSION po_mgmt;
	INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month) VALUES ('a', 'P', 'AWS Inc.', '2026-01', '9999-12');
	INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, balance_tracked, amount)
	VALUES ('a', 'P', '1', 'usage', '2026-01', '9999-12', true, 100000);
	-- sorts before po_invoice, and is restored before it
	CREATE TABLE bill (number text PRIMARY KEY, customer text, month date, amount numeric, po text, line text);
	INSERT INTO bill SELECT 'early-' || i, 'a', '2026-10-01', i FROM generate_series(1, 100) i;
	SELECT po_attach('bill', '{"account_id": "customer", "bill_from": {"value": "AWS Inc."}, "invoice_id": "number",
		"line_type": {"value": "usage"}, "billing_month": "month", "amount": "amount", "po_number": "po", "line_number": "line"}');
	INSERT INTO bill SELECT 'late-' || i, 'a', '2026-10-01', i FROM generate_series(1, 10) i;
});

# ---- po_attach_existing goes on where it was stopped ----

# a row that cannot be booked stops it in the third batch
$node->safe_psql('original', q{SET session_replication_role = replica; UPDATE bill SET amount = 'NaN' WHERE number = 'early-45'});
my ($status, $out, $err) = $node->psql('original', q{CALL po_attach_existing('bill', 20)});
isnt($status, 0, 'a row that cannot be booked stops it');
like($err, qr/NOTICE:  "bill": 20 rows seen, 20 booked/, 'it says how far it is');
my $done = $node->safe_psql('original', 'SELECT count(*) FROM po_invoice');
cmp_ok($done, '>', 20, 'the batches before are kept');
cmp_ok($done, '<', 110, 'and the others are not there');
$node->safe_psql('original', q{SET session_replication_role = replica; UPDATE bill SET amount = 45 WHERE number = 'early-45'});
$node->safe_psql('original', q{CALL po_attach_existing('bill', 20)});
is($node->safe_psql('original', 'SELECT count(*) FROM po_invoice'), '110', 'called again it books the rest');
is(disagree('original'), '0', 'rows and invoices agree');
is($node->safe_psql('original', 'SELECT balance FROM po_line_item'), '94895', 'each was booked once');

# ---- dump and restore ----

my $original = state_of('original');
my %ways = (
	plain => "pg_dump -f $dir/plain.sql original; psql -Xq -v ON_ERROR_STOP=1 -d %s -f $dir/plain.sql",
	custom => "pg_dump -Fc -f $dir/custom original; pg_restore -e -d %s $dir/custom",
	parallel => "pg_dump -Fd -f $dir/directory original; pg_restore -e -j 3 -d %s $dir/directory",
	inserts => "pg_dump --inserts -f $dir/inserts.sql original; psql -Xq -v ON_ERROR_STOP=1 -d %s -f $dir/inserts.sql");
for my $way (sort keys %ways)
{
	my $command = sprintf $ways{$way}, $way;
	$node->safe_psql('postgres', "CREATE DATABASE $way");
	local $ENV{PGHOST} = $host;
	local $ENV{PGPORT} = $port;
	is(system('bash', '-ec', "{ $command; } >/dev/null"), 0, "$way: dumped and restored");
	is(state_of($way), $original, "$way: all is as it was");
	is($node->safe_psql($way, q{INSERT INTO bill VALUES ('new', 'a', '2026-10-01', 5) RETURNING po, line}), 'P|1', "$way: the next row is booked");
	is($node->safe_psql($way, 'SELECT balance FROM po_line_item'), '94890', "$way: once");
}

# ---- two sessions at once ----

my $script = "$dir/load.sql";
append_to_file($script, q{
\set n random(1, 1000000000)
INSERT INTO bill SELECT 'c-' || :client_id || '-' || :n || '-' || i, 'a', '2026-10-01', 1 FROM generate_series(1, 5) i ON CONFLICT DO NOTHING;
UPDATE bill SET amount = 2 WHERE number LIKE 'c-' || :client_id || '-' || :n || '-%';
});
$node->command_ok(['pgbench', '-n', '-c', '4', '-j', '2', '-t', '20', '-f', $script, '-p', $port, '-h', $host, 'original'],
	'4 sessions insert and correct');
is($node->safe_psql('original', 'SELECT count(*) FROM po_check_integrity()'), '0', 'balances are exact');
is(disagree('original'), '0', 'rows and invoices agree');

$node->stop;
done_testing();
