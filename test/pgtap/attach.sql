-- test/pgtap/attach.sql: a billing schema of another shape than ours (uuid keys, an enum of charge
-- kinds, dates, amounts in cents, partitioned by month, its own triggers) is attached, loaded by COPY,
-- corrected and detached (section 5, "Existing schemas"). After every step its rows and ours agree.
BEGIN;
SELECT plan(95);
SET LOCAL client_min_messages = warning;

INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month) VALUES
	('11111111-1111-1111-1111-111111111111', 'PO-1', 'AWS Inc.', '2026-01', '2027-12'),
	('11111111-1111-1111-1111-111111111111', 'PO-2', 'AWS Inc.', '2026-01', '2027-12');
INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, balance_tracked, amount) VALUES
	('11111111-1111-1111-1111-111111111111', 'PO-1', '1', 'usage', '2026-01', '2027-12', true, 1000),
	('11111111-1111-1111-1111-111111111111', 'PO-1', '2', 'subscription', '2026-01', '2027-12', true, 500),
	('11111111-1111-1111-1111-111111111111', 'PO-2', '9', 'marketplace', '2026-01', '2027-12', false, 0);

--
-- Their schema
--
CREATE SCHEMA "Billing ""X""";
SET LOCAL search_path = "Billing ""X""", public;
CREATE TYPE kind AS ENUM ('RI', 'metered', 'refund', 'unknown');
CREATE TABLE charge (
	id uuid NOT NULL, customer uuid NOT NULL DEFAULT '11111111-1111-1111-1111-111111111111',
	"Seller Name" varchar(80) NOT NULL DEFAULT 'Amazon Web Services, Inc.',
	what kind NOT NULL, billed_on date NOT NULL, cents bigint NOT NULL,
	total numeric GENERATED ALWAYS AS (cents * 0.01) STORED,
	"of" uuid, po varchar(200), line text, note text, seq bigint GENERATED ALWAYS AS IDENTITY,
	PRIMARY KEY (billed_on, id)
) PARTITION BY RANGE (billed_on);
CREATE TABLE charge_10 PARTITION OF charge FOR VALUES FROM ('2026-10-01') TO ('2026-11-01');
-- another order of columns, and some that were dropped
CREATE TABLE charge_11 (gone integer, line text, po varchar(200), seq bigint NOT NULL, cents bigint NOT NULL, gone2 text,
	total numeric GENERATED ALWAYS AS (cents * 0.01) STORED, "of" uuid, note text, billed_on date NOT NULL, what kind NOT NULL,
	"Seller Name" varchar(80) NOT NULL DEFAULT 'Amazon Web Services, Inc.',
	customer uuid NOT NULL DEFAULT '11111111-1111-1111-1111-111111111111', id uuid NOT NULL);
ALTER TABLE charge_11 DROP gone, DROP gone2;
ALTER TABLE charge ATTACH PARTITION charge_11 FOR VALUES FROM ('2026-11-01') TO ('2026-12-01');
CREATE TABLE audit (op text, po text);
CREATE FUNCTION audit() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN INSERT INTO audit VALUES (tg_op, new.po); RETURN new; END $$;
CREATE TRIGGER audit AFTER INSERT OR UPDATE ON charge FOR EACH ROW EXECUTE FUNCTION audit();
CREATE FUNCTION no_tests() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN IF new.note = 'drop me' THEN RETURN NULL; END IF; RETURN new; END $$;
CREATE TRIGGER no_tests BEFORE INSERT ON charge FOR EACH ROW EXECUTE FUNCTION no_tests();

