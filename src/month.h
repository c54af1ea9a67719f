/*
 * month.h
 *		The type po_month, a calendar month: what other files may use.
 *
 * The functions below are pure: they neither raise errors nor allocate.
 * A function that can fail returns false (or a status) and leaves the report
 * to its caller, who knows what the value was for.
 */
#ifndef PO_MONTH_H
#define PO_MONTH_H

#include "fmgr.h"
#include "utils/date.h"

/* year * 12 + (month - 1); the order of months is that of the numbers */
typedef int32 PoMonth;

#define PO_MONTH_MIN_YEAR	1
#define PO_MONTH_MAX_YEAR	9999
#define PO_MONTH_MIN		((PoMonth) (PO_MONTH_MIN_YEAR * 12))
#define PO_MONTH_MAX		((PoMonth) (PO_MONTH_MAX_YEAR * 12 + 11))
#define PO_MONTH_IS_VALID(m)	((m) >= PO_MONTH_MIN && (m) <= PO_MONTH_MAX)

/* for messages: the limits in words, a sentence */
#define PO_MONTH_LIMITS		"Months run from 0001-01 to 9999-12."

/* "2026-11" and its terminator */
#define PO_MONTH_BUFSIZE	8

#define DatumGetPoMonth(d)		((PoMonth) DatumGetInt32(d))
#define PoMonthGetDatum(m)		Int32GetDatum(m)
#define PG_GETARG_PO_MONTH(n)	DatumGetPoMonth(PG_GETARG_DATUM(n))
#define PG_RETURN_PO_MONTH(m)	return PoMonthGetDatum(m)

typedef enum PoMonthStatus
{
	PO_MONTH_OK,
	PO_MONTH_BAD_SYNTAX,		/* none of the accepted forms */
	PO_MONTH_BAD_FIELD			/* year, month or day that does not exist */
} PoMonthStatus;

/* "2026-11", "2026-11-22" or "Nov 2026", with white space around it */
extern PoMonthStatus po_month_parse(const char *str, PoMonth *result);

/* writes "2026-11" and a terminator to buf, returns buf */
extern char *po_month_format(PoMonth month, char buf[PO_MONTH_BUFSIZE]);

/* false: not a month of the years 0001 to 9999 */
extern bool po_month_make(int year, int month, PoMonth *result);
extern bool po_month_from_date(DateADT date, PoMonth *result);
extern bool po_month_add(PoMonth month, int64 months, PoMonth *result);

extern DateADT po_month_first_day(PoMonth month);
extern DateADT po_month_last_day(PoMonth month);

static inline int
po_month_year(PoMonth month)
{
	return month / 12;
}

/* 1 to 12 */
static inline int
po_month_of_year(PoMonth month)
{
	return month % 12 + 1;
}

#endif							/* PO_MONTH_H */
