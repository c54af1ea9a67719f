# 090_fuzz.pl: the server never dies, and errors are proper ones, whatever is sent:
#   - random and mutated bytes to the input and receive functions of every type of the extension;
#     what is accepted comes back from its own text and its own binary form;
#   - every function of the extension with random arguments, in and out of transactions;
#   - random INSERTs, UPDATEs and DELETEs on every table and view.
# Types, functions, tables and their columns are found in the catalog. Afterwards the books are right.
#
#   PO_SEED=42    the seed; random by default, always printed
#   PO_SCALE=50   fifty times the work (1: 20,000 values, 6,000 statements, some 20 seconds;
#                 50: a million values)
#
# A proper error has a SQLSTATE that says what the user did: not internal (XX), and no message of a
# look-up that failed.

use strict;
use warnings;

use List::Util qw(max);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);
use Wire;

my $seed = $ENV{PO_SEED} // int(rand(2**31));
my $scale = $ENV{PO_SCALE} // 1;
die "PO_SEED is not a number: $seed" unless $seed =~ /^\d+$/;
die "PO_SCALE is not a number: $scale" unless $scale =~ /^\d*\.?\d+$/ && $scale > 0;
diag("PO_SEED=$seed");
srand $seed;

my $node = PostgreSQL::Test::Cluster->new('fuzz');
$node->init;
$node->append_conf('postgresql.conf', "timezone = 'UTC'\njit = off\nlog_min_messages = fatal\nlog_min_error_statement = panic\nstatement_timeout = '2s'\n");
$node->start;
$node->safe_psql('postgres', 'CREATE DATABASE fuzz TEMPLATE template0 ENCODING \'UTF8\'');
$node->safe_psql('fuzz', 'CREATE EXTENSION po_mgmt');

my $members = q{pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'po_mgmt'};
my %states;
my @improper;

sub pick { return $_[ rand @_ ] }

