\echo Use "ALTER EXTENSION po_mgmt UPDATE TO '1.1'" to load this file. \quit

-- CREATE EXTENSION runs this after po_mgmt--1.0.sql, which does not change any more.

--
-- The archive: what po_archive() has moved out of ledger and change log, and both together
--
-- The columns are listed, since tables of 1.0 may have got more of a user's.
--
CREATE TABLE po_ledger_archive (
	entry_id bigint NOT NULL,
	account_id text COLLATE "C" NOT NULL,
	line_item_id bigint NOT NULL,
	po_number text COLLATE "C" NOT NULL,
	line_number text COLLATE "C" NOT NULL,
	bill_from text COLLATE "C",
	invoice_id text COLLATE "C",
	entry_kind text COLLATE "C" NOT NULL,
	amount numeric NOT NULL,
	balance_after numeric,
	recorded_at timestamptz NOT NULL,
	recorded_by text COLLATE "C" NOT NULL,
	note text,
	PRIMARY KEY (account_id, line_item_id, entry_id)
);

CREATE TABLE po_change_log_archive (
	change_id bigint NOT NULL,
	account_id text COLLATE "C" NOT NULL,
	po_number text COLLATE "C",
	line_number text COLLATE "C",
	operation text COLLATE "C" NOT NULL CHECK (operation IN ('insert', 'update', 'delete')),
	old jsonb,
	new jsonb,
	changed_at timestamptz NOT NULL,
	changed_by text COLLATE "C" NOT NULL,
	line_item_id bigint,
	order_updated_at timestamptz,
	PRIMARY KEY (account_id, change_id)
);
CREATE INDEX po_change_log_archive_since ON po_change_log_archive (account_id, changed_at);

CREATE VIEW po_ledger_all WITH (security_invoker = true) AS
	SELECT l.entry_id, l.account_id, l.line_item_id, l.po_number, l.line_number, l.bill_from, l.invoice_id,
		l.entry_kind, l.amount, l.balance_after, l.recorded_at, l.recorded_by, l.note
	FROM po_ledger l WHERE l.entry_kind <> 'carried'
	UNION ALL
	SELECT a.entry_id, a.account_id, a.line_item_id, a.po_number, a.line_number, a.bill_from, a.invoice_id,
		a.entry_kind, a.amount, a.balance_after, a.recorded_at, a.recorded_by, a.note
	FROM po_ledger_archive a;

CREATE VIEW po_change_log_all WITH (security_invoker = true) AS
	SELECT l.change_id, l.account_id, l.po_number, l.line_number, l.operation, l.old, l.new, l.changed_at,
		l.changed_by, l.line_item_id, l.order_updated_at
	FROM po_change_log l
	UNION ALL
	SELECT a.change_id, a.account_id, a.po_number, a.line_number, a.operation, a.old, a.new, a.changed_at,
		a.changed_by, a.line_item_id, a.order_updated_at
	FROM po_change_log_archive a;

CREATE TRIGGER "~po_mgmt_before" BEFORE INSERT OR UPDATE OR DELETE ON po_ledger_archive
	FOR EACH ROW EXECUTE FUNCTION po_append_only_trigger('recorded_at');
CREATE TRIGGER "~po_mgmt_truncate" BEFORE TRUNCATE ON po_ledger_archive
	FOR EACH STATEMENT EXECUTE FUNCTION po_truncate_trigger();
CREATE TRIGGER "~po_mgmt_before" BEFORE INSERT OR UPDATE OR DELETE ON po_change_log_archive
	FOR EACH ROW EXECUTE FUNCTION po_append_only_trigger('changed_at');
CREATE TRIGGER "~po_mgmt_truncate" BEFORE TRUNCATE ON po_change_log_archive
	FOR EACH STATEMENT EXECUTE FUNCTION po_truncate_trigger();

SELECT pg_catalog.pg_extension_config_dump('po_ledger_archive', '');
SELECT pg_catalog.pg_extension_config_dump('po_change_log_archive', '');

CREATE FUNCTION po_archive(before po_month, account_id text DEFAULT NULL) RETURNS bigint
	AS 'MODULE_PATHNAME', 'po_archive'
	LANGUAGE C VOLATILE PARALLEL UNSAFE;
