# Books.pm: a database with data of every kind, and what is to be the same in a copy of it: every
# row, the sequences, what would be matched, what new rows become, what is refused. For the tests
# that move a database: dump and restore, pg_upgrade, update, standby.

package Books;

use strict;
use warnings;

use Exporter 'import';
use IPC::Run ();
use Test::More;

our @EXPORT = qw(quoted in_schema populate archive content catalog differences work refused quietly);

# Data of every kind. Names and texts are such that bad quoting shows.
sub populate
{
	my ($node, $db, $schema, $seed) = @_;
	return in_schema($node, $db, $schema, <<EOS);
SELECT setseed($seed % 1000 / 1000.0);

-- reference data: changed seeds, seeds switched off, rows of one's own
UPDATE po_seller SET description = 'was changed' WHERE bill_from = 'AWS Japan';
UPDATE po_seller SET enabled = false WHERE bill_from IN ('AWS Turkey', 'AWS Korea');
UPDATE po_seller_alias SET enabled = false WHERE alias = 'AISPL';
UPDATE po_seller_alias SET bill_from = 'AWS Brazil' WHERE alias = 'AWS Europe';
UPDATE po_taxonomy SET label = 'Renamed' WHERE line_type = 'subscription';
UPDATE po_taxonomy SET out_of_cycle_only = false WHERE line_type = 'professional_services';
UPDATE po_seller_line_type SET enabled = false WHERE bill_from = 'AWS India' AND line_type = 'subscription';
INSERT INTO po_seller (bill_from, description) VALUES
	('Acme "Quoted" O''Brien \\ Söhne', E'tab\\there, line\\nend, backslash \\\\.'), ('Off Ltd', NULL), ('acme', ''), ('\\N', '\\N');
INSERT INTO po_seller_alias (alias, bill_from) VALUES ('ACME', 'acme'), ('Acmé; DROP TABLE', 'Acme "Quoted" O''Brien \\ Söhne');
INSERT INTO po_taxonomy (line_type, label, out_of_cycle_only) VALUES
	('usage.compute', 'Compute', NULL), ('usage.compute.spot', NULL, true), ('rare', 'Rare', false);
INSERT INTO po_seller_line_type (bill_from, line_type) VALUES ('acme', 'usage.compute'), ('acme', 'rare');

-- accounts
INSERT INTO po_account (account_id, currency, period_basis, time_zone, max_active_orders, max_line_items, max_contacts,
		alert_thresholds, bill_to, payment_terms, marketplace_integration) VALUES
	('111111111111', 'USD', 'billing_period', 'UTC', 100, 100, 10, '{0.75}', NULL, NULL, true),
	('222222222222', 'EUR', 'issue_date', 'Pacific/Auckland', 7, 8, 9, '{0.9, 0.50, 0}', E'two\\nlines', 'net 30', false),
	('Übergrößen-Kontø', 'JPY', 'status_on_issue', 'America/New_York', 100, 100, 10, '{}', '', '', true),
	('lowered', 'USD', 'billing_period', 'UTC', 100, 100, 10, '{1}', NULL, NULL, true);
INSERT INTO po_account_member (member_account_id, account_id) VALUES ('member 1', '111111111111'), ('member 2', 'lowered');

-- orders of every status
INSERT INTO po_order (account_id, po_number, bill_from, status, effective_month, expiration_month, currency, description,
		ship_to, tax_registration_numbers, tags, source) VALUES
	('111111111111', 'ACTIVE', 'AWS Inc.', 'active', '2000-01', '9999-12', NULL, 'plain', NULL, NULL, NULL, 'user'),
	('111111111111', 'SECOND', 'Amazon Web Services, Inc.', 'active', '2000-01', '9999-12', NULL, NULL, E'a\\tb', '{}', '{}', 'user'),
	('111111111111', 'TAXED', 'AWS Inc.', 'active', '2000-01', '9999-12', NULL, NULL, NULL, '{"DE 1", "x,\\"y\\"", "{}"}', '{"team": "dätä", "n": [1, 2.50, null]}', 'marketplace'),
	('111111111111', 'SUSPENDED', 'AWS Inc.', 'active', '2000-01', '9999-12', NULL, NULL, NULL, NULL, NULL, 'user'),
	('111111111111', 'EXPIRED', 'AWS Inc.', 'active', '2000-01', '2001-12', NULL, NULL, NULL, NULL, NULL, 'user'),
	('111111111111', 'SUSPENDED-EXPIRED', 'AWS Inc.', 'suspended', '0001-01', '2001-12', NULL, NULL, NULL, NULL, NULL, 'user'),
	('111111111111', 'FUTURE', 'AWS Inc.', 'active', '9000-01', '9999-12', NULL, NULL, NULL, NULL, NULL, 'user'),
	('111111111111', 'EMPTY', 'AWS Inc.', 'active', '2000-01', '9999-12', NULL, NULL, NULL, NULL, NULL, 'user'),
	('111111111111', 'DELETED', 'AWS Inc.', 'active', '2000-01', '9999-12', NULL, NULL, NULL, NULL, NULL, 'user'),
	('222222222222', 'quote''s "and" \\back', 'acme', 'active', '2000-01', '9999-12', 'EUR', E'\\\\. end of data?', NULL, NULL, NULL, 'user'),
	('222222222222', 'DOLLARS', 'acme', 'active', '2000-01', '9999-12', 'usd', '', '', NULL, NULL, 'user'),
	('222222222222', 'OFF', 'Off Ltd', 'active', '2000-01', '9999-12', NULL, NULL, NULL, NULL, NULL, 'user'),
	('Übergrößen-Kontø', repeat('長', 200), 'Acme "Quoted" O''Brien \\ Söhne', 'active', '2000-01', '9999-12', NULL, NULL, NULL, NULL, NULL, 'user'),
	('lowered', 'L1', 'AWS Inc.', 'active', '2000-01', '9999-12', NULL, NULL, NULL, NULL, NULL, 'user'),
	('lowered', 'L2', 'AWS Inc.', 'active', '2000-01', '9999-12', NULL, NULL, NULL, NULL, NULL, 'user'),
	('lowered', 'L3', 'AWS Inc.', 'active', '2000-01', '9999-12', NULL, NULL, NULL, NULL, NULL, 'user');

INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, balance_tracked, amount,
		quantity, tax, tax_kind, consumed_before, agreement_id, description)
	SELECT account_id, po_number, line_number, line_type::po_line_type, start_month::po_month, end_month::po_month, balance_tracked, amount, quantity, tax, tax_kind,
		consumed_before, agreement_id, description
	FROM (VALUES
	('111111111111', 'ACTIVE', '1', 'usage', '2000-01', '9999-12', true, 1000.10, 1.5, 19.123456789, 'percent', 0.001, NULL, 'tracked'),
	('111111111111', 'ACTIVE', '2', 'all', '2000-01', '9999-12', false, 0, 1, 0, 'absolute', 0, NULL, 'not tracked'),
	('111111111111', 'ACTIVE', '3', 'subscription', '2000-01', '2026-01', true, 50, 1, 0.000, 'absolute', 49.99, NULL, 'runs out'),
	('111111111111', 'ACTIVE', 'gone', 'marketplace', '2000-01', '9999-12', true, 500, 2, 3, 'absolute', 0, NULL, 'deleted later'),
	('111111111111', 'ACTIVE', 'toggled', 'marketplace', '2000-01', '9999-12', true, 70, 1, 0, 'absolute', 0, NULL, NULL),
	('111111111111', 'SECOND', '1', 'usage.compute', '2026-01', '2026-12', true, 300, 1, 0, 'absolute', 0, NULL, NULL),
	('111111111111', 'SECOND', '2', 'usage', '2026-01', '2026-12', true, 300, 1, 0, 'absolute', 0, 'agr-1', 'bound'),
	('111111111111', 'TAXED', '1', 'usage', '2000-01', '9999-12', true, 1e30, 1e-10, 0, 'absolute', 0, NULL, NULL),
	('111111111111', 'TAXED', '2', 'marketplace.transaction', '2000-01', '9999-12', false, 5, 1, 0, 'absolute', 0, 'agr-2', NULL),
	('111111111111', 'SUSPENDED', '1', 'usage', '2000-01', '9999-12', true, 100, 1, 0, 'absolute', 0, NULL, NULL),
	('111111111111', 'EXPIRED', '1', 'all', '2000-01', '2001-12', true, 100, 1, 0, 'absolute', 0, NULL, NULL),
	('111111111111', 'SUSPENDED-EXPIRED', '1', 'all', '0001-01', '2001-12', true, 100, 1, 0, 'absolute', 0, NULL, NULL),
	('111111111111', 'FUTURE', '1', 'all', '9000-01', '9999-12', true, 100, 1, 0, 'absolute', 0, NULL, NULL),
	('111111111111', 'DELETED', '1', 'professional_services', '2000-01', '9999-12', true, 100, 1, 0, 'absolute', 0, NULL, NULL),
	('222222222222', 'quote''s "and" \\back', ' spaced out ', 'usage.compute', '2000-01', '9999-12', true, 10000, 1, 0, 'absolute', 0, 'x''y', E'\\t'),
	('222222222222', 'DOLLARS', '1', 'rare', '2000-01', '9999-12', true, 10000, 1, 0, 'absolute', 0, NULL, NULL),
	('222222222222', 'OFF', '1', 'all', '2000-01', '9999-12', true, 10000, 1, 0, 'absolute', 0, NULL, NULL),
	('Übergrößen-Kontø', repeat('長', 200), repeat('号', 200), 'all', '2000-01', '9999-12', true, 100000, 1, 0, 'absolute', 0, NULL, NULL),
	('lowered', 'L1', '1', 'usage', '2000-01', '9999-12', true, 100, 1, 0, 'absolute', 0, NULL, NULL),
	('lowered', 'L1', '2', 'subscription', '2000-01', '9999-12', true, 100, 1, 0, 'absolute', 0, NULL, NULL),
	('lowered', 'L2', '1', 'all', '2000-01', '9999-12', false, 100, 1, 0, 'absolute', 0, NULL, NULL)
	) v (account_id, po_number, line_number, line_type, start_month, end_month, balance_tracked, amount, quantity, tax, tax_kind,
		consumed_before, agreement_id, description);
