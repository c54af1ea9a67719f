/*
 * store_write.c
 *		Writes what is not the books (store_books.c); reads what the triggers check.
 *
 * All of it runs as the tables' owner (the caller sees to that) and sees the
 * newest rows: each statement takes a snapshot of its own, so that after the
 * lock on an account nothing of it is stale.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/sysattr.h"
#include "access/table.h"
#include "access/transam.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/sequence.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/relcache.h"
#include "utils/snapmgr.h"

#include "clock.h"
#include "store.h"
#include "store_spi.h"

/* for the ledger, while an association is written */
static text *association_note = NULL;

/* ---- identity ---- */

/*
 * The extension's own reads and writes need no rights of the user's and see
 * all rows of the account.  An error gives the identity back by itself.
 */
void
po_become_role(Oid role, PoIdentity *before)
{
	GetUserIdAndSecContext(&before->user, &before->context);
	SetUserIdAndSecContext(role, before->context | SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_NOFORCE_RLS);
}

void
po_become_table_owner(Oid schema, PoTable table, PoIdentity *before)
{
	Relation	rel = table_open(po_table_oid(schema, table), AccessShareLock);

	po_become_role(rel->rd_rel->relowner, before);
	table_close(rel, NoLock);
}

void
po_become(const PoIdentity *before)
{
	SetUserIdAndSecContext(before->user, before->context);
}

/* who does it, for the books: the role that SET ROLE chose, whatever function it calls */
text *
po_user(void)
{
	return cstring_to_text(GetUserNameFromId(GetOuterUserId(), false));
}

/* ---- accounts ---- */

/* a user's trigger must not drop or change what the store writes */
void
po_check_written(bool as_meant, const char *table)
{
	if (!as_meant)
		ereport(ERROR,
				(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
				 errmsg("what po_mgmt wrote to \"%s\" was changed or dropped by a trigger", table),
				 errhint("Triggers on \"%s\" may look at its rows, but not change them.", table)));
}

/* has this transaction written its row? */
bool
po_account_is_written(Oid schema, text *account_id)
{
	Datum		arg = PointerGetDatum(account_id);
	bool		written = false;
	bool		isnull;

	if (execute(schema, PO_READ_ACCOUNT_XMIN, &arg, NULL) > 0)
		written = TransactionIdIsCurrentTransactionId(
			DatumGetTransactionId(column(0, 1, &isnull)));
	SPI_finish();
	return written;
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
 * there is none.  The columns and the key are those that the table has.  The
 * time stays where the row has none.
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
		else if (strcmp(NameStr(att->attname), "created_at") == 0)
			appendStringInfo(&set, "%s%s = COALESCE(($1).%s, t.%s)",
							 set.len > 0 ? ", " : "", name, name, name);
		else
			appendStringInfo(&set, "%s%s = ($1).%s", set.len > 0 ? ", " : "",
							 name, name);
	}
	SPI_connect();
	updated = po_execute_text(psprintf("UPDATE %s.%s t SET %s WHERE t.seeded%s",
									   schema, RelationGetRelationName(rel),
									   set.data, where.data), 1, &type, &arg, NULL, true) > 0;
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

PoInvoice *
po_read_invoices(Oid schema, PoStatement statement, const Datum *args, int *ninvoices)
{
	uint64		nrows = execute(schema, statement, args,
								args[0] == (Datum) 0 ? "n" : NULL);
	PoInvoice  *invoices = MemoryContextAllocHuge(CurrentMemoryContext,
												  Max(nrows, 1) * sizeof(PoInvoice));

	for (uint64 row = 0; row < nrows; row++)
	{
		Datum		values[PO_INVOICE_NCOLUMNS];
		bool		nulls[PO_INVOICE_NCOLUMNS];

		for (int i = 0; i < PO_INVOICE_NCOLUMNS; i++)
			values[i] = column(row, i + 1, &nulls[i]);
		po_invoice_from(&invoices[row], values, nulls);
	}
	SPI_finish();
	*ninvoices = nrows;
	return invoices;
}

/* the value that a statement gives, in the caller's memory; 0 for none */
Datum
po_read_datum(Oid schema, PoStatement statement, const Datum *args, const char *nulls)
{
	Datum		value = (Datum) 0;
	bool		isnull;

	if (execute(schema, statement, args, nulls) > 0)
	{
		value = column(0, 1, &isnull);
		value = isnull ? (Datum) 0 : SPI_datumTransfer(value, false, -1);
	}
	SPI_finish();
	return value;
}

