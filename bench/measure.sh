# shellcheck shell=bash
# bench/measure.sh: runs the sides of a measure alternating, and prints its table. To be
# sourced by bench/run.sh.
#
#   measure NAME UNIT TITLE        begins a measure
#   side NAME DIVISOR SQL [BEFORE] a side; the time of its SQL is divided by DIVISOR; before
#                                  it, untimed, BEFORE (for pgbench: options of its sessions)
#   after SQL                      untimed, after every timed statement
#   run_sql DATABASE               ROUNDS rounds of all sides in one session
#   run_pgbench DATABASE CLIENTS   the same, SQL being a script for pgbench, DIVISOR the number
#                                  of statements in it that count
#   table PAIR...                  prints it; PAIR is A/B

ROUNDS=${ROUNDS:-7}
SECONDS_EACH=${SECONDS_EACH:-5} # of a run of pgbench

MEASURE='' UNIT='' TITLE='' AFTER='' RESULTS=''
SIDES=()
declare -A SIDE_SQL=() SIDE_DIVISOR=() SIDE_BEFORE=()

measure() {
	MEASURE=$1 UNIT=$2 TITLE=$3 AFTER=''
	SIDES=() SIDE_SQL=() SIDE_DIVISOR=() SIDE_BEFORE=()
	RESULTS=$STAGE/log/$MEASURE.tsv # time or CPU, side, round, value
	: >"$RESULTS"
}

side() {
	SIDES+=("$1")
	SIDE_DIVISOR[$1]=$2
	SIDE_SQL[$1]=$3
	SIDE_BEFORE[$1]=${4:-}
}

after() { AFTER=$1; }

# order ROUND: the sides, another one first in each round
order() {
	local i n=${#SIDES[@]}
	for ((i = 0; i < n; i++)); do
		printf '%s\n' "${SIDES[(i + $1) % n]}"
	done
}

# What a backend has used of a CPU, in ns: unlike the time that passes, it hardly depends on
# what else the machine does. (Linux only; elsewhere that column of the table is left out.)
readonly CPU_OF_BACKEND="SELECT split_part(pg_read_file('/proc/self/schedstat'), ' ', 1)"
has_cpu_time() { sql postgres -c "$CPU_OF_BACKEND" >/dev/null 2>&1; }

# script: what psql is to do, a round of warming up included
script() {
	local round side cpu0='' cpu1=''
	if has_cpu_time; then
		cpu0="$CPU_OF_BACKEND AS cpu0 \\gset"
		cpu1="$CPU_OF_BACKEND AS cpu1 \\gset"$'\n''\echo CPU: :cpu0 :cpu1'
	fi
	printf '%s\n' 'SET search_path = peer, po;'
	for ((round = 0; round <= ROUNDS; round++)); do
		for side in $(order $round); do
			printf '%s\n' "${SIDE_BEFORE[$side]}" "\\echo @ $side $round ${SIDE_DIVISOR[$side]}" "$cpu0" '\timing on' \
				"${SIDE_SQL[$side]} \\g /dev/null" '\timing off' "$cpu1" "$AFTER"
		done
	done
}

run_sql() {
	local out=$STAGE/log/$MEASURE.out factor=1
	script >"$STAGE/tmp/$MEASURE.sql"
	[ "$UNIT" != us ] || factor=1000
	as_user "$PGBIN/psql" -X -q -v ON_ERROR_STOP=1 -d "$1" -f "$STAGE/tmp/$MEASURE.sql" >"$out" 2>&1 || {
		grep -v '^Time\|^@\|^CPU' "$out" | tail -n 20 >&2
		die "measure $MEASURE failed"
	}
	awk -v factor=$factor '
		$1 == "@" { side = $2; round = $3; divisor = $4 }
		$1 == "Time:" && round > 0 { printf "time\t%s\t%d\t%.3f\n", side, round, $2 * factor / divisor }
		$1 == "CPU:" && round > 0 { printf "CPU\t%s\t%d\t%.3f\n", side, round, ($3 - $2) / 1e6 * factor / divisor }
	' "$out" >"$RESULTS"
}

run_pgbench() {
	local round side file
	for side in "${SIDES[@]}"; do
		printf '%s\n' "${SIDE_SQL[$side]}" >"$STAGE/tmp/$MEASURE.$side"
	done
	printf '%s\n' "$AFTER" >"$STAGE/tmp/$MEASURE.after"
	for ((round = 1; round <= ROUNDS; round++)); do
		for side in $(order "$round"); do
			file=$STAGE/log/$MEASURE.out
			as_user env "PGOPTIONS=-c search_path=peer,po ${SIDE_BEFORE[$side]}" \
				"$PGBIN/pgbench" -n -M prepared -c "$2" -j "$(getconf _NPROCESSORS_ONLN)" -T "$SECONDS_EACH" \
				-f "$STAGE/tmp/$MEASURE.$side" "$1" >"$file" 2>&1 || {
				tail -n 20 "$file" >&2
				die "measure $MEASURE failed"
			}
			! grep -q 'number of failed transactions: [1-9]\|ERROR' "$file" || {
				cat "$file" >&2
				die "measure $MEASURE: transactions failed"
			}
			awk -v side="$side" -v round="$round" -v n="${SIDE_DIVISOR[$side]}" \
				'/^tps = / { printf "time\t%s\t%d\t%.1f\n", side, round, $3 * n }' "$file" >>"$RESULTS"
			[ -z "$AFTER" ] || psql_user -d "$1" -f "$STAGE/tmp/$MEASURE.after"
		done
	done
}

table() {
	say
	awk -f "$ROOT/bench/table.awk" -v "title=$TITLE" -v "unit=$UNIT" -v "sides=${SIDES[*]}" \
		-v "pairs=$*" "$RESULTS"
}
