-- The examples of doc/reference.md. Written by test/t/060_docs.pl --write; edit them there.
SET client_min_messages = warning;
DROP DATABASE IF EXISTS po_mgmt_reference;
CREATE DATABASE po_mgmt_reference;
\connect po_mgmt_reference
SET datestyle = 'ISO';
SET timezone = 'UTC';
CREATE EXTENSION po_mgmt;

\set ON_ERROR_ROLLBACK on
BEGIN;
SET LOCAL datestyle = 'ISO';
SET LOCAL timezone = 'UTC';
SET LOCAL po_mgmt.now = '2026-03-10 12:00+00';

SELECT po_month '2026-11' AS month, po_month '2026-11-22' AS of_date, po_month 'Nov 2026' AS by_name,
	po_month '2026-11' + 3 AS later, po_month '2026-11' - po_month '2026-01' AS months,
	po_month_end('2026-02') AS last_day;

SELECT po_month '2026-13';

SELECT po_month_range('2026-01', '2026-03', '[]') AS quarter,
	po_month_range '[2026-01,2026-03]' @> po_month '2026-03' AS within,
	po_month_range '[2026-01,2026-03]' && '[2026-04,)' AS overlaps;

SELECT po_label(line_type) AS aws_name, line_type AS path, po_specificity(line_type), out_of_cycle_only
FROM po_taxonomy WHERE seeded ORDER BY line_type;

SELECT po_line_type 'Usage.Compute' AS folded, po_line_type 'AWS Marketplace Purchase' AS by_name,
	po_ancestors('usage.compute'), po_line_type 'usage' @> 'usage.compute' AS covers;

SELECT po_line_type 'all.usage';

SELECT bill_from, string_agg(line_type::text, ', ' ORDER BY line_type) AS bills
FROM po_seller_line_type WHERE seeded GROUP BY bill_from ORDER BY bill_from COLLATE "C";

INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month) VALUES
	('777788889999', 'PO-2026', 'AWS Inc.', '2026-01', '2026-12'),
	('777788889999', 'PO-Q1', 'Amazon Web Services, Inc.', '2026-01', '2026-03');
INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month,
	balance_tracked, amount, quantity, tax, tax_kind) VALUES
	('777788889999', 'PO-2026', '1', 'ALL', '2026-01', '2026-12', false, 0, 1, 0, 'absolute'),
	('777788889999', 'PO-2026', '2', 'AWS Subscription Purchase', '2026-01', '2026-12', true, 2000, 1, 8.1, 'percent'),
	('777788889999', 'PO-2026', '3', 'AWS Monthly Usage', '2026-01', '2026-12', true, 1000, 12, 0, 'absolute'),
	('777788889999', 'PO-Q1', '1', 'AWS Monthly Usage', '2026-01', '2026-03', true, 1500, 1, 0, 'absolute');
SELECT po_number, line_number, line_type, start_month, end_month, total_value, balance
FROM po_line_item WHERE account_id = '777788889999' ORDER BY 1, 2;

UPDATE po_order SET description = 'from the CFO', ship_to = 'Berlin'
WHERE account_id = '777788889999' AND po_number = 'PO-Q1';
SELECT po_number, line_number, operation, old, new, changed_by = current_user AS me
FROM po_change_log WHERE account_id = '777788889999' ORDER BY change_id DESC LIMIT 1;

INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount) VALUES
	('777788889999', 'AWS Inc.', 'INV-1', 'usage', '2026-02', 1200),
	('777788889999', 'AWS Inc.', 'INV-2', 'usage', '2026-02', 900),
	('777788889999', 'AWS Inc.', 'INV-3', 'subscription', '2026-03', 2500),
	('777788889999', 'AWS EMEA SARL', 'INV-4', 'usage', '2026-02', 50)
RETURNING invoice_id, amount, currency, issued_on, po_number, line_number, association_kind;

INSERT INTO po_invoice (account_id, bill_from, invoice_id, original_invoice_id, line_type, billing_month, amount)
VALUES ('777788889999', 'AWS Inc.', 'CM-1', 'INV-1', 'usage', '2026-03', -200)
RETURNING kind, po_number, line_number, association_kind;

SELECT po_number, line_number, invoice_id, entry_kind, amount, balance_after
FROM po_ledger WHERE account_id = '777788889999' ORDER BY entry_id;

INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount, po_number)
VALUES ('777788889999', 'AWS Inc.', 'INV-5', 'usage', '2026-05', 10, 'PO-Q1')
RETURNING po_number, line_number, association_kind;

