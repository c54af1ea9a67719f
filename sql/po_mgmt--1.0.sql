\echo Use "CREATE EXTENSION po_mgmt" to load this file. \quit

-- ---------------------------------------------------------------------------
-- Types
--
-- Comparison and hash functions are LEAKPROOF, as those of core types are, so
-- that row security does not keep conditions on months and types of charge
-- from using indexes.
-- ---------------------------------------------------------------------------

-- po_month: a calendar month

CREATE TYPE po_month;

CREATE FUNCTION po_month_in(cstring) RETURNS po_month
	AS 'MODULE_PATHNAME', 'po_month_in'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION po_month_in(cstring) IS 'I/O';

CREATE FUNCTION po_month_out(po_month) RETURNS cstring
	AS 'MODULE_PATHNAME', 'po_month_out'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION po_month_out(po_month) IS 'I/O';

CREATE FUNCTION po_month_recv(internal) RETURNS po_month
	AS 'MODULE_PATHNAME', 'po_month_recv'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION po_month_recv(internal) IS 'I/O';

CREATE FUNCTION po_month_send(po_month) RETURNS bytea
	AS 'MODULE_PATHNAME', 'po_month_send'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION po_month_send(po_month) IS 'I/O';

CREATE TYPE po_month (
	INPUT = po_month_in,
	OUTPUT = po_month_out,
	RECEIVE = po_month_recv,
	SEND = po_month_send,
	INTERNALLENGTH = 4,
	PASSEDBYVALUE,
	ALIGNMENT = int4,
	STORAGE = plain
);
COMMENT ON TYPE po_month IS 'calendar month of the years 0001 to 9999, such as 2026-11';

CREATE FUNCTION po_month_lt(po_month, po_month) RETURNS boolean
	AS 'MODULE_PATHNAME', 'po_month_lt'
	LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION po_month_lt(po_month, po_month) IS 'implementation of < operator';

CREATE FUNCTION po_month_le(po_month, po_month) RETURNS boolean
	AS 'MODULE_PATHNAME', 'po_month_le'
	LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION po_month_le(po_month, po_month) IS 'implementation of <= operator';

CREATE FUNCTION po_month_eq(po_month, po_month) RETURNS boolean
	AS 'MODULE_PATHNAME', 'po_month_eq'
	LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION po_month_eq(po_month, po_month) IS 'implementation of = operator';

CREATE FUNCTION po_month_ne(po_month, po_month) RETURNS boolean
	AS 'MODULE_PATHNAME', 'po_month_ne'
	LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION po_month_ne(po_month, po_month) IS 'implementation of <> operator';

CREATE FUNCTION po_month_ge(po_month, po_month) RETURNS boolean
	AS 'MODULE_PATHNAME', 'po_month_ge'
	LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION po_month_ge(po_month, po_month) IS 'implementation of >= operator';

CREATE FUNCTION po_month_gt(po_month, po_month) RETURNS boolean
	AS 'MODULE_PATHNAME', 'po_month_gt'
	LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION po_month_gt(po_month, po_month) IS 'implementation of > operator';

