-- test/pgtap/schema.sql: the API surface: tables, columns and keys, types, operators, casts,
-- functions, comments, privileges.
--
-- The columns are written out here from the contract and from nothing else. This test holds
-- src/schema.h and sql/po_mgmt--*.sql together: the C code reads columns by the numbers of its
-- enums, so the list below is compared with the catalogue and then with the header itself.
BEGIN;
SELECT plan(72);

CREATE TEMP VIEW ext AS
	SELECT d.classid, d.objid FROM pg_depend d
	JOIN pg_extension e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass
	WHERE e.extname = 'po_mgmt' AND d.deptype = 'e';
-- from 17 on array types and row types of tables are members of the extension, too
CREATE TEMP VIEW ext_types AS
	SELECT t.* FROM ext JOIN pg_type t ON t.oid = objid AND classid = 'pg_type'::regclass LEFT JOIN pg_class c ON c.oid = t.typrelid
	WHERE t.typcategory <> 'A' AND (c.relkind = 'c' OR c.oid IS NULL);
CREATE TEMP VIEW ext_tables AS
	SELECT c.oid, c.relname::text AS name FROM ext JOIN pg_class c ON c.oid = ext.objid
	WHERE ext.classid = 'pg_class'::regclass AND c.relkind = 'r';
CREATE TEMP VIEW ext_functions AS
	SELECT p.* FROM ext JOIN pg_proc p ON p.oid = ext.objid WHERE ext.classid = 'pg_proc'::regclass;

--
-- Tables and columns, in their order; ! is NOT NULL, = the default
--
CREATE TEMP TABLE want (table_name text, columns text[]);
INSERT INTO want VALUES
('po_seller', '{bill_from text !,description text,enabled boolean ! = true,seeded boolean ! = false,created_at timestamp with time zone !}'),
('po_seller_alias', '{alias text !,bill_from text !,enabled boolean ! = true,seeded boolean ! = false,created_at timestamp with time zone !}'),
('po_taxonomy', '{line_type po_line_type !,label text,out_of_cycle_only boolean,enabled boolean ! = true,seeded boolean ! = false,created_at timestamp with time zone !}'),
('po_seller_line_type', '{bill_from text !,line_type po_line_type !,enabled boolean ! = true,seeded boolean ! = false,created_at timestamp with time zone !}'),
('po_account', ARRAY['account_id text !', 'currency text ! = ''USD''::text',
	'period_basis text ! = ''billing_period''::text', 'time_zone text ! = ''UTC''::text',
	'max_active_orders integer ! = 100', 'max_line_items integer ! = 100', 'max_contacts integer ! = 10',
	'alert_thresholds numeric[] ! = ''{0.75}''::numeric[]', 'bill_to text', 'payment_terms text',
	'marketplace_integration boolean ! = true', 'closed_through po_month',
	'created_at timestamp with time zone !', 'booked_at timestamp with time zone !']),
('po_order', ARRAY['account_id text !', 'po_number text !', 'bill_from text !', 'status text ! = ''active''::text',
	'effective_month po_month !', 'expiration_month po_month !', 'currency text !', 'description text',
	'ship_to text', 'tax_registration_numbers text[]', 'tags jsonb', 'source text ! = ''user''::text',
	'created_at timestamp with time zone !', 'updated_at timestamp with time zone !', 'expiration_set_on date']),
('po_line_item', ARRAY['line_item_id bigint !', 'account_id text !', 'po_number text !', 'line_number text !',
	'line_type po_line_type !', 'start_month po_month !', 'end_month po_month !',
	'balance_tracked boolean ! = false', 'amount numeric !', 'quantity numeric ! = 1', 'tax numeric ! = 0',
	'tax_kind text ! = ''absolute''::text', 'total_value numeric ! generated',
	'consumed_before numeric ! = 0', 'balance numeric', 'agreement_id text', 'description text',
	'created_at timestamp with time zone !', 'updated_at timestamp with time zone !', 'agreement_moved_to text']),
('po_contact', ARRAY['account_id text !', 'po_number text !', 'email text !', 'name text', 'title text',
	'phone text', 'created_at timestamp with time zone !']),
('po_account_member', ARRAY['member_account_id text !', 'account_id text !',
	'created_at timestamp with time zone !']),
('po_invoice', ARRAY['account_id text !', 'bill_from text !', 'invoice_id text !', 'kind text !',
	'line_type po_line_type !', 'billing_month po_month !', 'issued_on date !', 'due_on date',
	'amount numeric !', 'currency text !', 'tax_registration_number text', 'agreement_id text',
	'requested_po_number text', 'requested_line_number text', 'out_of_cycle boolean',
	'original_invoice_id text', 'member_account_id text', 'po_number text', 'line_number text',
	'line_item_id bigint', 'association_kind text', 'associated_at timestamp with time zone',
	'associated_by text', 'voided_at timestamp with time zone', 'recorded_at timestamp with time zone !']),
