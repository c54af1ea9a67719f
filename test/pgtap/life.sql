-- test/pgtap/life.sql: an order's life: status in the account's time zone, what moves updated_at,
-- deletion, last year's order again, linked accounts and their payers, and the clock.
BEGIN;
SELECT plan(88);
SET LOCAL client_min_messages = warning;
CREATE FUNCTION stamp(account text, number text) RETURNS timestamptz LANGUAGE sql AS $$ SELECT updated_at FROM po_order WHERE account_id = account AND po_number = number $$;
CREATE FUNCTION statuses(account text) RETURNS text LANGUAGE sql AS $$ SELECT string_agg(po_number || ' ' || po_status(o), ', ' ORDER BY po_number) FROM po_order o WHERE account_id = account $$;

--
-- Status is derived, in the account's time zone
--
SET LOCAL po_mgmt.now = '2026-06-15 12:00+00';
INSERT INTO po_account (account_id, time_zone) VALUES ('S', 'America/New_York'), ('T', 'Pacific/Kiritimati');
INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month, status)
	SELECT a, n, 'AWS Inc.', '2026-01', m, s FROM unnest('{S,T}'::text[]) a, (VALUES ('A', '2026-06'::po_month, 'active'), ('B', '2026-06', 'suspended'), ('C', '2026-07', 'active')) v(n, m, s);
SELECT is(statuses('S'), 'A Active, B Suspended, C Active', 'status in the month');
SET LOCAL po_mgmt.now = '2026-07-01 03:59:59+00';
SELECT is(statuses('S'), 'A Active, B Suspended, C Active', 'to the last second of the month in New York');
SELECT is(statuses('T'), 'A Expired, B Suspended-expired, C Active', 'when it is July in Kiritimati');
SET LOCAL po_mgmt.now = '2026-07-01 04:00+00';
SET LOCAL timezone = 'Pacific/Pago_Pago';
SELECT is(statuses('S'), 'A Expired, B Suspended-expired, C Active', 'from the first of July on, whatever the session''s time zone is');
SELECT is(po_activate('S', 'B'), 'Expired', 'a suspended order that has expired becomes expired');
SELECT is(po_extend('S', 'B', '2026-08'), 'Active', 'and active when it is extended');
SELECT is(po_suspend('S', 'A') || ' ' || po_extend('S', 'A', '2026-07'), 'Suspended-expired Suspended', 'a suspended one that is extended stays suspended');
UPDATE po_account SET max_active_orders = 2 WHERE account_id = 'S';
SELECT throws_ok($$SELECT po_activate('S', 'A')$$, '54000', 'too many active purchase orders in account "S"', 'becoming active counts');
SELECT is(po_suspend('S', 'C') || ' ' || po_activate('S', 'A'), 'Suspended Active', 'with one less it may');
UPDATE po_order SET status = 'suspended' WHERE account_id = 'S' AND po_number = 'A';
SELECT po_activate('S', 'C') \g /dev/null
SET LOCAL po_mgmt.now = '2026-09-01 12:00+00';
SELECT throws_ok($$UPDATE po_order SET expiration_month = '2026-12', status = 'active' WHERE account_id = 'S'$$, '54000', NULL, 'so does being extended');

