/*
 * store_read.c
 *		Reads what a match needs of the tables.
 *
 * Two ways, one interface.  A table is read by direct index scans where these
 * see provably what a query would see: a plain table, SELECT granted on all of
 * it, no row security for this user, our own index usable.  Otherwise by SPI,
 * which also raises the errors that a query would raise.  The measured
 * difference is in bench/README.md.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "store.h"

#define MAX_KEYS 5

typedef enum PoPath
{
	PATH_UNKNOWN,
	PATH_DIRECT,
	PATH_SPI
} PoPath;

/* one table, its index, and a scan that is used again and again */
typedef struct TableScan
{
	PoPath		path;
	Relation	heap;
	Relation	index;
	IndexScanDesc scan;
	TupleTableSlot *slot;
	int			nkeys;			/* of the scan */
	ScanKeyData keys[MAX_KEYS];
} TableScan;

/* the line items of a level: orders are probed one by one, or read at once */
typedef struct LineItemScan
{
	text	   *account_id;
	const PoOrder *orders;
	int			norders;
	PoLineType *line_type;
	PoMonth		month;
	int			order;			/* direct: the order being probed */
	bool		probing;
	PoLineItem *items;			/* SPI: all that was read */
	int		   *places;
	uint64		nitems;
	uint64		next;
} LineItemScan;

struct PoReader
{
	Oid			schema;
	bool		as_owner;
	Snapshot	snapshot;
	TableScan	tables[PO_NTABLES];
	LineItemScan line_items;
};

/* how a table's index is searched: a column and a strategy for each key */
typedef struct IndexShape
{
	const char *name;
	int			nkeys;
	AttrNumber	columns[MAX_KEYS];
	StrategyNumber strategies[MAX_KEYS];
} IndexShape;

static const IndexShape shapes[PO_NTABLES] = {
	[PO_ACCOUNT] = {"po_account_pkey", 1,
		{Anum_account_account_id},
		{BTEqualStrategyNumber}},
	[PO_ORDER] = {"po_order_match", 3,
		{Anum_order_account_id, Anum_order_bill_from, Anum_order_expiration_month},
		{BTEqualStrategyNumber, BTEqualStrategyNumber, BTGreaterEqualStrategyNumber}},
	[PO_LINE_ITEM] = {"po_line_item_match", 5,
		{Anum_line_item_account_id, Anum_line_item_po_number,
		 Anum_line_item_line_type, Anum_line_item_start_month, Anum_line_item_end_month},
		{BTEqualStrategyNumber, BTEqualStrategyNumber, BTEqualStrategyNumber,
		 BTLessEqualStrategyNumber, BTGreaterEqualStrategyNumber}},
	[PO_SELLER_ALIAS] = {"po_seller_alias_pkey", 1,
		{Anum_alias_alias},
		{BTEqualStrategyNumber}},
	[PO_TAXONOMY] = {"po_taxonomy_pkey", 1,
		{Anum_taxonomy_line_type},
		{BTEqualStrategyNumber}},
};

PoReader *
po_reader_open(Oid schema, bool as_owner)
{
	PoReader   *reader = palloc0(sizeof(PoReader));

	reader->schema = schema;
	reader->as_owner = as_owner;
	reader->snapshot = GetActiveSnapshot();
	return reader;
}

void
po_reader_close(PoReader *reader)
{
	for (int i = 0; i < PO_NTABLES; i++)
	{
		TableScan  *table = &reader->tables[i];

		if (table->scan != NULL)
			index_endscan(table->scan);
		if (table->slot != NULL)
			ExecDropSingleTupleTableSlot(table->slot);
		if (table->index != NULL)
			index_close(table->index, NoLock);
		if (table->heap != NULL)
			table_close(table->heap, NoLock);
	}
	pfree(reader);
}

/* ---- direct index scans ---- */

/* would a query on the table see what an index scan sees? */
static bool
table_allows_direct(PoReader *reader, Relation heap)
{
	Oid			oid = RelationGetRelid(heap);

	if (heap->rd_rel->relkind != RELKIND_RELATION ||
		heap->rd_rel->relhassubclass)
		return false;
	if (reader->as_owner)
		return true;
	return pg_class_aclcheck(oid, GetUserId(), ACL_SELECT) == ACLCHECK_OK &&
		check_enable_rls(oid, InvalidOid, true) != RLS_ENABLED;
}