('po_ledger', ARRAY['entry_id bigint !', 'account_id text !', 'line_item_id bigint !', 'po_number text !',
	'line_number text !', 'bill_from text', 'invoice_id text', 'entry_kind text !', 'amount numeric !',
	'balance_after numeric', 'recorded_at timestamp with time zone !', 'recorded_by text !', 'note text']),
('po_change_log', ARRAY['change_id bigint !', 'account_id text !', 'po_number text', 'line_number text',
	'operation text !', 'old jsonb', 'new jsonb', 'changed_at timestamp with time zone !', 'changed_by text !',
	'line_item_id bigint', 'order_updated_at timestamp with time zone']),
('po_ledger_archive', ARRAY['entry_id bigint !', 'account_id text !', 'line_item_id bigint !', 'po_number text !',
	'line_number text !', 'bill_from text', 'invoice_id text', 'entry_kind text !', 'amount numeric !',
	'balance_after numeric', 'recorded_at timestamp with time zone !', 'recorded_by text !', 'note text']),
('po_change_log_archive', ARRAY['change_id bigint !', 'account_id text !', 'po_number text', 'line_number text',
	'operation text !', 'old jsonb', 'new jsonb', 'changed_at timestamp with time zone !', 'changed_by text !',
	'line_item_id bigint', 'order_updated_at timestamp with time zone']),
('po_notification', ARRAY['notification_id bigint !', 'account_id text !', 'po_number text !', 'line_number text',
	'kind text !', 'threshold numeric', 'due_on date', 'recipients text[] !', 'subject text !', 'body text !',
	'created_at timestamp with time zone !', 'claimed_until timestamp with time zone',
	'sent_at timestamp with time zone', 'attempts integer ! = 0', 'last_error text',
	'delivered_to text[] ! = ''{}''::text[]']),
('po_row_security', '{setting text !,enabled_at timestamp with time zone !}');

SELECT set_eq('SELECT name FROM ext_tables', 'SELECT table_name FROM want', 'the tables, and no others');

CREATE TEMP VIEW have AS
	SELECT t.name AS table_name, array_agg(a.attname || ' ' || format_type(a.atttypid, a.atttypmod)
		|| CASE WHEN a.attnotnull THEN ' !' ELSE '' END
		|| CASE WHEN a.attgenerated = 's' THEN ' generated'
			WHEN d.oid IS NOT NULL THEN ' = ' || pg_get_expr(d.adbin, d.adrelid) ELSE '' END
		ORDER BY a.attnum) AS columns
	FROM ext_tables t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0
	LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
	GROUP BY t.name;
SELECT is(h.columns, w.columns, 'columns of ' || w.table_name || ' in their order')
FROM want w LEFT JOIN have h USING (table_name);

-- src/schema.h, by psql's backquotes: make check runs in the tree
\set header `cat src/schema.h`
CREATE TEMP TABLE header AS
	SELECT e.n AS enum, m.n AS place, m.v[1] AS prefix, m.v[2] AS name, m.v[3] AS start
	FROM regexp_matches(:'header', 'enum\s*\{([^}]*)\}', 'g') WITH ORDINALITY e(body, n),
		regexp_matches(e.body[1], 'Anum_(account|alias|bills|change|contact|invoice|ledger|line_item|member|notification|order|seller|taxonomy)_(\w+)(\s*=\s*1\y)?', 'g')
			WITH ORDINALITY m(v, n);
SELECT cmp_ok((SELECT count(*) FROM header)::int, '>=', 80, 'src/schema.h was read, and has its columns');
SELECT is_empty('SELECT enum, name FROM header WHERE (place = 1) <> (start IS NOT NULL)',
	'every enum of src/schema.h counts from 1 at its first column, and nowhere else');
SELECT is_empty($$
	SELECT h.prefix, h.name, h.place, a.attnum FROM header h
	LEFT JOIN pg_attribute a ON a.attname = h.name AND a.attrelid = to_regclass('po_' || CASE h.prefix
		WHEN 'alias' THEN 'seller_alias' WHEN 'member' THEN 'account_member' WHEN 'bills' THEN 'seller_line_type'
		WHEN 'change' THEN 'change_log' ELSE h.prefix END)
	WHERE a.attnum IS DISTINCT FROM h.place$$,
	'every column number of src/schema.h is that of the table');
SELECT is((SELECT count(*) FROM header WHERE prefix = p)::int,
	(SELECT array_length(columns, 1) FROM want WHERE table_name = 'po_' || p), 'src/schema.h has all columns of po_' || p)
FROM unnest('{account,order,line_item,contact,invoice,notification}'::text[]) p;

