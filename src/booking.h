/*
 * booking.h
 *		A booking, for books.c, which keeps those that wait, and books_write.c,
 *		which writes them; for nobody else.
 */
#ifndef PO_BOOKING_H
#define PO_BOOKING_H

#include "utils/hsearch.h"

#include "books.h"

/* an entry of the ledger, or the invoice of a row of an attached table */
struct PoBooking
{
	HeapTuple	invoice;		/* a row for po_invoice; then there is no entry */
	uint64		key;			/* a hash of the invoice's */
	PoEntry		entry;
	bool		tracked;
	bool		in_flight;		/* its row may yet be dropped */
	bool		is_edit;		/* of a line item, whose balance has it already */
	int			level;			/* of nesting, where it was made */
	int			written;		/* and where it was written; 0: it waits */
};

/* a line item; ids of two accounts may be equal where history was merged */
typedef struct PoItemKey
{
	int64		line_item_id;
	uint64		account;		/* a hash */
} PoItemKey;

/* a hash of line items, whose entries begin with the key */
extern HTAB *po_item_hash(MemoryContext context, Size entrysize);

/* the line item's entry: entered, or where found is NULL, or NULL */
extern void *po_item_find(HTAB *items, text *account_id, int64 line_item_id, bool *found);

/* does an entry for the line item wait? */
extern bool po_item_waits(text *account_id, int64 line_item_id);

/* what waits and is certain: invoices, or entries */
extern PoBooking **po_bookings_certain(bool invoices, int *n);

/* count as written from here on */
extern void po_bookings_written(PoBooking **written, int n);

/* forgets what is written for good */
extern void po_bookings_forget_written(void);

#endif							/* PO_BOOKING_H */
