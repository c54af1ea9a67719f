-- test/pgtap/focus.sql: FOCUS cost and usage tables make invoices, and invoices make FOCUS 1.4 Invoice Detail.
BEGIN;
SELECT plan(30);
SET LOCAL client_min_messages = error; -- the warnings are read by the regress test recipes
SET LOCAL po_mgmt.now = '2026-06-10 12:00+00';

-- the rows of a query, one a line
CREATE FUNCTION rows(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE result text;
BEGIN
	EXECUTE format('SELECT string_agg(btrim(r::text, ''()''), E''\n'') FROM (%s) r', query) INTO result;
	RETURN result;
END $$;
CREATE FUNCTION made(charges text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(concat_ws(' ', account_id, bill_from, invoice_id, kind, line_type, billing_month, issued_on, amount, currency, original_invoice_id), E'\n' ORDER BY n)
	FROM (SELECT f.*, row_number() OVER () AS n FROM po_invoices_from_focus(charges::regclass) f) f
$$;
CREATE FUNCTION left_out(charges text) RETURNS text LANGUAGE sql AS $$
	SELECT string_agg(left_out || ': ' || n, E'\n' ORDER BY left_out) FROM (
		SELECT left_out, count(*) AS n FROM po_focus_charges(charges::regclass) WHERE left_out IS NOT NULL GROUP BY left_out) l
$$;

--
-- The sample (FOCUS 1.0): 1000 charges, 8 invoices. (make check runs in the tree)
--
CREATE TABLE focus_sample (
	"AvailabilityZone" text, "BilledCost" numeric, "BillingAccountId" text, "BillingAccountName" text,
	"BillingCurrency" text, "BillingPeriodEnd" timestamp, "BillingPeriodStart" timestamp,
	"ChargeCategory" text, "ChargeClass" text, "ChargeDescription" text, "ChargeFrequency" text,
	"ChargePeriodEnd" timestamp, "ChargePeriodStart" timestamp, "CommitmentDiscountCategory" text,
	"CommitmentDiscountId" text, "CommitmentDiscountName" text, "CommitmentDiscountStatus" text,
	"CommitmentDiscountType" text, "ConsumedQuantity" numeric, "ConsumedUnit" text,
	"ContractedCost" numeric, "ContractedUnitPrice" numeric, "EffectiveCost" numeric,
	"InvoiceIssuerName" text, "ListCost" numeric, "ListUnitPrice" numeric, "PricingCategory" text,
	"PricingQuantity" numeric, "PricingUnit" text, "ProviderName" text, "PublisherName" text,
	"RegionId" text, "RegionName" text, "ResourceId" text, "ResourceName" text, "ResourceType" text,
	"ServiceCategory" text, "Id" bigint, "ServiceName" text, "SkuId" text, "SkuPriceId" text,
	"SubAccountId" text, "SubAccountName" text, "Tags" jsonb);
\copy focus_sample FROM 'doc/demo/focus_sample.csv' WITH (FORMAT csv, HEADER match, NULL 'NULL')
SELECT is((SELECT count(*) FROM po_invoices_from_focus('focus_sample')), 8::bigint, 'the sample makes 8 invoices');
SELECT is((SELECT sum(amount) FROM po_invoices_from_focus('focus_sample')), (SELECT sum("BilledCost") FROM focus_sample), 'which add up to its charges');
SELECT is(rows($$SELECT bill_from, invoice_id, kind, line_type, issued_on, original_invoice_id FROM po_invoices_from_focus('focus_sample')$$),
	(SELECT string_agg(format('%s,%s-%s,%s,usage,%s,%s', s, m, lower(c), k, i, o), E'\n' ORDER BY n) FROM (VALUES
		(1, 'Microsoft', '2024-09', 'Usage', 'invoice', '2024-10-03', ''), (2, '"AWS Canada"', '2024-09', 'Usage', 'invoice', '2024-10-03', ''),
		(3, '"AWS EMEA SARL"', '2024-09', 'Usage', 'invoice', '2024-10-03', ''), (4, '"AWS Inc."', '2024-09', 'Usage', 'invoice', '2024-10-03', ''),
		(5, '"AWS Inc."', '2024-09', 'Credit', 'credit_memo', '2024-10-03', '2024-09-usage'),
		(6, 'Oracle', '2024-09', 'Adjustment', 'invoice', '2024-10-03', ''), (7, 'Oracle', '2024-09', 'Usage', 'invoice', '2024-10-03', ''),
		(8, 'Oracle', '2024-10', 'Usage', 'invoice', '2024-11-03', '')) v(n, s, m, c, k, i, o)),
	'by issuer, account, month and category; the credit is given on the usage of its month');
SELECT is(left_out('focus_sample'), NULL, 'nothing is left out');
INSERT INTO po_seller (bill_from) VALUES ('Microsoft'), ('Oracle');
INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month, currency) VALUES ('1234567890123', 'P', 'AWS Inc.', '2024-01', '2024-12', 'USD');
INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, balance_tracked, amount) VALUES ('1234567890123', 'P', '1', 'usage', '2024-01', '2024-12', true, 30);
INSERT INTO po_invoice SELECT * FROM po_invoices_from_focus('focus_sample');
SELECT is((SELECT count(*) || ' ' || count(po_number) || ' ' || count(*) FILTER (WHERE association_kind = 'credit') FROM po_invoice), '8 2 1', 'inserted as they are: booked, and the credit with its invoice');
INSERT INTO po_invoice SELECT * FROM po_invoices_from_focus('focus_sample') ON CONFLICT DO NOTHING;
SELECT is((SELECT count(*) FROM po_invoice), 8::bigint, 'the same table again makes the same invoices');
SELECT is((SELECT balance FROM po_line_item), 30 - (SELECT sum("BilledCost") FROM focus_sample WHERE "InvoiceIssuerName" = 'Amazon Web Services, Inc.'), 'exact to the last decimal');

