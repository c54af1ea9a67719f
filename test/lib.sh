# shellcheck shell=bash
# test/lib.sh: what the drivers of `make check`, `make demo` and `make bench` have in common.
# To be sourced, by bash (4.4 or later) with set -euo pipefail. Nothing here needs /proc, which a
# chroot may not have: so no process substitution.
#
# In the order of use:
#   need WHAT...    find a PostgreSQL, see that what is needed is there, install it if not
#   stage           copy the tree to a temporary directory, owned by an unprivileged user
#   build           build there, install below that directory (not into the system)
#   start_cluster   a private cluster there, reached by a socket in that directory only
# and cleanup (for trap EXIT) leaves nothing running and nothing behind.
#
# Read from the environment: PG_CONFIG, WERROR, CI, KEEP, RUN_AS, TMPDIR (see test/run.sh).

ROOT=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd -P)
readonly ROOT
readonly SUPPORTED='18 17 15' # the newest first
STAGE=                        # the temporary directory; below it are:
                              #   tree/  the copy of the sources, where everything runs
                              #   dest/  DESTDIR
                              #   data/, sock/  the cluster
                              #   log/   what the steps printed
CREATECLUSTER=                # a file in /etc to take away again
SUDO=()
ME=$(id -un)

say() { printf '%s\n' "$*"; }
die() {
	printf '%s: %s\n' "${0##*/}" "$*" >&2
	exit 1
}
have() { command -v "$1" >/dev/null 2>&1; }

# The settings of the caller must not decide how tests end.
clean_environment() {
	local v
	for v in $(compgen -e); do
		case $v in
			PG_CONFIG) ;;
			PG* | LC_* | LANG | LANGUAGE | TZ | PSQL* | PERL5LIB | PROVE* | HARNESS* | MAKEFLAGS | MFLAGS | MAKELEVEL | MAKEOVERRIDES | GNUMAKEFLAGS | CDPATH | GIT_* | DESTDIR)
				unset "$v"
				;;
		esac
	done
	export LC_ALL=C TZ=UTC
	umask 022
}

# ---------------------------------------------------------------------------
# Which PostgreSQL, and what else is needed
# ---------------------------------------------------------------------------

PGVERSION=    # 15
PGBIN=        # directories of the server that was chosen
PGSHARE=
PGXSDIR=

deb_bin() { printf '/usr/lib/postgresql/%s/bin' "$1"; }

# Is this pg_config's server complete enough to build for it and run it?
is_complete() {
	local bin pgxs
	[ -x "$1" ] && bin=$("$1" --bindir) && pgxs=$("$1" --pgxs) &&
		[ -x "$bin/initdb" ] && [ -x "$bin/postgres" ] && [ -f "$pgxs" ]
}

major_of() { "$1" --version | sed -n 's/^PostgreSQL \([0-9]*\).*/\1/p'; }

# Sets PG_CONFIG (a path) where a server that will do is installed.
find_installed() {
	local v c
	for v in $SUPPORTED; do
		c=$(deb_bin "$v")/pg_config
		if is_complete "$c"; then
			PG_CONFIG=$c
			return 0
		fi
	done
	# On Debian, pg_config in /usr/bin is a wrapper for those just tried.
	if c=$(command -v pg_config) && is_complete "$c" && [ "$(major_of "$c")" -ge 15 ]; then
		PG_CONFIG=$c
		return 0
	fi
	return 1
}

# (No `... | grep -q`: grep leaves early, and with pipefail the writer's SIGPIPE is a failure.)
has_candidate() {
	grep -q '^  Candidate: [^(]' <<<"$(LC_ALL=C apt-cache policy "$1" 2>/dev/null)"
}

