-- test/pgtap/limits.sql: limits, status and its functions (section 6 of the contract), in one
-- session. The clock is injected by po_mgmt.now; sessions against each other are in test/specs.
BEGIN;
SELECT plan(89);
SET LOCAL client_min_messages = warning;
SET LOCAL po_mgmt.now = '2026-01-31 23:30:00+00';

CREATE PROCEDURE po(account text, numbers text[], effective text DEFAULT '2026-01', expiration text DEFAULT '2026-12', status text DEFAULT 'active') LANGUAGE sql AS $$
	INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month, status)
	SELECT account, n, 'AWS Inc.', effective::po_month, expiration::po_month, status FROM unnest(numbers) n
$$;
CREATE PROCEDURE li(account text, number text, lines text[]) LANGUAGE sql AS $$
	INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, amount)
	SELECT account, number, n, 'usage', '2026-01', '2026-12', 1 FROM unnest(lines) n
$$;
CREATE PROCEDURE contact(account text, number text, names text[]) LANGUAGE sql AS $$
	INSERT INTO po_contact (account_id, po_number, email) SELECT account, number, n || '@example.com' FROM unnest(names) n
$$;
CREATE FUNCTION numbers(from_n int, to_n int) RETURNS text[] LANGUAGE sql AS $$ SELECT array_agg(n::text ORDER BY n) FROM generate_series(from_n, to_n) n $$;
-- what a statement says: ok, or SQLSTATE and message; with all, DETAIL and HINT too
CREATE FUNCTION tried(statement text, "all" boolean DEFAULT false) RETURNS text LANGUAGE plpgsql AS $$
DECLARE m text; d text; h text;
BEGIN
	EXECUTE statement;
	RETURN 'ok';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS m = MESSAGE_TEXT, d = PG_EXCEPTION_DETAIL, h = PG_EXCEPTION_HINT;
	RETURN SQLSTATE || ' ' || m || CASE WHEN "all" THEN ' | ' || d || ' | ' || h ELSE '' END;
END $$;
CREATE FUNCTION counts(account text) RETURNS text LANGUAGE sql AS $$
	SELECT concat_ws(' ', (SELECT count(*) FROM po_order WHERE account_id = account), (SELECT count(*) FROM po_line_item WHERE account_id = account), (SELECT count(*) FROM po_contact WHERE account_id = account))
$$;

--
-- The defaults: 100 active orders, 100 line items, 10 contacts
--
SELECT is(tried($$CALL po('full', numbers(1, 101))$$), '54000 too many active purchase orders in account "full"', '101 orders in one statement');
SELECT is((SELECT count(*) FROM po_account WHERE account_id = 'full')::int, 0, 'and nothing is left of it, not even the account');
SELECT is(tried($$CALL po('full', numbers(1, 100))$$), 'ok', '100 orders');
SELECT is(tried($$CALL po('full', '{101}')$$, true), '54000 too many active purchase orders in account "full" | Account full would have 101 active orders; its limit is 100. | Suspend an order that is no longer used, or raise max_active_orders of the account.', 'the 101st: account, count and limit in the DETAIL, and a HINT');
SELECT is(tried($$CALL po('full', '{101}', '2030-01', '2030-12')$$), '54000 too many active purchase orders in account "full"', 'an order of the future counts');
SELECT is(tried($$CALL po('full', '{s}', status => 'suspended')$$), 'ok', 'a suspended one does not');
SELECT is(tried($$CALL po('full', '{e}', '2025-01', '2025-12')$$), 'ok', 'nor does an expired one');
SELECT is(tried($$CALL po('full', '{x, y}', '2025-01', '2026-01')$$), '54000 too many active purchase orders in account "full"', 'in its last month an order is active');
SELECT is(tried($$CALL po('other', '{1}')$$), 'ok', 'another account has its own limit');
SELECT is(tried($$CALL li('full', '1', numbers(1, 101))$$), '54000 too many line items on purchase order "1"', '101 line items in one statement');
SELECT is(tried($$CALL li('full', '1', numbers(1, 100))$$), 'ok', '100 line items');
SELECT is(tried($$CALL li('full', '1', '{101}')$$, true), '54000 too many line items on purchase order "1" | Order 1 of account full would have 101 line items; the limit is 100. | Remove one that is no longer used, or raise max_line_items of the account.', 'the 101st: order, count and limit');
SELECT is(tried($$CALL li('full', '2', '{1}')$$), 'ok', 'another order has its own limit');
SELECT is(tried($$CALL contact('full', '1', numbers(1, 11))$$), '54000 too many contacts on purchase order "1"', '11 contacts in one statement');
SELECT is(tried($$CALL contact('full', '1', numbers(1, 10))$$), 'ok', '10 contacts');
SELECT is(tried($$CALL contact('full', '1', '{11}')$$, true), '54000 too many contacts on purchase order "1" | Order 1 of account full would have 11 contacts; the limit is 10. | Remove one that is no longer used, or raise max_contacts of the account.', 'the 11th: order, count and limit');
SELECT is(tried($$CALL contact('full', '2', '{1}')$$), 'ok', 'another order has its own limit');
SELECT is(counts('full'), '102 101 11', 'that is all there is');

