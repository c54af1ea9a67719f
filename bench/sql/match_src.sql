-- The invoices that are matched, with the types of the peers and of the extension side by side.
SET search_path = peer, po;
CREATE TABLE match_src AS
 SELECT kind, id::int, account_id, bill_from, line_type, billing_month, amount, currency,
  line_type::po.po_line_type AS po_line_type, month(billing_month) AS po_month, currency::text COLLATE "C" AS po_currency
 FROM (
  SELECT 'typical' AS kind, id, account_id, bill_from, line_type, billing_month, amount, currency FROM inv_src
  UNION ALL
  -- 30 invoices of each of 1,000 accounts, account by account
  SELECT 'repeated', row_number() OVER (ORDER BY a, n),
   'acc-'||lpad(a::text, 9, '0'), 'S'||(1+h(a, 3, 4)), line_type, billing_month, amount, currency
  FROM (SELECT 1 + (k * greatest(1, :naccounts / 1000)) % :naccounts AS a FROM generate_series(0, 999) k) x,
   LATERAL (SELECT id AS n, line_type, billing_month, amount, currency FROM inv_src WHERE id BETWEEN a % 100 * 30 + 1 AND a % 100 * 30 + 30) i
  UNION ALL
  SELECT shape, row_number() OVER (PARTITION BY shape ORDER BY n, account_id), account_id, 'S1', 'usage', 24300 + n % 12, (10 + n)::numeric(14,2), 'USD'::char(3)
  FROM (SELECT regexp_replace(account_id, '-[0-9]$', '') AS shape, account_id FROM po_account WHERE account_id ~ '^(max|cand)') s,
   generate_series(1, 250) n
 ) x ORDER BY kind, id;
ALTER TABLE match_src ADD PRIMARY KEY (kind, id);

-- for prepared single calls: 20 invoices a row, so that reading them does not count
SELECT 'CREATE TABLE single_src AS SELECT (id - 1) / 20 + 1 AS id, '||string_agg(format(
  'max(account_id) FILTER (WHERE id %% 20 = %1$s) AS a%1$s, max(bill_from) FILTER (WHERE id %% 20 = %1$s) AS b%1$s,
   max(line_type) FILTER (WHERE id %% 20 = %1$s) AS t%1$s, max(billing_month) FILTER (WHERE id %% 20 = %1$s) AS m%1$s,
   max(po_month::text) FILTER (WHERE id %% 20 = %1$s) AS p%1$s, max(amount) FILTER (WHERE id %% 20 = %1$s) AS v%1$s', n), ',')
  ||' FROM match_src WHERE kind = ''typical'' AND id <= 100000 GROUP BY 1 ORDER BY 1'
 FROM generate_series(0, 19) n \gexec
ALTER TABLE single_src ADD PRIMARY KEY (id);
VACUUM (FREEZE, ANALYZE) match_src, single_src;
