/*
 * find.h
 *		The matcher: the candidates of an invoice in their order.
 *
 * Reads through the store, decides by match.h; writes nothing.
 */
#ifndef PO_FIND_H
#define PO_FIND_H

#include "utils/hsearch.h"

#include "match.h"
#include "store.h"

/* a line item's balance as the caller knows it to be, when it is not the stored one */
typedef Numeric (*PoBalance) (const PoLineItem *item, void *arg);

/* a type as the taxonomy has it */
typedef struct PoKnownType
{
	PoLineType *line_type;		/* key */
	PoTristate	out_of_cycle_only;
} PoKnownType;

typedef struct PoFinder
{
	PoReader   *reader;
	Oid			schema;
	const PoInvoice *invoice;	/* normalized */
	int			max_rank;		/* 0: all */
	bool		any_balance;	/* rank as if all balances covered the invoice */
	bool		is_named;		/* bill_from is what is stored, and is taken as no alias */
	PoBalance	balance;		/* or NULL */
	void	   *balance_arg;
	HTAB	   *types;			/* what the statement has read of the taxonomy; or NULL */

	/* found */
	PoAccount	account;
	PoBill		bill;
	const PoOrder **orders;		/* usable ones read so far, newest first */
	int			norders;
	int			order_space;
	bool		all_orders_read;
	PoCandidate *candidates;	/* best first */
	int			ncandidates;
	int			space;
} PoFinder;

/* where a credit memo goes */
typedef enum PoFollow
{
	PO_FOLLOWS_NONE,			/* is no credit memo, or its original is not known */
	PO_FOLLOWS_BOOKED,
	PO_FOLLOWS_UNASSOCIATED
} PoFollow;

/* bill_from: the seller's own name */
extern PoFollow po_find_original(Oid schema, const PoInvoice *invoice,
								 text *bill_from, PoInvoice *original);

/* with the account known already; fills the candidates */
extern void po_find(PoFinder *finder);
extern void po_find_by_rules(PoFinder *finder);

/* steps of it, for explain.c */
extern PoFollow po_finder_original(PoFinder *finder, PoInvoice *original);
extern void po_finder_init_bill(PoFinder *finder, bool needs_date);
extern void po_finder_read_taxonomy(PoFinder *finder);
extern bool po_finder_add(PoFinder *finder, const PoOrder *order, const PoLineItem *item);
extern void po_finder_sort(PoFinder *finder);

#endif							/* PO_FIND_H */