--
-- What moves updated_at: what a user changes, and nothing else; by the clock, not by the transaction
--
RESET po_mgmt.now;
INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month) VALUES ('E', 'A', 'AWS Inc.', '2026-01', '9999-12'), ('E', 'B', 'AWS Inc.', '2026-01', '9999-12');
INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, balance_tracked, amount) VALUES ('E', 'A', '1', 'usage', '2026-01', '9999-12', true, 1000), ('E', 'B', '1', 'usage', '2026-01', '9999-12', true, 1000);
CREATE FUNCTION moves(statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE a timestamptz := stamp('E', 'A'); b timestamptz := stamp('E', 'B');
BEGIN
	EXECUTE statement;
	RETURN concat_ws(' ', CASE WHEN stamp('E', 'A') > a THEN 'A' WHEN stamp('E', 'A') < a THEN 'back' END, CASE WHEN stamp('E', 'B') > b THEN 'B' WHEN stamp('E', 'B') < b THEN 'back' END);
END $$;
SELECT is(moves(q), w, q) FROM (VALUES
	($$UPDATE po_order SET description = 'x' WHERE account_id = 'E' AND po_number = 'A'$$, 'A'),
	($$UPDATE po_order SET tags = '{"a": 1}' WHERE account_id = 'E'$$, 'A B'),
	($$UPDATE po_order SET description = description WHERE account_id = 'E'$$, ''),
	($$UPDATE po_line_item SET amount = 2000 WHERE account_id = 'E' AND po_number = 'B'$$, 'B'),
	($$INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, amount) VALUES ('E', 'A', '2', 'all', '2026-01', '2026-12', 0)$$, 'A'),
	($$DELETE FROM po_line_item WHERE account_id = 'E' AND line_number = '2'$$, 'A'),
	($$SELECT po_suspend('E', 'B'), po_activate('E', 'B')$$, 'B'),
	($$SELECT po_extend('E', 'A', '9999-12', true)$$, ''),
	($$INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount) VALUES ('E', 'AWS Inc.', '1', 'usage', '2026-02', 10)$$, ''),
	($$UPDATE po_invoice SET amount = 20 WHERE account_id = 'E'$$, ''),
	($$SELECT po_assign_invoice('E', 'AWS Inc.', '1', 'A', '1')$$, ''),
	($$INSERT INTO po_contact (account_id, po_number, email) VALUES ('E', 'A', 'a@example.com')$$, ''),
	($$UPDATE po_contact SET name = 'x' WHERE account_id = 'E'$$, ''),
	($$INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount, po_number) VALUES ('E', 'AWS Inc.', '2', 'usage', '2026-02', 900, 'A')$$, ''),
	($$SELECT po_scan_expirations()$$, ''), ($$DELETE FROM po_contact WHERE account_id = 'E'$$, ''),
	($$SELECT po_marketplace_purchase('E', 'A', 'AWS Inc.', 'ag', '2026-01', '2026-02')$$, ''),
	($$UPDATE po_account SET period_basis = 'issue_date' WHERE account_id = 'E'$$, ''), ($$UPDATE po_account SET period_basis = 'billing_period' WHERE account_id = 'E'$$, '')) v(q, w);
SELECT cmp_ok(stamp('E', 'A'), '>', now(), 'by the clock, not by the start of the transaction');
SELECT throws_ok($$UPDATE po_order SET updated_at = now() WHERE account_id = 'E'$$, '42501', NULL, 'and not by users');
UPDATE po_order SET description = 'first' WHERE account_id = 'E' AND po_number = 'B';
UPDATE po_order SET description = 'second' WHERE account_id = 'E' AND po_number = 'A';
SELECT is((SELECT po_number FROM po_match_invoice('E', 'AWS Inc.', 'usage', '2026-02', 1) WHERE rank = 1), 'A', 'of two changed in a transaction the one that was changed last is the one updated last');
UPDATE po_line_item SET description = 'third' WHERE account_id = 'E' AND po_number = 'B';
SELECT is((SELECT po_number FROM po_match_invoice('E', 'AWS Inc.', 'usage', '2026-02', 1) WHERE rank = 1), 'B', 'also by a line item of it');
SELECT throws_ok(q, s, NULL, q) FROM (VALUES ($$UPDATE po_order SET bill_from = 'AWS EMEA SARL' WHERE account_id = 'E' AND po_number = 'A'$$, '55000'), ($$UPDATE po_order SET currency = 'EUR' WHERE account_id = 'E' AND po_number = 'A'$$, '55000'),
	($$UPDATE po_line_item SET line_number = '9' WHERE account_id = 'E' AND po_number = 'A' AND line_number = '1'$$, '55000'), ($$UPDATE po_order SET po_number = 'Z' WHERE account_id = 'E' AND po_number = 'B'$$, '23514')) v(q, s);

