/*
 * rules.sql
 *
 * The rules of matching (section 4 of the specification) once more, as naively
 * as they can be written: plain SQL over text, integers, dates and numeric.
 * None of the extension's types, operators or functions is used; its tables are
 * read through casts to text. This is what po_match_invoice() and
 * po_explain_match() are compared with (test/t/010_differential.pl). It is meant
 * to be obviously right, not fast: every invoice is held against every line item
 * of its account.
 *
 * Load it with the extension's schema in the search_path. Put invoices into
 * naive.question and read
 *
 *		naive.ranked		the candidates of each question, best first
 *		naive.explained		a verdict on every line item of the account's orders
 *
 * The views run with the rights and the row security of whoever reads them.
 *
 * The test also loads wrong variants of this file: it replaces single lines.
 * A line that it cannot find any more makes it fail, so a change here wants a
 * look there.
 */
CREATE SCHEMA naive;

/*
 * An invoice in plain values. The first fifteen columns are arguments of
 * po_match_invoice(). The others are for invoices that are stored in po_invoice:
 * its key, the line item that it is booked on, and what a credit memo refers to.
 */
CREATE TABLE IF NOT EXISTS naive.question (
	id bigint PRIMARY KEY,
	account_id text COLLATE "C" NOT NULL,
	bill_from text COLLATE "C" NOT NULL,
	line_type text COLLATE "C" NOT NULL,		-- usage.compute
	billing_month text COLLATE "C" NOT NULL,	-- 2026-11
	amount numeric NOT NULL,
	currency text COLLATE "C",
	issued_on date,
	requested_po_number text COLLATE "C",
	requested_line_number text COLLATE "C",
	agreement_id text COLLATE "C",
	tax_registration_number text COLLATE "C",
	out_of_cycle boolean,
	invoice_id text COLLATE "C",
	kind text COLLATE "C",
	original_invoice_id text COLLATE "C",
	booked_line_item_id bigint
);

/* Months are counted: 2026-11 is 2026 * 12 + 10. */
CREATE FUNCTION naive.month_no(month text) RETURNS integer LANGUAGE sql IMMUTABLE STRICT AS
$$ SELECT split_part(month, '-', 1)::integer * 12 + split_part(month, '-', 2)::integer - 1 $$;

/* all is 0, usage is 1, usage.compute is 2 */
CREATE FUNCTION naive.depth(line_type text) RETURNS integer LANGUAGE sql IMMUTABLE STRICT AS
$$ SELECT CASE line_type WHEN 'all' THEN 0 ELSE cardinality(string_to_array(line_type, '.')) END $$;

/* Is the first type the second one, or an ancestor of it? */
CREATE FUNCTION naive.same_or_above(upper text, lower text) RETURNS boolean LANGUAGE sql IMMUTABLE STRICT AS
$$ SELECT upper = 'all' OR upper = lower OR starts_with(lower, upper || '.') $$;

/*
 * The line items with their orders. An order without line items is one row
 * whose line_item_id is null.
 */
CREATE VIEW naive.line WITH (security_invoker = true) AS
WITH line AS MATERIALIZED (		-- computed once, not for every pair of invoice and line item
SELECT
	o.account_id::text COLLATE "C" AS account_id,
	o.po_number::text COLLATE "C" AS po_number,
	o.bill_from::text COLLATE "C" AS bill_from,
	o.status::text COLLATE "C" AS status,
	naive.month_no(o.effective_month::text) AS effective_month,
	naive.month_no(o.expiration_month::text) AS expiration_month,
	o.currency::text COLLATE "C" AS currency,
	coalesce(o.tax_registration_numbers::text[], '{}') AS tax_registration_numbers,
	o.updated_at AS po_updated_at,
	l.line_item_id::bigint AS line_item_id,
	l.line_number::text COLLATE "C" AS line_number,
	l.line_type::text COLLATE "C" AS line_type,
	naive.month_no(l.start_month::text) AS start_month,
	naive.month_no(l.end_month::text) AS end_month,
	l.balance_tracked,
	l.balance::numeric AS balance,
	l.agreement_id::text COLLATE "C" AS agreement_id
FROM po_order o
LEFT JOIN po_line_item l ON l.account_id = o.account_id AND l.po_number = o.po_number
)
SELECT * FROM line;

