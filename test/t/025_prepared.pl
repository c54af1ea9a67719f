# 025_prepared.pl: PREPARE TRANSACTION. A prepared transaction holds the lock on its accounts
# until it is finished, also over a restart; whoever comes meanwhile waits, and then chooses by
# what is left. (A TAP test, since isolationtester does not see that a session waits for one.)

use strict;
use warnings;

use IPC::Run ();
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time usleep);

my $dir = PostgreSQL::Test::Utils::tempdir;
my $node = PostgreSQL::Test::Cluster->new('prepared');
$node->init;
$node->append_conf('postgresql.conf', "max_prepared_transactions = 10\n");
$node->start;

# Account A: order OLD has 100, order NEW 100 too and was updated last. Account B: 100.
my $setup = <<'EOS';
INSERT INTO po_account (account_id, max_active_orders) VALUES ('A', 3);
INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month) VALUES
	('A', 'OLD', 'AWS Inc.', '2000-01', '9999-12'), ('B', 'OTHER', 'AWS Inc.', '2000-01', '9999-12');
INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, balance_tracked, amount) VALUES
	('A', 'OLD', '1', 'all', '2000-01', '9999-12', true, 100), ('B', 'OTHER', '1', 'all', '2000-01', '9999-12', true, 100);
INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month) VALUES ('A', 'NEW', 'AWS Inc.', '2000-01', '9999-12');
INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, balance_tracked, amount) VALUES
	('A', 'NEW', '1', 'all', '2000-01', '9999-12', true, 100);
EOS
$node->safe_psql('postgres', 'CREATE EXTENSION po_mgmt');

# start_anew: as at the beginning; the next transaction to be prepared is called $gid
my $gid;
my $ngid = 0;

sub start_anew
{
	$gid = 'gid ' . ++$ngid;
	$node->safe_psql('postgres', <<EOS);
SET session_replication_role = replica;
TRUNCATE po_account, po_order, po_line_item, po_contact, po_account_member, po_invoice, po_ledger, po_change_log, po_notification;
RESET session_replication_role;
$setup
EOS
}

