# 050_crash.pl: the server dies while invoices are booked. After recovery every invoice that was
# acknowledged is there, once, the others came whole or not at all, and the books are true.
#
#   PO_CRASHES=20  how often (3; with PO_LONG=1 20)
#   PO_LONG=1
#   PO_SEED=42     the seed of the moments and victims; always printed
#
# In turn the postmaster gets SIGQUIT (an immediate stop), one of its children SIGKILL, while it
# is booking (the postmaster then restarts the others), or the postmaster itself gets SIGKILL.
# What is acknowledged is what psql has been told of: each client writes it to a file.

use strict;
use warnings;

use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

my $crashes = $ENV{PO_CRASHES} // ($ENV{PO_LONG} ? 20 : 3);
my $seed = $ENV{PO_SEED} // int(rand(2**31));
my $clients = 4;
my $dir = PostgreSQL::Test::Utils::tempdir;
my $patience = $PostgreSQL::Test::Utils::timeout_default;

die "PO_CRASHES is not a number: $crashes" unless $crashes =~ /^\d+$/ && $crashes > 0;
die "PO_SEED is not a number: $seed" unless $seed =~ /^\d+$/;
diag("PO_SEED=$seed");
srand($seed);

my $node = PostgreSQL::Test::Cluster->new('crash');
$node->init;
$node->append_conf('postgresql.conf', <<'EOC');
restart_after_crash = on
max_prepared_transactions = 10
checkpoint_timeout = 30s
deadlock_timeout = 50ms
full_page_writes = on
EOC
$node->start;

$node->safe_psql('postgres', <<'EOS');
CREATE EXTENSION po_mgmt;
INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month)
	SELECT 'A' || a, 'P' || o, 'AWS Inc.', '2000-01', '9999-12' FROM generate_series(1, 3) a, generate_series(1, 3) o;
INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, balance_tracked, amount)
	SELECT 'A' || a, 'P' || o, i, CASE i WHEN 1 THEN 'usage' ELSE 'all' END::po_line_type, '2000-01', '9999-12', i < 3, 1000 * o
	FROM generate_series(1, 3) a, generate_series(1, 3) o, generate_series(1, 3) i;
INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month) VALUES ('PREPARED', 'P', 'AWS Inc.', '2000-01', '9999-12');
INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, balance_tracked, amount)
	VALUES ('PREPARED', 'P', '1', 'all', '2000-01', '9999-12', true, 1000);
EOS

# script: what a client does in a round: single inserts, inserts of several rows and
# transactions, and after each of them which invoices are safe now
sub script
{
	my ($round, $client, $n) = @_;
	my $s = "\\set QUIET on\n\\set ON_ERROR_STOP off\n\\pset tuples_only on\n\\o /dev/null\nSET application_name = 'client';\n";
	my $insert = 'INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount)';

	for my $i (1 .. $n)
	{
		my $id = "$round.$client.$i";
		my $account = 'A' . (1 + int(rand(3)));
		my $values = sub { sprintf("('%s', 'AWS Inc.', '%s', '%s', '2026-01', %.2f)", $account, $_[0], (qw(usage subscription all))[ rand(3) ], rand(50)) };
		my $kind = int(rand(4));

		if ($kind == 0)
		{
			# (COMMIT of a transaction that has failed is no error)
			$s .= "BEGIN;\n$insert VALUES " . $values->("$id.a") . ";\n\\set first :SQLSTATE\n$insert VALUES " . $values->("$id.b")
			  . ";\n\\set second :SQLSTATE\nCOMMIT;\n\\echo ACK :first,:second,:SQLSTATE $id.a $id.b\n";
		}
		elsif ($kind == 1)
		{
			$s .= "$insert VALUES " . join(', ', map { $values->("$id.$_") } 'a' .. 'f') . ";\n\\echo ACK :SQLSTATE " . join(' ', map { "$id.$_" } 'a' .. 'f') . "\n";
		}
		else
		{
			$s .= "$insert VALUES " . $values->("$id.a") . ";\n\\echo ACK :SQLSTATE $id.a\n";
		}
	}
	return $s;
}

