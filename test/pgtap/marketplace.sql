-- test/pgtap/marketplace.sql: purchases on the marketplace. The first part is the table of section
-- 7 of the specification, a block for each of its rows: what was there, what was bought, what is
-- there then, and where the invoice of the contract goes. Today is 2026-06-15.
BEGIN;
SELECT plan(111);
SET LOCAL client_min_messages = warning;
SET LOCAL po_mgmt.now = '2026-06-15 12:00+00';

-- an order as the table has it: status, months, and its line items; and the invoice of a contract
CREATE FUNCTION shown(number text, account text DEFAULT 'M') RETURNS text LANGUAGE sql AS $$
	SELECT concat_ws(' ', po_status(o), effective_month, 'to', expiration_month, source) || coalesce(': ' ||
		(SELECT string_agg(concat_ws(' ', line_number, line_type, start_month, 'to', end_month, coalesce(agreement_id, '-'), total_value), ', ' ORDER BY line_item_id)
		FROM po_line_item i WHERE i.account_id = o.account_id AND i.po_number = o.po_number), '')
	FROM po_order o WHERE o.account_id = account AND o.po_number = number $$;
CREATE FUNCTION invoiced(id text, agreement text, month po_month, amount numeric, number text DEFAULT NULL, line text DEFAULT NULL, type po_line_type DEFAULT 'marketplace.transaction', account text DEFAULT 'M')
RETURNS text LANGUAGE sql AS $$
	INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount, agreement_id, requested_po_number, requested_line_number)
	VALUES (account, 'AWS Inc.', id, type, month, amount, agreement, number, line)
	RETURNING coalesce(po_number || ' ' || line_number, 'no PO') $$;
CREATE FUNCTION last_change() RETURNS bigint LANGUAGE sql AS $$ SELECT coalesce(max(change_id), 0) FROM po_change_log $$;
CREATE FUNCTION stamp(number text) RETURNS timestamptz LANGUAGE sql AS $$ SELECT updated_at FROM po_order WHERE account_id = 'M' AND po_number = number $$;

INSERT INTO po_account (account_id, currency) VALUES ('M', 'EUR');
-- every block begins with a new order
CREATE PROCEDURE an_order(number text, first po_month, last po_month, status text) LANGUAGE sql AS $$
	INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month, status) VALUES ('M', number, 'AWS Inc.', first, last, status) $$;

-- | the order is unknown | it is made, with the contract's months, the account's currency, no contacts |
SELECT is(po_marketplace_purchase('M', ' NEW ', 'Amazon Web Services, Inc.', 'agr-1', '2026-06', '2027-05', 1200), '1', 'unknown order: the line number');
SELECT is(shown('NEW'), 'Active 2026-06 to 2027-05 marketplace: 1 marketplace.transaction 2026-06 to 2027-05 agr-1 1200', 'unknown order: it is made');
SELECT is((SELECT bill_from || ' ' || currency || ' ' || (SELECT count(*) FROM po_contact c WHERE c.account_id = 'M') FROM po_order WHERE account_id = 'M' AND po_number = 'NEW'), 'AWS Inc. EUR 0', 'in the account''s currency, without contacts');
SELECT is(invoiced('1', 'agr-1', '2026-06', 1200, 'NEW'), 'NEW 1', 'its invoice goes there');

-- | active | a line item is added, bound to the agreement; each contract is one of its own |
CALL an_order('ACT', '2026-01', '2026-12', 'active');
SELECT is(po_marketplace_purchase('M', 'ACT', 'AWS Inc.', 'agr-2', '2026-06', '2026-12', 60), '1', 'active: a contract');
SELECT is(po_marketplace_purchase('M', 'ACT', 'AWS Inc.', 'agr-3', '2026-06', '2026-12', 30, description => 'the second'), '2', 'several contracts on one number');
SELECT is(shown('ACT'), 'Active 2026-01 to 2026-12 user: 1 marketplace.transaction 2026-06 to 2026-12 agr-2 60, 2 marketplace.transaction 2026-06 to 2026-12 agr-3 30', 'a line item each');
SELECT is(invoiced('2', 'agr-3', '2026-07', 30, 'ACT'), 'ACT 2', 'each invoice goes to its own contract');
SELECT is(invoiced('3', 'agr-2', '2026-07', 60, 'ACT'), 'ACT 1', 'and the other to its own');
SELECT is(invoiced('4', 'agr-x', '2026-07', 60, 'ACT'), 'no PO', 'an agreement that is not on the order');

