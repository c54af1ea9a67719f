-- roles.sql: the roles of doc/operations.md, made by its own statements. Each has what the page
-- says and nothing else, relation by relation and function by function, whichever there are.
\set recipe `awk '/^## /{s=($0=="## Roles")} s&&/^...sql$/{p=1;next} /^...$/{p=0} s&&p' doc/operations.md`
\set personal `awk '/^## /{s=($0=="## Personal data")} s&&/^...sql$/{p=1;next} /^...$/{p=0} s&&p' doc/operations.md`
\set others `awk '/^## /{s=($0=="## Row security"||$0=="## Loads")} s&&/^...sql$/{p=1;next} /^...$/{p=0} s&&p' doc/operations.md`
BEGIN;
SELECT no_plan();
SET LOCAL client_min_messages = warning;

CREATE TEMP VIEW ext AS
	SELECT d.classid, d.objid FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass
	WHERE e.extname = 'po_mgmt' AND d.deptype = 'e';
CREATE TEMP VIEW relations AS SELECT c.oid, c.relname::text AS name, c.relkind FROM ext JOIN pg_class c ON c.oid = objid AND classid = 'pg_class'::regclass
	WHERE c.relkind IN ('r', 'v', 'S');
CREATE TEMP VIEW functions AS SELECT p.oid, p.proname::text AS name, has_function_privilege('public', p.oid, 'EXECUTE') AS is_public
	FROM ext JOIN pg_proc p ON p.oid = objid AND classid = 'pg_proc'::regclass WHERE p.prorettype <> 'trigger'::regtype;
CREATE TEMP TABLE roles AS SELECT unnest('{po_viewer,po_manager,po_billing,po_notifier}'::text[]) AS r;

SELECT :'recipe' \gexec
SELECT is((SELECT count(*) FROM pg_roles JOIN roles ON r = rolname)::int, 4, 'the recipe makes four roles');

--
-- What they have, by the catalog
--
CREATE TEMP VIEW granted AS
	SELECT r, name || ' ' || p AS what FROM roles, relations, unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE,REFERENCES,TRIGGER}'::text[]) p
	WHERE relkind <> 'S' AND has_table_privilege(r, oid, p);
CREATE TEMP TABLE readable AS SELECT name FROM relations WHERE relkind <> 'S'; -- everything, reference data too
CREATE TEMP TABLE public_read AS SELECT unnest('{po_seller,po_seller_alias,po_taxonomy,po_seller_line_type,po_row_security}'::text[]) || ' SELECT' AS what;
SELECT set_eq($$SELECT what FROM granted WHERE r = 'po_viewer'$$, $$SELECT name || ' SELECT' FROM readable$$, 'the viewer reads every table and view, and no more');
SELECT set_eq($$SELECT what FROM granted WHERE r = 'po_manager'$$, $$SELECT name || ' SELECT' FROM readable
	UNION ALL SELECT unnest('{po_account INSERT,po_account UPDATE}'::text[])
	UNION ALL SELECT t || p FROM unnest('{po_order,po_line_item,po_contact,po_account_member}'::text[]) t, unnest('{" INSERT"," UPDATE"," DELETE"}'::text[]) p$$, 'the manager writes orders, too');
SELECT set_eq($$SELECT what FROM granted WHERE r = 'po_billing'$$, $$SELECT what FROM public_read UNION ALL SELECT 'po_invoice INSERT'$$, 'the billing application inserts invoices, and no more');
SELECT set_eq($$SELECT what FROM granted WHERE r = 'po_notifier'$$, $$SELECT what FROM public_read UNION ALL SELECT 'po_notification SELECT'$$, 'the notifier reads the outbox');
SELECT set_eq($$SELECT r || ' ' || name || '.' || attname FROM roles, relations JOIN pg_attribute ON attrelid = oid AND attnum > 0
		WHERE relkind = 'r' AND has_column_privilege(r, oid, attname, 'UPDATE') AND NOT has_table_privilege(r, oid, 'UPDATE')$$,
	$$SELECT 'po_notifier po_notification.' || c FROM unnest('{claimed_until,sent_at,attempts,last_error,delivered_to}'::text[]) c$$, 'and writes what is its own in it');
SELECT is_empty($$SELECT r, name FROM roles, relations WHERE relkind = 'S' AND has_sequence_privilege(r, oid, 'USAGE, SELECT, UPDATE')$$, 'nobody has a right on a sequence');
SELECT is_empty($$SELECT r, name FROM roles, relations JOIN pg_class c USING (oid) WHERE c.relkind <> 'S' AND EXISTS (SELECT FROM aclexplode(c.relacl) WHERE is_grantable AND grantee <> c.relowner)$$, 'nobody may grant on');