REVOKE EXECUTE ON FUNCTION po_archive(po_month, text) FROM PUBLIC;
COMMENT ON FUNCTION po_archive(po_month, text) IS
	'moves what the ledger and the change log have of closed months before a month into the archive, of an account or of all; how many rows';

--
-- What reads the ledger reads the archive, too; from the tables, so that no right is needed on the views
--
CREATE OR REPLACE FUNCTION po_balance_at(account_id text, po_number text, line_number text, at timestamptz)
	RETURNS numeric
	LANGUAGE sql STABLE STRICT PARALLEL SAFE
BEGIN ATOMIC
	-- the line item that has the number now, else one that had it then
	SELECT l.balance_after
	FROM (
		SELECT e.account_id, e.line_item_id, e.entry_id, e.po_number, e.line_number, e.recorded_at, e.balance_after
		FROM po_ledger e
		UNION ALL
		SELECT a.account_id, a.line_item_id, a.entry_id, a.po_number, a.line_number, a.recorded_at, a.balance_after
		FROM po_ledger_archive a
	) l
	LEFT JOIN po_line_item i ON i.account_id = po_balance_at.account_id
		AND i.po_number = po_balance_at.po_number AND i.line_number = po_balance_at.line_number
	WHERE l.account_id = po_balance_at.account_id AND l.recorded_at <= po_balance_at.at
		AND (l.line_item_id = i.line_item_id
			OR l.po_number = po_balance_at.po_number AND l.line_number = po_balance_at.line_number)
	ORDER BY (l.line_item_id IS NOT DISTINCT FROM i.line_item_id) DESC, l.entry_id DESC LIMIT 1;
END;

CREATE OR REPLACE FUNCTION po_check_integrity(
	OUT account_id text,
	OUT po_number text,
	OUT line_number text,
	OUT line_item_id bigint,
	OUT violation text,
	OUT expected text,
	OUT found text
) RETURNS SETOF record
	LANGUAGE sql STABLE PARALLEL SAFE COST 1000000 ROWS 10
