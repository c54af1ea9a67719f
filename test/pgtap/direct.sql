-- test/pgtap/direct.sql: the books are written without a statement where a table is as we made it. What
-- users add to these tables acts as it would on a statement: constraints, indexes, columns, triggers, rules.
BEGIN;
SELECT plan(33);
SET LOCAL client_min_messages = warning;
-- (before there are rows, or this transaction could not use them)
CREATE INDEX by_balance ON po_line_item (balance);
CREATE INDEX by_time ON po_account (booked_at);
INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month) VALUES ('A', 'P', 'AWS Inc.', '2026-01', '2026-12'), ('B', 'P', 'AWS Inc.', '2026-01', '2026-12');
INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, balance_tracked, amount) VALUES ('A', 'P', '1', 'all', '2026-01', '2026-12', true, 1000), ('B', 'P', '1', 'all', '2026-01', '2026-12', false, 1000);
CREATE SEQUENCE number;
-- books an invoice of 1, or so much, and says what is left, by the line item and by the ledger
CREATE FUNCTION book(amount numeric DEFAULT 1) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount) VALUES ('A', 'AWS Inc.', nextval('number'), 'usage', '2026-02', book.amount);
	RETURN (SELECT balance FROM po_line_item WHERE account_id = 'A') || ' ' || (SELECT balance_after FROM po_ledger WHERE account_id = 'A' ORDER BY entry_id DESC LIMIT 1);
END $$;
CREATE FUNCTION plan_of(query text) RETURNS SETOF text LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY EXECUTE 'EXPLAIN (COSTS OFF) ' || query; END $$;

--
-- Indexes on the columns that bookings write: no heap-only updates
--
SELECT is(book(), '999 999', 'with indexes on the columns that bookings write');
SET LOCAL enable_seqscan = off;
SET LOCAL enable_bitmapscan = off;
SELECT matches((SELECT string_agg(p, ' ') FROM plan_of('SELECT FROM po_line_item WHERE balance = 999') p), 'by_balance', 'one is asked');
SELECT is((SELECT count(*) FROM po_line_item WHERE balance = 999), 1::bigint, 'and has the new balance');
SELECT matches((SELECT string_agg(p, ' ') FROM plan_of('SELECT FROM po_account WHERE booked_at = now()') p), 'by_time', 'the other one is asked');
SELECT is((SELECT count(*) FROM po_account a WHERE booked_at = (SELECT max(recorded_at) FROM po_ledger)), 1::bigint, 'and has the time');
RESET enable_seqscan;
RESET enable_bitmapscan;
DROP INDEX by_balance, by_time;

--
-- Constraints
--
ALTER TABLE po_line_item ADD CONSTRAINT enough CHECK (balance >= 990);
SELECT is(book(), '998 998', 'a CHECK on balances that holds');
SELECT throws_ok('SELECT book(9)', '23514', 'new row for relation "po_line_item" violates check constraint "enough"', 'and one that does not');
ALTER TABLE po_line_item DROP CONSTRAINT enough;
ALTER TABLE po_ledger ADD CONSTRAINT small CHECK (amount > -9);
SELECT is(book(), '997 997', 'a CHECK on the ledger that holds');
SELECT throws_ok('SELECT book(9)', '23514', 'new row for relation "po_ledger" violates check constraint "small"', 'and one that does not');
ALTER TABLE po_ledger DROP CONSTRAINT small;
ALTER TABLE po_account ADD CONSTRAINT young CHECK (booked_at < '2020-01-01') NOT VALID;
SELECT throws_ok('SELECT book()', '23514', 'new row for relation "po_account" violates check constraint "young"', 'a CHECK on accounts');
ALTER TABLE po_account DROP CONSTRAINT young;
SELECT is(book(), '996 996', 'without them');
ALTER TABLE po_ledger ALTER balance_after SET NOT NULL;
SELECT throws_ok($$INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount) VALUES ('B', 'AWS Inc.', '1', 'usage', '2026-02', 1)$$, '23502', NULL, 'a NOT NULL on the ledger');
ALTER TABLE po_ledger ALTER balance_after DROP NOT NULL;
ALTER TABLE po_ledger ADD CONSTRAINT one_amount UNIQUE (account_id, line_item_id, amount, invoice_id) DEFERRABLE INITIALLY DEFERRED;
SELECT is(book(), '995 995', 'a deferrable constraint');
SELECT lives_ok('SET CONSTRAINTS ALL IMMEDIATE', 'that holds');
ALTER TABLE po_ledger DROP CONSTRAINT one_amount;
CREATE UNIQUE INDEX two_amounts ON po_ledger (account_id, (- amount)) WHERE amount < -5;
SELECT is(book(6), '989 989', 'a unique index on an expression, with a condition');
SELECT throws_ok('SELECT book(6)', '23505', 'duplicate key value violates unique constraint "two_amounts"', 'refuses a second entry');
DROP INDEX two_amounts;