CREATE FUNCTION uid(n integer) RETURNS uuid LANGUAGE sql AS $$ SELECT ('00000000-0000-0000-0000-' || lpad(n::text, 12, '0'))::uuid $$;
CREATE FUNCTION mapping(changes jsonb DEFAULT '{}') RETURNS jsonb LANGUAGE sql AS $$
	SELECT jsonb_strip_nulls('{"account_id": "customer", "bill_from": "Seller Name", "invoice_id": "id",
		"line_type": {"column": "what", "map": {"RI": "subscription", "metered": "usage", "refund": "usage"}},
		"billing_month": "billed_on", "issued_on": "billed_on", "amount": "total", "currency": {"value": "USD"},
		"original_invoice_id": "of", "po_number": "po", "line_number": "line"}'::jsonb || changes) $$;
-- rows that are not the same there and here, and what po_check_integrity() finds
CREATE FUNCTION disagree() RETURNS bigint LANGUAGE sql AS $$
	SELECT (SELECT count(*) FROM charge c FULL JOIN po_invoice v ON v.invoice_id = c.id::text
		WHERE (v.account_id, v.bill_from, v.amount, v.billing_month, v.issued_on, v.po_number, v.line_number)
			IS DISTINCT FROM (c.customer::text, 'AWS Inc.', c.total, c.billed_on::po_month, c.billed_on, c.po::text, c.line))
		+ (SELECT count(*) FROM po_check_integrity())
$$;
CREATE FUNCTION balances() RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(line_number || '=' || coalesce(balance::text, '*'), ' ' ORDER BY line_number) FROM po_line_item $$;
CREATE FUNCTION at(n integer) RETURNS text LANGUAGE sql AS $$
	SELECT coalesce(po || '/' || line, '-') || ' in ' || tableoid::regclass FROM charge WHERE id = uid(n) $$;

--
-- What cannot be attached
--
CREATE FUNCTION refused(changes jsonb, code char(5), message text, what text) RETURNS text LANGUAGE sql AS $$
	SELECT throws_ok(format('SELECT po_attach(%L, %L)', 'charge', mapping(changes)), code, message, what) $$;
SELECT refused('{"amount": "nothing"}', '42703', 'column "nothing" of "charge" does not exist', 'a column that is not there');
SELECT refused('{"amount": "Total"}', '42703', 'column "Total" of "charge" does not exist', 'names are compared exactly');
SELECT refused('{"amount": null}', '22023', 'the mapping of "charge" lacks "amount"', 'a name that is required');
SELECT refused('{"amounts": "total"}', '22023', '"amounts" is no column that can be mapped', 'a name that is none of ours');
SELECT refused('{"balance": "total"}', '22023', '"balance" is no column that can be mapped', 'nor one of another table');
SELECT refused('{"amount": "id"}', '42804', 'column "id" of "charge" cannot be "amount" of an invoice', 'a uuid is no amount');
SELECT refused('{"billing_month": "cents"}', '42804', 'column "cents" of "charge" cannot be "billing_month" of an invoice', 'nor a number a month');
SELECT refused('{"po_number": "cents"}', '42804', 'column "cents" of "charge" cannot be filled with "po_number"', 'a number cannot be filled in');
SELECT refused('{"po_number": "line"}', '22023', 'column "line" of "charge" is mapped twice', 'one column for two numbers');
SELECT refused('{"po_number": {"value": "x"}}', '22023', 'mapping of "po_number" is not understood', 'a constant cannot be filled in');
SELECT refused('{"invoice_id": {"value": "x"}}', '22023', 'mapping of "invoice_id" is not understood', 'a constant is no invoice number');
SELECT refused('{"amount": 5}', '22023', 'mapping of "amount" is not understood', 'a number is no mapping');
SELECT refused('{"amount": {"column": "total", "value": 5}}', '22023', 'mapping of "amount" is not understood', 'nor both forms at once');
SELECT refused('{"line_type": {"column": "what", "map": {"RI": "no such type!"}}}', '22P02', NULL, 'the values of a map are ours');
SELECT throws_ok($$SELECT po_attach('charge', '[]')$$, '22023', 'the mapping is not a JSON object', 'an array is no mapping');
SELECT throws_ok($$SELECT po_attach('charge_10', mapping())$$, '42809', '"charge_10" is a partition', 'a partition goes with its table');
SELECT throws_ok(format('SELECT po_attach(%L, mapping())', t), '42809', format('"%s" is a table of po_mgmt itself', t), t || ' is none')
	FROM unnest('{po_invoice,po_ledger_archive,po_row_security}'::text[]) t;
