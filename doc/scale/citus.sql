-- citus.sql: distributes the tables of po_mgmt over the servers of a Citus cluster, by account.
--
--   psql -d DATABASE -f citus.sql
--
-- Once, on the coordinator, as the owner of the tables, right after CREATE EXTENSION po_mgmt; with
-- citus.enable_unsafe_triggers on all servers. See "Several servers: Citus" in ../scale.md.

\set ON_ERROR_STOP on

-- one server has each shard; what is booked there is written nowhere else
SET citus.shard_replication_factor = 1;
-- else Citus would make the tables anew that refer to these, which an extension's tables cannot be
SET citus.enable_local_reference_table_foreign_keys = off;

-- on every server: what all accounts share
SELECT create_reference_table('po_seller');
SELECT create_reference_table('po_seller_alias');
SELECT create_reference_table('po_taxonomy');
SELECT create_reference_table('po_seller_line_type');

-- by account, all shards of an account on one server; tables that others refer to come first
SELECT create_distributed_table('po_account', 'account_id', colocate_with => 'none');
SELECT create_distributed_table('po_order', 'account_id', colocate_with => 'po_account');
SELECT create_distributed_table('po_line_item', 'account_id', colocate_with => 'po_account');
SELECT create_distributed_table('po_contact', 'account_id', colocate_with => 'po_account');
SELECT create_distributed_table('po_invoice', 'account_id', colocate_with => 'po_account');
SELECT create_distributed_table('po_ledger', 'account_id', colocate_with => 'po_account');
SELECT create_distributed_table('po_change_log', 'account_id', colocate_with => 'po_account');
SELECT create_distributed_table('po_notification', 'account_id', colocate_with => 'po_account');
SELECT create_distributed_table('po_ledger_archive', 'account_id', colocate_with => 'po_account');
SELECT create_distributed_table('po_change_log_archive', 'account_id', colocate_with => 'po_account');

-- A shard's rows are of a type of their own: views that hand a row to a function have to make it one of the table's.
DO $$
DECLARE
	v regclass;
BEGIN
	FOREACH v IN ARRAY '{po_dashboard,po_line_item_status}'::regclass[]
	LOOP
		EXECUTE format('CREATE OR REPLACE VIEW %s WITH (security_invoker = true) AS %s', v,
			replace(pg_get_viewdef(v), 'po_status(o.*,', 'po_status(ROW(o.*)::po_order,'));
	END LOOP;
END $$;
