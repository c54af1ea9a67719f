/*
 * trigger.c
 *		What the triggers on all tables have in common: the protocol, columns
 *		of OLD and NEW, history, checks of single values, identity.
 *
 * What a table's rows must be is in the trg_*.c file of that table.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_trigger.h"
#include "commands/trigger.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/rls.h"

#include "statement.h"
#include "trigger.h"

/* ---- protocol ---- */

static PoRow *
init_row(PoRow *row, HeapTuple tuple, TupleDesc desc)
{
	row->tuple = tuple;
	row->desc = desc;
	return row;
}

/* Citus gives triggers of a shard the names of the table's, and the shard's number after them */
static const char *
suffix_of(const char *name, const char *own)
{
	return strncmp(name, own, strlen(own)) == 0 ? name + strlen(own) : "";
}

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
	trigger->suffix = suffix_of(data->tg_trigger->tgname,
								trigger->before ? PO_BEFORE_NAME : PO_AFTER_NAME);
	trigger->is_insert = TRIGGER_FIRED_BY_INSERT(data->tg_event);
	trigger->is_update = TRIGGER_FIRED_BY_UPDATE(data->tg_event);
	trigger->is_delete = TRIGGER_FIRED_BY_DELETE(data->tg_event);
	trigger->caller = GetUserId();
	po_cache_suspend();
	if (!TRIGGER_FIRED_FOR_ROW(data->tg_event))
		return;
	if (trigger->before)
		po_statement_rows_coming();
	if (!trigger->is_insert)
		trigger->old = init_row(&trigger->rows[0], data->tg_trigtuple, trigger->desc);
	if (!trigger->is_delete)
		trigger->new = init_row(&trigger->rows[1],
								trigger->is_insert ? data->tg_trigtuple : data->tg_newtuple,
								trigger->desc);
}

/* an insert that the owner of a table is to make; values has all columns */
void
po_trigger_init_insert(PoTrigger *trigger, Oid schema, Relation rel,
					   Datum *values, bool *nulls)
{
	memset(trigger, 0, sizeof(*trigger));
	trigger->schema = schema;
	trigger->suffix = "";
	trigger->rel = rel;
	trigger->desc = RelationGetDescr(rel);
	trigger->before = trigger->is_insert = true;
	trigger->caller = rel->rd_rel->relowner;
	trigger->new = init_row(&trigger->rows[1], NULL, trigger->desc);
	trigger->new->values = values;
	trigger->new->nulls = nulls;
	trigger->new->changed = true;
}

/* does it fire for this row, as ours does? */
static bool
is_before_row(const PoTrigger *trigger, const Trigger *other)
{
	return other->tgenabled != TRIGGER_DISABLED &&
		TRIGGER_FOR_ROW(other->tgtype) && TRIGGER_FOR_BEFORE(other->tgtype) &&
		((trigger->is_insert && TRIGGER_FOR_INSERT(other->tgtype)) ||
		 (trigger->is_update && TRIGGER_FOR_UPDATE(other->tgtype)) ||
		 (trigger->is_delete && TRIGGER_FOR_DELETE(other->tgtype)));
}

/* does it fire before (< 0), or after (> 0) our BEFORE trigger, by its name? */
static int
compare_with_ours(const PoTrigger *trigger, const Trigger *other)
{
	int			result = strncmp(other->tgname, PO_BEFORE_NAME, strlen(PO_BEFORE_NAME));

	return result != 0 ? result :
		strcmp(other->tgname + strlen(PO_BEFORE_NAME), trigger->suffix);
}

/* a BEFORE ROW trigger that fires after ours, or NULL */
static const Trigger *
later_trigger(const PoTrigger *trigger)
{
	const TriggerDesc *triggers = trigger->rel->trigdesc;

	for (int i = 0; i < triggers->numtriggers; i++)
		if (compare_with_ours(trigger, &triggers->triggers[i]) > 0 &&
			is_before_row(trigger, &triggers->triggers[i]))
			return &triggers->triggers[i];
	return NULL;
}

bool
po_is_last(const PoTrigger *trigger)
{
	return later_trigger(trigger) == NULL;
}

/* what our BEFORE trigger checked and computed must be what is stored */
void
po_check_last(const PoTrigger *trigger)
{
	const Trigger *later = trigger->before ? later_trigger(trigger) : NULL;

	if (later != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("trigger \"%s\" of \"%s\" would fire after \"%s\"",
						later->tgname, RelationGetRelationName(trigger->rel),
						PO_BEFORE_NAME),
				 errhint("Triggers fire in the order of their names: give it a name that comes before.")));
}