INSERT INTO po_account (account_id, alert_thresholds) VALUES ('222233334444', '{0.75, 0.5, 0}');
INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month)
VALUES ('222233334444', 'PO-7', 'AWS Inc.', '2026-01', '2026-12');
INSERT INTO po_contact (account_id, po_number, email, name)
VALUES ('222233334444', 'PO-7', 'ap@example.com', 'Accounts payable');
INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month,
	balance_tracked, amount)
VALUES ('222233334444', 'PO-7', '1', 'AWS Monthly Usage', '2026-01', '2026-12', true, 1000);
INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount) VALUES
	('222233334444', 'AWS Inc.', 'INV-71', 'usage', '2026-01', 250),
	('222233334444', 'AWS Inc.', 'INV-72', 'usage', '2026-02', 260.40);
SELECT kind, line_number, threshold, recipients, subject FROM po_notification
WHERE account_id = '222233334444' ORDER BY notification_id;

SELECT regexp_split_to_table(body, E'\n') AS body FROM po_notification
WHERE account_id = '222233334444' AND threshold = 0.5;

SELECT account_id FROM po_account WHERE account_id = '777788889999' FOR NO KEY UPDATE;

UPDATE po_line_item SET description = 'first quarter'
WHERE account_id = '777788889999' AND po_number = 'PO-Q1' AND line_number = '1';

SELECT rank, po_number, line_number, line_type, specificity, covers, balance
FROM po_match_invoice('777788889999', 'AWS Inc.', 'AWS Monthly Usage', '2026-03', 800);

SELECT i.invoice_id, m.rank, m.po_number, m.line_number, m.covers, m.balance
FROM po_invoice i, po_match_invoice(i, max_rank => 1) m
WHERE i.account_id = '777788889999' AND i.kind = 'invoice' ORDER BY i.invoice_id;

SELECT * FROM po_match_invoice('777788889999', NULL, 'usage', '2026-03', 800);

SELECT po_number || '/' || line_number AS item, rank, outcome, stage, reason
FROM po_explain_match('777788889999', 'AWS Inc.', 'usage', '2026-03', 800)
\g (format=unaligned)

SELECT e.po_number || '/' || e.line_number AS item, e.rank, e.outcome, e.stage, e.reason
FROM po_invoice i, po_explain_match(i) e WHERE i.account_id = '777788889999' AND i.invoice_id = 'CM-1'
\g (format=unaligned)

SELECT po_suspend('777788889999', 'PO-Q1'), po_activate('777788889999', 'PO-Q1'),
	po_extend('777788889999', 'PO-Q1', '2026-06', line_items => true);

SELECT o.po_number, o.effective_month, o.expiration_month, po_status(o), i.line_number, i.end_month
FROM po_order o JOIN po_line_item i USING (account_id, po_number)
WHERE o.account_id = '777788889999' ORDER BY 1, 5;

SELECT po_extend('777788889999', 'PO-Q1', '2026-01');

SELECT po_suspend('777788889999', NULL);

SELECT po_number, effective_month, expiration_month, po_status(o)
FROM po_copy_order('777788889999', 'PO-Q1', 'PO-Q3', '2026-07', '2026-12') o;

SELECT po_number, line_number, start_month, end_month, total_value, balance
FROM po_line_item WHERE account_id = '777788889999' AND po_number IN ('PO-Q1', 'PO-Q3') ORDER BY 1;

DELETE FROM po_order WHERE account_id = '777788889999' AND po_number = 'PO-Q3';

INSERT INTO po_account (account_id) VALUES ('777788880001'), ('777788880002');
INSERT INTO po_account_member (member_account_id, account_id) VALUES ('linked', '777788880001');
INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount)
VALUES ('linked', 'AWS Inc.', 'L-1', 'usage', '2026-04', 5) RETURNING account_id, member_account_id;

SELECT po_move_member('linked', '777788880002');

INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount)
VALUES ('linked', 'AWS Inc.', 'L-2', 'usage', '2026-05', 5) RETURNING account_id, member_account_id;

SELECT po_marketplace_purchase('777788880007', 'MP-7', 'AWS Inc.', 'agmt-1', '2026-04', '2026-06', 300) AS contract,
	po_marketplace_purchase('777788880007', 'MP-7', 'AWS Inc.', 'agmt-2', '2026-04', '2026-04') AS flexible,
	po_marketplace_payment('777788880007', 'MP-7', 'agmt-2', '2026-04', 50) AS first_payment,
	po_marketplace_payment('777788880007', 'MP-7', 'agmt-2', '2026-09', 80) AS second_payment;

