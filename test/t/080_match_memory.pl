# 080_match_memory.pl: what a session keeps in memory of accounts (store_cache.c) never makes a match
# different from what the rules say (test/naive/rules.sql) under the same snapshot: after changes
# by other sessions, in the same transaction, after rollbacks, under old snapshots, for other
# roles, under row security, and where triggers do not fire as usual.
#
#   PO_SEED=42   the seed of the data; random by default, always printed

use strict;
use warnings;

use File::Basename qw(dirname);
use File::Spec;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $naive = File::Spec->rel2abs(dirname(__FILE__) . '/../naive');
my $seed = $ENV{PO_SEED} // int(rand(2**31));
diag "to reproduce: PO_SEED=$seed make check SUITE=tap TESTS=080_match_memory";

my $node = PostgreSQL::Test::Cluster->new('memory');
$node->init(allows_streaming => 'logical');
$node->append_conf('postgresql.conf', "autovacuum = off\njit = off\nmax_prepared_transactions = 5\n");
$node->start;
$node->safe_psql('postgres', 'CREATE DATABASE memory');
my $connection = $node->connstr('memory');

sub sql
{
	my ($statements) = @_;
	return $node->safe_psql('memory', $statements);
}

sql(<<'EOC');
CREATE SCHEMA po;
CREATE EXTENSION po_mgmt SCHEMA po;
ALTER DATABASE memory SET search_path = po, public;
ALTER DATABASE memory SET timezone = 'UTC';
EOC
my $base = sql(q{SELECT to_char(now(), 'YYYY-MM')});
system_or_bail('psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $connection, '-v', "seed=$seed", '-v', 'scale=0.04', '-v', "base=$base",
	'-f', "$naive/rules.sql", '-f', "$naive/generate.sql");

# test.differences: what po_match_invoice says otherwise than the rules, under one snapshot
sql(<<'EOC');
CREATE ROLE po_reader LOGIN;
CREATE ROLE po_restricted LOGIN;
CREATE SCHEMA test;
CREATE TABLE test.few AS SELECT * FROM naive.question WHERE invoice_id IS NULL AND issued_on IS NOT NULL;
CREATE VIEW test.differences WITH (security_invoker = true) AS
SELECT q.id, w.list AS want, g.list AS got
FROM test.few q
LEFT JOIN (SELECT id, array_agg(ROW(rank, po_number, line_number, line_item_id, line_type, specificity, covers, balance, po_updated_at)::text
	ORDER BY rank) AS list FROM naive.ranked GROUP BY id) w USING (id),
LATERAL (SELECT array_agg(m::text ORDER BY rank) AS list
	FROM po_match_invoice(account_id => q.account_id, bill_from => q.bill_from, line_type => q.line_type::po_line_type,
		billing_month => q.billing_month::po_month, amount => q.amount, currency => q.currency, issued_on => q.issued_on,
		requested_po_number => q.requested_po_number, requested_line_number => q.requested_line_number,
		agreement_id => q.agreement_id, tax_registration_number => q.tax_registration_number, out_of_cycle => q.out_of_cycle) m) g
WHERE w.list IS DISTINCT FROM g.list;
CREATE VIEW test.all_matches WITH (security_invoker = true) AS
SELECT q.id, m.line_item_id
FROM test.few q, po_match_invoice(account_id => q.account_id, bill_from => q.bill_from, line_type => q.line_type::po_line_type,
	billing_month => q.billing_month::po_month, amount => q.amount, out_of_cycle => q.out_of_cycle, max_rank => 1) m;
