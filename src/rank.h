/*
 * rank.h
 *		The ranking kernel: which of two candidates is the better one, and why.
 *
 * Plain structs in, an order out.  No Datum, no SPI, no allocation, nothing of
 * PostgreSQL: test/unit compiles this file alone, under sanitizers.
 */
#ifndef PO_RANK_H
#define PO_RANK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* what the ranking looks at in a candidate */
typedef struct PoRank
{
	int			specificity;	/* depth of the line item's type */
	bool		bound;			/* bound to the invoice's agreement */
	bool		covers;			/* its balance covers the invoice */
	int64_t		updated_at;		/* of the order */
	int32_t		months;			/* that the line item spans */
	const char *po_number;		/* bytes, not terminated */
	size_t		po_number_len;
	int64_t		line_item_id;
} PoRank;

/* the criteria in their order; PO_BY_NOTHING: one and the same line item */
typedef enum PoCriterion
{
	PO_BY_SPECIFICITY,
	PO_BY_BALANCE,
	PO_BY_RECENCY,
	PO_BY_TIE,
	PO_BY_NOTHING
} PoCriterion;

/*
 * < 0 where a is the better one.  A total order: 0 only for the same line
 * item.  Stores the criterion that decided, unless decided is NULL.
 */
extern int	po_rank_compare(const PoRank *a, const PoRank *b,
							PoCriterion *decided);

#endif							/* PO_RANK_H */
