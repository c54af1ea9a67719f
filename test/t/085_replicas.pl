# 085_replicas.pl: on a hot standby reads work and writes say why not; logical replication of the
# tables to a second database moves no balance twice; pgbouncer in transaction mode changes nothing.

use strict;
use warnings;

use Books;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);
use Wire;

my $seed = $ENV{PO_SEED} // int(rand(2**31));
diag("PO_SEED=$seed");

my $primary = PostgreSQL::Test::Cluster->new('primary');
$primary->init(allows_streaming => 'logical');
$primary->append_conf('postgresql.conf', "timezone = 'UTC'\njit = off\n");
$primary->start;
$primary->safe_psql('postgres', "CREATE DATABASE books TEMPLATE template0 ENCODING 'UTF8'");
$primary->safe_psql('books', 'CREATE EXTENSION po_mgmt');
populate($primary, 'books', 'public', $seed);
archive($primary, 'books', 'public');

# ---------------------------------------------------------------------------
# Hot standby
# ---------------------------------------------------------------------------

$primary->backup('base');
my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($primary, 'base', has_streaming => 1);
$standby->start;
$primary->safe_psql('books', q{INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount) VALUES ('lowered', 'AWS Inc.', 'streamed', 'usage', '2026-02', 3)});
$primary->wait_for_catchup($standby);

# without the sequences: on a standby they run ahead, and a subscription does not carry them
sub rows { my $content = content(@_, 'public'); delete @$content{ grep { /_seq$/ } keys %$content }; return $content }
is(differences(rows($primary, 'books'), rows($standby, 'books'), 'standby'), '', 'standby: tables, matches and reasons are those of the primary');
for my $view (split /\n/, $primary->safe_psql('books', q{SELECT relname FROM pg_class WHERE relkind = 'v' AND relname ~ '^po_' ORDER BY 1}))
{
	my $sql = "SELECT md5(coalesce(string_agg(v::text, ';' ORDER BY v::text), '')) FROM $view v";
	is($standby->safe_psql('books', $sql), $primary->safe_psql('books', $sql), "standby: $view");
}
sub refusal
{
	my ($sql) = @_;
	my ($status, $out, $err) = $standby->psql('books', $sql);
	return $status == 0 ? "ok: $out" : $err =~ s/^psql:[^ ]* ERROR:  //r =~ s/\n.*//sr;
}
like(refusal($_), qr/^cannot execute [A-Z ]+ (?:in a read-only transaction|during recovery)/, "standby: $_")
  for (q{INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount) VALUES ('lowered', 'AWS Inc.', 'x', 'usage', '2026-02', 3)},
	q{UPDATE po_order SET description = 'x'}, q{DELETE FROM po_contact}, q{SELECT po_suspend('lowered', 'L1')}, q{SELECT po_extend('lowered', 'L1', '9999-12', true)},
	q{SELECT po_assign_invoice('lowered', 'AWS Inc.', 'streamed', 'L1', '2')}, q{SELECT po_release_invoice('lowered', 'AWS Inc.', 'streamed')},
	q{SELECT po_rematch_unassociated()}, q{SELECT po_repair('lowered')}, q{SELECT po_archive('2026-01')}, q{SELECT po_scan_expirations('2026-12-31')}, q{SELECT po_enable_row_security('a.b')});

$standby->promote;
$standby->safe_psql('books', q{INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount) VALUES ('lowered', 'AWS Inc.', 'promoted', 'usage', '2026-02', 3)});
is($standby->safe_psql('books', q{SELECT po_number, line_number FROM po_invoice WHERE invoice_id = 'promoted'}), 'L1|1', 'promoted, it books');
is($standby->safe_psql('books', 'SELECT count(*) FROM po_check_integrity()'), '0', 'and the books are right');
$standby->stop;

# ---------------------------------------------------------------------------
# Logical replication to a second database: by the recipe of doc/operations.md
# ---------------------------------------------------------------------------

my ($publisher, $subscriber, $sequences) = slurp_file("$ENV{TESTDIR}/../../doc/operations.md") =~ /^```sql\n(CREATE PUBLICATION.*?)^```.*?^```sql\n(CREATE SUBSCRIPTION.*?)^```.*?^```sql\n(SELECT.*?setval.*?)^```/ms;
ok($sequences, 'there is a recipe');
$primary->safe_psql('postgres', "CREATE DATABASE copy TEMPLATE template0 ENCODING 'UTF8'");
$primary->safe_psql('copy', 'CREATE EXTENSION po_mgmt');
my ($seeds) = slurp_file("$ENV{TESTDIR}/../../doc/operations.md") =~ /^```sh\n(for table.*?)^```/ms;
quietly($primary, 'reference data', 'bash', '-ec', "($seeds) >/dev/null");
$primary->safe_psql('books', $publisher . q{SELECT pg_create_logical_replication_slot('po_mgmt', 'pgoutput')});
$subscriber =~ s/'host=[^']*'/"'" . $primary->connstr('books') =~ s{'}{''}gr . "'"/e;
$subscriber =~ s/;\s*\z/ WITH (create_slot = false, slot_name = 'po_mgmt');/ or die;    # (in the same cluster it would wait for itself)
$primary->safe_psql('copy', $subscriber);
$primary->wait_for_subscription_sync($primary, 'po_mgmt', 'copy') if $primary->can('wait_for_subscription_sync');
$primary->safe_psql('books', $_) for (
	q{INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount) SELECT 'lowered', 'AWS Inc.', 'l' || n, 'usage', '2026-02', 1 FROM generate_series(1, 20) n},
	q{UPDATE po_invoice SET amount = 2 WHERE invoice_id = 'l1'}, q{DELETE FROM po_invoice WHERE invoice_id = 'l2'},
	q{SELECT po_assign_invoice('lowered', 'AWS Inc.', 'l3', 'L1', '2')}, q{UPDATE po_line_item SET amount = amount + 5 WHERE account_id = 'lowered'},
	q{INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month) VALUES ('new', 'N', 'AWS Inc.', '2026-01', '2026-12')});
