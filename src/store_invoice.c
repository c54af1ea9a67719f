/*
 * store_invoice.c
 *		Rows of po_invoice that attached tables mean, and rows by their key.
 *
 * The rows were checked and associated when their trigger fired, so they are
 * written as they are, many at once.  Users' triggers and constraints on
 * po_invoice act, but must not change or drop what was matched.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "catalog/pg_index.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/relcache.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "store_direct.h"
#include "store_spi.h"

/* the rows that are being written, and how many our trigger has seen */
static HeapTuple *writing_rows = NULL;
static int	nwriting = 0;
static int	nseen = 0;

/* ---- a row by its key ---- */

/* can every row be told by this index, also before the statement ends? */
static bool
is_key(Relation rel, Oid index_oid)
{
	Relation	index = index_open(index_oid, AccessShareLock);
	Form_pg_index form = index->rd_index;
	bool		good = form->indisunique && form->indimmediate && form->indisvalid &&
		RelationGetIndexPredicate(index) == NIL && RelationGetIndexExpressions(index) == NIL;

	for (int i = 0; good && i < form->indnkeyatts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(RelationGetDescr(rel), form->indkey.values[i] - 1);

		/* a generated column is not computed yet when the row is looked for */
		good = form->indkey.values[i] > 0 && att->attnotnull && att->attgenerated == '\0';
	}
	index_close(index, NoLock);
	return good;
}

/* the primary key's index, or that of another key; else InvalidOid */
Oid
po_row_key(Relation rel)
{
	List	   *indexes = RelationGetIndexList(rel);
	Oid			found = po_primary_key(rel);
	ListCell   *cell;

	if (OidIsValid(found) && !is_key(rel, found))
		found = InvalidOid;
	foreach(cell, indexes)
		if (!OidIsValid(found) && is_key(rel, lfirst_oid(cell)))
			found = lfirst_oid(cell);
	list_free(indexes);
	return found;
}

static void
init_key(ScanKey key, Relation index, int column, Datum value)
{
	Oid			type = index->rd_opcintype[column];
	Oid			operator = get_opfamily_member(index->rd_opfamily[column], type, type,
											   BTEqualStrategyNumber);

	ScanKeyEntryInitialize(key, 0, column + 1, BTEqualStrategyNumber, type,
						   index->rd_indcollation[column], get_opcode(operator), value);
}

/* with SnapshotSelf: a row that the running statement has just inserted is seen */
HeapTuple
po_fetch_row(Relation rel, HeapTuple tuple)
{
	Relation	index = index_open(po_row_key(rel), AccessShareLock);
	int			nkeys = index->rd_index->indnkeyatts;
	ScanKeyData keys[INDEX_MAX_KEYS];
	TupleTableSlot *slot = table_slot_create(rel, NULL);
	IndexScanDesc scan = po_index_beginscan(rel, index, SnapshotSelf, nkeys);
	HeapTuple	found = NULL;

	for (int i = 0; i < nkeys; i++)
	{
		bool		isnull;
		Datum		value = heap_getattr(tuple, index->rd_index->indkey.values[i],
										 RelationGetDescr(rel), &isnull);

		init_key(&keys[i], index, i, value);
	}
	index_rescan(scan, keys, nkeys, NULL, 0);
	if (index_getnext_slot(scan, ForwardScanDirection, slot))
		found = ExecCopySlotHeapTuple(slot);
	index_endscan(scan);
	ExecDropSingleTupleTableSlot(slot);
	index_close(index, NoLock);
	return found;
}

/* ---- writing ---- */

/*
 * Updates an invoice's columns, as anybody would do: the table's triggers book
 * it.  key is of the row in the attached table; the arrays have all columns.
 */
