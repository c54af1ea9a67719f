/*
 * books.c
 *		The books of the running statement.  See books.h.
 *
 * A subtransaction may end while bookings of an outer one wait (a user's
 * trigger with an exception block, say), and an inner statement writes what
 * the outer one has booked so far.  So a booking knows at which level of
 * nesting it was made and at which it was written: when that level is rolled
 * back, what was made there is gone, and what was only written there waits
 * again.
 *
 * A row that our BEFORE trigger let go is in flight until it is found in the
 * table, or until its own statement goes on without it.  A statement inside a
 * trigger that fires after ours meets such rows; the depth of triggers tells
 * them from rows that were dropped.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "common/hashfn.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/fmgrprotos.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "books.h"
#include "clock.h"

/* written when so many wait, so that memory stays bounded */
#define MAX_PENDING		10000
/* accounts remembered; forgetting one costs time only */
#define MAX_ACCOUNTS	10000

typedef struct Booking
{
	PoEntry		entry;
	bool		tracked;
	bool		in_flight;		/* its row may yet be dropped */
	int			level;			/* of nesting, where it was made */
	int			written;		/* and where it was written; 0: it waits */
} Booking;

/* a row that our BEFORE trigger let go */
typedef struct Flight
{
	struct Flight *outer;		/* of the statement around */
	HeapTuple	tuple;
	PoRowChange change;
	ItemPointerData place;		/* of the old version, in an update */
	Oid			relid;
	int			depth;			/* of triggers */
	int			level;			/* of transactions */
	Booking    *booking;		/* or NULL */
} Flight;

/* a line item; ids of two accounts may be equal where history was merged */
typedef struct ItemKey
{
	int64		line_item_id;
	uint64		account;		/* a hash */
} ItemKey;

/* what waits to be added to a line item's balance */
typedef struct Pending
{
	ItemKey		key;
	text	   *account_id;
	int			nbookings;		/* that make up the amount */
	Numeric		amount;
	Numeric		balance;		/* while writing: after the next entry back */
} Pending;

/* a row between BEFORE and AFTER INSERT */
typedef struct Seen
{
	TimestampTz stamp;
	uint64		key;
} Seen;

typedef struct KnownAccount
{
	text	   *account_id;		/* key */
	PoAccount	account;
} KnownAccount;

/* all of it in the top transaction's memory */
static MemoryContext books_context = NULL;
static Booking **bookings;
static int	nbookings;
static int	bookings_space;
static HTAB *pending;
static int	nwaiting;			/* bookings not written, those in flight too */
static Flight *flights;			/* the innermost first */
static bool writing = false;
static bool writing_ledger = false;

static MemoryContext accounts_context = NULL;
static HTAB *accounts;

static PoUse accounts_use;
static int	accounts_level;		/* the deepest at which one was locked */

/* what is remembered besides, see po_books_generation */
static MemoryContext memory = NULL;
static uint64 generation = 0;

static MemoryContext firsts_context = NULL;
static HTAB *firsts;

static MemoryContext seen_context = NULL;
static HTAB *seen;

