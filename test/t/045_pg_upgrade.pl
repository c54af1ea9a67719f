# 045_pg_upgrade.pl: pg_upgrade takes a filled database over to another cluster with all that is in
# it; what it gives works like the original, and can be dumped and restored.
#
#   PO_UPGRADE_FROM=15   the version to come from: a server of Debian's that has the extension
#                        installed (make check-all makes one); otherwise the same server
#   PO_SEED=42           the seed of the amounts; always printed
#
# pg_upgrade makes tables, triggers and constraints one by one and not by CREATE EXTENSION, so the
# catalog is compared with that of a new database, too.

use strict;
use warnings;

use Books;
use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $seed = $ENV{PO_SEED} // int(rand(2**31));
die "PO_SEED is not a number: $seed" unless $seed =~ /^\d+$/;
diag("PO_SEED=$seed");

my $from = $ENV{PO_UPGRADE_FROM};
my %old_server = $from ? (install_path => "/usr/lib/postgresql/$from") : ();
die "there is no PostgreSQL $from in $old_server{install_path}" if $from && !-x "$old_server{install_path}/bin/pg_ctl";

sub cluster
{
	my ($name, %server) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name, %server);

	# from 18 on initdb switches checksums on, and both clusters have to have them, or none
	$node->init(extra => $node->pg_version >= 18 ? ['--no-data-checksums'] : []);
	$node->append_conf('postgresql.conf', "timezone = 'UTC'\njit = off\n");
	return $node;
}

my %schemas = (books => 'public', books_odd => 'Odd Name');
my (%content, %worked, %errors);

my $old;
{
	# a server of another version has the extension where its packages put theirs
	local $ENV{TEMP_CONFIG} = $ENV{TEMP_CONFIG};
	delete $ENV{TEMP_CONFIG} if $from;
	$old = cluster('old', %old_server);
}
$old->start;
for my $db (sort keys %schemas)
{
	my $schema = $schemas{$db};

	$old->safe_psql('postgres', "CREATE DATABASE $_ TEMPLATE template0 ENCODING 'UTF8'") for ($db, "${db}_copy");
	$old->safe_psql($db, 'CREATE SCHEMA ' . quoted($schema)) unless $schema eq 'public';
	$old->safe_psql($db, 'CREATE EXTENSION po_mgmt SCHEMA ' . quoted($schema));
	populate($old, $db, $schema, $seed);
	archive($old, $db, $schema);
	in_schema($old, $db, $schema, q{
		CREATE ROLE po_viewer;
		GRANT SELECT ON po_order, po_line_item TO po_viewer;
		CREATE VIEW own_view AS SELECT po_number, po_status(o) FROM po_order o}) if $schema eq 'public';
	$content{$db} = content($old, $db, $schema);
	like($content{$db}{po_order}, qr/ACTIVE/, "$schema: the original has rows");
	like($content{$db}{po_ledger_archive}, qr/association/, "$schema: in the archive, too");
	$old->safe_psql('postgres', "DROP DATABASE ${db}_copy; CREATE DATABASE ${db}_copy TEMPLATE $db");
	$worked{$db} = work($old, "${db}_copy", $schema);
	$errors{$db} = refused($old, "${db}_copy", $schema);
	$old->safe_psql('postgres', "DROP DATABASE ${db}_copy");
}
$old->stop;

my $new = cluster('new');
my @upgrade = ('pg_upgrade', '--no-sync', '-d', $old->data_dir, '-D', $new->data_dir, '-b', $old->config_data('--bindir'),
	'-B', $new->config_data('--bindir'), '-s', $new->host, '-p', $old->port, '-P', $new->port);
my $out;
chdir PostgreSQL::Test::Utils::tempdir;
my $done = IPC::Run::run(\@upgrade, '<', \undef, '>', \$out, '2>&1');
ok($done, sprintf('pg_upgrade from %s to %s', $old->pg_version, $new->pg_version)) or diag($out, map { slurp_file($_) =~ /^(pg_restore: error:.*\n.*\n.*\n)/mg } glob($new->data_dir . '/pg_upgrade_output.d/*/log/pg_upgrade_dump_*.log'));
is(int($old->pg_version . ''), $from // int($new->pg_version . ''), 'from the version that was asked for');
BAIL_OUT('there is nothing to look at') unless $done;

$new->start;
for my $db (sort keys %schemas)
{
	my $schema = $schemas{$db};

	is(differences($content{$db}, content($new, $db, $schema), "$schema, upgraded"), '', "$schema: all tables, sequences and results are as they were");
	$new->safe_psql('postgres', "CREATE DATABASE copy TEMPLATE $db");
	is(work($new, 'copy', $schema), $worked{$db}, "$schema: new rows get the same ids and have the same effect");
	is(refused($new, 'copy', $schema), $errors{$db}, "$schema: refuses the same");
	$new->safe_psql('postgres', 'DROP DATABASE copy');

	# grants and the view of the user's own are not of a new database
	$new->safe_psql('postgres', "CREATE DATABASE fresh TEMPLATE template0 ENCODING 'UTF8'");
	$new->safe_psql('fresh', 'CREATE SCHEMA ' . quoted($schema)) unless $schema eq 'public';
	$new->safe_psql('fresh', 'CREATE EXTENSION po_mgmt SCHEMA ' . quoted($schema));
	my $upgraded = catalog($new, $db, $schema) =~ s/,?"?po_viewer=r\/\w+"?//gr =~ s/\{postgres=[a-zA-Z]+\/postgres\}//gr;
	my $fresh = catalog($new, 'fresh', $schema) =~ s/\{postgres=[a-zA-Z]+\/postgres\}//gr;
	# what the server makes with a range type is not a member of the extension any more
	s/^.*(?:multirange|po_month_range\(po_month,).*\n//mg for ($upgraded, $fresh);
	$_ = join("\n", sort split /\n/) for ($upgraded, $fresh);    # (else by OID)
	is(differences({ catalog => $fresh }, { catalog => $upgraded }, $schema), '', "$schema: the catalog is that of a new database");

	# and on from there
	quietly($new, 'pg_dump', 'pg_dump', '-Fc', '-f', "$db.dump", $db);
	$new->safe_psql('postgres', "CREATE DATABASE restored TEMPLATE template0 ENCODING 'UTF8'");
	quietly($new, 'pg_restore -j2', 'pg_restore', '--exit-on-error', '-j2', '-d', 'restored', "$db.dump");
	is(differences($content{$db}, content($new, 'restored', $schema), "$schema, restored"), '', "$schema: a dump of it can be restored");
	$new->safe_psql('postgres', "DROP DATABASE $_") for ('fresh', 'restored');
}
is($new->safe_psql('books', q{SELECT count(*) FILTER (WHERE has_table_privilege('po_viewer', c, 'SELECT')) FROM unnest(ARRAY['po_order', 'po_line_item', 'po_invoice']::regclass[]) c}),
	'2', 'what was granted is granted');
like($new->safe_psql('books', 'SELECT count(*) FROM own_view WHERE po_status = \'Active\''), qr/^[1-9]/, 'views of the user\'s own work');

is(scalar(() = slurp_file($_->logfile) =~ /PANIC:|TRAP:|terminated by signal/g), 0, 'nothing crashed') for ($old, $new);
$new->stop;
done_testing();