SELECT is_empty($$
	SELECT t.name, a.attname FROM ext_tables t JOIN pg_attribute a ON a.attrelid = t.oid AND a.attnum > 0
	JOIN pg_collation c ON c.oid = a.attcollation
	WHERE a.attname ~ '^(account_id|member_account_id|bill_from|alias|(requested_)?po_number|(requested_)?line_number|invoice_id|original_invoice_id|agreement_id|agreement_moved_to|email|tax_registration_numbers?)$'
	AND c.collname <> 'C'$$, 'identifiers compare by bytes');

--
-- Keys
--
CREATE TEMP VIEW keys AS
	SELECT c.conrelid::regclass::text || ' ' || pg_get_constraintdef(c.oid) AS key
	FROM pg_constraint c JOIN ext_tables t ON t.oid = c.conrelid WHERE c.contype IN ('p', 'u', 'f');
SELECT set_eq('SELECT key FROM keys', ARRAY[
	'po_seller PRIMARY KEY (bill_from)',
	'po_seller_alias PRIMARY KEY (alias)',
	'po_seller_alias FOREIGN KEY (bill_from) REFERENCES po_seller(bill_from)',
	'po_taxonomy PRIMARY KEY (line_type)',
	'po_seller_line_type PRIMARY KEY (bill_from, line_type)',
	'po_seller_line_type FOREIGN KEY (bill_from) REFERENCES po_seller(bill_from)',
	'po_seller_line_type FOREIGN KEY (line_type) REFERENCES po_taxonomy(line_type)',
	'po_account PRIMARY KEY (account_id)',
	'po_order PRIMARY KEY (account_id, po_number)',
	'po_order FOREIGN KEY (account_id) REFERENCES po_account(account_id)',
	'po_order FOREIGN KEY (bill_from) REFERENCES po_seller(bill_from)',
	'po_line_item PRIMARY KEY (account_id, line_item_id)',
	'po_line_item UNIQUE (account_id, po_number, line_number)',
	'po_line_item FOREIGN KEY (account_id, po_number) REFERENCES po_order(account_id, po_number) ON DELETE CASCADE',
	'po_contact PRIMARY KEY (account_id, po_number, email)',
	'po_contact FOREIGN KEY (account_id, po_number) REFERENCES po_order(account_id, po_number) ON DELETE CASCADE',
	'po_account_member PRIMARY KEY (member_account_id)',
	'po_account_member FOREIGN KEY (account_id) REFERENCES po_account(account_id)',
	'po_invoice PRIMARY KEY (account_id, bill_from, invoice_id)',
	'po_ledger PRIMARY KEY (account_id, line_item_id, entry_id)',
	'po_change_log PRIMARY KEY (account_id, change_id)',
	'po_ledger_archive PRIMARY KEY (account_id, line_item_id, entry_id)',
	'po_change_log_archive PRIMARY KEY (account_id, change_id)',
	'po_notification PRIMARY KEY (account_id, notification_id)',
	'po_row_security PRIMARY KEY (setting)',
	'po_notification FOREIGN KEY (account_id, po_number) REFERENCES po_order(account_id, po_number) ON DELETE CASCADE'
	], 'primary, unique and foreign keys');
SELECT is_empty($$SELECT c.conname FROM pg_constraint c JOIN ext_tables t ON t.oid = c.conrelid
	WHERE c.condeferrable OR NOT c.convalidated$$, 'no constraint is deferrable or not valid');
SELECT is_empty($$SELECT i.indexrelid::regclass FROM pg_index i JOIN ext_tables t ON t.oid = i.indrelid
	JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = ANY (i.indkey)
	WHERE a.attname IN ('balance', 'booked_at')$$, 'what every booking updates is in no index, so that updates stay HOT');
SELECT has_index('po_order', 'po_order_match', '{account_id,bill_from,updated_at,expiration_month}'::name[], 'the index for orders, account first');
SELECT has_index('po_line_item', 'po_line_item_match', '{account_id,po_number,line_type,start_month,end_month}'::name[], 'the index for line items, account first');
SELECT is_empty($$SELECT t.name FROM ext_tables t WHERE EXISTS (SELECT FROM pg_rewrite r WHERE r.ev_class = t.oid)
	OR EXISTS (SELECT FROM pg_inherits i WHERE t.oid IN (i.inhrelid, i.inhparent))$$, 'tables are plain tables');
SELECT set_eq($$SELECT c.relname::text FROM ext JOIN pg_class c ON c.oid = objid AND classid = 'pg_class'::regclass WHERE c.relkind IN ('v', 'm')$$,
	'{po_dashboard,po_line_item_status,po_order_invoice,po_unassociated_invoice,po_monthly_spend,po_forecast,po_focus_invoice_detail,po_attachment,po_ledger_all,po_change_log_all}'::text[], 'the views, and no others');
