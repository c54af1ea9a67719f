/*
 * trigger.c
 *		What the triggers on all tables have in common: the protocol, columns
 *		of OLD and NEW, history, checks of single values, identity.
 *
 * What a table's rows must be is in the trg_*.c file of that table.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_authid.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/rls.h"

#include "trigger.h"

#define MAX_NUMBER_LENGTH 200

/* ---- protocol ---- */

void
po_trigger_init(PoTrigger *trigger, FunctionCallInfo fcinfo)
{
	TriggerData *data = (TriggerData *) fcinfo->context;

	if (!CALLED_AS_TRIGGER(fcinfo))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("function %u was not called by trigger manager",
						fcinfo->flinfo->fn_oid)));
	memset(trigger, 0, sizeof(*trigger));
	trigger->schema = get_func_namespace(fcinfo->flinfo->fn_oid);
	trigger->rel = data->tg_relation;
	trigger->desc = RelationGetDescr(data->tg_relation);
	trigger->before = TRIGGER_FIRED_BEFORE(data->tg_event);
	trigger->is_insert = TRIGGER_FIRED_BY_INSERT(data->tg_event);
	trigger->is_update = TRIGGER_FIRED_BY_UPDATE(data->tg_event);
	trigger->is_delete = TRIGGER_FIRED_BY_DELETE(data->tg_event);
	if (TRIGGER_FIRED_FOR_ROW(data->tg_event))
	{
		trigger->old = trigger->is_insert ? NULL : data->tg_trigtuple;
		trigger->new = trigger->is_insert ? data->tg_trigtuple :
			trigger->is_update ? data->tg_newtuple : NULL;
	}
	/* the role that SET ROLE chose, whatever function it calls */
	trigger->user = cstring_to_text(GetUserNameFromId(GetOuterUserId(), false));
}

Datum
po_trigger_result(const PoTrigger *trigger)
{
	return PointerGetDatum(trigger->new != NULL ? trigger->new : trigger->old);
}

/* ---- columns ---- */

Datum
po_new(const PoTrigger *trigger, int attribute, bool *isnull)
{
	return heap_getattr(trigger->new, attribute, trigger->desc, isnull);
}

Datum
po_old(const PoTrigger *trigger, int attribute, bool *isnull)
{
	return heap_getattr(trigger->old, attribute, trigger->desc, isnull);
}

static text *
text_column(HeapTuple tuple, TupleDesc desc, int attribute)
{
	bool		isnull;
	Datum		value = heap_getattr(tuple, attribute, desc, &isnull);

	return isnull ? NULL : DatumGetTextPP(value);
}

text *
po_new_text(const PoTrigger *trigger, int attribute)
{
	return text_column(trigger->new, trigger->desc, attribute);
}

text *
po_old_text(const PoTrigger *trigger, int attribute)
{
	return text_column(trigger->old, trigger->desc, attribute);
}

bool
po_new_is_null(const PoTrigger *trigger, int attribute)
{
	return heap_attisnull(trigger->new, attribute, trigger->desc);
}

/* is the value another one, in an update? */
bool
po_changed(const PoTrigger *trigger, int attribute)
{
	Form_pg_attribute att = TupleDescAttr(trigger->desc, attribute - 1);
	bool		old_isnull;
	bool		new_isnull;
	Datum		old = po_old(trigger, attribute, &old_isnull);
	Datum		new = po_new(trigger, attribute, &new_isnull);

	if (old_isnull || new_isnull)
		return old_isnull != new_isnull;
	return !datum_image_eq(old, new, att->attbyval, att->attlen);
}

static void
set_column(PoTrigger *trigger, int attribute, Datum value, bool isnull)
{
	trigger->new = heap_modify_tuple_by_cols(trigger->new, trigger->desc, 1,
											 &attribute, &value, &isnull);
}

void
po_set(PoTrigger *trigger, int attribute, Datum value)
{
	set_column(trigger, attribute, value, false);
}

void
po_set_null(PoTrigger *trigger, int attribute)
{
	set_column(trigger, attribute, (Datum) 0, true);
}

/* null for NULL; leaves the row alone where the value is the same */
void
po_set_text(PoTrigger *trigger, int attribute, text *value)
{
	text	   *present = po_new_text(trigger, attribute);

	if (present != value && !po_text_equal(present, value))
		set_column(trigger, attribute, PointerGetDatum(value), value == NULL);
}

static const char *
column_name(const PoTrigger *trigger, int attribute)
{
	return NameStr(TupleDescAttr(trigger->desc, attribute - 1)->attname);
}

/* ---- history and columns of the system ---- */