CREATE VIEW charges AS SELECT * FROM charge;
SELECT throws_ok($$SELECT po_attach('charges', mapping())$$, '42809', '"charges" is not a table', 'a view is no table');
CREATE TABLE keyless (LIKE charge);
SELECT throws_ok($$SELECT po_attach('keyless', mapping())$$, '42P16', 'table "keyless" has no primary key', 'rows need a key');
CREATE TABLE floats (id text PRIMARY KEY, amount float8, at timestamptz);
SELECT throws_ok($$SELECT po_attach('floats', '{"account_id": "id", "bill_from": "id", "invoice_id": "id", "line_type": "id", "billing_month": "id", "amount": "amount"}')$$,
	'42804', 'column "amount" of "floats" cannot be "amount" of an invoice', 'money is no floating point number');
SELECT throws_ok($$SELECT po_attach('floats', '{"account_id": "id", "bill_from": "id", "invoice_id": "id", "line_type": "id", "billing_month": "at", "amount": {"value": 1}}')$$,
	'42804', 'column "at" of "floats" cannot be "billing_month" of an invoice', 'a time has no month of its own');
SELECT throws_ok($$SELECT po_detach('charge')$$, '42704', 'table "charge" is not attached', 'what is not attached cannot be detached');
CREATE ROLE attach_stranger;
GRANT USAGE ON SCHEMA "Billing ""X""" TO attach_stranger;
GRANT EXECUTE ON FUNCTION po_attach(regclass, jsonb) TO attach_stranger;
SET LOCAL ROLE attach_stranger;
SELECT throws_ok($$SELECT po_attach('charge', '{}')$$, '42501', 'must be owner of table charge', 'the owner attaches');
RESET ROLE;

--
-- Attached and loaded
--
SELECT lives_ok($$SELECT po_attach('charge', mapping())$$, 'attached');
SELECT is((SELECT invoices::text FROM po_attachment WHERE columns = mapping()), 'charge', 'po_attachment shows it');
SELECT throws_ok($$SELECT po_attach('charge', mapping())$$, '42710', 'table "charge" is attached already', 'once');
SELECT throws_ok($$SELECT po_detach('charge_10')$$, '42704', 'table "charge_10" is not attached', 'a partition is not detached by itself');
COPY charge (id, what, billed_on, cents) FROM stdin;
00000000-0000-0000-0000-000000000001	metered	2026-10-05	10000
00000000-0000-0000-0000-000000000002	RI	2026-11-05	20000
00000000-0000-0000-0000-000000000003	metered	2026-11-06	95000
00000000-0000-0000-0000-000000000004	metered	2026-10-07	1
\.
SELECT is(disagree(), 0::bigint, 'loaded by COPY: their rows and ours agree');
SELECT is(balances(), '1=-50.01 2=300.00 9=*', 'the balances have moved');
SELECT is((SELECT string_agg(po || '/' || line, ' ' ORDER BY id) FROM charge), 'PO-1/1 PO-1/2 PO-1/1 PO-1/1', 'the numbers are filled in');
SELECT is((SELECT string_agg(op || ' ' || po, ', ') FROM audit), 'INSERT PO-1, INSERT PO-1, INSERT PO-1, INSERT PO-1', 'and their own AFTER triggers see them');
SELECT results_eq($$INSERT INTO charge (id, what, billed_on, cents, "of", note) VALUES
	(uid(5), 'RI', '2026-10-08', 5000, NULL, NULL), (uid(6), 'refund', '2026-11-08', -2000, uid(5), NULL),
	(uid(7), 'metered', '2026-11-08', 100000, NULL, 'drop me') RETURNING po::text, line$$,
	$$VALUES ('PO-1', '2'), ('PO-1', '2')$$, 'RETURNING shows the numbers; a memo follows its original of the same statement; a row that is dropped is none');
