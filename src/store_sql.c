/*
 * store_sql.c
 *		The SQL of the store: every statement that is planned once.
 *
 * They are analysed under the caller's search_path, so all names are
 * qualified, operators too: @ before a dot stands for the extension's schema,
 * EQ for the equality of core's types.  What is between @{ and @} is left out
 * where the extension is of 1.0 and has no archive.  A table's name may come to
 * stand for a shard of it (store_shard.c), whose rows are of another type:
 * where the row itself is meant, it is made one of the table's.  No code lives
 * here.
 */
#include "postgres.h"

#include "store_sql.h"

#define EQ		" OPERATOR(pg_catalog.=) "
#define NE		" OPERATOR(pg_catalog.<>) "
#define INVOICE_OF \
	"v.account_id" EQ "ANY (ARRAY[$1, (SELECT m.account_id FROM @.po_account_member m" \
	" WHERE m.member_account_id" EQ "$1)])" \
	" AND COALESCE(v.member_account_id, v.account_id)" EQ "$1" \
	" AND v.bill_from" EQ "$2 AND v.invoice_id" EQ "$3"

#define PLUS	" OPERATOR(pg_catalog.+) "
#define MINUS	" OPERATOR(pg_catalog.-) "

/* of the order o; not po_status(po_order), which asks for the account's day by its table's name */
#define STATUS \
	"@.po_status(ROW(o.*)::@.po_order, CAST(@.po_now() AT TIME ZONE COALESCE((SELECT a.time_zone" \
	" FROM @.po_account a WHERE a.account_id" EQ "o.account_id), 'UTC') AS pg_catalog.date))"

#define LINE_ITEMS_OF_ORDERS \
	"SELECT i.line_item_id, i.po_number, i.line_number, i.line_type, i.start_month," \
	" i.end_month, i.balance_tracked, i.balance, i.agreement_id, o.place" \
	" FROM pg_catalog.unnest($2) WITH ORDINALITY AS o(po_number, place)" \
	" JOIN @.po_line_item i ON i.account_id" EQ "$1 AND i.po_number" EQ "o.po_number"

/* the line items i of a marketplace agreement */
#define OF_AGREEMENT \
	" WHERE i.account_id" EQ "$1 AND i.agreement_id" EQ "$2" \
	" AND i.line_type OPERATOR(@.<@) 'marketplace.transaction'"

/* who is told of the order o */
#define RECIPIENTS \
	"(SELECT pg_catalog.array_agg(c.email ORDER BY c.email) FROM @.po_contact c" \
	" WHERE c.account_id" EQ "o.account_id AND c.po_number" EQ "o.po_number)"

#define TRACKED \
	" WHERE i.account_id" EQ "o.account_id AND i.po_number" EQ "o.po_number AND i.balance_tracked"

/* every column */
#define INVOICE_ROW \
	"account_id, bill_from, invoice_id, kind, line_type, billing_month, issued_on, due_on," \
	" amount, currency, tax_registration_number, agreement_id, requested_po_number," \
	" requested_line_number, out_of_cycle, original_invoice_id, member_account_id, po_number," \
	" line_number, line_item_id, association_kind, associated_at, associated_by, voided_at," \
	" recorded_at"

#define WRITE_NOTIFICATIONS \
	"INSERT INTO @.po_notification (notification_id, account_id, po_number, line_number," \
	" kind, threshold, due_on, recipients, subject, body, created_at)" \
	" SELECT notification_id, account_id, po_number, line_number, kind, threshold," \
	" due_on, recipients, subject, body, created_at FROM pg_catalog.unnest($1)"

#define LEDGER_COLUMNS \
	"entry_id, account_id, line_item_id, po_number, line_number, bill_from, invoice_id," \
	" entry_kind, amount, balance_after, recorded_at, recorded_by, note"

#define CHANGE_COLUMNS \
	"change_id, account_id, po_number, line_number, operation, old, new, changed_at," \
	" changed_by, line_item_id, order_updated_at"

/*
 * A table with what was archived of it.  Not the views of users, whose
 * condition would keep a search for one entry from using the indexes; so an
 * entry that carries forward stands beside the last of those that it is for.
 */
#define WITH_ARCHIVE(columns, table) \
	"(SELECT " columns " FROM @." table \
	"@{ UNION ALL SELECT " columns " FROM @." table "_archive@})"
#define LEDGER_ALL	WITH_ARCHIVE(LEDGER_COLUMNS, "po_ledger")
#define CHANGES_ALL	WITH_ARCHIVE(CHANGE_COLUMNS, "po_change_log")

/* when the archive ends: at a month of the account, or behind its last closed one */
#define ARCHIVE_END \
	"SELECT CAST(CAST(CASE WHEN a.closed_through OPERATOR(@.<) $2 THEN a.closed_through OPERATOR(@.+) 1" \
	" ELSE $2 END AS pg_catalog.date) AS pg_catalog.timestamp) AT TIME ZONE a.time_zone AS at" \
	" FROM @.po_account a WHERE a.account_id" EQ "$1 AND a.closed_through IS NOT NULL"

/* a key's first change after a time, and what its columns were before */
#define CHANGES_SINCE(key, of_itself) \
	"SELECT " key ", (pg_catalog.array_agg(l.operation ORDER BY l.change_id)" \
	" FILTER (WHERE " of_itself "))[1] AS first," \
	" (pg_catalog.array_agg(l.order_updated_at ORDER BY l.change_id))[1] AS updated_at," \
	" @.po_merge(l.old ORDER BY l.change_id DESC) FILTER (WHERE " of_itself ") AS old" \
	" FROM " CHANGES_ALL " l" \
	" WHERE l.account_id" EQ "$1 AND l.changed_at OPERATOR(pg_catalog.>) $2"

