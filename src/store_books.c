/*
 * store_books.c
 *		Locks accounts, reads and moves balances, writes the ledger.
 *
 * As the tables' owner (the caller sees to that) and on the newest rows, so
 * that after the lock on an account nothing of it is stale.  Under REPEATABLE
 * READ and above the lock itself fails with 40001 where the account's row has
 * changed.
 *
 * Each of the four is a statement, or does directly what that would do
 * (store_direct.h), which is much less for few rows.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "clock.h"
#include "store_direct.h"
#include "store_spi.h"

/* ---- accounts ---- */

static bool
lock_by_statement(Oid schema, text *account_id, PoAccount *account)
{
	Datum		arg = PointerGetDatum(account_id);
	Datum		values[PO_ACCOUNT_NCOLUMNS];
	bool		nulls[PO_ACCOUNT_NCOLUMNS];
	bool		found = execute(schema, PO_LOCK_ACCOUNT, &arg, NULL) > 0;

	if (found)
	{
		for (int i = 0; i < PO_ACCOUNT_NCOLUMNS; i++)
			values[i] = column(0, i + 1, &nulls[i]);
		po_account_from(account, values, nulls);
	}
	SPI_finish();
	po_check_written(found || !po_exists(schema, PO_READ_ACCOUNT, &arg), "po_account");
	return found;
}

static void
stamp_account(Datum *values, bool *nulls, void *arg)
{
	TimestampTz before = DatumGetTimestampTz(values[Anum_account_booked_at - 1]);
	Datum		read[PO_ACCOUNT_NCOLUMNS];
	bool		read_nulls[PO_ACCOUNT_NCOLUMNS];

	values[Anum_account_booked_at - 1] = TimestampTzGetDatum(Max(po_clock_now(), before + 1));
	for (int i = 0; i < PO_ACCOUNT_NCOLUMNS; i++)
	{
		read[i] = values[po_account_attributes[i] - 1];
		read_nulls[i] = nulls[po_account_attributes[i] - 1];
	}
	po_account_from(arg, read, read_nulls);
}

/*
 * Locks an account by writing its row, for the rest of the transaction: its
 * bookings and changes of its configuration come one after another.  The time
 * that goes into the row is later than that of any lock before, even where
 * the clock was set back.  False where the account is not known.
 */
bool
po_lock_account(Oid schema, text *account_id, PoAccount *account)
{
	Datum		key = PointerGetDatum(account_id);
	PoWriter	writer;
	bool		found;

	if (!po_writer_open(&writer, schema, PO_ACCOUNT_KEY, Anum_account_booked_at, 0))
		return lock_by_statement(schema, account_id, account);
	found = po_writer_update(&writer, &key, 1, stamp_account, account);
	po_writer_close(&writer);
	return found;
}

/* ---- balances ---- */

static void
read_by_statement(Oid schema, PoMove *moves, int nmoves)
{
	Datum		args[2];
	uint64		nrows;
	bool		isnull;

	po_line_item_arguments(moves, nmoves, args);
	nrows = execute(schema, PO_READ_BALANCES, args, NULL);
	for (uint64 row = 0; row < nrows; row++)
	{
		PoMove	   *move = &moves[DatumGetInt64(column(row, 1, &isnull)) - 1];
		Datum		thresholds;

		move->exists = true;
		move->balance = numeric_column(row, 2);
		move->total_value = numeric_column(row, 3);
		thresholds = column(row, 4, &isnull);
		move->thresholds = isnull ? NULL : DatumGetArrayTypePCopy(thresholds);
	}
	SPI_finish();
}

/* the tables that balances and thresholds are read from */
typedef struct BalanceScans
{
	Oid			schema;
	PoScan		items;
	PoScan		contacts;
	PoScan		accounts;
} BalanceScans;

static bool
find_row(BalanceScans *scans, PoScan *scan, PoIndex which, const Datum *key, int nkeys,
		 const AttrNumber *attributes, int n, Datum *values, bool *nulls, bool *found)
{
	if (!po_scan_open(scan, scans->schema, which, true, NULL))
		return false;
	po_scan_start(scan, GetActiveSnapshot(), key, nkeys);
	*found = po_scan_next(scan, attributes, n, values, nulls);
	return true;
}

