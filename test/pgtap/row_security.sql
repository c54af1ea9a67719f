-- row_security.sql: po_enable_row_security(). Every table that is by account has its policy; through
-- tables, views and functions, whichever there are, a session sees its own account, and cannot tell
-- whether another one is there. po_check_integrity() reports what differs from what was asked for.
BEGIN;
SELECT no_plan();
SET LOCAL client_min_messages = warning;

CREATE TEMP VIEW ext AS
	SELECT d.classid, d.objid FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass
	WHERE e.extname = 'po_mgmt' AND d.deptype = 'e';
CREATE TEMP VIEW relations AS SELECT c.oid, c.relname::text AS name, c.relkind, c.relrowsecurity,
		EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'account_id') AS by_account
	FROM ext JOIN pg_class c ON c.oid = objid AND classid = 'pg_class'::regclass WHERE c.relkind IN ('r', 'v');
CREATE TEMP VIEW wrong AS SELECT violation, expected, found FROM po_check_integrity() WHERE violation ~ '^row security';
CREATE FUNCTION tried(role name, statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE result text;
BEGIN
	EXECUTE format('SET LOCAL ROLE %I', role);
	EXECUTE statement INTO result;
	RESET ROLE;
	RETURN coalesce(result, 'nothing');
EXCEPTION WHEN OTHERS THEN
	RESET ROLE;
	RETURN SQLSTATE || ' ' || SQLERRM;
END $$;

-- two accounts with the same in both; a tenant with all rights that can be granted
INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month) SELECT a, n, 'AWS Inc.', '2026-01', '2026-12' FROM unnest('{A,B}'::text[]) a, unnest('{P,Q}'::text[]) n;
INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, amount, balance_tracked) SELECT account_id, po_number, '1', 'usage', '2026-01', '2026-12', 100, true FROM po_order;
INSERT INTO po_contact (account_id, po_number, email) SELECT account_id, po_number, 'ap@example.com' FROM po_order;
INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount) SELECT a, 'AWS Inc.', i, CASE i WHEN 'I3' THEN 'all' ELSE 'usage' END::po_line_type, '2026-02', 40
	FROM unnest('{A,B}'::text[]) a, unnest('{I1,I2,I3}'::text[]) i;
INSERT INTO po_account_member (member_account_id, account_id) VALUES ('MA', 'A'), ('MB', 'B');
INSERT INTO po_notification (notification_id, account_id, po_number, kind, recipients, subject, body) VALUES (-1, 'A', 'P', 'balance', '{}', '', ''), (-1, 'B', 'P', 'balance', '{}', '', '');
INSERT INTO po_change_log (change_id, account_id, po_number, operation, changed_at, changed_by) VALUES (-1, 'A', 'P', 'insert', now(), 'x'), (-1, 'B', 'P', 'insert', now(), 'x');
UPDATE po_account SET closed_through = '9999-01';
SELECT cmp_ok(po_archive('9999-12'), '>', 10::bigint, 'the archive is not empty');
UPDATE po_account SET closed_through = NULL;
INSERT INTO po_change_log (change_id, account_id, po_number, operation, changed_at, changed_by) VALUES (-2, 'A', 'P', 'insert', now(), 'x'), (-2, 'B', 'P', 'insert', now(), 'x');
UPDATE po_account SET closed_through = '2020-12' WHERE account_id = 'B';
CREATE ROLE po_t_tenant;
DO $$ DECLARE r record; BEGIN
	FOR r IN SELECT name FROM relations LOOP EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %I TO po_t_tenant', r.name); END LOOP;
	FOR r IN SELECT objid::regprocedure AS f FROM ext WHERE classid = 'pg_proc'::regclass LOOP EXECUTE format('GRANT EXECUTE ON ROUTINE %s TO po_t_tenant', r.f); END LOOP;
	EXECUTE format('GRANT USAGE ON SCHEMA %I TO po_t_tenant', (SELECT extnamespace::regnamespace::text FROM pg_extension WHERE extname = 'po_mgmt'));
END $$;

