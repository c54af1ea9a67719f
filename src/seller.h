/*
 * seller.h
 *		Sellers: their names, and which types of charge they bill; and the payers
 *		of linked accounts.  As the owner.
 */
#ifndef PO_SELLER_H
#define PO_SELLER_H

#include "row.h"

/* the seller's own name for a name or an alias; the name itself if unknown */
extern text *po_seller_name(Oid schema, text *name);

/*
 * Of an invoice's account, seller and number, the seller becomes the name that
 * is stored: its own, or one that was no alias of it when the invoice came.
 */
extern void po_name_as_stored(Oid schema, Datum *key);

/* the payer that a linked account belongs to; NULL for any other account */
extern text *po_payer_of(Oid schema, text *account_id);

/* errors where it is not known; is it enabled? */
extern bool po_require_seller(Oid schema, text *bill_from);
extern void po_require_type(Oid schema, PoLineType *line_type);

/* would a new order of the seller, with a line item of that type, be accepted? */
extern bool po_seller_may_bill(Oid schema, text *bill_from, PoLineType *line_type);

/* errors, for orders and line items; may_name: the caller may know the seller */
extern void po_check_seller(Oid schema, text *bill_from);
extern void po_check_type(Oid schema, PoLineType *line_type);
extern void po_check_seller_bills(Oid schema, text *bill_from,
								  PoLineType *line_type, bool may_name);

#endif							/* PO_SELLER_H */
