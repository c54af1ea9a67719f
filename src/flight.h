/*
 * flight.h
 *		Rows of po_invoice on their way into the table, and when to write.
 *
 * A row may still be dropped after our BEFORE trigger let it go (a conflict,
 * another trigger): its booking counts once the row is found in the table.
 */
#ifndef PO_FLIGHT_H
#define PO_FLIGHT_H

#include "books.h"
#include "statement.h"

extern void po_flight_init(void);

/*
 * The depth at which rows that are not found were dropped: in a trigger, that
 * of its own statement; in a function, that of statements inside it.
 */
#define PO_IN_TRIGGER	po_trigger_depth()
#define PO_IN_FUNCTION	(po_trigger_depth() + 1)

/* in a BEFORE trigger: what became of the row before this one? */
extern void po_flight_next_row(Oid schema);

/* what a statement does to a row of po_invoice */
typedef enum PoRowChange
{
	PO_ROW_INSERTED,
	PO_ROW_UPDATED,
	PO_ROW_DELETED
} PoRowChange;

/*
 * A row of po_invoice as our BEFORE trigger lets it go (the old one of a
 * delete), the place of its old version (NULL for a new row), and the entry
 * that it means, or NULL.
 */
extern void po_flight_row(Relation rel, PoRowChange change, HeapTuple tuple,
						  ItemPointer old_place, const PoEntry *entry, bool tracked);

/*
 * For ON CONFLICT DO UPDATE: the last row to be inserted, where it has this
 * key and was not inserted; else NULL.
 */
extern HeapTuple po_flight_conflicting(HeapTuple old, TupleDesc desc);

/* a booking whose row is certain */
extern void po_flight_add(const PoEntry *entry, bool tracked, int depth);

/* an edit of a line item that the running statement stores with its balance */
extern void po_flight_add_edit(const PoEntry *entry, bool tracked);

/* keeps memory bounded, between two invoices of many */
extern void po_flight_write_if_many(Oid schema, int depth);

/* writes all that is booked, and forgets the accounts */
extern void po_flight_close(Oid schema, int depth);

#endif							/* PO_FLIGHT_H */
