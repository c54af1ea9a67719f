/*
 * month.c
 *		The type po_month: pure functions first, then their SQL wrappers.
 *
 * Calendar arithmetic only.  Ranges of months are in month_range.c; nothing
 * here knows of orders or invoices, or reads a clock, a setting or a table.
 */
#include "postgres.h"

#include "common/hashfn.h"
#include "libpq/pqformat.h"
#include "utils/builtins.h"
#include "utils/datetime.h"
#include "utils/sortsupport.h"
#include "utils/timestamp.h"

#include "compat.h"
#include "month.h"

static const char month_names[12][4] = {
	"jan", "feb", "mar", "apr", "may", "jun",
	"jul", "aug", "sep", "oct", "nov", "dec"
};

/* ----------
 * Pure functions
 * ----------
 */

/* White space and digits of ASCII, whatever the locale says. */
static const char *
skip_space(const char *p)
{
	while (*p == ' ' || (*p >= '\t' && *p <= '\r'))
		p++;
	return p;
}

/* Reads exactly n digits; NULL if they are not there. */
static const char *
read_digits(const char *p, int n, int *value)
{
	*value = 0;
	while (n-- > 0)
	{
		if (*p < '0' || *p > '9')
			return NULL;
		*value = *value * 10 + (*p++ - '0');
	}
	return p;
}

/* "2026-11" or "2026-11-22"; returns the end of it, NULL if it is not that. */
static const char *
read_numeric_form(const char *p, int *year, int *month, int *day)
{
	p = read_digits(p, 4, year);
	if (p == NULL || *p != '-')
		return NULL;
	p = read_digits(p + 1, 2, month);
	if (p != NULL && *p == '-')
		p = read_digits(p + 1, 2, day);
	return p;
}

/* "Nov 2026"; returns the end of it, NULL if it is not that. */
static const char *
read_named_form(const char *p, int *year, int *month)
{
	for (*month = 1; *month <= 12; (*month)++)
	{
		if (pg_strncasecmp(p, month_names[*month - 1], 3) == 0)
			break;
	}
	if (*month > 12 || p[3] != ' ')
		return NULL;
	for (p += 3; *p == ' '; p++)
		 /* skip */ ;
	return read_digits(p, 4, year);
}

PoMonthStatus
po_month_parse(const char *str, PoMonth *result)
{
	const char *p = skip_space(str);
	int			year = 0;
	int			month = 0;
	int			day = 1;

	if (*p >= '0' && *p <= '9')
		p = read_numeric_form(p, &year, &month, &day);
	else
		p = read_named_form(p, &year, &month);

	if (p == NULL || *skip_space(p) != '\0')
		return PO_MONTH_BAD_SYNTAX;
	if (!po_month_make(year, month, result))
		return PO_MONTH_BAD_FIELD;
	if (day < 1 || day > day_tab[isleap(year)][month - 1])
		return PO_MONTH_BAD_FIELD;
	return PO_MONTH_OK;
}

char *
po_month_format(PoMonth month, char buf[PO_MONTH_BUFSIZE])
{
	int			year = po_month_year(month);
	int			number = po_month_of_year(month);

	buf[0] = '0' + year / 1000 % 10;
	buf[1] = '0' + year / 100 % 10;
	buf[2] = '0' + year / 10 % 10;
	buf[3] = '0' + year % 10;
	buf[4] = '-';
	buf[5] = '0' + number / 10;
	buf[6] = '0' + number % 10;
	buf[7] = '\0';
	return buf;
}

bool
po_month_make(int year, int month, PoMonth *result)
{
	if (year < PO_MONTH_MIN_YEAR || year > PO_MONTH_MAX_YEAR ||
		month < 1 || month > 12)
		return false;
	*result = year * 12 + (month - 1);
	return true;
}

/* j2date() counts 1 BC as year 0, so BC fails like any year below 1. */
bool
po_month_from_date(DateADT date, PoMonth *result)
{
	int			year;
	int			month;
	int			day;

	if (DATE_NOT_FINITE(date))
		return false;
	j2date(date + POSTGRES_EPOCH_JDATE, &year, &month, &day);
	return po_month_make(year, month, result);
}

/* 64 bits, so that no int4 and no negated int4 can overflow on the way. */
bool
po_month_add(PoMonth month, int64 months, PoMonth *result)
{
	int64		sum;

	if (months > PO_MONTH_MAX || months < -(int64) PO_MONTH_MAX)
		return false;
	sum = month + months;
	if (!PO_MONTH_IS_VALID(sum))
		return false;
	*result = (PoMonth) sum;
	return true;
}

DateADT
po_month_first_day(PoMonth month)
{
	return date2j(po_month_year(month), po_month_of_year(month), 1) -
		POSTGRES_EPOCH_JDATE;
}

