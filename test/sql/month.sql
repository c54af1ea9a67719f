--
-- po_month, po_month_range
--
SET client_min_messages = warning;
CREATE EXTENSION IF NOT EXISTS po_mgmt;
RESET client_min_messages;

-- what a query gives: its value, or the SQLSTATE of its error
CREATE FUNCTION pg_temp.try(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	result text;
BEGIN
	EXECUTE query INTO result;
	RETURN result;
EXCEPTION WHEN OTHERS THEN
	RETURN 'error ' || SQLSTATE;
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
SELECT to_json(input) AS input, pg_temp.try(format('SELECT %L::po_month', input)) AS result
FROM (VALUES
	-- the three forms
	(1, '2026-11'), (2, '2026-11-22'), (3, 'Nov 2026'),
	-- names in any case, one or more blanks, white space outside
	(10, 'JAN 2026'), (11, 'feb 2026'), (12, 'mAr 2026'), (13, 'Apr   2026'),
	(14, 'May 2026'), (15, 'Jun 2026'), (16, 'Jul 2026'), (17, 'Aug 2026'),
	(18, 'Sep 2026'), (19, 'Oct 2026'), (20, 'Dec 2026'),
	(21, '  2026-11  '), (22, E'\t\n\x0B\f\r2026-11-01\r\f\x0B\n\t'), (23, E' \tNov 2026\n'),
	-- the first and the last month
	(30, '0001-01'), (31, '0001-01-01'), (32, 'Jan 0001'),
	(33, '9999-12'), (34, '9999-12-31'), (35, 'Dec 9999'),
	-- days that exist, and that do not
	(40, '2024-02-29'), (41, '2026-02-28'), (42, '2000-02-29'),
	(43, '2026-02-29'), (44, '2026-02-30'), (45, '1900-02-29'), (46, '2026-04-31'),
	(47, '2026-01-32'), (48, '2026-01-00'), (49, '2026-12-31'),
	-- months and years that do not exist
	(50, '2026-00'), (51, '2026-13'), (52, '2026-99-01'), (53, '0000-01'),
	(54, '0000-12-31'), (55, 'Jan 0000'), (56, '0000-00-00'),
	-- none of the forms
	(60, ''), (61, ' '), (62, '2026'), (63, '2026-'), (64, '2026-1'), (65, '2026-111'),
	(66, '2026-11-'), (67, '2026-11-2'), (68, '2026-11-222'), (69, '202-11'), (70, '12026-11'),
	(71, '+2026-11'), (72, '-2026-11'), (73, '2026/11'), (74, '202611'), (75, '11-2026'),
	(76, '2026 - 11'), (77, '2026-11-22 00:00:00'), (78, '2026-11x'), (79, '2026-11 BC'),
	(80, 'November 2026'), (81, 'Nov2026'), (82, 'Nov-2026'), (83, E'Nov\t2026'), (84, 'Nov 26'),
	(85, 'Nov 20261'), (86, 'Nov'), (87, 'No 2026'), (88, 'Nov  '), (89, 'Xyz 2026'),
	(90, '2026 Nov'), (91, 'Nov 22 2026'), (92, 'infinity'), (93, '-infinity'), (94, 'now'),
	(95, 'today'), (96, 'epoch'), (97, '24322')
) AS t (n, input) ORDER BY n;
-- beyond ASCII: a no-break space is no white space
SELECT pg_temp.try(format('SELECT %L::po_month', '2026-11' || chr(160)));

-- messages
SELECT '2026.11'::po_month;
SELECT '2026-13'::po_month;
SELECT '2026-02-30'::po_month;

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
SELECT input, type, pg_temp.is_valid(input, type)
FROM (VALUES
	(1, '2026-11', 'po_month'), (2, '2026-13', 'po_month'), (3, 'x', 'po_month'),
	(4, '[2026-11,2026-12]', 'po_month_range'), (5, '[2026-11,9999-12]', 'po_month_range'),
	(6, '(9999-12,)', 'po_month_range'), (7, '[2026-12,2026-11]', 'po_month_range'),
	(8, '[2026-13,)', 'po_month_range'), (9, '{[2026-11,9999-12]}', 'po_month_multirange')
) AS t (n, input, type) ORDER BY n;

--
-- Order, arithmetic
--
SELECT a, b, a < b AS lt, a <= b AS le, a = b AS eq, a <> b AS ne, a >= b AS ge, a > b AS gt,
	po_month_cmp(a, b), a - b AS months
FROM (VALUES
	('2026-11'::po_month, '2026-12'::po_month), ('2026-11', '2026-11'), ('2027-01', '2026-12'),
	('0001-01', '9999-12')
) AS t (a, b);

SELECT query, pg_temp.try('SELECT ' || query) AS result
FROM (VALUES
	(1, $$'2026-11'::po_month + 2$$), (2, $$'2026-11'::po_month + 0$$), (3, $$'2026-11'::po_month + -11$$),
	(4, $$'2026-11'::po_month - 11$$), (5, $$'2026-11'::po_month - -14$$),
	(6, $$'9999-11'::po_month + 1$$), (7, $$'9999-12'::po_month + 1$$),
	(8, $$'0001-02'::po_month - 1$$), (9, $$'0001-01'::po_month - 1$$),
	(10, $$'0001-01'::po_month + 119987$$), (11, $$'9999-12'::po_month - 119987$$),
	(12, $$'2026-11'::po_month + 2147483647$$), (13, $$'2026-11'::po_month - 2147483647$$),
	(14, $$'2026-11'::po_month + (-2147483648)$$), (15, $$'2026-11'::po_month - (-2147483648)$$),
	(16, $$'2026-11'::po_month - '2025-11'$$), (17, $$'2026-11'::po_month + NULL::int$$),
	(18, $$1 + '2026-11'::po_month$$)
) AS t (n, query) ORDER BY n;

SELECT '9999-12'::po_month + 1;
SELECT '2026-11'::po_month - 2147483647;

SELECT min(m), max(m), count(DISTINCT m)
FROM (VALUES ('2026-11'::po_month), (NULL), ('2025-12'), ('2027-01'), ('2026-11')) AS t (m);
SELECT min(m), max(m) FROM (SELECT '2026-11'::po_month WHERE false) AS t (m);
SELECT greatest('2026-11'::po_month, '2027-01'), least('2026-11'::po_month, '2027-01');

--
-- Casts
--
SELECT query, pg_temp.try('SELECT ' || query) AS result
FROM (VALUES
	(1, $$date '2026-11-22'::po_month$$), (2, $$date '0001-01-01'::po_month$$),
	(3, $$date '9999-12-31'::po_month$$), (4, $$date '10000-01-01'::po_month$$),
	(5, $$date '0001-12-31 BC'::po_month$$), (6, $$date '4713-01-01 BC'::po_month$$),
	(7, $$date 'infinity'::po_month$$), (8, $$date '-infinity'::po_month$$),
	(9, $$date '5874897-12-31'::po_month$$),
	(10, $$timestamp '2026-11-30 23:59:59.999999'::po_month$$),
	(11, $$timestamp '2026-12-01 00:00:00'::po_month$$),
	(12, $$timestamp '0001-01-01 00:00:00'::po_month$$),
	(13, $$timestamp '9999-12-31 23:59:59.999999'::po_month$$),
	(14, $$timestamp '10000-01-01 00:00:00'::po_month$$),
	(15, $$timestamp '0001-12-31 23:59:59.999999 BC'::po_month$$),
	(16, $$timestamp 'infinity'::po_month$$), (17, $$timestamp '-infinity'::po_month$$),
	(18, $$timestamp '294276-12-31'::po_month$$), (19, $$timestamp '4714-11-24 BC'::po_month$$),
	(20, $$'Nov 2026'::text::po_month$$), (21, $$'x'::text::po_month$$),
	(22, $$'2026-11'::po_month::text$$),
	(23, $$'2026-11'::po_month::date$$), (24, $$'0001-01'::po_month::date$$), (25, $$'9999-12'::po_month::date$$),
	(26, $$po_month('2026-11')$$), (27, $$po_month(date '2026-11-22')$$), (28, $$date('2026-11'::po_month)$$),
	-- none of these
	(40, $$timestamptz '2026-11-22 00:00:00+00'::po_month$$), (41, $$po_month(now())$$),
	(42, $$'2026-11'::po_month::timestamptz$$), (43, $$24322::po_month$$), (44, $$'2026-11'::po_month::int$$),
	-- assignment casts: not in expressions
	(50, $$date '2026-11-01' = '2026-11'::po_month$$)
) AS t (n, query) ORDER BY n;
SELECT now()::po_month;
SELECT date 'infinity'::po_month;
SELECT timestamp '10000-01-01'::po_month;

CREATE TEMP TABLE assigned (m po_month, d date);
INSERT INTO assigned (m) VALUES (date '2026-01-31'), (timestamp '2026-02-28 12:00'), ('2026-03'::text);
UPDATE assigned SET d = m;
INSERT INTO assigned (m) VALUES (now());
SELECT * FROM assigned ORDER BY m;

SELECT m, po_month_end(m), m::date + 0 AS first
FROM (VALUES ('2026-11'::po_month), ('2024-02'), ('2026-02'), ('1900-02'), ('2000-02'), ('0001-01'), ('9999-12')) AS t (m);
-- every month: text, date and number agree
SELECT count(*), bool_and(m::text = to_char(d, 'YYYY-MM')) AS text, bool_and(m::date = d) AS first_day,
	bool_and(po_month_end(m) = (d + interval '1 month')::date - 1) AS last_day,
	bool_and(d::po_month = m AND po_month_end(m)::po_month = m) AS back,
	bool_and(to_char(d, 'Mon YYYY')::po_month = m) AS named
FROM (SELECT '0001-01'::po_month + i AS m, (date '0001-01-01' + i * interval '1 month')::date AS d
	FROM generate_series(0, 9999 * 12 - 1) AS i) AS t;

--
-- Sorting
--
CREATE TABLE month_data AS
	SELECT i, '1900-01'::po_month + (i * 7919 % 3001) AS m FROM generate_series(1, 20000) AS i;
INSERT INTO month_data VALUES (0, NULL), (-1, '0001-01'), (-2, '9999-12');
SELECT bool_and(a.m IS NOT DISTINCT FROM b.m) AS ascending
FROM (SELECT m, row_number() OVER (ORDER BY m) AS r FROM month_data) AS a
JOIN (SELECT m, row_number() OVER (ORDER BY m::text COLLATE "C") AS r FROM month_data) AS b USING (r);
SELECT bool_and(a.m IS NOT DISTINCT FROM b.m) AS descending
FROM (SELECT m, row_number() OVER (ORDER BY m DESC NULLS LAST) AS r FROM month_data) AS a
JOIN (SELECT m, row_number() OVER (ORDER BY m - '0001-01' DESC NULLS LAST) AS r FROM month_data) AS b USING (r);
SELECT count(DISTINCT m) = count(DISTINCT m::text) AS same FROM month_data;

--
-- Indexes
--
SELECT c.opcname, a.amname, amvalidate(c.oid)
FROM pg_opclass c JOIN pg_am a ON a.oid = c.opcmethod
WHERE c.opcname = 'po_month_ops' ORDER BY 2;

CREATE INDEX month_data_btree ON month_data (m);
CREATE INDEX month_data_hash ON month_data USING hash (m);
ANALYZE month_data;
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SELECT pg_temp.plan_has($$SELECT FROM month_data WHERE m < '1900-03'$$, 'using month_data_btree') AS btree;
SELECT count(*) FROM month_data WHERE m < '1900-03';
SELECT count(*) FROM month_data WHERE m BETWEEN '2000-01' AND '2000-12';
SELECT pg_temp.plan_has($$SELECT min(m), max(m) FROM month_data$$, 'Index Only Scan') AS min_max;
SELECT min(m), max(m) FROM month_data;
DROP INDEX month_data_btree;
SELECT pg_temp.plan_has($$SELECT FROM month_data WHERE m = '2000-02'$$, 'using month_data_hash') AS hash;
SELECT count(*) FROM month_data WHERE m = '2000-02';
RESET enable_seqscan;
SELECT count(*) FROM month_data WHERE m::text = '2000-02';
RESET enable_bitmapscan;

-- posting lists need equal images
CREATE INDEX month_data_dedup ON month_data (m) WITH (deduplicate_items = on);
SELECT pg_relation_size('month_data_dedup') < pg_relation_size('month_data') / 2 AS deduplicated;

--
-- Joins, grouping
--
CREATE TEMP TABLE month_few AS SELECT DISTINCT m FROM month_data WHERE m >= '2100-01';
ANALYZE month_few;
SELECT count(*) AS expected FROM month_data WHERE m >= '2100-01' \gset
SET enable_nestloop = off;
SET enable_mergejoin = off;
SELECT pg_temp.plan_has('SELECT FROM month_data JOIN month_few USING (m)', 'Hash Join') AS hash_join;
SELECT count(*) = :expected AS same FROM month_data JOIN month_few USING (m);
RESET enable_mergejoin;
SET enable_hashjoin = off;
SELECT pg_temp.plan_has('SELECT FROM month_data JOIN month_few USING (m)', 'Merge Join') AS merge_join;
SELECT count(*) = :expected AS same FROM month_data JOIN month_few USING (m);
RESET enable_hashjoin;
RESET enable_nestloop;

SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET min_parallel_table_scan_size = 0;
SET enable_indexscan = off;
SET enable_indexonlyscan = off;
SELECT pg_temp.plan_has('SELECT min(m), max(m), count(i) FROM month_data', 'Partial Aggregate') AS parallel;
SELECT min(m), max(m), count(i) FROM month_data;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET min_parallel_table_scan_size;
RESET enable_indexscan;
RESET enable_indexonlyscan;

--
-- Hashes: equal values hash equal; those of the number, which never change
--
SELECT count(DISTINCT po_month_hash(m)) AS plain, count(DISTINCT po_month_hash_extended(m, 0)) AS extended,
	count(DISTINCT po_month_hash_extended(m, 42)) AS salted,
	bool_and(po_month_hash_extended(m, 0) <> po_month_hash_extended(m, 42)) AS by_salt
FROM (VALUES ('2026-11'::po_month), ('2026-11-22'), ('Nov 2026')) AS t (m);
SELECT bool_and(po_month_hash(m) = hashint4(m - '0001-01' + 12)) AS plain,
	bool_and(po_month_hash_extended(m, 0)::bit(32) = po_month_hash(m)::bit(32)) AS extended,
	count(DISTINCT po_month_hash_extended(m, 42)) = count(DISTINCT m) AS salted
FROM month_data;

CREATE TABLE month_part (m po_month) PARTITION BY HASH (m);
CREATE TABLE month_part0 PARTITION OF month_part FOR VALUES WITH (MODULUS 3, REMAINDER 0);
CREATE TABLE month_part1 PARTITION OF month_part FOR VALUES WITH (MODULUS 3, REMAINDER 1);
CREATE TABLE month_part2 PARTITION OF month_part FOR VALUES WITH (MODULUS 3, REMAINDER 2);
INSERT INTO month_part SELECT m FROM month_data;
SELECT tableoid::regclass, count(*) > 5000 AS filled FROM month_part GROUP BY tableoid ORDER BY tableoid::regclass::text;
SELECT count(*) FROM month_part WHERE m = '2000-02';
SELECT pg_temp.plan_has($$SELECT FROM month_part WHERE m = '2000-02'$$, 'month_part0')::int +
	pg_temp.plan_has($$SELECT FROM month_part WHERE m = '2000-02'$$, 'month_part1')::int +
	pg_temp.plan_has($$SELECT FROM month_part WHERE m = '2000-02'$$, 'month_part2')::int AS scanned;
DROP TABLE month_part;

--
-- Window frames
--
SELECT m, v,
	sum(v) OVER (ORDER BY m RANGE BETWEEN 2 PRECEDING AND CURRENT ROW) AS last_three,
	sum(v) OVER (ORDER BY m RANGE BETWEEN 1 FOLLOWING AND 2 FOLLOWING) AS next_two,
	sum(v) OVER (ORDER BY m DESC RANGE BETWEEN 2 PRECEDING AND CURRENT ROW) AS descending,
	sum(v) OVER (ORDER BY m RANGE BETWEEN 2147483647 PRECEDING AND 2147483647 FOLLOWING) AS total
FROM (VALUES ('0001-01'::po_month, 1), ('2026-09', 2), ('2026-11', 4), ('2026-11', 8), ('2026-12', 16),
	('2027-02', 32), ('9999-12', 64), (NULL, 128)) AS t (m, v)
ORDER BY m, v;
SELECT pg_temp.try($$SELECT sum(1) OVER (ORDER BY m RANGE BETWEEN -1 PRECEDING AND CURRENT ROW)
	FROM (VALUES ('2026-11'::po_month)) AS t (m)$$);

--
-- Binary: COPY there and back; the number of a month is checked
--
SELECT po_month_send('2026-11'), po_month_send('0001-01'), po_month_send('9999-12');
CREATE TABLE month_copy (LIKE month_data);
\copy month_data TO 'results/month.bin' (FORMAT binary)
\copy month_copy FROM 'results/month.bin' (FORMAT binary)
SELECT count(*), (SELECT count(*) FROM (TABLE month_data EXCEPT ALL TABLE month_copy) AS d) AS differing FROM month_copy;
TRUNCATE month_copy;
\copy month_data TO 'results/month.txt'
\copy month_copy FROM 'results/month.txt'
SELECT count(*), (SELECT count(*) FROM (TABLE month_data EXCEPT ALL TABLE month_copy) AS d) AS differing FROM month_copy;

\copy (SELECT 1, 12) TO 'results/month.bin' (FORMAT binary)
\copy month_copy FROM 'results/month.bin' (FORMAT binary)
\copy (SELECT 1, 119999) TO 'results/month.bin' (FORMAT binary)
\copy month_copy FROM 'results/month.bin' (FORMAT binary)
SELECT m FROM month_copy WHERE i = 1 ORDER BY m;
\set VERBOSITY terse
\copy (SELECT 1, 11) TO 'results/month.bin' (FORMAT binary)
\copy month_copy FROM 'results/month.bin' (FORMAT binary)
\copy (SELECT 1, 120000) TO 'results/month.bin' (FORMAT binary)
\copy month_copy FROM 'results/month.bin' (FORMAT binary)
\set VERBOSITY sqlstate
\copy (SELECT 1, -1) TO 'results/month.bin' (FORMAT binary)
\copy month_copy FROM 'results/month.bin' (FORMAT binary)
\copy (SELECT 1, 1::bigint) TO 'results/month.bin' (FORMAT binary)
\copy month_copy FROM 'results/month.bin' (FORMAT binary)
\copy (SELECT 1, 1::smallint) TO 'results/month.bin' (FORMAT binary)
\copy month_copy FROM 'results/month.bin' (FORMAT binary)
\set VERBOSITY default

--
-- Ranges
--
SELECT input, pg_temp.try(format('SELECT %L::po_month_range', input)) AS result
FROM (VALUES
	(1, '[2026-01,2026-03]'), (2, '[2026-01,2026-04)'), (3, '(2025-12,2026-03]'), (4, '(2025-12,2026-04)'),
	(5, '[2026-01,2026-01]'), (6, '[2026-01,2026-01)'), (7, '(2026-01,2026-01]'), (8, '(2026-01,2026-02)'),
	(9, 'empty'), (10, '[2026-01,)'), (11, '(2025-12,)'), (12, '(,2026-03]'), (13, '(,)'),
	(14, '[Jan 2026,2026-03-31]'), (15, '["Jan 2026"," 2026-03 "]'),
	-- the edges
	(20, '[2026-01,9999-12]'), (21, '[2026-01,9999-12)'), (22, '[9999-12,9999-12]'), (23, '[9999-12,)'),
	(24, '(9999-12,)'), (25, '(9999-11,)'), (26, '(,9999-12]'), (27, '[9999-11,9999-11]'),
	(28, '(9999-12,9999-12)'), (29, '[9999-12,9999-12)'), (30, '[0001-01,0001-01]'), (31, '(0001-01,0001-02]'),
	-- errors
	(40, '[2026-03,2026-01]'), (41, '[2026-13,)'), (42, '[x,)'), (43, '2026-11')
) AS t (n, input) ORDER BY n;
SELECT '[2026-01,9999-12]'::po_month_range;
SELECT '(9999-12,)'::po_month_range;
SELECT po_month_range('2026-01', '9999-12', '[]');
SELECT po_month_range('2026-01', '2026-03') AS half_open, po_month_range('2026-01', '2026-03', '[]') AS closed,
	po_month_range('2026-01', NULL) AS no_end, po_month_range('2026-03', '2026-03') AS nothing;

SELECT r @> '2026-01'::po_month AS first, r @> '2026-03'::po_month AS last, r @> '2026-04'::po_month AS after,
	r && '[2026-03,2026-06]' AS overlaps, r && '[2026-04,2026-06]' AS touches, r -|- '[2026-04,2026-06]' AS adjacent,
	r @> '[2026-02,2026-03]' AS contains, r + '[2026-04,2026-06]' AS joined, lower(r), upper(r),
	upper(r) - lower(r) AS months, r = '(2025-12,2026-04)' AS equal
FROM (VALUES ('[2026-01,2026-03]'::po_month_range)) AS t (r);
SELECT '{[2026-01,2026-03],[2026-04,2026-05],[2027-01,)}'::po_month_multirange,
	po_month_multirange('[2026-01,2026-03]'::po_month_range) - '{[2026-02,2026-02]}' AS hole,
	range_agg(po_month_range(m, m, '[]')) AS aggregated
FROM (VALUES ('2026-01'::po_month), ('2026-02'), ('2026-04')) AS t (m);
SELECT po_month_subtype_diff('2026-11', '2025-11'), po_month_subtype_diff('0001-01', '9999-12');

-- GiST: search, exclusion, the type hashes as well
CREATE TABLE month_period AS
	SELECT i, po_month_range('1900-01'::po_month + (i * 7919 % 3001), '1900-01'::po_month + (i * 7919 % 3001 + i % 13)) AS r
	FROM generate_series(1, 10000) AS i;
CREATE INDEX month_period_gist ON month_period USING gist (r);
ANALYZE month_period;
SELECT count(*) AS contain, count(*) FILTER (WHERE r && '[2000-01,2000-12]') AS overlap
FROM month_period WHERE r @> '2000-06'::po_month OR r && '[2000-01,2000-12]' \gset seq_
SET enable_seqscan = off;
SET enable_bitmapscan = off;
SELECT pg_temp.plan_has($$SELECT FROM month_period WHERE r @> '2000-06'::po_month$$, 'using month_period_gist') AS contains,
	pg_temp.plan_has($$SELECT FROM month_period WHERE r && '[2000-01,2000-12]'$$, 'using month_period_gist') AS overlaps;
SELECT count(*) = :seq_overlap AS same FROM month_period WHERE r && '[2000-01,2000-12]';
SELECT count(*) AS by_index FROM month_period WHERE r @> '2000-06'::po_month;
RESET enable_seqscan;
RESET enable_bitmapscan;
SELECT count(*) AS by_months FROM month_period WHERE lower(r) <= '2000-06' AND upper(r) > '2000-06';
SELECT count(DISTINCT r) = count(DISTINCT r::text) AS same FROM month_period;

CREATE TABLE month_exclusion (r po_month_range, EXCLUDE USING gist (r WITH &&));
INSERT INTO month_exclusion VALUES ('[2026-01,2026-03]'), ('[2026-04,2026-04]'), ('empty'), ('empty'), ('[2026-07,)');
INSERT INTO month_exclusion VALUES ('[2026-03,2026-03]');
\set VERBOSITY sqlstate
INSERT INTO month_exclusion VALUES ('[9999-11,9999-11]');
\set VERBOSITY default
INSERT INTO month_exclusion VALUES ('(2026-04,2026-07)');
SELECT r FROM month_exclusion ORDER BY r;

\copy (SELECT r FROM month_period) TO 'results/month.bin' (FORMAT binary)
CREATE TEMP TABLE month_range_copy (r po_month_range);
\copy month_range_copy FROM 'results/month.bin' (FORMAT binary)
SELECT count(*) FROM (SELECT r FROM month_period EXCEPT ALL SELECT r FROM month_range_copy) AS d;

--
-- Catalog: every function is described, and callable in parallel
--
SELECT count(*) > 0 AS some, bool_and(obj_description(p.oid, 'pg_proc') IS NOT NULL) AS described,
	bool_and(provolatile = 'i') AS immutable, bool_and(proparallel = 's') AS parallel_safe
FROM pg_proc p WHERE p.proname ~ '^po_month';

DROP TABLE month_data, month_copy, month_period, month_exclusion;
