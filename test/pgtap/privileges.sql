-- test/pgtap/privileges.sql: who may do what, as unprivileged roles; row security, columns,
-- search_path, history, and what errors do not show.
BEGIN;
SELECT plan(239);
SET LOCAL client_min_messages = warning;

CREATE ROLE po_t_none;   -- nothing
CREATE ROLE po_t_table;  -- SELECT on the tables
CREATE ROLE po_t_column; -- SELECT on their columns, one by one
CREATE ROLE po_t_policy; -- SELECT, under row security that lets everything through
CREATE ROLE po_t_writer; -- INSERT only
CREATE ROLE po_t_all;    -- all privileges, not the owner
CREATE ROLE po_t_owner;
CREATE TEMP TABLE tables AS SELECT unnest('{po_account,po_order,po_line_item,po_contact,po_account_member,po_invoice,po_ledger,po_change_log,po_ledger_archive,po_change_log_archive,po_notification,po_seller,po_seller_alias,po_taxonomy,po_seller_line_type}'::text[]) AS t;
CREATE TEMP TABLE seeds AS SELECT t FROM tables WHERE t ~ 'seller|taxonomy';
GRANT SELECT ON tables, seeds TO PUBLIC;
DO $$ DECLARE s text; BEGIN s := (SELECT nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = extnamespace WHERE extname = 'po_mgmt');
	EXECUTE format('GRANT USAGE ON SCHEMA %I TO po_t_none, po_t_table, po_t_column, po_t_policy, po_t_writer, po_t_all, po_t_owner', s); END $$;

-- what a statement says to a role: its first value, "ok" for none, or SQLSTATE and message
CREATE FUNCTION tried(role name, statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE result text; returns_rows boolean := statement ~ '^SELECT|RETURNING';
BEGIN
	EXECUTE format('SET LOCAL ROLE %I', role);
	BEGIN
		IF returns_rows THEN EXECUTE statement INTO result; ELSE EXECUTE statement; END IF;
	EXCEPTION WHEN OTHERS THEN result := SQLSTATE || ' ' || SQLERRM;
	END;
	RESET ROLE;
	RETURN coalesce(result, CASE WHEN returns_rows THEN 'nothing' ELSE 'ok' END);
END $$;
-- all that an error says
CREATE FUNCTION error_text(role name, statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE m text; d text; h text; c text;
BEGIN
	EXECUTE format('SET LOCAL ROLE %I', role);
	BEGIN
		EXECUTE statement;
		RESET ROLE;
		RETURN 'no error';
	EXCEPTION WHEN OTHERS THEN
		GET STACKED DIAGNOSTICS m = MESSAGE_TEXT, d = PG_EXCEPTION_DETAIL, h = PG_EXCEPTION_HINT, c = PG_EXCEPTION_CONTEXT;
		RESET ROLE;
		RETURN concat_ws(E'\n', SQLSTATE, m, d, h, replace(c, statement, ''));
	END;
END $$;

-- two accounts with orders of many kinds
INSERT INTO po_account (account_id, currency, closed_through) VALUES ('A', 'USD', NULL), ('B', 'EUR', '1999-07');
INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month) SELECT a, 'P' || n, s, '2026-01', '2026-12'
	FROM unnest('{A,B}'::text[]) a, (VALUES (1, 'AWS Inc.'), (2, 'AWS Inc.'), (3, 'AWS EMEA SARL')) v(n, s);
INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, balance_tracked, amount, agreement_id)
	SELECT account_id, po_number, t, t::po_line_type, '2026-01', '2026-12', t = 'usage', 100, CASE t WHEN 'marketplace' THEN 'AG' END
	FROM po_order, unnest('{all,usage,marketplace}'::text[]) t;
INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount) VALUES ('A', 'AWS Inc.', 'I1', 'usage', '2026-02', 10), ('B', 'AWS Inc.', 'I1', 'usage', '2026-02', 10);
INSERT INTO po_contact (account_id, po_number, email) VALUES ('A', 'P1', 'ap@example.com');
INSERT INTO po_account_member (member_account_id, account_id) VALUES ('M', 'A');

--
-- Nothing granted: nothing works
--
SELECT is(tried('po_t_none', format(s, t)), '42501 permission denied for table ' || t, format(s, t)) FROM tables, unnest(ARRAY['SELECT count(*) FROM %s', 'DELETE FROM %s']) s
WHERE NOT (s ~ 'SELECT' AND t IN (SELECT * FROM seeds));
SELECT is(tried('po_t_none', format('INSERT INTO %s DEFAULT VALUES', t)), '42501 permission denied for table ' || t, 'INSERT INTO ' || t) FROM tables;
SELECT isnt(tried('po_t_none', 'SELECT count(*) FROM ' || t), '0', 'everybody may read ' || t) FROM seeds;
SELECT matches(tried('po_t_none', 'SELECT violation FROM po_check_integrity()'), '^42501 permission denied for table po_', 'po_check_integrity() reads as the caller');
SELECT is(tried('po_t_none', s), e, s) FROM (VALUES
	('SELECT rank FROM po_match_invoice(''A'', ''AWS Inc.'', ''usage'', ''2026-02'', 1)', '42501 permission denied for table po_account'),
	('SELECT rank FROM po_explain_match(''A'', ''AWS Inc.'', ''usage'', ''2026-02'', 1)', '42501 permission denied for table po_account'),
	('SELECT po_today(''A'')', '42501 permission denied for table po_account'),
	('SELECT po_suspend(''A'', ''P1'')', '42501 permission denied for function po_suspend'),
	('SELECT po_activate(''A'', ''P1'')', '42501 permission denied for function po_activate'),
	('SELECT po_extend(''A'', ''P1'', ''2027-01'')', '42501 permission denied for function po_extend'),
	('SELECT nextval(''po_line_item_id_seq'')', '42501 permission denied for sequence po_line_item_id_seq'),
	('CREATE TEMP TABLE x (); CREATE TRIGGER t BEFORE INSERT ON x FOR EACH ROW EXECUTE FUNCTION po_invoice_trigger()', '42501 permission denied for function po_invoice_trigger')) v(s, e);
