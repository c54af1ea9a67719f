-- What po_mgmt asks of Citus, for a server without Citus: its catalogs, and shards as Citus makes them. The tables
-- are empty shells then. An account's shard is told by its last letter: 0 and 1 are on this server, all others on
-- another one. There is nobody here who sends a query on a table to its shards. Needs a superuser.

SET allow_system_table_mods = on;

CREATE TABLE pg_catalog.pg_dist_partition (
	logicalrelid regclass PRIMARY KEY, partmethod "char" NOT NULL, partkey text,
	colocationid int NOT NULL DEFAULT 0, repmodel "char" NOT NULL DEFAULT 's');
CREATE TABLE pg_catalog.pg_dist_shard (
	logicalrelid regclass NOT NULL, shardid bigint PRIMARY KEY, shardminvalue text, shardmaxvalue text);
CREATE TABLE pg_catalog.pg_dist_placement (
	shardid bigint NOT NULL, shardstate int NOT NULL, groupid int NOT NULL);
CREATE TABLE pg_catalog.pg_dist_local_group (groupid int PRIMARY KEY);
INSERT INTO pg_catalog.pg_dist_local_group VALUES (1);
GRANT SELECT ON pg_catalog.pg_dist_partition, pg_catalog.pg_dist_shard, pg_catalog.pg_dist_placement,
	pg_catalog.pg_dist_local_group TO PUBLIC;

-- for the caller who may read the table, as there
CREATE FUNCTION pg_catalog.get_shard_id_for_distribution_column(table_name regclass, value text DEFAULT NULL)
RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
	IF NOT pg_catalog.has_any_column_privilege(table_name, 'SELECT') THEN
		RAISE insufficient_privilege USING message = 'permission denied for table ' || table_name;
	END IF;
	RETURN (SELECT s.shardid FROM pg_catalog.pg_dist_shard s WHERE s.logicalrelid OPERATOR(pg_catalog.=) table_name
		AND (s.shardminvalue IS NULL OR s.shardminvalue OPERATOR(pg_catalog.=)
			CASE WHEN pg_catalog.right(value, 1) OPERATOR(pg_catalog.=) ANY ('{0,1}') THEN pg_catalog.right(value, 1) ELSE 'x' END));
END $$;

CREATE SCHEMA stand_in;

-- a table like another; names of triggers have its number, and foreign keys go to tables of the same shard
CREATE FUNCTION stand_in.make_shard("table" regclass, shard bigint) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	name text := format('%s_%s', "table", shard);
	t record;
	k record;
BEGIN
	EXECUTE format('CREATE TABLE %s (LIKE %s INCLUDING ALL)', name, "table");
	FOR t IN SELECT tgname, tgenabled, pg_get_triggerdef(oid) AS definition FROM pg_trigger
		WHERE tgrelid = "table" AND NOT tgisinternal ORDER BY tgname
	LOOP
		EXECUTE replace(replace(t.definition, quote_ident(t.tgname), quote_ident(t.tgname || '_' || shard)),
			' ON ' || (SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = relnamespace WHERE c.oid = "table") || '.' || "table" || ' ', ' ON ' || name || ' ');
		IF t.tgenabled = 'A' THEN
			EXECUTE format('ALTER TABLE %s ENABLE ALWAYS TRIGGER %I', name, t.tgname || '_' || shard);
		END IF;
	END LOOP;
	FOR k IN SELECT conname, pg_get_constraintdef(oid) AS definition, confrelid::regclass::text AS target FROM pg_constraint
		WHERE conrelid = "table" AND contype = 'f'
	LOOP
		EXECUTE format('ALTER TABLE %s ADD CONSTRAINT %I %s', name, k.conname || '_' || shard,
			regexp_replace(k.definition, 'REFERENCES \w+', 'REFERENCES ' || k.target || '_' ||
				(SELECT s.shardid FROM pg_catalog.pg_dist_shard s WHERE s.logicalrelid = k.target::regclass
					AND (s.shardminvalue IS NULL OR s.shardid % 10 = shard % 10))));
	END LOOP;
END $$;

-- 0 and 1 are here
CREATE FUNCTION pg_catalog.create_distributed_table("table" regclass, distribution_column text, colocate_with text)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	first bigint := 102000 + 10 * (1 + (SELECT count(*) FROM pg_catalog.pg_dist_partition WHERE partmethod = 'h'));
BEGIN
	INSERT INTO pg_catalog.pg_dist_shard SELECT "table", first + n, letter, letter
		FROM unnest('{0,1,x}'::text[]) WITH ORDINALITY AS l(letter, n);
	INSERT INTO pg_catalog.pg_dist_placement SELECT first + n, 1, CASE WHEN n < 3 THEN 1 ELSE 2 END FROM generate_series(1, 3) n;
	PERFORM stand_in.make_shard("table", first + n) FROM generate_series(1, 2) n;
	INSERT INTO pg_catalog.pg_dist_partition VALUES ("table", 'h', distribution_column);
END $$;

-- a copy on every server
CREATE FUNCTION pg_catalog.create_reference_table("table" regclass) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	shard bigint := 102001 + (SELECT count(*) FROM pg_catalog.pg_dist_partition);
BEGIN
	INSERT INTO pg_catalog.pg_dist_shard VALUES ("table", shard);
	INSERT INTO pg_catalog.pg_dist_placement VALUES (shard, 1, 0), (shard, 1, 1), (shard, 1, 2);
	PERFORM stand_in.make_shard("table", shard);
	EXECUTE format('INSERT INTO %s_%s SELECT * FROM %1$s', "table", shard);
	INSERT INTO pg_catalog.pg_dist_partition VALUES ("table", 'n', NULL);
END $$;
