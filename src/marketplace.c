/*
 * marketplace.c
 *		The SQL functions po_marketplace_purchase, po_marketplace_payment and
 *		po_marketplace_change_order.
 *
 * They write as the user who calls them, with his rights.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"

#include "contract.h"
#include "limits.h"
#include "seller.h"

static void
require(FunctionCallInfo fcinfo, int n, const char *const *names)
{
	for (int i = 0; i < n; i++)
		if (PG_ARGISNULL(i))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("%s must not be null", names[i]),
					 errhint("A contract is named by its account, its order's number and its agreement.")));
}

static text *
optional_text(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? NULL : PG_GETARG_TEXT_PP(n);
}

PG_FUNCTION_INFO_V1(po_marketplace_purchase);
Datum
po_marketplace_purchase(PG_FUNCTION_ARGS)
{
	static const char *const names[] = {
		"account_id", "po_number", "bill_from", "agreement_id", "start_month",
		"end_month", "amount"
	};
	Oid			schema = get_func_namespace(fcinfo->flinfo->fn_oid);
	PoContract	contract = {0};

	require(fcinfo, lengthof(names), names);
	contract.account_id = PG_GETARG_TEXT_PP(0);
	contract.po_number = po_text_trim(PG_GETARG_TEXT_PP(1));
	contract.bill_from = po_seller_name(schema, PG_GETARG_TEXT_PP(2));
	contract.agreement_id = PG_GETARG_TEXT_PP(3);
	contract.start_month = PG_GETARG_PO_MONTH(4);
	contract.end_month = PG_GETARG_PO_MONTH(5);
	contract.amount = PG_GETARG_NUMERIC(6);
	contract.line_number = po_text_trim(optional_text(fcinfo, 7));
	contract.description = optional_text(fcinfo, 8);
	if (contract.po_number == NULL)
		po_report_no_order(contract.account_id, PG_GETARG_TEXT_PP(1));
	po_contract_lock(schema, contract.account_id);
	PG_RETURN_TEXT_P(po_contract_add(schema, &contract));
}

static void
report_no_agreement(text *agreement_id, text *account_id, const char *where)
{
	ereport(ERROR,
			(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
			 errmsg("agreement \"%s\" of account \"%s\" is not on %s",
					text_to_cstring(agreement_id), text_to_cstring(account_id), where),
			 errdetail("It has no line item of type marketplace.transaction there."),
			 errhint("Add the contract with po_marketplace_purchase() first.")));
}

/* the agreement's line item on the order, the last one of several; or NULL */
static text *
agreement_line(Oid schema, text *account_id, text *agreement_id, text *po_number)
{
	Datum		args[] = {
		PointerGetDatum(account_id), PointerGetDatum(agreement_id), PointerGetDatum(po_number)
	};

	return po_read_text(schema, PO_READ_AGREEMENT_LINE, args, NULL);
}

PG_FUNCTION_INFO_V1(po_marketplace_payment);
Datum
po_marketplace_payment(PG_FUNCTION_ARGS)
{
	static const char *const names[] = {
		"account_id", "po_number", "agreement_id", "month", "amount"
	};
	Oid			schema = get_func_namespace(fcinfo->flinfo->fn_oid);
	PoContract	contract = {0};
	PoOrder		order;

	require(fcinfo, lengthof(names), names);
	contract.account_id = PG_GETARG_TEXT_PP(0);
	contract.po_number = po_text_trim(PG_GETARG_TEXT_PP(1));
	contract.agreement_id = PG_GETARG_TEXT_PP(2);
	contract.start_month = contract.end_month = PG_GETARG_PO_MONTH(3);
	contract.amount = PG_GETARG_NUMERIC(4);
	contract.line_number = po_text_trim(optional_text(fcinfo, 5));
	contract.description = optional_text(fcinfo, 6);
	po_contract_lock(schema, contract.account_id);
	if (contract.po_number == NULL ||
		!po_newest_order(schema, contract.account_id, contract.po_number, &order))
		po_report_no_order(contract.account_id, PG_GETARG_TEXT_PP(1));
	if (agreement_line(schema, contract.account_id, contract.agreement_id,
					   contract.po_number) == NULL)
		report_no_agreement(contract.agreement_id, contract.account_id, "the purchase order");
	contract.bill_from = order.bill_from;
	PG_RETURN_TEXT_P(po_contract_add(schema, &contract));
}

PG_FUNCTION_INFO_V1(po_marketplace_change_order);
Datum
po_marketplace_change_order(PG_FUNCTION_ARGS)
{
	static const char *const names[] = {"account_id", "agreement_id", "po_number"};
	Oid			schema = get_func_namespace(fcinfo->flinfo->fn_oid);
	PoContract	contract = {0};
	Datum		args[3];
	text	   *line_number;

	require(fcinfo, lengthof(names), names);
	contract.account_id = PG_GETARG_TEXT_PP(0);
	contract.agreement_id = PG_GETARG_TEXT_PP(1);
	contract.po_number = po_text_trim(PG_GETARG_TEXT_PP(2));
	contract.amount = int64_to_numeric(0);
	if (contract.po_number == NULL)
		po_report_no_order(contract.account_id, PG_GETARG_TEXT_PP(2));
	po_contract_lock(schema, contract.account_id);
	if (!po_read_agreement(schema, contract.account_id, contract.agreement_id,
						   &contract.bill_from, &contract.currency,
						   &contract.start_month, &contract.end_month))
		report_no_agreement(contract.agreement_id, contract.account_id, "any purchase order");
	line_number = agreement_line(schema, contract.account_id, contract.agreement_id,
								 contract.po_number);
	if (line_number == NULL)
		line_number = po_contract_add(schema, &contract);
	args[0] = PointerGetDatum(contract.account_id);
	args[1] = PointerGetDatum(contract.agreement_id);
	args[2] = PointerGetDatum(contract.po_number);
	po_write(schema, PO_MOVE_AGREEMENT, args, NULL);
	PG_RETURN_TEXT_P(line_number);
}
