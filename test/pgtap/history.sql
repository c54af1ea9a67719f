-- test/pgtap/history.sql: the change log, and po_explain_invoice(): why an invoice was booked where
-- it was, with the configuration and the balances of that moment.
BEGIN;
SELECT plan(53);
SET LOCAL client_min_messages = warning;

-- what the log has of an account: number, line, operation, old and new, in the order of the changes
CREATE FUNCTION logged(account text, since bigint DEFAULT 0) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT concat_ws(' ', coalesce(po_number, '-'), line_number, operation, coalesce(old::text, '-'), coalesce(new::text, '-'))
	FROM po_change_log WHERE account_id = account AND change_id > since ORDER BY change_id $$;
-- the rows of a query in their order, and whether two queries have the same
CREATE FUNCTION rows(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE r record; result text := '';
BEGIN
	FOR r IN EXECUTE query LOOP result := result || r::text || E'\n'; END LOOP;
	RETURN result;
END $$;
CREATE FUNCTION same(have text, want text, what text) RETURNS text LANGUAGE sql AS $$ SELECT is(rows(have), rows(want), what) $$;
CREATE FUNCTION last_change() RETURNS bigint LANGUAGE sql AS $$ SELECT coalesce(max(change_id), 0) FROM po_change_log $$;

--
-- What is logged
--
INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month, tags, tax_registration_numbers)
	VALUES ('L', 'P1', 'AWS Europe', '2026-01', '2026-12', '{"team": "data"}', '{DE1,DE2}');
INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, balance_tracked, amount)
	VALUES ('L', 'P1', ' 1 ', 'AWS Monthly Usage', '2026-01', '2026-12', true, 100.50), ('L', 'P1', '2', 'ALL', '2026-02', '2026-03', false, 0);
SELECT same($$SELECT po_number, line_number, operation, old, new FROM po_change_log WHERE account_id = 'L' ORDER BY change_id$$, $$VALUES
	('P1', NULL::text, 'insert', NULL::jsonb, '{"account_id": "L", "po_number": "P1", "bill_from": "AWS EMEA SARL", "status": "active", "effective_month": "2026-01",
		"expiration_month": "2026-12", "currency": "USD", "description": null, "ship_to": null, "tax_registration_numbers": ["DE1", "DE2"],
		"tags": {"team": "data"}, "source": "user"}'::jsonb),
	('P1', '1', 'insert', NULL, jsonb_build_object('account_id', 'L', 'po_number', 'P1', 'line_number', '1', 'line_type', 'usage', 'start_month', '2026-01',
		'end_month', '2026-12', 'balance_tracked', true, 'amount', 100.50, 'quantity', 1, 'tax', 0, 'tax_kind', 'absolute', 'consumed_before', 0,
		'agreement_id', NULL, 'agreement_moved_to', NULL, 'description', NULL, 'line_item_id', (SELECT line_item_id FROM po_line_item WHERE account_id = 'L' AND line_number = '1'))),
	('P1', '2', 'insert', NULL, jsonb_build_object('account_id', 'L', 'po_number', 'P1', 'line_number', '2', 'line_type', 'all', 'start_month', '2026-02',
		'end_month', '2026-03', 'balance_tracked', false, 'amount', 0, 'quantity', 1, 'tax', 0, 'tax_kind', 'absolute', 'consumed_before', 0,
		'agreement_id', NULL, 'agreement_moved_to', NULL, 'description', NULL, 'line_item_id', (SELECT line_item_id FROM po_line_item WHERE account_id = 'L' AND line_number = '2')))$$,
	'what is added, as it is stored');
SELECT is((SELECT array_agg(line_item_id IS NULL ORDER BY change_id) FROM po_change_log WHERE account_id = 'L'), '{t,f,f}', 'with the id of the line item');
SELECT is((SELECT array_agg(DISTINCT changed_by) FROM po_change_log WHERE account_id = 'L'), ARRAY[current_user::text], 'and who did it');

SELECT last_change() AS l \gset
UPDATE po_line_item SET amount = 200, end_month = '2026-06', description = NULL WHERE account_id = 'L' AND line_number = '1';
SELECT same(format($$SELECT logged('L', %s)$$, :l), $$VALUES ('P1 1 update {"amount": 100.50, "end_month": "2026-12"} {"amount": 200, "end_month": "2026-06"}')$$,
	'of an update the columns that changed, and not the balance that changes with them');