/* The day before the next month; a date goes further than a po_month. */
DateADT
po_month_last_day(PoMonth month)
{
	return po_month_first_day(month + 1) - 1;
}

/* ----------
 * Input and output
 * ----------
 */

PG_FUNCTION_INFO_V1(po_month_in);
PG_FUNCTION_INFO_V1(po_month_out);
PG_FUNCTION_INFO_V1(po_month_recv);
PG_FUNCTION_INFO_V1(po_month_send);

Datum
po_month_in(PG_FUNCTION_ARGS)
{
	const char *str = PG_GETARG_CSTRING(0);
	PoMonth		result;

	switch (po_month_parse(str, &result))
	{
		case PO_MONTH_OK:
			PG_RETURN_PO_MONTH(result);
		case PO_MONTH_BAD_FIELD:
			po_soft_error(fcinfo->context, (Datum) 0,
						  (errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
						   errmsg("date/time field value out of range: \"%s\"", str),
						   errdetail("Years run from 0001 to 9999, months from 01 to 12, and a day must exist in its month."),
						   errhint("Write a month as \"2026-11\", \"2026-11-22\" or \"Nov 2026\".")));
		case PO_MONTH_BAD_SYNTAX:
			break;
	}
	po_soft_error(fcinfo->context, (Datum) 0,
				  (errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				   errmsg("invalid input syntax for type %s: \"%s\"", "po_month", str),
				   errhint("Write a month as \"2026-11\", \"2026-11-22\" or \"Nov 2026\".")));
}

Datum
po_month_out(PG_FUNCTION_ARGS)
{
	PoMonth		month = PG_GETARG_PO_MONTH(0);

	PG_RETURN_CSTRING(po_month_format(month, palloc(PO_MONTH_BUFSIZE)));
}

Datum
po_month_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buf = (StringInfo) PG_GETARG_POINTER(0);
	PoMonth		result = (PoMonth) pq_getmsgint(buf, sizeof(int32));

	if (!PO_MONTH_IS_VALID(result))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("month number %d out of range for type %s",
						result, "po_month"),
				 errdetail("The number of a month is year * 12 + month - 1, from %d to %d.",
						   PO_MONTH_MIN, PO_MONTH_MAX)));
	PG_RETURN_PO_MONTH(result);
}

Datum
po_month_send(PG_FUNCTION_ARGS)
{
	PoMonth		month = PG_GETARG_PO_MONTH(0);
	StringInfoData buf;

	pq_begintypsend(&buf);
	pq_sendint32(&buf, month);
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

/* ----------
 * Comparison, sorting and hashing
 * ----------
 */

PG_FUNCTION_INFO_V1(po_month_lt);
PG_FUNCTION_INFO_V1(po_month_le);
PG_FUNCTION_INFO_V1(po_month_eq);
PG_FUNCTION_INFO_V1(po_month_ne);
PG_FUNCTION_INFO_V1(po_month_ge);
PG_FUNCTION_INFO_V1(po_month_gt);
PG_FUNCTION_INFO_V1(po_month_cmp);
PG_FUNCTION_INFO_V1(po_month_sortsupport);
PG_FUNCTION_INFO_V1(po_month_in_range);
PG_FUNCTION_INFO_V1(po_month_hash);
PG_FUNCTION_INFO_V1(po_month_hash_extended);
PG_FUNCTION_INFO_V1(po_month_smaller);
PG_FUNCTION_INFO_V1(po_month_larger);

Datum
po_month_lt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(PG_GETARG_PO_MONTH(0) < PG_GETARG_PO_MONTH(1));
}

Datum
po_month_le(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(PG_GETARG_PO_MONTH(0) <= PG_GETARG_PO_MONTH(1));
}

Datum
po_month_eq(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(PG_GETARG_PO_MONTH(0) == PG_GETARG_PO_MONTH(1));
}

Datum
po_month_ne(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(PG_GETARG_PO_MONTH(0) != PG_GETARG_PO_MONTH(1));
}

Datum
po_month_ge(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(PG_GETARG_PO_MONTH(0) >= PG_GETARG_PO_MONTH(1));
}

Datum
po_month_gt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(PG_GETARG_PO_MONTH(0) > PG_GETARG_PO_MONTH(1));
}

Datum
po_month_cmp(PG_FUNCTION_ARGS)
{
	PoMonth		a = PG_GETARG_PO_MONTH(0);
	PoMonth		b = PG_GETARG_PO_MONTH(1);

	PG_RETURN_INT32((a > b) - (a < b));
}

/* The server sorts int32 datums by a specialized quicksort. */
Datum
po_month_sortsupport(PG_FUNCTION_ARGS)
{
	SortSupport ssup = (SortSupport) PG_GETARG_POINTER(0);

	ssup->comparator = ssup_datum_int32_cmp;
	PG_RETURN_VOID();
}