INSERT INTO po_contact (account_id, po_number, email, name, title, phone) VALUES
	('111111111111', 'ACTIVE', 'ap\@example.com', 'Ånne', 'AP', '+49 1'), ('111111111111', 'ACTIVE', 'two\@example.com', NULL, NULL, NULL),
	('lowered', 'L1', 'a\@example.com', '', '', ''), ('lowered', 'L1', 'b\@example.com', E'\\\\', NULL, NULL);

-- invoices: many booked ones, and one of each kind
INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, issued_on, amount)
	SELECT (ARRAY['111111111111', '111111111111', 'lowered'])[1 + g % 3], 'AWS Inc.', 'N' || g,
		(ARRAY['usage', 'usage.compute', 'subscription', 'marketplace', 'all', 'rare'])[1 + g % 6]::text::po_line_type,
		'2025-10'::po_month + g % 5, '2026-02-01'::date + g % 40, round((random() * 30)::numeric, 2)
	FROM generate_series(1, 60) g;
INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, issued_on, due_on, amount, currency,
		tax_registration_number, agreement_id, requested_po_number, requested_line_number, out_of_cycle, original_invoice_id) VALUES
	('111111111111', 'AWS Inc.', 'zero', 'usage', '2026-01', '2026-02-01', '2026-03-01', 0, NULL, NULL, NULL, NULL, NULL, NULL, NULL),
	('111111111111', 'AWS Inc.', 'taxed', 'usage', '2026-01', '2026-02-01', NULL, 0.0000000000000000001, 'USD', 'DE 1', NULL, NULL, NULL, NULL, NULL),
	('111111111111', 'AWS Inc.', 'requested', 'usage', '2026-01', '2026-02-01', NULL, 12.50, 'USD', NULL, NULL, ' SECOND ', ' 1 ', false, NULL),
	('111111111111', 'AWS Inc.', 'requested in vain', 'usage', '2026-01', '2026-02-01', NULL, 12.50, 'USD', NULL, NULL, 'NOT THERE', NULL, NULL, NULL),
	('111111111111', 'AWS Inc.', 'agreed', 'usage', '2026-01', '2026-02-01', NULL, 12.50, 'USD', NULL, 'agr-1', NULL, NULL, NULL, NULL),
	('111111111111', 'AWS Inc.', 'transaction', 'marketplace.transaction', '2026-01', '2026-02-01', NULL, 5, 'USD', 'DE 1', 'agr-2', 'TAXED', '2', true, NULL),
	('111111111111', 'AWS Inc.', 'other currency', 'usage', '2026-01', '2026-02-01', NULL, 12.50, 'CHF', NULL, NULL, NULL, NULL, NULL, NULL),
	('111111111111', 'Nobody Inc.', 'unknown seller', 'usage', '2026-01', '2026-02-01', NULL, 12.50, 'USD', NULL, NULL, NULL, NULL, NULL, NULL),
	('nobody''s account', 'AWS Inc.', 'unknown account', 'usage', '2026-01', '2026-02-01', NULL, 12.50, 'USD', NULL, NULL, NULL, NULL, NULL, NULL),
	('111111111111', 'AWS Inc.', 'paid for by SUSPENDED', 'usage', '2026-01', '2026-02-01', NULL, 7, 'USD', NULL, NULL, 'SUSPENDED', NULL, NULL, NULL),
	('111111111111', 'AWS Inc.', 'on DELETED', 'professional_services', '2026-01', '2026-02-01', NULL, 8, 'USD', NULL, NULL, 'DELETED', NULL, NULL, NULL),
	('111111111111', 'AWS Inc.', 'to be released', 'usage', '2026-01', '2026-02-01', NULL, 9, 'USD', NULL, NULL, NULL, NULL, NULL, NULL),
	('111111111111', 'AWS Inc.', 'to be corrected', 'usage', '2026-01', '2026-02-01', NULL, 9, 'USD', NULL, NULL, NULL, NULL, NULL, NULL),
	('111111111111', 'AWS Inc.', 'memo', 'usage', '2026-01', '2026-02-02', NULL, -3.3, 'USD', NULL, NULL, NULL, NULL, NULL, 'to be corrected'),
	('111111111111', 'AWS Inc.', 'memo of the unknown', 'usage', '2026-01', '2026-02-02', NULL, -3.4, 'USD', NULL, NULL, NULL, NULL, NULL, 'never seen'),
	('111111111111', 'AWS Inc.', 'memo of what has no PO', 'usage', '2026-01', '2026-02-02', NULL, -3.5, 'USD', NULL, NULL, NULL, NULL, NULL, 'requested in vain'),
	('111111111111', 'AWS Inc.', 'memo without original', 'subscription', '2026-01', '2026-02-02', NULL, -3.6, 'USD', NULL, NULL, NULL, NULL, NULL, NULL),
	('222222222222', 'ACME', 'by alias', 'usage.compute', '2026-01', '2026-02-02', NULL, 100, NULL, NULL, 'x''y', NULL, NULL, NULL, NULL),
	('222222222222', 'acme', 'dollars', 'rare', '2026-01', '2026-02-02', NULL, 100, 'USD', NULL, NULL, NULL, NULL, NULL, NULL),
	('222222222222', 'Off Ltd', 'off', 'rare', '2026-01', '2026-02-02', NULL, 100, 'EUR', NULL, NULL, NULL, NULL, NULL, NULL),
	('Übergrößen-Kontø', 'Acmé; DROP TABLE', E'\\\\N', 'rare', '2026-01', '2026-02-02', NULL, 123456789012345678901234567890.123456789, 'JPY', NULL, NULL, NULL, NULL, NULL, NULL);
INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, issued_on, amount, po_number, line_number) VALUES
	('111111111111', 'AWS Inc.', 'manual', 'subscription', '2026-01', '2026-02-02', 4, 'EXPIRED', '1'),
	('111111111111', 'AWS Inc.', 'manual 2', 'usage', '2026-01', '2026-02-02', 5, 'ACTIVE', 'gone'),
	('111111111111', 'AWS Inc.', 'manual 3', 'usage', '2026-01', '2026-02-02', 6, 'ACTIVE', 'toggled');

-- what happens to them later
DELETE FROM po_invoice WHERE account_id = '111111111111' AND invoice_id = 'to be released';
UPDATE po_invoice SET amount = 10.01, due_on = '2026-04-01' WHERE account_id = '111111111111' AND invoice_id = 'to be corrected';
UPDATE po_line_item SET balance_tracked = false WHERE account_id = '111111111111' AND line_number = 'toggled';
INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, issued_on, amount, po_number, line_number) VALUES
	('111111111111', 'AWS Inc.', 'while not tracked', 'usage', '2026-01', '2026-02-02', 6.5, 'ACTIVE', 'toggled');
UPDATE po_line_item SET balance_tracked = true WHERE account_id = '111111111111' AND line_number = 'toggled';
UPDATE po_line_item SET amount = amount + 1, tax = 20 WHERE account_id = '111111111111' AND po_number = 'ACTIVE' AND line_number = '1';
DELETE FROM po_line_item WHERE account_id = '111111111111' AND po_number = 'ACTIVE' AND line_number = 'gone';
DELETE FROM po_order WHERE account_id = '111111111111' AND po_number = 'DELETED';
SELECT po_suspend('111111111111', 'SUSPENDED');
SELECT po_release_invoice('111111111111', 'AWS Inc.', 'N3', 'of another order');
SELECT po_void_invoice('111111111111', 'AWS Inc.', 'N6', 'sent twice');
SELECT po_assign_invoice('111111111111', 'AWS Inc.', 'N9', 'SECOND', '1', 'by hand');
SELECT po_rematch_invoice('111111111111', 'AWS Inc.', 'N9', true);
SELECT po_release_invoice('lowered', 'AWS Inc.', 'N2', 'mistake');
SELECT po_assign_invoice('lowered', 'AWS Inc.', 'N5', 'L2', '1', E'line\\nend');
UPDATE po_seller SET enabled = false WHERE bill_from = 'Off Ltd';
UPDATE po_taxonomy SET enabled = false WHERE line_type = 'rare';
UPDATE po_account SET max_active_orders = 1, max_line_items = 1, max_contacts = 0 WHERE account_id = 'lowered';
UPDATE po_account SET closed_through = '2025-12' WHERE account_id = '111111111111';
UPDATE po_account SET closed_through = '2026-01' WHERE account_id = '222222222222';

