# 010_differential.pl: po_match_invoice() and po_explain_match() against an independent
# statement of the same rules in plain SQL (test/naive/rules.sql), on random accounts and
# invoices (test/naive/generate.sql). The whole ranked list has to be the same, every time.
#
#   PO_SEED=42      the seed; random by default, always printed
#   PO_SCALE=5      five times the data (1: 500 accounts, 20,000 invoices)
#   PO_BASE=2026-11 the month that the data is about; the current one by default
#
# Seed, scale and base together reproduce the data of a failure:
#   PO_SEED=42 PO_BASE=2026-11 make check SUITE=tap TESTS=010_differential

use strict;
use warnings;

use File::Basename qw(dirname);
use File::Spec;
use IO::Handle;
use POSIX ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $naive = File::Spec->rel2abs(dirname(__FILE__) . '/../naive');
my $seed = $ENV{PO_SEED} // int(rand(2**31));
my $scale = $ENV{PO_SCALE} // 1;
my $base = $ENV{PO_BASE};
my $began = time;

die "PO_SEED is not a number: $seed" unless $seed =~ /^-?\d+$/;
die "PO_SCALE is not a number: $scale" unless $scale =~ /^\d*\.?\d+$/ && $scale > 0;
die "PO_BASE is not a month like 2026-11: $base" if defined $base && $base !~ /^\d{4}-\d{2}$/;

my $node = PostgreSQL::Test::Cluster->new('differential');
$node->init;
$node->append_conf('postgresql.conf', <<'EOC');
shared_buffers = 256MB
work_mem = 64MB
max_wal_size = 4GB
autovacuum = off
jit = off
max_parallel_workers_per_gather = 2
EOC
$node->start;

# A database whose locale does not sort by bytes, where the server can have one.
my $icu = $node->safe_psql('postgres',
	q{SELECT collname FROM pg_collation WHERE collprovider = 'i' AND collname IN ('en-x-icu', 'und-x-icu') ORDER BY 1 LIMIT 1});
