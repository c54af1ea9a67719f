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
compare_po_numbers(const text *left, const text *right)
{
	size_t		left_len = VARSIZE_ANY_EXHDR(left);
	size_t		right_len = VARSIZE_ANY_EXHDR(right);
	int			result = memcmp(VARDATA_ANY(left), VARDATA_ANY(right),
								Min(left_len, right_len));

	return result != 0 ? result : (left_len > right_len) - (left_len < right_len);
}

static int
by_po_number(const void *a, const void *b)
{
	return compare_po_numbers(((const PoOrder *) a)->po_number,
							  ((const PoOrder *) b)->po_number);
}

/* the same for pointers to orders */
static int
by_po_number_of(const void *a, const void *b)
{
	return compare_po_numbers((*(const PoOrder *const *) a)->po_number,
							  (*(const PoOrder *const *) b)->po_number);
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

static void
init_list(ExplainedList *list)
{
	list->n = 0;
	list->space = 64;
	list->entries = palloc(list->space * sizeof(PoExplained));
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
		qsort(orders, *norders, sizeof(PoOrder *), by_po_number_of);
	return orders;
}

/* the line items of all orders, an entry without item where there is none */
static void
list_line_items(PoFinder *finder, ExplainedList *list)
{
	int			norders;
	const PoOrder **orders = list_orders(finder, &norders);

	init_list(list);
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

/* the same as it was when the invoice was booked */
static void
list_past_line_items(PoFinder *finder, const PoBooked *booked, ExplainedList *list)
{
	text	   *account_id = finder->invoice->account_id;
	int			norders;
	int			nitems;
	PoOrder    *orders = po_read_past_orders(finder->schema, account_id, booked->at, &norders);
	PoLineItem *items = po_read_past_line_items(finder->schema, account_id, booked->at,
												&nitems);
	int			next = 0;

	init_list(list);
	if (norders > 1)
		qsort(orders, norders, sizeof(PoOrder), by_po_number);
	for (int place = 0; place < norders; place++)
	{
		int			first = next;

		for (; next < nitems && po_text_equal(items[next].po_number, orders[place].po_number); next++)
			list_entry(list, &orders[place], &items[next]);
		if (next == first)
			list_entry(list, &orders[place], NULL);
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

/*
 * By the rules, or as the original of a credit memo: the candidates in their
 * order first, then what was rejected.  There is room for one more.
 */
static PoExplained *
explain_list(PoFinder *finder, ExplainedList *list, const PoInvoice *original,
			 int *nexplained)
{
	PoExplained *result = palloc_extended((list->n + 1) * sizeof(PoExplained),
										  MCXT_ALLOC_HUGE);
	int			max_rank = finder->max_rank;
	int			n;

	finder->max_rank = 0;		/* the reasons count all candidates */
	for (int i = 0; i < list->n; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (original == NULL)
			decide(finder, &list->entries[i]);
		else
			decide_followed(finder, &list->entries[i], original);
	}
	po_finder_sort(finder);
	n = explain_candidates(finder, max_rank, result);
	if (n > 0)
		result[0].is_selected = true;
	if (n > 0 && original != NULL)
		result[0].reason = po_reason_followed(original);
	for (int i = 0; i < list->n; i++)
		if (list->entries[i].reason != NULL)
			result[n++] = list->entries[i];
	*nexplained = n;
	return result;
}

PoExplained *
po_explain(PoFinder *finder, int *nexplained)
{
	PoInvoice	original;
	PoFollow	follow;
	ExplainedList list;

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
	return explain_list(finder, &list, follow == PO_FOLLOWS_NONE ? NULL : &original,
						nexplained);
}

/* ---- what was booked ---- */

/* puts an entry before the others */
static PoExplained *
add_first(PoExplained *result, int *n)
{
	memmove(&result[1], &result[0], (*n)++ * sizeof(PoExplained));
	memset(&result[0], 0, sizeof(PoExplained));
	return &result[0];
}

/* the line item that the invoice is booked on, also where it was gone by then */
static PoExplained *
find_booked(PoExplained *result, int *n, const PoInvoice *invoice)
{
	PoExplained *entry;
	PoOrder    *order;
	PoLineItem *item;

	for (int i = 0; i < *n; i++)
		if (result[i].item != NULL && result[i].item->line_item_id == invoice->line_item_id)
			return &result[i];
	order = palloc0(sizeof(PoOrder));
	order->po_number = invoice->po_number;
	item = palloc0(sizeof(PoLineItem));
	item->line_number = invoice->line_number;
	entry = add_first(result, n);
	entry->order = order;
	entry->item = item;
	return entry;
}

/* why the booked line item is the selected one, where the rules do not say so */
static char *
reason_booked(PoFinder *finder, const PoBooked *booked, const PoInvoice *original,
			  const char *by_rules)
{
	if (booked->invoice.by_hand)
		return po_reason_by_hand(&finder->bill, booked->by, booked->at, booked->note, by_rules);
	return original != NULL ? po_reason_followed(original) : po_reason_not_known(by_rules);
}

/* what is booked is what was selected, whatever the rules say */
static void
select_booked(PoFinder *finder, const PoBooked *booked, const PoInvoice *original,
			  PoExplained *result, int *n)
{
	PoExplained *selected = find_booked(result, n, &booked->invoice);
	PoExplained *others = selected == result ? &result[1] : result;

	if (selected->is_selected && !booked->invoice.by_hand)
		return;
	for (PoExplained *entry = others; entry < &result[*n]; entry++)
	{
		if (!entry->is_selected)
			continue;
		entry->is_selected = false;
		entry->stage = po_filter_name(PO_FILTER_REQUESTED_PO);
		entry->reason = po_reason_passed_over(booked->invoice.by_hand, selected->item,
											  selected->order, entry->reason);
	}
	selected->is_selected = true;
	selected->stage = NULL;
	selected->reason = reason_booked(finder, booked, original, selected->reason);
}

/* an entry of its own says so, and nothing is selected */
static void
select_nothing(PoFinder *finder, const PoBooked *booked, PoExplained *result, int *n)
{
	bool		fits = *n > 0 && result[0].is_selected;

	if (fits)
		result[0].is_selected = false;
	add_first(result, n)->reason =
		po_reason_unassociated(&finder->bill, booked->at, fits, booked->voided_at);
}

/* the invoice whose line item the credit memo is on, as it was then */
static bool
find_past_original(PoFinder *finder, const PoBooked *booked, PoInvoice *original)
{
	const PoInvoice *invoice = &booked->invoice;

	if (booked->as_original)
	{
		*original = *invoice;
		original->invoice_id = invoice->original_invoice_id;
		return true;
	}
	return invoice->line_item_id == 0 &&
		po_finder_original(finder, original) == PO_FOLLOWS_UNASSOCIATED;
}

/* asked for candidates only, since no filter looks at the balance */
static Numeric
past_balance(const PoLineItem *item, void *booked)
{
	return po_read_past_balance(item, booked);
}

PoExplained *
po_explain_booked(PoFinder *finder, const PoBooked *booked, int *nexplained)
{
	PoInvoice	original;
	bool		follows;
	ExplainedList list;
	PoExplained *result;

	finder->invoice = &booked->invoice;
	finder->balance = past_balance;
	finder->balance_arg = unconstify(PoBooked *, booked);
	po_finder_init_bill(finder, true);
	follows = find_past_original(finder, booked, &original);
	if (!follows)
		po_finder_read_taxonomy(finder);
	list_past_line_items(finder, booked, &list);
	result = explain_list(finder, &list, follows ? &original : NULL, nexplained);
	if (booked->invoice.line_item_id != 0)
		select_booked(finder, booked, follows ? &original : NULL, result, nexplained);
	else
		select_nothing(finder, booked, result, nexplained);
	return result;
}
