# shellcheck shell=bash
# bench/match.sh: the match side. To be sourced by bench/run.sh.

readonly SHAPES='max-all max-few max-allh max-fewh cand-10 cand-100 cand-1000 cand-10000'

prepare_match() {
	sql_file "$1" match_src -v "naccounts=$ACCOUNTS"
}

check_match() {
	local differences
	differences=$(sql "$1" -f bench/sql/check_match.sql)
	if [ -n "$differences" ]; then
		head -n 5 <<<"$differences" >&2
		die 'the sides do not agree on the line item of these invoices'
	fi
	say "- checked: ours, S, S7 and P give the same line item for $(sql "$1" -c "SELECT count(*) FILTER (WHERE kind IN ('typical', 'repeated') AND id <= 30000 OR id <= 40) FROM peer.match_src") invoices"
}

# call SIDE KIND N: matches the first N invoices of a kind
call() {
	local source="FROM (SELECT * FROM match_src WHERE kind = '$2' AND id <= $3 OFFSET 0) i"
	local arguments='i.account_id, i.bill_from, i.line_type, i.billing_month, i.amount, i.currency'
	case $1 in
		ours | warm | tables) printf 'SELECT count(m.po_number) %s, LATERAL po.po_match_invoice(i.account_id, i.bill_from, i.po_line_type, i.po_month, i.amount, i.po_currency, max_rank => 1) m' "$source" ;;
		S) printf 'SELECT count(m.po_number) %s, LATERAL s(%s) m' "$source" "$arguments" ;;
		S7) printf 'SELECT count(m.po_number) %s, LATERAL s7(%s) m' "$source" "$arguments" ;;
		P) printf 'SELECT count(m.o_po) %s, LATERAL p(%s) m' "$source" "$arguments" ;;
		P7) printf 'SELECT count(m.o_po) %s, LATERAL p7(%s) m' "$source" "$arguments" ;;
		SB)
			printf '%s' "SELECT count(*), count(po_number) FROM (
				SELECT DISTINCT ON (i.id) i.id, l.po_number, l.line_number
				FROM match_src i
				JOIN po_order o ON o.account_id = i.account_id AND o.status = 'active' AND i.billing_month BETWEEN o.effective_month AND o.expiration_month
				 AND o.bill_from = i.bill_from AND o.currency = i.currency
				JOIN po_line_item l ON l.account_id = o.account_id AND l.po_number = o.po_number AND i.billing_month BETWEEN l.start_month AND l.end_month
				 AND (l.line_type = i.line_type OR l.line_type = 'all' OR (l.line_type = 'marketplace' AND i.line_type = 'marketplace.transaction'))
				WHERE i.kind = '$2' AND i.id <= $3
				ORDER BY i.id, depth(l.line_type) DESC, (NOT l.tracked OR l.balance >= i.amount) DESC, o.updated_at DESC,
				 l.end_month - l.start_month, l.po_number, l.line_number) x"
			;;
	esac
}

# before NAME: what the session has in memory of accounts. ours: nothing, like one that has just
# begun; warm: what the round before has left there; tables: memory is switched off
before() {
	local forget='SET po_mgmt.match_cache = 0; SELECT count(*) FROM po_mgmt_forget \g /dev/null'
	case $1 in
		ours) printf '%s\nRESET po_mgmt.match_cache;' "$forget" ;;
		warm) printf "SET po_mgmt.match_cache = '256MB';" ;;
		tables) printf 'SET po_mgmt.match_cache = 0;' ;;
	esac
}

# lateral DATABASE KIND SIDE...: the sides on the first 30,000 invoices of a kind
lateral() {
	local db=$1 kind=$2 name
	shift 2
	for name in "$@"; do
		# what is warm needs a run of its own, since the other sides forget
		side "$name" 30000 "$(call "$name" "$kind" 30000)" "$(before "$name")
$([ "$name" != warm ] || printf '%s \\g /dev/null\n%s \\g /dev/null' "$(call warm "$kind" 30000)" "$(call warm "$kind" 30000)")"
	done
	run_sql "$db"
}