-- | suspended | the line item is added, it stays suspended: invoices carry no PO until it is active and they are matched again |
CALL an_order('SUS', '2026-01', '2026-12', 'suspended');
SELECT is(po_marketplace_purchase('M', 'SUS', 'AWS Inc.', 'agr-4', '2026-06', '2026-12', 5), '1', 'suspended: a contract');
SELECT is(shown('SUS'), 'Suspended 2026-01 to 2026-12 user: 1 marketplace.transaction 2026-06 to 2026-12 agr-4 5', 'suspended: the line item is added');
SELECT is(invoiced('5', 'agr-4', '2026-06', 5, 'SUS'), 'no PO', 'suspended: the invoice carries no PO');
SELECT is((SELECT reason FROM po_invoice v, po_explain_match(v) e WHERE v.account_id = 'M' AND invoice_id = '5' AND e.po_number = 'SUS'), 'The order is suspended.', 'and says why');
SELECT is(po_rematch_unassociated('M'), 0::bigint, 'matched again while it is suspended: no');
SELECT po_activate('M', 'SUS') \g /dev/null
SELECT is((SELECT v.po_number FROM po_rematch_invoice('M', 'AWS Inc.', '5') v), 'SUS', 'once it is active, and matched again: yes');

-- | expired | the line item is added, the order is active again until the line item's end |
CALL an_order('EXP', '2025-01', '2025-12', 'active');
SELECT is(shown('EXP'), 'Expired 2025-01 to 2025-12 user', 'expired: before');
SELECT is(invoiced('6', 'agr-5', '2026-06', 7, 'EXP'), 'no PO', 'expired: an invoice that asks for it carries no PO');
SELECT is(po_marketplace_purchase('M', 'EXP', 'AWS Inc.', 'agr-5', '2026-06', '2026-11', 7), '1', 'expired: a contract');
SELECT is(shown('EXP'), 'Active 2025-01 to 2026-11 user: 1 marketplace.transaction 2026-06 to 2026-11 agr-5 7', 'expired: active again, until the contract''s end');
SELECT is(po_rematch_unassociated('M'), 1::bigint, 'its invoice is matched again');
SELECT is((SELECT v.po_number FROM po_invoice v WHERE account_id = 'M' AND invoice_id = '6'), 'EXP', 'and goes there');

-- | suspended and expired | the same, but it stays suspended |
CALL an_order('S+E', '2025-01', '2025-12', 'suspended');
SELECT is(shown('S+E'), 'Suspended-expired 2025-01 to 2025-12 user', 'suspended and expired: before');
SELECT is(po_marketplace_purchase('M', 'S+E', 'AWS Inc.', 'agr-6', '2026-06', '2026-11', 7), '1', 'suspended and expired: a contract');
SELECT is(shown('S+E'), 'Suspended 2025-01 to 2026-11 user: 1 marketplace.transaction 2026-06 to 2026-11 agr-6 7', 'suspended and expired: it goes on, and stays suspended');
SELECT is(invoiced('7', 'agr-6', '2026-06', 7, 'S+E'), 'no PO', 'its invoice carries no PO');

-- | a contract longer than its order | widens the order |
CALL an_order('LONG', '2026-06', '2026-06', 'active');
SELECT is(po_marketplace_purchase('M', 'LONG', 'AWS Inc.', 'agr-7', '2026-03', '2029-02', 7), '1', 'a long contract');
SELECT is(shown('LONG'), 'Active 2026-03 to 2029-02 user: 1 marketplace.transaction 2026-03 to 2029-02 agr-7 7', 'it widens the order, at both ends');
SELECT is(po_marketplace_purchase('M', 'LONG', 'AWS Inc.', 'agr-8', '2026-06', '9999-12', 7, line_number => ' A '), 'A', 'one without an end, with a number given');
SELECT is(po_marketplace_purchase('M', 'LONG', 'AWS Inc.', 'agr-9', '2026-06', '2026-06'), '2', 'automatic numbers are the next free integer; nothing to pay');