-- at the limit
SELECT is(tried($$INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month) VALUES ('full', '1', 'AWS Inc.', '2026-01', '2026-12') ON CONFLICT DO NOTHING$$), 'ok', 'ON CONFLICT DO NOTHING of an order that is there');
SELECT is(tried($$INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month) VALUES ('full', '1', 'AWS Inc.', '2026-01', '2026-12'), ('full', '101', 'AWS Inc.', '2026-01', '2026-12') ON CONFLICT DO NOTHING$$), '54000 too many active purchase orders in account "full"', 'and of one that is not');
SELECT is(tried($$INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month) VALUES ('full', '1', 'AWS Inc.', '2026-01', '2026-12') ON CONFLICT (account_id, po_number) DO UPDATE SET description = 'x'$$), 'ok', 'DO UPDATE of an order that is there');
SELECT is(tried($$INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, amount) VALUES ('full', '1', '1', 'usage', '2026-01', '2026-12', 1) ON CONFLICT DO NOTHING$$), 'ok', 'of a line item that is there');
SELECT is(tried($$INSERT INTO po_contact (account_id, po_number, email) VALUES ('full', '1', '1@example.com') ON CONFLICT DO NOTHING$$), 'ok', 'of a contact that is there');
SELECT is(tried($$UPDATE po_order SET description = 'y' WHERE account_id = 'full'$$), 'ok', 'at the limit orders may change');
SELECT is(tried($$UPDATE po_line_item SET amount = 2 WHERE account_id = 'full'$$), 'ok', 'line items, too');
SELECT is(tried($$UPDATE po_contact SET name = 'x' WHERE account_id = 'full'$$), 'ok', 'and contacts');
SELECT is(tried($$DELETE FROM po_line_item WHERE account_id = 'full' AND line_number = '7'$$) || tried($$CALL li('full', '1', '{101}')$$), 'okok', 'a line item deleted makes room');
SELECT is(tried($$DELETE FROM po_contact WHERE account_id = 'full' AND email ~ '^7'$$) || tried($$CALL contact('full', '1', '{11}')$$), 'okok', 'a contact deleted makes room');
SELECT is(tried($$DELETE FROM po_order WHERE account_id = 'full' AND po_number = '7'$$) || tried($$CALL po('full', '{101}')$$) || tried($$CALL po('full', '{102}')$$), 'okok54000 too many active purchase orders in account "full"', 'an order deleted makes room for one');

