-- test/pgtap/seeds.sql: sellers, aliases, types of charge and who bills them; the rule for seed
-- rows (updated by the owner's insert, switched off, never deleted), and the rule for history:
-- what a restore puts back is taken as it was.
BEGIN;
SELECT plan(100);
SET LOCAL client_min_messages = warning;

CREATE FUNCTION tried(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN EXECUTE statement; RETURN 'ok'; EXCEPTION WHEN OTHERS THEN RETURN SQLSTATE || ' ' || SQLERRM; END $$;
-- the same, and takes it back
CREATE FUNCTION would(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN EXECUTE statement; RAISE EXCEPTION USING ERRCODE = 'PT001'; EXCEPTION WHEN SQLSTATE 'PT001' THEN RETURN 'ok'; WHEN OTHERS THEN RETURN SQLSTATE || ' ' || SQLERRM; END $$;
CREATE FUNCTION hint(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE h text; BEGIN EXECUTE statement; RETURN 'ok'; EXCEPTION WHEN OTHERS THEN GET STACKED DIAGNOSTICS h = PG_EXCEPTION_HINT; RETURN h; END $$;
CREATE PROCEDURE po(number text, seller text) LANGUAGE sql AS $$
	INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month) VALUES ('A', number, seller, '2026-01', '2026-12') $$;
CREATE PROCEDURE li(number text, line text, type text) LANGUAGE sql AS $$
	INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, amount) VALUES ('A', number, line, type::po_line_type, '2026-01', '2026-12', 1) $$;

--
-- What is seeded
--
SELECT set_eq('SELECT bill_from FROM po_seller', ARRAY['AWS Inc.', 'AWS EMEA SARL', 'AWS Australia', 'AWS Brazil', 'AWS Canada', 'AWS India', 'AWS Japan', 'AWS Korea',
	'AWS Malaysia', 'AWS New Zealand', 'AWS Singapore', 'AWS South Africa', 'AWS Turkey'], 'sellers');
SELECT is((SELECT bill_from FROM po_seller_alias WHERE alias = a), b, a || ' is ' || b) FROM (VALUES ('Amazon Web Services, Inc.', 'AWS Inc.'), ('Amazon Web Services EMEA SARL', 'AWS EMEA SARL'),
	('Amazon Web Services Australia Pty Ltd', 'AWS Australia'), ('Amazon Web Services Japan G.K.', 'AWS Japan')) v(a, b);
SELECT is_empty('SELECT bill_from FROM po_seller EXCEPT SELECT bill_from FROM po_seller_alias', 'every seller has the legal name of its invoices');
SELECT is_empty('SELECT alias FROM po_seller_alias INTERSECT SELECT bill_from FROM po_seller', 'no alias is a seller''s name');
SELECT set_eq('SELECT line_type::text || '' '' || label || '' '' || coalesce(out_of_cycle_only::text, ''-'') FROM po_taxonomy', ARRAY['all ALL -', 'usage AWS Monthly Usage -', 'subscription AWS Subscription Purchase -',
	'marketplace AWS Marketplace Blanket Usage -', 'marketplace.transaction AWS Marketplace Transaction true', 'professional_services AWS Professional Services and Training Purchase true'], 'types of charge');
SELECT is_empty('SELECT label, po_label(line_type) FROM po_taxonomy WHERE label <> po_label(line_type) OR label::text::po_line_type <> line_type', 'labels are the AWS names, which are input, too');
SELECT set_eq('SELECT bill_from || '' '' || line_type FROM po_seller_line_type', $$
	SELECT bill_from || ' ' || t FROM po_seller, unnest('{usage,subscription}'::text[]) t
	UNION ALL SELECT s || ' marketplace' FROM unnest(ARRAY['AWS Inc.', 'AWS EMEA SARL', 'AWS Australia', 'AWS New Zealand']) s UNION ALL VALUES ('AWS Inc. professional_services')$$, 'who bills what');
SELECT is((SELECT bool_and(seeded AND enabled) FROM (SELECT seeded, enabled FROM po_seller UNION ALL SELECT seeded, enabled FROM po_seller_alias UNION ALL SELECT seeded, enabled FROM po_taxonomy UNION ALL SELECT seeded, enabled FROM po_seller_line_type) s), true, 'all of them are seeds and switched on');

--
-- An alias works wherever a bill_from is given; the seller's own name is stored
--
CALL po('alias', 'Amazon Web Services EMEA SARL'); CALL li('alias', '1', 'usage');
SELECT is((SELECT bill_from FROM po_order WHERE po_number = 'alias'), 'AWS EMEA SARL', 'in an order');
INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount) VALUES ('A', 'AWS Europe', 'I1', 'usage', '2026-02', 1);
SELECT is((SELECT bill_from || ' ' || po_number FROM po_invoice WHERE invoice_id = 'I1'), 'AWS EMEA SARL alias', 'in an invoice');
UPDATE po_order SET bill_from = 'Amazon Web Services EMEA SARL', description = 'x' WHERE po_number = 'alias';
SELECT is((SELECT bill_from FROM po_order WHERE po_number = 'alias'), 'AWS EMEA SARL', 'in an update');
INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount) VALUES ('A', 'Nobody Ltd', 'I2', 'usage', '2026-02', 1);
UPDATE po_invoice SET bill_from = 'AISPL' WHERE invoice_id = 'I2';
SELECT is((SELECT bill_from FROM po_invoice WHERE invoice_id = 'I2'), 'AWS India', 'in an update of an invoice that is not associated');
SELECT is((SELECT count(*) FROM po_match_invoice('A', 'AWS Europe', 'usage', '2026-02', 1))::int, 1, 'in a question');
UPDATE po_seller_alias SET enabled = false WHERE alias = 'AWS Europe';
SELECT is(tried($$CALL po('x', 'AWS Europe')$$), '23503 seller "AWS Europe" is not known', 'an alias that is switched off is none');
SELECT is((SELECT count(*) FROM po_match_invoice('A', 'AWS Europe', 'usage', '2026-02', 1))::int, 0, 'in a question, too');
-- of users
INSERT INTO po_seller (bill_from) VALUES ('Cloud GmbH'); INSERT INTO po_seller_alias (alias, bill_from) VALUES ('Cloud', 'Cloud GmbH');
CALL po('own', 'Cloud');
SELECT is((SELECT bill_from FROM po_order WHERE po_number = 'own'), 'Cloud GmbH', 'users add their own sellers and aliases');
SELECT is(tried($$INSERT INTO po_seller_alias (alias, bill_from) VALUES ('Cloud GmbH', 'AWS Inc.')$$), '23505 "Cloud GmbH" is the name of a seller', 'an alias is not a seller''s name');
SELECT is(tried($$INSERT INTO po_seller (bill_from) VALUES ('Cloud')$$), '23505 "Cloud" is the name of an alias of another seller', 'nor a seller''s name an alias');
SELECT is(tried($$UPDATE po_seller_alias SET alias = 'AWS Inc.' WHERE alias = 'Cloud'$$), '23505 "AWS Inc." is the name of a seller', 'not by an update');
SELECT is(tried($$UPDATE po_seller SET bill_from = 'AISPL' WHERE bill_from = 'Cloud GmbH'$$), '23505 "AISPL" is the name of an alias of another seller', 'either');
SELECT is(tried($$INSERT INTO po_seller_alias (alias, bill_from) VALUES ('X', 'Nobody')$$), '23503 seller "Nobody" is not known', 'an alias is of a seller');
SELECT is(tried($$INSERT INTO po_seller (bill_from) VALUES ('')$$), '23514 new row for relation "po_seller" violates check constraint "po_seller_bill_from_check"', 'a seller has a name');
SELECT is(tried($$DELETE FROM po_seller WHERE bill_from = 'Cloud GmbH'$$), '23503 update or delete on table "po_seller" violates foreign key constraint "po_seller_alias_bill_from_fkey" on table "po_seller_alias"', 'a seller in use is kept');
DELETE FROM po_order WHERE po_number = 'own';
SELECT is(tried($$DELETE FROM po_seller_alias WHERE alias = 'Cloud'$$) || tried($$DELETE FROM po_seller WHERE bill_from = 'Cloud GmbH'$$), 'okok', 'rows of users can be deleted');
UPDATE po_seller SET enabled = false WHERE bill_from = 'AWS Turkey';
SELECT is(tried($$CALL po('x', 'AWS Turkey')$$), '23514 seller "AWS Turkey" is switched off', 'a seller that is switched off gets no orders');
UPDATE po_seller SET enabled = false WHERE bill_from = 'AWS EMEA SARL';
SELECT is(tried($$UPDATE po_order SET description = 'y' WHERE po_number = 'alias'$$) || tried($$CALL li('alias', '2', 'usage')$$), 'okok', 'orders that are there go on');
SELECT is((SELECT count(*) FROM po_match_invoice('A', 'AWS EMEA SARL', 'usage', '2026-02', 1))::int, 2, 'and are matched');
UPDATE po_seller SET enabled = true WHERE bill_from = 'AWS EMEA SARL';