--
-- Each version's columns
--
CREATE TABLE focus_12 ("BilledCost" numeric, "BillingAccountId" text, "BillingCurrency" text, "BillingPeriodStart" timestamptz, "ChargeCategory" text,
	"InvoiceIssuerName" text, "InvoiceId" text, "PublisherName" text);
INSERT INTO focus_12 SELECT cost, 'A', 'USD', '2026-03-01 00:00Z', category, issuer, id, coalesce(publisher, issuer) FROM (VALUES
	(10.5, 'Usage', 'AWS Inc.', 'INV-1', null), (4.5, 'Usage', 'AWS Inc.', 'INV-1', 'Other Inc.'), (2, 'Tax', 'AWS Inc.', 'INV-1', null), (-3, 'Credit', 'AWS Inc.', 'INV-1', null),
	(100, 'Purchase', 'Amazon Web Services, Inc.', 'INV-2', null), (20, 'Tax', 'AWS Inc.', 'INV-2', null),
	(7, 'Usage', 'AWS Inc.', 'INV-3', 'Other Inc.'), (1, 'Usage', 'AWS Inc.', 'INV-3', 'Third Inc.'), (5, 'Usage', 'AWS Inc.', 'INV-4', 'Amazon Web Services, Inc.'),
	(9, 'Usage', 'AWS Inc.', null, null), (8, 'Usage', 'AWS Japan', null, null),
	(-4, 'Usage', 'AWS Inc.', 'INV-5', null), (6, 'Credit', 'AWS Inc.', 'INV-6', null), (0, 'Credit', 'AWS Inc.', 'INV-7', null)) v(cost, category, issuer, id, publisher);
