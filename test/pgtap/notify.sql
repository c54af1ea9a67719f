-- test/pgtap/notify.sql: notifications of balances (section 8 of the contract): which thresholds an
-- entry crosses, who is told, and what the mail says. Reminders are in test/sql/reminders.sql,
-- delivery in test/t/090_notifier.pl.
BEGIN;
SELECT plan(48);
SET LOCAL client_min_messages = warning;
SET LOCAL po_mgmt.now = '2026-03-15 12:00:00+00';

-- an order with a tracked line item 1 of 1000 and a contact
CREATE PROCEDURE po(account text, thresholds numeric[] DEFAULT '{0.75}', amount numeric DEFAULT 1000, email text DEFAULT 'ap@example.com') LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO po_account (account_id, alert_thresholds) VALUES (account, thresholds) ON CONFLICT DO NOTHING;
	INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month)
		VALUES (account, 'P', 'AWS Inc.', '2026-01', '2026-12');
	INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, balance_tracked, amount)
		VALUES (account, 'P', '1', 'usage', '2026-01', '2026-12', true, amount);
	INSERT INTO po_contact (account_id, po_number, email) SELECT account, 'P', email WHERE email IS NOT NULL;
END $$;
-- one statement that books these amounts, in this order
CREATE PROCEDURE book(account text, VARIADIC amounts numeric[]) LANGUAGE sql AS $$
	INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount)
	SELECT account, 'AWS Inc.', 'I' || (SELECT count(*) FROM po_invoice i WHERE i.account_id = account) + n, 'usage', '2026-02', a
	FROM unnest(amounts) WITH ORDINALITY x(a, n) ORDER BY n
$$;
-- notifications since the last call: thresholds, and the entry of the ledger that was judged
CREATE TEMP TABLE told (notification_id bigint);
CREATE FUNCTION news(account text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE answer text;
BEGIN
	SELECT string_agg(line_number || ' below ' || threshold || substring(body, E'Last change:    ( .*), \\d+ \\w+ \\d+\n'), '; ' ORDER BY notification_id) INTO answer
		FROM po_notification n WHERE n.account_id = account AND notification_id NOT IN (SELECT * FROM told);
	INSERT INTO told SELECT notification_id FROM po_notification EXCEPT SELECT * FROM told;
	RETURN coalesce(answer, '-');
END $$;

--
-- One threshold
--
CALL po('one');
SELECT is(news('one'), '-', 'a new line item tells nobody');
CALL book('one', 250);
SELECT is(news('one'), '-', 'at the threshold is not below it');
CALL book('one', 0.01);
SELECT is(news('one'), '1 below 0.75 invoice I2, -0.01 USD', 'below it');
CALL book('one', 10); CALL book('one', 10);
SELECT is(news('one'), '-', 'once');
CALL book('one', -20.01);
SELECT is(news('one'), '-', 'back at the threshold: nothing, but it is armed again');
CALL book('one', 1);
SELECT is(news('one'), '1 below 0.75 invoice I6, -1.00 USD', 'and told again');
CALL book('one', 5000);
SELECT is(news('one'), '-', 'an overdrawn line item has no threshold that is not listed');

--
-- Several thresholds, several rows in a statement: entry by entry, the highest first
--
CALL po('many', '{0, 0.25, 0.9, 0.5, 0.5}');
CALL book('many', 1000);
SELECT is(news('many'), '1 below 0.9 invoice I1, -1,000.00 USD; 1 below 0.5 invoice I1, -1,000.00 USD; 1 below 0.25 invoice I1, -1,000.00 USD; 1 below 0 invoice I1, -1,000.00 USD',
	'one entry, four thresholds, one of them listed twice');
CALL book('many', 1);
SELECT is(news('many'), '-', 'zero was reached before, passing it is nothing new');
CALL book('many', -1001, 101, 400, -450, 440, 500);
SELECT is(news('many'), '1 below 0.9 invoice I4, -101.00 USD; 1 below 0.5 invoice I5, -400.00 USD; 1 below 0.9 invoice I7, -440.00 USD; 1 below 0.5 invoice I8, -500.00 USD; 1 below 0.25 invoice I8, -500.00 USD',
	'each row of a statement by itself');
SELECT is((SELECT array_agg(notification_id ORDER BY notification_id) FROM po_notification WHERE account_id = 'many'),
	(SELECT array_agg(notification_id ORDER BY created_at, notification_id) FROM po_notification WHERE account_id = 'many'), 'ids follow time');
CALL po('full', '{1}');
CALL book('full', 0.01);
SELECT is(news('full'), '1 below 1 invoice I1, -0.01 USD', 'a threshold of 1: the first invoice');
CALL po('none', '{}');
CALL book('none', 2000);
SELECT is(news('none'), '-', 'no thresholds');

--
-- Who is told
--
CALL po('silent', email => NULL);
CALL book('silent', 500);
SELECT is(news('silent'), '-', 'an order without contacts');
INSERT INTO po_contact (account_id, po_number, email) VALUES ('silent', 'P', 'late@example.com');
CALL book('silent', 100);
SELECT is(news('silent'), '-', 'contacts that come later are not told of what has been');
INSERT INTO po_contact (account_id, po_number, email, name) VALUES ('one', 'P', 'zoe@example.com', 'Zoe'), ('one', 'P', 'Bob@example.com', NULL);
UPDATE po_line_item SET amount = 100000 WHERE account_id = 'one';
DELETE FROM po_contact WHERE account_id = 'one' AND email = 'ap@example.com';
CALL book('one', 30000);
SELECT is((SELECT recipients FROM po_notification WHERE account_id = 'one' ORDER BY notification_id DESC LIMIT 1), '{Bob@example.com,zoe@example.com}',
	'the contacts of that moment');
SELECT is((SELECT recipients FROM po_notification WHERE account_id = 'one' ORDER BY notification_id LIMIT 1), '{ap@example.com}', 'an older one keeps its own');
SELECT is(news('one'), '1 below 0.75 invoice I8, -30,000.00 USD', 'and one each');

--
-- Whatever takes a balance below
--
CALL po('ways', '{0.5}');
INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, balance_tracked, amount)
	VALUES ('ways', 'P', '2', 'subscription', '2026-01', '2026-12', true, 100);
