/*
 * store_shard.h
 *		Relations of the rows of an account, where the tables are distributed
 *		over servers by Citus; for the store, and who asks which table a
 *		relation is.
 */
#ifndef PO_STORE_SHARD_H
#define PO_STORE_SHARD_H

#include "executor/spi.h"
#include "nodes/pg_list.h"
#include "utils/rel.h"

#include "row.h"
#include "store.h"

/* relations that have the rows of some accounts, and plans of statements on them */
typedef struct PoRelations
{
	int64		shard;			/* of po_account; 0: the tables themselves */
	uint64		generation;		/* when the names were read */
	NameData	names[PO_NTABLES];
	SPIPlanPtr	plans[PO_NSTATEMENTS];
} PoRelations;

/*
 * Of accounts, which must have one shard; of no account, or where others may
 * read them: the tables themselves, which Citus's planner knows.
 */
extern PoRelations *po_relations_of(Oid schema, List *account_ids, bool read_only);

extern const char *po_table_base_name(PoTable table);
extern void po_shard_forget(void);

#endif							/* PO_STORE_SHARD_H */