--
-- Deletion: an order with all that is on it; invoices and ledger keep what was printed
--
INSERT INTO po_contact (account_id, po_number, email) VALUES ('E', 'A', 'a@example.com');
INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount, po_number, line_number) VALUES ('E', 'AWS Inc.', '3', 'usage', '2026-02', 100, 'A', '1');
SELECT cmp_ok((SELECT count(*)::int FROM po_notification WHERE account_id = 'E' AND po_number = 'A'), '>', 0, 'there is a notification of it');
CREATE TEMP TABLE printed AS SELECT invoice_id, po_number, line_number, line_item_id FROM po_invoice WHERE account_id = 'E';
CREATE TEMP TABLE entered AS SELECT * FROM po_ledger WHERE account_id = 'E';
DELETE FROM po_order WHERE account_id = 'E' AND po_number = 'A';
SELECT is((SELECT count(*)::int FROM (SELECT po_number FROM po_line_item WHERE account_id = 'E' AND po_number = 'A' UNION ALL SELECT po_number FROM po_contact WHERE account_id = 'E' AND po_number = 'A'
	UNION ALL SELECT po_number FROM po_notification WHERE account_id = 'E' AND po_number = 'A') x), 0, 'its line items, contacts and notifications are gone');
SELECT set_eq('SELECT invoice_id, po_number, line_number, line_item_id FROM po_invoice WHERE account_id = ''E''', 'SELECT * FROM printed', 'invoices keep what they have in print');
SELECT is_empty('SELECT * FROM entered EXCEPT SELECT * FROM po_ledger', 'the ledger keeps its entries');
SELECT is((SELECT string_agg(line_number || ' ' || entry_kind || ' ' || amount, ', ' ORDER BY line_number) FROM po_ledger l WHERE account_id = 'E' AND NOT EXISTS (SELECT FROM entered e WHERE e.entry_id = l.entry_id)), '1 closed 20, 2 closed 0', 'with what was given up');
INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month) VALUES ('E', 'A', 'AWS Inc.', '2026-01', '2026-12');
INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, balance_tracked, amount) VALUES ('E', 'A', '1', 'usage', '2026-01', '2026-12', true, 5);
SELECT is((SELECT balance FROM po_line_item WHERE account_id = 'E' AND po_number = 'A'), 5.0, 'a new one with the same number inherits nothing');
SELECT is((SELECT count(*)::int FROM po_explain_invoice('E', 'AWS Inc.', '3') WHERE outcome = 'selected' AND po_number = 'A'), 1, 'the invoices can be explained all the same');

--
-- po_copy_order(): last year's order again
--
INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month, status, currency, description, ship_to, tax_registration_numbers, tags, source)
	VALUES ('C', 'Y26', 'AWS EMEA SARL', '2026-01', '2026-12', 'active', 'EUR', 'the year', 'Berlin', '{DE1}', '{"team": "data"}', 'marketplace');
INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, balance_tracked, amount, quantity, tax, tax_kind, consumed_before, agreement_id, description) VALUES
	('C', 'Y26', 'a', 'usage', '2026-01', '2026-12', true, 100, 2, 10, 'percent', 50, NULL, 'all year'),
	('C', 'Y26', 'b', 'subscription', '2026-03', '2026-05', false, 7, 1, 1, 'absolute', 0, 'agr', NULL),
	('C', 'Y26', 'c', 'all', '2026-12', '2026-12', true, 1, 1, 0, 'absolute', 0, NULL, NULL);