sub write_file
{
	my ($name, $text) = @_;
	open(my $fh, '>', "$dir/$name") or die "$dir/$name: $!";
	print $fh $text;
	close $fh;
}

sub psql_in_background
{
	my ($name) = @_;
	return IPC::Run::start([ 'psql', '-X', '-d', $node->connstr('postgres'), '-f', "$dir/$name.sql" ],
		'<', \undef, '>', "$dir/$name.out", '2>', "$dir/$name.err", IPC::Run::timeout(4 * $patience));
}

# wait_until: until a condition holds
sub wait_until
{
	my ($what, $condition) = @_;
	my $until = time + $patience;

	until ($condition->())
	{
		die "waited in vain: $what" if time > $until;
		usleep(10_000);
	}
}

sub is_up
{
	my ($out) = ('');
	return $node->psql('postgres', 'SELECT 1', stdout => \$out, stderr => \my $err) == 0 && $out eq '1';
}

my %crash = (
	'immediate stop' => sub {
		$node->stop('immediate');
		$node->start;
	},
	'SIGKILL of a backend' => sub {
		my $pid = '';

		wait_until('a backend that books', sub {
			$pid = $node->safe_psql('postgres', q{SELECT pid FROM pg_stat_activity
				WHERE application_name = 'client' AND state <> 'idle' ORDER BY random() LIMIT 1});
			return $pid ne '';
		});
		my $log = -s $node->logfile;
		kill('KILL', $pid) == 1 or die "kill $pid: $!";
		wait_until('the restart', sub { slurp_file($node->logfile, $log) =~ /all server processes terminated; reinitializing/ });
		wait_until('the end of recovery', \&is_up);
	},
	'SIGKILL of the postmaster' => sub {
		my ($pid) = slurp_file($node->data_dir . '/postmaster.pid') =~ /^(\d+)/;

		$node->kill9;
		wait_until('the end of the postmaster', sub { !kill(0, $pid) });
		# its children notice, and end; until then a new postmaster refuses to start
		wait_until('the new postmaster', sub { $node->start(fail_ok => 1) });
	});
my @kinds = ('immediate stop', 'SIGKILL of a backend', 'SIGKILL of the postmaster');

my %acknowledged;
my $prepared = 0;

