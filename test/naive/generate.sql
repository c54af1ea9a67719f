/*
 * generate.sql
 *
 * Random accounts, orders, line items and invoices for the differential test.
 *
 *		psql -v seed=42 -v scale=1 -v base=2026-11 -f rules.sql -f generate.sql
 *
 * The same seed, scale and base (the month that the data is about, normally the
 * current one, since an invoice without issued_on is of today) give the same
 * data. Scale 1 is 500 accounts and 20,000 invoices.
 *
 * Rows are inserted as history, by a superuser and with the system columns
 * filled: nothing is matched, limited or computed, values stay as given.
 *
 * An invoice is made from a line item of its account, its target, and then each
 * property is disturbed with a small chance: most line items are rejected by one
 * filter alone, and many invoices leave several candidates to rank. The choices
 * are deliberately few (amounts, times, numbers), so that things are often equal.
 */
CREATE SCHEMA gen;

/* A random number from 0 to n - 1, for the thing i and the purpose salt. */
CREATE FUNCTION gen.h(i bigint, salt integer, n integer) RETURNS integer LANGUAGE sql IMMUTABLE
RETURN ((hashint8extended(i * 1000 + salt, :seed) & 2147483647) % n)::integer;

/* Does an event of p percent happen? */
CREATE FUNCTION gen.chance(i bigint, salt integer, p integer) RETURNS boolean LANGUAGE sql IMMUTABLE
RETURN gen.h(i, salt, 100) < p;

/* One of the values. */
CREATE FUNCTION gen.pick(i bigint, salt integer, list anyarray) RETURNS anyelement LANGUAGE sql IMMUTABLE AS
$$ SELECT list[1 + gen.h(i, salt, cardinality(list))] $$;

/* The month so many months after the base month, as text; 9999-12 at most. */
CREATE FUNCTION gen.month(n integer) RETURNS text LANGUAGE sql IMMUTABLE
RETURN CASE WHEN n > 9999 THEN '9999-12'
	ELSE to_char((:'base' || '-01')::date + n * interval '1 month', 'YYYY-MM') END;

/*
 * Reference data, by plain insert. The extension brings the sellers and types of
 * the AWS pages with it, those that are missing are added.
 */
INSERT INTO po_seller (bill_from)
SELECT s FROM unnest(ARRAY['AWS Inc.', 'AWS EMEA SARL', 'Seller A', 'seller a', 'Séller É', 'Seller Off']) s
WHERE NOT EXISTS (SELECT FROM po_seller p WHERE p.bill_from = s);
UPDATE po_seller SET enabled = false WHERE bill_from = 'Seller Off';

INSERT INTO po_seller_alias (alias, bill_from, enabled)
SELECT a, s, e
FROM (VALUES
	('Amazon Web Services, Inc.', 'AWS Inc.', true),
	('Alias of EMEA', 'AWS EMEA SARL', true),
	('Alias of A', 'Seller A', true),
	('Ünother alias of A', 'Seller A', true),
	('SELLER A', 'seller a', true),
	('Switched off', 'Séller É', false),
	('Alias of Off', 'Seller Off', true)) v (a, s, e)
WHERE NOT EXISTS (SELECT FROM po_seller_alias p WHERE p.alias = a);

INSERT INTO po_taxonomy (line_type, out_of_cycle_only, enabled)
SELECT t::po_line_type, o, e
FROM (VALUES
	('all', NULL, true),
	('usage', NULL, true),
	('subscription', NULL, true),
	('marketplace', NULL, true),
	('marketplace.transaction', true, true),
	('professional_services', true, true),
	('usage.compute', NULL, true),
	('usage.compute.gpu', NULL, true),
	('usage.storage', false, true),
	('usage.upfront', true, true),
	('usage.upfront.refund', NULL, true),
	('usage.upfront.monthly', false, true),
	('usage.upfront.monthly.part', NULL, true),
	('usage_extra', NULL, true),
	('marketplace.transaction.x', NULL, true),
	('marketplace.transaction.renewal', false, true),
	('professional_services.training', NULL, true),
	('professional_services.training.exam', NULL, false),
	('professional_services.retainer', false, true),
	('professional_services.retainer.monthly', NULL, true),
	('subscription.reserved', true, false),
	('subscription.reserved.year', NULL, true)) v (t, o, e)
WHERE NOT EXISTS (SELECT FROM po_taxonomy p WHERE p.line_type::text = t);