CREATE TEMP TABLE managed AS SELECT unnest('{po_suspend,po_activate,po_extend,po_copy_order,po_move_member,po_marketplace_purchase,po_marketplace_payment,po_marketplace_change_order,po_assign_invoice,po_release_invoice,po_void_invoice,po_rematch_invoice,po_rematch_unassociated}'::text[]) AS name;
SELECT set_eq($$SELECT name FROM functions WHERE NOT is_public AND has_function_privilege('po_manager', oid, 'EXECUTE')$$, 'SELECT name FROM managed', 'the manager''s functions');
SELECT is_empty($$SELECT r, name FROM roles, functions WHERE r <> 'po_manager' AND NOT is_public AND has_function_privilege(r, oid, 'EXECUTE')$$, 'no other role has one that PUBLIC has not');
SELECT is_empty($$SELECT p.proname FROM functions f JOIN pg_proc p USING (oid) WHERE f.is_public AND p.provolatile = 'v'$$, 'no function that changes something is PUBLIC''s');
SELECT is_empty($$SELECT p.oid::regprocedure FROM ext JOIN pg_proc p ON p.oid = objid AND classid = 'pg_proc'::regclass
	WHERE p.prorettype = 'trigger'::regtype AND has_function_privilege('public', p.oid, 'EXECUTE')$$, 'nor is a trigger function');
SELECT is_empty($$SELECT p.oid::regprocedure FROM ext JOIN pg_proc p ON p.oid = objid AND classid = 'pg_proc'::regclass
	WHERE p.prosecdef AND coalesce(array_to_string(p.proconfig, ' '), '') !~ 'search_path='$$, 'a SECURITY DEFINER function pins its search_path');
SELECT is_empty($$SELECT name FROM relations JOIN pg_class USING (oid) WHERE relations.relkind = 'v' AND coalesce(array_to_string(reloptions, ' '), '') !~ 'security_invoker=(on|true)'$$, 'every view asks its caller''s rights');
-- the page names all functions that PUBLIC has not
\set page `cat doc/operations.md`
CREATE TEMP TABLE page AS SELECT :'page' AS text;
SELECT is_empty($$SELECT DISTINCT name FROM functions, page WHERE NOT is_public AND text !~ ('\m' || name || '\M')$$, 'the page names each function that is not PUBLIC''s');
SELECT is_empty($$SELECT name FROM relations, page WHERE relkind = 'v' AND text !~ ('\m' || name || '\M')$$, 'and each view');

--
-- What they do
--
DO $$ BEGIN EXECUTE format('GRANT USAGE ON SCHEMA %I TO po_viewer, po_manager, po_billing, po_notifier', (SELECT extnamespace::regnamespace::text FROM pg_extension WHERE extname = 'po_mgmt')); END $$;
CREATE FUNCTION tried(role name, statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('SET LOCAL ROLE %I', role);
	EXECUTE statement;
	RESET ROLE;
	RETURN 'ok';
EXCEPTION WHEN OTHERS THEN
	RESET ROLE;
	RETURN SQLSTATE || ' ' || SQLERRM;
END $$;

-- the manager's work, from nothing
SELECT is(tried('po_manager', s), 'ok', s) FROM (VALUES
	($$INSERT INTO po_account (account_id, max_contacts) VALUES ('A', 5)$$),
	($$INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month) VALUES ('A', 'P', 'AWS Inc.', '2026-01', '2026-12'), ('N', 'P', 'AWS Inc.', '2026-01', '2026-12')$$),
	($$INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, amount, balance_tracked) VALUES ('A', 'P', '1', 'usage', '2026-01', '2026-12', 100, true), ('A', 'P', '2', 'all', '2026-01', '2026-12', 1, false)$$),
	($$INSERT INTO po_contact (account_id, po_number, email) VALUES ('A', 'P', 'ann@example.com')$$),
	($$INSERT INTO po_account_member (member_account_id, account_id) VALUES ('M', 'A')$$),
	($$UPDATE po_account SET bill_to = 'x', alert_thresholds = '{0.9}' WHERE account_id = 'A'$$),
	($$UPDATE po_order SET description = 'x' WHERE account_id = 'A'$$),
	($$UPDATE po_line_item SET amount = 110 WHERE line_number = '1'$$),
	($$UPDATE po_contact SET name = 'Ann'$$)) v(s);
