/*
 * status.c
 *		The SQL functions po_suspend, po_activate, po_extend, po_copy_order and
 *		po_move_member.
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

/* ---- po_copy_order ---- */

static void
check_arguments(FunctionCallInfo fcinfo, const char *const *names)
{
	for (int i = 0; i < PG_NARGS(); i++)
		if (PG_ARGISNULL(i))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("%s must not be null", names[i]),
					 errhint("Give all arguments.")));
}

/* line items move as far as the first month does; none may begin after the last one */
static void
check_fits(Oid schema, Datum account_id, Datum po_number, PoMonth before, PoMonth effective,
		   PoMonth expiration)
{
	Datum		args[] = {
		account_id, po_number, PoMonthGetDatum(before), PoMonthGetDatum(effective),
		PoMonthGetDatum(expiration)
	};
	char	   *beyond = po_list(schema, PO_READ_BEYOND, args);
	char		month[PO_MONTH_BUFSIZE];

	if (beyond != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("line items of purchase order \"%s\" would begin after %s",
						TextDatumGetCString(po_number), po_month_format(expiration, month)),
				 errdetail("Line items: %s.", beyond),
				 errhint("Give a later expiration month, or copy the order and its line items by INSERT.")));
}

PG_FUNCTION_INFO_V1(po_copy_order);
Datum
po_copy_order(PG_FUNCTION_ARGS)
{
	static const char *const names[] = {
		"account_id", "po_number", "new_po_number", "effective_month", "expiration_month"
	};
	Oid			schema = get_func_namespace(fcinfo->flinfo->fn_oid);
	Datum		args[7];
	Datum		of_copy[2];
	PoOrder		order;

	check_arguments(fcinfo, names);
	args[0] = PG_GETARG_DATUM(0);
	args[1] = PointerGetDatum(po_text_trim(PG_GETARG_TEXT_PP(1)));
	args[2] = PointerGetDatum(po_text_trim(PG_GETARG_TEXT_PP(2)));
	if (args[1] == (Datum) 0 ||
		!po_newest_order(schema, PG_GETARG_TEXT_PP(0), DatumGetTextPP(args[1]), &order))
		po_report_no_order(PG_GETARG_TEXT_PP(0), PG_GETARG_TEXT_PP(1));
	if (args[2] == (Datum) 0)
		args[2] = PG_GETARG_DATUM(2);	/* for the error of such a number */
	check_fits(schema, args[0], args[1], order.effective_month, PG_GETARG_PO_MONTH(3),
			   PG_GETARG_PO_MONTH(4));
	args[3] = PG_GETARG_DATUM(3);
	args[4] = PG_GETARG_DATUM(4);
	po_write(schema, PO_COPY_ORDER, args, NULL);
	args[3] = PoMonthGetDatum(order.effective_month);
	args[4] = PoMonthGetDatum(order.expiration_month);
	args[5] = PG_GETARG_DATUM(3);
	args[6] = PG_GETARG_DATUM(4);
	po_write(schema, PO_COPY_LINE_ITEMS, args, NULL);
	po_write(schema, PO_COPY_CONTACTS, args, NULL);
	of_copy[0] = args[0];
	of_copy[1] = args[2];
	PG_RETURN_DATUM(po_read_datum(schema, PO_READ_ORDER_ROW, of_copy, NULL));
}

/* ---- po_move_member ---- */

/* the payer that the account belonged to */
PG_FUNCTION_INFO_V1(po_move_member);
Datum
po_move_member(PG_FUNCTION_ARGS)
{
	static const char *const names[] = {"member_account_id", "account_id"};
	Datum		args[2];
	text	   *before;

	check_arguments(fcinfo, names);
	args[0] = PG_GETARG_DATUM(0);
	args[1] = PG_GETARG_DATUM(1);
	before = po_read_text(get_func_namespace(fcinfo->flinfo->fn_oid), PO_MOVE_MEMBER, args, NULL);
	if (before == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_NO_DATA_FOUND),
				 errmsg("account \"%s\" belongs to no payer",
						text_to_cstring(PG_GETARG_TEXT_PP(0))),
				 errhint("Insert it into po_account_member.")));
	PG_RETURN_TEXT_P(before);
}
