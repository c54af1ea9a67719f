-- test/pgtap/bad_input.sql: wrong input gives a clear error, and nothing is half written.
--
-- Every case: SQLSTATE, the whole message, and that there are a DETAIL (D) and a HINT (H) where wanted.
-- After each of them all tables are as they were before; at the end the books still work.
BEGIN;
CREATE TEMP TABLE bad (n serial, what text, state text, message text, dh text);

-- INSERT of a row that is right but for what is given; null is given, too
CREATE FUNCTION ins(tab text, over jsonb) RETURNS text LANGUAGE sql AS $$
	SELECT format('/* %1$s %4$s */ INSERT INTO %1$s (%2$s) SELECT %2$s FROM jsonb_populate_record(null::%1$s, %3$L)', tab,
		string_agg(quote_ident(key), ', '), base || over, left(over::text, 80))
	FROM (SELECT CASE tab
		WHEN 'po_account' THEN '{"account_id": "N"}'
		WHEN 'po_order' THEN '{"account_id": "A", "po_number": "N", "bill_from": "AWS Inc.", "effective_month": "2026-01", "expiration_month": "2026-12"}'
		WHEN 'po_line_item' THEN '{"account_id": "A", "po_number": "P", "line_number": "N", "line_type": "usage", "start_month": "2026-01", "end_month": "2026-12", "amount": 10}'
		WHEN 'po_contact' THEN '{"account_id": "A", "po_number": "P", "email": "n@example.com"}'
		WHEN 'po_invoice' THEN '{"account_id": "A", "bill_from": "AWS Inc.", "invoice_id": "N", "line_type": "usage", "billing_month": "2026-02", "amount": 10}'
		ELSE '{}' END::jsonb) b(base), jsonb_object_keys(base || over) key
	GROUP BY base
