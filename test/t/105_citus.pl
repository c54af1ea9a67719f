# 105_citus.pl: tables distributed by Citus (doc/scale.md). Citus itself is not to be had here: t/citus.sql makes
# shards as it does, with triggers of other names, and answers what po_mgmt asks of it. What is not tried is what Citus
# does, above all how it sends statements to shards: here they are sent by hand.
#
# The same statements run in a database with shards and in one without, and all that they answer and leave is the same.

use strict;
use warnings;

use File::Basename qw(dirname);
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = PostgreSQL::Test::Cluster->new('citus');
$node->init;
# one clock for both, so that what they write can be compared
$node->append_conf('postgresql.conf', "timezone = 'UTC'\njit = off\npo_mgmt.now = '2026-03-10 12:00:00+00'\n");
$node->start;

$node->safe_psql('postgres', 'CREATE ROLE clerk; CREATE ROLE reader');
for my $db (qw(plain shards))
{
	$node->safe_psql('postgres', "CREATE DATABASE $db");
	$node->safe_psql($db, 'CREATE EXTENSION po_mgmt');
}
my $here = dirname(__FILE__);
for my $script ("$here/citus.sql", "$here/../../doc/scale/citus.sql")
{
	is(system_log('psql', '-X', '-q', '-o', File::Spec->devnull, '-v', 'ON_ERROR_STOP=1', '-h', $node->host, '-p', $node->port,
			'-d', 'shards', '-f', $script), 0, $script);
}

# TABLE@LETTER is the shard of accounts that end so, TABLE@ the copy of a table that every server has
my %number = (po_seller => 102001, po_seller_alias => 102002, po_taxonomy => 102003, po_seller_line_type => 102004,
	po_account => 102010, po_order => 102020, po_line_item => 102030, po_contact => 102040, po_invoice => 102050,
	po_ledger => 102060, po_change_log => 102070, po_notification => 102080,
	po_ledger_archive => 102090, po_change_log_archive => 102100);

sub in_plain { my ($sql) = @_; $sql =~ s/\b(po_\w+)\@[01]?/$1/g; return $sql }
sub in_shards { my ($sql) = @_; $sql =~ s/\b(po_\w+)\@([01]?)/"$1_" . ($number{$1} + ($2 eq '' ? 0 : $2 + 1))/ge; return $sql }

# what a script answers, errors with it; names of shards as their tables'
sub answer
{
	my ($db, $sql) = @_;
	my ($out, $err);

	$node->psql($db, $sql, stdout => \$out, stderr => \$err, on_error_stop => 0, extra_params => [ '-v', 'VERBOSITY=verbose' ]);
	my $both = "$out\n$err";
	$both =~ s/_102\d\d\d(?:\b|(?=_pkey))//g;
	$both =~ s/^(?:psql:\S+ )?LOCATION:.*\n?//mg;
	$both =~ s/^psql:<stdin>:\d+: //mg;
	return $both;
}
sub same
{
	my ($sql, $name, $expected) = @_;
	my $plain = answer('plain', in_plain($sql));

	is(answer('shards', in_shards($sql)), $plain, $name);
	like($plain, $expected, "$name: as it should be") if $expected;
}

# ---- configuration ----

same(<<'END', 'sellers and types', qr/23505.*23503/s);
INSERT INTO po_seller@ (bill_from) VALUES ('Acme');
INSERT INTO po_seller_alias@ (alias, bill_from) VALUES ('ACME', 'Acme'), ('Acme Inc', 'Acme');
INSERT INTO po_seller_alias@ (alias, bill_from) VALUES ('Acme', 'AWS Inc.');
INSERT INTO po_seller_alias@ (alias, bill_from) VALUES ('x', 'nobody');
INSERT INTO po_taxonomy@ (line_type, label) VALUES ('usage.compute', 'Compute');
INSERT INTO po_seller_line_type@ (bill_from, line_type) VALUES ('Acme', 'usage');
UPDATE po_seller@ SET description = 'x' WHERE bill_from = 'AWS Inc.';
DELETE FROM po_seller@ WHERE bill_from = 'AWS Japan';
END
same(<<'END', 'orders and line items', qr/54000.*23503.*23514/s);
INSERT INTO po_account@0 (account_id, max_contacts, alert_thresholds) VALUES ('A0', 2, '{0.5, 0}');
INSERT INTO po_order@0 (account_id, po_number, bill_from, effective_month, expiration_month) VALUES
	('A0', 'P1', 'ACME', '2026-01', '2026-12'), ('A0', 'P2', 'Acme', '2026-01', '2026-12'), ('B0', 'P1', 'AWS Inc.', '2026-01', '2026-12');
