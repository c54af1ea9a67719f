/*
 * notice.c
 *		Subject and body of notifications.  See notice.h.
 *
 * Users' texts go in without control characters and cut to a length, so that
 * none can begin a line of its own.
 */
#include "postgres.h"

#include "common/string.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/fmgrprotos.h"

#include "clock.h"
#include "money.h"
#include "notice.h"

/* of a user's text, in bytes */
#define MAX_TEXT	200

/* ---- values ---- */

static void
add_text(StringInfo out, const text *value)
{
	const char *from = VARDATA_ANY(value);
	int			size = VARSIZE_ANY_EXHDR(value);
	int			len = size <= MAX_TEXT ? size : pg_mbcliplen(from, size, MAX_TEXT);

	for (int i = 0; i < len; i++)
		appendStringInfoChar(out, (unsigned char) from[i] < 0x20 || from[i] == 0x7f ? ' ' : from[i]);
	if (len < size)
		appendStringInfoString(out, "...");
}

/* without zeros at its end */
static char *
number(Numeric value)
{
	Datum		trimmed = DirectFunctionCall1(numeric_trim_scale, NumericGetDatum(value));

	return po_money_print(DatumGetNumeric(trimmed));
}

/* 1234567.5 as 1,234,567.50 USD */
static void
add_money(StringInfo out, Numeric value, const text *currency)
{
	char	   *digits = number(value);
	int			whole = strspn(digits, "-0123456789");
	int			decimals = Max((int) strlen(digits) - whole - 1, 0);

	for (int i = 0; i < whole; i++)
	{
		appendStringInfoChar(out, digits[i]);
		if (digits[i] != '-' && i < whole - 1 && (whole - 1 - i) % 3 == 0)
			appendStringInfoChar(out, ',');
	}
	appendStringInfoString(out, decimals == 0 ? ".00" : digits + whole);
	appendStringInfo(out, "%s ", decimals == 1 ? "0" : "");
	add_text(out, currency);
}

/* a share of 0.75 as 75% */
static void
add_share(StringInfo out, Numeric share)
{
	appendStringInfo(out, "%s%%", number(po_money_multiply(share, int64_to_numeric(100))));
}

/* how much of the total value is left, to a tenth of a percent, never rounded up */
static void
add_left(StringInfo out, Numeric balance, Numeric total_value)
{
	Datum		tenths;
	Datum		share;

	if (po_money_sign(balance) < 0)
	{
		appendStringInfoString(out, "overdrawn");
		return;
	}
	tenths = DirectFunctionCall2(numeric_div_trunc,
								 NumericGetDatum(po_money_multiply(balance, int64_to_numeric(1000))),
								 NumericGetDatum(total_value));
	share = DirectFunctionCall2(numeric_div, tenths, NumericGetDatum(int64_to_numeric(10)));
	appendStringInfo(out, "%s%% left", number(DatumGetNumeric(share)));
}

static void
add_date(StringInfo out, DateADT date)
{
	int			year;
	int			month;
	int			day;

	j2date(date + POSTGRES_EPOCH_JDATE, &year, &month, &day);
	appendStringInfo(out, "%d %s %d", day, months[month - 1], year);
}

static void
add_month(StringInfo out, PoMonth month)
{
	if (month == PO_MONTH_MAX)
		appendStringInfoString(out, "no end");
	else
		appendStringInfo(out, "%s %d", months[po_month_of_year(month) - 1],
						 po_month_year(month));
}

/* ---- lines ---- */

static void
add_label(StringInfo body, const char *label)
{
	appendStringInfo(body, "\n  %-17s", label);
}

static void
add_text_line(StringInfo body, const char *label, const text *value, const text *description)
{
	add_label(body, label);
	add_text(body, value);
	if (description != NULL && VARSIZE_ANY_EXHDR(description) > 0)
	{
		appendStringInfoString(body, " (");
		add_text(body, description);
		appendStringInfoChar(body, ')');
	}
}

static void
add_period(StringInfo body, const PoNotice *notice)
{
	add_label(body, "Period:");
	add_month(body, notice->start_month);
	appendStringInfoString(body, " to ");
	add_month(body, notice->end_month);
}

static void
add_amount(StringInfo body, const char *label, Numeric amount, const PoNotice *notice)
{
	add_label(body, label);
	add_money(body, amount, notice->currency);
}

static void
add_expiration(StringInfo body, const PoNotice *notice)
{
	add_label(body, "Order expires:");
	if (notice->expiration_month == PO_MONTH_MAX)
		appendStringInfoString(body, "never");
	else
		add_date(body, po_month_last_day(notice->expiration_month));
}