SELECT is(balances() || ' ' || disagree(), '1=-50.01 2=270.00 9=* 0', 'and moves nothing');
SELECT throws_ok($$INSERT INTO charge (id, what, billed_on, cents) VALUES (uid(8), 'unknown', '2026-10-08', 5000)$$,
	'23514', 'value "unknown" of column "what" is not in the map of "line_type"', 'a value that the map lacks');
INSERT INTO charge (id, what, billed_on, cents, po, line) VALUES (uid(9), 'metered', '2026-10-09', 700, ' PO-2 ', '9');
SELECT is(at(9) || ' ' || (SELECT association_kind FROM po_invoice WHERE invoice_id = uid(9)::text), 'PO-2/9 in charge_10 manual', 'numbers that are given are an assignment by hand');

--
-- Conflicts
--
SELECT results_eq($$INSERT INTO charge (id, what, billed_on, cents) VALUES (uid(1), 'metered', '2026-10-05', 1), (uid(10), 'RI', '2026-10-05', 100),
	(uid(10), 'RI', '2026-10-05', 100) ON CONFLICT DO NOTHING RETURNING id$$, 'SELECT uid(10)', 'ON CONFLICT DO NOTHING books what is inserted');
SELECT is(balances() || ' ' || disagree(), '1=-50.01 2=269.00 9=* 0', 'and nothing else');
INSERT INTO charge AS c (id, what, billed_on, cents) VALUES (uid(10), 'RI', '2026-10-05', 300), (uid(11), 'RI', '2026-10-05', 400)
	ON CONFLICT (billed_on, id) DO UPDATE SET cents = excluded.cents, po = excluded.po, line = excluded.line;
SELECT is(balances() || ' ' || disagree(), '1=-50.01 2=263.00 9=* 0', 'ON CONFLICT DO UPDATE moves by the difference, and leaves the association');
SELECT throws_ok($$INSERT INTO charge (id, what, billed_on, cents) VALUES (uid(10), 'RI', '2026-10-06', 1)$$,
	'23505', 'an invoice with this number is in po_invoice already', 'their key allows it, the invoice''s does not');
SELECT throws_ok($$INSERT INTO charge (id, what, billed_on, cents) VALUES (uid(20), 'RI', '2026-10-06', 1), (uid(20), 'RI', '2026-10-07', 1)$$,
	'23505', 'an invoice with this number is in po_invoice already', 'nor twice in a statement');
SELECT is(disagree(), 0::bigint, 'nothing half done');

