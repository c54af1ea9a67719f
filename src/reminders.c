/*
 * reminders.c
 *		The SQL function po_scan_expirations: reminds of orders that expire.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "clock.h"
#include "notice.h"

/* orders that are read and reminded of at a time */
#define AT_A_TIME	1000

static void
make_reminder(PoNotification *notification, const PoNotice *notice, TimestampTz now)
{
	memset(notification, 0, sizeof(*notification));
	notification->account_id = notice->account_id;
	notification->po_number = notice->po_number;
	notification->kind = "expiration";
	notification->due_on = notice->due_on;
	notification->recipients = notice->recipients;
	notification->created_at = now;
	po_notice_expiration(notice, &notification->subject, &notification->body);
}

/* the next orders; how many reminders were written, and were these the last? */
static uint64
remind_of_some(Oid schema, Portal cursor, bool *more)
{
	int			n;
	PoNotice   *notices = po_read_reminders(cursor, AT_A_TIME, &n);
	PoNotification *reminders = palloc(Max(n, 1) * sizeof(PoNotification));
	TimestampTz now = po_clock_now();

	*more = n == AT_A_TIME;
	if (n == 0)
		return 0;
	for (int i = 0; i < n; i++)
		make_reminder(&reminders[i], &notices[i], now);
	return po_write_notifications(schema, PO_WRITE_REMINDERS, reminders, n);
}

/* of the accounts that are in one shard with this one, or of all */
static uint64
remind_of_all(Oid schema, text *account_id, bool is_given, DateADT as_of)
{
	Portal		cursor = po_open_reminders(schema, account_id, is_given, as_of);
	uint64		nwritten = 0;
	bool		more = true;

	while (more)
	{
		MemoryContext outer = CurrentMemoryContext;
		MemoryContext some = AllocSetContextCreate(outer, "po_mgmt reminders",
												   ALLOCSET_DEFAULT_SIZES);

		CHECK_FOR_INTERRUPTS();
		MemoryContextSwitchTo(some);
		nwritten += remind_of_some(schema, cursor, &more);
		MemoryContextSwitchTo(outer);
		MemoryContextDelete(some);
	}
	return nwritten;
}

/* the number of reminders written */
PG_FUNCTION_INFO_V1(po_scan_expirations);
Datum
po_scan_expirations(PG_FUNCTION_ARGS)
{
	Oid			schema = get_func_namespace(fcinfo->flinfo->fn_oid);
	bool		is_given = !PG_ARGISNULL(0);
	int64		nwritten = 0;
	ListCell   *cell;
	PoIdentity	caller;

	po_become_table_owner(schema, PO_NOTIFICATION, &caller);
	foreach(cell, po_accounts_here(schema))
		nwritten += remind_of_all(schema, lfirst(cell), is_given,
								  is_given ? PG_GETARG_DATEADT(0) : 0);
	po_become(&caller);
	PG_RETURN_INT64(nwritten);
}