BEGIN ATOMIC
	WITH booked AS (
		SELECT i.account_id, i.line_item_id, sum(i.amount) AS amount
		FROM po_invoice i WHERE i.line_item_id IS NOT NULL
		GROUP BY i.account_id, i.line_item_id
	), chain AS (
		SELECT l.account_id, l.line_item_id, l.entry_id, l.po_number, l.line_number,
			l.bill_from, l.invoice_id, l.amount, l.balance_after, l.recorded_at,
			sum(l.amount) OVER by_item AS running,
			lag(l.recorded_at) OVER by_account AS recorded_before
		FROM (
			SELECT e.account_id, e.line_item_id, e.entry_id, e.po_number, e.line_number, e.bill_from, e.invoice_id,
				e.amount, e.balance_after, e.recorded_at
			FROM po_ledger e WHERE e.entry_kind <> 'carried'
			UNION ALL
			SELECT a.account_id, a.line_item_id, a.entry_id, a.po_number, a.line_number, a.bill_from, a.invoice_id,
				a.amount, a.balance_after, a.recorded_at
			FROM po_ledger_archive a
		) l
		WINDOW by_item AS (PARTITION BY l.account_id, l.line_item_id ORDER BY l.entry_id),
			by_account AS (PARTITION BY l.account_id ORDER BY l.entry_id)
	), totals AS (
		SELECT l.account_id, l.line_item_id, sum(l.amount) AS amount,
			-- what is carried forward, and its balance where one was tracked
			sum(l.amount) FILTER (WHERE l.entry_kind = 'carried') AS carried,
			sum(coalesce(l.balance_after, l.amount)) FILTER (WHERE l.entry_kind = 'carried') AS carried_balance
		FROM po_ledger l GROUP BY l.account_id, l.line_item_id
	), archived AS (
		SELECT a.account_id, a.line_item_id, sum(a.amount) AS amount
		FROM po_ledger_archive a GROUP BY a.account_id, a.line_item_id
	), by_invoice AS (
		SELECT c.account_id, c.bill_from, c.invoice_id, c.line_item_id, sum(c.amount) AS amount
		FROM chain c WHERE c.invoice_id IS NOT NULL
		GROUP BY c.account_id, c.bill_from, c.invoice_id, c.line_item_id
	), item AS (
		SELECT i.*, coalesce(b.amount, 0) AS booked, coalesce(t.amount, 0) AS entered
		FROM po_line_item i
		LEFT JOIN booked b ON b.account_id = i.account_id AND b.line_item_id = i.line_item_id
		LEFT JOIN totals t ON t.account_id = i.account_id AND t.line_item_id = i.line_item_id
		WHERE i.balance_tracked
	)
	SELECT i.account_id, i.po_number, i.line_number, i.line_item_id,
		'the balance is not what the invoices leave',
		(i.total_value - i.consumed_before - i.booked)::text, i.balance::text
	FROM item i
	WHERE i.balance IS DISTINCT FROM i.total_value - i.consumed_before - i.booked
	UNION ALL
	SELECT i.account_id, i.po_number, i.line_number, i.line_item_id,
		'the ledger does not add up to the balance', i.balance::text, i.entered::text
	FROM item i
	WHERE i.balance IS DISTINCT FROM i.entered
	UNION ALL
	SELECT c.account_id, c.po_number, c.line_number, c.line_item_id,
		'ledger entry ' || c.entry_id || ' does not follow from the one before',
		c.running::text, c.balance_after::text
	FROM chain c
	WHERE c.balance_after <> c.running
	UNION ALL
	SELECT c.account_id, c.po_number, c.line_number, c.line_item_id,
		'ledger entry ' || c.entry_id || ' was recorded before the entry that precedes it',
		c.recorded_before::text, c.recorded_at::text
	FROM chain c
	WHERE c.recorded_at < c.recorded_before
	UNION ALL
	-- where a line item and its invoices are gone and all of it is archived, nothing is carried
	SELECT coalesce(t.account_id, a.account_id), i.po_number, i.line_number,
		coalesce(t.line_item_id, a.line_item_id), 'the ledger does not carry forward what is in the archive',
		a.amount::text, CASE WHEN t.carried = a.amount THEN t.carried_balance ELSE t.carried END::text
	FROM totals t
	FULL JOIN archived a ON a.account_id = t.account_id AND a.line_item_id = t.line_item_id
	LEFT JOIN po_line_item i ON i.account_id = coalesce(t.account_id, a.account_id)
		AND i.line_item_id = coalesce(t.line_item_id, a.line_item_id)
	WHERE (t.line_item_id IS NOT NULL OR i.line_item_id IS NOT NULL)
		AND (t.carried IS DISTINCT FROM a.amount OR t.carried_balance <> a.amount)
	UNION ALL
	SELECT coalesce(v.account_id, e.account_id), v.po_number, v.line_number,
		coalesce(v.line_item_id, e.line_item_id),
		'the ledger of invoice ' || coalesce(v.invoice_id, e.invoice_id) || ' of '
			|| coalesce(v.bill_from, e.bill_from) || ' does not add up to what is booked',
		(-coalesce(v.amount, 0))::text, coalesce(e.amount, 0)::text
	FROM (SELECT * FROM po_invoice WHERE po_invoice.line_item_id IS NOT NULL) v
	FULL JOIN by_invoice e ON e.account_id = v.account_id AND e.bill_from = v.bill_from
		AND e.invoice_id = v.invoice_id AND e.line_item_id = v.line_item_id
	WHERE coalesce(e.amount, 0) <> -coalesce(v.amount, 0)
	UNION ALL
	SELECT v.account_id, v.po_number, v.line_number, v.line_item_id,
		'invoice ' || v.invoice_id || ' of ' || v.bill_from || ' has another number than its line item',
		i.po_number || ' ' || i.line_number, v.po_number || ' ' || v.line_number
	FROM po_invoice v
	JOIN po_line_item i ON i.account_id = v.account_id AND i.line_item_id = v.line_item_id
	WHERE (i.po_number, i.line_number) IS DISTINCT FROM (v.po_number, v.line_number)
	UNION ALL
	SELECT r.account_id, r.po_number, r.line_number, r.line_item_id, r.what || ' does not exist', r.refers_to, NULL
	FROM (
		SELECT o.account_id, o.po_number, NULL AS line_number, NULL::bigint AS line_item_id,
			'the account of an order' AS what, o.account_id AS refers_to
		FROM po_order o WHERE NOT EXISTS (SELECT FROM po_account a WHERE a.account_id = o.account_id)
		UNION ALL
		SELECT o.account_id, o.po_number, NULL, NULL, 'the seller of an order', o.bill_from
		FROM po_order o WHERE NOT EXISTS (SELECT FROM po_seller s WHERE s.bill_from = o.bill_from)
		UNION ALL
		SELECT i.account_id, i.po_number, i.line_number, i.line_item_id, 'the order of a line item', i.po_number
		FROM po_line_item i
		WHERE NOT EXISTS (SELECT FROM po_order o WHERE o.account_id = i.account_id AND o.po_number = i.po_number)
		UNION ALL
		SELECT c.account_id, c.po_number, NULL, NULL, 'the order of contact ' || c.email, c.po_number
		FROM po_contact c
		WHERE NOT EXISTS (SELECT FROM po_order o WHERE o.account_id = c.account_id AND o.po_number = c.po_number)
		UNION ALL
		SELECT n.account_id, n.po_number, n.line_number, NULL, 'the order of notification ' || n.notification_id, n.po_number
		FROM po_notification n
		WHERE NOT EXISTS (SELECT FROM po_order o WHERE o.account_id = n.account_id AND o.po_number = n.po_number)
		UNION ALL
		SELECT m.account_id, NULL, NULL, NULL, 'the payer of member ' || m.member_account_id, m.account_id
		FROM po_account_member m WHERE NOT EXISTS (SELECT FROM po_account a WHERE a.account_id = m.account_id)
		UNION ALL
		SELECT NULL, NULL, NULL, NULL, 'the seller of alias ' || l.alias, l.bill_from
		FROM po_seller_alias l WHERE NOT EXISTS (SELECT FROM po_seller s WHERE s.bill_from = l.bill_from)
		UNION ALL
		SELECT NULL, NULL, NULL, NULL, 'the seller of type ' || t.line_type::text, t.bill_from
		FROM po_seller_line_type t WHERE NOT EXISTS (SELECT FROM po_seller s WHERE s.bill_from = t.bill_from)
		UNION ALL
		SELECT NULL, NULL, NULL, NULL, 'the type that ' || t.bill_from || ' bills', t.line_type::text
		FROM po_seller_line_type t WHERE NOT EXISTS (SELECT FROM po_taxonomy x WHERE x.line_type = t.line_type)
	) r
	UNION ALL
	SELECT NULL, NULL, NULL, NULL, 'row security of ' || t.relname || ' is not as po_enable_row_security() left it',
		coalesce('policy by ' || t.setting, 'none'),
		CASE WHEN t.qual IS NULL THEN 'none' WHEN t.relrowsecurity THEN t.qual ELSE 'switched off' END
	FROM (
		SELECT c.relname, c.relrowsecurity, s.setting, pg_get_expr(p.polqual, p.polrelid) AS qual,
			p.polpermissive AND p.polcmd = '*' AND p.polroles = '{0}' AND p.polwithcheck IS NULL AS is_ours
		FROM pg_extension e
		JOIN pg_depend d ON d.refobjid = e.oid AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e'
		JOIN pg_class c ON c.oid = d.objid AND d.classid = 'pg_class'::regclass AND c.relkind = 'r'
		JOIN pg_attribute a ON a.attrelid = c.oid AND a.attname = 'account_id'
		LEFT JOIN pg_policy p ON p.polrelid = c.oid AND p.polname = 'po_mgmt_account'
		LEFT JOIN po_row_security s ON true
		WHERE e.extname = 'po_mgmt'
	) t
	WHERE (t.setting IS NOT NULL OR t.qual IS NOT NULL)
		AND (t.setting IS NOT NULL AND t.relrowsecurity AND t.is_ours
			AND position('current_setting(' || quote_literal(t.setting) || '::text, true)' IN t.qual) > 0) IS NOT TRUE;
