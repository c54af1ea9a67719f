# 082_memory_growth.pl: a session that matches and books all day does not grow. What its memory
# contexts have, and its private memory as the system counts it, stays what it was after the first
# rounds: with accounts kept in memory (store_cache.c), with little room for them, without, under row
# security, while other sessions change configuration, privileges and tables, and while it books.
#
#   PO_MATCHES=30000  how many matches; PO_SCALE multiplies it, PO_LONG=1 makes it a million
#                     (some 4 minutes)

use strict;
use warnings;

use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Wire;

my $matches = $ENV{PO_MATCHES} // ($ENV{PO_LONG} ? 1_000_000 : 30_000 * ($ENV{PO_SCALE} // 1));
my $rounds = 24;          # of each kind; a third of them warms up
my $allowed = 4 * 1024;   # bytes

die "PO_MATCHES is not a number: $matches" unless $matches =~ /^\d+$/ && $matches > 0;

my $node = PostgreSQL::Test::Cluster->new('growth');
$node->init;
$node->append_conf('postgresql.conf', "timezone = 'UTC'\njit = off\nautovacuum = off\n");
$node->start;
$node->safe_psql('postgres', <<'EOS');
CREATE EXTENSION po_mgmt;
INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month)
	SELECT 'A' || a, 'P' || o, 'AWS Inc.', '2026-01', '9999-12' FROM generate_series(1, 200) a, generate_series(1, 4) o;
INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, balance_tracked, amount)
	SELECT 'A' || a, 'P' || o, i, (ARRAY['usage', 'subscription', 'all'])[i]::po_line_type, '2026-01', '9999-12', i < 3, 1000000
	FROM generate_series(1, 200) a, generate_series(1, 4) o, generate_series(1, 3) i;