SELECT last_change() AS l \gset
UPDATE po_line_item SET amount = 200.00, quantity = quantity WHERE account_id = 'L' AND line_number = '1';
SELECT same(format($$SELECT logged('L', %s)$$, :l), $$VALUES ('P1 1 update {"amount": 200} {"amount": 200.00}')$$, 'digits are kept');
SELECT last_change() AS l \gset
UPDATE po_line_item SET line_number = '9' WHERE account_id = 'L' AND line_number = '2';
SELECT same(format($$SELECT logged('L', %s)$$, :l), $$VALUES ('P1 9 update {"line_number": "2"} {"line_number": "9"}')$$, 'a new number');
SELECT last_change() AS l \gset
UPDATE po_line_item SET amount = amount WHERE account_id = 'L';
UPDATE po_order SET description = NULL, status = 'active' WHERE account_id = 'L';
SELECT po_activate('L', 'P1'), po_extend('L', 'P1', '2026-12', true) \g /dev/null
UPDATE po_account SET currency = 'usd' WHERE account_id = 'L';
SELECT is_empty(format($$SELECT logged('L', %s)$$, :l), 'what changes nothing is no change');
INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount, tax_registration_number) VALUES ('L', 'AWS EMEA SARL', 'I1', 'usage', '2026-02', 10, 'DE1');
UPDATE po_invoice SET amount = 20 WHERE account_id = 'L';
SELECT po_release_invoice('L', 'AWS EMEA SARL', 'I1') \g /dev/null
INSERT INTO po_contact (account_id, po_number, email) VALUES ('L', 'P1', 'a@example.com');
UPDATE po_contact SET name = 'A' WHERE account_id = 'L';
SELECT is_empty(format($$SELECT logged('L', %s)$$, :l), 'balances, invoices and contacts are no configuration');
SELECT po_suspend('L', 'P1'), po_activate('L', 'P1'), po_extend('L', 'P1', '2027-01', true) \g /dev/null
SELECT same(format($$SELECT logged('L', %s)$$, :l), $$VALUES ('P1 update {"status": "active"} {"status": "suspended"}'), ('P1 update {"status": "suspended"} {"status": "active"}'),
	('P1 update {"expiration_month": "2026-12"} {"expiration_month": "2027-01"}')$$, 'what the functions do');
SELECT last_change() AS l \gset
UPDATE po_account SET period_basis = 'issue_date', closed_through = '2025-12' WHERE account_id = 'L';
SELECT same(format($$SELECT logged('L', %s)$$, :l), $$VALUES ('- update {"period_basis": "billing_period", "closed_through": null} {"period_basis": "issue_date", "closed_through": "2025-12"}')$$,
	'settings of the account, without an order');
SELECT last_change() AS l \gset
SAVEPOINT s;
UPDATE po_line_item SET amount = 5 WHERE account_id = 'L';
ROLLBACK TO s;
SELECT throws_ok($$UPDATE po_line_item SET start_month = '2026-12', end_month = '2026-11' WHERE account_id = 'L'$$, '23514');
SELECT is_empty(format($$SELECT logged('L', %s)$$, :l), 'what is rolled back or refused was not');
INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month) VALUES ('L', 'P1', 'AWS Inc.', '2026-01', '2026-12')
	ON CONFLICT (account_id, po_number) DO UPDATE SET description = 'merged';
SELECT same(format($$SELECT logged('L', %s)$$, :l), $$VALUES ('P1 update {"description": null} {"description": "merged"}')$$, 'of an upsert what was done');
SELECT last_change() AS l \gset
DELETE FROM po_order WHERE account_id = 'L';
SELECT same(format($$SELECT po_number, line_number, operation, old->>'bill_from', old->>'amount', new FROM po_change_log WHERE change_id > %s ORDER BY line_number NULLS FIRST$$, :l), $$VALUES
	('P1', NULL::text, 'delete', 'AWS EMEA SARL', NULL::text, NULL::jsonb), ('P1', '1', 'delete', NULL, '200.00', NULL), ('P1', '9', 'delete', NULL, '0', NULL)$$,
	'an order that is deleted, and what was on it');
SELECT is((SELECT array_agg(change_id ORDER BY change_id) FROM po_change_log WHERE account_id = 'L'), (SELECT array_agg(change_id ORDER BY changed_at, change_id) FROM po_change_log WHERE account_id = 'L'),
	'ids and times ascend together');