SELECT is(made('focus_12'), $want$A AWS Inc. INV-1 invoice usage 2026-03 2026-04-03 15.0 USD
A AWS Inc. INV-1-2026-03-tax invoice usage 2026-03 2026-04-03 2 USD
A AWS Inc. INV-2 invoice subscription 2026-03 2026-04-03 100 USD
A AWS Inc. INV-2-2026-03-tax invoice usage 2026-03 2026-04-03 20 USD
A AWS Inc. INV-3 invoice marketplace 2026-03 2026-04-03 8 USD
A AWS Inc. INV-4 invoice usage 2026-03 2026-04-03 5 USD
A AWS Inc. INV-6 invoice usage 2026-03 2026-04-03 6 USD
A AWS Inc. INV-7 credit_memo usage 2026-03 2026-04-03 0 USD
A AWS Japan 2026-03-usage invoice usage 2026-03 2026-04-03 8 USD
A AWS Inc. INV-1-2026-03-credit credit_memo usage 2026-03 2026-04-03 -3 USD INV-1
A AWS Inc. INV-5 credit_memo usage 2026-03 2026-04-03 -4 USD$want$, 'FOCUS 1.2 with invoice ids: the first of an id''s invoices has it as its number; publisher; signs');
SELECT is(left_out('focus_12'), 'InvoiceId is missing, although the issuer gives it: not invoiced yet: 1', 'a charge without the id that its issuer gives is reported');

CREATE TABLE focus_14 (billedcost float8, billingaccountid bigint, billingcurrency char(3), billingperiodstart date, chargecategory varchar(20),
	invoiceissuername text, serviceprovidername text, hostprovidername text);
INSERT INTO focus_14 SELECT 0.25, 777, 'usd', '2026-03-01', 'usage', v.* FROM (VALUES
	('Amazon Web Services, Inc.', 'AWS', 'AWS'), ('AWS Canada, Inc.', 'Amazon Web Services', 'x'), ('AWS EMEA SARL', 'Datadog', 'AWS'),
	('Microsoft Ireland Operations Ltd', 'Microsoft', 'x'), ('Snowflake Inc.', null, 'x')) v;
SELECT is(rows($$SELECT account_id, bill_from, line_type, amount, currency FROM po_invoices_from_focus('focus_14') ORDER BY bill_from COLLATE "C"$$), $want$777,"AWS Canada",usage,0.25,USD
777,"AWS EMEA SARL",marketplace,0.25,USD
777,"AWS Inc.",usage,0.25,USD
777,"Microsoft Ireland Operations Ltd",usage,0.25,USD
777,"Snowflake Inc.",usage,0.25,USD$want$, 'FOCUS 1.4: service provider instead of publisher; names in lower case, other types of columns');

-- times are UTC
CREATE TABLE focus_text ("BilledCost" text, "BillingAccountId" text, "BillingCurrency" text, "BillingPeriodStart" text, "ChargeCategory" text, "InvoiceIssuerName" text);
INSERT INTO focus_text VALUES ('1.10', ' A ', 'USD', '2026-03-01T00:00:00Z', 'Usage', 'X'), ('2', 'A', 'USD', '2026-03-31T23:59:59Z', 'Usage', 'X'), ('4', 'A', 'USD', '2026-03-01', 'Usage', 'X'),
	('8', 'A', 'EUR', '2026-03-01', 'Usage', 'X');
SET LOCAL timezone = 'America/New_York';
SELECT is(made('focus_text'), E'A X 2026-03-usage-eur invoice usage 2026-03 2026-04-03 8 EUR\nA X 2026-03-usage-usd invoice usage 2026-03 2026-04-03 7.10 USD', 'texts; months are of UTC; currencies are not added up');
RESET timezone;

-- a quoted name, a column of each spelling, dropped columns, a view, a partitioned table
CREATE TABLE "Od""d; t" (gone int, "BilledCost" numeric, billedcost text, "BillingAccountId" text, "BillingCurrency" text, "BillingPeriodStart" date, "ChargeCategory" text, "InvoiceIssuerName" text, "InvoiceId" int);
ALTER TABLE "Od""d; t" DROP gone, DROP "InvoiceId";
INSERT INTO "Od""d; t" VALUES (3, 'no', 'A', 'USD', '2026-03-01', 'Usage', 'X');
SELECT is(made('"Od""d; t"'), 'A X 2026-03-usage invoice usage 2026-03 2026-04-03 3 USD', 'odd names; the spelling of FOCUS first; dropped columns');
CREATE VIEW focus_view AS SELECT * FROM "Od""d; t";
SELECT is(made('focus_view'), made('"Od""d; t"'), 'a view');
SELECT throws_ok($$SELECT * FROM po_invoices_from_focus('po_seller')$$, '42703', 'column "BilledCost" of "po_seller" does not exist', 'no FOCUS table');
SELECT is_empty('SELECT * FROM po_invoices_from_focus(NULL)', 'null: nothing');