SELECT is(tried('po_t_none', 'SELECT po_label(''marketplace.transaction'')'), 'AWS Marketplace Transaction', 'the types are for everybody');

--
-- INSERT alone
--
GRANT INSERT ON po_invoice, po_order, po_line_item, po_contact TO po_t_writer;
SELECT is(tried('po_t_writer', $$INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount) VALUES ('A', 'Amazon Web Services, Inc.', 'W1', 'usage', '2026-02', 5)$$), 'ok', 'INSERT on po_invoice alone');
SELECT is((SELECT concat_ws(' ', po_number, line_number, association_kind, associated_by) FROM po_invoice WHERE invoice_id = 'W1'), 'P2 usage automatic po_t_writer', 'associates; the user who did it is the SET ROLE role');
SELECT is((SELECT concat_ws(' ', entry_kind, amount, balance_after, recorded_by) FROM po_ledger WHERE invoice_id = 'W1'), 'association -5 85 po_t_writer', 'and is in the ledger');
SELECT is(tried('po_t_writer', $$INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount) VALUES ('A', 'AWS Inc.', 'W2', 'usage', '2026-02', 5) RETURNING po_number$$), '42501 permission denied for table po_invoice', 'RETURNING needs SELECT, as ever');
SELECT is(tried('po_t_writer', $$INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount, original_invoice_id) VALUES ('A', 'AWS Inc.', 'W3', 'usage', '2026-02', -5, 'W1')$$), 'ok', 'a credit memo finds its original');
SELECT is((SELECT association_kind FROM po_invoice WHERE invoice_id = 'W3'), 'credit', 'and follows it');
SELECT is(tried('po_t_writer', $$INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month) VALUES ('W', '1', 'AWS Inc.', '2026-01', '2026-12')$$), 'ok', 'INSERT on po_order alone makes the account');
SELECT is(tried('po_t_writer', $$INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, amount, balance_tracked) VALUES ('W', '1', '1', 'usage', '2026-01', '2026-12', 7, true)$$), 'ok', 'INSERT on po_line_item alone');
SELECT is(tried('po_t_writer', $$INSERT INTO po_contact (account_id, po_number, email) VALUES ('W', '1', 'a@b')$$), 'ok', 'INSERT on po_contact alone');
SELECT is((SELECT concat_ws(' ', entry_kind, balance_after, recorded_by) FROM po_ledger WHERE account_id = 'W'), 'opening 7 po_t_writer', 'the opening entry');
SELECT is(tried('po_t_writer', s), '42501 permission denied for table ' || t, s) FROM (VALUES ('po_invoice', 'UPDATE po_invoice SET amount = 1'), ('po_invoice', 'DELETE FROM po_invoice'), ('po_line_item', 'UPDATE po_line_item SET amount = 1')) v(t, s);
-- UPDATE and DELETE alone
CREATE ROLE po_t_updater; GRANT UPDATE (amount) ON po_invoice, po_line_item TO po_t_updater; GRANT DELETE ON po_order TO po_t_updater;
SELECT is(tried('po_t_updater', 'UPDATE po_invoice SET amount = amount'), '42501 permission denied for table po_invoice', 'UPDATE of a column needs SELECT to read it');
SELECT is(tried('po_t_updater', 'UPDATE po_line_item SET amount = 200'), 'ok', 'UPDATE of a column alone moves balances');
SELECT is((SELECT count(*) FROM po_ledger WHERE entry_kind = 'edited' AND recorded_by = 'po_t_updater')::int, 7, 'with entries');
SELECT is(tried('po_t_updater', 'UPDATE po_line_item SET quantity = 2'), '42501 permission denied for table po_line_item', 'another column');
SELECT is_empty('SELECT * FROM po_check_integrity()', 'the books are right');

--
-- All privileges: what the extension alone writes
--
GRANT ALL ON ALL TABLES IN SCHEMA public TO po_t_all;
CREATE TEMP TABLE system_columns (t text, c text, v text);
INSERT INTO system_columns VALUES ('po_account', 'created_at', 'now()'), ('po_account', 'booked_at', 'now()'), ('po_order', 'created_at', 'now()'), ('po_order', 'updated_at', 'now()'),
	('po_line_item', 'line_item_id', '-line_item_id'), ('po_line_item', 'balance', 'balance + 1'), ('po_line_item', 'created_at', 'now()'), ('po_line_item', 'updated_at', 'now()'),
	('po_contact', 'created_at', 'now()'), ('po_account_member', 'created_at', 'now()'), ('po_invoice', 'po_number', '''P2'''), ('po_invoice', 'line_number', '''all'''), ('po_invoice', 'line_item_id', '-1'),
	('po_invoice', 'association_kind', '''manual'''), ('po_invoice', 'associated_at', 'now()'), ('po_invoice', 'associated_by', '''x'''), ('po_invoice', 'voided_at', 'now()'), ('po_invoice', 'recorded_at', 'now()');
