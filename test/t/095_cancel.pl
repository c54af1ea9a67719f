# 095_cancel.pl: whatever runs long can be stopped, by statement_timeout and by pg_cancel_backend(),
# soon after it is asked to; nothing of it is left, and the session goes on.

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);
use Wire;

my $soon = 3;    # seconds; far less than each of the statements takes, on a machine with other work

my $node = PostgreSQL::Test::Cluster->new('cancel');
$node->init;
$node->append_conf('postgresql.conf', "timezone = 'UTC'\njit = off\nmax_parallel_workers_per_gather = 0\n");
$node->start;
$node->safe_psql('postgres', 'CREATE EXTENSION po_mgmt');

# 10,000 line items, 30,000 invoices that wait for one, 30,000 that are booked
$node->safe_psql('postgres', q{
	INSERT INTO po_account (account_id, max_active_orders) VALUES ('A', 1000);
	INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month)
		SELECT 'A', 'P' || n, 'AWS Inc.', '2026-01', '2026-12' FROM generate_series(1, 100) n;
	INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, amount, balance_tracked)
		SELECT 'A', 'P' || n, i, 'usage', '2026-02', '2026-02', 1000000, true FROM generate_series(1, 100) n, generate_series(1, 100) i;
	INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount)
		SELECT 'A', 'AWS Inc.', n, 'usage', '2026-02', 1 FROM generate_series(1, 30000) n;
	INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount)
		SELECT 'A', 'AWS Inc.', n, 'subscription', '2026-03', 1 FROM generate_series(30001, 60000) n;
	UPDATE po_account SET max_line_items = 1000;
	INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, amount, balance_tracked)
		SELECT 'A', 'P1', 'late', 'subscription', '2026-03', '2026-03', 1, true;
	INSERT INTO po_contact (account_id, po_number, email) SELECT 'A', 'P' || n, 'a@example.com' FROM generate_series(1, 100) n;
	CREATE TABLE charges AS SELECT 'Amazon Web Services, Inc.' AS "InvoiceIssuerName", 'B' || n % 5000 AS "BillingAccountId", 'Usage' AS "ChargeCategory",
		'USD' AS "BillingCurrency", '2026-02-01'::timestamptz AS "BillingPeriodStart", 'AWS' AS "PublisherName", 'AWS' AS "ServiceProviderName",
		n::text AS "InvoiceId", 1.5 AS "BilledCost" FROM generate_series(1, 100000) n;
	-- two orders of 3,000 line items, one of a contract
	INSERT INTO po_account (account_id, max_line_items) VALUES ('B', 1000000);
	INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month)
		SELECT 'B', p, 'AWS Inc.', '2026-01', '2026-12' FROM unnest('{BIG,CONTRACT,OTHER}'::text[]) p;
	INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, amount, balance_tracked, agreement_id)
		SELECT 'B', 'BIG', n, 'usage', '2026-02', '2026-12', 1000000, true, NULL FROM generate_series(1, 3000) n UNION ALL
		SELECT 'B', 'CONTRACT', n, 'marketplace.transaction', '2026-02', '2026-12', 1, false, 'agr' FROM generate_series(1, 3000) n;
	-- tables of another schema: one with 20,000 rows that are booked, one with 30,000 that are not yet, one that is to be attached
	INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month) VALUES ('D', 'P', 'AWS Inc.', '2026-01', '2026-12');
	INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, amount, balance_tracked)
		VALUES ('D', 'P', '1', 'usage', '2026-01', '2026-12', 1000000, true);
	CREATE TABLE bills (customer text, number text PRIMARY KEY, amount numeric, po text);
	CREATE TABLE old (LIKE bills INCLUDING ALL);
	CREATE TABLE more (LIKE bills INCLUDING ALL);
	CREATE FUNCTION mapping() RETURNS jsonb LANGUAGE sql AS $$ SELECT '{"account_id": "customer", "bill_from": {"value": "AWS Inc."},
		"invoice_id": "number", "line_type": {"value": "usage"}, "billing_month": {"value": "2026-03"}, "amount": "amount", "po_number": "po"}'::jsonb $$;
	INSERT INTO old SELECT 'D', 'old ' || n, 1 FROM generate_series(1, 30000) n;
	INSERT INTO more SELECT 'D', 'more ' || n, 1 FROM generate_series(1, 1000000) n;
	SELECT po_attach(t, mapping()) FROM unnest('{bills,old}'::regclass[]) t;
	INSERT INTO bills SELECT 'D', 'bill ' || n, 1 FROM generate_series(1, 20000) n;
	ANALYZE});