/*
 * in_range(value, base, offset, sub, less) of window frames: is the value
 * before (less) or after the month that is offset months from the base?  That
 * month need not be a valid po_month.
 */
Datum
po_month_in_range(PG_FUNCTION_ARGS)
{
	PoMonth		value = PG_GETARG_PO_MONTH(0);
	PoMonth		base = PG_GETARG_PO_MONTH(1);
	int64		offset = PG_GETARG_INT32(2);
	bool		sub = PG_GETARG_BOOL(3);
	bool		less = PG_GETARG_BOOL(4);
	int64		edge = sub ? base - offset : base + offset;

	if (offset < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PRECEDING_OR_FOLLOWING_SIZE),
				 errmsg("invalid preceding or following size in window function")));
	PG_RETURN_BOOL(less ? value <= edge : value >= edge);
}

/* Hash partitions depend on these two: they never change. */
Datum
po_month_hash(PG_FUNCTION_ARGS)
{
	return hash_uint32((uint32) PG_GETARG_PO_MONTH(0));
}

Datum
po_month_hash_extended(PG_FUNCTION_ARGS)
{
	return hash_uint32_extended((uint32) PG_GETARG_PO_MONTH(0),
								PG_GETARG_INT64(1));
}

Datum
po_month_smaller(PG_FUNCTION_ARGS)
{
	PG_RETURN_PO_MONTH(Min(PG_GETARG_PO_MONTH(0), PG_GETARG_PO_MONTH(1)));
}

Datum
po_month_larger(PG_FUNCTION_ARGS)
{
	PG_RETURN_PO_MONTH(Max(PG_GETARG_PO_MONTH(0), PG_GETARG_PO_MONTH(1)));
}

/* ----------
 * Arithmetic
 * ----------
 */

PG_FUNCTION_INFO_V1(po_month_pl_int);
PG_FUNCTION_INFO_V1(po_month_mi_int);
PG_FUNCTION_INFO_V1(po_month_mi_month);

static PoMonth
add_or_error(PoMonth month, int64 months)
{
	char		buf[PO_MONTH_BUFSIZE];
	PoMonth		result;

	if (!po_month_add(month, months, &result))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("month out of range: %s %c %lld",
						po_month_format(month, buf), months < 0 ? '-' : '+',
						(long long) (months < 0 ? -months : months)),
				 errdetail(PO_MONTH_LIMITS)));
	return result;
}

Datum
po_month_pl_int(PG_FUNCTION_ARGS)
{
	int64		months = PG_GETARG_INT32(1);

	PG_RETURN_PO_MONTH(add_or_error(PG_GETARG_PO_MONTH(0), months));
}

Datum
po_month_mi_int(PG_FUNCTION_ARGS)
{
	int64		months = PG_GETARG_INT32(1);

	PG_RETURN_PO_MONTH(add_or_error(PG_GETARG_PO_MONTH(0), -months));
}

Datum
po_month_mi_month(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(PG_GETARG_PO_MONTH(0) - PG_GETARG_PO_MONTH(1));
}

/* ----------
 * Casts, and the days of a month
 *
 * None from timestamptz: its month depends on a time zone, and the session's
 * is never the right one.
 * ----------
 */

PG_FUNCTION_INFO_V1(po_month_of_date);
PG_FUNCTION_INFO_V1(po_month_of_timestamp);
PG_FUNCTION_INFO_V1(po_month_to_date);
PG_FUNCTION_INFO_V1(po_month_end);

Datum
po_month_of_date(PG_FUNCTION_ARGS)
{
	PoMonth		result;

	if (!po_month_from_date(PG_GETARG_DATEADT(0), &result))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("date out of range for type %s", "po_month"),
				 errdetail(PO_MONTH_LIMITS)));
	PG_RETURN_PO_MONTH(result);
}

Datum
po_month_of_timestamp(PG_FUNCTION_ARGS)
{
	Timestamp	timestamp = PG_GETARG_TIMESTAMP(0);
	struct pg_tm tm;
	fsec_t		fsec;
	PoMonth		result;

	if (TIMESTAMP_NOT_FINITE(timestamp) ||
		timestamp2tm(timestamp, NULL, &tm, &fsec, NULL, NULL) != 0 ||
		!po_month_make(tm.tm_year, tm.tm_mon, &result))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("timestamp out of range for type %s", "po_month"),
				 errdetail(PO_MONTH_LIMITS)));
	PG_RETURN_PO_MONTH(result);
}

Datum
po_month_to_date(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATEADT(po_month_first_day(PG_GETARG_PO_MONTH(0)));
}

Datum
po_month_end(PG_FUNCTION_ARGS)
{
	PG_RETURN_DATEADT(po_month_last_day(PG_GETARG_PO_MONTH(0)));
}