--
-- What cannot be mapped is reported, and never dropped in silence
--
CREATE TABLE focus_bad (LIKE focus_text);
INSERT INTO focus_bad SELECT * FROM focus_text;
INSERT INTO focus_bad VALUES (null, 'A', 'USD', '2026-03-01', 'Usage', 'X'), ('1', '', 'USD', '2026-03-01', 'Usage', 'X'), ('1', 'A', ' ', '2026-03-01', 'Usage', 'X'),
	('1', 'A', 'USD', null, 'Usage', 'X'), ('1', 'A', 'USD', '2026-03-01', null, 'X'), ('1', 'A', 'USD', '2026-03-01', 'Usage', null),
	('1.5', 'A', 'USD', '2026-03-01', 'Bonus', 'X'), ('2.5', 'A', 'USD', '2026-03-01', 'Bonus', 'X'), ('1', 'A', 'Tokens', '2026-03-01', 'Usage', 'X'), ('NaN', 'A', 'USD', '2026-03-01', 'Usage', 'X');
SELECT is(left_out('focus_bad'), $want$BilledCost is NaN: 1
BilledCost is missing: 1
BillingAccountId is missing: 1
BillingCurrency is "Tokens": 1
BillingCurrency is missing: 1
BillingPeriodStart is missing: 1
ChargeCategory is "Bonus": 2
ChargeCategory is missing: 1
InvoiceIssuerName is missing: 1$want$, 'each reason');
SELECT is(made('focus_bad'), made('focus_text'), 'the others make their invoices');
SELECT is((SELECT count(*) FROM po_focus_charges('focus_bad')), (SELECT count(*) FROM focus_bad), 'every charge is a row of po_focus_charges');

--
-- Rights: the caller's
--
CREATE ROLE po_t_focus;
DO $$ BEGIN EXECUTE format('GRANT USAGE ON SCHEMA %I TO po_t_focus', (SELECT nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = extnamespace WHERE extname = 'po_mgmt')); END $$;
GRANT SELECT ON focus_text TO po_t_focus;
SET LOCAL ROLE po_t_focus;
SELECT lives_ok($$SELECT * FROM po_invoices_from_focus('focus_text')$$, 'SELECT on the charges is enough');
SELECT throws_ok($$SELECT * FROM po_invoices_from_focus('focus_bad')$$, '42501', NULL, 'and is needed');
RESET ROLE;