END;

--
-- Comments; columns of the archive and of the views are those of the tables
--
COMMENT ON COLUMN po_ledger.entry_kind IS 'opening, association, release, correction, edited, tracking, repaired, closed or carried';
COMMENT ON TABLE po_ledger_archive IS 'written by po_mgmt: entries of the ledger that po_archive() has moved; append-only';
COMMENT ON TABLE po_change_log_archive IS 'written by po_mgmt: changes that po_archive() has moved; append-only';
COMMENT ON VIEW po_ledger_all IS 'entries of the ledger and of its archive, without those that carry forward';
COMMENT ON VIEW po_change_log_all IS 'changes of the change log and of its archive';
COMMENT ON INDEX po_ledger_archive_pkey IS 'entries of a line item in their order';
COMMENT ON INDEX po_change_log_archive_pkey IS 'one row for each change of an account';
COMMENT ON INDEX po_change_log_archive_since IS 'what was changed since a time';
COMMENT ON FUNCTION po_append_only_trigger() IS
	'trigger of po_ledger, po_change_log and their archives: rows are only added, and only by po_mgmt';

DO $$
DECLARE
	command text;
BEGIN
	FOR command IN
		SELECT pg_catalog.format('COMMENT ON COLUMN %s.%I IS %L', n.of, a.attname,
			pg_catalog.col_description(b.attrelid, b.attnum))
		FROM (VALUES ('po_ledger'::pg_catalog.regclass, 'po_ledger_archive'::pg_catalog.regclass),
			('po_ledger', 'po_ledger_all'), ('po_change_log', 'po_change_log_archive'),
			('po_change_log', 'po_change_log_all')) n(base, of)
		JOIN pg_catalog.pg_attribute a ON a.attrelid = n.of AND a.attnum > 0
		JOIN pg_catalog.pg_attribute b ON b.attrelid = n.base AND b.attname = a.attname
	LOOP
		EXECUTE command;
	END LOOP;