SELECT line_number, line_type, start_month, end_month, amount, agreement_id
FROM po_line_item WHERE account_id = '777788880007' AND po_number = 'MP-7' ORDER BY line_item_id;

INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount, agreement_id,
	requested_po_number, requested_line_number) VALUES
	('777788880007', 'AWS Inc.', 'MP-INV-1', 'marketplace.transaction', '2026-04', 100, 'agmt-1', 'MP-7', NULL),
	('777788880007', 'AWS Inc.', 'MP-INV-2', 'marketplace.transaction', '2026-04', 50, 'agmt-2', 'MP-7', '3')
RETURNING invoice_id, po_number, line_number;

SELECT po_marketplace_change_order('777788880007', 'agmt-1', 'MP-8');

INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount, agreement_id, requested_po_number)
VALUES ('777788880007', 'AWS Inc.', 'MP-INV-3', 'marketplace.transaction', '2026-05', 100, 'agmt-1', 'MP-7')
RETURNING invoice_id, requested_po_number, po_number, line_number;

INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount, agreement_id, requested_po_number)
VALUES ('777788880007', 'AWS Inc.', 'MP-INV-4', 'marketplace.transaction', '2026-04', 70, 'agmt-3', 'PROC-0815')
RETURNING invoice_id, po_number, line_number;

SELECT po_number, source, effective_month, expiration_month FROM po_order
WHERE account_id = '777788880007' AND source = 'marketplace' ORDER BY po_number;

SELECT po_marketplace_purchase('777788880007', 'MP-7', 'AWS EMEA SARL', 'agmt-4', '2026-04', '2026-06');

SET LOCAL po_mgmt.now = '2026-04-02 12:00+00';
SELECT invoice_id, po_number, line_number, association_kind, associated_at
FROM po_assign_invoice('777788889999', 'AWS Inc.', 'INV-1', 'PO-2026', '3', reason => 'asked for by Ms. Roe');

SELECT invoice_id, po_number, line_number, association_kind, associated_at
FROM po_assign_invoice('777788889999', 'AWS Inc.', 'INV-1', 'PO-2026', '3');

SELECT po_number, line_number, invoice_id, entry_kind, amount, balance_after, note
FROM po_ledger WHERE account_id = '777788889999' AND recorded_at >= '2026-04-02' ORDER BY entry_id;

SELECT po_number, association_kind FROM po_rematch_invoice('777788889999', 'AWS Inc.', 'INV-1');

SELECT po_number, association_kind FROM po_rematch_invoice('777788889999', 'AWS Inc.', 'INV-1', force => true);

SELECT invoice_id, po_number, association_kind FROM po_invoice
WHERE account_id = '777788889999' AND 'INV-1' IN (invoice_id, original_invoice_id) ORDER BY invoice_id;

SELECT invoice_id, po_number, association_kind, voided_at IS NOT NULL AS void
FROM po_release_invoice('777788889999', 'AWS Inc.', 'INV-5', reason => 'order is in doubt');

SELECT invoice_id, po_number, association_kind, voided_at IS NOT NULL AS void
FROM po_void_invoice('777788889999', 'AWS Inc.', 'INV-3', reason => 'cancelled by AWS');

SELECT po_assign_invoice('777788889999', 'AWS Inc.', 'INV-3', 'PO-2026');

UPDATE po_account SET closed_through = '2026-02' WHERE account_id = '777788889999';
SELECT po_release_invoice('777788889999', 'AWS Inc.', 'INV-1');

UPDATE po_account SET closed_through = NULL WHERE account_id = '777788889999';
SELECT po_void_invoice('777788889999', 'AWS Inc.', 'INV-6');

INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month)
VALUES ('777788889999', 'PO-EU', 'AWS EMEA SARL', '2026-01', '2026-12');
INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, amount)
VALUES ('777788889999', 'PO-EU', '1', 'usage', '2026-01', '2026-12', 0);
SELECT po_rematch_unassociated('777788889999'), po_rematch_unassociated('777788889999') AS again;

SELECT invoice_id, po_number, line_number, association_kind, voided_at IS NOT NULL AS void
FROM po_invoice WHERE account_id = '777788889999' ORDER BY invoice_id;