/* Types that invoices may have, the unknown ones included. */
CREATE TABLE gen.type (line_type text COLLATE "C");
INSERT INTO gen.type
SELECT line_type::text FROM po_taxonomy
UNION
SELECT unnest(ARRAY['usage.compute.gpu.h100', 'usage.computer', 'usage.upfront.refund.late', 'usage.upfront.monthly.part.one',
	'marketplace.saas', 'marketplace.transaction.x.y', 'professional_services.training.remote', 'subscription.reserved.year.two',
	'consulting', 'consulting.audit', 'usagefoo.compute']);

/*
 * Accounts: i from 1. Every account has a home seller and a home branch of the
 * types, that most of its orders and line items are of.
 */
CREATE TABLE gen.account AS
SELECT
	i,
	('acct-' || i) COLLATE "C" AS account_id,
	gen.pick(i, 1, ARRAY['USD', 'USD', 'USD', 'EUR', 'JPY']) AS currency,
	gen.pick(i, 2, ARRAY['billing_period', 'issue_date', 'status_on_issue']) AS period_basis,
	gen.pick(i, 3, ARRAY['UTC', 'Pacific/Kiritimati', 'Etc/GMT+12', 'America/New_York']) AS time_zone,
	gen.pick(i, 4, ARRAY['AWS Inc.', 'AWS EMEA SARL', 'Seller A', 'Seller A', 'seller a', 'Séller É', 'Seller Off']) AS seller,
	gen.pick(i, 5, ARRAY['usage', 'usage', 'subscription', 'marketplace', 'professional_services']) AS branch,
	CASE
		WHEN gen.chance(i, 6, 4) THEN 0			-- a known account without orders
		WHEN gen.chance(i, 7, 3) THEN 14
		ELSE 1 + gen.h(i, 8, 9)
	END AS orders,
	gen.chance(i, 9, 50) AS has_tax_numbers
FROM generate_series(1, (500 * :scale)::integer) i;

INSERT INTO po_account (account_id, currency, period_basis, time_zone, created_at, booked_at)
SELECT account_id, currency, period_basis, time_zone, '2025-01-01 00:00 UTC', '2025-01-01 00:00 UTC'
FROM gen.account;

/*
 * Orders: k is account * 100 + order. Months are counted from the base month.
 * Times of update come in few values, one of them a microsecond after another.
 */
CREATE TABLE gen.order AS
SELECT
	g.*,
	CASE WHEN gen.chance(k, 11, 8) THEN 99999 ELSE least(g.effective + gen.pick(k, 12, ARRAY[0, 2, 5, 11, 11, 23, 23, 35]), 99999) END
		AS expiration,
	CASE
		WHEN NOT a.has_tax_numbers THEN gen.pick(k, 13, ARRAY[NULL, NULL, '{}'])::text[]
		ELSE gen.pick(k, 14, ARRAY[NULL, '{}', '{TR-1}', '{TR-1,TR-2}', '{TR-3,TR-1,TR-2}', '{"Té 4",TR-2,TR-2}'])::text[]
	END AS tax_numbers,
	CASE
		WHEN gen.chance(k, 15, 5) THEN 0		-- an order without line items
		WHEN gen.chance(k, 16, 3) THEN 30
		ELSE 1 + gen.h(k, 17, 6)
	END AS lines
FROM (
	SELECT
		a.i * 100 + o AS k,
		a.account_id,
		-- numbers that sort differently by bytes and by locale
		((ARRAY['PO-', 'po-', 'Po ', 'PO_', 'é', 'É', 'z', 'Z', 'ß', '№ ', '', 'PO-9', 'ze', 'Zé'])[1 + gen.h(a.i * 100 + o, 18, 14)]
			|| o) COLLATE "C" AS po_number,
		CASE WHEN gen.chance(a.i * 100 + o, 19, 80) THEN a.seller
			ELSE gen.pick(a.i * 100 + o, 20, ARRAY['AWS Inc.', 'AWS EMEA SARL', 'Seller A', 'seller a', 'Séller É', 'Seller Off']) END AS bill_from,
		CASE WHEN gen.chance(a.i * 100 + o, 21, 7) THEN 'suspended' ELSE 'active' END AS status,
		gen.h(a.i * 100 + o, 22, 15) - 11 AS effective,
		CASE WHEN gen.chance(a.i * 100 + o, 23, 88) THEN a.currency
			ELSE gen.pick(a.i * 100 + o, 24, ARRAY['USD', 'EUR', 'JPY']) END AS currency,
		gen.pick(a.i * 100 + o, 25, ARRAY[
			'2026-01-15 12:00:00 UTC', '2026-01-15 12:00:00 UTC', '2026-01-15 12:00:00 UTC', '2026-01-15 12:00:00 UTC',
			'2026-01-15 12:00:00.000001 UTC', '2026-01-14 23:59:59.999999 UTC', '2025-06-01 00:00:00 UTC'])::timestamptz AS updated_at
	FROM gen.account a, generate_series(1, a.orders) o
) g
JOIN gen.account a USING (account_id);