--
-- Switched on
--
SELECT is_empty('SELECT * FROM wrong', 'nothing asked for, nothing wrong');
SELECT is(po_enable_row_security('app.account_id'), (SELECT count(*)::integer FROM relations WHERE relkind = 'r' AND by_account), 'all tables by account');
SELECT set_eq('SELECT name FROM relations WHERE relrowsecurity', $$SELECT name FROM relations WHERE relkind = 'r' AND by_account$$, 'and no others');
SELECT is_empty('SELECT * FROM wrong', 'po_check_integrity() finds nothing');
SELECT is((SELECT setting FROM po_row_security), 'app.account_id', 'it is recorded');

-- every table and view
SELECT is(tried('po_t_tenant', format('SELECT count(*) FROM %I', name)), '0', 'without the setting nothing of ' || name) FROM relations WHERE by_account ORDER BY name;
SET LOCAL app.account_id = 'A';
SELECT is(tried('po_t_tenant', format('SELECT string_agg(DISTINCT account_id, '' '') FROM %I', name)), 'A', 'A sees its rows of ' || name)
FROM relations WHERE by_account AND name NOT IN ('po_forecast', 'po_monthly_spend') ORDER BY name;
SELECT is(tried('po_t_tenant', format('SELECT count(*) FROM %I WHERE account_id IS DISTINCT FROM ''A''', name)), '0', 'and no others of ' || name) FROM relations WHERE by_account ORDER BY name;
SELECT is(tried('po_t_tenant', format('WITH x AS (DELETE FROM %I WHERE account_id = ''B'' RETURNING 1) SELECT count(*) FROM x', name)), '0', 'it deletes nothing of B from ' || name)
FROM relations WHERE by_account AND relkind = 'r' ORDER BY name;
SELECT is(tried('po_t_tenant', 'SELECT count(*) > 0 FROM po_seller'), 'true', 'reference data is for all');

--
-- New rows: the same error, whether or not what they refer to is there
--
CREATE TEMP TABLE new_rows AS SELECT * FROM (VALUES
	('po_account', $$INSERT INTO po_account (account_id) VALUES ('%s')$$),
	('po_order', $$INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month) VALUES ('%s', 'P', 'AWS Inc.', '2026-01', '2026-12')$$),
	('po_line_item', $$INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, amount) VALUES ('%s', 'P', '2', 'all', '2026-01', '2026-12', 1)$$),
	('po_line_item', $$INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, amount) VALUES ('%s', 'P', '2', 'all', '1999-01', '1999-12', 1)$$),
	('po_contact', $$INSERT INTO po_contact (account_id, po_number, email) VALUES ('%s', 'P', 'x@example.com')$$),
	('po_account_member', $$INSERT INTO po_account_member (member_account_id, account_id) VALUES ('MX', '%s')$$),
	('po_notification', $$INSERT INTO po_notification (notification_id, account_id, po_number, kind, recipients, subject, body) VALUES (-2, '%s', 'P', 'balance', '{}', '', '')$$),
	('po_invoice', $$INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount) VALUES ('%s', 'AWS Inc.', 'I1', 'usage', '2026-02', 1)$$),
	('po_invoice', $$INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount) VALUES ('%s', 'AWS Inc.', 'I9', 'usage', '2020-02', 1)$$),
	('po_invoice', $$INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount, po_number) VALUES ('%s', 'AWS Inc.', 'I9', 'usage', '2026-02', 1, 'P')$$),
	('po_invoice', $$INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount, currency, original_invoice_id) VALUES ('%s', 'AWS Inc.', 'I9', 'usage', '2026-02', -1, 'EUR', 'I1')$$)) v(name, statement);
SELECT is(tried('po_t_tenant', format(statement, a)), '42501 new row violates row-level security policy for table "' || name || '"', format(statement, a))
FROM new_rows, unnest('{B,nobody}'::text[]) a;
SELECT is((SELECT count(*) FROM pg_locks l JOIN pg_class c ON c.oid = l.relation WHERE l.locktype = 'tuple')::int, 0, 'no row is locked');
-- its own account works as ever, and so do errors in it
SELECT matches(tried('po_t_tenant', s || ' RETURNING account_id'), e, s) FROM (VALUES
	($$INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month) VALUES ('A', 'R', 'AWS Inc.', '2026-01', '2026-12')$$, '^A$'),
	($$INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, amount) VALUES ('A', 'R', '1', 'all', '2026-01', '2026-12', 1)$$, '^A$'),
	($$INSERT INTO po_contact (account_id, po_number, email) VALUES ('A', 'R', 'x@example.com')$$, '^A$'),
	($$INSERT INTO po_account_member (member_account_id, account_id) VALUES ('MX', 'A')$$, '^A$'),
	($$INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount) VALUES ('A', 'Amazon Web Services, Inc.', 'I9', 'usage', '2026-02', 1)$$, '^A$'),
	($$INSERT INTO po_contact (account_id, po_number, email) VALUES ('A', 'X', 'x@example.com')$$, '^23503 purchase order "X" does not exist')) v(s, e);