INSERT INTO po_order@1 (account_id, po_number, bill_from, effective_month, expiration_month)
	VALUES ('A1', 'P1', 'Amazon Web Services, Inc.', '2026-01', '2026-12');
INSERT INTO po_line_item@0 (account_id, po_number, line_number, line_type, start_month, end_month, amount, balance_tracked) VALUES
	('A0', 'P1', '1', 'usage', '2026-01', '2026-12', 100, true), ('A0', 'P2', '1', 'all', '2026-01', '2026-12', 50, true),
	('B0', 'P1', '1', 'usage', '2026-01', '2026-06', 100, true);
INSERT INTO po_line_item@1 (account_id, po_number, line_number, line_type, start_month, end_month, amount, balance_tracked)
	VALUES ('A1', 'P1', '1', 'usage', '2026-01', '2026-12', 1000, true) RETURNING line_item_id, balance, total_value;
INSERT INTO po_contact@0 (account_id, po_number, email) VALUES ('A0', 'P1', 'a@b.example'), ('A0', 'P1', 'c@b.example');
INSERT INTO po_contact@0 (account_id, po_number, email) VALUES ('A0', 'P1', 'd@b.example');
INSERT INTO po_order@0 (account_id, po_number, bill_from, effective_month, expiration_month) VALUES ('A0', 'P9', 'nobody', '2026-01', '2026-12');
INSERT INTO po_line_item@0 (account_id, po_number, line_number, line_type, start_month, end_month, amount) VALUES ('A0', 'P1', '2', 'usage', '2025-01', '2026-12', 1);
INSERT INTO po_line_item@0 (account_id, po_number, line_number, line_type, start_month, end_month, amount) VALUES ('A0', 'P1', '2', 'marketplace', '2026-01', '2026-12', 1);
UPDATE po_line_item@0 SET amount = 120 WHERE account_id = 'A0' AND po_number = 'P1';
UPDATE po_order@0 SET description = 'x', expiration_month = '2026-05' WHERE account_id = 'B0';
TRUNCATE po_order@0 CASCADE;
END

# ---- invoices ----

my $match = "'Acme', 'usage', '2026-02', 70";
same("SELECT * FROM po_match_invoice('A0', $match); SELECT * FROM po_explain_match('A0', $match); SELECT * FROM po_match_invoice('A0', 'ACME', 'usage.compute', '2026-02', 1);",
	'matched and explained', qr/^1\|P1\|1\|/m);
same(<<'END', 'booked', qr/A0\|I1\|P1\|1\nB0\|I1\|P1\|1\nA0\|I2\|P1\|1\n/);
INSERT INTO po_invoice@0 (account_id, bill_from, invoice_id, line_type, billing_month, amount) VALUES
	('A0', 'ACME', 'I1', 'usage.compute', '2026-02', 70), ('B0', 'AWS Inc.', 'I1', 'usage', '2026-02', 30), ('A0', 'Acme', 'I2', 'usage', '2026-02', 60)
	RETURNING account_id, invoice_id, po_number, line_number;
INSERT INTO po_invoice@1 (account_id, bill_from, invoice_id, line_type, billing_month, amount)
	SELECT 'A1', 'AWS Inc.', 'I' || n, 'usage', '2026-02', n FROM generate_series(1, 20) n;
INSERT INTO po_invoice@0 (account_id, bill_from, invoice_id, line_type, billing_month, amount) VALUES
	('A0', 'Acme', 'I1', 'usage', '2026-02', 1), ('A0', 'Acme', 'I3', 'subscription', '2026-02', 5) ON CONFLICT DO NOTHING RETURNING invoice_id, po_number;
