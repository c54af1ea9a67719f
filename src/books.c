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

/* written when so many wait, so that memory stays bounded */
#define MAX_PENDING		10000
/* accounts remembered; forgetting one costs time only */
#define MAX_ACCOUNTS	10000

typedef struct Booking
{
	PoEntry		entry;
	bool		tracked;
	int			level;			/* of nesting, where it was made */
	int			written;		/* and where it was written; 0: it waits */
} Booking;

/* what waits to be added to a line item's balance */
typedef struct Pending
{
	int64		line_item_id;	/* key */
	text	   *account_id;
	Numeric		amount;
	Numeric		balance;		/* while writing: after the next entry back */
} Pending;

typedef struct KnownAccount
{
	text	   *account_id;		/* key */
	PoAccount	account;
} KnownAccount;

/* all of it in the top transaction's memory */
static MemoryContext books_context = NULL;
static Booking *bookings;
static int	nbookings;
static int	bookings_space;
static HTAB *pending;
static int	nwaiting;

static MemoryContext accounts_context = NULL;
static HTAB *accounts;

static PoUse accounts_use;

static MemoryContext duties_context = NULL;
static HTAB *duties;
static HTAB *openings;

/* the row that our BEFORE INSERT trigger returned last, until it is settled */
static struct
{
	HeapTuple	tuple;			/* NULL: none */
	Oid			relid;
	int			level;
	bool		booked;			/* then it is the last of the bookings */
}			unsettled;

/* the one before it, kept for po_books_conflicting */
static HeapTuple settled = NULL;

static uint32
hash_text_key(const void *key, Size keysize)
{
	const text *value = *(text *const *) key;

	return hash_bytes((const unsigned char *) VARDATA_ANY(value),
					  VARSIZE_ANY_EXHDR(value));
}

static int
match_text_key(const void *a, const void *b, Size keysize)
{
	return po_text_equal(*(text *const *) a, *(text *const *) b) ? 0 : 1;
}

static HTAB *
create_text_hash(const char *name, Size entrysize, MemoryContext context)
{
	HASHCTL		ctl;

	ctl.keysize = sizeof(text *);
	ctl.entrysize = entrysize;
	ctl.hash = hash_text_key;
	ctl.match = match_text_key;
	ctl.hcxt = context;
	return hash_create(name, 64, &ctl,
					   HASH_ELEM | HASH_FUNCTION | HASH_COMPARE | HASH_CONTEXT);
}

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

void
po_books_forget_accounts(void)
{
	forget_context(&accounts_context);
	accounts = NULL;
}

static void
forget_bookings(void)
{
	forget_context(&books_context);
	bookings = NULL;
	nbookings = bookings_space = nwaiting = 0;
	pending = NULL;
	unsettled.tuple = settled = NULL;
}

static void
create_books(void)
{
	HASHCTL		ctl;

	if (books_context != NULL)
		return;
	books_context = AllocSetContextCreate(TopTransactionContext, "po_mgmt books",
										  ALLOCSET_DEFAULT_SIZES);
	ctl.keysize = sizeof(int64);
	ctl.entrysize = sizeof(Pending);
	ctl.hcxt = books_context;
	pending = hash_create("po_mgmt pending", 64, &ctl,
						  HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	bookings_space = 64;
	bookings = MemoryContextAlloc(books_context, bookings_space * sizeof(Booking));
}

/* ---- accounts and duties ---- */

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
		accounts = create_text_hash("po_mgmt accounts", sizeof(KnownAccount),
									accounts_context);
	}
	caller = MemoryContextSwitchTo(accounts_context);
	account_id = copy_text(account->account_id);
	known = hash_search(accounts, &account_id, HASH_ENTER, &found);
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

