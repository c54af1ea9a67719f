/*
 * associate.h
 *		What an invoice is booked on: by the rules, by hand, or as its original.
 *
 * Decides and reads; writes nothing.  As the tables' owner, with the account
 * locked and a snapshot taken since.
 */
#ifndef PO_ASSOCIATE_H
#define PO_ASSOCIATE_H

#include "store.h"

typedef struct PoAssociation
{
	const char *kind;			/* association_kind; NULL: not associated */
	text	   *po_number;
	text	   *line_number;
	int64		line_item_id;
	bool		tracked;
} PoAssociation;

/* as when the invoice is new; account is NULL where it is not known */
extern void po_associate(Oid schema, const PoInvoice *invoice,
						 const PoAccount *account, PoAssociation *association);

/* with invoice->po_number and, unless NULL, ->line_number */
extern void po_associate_by_hand(Oid schema, const PoInvoice *invoice,
								 const PoAccount *account,
								 PoAssociation *association);

/* ledger entries: of an invoice as it is booked, and for a new association */
extern void po_entry_of_invoice(PoEntry *entry, const PoInvoice *invoice,
								const char *kind, Numeric amount,
								TimestampTz booked_at);
extern void po_entry_of_association(PoEntry *entry, const PoInvoice *invoice,
									const PoAssociation *association,
									TimestampTz booked_at);
extern bool po_is_tracked(Oid schema, const PoInvoice *invoice);

/* nothing that changes what was booked in a closed month; may_tell: which one */
extern void po_check_open(const PoAccount *account, PoMonth month, bool may_tell);

#endif							/* PO_ASSOCIATE_H */
