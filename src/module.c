/*
 * module.c
 *		The module: magic, settings, what is registered when it is loaded.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/guc.h"

#include "clock.h"
#include "flight.h"
#include "store.h"

PG_MODULE_MAGIC;

void		_PG_init(void);

void
_PG_init(void)
{
	DefineCustomStringVariable("po_mgmt.now",
							   "Time that po_mgmt takes for now, for tests; empty: the clock.",
							   NULL,
							   &po_clock_setting,
							   "",
							   PGC_SUSET,
							   GUC_NOT_IN_SAMPLE,
							   po_clock_check,
							   po_clock_assign,
							   NULL);
	DefineCustomBoolVariable("po_mgmt.notify",
							 "Whether a transaction that writes notifications wakes po-notifier by NOTIFY.",
							 "Off for transactions that are to be prepared: PostgreSQL refuses PREPARE TRANSACTION after NOTIFY.",
							 &po_notify_setting,
							 true,
							 PGC_USERSET,
							 0,
							 NULL,
							 NULL,
							 NULL);
	DefineCustomIntVariable("po_mgmt.match_cache",
							"Memory of a session for accounts whose invoices it matches repeatedly; 0: none.",
							NULL,
							&po_cache_size,
							16384,
							0, MAX_KILOBYTES,
							PGC_USERSET,
							GUC_UNIT_KB,
							NULL,
							NULL,
							NULL);
	MarkGUCPrefixReserved("po_mgmt");
	po_plan_init();
	po_shard_init();
	po_scan_init();
	po_cache_init();
	po_flight_init();
}