SELECT po_number || '/' || line_number AS item, rank, outcome, stage, reason
FROM po_explain_invoice('777788889999', 'AWS Inc.', 'INV-2')
\g (format=unaligned)

SELECT po_number || '/' || line_number AS item, rank, outcome, stage, reason
FROM po_explain_invoice('777788889999', 'AWS Inc.', 'INV-3')
WHERE outcome = 'selected' OR line_number IS NULL
\g (format=unaligned)

SELECT line_number, po_balance_at(account_id, po_number, line_number, '2026-03-01 00:00+00') AS before,
	po_balance_at(account_id, po_number, line_number, '2026-03-31 00:00+00') AS in_march,
	po_balance_at(account_id, po_number, line_number, '2026-04-30 00:00+00') AS in_april, balance
FROM po_line_item WHERE account_id = '777788889999' AND po_number = 'PO-2026' ORDER BY line_number;

SELECT count(*) FROM po_check_integrity() WHERE account_id = '777788889999';

SELECT po_archive('0001-02');

SET LOCAL session_replication_role = replica; -- no triggers
UPDATE po_line_item SET balance = 1 WHERE account_id = '777788889999' AND po_number = 'PO-Q1';
SET LOCAL session_replication_role = origin;
SELECT violation, expected, found FROM po_check_integrity() WHERE account_id = '777788889999';

SELECT po_repair('777788889999'), po_repair('777788889999') AS again;

SELECT count(*) FROM po_check_integrity() WHERE account_id = '777788889999';

CREATE TYPE charge_kind AS ENUM ('RI', 'metered');
CREATE TABLE bill (
	id uuid PRIMARY KEY, customer text, charge charge_kind, billed_on date, total numeric, po text, line text);
SELECT po_attach('bill', '{"account_id": "customer", "bill_from": {"value": "AWS Inc."}, "invoice_id": "id",
	"line_type": {"column": "charge", "map": {"RI": "subscription", "metered": "usage"}},
	"billing_month": "billed_on", "amount": "total", "po_number": "po", "line_number": "line"}');

INSERT INTO bill VALUES ('6ad14a9c-42a8-4c1c-8f6c-6d2a1f3d0c11', '777788889999', 'metered', '2026-11-03', 12)
RETURNING customer, total, po, line;

SELECT line_type, billing_month, amount, po_number, line_number FROM po_invoice
WHERE invoice_id = '6ad14a9c-42a8-4c1c-8f6c-6d2a1f3d0c11';

UPDATE bill SET total = 10;
DELETE FROM bill;
SELECT invoices FROM po_attachment;

SELECT po_detach('bill');

SELECT po_enable_row_security('app.account_id') > 0 AS enabled;

SELECT po_enable_row_security(NULL) > 0 AS disabled;

SELECT po_scan_expirations('2026-10-30') AS oct_30, po_scan_expirations('2026-10-31') AS oct_31,
	po_scan_expirations('2026-10-31') AS again, po_scan_expirations('2026-12-25') AS dec_25;

SELECT due_on, subject FROM po_notification
WHERE account_id = '222233334444' AND kind = 'expiration' ORDER BY due_on;

SELECT po_schedule();

UPDATE po_line_item SET agreement_id = 'AG-7' WHERE account_id = '777788889999' AND po_number = 'PO-Q1';
SELECT invoice_id, po_number, line_number, would_po_number AS would_po, would_line_number AS would_line, moves, reason
FROM po_backtest('777788889999', '2026-02', '2026-02')
\g (format=unaligned)

SELECT line_type, billing_month, po_number, line_number, item_type, covers, balance
FROM po_coverage('777788889999', '2026-12', '2027-01') WHERE bill_from = 'AWS Inc.';

SELECT substring(po_report('777788889999') FROM '<title>.*?</title>') AS title,
	po_report('777788889999') ~ '<td[^>]*>AWS EMEA SARL</td>' AS has_its_seller;

CREATE TABLE charges ("BillingAccountId" text, "BillingPeriodStart" timestamptz, "ChargeCategory" text,
	"BilledCost" numeric, "BillingCurrency" text, "InvoiceIssuerName" text, "InvoiceId" text);
