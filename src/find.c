/*
 * find.c
 *		The matcher: finds the candidates of an invoice, best first.
 *
 * Order headers newest first: the index leaves out other sellers and what
 * expired.  Their line items type level by type level, from the invoice's own
 * type up to "all", because that is how candidates rank.  With a limit the
 * search ends where nothing better can come, and older orders are not read.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/builtins.h"

#include "clock.h"
#include "books.h"
#include "find.h"
#include "statement.h"

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
						 invoice->original_invoice_id, original) &&
		!po_books_read_invoice(schema, invoice->account_id, bill_from,
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

/* an invoice without a date is issued today; not every rule asks for that */
void
po_finder_init_bill(PoFinder *finder, bool needs_date)
{
	DateADT		today = 0;

	if (!finder->invoice->is_issued &&
		(needs_date || finder->account.period_basis != PO_BILLING_PERIOD))
		today = po_clock_date(po_clock_now(), finder->account.time_zone);
	po_bill_init(&finder->bill, finder->invoice, &finder->account, today);
}

/* from what the statement has read, where its matches share that */
static PoTristate
read_type(PoFinder *finder, PoLineType *line_type)
{
	PoKnownType *known = NULL;
	MemoryContext caller;
	PoTristate	result;

	if (finder->types != NULL)
		known = hash_search(finder->types, &line_type, HASH_FIND, NULL);
	if (known != NULL)
		return known->out_of_cycle_only;
	result = po_read_out_of_cycle_only(finder->reader, line_type);
	if (finder->types != NULL)
	{
		caller = MemoryContextSwitchTo(po_statement_memory());
		line_type = po_text_copy(line_type);
		known = hash_search(finder->types, &line_type, HASH_ENTER, NULL);
		known->out_of_cycle_only = result;
		MemoryContextSwitchTo(caller);
	}
	return result;
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

		out_of_cycle_only[depth] = read_type(finder, cstring_to_text_with_len(path, len));
	}
	po_bill_set_taxonomy(&finder->bill, out_of_cycle_only);
}

/* where one is wanted, the best so far is all that is kept */
static bool
is_beaten(const PoFinder *finder, const PoCandidate *candidate)
{
	return finder->max_rank == 1 && finder->ncandidates == 1 &&
		po_rank_compare(&finder->candidates[0].rank, &candidate->rank, NULL) < 0;
}

static PoCandidate *
next_candidate(PoFinder *finder)
{
	if (finder->max_rank == 1 && finder->ncandidates == 1)
		return &finder->candidates[0];
	if (finder->ncandidates == finder->space)
	{
		Size		size;

		finder->space = Max(8, finder->space * 2);
		size = finder->space * sizeof(PoCandidate);
		finder->candidates = finder->candidates == NULL ?
			palloc(size) : repalloc_huge(finder->candidates, size);
	}
	return &finder->candidates[finder->ncandidates++];
}