/* what was added since then was not; null where nothing but its line items changed */
#define WAS_THERE	"(later.first IS NULL OR 'insert' OPERATOR(pg_catalog.<>) "

/* of two columns of jsonb, what the first has and the second has not */
#define CHANGED_IN(a, b) \
	"CASE WHEN r.old IS NULL OR r.new IS NULL THEN r." a " ELSE" \
	" (SELECT pg_catalog.jsonb_object_agg(c.key, c.value) FROM pg_catalog.jsonb_each(r." a ") c" \
	" WHERE c.value::pg_catalog.text OPERATOR(pg_catalog.<>)" \
	" (r." b " OPERATOR(pg_catalog.->) c.key)::pg_catalog.text) END"

/* what is no configuration, and so is not logged */
#define NOT_LOGGED \
	"'{balance,total_value,booked_at,created_at,updated_at,expiration_set_on}'::pg_catalog.text[]"

const PoStatementText po_statement_texts[PO_NSTATEMENTS] = {
	[PO_READ_ACCOUNT] = {"a",
		/* no more than a match needs, for who may read no more */
		"SELECT account_id, currency, period_basis, time_zone, 0, 0, 0, NULL::@.po_month,"
		" '-infinity'::pg_catalog.timestamptz FROM @.po_account WHERE account_id" EQ "$1"},
	[PO_READ_ORDERS] = {"atm",
		"SELECT " PO_ORDER_COLUMNS " FROM @.po_order WHERE account_id" EQ "$1"
		" AND bill_from" EQ "$2 AND expiration_month OPERATOR(@.>=) $3"
		" ORDER BY updated_at DESC"},
	[PO_READ_ALL_ORDERS] = {"a",
		"SELECT " PO_ORDER_COLUMNS " FROM @.po_order WHERE account_id" EQ "$1"},
	[PO_READ_LEVEL] = {"aTlm",
		LINE_ITEMS_OF_ORDERS " WHERE i.line_type OPERATOR(@.=) $3"
		" AND i.start_month OPERATOR(@.<=) $4 AND i.end_month OPERATOR(@.>=) $4"
		" ORDER BY o.place"},
	[PO_READ_ALL_LINE_ITEMS] = {"aT",
		LINE_ITEMS_OF_ORDERS " ORDER BY o.place, i.line_item_id"},
	[PO_READ_LINE_ITEM] = {"ai",
		"SELECT " PO_LINE_ITEM_COLUMNS " FROM @.po_line_item"
		" WHERE account_id" EQ "$1 AND line_item_id" EQ "$2"},
	[PO_READ_INVOICE] = {"att",
		"SELECT " PO_INVOICE_COLUMNS " FROM @.po_invoice"
		" WHERE account_id" EQ "$1 AND bill_from" EQ "$2 AND invoice_id" EQ "$3"},
	[PO_READ_ALIAS] = {"t",
		"SELECT bill_from, enabled FROM @.po_seller_alias WHERE alias" EQ "$1"},
	[PO_READ_TAXONOMY] = {"l",
		"SELECT out_of_cycle_only FROM @.po_taxonomy WHERE line_type OPERATOR(@.=) $1"},
	[PO_READ_SELLER_ENABLED] = {"t",
		"SELECT enabled FROM @.po_seller WHERE bill_from" EQ "$1"},
	[PO_READ_TYPE_ENABLED] = {"l",
		"SELECT enabled FROM @.po_taxonomy WHERE line_type OPERATOR(@.=) $1"},
	/* what a row refers to: it stays while the transaction runs, as under a foreign key */
	[PO_KEEP_SELLER] = {"t",
		"SELECT enabled FROM @.po_seller WHERE bill_from" EQ "$1 FOR KEY SHARE"},
	[PO_KEEP_TYPE] = {"l",
		"SELECT enabled FROM @.po_taxonomy WHERE line_type OPERATOR(@.=) $1 FOR KEY SHARE"},
	[PO_KEEP_ACCOUNT] = {"a",
		"SELECT 1 FROM @.po_account WHERE account_id" EQ "$1 FOR KEY SHARE"},
	[PO_KEEP_ORDER] = {"at",
		"SELECT 1 FROM @.po_order WHERE account_id" EQ "$1 AND po_number" EQ "$2 FOR KEY SHARE"},
	[PO_READ_SELLER_BILLS] = {"tL",
		"SELECT NOT EXISTS (SELECT FROM @.po_seller_line_type WHERE bill_from" EQ "$1)"
		" OR EXISTS (SELECT FROM @.po_seller_line_type WHERE bill_from" EQ "$1"
		" AND enabled AND line_type OPERATOR(@.=) ANY ($2))"},
	[PO_COUNT_ACTIVE_ORDERS] = {"am",
		"SELECT pg_catalog.count(*) FROM @.po_order WHERE account_id" EQ "$1"
		" AND status" EQ "'active' AND expiration_month OPERATOR(@.>=) $2"},
	[PO_COUNT_LINE_ITEMS] = {"at",
		"SELECT pg_catalog.count(*) FROM @.po_line_item"
		" WHERE account_id" EQ "$1 AND po_number" EQ "$2"},
	[PO_COUNT_CONTACTS] = {"at",
		"SELECT pg_catalog.count(*) FROM @.po_contact"
		" WHERE account_id" EQ "$1 AND po_number" EQ "$2"},
	[PO_READ_ORDER] = {"at",
		"SELECT " PO_ORDER_COLUMNS " FROM @.po_order"
		" WHERE account_id" EQ "$1 AND po_number" EQ "$2"},
	[PO_READ_ORDER_INVOICE] = {"at",
		"SELECT v.invoice_id FROM @.po_line_item i JOIN @.po_invoice v"
		" ON v.account_id" EQ "i.account_id AND v.po_number" EQ "i.po_number"
		" AND v.line_item_id" EQ "i.line_item_id"
		" WHERE i.account_id" EQ "$1 AND i.po_number" EQ "$2 LIMIT 1"},
	[PO_READ_LINE_ITEM_INVOICE] = {"ati",
		"SELECT invoice_id FROM @.po_invoice WHERE account_id" EQ "$1"
		" AND po_number" EQ "$2 AND line_item_id" EQ "$3 LIMIT 1"},
	[PO_READ_ACCOUNT_ENTRY] = {"a",
		"SELECT 1 FROM " LEDGER_ALL " l WHERE account_id" EQ "$1 LIMIT 1"},
	[PO_READ_OUTSIDE_PERIOD] = {"atmm",
		"SELECT line_number FROM @.po_line_item WHERE account_id" EQ "$1"
		" AND po_number" EQ "$2 AND (start_month OPERATOR(@.<) $3"
		" OR end_month OPERATOR(@.>) $4) ORDER BY line_item_id"},
	[PO_READ_LEDGER_SUM] = {"ai",
		"SELECT COALESCE(pg_catalog.sum(amount), 0) FROM @.po_ledger"
		" WHERE account_id" EQ "$1 AND line_item_id" EQ "$2"},
	[PO_READ_ASSOCIATED_SUM] = {"ati",
		"SELECT COALESCE(pg_catalog.sum(amount), 0) FROM @.po_invoice"
		" WHERE account_id" EQ "$1 AND po_number" EQ "$2 AND line_item_id" EQ "$3"},
	[PO_READ_INVOICE_ROW] = {"att",
		"SELECT ROW(v.*)::@.po_invoice FROM @.po_invoice v"
		" WHERE account_id" EQ "$1 AND bill_from" EQ "$2 AND invoice_id" EQ "$3"},
	[PO_LOCK_INVOICE] = {"att",
		"SELECT " PO_INVOICE_COLUMNS " FROM @.po_invoice"
		" WHERE account_id" EQ "$1 AND bill_from" EQ "$2 AND invoice_id" EQ "$3"
		" FOR NO KEY UPDATE"},
	[PO_READ_FOLLOWERS] = {"att",
		"SELECT " PO_INVOICE_COLUMNS " FROM @.po_invoice WHERE account_id" EQ "$1"
		" AND bill_from" EQ "$2 AND original_invoice_id" EQ "$3"
		" AND kind" EQ "'credit_memo' AND voided_at IS NULL"
		" ORDER BY recorded_at, invoice_id FOR NO KEY UPDATE"},
	/* a memo may be the original of another, and the other of this one */
	[PO_READ_CLOSED_FOLLOWER] = {"atttm",
		"WITH RECURSIVE f(invoice_id, billing_month) AS (SELECT $3 COLLATE pg_catalog.\"C\", NULL::@.po_month"
		" UNION SELECT m.invoice_id, m.billing_month FROM f JOIN @.po_invoice m"
		" ON m.account_id" EQ "$1 AND m.bill_from" EQ "$2"
		" AND m.original_invoice_id" EQ "f.invoice_id AND m.kind" EQ "'credit_memo'"
		" AND m.voided_at IS NULL AND m.currency" EQ "$4"
		" AND COALESCE(m.association_kind, '') OPERATOR(pg_catalog.<>) 'manual')"
		" SELECT FROM f WHERE billing_month OPERATOR(@.<=) $5"},
	[PO_READ_UNASSOCIATED] = {"a",
		"SELECT " PO_INVOICE_COLUMNS " FROM @.po_invoice"
		" WHERE line_item_id IS NULL AND voided_at IS NULL"
		" AND ($1 IS NULL OR account_id" EQ "$1)"
		" ORDER BY account_id, issued_on, recorded_at, invoice_id"},
	/*
	 * The entries that mend an account: for each invoice and line item what the
	 * ledger lacks of what is booked, then for each tracked line item what it
	 * lacks still of the balance that the invoices leave.
	 */
	[PO_READ_REPAIRS] = {"a",
		"WITH v AS (SELECT line_item_id, bill_from, invoice_id, po_number, line_number, amount"
		" FROM @.po_invoice WHERE account_id" EQ "$1 AND line_item_id IS NOT NULL),"
		" l AS (SELECT line_item_id, bill_from, invoice_id, pg_catalog.max(po_number) AS po_number,"
		" pg_catalog.max(line_number) AS line_number, pg_catalog.sum(amount) AS amount"
		" FROM " LEDGER_ALL " e WHERE account_id" EQ "$1 AND entry_kind" NE "'carried'"
		" GROUP BY line_item_id, bill_from, invoice_id),"
		" of_invoice AS (SELECT COALESCE(v.line_item_id, l.line_item_id) AS line_item_id,"
		" COALESCE(v.po_number, l.po_number) AS po_number,"
		" COALESCE(v.line_number, l.line_number) AS line_number,"
		" COALESCE(v.bill_from, l.bill_from) AS bill_from,"
		" COALESCE(v.invoice_id, l.invoice_id) AS invoice_id,"
		" 0" MINUS "COALESCE(v.amount, 0)" MINUS "COALESCE(l.amount, 0) AS amount"
		" FROM v FULL JOIN l ON l.line_item_id" EQ "v.line_item_id"
		" AND l.bill_from" EQ "v.bill_from AND l.invoice_id" EQ "v.invoice_id"
		" WHERE v.invoice_id IS NOT NULL OR l.invoice_id IS NOT NULL),"
		" booked AS (SELECT line_item_id, pg_catalog.sum(amount) AS amount FROM v GROUP BY line_item_id),"
		" entered AS (SELECT line_item_id, pg_catalog.sum(amount) AS amount FROM l GROUP BY line_item_id),"
		" mended AS (SELECT line_item_id, pg_catalog.sum(amount) AS amount FROM of_invoice GROUP BY line_item_id),"
		" item AS (SELECT i.line_item_id, i.po_number, i.line_number, i.balance,"
		" COALESCE(e.amount, 0) AS entered,"
		" i.total_value" MINUS "i.consumed_before" MINUS "COALESCE(b.amount, 0) AS expected,"
		" i.total_value" MINUS "i.consumed_before" MINUS "COALESCE(b.amount, 0)"
		MINUS "COALESCE(e.amount, 0)" MINUS "COALESCE(m.amount, 0) AS amount"
		" FROM @.po_line_item i LEFT JOIN booked b ON b.line_item_id" EQ "i.line_item_id"
		" LEFT JOIN entered e ON e.line_item_id" EQ "i.line_item_id"
		" LEFT JOIN mended m ON m.line_item_id" EQ "i.line_item_id"
		" WHERE i.account_id" EQ "$1 AND i.balance_tracked),"
		" repair AS (SELECT o.*, NULL::pg_catalog.numeric AS expected FROM of_invoice o"
		" WHERE o.amount" NE "0"
		" UNION ALL SELECT line_item_id, po_number, line_number, NULL, NULL, amount, expected"
		" FROM item WHERE amount" NE "0 OR balance" NE "expected)"
		" SELECT r.line_item_id, r.po_number, r.line_number, r.bill_from, r.invoice_id, r.amount,"
		" i.entered" PLUS "pg_catalog.sum(r.amount) OVER (PARTITION BY r.line_item_id"
		" ORDER BY r.invoice_id, r.bill_from), r.expected"
		" FROM repair r LEFT JOIN item i ON i.line_item_id" EQ "r.line_item_id"
		" ORDER BY r.line_item_id, r.invoice_id, r.bill_from"},
	[PO_READ_NEXT_CLOSED] = {"t",
		"SELECT account_id FROM @.po_account WHERE account_id OPERATOR(pg_catalog.>) $1"
		" AND closed_through IS NOT NULL ORDER BY account_id LIMIT 1"},
	[PO_READ_BALANCES] = {"AI",
		/* contacts first: without any, this is all that notifications cost */
		"SELECT m.place, i.balance, i.total_value, CASE WHEN EXISTS"
		" (SELECT FROM @.po_contact c WHERE c.account_id" EQ "i.account_id"
		" AND c.po_number" EQ "i.po_number)"
		" THEN (SELECT a.alert_thresholds FROM @.po_account a"
		" WHERE a.account_id" EQ "i.account_id) END"
		" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2))"
		" WITH ORDINALITY AS m(account_id, line_item_id, place)"
		" JOIN @.po_line_item i ON i.account_id" EQ "m.account_id"
		" AND i.line_item_id" EQ "m.line_item_id"},
	[PO_READ_NOTICES] = {"AI",
		"SELECT m.place, o.account_id, o.po_number, o.description, o.bill_from, o.currency,"
		" a.time_zone, o.expiration_month, i.start_month, i.end_month, i.line_number,"
		" i.description, @.po_label(i.line_type), i.total_value, i.balance, " RECIPIENTS
		" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2))"
		" WITH ORDINALITY AS m(account_id, line_item_id, place)"
		" JOIN @.po_line_item i ON i.account_id" EQ "m.account_id"
		" AND i.line_item_id" EQ "m.line_item_id"
		" JOIN @.po_order o ON o.account_id" EQ "i.account_id AND o.po_number" EQ "i.po_number"
		" JOIN @.po_account a ON a.account_id" EQ "i.account_id"},
	/*
	 * The latest reminder that is due, of each order.  An order that is being
	 * deleted is left out; it would make us wait, and fail.  $2 is of the shard
	 * that is meant, where there are some.
	 */
	[PO_READ_REMINDERS] = {"da",
		"SELECT d.due_on, o.account_id, o.po_number, o.description, o.bill_from, o.currency,"
		" a.time_zone, o.expiration_month, o.effective_month, o.expiration_month,"
		" NULL::pg_catalog.text, NULL::pg_catalog.text, NULL::pg_catalog.text,"
		" (SELECT pg_catalog.sum(i.total_value) FROM @.po_line_item i" TRACKED "),"
		" (SELECT pg_catalog.sum(i.balance) FROM @.po_line_item i" TRACKED "), "
		RECIPIENTS ", t.today"
		" FROM @.po_order o JOIN @.po_account a ON a.account_id" EQ "o.account_id,"
		" LATERAL (SELECT COALESCE($1, CAST(@.po_now() AT TIME ZONE a.time_zone AS pg_catalog.date))"
		" AS today, @.po_month_end(o.expiration_month) AS last) t,"
		" LATERAL (SELECT pg_catalog.max(v.due_on) AS due_on FROM (VALUES"
		" (CAST(t.last" MINUS "'2 months'::pg_catalog.interval AS pg_catalog.date)),"
		" (CAST(t.last" MINUS "'1 month'::pg_catalog.interval AS pg_catalog.date)),"
		" (t.last" MINUS "7), (t.last)) v(due_on)"
		" WHERE v.due_on OPERATOR(pg_catalog.<=) t.today"
		" AND v.due_on OPERATOR(pg_catalog.>) COALESCE(o.expiration_set_on,"
		" CAST(o.created_at AT TIME ZONE a.time_zone AS pg_catalog.date))) d"
		" WHERE o.status" EQ "'active' AND d.due_on IS NOT NULL"
		" AND t.today OPERATOR(pg_catalog.<=) (t.last" PLUS "'1 month'::pg_catalog.interval)"
		" AND EXISTS (SELECT FROM @.po_contact c WHERE c.account_id" EQ "o.account_id"
		" AND c.po_number" EQ "o.po_number)"
		" AND NOT EXISTS (SELECT FROM @.po_notification n WHERE n.account_id" EQ "o.account_id"
		" AND n.po_number" EQ "o.po_number AND n.due_on" EQ "d.due_on AND n.kind" EQ "'expiration')"
		" ORDER BY o.account_id, o.po_number FOR KEY SHARE OF o SKIP LOCKED"},
	[PO_SET_STATUS] = {"att",
		"UPDATE @.po_order o SET status = $3 WHERE account_id" EQ "$1"
		" AND po_number" EQ "$2 RETURNING " STATUS},
	[PO_LOCK_EXPIRATION] = {"at",
		"SELECT expiration_month FROM @.po_order WHERE account_id" EQ "$1"
		" AND po_number" EQ "$2 FOR NO KEY UPDATE"},
	[PO_EXTEND_ORDER] = {"atm",
		"UPDATE @.po_order o SET expiration_month = $3 WHERE account_id" EQ "$1"
		" AND po_number" EQ "$2 RETURNING " STATUS},
	[PO_EXTEND_LINE_ITEMS] = {"atmm",
		"UPDATE @.po_line_item SET end_month = $4 WHERE account_id" EQ "$1"
		" AND po_number" EQ "$2 AND end_month OPERATOR(@.=) $3"},
	/* the extension's tables that are by account, whichever there are; our policy, and others */
	[PO_READ_POLICIES] = {"",
		"SELECT pg_catalog.format('%I.%I', n.nspname, c.relname),"
		" EXISTS (SELECT FROM pg_catalog.pg_policy p WHERE p.polrelid" EQ "c.oid"
		" AND p.polname" EQ "'po_mgmt_account'),"
		" EXISTS (SELECT FROM pg_catalog.pg_policy p WHERE p.polrelid" EQ "c.oid"
		" AND p.polname OPERATOR(pg_catalog.<>) 'po_mgmt_account')"
		" FROM pg_catalog.pg_extension e"
		" JOIN pg_catalog.pg_depend d ON d.refobjid" EQ "e.oid AND d.deptype" EQ "'e'"
		" AND d.refclassid" EQ "'pg_catalog.pg_extension'::pg_catalog.regclass"
		" AND d.classid" EQ "'pg_catalog.pg_class'::pg_catalog.regclass"
		" JOIN pg_catalog.pg_class c ON c.oid" EQ "d.objid AND c.relkind" EQ "'r'"
		" JOIN pg_catalog.pg_namespace n ON n.oid" EQ "c.relnamespace"
		" JOIN pg_catalog.pg_attribute a ON a.attrelid" EQ "c.oid AND a.attname" EQ "'account_id'"
		" WHERE e.extname" EQ "'po_mgmt' ORDER BY c.relname"},
	[PO_FORGET_POLICIES] = {"t",
		"DELETE FROM @.po_row_security WHERE ($1" EQ "setting) IS NOT TRUE"},
	[PO_RECORD_POLICIES] = {"t",
		"INSERT INTO @.po_row_security (setting, enabled_at)"
		" SELECT $1, @.po_now() WHERE $1 IS NOT NULL ON CONFLICT DO NOTHING"},
	[PO_COPY_ORDER] = {"attmm",
		"INSERT INTO @.po_order (account_id, po_number, bill_from, effective_month, expiration_month,"
		" currency, description, ship_to, tax_registration_numbers, tags)"
		" SELECT account_id, $3, bill_from, $4, $5, currency, description, ship_to,"
		" tax_registration_numbers, tags FROM @.po_order WHERE account_id" EQ "$1 AND po_number" EQ "$2"},
	/* what would begin after the last month, when months move as far as the first one does */
	[PO_READ_BEYOND] = {"atmmm",
		"SELECT line_number FROM @.po_line_item WHERE account_id" EQ "$1 AND po_number" EQ "$2"
		" AND start_month OPERATOR(@.+) ($4 OPERATOR(@.-) $3) OPERATOR(@.>) $5"
		" ORDER BY line_item_id"},
	[PO_COPY_LINE_ITEMS] = {"attmmmm",
		"INSERT INTO @.po_line_item (account_id, po_number, line_number, line_type, start_month,"
		" end_month, balance_tracked, amount, quantity, tax, tax_kind, agreement_id, description)"
		" SELECT account_id, $3, line_number, line_type,"
		" start_month OPERATOR(@.+) ($6 OPERATOR(@.-) $4),"
		" CASE WHEN end_month OPERATOR(@.=) $5 THEN $7"
		" ELSE LEAST(end_month OPERATOR(@.+) ($6 OPERATOR(@.-) $4), $7) END,"
		" balance_tracked, amount, quantity, tax, tax_kind, agreement_id, description"
		" FROM @.po_line_item WHERE account_id" EQ "$1 AND po_number" EQ "$2 ORDER BY line_item_id"},
	[PO_COPY_CONTACTS] = {"att",
		"INSERT INTO @.po_contact (account_id, po_number, email, name, title, phone)"
		" SELECT account_id, $3, email, name, title, phone FROM @.po_contact"
		" WHERE account_id" EQ "$1 AND po_number" EQ "$2"},
	[PO_READ_ORDER_ROW] = {"at",
		"SELECT ROW(o.*)::@.po_order FROM @.po_order o WHERE account_id" EQ "$1 AND po_number" EQ "$2"},
	[PO_MOVE_MEMBER] = {"tt",
		"UPDATE @.po_account_member m SET account_id = $2 FROM"
		" (SELECT account_id FROM @.po_account_member WHERE member_account_id" EQ "$1 FOR UPDATE) before"
		" WHERE m.member_account_id" EQ "$1 RETURNING before.account_id"},
	[PO_SCHEDULE] = {"ttt", "SELECT cron.schedule($1, $2, $3)"},
	[PO_READ_PAYER] = {"t",
		"SELECT account_id FROM @.po_account_member WHERE member_account_id" EQ "$1"},
	[PO_READ_MEMBER] = {"t",
		"SELECT 1 FROM @.po_account_member WHERE account_id" EQ "$1 LIMIT 1"},
	[PO_READ_INTEGRATION] = {"a",
		"SELECT marketplace_integration FROM @.po_account WHERE account_id" EQ "$1"},
	/* the seller and currency of its last order, and all of its months */
	[PO_READ_AGREEMENT] = {"at",
		"SELECT o.bill_from, o.currency, @.min(i.start_month), @.max(i.end_month)"
		" FROM @.po_line_item i JOIN @.po_order o ON o.account_id" EQ "i.account_id"
		" AND o.po_number" EQ "i.po_number" OF_AGREEMENT
		" GROUP BY o.bill_from, o.currency ORDER BY pg_catalog.max(i.line_item_id) DESC LIMIT 1"},
	[PO_READ_AGREEMENT_LINE] = {"att",
		"SELECT i.line_number FROM @.po_line_item i" OF_AGREEMENT " AND i.po_number" EQ "$3"
		" ORDER BY i.line_item_id DESC LIMIT 1"},
	/* for an invoice of the agreement that asks for this order and line item, or none */
	[PO_READ_MOVED_TO] = {"attt",
		"SELECT i.agreement_moved_to FROM @.po_line_item i" OF_AGREEMENT
		" AND i.agreement_moved_to IS NOT NULL AND ($3 IS NULL OR i.po_number" EQ "$3)"
		" AND ($4 IS NULL OR i.line_number" EQ "$4) ORDER BY i.line_item_id DESC LIMIT 1"},
	[PO_PURCHASE_ORDER] = {"attmmt",
		"INSERT INTO @.po_order (account_id, po_number, bill_from, effective_month,"
		" expiration_month, currency, source) VALUES ($1, $2, $3, $4, $5, $6, 'marketplace')"},
	[PO_WIDEN_ORDER] = {"atmm",
		"UPDATE @.po_order SET effective_month = LEAST(effective_month, $3),"
		" expiration_month = GREATEST(expiration_month, $4)"
		" WHERE account_id" EQ "$1 AND po_number" EQ "$2"},
	[PO_PURCHASE_LINE_ITEM] = {"atmmnttt",
		"INSERT INTO @.po_line_item (account_id, po_number, line_type, start_month, end_month,"
		" amount, agreement_id, line_number, description)"
		" SELECT $1, $2, 'marketplace.transaction', $3, $4, $5, $6, COALESCE($7,"
		" (SELECT (COALESCE(pg_catalog.max(line_number::pg_catalog.numeric), 0)" PLUS "1)::pg_catalog.text"
		" FROM @.po_line_item WHERE account_id" EQ "$1 AND po_number" EQ "$2"
		" AND line_number OPERATOR(pg_catalog.~) '^[0-9]+$')), $8 RETURNING line_number"},
	[PO_MOVE_AGREEMENT] = {"att",
		"UPDATE @.po_line_item i"
		" SET agreement_moved_to = CASE WHEN i.po_number" EQ "$3 THEN NULL ELSE $3 END" OF_AGREEMENT},
	[PO_READ_MEMBER_OF] = {"tt",
		"SELECT FROM @.po_account_member WHERE account_id" EQ "$1 AND member_account_id" EQ "$2"},
	[PO_READ_ATTACHED] = {"",
		"SELECT CAST(invoices AS pg_catalog.oid), CAST(columns AS pg_catalog.text)"
		" FROM @.po_attachment"},
	/* of the payer of an account, where it has one */
	[PO_READ_INVOICE_OF] = {"att", "SELECT FROM @.po_invoice v WHERE " INVOICE_OF},
	[PO_DELETE_INVOICE] = {"att", "DELETE FROM @.po_invoice v WHERE " INVOICE_OF},
	[PO_NAME_SELLER] = {"attt",
		"UPDATE @.po_invoice SET bill_from = $4"
		" WHERE account_id" EQ "$1 AND bill_from" EQ "$2 AND invoice_id" EQ "$3"},
	[PO_READ_BOOKED] = {"att",
		"SELECT " PO_INVOICE_COLUMNS ", COALESCE(associated_at, recorded_at), associated_by,"
		" voided_at, association_kind" EQ "'credit'"
		" FROM @.po_invoice"
		" WHERE account_id" EQ "$1 AND bill_from" EQ "$2 AND invoice_id" EQ "$3"},

	/*
	 * The entry of an invoice's association at a time.  Entries of a line item
	 * ascend in id and time together, so the first of that time is found by
	 * halving, however many there are; the invoice's is one of those from there.
	 */
	[PO_READ_ASSOCIATION] = {"aittz",
		"WITH RECURSIVE half(low, high) AS ("
		"SELECT pg_catalog.min(entry_id), pg_catalog.max(entry_id) FROM " LEDGER_ALL " l"
		" WHERE account_id" EQ "$1 AND line_item_id" EQ "$2"
		" UNION ALL"
		" SELECT CASE WHEN m.early THEN m.entry_id" PLUS "1 ELSE h.low END,"
		" CASE WHEN m.early THEN h.high ELSE (h.low" PLUS "h.high) OPERATOR(pg_catalog./) 2 END"
		" FROM half h, LATERAL (SELECT entry_id, recorded_at OPERATOR(pg_catalog.<) $5 AS early"
		" FROM " LEDGER_ALL " l WHERE account_id" EQ "$1 AND line_item_id" EQ "$2"
		" AND entry_id OPERATOR(pg_catalog.>=) ((h.low" PLUS "h.high) OPERATOR(pg_catalog./) 2)"
		" ORDER BY entry_id LIMIT 1) m"
		" WHERE h.low OPERATOR(pg_catalog.<) h.high)"
		" SELECT l.entry_id, OPERATOR(pg_catalog.-) l.amount, l.note FROM " LEDGER_ALL " l"
		" WHERE l.account_id" EQ "$1 AND l.line_item_id" EQ "$2"
		" AND l.entry_id OPERATOR(pg_catalog.>=) (SELECT pg_catalog.max(low) FROM half)"
		" AND l.bill_from" EQ "$3 AND l.invoice_id" EQ "$4 AND l.entry_kind" EQ "'association'"
		" ORDER BY l.entry_id LIMIT 1"},

	/* the same of an invoice that was released since it was recorded: seldom asked for, and read one by one */
	[PO_READ_RELEASED] = {"attz",
		"SELECT l.entry_id, OPERATOR(pg_catalog.-) l.amount, NULL::pg_catalog.text FROM " LEDGER_ALL " l"
		" WHERE l.account_id" EQ "$1 AND l.bill_from" EQ "$2 AND l.invoice_id" EQ "$3"
		" AND l.entry_kind" EQ "'association' AND l.recorded_at OPERATOR(pg_catalog.<=) $4"
		" ORDER BY l.entry_id LIMIT 1"},

	/*
	 * What was at a time: the rows of today, changed back by what the log has
	 * since then.  Of many changes of a column the earliest tells what was.
	 */
	[PO_READ_PAST_ACCOUNT] = {"az",
		"SELECT p.account_id, p.currency, p.period_basis, p.time_zone, 0, 0, 0,"
		" NULL::@.po_month, '-infinity'::pg_catalog.timestamptz"
		" FROM @.po_account a, LATERAL pg_catalog.jsonb_populate_record(a,"
		" (SELECT @.po_merge(l.old ORDER BY l.change_id DESC) FROM " CHANGES_ALL " l"
		" WHERE l.account_id" EQ "$1 AND l.changed_at OPERATOR(pg_catalog.>) $2"
		" AND l.po_number IS NULL)) p WHERE a.account_id" EQ "$1"},
	[PO_READ_PAST_ORDERS] = {"az",
		"WITH later AS (" CHANGES_SINCE("l.po_number", "l.line_item_id IS NULL")
		" AND l.po_number IS NOT NULL GROUP BY l.po_number)"
		" SELECT " PO_ORDER_COLUMNS " FROM @.po_order o WHERE account_id" EQ "$1"
		" AND NOT EXISTS (SELECT FROM later WHERE later.po_number" EQ "o.po_number)"
		" UNION ALL"
		" SELECT p.po_number, p.bill_from, p.status, p.effective_month, p.expiration_month,"
		" p.currency, p.tax_registration_numbers, later.updated_at"
		" FROM later LEFT JOIN @.po_order o ON o.account_id" EQ "$1 AND o.po_number" EQ "later.po_number,"
		" LATERAL pg_catalog.jsonb_populate_record(o, later.old) p"
		" WHERE " WAS_THERE "later.first)"},
	[PO_READ_PAST_LINE_ITEMS] = {"az",
		"WITH later AS (" CHANGES_SINCE("l.line_item_id", "true")
		" AND l.line_item_id IS NOT NULL GROUP BY l.line_item_id)"
		" SELECT p.line_item_id, p.po_number, p.line_number, p.line_type, p.start_month, p.end_month,"
		" p.balance_tracked, p.balance, p.agreement_id"
		" FROM (SELECT i.* FROM @.po_line_item i WHERE i.account_id" EQ "$1"
		" AND NOT EXISTS (SELECT FROM later WHERE later.line_item_id" EQ "i.line_item_id)"
		" UNION ALL"
		" SELECT q.* FROM later LEFT JOIN @.po_line_item i ON i.account_id" EQ "$1"
		" AND i.line_item_id" EQ "later.line_item_id,"
		" LATERAL pg_catalog.jsonb_populate_record(i, later.old) q"
		" WHERE " WAS_THERE "later.first)) p"
		" ORDER BY p.po_number, p.line_item_id"},
	/* before an entry, or else at a time; one of history may have begun without entries */
	[PO_READ_PAST_BALANCE] = {"aizi",
		"SELECT COALESCE((SELECT balance_after FROM " LEDGER_ALL " l"
		" WHERE account_id" EQ "$1 AND line_item_id" EQ "$2"
		" AND entry_id OPERATOR(pg_catalog.<) CASE WHEN $4" EQ "0 THEN 9223372036854775807 ELSE $4 END"
		" AND ($4" NE "0 OR recorded_at OPERATOR(pg_catalog.<=) $3) ORDER BY entry_id DESC LIMIT 1),"
		" (SELECT balance_after OPERATOR(pg_catalog.-) amount FROM " LEDGER_ALL " l"
		" WHERE account_id" EQ "$1 AND line_item_id" EQ "$2 ORDER BY entry_id LIMIT 1))"},
	[PO_ADD_ACCOUNT] = {"a",
		"INSERT INTO @.po_account (account_id) VALUES ($1) ON CONFLICT DO NOTHING"},
	/* the clock is read after the wait for the lock, with the row then found */
	[PO_LOCK_ACCOUNT] = {"a",
		"UPDATE @.po_account SET booked_at = GREATEST(@.po_now(),"
		" booked_at" PLUS "'1 microsecond'::pg_catalog.interval)"
		" WHERE account_id" EQ "$1 RETURNING " PO_ACCOUNT_COLUMNS},
	[PO_READ_ACCOUNT_XMIN] = {"a",
		"SELECT xmin FROM @.po_account WHERE account_id" EQ "$1"},
	[PO_TOUCH_ORDER] = {"atz",
		"UPDATE @.po_order SET updated_at = $3"
		" WHERE account_id" EQ "$1 AND po_number" EQ "$2"},
	[PO_ASSOCIATE] = {"atttttiztz",
		"UPDATE @.po_invoice SET po_number = $4, line_number = $5, association_kind = $6,"
		" line_item_id = $7, associated_at = $8, associated_by = $9, voided_at = $10"
		" WHERE account_id" EQ "$1 AND bill_from" EQ "$2 AND invoice_id" EQ "$3"},
	[PO_WRITE_INVOICES] = {"V",
		"INSERT INTO @.po_invoice (" INVOICE_ROW ") SELECT " INVOICE_ROW
		" FROM pg_catalog.unnest($1)"},
	[PO_REPAIR] = {"ain",
		"UPDATE @.po_line_item SET balance = $3"
		" WHERE account_id" EQ "$1 AND line_item_id" EQ "$2"},
	[PO_MOVE_BALANCES] = {"AIN",
		"UPDATE @.po_line_item i SET balance = i.balance" PLUS "m.amount"
		" FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2), pg_catalog.unnest($3))"
		" WITH ORDINALITY AS m(account_id, line_item_id, amount, place)"
		" WHERE i.account_id" EQ "m.account_id AND i.line_item_id" EQ "m.line_item_id"
		" RETURNING m.place, i.balance"},
	[PO_WRITE_LEDGER] = {"E",
		"INSERT INTO @.po_ledger (" LEDGER_COLUMNS ")"
		" SELECT " LEDGER_COLUMNS " FROM pg_catalog.unnest($1)"},
	[PO_WRITE_NOTIFICATIONS] = {"O", WRITE_NOTIFICATIONS},
	[PO_WRITE_REMINDERS] = {"O", WRITE_NOTIFICATIONS
		" ON CONFLICT (account_id, po_number, due_on) WHERE kind" EQ "'expiration' DO NOTHING"},
	[PO_WRITE_CHANGE] = {"iatitrrztz",
		"INSERT INTO @.po_change_log (change_id, account_id, po_number, line_item_id, line_number,"
		" operation, old, new, changed_at, changed_by, order_updated_at)"
		" SELECT $1, $2, $3, $4, $5, CASE WHEN r.old IS NULL THEN 'insert'"
		" WHEN r.new IS NULL THEN 'delete' ELSE 'update' END,"
		" " CHANGED_IN("old", "new") ", " CHANGED_IN("new", "old") ", $8, $9,"
		/* a line item's change moves its order's after it is logged */
		" CASE WHEN $4 IS NULL THEN $10 ELSE (SELECT o.updated_at FROM @.po_order o"
		" WHERE o.account_id" EQ "$2 AND o.po_number" EQ "$3) END"
		" FROM (SELECT pg_catalog.to_jsonb($6) OPERATOR(pg_catalog.-) " NOT_LOGGED " AS old,"
		" pg_catalog.to_jsonb($7) OPERATOR(pg_catalog.-) " NOT_LOGGED " AS new) r"},
	/*
	 * What is moved of a line item's entries leaves one, which has the last
	 * one's place: not where nothing can follow, of a line item that was
	 * deleted and has no invoices.  Where nothing is new, what was carried
	 * stays.
	 */
	[PO_ARCHIVE_LEDGER] = {"amt",
		"WITH archive AS MATERIALIZED (" ARCHIVE_END "),"
		" old AS (DELETE FROM @.po_ledger l USING archive x WHERE l.account_id" EQ "$1"
		" AND l.recorded_at OPERATOR(pg_catalog.<) x.at AND l.line_item_id" EQ "ANY"
		" (SELECT o.line_item_id FROM @.po_ledger o, archive y WHERE o.account_id" EQ "$1"
		" AND o.recorded_at OPERATOR(pg_catalog.<) y.at AND o.entry_kind" NE "'carried')"
		" RETURNING l.*),"
		" moved AS (INSERT INTO @.po_ledger_archive (" LEDGER_COLUMNS ")"
		" SELECT " LEDGER_COLUMNS " FROM old WHERE entry_kind" NE "'carried' RETURNING 1),"
		" total AS (SELECT line_item_id, pg_catalog.max(entry_id) AS entry_id,"
		" pg_catalog.sum(amount) AS amount FROM old GROUP BY line_item_id),"
		" carried AS (INSERT INTO @.po_ledger (" LEDGER_COLUMNS ")"
		" SELECT o.entry_id, o.account_id, o.line_item_id, o.po_number, o.line_number, NULL, NULL,"
		" 'carried', t.amount, o.balance_after, o.recorded_at, $3, 'entries up to here are in po_ledger_archive'"
		" FROM total t JOIN old o ON o.line_item_id" EQ "t.line_item_id AND o.entry_id" EQ "t.entry_id"
		" WHERE EXISTS (SELECT FROM @.po_line_item i WHERE i.account_id" EQ "$1"
		" AND i.line_item_id" EQ "t.line_item_id)"
		" OR EXISTS (SELECT FROM @.po_invoice v WHERE v.account_id" EQ "$1"
		" AND v.po_number" EQ "o.po_number AND v.line_item_id" EQ "t.line_item_id)"
		" OR EXISTS (SELECT FROM @.po_ledger l, archive x WHERE l.account_id" EQ "$1"
		" AND l.line_item_id" EQ "t.line_item_id AND l.recorded_at OPERATOR(pg_catalog.>=) x.at))"
		" SELECT pg_catalog.count(*) FROM moved"},
	[PO_ARCHIVE_CHANGES] = {"am",
		"WITH archive AS MATERIALIZED (" ARCHIVE_END "),"
		" old AS (DELETE FROM @.po_change_log l USING archive x WHERE l.account_id" EQ "$1"
		" AND l.changed_at OPERATOR(pg_catalog.<) x.at RETURNING l.*),"
		" moved AS (INSERT INTO @.po_change_log_archive (" CHANGE_COLUMNS ")"
		" SELECT " CHANGE_COLUMNS " FROM old RETURNING 1)"
		" SELECT pg_catalog.count(*) FROM moved"},
};
