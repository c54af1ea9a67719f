/*
 * store_cache.h
 *		Accounts' configuration in the session's memory, for the store.
 *
 * What a match reads of an account is a function of the visible version of
 * the account's row, because whatever changes an order, a line item or a
 * balance writes that row in the same transaction.  So orders and line items
 * are kept, and are good as long as a look at that one row finds the version
 * that was there when they were read.  doc/design.md says why that is right
 * under any snapshot, and what ends it.
 */
#ifndef PO_STORE_CACHE_H
#define PO_STORE_CACHE_H

#include "storage/itemptr.h"

#include "store_whole.h"

/* which version of an account's row it is */
typedef struct PoVersion
{
	TransactionId xmin;
	ItemPointerData tid;
	TimestampTz booked_at;
} PoVersion;

/*
 * From memory, where this snapshot is the one under which the account was
 * looked at last; NULL where it has to be looked at.
 */
extern const PoConfiguration *po_cache_recall(Oid schema, Snapshot snapshot,
											  const text *account_id);

/*
 * With the account's row at hand: from memory, or read into memory where the
 * account is asked for repeatedly; NULL where the tables are to be read.
 */
extern const PoConfiguration *po_cache_find(Oid schema, Snapshot snapshot,
											const PoAccount *account,
											const PoVersion *version);

/* until it is released, what was returned stays */
extern void po_cache_release(void);

/* what the taxonomy says of a type, noted until the snapshot is another one */
extern bool po_cache_recall_type(Oid schema, Snapshot snapshot,
								 const PoLineType *line_type,
								 PoTristate *out_of_cycle_only);
extern void po_cache_note_type(Oid schema, Snapshot snapshot,
							   const PoLineType *line_type,
							   PoTristate out_of_cycle_only);

#endif							/* PO_STORE_CACHE_H */
