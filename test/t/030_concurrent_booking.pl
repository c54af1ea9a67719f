# 030_concurrent_booking.pl: 8 sessions book invoices on 3 accounts at once, under each isolation
# level. Afterwards the books are true, no invoice is lost or doubled, and what was booked is
# what one session would have booked, one invoice after another (product.md, section 5).
#
#   PO_SECONDS=30  how long they book under each isolation level, half of it in each of two
#                  runs (6; with PO_LONG=1 60)
#   PO_SEED=42     the seed of configuration and load; always printed. What the sessions do one
#                  by one is then the same, but not how they interleave.
#
# For each level there are two runs, each in a database of its own:
#   edits    while a further session edits line items and orders
#   alone    nothing but bookings. These invoices are then booked once more, in the order in
#            which they were recorded, by one session in a database with the same configuration.
#
# Invoices come by single inserts, inserts of several rows, of one account or two, with and
# without ON CONFLICT DO NOTHING (some of them twice), as credit memos with and without an
# original, and in transactions that are rolled back in whole or in part. pgbench repeats what
# failed with 40001 or 40P01.

use strict;
use warnings;

use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $seconds = $ENV{PO_SECONDS} || ($ENV{PO_LONG} ? 60 : 6);
my $seed = $ENV{PO_SEED} // int(rand(2**31));
my $clients = 8;
my $dir = PostgreSQL::Test::Utils::tempdir;

die "PO_SECONDS is not a number from 2: $seconds" unless $seconds =~ /^\d+$/ && $seconds >= 2;
die "PO_SEED is not a number: $seed" unless $seed =~ /^\d+$/;
diag("PO_SEED=$seed PO_SECONDS=$seconds");
my $run_seconds = int($seconds / 2);

my $node = PostgreSQL::Test::Cluster->new('booking');
$node->init;
$node->append_conf('postgresql.conf', <<'EOC');
shared_buffers = 128MB
max_wal_size = 4GB
deadlock_timeout = 20ms
log_line_prefix = '%m [%p] %e '
max_pred_locks_per_transaction = 1024
jit = off
EOC
$node->start;

# ---------------------------------------------------------------------------
# The configuration: 3 accounts, each with 6 orders of 5 line items, most of them tracked. The
# line items overlap in type and month, and their totals are such that a part of them runs out
# during the load, so that choices depend on balances.
# ---------------------------------------------------------------------------

$node->safe_psql('postgres', 'CREATE DATABASE config');
$node->safe_psql('config', <<EOS);
CREATE EXTENSION po_mgmt;
SELECT setseed($seed % 1000 / 1000.0);
INSERT INTO po_account (account_id, period_basis, max_line_items) VALUES
	('A1', 'billing_period', 1000), ('A2', 'issue_date', 1000), ('A3', 'status_on_issue', 1000);
INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month)
	SELECT 'A' || a, 'P' || o, CASE WHEN o = 6 THEN 'AWS EMEA SARL' ELSE 'AWS Inc.' END, '2025-01', '2099-12'
	FROM generate_series(1, 3) a, generate_series(1, 6) o;
INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, balance_tracked,
		amount, quantity, tax, tax_kind, consumed_before)
	SELECT 'A' || a, 'P' || o, i, CASE i WHEN 1 THEN 'usage' WHEN 2 THEN 'usage' WHEN 3 THEN 'subscription' ELSE 'all' END::po_line_type,
		CASE WHEN i = 2 THEN '2026-02' ELSE '2025-01' END::po_month,
		CASE WHEN i = 1 THEN '2026-01' ELSE '2099-12' END::po_month,
		i <> 5 OR o > 2, round((random() * 1500 * $run_seconds + 50)::numeric, 2), 1 + (random() * 3)::int, round((random() * 10)::numeric, 2),
		CASE WHEN random() < 0.5 THEN 'percent' ELSE 'absolute' END, round((random() * 50)::numeric, 3)
	FROM generate_series(1, 3) a, generate_series(1, 6) o, generate_series(1, 5) i;