/* where the order has contacts; false where a table cannot be scanned */
static bool
find_thresholds(BalanceScans *scans, PoMove *move, Datum po_number)
{
	static const AttrNumber email = Anum_contact_email;
	static const AttrNumber thresholds = Anum_account_alert_thresholds;
	Datum		key[] = {PointerGetDatum(move->account_id), po_number};
	Datum		value;
	bool		isnull;
	bool		found;

	if (!find_row(scans, &scans->contacts, PO_CONTACT_KEY, key, 2, &email, 1,
				  &value, &isnull, &found))
		return false;
	if (!found)
		return true;
	if (!find_row(scans, &scans->accounts, PO_ACCOUNT_KEY, key, 1, &thresholds, 1,
				  &value, &isnull, &found))
		return false;
	if (found && !isnull)
		move->thresholds = DatumGetArrayTypePCopy(value);
	return true;
}

static bool
find_balance(BalanceScans *scans, PoMove *move)
{
	static const AttrNumber attributes[] = {
		Anum_line_item_po_number, Anum_line_item_balance, Anum_line_item_total_value
	};
	Datum		key[] = {PointerGetDatum(move->account_id), Int64GetDatum(move->line_item_id)};
	Datum		values[lengthof(attributes)];
	bool		nulls[lengthof(attributes)];

	if (!find_row(scans, &scans->items, PO_LINE_ITEM_KEY, key, 2, attributes,
				  lengthof(attributes), values, nulls, &move->exists))
		return false;
	if (!move->exists)
		return true;
	move->balance = nulls[1] ? NULL : DatumGetNumericCopy(values[1]);
	move->total_value = DatumGetNumericCopy(values[2]);
	return find_thresholds(scans, move, values[0]);
}

static bool
read_directly(Oid schema, PoMove *moves, int nmoves)
{
	BalanceScans scans = {.schema = schema};
	bool		direct = true;

	po_see_newest();
	for (int i = 0; direct && i < nmoves; i++)
		direct = find_balance(&scans, &moves[i]);
	po_scan_close(&scans.items);
	po_scan_close(&scans.contacts);
	po_scan_close(&scans.accounts);
	PopActiveSnapshot();
	return direct;
}

/*
 * Sets each move's balance, NULL where the line item is gone or not tracked,
 * and what notifying needs.
 */
void
po_read_balances(Oid schema, PoMove *moves, int nmoves)
{
	for (int i = 0; i < nmoves; i++)
	{
		moves[i].balance = moves[i].total_value = NULL;
		moves[i].thresholds = NULL;
		moves[i].exists = false;
	}
	if (!read_directly(schema, moves, nmoves))
		read_by_statement(schema, moves, nmoves);
}

static void
move_by_statement(Oid schema, const PoMove *moves, int nmoves, uint64 nexpected)
{
	Datum		args[3];
	Datum	   *amounts = palloc(nmoves * sizeof(Datum));
	uint64		nrows;

	for (int i = 0; i < nmoves; i++)
		amounts[i] = NumericGetDatum(moves[i].amount);
	po_line_item_arguments(moves, nmoves, args);
	args[2] = po_array_datum(amounts, NULL, nmoves, NUMERICOID);
	nrows = execute(schema, PO_MOVE_BALANCES, args, NULL);
	po_check_written(nrows == nexpected, "po_line_item");
	for (uint64 row = 0; row < nrows; row++)
	{
		bool		isnull;
		const PoMove *move = &moves[DatumGetInt64(column(row, 1, &isnull)) - 1];
		Datum		after = column(row, 2, &isnull);
		Numeric		expected;

		if (isnull || move->balance == NULL)
		{
			po_check_written(isnull && move->balance == NULL, "po_line_item");
			continue;
		}
		expected = po_money_add(move->balance, move->amount);
		po_check_written(po_money_compare(DatumGetNumeric(after), expected) == 0, "po_line_item");
	}
	SPI_finish();
}

/* the balance is still the one that was read */
static void
move_balance(Datum *values, bool *nulls, void *arg)
{
	const PoMove *move = arg;
	Datum	   *balance = &values[Anum_line_item_balance - 1];
	bool		isnull = nulls[Anum_line_item_balance - 1];

	po_check_written(isnull == (move->balance == NULL), "po_line_item");
	if (isnull)
		return;
	po_check_written(po_money_compare(DatumGetNumeric(*balance), move->balance) == 0,
					 "po_line_item");
	*balance = NumericGetDatum(po_money_add(move->balance, move->amount));
}