/* is the index the one that we made, and may this snapshot use it? */
static bool
index_allows_direct(const IndexShape *shape, Relation heap, Relation index)
{
	Form_pg_index form = index->rd_index;

	if (form->indrelid != RelationGetRelid(heap) || !form->indisvalid ||
		form->indnkeyatts < shape->nkeys ||
		RelationGetIndexPredicate(index) != NIL)
		return false;
	if (form->indcheckxmin &&
		!TransactionIdPrecedes(HeapTupleHeaderGetXmin(index->rd_indextuple->t_data),
							   TransactionXmin))
		return false;
	for (int i = 0; i < shape->nkeys; i++)
		if (form->indkey.values[i] != shape->columns[i])
			return false;
	return true;
}

static void
init_keys(TableScan *table, const IndexShape *shape)
{
	Relation	index = table->index;

	for (int i = 0; i < shape->nkeys; i++)
	{
		Oid			type = index->rd_opcintype[i];
		Oid			operator = get_opfamily_member(index->rd_opfamily[i],
												   type, type,
												   shape->strategies[i]);

		ScanKeyEntryInitialize(&table->keys[i], 0, i + 1,
							   shape->strategies[i], type,
							   index->rd_indcollation[i],
							   get_opcode(operator), (Datum) 0);
	}
}

/* opens the table at its first use; says whether it is read directly */
static bool
is_direct(PoReader *reader, PoTable which)
{
	TableScan  *table = &reader->tables[which];
	const IndexShape *shape = &shapes[which];
	Oid			index_oid;

	if (table->path != PATH_UNKNOWN)
		return table->path == PATH_DIRECT;
	table->path = PATH_SPI;
	table->heap = table_open(po_table_oid(reader->schema, which),
							 AccessShareLock);
	if (!table_allows_direct(reader, table->heap))
		return false;
	index_oid = get_relname_relid(shape->name, reader->schema);
	if (!OidIsValid(index_oid) || get_rel_relkind(index_oid) != RELKIND_INDEX)
		return false;
	table->index = index_open(index_oid, AccessShareLock);
	if (!index_allows_direct(shape, table->heap, table->index))
		return false;
	init_keys(table, shape);
	table->slot = table_slot_create(table->heap, NULL);
	table->path = PATH_DIRECT;
	return true;
}

/* starts the scan with these values for its first nkeys keys */
static void
start_scan(PoReader *reader, PoTable which, const Datum *values, int nkeys)
{
	TableScan  *table = &reader->tables[which];

	for (int i = 0; i < nkeys; i++)
		table->keys[i].sk_argument = values[i];
	if (table->scan != NULL && table->nkeys != nkeys)
	{
		index_endscan(table->scan);
		table->scan = NULL;
	}
	if (table->scan == NULL)
		table->scan = po_index_beginscan(table->heap, table->index,
										 reader->snapshot, nkeys);
	table->nkeys = nkeys;
	index_rescan(table->scan, table->keys, nkeys, NULL, 0);
}

/* the next row's values in the order of attributes; false at the end */
static bool
next_row(PoReader *reader, PoTable which, const AttrNumber *attributes,
		 int nattributes, Datum *values, bool *nulls)
{
	TableScan  *table = &reader->tables[which];

	CHECK_FOR_INTERRUPTS();
	if (!index_getnext_slot(table->scan, ForwardScanDirection, table->slot))
		return false;
	slot_getallattrs(table->slot);
	for (int i = 0; i < nattributes; i++)
	{
		values[i] = table->slot->tts_values[attributes[i] - 1];
		nulls[i] = table->slot->tts_isnull[attributes[i] - 1];
	}
	return true;
}

/* ---- SPI ---- */

static void
spi_row(uint64 row, int ncolumns, Datum *values, bool *nulls)
{
	for (int i = 0; i < ncolumns; i++)
		values[i] = SPI_getbinval(SPI_tuptable->vals[row],
								  SPI_tuptable->tupdesc, i + 1, &nulls[i]);
}