INSERT INTO po_invoice@0 (account_id, bill_from, invoice_id, line_type, billing_month, amount) VALUES ('A0', 'Acme', 'I1', 'usage', '2026-02', 1);
INSERT INTO po_invoice@0 (account_id, bill_from, invoice_id, line_type, billing_month, amount, original_invoice_id) VALUES ('A0', 'Acme', 'C1', 'usage', '2026-02', -10, 'I1') RETURNING po_number;
INSERT INTO po_invoice@0 (account_id, bill_from, invoice_id, line_type, billing_month, amount, po_number) VALUES ('A0', 'Acme', 'M1', 'usage', '2026-02', 3, 'P2') RETURNING line_number, association_kind;
UPDATE po_invoice@0 SET amount = 65 WHERE account_id = 'A0' AND invoice_id = 'I2';
UPDATE po_invoice@0 SET po_number = 'P2' WHERE account_id = 'A0' AND invoice_id = 'I2';
UPDATE po_invoice@0 SET line_type = 'all' WHERE account_id = 'A0' AND invoice_id = 'I2';
DELETE FROM po_invoice@0 WHERE account_id = 'B0';
INSERT INTO po_ledger@0 (account_id) VALUES ('A0');
END
same(<<'END', 'booked again', qr/manual/);
SELECT po_release_invoice('A0', 'Acme', 'I1', 'why');
SELECT po_rematch_invoice('A0', 'Acme', 'I1');
SELECT po_assign_invoice('A0', 'Acme', 'I1', 'P2', '1', 'by hand');
SELECT (po_void_invoice('A0', 'Acme', 'M1', 'wrong')).voided_at;
SELECT po_rematch_unassociated('A0');
SELECT * FROM po_explain_invoice('A0', 'Acme', 'I1');
SELECT * FROM po_explain_invoice('A0', 'Acme', 'C1');
SELECT po_balance_at('A0', 'P1', '1', '2026-03-10 12:00:00+00');
BEGIN; SELECT po_release_invoice('A0', 'Acme', 'I2', 'x'); ROLLBACK;
BEGIN; SAVEPOINT s; INSERT INTO po_invoice@0 (account_id, bill_from, invoice_id, line_type, billing_month, amount) VALUES ('A0', 'Acme', 'S1', 'usage', '2026-02', 7); ROLLBACK TO s;
INSERT INTO po_invoice@0 (account_id, bill_from, invoice_id, line_type, billing_month, amount) VALUES ('A0', 'Acme', 'S2', 'usage', '2026-02', 8); COMMIT;
END
same(<<'END', 'orders by functions', qr/Suspended.*Active/s);
SELECT po_suspend('A0', 'P1');
SELECT * FROM po_match_invoice('A0', 'Acme', 'usage', '2026-02', 1);
SELECT po_activate('A0', 'P1');
SELECT po_extend('A0', 'P1', '2027-03', true);
SELECT po_copy_order('A0', 'P1', 'P1-2028', '2028-01');
SELECT po_marketplace_purchase('A1', 'M', 'AWS Inc.', 'agr', '2026-01', '2026-06', 0);
SELECT po_marketplace_payment('A1', 'M', 'agr', '2026-02', 40);
INSERT INTO po_invoice@1 (account_id, bill_from, invoice_id, line_type, billing_month, amount, agreement_id, requested_po_number)
	VALUES ('A1', 'AWS Inc.', 'X1', 'marketplace.transaction', '2026-02', 40, 'agr2', 'NEW') RETURNING po_number, line_number;
SELECT po_marketplace_change_order('A1', 'agr', 'NEW');
DELETE FROM po_order@0 WHERE account_id = 'B0';
SELECT * FROM po_repair('A0');
SELECT po_suspend('A0', 'nothing');
END
same("SELECT po_scan_expirations('2027-03-01'), po_scan_expirations('2027-03-01')", 'reminders', qr/^1\|0$/m);
same(<<'END', "status on the account's day", qr/^Suspended$/m);
UPDATE po_account@1 SET time_zone = 'America/New_York' WHERE account_id = 'A1';
INSERT INTO po_order@1 (account_id, po_number, bill_from, effective_month, expiration_month) VALUES ('A1', 'Z', 'AWS Inc.', '2026-01', '2026-03');
SET po_mgmt.now = '2026-04-01 02:00:00+00';
SELECT po_suspend('A1', 'Z');
SELECT po_extend('A1', 'Z', '2026-04');
END
same(<<'END', 'archive', qr/^[1-9]\d*$/m);
UPDATE po_account@0 SET closed_through = '2026-03' WHERE account_id = 'A0';
SELECT po_archive('2026-05', 'A0');
SELECT * FROM po_explain_invoice('A0', 'Acme', 'I1');
SELECT po_balance_at('A0', 'P1', '1', '2026-03-10 12:00:00+00');
UPDATE po_account@0 SET closed_through = NULL WHERE account_id = 'A0';
END
same(<<"END", 'rights', qr/^S3\|P1\n1\|P1\|.*ERROR:  42501: permission denied for table po_(?:account|order).*ERROR:  42501: column "recorded_at"/s);
GRANT INSERT ON po_invoice\@0 TO clerk;
GRANT SELECT (invoice_id, po_number) ON po_invoice\@0 TO clerk;
GRANT SELECT ON po_account, po_order, po_line_item, po_seller_alias, po_taxonomy TO reader;
GRANT SELECT ON po_account\@0, po_order\@0, po_line_item\@0, po_seller_alias\@, po_taxonomy\@ TO reader;
SET ROLE clerk;
INSERT INTO po_invoice\@0 (account_id, bill_from, invoice_id, line_type, billing_month, amount) VALUES ('A0', 'Acme', 'S3', 'usage', '2026-02', 9) RETURNING invoice_id, po_number;
SELECT * FROM po_match_invoice('A0', $match);
INSERT INTO po_invoice\@0 (account_id, bill_from, invoice_id, line_type, billing_month, amount, recorded_at) VALUES ('A0', 'Acme', 'S4', 'usage', '2026-02', 9, now());
SET ROLE reader;
SELECT * FROM po_match_invoice('A0', $match);
END