$node->safe_psql('postgres',
	q{CREATE DATABASE diff TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C' }
	  . ($icu ? q{LOCALE_PROVIDER icu ICU_LOCALE 'en'} : ''));

# sql: runs statements as a role and returns what they print; anything that fails ends the test
sub sql
{
	my ($statements, $role) = @_;
	return $node->safe_psql('diff', $statements, extra_params => $role ? [ '-U', $role ] : []);
}

# sql_error: runs a statement as a role that must fail, and returns the message
sub sql_error
{
	my ($statement, $role) = @_;
	my ($status, $out, $err) = $node->psql('diff', $statement, extra_params => [ '-U', $role ]);
	return $status == 0 ? 'no error' : $err;
}

# sql_files: runs files with psql variables
sub sql_files
{
	my ($variables, @files) = @_;
	my @command = ('psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-d', $node->connstr('diff'));
	push @command, '-v', "$_=$variables->{$_}" for sort keys %$variables;
	push @command, '-f', $_ for @files;
	system_or_bail(@command);
}

sub slurp
{
	my ($file) = @_;
	open my $fh, '<:raw', $file or die "$file: $!";
	local $/;
	return scalar <$fh>;
}

my $mark = $began;

sub took
{
	my ($what) = @_;
	my $now = time;
	note sprintf('%s: %.1f s', $what, $now - $mark);
	$mark = $now;
}

sql(<<'EOC');
CREATE SCHEMA po;
CREATE EXTENSION po_mgmt SCHEMA po;
ALTER DATABASE diff SET search_path = po, public;
ALTER DATABASE diff SET timezone = 'UTC';
EOC

# An invoice without issued_on is issued today. No month may end between one run and the next.
my $left = sql(<<'EOC');
SELECT ceil(min(extract(epoch FROM date_trunc('month', t) + interval '1 month' - t)))
FROM unnest(ARRAY['UTC', 'Pacific/Kiritimati', 'Etc/GMT+12', 'America/New_York']) z, LATERAL (SELECT now() AT TIME ZONE z AS t) l
EOC
if ($left < 600)
{
	note "a month ends in $left s, waiting for that";
	sleep $left + 1;
}
$base //= sql(q{SELECT to_char(now(), 'YYYY-MM')});

my $how = "PO_SEED=$seed PO_SCALE=$scale PO_BASE=$base make check SUITE=tap TESTS=010_differential";
diag "to reproduce: $how";

sql_files({ seed => $seed, scale => $scale, base => $base }, "$naive/rules.sql", "$naive/generate.sql");
sql(<<'EOC');
CREATE ROLE po_reader LOGIN;
CREATE ROLE po_restricted LOGIN;
CREATE ROLE po_partial LOGIN;
CREATE SCHEMA diff;
GRANT ALL ON SCHEMA diff TO po_reader, po_restricted;
GRANT USAGE ON SCHEMA po, naive TO po_reader, po_restricted, po_partial;
GRANT SELECT ON ALL TABLES IN SCHEMA po, naive TO po_reader, po_restricted, po_partial;
EOC
took('data');

my ($accounts, $invoices, $stored, $booked) = split /\|/, sql(<<'EOC');
SELECT (SELECT count(*) FROM po_account),
	count(*) FILTER (WHERE invoice_id IS NULL),
	count(*) FILTER (WHERE invoice_id IS NOT NULL),
	count(*) FILTER (WHERE booked_line_item_id IS NOT NULL)
FROM naive.question
EOC
cmp_ok($accounts, '>=', int(500 * $scale), 'accounts');
cmp_ok($invoices, '>=', int(20000 * $scale), 'invoices');
note "accounts: $accounts, invoices: $invoices, stored ones: $stored, of them booked: $booked";

# ---------------------------------------------------------------------------
# What is compared: a candidate and a verdict as text, an answer as an array of them
# ---------------------------------------------------------------------------

my $candidates = <<'EOC';
SELECT id, array_agg(ROW(rank, po_number, line_number, line_item_id, line_type, specificity, covers, balance, po_updated_at)::text
	ORDER BY rank) AS list
FROM naive.ranked
GROUP BY id
EOC

my $verdicts = <<'EOC';
SELECT id, array_agg(e.verdict ORDER BY e.verdict COLLATE "C") AS list
FROM (SELECT id, ROW(po_number, line_number, rank, outcome, stage)::text AS verdict FROM naive.explained) e
GROUP BY id
EOC

my $arguments = <<'EOC';
account_id => q.account_id, bill_from => q.bill_from, line_type => q.line_type::po_line_type,
billing_month => q.billing_month::po_month, amount => q.amount, currency => q.currency, issued_on => q.issued_on,
requested_po_number => q.requested_po_number, requested_line_number => q.requested_line_number,
agreement_id => q.agreement_id, tax_registration_number => q.tax_registration_number, out_of_cycle => q.out_of_cycle
EOC

# Where a credit memo follows its original, no filter is asked, and the specification has no name
# for that stage: any name will do there. But the reason has to name the original.
my $explanation = <<'EOC';
LATERAL (
	SELECT
		array_agg(v.verdict ORDER BY v.verdict COLLATE "C") AS list,
		array_agg(v.reason) FILTER (WHERE v.reason IS NULL OR v.reason !~ '^\S+ .*\S\.$' OR v.reason ~ '\(null\)|%[a-z]') AS bad_reasons,
		array_agg(v.reason) FILTER (WHERE q.is_memo AND v.po_number IS NOT NULL AND strpos(v.reason, q.original_invoice_id) = 0) AS other_reasons
	FROM (SELECT e.po_number, e.reason, ROW(e.po_number, e.line_number, e.rank, e.outcome,
			CASE WHEN q.is_memo AND e.po_number IS NOT NULL AND e.outcome = 'rejected' AND e.stage IS NOT NULL THEN 'original' ELSE e.stage END)::text AS verdict
		FROM %s e) v) v
EOC

# parallel: lets the planner use workers for a small table of questions
my $parallel = <<'EOC';
SET parallel_setup_cost = 0; SET parallel_tuple_cost = 0; SET min_parallel_table_scan_size = 0;
EOC

# want: what the rules want, as a role, into tables diff.*_RUN
sub want
{
	my ($run, $role) = @_;

	sql(<<"EOC", $role);
CREATE TABLE diff.want_$run AS
SELECT q.id, coalesce(list, '{}') AS list FROM naive.question q LEFT JOIN ($candidates) w USING (id);
CREATE TABLE diff.want_explained_$run AS $verdicts;
CREATE TABLE diff.memo_$run AS SELECT id FROM naive.asked WHERE has_original;
ANALYZE diff.want_$run, diff.want_explained_$run, diff.memo_$run;
EOC
	took("$run: the rules");
}

# ask: what the extension says, as a role, into tables diff.*_RUN
sub ask
{
	my ($run, $role) = @_;

	sql(<<"EOC", $role);
$parallel
CREATE TABLE diff.got_$run AS
SELECT q.id, 'arguments' AS form, max_rank, ARRAY(SELECT m::text FROM po_match_invoice($arguments, max_rank => k.max_rank) m) AS list
FROM naive.question q CROSS JOIN (VALUES (NULL::integer), (1), (2), (3)) k (max_rank)
WHERE q.invoice_id IS NULL;
INSERT INTO diff.got_$run
SELECT q.id, 'stored', max_rank, ARRAY(SELECT m::text FROM po_match_invoice(i, max_rank => k.max_rank) m)
FROM naive.question q JOIN po_invoice i USING (account_id, bill_from, invoice_id) CROSS JOIN (VALUES (NULL::integer), (1), (2), (3)) k (max_rank);
INSERT INTO diff.got_$run
SELECT q.id, 'row', NULL, ARRAY(SELECT m::text FROM po_match_invoice(jsonb_populate_record(NULL::po_invoice, to_jsonb(q))) m)
FROM naive.question q
WHERE q.invoice_id IS NULL AND q.id % 5 = 0;
ANALYZE diff.got_$run;
EOC
	took("$run: po_match_invoice");

	my $of_arguments = sprintf $explanation, "po_explain_match($arguments)";
	my $of_invoice = sprintf $explanation, 'po_explain_match(i)';
	sql(<<"EOC", $role);
$parallel
CREATE TABLE diff.explained_$run AS
SELECT q.id, v.list, v.bad_reasons, v.other_reasons
FROM (SELECT *, false AS is_memo FROM naive.question) q, $of_arguments
WHERE q.invoice_id IS NULL;
INSERT INTO diff.explained_$run
SELECT q.id, v.list, v.bad_reasons, v.other_reasons
FROM (SELECT q.*, m.id IS NOT NULL AS is_memo FROM naive.question q LEFT JOIN diff.memo_$run m ON m.id = q.id) q
JOIN po_invoice i USING (account_id, bill_from, invoice_id), $of_invoice;
ANALYZE diff.explained_$run;
EOC
	took("$run: po_explain_match");
}

# report: the first few of the differing answers, with all that it takes to look into one
sub report
{
	my ($run, $differing) = @_;
	my $count = sql("SELECT count(*), count(DISTINCT id) FROM ($differing) d");
	my ($answers, $questions) = split /\|/, $count;
	return if $answers == 0;

	diag "$run: $answers answers to $questions invoices differ. To reproduce: $how";
	diag sql(<<"EOC");
SELECT format(E'\\n--- invoice %s%s\\n%s\\naccount: %s\\nthe rules:\\n  %s\\nthe extension:\\n  %s',
	q.id,
	CASE WHEN d.max_rank IS NOT NULL THEN ', max_rank ' || d.max_rank END,
	CASE WHEN d.form <> 'stored' THEN
		format('po_match_invoice(%L, %L, %L, %L, %s, %L, %L, %L, %L, %L, %L, %L)', q.account_id, q.bill_from, q.line_type,
			q.billing_month, q.amount, q.currency, q.issued_on, q.requested_po_number, q.requested_line_number, q.agreement_id,
			q.tax_registration_number, q.out_of_cycle)
	ELSE
		format('po_match_invoice(i) of po_invoice %s', (SELECT to_json(i) FROM po_invoice i
			WHERE i.account_id = q.account_id AND i.bill_from = q.bill_from AND i.invoice_id = q.invoice_id))
	END,
	(SELECT to_json(a) FROM po_account a WHERE a.account_id = q.account_id),
	coalesce(nullif(array_to_string(d.want, E'\\n  '), ''), '-'),
	coalesce(nullif(array_to_string(d.got, E'\\n  '), ''), '-'))
FROM (SELECT DISTINCT ON (id) * FROM ($differing) d ORDER BY id, max_rank NULLS FIRST LIMIT 5) d
JOIN naive.question q USING (id)
ORDER BY q.id
EOC
	return;
}

# compare: no difference between the rules and the extension, in one run
sub compare
{
	my ($run) = @_;

	my $lists = <<"EOC";
SELECT id, g.form, g.max_rank, w.list[1:coalesce(g.max_rank, 1000000)] AS want, g.list AS got
FROM diff.want_$run w
JOIN diff.got_$run g USING (id)
WHERE g.list IS DISTINCT FROM w.list[1:coalesce(g.max_rank, 1000000)]
EOC
	my $explained = <<"EOC";
SELECT id, CASE WHEN q.invoice_id IS NULL THEN 'arguments' ELSE 'stored' END AS form, NULL::integer AS max_rank,
	ARRAY(SELECT unnest(w.list) EXCEPT ALL SELECT unnest(g.list) ORDER BY 1 LIMIT 10) AS want,
	ARRAY(SELECT unnest(g.list) EXCEPT ALL SELECT unnest(w.list) ORDER BY 1 LIMIT 10) AS got
FROM diff.want_explained_$run w
FULL JOIN diff.explained_$run g USING (id)
LEFT JOIN naive.question q USING (id)
WHERE w.list IS DISTINCT FROM g.list
EOC
	is(sql("SELECT count(*) FROM diff.got_$run"), ($invoices + $stored) * 4 + int($invoices / 5), "$run: every invoice was asked about");

	for my $form (
		[ q{form = 'arguments' AND max_rank IS NULL}, 'the ranked list' ],
		[ q{form = 'arguments' AND max_rank IS NOT NULL}, 'max_rank 1, 2 and 3' ],
		[ q{form = 'row'}, 'rows of po_invoice that are not stored' ],
		[ q{form = 'stored' AND q.booked_line_item_id IS NULL AND q.original_invoice_id IS NULL}, 'stored invoices without an association' ],
		[ q{form = 'stored' AND q.booked_line_item_id IS NOT NULL AND q.original_invoice_id IS NULL}, 'booked invoices, as if given back' ],
		[ q{form = 'stored' AND q.original_invoice_id IS NOT NULL}, 'stored invoices and credit memos with an original' ])
	{
		my $differing = "SELECT d.* FROM ($lists) d JOIN naive.question q USING (id) WHERE $form->[0]";
		is(sql("SELECT count(*) FROM ($differing) d"), 0, "$run: $form->[1]") or report($run, $differing);
	}
	is(sql("SELECT count(*) FROM ($explained) d"), 0, "$run: explained: every line item once, the same verdict")
	  or report("$run, po_explain_match", $explained);

	for my $bad ([ 'bad_reasons', 'every reason is a sentence' ],
		[ 'other_reasons', 'every reason names the original, where a credit memo follows it' ])
	{
		my ($reasons, $name) = @$bad;
		is(sql("SELECT count(*) FROM diff.explained_$run WHERE $reasons IS NOT NULL"), 0, "$run: $name")
		  or diag sql("SELECT DISTINCT reason FROM diff.explained_$run, unnest($reasons) reason LIMIT 5");
	}
	took("$run: comparison");
}

# ---------------------------------------------------------------------------
# As superuser, as a role that may read everything, as one that row security restricts
# ---------------------------------------------------------------------------

want('superuser');
ask('superuser');
compare('superuser');

# it sees the same
sql(join "\n", map { "CREATE VIEW diff.${_}_reader AS TABLE diff.${_}_superuser; GRANT SELECT ON diff.${_}_reader TO po_reader;" }
	  qw(want want_explained memo));
ask('reader', 'po_reader');
compare('reader');

sql(<<'EOC');
ALTER TABLE po_order ENABLE ROW LEVEL SECURITY;
ALTER TABLE po_line_item ENABLE ROW LEVEL SECURITY;
CREATE POLICY part ON po_order TO po_restricted USING (left(md5(account_id || po_number), 1) > '2');
CREATE POLICY part ON po_line_item TO po_restricted USING (line_item_id % 5 <> 0);
CREATE POLICY whole ON po_order TO po_reader, po_partial USING (true);
CREATE POLICY whole ON po_line_item TO po_reader, po_partial USING (true);
EOC
want('restricted', 'po_restricted');
ask('restricted', 'po_restricted');
compare('restricted');
# Policies with a query in them leave all reading to queries.
sql(<<'EOC');
ALTER POLICY part ON po_order USING (left(md5(account_id || po_number), 1) > '2' AND (SELECT true));
ALTER POLICY part ON po_line_item USING (line_item_id % 5 <> 0 AND (SELECT true));
EOC
sql(join "\n", map { "CREATE VIEW diff.${_}_queried AS TABLE diff.${_}_restricted; GRANT SELECT ON diff.${_}_queried, diff.${_}_restricted TO po_restricted;" }
	  qw(want want_explained memo));
ask('queried', 'po_restricted');
compare('queried');

cmp_ok(sql('SELECT count(*) FROM diff.want_superuser s JOIN diff.want_restricted r USING (id) WHERE s.list <> r.list'),
	'>', 1000 * $scale, 'restricted: the policies matter');

# A session that changes its role, and with it what it may see. What was planned before must not last.
my $sample = "SELECT q.id, ARRAY(SELECT m::text FROM po_match_invoice($arguments) m) AS list FROM naive.question q"
  . ' WHERE q.invoice_id IS NULL AND q.id <= 500';
for my $turn ([ 'po_restricted', 'superuser', 'restricted' ], [ 'po_reader', 'reader', 'restricted' ])
{
	my ($role, $first, $second) = @$turn;
	my $check = "SELECT count(*) FROM ($sample) g JOIN diff.want_%s w USING (id) WHERE g.list <> w.list;";
	sql("GRANT SELECT ON ALL TABLES IN SCHEMA diff TO po_reader, po_restricted");
	my $reset = $first eq 'superuser' ? 'RESET ROLE' : 'SET ROLE po_reader';
	is( sql(join "\n", "$reset;", sprintf($check, $first), 'SET ROLE po_restricted;', sprintf($check, $second), "$reset;",
			sprintf($check, $first)),
		"0\n0\n0",
		"a session that is $first, then restricted, then $first again");
}

like(sql_error("SET row_security = off; $sample", 'po_restricted'),
	qr/row-level security/, 'row_security = off: an error, not the hidden rows');
for my $table (qw(po_account po_seller_alias po_taxonomy po_order po_line_item))
{
	sql("REVOKE SELECT ON $table FROM po_partial, PUBLIC");
	like(sql_error($sample, 'po_partial'), qr/permission denied for table $table\b/, "without SELECT on $table: an error");
	sql("GRANT SELECT ON $table TO po_partial");
}
took('roles');

# ---------------------------------------------------------------------------
# Can this test fail? Wrong variants of the rules have to be found out by the data: each filter
# dropped, each criterion of the ranking reversed, ignored or moved.
# ---------------------------------------------------------------------------

my $rules = slurp("$naive/rules.sql");

# The lines of rules.sql that are changed below. A trailing comma or line end belongs to them.
my %when = (
	suspended => "WHEN l.status = 'suspended' THEN 'status'\n",
	expired => "WHEN l.expiration_month < q.order_month THEN 'status'\n",
	order_period => "WHEN l.effective_month > q.order_month THEN 'order_period'\n",
	bill_from => "WHEN l.bill_from <> q.bill_from THEN 'bill_from'\n",
	currency => "WHEN l.currency <> q.currency THEN 'currency'\n",
	tax_registration => "WHEN cardinality(l.tax_registration_numbers) > 0\n"
	  . "\t\t\t\tAND array_position(l.tax_registration_numbers, q.tax_registration_number) IS NULL THEN 'tax_registration'\n",
	no_line_item => "WHEN l.line_item_id IS NULL THEN 'period'\n",
	period => "WHEN q.line_month NOT BETWEEN l.start_month AND l.end_month THEN 'period'\n",
	type => "WHEN NOT naive.same_or_above(l.line_type, q.line_type) THEN 'type'\n",
	out_of_cycle => "WHEN t.out_of_cycle_only AND NOT q.outside_cycle THEN 'type'\n",
	agreement => "WHEN l.agreement_id IS NOT NULL AND l.agreement_id IS DISTINCT FROM q.agreement_id THEN 'agreement'\n",
	requested_po => "WHEN l.po_number <> q.requested_po_number THEN 'requested_po'\n",
	requested_line => "WHEN l.line_number <> q.requested_line_number THEN 'requested_po'\n",);
my %by = (
	specificity => "\t\tspecificity DESC,\n",
	bound => "\t\tbound DESC,\n",
	covers => "\t\tcovers DESC,\n",
	recency => "\t\tpo_updated_at DESC,\n",
	months => "\t\tmonths ASC,\n",
	po_number => "\t\tpo_number COLLATE \"C\" ASC,\n",
	line_item_id => "\t\tline_item_id ASC\n",);

sub drop { return [ $_[0] => '' ] }
sub reversed { my ($line) = @_; (my $other = $line) =~ s/(ASC|DESC)/$1 eq 'ASC' ? 'DESC' : 'ASC'/e; return [ $line => $other ] }
sub swap { return ([ $_[0] => '<<1>>' ], [ $_[1] => $_[0] ], [ '<<1>>' => $_[1] ]) }

# [ what is wrong, in which answer it must be seen, changes... ]
my @wrong = (
	# each filter dropped
	[ 'suspended orders are used', 'list', drop($when{suspended}) ],
	[ 'expired orders are used', 'list', drop($when{expired}) ],
	[ 'future orders are used', 'list', drop($when{order_period}) ],
	[ 'the seller is ignored', 'list', drop($when{bill_from}) ],
	[ 'the currency is ignored', 'list', drop($when{currency}) ],
	[ 'tax registration numbers are ignored', 'list', drop($when{tax_registration}) ],
	[ 'the period of the line item is ignored', 'list', drop($when{period}) ],
	[ 'the type is ignored', 'list', drop($when{type}) ],
	[ 'out_of_cycle is ignored', 'list', drop($when{out_of_cycle}) ],
	[ 'the agreement is ignored', 'list', drop($when{agreement}) ],
	[ 'the requested order is ignored', 'list', drop($when{requested_po}) ],
	[ 'the requested line item is ignored', 'list', drop($when{requested_line}) ],

	# each filter a little wrong
	[ 'an order is expired in its last month', 'list', [ 'l.expiration_month < q' => 'l.expiration_month <= q' ] ],
	[ 'an order is not yet valid in its first month', 'list', [ 'l.effective_month > q' => 'l.effective_month >= q' ] ],
	[ 'a line item begins a month late', 'list', [ 'BETWEEN l.start_month' => 'BETWEEN l.start_month + 1' ] ],
	[ 'a line item ends a month early', 'list', [ 'AND l.end_month THEN' => 'AND l.end_month - 1 THEN' ] ],
	[ 'aliases are not known', 'list', [ 'coalesce(s.bill_from::text, q.bill_from)' => 'q.bill_from' ] ],
	[ 'an alias that is switched off counts', 'list', [ ' AND s.enabled' => '' ] ],
	[ 'sellers are compared without regard to case', 'list', [ 'l.bill_from <> q.bill_from' => 'lower(l.bill_from) <> lower(q.bill_from)' ] ],
	[ 'no currency means US dollars', 'list', [ 'coalesce(q.currency, a.currency::text)' => q{coalesce(q.currency, 'USD')} ] ],
	[ 'no currency means any', 'list', [ 'upper(coalesce(q.currency, a.currency::text))' => 'upper(q.currency)' ] ],
	[ 'the currency is not folded', 'list', [ 'upper(coalesce(q.currency, a.currency::text))' => '(coalesce(q.currency, a.currency::text))' ] ],
	[ 'an invoice without a tax number fits every list', 'list',
		[ 'cardinality(l.tax_registration_numbers) > 0' => 'q.tax_registration_number IS NOT NULL AND cardinality(l.tax_registration_numbers) > 0' ] ],
	[ 'an empty list of tax numbers admits none', 'list',
		[ q{coalesce(o.tax_registration_numbers::text[], '{}')} => 'o.tax_registration_numbers::text[]' ],
		[ 'cardinality(l.tax_registration_numbers) > 0' => 'l.tax_registration_numbers IS NOT NULL' ] ],
	[ 'only the first tax number of the list counts', 'list',
		[ 'array_position(l.tax_registration_numbers, q' => 'array_position(l.tax_registration_numbers[1:1], q' ] ],
	[ 'a type fits itself only', 'list', [ q{SELECT upper = 'all' OR upper = lower OR starts_with(lower, upper || '.')} => 'SELECT upper = lower' ] ],
	[ 'all fits nothing else', 'list', [ q{SELECT upper = 'all' OR upper = lower} => 'SELECT upper = lower' ] ],
	[ 'a type fits what begins with its name', 'list', [ q{upper || '.'} => 'upper' ] ],
	[ 'a type fits its ancestors', 'list', [ 'same_or_above(l.line_type, q.line_type)' => 'same_or_above(q.line_type, l.line_type)' ] ],
	[ 'out_of_cycle null means within the cycle', 'list', [ 'coalesce(q.out_of_cycle, t.out_of_cycle_only)' => 'coalesce(q.out_of_cycle, false)' ] ],
	[ 'out_of_cycle null means outside the cycle', 'list', [ 'coalesce(q.out_of_cycle, t.out_of_cycle_only)' => 'coalesce(q.out_of_cycle, true)' ] ],
	[ 'out_of_cycle of the invoice is ignored', 'list', [ 'coalesce(q.out_of_cycle, t.out_of_cycle_only)' => 't.out_of_cycle_only' ] ],
	[ 'out_of_cycle_only is not inherited', 'list', [ 'naive.same_or_above(x.line_type::text, t.line_type)' => 'x.line_type::text = t.line_type' ] ],
	[ 'out_of_cycle_only of the farthest ancestor', 'list', [ 'ORDER BY naive.depth(x.line_type::text) DESC' => 'ORDER BY naive.depth(x.line_type::text) ASC' ] ],
	[ 'out_of_cycle_only of enabled types only', 'list', [ 'WHERE x.out_of_cycle_only IS NOT NULL' => 'WHERE x.out_of_cycle_only IS NOT NULL AND x.enabled' ] ],
	[ 'a bound line item fits an invoice without agreement', 'list',
		[ 'l.agreement_id IS DISTINCT FROM q.agreement_id' => 'l.agreement_id <> q.agreement_id' ] ],
	[ 'an invoice of an agreement fits bound line items only', 'list',
		[ 'l.agreement_id IS NOT NULL AND l.agreement_id IS DISTINCT' => 'l.agreement_id IS DISTINCT' ] ],
	[ 'requested orders are not trimmed', 'list', [ q{nullif(btrim(q.requested_po_number), '')} => q{nullif(q.requested_po_number, '')} ] ],
	[ 'a blank requested order is an order', 'list', [ q{nullif(btrim(q.requested_po_number), '')} => 'btrim(q.requested_po_number)' ] ],
	[ 'requested orders are compared without regard to case', 'list',
		[ 'l.po_number <> q.requested_po_number' => 'lower(l.po_number) <> lower(q.requested_po_number)' ] ],
	[ 'a requested order that does not exist is ignored', 'list',
		[ 'l.po_number <> q.requested_po_number' => 'l.po_number <> (SELECT o.po_number FROM po_order o WHERE o.account_id = q.account_id AND o.po_number = q.requested_po_number)' ] ],
	[ 'requested line items are not trimmed', 'list', [ q{nullif(btrim(q.requested_line_number), '')} => q{nullif(q.requested_line_number, '')} ] ],
	[ 'a blank requested line item is a line item', 'list', [ q{nullif(btrim(q.requested_line_number), '')} => 'btrim(q.requested_line_number)' ] ],
	[ 'a requested line item counts without an order', 'list',
		[ 'CASE WHEN q.requested_po_number IS NOT NULL THEN q.requested_line_number END' => 'q.requested_line_number' ] ],

	# the reference month
	[ 'issue_date judges the order by the billing month', 'list',
		[ "WHEN 'issue_date' THEN q.issue_month\n\t\tWHEN 'status_on_issue' THEN q.issue_month\n" =>
			  "WHEN 'issue_date' THEN q.billing_month\n\t\tWHEN 'status_on_issue' THEN q.issue_month\n" ] ],
	[ 'issue_date judges the line item by the billing month', 'list',
		[ "WHEN 'issue_date' THEN q.issue_month\n\t\tWHEN 'status_on_issue' THEN q.billing_month\n" =>
			  "WHEN 'issue_date' THEN q.billing_month\n\t\tWHEN 'status_on_issue' THEN q.billing_month\n" ] ],
	[ 'status_on_issue judges the order by the billing month', 'list',
		[ "WHEN 'status_on_issue' THEN q.issue_month\n" => "WHEN 'status_on_issue' THEN q.billing_month\n" ] ],
	[ 'status_on_issue judges the line item by the month of issue', 'list',
		[ "WHEN 'status_on_issue' THEN q.billing_month\n" => "WHEN 'status_on_issue' THEN q.issue_month\n" ] ],
	[ 'billing_period is issue_date', 'list', [ 'naive.month_no(q.billing_month) AS billing_month' =>
			  q{CASE a.period_basis WHEN 'billing_period' THEN naive.month_no(to_char(q.issued_on, 'YYYY-MM')) ELSE naive.month_no(q.billing_month) END AS billing_month} ] ],
	[ 'no issued_on means issued in the billing month', 'list',
		[ '(now() AT TIME ZONE a.time_zone)::date' => q{(q.billing_month || '-01')::date} ] ],

	# each criterion reversed, ignored, moved before the one above it
	[ 'the least specific first', 'list', reversed($by{specificity}) ],
	[ 'specificity is ignored', 'list', drop($by{specificity}) ],
	[ 'not bound before bound', 'list', reversed($by{bound}) ],
	[ 'bound is ignored', 'list', drop($by{bound}) ],
	[ 'bound before specificity', 'list', swap($by{specificity}, $by{bound}) ],
	[ 'out of balance first', 'list', reversed($by{covers}) ],
	[ 'balance is ignored', 'list', drop($by{covers}) ],
	[ 'balance before bound', 'list', swap($by{bound}, $by{covers}) ],
	[ 'out of balance is rejected', 'list', [ 'WHERE v.stage IS NULL' => 'WHERE v.stage IS NULL AND v.covers' ] ],
	[ 'updated first, first', 'list', reversed($by{recency}) ],
	[ 'recency is ignored', 'list', drop($by{recency}) ],
	[ 'recency before balance', 'list', swap($by{covers}, $by{recency}) ],
	[ 'recency by the second', 'list', [ $by{recency} => "date_trunc('second', po_updated_at) DESC," ] ],
	[ 'more months first', 'list', reversed($by{months}) ],
	[ 'months are ignored', 'list', drop($by{months}) ],
	[ 'months before recency', 'list', swap($by{recency}, $by{months}) ],
	[ 'po_number backwards', 'list', reversed($by{po_number}) ],
	[ 'po_number is ignored', 'list', drop($by{po_number}) ],
	[ 'po_number before months', 'list', swap($by{months}, $by{po_number}) ],
	$icu ? [ 'po_number by locale', 'list', [ $by{po_number} => qq{po_number COLLATE "$icu" ASC,} ] ] : (),
	[ 'the higher line_item_id first', 'list', reversed($by{line_item_id}) ],

	# covers
	[ 'a balance equal to the amount does not cover', 'list', [ 'v.balance >= v.invoice_amount' => 'v.balance > v.invoice_amount' ] ],
	[ 'any balance above zero covers', 'list', [ 'v.balance >= v.invoice_amount' => 'v.balance > 0' ] ],
	[ 'not tracked does not cover', 'list', [ 'NOT v.balance_tracked' => 'false' ], [ 'v.balance >= v.invoice_amount' => 'coalesce(v.balance, -1) >= v.invoice_amount' ] ],
	[ 'credits need a balance', 'list', [ 'v.invoice_amount <= 0' => 'false' ] ],
	[ 'an amount of zero needs a balance', 'list', [ 'v.invoice_amount <= 0' => 'v.invoice_amount < 0' ] ],
	[ 'balance and amount in floating point', 'list', [ 'v.balance >= v.invoice_amount' => 'v.balance::real >= v.invoice_amount::real' ] ],

	# invoices that are stored
	[ 'what is booked is not given back', 'list', [ 'THEN q.amount ELSE 0 END' => 'THEN 0 ELSE 0 END' ] ],
	[ 'what is booked is given back to every line item', 'list', [ 'CASE WHEN l.line_item_id = q.booked_line_item_id' => 'CASE WHEN q.booked_line_item_id IS NOT NULL' ] ],
	[ 'credit memos do not follow their original', 'list', [ 'original.invoice_id IS NOT NULL AS has_original' => 'false AS has_original' ] ],
	[ 'credit memos of an original without association are matched', 'list',
		[ 'original.invoice_id IS NOT NULL AS has_original' => 'original.line_item_id IS NOT NULL AS has_original' ] ],
	[ 'invoices with an original follow it, too', 'list', [ "AND original.invoice_id = q.original_invoice_id\n\tAND q.kind = 'credit_memo'" => 'AND original.invoice_id = q.original_invoice_id' ] ],

	# which filter is named, which criterion
	[ 'order_period before status', 'verdict', swap($when{suspended}, $when{order_period}) ],
	[ 'bill_from before order_period', 'verdict', swap($when{order_period}, $when{bill_from}) ],
	[ 'currency before bill_from', 'verdict', swap($when{bill_from}, $when{currency}) ],
	[ 'tax_registration before currency', 'verdict', swap($when{currency}, $when{tax_registration}) ],
	[ 'period before tax_registration', 'verdict', swap($when{tax_registration}, $when{period}) ],
	[ 'type before period', 'verdict', swap($when{period}, $when{type}) ],
	[ 'agreement before type', 'verdict', swap($when{type}, $when{agreement}) ],
	[ 'agreement before out_of_cycle', 'verdict', swap($when{out_of_cycle}, $when{agreement}) ],
	[ 'requested_po before agreement', 'verdict', swap($when{agreement}, $when{requested_po}) ],
	[ 'orders without line items are not told of', 'verdict', [ 'LEFT JOIN po_line_item l' => 'JOIN po_line_item l' ] ],
	[ 'an order without line items fails by type', 'verdict', [ $when{no_line_item} => "WHEN l.line_item_id IS NULL THEN 'type'\n" ] ],
	[ 'not bound is no reason', 'verdict', drop("WHEN bound <> best_bound THEN 'specificity'\n") ],
	[ 'specificity is no reason', 'verdict', drop("WHEN specificity <> best_specificity THEN 'specificity'\n") ],
	[ 'balance is no reason', 'verdict', drop("WHEN covers <> best_covers THEN 'balance'\n") ],
	[ 'recency is no reason', 'verdict', drop("WHEN po_updated_at <> best_po_updated_at THEN 'recency'\n") ],);

# wrong_rules: rules.sql with the changes, in a schema of its own
sub wrong_rules
{
	my ($name, @changes) = @_;
	my $text = $rules;
	for my $change (@changes)
	{
		my ($from, $to) = @$change;
		my $times = () = $text =~ /\Q$from\E/g;
		die "$name: rules.sql has this $times times, not once: $from" if $times != 1;
		$text =~ s/\Q$from\E/$to/;
	}
	$text =~ s/\bnaive\b/wrong/g;
	return $text;
}

# seen: in how many answers the wrong rules differ from the extension, asked about a part of the invoices
sub seen
{
	my ($text, $answer, $part) = @_;
	my %query = (
		list => [ $candidates, 'SELECT id, list FROM diff.got_superuser WHERE max_rank IS NULL' ],
		verdict => [ $verdicts, 'SELECT id, list FROM diff.explained_superuser' ]);
	my ($want, $got) = @{ $query{$answer} };
	$want =~ s/\bnaive\b/wrong/g;
	return sql(<<"EOC");
SET client_min_messages = warning;
SET enable_nestloop = off;
BEGIN;
$text
INSERT INTO wrong.question SELECT * FROM naive.question WHERE id % $part = 0;
ANALYZE wrong.question;
SELECT count(*)
FROM wrong.question q
LEFT JOIN ($want) w USING (id)
JOIN ($got) g USING (id)
WHERE coalesce(w.list, '{}') <> coalesce(g.list, '{}');
ROLLBACK;
EOC
}

# find_out: a line for each of the wrong variants from the given one on, by steps of two
sub find_out
{
	my ($from) = @_;
	my $result = '';
	for (my $i = $from; $i < @wrong; $i += 2)
	{
		my ($name, $answer, @changes) = @{ $wrong[$i] };
		my $text = wrong_rules($name, @changes);
		my $found;
		for my $part (int(40 * $scale), int(5 * $scale), 1)
		{
			$found = seen($text, $answer, $part);
			last if $found > 0;
		}
		$result .= "$i $found\n";
	}
	return $result;
}

SKIP:
{
	skip 'at this scale not every rule decides an answer', 1 if $scale < 0.5;

	is(seen(wrong_rules('right'), 'list', 5), 0, 'the rules without a change are not reported');
	is(seen(wrong_rules('right'), 'verdict', 20), 0, 'nor is their explanation');

	# Two processes take half of them each. The child must not run the END blocks, which stop the server.
	my $child = open(my $half, '-|') // die "fork: $!";
	if ($child == 0)
	{
		my $result = eval { find_out(1) } // "failed: $@";
		print $result;
		STDOUT->flush;
		POSIX::_exit(0);
	}
	my $result = find_out(0);
	{
		local $/;
		$result .= <$half>;
	}
	close $half;
	my %found = $result =~ /^(\d+) (\d+)$/mg;
	for my $i (0 .. $#wrong)
	{
		cmp_ok($found{$i} // -1, '>', 0, "found out: $wrong[$i][0]");
	}
	like($result, qr/\A(\d+ \d+\n)*\z/, 'every wrong variant was tried');
	took(scalar(@wrong) . ' wrong variants');
}

note sprintf('%.1f s in all', time - $began);
$node->stop;
done_testing();
