/*
 * store_visible.h
 *		What row security lets a user see of a table, for direct scans.
 *
 * A query on a table with row security has the policies' condition in its
 * plan.  A direct scan asks the same condition, made by the server as for a
 * query, for each row before anything else looks at it.
 */
#ifndef PO_STORE_VISIBLE_H
#define PO_STORE_VISIBLE_H

#include "executor/tuptable.h"

#include "store.h"

typedef struct PoPolicy PoPolicy;

/* for the current user; NULL where a query has to be asked */
extern PoPolicy *po_policy_of(PoPolicies *policies, PoTable which, Relation heap);
extern bool po_policy_passes(PoPolicy *policy, TupleTableSlot *slot);

#endif							/* PO_STORE_VISIBLE_H */
