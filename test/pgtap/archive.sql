-- archive.sql: po_archive(): closed months leave the ledger and the change log, and nothing else changes

BEGIN;
SELECT no_plan();

SET po_mgmt.now = '2026-01-05 12:00+00';
INSERT INTO po_account (account_id, time_zone) VALUES ('A', 'America/New_York'), ('B', 'UTC'), ('open', 'UTC');
INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month)
	SELECT a, 'P', 'AWS Inc.', '2026-01', '2026-12' FROM unnest('{A,B,open}'::text[]) a;
INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, balance_tracked, amount)
	SELECT a, 'P', v.* FROM unnest('{A,B,open}'::text[]) a, (VALUES
		('1', 'usage'::po_line_type, '2026-01'::po_month, '2026-12'::po_month, true, 1000),
		('2', 'all', '2026-01', '2026-12', false, 0),
		('gone', 'subscription', '2026-01', '2026-12', true, 500),
		('late', 'professional_services', '2026-01', '2026-12', true, 70)) v;

CREATE FUNCTION pg_temp.bill(month po_month, type po_line_type, amount numeric) RETURNS void LANGUAGE sql AS $$
	INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, issued_on, amount)
		SELECT a, 'AWS Inc.', month || '-' || type, type, month, po_month_end(month), amount FROM unnest('{A,B,open}'::text[]) a $$;
SELECT pg_temp.bill('2026-01', 'usage', 100), pg_temp.bill('2026-01', 'subscription', 20), pg_temp.bill('2026-01', 'marketplace', 7);
SET po_mgmt.now = '2026-02-05 12:00+00';
SELECT pg_temp.bill('2026-02', 'usage', 50);
-- an invoice for a month to come, recorded in February
SELECT pg_temp.bill('2026-06', 'usage', 1);
DELETE FROM po_line_item WHERE line_number = 'gone';
UPDATE po_line_item SET amount = 1100 WHERE line_number = '1';
-- of March in UTC, and of February in New York
SET po_mgmt.now = '2026-03-01 03:00+00';
SELECT pg_temp.bill('2026-03', 'usage', 3);
SET po_mgmt.now = '2026-03-15 12:00+00';
UPDATE po_order SET description = 'changed in March';
DELETE FROM po_line_item WHERE line_number = 'late' AND account_id = 'B';
UPDATE po_account SET closed_through = '2026-03' WHERE account_id <> 'open';

CREATE FUNCTION pg_temp.balances() RETURNS TABLE (account_id text, at timestamptz, balance numeric) LANGUAGE sql AS $$
	SELECT a, t, po_balance_at(a, 'P', l, t) FROM unnest('{A,B,open}'::text[]) a, unnest('{1,2,gone,late}'::text[]) l,
		generate_series('2026-01-01 00:00+00', '2026-04-01 00:00+00', interval '1 day') t ORDER BY a, l, t $$;
CREATE FUNCTION pg_temp.explanations() RETURNS TABLE (account_id text, invoice_id text, explanation text) LANGUAGE sql AS $$
	SELECT v.account_id, v.invoice_id, e::text FROM po_invoice v, po_explain_invoice(v.account_id, v.bill_from, v.invoice_id) e
	ORDER BY 1, 2, 3 $$;
CREATE TEMP TABLE balances AS SELECT * FROM pg_temp.balances();
CREATE TEMP TABLE explanations AS SELECT * FROM pg_temp.explanations();
CREATE TEMP TABLE entries AS SELECT * FROM po_ledger;
CREATE TEMP TABLE changes AS SELECT * FROM po_change_log;
CREATE TEMP TABLE items AS SELECT * FROM po_line_item;
SELECT cmp_ok((SELECT count(*) FROM balances WHERE balance IS NOT NULL), '>', 100::bigint, 'balances to compare');
SELECT cmp_ok((SELECT count(*) FROM explanations), '>', 15::bigint, 'explanations to compare');

