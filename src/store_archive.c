/*
 * store_archive.c
 *		Moves what is old of the ledger and the change log into the archive.
 *
 * As the tables' owner, on the newest rows.  What is read of both is read with
 * the archive, see WITH_ARCHIVE in store_sql.c.
 */
#include "postgres.h"

#include "store.h"

text *
po_next_closed_account(Oid schema, text *account_id)
{
	Datum		arg = PointerGetDatum(account_id);

	return po_read_text(schema, PO_READ_NEXT_CLOSED, &arg, NULL);
}

int64
po_move_to_archive(Oid schema, text *account_id, PoMonth before)
{
	Datum		args[] = {
		PointerGetDatum(account_id), PoMonthGetDatum(before), PointerGetDatum(po_user())
	};

	/* the archive's own triggers are checked with the statement */
	po_check_triggers(schema, PO_LEDGER);
	po_check_triggers(schema, PO_CHANGE_LOG);
	return po_count(schema, PO_ARCHIVE_LEDGER, args) +
		po_count(schema, PO_ARCHIVE_CHANGES, args);
}