-- tables that other functions write to, as history
INSERT INTO po_notification (notification_id, account_id, po_number, line_number, kind, threshold, due_on, recipients, subject, body,
		created_at, claimed_until, sent_at, attempts, last_error)
	SELECT nextval('po_notification_notification_id_seq'), '111111111111', 'ACTIVE', nullif(g, 2)::text, CASE WHEN g < 3 THEN 'balance' ELSE 'expiration' END,
		g / 4.0, '2026-01-31', ARRAY['ap\@example.com', 'a"b\@example.com'], 'Subject ' || g, E'line 1\\n.\\n\\\\.\\n' || g,
		'2026-01-05 10:00:00.123456+02', '2026-01-06', CASE WHEN g = 1 THEN '2026-01-07'::timestamptz END, g, CASE WHEN g = 3 THEN '451 no' END
	FROM generate_series(1, 3) g;
INSERT INTO po_change_log (change_id, account_id, po_number, line_number, operation, old, new, changed_at, changed_by)
	SELECT nextval('po_change_log_change_id_seq'), '111111111111', 'ACTIVE', nullif(g, 2)::text, (ARRAY['insert', 'update', 'delete'])[g],
		'{"a": 1.00, "b": "\\\\n"}', NULL, '2026-01-05 10:00:00.000001+00', 'somebody "else"'
	FROM generate_series(1, 3) g;
