/*
 * srf.c
 *		The SQL functions po_match_invoice, po_explain_match and
 *		po_explain_invoice.
 *
 * They read arguments and write rows; find.c and explain.c do the work between.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "nodes/supportnodes.h"
#include "optimizer/optimizer.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/typcache.h"

#include "clock.h"
#include "explain.h"
#include "limits.h"

/* the arguments of the long form, in their order */
enum
{
	ARG_ACCOUNT_ID,
	ARG_BILL_FROM,
	ARG_LINE_TYPE,
	ARG_BILLING_MONTH,
	ARG_AMOUNT,
	ARG_CURRENCY,
	ARG_ISSUED_ON,
	ARG_REQUESTED_PO_NUMBER,
	ARG_REQUESTED_LINE_NUMBER,
	ARG_AGREEMENT_ID,
	ARG_TAX_REGISTRATION_NUMBER,
	ARG_OUT_OF_CYCLE,
	ARG_MAX_RANK
};

/* ---- arguments ---- */

static void
require(bool given, const char *name)
{
	if (!given)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s of the invoice must not be null", name),
				 errdetail("Without it nothing can be matched."),
				 errhint("An invoice is matched by account_id, bill_from, line_type, billing_month and amount.")));
}

static text *
text_argument(FunctionCallInfo fcinfo, int n)
{
	return PG_ARGISNULL(n) ? NULL : PG_GETARG_TEXT_PP(n);
}

static int
max_rank_argument(FunctionCallInfo fcinfo, int n)
{
	int			max_rank;

	if (PG_ARGISNULL(n))
		return 0;
	max_rank = PG_GETARG_INT32(n);
	if (max_rank < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("max_rank %d is less than 1", max_rank),
				 errdetail("It is the number of candidates that are wanted."),
				 errhint("Give null to get all candidates.")));
	return max_rank;
}

static void
check_amount(Numeric amount)
{
	if (!po_money_is_finite(amount))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("amount of the invoice must be a finite number, not %s",
						po_money_print(amount)),
				 errdetail("No balance covers it."),
				 errhint("Give the amount, tax included.")));
}

static void
invoice_from_arguments(FunctionCallInfo fcinfo, PoInvoice *invoice)
{
	static const char *const names[] = {
		"account_id", "bill_from", "line_type", "billing_month", "amount"
	};

	for (int i = 0; i <= ARG_AMOUNT; i++)
		require(!PG_ARGISNULL(i), names[i]);
	memset(invoice, 0, sizeof(*invoice));
	invoice->account_id = PG_GETARG_TEXT_PP(ARG_ACCOUNT_ID);
	invoice->bill_from = PG_GETARG_TEXT_PP(ARG_BILL_FROM);
	invoice->line_type = PG_GETARG_PO_LINE_TYPE_PP(ARG_LINE_TYPE);
	invoice->billing_month = PG_GETARG_PO_MONTH(ARG_BILLING_MONTH);
	invoice->amount = PG_GETARG_NUMERIC(ARG_AMOUNT);
	invoice->currency = text_argument(fcinfo, ARG_CURRENCY);
	invoice->is_issued = !PG_ARGISNULL(ARG_ISSUED_ON);
	if (invoice->is_issued)
		invoice->issued_on = PG_GETARG_DATEADT(ARG_ISSUED_ON);
	invoice->requested_po_number = text_argument(fcinfo, ARG_REQUESTED_PO_NUMBER);
	invoice->requested_line_number = text_argument(fcinfo, ARG_REQUESTED_LINE_NUMBER);
	invoice->agreement_id = text_argument(fcinfo, ARG_AGREEMENT_ID);
	invoice->tax_registration_number = text_argument(fcinfo, ARG_TAX_REGISTRATION_NUMBER);
	invoice->out_of_cycle = PG_ARGISNULL(ARG_OUT_OF_CYCLE) ? PO_UNKNOWN :
		PG_GETARG_BOOL(ARG_OUT_OF_CYCLE) ? PO_YES : PO_NO;
	check_amount(invoice->amount);
	po_invoice_normalize(invoice);
}

