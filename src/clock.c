/*
 * clock.c
 *		What time it is.  See clock.h.
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "clock.h"

char	   *po_clock_setting = NULL;

/* false: not a time, or an infinite one */
static bool
parse(const char *setting, TimestampTz *time)
{
	MemoryContext caller = CurrentMemoryContext;
	volatile bool good = true;

	PG_TRY();
	{
		*time = DatumGetTimestampTz(DirectFunctionCall3(timestamptz_in,
														CStringGetDatum(setting),
														ObjectIdGetDatum(InvalidOid),
														Int32GetDatum(-1)));
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(caller);
		FlushErrorState();
		good = false;
	}
	PG_END_TRY();
	return good && !TIMESTAMP_NOT_FINITE(*time);
}

/* check hook of po_mgmt.now */
bool
po_clock_check(char **newval, void **extra, GucSource source)
{
	TimestampTz time;

	if (*newval == NULL || (*newval)[0] == '\0' || parse(*newval, &time))
		return true;
	GUC_check_errdetail("It is not a time, such as 2026-11-22 09:00:00+00.");
	return false;
}

TimestampTz
po_clock_now(void)
{
	TimestampTz time;

	if (po_clock_setting == NULL || po_clock_setting[0] == '\0' ||
		!parse(po_clock_setting, &time))
		return GetCurrentTimestamp();
	return time;
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
	if (po_clock_setting == NULL || newval == NULL ||
		strcmp(newval, po_clock_setting) != 0)
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
