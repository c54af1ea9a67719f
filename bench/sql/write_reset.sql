-- The books as they were loaded.
SET session_replication_role = replica;
TRUNCATE po.po_invoice, peer.po_invoice, peer.po_ledger;
DELETE FROM po.po_ledger WHERE entry_kind <> 'opening';
UPDATE po.po_line_item SET balance = total_value WHERE balance <> total_value;
UPDATE peer.po_line_item SET balance = total_value WHERE tracked AND balance <> total_value;
RESET session_replication_role;
VACUUM (ANALYZE) po.po_account, po.po_line_item, po.po_ledger, peer.po_account, peer.po_line_item;
CHECKPOINT;