--
-- Becoming active again
--
INSERT INTO po_account (account_id, max_active_orders) VALUES ('two', 2);
CALL po('two', '{a,b}'); CALL po('two', '{s}', status => 'suspended'); CALL po('two', '{e}', '2025-01', '2025-12'); CALL po('two', '{es}', '2025-01', '2025-12', 'suspended');
SELECT is(tried($$UPDATE po_order SET status = 'active' WHERE account_id = 'two' AND po_number = 's'$$, true), '54000 too many active purchase orders in account "two" | Account two would have 3 active orders; its limit is 2. | Suspend an order that is no longer used, or raise max_active_orders of the account.', 'made active');
SELECT is(tried($$SELECT po_activate('two', 's')$$), '54000 too many active purchase orders in account "two"', 'by po_activate');
SELECT is(tried($$UPDATE po_order SET expiration_month = '2026-01' WHERE account_id = 'two' AND po_number = 'e'$$), '54000 too many active purchase orders in account "two"', 'extended');
SELECT is(tried($$SELECT po_extend('two', 'e', '2026-01')$$), '54000 too many active purchase orders in account "two"', 'by po_extend');
SELECT is(tried($$SELECT po_extend('two', 'e', '2025-12')$$), 'ok', 'but not if it is still expired');
SELECT is(tried($$SELECT po_extend('two', 'es', '2026-12')$$) || tried($$SELECT po_activate('two', 'e')$$), 'okok', 'a suspended order is extended, an expired one made active: neither is active');
SELECT is(tried($$SELECT po_activate('two', 'es')$$), '54000 too many active purchase orders in account "two"', 'then it would be');
SELECT is(tried($$UPDATE po_order SET status = CASE po_number WHEN 'a' THEN 'suspended' ELSE 'active' END WHERE account_id = 'two' AND po_number IN ('a', 's')$$), 'ok', 'one for another in one statement');
SELECT is(tried($$SELECT po_suspend('two', 's')$$) || tried($$SELECT po_activate('two', 'a')$$), 'okok', 'an order suspended makes room');
SELECT is(tried($$UPDATE po_order SET status = 'active' WHERE account_id = 'two'$$), '54000 too many active purchase orders in account "two"', 'several at once');
SELECT is((SELECT string_agg(po_number, '' ORDER BY po_number) FROM po_order WHERE account_id = 'two' AND status = 'active'), 'abe', 'all or none');
-- time passes
SET LOCAL po_mgmt.now = '2027-01-01 00:00:00+00';
SELECT is(tried($$CALL po('two', '{c,d}', '2027-01', '2027-12')$$), 'ok', 'orders that have expired make room');
SELECT is(tried($$CALL po('two', '{f}', '2027-01', '2027-12')$$), '54000 too many active purchase orders in account "two"', 'as much as they took');
SET LOCAL po_mgmt.now = '2026-01-31 23:30:00+00';