SELECT set_eq($$SELECT c.relname::text || ' ' || a.attrelid::regclass || '.' || a.attname
	FROM ext JOIN pg_class c ON c.oid = objid AND classid = 'pg_class'::regclass AND c.relkind = 'S'
	LEFT JOIN pg_depend d ON d.objid = c.oid AND d.deptype = 'a' AND d.classid = 'pg_class'::regclass
	LEFT JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid$$,
	ARRAY['po_line_item_id_seq po_line_item.line_item_id', 'po_ledger_entry_id_seq po_ledger.entry_id',
	'po_change_log_change_id_seq po_change_log.change_id',
	'po_notification_notification_id_seq po_notification.notification_id'], 'sequences, owned by their columns');

--
-- Types, operators, casts
--
SELECT set_eq($$SELECT t.typname || ' ' || t.typtype::text FROM ext_types t$$,
	ARRAY['po_month b', 'po_month_range r', 'po_month_multirange m', 'po_line_type b', 'po_match c', 'po_explanation c'], 'types');
SELECT results_eq($$SELECT typlen::int, typbyval, typalign::text FROM pg_type WHERE oid = 'po_month'::regtype$$,
	$$VALUES (4, true, 'i')$$, 'po_month: 4 bytes, by value');
SELECT is((SELECT typlen FROM pg_type WHERE oid = 'po_line_type'::regtype)::int, -1, 'po_line_type is of variable length');
SELECT results_eq($$SELECT rngsubtype::regtype::text, rngcanonical::text, rngsubdiff::text FROM pg_range WHERE rngtypid = 'po_month_range'::regtype$$,
	$$VALUES ('po_month', 'po_month_range_canonical', 'po_month_subtype_diff')$$, 'po_month_range: over po_month, discrete, with subtype_diff');
SELECT is((SELECT array_agg(attname || ' ' || format_type(atttypid, atttypmod) ORDER BY attnum)
	FROM pg_attribute WHERE attrelid = 'po_match'::regclass AND attnum > 0 AND NOT attisdropped),
	'{rank integer,po_number text,line_number text,line_item_id bigint,line_type po_line_type,specificity integer,covers boolean,balance numeric,po_updated_at timestamp with time zone}'::text[], 'po_match');
SELECT is((SELECT array_agg(attname || ' ' || format_type(atttypid, atttypmod) ORDER BY attnum)
	FROM pg_attribute WHERE attrelid = 'po_explanation'::regclass AND attnum > 0 AND NOT attisdropped),
	'{po_number text,line_number text,rank integer,outcome text,stage text,reason text}'::text[], 'po_explanation');

CREATE TEMP VIEW operators AS
	SELECT o.oid::regoperator || ' ' || o.oprresult::regtype || ' '
		|| coalesce(nullif(o.oprcom, 0)::regoperator::text, '-') || ' '
		|| coalesce(nullif(o.oprnegate, 0)::regoperator::text, '-')
		|| CASE WHEN o.oprcanhash THEN ' hash' ELSE '' END || CASE WHEN o.oprcanmerge THEN ' merge' ELSE '' END AS op
	FROM ext JOIN pg_operator o ON o.oid = objid AND classid = 'pg_operator'::regclass;
SELECT set_eq('SELECT op FROM operators', $$
	SELECT format('%s(%s,%s) boolean %s(%s,%s) %s(%s,%s)%s', op, t, t, com, t, t, neg, t, t, more)
	FROM (VALUES ('<', '>', '>=', ''), ('<=', '>=', '>', ''), ('=', '=', '<>', ' hash merge'),
		('<>', '<>', '=', ''), ('>=', '<=', '<', ''), ('>', '<', '<=', '')) v(op, com, neg, more),
		(VALUES ('po_month'), ('po_line_type')) w(t)
	UNION ALL VALUES ('+(po_month,integer) po_month - -'), ('-(po_month,integer) po_month - -'),
		('-(po_month,po_month) integer - -'),
		('@>(po_line_type,po_line_type) boolean <@(po_line_type,po_line_type) -'),
		('<@(po_line_type,po_line_type) boolean @>(po_line_type,po_line_type) -')$$,
	'operators with their results, commutators and negators');
SELECT is_empty($$SELECT o.oid::regoperator FROM ext JOIN pg_operator o ON o.oid = objid AND classid = 'pg_operator'::regclass
	WHERE o.oprresult = 'boolean'::regtype AND (o.oprrest = 0 OR o.oprjoin = 0)$$, 'operators have selectivity estimates');