APT_LOG= # not empty once apt-get update has run
apt_update() {
	[ -z "$APT_LOG" ] || return 0
	APT_LOG=$(mktemp "${TMPDIR:-/tmp}/po_mgmt-apt.XXXXXX")
	say "apt-get update (to install what is missing)"
	apt update -q >"$APT_LOG" 2>&1 || {
		tail -n 20 "$APT_LOG" >&2
		die 'apt-get update failed'
	}
}

# apt ARGUMENT...: apt-get as root, asking nothing.
apt() {
	"${SUDO[@]}" env DEBIAN_FRONTEND=noninteractive NEEDRESTART_SUSPEND=1 NEEDRESTART_MODE=l \
		APT_LISTCHANGES_FRONTEND=none LC_ALL=C \
		apt-get -y -o Dpkg::Use-Pty=0 -o DPkg::Lock::Timeout=300 "$@" </dev/null
}

can_install() {
	have apt-get || return 1
	[ "$(id -u)" -ne 0 ] || return 0
	have sudo || return 1
	if [ -t 0 ] || sudo -n true 2>/dev/null; then
		SUDO=(sudo)
		return 0
	fi
	return 1
}

# The version whose packages are to be installed: of the server that is there without its
# development files, else the newest that apt has.
choose_version() {
	local v
	for v in $SUPPORTED; do
		if [ -x "$(deb_bin "$v")/initdb" ]; then
			PGVERSION=$v
			return
		fi
	done
	for v in $SUPPORTED; do
		if has_candidate "postgresql-$v"; then
			PGVERSION=$v
			return
		fi
	done
}

# which Debian has it
suite_of() {
	case $1 in
		15) say bookworm ;;
		17) say trixie ;;
		18) say sid ;;
		*) die "there is no PostgreSQL $1 among those supported: $SUPPORTED" ;;
	esac
}

have_cc() { have gcc && printf '#include <stdio.h>\n' | gcc -E - >/dev/null 2>&1; }
have_perl_module() { perl "-M$1" -e 1 >/dev/null 2>&1; }
have_prove() { have prove && have_perl_module Test::More; }
have_curl_headers() { printf '#include <curl/curl.h>\n' | gcc -E - >/dev/null 2>&1; }
have_aiosmtpd() { /usr/bin/python3 -c 'import aiosmtpd' >/dev/null 2>&1; }
have_pg_cron() { [ -f "$PGSHARE/extension/pg_cron.control" ]; }
have_browser() { have chromium || have chromium-browser || have google-chrome; }
have_plproxy() { [ -f "$PGSHARE/extension/plproxy.control" ]; }
have_test_cluster() { [ -f "$PGXSDIR/src/test/perl/PostgreSQL/Test/Cluster.pm" ]; }

locate_server() {
	PGVERSION=$(major_of "$PG_CONFIG")
	PGBIN=$("$PG_CONFIG" --bindir)
	PGSHARE=$("$PG_CONFIG" --sharedir)
	PGXSDIR=$("$PG_CONFIG" --pgxs)
	PGXSDIR=${PGXSDIR%/src/makefiles/pgxs.mk}
}

MISSING=()     # what, for people
MISSING_DEB=() # which Debian package has it
missing() {    # missing PACKAGE WHAT, each said once
	local w
	for w in ${MISSING[@]+"${MISSING[@]}"}; do
		[ "$w" != "$2" ] || return 0
	done
	MISSING_DEB+=("$1")
	MISSING+=("$2")
}

