/*
 * books.c
 *		Bookings that wait.  See books.h; books_write.c writes them.
 *
 * A subtransaction may end while bookings of an outer one wait (a user's
 * trigger with an exception block, say), and an inner statement writes what
 * the outer one has booked so far.  So a booking knows at which level of
 * nesting it was made and at which it was written: when that level is rolled
 * back, what was made there is gone, and what was only written there waits
 * again.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "access/xact.h"
#include "common/hashfn.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "booking.h"

/* what waits to be added to a line item's balance */
typedef struct Pending
{
	PoItemKey	key;
	text	   *account_id;
	int			nbookings;		/* that make up the amount */
	Numeric		amount;
} Pending;

/* all of it in the top transaction's memory */
static MemoryContext books_context = NULL;
static PoBooking **bookings;
static int	nbookings;
static int	bookings_space;
static HTAB *pending;
static int	nwaiting;			/* bookings not written, those in flight too */

/* ---- memory ---- */

static void
forget_bookings(void)
{
	if (books_context != NULL)
		MemoryContextDelete(books_context);
	books_context = NULL;
	bookings = NULL;
	nbookings = bookings_space = nwaiting = 0;
	pending = NULL;
}

static void
forget_if_empty(void)
{
	if (nbookings == 0 && books_context != NULL)
		forget_bookings();
}

