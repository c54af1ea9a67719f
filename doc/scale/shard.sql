-- shard.sql: what a shard has beside the extension, for router.sql's functions
--
--   psql -d DATABASE -f shard.sql        on every shard, after CREATE EXTENSION po_mgmt
--
-- PL/Proxy calls functions only, so that INSERT, UPDATE and DELETE of a row need functions, too. They run with
-- the caller's rights. Each may be repeated when its answer was lost, and changes nothing twice.

\set ON_ERROR_STOP on

SET client_min_messages = warning;

BEGIN;
DROP SCHEMA IF EXISTS po_shard CASCADE;
CREATE SCHEMA po_shard;
GRANT USAGE ON SCHEMA po_shard TO PUBLIC;

-- nothing else in the path: what these run is the extension's
SELECT pg_catalog.format('SET LOCAL search_path = %I, pg_temp', n.nspname)
FROM pg_catalog.pg_extension e
JOIN pg_catalog.pg_namespace n ON n.oid = e.extnamespace
WHERE e.extname = 'po_mgmt' \gexec

-- the rows of a table, in their order; what is there stays as it is, and is returned as it is there
CREATE FUNCTION po_shard.po_insert(table_name text, account_ids text[], rows jsonb[]) RETURNS SETOF jsonb
	LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
DECLARE
	piece record;
	conflict text;
BEGIN
	-- a column that is left out has its default: so rows of the same columns are inserted together
	FOR piece IN
		SELECT array_agg(r.row ORDER BY r.place) AS rows, r.columns,
			(SELECT string_agg(format('%I', c), ', ') FROM unnest(r.columns) c) AS list
		FROM (
			SELECT s.*, s.place - row_number() OVER (PARTITION BY s.columns ORDER BY s.place) AS run
			FROM (
				SELECT u.row, u.place, ARRAY(SELECT k FROM jsonb_object_keys(u.row) k ORDER BY k) AS columns
				FROM unnest(po_insert.rows) WITH ORDINALITY AS u(row, place)
			) s
		) r
		GROUP BY r.columns, r.run
		ORDER BY min(r.place)
	LOOP
		-- the key that the rows give; a line item's is its number, not its id
		SELECT string_agg(format('%I', a.attname), ', ' ORDER BY k.place) || ') DO UPDATE SET account_id = EXCLUDED.account_id'
		INTO conflict
		FROM pg_index i
		CROSS JOIN LATERAL unnest(i.indkey) WITH ORDINALITY AS k(attnum, place)
		JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = k.attnum
		WHERE i.indrelid = to_regclass(format('%I', po_insert.table_name)) AND i.indisunique AND i.indpred IS NULL
		GROUP BY i.indexrelid
		HAVING bool_and(a.attname = ANY (piece.columns))
		LIMIT 1;
		IF conflict IS NULL THEN
			RAISE EXCEPTION 'the rows of "%" have no key', po_insert.table_name
				USING ERRCODE = 'not_null_violation',
					DETAIL = format('Columns given: %s.', array_to_string(piece.columns, ', ')),
					HINT = 'Give account_id and the numbers that tell one row from another: without them a repeated call would add a row again.';
		END IF;
		RETURN QUERY EXECUTE format(
			'INSERT INTO %1$I AS t (%2$s) SELECT %2$s FROM (SELECT p.* FROM unnest($1) WITH ORDINALITY AS u(row, place),'
			' jsonb_populate_record(NULL::%1$I, u.row) p ORDER BY u.place) p'
			' ON CONFLICT (%3$s RETURNING to_jsonb(t)', po_insert.table_name, piece.list, conflict)
		USING piece.rows;
	END LOOP;
END $$;

-- the rows of an account that have this key, changed
CREATE FUNCTION po_shard.po_update(table_name text, account_id text, key jsonb, changes jsonb) RETURNS SETOF jsonb
	LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
BEGIN
	RETURN QUERY EXECUTE format(
		'UPDATE %1$I t SET (%2$s) = (SELECT %2$s FROM jsonb_populate_record(t, $3)) WHERE t.account_id = $1%3$s RETURNING to_jsonb(t)',
		po_update.table_name,
		(SELECT string_agg(format('%I', k), ', ') FROM jsonb_object_keys(po_update.changes) k),
		po_shard.po_key(po_update.table_name, po_update.key))
	USING po_update.account_id, po_update.key, po_update.changes;
END $$;

CREATE FUNCTION po_shard.po_delete(table_name text, account_id text, key jsonb) RETURNS SETOF jsonb
	LANGUAGE plpgsql SET search_path FROM CURRENT
AS $$
BEGIN
	RETURN QUERY EXECUTE format('DELETE FROM %I t WHERE t.account_id = $1%s RETURNING to_jsonb(t)',
		po_delete.table_name, po_shard.po_key(po_delete.table_name, po_delete.key))
	USING po_delete.account_id, po_delete.key;
END $$;

-- a condition for each column of the key
CREATE FUNCTION po_shard.po_key(table_name text, key jsonb) RETURNS text
	LANGUAGE sql STABLE SET search_path FROM CURRENT
AS $$
	SELECT coalesce(string_agg(format(' AND t.%1$I = (jsonb_populate_record(NULL::%2$I, $2)).%1$I', k, table_name), ''), '')
	FROM jsonb_object_keys(key) k
$$;

COMMIT;
