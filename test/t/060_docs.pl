# 060_docs.pl: the documents say what the extension does.
#
#   - doc/reference.md and the regress test "reference" are the same: its ```sql blocks are
#     test/sql/reference.sql, the ```text blocks after them are the output in
#     expected/reference.out (which the regress suite compares with the real one)
#   - every ```sql block of README.md occurs in test/sql/readme.sql
#   - doc/reference.md has every error of src/*.c with its SQLSTATE, and every table, view, column,
#     trigger, kind of ledger entry and function of the install script
#   - README.md names the functions that the reference lists, and no other
#
# After a change of the examples:
#   perl test/t/060_docs.pl --write                 writes test/sql/reference.sql
#   make check SUITE=regress TESTS=reference
#   cp results/regress/results/reference.out expected/
#   perl test/t/060_docs.pl --write                 puts that output into doc/reference.md

use strict;
use warnings;

use File::Basename qw(dirname);
use Test::More;

my $root = dirname(__FILE__) . '/../..';
my $document = "$root/doc/reference.md";
my $test_file = "$root/test/sql/reference.sql";
my $expected_file = "$root/expected/reference.out";

my $header = "-- The examples of doc/reference.md. Written by test/t/060_docs.pl --write; edit them there.\n";

sub read_file
{
	my ($name) = @_;
	open my $file, '<', $name or return;
	local $/;
	return scalar <$file>;
}

sub write_file
{
	my ($name, $text) = @_;
	open my $file, '>', $name or die "$name: $!";
	print $file $text;
	close $file or die "$name: $!";
}