CREATE SEQUENCE load_id CACHE 100;
-- what was inserted by statements that may insert less than they are given; committed with it
CREATE TABLE told (invoice_id text);
CREATE FUNCTION a_type(n integer) RETURNS po_line_type LANGUAGE sql IMMUTABLE
	RETURN (ARRAY['usage', 'usage', 'usage', 'subscription', 'subscription', 'marketplace', 'all'])[1 + n % 7]::text::po_line_type;
CREATE FUNCTION a_month(n integer) RETURNS po_month LANGUAGE sql IMMUTABLE
	RETURN '2026-01'::po_month + n % 3;
CREATE FUNCTION a_day(n integer) RETURNS date LANGUAGE sql IMMUTABLE
	RETURN '2026-01-20'::date + n % 50;
CREATE FUNCTION a_seller(n integer) RETURNS text LANGUAGE sql IMMUTABLE
	RETURN CASE WHEN n % 6 = 0 THEN 'AWS EMEA SARL' WHEN n % 6 = 1 THEN 'Amazon Web Services, Inc.'
		WHEN n % 30 = 2 THEN 'AWS Japan' ELSE 'AWS Inc.' END;
EOS

# ---------------------------------------------------------------------------
# The load. Each script's invoice ids begin with a letter of its own.
# ---------------------------------------------------------------------------

my $random = <<'EOS';
\set account random(1, 3)
\set n random(1, 1000000)
\set amount random(0, 20000)
EOS
my $columns = '(account_id, bill_from, invoice_id, line_type, billing_month, issued_on, amount)';

my %scripts = (
	# one invoice
	single => $random . <<EOS,
INSERT INTO po_invoice $columns
	VALUES ('A' || :account, a_seller(:n), 'S' || nextval('load_id'), a_type(:n / 7), a_month(:n / 49), a_day(:n), :amount / 100.0)
	RETURNING po_number, line_number;
EOS
	# 3 invoices in a statement, and one more in its transaction
	several => $random . <<EOS,
BEGIN;
INSERT INTO po_invoice $columns
	SELECT 'A' || :account, a_seller(:n), 'M' || nextval('load_id'), a_type(:n / 7 + g), a_month(:n / 49), a_day(:n), :amount / 100.0
	FROM generate_series(1, 3) g;
INSERT INTO po_invoice $columns
	VALUES ('A' || :account, a_seller(:n), 'M' || nextval('load_id'), a_type(:n / 7), a_month(:n / 49), a_day(:n), :amount / 200.0);
COMMIT;
EOS
	# 50 invoices of all kinds in a statement
	bulk => $random . <<EOS,
INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, issued_on, amount, original_invoice_id)
	SELECT 'A' || :account, a_seller(h), 'B' || nextval('load_id'), a_type(h / 7), a_month(h / 49), a_day(h / 147),
		CASE WHEN g % 7 = 0 THEN -1 ELSE 1 END * (h % 9000) / 100.0, CASE WHEN g % 14 = 0 THEN 'D' || h % 2000 END
	FROM generate_series(1, 50) g, LATERAL (SELECT hashint4(:n + g) & 2147483647 AS h) r;
EOS
	# invoices of two accounts in a statement, in any order: these may be 40P01
	both => $random . <<EOS,
\\set other 1 + (:account + random(0, 1)) % 3
INSERT INTO po_invoice $columns
	SELECT 'A' || CASE WHEN g % 2 = 0 THEN :account ELSE :other END, a_seller(:n + g), 'X' || nextval('load_id'), a_type(:n / 7 + g), a_month(:n / 49),
		a_day(:n), :amount / 100.0
	FROM generate_series(1, 6) g;
EOS
	# the same invoices again and again
	again => $random . <<EOS,
\\set id random(1, 2000)
WITH i AS (
	INSERT INTO po_invoice $columns
		SELECT 'A' || :account, 'AWS Inc.', 'D' || (:id + g % 3), a_type(:n / 7), a_month(:n / 49), a_day(:n), :amount / 100.0
		FROM generate_series(1, 4) g
		ON CONFLICT DO NOTHING RETURNING account_id || invoice_id AS id)