SELECT matches(tried('po_t_all', format('UPDATE %s SET %s = %s%s', t, c, v, CASE c WHEN 'po_number' THEN ' WHERE po_number <> ''P2''' END)), '^42501 column "' || c || '" of "' || t || '" is written by po_mgmt only$', 'nobody writes ' || t || '.' || c) FROM system_columns
WHERE c <> 'po_number';
SELECT is(tried('po_t_all', 'UPDATE po_invoice SET po_number = ''P1'''), '42501 column "po_number" of "po_invoice" is written by po_mgmt only', 'nobody writes po_invoice.po_number');
SELECT is(tried('po_t_all', s), e, s) FROM (VALUES
	('UPDATE po_ledger SET amount = 0', '42501 UPDATE on "po_ledger" is not allowed'), ('DELETE FROM po_ledger', '42501 DELETE on "po_ledger" is not allowed'),
	('INSERT INTO po_ledger (entry_id, account_id, line_item_id, po_number, line_number, entry_kind, amount, recorded_by) VALUES (1, ''A'', 1, ''P'', ''1'', ''edited'', 1, ''x'')', '42501 INSERT on "po_ledger" is not allowed'),
	('TRUNCATE po_ledger', '0A000 TRUNCATE on "po_ledger" is not allowed'),
	('INSERT INTO po_ledger_archive (entry_id, account_id, line_item_id, po_number, line_number, entry_kind, amount, recorded_by) VALUES (1, ''A'', 1, ''P'', ''1'', ''edited'', 1, ''x'')', '42501 INSERT on "po_ledger_archive" is not allowed'),
	('TRUNCATE po_ledger_archive', '0A000 TRUNCATE on "po_ledger_archive" is not allowed'), ('TRUNCATE po_change_log_archive', '0A000 TRUNCATE on "po_change_log_archive" is not allowed'),
	('INSERT INTO po_change_log_archive (change_id, account_id, po_number, operation, changed_by) VALUES (1, ''A'', ''P'', ''update'', ''x'')', '42501 INSERT on "po_change_log_archive" is not allowed'),
	('SELECT po_archive(''2026-01'')', '42501 permission denied for function po_archive'),
	('INSERT INTO po_change_log (change_id, account_id, po_number, operation, changed_by) VALUES (1, ''A'', ''P'', ''update'', ''x'')', '42501 INSERT on "po_change_log" is not allowed')) v(s, e);

--
-- History: the owner may, others may not
--
CREATE TEMP TABLE history (t text, c text, statement text);
INSERT INTO history VALUES
	('po_account', 'created_at', $$INSERT INTO po_account (account_id, created_at, booked_at) VALUES ('H', '2020-01-01', '2020-01-02')$$),
	('po_order', 'created_at', $$INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month, currency, created_at, updated_at) VALUES ('H', '1', 'AWS Inc.', '2020-01', '2020-12', 'USD', '2020-01-01', '2020-01-02')$$),
	('po_line_item', 'created_at', $$INSERT INTO po_line_item (line_item_id, account_id, po_number, line_number, line_type, start_month, end_month, amount, balance_tracked, balance, created_at, updated_at) VALUES (-5, 'H', '1', '1', 'usage', '2020-01', '2020-12', 10, true, 10, '2020-01-01', '2020-01-02')$$),
	('po_contact', 'created_at', $$INSERT INTO po_contact (account_id, po_number, email, created_at) VALUES ('H', '1', 'a@b', '2020-01-01')$$),
	('po_account_member', 'created_at', $$INSERT INTO po_account_member (member_account_id, account_id, created_at) VALUES ('HM', 'H', '2020-01-01')$$),
	('po_invoice', 'recorded_at', $$INSERT INTO po_invoice (account_id, bill_from, invoice_id, kind, line_type, billing_month, issued_on, amount, currency, recorded_at) VALUES ('H', 'AWS Inc.', 'H1', 'invoice', 'usage', '2020-02', '2020-03-01', 5, 'USD', '2020-03-01')$$),
	('po_notification', 'created_at', $$INSERT INTO po_notification (notification_id, account_id, po_number, kind, recipients, subject, body, created_at) VALUES (-1, 'H', '1', 'balance', '{a@b}', 's', 'b', '2020-01-01')$$),
	('po_ledger', 'recorded_at', $$INSERT INTO po_ledger (entry_id, account_id, line_item_id, po_number, line_number, entry_kind, amount, balance_after, recorded_at, recorded_by) VALUES (-1, 'H', -5, '1', '1', 'opening', 10, 10, '2020-01-01', 'x')$$),
	('po_change_log', 'changed_at', $$INSERT INTO po_change_log (change_id, account_id, po_number, operation, changed_at, changed_by) VALUES (-1, 'H', '1', 'insert', '2020-01-01', 'x')$$),
	('po_ledger_archive', 'recorded_at', $$INSERT INTO po_ledger_archive (entry_id, account_id, line_item_id, po_number, line_number, entry_kind, amount, balance_after, recorded_at, recorded_by) VALUES (-2, 'H', -6, '1', '1', 'opening', 10, 10, '2020-01-01', 'x')$$),
	('po_change_log_archive', 'changed_at', $$INSERT INTO po_change_log_archive (change_id, account_id, po_number, operation, changed_at, changed_by) VALUES (-2, 'H', '1', 'insert', '2020-01-01', 'x')$$);
SELECT is(tried('po_t_all', statement), format('42501 column "%s" of "%s" is written by po_mgmt only', c, t), t || ': history is refused to others') FROM history;
-- from here on an ordinary role is the owner
DO $$ DECLARE n text; BEGIN
	FOR n IN SELECT t FROM tables LOOP EXECUTE format('ALTER TABLE %I OWNER TO po_t_owner', n); END LOOP;