static void
invoice_from_row(FunctionCallInfo fcinfo, PoInvoice *invoice)
{
	HeapTupleHeader header;
	HeapTupleData tuple;
	TupleDesc	desc;

	require(!PG_ARGISNULL(0), "the row");
	header = PG_GETARG_HEAPTUPLEHEADER(0);
	desc = lookup_rowtype_tupdesc(HeapTupleHeaderGetTypeId(header),
								  HeapTupleHeaderGetTypMod(header));
	tuple.t_len = HeapTupleHeaderGetDatumLength(header);
	ItemPointerSetInvalid(&tuple.t_self);
	tuple.t_tableOid = InvalidOid;
	tuple.t_data = header;
	po_invoice_from_tuple(invoice, &tuple, desc);
	if (heap_attisnull(&tuple, Anum_invoice_kind, desc) && invoice->amount != NULL)
		invoice->is_credit_memo = po_money_sign(invoice->amount) < 0;
	require(invoice->account_id != NULL, "account_id");
	require(invoice->bill_from != NULL, "bill_from");
	require(invoice->line_type != NULL, "line_type");
	require(!heap_attisnull(&tuple, Anum_invoice_billing_month, desc),
			"billing_month");
	require(invoice->amount != NULL, "amount");
	ReleaseTupleDesc(desc);
	check_amount(invoice->amount);
	po_invoice_normalize(invoice);
}

/* a booked invoice is matched as if its own amount had been given back */
static Numeric
balance_given_back(const PoLineItem *item, void *arg)
{
	const PoInvoice *invoice = arg;

	if (item->line_item_id != invoice->line_item_id)
		return item->balance;
	return po_money_add(item->balance, invoice->amount);
}

/* what lasts for all calls of one execution of a query */
typedef struct CallState
{
	TupleDesc	desc;			/* of the result */
	PoPolicies *policies;
} CallState;

static CallState *
call_state(FunctionCallInfo fcinfo)
{
	CallState  *state = fcinfo->flinfo->fn_extra;

	if (state == NULL)
	{
		state = MemoryContextAllocZero(fcinfo->flinfo->fn_mcxt, sizeof(CallState));
		state->policies = po_policies_create(fcinfo->flinfo->fn_mcxt);
		fcinfo->flinfo->fn_extra = state;
	}
	return state;
}

/* a finder for this call; false where the account is not known */
static bool
init_finder(FunctionCallInfo fcinfo, PoFinder *finder, PoInvoice *invoice,
			int max_rank)
{
	memset(finder, 0, sizeof(*finder));
	finder->schema = get_func_namespace(fcinfo->flinfo->fn_oid);
	finder->reader = po_reader_open(finder->schema, false);
	po_reader_set_policies(finder->reader, call_state(fcinfo)->policies);
	finder->invoice = invoice;
	finder->max_rank = max_rank;
	if (invoice->line_item_id != 0)
	{
		finder->balance = balance_given_back;
		finder->balance_arg = invoice;
	}
	return po_read_account(finder->reader, invoice->account_id,
						   &finder->account);
}

/* ---- po_match_invoice ---- */