sub book
{
	my ($account, $id, $amount, $rest) = @_;
	return "INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount) "
	  . "VALUES ('$account', 'AWS Inc.', '$id', 'usage', '2026-01', $amount) " . ($rest // 'RETURNING po_number') . ";\n";
}

# sql: what statements print, with the SQLSTATE of the last one where that is not 00000
sub sql
{
	my ($statements) = @_;
	$statements =~ s/;\s*\z//; # a statement more, even an empty one, would be the last one
	my ($status, $out) = $node->psql('postgres', "$statements;\n\\if :ERROR\n\\echo ERROR :SQLSTATE\n\\endif\n", on_error_stop => 0);
	return $out =~ s/\n/ /gr;
}

# begin_waiting: runs statements in a session of its own that has to wait; returns a sub that
# waits for its end and returns what was printed
sub begin_waiting
{
	my ($name, $statements) = @_;
	my $file = "$dir/$ngid.$name";
	my $until = time + $PostgreSQL::Test::Utils::timeout_default;

	append_to_file("$file.sql", "SET application_name = '$name';\n$statements\n\\if :ERROR\n\\echo ERROR :SQLSTATE\n\\endif\n");
	my $h = IPC::Run::start([ 'psql', '-X', '-A', '-t', '-q', '-d', $node->connstr('postgres'), '-f', "$file.sql" ],
		'<', \undef, '>', "$file.out", '2>', "$file.err", IPC::Run::timeout(2 * $PostgreSQL::Test::Utils::timeout_default));
	until ($node->safe_psql('postgres', "SELECT wait_event_type FROM pg_stat_activity WHERE application_name = '$name'") eq 'Lock')
	{
		die "$name does not wait" if time > $until;
		usleep(10_000);
	}
	return sub {
		$h->finish;
		my $out = slurp_file("$file.out");
		chomp $out;
		return $out =~ s/\n/ /gr;
	};
}

sub books
{
	return sql(q{SELECT po_number || ' ' || balance FROM po_line_item ORDER BY account_id, po_number}) . sql('SELECT * FROM po_check_integrity()');
}

sub test_waiting
{
	my ($title, $finish, $level, $booked, $books) = @_;

	start_anew();
	is(sql('BEGIN; ' . book('A', 'I1', 60) . "PREPARE TRANSACTION '$gid'"), 'NEW', "$title: booked and prepared");
	is(sql('SET lock_timeout = 100; ' . book('A', 'J0', 1)), 'ERROR 55P03', "$title: another one has to wait");
	is(sql('SET lock_timeout = 100; ' . book('B', 'J0', 1)), 'OTHER', "$title: on another account not");
	my $waiting = begin_waiting('waiting', "SET default_transaction_isolation = '$level';\n" . book('A', 'J1', 60));
	is(sql("$finish PREPARED '$gid'"), '', "$title: $finish PREPARED");
	is($waiting->(), $booked, "$title: what the waiting session gets");
	is(books(), $books, "$title: the books");
}

test_waiting('READ COMMITTED, committed', 'COMMIT', 'read committed', 'OLD', 'NEW 40 OLD 40 OTHER 99');
test_waiting('READ COMMITTED, rolled back', 'ROLLBACK', 'read committed', 'NEW', 'NEW 40 OLD 100 OTHER 99');
test_waiting('REPEATABLE READ, committed', 'COMMIT', 'repeatable read', 'ERROR 40001', 'NEW 40 OLD 100 OTHER 99');
test_waiting('REPEATABLE READ, rolled back', 'ROLLBACK', 'repeatable read', 'NEW', 'NEW 40 OLD 100 OTHER 99');
test_waiting('SERIALIZABLE, committed', 'COMMIT', 'serializable', 'ERROR 40001', 'NEW 40 OLD 100 OTHER 99');

# the session that has prepared goes on with other things, and knows nothing of it any more
start_anew();
is(sql('BEGIN; ' . book('A', 'I1', 60) . "PREPARE TRANSACTION '$gid'; " . book('B', 'I2', 5)
	  . "SET lock_timeout = 100; " . book('A', 'I3', 1)), 'NEW OTHER ERROR 55P03', 'the session that has prepared books on another account');
is(sql("COMMIT PREPARED '$gid'; " . book('A', 'I3', 60)), 'OLD', 'and on the same one after COMMIT PREPARED');
is(books(), 'NEW 40 OLD 40 OTHER 95', 'the books');

# savepoints, an insert that comes to nothing, an edit, in a prepared transaction
start_anew();
is(sql(book('A', 'I1', 10) . 'BEGIN; ' . book('A', 'I1', 10, 'ON CONFLICT DO NOTHING RETURNING po_number') . 'SAVEPOINT s; ' . book('A', 'I2', 60)
	  . 'ROLLBACK TO s; ' . book('A', 'I3', 30) . "UPDATE po_line_item SET amount = 1000 WHERE account_id = 'A' AND po_number = 'OLD'; "
	  . book('A', 'I1', 10, 'ON CONFLICT DO NOTHING RETURNING po_number') . "PREPARE TRANSACTION '$gid'"), 'NEW NEW NEW', 'a longer transaction, prepared');
is(books(), 'NEW 90 OLD 100 OTHER 100', 'nobody sees it');
my $waiting = begin_waiting('edit', "UPDATE po_line_item SET amount = 2000 WHERE account_id = 'A' AND po_number = 'OLD' RETURNING balance;");
is(sql("COMMIT PREPARED '$gid'"), '', 'COMMIT PREPARED');
is($waiting->(), '2000', 'an edit that waited');
is(books(), 'NEW 60 OLD 2000 OTHER 100', 'the books');

# nothing but an insert that came to nothing
start_anew();
is(sql(book('A', 'I1', 10) . 'BEGIN; ' . book('A', 'I1', 10, 'ON CONFLICT DO NOTHING RETURNING po_number') . "PREPARE TRANSACTION '$gid'"), 'NEW',
	'an insert that came to nothing, prepared');
is(sql("COMMIT PREPARED '$gid'"), '', 'COMMIT PREPARED');
is(books(), 'NEW 90 OLD 100 OTHER 100', 'the books');

# the last place
for my $finish ('COMMIT', 'ROLLBACK')
{
	start_anew();
	is(sql("BEGIN; INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month) VALUES ('A', 'THIRD', 'AWS Inc.', '2026-01', '9999-12'); "
		. "PREPARE TRANSACTION '$gid'"), '', 'the third of three orders, prepared');
	$waiting = begin_waiting('order', "INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month) VALUES ('A', 'FOURTH', 'AWS Inc.', '2026-01', '9999-12');");
	sql("$finish PREPARED '$gid'");
	is($waiting->(), $finish eq 'COMMIT' ? 'ERROR 54000' : '', "$finish PREPARED: the other one gets " . ($finish eq 'COMMIT' ? '54000' : 'the place'));
	is(sql(q{SELECT string_agg(po_number, ' ' ORDER BY po_number) FROM po_order WHERE account_id = 'A'}),
		$finish eq 'COMMIT' ? 'NEW OLD THIRD' : 'FOURTH NEW OLD', 'there are three orders');
}

# the first order of an account
start_anew();
sql("BEGIN; INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month) VALUES ('C', '1', 'AWS Inc.', '2026-01', '9999-12'); PREPARE TRANSACTION '$gid'");
$waiting = begin_waiting('order', "INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month) VALUES ('C', '2', 'AWS Inc.', '2026-01', '9999-12');");
sql("COMMIT PREPARED '$gid'");
is($waiting->(), '', 'the first order of an account, prepared: the second one waits');
is(sql(q{SELECT count(*) FROM po_order WHERE account_id = 'C'}), 2, 'there are two');

# over a restart
start_anew();
is(sql('BEGIN; ' . book('A', 'I1', 60) . "PREPARE TRANSACTION '$gid'"), 'NEW', 'booked and prepared');
$node->stop('fast');
$node->start;
is(sql('SET lock_timeout = 100; ' . book('A', 'J1', 60)), 'ERROR 55P03', 'after a restart another one has to wait');
is(sql("COMMIT PREPARED '$gid'; " . book('A', 'J1', 60)), 'OLD', 'and then chooses by what is left');
is(books(), 'NEW 40 OLD 40 OTHER 100', 'the books');

# Where our AFTER trigger does not fire, what was booked must not be lost in silence.
start_anew();
sql('ALTER TABLE po_invoice DISABLE TRIGGER "!po_mgmt_after"');
is(sql('BEGIN; ' . book('A', 'I1', 60) . "PREPARE TRANSACTION '$gid'"), 'NEW ERROR 55000', 'without the AFTER trigger PREPARE fails');
is(sql('BEGIN; ' . book('A', 'I1', 60) . 'COMMIT'), 'NEW ERROR 55000', 'and COMMIT');
is(sql(book('A', 'I1', 60, '')), 'ERROR 55000', 'and a single INSERT');
sql('ALTER TABLE po_invoice ENABLE TRIGGER "!po_mgmt_after"');
is(books(), 'NEW 100 OLD 100 OTHER 100', 'the books');
is(sql(book('A', 'I1', 60)), 'NEW', 'then it goes on');
is(books(), 'NEW 40 OLD 100 OTHER 100', 'the books');

is(scalar(() = slurp_file($node->logfile) =~ /PANIC:|TRAP:|terminated by signal/g), 0, 'nothing crashed');
$node->stop;
done_testing();