text *
po_read_text(Oid schema, PoStatement statement, const Datum *args, const char *nulls)
{
	return (text *) DatumGetPointer(po_read_datum(schema, statement, args, nulls));
}

/* of an agreement its last order's seller and currency, and all its months */
bool
po_read_agreement(Oid schema, text *account_id, text *agreement_id, text **bill_from,
				  text **currency, PoMonth *start, PoMonth *end)
{
	Datum		args[] = {PointerGetDatum(account_id), PointerGetDatum(agreement_id)};
	bool		found = execute(schema, PO_READ_AGREEMENT, args, NULL) > 0;
	bool		isnull;

	if (found)
	{
		*bill_from = DatumGetTextPCopy(column(0, 1, &isnull));
		*currency = DatumGetTextPCopy(column(0, 2, &isnull));
		*start = DatumGetPoMonth(column(0, 3, &isnull));
		*end = DatumGetPoMonth(column(0, 4, &isnull));
	}
	SPI_finish();
	return found;
}

PoRepair *
po_read_repairs(Oid schema, text *account_id, int *nrepairs)
{
	Datum		arg = PointerGetDatum(account_id);
	uint64		nrows = execute(schema, PO_READ_REPAIRS, &arg, NULL);
	PoRepair   *repairs = palloc0(Max(nrows, 1) * sizeof(PoRepair));

	for (uint64 row = 0; row < nrows; row++)
	{
		PoEntry    *entry = &repairs[row].entry;
		bool		isnull;

		entry->account_id = account_id;
		entry->line_item_id = DatumGetInt64(column(row, 1, &isnull));
		entry->po_number = text_column(row, 2);
		entry->line_number = text_column(row, 3);
		entry->bill_from = text_column(row, 4);
		entry->invoice_id = text_column(row, 5);
		entry->amount = numeric_column(row, 6);
		entry->balance_after = numeric_column(row, 7);
		repairs[row].balance = numeric_column(row, 8);
	}
	SPI_finish();
	*nrepairs = nrows;
	return repairs;
}

bool
po_read_month(Oid schema, PoStatement statement, const Datum *args, PoMonth *month)
{
	bool		found = execute(schema, statement, args, NULL) > 0;
	bool		isnull;

	if (found)
		*month = DatumGetPoMonth(column(0, 1, &isnull));
	SPI_finish();
	return found;
}

void
po_write(Oid schema, PoStatement statement, const Datum *args, const char *nulls)
{
	execute(schema, statement, args, nulls);
	SPI_finish();
}

/* a row of the change log; args are those of PO_WRITE_CHANGE */
void
po_write_change(Oid schema, Datum *args, const char *nulls)
{
	args[0] = Int64GetDatum(po_next_id(schema, "po_change_log_change_id_seq"));
	po_check_written(execute(schema, PO_WRITE_CHANGE, args, nulls) == 1, "po_change_log");
	SPI_finish();
}

/* args are those of PO_ASSOCIATE */
void
po_write_association(Oid schema, const Datum *args, const char *nulls, text *note)
{
	text	   *outer_note = association_note;

	PG_TRY();
	{
		association_note = note;
		po_check_written(execute(schema, PO_ASSOCIATE, args, nulls) == 1, "po_invoice");
		SPI_finish();
	}
	PG_FINALLY();
	{
		association_note = outer_note;
	}
	PG_END_TRY();
}

text *
po_association_note(void)
{
	return association_note;
}

/* ---- arrays ---- */

Datum
po_array_datum(Datum *values, bool *nulls, int n, Oid type)
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

/* args gets the line items' accounts and ids */
void
po_line_item_arguments(const PoMove *items, int nitems, Datum *args)
{
	Datum	   *accounts = palloc(nitems * sizeof(Datum));
	Datum	   *ids = palloc(nitems * sizeof(Datum));

	for (int i = 0; i < nitems; i++)
	{
		accounts[i] = PointerGetDatum(items[i].account_id);
		ids[i] = Int64GetDatum(items[i].line_item_id);
	}
	args[0] = po_array_datum(accounts, NULL, nitems, TEXTOID);
	args[1] = po_array_datum(ids, NULL, nitems, INT8OID);
}
