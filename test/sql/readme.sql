-- The examples of README.md. Written by test/t/060_docs.pl --write; edit them there.
SET client_min_messages = warning;
DROP DATABASE IF EXISTS po_mgmt_readme;
CREATE DATABASE po_mgmt_readme;
\connect po_mgmt_readme
SET datestyle = 'ISO';
SET timezone = 'UTC';
CREATE EXTENSION po_mgmt;

INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month)
VALUES ('111122223333', '4500012345', 'AWS Inc.', '2026-01', '2026-12');

INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month,
                          balance_tracked, amount)
VALUES ('111122223333', '4500012345', '1', 'AWS Monthly Usage', '2026-01', '2026-12', true, 12000.00),
       ('111122223333', '4500012345', '2', 'ALL', '2026-01', '2026-12', true, 5000.00);

INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, issued_on, amount)
VALUES ('111122223333', 'Amazon Web Services, Inc.', 'INV-1', 'usage', '2026-01', '2026-02-03', 950.40)
RETURNING po_number, line_number;

SELECT line_number, po_label(line_type), total_value, balance FROM po_line_item
WHERE account_id = '111122223333' ORDER BY line_number;

SELECT e.stage, e.reason
FROM po_invoice i, po_explain_match(i) e
WHERE i.account_id = '111122223333' AND i.invoice_id = 'INV-1' AND e.line_number = '2';

\connect template1
DROP DATABASE po_mgmt_readme;
