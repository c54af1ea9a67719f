/*
 * clock.c
 *		What time it is.  See clock.h.
 */
#include "postgres.h"

#include "utils/builtins.h"
#include "utils/fmgrprotos.h"

#include "clock.h"

char	   *po_clock_setting = NULL;

TimestampTz
po_clock_now(void)
{
	if (po_clock_setting == NULL || po_clock_setting[0] == '\0')
		return GetCurrentTimestamp();
	return DatumGetTimestampTz(DirectFunctionCall3(timestamptz_in,
												   CStringGetDatum(po_clock_setting),
												   ObjectIdGetDatum(InvalidOid),
												   Int32GetDatum(-1)));
}

static TimestampTz last_stamp = PG_INT64_MIN;

/*
 * Two rows of a statement get two stamps, in row order, so that a stamp tells
 * rows apart and the row written last is the one stamped last.
 */
TimestampTz
po_clock_stamp(void)
{
	last_stamp = Max(po_clock_now(), last_stamp + 1);
	return last_stamp;
}

/* assign hook of po_mgmt.now: another clock, another sequence of stamps */
void
po_clock_assign(const char *newval, void *extra)
{
	last_stamp = PG_INT64_MIN;
}

DateADT
po_clock_date(TimestampTz time, text *time_zone)
{
	Datum		local = DirectFunctionCall2(timestamptz_zone,
											PointerGetDatum(time_zone),
											TimestampTzGetDatum(time));

	return DatumGetDateADT(DirectFunctionCall1(timestamp_date, local));
}

PoMonth
po_clock_month(TimestampTz time, text *time_zone)
{
	PoMonth		month;

	if (!po_month_from_date(po_clock_date(time, time_zone), &month))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_FIELD_OVERFLOW),
				 errmsg("the clock is outside the years 0001 to 9999")));
	return month;
}

PG_FUNCTION_INFO_V1(po_now);
Datum
po_now(PG_FUNCTION_ARGS)
{
	PG_RETURN_TIMESTAMPTZ(po_clock_now());
}