$$;
-- all rows of all tables
CREATE FUNCTION all_rows() RETURNS text LANGUAGE plpgsql AS $$
DECLARE t text; part text; result text := '';
BEGIN
	FOREACH t IN ARRAY '{po_seller,po_seller_alias,po_taxonomy,po_seller_line_type,po_account,po_order,po_line_item,po_contact,po_account_member,po_invoice,po_ledger,po_change_log,po_notification}'::text[] LOOP
		EXECUTE format('SELECT md5(coalesce(string_agg(t::text, chr(10) ORDER BY t::text COLLATE "C"), '''')) FROM %s t', t) INTO part;
		result := result || part;
	END LOOP;
	RETURN md5(result);
END $$;
-- what a statement says: SQLSTATE, message, and what of DETAIL and HINT is missing
CREATE FUNCTION said(statement text, dh text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE message text; detail text; hint text; before text := all_rows(); result text;
BEGIN
	BEGIN
		EXECUTE statement;
		RETURN 'no error';
	EXCEPTION WHEN OTHERS THEN
		GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
		result := format('%s %s', SQLSTATE, message)
			|| CASE WHEN detail = '' AND dh ~ 'D' THEN ', without DETAIL' ELSE '' END
			|| CASE WHEN hint = '' AND dh ~ 'H' THEN ', without HINT' ELSE '' END;
	END;
	RETURN result || CASE WHEN all_rows() = before THEN '' ELSE ' and something was written' END;
END $$;

INSERT INTO po_account (account_id, closed_through) VALUES ('A', '2025-12'), ('EMPTY', NULL);
INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month, currency) VALUES
	('A', 'P', 'AWS Inc.', '2025-12', '2026-12', 'USD'), ('A', 'EUR', 'AWS Inc.', '2026-01', '2026-12', 'EUR'),
	('A', 'EMEA', 'AWS EMEA SARL', '2026-01', '2026-12', 'USD'), ('A', 'JP', 'AWS Japan', '2026-01', '2026-12', 'JPY'),
	('A', 'NONE', 'AWS Inc.', '2024-01', '2024-12', 'USD'), ('B', 'P', 'AWS Inc.', '2026-01', '2026-12', 'USD');
INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, balance_tracked, amount) VALUES
	('A', 'P', '1', 'usage', '2025-12', '2026-12', true, 1000), ('A', 'P', '2', 'marketplace', '2026-01', '2026-12', false, 0),
	('A', 'EMEA', '1', 'marketplace', '2026-01', '2026-06', false, 0), ('B', 'P', '1', 'usage', '2026-01', '2026-12', true, 5);
INSERT INTO po_contact (account_id, po_number, email) VALUES ('A', 'P', 'ap@example.com');
INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount) VALUES
	('A', 'AWS Inc.', 'I1', 'usage', '2026-02', 100), ('A', 'AWS EMEA SARL', 'FREE', 'usage', '2026-02', 1);
UPDATE po_account SET closed_through = NULL WHERE account_id = 'A';
INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount) VALUES ('A', 'AWS Inc.', 'OLD', 'usage', '2025-12', 7);
UPDATE po_account SET closed_through = '2025-12' WHERE account_id = 'A';
INSERT INTO po_seller (bill_from, enabled) VALUES ('Off Ltd', false);
INSERT INTO po_taxonomy (line_type, enabled) VALUES ('usage.off', false);

--
-- Accounts
--
INSERT INTO bad (what, state, message, dh) VALUES
(ins('po_account', '{"account_id": null}'), '23502', 'null value in column "account_id" of relation "po_account"', 'DH'),
(ins('po_account', '{"account_id": ""}'), '23514', 'account id has 0 characters', 'DH'),
(ins('po_account', jsonb_build_object('account_id', repeat('x', 201))), '23514', 'account id has 201 characters', 'DH'),
(ins('po_account', '{"account_id": "a\tb"}'), '23514', 'account id contains a control character', 'DH'),
(ins('po_account', '{"currency": null}'), '23502', 'null value in column "currency" of relation "po_account"', 'DH'),
(ins('po_account', '{"currency": "US"}'), '23514', 'currency "US" is not three letters', 'DH'),
(ins('po_account', '{"currency": "U1D"}'), '23514', 'currency "U1D" is not three letters', 'DH'),
(ins('po_account', '{"currency": "EURO"}'), '23514', 'currency "EURO" is not three letters', 'DH'),
(ins('po_account', '{"period_basis": "month"}'), '23514', 'period basis "month" is not known', 'H'),
(ins('po_account', '{"time_zone": "Mars/Base"}'), '22023', 'time zone "Mars/Base" is not known', 'H'),
(ins('po_account', '{"time_zone": null}'), '23502', 'null value in column "time_zone" of relation "po_account"', 'DH'),
(ins('po_account', '{"max_active_orders": -1}'), '23514', 'max_active_orders must not be negative, such as -1', 'H'),
(ins('po_account', '{"max_line_items": -1}'), '23514', 'max_line_items must not be negative, such as -1', 'H'),
(ins('po_account', '{"max_contacts": -1}'), '23514', 'max_contacts must not be negative, such as -1', 'H'),
(ins('po_account', '{"max_contacts": null}'), '23502', 'null value in column "max_contacts" of relation "po_account"', 'DH'),
(ins('po_account', '{"alert_thresholds": [0.5, 1.5]}'), '23514', 'alert threshold 1.5 is not a share from 0 to 1', 'H'),
(ins('po_account', '{"alert_thresholds": [-0.1]}'), '23514', 'alert threshold -0.1 is not a share from 0 to 1', 'H'),
(ins('po_account', '{"alert_thresholds": ["NaN"]}'), '23514', 'alert threshold NaN is not a share from 0 to 1', 'H'),
(ins('po_account', '{"alert_thresholds": [null]}'), '23514', 'alert threshold null is not a share from 0 to 1', 'H'),
(ins('po_account', '{"closed_through": "2026-00"}'), '22008', 'date/time field value out of range: "2026-00"', 'DH'),
(ins('po_account', '{"booked_at": "2026-01-01"}'), '42501', 'column "booked_at" of "po_account" is written by po_mgmt only', 'H'),
(ins('po_account', '{"account_id": "A"}'), '23505', 'duplicate key value violates unique constraint "po_account_pkey"', 'D'),
($$UPDATE po_account SET account_id = 'Z' WHERE account_id = 'EMPTY'$$, '23514', 'the id of an account never changes', 'H'),
($$UPDATE po_account SET created_at = now() WHERE account_id = 'EMPTY'$$, '42501', 'column "created_at" of "po_account" is written by po_mgmt only', 'H'),
($$UPDATE po_account SET booked_at = now() WHERE account_id = 'EMPTY'$$, '42501', 'column "booked_at" of "po_account" is written by po_mgmt only', 'H'),
($$UPDATE po_account SET currency = 'X'$$, '23514', 'currency "X" is not three letters', 'DH'),
($$UPDATE po_account SET time_zone = 'Nowhere'$$, '22023', 'time zone "Nowhere" is not known', 'H'),
($$DELETE FROM po_account WHERE account_id = 'A'$$, '23503', 'account "A" has entries in the ledger', 'H');

--
-- Orders
--
INSERT INTO bad (what, state, message, dh) VALUES
(ins('po_order', '{"account_id": null}'), '23502', 'null value in column "account_id" of relation "po_order"', 'DH'),
(ins('po_order', '{"account_id": ""}'), '23514', 'account id has 0 characters', 'DH'),
(ins('po_order', '{"po_number": null}'), '23502', 'null value in column "po_number" of relation "po_order"', 'DH'),
(ins('po_order', '{"po_number": " \t "}'), '23502', 'null value in column "po_number" of relation "po_order"', 'DH'),
(ins('po_order', jsonb_build_object('po_number', repeat('ä', 201))), '23514', 'purchase order number has 201 characters', 'DH'),
(ins('po_order', '{"po_number": "P\n1"}'), '23514', 'purchase order number contains a control character', 'DH'),
(ins('po_order', '{"po_number": "P\u007f1"}'), '23514', 'purchase order number contains a control character', 'DH'),
(ins('po_order', '{"po_number": "P\u00851"}'), '23514', 'purchase order number contains a control character', 'DH'),
(ins('po_order', '{"po_number": " P "}'), '23505', 'duplicate key value violates unique constraint "po_order_pkey"', 'D'),
(ins('po_order', '{"bill_from": null}'), '23502', 'null value in column "bill_from" of relation "po_order"', 'DH'),
(ins('po_order', '{"bill_from": "aws inc."}'), '23503', 'seller "aws inc." is not known', 'DH'),
(ins('po_order', '{"bill_from": "Off Ltd"}'), '23514', 'seller "Off Ltd" is switched off', 'H'),
(ins('po_order', '{"status": null}'), '23502', 'null value in column "status" of relation "po_order"', 'DH'),
(ins('po_order', '{"status": "Active"}'), '23514', 'status "Active" is not known', 'H'),
(ins('po_order', '{"source": "aws"}'), '23514', 'source "aws" is not known', 'H'),
(ins('po_order', '{"effective_month": null}'), '23502', 'null value in column "effective_month" of relation "po_order"', 'DH'),
(ins('po_order', '{"expiration_month": null}'), '23502', 'null value in column "expiration_month" of relation "po_order"', 'DH'),
(ins('po_order', '{"expiration_month": "2026-13"}'), '22008', 'date/time field value out of range: "2026-13"', 'DH'),
(ins('po_order', '{"expiration_month": "2026-02-30"}'), '22008', 'date/time field value out of range: "2026-02-30"', 'DH'),
(ins('po_order', '{"effective_month": "0000-12"}'), '22008', 'date/time field value out of range: "0000-12"', 'DH'),
(ins('po_order', '{"effective_month": "January"}'), '22P02', 'invalid input syntax for type po_month: "January"', 'H'),
(ins('po_order', '{"effective_month": "2026-06", "expiration_month": "2026-05"}'), '23514', 'purchase order "N" expires before it takes effect', 'DH'),
(ins('po_order', '{"currency": "EU"}'), '23514', 'currency "EU" is not three letters', 'DH'),
(ins('po_order', '{"currency": "Ä1"}'), '23514', 'currency "Ä1" is not three letters', 'DH'),
(ins('po_order', '{"tags": ["a"]}'), '23514', 'tags must be a JSON object', 'H'),
(ins('po_order', '{"tags": "a"}'), '23514', 'tags must be a JSON object', 'H'),
(ins('po_order', jsonb_build_object('tags', (SELECT jsonb_object_agg('k' || g, g) FROM generate_series(1, 51) g))), '23514', 'purchase order "N" has 51 tags', 'H'),
(ins('po_order', '{"updated_at": "2026-01-01"}'), '42501', 'column "updated_at" of "po_order" is written by po_mgmt only', 'H'),
($$INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month) VALUES ('NEW', '1', 'AWS Inc.', '2026-01', '2026-12'), ('NEW', '2', 'x', '2026-01', '2026-12')$$, '23503', 'seller "x" is not known', 'DH'),
($$UPDATE po_order SET po_number = 'Q' WHERE po_number = 'EUR'$$, '23514', 'the number and the account of a purchase order never change', 'DH'),
($$UPDATE po_order SET account_id = 'B' WHERE po_number = 'EUR'$$, '23514', 'the number and the account of a purchase order never change', 'DH'),
($$UPDATE po_order SET created_at = now()$$, '42501', 'column "created_at" of "po_order" is written by po_mgmt only', 'H'),
($$UPDATE po_order SET updated_at = now()$$, '42501', 'column "updated_at" of "po_order" is written by po_mgmt only', 'H'),
($$UPDATE po_order SET status = 'closed' WHERE po_number = 'EUR'$$, '23514', 'status "closed" is not known', 'H'),
($$UPDATE po_order SET bill_from = 'AWS EMEA SARL' WHERE po_number = 'P'$$, '55000', 'seller and currency of purchase order "P" cannot change while invoices are associated with it', 'H'),
($$UPDATE po_order SET currency = 'EUR' WHERE (account_id, po_number) = ('A', 'P')$$, '55000', 'seller and currency of purchase order "P" cannot change while invoices are associated with it', 'H'),
($$UPDATE po_order SET bill_from = 'AWS Japan' WHERE po_number = 'EMEA'$$, '23514', 'seller "AWS Japan" does not bill line type "marketplace"', 'DH'),
($$UPDATE po_order SET bill_from = 'nobody' WHERE po_number = 'EMEA'$$, '23503', 'seller "nobody" is not known', 'DH'),
($$UPDATE po_order SET expiration_month = '2026-11' WHERE (account_id, po_number) = ('A', 'P')$$, '23514', 'purchase order "P" has line items outside 2025-12 to 2026-11', 'DH'),
($$UPDATE po_order SET effective_month = '2026-03' WHERE po_number = 'EMEA'$$, '23514', 'purchase order "EMEA" has line items outside 2026-03 to 2026-12', 'DH'),
($$UPDATE po_order SET expiration_month = '2025-01' WHERE po_number = 'EUR'$$, '23514', 'purchase order "EUR" expires before it takes effect', 'DH'),
('TRUNCATE po_order CASCADE', '0A000', 'TRUNCATE on "po_order" is not allowed', 'H'),
($$SELECT po_suspend('A', 'none')$$, '23503', 'purchase order "none" does not exist in account "A"', 'H'),
($$SELECT po_activate('a', 'P')$$, '23503', 'purchase order "P" does not exist in account "a"', 'H'),
($$SELECT po_extend('A', 'none', '2027-01')$$, '23503', 'purchase order "none" does not exist in account "A"', 'H'),
($$SELECT po_extend('A', 'P', '2026-11')$$, '22023', '2026-11 does not extend purchase order "P"', 'DH');

--
-- Line items
--
INSERT INTO bad (what, state, message, dh)
SELECT ins('po_line_item', jsonb_build_object(c, NULL)), '23502', format('null value in column "%s" of relation "po_line_item"', c), 'DH'
FROM unnest('{account_id,po_number,line_number,line_type,start_month,end_month,amount,quantity,tax,tax_kind,consumed_before,balance_tracked}'::text[]) c;
INSERT INTO bad (what, state, message, dh)
SELECT ins('po_line_item', jsonb_build_object(c, v)), '23514', format('%s must not be %s', c, v), 'DH'
FROM unnest('{amount,quantity,tax,consumed_before}'::text[]) c, unnest('{NaN,Infinity,-Infinity,-0.01}'::text[]) v;
INSERT INTO bad (what, state, message, dh) VALUES
(ins('po_line_item', '{"account_id": "Z"}'), '23503', 'purchase order "P" does not exist in account "Z"', 'H'),
(ins('po_line_item', '{"po_number": "p"}'), '23503', 'purchase order "p" does not exist in account "A"', 'H'),
(ins('po_line_item', '{"line_number": " "}'), '23502', 'null value in column "line_number" of relation "po_line_item"', 'DH'),
(ins('po_line_item', '{"line_number": " 1 "}'), '23505', 'duplicate key value violates unique constraint "po_line_item_account_id_po_number_line_number_key"', 'D'),
(ins('po_line_item', jsonb_build_object('line_number', repeat('x', 201))), '23514', 'line number has 201 characters', 'DH'),
(ins('po_line_item', '{"line_number": "1\r2"}'), '23514', 'line number contains a control character', 'DH'),
(ins('po_line_item', '{"line_type": "usage.compute"}'), '23503', 'line type "usage.compute" is not known', 'DH'),
(ins('po_line_item', '{"line_type": "usage.off"}'), '23514', 'line type "usage.off" is switched off', 'H'),
(ins('po_line_item', '{"line_type": "AWS Usage"}'), '22P02', 'invalid input syntax for type po_line_type: "AWS Usage"', 'DH'),
(ins('po_line_item', '{"line_type": "all.x"}'), '22P02', 'invalid input syntax for type po_line_type: "all.x"', 'DH'),
(ins('po_line_item', '{"po_number": "JP", "line_type": "marketplace"}'), '23514', 'seller "AWS Japan" does not bill line type "marketplace"', 'DH'),
(ins('po_line_item', '{"po_number": "EMEA", "line_type": "professional_services"}'), '23514', 'seller "AWS EMEA SARL" does not bill line type "professional_services"', 'DH'),
(ins('po_line_item', '{"start_month": "2026-04", "end_month": "2026-03"}'), '23514', 'line item "N" ends before it starts', 'DH'),
(ins('po_line_item', '{"start_month": "2025-11"}'), '23514', 'the period of line item "N" is outside that of its order "P"', 'DH'),
(ins('po_line_item', '{"end_month": "2027-01"}'), '23514', 'the period of line item "N" is outside that of its order "P"', 'DH'),
(ins('po_line_item', '{"end_month": "10000-01"}'), '22P02', 'invalid input syntax for type po_month: "10000-01"', 'H'),
(ins('po_line_item', '{"tax_kind": "vat"}'), '23514', 'tax kind "vat" is not known', 'H'),
(ins('po_line_item', '{"line_type": "marketplace.transaction", "balance_tracked": true}'), '23514', 'the balance of a line item of type "marketplace.transaction" cannot be tracked', 'H'),
(ins('po_line_item', '{"line_item_id": 7}'), '42501', 'column "line_item_id" of "po_line_item" is written by po_mgmt only', 'H'),
(ins('po_line_item', '{"balance": 7}'), '42501', 'column "balance" of "po_line_item" is written by po_mgmt only', 'H'),
(ins('po_line_item', '{"updated_at": "2026-01-01"}'), '42501', 'column "updated_at" of "po_line_item" is written by po_mgmt only', 'H'),
(ins('po_line_item', '{"total_value": 7}'), '428C9', 'cannot insert a non-DEFAULT value into column "total_value"', 'D'),
($$INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, balance_tracked, amount)
	VALUES ('A', 'P', '3', 'usage', '2026-01', '2026-12', true, 1), ('A', 'P', '4', 'usage', '2026-01', '2026-12', true, -1)$$, '23514', 'amount must not be -1', 'DH'),
('UPDATE po_line_item SET line_item_id = -line_item_id', '42501', 'column "line_item_id" of "po_line_item" is written by po_mgmt only', 'H'),
('UPDATE po_line_item SET balance = 1', '42501', 'column "balance" of "po_line_item" is written by po_mgmt only', 'H'),
('UPDATE po_line_item SET created_at = now()', '42501', 'column "created_at" of "po_line_item" is written by po_mgmt only', 'H'),
('UPDATE po_line_item SET updated_at = now()', '42501', 'column "updated_at" of "po_line_item" is written by po_mgmt only', 'H'),
('UPDATE po_line_item SET total_value = 1', '428C9', 'column "total_value" can only be updated to DEFAULT', 'D'),
($$UPDATE po_line_item SET po_number = 'EUR'$$, '23514', 'a line item stays on its order', 'H'),
($$UPDATE po_line_item SET account_id = 'B' WHERE account_id = 'A'$$, '23514', 'a line item stays on its order', 'H'),
($$UPDATE po_line_item SET line_number = '9' WHERE (account_id, line_number) = ('A', '1') AND po_number = 'P'$$, '55000', 'the number of line item "1" cannot change while invoices are associated with it', 'H'),
($$UPDATE po_line_item SET line_number = NULL$$, '23502', 'null value in column "line_number" of relation "po_line_item"', 'DH'),
($$UPDATE po_line_item SET end_month = '2027-01' WHERE account_id = 'B'$$, '23514', 'the period of line item "1" is outside that of its order "P"', 'DH'),
($$UPDATE po_line_item SET amount = 'NaN'$$, '23514', 'amount must not be NaN', 'DH'),
($$UPDATE po_line_item SET line_type = 'professional_services' WHERE po_number = 'EMEA'$$, '23514', 'seller "AWS EMEA SARL" does not bill line type "professional_services"', 'DH'),
($$UPDATE po_line_item SET line_type = 'marketplace.transaction' WHERE account_id = 'B'$$, '23514', 'the balance of a line item of type "marketplace.transaction" cannot be tracked', 'H'),
('TRUNCATE po_line_item', '0A000', 'TRUNCATE on "po_line_item" is not allowed', 'H');

--
-- Contacts, members
--
INSERT INTO bad (what, state, message, dh)
SELECT ins('po_contact', jsonb_build_object('email', v)), '23514', format('"%s" is not an e-mail address', v), 'H'
FROM unnest(ARRAY['', 'ap', '@example.com', 'ap@', 'a@b@c', 'a b@example.com', 'a@example.com,b@example.com', 'a;@b', '<a@b>', '"a"@b', E'a@b\nBcc: x@y', E'a@b\r', repeat('x', 320) || '@y']) v;
INSERT INTO bad (what, state, message, dh) VALUES
(ins('po_contact', '{"email": null}'), '23502', 'null value in column "email" of relation "po_contact"', 'DH'),
(ins('po_contact', '{"account_id": null}'), '23502', 'null value in column "account_id" of relation "po_contact"', 'DH'),
(ins('po_contact', '{"po_number": " "}'), '23502', 'null value in column "po_number" of relation "po_contact"', 'DH'),
(ins('po_contact', '{"po_number": "Q"}'), '23503', 'purchase order "Q" does not exist in account "A"', 'H'),
(ins('po_contact', '{"account_id": "Q"}'), '23503', 'purchase order "P" does not exist in account "Q"', 'H'),
(ins('po_contact', '{"email": "ap@example.com", "po_number": " P"}'), '23505', 'duplicate key value violates unique constraint "po_contact_pkey"', 'D'),
($$UPDATE po_contact SET po_number = 'EUR'$$, '23514', 'a contact stays with its order', 'H'),
($$UPDATE po_contact SET account_id = 'B'$$, '23514', 'a contact stays with its order', 'H'),
($$UPDATE po_contact SET created_at = now()$$, '42501', 'column "created_at" of "po_contact" is written by po_mgmt only', 'H'),
($$UPDATE po_contact SET email = 'nobody'$$, '23514', '"nobody" is not an e-mail address', 'H'),
($$INSERT INTO po_account_member VALUES ('m', 'nobody')$$, '23503', 'account "nobody" is not known', 'D'),
($$INSERT INTO po_account_member VALUES ('A', 'A')$$, '23514', 'new row for relation "po_account_member" violates check constraint "po_account_member_check"', 'D');

--
-- Invoices
--
INSERT INTO bad (what, state, message, dh)
SELECT ins('po_invoice', jsonb_build_object(c, NULL)), '23502', format('null value in column "%s" of relation "po_invoice"', c), 'DH'
FROM unnest('{account_id,bill_from,invoice_id,line_type,billing_month,amount}'::text[]) c;
INSERT INTO bad (what, state, message, dh)
SELECT ins('po_invoice', jsonb_build_object(c, v)), '42501', format('column "%s" of "po_invoice" is written by po_mgmt only', c), 'H'
FROM (VALUES ('line_item_id', '1'), ('association_kind', 'manual'), ('associated_at', '2026-01-01'), ('associated_by', 'me'), ('voided_at', '2026-01-01')) v(c, v);
INSERT INTO bad (what, state, message, dh) VALUES
(ins('po_invoice', '{"account_id": ""}'), '23514', 'account id has 0 characters', 'DH'),
(ins('po_invoice', '{"invoice_id": ""}'), '23514', 'invoice id has 0 characters', 'DH'),
(ins('po_invoice', jsonb_build_object('invoice_id', repeat('x', 201))), '23514', 'invoice id has 201 characters', 'DH'),
(ins('po_invoice', '{"invoice_id": "1\t"}'), '23514', 'invoice id contains a control character', 'DH'),
(ins('po_invoice', '{"invoice_id": "I1", "bill_from": "Amazon Web Services, Inc."}'), '23505', 'duplicate key value violates unique constraint "po_invoice_pkey"', 'D'),
(ins('po_invoice', '{"line_type": "Usage!"}'), '22P02', 'invalid input syntax for type po_line_type: "Usage!"', 'DH'),
(ins('po_invoice', '{"billing_month": "2026-2"}'), '22P02', 'invalid input syntax for type po_month: "2026-2"', 'H'),
(ins('po_invoice', '{"billing_month": "0000-01"}'), '22008', 'date/time field value out of range: "0000-01"', 'DH'),
(ins('po_invoice', '{"amount": "NaN"}'), '23514', 'amount of an invoice must not be NaN', 'DH'),
(ins('po_invoice', '{"amount": "Infinity"}'), '23514', 'amount of an invoice must not be Infinity', 'DH'),
(ins('po_invoice', '{"amount": "-Infinity"}'), '23514', 'amount of an invoice must not be -Infinity', 'DH'),
(ins('po_invoice', '{"kind": "bill"}'), '23514', 'kind "bill" of an invoice is not known', 'H'),
(ins('po_invoice', '{"kind": "credit_memo"}'), '23514', 'amount 10 does not fit kind "credit_memo"', 'H'),
(ins('po_invoice', '{"kind": "invoice", "amount": -10}'), '23514', 'amount -10 does not fit kind "invoice"', 'H'),
(ins('po_invoice', '{"currency": "DOLLAR"}'), '23514', 'currency "DOLLAR" is not three letters', 'DH'),
(ins('po_invoice', '{"issued_on": "infinity"}'), '22008', 'date of issue out of range: infinity', 'H'),
(ins('po_invoice', '{"issued_on": "0001-01-01 BC", "account_id": "unknown"}'), '22008', 'date of issue out of range: 0001-01-01 BC', 'H'),
(ins('po_invoice', '{"line_number": "1"}'), '23514', 'line_number was given without po_number', 'H'),
(ins('po_invoice', '{"po_number": "Q"}'), '23503', 'purchase order "Q" does not exist in account "A"', 'H'),
(ins('po_invoice', '{"po_number": "P", "account_id": "unknown"}'), '23503', 'purchase order "P" does not exist in account "unknown"', 'H'),
(ins('po_invoice', '{"po_number": "P", "line_number": "9"}'), '23503', 'purchase order "P" has no line item "9"', 'H'),
(ins('po_invoice', '{"po_number": "EMEA"}'), '23514', 'invoice "N" is not from the seller of purchase order "EMEA"', 'H'),
(ins('po_invoice', '{"po_number": "EUR"}'), '23514', 'invoice "N" is not in the currency of purchase order "EUR"', 'H'),
(ins('po_invoice', '{"po_number": "NONE"}'), '23514', 'purchase order "NONE" has no single line item for invoice "N"', 'H'),
(ins('po_invoice', '{"po_number": "P", "line_type": "subscription"}'), '23514', 'purchase order "P" has no single line item for invoice "N"', 'H'),
(ins('po_invoice', '{"amount": -5, "currency": "EUR", "original_invoice_id": "I1"}'), '23514', 'credit memo "N" is in another currency than its original invoice', 'H'),
(ins('po_invoice', '{"billing_month": "2025-12"}'), '55000', 'billing month 2025-12 of account "A" is closed', 'DH'),
($$INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount) VALUES
	('A', 'AWS Inc.', 'N1', 'usage', '2026-02', 1), ('A', 'AWS Inc.', 'N2', 'usage', '2026-02', 'NaN')$$, '23514', 'amount of an invoice must not be NaN', 'DH'),
($$INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount) VALUES
	('A', 'AWS Inc.', 'N1', 'usage', '2026-02', 1), ('A', 'AWS Inc.', 'N1', 'usage', '2026-02', 1)$$, '23505', 'duplicate key value violates unique constraint "po_invoice_pkey"', 'D'),
($$DELETE FROM po_invoice WHERE invoice_id = 'OLD'$$, '55000', 'billing month 2025-12 of account "A" is closed', 'DH'),
($$UPDATE po_invoice SET amount = 8 WHERE invoice_id = 'OLD'$$, '55000', 'billing month 2025-12 of account "A" is closed', 'DH'),
($$UPDATE po_invoice SET amount = -8 WHERE invoice_id = 'I1'$$, '23514', 'amount -8 does not fit kind "invoice"', 'H'),
($$UPDATE po_invoice SET amount = NULL WHERE invoice_id = 'I1'$$, '23502', 'null value in column "amount" of relation "po_invoice"', 'DH'),
('TRUNCATE po_invoice', '0A000', 'TRUNCATE on "po_invoice" is not allowed', 'H');
INSERT INTO bad (what, state, message, dh)
SELECT format('UPDATE po_invoice SET %s = %s WHERE invoice_id = %L', c, v, i), '42501', format('column "%s" of "po_invoice" is written by po_mgmt only', c), 'H'
FROM (VALUES ('po_number', '''EUR'''), ('line_number', '''2'''), ('line_item_id', '-1'), ('association_kind', '''credit'''), ('associated_at', 'now()'),
	('associated_by', '''me'''), ('voided_at', 'now()'), ('recorded_at', 'now()')) v(c, v), unnest('{I1,FREE}'::text[]) i;
INSERT INTO bad (what, state, message, dh)
SELECT format('UPDATE po_invoice SET %s = %s WHERE invoice_id = ''I1''', c, v), '55000', format('column "%s" of invoice "I1" cannot change while the invoice is associated', c), 'DH'
FROM (VALUES ('account_id', '''B'''), ('bill_from', '''AWS EMEA SARL'''), ('invoice_id', '''J'''), ('line_type', '''all'''), ('billing_month', '''2026-03'''),
	('issued_on', '''2020-01-01'''), ('currency', '''EUR'''), ('tax_registration_number', '''1'''), ('agreement_id', '''1'''), ('requested_po_number', '''P'''),
	('requested_line_number', '''1'''), ('out_of_cycle', 'true'), ('original_invoice_id', '''OLD''')) v(c, v);

