-- growth.sql: what a year of invoices adds: rows, bytes and WAL. The figures of doc/scale.md.
--
--   createdb growth && psql -d growth -v accounts=1000 -f growth.sql
--
-- Each account has an order a year with a tracked line item for usage and one for all, one contact, and three
-- invoices a month, one statement each account and month.

\set ON_ERROR_STOP on
\if :{?accounts}
\else
	\set accounts 1000
\endif
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS po_mgmt;

CREATE TEMPORARY TABLE size_before AS
	SELECT c.oid AS relation, pg_relation_size(c.oid) AS heap, pg_indexes_size(c.oid) AS indexes
	FROM pg_class c JOIN pg_depend d ON d.objid = c.oid AND d.deptype = 'e' AND d.classid = 'pg_class'::regclass
	WHERE c.relkind = 'r';
CREATE TEMPORARY TABLE wal (what text, bytes numeric);
CREATE FUNCTION pg_temp.wal(since pg_lsn) RETURNS numeric LANGUAGE sql AS 'SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), since)';

CHECKPOINT;
SELECT pg_current_wal_insert_lsn() AS start \gset
INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month, description)
	SELECT lpad(a::text, 12, '0'), 'PO-2026', 'AWS Inc.', '2026-01', '2026-12', 'Cloud services 2026'
	FROM generate_series(1, :accounts) a;
INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, balance_tracked, amount)
	SELECT lpad(a::text, 12, '0'), 'PO-2026', v.*
	FROM generate_series(1, :accounts) a, (VALUES ('1', 'usage'::po_line_type, '2026-01'::po_month, '2026-12'::po_month, true, 12000),
		('2', 'all', '2026-01', '2026-12', true, 12000)) v;
INSERT INTO po_contact (account_id, po_number, email)
	SELECT lpad(a::text, 12, '0'), 'PO-2026', 'accounts.payable@example.com' FROM generate_series(1, :accounts) a;
INSERT INTO wal SELECT 'an account with an order, two line items and a contact', pg_temp.wal(:'start') / :accounts;

CHECKPOINT;
SELECT pg_current_wal_insert_lsn() AS start \gset
DO $do$
DECLARE
	m date;
BEGIN
	FOR m IN SELECT generate_series(date '2026-01-01', '2026-12-01', interval '1 month') LOOP
		FOR a IN 1 .. (SELECT count(*) FROM po_account) LOOP
			INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, issued_on, amount)
				SELECT lpad(a::text, 12, '0'), 'AWS Inc.', to_char(m, 'YYYYMM') || a || '-' || t, t, m, m + 33, 123.45
				FROM unnest('{usage,usage.storage,subscription}'::po_line_type[]) t;
		END LOOP;
		COMMIT;
	END LOOP;
END $do$;
INSERT INTO wal SELECT 'an invoice, with three in a statement', pg_temp.wal(:'start') / (:accounts * 36);
VACUUM ANALYZE;

SELECT s.relation::regclass AS "table", c.reltuples::bigint AS rows,
	round((pg_relation_size(c.oid) - s.heap) / nullif(c.reltuples, 0)::numeric) AS heap_bytes_a_row,
	round((pg_indexes_size(c.oid) - s.indexes) / nullif(c.reltuples, 0)::numeric) AS index_bytes_a_row
FROM size_before s JOIN pg_class c ON c.oid = s.relation
WHERE pg_relation_size(c.oid) > s.heap
ORDER BY c.reltuples DESC, 1;

-- the year is closed and archived
UPDATE po_account SET closed_through = '9999-01';
CHECKPOINT;
SELECT pg_current_wal_insert_lsn() AS start \gset
SELECT po_archive('9999-12') AS moved \gset
INSERT INTO wal SELECT 'a row of ledger or change log that is archived', pg_temp.wal(:'start') / :moved;
VACUUM ANALYZE;
SELECT c.relname AS "table", c.reltuples::bigint AS rows, pg_relation_size(c.oid) AS heap_bytes, pg_indexes_size(c.oid) AS index_bytes
FROM pg_class c WHERE c.relname IN ('po_ledger', 'po_ledger_archive', 'po_change_log', 'po_change_log_archive') AND c.relkind = 'r' ORDER BY 1;
SELECT what, round(bytes) AS wal_bytes FROM wal;
