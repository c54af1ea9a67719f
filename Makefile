# po_mgmt: AWS-style purchase order management in PostgreSQL
#
#   make && sudo make install    build, and install into the server of pg_config; po-notifier, too,
#                                where libcurl's development files are
#   make check                   all tests, in a private cluster (see test/run.sh)
#   make check SUITE=regress     one suite: regress, isolation, pgtap, tap or unit
#   make check-all               all tests on PostgreSQL 15, 17 and 18 (see test/all.sh)
#   make check-asserts           all tests on a PostgreSQL with assertions, built for it (see test/checked.sh)
#   make check-valgrind          tests under Valgrind
#   make deb                     Debian packages, into results/deb
#   make check-deb               these, installed and tried in a new Debian without a compiler; it says
#                                how long it took (see test/deb.sh)
#   make dist                    po_mgmt-VERSION.zip for PGXN, from the last commit
#   make demo                    a guided tour, in a private cluster
#
# PG_CONFIG=/path/to/pg_config chooses the PostgreSQL; WERROR=1 makes warnings errors.

EXTENSION = po_mgmt
MODULE_big = po_mgmt
DATA = $(sort $(wildcard sql/po_mgmt--*.sql))
OBJS := $(patsubst %.c,%.o,$(sort $(wildcard src/*.c)))
PGFILEDESC = "po_mgmt - purchase order management"

# Headers of PostgreSQL itself have unused parameters in inline functions (executor.h,
# lib/simplehash.h), and PG_FUNCTION_ARGS is one where a function has no arguments.
PG_CFLAGS += -Wall -Wextra -Wno-unused-parameter
ifeq ($(WERROR),1)
PG_CFLAGS += -Werror
endif

# Every test/sql/NAME.sql and test/specs/NAME.spec is a test; its expected output is
# expected/NAME.out. PostgreSQL 15 looks for that in the output directory and 16 and later
# in the current one, hence --outputdir=. for isolation, so that one place serves all.
REGRESS := $(sort $(notdir $(basename $(wildcard test/sql/*.sql))))
REGRESS_OPTS = --inputdir=test --load-extension=po_mgmt
ISOLATION := $(sort $(notdir $(basename $(wildcard test/specs/*.spec))))
ISOLATION_OPTS = --inputdir=test --outputdir=. --load-extension=po_mgmt

# The program that sends notifications; like nothing else here it needs libcurl.
NOTIFIER = src/notifier/po-notifier
NOTIFIER_OBJS := $(patsubst %.c,%.o,$(sort $(wildcard src/notifier/*.c)))

EXTRA_CLEAN = src/*.bc $(NOTIFIER) $(NOTIFIER_OBJS)

# PGXS has a rule for "check" that runs nothing and exits 0. So the goals that drive a
# private cluster are kept apart from it. They also have to work where there is no pg_config
# yet. Other goals named beside one of them are made by a make of their own.
DRIVERS = check check-all check-asserts check-valgrind check-deb deb demo dist bench

ifneq (,$(filter $(DRIVERS),$(MAKECMDGOALS)))

.NOTPARALLEL:
.PHONY: $(MAKECMDGOALS)

export PG_CONFIG SUITE TESTS VERSIONS KEEP CI WERROR

check:
	@bash test/run.sh

check-all:
	@bash test/all.sh

check-asserts check-valgrind:
	@bash test/checked.sh $(@:check-%=%)

check-deb:
	@bash test/deb.sh check

deb:
	@bash test/deb.sh build

dist:
	@version=$$(sed -n 's/^  "version": "\(.*\)",/\1/p' META.json) && \
	git archive --format=zip --prefix=po_mgmt-$$version/ -o po_mgmt-$$version.zip HEAD && ls -l po_mgmt-$$version.zip

demo:
	@bash doc/demo/run.sh

bench:
	@bash bench/run.sh

OTHERS = $(filter-out $(DRIVERS),$(MAKECMDGOALS))
ifneq (,$(OTHERS))
$(OTHERS):
	$(MAKE) $@
endif

else

PG_CONFIG = pg_config
PGXS := $(shell $(PG_CONFIG) --pgxs)
ifeq (,$(wildcard $(PGXS)))
$(error $(PG_CONFIG) --pgxs names no file: install the server's development files (on Debian \
postgresql-server-dev-NN), or give PG_CONFIG=/path/to/pg_config)
endif
include $(PGXS)

# Debian builds PostgreSQL without dependency tracking
$(OBJS) $(OBJS:.o=.bc): $(sort $(wildcard src/*.h))
$(NOTIFIER_OBJS): $(sort $(wildcard src/notifier/*.h)) po_mgmt.control

NOTIFIER_CPPFLAGS = -D_GNU_SOURCE -I$(includedir) \
	-DPO_VERSION='"$(shell sed -n "s/^default_version = '\(.*\)'/\1/p" po_mgmt.control)"'
NOTIFIER_NEEDS = \#include <curl/curl.h>\n\#include <libpq-fe.h>\n
NOTIFIER_BUILDS := $(shell printf '$(NOTIFIER_NEEDS)' | $(CC) -I$(includedir) -E -x c - >/dev/null 2>&1 && echo yes)

ifeq (yes,$(NOTIFIER_BUILDS))

all: $(NOTIFIER)
install: install-notifier

$(NOTIFIER): $(NOTIFIER_OBJS)
	$(CC) $(CFLAGS) $(NOTIFIER_OBJS) $(LDFLAGS) -L$(libdir) -lpq -lcurl -o $@

$(NOTIFIER_OBJS): %.o: %.c
	$(CC) $(CFLAGS) $(NOTIFIER_CPPFLAGS) -c -o $@ $<

.PHONY: install-notifier
install-notifier: $(NOTIFIER)
	$(MKDIR_P) '$(DESTDIR)$(bindir)'
	$(INSTALL_PROGRAM) $(NOTIFIER) '$(DESTDIR)$(bindir)/po-notifier'

uninstall: uninstall-notifier
.PHONY: uninstall-notifier
uninstall-notifier:
	rm -f '$(DESTDIR)$(bindir)/po-notifier'

else

all: without-notifier
.PHONY: without-notifier
without-notifier:
	@echo 'po-notifier is left out: it needs the development files of libcurl and libpq (on Debian libcurl4-openssl-dev and libpq-dev)'

endif

endif