SELECT set_eq($$SELECT pg_describe_object(classid, objid, 0) FROM ext WHERE classid IN ('pg_opclass'::regclass, 'pg_opfamily'::regclass)$$, $$
	SELECT format('operator %s %s_ops for access method %s', a, t, m)
	FROM unnest('{class,family}'::text[]) a, unnest('{po_month,po_line_type}'::text[]) t, unnest('{btree,hash}'::text[]) m$$, 'operator classes');
SELECT set_eq($$SELECT format_type(o.opcintype, NULL) || ' ' || m.amname || ' ' || p.amprocnum FROM ext
	JOIN pg_opclass o ON o.oid = objid AND classid = 'pg_opclass'::regclass JOIN pg_am m ON m.oid = o.opcmethod
	JOIN pg_amproc p ON p.amprocfamily = o.opcfamily AND p.amproclefttype = o.opcintype$$,
	ARRAY['po_month btree 1', 'po_month btree 2', 'po_month btree 3', 'po_month btree 4', 'po_month hash 1', 'po_month hash 2',
	'po_line_type btree 1', 'po_line_type btree 2', 'po_line_type btree 4', 'po_line_type hash 1', 'po_line_type hash 2'],
	'compare, sort support, window ranges, equal images; hash and extended hash');

CREATE TEMP VIEW casts AS
	SELECT format_type(castsource, NULL) || ' to ' || format_type(casttarget, NULL) || ' ' || castcontext::text || ' ' || castmethod::text AS c
	FROM pg_cast WHERE 'po_month'::regtype IN (castsource, casttarget) OR 'po_line_type'::regtype IN (castsource, casttarget);
SELECT set_eq('SELECT c FROM casts', ARRAY['date to po_month a f', 'timestamp without time zone to po_month a f',
	'text to po_month a i', 'po_month to date a f', 'text to po_line_type a i'], 'casts are assignment casts; none from timestamptz');
SELECT throws_ok('SELECT now()::po_month', '42846', 'cannot cast type timestamp with time zone to po_month', 'no cast from timestamptz');
SELECT throws_ok('SELECT po_month(now())', '42883', NULL, 'nor a function: the month depends on a time zone');

--
-- Functions
--
CREATE TEMP TABLE functions AS
	SELECT format('%s(%s) -> %s %s%s %s%s %s%s', p.proname, pg_get_function_arguments(p.oid),
		pg_get_function_result(p.oid), l.lanname, CASE p.prokind WHEN 'a' THEN ' aggregate' ELSE '' END,
		CASE p.provolatile WHEN 'i' THEN 'immutable' WHEN 's' THEN 'stable' ELSE 'volatile' END,
		CASE WHEN p.proisstrict THEN ' strict' ELSE '' END,
		CASE p.proparallel WHEN 's' THEN 'safe' WHEN 'r' THEN 'restricted' ELSE 'unsafe' END,
		CASE WHEN p.proleakproof THEN ' leakproof' ELSE '' END) AS f
	FROM ext_functions p JOIN pg_language l ON l.oid = p.prolang;
CREATE TEMP TABLE want_functions (f text);
-- of the types
INSERT INTO want_functions SELECT format('po_%s_%s(po_%s, po_%s) -> boolean c immutable strict safe leakproof', t, f, t, t)
	FROM unnest('{month,line_type}'::text[]) t, unnest('{lt,le,eq,ne,ge,gt}'::text[]) f;
INSERT INTO want_functions SELECT replace(format('po_T_%s c immutable strict safe%s', f, more), 'T', t)
	FROM unnest('{month,line_type}'::text[]) t, (VALUES
	('in(cstring) -> po_T', ''), ('out(po_T) -> cstring', ''), ('recv(internal) -> po_T', ''), ('send(po_T) -> bytea', ''),
	('cmp(po_T, po_T) -> integer', ' leakproof'), ('sortsupport(internal) -> void', ''),
	('hash(po_T) -> integer', ' leakproof'), ('hash_extended(po_T, bigint) -> bigint', ' leakproof')) v(f, more);
INSERT INTO want_functions SELECT f || ' c immutable strict safe' FROM unnest(ARRAY[
	'po_month_in_range(po_month, po_month, integer, boolean, boolean) -> boolean',
	'po_month_pl_int(po_month, integer) -> po_month', 'po_month_mi_int(po_month, integer) -> po_month',
	'po_month_mi_month(po_month, po_month) -> integer', 'po_month_smaller(po_month, po_month) -> po_month',
	'po_month_larger(po_month, po_month) -> po_month', 'po_month(date) -> po_month',
	'po_month(timestamp without time zone) -> po_month', 'date(po_month) -> date', 'po_month_end(po_month) -> date',
	'po_month_range_canonical(po_month_range) -> po_month_range',
	'po_month_subtype_diff(po_month, po_month) -> double precision', 'po_specificity(po_line_type) -> integer',
	'po_ancestors(po_line_type) -> po_line_type[]', 'po_label(po_line_type) -> text']) f;
