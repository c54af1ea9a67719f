/*
 * store_write.c
 *		Locks accounts and writes the books; reads what the triggers check.
 *
 * All of it runs as the tables' owner (the caller sees to that) and sees the
 * newest rows: each statement takes a snapshot of its own, so that after the
 * lock on an account nothing of it is stale.  Under REPEATABLE READ and above
 * the lock itself fails with 40001 where the account's row has changed.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/sysattr.h"
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/sequence.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/relcache.h"
#include "utils/snapmgr.h"

#include "clock.h"
#include "store.h"

/*
 * Connects, runs a statement on the newest rows, and goes on in the caller's
 * memory context.  The rows live until SPI_finish().
 */
static uint64
execute(Oid schema, PoStatement statement, const Datum *args, const char *nulls)
{
	MemoryContext caller = CurrentMemoryContext;
	uint64		nrows;

	SPI_connect();
	nrows = po_execute(schema, statement, args, nulls, false);
	MemoryContextSwitchTo(caller);
	return nrows;
}

static Datum
column(uint64 row, int n, bool *isnull)
{
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, n,
						 isnull);
}

/* ---- accounts ---- */

/*
 * Locks an account by writing its row, for the rest of the transaction: its
 * bookings and changes of its configuration come one after another.  The time
 * that goes into the row is later than that of any lock before, even where
 * the clock was set back.  False where the account is not known.
 */
bool
po_lock_account(Oid schema, text *account_id, PoAccount *account)
{
	Datum		args[] = {
		PointerGetDatum(account_id), TimestampTzGetDatum(po_clock_stamp())
	};
	Datum		values[PO_ACCOUNT_NCOLUMNS];
	bool		nulls[PO_ACCOUNT_NCOLUMNS];
	bool		found = execute(schema, PO_LOCK_ACCOUNT, args, NULL) > 0;

	if (found)
	{
		for (int i = 0; i < PO_ACCOUNT_NCOLUMNS; i++)
			values[i] = column(0, i + 1, &nulls[i]);
		po_account_from(account, values, nulls);
	}
	SPI_finish();
	return found;
}

/* with its defaults, unless it is there */
void
po_add_account(Oid schema, text *account_id)
{
	Datum		arg = PointerGetDatum(account_id);

	execute(schema, PO_ADD_ACCOUNT, &arg, NULL);
	SPI_finish();
}

void
po_touch_order(Oid schema, text *account_id, text *po_number, TimestampTz stamp)
{
	Datum		args[] = {
		PointerGetDatum(account_id), PointerGetDatum(po_number),
		TimestampTzGetDatum(stamp)
	};

	execute(schema, PO_TOUCH_ORDER, args, NULL);
	SPI_finish();
}

/* ---- seeds ---- */

/*
 * Gives the seed that has the row's key the row's other columns; false where
 * there is none.  The columns and the key are those that the table has.
 */
bool
po_update_seed(Relation rel, HeapTuple row)
{
	TupleDesc	desc = RelationGetDescr(rel);
	Bitmapset  *key = RelationGetIndexAttrBitmap(rel, INDEX_ATTR_BITMAP_PRIMARY_KEY);
	const char *schema = quote_identifier(get_namespace_name(RelationGetNamespace(rel)));
	StringInfoData set;
	StringInfoData where;
	Oid			type = rel->rd_rel->reltype;
	Datum		arg = heap_copy_tuple_as_datum(row, desc);
	bool		updated;

	initStringInfo(&set);
	initStringInfo(&where);
	for (int i = 0; i < desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);
		const char *name = quote_identifier(NameStr(att->attname));
		bool		own = att->atttypid >= FirstNormalObjectId;

		if (att->attisdropped || att->attgenerated ||
			strcmp(NameStr(att->attname), "seeded") == 0)
			continue;
		if (bms_is_member(att->attnum - FirstLowInvalidHeapAttributeNumber, key))
			appendStringInfo(&where, " AND t.%s OPERATOR(%s.=) ($1).%s", name,
							 own ? schema : "pg_catalog", name);
		else
			appendStringInfo(&set, "%s%s = ($1).%s", set.len > 0 ? ", " : "",
							 name, name);
	}
	SPI_connect();
	SPI_execute_with_args(psprintf("UPDATE %s.%s t SET %s WHERE t.seeded%s",
								   schema, RelationGetRelationName(rel),
								   set.data, where.data),
						  1, &type, &arg, NULL, false, 0);
	updated = SPI_processed > 0;
	SPI_finish();
	return updated;
}

