# 020_limits_race.pl: two sessions race for the last place that a limit leaves, again and again.
# Exactly one of them gets it, every time (product.md, section 6: limits hold under concurrency).
#
#   PO_ROUNDS=1000  how often they race for the 100th of 100 active orders (100)
#   PO_SEED=42      the seed of the small pauses between the start and the insert; always printed
#
# The sessions are two psql processes. Each round they meet at a barrier inside their
# transactions (a sequence that both count up and watch, since sequences are not transactional),
# so that under REPEATABLE READ both have a snapshot from before. The first session then looks
# at what is there and clears up.
#
# A control race with the extension's counting trigger switched off shows that the race is one,
# and that this test would see two winners.

use strict;
use warnings;

use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $rounds = $ENV{PO_ROUNDS} // 100;
my $seed = $ENV{PO_SEED} // int(rand(2**31));

die "PO_ROUNDS is not a number: $rounds" unless $rounds =~ /^\d+$/ && $rounds > 0;
die "PO_SEED is not a number: $seed" unless $seed =~ /^\d+$/;
diag("PO_SEED=$seed");
srand($seed);

my $dir = PostgreSQL::Test::Utils::tempdir;
my $node = PostgreSQL::Test::Cluster->new('limits_race');
$node->init;
$node->start;

$node->safe_psql('postgres', <<'EOS');
CREATE EXTENSION po_mgmt;
CREATE SEQUENCE gate;

-- waits until both sessions have come here n times
CREATE FUNCTION meet(n integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	began timestamptz := clock_timestamp();
BEGIN
	PERFORM nextval('gate');
	WHILE (SELECT last_value FROM gate) < 2 * n LOOP
		IF clock_timestamp() > began + interval '60 seconds' THEN
			RAISE EXCEPTION 'the other session did not come';
		END IF;
	END LOOP;
END $$;

-- a pause of so many microseconds
CREATE FUNCTION pause(us integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
	until timestamptz := clock_timestamp() + us * interval '1 microsecond';
BEGIN
	WHILE clock_timestamp() < until LOOP END LOOP;
END $$;

-- 99 active orders, one suspended and one expired that do not count; on one of them 99 line
-- items and 9 contacts
INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month)
	SELECT 'A', 'P' || g, 'AWS Inc.', '2000-01', '9999-12' FROM generate_series(1, 99) g;
INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month, status) VALUES
	('A', 'SUSPENDED', 'AWS Inc.', '2000-01', '9999-12', 'suspended'),
	('A', 'EXPIRED', 'AWS Inc.', '2000-01', '2000-12', 'active');
INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, amount)
	SELECT 'A', 'P1', g, 'all', '2000-01', '9999-12', 1 FROM generate_series(1, 99) g;
INSERT INTO po_contact (account_id, po_number, email)
	SELECT 'A', 'P1', g || '@example.com' FROM generate_series(1, 9) g;
EOS

# what each of the two does, how many there are then, and how to go back
my %races = (
	orders => {
		race => [ map { "INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month) "
			  . "VALUES ('A', 'RACE$_', 'AWS Inc.', '2000-01', '9999-12')" } 1, 2 ],
		count => q{SELECT count(*) FROM po_order WHERE account_id = 'A' AND status = 'active' AND expiration_month >= '9999-12'},
		limit => 100,
		clear => q{DELETE FROM po_order WHERE account_id = 'A' AND po_number LIKE 'RACE%'},
	},
	'an order and one that becomes active' => {
		race => [
			"INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month) "
			  . "VALUES ('A', 'RACE1', 'AWS Inc.', '2000-01', '9999-12')",
			"SELECT po_activate('A', 'SUSPENDED')" ],
		count => q{SELECT count(*) FROM po_order WHERE account_id = 'A' AND status = 'active' AND expiration_month >= '9999-12'},
		limit => 100,
		clear => q{DELETE FROM po_order WHERE account_id = 'A' AND po_number LIKE 'RACE%'; UPDATE po_order SET status = 'suspended' WHERE account_id = 'A' AND po_number = 'SUSPENDED'},
	},
	'line items' => {
		race => [ map { "INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, amount) "
			  . "VALUES ('A', 'P1', 'RACE$_', 'all', '2000-01', '9999-12', 1)" } 1, 2 ],
		count => q{SELECT count(*) FROM po_line_item WHERE account_id = 'A' AND po_number = 'P1'},
		limit => 100,
		clear => q{DELETE FROM po_line_item WHERE account_id = 'A' AND po_number = 'P1' AND line_number LIKE 'RACE%'},
	},
	contacts => {
		race => [ map { "INSERT INTO po_contact (account_id, po_number, email) VALUES ('A', 'P1', 'race$_\@example.com')" } 1, 2 ],
		count => q{SELECT count(*) FROM po_contact WHERE account_id = 'A' AND po_number = 'P1'},
		limit => 10,
		clear => q{DELETE FROM po_contact WHERE account_id = 'A' AND po_number = 'P1' AND email LIKE 'race%'},
	},
);