INSERT INTO want_functions VALUES
	('po_line_type_contains(po_line_type, po_line_type) -> boolean c immutable strict safe leakproof'),
	('po_line_type_contained(po_line_type, po_line_type) -> boolean c immutable strict safe leakproof'),
	('min(po_month) -> po_month internal aggregate immutable safe'), ('max(po_month) -> po_month internal aggregate immutable safe'),
	('po_month_range(po_month, po_month) -> po_month_range internal immutable safe'),
	('po_month_range(po_month, po_month, text) -> po_month_range internal immutable safe'),
	('po_month_multirange() -> po_month_multirange internal immutable strict safe'),
	('po_month_multirange(po_month_range) -> po_month_multirange internal immutable strict safe'),
	('po_month_multirange(VARIADIC po_month_range[]) -> po_month_multirange internal immutable strict safe');
-- of the product
INSERT INTO want_functions SELECT format('%s(account_id text, bill_from text, line_type po_line_type, billing_month po_month, '
	|| 'amount numeric, currency text DEFAULT NULL::text, issued_on date DEFAULT NULL::date, requested_po_number text DEFAULT NULL::text, '
	|| 'requested_line_number text DEFAULT NULL::text, agreement_id text DEFAULT NULL::text, tax_registration_number text DEFAULT NULL::text, '
	|| 'out_of_cycle boolean DEFAULT NULL::boolean, max_rank integer DEFAULT NULL::integer) -> SETOF %s c stable safe', f, r)
	FROM (VALUES ('po_match_invoice', 'po_match'), ('po_explain_match', 'po_explanation')) v(f, r);
INSERT INTO want_functions VALUES
	('po_match_invoice(invoice po_invoice, max_rank integer DEFAULT NULL::integer) -> SETOF po_match c stable safe'),
	('po_explain_match(invoice po_invoice, max_rank integer DEFAULT NULL::integer) -> SETOF po_explanation c stable safe'),
	('po_explain_invoice(account_id text, bill_from text, invoice_id text) -> SETOF po_explanation c stable safe'),
	('po_merge(jsonb) -> jsonb internal aggregate immutable safe'),
	('po_match_support(internal) -> internal c immutable strict safe'),
	('po_now() -> timestamp with time zone c stable strict safe'),
	('po_today(account_id text) -> date sql stable strict safe'),
	('po_status("order" po_order) -> text sql stable strict safe'), ('po_status("order" po_order, day date) -> text sql immutable safe'),
	('po_suspend(account_id text, po_number text) -> text c volatile unsafe'),
	('po_activate(account_id text, po_number text) -> text c volatile unsafe'),
	('po_extend(account_id text, po_number text, expiration_month po_month, line_items boolean DEFAULT false) -> text c volatile unsafe'),
	('po_copy_order(account_id text, po_number text, new_po_number text, effective_month po_month, expiration_month po_month) -> po_order c volatile unsafe'),
	('po_move_member(member_account_id text, account_id text) -> text c volatile unsafe'),
	('po_marketplace_purchase(account_id text, po_number text, bill_from text, agreement_id text, start_month po_month, end_month po_month, amount numeric DEFAULT 0, line_number text DEFAULT NULL::text, description text DEFAULT NULL::text) -> text c volatile unsafe'),
	('po_marketplace_payment(account_id text, po_number text, agreement_id text, month po_month, amount numeric, line_number text DEFAULT NULL::text, description text DEFAULT NULL::text) -> text c volatile unsafe'),
	('po_marketplace_change_order(account_id text, agreement_id text, po_number text) -> text c volatile unsafe'),
	('po_assign_invoice(account_id text, bill_from text, invoice_id text, po_number text, line_number text DEFAULT NULL::text, reason text DEFAULT NULL::text) -> po_invoice c volatile unsafe'),
	('po_release_invoice(account_id text, bill_from text, invoice_id text, reason text DEFAULT NULL::text) -> po_invoice c volatile unsafe'),
	('po_void_invoice(account_id text, bill_from text, invoice_id text, reason text DEFAULT NULL::text) -> po_invoice c volatile unsafe'),
	('po_rematch_invoice(account_id text, bill_from text, invoice_id text, force boolean DEFAULT false) -> po_invoice c volatile unsafe'),
	('po_rematch_unassociated(account_id text DEFAULT NULL::text) -> bigint c volatile unsafe'),
	('po_repair(account_id text) -> bigint c volatile unsafe'),
	('po_archive(before po_month, account_id text DEFAULT NULL::text) -> bigint c volatile unsafe'),
	('po_attach(invoices regclass, columns jsonb) -> void c volatile strict unsafe'),
	('po_detach(invoices regclass) -> void c volatile strict unsafe'),
	('po_attach_existing(IN invoices regclass, IN batch integer DEFAULT 10000) ->  c volatile unsafe'),
	('po_attached_trigger() -> trigger c volatile unsafe'),
	('po_enable_row_security(setting text) -> integer c volatile unsafe'),
	('po_scan_expirations(as_of date DEFAULT NULL::date) -> bigint c volatile unsafe'),
	('po_schedule(schedule text DEFAULT ''15 5 * * *''::text) -> text c volatile unsafe'),
	('po_backtest(account_id text, from_month po_month DEFAULT NULL::po_month, to_month po_month DEFAULT NULL::po_month, OUT billing_month po_month, OUT bill_from text, OUT invoice_id text, OUT amount numeric, OUT currency text, OUT association_kind text, OUT po_number text, OUT line_number text, OUT would_po_number text, OUT would_line_number text, OUT moves boolean, OUT reason text) -> SETOF record sql stable safe'),
	('po_coverage(account_id text, from_month po_month, to_month po_month, amount numeric DEFAULT 0.01, OUT bill_from text, OUT line_type po_line_type, OUT currency text, OUT billing_month po_month, OUT po_number text, OUT line_number text, OUT item_type po_line_type, OUT covers boolean, OUT balance numeric) -> SETOF record sql stable strict safe'),
	('po_focus_charges(charges regclass, OUT bill_from text, OUT account_id text, OUT billing_month po_month, OUT charge_category text, OUT currency text, OUT invoice_id text, OUT other_publisher boolean, OUT billed_cost numeric, OUT left_out text) -> SETOF record plpgsql stable strict restricted'),
	('po_html(value text) -> text sql immutable strict safe'), ('po_html(value numeric) -> text sql immutable strict safe'),
	('po_report(account_id text) -> text sql stable strict safe'),
	('po_invoices_from_focus(charges regclass) -> SETOF po_invoice plpgsql stable strict restricted'),
	('po_balance_at(account_id text, po_number text, line_number text, at timestamp with time zone) -> numeric sql stable strict safe'),
	('po_check_integrity(OUT account_id text, OUT po_number text, OUT line_number text, OUT line_item_id bigint, OUT violation text, OUT expected text, OUT found text) -> SETOF record sql stable safe');