EOS
}

# archive: what two of the accounts have in the ledger and the change log; their months are open again then
sub archive
{
	my ($node, $db, $schema) = @_;
	return in_schema($node, $db, $schema, q{
		UPDATE po_account SET closed_through = '9999-01' WHERE closed_through IS NULL;
		SELECT po_archive('9999-01');
		UPDATE po_account SET closed_through = NULL WHERE closed_through = '9999-01'});
}

# ---------------------------------------------------------------------------
# What is in a database: every row, the sequences, what would be matched
# ---------------------------------------------------------------------------

sub quoted
{
	my ($name) = @_;
	$name =~ s/"/""/g;
	return qq{"$name"};
}

# in_schema: runs statements that name the extension's objects without their schema
sub in_schema
{
	my ($node, $db, $schema, $statements) = @_;
	return $node->safe_psql($db, 'SET search_path = ' . quoted($schema) . ", pg_catalog;\n$statements");
}

sub content
{
	my ($node, $db, $schema) = @_;
	my @relations = map { [ split /\|/ ] } split /\n/, $node->safe_psql($db, q{
		SELECT c.relname, c.relkind, c.oid = ANY (e.extconfig)
		FROM pg_extension e
		JOIN pg_depend d ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid AND d.classid = 'pg_class'::regclass AND d.deptype = 'e'
		JOIN pg_class c ON c.oid = d.objid
		WHERE e.extname = 'po_mgmt' AND c.relkind IN ('r', 'p', 'S') ORDER BY c.relname});
	my @queries = (
		[ 'schema', q{SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'po_mgmt'} ],
		[ 'po_match_invoice of the invoices', q{
			SELECT v.account_id, v.bill_from, v.invoice_id, m.* FROM po_invoice v, po_match_invoice(v) m
			ORDER BY v.account_id, v.bill_from, v.invoice_id, m.rank} ],
		[ 'po_match_invoice of made-up ones', q{
			SELECT a, s, t, n, amount, m.*
			FROM unnest(ARRAY['111111111111', '222222222222', 'lowered', 'Übergrößen-Kontø']) a,
				unnest(ARRAY['AWS Inc.', 'Amazon Web Services, Inc.', 'ACME', 'Off Ltd', 'Acmé; DROP TABLE']) s,
				unnest(ARRAY['usage', 'usage.compute', 'usage.compute.spot', 'subscription', 'marketplace', 'rare', 'all']) t,
				unnest(ARRAY['2000-06', '2026-01', '2026-02', '9500-01']) n,
				unnest(ARRAY[0, 100, 100000]) amount,
				po_match_invoice(a, s, t::po_line_type, n::po_month, amount, NULL, '2026-02-15') m
			ORDER BY a, s, t, n, amount, m.rank} ],
		[ 'po_explain_match of the invoices', q{
			SELECT v.account_id, v.bill_from, v.invoice_id, m.* FROM po_invoice v, po_explain_match(v) m
			ORDER BY v.account_id, v.bill_from, v.invoice_id, m.rank, m.po_number, m.line_number} ],
		[ 'po_check_integrity', 'SELECT * FROM po_check_integrity() c ORDER BY c::text' ],
		[ 'po_status', 'SELECT o.account_id, o.po_number, po_status(o) FROM po_order o ORDER BY 1, 2' ]);
	my %content;

	for (@relations)
	{
		my ($name, $kind, $dumped) = @$_;
		my $relation = quoted($name);

		push @queries, [ $name, $kind eq 'S' ? "SELECT last_value, is_called FROM $relation"
			: qq{COPY (SELECT t.* FROM $relation t ORDER BY t::text COLLATE "C") TO STDOUT} ];
		$content{"$name is dumped"} = $dumped;
	}
	my $out = in_schema($node, $db, $schema, join '', map { "\\echo == $_->[0] ==\n$_->[1];\n" } @queries);
	while ($out =~ /^== ([^\n]*) ==\n(.*?)(?=^== [^\n]* ==$|\z)/msg)
	{
		my ($name, $text) = ($1, $2);

		chomp $text;
		$content{$name} = $text;
	}
	die "not all was printed" if grep { !defined $content{ $_->[0] } } @queries;
	return \%content;
}

