-- Reminders of orders that expire (section 8 of the contract): the calendar day by day, and what
-- moves it. Each day is scanned twice: the second time writes nothing.
CREATE SCHEMA reminders;
SET search_path = reminders, public;
SET po_mgmt.notify = off;
SET datestyle = iso;
SET client_min_messages = warning;

CREATE TABLE calendar (day date, written bigint, again bigint);
-- scans every day of a period, with the clock set to noon of it
CREATE PROCEDURE scan(first date, last date) LANGUAGE plpgsql AS $$
DECLARE
	day date := first;
BEGIN
	WHILE day <= last LOOP
		PERFORM set_config('po_mgmt.now', day || ' 12:00+00', false);
		INSERT INTO calendar VALUES (day, po_scan_expirations(), po_scan_expirations());
		day := day + 1;
	END LOOP;
END $$;
-- an order that is added on a day, with a contact
CREATE PROCEDURE add(account text, number text, day date, expiration text, status text DEFAULT 'active') LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('po_mgmt.now', day || ' 12:00+00', false);
	INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month, status)
		VALUES (account, number, 'AWS Inc.', expiration::po_month - 11, expiration::po_month, status);
	INSERT INTO po_contact (account_id, po_number, email) VALUES (account, number, 'ap@example.com');
END $$;
-- what was written since the last call, and when
CREATE TABLE told (notification_id bigint);
CREATE FUNCTION news() RETURNS TABLE (po_number text, written date, due_on date, recipients text[], subject text) LANGUAGE sql AS $$
	WITH fresh AS (SELECT n.* FROM po_notification n WHERE n.account_id LIKE 'R%' AND n.notification_id NOT IN (SELECT t.notification_id FROM told t)),
	noted AS (INSERT INTO told SELECT f.notification_id FROM fresh f)
	SELECT f.po_number, (f.created_at AT TIME ZONE 'UTC')::date, f.due_on, f.recipients, f.subject FROM fresh f ORDER BY f.created_at, f.po_number
$$;

-- the calendar of orders that are added 8 months, 6 weeks and 10 days before they expire
CALL add('R', '8 months', '2026-04-30', '2026-12');
CALL scan('2026-04-30', '2026-11-19');
CALL add('R', '6 weeks', '2026-11-19', '2026-12');
CALL scan('2026-11-19', '2026-12-21');
CALL add('R', '10 days', '2026-12-21', '2026-12');
CALL scan('2026-12-21', '2027-02-15');
SELECT * FROM news();
SELECT count(*) AS days, sum(written) AS written, sum(again) AS again FROM calendar;

-- months of other lengths: the last day, minus months as PostgreSQL counts them
CALL add('R', 'February', '2027-11-01', '2028-02');
CALL add('R', 'April', '2027-11-01', '2028-04');
CALL add('R', 'August', '2027-11-01', '2028-08');
CALL scan('2027-11-01', '2028-09-30');
SELECT po_number, due_on, subject FROM news() ORDER BY po_number, due_on;

-- days of not running: the latest one that is due, not those before it
CALL add('R', 'late', '2029-01-01', '2029-12');
CALL scan('2029-12-05', '2029-12-05');
CALL scan('2029-12-28', '2029-12-29');
CALL scan('2030-01-20', '2030-01-21');
SELECT * FROM news();
-- but none of an order that expired more than a month ago
CALL add('R', 'too late', '2029-01-01', '2029-12');
CALL scan('2030-02-01', '2030-02-01');
SELECT * FROM news();

-- what is due on the day on which the order is added is not ahead of it
CALL add('R', 'on the day', '2030-10-31', '2030-12');
CALL scan('2030-10-31', '2030-11-01');
CALL add('R', 'the last day', '2030-12-31', '2030-12');
CALL scan('2030-12-31', '2031-01-01');
SELECT * FROM news();

-- an order that is extended is reminded of anew, and one that is shortened of what is ahead
CALL add('R', 'moved', '2031-01-01', '2031-06');
CALL scan('2031-06-25', '2031-06-25');
SELECT po_extend('R', 'moved', '2031-07');
CALL scan('2031-06-26', '2031-07-01');
UPDATE po_order SET expiration_month = '2031-09' WHERE po_number = 'moved';
CALL scan('2031-07-02', '2031-07-10');
UPDATE po_order SET description = 'not its expiration' WHERE po_number = 'moved';
UPDATE po_order SET expiration_month = '2031-08' WHERE po_number = 'moved';
CALL scan('2031-07-11', '2031-09-10');
SELECT * FROM news();