for my $round (1 .. $crashes)
{
	my $kind = $kinds[ ($round - 1) % @kinds ];
	my $title = "crash $round, $kind";
	my $before = $node->safe_psql('postgres', 'SELECT count(*) FROM po_invoice');
	my $enough = $before + 50 + int(rand(600));
	my @h;
	my %given;
	my $errors = 0;

	# one prepared transaction is to survive
	$node->safe_psql('postgres', qq{BEGIN;
		INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount) VALUES ('PREPARED', 'AWS Inc.', 'prepared $round', 'usage', '2026-01', 10);
		PREPARE TRANSACTION 'round $round'});
	write_file("$round.$_.sql", script($round, $_, 3000)) for 1 .. $clients;
	write_file("$round.edit.sql", "\\set ON_ERROR_STOP off\nSET application_name = 'edit';\n"
		  . join('', map { sprintf("UPDATE po_line_item SET amount = %.2f WHERE account_id = 'A%d' AND po_number = 'P%d' AND line_number = '1';\nSELECT pg_sleep(0.02);\n",
				rand(5000), 1 + rand(3), 1 + rand(3)) } 1 .. 2000));
	@h = map { psql_in_background("$round.$_") } 1 .. $clients, 'edit';
	wait_until('some load', sub { $node->safe_psql('postgres', 'SELECT count(*) FROM po_invoice') >= $enough });
	$node->safe_psql('postgres', 'CHECKPOINT') if int(rand(2));
	usleep(int(rand(200_000)));

	$crash{$kind}->();
	eval { $_->finish } for @h;

	for my $client (1 .. $clients)
	{
		my $out = slurp_file("$dir/$round.$client.out");
		# (an SQLSTATE is empty where the connection went)
		while ($out =~ /^ACK (\S*) (.*)$/mg)
		{
			my ($sqlstates, @ids) = ($1, split / /, $2);

			if ($sqlstates =~ /^00000(,00000)*$/) { $acknowledged{$_} = 1 for @ids; $given{$client} += @ids }
			else { $errors++ }
		}
		unlike($out, qr/^ACK \S* \S*\b$round\.$client\.3000\./m, "$title: client $client was still at work");
	}

	# all that was acknowledged is there; of the rest, at most what each client was waiting for
	my @there = split /\n/, $node->safe_psql('postgres', q{SELECT invoice_id FROM po_invoice WHERE account_id <> 'PREPARED' ORDER BY 1});
	my %there = map { $_ => 1 } @there;
	my @lost = grep { !$there{$_} } sort keys %acknowledged;
	my %surplus;

	is(scalar(@there), scalar(keys %there), "$title: no invoice is there twice");
	is("@lost", '', "$title: all " . keys(%acknowledged) . ' acknowledged invoices are there');
	for (grep { !$acknowledged{$_} } @there)
	{
		my ($r, $client, $i) = split /\./;
		$surplus{"$r.$client"}{$i}++;
		$acknowledged{$_} = 1;
	}
	ok(!(grep { keys %$_ > 1 } values %surplus), "$title: of a client, one statement or transaction at most is there without being acknowledged");
	is($node->safe_psql('postgres', q{
		SELECT v.account_id, v.invoice_id, count(l.entry_id) FROM po_invoice v LEFT JOIN po_ledger l USING (account_id, bill_from, invoice_id)
		GROUP BY 1, v.bill_from, 2 HAVING count(l.entry_id) <> count(v.line_item_id)}), '', "$title: each has one entry in the ledger");
	is($node->safe_psql('postgres', q{
		SELECT split_part(invoice_id, '.', 1) || '.' || split_part(invoice_id, '.', 2) || '.' || split_part(invoice_id, '.', 3), string_agg(split_part(invoice_id, '.', 4), '' ORDER BY invoice_id)
		FROM po_invoice WHERE account_id <> 'PREPARED' GROUP BY 1 HAVING string_agg(split_part(invoice_id, '.', 4), '' ORDER BY invoice_id) NOT IN ('a', 'ab', 'abcdef')}),
		'', "$title: no statement or transaction is there in part");
	is($node->safe_psql('postgres', 'SELECT * FROM po_check_integrity()'), '', "$title: po_check_integrity() finds nothing");

	# the prepared transaction: finished one way or the other
	is($node->safe_psql('postgres', 'SELECT gid FROM pg_prepared_xacts'), "round $round", "$title: the prepared transaction is still there");
	$node->safe_psql('postgres', ($round % 2 ? 'COMMIT' : 'ROLLBACK') . " PREPARED 'round $round'");
	$prepared += 10 if $round % 2;
	is($node->safe_psql('postgres', q{SELECT 1000 - balance FROM po_line_item WHERE account_id = 'PREPARED'}), $prepared, "$title: its balance moves as it is finished");
	is($node->safe_psql('postgres', 'SELECT * FROM po_check_integrity()'), '', "$title: and the books are true again");

	# and it goes on
	is($node->safe_psql('postgres', qq{INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount)
		VALUES ('A1', 'AWS Inc.', '$round.after.1.a', 'usage', '2026-01', 1) RETURNING po_number IS NOT NULL}), 't', "$title: a new invoice is booked");
	$acknowledged{"$round.after.1.a"} = 1;
	note(sprintf('%s: %d invoices before, %d after, %s acknowledged by client, %d in doubt were there, %d errors (40P01 and the like)',
		$title, $before, scalar(@there), join(' + ', map { $given{$_} // 0 } 1 .. $clients), scalar(map { values %$_ } values %surplus), $errors));
}

my $log = slurp_file($node->logfile);
is(scalar(() = $log =~ /PANIC:|TRAP:|terminated by signal (?!9:)/g), 0, 'nothing crashed but what was killed');
is(scalar(() = $log =~ /redo (?:starts at|is not required)/g), $crashes, 'there was a recovery each time');
$node->stop;
done_testing();