-- | another seller than the order's | an error |
SELECT throws_ok($$SELECT po_marketplace_purchase('M', 'ACT', 'AWS Europe', 'agr-2', '2026-06', '2026-12')$$, '23514', 'purchase order "ACT" is not with seller "AWS EMEA SARL"', 'another seller');
SELECT throws_ok($$SELECT po_marketplace_purchase('M', 'OTHER', 'AWS Japan', 'agr-2', '2026-06', '2026-12')$$, '23514', 'seller "AWS Japan" does not bill line type "marketplace.transaction"', 'a seller without a marketplace');
SELECT is(shown('OTHER'), NULL, 'then nothing is written');

-- | the limits apply | and then nothing is written |
SELECT last_change() AS l \gset
UPDATE po_account SET max_line_items = 2 WHERE account_id = 'M';
SELECT throws_ok($$SELECT po_marketplace_purchase('M', 'ACT', 'AWS Inc.', 'agr-9', '2026-06', '2027-12')$$, '54000', 'too many line items on purchase order "ACT"', 'limit of line items');
SELECT matches(shown('ACT'), '^Active 2026-01 to 2026-12 ', 'and it was not widened');
UPDATE po_account SET max_line_items = 100, max_active_orders = 5 WHERE account_id = 'M';
SELECT throws_ok($$SELECT po_marketplace_purchase('M', 'SIXTH', 'AWS Inc.', 'agr-9', '2026-06', '2027-12')$$, '54000', 'too many active purchase orders in account "M"', 'limit of active orders');
CALL an_order('OLD', '2025-01', '2025-12', 'active');
SELECT throws_ok($$SELECT po_marketplace_purchase('M', 'OLD', 'AWS Inc.', 'agr-9', '2026-06', '2027-12')$$, '54000', 'too many active purchase orders in account "M"', 'of one that would be active again');
SELECT is(shown('OLD'), 'Expired 2025-01 to 2025-12 user', 'nothing of it was done');
UPDATE po_account SET max_active_orders = 100 WHERE account_id = 'M';

-- | no balance is tracked | whoever adds the line item |
SELECT is((SELECT bool_or(balance_tracked) FROM po_line_item WHERE account_id = 'M'), false, 'purchases track no balance');
SELECT throws_ok($$INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, amount, balance_tracked) VALUES ('M', 'ACT', 'x', 'marketplace.transaction', '2026-06', '2026-06', 1, true)$$, '23514', NULL, 'nor may a user''s');
SELECT throws_ok($$UPDATE po_line_item SET balance_tracked = true WHERE account_id = 'M' AND po_number = 'ACT'$$, '23514', NULL, 'nor later');

-- | flexible payment schedule | a line item of zero, then one for each payment, whose number its invoice carries |
SELECT is(po_marketplace_purchase('M', 'FLEX', 'AWS Inc.', 'agr-f', '2026-06', '2026-06'), '1', 'flexible payments begin with a line item of zero, in the first month');
SELECT is(po_marketplace_payment('M', 'FLEX', 'agr-f', '2026-06', 100), '2', 'a payment');
SELECT is(po_marketplace_payment('M', 'FLEX', 'agr-f', '2026-09', 200, description => 'autumn'), '3', 'another one');
SELECT is(po_marketplace_payment('M', 'FLEX', 'agr-f', '2027-01', 300, 'last'), 'last', 'one with a number');
SELECT is(shown('FLEX'), 'Active 2026-06 to 2027-01 marketplace: 1 marketplace.transaction 2026-06 to 2026-06 agr-f 0, 2 marketplace.transaction 2026-06 to 2026-06 agr-f 100, 3 marketplace.transaction 2026-09 to 2026-09 agr-f 200, last marketplace.transaction 2027-01 to 2027-01 agr-f 300', 'a line item each; the order goes along');
SELECT is(invoiced('f1', 'agr-f', '2026-06', 100, 'FLEX', '2') || ', ' || invoiced('f2', 'agr-f', '2026-09', 200, 'FLEX', ' 3 ') || ', ' || invoiced('f3', 'agr-f', '2027-01', 300, 'FLEX', 'last'), 'FLEX 2, FLEX 3, FLEX last', 'each payment''s invoice goes to its line item');
SELECT is(invoiced('f4', 'agr-f', '2026-09', 200, 'FLEX', '2'), 'no PO', 'and to no other');
SELECT throws_ok($$SELECT po_marketplace_payment('M', 'FLEX', 'agr-1', '2026-06', 100)$$, '23503', 'agreement "agr-1" of account "M" is not on the purchase order', 'a payment of a contract that is not there');
SELECT throws_ok($$SELECT po_marketplace_payment('M', 'NONE', 'agr-f', '2026-06', 100)$$, '23503', 'purchase order "NONE" does not exist in account "M"', 'or on an order that is not there');