--
-- Limits of an account's own; lowered ones
--
INSERT INTO po_account (account_id, max_active_orders, max_line_items, max_contacts) VALUES ('low', 3, 3, 3), ('zero', 0, 0, 0);
SELECT is(tried($$CALL po('zero', '{1}')$$, true), '54000 too many active purchase orders in account "zero" | Account zero would have 1 active orders; its limit is 0. | Suspend an order that is no longer used, or raise max_active_orders of the account.', 'a limit of zero');
CALL po('low', '{1,2,3}'); CALL li('low', '1', '{1,2,3}'); CALL contact('low', '1', '{1,2,3}');
UPDATE po_account SET max_active_orders = 1, max_line_items = 1, max_contacts = 1 WHERE account_id = 'low';
SELECT is(counts('low'), '3 3 3', 'a limit lowered below what is there leaves it');
SELECT is(tried($$UPDATE po_order SET description = 'x' WHERE account_id = 'low'$$) || tried($$UPDATE po_line_item SET amount = 9 WHERE account_id = 'low'$$) || tried($$UPDATE po_contact SET name = 'x' WHERE account_id = 'low'$$), 'okokok', 'which may still change');
SELECT is(tried($$SELECT po_extend('low', '1', '2027-12')$$), 'ok', 'an active order may be extended');
SELECT is(tried($$CALL po('low', '{4}')$$, true), '54000 too many active purchase orders in account "low" | Account low would have 4 active orders; its limit is 1. | Suspend an order that is no longer used, or raise max_active_orders of the account.', 'new orders are blocked');
SELECT is(tried($$CALL li('low', '1', '{4}')$$), '54000 too many line items on purchase order "1"', 'new line items are blocked');
SELECT is(tried($$CALL contact('low', '1', '{4}')$$), '54000 too many contacts on purchase order "1"', 'new contacts are blocked');
SELECT is(tried($$CALL po('low', '{s}', status => 'suspended')$$), 'ok', 'a suspended order is not blocked: it is not active');
SELECT is(tried($$CALL po('low', '{e}', '2025-01', '2025-12')$$), 'ok', 'nor is an expired one');
SELECT is(tried($$DELETE FROM po_line_item WHERE account_id = 'low' AND line_number = '1'$$) || tried($$CALL li('low', '1', '{4}')$$), 'ok54000 too many line items on purchase order "1"', 'a place does not become free above the limit');
UPDATE po_account SET max_active_orders = 4 WHERE account_id = 'low';
SELECT is(tried($$CALL po('low', '{4}')$$), 'ok', 'a limit raised again');
-- what was not inserted leaves nothing behind
UPDATE po_account SET max_active_orders = 4, max_line_items = 10 WHERE account_id = 'low';
INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month) VALUES ('low', '1', 'AWS Inc.', '2026-01', '2026-12') ON CONFLICT DO NOTHING;
INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, amount) VALUES ('low', '1', '2', 'usage', '2026-01', '2026-12', 1) ON CONFLICT DO NOTHING;
UPDATE po_account SET max_active_orders = 1, max_line_items = 1 WHERE account_id = 'low';
SELECT is(tried($$UPDATE po_order SET description = 'y' WHERE account_id = 'low'$$), 'ok', 'a row that a conflict kept out does not make a later update count orders');
CREATE TEMP TABLE stamp AS SELECT updated_at FROM po_order WHERE (account_id, po_number) = ('low', '1');
SELECT is(tried($$INSERT INTO po_line_item (line_item_id, account_id, po_number, line_number, line_type, start_month, end_month, amount, created_at, updated_at) VALUES (-1, 'low', '1', 'h', 'usage', '2026-01', '2026-12', 1, '2020-01-01', '2020-01-01')$$), 'ok', 'nor a row of history line items');
SELECT is((SELECT updated_at FROM po_order WHERE (account_id, po_number) = ('low', '1')), (SELECT updated_at FROM stamp), 'which does not move its order''s updated_at');

--
-- History: no limits
--
SELECT is(tried($$INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month, currency, created_at, updated_at) VALUES ('zero', 'h', 'AWS Inc.', '2026-01', '2026-12', 'USD', '2020-01-01', '2020-01-01')$$), 'ok', 'history of orders');
SELECT is(tried($$INSERT INTO po_line_item (line_item_id, account_id, po_number, line_number, line_type, start_month, end_month, amount, created_at, updated_at) VALUES (-2, 'zero', 'h', 'h', 'usage', '2026-01', '2026-12', 1, '2020-01-01', '2020-01-01')$$), 'ok', 'of line items');
SELECT is(tried($$INSERT INTO po_contact (account_id, po_number, email, created_at) VALUES ('zero', 'h', 'a@b', '2020-01-01')$$), 'ok', 'of contacts');
SELECT is((SELECT updated_at FROM po_order WHERE account_id = 'zero'), '2020-01-01'::timestamptz, 'which moves nothing');

