-- references.sql: what a row refers to. Our triggers ask whether it is there, history comes in any
-- order (pg_restore -j), foreign keys do what a delete means, and po_check_integrity() tells what
-- refers to nothing. (Two sessions at once: test/specs/session_reference.spec.)
BEGIN;
SELECT plan(35);

-- every foreign key of the extension, whichever there are
CREATE TEMP VIEW refs AS
	SELECT k.oid, k.conname, k.conrelid, k.confrelid FROM pg_constraint k
	JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = k.conrelid AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
	JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'po_mgmt'
	WHERE k.contype = 'f';
SELECT cmp_ok((SELECT count(*) FROM refs)::int, '>=', 9, 'there are foreign keys');
SELECT is_empty($$SELECT r.conname, t.tgname FROM refs r JOIN pg_trigger t ON t.tgconstraint = r.oid
	WHERE t.tgenabled <> CASE WHEN t.tgrelid = r.conrelid THEN 'D' ELSE 'O' END$$,
	'the check of a new row is switched off in each, what a delete does is not');
SELECT is((SELECT count(*) FROM pg_trigger t JOIN refs r ON r.oid = t.tgconstraint)::int, (SELECT 4 * count(*) FROM refs)::int, 'these are all of their triggers');

CREATE FUNCTION tried(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE statement;
	RETURN 'ok';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month) VALUES ('A', 'P', 'AWS Inc.', '2000-01', '9999-12');
INSERT INTO po_account (account_id) VALUES ('B');
INSERT INTO po_account_member (member_account_id, account_id) VALUES ('M', 'B');
INSERT INTO po_seller (bill_from) VALUES ('S');
INSERT INTO po_taxonomy (line_type) VALUES ('tolls');

--
-- New rows and changed ones
--
SELECT is(tried(s), e, s) FROM (VALUES
	($$INSERT INTO po_seller_alias (alias, bill_from) VALUES ('x', 'X')$$, '23503 seller "X" is not known'),
	($$INSERT INTO po_seller_alias (alias, bill_from) VALUES ('AISPL', 'X')$$, '23503 seller "X" is not known'),
	($$UPDATE po_seller_alias SET bill_from = 'X' WHERE alias = 'AISPL'$$, '23503 seller "X" is not known'),
	($$INSERT INTO po_seller_line_type (bill_from, line_type) VALUES ('X', 'usage')$$, '23503 seller "X" is not known'),
	($$INSERT INTO po_seller_line_type (bill_from, line_type) VALUES ('S', 'x')$$, '23503 line type "x" is not known'),
	($$INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month) VALUES ('A', 'Q', 'X', '2000-01', '9999-12')$$, '23503 seller "X" is not known'),
	($$UPDATE po_order SET bill_from = 'X'$$, '23503 seller "X" is not known'),
	($$INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, amount) VALUES ('A', 'X', '1', 'all', '2026-01', '2026-01', 1)$$, '23503 purchase order "X" does not exist in account "A"'),
	($$INSERT INTO po_contact (account_id, po_number, email) VALUES ('A', 'X', 'a@b')$$, '23503 purchase order "X" does not exist in account "A"'),
	($$INSERT INTO po_account_member (member_account_id, account_id) VALUES ('N', 'X')$$, '23503 account "X" is not known'),
	($$UPDATE po_account_member SET account_id = 'X'$$, '23503 account "X" is not known'),
	($$INSERT INTO po_notification (notification_id, account_id, po_number, kind, recipients, subject, body) VALUES (1, 'A', 'X', 'balance', '{}', '', '')$$, '23503 purchase order "X" does not exist in account "A"'),
	-- what stays as it is is not asked for again
	($$UPDATE po_seller_alias SET enabled = false WHERE alias = 'AISPL'$$, 'ok'),
	($$INSERT INTO po_seller_line_type (bill_from, line_type) VALUES ('S', 'tolls')$$, 'ok'),
	($$INSERT INTO po_seller_alias (alias, bill_from) VALUES ('ess', 'S')$$, 'ok')) v(s, e);

--
-- Deletes
--
SELECT alike(tried(s), e, s) FROM (VALUES
	($$DELETE FROM po_seller WHERE bill_from = 'S'$$, '23503 update or delete on table "po_seller" violates foreign key constraint%'),
	($$DELETE FROM po_taxonomy WHERE line_type = 'tolls'$$, '23503 update or delete on table "po_taxonomy" violates foreign key constraint%'),
	($$DELETE FROM po_account WHERE account_id = 'B'$$, '23503 update or delete on table "po_account" violates foreign key constraint "po_account_member_%'),
	($$DELETE FROM po_account WHERE account_id = 'A'$$, '23503 update or delete on table "po_account" violates foreign key constraint "po_order_%'),
	($$UPDATE po_seller SET bill_from = 'S2' WHERE bill_from = 'S'$$, '23503 update or delete on table "po_seller" violates foreign key constraint%')) v(s, e);