-- | pay-as-you-go | type marketplace, no requested number; never on a transaction line item |
SELECT is(invoiced('p1', 'agr-2', '2026-07', 3, type => 'marketplace'), 'no PO', 'consumption does not land on a transaction line item');
SELECT is(invoiced('p2', 'agr-2', '2026-07', 3, 'ACT', type => 'marketplace'), 'no PO', 'also where it asks for the order');
CALL an_order('BLANKET', '2026-01', '2026-12', 'active');
INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, amount, balance_tracked) VALUES ('M', 'BLANKET', '1', 'marketplace', '2026-01', '2026-12', 1000, true);
SELECT is(invoiced('p3', 'agr-2', '2026-07', 3, type => 'marketplace'), 'BLANKET 1', 'but on the blanket line item');
-- | no number was given | the blanket line item is the default |
SELECT is(invoiced('p4', NULL, '2026-07', 3), 'BLANKET 1', 'a transaction without a number: the blanket line item');
SELECT is(invoiced('p5', 'agr-2', '2026-07', 3), 'ACT 1', 'unless a line item is bound to its agreement');
SELECT is(invoiced('p6', 'agr-4', '2026-07', 3, 'S+E'), 'no PO', 'and never where a number was given that cannot be used');

-- | po_marketplace_change_order | future invoices of the agreement go to another number |
SELECT last_change() AS l \gset
SELECT stamp('ACT') AS act, stamp('BLANKET') AS blanket \gset
SELECT is(po_marketplace_change_order('M', 'agr-2', 'NEXT'), '1', 'another order, which is made');
SELECT is(shown('NEXT'), 'Active 2026-06 to 2026-12 marketplace: 1 marketplace.transaction 2026-06 to 2026-12 agr-2 0', 'for the months of the contract');
SELECT is((SELECT po_number || ' ' || line_number FROM po_invoice WHERE account_id = 'M' AND invoice_id = '3'), 'ACT 1', 'invoices that are there stay');
SELECT is(invoiced('c1', 'agr-2', '2026-07', 60, 'ACT') || ', ' || invoiced('c2', 'agr-2', '2026-06', 60) || ', ' || invoiced('c3', 'agr-2', '2026-08', 60, 'NEXT') || ', ' || invoiced('c4', 'agr-2', '2026-08', 60, 'ACT', '1'),
	'NEXT 1, NEXT 1, NEXT 1, NEXT 1', 'new ones go to the new number, with the old one, the new one, or none');
SELECT is((SELECT requested_po_number FROM po_invoice WHERE account_id = 'M' AND invoice_id = 'c2'), 'NEXT', 'which they then ask for');
SELECT is(invoiced('c5', 'agr-3', '2026-07', 30, 'ACT'), 'ACT 2', 'another agreement of the old order stays there');
SELECT is(invoiced('c6', 'agr-2', '2026-07', 30, 'BLANKET', type => 'marketplace'), 'BLANKET 1', 'and so does consumption');
INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount, agreement_id, requested_po_number) SELECT account_id, bill_from, invoice_id, line_type, billing_month, amount, agreement_id, 'ACT'
	FROM po_invoice WHERE account_id = 'M' AND invoice_id IN ('3', 'c1') ON CONFLICT (account_id, bill_from, invoice_id) DO UPDATE SET requested_po_number = EXCLUDED.requested_po_number, amount = EXCLUDED.amount;