CREATE TABLE test.seen (a int);
GRANT USAGE ON SCHEMA po, naive, test TO po_reader, po_restricted;
GRANT SELECT ON ALL TABLES IN SCHEMA po, naive, test TO po_reader, po_restricted;
EOC
sql(q{SELECT setval('po_line_item_id_seq', (SELECT max(line_item_id) FROM po_line_item))});
cmp_ok(sql('SELECT count(*) FROM test.few'), '>', 300, 'invoices');
# whichever way the changes below turn them, there are always orders that are active
sql(q{UPDATE po_order SET status = CASE WHEN hashtext(account_id || po_number) % 2 = 0 THEN 'active' ELSE 'suspended' END});
# a change of each kind for every account, so that all that is kept is another
my %change = (
	suspend => q{UPDATE po_order SET status = CASE status WHEN 'active' THEN 'suspended' ELSE 'active' END;},
	shorten => q{UPDATE po_line_item SET end_month = start_month WHERE line_item_id % 3 = 0;},
	spend => q{UPDATE po_line_item SET consumed_before = consumed_before + 100 FROM po_order o
		WHERE balance_tracked AND (o.account_id, o.po_number) = (po_line_item.account_id, po_line_item.po_number)
		AND start_month >= effective_month AND end_month <= expiration_month;},
	book => q{INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, issued_on, amount, currency)
		SELECT account_id, bill_from, 'B' || id || '-' || txid_current(), line_type::po_line_type, billing_month::po_month, issued_on, 50, currency
		FROM test.few WHERE currency IS NULL OR currency ~ '^[A-Za-z]{3}$' ORDER BY id;},
	account => q{UPDATE po_account SET period_basis = CASE period_basis WHEN 'billing_period' THEN 'issue_date' ELSE 'billing_period' END;},
	taxonomy => q{UPDATE po_taxonomy SET out_of_cycle_only = NOT coalesce(out_of_cycle_only, false);},
	alias => q{UPDATE po_seller_alias SET enabled = NOT enabled;},
	drop => q{DELETE FROM po_line_item WHERE line_item_id % 5 = 0;},
	history => q{INSERT INTO po_line_item (line_item_id, account_id, po_number, line_number, line_type, start_month, end_month, amount, created_at, updated_at)
		SELECT nextval('po_line_item_id_seq'), account_id, po_number, 'H' || nextval('po_line_item_id_seq'), 'all', effective_month, expiration_month, 10, now(), now() FROM po_order;},
	replica => q{SET session_replication_role = replica;
		UPDATE po_line_item SET end_month = start_month WHERE line_item_id % 2 = 0;
		DELETE FROM po_line_item WHERE line_item_id % 7 = 0;
		UPDATE po_order SET status = CASE status WHEN 'active' THEN 'suspended' ELSE 'active' END;
		RESET session_replication_role;},
	no_triggers => q{BEGIN; ALTER TABLE po_line_item DISABLE TRIGGER ALL;
		UPDATE po_line_item SET end_month = start_month + 1 WHERE line_item_id % 2 = 1;
		ALTER TABLE po_line_item ENABLE TRIGGER ALL; ALTER TABLE po_line_item ENABLE ALWAYS TRIGGER "!po_mgmt_after"; COMMIT;},
	truncate => q{SET session_replication_role = replica; TRUNCATE po_line_item;},);

# ---------------------------------------------------------------------------
# A script for one session of psql: steps, and questions whose answers are compared
# ---------------------------------------------------------------------------

my (@script, @expected);
my $nothers = 0;
my $log = File::Spec->catfile($node->basedir, 'others.log');

sub step { push @script, @_; return }

# question: an SQL expression, and the answer to it
sub question
{
	my ($name, $expression, $answer) = @_;
	step('SELECT ' . scalar(@expected) . ", $expression;");
	push @expected, [ $name, $answer ];
	return;
}

# other: a change by another session, which commits, and leaves a line in the log
sub other
{
	my ($statements) = @_;
	my $file = File::Spec->catfile($node->basedir, 'other' . ++$nothers . '.sql');
	PostgreSQL::Test::Utils::append_to_file($file, "$statements\n\\o $log$nothers\nSELECT 'done';\n");
	step(qq{\\! psql -X -q -v ON_ERROR_STOP=1 -d "$connection" -f $file});
	return;
}

# same: several times, for what is read at the first time may be kept for the others
sub same
{
	my ($name) = @_;
	question($name . $_, '(SELECT count(*) FROM test.differences)', '0') for '', ', again', ', and again';
	return;
}

# scans: does matching read line items by index, or has it all in memory?
sub scans
{
	my ($name, $reads) = @_;
	my $scans = q{pg_stat_get_xact_numscans('po_line_item_match'::regclass)};
	step('SELECT count(*) AS n FROM test.all_matches \gset', 'SELECT count(*) AS n FROM test.all_matches \gset',
		"SELECT $scans AS scans \\gset", 'SELECT count(*) AS n FROM test.all_matches \gset');
	question($name, "$scans - :scans > 0", $reads ? 't' : 'f');
	return;
}