INSERT INTO po_account (account_id, created_at, booked_at) VALUES ('H', '2025-01-01', '2025-01-01');
INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month, currency, created_at, updated_at) VALUES ('H', 'P1', 'AWS Inc.', '2026-01', '2026-12', 'USD', '2025-01-01', '2025-01-01');
INSERT INTO po_line_item (line_item_id, account_id, po_number, line_number, line_type, start_month, end_month, amount, balance_tracked, balance, created_at, updated_at)
	VALUES (nextval('po_line_item_id_seq'), 'H', 'P1', '1', 'usage', '2026-01', '2026-12', 100, true, 70, '2025-01-01', '2025-01-01');
SELECT is_empty($$SELECT logged('H')$$, 'history is not logged');

-- updated_at of the order before each change of it or of its line items
INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month) VALUES ('U', 'P1', 'AWS Inc.', '2026-01', '2026-12');
CREATE TEMP TABLE stamps AS SELECT 1 AS n, updated_at FROM po_order WHERE account_id = 'U';
INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, amount) VALUES ('U', 'P1', '1', 'usage', '2026-01', '2026-12', 1);
INSERT INTO stamps SELECT 2, updated_at FROM po_order WHERE account_id = 'U';
UPDATE po_order SET description = 'x' WHERE account_id = 'U';
INSERT INTO stamps SELECT 3, updated_at FROM po_order WHERE account_id = 'U';
DELETE FROM po_line_item WHERE account_id = 'U';
INSERT INTO stamps SELECT 4, updated_at FROM po_order WHERE account_id = 'U';
DELETE FROM po_order WHERE account_id = 'U';
SELECT same($$SELECT order_updated_at FROM po_change_log WHERE account_id = 'U' ORDER BY change_id$$, $$SELECT NULL::timestamptz UNION ALL (SELECT updated_at FROM stamps ORDER BY n)$$, 'updated_at of the order before each change');

--
-- Nobody else writes it
--
SELECT throws_ok($$UPDATE po_change_log SET changed_by = 'x'$$, '42501');
SELECT throws_ok($$DELETE FROM po_change_log$$, '42501');
CREATE FUNCTION drops() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';
CREATE TRIGGER a_drops BEFORE INSERT ON po_change_log FOR EACH ROW EXECUTE FUNCTION drops();
SELECT throws_ok($$INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month) VALUES ('U', 'P1', 'AWS Inc.', '2026-01', '2026-12')$$,
	'27000', 'what po_mgmt wrote to "po_change_log" was changed or dropped by a trigger', 'nor drops it');
DROP TRIGGER a_drops ON po_change_log;
CREATE ROLE po_t_editor;
GRANT SELECT, INSERT, UPDATE ON po_order, po_line_item TO po_t_editor;
SET LOCAL ROLE po_t_editor;
INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month) VALUES ('U', 'P2', 'AWS Inc.', '2026-01', '2026-12');
RESET ROLE;
SELECT is((SELECT changed_by FROM po_change_log WHERE account_id = 'U' AND po_number = 'P2'), 'po_t_editor', 'a role that edits needs no right on it, and is named');

--
-- po_explain_invoice(): an account in which everything changes afterwards
--
INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month) SELECT 'E', n, 'AWS Inc.', '2026-01', '2026-12' FROM unnest('{NEW,OLD,EMPTY,TAX,SUS}'::text[]) n;
UPDATE po_order SET status = 'suspended' WHERE account_id = 'E' AND po_number = 'SUS';
UPDATE po_order SET tax_registration_numbers = '{DE1}' WHERE account_id = 'E' AND po_number = 'TAX';
INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, balance_tracked, amount) VALUES
	('E', 'SUS', '1', 'usage', '2026-01', '2026-12', true, 100),
	('E', 'TAX', '1', 'usage', '2026-01', '2026-12', true, 100),
	('E', 'OLD', '1', 'usage', '2026-01', '2026-12', true, 100),
	('E', 'OLD', '2', 'all', '2026-01', '2026-12', false, 0),
	('E', 'OLD', '3', 'usage', '2026-06', '2026-12', false, 0),
	('E', 'OLD', '4', 'subscription', '2026-01', '2026-12', false, 0);
INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, balance_tracked, amount)
	VALUES ('E', 'NEW', '1', 'usage', '2026-01', '2026-12', true, 150);
INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, issued_on, amount) VALUES
	('E', 'AWS Inc.', 'A', 'usage', '2026-02', '2026-02-28', 120), ('E', 'AWS Inc.', 'B', 'usage', '2026-02', '2026-02-28', 60), ('E', 'AWS Inc.', 'C', 'usage', '2026-02', '2026-02-28', 500),
	('E', 'AWS Inc.', 'N', 'usage', '2027-02', '2026-02-28', 500);
INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, issued_on, amount, original_invoice_id) VALUES ('E', 'AWS Inc.', 'M', 'usage', '2026-02', '2026-02-28', -1, 'B');
INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, issued_on, amount, po_number, line_number) VALUES ('E', 'AWS Inc.', 'H', 'usage', '2026-02', '2026-02-28', 7, 'SUS', '1');
CREATE TEMP VIEW said AS SELECT v.invoice_id, e.* FROM po_invoice v, po_explain_invoice(v.account_id, v.bill_from, v.invoice_id) e WHERE v.account_id = 'E';
CREATE TEMP TABLE then_said AS SELECT * FROM said;

SELECT same($$SELECT po_number, line_number, rank, outcome, stage FROM said WHERE invoice_id = 'B'$$, $$VALUES
	('OLD', '1', 1, 'selected', NULL::text), ('NEW', '1', 2, 'candidate', 'balance'), ('OLD', '2', 3, 'candidate', 'specificity'), ('EMPTY', NULL, NULL, 'rejected', 'period'),
	('OLD', '3', NULL, 'rejected', 'period'), ('OLD', '4', NULL, 'rejected', 'type'), ('SUS', '1', NULL, 'rejected', 'status'), ('TAX', '1', NULL, 'rejected', 'tax_registration')$$,
	'every line item of that moment, as the rules saw it');
SELECT is((SELECT reason FROM said WHERE invoice_id = 'B' AND rank = 2), 'It fits, but its balance of 30 USD does not cover the invoice''s 60, and that of line item 1 of order OLD does.', 'with the balances that the invoice found');
SELECT is((SELECT reason FROM said WHERE invoice_id = 'C' AND rank = 2), (SELECT format('It fits as well as line item 1 of order NEW, but that order was updated later (%s UTC) than this one (%s UTC).', n.updated_at AT TIME ZONE 'UTC', o.updated_at AT TIME ZONE 'UTC')
	FROM po_order n, po_order o WHERE (n.account_id, n.po_number, o.account_id, o.po_number) = ('E', 'NEW', 'E', 'OLD')), 'and the times at which orders had been updated');
SELECT same($$SELECT po_number, line_number, rank, outcome, stage, reason FROM said WHERE invoice_id = 'M' AND (outcome = 'selected' OR po_number = 'NEW')$$, $$VALUES
	('OLD', '1', 1, 'selected', NULL::text, 'A credit memo goes where its original goes: invoice B is booked on line item 1 of order OLD.'),
	('NEW', '1', NULL, 'rejected', 'requested_po', 'A credit memo goes where its original goes: invoice B is booked on line item 1 of order OLD.')$$, 'a credit memo');
SELECT same($$SELECT po_number, line_number, rank, outcome, stage, regexp_replace(reason, 'on 20\S+ \S+', 'on T') FROM said WHERE invoice_id = 'H' AND (outcome = 'selected' OR rank <= 2)$$, format($$VALUES
	('OLD', '1', 1, 'candidate', 'requested_po', 'The invoice was assigned by hand to line item 1 of order SUS. By the rules of that moment: The best of 3 line items that fit. It pays for AWS Monthly Usage (usage), the type of the invoice. Its balance of 41 USD covers the invoice''s 7.'),
	('NEW', '1', 2, 'candidate', 'balance', 'It fits, but its balance of -470 USD does not cover the invoice''s 7, and that of line item 1 of order OLD does.'),
	('SUS', '1', NULL, 'selected', NULL::text, 'Assigned by hand by %s on T UTC. By the rules of that moment: The order is suspended.')$$, current_user), 'by hand: who, when, and what the rules said');
