/*
 * match.c
 *		The match decision.  See match.h; the rules are in doc/aws.md.
 */
#include "postgres.h"

#include "utils/array.h"
#include "utils/builtins.h"

#include "match.h"

static const char *const filter_names[] = {
	"status", "order_period", "bill_from", "currency", "tax_registration",
	"period", "type", "agreement", "requested_po"
};

static const char *const criterion_names[] = {
	"specificity", "balance", "recency", "tie"
};

const char *
po_filter_name(PoFilter filter)
{
	return filter == PO_FILTER_NONE ? NULL : filter_names[filter];
}

const char *
po_criterion_name(PoCriterion criterion)
{
	return criterion == PO_BY_NOTHING ? NULL : criterion_names[criterion];
}

/*
 * The reference months: the month that the order, and the one that the line
 * item, must be good for.  Today is of the account's time zone.
 */
void
po_bill_init(PoBill *bill, const PoInvoice *invoice, const PoAccount *account,
			 DateADT today)
{
	DateADT		issued_on = invoice->is_issued ? invoice->issued_on : today;

	bill->invoice = invoice;
	bill->period_basis = account->period_basis;
	bill->bill_from = invoice->bill_from;
	bill->time_zone = account->time_zone;
	bill->currency = invoice->currency ? invoice->currency : account->currency;
	bill->depth = po_line_type_specificity(VARDATA_ANY(invoice->line_type),
										   VARSIZE_ANY_EXHDR(invoice->line_type));
	if (!po_month_from_date(issued_on, &bill->issue_month))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_FIELD_OVERFLOW),
				 errmsg("date of issue out of range"),
				 errdetail("Its month is not of the years 0001 to 9999."),
				 errhint("Give a date of the years 0001 to 9999.")));
	/* until the taxonomy is read; enough for the invoice's own type */
	memset(bill->out_of_cycle_only, 0, sizeof(bill->out_of_cycle_only));
	bill->outside_cycle = false;
	bill->order_month = bill->line_month = invoice->billing_month;
	if (account->period_basis != PO_BILLING_PERIOD)
		bill->order_month = bill->issue_month;
	if (account->period_basis == PO_ISSUE_DATE)
		bill->line_month = bill->issue_month;
}

/*
 * out_of_cycle_only has what the taxonomy says of the invoice's type and its
 * ancestors, by depth; a level that it says nothing of is as its parent.
 */
void
po_bill_set_taxonomy(PoBill *bill, const PoTristate *out_of_cycle_only)
{
	bool		inherited = false;

	for (int depth = 0; depth <= bill->depth; depth++)
	{
		if (out_of_cycle_only[depth] != PO_UNKNOWN)
			inherited = out_of_cycle_only[depth] == PO_YES;
		bill->out_of_cycle_only[depth] = inherited;
	}
	if (bill->invoice->out_of_cycle == PO_UNKNOWN)
		bill->outside_cycle = inherited;
	else
		bill->outside_cycle = bill->invoice->out_of_cycle == PO_YES;
}

/* an order without numbers takes every invoice; a null is no number */
static bool
tax_registration_fits(const PoBill *bill, const PoOrder *order)
{
	text	   *number = bill->invoice->tax_registration_number;
	ArrayType  *listed = order->tax_registration_numbers;
	ArrayIterator iterator;
	Datum		value;
	bool		isnull;
	bool		found = false;

	if (listed == NULL ||
		ArrayGetNItems(ARR_NDIM(listed), ARR_DIMS(listed)) == 0)
		return true;
	if (number == NULL)
		return false;
	iterator = array_create_iterator(listed, 0, NULL);
	while (!found && array_iterate(iterator, &value, &isnull))
		found = !isnull && po_text_equal(DatumGetTextPP(value), number);
	array_free_iterator(iterator);
	return found;
}

