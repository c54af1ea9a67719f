-- demo.sql: a guided tour of po_mgmt, read by doc/demo/run.sh (make demo)
--
-- By hand: in a database of its own that has the extension, as superuser, from this directory:
--     psql -X -q -d DATABASE <demo.sql
-- What is printed is the same on every run: the clock is set (po_mgmt.now), as a superuser may.

\set ON_ERROR_STOP on
\set ECHO none
\encoding UTF8
\pset pager off
\pset footer off
\pset linestyle old-ascii
\pset null ''
SET timezone = 'UTC';
SET datestyle = 'ISO';
SET client_min_messages = warning;

-- long sentences, folded for a page: nothing of po_mgmt
CREATE FUNCTION fold(sentence text, width integer DEFAULT 62) RETURNS text
LANGUAGE sql IMMUTABLE STRICT AS $$
    SELECT rtrim(regexp_replace(sentence, '(.{1,' || width || '})(?: +|$)', E'\\1\n', 'g'), E'\n')
$$;

-- each invoice with what was left on its line item after it
CREATE VIEW booked AS
SELECT i.*, l.balance_after
FROM po_invoice i
LEFT JOIN po_ledger l ON l.account_id = i.account_id AND l.line_item_id = i.line_item_id
    AND l.bill_from = i.bill_from AND l.invoice_id = i.invoice_id AND l.entry_kind = 'association';

\echo
\echo 'po_mgmt: which purchase order does this invoice belong to, and why?'
\echo '==================================================================='
\echo
\echo 'A purchase order has line items: what each pays for, in which months, and how much. When an'
\echo 'invoice is inserted, it is booked on the one line item that fits it best, and the balance of'
\echo 'that line item goes down.'
\echo
\echo '  1. Five ways to set up purchase orders (those of the AWS guide)'
\echo '  2. Real invoices, from a public sample of cloud charges'
\echo '  3. What happens when something is wrong'
\echo '  4. Do the books balance?'
\echo '  5. The same as a page'
\echo
\echo
\echo '1. Five ways to set up purchase orders'
\echo '======================================'
\echo
\echo '1.1 One order a month, a quarter, a half-year, or a year'
\echo '--------------------------------------------------------'
\echo
\echo 'Four accounts have 12, 4, 2 and 1 orders for 2024. Each order has one line item, which pays for'
\echo 'charges of all types and is worth 1000.00 for each of its months. The same three invoices come'
\echo 'to each account; on the right is the order that each is booked on.'
\echo

SET po_mgmt.now = '2023-12-15 09:00';

INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month)
SELECT p.account_id, 'PO-' || p.name, 'AWS Inc.', p.first, p.first + p.months - 1
FROM (
    SELECT 'monthly' AS account_id, 1 AS months, '2024-' || to_char(n, 'FM00') AS name,
        '2024-01'::po_month + (n - 1) AS first FROM generate_series(1, 12) n
    UNION ALL
    SELECT 'quarterly', 3, '2024-Q' || n, '2024-01'::po_month + 3 * (n - 1) FROM generate_series(1, 4) n
    UNION ALL
    SELECT 'half-yearly', 6, '2024-H' || n, '2024-01'::po_month + 6 * (n - 1) FROM generate_series(1, 2) n
    UNION ALL
    SELECT 'yearly', 12, '2024', '2024-01'
) p;

INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month,
    balance_tracked, amount, quantity)
SELECT account_id, po_number, '1', 'all', effective_month, expiration_month,
    true, 1000.00, expiration_month - effective_month + 1
FROM po_order;

SET po_mgmt.now = '2024-12-31 09:00';

INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, issued_on, amount)
SELECT a.account_id, 'Amazon Web Services, Inc.', v.*
FROM po_account a, (VALUES
    ('INV-101', 'usage'::po_line_type, '2024-02'::po_month, '2024-03-03'::date, 850.00),
    ('INV-102', 'subscription', '2024-05', '2024-05-17', 400.00),
    ('INV-103', 'usage', '2024-11', '2024-12-03', 910.00)) v
ORDER BY a.account_id, v.column1;