--
-- Corrected
--
UPDATE charge SET cents = cents + 100 WHERE what = 'metered';
SELECT is(balances() || ' ' || disagree(), '1=-53.01 2=263.00 9=* 0', 'amounts that change move the balance by the difference');
UPDATE charge SET note = 'seen';
SELECT is(disagree(), 0::bigint, 'other columns mean nothing');
SELECT throws_ok($$UPDATE charge SET what = 'RI' WHERE id = uid(1)$$, '55000', NULL, 'a matched column stays while the invoice is associated');
SELECT throws_ok($$UPDATE charge SET po = 'PO-2' WHERE id = uid(1)$$, '42501', 'column "po" of "charge_10" is written by po_mgmt only', 'the numbers are po_mgmt''s');
DELETE FROM charge WHERE id = uid(3);
SELECT is(balances() || ' ' || disagree(), '1=897.99 2=263.00 9=* 0', 'a row deleted gives its amount back');
SELECT is((SELECT po_number FROM po_assign_invoice('11111111-1111-1111-1111-111111111111', 'AWS Inc.', uid(1)::text, 'PO-2', '9')), 'PO-2', 'assigned by hand here');
SELECT is(at(1) || ' ' || disagree(), 'PO-2/9 in charge_10 0', 'their numbers follow');
SELECT is((SELECT po_number FROM po_release_invoice('11111111-1111-1111-1111-111111111111', 'AWS Inc.', uid(5)::text)), NULL, 'an original released here');
SELECT is(at(5) || ' ' || at(6) || ' ' || disagree(), '- in charge_10 - in charge_11 0', 'its numbers go, and those of its memo');
UPDATE charge SET what = 'metered', billed_on = '2026-11-30', cents = 700 WHERE id = uid(5);
SELECT is(at(5) || ' ' || disagree(), '- in charge_11 0', 'unassociated it may change, and go to another partition');
SELECT is(po_rematch_unassociated(), 1::bigint, 'the original is matched again');
SELECT is(at(5) || ' ' || at(6) || ' ' || disagree(), 'PO-1/1 in charge_11 PO-1/1 in charge_11 0', 'its memo follows, and the numbers are back');
SELECT is((SELECT voided_at IS NOT NULL FROM po_void_invoice('11111111-1111-1111-1111-111111111111', 'AWS Inc.', uid(4)::text)), true, 'void');
SELECT is(at(4) || ' ' || disagree(), '- in charge_10 0', 'without numbers');
SELECT throws_ok('TRUNCATE charge', '0A000', 'TRUNCATE of "charge" is not possible while it is attached', 'TRUNCATE is refused');

--
-- Savepoints, closed months
--
SAVEPOINT a;
INSERT INTO charge (id, what, billed_on, cents) VALUES (uid(30), 'metered', '2026-10-06', 100);
ROLLBACK TO a;
SELECT is(disagree(), 0::bigint, 'rolled back with their row');
UPDATE po_account SET closed_through = '2026-10';
SELECT throws_ok($$DELETE FROM charge WHERE id = uid(1)$$, '55000', NULL, 'closed months are closed');
SELECT throws_ok($$INSERT INTO charge (id, what, billed_on, cents) VALUES (uid(31), 'metered', '2026-10-06', 100)$$, '55000', NULL, 'for new rows, too');
UPDATE po_account SET closed_through = NULL;

--
-- A linked account
--
INSERT INTO po_account_member VALUES ('22222222-2222-2222-2222-222222222222', '11111111-1111-1111-1111-111111111111');
CREATE FUNCTION linked() RETURNS text LANGUAGE sql AS $$
	SELECT format('%s of %s for %s, there %s', v.amount, v.member_account_id, v.account_id, at(50)) FROM po_invoice v WHERE invoice_id = uid(50)::text $$;
INSERT INTO charge (id, customer, what, billed_on, cents) VALUES (uid(50), '22222222-2222-2222-2222-222222222222', 'metered', '2026-10-09', 100);
SELECT is(linked(), '1.00 of 22222222-2222-2222-2222-222222222222 for 11111111-1111-1111-1111-111111111111, there PO-1/1 in charge_10',
	'a row of a linked account is booked with its payer');
UPDATE charge SET cents = 200 WHERE id = uid(50);
SELECT is(linked(), '2.00 of 22222222-2222-2222-2222-222222222222 for 11111111-1111-1111-1111-111111111111, there PO-1/1 in charge_10', 'and corrected there');
SELECT po_release_invoice('11111111-1111-1111-1111-111111111111', 'AWS Inc.', uid(50)::text, 'a test');
SELECT is(linked(), '2.00 of 22222222-2222-2222-2222-222222222222 for 11111111-1111-1111-1111-111111111111, there - in charge_10', 'its numbers follow a release');
SELECT po_rematch_invoice('11111111-1111-1111-1111-111111111111', 'AWS Inc.', uid(50)::text);
SELECT is(at(50), 'PO-1/1 in charge_10', 'and a rematch');
DELETE FROM charge WHERE id = uid(50);
SELECT is(linked(), NULL, 'a delete takes it back');
SELECT is(disagree(), 0::bigint, 'all agree');

