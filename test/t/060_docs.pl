# 060_docs.pl: the documents say what the extension does.
#
#   - README.md, doc/tutorial.md, doc/reference.md and doc/recipes.md are run: the ```sql blocks of each are a regress
#     test, test/sql/NAME.sql, and the ```text blocks after them are the output in expected/NAME.out,
#     which the regress suite compares with the real one. No other document has ```sql blocks
#   - doc/reference.md has every error of src/*.c with its SQLSTATE, and every table, view, column,
#     trigger, kind of ledger entry and function of the scripts
#   - README.md names the functions that the reference lists, and no other
#
# After a change of the examples:
#   perl test/t/060_docs.pl --write                 writes test/sql/NAME.sql
#   make check SUITE=regress TESTS='readme reference recipes tutorial'
#   cp results/regress/results/{readme,reference,recipes,tutorial}.out expected/
#   perl test/t/060_docs.pl --write                 puts that output into the documents

use strict;
use warnings;

use File::Basename qw(dirname);
use Test::More;

my $root = dirname(__FILE__) . '/../..';

# the documents that are run, and their tests
my %test_of_document = ('README.md' => 'readme', 'doc/reference.md' => 'reference', 'doc/recipes.md' => 'recipes',
	'doc/tutorial.md' => 'tutorial');

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

