# 097_discards.pl: whatever the server caches of tables, functions and plans may be thrown away at any
# moment, since another session has changed something. All parts of po_mgmt do the same then: a
# script of statements gives the same results alone, and while other sessions change privileges,
# functions, statistics and tables all the time; and on a server with assertions (make check-asserts)
# while all caches are discarded whenever they may be, which takes some minutes.
#
#   PO_SCALE=1   times 15 is how often the script runs while others change things

use strict;
use warnings;

use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Wire;

my $times = int(15 * ($ENV{PO_SCALE} // 1)) || 1;

my $node = PostgreSQL::Test::Cluster->new('discards');
$node->init;
$node->append_conf('postgresql.conf', "timezone = 'UTC'\njit = off\nautovacuum = off\n");
$node->start;
$node->safe_psql('postgres', <<'EOS');
CREATE EXTENSION po_mgmt;
CREATE ROLE reader;
CREATE ROLE billing;
CREATE ROLE outsider;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader;
GRANT INSERT ON po_invoice TO billing;
SELECT po_enable_row_security('app.account');
CREATE TABLE rounds AS SELECT 0 AS n;
CREATE FUNCTION mapping() RETURNS jsonb LANGUAGE sql AS $$ SELECT '{"account_id": "customer", "bill_from": {"value": "AWS Inc."},
	"invoice_id": "number", "line_type": {"column": "kind", "map": {"RI": "subscription", "metered": "usage"}}, "billing_month": "day",
	"amount": "amount", "po_number": "po", "line_number": "line"}'::jsonb $$;
EOS

# what one account goes through; A is its name
my @script = (
	q{INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month)
		SELECT 'A', p, 'Amazon Web Services, Inc.', '2026-01', '2026-12' FROM unnest('{P1,P2}'::text[]) p},
	q{INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, balance_tracked, amount)
		SELECT 'A', p, i, (ARRAY['usage', 'all', 'subscription'])[i]::po_line_type, '2026-01', '2026-12', i < 3, 100
		FROM unnest('{P1,P2}'::text[]) p, generate_series(1, 3) i},
	q{INSERT INTO po_contact (account_id, po_number, email) VALUES ('A', 'P1', 'a@example.com'), ('A', 'P2', 'b@example.com')},
	(q{SELECT rank, po_number, line_number, balance FROM po_match_invoice('A', 'AWS Inc.', 'usage.compute', '2026-02', 3)}) x 3,
	q{SELECT po_number, line_number, outcome, stage, reason FROM po_explain_match('A', 'AWS Inc.', 'usage', '2026-02', 3)},
	q{INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount)
		SELECT 'A', 'AWS Inc.', n, CASE n WHEN 5 THEN 'marketplace' ELSE 'usage' END, '2026-02', 20 FROM generate_series(1, 6) n
		RETURNING invoice_id, po_number, line_number},
	q{INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount) VALUES
		('A', 'AWS Inc.', '7', 'usage', '2026-02', 1), ('A', 'AWS Inc.', '1', 'usage', '2026-02', 1)},
	q{INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount) VALUES
		('A', 'AWS Inc.', '8', 'usage', '2026-02', 1), ('A', 'AWS Inc.', '1', 'usage', '2026-02', 1) ON CONFLICT DO NOTHING RETURNING invoice_id, po_number},
	q{INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount, original_invoice_id)
		VALUES ('A', 'AWS Inc.', 'memo', 'usage', '2026-02', -5, '1') RETURNING po_number, line_number, association_kind},
	q{SET ROLE billing; INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount)
		VALUES ('A', 'AWS Inc.', 'refused', 'usage', '2026-02', 1)},
	q{SET ROLE billing; SET app.account = 'A'; INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount)
		VALUES ('A', 'AWS Inc.', 'by billing', 'usage', '2026-02', 1)},
	(q{SET ROLE reader; SELECT rank, po_number, line_number, balance FROM po_match_invoice('A', 'AWS Inc.', 'usage', '2026-02', 3)}) x 2,
	q{SET ROLE reader; SELECT po_number, value, balance, status, line_items, invoices FROM po_dashboard WHERE account_id = 'A'},
	q{RESET ROLE; UPDATE po_invoice SET amount = 30 WHERE account_id = 'A' AND invoice_id = '2'},
	q{DELETE FROM po_invoice WHERE account_id = 'A' AND invoice_id = '3'},
	q{UPDATE po_line_item SET amount = 50, balance_tracked = true WHERE account_id = 'A' AND po_number = 'P1'},
	q{SELECT (po_assign_invoice('A', 'AWS Inc.', '5', 'P2', '3', 'by hand')).line_number},
	q{SELECT (po_release_invoice('A', 'AWS Inc.', '4', 'not theirs')).po_number IS NULL},
	q{SELECT (po_void_invoice('A', 'AWS Inc.', '6', 'wrong')).voided_at IS NOT NULL},
	q{SELECT po_rematch_unassociated('A')},
	q{SELECT (po_rematch_invoice('A', 'AWS Inc.', '5', true)).line_number},
	q{SELECT po_suspend('A', 'P2')},
	q{SELECT po_marketplace_purchase('A', 'M1', 'AWS Inc.', 'agr-1', '2026-01', '2026-12', 12)},
	q{INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount, agreement_id, requested_po_number)
		VALUES ('A', 'AWS Inc.', 'market', 'marketplace.transaction', '2026-03', 12, 'agr-2', 'M2') RETURNING po_number, line_number},
	q{SELECT (po_copy_order('A', 'P1', 'P3', '2027-01', '2027-12')).po_number},
	q{SELECT po_extend('A', 'P1', '2027-06', true)},
	q{SELECT po_scan_expirations('2026-10-31') > 0, count(*) FROM po_notification WHERE account_id = 'A'},
	q{SELECT outcome, stage, reason FROM po_explain_invoice('A', 'AWS Inc.', '1') WHERE outcome = 'selected'},
	q{SELECT po_balance_at('A', 'P1', '1', now())},
	q{CREATE TABLE bills_A (customer text DEFAULT 'A', number text PRIMARY KEY, kind text, day date DEFAULT '2026-05-05', amount numeric, po text, line text);
		INSERT INTO bills_A (number, kind, amount) VALUES ('b1', 'RI', 1), ('b2', 'metered', 2)},
	q{SELECT po_attach('bills_A', mapping())},
	q{SELECT po_attach('bills_A', mapping())},
	q{CALL po_attach_existing('bills_A')},
	q{INSERT INTO bills_A (number, kind, amount) VALUES ('b3', 'RI', 3), ('b4', 'metered', 4) RETURNING number, po, line},
	q{UPDATE bills_A SET amount = 7 WHERE number = 'b3'; DELETE FROM bills_A WHERE number = 'b4'},
	q{SELECT (po_release_invoice('A', 'AWS Inc.', 'b1')).po_number; SELECT number, po, line FROM bills_A ORDER BY number},
	q{SELECT po_detach('bills_A')},
	q{DELETE FROM po_order WHERE account_id = 'A' AND po_number = 'P3'},
	q{SELECT po_number, line_number, total_value, balance FROM po_line_item WHERE account_id = 'A' ORDER BY 1, 2},
	q{SELECT po_number, line_number, invoice_id, entry_kind, amount, balance_after FROM po_ledger
		WHERE account_id = 'A' ORDER BY po_number, line_number, entry_id},
	q{SELECT invoice_id, po_number, line_number, association_kind, amount FROM po_invoice WHERE account_id = 'A' ORDER BY invoice_id},
	q{SELECT operation, po_number, line_number, old - 'changed_at', new - 'created_at' - 'updated_at' - 'line_item_id' - 'account_id' FROM po_change_log
		WHERE account_id = 'A' ORDER BY po_number, line_number, change_id},
	q{SELECT * FROM po_check_integrity() WHERE account_id = 'A'});