SELECT invoice_id AS "invoice", billing_month AS "billed", issued_on AS "issued", amount,
    max(po_number) FILTER (WHERE account_id = 'monthly') AS "one a month",
    max(po_number) FILTER (WHERE account_id = 'quarterly') AS "a quarter",
    max(po_number) FILTER (WHERE account_id = 'half-yearly') AS "a half-year",
    max(po_number) FILTER (WHERE account_id = 'yearly') AS "a year"
FROM booked
GROUP BY invoice_id, billing_month, issued_on, amount
ORDER BY invoice_id;

\echo 'INV-101 was issued in March for February: the month billed decides, not the month of issue.'
\echo
\echo
\echo '1.2 One order for each type of charge'
\echo '-------------------------------------'
\echo
\echo 'Orders and line items are rows of tables. A type of charge is written by the name that AWS'
\echo 'gives it, or by a short path:'
\echo

SET po_mgmt.now = '2023-12-15 09:00';

\set ECHO queries
INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month) VALUES
    ('by type', 'PO-USAGE', 'AWS Inc.', '2024-01', '2024-12'),
    ('by type', 'PO-PLANS', 'AWS Inc.', '2024-01', '2024-12'),
    ('by type', 'PO-MARKET', 'AWS Inc.', '2024-01', '2024-12'),
    ('by type', 'PO-DEALS', 'AWS Inc.', '2024-01', '2024-12'),
    ('by type', 'PO-TRAINING', 'AWS Inc.', '2024-01', '2024-12');
\echo
INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month,
                          balance_tracked, amount) VALUES
    ('by type', 'PO-USAGE', '1', 'AWS Monthly Usage', '2024-01', '2024-12', true, 12000.00),
    ('by type', 'PO-PLANS', '1', 'AWS Subscription Purchase', '2024-01', '2024-12', true, 3000.00),
    ('by type', 'PO-MARKET', '1', 'marketplace', '2024-01', '2024-12', true, 2000.00),
    ('by type', 'PO-DEALS', '1', 'marketplace.transaction', '2024-01', '2024-12', false, 5000.00),
    ('by type', 'PO-TRAINING', '1', 'professional_services', '2024-01', '2024-12', true, 900.00);
\echo
\set ECHO none
\echo 'Invoices for March, the order that each is booked on, and what is left on its line item:'
\echo

SET po_mgmt.now = '2024-12-31 09:00';

INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, issued_on, amount)
VALUES
    ('by type', 'AWS Inc.', 'INV-201', 'usage', '2024-03', '2024-04-03', 870.25),
    ('by type', 'AWS Inc.', 'INV-202', 'subscription', '2024-03', '2024-03-12', 1500.00),
    ('by type', 'AWS Inc.', 'INV-203', 'marketplace', '2024-03', '2024-04-03', 61.40),
    ('by type', 'AWS Inc.', 'INV-204', 'marketplace.transaction', '2024-03', '2024-03-20', 4800.00),
    ('by type', 'AWS Inc.', 'INV-205', 'professional_services', '2024-03', '2024-03-25', 600.00);

\pset null 'not tracked'
SELECT invoice_id AS "invoice", po_label(line_type) AS "is for", amount,
    po_number AS "order", balance_after AS "left"
FROM booked WHERE account_id = 'by type' ORDER BY invoice_id;
\pset null ''

\echo 'The balance of a marketplace transaction is never tracked; of others it may be.'
\echo
\echo
\echo '1.3 One order, one line item a month'
\echo '------------------------------------'
\echo
\echo 'One order for 2024 has line items 1 to 12 of 1000.00 each. February costs more than that. Its'
\echo 'invoice is booked all the same, and the balance says by how much the line item is overdrawn.'
\echo

SET po_mgmt.now = '2023-12-15 09:00';

INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month)
VALUES ('line a month', 'PO-2024', 'AWS Inc.', '2024-01', '2024-12');
INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month,
    balance_tracked, amount)
SELECT 'line a month', 'PO-2024', n::text, 'all', month, month, true, 1000.00
FROM generate_series(1, 12) n, LATERAL (SELECT '2024-01'::po_month + (n - 1) AS month) m;