SELECT same($$SELECT po_number, line_number, rank, outcome, stage, regexp_replace(reason, 'on 20\S+ \S+', 'on T') FROM said WHERE invoice_id = 'N' LIMIT 2$$, $$VALUES
	(NULL::text, NULL::text, NULL::int, 'rejected', NULL::text, 'No line item fitted the invoice when it was recorded, on T UTC.'),
	('EMPTY', NULL, NULL, 'rejected', 'status', 'The order expired at the end of 2026-12, before the invoice''s 2027-02 (the month billed).')$$, 'one without an order');
SELECT same($$SELECT po_number, line_number, rank, outcome, stage, reason FROM said WHERE invoice_id = 'N' AND po_number IS NOT NULL$$,
	$$SELECT e.* FROM po_invoice v, po_explain_match(v) e WHERE v.account_id = 'E' AND v.invoice_id = 'N'$$, 'in the words of po_explain_match()');

-- all of it changes
UPDATE po_account SET period_basis = 'issue_date', time_zone = 'Asia/Tokyo' WHERE account_id = 'E';
UPDATE po_invoice SET amount = 1 WHERE account_id = 'E' AND invoice_id IN ('A', 'B', 'C');
UPDATE po_line_item SET amount = 1000, line_number = line_number || 'x', line_type = 'subscription', start_month = '2026-03', agreement_id = 'AG' WHERE account_id = 'E' AND (po_number, line_number) IN (('TAX', '1'), ('OLD', '3'));
UPDATE po_line_item SET balance_tracked = false WHERE account_id = 'E' AND po_number = 'NEW';
UPDATE po_order SET status = 'active', description = 'x' WHERE account_id = 'E' AND po_number = 'SUS';
UPDATE po_order SET tax_registration_numbers = NULL WHERE account_id = 'E' AND po_number = 'TAX';
UPDATE po_order SET tags = '{"a": [1]}' WHERE account_id = 'E' AND po_number = 'NEW';
DELETE FROM po_line_item WHERE account_id = 'E' AND po_number = 'OLD' AND line_number IN ('1', '2');
DELETE FROM po_order WHERE account_id = 'E' AND po_number IN ('EMPTY', 'NEW');
INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month, currency) VALUES ('E', 'NEW', 'AWS EMEA SARL', '2025-01', '2029-12', 'EUR'), ('E', 'LATE', 'AWS Inc.', '2025-01', '2029-12', NULL);
INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, amount) VALUES ('E', 'OLD', '1', 'usage', '2026-01', '2026-12', 1), ('E', 'NEW', '1', 'all', '2026-01', '2026-12', 1), ('E', 'LATE', '1', 'usage', '2026-01', '2026-12', 1);
UPDATE po_line_item SET amount = 2, line_type = 'all' WHERE account_id = 'E' AND po_number IN ('NEW', 'LATE');
UPDATE po_order SET description = 'y' WHERE account_id = 'E';
DELETE FROM po_order WHERE account_id = 'E' AND po_number = 'LATE';
UPDATE po_account SET time_zone = 'UTC' WHERE account_id = 'E';
SELECT set_eq('SELECT * FROM said', 'SELECT * FROM then_said', 'and it says the same after everything has changed');
SELECT is((SELECT count(*)::int FROM then_said), 49, 'six invoices, eight line items or orders, one row more for what has no order');
SELECT isnt(rows($$SELECT e.po_number, e.line_number, e.outcome FROM po_invoice v, po_explain_match(v) e WHERE v.account_id = 'E' AND v.invoice_id = 'B'$$), rows($$SELECT po_number, line_number, outcome FROM then_said WHERE invoice_id = 'B'$$), 'other than po_explain_match()');

-- later associations
SELECT po_suspend('E', 'SUS') \g /dev/null
SELECT po_release_invoice('E', 'AWS Inc.', 'C'), po_void_invoice('E', 'AWS Inc.', 'N'), po_assign_invoice('E', 'AWS Inc.', 'B', 'OLD', '1', 'asked for by Ms. Roe') \g /dev/null
SELECT same($$SELECT po_number, line_number, rank, outcome, regexp_replace(reason, ' 20\S+ \S+', ' T') FROM said WHERE invoice_id = 'C' LIMIT 2$$, $$VALUES
	(NULL::text, NULL::text, NULL::int, 'rejected', 'The invoice was booked when it was recorded, on T UTC, and has been released since.'),
	('NEW', '1', 1, 'candidate', 'The best of 3 line items that fit. It pays for AWS Monthly Usage (usage), the type of the invoice. Its balance of 30 USD does not cover the invoice''s 500.')$$, 'one that was released');
