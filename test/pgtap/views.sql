-- test/pgtap/views.sql: the views for reports (section 9 of the contract): their columns, several
-- currencies, untracked line items, orders deleted and made again, whose rights apply.
BEGIN;
SELECT plan(49);
SET LOCAL client_min_messages = warning;
SET LOCAL po_mgmt.now = '2026-06-10 12:00+00';

CREATE PROCEDURE po(account text, number text, effective text DEFAULT '2026-01', expiration text DEFAULT '2026-12',
	currency text DEFAULT 'USD', status text DEFAULT 'active', seller text DEFAULT 'AWS Inc.') LANGUAGE sql AS $$
	INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month, currency, status)
	VALUES (account, number, seller, effective::po_month, expiration::po_month, currency, status)
$$;
-- a line item; an amount makes its balance tracked
CREATE PROCEDURE li(account text, number text, line text, amount numeric DEFAULT NULL, type text DEFAULT 'usage',
	start text DEFAULT '2026-01', finish text DEFAULT '2026-12', untracked numeric DEFAULT 0) LANGUAGE sql AS $$
	INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, balance_tracked, amount)
	VALUES (account, number, line, type::po_line_type, start::po_month, finish::po_month, amount IS NOT NULL, coalesce(amount, untracked))
$$;
CREATE PROCEDURE book(account text, id text, amount numeric, month text DEFAULT '2026-02', number text DEFAULT NULL,
	line text DEFAULT NULL, currency text DEFAULT NULL, type text DEFAULT 'usage', due date DEFAULT NULL) LANGUAGE sql AS $$
	INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount, po_number, line_number, currency, issued_on, due_on)
	VALUES (account, 'AWS Inc.', id, type::po_line_type, month::po_month, amount, number, line, currency, date(month::po_month + 1) + 2, due)
$$;