# the extension's objects with all that the catalog says of them, without OIDs
sub catalog
{
	my ($node, $db, $schema) = @_;
	return in_schema($node, $db, $schema, q{
		CREATE TEMP VIEW members AS SELECT d.classid, d.objid FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid
			WHERE d.refclassid = 'pg_extension'::regclass AND d.deptype = 'e' AND e.extname = 'po_mgmt';
		SELECT pg_describe_object(classid, objid, 0), obj_description(objid, classid::regclass::name) FROM members
			-- from 17 on types of tables and arrays are members, too
			WHERE NOT EXISTS (SELECT FROM pg_type t WHERE t.oid = objid AND classid = 'pg_type'::regclass
				AND (t.typcategory = 'A' OR EXISTS (SELECT FROM pg_class c WHERE c.oid = t.typrelid AND c.relkind <> 'c'))) ORDER BY 1;
		SELECT objid::regclass, attname, format_type(atttypid, atttypmod), attnotnull, attgenerated, pg_get_expr(adbin, adrelid), attcollation::regcollation
			FROM members JOIN pg_attribute ON attrelid = objid AND attnum > 0 LEFT JOIN pg_attrdef ON adrelid = attrelid AND adnum = attnum
			WHERE classid = 'pg_class'::regclass ORDER BY 1, attnum;
		SELECT objid::regclass, c.reloptions, c.relrowsecurity, c.relacl::text FROM members JOIN pg_class c ON c.oid = objid AND classid = 'pg_class'::regclass ORDER BY 1;
		SELECT p.oid::regprocedure, pg_get_function_arguments(p.oid), pg_get_function_result(p.oid), p.prokind, p.provolatile, p.proparallel, p.proisstrict, p.prosecdef,
			p.proleakproof, p.procost, p.prorows, p.proconfig, p.prosupport, p.probin, p.prosrc, p.proacl::text, (SELECT lanname FROM pg_language l WHERE l.oid = p.prolang)
			FROM members JOIN pg_proc p ON p.oid = objid AND classid = 'pg_proc'::regclass ORDER BY 1;
		SELECT k.conrelid::regclass, k.conname, pg_get_constraintdef(k.oid) FROM members JOIN pg_constraint k ON k.conrelid = objid AND classid = 'pg_class'::regclass
			WHERE k.contype <> 'n' ORDER BY 1, 2;
		SELECT indexrelid::regclass, pg_get_indexdef(indexrelid), indisvalid FROM members JOIN pg_index ON indrelid = objid AND classid = 'pg_class'::regclass ORDER BY 1;
		SELECT pg_get_triggerdef(t.oid), t.tgenabled FROM members JOIN pg_trigger t ON t.tgrelid = objid AND classid = 'pg_class'::regclass
			WHERE NOT t.tgisinternal ORDER BY 1;
		SELECT extversion, array_length(extconfig, 1), extrelocatable FROM pg_extension WHERE extname = 'po_mgmt';
		SELECT c::regclass FROM pg_extension, unnest(extconfig) c WHERE extname = 'po_mgmt' ORDER BY c::regclass::text});
}