static void
put_candidate(ReturnSetInfo *rsinfo, int rank, const PoCandidate *candidate)
{
	const PoLineItem *item = candidate->item;
	Datum		values[9];
	bool		nulls[9] = {0};

	values[0] = Int32GetDatum(rank);
	values[1] = PointerGetDatum(candidate->order->po_number);
	values[2] = PointerGetDatum(item->line_number);
	values[3] = Int64GetDatum(item->line_item_id);
	values[4] = PointerGetDatum(item->line_type);
	values[5] = Int32GetDatum(candidate->rank.specificity);
	values[6] = BoolGetDatum(candidate->rank.covers);
	values[7] = NumericGetDatum(item->balance);
	nulls[7] = item->balance == NULL;
	values[8] = TimestampTzGetDatum(candidate->order->updated_at);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

/*
 * InitMaterializedSRF() for functions that are called for row after row: it
 * looks up the type of the result at each call.  The reference is ours, so
 * that the executor does not free it.
 */
static void
init_result(FunctionCallInfo fcinfo)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	CallState  *state = call_state(fcinfo);
	MemoryContext caller;

	if (state->desc == NULL)
	{
		InitMaterializedSRF(fcinfo, 0);
		caller = MemoryContextSwitchTo(fcinfo->flinfo->fn_mcxt);
		state->desc = CreateTupleDescCopy(rsinfo->setDesc);
		state->desc->tdrefcount = 1;
		MemoryContextSwitchTo(caller);
		return;
	}
	caller = MemoryContextSwitchTo(rsinfo->econtext->ecxt_per_query_memory);
	rsinfo->returnMode = SFRM_Materialize;
	rsinfo->setResult = tuplestore_begin_heap((rsinfo->allowedModes & SFRM_Materialize_Random) != 0,
											  false, work_mem);
	rsinfo->setDesc = state->desc;
	MemoryContextSwitchTo(caller);
}

static Datum
match(FunctionCallInfo fcinfo, PoInvoice *invoice, int max_rank)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	PoFinder	finder;

	init_result(fcinfo);
	if (init_finder(fcinfo, &finder, invoice, max_rank))
	{
		po_find(&finder);
		for (int i = 0; i < finder.ncandidates; i++)
			put_candidate(rsinfo, i + 1, &finder.candidates[i]);
	}
	po_reader_close(finder.reader);
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(po_match_invoice);
Datum
po_match_invoice(PG_FUNCTION_ARGS)
{
	PoInvoice	invoice;

	invoice_from_arguments(fcinfo, &invoice);
	return match(fcinfo, &invoice, max_rank_argument(fcinfo, ARG_MAX_RANK));
}

PG_FUNCTION_INFO_V1(po_match_invoice_row);
Datum
po_match_invoice_row(PG_FUNCTION_ARGS)
{
	PoInvoice	invoice;

	invoice_from_row(fcinfo, &invoice);
	return match(fcinfo, &invoice, max_rank_argument(fcinfo, 1));
}

/* ---- po_explain_match ---- */

static void
put_explained(ReturnSetInfo *rsinfo, const PoExplained *entry)
{
	Datum		values[6];
	bool		nulls[6] = {0};

	values[0] = PointerGetDatum(entry->order ? entry->order->po_number : NULL);
	nulls[0] = entry->order == NULL;
	values[1] = PointerGetDatum(entry->item ? entry->item->line_number : NULL);
	nulls[1] = entry->item == NULL;
	values[2] = Int32GetDatum(entry->rank);
	nulls[2] = entry->rank == 0;
	values[3] = CStringGetTextDatum(entry->is_selected ? "selected" :
									entry->rank == 0 ? "rejected" : "candidate");
	values[4] = entry->stage ? CStringGetTextDatum(entry->stage) : (Datum) 0;
	nulls[4] = entry->stage == NULL;
	values[5] = CStringGetTextDatum(entry->reason);
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}

static Datum
explain(FunctionCallInfo fcinfo, PoInvoice *invoice, int max_rank)
{
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	PoExplained nothing = {0};
	PoExplained *explained = NULL;
	int			nexplained = 0;
	PoFinder	finder;

	InitMaterializedSRF(fcinfo, 0);
	if (!init_finder(fcinfo, &finder, invoice, max_rank))
		nothing.reason = psprintf("Account %s is not known: it has no purchase orders.",
								  text_to_cstring(invoice->account_id));
	else
	{
		explained = po_explain(&finder, &nexplained);
		nothing.reason = psprintf("Account %s has no purchase orders.",
								  text_to_cstring(invoice->account_id));
	}
	for (int i = 0; i < nexplained; i++)
		put_explained(rsinfo, &explained[i]);
	if (nexplained == 0)
		put_explained(rsinfo, &nothing);
	po_reader_close(finder.reader);
	return (Datum) 0;
}

