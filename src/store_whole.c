/*
 * store_whole.c
 *		Reads an account's orders and line items at once.  See store_whole.h.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "store_whole.h"

/* larger accounts are not read whole: where they are searched, a few line items are read */
#define MAX_LINE_ITEMS	256

/* orders of all sellers, of each the newest first */
static void
read_orders(PoScan *scan, Snapshot snapshot, PoArena *arena,
			PoConfiguration *configuration)
{
	Datum		account_id = PointerGetDatum(configuration->account.account_id);
	Datum		values[PO_ORDER_NCOLUMNS];
	bool		nulls[PO_ORDER_NCOLUMNS];
	int			space = 8;
	PoOrder    *orders = palloc(space * sizeof(PoOrder));
	int			n = 0;

	po_scan_start(scan, snapshot, &account_id, 1);
	while (po_scan_next(scan, po_order_attributes, PO_ORDER_NCOLUMNS, values, nulls))
	{
		PoOrder    *order;

		if (n == space)
		{
			space *= 2;
			orders = repalloc(orders, space * sizeof(PoOrder));
		}
		order = &orders[n++];
		po_order_view(order, values, nulls);
		order->po_number = po_arena_copy(arena, order->po_number);
		order->bill_from = po_arena_copy(arena, order->bill_from);
		order->currency = po_arena_copy(arena, order->currency);
		order->tax_registration_numbers = po_arena_copy(arena, order->tax_registration_numbers);
	}
	configuration->norders = n;
	configuration->orders = memcpy(po_arena_alloc(arena, n * sizeof(PoOrder)), orders,
								   n * sizeof(PoOrder));
	pfree(orders);
}

/*
 * The place of a line item's order, -1 where there is none (foreign keys may
 * have been switched off).  They come order by order, so it is mostly the last.
 */
static int
place_of(const PoConfiguration *configuration, const text *po_number, int last)
{
	if (last >= 0 && po_text_equal(configuration->orders[last].po_number, po_number))
		return last;
	for (int i = 0; i < configuration->norders; i++)
		if (po_text_equal(configuration->orders[i].po_number, po_number))
			return i;
	return -1;
}

/* false where they are too many */
static bool
read_line_items(PoScan *scan, Snapshot snapshot, PoArena *arena,
				PoConfiguration *configuration)
{
	Datum		account_id = PointerGetDatum(configuration->account.account_id);
	Datum		values[PO_LINE_ITEM_NCOLUMNS];
	bool		nulls[PO_LINE_ITEM_NCOLUMNS];
	PoLineItem *items = palloc(MAX_LINE_ITEMS * sizeof(PoLineItem));
	int			place = -1;
	int			n = 0;

	configuration->spans = po_arena_alloc(arena, configuration->norders * sizeof(PoSpan));
	memset(configuration->spans, 0, configuration->norders * sizeof(PoSpan));
	po_scan_start(scan, snapshot, &account_id, 1);
	while (po_scan_next(scan, po_line_item_attributes, PO_LINE_ITEM_NCOLUMNS,
						values, nulls))
	{
		PoLineItem *item = &items[n];
		int			last = place;

		if (n == MAX_LINE_ITEMS)
			return false;
		po_line_item_view(item, values, nulls);
		place = place_of(configuration, item->po_number, last);
		if (place < 0)
			continue;
		if (place != last)
			configuration->spans[place].first = n;
		configuration->spans[place].end = ++n;
		item->po_number = configuration->orders[place].po_number;
		item->line_number = po_arena_copy(arena, item->line_number);
		item->line_type = po_arena_copy(arena, item->line_type);
		item->balance = po_arena_copy(arena, item->balance);
		item->agreement_id = po_arena_copy(arena, item->agreement_id);
	}
	configuration->line_items = memcpy(po_arena_alloc(arena, n * sizeof(PoLineItem)), items,
									   n * sizeof(PoLineItem));
	pfree(items);
	return true;
}

bool
po_configuration_read(Oid schema, Snapshot snapshot, bool as_owner,
					  const PoAccount *account, PoArena *arena,
					  PoConfiguration *configuration)
{
	PoScan		orders = {0};
	PoScan		line_items = {0};
	bool		fits = false;

	configuration->account = *account;
	configuration->account.account_id = po_arena_copy(arena, account->account_id);
	configuration->account.currency = po_arena_copy(arena, account->currency);
	configuration->account.time_zone = po_arena_copy(arena, account->time_zone);
	if (po_scan_open(&orders, schema, PO_ORDER_MATCH, as_owner, NULL) &&
		po_scan_open(&line_items, schema, PO_LINE_ITEM_MATCH, as_owner, NULL))
	{
		read_orders(&orders, snapshot, arena, configuration);
		fits = configuration->norders <= MAX_LINE_ITEMS &&
			read_line_items(&line_items, snapshot, arena, configuration);
	}
	po_scan_close(&line_items);
	po_scan_close(&orders);
	return fits;
}
