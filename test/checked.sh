#!/usr/bin/env bash
# test/checked.sh: the tests on a server that checks itself, built for that with assertions,
# debugging symbols and USE_VALGRIND: freed memory is overwritten, and Valgrind knows palloc's chunks
#
#   make check-asserts          all suites; test/t/097_discards.pl also while the server discards all
#                               its caches whenever it may. About 20 minutes on 2 cores
#   make check-valgrind         regress, isolation and pgtap, under Valgrind. About 45 minutes
#
#   SUITE, TESTS, WERROR        as in test/run.sh; under Valgrind SUITE=tap is of hours: name TESTS,
#                               and give PO_SCALE=0.2
#   PG_CONFIG=/path/pg_config   such a server that is there; it has to be yours, for the extension is
#                               installed into it
#
# Not a part of CI. The server is built from Debian's source package (4 minutes on 2 cores), in a
# temporary directory of which nothing is left. results/valgrind/ has what Valgrind printed, by
# process; anything is a failure.

set -euo pipefail
# shellcheck source=test/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

WORK= # the temporary directory

finish() {
	local status=$?
	trap - EXIT
	[ -z "$WORK" ] || rm -rf "$WORK"
	cleanup
	exit "$status"
}

# apt-get with the machine's sources as those of source packages, in lists of its own
source_apt() {
	apt-get -q -o "Dir::State::lists=$WORK/apt/lists" -o "Dir::Cache=$WORK/apt/cache" -o Dir::Etc::sourcelist=/dev/null \
		-o "Dir::Etc::sourceparts=$WORK/apt" -o APT::Sandbox::User=root "$@"
}

# Of the release as it came out: of updates in between, mirrors may lack the source.
fetch_source() { # fetch_source VERSION, into the current directory
	mkdir -p "$WORK/apt/lists/partial" "$WORK/apt/cache/archives/partial"
	sed -E 's/^Types: .*/Types: deb-src/' /etc/apt/sources.list.d/debian.sources >"$WORK/apt/source.sources"
	source_apt update
	source_apt --download-only source "postgresql-$1/$(. /etc/os-release && printf %s "$VERSION_CODENAME")"
	tar xf postgresql-"$1"_*.orig.tar.*
}

# One assertion of PostgreSQL's own does not hold: a row that a transaction has locked FOR KEY SHARE
# and FOR NO KEY UPDATE, and updated in a subtransaction that was rolled back, is updated to another
# page. Without it nothing goes wrong: that transaction still holds the row.
drop_wrong_assertion() {
	sed -i '/Assert(HEAP_XMAX_IS_LOCKED_ONLY(infomask_lock_old_tuple));/d' src/backend/access/heap/heapam.c
}

# Modules of others that tests load are those of Debian's server; they have no part in what is checked.
build_server() { # build_server VERSION
	local debian=/usr/share/postgresql/$1/extension
	cd "$WORK"
	fetch_source "$1"
	cd postgresql-"$1".*/
	drop_wrong_assertion
	./configure --prefix="$WORK/pg" --enable-cassert --enable-debug --enable-tap-tests --without-readline --without-zlib --without-icu \
		CFLAGS='-O1 -g -fno-omit-frame-pointer' CPPFLAGS=-DUSE_VALGRIND
	make -s -j "$(getconf _NPROCESSORS_ONLN)"
	make -s install
	cp src/tools/valgrind.supp "$("$WORK/pg/bin/pg_config" --sharedir)/"
	cp "$debian"/pgtap* "$debian"/pg_cron* "$debian"/plproxy* "$("$WORK/pg/bin/pg_config" --sharedir)/extension/"
	cp "/usr/lib/postgresql/$1/lib/"{pg_cron,plproxy}.so "$("$WORK/pg/bin/pg_config" --pkglibdir)/"
}

# The server once more, with Valgrind before it. To set up a cluster goes without.
wrap_server() {
	local pg=$WORK/wrapped
	cp -R "$(dirname "$(dirname "$PG_CONFIG")")" "$pg"
	mv "$pg/bin/postgres" "$pg/bin/postgres-itself"
	mkdir -m 777 "$WORK/log"
	PG_CONFIG=$pg/bin/pg_config
	cat >"$pg/bin/postgres" <<-EOF2
		#!/bin/sh
		case \$1 in
			--boot | --check | --single | -V) exec '$pg/bin/postgres-itself' "\$@" ;;
		esac
		exec valgrind --quiet --trace-children=yes --leak-check=no --track-origins=yes --time-stamp=yes \\
			--suppressions='$("$PG_CONFIG" --sharedir)/valgrind.supp' --log-file=$WORK/log/%p.log '$pg/bin/postgres-itself' "\$@"
	EOF2
	chmod 755 "$pg/bin/postgres"
}

# what Valgrind printed are errors: those of PostgreSQL that are known are suppressed
judge() {
	local errors
	rm -rf "$ROOT/results/valgrind"
	mkdir -p "$ROOT/results"
	cp -R "$WORK/log" "$ROOT/results/valgrind"
	errors=$(find "$ROOT/results/valgrind" -name '*.log' -size +0)
	if [ -n "$errors" ]; then
		# shellcheck disable=SC2086 # a list
		head -n 60 $errors
		say "Valgrind found errors in $(wc -l <<<"$errors") processes"
		return 1
	fi
	say "Valgrind found no error in $(find "$WORK/log" -name '*.log' | wc -l) processes"
}

main() {
	local kind=$1 status=0 log
	trap finish EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	clean_environment
	WORK=$(mktemp -d "${TMPDIR:-/tmp}/po_mgmt-checked.XXXXXX")
	chmod 755 "$WORK"
	log=$WORK/build.log
	if [ -z "${PG_CONFIG:-}" ]; then
		need build server pgtap tap source
		say "building PostgreSQL $PGVERSION (some minutes)"
		(build_server "$PGVERSION") >"$log" 2>&1 || {
			tail -n 30 "$log" >&2
			die 'the server could not be built'
		}
		PG_CONFIG=$WORK/pg/bin/pg_config
	fi
	export PG_CONFIG STEP_TIMEOUT=${STEP_TIMEOUT:-14400}
	case $kind in
		asserts) ;;
		valgrind)
			need valgrind
			wrap_server
			export SUITE=${SUITE:-regress isolation pgtap} PG_TEST_TIMEOUT_DEFAULT=3600
			;;
		*) die "there is no kind $kind" ;;
	esac
	bash "$ROOT/test/run.sh" || status=$?
	[ "$kind" != valgrind ] || judge || status=1
	return $status
}

main "$@"