INSERT INTO po_order (account_id, po_number, bill_from, status, effective_month, expiration_month, currency,
	tax_registration_numbers, created_at, updated_at)
SELECT account_id, po_number, bill_from, status, gen.month(effective)::po_month, gen.month(expiration)::po_month, currency,
	tax_numbers, '2025-01-01 00:00 UTC', updated_at
FROM gen.order
ORDER BY gen.h(k, 26, 1000000), k;

/*
 * Line items: m is order * 100 + line item. Ids are not in the order of the
 * numbers. Line items of type marketplace.transaction track no balance.
 */
CREATE TABLE gen.line AS
SELECT
	row_number() OVER (ORDER BY gen.h(m, 31, 1000000), m) AS line_item_id,
	row_number() OVER (PARTITION BY account_id ORDER BY m) AS number_in_account,
	g.*,
	CASE
		WHEN g.end_choice < 60 THEN g.expiration
		WHEN g.end_choice < 90 THEN least(g.expiration, g.start_at + gen.pick(m, 33, ARRAY[0, 2, 5]))
		ELSE least(g.expiration, g.start_at + 11)
	END AS end_at,
	gen.chance(m, 34, 60) AND g.line_type NOT LIKE 'marketplace.transaction%' AS tracked,
	gen.pick(m, 35, ARRAY[-20.00, 0, 0.00, 0.01, 50, 100, 100.00, 100.000001, 99.999999, 250.5, 1000, 12345678901234567890.12]) AS balance
FROM (
	SELECT
		o.k * 100 + l AS m,
		o.account_id,
		o.po_number,
		o.expiration,
		(gen.pick(o.k * 100 + l, 36, ARRAY['', '', '', 'L-', 'l-', '0', 'é']) || l) COLLATE "C" AS line_number,
		CASE
			WHEN gen.chance(o.k * 100 + l, 37, 22) THEN 'all'
			WHEN gen.chance(o.k * 100 + l, 38, 30) THEN a.branch
			ELSE gen.pick(o.k * 100 + l, 39, CASE WHEN gen.chance(o.k * 100 + l, 40, 75) THEN b.branch_types ELSE b.all_types END)
		END COLLATE "C" AS line_type,
		CASE WHEN gen.chance(o.k * 100 + l, 41, 60) THEN o.effective
			ELSE least(o.expiration, o.effective + gen.pick(o.k * 100 + l, 42, ARRAY[0, 1, 2, 5])) END AS start_at,
		gen.h(o.k * 100 + l, 43, 100) AS end_choice,
		CASE WHEN gen.chance(o.k * 100 + l, 44, 30)
			THEN gen.pick(o.k * 100 + l, 45, ARRAY['AGR-1', 'AGR-1', 'AGR-2', 'agr-1']) END COLLATE "C" AS agreement_id
	FROM gen.order o
	JOIN gen.account a USING (account_id)
	JOIN (SELECT branch,
			(SELECT array_agg(t.line_type::text ORDER BY t.line_type::text COLLATE "C") FROM po_taxonomy t) AS all_types,
			(SELECT array_agg(t.line_type::text ORDER BY t.line_type::text COLLATE "C") FROM po_taxonomy t
				WHERE t.line_type::text = branch OR starts_with(t.line_type::text, branch || '.')) AS branch_types
		FROM unnest(ARRAY['usage', 'subscription', 'marketplace', 'professional_services']) branch) b ON b.branch = a.branch,
	generate_series(1, o.lines) l
) g;

CREATE INDEX ON gen.line (account_id, number_in_account);
CREATE INDEX ON gen.order (account_id);
ANALYZE gen.account, gen.order, gen.line;

INSERT INTO po_line_item (line_item_id, account_id, po_number, line_number, line_type, start_month, end_month,
	balance_tracked, amount, balance, agreement_id, created_at, updated_at)