-- suspended orders get none, until they are active again; orders without contacts, until they have some
CALL add('R', 'suspended', '2032-01-01', '2032-06', 'suspended');
CALL add('R', 'nobody', '2032-01-01', '2032-06');
DELETE FROM po_contact WHERE po_number = 'nobody';
CALL scan('2032-04-25', '2032-06-03');
SELECT * FROM news();
SELECT po_activate('R', 'suspended');
INSERT INTO po_contact (account_id, po_number, email) VALUES ('R', 'nobody', 'zoe@example.com'), ('R', 'nobody', 'bob@example.com');
CALL scan('2032-06-04', '2032-07-01');
SELECT * FROM news();

-- no end, and the last month that there is
CALL add('R', 'no end', '2033-01-01', '9999-12');
CALL scan('2033-01-01', '2033-01-10');
SELECT * FROM news();

-- the day is the account's
INSERT INTO po_account (account_id, time_zone) VALUES ('R east', 'Pacific/Auckland'), ('R west', 'America/Los_Angeles');
CALL add('R east', 'east', '2034-01-01', '2034-06');
CALL add('R west', 'west', '2034-01-01', '2034-06');
SET po_mgmt.now = '2034-04-29 11:30+00';
SELECT po_scan_expirations();
SET po_mgmt.now = '2034-04-29 12:30+00';
SELECT po_scan_expirations();
SET po_mgmt.now = '2034-04-30 06:30+00';
SELECT po_scan_expirations();
SET po_mgmt.now = '2034-04-30 07:30+00';
SELECT po_scan_expirations();
SELECT * FROM news();
-- or the one that is given
SELECT po_scan_expirations('2034-05-29'), po_scan_expirations('2034-05-30'), po_scan_expirations('2034-05-30'), po_scan_expirations('infinity');
SELECT * FROM news();

-- what it says; the balance is that of the tracked line items
CALL add('R', 'said', '2035-01-01', '2035-12');
INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, balance_tracked, amount, consumed_before) VALUES
	('R', 'said', '1', 'usage', '2035-01', '2035-12', true, 1000, 100), ('R', 'said', '2', 'subscription', '2035-01', '2035-12', true, 500, 0),
	('R', 'said', '3', 'all', '2035-01', '2035-12', false, 7000, 0);
UPDATE po_order SET description = 'Cloud' WHERE po_number = 'said';
CALL scan('2035-12-30', '2035-12-31');
\pset format unaligned
SELECT n.body FROM po_notification n WHERE n.po_number = 'said' ORDER BY n.notification_id;
\pset format aligned
SELECT line_number, threshold, attempts, sent_at, claimed_until, delivered_to FROM po_notification WHERE po_number = 'said';

-- who may scan needs no right on the tables; who may not, may not
CREATE ROLE po_t_scan;
GRANT USAGE ON SCHEMA reminders TO po_t_scan;
SET ROLE po_t_scan;
SELECT po_scan_expirations();
RESET ROLE;
GRANT EXECUTE ON FUNCTION po_scan_expirations(date) TO po_t_scan;
SET ROLE po_t_scan;
SELECT po_scan_expirations('2036-01-02');
RESET ROLE;
DROP OWNED BY po_t_scan;
DROP ROLE po_t_scan;

-- more orders than are read at a time
INSERT INTO po_account (account_id, max_active_orders) VALUES ('RR', 10000);
SET po_mgmt.now = '2037-01-01 12:00+00';
INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month)
	SELECT 'RR', n, 'AWS Inc.', '2037-01', '2037-12' FROM generate_series(1, 2345) n;
INSERT INTO po_contact (account_id, po_number, email) SELECT 'RR', n, 'ap@example.com' FROM generate_series(1, 2345) n;
SELECT po_scan_expirations('2037-11-30'), po_scan_expirations('2037-11-30');
SELECT count(*), count(DISTINCT po_number) FROM po_notification WHERE account_id = 'RR';

RESET po_mgmt.now;
DELETE FROM po_order WHERE account_id LIKE 'R%';
SELECT count(*) FROM po_notification WHERE account_id LIKE 'R%';
DROP SCHEMA reminders CASCADE;
