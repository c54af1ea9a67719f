/*
 * store_whole.h
 *		All that a match reads of an account, read at once; for the store.
 */
#ifndef PO_STORE_WHOLE_H
#define PO_STORE_WHOLE_H

#include "store_scan.h"

/* the line items of an order */
typedef struct PoSpan
{
	int			first;
	int			end;
} PoSpan;

/* all that a match reads of an account; line items order by order */
struct PoConfiguration
{
	PoAccount	account;
	int			norders;
	PoOrder    *orders;			/* of a seller, newest first */
	PoLineItem *line_items;
	PoSpan	   *spans;			/* of each order */
};

/* false where there is too much of it, or it is not read by direct scans */
extern bool po_configuration_read(Oid schema, Snapshot snapshot, bool as_owner,
								  const PoAccount *account, PoArena *arena,
								  PoConfiguration *configuration);

#endif							/* PO_STORE_WHOLE_H */
