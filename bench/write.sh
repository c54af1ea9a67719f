# shellcheck shell=bash
# bench/write.sh: the write side. To be sourced by bench/run.sh.
#
# Every timed statement runs in a transaction that is rolled back, and finds the tables as
# they were loaded. bare and equal are the same tables with their triggers switched off
# (session_replication_role), so they have the same indexes and constraints.

readonly TAKEN='SELECT account_id, bill_from, invoice_id, po_line_type, po_month, amount, po_currency, issued_on'

# insert SIDE KIND N: the first N invoices of a kind in one statement
insert() {
	local source="FROM peer.write_src WHERE kind = '$2' AND id <= $3 ORDER BY id"
	case $1 in
		ours) printf 'INSERT INTO po.po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount, currency, issued_on) %s %s' "$TAKEN" "$source" ;;
		attached) printf 'INSERT INTO peer.bill (account_id, seller, number, charge, month, amount, currency, issued_on) %s %s' "${TAKEN/po_line_type/line_type}" "$source" ;;
		bare) printf "INSERT INTO po.po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount, currency, issued_on, kind, recorded_at) %s, 'invoice', now() %s" "$TAKEN" "$source" ;;
		PT | peer-bare) printf 'INSERT INTO peer.po_invoice (account_id, invoice_id, bill_from, line_type, billing_month, amount, currency, issued_on) SELECT account_id, invoice_id, bill_from, line_type, billing_month, amount, currency, issued_on %s' "$source" ;;
		equal) # locks, invoices, ledger, balances
			printf '%s' "UPDATE po.po_account a SET booked_at = greatest(clock_timestamp(), a.booked_at + interval '1 microsecond')
				FROM peer.$2_account x WHERE a.account_id = x.account_id \\;
				INSERT INTO po.po_invoice SELECT * FROM peer.$2_invoice \\;
				INSERT INTO po.po_ledger (entry_id, account_id, line_item_id, po_number, line_number, bill_from, invoice_id,
				 entry_kind, amount, balance_after, recorded_at, recorded_by, note)
				SELECT nextval('po.po_ledger_entry_id_seq'), account_id, line_item_id, po_number, line_number, bill_from, invoice_id,
				 entry_kind, amount, balance_after, recorded_at, recorded_by, note FROM peer.$2_ledger \\;
				UPDATE po.po_line_item i SET balance = x.balance
				FROM peer.$2_balance x WHERE i.account_id = x.account_id AND i.line_item_id = x.line_item_id"
			;;
	esac
}

# begin SIDE: what comes before its statement
begin() {
	case $1 in
		ours | attached | PT) printf 'BEGIN;' ;;
		*) printf 'BEGIN; SET LOCAL session_replication_role = replica;' ;;
	esac
}

# What a transaction that was rolled back has left goes, too.
clean_up_sql() {
	printf '%s\n' 'ROLLBACK;' 'SET session_replication_role = replica;' \
		'TRUNCATE po.po_invoice, peer.po_invoice, peer.po_ledger;' \
		"DO \$\$ BEGIN IF to_regclass('peer.bill') IS NOT NULL THEN TRUNCATE peer.bill; END IF; END \$\$;" \
		'RESET session_replication_role;' \
		'VACUUM po.po_account, po.po_line_item, po.po_ledger, peer.po_account, peer.po_line_item;' 'CHECKPOINT;'
}

# sides KIND N SIDE...
sides() {
	local kind=$1 n=$2 name
	shift 2
	for name in "$@"; do
		side "$name" 1 "$(insert "$name" "$kind" "$n")" "$(begin "$name")"
	done
	after "$(clean_up_sql)"
}

