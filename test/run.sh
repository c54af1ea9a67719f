#!/usr/bin/env bash
# test/run.sh: all tests of po_mgmt, against a private cluster (`make check`)
#
#   make check                            everything
#   make check SUITE=regress              one suite, or several: SUITE='unit regress'
#   make check SUITE=regress TESTS=month  only these tests, by name without the suffix
#   make check PG_CONFIG=/path/pg_config  another PostgreSQL than the newest installed
#   make check KEEP=1                     keep the temporary directory, for a look
#   make check WERROR=1                   compiler warnings are errors
#
# As root the servers run as RUN_AS (postgres). TMPDIR is where the copy goes (/tmp).
# STEP_TIMEOUT is how many seconds one step may take (1800).
#
# The tree is copied to a temporary directory, built and tested there; nothing is written to
# the system's directories, and no cluster that exists is touched. On Debian and its kin what
# is missing is installed by apt-get. What the tests printed is then in results/SUITE/.
#
# Suites, and how to add a test (a file in the right place is all that it takes):
#   unit       test/unit/NAME.c: a program on its own for layers without a server, compiled with
#              the address and undefined behaviour sanitizers. A comment line
#              `link: src/a.c src/b.c` in it names what is compiled with it; functions that are not
#              used may need a server. Exit status 0 is a
#              pass; if it prints lines `ok ...` and `not ok ...`, these are counted.
#   regress    test/sql/NAME.sql, expected/NAME.out (pg_regress). In alphabetical order in one
#              database that has the extension. New output: results/regress/results/NAME.out.
#   isolation  test/specs/NAME.spec, expected/NAME.out (pg_isolation_regress): several sessions.
#              The database has the extension. No regress test may have the same name.
#   pgtap      test/pgtap/NAME.sql (pg_prove): assertions. Each file has a database of its own
#              with the extension and pgTAP.
#   tap        test/t/NAME.pl (prove, PostgreSQL::Test::Cluster): whole servers: dump and
#              restore, crashes, many sessions. Modules of ours go to test/t/NAME.pm. Servers
#              that it makes find the extension (by TEMP_CONFIG).
#
# The last line is `N passed, N failed` (with `, N skipped` if there were any). A suite without
# a test, or a test that tests nothing, is a failure.

set -euo pipefail
# shellcheck source=test/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

readonly ALL_SUITES='unit regress isolation pgtap tap'
PASSED=0
FAILED=0
SKIPPED=0
FINISHED=
WANTED=${TESTS:-}
RESULTS=$ROOT/results

# finish: on every way out, the last line
finish() {
	local status=$?
	trap - EXIT
	trap '' INT TERM HUP
	exec >&3 2>&4 # a signal may have come while a step's output went to a file
	save_results
	cleanup
	if [ -z "$FINISHED" ]; then # stopped before the end
		[ "$FAILED" -gt 0 ] || FAILED=1
	fi
	[ "$FAILED" -eq 0 ] || [ "$status" -ne 0 ] || status=1
	say "$PASSED passed, $FAILED failed$([ "$SKIPPED" -eq 0 ] || printf ', %s skipped' "$SKIPPED")" |
		tee "$RESULTS/summary" 2>/dev/null || true
	exit "$status"
}

# What the steps printed goes to the tree, where a developer looks. (Where the tree is
# read-only, not.)
save_results() {
	[ -n "$STAGE" ] && [ -d "$STAGE" ] && mkdir -p "$RESULTS" 2>/dev/null || return 0
	local suite
	for suite in $SUITES; do
		rm -rf "${RESULTS:?}/$suite" 2>/dev/null || true
	done
	cp -R "$STAGE/log/." "$RESULTS/" 2>/dev/null || true
}

passed() { # passed SUITE NAME [NOTE]
	say "  ok      $1/$2${3:+  $3}"
}
failed() { # failed SUITE NAME [NOTE]
	say "  FAILED  $1/$2${3:+  $3}"
}

