/*
 * store_read.c
 *		Reads what a match needs of the tables.
 *
 * Three ways, one interface.  A table is read by direct index scans where
 * these see provably what a query would see (store_scan.c): a plain table,
 * SELECT granted on all of it, no row security for this user, our own index
 * usable.  Otherwise by SPI, which also raises the errors that a query would
 * raise.  And what a direct scan would see may be in memory (store_cache.c).
 * The measured differences are in bench/README.md.
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "store_cache.h"
#include "store_spi.h"

/* the orders of an account: one by one, or in memory, or by SPI all at once */
typedef struct OrderScan
{
	PoOrder		order;			/* direct: the last one */
	const PoOrder *orders;		/* memory, SPI: all of them */
	int			norders;
	int			next;
	text	   *bill_from;		/* memory: what is looked for, or NULL */
	PoMonth		month;
} OrderScan;

/* line items of an order; SPI reads those of all orders at once */
typedef struct LineItemScan
{
	const PoLineItem *kept;		/* memory: of this order, or NULL */
	const PoLineItem *kept_end;
	text	   *po_number;		/* of the order that was asked for */
	PoLineItem	item;			/* direct: the last one */
	const PoOrder *orders;		/* SPI: of which all line items */
	int			norders;
	PoLineType *line_type;		/* of this type */
	PoMonth		month;			/* and this month */
	PoLineItem *items;			/* are these, order by order */
	int		   *places;
	uint64		nitems;
	uint64		next;
	int			place;			/* of the order that was asked for */
} LineItemScan;