/* a row that the extension alone writes: nobody else's trigger may change it */
void
po_check_alone(const PoTrigger *trigger)
{
	const TriggerDesc *triggers = trigger->rel->trigdesc;

	for (int i = 0; i < triggers->numtriggers; i++)
	{
		const Trigger *other = &triggers->triggers[i];

		if (is_before_row(trigger, other) && compare_with_ours(trigger, other) != 0)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("trigger \"%s\" of \"%s\" would fire before a row is written",
							other->tgname, RelationGetRelationName(trigger->rel)),
					 errdetail("The rows of \"%s\" are po_mgmt's.", RelationGetRelationName(trigger->rel)),
					 errhint("Use an AFTER trigger.")));
	}
}

/* the row that the trigger is about: NEW, or OLD of a delete */
PoRow *
po_trigger_row(const PoTrigger *trigger)
{
	return trigger->new != NULL ? trigger->new : trigger->old;
}

Datum
po_trigger_result(const PoTrigger *trigger)
{
	return PointerGetDatum(po_row_tuple(po_trigger_row(trigger)));
}

/* ---- columns ---- */

static void
deform(PoRow *row)
{
	if (row->values != NULL)
		return;
	row->values = palloc(row->desc->natts * sizeof(Datum));
	row->nulls = palloc(row->desc->natts * sizeof(bool));
	heap_deform_tuple(row->tuple, row->desc, row->values, row->nulls);
}

Datum
po_column(PoRow *row, int attribute, bool *isnull)
{
	deform(row);
	*isnull = row->nulls[attribute - 1];
	return row->values[attribute - 1];
}

bool
po_is_null(PoRow *row, int attribute)
{
	deform(row);
	return row->nulls[attribute - 1];
}

text *
po_text(PoRow *row, int attribute)
{
	return po_is_null(row, attribute) ? NULL : DatumGetTextPP(row->values[attribute - 1]);
}

Numeric
po_numeric(PoRow *row, int attribute)
{
	return po_is_null(row, attribute) ? NULL : DatumGetNumeric(row->values[attribute - 1]);
}

/* of columns that are not null; 0 and false where they are */
int64
po_int64(PoRow *row, int attribute)
{
	return po_is_null(row, attribute) ? 0 : DatumGetInt64(row->values[attribute - 1]);
}

PoMonth
po_month_column(PoRow *row, int attribute)
{
	return po_is_null(row, attribute) ? 0 : DatumGetPoMonth(row->values[attribute - 1]);
}

bool
po_bool(PoRow *row, int attribute)
{
	return !po_is_null(row, attribute) && DatumGetBool(row->values[attribute - 1]);
}

/* what the po_*_from functions of row.h take */
void
po_columns(PoRow *row, const AttrNumber *attributes, int n, Datum *values, bool *nulls)
{
	for (int i = 0; i < n; i++)
		values[i] = po_column(row, attributes[i], &nulls[i]);
}

/* the row as a tuple, with what was set */
HeapTuple
po_row_tuple(PoRow *row)
{
	HeapTuple	tuple;

	if (!row->changed)
		return row->tuple;
	tuple = heap_form_tuple(row->desc, row->values, row->nulls);
	if (row->tuple != NULL)
	{
		tuple->t_data->t_ctid = row->tuple->t_data->t_ctid;
		tuple->t_self = row->tuple->t_self;
		tuple->t_tableOid = row->tuple->t_tableOid;
	}
	row->tuple = tuple;
	row->changed = false;
	return tuple;
}

static void
set_column(PoRow *row, int attribute, Datum value, bool isnull)
{
	deform(row);
	row->values[attribute - 1] = value;
	row->nulls[attribute - 1] = isnull;
	row->changed = true;
}

void
po_set(PoRow *row, int attribute, Datum value)
{
	set_column(row, attribute, value, false);
}

void
po_set_null(PoRow *row, int attribute)
{
	set_column(row, attribute, (Datum) 0, true);
}

/* null for NULL */
void
po_set_text(PoRow *row, int attribute, text *value)
{
	set_column(row, attribute, PointerGetDatum(value), value == NULL);
}

void
po_set_time(PoRow *row, int attribute, TimestampTz value)
{
	set_column(row, attribute, TimestampTzGetDatum(value), false);
}

bool
po_rows_differ(PoRow *a, PoRow *b, int attribute)
{
	Form_pg_attribute att = TupleDescAttr(a->desc, attribute - 1);
	bool		a_isnull;
	bool		b_isnull;
	Datum		a_value = po_column(a, attribute, &a_isnull);
	Datum		b_value = po_column(b, attribute, &b_isnull);

	if (a_isnull || b_isnull)
		return a_isnull != b_isnull;
	return !datum_image_eq(a_value, b_value, att->attbyval, att->attlen);
}

/* is the value another one, in an update? */
bool
po_changed(const PoTrigger *trigger, int attribute)
{
	return po_rows_differ(trigger->old, trigger->new, attribute);
}

