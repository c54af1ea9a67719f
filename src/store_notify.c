/*
 * store_notify.c
 *		Reads what notifications say, and writes them to the outbox.
 *
 * As the tables' owner and on the newest rows, like store_write.c.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "commands/async.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "store.h"
#include "store_spi.h"

bool		po_notify_setting = true;

static ArrayType *
array_column(uint64 row, int n)
{
	bool		isnull;
	Datum		value = column(row, n, &isnull);

	return isnull ? NULL : DatumGetArrayTypePCopy(value);
}

/* from the columns after the first, in the order of the struct */
static void
notice_from(PoNotice *notice, uint64 row)
{
	bool		isnull;

	notice->account_id = text_column(row, 2);
	notice->po_number = text_column(row, 3);
	notice->order_description = text_column(row, 4);
	notice->bill_from = text_column(row, 5);
	notice->currency = text_column(row, 6);
	notice->time_zone = text_column(row, 7);
	notice->expiration_month = DatumGetPoMonth(column(row, 8, &isnull));
	notice->start_month = DatumGetPoMonth(column(row, 9, &isnull));
	notice->end_month = DatumGetPoMonth(column(row, 10, &isnull));
	notice->line_number = text_column(row, 11);
	notice->item_description = text_column(row, 12);
	notice->label = text_column(row, 13);
	notice->total_value = numeric_column(row, 14);
	notice->balance = numeric_column(row, 15);
	notice->recipients = array_column(row, 16);
}

/* one notice for each line item; without recipients where it is gone */
void
po_read_notices(Oid schema, const PoMove *items, int nitems, PoNotice *notices)
{
	Datum		args[2];
	uint64		nrows;
	bool		isnull;

	memset(notices, 0, nitems * sizeof(PoNotice));
	po_line_item_arguments(items, nitems, args);
	nrows = execute(schema, PO_READ_NOTICES, args, NULL);
	for (uint64 row = 0; row < nrows; row++)
		notice_from(&notices[DatumGetInt64(column(row, 1, &isnull)) - 1], row);
	SPI_finish();
}

/*
 * Of a day, or of each account's today, for the accounts of one shard; the
 * cursor ends with the last row.
 */
Portal
po_open_reminders(Oid schema, text *account_id, bool is_given, DateADT as_of)
{
	Datum		args[] = {DateADTGetDatum(as_of), PointerGetDatum(account_id)};
	char		nulls[] = {is_given ? ' ' : 'n', account_id != NULL ? ' ' : 'n', '\0'};
	Portal		cursor;

	SPI_connect();
	cursor = po_open_cursor(schema, PO_READ_REMINDERS, args, nulls);
	SPI_finish();
	return cursor;
}

/* the next ones, so many at most; less: these are the last */
PoNotice *
po_read_reminders(Portal cursor, int max, int *nnotices)
{
	MemoryContext caller = CurrentMemoryContext;
	PoNotice   *notices = palloc0(max * sizeof(PoNotice));
	bool		isnull;

	SPI_connect();
	SPI_cursor_fetch(cursor, true, max);
	*nnotices = SPI_processed;
	MemoryContextSwitchTo(caller);
	for (int row = 0; row < *nnotices; row++)
	{
		notice_from(&notices[row], row);
		notices[row].due_on = DatumGetDateADT(column(row, 1, &isnull));
		notices[row].today = DatumGetDateADT(column(row, 17, &isnull));
	}
	if (*nnotices < max)
		SPI_cursor_close(cursor);
	SPI_finish();
	return notices;
}

/* a notification as a row of the outbox; columns that a user added are null */
static Datum
notification_row(TupleDesc desc, int64 id, const PoNotification *notification)
{
	Datum	   *values = palloc0(desc->natts * sizeof(Datum));
	bool	   *nulls = palloc(desc->natts * sizeof(bool));

	memset(nulls, true, desc->natts * sizeof(bool));
	memset(nulls, false, Anum_notification_created_at * sizeof(bool));
	values[Anum_notification_notification_id - 1] = Int64GetDatum(id);
	put_text(values, nulls, Anum_notification_account_id, notification->account_id);
	put_text(values, nulls, Anum_notification_po_number, notification->po_number);
	put_text(values, nulls, Anum_notification_line_number, notification->line_number);
	values[Anum_notification_kind - 1] = CStringGetTextDatum(notification->kind);
	values[Anum_notification_threshold - 1] = NumericGetDatum(notification->threshold);
	nulls[Anum_notification_threshold - 1] = notification->threshold == NULL;
	values[Anum_notification_due_on - 1] = DateADTGetDatum(notification->due_on);
	nulls[Anum_notification_due_on - 1] = notification->threshold != NULL;
	values[Anum_notification_recipients - 1] = PointerGetDatum(notification->recipients);
	put_text(values, nulls, Anum_notification_subject, notification->subject);
	put_text(values, nulls, Anum_notification_body, notification->body);
	values[Anum_notification_created_at - 1] = TimestampTzGetDatum(notification->created_at);
	return heap_copy_tuple_as_datum(heap_form_tuple(desc, values, nulls), desc);
}

/* the server sends one to each listener at commit, however many are asked for here */
static void
wake_senders(void)
{
	if (po_notify_setting)
		Async_Notify("po_mgmt", "");
}

/*
 * In their order, which their ids follow.  The number that was written: of
 * reminders perhaps less than given, where another session has written them.
 */
uint64
po_write_notifications(Oid schema, PoStatement statement,
					   const PoNotification *notifications, int nnotifications)
{
	Relation	outbox = table_open(po_table_oid(schema, PO_NOTIFICATION), RowExclusiveLock);
	Datum	   *rows = palloc(nnotifications * sizeof(Datum));
	Datum		arg;
	uint64		nwritten;

	for (int i = 0; i < nnotifications; i++)
		rows[i] = notification_row(RelationGetDescr(outbox),
								   po_next_id(schema, "po_notification_notification_id_seq"),
								   &notifications[i]);
	arg = po_array_datum(rows, NULL, nnotifications, outbox->rd_rel->reltype);
	table_close(outbox, NoLock);
	nwritten = execute(schema, statement, &arg, NULL);
	po_check_written(nwritten == (uint64) nnotifications || statement == PO_WRITE_REMINDERS,
					 "po_notification");
	SPI_finish();
	if (nwritten > 0)
		wake_senders();
	return nwritten;
}
