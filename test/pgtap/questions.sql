-- test/pgtap/questions.sql: po_backtest, po_coverage and what-if: what AWS cannot answer.
BEGIN;
SELECT plan(32);
SET LOCAL client_min_messages = warning;
SET LOCAL po_mgmt.now = '2026-06-10 12:00+00';

CREATE PROCEDURE po(account text, number text, expiration text DEFAULT '2026-12', seller text DEFAULT 'AWS Inc.', currency text DEFAULT 'USD') LANGUAGE sql AS $$
	INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month, currency)
	VALUES (account, number, seller, '2026-01', expiration::po_month, currency)
$$;
-- a line item; an amount makes its balance tracked
CREATE PROCEDURE li(account text, number text, line text, type text DEFAULT 'usage', amount numeric DEFAULT NULL,
	start text DEFAULT '2026-01', finish text DEFAULT '2026-12') LANGUAGE sql AS $$
	INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, balance_tracked, amount)
	VALUES (account, number, line, type::po_line_type, start::po_month, finish::po_month, amount IS NOT NULL, coalesce(amount, 0))
$$;
CREATE PROCEDURE book(account text, id text, amount numeric, month text DEFAULT '2026-02', type text DEFAULT 'usage', number text DEFAULT NULL,
	line text DEFAULT NULL, original text DEFAULT NULL, seller text DEFAULT 'AWS Inc.') LANGUAGE sql AS $$
	INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount, po_number, line_number, original_invoice_id, issued_on)
	VALUES (account, seller, id, type::po_line_type, month::po_month, amount, number, line, original, '2026-04-01')
