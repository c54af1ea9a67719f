/*
 * explain.h
 *		Why an invoice goes where it goes: a reason for every line item.
 *
 * Reads through the store, decides by match.h; writes nothing.
 */
#ifndef PO_EXPLAIN_H
#define PO_EXPLAIN_H

#include "find.h"

typedef struct PoExplained
{
	const PoOrder *order;
	const PoLineItem *item;		/* NULL for an order without any */
	int			rank;			/* 0: rejected */
	bool		is_selected;
	const char *stage;			/* NULL: selected */
	char	   *reason;
} PoExplained;

/* with the account known already */
extern PoExplained *po_explain(PoFinder *finder, int *nexplained);

/* with the configuration and the balances of the moment; the account as it was */
extern PoExplained *po_explain_booked(PoFinder *finder, const PoBooked *booked,
									  int *nexplained);

#endif							/* PO_EXPLAIN_H */