SELECT line_item_id, account_id, po_number, line_number, line_type::po_line_type, gen.month(start_at)::po_month, gen.month(end_at)::po_month,
	tracked, greatest(balance, 100), CASE WHEN tracked THEN balance END, agreement_id, '2025-01-01 00:00 UTC', '2025-01-01 00:00 UTC'
FROM gen.line
ORDER BY gen.h(m, 46, 1000000), m;

/*
 * Invoices in the form of arguments: q from 1, each with its target line item,
 * null where the account has none.
 */
CREATE TABLE gen.invoice AS
SELECT q, a.i, a.account_id, a.currency AS account_currency, a.branch,
	l.line_item_id, l.line_number, l.line_type, l.start_at, l.end_at, l.balance, l.agreement_id,
	o.po_number, coalesce(o.bill_from, a.seller) COLLATE "C" AS bill_from, coalesce(o.currency, a.currency) AS currency, o.tax_numbers,
	b.billed,
	-- issued in the billing month or near it
	b.billed + gen.pick(q, 51, ARRAY[0, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 2, -1, 6, -4]) AS issued
FROM generate_series(1, (20000 * :scale)::integer) q
JOIN gen.account a ON a.i = 1 + gen.h(q, 52, (500 * :scale)::integer)
LEFT JOIN (SELECT account_id, count(*)::integer AS lines FROM gen.line GROUP BY account_id) n USING (account_id)
LEFT JOIN gen.line l ON l.account_id = a.account_id AND l.number_in_account = 1 + gen.h(q, 53, n.lines)
LEFT JOIN gen.order o ON o.account_id = l.account_id AND o.po_number = l.po_number
CROSS JOIN LATERAL (
	SELECT CASE
		WHEN l.line_item_id IS NULL OR gen.chance(q, 54, 4) THEN gen.h(q, 55, 20) - 10
		WHEN gen.chance(q, 56, 5) THEN l.start_at - 1
		WHEN gen.chance(q, 57, 5) THEN least(l.end_at, l.start_at + 30) + 1
		ELSE l.start_at + gen.h(q, 58, 1 + least(l.end_at - l.start_at, 24))
	END AS billed) b;

CREATE INDEX ON gen.invoice (q);
ANALYZE gen.invoice;

INSERT INTO naive.question (id, account_id, bill_from, line_type, billing_month, amount, currency, issued_on,
	requested_po_number, requested_line_number, agreement_id, tax_registration_number, out_of_cycle)