-- the rows of a query, one a line
CREATE FUNCTION rows(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE result text;
BEGIN
	EXECUTE format('SELECT string_agg(btrim(r::text, ''()''), E''\n'') FROM (%s) r', query) INTO result;
	RETURN result;
END $$;

--
-- Columns: those of the AWS console first
--
SELECT is((SELECT string_agg(attname, ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = view::regclass AND attnum > 0), columns, 'columns of ' || view)
FROM (VALUES
	('po_dashboard', 'account_id, po_number, bill_from, currency, value, balance, effective_month, expiration_month, status, updated_at, in_effect, line_items, tracked_value, invoices'),
	('po_line_item_status', 'account_id, po_number, line_number, line_type, start_month, end_month, amount, quantity, tax, tax_kind, total_value, balance_tracked, balance, overdrawn, share_left, invoices, invoiced, consumed_before, bill_from, currency, order_status, in_effect, agreement_id, description, line_item_id, updated_at'),
	('po_order_invoice', 'issued_on, kind, invoice_id, line_number, amount, due_on, account_id, po_number, bill_from, currency, line_type, billing_month, association_kind, associated_at, associated_by, line_item_id, line_item_deleted'),
	('po_unassociated_invoice', 'account_id, bill_from, invoice_id, kind, line_type, billing_month, issued_on, due_on, amount, currency, requested_po_number, requested_line_number, agreement_id, recorded_at, reason'),
	('po_monthly_spend', 'account_id, currency, po_number, billing_month, amount, invoices'),
	('po_forecast', 'account_id, po_number, line_number, bill_from, currency, total_value, balance, monthly_spend, billed_through, runs_out_month, end_month, runs_out_early, line_item_id')) v(view, columns);
SELECT is_empty($$SELECT relname FROM pg_class c JOIN pg_depend d ON d.objid = c.oid AND d.deptype = 'e'
	JOIN pg_extension e ON e.oid = d.refobjid AND e.extname = 'po_mgmt' WHERE c.relkind = 'v' AND NOT coalesce('security_invoker=true' = ANY (reloptions), false)$$, 'all views are security_invoker');

--
-- po_dashboard
--
CREATE FUNCTION dashboard(account text) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT concat_ws(' ', po_number, bill_from, currency, value, coalesce(balance::text, '-'), status, CASE WHEN in_effect THEN 'in effect' ELSE 'not' END,
		line_items, coalesce(tracked_value::text, '-'), invoices)
	FROM po_dashboard WHERE account_id = account ORDER BY po_number
$$;
CALL po('D', 'EMPTY');
CALL po('D', 'EUR', currency => 'EUR');
CALL po('D', 'FUTURE', effective => '2026-07');
CALL po('D', 'MIXED');
CALL po('D', 'OLD', effective => '2025-01', expiration => '2026-05');
CALL po('D', 'SUSP', status => 'suspended');
CALL po('D', 'SUSPOLD', effective => '2025-01', expiration => '2026-05', status => 'suspended');
CALL po('D', 'UNTRACKED');
CALL li('D', 'EUR', '1', 50);
CALL li('D', 'MIXED', '1', 100); CALL li('D', 'MIXED', '2', 200, 'subscription'); CALL li('D', 'MIXED', '3', untracked => 1000, type => 'all');
CALL li('D', 'UNTRACKED', '1', untracked => 7);
CALL book('D', 'I1', 130.5, number => 'MIXED', line => '1');
CALL book('D', 'I2', 20, number => 'MIXED', line => '2', type => 'subscription');
CALL book('D', 'I3', -5.25, number => 'MIXED', line => '3');
CALL book('D', 'I4', 4, number => 'EUR', line => '1', currency => 'EUR');
CALL book('D', 'I5', 9, number => 'UNTRACKED', line => '1');
SELECT results_eq($$SELECT dashboard('D')$$, ARRAY[
	'EMPTY AWS Inc. USD 0 - Active in effect 0 - 0',
	'EUR AWS Inc. EUR 50 46 Active in effect 1 50 1',
	'FUTURE AWS Inc. USD 0 - Active not 0 - 0',
	'MIXED AWS Inc. USD 1300 149.5 Active in effect 3 300 3',
	'OLD AWS Inc. USD 0 - Expired not 0 - 0',
	'SUSP AWS Inc. USD 0 - Suspended not 0 - 0',
	'SUSPOLD AWS Inc. USD 0 - Suspended-expired not 0 - 0',
	'UNTRACKED AWS Inc. USD 7 - Active in effect 1 - 1'], 'value of all line items, balance of the tracked ones, status, currency by order');
SELECT is((SELECT count(*) FROM po_dashboard d JOIN po_order o USING (account_id, po_number)
	WHERE d.status = po_status(o) AND d.updated_at = o.updated_at), (SELECT count(*) FROM po_order), 'status and updated_at are the order''s');
UPDATE po_account SET time_zone = 'Pacific/Kiritimati' WHERE account_id = 'D';
SET LOCAL po_mgmt.now = '2026-05-31 11:00+00'; -- the first of June there
SELECT is((SELECT status || ' ' || in_effect FROM po_dashboard WHERE account_id = 'D' AND po_number = 'OLD'), 'Expired false', 'today is of the account''s time zone');
UPDATE po_account SET time_zone = 'UTC' WHERE account_id = 'D';
SELECT is((SELECT status || ' ' || in_effect FROM po_dashboard WHERE account_id = 'D' AND po_number = 'OLD'), 'Active true', 'and in another the month has not ended');
SET LOCAL po_mgmt.now = '2026-06-10 12:00+00';
SELECT is((SELECT po_status(o, '2026-12-31') || ', ' || po_status(o, '2027-01-01') FROM po_order o WHERE po_number = 'SUSP'),
	'Suspended, Suspended-expired', 'po_status of a day: expired from the first day after the last month');
SELECT is((SELECT po_status(o, NULL) FROM po_order o WHERE po_number = 'SUSP'), NULL, 'of no day there is none');

-- deleted, and made again with the same number
DELETE FROM po_order WHERE account_id = 'D' AND po_number = 'MIXED';
SELECT is_empty($$SELECT FROM po_dashboard WHERE po_number = 'MIXED'$$, 'a deleted order is gone from the dashboard');
SELECT is(rows($$SELECT invoice_id, line_number, amount, line_item_deleted FROM po_order_invoice WHERE po_number = 'MIXED' ORDER BY 1$$),
	E'I1,1,130.5,t\nI2,2,20,t\nI3,3,-5.25,t', 'its invoices stay, and say that the line item is gone');
CALL po('D', 'MIXED', currency => 'EUR'); CALL li('D', 'MIXED', '1', 5);
CALL book('D', 'I6', 1, number => 'MIXED', line => '1', currency => 'EUR');
SELECT is((SELECT s FROM dashboard('D') s WHERE s ~ '^MIXED'), 'MIXED AWS Inc. EUR 5 4 Active in effect 1 5 1', 'an order of the same number inherits nothing');
SELECT is((SELECT string_agg(invoice_id || ' ' || line_item_deleted, ', ' ORDER BY invoice_id) FROM po_order_invoice WHERE po_number = 'MIXED'),
	'I1 true, I2 true, I3 true, I6 false', 'and its invoices can be told from those of the old one');

--
-- po_line_item_status
--
CALL po('L', 'P'); CALL li('L', 'P', '1', 40); CALL li('L', 'P', '2', untracked => 3, type => 'all'); CALL li('L', 'P', '3', 0, 'subscription');
CALL li('L', 'P', '4', 10, 'marketplace', start => '2026-01', finish => '2026-05');
CALL book('L', 'I1', 30, number => 'P', line => '1'); CALL book('L', 'I2', 20, number => 'P', line => '1'); CALL book('L', 'I3', 6, number => 'P', line => '2');
CREATE FUNCTION items(account text) RETURNS SETOF text LANGUAGE sql AS $$
	SELECT concat_ws(' ', po_number || '/' || line_number, line_type, total_value, coalesce(balance::text, '-'), CASE WHEN overdrawn THEN 'overdrawn' ELSE 'fine' END,
		coalesce(round(share_left, 2)::text, '-'), invoices, invoiced, order_status, in_effect, currency)
	FROM po_line_item_status WHERE account_id = account ORDER BY po_number, line_number
$$;
SELECT results_eq($$SELECT items('L')$$, ARRAY[
	'P/1 usage 40 -10 overdrawn -0.25 2 50 Active t USD', 'P/2 all 3 - fine - 1 6 Active t USD',
	'P/3 subscription 0 0 fine - 0 0 Active t USD', 'P/4 marketplace 10 10 fine 1.00 0 0 Active f USD'], 'line items, tracked and not, of no value, over');
SELECT is((SELECT count(*) FROM po_line_item_status WHERE overdrawn IS NULL OR in_effect IS NULL), 0::bigint, 'yes or no, never null');
UPDATE po_order SET status = 'suspended' WHERE account_id = 'L';
SELECT is((SELECT string_agg(in_effect::text, ' ') FROM po_line_item_status WHERE account_id = 'L'), 'false false false false', 'no line item of a suspended order is in effect');

--
-- po_unassociated_invoice
--
CALL po('U', 'P'); CALL li('U', 'P', '1', 10); CALL po('U', 'Q', seller => 'AWS Japan');
CALL book('U', 'FAR', 1, '2027-02'); CALL book('U', 'TYPE', 2, type => 'subscription'); CALL book('U', 'EUR', 3, currency => 'EUR');
CALL book('U', 'BOOKED', 4); CALL book('U', 'VOID', 5, '2027-02'); CALL book('NOBODY', 'X', 6);
SELECT * INTO TEMP void FROM po_void_invoice('U', 'AWS Inc.', 'VOID');
SELECT is(rows($$SELECT concat_ws(' ', invoice_id, amount, currency, reason) COLLATE "C" FROM po_unassociated_invoice WHERE account_id = 'U' ORDER BY amount$$),
	concat_ws(E'\n', '"FAR 1 USD Line item 1 of order P: The order expired at the end of 2026-12, before the invoice''s 2027-02 (the month billed)."',
	'"TYPE 2 USD Line item 1 of order P: It pays for AWS Monthly Usage (usage); the invoice is for AWS Subscription Purchase (subscription)."',
	'"EUR 3 EUR Line item 1 of order P: The order is in USD; the invoice is in EUR."'),
	'without an order, not void; the reason is that of the line item that came furthest');
SELECT matches((SELECT reason FROM po_unassociated_invoice WHERE account_id = 'NOBODY'), 'no purchase order', 'an account without orders');
CALL po('U', 'E', currency => 'EUR'); CALL li('U', 'E', '7');
SELECT is((SELECT reason FROM po_unassociated_invoice WHERE account_id = 'U' AND invoice_id = 'EUR'),
	'Line item 7 of order E would pay for it now: match it again.', 'an order came later');
SELECT is((SELECT po_rematch_unassociated('U')), 1::bigint, 'which is true');
SELECT is((SELECT string_agg(invoice_id, ' ' ORDER BY invoice_id) FROM po_unassociated_invoice WHERE account_id = 'U'), 'FAR TYPE', 'and then it is gone from the view');

--
-- po_monthly_spend
--
SELECT is(rows($$SELECT currency, coalesce(po_number, '-'), billing_month, amount, invoices FROM po_monthly_spend WHERE account_id = 'U' ORDER BY 1, 2, 3$$),
	E'EUR,E,2026-02,3,1\nUSD,-,2026-02,2,1\nUSD,-,2027-02,1,1\nUSD,P,2026-02,4,1',
	'by currency, order and month, the unassociated under no order, void ones left out');
SELECT is((SELECT sum(amount) FROM po_monthly_spend), (SELECT sum(amount) FROM po_invoice WHERE voided_at IS NULL), 'nothing else is left out or counted twice');
SELECT is((SELECT string_agg(amount || ' ' || currency, ', ' ORDER BY currency DESC) FROM po_monthly_spend WHERE account_id = 'D' AND po_number = 'MIXED'),
	'145.25 USD, 1 EUR', 'an order that was deleted and made again in another currency: both');

--
-- po_forecast: in June, of the months March to May, or to April where May is not billed yet
--
CALL po('F', 'P');
CREATE PROCEDURE forecast_case(line text, value numeric, months text[], amounts numeric[], start text DEFAULT '2026-01', finish text DEFAULT '2026-12') LANGUAGE plpgsql AS $$
BEGIN
	CALL li('F', 'P', line, value, start => start, finish => finish);
	FOR i IN 1 .. cardinality(months) LOOP
		CALL book('F', line || '-' || i, amounts[i], '2026-' || months[i], 'P', line);
	END LOOP;
END $$;
CALL forecast_case('even', 900, '{03,04,05}', '{100,100,100}');        -- 600 left: six months, to November
CALL forecast_case('exact', 1000, '{03,04,05}', '{100,100,100}');      -- 700 left: to December, just enough
CALL forecast_case('thirds', 940, '{05}', '{10}');                     -- 930 left at 10 / 3: 279 months, although that share is periodic
CALL forecast_case('lag', 700, '{02,03,04}', '{50,100,150}');          -- May is not billed: February to April
CALL forecast_case('old', 700, '{01}', '{150}');                       -- nothing in these months: no end
CALL forecast_case('young', 300, '{05}', '{100}', start => '2026-05'); -- one month only
CALL forecast_case('credit', 300, '{04,05}', '{100,-150}');            -- more credit than spend
CALL forecast_case('over', 100, '{05}', '{130}');
CALL forecast_case('zero', 130, '{05}', '{130}');
CALL forecast_case('june', 100, '{06}', '{40}');                       -- this month is not over
CALL forecast_case('none', 100, '{}', '{}');
CALL forecast_case('ahead', 100, '{}', '{}', start => '2026-09');
CALL forecast_case('ended', 500, '{03,04}', '{100,100}', finish => '2026-04');
CALL li('F', 'P', 'untracked');
SELECT results_eq($$SELECT concat_ws(' ', line_number COLLATE "default", balance, round(monthly_spend, 2), billed_through, coalesce(runs_out_month::text, 'never'), runs_out_early)
	FROM po_forecast WHERE account_id = 'F' ORDER BY line_number$$, ARRAY[
	'ahead 100 0.00 2026-04 never f', 'credit 350 -16.67 2026-05 never f', 'ended 300 66.67 2026-04 2026-09 f', 'even 600 100.00 2026-05 2026-11 t',
	'exact 700 100.00 2026-05 2026-12 f', 'june 60 0.00 2026-04 never f', 'lag 400 100.00 2026-04 2026-08 t', 'none 100 0.00 2026-04 never f',
	'old 550 0.00 2026-04 never f', 'over -30 43.33 2026-05 2026-05 t', 'thirds 930 3.33 2026-05 2049-08 f', 'young 200 100.00 2026-05 2026-07 t',
	'zero 0 43.33 2026-05 2026-05 t'], 'when a balance runs out');
CALL forecast_case('tiny', 9e30, '{05}', '{0.000000003}');
SELECT is((SELECT runs_out_month FROM po_forecast WHERE line_number = 'tiny'), NULL, 'after the year 9999 is never');
SELECT is((SELECT count(*) FROM po_forecast), (SELECT count(*) FROM po_line_item WHERE balance_tracked), 'every tracked line item, once');

--
-- Whose rights
--
CREATE ROLE po_t_viewer; CREATE ROLE po_t_nobody;
DO $$ BEGIN EXECUTE format('GRANT USAGE ON SCHEMA %I TO po_t_viewer, po_t_nobody', (SELECT nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = extnamespace WHERE extname = 'po_mgmt')); END $$;
GRANT SELECT ON po_dashboard, po_line_item_status, po_order_invoice, po_unassociated_invoice, po_monthly_spend, po_forecast TO po_t_viewer, po_t_nobody;
GRANT SELECT ON po_account, po_order, po_line_item, po_invoice TO po_t_viewer;
ALTER TABLE po_order ENABLE ROW LEVEL SECURITY; ALTER TABLE po_line_item ENABLE ROW LEVEL SECURITY; ALTER TABLE po_invoice ENABLE ROW LEVEL SECURITY;
CREATE POLICY one ON po_order FOR SELECT TO po_t_viewer USING (account_id = 'U');
CREATE POLICY one ON po_line_item FOR SELECT TO po_t_viewer USING (account_id = 'U');
CREATE POLICY one ON po_invoice FOR SELECT TO po_t_viewer USING (account_id = 'U');
SET LOCAL ROLE po_t_viewer;
SELECT ok((SELECT count(*) > 0 AND bool_and(account_id = 'U') FROM po_dashboard), 'po_dashboard shows what row security shows');
SELECT ok((SELECT count(*) > 0 AND bool_and(account_id = 'U') FROM po_line_item_status), 'po_line_item_status, too');
SELECT ok((SELECT count(*) > 0 AND bool_and(account_id = 'U') FROM po_order_invoice), 'po_order_invoice, too');
SELECT ok((SELECT count(*) > 0 AND bool_and(account_id = 'U' AND reason ~ 'of order [PE]: ') FROM po_unassociated_invoice), 'po_unassociated_invoice, too');
SELECT ok((SELECT count(*) > 0 AND bool_and(account_id = 'U') FROM po_monthly_spend), 'po_monthly_spend, too');
SELECT ok((SELECT count(*) > 0 AND bool_and(account_id = 'U') FROM po_forecast), 'po_forecast, too');
SET LOCAL ROLE po_t_nobody;
SELECT throws_ok('SELECT FROM ' || v, '42501', NULL, 'SELECT on ' || v || ' is not enough')
FROM unnest('{po_dashboard,po_line_item_status,po_order_invoice,po_unassociated_invoice,po_monthly_spend,po_forecast}'::text[]) v;
RESET ROLE;

--
-- An account of a hundred is found by its keys: no table is read whole
--
INSERT INTO po_account (account_id) SELECT 'N' || n FROM generate_series(1, 100) n;
INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month) SELECT 'N' || n, 'P' || m, 'AWS Inc.', '2026-01', '2026-12' FROM generate_series(1, 100) n, generate_series(1, 5) m;
INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, balance_tracked, amount) SELECT account_id, po_number, '1', 'usage', '2026-01', '2026-12', true, 100 FROM po_order WHERE account_id ~ '^N[0-9]';
INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount) SELECT 'N' || n, 'AWS Inc.', 'I' || m, 'usage', '2026-02', 1 FROM generate_series(1, 100) n, generate_series(1, 20) m;
ANALYZE po_account, po_order, po_line_item, po_invoice;
CREATE FUNCTION scans(view text) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
	FOR line IN EXECUTE format('EXPLAIN (COSTS off) SELECT * FROM %I WHERE account_id = ''N50''', view) LOOP
		IF line ~ 'Seq Scan' THEN RETURN NEXT line; END IF;
	END LOOP;
END $$;
SELECT is_empty(format('SELECT scans(%L)', v), v || ' of one account reads no table whole')
FROM unnest('{po_dashboard,po_line_item_status,po_order_invoice,po_unassociated_invoice,po_monthly_spend,po_forecast}'::text[]) v;

SELECT finish();
ROLLBACK;