SET po_mgmt.now = '2024-12-31 09:00';

INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, issued_on, amount)
VALUES
    ('line a month', 'AWS Inc.', 'INV-301', 'usage', '2024-01', '2024-02-03', 940.00),
    ('line a month', 'AWS Inc.', 'INV-302', 'usage', '2024-02', '2024-03-03', 1180.50),
    ('line a month', 'AWS Inc.', 'INV-303', 'subscription', '2024-12', '2024-12-05', 250.00);

SELECT invoice_id AS "invoice", po_label(line_type) AS "is for", billing_month AS "billed", amount,
    po_number AS "order", line_number AS "line", balance_after AS "left"
FROM booked WHERE account_id = 'line a month' ORDER BY invoice_id;

\echo
\echo '1.4 One order, one line item for each type'
\echo '------------------------------------------'
\echo
\echo 'Line item 1 pays for usage, 2 for subscriptions, and 3 for ALL. The most specific one that fits'
\echo 'is taken, so 3 gets what is neither. INV-404 is a credit memo: the balance goes up again.'
\echo

SET po_mgmt.now = '2023-12-15 09:00';

INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month)
VALUES ('line a type', 'PO-2024', 'AWS Inc.', '2024-01', '2024-12');
INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month,
    balance_tracked, amount)
VALUES
    ('line a type', 'PO-2024', '1', 'usage', '2024-01', '2024-12', true, 12000.00),
    ('line a type', 'PO-2024', '2', 'subscription', '2024-01', '2024-12', true, 3000.00),
    ('line a type', 'PO-2024', '3', 'all', '2024-01', '2024-12', true, 1000.00);

SET po_mgmt.now = '2024-12-31 09:00';

INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, issued_on, amount)
VALUES
    ('line a type', 'AWS Inc.', 'INV-401', 'usage', '2024-06', '2024-07-03', 1010.10),
    ('line a type', 'AWS Inc.', 'INV-402', 'subscription', '2024-06', '2024-06-28', 750.00),
    ('line a type', 'AWS Inc.', 'INV-403', 'marketplace', '2024-06', '2024-07-03', 99.00),
    ('line a type', 'AWS Inc.', 'INV-404', 'usage', '2024-06', '2024-07-20', -10.10);

SELECT invoice_id AS "invoice", po_label(line_type) AS "is for", billing_month AS "billed", amount,
    po_number AS "order", line_number AS "line", balance_after AS "left"
FROM booked WHERE account_id = 'line a type' ORDER BY invoice_id;

\echo
\echo '1.5 One order, one line item for each month and type'
\echo '----------------------------------------------------'
\echo
\echo 'One order for 2024 has 24 line items. A line number is any text; here it says what is paid for.'
\echo

SET po_mgmt.now = '2023-12-15 09:00';

INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month)
VALUES ('line a month and type', 'PO-2024', 'AWS Inc.', '2024-01', '2024-12');
INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month,
    balance_tracked, amount)
SELECT 'line a month and type', 'PO-2024', month || ' ' || t.line_type, t.line_type, month, month, true, t.amount
FROM generate_series(0, 11) n, LATERAL (SELECT '2024-01'::po_month + n AS month) m,
    (VALUES ('usage'::po_line_type, 1000.00), ('subscription', 250.00)) t (line_type, amount);

SET po_mgmt.now = '2024-12-31 09:00';

INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, issued_on, amount)
VALUES
    ('line a month and type', 'AWS Inc.', 'INV-501', 'usage', '2024-01', '2024-02-03', 975.00),
    ('line a month and type', 'AWS Inc.', 'INV-502', 'usage', '2024-02', '2024-03-03', 989.90),
    ('line a month and type', 'AWS Inc.', 'INV-503', 'subscription', '2024-02', '2024-02-11', 250.00);

SELECT invoice_id AS "invoice", po_label(line_type) AS "is for", billing_month AS "billed", amount,
    po_number AS "order", line_number AS "line", balance_after AS "left"