SELECT is((SELECT po_number FROM po_invoice WHERE invoice_id = 'I9'), 'Q', 'an invoice of its own is booked');

-- policies of one's own: restrictive ones, for a role, for a command, with a subquery, on columns that the trigger fills
SELECT is(tried('po_t_tenant', $$INSERT INTO po_contact (account_id, po_number, email) VALUES ('A', 'P', 'y@example.com') RETURNING 1$$), '1', 'before');
CREATE POLICY own ON po_contact AS RESTRICTIVE FOR INSERT TO po_t_tenant WITH CHECK (account_id < 'A');
SELECT is(tried('po_t_tenant', $$INSERT INTO po_contact (account_id, po_number, email) VALUES ('A', 'X', 'z@example.com')$$), '42501 new row violates row-level security policy for table "po_contact"', 'a restrictive policy');
ALTER POLICY own ON po_contact WITH CHECK (EXISTS (SELECT FROM po_seller));
SELECT is(tried('po_t_tenant', $$INSERT INTO po_contact (account_id, po_number, email) VALUES ('A', 'P', 'z@example.com') RETURNING 1$$), '1', 'one with a subquery is the server''s');
ALTER POLICY own ON po_contact WITH CHECK (created_at IS NOT NULL);
SELECT is(tried('po_t_tenant', $$INSERT INTO po_contact (account_id, po_number, email) VALUES ('A', 'P', 'v@example.com') RETURNING 1$$), '1', 'so is one on a column that our trigger fills');
ALTER POLICY own ON po_contact TO pg_monitor WITH CHECK (false);
SELECT is(tried('po_t_tenant', $$INSERT INTO po_contact (account_id, po_number, email) VALUES ('A', 'P', 'w@example.com') RETURNING 1$$), '1', 'one for another role does not count');
DROP POLICY own ON po_contact;
CREATE POLICY own ON po_contact FOR INSERT WITH CHECK (account_id = current_user);
SELECT is(tried('po_t_tenant', $$INSERT INTO po_contact (account_id, po_number, email) VALUES ('po_t_tenant', 'X', 'z@example.com')$$), '23503 purchase order "X" does not exist in account "po_t_tenant"', 'a permissive one is asked as the caller');
DROP POLICY own ON po_contact;