--
-- po_focus_invoice_detail: FOCUS 1.4 Invoice Detail
--
SELECT is((SELECT string_agg(attname || ' ' || format_type(atttypid, -1), ', ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'po_focus_invoice_detail'::regclass AND attnum > 0),
	'BilledCost numeric, BillingAccountId text, BillingCurrency text, BillingPeriodEnd timestamp with time zone, BillingPeriodStart timestamp with time zone, ChargeCategory text, '
	|| 'InvoiceDetailCreated timestamp with time zone, InvoiceDetailDescription text, InvoiceDetailGrain jsonb, InvoiceDetailId text, InvoiceDetailLastUpdated timestamp with time zone, '
	|| 'InvoiceId text, InvoiceIssueDate timestamp with time zone, InvoiceIssueStatus text, InvoiceIssuerName text, PaymentCurrency text, PaymentCurrencyBilledCost numeric, '
	|| 'PaymentCurrencyInvoiceDetailId text, PaymentDueDate timestamp with time zone, PaymentTerms text, PurchaseOrderNumber text, ReferenceInvoiceId text', 'the 22 columns of the specification');
SELECT is((SELECT count(*) FROM po_focus_invoice_detail), 8::bigint, 'a row for each invoice');
SELECT is((SELECT sum("BilledCost") FROM po_focus_invoice_detail), (SELECT sum("BilledCost") FROM focus_sample), 'from FOCUS to FOCUS nothing is lost');
SELECT is((SELECT string_agg("ChargeCategory" || ' ' || "InvoiceIssueStatus" || ' ' || "ReferenceInvoiceId" || ' ' || coalesce("PurchaseOrderNumber", '-'), ', ' ORDER BY "ChargeCategory") FROM po_focus_invoice_detail WHERE "InvoiceIssuerName" = 'AWS Inc.'),
	'Credit Issued 2024-09-usage P, Usage Issued 2024-09-usage P', 'order, category, and the invoice that a credit is given on');
INSERT INTO po_account (account_id, payment_terms) VALUES ('T', 'Net 30');
INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount, issued_on, due_on, agreement_id, member_account_id)
SELECT 'T', 'AWS Inc.', t, t::po_line_type, '9999-12', 7, '2026-05-01', '2026-06-01', CASE t WHEN 'usage.x' THEN 'AG' END, CASE t WHEN 'usage.x' THEN 'M' END
FROM unnest('{usage.x,marketplace,marketplace.transaction,professional_services,subscription,other}'::text[]) t;
SET LOCAL timezone = 'UTC';
SELECT is((SELECT concat_ws(' ', "BillingPeriodStart", "BillingPeriodEnd", "InvoiceIssueDate", "PaymentDueDate", "PaymentTerms", "InvoiceDetailGrain", "InvoiceDetailDescription") FROM po_focus_invoice_detail WHERE "InvoiceId" = 'usage.x'),
	'9999-12-01 00:00:00+00 10000-01-01 00:00:00+00 2026-05-01 00:00:00+00 2026-06-01 00:00:00+00 Net 30 {"ContractId": "AG", "x_LineType": "usage.x", "SubAccountId": "M"} usage.x, 9999-12', 'dates, terms and grain');
SET LOCAL timezone = 'America/New_York';
SELECT is((SELECT "BillingPeriodStart" AT TIME ZONE 'UTC' FROM po_focus_invoice_detail WHERE "InvoiceId" = 'usage.x'), '9999-12-01', 'whatever the session''s time zone');
SELECT is((SELECT string_agg("InvoiceId" || ' ' || "ChargeCategory", ', ' ORDER BY "InvoiceId" COLLATE "C") FROM po_focus_invoice_detail WHERE "BillingAccountId" = 'T'),
	'marketplace Usage, marketplace.transaction Purchase, other Usage, professional_services Purchase, subscription Purchase, usage.x Usage', 'charge category by type');
SET LOCAL po_mgmt.now = '2026-06-11 12:00+00';
SELECT po_void_invoice('T', 'AWS Inc.', 'other') IS NOT NULL AS void \gset
SELECT is((SELECT "InvoiceIssueStatus" || ' ' || ("InvoiceDetailLastUpdated" > "InvoiceDetailCreated") FROM po_focus_invoice_detail WHERE "InvoiceId" = 'other'), 'Voided true', 'a void invoice is there, and says so');
-- what the specification does not allow to be null
SELECT is_empty($$SELECT FROM po_focus_invoice_detail WHERE num_nulls("BilledCost", "BillingAccountId", "BillingCurrency", "BillingPeriodEnd", "BillingPeriodStart", "ChargeCategory", "InvoiceDetailCreated",
	"InvoiceDetailId", "InvoiceDetailLastUpdated", "InvoiceId", "InvoiceIssueStatus", "InvoiceIssuerName", "PaymentCurrency", "PaymentCurrencyBilledCost", "PaymentCurrencyInvoiceDetailId", "PaymentTerms", "ReferenceInvoiceId") > 0$$,
	'no null where the specification allows none');
SELECT is_empty($$SELECT "InvoiceIssuerName", "BillingAccountId", "InvoiceId", "InvoiceDetailId" FROM po_focus_invoice_detail GROUP BY 1, 2, 3, 4 HAVING count(*) > 1$$, 'InvoiceDetailId is unique in its invoice');

SELECT finish();
ROLLBACK;