# damage that po_repair() has to mend
$node->safe_psql('postgres', q{SET session_replication_role = replica; UPDATE po_line_item SET balance = balance - 1 WHERE account_id = 'A'});
my $state = 'SELECT ' . join ', ', map { "(SELECT count(*) || ' ' || coalesce(sum(hashtext(t::text)::numeric), 0) FROM $_ t)" }
	qw(po_account po_order po_line_item po_invoice bills old pg_policy), map { "(SELECT count(*) FROM $_)" } qw(po_ledger po_change_log po_notification po_attachment);

my @long = (
	[ 'po_rematch_unassociated', q{SELECT po_rematch_unassociated()} ],
	[ 'po_repair', q{SELECT po_repair('A')} ],
	[ 'po_archive', q{UPDATE po_account SET closed_through = '9999-01'; SELECT po_archive('9999-01')} ],
	[ 'po_check_integrity', q{SELECT count(*) FROM po_check_integrity()} ],
	[ 'po_explain_match', q{SELECT count(*) FROM po_invoice v, po_explain_match(v)} ],
	[ 'po_match_invoice', q{SELECT count(*) FROM po_invoice v, po_match_invoice(v)} ],
	[ 'po_coverage', q{SELECT count(*) FROM po_coverage('A', '0001-01', '9999-12')} ],
	[ 'po_invoices_from_focus', q{SELECT count(*) FROM po_invoices_from_focus('charges')} ],
	[ 'po_scan_expirations', q{SELECT po_scan_expirations(d::date) FROM generate_series('2026-06-01'::date, '2026-12-31', '1 minute') d} ],
	[ 'INSERT', q{INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount) SELECT 'A', 'AWS Inc.', 'i' || n, 'usage', '2026-02', 1 FROM generate_series(1, 50000) n} ],
	[ 'INSERT of many accounts', q{INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount) SELECT 'C' || n, 'AWS Inc.', 'i' || n, 'usage', '2026-02', 1 FROM generate_series(1, 50000) n} ],
	[ 'UPDATE of line items', q{UPDATE po_line_item SET amount = amount + 1} ],
	[ 'DELETE of invoices', q{DELETE FROM po_invoice} ],
	[ 'DELETE of orders', q{DELETE FROM po_order} ],
	[ 'po_explain_match of one account', q{SELECT count(*) FROM generate_series(1, 1000) n, po_explain_match('A', 'AWS Inc.', 'usage', '2026-02', n)} ],
	[ 'po_explain_invoice', q{SELECT count(*) FROM po_invoice v, po_explain_invoice(v.account_id, v.bill_from, v.invoice_id)} ],
	[ 'po_balance_at', q{SELECT count(po_balance_at(account_id, po_number, line_number, now())) FROM po_line_item} ],
	[ 'po_backtest', q{SELECT count(*) FROM po_backtest('A')} ],
	[ 'po_report', q{SELECT length(po_report('A'))} ],
	[ 'po_unassociated_invoice', q{SELECT count(reason) FROM po_unassociated_invoice} ],
	[ 'po_focus_invoice_detail', q{SELECT count(t::text) FROM po_focus_invoice_detail t} ],
	[ 'po_assign_invoice', q{SELECT count(po_assign_invoice(account_id, bill_from, invoice_id, 'P2', '1')) FROM po_invoice WHERE account_id = 'A'} ],
	[ 'po_rematch_invoice', q{SELECT count(po_rematch_invoice(account_id, bill_from, invoice_id, true)) FROM po_invoice} ],
	[ 'po_release_invoice', q{SELECT count(po_release_invoice(account_id, bill_from, invoice_id)) FROM po_invoice} ],
	[ 'po_void_invoice', q{SELECT count(po_void_invoice(account_id, bill_from, invoice_id)) FROM po_invoice} ],
	[ 'po_copy_order', q{SELECT po_copy_order('B', 'BIG', 'NEW', '2027-01', '2027-12')} ],
	[ 'po_extend', q{SELECT po_extend('B', 'BIG', '2027-12', true)} ],
	[ 'po_marketplace_change_order', q{SELECT po_marketplace_change_order('B', 'agr', 'OTHER')} ],
	[ 'po_marketplace_payment', q{SELECT count(po_marketplace_payment('B', 'CONTRACT', 'agr', '2026-03', 1)) FROM generate_series(1, 10000)} ],
	[ 'po_attach', q{SELECT po_attach('more', mapping())} ],
	[ 'po_attach_existing', q{CALL po_attach_existing('old', 1000000)} ],
	[ 'INSERT into an attached table', q{INSERT INTO bills SELECT 'D', n, 1 FROM generate_series(1, 30000) n} ],
	[ 'UPDATE of an attached table', q{UPDATE bills SET amount = 2} ],
	[ 'DELETE in an attached table', q{DELETE FROM bills} ]);