measure_match() {
	local name shape n
	sql bench -c 'CREATE OR REPLACE VIEW peer.po_mgmt_forget AS SELECT * FROM po.po_match_invoice($$$$, $$$$, $$all$$, $$2026-01$$, 1)'
	measure typical us 'One match, 30,000 random invoices of typical accounts, LATERAL'
	lateral bench typical ours warm tables S S7 P P7
	table S/ours S7/ours P/ours P7/ours S/warm P/warm S/tables

	measure repeated us 'One match, 30 invoices of each of 1,000 typical accounts, LATERAL'
	lateral bench repeated ours warm tables S S7 P P7
	table S/ours S7/ours P/ours P7/ours S/warm S/tables

	for shape in $SHAPES; do
		measure "$shape" us "One match, $(describe_shape "$shape"), LATERAL"
		for name in ours S7 P7 S P; do
			n=1000
			case $name$shape in
				[SP]max* | [SP]cand-10000) n=8 ;;
				[SP]cand-1000) n=40 ;;
			esac
			side "$name" "$n" "$(call "$name" "$shape" "$n")"
		done
		run_sql bench
		table S7/ours P7/ours S/ours P/ours
	done

	measure batch ms 'A batch of 100,000 invoices in one statement'
	side ours 1 "$(call ours typical 100000)" "$(before ours)"
	side SB 1 "$(call SB typical 100000)"
	run_sql bench
	table SB/ours

	measure single calls/s 'Prepared single calls, pgbench -M prepared, 4 clients'
	side pk 20 "$(single 'SELECT currency FROM po.po_account WHERE account_id = :aN')"
	side ours 20 "$(single 'SELECT po_number, line_number FROM po.po_match_invoice(:aN, :bN, :tN, :pN, :vN, '"'USD'"', max_rank => 1)')"
	side S 20 "$(single 'SELECT po_number, line_number FROM s(:aN, :bN, :tN, :mN, :vN, '"'USD'"')')"
	side S7 20 "$(single 'SELECT po_number, line_number FROM s7(:aN, :bN, :tN, :mN, :vN, '"'USD'"')')"
	side P 20 "$(single 'SELECT o_po, o_line FROM p(:aN, :bN, :tN, :mN, :vN, '"'USD'"')')"
	run_pgbench bench 4
	table ours/pk S/pk S7/pk P/pk ours/S
}

# single SQL: a script that reads 20 invoices and runs SQL for each, N being its number
single() {
	local n
	printf '%s\n' '\set id random(1, 5000)' 'SELECT * FROM single_src WHERE id = :id \gset'
	for ((n = 0; n < 20; n++)); do
		printf '%s;\n' "$1" | sed -E "s/:([abtmpv])N/:\1$n/g"
	done
}

# row security with the same policies on both sides, for a role that they restrict
measure_security() {
	local name shape n
	sql postgres -c 'CREATE DATABASE policies TEMPLATE bench' -c 'CREATE ROLE po_restricted IN ROLE pg_read_server_files'
	sql policies -c "$(
		printf 'GRANT EXECUTE ON FUNCTION pg_read_file(text) TO po_restricted; GRANT USAGE ON SCHEMA po, peer TO po_restricted; GRANT SELECT ON ALL TABLES IN SCHEMA po, peer TO po_restricted;'
		for name in {po,peer}.po_{account,order,line_item}; do
			printf "ALTER TABLE %s ENABLE ROW LEVEL SECURITY; CREATE POLICY mine ON %s USING (account_id >= current_setting('bench.first'));" \
				"$name" "$name"
		done
	)"
	for shape in typical repeated max-all max-few; do
		measure "security-$shape" us "One match under row security, $(describe_shape "$shape"), LATERAL"
		n=40
		[[ $shape == max* ]] || n=3000
		for name in ours S7 S; do
			[[ $name$shape != Smax* ]] || continue
			side "$name" "$n" "$(call "$name" "$shape" "$n")" "SET bench.first = 'a'; SET ROLE po_restricted;"
		done
		after 'RESET ROLE;'
		run_sql policies
		table S7/ours S/ours
	done
}