/* the order, and the line item where it is about one */
static void
add_subject_lines(StringInfo body, const PoNotice *notice)
{
	add_text_line(body, "Purchase order:", notice->po_number, notice->order_description);
	if (notice->line_number != NULL)
	{
		add_text_line(body, "Line item:", notice->line_number, notice->item_description);
		add_text_line(body, "Type of charge:", notice->label, NULL);
	}
	add_period(body, notice);
	add_expiration(body, notice);
	add_text_line(body, "Account:", notice->account_id, NULL);
	add_text_line(body, "Seller:", notice->bill_from, NULL);
}

static void
add_balance(StringInfo body, const PoNotice *notice, Numeric balance)
{
	add_amount(body, "Total value:", notice->total_value, notice);
	add_amount(body, "Balance:", balance, notice);
	if (po_money_sign(notice->total_value) > 0)
	{
		appendStringInfoString(body, " (");
		add_left(body, balance, notice->total_value);
		appendStringInfoChar(body, ')');
	}
}

static void
add_end(StringInfo body)
{
	appendStringInfoString(body,
						   "\n\nYou get this mail because you are a contact of this purchase order.\n");
}

/* ---- balance ---- */

/* what took the balance below the threshold, and when */
static void
add_cause(StringInfo body, const PoNotice *notice, const PoEntry *cause)
{
	add_label(body, "Last change:");
	if (cause->invoice_id != NULL)
	{
		appendStringInfoString(body, strcmp(cause->kind, "association") == 0 ? "invoice " :
							   strcmp(cause->kind, "correction") == 0 ? "correction of invoice " :
							   "credit taken back with ");
		add_text(body, cause->invoice_id);
		appendStringInfoString(body, ", ");
		add_money(body, cause->amount, notice->currency);
	}
	else
		appendStringInfoString(body, strcmp(cause->kind, "repaired") == 0 ?
							   "the balance was repaired" : "the line item was changed");
	appendStringInfoString(body, ", ");
	add_date(body, po_clock_date(cause->recorded_at, notice->time_zone));
}

void
po_notice_balance(const PoNotice *notice, const PoEntry *cause,
				  Numeric threshold, text **subject, text **body)
{
	bool		is_zero = po_money_sign(threshold) == 0;
	StringInfoData out;

	initStringInfo(&out);
	appendStringInfoString(&out, "Purchase order ");
	add_text(&out, notice->po_number);
	appendStringInfoString(&out, ", line item ");
	add_text(&out, notice->line_number);
	appendStringInfoString(&out, is_zero ? ": nothing is left" : ": less than ");
	if (!is_zero)
	{
		add_share(&out, threshold);
		appendStringInfoString(&out, " is left");
	}
	*subject = cstring_to_text_with_len(out.data, out.len);

	resetStringInfo(&out);
	appendStringInfoString(&out, "Hello,\n\n");
	if (is_zero)
		appendStringInfoString(&out, "nothing is left of the value of a line item.\n");
	else
	{
		appendStringInfoString(&out, "the balance of a line item fell below ");
		add_share(&out, threshold);
		appendStringInfoString(&out, " of its total value.\n");
	}
	add_subject_lines(&out, notice);
	add_balance(&out, notice, cause->balance_after);
	add_cause(&out, notice, cause);
	appendStringInfoString(&out, "\n\n"
						   "What to do: if more charges are to come than the balance pays for, raise\n"
						   "the amount of the line item, or add a line item or a purchase order.\n"
						   "Where nothing better fits, invoices go on being booked on this line item,\n"
						   "and its balance falls below zero.");
	add_end(&out);
	*body = cstring_to_text_with_len(out.data, out.len);
}

/* ---- expiration ---- */

/* "expires on 31 Dec 2026" */
static void
add_expires(StringInfo out, const PoNotice *notice, DateADT last)
{
	appendStringInfoString(out, notice->today < last ? "expires on " :
						   notice->today == last ? "expires today, " : "expired on ");
	add_date(out, last);
}

void
po_notice_expiration(const PoNotice *notice, text **subject, text **body)
{
	DateADT		last = po_month_last_day(notice->expiration_month);
	StringInfoData out;

	initStringInfo(&out);
	appendStringInfoString(&out, "Purchase order ");
	add_text(&out, notice->po_number);
	appendStringInfoChar(&out, ' ');
	add_expires(&out, notice, last);
	*subject = cstring_to_text_with_len(out.data, out.len);

	resetStringInfo(&out);
	appendStringInfoString(&out, "Hello,\n\na purchase order ");
	add_expires(&out, notice, last);
	if (notice->today < last)
		appendStringInfo(&out, ", in %d day%s", last - notice->today,
						 last - notice->today == 1 ? "" : "s");
	appendStringInfoString(&out, ".\n");
	add_subject_lines(&out, notice);
	if (notice->balance != NULL)
		add_balance(&out, notice, notice->balance);
	appendStringInfoString(&out, "\n\n"
						   "What to do: if charges go on, extend this order, or add one for the months\n"
						   "that follow. Without that, invoices for later months find no place on it.");
	add_end(&out);
	*body = cstring_to_text_with_len(out.data, out.len);
}