--
-- History: whatever is there already
--
INSERT INTO po_notification (notification_id, account_id, po_number, kind, recipients, subject, body, created_at) VALUES (7, 'H', 'P1', 'balance', '{}', '', '', '2020-01-01');
INSERT INTO po_contact (account_id, po_number, email, created_at) VALUES ('H', 'P1', 'a@b', '2020-01-01');
INSERT INTO po_line_item (line_item_id, account_id, po_number, line_number, line_type, start_month, end_month, amount, created_at, updated_at)
	VALUES (-1, 'H', 'P1', '1', 'all', '2026-01', '2026-01', 1, '2020-01-01', '2020-01-01');
INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month, currency, created_at, updated_at)
	VALUES ('H2', 'P2', 'HS', '2026-01', '2026-12', 'USD', '2020-01-01', '2020-01-01');
INSERT INTO po_account_member (member_account_id, account_id, created_at) VALUES ('HM', 'H2', '2020-01-01');
INSERT INTO po_seller_alias (alias, bill_from, created_at) VALUES ('ha', 'HS', '2020-01-01'), ('AWS Europe', 'HS', '2020-01-01');
INSERT INTO po_seller_line_type (bill_from, line_type, created_at) VALUES ('HS', 'ht', '2020-01-01');
SELECT set_eq('SELECT account_id, po_number, line_number, line_item_id, violation, expected FROM po_check_integrity()', $$VALUES
	('H', 'P1', NULL, NULL::bigint, 'the order of notification 7 does not exist', 'P1'),
	('H', 'P1', NULL, NULL, 'the order of contact a@b does not exist', 'P1'),
	('H', 'P1', '1', -1, 'the order of a line item does not exist', 'P1'),
	('H2', 'P2', NULL, NULL, 'the account of an order does not exist', 'H2'),
	('H2', 'P2', NULL, NULL, 'the seller of an order does not exist', 'HS'),
	('H2', NULL, NULL, NULL, 'the payer of member HM does not exist', 'H2'),
	(NULL, NULL, NULL, NULL, 'the seller of alias ha does not exist', 'HS'),
	(NULL, NULL, NULL, NULL, 'the seller of alias AWS Europe does not exist', 'HS'),
	(NULL, NULL, NULL, NULL, 'the seller of type ht does not exist', 'HS'),
	(NULL, NULL, NULL, NULL, 'the type that HS bills does not exist', 'ht')$$,
	'rows of history before what they refer to: po_check_integrity() names each');
INSERT INTO po_seller (bill_from, created_at) VALUES ('HS', '2020-01-01');
INSERT INTO po_taxonomy (line_type, created_at) VALUES ('ht', '2020-01-01');
INSERT INTO po_account (account_id, created_at, booked_at) VALUES ('H', '2020-01-01', '2020-01-01'), ('H2', '2020-01-01', '2020-01-01');
INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month, currency, created_at, updated_at)
	VALUES ('H', 'P1', 'HS', '2026-01', '2026-12', 'USD', '2020-01-01', '2020-01-01');
SELECT is_empty('SELECT * FROM po_check_integrity()', 'and nothing when that has come, too');
SELECT is((SELECT string_agg(DISTINCT created_at::date::text, ' ') FROM (
		SELECT created_at FROM po_seller WHERE bill_from = 'HS' UNION ALL SELECT created_at FROM po_taxonomy WHERE line_type = 'ht'
		UNION ALL SELECT created_at FROM po_seller_alias WHERE bill_from = 'HS' UNION ALL SELECT created_at FROM po_seller_line_type WHERE bill_from = 'HS') x),
	'2020-01-01', 'reference data keeps its time, seeds too');

--
-- created_at of reference data
--
SELECT is((SELECT count(*) FROM po_seller WHERE created_at IS NOT NULL AND seeded)::int, 13, 'seeds have a time');
SELECT is(tried($$INSERT INTO po_seller (bill_from, description) VALUES ('AWS Japan', 'Nippon')$$), 'ok', 'an insert of a seed without it');
SELECT is((SELECT created_at FROM po_seller WHERE bill_from = 'AWS Japan'), (SELECT created_at FROM po_seller WHERE bill_from = 'AWS Korea'), 'leaves the seed''s');
SELECT is((SELECT created_at > now() - interval '1 day' FROM po_seller WHERE bill_from = 'S'), true, 'a new row gets one');
SELECT is(tried($$UPDATE po_seller SET created_at = now()$$), '42501 column "created_at" of "po_seller" is written by po_mgmt only', 'and it stays');
DELETE FROM po_order WHERE account_id = 'H';
SELECT is((SELECT count(*) FROM po_line_item WHERE account_id = 'H')::int + (SELECT count(*) FROM po_contact WHERE account_id = 'H')::int
	+ (SELECT count(*) FROM po_notification WHERE account_id = 'H')::int, 0, 'a deleted order takes along what is on it');
SELECT is(tried('DELETE FROM po_account_member'), 'ok', 'a member may go');
SELECT is(tried('DELETE FROM po_account WHERE account_id = ''B'''), 'ok', 'and its payer then');
SELECT is_empty('SELECT * FROM po_check_integrity()', 'nothing dangles');

SELECT finish();
ROLLBACK;