/*
 * Connects and runs a statement in the caller's memory context.  The rows
 * live until SPI_finish(), which is the caller's to call.
 */
static uint64
spi_query(Oid schema, PoStatement statement, const Datum *args)
{
	MemoryContext caller = CurrentMemoryContext;
	uint64		nrows;

	SPI_connect();
	nrows = po_execute(schema, statement, args, NULL, true);
	MemoryContextSwitchTo(caller);
	return nrows;
}

static bool
spi_one_row(Oid schema, PoStatement statement, const Datum *args,
			int ncolumns, Datum *values, bool *nulls)
{
	if (spi_query(schema, statement, args) == 0)
		return false;
	spi_row(0, ncolumns, values, nulls);
	return true;
}

/* ---- single rows ---- */

/* the row of a table with a key of one column, directly or by SPI */
static bool
read_by_key(PoReader *reader, PoTable which, PoStatement statement, Datum key,
			const AttrNumber *attributes, int nattributes,
			Datum *values, bool *nulls)
{
	if (!is_direct(reader, which))
		return spi_one_row(reader->schema, statement, &key, nattributes,
						   values, nulls);
	start_scan(reader, which, &key, 1);
	return next_row(reader, which, attributes, nattributes, values, nulls);
}

static void
read_by_key_end(PoReader *reader, PoTable which)
{
	if (reader->tables[which].path == PATH_SPI)
		SPI_finish();
	else
		ExecClearTuple(reader->tables[which].slot);
}

bool
po_read_account(PoReader *reader, text *account_id, PoAccount *account)
{
	Datum		values[PO_ACCOUNT_NCOLUMNS];
	bool		nulls[PO_ACCOUNT_NCOLUMNS];
	bool		found = read_by_key(reader, PO_ACCOUNT, PO_READ_ACCOUNT,
									PointerGetDatum(account_id),
									po_account_attributes,
									PO_ACCOUNT_NCOLUMNS, values, nulls);

	if (found)
		po_account_from(account, values, nulls);
	read_by_key_end(reader, PO_ACCOUNT);
	return found;
}

/* the seller that this is another name of, or NULL */
text *
po_read_alias(PoReader *reader, text *alias)
{
	static const AttrNumber attributes[] = {
		Anum_alias_bill_from, Anum_alias_enabled
	};
	Datum		values[lengthof(attributes)];
	bool		nulls[lengthof(attributes)];
	text	   *seller = NULL;

	if (read_by_key(reader, PO_SELLER_ALIAS, PO_READ_ALIAS,
					PointerGetDatum(alias), attributes, lengthof(attributes),
					values, nulls) && DatumGetBool(values[1]))
		seller = DatumGetTextPCopy(values[0]);
	read_by_key_end(reader, PO_SELLER_ALIAS);
	return seller;
}

/* what the taxonomy itself says of a type, without its ancestors */
PoTristate
po_read_out_of_cycle_only(PoReader *reader, const char *path, int len)
{
	static const AttrNumber attribute = Anum_taxonomy_out_of_cycle_only;
	text	   *line_type = cstring_to_text_with_len(path, len);
	PoTristate	result = PO_UNKNOWN;
	Datum		value;
	bool		isnull;

	if (read_by_key(reader, PO_TAXONOMY, PO_READ_TAXONOMY,
					PointerGetDatum(line_type), &attribute, 1,
					&value, &isnull) && !isnull)
		result = DatumGetBool(value) ? PO_YES : PO_NO;
	read_by_key_end(reader, PO_TAXONOMY);
	return result;
}

bool
po_read_line_item(Oid schema, text *account_id, int64 line_item_id,
				  PoLineItem *item)
{
	Datum		args[] = {PointerGetDatum(account_id), Int64GetDatum(line_item_id)};
	Datum		values[PO_LINE_ITEM_NCOLUMNS];
	bool		nulls[PO_LINE_ITEM_NCOLUMNS];
	bool		found = spi_one_row(schema, PO_READ_LINE_ITEM, args,
									PO_LINE_ITEM_NCOLUMNS, values, nulls);

	if (found)
		po_line_item_from(item, values, nulls);
	SPI_finish();
	return found;
}