INSERT INTO told SELECT id FROM i;
EOS
	# a credit memo without an original
	memo => $random . <<EOS,
INSERT INTO po_invoice $columns
	VALUES ('A' || :account, a_seller(:n), 'C' || nextval('load_id'), a_type(:n / 7), a_month(:n / 49), a_day(:n), - :amount / 100.0);
EOS
	# a credit memo of an invoice that may or may not be there
	memo_of => $random . <<EOS,
\\set id random(1, 2000)
INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, issued_on, amount, original_invoice_id)
	VALUES ('A' || :account, 'AWS Inc.', 'O' || nextval('load_id'), a_type(:n / 7), a_month(:n / 49), a_day(:n), - :amount / 100.0, 'D' || :id);
EOS
	# rolled back
	rollback => $random . <<EOS,
BEGIN;
INSERT INTO po_invoice $columns
	SELECT 'A' || :account, a_seller(:n), 'R' || nextval('load_id'), a_type(:n / 7), a_month(:n / 49), a_day(:n), :amount / 10.0
	FROM generate_series(1, 2) g;
ROLLBACK;
EOS
	# rolled back to a savepoint between two that stay
	savepoint => $random . <<EOS,
BEGIN;
INSERT INTO po_invoice $columns
	VALUES ('A' || :account, a_seller(:n), 'P' || nextval('load_id'), a_type(:n / 7), a_month(:n / 49), a_day(:n), :amount / 100.0);
SAVEPOINT s;
INSERT INTO po_invoice $columns
	VALUES ('A' || :account, a_seller(:n), 'R' || nextval('load_id'), a_type(:n / 7), a_month(:n / 49), a_day(:n), :amount / 10.0);
ROLLBACK TO s;
INSERT INTO po_invoice $columns
	VALUES ('A' || :account, a_seller(:n), 'P' || nextval('load_id'), a_type(:n / 7), a_month(:n / 49), a_day(:n), :amount / 300.0);
COMMIT;
EOS
);

my %weight = (single => 12, bulk => 1, both => 1, several => 3, again => 3, memo => 2, memo_of => 2, rollback => 2, savepoint => 2);
my %letter = (bulk => 'B', both => 'X', single => 'S', several => 'M', again => 'D', memo => 'C', memo_of => 'O', rollback => 'R', savepoint => 'P');
# how many invoices a transaction of a script leaves; those that are inserted again tell
my %leaves = (bulk => 50, both => 6, single => 1, several => 4, memo => 1, memo_of => 1, rollback => 0, savepoint => 2);

# what the further session does
my $edit = <<'EOS';
\set account random(1, 3)
\set o random(1, 6)
\set i random(1, 5)
\set what random(1, 10)
\set amount random(0, 90000)
\if :what <= 4
UPDATE po_line_item SET amount = :amount / 50.0, consumed_before = :i WHERE account_id = 'A' || :account AND po_number = 'P' || :o AND line_number = :i::text;
\elif :what = 5
UPDATE po_order SET description = 'edited ' || :amount WHERE account_id = 'A' || :account AND po_number = 'P' || :o;
\elif :what = 6
SELECT po_suspend('A' || :account, 'P' || :o);
\elif :what = 7
SELECT po_activate('A' || :account, 'P' || p) FROM generate_series(1, 6) p;
\elif :what = 8
UPDATE po_line_item SET balance_tracked = NOT balance_tracked WHERE account_id = 'A' || :account AND po_number = 'P' || :o AND line_number = :i::text;
\elif :what = 9
INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, balance_tracked, amount)
	VALUES ('A' || :account, 'P' || :o, 'N' || :amount, 'usage', '2026-01', '2026-03', true, :amount / 50.0) ON CONFLICT DO NOTHING;
\else
DELETE FROM po_line_item WHERE account_id = 'A' || :account AND po_number = 'P' || :o
	AND line_number = (SELECT max(line_number) FROM po_line_item WHERE account_id = 'A' || :account AND po_number = 'P' || :o AND line_number LIKE 'N%');
\endif
EOS