measure_write() {
	local n100=200000 n2=200000
	[ $((n100 / 100)) -le "$ACCOUNTS" ] || n100=$((ACCOUNTS * 100))
	[ $((n2 / 2)) -le "$ACCOUNTS" ] || n2=$((ACCOUNTS * 2))
	sql_file bench write_src -v "naccounts=$ACCOUNTS" -v "n100=$n100" -v "n2=$n2"
	prepare_answer w100 $n100
	prepare_answer w2 $n2

	measure write-100 ms "$(thousands $n100) invoices in one statement, 100 an account"
	sides w100 $n100 ours attached equal bare PT peer-bare
	run_sql bench
	table attached/ours ours/equal ours/bare PT/ours PT/peer-bare

	measure write-2 ms "$(thousands $n2) invoices in one statement, 2 an account"
	sides w2 $n2 ours equal bare PT peer-bare
	run_sql bench
	table ours/equal ours/bare PT/ours PT/peer-bare

	measure write-hot ms '10,000 and 20,000 invoices on one line item, one statement'
	side ours-10000 1 "$(insert ours hot 10000)" "$(begin ours)"
	side ours-20000 1 "$(insert ours hot 20000)" "$(begin ours)"
	side bare-20000 1 "$(insert bare hot 20000)" "$(begin bare)"
	[ "${FULL:-}" != 1 ] || side PT-10000 1 "$(insert PT hot 10000)" "$(begin PT)"
	after "$(clean_up_sql)"
	run_sql bench
	table ours-20000/ours-10000 ours-20000/bare-20000 PT-10000/ours-10000

	measure_single_inserts
	[ "${FULL:-}" != 1 ] || measure_copy
}

