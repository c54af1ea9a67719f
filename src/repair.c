/*
 * repair.c
 *		The SQL function po_repair: makes balances what the invoices leave.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "flight.h"
#include "notify.h"

/* one line item: its balance, and an entry that says why */
static void
repair(Oid schema, text *account_id, const PoBroken *broken, TimestampTz now)
{
	PoEntry		entry = {0};
	PoMove		item = {0};
	PoAlert    *alert;
	PoCrossings *crossings = po_crossings_make();
	Datum		args[] = {
		PointerGetDatum(account_id), Int64GetDatum(broken->line_item_id),
		NumericGetDatum(broken->balance)
	};

	entry.account_id = account_id;
	entry.line_item_id = broken->line_item_id;
	entry.po_number = broken->po_number;
	entry.line_number = broken->line_number;
	entry.kind = "repaired";
	entry.amount = broken->missing;
	entry.balance_after = broken->balance;
	entry.recorded_at = now;
	entry.recorded_by = po_user();
	entry.note = cstring_to_text("balance and ledger made what the invoices leave");
	item.account_id = account_id;
	item.line_item_id = broken->line_item_id;
	po_read_balances(schema, &item, 1);
	alert = po_alert_make(item.total_value, item.thresholds);
	po_write_ledger(schema, &entry, 1);
	if (alert != NULL)
		po_crossings_judge(crossings, &entry, alert, item.balance, alert);
	po_crossings_notify(schema, crossings);
	po_write(schema, PO_REPAIR, args, NULL);
}

/* the number of line items that were mended */
PG_FUNCTION_INFO_V1(po_repair);
Datum
po_repair(PG_FUNCTION_ARGS)
{
	Oid			schema = get_func_namespace(fcinfo->flinfo->fn_oid);
	text	   *account_id;
	PoIdentity	caller;
	PoBroken   *broken;
	int			nbroken;
	TimestampTz now;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("account_id must not be null"),
				 errhint("Name one account: po_check_integrity() says which need it.")));
	account_id = PG_GETARG_TEXT_PP(0);
	po_become_table_owner(schema, PO_LINE_ITEM, &caller);
	po_flight_close(schema);
	now = po_statement_time(schema, account_id, PO_FOR_BOOKING);
	broken = po_read_broken(schema, account_id, &nbroken);
	for (int i = 0; i < nbroken; i++)
		repair(schema, account_id, &broken[i], now);
	po_flight_close(schema);
	po_become(&caller);
	PG_RETURN_INT64(nbroken);
}