--
-- A second table, changed tables, detached
--
CREATE TABLE other (id uuid PRIMARY KEY, customer text, amount numeric, day timestamp);
INSERT INTO other VALUES (uid(1), '11111111-1111-1111-1111-111111111111', 5, '2026-10-05');
CREATE FUNCTION attach_other(seller text) RETURNS void LANGUAGE sql AS $$
	SELECT po_attach('other', jsonb_build_object('account_id', 'customer', 'bill_from', jsonb_build_object('value', seller), 'invoice_id', 'id',
		'line_type', '{"value": "usage"}'::jsonb, 'billing_month', 'day', 'amount', 'amount')) $$;
SELECT throws_ok($$SELECT attach_other('AWS Inc.')$$, '23505', format('invoice "%s" is in "other" and in "charge"', uid(1)), 'two tables with the same invoice');
SELECT lives_ok($$SELECT attach_other('AWS EMEA SARL')$$, 'with another seller it is another');
CALL po_attach_existing('other');
SELECT is((SELECT string_agg(bill_from || ' ' || amount, ', ' ORDER BY bill_from) FROM po_invoice WHERE invoice_id = uid(1)::text), 'AWS EMEA SARL 5, AWS Inc. 101.00', 'what is there already is booked on demand');
ALTER TABLE other DROP COLUMN amount;
SELECT throws_ok($$INSERT INTO other VALUES (uid(2), '11111111-1111-1111-1111-111111111111', '2026-10-05')$$,
	'42703', 'column "amount" of "other" does not exist', 'a column of the mapping that is gone is a clear error');
SELECT po_detach('other');
DELETE FROM po_invoice WHERE bill_from = 'AWS EMEA SARL';
SELECT po_detach('charge');
INSERT INTO charge (id, what, billed_on, cents) VALUES (uid(40), 'metered', '2026-10-06', 100);
SELECT is((SELECT count(*) FROM po_invoice WHERE invoice_id = uid(40)::text), 0::bigint, 'detached, it is a table like any other');
SELECT is((SELECT count(*) FROM pg_trigger WHERE tgfoid = 'public.po_attached_trigger()'::regprocedure), 0::bigint, 'without triggers of ours, on partitions, too');

--
-- Numbers of one table are no values of another one's type, or others that read the same
--
CREATE DOMAIN serial_number AS integer CHECK (VALUE > 0);
CREATE TABLE numbered (id serial_number PRIMARY KEY, customer text, total numeric, po text);
CREATE TABLE named (id text PRIMARY KEY, customer text, total numeric, po text);
SELECT po_attach(t, '{"account_id": "customer", "bill_from": {"value": "AWS Inc."}, "invoice_id": "id",
	"line_type": {"value": "usage"}, "billing_month": {"value": "2026-10"}, "amount": "total", "po_number": "po"}')
	FROM unnest('{numbered,named}'::regclass[]) t;
INSERT INTO numbered VALUES (7, '11111111-1111-1111-1111-111111111111', 1);
INSERT INTO named VALUES ('007', '11111111-1111-1111-1111-111111111111', 1), ('INV-7', '11111111-1111-1111-1111-111111111111', 1),
	('0', '11111111-1111-1111-1111-111111111111', 1);
SELECT lives_ok(format($$SELECT po_release_invoice('11111111-1111-1111-1111-111111111111', 'AWS Inc.', %L, 'a test')$$, n),
	n || ' is released') FROM unnest('{007,INV-7,0}'::text[]) n;
SELECT is((SELECT po FROM numbered), 'PO-1', 'the number 7 stays');
SELECT is((SELECT count(*) FROM named WHERE po IS NULL), 3::bigint, 'the names do not');
SELECT throws_ok(format('UPDATE numbered SET %I = NULL', c), '23502', NULL, c || ' is required, as in po_invoice')
	FROM unnest('{customer,total}'::text[]) c;