# fail SUITE WHAT: a failure of a suite as such
fail() {
	failed "$@"
	FAILED=$((FAILED + 1))
}

# tests_of SUITE: the names of its tests, one a line, those of TESTS only if it is given
tests_of() {
	local pattern f name
	case $1 in
		unit) pattern='test/unit/*.c' ;;
		regress) pattern='test/sql/*.sql' ;;
		isolation) pattern='test/specs/*.spec' ;;
		pgtap) pattern='test/pgtap/*.sql' ;;
		tap) pattern='test/t/*.pl' ;;
	esac
	for f in "$STAGE/tree/"$pattern; do
		[ -f "$f" ] || continue
		name=${f##*/}
		name=${name%.*}
		if [ -z "$WANTED" ] || [[ " $WANTED " == *" $name "* ]]; then
			printf '%s\n' "$name"
		fi
	done
}

# count_tap SUITE NAME FILE STATUS: counts the assertions that a test printed
count_tap() {
	local ok not_ok skip
	# a TODO that fails is no failure; a skipped assertion is no pass
	ok=$(grep -cE '^ok .|^not ok\b.*# *TODO' "$3" || true)
	skip=$(grep -ciE '^ok\b.*# *skip' "$3" || true)
	not_ok=$(grep -E '^not ok\b' "$3" | grep -cviE '# *todo' || true)
	ok=$((ok - skip))
	if [ "$4" -ne 0 ] && [ "$not_ok" -eq 0 ]; then
		not_ok=1 # died, or another number of tests than planned
	fi
	if [ "$4" -eq 0 ] && [ "$not_ok" -eq 0 ] && [ $((ok + skip)) -eq 0 ]; then
		not_ok=1
		printf 'this test tests nothing\n' >>"$3"
	fi
	PASSED=$((PASSED + ok))
	FAILED=$((FAILED + not_ok))
	SKIPPED=$((SKIPPED + skip))
	if [ "$not_ok" -gt 0 ]; then
		failed "$1" "$2" "($not_ok of $((ok + not_ok)))"
		show "$3" 60
	else
		passed "$1" "$2" "($ok$([ "$skip" -eq 0 ] || printf ', %s skipped' "$skip"))"
	fi
}

# show FILE LINES: what went wrong, without the assertions that went well
show() {
	{ grep -vE '^ok\b' "$1" || true; } | tail -n "$2" | sed 's/^/    | /'
}

# ---------------------------------------------------------------------------

suite_unit() {
	local dir=$STAGE/log/unit name status sources asan=print_legend=0
	as_user mkdir -p build/unit
	# The search for leaks needs /proc, and without it ASAN_OPTIONS is not read either.
	[ -d /proc/self ] || asan+=:detect_leaks=0
	printf 'const char *__asan_default_options(void);\nconst char *__asan_default_options(void) { return "%s"; }\n' \
		"$asan" >"$STAGE/tree/build/unit/asan_options.c"
	for name in "$@"; do
		sources=$(sed -nE 's,^[ */]*link: *([^*]*).*,\1,p' "$STAGE/tree/test/unit/$name.c")
		status=0
		# shellcheck disable=SC2086 # a list
		as_user "${LIMIT[@]}" "${CC:-gcc}" -std=gnu99 -g -O1 -Wall -Wextra -Wno-unused-parameter $UNIT_WERROR \
			-fsanitize=address,undefined -fno-sanitize-recover=all -fno-omit-frame-pointer \
			-ffunction-sections -Wl,--gc-sections \
			-I"$("$PG_CONFIG" --includedir-server)" \
			-o "build/unit/$name" "test/unit/$name.c" build/unit/asan_options.c $sources -lm >"$dir/$name.log" 2>&1 || status=$?
		if [ $status -ne 0 ]; then
			fail unit "$name" '(does not compile)'
			show "$dir/$name.log" 40
			continue
		fi
		[ ! -s "$dir/$name.log" ] || cat "$dir/$name.log" # warnings
		as_user "${LIMIT[@]}" "build/unit/$name" >"$dir/$name.log" 2>&1 || status=$?
		if [ $status -eq 0 ] && ! grep -qE '^(not )?ok\b' "$dir/$name.log"; then
			PASSED=$((PASSED + 1))
			passed unit "$name"
		else
			count_tap unit "$name" "$dir/$name.log" $status
		fi
	done
}