sub write_file
{
	my ($name, $text) = @_;
	open(my $fh, '>', "$dir/$name") or die "$dir/$name: $!";
	print $fh $text;
	close $fh;
	return "$dir/$name";
}

my @names = sort keys %scripts;

write_file("$_.sql", $scripts{$_}) for @names;
write_file('edit.sql', $edit);

sub sql
{
	my ($db, $statement) = @_;
	return $node->safe_psql($db, $statement);
}

# ---------------------------------------------------------------------------
# Running it
# ---------------------------------------------------------------------------

# start: starts a pgbench, whose output goes to NAME.out
sub start
{
	my ($name, $db, $level, @args) = @_;

	local $ENV{PGOPTIONS} = '-c default_transaction_isolation=' . lc($level) =~ s/ /\\ /r;
	return IPC::Run::start(
		[ 'pgbench', '-n', '-T', $run_seconds, '--max-tries=0', "--random-seed=$seed", @args,
			'-h', $node->host, '-p', $node->port, $db ],
		'<', \undef, '>', "$dir/$name.out", '2>', "$dir/$name.err",
		IPC::Run::timeout($run_seconds + 2 * $PostgreSQL::Test::Utils::timeout_default));
}

# numbers: what a pgbench says that it did, script by script and in all
sub numbers
{
	my ($name) = @_;
	my $out = slurp_file("$dir/$name.out");
	my %n = (failed => 0, retries => 0);

	$n{$1} = $2 while $out =~ m{^SQL script \d+: \S*/(\w+)\.sql\n - weight.*\n - (\d+) transactions}mg;
	$n{all} = $1 if $out =~ /^number of transactions actually processed: (\d+)/m;
	$n{failed} = $1 if $out =~ /^number of failed transactions: (\d+)/m;
	$n{retries} = $1 if $out =~ /^total number of retries: (\d+)/m;
	return \%n;
}

# errors: how often each SQLSTATE came up in the server's log since the last time
my $log_read = 0;

sub errors
{
	my $log = slurp_file($node->logfile, $log_read);
	my %seen;

	$log_read = -s $node->logfile;
	$seen{$1}++ while $log =~ /^\S+ \S+ \S+ \[\d+\] (\w{5}) (?:ERROR|FATAL|PANIC):/mg;
	return \%seen;
}

# books: everything that has to be true of a database after the load
sub books
{
	my ($db, $what) = @_;

	is(sql($db, q{
		SELECT i.account_id, i.po_number, i.line_number, i.balance, i.total_value - i.consumed_before - coalesce(sum(v.amount), 0)
		FROM po_line_item i LEFT JOIN po_invoice v ON v.account_id = i.account_id AND v.line_item_id = i.line_item_id
		WHERE i.balance_tracked
		GROUP BY i.account_id, i.line_item_id
		HAVING i.balance IS DISTINCT FROM i.total_value - i.consumed_before - coalesce(sum(v.amount), 0)}),
		'', "$what: balance = total_value - consumed_before - sum(amount) for every tracked line item");
	is(sql($db, q{
		SELECT i.account_id, i.po_number, i.line_number, i.balance, sum(l.amount), (array_agg(l.balance_after ORDER BY l.entry_id DESC))[1]
		FROM po_line_item i LEFT JOIN po_ledger l ON l.account_id = i.account_id AND l.line_item_id = i.line_item_id
		WHERE i.balance_tracked
		GROUP BY i.account_id, i.line_item_id
		HAVING i.balance IS DISTINCT FROM sum(l.amount)
		OR i.balance IS DISTINCT FROM (array_agg(l.balance_after ORDER BY l.entry_id DESC))[1]}),
		'', "$what: the ledger adds up to the balance and ends with it");
	is(sql($db, q{
		SELECT * FROM (SELECT account_id, line_item_id, entry_id, balance_after,
			sum(amount) OVER (PARTITION BY account_id, line_item_id ORDER BY entry_id) AS running FROM po_ledger) l
		WHERE balance_after <> running}),
		'', "$what: each balance_after follows from the entry before");
	is(sql($db, q{
		SELECT * FROM (SELECT account_id, entry_id, recorded_at, lag(recorded_at) OVER (PARTITION BY account_id ORDER BY entry_id) AS before
			FROM po_ledger) l
		WHERE recorded_at < before}),
		'', "$what: entry_id and recorded_at ascend together within an account");
	is(sql($db, q{
		SELECT account_id, bill_from, invoice_id, count(l.entry_id)
		FROM po_invoice v LEFT JOIN po_ledger l USING (account_id, bill_from, invoice_id)
		GROUP BY account_id, bill_from, invoice_id
		HAVING count(l.entry_id) <> count(v.line_item_id)}),
		'', "$what: one ledger entry for each invoice that is booked, none for another");
	is(sql($db, 'SELECT * FROM po_check_integrity()'), '', "$what: po_check_integrity() finds nothing");
}