FROM booked WHERE account_id = 'line a month and type' ORDER BY invoice_id;

\echo
\echo '2. Real invoices'
\echo '================'
\echo
\echo '2.1 The charges'
\echo '---------------'
\echo
\echo 'focus_sample.csv has 1000 charges in the FOCUS format. Three AWS companies bill one account, and'
\echo 'Microsoft and Oracle one each. That makes one invoice for each issuer, account, billing period'
\echo 'and charge category: a credit becomes a credit memo, an adjustment corrects usage. The sample has'
\echo 'the legal names of the AWS companies, which stand for their short ones.'
\echo '(Sample of the FinOps Open Cost and Usage Specification project, CC BY 4.0.)'
\echo

\i focus_load.sql

\set ECHO queries
SELECT bill_from AS seller, invoice_id AS invoice, kind, line_type AS "is for",
       billing_month AS billed, issued_on AS issued, amount
FROM po_invoices_from_focus('focus_sample');
\set ECHO none

\echo 'All are in USD. Amounts are exact: nothing is rounded.'
\echo
\echo
\echo '2.2 The purchase orders'
\echo '-----------------------'
\echo
\echo 'The AWS companies are known. Two sellers are added,'
\echo

SET po_mgmt.now = '2023-12-15 09:00';

\set ECHO queries
INSERT INTO po_seller (bill_from) VALUES ('Microsoft'), ('Oracle');
\set ECHO none

INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month, currency)
VALUES
    ('1234567890123', 'AWS-2023', 'AWS Inc.', '2023-01', '2023-12', 'USD'),
    ('1234567890123', 'AWS-2024', 'AWS Inc.', '2024-01', '2024-12', 'USD'),
    ('1234567890123', 'AWS-OPEN', 'AWS Inc.', '2024-01', '2024-12', 'USD'),
    ('1234567890123', 'AWS-PILOT', 'AWS Inc.', '2024-01', '2024-12', 'USD'),
    ('1234567890123', 'AWS-Q3', 'AWS Inc.', '2024-07', '2024-09', 'USD'),
    ('1234567890123', 'AWS-Q4', 'AWS Inc.', '2024-10', '2024-12', 'USD'),
    ('1234567890123', 'CANADA-2024', 'AWS Canada', '2024-01', '2024-12', 'USD'),
    ('1234567890123', 'EMEA-2024', 'AWS EMEA SARL', '2024-01', '2024-12', 'USD'),
    ('1234567890123', 'EMEA-2024-EUR', 'AWS EMEA SARL', '2024-01', '2024-12', 'EUR'),
    ('20209880', 'ORACLE-2024', 'Oracle', '2024-01', '2024-12', 'USD'),
    ('/providers/Microsoft.Billing/billingAccounts/8611537', 'AZURE-2024', 'Microsoft',
     '2024-01', '2024-12', 'USD');

INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month,
    balance_tracked, amount, quantity, tax, tax_kind)
VALUES
    ('1234567890123', 'AWS-2023', '1', 'usage', '2023-01', '2023-12', true, 25.00, 1, 0, 'absolute'),
    ('1234567890123', 'AWS-2024', '1', 'usage', '2024-01', '2024-09', true, 25.00, 1, 0, 'absolute'),
    ('1234567890123', 'AWS-2024', '2', 'usage', '2024-10', '2024-12', true, 25.00, 1, 0, 'absolute'),
    ('1234567890123', 'AWS-2024', '3', 'subscription', '2024-01', '2024-12', true, 10.00, 1, 0, 'absolute'),
    ('1234567890123', 'AWS-2024', '4', 'all', '2024-01', '2024-12', true, 5.00, 1, 0, 'absolute'),
    ('1234567890123', 'AWS-OPEN', '1', 'usage', '2024-01', '2024-12', false, 100.00, 1, 0, 'absolute'),
    ('1234567890123', 'AWS-PILOT', '1', 'usage', '2024-01', '2024-12', true, 25.00, 1, 0, 'absolute'),
    ('1234567890123', 'AWS-Q3', '1', 'usage', '2024-07', '2024-09', true, 15.00, 1, 0, 'absolute'),
    ('1234567890123', 'AWS-Q4', '1', 'usage', '2024-10', '2024-12', true, 25.00, 1, 0, 'absolute'),
    ('1234567890123', 'CANADA-2024', '1', 'all', '2024-01', '2024-12', true, 0.10, 12, 0, 'absolute'),
    ('1234567890123', 'EMEA-2024', '1', 'usage', '2024-01', '2024-12', true, 1.00, 1, 0, 'absolute'),
    ('1234567890123', 'EMEA-2024-EUR', '1', 'usage', '2024-01', '2024-12', true, 1.00, 1, 0, 'absolute'),
    ('20209880', 'ORACLE-2024', '1', 'usage', '2024-01', '2024-09', true, 0.25, 1, 0, 'absolute'),
    ('20209880', 'ORACLE-2024', '2', 'usage', '2024-10', '2024-12', true, 0.50, 1, 0, 'absolute'),
    ('/providers/Microsoft.Billing/billingAccounts/8611537', 'AZURE-2024', '1', 'usage',
     '2024-01', '2024-12', true, 0.50, 12, 5, 'percent');