INSERT INTO want_functions SELECT format('po_%s_trigger() -> trigger c volatile unsafe', f)
	FROM unnest('{seed,append_only,stamp,truncate,statement,account,order,line_item,contact,invoice}'::text[]) f;
SELECT is_empty('SELECT f FROM want_functions EXCEPT SELECT f FROM functions', 'every function is there, with its arguments, defaults, volatility, strictness, parallel safety');
SELECT is_empty('SELECT f FROM functions EXCEPT SELECT f FROM want_functions', 'and there are no others');
SELECT set_eq($$SELECT proname || ' ' || prosupport::regproc FROM ext_functions WHERE prosupport <> 0$$,
	ARRAY['po_match_invoice po_match_support'], 'po_match_invoice has a planner estimate');
SELECT is_empty($$SELECT oid::regprocedure FROM ext_functions WHERE prosecdef$$, 'no function runs with its owner''s rights');
-- C and built-in functions resolve no names; a body that was parsed when it was made resolves none either
SELECT is_empty($$SELECT p.oid::regprocedure FROM ext_functions p JOIN pg_language l ON l.oid = p.prolang
	WHERE l.lanname NOT IN ('c', 'internal') AND p.prosqlbody IS NULL AND NOT coalesce(p.proconfig::text ~ 'search_path', false)$$,
	'search_path cannot change what a function runs');

--
-- Triggers: ours last BEFORE a row, and first AFTER a row
--
SELECT is_empty($$SELECT t.name, g.tgname FROM ext_tables t JOIN pg_trigger g ON g.tgrelid = t.oid AND NOT g.tgisinternal
	WHERE g.tgname !~ CASE WHEN g.tgtype & 2 = 2 THEN '^~po_mgmt_' ELSE '^!po_mgmt_' END$$, 'names that sort last before, and first after');
SELECT is_empty($$SELECT name FROM ext_tables t WHERE name <> 'po_row_security' AND NOT EXISTS (SELECT FROM pg_trigger g
	WHERE g.tgrelid = t.oid AND g.tgname = '~po_mgmt_before' AND g.tgtype & 7 = 7 AND g.tgenabled = 'O')$$, 'every table has its BEFORE INSERT trigger');
SELECT set_eq($$SELECT t.name FROM ext_tables t JOIN pg_trigger g ON g.tgrelid = t.oid WHERE g.tgname = '!po_mgmt_after' AND g.tgtype & 3 = 1$$,
	'{po_order,po_line_item,po_contact,po_invoice}'::text[], 'tables with an AFTER ROW trigger');