$$;
CREATE FUNCTION backtest(account text, first text DEFAULT NULL, last text DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
	SELECT coalesce(string_agg(concat_ws(' ', invoice_id, coalesce(po_number || '/' || line_number, '-'), CASE WHEN moves THEN 'to' ELSE 'stays' END,
		coalesce(would_po_number || '/' || would_line_number, '-')), ', ' ORDER BY invoice_id), 'nothing') FROM po_backtest(account, first::po_month, last::po_month)
$$;
CREATE FUNCTION why(account text, id text) RETURNS text LANGUAGE sql AS $$
	SELECT reason FROM po_backtest(account) WHERE invoice_id = id
$$;

--
-- po_backtest
--
CALL po('B', 'P'); CALL li('B', 'P', '1', amount => 100); CALL li('B', 'P', 'gone', 'subscription');
CALL book('B', 'I1', 60); CALL book('B', 'I2', 30, '2026-03'); CALL book('B', 'I3', -5, '2026-03', original => 'I1');
CALL book('B', 'I4', 1, '2026-03', 'subscription'); CALL book('B', 'I5', 2, type => 'marketplace'); CALL book('B', 'I6', 3, '2027-01'); CALL book('B', 'VOID', 4);
SELECT po_void_invoice('B', 'AWS Inc.', 'VOID') IS NOT NULL AS void \gset
SELECT is(backtest('B'), 'I1 P/1 stays P/1, I2 P/1 stays P/1, I3 P/1 stays P/1, I4 P/gone stays P/gone, I5 - stays -, I6 - stays -',
	'right after booking nothing would move; void invoices are left out');
SELECT is((SELECT count(*) FROM po_backtest('B') WHERE reason IS NOT NULL), 0::bigint, 'what stays needs no reason');
SELECT is(backtest('B', '2026-03', '2026-03'), 'I2 P/1 stays P/1, I3 P/1 stays P/1, I4 P/gone stays P/gone', 'the invoices of a month');
SELECT is(backtest('B', '2026-04'), 'I6 - stays -', 'from a month on');
SELECT is(backtest('B', NULL, '2026-02'), 'I1 P/1 stays P/1, I5 - stays -', 'up to a month');
SELECT is(backtest('B', '2026-03', '2026-02') || backtest('X'), 'nothingnothing', 'no months, or no account');

CREATE TEMP TABLE before AS SELECT (SELECT count(*) FROM po_ledger) AS entries, (SELECT string_agg(i::text, ' ' ORDER BY invoice_id) FROM po_invoice i) AS invoices;
DELETE FROM po_line_item WHERE line_number = 'gone';
CALL po('B', 'NEW'); CALL li('B', 'NEW', '7'); CALL li('B', 'NEW', '8', 'marketplace');
SELECT is(backtest('B'), 'I1 P/1 to NEW/7, I2 P/1 to NEW/7, I3 P/1 stays P/1, I4 P/gone to -, I5 - to NEW/8, I6 - stays -',
	'an order came, a line item went; a credit memo is where its original is now');
SELECT is(why('B', 'I1'), (SELECT e.reason FROM po_invoice i, po_explain_match(i) e WHERE i.invoice_id = 'I1' AND e.rank = 1)
	|| ' Line item 1 of order P, where it is: ' || (SELECT e.reason FROM po_invoice i, po_explain_match(i) e WHERE i.invoice_id = 'I1' AND e.po_number = 'P' AND e.line_number = '1'),
	'why it would go there, and not where it is: as po_explain_match says');
SELECT is(why('B', 'I4'), 'No line item fits. Line item gone of order P, where it is: It was deleted.', 'nowhere');
SELECT matches(why('B', 'I5'), '^The only line item that fits\..*\.$', 'from nowhere');
SELECT ok(why('B', 'I1') !~ 'deleted' AND why('B', 'I6') IS NULL, 'no reason without a move');
CALL li('B', 'P', 'gone', 'subscription'); UPDATE po_order SET description = 'later' WHERE po_number = 'NEW';
SELECT matches(why('B', 'I4'), '^The only line item that fits\..* Line item gone of order P, where it is: It was deleted\.$',
	'a new line item of that number is another one');
SELECT is((SELECT count(*) - (SELECT entries FROM before) FROM po_ledger), 1::bigint, 'no entry in the ledger, but for the line item deleted');
SELECT is((SELECT string_agg(i::text, ' ' ORDER BY invoice_id) FROM po_invoice i), (SELECT invoices FROM before), 'and all invoices are as they were');
SELECT po_assign_invoice('B', 'AWS Inc.', 'I1', 'P', '1') IS NOT NULL AS assigned \gset
SELECT is((SELECT association_kind || ' ' || moves FROM po_backtest('B') WHERE invoice_id = 'I1'), 'manual true', 'what was assigned by hand says so');
SELECT is((SELECT string_agg(b.invoice_id || ' ' || r.po_number || '/' || r.line_number, ', ' ORDER BY b.invoice_id) FROM po_backtest('B') b,
	po_rematch_invoice('B', b.bill_from, b.invoice_id) r WHERE b.moves AND b.association_kind IS DISTINCT FROM 'manual'
	AND (r.po_number, r.line_number) IS NOT DISTINCT FROM (b.would_po_number, b.would_line_number)), 'I2 NEW/7, I4 P/gone, I5 NEW/8', 'and matching them again does what was foretold');
SELECT is((SELECT count(*) FROM po_backtest('B') WHERE moves AND association_kind IS DISTINCT FROM 'manual'), 0::bigint, 'then nothing is left to move');

--
-- po_coverage
--
CREATE FUNCTION coverage(account text, first text, last text, charge text DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(concat_ws(' ', bill_from, currency, line_type, billing_month, coalesce(po_number || '/' || line_number, '-'), covers::text), ', ' ORDER BY n)
	FROM po_coverage(account, first::po_month, last::po_month) WITH ORDINALITY
		c(bill_from, line_type, currency, billing_month, po_number, line_number, item_type, covers, balance, n) WHERE charge IS NULL OR line_type <@ charge::po_line_type
$$;
CALL po('C', 'P', '2026-08'); CALL li('C', 'P', '1', amount => 10, finish => '2026-07'); CALL li('C', 'P', '2', 'all', start => '2026-07', finish => '2026-08');
SELECT is(coverage('C', '2026-06', '2026-09', 'usage'), 'AWS Inc. USD usage 2026-06 P/1 true, AWS Inc. USD usage 2026-07 P/1 true, AWS Inc. USD usage 2026-08 P/2 true, AWS Inc. USD usage 2026-09 -',
	'month by month: who pays, and where there is none');
SELECT is((SELECT string_agg(DISTINCT line_type::text, ' ' ORDER BY line_type::text) FROM po_coverage('C', '2026-06', '2026-06')),
	'marketplace marketplace.transaction professional_services subscription usage', 'all types that the seller bills');
SELECT is((SELECT count(*) FROM po_coverage('C', '2026-06', '2026-09')), 20::bigint, 'in all months');
CALL po('C', 'J', seller => 'AWS Japan');
SELECT is((SELECT string_agg(line_type::text, ' ' ORDER BY line_type::text) FROM po_coverage('C', '2026-06', '2026-06') WHERE bill_from = 'AWS Japan' AND po_number IS NULL),
	'subscription usage', 'a seller that bills less; an order without line items pays nothing');
INSERT INTO po_taxonomy (line_type) VALUES ('usage.compute');
CALL book('C', 'I1', 1, type => 'training', seller => 'AWS Japan'); CALL book('C', 'I2', 12);
SELECT is(coverage('C', '2026-06', '2026-06', 'training'), 'AWS Japan USD training 2026-06 -', 'a type that it has billed all the same');
SELECT is(coverage('C', '2026-06', '2026-06', 'usage'), 'AWS Inc. USD usage 2026-06 P/1 false, AWS Inc. USD usage.compute 2026-06 P/1 false, AWS Japan USD usage 2026-06 -, AWS Japan USD usage.compute 2026-06 -',
	'types of one''s own; a balance that is used up does not cover');
SELECT is((SELECT string_agg(balance || ' ' || item_type, ', ') FROM po_coverage('C', '2026-06', '2026-06') WHERE line_type = 'usage.compute' AND po_number = 'P'), '-2 usage', 'the balance and the type of the line item that pays');
CALL po('C', 'E', currency => 'EUR'); CALL li('C', 'E', '1', amount => 50);
SELECT is(coverage('C', '2026-06', '2026-06', 'usage.compute'), 'AWS Inc. EUR usage.compute 2026-06 E/1 true, AWS Inc. USD usage.compute 2026-06 P/1 false, AWS Japan USD usage.compute 2026-06 -', 'each currency by itself');
SELECT is((SELECT string_agg(covers::text, ' ' ORDER BY n) FROM unnest('{0,50,50.01}'::numeric[]) WITH ORDINALITY a(amount, n), po_coverage('C', '2026-06', '2026-06', a.amount) c
	WHERE c.currency = 'EUR' AND c.line_type = 'usage'), 'true true false', 'for an amount that is expected');
SELECT is_empty($$SELECT FROM po_coverage('C', '2026-07', '2026-06') UNION ALL SELECT FROM po_coverage('X', '2026-06', '2026-06') UNION ALL SELECT FROM po_coverage('C', NULL, '2026-06')$$, 'no months, no account, null');
SELECT is((SELECT count(*) FROM po_coverage('C', '2026-01', '2026-12') c JOIN LATERAL po_match_invoice('C', c.bill_from, c.line_type, c.billing_month, 0.01, c.currency, issued_on => po_month_end(c.billing_month), max_rank => 1) m ON true
	WHERE (c.po_number, c.line_number) = (m.po_number, m.line_number)), (SELECT count(po_number) FROM po_coverage('C', '2026-01', '2026-12')), 'as po_match_invoice says');
UPDATE po_account SET period_basis = 'issue_date' WHERE account_id = 'C';
SELECT is(coverage('C', '2026-08', '2026-08', 'usage.compute'), 'AWS Inc. EUR usage.compute 2026-08 E/1 true, AWS Inc. USD usage.compute 2026-08 P/2 true, AWS Japan USD usage.compute 2026-08 -', 'by date of issue: issued in that month');

--
-- What-if: a change, the answer, and back
--
SAVEPOINT what_if;
SELECT po_suspend('B', 'NEW') IS NOT NULL AS suspended \gset
SELECT is((SELECT string_agg(invoice_id || ' ' || coalesce(would_po_number, 'none'), ', ' ORDER BY invoice_id) FROM po_backtest('B') WHERE moves), 'I2 P, I5 none', 'what if NEW was suspended');
ROLLBACK TO what_if;
SELECT is((SELECT count(*) FROM po_backtest('B') WHERE moves AND association_kind IS DISTINCT FROM 'manual'), 0::bigint, 'and all is as before');

SELECT is_empty('SELECT * FROM po_check_integrity()', 'the books are in order');
SELECT finish();
ROLLBACK;