/* ---- what triggers ask ---- */

/* for the reads of store_read.c, which take the active snapshot */
void
po_see_newest(void)
{
	CommandCounterIncrement();
	PushActiveSnapshot(GetTransactionSnapshot());
}

bool
po_newest_order(Oid schema, text *account_id, text *po_number, PoOrder *order)
{
	bool		found;

	po_see_newest();
	found = po_read_order(schema, account_id, po_number, order);
	PopActiveSnapshot();
	return found;
}

int64
po_count(Oid schema, PoStatement statement, const Datum *args)
{
	bool		isnull;
	int64		count;

	execute(schema, statement, args, NULL);
	count = DatumGetInt64(column(0, 1, &isnull));
	SPI_finish();
	return count;
}

bool
po_exists(Oid schema, PoStatement statement, const Datum *args)
{
	bool		found = execute(schema, statement, args, NULL) > 0;

	SPI_finish();
	return found;
}

/* the boolean that a statement gives; unknown where it gives no row */
PoTristate
po_ask(Oid schema, PoStatement statement, const Datum *args)
{
	PoTristate	result = PO_UNKNOWN;
	bool		isnull;

	if (execute(schema, statement, args, NULL) > 0)
		result = DatumGetBool(column(0, 1, &isnull)) ? PO_YES : PO_NO;
	SPI_finish();
	return result;
}

Numeric
po_sum(Oid schema, PoStatement statement, const Datum *args)
{
	bool		isnull;
	Numeric		sum;

	execute(schema, statement, args, NULL);
	sum = DatumGetNumericCopy(column(0, 1, &isnull));
	SPI_finish();
	return sum;
}

/* a column of text as a list for a message: "1, 2, 3" and so on; or NULL */
char *
po_list(Oid schema, PoStatement statement, const Datum *args)
{
	StringInfoData list;
	uint64		nrows = execute(schema, statement, args, NULL);

	initStringInfo(&list);
	for (uint64 row = 0; row < nrows; row++)
	{
		bool		isnull;
		Datum		value = column(row, 1, &isnull);

		if (row == 10)
		{
			appendStringInfo(&list, " and " UINT64_FORMAT " more", nrows - row);
			break;
		}
		appendStringInfo(&list, "%s%s", row > 0 ? ", " : "",
						 TextDatumGetCString(value));
	}
	SPI_finish();
	return nrows > 0 ? list.data : NULL;
}

/* the next value of one of the extension's sequences; needs no right on it */
int64
po_next_id(Oid schema, const char *sequence)
{
	Oid			oid = get_relname_relid(sequence, schema);

	if (!OidIsValid(oid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("sequence \"%s\" of extension po_mgmt does not exist",
						sequence)));
	return nextval_internal(oid, false);
}

/* ---- balances and ledger ---- */

static Datum
array_datum(Datum *values, bool *nulls, int n, Oid type)
{
	int			dims[1] = {n};
	int			lbs[1] = {1};
	int16		typlen;
	bool		typbyval;
	char		typalign;

	get_typlenbyvalalign(type, &typlen, &typbyval, &typalign);
	return PointerGetDatum(construct_md_array(values, nulls, 1, dims, lbs, type,
											  typlen, typbyval, typalign));
}

