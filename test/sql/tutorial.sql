-- The examples of doc/tutorial.md. Written by test/t/060_docs.pl --write; edit them there.
SET client_min_messages = warning;
DROP DATABASE IF EXISTS po_mgmt_tutorial;
CREATE DATABASE po_mgmt_tutorial;
\connect po_mgmt_tutorial
SET datestyle = 'ISO';
SET timezone = 'UTC';
CREATE EXTENSION po_mgmt;

SET po_mgmt.now = '2026-11-10 12:00+00';

INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month, description)
VALUES ('123456789012', '4500012345', 'AWS Inc.', '2026-01', '2026-12', 'Cloud 2026');

INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, balance_tracked, amount)
VALUES ('123456789012', '4500012345', '1', 'AWS Monthly Usage', '2026-01', '2026-12', true, 60000),
       ('123456789012', '4500012345', '2', 'AWS Subscription Purchase', '2026-01', '2026-12', true, 12000),
       ('123456789012', '4500012345', '3', 'ALL', '2026-01', '2026-12', false, 0);

SELECT rank, po_number, line_number, line_type, covers, balance
FROM po_match_invoice('123456789012', 'AWS Inc.', 'AWS Monthly Usage', '2026-10', 4830.17);

INSERT INTO po_contact (account_id, po_number, email, name)
VALUES ('123456789012', '4500012345', 'ap@example.com', 'Accounts payable');
UPDATE po_account SET alert_thresholds = '{0.75, 0.25}' WHERE account_id = '123456789012';

INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, issued_on, amount)
VALUES ('123456789012', 'Amazon Web Services, Inc.', '2026-1001', 'AWS Monthly Usage', '2026-10', '2026-11-02', 4830.17),
       ('123456789012', 'Amazon Web Services, Inc.', '2026-1002', 'AWS Subscription Purchase', '2026-10', '2026-10-14', 9400.00),
       ('123456789012', 'Amazon Web Services, Inc.', '2026-1003', 'AWS Marketplace Blanket Usage', '2026-10', '2026-11-02', 210.00),
       ('123456789012', 'Amazon Web Services EMEA SARL', '2026-1004', 'AWS Monthly Usage', '2026-10', '2026-11-03', 655.20)
RETURNING invoice_id, bill_from, amount, po_number, line_number;

SELECT line_number, po_label(line_type), total_value, balance, invoices
FROM po_line_item_status WHERE account_id = '123456789012' ORDER BY line_number;

SELECT recipients, subject FROM po_notification WHERE account_id = '123456789012';

SELECT invoice_id, amount, reason FROM po_unassociated_invoice WHERE account_id = '123456789012';

INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month, description)
VALUES ('123456789012', '4500012399', 'AWS EMEA SARL', '2026-10', '2027-03', 'Cloud, Europe');
INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, balance_tracked, amount)
VALUES ('123456789012', '4500012399', '1', 'ALL', '2026-10', '2027-03', true, 3000);
SELECT po_rematch_unassociated('123456789012');

SELECT line_number, outcome, stage, reason
FROM po_explain_invoice('123456789012', 'AWS Inc.', '2026-1003')
WHERE po_number = '4500012345' ORDER BY line_number;

INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, issued_on, amount, original_invoice_id)
VALUES ('123456789012', 'AWS Inc.', '2026-1005', 'usage', '2026-10', '2026-11-08', -330.17, '2026-1001')
RETURNING kind, po_number, line_number, association_kind;

SELECT po_number, line_number, association_kind FROM
	po_assign_invoice('123456789012', 'AWS Inc.', '2026-1003', '4500012345', '2', 'decided by J. Roe, ticket 4711');

SELECT line_number, entry_kind, invoice_id, amount, balance_after, note
FROM po_ledger WHERE account_id = '123456789012' AND po_number = '4500012345' ORDER BY entry_id;

UPDATE po_account SET closed_through = '2026-10' WHERE account_id = '123456789012';
SELECT po_release_invoice('123456789012', 'AWS Inc.', '2026-1001', 'a mistake');

SELECT * FROM po_check_integrity();

SELECT po_number, bill_from, currency, value, balance, expiration_month, status
FROM po_dashboard WHERE account_id = '123456789012' ORDER BY po_number;

SELECT billing_month, po_number, amount, invoices
FROM po_monthly_spend WHERE account_id = '123456789012' ORDER BY po_number;

SELECT po_number, line_number, balance, monthly_spend, runs_out_month, end_month, runs_out_early
FROM po_forecast WHERE account_id = '123456789012' ORDER BY po_number, line_number;

SELECT length(po_report('123456789012')) > 10000 AS "a page";

\connect template1
DROP DATABASE po_mgmt_tutorial;
