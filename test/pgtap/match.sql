-- test/pgtap/match.sql: which line item an invoice belongs to, and why (section 4 of the
-- contract), scenario by scenario. The differential test has the volume; this one can be read.
BEGIN;
SELECT plan(121);
SET LOCAL po_mgmt.now = '2026-03-15 12:00:00+00'; -- each order is stamped later than the one before
SET LOCAL client_min_messages = warning;

-- an order, a line item; an amount makes its balance tracked
CREATE PROCEDURE po(account text, number text, effective text DEFAULT '2026-01', expiration text DEFAULT '2026-12',
	seller text DEFAULT 'AWS Inc.', currency text DEFAULT NULL, tax text[] DEFAULT NULL, status text DEFAULT 'active')
LANGUAGE sql AS $$
	INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month, currency, tax_registration_numbers, status)
	VALUES (account, number, seller, effective::po_month, expiration::po_month, currency, tax, status)
$$;
CREATE PROCEDURE li(account text, number text, line text, type text DEFAULT 'usage', start text DEFAULT '2026-01', finish text DEFAULT '2026-12',
	amount numeric DEFAULT NULL, agreement text DEFAULT NULL)
LANGUAGE sql AS $$
	INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, balance_tracked, amount, agreement_id)
	VALUES (account, number, line, type::po_line_type, start::po_month, finish::po_month, amount IS NOT NULL, coalesce(amount, 0), agreement)