DELETE FROM numbered;
SELECT is((SELECT count(*) FROM po_invoice WHERE invoice_id = '7'), 0::bigint, 'so that a delete finds its invoice');

--
-- While a row moves to another partition, a user's trigger updates another one
--
CREATE TABLE moving (id text, part integer DEFAULT 1, total numeric, po text, note text, PRIMARY KEY (id, part)) PARTITION BY LIST (part);
CREATE TABLE moving_1 PARTITION OF moving FOR VALUES IN (1);
CREATE TABLE moving_2 PARTITION OF moving FOR VALUES IN (2);
SELECT po_attach('moving', '{"account_id": {"value": "11111111-1111-1111-1111-111111111111"}, "bill_from": {"value": "AWS Inc."},
	"invoice_id": "id", "line_type": {"value": "usage"}, "billing_month": {"value": "2026-10"}, "amount": "total", "po_number": "po"}');
INSERT INTO moving (id, total) VALUES ('moving-1', 1), ('moving-2', 2);
CREATE FUNCTION note_move() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	UPDATE moving SET note = concat(note, TG_OP) WHERE id = 'moving-2';
	RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
CREATE TRIGGER note BEFORE INSERT OR DELETE ON moving FOR EACH ROW EXECUTE FUNCTION note_move();
UPDATE moving SET part = 2, total = 3 WHERE id = 'moving-1';
SELECT is((SELECT string_agg(concat_ws(' ', id, part, total, po, note), ', ' ORDER BY id) FROM moving),
	'moving-1 2 3 PO-1, moving-2 1 2 PO-1 DELETEINSERT', 'the row that moved keeps its order');
SELECT is((SELECT count(*) FROM po_ledger WHERE invoice_id = 'moving-1' AND entry_kind = 'release'), 0::bigint, 'nothing was given back meanwhile');

--
-- What row security of the table forbids tells nothing of the account
--
CREATE ROLE po_t_tenant;
ALTER TABLE named ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON named USING (customer = current_user);
GRANT USAGE ON SCHEMA "Billing ""X""" TO po_t_tenant;
GRANT INSERT ON named TO po_t_tenant;
SET LOCAL ROLE po_t_tenant;
SELECT throws_ok(format($$INSERT INTO named VALUES ('t', '11111111-1111-1111-1111-111111111111', 1, %L)$$, po), '42501',
	'new row violates row-level security policy for table "named"', 'another one''s account, order ' || po) FROM unnest('{PO-1,none}'::text[]) po;
SELECT lives_ok($$INSERT INTO named VALUES ('t', 'po_t_tenant', 1)$$, 'the own one');
RESET ROLE;

--
-- What an update or delete does in po_invoice is done as its owner: nobody gets his rights by a trigger
--
CREATE ROLE po_t_trigger;
DO $$ BEGIN
	EXECUTE format('GRANT USAGE, CREATE ON SCHEMA %I, "Billing ""X""" TO po_t_trigger', (SELECT extnamespace::regnamespace::text FROM pg_extension WHERE extname = 'po_mgmt'));
END $$;
GRANT TRIGGER ON po_invoice TO po_t_trigger;
SET LOCAL ROLE po_t_trigger;
CREATE FUNCTION be_owner() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RAISE EXCEPTION $_$as %$_$, current_user; END';
CREATE TRIGGER be_owner AFTER UPDATE OR DELETE ON po_invoice FOR EACH ROW EXECUTE FUNCTION be_owner();
RESET ROLE;
SELECT throws_ok(q, '42501', 'trigger "be_owner" of "po_invoice" must not run as the owner of the table', q)
	FROM unnest('{UPDATE named SET total = 9 WHERE id = $$t$$,DELETE FROM named WHERE id = $$t$$}'::text[]) q;