# pg_regress and pg_isolation_regress, by PGXS's own `make installcheck`
suite_regress() { installcheck regress "REGRESS=$*" ISOLATION=; }
suite_isolation() { installcheck isolation REGRESS= "ISOLATION=$*"; }

installcheck() { # installcheck SUITE MAKE-ARGUMENT...
	local suite=$1 status=0 tree=$STAGE/tree log=$STAGE/log/$1/log name ok not_ok
	shift
	as_user rm -rf results regression.diffs regression.out
	# Without an expected file pg_regress would stop there.
	for name in $NAMES; do
		if [ ! -f "$tree/expected/$name.out" ]; then
			say "    there is no expected/$name.out (what it printed: results/$suite/results/$name.out)"
			as_user mkdir -p expected
			as_user touch "expected/$name.out"
		fi
	done
	inner_make -s installcheck "$@" >"$log" 2>&1 || status=$?
	# up to 15: `test NAME ... ok`, from 16 on: `ok 1 - NAME`
	sed -nE "s,^(test|ok|not ok) +([0-9]+ +[-+] +)?([A-Za-z0-9_-]+) *(\.\.\.)? *(ok|FAILED.*)? *([0-9]+ ms.*)?$,\1 \5|\3|\6,p" "$log" |
		while IFS='|' read -r verdict name note; do
			case $verdict in
				'not ok'* | *FAILED*) failed "$suite" "$name" "$note" ;;
				*) passed "$suite" "$name" "$note" ;;
			esac
		done
	ok=$(grep -cE '^ok [0-9]|^test .* \.\.\. +ok\b' "$log" || true)
	not_ok=$(grep -cE '^not ok [0-9]|^test .* \.\.\. +FAILED' "$log" || true)
	PASSED=$((PASSED + ok))
	FAILED=$((FAILED + not_ok))
	if [ -d "$tree/results" ]; then
		cp -R "$tree/results" "$STAGE/log/$suite/"
	fi
	if [ -s "$tree/regression.diffs" ]; then
		cp "$tree/regression.diffs" "$STAGE/log/$suite/"
		head -n 200 "$tree/regression.diffs" | sed 's/^/    | /'
		say "    the whole: results/$suite/regression.diffs"
	fi
	if [ "$status" -ne 0 ] && [ "$not_ok" -eq 0 ]; then
		fail "$suite" "the run as such"
		show "$log" 40
	elif [ $((ok + not_ok)) -ne "$COUNT" ]; then
		fail "$suite" "$COUNT tests were to run, $((ok + not_ok)) did"
		show "$log" 40
	fi
}

suite_pgtap() {
	local dir=$STAGE/log/pgtap name status db
	if ! psql_user -c 'CREATE DATABASE pgtap_template' >"$dir/setup.log" 2>&1 ||
		! psql_user -d pgtap_template -c 'CREATE EXTENSION pgtap' -c 'CREATE EXTENSION po_mgmt' \
			>>"$dir/setup.log" 2>&1; then
		fail pgtap 'the set-up'
		show "$dir/setup.log" 20
		return
	fi
	for name in "$@"; do
		db=pgtap_$name
		psql_user -c "CREATE DATABASE \"$db\" TEMPLATE pgtap_template" >"$dir/$name.log" 2>&1
		status=0
		as_user "${LIMIT[@]}" pg_prove --norc -v -d "$db" "test/pgtap/$name.sql" >"$dir/$name.log" 2>&1 || status=$?
		count_tap pgtap "$name" "$dir/$name.log" $status
		psql_user -c "DROP DATABASE \"$db\" WITH (FORCE)" >/dev/null 2>&1 || true
	done
}

