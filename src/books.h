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
extern void po_books_forget_accounts(void);

/* before a row is looked at: what became of the one before it? */
extern void po_books_next_row(Oid schema);

/* the line item's balance, with what is booked on it and not yet written */
extern Numeric po_books_balance(const PoLineItem *item, void *arg);

/*
 * A row of po_invoice as its BEFORE INSERT trigger returns it, with its entry
 * where it was booked (else NULL).
 */
extern void po_books_insert(Relation rel, HeapTuple tuple, const PoEntry *entry,
							bool tracked);

/*
 * For ON CONFLICT DO UPDATE: the row of the last po_books_insert, where it
 * has this key and was not inserted; else NULL.
 */
extern HeapTuple po_books_conflicting(HeapTuple old, TupleDesc desc);

/* a booking whose row is certain */
extern void po_books_add(const PoEntry *entry, bool tracked);

/* writes all that is booked, and forgets the accounts */
extern void po_books_close(Oid schema);
extern bool po_books_are_empty(void);

/*
 * What a BEFORE ROW trigger leaves to the AFTER ROW trigger: to count what is
 * in the table against a limit, say.  However many rows ask for it, it is
 * done once; for history, which asks for nothing, not at all.  The kind is a
 * letter that the trigger chooses.
 */
extern void po_books_owe(char kind, text *account_id, text *name);
extern bool po_books_take(char kind, text *account_id, text *name);

/* the same for single rows: the ids of line items that need an opening entry */
extern void po_books_owe_opening(int64 line_item_id);
extern bool po_books_take_opening(int64 line_item_id);

#endif							/* PO_BOOKS_H */