# find_missing WHAT...: what of build, server, pgtap, tap, deb, chroot, source, valgrind is not there.
find_missing() {
	local what debian=no bin
	MISSING=() MISSING_DEB=()
	bin=$(deb_bin "$PGVERSION")
	[ "${PG_CONFIG:-$bin/pg_config}" = "$bin/pg_config" ] && debian=yes
	if [ -n "${PG_CONFIG:-}" ] && [ -x "$PG_CONFIG" ]; then
		locate_server
	elif [ $debian = yes ]; then
		PGBIN=$bin
		PGSHARE=/usr/share/postgresql/$PGVERSION
		PGXSDIR=/usr/lib/postgresql/$PGVERSION/lib/pgxs
	fi
	for what; do
		case $what in
			build)
				have make || missing make 'make'
				have gcc || missing gcc 'a C compiler (gcc)'
				have_cc || missing libc6-dev "the C library's headers"
				[ -f "$PGXSDIR/src/makefiles/pgxs.mk" ] ||
					missing "postgresql-server-dev-$PGVERSION" "the development files of PostgreSQL $PGVERSION"
				have cmp || missing diffutils 'diff'
				;;
			server)
				[ -x "$PGBIN/initdb" ] ||
					missing "postgresql-$PGVERSION" "the server, PostgreSQL $PGVERSION"
				;;
			pgtap)
				[ -f "$PGSHARE/extension/pgtap.control" ] ||
					missing "postgresql-$PGVERSION-pgtap" "pgTAP for PostgreSQL $PGVERSION (tests of the SQL interface)"
				have pg_prove ||
					missing libtap-parser-sourcehandler-pgtap-perl 'pg_prove (runs pgTAP tests)'
				;;
			tap)
				have_prove || missing perl 'prove (runs Perl tests)'
				have_perl_module IPC::Run ||
					missing libipc-run-perl "Perl's IPC::Run (tests with several servers or sessions)"
				have_pg_cron ||
					missing "postgresql-$PGVERSION-cron" "pg_cron for PostgreSQL $PGVERSION (tests of scheduled jobs)"
				have_curl_headers || missing libcurl4-openssl-dev "libcurl's development files (po-notifier)"
				have_aiosmtpd || missing python3-aiosmtpd "Python's aiosmtpd (a mail server for tests)"
				have openssl || missing openssl 'openssl (certificates for tests)'
				have_plproxy ||
					missing "postgresql-$PGVERSION-plproxy" "PL/Proxy for PostgreSQL $PGVERSION (tests with sharded accounts)"
				have pgbouncer || missing pgbouncer 'pgbouncer (tests behind a pooler)'
				have_test_cluster ||
					missing "postgresql-server-dev-$PGVERSION" "PostgreSQL::Test::Cluster (tests with several servers or sessions)"
				# it does not run without /proc
				[ ! -d /proc/self ] || have_browser || missing chromium 'a browser (test of the report)'
				;;
			deb)
				have dpkg-buildpackage || missing dpkg-dev 'dpkg-buildpackage (builds Debian packages)'
				have dh || missing debhelper 'debhelper (builds Debian packages)'
				have pg_buildext || missing postgresql-server-dev-all 'pg_buildext (builds for each PostgreSQL)'
				have_curl_headers || missing libcurl4-openssl-dev "libcurl's development files (po-notifier)"
				;;
			chroot)
				have mmdebstrap || missing mmdebstrap 'mmdebstrap (makes a small Debian with another PostgreSQL)'
				have unshare || missing util-linux 'unshare'
				;;
			source) # of a server, and what builds it
				have bison || missing bison 'bison (to build a server)'
				have flex || missing flex 'flex (to build a server)'
				;;
			valgrind)
				have valgrind || missing valgrind 'valgrind'
				;;
			*) die "need: what is $what?" ;;
		esac
	done
}