SELECT is((SELECT string_agg(po_number || ' ' || requested_po_number, ', ' ORDER BY invoice_id) FROM po_invoice WHERE account_id = 'M' AND invoice_id IN ('3', 'c1')), 'ACT ACT, NEXT NEXT', 'the same invoices once more: nothing moves');
SELECT is(po_marketplace_change_order('M', 'agr-2', 'ACT'), '1', 'back to the first order: its line item is there');
SELECT is(invoiced('c7', 'agr-2', '2026-07', 60, 'NEXT') || ', ' || invoiced('c8', 'agr-2', '2026-07', 60), 'ACT 1, ACT 1', 'and invoices go there again');
SELECT is((SELECT string_agg(concat_ws(' ', po_number, line_number, operation, old->>'agreement_moved_to', new->>'agreement_moved_to'), ', ' ORDER BY change_id) FROM po_change_log WHERE account_id = 'M' AND change_id > :l),
	'NEXT insert, NEXT 1 insert, ACT 1 update NEXT, ACT 1 update NEXT, NEXT 1 update ACT', 'the change log has it');
SELECT throws_ok($$SELECT po_marketplace_change_order('M', 'agr-none', 'ACT')$$, '23503', 'agreement "agr-none" of account "M" is not on any purchase order', 'an agreement that is not there');
SELECT throws_ok($$SELECT po_marketplace_change_order('M', 'agr-2', ' ')$$, '23503', NULL, 'no number');
SELECT throws_ok($$UPDATE po_line_item SET agreement_moved_to = 'x' WHERE account_id = 'M' AND po_number = 'ACT'$$, '42501', NULL, 'only the function writes it');

-- what the marketplace adds does not move updated_at
SELECT is(stamp('ACT'), :'act'::timestamptz, 'the order of the contract is not updated by a change of the agreement''s order');
SELECT stamp('EXP') AS exp \gset
SELECT po_marketplace_purchase('M', 'EXP', 'AWS Inc.', 'agr-9', '2026-06', '2028-12'), po_marketplace_payment('M', 'EXP', 'agr-9', '2029-01', 5) \g /dev/null
SELECT is(stamp('EXP'), :'exp'::timestamptz, 'nor by a purchase that widens it, or a payment');
UPDATE po_order SET description = 'x' WHERE account_id = 'M' AND po_number = 'EXP';
SELECT isnt(stamp('EXP'), :'exp'::timestamptz, 'but by a user''s change');

--
-- Orders that an invoice makes
--
-- | integration is on | an invoice of type marketplace.transaction with an agreement and a number that does not exist makes the order |
INSERT INTO po_account (account_id) VALUES ('I');
SELECT is(invoiced('1', 'agr-1', '2026-06', 40, 'PROC-1', account => 'I'), 'PROC-1 1', 'an invoice with a number that does not exist');
SELECT is(shown('PROC-1', 'I'), 'Active 2026-06 to 2026-06 marketplace: 1 marketplace.transaction 2026-06 to 2026-06 agr-1 40', 'makes the order, as a purchase of its billing month');
SELECT is(invoiced('2', 'agr-1', '2026-06', 40, 'PROC-1', account => 'I'), 'PROC-1 1', 'the next one finds it');
SELECT is(invoiced('3', 'agr-2', '2026-06', 40, 'PROC-1', account => 'I') || ', ' || invoiced('4', 'agr-1', '2026-07', 40, 'PROC-1', account => 'I'), 'no PO, no PO', 'one of another agreement or month does not, and makes nothing');
SELECT is(invoiced('5', 'agr-1', '2026-06', 40, 'PROC-2', '7', account => 'I'), 'PROC-2 7', 'with the line number that it asks for');
SELECT is(invoiced('6', 'agr-1', '2025-06', 40, 'PROC-3', account => 'I') || ', ' || shown('PROC-3', 'I'), 'PROC-3 1, Expired 2025-06 to 2025-06 marketplace: 1 marketplace.transaction 2025-06 to 2025-06 agr-1 40', 'of a month that is over');
SELECT is(invoiced('7', NULL, '2026-06', 40, 'NOT-1', account => 'I') || ', ' || invoiced('8', 'agr-1', '2026-06', 40, account => 'I') || ', ' || invoiced('9', 'agr-1', '2026-06', 40, 'NOT-1', type => 'marketplace', account => 'I'),
	'no PO, PROC-2 7, no PO', 'not without an agreement, without a number, or for another type');
