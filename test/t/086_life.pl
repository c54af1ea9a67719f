# 086_life.pl: the extension's own life: dropped and made again in a session that uses it, in odd
# schemas, in two databases, with tables of the same names around it, and renamed under its feet.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Wire;

my $node = PostgreSQL::Test::Cluster->new('life');
$node->init;
$node->append_conf('postgresql.conf', "timezone = 'UTC'\njit = off\n");
$node->start;

sub quoted { my ($name) = @_; $name =~ s/"/""/g; return qq{"$name"} }

# book: an order, a line item and an invoice; what became of them
my $number = 0;
sub book
{
	my ($session) = @_;
	my $n = ++$number;
	my $answer;

	for my $sql ("INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month) VALUES ('A', 'P$n', 'AWS Inc.', '2026-01', '2026-12')",
		"INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, amount, balance_tracked) VALUES ('A', 'P$n', '1', 'usage', '2026-01', '2026-12', 100, true)",
		"INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount) VALUES ('A', 'AWS Inc.', 'I$n', 'usage', '2026-02', 30)",
		"SELECT line_number || ' ' || balance || ' ' || (SELECT count(*) FROM po_check_integrity()) || ' ' || (SELECT count(*) FROM po_match_invoice('A', 'AWS Inc.', 'usage', '2026-02', 1) m WHERE m.po_number = 'P$n') FROM po_line_item WHERE po_number = 'P$n'")
	{
		$answer = $session->query($sql);
		return "$answer->{state} $answer->{message}" if $answer->{state};
	}
	return $answer->{rows}[0][0];
}
sub says { my ($session, $sql) = @_; my $answer = $session->query($sql); return $answer->{state} ? "$answer->{state} $answer->{message}" : 'ok' }

my $session = Wire->connect($node, 'postgres');
my $other = Wire->connect($node, 'postgres');

# dropped and made again, while sessions have plans of it
for my $round (1 .. 3)
{
	is(says($session, 'CREATE EXTENSION po_mgmt'), 'ok', "round $round: CREATE EXTENSION");
	is(book($_), '1 70 0 1', "round $round: it books") for ($session, $other, $session);
	is(says($session, 'CREATE VIEW mine AS SELECT po_number, po_status(o) FROM po_order o'), 'ok', "round $round: a view of the user's own");
	like(says($session, 'DROP EXTENSION po_mgmt'), qr/^2BP01 cannot drop extension po_mgmt because other objects depend on it/, "round $round: which keeps it");
	is(says($session, 'DROP EXTENSION po_mgmt CASCADE'), 'ok', "round $round: DROP EXTENSION CASCADE");
	is($session->query(q{SELECT count(*) FROM pg_class WHERE relname ~ '^po_' UNION ALL SELECT count(*) FROM pg_proc WHERE proname ~ '^po_' UNION ALL SELECT count(*) FROM pg_type WHERE typname ~ '^_?po_'
		UNION ALL SELECT count(*) FROM pg_operator WHERE oprcode::text ~ '^po_' UNION ALL SELECT count(*) FROM pg_opclass WHERE opcname ~ '^po_'})->{rows}[$_][0], 0, "round $round: nothing is left of it ($_)") for 0 .. 4;
	like(book($other), qr/^42P01 relation "po_order" does not exist/, "round $round: it is gone");
}
# within one transaction, rolled back
is(says($session, 'BEGIN; CREATE EXTENSION po_mgmt'), 'ok', 'made in a transaction');
is(book($session), '1 70 0 1', 'it books there');
is(says($session, 'ROLLBACK'), 'ok', 'rolled back');
is(says($session, 'CREATE EXTENSION po_mgmt'), 'ok', 'made again');
is(book($session), '1 70 0 1', 'it books');
is(says($session, 'BEGIN; DROP EXTENSION po_mgmt; ROLLBACK'), 'ok', 'dropped, and rolled back');
is(book($_), '1 70 0 1', 'it books') for ($session, $other);
is(says($session, 'CREATE SCHEMA elsewhere'), 'ok', 'another schema');
is(says($session, 'ALTER EXTENSION po_mgmt SET SCHEMA elsewhere'), '0A000 extension "po_mgmt" does not support SET SCHEMA', 'SET SCHEMA is refused');
is(says($session, 'ALTER EXTENSION po_mgmt DROP TABLE po_contact; ALTER EXTENSION po_mgmt ADD TABLE po_contact'), 'ok', 'a member taken out and put back');
like(says($session, 'DROP TABLE po_contact'), qr/^2BP01 cannot drop table po_contact because extension po_mgmt requires it/, 'members stay');

# tables and functions of the same names in front of it
$session->query('CREATE TEMP TABLE ' . $_ . ' (LIKE ' . $_ . ')') for qw(po_account po_order po_line_item po_invoice po_ledger po_seller po_taxonomy po_contact po_seller_alias);
$session->query(q{CREATE FUNCTION pg_temp.po_now() RETURNS timestamptz LANGUAGE sql AS 'SELECT ''1970-01-01''::timestamptz'});
is(says($session, $_), 'ok', $_) for (
	q{INSERT INTO public.po_order (account_id, po_number, bill_from, effective_month, expiration_month) VALUES ('T', 'T', 'AWS Inc.', '2026-01', '2026-12')},
	q{INSERT INTO public.po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, amount, balance_tracked) VALUES ('T', 'T', '1', 'usage', '2026-01', '2026-12', 100, true)},
	q{INSERT INTO public.po_contact (account_id, po_number, email) VALUES ('T', 'T', 'a@b')},
	q{INSERT INTO public.po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount) VALUES ('T', 'Amazon Web Services, Inc.', 'T', 'usage', '2026-02', 40)},
	q{SELECT po_release_invoice('T', 'AWS Inc.', 'T')}, q{SELECT po_rematch_unassociated('T')}, q{SELECT po_suspend('T', 'T')}, q{SELECT po_repair('T')});
