/*
 * attach.c
 *		The SQL functions that attach a table of invoices, and detach it.
 *
 * What attaches a table is its triggers, whose argument is the mapping: it is
 * dumped and restored with the table, after the table's rows.
 */
#include "postgres.h"

#include "access/table.h"
#include "catalog/pg_class.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"

#include "attached.h"
#include "mapping.h"

/* by the function of its trigger, for the name is ours on po_mgmt's tables, too */
static bool
is_attached(Relation rel, Oid schema)
{
	/* what rel has of triggers may be made anew whenever the catalog is asked */
	for (int i = 0; rel->trigdesc != NULL && i < rel->trigdesc->numtriggers; i++)
	{
		const Trigger *trigger = &rel->trigdesc->triggers[i];
		Oid			function = trigger->tgfoid;

		if (strcmp(trigger->tgname, PO_BEFORE_NAME) == 0 &&
			get_func_namespace(function) == schema &&
			strcmp(get_func_name(function), "po_attached_trigger") == 0)
			return true;
	}
	return false;
}

static void
check_table(Relation rel, Oid schema)
{
	if (rel->rd_rel->relkind != RELKIND_RELATION &&
		rel->rd_rel->relkind != RELKIND_PARTITIONED_TABLE)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is not a table", RelationGetRelationName(rel)),
				 errhint("Attach a table, partitioned or not.")));
	if (rel->rd_rel->relispartition)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is a partition", RelationGetRelationName(rel)),
				 errhint("Attach the partitioned table, and with it all of its partitions.")));
	if (po_is_own_table(RelationGetRelid(rel)) ||
		(po_is_distributed(schema) && po_which_table(schema, rel) != PO_NTABLES))
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is a table of po_mgmt itself", RelationGetRelationName(rel)),
				 errhint("Attach a table of yours; po_invoice needs no attaching.")));
	if (po_is_distributed(schema))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("tables cannot be attached where po_invoice is distributed"),
				 errdetail("A row of \"%s\" may be on another server than its account.",
						   RelationGetRelationName(rel)),
				 errhint("Insert the invoices into po_invoice.")));
	if (is_attached(rel, schema))
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("table \"%s\" is attached already", RelationGetRelationName(rel)),
				 errhint("To change its mapping, po_detach() it first.")));
	if (!OidIsValid(po_row_key(rel)))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TABLE_DEFINITION),
				 errmsg("table \"%s\" has no primary key", RelationGetRelationName(rel)),
				 errdetail("Its rows cannot be told from each other."),
				 errhint("Give it one, or a unique index without a condition on columns that are not null.")));
	if (rel->rd_rel->relpersistence != RELPERSISTENCE_PERMANENT)
		ereport(ERROR,
				(errcode(ERRCODE_WRONG_OBJECT_TYPE),
				 errmsg("\"%s\" is temporary or unlogged", RelationGetRelationName(rel)),
				 errdetail("Its rows may be gone when their invoices are not."),
				 errhint("Attach a table that lasts.")));
}

/* ---- no two tables with the same invoice ---- */

static char *
key_sql(const PoMapping *mapping, Oid schema, const char *alias)
{
	char	   *bill_from = po_mapping_sql(mapping, Anum_invoice_bill_from, alias);

	return psprintf("(%s, COALESCE((SELECT n.bill_from FROM %s.po_seller_alias n"
					" WHERE n.alias OPERATOR(pg_catalog.=) %s), %s), %s)",
					po_mapping_sql(mapping, Anum_invoice_account_id, alias),
					quote_identifier(get_namespace_name(schema)), bill_from, bill_from,
					po_mapping_sql(mapping, Anum_invoice_invoice_id, alias));
}

/*
 * The books could not tell whose it is.  What comes later is found by the key
 * of po_invoice; what is there already, here, as far as the caller may see it.
 */