CREATE OPERATOR < (
	LEFTARG = po_month, RIGHTARG = po_month, FUNCTION = po_month_lt,
	COMMUTATOR = >, NEGATOR = >=,
	RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
COMMENT ON OPERATOR < (po_month, po_month) IS 'before';

CREATE OPERATOR <= (
	LEFTARG = po_month, RIGHTARG = po_month, FUNCTION = po_month_le,
	COMMUTATOR = >=, NEGATOR = >,
	RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
COMMENT ON OPERATOR <= (po_month, po_month) IS 'before or the same month';

CREATE OPERATOR = (
	LEFTARG = po_month, RIGHTARG = po_month, FUNCTION = po_month_eq,
	COMMUTATOR = =, NEGATOR = <>,
	RESTRICT = eqsel, JOIN = eqjoinsel,
	HASHES, MERGES
);
COMMENT ON OPERATOR = (po_month, po_month) IS 'the same month';

CREATE OPERATOR <> (
	LEFTARG = po_month, RIGHTARG = po_month, FUNCTION = po_month_ne,
	COMMUTATOR = <>, NEGATOR = =,
	RESTRICT = neqsel, JOIN = neqjoinsel
);
COMMENT ON OPERATOR <> (po_month, po_month) IS 'another month';

CREATE OPERATOR >= (
	LEFTARG = po_month, RIGHTARG = po_month, FUNCTION = po_month_ge,
	COMMUTATOR = <=, NEGATOR = <,
	RESTRICT = scalargesel, JOIN = scalargejoinsel
);
COMMENT ON OPERATOR >= (po_month, po_month) IS 'after or the same month';

CREATE OPERATOR > (
	LEFTARG = po_month, RIGHTARG = po_month, FUNCTION = po_month_gt,
	COMMUTATOR = <, NEGATOR = <=,
	RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);
COMMENT ON OPERATOR > (po_month, po_month) IS 'after';

CREATE FUNCTION po_month_cmp(po_month, po_month) RETURNS integer
	AS 'MODULE_PATHNAME', 'po_month_cmp'
	LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION po_month_cmp(po_month, po_month) IS 'less-equal-greater';

CREATE FUNCTION po_month_sortsupport(internal) RETURNS void
	AS 'MODULE_PATHNAME', 'po_month_sortsupport'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION po_month_sortsupport(internal) IS 'sort support';

CREATE FUNCTION po_month_in_range(po_month, po_month, integer, boolean, boolean) RETURNS boolean
	AS 'MODULE_PATHNAME', 'po_month_in_range'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION po_month_in_range(po_month, po_month, integer, boolean, boolean) IS 'window RANGE support';

CREATE FUNCTION po_month_hash(po_month) RETURNS integer
	AS 'MODULE_PATHNAME', 'po_month_hash'
	LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION po_month_hash(po_month) IS 'hash';

CREATE FUNCTION po_month_hash_extended(po_month, bigint) RETURNS bigint
	AS 'MODULE_PATHNAME', 'po_month_hash_extended'
	LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION po_month_hash_extended(po_month, bigint) IS 'hash';

CREATE OPERATOR CLASS po_month_ops DEFAULT FOR TYPE po_month USING btree AS
	OPERATOR 1 <,
	OPERATOR 2 <=,
	OPERATOR 3 =,
	OPERATOR 4 >=,
	OPERATOR 5 >,
	FUNCTION 1 po_month_cmp(po_month, po_month),
	FUNCTION 2 po_month_sortsupport(internal),
	FUNCTION 3 (po_month, integer) po_month_in_range(po_month, po_month, integer, boolean, boolean),
	FUNCTION 4 btequalimage(oid);
COMMENT ON OPERATOR CLASS po_month_ops USING btree IS 'order of po_month';
COMMENT ON OPERATOR FAMILY po_month_ops USING btree IS 'order of po_month';

CREATE OPERATOR CLASS po_month_ops DEFAULT FOR TYPE po_month USING hash AS
	OPERATOR 1 =,
	FUNCTION 1 po_month_hash(po_month),
	FUNCTION 2 po_month_hash_extended(po_month, bigint);
COMMENT ON OPERATOR CLASS po_month_ops USING hash IS 'hash of po_month';
COMMENT ON OPERATOR FAMILY po_month_ops USING hash IS 'hash of po_month';

CREATE FUNCTION po_month_pl_int(po_month, integer) RETURNS po_month
	AS 'MODULE_PATHNAME', 'po_month_pl_int'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION po_month_pl_int(po_month, integer) IS 'implementation of + operator';

CREATE FUNCTION po_month_mi_int(po_month, integer) RETURNS po_month
	AS 'MODULE_PATHNAME', 'po_month_mi_int'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION po_month_mi_int(po_month, integer) IS 'implementation of - operator';

CREATE FUNCTION po_month_mi_month(po_month, po_month) RETURNS integer
	AS 'MODULE_PATHNAME', 'po_month_mi_month'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION po_month_mi_month(po_month, po_month) IS 'implementation of - operator';

CREATE OPERATOR + (LEFTARG = po_month, RIGHTARG = integer, FUNCTION = po_month_pl_int);
COMMENT ON OPERATOR + (po_month, integer) IS 'that many months later';

CREATE OPERATOR - (LEFTARG = po_month, RIGHTARG = integer, FUNCTION = po_month_mi_int);
COMMENT ON OPERATOR - (po_month, integer) IS 'that many months earlier';

CREATE OPERATOR - (LEFTARG = po_month, RIGHTARG = po_month, FUNCTION = po_month_mi_month);
COMMENT ON OPERATOR - (po_month, po_month) IS 'number of months from the second to the first';

CREATE FUNCTION po_month_smaller(po_month, po_month) RETURNS po_month
	AS 'MODULE_PATHNAME', 'po_month_smaller'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION po_month_smaller(po_month, po_month) IS 'smaller of two';

CREATE FUNCTION po_month_larger(po_month, po_month) RETURNS po_month
	AS 'MODULE_PATHNAME', 'po_month_larger'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION po_month_larger(po_month, po_month) IS 'larger of two';

CREATE AGGREGATE min(po_month) (
	SFUNC = po_month_smaller, STYPE = po_month, COMBINEFUNC = po_month_smaller,
	SORTOP = <, PARALLEL = SAFE
);
COMMENT ON AGGREGATE min(po_month) IS 'earliest month of all input values';

CREATE AGGREGATE max(po_month) (
	SFUNC = po_month_larger, STYPE = po_month, COMBINEFUNC = po_month_larger,
	SORTOP = >, PARALLEL = SAFE
);
COMMENT ON AGGREGATE max(po_month) IS 'latest month of all input values';

-- None from timestamptz: its month depends on a time zone.

CREATE FUNCTION po_month(date) RETURNS po_month
	AS 'MODULE_PATHNAME', 'po_month_of_date'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION po_month(date) IS 'month of a date';

CREATE FUNCTION po_month(timestamp) RETURNS po_month
	AS 'MODULE_PATHNAME', 'po_month_of_timestamp'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION po_month(timestamp) IS 'month of a timestamp without time zone';

CREATE FUNCTION date(po_month) RETURNS date
	AS 'MODULE_PATHNAME', 'po_month_to_date'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION date(po_month) IS 'first day of a month';

CREATE FUNCTION po_month_end(po_month) RETURNS date
	AS 'MODULE_PATHNAME', 'po_month_end'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION po_month_end(po_month) IS 'last day of a month';

CREATE CAST (date AS po_month) WITH FUNCTION po_month(date) AS ASSIGNMENT;
COMMENT ON CAST (date AS po_month) IS 'the month of the date';

CREATE CAST (timestamp AS po_month) WITH FUNCTION po_month(timestamp) AS ASSIGNMENT;
COMMENT ON CAST (timestamp AS po_month) IS 'the month of the timestamp';

CREATE CAST (text AS po_month) WITH INOUT AS ASSIGNMENT;
COMMENT ON CAST (text AS po_month) IS 'the month that is written there';

CREATE CAST (po_month AS date) WITH FUNCTION date(po_month) AS ASSIGNMENT;
COMMENT ON CAST (po_month AS date) IS 'the first day of the month';

-- po_month_range: months without a gap

CREATE TYPE po_month_range;

CREATE FUNCTION po_month_range_canonical(po_month_range) RETURNS po_month_range
	AS 'MODULE_PATHNAME', 'po_month_range_canonical'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION po_month_range_canonical(po_month_range) IS 'canonical form';

CREATE FUNCTION po_month_subtype_diff(po_month, po_month) RETURNS float8
	AS 'MODULE_PATHNAME', 'po_month_subtype_diff'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION po_month_subtype_diff(po_month, po_month) IS 'difference in months';

CREATE TYPE po_month_range AS RANGE (
	SUBTYPE = po_month,
	SUBTYPE_OPCLASS = po_month_ops,
	CANONICAL = po_month_range_canonical,
	SUBTYPE_DIFF = po_month_subtype_diff,
	MULTIRANGE_TYPE_NAME = po_month_multirange
);
COMMENT ON TYPE po_month_range IS 'range of months, written [lower,upper)';
COMMENT ON TYPE po_month_multirange IS 'set of months, as ranges that do not touch';
COMMENT ON FUNCTION po_month_range(po_month, po_month) IS 'range of months, the upper one excluded';
COMMENT ON FUNCTION po_month_range(po_month, po_month, text) IS 'range of months with the bounds that the text says';
COMMENT ON FUNCTION po_month_multirange() IS 'empty set of months';
COMMENT ON FUNCTION po_month_multirange(po_month_range) IS 'set of months from a range';
COMMENT ON FUNCTION po_month_multirange(VARIADIC po_month_range[]) IS 'set of months from ranges';

-- po_line_type: a type of charge, a path in a tree

CREATE TYPE po_line_type;

CREATE FUNCTION po_line_type_in(cstring) RETURNS po_line_type
	AS 'MODULE_PATHNAME', 'po_line_type_in'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION po_line_type_in(cstring) IS 'I/O';

CREATE FUNCTION po_line_type_out(po_line_type) RETURNS cstring
	AS 'MODULE_PATHNAME', 'po_line_type_out'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION po_line_type_out(po_line_type) IS 'I/O';

CREATE FUNCTION po_line_type_recv(internal) RETURNS po_line_type
	AS 'MODULE_PATHNAME', 'po_line_type_recv'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION po_line_type_recv(internal) IS 'I/O';

CREATE FUNCTION po_line_type_send(po_line_type) RETURNS bytea
	AS 'MODULE_PATHNAME', 'po_line_type_send'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION po_line_type_send(po_line_type) IS 'I/O';

CREATE TYPE po_line_type (
	INPUT = po_line_type_in,
	OUTPUT = po_line_type_out,
	RECEIVE = po_line_type_recv,
	SEND = po_line_type_send,
	INTERNALLENGTH = VARIABLE,
	ALIGNMENT = int4,
	STORAGE = extended
);
COMMENT ON TYPE po_line_type IS 'type of charge, a path such as usage.compute, or all';

CREATE FUNCTION po_line_type_lt(po_line_type, po_line_type) RETURNS boolean
	AS 'MODULE_PATHNAME', 'po_line_type_lt'
	LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION po_line_type_lt(po_line_type, po_line_type) IS 'implementation of < operator';

CREATE FUNCTION po_line_type_le(po_line_type, po_line_type) RETURNS boolean
	AS 'MODULE_PATHNAME', 'po_line_type_le'
	LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION po_line_type_le(po_line_type, po_line_type) IS 'implementation of <= operator';

CREATE FUNCTION po_line_type_eq(po_line_type, po_line_type) RETURNS boolean
	AS 'MODULE_PATHNAME', 'po_line_type_eq'
	LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION po_line_type_eq(po_line_type, po_line_type) IS 'implementation of = operator';

CREATE FUNCTION po_line_type_ne(po_line_type, po_line_type) RETURNS boolean
	AS 'MODULE_PATHNAME', 'po_line_type_ne'
	LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION po_line_type_ne(po_line_type, po_line_type) IS 'implementation of <> operator';

CREATE FUNCTION po_line_type_ge(po_line_type, po_line_type) RETURNS boolean
	AS 'MODULE_PATHNAME', 'po_line_type_ge'
	LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION po_line_type_ge(po_line_type, po_line_type) IS 'implementation of >= operator';

CREATE FUNCTION po_line_type_gt(po_line_type, po_line_type) RETURNS boolean
	AS 'MODULE_PATHNAME', 'po_line_type_gt'
	LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION po_line_type_gt(po_line_type, po_line_type) IS 'implementation of > operator';

CREATE OPERATOR < (
	LEFTARG = po_line_type, RIGHTARG = po_line_type, FUNCTION = po_line_type_lt,
	COMMUTATOR = >, NEGATOR = >=,
	RESTRICT = scalarltsel, JOIN = scalarltjoinsel
);
COMMENT ON OPERATOR < (po_line_type, po_line_type) IS 'less than';

CREATE OPERATOR <= (
	LEFTARG = po_line_type, RIGHTARG = po_line_type, FUNCTION = po_line_type_le,
	COMMUTATOR = >=, NEGATOR = >,
	RESTRICT = scalarlesel, JOIN = scalarlejoinsel
);
COMMENT ON OPERATOR <= (po_line_type, po_line_type) IS 'less than or equal';

CREATE OPERATOR = (
	LEFTARG = po_line_type, RIGHTARG = po_line_type, FUNCTION = po_line_type_eq,
	COMMUTATOR = =, NEGATOR = <>,
	RESTRICT = eqsel, JOIN = eqjoinsel,
	HASHES, MERGES
);
COMMENT ON OPERATOR = (po_line_type, po_line_type) IS 'equal';

CREATE OPERATOR <> (
	LEFTARG = po_line_type, RIGHTARG = po_line_type, FUNCTION = po_line_type_ne,
	COMMUTATOR = <>, NEGATOR = =,
	RESTRICT = neqsel, JOIN = neqjoinsel
);
COMMENT ON OPERATOR <> (po_line_type, po_line_type) IS 'not equal';

CREATE OPERATOR >= (
	LEFTARG = po_line_type, RIGHTARG = po_line_type, FUNCTION = po_line_type_ge,
	COMMUTATOR = <=, NEGATOR = <,
	RESTRICT = scalargesel, JOIN = scalargejoinsel
);
COMMENT ON OPERATOR >= (po_line_type, po_line_type) IS 'greater than or equal';

CREATE OPERATOR > (
	LEFTARG = po_line_type, RIGHTARG = po_line_type, FUNCTION = po_line_type_gt,
	COMMUTATOR = <, NEGATOR = <=,
	RESTRICT = scalargtsel, JOIN = scalargtjoinsel
);
COMMENT ON OPERATOR > (po_line_type, po_line_type) IS 'greater than';

CREATE FUNCTION po_line_type_cmp(po_line_type, po_line_type) RETURNS integer
	AS 'MODULE_PATHNAME', 'po_line_type_cmp'
	LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION po_line_type_cmp(po_line_type, po_line_type) IS 'less-equal-greater';

CREATE FUNCTION po_line_type_sortsupport(internal) RETURNS void
	AS 'MODULE_PATHNAME', 'po_line_type_sortsupport'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION po_line_type_sortsupport(internal) IS 'sort support';

CREATE FUNCTION po_line_type_hash(po_line_type) RETURNS integer
	AS 'MODULE_PATHNAME', 'po_line_type_hash'
	LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION po_line_type_hash(po_line_type) IS 'hash';

CREATE FUNCTION po_line_type_hash_extended(po_line_type, bigint) RETURNS bigint
	AS 'MODULE_PATHNAME', 'po_line_type_hash_extended'
	LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION po_line_type_hash_extended(po_line_type, bigint) IS 'hash';

CREATE OPERATOR CLASS po_line_type_ops DEFAULT FOR TYPE po_line_type USING btree AS
	OPERATOR 1 <,
	OPERATOR 2 <=,
	OPERATOR 3 =,
	OPERATOR 4 >=,
	OPERATOR 5 >,
	FUNCTION 1 po_line_type_cmp(po_line_type, po_line_type),
	FUNCTION 2 po_line_type_sortsupport(internal),
	FUNCTION 4 btequalimage(oid);
COMMENT ON OPERATOR CLASS po_line_type_ops USING btree IS 'order of po_line_type';
COMMENT ON OPERATOR FAMILY po_line_type_ops USING btree IS 'order of po_line_type';

CREATE OPERATOR CLASS po_line_type_ops DEFAULT FOR TYPE po_line_type USING hash AS
	OPERATOR 1 =,
	FUNCTION 1 po_line_type_hash(po_line_type),
	FUNCTION 2 po_line_type_hash_extended(po_line_type, bigint);
COMMENT ON OPERATOR CLASS po_line_type_ops USING hash IS 'hash of po_line_type';
COMMENT ON OPERATOR FAMILY po_line_type_ops USING hash IS 'hash of po_line_type';

CREATE FUNCTION po_line_type_contains(po_line_type, po_line_type) RETURNS boolean
	AS 'MODULE_PATHNAME', 'po_line_type_contains'
	LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION po_line_type_contains(po_line_type, po_line_type) IS 'implementation of @> operator';

CREATE FUNCTION po_line_type_contained(po_line_type, po_line_type) RETURNS boolean
	AS 'MODULE_PATHNAME', 'po_line_type_contained'
	LANGUAGE C IMMUTABLE STRICT LEAKPROOF PARALLEL SAFE;
COMMENT ON FUNCTION po_line_type_contained(po_line_type, po_line_type) IS 'implementation of <@ operator';

CREATE OPERATOR @> (
	LEFTARG = po_line_type, RIGHTARG = po_line_type, FUNCTION = po_line_type_contains,
	COMMUTATOR = <@,
	RESTRICT = matchingsel, JOIN = matchingjoinsel
);
COMMENT ON OPERATOR @> (po_line_type, po_line_type) IS 'covers: is the same type or an ancestor';

CREATE OPERATOR <@ (
	LEFTARG = po_line_type, RIGHTARG = po_line_type, FUNCTION = po_line_type_contained,
	COMMUTATOR = @>,
	RESTRICT = matchingsel, JOIN = matchingjoinsel
);
COMMENT ON OPERATOR <@ (po_line_type, po_line_type) IS 'is covered by: is the same type or a descendant';

CREATE FUNCTION po_specificity(po_line_type) RETURNS integer
	AS 'MODULE_PATHNAME', 'po_specificity'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION po_specificity(po_line_type) IS 'depth of a type of charge in the tree, 0 for all';

CREATE FUNCTION po_ancestors(po_line_type) RETURNS po_line_type[]
	AS 'MODULE_PATHNAME', 'po_ancestors'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION po_ancestors(po_line_type) IS 'the types that cover a type of charge, from all to itself';

CREATE FUNCTION po_label(po_line_type) RETURNS text
	AS 'MODULE_PATHNAME', 'po_label'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION po_label(po_line_type) IS 'AWS name of a type of charge, else its path';

CREATE CAST (text AS po_line_type) WITH INOUT AS ASSIGNMENT;
COMMENT ON CAST (text AS po_line_type) IS 'the type of charge that is written there';

-- end of types

--
-- Reference data: sellers, their other names, types of charge
--
-- Seeds are dumped whole and switched off, never deleted: po_seed_trigger lets
-- the owner's insert of a seed that exists (a restore) update it. created_at
-- loses its default below, when the seeds are there.
--
CREATE TABLE po_seller (
	bill_from text COLLATE "C" PRIMARY KEY CHECK (bill_from <> ''),
	description text,
	enabled boolean NOT NULL DEFAULT true,
	seeded boolean NOT NULL DEFAULT false,
	created_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);

CREATE TABLE po_seller_alias (
	alias text COLLATE "C" PRIMARY KEY CHECK (alias <> ''),
	bill_from text COLLATE "C" NOT NULL REFERENCES po_seller,
	enabled boolean NOT NULL DEFAULT true,
	seeded boolean NOT NULL DEFAULT false,
	created_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);

CREATE TABLE po_taxonomy (
	line_type po_line_type PRIMARY KEY,
	label text,
	out_of_cycle_only boolean,
	enabled boolean NOT NULL DEFAULT true,
	seeded boolean NOT NULL DEFAULT false,
	created_at timestamptz NOT NULL DEFAULT pg_catalog.now()
);

CREATE TABLE po_seller_line_type (
	bill_from text COLLATE "C" NOT NULL REFERENCES po_seller,
	line_type po_line_type NOT NULL REFERENCES po_taxonomy,
	enabled boolean NOT NULL DEFAULT true,
	seeded boolean NOT NULL DEFAULT false,
	created_at timestamptz NOT NULL DEFAULT pg_catalog.now(),
	PRIMARY KEY (bill_from, line_type)
);

--
-- Configuration: accounts, orders, line items, contacts
--
-- The fill factors leave room for the heap-only updates that every booking
-- makes: booked_at of the account, balance of the line item. No index may
-- contain either column.
--
-- What a row may be is checked by the triggers, for history too, with better
-- messages than a CHECK has. The tables that a booking writes have no CHECKs
-- beside them: the server parses each anew for every statement, which was 40 %
-- of a booking.
--
CREATE TABLE po_account (
	account_id text COLLATE "C" PRIMARY KEY,
	currency text COLLATE "C" NOT NULL DEFAULT 'USD',
	period_basis text COLLATE "C" NOT NULL DEFAULT 'billing_period',
	time_zone text COLLATE "C" NOT NULL DEFAULT 'UTC',
	max_active_orders integer NOT NULL DEFAULT 100,
	max_line_items integer NOT NULL DEFAULT 100,
	max_contacts integer NOT NULL DEFAULT 10,
	alert_thresholds numeric[] NOT NULL DEFAULT '{0.75}',
	bill_to text,
	payment_terms text,
	marketplace_integration boolean NOT NULL DEFAULT true,
	closed_through po_month,
	created_at timestamptz NOT NULL,
	booked_at timestamptz NOT NULL
) WITH (fillfactor = 45);

CREATE TABLE po_order (
	account_id text COLLATE "C" NOT NULL REFERENCES po_account,
	po_number text COLLATE "C" NOT NULL,
	bill_from text COLLATE "C" NOT NULL REFERENCES po_seller,
	status text COLLATE "C" NOT NULL DEFAULT 'active' CHECK (status IN ('active', 'suspended')),
	effective_month po_month NOT NULL,
	expiration_month po_month NOT NULL,
	currency text COLLATE "C" NOT NULL CHECK (currency ~ '^[A-Z]{3}$'),
	description text,
	ship_to text,
	tax_registration_numbers text[] COLLATE "C",
	tags jsonb,
	source text COLLATE "C" NOT NULL DEFAULT 'user' CHECK (source IN ('user', 'marketplace')),
	created_at timestamptz NOT NULL,
	updated_at timestamptz NOT NULL,
	expiration_set_on date,
	PRIMARY KEY (account_id, po_number),
	CHECK (effective_month <= expiration_month)
);
-- read backwards: a seller's orders, the newest first, without a look at years of expired ones in the table
CREATE INDEX po_order_match ON po_order (account_id, bill_from, updated_at, expiration_month);

CREATE TABLE po_line_item (
	line_item_id bigint NOT NULL,
	account_id text COLLATE "C" NOT NULL,
	po_number text COLLATE "C" NOT NULL,
	line_number text COLLATE "C" NOT NULL,
	line_type po_line_type NOT NULL,
	start_month po_month NOT NULL,
	end_month po_month NOT NULL,
	balance_tracked boolean NOT NULL DEFAULT false,
	amount numeric NOT NULL,
	quantity numeric NOT NULL DEFAULT 1,
	tax numeric NOT NULL DEFAULT 0,
	tax_kind text COLLATE "C" NOT NULL DEFAULT 'absolute',
	total_value numeric NOT NULL GENERATED ALWAYS AS (
		CASE tax_kind WHEN 'percent' THEN amount * quantity * (1 + tax * 0.01)
		ELSE amount * quantity + tax END) STORED,
	consumed_before numeric NOT NULL DEFAULT 0,
	balance numeric,
	agreement_id text COLLATE "C",
	description text,
	created_at timestamptz NOT NULL,
	updated_at timestamptz NOT NULL,
	agreement_moved_to text COLLATE "C",
	PRIMARY KEY (account_id, line_item_id),
	UNIQUE (account_id, po_number, line_number),
	FOREIGN KEY (account_id, po_number) REFERENCES po_order ON DELETE CASCADE
) WITH (fillfactor = 80);
-- answers one type of one order in one month; the months are keys so that line items of other months are not fetched
CREATE INDEX po_line_item_match ON po_line_item (account_id, po_number, line_type, start_month, end_month);
-- the line items of a marketplace agreement, when it gets another order
CREATE INDEX po_line_item_agreement ON po_line_item (account_id, agreement_id) WHERE agreement_id IS NOT NULL;
CREATE SEQUENCE po_line_item_id_seq OWNED BY po_line_item.line_item_id;

CREATE TABLE po_contact (
	account_id text COLLATE "C" NOT NULL,
	po_number text COLLATE "C" NOT NULL,
	email text COLLATE "C" NOT NULL,
	name text,
	title text,
	phone text,
	created_at timestamptz NOT NULL,
	PRIMARY KEY (account_id, po_number, email),
	FOREIGN KEY (account_id, po_number) REFERENCES po_order ON DELETE CASCADE
);

CREATE TABLE po_account_member (
	member_account_id text COLLATE "C" PRIMARY KEY CHECK (member_account_id <> ''),
	account_id text COLLATE "C" NOT NULL REFERENCES po_account,
	created_at timestamptz NOT NULL,
	CHECK (member_account_id <> account_id)
);
CREATE INDEX po_account_member_payer ON po_account_member (account_id);

--
-- The books: invoices with their association, the ledger, the change log, the outbox
--
CREATE TABLE po_invoice (
	account_id text COLLATE "C" NOT NULL,
	bill_from text COLLATE "C" NOT NULL,
	invoice_id text COLLATE "C" NOT NULL,
	kind text COLLATE "C" NOT NULL,
	line_type po_line_type NOT NULL,
	billing_month po_month NOT NULL,
	issued_on date NOT NULL,
	due_on date,
	amount numeric NOT NULL,
	currency text COLLATE "C" NOT NULL,
	tax_registration_number text COLLATE "C",
	agreement_id text COLLATE "C",
	requested_po_number text COLLATE "C",
	requested_line_number text COLLATE "C",
	out_of_cycle boolean,
	original_invoice_id text COLLATE "C",
	member_account_id text COLLATE "C",
	po_number text COLLATE "C",
	line_number text COLLATE "C",
	line_item_id bigint,
	association_kind text COLLATE "C",
	associated_at timestamptz,
	associated_by text COLLATE "C",
	voided_at timestamptz,
	recorded_at timestamptz NOT NULL,
	PRIMARY KEY (account_id, bill_from, invoice_id)
) WITH (fillfactor = 90);
CREATE INDEX po_invoice_order ON po_invoice (account_id, po_number, line_item_id) WHERE po_number IS NOT NULL;
CREATE INDEX po_invoice_unassociated ON po_invoice (account_id, issued_on) WHERE line_item_id IS NULL;
CREATE INDEX po_invoice_original ON po_invoice (account_id, bill_from, original_invoice_id)
	WHERE original_invoice_id IS NOT NULL;

CREATE TABLE po_ledger (
	entry_id bigint NOT NULL,
	account_id text COLLATE "C" NOT NULL,
	line_item_id bigint NOT NULL,
	po_number text COLLATE "C" NOT NULL,
	line_number text COLLATE "C" NOT NULL,
	bill_from text COLLATE "C",
	invoice_id text COLLATE "C",
	entry_kind text COLLATE "C" NOT NULL,
	amount numeric NOT NULL,
	balance_after numeric,
	recorded_at timestamptz NOT NULL,
	recorded_by text COLLATE "C" NOT NULL,
	note text,
	PRIMARY KEY (account_id, line_item_id, entry_id)
);
CREATE SEQUENCE po_ledger_entry_id_seq OWNED BY po_ledger.entry_id;

CREATE TABLE po_change_log (
	change_id bigint NOT NULL,
	account_id text COLLATE "C" NOT NULL,
	po_number text COLLATE "C",
	line_number text COLLATE "C",
	operation text COLLATE "C" NOT NULL CHECK (operation IN ('insert', 'update', 'delete')),
	old jsonb,
	new jsonb,
	changed_at timestamptz NOT NULL,
	changed_by text COLLATE "C" NOT NULL,
	line_item_id bigint,
	order_updated_at timestamptz,
	PRIMARY KEY (account_id, change_id)
);
-- what was at a time is found from the changes since then
CREATE INDEX po_change_log_since ON po_change_log (account_id, changed_at);
CREATE SEQUENCE po_change_log_change_id_seq OWNED BY po_change_log.change_id;

CREATE TABLE po_notification (
	notification_id bigint NOT NULL,
	account_id text COLLATE "C" NOT NULL,
	po_number text COLLATE "C" NOT NULL,
	line_number text COLLATE "C",
	kind text COLLATE "C" NOT NULL CHECK (kind IN ('balance', 'expiration')),
	threshold numeric,
	due_on date,
	recipients text[] NOT NULL,
	subject text NOT NULL,
	body text NOT NULL,
	created_at timestamptz NOT NULL,
	claimed_until timestamptz,
	sent_at timestamptz,
	attempts integer NOT NULL DEFAULT 0,
	last_error text,
	delivered_to text[] NOT NULL DEFAULT '{}',
	PRIMARY KEY (account_id, notification_id),
	FOREIGN KEY (account_id, po_number) REFERENCES po_order ON DELETE CASCADE
);
CREATE UNIQUE INDEX po_notification_due ON po_notification (account_id, po_number, due_on) WHERE kind = 'expiration';
CREATE INDEX po_notification_unsent ON po_notification (notification_id) WHERE sent_at IS NULL;
CREATE INDEX po_notification_order ON po_notification (account_id, po_number);
CREATE SEQUENCE po_notification_notification_id_seq OWNED BY po_notification.notification_id;

-- which setting the policies ask, for they are not dumped: see po_enable_row_security
CREATE TABLE po_row_security (
	setting text COLLATE "C" PRIMARY KEY,
	enabled_at timestamptz NOT NULL
);

--
-- Seeds
--
INSERT INTO po_seller (bill_from, description, seeded) VALUES
	('AWS Inc.', 'United States, and wherever no other seller is named', true),
	('AWS EMEA SARL', 'Europe, Middle East and Africa', true),
	('AWS Australia', 'Australia', true),
	('AWS Brazil', 'Brazil', true),
	('AWS Canada', 'Canada', true),
	('AWS India', 'India', true),
	('AWS Japan', 'Japan', true),
	('AWS Korea', 'Republic of Korea', true),
	('AWS Malaysia', 'Malaysia', true),
	('AWS New Zealand', 'New Zealand', true),
	('AWS Singapore', 'Singapore', true),
	('AWS South Africa', 'South Africa', true),
	('AWS Turkey', 'Turkey', true);

INSERT INTO po_seller_alias (alias, bill_from, seeded) VALUES
	('Amazon Web Services, Inc.', 'AWS Inc.', true),
	('Amazon Web Services EMEA SARL', 'AWS EMEA SARL', true),
	('AWS Europe', 'AWS EMEA SARL', true),
	('Amazon Web Services Australia Pty Ltd', 'AWS Australia', true),
	('Amazon Web Services Canada, Inc.', 'AWS Canada', true),
	('AWS Canada, Inc.', 'AWS Canada', true),
	('Amazon Web Services India Private Limited', 'AWS India', true),
	('Amazon Internet Services Private Limited', 'AWS India', true),
	('AISPL', 'AWS India', true),
	('Amazon Web Services Japan G.K.', 'AWS Japan', true),
	('Amazon Web Services Korea LLC', 'AWS Korea', true),
	('Amazon Web Services Malaysia Sdn. Bhd.', 'AWS Malaysia', true),
	('Amazon Web Services New Zealand Limited', 'AWS New Zealand', true),
	('Amazon Web Services Singapore Private Limited', 'AWS Singapore', true),
	('Amazon Web Services South Africa Proprietary Limited', 'AWS South Africa', true);

-- names that not every encoding can hold, so that this file is ASCII
INSERT INTO po_seller_alias (alias, bill_from, seeded)
	SELECT pg_catalog.convert_from(v.alias, 'UTF8'), v.bill_from, true
	FROM (VALUES
		('\x416d617a6f6e20415753205365727669c3a76f732042726173696c204c7464612e'::bytea, 'AWS Brazil'),
		('\x415753205475726b65792050617a61726c616d612054656b6e6f6c6f6a692076652044616ec4b1c59f6d616e6cc4b16b2048697a6d65746c657269204c696d6974656420c59e69726b657469'::bytea, 'AWS Turkey')
		OFFSET 0) AS v(alias, bill_from)
	WHERE pg_catalog.getdatabaseencoding() = 'UTF8';

INSERT INTO po_taxonomy (line_type, label, out_of_cycle_only, seeded) VALUES
	('all', 'ALL', NULL, true),
	('usage', 'AWS Monthly Usage', NULL, true),
	('subscription', 'AWS Subscription Purchase', NULL, true),
	('marketplace', 'AWS Marketplace Blanket Usage', NULL, true),
	('marketplace.transaction', 'AWS Marketplace Transaction', true, true),
	('professional_services', 'AWS Professional Services and Training Purchase', true, true);

INSERT INTO po_seller_line_type (bill_from, line_type, seeded)
	SELECT s.bill_from, t.line_type, true
	FROM po_seller s, po_taxonomy t
	WHERE t.line_type IN ('usage', 'subscription')
	OR t.line_type = 'marketplace'
		AND s.bill_from IN ('AWS Inc.', 'AWS EMEA SARL', 'AWS Australia', 'AWS New Zealand')
	OR t.line_type = 'professional_services' AND s.bill_from = 'AWS Inc.';

ALTER TABLE po_seller ALTER created_at DROP DEFAULT;
ALTER TABLE po_seller_alias ALTER created_at DROP DEFAULT;
ALTER TABLE po_taxonomy ALTER created_at DROP DEFAULT;
ALTER TABLE po_seller_line_type ALTER created_at DROP DEFAULT;

--
-- References
--
-- That what a new row refers to is there is asked by our own triggers, which
-- take history as it is: pg_restore -j loads the tables in any order. What a
-- delete or an update of the other side does remains with the foreign keys.
--
DO $$
DECLARE
	reference record;
BEGIN
	FOR reference IN
		SELECT k.conrelid::pg_catalog.regclass AS relation, t.tgname
		FROM pg_catalog.pg_constraint k
		JOIN pg_catalog.pg_trigger t ON t.tgconstraint = k.oid AND t.tgrelid = k.conrelid
		WHERE k.contype = 'f' AND k.confrelid = ANY (
			'{po_seller,po_taxonomy,po_account,po_order}'::pg_catalog.regclass[])
	LOOP
		EXECUTE pg_catalog.format('ALTER TABLE %s DISABLE TRIGGER %I', reference.relation, reference.tgname);
	END LOOP;
END $$;

--
-- Time
--
CREATE FUNCTION po_now() RETURNS timestamptz
	AS 'MODULE_PATHNAME', 'po_now'
	LANGUAGE C STABLE STRICT PARALLEL SAFE;

CREATE FUNCTION po_today(account_id text) RETURNS date
	LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	SELECT (po_now() AT TIME ZONE coalesce(
		(SELECT a.time_zone FROM po_account a WHERE a.account_id = po_today.account_id), 'UTC'))::date;
END;

--
-- Matching
--
CREATE TYPE po_match AS (
	rank integer,
	po_number text,
	line_number text,
	line_item_id bigint,
	line_type po_line_type,
	specificity integer,
	covers boolean,
	balance numeric,
	po_updated_at timestamptz
);

CREATE TYPE po_explanation AS (
	po_number text,
	line_number text,
	rank integer,
	outcome text,
	stage text,
	reason text
);

CREATE FUNCTION po_match_support(internal) RETURNS internal
	AS 'MODULE_PATHNAME', 'po_match_support'
	LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;

CREATE FUNCTION po_match_invoice(
	account_id text,
	bill_from text,
	line_type po_line_type,
	billing_month po_month,
	amount numeric,
	currency text DEFAULT NULL,
	issued_on date DEFAULT NULL,
	requested_po_number text DEFAULT NULL,
	requested_line_number text DEFAULT NULL,
	agreement_id text DEFAULT NULL,
	tax_registration_number text DEFAULT NULL,
	out_of_cycle boolean DEFAULT NULL,
	max_rank integer DEFAULT NULL
) RETURNS SETOF po_match
	AS 'MODULE_PATHNAME', 'po_match_invoice'
	LANGUAGE C STABLE PARALLEL SAFE COST 1000 ROWS 5 SUPPORT po_match_support;

CREATE FUNCTION po_match_invoice(invoice po_invoice, max_rank integer DEFAULT NULL)
	RETURNS SETOF po_match
	AS 'MODULE_PATHNAME', 'po_match_invoice_row'
	LANGUAGE C STABLE PARALLEL SAFE COST 1000 ROWS 5 SUPPORT po_match_support;

CREATE FUNCTION po_explain_match(
	account_id text,
	bill_from text,
	line_type po_line_type,
	billing_month po_month,
	amount numeric,
	currency text DEFAULT NULL,
	issued_on date DEFAULT NULL,
	requested_po_number text DEFAULT NULL,
	requested_line_number text DEFAULT NULL,
	agreement_id text DEFAULT NULL,
	tax_registration_number text DEFAULT NULL,
	out_of_cycle boolean DEFAULT NULL,
	max_rank integer DEFAULT NULL
) RETURNS SETOF po_explanation
	AS 'MODULE_PATHNAME', 'po_explain_match'
	LANGUAGE C STABLE PARALLEL SAFE COST 10000 ROWS 50;

CREATE FUNCTION po_explain_match(invoice po_invoice, max_rank integer DEFAULT NULL)
	RETURNS SETOF po_explanation
	AS 'MODULE_PATHNAME', 'po_explain_match_row'
	LANGUAGE C STABLE PARALLEL SAFE COST 10000 ROWS 50;

-- objects one over the other, the last on top: what changes have left, or what was before them
CREATE AGGREGATE po_merge(jsonb) (SFUNC = jsonb_concat, STYPE = jsonb, PARALLEL = SAFE);

CREATE FUNCTION po_explain_invoice(account_id text, bill_from text, invoice_id text)
	RETURNS SETOF po_explanation
	AS 'MODULE_PATHNAME', 'po_explain_invoice'
	LANGUAGE C STABLE PARALLEL SAFE COST 10000 ROWS 50;

--
-- Triggers
--
-- On each table ours sorts last BEFORE a row, to have the last word on it, and
-- first AFTER a row. Only the extension may make triggers of these functions.
--
CREATE FUNCTION po_seed_trigger() RETURNS trigger
	AS 'MODULE_PATHNAME', 'po_seed_trigger' LANGUAGE C;
CREATE FUNCTION po_append_only_trigger() RETURNS trigger
	AS 'MODULE_PATHNAME', 'po_append_only_trigger' LANGUAGE C;
CREATE FUNCTION po_stamp_trigger() RETURNS trigger
	AS 'MODULE_PATHNAME', 'po_stamp_trigger' LANGUAGE C;
CREATE FUNCTION po_truncate_trigger() RETURNS trigger
	AS 'MODULE_PATHNAME', 'po_truncate_trigger' LANGUAGE C;
CREATE FUNCTION po_statement_trigger() RETURNS trigger
	AS 'MODULE_PATHNAME', 'po_statement_trigger' LANGUAGE C;
CREATE FUNCTION po_account_trigger() RETURNS trigger
	AS 'MODULE_PATHNAME', 'po_account_trigger' LANGUAGE C;
CREATE FUNCTION po_order_trigger() RETURNS trigger
	AS 'MODULE_PATHNAME', 'po_order_trigger' LANGUAGE C;
CREATE FUNCTION po_line_item_trigger() RETURNS trigger
	AS 'MODULE_PATHNAME', 'po_line_item_trigger' LANGUAGE C;
CREATE FUNCTION po_contact_trigger() RETURNS trigger
	AS 'MODULE_PATHNAME', 'po_contact_trigger' LANGUAGE C;
CREATE FUNCTION po_invoice_trigger() RETURNS trigger
	AS 'MODULE_PATHNAME', 'po_invoice_trigger' LANGUAGE C;

REVOKE EXECUTE ON FUNCTION po_seed_trigger(), po_append_only_trigger(), po_stamp_trigger(),
	po_truncate_trigger(), po_statement_trigger(), po_account_trigger(), po_order_trigger(),
	po_line_item_trigger(), po_contact_trigger(), po_invoice_trigger() FROM PUBLIC;

CREATE TRIGGER "~po_mgmt_truncate" BEFORE TRUNCATE ON po_seller
	FOR EACH STATEMENT EXECUTE FUNCTION po_truncate_trigger();
CREATE TRIGGER "~po_mgmt_before" BEFORE INSERT OR UPDATE OR DELETE ON po_seller
	FOR EACH ROW EXECUTE FUNCTION po_seed_trigger();
CREATE TRIGGER "~po_mgmt_truncate" BEFORE TRUNCATE ON po_seller_alias
	FOR EACH STATEMENT EXECUTE FUNCTION po_truncate_trigger();
CREATE TRIGGER "~po_mgmt_before" BEFORE INSERT OR UPDATE OR DELETE ON po_seller_alias
	FOR EACH ROW EXECUTE FUNCTION po_seed_trigger();
CREATE TRIGGER "~po_mgmt_truncate" BEFORE TRUNCATE ON po_taxonomy
	FOR EACH STATEMENT EXECUTE FUNCTION po_truncate_trigger();
CREATE TRIGGER "~po_mgmt_before" BEFORE INSERT OR UPDATE OR DELETE ON po_taxonomy
	FOR EACH ROW EXECUTE FUNCTION po_seed_trigger();
CREATE TRIGGER "~po_mgmt_truncate" BEFORE TRUNCATE ON po_seller_line_type
	FOR EACH STATEMENT EXECUTE FUNCTION po_truncate_trigger();
CREATE TRIGGER "~po_mgmt_before" BEFORE INSERT OR UPDATE OR DELETE ON po_seller_line_type
	FOR EACH ROW EXECUTE FUNCTION po_seed_trigger();

CREATE TRIGGER "~po_mgmt_statement" BEFORE INSERT OR UPDATE OR DELETE ON po_account
	FOR EACH STATEMENT EXECUTE FUNCTION po_statement_trigger();
CREATE TRIGGER "~po_mgmt_truncate" BEFORE TRUNCATE ON po_account
	FOR EACH STATEMENT EXECUTE FUNCTION po_truncate_trigger();
CREATE TRIGGER "~po_mgmt_before" BEFORE INSERT OR UPDATE OR DELETE ON po_account
	FOR EACH ROW EXECUTE FUNCTION po_account_trigger();

CREATE TRIGGER "~po_mgmt_statement" BEFORE INSERT OR UPDATE OR DELETE ON po_order
	FOR EACH STATEMENT EXECUTE FUNCTION po_statement_trigger();
CREATE TRIGGER "~po_mgmt_before" BEFORE INSERT OR UPDATE OR DELETE ON po_order
	FOR EACH ROW EXECUTE FUNCTION po_order_trigger();
CREATE TRIGGER "!po_mgmt_after" AFTER INSERT OR UPDATE OR DELETE ON po_order
	FOR EACH ROW EXECUTE FUNCTION po_order_trigger();
-- under replication, too: sessions that keep accounts in memory have to be told
ALTER TABLE po_order ENABLE ALWAYS TRIGGER "!po_mgmt_after";
CREATE TRIGGER "~po_mgmt_truncate" BEFORE TRUNCATE ON po_order
	FOR EACH STATEMENT EXECUTE FUNCTION po_truncate_trigger();

CREATE TRIGGER "~po_mgmt_statement" BEFORE INSERT OR UPDATE OR DELETE ON po_line_item
	FOR EACH STATEMENT EXECUTE FUNCTION po_statement_trigger();
CREATE TRIGGER "~po_mgmt_before" BEFORE INSERT OR UPDATE OR DELETE ON po_line_item
	FOR EACH ROW EXECUTE FUNCTION po_line_item_trigger();
CREATE TRIGGER "!po_mgmt_after" AFTER INSERT OR UPDATE OR DELETE ON po_line_item
	FOR EACH ROW EXECUTE FUNCTION po_line_item_trigger();
ALTER TABLE po_line_item ENABLE ALWAYS TRIGGER "!po_mgmt_after";
CREATE TRIGGER "~po_mgmt_truncate" BEFORE TRUNCATE ON po_line_item
	FOR EACH STATEMENT EXECUTE FUNCTION po_truncate_trigger();

CREATE TRIGGER "~po_mgmt_before" BEFORE INSERT OR UPDATE ON po_contact
	FOR EACH ROW EXECUTE FUNCTION po_contact_trigger();
CREATE TRIGGER "!po_mgmt_after" AFTER INSERT ON po_contact
	FOR EACH ROW EXECUTE FUNCTION po_contact_trigger();

CREATE TRIGGER "~po_mgmt_before" BEFORE INSERT OR UPDATE ON po_account_member
	FOR EACH ROW EXECUTE FUNCTION po_stamp_trigger();
CREATE TRIGGER "~po_mgmt_before" BEFORE INSERT OR UPDATE ON po_notification
	FOR EACH ROW EXECUTE FUNCTION po_stamp_trigger();

CREATE TRIGGER "~po_mgmt_before" BEFORE INSERT OR UPDATE OR DELETE ON po_invoice
	FOR EACH ROW EXECUTE FUNCTION po_invoice_trigger();
CREATE TRIGGER "!po_mgmt_after" AFTER INSERT OR UPDATE OR DELETE ON po_invoice
	FOR EACH ROW EXECUTE FUNCTION po_invoice_trigger();
CREATE TRIGGER "~po_mgmt_truncate" BEFORE TRUNCATE ON po_invoice
	FOR EACH STATEMENT EXECUTE FUNCTION po_truncate_trigger();

CREATE TRIGGER "~po_mgmt_before" BEFORE INSERT OR UPDATE OR DELETE ON po_ledger
	FOR EACH ROW EXECUTE FUNCTION po_append_only_trigger('recorded_at');
CREATE TRIGGER "~po_mgmt_truncate" BEFORE TRUNCATE ON po_ledger
	FOR EACH STATEMENT EXECUTE FUNCTION po_truncate_trigger();
CREATE TRIGGER "~po_mgmt_before" BEFORE INSERT OR UPDATE OR DELETE ON po_change_log
	FOR EACH ROW EXECUTE FUNCTION po_append_only_trigger('changed_at');
CREATE TRIGGER "~po_mgmt_truncate" BEFORE TRUNCATE ON po_change_log
	FOR EACH STATEMENT EXECUTE FUNCTION po_truncate_trigger();

--
-- Status
--
-- Not STRICT, so that it is inlined where a view asks for thousands.
CREATE FUNCTION po_status("order" po_order, day date) RETURNS text
	LANGUAGE sql IMMUTABLE PARALLEL SAFE
RETURN CASE WHEN day::po_month <= ("order").expiration_month
		THEN CASE ("order").status WHEN 'suspended' THEN 'Suspended' ELSE 'Active' END
	WHEN day::po_month > ("order").expiration_month
		THEN CASE ("order").status WHEN 'suspended' THEN 'Suspended-expired' ELSE 'Expired' END
	END;

CREATE FUNCTION po_status("order" po_order) RETURNS text
	LANGUAGE sql STABLE STRICT PARALLEL SAFE
RETURN po_status("order", po_today(("order").account_id));

CREATE FUNCTION po_suspend(account_id text, po_number text) RETURNS text
	AS 'MODULE_PATHNAME', 'po_suspend'
	LANGUAGE C VOLATILE PARALLEL UNSAFE;

CREATE FUNCTION po_activate(account_id text, po_number text) RETURNS text
	AS 'MODULE_PATHNAME', 'po_activate'
	LANGUAGE C VOLATILE PARALLEL UNSAFE;

CREATE FUNCTION po_extend(account_id text, po_number text, expiration_month po_month,
		line_items boolean DEFAULT false) RETURNS text
	AS 'MODULE_PATHNAME', 'po_extend'
	LANGUAGE C VOLATILE PARALLEL UNSAFE;

CREATE FUNCTION po_copy_order(account_id text, po_number text, new_po_number text,
		effective_month po_month, expiration_month po_month) RETURNS po_order
	AS 'MODULE_PATHNAME', 'po_copy_order'
	LANGUAGE C VOLATILE PARALLEL UNSAFE;

CREATE FUNCTION po_move_member(member_account_id text, account_id text) RETURNS text
	AS 'MODULE_PATHNAME', 'po_move_member'
	LANGUAGE C VOLATILE PARALLEL UNSAFE;

REVOKE EXECUTE ON FUNCTION po_suspend(text, text), po_activate(text, text),
	po_extend(text, text, po_month, boolean),
	po_copy_order(text, text, text, po_month, po_month), po_move_member(text, text) FROM PUBLIC;

COMMENT ON FUNCTION po_copy_order(text, text, text, po_month, po_month) IS
	'an order again under another number, with its line items and contacts, for other months and with full balances; the new order';
COMMENT ON FUNCTION po_move_member(text, text) IS
	'gives a linked account another payer, for the invoices from then on; the payer before';

--
-- Notifications
--
CREATE FUNCTION po_scan_expirations(as_of date DEFAULT NULL) RETURNS bigint
	AS 'MODULE_PATHNAME', 'po_scan_expirations'
	LANGUAGE C VOLATILE PARALLEL UNSAFE;

CREATE FUNCTION po_schedule(schedule text DEFAULT '15 5 * * *') RETURNS text
	AS 'MODULE_PATHNAME', 'po_schedule'
	LANGUAGE C VOLATILE PARALLEL UNSAFE;

REVOKE EXECUTE ON FUNCTION po_scan_expirations(date), po_schedule(text) FROM PUBLIC;

--
-- Marketplace
--
CREATE FUNCTION po_marketplace_purchase(account_id text, po_number text, bill_from text,
		agreement_id text, start_month po_month, end_month po_month, amount numeric DEFAULT 0,
		line_number text DEFAULT NULL, description text DEFAULT NULL)
	RETURNS text
	AS 'MODULE_PATHNAME', 'po_marketplace_purchase'
	LANGUAGE C VOLATILE PARALLEL UNSAFE;

CREATE FUNCTION po_marketplace_payment(account_id text, po_number text, agreement_id text,
		month po_month, amount numeric, line_number text DEFAULT NULL, description text DEFAULT NULL)
	RETURNS text
	AS 'MODULE_PATHNAME', 'po_marketplace_payment'
	LANGUAGE C VOLATILE PARALLEL UNSAFE;

CREATE FUNCTION po_marketplace_change_order(account_id text, agreement_id text, po_number text)
	RETURNS text
	AS 'MODULE_PATHNAME', 'po_marketplace_change_order'
	LANGUAGE C VOLATILE PARALLEL UNSAFE;

REVOKE EXECUTE ON FUNCTION
	po_marketplace_purchase(text, text, text, text, po_month, po_month, numeric, text, text),
	po_marketplace_payment(text, text, text, po_month, numeric, text, text),
	po_marketplace_change_order(text, text, text) FROM PUBLIC;

COMMENT ON FUNCTION po_marketplace_purchase(text, text, text, text, po_month, po_month, numeric, text, text) IS
	'adds a marketplace contract to an order, which is made or goes on where need be; the line number';
COMMENT ON FUNCTION po_marketplace_payment(text, text, text, po_month, numeric, text, text) IS
	'adds a payment of a flexible payment schedule to the order of its contract; the line number';
COMMENT ON FUNCTION po_marketplace_change_order(text, text, text) IS
	'gives the future invoices of a marketplace agreement another order; the line number there';

--
-- Associations that change later
--
CREATE FUNCTION po_assign_invoice(account_id text, bill_from text, invoice_id text,
		po_number text, line_number text DEFAULT NULL, reason text DEFAULT NULL)
	RETURNS po_invoice
	AS 'MODULE_PATHNAME', 'po_assign_invoice'
	LANGUAGE C VOLATILE PARALLEL UNSAFE;

CREATE FUNCTION po_release_invoice(account_id text, bill_from text, invoice_id text,
		reason text DEFAULT NULL)
	RETURNS po_invoice
	AS 'MODULE_PATHNAME', 'po_release_invoice'
	LANGUAGE C VOLATILE PARALLEL UNSAFE;

CREATE FUNCTION po_void_invoice(account_id text, bill_from text, invoice_id text,
		reason text DEFAULT NULL)
	RETURNS po_invoice
	AS 'MODULE_PATHNAME', 'po_void_invoice'
	LANGUAGE C VOLATILE PARALLEL UNSAFE;

CREATE FUNCTION po_rematch_invoice(account_id text, bill_from text, invoice_id text,
		force boolean DEFAULT false)
	RETURNS po_invoice
	AS 'MODULE_PATHNAME', 'po_rematch_invoice'
	LANGUAGE C VOLATILE PARALLEL UNSAFE;

CREATE FUNCTION po_rematch_unassociated(account_id text DEFAULT NULL) RETURNS bigint
	AS 'MODULE_PATHNAME', 'po_rematch_unassociated'
	LANGUAGE C VOLATILE PARALLEL UNSAFE;

CREATE FUNCTION po_repair(account_id text) RETURNS bigint
	AS 'MODULE_PATHNAME', 'po_repair'
	LANGUAGE C VOLATILE PARALLEL UNSAFE;

REVOKE EXECUTE ON FUNCTION
	po_assign_invoice(text, text, text, text, text, text),
	po_release_invoice(text, text, text, text),
	po_void_invoice(text, text, text, text),
	po_rematch_invoice(text, text, text, boolean),
	po_rematch_unassociated(text), po_repair(text) FROM PUBLIC;

COMMENT ON FUNCTION po_assign_invoice(text, text, text, text, text, text) IS
	'books an invoice by hand on an order''s line item (without line_number: its best or only one); the invoice';
COMMENT ON FUNCTION po_release_invoice(text, text, text, text) IS
	'takes an invoice''s association back, and that of its credit memos; the invoice';
COMMENT ON FUNCTION po_void_invoice(text, text, text, text) IS
	'cancels an invoice: takes its association back and keeps its row; the invoice';
COMMENT ON FUNCTION po_rematch_invoice(text, text, text, boolean) IS
	'associates an invoice anew by today''s configuration; one assigned by hand only with force; the invoice';
COMMENT ON FUNCTION po_rematch_unassociated(text) IS
	'tries the invoices of an account, or of all, that have no purchase order; how many got one';
COMMENT ON FUNCTION po_repair(text) IS
	'makes an account''s balances what its invoices leave, with an entry that says why; how many line items were mended';

--
-- Tables of invoices that are already there
--
-- What attaches a table is its triggers; their argument is the mapping. So it is dumped and
-- restored with the table, after its rows.
--
CREATE FUNCTION po_attached_trigger() RETURNS trigger
	AS 'MODULE_PATHNAME', 'po_attached_trigger' LANGUAGE C;

CREATE FUNCTION po_attach(invoices regclass, columns jsonb) RETURNS void
	AS 'MODULE_PATHNAME', 'po_attach'
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;

CREATE FUNCTION po_detach(invoices regclass) RETURNS void
	AS 'MODULE_PATHNAME', 'po_detach'
	LANGUAGE C VOLATILE STRICT PARALLEL UNSAFE;

CREATE PROCEDURE po_attach_existing(invoices regclass, batch integer DEFAULT 10000)
	AS 'MODULE_PATHNAME', 'po_attach_existing'
	LANGUAGE C;

REVOKE EXECUTE ON FUNCTION po_attached_trigger(), po_attach(regclass, jsonb), po_detach(regclass) FROM PUBLIC;
REVOKE EXECUTE ON PROCEDURE po_attach_existing(regclass, integer) FROM PUBLIC;

COMMENT ON FUNCTION po_attached_trigger() IS 'trigger of tables that po_attach() attached: their rows are invoices';
COMMENT ON FUNCTION po_attach(regclass, jsonb) IS
	'attaches a table of invoices that is already there; columns says which of its columns, or constant, is which of ours';
COMMENT ON FUNCTION po_detach(regclass) IS
	'detaches a table that was attached; its rows and their invoices stay';

COMMENT ON PROCEDURE po_attach_existing(regclass, integer) IS
	'books the rows that an attached table has already, in batches that are committed; it may be called again';

CREATE VIEW po_attachment WITH (security_invoker = true) AS
	SELECT t.tgrelid::regclass AS invoices,
		-- a condition of the caller's may be evaluated before ours
		CASE WHEN t.tgfoid = 'po_attached_trigger()'::regprocedure AND t.tgnargs = 1 THEN
			convert_from(substring(t.tgargs FROM 1 FOR length(t.tgargs) - 1), getdatabaseencoding())::jsonb END AS columns
	FROM pg_catalog.pg_depend d
	JOIN pg_catalog.pg_trigger t ON t.oid = d.objid
	WHERE d.classid = 'pg_catalog.pg_trigger'::regclass AND d.refclassid = 'pg_catalog.pg_proc'::regclass
		AND d.refobjid = 'po_attached_trigger()'::regprocedure
		AND t.tgname = '~po_mgmt_before' AND t.tgparentid = 0;

COMMENT ON VIEW po_attachment IS 'tables that po_attach() attached';
COMMENT ON COLUMN po_attachment.invoices IS 'the table';
COMMENT ON COLUMN po_attachment.columns IS 'its mapping: by the names of po_invoice its columns, constants and value maps';

CREATE FUNCTION po_balance_at(account_id text, po_number text, line_number text, at timestamptz)
	RETURNS numeric
	LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	-- the line item that has the number now, else one that had it then
	SELECT l.balance_after
	FROM po_ledger l
	LEFT JOIN po_line_item i ON i.account_id = po_balance_at.account_id
		AND i.po_number = po_balance_at.po_number AND i.line_number = po_balance_at.line_number
	WHERE l.account_id = po_balance_at.account_id AND l.recorded_at <= po_balance_at.at
		AND (l.line_item_id = i.line_item_id
			OR l.po_number = po_balance_at.po_number AND l.line_number = po_balance_at.line_number)
	ORDER BY (l.line_item_id IS NOT DISTINCT FROM i.line_item_id) DESC, l.entry_id DESC LIMIT 1;
END;
COMMENT ON FUNCTION po_balance_at(text, text, text, timestamptz) IS
	'balance of a line item at a moment, from the ledger; null where none was tracked then';

--
-- Integrity
--
CREATE FUNCTION po_enable_row_security(setting text) RETURNS integer
	AS 'MODULE_PATHNAME', 'po_enable_row_security'
	LANGUAGE C VOLATILE PARALLEL UNSAFE;
REVOKE EXECUTE ON FUNCTION po_enable_row_security(text) FROM PUBLIC;

CREATE FUNCTION po_check_integrity(
	OUT account_id text,
	OUT po_number text,
	OUT line_number text,
	OUT line_item_id bigint,
	OUT violation text,
	OUT expected text,
	OUT found text
) RETURNS SETOF record
	LANGUAGE sql STABLE PARALLEL SAFE COST 1000000 ROWS 10
BEGIN ATOMIC
	WITH booked AS (
		SELECT i.account_id, i.line_item_id, sum(i.amount) AS amount
		FROM po_invoice i WHERE i.line_item_id IS NOT NULL
		GROUP BY i.account_id, i.line_item_id
	), chain AS (
		SELECT l.account_id, l.line_item_id, l.entry_id, l.po_number, l.line_number,
			l.bill_from, l.invoice_id, l.amount, l.balance_after, l.recorded_at,
			sum(l.amount) OVER by_item AS running,
			lag(l.recorded_at) OVER by_account AS recorded_before
		FROM po_ledger l
		WINDOW by_item AS (PARTITION BY l.account_id, l.line_item_id ORDER BY l.entry_id),
			by_account AS (PARTITION BY l.account_id ORDER BY l.entry_id)
	), totals AS (
		SELECT c.account_id, c.line_item_id, sum(c.amount) AS amount
		FROM chain c GROUP BY c.account_id, c.line_item_id
	), by_invoice AS (
		SELECT c.account_id, c.bill_from, c.invoice_id, c.line_item_id, sum(c.amount) AS amount
		FROM chain c WHERE c.invoice_id IS NOT NULL
		GROUP BY c.account_id, c.bill_from, c.invoice_id, c.line_item_id
	), item AS (
		SELECT i.*, coalesce(b.amount, 0) AS booked, coalesce(t.amount, 0) AS entered
		FROM po_line_item i
		LEFT JOIN booked b ON b.account_id = i.account_id AND b.line_item_id = i.line_item_id
		LEFT JOIN totals t ON t.account_id = i.account_id AND t.line_item_id = i.line_item_id
		WHERE i.balance_tracked
	)
	SELECT i.account_id, i.po_number, i.line_number, i.line_item_id,
		'the balance is not what the invoices leave',
		(i.total_value - i.consumed_before - i.booked)::text, i.balance::text
	FROM item i
	WHERE i.balance IS DISTINCT FROM i.total_value - i.consumed_before - i.booked
	UNION ALL
	SELECT i.account_id, i.po_number, i.line_number, i.line_item_id,
		'the ledger does not add up to the balance', i.balance::text, i.entered::text
	FROM item i
	WHERE i.balance IS DISTINCT FROM i.entered
	UNION ALL
	SELECT c.account_id, c.po_number, c.line_number, c.line_item_id,
		'ledger entry ' || c.entry_id || ' does not follow from the one before',
		c.running::text, c.balance_after::text
	FROM chain c
	WHERE c.balance_after <> c.running
	UNION ALL
	SELECT c.account_id, c.po_number, c.line_number, c.line_item_id,
		'ledger entry ' || c.entry_id || ' was recorded before the entry that precedes it',
		c.recorded_before::text, c.recorded_at::text
	FROM chain c
	WHERE c.recorded_at < c.recorded_before
	UNION ALL
	SELECT coalesce(v.account_id, e.account_id), v.po_number, v.line_number,
		coalesce(v.line_item_id, e.line_item_id),
		'the ledger of invoice ' || coalesce(v.invoice_id, e.invoice_id) || ' of '
			|| coalesce(v.bill_from, e.bill_from) || ' does not add up to what is booked',
		(-coalesce(v.amount, 0))::text, coalesce(e.amount, 0)::text
	FROM (SELECT * FROM po_invoice WHERE po_invoice.line_item_id IS NOT NULL) v
	FULL JOIN by_invoice e ON e.account_id = v.account_id AND e.bill_from = v.bill_from
		AND e.invoice_id = v.invoice_id AND e.line_item_id = v.line_item_id
	WHERE coalesce(e.amount, 0) <> -coalesce(v.amount, 0)
	UNION ALL
	SELECT v.account_id, v.po_number, v.line_number, v.line_item_id,
		'invoice ' || v.invoice_id || ' of ' || v.bill_from || ' has another number than its line item',
		i.po_number || ' ' || i.line_number, v.po_number || ' ' || v.line_number
	FROM po_invoice v
	JOIN po_line_item i ON i.account_id = v.account_id AND i.line_item_id = v.line_item_id
	WHERE (i.po_number, i.line_number) IS DISTINCT FROM (v.po_number, v.line_number)
	UNION ALL
	SELECT r.account_id, r.po_number, r.line_number, r.line_item_id, r.what || ' does not exist', r.refers_to, NULL
	FROM (
		SELECT o.account_id, o.po_number, NULL AS line_number, NULL::bigint AS line_item_id,
			'the account of an order' AS what, o.account_id AS refers_to
		FROM po_order o WHERE NOT EXISTS (SELECT FROM po_account a WHERE a.account_id = o.account_id)
		UNION ALL
		SELECT o.account_id, o.po_number, NULL, NULL, 'the seller of an order', o.bill_from
		FROM po_order o WHERE NOT EXISTS (SELECT FROM po_seller s WHERE s.bill_from = o.bill_from)
		UNION ALL
		SELECT i.account_id, i.po_number, i.line_number, i.line_item_id, 'the order of a line item', i.po_number
		FROM po_line_item i
		WHERE NOT EXISTS (SELECT FROM po_order o WHERE o.account_id = i.account_id AND o.po_number = i.po_number)
		UNION ALL
		SELECT c.account_id, c.po_number, NULL, NULL, 'the order of contact ' || c.email, c.po_number
		FROM po_contact c
		WHERE NOT EXISTS (SELECT FROM po_order o WHERE o.account_id = c.account_id AND o.po_number = c.po_number)
		UNION ALL
		SELECT n.account_id, n.po_number, n.line_number, NULL, 'the order of notification ' || n.notification_id, n.po_number
		FROM po_notification n
		WHERE NOT EXISTS (SELECT FROM po_order o WHERE o.account_id = n.account_id AND o.po_number = n.po_number)
		UNION ALL
		SELECT m.account_id, NULL, NULL, NULL, 'the payer of member ' || m.member_account_id, m.account_id
		FROM po_account_member m WHERE NOT EXISTS (SELECT FROM po_account a WHERE a.account_id = m.account_id)
		UNION ALL
		SELECT NULL, NULL, NULL, NULL, 'the seller of alias ' || l.alias, l.bill_from
		FROM po_seller_alias l WHERE NOT EXISTS (SELECT FROM po_seller s WHERE s.bill_from = l.bill_from)
		UNION ALL
		SELECT NULL, NULL, NULL, NULL, 'the seller of type ' || t.line_type::text, t.bill_from
		FROM po_seller_line_type t WHERE NOT EXISTS (SELECT FROM po_seller s WHERE s.bill_from = t.bill_from)
		UNION ALL
		SELECT NULL, NULL, NULL, NULL, 'the type that ' || t.bill_from || ' bills', t.line_type::text
		FROM po_seller_line_type t WHERE NOT EXISTS (SELECT FROM po_taxonomy x WHERE x.line_type = t.line_type)
	) r
	UNION ALL
	SELECT NULL, NULL, NULL, NULL, 'row security of ' || t.relname || ' is not as po_enable_row_security() left it',
		coalesce('policy by ' || t.setting, 'none'),
		CASE WHEN t.qual IS NULL THEN 'none' WHEN t.relrowsecurity THEN t.qual ELSE 'switched off' END
	FROM (
		SELECT c.relname, c.relrowsecurity, s.setting, pg_get_expr(p.polqual, p.polrelid) AS qual,
			p.polpermissive AND p.polcmd = '*' AND p.polroles = '{0}' AND p.polwithcheck IS NULL AS is_ours
		FROM pg_extension e
		JOIN pg_depend d ON d.refobjid = e.oid AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
		JOIN pg_class c ON c.oid = d.objid AND d.classid = 'pg_class'::regclass AND c.relkind = 'r'
		JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'account_id'
		LEFT JOIN pg_policy p ON p.polrelid = c.oid AND p.polname = 'po_mgmt_account'
		LEFT JOIN po_row_security s ON true
		WHERE e.extname = 'po_mgmt'
	) t
	WHERE (t.setting IS NOT NULL OR t.qual IS NOT NULL)
		AND (t.setting IS NOT NULL AND t.relrowsecurity AND t.is_ours
			AND position('current_setting(' || quote_literal(t.setting) || '::text, true)' IN t.qual) > 0) IS NOT TRUE;
END;

--
-- Views for reports
--
-- What is seen is what the caller may read of the tables, row security included.
-- The sums are made by account and joined, so that a condition on account_id
-- reaches the tables, and all accounts are one pass over each table.
--
CREATE VIEW po_dashboard WITH (security_invoker = true) AS
	SELECT o.account_id, o.po_number, o.bill_from, o.currency,
		coalesce(i.value, 0) AS value, i.balance, o.effective_month, o.expiration_month,
		po_status(o, t.today) AS status, o.updated_at,
		o.status = 'active' AND t.today::po_month >= o.effective_month
			AND t.today::po_month <= o.expiration_month AS in_effect,
		coalesce(i.line_items, 0) AS line_items, i.tracked_value,
		coalesce(i.invoices, 0)::bigint AS invoices
	FROM po_order o
	LEFT JOIN po_account a ON a.account_id = o.account_id
	CROSS JOIN LATERAL (
		SELECT (po_now() AT TIME ZONE coalesce(a.time_zone, 'UTC'))::date AS today) t
	LEFT JOIN (
		SELECT l.account_id, l.po_number, sum(l.total_value) AS value, sum(l.balance) AS balance,
			sum(l.total_value) FILTER (WHERE l.balance_tracked) AS tracked_value,
			count(*) AS line_items, sum(v.invoices) AS invoices
		FROM po_line_item l
		-- by the line item: invoices of an earlier order of that number are not counted
		LEFT JOIN (
			SELECT b.account_id, b.po_number, b.line_item_id, count(*) AS invoices
			FROM po_invoice b WHERE b.po_number IS NOT NULL
			GROUP BY b.account_id, b.po_number, b.line_item_id
		) v ON v.account_id = l.account_id AND v.po_number = l.po_number AND v.line_item_id = l.line_item_id
		GROUP BY l.account_id, l.po_number
	) i ON i.account_id = o.account_id AND i.po_number = o.po_number;

COMMENT ON VIEW po_dashboard IS 'purchase orders with their sums and their status today, as the AWS dashboard lists them';
COMMENT ON COLUMN po_dashboard.account_id IS 'the account';
COMMENT ON COLUMN po_dashboard.po_number IS 'the order';
COMMENT ON COLUMN po_dashboard.bill_from IS 'its seller';
COMMENT ON COLUMN po_dashboard.currency IS 'currency of value, balance and tracked_value';
COMMENT ON COLUMN po_dashboard.value IS 'total value of all line items; 0 where there is none';
COMMENT ON COLUMN po_dashboard.balance IS 'balance of the tracked line items; null where none is tracked';
COMMENT ON COLUMN po_dashboard.effective_month IS 'first month of the order';
COMMENT ON COLUMN po_dashboard.expiration_month IS 'last month of the order';
COMMENT ON COLUMN po_dashboard.status IS 'Active, Suspended, Expired or Suspended-expired, today in the account''s time zone';
COMMENT ON COLUMN po_dashboard.updated_at IS 'when a user last changed the order or its line items';
COMMENT ON COLUMN po_dashboard.in_effect IS 'whether it pays for this month: active, and this month is one of its months';
COMMENT ON COLUMN po_dashboard.line_items IS 'number of line items';
COMMENT ON COLUMN po_dashboard.tracked_value IS 'total value of the tracked line items, which balance is what is left of; null where none is tracked';
COMMENT ON COLUMN po_dashboard.invoices IS 'number of invoices and credit memos booked on its line items';

CREATE VIEW po_line_item_status WITH (security_invoker = true) AS
	SELECT l.account_id, l.po_number, l.line_number, l.line_type, l.start_month, l.end_month,
		l.amount, l.quantity, l.tax, l.tax_kind, l.total_value, l.balance_tracked, l.balance,
		coalesce(l.balance < 0, false) AS overdrawn,
		CASE WHEN l.total_value > 0 THEN l.balance / l.total_value END AS share_left,
		coalesce(v.invoices, 0) AS invoices, coalesce(v.amount, 0) AS invoiced, l.consumed_before,
		o.bill_from, o.currency, po_status(o, t.today) AS order_status,
		o.status = 'active' AND t.today::po_month >= l.start_month
			AND t.today::po_month <= l.end_month AS in_effect,
		l.agreement_id, l.description, l.line_item_id, l.updated_at
	FROM po_line_item l
	JOIN po_order o ON o.account_id = l.account_id AND o.po_number = l.po_number
	LEFT JOIN po_account a ON a.account_id = l.account_id
	CROSS JOIN LATERAL (
		SELECT (po_now() AT TIME ZONE coalesce(a.time_zone, 'UTC'))::date AS today) t
	LEFT JOIN (
		SELECT b.account_id, b.po_number, b.line_item_id, count(*) AS invoices, sum(b.amount) AS amount
		FROM po_invoice b WHERE b.po_number IS NOT NULL
		GROUP BY b.account_id, b.po_number, b.line_item_id
	) v ON v.account_id = l.account_id AND v.po_number = l.po_number AND v.line_item_id = l.line_item_id;

COMMENT ON VIEW po_line_item_status IS 'line items with what is left, as the details page of an AWS purchase order lists them';
COMMENT ON COLUMN po_line_item_status.account_id IS 'the account';
COMMENT ON COLUMN po_line_item_status.po_number IS 'the order';
COMMENT ON COLUMN po_line_item_status.line_number IS 'the line item';
COMMENT ON COLUMN po_line_item_status.line_type IS 'type of charge; po_label(line_type) is its AWS name';
COMMENT ON COLUMN po_line_item_status.start_month IS 'first month that it pays for';
COMMENT ON COLUMN po_line_item_status.end_month IS 'last month that it pays for';
COMMENT ON COLUMN po_line_item_status.amount IS 'unit price in currency, without tax';
COMMENT ON COLUMN po_line_item_status.quantity IS 'number of units';
COMMENT ON COLUMN po_line_item_status.tax IS 'tax: in currency where tax_kind is absolute, in percent where it is percent';
COMMENT ON COLUMN po_line_item_status.tax_kind IS 'absolute or percent';
COMMENT ON COLUMN po_line_item_status.total_value IS 'what it is worth in all, in currency';
COMMENT ON COLUMN po_line_item_status.balance_tracked IS 'whether a balance is kept';
COMMENT ON COLUMN po_line_item_status.balance IS 'what is left, in currency; null where not tracked';
COMMENT ON COLUMN po_line_item_status.overdrawn IS 'whether the balance is below zero; false where not tracked';
COMMENT ON COLUMN po_line_item_status.share_left IS 'balance as a share of the total value; null where not tracked or worth nothing';
COMMENT ON COLUMN po_line_item_status.invoices IS 'number of invoices and credit memos booked on it';
COMMENT ON COLUMN po_line_item_status.invoiced IS 'their sum, in currency';
COMMENT ON COLUMN po_line_item_status.consumed_before IS 'spent on it before it came into this database, in currency';
COMMENT ON COLUMN po_line_item_status.bill_from IS 'seller of the order';
COMMENT ON COLUMN po_line_item_status.currency IS 'currency of all amounts';
COMMENT ON COLUMN po_line_item_status.order_status IS 'status of the order today';
COMMENT ON COLUMN po_line_item_status.in_effect IS 'whether it pays for this month: order active, and this month is one of its months';
COMMENT ON COLUMN po_line_item_status.agreement_id IS 'only invoices of this agreement fit; null: any invoice does';
COMMENT ON COLUMN po_line_item_status.description IS 'for your own use';
COMMENT ON COLUMN po_line_item_status.line_item_id IS 'its id';
COMMENT ON COLUMN po_line_item_status.updated_at IS 'when a user last changed it';

CREATE VIEW po_order_invoice WITH (security_invoker = true) AS
	SELECT v.issued_on, v.kind, v.invoice_id, v.line_number, v.amount, v.due_on,
		v.account_id, v.po_number, v.bill_from, v.currency, v.line_type, v.billing_month,
		v.association_kind, v.associated_at, v.associated_by, v.line_item_id,
		l.line_item_id IS NULL AS line_item_deleted
	FROM po_invoice v
	LEFT JOIN po_line_item l ON l.account_id = v.account_id AND l.line_item_id = v.line_item_id
	WHERE v.po_number IS NOT NULL;

COMMENT ON VIEW po_order_invoice IS 'invoices and credit memos of the orders, also of orders and line items that were deleted since';
COMMENT ON COLUMN po_order_invoice.issued_on IS 'date of the invoice';
COMMENT ON COLUMN po_order_invoice.kind IS 'invoice or credit_memo';
COMMENT ON COLUMN po_order_invoice.invoice_id IS 'its number';
COMMENT ON COLUMN po_order_invoice.line_number IS 'line item that it is booked on';
COMMENT ON COLUMN po_order_invoice.amount IS 'amount in currency, tax included; negative for a credit memo';
COMMENT ON COLUMN po_order_invoice.due_on IS 'date on which payment is due';
COMMENT ON COLUMN po_order_invoice.account_id IS 'the account';
COMMENT ON COLUMN po_order_invoice.po_number IS 'order that it is booked on';
COMMENT ON COLUMN po_order_invoice.bill_from IS 'its seller';
COMMENT ON COLUMN po_order_invoice.currency IS 'currency of the amount';
COMMENT ON COLUMN po_order_invoice.line_type IS 'type of charge of the invoice';
COMMENT ON COLUMN po_order_invoice.billing_month IS 'month that is billed';
COMMENT ON COLUMN po_order_invoice.association_kind IS 'automatic, manual or credit';
COMMENT ON COLUMN po_order_invoice.associated_at IS 'when it was associated';
COMMENT ON COLUMN po_order_invoice.associated_by IS 'role that inserted or associated it';
COMMENT ON COLUMN po_order_invoice.line_item_id IS 'id of the line item';
COMMENT ON COLUMN po_order_invoice.line_item_deleted IS 'true: the line item is gone; an order of that number, if there is one, is not charged with it';

CREATE VIEW po_unassociated_invoice WITH (security_invoker = true) AS
	SELECT v.account_id, v.bill_from, v.invoice_id, v.kind, v.line_type, v.billing_month,
		v.issued_on, v.due_on, v.amount, v.currency, v.requested_po_number, v.requested_line_number,
		v.agreement_id, v.recorded_at,
		-- the line item that came furthest in the filters: what to mend
		(SELECT CASE
				WHEN e.po_number IS NULL THEN e.reason
				WHEN e.outcome = 'selected' THEN 'Line item ' || e.line_number || ' of order ' || e.po_number
					|| ' would pay for it now: match it again.'
				WHEN e.line_number IS NULL THEN 'Order ' || e.po_number || ': ' || e.reason
				ELSE 'Line item ' || e.line_number || ' of order ' || e.po_number || ': ' || e.reason END
			FROM po_explain_match(v, 1) e
			ORDER BY e.rank, array_position('{requested_po,agreement,type,period,tax_registration,currency,bill_from,order_period,status}'::text[], e.stage),
				e.po_number, e.line_number LIMIT 1) AS reason
	FROM po_invoice v
	WHERE v.line_item_id IS NULL AND v.voided_at IS NULL;

COMMENT ON VIEW po_unassociated_invoice IS 'invoices and credit memos without a purchase order, void ones left out';
COMMENT ON COLUMN po_unassociated_invoice.account_id IS 'the account';
COMMENT ON COLUMN po_unassociated_invoice.bill_from IS 'seller';
COMMENT ON COLUMN po_unassociated_invoice.invoice_id IS 'number of the invoice';
COMMENT ON COLUMN po_unassociated_invoice.kind IS 'invoice or credit_memo';
COMMENT ON COLUMN po_unassociated_invoice.line_type IS 'type of charge';
COMMENT ON COLUMN po_unassociated_invoice.billing_month IS 'month that is billed';
COMMENT ON COLUMN po_unassociated_invoice.issued_on IS 'date of the invoice';
COMMENT ON COLUMN po_unassociated_invoice.due_on IS 'date on which payment is due';
COMMENT ON COLUMN po_unassociated_invoice.amount IS 'amount in currency, tax included';
COMMENT ON COLUMN po_unassociated_invoice.currency IS 'currency of the amount';
COMMENT ON COLUMN po_unassociated_invoice.requested_po_number IS 'order that it asks for';
COMMENT ON COLUMN po_unassociated_invoice.requested_line_number IS 'line item that it asks for';
COMMENT ON COLUMN po_unassociated_invoice.agreement_id IS 'agreement that it is of';
COMMENT ON COLUMN po_unassociated_invoice.recorded_at IS 'when the row was inserted';
COMMENT ON COLUMN po_unassociated_invoice.reason IS 'why, by today''s configuration: the line item that fits nearly, and what keeps it from paying';

CREATE VIEW po_monthly_spend WITH (security_invoker = true) AS
	SELECT v.account_id, v.currency, v.po_number, v.billing_month, sum(v.amount) AS amount, count(*) AS invoices
	FROM po_invoice v
	WHERE v.voided_at IS NULL
	GROUP BY v.account_id, v.currency, v.po_number, v.billing_month;

COMMENT ON VIEW po_monthly_spend IS 'what was invoiced by account, currency, order and billing month, void invoices left out';
COMMENT ON COLUMN po_monthly_spend.account_id IS 'the account';
COMMENT ON COLUMN po_monthly_spend.currency IS 'currency of the amount';
COMMENT ON COLUMN po_monthly_spend.po_number IS 'order that is charged, which may have been deleted since; null: unassociated';
COMMENT ON COLUMN po_monthly_spend.billing_month IS 'month that is billed';
COMMENT ON COLUMN po_monthly_spend.amount IS 'sum of the invoices and credit memos, in currency';
COMMENT ON COLUMN po_monthly_spend.invoices IS 'how many they are';

-- The pace is that of the last three months that are billed. Last month is one of them
-- once the line item has an invoice of it: invoices of a month come in the next.
CREATE VIEW po_forecast WITH (security_invoker = true) AS
	SELECT f.account_id, f.po_number, f.line_number, f.bill_from, f.currency, f.total_value, f.balance,
		f.spend / f.months AS monthly_spend, f.billed_through,
		CASE WHEN f.months_left <= '9999-12'::po_month - f.billed_through
			THEN f.billed_through + f.months_left::integer END AS runs_out_month,
		f.end_month,
		f.balance * f.months < greatest(f.spend, 0) * greatest(f.end_month - f.billed_through, 0) AS runs_out_early,
		f.line_item_id
	FROM (
		SELECT p.*, CASE WHEN p.balance <= 0 THEN 0
			WHEN p.spend > 0 THEN ceil(p.balance * p.months / p.spend) END AS months_left
		FROM (
			SELECT s.account_id, s.po_number, s.line_number, s.bill_from, s.currency, s.total_value,
				s.balance, s.end_month, s.line_item_id, t.billed_through,
				s.middle + CASE WHEN s.last_is_billed THEN s.last ELSE s.first END AS spend,
				greatest(least(3, t.billed_through - s.start_month + 1), 1) AS months
			FROM (
				SELECT l.account_id, l.po_number, l.line_number, o.bill_from, o.currency, l.total_value,
					l.balance, l.start_month, l.end_month, l.line_item_id, m.last_month,
					coalesce(bool_or(v.billing_month = m.last_month), false) AS last_is_billed,
					coalesce(sum(v.amount) FILTER (WHERE v.billing_month = m.last_month), 0) AS last,
					coalesce(sum(v.amount) FILTER (WHERE v.billing_month < m.last_month
						AND v.billing_month > m.last_month - 3), 0) AS middle,
					coalesce(sum(v.amount) FILTER (WHERE v.billing_month = m.last_month - 3), 0) AS first
				FROM po_line_item l
				JOIN po_order o ON o.account_id = l.account_id AND o.po_number = l.po_number
				LEFT JOIN po_account a ON a.account_id = l.account_id
				CROSS JOIN LATERAL (
					SELECT (po_now() AT TIME ZONE coalesce(a.time_zone, 'UTC'))::date::po_month - 1 AS last_month) m
				LEFT JOIN po_invoice v ON v.account_id = l.account_id AND v.po_number = l.po_number
					AND v.line_item_id = l.line_item_id
				WHERE l.balance_tracked
				GROUP BY l.account_id, l.line_item_id, o.bill_from, o.currency, m.last_month
			) s
			CROSS JOIN LATERAL (
				SELECT s.last_month - CASE WHEN s.last_is_billed THEN 0 ELSE 1 END AS billed_through) t
		) p
	) f;

COMMENT ON VIEW po_forecast IS 'when each tracked balance runs out, at the pace of the last three months that are billed';
COMMENT ON COLUMN po_forecast.account_id IS 'the account';
COMMENT ON COLUMN po_forecast.po_number IS 'the order';
COMMENT ON COLUMN po_forecast.line_number IS 'the line item, one whose balance is tracked';
COMMENT ON COLUMN po_forecast.bill_from IS 'seller of the order';
COMMENT ON COLUMN po_forecast.currency IS 'currency of all amounts';
COMMENT ON COLUMN po_forecast.total_value IS 'what it is worth in all';
COMMENT ON COLUMN po_forecast.balance IS 'what is left today';
COMMENT ON COLUMN po_forecast.monthly_spend IS 'the pace: invoices of the three billing months up to billed_through, or fewer where it began later, by month';
COMMENT ON COLUMN po_forecast.billed_through IS 'last month where the line item has an invoice of it, else the month before last';
COMMENT ON COLUMN po_forecast.runs_out_month IS 'billing month in which the balance comes to zero; billed_through where it has; null: not at this pace';
COMMENT ON COLUMN po_forecast.end_month IS 'last month that the line item pays for';
COMMENT ON COLUMN po_forecast.runs_out_early IS 'whether the balance is too small for what will be billed until then, at this pace';
COMMENT ON COLUMN po_forecast.line_item_id IS 'id of the line item';

--
-- Questions: past invoices and coming months under today's configuration
--
-- Nothing is written: each invoice is matched by itself, as if it alone had been given back.
CREATE FUNCTION po_backtest(
	account_id text,
	from_month po_month DEFAULT NULL,
	to_month po_month DEFAULT NULL,
	OUT billing_month po_month,
	OUT bill_from text,
	OUT invoice_id text,
	OUT amount numeric,
	OUT currency text,
	OUT association_kind text,
	OUT po_number text,
	OUT line_number text,
	OUT would_po_number text,
	OUT would_line_number text,
	OUT moves boolean,
	OUT reason text
) RETURNS SETOF record
	LANGUAGE sql STABLE PARALLEL SAFE COST 100000 ROWS 1000
BEGIN ATOMIC
	SELECT b.billing_month, b.bill_from, b.invoice_id, b.amount, b.currency, b.association_kind,
		b.po_number, b.line_number, b.would_po_number, b.would_line_number, b.moves,
		CASE WHEN b.moves THEN (
			SELECT concat_ws(' ',
				coalesce(max(e.reason) FILTER (WHERE e.outcome = 'selected'), 'No line item fits.'),
				CASE WHEN b.po_number IS NOT NULL THEN
					'Line item ' || b.line_number || ' of order ' || b.po_number || ', where it is: '
						|| coalesce(max(e.reason) FILTER (WHERE e.po_number = b.po_number AND e.line_number = b.line_number
							AND b.is_there), 'It was deleted.') END)
			FROM po_explain_match(b.invoice) e) END
	FROM (
		SELECT v AS invoice, v.*, m.po_number AS would_po_number, m.line_number AS would_line_number,
			m.line_item_id IS DISTINCT FROM v.line_item_id AS moves,
			EXISTS (SELECT FROM po_line_item l
				WHERE l.account_id = v.account_id AND l.line_item_id = v.line_item_id) AS is_there
		FROM po_invoice v
		LEFT JOIN po_match_invoice(v, 1) m ON true
		WHERE v.account_id = po_backtest.account_id AND v.voided_at IS NULL
			AND (po_backtest.from_month IS NULL OR v.billing_month >= po_backtest.from_month)
			AND (po_backtest.to_month IS NULL OR v.billing_month <= po_backtest.to_month)
	) b
	ORDER BY b.billing_month, b.issued_on, b.recorded_at, b.bill_from, b.invoice_id;
END;
COMMENT ON FUNCTION po_backtest(text, po_month, po_month) IS
	'where an account''s invoices of these months would go by today''s configuration, and why; writes nothing';

CREATE FUNCTION po_coverage(
	account_id text,
	from_month po_month,
	to_month po_month,
	amount numeric DEFAULT 0.01,
	OUT bill_from text,
	OUT line_type po_line_type,
	OUT currency text,
	OUT billing_month po_month,
	OUT po_number text,
	OUT line_number text,
	OUT item_type po_line_type,
	OUT covers boolean,
	OUT balance numeric
) RETURNS SETOF record
	LANGUAGE sql STABLE STRICT PARALLEL SAFE COST 100000 ROWS 100
BEGIN ATOMIC
	WITH seller AS (
		SELECT o.bill_from, o.currency FROM po_order o WHERE o.account_id = po_coverage.account_id
		UNION
		SELECT v.bill_from, v.currency FROM po_invoice v
		WHERE v.account_id = po_coverage.account_id AND v.voided_at IS NULL
	), path AS (
		-- as text: pg_upgrade makes functions before the operator classes of our types
		-- the types that it bills, by the rule of po_seller_line_type
		SELECT s.bill_from, s.currency, t.line_type::text COLLATE "C" AS path
		FROM seller s
		JOIN po_taxonomy t ON t.enabled AND t.line_type <> 'all'
		WHERE NOT EXISTS (SELECT FROM po_seller_line_type b WHERE b.bill_from = s.bill_from)
			OR EXISTS (SELECT FROM po_seller_line_type b WHERE b.bill_from = s.bill_from AND b.enabled
				AND b.line_type <> 'all' AND b.line_type @> t.line_type)
		UNION
		-- and what it has billed
		SELECT v.bill_from, v.currency, v.line_type::text FROM po_invoice v
		WHERE v.account_id = po_coverage.account_id AND v.voided_at IS NULL
	), charge AS (
		SELECT x.bill_from, x.currency, x.path, x.path::po_line_type AS line_type FROM path x
	)
	SELECT c.bill_from, c.line_type, c.currency, p.month,
		m.po_number, m.line_number, m.line_type, m.covers, m.balance
	FROM charge c
	CROSS JOIN LATERAL (
		SELECT n, po_coverage.from_month + n AS month
		FROM generate_series(0, po_coverage.to_month - po_coverage.from_month) n) p
	LEFT JOIN po_match_invoice(po_coverage.account_id, c.bill_from, c.line_type, p.month, po_coverage.amount,
		c.currency, issued_on => po_month_end(p.month), max_rank => 1) m ON true
	ORDER BY c.bill_from, c.currency, c.path <> 'all', c.path, p.n;
END;
COMMENT ON FUNCTION po_coverage(text, po_month, po_month, numeric) IS
	'for each seller, currency, type of charge and month: the line item that would pay, or none';

--
-- FOCUS, the FinOps Open Cost and Usage Specification
--
-- Reads any relation with the columns of FOCUS 1.0 to 1.4, as they are spelled there or folded to lower case. Dates
-- without a zone are UTC, as FOCUS has it.
CREATE FUNCTION po_focus_charges(
	charges regclass,
	OUT bill_from text,
	OUT account_id text,
	OUT billing_month po_month,
	OUT charge_category text,
	OUT currency text,
	OUT invoice_id text,
	OUT other_publisher boolean,
	OUT billed_cost numeric,
	OUT left_out text
) RETURNS SETOF record
	LANGUAGE plpgsql STABLE STRICT PARALLEL RESTRICTED COST 100000 ROWS 10000
	SET search_path FROM CURRENT SET timezone = 'UTC' SET datestyle = 'ISO'
AS $$
DECLARE
	name text;
	expression text;
	expressions text[];
BEGIN
	FOREACH name IN ARRAY ARRAY['BilledCost', 'BillingAccountId', 'BillingCurrency', 'BillingPeriodStart',
		'ChargeCategory', 'InvoiceIssuerName', 'InvoiceId', 'PublisherName', 'ServiceProviderName']
	LOOP
		SELECT format('c.%I', a.attname) INTO expression
		FROM pg_attribute a
		WHERE a.attrelid = charges AND a.attnum > 0 AND NOT a.attisdropped AND lower(a.attname) = lower(name)
		ORDER BY a.attname = name DESC LIMIT 1;
		IF NOT FOUND THEN
			IF name NOT IN ('InvoiceId', 'PublisherName', 'ServiceProviderName') THEN
				RAISE undefined_column USING
					MESSAGE = format('column "%s" of "%s" does not exist', name, charges),
					HINT = 'A cost and usage table of FOCUS 1.0 to 1.4 has it.';
			END IF;
			expression := 'NULL::text';
		END IF;
		expressions := expressions || CASE name
			WHEN 'BilledCost' THEN expression || '::numeric'
			WHEN 'BillingPeriodStart' THEN '(' || expression || '::timestamptz AT TIME ZONE ''UTC'')::po_month'
			ELSE 'nullif(btrim(' || expression || '::text), '''')' END;
	END LOOP;

	RETURN QUERY EXECUTE format($query$
		SELECT coalesce(s.bill_from, c.issuer), c.account, c.month, initcap(c.category), upper(c.currency),
			c.invoice,
			-- FOCUS 1.4 has the service provider alone, who is the issuer's own where his name begins with
			-- the same word as one of the issuer's: AWS and AWS EMEA SARL
			CASE WHEN c.publisher IS NOT NULL
				THEN coalesce(p.bill_from, c.publisher) <> coalesce(s.bill_from, c.issuer)
				ELSE c.provider IS NOT NULL AND split_part(lower(c.provider), ' ', 1) NOT IN (
					SELECT split_part(lower(n.name), ' ', 1)
					FROM (VALUES (c.issuer), (s.bill_from) UNION ALL
						SELECT x.alias FROM po_seller_alias x
						WHERE x.bill_from = coalesce(s.bill_from, c.issuer) AND x.enabled) n(name)
					WHERE n.name IS NOT NULL) END,
			c.cost,
			CASE WHEN c.issuer IS NULL THEN 'InvoiceIssuerName is missing'
				WHEN c.account IS NULL THEN 'BillingAccountId is missing'
				WHEN c.month IS NULL THEN 'BillingPeriodStart is missing'
				WHEN c.category IS NULL THEN 'ChargeCategory is missing'
				WHEN c.currency IS NULL THEN 'BillingCurrency is missing'
				WHEN c.cost IS NULL THEN 'BilledCost is missing'
				WHEN lower(c.category) NOT IN ('usage', 'purchase', 'tax', 'credit', 'adjustment')
					THEN 'ChargeCategory is "' || c.category || '"'
				WHEN c.currency !~ '^[A-Za-z]{3}$' THEN 'BillingCurrency is "' || c.currency || '"'
				WHEN c.cost IN ('NaN', 'Infinity', '-Infinity') THEN 'BilledCost is ' || c.cost
				WHEN c.invoice IS NULL AND bool_or(c.invoice IS NOT NULL) OVER (PARTITION BY c.issuer, c.account)
					THEN 'InvoiceId is missing, although the issuer gives it: not invoiced yet'
			END
		FROM (SELECT %s FROM %s c)
			c(cost, account, currency, month, category, issuer, invoice, publisher, provider)
		LEFT JOIN po_seller_alias s ON s.alias = c.issuer AND s.enabled
		LEFT JOIN po_seller_alias p ON p.alias = c.publisher AND p.enabled
		$query$, array_to_string(expressions, ', '), charges);
END
$$;
COMMENT ON FUNCTION po_focus_charges(regclass) IS
	'charges of a FOCUS cost and usage table as po_mgmt reads them, and which make no invoice';

-- One invoice for each issuer, account, month, category and currency, and InvoiceId where there is one.
CREATE FUNCTION po_invoices_from_focus(charges regclass) RETURNS SETOF po_invoice
	LANGUAGE plpgsql STABLE STRICT PARALLEL RESTRICTED COST 200000 ROWS 100
	SET search_path FROM CURRENT
AS $$
DECLARE
	omitted record;
BEGIN
	FOR omitted IN
		SELECT c.left_out, count(*) AS charges, sum(c.billed_cost) AS billed_cost
		FROM po_focus_charges(charges) c WHERE c.left_out IS NOT NULL
		GROUP BY c.left_out ORDER BY c.left_out
	LOOP
		RAISE WARNING USING
			MESSAGE = format('charges of "%s" make no invoice: %s', charges, omitted.left_out),
			DETAIL = format('Charges: %s; sum of their BilledCost: %s.', omitted.charges, coalesce(omitted.billed_cost, 0)),
			HINT = 'po_focus_charges() shows them.';
	END LOOP;

	RETURN QUERY
		WITH invoice AS (
			SELECT c.bill_from, c.account_id, c.billing_month, c.charge_category, c.currency, c.invoice_id,
				sum(c.billed_cost) AS amount, bool_and(c.other_publisher) AS marketplace
			FROM po_focus_charges(charges) c WHERE c.left_out IS NULL
			GROUP BY c.bill_from, c.account_id, c.billing_month, c.charge_category, c.currency, c.invoice_id
		), numbered AS (
			-- an InvoiceId is the number of the first of its invoices: usage, if it has any
			SELECT i.*, CASE WHEN i.invoice_id IS NOT NULL AND row_number() OVER (
					PARTITION BY i.bill_from, i.account_id, i.invoice_id
					ORDER BY array_position('{Usage,Purchase,Adjustment,Tax,Credit}', i.charge_category),
						i.billing_month, i.currency) = 1
				THEN i.invoice_id
				ELSE concat_ws('-', i.invoice_id, i.billing_month, lower(i.charge_category),
					CASE WHEN count(*) OVER (PARTITION BY i.bill_from, i.account_id, i.invoice_id,
						i.billing_month, i.charge_category) > 1 THEN lower(i.currency) END)
				END AS number
			FROM invoice i
		)
		SELECT r.*
		FROM numbered n
		LEFT JOIN numbered original ON n.charge_category = 'Credit' AND n.amount <= 0
			AND original.charge_category = 'Usage' AND original.amount >= 0
			AND (original.bill_from, original.account_id, original.billing_month, original.currency)
				= (n.bill_from, n.account_id, n.billing_month, n.currency)
			AND original.invoice_id IS NOT DISTINCT FROM n.invoice_id
		CROSS JOIN LATERAL jsonb_populate_record(NULL::po_invoice, jsonb_build_object(
			'account_id', n.account_id, 'bill_from', n.bill_from, 'invoice_id', n.number,
			'kind', CASE WHEN n.amount < 0 OR n.amount = 0 AND n.charge_category = 'Credit'
				THEN 'credit_memo' ELSE 'invoice' END,
			'line_type', CASE WHEN n.marketplace THEN 'marketplace'
				WHEN n.charge_category = 'Purchase' THEN 'subscription' ELSE 'usage' END,
			'billing_month', n.billing_month, 'issued_on', po_month_end(n.billing_month) + 3,
			'amount', n.amount, 'currency', n.currency, 'original_invoice_id', original.number)) r
		ORDER BY n.account_id, r.issued_on, n.amount < 0, n.bill_from, n.number;
END
$$;
COMMENT ON FUNCTION po_invoices_from_focus(regclass) IS
	'invoices that the charges of a FOCUS cost and usage table make, to be inserted into po_invoice; warns of what it leaves out';

CREATE VIEW po_focus_invoice_detail WITH (security_invoker = true) AS
	SELECT v.amount AS "BilledCost", v.account_id AS "BillingAccountId", v.currency AS "BillingCurrency",
		(po_month_end(v.billing_month) + 1)::timestamp AT TIME ZONE 'UTC' AS "BillingPeriodEnd",
		date(v.billing_month)::timestamp AT TIME ZONE 'UTC' AS "BillingPeriodStart",
		CASE WHEN v.kind = 'credit_memo' THEN 'Credit'
			WHEN v.line_type <@ 'subscription' OR v.line_type <@ 'marketplace.transaction'
				OR v.line_type <@ 'professional_services' THEN 'Purchase'
			ELSE 'Usage' END AS "ChargeCategory",
		v.recorded_at AS "InvoiceDetailCreated",
		po_label(v.line_type) || ', ' || v.billing_month::text AS "InvoiceDetailDescription",
		jsonb_strip_nulls(jsonb_build_object('SubAccountId', v.member_account_id, 'ContractId', v.agreement_id,
			'x_LineType', v.line_type::text, 'x_PurchaseOrderLineNumber', v.line_number)) AS "InvoiceDetailGrain",
		'1' AS "InvoiceDetailId",
		greatest(v.recorded_at, v.associated_at, v.voided_at) AS "InvoiceDetailLastUpdated",
		v.invoice_id AS "InvoiceId",
		v.issued_on::timestamp AT TIME ZONE 'UTC' AS "InvoiceIssueDate",
		CASE WHEN v.voided_at IS NULL THEN 'Issued' ELSE 'Voided' END AS "InvoiceIssueStatus",
		v.bill_from AS "InvoiceIssuerName",
		v.currency AS "PaymentCurrency", v.amount AS "PaymentCurrencyBilledCost",
		'1' AS "PaymentCurrencyInvoiceDetailId",
		v.due_on::timestamp AT TIME ZONE 'UTC' AS "PaymentDueDate",
		coalesce(a.payment_terms, 'Not specified') AS "PaymentTerms",
		v.po_number AS "PurchaseOrderNumber",
		coalesce(v.original_invoice_id, v.invoice_id) AS "ReferenceInvoiceId"
	FROM po_invoice v
	LEFT JOIN po_account a ON a.account_id = v.account_id;

COMMENT ON VIEW po_focus_invoice_detail IS 'invoices as the dataset Invoice Detail of FOCUS 1.4, one row each';
COMMENT ON COLUMN po_focus_invoice_detail."BilledCost" IS 'amount, tax included; negative for a credit memo';
COMMENT ON COLUMN po_focus_invoice_detail."BillingAccountId" IS 'account_id';
COMMENT ON COLUMN po_focus_invoice_detail."BillingCurrency" IS 'currency of the amount';
COMMENT ON COLUMN po_focus_invoice_detail."BillingPeriodEnd" IS 'end of the billing month, exclusive: the first moment of the next one, UTC';
COMMENT ON COLUMN po_focus_invoice_detail."BillingPeriodStart" IS 'first moment of the billing month, UTC';
COMMENT ON COLUMN po_focus_invoice_detail."ChargeCategory" IS 'Credit for a credit memo, Purchase for subscriptions, marketplace transactions and professional services, else Usage';
COMMENT ON COLUMN po_focus_invoice_detail."InvoiceDetailCreated" IS 'when the invoice was recorded here';
COMMENT ON COLUMN po_focus_invoice_detail."InvoiceDetailDescription" IS 'type of charge and billing month';
COMMENT ON COLUMN po_focus_invoice_detail."InvoiceDetailGrain" IS 'JSON: SubAccountId, ContractId (the agreement), x_LineType, x_PurchaseOrderLineNumber, as far as they are known';
COMMENT ON COLUMN po_focus_invoice_detail."InvoiceDetailId" IS '1: an invoice is one row';
COMMENT ON COLUMN po_focus_invoice_detail."InvoiceDetailLastUpdated" IS 'when it was recorded, associated or cancelled, whichever was last';
COMMENT ON COLUMN po_focus_invoice_detail."InvoiceId" IS 'number of the invoice';
COMMENT ON COLUMN po_focus_invoice_detail."InvoiceIssueDate" IS 'date of the invoice, UTC';
COMMENT ON COLUMN po_focus_invoice_detail."InvoiceIssueStatus" IS 'Issued, or Voided for a cancelled one';
COMMENT ON COLUMN po_focus_invoice_detail."InvoiceIssuerName" IS 'the seller';
COMMENT ON COLUMN po_focus_invoice_detail."PaymentCurrency" IS 'currency of the amount';
COMMENT ON COLUMN po_focus_invoice_detail."PaymentCurrencyBilledCost" IS 'amount';
COMMENT ON COLUMN po_focus_invoice_detail."PaymentCurrencyInvoiceDetailId" IS '1: its own row';
COMMENT ON COLUMN po_focus_invoice_detail."PaymentDueDate" IS 'date on which payment is due, UTC; null where it is not known';
COMMENT ON COLUMN po_focus_invoice_detail."PaymentTerms" IS 'payment terms of the account, or Not specified';
COMMENT ON COLUMN po_focus_invoice_detail."PurchaseOrderNumber" IS 'order that it is booked on; null: unassociated';
COMMENT ON COLUMN po_focus_invoice_detail."ReferenceInvoiceId" IS 'of a credit memo with an original: that invoice, else its own number';

--
-- Report: a page of HTML, complete in itself
--
-- Everything that comes from data goes through po_html().
CREATE FUNCTION po_html(value text) RETURNS text
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN replace(replace(replace(replace(replace(value, '&', '&amp;'), '<', '&lt;'), '>', '&gt;'), '"', '&quot;'),
	'''', '&#39;');
COMMENT ON FUNCTION po_html(text) IS 'part of po_report(): a text for a page of HTML, also within an attribute';

CREATE FUNCTION po_html(value numeric) RETURNS text
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE
RETURN CASE WHEN abs(value) < 1e15 THEN to_char(value, 'FM999,999,999,999,990.00') ELSE round(value, 2)::text END;
COMMENT ON FUNCTION po_html(numeric) IS 'part of po_report(): an amount for a page of HTML, rounded to two decimals';

CREATE FUNCTION po_report(account_id text) RETURNS text
	LANGUAGE sql STABLE STRICT PARALLEL SAFE COST 1000000
BEGIN ATOMIC
	WITH today AS MATERIALIZED (
		SELECT d.day, d.day::po_month AS month FROM (SELECT po_today(po_report.account_id) AS day) d
	), dashboard AS MATERIALIZED (
		SELECT d.* FROM po_dashboard d WHERE d.account_id = po_report.account_id
	), unassociated AS MATERIALIZED (
		SELECT u.account_id, u.bill_from, u.invoice_id, u.line_type, u.billing_month, u.issued_on, u.amount, u.currency
		FROM po_unassociated_invoice u WHERE u.account_id = po_report.account_id
	), figures(html) AS (
		SELECT '<li><b>' || count(*) FILTER (WHERE d.in_effect) || '</b> of ' || count(*) || ' orders in effect</li>'
		FROM dashboard d
		UNION ALL
		(SELECT '<li><b>' || po_html(sum(d.balance)) || ' ' || po_html(d.currency) || '</b> left of '
			|| po_html(sum(d.tracked_value)) || ' in orders in effect</li>'
		FROM dashboard d WHERE d.in_effect AND d.tracked_value IS NOT NULL
		GROUP BY d.currency ORDER BY d.currency)
		UNION ALL
		SELECT '<li><b>' || count(*) || '</b> invoices without an order</li>' FROM unassociated u
	), orders(html) AS (
		SELECT string_agg('<tr role="row"><th role="rowheader" scope="row" data-label="Order" class="id">' || po_html(d.po_number)
			|| '</th><td role="cell" data-label="Bill from" class="wrap">' || po_html(d.bill_from)
			|| '</td><td role="cell" data-label="Value" class="n">' || po_html(d.value) || ' ' || po_html(d.currency)
			|| '</td><td role="cell" data-label="Balance" class="n' || CASE WHEN d.balance < 0 THEN ' over' ELSE '' END || '">'
			|| coalesce(po_html(d.balance) || ' ' || po_html(d.currency), 'not tracked')
			|| '</td><td role="cell" data-label="Effective" class="day">' || d.effective_month::text
			|| '</td><td role="cell" data-label="Expiration" class="day">' || d.expiration_month::text
			|| '</td><td role="cell" data-label="Status"><span class="tag ' || lower(d.status) || '">' || d.status || '</span>'
			|| '</td><td role="cell" data-label="Invoices" class="n">' || d.invoices || '</td></tr>', E'\n'
			ORDER BY d.status, d.po_number)
		FROM dashboard d
	), bars(html) AS (
		SELECT string_agg('<li><span class="what"><b>' || po_html(s.po_number) || '</b> line item ' || po_html(s.line_number)
			|| ', ' || po_html(po_label(s.line_type)) || ', ' || s.start_month::text || ' to ' || s.end_month::text
			|| '</span><span class="left' || CASE WHEN s.overdrawn THEN ' over' ELSE '' END || '">'
			|| CASE WHEN s.overdrawn
				THEN 'overdrawn by ' || po_html(-s.balance) || ' ' || po_html(s.currency) || ' of ' || po_html(s.total_value)
				ELSE po_html(s.balance) || ' ' || po_html(s.currency) || ' left of ' || po_html(s.total_value)
					|| coalesce(' (' || b.percent || '%)', '') END
			|| '</span><span class="bar ' || CASE WHEN s.balance <= 0 THEN 'empty'
				WHEN s.share_left < t.highest THEN 'low' ELSE 'good' END
			|| '" role="img" aria-label="' || coalesce(b.percent, 0) || '% left'
			|| coalesce(', notified below ' || t.names, '') || '"><i style="width:'
			|| least(greatest(coalesce(b.percent, 0), 0), 100) || '%"></i>' || coalesce(t.ticks, '') || '</span>'
			|| CASE WHEN f.runs_out_month IS NULL OR s.overdrawn THEN ''
				WHEN f.runs_out_early THEN '<span class="note over">At the pace of the last months it runs out in '
					|| f.runs_out_month::text || ', before it ends.</span>'
				ELSE '<span class="note">At the pace of the last months it lasts to its end.</span>' END
			|| '</li>', E'\n' ORDER BY s.share_left NULLS LAST, s.po_number, s.line_number)
		FROM po_line_item_status s
		JOIN po_forecast f ON f.account_id = s.account_id AND f.line_item_id = s.line_item_id
		CROSS JOIN today
		CROSS JOIN LATERAL (SELECT trunc(s.share_left * 100) AS percent) b
		CROSS JOIN LATERAL (
			SELECT max(x) AS highest, string_agg(trim_scale(x * 100) || '%', ', ' ORDER BY x DESC) AS names,
				string_agg('<u style="left:' || trim_scale(x * 100) || '%"></u>', '' ORDER BY x) AS ticks
			FROM po_account a, unnest(a.alert_thresholds) x WHERE a.account_id = s.account_id) t
		WHERE s.account_id = po_report.account_id AND f.account_id = po_report.account_id
			AND s.order_status IN ('Active', 'Suspended') AND s.end_month >= today.month
	), spend AS (
		SELECT m.currency, m.billing_month, sum(m.amount) AS amount,
			coalesce(sum(m.amount) FILTER (WHERE m.po_number IS NULL), 0) AS without_order
		FROM po_monthly_spend m, today
		WHERE m.account_id = po_report.account_id AND m.billing_month > today.month - 12 AND m.billing_month <= today.month
		GROUP BY m.currency, m.billing_month
	), spend_table(html) AS (
		SELECT string_agg('<table class="spend" role="table"><caption>' || po_html(t.currency) || '</caption><thead role="rowgroup"><tr role="row">'
			|| '<th role="columnheader" scope="col">Month</th><th role="columnheader" scope="col" class="n">Invoiced</th>'
			|| '<th role="columnheader" scope="col" class="n">Without an order</th><td role="cell" class="chart" aria-hidden="true"></td></tr></thead><tbody role="rowgroup">'
			|| t.html || '</tbody></table>', E'\n' ORDER BY t.currency)
		FROM (
			SELECT c.currency, string_agg('<tr role="row"><th role="rowheader" scope="row" class="day">' || (today.month - 11 + n)::text
				|| '</th><td role="cell" class="n">' || po_html(coalesce(s.amount, 0))
				|| '</td><td role="cell" class="n">' || po_html(coalesce(s.without_order, 0))
				|| '</td><td role="cell" class="chart" aria-hidden="true"><i style="width:'
				|| w.ordered || '%"></i><i class="none" style="width:' || w.unordered || '%"></i></td></tr>',
				E'\n' ORDER BY n) AS html
			FROM (SELECT x.currency, greatest(max(x.amount), max(x.amount - x.without_order), max(x.without_order)) AS most
				FROM spend x GROUP BY x.currency) c
			CROSS JOIN today
			CROSS JOIN (SELECT min(x.billing_month) AS month FROM spend x) first
			CROSS JOIN generate_series(first.month - today.month + 11, 11) n
			LEFT JOIN spend s ON s.currency = c.currency AND s.billing_month = today.month - 11 + n
			-- the two bars together are as long as the months' sum; nothing is drawn for what is below zero
			CROSS JOIN LATERAL (
				SELECT coalesce(round(100 * greatest(s.amount - s.without_order, 0) / nullif(greatest(c.most, 0), 0), 1), 0) AS ordered,
					coalesce(round(100 * greatest(s.without_order, 0) / nullif(greatest(c.most, 0), 0), 1), 0) AS unordered) w
			GROUP BY c.currency
		) t
	), newest AS (
		SELECT u.* FROM unassociated u ORDER BY u.issued_on DESC, u.bill_from, u.invoice_id LIMIT 100
	), unassociated_rows(html) AS (
		SELECT string_agg('<tr role="row"><th role="rowheader" scope="row" data-label="Invoice" class="id">' || po_html(u.invoice_id)
			|| '</th><td role="cell" data-label="Bill from" class="wrap">' || po_html(u.bill_from)
			|| '</td><td role="cell" data-label="Type" class="wrap">' || po_html(po_label(u.line_type))
			|| '</td><td role="cell" data-label="Month" class="day">' || u.billing_month::text
			|| '</td><td role="cell" data-label="Issued" class="day">' || to_char(u.issued_on, 'YYYY-MM-DD')
			|| '</td><td role="cell" data-label="Amount" class="n">' || po_html(u.amount) || ' ' || po_html(u.currency)
			|| '</td><td role="cell" data-label="Why" class="why">' || po_html(coalesce(r.reason, '')) || '</td></tr>', E'\n'
			ORDER BY u.issued_on DESC, u.bill_from, u.invoice_id)
		FROM newest u
		JOIN po_unassociated_invoice r ON r.account_id = u.account_id AND r.bill_from = u.bill_from
			AND r.invoice_id = u.invoice_id
	), cover AS (
		-- types and months as text: pg_upgrade makes functions before the operator classes of our types
		SELECT c.*, c.line_type::text COLLATE "C" AS path, c.billing_month::text COLLATE "C" AS month
		FROM today, po_coverage(po_report.account_id, today.month, today.month + 11) c
	), cover_rows AS (
		SELECT c.bill_from, c.currency, string_agg(c.html, E'\n' ORDER BY c.path <> 'all', c.path) AS html
		FROM (
			SELECT v.bill_from, v.currency, v.path,
				'<tr role="row"><th role="rowheader" scope="row">' || po_html(po_label(v.path::po_line_type)) || '</th>'
				|| string_agg('<td role="cell" class="' || CASE WHEN v.po_number IS NULL THEN 'gap"'
					WHEN NOT v.covers THEN 'used"' WHEN v.item_type = v.line_type THEN 'yes"' ELSE 'wide"' END
					|| ' title="' || h.words || '"><span aria-hidden="true">' || CASE WHEN v.po_number IS NULL THEN '&times;'
					WHEN NOT v.covers THEN '!' WHEN v.item_type = v.line_type THEN '&#10003;' ELSE '&#9675;' END
					|| '</span><span class="sr">' || h.words || '</span></td>', '' ORDER BY v.month) || '</tr>' AS html
			FROM cover v
			CROSS JOIN LATERAL (
				SELECT CASE WHEN v.po_number IS NULL THEN 'nothing pays'
					ELSE 'line item ' || po_html(v.line_number) || ' of order ' || po_html(v.po_number)
						|| CASE WHEN v.item_type = v.line_type THEN '' ELSE ', which pays for ' || po_html(po_label(v.item_type)) END
						|| CASE WHEN v.covers THEN '' ELSE ', which is used up' END END AS words) h
			GROUP BY v.bill_from, v.currency, v.path
		) c
		GROUP BY c.bill_from, c.currency
	), cover_table(html) AS (
		SELECT string_agg('<div class="scroll" role="region" tabindex="0" aria-label="Coverage by ' || po_html(c.bill_from)
			|| '"><table class="heat" role="table"><caption>' || po_html(c.bill_from) || ', ' || po_html(c.currency)
			|| '</caption><thead role="rowgroup"><tr role="row"><th role="columnheader" scope="col">Type of charge</th>' || m.html || '</tr></thead><tbody role="rowgroup">'
			|| c.html || '</tbody></table></div>', E'\n' ORDER BY c.bill_from, c.currency)
		FROM cover_rows c
		CROSS JOIN (
			SELECT string_agg('<th role="columnheader" scope="col">' || replace((today.month + n)::text, '-', '<br>') || '</th>', '' ORDER BY n) AS html
			FROM today, generate_series(0, 11) n) m
	)
	SELECT concat_ws(E'\n',
		'<!DOCTYPE html>',
		'<html lang="en">',
		'<head>',
		'<meta charset="utf-8">',
		'<meta name="viewport" content="width=device-width, initial-scale=1">',
		'<meta http-equiv="Content-Security-Policy" content="default-src ''none''; style-src ''unsafe-inline''">',
		'<title>Purchase orders of ' || po_html(po_report.account_id) || ', ' || to_char(today.day, 'YYYY-MM-DD') || '</title>',
		'<style>',
		'*{box-sizing:border-box}',
		'body{margin:0 auto;max-width:72rem;padding:1rem;font:16px/1.45 system-ui,"DejaVu Sans",sans-serif;color:#16191f;background:#fff}',
		'h1{font-size:1.6rem;margin:.2rem 0}h2{font-size:1.2rem;margin:2rem 0 .6rem;border-bottom:2px solid #16191f}',
		'p{margin:.3rem 0 .8rem}b,th,td,.what{unicode-bidi:isolate}b,.id,.what,.why,caption{overflow-wrap:anywhere}.id{min-width:7rem}.wrap{min-width:6rem;overflow-wrap:anywhere}.day{white-space:nowrap}',
		'nav ul,.figures,.bars{list-style:none;margin:0;padding:0}nav li{display:inline-block;margin-right:1rem}a{color:#0b5cad}',
		'.figures{display:flex;flex-wrap:wrap;gap:.6rem;margin:1rem 0}.figures li{flex:1 1 10rem;border:1px solid #8d99a8;border-radius:6px;padding:.6rem .8rem}',
		'.figures b{display:block;font-size:1.4rem}',
		'table{border-collapse:collapse;width:100%;font-size:.94rem}caption{text-align:left;font-weight:600;padding:.4rem 0}',
		'th,td{text-align:left;padding:.35rem .5rem;border-bottom:1px solid #ccd3db;vertical-align:top}thead th{border-bottom:2px solid #8d99a8}',
		'.n{text-align:right;font-variant-numeric:tabular-nums;white-space:nowrap}thead .n{white-space:normal}.over{color:#a4161a;font-weight:600}',
		'.tag{border:1px solid;border-radius:4px;padding:0 .35rem;white-space:nowrap}.active{color:#14603a}.suspended,.suspended-expired{color:#8a4b00}.expired{color:#545b64}',
		'.bars li{display:grid;grid-template-columns:1fr auto;gap:.1rem 1rem;padding:.5rem 0;border-bottom:1px solid #ccd3db}',
		'.bar{grid-column:1/-1;position:relative;height:1.1rem;background:#e4e8ed;border:1px solid #8d99a8;border-radius:3px}',
		'.bar i{display:block;height:100%;background:#2b77c9}.bar.low i{background:#c77700}.bar.empty{border-color:#a4161a;background:#f7dcdc}',
		'.bar u{position:absolute;top:-4px;bottom:-4px;border-left:2px dashed #16191f}.note{grid-column:1/-1;font-size:.9rem}',
		'.spend{margin-bottom:1rem}.spend .chart{width:50%;white-space:nowrap;font-size:0;vertical-align:middle}.chart i{display:inline-block;height:1rem;background:#2b77c9}',
		'.chart i.none,.key .none{background:repeating-linear-gradient(45deg,#a4161a 0 3px,#f3c9c9 3px 6px)}',
		'.heat{width:auto;min-width:100%}.heat td{text-align:center;min-width:2rem;border:1px solid #fff;font-weight:600}.heat thead th{font-size:.8rem;text-align:center;padding:.2rem}.heat th:first-child{text-align:left;min-width:9rem;overflow-wrap:anywhere}',
		'.yes{background:#8fd0a8}.wide{background:#d3eedd}.used{background:#ffd58a}.gap{background:#f2a6a6}',
		'.scroll{overflow-x:auto;margin-bottom:1rem}.key span{display:inline-block;margin-right:.8rem}.key i{display:inline-block;width:1.5rem;height:1.5rem;vertical-align:middle;text-align:center;margin-right:.3rem;font-style:normal;font-weight:600}',
		'.key .ordered{background:#2b77c9}.sr{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}',
		'@media (max-width:46rem){.cards thead{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}',
		'.cards,.cards tbody,.cards tr,.cards th,.cards td{display:block;width:100%}.cards tr{border:1px solid #8d99a8;border-radius:6px;margin-bottom:.7rem;padding:.2rem}',
		'.cards th,.cards td{display:flex;justify-content:space-between;gap:1rem;border:0;text-align:right;padding:.2rem .5rem;white-space:normal}',
		'.cards th{font-size:1.05rem}.cards [data-label]::before{content:attr(data-label);font-weight:400;color:#545b64;text-align:left;flex:none}',
		'.cards .why{display:block;text-align:left}.cards .why::before{display:block}.bars li{grid-template-columns:1fr}',
		'.spend,.spend caption,.spend thead,.spend tbody{display:block}.spend tr{display:grid;grid-template-columns:5rem 1fr 1fr;border-bottom:1px solid #ccd3db}.spend th,.spend td{border:0;padding:.2rem}.spend .chart{grid-column:1/-1;width:100%}.spend thead .chart{display:none}'
			|| '.heat,.heat caption,.heat thead,.heat tbody{display:block}.heat tr{display:grid;grid-template-columns:repeat(12,1fr)}.heat th:first-child{grid-column:1/-1;border:0;padding:.3rem 0 .1rem}'
			|| '.heat td,.heat thead th{min-width:0;padding:.2rem 0}.heat thead th{font-size:.58rem;border:0}.heat thead th:first-child{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%)}}',
		'@media print{nav{display:none}body{max-width:none;padding:0;font-size:11pt}tr,.bars li,.figures li{break-inside:avoid}h2{break-after:avoid}',
		'*{print-color-adjust:exact;-webkit-print-color-adjust:exact}.scroll{overflow:visible}}',
		'</style>',
		'</head>',
		'<body>',
		'<header><h1>Purchase orders</h1>',
		'<p>Account <b>' || po_html(po_report.account_id) || '</b> on ' || to_char(today.day, 'YYYY-MM-DD') || '. Amounts are rounded to two decimals.</p></header>',
		'<nav aria-label="Sections"><ul><li><a href="#orders">Orders</a></li><li><a href="#left">What is left</a></li><li><a href="#spend">Spend</a></li>'
			|| '<li><a href="#unassociated">Unassociated</a></li><li><a href="#coverage">Coverage</a></li></ul></nav>',
		'<main>',
		'<ul class="figures">' || (SELECT string_agg(f.html, '') FROM figures f) || '</ul>',
		'<section aria-labelledby="orders"><h2 id="orders">Orders</h2>',
		coalesce('<table class="cards" role="table"><thead role="rowgroup"><tr role="row">'
			|| '<th role="columnheader" scope="col">Order</th><th role="columnheader" scope="col">Bill from</th>'
			|| '<th role="columnheader" scope="col" class="n">Value</th><th role="columnheader" scope="col" class="n">Balance</th>'
			|| '<th role="columnheader" scope="col">Effective</th><th role="columnheader" scope="col">Expiration</th>'
			|| '<th role="columnheader" scope="col">Status</th><th role="columnheader" scope="col" class="n">Invoices</th>'
			|| E'</tr></thead><tbody role="rowgroup">\n' || (SELECT o.html FROM orders o) || '</tbody></table>',
			'<p>There are no purchase orders.</p>'),
		'</section>',
		'<section aria-labelledby="left"><h2 id="left">What is left</h2>',
		coalesce('<p>Tracked line items that have not ended, the scarcest first. A dashed line is a threshold below which contacts are notified.</p><ul class="bars">'
			|| (SELECT b.html FROM bars b) || '</ul>', '<p>No line item that has not ended is tracked.</p>'),
		'</section>',
		'<section aria-labelledby="spend"><h2 id="spend">Spend by month</h2>',
		coalesce('<p class="key">Billing months, credit memos taken off. <span><i class="ordered"></i>with an order</span> <span><i class="none"></i>without</span></p>'
			|| (SELECT s.html FROM spend_table s), '<p>Nothing was invoiced in the last twelve months.</p>'),
		'</section>',
		'<section aria-labelledby="unassociated"><h2 id="unassociated">Unassociated invoices</h2>',
		coalesce('<table class="cards" role="table"><thead role="rowgroup"><tr role="row">'
			|| '<th role="columnheader" scope="col">Invoice</th><th role="columnheader" scope="col">Bill from</th><th role="columnheader" scope="col">Type</th>'
			|| '<th role="columnheader" scope="col">Month</th><th role="columnheader" scope="col">Issued</th><th role="columnheader" scope="col" class="n">Amount</th>'
			|| '<th role="columnheader" scope="col">Why</th>'
			|| E'</tr></thead><tbody role="rowgroup">\n' || (SELECT u.html FROM unassociated_rows u) || '</tbody></table>',
			'<p>Every invoice has an order.</p>'),
		(SELECT '<p>These are the newest 100 of ' || count(*) || '.</p>' FROM unassociated u HAVING count(*) > 100),
		'</section>',
		'<section aria-labelledby="coverage"><h2 id="coverage">Coverage</h2>',
		coalesce('<p class="key">Who would pay this month and in the next eleven. <span><i class="yes">&#10003;</i>a line item of the type</span>'
			|| ' <span><i class="wide">&#9675;</i>one of a wider type</span> <span><i class="used">!</i>one that is used up</span> <span><i class="gap">&times;</i>none</span></p>'
			|| (SELECT c.html FROM cover_table c), '<p>There is no seller.</p>'),
		'</section>',
		'</main>',
		'</body>',
		'</html>', '')
	FROM today;
END;
COMMENT ON FUNCTION po_report(text) IS
	'a page of HTML for an account: orders, what is left, spend by month, unassociated invoices, coverage';

--
-- Comments, so that \d+ and \df+ in psql read like documentation
--

-- po_seller
COMMENT ON TABLE po_seller IS 'sellers: the legal entities that issue invoices; dumped whole';
COMMENT ON COLUMN po_seller.bill_from IS 'name of the seller, such as AWS Inc.; case-sensitive';
COMMENT ON COLUMN po_seller.description IS 'what the seller is for, such as a country';
COMMENT ON COLUMN po_seller.enabled IS 'false: no new order may name this seller';
COMMENT ON COLUMN po_seller.seeded IS 'came with the extension: cannot be deleted, only switched off';
COMMENT ON COLUMN po_seller.created_at IS 'written by po_mgmt: when the row was inserted; given only for history, such as a restore';
COMMENT ON INDEX po_seller_pkey IS 'one row for each seller';

-- po_seller_alias
COMMENT ON TABLE po_seller_alias IS 'other names of sellers, accepted wherever a seller is given; dumped whole';
COMMENT ON COLUMN po_seller_alias.alias IS 'other name, such as the legal name on the invoices; case-sensitive';
COMMENT ON COLUMN po_seller_alias.bill_from IS 'the seller that it stands for; its name is what is stored';
COMMENT ON COLUMN po_seller_alias.enabled IS 'false: the alias is not accepted any more';
COMMENT ON COLUMN po_seller_alias.seeded IS 'came with the extension: cannot be deleted, only switched off';
COMMENT ON COLUMN po_seller_alias.created_at IS 'written by po_mgmt: when the row was inserted; given only for history, such as a restore';
COMMENT ON INDEX po_seller_alias_pkey IS 'one row for each other name';

-- po_taxonomy
COMMENT ON TABLE po_taxonomy IS 'types of charge that line items may have; add your own, such as usage.compute; dumped whole';
COMMENT ON COLUMN po_taxonomy.line_type IS 'type of charge, a path such as usage.compute';
COMMENT ON COLUMN po_taxonomy.label IS 'name for people';
COMMENT ON COLUMN po_taxonomy.out_of_cycle_only IS 'true: pays only for invoices outside the monthly billing cycle; null: as the type above it';
COMMENT ON COLUMN po_taxonomy.enabled IS 'false: no new line item may have this type';
COMMENT ON COLUMN po_taxonomy.seeded IS 'came with the extension: cannot be deleted, only switched off';
COMMENT ON COLUMN po_taxonomy.created_at IS 'written by po_mgmt: when the row was inserted; given only for history, such as a restore';
COMMENT ON INDEX po_taxonomy_pkey IS 'one row for each type of charge';

-- po_seller_line_type
COMMENT ON TABLE po_seller_line_type IS 'types of charge that a seller bills; a seller without a row here bills every type; dumped whole';
COMMENT ON COLUMN po_seller_line_type.bill_from IS 'the seller';
COMMENT ON COLUMN po_seller_line_type.line_type IS 'a type that it bills, with all types below it; the type all needs no row';
COMMENT ON COLUMN po_seller_line_type.enabled IS 'false: the seller does not bill it any more';
COMMENT ON COLUMN po_seller_line_type.seeded IS 'came with the extension: cannot be deleted, only switched off';
COMMENT ON COLUMN po_seller_line_type.created_at IS 'written by po_mgmt: when the row was inserted; given only for history, such as a restore';
COMMENT ON INDEX po_seller_line_type_pkey IS 'one row for each seller and type';

-- po_account
COMMENT ON TABLE po_account IS 'accounts (payers) and their settings; a row is made with the first order of an account';
COMMENT ON COLUMN po_account.account_id IS 'the payer: a regular account or an organization''s management account; never changes';
COMMENT ON COLUMN po_account.currency IS 'currency of orders and invoices that name none: three letters of ISO 4217';
COMMENT ON COLUMN po_account.period_basis IS 'which month an invoice is matched by: billing_period, issue_date or status_on_issue';
COMMENT ON COLUMN po_account.time_zone IS 'time zone of "today" and "this month", a name of pg_timezone_names';
COMMENT ON COLUMN po_account.max_active_orders IS 'limit of active orders of the account';
COMMENT ON COLUMN po_account.max_line_items IS 'limit of line items of one order';
COMMENT ON COLUMN po_account.max_contacts IS 'limit of contacts of one order';
COMMENT ON COLUMN po_account.alert_thresholds IS 'shares of the total value, 0 to 1: a balance that falls below one is to be notified';
COMMENT ON COLUMN po_account.bill_to IS 'billing address, for your own use';
COMMENT ON COLUMN po_account.payment_terms IS 'payment terms, for your own use';
COMMENT ON COLUMN po_account.marketplace_integration IS 'whether a marketplace invoice that asks for an order that is not there makes it';
COMMENT ON COLUMN po_account.closed_through IS 'last closed billing month: what is booked up to it cannot change; null: none is closed';
COMMENT ON COLUMN po_account.created_at IS 'written by po_mgmt: when the row was inserted; given only for history, such as a restore';
COMMENT ON COLUMN po_account.booked_at IS 'written by po_mgmt: when the account was last booked on or its configuration changed; the lock of the account';
COMMENT ON INDEX po_account_pkey IS 'one row for each account';

-- po_order
COMMENT ON TABLE po_order IS 'purchase orders';
COMMENT ON COLUMN po_order.account_id IS 'the account that the order belongs to; never changes';
COMMENT ON COLUMN po_order.po_number IS 'number of the order in the customer''s books, 1 to 200 characters, case-sensitive; never changes';
COMMENT ON COLUMN po_order.bill_from IS 'the seller whose invoices the order pays';
COMMENT ON COLUMN po_order.status IS 'active or suspended; whether it has expired is derived, see po_status(po_order)';
COMMENT ON COLUMN po_order.effective_month IS 'first month of the order';
COMMENT ON COLUMN po_order.expiration_month IS 'last month of the order; 9999-12 means no end';
COMMENT ON COLUMN po_order.currency IS 'currency of all amounts of the order, three letters of ISO 4217; left out: the account''s';
COMMENT ON COLUMN po_order.description IS 'for your own use';
COMMENT ON COLUMN po_order.ship_to IS 'address of delivery, for your own use';
COMMENT ON COLUMN po_order.tax_registration_numbers IS 'only invoices with one of these numbers fit; null or empty: all invoices do';
COMMENT ON COLUMN po_order.tags IS 'a JSON object with at most 50 keys';
COMMENT ON COLUMN po_order.source IS 'who made the order: user or marketplace';
COMMENT ON COLUMN po_order.created_at IS 'written by po_mgmt: when the row was inserted; given only for history, such as a restore';
COMMENT ON COLUMN po_order.updated_at IS 'written by po_mgmt: when a user last changed the order or its line items; of two that fit equally, the later one pays';
COMMENT ON COLUMN po_order.expiration_set_on IS 'written by po_mgmt: the day, in the account''s time zone, on which the order was added or its expiration month last changed; reminders are those that were still ahead then';
COMMENT ON INDEX po_order_pkey IS 'one row for each number of an account';
COMMENT ON INDEX po_order_match IS 'for matching: skips other sellers and years of expired orders';

-- po_line_item
COMMENT ON TABLE po_line_item IS 'line items of purchase orders: a type of charge, a period in months, and an amount';
COMMENT ON COLUMN po_line_item.line_item_id IS 'written by po_mgmt: id within all accounts, never used again';
COMMENT ON COLUMN po_line_item.account_id IS 'the account of the order';
COMMENT ON COLUMN po_line_item.po_number IS 'the order; a line item stays on it';
COMMENT ON COLUMN po_line_item.line_number IS 'number of the line item on its order, 1 to 200 characters';
COMMENT ON COLUMN po_line_item.line_type IS 'type of charge that it pays for, with all types below it';
COMMENT ON COLUMN po_line_item.start_month IS 'first month that it pays for, within the order''s';
COMMENT ON COLUMN po_line_item.end_month IS 'last month that it pays for, within the order''s';
COMMENT ON COLUMN po_line_item.balance_tracked IS 'whether a balance is kept; never for marketplace.transaction';
COMMENT ON COLUMN po_line_item.amount IS 'unit price in the order''s currency, without tax';
COMMENT ON COLUMN po_line_item.quantity IS 'number of units';
COMMENT ON COLUMN po_line_item.tax IS 'tax: in the order''s currency where tax_kind is absolute, in percent where it is percent';
COMMENT ON COLUMN po_line_item.tax_kind IS 'absolute or percent: what tax is given in';
COMMENT ON COLUMN po_line_item.total_value IS 'generated, in the order''s currency: amount * quantity + tax, or amount * quantity * (1 + tax * 0.01)';
COMMENT ON COLUMN po_line_item.consumed_before IS 'spent on it before it came into this database, in the order''s currency';
COMMENT ON COLUMN po_line_item.balance IS 'written by po_mgmt, in the order''s currency: total_value - consumed_before - invoices; null where not tracked';
COMMENT ON COLUMN po_line_item.agreement_id IS 'only invoices of this agreement fit; null: any invoice does';
COMMENT ON COLUMN po_line_item.description IS 'for your own use';
COMMENT ON COLUMN po_line_item.created_at IS 'written by po_mgmt: when the row was inserted; given only for history, such as a restore';
COMMENT ON COLUMN po_line_item.updated_at IS 'written by po_mgmt: when a user last changed the line item; not moved by invoices';
COMMENT ON COLUMN po_line_item.agreement_moved_to IS 'written by po_mgmt: order that invoices of the agreement go to now, see po_marketplace_change_order()';
COMMENT ON INDEX po_line_item_agreement IS 'line items of an agreement';
COMMENT ON INDEX po_line_item_pkey IS 'one row for each id';
COMMENT ON INDEX po_line_item_account_id_po_number_line_number_key IS 'one row for each number of an order';
COMMENT ON INDEX po_line_item_match IS 'for matching: line items of one type of an order in a month';
COMMENT ON SEQUENCE po_line_item_id_seq IS 'gives po_line_item.line_item_id';

-- po_contact
COMMENT ON TABLE po_contact IS 'who is told of an order by e-mail';
COMMENT ON COLUMN po_contact.account_id IS 'the account of the order';
COMMENT ON COLUMN po_contact.po_number IS 'the order; a contact stays with it';
COMMENT ON COLUMN po_contact.email IS 'one e-mail address, at most 320 bytes';
COMMENT ON COLUMN po_contact.name IS 'name of the person';
COMMENT ON COLUMN po_contact.title IS 'title or role of the person';
COMMENT ON COLUMN po_contact.phone IS 'telephone number';
COMMENT ON COLUMN po_contact.created_at IS 'written by po_mgmt: when the row was inserted; given only for history, such as a restore';
COMMENT ON INDEX po_contact_pkey IS 'one row for each address of an order';

-- po_account_member
COMMENT ON TABLE po_account_member IS 'which payer a linked account belongs to';
COMMENT ON COLUMN po_account_member.member_account_id IS 'the linked account';
COMMENT ON COLUMN po_account_member.account_id IS 'its payer';
COMMENT ON COLUMN po_account_member.created_at IS 'written by po_mgmt: when the row was inserted; given only for history, such as a restore';
COMMENT ON INDEX po_account_member_payer IS 'linked accounts of a payer';
COMMENT ON INDEX po_account_member_pkey IS 'one payer for each linked account';

-- po_invoice
COMMENT ON TABLE po_invoice IS 'invoices and credit memos, each with the line item that it is booked on, if any';
COMMENT ON COLUMN po_invoice.account_id IS 'the payer';
COMMENT ON COLUMN po_invoice.bill_from IS 'the seller; an alias is stored as the seller''s own name';
COMMENT ON COLUMN po_invoice.invoice_id IS 'number of the invoice, unique for account and seller, 1 to 200 characters';
COMMENT ON COLUMN po_invoice.kind IS 'invoice or credit_memo; left out: by the sign of the amount';
COMMENT ON COLUMN po_invoice.line_type IS 'type of charge';
COMMENT ON COLUMN po_invoice.billing_month IS 'month that is billed';
COMMENT ON COLUMN po_invoice.issued_on IS 'date of the invoice; left out: today in the account''s time zone';
COMMENT ON COLUMN po_invoice.due_on IS 'date on which payment is due';
COMMENT ON COLUMN po_invoice.amount IS 'amount, tax included; not negative for an invoice, not positive for a credit memo';
COMMENT ON COLUMN po_invoice.currency IS 'currency of the amount, three letters of ISO 4217; left out: the account''s';
COMMENT ON COLUMN po_invoice.tax_registration_number IS 'tax registration number on the invoice';
COMMENT ON COLUMN po_invoice.agreement_id IS 'agreement that the invoice is of';
COMMENT ON COLUMN po_invoice.requested_po_number IS 'order that the invoice asks for: it, or none';
COMMENT ON COLUMN po_invoice.requested_line_number IS 'line item of that order that the invoice asks for';
COMMENT ON COLUMN po_invoice.out_of_cycle IS 'whether it is outside the monthly billing cycle; null: by its type of charge';
COMMENT ON COLUMN po_invoice.original_invoice_id IS 'of a credit memo: the invoice that it corrects, of the same account and seller';
COMMENT ON COLUMN po_invoice.member_account_id IS 'the linked account that the invoice is for';
COMMENT ON COLUMN po_invoice.po_number IS 'order that it is booked on, written by po_mgmt; given at insert it is an assignment by hand';
COMMENT ON COLUMN po_invoice.line_number IS 'line item that it is booked on, written by po_mgmt; may be given with po_number';
COMMENT ON COLUMN po_invoice.line_item_id IS 'written by po_mgmt: id of that line item; null: not associated';
COMMENT ON COLUMN po_invoice.association_kind IS 'written by po_mgmt: automatic (by the rules), manual (by hand) or credit (as its original)';
COMMENT ON COLUMN po_invoice.associated_at IS 'written by po_mgmt: when it was associated';
COMMENT ON COLUMN po_invoice.associated_by IS 'written by po_mgmt: role that inserted or associated it';
COMMENT ON COLUMN po_invoice.voided_at IS 'written by po_mgmt: when the invoice was cancelled';
COMMENT ON COLUMN po_invoice.recorded_at IS 'written by po_mgmt: when the row was inserted; given only for history, such as a restore';
COMMENT ON INDEX po_invoice_pkey IS 'one row for each invoice of an account and seller';
COMMENT ON INDEX po_invoice_unassociated IS 'invoices without a purchase order, as po_rematch_unassociated tries them';
COMMENT ON INDEX po_invoice_original IS 'credit memos of an invoice';
COMMENT ON INDEX po_invoice_order IS 'invoices of an order and its line items';

-- po_ledger
COMMENT ON TABLE po_ledger IS 'written by po_mgmt: what was booked on line items and what moved balances otherwise; append-only';
COMMENT ON COLUMN po_ledger.entry_id IS 'ascends within an account';
COMMENT ON COLUMN po_ledger.account_id IS 'the account';
COMMENT ON COLUMN po_ledger.line_item_id IS 'id of the line item, which may be gone by now';
COMMENT ON COLUMN po_ledger.po_number IS 'its order';
COMMENT ON COLUMN po_ledger.line_number IS 'its number on the order';
COMMENT ON COLUMN po_ledger.bill_from IS 'seller of the invoice; null where there is no invoice';
COMMENT ON COLUMN po_ledger.invoice_id IS 'the invoice; null where there is none';
COMMENT ON COLUMN po_ledger.entry_kind IS 'opening, association, release, correction, edited, tracking, repaired or closed';
COMMENT ON COLUMN po_ledger.amount IS 'in the order''s currency, signed as the balance moves: an invoice of 100 is -100';
COMMENT ON COLUMN po_ledger.balance_after IS 'balance after this entry, in the order''s currency; null where not tracked';
COMMENT ON COLUMN po_ledger.recorded_at IS 'when it was booked, ascending within an account';
COMMENT ON COLUMN po_ledger.recorded_by IS 'role that caused the entry';
COMMENT ON COLUMN po_ledger.note IS 'what happened, in words';
COMMENT ON INDEX po_ledger_pkey IS 'entries of a line item in their order';
COMMENT ON SEQUENCE po_ledger_entry_id_seq IS 'gives po_ledger.entry_id';

-- po_change_log
COMMENT ON TABLE po_change_log IS 'written by po_mgmt: changes of the configuration of orders, line items and accounts; append-only';
COMMENT ON COLUMN po_change_log.change_id IS 'id of the change, ascends within an account';
COMMENT ON COLUMN po_change_log.account_id IS 'the account';
COMMENT ON COLUMN po_change_log.po_number IS 'the order; null for a change of the account''s settings';
COMMENT ON COLUMN po_change_log.line_number IS 'the line item; null for a change of the order itself';
COMMENT ON COLUMN po_change_log.operation IS 'insert, update or delete';
COMMENT ON COLUMN po_change_log.old IS 'before: the columns that changed, all of a row that was deleted; null for an insert';
COMMENT ON COLUMN po_change_log.new IS 'after: the columns that changed, all of a row that was inserted; null for a delete';
COMMENT ON COLUMN po_change_log.changed_at IS 'when it was changed, ascending within an account';
COMMENT ON COLUMN po_change_log.changed_by IS 'role that changed it';
COMMENT ON COLUMN po_change_log.line_item_id IS 'id of the line item';
COMMENT ON COLUMN po_change_log.order_updated_at IS 'updated_at of the order before the change; null where the order was added';
COMMENT ON INDEX po_change_log_since IS 'what was changed since a time';
COMMENT ON INDEX po_change_log_pkey IS 'one row for each change of an account';
COMMENT ON SEQUENCE po_change_log_change_id_seq IS 'gives po_change_log.change_id';

-- po_notification
COMMENT ON TABLE po_notification IS 'outbox of e-mail notifications';
COMMENT ON COLUMN po_notification.notification_id IS 'id of the notification';
COMMENT ON COLUMN po_notification.account_id IS 'the account';
COMMENT ON COLUMN po_notification.po_number IS 'the order';
COMMENT ON COLUMN po_notification.line_number IS 'the line item; null where it is about the order';
COMMENT ON COLUMN po_notification.kind IS 'balance or expiration';
COMMENT ON COLUMN po_notification.threshold IS 'of a balance: the share of the total value, 0 to 1, that it fell below';
COMMENT ON COLUMN po_notification.due_on IS 'of an expiration: the day on which it is due';
COMMENT ON COLUMN po_notification.recipients IS 'e-mail addresses';
COMMENT ON COLUMN po_notification.subject IS 'subject of the mail';
COMMENT ON COLUMN po_notification.body IS 'text of the mail';
COMMENT ON COLUMN po_notification.created_at IS 'written by po_mgmt: when the row was inserted; given only for history, such as a restore';
COMMENT ON COLUMN po_notification.claimed_until IS 'until when a sender has it; null: nobody has';
COMMENT ON COLUMN po_notification.sent_at IS 'when it was sent; null: not yet';
COMMENT ON COLUMN po_notification.attempts IS 'how often sending was tried';
COMMENT ON COLUMN po_notification.last_error IS 'why the last try failed';
COMMENT ON COLUMN po_notification.delivered_to IS 'recipients that have it, where the mail could not be given to all at once';
COMMENT ON INDEX po_notification_pkey IS 'one row for each notification';
COMMENT ON INDEX po_notification_due IS 'one reminder for each day on which one is due';
COMMENT ON INDEX po_notification_unsent IS 'what is to be sent';
COMMENT ON INDEX po_notification_order IS 'notifications of an order';
COMMENT ON SEQUENCE po_notification_notification_id_seq IS 'gives po_notification.notification_id';

-- po_row_security
COMMENT ON TABLE po_row_security IS 'written by po_enable_row_security(): which policies the tables should have; no row: none';
COMMENT ON COLUMN po_row_security.setting IS 'setting by which a session says which account it is for';
COMMENT ON COLUMN po_row_security.enabled_at IS 'when that was asked for';
COMMENT ON INDEX po_row_security_pkey IS 'one row for each setting';

-- results of the matching functions
COMMENT ON TYPE po_match IS 'a line item that fits an invoice, row of po_match_invoice()';
COMMENT ON COLUMN po_match.rank IS '1 for the best';
COMMENT ON COLUMN po_match.po_number IS 'the order';
COMMENT ON COLUMN po_match.line_number IS 'the line item';
COMMENT ON COLUMN po_match.line_item_id IS 'id of the line item';
COMMENT ON COLUMN po_match.line_type IS 'type of charge of the line item';
COMMENT ON COLUMN po_match.specificity IS 'depth of that type in the tree, 0 for all';
COMMENT ON COLUMN po_match.covers IS 'whether the balance covers the invoice; true where it is not tracked';
COMMENT ON COLUMN po_match.balance IS 'balance in the order''s currency; null where it is not tracked';
COMMENT ON COLUMN po_match.po_updated_at IS 'when the order was last changed by a user';
COMMENT ON TYPE po_explanation IS 'what the rules say of a line item for an invoice, row of po_explain_match()';
COMMENT ON COLUMN po_explanation.po_number IS 'the order; null where the account has none';
COMMENT ON COLUMN po_explanation.line_number IS 'the line item; null where the order has none';
COMMENT ON COLUMN po_explanation.rank IS '1 for the selected one, as in po_match_invoice(); null where it was rejected';
COMMENT ON COLUMN po_explanation.outcome IS 'selected, candidate or rejected';
COMMENT ON COLUMN po_explanation.stage IS 'filter that rejected it, or criterion that placed it below the selected one';
COMMENT ON COLUMN po_explanation.reason IS 'why, in a sentence with the values that were compared';

-- functions
COMMENT ON FUNCTION po_now() IS 'time that po_mgmt takes for now: the clock, or the setting po_mgmt.now';
COMMENT ON FUNCTION po_today(text) IS 'today in the time zone of an account; in UTC for an unknown one';
COMMENT ON FUNCTION po_match_support(internal) IS 'planner support of po_match_invoice()';
COMMENT ON FUNCTION po_match_invoice(text, text, po_line_type, po_month, numeric, text, date, text, text, text, text, boolean, integer)
	IS 'line items that an invoice may be booked on, best first';
COMMENT ON FUNCTION po_match_invoice(po_invoice, integer)
	IS 'line items that an invoice may be booked on, best first; one that is booked is matched as if its amount had been given back';
COMMENT ON FUNCTION po_explain_match(text, text, po_line_type, po_month, numeric, text, date, text, text, text, text, boolean, integer)
	IS 'every line item of the account, with the reason why an invoice would be booked on it or not';
COMMENT ON FUNCTION po_explain_match(po_invoice, integer)
	IS 'every line item of the account, with the reason why the invoice would be booked on it or not';
COMMENT ON AGGREGATE po_merge(jsonb) IS 'part of po_explain_invoice(): jsonb objects one over the other, of a key the last value';
COMMENT ON FUNCTION po_explain_invoice(text, text, text)
	IS 'why an invoice was booked where it was, with the configuration and the balances of that moment';
COMMENT ON FUNCTION po_status(po_order) IS 'status of an order today: Active, Suspended, Expired or Suspended-expired';
COMMENT ON FUNCTION po_status(po_order, date) IS 'status of an order on a day';
COMMENT ON FUNCTION po_suspend(text, text) IS 'suspends an order, so that no invoice is matched to it; returns its status';
COMMENT ON FUNCTION po_activate(text, text) IS 'makes a suspended order active again; returns its status';
COMMENT ON FUNCTION po_extend(text, text, po_month, boolean)
	IS 'gives an order a later expiration month, and on demand the line items that ended with it; returns its status';
COMMENT ON FUNCTION po_scan_expirations(date) IS
	'writes the reminders of orders that expire, as of a day (each account''s today); how many';
COMMENT ON FUNCTION po_schedule(text) IS
	'has pg_cron run po_scan_expirations() daily, or at the times given as in a crontab; what it did';
COMMENT ON FUNCTION po_enable_row_security(text) IS 'puts policies by account on all tables: a session sees the account that the setting names; null takes them away; how many tables';
COMMENT ON FUNCTION po_check_integrity() IS 'where balances, ledger and invoices disagree; no row when all is well';
COMMENT ON FUNCTION po_seed_trigger() IS 'trigger of the reference tables: keeps seed rows';
COMMENT ON FUNCTION po_append_only_trigger() IS 'trigger of po_ledger and po_change_log: rows are only added, and only by po_mgmt';
COMMENT ON FUNCTION po_stamp_trigger() IS 'trigger of po_account_member and po_notification: fills created_at';
COMMENT ON FUNCTION po_truncate_trigger() IS 'trigger of reference data, accounts, orders and books: refuses TRUNCATE';
COMMENT ON FUNCTION po_statement_trigger() IS 'trigger of po_account, po_order and po_line_item: writes what was booked before the statement';
COMMENT ON FUNCTION po_account_trigger() IS 'trigger of po_account: checks accounts';
COMMENT ON FUNCTION po_order_trigger() IS 'trigger of po_order: checks orders and their limit';
COMMENT ON FUNCTION po_line_item_trigger() IS 'trigger of po_line_item: checks line items and their limit, and keeps balances';
COMMENT ON FUNCTION po_contact_trigger() IS 'trigger of po_contact: checks contacts and their limit';
COMMENT ON FUNCTION po_invoice_trigger() IS 'trigger of po_invoice: associates invoices and moves balances';

-- the one object of the types section that had none: it is made by CREATE TYPE ... AS RANGE
COMMENT ON CAST (po_month_range AS po_month_multirange) IS 'the set of the months of the range';

--
-- Dump: every table whole, and the sequences
--
SELECT pg_catalog.pg_extension_config_dump('po_seller', '');
SELECT pg_catalog.pg_extension_config_dump('po_seller_alias', '');
SELECT pg_catalog.pg_extension_config_dump('po_taxonomy', '');
SELECT pg_catalog.pg_extension_config_dump('po_seller_line_type', '');
SELECT pg_catalog.pg_extension_config_dump('po_account', '');
SELECT pg_catalog.pg_extension_config_dump('po_order', '');
SELECT pg_catalog.pg_extension_config_dump('po_line_item', '');
SELECT pg_catalog.pg_extension_config_dump('po_line_item_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('po_contact', '');
SELECT pg_catalog.pg_extension_config_dump('po_account_member', '');
SELECT pg_catalog.pg_extension_config_dump('po_invoice', '');
SELECT pg_catalog.pg_extension_config_dump('po_ledger', '');
SELECT pg_catalog.pg_extension_config_dump('po_ledger_entry_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('po_change_log', '');
SELECT pg_catalog.pg_extension_config_dump('po_change_log_change_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('po_notification', '');
SELECT pg_catalog.pg_extension_config_dump('po_notification_notification_id_seq', '');
SELECT pg_catalog.pg_extension_config_dump('po_row_security', '');

--
-- Reference data is nobody's secret; all else is granted by the owner
--
GRANT SELECT ON po_seller, po_seller_alias, po_taxonomy, po_seller_line_type, po_row_security TO PUBLIC;