INSERT INTO charges VALUES
	('777788889999', '2026-03-01T00:00:00Z', 'Usage', 12.345678, 'USD', 'Amazon Web Services, Inc.', 'E-17'),
	('777788889999', '2026-03-01T00:00:00Z', 'Usage', 0.000001, 'USD', 'Amazon Web Services, Inc.', 'E-17'),
	('777788889999', '2026-03-01T00:00:00Z', 'Credit', -2, 'USD', 'Amazon Web Services, Inc.', 'E-17'),
	('777788889999', '2026-04-01T00:00:00Z', 'Usage', 3, 'USD', 'Amazon Web Services, Inc.', NULL);
SELECT bill_from, invoice_id, kind, line_type, billing_month, issued_on, amount, original_invoice_id
FROM po_invoices_from_focus('charges');

INSERT INTO po_invoice SELECT * FROM po_invoices_from_focus('charges')
RETURNING invoice_id, amount, po_number, line_number, association_kind;

UPDATE po_account SET time_zone = 'Pacific/Kiritimati' WHERE account_id = '777788889999';
SELECT po_now(), po_today('777788889999'), po_today('nobody');

SELECT po_number, bill_from, currency, value, balance, effective_month, expiration_month, status, in_effect, line_items,
	tracked_value, invoices
FROM po_dashboard WHERE account_id = '777788889999' ORDER BY po_number;

SELECT po_number, line_number, line_type, total_value, balance, overdrawn, round(share_left, 2) AS share_left, invoices,
	invoiced, in_effect
FROM po_line_item_status WHERE account_id = '777788889999' ORDER BY po_number, line_number;

SELECT issued_on, kind, invoice_id, line_number, amount, due_on
FROM po_order_invoice WHERE account_id = '777788889999' AND po_number = 'PO-Q1' ORDER BY issued_on, invoice_id;

INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount)
VALUES ('777788889999', 'AWS EMEA SARL', 'INV-9', 'subscription', '2026-03', 75);
SELECT invoice_id, billing_month, amount, currency, reason
FROM po_unassociated_invoice WHERE account_id = '777788889999' ORDER BY issued_on, invoice_id
\g (format=unaligned)

SELECT currency, po_number, billing_month, amount, invoices
FROM po_monthly_spend WHERE account_id = '777788889999' ORDER BY currency, billing_month, po_number;

SELECT po_number, line_number, balance, round(monthly_spend, 2) AS monthly_spend, billed_through, runs_out_month,
	end_month, runs_out_early
FROM po_forecast WHERE account_id = '777788889999' ORDER BY po_number, line_number;

SELECT "InvoiceId", "BilledCost", "ChargeCategory", "BillingPeriodStart", "PurchaseOrderNumber", "ReferenceInvoiceId"
FROM po_focus_invoice_detail WHERE "InvoiceId" ~ '^E-17' ORDER BY "InvoiceId";

CREATE FUNCTION suspend_overdrawn() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM po_suspend(new.account_id, new.po_number);
	RETURN NULL;
END $$;
CREATE TRIGGER overdrawn AFTER UPDATE ON po_line_item
	FOR EACH ROW WHEN (new.balance < 0 AND old.balance >= 0) EXECUTE FUNCTION suspend_overdrawn();
INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount)
VALUES ('777788889999', 'AWS Inc.', 'INV-7', 'subscription', '2026-04', 3000);
SELECT po_number, po_status(o) FROM po_order o WHERE account_id = '777788889999' ORDER BY po_number;

DROP TRIGGER overdrawn ON po_line_item;
CREATE TRIGGER "~z" BEFORE UPDATE ON po_order FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger();
UPDATE po_order SET status = 'active' WHERE account_id = '777788889999' AND po_number = 'PO-2026';

DROP TRIGGER "~z" ON po_order;
WITH booked AS (
	INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount)
	VALUES ('777788889999', 'AWS Inc.', 'INV-8', 'usage', '2026-03', 1) RETURNING account_id, line_item_id)
UPDATE po_line_item i SET amount = amount + 1 FROM booked b
WHERE i.account_id = b.account_id AND i.line_item_id = b.line_item_id;

UPDATE po_account SET max_line_items = 4 WHERE account_id = '777788889999';
INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, amount)
SELECT '777788889999', 'PO-2026', 'x' || n, 'all', '2026-01', '2026-12', 1 FROM generate_series(1, 2) n;

INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, amount)
VALUES ('777788889999', 'PO-2026', '4', 'usage', '2026-11', '2027-01', 1);

UPDATE po_line_item SET balance = 0 WHERE account_id = '777788889999';

ROLLBACK;

\connect template1
DROP DATABASE po_mgmt_reference;