my $same = '';
for (1 .. 200)
{
	$same = differences(rows($primary, 'books'), rows($primary, 'copy'));
	last if $same eq '';
	sleep 0.2;
}
is($same, '', 'replicated: every row, match and reason is the same: nothing was booked twice');
is($primary->safe_psql('copy', 'SELECT count(*) FROM po_check_integrity()'), '0', 'replicated: the books are right');
$primary->safe_psql('copy', 'DROP SUBSCRIPTION po_mgmt');
$primary->safe_psql('copy', $sequences);
is(work($primary, 'copy', 'public'), work($primary, 'books', 'public'), 'on its own, with its sequences set, it books like the original');

# ---------------------------------------------------------------------------
# pgbouncer, transaction mode: two clients, one server connection
# ---------------------------------------------------------------------------

my $dir = PostgreSQL::Test::Utils::tempdir_short;
my $user = (getpwuid($>))[0];
append_to_file("$dir/users.txt", "\"$user\" \"\"\n\"po_tenant\" \"\"\n");
append_to_file("$dir/pgbouncer.ini", <<EOS);
[databases]
* = host=@{[$primary->host]} port=@{[$primary->port]}
[pgbouncer]
listen_addr =
listen_port = 6543
unix_socket_dir = $dir
auth_type = trust
auth_file = $dir/users.txt
pool_mode = transaction
default_pool_size = 1
logfile = $dir/log
pidfile = $dir/pid
EOS
my $bouncer = fork // die;
if ($bouncer == 0) { open STDOUT, '>', '/dev/null'; open STDERR, '>', '/dev/null'; exec 'pgbouncer', "$dir/pgbouncer.ini" or exit 1 }
for (1 .. 100) { last if -S "$dir/.s.PGSQL.6543"; sleep 0.1 }

{ package Bouncer; sub host { $dir } sub port { 6543 } }
$primary->safe_psql('books', q{CREATE ROLE po_tenant LOGIN; GRANT SELECT, INSERT ON po_invoice TO po_tenant; GRANT SELECT ON po_order TO po_tenant; SELECT po_enable_row_security('app.account_id')});
my @client = map { Wire->connect('Bouncer', 'books') } 1, 2;
my $backends = sub { join ' ', map { $_->query('SELECT pg_backend_pid()')->{rows}[0][0] } @client };
like($backends->(), qr/^(\d+) \1$/, 'two clients have one server connection');
my $book = sub { my ($c, $id) = @_; my $a = $client[$c]->query("INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount) VALUES ('lowered', 'AWS Inc.', '$id', 'usage', '2026-02', 1) RETURNING line_number"); $a->{state} // $a->{rows}[0][0] };
for my $i (1 .. 50)
{
	my $c = $i % 2;

	if ($i % 5 == 0)
	{
		$client[$c]->query('BEGIN');
		$book->($c, "b$i");
		$client[$c]->query($i % 10 ? 'COMMIT' : 'ROLLBACK');
	}
	elsif ($i % 7 == 0) { is($book->($c, 'b1'), '23505', 'an error in one of them') }
	else { $book->($c, "b$i") }
}
# statements that are prepared without a name, in the extended protocol
$client[$_ % 2]->prepare(q{SELECT count(*) FROM po_match_invoice('lowered', 'AWS Inc.', $1::po_line_type, '2026-02', 1)}) for 0, 1;
is($primary->safe_psql('books', q{SELECT count(*) FROM po_invoice WHERE invoice_id ~ '^b\d'}), 50 - 5 - 6, 'all that was committed is there, once');
is($primary->safe_psql('books', 'SELECT count(*) FROM po_check_integrity()'), '0', 'and the books are right');
my @tenant = map { Wire->connect('Bouncer', 'books', 'po_tenant') } 1, 2;
my %seen;
for my $i (1 .. 20)
{
	my $c = $i % 2;
	my $account = (qw(lowered 222222222222))[$c];
	my $a = $tenant[$c]->query("BEGIN; SET LOCAL app.account_id = '$account'; SELECT DISTINCT account_id FROM po_order; COMMIT");
	$seen{"$account sees " . join ',', map { $_->[0] } @{ $a->{rows} }}++;
}
is(join('; ', sort keys %seen), '222222222222 sees 222222222222; lowered sees lowered', 'with SET LOCAL each transaction sees its own account');
is(scalar @{ $tenant[0]->query('SELECT * FROM po_order')->{rows} }, 0, 'and nothing of it stays for the next');
kill 'INT', $bouncer;
waitpid $bouncer, 0;

is(scalar(() = slurp_file($_->logfile) =~ /PANIC:|TRAP:|terminated by signal/g), 0, 'nothing crashed') for ($primary, $standby);
$primary->stop;
done_testing();