CALL book('ways', 400);
UPDATE po_invoice SET amount = 600 WHERE account_id = 'ways';
SELECT is(news('ways'), '1 below 0.5 correction of invoice I1, -200.00 USD', 'a corrected amount');
SELECT lives_ok($$SELECT po_assign_invoice('ways', 'AWS Inc.', 'I1', 'P', '2')$$);
SELECT is(news('ways'), '2 below 0.5 invoice I1, -600.00 USD', 'an assignment by hand');
SELECT lives_ok($$SELECT po_rematch_invoice('ways', 'AWS Inc.', 'I1', true)$$);
SELECT is(news('ways'), '1 below 0.5 invoice I1, -600.00 USD', 'a rematch, which armed both');
CALL book('ways', -300);
SELECT is(news('ways'), '-', 'a credit memo arms');
SELECT lives_ok($$SELECT po_void_invoice('ways', 'AWS Inc.', 'I2')$$);
SELECT is(news('ways'), '1 below 0.5 credit taken back with I2, -300.00 USD', 'a credit memo that is void');
DELETE FROM po_invoice WHERE account_id = 'ways';
SELECT is(news('ways'), '-', 'a delete gives back');
INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount)
	VALUES ('ways', 'AWS Inc.', 'X', 'usage', '2026-02', 600), ('ways', 'AWS Inc.', 'X', 'usage', '2026-02', 600) ON CONFLICT DO NOTHING;
SELECT is(news('ways'), '1 below 0.5 invoice X, -600.00 USD', 'a conflict is told of once');
SELECT po_suspend('ways', 'P');
SELECT po_assign_invoice('ways', 'AWS Inc.', 'X', 'P', '2');
SELECT is(news('ways'), '2 below 0.5 invoice X, -600.00 USD', 'of a suspended order, too: its invoices by hand cost money');
SET LOCAL session_replication_role = replica;
UPDATE po_line_item SET balance = 90 WHERE account_id = 'ways' AND line_number = '2';
SET LOCAL session_replication_role = origin;
SELECT is(po_repair('ways'), 1::bigint);
SELECT is(news('ways'), '2 below 0.5 the balance was repaired', 'a repair');

