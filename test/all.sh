#!/usr/bin/env bash
# test/all.sh: `make check` on every PostgreSQL that po_mgmt supports (`make check-all`)
#
#   make check-all                    about 15 minutes on 2 cores
#   make check-all VERSIONS='18 17'   only these (18, 17, 15)
#   SUITE, TESTS and WERROR           as in test/run.sh
#
# The PostgreSQL of this machine is tested as by `make check`. For each of the others a small
# Debian is made in a temporary directory (mmdebstrap: a minute, 1 GB), the tree is copied into
# it and `make check` runs there, pg_upgrade from the version before included. Nothing of it is
# left. Needs root or sudo, on Debian and its kin; mmdebstrap is installed by apt-get where it is
# missing.
#
# results/pgNN/ has what each printed. The last line is `N passed, N failed` over all versions.

set -euo pipefail
# shellcheck source=test/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

PASSED=0
FAILED=0
SKIPPED=0
FINISHED=
RUNNING= # the process that works for us, of a group of its own

finish() {
	local status=$?
	trap - EXIT
	trap '' INT TERM HUP
	exec >&3 2>&4 # a signal may have come while output went to a file
	[ -z "$RUNNING" ] || end_running
	remove_tree "$STAGE"
	KEEP='' cleanup
	[ -n "$FINISHED" ] || [ "$FAILED" -gt 0 ] || FAILED=1
	[ "$FAILED" -eq 0 ] || [ "$status" -ne 0 ] || status=1
	mkdir -p "$ROOT/results"
	say "$PASSED passed, $FAILED failed$([ "$SKIPPED" -eq 0 ] || printf ', %s skipped' "$SKIPPED")" |
		tee "$ROOT/results/summary"
	exit "$status"
}

end_running() {
	kill -TERM -- "-$RUNNING" 2>/dev/null || kill -TERM "$RUNNING" 2>/dev/null || true
	wait "$RUNNING" 2>/dev/null || true
}

# A chroot is never removed through what may be mounted in it, and what ran there may need a moment
# to end.
remove_tree() {
	[ -n "$1" ] || return 0
	local i
	for i in 1 2 3 4 5; do
		! "${SUDO[@]}" rm -rf --one-file-system "$1" 2>/dev/null || return 0
		sleep 1
	done
	say "left behind: $1"
}

# run COMMAND...: so that a signal ends it at once; its exit status
run() {
	local status=0
	set -m
	"$@" </dev/null &
	RUNNING=$!
	set +m
	wait "$RUNNING" || status=$?
	RUNNING=
	return $status
}

# add_up VERSION SUMMARY STATUS: counts what a run printed last
add_up() {
	local passed failed skipped
	passed=$(sed -nE 's/.*\b([0-9]+) passed.*/\1/p' "$2" 2>/dev/null || true)
	failed=$(sed -nE 's/.*\b([0-9]+) failed.*/\1/p' "$2" 2>/dev/null || true)
	skipped=$(sed -nE 's/.*\b([0-9]+) skipped.*/\1/p' "$2" 2>/dev/null || true)
	[ "$3" -eq 0 ] || [ "${failed:-0}" -gt 0 ] || failed=1 # ended without a word
	PASSED=$((PASSED + ${passed:-0}))
	FAILED=$((FAILED + ${failed:-0}))
	SKIPPED=$((SKIPPED + ${skipped:-0}))
	say "PostgreSQL $1: ${passed:-0} passed, ${failed:-0} failed, $SECONDS seconds since the start"
}

# keep_results VERSION DIRECTORY
keep_results() {
	rm -rf "$ROOT/results/pg$1"
	cp -R "$2" "$ROOT/results/pg$1" || true
}

check_here() {
	local status=0
	run bash "$STAGE/tree/test/run.sh" || status=$?
	add_up "$1" "$STAGE/tree/results/summary" $status
	keep_results "$1" "$STAGE/tree/results"
}