$$;
-- the candidates, best first. Says so if po_explain_match does not agree, or leaves out or
-- repeats a line item or an order without any.
CREATE FUNCTION ranked(args text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE matched text; explained text; lost text;
BEGIN
	EXECUTE format('SELECT coalesce(string_agg(po_number || ''/'' || line_number, '' '' ORDER BY rank), ''-'') FROM po_match_invoice(%s)', args) INTO matched;
	EXECUTE format('CREATE TEMP TABLE x ON COMMIT DROP AS SELECT * FROM po_explain_match(%s)', args);
	SELECT coalesce(string_agg(po_number || '/' || line_number, ' ' ORDER BY rank), '-') INTO explained FROM x WHERE outcome <> 'rejected';
	SELECT string_agg(t::text, ' ') INTO lost FROM (
		(SELECT o.po_number, i.line_number FROM po_order o LEFT JOIN po_line_item i USING (account_id, po_number)
			WHERE o.account_id = substring(args FROM '^''(.*?)''')
		EXCEPT ALL SELECT po_number, line_number FROM x)
		UNION ALL (SELECT po_number, line_number FROM x WHERE po_number IS NOT NULL
		EXCEPT ALL SELECT o.po_number, i.line_number FROM po_order o LEFT JOIN po_line_item i USING (account_id, po_number)
			WHERE o.account_id = substring(args FROM '^''(.*?)'''))) t;
	IF EXISTS (SELECT FROM x WHERE (outcome = 'selected') <> (rank IS NOT NULL AND rank = 1) OR (outcome = 'rejected') <> (rank IS NULL)
			OR (outcome = 'selected') <> (outcome <> 'rejected' AND stage IS NULL) OR coalesce(reason, '') !~ '^[A-Z].*\.$') THEN
		matched := matched || ' (explanation is inconsistent)';
	END IF;
	DROP TABLE x;
	RETURN matched || CASE WHEN explained <> matched AND args !~ 'max_rank' THEN ' but explained as ' || explained ELSE '' END
		|| CASE WHEN lost IS NOT NULL AND args !~ 'max_rank' THEN ' and explained wrongly: ' || lost ELSE '' END;
END $$;
-- what is said of one line item: stage: reason
CREATE FUNCTION why(args text, number text, line text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE result text;
BEGIN
	EXECUTE format('SELECT string_agg(coalesce(stage, outcome) || '': '' || reason, '' | '') FROM po_explain_match(%s)
		WHERE po_number IS NOT DISTINCT FROM $1 AND line_number IS NOT DISTINCT FROM $2', args) INTO result USING number, line;
	RETURN result;
END $$;

--
-- Filters, each alone: a good line item beside one that the filter rejects
--
CALL po('status', 'GOOD'); CALL li('status', 'GOOD', '1');
CALL po('status', 'SUSP', status => 'suspended'); CALL li('status', 'SUSP', '1');
CALL po('status', 'OLD', '2025-01', '2026-01'); CALL li('status', 'OLD', '1', start => '2025-01', finish => '2026-01');
CALL po('status', 'LATER', '2026-03'); CALL li('status', 'LATER', '1', start => '2026-03');
CALL po('status', 'EMPTY');
\set q '''status'', ''AWS Inc.'', ''usage'', ''2026-02'', 100'
SELECT is(ranked(:'q'), 'GOOD/1', 'a suspended order, an expired one, one that is not yet in effect and one without line items are not used');
SELECT is(why(:'q', 'GOOD', '1'), 'selected: The only line item that fits. It pays for AWS Monthly Usage (usage), the type of the invoice. Its balance is not tracked.', 'selected');
SELECT is(why(:'q', 'SUSP', '1'), 'status: The order is suspended.', 'status: suspended');
SELECT is(why(:'q', 'OLD', '1'), 'status: The order expired at the end of 2026-01, before the invoice''s 2026-02 (the month billed).', 'status: expired');
SELECT is(why(:'q', 'LATER', '1'), 'order_period: The order takes effect in 2026-03, after the invoice''s 2026-02 (the month billed).', 'order_period');
SELECT is(why(:'q', 'EMPTY', NULL), 'period: The order has no line items.', 'an order without line items has one row');
SELECT is(ranked($$'status', 'AWS Inc.', 'usage', '2026-01', 1$$), 'OLD/1 GOOD/1', 'in its last month an order is good');
SELECT is(ranked($$'status', 'AWS Inc.', 'usage', '2026-03', 1$$), 'LATER/1 GOOD/1', 'and in its first');

CALL po('seller', 'US'); CALL li('seller', 'US', '1');
CALL po('seller', 'EMEA', seller => 'Amazon Web Services EMEA SARL'); CALL li('seller', 'EMEA', '1');
SELECT is(ranked($$'seller', 'AWS Inc.', 'usage', '2026-02', 1$$), 'US/1', 'bill_from is equal');
SELECT matches(why($$'seller', 'AWS Inc.', 'usage', '2026-02', 1$$, 'EMEA', '1'), '^bill_from: The order is with AWS EMEA SARL; the invoice is from AWS Inc\.\.?$', 'bill_from');
SELECT is(ranked($$'seller', 'Amazon Web Services, Inc.', 'usage', '2026-02', 1$$), 'US/1', 'an alias stands for its seller');
SELECT is(ranked($$'seller', 'AWS Europe', 'usage', '2026-02', 1$$), 'EMEA/1', 'another alias');
SELECT is(ranked($$'seller', 'AWS Japan', 'usage', '2026-02', 1$$), '-', 'a seller without orders here');
SELECT is(ranked($$'seller', 'Nobody GmbH', 'usage', '2026-02', 1$$), '-', 'a seller that is not known has no candidates');
SELECT is(why($$'seller', 'Nobody GmbH', 'usage', '2026-02', 1$$, 'US', '1'), 'bill_from: The order is with AWS Inc.; the invoice is from Nobody GmbH.', 'and the reason says why');
SELECT is(ranked($$'seller', 'aws inc.', 'usage', '2026-02', 1$$), '-', 'identifiers are case-sensitive');

INSERT INTO po_account (account_id, currency) VALUES ('currency', 'EUR');
CALL po('currency', 'EUR'); CALL li('currency', 'EUR', '1');
CALL po('currency', 'USD', currency => 'usd'); CALL li('currency', 'USD', '1');
SELECT is(ranked($$'currency', 'AWS Inc.', 'usage', '2026-02', 1$$), 'EUR/1', 'a currency of null is the account''s');
SELECT is(ranked($$'currency', 'AWS Inc.', 'usage', '2026-02', 1, 'USD'$$), 'USD/1', 'currency is equal');
SELECT is(ranked($$'currency', 'AWS Inc.', 'usage', '2026-02', 1, 'eur'$$), 'EUR/1', 'in any case, as it is stored');
SELECT is(why($$'currency', 'AWS Inc.', 'usage', '2026-02', 1, 'USD'$$, 'EUR', '1'), 'currency: The order is in EUR; the invoice is in USD.', 'currency');

CALL po('tax', 'ANY'); CALL li('tax', 'ANY', '1');
CALL po('tax', 'LIST', tax => '{LU1,DE2}'); CALL li('tax', 'LIST', '1');
CALL po('tax', 'NIL', tax => '{}'); CALL li('tax', 'NIL', '1');
SELECT is(ranked($$'tax', 'AWS Inc.', 'usage', '2026-02', 1, tax_registration_number => 'DE2'$$), 'NIL/1 LIST/1 ANY/1', 'one of the listed numbers; an order that lists none takes all');
SELECT is(ranked($$'tax', 'AWS Inc.', 'usage', '2026-02', 1, tax_registration_number => 'DE'$$), 'NIL/1 ANY/1', 'another number');
SELECT is(why($$'tax', 'AWS Inc.', 'usage', '2026-02', 1, tax_registration_number => 'DE'$$, 'LIST', '1'), 'tax_registration: The order is for tax registration number LU1, DE2 only; the invoice has DE.', 'tax_registration');
SELECT is(why($$'tax', 'AWS Inc.', 'usage', '2026-02', 1$$, 'LIST', '1'), 'tax_registration: The order is for tax registration number LU1, DE2 only; the invoice has none.', 'an invoice without a number');

CALL po('period', 'P'); CALL li('period', 'P', 'Q1', finish => '2026-03'); CALL li('period', 'P', 'Q2', start => '2026-04', finish => '2026-06');
SELECT is(ranked($$'period', 'AWS Inc.', 'usage', '2026-03', 1$$), 'P/Q1', 'the last month of a line item');
SELECT is(ranked($$'period', 'AWS Inc.', 'usage', '2026-04', 1$$), 'P/Q2', 'the first month of a line item');
SELECT is(why($$'period', 'AWS Inc.', 'usage', '2026-04', 1$$, 'P', 'Q1'), 'period: It is for 2026-01 to 2026-03; the invoice''s month is 2026-04 (the month billed).', 'period');
SELECT is(ranked($$'period', 'AWS Inc.', 'usage', '2026-07', 1$$), '-', 'no line item for the month');

INSERT INTO po_taxonomy (line_type) VALUES ('usage.compute'), ('usage.compute.gpu');
CALL po('type', 'P'); CALL li('type', 'P', 'all', 'all'); CALL li('type', 'P', 'usage'); CALL li('type', 'P', 'compute', 'usage.compute');
CALL li('type', 'P', 'subscription', 'AWS Subscription Purchase');
SELECT is(ranked($$'type', 'AWS Inc.', 'usage', '2026-02', 1$$), 'P/usage P/all', 'the type or an ancestor of it, not a descendant');
SELECT is(why($$'type', 'AWS Inc.', 'usage', '2026-02', 1$$, 'P', 'compute'), 'type: It pays for usage.compute; the invoice is for AWS Monthly Usage (usage).', 'type: a descendant');
SELECT is(why($$'type', 'AWS Inc.', 'usage', '2026-02', 1$$, 'P', 'subscription'), 'type: It pays for AWS Subscription Purchase (subscription); the invoice is for AWS Monthly Usage (usage).', 'type: another');
SELECT is(ranked($$'type', 'AWS Inc.', 'usage.compute.gpu', '2026-02', 1$$), 'P/compute P/usage P/all', 'specificity: the more specific first');
SELECT is(why($$'type', 'AWS Inc.', 'usage.compute.gpu', '2026-02', 1$$, 'P', 'usage'), 'specificity: It fits, but its type AWS Monthly Usage (usage) is less specific than usage.compute of line item compute of order P.', 'specificity');
SELECT is(ranked($$'type', 'AWS Inc.', 'usage.storage', '2026-02', 1$$), 'P/usage P/all', 'a type that is not in the taxonomy is matched by the same rules');
SELECT is(ranked($$'type', 'AWS Inc.', 'tolls', '2026-02', 1$$), 'P/all', 'all may pay for it');
SELECT is(ranked($$'type', 'AWS Inc.', 'all', '2026-02', 1$$), 'P/all', 'an invoice for all is for all alone');
SELECT is(ranked($$'type', 'AWS Inc.', 'usagex', '2026-02', 1$$), 'P/all', 'a name that begins alike is no descendant');

-- types outside the monthly billing cycle
INSERT INTO po_taxonomy (line_type, out_of_cycle_only) VALUES ('professional_services.training', NULL), ('professional_services.flat', false), ('usage.once', true);
CALL po('cycle', 'P'); CALL li('cycle', 'P', 'ps', 'professional_services'); CALL li('cycle', 'P', 'train', 'professional_services.training');
CALL li('cycle', 'P', 'flat', 'professional_services.flat'); CALL li('cycle', 'P', 'once', 'usage.once'); CALL li('cycle', 'P', 'usage'); CALL li('cycle', 'P', 'all', 'all');
SELECT is(ranked($$'cycle', 'AWS Inc.', 'professional_services', '2026-02', 1$$), 'P/ps P/all', 'out_of_cycle null: outside, since the type is such a type');
SELECT is(ranked($$'cycle', 'AWS Inc.', 'professional_services', '2026-02', 1, out_of_cycle => false$$), 'P/all', 'inside the cycle it is not paid by a type that is out of cycle only');
SELECT is(why($$'cycle', 'AWS Inc.', 'professional_services', '2026-02', 1, out_of_cycle => false$$, 'P', 'ps'), 'type: It pays for AWS Professional Services and Training Purchase (professional_services) outside the monthly billing cycle only; the invoice is inside the cycle.', 'type: inside the cycle');
SELECT is(ranked($$'cycle', 'AWS Inc.', 'professional_services.training', '2026-02', 1$$), 'P/train P/ps P/all', 'inherited from the nearest ancestor that has it');
SELECT is(ranked($$'cycle', 'AWS Inc.', 'professional_services.training', '2026-02', 1, out_of_cycle => false$$), 'P/all', 'for the line item, too');
SELECT is(ranked($$'cycle', 'AWS Inc.', 'professional_services.flat', '2026-02', 1$$), 'P/flat P/all', 'a false of its own: inside the cycle, so its parent does not fit');
SELECT is(ranked($$'cycle', 'AWS Inc.', 'professional_services.flat', '2026-02', 1, out_of_cycle => true$$), 'P/flat P/ps P/all', 'unless the invoice says that it is outside');
SELECT is(ranked($$'cycle', 'AWS Inc.', 'professional_services.flat.x', '2026-02', 1$$), 'P/flat P/all', 'a type below it inherits that');
SELECT is(ranked($$'cycle', 'AWS Inc.', 'usage', '2026-02', 1, out_of_cycle => true$$), 'P/usage P/all', 'other types pay for invoices outside the cycle as well');
SELECT is(ranked($$'cycle', 'AWS Inc.', 'usage.once', '2026-02', 1$$), 'P/once P/usage P/all', 'of users'' types, too');

-- agreements
CALL po('agreement', 'P'); CALL li('agreement', 'P', 'free', 'marketplace'); CALL li('agreement', 'P', 'a1', 'marketplace', agreement => 'AG-1'); CALL li('agreement', 'P', 'a2', 'marketplace', agreement => 'AG-2');
SELECT is(ranked($$'agreement', 'AWS Inc.', 'marketplace', '2026-02', 1$$), 'P/free', 'a bound line item needs an invoice of the agreement');
SELECT is(ranked($$'agreement', 'AWS Inc.', 'marketplace', '2026-02', 1, agreement_id => 'AG-2'$$), 'P/a2 P/free', 'bound before not bound');
SELECT is(why($$'agreement', 'AWS Inc.', 'marketplace', '2026-02', 1$$, 'P', 'a1'), 'agreement: It is bound to agreement AG-1; the invoice names no agreement.', 'agreement: none');
SELECT is(why($$'agreement', 'AWS Inc.', 'marketplace', '2026-02', 1, agreement_id => 'AG-2'$$, 'P', 'a1'), 'agreement: It is bound to agreement AG-1; the invoice is of agreement AG-2.', 'agreement: another');
SELECT is(why($$'agreement', 'AWS Inc.', 'marketplace', '2026-02', 1, agreement_id => 'AG-2'$$, 'P', 'free'), 'specificity: It fits, but it is not bound to agreement AG-2 as line item a2 of order P is.', 'bound: decided with specificity');
SELECT matches(why($$'agreement', 'AWS Inc.', 'marketplace', '2026-02', 1, agreement_id => 'AG-2'$$, 'P', 'a2'), '^selected: The best of 2 line items that fit\. .* It is bound to the invoice''s agreement AG-2\.', 'selected by its agreement');
CALL po('agreement2', 'P'); CALL li('agreement2', 'P', 'm', 'marketplace', agreement => 'AG-1'); CALL li('agreement2', 'P', 't', 'marketplace.transaction');
SELECT is(ranked($$'agreement2', 'AWS Inc.', 'marketplace.transaction', '2026-02', 1, agreement_id => 'AG-1'$$), 'P/t P/m', 'specificity goes before the agreement');

-- requested numbers
CALL po('request', 'P'); CALL li('request', 'P', '1'); CALL li('request', 'P', '2'); CALL po('request', 'Q'); CALL li('request', 'Q', '1');
CALL po('request', 'S', status => 'suspended'); CALL li('request', 'S', '1');
SELECT is(ranked($$'request', 'AWS Inc.', 'usage', '2026-02', 1$$), 'Q/1 P/1 P/2', 'without a request all fit');
SELECT is(ranked($$'request', 'AWS Inc.', 'usage', '2026-02', 1, requested_po_number => 'P'$$), 'P/1 P/2', 'only the order that is asked for');
SELECT is(ranked($$'request', 'AWS Inc.', 'usage', '2026-02', 1, requested_po_number => ' P ', requested_line_number => E'2\t'$$), 'P/2', 'only the line item that is asked for; outer space is trimmed');
SELECT is(ranked($$'request', 'AWS Inc.', 'usage', '2026-02', 1, requested_po_number => 'p'$$), '-', 'an order that does not exist: no PO');
SELECT is(ranked($$'request', 'AWS Inc.', 'usage', '2026-02', 1, requested_po_number => 'S'$$), '-', 'an order that cannot be used: no PO, nothing else is tried');
SELECT is(ranked($$'request', 'AWS Inc.', 'usage', '2026-02', 1, requested_po_number => '  '$$), 'Q/1 P/1 P/2', 'a blank is no request');
SELECT is(why($$'request', 'AWS Inc.', 'usage', '2026-02', 1, requested_po_number => 'P'$$, 'Q', '1'), 'requested_po: The invoice asks for order P, and this is order Q.', 'requested_po: another order');
SELECT is(why($$'request', 'AWS Inc.', 'usage', '2026-02', 1, requested_po_number => 'P', requested_line_number => '2'$$, 'P', '1'), 'requested_po: The invoice asks for line item 2 of order P, and this is line item 1.', 'requested_po: another line item');
SELECT matches(why($$'request', 'AWS Inc.', 'usage', '2026-02', 1, requested_po_number => 'P', requested_line_number => '2'$$, 'P', '2'), 'The invoice asks for it by the order''s number, P\.$', 'selected as it was asked for');
SELECT is(why($$'request', 'AWS Inc.', 'usage', '2026-02', 1, requested_po_number => 'S'$$, 'S', '1'), 'status: The order is suspended.', 'what is asked for is rejected by the first filter that does');

--
-- Ranking: balance, recency, ties
--
CALL po('balance', 'SMALL'); CALL po('balance', 'BIG'); CALL li('balance', 'BIG', '1', amount => 100);
CALL li('balance', 'SMALL', '1', amount => 10); -- SMALL is updated last
SELECT is(ranked($$'balance', 'AWS Inc.', 'usage', '2026-02', 10$$), 'SMALL/1 BIG/1', 'recency: the order updated last, where both cover');
SELECT is(ranked($$'balance', 'AWS Inc.', 'usage', '2026-02', 10.01$$), 'BIG/1 SMALL/1', 'balance: what covers the invoice first');
SELECT is(ranked($$'balance', 'AWS Inc.', 'usage', '2026-02', 1000$$), 'SMALL/1 BIG/1', 'where none covers it, the rest decides: out of balance is still a candidate');
SELECT is(ranked($$'balance', 'AWS Inc.', 'usage', '2026-02', -1000$$), 'SMALL/1 BIG/1', 'an amount below zero is covered');
SELECT results_eq($$SELECT po_number, covers, balance FROM po_match_invoice('balance', 'AWS Inc.', 'usage', '2026-02', 50) ORDER BY rank$$,
	$$VALUES ('BIG', true, 100::numeric), ('SMALL', false, 10)$$, 'covers and balance are shown');
SELECT is(why($$'balance', 'AWS Inc.', 'usage', '2026-02', 50$$, 'SMALL', '1'), 'balance: It fits, but its balance of 10 USD does not cover the invoice''s 50, and that of line item 1 of order BIG does.', 'balance');
SELECT matches(why($$'balance', 'AWS Inc.', 'usage', '2026-02', 50$$, 'BIG', '1'), '^selected: The best of 2 .* Its balance of 100 USD covers the invoice''s 50\.$', 'the selected one covers it');
SELECT matches(why($$'balance', 'AWS Inc.', 'usage', '2026-02', 500$$, 'SMALL', '1'), ' Its balance of 10 USD does not cover the invoice''s 500\.$', 'or does not');
SELECT matches(why($$'balance', 'AWS Inc.', 'usage', '2026-02', 1$$, 'BIG', '1'), '^recency: It fits as well as line item 1 of order SMALL, but that order was updated later \(2026-03-15 12:00:00.*\) than this one \(2026-03-15 12:00:00.*\)\.$', 'recency');
UPDATE po_order SET description = 'newer' WHERE (account_id, po_number) = ('balance', 'BIG');
SELECT is(ranked($$'balance', 'AWS Inc.', 'usage', '2026-02', 1$$), 'BIG/1 SMALL/1', 'a change of an order makes it the newest');
UPDATE po_line_item SET description = 'newer' WHERE (account_id, po_number) = ('balance', 'SMALL');
SELECT is(ranked($$'balance', 'AWS Inc.', 'usage', '2026-02', 1$$), 'SMALL/1 BIG/1', 'and so does a change of its line items');
CREATE TEMP TABLE stamps AS SELECT po_number, updated_at FROM po_order WHERE account_id = 'balance';
INSERT INTO po_contact (account_id, po_number, email) VALUES ('balance', 'BIG', 'ap@example.com');
INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount) VALUES ('balance', 'AWS Inc.', 'I', 'usage', '2026-02', 60);
UPDATE po_order SET description = description WHERE account_id = 'balance';
SELECT results_eq($$SELECT po_number, updated_at FROM po_order WHERE account_id = 'balance' ORDER BY 1$$, 'SELECT * FROM stamps ORDER BY 1',
	'contacts, bookings and updates that change nothing do not move updated_at');
SELECT is(ranked($$'balance', 'AWS Inc.', 'usage', '2026-02', 10$$), 'SMALL/1 BIG/1', 'nor the ranking');
CALL po('untracked', 'U'); CALL li('untracked', 'U', '1'); CALL po('untracked', 'T'); CALL li('untracked', 'T', '1', amount => 5);
SELECT is(ranked($$'untracked', 'AWS Inc.', 'usage', '2026-02', 6$$), 'U/1 T/1', 'what is not tracked covers everything');

-- equal times come from a restore: history, of the table's owner
INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month, currency, created_at, updated_at)
	SELECT 'status', n, 'AWS Japan', '2026-01', '2026-12', 'USD', '2026-01-01', '2026-01-01' FROM unnest('{b,a,Z,é}'::text[]) n;
CALL li('status', 'b', '1'); CALL li('status', 'a', '1'); CALL li('status', 'a', '0'); CALL li('status', 'Z', '1'); CALL li('status', 'é', '1'); CALL li('status', 'é', '2', finish => '2026-11');
ALTER TABLE po_order DISABLE TRIGGER "~po_mgmt_before";
UPDATE po_order SET updated_at = '2026-01-01' WHERE bill_from = 'AWS Japan';
ALTER TABLE po_order ENABLE TRIGGER "~po_mgmt_before";
\set q '''status'', ''AWS Japan'', ''usage'', ''2026-02'', 1'
SELECT is(ranked(:'q'), 'é/2 Z/1 a/1 a/0 b/1 é/1', 'ties: fewer months, then the number by bytes, then the lower id');
SELECT is(why(:'q', 'Z', '1'), 'tie: It fits as well as line item 2 of order é, and both orders were updated at the same time; but it spans 12 months and that one spans 11: the shorter one goes first.', 'tie: months');
SELECT is(why($$'status', 'AWS Japan', 'usage', '2026-12', 1$$, 'a', '1'), 'tie: It fits as well as line item 1 of order Z, and both orders were updated at the same time; but order number a comes after Z.', 'tie: numbers');
SELECT is(why($$'status', 'AWS Japan', 'usage', '2026-12', 1, requested_po_number => 'a'$$, 'a', '0'), 'tie: It fits as well as line item 1 of order a; but it was added later.', 'tie: ids');
SELECT results_eq($$SELECT rank, specificity, line_type::text FROM po_match_invoice('type', 'AWS Inc.', 'usage.compute', '2026-02', 1) ORDER BY rank$$,
	$$VALUES (1, 2, 'usage.compute'), (2, 1, 'usage'), (3, 0, 'all')$$, 'rank, specificity and type are shown');

--
-- The period bases: usage of January, invoiced in February
--
CREATE FUNCTION bases(basis text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	UPDATE po_account SET period_basis = basis WHERE account_id = 'basis';
	RETURN ranked($q$'basis', 'AWS Inc.', 'usage', '2026-01', 1, issued_on => '2026-02-03'$q$);
END $$;
CALL po('basis', 'JAN', '2026-01', '2026-01'); CALL li('basis', 'JAN', '1', finish => '2026-01');
CALL po('basis', 'FEB', '2026-02', '2026-02'); CALL li('basis', 'FEB', '1', start => '2026-02', finish => '2026-02');
CALL po('basis', 'BOTH', '2026-01', '2026-02'); CALL li('basis', 'BOTH', 'jan', finish => '2026-01'); CALL li('basis', 'BOTH', 'feb', start => '2026-02', finish => '2026-02');
\set q '''basis'', ''AWS Inc.'', ''usage'', ''2026-01'', 1, issued_on => ''2026-02-03'''
SELECT is(bases('billing_period'), 'BOTH/jan JAN/1', 'billing_period: the month billed, for both');
SELECT matches(why(:'q', 'JAN', '1'), '^recency: ', 'an order for January pays for January''s usage');
SELECT matches(why(:'q', 'BOTH', 'jan'), ' The invoice was issued on 2026-02-03 for 2026-01: the month billed counts\.$', 'although the invoice is issued in February; the reason says so');
SELECT is(why(:'q', 'FEB', '1'), 'order_period: The order takes effect in 2026-02, after the invoice''s 2026-01 (the month billed).', 'the order of February is not for it');
SELECT is(bases('issue_date'), 'BOTH/feb FEB/1', 'issue_date: the month of issue, for both');
SELECT matches(why(:'q', 'BOTH', 'feb'), ' issued on 2026-02-03 for 2026-01: in this account the month of issue counts\.$', 'the reason says so');
SELECT is(why(:'q', 'JAN', '1'), 'status: The order expired at the end of 2026-01, before the invoice''s 2026-02 (the month of issue).', 'the order of January has expired');
SELECT is(why(:'q', 'BOTH', 'jan'), 'period: It is for 2026-01 to 2026-01; the invoice''s month is 2026-02 (the month of issue).', 'the line item of January is over');
SELECT is(bases('status_on_issue'), 'BOTH/jan', 'status_on_issue: the month of issue for the order, the month billed for the line item');
SELECT matches(why(:'q', 'BOTH', 'jan'), ': in this account the month of issue counts for the order, the month billed for the line item\.$', 'the reason says so');
SELECT is(why(:'q', 'BOTH', 'feb'), 'period: It is for 2026-02 to 2026-02; the invoice''s month is 2026-01 (the month billed).', 'the other line item is not for it');
SET LOCAL po_mgmt.now = '2026-01-31 23:30:00+00';
UPDATE po_account SET period_basis = 'issue_date' WHERE account_id = 'basis';
SELECT is(ranked($$'basis', 'AWS Inc.', 'usage', '2026-01', 1$$), 'BOTH/jan JAN/1', 'issued_on null is today');
UPDATE po_account SET time_zone = 'Europe/Luxembourg' WHERE account_id = 'basis';
SELECT is(ranked($$'basis', 'AWS Inc.', 'usage', '2026-01', 1$$), 'BOTH/feb FEB/1', 'of the account''s time zone');
SET LOCAL po_mgmt.now = '2026-03-16 12:00:00+00';

--
-- Nothing there; ranks; both forms
--
SELECT is(ranked($$'nobody', 'AWS Inc.', 'usage', '2026-02', 1$$), '-', 'an account that is not known has no candidates');
SELECT is(why($$'nobody', 'AWS Inc.', 'usage', '2026-02', 1$$, NULL, NULL), 'rejected: Account nobody is not known: it has no purchase orders.', 'and po_explain_match says why');
INSERT INTO po_account (account_id) VALUES ('none');
SELECT is(why($$'none', 'AWS Inc.', 'usage', '2026-02', 1$$, NULL, NULL), 'rejected: Account none has no purchase orders.', 'nor has one without orders');
SELECT is(ranked($$'request', 'AWS Inc.', 'usage', '2026-02', 1, max_rank => 2$$), 'Q/1 P/1', 'max_rank');
SELECT is((SELECT string_agg(ranked(format($$'%s', 'AWS Inc.', '%s', '2026-02', %s, max_rank => 1, agreement_id => 'AG-2'$$, a, t, n)), ' ')
	FROM (VALUES ('type', 'usage.compute', 1), ('balance', 'usage', 50), ('agreement', 'marketplace', 1), ('tax', 'usage', 1), ('status', 'usage', 1)) v(a, t, n)),
	'P/compute SMALL/1 P/a2 NIL/1 GOOD/1', 'max_rank 1 finds the first of all');
SELECT is((SELECT count(*) FROM po_match_invoice('request', 'AWS Inc.', 'usage', '2026-02', 1, max_rank => 100))::int, 3, 'a max_rank beyond the last');

INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount, requested_po_number) VALUES
	('request', 'Amazon Web Services, Inc.', 'I1', 'usage', '2026-02', 1, ' P ');
SELECT results_eq($$SELECT m.rank, m.po_number, m.line_number FROM po_invoice i, po_match_invoice(i) m WHERE i.account_id = 'request' ORDER BY 1$$,
	$$VALUES (1, 'P', '1'), (2, 'P', '2')$$, 'the form for a row of po_invoice');
SELECT is((SELECT count(*) FROM po_invoice i, po_match_invoice(i, 1) m WHERE i.account_id = 'request')::int, 1, 'with max_rank');
SELECT results_eq($$SELECT e.line_number, e.outcome FROM po_invoice i, po_explain_match(i) e WHERE i.account_id = 'request' AND e.po_number = 'P' ORDER BY 1$$,
	$$VALUES ('1', 'selected'), ('2', 'candidate')$$, 'explained in the same form');
SELECT results_eq($$SELECT po_number FROM po_match_invoice(jsonb_populate_record(null::po_invoice, '{"account_id": "status", "bill_from": "AWS Inc.", "line_type": "usage", "billing_month": "2026-02", "amount": 1}'))$$,
	$$VALUES ('GOOD')$$, 'a row that is not stored');

-- a booked invoice is matched as if its own amount had been given back
CALL po('back', 'P'); CALL li('back', 'P', '1', amount => 100); CALL po('back', 'Q'); CALL li('back', 'Q', '1', amount => 90);
UPDATE po_order SET description = 'newest' WHERE (account_id, po_number) = ('back', 'P');
INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount) VALUES ('back', 'AWS Inc.', 'I1', 'usage', '2026-02', 80);
SELECT results_eq($$SELECT m.po_number, m.covers, m.balance FROM po_invoice i, po_match_invoice(i) m WHERE i.account_id = 'back'$$,
	$$VALUES ('P', true, 100::numeric), ('Q', true, 90)$$, 'its own line item has its amount back');
SELECT is(ranked($$'back', 'AWS Inc.', 'usage', '2026-02', 80$$), 'Q/1 P/1', 'another one of the same amount finds it gone');
SELECT matches((SELECT e.reason FROM po_invoice i, po_explain_match(i) e WHERE i.account_id = 'back' AND e.outcome = 'selected'), 'Its balance of 100 USD covers', 'explained so, too');

-- credit memos
\set memo 'jsonb_populate_record(null::po_invoice, ''{"account_id": "back", "bill_from": "AWS Inc.", "invoice_id": "M", "kind": "credit_memo", "line_type": "usage", "billing_month": "2026-02", "amount": -5, "original_invoice_id": "I1"}'''
UPDATE po_order SET status = 'suspended' WHERE (account_id, po_number) = ('back', 'P');
SELECT results_eq('SELECT rank, po_number, line_number FROM po_match_invoice(' || :'memo' || '))', $$VALUES (1, 'P', '1')$$,
	'a credit memo whose original is booked has that line item alone, even of a suspended order');
SELECT set_eq('SELECT po_number, outcome, reason FROM po_explain_match(' || :'memo' || ')) WHERE outcome = ''rejected''',
	$$VALUES ('Q', 'rejected', 'A credit memo goes where its original goes: invoice I1 is booked on line item 1 of order P.')$$, 'and says so');
SELECT results_eq('SELECT po_number FROM po_match_invoice(' || replace(:'memo', 'I1', 'I9') || '))', $$VALUES ('Q')$$, 'of an original that is not known: by the rules');
SELECT results_eq('SELECT po_number FROM po_match_invoice(' || replace(:'memo', '"AWS Inc."', '"Amazon Web Services, Inc."') || '))', $$VALUES ('P')$$, 'by an alias of the seller');
SELECT results_eq('SELECT po_number FROM po_match_invoice(' || replace(:'memo', '"kind": "credit_memo", ', '') || '))', $$VALUES ('P')$$, 'without its kind, which is by its sign');
INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount) VALUES ('back', 'AWS Inc.', 'I2', 'subscription', '2026-02', 80);
SELECT is_empty('SELECT po_number FROM po_match_invoice(' || replace(:'memo', 'I1', 'I2') || '))', 'of an original without an order: none');
SELECT matches((SELECT string_agg(DISTINCT reason, ' ') FROM po_explain_match(jsonb_populate_record(null::po_invoice, '{"account_id": "back", "bill_from": "AWS Inc.", "invoice_id": "M", "kind": "credit_memo", "line_type": "usage", "billing_month": "2026-02", "amount": -5, "original_invoice_id": "I2"}'))),
	'^A credit memo goes where its original goes, and invoice I2 has no purchase order\.$', 'and says so');

--
-- The five configurations of the AWS guide
--
CALL po('guide1', 'month', '2026-03', '2026-03'); CALL li('guide1', 'month', '1', 'all', '2026-03', '2026-03');
CALL po('guide1', 'quarter', '2026-04', '2026-06'); CALL li('guide1', 'quarter', '1', 'all', '2026-04', '2026-06');
CALL po('guide1', 'half', '2026-07', '2026-12'); CALL li('guide1', 'half', '1', 'all', '2026-07', '2026-12');
CALL po('guide1', 'year', '2027-01', '2027-12'); CALL li('guide1', 'year', '1', 'all', '2027-01', '2027-12');
SELECT is((SELECT string_agg(ranked(format($$'guide1', 'AWS Inc.', 'usage', '%s', 1$$, m)), ' ') FROM unnest('{2026-02,2026-03,2026-04,2026-06,2026-07,2026-12,2027-01,2027-12,2028-01}'::text[]) m),
	'- month/1 quarter/1 quarter/1 half/1 half/1 year/1 year/1 -', '1: one order a month, a quarter, a half-year, a year');
CREATE TEMP TABLE types AS SELECT * FROM unnest('{usage,subscription,marketplace,marketplace.transaction,professional_services}'::text[]) WITH ORDINALITY t(type, n);
DO $$ DECLARE t text; m text; BEGIN
	CALL po('guide3', 'P'); CALL po('guide4', 'P'); CALL po('guide5', 'P');
	FOR t IN SELECT type FROM types LOOP
		CALL po('guide2', t); CALL li('guide2', t, '1', t);
		CALL li('guide4', 'P', t, t);
	END LOOP;
	FOR m IN SELECT '2026-' || to_char(g, 'FM00') FROM generate_series(1, 12) g LOOP
		CALL li('guide3', 'P', m, 'all', m, m);
		FOR t IN SELECT type FROM types LOOP CALL li('guide5', 'P', t || m, t, m, m); END LOOP;
	END LOOP;
END $$;
CREATE FUNCTION guide(account text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(ranked(format('''%s'', ''AWS Inc.'', ''%s'', ''2026-%s'', 1, max_rank => 1', account, type, to_char(n * 2, 'FM00'))), ' ' ORDER BY n) FROM types
$$;
SELECT is(guide('guide2'), (SELECT string_agg(type || '/1', ' ' ORDER BY n) FROM types), '2: one order for each type');
SELECT is(guide('guide3'), (SELECT string_agg('P/2026-' || to_char(n * 2, 'FM00'), ' ' ORDER BY n) FROM types), '3: one line item a month');
SELECT is(guide('guide4'), (SELECT string_agg('P/' || type, ' ' ORDER BY n) FROM types), '4: one line item for each type');
SELECT is(guide('guide5'), (SELECT string_agg('P/' || type || '2026-' || to_char(n * 2, 'FM00'), ' ' ORDER BY n) FROM types), '5: one line item for each month and type');

SELECT finish();
ROLLBACK;
