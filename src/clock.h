/*
 * clock.h
 *		What time it is, for all of the extension.
 *
 * A superuser may set po_mgmt.now to have another time (tests do); nobody else.
 */
#ifndef PO_CLOCK_H
#define PO_CLOCK_H

#include "utils/date.h"
#include "utils/guc.h"
#include "utils/timestamp.h"

#include "month.h"

extern char *po_clock_setting;	/* po_mgmt.now */
extern bool po_clock_check(char **newval, void **extra, GucSource source);
extern void po_clock_assign(const char *newval, void *extra);

extern TimestampTz po_clock_now(void);

/* later than every stamp that this backend has given before */
extern TimestampTz po_clock_stamp(void);

/* today and this month at that time in a time zone, such as an account's */
extern DateADT po_clock_date(TimestampTz time, text *time_zone);
extern PoMonth po_clock_month(TimestampTz time, text *time_zone);

#endif							/* PO_CLOCK_H */