--
-- Triggers and rules
--
CREATE TABLE seen (what text);
CREATE FUNCTION see() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN INSERT INTO seen VALUES (TG_TABLE_NAME || ' ' || lower(TG_OP) || ' ' || lower(TG_LEVEL)); RETURN NULL; END $$;
CREATE FUNCTION all_seen() RETURNS text LANGUAGE sql AS $$ SELECT string_agg(what, ', ' ORDER BY what) FROM seen $$;
CREATE TRIGGER see AFTER UPDATE ON po_account FOR EACH STATEMENT EXECUTE FUNCTION see();
CREATE TRIGGER see AFTER UPDATE ON po_line_item FOR EACH ROW EXECUTE FUNCTION see();
CREATE TRIGGER see AFTER INSERT ON po_ledger FOR EACH ROW EXECUTE FUNCTION see();
SELECT is(book(), '988 988', 'triggers of the user''s');
SELECT is(all_seen(), 'po_account update statement, po_ledger insert row, po_line_item update row', 'fire');
DROP TRIGGER see ON po_account;
DROP TRIGGER see ON po_line_item;
DROP TRIGGER see ON po_ledger;
TRUNCATE seen;
SELECT is(book() || coalesce(all_seen(), ''), '987 987', 'and no more when they are gone');
CREATE RULE see AS ON INSERT TO po_ledger DO ALSO INSERT INTO seen VALUES ('rule');
SELECT is(book(), '986 986', 'a rule on the ledger');
SELECT is(all_seen(), 'rule', 'acts');
DROP RULE see ON po_ledger;

--
-- Columns
--
ALTER TABLE po_line_item ADD spent numeric GENERATED ALWAYS AS (amount - balance) STORED;
SELECT is(book(), '985 985', 'a generated column');
SELECT is((SELECT spent FROM po_line_item WHERE account_id = 'A'), 15::numeric, 'is computed');
ALTER TABLE po_line_item DROP spent;
ALTER TABLE po_ledger ADD checked text NOT NULL DEFAULT 'no';
SELECT is(book(), '984 984', 'a column with a default in the ledger');
SELECT is((SELECT checked FROM po_ledger ORDER BY entry_id DESC LIMIT 1), 'no', 'has it');
ALTER TABLE po_ledger DROP checked;
SELECT is(book(), '983 983', 'one that was dropped');

--
-- Attached tables write rows of po_invoice, too
--
CREATE TABLE bill (account text, seller text, number text, charge text, month text, total numeric, ordered text, PRIMARY KEY (account, seller, number));
SELECT po_attach('bill', '{"account_id": "account", "bill_from": "seller", "invoice_id": "number", "line_type": "charge", "billing_month": "month", "amount": "total", "po_number": "ordered"}') \g /dev/null
CREATE FUNCTION bill(number text) RETURNS text LANGUAGE sql AS $$
	INSERT INTO bill VALUES ('A', 'AWS Inc.', number, 'usage', '2026-02', 1) RETURNING ordered $$;
SELECT is(bill('b1'), 'P', 'a row of an attached table');
SELECT is((SELECT po_number FROM po_invoice WHERE invoice_id = 'b1'), 'P', 'is an invoice');
ALTER TABLE po_invoice ADD CONSTRAINT no_b2 CHECK (invoice_id <> 'b2');
SELECT throws_ok($$SELECT bill('b2')$$, '23514', NULL, 'a CHECK on invoices');
ALTER TABLE po_invoice DROP CONSTRAINT no_b2;
CREATE TRIGGER see AFTER INSERT ON po_invoice FOR EACH ROW EXECUTE FUNCTION see();
TRUNCATE seen;
SELECT is(bill('b3') || ' ' || all_seen(), 'P po_invoice insert row', 'a trigger on invoices');

--
-- What no statement could do
--
SELECT is((SELECT count(*) FROM po_check_integrity()), 0::bigint, 'the books are right');
SELECT is((SELECT balance FROM po_line_item WHERE account_id = 'A'), 981::numeric, 'to the last invoice');
SELECT set_config('transaction_read_only', 'on', true) \g /dev/null
SELECT throws_ok($$SELECT po_release_invoice('A', 'AWS Inc.', '1', 'x')$$, '25006', 'cannot execute UPDATE in a read-only transaction', 'a transaction that only reads');
SELECT * FROM finish();
ROLLBACK;
