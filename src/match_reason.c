/*
 * match_reason.c
 *		Why a line item was selected, outranked or rejected, as a sentence.
 *
 * Makes text of what match.c and rank.c decided; decides nothing itself.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"

#include "match.h"

static char *
str(const text *value)
{
	return text_to_cstring(value);
}

static char *
month_str(PoMonth month)
{
	return po_month_format(month, palloc(PO_MONTH_BUFSIZE));
}

/* in the account's time zone, whatever the session's is */
static char *
time_str(const PoBill *bill, TimestampTz value)
{
	Datum		local = DirectFunctionCall2(timestamptz_zone,
											PointerGetDatum(bill->time_zone),
											TimestampTzGetDatum(value));

	return psprintf("%s %s", DatumGetCString(DirectFunctionCall1(timestamp_out, local)),
					str(bill->time_zone));
}

static char *
date_str(DateADT value)
{
	return DatumGetCString(DirectFunctionCall1(date_out,
											   DateADTGetDatum(value)));
}

/* the AWS name, with the path where that is another */
static char *
type_str(const PoLineType *type)
{
	const char *path = VARDATA_ANY(type);
	int			len = VARSIZE_ANY_EXHDR(type);
	int			labellen;
	const char *label = po_line_type_label(path, len, &labellen);

	if (label == path)
		return pnstrdup(path, len);
	return psprintf("%.*s (%.*s)", labellen, label, len, path);
}

/* the reference month, and where the account's basis takes it from */
static char *
reference_str(PoMonth month, bool by_issue)
{
	return psprintf("%s (the month %s)", month_str(month),
					by_issue ? "of issue" : "billed");
}

static char *
order_month_str(const PoBill *bill)
{
	return reference_str(bill->order_month,
						 bill->period_basis != PO_BILLING_PERIOD);
}

static char *
line_month_str(const PoBill *bill)
{
	return reference_str(bill->line_month,
						 bill->period_basis == PO_ISSUE_DATE);
}

static char *
tax_numbers_str(const PoOrder *order)
{
	StringInfoData buf;
	ArrayIterator iterator;
	Datum		value;
	bool		isnull;

	initStringInfo(&buf);
	iterator = array_create_iterator(order->tax_registration_numbers, 0, NULL);
	while (array_iterate(iterator, &value, &isnull))
	{
		if (!isnull)
			appendStringInfo(&buf, "%s%s", buf.len > 0 ? ", " : "",
							 TextDatumGetCString(value));
	}
	array_free_iterator(iterator);
	return buf.data;
}

static char *
type_reason(const PoBill *bill, const PoLineItem *item)
{
	const PoLineType *type = bill->invoice->line_type;

	if (!po_line_type_covers(VARDATA_ANY(item->line_type),
							 VARSIZE_ANY_EXHDR(item->line_type),
							 VARDATA_ANY(type), VARSIZE_ANY_EXHDR(type)))
		return psprintf("It pays for %s; the invoice is for %s",
						type_str(item->line_type), type_str(type));
	return psprintf("It pays for %s outside the monthly billing cycle only; the invoice is inside the cycle",
					type_str(item->line_type));
}

static char *
agreement_reason(const PoBill *bill, const PoLineItem *item)
{
	text	   *agreement = bill->invoice->agreement_id;

	if (agreement == NULL)
		return psprintf("It is bound to agreement %s; the invoice names no agreement",
						str(item->agreement_id));
	return psprintf("It is bound to agreement %s; the invoice is of agreement %s",
					str(item->agreement_id), str(agreement));
}

static char *
requested_reason(const PoBill *bill, const PoOrder *order,
				 const PoLineItem *item)
{
	const PoInvoice *invoice = bill->invoice;

	if (!po_match_requested_order(bill, order))
		return psprintf("The invoice asks for order %s, and this is order %s",
						str(invoice->requested_po_number),
						str(order->po_number));
	return psprintf("The invoice asks for line item %s of order %s, and this is line item %s",
					str(invoice->requested_line_number),
					str(invoice->requested_po_number),
					str(item->line_number));
}

/* with a full stop, unless what stands last has one already: "AWS Inc." */
static char *
sentence(char *reason)
{
	size_t		len = strlen(reason);

	return len > 0 && reason[len - 1] == '.' ? reason : psprintf("%s.", reason);
}