INSERT INTO po_contact (account_id, po_number, email, name, title, phone) VALUES ('C', 'Y26', 'a@example.com', 'A', 'B', '1'), ('C', 'Y26', 'b@example.com', NULL, NULL, NULL);
INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount, currency, tax_registration_number) VALUES ('C', 'AWS EMEA SARL', '1', 'usage', '2026-02', 150, 'EUR', 'DE1');
SELECT po_suspend('C', 'Y26') \g /dev/null
CREATE TEMP VIEW items AS SELECT po_number, line_number, line_type, start_month, end_month, balance_tracked, amount, quantity, tax, tax_kind, total_value, consumed_before, balance, agreement_id, description FROM po_line_item WHERE account_id = 'C';
CREATE FUNCTION lines(number text) RETURNS text LANGUAGE sql AS $$ SELECT string_agg(concat_ws(' ', line_number, start_month, 'to', end_month, coalesce(trim_scale(balance)::text, '-')), ', ' ORDER BY line_number) FROM items WHERE po_number = number $$;
SELECT is(lines('Y26'), 'a 2026-01 to 2026-12 20, b 2026-03 to 2026-05 -, c 2026-12 to 2026-12 1', 'last year''s order');
SELECT is(o.po_number || ' ' || po_status(o, '2027-02-01') || ' ' || o.source, 'Y27 Active user', 'the new order is returned, and is active') FROM po_copy_order('C', ' Y26 ', ' Y27 ', '2027-01', '2027-12') o;
SELECT is(lines('Y27'), 'a 2027-01 to 2027-12 220, b 2027-03 to 2027-05 -, c 2027-12 to 2027-12 1', 'a year later, balances full');
SELECT set_eq($$SELECT bill_from, currency, description, ship_to, tax_registration_numbers, tags, effective_month, expiration_month FROM po_order WHERE account_id = 'C' AND po_number = 'Y27'$$,
	$$SELECT bill_from, currency, description, ship_to, tax_registration_numbers, tags, effective_month + 12 AS first, expiration_month + 12 AS last FROM po_order WHERE account_id = 'C' AND po_number = 'Y26'$$, 'all else of the order');
SELECT set_eq($$SELECT line_number, line_type, balance_tracked, amount, quantity, tax, tax_kind, total_value, agreement_id, description, 0.0 AS spent FROM items WHERE po_number = 'Y26'$$,
	$$SELECT line_number, line_type, balance_tracked, amount, quantity, tax, tax_kind, total_value, agreement_id, description, consumed_before FROM items WHERE po_number = 'Y27'$$, 'and of its line items, but what was spent before');
