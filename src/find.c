/*
 * find.c
 *		The matcher: finds the candidates of an invoice, best first.
 *
 * Order headers first: the index leaves out other sellers and what expired.
 * Then the line items type level by type level, from the invoice's own type
 * up to "all", newest order first, because that is how candidates rank.  With
 * a limit the search ends where nothing better can come.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/builtins.h"

#include "clock.h"
#include "find.h"

/*
 * A credit memo of a known invoice goes where that invoice is, whatever the
 * rules would say today.
 */
PoFollow
po_find_original(Oid schema, const PoInvoice *invoice, text *bill_from,
				 PoInvoice *original)
{
	if (!invoice->is_credit_memo || invoice->original_invoice_id == NULL)
		return PO_FOLLOWS_NONE;
	if (!po_read_invoice(schema, invoice->account_id, bill_from,
						 invoice->original_invoice_id, original))
		return PO_FOLLOWS_NONE;
	/* one that is void has no association */
	return original->line_item_id != 0 ? PO_FOLLOWS_BOOKED : PO_FOLLOWS_UNASSOCIATED;
}

/* the same for an invoice whose seller may be an alias yet */
PoFollow
po_finder_original(PoFinder *finder, PoInvoice *original)
{
	const PoInvoice *invoice = finder->invoice;
	text	   *seller = NULL;

	if (invoice->is_credit_memo && invoice->original_invoice_id != NULL)
		seller = po_read_alias(finder->reader, invoice->bill_from);
	return po_find_original(finder->schema, invoice,
							seller ? seller : invoice->bill_from, original);
}

void
po_finder_init_bill(PoFinder *finder)
{
	DateADT		today = 0;

	if (!finder->invoice->is_issued)
		today = po_clock_date(po_clock_now(), finder->account.time_zone);
	po_bill_init(&finder->bill, finder->invoice, &finder->account, today);
}

void
po_finder_read_taxonomy(PoFinder *finder)
{
	const PoLineType *type = finder->invoice->line_type;
	PoTristate	out_of_cycle_only[PO_LINE_TYPE_MAX_LEVELS + 1];

	for (int depth = 0; depth <= finder->bill.depth; depth++)
	{
		int			len;
		const char *path = po_line_type_ancestor(VARDATA_ANY(type),
												 VARSIZE_ANY_EXHDR(type),
												 depth, &len);

		out_of_cycle_only[depth] =
			po_read_out_of_cycle_only(finder->reader, path, len);
	}
	po_bill_set_taxonomy(&finder->bill, out_of_cycle_only);
}

void
po_finder_add(PoFinder *finder, const PoOrder *order, PoLineItem *item)
{
	if (finder->ncandidates == finder->space)
	{
		Size		size;

		finder->space = Max(8, finder->space * 2);
		size = finder->space * sizeof(PoCandidate);
		finder->candidates = finder->candidates == NULL ?
			palloc(size) : repalloc_huge(finder->candidates, size);
	}
	if (finder->balance != NULL && item->balance_tracked)
		item->balance = finder->balance(item, finder->balance_arg);
	po_match_rank(&finder->bill, order, item,
				  &finder->candidates[finder->ncandidates]);
	if (finder->any_balance)
		finder->candidates[finder->ncandidates].rank.covers = true;
	finder->ncandidates++;
}

static int
compare_candidates(const void *a, const void *b)
{
	return po_rank_compare(&((const PoCandidate *) a)->rank,
						   &((const PoCandidate *) b)->rank, NULL);
}

void
po_finder_sort(PoFinder *finder)
{
	if (finder->ncandidates > 1)
		qsort(finder->candidates, finder->ncandidates, sizeof(PoCandidate),
			  compare_candidates);
}

/* ---- candidates ---- */

static int
newest_first(const void *a, const void *b)
{
	TimestampTz left = ((const PoOrder *) a)->updated_at;
	TimestampTz right = ((const PoOrder *) b)->updated_at;

	return (left < right) - (left > right);
}

