-- The data, the same at every run: psql -v naccounts=... -v ninv=...
SET search_path = peer;
CREATE FUNCTION h(i bigint, salt bigint, n int) RETURNS int LANGUAGE sql IMMUTABLE PARALLEL SAFE
AS $$ SELECT ((hashint8extended(i, salt) & 2147483647) % n)::int $$;

INSERT INTO po_seller SELECT 'S'||i, 'Seller '||i FROM generate_series(1, 4) i;
INSERT INTO po_account SELECT 'acc-'||lpad(i::text, 9, '0'), 'Account '||i FROM generate_series(1, :naccounts) i;

-- typical accounts: 1 to 6 orders of 1 to 12 lines, an account's orders scattered over the heap
CREATE TEMP TABLE g AS
 SELECT a, o, a*10+o AS k, 'acc-'||lpad(a::text, 9, '0') AS account_id, 'PO-'||lpad(h(a*10+o, 1, 1000000)::text, 6, '0')||'-'||o AS po_number,
   'S'||CASE WHEN h(a*10+o, 2, 100) < 85 THEN 1+h(a, 3, 4) ELSE 1+h(a*10+o, 4, 4) END AS bill_from,
   CASE WHEN h(a*10+o, 5, 100) < 90 THEN 'active' ELSE 'suspended' END AS status,
   24290+h(a*10+o, 6, 20) AS eff, (ARRAY[11,23,35])[1+h(a*10+o, 7, 3)] AS len,
   CASE WHEN h(a*10+o, 8, 100) < 95 THEN 'USD' ELSE 'EUR' END AS cur,
   timestamptz '2025-01-01 00:00:00+00' + h(a*10+o, 9, 20000000) * interval '1s' AS upd
 FROM generate_series(1, :naccounts) a, LATERAL generate_series(1, 1+h(a, 10, 6)) o;
INSERT INTO po_order SELECT account_id, po_number, bill_from, status, eff, eff+len, cur, upd FROM g ORDER BY hashint8(k);
INSERT INTO po_line_item
 SELECT account_id, po_number, l,
   (ARRAY['all','all','all','usage','usage','usage','usage','usage','usage','subscription','subscription','subscription','subscription',
     'marketplace','marketplace','marketplace','marketplace.transaction','marketplace.transaction','professional_services','professional_services'])[1+h(k*100+l, 11, 20)],
   CASE WHEN h(k*100+l, 12, 100) < 70 THEN eff ELSE eff+h(k*100+l, 13, 6) END,
   CASE WHEN h(k*100+l, 12, 100) < 70 THEN eff+len ELSE eff+h(k*100+l, 13, 6)+5 END,
   h(k*100+l, 14, 2) = 0, v, v
 FROM g, LATERAL generate_series(1, 1+h(k, 15, 12)) l, LATERAL (SELECT (1000+h(k*100+l, 16, 100000))::numeric(14,2) v) x ORDER BY hashint8(k), l;
DROP TABLE g;

-- the largest accounts that the limits allow, 100 x 100: all line items fit, or 1 in 2000; h: with 120 expired orders more
INSERT INTO po_account SELECT s||i, s FROM (VALUES ('max-all-'), ('max-few-'), ('max-allh-'), ('max-fewh-')) v(s), generate_series(1, 4) i;
INSERT INTO po_order SELECT account_id, 'PO-'||lpad(o::text, 6, '0'), 'S1', 'active',
   CASE WHEN o > 100 THEN 24000+o ELSE 24290 END, CASE WHEN o > 100 THEN 24011+o ELSE 24330 END, 'USD',
   timestamptz '2025-01-01 00:00:00+00' + h(o, 20, 1000) * interval '1h'
 FROM po_account, LATERAL generate_series(1, CASE WHEN account_id LIKE 'max-___h-%' THEN 220 ELSE 100 END) o
 WHERE account_id LIKE 'max-%' ORDER BY account_id, o;
INSERT INTO po_line_item SELECT account_id, po_number, l,
   CASE WHEN account_id LIKE 'max-all%' THEN (ARRAY['all','usage'])[1+h(l, 21, 2)]
        ELSE CASE WHEN h(hashtext(po_number)::bigint*100+l, 22, 2000) = 0 THEN 'usage'
                  ELSE (ARRAY['subscription','marketplace','professional_services','marketplace.transaction'])[1+h(l, 23, 4)] END END,
   effective_month, expiration_month, l%2 = 0, 1000000, 1000000
 FROM po_order, generate_series(1, 100) l WHERE account_id LIKE 'max-%' ORDER BY account_id, po_number, l;

-- accounts with 10, 100, 1000, 10000 line items that all fit
INSERT INTO po_account SELECT 'cand-'||n||'-'||i, 'cand' FROM (VALUES (10), (100), (1000), (10000)) v(n), generate_series(1, 4) i;
INSERT INTO po_order SELECT account_id, 'PO-'||lpad(o::text, 6, '0'), 'S1', 'active', 24290, 24330, 'USD',
   timestamptz '2025-01-01 00:00:00+00' + h(o, 20, 1000) * interval '1h'
 FROM po_account, LATERAL (SELECT split_part(account_id, '-', 2)::int n) x, LATERAL generate_series(1, greatest(1, sqrt(n)::int)) o
 WHERE account_id LIKE 'cand-%' ORDER BY 1, 2;
INSERT INTO po_line_item SELECT account_id, po_number, l, 'usage', 24290, 24330, l%2 = 0, 1000000, 1000000
 FROM (SELECT *, split_part(account_id, '-', 2)::int n FROM po_order WHERE account_id LIKE 'cand-%') o,
   LATERAL generate_series(1, n/greatest(1, sqrt(n)::int)) l ORDER BY 1, 2, 3;

-- an account with one line item, which all invoices of a statement go to
INSERT INTO po_account VALUES ('hot-1', 'hot');
INSERT INTO po_order VALUES ('hot-1', 'PO-1', 'S1', 'active', 24290, 24330, 'USD', timestamptz '2025-01-01 00:00:00+00');
INSERT INTO po_line_item VALUES ('hot-1', 'PO-1', 1, 'usage', 24290, 24330, true, 1000000000, 1000000000);

-- invoices of random typical accounts
CREATE TABLE inv_src AS
 SELECT ('acc-'||lpad((1+h(i, 30, :naccounts))::text, 9, '0')) COLLATE "C" AS account_id, ('INV-'||lpad(i::text, 9, '0')) COLLATE "C" AS invoice_id,
   ('S'||(1+h(1+h(i, 30, :naccounts), 3, 4))) COLLATE "C" AS bill_from,
   (ARRAY['usage','usage','usage','subscription','subscription','marketplace','marketplace.transaction','marketplace.transaction','professional_services'])[1+h(i, 31, 9)]::text COLLATE "C" AS line_type,
   24300+h(i, 32, 12) AS billing_month, (10+h(i, 33, 2000))::numeric(14,2) AS amount, 'USD'::char(3) COLLATE "C" AS currency,
   date '2025-06-01'+h(i, 34, 28) AS issued_on, i AS id
 FROM generate_series(1, :ninv) i;
ALTER TABLE inv_src ADD PRIMARY KEY (id);