describe_shape() {
	case $1 in
		typical) printf 'random invoices of typical accounts' ;;
		repeated) printf '30 invoices of each typical account' ;;
		max-all) printf '100 orders x 100 line items that all fit' ;;
		max-few) printf '100 x 100, 1 in 2,000 line items fits' ;;
		max-allh) printf '100 x 100 that all fit, and 120 expired orders' ;;
		max-fewh) printf '100 x 100, 1 in 2,000 fits, and 120 expired orders' ;;
		cand-*) printf '%s candidates' "${1#cand-}" ;;
	esac
}

# from 1,000 to 100,000 accounts, a database for each
measure_scale() {
	local n name sides=()
	for n in 1000 10000 100000; do
		if [ "$n" -gt "$ACCOUNTS" ] && [ "${FULL:-}" != 1 ]; then
			say "(scale: not $n accounts without FULL=1 or ACCOUNTS=$n)"
			continue
		fi
		load "scale_$n" "$n"
		sql_file "scale_$n" match_src -v "naccounts=$n"
		sides+=("$n")
	done
	measure scale us 'One match, 30,000 random invoices of typical accounts, LATERAL, by number of accounts'
	for n in "${sides[@]}"; do
		for name in ours tables S; do
			side "$name-$n" 30000 "$(call $name typical 30000)" "\\c scale_$n
SET search_path = peer, po;
$([ $name != tables ] || printf 'SET po_mgmt.match_cache = 0;')
$(call $name typical 30000) \\g /dev/null"
		done
	done
	run_sql bench
	table "ours-${sides[-1]}/ours-${sides[0]}" "tables-${sides[-1]}/tables-${sides[0]}" "S-${sides[-1]}/S-${sides[0]}" "S-${sides[-1]}/ours-${sides[-1]}"
}

# Instructions of one match, of the whole backend: those of 2,200 calls less those of 200. With
# the accounts in memory: those of a statement that is run for the fourth to the sixth time.
measure_instructions() {
	local name shape few many count
	say
	printf '%s\n' '**Instructions of one match (callgrind), in thousands**' '' '| shape | in memory | tables | S | S7 | P | in memory / S | tables / S | tables / S7 |' '| --- | --- | --- | --- | --- | --- | --- | --- | --- |'
	as_user "$PGBIN/pg_ctl" -D "$STAGE/data" -m fast -w stop >/dev/null
	for shape in typical cand-10 cand-1000 max-all max-few max-allh max-fewh; do
		few=20 many=60
		[ "$shape" != typical ] || few=200 many=2200
		count=("$((($(instructions warm "$shape" $many 6) - $(instructions warm "$shape" $many 3)) / (3 * many)))")
		for name in tables S S7 P; do
			[[ $name$shape != [SP]max* ]] || few=4 many=8
			count+=("$((($(instructions "$name" "$shape" $many) - $(instructions "$name" "$shape" $few)) / (many - few)))")
		done
		awk -v shape=$shape -v c="${count[*]}" 'BEGIN {
			split(c, n, " ")
			printf "| %s | %.1f | %.1f | %.1f | %.1f | %.1f | %.2f | %.2f | %.2f |\n", shape, n[1] / 1e3, n[2] / 1e3, n[3] / 1e3, n[4] / 1e3, n[5] / 1e3, n[1] / n[3], n[2] / n[3], n[2] / n[4]
		}'
	done
}

# instructions SIDE KIND N [TIMES]: of a backend that starts and runs one statement, or several times
instructions() {
	local in=$STAGE/tmp/callgrind.sql log=$STAGE/log/callgrind.log i
	printf 'SET search_path = peer, po;\n\n%s\n\n' "$(before "$1")" >"$in"
	for ((i = 0; i < ${4:-1}; i++)); do
		printf '%s;\n\n' "$(call "$1" "$2" "$3")" >>"$in"
	done
	# (a single-user server reads standard input, which as_user does not pass on)
	# shellcheck disable=SC2016
	as_user sh -c 'valgrind --tool=callgrind --callgrind-out-file=/dev/null "$1" --single -j -D "$2" bench <"$3"' sh \
		"$PGBIN/postgres" "$STAGE/data" "$in" >"$log" 2>&1 || {
		tail -n 20 "$log" >&2
		die 'callgrind failed'
	}
	sed -n 's/.*Collected : //p' "$log"
}