END $$;

--
-- In a database that was in use: the new tables have the owner and the policies of the others. Grants are not made
-- here, because dumps leave out what an extension's script grants.
--
DO $$
DECLARE
	command text;
	readers text;
	schema text;
BEGIN
	FOR command IN
		SELECT pg_catalog.format('ALTER TABLE %s OWNER TO %s', n.oid::pg_catalog.regclass, l.relowner::pg_catalog.regrole)
		FROM pg_catalog.pg_class l
		JOIN pg_catalog.pg_class n ON n.relowner <> l.relowner
		WHERE l.oid = 'po_ledger'::pg_catalog.regclass AND n.oid = ANY (
			'{po_ledger_archive,po_change_log_archive,po_ledger_all,po_change_log_all}'::pg_catalog.regclass[])
	LOOP
		EXECUTE command;
	END LOOP;

	PERFORM po_enable_row_security(s.setting) FROM po_row_security s;

	SELECT pg_catalog.string_agg(DISTINCT CASE r.grantee WHEN 0 THEN 'PUBLIC' ELSE r.grantee::pg_catalog.regrole::text END, ', '),
		pg_catalog.max(c.relnamespace::pg_catalog.regnamespace::text)
	INTO readers, schema
	FROM pg_catalog.pg_class c
	CROSS JOIN LATERAL pg_catalog.aclexplode(c.relacl) r
	WHERE c.oid = ANY ('{po_ledger,po_change_log}'::pg_catalog.regclass[])
		AND r.privilege_type = 'SELECT' AND r.grantee <> c.relowner;
	IF readers IS NOT NULL THEN
		RAISE WARNING USING
			MESSAGE = 'who reads the ledger and the change log needs the archive, too',
			DETAIL = 'Without it, po_explain_invoice(), po_balance_at() and po_check_integrity() are refused.',
			HINT = pg_catalog.format('GRANT SELECT ON %1$s.po_ledger_archive, %1$s.po_change_log_archive,'
				' %1$s.po_ledger_all, %1$s.po_change_log_all TO %2$s;', schema, readers);
	END IF;
END $$;