SELECT set_eq($$SELECT po_number, line_number, rank, reason FROM said WHERE invoice_id = 'C' AND po_number IS NOT NULL$$,
	$$SELECT po_number, line_number, rank, reason FROM then_said WHERE invoice_id = 'C' AND po_number IS NOT NULL$$, 'with the line items and balances of when it was recorded');
SELECT is((SELECT regexp_replace(reason, ' 20\S+ \S+', ' T') FROM said WHERE invoice_id = 'N' AND po_number IS NULL), 'The invoice is void since T UTC.', 'one that is void');
SELECT is((SELECT regexp_replace(reason, ' 20\S+ \S+', ' T') FROM said WHERE invoice_id = 'B' AND outcome = 'selected'), format('Assigned by hand by %s on T UTC: asked for by Ms. Roe. By the rules of that moment: The only line item that fits. It pays for AWS Monthly Usage (usage), the type of the invoice. Its balance is not tracked.', current_user),
	'one that was assigned later, with the reason that was given');
SELECT is((SELECT reason FROM said WHERE invoice_id = 'M' AND outcome = 'selected'), 'A credit memo goes where its original goes: invoice B is booked on line item 1 of order OLD.', 'its credit memo');
SELECT is((SELECT rank FROM said WHERE invoice_id = 'B' AND outcome = 'selected'), 1, 'with the rank that it has by the rules');
INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, issued_on, amount, original_invoice_id) VALUES ('E', 'AWS Inc.', 'M2', 'usage', '2026-02', '2026-02-28', -1, 'A');
SELECT same($$SELECT po_number, line_number, rank, outcome, reason FROM said WHERE invoice_id = 'M2' LIMIT 1$$, $$VALUES
	('NEW', '1', NULL::int, 'selected', 'A credit memo goes where its original goes: invoice A is booked on line item 1 of order NEW.')$$, 'a credit memo of an invoice whose line item was gone by then');
SELECT po_rematch_invoice('E', 'AWS Inc.', 'B', true) \g /dev/null
SELECT same($$SELECT po_number, line_number, rank, reason FROM said WHERE invoice_id = 'B' AND outcome = 'selected'$$, $$VALUES ('OLD', '1', 1, 'The only line item that fits. It pays for AWS Monthly Usage (usage), the type of the invoice. Its balance is not tracked.')$$, 'matched again: by the rules of then');

-- many of one statement: each found what those before it had left
INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month) VALUES ('MANY', 'P', 'AWS Inc.', '2026-01', '2026-12');
INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, balance_tracked, amount) VALUES ('MANY', 'P', '1', 'usage', '2026-01', '2026-12', true, 1000);
INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, issued_on, amount) SELECT 'MANY', 'AWS Inc.', n, 'usage', '2026-02', '2026-02-28', 10 FROM generate_series(1, 100) n;
SELECT same($$SELECT substring(reason FROM 'balance of (\S+) ')::numeric FROM generate_series(1, 100) n, po_explain_invoice('MANY', 'AWS Inc.', n::text)$$,
	$$SELECT 1000 - 10 * (n - 1) FROM generate_series(1, 100) n$$, 'each invoice of a statement with the balance that it found');
DELETE FROM po_invoice WHERE account_id = 'MANY' AND invoice_id = '50';
INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, issued_on, amount) VALUES ('MANY', 'AWS Inc.', '50', 'usage', '2026-02', '2026-02-28', 10);
SELECT is((SELECT substring(reason FROM 'balance of (\S+) ')::numeric FROM po_explain_invoice('MANY', 'AWS Inc.', '50')), 10.0, 'one that was deleted and came again: the second time counts');

-- history, and what has no log
INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, issued_on, amount) VALUES ('H', 'AWS Inc.', '1', 'usage', '2026-02', '2026-02-28', 10);
SELECT is((SELECT reason FROM po_explain_invoice('H', 'AWS Inc.', '1')), 'The only line item that fits. It pays for AWS Monthly Usage (usage), the type of the invoice. Its balance of 70 USD covers the invoice''s 10.', 'an order of history, with the balance that it came with');
INSERT INTO po_invoice (account_id, bill_from, invoice_id, kind, line_type, billing_month, issued_on, amount, currency, po_number, line_number, line_item_id, association_kind, associated_at, associated_by, recorded_at)
	SELECT account_id, 'AWS Inc.', '0', 'invoice', 'subscription', '2026-02', '2026-02-28', 10, 'USD', po_number, line_number, line_item_id, 'automatic', '2025-01-02', 'x', '2025-01-02' FROM po_line_item WHERE account_id = 'H';