--
-- Savepoints and exception blocks
--
INSERT INTO po_account (account_id, max_active_orders) VALUES ('save', 2);
SAVEPOINT s; CALL po('save', '{1,2}'); ROLLBACK TO s; RELEASE s;
SELECT is(tried($$CALL po('save', '{3,4}')$$), 'ok', 'what was rolled back takes no place');
SELECT is(tried($$CALL po('save', '{5}')$$) || tried($$CALL po('save', '{6}')$$), repeat('54000 too many active purchase orders in account "save"', 2), 'an error does not wear the limit out');
CREATE FUNCTION tries() RETURNS text LANGUAGE sql AS $$ SELECT left(tried($q$CALL po('save2', ARRAY['x' || clock_timestamp()])$q$), 5) $$;
INSERT INTO po_account (account_id, max_active_orders) VALUES ('save2', 2);
SELECT is(tried($$INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month) SELECT 'save2', n || tries(), 'AWS Inc.', '2026-01', '2026-12' FROM generate_series(1, 3) n$$), '54000 too many active purchase orders in account "save2"', 'nor do subtransactions that fail inside a statement');
CREATE FUNCTION tries_later() RETURNS text LANGUAGE sql AS $$ SELECT left(tried($q$CALL po('save3', ARRAY['x' || clock_timestamp()])$q$), 5) $$;
INSERT INTO po_account (account_id, max_active_orders) VALUES ('save3', 2);
SELECT is(tried($$WITH i AS (INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month) SELECT 'save3', n, 'AWS Inc.', '2026-01', '2026-12' FROM generate_series(1, 3) n RETURNING tries_later()) SELECT * FROM i$$), '54000 too many active purchase orders in account "save3"', 'not even between its rows and its end');
SELECT cmp_ok((SELECT count(*) FROM po_order WHERE account_id = 'save3')::int, '<=', 2, 'the limit holds');
-- a user's trigger that drops a row
CREATE FUNCTION drops() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF new.po_number LIKE 'drop%' THEN RETURN NULL; END IF; RETURN new; END $$;
CREATE TRIGGER a BEFORE INSERT ON po_order FOR EACH ROW EXECUTE FUNCTION drops();
INSERT INTO po_account (account_id, max_active_orders) VALUES ('drop', 2);
SELECT is(tried($$CALL po('drop', '{drop1,1,drop2,2,drop3}')$$), 'ok', 'rows that a trigger drops take no place');
SELECT is(tried($$CALL po('drop', '{drop4,3}')$$), '54000 too many active purchase orders in account "drop"', 'the others do');
DROP TRIGGER a ON po_order;

--
-- Status, in the account's time zone
--
INSERT INTO po_account (account_id, time_zone) VALUES ('utc', 'UTC'), ('lux', 'Europe/Luxembourg'), ('la', 'America/Los_Angeles');
DO $$ DECLARE a text; BEGIN FOREACH a IN ARRAY '{utc,lux,la}'::text[] LOOP
	CALL po(a, '{jan}', '2026-01', '2026-01'); CALL po(a, '{dec}', '2025-12', '2025-12'); CALL po(a, '{mar}', '2026-03', '2026-03'); CALL po(a, '{susp}', '2026-01', '2026-01', 'suspended'); END LOOP; END $$;
CREATE FUNCTION states(account text) RETURNS text LANGUAGE sql AS $$ SELECT string_agg(po_number || ' ' || po_status(o), ', ' ORDER BY po_number) FROM po_order o WHERE account_id = account $$;
SET LOCAL timezone = 'Asia/Tokyo'; -- the session's does not count
SELECT is(states('utc'), 'dec Expired, jan Active, mar Active, susp Suspended', '23:30 of January 31st in UTC');
SELECT is(states('lux'), 'dec Expired, jan Expired, mar Active, susp Suspended-expired', 'is February in Luxembourg: expired from the first day after the expiration month');
SELECT is(states('la'), 'dec Expired, jan Active, mar Active, susp Suspended', 'and January in Los Angeles');
SET LOCAL po_mgmt.now = '2026-02-01 07:59:59+00';
SELECT is(states('utc') || '; ' || states('la'), 'dec Expired, jan Expired, mar Active, susp Suspended-expired; dec Expired, jan Active, mar Active, susp Suspended', 'eight hours later');
SET LOCAL po_mgmt.now = '2026-02-01 08:00:00+00';
SELECT is(states('la'), 'dec Expired, jan Expired, mar Active, susp Suspended-expired', 'in Los Angeles, too');
SELECT is(po_today('la') || ' ' || po_today('lux') || ' ' || po_today('nobody'), '2026-02-01 2026-02-01 2026-02-01', 'today');
SET LOCAL timezone = 'UTC';
UPDATE po_account SET time_zone = 'Pacific/Honolulu' WHERE account_id = 'la';
SELECT is(states('la'), 'dec Expired, jan Active, mar Active, susp Suspended', 'an account that moves');
-- the limit counts by the same clock
UPDATE po_account SET max_active_orders = 2 WHERE account_id IN ('la', 'utc');
SELECT is(tried($$CALL po('la', '{x}')$$) || ' ' || tried($$CALL po('utc', '{x}')$$), '54000 too many active purchase orders in account "la" ok', 'the limit counts by the same clock');
SET LOCAL po_mgmt.now = '';
SELECT is(po_now()::date, clock_timestamp()::date, 'without the setting the clock is the clock');
SET LOCAL po_mgmt.now = '2026-01-31 23:30:00+00';