# Each is run in a database of its own. So the block of a document that makes the extension is left out.
sub examples
{
	my ($document) = @_;
	return grep { $_->{sql} ne "CREATE EXTENSION po_mgmt;\n" } blocks(read_file("$root/$document") // '');
}

sub header
{
	my ($document) = @_;
	my $database = "po_mgmt_$test_of_document{$document}";
	return <<"END";
-- The examples of $document. Written by test/t/060_docs.pl --write; edit them there.
SET client_min_messages = warning;
DROP DATABASE IF EXISTS $database;
CREATE DATABASE $database;
\\connect $database
SET datestyle = 'ISO';
SET timezone = 'UTC';
CREATE EXTENSION po_mgmt;
END
}

sub footer
{
	my ($document) = @_;
	return "\n\\connect template1\nDROP DATABASE po_mgmt_$test_of_document{$document};\n";
}

sub test_of
{
	my ($document) = @_;
	return header($document) . join('', map { "\n$_->{sql}" } examples($document)) . footer($document);
}

sub expected_of
{
	my ($document) = @_;
	return header($document) . join('', map { "\n$_->{sql}$_->{output}" } examples($document)) . footer($document);
}

sub test_file { return "$root/test/sql/$test_of_document{$_[0]}.sql" }
sub expected_file { return "$root/expected/$test_of_document{$_[0]}.out" }

# outputs_from: what the expected output has after each block; none where it does not have all of them
sub outputs_from
{
	my ($document, $expected) = @_;
	my @outputs;
	my @pieces = map { normalized($_) } (map { $_->{sql} } examples($document)), footer($document);
	my $from = 0;
	$expected = normalized($expected);
	for my $i (0 .. $#pieces)
	{
		my $at = index $expected, $pieces[$i], $from;
		if ($at < 0)
		{
			warn "the expected output of $document does not have as one piece:\n$pieces[$i]";
			return;
		}
		push @outputs, substr($expected, $from, $at - $from) if $i > 0;
		$from = $at + length $pieces[$i];
	}
	return @outputs;
}

sub write_files
{
	my ($document) = @_;
	write_file(test_file($document), test_of($document));
	my @outputs = outputs_from($document, read_file(expected_file($document)) // '');
	return unless @outputs;
	my $text = read_file("$root/$document");
	$text =~ s{^(```sql\n(.*?)^```\n)(?:\n*```text\n.*?^```\n)?}
	  {
		my $output = $2 eq "CREATE EXTENSION po_mgmt;\n" ? '' : shift @outputs;
		$output eq '' ? $1 : "$1\n```text\n$output```\n"
	  }msge;
	write_file("$root/$document", $text);
	return;
}

if (@ARGV && $ARGV[0] eq '--write')
{
	write_files($_) for sort keys %test_of_document;
	exit 0;
}

# ---- examples and their tests ----

for my $document (sort keys %test_of_document)
{
	cmp_ok(scalar examples($document), '>', 2, "$document has examples");
	is(normalized(read_file(test_file($document)) // ''), normalized(test_of($document)),
		"its test is the examples of $document");
	is(normalized(read_file(expected_file($document)) // ''), normalized(expected_of($document)),
		"and the output of that is in $document");
}
my $ndocuments = 0;
for my $file (sort glob "$root/*.md $root/doc/*.md $root/doc/*/*.md")
{
	my $name = $file =~ s/^\Q$root\E\///r;
	next if $test_of_document{$name} || $name eq 'doc/operations.md';    # test/pgtap/roles.sql runs that
	is(scalar(() = read_file($file) =~ /^\s*```\s*(?:sql|pgsql|psql)\b/mg), 0, "$name has no SQL that is not run");
	$ndocuments++;
}
cmp_ok($ndocuments, '>', 2, 'other documents found');

my $readme = read_file("$root/README.md") // '';
my $reference = read_file("$root/doc/reference.md") // '';

# ---- errors ----

my %sqlstates = (
	CHECK_VIOLATION => '23514',
	DATATYPE_MISMATCH => '42804',
	DATETIME_FIELD_OVERFLOW => '22008',
	DATETIME_VALUE_OUT_OF_RANGE => '22008',
	DUPLICATE_OBJECT => '42710',
	E_R_I_E_TRIGGER_PROTOCOL_VIOLATED => '39P01',
	FEATURE_NOT_SUPPORTED => '0A000',
	FOREIGN_KEY_VIOLATION => '23503',
	INSUFFICIENT_PRIVILEGE => '42501',
	INVALID_BINARY_REPRESENTATION => '22P03',
	INVALID_PARAMETER_VALUE => '22023',
	INVALID_PRECEDING_OR_FOLLOWING_SIZE => '22013',
	INVALID_TABLE_DEFINITION => '42P16',
	INVALID_TEXT_REPRESENTATION => '22P02',
	NOT_NULL_VIOLATION => '23502',
	NO_DATA_FOUND => 'P0002',
	NULL_VALUE_NOT_ALLOWED => '22004',
	OBJECT_NOT_IN_PREREQUISITE_STATE => '55000',
	PROGRAM_LIMIT_EXCEEDED => '54000',
	SUCCESSFUL_COMPLETION => '00000',
	TRIGGERED_DATA_CHANGE_VIOLATION => '27000',
	T_R_SERIALIZATION_FAILURE => '40001',
	UNDEFINED_COLUMN => '42703',
	UNDEFINED_OBJECT => '42704',
	UNDEFINED_TABLE => '42P01',
	UNIQUE_VIOLATION => '23505',
	WRONG_OBJECT_TYPE => '42809');

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

# the script that installs, and those of later versions: what is said last holds
my $script = join '', map { read_file($_) } "$root/sql/po_mgmt--1.0.sql", sort glob("$root/sql/po_mgmt--*--*.sql");
my $ntables = 0;
while ($script =~ /^CREATE TABLE (\w+) \((.*?)^\)/msg)
{
	my ($table, $body) = ($1, $2);
	like($reference, qr/^### `$table`$/m, "doc/reference.md has $table");
	# an archive has the columns of its table
	my ($section) = $reference =~ /^### `@{[ $table =~ s{_archive$}{}r ]}`\n(.*?)(?=^##|\z)/ms;
	my @columns = grep { !/^(?:CHECK|PRIMARY|UNIQUE|FOREIGN|CONSTRAINT)$/ } $body =~ /^\t(\w+)\b/mg;
	my @missing = grep { ($section // '') !~ /^\| `$_` \|/m } @columns;
	is("@missing", '', "doc/reference.md has every column of $table");
	$ntables++;
}
cmp_ok($ntables, '>', 10, 'tables found in the scripts');

my %view_columns;
push @{$view_columns{$1}}, $2 while $script =~ /^COMMENT ON COLUMN (\w+)\.(\w+|"\w+") IS/mg;
my @views = $script =~ /^CREATE VIEW (\w+)/mg;
for my $view (@views)
{
	my ($section) = $reference =~ /^### `$view`\n(.*?)(?=^##|\z)/ms;
	my @missing = grep { my $column = s/"//gr; ($section // '') !~ /^\| `$column` \|/m } @{$view_columns{$view}};
	is("@missing", '', "doc/reference.md has every column of $view");
}
cmp_ok(scalar @views, '>', 5, 'views found in the scripts');

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

my $kinds = ($script =~ /^COMMENT ON COLUMN po_ledger\.entry_kind IS '([^']+)'/mg)[-1];
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
is("@{[grep { !$functions{$_} } sort keys %listed]}", '', 'and all of these are in the scripts');

done_testing();