/*
 * A row that comes with its system column filled is history, such as a
 * restore's: it is taken as it is.  Only the owner may write history.
 */
bool
po_is_history(const PoTrigger *trigger, int attribute)
{
	if (!trigger->is_insert || po_new_is_null(trigger, attribute))
		return false;
	if (!has_privs_of_role(GetUserId(), trigger->rel->rd_rel->relowner))
		po_refuse_given(trigger, attribute);
	return true;
}

static void
refuse_column(const PoTrigger *trigger, int attribute, const char *hint)
{
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("column \"%s\" of \"%s\" is written by po_mgmt only",
					column_name(trigger, attribute),
					RelationGetRelationName(trigger->rel)),
			 errhint("%s", hint)));
}

void
po_refuse_given(const PoTrigger *trigger, int attribute)
{
	if (!po_new_is_null(trigger, attribute))
		refuse_column(trigger, attribute, "Leave it out, or give null.");
}

void
po_refuse_changed(const PoTrigger *trigger, int attribute)
{
	if (po_changed(trigger, attribute))
		refuse_column(trigger, attribute, "Leave it out of the update.");
}

/* ---- checks of single values ---- */

void
po_require(const PoTrigger *trigger, int attribute, const char *hint)
{
	if (po_new_is_null(trigger, attribute))
		ereport(ERROR,
				(errcode(ERRCODE_NOT_NULL_VIOLATION),
				 errmsg("null value in column \"%s\" of relation \"%s\"",
						column_name(trigger, attribute),
						RelationGetRelationName(trigger->rel)),
				 errdetail("The column \"%s\" is required.",
						   column_name(trigger, attribute)),
				 errhint("%s", hint)));
}

/* a number that is printed: 1 to 200 characters, none of them a control one */
void
po_check_number(text *value, const char *what)
{
	const char *data = VARDATA_ANY(value);
	int			len = VARSIZE_ANY_EXHDR(value);
	int			nchars = pg_mbstrlen_with_len(data, len);

	if (nchars < 1 || nchars > MAX_NUMBER_LENGTH)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("%s has %d characters", what, nchars),
				 errdetail("It begins with \"%s\".",
						   pnstrdup(data, pg_mbcharcliplen(data, len, 20))),
				 errhint("Give 1 to %d characters.", MAX_NUMBER_LENGTH)));
	for (int i = 0; i < len; i++)
	{
		unsigned char byte = data[i];

		if (byte < 0x20 || byte == 0x7f)
			ereport(ERROR,
					(errcode(ERRCODE_CHECK_VIOLATION),
					 errmsg("%s contains a control character", what),
					 errdetail("The byte at place %d is 0x%02x.", i + 1, byte),
					 errhint("Remove tabs, line ends and the like.")));
	}
}

void
po_check_currency(text *value)
{
	const char *data = VARDATA_ANY(value);
	bool		good = VARSIZE_ANY_EXHDR(value) == 3;

	for (int i = 0; good && i < 3; i++)
		good = data[i] >= 'A' && data[i] <= 'Z';
	if (!good)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("currency \"%s\" is not three letters",
						text_to_cstring(value)),
				 errhint("Give a code of ISO 4217, such as USD.")));
}

/* not negative, not NaN, not infinite; NULL passes */
void
po_check_money(Numeric value, const char *what)
{
	char	   *printed;

	if (value == NULL)
		return;
	printed = DatumGetCString(DirectFunctionCall1(numeric_out,
												  NumericGetDatum(value)));
	if (numeric_is_nan(value) || numeric_is_inf(value) || printed[0] == '-')
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("%s must not be %s", what, printed),
				 errhint("Give a number that is finite and not negative.")));
}

/* ---- identity ---- */

/*
 * The extension's own reads and writes need no rights of the user's and see
 * all rows of the account.  An error gives the identity back by itself.
 */
void
po_become_owner(const PoTrigger *trigger, PoIdentity *before)
{
	GetUserIdAndSecContext(&before->user, &before->context);
	SetUserIdAndSecContext(trigger->rel->rd_rel->relowner,
						   before->context | SECURITY_LOCAL_USERID_CHANGE |
						   SECURITY_NOFORCE_RLS);
}

void
po_become(const PoIdentity *before)
{
	SetUserIdAndSecContext(before->user, before->context);
}

/* may the current user see the rows of a table, all of them? for messages */
bool
po_may_read(Oid relid)
{
	return pg_class_aclcheck(relid, GetUserId(), ACL_SELECT) == ACLCHECK_OK &&
		check_enable_rls(relid, InvalidOid, true) != RLS_ENABLED;
}
