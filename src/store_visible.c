/*
 * store_visible.c
 *		What row security lets a user see of a table.  See store_visible.h.
 */
#include "postgres.h"

#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/makefuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_node.h"
#include "parser/parse_relation.h"
#include "rewrite/rowsecurity.h"
#include "utils/memutils.h"
#include "utils/rls.h"

#include "compat.h"
#include "store_visible.h"
#include "store_scan.h"

struct PoPolicy
{
	Oid			user;			/* whom it is for */
	uint64		changes;		/* po_scan_changes() when it was made */
	bool		usable;
	ExprState  *condition;
	ExprContext *context;
};

/* as long as one execution of a query, like the plan that would have them */
struct PoPolicies
{
	MemoryContext memory;
	PoPolicy   *tables[PO_NTABLES];
};

PoPolicies *
po_policies_create(MemoryContext memory)
{
	PoPolicies *policies = MemoryContextAllocZero(memory, sizeof(PoPolicies));

	policies->memory = memory;
	return policies;
}

/* the policies that the server would add to a query of the table; NIL: it cannot be asked here */
static List *
conditions_on(Relation heap)
{
	ParseState *pstate = make_parsestate(NULL);
	ParseNamespaceItem *item = addRangeTableEntryForRelation(pstate, heap, AccessShareLock,
															 NULL, true, true);
	Query	   *query = makeNode(Query);
	List	   *conditions;
	List	   *checks;
	bool		has_row_security;
	bool		has_sublinks;

	query->commandType = CMD_SELECT;
	query->rtable = pstate->p_rtable;
	po_set_permissions(query, pstate);
	get_row_security_policies(query, item->p_rte, 1, &conditions, &checks,
							  &has_row_security, &has_sublinks);
	return has_row_security && !has_sublinks ? conditions : NIL;
}

static PoPolicy *
make_policy(PoPolicies *policies, Relation heap)
{
	MemoryContext caller = MemoryContextSwitchTo(policies->memory);
	PoPolicy   *policy = palloc0(sizeof(PoPolicy));
	List	   *conditions = conditions_on(heap);

	policy->user = GetUserId();
	policy->changes = po_scan_changes();
	policy->usable = conditions != NIL;
	if (policy->usable)
	{
		Expr	   *condition = expression_planner(make_ands_explicit(conditions));

		policy->condition = ExecInitQual(make_ands_implicit(condition), NULL);
		policy->context = CreateStandaloneExprContext();
	}
	MemoryContextSwitchTo(caller);
	return policy;
}

PoPolicy *
po_policy_of(PoPolicies *policies, PoTable which, Relation heap)
{
	PoPolicy   *policy = policies->tables[which];

	/* row_security = off: the query says that it may not */
	if (!row_security)
		return NULL;
	/* the one before may be in use yet, and goes with the query */
	if (policy == NULL || policy->user != GetUserId() ||
		policy->changes != po_scan_changes())
		policy = policies->tables[which] = make_policy(policies, heap);
	return policy->usable ? policy : NULL;
}

bool
po_policy_passes(PoPolicy *policy, TupleTableSlot *slot)
{
	policy->context->ecxt_scantuple = slot;
	return ExecQualAndReset(policy->condition, policy->context);
}