PG_FUNCTION_INFO_V1(po_explain_match);
Datum
po_explain_match(PG_FUNCTION_ARGS)
{
	PoInvoice	invoice;

	invoice_from_arguments(fcinfo, &invoice);
	return explain(fcinfo, &invoice, max_rank_argument(fcinfo, ARG_MAX_RANK));
}

PG_FUNCTION_INFO_V1(po_explain_match_row);
Datum
po_explain_match_row(PG_FUNCTION_ARGS)
{
	PoInvoice	invoice;

	invoice_from_row(fcinfo, &invoice);
	return explain(fcinfo, &invoice, max_rank_argument(fcinfo, 1));
}

/* ---- po_explain_invoice ---- */

PG_FUNCTION_INFO_V1(po_explain_invoice);
Datum
po_explain_invoice(PG_FUNCTION_ARGS)
{
	static const char *const names[] = {"account_id", "bill_from", "invoice_id"};
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	PoExplained unknown = {0};
	PoExplained *explained = &unknown;
	int			nexplained = 1;
	PoFinder	finder = {0};
	PoBooked	booked;
	text	   *bill_from;

	for (size_t i = 0; i < lengthof(names); i++)
		if (PG_ARGISNULL(i))
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("%s must not be null", names[i]),
					 errhint("An invoice is named by account_id, bill_from and invoice_id.")));
	InitMaterializedSRF(fcinfo, 0);
	finder.schema = get_func_namespace(fcinfo->flinfo->fn_oid);
	finder.reader = po_reader_open(finder.schema, false);
	bill_from = po_read_alias(finder.reader, PG_GETARG_TEXT_PP(1));
	if (bill_from == NULL)
		bill_from = PG_GETARG_TEXT_PP(1);
	/* the name may have become an alias after the invoice came */
	if (!po_read_booked(finder.schema, PG_GETARG_TEXT_PP(0), bill_from,
						PG_GETARG_TEXT_PP(2), &booked) &&
		!po_read_booked(finder.schema, PG_GETARG_TEXT_PP(0), PG_GETARG_TEXT_PP(1),
						PG_GETARG_TEXT_PP(2), &booked))
		po_report_no_invoice(PG_GETARG_TEXT_PP(0), bill_from, PG_GETARG_TEXT_PP(2));
	if (po_read_past_account(finder.schema, booked.invoice.account_id, booked.at,
							 &finder.account))
		explained = po_explain_booked(&finder, &booked, &nexplained);
	else
		unknown.reason = psprintf("Account %s is not known: it has no purchase orders.",
								  text_to_cstring(booked.invoice.account_id));
	for (int i = 0; i < nexplained; i++)
		put_explained(rsinfo, &explained[i]);
	po_reader_close(finder.reader);
	return (Datum) 0;
}

/* ---- planner support ---- */

/* as ROWS of po_match_invoice says: candidates of a typical account */
#define DEFAULT_ROWS 5

/*
 * Rows of po_match_invoice: max_rank where it is a small constant.  The rest
 * of the estimate is the function's ROWS and COST.
 */
PG_FUNCTION_INFO_V1(po_match_support);
Datum
po_match_support(PG_FUNCTION_ARGS)
{
	Node	   *rawreq = (Node *) PG_GETARG_POINTER(0);
	SupportRequestRows *request;
	Node	   *max_rank;

	if (!IsA(rawreq, SupportRequestRows))
		PG_RETURN_POINTER(NULL);
	request = (SupportRequestRows *) rawreq;
	if (!is_funcclause(request->node))
		PG_RETURN_POINTER(NULL);
	/* the last argument of either form */
	max_rank = llast(((FuncExpr *) request->node)->args);
	max_rank = estimate_expression_value(request->root, max_rank);
	if (!IsA(max_rank, Const) || ((Const *) max_rank)->constisnull)
		PG_RETURN_POINTER(NULL);
	request->rows = Min(DEFAULT_ROWS,
						Max(1, DatumGetInt32(((Const *) max_rank)->constvalue)));
	PG_RETURN_POINTER(request);
}
