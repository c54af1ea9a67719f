/*
 * best.h
 *		The best line item for an invoice that is being booked.
 */
#ifndef PO_BEST_H
#define PO_BEST_H

#include "row.h"

/*
 * As the tables' owner, with the account locked and a snapshot taken since.
 * Balances are as the running statement has left them.
 */
extern bool po_best_find(Oid schema, const PoInvoice *invoice,
						 const PoAccount *account, PoLineItem *best);

#endif							/* PO_BEST_H */