INSERT INTO po_contact (account_id, po_number, email) VALUES ('A1', 'P1', 'a@example.com');
-- every n matches are as many queries; each a plan's execution of its own
CREATE FUNCTION ask(n integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. n LOOP
		PERFORM FROM po_match_invoice('A' || i % 200 + 1, CASE WHEN i % 9 = 0 THEN 'Amazon Web Services, Inc.' ELSE 'AWS Inc.' END,
			CASE WHEN i % 2 = 0 THEN 'usage.compute' ELSE 'subscription' END::po_line_type, '2026-02'::po_month, i % 100);
	END LOOP;
END $$;
-- the same in one query
CREATE FUNCTION ask_at_once(n integer) RETURNS void LANGUAGE sql AS $$
	SELECT count(*) FROM generate_series(1, n) i,
		po_match_invoice('A' || i % 200 + 1, 'AWS Inc.', 'usage'::po_line_type, '2026-02'::po_month, i % 100);
$$;
CREATE FUNCTION explain(n integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
	FOR i IN 1 .. n LOOP
		PERFORM FROM po_explain_match('A' || i % 200 + 1, 'AWS Inc.', 'usage'::po_line_type, '2026-02'::po_month, 1);
	END LOOP;
END $$;
CREATE TABLE bills (customer text, number bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, amount numeric, po text);
SELECT po_attach('bills', '{"account_id": "customer", "bill_from": {"value": "AWS Inc."}, "invoice_id": "number",
	"line_type": {"value": "usage"}, "billing_month": {"value": "2026-03"}, "amount": "amount", "po_number": "po"}');
-- every row in a subtransaction of its own; some of them fail
CREATE FUNCTION book(n integer) RETURNS void LANGUAGE plpgsql AS $$
DECLARE last bigint := (SELECT count(*) FROM po_invoice);
BEGIN
	FOR i IN 1 .. n LOOP
		BEGIN
			INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount)
				VALUES ('A' || i % 200 + 1, 'AWS Inc.', 'I' || last + i - (i % 10 = 0)::integer, 'usage', '2026-02', 1);
		EXCEPTION WHEN unique_violation THEN NULL;
		END;
	END LOOP;
	INSERT INTO bills (customer, amount) SELECT 'A' || i % 200 + 1, 1 FROM generate_series(1, n / 10) i;
	UPDATE bills SET amount = amount + 1 WHERE number = (SELECT max(number) FROM bills);
	DELETE FROM bills WHERE number = (SELECT max(number) FROM bills);
END $$;
CREATE ROLE reader;
GRANT SELECT ON ALL TABLES IN SCHEMA public TO reader;
ANALYZE;
EOS

my $session = Wire->connect($node, 'postgres');
my $other = Wire->connect($node, 'postgres');
my ($pid) = @{ $session->query('SELECT pg_backend_pid()')->{rows}[0] };

sub run
{
	my ($who, $sql) = @_;
	my $answer = $who->query($sql);

	die "$sql: $answer->{message}" if $answer->{state};
	return $answer->{rows};
}

# memory: bytes that the contexts have, by name, and what the system counts; the function's caller
# is a superuser, as the view wants
sub memory
{
	my %memory;

	run($session, 'RESET ROLE');
	for (@{ run($session, q{SELECT CASE WHEN name IN ('TopMemoryContext', 'CacheMemoryContext') THEN name
			WHEN name LIKE 'po_mgmt%' THEN 'po_mgmt' ELSE 'others' END, sum(used_bytes)
			FROM pg_backend_memory_contexts GROUP BY 1}) })
	{
		$memory{ $_->[0] } = $_->[1];
	}
	$memory{'the process'} = 1024 * $1 if -e "/proc/$pid/status" && slurp_file("/proc/$pid/status") =~ /^RssAnon:\s+(\d+)/m;
	return \%memory;
}

# stays: after a third of the rounds nothing grows; what changes between the rounds is another's
sub stays
{
	my ($name, $n, $before, $sql, $change) = @_;
	my $per_round = int($n / $rounds) || 1;
	my %most;

	for my $round (1 .. $rounds)
	{
		run($other, $change->($round)) if $change;
		run($session, $_) for @$before;
		run($session, sprintf($sql, $per_round));
		my $now = memory();
		for (keys %$now)
		{
			my $part = 3 * $round <= $rounds ? 'first' : 'rest';
			$most{$_}{$part} = $now->{$_} if $now->{$_} > ($most{$_}{$part} // 0);
		}
	}
	for (sort grep { exists $most{$_}{first} } keys %most)
	{
		my $may = $_ eq 'the process' ? 1024 * 1024 : $_ eq 'po_mgmt' ? 512 * 1024 : $allowed;
		note "$name: $_: $most{$_}{first}, then $most{$_}{rest}";
		cmp_ok($most{$_}{rest}, '<=', $most{$_}{first} + $may, "$name: $_ does not grow over " . $per_round * $rounds);
	}
}

my @as_reader = ("SET app.account = 'A7'", 'SET ROLE reader');

stays('accounts in memory', $matches * 0.3, [], 'SELECT ask(%d)');
stays('in one query', $matches * 0.1, [], 'SELECT ask_at_once(%d)');
stays('others change', $matches * 0.1, [], 'SELECT ask(%d)', sub {
	my $n = shift;
	return q{UPDATE po_line_item SET amount = amount + 1 WHERE po_number = 'P1'; UPDATE po_account SET payment_terms = payment_terms;
		ANALYZE po_line_item, po_order, po_account; } . ($n % 2 ? 'GRANT' : 'REVOKE') . ' SELECT ON po_line_item ' . ($n % 2 ? 'TO' : 'FROM')
		. q{ pg_monitor; REINDEX INDEX po_line_item_match; INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month, currency, created_at, updated_at)
		VALUES ('A1', 'history ' || clock_timestamp(), 'AWS Inc.', '2001-01', '2001-02', 'USD', now(), now())};
});
stays('explained', $matches * 0.05, [], 'SELECT explain(%d)');
stays('little room', $matches * 0.1, [ 'SET po_mgmt.match_cache = 0', 'SELECT ask(1)', "SET po_mgmt.match_cache = '256kB'" ], 'SELECT ask(%d)');
run($session, 'SELECT ask(1000)');
cmp_ok(memory()->{po_mgmt}, '<=', 320 * 1024, 'little room: they keep to it, but for a block');
stays('no accounts in memory', $matches * 0.1, ['SET po_mgmt.match_cache = 0'], 'SELECT ask(%d)');
run($session, 'RESET po_mgmt.match_cache');
run($other, q{SELECT po_enable_row_security('app.account')});
stays('row security', $matches * 0.2, \@as_reader, 'SELECT ask(%d)');
stays('row security while policies change', $matches * 0.02, \@as_reader, 'SELECT ask(%d)',
	sub { q{SELECT po_enable_row_security('app.account')} });
stays('bookings', $matches * 0.03, [], 'SELECT book(%d)');
is(scalar @{ run($session, 'SELECT * FROM po_check_integrity()') }, 0, 'and the books are right');
$node->stop;
done_testing();
