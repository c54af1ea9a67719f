/*
 * explain.c
 *		Why an invoice goes where it goes: a reason for every line item.
 *
 * The decisions are match.c's and rank.c's, as in find.c; the sentences are
 * match_reason.c's.
 */
#include "postgres.h"

#include "miscadmin.h"

#include "explain.h"

static int
by_po_number(const void *a, const void *b)
{
	const text *left = (*(const PoOrder *const *) a)->po_number;
	const text *right = (*(const PoOrder *const *) b)->po_number;
	size_t		left_len = VARSIZE_ANY_EXHDR(left);
	size_t		right_len = VARSIZE_ANY_EXHDR(right);
	int			result = memcmp(VARDATA_ANY(left), VARDATA_ANY(right),
								Min(left_len, right_len));

	return result != 0 ? result : (left_len > right_len) - (left_len < right_len);
}

typedef struct ExplainedList
{
	PoExplained *entries;
	int			n;
	int			space;
} ExplainedList;

static void
list_entry(ExplainedList *list, const PoOrder *order, const PoLineItem *item)
{
	if (list->n == list->space)
	{
		list->space *= 2;
		list->entries = repalloc_huge(list->entries,
									  list->space * sizeof(PoExplained));
	}
	list->entries[list->n++] = (PoExplained) {.order = order,.item = item};
}

/* on an order as they were added, however they were read */
static int
in_order_added(const void *a, const void *b)
{
	int64		left = ((const PoExplained *) a)->item->line_item_id;
	int64		right = ((const PoExplained *) b)->item->line_item_id;

	return (left > right) - (left < right);
}

/* all orders of the account, by number */
static const PoOrder **
list_orders(PoFinder *finder, int *norders)
{
	const PoOrder *order;
	int			space = 16;
	const PoOrder **orders = palloc(space * sizeof(PoOrder *));

	*norders = 0;
	po_orders_begin(finder->reader, finder->invoice->account_id, NULL, 0);
	while ((order = po_orders_next(finder->reader)) != NULL)
	{
		if (*norders == space)
		{
			space *= 2;
			orders = repalloc_huge(orders, space * sizeof(PoOrder *));
		}
		orders[(*norders)++] = po_order_keep(finder->reader, order);
	}
	if (*norders > 1)
		qsort(orders, *norders, sizeof(PoOrder *), by_po_number);
	return orders;
}

/* the line items of all orders, an entry without item where there is none */
static void
list_line_items(PoFinder *finder, ExplainedList *list)
{
	int			norders;
	const PoOrder **orders = list_orders(finder, &norders);

	list->n = 0;
	list->space = 64;
	list->entries = palloc(list->space * sizeof(PoExplained));
	for (int i = 0; i < norders; i++)
	{
		int			before = list->n;
		const PoLineItem *item;

		po_line_items_begin(finder->reader, finder->invoice->account_id,
							orders[i], NULL, 0);
		while ((item = po_line_items_next(finder->reader)) != NULL)
			list_entry(list, orders[i], po_line_item_keep(finder->reader, item));
		if (list->n == before)
			list_entry(list, orders[i], NULL);
		else
			qsort(&list->entries[before], list->n - before, sizeof(PoExplained),
				  in_order_added);
	}
}

/* decides on one entry: adds a candidate, or says what rejected it */
static void
decide(PoFinder *finder, PoExplained *entry)
{
	PoFilter	filter = po_match_order(&finder->bill, entry->order);

	if (filter == PO_FILTER_NONE)
		filter = entry->item == NULL ? PO_FILTER_PERIOD :
			po_match_line_item(&finder->bill, entry->order, entry->item);
	if (filter == PO_FILTER_NONE)
	{
		po_finder_add(finder, entry->order, entry->item);
		return;
	}
	entry->stage = po_filter_name(filter);
	entry->reason = po_reason_rejected(&finder->bill, filter, entry->order,
									   entry->item);
}

/* the candidates in their order, each with what placed it below the first */
static int
explain_candidates(PoFinder *finder, int max_rank, PoExplained *result)
{
	const PoCandidate *selected = &finder->candidates[0];
	int			n = finder->ncandidates;

	if (max_rank > 0)
		n = Min(n, max_rank);
	for (int i = 0; i < n; i++)
	{
		const PoCandidate *candidate = &finder->candidates[i];
		PoCriterion criterion;

		result[i] = (PoExplained) {
			.order = candidate->order,.item = candidate->item,.rank = i + 1
		};
		if (i == 0)
		{
			result[i].reason = po_reason_selected(&finder->bill, candidate,
												  finder->ncandidates);
			continue;
		}
		po_rank_compare(&selected->rank, &candidate->rank, &criterion);
		result[i].stage = po_criterion_name(criterion);
		result[i].reason = po_reason_outranked(&finder->bill, candidate,
											   selected, criterion);
	}
	return n;
}

/* a credit memo: the line item of its original, and no other, whatever fits */
static void
decide_followed(PoFinder *finder, PoExplained *entry, const PoInvoice *original)
{
	if (entry->item != NULL && entry->item->line_item_id == original->line_item_id)
		po_finder_add(finder, entry->order, entry->item);
	else
	{
		entry->stage = po_filter_name(PO_FILTER_REQUESTED_PO);
		entry->reason = po_reason_followed(original);
	}
}

PoExplained *
po_explain(PoFinder *finder, int *nexplained)
{
	PoInvoice	original;
	PoFollow	follow;
	ExplainedList list;
	PoExplained *result;
	int			max_rank = finder->max_rank;
	int			n;

	finder->max_rank = 0;		/* the reasons count all candidates */
	po_finder_init_bill(finder, true);
	follow = po_finder_original(finder, &original);
	if (follow == PO_FOLLOWS_NONE)
	{
		text	   *seller = po_read_alias(finder->reader, finder->bill.bill_from);

		if (seller != NULL)
			finder->bill.bill_from = seller;
		po_finder_read_taxonomy(finder);
	}
	list_line_items(finder, &list);
	for (int i = 0; i < list.n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (follow == PO_FOLLOWS_NONE)
			decide(finder, &list.entries[i]);
		else
			decide_followed(finder, &list.entries[i], &original);
	}
	po_finder_sort(finder);

	/* the candidates in their order first, then what was rejected */
	result = palloc_extended(Max(list.n, 1) * sizeof(PoExplained),
							 MCXT_ALLOC_HUGE);
	n = explain_candidates(finder, max_rank, result);
	if (follow == PO_FOLLOWS_BOOKED && n > 0)
		result[0].reason = po_reason_followed(&original);
	for (int i = 0; i < list.n; i++)
		if (list.entries[i].reason != NULL)
			result[n++] = list.entries[i];
	*nexplained = n;
	return result;
}
