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

typedef struct ReminderScan
{
	Oid			schema;
	bool		is_given;		/* is as_of? else it is each account's today */
	DateADT		as_of;
	text	   *account_id;		/* the order that was reminded of last */
	text	   *po_number;
	int64		nwritten;
} ReminderScan;

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

/* the next orders; false where these were the last */
static bool
scan_some(ReminderScan *scan, MemoryContext caller)
{
	Datum		args[] = {
		DateADTGetDatum(scan->as_of), PointerGetDatum(scan->account_id),
		PointerGetDatum(scan->po_number), Int64GetDatum(AT_A_TIME)
	};
	int			n;
	PoNotice   *notices = po_read_reminders(scan->schema, args,
											scan->is_given ? NULL : "n   ", &n);
	PoNotification *reminders = palloc(Max(n, 1) * sizeof(PoNotification));
	TimestampTz now = po_clock_now();

	if (n == 0)
		return false;
	for (int i = 0; i < n; i++)
		make_reminder(&reminders[i], &notices[i], now);
	scan->nwritten += po_write_notifications(scan->schema, PO_WRITE_REMINDERS, reminders, n);
	MemoryContextSwitchTo(caller);
	scan->account_id = po_text_copy(notices[n - 1].account_id);
	scan->po_number = po_text_copy(notices[n - 1].po_number);
	return n == AT_A_TIME;
}

/* the number of reminders written */
PG_FUNCTION_INFO_V1(po_scan_expirations);
Datum
po_scan_expirations(PG_FUNCTION_ARGS)
{
	ReminderScan scan = {0};
	PoIdentity	caller;
	bool		more = true;

	scan.schema = get_func_namespace(fcinfo->flinfo->fn_oid);
	scan.is_given = !PG_ARGISNULL(0);
	scan.as_of = scan.is_given ? PG_GETARG_DATEADT(0) : 0;
	scan.account_id = scan.po_number = cstring_to_text("");
	po_become_table_owner(scan.schema, PO_NOTIFICATION, &caller);
	while (more)
	{
		MemoryContext outer = CurrentMemoryContext;
		MemoryContext some = AllocSetContextCreate(outer, "po_mgmt reminders",
												   ALLOCSET_DEFAULT_SIZES);

		CHECK_FOR_INTERRUPTS();
		MemoryContextSwitchTo(some);
		more = scan_some(&scan, outer);
		MemoryContextSwitchTo(outer);
		MemoryContextDelete(some);
	}
	po_become(&caller);
	PG_RETURN_INT64(scan.nwritten);
}