void
po_change_invoice(Oid schema, const Datum *key, const Datum *values, const bool *nulls,
				  const bool *changed)
{
	Relation	rel = table_open(po_table_oid(schema, PO_INVOICE), RowExclusiveLock);
	const char *prefix = quote_identifier(get_namespace_name(schema));
	Oid			types[Anum_invoice_recorded_at + 3] = {TEXTOID, TEXTOID, TEXTOID};
	Datum		args[Anum_invoice_recorded_at + 3] = {key[0], key[1], key[2]};
	char		arg_nulls[Anum_invoice_recorded_at + 4] = "   ";
	int			nargs = 3;
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "UPDATE %s.po_invoice v SET ", prefix);
	for (int i = 0; i < Anum_invoice_recorded_at; i++)
	{
		Form_pg_attribute att = TupleDescAttr(RelationGetDescr(rel), i);

		if (!changed[i])
			continue;
		types[nargs] = att->atttypid;
		args[nargs] = values[i];
		arg_nulls[nargs++] = nulls[i] ? 'n' : ' ';
		appendStringInfo(&sql, "%s%s = $%d", nargs > 4 ? ", " : "",
						 quote_identifier(NameStr(att->attname)), nargs);
	}
	table_close(rel, NoLock);
	appendStringInfo(&sql, " WHERE v.account_id OPERATOR(pg_catalog.=) ANY (ARRAY[$1,"
					 " (SELECT m.account_id FROM %s.po_account_member m"
					 " WHERE m.member_account_id OPERATOR(pg_catalog.=) $1)])"
					 " AND COALESCE(v.member_account_id, v.account_id) OPERATOR(pg_catalog.=) $1"
					 " AND v.bill_from OPERATOR(pg_catalog.=) $2"
					 " AND v.invoice_id OPERATOR(pg_catalog.=) $3", prefix);
	SPI_connect();
	po_execute_text(sql.data, nargs, types, args, arg_nulls, false);
	SPI_finish();
}

void
po_check_next_invoice(HeapTuple row, TupleDesc desc)
{
	po_check_written(nseen < nwriting &&
					 po_invoice_difference(writing_rows[nseen], row, desc) == 0,
					 "po_invoice");
	nseen++;
}

/* the index says that the invoice is there; say what that means here */
PO_NORETURN static void
report_clash(ErrorData *error)
{
	FlushErrorState();
	ereport(ERROR,
			(errcode(ERRCODE_UNIQUE_VIOLATION),
			 errmsg("an invoice with this number is in po_invoice already"),
			 error->detail != NULL ? errdetail_internal("%s", error->detail) : 0,
			 errhint("It came from another row or table, or was inserted into po_invoice itself. Account, seller and invoice number tell an invoice: map them so that they do over all tables.")));
}

typedef struct Rows
{
	TupleDesc	desc;
	HeapTuple  *rows;
} Rows;

static void
fill_row(Datum *values, bool *nulls, int n, void *arg)
{
	const Rows *list = arg;

	heap_deform_tuple(list->rows[n], list->desc, values, nulls);
}

static void
insert_by_statement(Oid schema, Relation rel, HeapTuple *rows, int nrows)
{
	Datum	   *values = palloc(nrows * sizeof(Datum));
	Datum		arg;
	uint64		nwritten;

	for (int i = 0; i < nrows; i++)
		values[i] = heap_copy_tuple_as_datum(rows[i], RelationGetDescr(rel));
	arg = po_array_datum(values, NULL, nrows, rel->rd_rel->reltype);
	nwritten = execute(schema, PO_WRITE_INVOICES, &arg, NULL);
	po_check_written(nwritten == (uint64) nrows && nseen == nrows, "po_invoice");
	SPI_finish();
}

static void
write_rows(Oid schema, Relation rel, HeapTuple *rows, int nrows)
{
	MemoryContext caller = CurrentMemoryContext;
	Rows		list = {RelationGetDescr(rel), rows};

	PG_TRY();
	{
		if (!po_insert_rows(rel, Anum_invoice_recorded_at, nrows, fill_row, &list))
			insert_by_statement(schema, rel, rows, nrows);
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(caller);
		error = CopyErrorData();
		if (error->sqlerrcode == ERRCODE_UNIQUE_VIOLATION && error->constraint_name != NULL &&
			strcmp(error->constraint_name, "po_invoice_pkey") == 0)
			report_clash(error);
		PG_RE_THROW();
	}
	PG_END_TRY();
}

/* rows without an association are written, too; in their order */
void
po_write_invoices(Oid schema, HeapTuple *rows, int nrows)
{
	Relation	rel = table_open(po_table_oid(schema, PO_INVOICE), RowExclusiveLock);
	HeapTuple  *outer_rows = writing_rows;
	int			outer_nwriting = nwriting;
	int			outer_nseen = nseen;

	PG_TRY();
	{
		writing_rows = rows;
		nwriting = nrows;
		nseen = 0;
		write_rows(schema, rel, rows, nrows);
	}
	PG_FINALLY();
	{
		writing_rows = outer_rows;
		nwriting = outer_nwriting;
		nseen = outer_nseen;
	}
	PG_END_TRY();
	table_close(rel, NoLock);
}