/*
 * out_of_cycle_only of every type that occurs: its own, else that of the nearest
 * ancestor that says anything, else false.
 */
CREATE VIEW naive.type WITH (security_invoker = true) AS
WITH type AS MATERIALIZED (
SELECT
	t.line_type,
	coalesce((SELECT x.out_of_cycle_only
			  FROM po_taxonomy x
			  WHERE x.out_of_cycle_only IS NOT NULL
			  AND naive.same_or_above(x.line_type::text, t.line_type)
			  ORDER BY naive.depth(x.line_type::text) DESC
			  LIMIT 1), false) AS out_of_cycle_only
FROM (SELECT line_type FROM naive.question
	  UNION
	  SELECT line_type::text COLLATE "C" FROM po_line_item) t
)
SELECT * FROM type;

/* What a stored invoice is booked on, null if it is not associated. */
CREATE VIEW naive.invoice WITH (security_invoker = true) AS
SELECT
	i.account_id::text COLLATE "C" AS account_id,
	i.bill_from::text COLLATE "C" AS bill_from,
	i.invoice_id::text COLLATE "C" AS invoice_id,
	i.line_item_id::bigint AS line_item_id
FROM po_invoice i;

/*
 * The question as it is understood: defaults filled in, the seller's own name for
 * an alias, and the reference months of order and line item by the account's
 * period basis. An unknown account drops out here.
 */
CREATE VIEW naive.asked WITH (security_invoker = true) AS
WITH asked AS MATERIALIZED (
SELECT
	q.id,
	q.account_id,
	q.bill_from,
	q.line_type,
	q.amount,
	q.currency,
	q.requested_po_number,
	CASE WHEN q.requested_po_number IS NOT NULL THEN q.requested_line_number END AS requested_line_number,
	q.agreement_id,
	q.tax_registration_number,
	coalesce(q.out_of_cycle, t.out_of_cycle_only) AS outside_cycle,
	CASE q.period_basis
		WHEN 'billing_period' THEN q.billing_month
		WHEN 'issue_date' THEN q.issue_month
		WHEN 'status_on_issue' THEN q.issue_month
	END AS order_month,
	CASE q.period_basis
		WHEN 'billing_period' THEN q.billing_month
		WHEN 'issue_date' THEN q.issue_month
		WHEN 'status_on_issue' THEN q.billing_month
	END AS line_month,
	q.booked_line_item_id,
	original.invoice_id IS NOT NULL AS has_original,
	original.line_item_id AS original_line_item_id
FROM (
	SELECT
		q.id,
		q.account_id,
		coalesce(s.bill_from::text, q.bill_from) COLLATE "C" AS bill_from,
		q.line_type,
		naive.month_no(q.billing_month) AS billing_month,
		naive.month_no(to_char(coalesce(q.issued_on, (now() AT TIME ZONE a.time_zone)::date), 'YYYY-MM')) AS issue_month,
		a.period_basis::text AS period_basis,
		q.amount,
		upper(coalesce(q.currency, a.currency::text)) COLLATE "C" AS currency,
		nullif(btrim(q.requested_po_number), '') AS requested_po_number,
		nullif(btrim(q.requested_line_number), '') AS requested_line_number,
		q.agreement_id,
		q.tax_registration_number,
		q.out_of_cycle,
		q.booked_line_item_id,
		q.kind,
		q.original_invoice_id
	FROM naive.question q
	JOIN po_account a ON a.account_id = q.account_id
	LEFT JOIN po_seller_alias s ON s.alias = q.bill_from AND s.enabled
) q
JOIN naive.type t ON t.line_type = q.line_type
LEFT JOIN naive.invoice original
	ON original.account_id = q.account_id
	AND original.bill_from = q.bill_from
	AND original.invoice_id = q.original_invoice_id
	AND q.kind = 'credit_memo'
)
SELECT * FROM asked;

/*
 * Every question against every line item of its account: the first filter that
 * rejects the line item (stage, null for a candidate), and what it is ranked by.
 *
 * A credit memo whose original is known follows it and asks no filter: the
 * original's line item alone, or nothing if the original is not associated.
 */