--
-- Types of charge, and who bills them
--
SELECT is(tried(format('CALL li(%L, %L, %L)', 'alias', t, t)), e, 'AWS EMEA SARL: ' || t) FROM (VALUES ('all', 'ok'), ('subscription', 'ok'), ('marketplace', 'ok'), ('marketplace.transaction', 'ok'),
	('professional_services', '23514 seller "AWS EMEA SARL" does not bill line type "professional_services"'), ('usage.compute', '23503 line type "usage.compute" is not known')) v(t, e);
INSERT INTO po_taxonomy (line_type, label) VALUES ('usage.compute', 'Compute'), ('tolls', 'Tolls'), ('tolls.bridge', NULL);
SELECT is(tried($$CALL li('alias', 'c', 'usage.compute')$$), 'ok', 'a type below one that is billed');
SELECT is(tried($$CALL li('alias', 't', 'tolls')$$), '23514 seller "AWS EMEA SARL" does not bill line type "tolls"', 'a new type is billed by no seller that has a list');
INSERT INTO po_seller (bill_from) VALUES ('Road SA'); CALL po('road', 'Road SA');
SELECT is(tried($$CALL li('road', '1', 'tolls.bridge')$$) || tried($$CALL li('road', '2', 'usage')$$), 'okok', 'a seller without a list bills every type');
INSERT INTO po_seller_line_type (bill_from, line_type) VALUES ('Road SA', 'tolls');
SELECT is(tried($$CALL li('road', '3', 'tolls.bridge')$$), 'ok', 'with a list: what is on it, and below');
SELECT is(tried($$CALL li('road', '4', 'usage')$$), '23514 seller "Road SA" does not bill line type "usage"', 'nothing else');
SELECT is(tried($$CALL li('road', '5', 'all')$$), 'ok', 'and all, always');
UPDATE po_seller_line_type SET enabled = false WHERE bill_from = 'Road SA';
SELECT is(tried($$CALL li('road', '6', 'tolls')$$), '23514 seller "Road SA" does not bill line type "tolls"', 'what is switched off is not billed');
INSERT INTO po_seller_line_type (bill_from, line_type) VALUES ('Road SA', 'all') ON CONFLICT DO NOTHING;
SELECT is(tried($$CALL li('road', '7', 'tolls')$$), '23514 seller "Road SA" does not bill line type "tolls"', 'all on the list stands for itself alone');
UPDATE po_taxonomy SET enabled = false WHERE line_type = 'usage.compute';
SELECT is(tried($$CALL li('alias', 'c2', 'usage.compute')$$), '23514 line type "usage.compute" is switched off', 'a type that is switched off gets no line items');
SELECT is(tried($$UPDATE po_line_item SET amount = 2 WHERE line_number = 'c'$$), 'ok', 'those that are there go on');
SELECT is((SELECT line_number FROM po_match_invoice('A', 'AWS EMEA SARL', 'usage.compute', '2026-02', 1, max_rank => 1)), 'c', 'and are matched');
SELECT is(tried($$DELETE FROM po_taxonomy WHERE line_type = 'tolls'$$), '23503 update or delete on table "po_taxonomy" violates foreign key constraint "po_seller_line_type_line_type_fkey" on table "po_seller_line_type"', 'a type that is listed is kept');
INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount) VALUES ('A', 'Road SA', 'I3', 'whatever.it.is', '2026-02', 1), ('A', 'AWS Japan', 'I4', 'marketplace', '2026-02', 1);
SELECT is((SELECT string_agg(coalesce(po_number, '-'), ' ' ORDER BY invoice_id) FROM po_invoice WHERE invoice_id IN ('I3', 'I4')), 'road -', 'invoices are not checked');

