-- A year of two payers, as a finance team lives it: orders opened, suspended, extended and rolled
-- forward, contracts bought and paid on the marketplace, a linked account that moves, twelve
-- monthly runs of invoices. What is printed at the end was checked by hand against the rules: the
-- remarks say which balance is to be expected, and why.
BEGIN;
SET LOCAL client_min_messages = warning;
SET LOCAL timezone = 'UTC';
SET LOCAL datestyle = 'ISO';
\pset null '-'

-- what day it is
CREATE FUNCTION pg_temp.on_day(day date) RETURNS void LANGUAGE sql
	AS $$ SELECT set_config('po_mgmt.now', day || ' 09:00+00', true) $$;

-- a monthly run, on the third of the month after: usage 100 of the payer, usage 40 of its linked
-- account, subscriptions of 50; and the reminders of orders that expire
CREATE FUNCTION pg_temp.monthly_run(month po_month) RETURNS TABLE (invoice text, account text, booked_on text, balance numeric) LANGUAGE plpgsql AS $$
DECLARE n text := substr((month::date)::text, 3, 5);
BEGIN
	PERFORM pg_temp.on_day(po_month_end(month) + 3);
	PERFORM po_scan_expirations();
	INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount) VALUES
		('ACME', 'AWS Inc.', 'U-' || n, 'usage', month, 100), ('DEV', 'AWS Inc.', 'D-' || n, 'usage', month, 40), ('ACME', 'AWS Inc.', 'S-' || n, 'subscription', month, 50);
	RETURN QUERY SELECT v.invoice_id, v.account_id, v.po_number || ' ' || v.line_number,
		(SELECT l.balance_after FROM po_ledger l WHERE l.account_id = v.account_id AND l.line_item_id = v.line_item_id AND l.bill_from = v.bill_from AND l.invoice_id = v.invoice_id)
		FROM po_invoice v WHERE v.invoice_id IN ('U-' || n, 'D-' || n, 'S-' || n) ORDER BY v.invoice_id COLLATE "C" DESC;
END $$;

-- a reason, without the time of the day and the role that runs this test
CREATE FUNCTION pg_temp.shown(reason text) RETURNS text LANGUAGE sql
	AS $$ SELECT replace(regexp_replace(reason, ' \d\d:\d\d:\d\d(\.\d+)?', '', 'g'), 'by ' || current_user || ' on', 'by ROLE on') $$;

-- an invoice of the marketplace
CREATE FUNCTION pg_temp.marketplace(id text, agreement text, month po_month, amount numeric, number text, line text DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
	INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount, agreement_id, requested_po_number, requested_line_number)
	VALUES ('ACME', 'AWS Inc.', id, 'marketplace.transaction', month, amount, agreement, number, line)
	RETURNING concat_ws(' ', invoice_id, coalesce(po_number, 'no PO'), line_number) $$;

-- January: the year's orders. PO-Q1 is the last one added, so it is first wherever it covers.
SELECT pg_temp.on_day('2026-01-02');
INSERT INTO po_account (account_id, time_zone, alert_thresholds) VALUES ('ACME', 'Europe/Berlin', '{0.75,0}'), ('BETA', 'Europe/Berlin', '{0.75}');
INSERT INTO po_account_member (member_account_id, account_id) VALUES ('DEV', 'ACME');
INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month) VALUES
	('ACME', 'PO-Y', 'AWS Inc.', '2026-01', '2026-12'), ('ACME', 'PO-SUB', 'AWS Inc.', '2026-01', '2026-12'), ('BETA', 'PO-B', 'AWS Inc.', '2026-01', '2026-12');
INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, balance_tracked, amount) VALUES
	('ACME', 'PO-Y', '1', 'AWS Monthly Usage', '2026-01', '2026-12', true, 1200), ('ACME', 'PO-Y', '2', 'ALL', '2026-01', '2026-12', false, 0),
	('ACME', 'PO-SUB', '1', 'AWS Subscription Purchase', '2026-01', '2026-12', true, 600), ('BETA', 'PO-B', '1', 'AWS Monthly Usage', '2026-01', '2026-12', true, 500);
INSERT INTO po_contact (account_id, po_number, email) VALUES ('ACME', 'PO-Y', 'ap@acme.example');
SELECT pg_temp.on_day('2026-01-05');
INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month) VALUES ('ACME', 'PO-Q1', 'Amazon Web Services, Inc.', '2026-01', '2026-03');
INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, balance_tracked, amount) VALUES ('ACME', 'PO-Q1', '1', 'AWS Monthly Usage', '2026-01', '2026-03', true, 300);

