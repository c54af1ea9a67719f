-- What somebody would write instead: the match. S, S7 in SQL; P, P7 the same in PL/pgSQL.
SET search_path = peer;
-- immutable maps of the tree (inlined as CASE): no table access
CREATE FUNCTION anc(t text) RETURNS text[] LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
 SELECT CASE t WHEN 'all' THEN '{all}'::text[] WHEN 'usage' THEN '{all,usage}' WHEN 'subscription' THEN '{all,subscription}'
  WHEN 'marketplace' THEN '{all,marketplace}' WHEN 'marketplace.transaction' THEN '{all,marketplace,marketplace.transaction}'
  WHEN 'professional_services' THEN '{all,professional_services}' END $$;
CREATE FUNCTION depth(t text) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
 SELECT CASE t WHEN 'all' THEN 1 WHEN 'marketplace.transaction' THEN 3 ELSE 2 END $$;
-- S7: probes type by type (most specific first), covering before not; inside, orders newest first; stops at the newest order that has a hit
CREATE FUNCTION s7(p_acc text, p_seller text, p_type text, p_month int, p_amt numeric, p_cur char(3))
RETURNS TABLE(po_number text, line_number int) LANGUAGE sql STABLE AS $$
 SELECT x.po_number, x.line_number
 FROM (SELECT u.code, c.cov FROM unnest(anc(p_type)) WITH ORDINALITY u(code, d), (VALUES (true),(false)) c(cov) ORDER BY u.d DESC, c.cov DESC) a,
 LATERAL (
   SELECT y.* FROM (
     SELECT l.po_number, l.line_number, l.w, o.updated_at
     FROM (SELECT o.po_number, o.updated_at FROM po_order o WHERE o.account_id = p_acc AND o.status = 'active' AND p_month BETWEEN o.effective_month AND o.expiration_month
           AND o.bill_from = p_seller AND o.currency = p_cur ORDER BY o.updated_at DESC) o,
     LATERAL (SELECT l.po_number, l.line_number, l.end_month - l.start_month AS w FROM po_line_item l
       WHERE l.account_id = p_acc AND l.po_number = o.po_number AND l.line_type = a.code AND p_month BETWEEN l.start_month AND l.end_month
       AND (NOT l.tracked OR l.balance >= p_amt) = a.cov ORDER BY w, l.line_number LIMIT 1) l
     ORDER BY o.updated_at DESC FETCH FIRST 1 ROWS WITH TIES) y
   ORDER BY y.w, y.po_number, y.line_number LIMIT 1) x
 LIMIT 1 $$;
CREATE INDEX po_line_item_type ON po_line_item(account_id, po_number, line_type);
CREATE FUNCTION s(p_acc text, p_seller text, p_type text, p_month int, p_amt numeric, p_cur char(3))
RETURNS TABLE(po_number text, line_number int) LANGUAGE sql STABLE AS $$
 SELECT l.po_number, l.line_number
 FROM po_order o, po_line_item l
 WHERE o.account_id = p_acc AND o.status = 'active' AND p_month BETWEEN o.effective_month AND o.expiration_month
   AND o.bill_from = p_seller AND o.currency = p_cur
   AND l.account_id = p_acc AND l.po_number = o.po_number
   AND (l.line_type = p_type OR l.line_type = 'all' OR (l.line_type = 'marketplace' AND p_type = 'marketplace.transaction')) AND p_month BETWEEN l.start_month AND l.end_month
 ORDER BY depth(l.line_type) DESC, (NOT l.tracked OR l.balance >= p_amt) DESC, o.updated_at DESC,
          l.end_month - l.start_month, l.po_number, l.line_number
 LIMIT 1 $$;
CREATE FUNCTION p(p_acc text, p_seller text, p_type text, p_month int, p_amt numeric, p_cur char(3),
  OUT o_po text, OUT o_line int) LANGUAGE plpgsql STABLE AS $$
BEGIN
 SELECT l.po_number, l.line_number INTO o_po, o_line
 FROM po_order o, po_line_item l
 WHERE o.account_id = p_acc AND o.status = 'active' AND p_month BETWEEN o.effective_month AND o.expiration_month
   AND o.bill_from = p_seller AND o.currency = p_cur
   AND l.account_id = p_acc AND l.po_number = o.po_number
   AND (l.line_type = p_type OR l.line_type = 'all' OR (l.line_type = 'marketplace' AND p_type = 'marketplace.transaction')) AND p_month BETWEEN l.start_month AND l.end_month
 ORDER BY depth(l.line_type) DESC, (NOT l.tracked OR l.balance >= p_amt) DESC, o.updated_at DESC,
          l.end_month - l.start_month, l.po_number, l.line_number
 LIMIT 1;
END $$;
CREATE FUNCTION p7(p_acc text, p_seller text, p_type text, p_month int, p_amt numeric, p_cur char(3),
  OUT o_po text, OUT o_line int) LANGUAGE plpgsql STABLE AS $$
BEGIN
 SELECT po_number, line_number INTO o_po, o_line FROM s7(p_acc,p_seller,p_type,p_month,p_amt,p_cur);
END $$;