# ---- what is there now ----

for my $table (qw(po_account po_order po_line_item po_contact po_invoice po_ledger po_change_log po_notification
	po_ledger_archive po_change_log_archive))
{
	same("SELECT t FROM $table\@$_ t WHERE account_id ~ '$_\$' ORDER BY t::text", "$table of shard $_") for 0, 1;
	is($node->safe_psql('shards', "SELECT count(*) FROM $table"), 0, "$table itself is empty");
}
like(answer('plain', 'SELECT count(*) FROM po_check_integrity()'), qr/^0$/m, 'and it is right');

# views have rows of tables made of rows of shards, and say the same
for my $view (qw(po_dashboard po_line_item_status))
{
	my $before = $node->safe_psql('plain', "SELECT v FROM $view v ORDER BY v::text");
	my $definition = $node->safe_psql('shards', "SELECT pg_get_viewdef('$view')");

	like($definition, qr/po_status\(ROW\(/, "$view hands over rows of the table");
	unlike($definition, qr/\bo\.\*/, "$view hands over no row of a shard");
	$node->safe_psql('plain', "CREATE OR REPLACE VIEW $view WITH (security_invoker = true) AS $definition");
	is($node->safe_psql('plain', "SELECT v FROM $view v ORDER BY v::text"), $before, "$view says the same");
}

# ---- accounts that are elsewhere ----

my $elsewhere = qr/ERROR:  55000: account "A2" is on another server\nDETAIL:  Its rows of "po_account" are in shard 102013, which is not here\.\nHINT:  Let Citus call the function there/;
sub ask { my ($sql) = @_; return answer('shards', $sql) =~ s/\n\z//r }
like(ask($_), $elsewhere, $_) for "SELECT po_suspend('A2', 'P1')",
	"SELECT po_marketplace_purchase('A2', 'M', 'AWS Inc.', 'agr', '2026-01', '2026-06', 0)",
	"INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount) VALUES ('A2', 'AWS Inc.', 'I', 'usage', '2026-02', 1)",
	"INSERT INTO po_account_member (member_account_id, account_id) VALUES ('M2', 'A2')";

# What only reads goes to the tables, for Citus to send on. Nobody does here, so a row of them is what is found.
$node->safe_psql('shards', <<'END');
SET session_replication_role = replica;
INSERT INTO po_account (account_id, created_at, booked_at) VALUES ('A2', now(), now());
INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month, currency, created_at, updated_at)
	VALUES ('A2', 'FAR', 'AWS Inc.', '2026-01', '2026-12', 'USD', now(), now());
INSERT INTO po_line_item (line_item_id, account_id, po_number, line_number, line_type, start_month, end_month, amount, created_at, updated_at)
	VALUES (7, 'A2', 'FAR', '1', 'usage', '2026-01', '2026-12', 1, now(), now());
INSERT INTO po_invoice (account_id, bill_from, invoice_id, kind, line_type, billing_month, issued_on, amount, currency, recorded_at)
	VALUES ('A2', 'AWS Inc.', 'I', 'invoice', 'usage', '2026-02', '2026-02-01', 1, 'USD', now());
END
like(ask("SELECT * FROM po_match_invoice('A2', 'AWS Inc.', 'usage', '2026-02', 1)"), qr/^1\|FAR\|1\|7\|/, 'a match is asked of the tables');
like(ask("SELECT * FROM po_explain_match('A2', 'AWS Inc.', 'usage', '2026-02', 1)"), qr/^FAR\|1\|1\|selected/, 'and explained');
like(ask("SELECT po_assign_invoice('A2', 'AWS Inc.', 'I', 'FAR', '1', 'x')"), $elsewhere, 'but not booked');
like(ask("SELECT po_rematch_unassociated()"), $elsewhere, 'nor with all others');

# rows that only the test has put there go before what would be asked for two shards at once
$node->safe_psql('shards', <<'END');
SET session_replication_role = replica;
DELETE FROM po_invoice;
INSERT INTO po_invoice_102051 (account_id, bill_from, invoice_id, kind, line_type, billing_month, issued_on, amount, currency, recorded_at)
	VALUES ('A0', 'Acme', 'U', 'invoice', 'usage', '2026-02', '2026-02-01', 1, 'USD', now());
INSERT INTO po_invoice_102052 (account_id, bill_from, invoice_id, kind, line_type, billing_month, issued_on, amount, currency, recorded_at)
	VALUES ('A1', 'AWS Inc.', 'U', 'invoice', 'usage', '2026-02', '2026-02-01', 1, 'USD', now());
INSERT INTO po_invoice SELECT * FROM po_invoice_102051 WHERE invoice_id = 'U';
INSERT INTO po_invoice SELECT * FROM po_invoice_102052 WHERE invoice_id = 'U';
END
like(ask('SELECT po_rematch_unassociated()'), qr/ERROR:  0A000: accounts "A0" and "A1" are not in one shard\nHINT:  Do it account by account/,
	'accounts of two shards in one statement');
is(ask("SELECT po_rematch_unassociated('A0'), po_rematch_unassociated('A1')"), '1|1', 'account by account');

# ---- the shard moves to another server, and back, while a session has plans of it ----

my $session = $node->background_psql('shards', on_error_stop => 0);
my $best = "SELECT po_number FROM po_match_invoice('A1', 'AWS Inc.', 'usage', '2026-02', 1);";
is($session->query_safe($best), 'P1', 'the account is here');
# as Citus does it: who uses the tables is told that they have changed
sub move { my ($group) = @_; $node->safe_psql('shards', "UPDATE pg_dist_placement SET groupid = $group WHERE shardid % 10 = 2 AND shardid > 102010; ALTER TABLE po_account SET (fillfactor = 70)") }
move(2);
is($session->query_safe($best), '', 'it has moved: what is left of the shard is not read');
like(ask("SELECT po_suspend('A1', 'P1')"), qr/55000: account "A1" is on another server/, 'nor written');
move(1);
is($session->query_safe($best), 'P1', 'it is back');
is($session->query_safe("SELECT po_suspend('A1', 'P1');"), 'Suspended', 'and written');
$session->quit;

# replication of a shard that is moving here fires what always fires
like(ask(<<'END'), qr/^$/, 'replication of a shard');
SET session_replication_role = replica;
UPDATE po_order_102022 SET description = 'moved' WHERE account_id = 'A1';
END

# ---- what cannot be there ----

$node->safe_psql('shards', "SET session_replication_role = replica; INSERT INTO po_account_member (member_account_id, account_id, created_at) VALUES ('M0', 'A1', now())");
like(ask("INSERT INTO po_invoice_102051 (account_id, bill_from, invoice_id, line_type, billing_month, amount) VALUES ('M0', 'AWS Inc.', 'I', 'usage', '2026-02', 1)"),
	qr/ERROR:  0A000: account "M0" is a linked account\nDETAIL:  Accounts are distributed/, "a linked account's invoice");
$node->safe_psql('shards', 'CREATE TABLE bill (account text, seller text, id text PRIMARY KEY)');
like(ask(q{SELECT po_attach('bill', '{"account_id": "account", "bill_from": "seller", "invoice_id": "id"}')}), qr/ERROR:  0A000: tables cannot be attached/, 'an attached table');
like(ask(q{SELECT po_attach('po_invoice_102051', '{}')}), qr/ERROR:  42809: "po_invoice" is a table of po_mgmt itself/, 'a shard, attached');
$node->safe_psql('shards', 'CREATE TRIGGER "~~mine_102051" BEFORE INSERT ON po_invoice_102051 FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()');
like(ask("INSERT INTO po_line_item_102031 (account_id, po_number, line_number, line_type, start_month, end_month, amount) VALUES ('A0', 'P1', '7', 'usage', '2026-01', '2026-12', 1)"), qr/^$/, "another table's trigger is no concern");

done_testing();