--
-- Seed rows
--
CREATE TEMP TABLE seed (t text, cols text, vals text, key text, own text);
INSERT INTO seed VALUES ('po_seller', 'bill_from, description', '''AWS Japan'', ''changed''', 'bill_from = ''AWS Japan''', '''Mine'', ''x'''),
	('po_seller_alias', 'alias, bill_from', '''AISPL'', ''AWS Japan''', 'alias = ''AISPL''', '''Mine2'', ''AWS Japan'''),
	('po_taxonomy', 'line_type, label', '''usage'', ''changed''', 'line_type = ''usage''', '''mine'', ''x'''),
	('po_seller_line_type', 'bill_from, line_type', '''AWS Japan'', ''usage''', 'bill_from = ''AWS Japan'' AND line_type = ''usage''', '''AWS Japan'', ''tolls''');
SELECT is(would(format('DELETE FROM %s WHERE %s', t, key)), format('55000 deleting a seed row on "%s" is not allowed', t), 'a seed of ' || t || ' is not deleted') FROM seed;
SELECT is(hint(format('DELETE FROM %s WHERE %s', t, key)), 'Set enabled = false instead: a restore would bring the row back.', 'the HINT says what to do') FROM seed LIMIT 1;
SELECT is(would(format('UPDATE %s SET %s = %s WHERE %s', t, c, v, key)), format('55000 changing the key of a seed row on "%s" is not allowed', t), format('the key of a seed of %s is not changed (%s)', t, c))
FROM seed JOIN (VALUES ('po_seller', 'bill_from', '''J'''), ('po_seller_alias', 'alias', '''J'''), ('po_taxonomy', 'line_type', '''j'''), ('po_seller_line_type', 'bill_from', '''AWS Inc.'''), ('po_seller_line_type', 'line_type', '''tolls.bridge''')) v(t, c, v) USING (t);
SELECT is(would(format('UPDATE %s SET seeded = false WHERE %s', t, key)), format('55000 changing the key of a seed row on "%s" is not allowed', t), 'nor does it become a row of the user''s') FROM seed WHERE t = 'po_seller';
SELECT matches(would(format('TRUNCATE %s CASCADE', t)), '^(0A000|55000) ', 'nor are seeds of ' || t || ' truncated') FROM seed;
SELECT is(tried(format('UPDATE %s SET enabled = false WHERE %s', t, key)), 'ok', 'a seed of ' || t || ' is switched off') FROM seed;
SELECT is(tried(format('INSERT INTO %s (%s) VALUES (%s)', t, cols, vals)), 'ok', 'the owner''s insert of a seed of ' || t || ', as in a restore') FROM seed;
SELECT results_eq($$SELECT description, enabled, seeded FROM po_seller WHERE bill_from = 'AWS Japan'$$, $$VALUES ('changed', true, true)$$, 'updates it, all of it');
SELECT is((SELECT bill_from || enabled || seeded FROM po_seller_alias WHERE alias = 'AISPL'), 'AWS Japantruetrue', 'an alias, too');
SELECT is((SELECT label || enabled || seeded FROM po_taxonomy WHERE line_type = 'usage'), 'changedtruetrue', 'a type, too');
SELECT is(tried($$INSERT INTO po_seller (bill_from, enabled, seeded) VALUES ('AWS Japan', false, true), ('AWS Inc.', true, true), ('Neu AG', true, false)$$), 'ok', 'several rows, as COPY gives them');
SELECT is((SELECT string_agg(bill_from || enabled || seeded, ' ' ORDER BY bill_from) FROM po_seller WHERE bill_from IN ('AWS Japan', 'AWS Inc.', 'Neu AG')), 'AWS Inc.truetrue AWS Japanfalsetrue Neu AGtruefalse', 'each where it belongs');
SELECT is(tried($$INSERT INTO po_seller (bill_from) VALUES ('Neu AG')$$), '23505 duplicate key value violates unique constraint "po_seller_pkey"', 'a row of the user''s that is there is a conflict');
SELECT is(tried(format('INSERT INTO %s (%s) VALUES (%s)', t, cols, own)), 'ok', 'a row of one''s own in ' || t) FROM seed;
CREATE ROLE po_t_clerk; GRANT INSERT, SELECT, UPDATE, DELETE ON po_seller TO po_t_clerk;
CREATE FUNCTION as_clerk(statement text) RETURNS text LANGUAGE plpgsql AS $$ DECLARE r text; BEGIN SET LOCAL ROLE po_t_clerk; r := tried(statement); RESET ROLE; RETURN r; END $$;
SELECT is(as_clerk($$INSERT INTO po_seller (bill_from, description) VALUES ('AWS Inc.', 'mine')$$), '23505 duplicate key value violates unique constraint "po_seller_pkey"', 'another''s insert of a seed is a conflict');
SELECT is(as_clerk($$UPDATE po_seller SET description = 'theirs' WHERE bill_from = 'AWS Inc.'$$), 'ok', 'what is granted is granted');
SELECT is(as_clerk($$DELETE FROM po_seller WHERE bill_from = 'AWS Inc.'$$), '55000 deleting a seed row on "po_seller" is not allowed', 'but seeds are not deleted');
SELECT is(as_clerk($$INSERT INTO po_seller (bill_from) VALUES ('Clerk Ltd')$$) || as_clerk($$DELETE FROM po_seller WHERE bill_from = 'Clerk Ltd'$$), 'okok', 'rows of the user''s are');