SELECT
	g.q,
	CASE
		WHEN gen.chance(q, 61, 1) THEN 'nobody-' || gen.h(q, 62, 50)
		WHEN gen.chance(q, 63, 1) THEN upper(g.account_id)
		ELSE g.account_id
	END,
	CASE
		WHEN gen.chance(q, 64, 2) THEN 'Unknown Seller'
		WHEN gen.chance(q, 65, 6) THEN gen.pick(q, 66, ARRAY['AWS Inc.', 'AWS EMEA SARL', 'Seller A', 'seller a', 'Séller É', 'Seller Off'])
		WHEN gen.chance(q, 67, 3) THEN gen.pick(q, 68, ARRAY['Amazon Web Services, Inc.', 'Alias of A', 'SELLER A', 'Switched off', 'ALIAS OF A'])
		WHEN gen.chance(q, 69, 30) THEN coalesce(gen.pick(q, 70,
			(SELECT array_agg(s.alias ORDER BY s.alias COLLATE "C") FROM po_seller_alias s WHERE s.bill_from = g.bill_from)), g.bill_from)
		ELSE g.bill_from
	END,
	CASE
		WHEN gen.chance(q, 71, 35) THEN coalesce(nullif(g.line_type, 'all'), g.branch)
		WHEN gen.chance(q, 72, 18) THEN gen.pick(q, 73, (SELECT array_agg(t.line_type ORDER BY t.line_type) FROM gen.type t))
		ELSE gen.pick(q, 74, (SELECT array_agg(t.line_type ORDER BY t.line_type) FROM gen.type t
			WHERE t.line_type = b.below OR starts_with(t.line_type, b.below || '.')))
	END,
	gen.month(g.billed),
	CASE
		WHEN gen.chance(q, 75, 16) AND g.balance IS NOT NULL THEN g.balance
		WHEN gen.chance(q, 76, 5) THEN coalesce(g.balance, 0) + 0.01
		WHEN gen.chance(q, 77, 5) THEN coalesce(g.balance, 0) - 0.01
		WHEN gen.chance(q, 78, 4) THEN 0
		WHEN gen.chance(q, 79, 8) THEN gen.pick(q, 80, ARRAY[-0.01, -5, -100, -99999.99, -20])
		ELSE gen.pick(q, 81, ARRAY[0.01, 10, 50, 50.000001, 99.99, 100, 100.0, 100.000001, 200, 999.99, 5000])
	END,
	CASE
		WHEN gen.chance(q, 82, 30) THEN NULL
		WHEN gen.chance(q, 83, 20) THEN lower(g.currency)
		WHEN gen.chance(q, 84, 8) THEN gen.pick(q, 85, ARRAY['USD', 'EUR', 'JPY', 'CHF', 'eUr'])
		ELSE g.currency
	END,
	CASE WHEN gen.chance(q, 86, 7) THEN NULL
		ELSE gen.pick(q, 87, ARRAY[
			(gen.month(g.issued) || '-01')::date,
			(gen.month(g.issued) || '-15')::date,
			(gen.month(g.issued + 1) || '-01')::date - 1])
	END,
	CASE
		WHEN gen.chance(q, 88, 72) THEN NULL
		WHEN gen.chance(q, 89, 8) THEN gen.pick(q, 90, ARRAY['', ' ', '   '])
		WHEN gen.chance(q, 91, 10) THEN gen.pick(q, 92, ARRAY['no such order', '*', '%', lower(g.po_number), upper(g.po_number), g.po_number || '0'])
		WHEN gen.chance(q, 93, 10) THEN (SELECT o.po_number FROM gen.order o WHERE o.account_id = g.account_id ORDER BY gen.h(o.k, 94, 1000), o.k LIMIT 1)
		WHEN gen.chance(q, 95, 20) THEN '  ' || g.po_number || ' '
		ELSE g.po_number
	END,
	CASE
		WHEN gen.chance(q, 96, 60) THEN NULL
		WHEN gen.chance(q, 97, 10) THEN gen.pick(q, 98, ARRAY['', ' ', '  '])
		WHEN gen.chance(q, 99, 15) THEN gen.pick(q, 100, ARRAY['1', '2', 'L-1', '01', 'no such line'])
		WHEN gen.chance(q, 101, 20) THEN ' ' || g.line_number || '  '
		ELSE g.line_number
	END,
	CASE
		WHEN gen.chance(q, 102, 45) THEN g.agreement_id
		WHEN gen.chance(q, 103, 45) THEN NULL
		ELSE gen.pick(q, 104, ARRAY['AGR-1', 'AGR-2', 'agr-1', 'AGR-9'])
	END,
	CASE
		WHEN gen.chance(q, 105, 75) AND cardinality(g.tax_numbers) > 0 THEN gen.pick(q, 106, g.tax_numbers)
		WHEN gen.chance(q, 107, 40) THEN NULL
		ELSE gen.pick(q, 108, ARRAY['TR-1', 'TR-2', 'TR-3', 'TR-9', 'tr-1', 'Té 4'])
	END,
	gen.pick(q, 109, ARRAY[NULL, NULL, NULL, true, false])
FROM gen.invoice g
CROSS JOIN LATERAL (SELECT CASE WHEN coalesce(g.line_type, 'all') = 'all' THEN g.branch ELSE g.line_type END AS below) b;

/*
 * Stored invoices: one of each four of the above, with the target line item as
 * what some of them are booked on. Some are booked on another line item of the
 * account, some on one that does not exist any more.
 */
CREATE TABLE gen.stored AS
SELECT
	q.id,
	q.account_id,
	q.bill_from,
	('INV-' || q.id) COLLATE "C" AS invoice_id,
	CASE WHEN q.amount < 0 OR (q.amount = 0 AND gen.chance(q.id, 121, 40)) THEN 'credit_memo' ELSE 'invoice' END AS kind,
	q.line_type,
	q.billing_month,
	coalesce(q.issued_on, (q.billing_month || '-20')::date) AS issued_on,
	q.amount,
	upper(coalesce(q.currency, g.account_currency)) AS currency,
	q.tax_registration_number,
	q.agreement_id,
	q.requested_po_number,
	q.requested_line_number,
	q.out_of_cycle,
	CASE WHEN gen.chance(q.id, 122, 5) THEN 'INV-4' END AS original_invoice_id,	-- not known with this account and seller
	-- what it is booked on
	b.po_number,
	b.line_number,
	b.line_item_id