# need WHAT...: what find_missing() knows. Chooses the PostgreSQL and installs what is missing.
need() {
	local i before
	if [ -n "${PG_CONFIG:-}" ]; then
		# A name is looked up in PATH. A path of Debian's may be of a server yet to be installed.
		PG_CONFIG=$(command -v "$PG_CONFIG" || printf %s "$PG_CONFIG")
		if [ -x "$PG_CONFIG" ]; then
			PGVERSION=$(major_of "$PG_CONFIG")
		elif [[ $PG_CONFIG =~ ^/usr/lib/postgresql/([0-9]+)/bin/pg_config$ ]]; then
			PGVERSION=${BASH_REMATCH[1]}
		else
			die "there is no program $PG_CONFIG (given as PG_CONFIG)"
		fi
		[ "$PGVERSION" -ge 15 ] || die "$PG_CONFIG is of PostgreSQL $PGVERSION, po_mgmt needs 15 or later"
	elif find_installed; then
		PGVERSION=$(major_of "$PG_CONFIG")
	elif can_install; then
		choose_version
		if [ -z "$PGVERSION" ]; then
			apt_update
			choose_version
		fi
		[ -n "$PGVERSION" ] ||
			die "apt has none of PostgreSQL ${SUPPORTED// /, } on this system; add the PostgreSQL project's own apt repository (package postgresql-common has a script for it), or give PG_CONFIG=/path/to/pg_config"
	else
		# nothing to choose from; name the newest release that Debian 12 has
		PGVERSION=15
	fi

	find_missing "$@"
	if [ ${#MISSING[@]} -gt 0 ]; then
		say "po_mgmt ${0##*/}: missing on this machine:"
		for i in "${!MISSING[@]}"; do
			say "  - ${MISSING[i]} [Debian package: ${MISSING_DEB[i]}]"
		done
		mapfile -t MISSING_DEB <<<"$(printf '%s\n' "${MISSING_DEB[@]}" | sort -u)"
		can_install ||
			die "install it, then run this again$(have apt-get && printf ' (as root: apt-get install %s)' "${MISSING_DEB[*]}")"
		apt_update
		say "installing with apt-get: ${MISSING_DEB[*]}"
		before=$(clusters_running)
		no_default_cluster
		apt -q install --no-install-recommends "${MISSING_DEB[@]}" >"$APT_LOG" 2>&1 || {
			tail -n 30 "$APT_LOG" >&2
			die 'apt-get install failed'
		}
		default_cluster_again
		stop_new_clusters "$before"
		stop_new_services
		hash -r
		find_missing "$@"
		[ ${#MISSING[@]} -eq 0 ] || die "still missing: ${MISSING[*]}"
	fi
	PG_CONFIG=${PG_CONFIG:-$(deb_bin "$PGVERSION")/pg_config}
	locate_server
}

# Debian's server package makes a cluster `main` and starts it. Not on our account.
no_default_cluster() {
	local dir=/etc/postgresql-common/createcluster.d
	CREATECLUSTER=$dir/po_mgmt-check.conf
	"${SUDO[@]}" mkdir -p "$dir"
	printf '# made by a test run of po_mgmt, which takes it away again\ncreate_main_cluster = false\n' |
		"${SUDO[@]}" tee "$CREATECLUSTER" >/dev/null
}
default_cluster_again() {
	[ -n "$CREATECLUSTER" ] || return 0
	"${SUDO[@]}" rm -f "$CREATECLUSTER"
	CREATECLUSTER=
}

# Installing a server also starts clusters that were there and stopped. Stop them again.
clusters_running() {
	! have pg_lsclusters || pg_lsclusters -h 2>/dev/null | awk '$4 ~ /^online/ { print $1, $2 }'
}
stop_new_clusters() { # those that were running before, one a line
	local version name
	clusters_running | while read -r version name; do
		grep -qx "$version $name" <<<"$1" ||
			"${SUDO[@]}" pg_ctlcluster "$version" "$name" stop </dev/null || true
	done
}

# Nor do we leave a service running that came with a package.
stop_new_services() {
	[[ " ${MISSING_DEB[*]} " != *' pgbouncer '* ]] || "${SUDO[@]}" service pgbouncer stop >/dev/null 2>&1 || true
}

# ---------------------------------------------------------------------------
# The copy, the build, the cluster
# ---------------------------------------------------------------------------

# A server does not run as root; then everything after the installation is done as RUN_AS.
AS=()
LIMIT=() # no step takes forever

# as_user COMMAND...: in the copy of the tree, as the unprivileged user
# (3 and 4 are a driver's own standard output and error; a server must not hold them open.)
as_user() { (cd "$STAGE/tree" && exec "${AS[@]}" "$@" </dev/null 3>&- 4>&-); }

stage() {
	local parent=${TMPDIR:-/tmp}
	if [ "$(id -u)" -eq 0 ]; then
		ME=${RUN_AS:-postgres}
		id -u "$ME" >/dev/null 2>&1 ||
			die "a PostgreSQL server does not run as root: RUN_AS=user names the user to run it as (there is no user $ME)"
		have setpriv || die 'needs setpriv (util-linux), when run as root'
		AS=(setpriv "--reuid=$ME" "--regid=$(id -g "$ME")" --init-groups --)
		"${AS[@]}" test -w "$parent" -a -x "$parent" || parent=/tmp
	fi
	# the socket's path has 107 bytes at most
	[ ${#parent} -le 60 ] || parent=/tmp
	STAGE=$(mktemp -d "$parent/po_mgmt.XXXXXX")
	mkdir "$STAGE/tree" "$STAGE/log" "$STAGE/sock" "$STAGE/home" "$STAGE/tmp" "$STAGE/dest"
	chmod 700 "$STAGE" "$STAGE/sock"
	copy_tree
	[ ${#AS[@]} -eq 0 ] || chown -R "$ME:" "$STAGE"
	! have timeout || LIMIT=(timeout --foreground "${STEP_TIMEOUT:-1800}")
	export HOME=$STAGE/home TMPDIR=$STAGE/tmp USER=$ME LOGNAME=$ME PATH=$PGBIN:$PATH
	export PGHOST=$STAGE/sock PGPORT=5432 PGUSER=postgres PGDATABASE=postgres
	export PSQLRC=/dev/null PSQL_HISTORY=/dev/null PAGER=cat
}

# What git tracks or would track; where there is no git, all but what a build makes.
copy_tree() {
	local top f
	if have git &&
		top=$(git -c safe.directory='*' -C "$ROOT" rev-parse --show-toplevel 2>/dev/null) &&
		[ "$(cd "$top" && pwd -P)" = "$ROOT" ]; then
		git -c safe.directory='*' -C "$ROOT" ls-files -z --cached --others --exclude-standard |
			while IFS= read -r -d '' f; do
				[ ! -e "$ROOT/$f" ] || printf '%s\0' "$f"
			done |
			tar -C "$ROOT" --null --no-recursion -T - -cf - | tar -C "$STAGE/tree" --no-same-owner -xf -
	else
		tar -C "$ROOT" --exclude=./.git --exclude=./results --exclude=./tmp_check --exclude=./log \
			--exclude='*.o' --exclude='*.bc' --exclude='*.so' -cf - . |
			tar -C "$STAGE/tree" --no-same-owner -xf -
	fi
}

inner_make() {
	as_user "${LIMIT[@]}" make --no-print-directory "PG_CONFIG=$PG_CONFIG" "WERROR=${WERROR:-}" "${NO_LLVM[@]}" "$@"
}

NO_LLVM=()
build() {
	local log=$STAGE/log/build.log
	# Bitcode doubles the time of the build and no test needs it; CI proves that it builds.
	if [ "${CI:-}" != true ] || ! have clang; then
		NO_LLVM=(with_llvm=no)
	fi
	say "building for PostgreSQL $("$PG_CONFIG" --version | cut -d' ' -f2-)"
	if ! inner_make -s -j "$(getconf _NPROCESSORS_ONLN)" all >"$log" 2>&1; then
		tail -n 60 "$log" >&2
		die 'the build failed'
	fi
	if grep -q 'warning:' "$log"; then
		cat "$log" >&2
		[ "${WERROR:-}" != 1 ] || die 'the build gave warnings'
	fi
	inner_make -s install "DESTDIR=$STAGE/dest" >"$STAGE/log/install.log" 2>&1 || {
		tail -n 30 "$STAGE/log/install.log" >&2
		die 'make install failed'
	}
}

start_cluster() {
	local log=$STAGE/log
	say "starting a private cluster in $STAGE"
	as_user "$PGBIN/initdb" -D "$STAGE/data" -U postgres -A trust -E UTF8 --no-locale --no-sync \
		>"$log/initdb.log" 2>&1 || {
		tail -n 20 "$log/initdb.log" >&2
		die 'initdb failed'
	}
	write_settings
	cat >>"$STAGE/data/postgresql.conf" <<-EOF
		include '$STAGE/po_mgmt.conf'
		fsync = off
		full_page_writes = off
		timezone = 'UTC'
		log_timezone = 'UTC'
		max_prepared_transactions = 10
		log_line_prefix = '%m [%p] %q%a %d '
		listen_addresses = ''
		unix_socket_directories = '$STAGE/sock'
		port = 5432
	EOF
	as_user "$PGBIN/pg_ctl" -D "$STAGE/data" -l "$log/server.log" -w -t 300 \
		start >"$log/start.log" 2>&1 || {
		tail -n 20 "$log/start.log" "$log/server.log" >&2
		die 'the server did not start'
	}
}

# po_mgmt.conf: where a server finds the extension, and nothing else, since as TEMP_CONFIG it is
# also a part of the settings of the servers that the Perl tests make.
write_settings() {
	local conf=$STAGE/po_mgmt.conf dest=$STAGE/dest
	if as_user "$PGBIN/postgres" -D "$STAGE/data" -C extension_destdir >/dev/null 2>&1; then
		# Debian's own setting, up to 17
		cat >"$conf" <<-EOF
			extension_destdir = '$dest'
			dynamic_library_path = '$dest$("$PG_CONFIG" --pkglibdir):\$libdir'
		EOF
	elif as_user "$PGBIN/postgres" -D "$STAGE/data" -C extension_control_path >/dev/null 2>&1; then
		cat >"$conf" <<-EOF
			extension_control_path = '$dest$PGSHARE:\$system'
			dynamic_library_path = '$dest$("$PG_CONFIG" --pkglibdir):\$libdir'
		EOF
	else
		# No way to load an extension from elsewhere: such a server must be the caller's own.
		[ -w "$PGSHARE/extension" ] ||
			die "this PostgreSQL loads extensions from its own directories only, and you cannot write there; run \`make install\` for it as its owner, or choose another by PG_CONFIG"
		: >"$conf"
		say "note: installing into $PGSHARE/extension and $("$PG_CONFIG" --pkglibdir): this server loads extensions from nowhere else"
		cp -R "$dest/." / || die 'could not install'
	fi
	[ ${#AS[@]} -eq 0 ] || chown "$ME:" "$conf"
	export TEMP_CONFIG=$conf
}

# psql_user ARGUMENT...: psql in the private cluster (standard input is not passed on)
psql_user() { as_user "$PGBIN/psql" -X -q -v ON_ERROR_STOP=1 "$@"; }

stop_clusters() {
	local pidfile
	[ -n "$STAGE" ] && [ -d "$STAGE" ] || return 0
	# ours, and those that a Perl test that was killed has left
	find "$STAGE" -name postmaster.pid 2>/dev/null | while IFS= read -r pidfile; do
		as_user "$PGBIN/pg_ctl" -D "${pidfile%/*}" -m immediate -w -t 30 stop >/dev/null 2>&1 || true
	done
}

cleanup() {
	default_cluster_again
	[ -z "$APT_LOG" ] || rm -f "$APT_LOG"
	stop_clusters
	if [ -n "$STAGE" ] && [ -d "$STAGE" ]; then
		if [ "${KEEP:-}" = 1 ]; then
			say "kept: $STAGE"
		else
			rm -rf "$STAGE"
		fi
	fi
}
