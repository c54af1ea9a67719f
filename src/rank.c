/*
 * rank.c
 *		The ranking kernel.  See rank.h for what may not come in here.
 */
#include "rank.h"

#include <string.h>

/* -1 where a comes first, 1 where b does, 0 where neither */
#define ASCENDING(a, b)		(((a) > (b)) - ((a) < (b)))
#define DESCENDING(a, b)	ASCENDING(b, a)

static int
compare_bytes(const char *a, size_t alen, const char *b, size_t blen)
{
	int			result = memcmp(a, b, alen < blen ? alen : blen);

	return result != 0 ? ASCENDING(result, 0) : ASCENDING(alen, blen);
}

static int
by_specificity(const PoRank *a, const PoRank *b)
{
	int			result = DESCENDING(a->specificity, b->specificity);

	return result != 0 ? result : DESCENDING(a->bound, b->bound);
}

/* the last word has the id, which no two line items share */
static int
by_tie(const PoRank *a, const PoRank *b)
{
	int			result = ASCENDING(a->months, b->months);

	if (result == 0)
		result = compare_bytes(a->po_number, a->po_number_len,
							   b->po_number, b->po_number_len);
	if (result == 0)
		result = ASCENDING(a->line_item_id, b->line_item_id);
	return result;
}

int
po_rank_compare(const PoRank *a, const PoRank *b, PoCriterion *decided)
{
	PoCriterion criterion = PO_BY_SPECIFICITY;
	int			result = by_specificity(a, b);

	if (result == 0)
	{
		criterion = PO_BY_BALANCE;
		result = DESCENDING(a->covers, b->covers);
	}
	if (result == 0)
	{
		criterion = PO_BY_RECENCY;
		result = DESCENDING(a->updated_at, b->updated_at);
	}
	if (result == 0)
	{
		criterion = PO_BY_TIE;
		result = by_tie(a, b);
	}
	if (decided != NULL)
		*decided = result == 0 ? PO_BY_NOTHING : criterion;
	return result;
}