# run: the script in one session
sub run
{
	my ($title) = @_;
	my ($status, $out, $err) = $node->psql('memory', join("\n", '\set ON_ERROR_STOP 1', @script));
	is($status, 0, "$title: no error") or diag $err;
	my %got = map { /^(\d+)\|(.*)$/ ? ($1 => $2) : () } split /\n/, $out;
	is($got{$_}, $expected[$_][1], "$title: $expected[$_][0]") for 0 .. $#expected;
	is(scalar(grep { -s "$log$_" } 1 .. $nothers), $nothers, "$title: the other sessions did what they should");
	@script = @expected = ();
	return;
}

# ---------------------------------------------------------------------------
# Other sessions' changes
# ---------------------------------------------------------------------------

same('at first');
step('BEGIN;');
scans('what is kept is used', 0);
step('COMMIT;', 'SET po_mgmt.match_cache = 0;', 'BEGIN;');
scans('po_mgmt.match_cache = 0', 1);
step('COMMIT;', 'RESET po_mgmt.match_cache;');
for my $change (grep { $_ ne 'truncate' } sort keys %change)
{
	other($change{$change});
	same("another session: $change");
}
run('changes by another session');

step('BEGIN ISOLATION LEVEL REPEATABLE READ;');
same('at first');
for my $change (qw(suspend spend book account taxonomy drop history replica))
{
	scans('an old snapshot keeps what it sees', 0) if $change eq 'history';
	other($change{$change});
	same("REPEATABLE READ, another session: $change");
}
scans('after what accounts do not tell of it reads the tables', 1);
step('COMMIT;');
same('and after it all is new');
step('BEGIN ISOLATION LEVEL SERIALIZABLE;', 'SELECT count(*) AS n FROM test.all_matches \gset', 'INSERT INTO test.seen VALUES (1);');
other("BEGIN ISOLATION LEVEL SERIALIZABLE; SELECT count(*) FROM test.seen; $change{suspend} COMMIT;");
step('\set ON_ERROR_STOP 0', 'COMMIT;');
question('SERIALIZABLE: what comes from memory is a conflict, too', q{:'SQLSTATE'}, '40001');
step('\set ON_ERROR_STOP 1');
step('BEGIN;');
scans('and kept', 0);
step('COMMIT;', 'BEGIN;');
for my $change (qw(suspend spend history))
{
	other($change{$change});
	same("READ COMMITTED, within a transaction, another session: $change");
}
step('COMMIT;');
for my $change (qw(suspend history replica))
{
	other("BEGIN; $change{$change} PREPARE TRANSACTION 'change';");
	same("another transaction is in progress: $change");
	other(q{COMMIT PREPARED 'change';});
	same("another transaction was in progress: $change");
}
# nothing but the snapshot is new: no lock, no look at a catalog, and neither at messages
step('PREPARE differences AS SELECT count(*) FROM test.differences;', 'BEGIN;', ('EXECUTE differences \gset') x 8);
other($change{history});
step('EXECUTE differences \gset', 'COMMIT;');
question('a prepared query in a transaction', ':count', '0');
# what is in progress stays the same, what has ended does not
other(q{BEGIN; INSERT INTO test.seen VALUES (1); PREPARE TRANSACTION 'long';});
for my $change (qw(suspend spend taxonomy))
{
	same("beside a long transaction, before: $change");
	other($change{$change});
	same("beside a long transaction: $change");
}
other(q{ROLLBACK PREPARED 'long';});
run('snapshots');

# two snapshots in turns, one of them old
step('BEGIN;', 'DECLARE old CURSOR FOR SELECT count(*) FROM test.differences UNION ALL SELECT count(*) FROM test.differences;');
other($change{suspend});
same('beside an old cursor');
for (1, 2)
{
	step('FETCH old \gset old_');
	question('the old cursor', ':old_count', '0');
	same('beside an old cursor');
}
step('COMMIT;');
run('cursors');

# ---------------------------------------------------------------------------
# A session's own changes
# ---------------------------------------------------------------------------