END $$;
SELECT is(tried('po_t_owner', statement), 'ok', t || ': the owner may write history') FROM history;
SELECT is((SELECT updated_at FROM po_order WHERE account_id = 'H'), '2020-01-02'::timestamptz, 'it is taken as it is');
SELECT is((SELECT booked_at FROM po_account WHERE account_id = 'H'), '2020-01-02'::timestamptz, 'and writes nothing else');
SELECT is((SELECT po_number FROM po_invoice WHERE account_id = 'H'), NULL, 'nor is it matched');
CREATE ROLE po_t_member IN ROLE po_t_owner;
SELECT is(tried('po_t_member', $$INSERT INTO po_account (account_id, created_at, booked_at) VALUES ('H2', '2020-01-01', '2020-01-02')$$), 'ok', 'a member of the owner may, too');
SELECT matches(tried('po_t_owner', format('UPDATE %s SET %s = %s', t, c, v)), '^42501 column "' || c || '" of "' || t || '" is written by po_mgmt only$', 'nor does the owner write ' || t || '.' || c) FROM system_columns WHERE c NOT IN ('po_number', 'line_number');
SELECT is(tried('po_t_owner', s), e, 'the owner: ' || s) FROM (VALUES ('UPDATE po_ledger SET amount = 0', '42501 UPDATE on "po_ledger" is not allowed'), ('DELETE FROM po_ledger', '42501 DELETE on "po_ledger" is not allowed'),
	('DELETE FROM po_change_log', '42501 DELETE on "po_change_log" is not allowed'), ('TRUNCATE po_invoice', '0A000 TRUNCATE on "po_invoice" is not allowed')) v(s, e);

--
-- Reading: tables, columns, row security are all the same to po_match_invoice
--
GRANT SELECT ON ALL TABLES IN SCHEMA public TO po_t_table, po_t_policy;
DO $$ DECLARE r record; BEGIN
	FOR r IN SELECT a.attrelid::regclass AS t, a.attname FROM pg_attribute a JOIN tables x ON a.attrelid = x.t::regclass WHERE a.attnum > 0 LOOP
		EXECUTE format('GRANT SELECT (%I) ON %s TO po_t_column', r.attname, r.t);
	END LOOP;
END $$;
CREATE TEMP TABLE questions AS SELECT format('%L, %L, %L, %L, %s, agreement_id => %L', a, s, t, m, n, g) AS args
	FROM unnest('{A,B,H,nobody}'::text[]) a, unnest(ARRAY['AWS Inc.', 'AWS Europe', 'x']) s, unnest('{usage,marketplace.transaction,all}'::text[]) t, unnest('{2026-02,2027-01}'::text[]) m, unnest('{1,500}'::int[]) n, unnest('{AG,NULL}'::text[]) g;
GRANT SELECT ON questions TO PUBLIC;
CREATE FUNCTION answers() RETURNS text LANGUAGE plpgsql AS $$ DECLARE q text; part text; result text := ''; BEGIN
	FOR q IN SELECT args FROM questions ORDER BY 1 LOOP
		EXECUTE format('SELECT string_agg(m::text, chr(10) ORDER BY rank) FROM po_match_invoice(%s) m', q) INTO part; result := result || coalesce(part, '-');
		EXECUTE format('SELECT string_agg(m::text, chr(10) ORDER BY m::text) FROM po_explain_match(%s) m', q) INTO part; result := result || coalesce(part, '-');
	END LOOP;
	RETURN md5(result);
END $$;
CREATE TEMP TABLE truth AS SELECT answers() AS a;
SELECT is(tried('po_t_table', 'SELECT answers()'), (SELECT a FROM truth), 'SELECT on the tables');
SELECT is(tried('po_t_column', 'SELECT answers()'), (SELECT a FROM truth), 'SELECT on all columns, one by one');
SELECT is(tried('po_t_owner', 'SELECT answers()'), (SELECT a FROM truth), 'the owner');
SELECT is(tried('po_t_none', 'SELECT answers()'), '42501 permission denied for table po_account', 'nothing');
SELECT is((SELECT string_agg(DISTINCT tried('po_t_column', format('SELECT rank FROM po_match_invoice(%s)', args)), ',') FROM questions WHERE args ~ '^''(A|B).*AWS Inc..*usage.*2026.* 1,'), '1', 'candidates, then');
DO $$ BEGIN REVOKE SELECT (balance) ON po_line_item FROM po_t_column; END $$;
SELECT is(tried('po_t_column', $$SELECT rank FROM po_match_invoice('A', 'AWS Inc.', 'usage', '2026-02', 1)$$), '42501 permission denied for table po_line_item', 'without balance it is what a plain SELECT says');
GRANT SELECT (balance) ON po_line_item TO po_t_column; REVOKE SELECT (bill_from) ON po_order FROM po_t_column;
SELECT is(tried('po_t_column', $$SELECT rank FROM po_match_invoice('A', 'AWS Inc.', 'usage', '2026-02', 1)$$), '42501 permission denied for table po_order', 'without bill_from, too');
GRANT SELECT (bill_from) ON po_order TO po_t_column;
REVOKE SELECT (bill_to, payment_terms, alert_thresholds, marketplace_integration) ON po_account FROM po_t_column; REVOKE SELECT (tags, ship_to, description, source) ON po_order FROM po_t_column; REVOKE SELECT (amount, quantity, tax, total_value, description) ON po_line_item FROM po_t_column;
SELECT is(tried('po_t_column', 'SELECT answers()'), (SELECT a FROM truth), 'columns that no match needs are not needed');
REVOKE SELECT ON po_taxonomy FROM PUBLIC; REVOKE SELECT (out_of_cycle_only) ON po_taxonomy FROM po_t_column;
SELECT is(tried('po_t_column', $$SELECT rank FROM po_match_invoice('A', 'AWS Inc.', 'usage', '2026-02', 1)$$), '42501 permission denied for table po_taxonomy', 'the taxonomy is read with the caller''s rights, too');
GRANT SELECT ON po_taxonomy TO PUBLIC;
GRANT SELECT (out_of_cycle_only) ON po_taxonomy TO po_t_column;
REVOKE SELECT (max_active_orders, max_line_items, max_contacts, closed_through, booked_at, created_at) ON po_account FROM po_t_column; REVOKE SELECT (created_at) ON po_order FROM po_t_column; REVOKE SELECT (consumed_before, created_at, updated_at) ON po_line_item FROM po_t_column;
SELECT is(tried('po_t_column', 'SELECT answers()'), (SELECT a FROM truth), 'nor those of limits, closing and booking');

