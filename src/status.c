/*
 * status.c
 *		The SQL functions po_suspend, po_activate and po_extend.
 *
 * They update as the user who calls them, with his rights; the triggers check
 * what they check for any update.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "limits.h"
#include "store.h"

/* runs an update of one order; its new status */
static text *
update_order(FunctionCallInfo fcinfo, PoStatement statement, const Datum *args)
{
	MemoryContext caller = CurrentMemoryContext;
	bool		isnull;
	Datum		value;
	text	   *status;

	SPI_connect();
	if (po_execute(get_func_namespace(fcinfo->flinfo->fn_oid), statement, args,
				   NULL, false) == 0)
		po_report_no_order(DatumGetTextPP(args[0]), DatumGetTextPP(args[1]));
	value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	MemoryContextSwitchTo(caller);
	status = DatumGetTextPCopy(value);
	SPI_finish();
	return status;
}

static text *
set_status(FunctionCallInfo fcinfo, const char *status)
{
	Datum		args[] = {
		PG_GETARG_DATUM(0), PointerGetDatum(po_text_trim(PG_GETARG_TEXT_PP(1))),
		CStringGetTextDatum(status)
	};

	return update_order(fcinfo, PO_SET_STATUS, args);
}

PG_FUNCTION_INFO_V1(po_suspend);
Datum
po_suspend(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(set_status(fcinfo, "suspended"));
}

PG_FUNCTION_INFO_V1(po_activate);
Datum
po_activate(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(set_status(fcinfo, "active"));
}

/* the month until which the order is good, before it is extended */
static PoMonth
check_extends(Oid schema, text *account_id, text *po_number, PoMonth month)
{
	PoOrder		order;
	char		present[PO_MONTH_BUFSIZE];
	char		wanted[PO_MONTH_BUFSIZE];

	if (!po_newest_order(schema, account_id, po_number, &order))
		po_report_no_order(account_id, po_number);
	if (month < order.expiration_month)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s does not extend purchase order \"%s\"",
						po_month_format(month, wanted), text_to_cstring(po_number)),
				 errdetail("It expires in %s.",
						   po_month_format(order.expiration_month, present)),
				 errhint("To shorten an order, update its expiration_month.")));
	return order.expiration_month;
}

PG_FUNCTION_INFO_V1(po_extend);
Datum
po_extend(PG_FUNCTION_ARGS)
{
	Oid			schema = get_func_namespace(fcinfo->flinfo->fn_oid);
	text	   *account_id = PG_GETARG_TEXT_PP(0);
	text	   *po_number = po_text_trim(PG_GETARG_TEXT_PP(1));
	PoMonth		month = PG_GETARG_PO_MONTH(2);
	Datum		args[4] = {
		PointerGetDatum(account_id), PointerGetDatum(po_number),
		PoMonthGetDatum(month), PoMonthGetDatum(month)
	};
	PoMonth		before = check_extends(schema, account_id, po_number, month);
	text	   *status = update_order(fcinfo, PO_EXTEND_ORDER, args);

	if (PG_GETARG_BOOL(3))
	{
		args[2] = PoMonthGetDatum(before);
		SPI_connect();
		po_execute(schema, PO_EXTEND_LINE_ITEMS, args, NULL, false);
		SPI_finish();
	}
	PG_RETURN_TEXT_P(status);
}