--
-- History: a row with its system column filled is taken as it is
--
INSERT INTO po_account (account_id, currency, created_at, booked_at) VALUES ('H', 'EUR', '2020-01-01', '2020-02-01');
INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month, currency, status, created_at, updated_at) VALUES ('H', 'P', 'AWS Turkey', '2020-01', '2020-12', 'EUR', 'active', '2020-01-02', '2020-01-03');
INSERT INTO po_line_item (line_item_id, account_id, po_number, line_number, line_type, start_month, end_month, amount, balance_tracked, balance, created_at, updated_at) VALUES
	(-7, 'H', 'P', '1', 'usage.compute', '2019-01', '2021-12', 100, true, 90, '2020-01-04', '2020-01-05');
INSERT INTO po_invoice (account_id, bill_from, invoice_id, kind, line_type, billing_month, issued_on, amount, currency, po_number, line_number, line_item_id, association_kind, associated_at, associated_by, recorded_at) VALUES
	('H', 'AWS Turkey', 'I1', 'invoice', 'usage', '2020-02', '2020-03-01', 10, 'EUR', 'P', '1', -7, 'automatic', '2020-03-02', 'old_user', '2020-03-03'),
	('H', 'AWS Turkey', 'I2', 'invoice', 'usage', '2020-02', '2020-03-01', 10, 'EUR', NULL, NULL, NULL, NULL, NULL, NULL, '2020-03-04');
