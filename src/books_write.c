/*
 * books_write.c
 *		Writing the bookings that wait: invoices of attached tables, then the
 *		ledger, notifications and balances.  See books.h.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "booking.h"
#include "notify.h"
#include "statement.h"

/* what the bookings do to a line item's balance together */
typedef struct Sum
{
	PoItemKey	key;
	text	   *account_id;
	int			nbookings;		/* that make up the amount */
	Numeric		amount;
	Numeric		edited;			/* by edits, and so in the balance */
	Numeric		balance;		/* after the next entry back */
	PoAlert    *alert;			/* or NULL */
} Sum;

static bool writing = false;
static bool writing_ledger = false;

/* the moves that the bookings make together, one a line item */
static HTAB *
sum_up(PoBooking **certain, int n)
{
	HTAB	   *sums = po_item_hash(CurrentMemoryContext, sizeof(Sum));

	for (int i = 0; i < n; i++)
	{
		Sum		   *sum;
		bool		found;

		if (!certain[i]->tracked)
			continue;
		sum = po_item_find(sums, certain[i]->entry.account_id,
						   certain[i]->entry.line_item_id, &found);
		if (!found)
		{
			sum->account_id = certain[i]->entry.account_id;
			sum->nbookings = 0;
			sum->amount = sum->edited = int64_to_numeric(0);
		}
		if (certain[i]->is_edit)
			sum->edited = po_money_add(sum->edited, certain[i]->entry.amount);
		else
		{
			sum->amount = po_money_add(sum->amount, certain[i]->entry.amount);
			sum->nbookings++;
		}
	}
	return sums;
}

/* the moves as an array, each with the balance before it */
static PoMove *
list_moves(Oid schema, HTAB *sums, int *nmoves)
{
	PoMove	   *moves = palloc((hash_get_num_entries(sums) + 1) * sizeof(PoMove));
	HASH_SEQ_STATUS status;
	Sum		   *sum;
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
 * The entries in their order, each with the balance after it, and what it
 * crosses.  Other statements of this transaction may have written entries in
 * the meantime; time does not go back behind those.
 */
static PoEntry *
complete_entries(PoBooking **certain, int n, HTAB *sums, PoMove *moves, int nmoves,
				 PoCrossings *crossings)
{
	PoEntry    *entries = palloc(n * sizeof(PoEntry));

	for (int i = 0; i < nmoves; i++)
	{
		Sum		   *sum = po_item_find(sums, moves[i].account_id, moves[i].line_item_id, NULL);

		sum->balance = moves[i].balance;
		if (sum->balance != NULL)
			sum->balance = po_money_subtract(sum->balance, sum->edited);
		sum->alert = po_alert_make(moves[i].total_value, moves[i].thresholds, sum->balance);
	}
	for (int i = 0; i < n; i++)
	{
		Sum		   *sum;

		entries[i] = certain[i]->entry;
		entries[i].recorded_at = Max(entries[i].recorded_at,
									 po_statement_latest(entries[i].account_id));
		if (!certain[i]->tracked)
			continue;
		sum = po_item_find(sums, entries[i].account_id, entries[i].line_item_id, NULL);
		if (sum->balance != NULL)
			sum->balance = po_money_add(sum->balance, entries[i].amount);
		entries[i].balance_after = sum->balance;
		/* an edit changes the total value, too: its own trigger judges it */
		if (sum->alert != NULL && !certain[i]->is_edit)
			po_crossings_judge(crossings, sum->alert, &entries[i]);
	}
	return entries;
}

/* line items that were edited only have their balance */
static int
drop_edits(HTAB *sums, PoMove *moves, int nmoves)
{
	int			kept = 0;

	for (int i = 0; i < nmoves; i++)
	{
		const Sum  *sum = po_item_find(sums, moves[i].account_id, moves[i].line_item_id, NULL);

		if (sum->nbookings > 0)
			moves[kept++] = moves[i];
	}
	return kept;
}

/*
 * Ledger and notifications first, then balances: a user's trigger on
 * po_line_item that books or edits finds the ledger complete.  By then the
 * bookings count as written.
 */
static void
write_bookings(Oid schema, PoBooking **certain, int n)
{
	HTAB	   *sums = sum_up(certain, n);
	int			nmoves;
	PoMove	   *moves = list_moves(schema, sums, &nmoves);
	PoCrossings *crossings = po_crossings_make();

	writing_ledger = true;
	po_write_ledger(schema, complete_entries(certain, n, sums, moves, nmoves, crossings), n);
	po_crossings_notify(schema, crossings);
	writing_ledger = false;
	po_bookings_written(certain, n);
	po_statement_forget_memory();
	nmoves = drop_edits(sums, moves, nmoves);
	if (nmoves > 0)
		po_move_balances(schema, moves, nmoves);
}

/* all entries; also what is booked while these are written */
static void
write_entries(Oid schema)
{
	int			n;

	do
	{
		MemoryContext work = AllocSetContextCreate(CurrentMemoryContext,
												   "po_mgmt writing",
												   ALLOCSET_DEFAULT_SIZES);
		MemoryContext caller = MemoryContextSwitchTo(work);
		PoBooking **certain = po_bookings_certain(false, &n);

		if (n > 0)
			write_bookings(schema, certain, n);
		MemoryContextSwitchTo(caller);
		MemoryContextDelete(work);
	} while (n > 0);
}

/*
 * The invoices of attached tables.  They count as written when that begins, so
 * that the AFTER trigger of po_invoice, the first to fire there, writes their
 * entries, and what users' triggers on po_invoice do comes after that.
 */
static void
write_invoices(Oid schema)
{
	MemoryContext work = AllocSetContextCreate(CurrentMemoryContext, "po_mgmt invoices",
											   ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(work);
	int			n;
	PoBooking **certain = po_bookings_certain(true, &n);
	HeapTuple  *rows = palloc((n + 1) * sizeof(HeapTuple));

	for (int i = 0; i < n; i++)
		rows[i] = heap_copytuple(certain[i]->invoice);
	po_bookings_written(certain, n);
	if (n > 0)
		po_write_invoices(schema, rows, n);
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(work);
}

void
po_books_write(Oid schema)
{
	/* what a user's trigger books meanwhile, the outer call writes */
	if (writing || po_books_waiting() == 0)
		return;
	write_invoices(schema);
	PG_TRY();
	{
		writing = true;
		write_entries(schema);
	}
	PG_FINALLY();
	{
		writing = writing_ledger = false;
	}
	PG_END_TRY();
	po_bookings_forget_written();
}

/* does this statement wait for its end to book on the line item? */
bool
po_books_wait_for(text *account_id, int64 line_item_id)
{
	return writing_ledger || po_item_waits(account_id, line_item_id);
}
