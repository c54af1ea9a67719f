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

/* the arguments that name the order, of which none may be null */
static void
order_arguments(FunctionCallInfo fcinfo, Datum *args)
{
	static const char *const names[] = {
		"account_id", "po_number", "expiration_month", "line_items"
	};
	text	   *po_number;

	for (int i = 0; i < PG_NARGS(); i++)
		if (PG_ARGISNULL(i))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("%s must not be null", names[i]),
					 errhint("Name the order by its account and its number.")));
	po_number = po_text_trim(PG_GETARG_TEXT_PP(1));
	if (po_number == NULL)
		po_report_no_order(PG_GETARG_TEXT_PP(0), PG_GETARG_TEXT_PP(1));
	args[0] = PG_GETARG_DATUM(0);
	args[1] = PointerGetDatum(po_number);
}

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
	Datum		args[3];

	order_arguments(fcinfo, args);
	args[2] = CStringGetTextDatum(status);
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

/* the month until which the order is good, before it is extended; locks it */
static PoMonth
check_extends(Oid schema, text *account_id, text *po_number, PoMonth month)
{
	Datum		args[] = {PointerGetDatum(account_id), PointerGetDatum(po_number)};
	PoMonth		before;
	char		present[PO_MONTH_BUFSIZE];
	char		wanted[PO_MONTH_BUFSIZE];

	if (!po_read_month(schema, PO_LOCK_EXPIRATION, args, &before))
		po_report_no_order(account_id, po_number);
	if (month < before)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("%s does not extend purchase order \"%s\"",
						po_month_format(month, wanted), text_to_cstring(po_number)),
				 errdetail("It expires in %s.",
						   po_month_format(before, present)),
				 errhint("To shorten an order, update its expiration_month.")));
	return before;
}

PG_FUNCTION_INFO_V1(po_extend);
Datum
po_extend(PG_FUNCTION_ARGS)
{
	Oid			schema = get_func_namespace(fcinfo->flinfo->fn_oid);
	Datum		args[4];
	PoMonth		before;
	text	   *status;

	order_arguments(fcinfo, args);
	args[2] = args[3] = PG_GETARG_DATUM(2);
	before = check_extends(schema, DatumGetTextPP(args[0]), DatumGetTextPP(args[1]),
						   PG_GETARG_PO_MONTH(2));
	status = update_order(fcinfo, PO_EXTEND_ORDER, args);
	if (PG_GETARG_BOOL(3))
	{
		args[2] = PoMonthGetDatum(before);
		SPI_connect();
		po_execute(schema, PO_EXTEND_LINE_ITEMS, args, NULL, false);
		SPI_finish();
	}
	PG_RETURN_TEXT_P(status);
}
