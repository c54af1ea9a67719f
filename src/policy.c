/*
 * policy.c
 *		Row security: policies by account, and what they say of a new row.
 *
 * A BEFORE trigger fires before the server checks policies.  Were it to look
 * up what a row refers to first, its errors would tell whether another
 * account's order is there, and it would lock that account.  So the triggers
 * ask the policies themselves, as far as they are about account_id.
 */
#include "postgres.h"

#include "access/sysattr.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "nodes/bitmapset.h"
#include "optimizer/optimizer.h"
#include "rewrite/rowsecurity.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/rls.h"

#include "trigger.h"

/* ---- what policies say of a new row ---- */

static bool
is_for_caller(const RowSecurityPolicy *policy)
{
	Datum	   *roles;
	int			nroles;

	if (policy->polcmd != '*' && policy->polcmd != ACL_INSERT_CHR)
		return false;
	deconstruct_array(policy->roles, OIDOID, sizeof(Oid), true, TYPALIGN_INT,
					  &roles, NULL, &nroles);
	for (int i = 0; i < nroles; i++)
	{
		Oid			role = DatumGetObjectId(roles[i]);

		if (role == ACL_ID_PUBLIC || has_privs_of_role(GetUserId(), role))
			return true;
	}
	return false;
}

/* other columns may become others until the row is stored */
static bool
is_about_account(const RowSecurityPolicy *policy, Expr *check, AttrNumber account_id)
{
	Bitmapset  *columns = NULL;

	if (policy->hassublinks)
		return false;
	pull_varattnos((Node *) check, 1, &columns);
	return bms_is_subset(columns,
						 bms_make_singleton(account_id - FirstLowInvalidHeapAttributeNumber));
}

static bool
evaluate(Expr *check, PoTrigger *trigger)
{
	EState	   *estate = CreateExecutorState();
	ExprContext *context = GetPerTupleExprContext(estate);
	TupleTableSlot *slot = MakeSingleTupleTableSlot(trigger->desc, &TTSOpsHeapTuple);
	bool		isnull;
	bool		passes;

	ExecStoreHeapTuple(po_row_tuple(trigger->new), slot, false);
	context->ecxt_scantuple = slot;
	passes = DatumGetBool(ExecEvalExprSwitchContext(ExecPrepareExpr(copyObject(check), estate),
													context, &isnull)) && !isnull;
	ExecDropSingleTupleTableSlot(slot);
	FreeExecutorState(estate);
	return passes;
}

static PoTristate
ask(const RowSecurityPolicy *policy, PoTrigger *trigger, AttrNumber account_id)
{
	Expr	   *check = policy->with_check_qual ? policy->with_check_qual : policy->qual;

	if (check == NULL || !is_about_account(policy, check, account_id))
		return PO_UNKNOWN;
	return evaluate(check, trigger) ? PO_YES : PO_NO;
}

/* one permissive policy is enough, every restrictive one is needed; unknown passes */
static bool
passes(PoTrigger *trigger, AttrNumber account_id)
{
	bool		permitted = false;
	ListCell   *cell;

	foreach(cell, trigger->rel->rd_rsdesc->policies)
	{
		const RowSecurityPolicy *policy = lfirst(cell);
		PoTristate	answer;

		if (!is_for_caller(policy))
			continue;
		answer = ask(policy, trigger, account_id);
		if (policy->permissive)
			permitted = permitted || answer != PO_NO;
		else if (answer == PO_NO)
			return false;
	}
	return permitted;
}

/*
 * The error that the server would raise for the row, before anything is looked
 * up for it.  account_id is the column's number.
 */
void
po_check_policies(PoTrigger *trigger, AttrNumber account_id)
{
	PoIdentity	before;
	bool		passed;

	if (trigger->rel->rd_rsdesc == NULL ||
		check_enable_rls(RelationGetRelid(trigger->rel), trigger->caller, true) != RLS_ENABLED)
		return;
	po_become_role(trigger->caller, &before);
	passed = passes(trigger, account_id);
	po_become(&before);
	if (!passed)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("new row violates row-level security policy for table \"%s\"",
						RelationGetRelationName(trigger->rel))));
}

/* ---- po_enable_row_security ---- */

/* a name with a dot, as settings of applications have */
static void
check_setting(const char *setting)
{
	bool		good = strchr(setting, '.') != NULL;
	bool		begins = true;

	for (const char *c = setting; good && *c != '\0'; c++)
	{
		good = *c == '.' ? !begins :
			*c == '_' || isalpha((unsigned char) *c) ||
			(!begins && (*c == '$' || isdigit((unsigned char) *c)));
		begins = *c == '.';
	}
	if (!good || begins)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("\"%s\" is not the name of a setting", setting),
				 errdetail("It is where a session says which account it is for."),
				 errhint("Give a name such as app.account_id, or null to take the policies away.")));
}

/* with null: takes the policies away; the number of tables */
PG_FUNCTION_INFO_V1(po_enable_row_security);
Datum
po_enable_row_security(PG_FUNCTION_ARGS)
{
	char	   *setting = PG_ARGISNULL(0) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(0));

	if (setting != NULL)
		check_setting(setting);
	PG_RETURN_INT32(po_write_policies(get_func_namespace(fcinfo->flinfo->fn_oid), setting));
}
