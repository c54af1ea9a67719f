/*
 * repair.c
 *		The SQL function po_repair: makes balances what the invoices leave.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "flight.h"
#include "notify.h"

/* a line item's balance; the last of its entries says why */
static void
set_balance(Oid schema, const PoRepair *repair, PoCrossings *crossings)
{
	const PoEntry *entry = &repair->entry;
	PoMove		item = {.account_id = entry->account_id,.line_item_id = entry->line_item_id};
	Datum		args[] = {
		PointerGetDatum(entry->account_id), Int64GetDatum(entry->line_item_id),
		NumericGetDatum(repair->balance)
	};
	PoAlert    *alert;

	po_read_balances(schema, &item, 1);
	alert = po_alert_make(item.total_value, item.thresholds, item.balance);
	if (alert != NULL)
		po_crossings_judge(crossings, alert, entry);
	po_write(schema, PO_REPAIR, args, NULL);
}

/* the entries first, which say why; the number of line items that were mended */
static int64
repair_all(Oid schema, text *account_id, PoRepair *repairs, int nrepairs)
{
	TimestampTz now = po_statement_time(schema, account_id, PO_FOR_BOOKING);
	PoEntry    *entries = palloc(Max(nrepairs, 1) * sizeof(PoEntry));
	PoCrossings *crossings = po_crossings_make();
	int64		nmended = 0;

	for (int i = 0; i < nrepairs; i++)
	{
		PoEntry    *entry = &repairs[i].entry;

		entry->kind = "repaired";
		entry->recorded_at = now;
		entry->recorded_by = po_user();
		entry->note = cstring_to_text(entry->invoice_id != NULL ?
									  "ledger of the invoice made what is booked" :
									  "balance and ledger made what the invoices leave");
		entries[i] = *entry;
		if (i == 0 || entry->line_item_id != entries[i - 1].line_item_id)
			nmended++;
	}
	po_write_ledger(schema, entries, nrepairs);
	for (int i = 0; i < nrepairs; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (repairs[i].balance != NULL)
			set_balance(schema, &repairs[i], crossings);
	}
	po_crossings_notify(schema, crossings);
	return nmended;
}

/* the number of line items that were mended */
PG_FUNCTION_INFO_V1(po_repair);
Datum
po_repair(PG_FUNCTION_ARGS)
{
	Oid			schema = get_func_namespace(fcinfo->flinfo->fn_oid);
	text	   *account_id;
	PoIdentity	caller;
	PoRepair   *repairs;
	int			nrepairs;
	int64		nmended;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("account_id must not be null"),
				 errhint("Name one account: po_check_integrity() says which need it.")));
	account_id = PG_GETARG_TEXT_PP(0);
	po_become_table_owner(schema, PO_LINE_ITEM, &caller);
	po_flight_close(schema);
	po_statement_account(schema, account_id, PO_FOR_BOOKING);
	repairs = po_read_repairs(schema, account_id, &nrepairs);
	nmended = repair_all(schema, account_id, repairs, nrepairs);
	po_flight_close(schema);
	po_become(&caller);
	PG_RETURN_INT64(nmended);
}
