-- router.sql: a function of PL/Proxy for each public function of po_mgmt, in schema po_router
--
--   psql -d DATABASE -v cluster=po -f router.sql      on the router, and again after an upgrade of po_mgmt
--
-- The router has the extensions plproxy and po_mgmt, for its types; its tables there stay empty. Nothing is
-- listed here: functions, tables and views are read from the catalog, so that none is forgotten.
-- With search_path = po_router, and then the schema of po_mgmt, the same calls work as on one server.

\set ON_ERROR_STOP on
\if :{?cluster}
\else
	\set cluster po
\endif
SET client_min_messages = warning;

BEGIN;
DROP SCHEMA IF EXISTS po_router CASCADE;
CREATE SCHEMA po_router;
GRANT USAGE ON SCHEMA po_router TO PUBLIC;
SET LOCAL search_path = pg_catalog; -- so that names come out with their schema

-- where it runs: on the shard of the account, or on all where there is none
CREATE FUNCTION po_router.po_shards(cluster text, account_id text) RETURNS SETOF integer
	LANGUAGE sql STABLE PARALLEL SAFE
BEGIN ATOMIC
	SELECT hashtext(po_shards.account_id) WHERE po_shards.account_id IS NOT NULL
	UNION ALL
	SELECT substr(o.option_name, 2)::integer
	FROM pg_foreign_server s CROSS JOIN LATERAL pg_options_to_table(s.srvoptions) o
	WHERE po_shards.account_id IS NULL AND s.srvname = po_shards.cluster AND o.option_name ~ '^p[0-9]+$';
END;
COMMENT ON FUNCTION po_router.po_shards(text, text) IS 'the shard of an account; all shards for null';

-- What there is to be routed. Left out is what needs no table (immutable, and the clock), what only the server
-- itself calls (types, triggers), and what names a table of the server's own (regclass).
CREATE TEMPORARY TABLE routed ON COMMIT DROP AS
	SELECT p.oid, p.proname AS name, p.proacl AS rights, p.proowner AS owner,
		pg_get_function_identity_arguments(p.oid) AS identity, pg_get_function_arguments(p.oid) AS arguments,
		pg_get_function_result(p.oid) AS result, p.proretset AS is_set, p.proisstrict AS is_strict, p.pronargs AS nargs,
		obj_description(p.oid, 'pg_proc') AS comment,
		format('TARGET %I.%I;', n.nspname, p.proname) AS target, k.account,
		k.account IS NULL OR k.may_be_null AS is_on_many,
		(k.account IS NULL OR k.may_be_null) AND NOT p.proretset AND p.prorettype = 'bigint'::regtype AS is_sum
	FROM pg_extension e
	JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.classid = 'pg_proc'::regclass
	JOIN pg_proc p ON p.oid = d.objid
	JOIN pg_namespace n ON n.oid = p.pronamespace
	LEFT JOIN LATERAL (
		-- the account: an argument of that name, or in a row; one that may be left out is of all accounts then
		SELECT CASE WHEN i.name = 'account_id' THEN '$' || i.place ELSE '($' || i.place || ').account_id' END AS account,
			pg_get_function_arg_default(p.oid, i.place::integer) IS NOT NULL AS may_be_null
		FROM (
			SELECT p.proargnames[a.place] AS name, a.type, row_number() OVER (ORDER BY a.place) AS place
			FROM unnest(coalesce(p.proallargtypes, p.proargtypes::oid[])) WITH ORDINALITY AS a(type, place)
			WHERE coalesce(p.proargmodes[a.place], 'i') IN ('i', 'b', 'v')
		) i
		WHERE i.name = 'account_id' OR EXISTS (
			SELECT FROM pg_type t JOIN pg_attribute c ON c.attrelid = t.typrelid
			WHERE t.oid = i.type AND c.attname = 'account_id')
		ORDER BY i.place LIMIT 1
	) k ON true
	WHERE e.extname = 'po_mgmt' AND d.deptype = 'e' AND p.prokind = 'f' AND p.provolatile <> 'i' AND p.proname <> 'po_now'
	AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype, 'internal'::regtype)
	AND NOT p.proargtypes::oid[] && ARRAY['internal'::regtype, 'cstring'::regtype, 'regclass'::regtype]::oid[];