struct PoReader
{
	Oid			schema;
	bool		as_owner;
	Snapshot	snapshot;
	PoPolicies *policies;		/* or NULL */
	PoScan		scans[PO_NINDEXES];
	const PoConfiguration *kept;	/* of the account that was read, or NULL */
	bool		is_held;		/* by the cache, for us */
	OrderScan	orders;
	LineItemScan line_items;
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

const PoConfiguration *
po_read_whole(Oid schema, const PoAccount *account, PoArena *arena)
{
	PoConfiguration *configuration = po_arena_alloc(arena, sizeof(PoConfiguration));

	return po_configuration_read(schema, GetActiveSnapshot(), true, account, arena,
								 configuration) ? configuration : NULL;
}

PoReader *
po_reader_open_whole(Oid schema, const PoConfiguration *configuration)
{
	PoReader   *reader = po_reader_open(schema, true);

	reader->kept = configuration;
	return reader;
}

void
po_reader_set_policies(PoReader *reader, PoPolicies *policies)
{
	reader->policies = policies;
}

void
po_reader_close(PoReader *reader)
{
	if (reader->is_held)
		po_cache_release();
	for (int i = 0; i < PO_NINDEXES; i++)
		if (reader->scans[i].path != PATH_UNKNOWN)
			po_scan_close(&reader->scans[i]);
	pfree(reader);
}

static bool
is_direct(PoReader *reader, PoIndex which)
{
	return po_scan_open(&reader->scans[which], reader->schema, which,
						reader->as_owner, reader->policies);
}

static void
start_scan(PoReader *reader, PoIndex which, const Datum *values, int nkeys)
{
	po_scan_start(&reader->scans[which], reader->snapshot, values, nkeys);
}

static bool
next_row(PoReader *reader, PoIndex which, const AttrNumber *attributes,
		 int nattributes, Datum *values, bool *nulls)
{
	return po_scan_next(&reader->scans[which], attributes, nattributes,
						values, nulls);
}

/* ---- SPI ---- */

static void
spi_row(uint64 row, int ncolumns, Datum *values, bool *nulls)
{
	for (int i = 0; i < ncolumns; i++)
		values[i] = SPI_getbinval(SPI_tuptable->vals[row],
								  SPI_tuptable->tupdesc, i + 1, &nulls[i]);
}

static bool
spi_one_row(Oid schema, PoStatement statement, const Datum *args,
			int ncolumns, Datum *values, bool *nulls)
{
	if (query(schema, statement, args) == 0)
		return false;
	spi_row(0, ncolumns, values, nulls);
	return true;
}

/* ---- single rows ---- */

/* the row of a table with a key of one column, directly or by SPI */
static bool
read_by_key(PoReader *reader, PoIndex which, PoStatement statement, Datum key,
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
read_by_key_end(PoReader *reader, PoIndex which)
{
	if (reader->scans[which].path == PATH_SPI)
		SPI_finish();
	else
		ExecClearTuple(reader->scans[which].slot);
}

/* the version of the row that was read last */
static PoVersion
version_of(PoReader *reader, const PoAccount *account)
{
	TupleTableSlot *slot = reader->scans[PO_ACCOUNT_KEY].slot;
	PoVersion	version;
	bool		isnull;

	version.xmin = DatumGetTransactionId(slot_getsysattr(slot, MinTransactionIdAttributeNumber,
														 &isnull));
	version.tid = slot->tts_tid;
	version.booked_at = account->booked_at;
	return version;
}

static bool
is_kept(PoReader *reader, const text *account_id)
{
	return reader->kept != NULL &&
		po_text_equal(reader->kept->account.account_id, account_id);
}

/* a reader reads one account; the owner's are for writing and ask no memory */
bool
po_read_account(PoReader *reader, text *account_id, PoAccount *account)
{
	Datum		values[PO_ACCOUNT_NCOLUMNS];
	bool		nulls[PO_ACCOUNT_NCOLUMNS];
	PoVersion	version;
	bool		found;

	if (!reader->as_owner)
		reader->kept = po_cache_recall(reader->schema, reader->snapshot, account_id);
	reader->is_held = reader->kept != NULL;
	if (reader->is_held)
	{
		*account = reader->kept->account;
		return true;
	}
	found = read_by_key(reader, PO_ACCOUNT_KEY, PO_READ_ACCOUNT,
						PointerGetDatum(account_id), po_account_attributes,
						PO_ACCOUNT_NCOLUMNS, values, nulls);
	if (found)
	{
		po_account_from(account, values, nulls);
		if (!reader->as_owner && reader->scans[PO_ACCOUNT_KEY].path == PATH_DIRECT)
		{
			version = version_of(reader, account);
			reader->kept = po_cache_find(reader->schema, reader->snapshot,
										 account, &version);
			reader->is_held = reader->kept != NULL;
		}
	}
	read_by_key_end(reader, PO_ACCOUNT_KEY);
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

	if (read_by_key(reader, PO_ALIAS_KEY, PO_READ_ALIAS,
					PointerGetDatum(alias), attributes, lengthof(attributes),
					values, nulls) && DatumGetBool(values[1]))
		seller = DatumGetTextPCopy(values[0]);
	read_by_key_end(reader, PO_ALIAS_KEY);
	return seller;
}

/* the payer of a linked account, or NULL */
text *
po_read_payer(PoReader *reader, text *member_account_id)
{
	static const AttrNumber attribute = Anum_member_account_id;
	text	   *payer = NULL;
	Datum		value;
	bool		isnull;

	if (read_by_key(reader, PO_MEMBER_KEY, PO_READ_PAYER,
					PointerGetDatum(member_account_id), &attribute, 1, &value, &isnull))
		payer = DatumGetTextPCopy(value);
	read_by_key_end(reader, PO_MEMBER_KEY);
	return payer;
}

/* what the taxonomy itself says of a type, without its ancestors */
PoTristate
po_read_out_of_cycle_only(PoReader *reader, PoLineType *line_type)
{
	static const AttrNumber attribute = Anum_taxonomy_out_of_cycle_only;
	PoTristate	result = PO_UNKNOWN;
	Datum		value;
	bool		isnull;

	if (po_cache_recall_type(reader->schema, reader->snapshot, line_type, &result))
		return result;
	if (read_by_key(reader, PO_TAXONOMY_KEY, PO_READ_TAXONOMY,
					PointerGetDatum(line_type), &attribute, 1,
					&value, &isnull) && !isnull)
		result = DatumGetBool(value) ? PO_YES : PO_NO;
	read_by_key_end(reader, PO_TAXONOMY_KEY);
	po_cache_note_type(reader->schema, reader->snapshot, line_type, result);
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

static void
read_all_orders(PoReader *reader, const Datum *args, bool of_seller)
{
	OrderScan  *scan = &reader->orders;
	uint64		nrows = query(reader->schema,
								  of_seller ? PO_READ_ORDERS : PO_READ_ALL_ORDERS,
								  args);

	PoOrder    *orders = MemoryContextAllocHuge(CurrentMemoryContext,
												Max(nrows, 1) * sizeof(PoOrder));

	for (uint64 row = 0; row < nrows; row++)
	{
		Datum		values[PO_ORDER_NCOLUMNS];
		bool		nulls[PO_ORDER_NCOLUMNS];

		spi_row(row, PO_ORDER_NCOLUMNS, values, nulls);
		po_order_from(&orders[row], values, nulls);
	}
	scan->orders = orders;
	scan->norders = nrows;
	SPI_finish();
}

void
po_orders_begin(PoReader *reader, text *account_id, text *bill_from, PoMonth month)
{
	Datum		args[] = {
		PointerGetDatum(account_id), PointerGetDatum(bill_from),
		PoMonthGetDatum(month)
	};

	memset(&reader->orders, 0, sizeof(reader->orders));
	if (is_kept(reader, account_id))
	{
		reader->orders.orders = reader->kept->orders;
		reader->orders.norders = reader->kept->norders;
		reader->orders.bill_from = bill_from;
		reader->orders.month = month;
	}
	else if (is_direct(reader, PO_ORDER_MATCH))
		start_scan(reader, PO_ORDER_MATCH, args, bill_from == NULL ? 1 : 3);
	else
		read_all_orders(reader, args, bill_from != NULL);
}

static const PoOrder *
next_kept_order(OrderScan *scan)
{
	while (scan->next < scan->norders)
	{
		const PoOrder *order = &scan->orders[scan->next++];

		if (scan->bill_from == NULL ||
			(order->expiration_month >= scan->month &&
			 po_text_equal(order->bill_from, scan->bill_from)))
			return order;
	}
	return NULL;
}

const PoOrder *
po_orders_next(PoReader *reader)
{
	OrderScan  *scan = &reader->orders;
	Datum		values[PO_ORDER_NCOLUMNS];
	bool		nulls[PO_ORDER_NCOLUMNS];

	if (reader->kept != NULL)
		return next_kept_order(scan);
	if (reader->scans[PO_ORDER_MATCH].path == PATH_SPI)
		return scan->next < scan->norders ? &scan->orders[scan->next++] : NULL;
	if (!next_row(reader, PO_ORDER_MATCH, po_order_attributes, PO_ORDER_NCOLUMNS,
				  values, nulls))
		return NULL;
	po_order_view(&scan->order, values, nulls);
	return &scan->order;
}

const PoOrder *
po_order_keep(PoReader *reader, const PoOrder *order)
{
	PoOrder    *kept;

	if (order != &reader->orders.order)
		return order;
	kept = palloc(sizeof(PoOrder));
	*kept = *order;
	po_order_copy(kept);
	return kept;
}

/* ---- line items ---- */

/*
 * By SPI: the line items of all orders that were read, or of this one, of that
 * type and month.
 */
static void
read_all_line_items(PoReader *reader, text *account_id)
{
	LineItemScan *scan = &reader->line_items;
	Datum	   *numbers = palloc(scan->norders * sizeof(Datum));
	Datum		args[4];
	uint64		nrows;

	for (int i = 0; i < scan->norders; i++)
		numbers[i] = PointerGetDatum(scan->orders[i].po_number);
	args[0] = PointerGetDatum(account_id);
	args[1] = PointerGetDatum(construct_array_builtin(numbers, scan->norders, TEXTOID));
	args[2] = PointerGetDatum(scan->line_type);
	args[3] = PoMonthGetDatum(scan->month);

	nrows = query(reader->schema,
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

/* goes to the line items of this order in what SPI has read, or reads it */
static void
seek_line_items(PoReader *reader, text *account_id, const PoOrder *order,
				PoLineType *line_type, PoMonth month)
{
	LineItemScan *scan = &reader->line_items;
	const OrderScan *orders = &reader->orders;
	bool		listed = order >= orders->orders &&
		order < orders->orders + orders->norders;
	uint64		low = 0;
	uint64		high;

	if (!listed || scan->orders != orders->orders ||
		scan->line_type != line_type || scan->month != month)
	{
		memset(scan, 0, sizeof(*scan));
		scan->orders = listed ? orders->orders : order;
		scan->norders = listed ? orders->norders : 1;
		scan->line_type = line_type;
		scan->month = month;
		read_all_line_items(reader, account_id);
	}
	scan->place = order - scan->orders;
	for (high = scan->nitems; low < high;)
	{
		uint64		middle = (low + high) / 2;

		if (scan->places[middle] < scan->place)
			low = middle + 1;
		else
			high = middle;
	}
	scan->next = low;
}

static bool
is_kept_order(PoReader *reader, const PoOrder *order)
{
	const PoConfiguration *kept = reader->kept;

	return kept != NULL && order >= kept->orders &&
		order < kept->orders + kept->norders;
}

static void
begin_kept_line_items(PoReader *reader, const PoOrder *order,
					  PoLineType *line_type, PoMonth month)
{
	LineItemScan *scan = &reader->line_items;
	const PoSpan *span = &reader->kept->spans[order - reader->kept->orders];

	scan->kept = reader->kept->line_items + span->first;
	scan->kept_end = reader->kept->line_items + span->end;
	scan->line_type = line_type;
	scan->month = month;
}

static const PoLineItem *
next_kept_line_item(LineItemScan *scan)
{
	while (scan->kept < scan->kept_end)
	{
		const PoLineItem *item = scan->kept++;

		if (scan->line_type == NULL ||
			(item->start_month <= scan->month && item->end_month >= scan->month &&
			 po_text_equal(item->line_type, scan->line_type)))
			return item;
	}
	return NULL;
}

void
po_line_items_begin(PoReader *reader, text *account_id, const PoOrder *order,
					PoLineType *line_type, PoMonth month)
{
	Datum		args[] = {
		PointerGetDatum(account_id), PointerGetDatum(order->po_number),
		PointerGetDatum(line_type), PoMonthGetDatum(month), PoMonthGetDatum(month)
	};

	if (is_kept_order(reader, order))
		begin_kept_line_items(reader, order, line_type, month);
	else if (is_direct(reader, PO_LINE_ITEM_MATCH))
	{
		reader->line_items.kept = NULL;
		reader->line_items.po_number = order->po_number;
		start_scan(reader, PO_LINE_ITEM_MATCH, args, line_type == NULL ? 2 : 5);
	}
	else
		seek_line_items(reader, account_id, order, line_type, month);
}

const PoLineItem *
po_line_items_next(PoReader *reader)
{
	LineItemScan *scan = &reader->line_items;
	Datum		values[PO_LINE_ITEM_NCOLUMNS];
	bool		nulls[PO_LINE_ITEM_NCOLUMNS];

	if (scan->kept != NULL)
		return next_kept_line_item(scan);
	if (reader->scans[PO_LINE_ITEM_MATCH].path == PATH_SPI)
		return scan->next < scan->nitems && scan->places[scan->next] == scan->place ?
			&scan->items[scan->next++] : NULL;
	if (!next_row(reader, PO_LINE_ITEM_MATCH, po_line_item_attributes,
				  PO_LINE_ITEM_NCOLUMNS, values, nulls))
		return NULL;
	po_line_item_view(&scan->item, values, nulls);
	scan->item.po_number = scan->po_number;
	return &scan->item;
}

const PoLineItem *
po_line_item_keep(PoReader *reader, const PoLineItem *item)
{
	PoLineItem *kept;

	if (item != &reader->line_items.item)
		return item;
	kept = palloc(sizeof(PoLineItem));
	*kept = *item;
	po_line_item_copy(kept);
	return kept;
}
