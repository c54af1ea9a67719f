--
-- po_line_type
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS po_mgmt;
RESET client_min_messages;

-- what a query gives: its value, or the SQLSTATE and DETAIL of its error
CREATE FUNCTION pg_temp.try(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
	detail text;
BEGIN
	EXECUTE query INTO result;
	RETURN result;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL;
	RETURN concat_ws(' ', 'error', SQLSTATE, NULLIF(detail, ''));
END $$;

-- does the plan of a query have such a node?
CREATE FUNCTION pg_temp.plan_has(query text, node text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (COSTS OFF) ' || query LOOP
		IF strpos(line, node) > 0 THEN
			RETURN true;
		END IF;
	END LOOP;
	RETURN false;
END $$;

--
-- Text input
--
SELECT to_json(input) AS input, pg_temp.try(format('SELECT %L::po_line_type', input)) AS result
FROM (VALUES
	-- AWS names
	(1, 'ALL'), (2, 'AWS Monthly Usage'), (3, 'AWS Subscription Purchase'), (4, 'AWS Marketplace Blanket Usage'),
	(5, 'AWS Marketplace Purchase'), (6, 'AWS Marketplace Transaction'),
	(7, 'AWS Professional Services and Training Purchase'),
	(8, 'aws monthly usage'), (9, 'AWS MARKETPLACE TRANSACTION'), (10, E' \t\nAws Monthly Usage\r\n'),
	(11, 'AWS  Monthly Usage'), (12, E'AWS\tMonthly Usage'), (13, 'AWSMonthlyUsage'), (14, 'AWS Monthly'),
	(15, 'AWS Monthly Usages'), (16, 'Monthly Usage'), (17, 'AWS Monthly Usage.compute'),
	-- paths
	(20, 'all'), (21, 'All'), (22, 'usage'), (23, 'Usage.COMPUTE'), (24, '  usage.compute  '), (25, 'a'),
	(26, '0.1_2.z9_'), (27, '_'), (28, 'allx'), (29, 'all_'), (30, 'usage.all'), (31, 'al'), (32, 'x.all.y'),
	-- errors
	(40, ''), (41, '  '), (42, '.'), (43, '.usage'), (44, 'usage.'), (45, 'usage..x'), (46, 'all.x'),
	(47, 'ALL.X'), (48, 'all.'), (49, 'all.all'), (50, 'us age'), (51, 'usage .x'), (52, 'usage-x'), (53, 'usage/x'),
	(54, 'usage,x'), (55, 'usage:x'), (56, 'usage''x'), (57, E'usage\\x'), (61, '@'), (62, '['), (63, '`'), (64, '{'),
	-- the limits
	(70, 'a.b.c.d.e.f.g.h'), (71, 'a.b.c.d.e.f.g.h.i'), (72, 'a.b.c.d.e.f.g.h.')
) AS t (n, input) ORDER BY n;
-- beyond ASCII: no letters, no white space
SELECT pg_temp.try(format('SELECT %L::po_line_type', 'us' || chr(228) || 'ge')),
	pg_temp.try(format('SELECT %L::po_line_type', 'usage' || chr(160)));

SELECT length(repeat('x', 255)::po_line_type::text) AS one_label,
	length((repeat('x', 127) || '.' || repeat('y', 127))::po_line_type::text) AS two_labels,
	length((E' \n' || repeat('x', 255) || ' ')::po_line_type::text) AS trimmed,
	pg_temp.try(format('SELECT %L::po_line_type', repeat('x', 256))) AS too_long,
	pg_temp.try(format('SELECT %L::po_line_type', repeat('x', 1000000))) AS far_too_long,
	pg_temp.try(format('SELECT %L::po_line_type', repeat('x.', 100000))) AS deep;

-- messages
SELECT 'AWS Yearly Usage'::po_line_type;
SELECT 'all.usage'::po_line_type;

-- soft errors, where the version has them (EXECUTE: pg_input_is_valid() caches
-- the type where plpgsql gives it as a parameter)
CREATE FUNCTION pg_temp.is_valid(input text, type text) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
	result boolean;
BEGIN
	IF current_setting('server_version_num')::int >= 160000 THEN
		EXECUTE format('SELECT pg_input_is_valid(%L, %L)', input, type) INTO result;
		RETURN result;
	END IF;
	RETURN pg_temp.try(format('SELECT %L::%s', input, type)) NOT LIKE 'error%';
END $$;
SELECT pg_temp.is_valid('ALL', 'po_line_type'), pg_temp.is_valid('all.x', 'po_line_type'),
	pg_temp.is_valid('{usage,all}', 'po_line_type[]'), pg_temp.is_valid('{usage,a b}', 'po_line_type[]');

--
-- The tree
--
SELECT t, po_specificity(t), po_ancestors(t), po_label(t)
FROM unnest('{all,usage,subscription,marketplace,marketplace.transaction,professional_services,
	usage.compute,usage.compute.ec2,allx,marketplace.transactions,a.b.c.d.e.f.g.h}'::po_line_type[]) AS t;
-- the label of what has one is input for the same type
SELECT bool_and(po_label(t)::po_line_type = t) AS same
FROM unnest('{all,usage,subscription,marketplace,marketplace.transaction,professional_services,usage.compute}'::po_line_type[]) AS t;
SELECT pg_typeof(po_ancestors('usage')), po_ancestors('usage')::text[], array_ndims(po_ancestors('usage'));
SELECT repeat('x', 255)::po_line_type = (po_ancestors(repeat('x', 255)::po_line_type))[2] AS itself;

SELECT a, b, a @> b AS covers, b <@ a AS is_covered
FROM (VALUES
	('all'::po_line_type, 'all'::po_line_type), ('all', 'usage'), ('all', 'a.b.c'), ('usage', 'all'),
	('usage', 'usage'), ('usage', 'usage.compute'), ('usage', 'usage.compute.ec2'), ('usage.compute', 'usage'),
	('usage', 'usages'), ('usage', 'usage_x.y'), ('usage', 'usag'), ('usage.compute', 'usage.computers'),
	('usage', 'x.usage'), ('allx', 'all'), ('all', 'allx')
) AS t (a, b);
SELECT NULL::po_line_type @> 'usage' AS covers, po_specificity(NULL), po_label(NULL), po_ancestors(NULL);
-- covers means: is among the ancestors
WITH t AS (SELECT unnest('{all,usage,usage.compute,usage.compute.ec2,usages,allx,marketplace,marketplace.transaction,a,a.b,a.bc,a.b.c}'::po_line_type[]) AS t)
SELECT count(*), bool_and((a.t @> b.t) = (a.t = ANY (po_ancestors(b.t)))) AS agree,
	bool_and((a.t @> b.t AND b.t @> a.t) = (a.t = b.t)) AS antisymmetric
FROM t AS a, t AS b;

--
-- Order: the root first, then bytes
--
SELECT array_agg(t ORDER BY t)
FROM unnest('{usage,allx,all,al,a,0,_,usage.compute,usage_x,usage0,usagex,usage.compute.ec2,all_,all0,a.z,aa}'::po_line_type[]) AS t;
SELECT a, b, a < b AS lt, a <= b AS le, a = b AS eq, a <> b AS ne, a >= b AS ge, a > b AS gt,
	sign(po_line_type_cmp(a, b)) AS cmp
FROM (VALUES
	('usage'::po_line_type, 'usage.x'::po_line_type), ('usage', 'USAGE'), ('usage.x', 'usage'), ('all', '0'), ('0', 'all'),
	('all', 'all'), ('al', 'all'), ('allx', 'all'), ('usage.z', 'usage0')
) AS t (a, b);

-- different prefixes: abbreviated keys tell most apart
CREATE TABLE line_type_data AS
	SELECT i, (CASE WHEN i % 1000 = 0 THEN 'all'
		WHEN i % 3 = 0 THEN 'usage.' || substr(md5(i::text), 1, i % 9 + 1)
		WHEN i % 3 = 1 THEN substr(md5(i::text), 1, i % 31 + 1) || '_' || substr(md5(i::text), 1, i % 5)
		ELSE translate(substr(md5(i::text), 1, i % 7 + 1), '0123456789', 'uvwxyz_lll') END)::po_line_type AS t
	FROM generate_series(1, 20000) AS i;
INSERT INTO line_type_data VALUES (0, NULL);
SELECT bool_and(a.t IS NOT DISTINCT FROM b.t) AS ascending
FROM (SELECT t, row_number() OVER (ORDER BY t) AS r FROM line_type_data) AS a
JOIN (SELECT t, row_number() OVER (ORDER BY t::text <> 'all', t::text COLLATE "C") AS r FROM line_type_data) AS b USING (r);
SELECT bool_and(a.t IS NOT DISTINCT FROM b.t) AS descending
FROM (SELECT t, row_number() OVER (ORDER BY t DESC) AS r FROM line_type_data) AS a
JOIN (SELECT t, row_number() OVER (ORDER BY t::text <> 'all' DESC, t::text COLLATE "C" DESC) AS r FROM line_type_data) AS b USING (r);
SELECT count(DISTINCT t) = count(DISTINCT t::text) AS same FROM line_type_data;
-- the same prefix: abbreviation gives up
SELECT bool_and(a.t = b.t) AS common_prefix
FROM (SELECT t, row_number() OVER (ORDER BY t) AS r
	FROM (SELECT ('usage.compute.' || md5(i::text))::po_line_type AS t FROM generate_series(1, 20000) AS i) AS x) AS a
JOIN (SELECT t, row_number() OVER (ORDER BY t::text COLLATE "C") AS r
	FROM (SELECT ('usage.compute.' || md5(i::text))::po_line_type AS t FROM generate_series(1, 20000) AS i) AS x) AS b USING (r);
-- every pair of lengths around the width of an abbreviated key, every kind of character there
SELECT bool_and(a.t = b.t) AS around_the_key
FROM (SELECT t, row_number() OVER (ORDER BY t) AS r
	FROM (SELECT (repeat('m', n) || c)::po_line_type AS t
		FROM generate_series(0, 20) AS n, unnest('{a,z,0,9,_,.a,.z,.0,ab,m}'::text[]) AS c
		WHERE n > 0 OR c NOT LIKE '.%') AS x) AS a
JOIN (SELECT t, row_number() OVER (ORDER BY t::text COLLATE "C") AS r
	FROM (SELECT (repeat('m', n) || c)::po_line_type AS t
		FROM generate_series(0, 20) AS n, unnest('{a,z,0,9,_,.a,.z,.0,ab,m}'::text[]) AS c
		WHERE n > 0 OR c NOT LIKE '.%') AS x) AS b USING (r);

--
-- Indexes
--
SELECT c.opcname, a.amname, amvalidate(c.oid)
FROM pg_opclass c JOIN pg_am a ON a.oid = c.opcmethod
WHERE c.opcname = 'po_line_type_ops' ORDER BY 2;

CREATE INDEX line_type_btree ON line_type_data (t);
CREATE INDEX line_type_hash ON line_type_data USING hash (t);
ANALYZE line_type_data;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SELECT pg_temp.plan_has($$SELECT FROM line_type_data WHERE t < '0'$$, 'using line_type_btree') AS btree;
SELECT count(*), min(t::text), max(t::text) FROM line_type_data WHERE t < '0';
-- descendants follow their ancestor: "0" is the first character after the dot
SELECT pg_temp.plan_has($$SELECT FROM line_type_data WHERE t >= 'usage' AND t < 'usage0'$$, 'using line_type_btree') AS subtree;
SELECT count(*) FROM line_type_data WHERE t >= 'usage' AND t < 'usage0';
SELECT pg_temp.plan_has($$SELECT FROM line_type_data WHERE t = ANY (po_ancestors('usage.c4'))$$, 'using line_type_btree') AS ancestors;
SELECT count(*) FROM line_type_data WHERE t = ANY (po_ancestors('usage.c4'));
DROP INDEX line_type_btree;
SELECT pg_temp.plan_has($$SELECT FROM line_type_data WHERE t = 'all'$$, 'using line_type_hash') AS hash;
SELECT count(*) FROM line_type_data WHERE t = 'ALL';
RESET enable_seqscan;
RESET enable_bitmapscan;
SELECT count(*) FROM line_type_data WHERE t <@ 'usage';
SELECT count(*) FROM line_type_data WHERE t @> 'usage.c4';

-- posting lists need equal images
CREATE TABLE line_type_same AS SELECT 'usage.compute.a_rather_long_path'::po_line_type AS t FROM generate_series(1, 5000);
CREATE INDEX line_type_dedup ON line_type_same (t);
SELECT pg_relation_size('line_type_dedup') < pg_relation_size('line_type_same') / 2 AS deduplicated;
DROP TABLE line_type_same;

--
-- Joins, grouping
--
CREATE TEMP TABLE line_type_few AS SELECT DISTINCT t FROM line_type_data WHERE t >= 'usage' AND t < 'usage0';
ANALYZE line_type_few;
SELECT count(*) AS expected FROM line_type_data WHERE t <@ 'usage' \gset
SET enable_nestloop = off;
SET enable_mergejoin = off;
SELECT pg_temp.plan_has('SELECT FROM line_type_data JOIN line_type_few USING (t)', 'Hash Join') AS hash_join;
SELECT count(*) = :expected AS same FROM line_type_data JOIN line_type_few USING (t);
RESET enable_mergejoin;
SET enable_hashjoin = off;
SELECT pg_temp.plan_has('SELECT FROM line_type_data JOIN line_type_few USING (t)', 'Merge Join') AS merge_join;
SELECT count(*) = :expected AS same FROM line_type_data JOIN line_type_few USING (t);
RESET enable_hashjoin;
RESET enable_nestloop;
INSERT INTO line_type_few VALUES ('usage'), ('all');
SELECT count(*) = 2 * (SELECT count(*) FROM line_type_few) - 3 AS covering_pairs
FROM line_type_few AS a JOIN line_type_few AS b ON a.t @> b.t WHERE a.t <> b.t;

--
-- Hashes: equal values hash equal; those of text, which never change
--
SELECT count(DISTINCT po_line_type_hash(t)) AS plain, count(DISTINCT po_line_type_hash_extended(t, 0)) AS extended,
	count(DISTINCT po_line_type_hash_extended(t, 42)) AS salted,
	bool_and(po_line_type_hash_extended(t, 0) <> po_line_type_hash_extended(t, 42)) AS by_salt
FROM unnest('{usage,USAGE," Usage ",AWS Monthly Usage}'::po_line_type[]) AS t;
SELECT bool_and(po_line_type_hash(t) = hashtext(t::text)) AS plain,
	bool_and(po_line_type_hash_extended(t, 0) = hashtextextended(t::text, 0)) AS extended,
	bool_and(po_line_type_hash_extended(t, 42) = hashtextextended(t::text, 42)) AS salted
FROM line_type_data;

CREATE TABLE line_type_part (t po_line_type) PARTITION BY HASH (t);
CREATE TABLE line_type_part0 PARTITION OF line_type_part FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE line_type_part1 PARTITION OF line_type_part FOR VALUES WITH (MODULUS 2, REMAINDER 1);
INSERT INTO line_type_part SELECT t FROM line_type_data;
SELECT tableoid::regclass, count(*) > 5000 AS filled FROM line_type_part GROUP BY tableoid ORDER BY tableoid::regclass::text;
SELECT count(*) FROM line_type_part WHERE t = 'all';
DROP TABLE line_type_part;

--
-- Casts
--
CREATE TEMP TABLE assigned (t po_line_type, s text);
INSERT INTO assigned (t) VALUES ('AWS Monthly Usage'::text), ('Usage.Compute'::text);
INSERT INTO assigned (t) VALUES ('a b'::text);
UPDATE assigned SET s = t;
SELECT * FROM assigned ORDER BY t;
SELECT pg_temp.try($$SELECT 'usage'::text @> 'usage'::po_line_type$$) AS not_implicit;
SELECT pg_temp.try($$SELECT 'usage'::po_line_type COLLATE "C"$$) AS not_collatable;

-- stored values: compressed, and with a short header
CREATE TABLE line_type_stored (t po_line_type, filler text);
ALTER TABLE line_type_stored ALTER filler SET STORAGE plain;
INSERT INTO line_type_stored
	SELECT (repeat('x', 200) || '.' || i)::po_line_type, repeat('y', 2000) FROM generate_series(1, 20) AS i;
INSERT INTO line_type_stored VALUES ('usage'), ('all');
SELECT count(pg_column_compression(t)) AS compressed FROM line_type_stored;
CREATE INDEX ON line_type_stored (t);
CREATE INDEX ON line_type_stored USING hash (t);
SELECT bool_and(a.t = b.t) AS sorted
FROM (SELECT t, row_number() OVER (ORDER BY t) AS r FROM line_type_stored) AS a
JOIN (SELECT t, row_number() OVER (ORDER BY t::text <> 'all', t::text COLLATE "C") AS r FROM line_type_stored) AS b USING (r);
SELECT count(*) FROM line_type_stored WHERE t <@ repeat('x', 200)::po_line_type;
SELECT po_ancestors(t) FROM line_type_stored WHERE t < 'v' ORDER BY t;
SELECT count(DISTINCT po_line_type_hash(t)) FROM line_type_stored;
DROP TABLE line_type_stored;

--
-- Binary: COPY there and back; strict on the way in
--
SELECT po_line_type_send('usage'), po_line_type_send('ALL');
CREATE TABLE line_type_copy (LIKE line_type_data);
\copy line_type_data TO 'results/line_type.bin' (FORMAT binary)
\copy line_type_copy FROM 'results/line_type.bin' (FORMAT binary)
SELECT count(*), (SELECT count(*) FROM (TABLE line_type_data EXCEPT ALL TABLE line_type_copy) AS d) AS differing FROM line_type_copy;
TRUNCATE line_type_copy;
\copy line_type_data TO 'results/line_type.txt'
\copy line_type_copy FROM 'results/line_type.txt'
SELECT count(*), (SELECT count(*) FROM (TABLE line_type_data EXCEPT ALL TABLE line_type_copy) AS d) AS differing FROM line_type_copy;

\copy (SELECT 1, '\x01'::bytea || 'a.b.c.d.e.f.g.h') TO 'results/line_type.bin' (FORMAT binary)
\copy line_type_copy FROM 'results/line_type.bin' (FORMAT binary)
SELECT i, t FROM line_type_copy WHERE t = 'a.b.c.d.e.f.g.h';
\copy (SELECT 1, '\x01'::bytea || 'USAGE') TO 'results/line_type.bin' (FORMAT binary)
\copy line_type_copy FROM 'results/line_type.bin' (FORMAT binary)
\copy (SELECT 1, '\x02'::bytea || 'usage') TO 'results/line_type.bin' (FORMAT binary)
\copy line_type_copy FROM 'results/line_type.bin' (FORMAT binary)
\set VERBOSITY sqlstate
\copy (SELECT 1, '\x01'::bytea || 'AWS Monthly Usage') TO 'results/line_type.bin' (FORMAT binary)
\copy line_type_copy FROM 'results/line_type.bin' (FORMAT binary)
\copy (SELECT 1, '\x01'::bytea || ' usage') TO 'results/line_type.bin' (FORMAT binary)
\copy line_type_copy FROM 'results/line_type.bin' (FORMAT binary)
\copy (SELECT 1, '\x01'::bytea || 'all.x') TO 'results/line_type.bin' (FORMAT binary)
\copy line_type_copy FROM 'results/line_type.bin' (FORMAT binary)
\copy (SELECT 1, '\x01'::bytea || 'usage.') TO 'results/line_type.bin' (FORMAT binary)
\copy line_type_copy FROM 'results/line_type.bin' (FORMAT binary)
\copy (SELECT 1, '\x01'::bytea || 'a.b.c.d.e.f.g.h.i') TO 'results/line_type.bin' (FORMAT binary)
\copy line_type_copy FROM 'results/line_type.bin' (FORMAT binary)
\copy (SELECT 1, '\x01'::bytea || repeat('x', 256)::bytea) TO 'results/line_type.bin' (FORMAT binary)
\copy line_type_copy FROM 'results/line_type.bin' (FORMAT binary)
\copy (SELECT 1, '\x01'::bytea) TO 'results/line_type.bin' (FORMAT binary)
\copy line_type_copy FROM 'results/line_type.bin' (FORMAT binary)
\copy (SELECT 1, ''::bytea) TO 'results/line_type.bin' (FORMAT binary)
\copy line_type_copy FROM 'results/line_type.bin' (FORMAT binary)
-- a NUL
\copy (SELECT 1, '\x01757300'::bytea) TO 'results/line_type.bin' (FORMAT binary)
\copy line_type_copy FROM 'results/line_type.bin' (FORMAT binary)
\set VERBOSITY default
SELECT count(*) FROM line_type_copy;

--
-- Catalog: every function is described, and callable in parallel
--
SELECT count(*) > 0 AS some, bool_and(obj_description(p.oid, 'pg_proc') IS NOT NULL) AS described,
	bool_and(provolatile = 'i') AS immutable, bool_and(proparallel = 's') AS parallel_safe
FROM pg_proc p WHERE p.proname ~ '^po_(line_type|specificity|ancestors|label)';

DROP TABLE line_type_data, line_type_copy;
