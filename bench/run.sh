#!/usr/bin/env bash
# bench/run.sh: po_mgmt against what somebody would write by hand (`make bench`)
#
#   make bench                          10,000 accounts, the match and the write side
#   make bench ACCOUNTS=100000          the full size
#   make bench WHAT=match               one part, or several: match, security (the same under row
#                                       security), scale, write, notify, instructions; all is every part
#   make bench FULL=1                   with the long measures too (COPY of 1,000,000 invoices)
#   make bench ROUNDS=11 SECONDS_EACH=10
#   make bench KEEP=1                   keeps the directory, with all that was printed, in log/
#
# Everything happens in a private cluster in a temporary directory (see test/run.sh for
# PG_CONFIG, RUN_AS, TMPDIR). All sides of a measure run in one session (pgbench: one after
# another), alternating A B C, B C A, C A B, so that what else the machine does hits all of
# them alike; the ratio of two sides is taken round by round. bench/README.md says what the
# sides are and how to read the tables.

set -euo pipefail
# shellcheck source=test/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../test/lib.sh"
# shellcheck source=bench/measure.sh
. "$ROOT/bench/measure.sh"
# shellcheck source=bench/match.sh
. "$ROOT/bench/match.sh"
# shellcheck source=bench/write.sh
. "$ROOT/bench/write.sh"
# shellcheck source=bench/notify.sh
. "$ROOT/bench/notify.sh"

readonly ALL_PARTS='match security scale write notify instructions'
ACCOUNTS=${ACCOUNTS:-10000}
INVOICES=200000 # invoices that the match side can draw from

finish() {
	local status=$?
	trap - EXIT
	trap '' INT TERM HUP
	cleanup
	exit "$status"
}

has_part() { [[ " $PARTS " == *" $1 "* ]]; }

main() {
	local part
	PARTS=${WHAT:-match write}
	PARTS=${PARTS//,/ }
	[ "$PARTS" != all ] || PARTS=$ALL_PARTS
	for part in $PARTS; do
		[[ " $ALL_PARTS " == *" $part "* ]] || die "there is no part $part; there are: $ALL_PARTS, all"
	done
	[ "$ACCOUNTS" -ge 100 ] || die "ACCOUNTS=$ACCOUNTS is too few; 100 is the least"
	trap finish EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	clean_environment
	# shellcheck disable=SC2034 # read by lib.sh: a large load takes its time
	STEP_TIMEOUT=${STEP_TIMEOUT:-14400}
	need build server
	! has_part instructions || have valgrind || die 'the part instructions needs valgrind'
	stage
	build
	start_cluster
	configure

	say "loading $ACCOUNTS accounts"
	load bench "$ACCOUNTS"
	describe
	prepare_match bench
	check_match bench
	! has_part match || measure_match
	! has_part security || measure_security
	! has_part scale || measure_scale
	! has_part write || measure_write
	! has_part notify || measure_notify
	! has_part instructions || measure_instructions
}

# ---------------------------------------------------------------------------
# The cluster
# ---------------------------------------------------------------------------

# A quarter of the memory, 4 GB at most: all that is measured fits in it.
shared_buffers() {
	local kb
	kb=$(awk '/^MemTotal:/ { print $2 }' /proc/meminfo 2>/dev/null || true)
	awk -v kb="${kb:-4000000}" 'BEGIN { mb = int(kb / 4096); print (mb > 4096 ? 4096 : mb < 256 ? 256 : mb) "MB" }'
}

# The same for all sides. start_cluster has fsync and full_page_writes off; the measure of
# single transactions switches them on.
configure() {
	cat >>"$STAGE/data/postgresql.conf" <<-EOF
		shared_buffers = ${SHARED_BUFFERS:-$(shared_buffers)}
		jit = off
		autovacuum = off
		max_parallel_workers_per_gather = 0
		random_page_cost = 1.1
		work_mem = 64MB
		maintenance_work_mem = 512MB
		max_wal_size = 32GB
		checkpoint_timeout = 1d
	EOF
	as_user "$PGBIN/pg_ctl" -D "$STAGE/data" -l "$STAGE/log/server.log" -w restart >"$STAGE/log/restart.log" 2>&1 || {
		tail -n 20 "$STAGE/log/server.log" >&2
		die 'the server did not start again'
	}
}

# sql DATABASE ARGUMENT...: psql that prints values only
sql() { psql_user -At -d "$@"; }

# sql_file DATABASE NAME ARGUMENT...: runs bench/sql/NAME.sql
sql_file() {
	local db=$1 name=$2
	shift 2
	psql_user -d "$db" -f "bench/sql/$name.sql" "$@" >>"$STAGE/log/load.log" 2>&1 || {
		tail -n 20 "$STAGE/log/load.log" >&2
		die "bench/sql/$name.sql failed"
	}
}

# load DATABASE ACCOUNTS
load() {
	local name
	sql postgres -c "CREATE DATABASE $1"
	sql "$1" -c 'CREATE SCHEMA po' -c 'CREATE EXTENSION po_mgmt SCHEMA po'
	for name in peer_schema peer_generate peer_match peer_trigger load; do
		sql_file "$1" $name -v "naccounts=$2" -v "ninv=$INVOICES"
	done
	sql "$1" -c 'VACUUM (FREEZE, ANALYZE)'
}

# What a reader of the figures has to know.
describe() {
	say
	say "- $(date -u +%Y-%m-%d), PostgreSQL $("$PG_CONFIG" --version | cut -d' ' -f2-), $(uname -sm)"
	say "- $(getconf _NPROCESSORS_ONLN) CPUs ($(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo 2>/dev/null | sed -n 1p)), $(awk '/^MemTotal:/ { printf "%.0f GB", $2 / 1e6 }' /proc/meminfo 2>/dev/null), load when it began $(cut -d' ' -f1 /proc/loadavg 2>/dev/null)"
	say "- $(sql bench -c "SELECT string_agg(name||' = '||current_setting(name), ', ') FROM unnest(ARRAY['shared_buffers', 'jit', 'autovacuum', 'max_parallel_workers_per_gather', 'random_page_cost', 'work_mem']) name")"
	say "- $(sql bench -c "SELECT count(*)||' accounts, '||(SELECT count(*) FROM po.po_order)||' orders, '||(SELECT count(*) FROM po.po_line_item)||' line items; the database has '||pg_size_pretty(pg_database_size('bench')) FROM po.po_account")"
	say "- $ROUNDS rounds"
}

main "$@"
