-- What an INSERT of these invoices wrote, to be written again without asking: psql -v kind=...
SET search_path = peer, po;
CREATE TABLE :"kind_account" AS SELECT DISTINCT account_id FROM po.po_invoice WHERE po_number IS NOT NULL ORDER BY 1;
CREATE TABLE :"kind_invoice" AS SELECT * FROM po.po_invoice ORDER BY invoice_id;
CREATE TABLE :"kind_ledger" AS SELECT * FROM po.po_ledger WHERE entry_kind <> 'opening' ORDER BY entry_id;
CREATE TABLE :"kind_balance" AS SELECT account_id, line_item_id, balance FROM po.po_line_item WHERE balance <> total_value;
VACUUM (FREEZE, ANALYZE) :"kind_account", :"kind_invoice", :"kind_ledger", :"kind_balance";