SELECT set_eq($$SELECT email, name, title, phone FROM po_contact WHERE account_id = 'C' AND po_number = 'Y27'$$, $$SELECT email, name, title, phone FROM po_contact WHERE account_id = 'C' AND po_number = 'Y26'$$, 'and its contacts');
SELECT is((SELECT status || ' ' || po_number FROM po_order WHERE account_id = 'C' AND po_number = 'Y26'), 'suspended Y26', 'the old one stays as it is');
SELECT is((SELECT string_agg(entry_kind || ' ' || trim_scale(amount), ', ' ORDER BY entry_id) FROM po_ledger WHERE account_id = 'C' AND po_number = 'Y27'), 'opening 220, opening 1', 'the ledger opens');
SELECT is((SELECT string_agg(operation, ', ' ORDER BY change_id) FROM po_change_log WHERE account_id = 'C' AND po_number = 'Y27'), 'insert, insert, insert, insert', 'the change log has it');
SELECT po_copy_order('C', 'Y26', 'LONG', '2027-01', '2029-06'), po_copy_order('C', 'Y26', 'END', '2027-04', '9999-12'), po_copy_order('C', 'LONG', 'BACK', '2025-01', '2027-06') \g /dev/null
SELECT is(lines('LONG'), 'a 2027-01 to 2029-06 220, b 2027-03 to 2027-05 -, c 2027-12 to 2029-06 1', 'to a longer order: what ended with the order ends with it');
SELECT is(lines('BACK'), 'a 2025-01 to 2027-06 220, b 2025-03 to 2025-05 -, c 2025-12 to 2027-06 1', 'backwards');
SELECT is(lines('END'), 'a 2027-04 to 9999-12 220, b 2027-06 to 2027-08 -, c 2028-03 to 9999-12 1', 'without an end');
SELECT throws_ok($$SELECT po_copy_order('C', 'Y26', 'SHORT', '2027-01', '2027-11')$$, '23514', 'line items of purchase order "Y26" would begin after 2027-11', 'a shorter one that has no room');
DELETE FROM po_line_item WHERE account_id = 'C' AND po_number = 'Y26' AND line_number = 'c';
SELECT po_copy_order('C', 'Y26', 'SHORT', '2027-01', '2027-04') \g /dev/null
SELECT is(lines('SHORT'), 'a 2027-01 to 2027-04 220, b 2027-03 to 2027-04 -', 'a shorter one: months after its end are cut');
SELECT throws_ok(q, s, m, q) FROM (VALUES ($$SELECT po_copy_order('C', 'NONE', 'X', '2027-01', '2027-12')$$, '23503', 'purchase order "NONE" does not exist in account "C"'), ($$SELECT po_copy_order('C', 'Y26', 'Y27', '2027-01', '2027-12')$$, '23505', NULL),
	($$SELECT po_copy_order('C', 'Y26', 'X', '2027-12', '2027-01')$$, '23514', NULL), ($$SELECT po_copy_order('C', 'Y26', NULL, '2027-01', '2027-12')$$, '22004', 'new_po_number must not be null'),
	($$SELECT po_copy_order('C', 'Y26', '  ', '2027-01', '2027-12')$$, '23502', NULL)) v(q, s, m);
UPDATE po_account SET max_active_orders = 0 WHERE account_id = 'C';
SELECT throws_ok($$SELECT po_copy_order('C', 'Y26', 'X', '2027-01', '9999-12')$$, '54000', NULL, 'the limits apply');

--
-- Linked accounts
--
INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month) SELECT a, 'P', 'AWS Inc.', '2026-01', '2026-12' FROM unnest('{PAY1,PAY2,LINK}'::text[]) a;
INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, balance_tracked, amount) SELECT a, 'P', '1', 'usage', '2026-01', '2026-12', true, 1000 FROM unnest('{PAY1,PAY2,LINK}'::text[]) a;
INSERT INTO po_account_member (member_account_id, account_id) VALUES ('LINK', 'PAY1'), ('LINK2', 'PAY1');
CREATE FUNCTION inserted(account text, id text, month text DEFAULT '2026-02') RETURNS text LANGUAGE sql AS $$
	INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount) VALUES (account, 'AWS Inc.', id, 'usage', month, 10)
	RETURNING concat_ws(' ', account_id, coalesce(member_account_id, '-'), po_number, line_number) $$;
SELECT is(inserted('LINK', '1') || ', ' || inserted('LINK2', '2') || ', ' || inserted('PAY1', '3'), 'PAY1 LINK P 1, PAY1 LINK2 P 1, PAY1 - P 1', 'an invoice for a linked account is booked with its payer');
SELECT is((SELECT balance FROM po_line_item WHERE account_id = 'PAY1'), 970.0, 'on the payer''s balance');
SELECT is((SELECT balance FROM po_line_item WHERE account_id = 'LINK'), 1000.0, 'not on its own');
INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount, member_account_id)
	SELECT CASE n % 3 WHEN 0 THEN 'PAY1' WHEN 1 THEN 'LINK' ELSE 'LINK2' END, 'AWS Inc.', 'b' || n, 'usage', '2026-02', 1, CASE n % 3 WHEN 0 THEN 'LINK2' END FROM generate_series(1, 30) n;
