/*
 * flight.c
 *		Rows of po_invoice on their way into the table.  See flight.h.
 *
 * A row that our BEFORE trigger let go is in flight until it is found in the
 * table, or until its own statement goes on without it.  A statement inside a
 * trigger that fires after ours meets rows that are still on their way.  The
 * server tells these from rows that were dropped: triggers run in memory that
 * it resets before it goes on to the next row, or ends the statement.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "pgstat.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/relcache.h"

#include "flight.h"

/* bookings are written when so many wait, so that memory stays bounded */
#define MAX_WAITING		10000

/* what is associated anew has a release and an association */
#define MAX_BOOKINGS	2

/* a row that our BEFORE trigger let go */
typedef struct Flight
{
	struct Flight *outer;		/* of the statement around */
	HeapTuple	tuple;
	PoRowChange change;
	ItemPointerData place;		/* of the old version in an update; else see attached */
	Oid			relid;
	bool		attached;		/* not po_invoice; place is that of a row with its key before */
	MemoryContext row;			/* of the server, for this row; NULL: it has gone on */
	uint64		number;			/* flights are numbered */
	bool		is_counted;		/* do the next two tell whether it landed? */
	int64		ninserted;		/* into its table, before it */
	int64		ndeleted;
	int			level;			/* of transactions */
	PoBooking  *bookings[MAX_BOOKINGS];
	int			nbookings;
} Flight;

/* rows whose AFTER ROW events are to come, by level of transactions */
typedef struct Coming
{
	struct Coming *outer;
	int			level;
	int			nrows;
} Coming;

static Coming *coming = NULL;	/* in the top transaction's memory */
static Flight *flights;			/* the innermost first; in the top transaction's memory */
static uint64 last_number = 0;
static bool holding = false;	/* what is booked, for the function that runs */

/* ---- what became of a row ---- */

/*
 * A trigger that fires after ours may set other columns, such as its own, but
 * not those that the invoice was matched by.
 */
static void
check_unchanged(HeapTuple expected, HeapTuple stored, TupleDesc desc)
{
	AttrNumber	attribute = po_invoice_difference(expected, stored, desc);

	if (attribute != 0)
		ereport(ERROR,
				(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
				 errmsg("column \"%s\" of \"po_invoice\" was changed after the invoice was matched",
						NameStr(TupleDescAttr(desc, attribute - 1)->attname)),
				 errhint("Let the trigger that changes it fire before \"~po_mgmt_before\", which is by name.")));
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
			/* raw, since COPY FREEZE hides who inserted */
			if (stored == NULL ||
				!TransactionIdIsCurrentTransactionId(HeapTupleHeaderGetRawXmin(stored->t_data)))
				return false;
			if (flight->attached)
				return !ItemPointerEquals(&stored->t_self, &flight->place);
			return heap_getattr(stored, Anum_invoice_recorded_at, desc, &isnull) ==
				heap_getattr(flight->tuple, Anum_invoice_recorded_at, desc, &isnull);
		case PO_ROW_UPDATED:
			return stored != NULL &&
				!ItemPointerEquals(&stored->t_self, &flight->place);
		case PO_ROW_DELETED:
			return stored == NULL;
	}
	return false;				/* keep compiler quiet */
}

/* what this transaction has inserted and deleted; false where the server does not count */
static bool
count_rows(Relation rel, int64 *ninserted, int64 *ndeleted)
{
	*ninserted = *ndeleted = 0;
	if (!rel->pgstat_enabled)
		return false;
	if (rel->pgstat_info == NULL)
		return true;			/* nothing yet */
	for (PgStat_TableXactStatus *level = rel->pgstat_info->trans; level != NULL; level = level->upper)
	{
		*ninserted += level->tuples_inserted;
		*ndeleted += level->tuples_deleted;
	}
	return true;
}

/*
 * Where no other trigger fires between ours and the table, and no other row
 * was on its way since, the server's count of rows says whether it landed.
 */
