# 040_dump_restore.pl: pg_dump and restore give back every row of every table as it was, byte by
# byte, although the triggers exist before the data comes in (product.md, section 10). In every
# format, with the extension in schema public and in schema "Odd Name".
#
#   PO_SEED=42  the seed of the amounts; always printed
#
# What is compared: all tables of the extension (whichever there are), the sequences, the result
# of po_match_invoice() for every invoice and for a grid of made-up ones, po_check_integrity().
# Then the restored database is worked with: a new order, line item and invoice have the effect
# and the ids that they have in the original.

use strict;
use warnings;

use Books;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $seed = $ENV{PO_SEED} // int(rand(2**31));
die "PO_SEED is not a number: $seed" unless $seed =~ /^\d+$/;
diag("PO_SEED=$seed");

my $dir = PostgreSQL::Test::Utils::tempdir;
my $began = time;
my $node = PostgreSQL::Test::Cluster->new('dump');
$node->init;
$node->append_conf('postgresql.conf', "timezone = 'UTC'\njit = off\n");
$node->start;

# ---------------------------------------------------------------------------
# The ways to dump and to restore
# ---------------------------------------------------------------------------

my @psql = ('psql', '-X', '-q', '-v', 'ON_ERROR_STOP=1', '-o', '/dev/null');

# each gets the name of the original, of the (empty) new database, a file name, and the schema
sub plain_with
{
	my @options = @_;
	return sub {
		my ($from, $to, $file) = @_;
		return quietly($node, "pg_dump @options", 'pg_dump', @options, '-f', $file, $from)
		  && quietly($node, 'psql', @psql, '-d', $to, '-f', $file);
	};
}

sub archive_with
{
	my ($dump, $restore) = @_;
	return sub {
		my ($from, $to, $file) = @_;
		return quietly($node, "pg_dump @$dump", 'pg_dump', @$dump, '-f', $file, $from)
		  && quietly($node, "pg_restore @$restore", 'pg_restore', '--exit-on-error', @$restore, '-d', $to, $file);
	};
}

sub fresh_extension
{
	my ($to, $schema) = @_;
	$node->safe_psql($to, ($schema eq 'public' ? '' : 'CREATE SCHEMA ' . quoted($schema) . '; ')
		  . 'CREATE EXTENSION po_mgmt SCHEMA ' . quoted($schema));
}

my %ways = (
	'plain' => plain_with(),
	'plain, one transaction' => sub {
		my ($from, $to, $file) = @_;
		return quietly($node, 'pg_dump', 'pg_dump', '-f', $file, $from)
		  && quietly($node, 'psql -1', @psql, '-1', '-d', $to, '-f', $file);
	},
	'inserts' => plain_with('--inserts'),
	'column inserts, many rows each' => plain_with('--column-inserts', '--rows-per-insert=7', '--quote-all-identifiers'),
	'custom' => archive_with([ '-Fc' ], []),
	'directory, dumped in parallel' => archive_with([ '-Fd', '-j2' ], []),
	'directory, restored in parallel' => archive_with([ '-Fd', '-j2' ], [ '-j2' ]),
	'custom, restored in parallel' => archive_with([ '-Fc' ], [ '-j4' ]),
	'directory, restored by four' => archive_with([ '-Fd', '-j4' ], [ '-j4' ]),
	'tar' => archive_with([ '-Ft' ], []),
	'data only' => sub {
		my ($from, $to, $file, $schema) = @_;
		fresh_extension($to, $schema);
		return plain_with('--data-only')->(@_);
	},
	'data only, inserts' => sub {
		my ($from, $to, $file, $schema) = @_;
		fresh_extension($to, $schema);
		return plain_with('--data-only', '--inserts')->(@_);
	},
	'data only, custom, triggers disabled' => sub {
		my ($from, $to, $file, $schema) = @_;
		fresh_extension($to, $schema);
		# (the archive is dumped whole, so that what --data-only restores is pg_restore's choice;
		# with triggers disabled seeds would collide, so the reference tables are emptied first)
		in_schema($node, $to, $schema, q{SET session_replication_role = replica;
			DELETE FROM po_seller_line_type; DELETE FROM po_taxonomy; DELETE FROM po_seller_alias; DELETE FROM po_seller});
		return archive_with([ '-Fc' ], [ '--data-only', '--disable-triggers' ])->(@_);
	},
	'schema, then data' => sub {
		my ($from, $to, $file, $schema) = @_;
		return plain_with('--schema-only')->($from, $to, "$file.schema")
		  && plain_with('--data-only')->($from, $to, "$file.data");
	},
	'custom, into a database that is cleaned' => sub {
		my ($from, $to, $file, $schema) = @_;
		fresh_extension($to, $schema);
		in_schema($node, $to, $schema, q{INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month) VALUES ('old', 'old', 'AWS Inc.', '2000-01', '9999-12')});
		return archive_with([ '-Fc' ], [ '--clean', '--if-exists' ])->(@_);
	});