is($session->query(q{SELECT balance || ' ' || (SELECT count(*) FROM public.po_ledger WHERE account_id = 'T') || ' ' || (SELECT count(*) FROM po_check_integrity()) || ' ' || (SELECT count(*) FROM po_dashboard WHERE account_id = 'T')
	FROM public.po_line_item WHERE account_id = 'T'})->{rows}[0][0], '60 4 0 1', 'temporary tables of the same names change nothing');
is($session->query('SELECT (SELECT count(*) FROM po_order) + (SELECT count(*) FROM po_invoice) + (SELECT count(*) FROM po_ledger) + (SELECT count(*) FROM po_account)')->{rows}[0][0], 0, 'and get nothing');
$session->query('DISCARD TEMP');

# renamed under its feet: an error says so, and renaming back heals
is(says($session, 'ALTER TABLE po_ledger RENAME TO ledger'), 'ok', 'a table renamed');
like(book($session), qr/^42P01 (?:table "po_ledger" of extension po_mgmt does not exist|relation "public.po_ledger" does not exist)/, 'an error says so');
is(says($session, 'ALTER TABLE ledger RENAME TO po_ledger'), 'ok', 'renamed back');
is(book($_), '1 70 0 1', 'it books') for ($session, $other);
is(says($session, 'ALTER SCHEMA public RENAME TO "Moved; DROP"'), 'ok', 'its schema renamed');
$_->query('SET search_path = "Moved; DROP"') for ($session, $other);
is(book($_), '1 70 0 1', 'it books') for ($session, $other);
is(says($session, 'ALTER SCHEMA "Moved; DROP" RENAME TO public'), 'ok', 'renamed back');
$_->query('RESET search_path') for ($session, $other);
is(book($_), '1 70 0 1', 'it books') for ($session, $other);
# other roles of the server
is(says($session, q{CREATE ROLE keeper; DO $$ DECLARE r regclass; BEGIN FOR r IN SELECT objid::regclass FROM pg_depend d JOIN pg_extension e ON e.oid = refobjid JOIN pg_class c ON c.oid = objid AND relkind IN ('r', 'v')
	WHERE classid = 'pg_class'::regclass AND deptype = 'e' AND extname = 'po_mgmt' LOOP EXECUTE format('ALTER TABLE %s OWNER TO keeper', r); END LOOP; END $$; GRANT ALL ON SCHEMA public TO keeper}), 'ok', 'another owner of the tables');
is(book($_), '1 70 0 1', 'it books') for ($session, $other);

# odd schemas, one database each, at the same time
my %schema = ('Odd Name' => 'odd1', 'semi;colon' => 'odd2', 'quo"te' => 'odd3', "apo'strophe" => 'odd4', 'dollar$$' => 'odd5', "l\x{c3}\x{a9}on" => 'odd6', 'x' x 63 => 'odd7', 'select' => 'odd8', '@schema@' => 'odd9', '%s' => 'odd10');
my @sessions;
my $before = $number;
for my $name (sort keys %schema)
{
	$node->safe_psql('postgres', "CREATE DATABASE $schema{$name} TEMPLATE template0 ENCODING 'UTF8'");
	my $s = Wire->connect($node, $schema{$name});
	is(says($s, 'CREATE SCHEMA ' . quoted($name)), 'ok', "$name: a schema");
	is(says($s, 'CREATE EXTENSION po_mgmt SCHEMA ' . quoted($name)), 'ok', "$name: CREATE EXTENSION");
	$s->query('SET search_path = ' . quoted($name));
	push @sessions, [ $name, $s ];
}
for (@sessions, reverse @sessions)
{
	my ($name, $s) = @$_;
	is(book($s), '1 70 0 1', "$name: it books");
	is(says($s, q{SELECT po_enable_row_security('app.account_id')}), 'ok', "$name: row security");
	is(says($s, q{SELECT * FROM po_dashboard, po_forecast, po_explain_match('A', 'AWS Inc.', 'usage', '2026-02', 1)}), 'ok', "$name: it answers");
}
is($session->query("SELECT count(*) FROM po_order WHERE po_number ~ '^P' AND substr(po_number, 2)::int > $before")->{rows}[0][0], 0, 'each database has its own');

is(scalar(() = slurp_file($node->logfile) =~ /PANIC:|TRAP:|terminated by signal/g), 0, 'nothing crashed');
$node->stop;
done_testing();