static void
check_clash(Relation rel, const PoMapping *mapping, Oid other_id, const char *other_text,
			Oid schema, TupleDesc invoice)
{
	Relation	other = table_open(other_id, AccessShareLock);
	PoMapping  *other_mapping = po_attached_mapping(other_text, other, invoice);

	SPI_connect();
	if (pg_class_aclcheck(other_id, GetUserId(), ACL_SELECT) == ACLCHECK_OK &&
		SPI_execute(psprintf("SELECT %s FROM %s a JOIN %s b ON %s OPERATOR(pg_catalog.=) %s",
							 po_mapping_sql(mapping, Anum_invoice_invoice_id, "a"),
							 po_table_name(rel), po_table_name(other),
							 key_sql(mapping, schema, "a"), key_sql(other_mapping, schema, "b")),
					true, 1) == SPI_OK_SELECT &&
		SPI_processed > 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNIQUE_VIOLATION),
				 errmsg("invoice \"%s\" is in \"%s\" and in \"%s\"",
						SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1),
						RelationGetRelationName(rel), RelationGetRelationName(other)),
				 errdetail("Account, seller and invoice number tell an invoice over all attached tables."),
				 errhint("Map them so that they do, such as the seller to a constant for each table.")));
	SPI_finish();
	table_close(other, NoLock);
}

static void
check_clashes(Relation rel, const PoMapping *mapping, Oid schema, TupleDesc invoice)
{
	int			n;
	PoAttached *attached = po_read_attached(schema, &n);

	for (int i = 0; i < n; i++)
		check_clash(rel, mapping, attached[i].relid, attached[i].mapping, schema, invoice);
}

/* ---- triggers ---- */

/* as the caller: CREATE TRIGGER wants rights on the table and on the function */
static void
run(const char *sql)
{
	SPI_connect();
	if (SPI_execute(sql, false, 0) < 0)
		elog(ERROR, "\"%s\" failed", sql);
	SPI_finish();
}

static void
create_trigger(Relation rel, Oid schema, const char *name, const char *when,
			   const char *argument)
{
	run(psprintf("CREATE TRIGGER %s %s EXECUTE FUNCTION %s.po_attached_trigger(%s)",
				 quote_identifier(name), psprintf(when, po_table_name(rel)),
				 quote_identifier(get_namespace_name(schema)), argument));
}

PG_FUNCTION_INFO_V1(po_attach);
Datum
po_attach(PG_FUNCTION_ARGS)
{
	Oid			schema = get_func_namespace(fcinfo->flinfo->fn_oid);
	Jsonb	   *columns = PG_GETARG_JSONB_P(1);
	char	   *text = JsonbToCString(NULL, &columns->root, VARSIZE(columns));
	char	   *argument = quote_literal_cstr(text);
	Relation	rel = po_open_own_table(PG_GETARG_OID(0), ShareRowExclusiveLock);
	Relation	invoice = table_open(po_table_oid(schema, PO_INVOICE), AccessShareLock);

	check_table(rel, schema);
	check_clashes(rel, po_mapping_make(text, rel, RelationGetDescr(invoice)), schema,
				  RelationGetDescr(invoice));
	create_trigger(rel, schema, PO_BEFORE_NAME,
				   "BEFORE INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW", argument);
	create_trigger(rel, schema, PO_AFTER_NAME,
				   "AFTER INSERT OR UPDATE OR DELETE ON %s FOR EACH ROW", argument);
	create_trigger(rel, schema, PO_TRUNCATE_NAME, "BEFORE TRUNCATE ON %s", argument);
	table_close(invoice, NoLock);
	table_close(rel, NoLock);
	PG_RETURN_VOID();
}

PG_FUNCTION_INFO_V1(po_detach);
Datum
po_detach(PG_FUNCTION_ARGS)
{
	static const char *const names[] = {PO_BEFORE_NAME, PO_AFTER_NAME, PO_TRUNCATE_NAME};
	Oid			schema = get_func_namespace(fcinfo->flinfo->fn_oid);
	Relation	rel = po_open_own_table(PG_GETARG_OID(0), ShareRowExclusiveLock);

	if (!is_attached(rel, schema) || rel->rd_rel->relispartition)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("table \"%s\" is not attached", RelationGetRelationName(rel)),
				 errhint("po_attachment has the tables that are.")));
	for (size_t i = 0; i < lengthof(names); i++)
		run(psprintf("DROP TRIGGER IF EXISTS %s ON %s", quote_identifier(names[i]),
					 po_table_name(rel)));
	table_close(rel, NoLock);
	PG_RETURN_VOID();
}