HTAB *
po_item_hash(MemoryContext context, Size entrysize)
{
	HASHCTL		ctl;

	ctl.keysize = sizeof(PoItemKey);
	ctl.entrysize = entrysize;
	ctl.hcxt = context;
	return hash_create("po_mgmt line items", 64, &ctl,
					   HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

void *
po_item_find(HTAB *items, text *account_id, int64 line_item_id, bool *found)
{
	PoItemKey	key = {line_item_id, 0};

	key.account = hash_bytes_extended((const unsigned char *) VARDATA_ANY(account_id),
									  VARSIZE_ANY_EXHDR(account_id), 0);
	return hash_search(items, &key, found != NULL ? HASH_ENTER : HASH_FIND, found);
}

static void
create_books(void)
{
	if (books_context != NULL)
		return;
	books_context = AllocSetContextCreate(TopTransactionContext, "po_mgmt books",
										  ALLOCSET_DEFAULT_SIZES);
	pending = po_item_hash(books_context, sizeof(Pending));
	bookings_space = 64;
	bookings = MemoryContextAlloc(books_context, bookings_space * sizeof(PoBooking *));
}

/* ---- bookings ---- */

static void
forget_item(Pending *item)
{
	pfree(item->account_id);
	pfree(item->amount);
	hash_search(pending, &item->key, HASH_REMOVE, NULL);
}

/* adds to what waits for the line item's balance, or takes it back */
static void
add_pending(const PoBooking *booking, bool take_back)
{
	MemoryContext caller;
	Pending    *item;
	bool		found;

	if (booking->is_edit || booking->invoice != NULL)
		return;
	caller = MemoryContextSwitchTo(books_context);
	item = po_item_find(pending, booking->entry.account_id,
					 booking->entry.line_item_id, &found);
	if (!found)
	{
		item->account_id = po_text_copy(booking->entry.account_id);
		item->amount = po_money_copy(booking->entry.amount);
		item->nbookings = 1;
	}
	else
	{
		Numeric		before = item->amount;

		item->amount = take_back ? po_money_subtract(before, booking->entry.amount) :
			po_money_add(before, booking->entry.amount);
		pfree(before);
		item->nbookings += take_back ? -1 : 1;
		if (item->nbookings == 0)
			forget_item(item);
	}
	MemoryContextSwitchTo(caller);
}

static void
rebuild_pending(void)
{
	HASH_SEQ_STATUS status;
	Pending    *item;

	hash_seq_init(&status, pending);
	while ((item = hash_seq_search(&status)) != NULL)
		forget_item(item);
	nwaiting = 0;
	for (int i = 0; i < nbookings; i++)
	{
		if (bookings[i]->written == 0)
		{
			add_pending(bookings[i], false);
			nwaiting++;
		}
	}
}

static PoBooking *
make_booking(bool in_flight)
{
	PoBooking  *booking;

	if (nbookings == bookings_space)
	{
		bookings_space *= 2;
		bookings = repalloc_huge(bookings, bookings_space * sizeof(PoBooking *));
	}
	booking = palloc0(sizeof(PoBooking));
	bookings[nbookings++] = booking;
	booking->in_flight = in_flight;
	booking->level = GetCurrentTransactionNestLevel();
	nwaiting++;
	return booking;
}

PoBooking *
po_booking_make(const PoEntry *entry, bool tracked, bool in_flight, bool is_edit)
{
	MemoryContext caller;
	PoBooking  *booking;

	create_books();
	caller = MemoryContextSwitchTo(books_context);
	booking = make_booking(in_flight);
	booking->entry = *entry;
	booking->entry.account_id = po_text_copy(entry->account_id);
	booking->entry.po_number = po_text_copy(entry->po_number);
	booking->entry.line_number = po_text_copy(entry->line_number);
	booking->entry.bill_from = po_text_copy(entry->bill_from);
	booking->entry.invoice_id = po_text_copy(entry->invoice_id);
	booking->entry.recorded_by = po_text_copy(entry->recorded_by);
	booking->entry.note = po_text_copy(entry->note);
	booking->entry.amount = po_money_copy(entry->amount);
	booking->entry.balance_after = NULL;
	booking->tracked = tracked;
	booking->is_edit = is_edit;
	MemoryContextSwitchTo(caller);
	add_pending(booking, false);
	return booking;
}

static uint64
invoice_key(text *account_id, text *bill_from, text *invoice_id)
{
	text	   *parts[] = {account_id, bill_from, invoice_id};
	uint64		key = 0;

	for (size_t i = 0; i < lengthof(parts); i++)
		key = hash_bytes_extended((const unsigned char *) VARDATA_ANY(parts[i]),
								  VARSIZE_ANY_EXHDR(parts[i]), key + i);
	return key;
}

static text *
key_part(HeapTuple invoice, TupleDesc desc, int attribute)
{
	bool		isnull;

	return DatumGetTextPP(heap_getattr(invoice, attribute, desc, &isnull));
}

PoBooking *
po_booking_make_invoice(HeapTuple invoice, TupleDesc desc)
{
	MemoryContext caller;
	PoBooking  *booking;

	create_books();
	caller = MemoryContextSwitchTo(books_context);
	booking = make_booking(true);
	booking->invoice = heap_copytuple(invoice);
	MemoryContextSwitchTo(caller);
	booking->key = invoice_key(key_part(invoice, desc, Anum_invoice_account_id),
							   key_part(invoice, desc, Anum_invoice_bill_from),
							   key_part(invoice, desc, Anum_invoice_invoice_id));
	return booking;
}

/* is it the invoice?  That is asked for originals of credit memos only */
static bool
is_invoice(const PoBooking *booking, uint64 key, text *account_id, text *bill_from,
		   text *invoice_id, TupleDesc desc)
{
	return booking->invoice != NULL && booking->key == key && booking->written == 0 &&
		!booking->in_flight &&
		po_text_equal(key_part(booking->invoice, desc, Anum_invoice_account_id), account_id) &&
		po_text_equal(key_part(booking->invoice, desc, Anum_invoice_bill_from), bill_from) &&
		po_text_equal(key_part(booking->invoice, desc, Anum_invoice_invoice_id), invoice_id);
}

bool
po_books_read_invoice(Oid schema, text *account_id, text *bill_from, text *invoice_id,
					  PoInvoice *invoice)
{
	uint64		key = invoice_key(account_id, bill_from, invoice_id);
	Relation	rel;
	bool		found = false;

	if (nwaiting == 0)
		return false;
	rel = table_open(po_table_oid(schema, PO_INVOICE), AccessShareLock);
	for (int i = nbookings - 1; i >= 0 && !found; i--)
	{
		found = is_invoice(bookings[i], key, account_id, bill_from, invoice_id,
						   RelationGetDescr(rel));
		if (found)
			po_invoice_from_tuple(invoice, bookings[i]->invoice, RelationGetDescr(rel));
	}
	table_close(rel, NoLock);
	return found;
}

static void
free_text(text *value)
{
	if (value != NULL)
		pfree(value);
}

/* its row is in the table */
void
po_booking_land(PoBooking *booking)
{
	booking->in_flight = false;
}

/* of a row that was dropped; a statement may have very many of these */
void
po_booking_drop(PoBooking *booking)
{
	int			i = nbookings - 1;

	/* as a rule the last one */
	while (bookings[i] != booking)
		i--;
	memmove(&bookings[i], &bookings[i + 1], (--nbookings - i) * sizeof(PoBooking *));
	add_pending(booking, true);
	nwaiting--;
	if (booking->invoice != NULL)
	{
		heap_freetuple(booking->invoice);
		pfree(booking);
		return;
	}
	free_text(booking->entry.account_id);
	free_text(booking->entry.po_number);
	free_text(booking->entry.line_number);
	free_text(booking->entry.bill_from);
	free_text(booking->entry.invoice_id);
	free_text(booking->entry.recorded_by);
	free_text(booking->entry.note);
	pfree(booking->entry.amount);
	pfree(booking);
}

Numeric
po_books_balance(const PoLineItem *item, void *arg)
{
	const PoInvoice *invoice = arg;
	Numeric		balance = item->balance;
	Pending    *waiting = NULL;

	if (pending != NULL)
		waiting = po_item_find(pending, invoice->account_id, item->line_item_id, NULL);
	if (waiting != NULL)
		balance = po_money_add(balance, waiting->amount);
	if (invoice->line_item_id == item->line_item_id)
		balance = po_money_add(balance, invoice->amount);
	return balance;
}

bool
po_item_waits(text *account_id, int64 line_item_id)
{
	return pending != NULL && po_item_find(pending, account_id, line_item_id, NULL) != NULL;
}

int
po_books_waiting(void)
{
	return nwaiting;
}

/* ---- for books_write.c ---- */

PoBooking **
po_bookings_certain(bool invoices, int *n)
{
	PoBooking **certain = palloc((nwaiting + 1) * sizeof(PoBooking *));

	*n = 0;
	for (int i = 0; i < nbookings; i++)
		if (bookings[i]->written == 0 && !bookings[i]->in_flight &&
			(bookings[i]->invoice != NULL) == invoices)
			certain[(*n)++] = bookings[i];
	return certain;
}

void
po_bookings_written(PoBooking **written, int n)
{
	bool		entries = false;

	for (int i = 0; i < n; i++)
	{
		written[i]->written = GetCurrentTransactionNestLevel();
		entries = entries || written[i]->invoice == NULL;
	}
	nwaiting -= n;
	if (entries)
		rebuild_pending();
}

void
po_bookings_forget_written(void)
{
	int			kept = 0;

	for (int i = 0; i < nbookings; i++)
		if (bookings[i]->written == 0 || bookings[i]->written > bookings[i]->level)
			bookings[kept++] = bookings[i];
	nbookings = kept;
	forget_if_empty();
}

/* ---- ends of transactions ---- */

/* true where bookings were taken back, or wait again */
static bool
roll_back_level(int level)
{
	int			kept = 0;
	bool		changed = false;

	for (int i = 0; i < nbookings; i++)
	{
		PoBooking  *booking = bookings[i];

		if (booking->level >= level || booking->written >= level)
			changed = true;
		if (booking->level >= level)
			continue;
		if (booking->written >= level)
			booking->written = 0;
		bookings[kept++] = booking;
	}
	nbookings = kept;
	if (changed)
		rebuild_pending();
	return changed;
}

static void
merge_level(int level)
{
	int			kept = 0;

	for (int i = 0; i < nbookings; i++)
	{
		PoBooking  *booking = bookings[i];

		if (booking->level == level)
			booking->level--;
		if (booking->written == level)
			booking->written--;
		if (booking->written == 0 || booking->written > booking->level)
			bookings[kept++] = booking;
	}
	nbookings = kept;
}

bool
po_books_end_level(int level, bool rolled_back)
{
	if (rolled_back)
		return roll_back_level(level);
	merge_level(level);
	return false;
}

/* the memory goes with the transaction */
void
po_books_end(void)
{
	books_context = NULL;
	forget_bookings();
}