CREATE VIEW naive.verdict WITH (security_invoker = true) AS
SELECT
	v.*,
	NOT v.balance_tracked
		OR v.invoice_amount <= 0
		OR v.balance >= v.invoice_amount
		AS covers
FROM (
	SELECT
		q.id,
		q.amount AS invoice_amount,
		q.has_original,
		l.po_number,
		l.line_number,
		l.line_item_id,
		l.line_type,
		l.balance_tracked,
		l.po_updated_at,
		CASE
			WHEN q.has_original THEN
				CASE WHEN l.line_item_id = q.original_line_item_id THEN NULL ELSE 'original' END
			WHEN l.status = 'suspended' THEN 'status'
			WHEN l.expiration_month < q.order_month THEN 'status'
			WHEN l.effective_month > q.order_month THEN 'order_period'
			WHEN l.bill_from <> q.bill_from THEN 'bill_from'
			WHEN l.currency <> q.currency THEN 'currency'
			WHEN cardinality(l.tax_registration_numbers) > 0
				AND array_position(l.tax_registration_numbers, q.tax_registration_number) IS NULL THEN 'tax_registration'
			WHEN l.line_item_id IS NULL THEN 'period'
			WHEN q.line_month NOT BETWEEN l.start_month AND l.end_month THEN 'period'
			WHEN NOT naive.same_or_above(l.line_type, q.line_type) THEN 'type'
			WHEN t.out_of_cycle_only AND NOT q.outside_cycle THEN 'type'
			WHEN l.agreement_id IS NOT NULL AND l.agreement_id IS DISTINCT FROM q.agreement_id THEN 'agreement'
			WHEN l.po_number <> q.requested_po_number THEN 'requested_po'
			WHEN l.line_number <> q.requested_line_number THEN 'requested_po'
		END AS stage,
		naive.depth(l.line_type) AS specificity,
		l.agreement_id IS NOT NULL AS bound,
		-- as if the amount of an invoice that is booked here had been given back
		l.balance + CASE WHEN l.line_item_id = q.booked_line_item_id THEN q.amount ELSE 0 END AS balance,
		l.end_month - l.start_month + 1 AS months
	FROM naive.asked q
	JOIN naive.line l ON l.account_id = q.account_id
	LEFT JOIN naive.type t ON t.line_type = l.line_type
) v;

/* The candidates, best first, each with what the best one (rank 1) has. */
CREATE VIEW naive.ranked WITH (security_invoker = true) AS
SELECT
	row_number() OVER best_first AS rank,
	first_value(specificity) OVER best_first AS best_specificity,
	first_value(bound) OVER best_first AS best_bound,
	first_value(covers) OVER best_first AS best_covers,
	first_value(po_updated_at) OVER best_first AS best_po_updated_at,
	v.*
FROM naive.verdict v
WHERE v.stage IS NULL
WINDOW best_first AS (
	PARTITION BY id
	ORDER BY
		specificity DESC,
		bound DESC,
		covers DESC,
		po_updated_at DESC,
		months ASC,
		po_number COLLATE "C" ASC,
		line_item_id ASC
);

/*
 * The verdict on every line item: selected; candidate, and the first criterion by
 * which the selected one is better; or rejected, and the filter. Where there is
 * nothing to judge, in an account that is unknown or has no order, one row of
 * nulls.
 */
CREATE VIEW naive.explained WITH (security_invoker = true) AS
SELECT
	id,
	po_number,
	line_number,
	rank,
	CASE WHEN rank = 1 THEN 'selected' ELSE 'candidate' END AS outcome,
	CASE
		WHEN rank = 1 THEN NULL
		WHEN specificity <> best_specificity THEN 'specificity'
		WHEN bound <> best_bound THEN 'specificity'
		WHEN covers <> best_covers THEN 'balance'
		WHEN po_updated_at <> best_po_updated_at THEN 'recency'
		ELSE 'tie'
	END AS stage
FROM naive.ranked
UNION ALL
SELECT id, po_number, line_number, NULL, 'rejected', stage
FROM naive.verdict
WHERE stage IS NOT NULL
UNION ALL
SELECT q.id, NULL, NULL, NULL, 'rejected', NULL
FROM naive.question q
WHERE NOT EXISTS (
	SELECT FROM po_account a
	JOIN naive.line l ON l.account_id = a.account_id
	WHERE a.account_id = q.account_id);
