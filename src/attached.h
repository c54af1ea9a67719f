/*
 * attached.h
 *		The numbers in attached tables follow the association of their invoices.
 */
#ifndef PO_ATTACHED_H
#define PO_ATTACHED_H

#include "mapping.h"
#include "store.h"

/* the invoice is booked on these now, NULL for nothing; as the tables' owner */
extern void po_attached_follow(Oid schema, const PoInvoice *invoice,
							   text *po_number, text *line_number);

/* a table of the user's; an error where the caller is not its owner */
extern Relation po_open_own_table(Oid relid, LOCKMODE mode);

/* of a table that another one may own: what is constant in its generated columns is computed as its owner */
extern PoMapping *po_attached_mapping(const char *text, Relation rel, TupleDesc invoice);

#endif							/* PO_ATTACHED_H */