# proper: notes an answer; complains if it is no proper error
sub proper
{
	my ($answer, $what) = @_;
	my $state = $answer->{state} // '00000';

	$states{$state}++;
	push @improper, "$state $answer->{message} <- $what"
	  if $state =~ /^(?:XX|58|F0)/ || ($answer->{message} // '') =~ /cache lookup failed|unrecognized|unexpected (?:node|data)/;
}

# ---------------------------------------------------------------------------
# Values of types
# ---------------------------------------------------------------------------

sub mutate
{
	my ($bytes) = @_;

	for (1 .. int rand 5)
	{
		my $place = int rand(1 + length $bytes);
		my $way = int rand 5;
		if ($way == 0) { substr($bytes, $place, 1, chr int rand 256) if $place < length $bytes }
		elsif ($way == 1) { substr $bytes, $place, 0, pick("\0", ' ', '.', '-', '9', 'a', 'Z', '[', ')', ',', '"', '\\', '{', "\xff", "\n", "\xc3\xa9") }
		elsif ($way == 2) { substr($bytes, $place, 1 + int rand 3, '') if $place < length $bytes }
		elsif ($way == 3) { $bytes .= $bytes if length $bytes < 2000 }
		else { $bytes = substr $bytes, 0, $place }
	}
	return $bytes;
}

my %samples = (
	po_month => [ '2026-11', '2026-11-22', 'Nov 2026', '0001-01', '9999-12', ' december 1999 ' ],
	po_line_type => [ 'all', 'usage', 'usage.compute.spot', 'AWS Monthly Usage', 'a.b.c.d.e.f.g.h', 'marketplace.transaction' ],
	po_month_range => [ '[2026-01,2026-12]', '[2026-01,)', '(,2026-03)', 'empty', '[0001-01,9999-12)', '("2026-01","2026-02"]' ],
	po_month_multirange => [ '{}', '{[2026-01,2026-03),[2026-05,2026-06)}', '{[2026-01,)}' ]);
my @types = split /\n/, $node->safe_psql('fuzz', "SELECT t.typname FROM $members JOIN pg_type t ON t.oid = d.objid AND d.classid = 'pg_type'::regclass
	WHERE t.typtype IN ('b', 'r', 'm') AND t.typcategory <> 'A' AND t.typname !~ '^_' ORDER BY 1");
cmp_ok(scalar @types, '>=', 4, 'types of the extension');
my $wire = Wire->connect($node, 'fuzz');
for my $type (@types)
{
	my $began = time;
	my (%corpus, %accepted);
	my $n = int(20_000 * $scale / @types);
	my $unsound = '';

	ok($samples{$type}, "$type: there are samples");
	$wire->prepare("SELECT \$1::$type");
	for my $sample (@{ $samples{$type} // [''] })
	{
		push @{ $corpus{0} }, $sample;
		push @{ $corpus{1} }, $wire->execute($sample, 0, 1)->{rows}[0][0];
	}
	for my $i (1 .. $n)
	{
		my $in = $i % 2;
		my $bytes = rand() < 0.05 ? join('', map { chr int rand 256 } 1 .. rand 40) : mutate(pick(@{ $corpus{$in} }));
		my $answer = $wire->execute($bytes, $in, 0);

		# PostgreSQL's own multirange_recv() asks for as much memory as the bytes say
		next if $type =~ /multirange/ && ($answer->{message} // '') =~ /^invalid memory alloc request size/;
		proper($answer, "$type " . ($in ? 'binary ' : 'text ') . unpack 'H*', $bytes);
		next if $answer->{state};
		$accepted{$in}++;
		my $text = $answer->{rows}[0][0];
		my $binary = $wire->execute($bytes, $in, 1)->{rows}[0][0];
		my $again = $wire->execute($text, 0, 1);
		my $from_binary = $wire->execute($binary, 1, 0);
		$unsound ||= ($in ? 'binary ' : 'text ') . unpack('H*', $bytes) . " is $text"
		  unless !$again->{state} && $again->{rows}[0][0] eq $binary && !$from_binary->{state} && $from_binary->{rows}[0][0] eq $text;
	}
	is($unsound, '', "$type: what is accepted comes back from its text and its binary form");
	cmp_ok($accepted{$_} // 0, '>', $n / 1000, sprintf '%s: some of %d values in %s are accepted', $type, $n / 2, $_ ? 'binary' : 'text') for (0, 1);
	note(sprintf '%s: %d values, %d + %d accepted, %.1f s', $type, $n, $accepted{0} // 0, $accepted{1} // 0, time - $began);
}
is(join("\n", splice @improper, 0, 5), '', 'values: all errors are proper');
@improper = ();

# ---------------------------------------------------------------------------
# Functions, tables
# ---------------------------------------------------------------------------

$node->safe_psql('fuzz', q{
	INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month)
		SELECT a, n, 'AWS Inc.', '2026-01', '2026-12' FROM unnest('{A,B}'::text[]) a, unnest('{P,Q}'::text[]) n;
	INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, amount, balance_tracked)
		SELECT account_id, po_number, '1', 'usage', '2026-01', '2026-12', 100, true FROM po_order;
	INSERT INTO po_contact (account_id, po_number, email) SELECT account_id, po_number, 'ap@example.com' FROM po_order;
	INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount)
		SELECT a, 'AWS Inc.', 'I' || i, 'usage', '2026-02', i FROM unnest('{A,B}'::text[]) a, generate_series(1, 20) i;
	CREATE TABLE bills (bill_id text, payer text, BilledCost numeric, day date);
	CREATE SCHEMA elsewhere});

sub quote { my ($v) = @_; return 'NULL' unless defined $v; $v =~ s/'/''/g; $v =~ s/\\/\\\\/g; return "E'$v'" }

# random JSON, up to some depth
sub json
{
	my ($depth) = @_;
	my $way = int rand($depth > 0 ? 7 : 5);

	return pick('null', 'true', 'false') if $way == 0;
	return pick(0, -1, '1e400', '0.1', '99999999999999999999') if $way == 1;
	return '"' . pick('', 'account_id', 'amount', 'bill_id', 'a\\"b', '2026-01', 'usage', '{}', '\\u0001', 'x' x 300) . '"' if $way < 5;
	return '[' . join(',', map { json($depth - 1) } 1 .. rand 4) . ']' if $way == 5;
	return '{' . join(',', map { '"' . pick('account_id', 'bill_from', 'invoice_id', 'line_type', 'billing_month', 'amount', 'po_number', 'line_number', 'x', '', 'column', 'value', 'map') . '":' . json($depth - 1) } 1 .. rand 5) . '}';
}

my %pool = (
	text => sub { pick(undef, '', ' ', 'A', 'B', 'P', 'Q', ' P ', 'I1', 'I2', '1', '2', 'AWS Inc.', 'Amazon Web Services, Inc.', 'USD', 'usd', 'EUR', 'usage', 'active', 'suspended', 'user',
			'percent', 'billing_period', 'issue_date', 'UTC', 'Europe/Paris', 'invoice', 'credit_memo', 'a@b.c', 'app.account', 'update', 'balance', '15 5 * * *', "\x{c3}\x{a9}", "\t", 'x' x 201, 'y' x 5000, '{}', "' OR 1=1 --", '%s%n', '\\', '$1') },
	numeric => sub { pick(undef, 0, 1, -1, '0.01', '1e30', '-1e-30', 'NaN', 'Infinity', '-Infinity', '99999999999999999999.99', int rand 1000) },
	bigint => sub { pick(undef, 0, 1, 2, -1, '9223372036854775807', '-9223372036854775808') },
	integer => sub { pick(undef, 0, 1, -1, 5, 2147483647, -2147483648) },
	boolean => sub { pick(undef, 't', 'f') },
	date => sub { pick(undef, '2026-02-03', '0001-01-01', '9999-12-31', '10000-01-01', '4713-01-01 BC', 'infinity', '-infinity', '5874897-12-31') },
	'timestamp with time zone' => sub { pick(undef, '2026-02-03', 'infinity', '-infinity', '294276-12-31', '4713-01-01 BC', '2000-01-01') },
	'timestamp without time zone' => sub { pick(undef, '2026-02-03', 'infinity', '-infinity', '294276-12-31', '4713-01-01 BC') },
	po_month => sub { pick(undef, '2026-01', '2026-02', '2026-12', '0001-01', '9999-12', '1999-01') },
	po_line_type => sub { pick(undef, 'all', 'usage', 'usage.compute', 'subscription', 'marketplace.transaction', 'professional_services', 'x.y', 'a.b.c.d.e.f.g.h') },
	po_month_range => sub { pick(undef, 'empty', '[2026-01,2026-12]', '(,)', '[9999-11,9999-12)', '[0001-01,0001-02)') },
	jsonb => sub { pick(undef, json(3)) },
	json => sub { pick(undef, json(3)) },
	regclass => sub { pick(undef, 0, 1, 'bills', 'po_invoice', 'po_dashboard', 'po_order_pkey', 'pg_class', 'po_line_item_id_seq') },
	'text[]' => sub { pick(undef, '{}', '{NULL}', '{a,b}', '{A}', '{{a},{b}}', '[5:6]={x,y}', '{' . join(',', 1 .. 60) . '}') },
	'numeric[]' => sub { pick(undef, '{}', '{0.75}', '{NULL}', '{NaN}', '{1,0.5,0}', '{-1}', '{2}', '{{0.1},{0.2}}') });

# what a column or an argument of that name mostly has, so that more is done than refused
my $next = 0;
my %by_name = (
	account_id => sub { pick('A', 'A', 'B', 'C') }, po_number => sub { pick('P', 'P', 'Q', 'R' . int rand 5) }, line_number => sub { pick(1, 1, 2, 3) },
	bill_from => sub { 'AWS Inc.' }, invoice_id => sub { 'I' . (rand() < 0.5 ? 1 + int rand 20 : 100 + ++$next) }, original_invoice_id => sub { pick(undef, 'I' . (1 + int rand 20)) },
	line_type => sub { pick('usage', 'usage', 'all', 'subscription', 'marketplace') }, currency => sub { pick('USD', undef) }, status => sub { pick('active', 'suspended') },
	effective_month => sub { '2026-01' }, expiration_month => sub { pick('2026-12', '2027-06') }, start_month => sub { pick('2026-01', '2026-02') }, end_month => sub { pick('2026-12', '2026-03') },
	billing_month => sub { pick('2026-01', '2026-02', '2026-03') }, amount => sub { pick(0, 1, '2.50', 100) }, email => sub { 'x' . int(rand 10) . '@example.com' },
	kind => sub { pick(undef, 'invoice') }, association_kind => sub { undef }, quantity => sub { 1 }, tax => sub { pick(0, 19) }, tax_kind => sub { pick('absolute', 'percent') },
	consumed_before => sub { 0 }, agreement_id => sub { pick(undef, undef, 'G') }, requested_po_number => sub { pick(undef, undef, 'P') }, requested_line_number => sub { undef },
	tax_registration_numbers => sub { undef }, max_active_orders => sub { pick(3, 100) }, max_line_items => sub { 100 }, max_contacts => sub { 100 }, setting => sub { 'app.account_id' });

sub literal
{
	my ($type, $name) = @_;
	return quote($by_name{$name}->()) . "::$type" if $name && $by_name{$name} && rand() < 0.85;
	return 'NULL' if $type eq 'internal' || $type eq 'cstring';
	if ($type =~ s/\[\]$// && !$pool{"$type\[]"}) { return 'ARRAY[' . join(',', map { literal($type) } 1 .. rand 3) . "]::$type\[]" }
	my $make = $pool{$type} // $pool{"$type\[]"};
	return rand() < 0.3 ? "NULL::$type" : "(SELECT v FROM $type v ORDER BY random() LIMIT 1)" if $type eq 'po_invoice' || $type eq 'po_order';
	return "NULL::$type" unless $make;
	return quote($make->()) . "::$type";
}

# functions of SQL's, whichever there are: not those of types, which take cstring or internal
my @functions = map { [ split /\|/, $_, -1 ] } split /\n/, $node->safe_psql('fuzz', "SELECT p.oid::regproc, p.provolatile, array_to_string(ARRAY(SELECT format_type(t, NULL) FROM unnest(p.proargtypes) WITH ORDINALITY a(t, n) ORDER BY n), ';'), array_to_string(p.proargnames[1:p.pronargs], ';', '')
	FROM $members JOIN pg_proc p ON p.oid = d.objid AND d.classid = 'pg_proc'::regclass
	WHERE p.prokind = 'f' AND p.prorettype <> 'trigger'::regtype AND NOT p.proargtypes::oid[] && ARRAY['internal', 'cstring']::regtype[]::oid[] ORDER BY p.oid");
cmp_ok(scalar @functions, '>=', 40, 'functions of the extension');
my %unknown = map { $_ => 1 } grep { !$pool{ s/\[\]$//r } && !$pool{$_} && !/^(?:po_invoice|po_order|po_month_multirange)$/ } map { split /;/, $_->[2] } @functions;
is(join(', ', sort keys %unknown), '', 'every type of argument is known to this test');

my @columns = map { [ split /\|/, $_, -1 ] } split /\n/, $node->safe_psql('fuzz', "SELECT c.relname, c.relkind, a.attname, format_type(a.atttypid, NULL) FROM $members
	JOIN pg_class c ON c.oid = d.objid AND d.classid = 'pg_class'::regclass AND c.relkind IN ('r', 'v') JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped ORDER BY c.relname, a.attnum");
my %columns;
push @{ $columns{ $_->[0] } }, [ @$_[ 2, 3 ] ] for @columns;
my @tables = sort keys %columns;
cmp_ok(scalar @tables, '>=', 14, 'tables and views of the extension');

sub some { my @all = @_; my $p = rand; return grep { rand() < $p } @all }
sub where
{
	my ($table) = @_;
	my $column = pick(@{ $columns{$table} });
	return rand() < 0.3 ? '' : " WHERE $column->[0] " . pick('=', '=', 'IS DISTINCT FROM') . ' ' . literal($column->[1], $column->[0]);
}

sub statement
{
	my $way = rand;
	if ($way < 0.5)
	{
		my ($name, $volatile, $types, $names) = @{ pick(@functions) };
		my @names = split /;/, $names;
		my $arguments = join ', ', map { literal($_, shift @names) } split /;/, $types;
		return pick("SELECT * FROM $name($arguments) LIMIT 50", "SELECT $name($arguments)", "SELECT count(*) FROM (SELECT $name($arguments)) x");
	}
	my $table = rand() < 0.5 ? pick(qw(po_account po_order po_line_item po_contact po_invoice)) : pick(@tables);
	if ($way < 0.75)
	{
		my @chosen = some(@{ $columns{$table} });
		# mostly what has a name that is known, and not what po_mgmt writes
		@chosen = grep { $by_name{ $_->[0] } || rand() < 0.03 } @{ $columns{$table} } if rand() < 0.7;
		@chosen = grep { !($table eq 'po_invoice' && $_->[0] =~ /^(?:po_number|line_number)$/ && rand() < 0.8) } @chosen;
		return "INSERT INTO $table DEFAULT VALUES" unless @chosen;
		my $rows = join ', ', map { '(' . join(', ', map { literal($_->[1], $_->[0]) } @chosen) . ')' } 1 .. 1 + rand 3;
		return "INSERT INTO $table (" . join(', ', map { $_->[0] } @chosen) . ") VALUES $rows" . pick('', ' ON CONFLICT DO NOTHING', ' RETURNING *');
	}
	if ($way < 0.93)
	{
		my @chosen = some(@{ $columns{$table} });
		@chosen = pick(@{ $columns{$table} }) unless @chosen && rand() < 0.2;
		return "UPDATE $table SET " . join(', ', map { "$_->[0] = " . literal($_->[1], $_->[0]) } @chosen) . where($table);
	}
	return pick("SELECT count(*) FROM $table" . where($table), "DELETE FROM $table" . where($table), "COPY (SELECT * FROM $table) TO '/dev/null'", "TRUNCATE $table CASCADE");
}

# run: so many statements as a role
sub run
{
	my ($role, $n) = @_;
	my $session = Wire->connect($node, 'fuzz', $role);
	my $began = time;
	my %done;

	for my $i (1 .. $n)
	{
		my $sql = statement();
		my $answer;

		# a crash is found out by the statement that it came from
		eval { $answer = $session->query($sql); 1 } or do { fail("the server died of: $sql"); return };
		proper($answer, $sql);
		$done{ $sql =~ /^(\w+)/ ? $1 : '' }{ $answer->{state} ? 'error' : 'ok' }++;
		if ($answer->{status} eq 'E') { $session->query(pick('ROLLBACK', 'ROLLBACK TO s; RELEASE s')); $session->query('ROLLBACK') }
		elsif ($answer->{status} eq 'T') { my $end = $session->query(pick('SAVEPOINT s', 'COMMIT', 'ROLLBACK', 'SELECT')); proper($end, 'end of a transaction') }
		elsif (rand() < 0.2) { $session->query(pick('BEGIN', 'BEGIN ISOLATION LEVEL SERIALIZABLE')) }
	}
	$session->query('ROLLBACK');
	is(join("\n", splice @improper, 0, 5), '', "$role: in $n statements all errors are proper");
	cmp_ok($done{$_}{ok} // 0, '>', 5, "$role: some of $_ were done ($done{$_}{ok} done, $done{$_}{error} errors)") for qw(SELECT INSERT UPDATE);
	note(sprintf '%s: %d statements in %.1f s', $role, $n, time - $began);
}

# First as a role that may do all that can be granted, so the books are right; then as the owner,
# who may write history, right or wrong.
$node->safe_psql('fuzz', q{CREATE ROLE fuzzer LOGIN; GRANT ALL ON ALL TABLES IN SCHEMA public TO fuzzer; GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA public TO fuzzer;
	REVOKE INSERT, UPDATE, DELETE ON po_row_security FROM fuzzer});
run('fuzzer', int(4_000 * $scale));
is($node->safe_psql('fuzz', 'SELECT * FROM po_check_integrity()'), '', 'the books are right');
run((getpwuid($>))[0], int(2_000 * $scale));
note(join ', ', map { "$_: $states{$_}" } sort keys %states);
is(scalar(() = slurp_file($node->logfile) =~ /PANIC:|TRAP:|terminated by signal/g), 0, 'nothing crashed');
$node->stop;
done_testing();
