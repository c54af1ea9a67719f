-- The examples of doc/recipes.md. Written by test/t/060_docs.pl --write; edit them there.
SET client_min_messages = warning;
DROP DATABASE IF EXISTS po_mgmt_recipes;
CREATE DATABASE po_mgmt_recipes;
\connect po_mgmt_recipes
SET datestyle = 'ISO';
SET timezone = 'UTC';
CREATE EXTENSION po_mgmt;

SET po_mgmt.now = '2026-05-25 12:00+00';

BEGIN;
\copy po_order (account_id, po_number, bill_from, effective_month, expiration_month, currency, description) FROM 'doc/csv/orders.csv' WITH (FORMAT csv, HEADER match)
\copy po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, balance_tracked, amount, quantity, tax, tax_kind) FROM 'doc/csv/line_items.csv' WITH (FORMAT csv, HEADER match)
\copy po_contact (account_id, po_number, email, name, title, phone) FROM 'doc/csv/contacts.csv' WITH (FORMAT csv, HEADER match)
COMMIT;
SELECT po_number, bill_from, currency, value, balance, status, line_items FROM po_dashboard
WHERE account_id = '123456789012' ORDER BY po_number;

SELECT po_number, line_number, line_type, po_label(line_type), total_value FROM po_line_item
WHERE account_id = '123456789012' ORDER BY po_number, line_number;

\copy po_contact (account_id, po_number, email) FROM PROGRAM 'echo "123456789012,PO-2026,jane.roe"' WITH (FORMAT csv)

\copy po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, issued_on, amount, currency) FROM 'doc/csv/invoices.csv' WITH (FORMAT csv, HEADER match)
SELECT invoice_id, line_type, billing_month, amount, currency, po_number, line_number FROM po_invoice
WHERE account_id = '123456789012' ORDER BY invoice_id;

CREATE TEMP TABLE incoming (LIKE po_invoice);
ALTER TABLE incoming ALTER kind DROP NOT NULL, ALTER recorded_at DROP NOT NULL;
\copy incoming (account_id, bill_from, invoice_id, line_type, billing_month, issued_on, amount, currency) FROM 'doc/csv/invoices.csv' WITH (FORMAT csv, HEADER match)
INSERT INTO po_invoice SELECT * FROM incoming ORDER BY account_id, issued_on ON CONFLICT DO NOTHING;
SELECT count(*) FROM po_invoice WHERE account_id = '123456789012';

\copy (SELECT account_id, po_number, bill_from, effective_month, expiration_month, currency, description FROM po_order WHERE account_id = '123456789012' ORDER BY po_number DESC) TO STDOUT WITH (FORMAT csv, HEADER)

\copy (SELECT account_id, po_number, line_number, po_label(line_type) AS line_type, start_month, end_month, balance_tracked, amount, quantity, tax, tax_kind FROM po_line_item WHERE account_id = '123456789012' ORDER BY po_number DESC, line_number) TO STDOUT WITH (FORMAT csv, HEADER)

\copy (SELECT account_id, po_number, email, name, title, phone FROM po_contact WHERE account_id = '123456789012' ORDER BY po_number DESC, email) TO STDOUT WITH (FORMAT csv, HEADER)

\copy (SELECT * FROM po_monthly_spend WHERE account_id = '123456789012' ORDER BY currency, billing_month, po_number) TO STDOUT WITH (FORMAT csv, HEADER)

BEGIN;
INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month)
VALUES ('123456789012', 'PO-EXTRA', 'AWS Inc.', '2026-05', '2026-12');
INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, balance_tracked, amount)
VALUES ('123456789012', 'PO-EXTRA', '1', 'usage', '2026-05', '2026-12', true, 800);
SELECT rank, po_number, line_number, covers, balance
FROM po_match_invoice('123456789012', 'AWS Inc.', 'usage', '2026-05', 900);

SELECT rank, po_number, line_number, covers, balance
FROM po_match_invoice('123456789012', 'AWS Inc.', 'usage', '2026-05', 700);

ROLLBACK;
SELECT rank, po_number, line_number, covers, balance
FROM po_match_invoice('123456789012', 'AWS Inc.', 'usage', '2026-05', 700);

BEGIN;
UPDATE po_line_item SET end_month = '2026-03'
WHERE account_id = '123456789012' AND po_number = 'PO-2026' AND line_number = '3';
SELECT invoice_id, amount, currency, po_number, line_number, would_po_number, would_line_number, reason
FROM po_backtest('123456789012') WHERE moves
\gx (format=unaligned)

ROLLBACK;
SELECT count(*) FILTER (WHERE moves) AS moves, count(*) AS invoices FROM po_backtest('123456789012');

SELECT bill_from, line_type, min(billing_month) AS first_gap, count(*) AS months
FROM po_coverage('123456789012', '2026-06', '2026-12') WHERE po_number IS NULL
GROUP BY bill_from, line_type ORDER BY bill_from, line_type;

SELECT po_number, line_number, balance, round(monthly_spend, 2) AS monthly_spend, runs_out_month, end_month, runs_out_early
FROM po_forecast WHERE account_id = '123456789012' ORDER BY po_number, line_number;

SELECT po_report('123456789012') \g (format=unaligned tuples_only=on) report.html

\connect template1
DROP DATABASE po_mgmt_recipes;