--
-- Ledger and change log
--
INSERT INTO bad (what, state, message, dh) VALUES
($$INSERT INTO po_ledger (entry_id, account_id, line_item_id, po_number, line_number, entry_kind, amount, recorded_by) VALUES (1, 'A', 1, 'P', '1', 'opening', 1, 'me')$$, '42501', 'INSERT on "po_ledger" is not allowed', 'H'),
('UPDATE po_ledger SET note = NULL', '42501', 'UPDATE on "po_ledger" is not allowed', 'H'),
('DELETE FROM po_ledger', '42501', 'DELETE on "po_ledger" is not allowed', 'H'),
('TRUNCATE po_ledger', '0A000', 'TRUNCATE on "po_ledger" is not allowed', 'H'),
($$INSERT INTO po_change_log (change_id, account_id, po_number, operation, changed_by) VALUES (1, 'A', 'P', 'update', 'me')$$, '42501', 'INSERT on "po_change_log" is not allowed', 'H'),
('TRUNCATE po_change_log', '0A000', 'TRUNCATE on "po_change_log" is not allowed', 'H');

--
-- Matching, and the functions
--
INSERT INTO bad (what, state, message, dh)
SELECT format('SELECT * FROM po_%s(%s)', f, array_to_string(args[:n - 1] || 'NULL'::text || args[n + 1:], ', ')), '22004', names[n] || ' of the invoice must not be null', 'DH'
FROM (VALUES (ARRAY['''A''', '''AWS Inc.''', '''usage''', '''2026-02''', '10'], '{account_id,bill_from,line_type,billing_month,amount}'::text[])) v(args, names),
	generate_series(1, 5) n, unnest('{match_invoice,explain_match}'::text[]) f;