# differences: the names of what differs; printed unless there is no title
sub differences
{
	my ($before, $after, $title) = @_;
	my @names;

	for my $name (sort keys %{ { %$before, %$after } })
	{
		my ($old, $new) = map { $_ // 'missing' } $before->{$name}, $after->{$name};
		next if $old eq $new;
		push @names, $name;
		next unless $title;
		my %old = map { $_ => 1 } split /\n/, $old;
		my %new = map { $_ => 1 } split /\n/, $new;
		my @gone = grep { !$new{$_} } sort keys %old;
		my @come = grep { !$old{$_} } sort keys %new;
		diag("$title: $name: -" . @gone . ' +' . @come . "\n", map { "$_\n" } map { defined $_ ? $_ : () }
			  (map { "- $_" } grep { defined } @gone[ 0 .. 2 ]), (map { "+ $_" } grep { defined } @come[ 0 .. 2 ]));
	}
	return join ', ', @names;
}

# work: what new rows become; rolled back, so the times are not compared
sub work
{
	my ($node, $db, $schema) = @_;
	return in_schema($node, $db, $schema, q{
		BEGIN;
		INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month)
			VALUES ('111111111111', 'BRAND NEW', 'AWS Inc.', '2026-01', '2026-12') RETURNING status, currency;
		INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, balance_tracked, amount)
			VALUES ('111111111111', 'BRAND NEW', '1', 'usage', '2026-01', '2026-12', true, 1000) RETURNING line_item_id, balance;
		INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, issued_on, amount) VALUES
			('111111111111', 'AWS Inc.', 'new 1', 'usage', '2026-01', '2026-02-20', 11),
			('111111111111', 'AWS Inc.', 'new 2', 'usage.compute', '2026-01', '2026-02-20', 12),
			('222222222222', 'ACME', 'new 3', 'usage.compute', '2026-02', '2026-02-20', 13),
			('lowered', 'AWS Inc.', 'new 4', 'subscription', '2026-02', '2026-02-20', 14)
			RETURNING account_id, bill_from, invoice_id, kind, currency, po_number, line_number, line_item_id, association_kind;
		INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, issued_on, amount, original_invoice_id)
			VALUES ('111111111111', 'AWS Inc.', 'new memo', 'usage', '2026-01', '2026-02-20', -1, 'to be corrected')
			RETURNING po_number, line_number, line_item_id, association_kind;
		SELECT entry_id, account_id, line_item_id, entry_kind, invoice_id, amount, balance_after
			FROM po_ledger WHERE invoice_id LIKE 'new%' OR po_number = 'BRAND NEW' ORDER BY entry_id;
		SELECT account_id, line_item_id, balance FROM po_line_item ORDER BY 1, 2;
		SELECT * FROM po_check_integrity();
		ROLLBACK;});
}

