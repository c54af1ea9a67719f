/*
 * books.h
 *		Bookings that are decided on but not yet written.
 *
 * Invoices are matched one by one in BEFORE ROW triggers, against balances
 * that include what the statement has booked so far; balances and ledger are
 * written once, at the statement's first AFTER ROW event.  Which rows came to
 * be is flight.h's; only that file makes, drops and writes bookings.
 */
#ifndef PO_BOOKS_H
#define PO_BOOKS_H

#include "store.h"

typedef struct PoBooking PoBooking;

/*
 * The line item's balance with what is booked on it and not yet written; and
 * as if the invoice, a PoInvoice, had its own amount given back.
 */
extern Numeric po_books_balance(const PoLineItem *item, void *invoice);

/* is a line item booked on by what is not written yet? then it must stay as it is */
extern bool po_books_wait_for(text *account_id, int64 line_item_id);

/* an invoice of an attached table that is not written yet */
extern bool po_books_read_invoice(Oid schema, text *account_id, text *bill_from,
								  text *invoice_id, PoInvoice *invoice);

/* for flight.c */
extern PoBooking *po_booking_make(const PoEntry *entry, bool tracked, bool in_flight,
								  bool is_edit);
extern PoBooking *po_booking_make_invoice(HeapTuple invoice, TupleDesc desc);
extern void po_booking_land(PoBooking *booking);
extern void po_booking_drop(PoBooking *booking);
extern int	po_books_waiting(void);
extern void po_books_write(Oid schema);
extern bool po_books_end_level(int level, bool rolled_back);
extern void po_books_end(void);

#endif							/* PO_BOOKS_H */