# run: the script for one account; what each statement gave, or its error
sub run
{
	my ($session, $account) = @_;
	my @results;

	for my $statement (@script)
	{
		my $sql = $statement =~ s/'A'/'$account'/gr =~ s/bills_A/bills_$account/gr;
		my $answer = $session->query($sql);
		my $result = join "\n", map { join '|', map { $_ // '' } @$_ } @{ $answer->{rows} };

		$result .= "\n$answer->{state} $answer->{message}" if $answer->{state};
		push @results, $result =~ s/$account/A/gr =~ s/"line_item_id": \d+/"line_item_id": n/gr =~ s/\d{4}-\d\d-\d\d[ T]\d\d:\d\d:[\d.]+/then/gr;
	}
	$session->query('RESET ROLE');
	return \@results;
}

# compare: both runs' results, statement by statement; true where they are the same
sub compare
{
	my ($want, $got, $name) = @_;

	for my $i (0 .. $#script)
	{
		next if $want->[$i] eq $got->[$i];
		is($got->[$i], $want->[$i], "$name: $script[$i]");
		return;
	}
	pass("$name: the same");
}

my $session = Wire->connect($node, 'postgres');
my $alone = run($session, 'calm1');
is(scalar(grep { /^\n?[0-9A-Z]{5} / } @$alone), 3, 'some statements fail, as they should') or diag(join "\n---\n", grep { /^\n?[0-9A-Z]{5} / } @$alone);
is($alone->[-1], '', 'the books are right');
compare($alone, run($session, 'calm2'), 'again');

# others change what caches are about
my $changes = PostgreSQL::Test::Utils::tempdir . "/changes.sql";
append_to_file($changes, <<'EOS');

\set n random(0, 9)
GRANT UPDATE ON po_account, po_order, po_line_item, po_invoice, po_contact, po_ledger, po_taxonomy, po_seller TO outsider;
REVOKE UPDATE ON po_account, po_order, po_line_item, po_invoice, po_contact, po_ledger, po_taxonomy, po_seller FROM outsider;
ALTER FUNCTION po_invoice_trigger() COST 2;
ALTER FUNCTION po_attached_trigger() COST 2;
ALTER ROLE outsider CONNECTION LIMIT :n;
ANALYZE po_account, po_line_item, po_invoice;
CREATE TABLE passing (n integer PRIMARY KEY);
DROP TABLE passing;
UPDATE rounds SET n = n + 1;
EOS

my $others = IPC::Run::start([ 'pgbench', '-n', '-f', $changes, '-T', 3600, $node->connstr('postgres') ],
	'<', \undef, '>', \my $out, '2>', \my $err);
compare($alone, run($session, "storm$_"), "while others change things, $_") for 1 .. $times;
$others->signal('TERM');
$others->finish;
cmp_ok($node->safe_psql('postgres', 'SELECT n FROM rounds'), '>', $times, 'which they did, again and again') or diag $err;

# a server with assertions: nothing stays cached; and a role that may only make triggers must not have
# its function run as the owner, wherever the list of triggers is in memory meanwhile
unless ($session->query('SET debug_discard_caches = 1')->{state})
{
	compare($alone, run($session, 'discarded'), 'while all caches are discarded');
	$node->safe_psql('postgres', <<'EOS');
CREATE FUNCTION theirs() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN new; END';
ALTER FUNCTION theirs() OWNER TO outsider;
CREATE TRIGGER zzz AFTER INSERT OR UPDATE ON po_account FOR EACH ROW EXECUTE FUNCTION theirs();
EOS
	$session->query('BEGIN');
	$session->query('LOCK TABLE pg_catalog.pg_proc IN ACCESS SHARE MODE');
	is($session->query(q{INSERT INTO po_contact (account_id, po_number, email) VALUES ('calm1', 'P1', 'c@example.com')})->{state}, '42501',
		'a trigger that must not run as the owner is refused');
	$session->query('ROLLBACK');
}
is(scalar(() = slurp_file($node->logfile) =~ /PANIC:|TRAP:|terminated by signal/g), 0, 'nothing crashed');
$node->stop;
done_testing();
