/*
 * flight.h
 *		Rows of po_invoice and of attached tables on their way into the table,
 *		and when to write.
 *
 * A row may still be dropped after our BEFORE trigger let it go (a conflict,
 * another trigger): its booking counts once the row is found in the table.
 */
#ifndef PO_FLIGHT_H
#define PO_FLIGHT_H

#include "books.h"
#include "statement.h"

extern void po_flight_init(void);

/* what a statement does to a row of po_invoice */
typedef enum PoRowChange
{
	PO_ROW_INSERTED,
	PO_ROW_UPDATED,
	PO_ROW_DELETED
} PoRowChange;

/*
 * A row of po_invoice as our BEFORE trigger lets it go (the old one of a
 * delete), and the place of its old version (NULL for a new row); is_final:
 * no other trigger can change it.
 */
extern void po_flight_row(Relation rel, PoRowChange change, HeapTuple tuple,
						  ItemPointer old_place, bool is_final);

/*
 * A new row of an attached table, which no other trigger can change any more,
 * and its row of po_invoice, which is written with the books.
 */
extern void po_flight_attached_row(Relation rel, HeapTuple tuple, HeapTuple invoice,
								   TupleDesc desc);

/* an entry that this row means; at most two, or one of an attached table */
extern void po_flight_book(const PoEntry *entry, bool tracked);

/*
 * For ON CONFLICT DO UPDATE: the row that the trigger's statement meant to
 * insert in place of this one; else NULL.
 */
extern HeapTuple po_flight_conflicting(HeapTuple old, TupleDesc desc);

/* an edit of a line item that the running statement stores with its balance */
extern void po_flight_add_edit(const PoEntry *entry, bool tracked);

/* the invoice of a row that an attached table has already; entry: or NULL */
extern void po_flight_add_invoice(HeapTuple invoice, TupleDesc desc, const PoEntry *entry,
								  bool tracked);

/* between two rows of many: keeps memory bounded */
extern void po_flight_next_row(Oid schema);

/* writes all that is booked, and forgets the accounts */
extern void po_flight_close(Oid schema);

/* does so after the row of an invoice, unless a function associates many anew */
extern void po_flight_after(Oid schema);
extern bool po_flight_hold(bool hold);

/*
 * Rows of attached tables are updated and deleted in po_invoice one by one, in
 * AFTER ROW.  Their BEFORE trigger says that one comes, their AFTER trigger that
 * it came: true for the last, when what was held is to be written.
 */
extern void po_flight_row_coming(void);
extern bool po_flight_row_came(void);

#endif							/* PO_FLIGHT_H */