static bool
is_told_by_count(const Flight *flight, Relation rel, bool *landed)
{
	int64		ninserted;
	int64		ndeleted;

	if (!flight->is_counted || flight->number != last_number ||
		!count_rows(rel, &ninserted, &ndeleted) ||
		ndeleted != flight->ndeleted || ninserted < flight->ninserted ||
		ninserted > flight->ninserted + 1)
		return false;
	*landed = ninserted > flight->ninserted;
	return true;
}

static bool
look_up(Flight *flight)
{
	Relation	rel = RelationIdGetRelation(flight->relid);
	bool		landed = false;

	if (!RelationIsValid(rel))
		return false;			/* dropped since, and its rows with it */
	if (!is_told_by_count(flight, rel, &landed))
	{
		HeapTuple	stored = po_fetch_row(rel, flight->tuple);

		landed = has_landed(flight, stored, RelationGetDescr(rel));
		if (landed && stored != NULL && !flight->attached)
			check_unchanged(flight->tuple, stored, RelationGetDescr(rel));
		if (stored != NULL)
			heap_freetuple(stored);
	}
	RelationClose(rel);
	return landed;
}

/* takes a flight out of the list */
static void
end_flight(Flight **link, bool landed)
{
	Flight	   *flight = *link;

	*link = flight->outer;
	for (int i = flight->nbookings - 1; i >= 0; i--)
	{
		if (landed)
			po_booking_land(flight->bookings[i]);
		else
			po_booking_drop(flight->bookings[i]);
	}
	heap_freetuple(flight->tuple);
	pfree(flight);
}

/* What became of the rows in flight?  Some may still be on their way. */
static void
settle(void)
{
	Flight	  **link = &flights;

	while (*link != NULL)
	{
		bool		landed = look_up(*link);

		if (landed || (*link)->row == NULL)
			end_flight(link, landed);
		else
			link = &(*link)->outer;
	}
}

/* the server has gone on from a row, wherever that went */
static void
row_ends(void *row)
{
	for (Flight *flight = flights; flight != NULL; flight = flight->outer)
		if (flight->row == row)
			flight->row = NULL;
}

static Flight *
start_flight(Relation rel, PoRowChange change, HeapTuple tuple, bool is_final)
{
	MemoryContextCallback *callback = palloc(sizeof(MemoryContextCallback));
	Flight	   *flight = MemoryContextAllocZero(TopTransactionContext, sizeof(Flight));
	MemoryContext row = MemoryContextSwitchTo(TopTransactionContext);

	flight->tuple = heap_copytuple(tuple);
	MemoryContextSwitchTo(row);
	flight->change = change;
	flight->relid = RelationGetRelid(rel);
	flight->row = row;
	flight->number = ++last_number;
	flight->is_counted = is_final && change == PO_ROW_INSERTED &&
		count_rows(rel, &flight->ninserted, &flight->ndeleted);
	flight->level = GetCurrentTransactionNestLevel();
	flight->outer = flights;
	flights = flight;
	callback->func = row_ends;
	callback->arg = row;
	MemoryContextRegisterResetCallback(row, callback);
	return flight;
}

/* these need to run in the memory that the server gave to the trigger */
void
po_flight_row(Relation rel, PoRowChange change, HeapTuple tuple, ItemPointer old_place,
			  bool is_final)
{
	Flight	   *flight = start_flight(rel, change, tuple, is_final);

	if (old_place != NULL)
		flight->place = *old_place;
}

void
po_flight_attached_row(Relation rel, HeapTuple tuple, HeapTuple invoice, TupleDesc desc)
{
	Flight	   *flight = start_flight(rel, PO_ROW_INSERTED, tuple, true);
	HeapTuple	present = flight->is_counted ? NULL : po_fetch_row(rel, tuple);

	flight->attached = true;
	ItemPointerSetInvalid(&flight->place);
	if (present != NULL)
		flight->place = present->t_self;
	flight->bookings[flight->nbookings++] = po_booking_make_invoice(invoice, desc);
}

void
po_flight_book(const PoEntry *entry, bool tracked)
{
	Assert(flights->nbookings < MAX_BOOKINGS);
	flights->bookings[flights->nbookings++] = po_booking_make(entry, tracked, true, false);
}

