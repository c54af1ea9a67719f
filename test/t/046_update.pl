# 046_update.pl: ALTER EXTENSION po_mgmt UPDATE of a database that was in use under 1.0.
#
#   PO_SEED=42  the seed of the amounts; always printed
#
# The new library is installed first: with it, everything of 1.0 works as it did. Then the update: every row is the
# same, what users changed, granted and switched on is kept, functions of 1.0 are called as before and give the same,
# and the catalog is that of a new database of the new version. Then it goes on: bookings, the archive, dumps.

use strict;
use warnings;

use Books;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Wire;

my $seed = $ENV{PO_SEED} // int(rand(2**31));
die "PO_SEED is not a number: $seed" unless $seed =~ /^\d+$/;
diag("PO_SEED=$seed");

my $dir = PostgreSQL::Test::Utils::tempdir;
my $node = PostgreSQL::Test::Cluster->new('update');
$node->init;
$node->append_conf('postgresql.conf', "timezone = 'UTC'\njit = off\npo_mgmt.notify = off\n");
$node->start;

sub database
{
	my ($db, $schema, $version) = @_;
	$node->safe_psql('postgres', "CREATE DATABASE $db TEMPLATE template0 ENCODING 'UTF8'");
	$node->safe_psql($db, 'CREATE SCHEMA ' . quoted($schema)) unless $schema eq 'public';
	$node->safe_psql($db, 'CREATE EXTENSION po_mgmt SCHEMA ' . quoted($schema) . ($version ? " VERSION '$version'" : ''));
}

database('fresh', 'public');
my $version = $node->safe_psql('fresh', q{SELECT extversion FROM pg_extension WHERE extname = 'po_mgmt'});
like($version, qr/^1\.[1-9]/, "a later version is installed: $version");
$node->safe_psql('postgres', 'DROP DATABASE fresh');

# in_copy: what is done in a copy of a database leaves no trace, sequences included
sub in_copy
{
	my ($db, $do) = @_;
	$node->safe_psql('postgres', "CREATE DATABASE copy TEMPLATE $db");
	my $answer = $do->('copy');
	$node->safe_psql('postgres', 'DROP DATABASE copy');
	return $answer;
}

# update: what psql says of it
sub update
{
	my ($db) = @_;
	my ($status, $out, $err) = $node->psql($db, "ALTER EXTENSION po_mgmt UPDATE TO '$version'");
	is($status, 0, "$db: ALTER EXTENSION UPDATE");
	return $err;
}

# ---------------------------------------------------------------------------
# Calls of all functions of 1.0, by their signatures
# ---------------------------------------------------------------------------