my $session = Wire->connect($node, 'postgres');
my $other = Wire->connect($node, 'postgres');
my $pid = $session->query('SELECT pg_backend_pid()')->{rows}[0][0];
my $before = join '|', @{ $session->query($state)->{rows}[0] };

for (@long)
{
	my ($name, $sql) = @$_;
	my ($began, $answer);

	$session->query("SET statement_timeout = '40ms'");
	$began = time;
	$answer = $session->query($sql);
	is($answer->{state}, '57014', "$name: statement_timeout") or diag($answer->{message});
	cmp_ok(time - $began, '<', $soon, "$name: stops soon after it");

	$session->query('SET statement_timeout = 0');
	$session->write('Q' . pack 'N Z*', length($sql) + 5, $sql);
	sleep 0.05;
	$began = time;
	$other->query("SELECT pg_cancel_backend($pid)");
	$answer = $session->answer;
	is($answer->{state}, '57014', "$name: pg_cancel_backend()") or diag($answer->{message});
	cmp_ok(time - $began, '<', $soon, "$name: stops soon after it");
	is(join('|', @{ $session->query($state)->{rows}[0] }), $before, "$name: nothing of it is left");
}
# what waits for somebody who holds an account, and a lock on its table, ends as well
my @waiting = (
	[ 'INSERT', q{INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount) VALUES ('A', 'AWS Inc.', 'waits', 'usage', '2026-02', 1)} ],
	[ 'INSERT into an attached table', q{INSERT INTO bills SELECT 'A', 'waits', 1} ],
	[ 'po_suspend', q{SELECT po_suspend('A', 'P1')} ],
	[ 'po_copy_order', q{SELECT po_copy_order('A', 'P1', 'NEW', '2027-01', '2027-12')} ],
	[ 'po_repair', q{SELECT po_repair('A')} ],
	[ 'po_rematch_unassociated', q{SELECT po_rematch_unassociated('A')} ],
	[ 'po_enable_row_security', q{SELECT po_enable_row_security('app.account')} ]);

$other->query('BEGIN');
$other->query(q{UPDATE po_account SET payment_terms = 'net 30' WHERE account_id = 'A'});
for (@waiting)
{
	my ($name, $sql) = @$_;
	my $answer;

	$session->query("SET lock_timeout = '40ms'");
	$answer = $session->query($sql);
	is($answer->{state}, '55P03', "$name waits: lock_timeout") or diag($answer->{message});
	$session->query("SET lock_timeout = 0; SET statement_timeout = '40ms'");
	$answer = $session->query($sql);
	is($answer->{state}, '57014', "$name waits: statement_timeout") or diag($answer->{message});
	$session->query('SET statement_timeout = 0');
}
$other->query('ROLLBACK');
is(join('|', @{ $session->query($state)->{rows}[0] }), $before, 'nothing of what waited is left');
is($session->query(q{SELECT po_repair('A')})->{rows}[0][0], '10001', 'the session goes on: what was damaged is mended');
is(scalar @{ $session->query('SELECT * FROM po_check_integrity()')->{rows} }, 0, 'and the books are right');
is(scalar(() = slurp_file($node->logfile) =~ /PANIC:|TRAP:|terminated by signal/g), 0, 'nothing crashed');
$node->stop;
done_testing();