HeapTuple
po_flight_conflicting(HeapTuple old, TupleDesc desc)
{
	Flight	  **link = &flights;
	HeapTuple	proposed;

	while (*link != NULL && (*link)->row != CurrentMemoryContext)
		link = &(*link)->outer;
	if (*link == NULL || (*link)->change != PO_ROW_INSERTED ||
		look_up(*link) ||
		(!(*link)->attached && !same_invoice((*link)->tuple, old, desc)))
		return NULL;
	proposed = heap_copytuple((*link)->tuple);
	end_flight(link, false);
	return proposed;
}

void
po_flight_add_edit(const PoEntry *entry, bool tracked)
{
	settle();
	po_booking_make(entry, tracked, false, true);
}

void
po_flight_add_invoice(HeapTuple invoice, TupleDesc desc, const PoEntry *entry, bool tracked)
{
	settle();
	po_booking_land(po_booking_make_invoice(invoice, desc));
	if (entry != NULL)
		po_booking_make(entry, tracked, false, false);
}

/* ---- when to write ---- */

void
po_flight_next_row(Oid schema)
{
	settle();
	if (po_books_waiting() >= MAX_WAITING)
		po_books_write(schema);
}

void
po_flight_close(Oid schema)
{
	settle();
	po_books_write(schema);
	po_statement_forget_accounts();
}

/* writing after each of many rows would update a line item's balance for each */
bool
po_flight_hold(bool hold)
{
	bool		held = holding;

	holding = hold;
	return held;
}

void
po_flight_after(Oid schema)
{
	if (holding)
		po_flight_next_row(schema);
	else
		po_flight_close(schema);
}

/* ---- rows of attached tables that are updated or deleted ---- */

void
po_flight_row_coming(void)
{
	int			level = GetCurrentTransactionNestLevel();

	if (coming == NULL || coming->level < level)
	{
		Coming	   *inner = MemoryContextAllocZero(TopTransactionContext, sizeof(Coming));

		inner->level = level;
		inner->outer = coming;
		coming = inner;
	}
	coming->nrows++;
}

bool
po_flight_row_came(void)
{
	if (coming == NULL)
		return true;
	if (--coming->nrows <= 0)
	{
		Coming	   *outer = coming->outer;

		pfree(coming);
		coming = outer;
	}
	return coming == NULL;
}

/* those of a level that was rolled back do not come any more */
static void
end_coming(int level, bool rolled_back)
{
	while (rolled_back && coming != NULL && coming->level >= level)
		coming = coming->outer;
	if (coming != NULL && coming->level >= level)
		coming->level = level - 1;
	if (coming != NULL && coming->outer != NULL && coming->outer->level == coming->level)
	{
		coming->nrows += coming->outer->nrows;
		coming->outer = coming->outer->outer;
	}
}

/* ---- ends of transactions ---- */

static void
end_level(int level, bool rolled_back)
{
	while (rolled_back && flights != NULL && flights->level >= level)
	{
		Flight	   *flight = flights;

		flights = flight->outer;
		heap_freetuple(flight->tuple);
		pfree(flight);
	}
	for (Flight *flight = flights; flight != NULL; flight = flight->outer)
		flight->level = Min(flight->level, level - 1);
	end_coming(level, rolled_back);
	po_statement_end_level(level, rolled_back, po_books_end_level(level, rolled_back));
}

static void
subtransaction_ends(SubXactEvent event, SubTransactionId mySubid,
					SubTransactionId parentSubid, void *arg)
{
	if (event == SUBXACT_EVENT_ABORT_SUB || event == SUBXACT_EVENT_COMMIT_SUB)
		end_level(GetCurrentTransactionNestLevel(), event == SUBXACT_EVENT_ABORT_SUB);
}

/* bookings that still wait here would be lost: our AFTER trigger did not run */
static void
check_nothing_waits(void)
{
	settle();
	if (po_books_waiting() > 0)
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
			flights = NULL;
			coming = NULL;
			po_books_end();
			po_statement_end();
			break;
	}
}

void
po_flight_init(void)
{
	RegisterXactCallback(transaction_ends, NULL);
	RegisterSubXactCallback(subtransaction_ends, NULL);
}