-- row security
DO $$ DECLARE n text; BEGIN FOR n IN SELECT t FROM tables LOOP
	EXECUTE format('ALTER TABLE %I ENABLE ROW LEVEL SECURITY', n); EXECUTE format('CREATE POLICY everything ON %I TO po_t_policy, po_t_all USING (true) WITH CHECK (true)', n); END LOOP; END $$;
SELECT is(tried('po_t_policy', 'SELECT answers()'), (SELECT a FROM truth), 'policies that let everything through');
SELECT is(tried('po_t_owner', 'SELECT answers()'), (SELECT a FROM truth), 'the owner is not bound');
SELECT is(tried('po_t_table', 'SELECT answers()'), (SELECT md5(string_agg('-(,,,rejected,,"Account ' || substring(args FROM '^''(\w+)') || ' is not known: it has no purchase orders.")', '' ORDER BY args)) FROM questions), 'no policy for a role: no candidates, no account');
SELECT is(tried('po_t_policy', $$SELECT set_config('row_security', 'off', true) FROM po_match_invoice('A', 'AWS Inc.', 'usage', '2026-02', 1)$$), 'off', 'row_security may be switched off meanwhile');
SET LOCAL row_security = off;
SELECT is(tried('po_t_policy', $$SELECT rank FROM po_match_invoice('A', 'AWS Inc.', 'usage', '2026-02', 1)$$), '42501 query would be affected by row-level security policy for table "po_account"', 'row_security off: an error, as for any query');
SET LOCAL row_security = on;
CREATE POLICY account ON po_account FOR SELECT TO po_t_table USING (account_id IN ('A', 'B'));
CREATE POLICY orders_1 ON po_order FOR SELECT TO po_t_table USING (account_id = 'A' AND po_number = 'P1');
CREATE POLICY orders_2 ON po_order FOR SELECT TO po_t_table USING (account_id = current_setting('test.account', true));
CREATE POLICY lines ON po_line_item FOR SELECT TO po_t_table USING (true);
CREATE POLICY lines_but ON po_line_item AS RESTRICTIVE FOR SELECT TO po_t_table USING (line_number <> 'usage' OR account_id = 'B');
CREATE FUNCTION seen(account text) RETURNS text LANGUAGE sql AS $$
	SELECT tried('po_t_table', format($q$SELECT string_agg(po_number || '/' || line_number, ' ' ORDER BY rank) FROM po_match_invoice(%L, 'AWS Inc.', 'usage', '2026-02', 1)$q$, account))
		|| ' of ' || tried('po_t_table', format($q$SELECT string_agg(DISTINCT po_number || '/' || line_number, ' ' ORDER BY po_number || '/' || line_number) FROM po_explain_match(%L, 'AWS Inc.', 'usage', '2026-02', 1)$q$, account))
$$;
SELECT is(seen('A'), 'P1/all of P1/all P1/marketplace', 'several policies on orders, a restrictive one on line items: match and explain see what a SELECT sees');
SELECT is(seen('B'), 'nothing of nothing', 'an account whose orders are hidden');
SET LOCAL test.account = 'B';
SELECT is(seen('B'), 'P2/usage P1/usage P2/all P1/all of P1/all P1/marketplace P1/usage P2/all P2/marketplace P2/usage P3/all P3/marketplace P3/usage', 'the same session with another setting: a policy is asked each time');
SELECT is(tried('po_t_policy', $$SELECT count(*) FROM po_match_invoice('A', 'AWS Inc.', 'usage', '2026-02', 1)$$), '4', 'and another role in the same session sees its own');
CREATE POLICY seller ON po_seller_alias FOR SELECT TO po_t_table USING (false);
SELECT is(tried('po_t_table', $$SELECT count(*) FROM po_match_invoice('B', 'Amazon Web Services, Inc.', 'usage', '2026-02', 1)$$), '0', 'an alias that is hidden is no alias');
-- association works as the owner, and sees all of the account
SELECT is(tried('po_t_all', $$INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount) VALUES ('A', 'AWS Inc.', 'R1', 'usage', '2026-02', 1) RETURNING po_number || associated_by$$), 'P2po_t_all', 'a policy for the invoice alone');
DROP POLICY everything ON po_order; DROP POLICY everything ON po_line_item; DROP POLICY everything ON po_account;
SELECT is(tried('po_t_all', $$SELECT count(*) FROM po_order$$), '0', 'to whom all orders are hidden');
SELECT is(tried('po_t_all', $$INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount) VALUES ('A', 'AWS Inc.', 'R2', 'usage', '2026-02', 1) RETURNING po_number$$), 'P2', 'books on them all the same');
DO $$ DECLARE n text; BEGIN FOR n IN SELECT t FROM tables LOOP EXECUTE format('ALTER TABLE %I FORCE ROW LEVEL SECURITY', n); END LOOP; END $$;
SELECT is(tried('po_t_owner', $$SELECT count(*) FROM po_order$$) || tried('po_t_owner', $$SELECT count(*) FROM po_match_invoice('A', 'AWS Inc.', 'usage', '2026-02', 1)$$), '00', 'row security forced on the owner: its own reads are bound');
SELECT is(tried('po_t_all', $$INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount) VALUES ('A', 'AWS Inc.', 'R3', 'usage', '2026-02', 1) RETURNING po_number$$), 'P2', 'the extension''s are not');
DO $$ DECLARE n text; BEGIN FOR n IN SELECT t FROM tables LOOP EXECUTE format('ALTER TABLE %I NO FORCE ROW LEVEL SECURITY', n); EXECUTE format('ALTER TABLE %I DISABLE ROW LEVEL SECURITY', n); END LOOP; END $$;
SELECT is_empty('SELECT * FROM po_check_integrity() WHERE account_id <> ''H''', 'the books are right');

