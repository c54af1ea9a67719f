#!/usr/bin/env bash
# test/deb.sh: Debian packages, built and tried where a user has nothing but them
#
#   make deb          the packages, into results/deb: postgresql-NN-po-mgmt for each PostgreSQL whose
#                     development files are here, and po-notifier
#   make check-deb    the same, from a clean checkout of the commit; then installed in a new Debian
#                     that has a server and no compiler, where the tutorial's first query is asked.
#                     Needs root or sudo. Two to eight minutes, as fast as the Debian is fetched; it
#                     says how long it took.
#
# The packaging is in doc/packaging/debian; it is copied to debian/ beside the sources.

set -euo pipefail
# shellcheck source=test/lib.sh
. "$(dirname "${BASH_SOURCE[0]}")/lib.sh"

RESULTS=$ROOT/results/deb
WORK=
finish() {
	local status=$?
	trap - EXIT
	[ -z "$WORK" ] || "${SUDO[@]}" rm -rf --one-file-system "$WORK"
	cleanup
	exit "$status"
}

# sources: a tree of what is built: the commit, or what the developer has
sources() {
	mkdir "$WORK/tree"
	if [ "$1" = commit ]; then
		git -c safe.directory='*' -C "$ROOT" archive HEAD | tar -C "$WORK/tree" -xf -
	else
		STAGE=$WORK copy_tree
	fi
	cp -R "$WORK/tree/doc/packaging/debian" "$WORK/tree/debian"
}

build_packages() {
	local log=$RESULTS/build.log
	rm -rf "$RESULTS"
	mkdir -p "$RESULTS"
	say "building the packages for PostgreSQL $(cd "$WORK/tree" && pg_buildext supported-versions | paste -sd' ')"
	if ! (cd "$WORK/tree" && pg_buildext updatecontrol && dpkg-buildpackage -b -us -uc -j"$(getconf _NPROCESSORS_ONLN)") \
		>"$log" 2>&1 </dev/null; then
		tail -n 40 "$log" >&2
		die 'the packages could not be built'
	fi
	cp "$WORK"/*.deb "$RESULTS/"
	(cd "$RESULTS" && ls -1 ./*.deb)
}

# in_debian: what is tried in the new Debian; its script comes from here, since it has only our packages
in_debian() {
	cat <<-'END'
		set -eu
		for tool in gcc cc clang make c++; do
			! command -v $tool >/dev/null || { echo "there is a compiler: $tool"; exit 1; }
		done
		dpkg -l | awk '/po-mgmt|po-notifier/ { print $1, $2, $3 }'
		po-notifier --version
		zcat /usr/share/man/man1/po-notifier.1.gz | grep -q '^\.SH OPTIONS'
		version=$(ls /usr/lib/postgresql)
		# pg_ctlcluster would want /proc
		as_postgres() { su postgres -c "/usr/lib/postgresql/$version/bin/$*"; }
		as_postgres initdb -D /tmp/data -A trust >/dev/null
		as_postgres pg_ctl -D /tmp/data -o "'-k /tmp -c listen_addresses='" -l /tmp/log -w start >/dev/null || { cat /tmp/log; exit 1; }
		trap 'as_postgres pg_ctl -D /tmp/data -m immediate -w stop >/dev/null' EXIT
		as_postgres psql -X -q -v ON_ERROR_STOP=1 -h /tmp -f /tmp/tutorial.sql
		END
}

# The tutorial up to its first answer, and that answer.
tutorial() {
	awk '/^```sql/ { sql = 1; next } /^```text/ { exit } /^```/ { sql = 0 } sql' "$WORK/tree/doc/tutorial.md"
}
first_answer() {
	awk '/^```text/ { text = 1; next } /^```/ { if (text) exit } text' "$WORK/tree/doc/tutorial.md"
}

try_packages() {
	local root=$WORK/debian log=$RESULTS/chroot.log config=/etc/postgresql-common/createcluster.d deb
	deb=$(ls "$RESULTS"/postgresql-"$PGVERSION"-po-mgmt_*.deb)
	say "making a Debian $(suite_of "$PGVERSION") with PostgreSQL $PGVERSION, without a compiler"
	if ! "${SUDO[@]}" unshare --mount mmdebstrap --mode=root --variant=minbase --include="postgresql-$PGVERSION" \
		--aptopt='APT::Install-Recommends "false"' \
		--essential-hook="mkdir -p \"\$1$config\" && echo create_main_cluster=false >\"\$1$config/none.conf\"" \
		--customize-hook="copy-in $deb $(ls "$RESULTS"/po-notifier_*.deb) /tmp" \
		--customize-hook='chroot "$1" sh -c "apt-get -y -q install /tmp/*.deb"' \
		"$(suite_of "$PGVERSION")" "$root" </dev/null >"$log" 2>&1; then
		tail -n 30 "$log" >&2
		die 'the packages could not be installed'
	fi
	tutorial | "${SUDO[@]}" tee "$root/tmp/tutorial.sql" >/dev/null
	"${SUDO[@]}" chmod 644 "$root/tmp/tutorial.sql"
	in_debian | "${SUDO[@]}" env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root chroot "$root" sh >"$RESULTS/answer" 2>"$log.errors" ||
		{ cat "$RESULTS/answer" "$log.errors" >&2; die 'the packages do not work'; }
	cat "$RESULTS/answer"
	# the answer is the end of what was printed
	if [ -z "$(first_answer)" ] ||
		[ "$(grep -v '^$' "$RESULTS/answer" | tail -n "$(first_answer | grep -cv '^$')" | sed 's/ *$//')" != "$(first_answer | grep -v '^$' | sed 's/ *$//')" ]; then
		die 'this is not the answer that doc/tutorial.md shows'
	fi
}

main() {
	trap finish EXIT
	trap 'exit 130' INT
	trap 'exit 143' TERM HUP
	clean_environment
	WORK=$(mktemp -d "${TMPDIR:-/tmp}/po_mgmt-deb.XXXXXX")
	chmod 755 "$WORK"
	case $1 in
		build)
			need build deb
			sources tree
			build_packages
			;;
		check)
			need build deb chroot
			sources commit
			build_packages
			try_packages
			say "1 passed, 0 failed ($SECONDS seconds)"
			;;
	esac
}

main "$@"