# script: what one session does, all rounds of it
sub script
{
	my ($race, $who, $level, $n) = @_;
	my $s = "\\set QUIET on\n\\set ON_ERROR_STOP off\n\\set VERBOSITY terse\n\\pset tuples_only on\n\\pset format unaligned\n";
	my $meeting = 0;

	for my $round (1 .. $n)
	{
		my $pause = int(rand(2)) ? 0 : int(rand(300));

		$meeting++;
		$s .= "BEGIN ISOLATION LEVEL $level;\nSELECT meet($meeting);\n";
		$s .= "SELECT pause($pause);\n" if $pause;
		$s .= "$race->{race}[$who - 1];\n\\echo RESULT $round :SQLSTATE\nCOMMIT;\n\\echo COMMIT $round :SQLSTATE\n";
		$meeting++;
		$s .= "SELECT meet($meeting);\n";
		if ($who == 1)
		{
			$s .= "\\echo COUNT $round\n$race->{count};\n$race->{clear};\n\\echo CLEAR $round :SQLSTATE\n";
		}
		$meeting++;
		$s .= "SELECT meet($meeting);\n";
	}
	return $s;
}

# race: returns how often there was one winner, and what there was
sub race
{
	my ($name, $level, $n) = @_;
	my $race = $races{$name};
	my (@h, @out, @err, @result);
	my %seen;
	my $good = 0;
	my $began = time;

	$node->safe_psql('postgres', 'ALTER SEQUENCE gate RESTART');
	for my $i (0, 1)
	{
		unlink "$dir/race$i.sql";
		append_to_file("$dir/race$i.sql", script($race, $i + 1, $level, $n));
		$h[$i] = IPC::Run::start(
			[ 'psql', '-X', '-d', $node->connstr('postgres'), '-f', "$dir/race$i.sql" ],
			'<', \undef, '>', "$dir/race$i.out", '2>', "$dir/race$i.err",
			IPC::Run::timeout($PostgreSQL::Test::Utils::timeout_default * 2));
	}
	$_->finish for @h;
	@out = map { slurp_file("$dir/race$_.out") } 0, 1;
	@err = map { slurp_file("$dir/race$_.err") } 0, 1;
	for my $i (0, 1)
	{
		while ($out[$i] =~ /^(RESULT|COMMIT|CLEAR) (\d+) (\w{5})$/mg)
		{
			$result[$2]{"$1$i"} = $3;
		}
		while ($out[$i] =~ /^COUNT (\d+)\n(\d+)$/mg)
		{
			$result[$1]{count} = $2;
		}
	}
	for my $round (1 .. $n)
	{
		my $r = $result[$round] // {};
		my @sqlstates = map { $r->{"RESULT$_"} // 'none' } 0, 1;
		my $winners = grep { $_ eq '00000' } @sqlstates;
		my $loser = $winners == 1 ? (grep { $_ ne '00000' } @sqlstates)[0] : 'none';
		# a COMMIT of the loser's failed transaction is a ROLLBACK, and no error
		my $clean = ($r->{COMMIT0} // '') eq '00000' && ($r->{COMMIT1} // '') eq '00000' && ($r->{CLEAR0} // '') eq '00000';

		$seen{winner}{$sqlstates[0] eq '00000' ? 1 : 2}++ if $winners == 1;
		$seen{loser}{$loser}++;
		$seen{count}{ $r->{count} // 'none' }++;
		if ($winners == 1 && $clean && ($r->{count} // -1) == $race->{limit}
			&& $loser eq ($level eq 'READ COMMITTED' ? '54000' : '40001'))
		{
			$good++;
		}
		else
		{
			note("round $round: " . join(', ', map { "$_ $r->{$_}" } sort keys %$r));
		}
	}
	note(sprintf('%s, %s: %d of %d rounds with one winner; session 1 won %d, session 2 %d; the loser got %s; there were then %s; %.1f s',
		$name, $level, $good, $n, $seen{winner}{1} // 0, $seen{winner}{2} // 0,
		join(', ', map { "$_ x $seen{loser}{$_}" } sort keys %{ $seen{loser} }),
		join(', ', map { "$_ x $seen{count}{$_}" } sort keys %{ $seen{count} }),
		time - $began));
	note($err[$_]) for grep { $err[$_] =~ /FATAL|PANIC|did not come/ } 0, 1;
	return ($good, \%seen);
}

for my $level ('READ COMMITTED', 'REPEATABLE READ')
{
	my ($good) = race('orders', $level, $rounds);
	is($good, $rounds, "the 100th of 100 active orders, $level: one winner in each of $rounds rounds");
}

my $fewer = $rounds < 4 ? 1 : int($rounds / 4);
my ($good) = race('orders', 'SERIALIZABLE', $fewer);
is($good, $fewer, "the 100th of 100 active orders, SERIALIZABLE: one winner in each of $fewer rounds");
for my $name ('an order and one that becomes active', 'line items', 'contacts')
{
	for my $level ('READ COMMITTED', 'REPEATABLE READ')
	{
		($good) = race($name, $level, $fewer);
		is($good, $fewer, "the last place of $name, $level: one winner in each of $fewer rounds");
	}
}

# Control: nothing counts, so both win, and that is seen.
$node->safe_psql('postgres', 'ALTER TABLE po_order DISABLE TRIGGER "!po_mgmt_after"');
($good, my $seen) = race('orders', 'READ COMMITTED', 10);
is($good, 0, 'control, without the counting trigger: no round has one winner');
is($seen->{count}{101}, 10, 'control: there are 101 each time');
$node->safe_psql('postgres', 'ALTER TABLE po_order ENABLE TRIGGER "!po_mgmt_after"');

is($node->safe_psql('postgres', 'SELECT count(*) FROM po_order'), 101, 'the orders are those of the beginning');
is($node->safe_psql('postgres', 'SELECT * FROM po_check_integrity()'), '', 'po_check_integrity() finds nothing');
is(scalar(() = slurp_file($node->logfile) =~ /PANIC:|TRAP:|terminated by signal|\bXX\d\d\d\b/g), 0, 'nothing crashed');

$node->stop;
done_testing();
