/*
 * books.h
 *		The books of the running statement: accounts that are locked, and
 *		bookings that are decided on but not yet written.
 *
 * Invoices are matched one by one in BEFORE ROW triggers, against balances
 * that include what the statement has booked so far; balances and ledger are
 * written once, at the statement's first AFTER ROW event.  A row may still be
 * dropped after our BEFORE trigger (a conflict, another trigger): a booking
 * counts once its row is found in the table.
 */
#ifndef PO_BOOKS_H
#define PO_BOOKS_H

#include "store.h"

extern void po_books_init(void);

/* what an account is locked for */
typedef enum PoUse
{
	PO_FOR_CONFIGURATION,
	PO_FOR_BOOKING
} PoUse;

/* the account, locked once a statement; NULL where it is not known */
extern const PoAccount *po_books_account(Oid schema, text *account_id, PoUse use);
/* the time for its entries and stamps, from its lock */
extern TimestampTz po_books_time(Oid schema, text *account_id, PoUse use);
extern void po_books_forget_accounts(void);

/*
 * The depth at which rows that are not found were dropped: in a trigger, that
 * of its own statement; in a function, that of statements inside it.
 */
#define PO_IN_TRIGGER	po_trigger_depth()
#define PO_IN_FUNCTION	(po_trigger_depth() + 1)

/* in a BEFORE trigger: what became of the row before this one? */
extern void po_books_next_row(Oid schema);

/*
 * The line item's balance with what is booked on it and not yet written; and
 * as if the invoice, a PoInvoice, had its own amount given back.
 */
extern Numeric po_books_balance(const PoLineItem *item, void *invoice);

/*
 * Another number whenever what was read of an account may no longer be what
 * it is: when balances are written, accounts forgotten, work rolled back.
 * Until then memory of po_books_memory() holds what one likes to remember.
 */
extern uint64 po_books_generation(void);
extern MemoryContext po_books_memory(void);
extern void po_books_forget_memory(void);

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
extern void po_books_row(Relation rel, PoRowChange change, HeapTuple tuple,
						 ItemPointer old_place, const PoEntry *entry, bool tracked);

/*
 * For ON CONFLICT DO UPDATE: the last row to be inserted, where it has this
 * key and was not inserted; else NULL.
 */
extern HeapTuple po_books_conflicting(HeapTuple old, TupleDesc desc);

/* a booking whose row is certain */
extern void po_books_add(const PoEntry *entry, bool tracked, int depth);

/* is a line item booked on by what is not written yet? then it must stay as it is */
extern bool po_books_wait_for(text *account_id, int64 line_item_id);

/* keeps memory bounded, between two invoices of many */
extern void po_books_flush_if_many(Oid schema, int depth);

/* writes all that is booked, and forgets the accounts */
extern void po_books_close(Oid schema, int depth);

/*
 * For triggers that do something once a statement, such as to count what is
 * in the table against a limit.  A BEFORE ROW trigger says that rows are on
 * their way; the first AFTER ROW trigger with this kind (a letter), account
 * and name gets true.
 */
extern void po_books_rows_coming(void);
extern bool po_books_first(char kind, text *account_id, text *name);

/*
 * What our BEFORE INSERT trigger tells AFTER INSERT of a row: that it was seen
 * with this stamp, and this key where that matters.
 */
extern void po_books_seen(TimestampTz stamp, uint64 key);
extern bool po_books_was_seen(TimestampTz stamp, uint64 key);

#endif							/* PO_BOOKS_H */
