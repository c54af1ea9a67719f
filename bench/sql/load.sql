-- The peers' data in the extension's tables, as history: rows as they are, in the same physical order.
SET search_path = peer, po;

-- month 24288 is 2024-01
CREATE FUNCTION month(m int) RETURNS po.po_month LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT po.po_month(date '2024-01-01') OPERATOR(po.+) (m - 24288) $$;

INSERT INTO po.po_seller (bill_from, description) SELECT code, name FROM peer.po_seller;
INSERT INTO po.po_account (account_id, created_at, booked_at)
 SELECT account_id, timestamptz '2024-01-01 00:00:00+00', timestamptz '2024-01-01 00:00:00+00' FROM peer.po_account ORDER BY ctid;
INSERT INTO po.po_order (account_id, po_number, bill_from, status, effective_month, expiration_month, currency, created_at, updated_at)
 SELECT account_id, po_number, bill_from, status, month(effective_month), month(expiration_month), currency::text, updated_at, updated_at
 FROM peer.po_order ORDER BY ctid;
-- ids in the order of the peers' last tie-break
INSERT INTO po.po_line_item (line_item_id, account_id, po_number, line_number, line_type, start_month, end_month,
  balance_tracked, amount, balance, created_at, updated_at)
 SELECT row_number() OVER (ORDER BY account_id, po_number, line_number), account_id, po_number, line_number::text,
  line_type::po.po_line_type, month(start_month), month(end_month), tracked, total_value,
  CASE WHEN tracked THEN balance END, timestamptz '2024-01-01 00:00:00+00', timestamptz '2024-01-01 00:00:00+00'
 FROM peer.po_line_item l ORDER BY l.ctid;
SELECT setval('po.po_line_item_id_seq', (SELECT max(line_item_id) FROM po.po_line_item)) \g /dev/null
INSERT INTO po.po_ledger (entry_id, account_id, line_item_id, po_number, line_number, entry_kind, amount, balance_after, recorded_at, recorded_by)
 SELECT nextval('po.po_ledger_entry_id_seq'), account_id, line_item_id, po_number, line_number, 'opening', balance, balance, created_at, 'postgres'
 FROM po.po_line_item WHERE balance_tracked;

-- the invoices of the peers, with the types that the extension takes
CREATE TABLE po_inv_src AS
 SELECT id, account_id, bill_from, invoice_id, line_type::po.po_line_type AS line_type, month(billing_month) AS billing_month,
  amount, currency::text COLLATE "C" AS currency, issued_on
 FROM inv_src ORDER BY id;
ALTER TABLE po_inv_src ADD PRIMARY KEY (id);