CREATE FUNCTION pg_temp.same(what text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
	RETURN NEXT is_empty('SELECT * FROM po_check_integrity()', what || ': integrity');
	RETURN NEXT results_eq('SELECT * FROM pg_temp.balances()', 'TABLE balances', what || ': balances of all days');
	RETURN NEXT results_eq('SELECT * FROM pg_temp.explanations()', 'TABLE explanations', what || ': explanations');
	RETURN NEXT is_empty('(SELECT * FROM po_ledger_all EXCEPT ALL TABLE entries) UNION ALL (TABLE entries EXCEPT ALL SELECT * FROM po_ledger_all)', what || ': no entry is lost');
	RETURN NEXT is_empty('SELECT * FROM changes c FULL JOIN po_change_log_all a USING (change_id) WHERE c.account_id IS NULL OR a.account_id IS NULL', what || ': no change is lost');
	RETURN NEXT is_empty('SELECT * FROM po_line_item i JOIN items j USING (line_item_id) WHERE i.balance IS DISTINCT FROM j.balance', what || ': no balance has moved');
END $$;

SELECT throws_ok($$SELECT po_archive(NULL)$$, '22004', 'before must not be null');
SELECT po_archive('2026-03') AS moved \gset
SELECT is(:moved::bigint, (SELECT count(*) FROM po_ledger_archive) + (SELECT count(*) FROM po_change_log_archive), 'what it returns');
SELECT pg_temp.same('February');
SELECT is((SELECT string_agg(concat_ws(' ', account_id, line_number, entry_kind, amount, balance_after), ', ' ORDER BY account_id, line_number, entry_id)
	FROM po_ledger WHERE account_id <> 'open'),
	'A 1 carried 946 946, A 2 carried -7, A gone carried 0 0, A late carried 70 70, B 1 carried 949 949, B 1 association -3 946, B 2 carried -7, B gone carried 0 0, B late carried 70 70, B late closed -70 0',
	'one entry for each line item that exists, or has invoices or entries left; the month is that of the account''s time zone');
SELECT is((SELECT count(*) FROM po_ledger WHERE account_id = 'open' AND entry_kind = 'carried'), 0::bigint, 'nothing where no month is closed');
SELECT is(po_archive('2026-03'), 0::bigint, 'again: nothing');
SET po_mgmt.now = '2026-04-15 12:00+00';
SELECT cmp_ok(po_archive('2026-12', 'B'), '>', 0::bigint, 'further for one account');
SELECT pg_temp.same('March, of B');
SELECT is((SELECT string_agg(line_number, ' ' ORDER BY line_number) FROM po_ledger WHERE account_id = 'B'), '1 2 gone', 'still one entry a line item, and none of one that is gone with its invoices');
SELECT is((SELECT count(*) FROM po_change_log WHERE account_id = 'B'), 0::bigint, 'no change is left');
SELECT po_archive('9999-12') AS moved, po_archive('9999-12', 'nobody') AS of_nobody \gset
SELECT is(:moved::bigint, :of_nobody + (SELECT count(*) FROM po_ledger_archive WHERE account_id = 'A' AND recorded_at >= '2026-03-01 05:00+00')
	+ (SELECT count(*) FROM po_change_log_archive WHERE account_id = 'A' AND changed_at >= '2026-03-01 05:00+00'), 'no further than months are closed, and nothing of an account that is not there');
SELECT pg_temp.same('March, of A');

-- the amount of an invoice changes whose line item is gone and archived; and the invoice goes, too
UPDATE po_account SET closed_through = NULL WHERE account_id = 'B';
UPDATE po_invoice SET amount = amount + 5 WHERE account_id = 'B' AND line_number = 'gone';
SELECT is_empty('SELECT * FROM po_check_integrity()', 'an entry after all of a line item was archived that is gone');
UPDATE po_account SET closed_through = '2026-04' WHERE account_id = 'B';
SELECT po_archive('9999-12', 'B') AS moved \gset
SELECT is((SELECT concat_ws(' ', entry_kind, amount) FROM po_ledger WHERE account_id = 'B' AND line_number = 'gone'), 'carried -5', 'which is archived, too, and carried');
SELECT is_empty('SELECT * FROM po_check_integrity()', 'and all adds up');
UPDATE po_account SET closed_through = NULL WHERE account_id = 'B';
SELECT po_release_invoice('B', 'AWS Inc.', '2026-01-subscription', 'not ours') IS NOT NULL AS released \gset
UPDATE po_account SET closed_through = '2026-05' WHERE account_id = 'B';
SELECT po_archive('9999-12', 'B') AS moved \gset
SELECT is((SELECT string_agg(line_number, ' ' ORDER BY line_number) FROM po_ledger WHERE account_id = 'B'), '1 2', 'nothing is carried any more after its last invoice was released');
SELECT is_empty('SELECT * FROM po_check_integrity()', 'which is as it should be');

-- what is archived may still be taken back: it was for an open month
SELECT lives_ok($$SELECT po_release_invoice('A', 'AWS Inc.', '2026-06-usage', 'not ours')$$, 'an archived association can be released');
SELECT is_empty('SELECT * FROM po_check_integrity()', 'and all adds up');
SELECT is((SELECT balance FROM po_line_item WHERE account_id = 'A' AND line_number = '1'), 947::numeric, 'its balance has moved');
SELECT is(po_repair('A') + po_repair('B'), 0::bigint, 'nothing to repair');
-- and what is damaged there mended
SET LOCAL session_replication_role = replica;
UPDATE po_invoice SET amount = amount + 5 WHERE account_id = 'A' AND invoice_id = '2026-01-usage';
UPDATE po_line_item SET balance = balance + 1 WHERE account_id = 'B' AND line_number = '1';
SET LOCAL session_replication_role = origin;
SELECT is((SELECT count(*) FROM po_check_integrity()), 4::bigint, 'damage to what is archived is found');
SELECT is(po_repair('A') + po_repair('B'), 2::bigint, 'and repaired');
SELECT is_empty('SELECT * FROM po_check_integrity()', 'so that all adds up');

-- who runs it needs nothing but EXECUTE
CREATE ROLE po_t_archivist;
GRANT EXECUTE ON FUNCTION po_archive TO po_t_archivist;
UPDATE po_account SET closed_through = '2026-06' WHERE account_id = 'open';
SET LOCAL ROLE po_t_archivist;
SELECT lives_ok($$SELECT po_archive('2026-07', 'open')$$, 'a role that may call it and read nothing');
RESET ROLE;
SELECT is((SELECT count(DISTINCT recorded_by) FROM po_ledger WHERE entry_kind = 'carried' AND account_id = 'open' AND recorded_by = 'po_t_archivist'), 1::bigint, 'who is named where it is carried forward');
SELECT is_empty('SELECT * FROM po_check_integrity()', 'and all adds up');

SELECT throws_ok($$DELETE FROM po_ledger_archive$$, '42501', NULL, 'the archive is append-only');
SELECT throws_ok($$UPDATE po_change_log_archive SET changed_by = 'nobody'$$, '42501', NULL, 'so is that of the changes');
SELECT throws_ok($$DELETE FROM po_ledger$$, '42501', NULL, 'and the ledger still');

-- the columns are those of the tables, in their order
SELECT results_eq(format($$SELECT attname, atttypid, attnotnull, attcollation FROM pg_attribute WHERE attrelid = '%s_archive'::regclass AND attnum > 0 ORDER BY attnum$$, t),
	format($$SELECT attname, atttypid, attnotnull, attcollation FROM pg_attribute WHERE attrelid = '%s'::regclass AND attnum > 0 ORDER BY attnum$$, t), t || '_archive is like ' || t)
	FROM unnest('{po_ledger,po_change_log}'::text[]) t;
SELECT results_eq(format($$SELECT attname, atttypid FROM pg_attribute WHERE attrelid = '%s_all'::regclass AND attnum > 0 ORDER BY attnum$$, t),
	format($$SELECT attname, atttypid FROM pg_attribute WHERE attrelid = '%s'::regclass AND attnum > 0 ORDER BY attnum$$, t), t || '_all, too')
	FROM unnest('{po_ledger,po_change_log}'::text[]) t;

-- a ledger that lost what it carried forward is told
SET LOCAL session_replication_role = replica;
UPDATE po_ledger SET amount = amount + 1 WHERE account_id = 'B' AND line_number = '2';
SET LOCAL session_replication_role = origin;
SELECT set_eq('SELECT account_id, line_number, violation, expected, found FROM po_check_integrity()',
	$$VALUES ('B', '2', 'the ledger does not carry forward what is in the archive', '-7', '-6')$$, 'a wrong carried entry is found');
SET LOCAL session_replication_role = replica;
UPDATE po_ledger SET amount = amount - 1, balance_after = -8 WHERE account_id = 'B' AND line_number = '2';
DELETE FROM po_ledger WHERE account_id = 'open' AND line_number = '2';
DELETE FROM po_ledger WHERE account_id = 'A' AND line_number = '2';
SET LOCAL session_replication_role = origin;
SELECT set_has('SELECT account_id, line_number, violation, expected, found FROM po_check_integrity()',
	$$VALUES ('B', '2', 'the ledger does not carry forward what is in the archive', '-7', '-8'), ('A', '2', 'the ledger does not carry forward what is in the archive', '-7', NULL)$$,
	'so is a wrong balance there, and one that is lost');

SELECT * FROM finish();
ROLLBACK;
