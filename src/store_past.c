/*
 * store_past.c
 *		Reads what was at a time: orders and line items from the change log,
 *		balances from the ledger.
 *
 * As the current user, with his privileges and row security, on the active
 * snapshot.
 */
#include "postgres.h"

#include "store_spi.h"

static void
get_row(uint64 row, Datum *values, bool *nulls)
{
	heap_deform_tuple(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, values, nulls);
}

/* the entry by which the invoice was booked, if there is one */
static void
read_entry(PoStatement statement, const Datum *args, PoBooked *booked)
{
	Datum		values[3];
	bool		nulls[3];

	if (query(booked->schema, statement, args) > 0)
	{
		get_row(0, values, nulls);
		booked->entry_id = DatumGetInt64(values[0]);
		booked->invoice.amount = DatumGetNumericCopy(values[1]);
		booked->note = nulls[2] ? NULL : DatumGetTextPCopy(values[2]);
	}
	SPI_finish();
}

/* there is none for history, nor for what no line item fitted */
static void
read_association(PoBooked *booked)
{
	const PoInvoice *invoice = &booked->invoice;
	Datum		args[] = {
		PointerGetDatum(invoice->account_id), Int64GetDatum(invoice->line_item_id),
		PointerGetDatum(invoice->bill_from), PointerGetDatum(invoice->invoice_id),
		TimestampTzGetDatum(booked->at)
	};
	Datum		released[] = {args[0], args[2], args[3], args[4]};

	if (invoice->line_item_id != 0)
		read_entry(PO_READ_ASSOCIATION, args, booked);
	else
		read_entry(PO_READ_RELEASED, released, booked);
}

bool
po_read_booked(Oid schema, text *account_id, text *bill_from, text *invoice_id,
			   PoBooked *booked)
{
	Datum		args[] = {
		PointerGetDatum(account_id), PointerGetDatum(bill_from),
		PointerGetDatum(invoice_id)
	};
	Datum		values[PO_INVOICE_NCOLUMNS + 4];
	bool		nulls[PO_INVOICE_NCOLUMNS + 4];
	const Datum *more = &values[PO_INVOICE_NCOLUMNS];
	const bool *more_nulls = &nulls[PO_INVOICE_NCOLUMNS];
	bool		found = query(schema, PO_READ_BOOKED, args) > 0;

	memset(booked, 0, sizeof(*booked));
	booked->schema = schema;
	if (found)
	{
		get_row(0, values, nulls);
		po_invoice_from(&booked->invoice, values, nulls);
		booked->at = DatumGetTimestampTz(more[0]);
		booked->by = more_nulls[1] ? NULL : DatumGetTextPCopy(more[1]);
		booked->voided_at = more_nulls[2] ? 0 : DatumGetTimestampTz(more[2]);
		booked->as_original = !more_nulls[3] && DatumGetBool(more[3]);
	}
	SPI_finish();
	if (found)
		read_association(booked);
	return found;
}

bool
po_read_past_account(Oid schema, text *account_id, TimestampTz at, PoAccount *account)
{
	Datum		args[] = {PointerGetDatum(account_id), TimestampTzGetDatum(at)};
	Datum		values[PO_ACCOUNT_NCOLUMNS];
	bool		nulls[PO_ACCOUNT_NCOLUMNS];
	bool		found = query(schema, PO_READ_PAST_ACCOUNT, args) > 0;

	if (found)
	{
		get_row(0, values, nulls);
		po_account_from(account, values, nulls);
	}
	SPI_finish();
	return found;
}

PoOrder *
po_read_past_orders(Oid schema, text *account_id, TimestampTz at, int *norders)
{
	Datum		args[] = {PointerGetDatum(account_id), TimestampTzGetDatum(at)};
	uint64		nrows = query(schema, PO_READ_PAST_ORDERS, args);
	PoOrder    *orders = MemoryContextAllocHuge(CurrentMemoryContext,
												Max(nrows, 1) * sizeof(PoOrder));

	for (uint64 row = 0; row < nrows; row++)
	{
		Datum		values[PO_ORDER_NCOLUMNS];
		bool		nulls[PO_ORDER_NCOLUMNS];

		get_row(row, values, nulls);
		po_order_from(&orders[row], values, nulls);
	}
	SPI_finish();
	*norders = nrows;
	return orders;
}

PoLineItem *
po_read_past_line_items(Oid schema, text *account_id, TimestampTz at,
						int *nitems)
{
	Datum		args[] = {PointerGetDatum(account_id), TimestampTzGetDatum(at)};
	uint64		nrows = query(schema, PO_READ_PAST_LINE_ITEMS, args);
	PoLineItem *items = MemoryContextAllocHuge(CurrentMemoryContext,
											   Max(nrows, 1) * sizeof(PoLineItem));

	for (uint64 row = 0; row < nrows; row++)
	{
		Datum		values[PO_LINE_ITEM_NCOLUMNS];
		bool		nulls[PO_LINE_ITEM_NCOLUMNS];

		get_row(row, values, nulls);
		po_line_item_from(&items[row], values, nulls);
	}
	SPI_finish();
	*nitems = nrows;
	return items;
}

Numeric
po_read_past_balance(const PoLineItem *item, const PoBooked *booked)
{
	Datum		args[] = {
		PointerGetDatum(booked->invoice.account_id), Int64GetDatum(item->line_item_id),
		TimestampTzGetDatum(booked->at), Int64GetDatum(booked->entry_id)
	};
	Numeric		balance = item->balance;
	Datum		value;
	bool		isnull;

	query(booked->schema, PO_READ_PAST_BALANCE, args);
	get_row(0, &value, &isnull);
	if (!isnull)
		balance = DatumGetNumericCopy(value);
	SPI_finish();
	/* where no entry is to be seen, and the line item is gone */
	return balance != NULL ? balance : int64_to_numeric(0);
}