# PostgreSQL::Test::Cluster makes its own servers; TEMP_CONFIG is added to their settings.
suite_tap() {
	local dir=$STAGE/log/tap name status lang=C
	# its module unsets LC_ALL; clusters are to be UTF8 here, too
	! grep -qix 'C\.utf-\?8' <<<"$(locale -a 2>/dev/null)" || lang=C.UTF-8
	for name in "$@"; do
		as_user mkdir -p "tap/$name/tmp_check/log"
		status=0
		as_user "${LIMIT[@]}" env -u PGHOST -u PGUSER -u PGDATABASE "LANG=$lang" \
			"TESTDIR=$STAGE/tree/tap/$name" "TESTDATADIR=$STAGE/tree/tap/$name/tmp_check" \
			"TESTLOGDIR=$STAGE/tree/tap/$name/tmp_check/log" \
			"PG_REGRESS=$PGXSDIR/src/test/regress/pg_regress" "bindir=$PGBIN" PGPORT=65432 \
			prove --norc -v -I "$PGXSDIR/src/test/perl" -I test/t "test/t/$name.pl" \
			>"$dir/$name.log" 2>&1 || status=$?
		count_tap tap "$name" "$dir/$name.log" $status
		if [ -d "$STAGE/tree/tap/$name/tmp_check/log" ]; then
			cp -R "$STAGE/tree/tap/$name/tmp_check/log" "$dir/$name"
			if [ $status -ne 0 ] && [ -s "$dir/$name/regress_log_$name" ]; then
				say "    the end of results/tap/$name/regress_log_$name:"
				show "$dir/$name/regress_log_$name" 30
			fi
		fi
	done
}

# ---------------------------------------------------------------------------

main() {
	local suite list names what=(build) servers=no
	SUITES=${SUITE:-$ALL_SUITES}
	SUITES=${SUITES//,/ }
	exec 3>&1 4>&2
	trap finish EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	clean_environment
	UNIT_WERROR=
	[ "${WERROR:-}" != 1 ] || UNIT_WERROR=-Werror

	for suite in $SUITES; do
		[[ " $ALL_SUITES " == *" $suite "* ]] || die "there is no suite $suite; there are: $ALL_SUITES"
		case $suite in
			unit) ;;
			regress | isolation) servers=yes what+=(server) ;;
			pgtap | tap) servers=yes what+=(server "$suite") ;;
		esac
	done
	need "${what[@]}"
	stage
	for suite in $SUITES; do
		mkdir -p "$STAGE/log/$suite"
		[ -n "$(tests_of "$suite")" ] || fail "$suite" 'there is no test'
	done
	same_names
	if [ $servers = yes ]; then
		build
		start_cluster
	fi
	for suite in $SUITES; do
		list=$(tests_of "$suite")
		[ -n "$list" ] || continue
		mapfile -t names <<<"$list"
		NAMES=${names[*]} COUNT=${#names[@]}
		"suite_$suite" "${names[@]}"
	done
	no_crash
	FINISHED=yes
}

# No backend of the private cluster may have crashed, whatever the tests made of it.
no_crash() {
	[ -s "$STAGE/log/server.log" ] || return 0
	grep -E 'was terminated by signal|PANIC: |TRAP: ' "$STAGE/log/server.log" >"$STAGE/log/crashes" || return 0
	fail server 'crashed; see results/server.log'
	show "$STAGE/log/crashes" 20
}

# Expected output of both is in one directory.
same_names() {
	local name
	for name in $( (WANTED='' && tests_of regress && tests_of isolation) | sort | uniq -d); do
		fail isolation "$name" '(a regress test has the same name; expected/ is for both)'
	done
}

main "$@"