--
-- po_suspend, po_activate, po_extend
--
CALL po('fn', '{1}'); CALL li('fn', '1', '{a,b}'); UPDATE po_line_item SET end_month = '2026-06' WHERE account_id = 'fn' AND line_number = 'b';
SELECT is(po_suspend('fn', '1') || ' ' || po_suspend('fn', ' 1 ') || ' ' || po_activate('fn', '1') || ' ' || po_activate('fn', '1'), 'Suspended Suspended Active Active', 'suspended and active again; twice is once; outer space is trimmed');
CREATE TEMP TABLE stamps AS SELECT updated_at FROM po_order WHERE account_id = 'fn';
SELECT po_activate('fn', '1') \g /dev/null
SELECT is((SELECT updated_at FROM po_order WHERE account_id = 'fn'), (SELECT updated_at FROM stamps), 'a call that changes nothing moves nothing');
SELECT po_suspend('fn', '1') \g /dev/null
SELECT cmp_ok((SELECT updated_at FROM po_order WHERE account_id = 'fn'), '>', (SELECT updated_at FROM stamps), 'one that does moves updated_at');
SELECT is(po_extend('fn', '1', '2027-03'), 'Suspended', 'an order extended stays suspended');
SELECT is((SELECT expiration_month::text || ' ' || string_agg(end_month::text, ' ' ORDER BY line_number) FROM po_order JOIN po_line_item USING (account_id, po_number) WHERE account_id = 'fn' GROUP BY expiration_month), '2027-03 2026-12 2026-06', 'its line items stay as they are');
SELECT is(po_extend('fn', '1', '2027-05', true), 'Suspended', 'extended with line items');
SELECT is((SELECT string_agg(end_month::text, ' ' ORDER BY line_number) FROM po_line_item WHERE account_id = 'fn'), '2026-12 2026-06', 'those that ended with the order: none did');
UPDATE po_line_item SET end_month = '2027-05' WHERE account_id = 'fn' AND line_number = 'a';
SELECT is(po_extend('fn', '1', '9999-12', true), 'Suspended', 'without an end');
SELECT is((SELECT string_agg(end_month::text, ' ' ORDER BY line_number) FROM po_line_item WHERE account_id = 'fn'), '9999-12 2026-06', 'now one did');
CALL po('fn', '{old}', '2025-01', '2025-12');
SELECT is(po_suspend('fn', 'old') || ' ' || po_activate('fn', 'old') || ' ' || po_extend('fn', 'old', '2026-01'), 'Suspended-expired Expired Active', 'an expired order can be suspended, come back, and be extended');
SELECT is((SELECT string_agg(po_status(o), ' ' ORDER BY po_number) FROM po_order o WHERE account_id = 'fn'), 'Suspended Active', 'the status is derived');
SELECT is(po_status(NULL::po_order), NULL, 'of nothing there is none');
SELECT is_empty('SELECT * FROM po_check_integrity()', 'the books are right');

SELECT finish();
ROLLBACK;
