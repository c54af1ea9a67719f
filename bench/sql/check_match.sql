-- Do all sides give the same line item? One row for each invoice for which they do not.
SET search_path = peer, po;
SELECT i.kind, i.id, i.account_id, m.po_number, m.line_number, s.po_number, s.line_number, s7.po_number, s7.line_number, p.o_po, p.o_line
FROM (SELECT * FROM match_src WHERE kind IN ('typical', 'repeated') AND id <= 30000
      OR kind NOT IN ('typical', 'repeated') AND id <= 40 OFFSET 0) i
 LEFT JOIN LATERAL po.po_match_invoice(i.account_id, i.bill_from, i.po_line_type, i.po_month, i.amount, i.po_currency, max_rank => 1) m ON true
 LEFT JOIN LATERAL s(i.account_id, i.bill_from, i.line_type, i.billing_month, i.amount, i.currency) s ON true
 LEFT JOIN LATERAL s7(i.account_id, i.bill_from, i.line_type, i.billing_month, i.amount, i.currency) s7 ON true
 LEFT JOIN LATERAL p(i.account_id, i.bill_from, i.line_type, i.billing_month, i.amount, i.currency) p ON true
WHERE (m.po_number, m.line_number) IS DISTINCT FROM (s.po_number, s.line_number::text)
 OR (m.po_number, m.line_number) IS DISTINCT FROM (s7.po_number, s7.line_number::text)
 OR (m.po_number, m.line_number) IS DISTINCT FROM (p.o_po, p.o_line::text);
