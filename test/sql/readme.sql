--
-- What README.md shows: its SQL here, its output in expected/readme.out. At the end the two are
-- compared (without empty lines and space at ends of lines). Run from the top of the tree.
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS po_mgmt;
RESET client_min_messages;
BEGIN;

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

ROLLBACK;

\set readme `awk '/^## /{s = /First query/} substr($0, 1, 3) == "\140\140\140" {f = !f; next} s && f && NF {sub(/ +$/, ""); print}' README.md`
\set output `awk 'NF {sub(/ +$/, ""); print}' expected/readme.out`
SELECT length(:'readme') > 1000 AND strpos(:'output', :'readme') > 0 AS "README.md is true";