SELECT is(invoiced('10', 'agr-1', '2026-06', -40, 'NOT-1', account => 'I'), 'no PO', 'nor a credit memo');
INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount, agreement_id, requested_po_number)
	VALUES ('I', 'AWS Japan', '11', 'marketplace.transaction', '2026-06', 1, 'agr-1', 'NOT-1'), ('I', 'Nobody', '12', 'marketplace.transaction', '2026-06', 1, 'agr-1', 'NOT-1'),
	('I', 'AWS Inc.', '13', 'marketplace.transaction', '2026-06', 1, 'agr-1', repeat('x', 201)), ('I', 'AWS Inc.', '14', 'marketplace.transaction', '2026-06', 1, 'agr-1', E'a\tb');
SELECT is((SELECT count(*)::int FROM po_invoice WHERE account_id = 'I' AND invoice_id IN ('11', '12', '13', '14') AND po_number IS NULL), 4, 'nor where no such order may be: the seller, the number');
SELECT is((SELECT count(*)::int FROM po_order WHERE account_id = 'I' AND po_number NOT LIKE 'PROC-_'), 0, 'none of these made one');
INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount, agreement_id, requested_po_number, currency) SELECT 'I', 'Amazon Web Services, Inc.', 's' || n, 'marketplace.transaction.x', '2026-06', n, 'agr-s', ' MANY ', 'eur' FROM generate_series(1, 5) n;
SELECT is((SELECT string_agg(po_number || ' ' || line_number || ' ' || association_kind, ', ' ORDER BY invoice_id) FROM po_invoice WHERE account_id = 'I' AND invoice_id LIKE 's_'), 'MANY 1 automatic, MANY 1 automatic, MANY 1 automatic, MANY 1 automatic, MANY 1 automatic', 'five in a statement: the first makes it');
SELECT is((SELECT currency || ' ' || bill_from FROM po_order WHERE account_id = 'I' AND po_number = 'MANY'), 'EUR AWS Inc.', 'in the invoice''s currency');

SELECT is((SELECT string_agg(DISTINCT currency, ' ') FROM po_invoice WHERE account_id = 'I' AND invoice_id NOT LIKE 's_'), 'USD', 'or the account''s where it names none');

-- | at the limit | it stays unassociated |
UPDATE po_account SET max_active_orders = 3 WHERE account_id = 'I';
SELECT is(invoiced('20', 'agr-1', '2026-06', 40, 'LIM', account => 'I'), 'no PO', 'at the limit the invoice is kept');
SELECT is(shown('LIM', 'I'), NULL, 'and no order is made');
SELECT is(invoiced('21', 'agr-1', '2025-07', 40, 'LIM-OLD', account => 'I'), 'LIM-OLD 1', 'one that is expired at once does not count');
SELECT is(po_rematch_unassociated('I'), 0::bigint, 'matched again at the limit');
UPDATE po_account SET max_active_orders = 4 WHERE account_id = 'I';
SELECT is((SELECT v.po_number FROM po_rematch_invoice('I', 'AWS Inc.', '20') v), 'LIM', 'matched again with room: it is made');