# refused: errors that have to be the same, which show that limits and closed months are in force
sub refused
{
	my ($node, $db, $schema) = @_;
	my @statements = (
		q{INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month) VALUES ('lowered', 'L4', 'AWS Inc.', '2026-01', '9999-12')},
		q{INSERT INTO po_line_item (account_id, po_number, line_number, line_type, start_month, end_month, amount) VALUES ('lowered', 'L1', '3', 'all', '2026-01', '2026-12', 1)},
		q{INSERT INTO po_contact (account_id, po_number, email) VALUES ('lowered', 'L1', 'c@example.com')},
		q{INSERT INTO po_invoice (account_id, bill_from, invoice_id, line_type, billing_month, amount) VALUES ('111111111111', 'AWS Inc.', 'late', 'usage', '2025-12', 1)},
		q{INSERT INTO po_order (account_id, po_number, bill_from, effective_month, expiration_month) VALUES ('222222222222', 'X', 'Off Ltd', '2026-01', '9999-12')},
		q{DELETE FROM po_seller WHERE bill_from = 'AWS Japan'},
		q{DELETE FROM po_ledger},
		q{UPDATE po_line_item SET balance = 1});
	my ($status, $out) = $node->psql($db, "SET search_path = " . quoted($schema) . ";\n"
		  . join('', map { "$_;\n\\echo :SQLSTATE\n" } @statements), on_error_stop => 0);
	return $out =~ s/\n/ /gr;
}

# quietly: runs a program that has to end well and say nothing on standard error
sub quietly
{
	my ($node, $what, @command) = @_;
	local %ENV = (%ENV, PGHOST => $node->host, PGPORT => $node->port);
	my ($out, $err);
	my $ok = IPC::Run::run(\@command, '<', \undef, '>', \$out, '2>', \$err);
	$ok &&= $err eq '';
	ok($ok, $what) or diag($err);
	return $ok;
}

1;