# ---------------------------------------------------------------------------

my $nrestored = 0;

for my $schema ('public', 'Odd Name')
{
	my $from = $schema eq 'public' ? 'original' : 'original_odd';
	my @ways = $schema eq 'public' ? sort keys %ways : ('plain', 'column inserts, many rows each', 'data only', 'directory, dumped in parallel');
	my $original;

	$node->safe_psql('postgres', "CREATE DATABASE $from TEMPLATE template0 ENCODING 'UTF8'");
	fresh_extension($from, $schema);
	populate($node, $from, $schema, $seed);
	cmp_ok(archive($node, $from, $schema), '>', 20, "$schema: some of it is in the archive");
	$original = content($node, $from, $schema);

	# what is in it, so that an empty one does not pass
	is($original->{schema}, $schema, "$schema: the extension is in its schema");
	is(join(' ', grep { / is dumped$/ && $original->{$_} ne 't' } sort keys %$original), '', "$schema: all tables and sequences are dumped");
	is(join(' ', grep { exists $original->{"$_ is dumped"} && $original->{$_} eq '' } sort keys %$original), 'po_row_security', "$schema: all tables have rows, but for the one of row security");
	is($original->{po_check_integrity}, '', "$schema: po_check_integrity() finds nothing in the original");
	is(in_schema($node, $from, $schema, q{SELECT string_agg(DISTINCT entry_kind, ' ' ORDER BY entry_kind) FROM po_ledger}),
		'association carried closed correction edited opening release tracking', "$schema: the ledger has entries of all kinds so far");
	is(in_schema($node, $from, $schema, q{SELECT string_agg(DISTINCT coalesce(association_kind, 'none') || ' ' || kind, ', ' ORDER BY coalesce(association_kind, 'none') || ' ' || kind) FROM po_invoice}),
		'automatic credit_memo, automatic invoice, credit credit_memo, manual invoice, none credit_memo, none invoice',
		"$schema: there are invoices of all kinds");
	is(in_schema($node, $from, $schema, q{SELECT string_agg(DISTINCT po_status(o), ', ' ORDER BY po_status(o)) FROM po_order o}),
		'Active, Expired, Suspended, Suspended-expired', "$schema: and orders of every status");
	note(in_schema($node, $from, $schema, q{SELECT format('%s accounts, %s orders, %s line items, %s invoices, %s ledger entries',
		(SELECT count(*) FROM po_account), (SELECT count(*) FROM po_order), (SELECT count(*) FROM po_line_item),
		(SELECT count(*) FROM po_invoice), (SELECT count(*) FROM po_ledger))}));

	# what the original does with new rows, in a copy of it
	$node->safe_psql('postgres', "CREATE DATABASE ${from}_copy TEMPLATE $from");
	my $worked = work($node, "${from}_copy", $schema);
	my $errors = refused($node, "${from}_copy", $schema);
	like($worked, qr/BRAND NEW/, "$schema: new rows in the original");
	is($errors, '54000 54000 54000 55000 23514 55000 42501 42501', "$schema: what the original refuses");

	for my $way (@ways)
	{
		my $to = 'restored' . ++$nrestored;
		my $started = time;

		# (the defaults of the new database are not those of the original)
		$node->safe_psql('postgres', "CREATE DATABASE $to TEMPLATE template0 ENCODING 'UTF8'");
		$node->safe_psql('postgres', "ALTER DATABASE $to SET $_")
		  for ("timezone = 'Asia/Kolkata'", "datestyle = 'German'", 'extra_float_digits = -3', 'search_path = nowhere');
		my $ok = $ways{$way}->($from, $to, "$dir/$to.dump", $schema);
		$node->safe_psql('postgres', "ALTER DATABASE $to RESET ALL");
		next unless $ok;
		is(differences($original, content($node, $to, $schema), "$schema, $way"), '', "$schema, $way: all tables, sequences and results are as they were");
		is(work($node, $to, $schema), $worked, "$schema, $way: new rows get the same ids and have the same effect");
		is(refused($node, $to, $schema), $errors, "$schema, $way: refuses the same");
		note(sprintf('%s, %s: %.1f s', $schema, $way, time - $started));
	}
}