FROM naive.question q
JOIN gen.invoice g ON g.q = q.id
LEFT JOIN LATERAL (
	SELECT g.po_number, g.line_number, CASE WHEN gen.chance(q.id, 123, 4) THEN g.line_item_id + 10000000 ELSE g.line_item_id END AS line_item_id
	WHERE gen.chance(q.id, 124, 70)
	UNION ALL
	(SELECT l.po_number, l.line_number, l.line_item_id FROM gen.line l
	WHERE l.account_id = q.account_id
	ORDER BY gen.h(l.m + q.id, 125, 1000), l.m LIMIT 1)
	LIMIT 1) b ON gen.chance(q.id, 126, 55) AND b.po_number IS NOT NULL
WHERE q.id % 4 = 0;

/*
 * Credit memos with an original, which is booked or not, or not known; booked
 * themselves or not, on the same line item or on another.
 */
INSERT INTO gen.stored
SELECT
	s.id,
	s.account_id,
	s.bill_from,
	'MEMO-' || s.id,
	CASE WHEN gen.chance(s.id, 138, 8) THEN 'invoice' ELSE 'credit_memo' END,	-- that of an invoice does not matter
	gen.pick(s.id, 131, ARRAY[s.line_type, 'usage']),
	s.billing_month,
	s.issued_on,
	CASE WHEN gen.chance(s.id, 138, 8) THEN s.amount ELSE gen.pick(s.id, 132, ARRAY[-s.amount, -1, 0, -0.01]) END,
	s.currency,
	s.tax_registration_number,
	s.agreement_id,
	s.requested_po_number,
	s.requested_line_number,
	s.out_of_cycle,
	CASE WHEN gen.chance(s.id, 136, 10) THEN 'no such invoice' ELSE s.invoice_id END,
	b.po_number,
	b.line_number,
	b.line_item_id
FROM gen.stored s
LEFT JOIN LATERAL (
	SELECT s.po_number, s.line_number, s.line_item_id WHERE gen.chance(s.id, 133, 70)
	UNION ALL
	SELECT g.po_number, g.line_number, g.line_item_id FROM gen.invoice g WHERE g.q = s.id
	LIMIT 1) b ON gen.chance(s.id, 134, 50) AND b.po_number IS NOT NULL
WHERE s.kind = 'invoice'
AND s.bill_from NOT IN (SELECT a.alias FROM po_seller_alias a)		-- the original is stored under the seller's own name
AND gen.chance(s.id, 135, 33);

INSERT INTO po_invoice (account_id, bill_from, invoice_id, kind, line_type, billing_month, issued_on, amount, currency,
	tax_registration_number, agreement_id, requested_po_number, requested_line_number, out_of_cycle, original_invoice_id,
	po_number, line_number, line_item_id, association_kind, associated_at, associated_by, recorded_at)
SELECT account_id, bill_from, invoice_id, kind, line_type::po_line_type, billing_month::po_month, issued_on, amount, currency,
	tax_registration_number, agreement_id, requested_po_number, requested_line_number, out_of_cycle, original_invoice_id,
	po_number, line_number, line_item_id,
	CASE WHEN po_number IS NOT NULL THEN gen.pick(id, 127, ARRAY['automatic', 'manual', 'credit']) END,
	CASE WHEN po_number IS NOT NULL THEN timestamptz '2026-02-01 00:00 UTC' END,
	CASE WHEN po_number IS NOT NULL THEN 'somebody' END,
	'2026-02-01 00:00 UTC'
FROM gen.stored;

/* They are questions too: as they are stored now. */
INSERT INTO naive.question (id, account_id, bill_from, line_type, billing_month, amount, currency, issued_on,
	requested_po_number, requested_line_number, agreement_id, tax_registration_number, out_of_cycle,
	invoice_id, kind, original_invoice_id, booked_line_item_id)
SELECT
	(SELECT count(*) FROM gen.invoice) + row_number() OVER (ORDER BY gen.h(hashtext(invoice_id), 137, 1000000), invoice_id),
	account_id, bill_from, line_type::text, billing_month::text, amount, currency, issued_on,
	requested_po_number, requested_line_number, agreement_id, tax_registration_number, out_of_cycle,
	invoice_id, kind, original_invoice_id, line_item_id
FROM po_invoice;

ANALYZE;