-- the billing application: books without any other right
SELECT is(tried('po_billing', s), e, s) FROM (VALUES
	($$INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount) VALUES ('A', 'Amazon Web Services, Inc.', 'I1', 'usage', '2026-02', 30), ('A', 'AWS Inc.', 'I2', 'usage', '2026-02', 5)$$, 'ok'),
	($$INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount, original_invoice_id) VALUES ('A', 'AWS Inc.', 'M1', 'usage', '2026-02', -1, 'I1')$$, 'ok'),
	($$INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount) VALUES ('A', 'AWS Inc.', 'I3', 'usage', '2026-02', 5) RETURNING po_number$$, '42501 permission denied for table po_invoice'),
	($$INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount, recorded_at) VALUES ('A', 'AWS Inc.', 'I4', 'usage', '2026-02', 5, now())$$, '42501 column "recorded_at" of "po_invoice" is written by po_mgmt only'),
	($$UPDATE po_invoice SET amount = 1$$, '42501 permission denied for table po_invoice'),
	($$DELETE FROM po_invoice$$, '42501 permission denied for table po_invoice')) v(s, e);
SELECT is((SELECT string_agg(concat_ws(' ', invoice_id, po_number, line_number), ', ' ORDER BY invoice_id) FROM po_invoice), 'I1 P 1, I2 P 1, M1 P 1', 'they are booked');
SELECT is((SELECT string_agg(DISTINCT recorded_by, ',') FROM po_ledger WHERE invoice_id IS NOT NULL), 'po_billing', 'by the application');
SELECT is(tried('po_manager', s), 'ok', s) FROM (VALUES
	($$SELECT po_suspend('A', 'P')$$), ($$SELECT po_activate('A', 'P')$$), ($$SELECT po_extend('A', 'P', '2027-12', true)$$),
	($$SELECT po_marketplace_purchase('A', 'M', 'AWS Inc.', 'agr-1', '2026-01', '2026-12')$$), ($$SELECT po_marketplace_payment('A', 'M', 'agr-1', '2026-02', 5)$$),
	($$SELECT po_marketplace_change_order('A', 'agr-1', 'M2')$$),
	($$SELECT po_release_invoice('A', 'AWS Inc.', 'I1', 'why not')$$), ($$SELECT po_assign_invoice('A', 'AWS Inc.', 'I1', 'P', '2')$$),
	($$SELECT po_rematch_invoice('A', 'AWS Inc.', 'I1', true)$$), ($$SELECT po_void_invoice('A', 'AWS Inc.', 'I2')$$), ($$SELECT po_rematch_unassociated('A')$$),
	($$DELETE FROM po_line_item WHERE line_number = '2'$$), ($$DELETE FROM po_order WHERE account_id = 'N'$$), ($$DELETE FROM po_account_member$$)) v(s);
SELECT is(tried('po_manager', s), e, s) FROM (VALUES
	($$UPDATE po_line_item SET balance = 1$$, '42501 column "balance" of "po_line_item" is written by po_mgmt only'),
	($$DELETE FROM po_account$$, '42501 permission denied for table po_account'),
	($$INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount) VALUES ('A', 'AWS Inc.', 'I9', 'usage', '2026-02', 5)$$, '42501 permission denied for table po_invoice'),
	($$DELETE FROM po_ledger$$, '42501 permission denied for table po_ledger'),
	($$SELECT po_repair('A')$$, '42501 permission denied for function po_repair'),
	($$SELECT po_enable_row_security('a.b')$$, '42501 permission denied for function po_enable_row_security'),
	($$INSERT INTO po_seller (bill_from) VALUES ('S')$$, '42501 permission denied for table po_seller')) v(s, e);

-- the viewer reads each relation, and calls each function that only reads
SELECT is(tried('po_viewer', format('SELECT * FROM %I', name)), 'ok', 'the viewer reads ' || name) FROM relations WHERE relkind <> 'S' ORDER BY name;
SELECT matches(tried('po_viewer', format('INSERT INTO %I DEFAULT VALUES', name)), '^42501 permission denied for|^55000 cannot insert into view', 'and adds nothing to ' || name) FROM relations WHERE relkind <> 'S' ORDER BY name;
SELECT is(tried('po_viewer', format('DELETE FROM %I', name)), '42501 permission denied for table ' || name, 'deletes nothing from ' || name) FROM relations WHERE relkind = 'r' ORDER BY name;
SELECT is(tried('po_viewer', s), 'ok', s) FROM (VALUES ($$SELECT * FROM po_match_invoice('A', 'AWS Inc.', 'usage', '2026-02', 1)$$),
	($$SELECT po_match_invoice(v) FROM po_invoice v$$), ($$SELECT * FROM po_explain_match('A', 'AWS Inc.', 'usage', '2026-02', 1)$$),
	($$SELECT po_explain_match(v) FROM po_invoice v$$), ($$SELECT po_status(o) FROM po_order o$$), ($$SELECT po_today('A')$$),
	($$SELECT po_balance_at('A', 'P', '1', now())$$), ($$SELECT * FROM po_check_integrity()$$)) v(s);