-- PO-Q1: 300, less 100 and 40, is 160
SELECT * FROM pg_temp.monthly_run('2026-01');
-- 160 covers 100, and the 60 that are left cover 40: 20
SELECT * FROM pg_temp.monthly_run('2026-02');
-- 20 covers neither: PO-Y, 1200 - 100 - 40 = 1060
SELECT * FROM pg_temp.monthly_run('2026-03');

-- April: PO-Q1 goes on until June with 100 more. 20 + 100 = 120, and it is the last one changed again.
SELECT pg_temp.on_day('2026-04-10');
SELECT po_extend('ACME', 'PO-Q1', '2026-06', line_items => true);
UPDATE po_line_item SET amount = 400 WHERE account_id = 'ACME' AND po_number = 'PO-Q1';
-- 120 covers 100, 20 does not cover 40: PO-Y, 1020
SELECT * FROM pg_temp.monthly_run('2026-04');

-- May: PO-Y is in dispute. PO-Q1 has 20 and is used all the same, to -120.
SELECT pg_temp.on_day('2026-05-12');
SELECT po_suspend('ACME', 'PO-Y');
SELECT * FROM pg_temp.monthly_run('2026-05');

-- June: settled. U-26-05 by the rules goes to PO-Y (1020 - 100 = 920), D-26-05 by hand to its line item 2.
SELECT pg_temp.on_day('2026-06-20');
SELECT po_activate('ACME', 'PO-Y');
SELECT po_number, line_number, association_kind FROM po_rematch_invoice('ACME', 'AWS Inc.', 'U-26-05');
SELECT po_number, line_number, association_kind FROM po_assign_invoice('ACME', 'AWS Inc.', 'D-26-05', 'PO-Y', '2', 'dispute settled');
-- PO-Q1 has 20 again and covers nothing; PO-Y: 920 - 100 = 820, which is below 75% of 1200, and 780
SELECT * FROM pg_temp.monthly_run('2026-06');

-- July: DEV moves to BETA; contracts on the marketplace, one of them paid as it goes
SELECT pg_temp.on_day('2026-07-15');
SELECT po_move_member('DEV', 'BETA');
SELECT po_marketplace_purchase('ACME', 'PO-MP', 'AWS Inc.', 'agr-1', '2026-07', '2027-06', 1200) AS contract,
	po_marketplace_purchase('ACME', 'PO-MP', 'AWS Inc.', 'agr-2', '2026-07', '2026-07') AS flexible,
	po_marketplace_payment('ACME', 'PO-MP', 'agr-2', '2026-08', 200) AS august, po_marketplace_payment('ACME', 'PO-MP', 'agr-2', '2026-11', 300) AS november;
-- PO-Y 680; DEV's usage on BETA's PO-B, 460
SELECT * FROM pg_temp.monthly_run('2026-07');
SELECT pg_temp.marketplace('MP-07', 'agr-1', '2026-07', 100, 'PO-MP');

-- August: PO-Y 580, PO-B 420; the first payment goes to its own line item
SELECT * FROM pg_temp.monthly_run('2026-08');
SELECT pg_temp.marketplace('MP-08', 'agr-1', '2026-08', 100, 'PO-MP'), pg_temp.marketplace('F-1', 'agr-2', '2026-08', 200, 'PO-MP', '3');

-- September: 30 of March's usage are credited, where that is booked: PO-Y, 580 + 30 = 610. PO-MP is suspended.
SELECT pg_temp.on_day('2026-09-09');
INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount, original_invoice_id)
	VALUES ('ACME', 'AWS Inc.', 'CM-26-03', 'usage', '2026-09', -30, 'U-26-03') RETURNING po_number, line_number, association_kind;
SELECT po_suspend('ACME', 'PO-MP');
-- PO-Y 510, PO-B 380; the contract's invoice carries no PO
SELECT * FROM pg_temp.monthly_run('2026-09');
SELECT pg_temp.marketplace('MP-09', 'agr-1', '2026-09', 100, 'PO-MP');

-- October: PO-MP is active again, its invoice is matched again; then the contract gets another number
SELECT pg_temp.on_day('2026-10-06');
SELECT po_activate('ACME', 'PO-MP');
SELECT po_rematch_unassociated('ACME');
SELECT po_marketplace_change_order('ACME', 'agr-1', 'PO-MP2');
-- PO-Y 410, PO-B 340; the contract's invoice still carries the old number
SELECT * FROM pg_temp.monthly_run('2026-10');
SELECT pg_temp.marketplace('MP-10', 'agr-1', '2026-10', 100, 'PO-MP');
-- a number from the procurement system that nobody has added
SELECT pg_temp.marketplace('PROC-INV', 'agr-9', '2026-10', 75, 'PROC-1');