/* adds each move's amount to the balance of its line item; one move each */
void
po_move_balances(Oid schema, const PoMove *moves, int nmoves)
{
	PoWriter	writer;
	uint64		nexpected = 0;
	uint64		nmoved = 0;

	for (int i = 0; i < nmoves; i++)
		nexpected += moves[i].exists;
	if (!po_writer_open(&writer, schema, PO_LINE_ITEM_KEY, Anum_line_item_balance,
						Anum_line_item_total_value))
	{
		move_by_statement(schema, moves, nmoves, nexpected);
		return;
	}
	for (int i = 0; i < nmoves; i++)
	{
		Datum		key[] = {
			PointerGetDatum(moves[i].account_id), Int64GetDatum(moves[i].line_item_id)
		};

		nmoved += po_writer_update(&writer, key, lengthof(key), move_balance,
								   unconstify(PoMove *, &moves[i]));
	}
	po_writer_close(&writer);
	po_check_written(nmoved == nexpected, "po_line_item");
}

/* ---- ledger ---- */

typedef struct Entries
{
	Oid			schema;
	const PoEntry *entries;
} Entries;

/* an entry as a row of the ledger; the next id is its */
static void
fill_entry(Datum *values, bool *nulls, int n, void *arg)
{
	const Entries *list = arg;
	const PoEntry *entry = &list->entries[n];

	memset(nulls, false, Anum_ledger_note * sizeof(bool));
	values[Anum_ledger_entry_id - 1] =
		Int64GetDatum(po_next_id(list->schema, "po_ledger_entry_id_seq"));
	put_text(values, nulls, Anum_ledger_account_id, entry->account_id);
	values[Anum_ledger_line_item_id - 1] = Int64GetDatum(entry->line_item_id);
	put_text(values, nulls, Anum_ledger_po_number, entry->po_number);
	put_text(values, nulls, Anum_ledger_line_number, entry->line_number);
	put_text(values, nulls, Anum_ledger_bill_from, entry->bill_from);
	put_text(values, nulls, Anum_ledger_invoice_id, entry->invoice_id);
	values[Anum_ledger_entry_kind - 1] = CStringGetTextDatum(entry->kind);
	values[Anum_ledger_amount - 1] = NumericGetDatum(entry->amount);
	values[Anum_ledger_balance_after - 1] = NumericGetDatum(entry->balance_after);
	nulls[Anum_ledger_balance_after - 1] = entry->balance_after == NULL;
	values[Anum_ledger_recorded_at - 1] = TimestampTzGetDatum(entry->recorded_at);
	put_text(values, nulls, Anum_ledger_recorded_by, entry->recorded_by);
	put_text(values, nulls, Anum_ledger_note, entry->note);
}

/* columns that a user added have their defaults */
static void
insert_by_statement(Relation ledger, Entries *list, int nentries)
{
	TupleDesc	desc = RelationGetDescr(ledger);
	Datum	   *values = palloc0(desc->natts * sizeof(Datum));
	bool	   *nulls = palloc(desc->natts * sizeof(bool));
	Datum	   *rows = palloc(nentries * sizeof(Datum));
	Datum		arg;

	memset(nulls, true, desc->natts * sizeof(bool));
	for (int i = 0; i < nentries; i++)
	{
		fill_entry(values, nulls, i, list);
		rows[i] = heap_copy_tuple_as_datum(heap_form_tuple(desc, values, nulls), desc);
	}
	arg = po_array_datum(rows, NULL, nentries, ledger->rd_rel->reltype);
	po_check_written(execute(list->schema, PO_WRITE_LEDGER, &arg, NULL) == (uint64) nentries,
					 "po_ledger");
	SPI_finish();
}

/* in their order, which their ids follow */
void
po_write_ledger(Oid schema, const PoEntry *entries, int nentries)
{
	Relation	ledger = table_open(po_table_oid(schema, PO_LEDGER), RowExclusiveLock);
	Entries		list = {schema, entries};

	if (!po_insert_rows(ledger, Anum_ledger_note, nentries, fill_entry, &list))
		insert_by_statement(ledger, &list, nentries);
	table_close(ledger, NoLock);
}