/*
 * Adds each move's amount to the balance of its line item, and sets balance
 * to the new one; NULL where the line item is gone.  One move a line item.
 */
void
po_move_balances(Oid schema, PoMove *moves, int nmoves)
{
	Datum	   *accounts = palloc(nmoves * sizeof(Datum));
	Datum	   *ids = palloc(nmoves * sizeof(Datum));
	Datum	   *amounts = palloc(nmoves * sizeof(Datum));
	Datum		args[3];
	uint64		nrows;
	bool		isnull;

	for (int i = 0; i < nmoves; i++)
	{
		accounts[i] = PointerGetDatum(moves[i].account_id);
		ids[i] = Int64GetDatum(moves[i].line_item_id);
		amounts[i] = NumericGetDatum(moves[i].amount);
		moves[i].balance = NULL;
	}
	args[0] = array_datum(accounts, NULL, nmoves, TEXTOID);
	args[1] = array_datum(ids, NULL, nmoves, INT8OID);
	args[2] = array_datum(amounts, NULL, nmoves, NUMERICOID);
	nrows = execute(schema, PO_MOVE_BALANCES, args, NULL);
	for (uint64 row = 0; row < nrows; row++)
	{
		PoMove	   *move = &moves[DatumGetInt64(column(row, 1, &isnull)) - 1];

		move->balance = DatumGetNumericCopy(column(row, 2, &isnull));
	}
	SPI_finish();
}

typedef struct LedgerColumn
{
	Datum	   *values;
	bool	   *nulls;
} LedgerColumn;

static void
put(LedgerColumn *column, int row, Datum value, bool isnull)
{
	column->values[row] = value;
	column->nulls[row] = isnull;
}

static void
put_text(LedgerColumn *column, int row, const text *value)
{
	put(column, row, PointerGetDatum(value), value == NULL);
}

static void
put_entry(LedgerColumn *columns, int row, int64 entry_id, const PoEntry *entry)
{
	put(&columns[0], row, Int64GetDatum(entry_id), false);
	put_text(&columns[1], row, entry->account_id);
	put(&columns[2], row, Int64GetDatum(entry->line_item_id), false);
	put_text(&columns[3], row, entry->po_number);
	put_text(&columns[4], row, entry->line_number);
	put_text(&columns[5], row, entry->bill_from);
	put_text(&columns[6], row, entry->invoice_id);
	put(&columns[7], row, CStringGetTextDatum(entry->kind), false);
	put(&columns[8], row, NumericGetDatum(entry->amount), false);
	put(&columns[9], row, NumericGetDatum(entry->balance_after),
		entry->balance_after == NULL);
	put(&columns[10], row, TimestampTzGetDatum(entry->recorded_at), false);
	put_text(&columns[11], row, entry->recorded_by);
	put_text(&columns[12], row, entry->note);
}

/* in their order, which their ids follow */
void
po_write_ledger(Oid schema, const PoEntry *entries, int nentries)
{
	static const Oid types[PO_MAX_ARGS] = {
		INT8OID, TEXTOID, INT8OID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID,
		NUMERICOID, NUMERICOID, TIMESTAMPTZOID, TEXTOID, TEXTOID
	};
	LedgerColumn columns[PO_MAX_ARGS];
	Datum		args[PO_MAX_ARGS];

	for (int i = 0; i < PO_MAX_ARGS; i++)
	{
		columns[i].values = palloc(nentries * sizeof(Datum));
		columns[i].nulls = palloc(nentries * sizeof(bool));
	}
	for (int row = 0; row < nentries; row++)
		put_entry(columns, row, po_next_id(schema, "po_ledger_entry_id_seq"),
				  &entries[row]);
	for (int i = 0; i < PO_MAX_ARGS; i++)
		args[i] = array_datum(columns[i].values, columns[i].nulls, nentries,
							  types[i]);
	execute(schema, PO_WRITE_LEDGER, args, NULL);
	SPI_finish();
}
