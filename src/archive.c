/*
 * archive.c
 *		The SQL function po_archive: closed months out of the ledger and the
 *		change log.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "flight.h"

/* by its lock, nothing is booked meanwhile */
static int64
archive_account(Oid schema, text *account_id, PoMonth before)
{
	if (po_statement_account(schema, account_id, PO_FOR_BOOKING) == NULL)
		return 0;
	return po_move_to_archive(schema, account_id, before);
}

/* one account after another, by their ids, as loads should lock them */
static int64
archive_all(Oid schema, PoMonth before)
{
	MemoryContext outer = CurrentMemoryContext;
	MemoryContext one = AllocSetContextCreate(outer, "po_mgmt archive",
											  ALLOCSET_SMALL_SIZES);
	text	   *account_id = cstring_to_text("");
	int64		nmoved = 0;

	for (;;)
	{
		text	   *next;

		CHECK_FOR_INTERRUPTS();
		MemoryContextReset(one);
		MemoryContextSwitchTo(one);
		next = po_next_closed_account(schema, account_id);
		if (next != NULL)
			nmoved += archive_account(schema, next, before);
		MemoryContextSwitchTo(outer);
		if (next == NULL)
			break;
		pfree(account_id);
		account_id = po_text_copy(next);
	}
	MemoryContextDelete(one);
	return nmoved;
}

/* the number of rows that were moved */
PG_FUNCTION_INFO_V1(po_archive);
Datum
po_archive(PG_FUNCTION_ARGS)
{
	Oid			schema = get_func_namespace(fcinfo->flinfo->fn_oid);
	PoMonth		before;
	PoIdentity	caller;
	int64		nmoved;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("before must not be null"),
				 errhint("Give a month, such as '2026-01': what was recorded before it, in closed months, is moved.")));
	before = PG_GETARG_PO_MONTH(0);
	po_become_table_owner(schema, PO_LEDGER, &caller);
	po_flight_close(schema);
	nmoved = PG_ARGISNULL(1) ? archive_all(schema, before) :
		archive_account(schema, PG_GETARG_TEXT_PP(1), before);
	po_become(&caller);
	PG_RETURN_INT64(nmoved);
}