static text *
copy_text(const text *value)
{
	return value == NULL ? NULL :
		cstring_to_text_with_len(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
}

static Numeric
copy_numeric(Numeric value)
{
	return value == NULL ? NULL :
		DatumGetNumeric(datumCopy(NumericGetDatum(value), false, -1));
}

static Numeric
add(Numeric a, Numeric b)
{
	return DatumGetNumeric(DirectFunctionCall2(numeric_add, NumericGetDatum(a),
											   NumericGetDatum(b)));
}

static Numeric
subtract(Numeric a, Numeric b)
{
	return DatumGetNumeric(DirectFunctionCall2(numeric_sub, NumericGetDatum(a),
											   NumericGetDatum(b)));
}

/* ---- memory ---- */

static void
forget_context(MemoryContext *context)
{
	if (*context != NULL)
		MemoryContextDelete(*context);
	*context = NULL;
}

/* for what was read before may be no longer true, or is too much */
void
po_books_forget_memory(void)
{
	generation++;
	forget_context(&memory);
}

uint64
po_books_generation(void)
{
	return generation;
}

MemoryContext
po_books_memory(void)
{
	if (memory == NULL)
		memory = AllocSetContextCreate(TopTransactionContext, "po_mgmt memory",
									   ALLOCSET_DEFAULT_SIZES);
	return memory;
}

void
po_books_forget_accounts(void)
{
	forget_context(&accounts_context);
	accounts = NULL;
	accounts_level = 0;
	po_books_forget_memory();
}

static void
forget_bookings(void)
{
	forget_context(&books_context);
	bookings = NULL;
	nbookings = bookings_space = nwaiting = 0;
	pending = NULL;
	flights = NULL;
}

static void
forget_if_empty(void)
{
	if (nbookings == 0 && flights == NULL && books_context != NULL)
		forget_bookings();
}

static HTAB *
create_item_hash(MemoryContext context)
{
	HASHCTL		ctl;

	ctl.keysize = sizeof(ItemKey);
	ctl.entrysize = sizeof(Pending);
	ctl.hcxt = context;
	return hash_create("po_mgmt line items", 64, &ctl,
					   HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

static Pending *
find_item(HTAB *items, text *account_id, int64 line_item_id, bool *found)
{
	ItemKey		key = {line_item_id, 0};

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
	pending = create_item_hash(books_context);
	bookings_space = 64;
	bookings = MemoryContextAlloc(books_context, bookings_space * sizeof(Booking *));
}

/* ---- accounts ---- */

static void
remember_account(const PoAccount *account)
{
	MemoryContext caller;
	KnownAccount *known;
	text	   *account_id;
	bool		found;

	if (accounts == NULL)
	{
		accounts_context = AllocSetContextCreate(TopTransactionContext,
												 "po_mgmt accounts",
												 ALLOCSET_DEFAULT_SIZES);
		accounts = po_text_hash_create("po_mgmt accounts", sizeof(KnownAccount),
									accounts_context);
	}
	caller = MemoryContextSwitchTo(accounts_context);
	account_id = copy_text(account->account_id);
	known = hash_search(accounts, &account_id, HASH_ENTER, &found);
	accounts_level = Max(accounts_level, GetCurrentTransactionNestLevel());
	known->account = *account;
	known->account.account_id = account_id;
	known->account.currency = copy_text(account->currency);
	known->account.time_zone = copy_text(account->time_zone);
	MemoryContextSwitchTo(caller);
}

const PoAccount *
po_books_account(Oid schema, text *account_id, PoUse use)
{
	PoAccount	account;

	if (accounts != NULL &&
		(accounts_use != use || hash_get_num_entries(accounts) >= MAX_ACCOUNTS))
		po_books_forget_accounts();
	accounts_use = use;
	if (accounts == NULL ||
		hash_search(accounts, &account_id, HASH_FIND, NULL) == NULL)
	{
		if (!po_lock_account(schema, account_id, &account))
			return NULL;
		remember_account(&account);
	}
	return &((KnownAccount *) hash_search(accounts, &account_id, HASH_FIND, NULL))->account;
}

/* an account that is deleted in the same statement has no time of its own */
TimestampTz
po_books_time(Oid schema, text *account_id, PoUse use)
{
	const PoAccount *account = po_books_account(schema, account_id, use);

	return account != NULL ? account->booked_at : po_clock_stamp();
}

/* ---- once a statement ---- */

void
po_books_rows_coming(void)
{
	forget_context(&firsts_context);
	firsts = NULL;
}

bool
po_books_first(char kind, text *account_id, text *name)
{
	MemoryContext caller;
	text	   *key;
	bool		found;

	if (firsts == NULL)
	{
		firsts_context = AllocSetContextCreate(TopTransactionContext,
											   "po_mgmt firsts",
											   ALLOCSET_SMALL_SIZES);
		firsts = po_text_hash_create("po_mgmt firsts", sizeof(text *), firsts_context);
	}
	caller = MemoryContextSwitchTo(firsts_context);
	/* the length parts the names, so that no two pairs give one key */
	key = cstring_to_text(psprintf("%c%zu %s %s", kind,
								   (size_t) VARSIZE_ANY_EXHDR(account_id),
								   text_to_cstring(account_id),
								   name ? text_to_cstring(name) : ""));
	hash_search(firsts, &key, HASH_ENTER, &found);
	MemoryContextSwitchTo(caller);
	return !found;
}

void
po_books_seen(TimestampTz stamp, uint64 key)
{
	Seen		row = {stamp, key};

	if (seen == NULL)
	{
		HASHCTL		ctl;

		seen_context = AllocSetContextCreate(TopTransactionContext, "po_mgmt seen",
											 ALLOCSET_SMALL_SIZES);
		ctl.keysize = ctl.entrysize = sizeof(Seen);
		ctl.hcxt = seen_context;
		seen = hash_create("po_mgmt seen", 64, &ctl,
						   HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	hash_search(seen, &row, HASH_ENTER, NULL);
}

bool
po_books_was_seen(TimestampTz stamp, uint64 key)
{
	Seen		row = {stamp, key};

	return seen != NULL && hash_search(seen, &row, HASH_REMOVE, NULL) != NULL;
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
add_pending(const Booking *booking, bool take_back)
{
	MemoryContext caller;
	Pending    *item;
	bool		found;

	if (!booking->tracked)
		return;
	caller = MemoryContextSwitchTo(books_context);
	item = find_item(pending, booking->entry.account_id,
					 booking->entry.line_item_id, &found);
	if (!found)
	{
		item->account_id = copy_text(booking->entry.account_id);
		item->amount = copy_numeric(booking->entry.amount);
		item->nbookings = 1;
	}
	else
	{
		Numeric		before = item->amount;

		item->amount = take_back ? subtract(before, booking->entry.amount) :
			add(before, booking->entry.amount);
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

static Booking *
append_booking(const PoEntry *entry, bool tracked)
{
	MemoryContext caller;
	Booking    *booking;

	create_books();
	caller = MemoryContextSwitchTo(books_context);
	if (nbookings == bookings_space)
	{
		bookings_space *= 2;
		bookings = repalloc_huge(bookings, bookings_space * sizeof(Booking *));
	}
	booking = palloc(sizeof(Booking));
	bookings[nbookings++] = booking;
	booking->entry = *entry;
	booking->entry.account_id = copy_text(entry->account_id);
	booking->entry.po_number = copy_text(entry->po_number);
	booking->entry.line_number = copy_text(entry->line_number);
	booking->entry.bill_from = copy_text(entry->bill_from);
	booking->entry.invoice_id = copy_text(entry->invoice_id);
	booking->entry.recorded_by = copy_text(entry->recorded_by);
	booking->entry.note = copy_text(entry->note);
	booking->entry.amount = copy_numeric(entry->amount);
	booking->entry.balance_after = NULL;
	booking->tracked = tracked;
	booking->in_flight = false;
	booking->level = GetCurrentTransactionNestLevel();
	booking->written = 0;
	nwaiting++;
	MemoryContextSwitchTo(caller);
	add_pending(booking, false);
	return booking;
}

static void
free_text(text *value)
{
	if (value != NULL)
		pfree(value);
}

/* of a row that was dropped; a statement may have very many of these */
static void
drop_booking(Booking *booking)
{
	int			i = nbookings - 1;

	/* as a rule the last one */
	while (bookings[i] != booking)
		i--;
	memmove(&bookings[i], &bookings[i + 1], (--nbookings - i) * sizeof(Booking *));
	add_pending(booking, true);
	nwaiting--;
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
		waiting = find_item(pending, invoice->account_id, item->line_item_id, NULL);
	if (waiting != NULL)
		balance = add(balance, waiting->amount);
	if (invoice->line_item_id == item->line_item_id)
		balance = add(balance, invoice->amount);
	return balance;
}

/* ---- rows: did it come to pass? ---- */

/*
 * A trigger that fires after ours may set other columns, such as its own, but
 * not those that the invoice was matched by.
 */
static void
check_unchanged(HeapTuple expected, HeapTuple stored, TupleDesc desc)
{
	uint32		header = expected->t_data->t_hoff;

	/* as a rule they are the same to the byte */
	if (expected->t_len == stored->t_len && header == stored->t_data->t_hoff &&
		memcmp((char *) expected->t_data + header,
			   (char *) stored->t_data + header, expected->t_len - header) == 0 &&
		(!HeapTupleHasNulls(expected) ||
		 memcmp(expected->t_data->t_bits, stored->t_data->t_bits,
				BITMAPLEN(desc->natts)) == 0))
		return;
	for (int attribute = 1; attribute <= Anum_invoice_recorded_at; attribute++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, attribute - 1);
		bool		expected_isnull;
		bool		stored_isnull;
		Datum		expected_value = heap_getattr(expected, attribute, desc, &expected_isnull);
		Datum		stored_value = heap_getattr(stored, attribute, desc, &stored_isnull);

		if (attribute == Anum_invoice_due_on)
			continue;
		if (expected_isnull != stored_isnull ||
			(!stored_isnull &&
			 !datum_image_eq(expected_value, stored_value, att->attbyval, att->attlen)))
			ereport(ERROR,
					(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
					 errmsg("column \"%s\" of \"po_invoice\" was changed after the invoice was matched",
							NameStr(att->attname)),
					 errhint("Let the trigger that changes it fire before \"~po_mgmt_before\", which is by name.")));
	}
}

/* the key columns come first in the table */
static bool
same_invoice(HeapTuple a, HeapTuple b, TupleDesc desc)
{
	for (int attribute = Anum_invoice_account_id; attribute <= Anum_invoice_invoice_id; attribute++)
	{
		bool		isnull;
		text	   *left = DatumGetTextPP(heap_getattr(a, attribute, desc, &isnull));
		text	   *right = DatumGetTextPP(heap_getattr(b, attribute, desc, &isnull));

		if (!po_text_equal(left, right))
			return false;
	}
	return true;
}

/*
 * Is the row that is stored under the key now the one that we let go?  An
 * inserted one is told from another of the same key by its stamp, an updated
 * one from its old version by its place.
 */
static bool
has_landed(Flight *flight, HeapTuple stored, TupleDesc desc)
{
	bool		isnull;

	switch (flight->change)
	{
		case PO_ROW_INSERTED:
			return stored != NULL &&
				TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetXmin(stored->t_data)) &&
				heap_getattr(stored, Anum_invoice_recorded_at, desc, &isnull) ==
				heap_getattr(flight->tuple, Anum_invoice_recorded_at, desc, &isnull);
		case PO_ROW_UPDATED:
			return stored != NULL &&
				!ItemPointerEquals(&stored->t_self, &flight->place);
		case PO_ROW_DELETED:
			return stored == NULL;
	}
	return false;				/* keep compiler quiet */
}

static bool
look_up(Flight *flight)
{
	Relation	rel = RelationIdGetRelation(flight->relid);
	HeapTuple	stored;
	bool		landed;

	if (!RelationIsValid(rel))
		return false;			/* dropped since, and its rows with it */
	stored = po_fetch_invoice(rel, flight->tuple);
	landed = has_landed(flight, stored, RelationGetDescr(rel));
	if (landed && stored != NULL)
		check_unchanged(flight->tuple, stored, RelationGetDescr(rel));
	if (stored != NULL)
		heap_freetuple(stored);
	RelationClose(rel);
	return landed;
}

/* takes a flight out of the list; its tuple is the caller's to free */
static void
end_flight(Flight **link, bool landed)
{
	Flight	   *flight = *link;

	*link = flight->outer;
	if (flight->booking != NULL && landed)
		flight->booking->in_flight = false;
	else if (flight->booking != NULL)
		drop_booking(flight->booking);
	pfree(flight);
}

/*
 * What became of the rows in flight?  Those of this depth of triggers and
 * deeper ones have landed or were dropped.  One of a statement around may
 * still be on its way.
 */
static void
settle(int depth)
{
	Flight	  **link = &flights;

	while (*link != NULL)
	{
		Flight	   *flight = *link;
		HeapTuple	tuple = flight->tuple;
		bool		landed = look_up(flight);

		if (landed || flight->depth >= depth)
		{
			end_flight(link, landed);
			heap_freetuple(tuple);
		}
		else
			link = &flight->outer;
	}
}

void
po_books_row(Relation rel, PoRowChange change, HeapTuple tuple,
			 ItemPointer old_place, const PoEntry *entry, bool tracked)
{
	Booking    *booking = entry == NULL ? NULL : append_booking(entry, tracked);
	MemoryContext caller;
	Flight	   *flight;

	create_books();
	caller = MemoryContextSwitchTo(books_context);
	flight = palloc0(sizeof(Flight));
	flight->tuple = heap_copytuple(tuple);
	MemoryContextSwitchTo(caller);
	flight->change = change;
	if (old_place != NULL)
		flight->place = *old_place;
	flight->relid = RelationGetRelid(rel);
	flight->depth = po_trigger_depth();
	flight->level = GetCurrentTransactionNestLevel();
	flight->booking = booking;
	if (booking != NULL)
		booking->in_flight = true;
	flight->outer = flights;
	flights = flight;
}

HeapTuple
po_books_conflicting(HeapTuple old, TupleDesc desc)
{
	Flight	   *flight = flights;
	HeapTuple	proposed;

	if (flight == NULL || flight->change != PO_ROW_INSERTED ||
		flight->depth != po_trigger_depth() || look_up(flight) ||
		!same_invoice(flight->tuple, old, desc))
		return NULL;
	proposed = heap_copytuple(flight->tuple);
	heap_freetuple(flight->tuple);
	end_flight(&flights, false);
	return proposed;
}

void
po_books_add(const PoEntry *entry, bool tracked, int depth)
{
	settle(depth);
	append_booking(entry, tracked);
}

/* ---- writing ---- */

/* the moves that the bookings make together, one a line item */
static HTAB *
sum_up(Booking **certain, int n)
{
	HTAB	   *sums = create_item_hash(CurrentMemoryContext);

	for (int i = 0; i < n; i++)
	{
		Pending    *sum;
		bool		found;

		if (!certain[i]->tracked)
			continue;
		sum = find_item(sums, certain[i]->entry.account_id,
						certain[i]->entry.line_item_id, &found);
		sum->account_id = certain[i]->entry.account_id;
		sum->amount = found ? add(sum->amount, certain[i]->entry.amount) :
			certain[i]->entry.amount;
	}
	return sums;
}

/* the moves as an array, each with the balance before it */
static PoMove *
list_moves(Oid schema, HTAB *sums, int *nmoves)
{
	PoMove	   *moves = palloc((hash_get_num_entries(sums) + 1) * sizeof(PoMove));
	HASH_SEQ_STATUS status;
	Pending    *sum;
	int			n = 0;

	hash_seq_init(&status, sums);
	while ((sum = hash_seq_search(&status)) != NULL)
	{
		moves[n].account_id = sum->account_id;
		moves[n].line_item_id = sum->key.line_item_id;
		moves[n].amount = sum->amount;
		n++;
	}
	if (n > 0)
		po_read_balances(schema, moves, n);
	*nmoves = n;
	return moves;
}

/*
 * The entries in their order, each with the balance after it.  What an
 * account was locked for in the meantime has written entries of its own; time
 * does not go back behind those.
 */
static PoEntry *
complete_entries(Booking **certain, int n, HTAB *sums, PoMove *moves, int nmoves)
{
	PoEntry    *entries = palloc(n * sizeof(PoEntry));

	for (int i = 0; i < nmoves; i++)
		find_item(sums, moves[i].account_id, moves[i].line_item_id, NULL)->balance =
			moves[i].balance;
	for (int i = 0; i < n; i++)
	{
		KnownAccount *known = NULL;
		Pending    *sum;

		entries[i] = certain[i]->entry;
		if (accounts != NULL)
			known = hash_search(accounts, &entries[i].account_id, HASH_FIND, NULL);
		if (known != NULL)
			entries[i].recorded_at = Max(entries[i].recorded_at, known->account.booked_at);
		if (!certain[i]->tracked)
			continue;
		sum = find_item(sums, entries[i].account_id, entries[i].line_item_id, NULL);
		if (sum->balance != NULL)
			sum->balance = add(sum->balance, entries[i].amount);
		entries[i].balance_after = sum->balance;
	}
	return entries;
}

/* forgets what is written for good */
static void
forget_written(void)
{
	int			kept = 0;

	for (int i = 0; i < nbookings; i++)
		if (bookings[i]->written == 0 || bookings[i]->written > bookings[i]->level)
			bookings[kept++] = bookings[i];
	nbookings = kept;
	forget_if_empty();
}

/*
 * Ledger first, then balances: a user's trigger on po_line_item that books or
 * edits finds the ledger complete.  By then the bookings count as written.
 */
static void
write_bookings(Oid schema, Booking **certain, int n)
{
	int			level = GetCurrentTransactionNestLevel();
	HTAB	   *sums = sum_up(certain, n);
	int			nmoves;
	PoMove	   *moves = list_moves(schema, sums, &nmoves);

	writing_ledger = true;
	po_write_ledger(schema, complete_entries(certain, n, sums, moves, nmoves), n);
	writing_ledger = false;
	for (int i = 0; i < n; i++)
		certain[i]->written = level;
	rebuild_pending();
	po_books_forget_memory();
	if (nmoves > 0)
		po_move_balances(schema, moves, nmoves);
}

/* all that waits and is certain; also what is booked while that is written */
static void
write_certain(Oid schema)
{
	int			n;

	do
	{
		MemoryContext work = AllocSetContextCreate(CurrentMemoryContext,
												   "po_mgmt writing",
												   ALLOCSET_DEFAULT_SIZES);
		MemoryContext caller = MemoryContextSwitchTo(work);
		Booking   **certain = palloc((nwaiting + 1) * sizeof(Booking *));

		n = 0;
		for (int i = 0; i < nbookings; i++)
			if (bookings[i]->written == 0 && !bookings[i]->in_flight)
				certain[n++] = bookings[i];
		if (n > 0)
			write_bookings(schema, certain, n);
		MemoryContextSwitchTo(caller);
		MemoryContextDelete(work);
	} while (n > 0);
}

static void
write_books(Oid schema, int depth)
{
	settle(depth);
	/* what a user's trigger books meanwhile, the outer call writes */
	if (writing || nwaiting == 0)
		return;
	PG_TRY();
	{
		writing = true;
		write_certain(schema);
	}
	PG_FINALLY();
	{
		writing = writing_ledger = false;
	}
	PG_END_TRY();
	forget_written();
}

/* does this statement wait for its end to book on the line item? */
bool
po_books_wait_for(text *account_id, int64 line_item_id)
{
	return writing_ledger ||
		(pending != NULL && find_item(pending, account_id, line_item_id, NULL) != NULL);
}

void
po_books_flush_if_many(Oid schema, int depth)
{
	settle(depth);
	forget_if_empty();
	if (nwaiting >= MAX_PENDING)
		write_books(schema, depth);
}

void
po_books_next_row(Oid schema)
{
	po_books_flush_if_many(schema, PO_IN_TRIGGER);
}

void
po_books_close(Oid schema, int depth)
{
	write_books(schema, depth);
	po_books_forget_accounts();
}

/* ---- ends of transactions ---- */

static void
forget_subtransaction(int level)
{
	int			kept = 0;

	bool		changed = false;

	while (flights != NULL && flights->level >= level)
		flights = flights->outer;	/* the memory goes with the books */
	for (int i = 0; i < nbookings; i++)
	{
		Booking    *booking = bookings[i];

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
	if (changed || accounts_level >= level)
		po_books_forget_accounts();
	po_books_rows_coming();
}

static void
merge_subtransaction(int level)
{
	int			kept = 0;

	for (Flight *flight = flights; flight != NULL; flight = flight->outer)
		if (flight->level == level)
			flight->level--;
	if (accounts_level == level)
		accounts_level--;
	for (int i = 0; i < nbookings; i++)
	{
		Booking    *booking = bookings[i];

		if (booking->level == level)
			booking->level--;
		if (booking->written == level)
			booking->written--;
		if (booking->written == 0 || booking->written > booking->level)
			bookings[kept++] = booking;
	}
	nbookings = kept;
}

static void
subtransaction_ends(SubXactEvent event, SubTransactionId mySubid,
					SubTransactionId parentSubid, void *arg)
{
	int			level = GetCurrentTransactionNestLevel();

	if (event == SUBXACT_EVENT_ABORT_SUB)
		forget_subtransaction(level);
	else if (event == SUBXACT_EVENT_COMMIT_SUB)
		merge_subtransaction(level);
}

/* bookings that still wait here would be lost: our AFTER trigger did not run */
static void
check_nothing_waits(void)
{
	if (flights != NULL)
		settle(0);
	if (nwaiting > 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("invoices were booked, but their balances were not written"),
				 errdetail("The trigger \"!po_mgmt_after\" of \"po_invoice\" did not fire."),
				 errhint("Enable the trigger and repeat the transaction.")));
}

static void
transaction_ends(XactEvent event, void *arg)
{
	switch (event)
	{
		case XACT_EVENT_PRE_COMMIT:
		case XACT_EVENT_PRE_PREPARE:
			check_nothing_waits();
			break;
		case XACT_EVENT_PARALLEL_PRE_COMMIT:
			break;
		default:
			/* the memory goes with the transaction */
			books_context = accounts_context = memory = NULL;
			firsts_context = seen_context = NULL;
			forget_bookings();
			po_books_forget_accounts();
			firsts = seen = NULL;
			break;
	}
}

void
po_books_init(void)
{
	RegisterXactCallback(transaction_ends, NULL);
	RegisterSubXactCallback(subtransaction_ends, NULL);
}