INSERT INTO po_ledger VALUES (-2, 'H', -7, 'P', '1', NULL, NULL, 'opening', 100, 100, '2020-01-04', 'old_user', NULL), (-1, 'H', -7, 'P', '1', 'AWS Turkey', 'I1', 'association', -10, 90, '2020-03-02', 'old_user', 'x');
SELECT is((SELECT (a.created_at, a.booked_at, o.created_at, o.updated_at, i.created_at, i.updated_at)::text FROM po_account a JOIN po_order o USING (account_id) JOIN po_line_item i USING (account_id, po_number) WHERE account_id = 'H'),
	'("2020-01-01 00:00:00+00","2020-02-01 00:00:00+00","2020-01-02 00:00:00+00","2020-01-03 00:00:00+00","2020-01-04 00:00:00+00","2020-01-05 00:00:00+00")', 'times are what they were; an order of a seller that is switched off, a line item outside its period and of such a type');
SELECT is((SELECT balance::text || ' ' || line_item_id FROM po_line_item WHERE account_id = 'H'), '90 -7', 'balance and id are what they were');
SELECT is((SELECT string_agg(concat_ws(' ', invoice_id, po_number, associated_by), ', ' ORDER BY invoice_id) FROM po_invoice WHERE account_id = 'H'), 'I1 P old_user, I2', 'associated or not: nothing is matched');
SELECT is((SELECT count(*) FROM po_ledger WHERE account_id = 'H')::int, 2, 'nothing is written to the ledger');
SELECT is_empty($$SELECT * FROM po_check_integrity() WHERE account_id = 'H'$$, 'and the books are right');
INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount) VALUES ('H', 'AWS Turkey', 'I3', 'usage.compute', '2020-05', 1);
SELECT is((SELECT string_agg(concat_ws(' ', entry_kind, invoice_id, balance_after), ', ' ORDER BY recorded_at) FROM po_ledger WHERE account_id = 'H'), 'opening 100, association I1 90, association I3 89', 'and go on');
DELETE FROM po_invoice WHERE (account_id, invoice_id) = ('H', 'I1');
SELECT is((SELECT balance FROM po_line_item WHERE account_id = 'H'), 99::numeric, 'with what was restored');
-- the row itself is checked
SELECT matches(tried(s), e, 'history is checked as a row: ' || e) FROM (VALUES
	($$INSERT INTO po_account (account_id, currency, created_at, booked_at) VALUES ('H2', 'XX', '2020-01-01', '2020-01-01')$$, '^23514 currency "XX"'),
	($$INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month, currency, created_at, updated_at) VALUES ('H', 'Q', 'AWS Inc.', '2020-12', '2020-01', 'EUR', '2020-01-02', '2020-01-03')$$, '^23514 purchase order "Q" expires before'),
	($$INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month, currency, created_at) VALUES ('H', 'Q', 'AWS Inc.', '2020-01', '2020-01', 'EUR', '2020-01-02')$$, '^23502 null value in column "updated_at"'),
	($$INSERT INTO po_line_item (line_item_id, account_id, po_number, line_number, line_type, start_month, end_month, amount, created_at, updated_at) VALUES (-8, 'H', 'P', '2', 'usage', '2020-01', '2020-12', -1, '2020-01-04', '2020-01-05')$$, '^23514 amount must not be -1'),
	($$INSERT INTO po_line_item (line_item_id, account_id, po_number, line_number, line_type, start_month, end_month, amount, balance_tracked, created_at, updated_at) VALUES (-8, 'H', 'P', '2', 'usage', '2020-01', '2020-12', 1, true, '2020-01-04', '2020-01-05')$$, '^23514 .*balance exactly where it is not tracked'),
	($$INSERT INTO po_invoice (account_id, bill_from, invoice_id, kind, line_type, billing_month, issued_on, amount, currency, po_number, recorded_at) VALUES ('H', 'AWS Turkey', 'I9', 'invoice', 'usage', '2020-02', '2020-03-01', 10, 'EUR', 'P', '2020-03-03')$$, '^23514 .*is not whole'),
	($$INSERT INTO po_contact (account_id, po_number, email, created_at) VALUES ('H', 'P', 'x', '2020-01-01')$$, '^23514 "x" is not an e-mail address')) v(s, e);

SELECT finish();
ROLLBACK;