# Row security is not dumped: by the recipe of doc/operations.md nobody gets in before it is back.
{
	my ($recipe) = slurp_file("$ENV{TESTDIR}/../../doc/operations.md") =~ /^```sh\n(createdb.*?)^```/ms;
	my @lines = split /\n/, ($recipe // '') =~ s/books\.dump/$dir\/secured.dump/r;
	my $tenant = sub {
		my ($db) = @_;
		my ($status, $out, $err) = $node->psql($db, q{SET app.account_id = 'lowered'; SELECT string_agg(DISTINCT account_id, ' ') FROM po_order},
			extra_params => [ '-U', 'po_tenant' ]);
		return $status == 0 ? $out : $err =~ s/\n.*//sr;
	};
	my $run = sub { local $ENV{PGDATABASE} = 'postgres'; quietly($node, $_[0], 'bash', '-ec', $_[0]) };

	is(scalar @lines, 5, 'the recipe has its lines');
	$node->safe_psql('postgres', 'CREATE DATABASE secured TEMPLATE original; CREATE ROLE po_tenant LOGIN');
	$node->safe_psql('secured', q{GRANT SELECT ON po_order TO po_tenant; SELECT po_enable_row_security('app.account_id')});
	is($tenant->('secured'), 'lowered', 'row security: a tenant sees its account');
	quietly($node, 'pg_dump -Fc', 'pg_dump', '-Fc', '-f', "$dir/secured.dump", 'secured');
	$run->($_) for @lines[ 0 .. 1 ];
	my $secured = content($node, 'secured', 'public');
	is(differences($secured, content($node, 'new', 'public')), 'po_check_integrity', 'restored: all is there but the policies, which po_check_integrity() reports');
	is($node->safe_psql('new', q{SELECT count(*) FROM po_check_integrity() WHERE violation LIKE 'row security of %'}),
		$node->safe_psql('new', q{SELECT count(*) FROM pg_attribute a JOIN pg_depend d ON d.objid = a.attrelid AND d.classid = 'pg_class'::regclass AND d.deptype = 'e'
			JOIN pg_class c ON c.oid = a.attrelid AND c.relkind = 'r' WHERE a.attname = 'account_id'}), 'each of the tables');
	like($tenant->('new'), qr/too many connections for database "new"/, 'a tenant does not get in');
	$run->($_) for @lines[ 2 .. 4 ];
	is($node->safe_psql('new', 'SELECT count(*) FROM po_check_integrity()'), '0', 'after the recipe nothing is wrong');
	is($tenant->('new'), 'lowered', 'and a tenant sees its account');
	is(differences($secured, content($node, 'new', 'public')), '', 'and all is as it was');
}

# Control: what differs is seen.
$node->safe_psql('postgres', 'CREATE DATABASE control TEMPLATE original');
$node->safe_psql('control', q{UPDATE po_contact SET phone = '1' WHERE email = 'two@example.com'});
is(differences(content($node, 'original', 'public'), content($node, 'control', 'public')), 'po_contact', 'control: a change of one column of one row is seen');

is(scalar(() = slurp_file($node->logfile) =~ /PANIC:|TRAP:|terminated by signal/g), 0, 'nothing crashed');
note(sprintf('%d restores in %.1f s', $nrestored, time - $began));
$node->stop;
done_testing();