/* the orders that may pay, newest first; the array is packed in place */
static PoOrder *
usable_orders(PoFinder *finder, int *norders)
{
	PoBill	   *bill = &finder->bill;
	text	   *account_id = finder->invoice->account_id;
	PoOrder    *orders;
	int			nread;

	orders = po_read_orders(finder->reader, account_id, bill->bill_from,
							bill->order_month, &nread);
	if (nread == 0)
	{
		/* orders have the seller's own name; no seller has another's alias */
		text	   *seller = po_read_alias(finder->reader, bill->bill_from);

		if (seller != NULL)
		{
			bill->bill_from = seller;
			orders = po_read_orders(finder->reader, account_id, seller,
									bill->order_month, &nread);
		}
	}
	*norders = 0;
	for (int i = 0; i < nread; i++)
	{
		if (po_match_order(bill, &orders[i]) == PO_FILTER_NONE &&
			po_match_requested_order(bill, &orders[i]))
			orders[(*norders)++] = orders[i];
	}
	if (*norders > 1)
		qsort(orders, *norders, sizeof(PoOrder), newest_first);
	return orders;
}

/*
 * Adds the candidates whose type is the invoice's type's ancestor at this
 * depth.  Once as many as are wanted cannot be beaten, older orders are left.
 */
static void
collect_level(PoFinder *finder, const PoOrder *orders, int norders, int depth)
{
	const PoLineType *type = finder->invoice->line_type;
	int			len;
	const char *path = po_line_type_ancestor(VARDATA_ANY(type),
											 VARSIZE_ANY_EXHDR(type),
											 depth, &len);
	int			wanted = finder->max_rank - finder->ncandidates;
	int			unbeatable = 0;
	TimestampTz enough_since = 0;
	PoLineItem	item;
	int			place;

	po_line_items_begin(finder->reader, finder->invoice->account_id,
						orders, norders,
						cstring_to_text_with_len(path, len),
						finder->bill.line_month);
	while (po_line_items_next(finder->reader, &item, &place))
	{
		const PoOrder *order = &orders[place];
		PoLineItem *kept;

		if (finder->max_rank > 0 && unbeatable >= wanted &&
			order->updated_at < enough_since)
			break;
		if (po_match_line_item(&finder->bill, order, &item) != PO_FILTER_NONE)
			continue;
		kept = palloc(sizeof(PoLineItem));
		*kept = item;
		po_finder_add(finder, order, kept);
		if (po_match_unbeatable(&finder->bill,
								&finder->candidates[finder->ncandidates - 1]) &&
			++unbeatable == wanted)
			enough_since = order->updated_at;
	}
}

/* by the rules alone, credit memos too */
void
po_find_by_rules(PoFinder *finder)
{
	int			norders;
	PoOrder    *orders;

	po_finder_init_bill(finder);
	orders = usable_orders(finder, &norders);
	if (norders == 0)
		return;
	for (int depth = finder->bill.depth; depth >= 0; depth--)
	{
		/* whether it is in the cycle, the invoice's own type decides of itself */
		if (depth == finder->bill.depth - (finder->invoice->out_of_cycle == PO_UNKNOWN))
			po_finder_read_taxonomy(finder);
		if (po_match_level(&finder->bill, depth))
			collect_level(finder, orders, norders, depth);
		if (finder->max_rank > 0 && finder->ncandidates >= finder->max_rank)
			break;
	}
	po_finder_sort(finder);
	if (finder->max_rank > 0)
		finder->ncandidates = Min(finder->ncandidates, finder->max_rank);
}

/* the line item of the original alone, while it exists */
static void
find_followed(PoFinder *finder, const PoInvoice *original)
{
	PoOrder    *order = palloc(sizeof(PoOrder));
	PoLineItem *item = palloc(sizeof(PoLineItem));

	if (po_read_line_item(finder->schema, original->account_id,
						  original->line_item_id, item) &&
		po_read_order(finder->schema, original->account_id,
					  item->po_number, order))
		po_finder_add(finder, order, item);
}

void
po_find(PoFinder *finder)
{
	PoInvoice	original;

	switch (po_finder_original(finder, &original))
	{
		case PO_FOLLOWS_BOOKED:
			po_finder_init_bill(finder);
			find_followed(finder, &original);
			break;
		case PO_FOLLOWS_UNASSOCIATED:
			break;
		case PO_FOLLOWS_NONE:
			po_find_by_rules(finder);
			break;
	}
}