# Our own run gives the answer that equal writes; PT has to give the same one.
prepare_answer() {
	local kind=$1 n=$2 found hot
	sql_file bench write_reset
	hot=$(sql bench -c 'SET search_path = peer, po' -c BEGIN -c "$(insert ours "$kind" "$n")" -c "
		SELECT string_agg(format('%s of %s of %s', pg_stat_get_xact_tuples_hot_updated(relid), pg_stat_get_xact_tuples_updated(relid), relname), ', ')
		FROM pg_stat_user_tables WHERE schemaname = 'po' AND relname IN ('po_account', 'po_line_item')" -c COMMIT)
	found=$(sql bench -c 'SELECT count(*) FROM po.po_check_integrity()')
	[ "$found" = 0 ] || die "po_check_integrity() finds $found violations after $kind"
	sql_file bench write_answer -v "kind_account=${kind}_account" -v "kind_invoice=${kind}_invoice" \
		-v "kind_ledger=${kind}_ledger" -v "kind_balance=${kind}_balance"
	sql_file bench write_reset
	psql_user -d bench -c 'SET search_path = peer, po' -c "$(insert PT "$kind" "$n")"
	found=$(sql bench -c "SELECT count(*) FROM peer.po_invoice p FULL JOIN peer.${kind}_invoice o USING (account_id, invoice_id)
		WHERE (p.po_number, p.line_number::text) IS DISTINCT FROM (o.po_number, o.line_number)")
	[ "$found" = 0 ] || die "ours and PT differ in $found of the $n invoices of $kind"
	found=$(sql bench -c "SELECT count(*) FROM peer.po_line_item p JOIN po.po_line_item o ON o.account_id = p.account_id
		AND o.po_number = p.po_number AND o.line_number = p.line_number::text JOIN peer.${kind}_balance b ON b.account_id = o.account_id
		AND b.line_item_id = o.line_item_id WHERE p.balance IS DISTINCT FROM b.balance")
	[ "$found" = 0 ] || die "ours and PT leave other balances on $found line items after $kind"
	sql_file bench write_reset
	say "- checked: ours and PT book the $n invoices of $kind alike, po_check_integrity() finds nothing; heap-only updates: $hot"
}

thousands() { sed -E ':a; s/^([0-9]+)([0-9]{3})/\1,\2/; ta' <<<"$1"; }

# With fsync on, as in production.
measure_single_inserts() {
	local columns='account_id, bill_from, invoice_id, line_type, billing_month, amount, currency, issued_on'
	local id="'X'||nextval('peer.invoice_seq')"
	durable on
	measure single-insert inserts/s 'One INSERT a transaction, pgbench -M prepared, 8 clients, fsync on'
	side ours 20 "$(single "INSERT INTO po.po_invoice ($columns) VALUES (:aN, :bN, $id, :tN, :pN, :vN, 'USD', '2025-06-15')")"
	side bare 20 "$(single "INSERT INTO po.po_invoice ($columns, kind, recorded_at) VALUES (:aN, :bN, $id, :tN, :pN, :vN, 'USD', '2025-06-15', 'invoice', now())")" \
		'-c session_replication_role=replica'
	side PT 20 "$(single "INSERT INTO peer.po_invoice ($columns) VALUES (:aN, :bN, $id, :tN, :mN, :vN, 'USD', '2025-06-15')")"
	side peer-bare 20 "$(single "INSERT INTO peer.po_invoice ($columns) VALUES (:aN, :bN, $id, :tN, :mN, :vN, 'USD', '2025-06-15')")" \
		'-c session_replication_role=replica'
	after "$(cat "$ROOT/bench/sql/write_reset.sql")"
	run_pgbench bench 8
	table ours/bare ours/PT PT/peer-bare
	durable off
}

durable() {
	sql bench -c "ALTER SYSTEM SET fsync = $1" -c "ALTER SYSTEM SET full_page_writes = $1" \
		-c 'SELECT pg_reload_conf()' -c CHECKPOINT >/dev/null
}

# COPY of 1,000,000 invoices: is it linear, and is the memory flat?
measure_copy() {
	local n name
	for n in 250000 500000 1000000; do
		sql bench -c "SET search_path = peer, po" -c "COPY (SELECT account_id, bill_from, invoice_id, line_type, month(billing_month), amount, currency, issued_on
			FROM invoices($n, greatest(1, 1000000 / $ACCOUNTS), $ACCOUNTS) ORDER BY id) TO '$STAGE/tmp/copy.$n'" >/dev/null
	done
	measure copy ms "COPY into po_invoice, ordered by account, of $(thousands "$ACCOUNTS") accounts"
	for n in 250000 500000 1000000; do
		side "ours-$n" 1 "$(copy "$n")" "$(begin ours)"
	done
	side bare-1000000 1 "$(copy 1000000)" "$(begin bare)
		ALTER TABLE po.po_invoice ALTER kind SET DEFAULT 'invoice', ALTER recorded_at SET DEFAULT now();"
	after "$(clean_up_sql)"
	run_sql bench
	table ours-500000/ours-250000 ours-1000000/ours-500000 ours-1000000/bare-1000000
	for n in 250000 1000000; do
		say "- the most of the backend's own memory (RssAnon) while $(thousands "$n") are copied: $(peak_memory "$(copy "$n")")"
	done
}

copy() {
	printf '%s' "COPY po.po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount, currency, issued_on) FROM '$STAGE/tmp/copy.$1'"
}

# peak_memory SQL: the most of RssAnon that was seen while a backend ran it
peak_memory() {
	local pid='' most=0 now job
	sql bench -c "BEGIN; $1; ROLLBACK" >/dev/null &
	job=$!
	while kill -0 $job 2>/dev/null; do
		[ -n "$pid" ] || pid=$(sql bench -c "SELECT pid FROM pg_stat_activity WHERE query LIKE 'BEGIN; COPY%'")
		now=$(sed -n 's/^RssAnon:[[:space:]]*\([0-9]*\).*/\1/p' "/proc/${pid:-x}/status" 2>/dev/null || true)
		[ "${now:-0}" -le "$most" ] || most=$now
		sleep 0.1
	done
	wait $job
	if [ "$most" -gt 0 ]; then
		printf '%s MB' $((most / 1024))
	else
		printf 'unknown'
	fi
	sql_file bench write_reset
}