DROP TRIGGER be_owner ON po_invoice;

--
-- Code of the attached table's owner, in generated columns and domains, runs as himself and never as the owner of po_invoice
--
CREATE ROLE po_t_biller;
DO $$
DECLARE
	ours name := (SELECT extnamespace::regnamespace::text FROM pg_extension WHERE extname = 'po_mgmt');
BEGIN
	EXECUTE format('GRANT USAGE ON SCHEMA %I TO po_t_biller', ours);
	EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA %I TO po_t_biller', ours);
END $$;
GRANT USAGE, CREATE ON SCHEMA "Billing ""X""" TO po_t_biller;
GRANT EXECUTE ON FUNCTION po_attach, po_attached_trigger, po_release_invoice TO po_t_biller;
GRANT EXECUTE ON PROCEDURE po_attach_existing TO po_t_biller;
SET LOCAL ROLE po_t_biller;
CREATE FUNCTION as_biller(value text) RETURNS text IMMUTABLE LANGUAGE plpgsql AS $$
BEGIN
	IF current_user <> 'po_t_biller' THEN
		RAISE EXCEPTION 'as %', current_user;
	END IF;
	RETURN value;
END $$;
CREATE DOMAIN biller_po AS text CHECK (VALUE IS NULL OR as_biller(VALUE) IS NOT NULL);
CREATE TABLE billed (id text PRIMARY KEY, payer text DEFAULT '11111111-1111-1111-1111-111111111111',
	customer text GENERATED ALWAYS AS (as_biller(payer)) STORED, seller text GENERATED ALWAYS AS (as_biller('AWS Inc.')) STORED, total numeric, po biller_po);
INSERT INTO billed (id, total) VALUES ('billed-1', 1);
SELECT po_attach('billed', '{"account_id": "customer", "bill_from": "seller", "invoice_id": "id", "line_type": {"value": "usage"},
	"billing_month": {"value": "2026-10"}, "amount": "total", "po_number": "po"}');
SELECT lives_ok($$CALL po_attach_existing('billed')$$, 'what is there already');
SELECT lives_ok($$INSERT INTO billed (id, total) VALUES ('billed-2', 1)$$, 'a new row');
SELECT lives_ok($$UPDATE billed SET total = 2$$, 'and an update, as the one who does it');
RESET ROLE;
SELECT lives_ok($$SELECT po_release_invoice('11111111-1111-1111-1111-111111111111', 'AWS Inc.', 'billed-1')$$, 'what follows, as the table''s owner');
SELECT is((SELECT string_agg(concat_ws(' ', id, total, po), ', ' ORDER BY id) FROM billed), 'billed-1 2, billed-2 2 PO-1', 'all of it is done');

--
-- COPY FREEZE hides by whom its rows were inserted; without the server's count they are looked at
--
CREATE TABLE frozen (id text PRIMARY KEY, total numeric, po text);
SELECT po_attach('frozen', '{"account_id": {"value": "11111111-1111-1111-1111-111111111111"}, "bill_from": {"value": "AWS Inc."},
	"invoice_id": "id", "line_type": {"value": "usage"}, "billing_month": {"value": "2026-10"}, "amount": "total", "po_number": "po"}');
SET LOCAL track_counts = off;
COPY frozen (id, total) FROM stdin WITH (FREEZE);
frozen-1	1
frozen-2	2
\.
RESET track_counts;
SELECT is((SELECT string_agg(invoice_id || ' ' || po_number, ', ' ORDER BY invoice_id) FROM po_invoice WHERE invoice_id LIKE 'frozen%'),
	(SELECT string_agg(id || ' ' || po, ', ' ORDER BY id) FROM frozen), 'rows of COPY FREEZE are invoices');
SELECT is_empty('SELECT * FROM po_check_integrity()', 'and booked');

SELECT finish();
ROLLBACK;