--
-- Edits of the line item
--
CALL po('edit');
CALL book('edit', 500);
SELECT is(news('edit'), '1 below 0.75 invoice I1, -500.00 USD');
UPDATE po_line_item SET amount = 2100 WHERE account_id = 'edit';
UPDATE po_line_item SET amount = 1900 WHERE account_id = 'edit';
SELECT is(news('edit'), '1 below 0.75 the line item was changed', 'an edit arms, and tells if it takes it below');
UPDATE po_line_item SET amount = 1800 WHERE account_id = 'edit';
SELECT is(news('edit'), '-', 'below already');
UPDATE po_line_item SET amount = 2000 WHERE account_id = 'edit';
UPDATE po_line_item SET amount = 2200, consumed_before = 200 WHERE account_id = 'edit';
SELECT is(news('edit'), '1 below 0.75 the line item was changed', 'the same balance of a larger total value');
UPDATE po_line_item SET amount = 0, consumed_before = 0 WHERE account_id = 'edit';
SELECT is(news('edit'), '-', 'a total value of zero has no thresholds');
CALL book('edit', 10);
SELECT is(news('edit'), '-', 'whatever is booked');
UPDATE po_line_item SET amount = 1000 WHERE account_id = 'edit';
SELECT is(news('edit'), '1 below 0.75 the line item was changed', 'a value again');
UPDATE po_line_item SET balance_tracked = false WHERE account_id = 'edit';
CALL book('edit', 1000);
SELECT is(news('edit'), '-', 'not tracked');
UPDATE po_line_item SET balance_tracked = true, description = 'x' WHERE account_id = 'edit';
SELECT is(news('edit'), '1 below 0.75 the line item was changed', 'tracking switched on below');
UPDATE po_line_item SET description = 'y', end_month = '2026-11' WHERE account_id = 'edit';
DELETE FROM po_line_item WHERE account_id = 'edit';
SELECT is(news('edit'), '-', 'other columns, and a delete, tell nothing');

--
-- What does not last is not told
--
CALL po('back');
SAVEPOINT s;
CALL book('back', 500);
ROLLBACK TO s;
SELECT is(news('back'), '-', 'rolled back');
CALL book('back', 251);
SELECT is(news('back'), '1 below 0.75 invoice I1, -251.00 USD', 'and told when it is booked again');

--
-- Rights: who inserts invoices needs none on contacts or the outbox
--
CALL po('rights');
CREATE ROLE po_t_clerk;
GRANT INSERT ON po_invoice TO po_t_clerk;
SET LOCAL ROLE po_t_clerk;
INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount) VALUES ('rights', 'AWS Inc.', 'I1', 'usage', '2026-02', 300);
SELECT throws_ok($$SELECT * FROM po_notification$$, '42501', NULL, 'the outbox is not for everybody');
RESET ROLE;
SELECT is(news('rights'), '1 below 0.75 invoice I1, -300.00 USD', 'written as the owner');

--
-- The mail; control characters of users' texts are harmless
--
CALL po('mail', '{0.75, 0}', 12345678.5);
UPDATE po_order SET description = E'Cloud 2026\r\nBcc: x@example.com', expiration_month = '9999-12' WHERE account_id = 'mail';
UPDATE po_line_item SET description = repeat(U&'\00E4', 150) WHERE account_id = 'mail';
CALL book('mail', 3086419.7);
SELECT is((SELECT subject || E'\n' || body FROM po_notification WHERE account_id = 'mail'), $$Purchase order P, line item 1: less than 75% is left
Hello,

the balance of a line item fell below 75% of its total value.

  Purchase order:  P (Cloud 2026  Bcc: x@example.com)
  Line item:       1 ($$ || repeat(U&'\00E4', 100) || $$...)
  Type of charge:  AWS Monthly Usage
  Period:          Jan 2026 to Dec 2026
  Order expires:   never
  Account:         mail
  Seller:          AWS Inc.
  Total value:     12,345,678.50 USD
  Balance:         9,259,258.80 USD (74.9% left)
  Last change:     invoice I1, -3,086,419.70 USD, 15 Mar 2026

What to do: if more charges are to come than the balance pays for, raise
the amount of the line item, or add a line item or a purchase order.
Where nothing better fits, invoices go on being booked on this line item,
and its balance falls below zero.

You get this mail because you are a contact of this purchase order.
$$, 'a mail');
CALL book('mail', 9259258.80000);
SELECT is((SELECT subject || ' / ' || substring(body, 'Hello,\n\n([^\n]*)') || ' / ' || substring(body, 'Balance: *([^\n]*)') FROM po_notification WHERE account_id = 'mail' AND threshold = 0),
	'Purchase order P, line item 1: nothing is left / nothing is left of the value of a line item. / 0.00 USD (0% left)', 'nothing left');

SELECT is_empty('SELECT * FROM po_check_integrity()', 'and the books are right');
SELECT * FROM finish();
ROLLBACK;