SELECT is(tried('po_viewer', format('SELECT %I(%s)', name, (SELECT string_agg('NULL::' || format_type(t, NULL), ', ' ORDER BY n) FROM pg_proc p, unnest(p.proargtypes) WITH ORDINALITY a(t, n) WHERE p.oid = f.oid))),
	'42501 permission denied for function ' || name, 'the viewer does not call ' || name) FROM functions f JOIN pg_proc q USING (oid)
	WHERE NOT is_public AND q.prokind = 'f' AND NOT q.proisstrict ORDER BY name; -- (a strict one is not asked for when an argument is null)

-- the notifier
INSERT INTO po_notification (notification_id, account_id, po_number, kind, recipients, subject, body) VALUES (-1, 'A', 'P', 'balance', '{ann@example.com}', 's', 'b');
SELECT is(tried('po_notifier', s), e, s) FROM (VALUES
	($$UPDATE po_notification SET claimed_until = now() + interval '1 minute', attempts = attempts + 1 WHERE notification_id = (SELECT notification_id FROM po_notification WHERE sent_at IS NULL LIMIT 1 FOR UPDATE SKIP LOCKED)$$, 'ok'),
	($$UPDATE po_notification SET sent_at = now(), delivered_to = recipients, last_error = NULL$$, 'ok'),
	($$UPDATE po_notification SET body = 'x'$$, '42501 permission denied for table po_notification'),
	($$DELETE FROM po_notification$$, '42501 permission denied for table po_notification'),
	($$SELECT * FROM po_contact$$, '42501 permission denied for table po_contact'),
	($$SELECT * FROM po_dashboard$$, '42501 permission denied for view po_dashboard')) v(s, e);

--
-- Personal data
--
CREATE ROLE ann;
GRANT po_manager, po_billing TO ann;
SELECT is(tried('ann', s), 'ok', s) FROM (VALUES
	($$INSERT INTO po_account (account_id, bill_to) VALUES ('111122223333', 'Ann Smith')$$),
	($$INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month, ship_to) VALUES ('111122223333', 'P', 'AWS Inc.', '2026-01', '2030-12', 'Ann Smith')$$),
	($$UPDATE po_order SET ship_to = 'to Ann Smith' WHERE account_id = '111122223333'$$),
	($$INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, balance_tracked, amount) VALUES ('111122223333', 'P', '1', 'all', '2026-01', '2030-12', true, 100)$$),
	($$INSERT INTO po_contact (account_id, po_number, email, name) VALUES ('111122223333', 'P', 'ann@example.com', 'Ann Smith'), ('111122223333', 'P', 'bob@example.com', NULL)$$),
	($$INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount) VALUES ('111122223333', 'AWS Inc.', '1', 'usage', '2026-02', 99)$$)) v(s);
SELECT isnt(po_scan_expirations('2030-12-24'), 0::bigint, 'there is a reminder');
UPDATE po_notification SET sent_at = now(), delivered_to = recipients WHERE account_id = '111122223333' AND kind = 'expiration';
CREATE FUNCTION traces() RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE name text;
BEGIN
	FOR name IN SELECT r.name FROM relations r WHERE relkind = 'r' LOOP
		RETURN QUERY EXECUTE format('SELECT %L || $1 || t::text FROM %I t WHERE t::text ~ $2', name, name) USING ' ', 'ann@example|Ann Smith|\mann\M';
	END LOOP;
END $$;
SELECT set_eq($$SELECT DISTINCT split_part(t, ' ', 1) FROM traces() t$$, '{po_account,po_order,po_contact,po_notification,po_change_log,po_ledger,po_invoice}'::text[], 'there is a person');
CREATE TEMP TABLE kept AS SELECT (SELECT count(*) FROM po_notification) AS notifications, (SELECT count(*) FROM po_ledger) AS entries;
SELECT regexp_replace(:'personal', '^(BEGIN|COMMIT);$', '', 'gn') \gexec
SET LOCAL session_replication_role = origin;
SELECT is_empty('SELECT * FROM traces()', 'and is purged, from all tables');
SELECT results_eq('SELECT (SELECT count(*) FROM po_notification), (SELECT count(*) FROM po_ledger)', 'SELECT notifications, entries FROM kept', 'no row is missing');
SELECT is_empty($$SELECT * FROM po_notification WHERE recipients = '{}' AND sent_at IS NULL AND claimed_until IS DISTINCT FROM 'infinity'$$, 'nothing waits to be sent to nobody');
SELECT is(po_scan_expirations('2030-12-24'), 0::bigint, 'and no reminder is written again');
SELECT is_empty('SELECT * FROM po_check_integrity()', 'the books are right');

-- what else the page has
SELECT :'others' \gexec
SELECT is((SELECT setting FROM po_row_security), 'app.account_id', 'row security is on');
SELECT is(current_setting('app.account_id') || ' ' || current_setting('lock_timeout'), '111122223333 10s', 'and the settings are set');

SELECT finish();
ROLLBACK;
