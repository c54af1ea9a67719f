# shellcheck shell=bash
# bench/notify.sh: what notifications cost a bulk load. To be sourced by bench/run.sh.
#
# The same invoices for accounts that differ in nothing but contacts and thresholds; see
# bench/sql/notify_src.sql.

measure_notify() {
	local n=2000 # accounts of each kind
	[ "$n" -le "$ACCOUNTS" ] || n=$ACCOUNTS
	sql_file bench notify_src -v "notified=$n"
	check_notify $((n * 100))

	measure notify ms "$(thousands $((n * 100))) invoices in one statement, 100 an account, on one line item each"
	notify_sides nobody hundredth each
	run_sql bench
	table hundredth/nobody each/nobody

	measure notify-items ms "$(thousands $((n * 100))) invoices in one statement, 100 an account, on 100 line items each"
	notify_sides nobody-items each-items
	run_sql bench
	table each-items/nobody-items
}

# notify_sides KIND...
notify_sides() {
	local kind
	for kind; do
		side "$kind" 1 "$(notify_insert "$kind")" 'BEGIN;'
	done
	after "$(clean_up_sql) SET session_replication_role = replica; TRUNCATE po.po_notification; RESET session_replication_role;"
}

notify_insert() {
	printf '%s' "INSERT INTO po.po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount, issued_on, requested_po_number, requested_line_number)
		SELECT account_id, 'AWS Inc.', invoice_id, 'usage', '2025-02', CASE WHEN by_item THEN 300 ELSE 10 END, '2025-03-01',
		CASE WHEN by_item THEN 'P' END, CASE WHEN by_item THEN line END FROM peer.notify_src WHERE kind = '$1' ORDER BY id"
}

# Each kind writes as many notifications as its name says.
check_notify() {
	local kind found expected
	for kind in nobody hundredth each nobody-items each-items; do
		found=$(sql bench -c BEGIN -c "$(notify_insert "$kind")" -c 'SELECT count(*) FROM po.po_notification' -c ROLLBACK)
		case $kind in
			nobody*) expected=0 ;;
			hundredth) expected=$(($1 / 100)) ;;
			*) expected=$1 ;;
		esac
		[ "$found" = "$expected" ] || die "$kind: $found notifications instead of $expected"
	done
	sql bench -c 'VACUUM po.po_account, po.po_line_item, po.po_ledger, po.po_invoice, po.po_notification' -c CHECKPOINT
	say "- checked: of $1 invoices none, 1 in 100 and all cross a threshold"
}