-- November: PO-Y 310, PO-B 300; the second payment
SELECT * FROM pg_temp.monthly_run('2026-11');
SELECT pg_temp.marketplace('MP-11', 'agr-1', '2026-11', 100, 'PO-MP2'), pg_temp.marketplace('F-2', 'agr-2', '2026-11', 300, 'PO-MP', '4');

-- December: next year's orders
SELECT pg_temp.on_day('2026-12-10');
SELECT o.po_number, o.effective_month, o.expiration_month, po_status(o) FROM po_copy_order('ACME', 'PO-Y', 'PO-Y27', '2027-01', '2027-12') o
UNION ALL SELECT o.po_number, o.effective_month, o.expiration_month, po_status(o) FROM po_copy_order('ACME', 'PO-SUB', 'PO-SUB27', '2027-01', '2027-12') o;
-- December's usage is paid by the old ones, although it is January by then: PO-Y 210, PO-B 260, PO-SUB 600 - 12 * 50 = 0
SELECT * FROM pg_temp.monthly_run('2026-12');
-- January's by the new ones. BETA has none: DEV's has no PO.
SELECT * FROM pg_temp.monthly_run('2027-01');

-- the year is closed, and PO-Q1 tidied away
UPDATE po_account SET closed_through = '2026-12' WHERE account_id = 'ACME';
\set ON_ERROR_ROLLBACK on
UPDATE po_invoice SET amount = 90 WHERE account_id = 'ACME' AND invoice_id = 'U-26-12';
DELETE FROM po_order WHERE account_id = 'ACME' AND po_number = 'PO-Q1';

--
-- What is left of the year
--
SELECT account_id, po_number, currency, value, balance, effective_month, expiration_month, status, line_items, tracked_value, invoices
FROM po_dashboard WHERE account_id IN ('ACME', 'BETA') ORDER BY account_id, po_number;

SELECT account_id, po_number, line_number, line_type, start_month, end_month, total_value, balance, agreement_moved_to
FROM po_line_item WHERE account_id IN ('ACME', 'BETA') ORDER BY account_id, po_number, line_item_id;

SELECT account_id, po_number, line_number AS line, invoice_id, entry_kind, amount, balance_after, recorded_at::date AS recorded, note
FROM po_ledger WHERE account_id IN ('ACME', 'BETA') ORDER BY account_id, entry_id;

SELECT account_id, po_number, line_number AS line, operation, CASE operation WHEN 'update' THEN old END AS old, CASE operation WHEN 'update' THEN new END AS new, changed_at::date AS changed
FROM po_change_log WHERE account_id IN ('ACME', 'BETA') ORDER BY account_id, change_id;

SELECT account_id, po_number, line_number AS line, kind, threshold, due_on, created_at::date AS created FROM po_notification WHERE account_id IN ('ACME', 'BETA') ORDER BY account_id, notification_id;

-- why, long after: U-26-01 (PO-Q1 is deleted by now), U-26-03 (PO-Q1 had 20), U-26-05 (matched again), D-26-05 (by hand),
-- the credit memo, MP-10 (another number), and an invoice that found nothing
SELECT v.invoice_id AS invoice, e.po_number AS po, e.line_number AS line, e.rank, e.outcome, e.stage, pg_temp.shown(e.reason) AS reason
FROM unnest('{U-26-01,U-26-03,U-26-05,D-26-05,CM-26-03,MP-10}'::text[]) WITH ORDINALITY v(invoice_id, n), po_explain_invoice('ACME', 'AWS Inc.', v.invoice_id) WITH ORDINALITY e
WHERE e.outcome <> 'rejected' ORDER BY v.n, e.ordinality
\g (format=unaligned)
SELECT e.po_number AS po, e.line_number AS line, e.outcome, e.stage, pg_temp.shown(e.reason) AS reason FROM po_explain_invoice('BETA', 'AWS Inc.', 'D-27-01') e
\g (format=unaligned)

-- of every invoice that is booked the line item that is explained is the booked one, by whatever it was booked
SELECT v.association_kind, count(*) AS invoices, count(*) FILTER (WHERE (e.po_number, e.line_number) = (v.po_number, v.line_number)) AS explained
FROM po_invoice v, po_explain_invoice(v.account_id, v.bill_from, v.invoice_id) e
WHERE v.account_id IN ('ACME', 'BETA') AND e.outcome = 'selected' GROUP BY 1 ORDER BY 1;

SELECT * FROM po_check_integrity() WHERE account_id IN ('ACME', 'BETA');
ROLLBACK;