-- | integration is off | none is made |
UPDATE po_account SET marketplace_integration = false, max_active_orders = 100 WHERE account_id = 'I';
SELECT is(invoiced('30', 'agr-1', '2026-06', 40, 'OFF', account => 'I'), 'no PO', 'integration is off');
SELECT is(po_marketplace_purchase('I', 'OFF', 'AWS Inc.', 'agr-1', '2026-06', '2026-06'), '1', 'a purchase by the function is what one asks for');
UPDATE po_account SET marketplace_integration = true, closed_through = '2026-05' WHERE account_id = 'I';
SELECT is(invoiced('31', 'agr-1', '2026-05', 40, 'CLOSED', account => 'I') || coalesce(shown('CLOSED', 'I'), ', none'), 'no PO, none', 'nor for a closed month');
UPDATE po_account SET period_basis = 'issue_date', closed_through = NULL WHERE account_id = 'I';
SELECT is(invoiced('32', 'agr-1', '2026-05', 40, 'ISSUED', account => 'I') || ', ' || shown('ISSUED', 'I'), 'ISSUED 1, Active 2026-06 to 2026-06 marketplace: 1 marketplace.transaction 2026-06 to 2026-06 agr-1 40', 'where the month of issue counts, for that month');
SELECT is(invoiced('1', 'agr-1', '2026-06', 40, 'FIRST', account => 'new account'), 'FIRST 1', 'an account that is not known is made, too');
CREATE ROLE po_t_loader;
GRANT INSERT ON po_invoice TO po_t_loader;
SET LOCAL ROLE po_t_loader;
INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount, agreement_id, requested_po_number) VALUES ('loaded', 'AWS Inc.', '1', 'marketplace.transaction', '2026-06', 5, 'agr-1', 'L');
RESET ROLE;
SELECT is((SELECT po_number || ' ' || line_number FROM po_invoice WHERE account_id = 'loaded'), 'L 1', 'a role that may only insert invoices');
SELECT is((SELECT string_agg(DISTINCT changed_by, ',') FROM po_change_log WHERE account_id = 'loaded'), 'po_t_loader', 'and the change log names it');
SAVEPOINT s;
CREATE FUNCTION refuses() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION ''no''; END';
CREATE TRIGGER refuses BEFORE INSERT ON po_line_item FOR EACH ROW EXECUTE FUNCTION refuses();
SELECT throws_ok($$SELECT invoiced('2', 'agr-1', '2026-06', 40, 'R', account => 'loaded')$$, 'P0001', 'no', 'a user''s trigger has its say');
ROLLBACK TO s;
SELECT is(shown('R', 'loaded'), NULL, 'then nothing is left');

-- null and rights
SELECT throws_ok(q, '22004', e || ' must not be null', e || ' null') FROM (VALUES
	($$SELECT po_marketplace_purchase('M', NULL, 'AWS Inc.', 'a', '2026-01', '2026-01')$$, 'po_number'), ($$SELECT po_marketplace_purchase('M', 'N', 'AWS Inc.', NULL, '2026-01', '2026-01')$$, 'agreement_id'),
	($$SELECT po_marketplace_purchase('M', 'N', 'AWS Inc.', 'a', '2026-01', '2026-01', NULL)$$, 'amount'), ($$SELECT po_marketplace_payment('M', 'N', 'a', NULL, 1)$$, 'month'),
	($$SELECT po_marketplace_change_order(NULL, 'a', 'N')$$, 'account_id')) v(q, e);
SELECT throws_ok($$SELECT po_marketplace_purchase('M', 'ACT', 'AWS Inc.', 'a', '2026-02', '2026-01')$$, '23514', NULL, 'a contract that ends before it starts');
SELECT throws_ok($$SELECT po_marketplace_purchase('M', 'ACT', 'AWS Inc.', 'a', '2026-01', '2026-01', -1)$$, '23514', NULL, 'a negative amount');
SELECT throws_ok($$SELECT po_marketplace_purchase('M', 'ACT', 'AWS Inc.', 'a', '2026-01', '2026-01', 1, '1')$$, '23505', NULL, 'a line number that is taken');
GRANT EXECUTE ON FUNCTION po_marketplace_purchase(text, text, text, text, po_month, po_month, numeric, text, text) TO po_t_loader;
SET LOCAL ROLE po_t_loader;
SELECT throws_ok($$SELECT po_marketplace_payment('M', 'FLEX', 'agr-f', '2026-06', 100)$$, '42501', 'permission denied for function po_marketplace_payment');
SELECT throws_ok($$SELECT po_marketplace_purchase('M', 'ACT', 'AWS Inc.', 'a', '2026-01', '2026-01')$$, '42501', NULL, 'they write with the rights of the caller');
RESET ROLE;
SELECT is_empty('SELECT * FROM po_check_integrity()', 'the books are right');

SELECT finish();
ROLLBACK;