-- of two orders that fit as well the one changed last goes first
SET po_mgmt.now = '2024-01-08 10:30';
UPDATE po_order SET description = 'whatever comes' WHERE (account_id, po_number) = ('1234567890123', 'AWS-OPEN');
SET po_mgmt.now = '2024-02-01 09:00';
UPDATE po_order SET description = 'the year''s budget' WHERE (account_id, po_number) = ('1234567890123', 'AWS-2024');
SET po_mgmt.now = '2024-03-12 14:00';
SELECT po_suspend('1234567890123', 'AWS-PILOT') \gset

SET po_mgmt.now = '2024-11-05 09:00';

\echo
\echo 'and purchase orders. This is how they stand on 5 November 2024:'
\echo

SELECT o.bill_from AS "seller", l.po_number AS "order", po_status(o) AS "status", l.line_number AS "line",
    l.line_type AS "pays for", l.start_month AS "from", l.end_month AS "to", o.currency AS "cur",
    round(l.total_value, 2) AS "value", CASE WHEN l.balance_tracked THEN 'yes' ELSE 'no' END AS "tracked"
FROM po_order o JOIN po_line_item l USING (account_id, po_number)
WHERE account_id IN (SELECT account_id FROM focus_invoice)
ORDER BY account_id, po_number, line_number;

\echo
\echo '2.3 Where would the largest invoice go, and why?'
\echo '------------------------------------------------'
\echo
\echo 'Four line items could pay for the usage that AWS Inc. bills for September. po_explain_match says'
\echo 'which is selected, and of every other one of the account why not. It books nothing. (fold is'
\echo 'this tour''s own: it breaks long lines.)'
\echo

\set ECHO queries
SELECT po_number AS "order", line_number AS line, outcome, stage, fold(reason) AS reason
FROM po_explain_match('1234567890123', 'Amazon Web Services, Inc.', 'usage', '2024-09',
                      20.36742125690, issued_on => '2024-10-03')
ORDER BY rank, po_number, line_number;
\set ECHO none

\echo 'AWS-Q3 has expired by now, and could pay all the same: it was in effect in September.'
\echo
\echo
\echo '2.4 Booking'
\echo '-----------'
\echo
\echo 'A plain INSERT, which returns what each invoice was booked on:'
\echo

\set ECHO queries
INSERT INTO po_invoice SELECT * FROM po_invoices_from_focus('focus_sample')
RETURNING bill_from AS seller, invoice_id AS invoice, amount, currency AS cur,
          po_number AS "order", line_number AS line, association_kind AS how;
\set ECHO none

\echo 'The credit memo names the invoice that it is for (original_invoice_id), and goes where that'
\echo 'went. The invoice of AWS EMEA SARL is in USD: it went to EMEA-2024, not to the order in EUR.'
\echo
\echo
\echo '2.5 The orders afterwards'
\echo '-------------------------'
\echo

