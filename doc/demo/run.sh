#!/usr/bin/env bash
# doc/demo/run.sh: a guided tour of po_mgmt in a private cluster (`make demo`)
#
#   make demo           runs doc/demo/demo.sql, then leaves nothing running
#   make demo KEEP=1    leaves the cluster up, and says how to get in and how to stop it
#
# PG_CONFIG, RUN_AS and TMPDIR are as in test/run.sh. On Debian and its kin what is missing is
# installed by apt-get.
#
# It also writes demo/report.html, a page to be opened in a browser.
#
# demo.sql is read by psql from standard input, in doc/demo of a copy of the tree, as superuser
# in the database `demo` that has the extension. An error ends the demo as failed, except where
# demo.sql says \set ON_ERROR_STOP off around those that it wants to show.

set -euo pipefail
# shellcheck source=test/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/../../test/lib.sh"

leave() {
	local status=$?
	trap - EXIT
	trap '' INT TERM HUP
	exec >&3 2>&4 # a signal may have come while a step's output went to a file
	if [ "${KEEP:-}" = 1 ] && [ -n "${SHOWN:-}" ]; then
		how_to_go_on
	else
		KEEP=
		cleanup
	fi
	exit "$status"
}

how_to_go_on() {
	local as=''
	[ ${#AS[@]} -eq 0 ] || as="setpriv --reuid=$ME --regid=$(id -g "$ME") --init-groups "
	cat <<-EOF

		The cluster is still up. To look around:
		    $PGBIN/psql -h $STAGE/sock -U postgres demo
		To stop it and remove it:
		    $as$PGBIN/pg_ctl -D $STAGE/data -m fast stop && rm -rf $STAGE
	EOF
}

main() {
	local status=0
	exec 3>&1 4>&2
	trap leave EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	clean_environment
	[ -f "$ROOT/doc/demo/demo.sql" ] || die 'there is no doc/demo/demo.sql'
	need build server
	stage
	build
	start_cluster
	psql_user -c 'CREATE DATABASE demo'
	psql_user -d demo -c 'CREATE EXTENSION po_mgmt'
	say
	SHOWN=yes
	# by standard input, so that an error looks as it does to a person who types
	(
		cd "$STAGE/tree/doc/demo"
		exec "${AS[@]}" "${LIMIT[@]}" "$PGBIN/psql" -X -q -v ON_ERROR_STOP=1 -P pager=off -d demo
	) 3>&- 4>&- <"$ROOT/doc/demo/demo.sql" 2>&1 || status=$?
	[ $status -eq 0 ] || die "demo.sql ended with an error (psql's exit status $status)"
	if mkdir -p "$ROOT/demo" 2>/dev/null && [ -w "$ROOT/demo" ]; then
		cat "$STAGE/tree/doc/demo/report.html" >"$ROOT/demo/report.html"
		say "The page of section 5 is demo/report.html."
	else
		say "The page of section 5 is not kept: $ROOT/demo cannot be written."
	fi
}

main "$@"