bool
po_read_order(Oid schema, text *account_id, text *po_number, PoOrder *order)
{
	Datum		args[] = {PointerGetDatum(account_id), PointerGetDatum(po_number)};
	Datum		values[PO_ORDER_NCOLUMNS];
	bool		nulls[PO_ORDER_NCOLUMNS];
	bool		found = spi_one_row(schema, PO_READ_ORDER, args,
									PO_ORDER_NCOLUMNS, values, nulls);

	if (found)
		po_order_from(order, values, nulls);
	SPI_finish();
	return found;
}

bool
po_read_invoice(Oid schema, text *account_id, text *bill_from,
				text *invoice_id, PoInvoice *invoice)
{
	Datum		args[] = {
		PointerGetDatum(account_id), PointerGetDatum(bill_from),
		PointerGetDatum(invoice_id)
	};
	Datum		values[PO_INVOICE_NCOLUMNS];
	bool		nulls[PO_INVOICE_NCOLUMNS];
	bool		found = spi_one_row(schema, PO_READ_INVOICE, args,
									PO_INVOICE_NCOLUMNS, values, nulls);

	if (found)
		po_invoice_from(invoice, values, nulls);
	SPI_finish();
	return found;
}

/* ---- orders ---- */

typedef struct OrderList
{
	PoOrder    *orders;
	int			norders;
	int			space;
} OrderList;

static void
add_order(OrderList *list, const Datum *values, const bool *nulls)
{
	if (list->norders == list->space)
	{
		list->space = Max(16, list->space * 2);
		list->orders = list->orders == NULL ?
			palloc(list->space * sizeof(PoOrder)) :
			repalloc(list->orders, list->space * sizeof(PoOrder));
	}
	po_order_from(&list->orders[list->norders++], values, nulls);
}

PoOrder *
po_read_orders(PoReader *reader, text *account_id, text *bill_from,
			   PoMonth month, int *norders)
{
	OrderList	list = {NULL, 0, 0};
	Datum		args[] = {
		PointerGetDatum(account_id), PointerGetDatum(bill_from),
		PoMonthGetDatum(month)
	};
	Datum		values[PO_ORDER_NCOLUMNS];
	bool		nulls[PO_ORDER_NCOLUMNS];

	if (is_direct(reader, PO_ORDER))
	{
		start_scan(reader, PO_ORDER, args, bill_from == NULL ? 1 : 3);
		while (next_row(reader, PO_ORDER, po_order_attributes,
						PO_ORDER_NCOLUMNS, values, nulls))
			add_order(&list, values, nulls);
	}
	else
	{
		uint64		nrows = spi_query(reader->schema,
									  bill_from == NULL ? PO_READ_ALL_ORDERS : PO_READ_ORDERS,
									  args);

		for (uint64 row = 0; row < nrows; row++)
		{
			spi_row(row, PO_ORDER_NCOLUMNS, values, nulls);
			add_order(&list, values, nulls);
		}
		SPI_finish();
	}
	*norders = list.norders;
	return list.orders;
}

/* ---- line items ---- */

static void
read_all_line_items(PoReader *reader)
{
	LineItemScan *scan = &reader->line_items;
	Datum	   *numbers = palloc(scan->norders * sizeof(Datum));
	Datum		args[4];
	uint64		nrows;

	for (int i = 0; i < scan->norders; i++)
		numbers[i] = PointerGetDatum(scan->orders[i].po_number);
	args[0] = PointerGetDatum(scan->account_id);
	args[1] = PointerGetDatum(construct_array_builtin(numbers, scan->norders, TEXTOID));
	args[2] = PointerGetDatum(scan->line_type);
	args[3] = PoMonthGetDatum(scan->month);

	nrows = spi_query(reader->schema,
					  scan->line_type == NULL ? PO_READ_ALL_LINE_ITEMS : PO_READ_LEVEL,
					  args);
	scan->items = MemoryContextAllocHuge(CurrentMemoryContext,
										 Max(nrows, 1) * sizeof(PoLineItem));
	scan->places = MemoryContextAllocHuge(CurrentMemoryContext,
										  Max(nrows, 1) * sizeof(int));
	for (uint64 row = 0; row < nrows; row++)
	{
		Datum		values[PO_LINE_ITEM_NCOLUMNS + 1];
		bool		nulls[PO_LINE_ITEM_NCOLUMNS + 1];

		spi_row(row, PO_LINE_ITEM_NCOLUMNS + 1, values, nulls);
		po_line_item_from(&scan->items[row], values, nulls);
		scan->places[row] = DatumGetInt64(values[PO_LINE_ITEM_NCOLUMNS]) - 1;
	}
	scan->nitems = nrows;
	SPI_finish();
}