--
-- Every function that names an account says of B what it says of an account that is not there
--
CREATE FUNCTION called(f oid, account text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	arguments text := (SELECT string_agg(format('%L::%s', CASE
			WHEN name = 'account_id' AND position = (SELECT min(i) FROM unnest(p.proargnames) WITH ORDINALITY x(n, i) WHERE n = 'account_id') THEN account
			WHEN name = 'po_number' THEN 'P' WHEN name = 'line_number' THEN '1' WHEN name = 'bill_from' THEN 'AWS Inc.' WHEN name = 'invoice_id' THEN 'I1'
			WHEN name = 'line_type' THEN 'usage' WHEN type = 'po_month'::regtype THEN '2026-02' WHEN type = 'numeric'::regtype THEN '1'
			WHEN type = 'boolean'::regtype THEN 'true' WHEN type = 'timestamptz'::regtype THEN '2030-01-01' END, type::regtype), ', ' ORDER BY position)
		FROM pg_proc p, unnest(p.proargtypes::oid[], p.proargnames[1:p.pronargs]) WITH ORDINALITY a(type, name, position) WHERE p.oid = f);
BEGIN
	RETURN replace(tried('po_t_tenant', format('SELECT string_agg(x::text, '';'') FROM %s(%s) x', f::regproc, arguments)), account, 'SOMEBODY');
END $$;
CREATE TEMP TABLE asked AS SELECT p.oid, p.proname, called(p.oid, 'B') AS of_b, called(p.oid, 'nobody') AS of_nobody, called(p.oid, 'A') AS of_a
	FROM ext JOIN pg_proc p ON p.oid = objid AND classid = 'pg_proc'::regclass
	WHERE 'account_id' = ANY (p.proargnames[1:p.pronargs]) AND p.proname NOT IN ('po_repair'); -- that is the operator's, for all accounts
SELECT cmp_ok((SELECT count(*) FROM asked)::int, '>=', 11, 'there are functions that name an account');
SELECT is(of_b, of_nobody, proname || ' tells nothing of B') FROM asked ORDER BY proname;
SELECT cmp_ok((SELECT count(*) FROM asked WHERE of_a <> of_nobody)::int, '>=', 9, 'though of A most have something to tell');
SELECT is(tried('po_t_tenant', 'SELECT count(*) FROM po_match_invoice(ROW(''B'', ''AWS Inc.'', ''X'', NULL, ''usage'', ''2026-02'', NULL, NULL, 1, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)::po_invoice)'), '0', 'nor does the form with a row');
SELECT is_empty($$SELECT * FROM po_check_integrity()$$, 'and nothing of it broke the books');
SELECT is((SELECT string_agg(DISTINCT po_status(o), ' ') FROM po_order o WHERE account_id = 'B'), 'Active', 'or changed B');

--
-- What differs is reported, and put right by the same call
--
DROP POLICY po_mgmt_account ON po_order;
ALTER TABLE po_contact DISABLE ROW LEVEL SECURITY;
ALTER POLICY po_mgmt_account ON po_invoice USING (true);
ALTER POLICY po_mgmt_account ON po_ledger TO po_t_tenant;
ALTER POLICY po_mgmt_account ON po_line_item WITH CHECK (true);
SELECT set_eq('TABLE wrong', $$VALUES
	('row security of po_order is not as po_enable_row_security() left it', 'policy by app.account_id', 'none'),
	('row security of po_contact is not as po_enable_row_security() left it', 'policy by app.account_id', 'switched off'),
	('row security of po_invoice is not as po_enable_row_security() left it', 'policy by app.account_id', 'true'),
	('row security of po_ledger is not as po_enable_row_security() left it', 'policy by app.account_id', '(account_id = current_setting(''app.account_id''::text, true))'),
	('row security of po_line_item is not as po_enable_row_security() left it', 'policy by app.account_id', '(account_id = current_setting(''app.account_id''::text, true))')$$, 'each is reported');
SELECT cmp_ok(po_enable_row_security('app.account_id'), '>=', 9, 'again');
SELECT is_empty('TABLE wrong', 'all is well');
SELECT cmp_ok(po_enable_row_security('other.setting'), '>=', 9, 'another setting');
SELECT is(tried('po_t_tenant', 'SELECT count(*) FROM po_order'), '0', 'the first one does not count any more');
SELECT is_empty('TABLE wrong', 'all is well');
SELECT is((SELECT string_agg(setting, ' ') FROM po_row_security), 'other.setting', 'one setting is recorded');
CREATE POLICY own ON po_order USING (true);
SELECT cmp_ok(po_enable_row_security(NULL), '>=', 9, 'null takes them away');
SELECT set_eq('SELECT name FROM relations WHERE relrowsecurity', '{po_order}'::text[], 'where there is no other policy, row security is off');
SELECT is_empty('SELECT * FROM po_row_security', 'nothing is recorded');
SELECT is_empty('TABLE wrong', 'and nothing is wrong');

-- errors
SELECT throws_ok(format('SELECT po_enable_row_security(%L)', s), '22023', format('"%s" is not the name of a setting', s), 'setting ' || s)
FROM unnest('{"",a,a.,.a,a..b,1.a,a.1,"a.b c","a.b;c","search_path"}'::text[]) s;
SELECT is(tried('po_t_tenant', 'SELECT po_enable_row_security(''a.b'')'), '42501 must be owner of table po_account', 'only who owns the tables');
SELECT is_empty('SELECT * FROM po_row_security', 'and nothing is left of that');

SELECT finish();
ROLLBACK;
