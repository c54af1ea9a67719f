-- operations.sql: the queries of doc/operations.md run: on books that are in order they say nothing
\set monitoring `awk '/^## /{s=($0=="## Monitoring"||$0=="## Archive"||$0=="## The invoice has no PO: why?")} s&&/^...sql$/{p=1;next} /^...$/{p=0} s&&p' doc/operations.md`
BEGIN;
SELECT no_plan();
CREATE TEMP TABLE statements AS
	SELECT trim(s) AS sql FROM regexp_split_to_table(:'monitoring', ';') s WHERE trim(s, E' \n') <> '';
SELECT cmp_ok((SELECT count(*) FROM statements), '>=', 8::bigint, 'statements found');
SELECT lives_ok(sql, left(sql, 60)) FROM statements;
SELECT is_empty(sql, left(sql, 60) || ': nothing') FROM statements WHERE sql ~ 'po_check_integrity|po_unassociated_invoice|po_forecast';
SELECT * FROM finish();
ROLLBACK;