SELECT same($$SELECT po_number, rank, outcome, reason FROM po_explain_invoice('H', 'AWS Inc.', '0')$$, $$VALUES ('P1', NULL::int, 'selected',
	'It was chosen by the rules, with a configuration that is not known any more. By the rules of that moment: It pays for AWS Monthly Usage (usage); the invoice is for AWS Subscription Purchase (subscription).')$$, 'what cannot be explained is said so');
INSERT INTO po_taxonomy (line_type, out_of_cycle_only) VALUES ('usage.upfront', false);
INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, amount) VALUES ('H', 'P1', '2', 'usage.upfront', '2026-01', '2026-12', 1);
INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, issued_on, amount, out_of_cycle) VALUES ('H', 'AWS Inc.', 'T', 'usage.upfront', '2026-02', '2026-02-28', 10, false);
UPDATE po_taxonomy SET out_of_cycle_only = true WHERE line_type = 'usage.upfront';
SELECT same($$SELECT line_number, rank, outcome, stage, left(reason, 75) FROM po_explain_invoice('H', 'AWS Inc.', 'T') ORDER BY line_number$$, $$VALUES
	('1', 1, 'candidate', 'requested_po', 'The invoice was booked on line item 2 of order P1. By the rules of that mom'),
	('2', NULL, 'selected', NULL::text, 'It was chosen by the rules, with a configuration that is not known any more')$$, 'types of charge have no log');

-- errors and rights
SELECT throws_ok($$SELECT po_explain_invoice(NULL, 'AWS Inc.', '1')$$, '22004', 'account_id must not be null');
SELECT throws_ok($$SELECT po_explain_invoice('H', 'AWS Inc.', NULL)$$, '22004', 'invoice_id must not be null');
SELECT throws_ok($$SELECT po_explain_invoice('H', 'AWS Inc.', 'nope')$$, 'P0002', 'invoice "nope" of "AWS Inc." does not exist in account "H"');
SELECT is((SELECT count(*)::int FROM po_explain_invoice('H', 'Amazon Web Services, Inc.', '1')), 1, 'the seller by another name');
INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount) VALUES ('nobody', 'AWS Inc.', '1', 'usage', '2026-02', 10);
SELECT same($$SELECT po_number, rank, outcome, stage, reason FROM po_explain_invoice('nobody', 'AWS Inc.', '1')$$, $$VALUES (NULL::text, NULL::int, 'rejected', NULL::text, 'Account nobody is not known: it has no purchase orders.')$$, 'an account that is not known');
GRANT SELECT ON po_account, po_order, po_line_item, po_invoice, po_ledger, po_ledger_archive, po_change_log_archive, po_seller_alias, po_taxonomy TO po_t_editor;
SET LOCAL ROLE po_t_editor;
SELECT throws_ok($$SELECT po_explain_invoice('H', 'AWS Inc.', '1')$$, '42501', 'permission denied for table po_change_log', 'it reads as the caller');
RESET ROLE;
GRANT SELECT ON po_change_log TO po_t_editor;
ALTER TABLE po_order ENABLE ROW LEVEL SECURITY;
CREATE POLICY not_new ON po_order TO po_t_editor USING (po_number <> 'NEW');
ALTER TABLE po_line_item ENABLE ROW LEVEL SECURITY;
CREATE POLICY not_new ON po_line_item TO po_t_editor USING (po_number <> 'NEW');
SET LOCAL ROLE po_t_editor;
SELECT set_eq($$SELECT DISTINCT po_number FROM po_explain_invoice('E', 'AWS Inc.', 'M2')$$, '{NEW,OLD,SUS,TAX}'::text[], 'the invoice''s own line item is always named');
SELECT is_empty($$SELECT * FROM po_explain_invoice('E', 'AWS Inc.', 'B') WHERE po_number = 'NEW' AND reason ~ 'EUR'$$, 'and what policies hide is not shown');
RESET ROLE;

SELECT is_empty('SELECT * FROM po_check_integrity() WHERE account_id <> ''H''', 'the books are right');
SELECT finish();
ROLLBACK;