SELECT is((SELECT string_agg(x, ', ' ORDER BY x) FROM (SELECT account_id || ' ' || member_account_id || ' ' || count(*) AS x FROM po_invoice WHERE invoice_id LIKE 'b%' AND account_id = 'PAY1' GROUP BY account_id, member_account_id) c), 'PAY1 LINK 10, PAY1 LINK2 20', 'many of a statement, given with either account');
SELECT throws_ok($$SELECT inserted('LINK', '1')$$, '23505', NULL, 'once is once');
SELECT is(po_move_member('LINK', 'PAY2'), 'PAY1', 'it moves to another payer; the one before is returned');
SELECT is(inserted('LINK', '4'), 'PAY2 LINK P 1', 'new invoices are booked there');
SELECT is((SELECT account_id || ' ' || member_account_id FROM po_invoice WHERE invoice_id = '1' AND bill_from = 'AWS Inc.' AND member_account_id = 'LINK'), 'PAY1 LINK', 'those that are there stay');
INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount, agreement_id, requested_po_number) VALUES ('LINK', 'AWS Inc.', 'm1', 'marketplace.transaction', '2026-02', 5, 'agr', 'MP-1');
SELECT is((SELECT concat_ws(' ', account_id, member_account_id, po_number, line_number) FROM po_invoice WHERE invoice_id = 'm1'), 'PAY2 LINK MP-1 1', 'a number of the marketplace that is not there is made at the new payer');
SELECT is((SELECT string_agg(account_id, ',') FROM po_order WHERE po_number = 'MP-1'), 'PAY2', 'and nowhere else');
DELETE FROM po_account_member WHERE member_account_id = 'LINK';
SELECT is(inserted('LINK', '5'), 'LINK - P 1', 'one that belongs to nobody any more has its own');
SELECT throws_ok(q, s, m, q) FROM (VALUES ($$SELECT po_move_member('LINK', 'PAY1')$$, 'P0002', 'account "LINK" belongs to no payer'), ($$SELECT po_move_member('LINK2', 'NOBODY')$$, '23503', 'account "NOBODY" is not known'),
	($$SELECT po_move_member(NULL, 'PAY1')$$, '22004', 'member_account_id must not be null'), ($$SELECT po_move_member('LINK2', 'LINK2')$$, '23503', NULL), ($$INSERT INTO po_account_member VALUES ('PAY1', 'PAY2')$$, '23514', 'account "PAY1" cannot belong to account "PAY2"'),
	($$INSERT INTO po_account (account_id) VALUES ('LINK2'); INSERT INTO po_account_member VALUES ('X', 'LINK2')$$, '23514', 'account "X" cannot belong to account "LINK2"')) v(q, s, m);

-- rights, and the clock
CREATE ROLE po_t_life;
GRANT INSERT ON po_invoice TO po_t_life;
SET LOCAL ROLE po_t_life;
SELECT throws_ok($$SELECT po_move_member('LINK2', 'PAY2')$$, '42501', 'permission denied for function po_move_member');
SELECT throws_ok($$SELECT po_copy_order('C', 'Y26', 'X', '2027-01', '2027-12')$$, '42501', 'permission denied for function po_copy_order');
SELECT throws_ok($$SET po_mgmt.now = '2020-01-01'$$, '42501', 'permission denied to set parameter "po_mgmt.now"', 'no ordinary user sets the clock');
SELECT throws_ok($$SELECT set_config('po_mgmt.now', '2020-01-01', true)$$, '42501', NULL, 'by no function either');
INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount) VALUES ('LINK2', 'AWS Inc.', 'r1', 'usage', '2026-02', 10);
RESET ROLE;
SELECT is((SELECT account_id FROM po_invoice WHERE invoice_id = 'r1'), 'PAY1', 'a role that may only insert invoices need not see who pays');
SELECT throws_ok($$ALTER ROLE po_t_life SET po_mgmt.now = 'yesterday noon'$$, '22023', NULL, 'what is no time is refused');
SELECT is_empty('SELECT * FROM po_check_integrity()', 'the books are right');

SELECT finish();
ROLLBACK;