--
-- Comments, on all that users see
--
SELECT is_empty($$SELECT t.typname FROM ext_types t
	WHERE coalesce(obj_description(t.oid, 'pg_type'), obj_description(t.typrelid, 'pg_class'), '') = ''$$, 'every type has a comment');
SELECT is_empty($$SELECT name FROM ext_tables WHERE coalesce(obj_description(oid, 'pg_class'), '') = ''$$, 'every table has a comment');
SELECT is_empty($$SELECT c.relname, a.attname FROM ext JOIN pg_class c ON c.oid = objid AND classid = 'pg_class'::regclass AND c.relkind IN ('r', 'v')
	JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
	WHERE coalesce(col_description(c.oid, a.attnum), '') = ''$$, 'every column has a comment');
SELECT is_empty($$SELECT oid::regprocedure FROM ext_functions WHERE coalesce(obj_description(oid, 'pg_proc'), '') = ''$$, 'every function has a comment');
SELECT is_empty($$SELECT objid::regoperator FROM ext WHERE classid = 'pg_operator'::regclass
	AND coalesce(obj_description(objid, 'pg_operator'), '') = ''$$, 'every operator has a comment');
SELECT is_empty($$SELECT pg_describe_object(classid, objid, 0) FROM ext
	WHERE classid IN ('pg_cast'::regclass, 'pg_opclass'::regclass, 'pg_opfamily'::regclass)
	AND NOT EXISTS (SELECT FROM pg_description d WHERE d.classoid = ext.classid AND d.objoid = ext.objid)$$, 'every cast and operator class has a comment');

--
-- Privileges
--
SELECT set_eq($$SELECT proname::text FROM ext_functions WHERE NOT has_function_privilege('public', oid, 'EXECUTE')$$, $$
	SELECT proname::text FROM ext_functions WHERE prorettype = 'trigger'::regtype
	UNION VALUES ('po_suspend'), ('po_activate'), ('po_extend'), ('po_copy_order'), ('po_move_member'), ('po_marketplace_purchase'), ('po_marketplace_payment'), ('po_marketplace_change_order'), ('po_assign_invoice'), ('po_release_invoice'), ('po_void_invoice'),
		('po_rematch_invoice'), ('po_rematch_unassociated'), ('po_repair'), ('po_archive'), ('po_attach'), ('po_detach'), ('po_attach_existing'), ('po_scan_expirations'), ('po_schedule'), ('po_enable_row_security')$$, 'EXECUTE is revoked from PUBLIC on what changes something, and on trigger functions');
SELECT is_empty($$SELECT oid::regprocedure FROM ext_functions WHERE provolatile = 'v' AND has_function_privilege('public', oid, 'EXECUTE')$$,
	'nothing volatile may be executed by PUBLIC');
SELECT set_eq($$SELECT c.relname || ' ' || x.privilege_type FROM ext JOIN pg_class c ON c.oid = objid AND classid = 'pg_class'::regclass,
	aclexplode(c.relacl) x WHERE x.grantee = 0 OR x.grantee <> c.relowner$$,
	'{po_seller SELECT,po_seller_alias SELECT,po_taxonomy SELECT,po_seller_line_type SELECT,po_row_security SELECT}'::text[], 'PUBLIC may SELECT reference data, and that is all that is granted');
SELECT is_empty($$SELECT attrelid::regclass FROM pg_attribute a JOIN ext_tables t ON t.oid = a.attrelid WHERE attacl IS NOT NULL$$, 'no grants on columns');
SELECT is_empty($$SELECT name FROM ext_tables t JOIN pg_class c ON c.oid = t.oid WHERE c.relrowsecurity$$, 'row security is for the user to switch on');

--
-- The extension as such
--
\set control `cat po_mgmt.control`
SELECT matches(:'control'::text, '(?n)^superuser = true$', 'for superusers');
SELECT matches(:'control'::text, '(?n)^trusted = false$', 'not trusted');
SELECT is((SELECT extrelocatable || ' ' || extversion FROM pg_extension WHERE extname = 'po_mgmt'), 'false 1.1', 'not relocatable; version 1.1');
SELECT set_eq($$SELECT unnest(extconfig)::regclass::text FROM pg_extension WHERE extname = 'po_mgmt'$$, $$
	SELECT c.relname::text FROM ext JOIN pg_class c ON c.oid = objid AND classid = 'pg_class'::regclass WHERE c.relkind IN ('r', 'S')$$,
	'every table and every sequence is dumped');
SELECT is((SELECT array_agg(DISTINCT c) FROM pg_extension, unnest(extcondition) c WHERE extname = 'po_mgmt'), '{""}'::text[], 'whole');

SELECT finish();
ROLLBACK;