void
po_line_items_begin(PoReader *reader, text *account_id, const PoOrder *orders,
					int norders, PoLineType *line_type, PoMonth month)
{
	LineItemScan *scan = &reader->line_items;

	memset(scan, 0, sizeof(*scan));
	scan->account_id = account_id;
	scan->orders = orders;
	scan->norders = norders;
	scan->line_type = line_type;
	scan->month = month;
	if (!is_direct(reader, PO_LINE_ITEM))
		read_all_line_items(reader);
}

static void
probe_order(PoReader *reader, LineItemScan *scan)
{
	Datum		args[MAX_KEYS];

	args[0] = PointerGetDatum(scan->account_id);
	args[1] = PointerGetDatum(scan->orders[scan->order].po_number);
	args[2] = PointerGetDatum(scan->line_type);
	args[3] = args[4] = PoMonthGetDatum(scan->month);
	start_scan(reader, PO_LINE_ITEM, args, scan->line_type == NULL ? 2 : 5);
	scan->probing = true;
}

bool
po_line_items_next(PoReader *reader, PoLineItem *item, int *order)
{
	LineItemScan *scan = &reader->line_items;
	Datum		values[PO_LINE_ITEM_NCOLUMNS];
	bool		nulls[PO_LINE_ITEM_NCOLUMNS];

	if (reader->tables[PO_LINE_ITEM].path == PATH_SPI)
	{
		if (scan->next == scan->nitems)
			return false;
		*item = scan->items[scan->next];
		*order = scan->places[scan->next++];
		return true;
	}
	for (; scan->order < scan->norders; scan->order++)
	{
		if (!scan->probing)
			probe_order(reader, scan);
		if (next_row(reader, PO_LINE_ITEM, po_line_item_attributes,
					 PO_LINE_ITEM_NCOLUMNS, values, nulls))
		{
			po_line_item_from(item, values, nulls);
			*order = scan->order;
			return true;
		}
		scan->probing = false;
	}
	return false;
}

/* ---- an invoice of the running statement ---- */

/*
 * Reads the trigger's own relation, by its primary key, with SnapshotSelf:
 * a row that the running statement has just inserted is seen.
 */
HeapTuple
po_fetch_invoice(Relation rel, HeapTuple tuple)
{
	static const IndexShape shape = {
		"", 3,
		{Anum_invoice_account_id, Anum_invoice_bill_from, Anum_invoice_invoice_id},
		{BTEqualStrategyNumber, BTEqualStrategyNumber, BTEqualStrategyNumber}
	};
	TableScan	table = {0};
	HeapTuple	found = NULL;

	table.index = index_open(po_primary_key(rel), AccessShareLock);
	init_keys(&table, &shape);
	for (int i = 0; i < shape.nkeys; i++)
	{
		bool		isnull;

		table.keys[i].sk_argument = heap_getattr(tuple, shape.columns[i],
												 RelationGetDescr(rel), &isnull);
	}
	table.slot = table_slot_create(rel, NULL);
	table.scan = po_index_beginscan(rel, table.index, SnapshotSelf, shape.nkeys);
	index_rescan(table.scan, table.keys, shape.nkeys, NULL, 0);
	if (index_getnext_slot(table.scan, ForwardScanDirection, table.slot))
		found = ExecCopySlotHeapTuple(table.slot);
	index_endscan(table.scan);
	ExecDropSingleTupleTableSlot(table.slot);
	index_close(table.index, NoLock);
	return found;
}