same('at first');
for my $change (grep { $_ !~ /truncate|no_triggers/ } sort keys %change)
{
	step('BEGIN;', $change{$change});
	same("own change: $change");
	scans("own change, $change: nothing is taken from memory", 1);
	step('ROLLBACK;');
	same("rolled back: $change");
	step('BEGIN;', 'SAVEPOINT a;', $change{$change}, 'ROLLBACK TO a;');
	same("rolled back to a savepoint: $change");
	step('SAVEPOINT b;', $change{$change});
	same("after a savepoint: $change");
	step('RELEASE b;');
	same("released: $change");
	step('COMMIT;');
	same("committed: $change");
}
step('BEGIN;', $change{suspend}, q{PREPARE TRANSACTION 'p';});
same('prepared');
step(q{COMMIT PREPARED 'p';});
same('committed after it was prepared');
step(q{CREATE TEMP TABLE answer AS SELECT * FROM test.all_matches;}, 'BEGIN;', 'CREATE TEMP TABLE other (a int);', 'INSERT INTO other VALUES (1);');
scans('a transaction that wrote to other tables uses what is kept', 0);
step('COMMIT;');
run('own changes');

# ---------------------------------------------------------------------------
# Roles, row security, triggers
# ---------------------------------------------------------------------------

same('at first');
step('SET ROLE po_reader;');
same('another role');
step('RESET ROLE;');
for my $table (qw(po_line_item po_taxonomy))
{
	other("REVOKE SELECT ON $table FROM po_reader, PUBLIC;");
	step('SELECT count(*) AS n FROM test.all_matches \gset');
	step('SET ROLE po_reader;', '\set ON_ERROR_STOP 0', 'SELECT count(*) AS n FROM test.all_matches \gset');
	question("a role that lost SELECT on $table gets an error", q{:'SQLSTATE'}, '42501');
	step('\set ON_ERROR_STOP 1');
	step('RESET ROLE;');
	other("GRANT SELECT ON $table TO po_reader;");
}
same('after that');
other(q{ALTER TABLE po_line_item ENABLE ROW LEVEL SECURITY; CREATE POLICY part ON po_line_item TO po_restricted USING (line_item_id % 5 <> 0);
	CREATE POLICY whole ON po_line_item TO po_reader USING (true);});
same('row security, as superuser');
step('SET ROLE po_restricted;');
same('row security, restricted');
step('SET ROLE po_reader;');
same('row security, not restricted');
step('RESET ROLE;');
other('ALTER TABLE po_line_item DISABLE ROW LEVEL SECURITY;');
step('SET ROLE po_restricted;');
same('row security switched off');
step('RESET ROLE;', 'BEGIN;');
scans('and what is kept is used', 0);
step('COMMIT;');
for my $trigger ('"~po_mgmt_before"', '"!po_mgmt_after"')
{
	other("ALTER TABLE po_order DISABLE TRIGGER $trigger;");
	step('BEGIN;');
	scans("without the trigger $trigger nothing is kept", 1);
	step('COMMIT;');
	other('SET session_replication_role = replica; ' . $change{suspend});
	same("without the trigger $trigger");
	other('ALTER TABLE po_order ENABLE TRIGGER "~po_mgmt_before"; ALTER TABLE po_order ENABLE ALWAYS TRIGGER "!po_mgmt_after";');
	same("with the trigger $trigger again");
	step('BEGIN;');
	scans("with the trigger $trigger again", 0);
	step('COMMIT;');
}
step('SET po_mgmt.match_cache = 64;');
same('little memory');
run('roles and triggers');

# An old snapshot that is read first after triggers were off must not leave what it saw to others.
step('BEGIN ISOLATION LEVEL REPEATABLE READ;', 'SELECT 1 AS n \gset');
other($change{no_triggers});
same('an old snapshot');
step('COMMIT;');
same('a new one');
run('triggers off under an old snapshot');

same('at first');
step('BEGIN ISOLATION LEVEL REPEATABLE READ;', 'SELECT 1 AS n \gset');
other($change{truncate});
same('truncated, an old snapshot');
step('COMMIT;');
same('truncated');
run('truncated without triggers');

$node->stop;
done_testing();