\pset null 'not tracked'
SELECT o.bill_from AS "seller", l.po_number AS "order", l.line_number AS "line", o.currency AS "cur",
    round(l.total_value, 2) AS "value", count(i.invoice_id) AS "invoices", coalesce(sum(i.amount), 0) AS "booked", l.balance,
    CASE WHEN l.balance < 0 THEN 'overdrawn' ELSE '' END AS "note"
FROM po_order o
JOIN po_line_item l USING (account_id, po_number)
LEFT JOIN po_invoice i USING (account_id, line_item_id)
WHERE account_id IN (SELECT account_id FROM focus_invoice)
GROUP BY account_id, o.bill_from, o.currency, l.line_item_id, l.po_number, l.line_number,
    l.total_value, l.balance
ORDER BY account_id, l.po_number, l.line_number;
\pset null ''

\echo
\echo '2.6 How one balance came about: the ledger of AWS-2024, line item 1'
\echo '-------------------------------------------------------------------'
\echo

\set ECHO queries
SELECT recorded_at::date AS recorded, entry_kind AS entry, invoice_id AS invoice, amount, balance_after
FROM po_ledger
WHERE (account_id, po_number, line_number) = ('1234567890123', 'AWS-2024', '1')
ORDER BY entry_id;
\set ECHO none

\echo
\echo '3. What happens when something is wrong'
\echo '======================================='
\echo
\echo 'An account may have 100 active orders. Account "small" was given a limit of 3, and has 3:'
\echo

INSERT INTO po_account (account_id, max_active_orders) VALUES ('small', 3);
INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month)
SELECT 'small', 'PO-' || n, 'AWS Inc.', '2024-01', '2024-12' FROM generate_series(1, 3) n;

\set ON_ERROR_STOP off
\set ECHO queries
INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month)
VALUES ('small', 'PO-4', 'AWS Inc.', '2024-01', '2024-12');
\set ECHO none
\echo
\echo 'An order is extended to a month that does not exist:'
\echo
\set ECHO queries
SELECT po_extend('yearly', 'PO-2024', '2026-13');
\set ECHO none
\echo
\echo 'The same invoice a second time is not booked twice:'
\echo
\set ECHO queries
INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount)
VALUES ('yearly', 'AWS Inc.', 'INV-101', 'usage', '2024-02', 850.00);
\set ECHO none
\set ON_ERROR_STOP on
\echo
\echo 'An invoice that no order pays for is no error. It is kept without one, and has a reason:'
\echo
\pset null '(none)'
\set ECHO queries
INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month,
                        issued_on, amount)
VALUES ('yearly', 'AWS Inc.', 'INV-104', 'usage', '2025-01', '2025-02-03', 870.00)
RETURNING invoice_id AS invoice, billing_month AS billed, amount,
          po_number AS "order", line_number AS line;

SELECT e.po_number AS "order", e.line_number AS line, e.outcome, e.stage, fold(e.reason) AS reason
FROM po_invoice i, po_explain_match(i) e
WHERE (i.account_id, i.invoice_id) = ('yearly', 'INV-104');
\set ECHO none

\echo
\echo '4. Do the books balance?'
\echo '========================'
\echo
\echo 'po_check_integrity() compares every tracked balance with the invoices booked on it and with its'
\echo 'ledger, and has a row for whatever is wrong. No row, all is well:'
\echo

\pset footer on
\set ECHO queries
SELECT * FROM po_check_integrity();
\set ECHO none

\echo
\echo '5. The same as a page'
\echo '====================='
\echo
\echo 'po_report() gives a page of HTML for an account: orders, what is left, spend by month, invoices'
\echo 'without an order, and who pays in the months to come. It is complete in itself. This is how psql'
\echo 'writes it to a file, for the account of section 2:'
\echo
\echo 'SELECT po_report(\'1234567890123\') \\g (format=unaligned tuples_only=on) report.html'
\echo
SELECT po_report('1234567890123') \g (format=unaligned tuples_only=on) report.html

\echo 'That was the tour. README.md says how to use po_mgmt in a database of your own; make demo KEEP=1'
\echo 'leaves this one up, to look around: po_order, po_line_item, po_invoice, po_ledger.'