# white space at ends of lines and empty lines mean nothing
sub normalized
{
	my ($text) = @_;
	return join '', map { s/\s+\z//r . "\n" } grep { /\S/ } split /\n/, $text;
}

# blocks: the ```sql blocks of a document, each with the ```text block after it, if any
sub blocks
{
	my ($text) = @_;
	my @blocks;
	push @blocks, { sql => $1, output => $2 // '' }
	  while $text =~ /^```sql\n(.*?)^```\n(?:\n*```text\n(.*?)^```\n)?/msg;
	return @blocks;
}

sub test_of { return $header . join '', map { "\n$_->{sql}" } @_ }
sub expected_of { return $header . join '', map { "\n$_->{sql}$_->{output}" } @_ }

# outputs_from: what expected/reference.out has after each block; dies where a block is not in it
sub outputs_from
{
	my ($expected, @blocks) = @_;
	my @outputs;
	my $from = 0;
	for my $i (0 .. $#blocks)
	{
		my $at = index $expected, $blocks[$i]{sql}, $from;
		die "not in $expected_file as one piece:\n$blocks[$i]{sql}" if $at < 0;
		$from = $at + length $blocks[$i]{sql};
		my $end = $i < $#blocks ? index($expected, $blocks[$i + 1]{sql}, $from) : length $expected;
		die "not in $expected_file as one piece:\n$blocks[$i + 1]{sql}" if $end < 0;
		push @outputs, $end > $from ? normalized(substr($expected, $from, $end - $from)) : '';
	}
	return @outputs;
}

sub write_files
{
	my $text = read_file($document) // die "$document: $!";
	my @blocks = blocks($text);
	write_file($test_file, test_of(@blocks));
	my $expected = read_file($expected_file) // return;
	my @outputs = outputs_from($expected, @blocks);
	$text =~ s{^(```sql\n.*?^```\n)(?:\n*```text\n.*?^```\n)?}
	  { my $output = shift @outputs; $output eq '' ? $1 : "$1\n```text\n$output```\n" }msge;
	write_file($document, $text);
	return;
}

if (@ARGV && $ARGV[0] eq '--write')
{
	write_files();
	exit 0;
}

# ---- the reference and its test ----

my $reference = read_file($document) // '';
my @examples = blocks($reference);
cmp_ok(scalar @examples, '>', 10, 'doc/reference.md has examples');
is(normalized(read_file($test_file) // ''), normalized(test_of(@examples)),
	'test/sql/reference.sql is the examples of doc/reference.md');
is(normalized(read_file($expected_file) // ''), normalized(expected_of(@examples)),
	'expected/reference.out is their output in doc/reference.md');

# ---- README.md ----

my $readme = read_file("$root/README.md") // '';
my $readme_test = normalized(read_file("$root/test/sql/readme.sql") // '');
my @readme_examples = grep { $_->{sql} !~ /\A\s*CREATE EXTENSION[^;]*;\s*\z/ } blocks($readme);
ok(scalar @readme_examples, 'README.md has examples');
for my $example (@readme_examples)
{
	my $sql = normalized($example->{sql});
	my ($first) = $sql =~ /\A(.*)/;
	ok(index($readme_test, $sql) >= 0, "test/sql/readme.sql has: $first")
	  or diag("a block of README.md that is not in test/sql/readme.sql:\n$sql");
}

# ---- errors ----

my %sqlstates = (
	CHECK_VIOLATION => '23514',
	DATETIME_FIELD_OVERFLOW => '22008',
	DATETIME_VALUE_OUT_OF_RANGE => '22008',
	E_R_I_E_TRIGGER_PROTOCOL_VIOLATED => '39P01',
	FEATURE_NOT_SUPPORTED => '0A000',
	FOREIGN_KEY_VIOLATION => '23503',
	INSUFFICIENT_PRIVILEGE => '42501',
	INVALID_BINARY_REPRESENTATION => '22P03',
	INVALID_PARAMETER_VALUE => '22023',
	INVALID_PRECEDING_OR_FOLLOWING_SIZE => '22013',
	INVALID_TEXT_REPRESENTATION => '22P02',
	NOT_NULL_VIOLATION => '23502',
	NO_DATA_FOUND => 'P0002',
	NULL_VALUE_NOT_ALLOWED => '22004',
	OBJECT_NOT_IN_PREREQUISITE_STATE => '55000',
	PROGRAM_LIMIT_EXCEEDED => '54000',
	TRIGGERED_DATA_CHANGE_VIOLATION => '27000',
	T_R_SERIALIZATION_FAILURE => '40001',
	UNDEFINED_COLUMN => '42703',
	UNDEFINED_TABLE => '42P01',
	UNIQUE_VIOLATION => '23505');

# documented: the rows "| SQLSTATE | `message` |" of the reference, values as ...
my %documented;
$documented{"$1 $2"} = 1 while $reference =~ /^\| (\w{5}) \| `([^`]+)` \|/mg;

my $nerrors = 0;
for my $file (sort glob "$root/src/*.c")
{
	my $source = read_file($file) // die "$file: $!";
	my $code;
	# a message has the code before it, also where one of two is chosen
	while ($source =~ /errcode\((\w+)\)|\berrmsg\(((?:"(?:[^"\\]|\\.)*"|\s|[A-Z0-9_]+(?=\s*"))+)/g)
	{
		my $message = $2;
		if (defined $1)
		{
			$code = $1;
			next;
		}
		my $name = $code =~ /^ERRCODE_(\w+)/ ? $1 : '';
		$message = join '', map { /^"/ ? substr($_, 1, -1) : '%d' } $message =~ /"(?:[^"\\]|\\.)*"|[A-Z]\w+/g;
		$message =~ s/\\"/"/g;
		$message =~ s/%-?[\d.*]*(?:ll|l|z)?[a-zA-Z]/.../g;
		$nerrors++;
		if ($name ne '')
		{
			my $sqlstate = $sqlstates{$name} // "unknown ($code)";
			ok($documented{"$sqlstate $message"}, "doc/reference.md has $sqlstate: $message");
		}
		else
		{
			ok(scalar(grep { /^\S+ \Q$message\E$/ } keys %documented), "doc/reference.md has: $message");
		}
	}
}
cmp_ok($nerrors, '>', 50, 'errors found in src');

# ---- objects ----

my $script = read_file("$root/sql/po_mgmt--1.0.sql") // '';
my $ntables = 0;
while ($script =~ /^CREATE TABLE (\w+) \((.*?)^\)/msg)
{
	my ($table, $body) = ($1, $2);
	my ($section) = $reference =~ /^### `$table`\n(.*?)(?=^##|\z)/ms;
	my @columns = grep { !/^(?:CHECK|PRIMARY|UNIQUE|FOREIGN|CONSTRAINT)$/ } $body =~ /^\t(\w+)\b/mg;
	my @missing = grep { ($section // '') !~ /^\| `$_` \|/m } @columns;
	is("@missing", '', "doc/reference.md has every column of $table");
	$ntables++;
}
cmp_ok($ntables, '>', 10, 'tables found in the install script');

my %view_columns;
push @{$view_columns{$1}}, $2 while $script =~ /^COMMENT ON COLUMN (\w+)\.(\w+|"\w+") IS/mg;
my @views = $script =~ /^CREATE VIEW (\w+)/mg;
for my $view (@views)
{
	my ($section) = $reference =~ /^### `$view`\n(.*?)(?=^##|\z)/ms;
	my @missing = grep { my $column = s/"//gr; ($section // '') !~ /^\| `$column` \|/m } @{$view_columns{$view}};
	is("@missing", '', "doc/reference.md has every column of $view");
}
cmp_ok(scalar @views, '>', 5, 'views found in the install script');

my %functions = map { $_ => 1 } $script =~ /^CREATE FUNCTION (\w+)\(/mg;
my @missing = grep { $reference !~ /`$_\b/ } sort keys %functions;
is("@missing", '', 'doc/reference.md has every function');

# the rows of a table of a document: from its head to the next empty line
sub table_rows
{
	my ($text, $head) = @_;
	my ($rows) = $text =~ /^\Q$head\E\n\| ---[^\n]*\n(.*?)^(?!\|)/ms;
	return split /\n/, $rows // '';
}

my ($kinds) = $script =~ /^COMMENT ON COLUMN po_ledger\.entry_kind IS '([^']+)'/m;
my @documented_kinds = map { /^\| `(\w+)`/ } table_rows($reference, '| entry_kind | written when | amount | note |');
is("@{[sort @documented_kinds]}", "@{[sort grep { $_ ne 'or' } ($kinds // '') =~ /\w+/g]}",
	'doc/reference.md has every kind of ledger entry');

my %trigger_rows = map { /^\| `([^`]+)`, [^|]*\|([^|]*)\|/ ? ($1 => $2) : () }
  table_rows($reference, '| trigger | tables | what it does |');
while ($script =~ /^CREATE TRIGGER "([^"]+)" [^;]*? ON (\w+)/mg)
{
	my ($trigger, $table) = ($1, $2);
	like($trigger_rows{$trigger} // '', qr/\ball\b|`$table`/, "doc/reference.md has trigger $trigger of $table");
}

# the names before the brackets in the first column
sub functions_listed
{
	return map { my ($cell) = /^\|([^|]*)\|/; $cell =~ /`(\w+)\(/g } table_rows(@_);
}
my %listed = map { $_ => 1 } functions_listed($reference, '| function | returns | volatility | errors | source |');
my %in_readme = map { $_ => 1 } functions_listed($readme, '| function | what it does |');
delete @listed{ 'po_month', 'date' };    # casts
is("@{[sort keys %in_readme]}", "@{[sort keys %listed]}", 'README.md has the functions of the reference');
is("@{[grep { !$functions{$_} } sort keys %listed]}", '', 'and all of these are in the install script');

done_testing();