static void
create_duties(void)
{
	HASHCTL		ctl;

	if (duties != NULL)
		return;
	duties_context = AllocSetContextCreate(TopTransactionContext,
										   "po_mgmt duties",
										   ALLOCSET_DEFAULT_SIZES);
	duties = create_text_hash("po_mgmt duties", sizeof(text *), duties_context);
	ctl.keysize = ctl.entrysize = sizeof(int64);
	ctl.hcxt = duties_context;
	openings = hash_create("po_mgmt openings", 64, &ctl,
						   HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
}

/* the length parts the names, so that no two pairs give one key */
static text *
duty_key(char kind, text *account_id, text *name)
{
	return cstring_to_text(psprintf("%c%zu %s %s", kind,
									(size_t) VARSIZE_ANY_EXHDR(account_id),
									text_to_cstring(account_id),
									name ? text_to_cstring(name) : ""));
}

void
po_books_owe(char kind, text *account_id, text *name)
{
	text	   *key = duty_key(kind, account_id, name);
	MemoryContext caller;

	create_duties();
	if (hash_search(duties, &key, HASH_FIND, NULL) != NULL)
		return;
	caller = MemoryContextSwitchTo(duties_context);
	key = copy_text(key);
	hash_search(duties, &key, HASH_ENTER, NULL);
	MemoryContextSwitchTo(caller);
}

bool
po_books_take(char kind, text *account_id, text *name)
{
	text	   *key = duty_key(kind, account_id, name);

	return duties != NULL && hash_search(duties, &key, HASH_REMOVE, NULL) != NULL;
}

void
po_books_owe_opening(int64 line_item_id)
{
	create_duties();
	hash_search(openings, &line_item_id, HASH_ENTER, NULL);
}

bool
po_books_take_opening(int64 line_item_id)
{
	return duties != NULL &&
		hash_search(openings, &line_item_id, HASH_REMOVE, NULL) != NULL;
}

/* ---- bookings ---- */

/* adds to what waits for the line item's balance; a sign of -1 takes back */
static void
add_pending(const Booking *booking, bool take_back)
{
	MemoryContext caller;
	Pending    *item;
	bool		found;

	if (!booking->tracked)
		return;
	caller = MemoryContextSwitchTo(books_context);
	item = hash_search(pending, &booking->entry.line_item_id, HASH_ENTER, &found);
	if (!found)
	{
		item->account_id = booking->entry.account_id;
		item->amount = copy_numeric(booking->entry.amount);
	}
	else
	{
		Numeric		before = item->amount;

		item->amount = take_back ? subtract(before, booking->entry.amount) :
			add(before, booking->entry.amount);
		pfree(before);
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
		hash_search(pending, &item->line_item_id, HASH_REMOVE, NULL);
	nwaiting = 0;
	for (int i = 0; i < nbookings; i++)
	{
		if (bookings[i].written == 0)
		{
			add_pending(&bookings[i], false);
			nwaiting++;
		}
	}
}

static void
append_booking(const PoEntry *entry, bool tracked)
{
	MemoryContext caller;
	Booking    *booking;

	create_books();
	caller = MemoryContextSwitchTo(books_context);
	if (nbookings == bookings_space)
	{
		bookings_space *= 2;
		bookings = repalloc_huge(bookings, bookings_space * sizeof(Booking));
	}
	booking = &bookings[nbookings++];
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
	booking->level = GetCurrentTransactionNestLevel();
	booking->written = 0;
	nwaiting++;
	MemoryContextSwitchTo(caller);
	add_pending(booking, false);
}

static void
free_text(text *value)
{
	if (value != NULL)
		pfree(value);
}

/* of a row that was not inserted; a statement may have very many of these */
static void
drop_last_booking(void)
{
	Booking    *booking = &bookings[--nbookings];

	add_pending(booking, true);
	nwaiting--;
	free_text(booking->entry.po_number);
	free_text(booking->entry.line_number);
	free_text(booking->entry.bill_from);
	free_text(booking->entry.invoice_id);
	free_text(booking->entry.recorded_by);
	free_text(booking->entry.note);
	pfree(booking->entry.amount);
	/* the account's id may be in use in pending */
}

Numeric
po_books_balance(const PoLineItem *item, void *arg)
{
	Pending    *waiting = NULL;

	if (pending != NULL)
		waiting = hash_search(pending, &item->line_item_id, HASH_FIND, NULL);
	return waiting == NULL ? item->balance : add(item->balance, waiting->amount);
}

/* ---- rows: were they inserted? ---- */

/*
 * A trigger that fires after ours may set other columns, such as its own, but
 * not those that the invoice was matched by.
 */
static void
check_unchanged(HeapTuple expected, HeapTuple stored, TupleDesc desc)
{
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

/* was the last row inserted? its stamp tells it from another of the same key */
static bool
settle(void)
{
	HeapTuple	expected = unsettled.tuple;
	Relation	rel;
	HeapTuple	stored;
	bool		inserted = false;

	if (expected == NULL)
		return true;
	if (settled != NULL)
		heap_freetuple(settled);
	settled = expected;
	unsettled.tuple = NULL;
	rel = RelationIdGetRelation(unsettled.relid);
	stored = po_fetch_invoice(rel, expected);
	if (stored != NULL)
	{
		TupleDesc	desc = RelationGetDescr(rel);
		bool		isnull;

		inserted =
			heap_getattr(stored, Anum_invoice_recorded_at, desc, &isnull) ==
			heap_getattr(expected, Anum_invoice_recorded_at, desc, &isnull);
		if (inserted)
			check_unchanged(expected, stored, desc);
		heap_freetuple(stored);
	}
	RelationClose(rel);
	if (!inserted && unsettled.booked)
		drop_last_booking();
	return inserted;
}

void
po_books_insert(Relation rel, HeapTuple tuple, const PoEntry *entry, bool tracked)
{
	MemoryContext caller;

	create_books();
	if (entry != NULL)
		append_booking(entry, tracked);
	caller = MemoryContextSwitchTo(books_context);
	unsettled.tuple = heap_copytuple(tuple);
	MemoryContextSwitchTo(caller);
	unsettled.relid = RelationGetRelid(rel);
	unsettled.level = GetCurrentTransactionNestLevel();
	unsettled.booked = entry != NULL;
}

HeapTuple
po_books_conflicting(HeapTuple old, TupleDesc desc)
{
	HeapTuple	proposed = unsettled.tuple;

	if (proposed == NULL || settle() || !same_invoice(proposed, old, desc))
		return NULL;
	return proposed;
}

void
po_books_add(const PoEntry *entry, bool tracked)
{
	settle();
	append_booking(entry, tracked);
}

bool
po_books_are_empty(void)
{
	settle();
	return nwaiting == 0;
}

/* ---- writing ---- */

static void
move_balances(Oid schema)
{
	long		nmoves = hash_get_num_entries(pending);
	PoMove	   *moves;
	HASH_SEQ_STATUS status;
	Pending    *item;
	int			n = 0;

	if (nmoves == 0)
		return;
	moves = palloc(nmoves * sizeof(PoMove));
	hash_seq_init(&status, pending);
	while ((item = hash_seq_search(&status)) != NULL)
	{
		moves[n].account_id = item->account_id;
		moves[n].line_item_id = item->line_item_id;
		moves[n].amount = item->amount;
		n++;
	}
	po_move_balances(schema, moves, n);
	for (int i = 0; i < n; i++)
	{
		item = hash_search(pending, &moves[i].line_item_id, HASH_FIND, NULL);
		item->balance = moves[i].balance;
	}
}

/* the balance after each entry, from the new balance backwards */
static int
complete_entries(PoEntry *entries)
{
	int			n = nwaiting;

	for (int i = nbookings - 1; i >= 0; i--)
	{
		Pending    *item;

		if (bookings[i].written != 0)
			continue;
		entries[--n] = bookings[i].entry;
		if (!bookings[i].tracked)
			continue;
		item = hash_search(pending, &bookings[i].entry.line_item_id, HASH_FIND, NULL);
		entries[n].balance_after = item->balance;
		if (item->balance != NULL)
			item->balance = subtract(item->balance, bookings[i].entry.amount);
	}
	return nwaiting;
}

/* forgets what is written for good, or marks it as written at this level */
static void
mark_written(void)
{
	int			level = GetCurrentTransactionNestLevel();
	int			kept = 0;

	for (int i = 0; i < nbookings; i++)
	{
		if (bookings[i].written == 0)
			bookings[i].written = level;
		if (bookings[i].written > bookings[i].level)
			bookings[kept++] = bookings[i];
	}
	nbookings = kept;
	if (nbookings == 0)
		forget_bookings();
	else
		rebuild_pending();
}

static void
write_books(Oid schema)
{
	MemoryContext work;
	MemoryContext caller;
	PoEntry    *entries;

	settle();
	if (nwaiting == 0)
	{
		if (nbookings == 0)
			forget_bookings();
		return;
	}
	work = AllocSetContextCreate(CurrentMemoryContext, "po_mgmt writing",
								 ALLOCSET_DEFAULT_SIZES);
	caller = MemoryContextSwitchTo(work);
	move_balances(schema);
	entries = palloc(nwaiting * sizeof(PoEntry));
	po_write_ledger(schema, entries, complete_entries(entries));
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(work);
	mark_written();
}

void
po_books_next_row(Oid schema)
{
	settle();
	if (nwaiting >= MAX_PENDING)
		write_books(schema);
	else if (nbookings == 0 && books_context != NULL)
		forget_bookings();
}

void
po_books_close(Oid schema)
{
	write_books(schema);
	po_books_forget_accounts();
}

/* ---- ends of transactions ---- */

static void
forget_subtransaction(int level)
{
	int			kept = 0;

	if (unsettled.tuple != NULL && unsettled.level >= level)
		unsettled.tuple = NULL;	/* its memory waits for the next flush */
	for (int i = 0; i < nbookings; i++)
	{
		if (bookings[i].level >= level)
			continue;
		if (bookings[i].written >= level)
			bookings[i].written = 0;
		bookings[kept++] = bookings[i];
	}
	nbookings = kept;
	if (books_context != NULL)
		rebuild_pending();
	po_books_forget_accounts();
	/* duties stay: one that is owed by a row that is gone does no harm */
}

static void
merge_subtransaction(int level)
{
	int			kept = 0;

	if (unsettled.tuple != NULL && unsettled.level == level)
		unsettled.level--;
	for (int i = 0; i < nbookings; i++)
	{
		if (bookings[i].level == level)
			bookings[i].level--;
		if (bookings[i].written == level)
			bookings[i].written--;
		if (bookings[i].written == 0 || bookings[i].written > bookings[i].level)
			bookings[kept++] = bookings[i];
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
	if (!po_books_are_empty())
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
			books_context = accounts_context = duties_context = NULL;
			forget_bookings();
			po_books_forget_accounts();
			duties = openings = NULL;
			break;
	}
}

void
po_books_init(void)
{
	RegisterXactCallback(transaction_ends, NULL);
	RegisterSubXactCallback(subtransaction_ends, NULL);
}
