-- The invoices that are written: psql -v naccounts=... -v n100=... -v n2=... -v ncopy=...
SET search_path = peer, po;
CREATE FUNCTION invoices(n int, an_account int, naccounts int)
RETURNS TABLE(id int, account_id text, invoice_id text, bill_from text, line_type text, billing_month int, amount numeric,
  currency char(3), issued_on date) LANGUAGE sql AS $$
 SELECT i, 'acc-'||lpad(a::text, 9, '0'), 'W-'||lpad(i::text, 9, '0'), 'S'||(1+h(a, 3, 4)),
  (ARRAY['usage','usage','usage','subscription','subscription','marketplace','marketplace.transaction','marketplace.transaction','professional_services'])[1+h(i, 31, 9)],
  24300+h(i, 32, 12), (10+h(i, 33, 2000))::numeric(14,2), 'USD'::char(3), date '2025-06-01'+h(i, 34, 28)
 FROM generate_series(1, n) i, LATERAL (SELECT 1 + (i-1)/an_account * (naccounts / (n / an_account))) x(a) $$;

CREATE TABLE write_src AS
 SELECT x.*, line_type::po.po_line_type AS po_line_type, month(billing_month) AS po_month, currency::text COLLATE "C" AS po_currency
 FROM (SELECT 'w100' AS kind, * FROM invoices(:n100, 100, :naccounts)
  UNION ALL SELECT 'w2', * FROM invoices(:n2, 2, :naccounts)
  UNION ALL SELECT 'hot', i, 'hot-1', 'W-'||lpad(i::text, 9, '0'), 'S1', 'usage', 24300, (10+h(i, 33, 2000))::numeric(14,2), 'USD', date '2025-06-01'
   FROM generate_series(1, 20000) i) x
 ORDER BY kind, id;
ALTER TABLE write_src ADD PRIMARY KEY (kind, id);
CREATE SEQUENCE invoice_seq CACHE 1000;
VACUUM (FREEZE, ANALYZE) write_src;

-- a table of bills that is there already, for po_attach; its rows are those of po_invoice
CREATE TABLE bill (account_id text, seller text, number text, charge text, month po.po_month, amount numeric, currency text,
 issued_on date, po_number text, line_number text, PRIMARY KEY (account_id, seller, number));
SELECT po.po_attach('bill', '{"account_id": "account_id", "bill_from": "seller", "invoice_id": "number", "line_type": "charge",
 "billing_month": "month", "amount": "amount", "currency": "currency", "issued_on": "issued_on",
 "po_number": "po_number", "line_number": "line_number"}');