-- Of a result of one row there is a row for each shard; counts of rows (bigint) are added up.
SELECT pg_catalog.format('CREATE FUNCTION po_router.%I(%s) RETURNS %s LANGUAGE plproxy%s AS %L',
	r.name || CASE WHEN r.is_sum THEN '_by_shard' ELSE '' END, r.arguments,
	CASE WHEN r.is_on_many AND NOT r.is_set THEN 'SETOF ' ELSE '' END || r.result,
	CASE WHEN r.is_strict THEN ' STRICT' ELSE '' END,
	pg_catalog.format('CLUSTER %L; RUN ON %s; %s', :'cluster',
		CASE WHEN r.account IS NULL THEN 'ALL'
			WHEN r.is_on_many THEN pg_catalog.format('po_router.po_shards(%L, %s)', :'cluster', r.account)
			ELSE 'hashtext(coalesce(' || r.account || ', ''''))' END, r.target))
FROM routed r ORDER BY r.name, r.identity \gexec
SELECT pg_catalog.format('CREATE FUNCTION po_router.%I(%s) RETURNS %s LANGUAGE sql%s AS %L', r.name, r.arguments, r.result,
	CASE WHEN r.is_strict THEN ' STRICT' ELSE '' END,
	pg_catalog.format('SELECT pg_catalog.sum(n)::%s FROM po_router.%I(%s) n', r.result, r.name || '_by_shard',
		(SELECT pg_catalog.string_agg('$' || n, ', ') FROM pg_catalog.generate_series(1, r.nargs) n)))
FROM routed r WHERE r.is_sum ORDER BY r.name, r.identity \gexec

-- Tables and views: their rows of an account, and of all accounts.
CREATE TEMPORARY TABLE reader ON COMMIT DROP AS
	SELECT c.relname AS name, c.oid::regclass::text AS relation, c.relacl AS rights, c.relowner AS owner, v.arguments,
		format(v.body, c.oid::regclass) AS body, obj_description(c.oid, 'pg_class') || '; ' || v.whose AS comment
	FROM pg_extension e
	JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.classid = 'pg_class'::regclass
	JOIN pg_class c ON c.oid = d.objid
	JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'account_id'
	CROSS JOIN (VALUES
		('of_account text', 'hashtext(coalesce($1, '''')); SELECT * FROM %s WHERE account_id = $1;', 'of one account'),
		('', 'ALL; SELECT * FROM %s;', 'of all accounts')) v(arguments, body, whose)
	WHERE e.extname = 'po_mgmt' AND d.deptype = 'e' AND c.relkind IN ('r', 'p', 'v');

SELECT pg_catalog.format('CREATE FUNCTION po_router.%I(%s) RETURNS SETOF %s LANGUAGE plproxy AS %L', r.name, r.arguments,
	r.relation, pg_catalog.format('CLUSTER %L; RUN ON %s', :'cluster', r.body))
FROM reader r ORDER BY r.name, r.arguments \gexec

-- Rows go in, are changed and deleted by the functions of shard.sql.
SELECT pg_catalog.format('CREATE FUNCTION po_router.%s RETURNS SETOF jsonb LANGUAGE plproxy AS %L', v.head,
	pg_catalog.format('CLUSTER %L; %s TARGET po_shard.%s;', :'cluster', v.body, v.target))
FROM (VALUES
	('po_insert_by_account(table_name text, account_ids text[], rows jsonb[])',
		'SPLIT account_ids, rows; RUN ON hashtext(account_ids);', 'po_insert'),
	('po_update(table_name text, account_id text, key jsonb, changes jsonb)', 'RUN ON hashtext(coalesce($2, ''''));', 'po_update'),
	('po_delete(table_name text, account_id text, key jsonb)', 'RUN ON hashtext(coalesce($2, ''''));', 'po_delete')
) v(head, body, target) \gexec

CREATE FUNCTION po_router.po_insert(table_name text, rows jsonb) RETURNS SETOF jsonb
	LANGUAGE sql
BEGIN ATOMIC
	SELECT po_router.po_insert_by_account(po_insert.table_name,
		array_agg(coalesce(r.row ->> 'account_id', '') ORDER BY r.place), array_agg(r.row ORDER BY r.place))
	FROM jsonb_array_elements(po_insert.rows) WITH ORDINALITY AS r(row, place);
END;

-- Comments, and who may call: as the functions, tables and views of the extension here. What changes rows is for
-- the owner to grant. The shards judge by their own rights.
CREATE TEMPORARY TABLE made ON COMMIT DROP AS
	SELECT format('FUNCTION po_router.%I(%s)', r.name || v.suffix, r.identity) AS function, r.comment, a.grantee
	FROM routed r
	CROSS JOIN LATERAL (VALUES (''), ('_by_shard')) v(suffix)
	LEFT JOIN LATERAL aclexplode(coalesce(r.rights, acldefault('f', r.owner))) a ON a.privilege_type = 'EXECUTE'
	WHERE v.suffix = '' OR r.is_sum
	UNION ALL
	SELECT format('FUNCTION po_router.%I(%s)', r.name, r.arguments), r.comment, a.grantee
	FROM reader r
	LEFT JOIN LATERAL aclexplode(coalesce(r.rights, acldefault('r', r.owner))) a ON a.privilege_type = 'SELECT'
	UNION ALL
	SELECT 'FUNCTION ' || v.function, v.comment, NULL
	FROM (VALUES
		('po_router.po_insert(text, jsonb)',
			'adds rows to a table, on each shard by one statement; what is there stays; the rows as they are there'),
		('po_router.po_insert_by_account(text, text[], jsonb[])', 'the same, with the account of each row'),
		('po_router.po_update(text, text, jsonb, jsonb)',
			'changes columns of the rows of an account that have the key; the rows as they are then'),
		('po_router.po_delete(text, text, jsonb)', 'deletes the rows of an account that have the key; the rows')
	) v(function, comment);

SELECT DISTINCT pg_catalog.format('COMMENT ON %s IS %L', m.function, m.comment),
	pg_catalog.format('REVOKE EXECUTE ON %s FROM PUBLIC', m.function)
FROM made m \gexec
SELECT pg_catalog.format('GRANT EXECUTE ON %s TO %s', m.function,
	CASE m.grantee WHEN 0 THEN 'PUBLIC' ELSE m.grantee::pg_catalog.regrole::pg_catalog.text END)
FROM made m WHERE m.grantee IS NOT NULL \gexec

COMMIT;