static char *
rejection(const PoBill *bill, PoFilter filter, const PoOrder *order,
		  const PoLineItem *item)
{
	const PoInvoice *invoice = bill->invoice;

	switch (filter)
	{
		case PO_FILTER_STATUS:
			if (order->suspended)
				return pstrdup("The order is suspended");
			return psprintf("The order expired at the end of %s, before the invoice's %s",
							month_str(order->expiration_month),
							order_month_str(bill));
		case PO_FILTER_ORDER_PERIOD:
			return psprintf("The order takes effect in %s, after the invoice's %s",
							month_str(order->effective_month),
							order_month_str(bill));
		case PO_FILTER_BILL_FROM:
			return psprintf("The order is with %s; the invoice is from %s",
							str(order->bill_from), str(bill->bill_from));
		case PO_FILTER_CURRENCY:
			return psprintf("The order is in %s; the invoice is in %s",
							str(order->currency), str(bill->currency));
		case PO_FILTER_TAX_REGISTRATION:
			return psprintf("The order is for tax registration number %s only; the invoice has %s",
							tax_numbers_str(order),
							invoice->tax_registration_number ?
							str(invoice->tax_registration_number) : "none");
		case PO_FILTER_PERIOD:
			if (item == NULL)
				return pstrdup("The order has no line items");
			return psprintf("It is for %s to %s; the invoice's month is %s",
							month_str(item->start_month),
							month_str(item->end_month),
							line_month_str(bill));
		case PO_FILTER_TYPE:
			return type_reason(bill, item);
		case PO_FILTER_AGREEMENT:
			return agreement_reason(bill, item);
		case PO_FILTER_REQUESTED_PO:
			return requested_reason(bill, order, item);
		case PO_FILTER_NONE:
			break;
	}
	elog(ERROR, "no filter rejected the line item");
	return NULL;				/* keep compiler quiet */
}

/* item is NULL for an order without line items */
char *
po_reason_rejected(const PoBill *bill, PoFilter filter, const PoOrder *order,
				   const PoLineItem *item)
{
	return sentence(rejection(bill, filter, order, item));
}

static void
append_balance(StringInfo buf, const PoBill *bill, const PoCandidate *candidate)
{
	const PoLineItem *item = candidate->item;

	if (!item->balance_tracked)
		appendStringInfoString(buf, " Its balance is not tracked.");
	else if (po_money_sign(bill->invoice->amount) <= 0)
		appendStringInfo(buf, " The invoice's %s takes nothing from its balance of %s %s.",
						 po_money_print(bill->invoice->amount),
						 po_money_print(item->balance), str(bill->currency));
	else
		appendStringInfo(buf, " Its balance of %s %s %s the invoice's %s.",
						 po_money_print(item->balance), str(bill->currency),
						 candidate->rank.covers ? "covers" : "does not cover",
						 po_money_print(bill->invoice->amount));
}

/* where the month of issue is another, say which one counts */
static void
append_months(StringInfo buf, const PoBill *bill)
{
	PoMonth		billed = bill->invoice->billing_month;

	if (!bill->invoice->is_issued || bill->issue_month == billed)
		return;
	appendStringInfo(buf, " The invoice was issued on %s for %s: ",
					 date_str(bill->invoice->issued_on), month_str(billed));
	switch (bill->period_basis)
	{
		case PO_BILLING_PERIOD:
			appendStringInfoString(buf, "the month billed counts.");
			break;
		case PO_ISSUE_DATE:
			appendStringInfoString(buf, "in this account the month of issue counts.");
			break;
		case PO_STATUS_ON_ISSUE:
			appendStringInfoString(buf, "in this account the month of issue counts for the order, the month billed for the line item.");
			break;
	}
}

char *
po_reason_selected(const PoBill *bill, const PoCandidate *candidate,
				   int ncandidates)
{
	StringInfoData buf;
	const PoLineItem *item = candidate->item;

	initStringInfo(&buf);
	if (ncandidates == 1)
		appendStringInfoString(&buf, "The only line item that fits.");
	else
		appendStringInfo(&buf, "The best of %d line items that fit.",
						 ncandidates);
	appendStringInfo(&buf, " It pays for %s, ", type_str(item->line_type));
	if (po_text_equal(item->line_type, bill->invoice->line_type))
		appendStringInfoString(&buf, "the type of the invoice.");
	else
		appendStringInfo(&buf, "and so for the invoice's %s.",
						 type_str(bill->invoice->line_type));
	if (item->agreement_id != NULL)
		appendStringInfo(&buf, " It is bound to the invoice's agreement %s.",
						 str(item->agreement_id));
	append_balance(&buf, bill, candidate);
	if (bill->invoice->requested_po_number != NULL)
		appendStringInfo(&buf, " The invoice asks for it by the order's number, %s.",
						 str(bill->invoice->requested_po_number));
	append_months(&buf, bill);
	return buf.data;
}

