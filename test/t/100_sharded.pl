# 100_sharded.pl: accounts sharded over two servers behind PL/Proxy, as doc/scale.md sets it up: the same calls give
# the same answers as on one server; what happens while a shard is down; a call whose answer was lost.

use strict;
use warnings;

use File::Basename qw(dirname);
use IO::Select;
use IO::Socket::INET;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $scale = dirname(__FILE__) . '/../../doc/scale';
my $database = 'billing';

sub make_node
{
	my ($name) = @_;
	my $node = PostgreSQL::Test::Cluster->new($name);
	$node->init;
	# one clock for all, so that what they write can be compared
	$node->append_conf('postgresql.conf', <<'END');
listen_addresses = '127.0.0.1'
timezone = 'UTC'
po_mgmt.now = '2026-11-10 12:00:00+00'
END
	$node->start;
	$node->safe_psql('postgres', "CREATE DATABASE $database");
	$node->safe_psql($database, 'CREATE EXTENSION po_mgmt');
	return $node;
}

my %node = map { $_ => make_node($_) } qw(router shard0 shard1 single);
my ($router, $single) = @node{qw(router single)};

sub run_script
{
	my ($node, $file, @arguments) = @_;
	is( system_log('psql', '-X', '-q', '-h', $node->host, '-p', $node->port, '-d', $database, @arguments, '-f', "$scale/$file"),
		0, "$file on " . $node->name);
}

sub address { return "host=127.0.0.1 port=$_[0] dbname=$database connect_timeout=5" }

run_script($node{$_}, 'shard.sql') for qw(shard0 shard1 single);
my $user = $router->safe_psql($database, 'SELECT current_user');
$router->safe_psql($database, <<"END");
CREATE EXTENSION plproxy;
CREATE SERVER po FOREIGN DATA WRAPPER plproxy
	OPTIONS (p0 '@{[address($node{shard0}->port)]}', p1 '@{[address($node{shard1}->port)]}');
CREATE USER MAPPING FOR PUBLIC SERVER po OPTIONS (user '$user');
END
run_script($router, 'router.sql', '-v', 'cluster=po');
run_script($router, 'router.sql');    # again, as after an upgrade

# the one server has the same functions for rows
$single->safe_psql($database, <<'END');
CREATE SCHEMA po_router;
CREATE FUNCTION po_router.po_insert(table_name text, rows jsonb) RETURNS SETOF jsonb LANGUAGE sql AS $$
	SELECT po_shard.po_insert(table_name, array_agg(r.row ->> 'account_id' ORDER BY place), array_agg(r.row ORDER BY place))
	FROM jsonb_array_elements(rows) WITH ORDINALITY r(row, place) $$;
CREATE FUNCTION po_router.po_update(text, text, jsonb, jsonb) RETURNS SETOF jsonb LANGUAGE sql AS 'SELECT po_shard.po_update($1, $2, $3, $4)';
CREATE FUNCTION po_router.po_delete(text, text, jsonb) RETURNS SETOF jsonb LANGUAGE sql AS 'SELECT po_shard.po_delete($1, $2, $3)';
END

# answer: what a statement says: its rows without ids of the server's own, or its error without where it came from
sub answer
{
	my ($node, $sql) = @_;
	my ($out, $err);
	$node->psql($database, "SET search_path = po_router, public; $sql", stdout => \$out, stderr => \$err);
	if ($err =~ /ERROR:/)
	{
		$err =~ s/^psql:<stdin>:\d+: //mg;
		$err =~ s/ERROR:  .*?REMOTE ERROR: /ERROR:  /;
		$err =~ s/^(DETAIL|HINT):  Remote \w+: /$1:  /mg;
		return $err =~ s/^CONTEXT: .*//msr;
	}
	return $out;
}

# what differs from server to server: ids, and microseconds of stamps, which depend on what else was in a statement
sub comparable
{
	my ($answer) = @_;
	$answer =~ s/"(?:line_item|entry|change|notification|archive)_id": \d+/"id"/g;
	$answer =~ s/(T12:00:00)\.\d+(?=\+00:00)/$1/g;
	return sort split /\n/, $answer;
}