--
-- Functions of the user's
--
CREATE FUNCTION definer_match() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS $$ SELECT count(*) FROM po_match_invoice('A', 'AWS Inc.', 'usage', '2026-02', 1) $$;
ALTER FUNCTION definer_match() OWNER TO po_t_table;
SELECT is(tried('po_t_none', 'SELECT definer_match()'), '4', 'in a SECURITY DEFINER function it is the definer''s rights');
ALTER FUNCTION definer_match() OWNER TO po_t_none;
SELECT is(tried('po_t_table', 'SELECT definer_match()'), '42501 permission denied for table po_account', 'and the definer''s lack of them');
CREATE FUNCTION definer_insert(id text) RETURNS text LANGUAGE sql SECURITY DEFINER AS $$ INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount) VALUES ('A', 'AWS Inc.', id, 'usage', '2026-02', 1) RETURNING associated_by $$;
ALTER FUNCTION definer_insert(text) OWNER TO po_t_all;
SELECT is(tried('po_t_none', 'SELECT definer_insert(''S1'')'), 'po_t_none', 'what is recorded is who called, not the definer');
SELECT is((SELECT recorded_by FROM po_ledger WHERE invoice_id = 'S1'), 'po_t_none', 'in the ledger, too');
CREATE FUNCTION definer_history() RETURNS void LANGUAGE sql SECURITY DEFINER AS $$ INSERT INTO po_account (account_id, created_at, booked_at) VALUES ('H3', '2020-01-01', '2020-01-01') $$;
ALTER FUNCTION definer_history() OWNER TO po_t_owner;
SELECT is(tried('po_t_none', 'SELECT definer_history()'), 'nothing', 'the owner''s function may write history');
ALTER FUNCTION definer_history() OWNER TO po_t_all;
SELECT is(tried('po_t_owner', 'SELECT definer_history()'), '42501 column "created_at" of "po_account" is written by po_mgmt only', 'another''s may not, even if the owner calls it');
-- functions that change something have the caller's rights
GRANT EXECUTE ON FUNCTION po_suspend(text, text) TO po_t_none, po_t_table, po_t_all;
SELECT is(tried('po_t_none', 'SELECT po_suspend(''A'', ''P3'')'), '42501 permission denied for table po_order', 'EXECUTE on po_suspend is not enough');
SELECT is(tried('po_t_table', 'SELECT po_suspend(''A'', ''P3'')'), '42501 permission denied for table po_order', 'nor is SELECT');
SELECT is(tried('po_t_all', 'SELECT po_suspend(''A'', ''P3'')'), 'Suspended', 'UPDATE is');

--
-- A hostile schema, before pg_catalog in the search_path
--
CREATE SCHEMA evil; GRANT USAGE ON SCHEMA evil TO PUBLIC;
DO $do$
DECLARE r record; n int := 0;
BEGIN
	FOR r IN SELECT t FROM tables LOOP EXECUTE format('CREATE TABLE evil.%1$I AS SELECT * FROM %1$I WHERE false', r.t); END LOOP;
	FOR r IN SELECT op, l, coalesce(res, 'boolean') AS res FROM (VALUES ('=', 'text', NULL), ('=', 'bigint', NULL), ('=', 'po_month', NULL), ('=', 'po_line_type', NULL), ('<>', 'numeric', NULL), ('<>', 'text', NULL),
			('<', 'po_month', NULL), ('<=', 'po_month', NULL), ('>', 'po_month', NULL), ('>=', 'po_month', NULL), ('@>', 'po_line_type', NULL), ('<@', 'po_line_type', NULL),
			('+', 'numeric', 'numeric'), ('-', 'numeric', 'numeric'), ('*', 'numeric', 'numeric'), ('||', 'text', 'text'), ('~', 'text', NULL)) v(op, l, res) LOOP
		n := n + 1;
		EXECUTE format('CREATE FUNCTION evil.op%s(%s, %2$s) RETURNS %s LANGUAGE plpgsql AS %L', n, r.l, r.res, 'BEGIN RAISE EXCEPTION ''trapped by an operator''; END');
		EXECUTE format('CREATE OPERATOR evil.%s (LEFTARG = %s, RIGHTARG = %2$s, FUNCTION = evil.op%s)', r.op, r.l, n);
	END LOOP;
	FOR r IN SELECT f, res FROM (VALUES ('sum(numeric)', 'numeric'), ('unnest(text[])', 'SETOF text'), ('unnest(bigint[])', 'SETOF bigint'), ('unnest(numeric[])', 'SETOF numeric'), ('po_now()', 'timestamptz'), ('po_today(text)', 'date'),
			('po_status(po_order)', 'text'), ('upper(text)', 'text'), ('btrim(text)', 'text'), ('num_nulls(text, text)', 'integer'), ('nextval(regclass)', 'bigint'), ('count()', 'bigint'), ('pg_trigger_depth()', 'integer'), ('timezone(text, timestamptz)', 'timestamp')) v(f, res) LOOP
		EXECUTE format('CREATE FUNCTION evil.%s RETURNS %s LANGUAGE plpgsql AS %L', r.f, r.res, 'BEGIN RAISE EXCEPTION ''trapped by a function''; END');
	END LOOP;
	CREATE DOMAIN evil.interval AS pg_catalog.interval CHECK (false);
	CREATE DOMAIN evil.text AS pg_catalog.text CHECK (false);
