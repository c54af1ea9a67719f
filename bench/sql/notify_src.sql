-- Accounts whose balances are told of: psql -v notified=... (accounts of each kind). Each has one order
-- and gets 100 invoices. With a single line item of 1,000, invoices of 10: nobody has no contact,
-- hundredth crosses one threshold, each crosses another one with every invoice. With 100 line
-- items, each of which one invoice takes below 75%: nobody-items, each-items.
SET search_path = peer;
CREATE TABLE notify_src AS
 SELECT kind, row_number() OVER (PARTITION BY kind ORDER BY a, i) AS id, 'N-' || kind || '-' || lpad(a::text, 6, '0') AS account_id,
  'N-' || i AS invoice_id, i AS line, kind LIKE '%-items' AS by_item
 FROM unnest(ARRAY['nobody', 'hundredth', 'each', 'nobody-items', 'each-items']) kind, generate_series(1, :notified) a, generate_series(1, 100) i
 ORDER BY kind, id;
ALTER TABLE notify_src ADD PRIMARY KEY (kind, id);
INSERT INTO po.po_account (account_id, alert_thresholds)
 SELECT DISTINCT account_id, CASE kind WHEN 'hundredth' THEN '{0.5}' WHEN 'each' THEN (SELECT array_agg(g / 200.0) FROM generate_series(1, 199, 2) g)
  ELSE '{0.75}' END::numeric[] FROM notify_src;
INSERT INTO po.po_order (account_id, po_number, bill_from, effective_month, expiration_month)
 SELECT DISTINCT account_id, 'P', 'AWS Inc.', '2025-01'::po.po_month, '2025-12'::po.po_month FROM notify_src;
INSERT INTO po.po_contact (account_id, po_number, email) SELECT DISTINCT account_id, 'P', 'ap@example.com' FROM notify_src WHERE kind NOT LIKE 'nobody%';
INSERT INTO po.po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, balance_tracked, amount)
 SELECT DISTINCT account_id, 'P', CASE WHEN by_item THEN line ELSE 1 END, 'usage'::po.po_line_type, '2025-01'::po.po_month, '2025-12'::po.po_month, true, 1000 FROM notify_src;
VACUUM (FREEZE, ANALYZE);