# The server's development files are unpacked and not installed, since they depend on all of
# LLVM. A snapshot of sid may be older than its own Release file allows. What mmdebstrap mounts
# meanwhile is mounted in a name space of its own, so that nothing of it stays if it is killed.
make_chroot() { # make_chroot VERSION DIRECTORY, in a process of its own
	local packages="postgresql-$1,postgresql-$1-pgtap,libtap-parser-sourcehandler-pgtap-perl"
	packages+=,libipc-run-perl,make,gcc,libc6-dev,diffutils
	packages+=,postgresql-$1-cron,postgresql-$1-plproxy,libcurl4-openssl-dev,python3-aiosmtpd,openssl
	local config=/etc/postgresql-common/createcluster.d
	local unpack="cd /tmp; apt-get -q download postgresql-server-dev-$1 libpq-dev;
		for f in *.deb; do dpkg -x \$f /; done; rm *.deb"
	exec "${SUDO[@]}" unshare --mount mmdebstrap --mode=root --variant=minbase --include="$packages" \
		--aptopt='APT::Install-Recommends "false"' \
		--aptopt='Acquire::Check-Valid-Until "false"' \
		--essential-hook="mkdir -p \"\$1$config\" && echo create_main_cluster=false >\"\$1$config/none.conf\"" \
		--customize-hook="chroot \"\$1\" sh -ec '$unpack'" \
		"$(suite_of "$1")" "$2"
}

# The version before, for pg_upgrade to come from (test/t/045_pg_upgrade.pl), with the extension where
# that looks first.
older_than() {
	local v
	for v in $SUPPORTED; do
		[ "$v" -ge "$1" ] || {
			say "$v"
			return
		}
	done
}
add_older() { # add_older VERSION DIRECTORY
	local older
	older=$(older_than "$1")
	"${SUDO[@]}" env -i "PATH=$PATH_THERE" DEBIAN_FRONTEND=noninteractive chroot "$2" sh -ec "
		cd /etc/apt
		sed 's/$(suite_of "$1")/$(suite_of "$older")/g' sources.list >sources.list.d/older.list
		apt-get -q update
		apt-get -q -y --no-install-recommends install postgresql-$older
		cd /tmp
		apt-get -q download postgresql-server-dev-$older
		dpkg -x postgresql-server-dev-*.deb /
		rm postgresql-server-dev-*.deb
		cp -R /po_mgmt $older
		make -s -C $older PG_CONFIG=/usr/lib/postgresql/$older/bin/pg_config with_llvm=no install
		rm -rf $older"
}

PATH_THERE=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin # in a chroot

make_all() { # make_all VERSION DIRECTORY
	(make_chroot "$@")
	"${SUDO[@]}" mkdir "$2/po_mgmt"
	"${SUDO[@]}" cp -R "$STAGE/tree/." "$2/po_mgmt/"
	[ -z "$(older_than "$1")" ] || add_older "$@"
}

check_in_chroot() {
	local version=$1 root=$STAGE/pg$1 log=$STAGE/pg$1.log status=0 v keep=()
	say "making a Debian $(suite_of "$version") with PostgreSQL $version"
	run make_all "$version" "$root" >"$log" 2>&1 || status=$?
	if [ $status -ne 0 ]; then
		tail -n 30 "$log" >&2
		add_up "$version" /dev/null 1
		return
	fi
	for v in $(compgen -e); do
		case $v in
			CI | WERROR | SUITE | TESTS | STEP_TIMEOUT | PO_*) keep+=("$v=${!v}") ;;
		esac
	done
	run "${SUDO[@]}" env -i "PATH=$PATH_THERE" HOME=/root "PG_CONFIG=$(deb_bin "$version")/pg_config" \
		"PO_UPGRADE_FROM=$(older_than "$version")" ${keep[@]+"${keep[@]}"} \
		chroot "$root" bash /po_mgmt/test/run.sh || status=$?
	add_up "$version" "$root/po_mgmt/results/summary" $status
	keep_results "$version" "$root/po_mgmt/results"
	remove_tree "$root"
}

main() {
	local version here versions
	exec 3>&1 4>&2
	trap finish EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	need build server chroot
	here=$PGVERSION
	can_install || die 'making a chroot needs root, or sudo'
	mkdir -p "$ROOT/results"
	STAGE=$(mktemp -d "${TMPDIR:-/tmp}/po_mgmt-all.XXXXXX")
	chmod 755 "$STAGE" # other users have to get into the chroots
	mkdir "$STAGE/tree"
	copy_tree
	versions=${VERSIONS:-$SUPPORTED}
	for version in $versions; do
		suite_of "$version" >/dev/null
	done
	for version in $versions; do
		say "== PostgreSQL $version"
		if [ "$version" = "$here" ]; then
			check_here "$version"
		else
			check_in_chroot "$version"
		fi
	done
	FINISHED=yes
}

main "$@"