INSERT INTO bad (what, state, message, dh)
SELECT format('SELECT * FROM po_%s(%s)', f, a), state, message, dh FROM unnest('{match_invoice,explain_match}'::text[]) f, (VALUES
	('NULL::po_invoice', '22004', 'the row of the invoice must not be null', 'DH'),
	('jsonb_populate_record(null::po_invoice, ''{"account_id": "A", "bill_from": "AWS Inc.", "line_type": "usage", "amount": 1}'')', '22004', 'billing_month of the invoice must not be null', 'DH'),
	('''A'', ''AWS Inc.'', ''usage'', ''2026-02'', ''NaN''', '22023', 'amount of the invoice must be a finite number, not NaN', 'DH'),
	('''A'', ''AWS Inc.'', ''usage'', ''2026-02'', ''-Infinity''', '22023', 'amount of the invoice must be a finite number, not -Infinity', 'DH'),
	('''A'', ''AWS Inc.'', ''usage'', ''2026-02'', 1, max_rank => 0', '22023', 'max_rank 0 is less than 1', 'H'),
	('''A'', ''AWS Inc.'', ''usage'', ''2026-02'', 1, issued_on => ''infinity''', '22008', 'date of issue out of range', 'H'),
	('''A'', ''AWS Inc.'', ''usage'', ''2026-14'', 1', '22008', 'date/time field value out of range: "2026-14"', 'DH'),
	('''A'', ''AWS Inc.'', ''usage..x'', ''2026-02'', 1', '22P02', 'invalid input syntax for type po_line_type: "usage..x"', 'DH')) v(a, state, message, dh);

SELECT plan((SELECT count(*) FROM bad)::int + 14);
SELECT is(said(what, dh), format('%s %s', state, message), regexp_replace(coalesce(substring(what FROM '/\* (.*) \*/'), left(what, 160)), '\s+', ' ', 'g')) FROM bad ORDER BY n;

-- nulls and blanks of what changes an order; the wording is the function's
SELECT matches(said(f, 'H'), '^22004 .*(?<!HINT)$', f) FROM unnest(ARRAY['SELECT po_suspend(NULL, ''P'')', 'SELECT po_activate(''A'', NULL)',
	'SELECT po_extend(''A'', ''P'', NULL)']) f;
SELECT matches(said(f, 'H'), '^(22004|23503|23514) .*(?<!HINT)$', f) FROM unnest(ARRAY['SELECT po_suspend(''A'', ''  '')', 'SELECT po_activate(''A'', '''')',
	'SELECT po_extend(''A'', '' '', ''2027-01'')']) f;

-- a credit memo's amount of 0 fits both kinds, and nothing to trim is nothing
SELECT lives_ok(ins('po_invoice', '{"invoice_id": "Z1", "amount": 0, "kind": "credit_memo"}'), 'a credit memo of 0');
SELECT lives_ok(ins('po_invoice', '{"invoice_id": "Z2", "amount": 0, "po_number": "  ", "requested_po_number": " ", "requested_line_number": ""}'), 'blank numbers are none');
SELECT lives_ok(ins('po_order', jsonb_build_object('po_number', repeat('ä', 200))), 'a number of 200 characters');
SELECT lives_ok(ins('po_order', '{"po_number": "forever", "effective_month": "0001-01", "expiration_month": "9999-12"}'), '9999-12 is no end');
SELECT lives_ok(ins('po_line_item', '{"po_number": "forever", "start_month": "0001-01", "end_month": "9999-12", "line_number": "1", "line_type": "subscription"}'), 'of line items, too');

-- after all these errors, in the same transaction
SELECT lives_ok(ins('po_invoice', '{"amount": 50}'), 'after the errors an invoice is booked');
SELECT is((SELECT balance FROM po_line_item WHERE (account_id, po_number, line_number) = ('A', 'P', '1')), 1000 - 100 - 7 - 50::numeric, 'what failed has moved nothing');
SELECT is_empty('SELECT * FROM po_check_integrity()', 'the books are right');
SELECT finish();
ROLLBACK;