END $do$;
CREATE FUNCTION hostile(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE result text; returns_rows boolean := statement ~ '^SELECT|RETURNING';
BEGIN
	BEGIN
		EXECUTE 'SET LOCAL ROLE po_t_owner';
		EXECUTE 'SET LOCAL search_path = evil, pg_catalog, public';
		IF returns_rows THEN EXECUTE statement INTO result; ELSE EXECUTE statement; END IF;
		EXECUTE 'SET LOCAL search_path = public';
	EXCEPTION WHEN OTHERS THEN result := SQLERRM;
	END;
	EXECUTE 'RESET ROLE';
	RETURN coalesce(result, 'ok');
END $$;
GRANT EXECUTE ON FUNCTION po_activate(text, text), po_suspend(text, text), po_extend(text, text, po_month, boolean) TO po_t_owner;
SELECT is(hostile('SELECT 1::numeric + 1'), 'trapped by an operator', 'the trap works');
SELECT is(hostile('SELECT po_now()'), 'trapped by a function', 'for functions, too');
SELECT is(hostile(s), e, regexp_replace(s, '^(.{100}).*', '\1')) FROM (VALUES
	($$INSERT INTO public.po_order (account_id, po_number, bill_from, effective_month, expiration_month) VALUES ('E', ' 1 ', 'Amazon Web Services, Inc.', '2026-01', '2026-12')$$, 'ok'),
	($$INSERT INTO public.po_order (account_id, po_number, bill_from, effective_month, expiration_month) VALUES ('E', '2', 'AWS Inc.', '2026-01', '2026-12')$$, 'ok'),
	($$INSERT INTO public.po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, amount, balance_tracked) VALUES ('E', '1', '1', 'usage', '2026-01', '2026-12', 7, true)$$, 'ok'),
	($$INSERT INTO public.po_contact (account_id, po_number, email) VALUES ('E', '1', 'a@b')$$, 'ok'),
	($$INSERT INTO public.po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount) VALUES ('E', 'Amazon Web Services, Inc.', '1', 'usage', '2026-02', 5) RETURNING po_number$$, '1'),
	($$INSERT INTO public.po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount, original_invoice_id) VALUES ('E', 'AWS Inc.', '2', 'usage', '2026-02', -5, '1') RETURNING po_number$$, '1'),
	($$INSERT INTO public.po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount, po_number) VALUES ('E', 'AWS Inc.', '3', 'all', '2026-02', 2, '1') RETURNING association_kind$$, 'manual'),
	($$INSERT INTO public.po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount) VALUES ('E', 'AWS Inc.', '1', 'usage', '2026-02', 5) ON CONFLICT (account_id, bill_from, invoice_id) DO UPDATE SET amount = EXCLUDED.amount, po_number = EXCLUDED.po_number, recorded_at = EXCLUDED.recorded_at RETURNING line_number$$, '1'),
	($$SELECT line_number FROM public.po_match_invoice('E', 'Amazon Web Services, Inc.', 'usage', '2026-02', 5)$$, '1'),
	($$SELECT outcome FROM public.po_explain_match('E', 'AWS Inc.', 'usage', '2026-02', 5)$$, 'selected'),
	($$SELECT balance FROM public.po_match_invoice('E', 'AWS Inc.', 'usage', '2026-02', 5)$$, '5'),
	($$UPDATE public.po_line_item SET tax = 1, start_month = '2026-02' WHERE account_id OPERATOR(pg_catalog.=) 'E'$$, 'ok'),
	($$UPDATE public.po_line_item SET balance_tracked = false$$, 'ok'),
	($$UPDATE public.po_line_item SET description = 'x'$$, 'ok'),
	($$SELECT public.po_suspend('E', '1')$$, 'Suspended'), ($$SELECT public.po_activate('E', '1')$$, 'Active'), ($$SELECT public.po_extend('E', '1', '2027-12', true)$$, 'Active'),
	($$SELECT public.po_today('E') IS NULL$$, 'false'),
	($$SELECT violation FROM public.po_check_integrity() LIMIT 0$$, 'ok'),
	($$INSERT INTO public.po_seller (bill_from, description) VALUES ('AWS Japan', 'Nippon')$$, 'ok'),
	($$INSERT INTO public.po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, amount) VALUES ('E', '1', '2', 'tolls', '2026-01', '2026-12', 7)$$, 'line type "tolls" is not known'),
	($$INSERT INTO public.po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, amount) VALUES ('E', '9', '2', 'usage', '2026-01', '2026-12', 7)$$, 'purchase order "9" does not exist in account "E"'),
	($$UPDATE public.po_account SET max_contacts = 0, max_line_items = 0, max_active_orders = 0$$, 'ok'),
	($$INSERT INTO public.po_order (account_id, po_number, bill_from, effective_month, expiration_month) VALUES ('E', '3', 'AWS Inc.', '2026-01', '9999-12')$$, 'too many active purchase orders in account "E"'),
	($$INSERT INTO public.po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, amount) VALUES ('E', '1', '2', 'usage', '2026-02', '2026-12', 7)$$, 'too many line items on purchase order "1"'),
	($$INSERT INTO public.po_contact (account_id, po_number, email) VALUES ('E', '1', 'b@c')$$, 'too many contacts on purchase order "1"')) v(s, e);
SELECT is((SELECT string_agg(concat_ws(' ', invoice_id, po_number, line_number, association_kind), ', ' ORDER BY invoice_id) FROM po_invoice WHERE account_id = 'E'), '1 1 1 automatic, 2 1 1 credit, 3 1 1 manual', 'and all of it was done in the right tables');
SELECT is((SELECT string_agg(concat_ws(' ', entry_kind, amount, balance_after), ', ' ORDER BY entry_id) FROM po_ledger WHERE account_id = 'E'), 'opening 7 7, association -5 2, association 5 7, association -2 5, edited 1 6, tracking 0', 'with the right sums');
SELECT is((SELECT description FROM po_seller WHERE bill_from = 'AWS Japan'), 'Nippon', 'seeds, too');
SELECT is(hostile('DELETE FROM public.po_order'), 'ok', 'deletes and their cascades');
SELECT is((SELECT sum(c) FROM (SELECT count(*) AS c FROM evil.po_order UNION ALL SELECT count(*) FROM evil.po_ledger UNION ALL SELECT count(*) FROM evil.po_account UNION ALL SELECT count(*) FROM evil.po_line_item) x)::int, 0, 'nothing went elsewhere');
DROP SCHEMA evil CASCADE;