# run: the load, and what it left; with a session that edits, or without
sub run
{
	my ($level, $what) = @_;
	my $db = lc("${level}_$what") =~ s/ /_/gr;
	my $title = "$level, $what";
	my $began = time;
	my ($n, $edits, $editor);

	sql('postgres', "CREATE DATABASE $db TEMPLATE config");
	# (one thread: pgbench's threads count transactions by script without a lock)
	my $load = start($db, $db, $level, '-c', $clients, '-j', 1, map { ('-f', "$dir/$_.sql\@$weight{$_}") } @names);
	$editor = start("$db.edit", $db, $level, '-R', 40, '-f', "$dir/edit.sql") if $what eq 'edits';
	ok($load->finish && slurp_file("$dir/$db.err") !~ /abort|error:/, "$title: no client gave up")
	  or diag(slurp_file("$dir/$db.err"));
	if ($editor)
	{
		ok($editor->finish && slurp_file("$dir/$db.edit.err") !~ /abort|error:/, "$title: nor did the session that edits")
		  or diag(slurp_file("$dir/$db.edit.err"));
		$edits = numbers("$db.edit");
	}
	$n = numbers($db);
	my $errors = errors();

	# no invoice is lost or doubled
	my %found = map { split /\|/ } split /\n/, sql($db, 'SELECT left(invoice_id, 1), count(*) FROM po_invoice GROUP BY 1');
	for my $name (grep { exists $leaves{$_} } @names)
	{
		my $there = $found{ $letter{$name} } // 0;
		is($there, ($n->{$name} // -1) * $leaves{$name}, "$title: invoices of \"$name\" are those of the transactions that went well");
	}
	is(sql($db, q{SELECT count(*), count(DISTINCT invoice_id) FROM told}),
		($found{D} // 0) . '|' . ($found{D} // 0), "$title: invoices of \"again\" are those that it was told of, once");
	is(sql($db, q{SELECT count(*) FROM po_invoice v FULL JOIN told t ON t.invoice_id = v.account_id || v.invoice_id
		WHERE (v.invoice_id LIKE 'D%' OR v.invoice_id IS NULL) AND (t.invoice_id IS NULL OR v.invoice_id IS NULL)}),
		0, "$title: and the same ones");
	books($db, $title);

	my $seen = sql($db, q{
		SELECT format('%s invoices, %s of them booked, on %s of %s line items; %s line items are overdrawn',
			(SELECT count(*) FROM po_invoice), (SELECT count(*) FROM po_invoice WHERE po_number IS NOT NULL),
			(SELECT count(DISTINCT line_item_id) FROM po_invoice), count(*), count(*) FILTER (WHERE balance < 0)) FROM po_line_item});
	note(sprintf('%s: %d transactions in %d s (%s), %d retries, %d given up at the end; %s; errors: %s%s; %.1f s in all',
		$title, $n->{all} // -1, $run_seconds, join(', ', map { "$_ " . ($n->{$_} // 0) } @names), $n->{retries}, $n->{failed}, $seen,
		join(', ', map { "$_ x $errors->{$_}" } sort keys %$errors) || 'none',
		$edits ? sprintf('; %d edits, %d retries', $edits->{all} // -1, $edits->{retries}) : '', time - $began));
	is(join(' ', grep { !/^(40001|40P01)$/ } sort keys %$errors), '', "$title: no errors but 40001 and 40P01");
	return $db;
}

# replay: the invoices of a database once more, one at a time; how many are booked elsewhere
sub replay
{
	my ($db, $order) = @_;
	my $again = "${db}_again";

	sql('postgres', "DROP DATABASE IF EXISTS $again");
	sql('postgres', "CREATE DATABASE $again TEMPLATE config");
	my $rows = sql($db, qq{
		COPY (SELECT account_id, bill_from, invoice_id, kind, line_type, billing_month, issued_on, amount, original_invoice_id,
				po_number, line_number, line_item_id, association_kind, recorded_at
			FROM po_invoice) TO STDOUT});
	write_file('replay.copy', "$rows\n");
	write_file('replay.sql', <<EOS);
SET client_min_messages = warning;
CREATE TABLE first_time (account_id text, bill_from text, invoice_id text, kind text, line_type po_line_type, billing_month po_month,
	issued_on date, amount numeric, original_invoice_id text, po_number text, line_number text, line_item_id bigint,
	association_kind text, recorded_at timestamptz);
\\copy first_time FROM '$dir/replay.copy'
SET synchronous_commit = off;
SELECT format('INSERT INTO po_invoice (account_id, bill_from, invoice_id, kind, line_type, billing_month, issued_on, amount, original_invoice_id)
	VALUES (%L, %L, %L, %L, %L, %L, %L, %L, %L)', account_id, bill_from, invoice_id, kind, line_type, billing_month, issued_on, amount, original_invoice_id)
	FROM first_time ORDER BY account_id, $order
\\gexec
EOS
	$node->command_ok([ 'psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr($again), '-o', "$dir/replay.out", '-f', "$dir/replay.sql" ],
		"$db: all invoices are inserted once more");
	my ($count, $elsewhere) = split /\|/, sql($again, q{
		SELECT count(*), count(*) FILTER (WHERE (f.po_number, f.line_number, f.line_item_id, f.association_kind)
			IS DISTINCT FROM (v.po_number, v.line_number, v.line_item_id, v.association_kind))
		FROM first_time f FULL JOIN po_invoice v USING (account_id, bill_from, invoice_id)});
	return ($count, $elsewhere, $again);
}

for my $level ('READ COMMITTED', 'REPEATABLE READ', 'SERIALIZABLE')
{
	run($level, 'edits');

	my $db = run($level, 'alone');
	my $began = time;

	# ledger and invoices are recorded in one order
	is(sql($db, q{
		SELECT count(*) FROM (
			SELECT v.recorded_at, lag(v.recorded_at) OVER (PARTITION BY l.account_id ORDER BY l.entry_id) AS before
			FROM po_ledger l JOIN po_invoice v USING (account_id, bill_from, invoice_id)) o
		WHERE recorded_at <= before}), 0, "$level: invoices are recorded in the order of the ledger");
	my ($count, $elsewhere, $again) = replay($db, 'recorded_at');
	is($elsewhere, 0, "$level: $count invoices, booked one after another in the order of recorded_at, go to the same line items");
	is(sql($again, 'SELECT account_id, line_item_id, balance FROM po_line_item ORDER BY 1, 2'),
		sql($db, 'SELECT account_id, line_item_id, balance FROM po_line_item ORDER BY 1, 2'), "$level: and leave the same balances");
	note(sprintf('%s: %d invoices replayed, %d of them elsewhere; %.1f s', $level, $count, $elsewhere, time - $began));

	# control: in another order they do not, so the comparison can fail
	if ($level eq 'READ COMMITTED')
	{
		($count, $elsewhere) = replay($db, 'recorded_at DESC');
		cmp_ok($elsewhere, '>', 0, 'control: booked in the reverse order they go elsewhere');
		note("control: $elsewhere of $count elsewhere");
	}
}

is(scalar(() = slurp_file($node->logfile) =~ /PANIC:|TRAP:|terminated by signal|\bXX\d\d\d\b/g), 0, 'nothing crashed');
$node->stop;
done_testing();