/* ranks a line item that fits; says whether nothing in an older order can beat it */
bool
po_finder_add(PoFinder *finder, const PoOrder *order, const PoLineItem *found)
{
	PoLineItem *item;
	PoLineItem	balanced;
	PoCandidate candidate;

	if (finder->balance != NULL && found->balance_tracked)
	{
		balanced = *found;
		balanced.balance = finder->balance(found, finder->balance_arg);
		po_match_rank(&finder->bill, order, &balanced, &candidate);
	}
	else
		po_match_rank(&finder->bill, order, found, &candidate);
	if (finder->any_balance)
		candidate.rank.covers = true;
	if (is_beaten(finder, &candidate))
		return po_match_unbeatable(&finder->bill, &candidate);

	candidate.item = po_line_item_keep(finder->reader, found);
	if (finder->balance != NULL && found->balance_tracked)
	{
		item = palloc(sizeof(PoLineItem));
		*item = *candidate.item;
		item->balance = balanced.balance;
		candidate.item = item;
	}
	*next_candidate(finder) = candidate;
	return po_match_unbeatable(&finder->bill, &candidate);
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

static void
read_orders(PoFinder *finder)
{
	po_orders_begin(finder->reader, finder->invoice->account_id,
					finder->bill.bill_from, finder->bill.order_month);
}

/* the next order that may pay, or NULL */
static const PoOrder *
next_usable_order(PoFinder *finder)
{
	PoBill	   *bill = &finder->bill;
	const PoOrder *order;

	while ((order = po_orders_next(finder->reader)) != NULL)
	{
		if (po_match_order(bill, order) == PO_FILTER_NONE &&
			po_match_requested_order(bill, order))
			return po_order_keep(finder->reader, order);
	}
	return NULL;
}

/* the n-th of them, newest first, read when it is asked for; NULL behind the last */
static const PoOrder *
usable_order(PoFinder *finder, int n)
{
	const PoOrder *order;

	if (n < finder->norders)
		return finder->orders[n];
	if (finder->all_orders_read)
		return NULL;
	order = next_usable_order(finder);
	if (order == NULL)
	{
		finder->all_orders_read = true;
		return NULL;
	}
	if (finder->norders == finder->order_space)
	{
		Size		size;

		finder->order_space = Max(8, finder->order_space * 2);
		size = finder->order_space * sizeof(PoOrder *);
		finder->orders = finder->orders == NULL ?
			palloc(size) : repalloc(finder->orders, size);
	}
	return finder->orders[finder->norders++] = order;
}

/* orders have the seller's own name; no seller has another's alias */
static bool
find_orders(PoFinder *finder)
{
	text	   *seller;

	read_orders(finder);
	if (usable_order(finder, 0) != NULL)
		return true;
	if (finder->is_named)
		return false;
	seller = po_read_alias(finder->reader, finder->bill.bill_from);
	if (seller == NULL)
		return false;
	finder->bill.bill_from = seller;
	finder->all_orders_read = false;
	read_orders(finder);
	return usable_order(finder, 0) != NULL;
}

/*
 * Adds the candidates whose type is the invoice's type's ancestor at this
 * depth.  Once as many as are wanted cannot be beaten, older orders are left.
 */
static void
collect_level(PoFinder *finder, int depth)
{
	const PoLineType *type = finder->invoice->line_type;
	int			len;
	const char *path = po_line_type_ancestor(VARDATA_ANY(type),
											 VARSIZE_ANY_EXHDR(type),
											 depth, &len);
	PoLineType *level = cstring_to_text_with_len(path, len);
	int			wanted = finder->max_rank - finder->ncandidates;
	int			unbeatable = 0;
	TimestampTz enough_since = 0;
	const PoOrder *order;
	const PoLineItem *item;

	for (int n = 0; (order = usable_order(finder, n)) != NULL; n++)
	{
		if (finder->max_rank > 0 && unbeatable >= wanted &&
			order->updated_at < enough_since)
			break;
		po_line_items_begin(finder->reader, finder->invoice->account_id, order,
							level, finder->bill.line_month);
		while ((item = po_line_items_next(finder->reader)) != NULL)
		{
			if (po_match_line_item(&finder->bill, order, item) == PO_FILTER_NONE &&
				po_finder_add(finder, order, item) && ++unbeatable == wanted)
				enough_since = order->updated_at;
		}
	}
}

/* by the rules alone, credit memos too */
void
po_find_by_rules(PoFinder *finder)
{
	po_finder_init_bill(finder, false);
	if (!find_orders(finder))
		return;
	for (int depth = finder->bill.depth; depth >= 0; depth--)
	{
		/* whether it is in the cycle, the invoice's own type decides of itself */
		if (depth == finder->bill.depth - (finder->invoice->out_of_cycle == PO_UNKNOWN))
			po_finder_read_taxonomy(finder);
		if (po_match_level(&finder->bill, depth))
			collect_level(finder, depth);
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
			po_finder_init_bill(finder, false);
			find_followed(finder, &original);
			break;
		case PO_FOLLOWS_UNASSOCIATED:
			break;
		case PO_FOLLOWS_NONE:
			po_find_by_rules(finder);
			break;
	}
}