--
-- Errors show no values of rows that the caller may not read
--
INSERT INTO po_account (account_id, currency) VALUES ('SEC', 'JPY');
INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month, tax_registration_numbers) VALUES ('SEC', 'P', 'AWS Japan', '1997-03', '1998-09', '{SECRETTAX}');
INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, amount, balance_tracked, agreement_id, description) VALUES ('SEC', 'P', '1', 'usage', '1997-03', '1998-09', 98765.43, true, NULL, 'SECRET'), ('SEC', 'P', 'L2', 'usage', '1997-03', '1998-09', 1, false, 'SECRETAG', NULL);
INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount, tax_registration_number) VALUES ('SEC', 'AWS Japan', 'I', 'usage', '1997-05', 98765, 'SECRETTAX');
INSERT INTO po_contact (account_id, po_number, email, name) VALUES ('SEC', 'P', 'a@b', 'SECRET');
UPDATE po_account SET closed_through = '1999-07', bill_to = 'SECRET' WHERE account_id = 'SEC';
GRANT UPDATE (expiration_month, effective_month, bill_from, currency) ON po_order TO po_t_updater; GRANT UPDATE (amount, end_month, line_number) ON po_line_item TO po_t_updater; GRANT UPDATE (currency, amount) ON po_invoice TO po_t_updater; GRANT DELETE ON po_invoice, po_account TO po_t_updater;
GRANT SELECT (account_id, po_number) ON po_order TO po_t_updater; GRANT SELECT (account_id, po_number, line_number) ON po_line_item TO po_t_updater; GRANT SELECT (account_id, invoice_id) ON po_invoice TO po_t_updater; -- the keys, so that messages may name the row
DELETE FROM po_invoice WHERE account_id <> 'SEC'; DELETE FROM po_order WHERE account_id <> 'SEC';
CREATE TEMP TABLE shown AS SELECT r, s, error_text(r, s) AS e FROM (VALUES
	('po_t_writer', $$INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, amount) VALUES ('SEC', 'P', '2', 'usage', '1990-01', '1998-01', 1)$$),
	('po_t_writer', $$INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, amount) VALUES ('SEC', 'P', '2', 'usage', '1998-01', '2008-01', 1)$$),
	('po_t_writer', $$INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, amount) VALUES ('SEC', 'P', '2', 'marketplace', '1998-01', '1998-01', 1)$$),
	('po_t_writer', $$INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, amount) VALUES ('SEC', 'P', '1', 'usage', '1998-01', '1998-01', 1)$$),
	('po_t_writer', $$INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month) VALUES ('SEC', 'P', 'AWS Inc.', '2026-01', '2026-12')$$),
	('po_t_writer', $$INSERT INTO po_contact (account_id, po_number, email) VALUES ('SEC', 'P', 'a@b')$$),
	('po_t_writer', $$INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount, original_invoice_id, currency) VALUES ('SEC', 'Amazon Web Services Japan G.K.', 'M', 'usage', '2026-01', -1, 'I', 'USD')$$),
	('po_t_writer', $$INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount, tax_registration_number) VALUES ('SEC', 'Amazon Web Services Japan G.K.', 'N', 'usage', '1997-06', 1, 'SECRETTAX')$$),
	('po_t_writer', $$INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount, po_number) VALUES ('SEC', 'AWS Inc.', 'N', 'usage', '2026-01', 1, 'P')$$),
	('po_t_writer', $$INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount, po_number, currency) VALUES ('SEC', 'Amazon Web Services Japan G.K.', 'N', 'usage', '2026-01', 1, 'P', 'USD')$$),
	('po_t_writer', $$INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount, po_number, line_number) VALUES ('SEC', 'Amazon Web Services Japan G.K.', 'N', 'usage', '2026-01', 1, 'P', '7')$$),
	('po_t_updater', $$UPDATE po_order SET expiration_month = '1997-04'$$),
	('po_t_updater', $$UPDATE po_order SET expiration_month = '1990-04'$$),
	('po_t_updater', $$UPDATE po_order SET effective_month = '1997-04'$$),
	('po_t_updater', $$UPDATE po_order SET bill_from = 'AWS Inc.'$$),
	('po_t_updater', $$UPDATE po_order SET currency = 'X'$$),
	('po_t_updater', $$UPDATE po_line_item SET amount = -1$$),
	('po_t_updater', $$UPDATE po_line_item SET end_month = '1990-01'$$),
	('po_t_updater', $$UPDATE po_line_item SET end_month = '2000-01'$$),
	('po_t_updater', $$UPDATE po_line_item SET line_number = 'X'$$),
	('po_t_updater', $$UPDATE po_invoice SET currency = 'USD'$$),
	('po_t_updater', $$UPDATE po_invoice SET amount = 1$$),
	('po_t_updater', $$DELETE FROM po_invoice$$)) v(r, s);
SELECT is_empty($$SELECT s FROM shown WHERE e = 'no error'$$, 'all of these fail');
SELECT unalike(e, x, s) FROM (SELECT s, regexp_replace(regexp_replace(e, s, '', 'g'), '1997-03|1998-09|JPY|AWS Japan|1999-07|SECRET|98765', '!', 'g') AS e, '%!%' AS x FROM shown) v;

SELECT finish();
ROLLBACK;