static char *
tie_reason(const PoCandidate *candidate, const PoCandidate *selected)
{
	if (candidate->rank.months != selected->rank.months)
		return psprintf("it spans %d months and that one spans %d: the shorter one goes first",
						candidate->rank.months, selected->rank.months);
	if (!po_text_equal(candidate->order->po_number, selected->order->po_number))
		return psprintf("order number %s comes after %s",
						str(candidate->order->po_number),
						str(selected->order->po_number));
	return pstrdup("it was added later");
}

/* criterion is the one that placed the candidate below the selected one */
char *
po_reason_outranked(const PoBill *bill, const PoCandidate *candidate,
					const PoCandidate *selected, PoCriterion criterion)
{
	char	   *than = psprintf("line item %s of order %s",
								str(selected->item->line_number),
								str(selected->order->po_number));

	switch (criterion)
	{
		case PO_BY_SPECIFICITY:
			if (candidate->rank.specificity == selected->rank.specificity)
				return psprintf("It fits, but it is not bound to agreement %s as %s is.",
								str(selected->item->agreement_id), than);
			return psprintf("It fits, but its type %s is less specific than %s of %s.",
							type_str(candidate->item->line_type),
							type_str(selected->item->line_type), than);
		case PO_BY_BALANCE:
			return psprintf("It fits, but its balance of %s %s does not cover the invoice's %s, and that of %s does.",
							po_money_print(candidate->item->balance),
							str(bill->currency),
							po_money_print(bill->invoice->amount), than);
		case PO_BY_RECENCY:
			return psprintf("It fits as well as %s, but that order was updated later (%s) than this one (%s).",
							than, time_str(bill, selected->rank.updated_at),
							time_str(bill, candidate->rank.updated_at));
		case PO_BY_TIE:
			return psprintf("It fits as well as %s%s; but %s.", than,
							po_text_equal(candidate->order->po_number,
										  selected->order->po_number) ?
							"" : ", and both orders were updated at the same time",
							tie_reason(candidate, selected));
		case PO_BY_NOTHING:
			break;
	}
	elog(ERROR, "no criterion placed the line item below the selected one");
	return NULL;				/* keep compiler quiet */
}

/* for a credit memo whose original is known: the other line items */
char *
po_reason_followed(const PoInvoice *original)
{
	if (original->line_item_id == 0)
		return psprintf("A credit memo goes where its original goes, and invoice %s has no purchase order.",
						str(original->invoice_id));
	return sentence(psprintf("A credit memo goes where its original goes: invoice %s is booked on line item %s of order %s",
							 str(original->invoice_id), str(original->line_number),
							 str(original->po_number)));
}

/* ---- of what was booked ---- */

static char *
with_rules(char *reason, const char *by_rules)
{
	return by_rules == NULL ? reason :
		psprintf("%s By the rules of that moment: %s", reason, by_rules);
}

char *
po_reason_by_hand(const PoBill *bill, text *by, TimestampTz at, text *note,
				  const char *by_rules)
{
	char	   *reason = psprintf("Assigned by hand by %s on %s", str(by), time_str(bill, at));

	if (note != NULL)
		reason = psprintf("%s: %s", reason, str(note));
	return with_rules(sentence(reason), by_rules);
}

/* by the rules, but not by what the change log has of that moment */
char *
po_reason_not_known(const char *by_rules)
{
	return with_rules("It was chosen by the rules, with a configuration that is not known any more.",
					  by_rules);
}

/* what the rules would have chosen, with another line item selected */
char *
po_reason_passed_over(bool by_hand, const PoLineItem *selected,
					  const PoOrder *order, const char *by_rules)
{
	return with_rules(psprintf("The invoice was %s line item %s of order %s.",
							   by_hand ? "assigned by hand to" : "booked on",
							   str(selected->line_number), str(order->po_number)),
					  by_rules);
}

/* fits: something did when it was recorded, so it has been released since */
char *
po_reason_unassociated(const PoBill *bill, TimestampTz recorded_at, bool fits,
					   TimestampTz voided_at)
{
	if (voided_at != 0)
		return psprintf("The invoice is void since %s.", time_str(bill, voided_at));
	return psprintf(fits ?
					"The invoice was booked when it was recorded, on %s, and has been released since." :
					"No line item fitted the invoice when it was recorded, on %s.",
					time_str(bill, recorded_at));
}