# same: the same call gives the same answer; rows in any order
sub same
{
	my ($name, $call, $call_there) = @_;
	my ($here, $there) = map { answer($_->[0], "SELECT DISTINCT to_jsonb(r) FROM $_->[1] r") }
	  ([ $router, $call ], [ $single, $call_there // $call ]);
	my (%here, %there);
	$here{$_}++ for comparable($here);
	$there{$_}++ for comparable($there);
	my @only_here = grep { !$there{$_} } sort keys %here;
	my @only_there = grep { !$here{$_} } sort keys %there;
	ok(!@only_here && !@only_there, $name) or diag(join "\n", 'behind the router:', @only_here, 'on one server:', @only_there);
	return $here;
}

# ---- the same answers ----

# all on both shards: accounts 0 to 9, of which some are here and some there
my %shard_of = map { split /\|/ } split /\n/,
  $router->safe_psql($database, q{SELECT 'account-' || n, 'shard' || (hashtext('account-' || n) & 1) FROM generate_series(0, 9) n});
is(scalar(keys %{ { reverse %shard_of } }), 2, 'both shards have accounts');
my ($on0) = sort grep { $shard_of{$_} eq 'shard0' } keys %shard_of;
my ($on1) = sort grep { $shard_of{$_} eq 'shard1' } keys %shard_of;

# rows: a call of po_insert with a row for each account
sub rows
{
	my ($table, $columns, $series) = @_;
	$series //= '1';
	return qq{po_insert('$table', (SELECT jsonb_agg(jsonb_build_object('account_id', 'account-' || a, $columns) ORDER BY i, a)
		FROM generate_series(0, 9) a, generate_series(1, $series) i))};
}

my $orders = rows('po_order', q{'po_number', 'P' || i, 'bill_from', 'AWS Inc.', 'effective_month', '2026-01', 'expiration_month', '2026-12'}, 2);
my $invoices = rows('po_invoice', q{'bill_from', 'Amazon Web Services, Inc.', 'invoice_id', i::text, 'line_type', 'usage',
	'billing_month', '2026-10', 'amount', 10 * i + a, 'requested_po_number', CASE i WHEN 3 THEN 'P2' WHEN 4 THEN 'P3' END}, 5);
same('orders', $orders);
same('line items', rows('po_line_item', q{'po_number', 'P1', 'line_number', i::text, 'line_type', CASE i WHEN 1 THEN 'all' ELSE 'usage' END,
	'start_month', '2026-01', 'end_month', '2026-12', 'balance_tracked', true, 'amount', 100}, 2));
same('line items of other columns', rows('po_line_item', q{'po_number', 'P2', 'line_number', '1', 'line_type', 'usage',
	'start_month', '2026-01', 'end_month', '2026-12', 'amount', 100}));
same('contacts', rows('po_contact', q{'po_number', 'P1', 'email', 'ap@example.com'}));
like(same('invoices', $invoices), qr/"po_number": "P1"/, 'and they are associated');
same('the same again changes nothing', $invoices);
same('orders again', $orders);
like(same('a row without its key', q{po_insert('po_contact', '[{"account_id": "account-1"}]')}), qr/have no key/, 'is refused');
like(same('a row that is not right', q{po_insert('po_contact', '[{"account_id": "account-1", "po_number": "P9", "email": "a@example.com"}]')}),
	qr/does not exist in account/, 'is refused');
like(same('no such table', q{po_insert('po_nothing', '[{"account_id": "account-1"}]')}), qr/ERROR/, 'is refused');
same('a change', q{po_update('po_order', 'account-3', '{"po_number": "P2"}', '{"description": "second", "tags": {"a": "b"}}')});
same('a row deleted', q{po_delete('po_contact', 'account-4', '{"po_number": "P1"}')});
same('and deleted again', q{po_delete('po_contact', 'account-4', '{"po_number": "P1"}')});
same('an invoice that stands in a table', qq{po_match_invoice((SELECT v FROM po_invoice('$on1') v WHERE invoice_id = '1'))},
	"po_match_invoice((SELECT v FROM public.po_invoice v WHERE account_id = '$on1' AND invoice_id = '1'))");

# every table and view, of an account and of all
my @relations = split /\n/, $router->safe_psql($database, q{SELECT DISTINCT proname FROM pg_proc
	WHERE pronamespace = 'po_router'::regnamespace AND to_regclass('public.' || proname) IS NOT NULL ORDER BY 1});
cmp_ok(scalar @relations, '>', 12, 'tables and views found');

sub same_books
{
	my ($when) = @_;
	my $all = sub { return '(' . join(' UNION ALL ', map { sprintf "SELECT '$_' AS relation, to_jsonb(t) AS row FROM $_[0] t", ($_) x 2 } @relations) . ')' };
	same("tables and views of all accounts $when", $all->('%s()'), $all->('public.%s'));
	same("tables and views of $_ $when", $all->("%s('$_')"), $all->("(SELECT * FROM public.%s WHERE account_id = '$_')"))
	  for $on0, $on1;
	is(answer($router, 'SELECT count(*) FROM po_check_integrity()'), '0', "integrity $when");
	return;
}
same_books('at first');

# Every function of po_mgmt that is routed, with arguments by their names: of an account here, one there, and none.
my %argument = (
	account_id => undef, po_number => q{'P1'}, line_number => q{'1'}, bill_from => q{'AWS Inc.'}, invoice_id => q{'1'}, line_type => q{'usage'},
	billing_month => q{'2026-10'}, amount => 20, at => q{'2026-11-11'}, day => q{'2026-11-11'}, as_of => q{'2026-12-31'}, from_month => q{'2026-09'},
	to_month => q{'2026-11'}, start_month => q{'2026-09'}, end_month => q{'2026-11'}, expiration_month => q{'2027-02'}, month => q{'2026-10'},
	before => q{'2026-01'}, agreement_id => q{'agreement'}, reason => q{'a reason'}, invoice => undef, order => undef);
my @functions = split /\n/, $router->safe_psql($database, <<'END');
SELECT p.proname, (SELECT string_agg(p.proargnames[a.n] || ' ' || format_type(a.type, NULL), ',' ORDER BY a.n)
	FROM unnest(p.proargtypes::oid[]) WITH ORDINALITY a(type, n))
FROM pg_proc p
WHERE p.pronamespace = 'po_router'::regnamespace AND to_regprocedure(replace(p.oid::regprocedure::text, 'po_router.', 'public.')) IS NOT NULL
ORDER BY p.proname, 2
END
cmp_ok(scalar @functions, '>', 20, 'functions found');
for (@functions)
{
	my ($function, $arguments) = split /\|/;
	for my $account ("'$on0'", "'$on1'", 'NULL')
	{
		my @values;
		for (split /,/, $arguments)
		{
			my ($name, $type) = /^(\w+) (.*)/;
			my $value = $name eq 'account_id' ? $account : $argument{$name} // 'NULL';
			$value = "jsonb_populate_record(NULL::public.$type, '{\"account_id\": $account, \"po_number\": \"P1\", \"bill_from\": \"AWS Inc.\",
				\"invoice_id\": \"2\", \"kind\": \"invoice\", \"line_type\": \"usage\", \"billing_month\": \"2026-10\", \"amount\": 7, \"currency\": \"USD\",
				\"status\": \"active\", \"effective_month\": \"2026-01\", \"expiration_month\": \"2026-12\"}')" =~ s/'account-(\d)'/"account-$1"/r =~ s/: NULL/: null/r
			  if $type eq 'po_invoice' || $type eq 'po_order';
			push @values, $value eq 'NULL' ? 'NULL' : "$value::$type" =~ s/(?<=::)po_/public.po_/r;
		}
		local $" = ', ';
		same("$function($arguments) of $account", "$function(@values)");
	}
}
same_books('after all functions');

# closed months, archived of one account and of all
sub closed_through
{
	my ($month) = @_;
	same("months of $_ are closed: $month", "po_update('po_account', '$_', '{}', '{\"closed_through\": $month}')") for sort keys %shard_of;
}
closed_through('"2026-11"');
cmp_ok(same('the archive of an account', "po_archive('2026-12', '$on1')"), '>', 5, 'has rows');
cmp_ok(same('the archive of all accounts', q{po_archive('2026-12')}), '>', 50, 'has more');
closed_through('null');
same_books('with an archive');

# ---- a shard is down ----

my $more = rows('po_invoice', q{'bill_from', 'AWS Inc.', 'invoice_id', 'more ' || i, 'line_type', 'usage', 'billing_month', '2026-10', 'amount', i}, 3);
my $one = "SELECT po_number FROM po_match_invoice('%s', 'AWS Inc.', 'usage', '2026-10', 1) LIMIT 1";
$node{shard1}->stop('immediate');
like(answer($router, sprintf $one, $on1), qr/ERROR: .*\[$database\] .*(?:refused|connect)/s, 'the call says that the shard cannot be reached');
is(answer($router, sprintf $one, $on0), 'P1', 'the other shard goes on');
like(answer($router, "SELECT * FROM po_check_integrity()"), qr/ERROR: .*(?:refused|connect)/s, 'nothing is said of all accounts');
like(answer($router, "SELECT $more"), qr/ERROR: .*(?:refused|connect)/s, 'a batch for both fails');
$node{shard1}->start;
same('the batch again', $more);
same_books('after it was down');

# ---- an answer is lost ----

# relay: takes what goes to a shard, and ends the connection when the answer to po_insert comes
my $listener = IO::Socket::INET->new(Listen => 5, LocalAddr => '127.0.0.1', Proto => 'tcp') or die "no socket: $@";
my $relay = fork // die "fork: $!";
if ($relay == 0)
{
	$SIG{TERM} = 'DEFAULT';
	while (my $client = $listener->accept)
	{
		my $server = IO::Socket::INET->new(PeerAddr => '127.0.0.1', PeerPort => $node{shard1}->port, Proto => 'tcp') or next;
		my ($select, $asked) = (IO::Select->new($client, $server), 0);
		CONNECTION: while (my @ready = $select->can_read(60))
		{
			for my $from (@ready)
			{
				last CONNECTION unless sysread $from, my $data, 65536;
				last CONNECTION if $from == $server && $asked;
				$asked ||= $from == $client && $data =~ /po_insert/;
				syswrite $from == $client ? $server : $client, $data;
			}
		}
		$_->close for $client, $server;
	}
	require POSIX;
	POSIX::_exit(0);
}
my $port = $listener->sockport;
$listener->close;
my $last = rows('po_invoice', q{'bill_from', 'AWS Inc.', 'invoice_id', 'last ' || i, 'line_type', 'usage', 'billing_month', '2026-10', 'amount', i}, 3);
my $stored = "SELECT count(*) FROM po_invoice WHERE invoice_id LIKE 'last %'";
$router->safe_psql($database, "ALTER SERVER po OPTIONS (SET p1 '@{[address($port)]}')");
like(answer($router, "SELECT $last"), qr/ERROR: .*(?:closed|lost|connection)/si, 'the answer is lost');
cmp_ok($node{shard1}->safe_psql($database, $stored), '>', 0, 'but the shard has done it');
kill 'TERM', $relay;
waitpid $relay, 0;
$router->safe_psql($database, "ALTER SERVER po OPTIONS (SET p1 '@{[address($node{shard1}->port)]}')");
same('the call again gives the answer', $last);
same_books('and has changed nothing twice');

# ---- rights ----

$router->safe_psql($database, 'CREATE ROLE clerk; GRANT USAGE ON FOREIGN SERVER po TO clerk');
for my $call ("po_suspend('A', 'P')", "po_insert('po_account', '[]')", 'po_invoice()', 'po_rematch_unassociated()')
{
	like(answer($router, "SET ROLE clerk; SELECT * FROM $call"), qr/permission denied for function/, "$call is not for everybody");
}
is(answer($router, "SET ROLE clerk; SELECT po_today('$on1')"), '2026-11-10', 'as here, so there');

$_->stop for values %node;
done_testing();