my @reads = (
	q{po_explain_invoice: SELECT v.account_id, v.bill_from, v.invoice_id, e.* FROM po_invoice v, po_explain_invoice(v.account_id, v.bill_from, v.invoice_id) e
		ORDER BY 1, 2, 3, e.rank, e.po_number, e.line_number},
	q{po_balance_at: SELECT DISTINCT l.account_id, l.po_number, l.line_number, t.at, po_balance_at(l.account_id, l.po_number, l.line_number, t.at)
		FROM po_line_item l, (SELECT recorded_at AS at FROM po_ledger) t ORDER BY 1, 2, 3, 4},
	q{po_check_integrity: SELECT c.* FROM po_check_integrity() c},
	q{po_backtest: SELECT b.* FROM po_account a, po_backtest(a.account_id) b ORDER BY b::text},
	q{po_coverage: SELECT c.* FROM po_account a, po_coverage(a.account_id, '2026-01', '2026-03') c ORDER BY c::text},
	q{po_report, po_html: SELECT po_report(a.account_id), po_html('<&>'), po_html(1.5) FROM po_account a ORDER BY a.account_id},
	q{po_today, po_now: SELECT a.account_id, po_today(a.account_id), po_now() FROM po_account a ORDER BY 1},
	q{po_status: SELECT o.account_id, o.po_number, po_status(o), po_status(o, '2001-01-01') FROM po_order o ORDER BY 1, 2},
	q{po_match_invoice: SELECT m.* FROM po_match_invoice('111111111111', 'AWS Inc.', 'usage', '2026-01', 10, NULL, '2026-02-01', NULL, NULL, NULL, NULL, NULL, 5) m},
	q{po_explain_match: SELECT m.* FROM po_explain_match('111111111111', 'AWS Inc.', 'usage', '2026-01', 10, issued_on => '2026-02-01') m},
	q{po_label, po_specificity, po_ancestors, po_month_end, date, po_month: SELECT po_label('usage'), po_specificity('usage.compute'), po_ancestors('usage.compute'),
		po_month_end('2026-02'), date('2026-02'::po_month), po_month('2026-02-03'::date), po_month('2026-02-03'::timestamp), po_month_range('2026-01', '2026-03'),
		po_month_range('2026-01', '2026-03', '[]'), po_month_multirange(), po_month_multirange(po_month_range('2026-01', '2026-03')), po_merge(t) FROM (VALUES ('{"a": 1}'::jsonb)) v(t)},
	q{po_focus_charges, po_invoices_from_focus: SELECT c.*, (SELECT count(*) FROM po_invoices_from_focus('charges')) FROM po_focus_charges('charges') c},
	q{a view of the user's: SELECT * FROM own_view ORDER BY 1, 2},
	map { "$_: SELECT t.* FROM $_ t ORDER BY t::text COLLATE \"C\"" } qw(po_dashboard po_line_item_status po_order_invoice po_unassociated_invoice po_monthly_spend po_forecast po_focus_invoice_detail po_attachment));

my @writes = (
	q{po_suspend, po_activate, po_extend: SELECT po_suspend('111111111111', 'ACTIVE'), po_activate('111111111111', 'ACTIVE'), po_extend('111111111111', 'EXPIRED', '2003-01', true)},
	q{po_copy_order: SELECT c.* FROM po_copy_order('111111111111', 'EXPIRED', 'AGAIN', '2027-01', '2028-12') c},
	q{po_move_member: SELECT po_move_member('member 1', '222222222222')},
	q{po_scan_expirations: SELECT po_scan_expirations('2001-12-31'), po_scan_expirations()},
	q{po_schedule: SELECT po_schedule()},
	q{po_marketplace: SELECT po_marketplace_purchase('111111111111', 'NEW', 'AWS Inc.', 'agr-9', '2026-01', '2026-06', 10), po_marketplace_payment('111111111111', 'NEW', 'agr-9', '2026-02', 5),
		po_marketplace_change_order('111111111111', 'agr-9', 'TAXED')},
	q{po_assign_invoice: SELECT i.* FROM po_assign_invoice('111111111111', 'AWS Inc.', 'zero', 'SECOND', '1', 'why') i},
	q{po_release_invoice: SELECT i.* FROM po_release_invoice('111111111111', 'AWS Inc.', 'zero', 'why') i},
	q{po_rematch_invoice: SELECT i.* FROM po_rematch_invoice('111111111111', 'AWS Inc.', 'zero', true) i},
	q{po_void_invoice: SELECT i.* FROM po_void_invoice('111111111111', 'AWS Inc.', 'zero', 'why') i},
	q{po_rematch_unassociated: SELECT po_rematch_unassociated('222222222222'), po_rematch_unassociated()},
	q{po_repair: UPDATE_BALANCE; SELECT po_repair('111111111111')},
	q{po_attach: SELECT po_attach('bills', '{"account_id": "payer", "bill_from": {"value": "AWS Inc."}, "invoice_id": "number", "line_type": {"value": "usage"}, "billing_month": "month", "amount": "amount", "po_number": "po"}')},
	q{po_attach of our own: SELECT po_attach('po_ledger', '{}')},
	q{po_attach_existing: CALL po_attach_existing('bills')},
	q{attached: INSERT INTO bills VALUES ('111111111111', 'b2', '2026-02', 6) RETURNING po},
	q{po_detach: SELECT po_detach('bills')},
	q{delete: DELETE FROM po_line_item WHERE account_id = 'lowered' AND line_number = '2' RETURNING line_item_id},
	q{an account with entries: DELETE FROM po_account WHERE account_id = 'Übergrößen-Kontø'},
	q{tracking: UPDATE po_line_item SET balance_tracked = true, amount = 20 WHERE account_id = '111111111111' AND line_number = '2' AND po_number = 'ACTIVE' RETURNING balance},
	q{po_enable_row_security: SELECT po_enable_row_security('app.account') > 8, count(*) FROM po_row_security},
	q{and off: SELECT po_enable_row_security(NULL) > 8},
	q{po_check_integrity: SELECT c.* FROM po_check_integrity() c});

# called: what each call gives, errors included; times that po_mgmt takes are those of one moment
sub called
{
	my ($db, $schema, @calls) = @_;
	my %answer;
	my $sql = 'SET search_path = ' . quoted($schema) . ", pg_catalog; SET po_mgmt.now = '2026-12-24 12:00+00'; SET client_min_messages = error; SET lc_messages = 'C';\n";
	for (@calls)
	{
		my ($name, $call) = /^([^:]+): (.*)/s;
		$call =~ s/UPDATE_BALANCE/SET session_replication_role = replica; UPDATE po_line_item SET balance = 1 WHERE account_id = '111111111111' AND balance_tracked; SET session_replication_role = origin/;
		$sql .= "\\echo == $name ==\n$call;\n\\echo :SQLSTATE\n\\if :ERROR\n\\echo :LAST_ERROR_MESSAGE\n\\endif\n";
	}
	my ($status, $out) = $node->psql($db, $sql, on_error_stop => 0);
	$answer{$1} = $2 while $out =~ /^== ([^\n]*) ==\n(.*?)(?=^== [^\n]* ==$|\z)/msg;
	return \%answer;
}

# signatures: of all functions of the extension
sub signatures
{
	my ($db) = @_;
	return { map { /^(.*)\|\|(.*)$/s ? ($1 => $2) : () } split /\n/, $node->safe_psql($db, q{
		SELECT p.oid::regprocedure || '||' || concat_ws(' ', pg_get_function_arguments(p.oid), pg_get_function_result(p.oid), p.prokind, p.provolatile, p.proparallel, p.proisstrict, p.proretset)
		FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid AND d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'po_mgmt'
		JOIN pg_proc p ON p.oid = d.objid AND d.classid = 'pg_proc'::regclass}) };
}

# ---------------------------------------------------------------------------

for my $schema ('public', 'Odd Name')
{
	my $db = $schema eq 'public' ? 'books' : 'books_odd';
	database($db, $schema, '1.0');
	is($node->safe_psql($db, q{SELECT extversion FROM pg_extension WHERE extname = 'po_mgmt'}), '1.0', "$schema: 1.0");
	populate($node, $db, $schema, $seed);
	in_schema($node, $db, $schema, q{
		CREATE TABLE bills (payer text, number text PRIMARY KEY, month po_month, amount numeric, po text);
		INSERT INTO bills VALUES ('111111111111', 'b1', '2026-02', 5);
		CREATE TABLE charges AS SELECT 1.5 AS "BilledCost", '111111111111' AS "BillingAccountId", 'USD' AS "BillingCurrency", '2026-01-01 00:00+00'::timestamptz AS "BillingPeriodStart",
			'Usage' AS "ChargeCategory", 'AWS Inc.' AS "InvoiceIssuerName", 'F1' AS "InvoiceId";
		CREATE VIEW own_view AS SELECT account_id, po_number, po_status(o) FROM po_order o});
	# a column of the user's own in one of our tables
	in_schema($node, $db, $schema, q{ALTER TABLE po_ledger ADD own_column text DEFAULT 'own'}) if $schema eq 'public';
	my $before = content($node, $db, $schema);
	my $signatures = signatures($db);
	my $read = called($db, $schema, @reads);
	my $written = in_copy($db, sub { called($_[0], $schema, @writes) });
	my $worked = in_copy($db, sub { work($node, $_[0], $schema) });
	my $refused = in_copy($db, sub { refused($node, $_[0], $schema) });

	# the new library with 1.0
	my $called = join ' ', @reads, @writes;
	is(join(' ', grep { $called !~ /\b$_/ } map { /^(?:"[^"]*"\.)?(?:\w+\.)?(\w+)\((?!.*(?:internal|cstring))/ ? $1 : () }
		  grep { !/_trigger\(|^(?:"[^"]*"\.)?(?:po_month|po_line_type)_\w+\(|^(?:"[^"]*"\.)?m(?:in|ax)\(/ } sort keys %$signatures), '', "$schema: every function is called");
	is(join(' ', map { "$_: $read->{$_}" } grep { $read->{$_} !~ /^00000$/m } sort keys %$read), '', "$schema, 1.0: the new library reads");
	is(join(', ', map { "$_: " . ($written->{$_} =~ /^(\w{5})$/m)[0] } grep { $written->{$_} !~ /^00000$/m } sort keys %$written),
		'an account with entries: 23503, po_attach of our own: 42809, po_schedule: 55000', "$schema, 1.0: and writes; errors are those of 1.0");
	is($written->{po_check_integrity} =~ s/\n//r, '00000', "$schema, 1.0: books that are right");
	is($node->safe_psql($db, "SELECT count(*) FROM pg_proc WHERE proname = 'po_archive'"), '0', "$schema, 1.0: there is no archive");

	# a session that knows 1.0, while another one updates, and rolls back first
	$node->safe_psql('postgres', "CREATE DATABASE live TEMPLATE $db");
	my $session = Wire->connect($node, 'live');
	my $explain = sub { my $answer = $session->query(q{SELECT e FROM po_invoice v, po_explain_invoice(v.account_id, v.bill_from, v.invoice_id) e ORDER BY 1, v}); return join "\n", $answer->{state} // (), $answer->{message} // (), map { $_->[0] } @{ $answer->{rows} } };
	$session->query('SET search_path = ' . quoted($schema) . ', pg_catalog');
	my $explained = $explain->();
	like($explained, qr/selected/, "$schema: a session explains");
	# a table of the user's that has a name of ours by chance is nothing to us
	in_schema($node, 'live', $schema, q{CREATE TABLE po_ledger_archive (LIKE po_ledger); CREATE TABLE po_change_log_archive (LIKE po_change_log);
		INSERT INTO po_ledger_archive SELECT * FROM po_ledger WHERE entry_kind = 'association'});
	is($explain->(), $explained, "$schema: the same with a table of the user's own");
	is($session->query("ALTER EXTENSION po_mgmt UPDATE TO '$version'")->{state}, '42P07', "$schema: which has to get another name before the update");
	in_schema($node, 'live', $schema, 'DROP TABLE po_ledger_archive, po_change_log_archive');
	is($session->query($_)->{state}, undef, "$schema: $_") for 'BEGIN', "ALTER EXTENSION po_mgmt UPDATE TO '$version'";
	is($explain->(), $explained, "$schema: the same within the update");
	is($session->query('ROLLBACK')->{state}, undef, "$schema: rolled back");
	is($explain->(), $explained, "$schema: the same with 1.0 again");
	update('live');
	is($explain->(), $explained, "$schema: the same after another session has updated");
	in_schema($node, 'live', $schema, q{UPDATE po_account SET closed_through = '9999-01'});
	$explained = $explain->();
	cmp_ok(in_schema($node, 'live', $schema, q{SELECT po_archive('9999-01')}), '>', 50, "$schema: which archives");
	is($explain->(), $explained, "$schema: the session goes on with the archive");
	$session->query('DISCARD ALL');
	undef $session;
	$node->safe_psql('postgres', 'DROP DATABASE live WITH (FORCE)');

	# what users have done with 1.0
	if ($schema eq 'public')
	{
		$node->safe_psql($db, q{
			CREATE ROLE po_viewer LOGIN; CREATE ROLE "odd viewer"; CREATE ROLE po_books;
			GRANT SELECT ON ALL TABLES IN SCHEMA public TO po_viewer; GRANT SELECT ON po_ledger TO "odd viewer"; GRANT EXECUTE ON FUNCTION po_repair(text) TO po_viewer;
			ALTER TABLE po_ledger OWNER TO po_books; ALTER TABLE po_change_log OWNER TO po_books; GRANT CREATE, USAGE ON SCHEMA public TO po_books;
			GRANT ALL ON po_account, po_order, po_line_item, po_invoice TO po_books});
		$node->safe_psql($db, q{SELECT po_enable_row_security('app.account_id')});
	}
	my $warned = update($db);

	# the same rows, the same answers
	my $after = content($node, $db, $schema);
	is(join(' ', grep { !exists $before->{$_} } sort keys %$after), 'po_change_log_archive po_change_log_archive is dumped po_ledger_archive po_ledger_archive is dumped', "$schema: new tables");
	is("@$after{'po_change_log_archive', 'po_ledger_archive', 'po_change_log_archive is dumped', 'po_ledger_archive is dumped'}", '  t t', "$schema: which are empty, and will be dumped");
	delete @$after{ grep { /archive/ } keys %$after };
	is(differences($before, $after, "$schema, updated"), $schema eq 'public' ? 'po_row_security' : '', "$schema: every row of every table, sequences and results are as they were");
	is(differences($read, called($db, $schema, @reads), "$schema, reads"), '', "$schema: functions of 1.0 give what they gave");
	is(differences($written, in_copy($db, sub { called($_[0], $schema, @writes) }), "$schema, writes"), '', "$schema: and do what they did") if $schema ne 'public';
	is(in_copy($db, sub { work($node, $_[0], $schema) }), $worked, "$schema: new rows get the same ids and have the same effect");
	is(in_copy($db, sub { refused($node, $_[0], $schema) }), $refused, "$schema: refuses the same");
	my $now = signatures($db);
	is(join(', ', grep { ($now->{$_} // '') ne $signatures->{$_} } sort keys %$signatures), '', "$schema: all signatures of 1.0");

	if ($schema eq 'public')
	{
		# grants, row security, owners
		my ($grant) = $warned =~ /^HINT:  (GRANT .*);$/m;
		like($warned, qr/WARNING:  who reads the ledger and the change log needs the archive, too/, 'who has read the ledger is named');
		is($grant, 'GRANT SELECT ON public.po_ledger_archive, public.po_change_log_archive, public.po_ledger_all, public.po_change_log_all TO "odd viewer", po_viewer', 'with what to do');
		my $reads = sub {
			my ($status, $out, $err) = $node->psql($db, q{SET app.account_id = '111111111111'; SELECT count(*) > 0 FROM po_explain_invoice('111111111111', 'AWS Inc.', 'zero')}, extra_params => [ '-U', 'po_viewer' ]);
			return $status ? $err =~ s/\n.*//sr : $out;
		};
		like($reads->(), qr/permission denied for table po_\w+_archive/, 'before that the archive is refused');
		$node->safe_psql($db, $grant);
		is($reads->(), 't', 'and then not');
		is($node->safe_psql($db, q{SELECT has_function_privilege('po_viewer', 'po_repair(text)', 'EXECUTE') AND has_table_privilege('po_viewer', 'po_order', 'SELECT')}), 't', 'what was granted is granted');
		is($node->safe_psql($db, 'SELECT * FROM po_check_integrity()'), '', 'the policies are on all tables');
		is($node->safe_psql($db, q{SELECT string_agg(DISTINCT relowner::regrole::text, ' ') FROM pg_class WHERE relname IN ('po_ledger', 'po_ledger_archive', 'po_ledger_all', 'po_change_log_archive', 'po_change_log_all')}), 'po_books', 'the archive belongs to the ledger\'s owner');
		$node->safe_psql($db, 'ALTER TABLE po_ledger OWNER TO CURRENT_USER; ALTER TABLE po_change_log OWNER TO CURRENT_USER; ALTER TABLE po_ledger_archive OWNER TO CURRENT_USER; ALTER TABLE po_change_log_archive OWNER TO CURRENT_USER');
	}
	else
	{
		is($warned, '', "$schema: nothing to be told");
		database('fresh', $schema);
		my ($updated, $fresh) = map { catalog($node, $_, $schema) =~ s/\{\w+=[a-zA-Z]+\/\w+\}//gr } $db, 'fresh';
		is(differences({ catalog => $fresh }, { catalog => $updated }, $schema), '', "$schema: the catalog is that of a new database");
		like($fresh, qr/po_ledger_archive/, "$schema: which has the archive");
		$node->safe_psql('postgres', 'DROP DATABASE fresh');
	}

	# the archive, and dumps
	my $explanations = q{SELECT e FROM po_invoice v, po_explain_invoice(v.account_id, v.bill_from, v.invoice_id) e ORDER BY 1};
	my $balances = q{SELECT l.account_id, l.po_number, l.line_number, t.at, po_balance_at(l.account_id, l.po_number, l.line_number, t.at) FROM po_line_item l, (SELECT DISTINCT recorded_at AS at FROM po_ledger_all) t ORDER BY 1, 2, 3, 4};
	my $balanced = in_schema($node, $db, $schema, $balances);
	in_schema($node, $db, $schema, q{INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount) VALUES ('111111111111', 'AWS Inc.', 'after the update', 'usage', '2026-02', 1);
		UPDATE po_account SET closed_through = '9999-01' WHERE account_id IN ('111111111111', 'lowered')});
	$explained = in_schema($node, $db, $schema, $explanations);
	my $ledger = in_schema($node, $db, $schema, 'SELECT count(*) FROM po_ledger');
	cmp_ok(in_schema($node, $db, $schema, q{SELECT po_archive('9999-01')}), '>', 50, "$schema: rows are archived");
	cmp_ok(in_schema($node, $db, $schema, 'SELECT count(*) FROM po_ledger'), '<', $ledger / 2, "$schema: and not in the ledger any more");
	is(in_schema($node, $db, $schema, 'SELECT * FROM po_check_integrity()'), '', "$schema: the books are right");
	is(in_schema($node, $db, $schema, $balances =~ s/FROM po_ledger_all/FROM po_ledger_all WHERE invoice_id IS DISTINCT FROM 'after the update'/r), $balanced, "$schema: balances are what they were");
	is(in_schema($node, $db, $schema, $explanations), $explained, "$schema: explanations, too");
	in_schema($node, $db, $schema, 'ALTER TABLE po_ledger DROP own_column') if $schema eq 'public'; # which is not dumped
	my $archived = content($node, $db, $schema);
	quietly($node, 'pg_dump', 'pg_dump', '-Fc', '-f', "$dir/$db.dump", $db);
	$node->safe_psql('postgres', "CREATE DATABASE restored TEMPLATE template0 ENCODING 'UTF8'");
	quietly($node, 'pg_restore -j2', 'pg_restore', '--exit-on-error', '-j2', '-d', 'restored', "$dir/$db.dump");
	is(differences($archived, content($node, 'restored', $schema), "$schema, restored"), $schema eq 'public' ? 'po_check_integrity' : '', "$schema: it can be dumped and restored");
	if ($schema eq 'public')
	{
		is($node->safe_psql('restored', q{SELECT count(*) FROM po_check_integrity() WHERE violation !~ '^row security of '}), '0', 'but for the policies');
		$node->safe_psql('restored', q{SELECT po_enable_row_security('app.account_id')});
		is($node->safe_psql('restored', q{SELECT has_table_privilege('po_viewer', 'po_ledger_archive', 'SELECT')}), 't', 'the grant on the archive is dumped');
	}
	is(in_schema($node, 'restored', $schema, q{SELECT * FROM po_check_integrity()}), '', "$schema: and is right");
	$node->safe_psql('postgres', 'DROP DATABASE restored');
}

# A dump of 1.0 is restored as the new version.
database('first', 'public', '1.0');
populate($node, 'first', 'public', $seed);
my $first = content($node, 'first', 'public');
quietly($node, 'pg_dump of 1.0', 'pg_dump', '-Fc', '-f', "$dir/first.dump", 'first');
$node->safe_psql('postgres', "CREATE DATABASE restored TEMPLATE template0 ENCODING 'UTF8'");
quietly($node, 'pg_restore', 'pg_restore', '--exit-on-error', '-d', 'restored', "$dir/first.dump");
my $restored = content($node, 'restored', 'public');
delete @$restored{ grep { /archive/ } keys %$restored };
is(differences($first, $restored, 'a dump of 1.0'), '', 'a dump of 1.0 is restored');
is($node->safe_psql('restored', q{SELECT extversion FROM pg_extension WHERE extname = 'po_mgmt'}), $version, "as $version");

is(scalar(() = slurp_file($node->logfile) =~ /PANIC:|TRAP:|terminated by signal/g), 0, 'nothing crashed');
$node->stop;
done_testing();