bool
po_anything_changed(const PoTrigger *trigger)
{
	for (int attribute = 1; attribute <= trigger->desc->natts; attribute++)
	{
		Form_pg_attribute att = TupleDescAttr(trigger->desc, attribute - 1);

		/* generated columns are not computed yet */
		if (!att->attisdropped && !att->attgenerated && po_changed(trigger, attribute))
			return true;
	}
	return false;
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
	if (!trigger->is_insert || po_is_null(trigger->new, attribute))
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
	if (!po_is_null(trigger->new, attribute))
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
	if (po_is_null(trigger->new, attribute))
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
	int			place = po_text_control_character(value);

	if (nchars < 1 || nchars > PO_MAX_NUMBER_LENGTH)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("%s has %d characters", what, nchars),
				 errdetail("It begins with \"%s\".",
						   pnstrdup(data, pg_mbcharcliplen(data, len, 20))),
				 errhint("Give 1 to %d characters.", PO_MAX_NUMBER_LENGTH)));
	if (place >= 0)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("%s contains a control character", what),
				 errdetail("The byte at place %d is 0x%02x.", place + 1,
						   (unsigned char) data[place]),
				 errhint("Remove tabs, line ends and the like.")));
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
				 errdetail("It has %d bytes.", (int) VARSIZE_ANY_EXHDR(value)),
				 errhint("Give a code of ISO 4217, such as USD.")));
}

/* not negative, not NaN, not infinite; NULL passes */
void
po_check_money(Numeric value, const char *what)
{
	char	   *printed;

	if (value == NULL)
		return;
	printed = po_money_print(value);
	if (!po_money_is_finite(value) || po_money_sign(value) < 0)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("%s must not be %s", what, printed),
				 errdetail("Money is counted in finite numbers from 0 on."),
				 errhint("Give a number that is finite and not negative.")));
}

/* ---- writes that the books do not know of ---- */

/* replication, or a superuser who plays it: of our triggers only those fire that do always */
bool
po_is_replica(void)
{
	return SessionReplicationRole == SESSION_REPLICATION_ROLE_REPLICA;
}

static void
tell_of(const PoTrigger *trigger, text *account_id)
{
	PoIdentity	caller;

	if (account_id == NULL || po_is_distributed(trigger->schema))
		return;
	po_become_owner(trigger, &caller);
	if (!po_is_replica() || !po_account_is_written(trigger->schema, account_id))
		po_cache_distrust(trigger->schema);
	po_become(&caller);
}

/*
 * AFTER a row of history, or one that replication writes: what is kept in
 * memory of accounts is told by their rows, which are not written here.
 * (Replication mostly brings the account's row, too.)  Of tables that are
 * distributed nothing is kept, and who moves a shard replicates it to where
 * its accounts are not yet.
 */
void
po_tell_of_unbooked(const PoTrigger *trigger, int attribute)
{
	if (trigger->old != NULL)
		tell_of(trigger, po_text(trigger->old, attribute));
	if (trigger->new != NULL)
		tell_of(trigger, po_text(trigger->new, attribute));
}

/* ---- change log ---- */

static void
put_row(PoRow *row, Datum *value, char *null)
{
	*null = row == NULL ? 'n' : ' ';
	if (row != NULL)
		*value = heap_copy_tuple_as_datum(po_row_tuple(row), row->desc);
}

void
po_log_change(const PoTrigger *trigger, text *account_id, text *po_number,
			  int64 line_item_id, text *line_number,
			  TimestampTz changed_at, TimestampTz order_updated_at)
{
	Datum		args[] = {
		(Datum) 0,				/* its id */
		PointerGetDatum(account_id), PointerGetDatum(po_number),
		Int64GetDatum(line_item_id), PointerGetDatum(line_number),
		(Datum) 0, (Datum) 0,	/* the rows */
		TimestampTzGetDatum(changed_at), PointerGetDatum(po_user()),
		TimestampTzGetDatum(order_updated_at)
	};
	char		nulls[] = "          ";

	put_row(trigger->old, &args[5], &nulls[5]);
	put_row(trigger->new, &args[6], &nulls[6]);
	if (po_number == NULL)
		nulls[2] = 'n';
	if (line_item_id == 0)
		nulls[3] = nulls[4] = 'n';
	if (order_updated_at == 0)
		nulls[9] = 'n';
	po_write_change(trigger->schema, args, nulls);
}

/* ---- identity ---- */

void
po_become_owner(const PoTrigger *trigger, PoIdentity *before)
{
	po_become_role(trigger->rel->rd_rel->relowner, before);
}

/* may the caller see all rows of a table? for what messages tell */
bool
po_caller_may_read(const PoTrigger *trigger, PoTable table)
{
	Oid			relid = po_table_oid(trigger->schema, table);

	return pg_class_aclcheck(relid, trigger->caller, ACL_SELECT) == ACLCHECK_OK &&
		check_enable_rls(relid, trigger->caller, true) != RLS_ENABLED;
}