/* the filters that look at the order alone */
PoFilter
po_match_order(const PoBill *bill, const PoOrder *order)
{
	if (order->suspended || order->expiration_month < bill->order_month)
		return PO_FILTER_STATUS;
	if (bill->order_month < order->effective_month)
		return PO_FILTER_ORDER_PERIOD;
	if (!po_text_equal(order->bill_from, bill->bill_from))
		return PO_FILTER_BILL_FROM;
	if (!po_text_equal(order->currency, bill->currency))
		return PO_FILTER_CURRENCY;
	if (!tax_registration_fits(bill, order))
		return PO_FILTER_TAX_REGISTRATION;
	return PO_FILTER_NONE;
}

/* may the invoice go to this order, where it asks for one? */
bool
po_match_requested_order(const PoBill *bill, const PoOrder *order)
{
	const PoInvoice *invoice = bill->invoice;

	return invoice->requested_po_number == NULL ||
		po_text_equal(order->po_number, invoice->requested_po_number);
}

static bool
requested_fits(const PoBill *bill, const PoOrder *order, const PoLineItem *item)
{
	const PoInvoice *invoice = bill->invoice;

	return po_match_requested_order(bill, order) &&
		(invoice->requested_po_number == NULL ||
		 invoice->requested_line_number == NULL ||
		 po_text_equal(item->line_number, invoice->requested_line_number));
}

/* may line items of the invoice's type's ancestor at this depth pay for it? */
bool
po_match_level(const PoBill *bill, int depth)
{
	return bill->outside_cycle || !bill->out_of_cycle_only[depth];
}

static bool
type_fits(const PoBill *bill, const PoLineItem *item)
{
	const char *type = VARDATA_ANY(item->line_type);
	int			len = VARSIZE_ANY_EXHDR(item->line_type);

	return po_line_type_covers(type, len,
							   VARDATA_ANY(bill->invoice->line_type),
							   VARSIZE_ANY_EXHDR(bill->invoice->line_type)) &&
		po_match_level(bill, po_line_type_specificity(type, len));
}

/* the filters that look at the line item, of an order that fits */
PoFilter
po_match_line_item(const PoBill *bill, const PoOrder *order,
				   const PoLineItem *item)
{
	if (bill->line_month < item->start_month ||
		bill->line_month > item->end_month)
		return PO_FILTER_PERIOD;
	if (!type_fits(bill, item))
		return PO_FILTER_TYPE;
	if (item->agreement_id != NULL &&
		!po_text_equal(item->agreement_id, bill->invoice->agreement_id))
		return PO_FILTER_AGREEMENT;
	if (!requested_fits(bill, order, item))
		return PO_FILTER_REQUESTED_PO;
	return PO_FILTER_NONE;
}

bool
po_match_covers(const PoInvoice *invoice, const PoLineItem *item)
{
	return !item->balance_tracked ||
		po_money_compare(item->balance, invoice->amount) >= 0 ||
		po_money_sign(invoice->amount) <= 0;
}

void
po_match_rank(const PoBill *bill, const PoOrder *order, const PoLineItem *item,
			  PoCandidate *candidate)
{
	PoRank	   *rank = &candidate->rank;

	candidate->order = order;
	candidate->item = item;
	rank->specificity = po_line_type_specificity(VARDATA_ANY(item->line_type),
												 VARSIZE_ANY_EXHDR(item->line_type));
	rank->bound = item->agreement_id != NULL;
	rank->covers = po_match_covers(bill->invoice, item);
	rank->updated_at = order->updated_at;
	rank->months = item->end_month - item->start_month + 1;
	rank->po_number = VARDATA_ANY(order->po_number);
	rank->po_number_len = VARSIZE_ANY_EXHDR(order->po_number);
	rank->line_item_id = item->line_item_id;
}

/* can no line item of its level that is in an older order come before it? */
bool
po_match_unbeatable(const PoBill *bill, const PoCandidate *candidate)
{
	return candidate->rank.covers &&
		(candidate->rank.bound || bill->invoice->agreement_id == NULL);
}
