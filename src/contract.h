/*
 * contract.h
 *		Contracts of the marketplace: a line item each, on orders that are made
 *		or go on where need be.
 *
 * Decides, and has the store write as the current user; the triggers check
 * what they check for anybody's rows.
 */
#ifndef PO_CONTRACT_H
#define PO_CONTRACT_H

#include "store.h"

typedef struct PoContract
{
	text	   *account_id;
	text	   *po_number;
	text	   *bill_from;		/* the seller's own name */
	text	   *currency;		/* of an order that is made; NULL: the account's */
	text	   *agreement_id;
	PoMonth		start_month;
	PoMonth		end_month;
	Numeric		amount;
	text	   *line_number;	/* NULL: the next free integer */
	text	   *description;	/* or NULL */
} PoContract;

extern void po_contract_lock(Oid schema, text *account_id);
/* with the account locked; the line number */
extern text *po_contract_add(Oid schema, const PoContract *contract);

/*
 * As the owner, with the account locked, for an invoice that is associated
 * anew: makes the order that it asks for, where that is to be.  The account
 * has to be asked for again where it says that it did.
 */
extern bool po_contract_for_invoice(Oid schema, const PoInvoice *invoice,
									const PoAccount *account);

/* the order that a new invoice's agreement has now, if another; else NULL */
extern text *po_contract_moved_to(Oid schema, const PoInvoice *invoice);

#endif							/* PO_CONTRACT_H */
