# 110_packaging.pl: what packages say of po_mgmt agrees with what it is: META.json (PGXN), the control file, the
# change log, doc/packaging/debian. The Debian packages themselves are built and tried by `make check-deb`.

use strict;
use warnings;

use Digest::SHA qw(sha256_hex);
use File::Basename qw(dirname);
use JSON::PP;
use Test::More;

my $root = dirname(__FILE__) . '/../..';

sub read_file
{
	my ($name) = @_;
	open my $file, '<', "$root/$name" or return '';
	local $/;
	return scalar <$file>;
}

# ---- META.json, by the PGXN Meta Spec 1.0.0 ----

my $semver = qr/^(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)\.(?:0|[1-9]\d*)(?:-[A-Za-z][A-Za-z0-9-]*)?$/;
my $term = qr/^[^\s\/\\\p{Cntrl}]{2,}$/;
my $meta = eval { decode_json(read_file('META.json')) };
ok($meta, 'META.json is JSON') or BAIL_OUT($@);
my %known = map { $_ => 1 } qw(name version abstract description maintainer license provides meta-spec prereqs
  release_status resources tags no_index generated_by);
is(join(' ', grep { !$known{$_} && !/^x_/i } sort keys %$meta), '', 'it has keys of the specification only');
is(join(' ', grep { !defined $meta->{$_} } qw(name version abstract maintainer license provides meta-spec)), '', 'and all that must be there');
like($meta->{name}, $term, 'name');
like($meta->{version}, $semver, 'version');
like($meta->{'meta-spec'}{version}, qr/^1\.0\.\d+$/, 'version of the specification');
like($meta->{license}, qr/^(?:agpl_3|apache_[12]_[01]|artistic_[12]|bsd|freebsd|gfdl_1_[23]|gpl_[123]|lgpl_[23]_[01]|mit|mozilla_1_[01]|openssl|perl_5|postgresql|qpl_1_0|ssleay|sun|zlib|open_source|restricted|unrestricted|unknown)$/,
	'license');
like($meta->{release_status} // 'stable', qr/^(?:stable|testing|unstable)$/, 'release_status');
is(scalar(grep { length > 255 || /[\/\\\p{Cntrl}]/ } @{$meta->{tags} // []}), 0, 'tags');
my %phases = %{$meta->{prereqs} // {}};
is(join(' ', grep { !/^(?:configure|build|test|runtime|develop)$/ } keys %phases), '', 'prereqs by phase');
for my $relations (values %phases)
{
	is(join(' ', grep { !/^(?:requires|recommends|suggests|conflicts)$/ } keys %$relations), '', 'and relation');
	is(scalar(grep { $_ ne '0' && !/$semver/ } map { values %$_ } values %$relations), 0, 'with versions');
}
my $provided = $meta->{provides}{po_mgmt};
like($provided->{version} // '', $semver, 'the version of the extension');
ok(-f "$root/" . ($provided->{$_} // 'none'), "its $_ is there") for qw(file docfile);

# ---- one version ----

my ($version) = read_file('po_mgmt.control') =~ /^default_version = '(.+)'$/m;
like($meta->{version}, qr/^\Q$version\E\./, 'the control file has the version of META.json');
is($provided->{version}, $meta->{version}, 'so has what it provides');

# ---- scripts: one that installs the first version, and from there one for each version to the next ----

# What was released is in databases as it was: a change of a script would reach new ones only, and the same version
# would be two things. Changes go to the script of the next version.
my %released = ('1.0' => '7efe53245bedf9d90335332ca96f8c56ff4c645d7bddbbdea94bb4d56ad3fad4');
is(sha256_hex(read_file("sql/po_mgmt--$_.sql")), $released{$_}, "the script of $_ is as it was released") for sort keys %released;
my %next = map { /--([^-]+)--([^-]+)\.sql$/ ? ($1 => $2) : () } glob("$root/sql/*.sql");
my @install = map { /--([^-]+)\.sql$/ } grep { !/--.*--/ } glob("$root/sql/*.sql");
is("@install", '1.0', 'one script installs, so that no other can differ from it');
my @path = ('1.0');
push @path, delete $next{$path[-1]} while exists $next{$path[-1]};
is($path[-1], $version, 'scripts lead from there to the version of the control file');
is(join(' ', %next), '', 'and nowhere else');

like(read_file('CHANGELOG.md'), qr/^## \[\Q$meta->{version}\E\]/m, 'CHANGELOG.md has it');

# ---- Debian ----

my $debian = 'doc/packaging/debian';
like(read_file("$debian/changelog"), qr/\Apo-mgmt \(\Q$meta->{version}\E(?:-\d+)?\) /, 'the newest in debian/changelog');
like(read_file("$debian/control.in"), qr/^Package: postgresql-PGVERSION-po-mgmt$/m, 'a package for each PostgreSQL');
like(read_file("$debian/control.in"), qr/^Package: po-notifier$/m, 'and one for po-notifier');
# the manual says what the program says of its options
my @options = read_file('src/notifier/options.c') =~ /\{"([a-z-]+)", (?:no|required)_argument/g;
my $manual = read_file("$debian/po-notifier.1") =~ s/\\-/-/gr;
cmp_ok(scalar @options, '>', 10, 'options of po-notifier');
is(join(' ', grep { $manual !~ /^\.B[IR]? (?:-\w ", " )?--$_(?![a-z-])/m } @options), '', 'its manual has them');
is(join(' ', grep { my $o = $_; !grep { $_ eq $o } @options } $manual =~ /^\.B[IR]? (?:-\w ", " )?--([a-z-]+)/mg), '', 'and no others');
like(read_file("$debian/po-notifier.manpages"), qr/^debian\/po-notifier\.1$/m, 'the package has it');
ok(-x "$root/$debian/$_", "$_ may be run") for qw(rules tests/smoke);
like(read_file("$debian/copyright"), qr/Copyright \(c\) 2026|Copyright: 2026/, 'the licence');
like(read_file('doc/tutorial.md'), qr/po-mgmt_\Q$meta->{version}\E_/, 'the tutorial installs it');

done_testing();
