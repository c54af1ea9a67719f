/*
 * trg_reference.c
 *		Triggers of the tables without rules of their own: seeds, what is only
 *		appended to, what only gets a time, and statements as a whole.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/sysattr.h"
#include "executor/spi.h"
#include "utils/acl.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/relcache.h"

#include "clock.h"
#include "flight.h"
#include "limits.h"
#include "seller.h"
#include "trigger.h"

static int
column_number(const PoTrigger *trigger, const char *name)
{
	int			number = SPI_fnumber(trigger->desc, name);

	if (number <= 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_COLUMN),
				 errmsg("column \"%s\" of \"%s\" does not exist", name,
						RelationGetRelationName(trigger->rel))));
	return number;
}

static void
refuse(const PoTrigger *trigger, int sqlstate, const char *what, const char *hint)
{
	ereport(ERROR,
			(errcode(sqlstate),
			 errmsg("%s on \"%s\" is not allowed", what,
					RelationGetRelationName(trigger->rel)),
			 errhint("%s", hint)));
}

/* not null, and another value than before? */
static bool
is_new(const PoTrigger *trigger, int attribute)
{
	return !po_is_null(trigger->new, attribute) &&
		(trigger->is_insert || po_changed(trigger, attribute));
}

/* ---- seeds ---- */

static bool
is_seed(PoRow *row, const PoTrigger *trigger)
{
	return po_bool(row, column_number(trigger, "seeded"));
}

static bool
key_changed(const PoTrigger *trigger)
{
	Bitmapset  *key = RelationGetIndexAttrBitmap(trigger->rel, INDEX_ATTR_BITMAP_PRIMARY_KEY);
	int			member = -1;

	while ((member = bms_next_member(key, member)) >= 0)
		if (po_changed(trigger, member + FirstLowInvalidHeapAttributeNumber))
			return true;
	return false;
}

/* the owner's insert of a seed that is there, as a restore does */
static bool
update_seed(const PoTrigger *trigger)
{
	if (!has_privs_of_role(GetUserId(), trigger->rel->rd_rel->relowner))
		return false;
	return po_update_seed(trigger->rel, po_row_tuple(trigger->new));
}

/* an alias must not be a seller's name, or it would hide that seller */
static void
check_seller_name(const PoTrigger *trigger)
{
	PoTable		table = po_which_table(trigger->schema, trigger->rel);
	bool		is_alias = table == PO_SELLER_ALIAS;
	text	   *name = po_text(trigger->new, 1);
	Datum		arg = PointerGetDatum(name);
	PoIdentity	caller;
	bool		clash;

	if ((!is_alias && table != PO_SELLER) || name == NULL)
		return;
	po_become_owner(trigger, &caller);
	clash = po_exists(trigger->schema,
					  is_alias ? PO_READ_SELLER_ENABLED : PO_READ_ALIAS, &arg);
	po_become(&caller);
	if (clash)
		ereport(ERROR,
				(errcode(ERRCODE_UNIQUE_VIOLATION),
				 errmsg("\"%s\" is the name of %s", text_to_cstring(name),
						is_alias ? "a seller" : "an alias of another seller"),
				 errhint("A name stands for one seller: choose another, or delete the other row first.")));
}

/* a seller and a type that the row refers to must be there */
static void
check_references(PoTrigger *trigger)
{
	PoTable		table = po_which_table(trigger->schema, trigger->rel);
	bool		is_line_type = table == PO_SELLER_LINE_TYPE;
	int			seller_column;
	PoIdentity	caller;

	if (is_line_type)
		seller_column = Anum_bills_bill_from;
	else if (table == PO_SELLER_ALIAS)
		seller_column = Anum_alias_bill_from;
	else
		return;
	po_become_owner(trigger, &caller);
	if (is_new(trigger, seller_column))
		po_require_seller(trigger->schema, po_text(trigger->new, seller_column));
	if (is_line_type && is_new(trigger, Anum_bills_line_type))
		po_require_type(trigger->schema,
						po_text(trigger->new, Anum_bills_line_type));
	po_become(&caller);
}

/*
 * po_seller, po_seller_alias, po_taxonomy, po_seller_line_type.  BEFORE INSERT
 * OR UPDATE OR DELETE.
 */
PG_FUNCTION_INFO_V1(po_seed_trigger);
Datum
po_seed_trigger(PG_FUNCTION_ARGS)
{
	PoTrigger	trigger;
	int			created_at;
	bool		is_history;

	po_trigger_init(&trigger, fcinfo);
	po_statement_forget_accounts();	/* and what was read of sellers and types */
	if (po_store_is_writing())	/* the update of a seed by a restore */
		return po_trigger_result(&trigger);
	created_at = column_number(&trigger, "created_at");
	if (trigger.is_delete)
	{
		if (is_seed(trigger.old, &trigger))
			refuse(&trigger, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
				   "deleting a seed row", "Set enabled = false instead: a restore would bring the row back.");
		return po_trigger_result(&trigger);
	}
	if (trigger.is_update)
	{
		if (is_seed(trigger.old, &trigger) &&
			(key_changed(&trigger) || po_changed(&trigger, column_number(&trigger, "seeded"))))
			refuse(&trigger, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
				   "changing the key of a seed row", "Set enabled = false, and add a row of your own.");
		po_refuse_changed(&trigger, created_at);
		if (po_changed(&trigger, 1))
			check_seller_name(&trigger);
		check_references(&trigger);
		return po_trigger_result(&trigger);
	}
	is_history = po_is_history(&trigger, created_at);
	if (!is_history)
		check_references(&trigger);
	if (update_seed(&trigger))
		return PointerGetDatum(NULL);
	if (!is_history)
	{
		check_seller_name(&trigger);
		po_set_time(trigger.new, created_at, po_clock_stamp());
	}
	return po_trigger_result(&trigger);
}

/* ---- append-only tables ---- */

/* po_ledger, po_change_log.  BEFORE INSERT OR UPDATE OR DELETE. */
PG_FUNCTION_INFO_V1(po_append_only_trigger);
Datum
po_append_only_trigger(PG_FUNCTION_ARGS)
{
	PoTrigger	trigger;
	const char *system_column;

	po_trigger_init(&trigger, fcinfo);
	if (po_store_is_writing())
	{
		po_check_alone(&trigger);
		return po_trigger_result(&trigger);
	}
	if (!trigger.is_insert)
		refuse(&trigger, ERRCODE_INSUFFICIENT_PRIVILEGE,
			   trigger.is_update ? "UPDATE" : "DELETE",
			   "The table is append-only and is written by po_mgmt.");
	system_column = ((TriggerData *) fcinfo->context)->tg_trigger->tgargs[0];
	if (!po_is_history(&trigger, column_number(&trigger, system_column)))
		refuse(&trigger, ERRCODE_INSUFFICIENT_PRIVILEGE, "INSERT",
			   "The table is append-only and is written by po_mgmt.");
	return po_trigger_result(&trigger);
}

/* ---- tables that only need their system column ---- */

/* a payer belongs to nobody, so that one look says who pays */
static void
check_one_step(Oid schema, text *member, text *payer)
{
	Datum		args[] = {PointerGetDatum(member), PointerGetDatum(payer)};
	bool		is_payer = po_exists(schema, PO_READ_MEMBER, &args[0]);

	if (is_payer || po_exists(schema, PO_READ_PAYER, &args[1]))
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("account \"%s\" cannot belong to account \"%s\"",
						text_to_cstring(member), text_to_cstring(payer)),
				 is_payer ? errdetail("It is the payer of other accounts.") :
				 errdetail("That account belongs to a payer itself."),
				 errhint("Link the accounts to the payer that pays in the end.")));
}

/* the payer of a member must be there; is_new() is false for a null, which NOT NULL refuses */
static void
check_payer(PoTrigger *trigger)
{
	text	   *account_id;
	Datum		arg;

	if (!is_new(trigger, Anum_member_account_id))
		return;
	account_id = po_text(trigger->new, Anum_member_account_id);
	arg = PointerGetDatum(account_id);
	if (!po_exists(trigger->schema, PO_KEEP_ACCOUNT, &arg))
		ereport(ERROR,
				(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
				 errmsg("account \"%s\" is not known", text_to_cstring(account_id)),
				 errdetail("A linked account belongs to a payer that is a row of po_account."),
				 errhint("Add the account first, or its first order.")));
	if (!po_is_null(trigger->new, Anum_member_member_account_id))
		check_one_step(trigger->schema,
					   po_text(trigger->new, Anum_member_member_account_id), account_id);
	po_statement_forget_memory();	/* of who pays for whom */
}

static void
check_notified_order(PoTrigger *trigger)
{
	text	   *account_id = po_text(trigger->new, Anum_notification_account_id);
	text	   *po_number = po_text(trigger->new, Anum_notification_po_number);
	Datum		args[] = {PointerGetDatum(account_id), PointerGetDatum(po_number)};

	if ((is_new(trigger, Anum_notification_account_id) ||
		 is_new(trigger, Anum_notification_po_number)) &&
		account_id != NULL && po_number != NULL &&
		!po_exists(trigger->schema, PO_KEEP_ORDER, args))
		po_report_no_order(account_id, po_number);
}

/* po_account_member, po_notification.  BEFORE INSERT OR UPDATE. */
PG_FUNCTION_INFO_V1(po_stamp_trigger);
Datum
po_stamp_trigger(PG_FUNCTION_ARGS)
{
	PoTrigger	trigger;
	PoIdentity	caller;
	int			column;

	po_trigger_init(&trigger, fcinfo);
	column = column_number(&trigger, "created_at");
	if (trigger.is_update)
		po_refuse_changed(&trigger, column);
	else if (po_is_history(&trigger, column))
		return po_trigger_result(&trigger);
	else
	{
		po_set_time(trigger.new, column, po_clock_stamp());
		po_check_policies(&trigger, column_number(&trigger, "account_id"));
	}
	po_become_owner(&trigger, &caller);
	if (po_which_table(trigger.schema, trigger.rel) == PO_NOTIFICATION)
		check_notified_order(&trigger);
	else
		check_payer(&trigger);
	po_become(&caller);
	return po_trigger_result(&trigger);
}

/* ---- statements ---- */

/* BEFORE TRUNCATE of what the books rest on */
PG_FUNCTION_INFO_V1(po_truncate_trigger);
Datum
po_truncate_trigger(PG_FUNCTION_ARGS)
{
	PoTrigger	trigger;

	po_trigger_init(&trigger, fcinfo);
	refuse(&trigger, ERRCODE_FEATURE_NOT_SUPPORTED, "TRUNCATE",
		   "Use DELETE, which keeps balances and ledger true.");
	return PointerGetDatum(NULL);
}

/*
 * BEFORE a statement on accounts, orders or line items: what an outer
 * statement has booked so far is written first, while the rows that this one
 * is about to change are still free.
 */
PG_FUNCTION_INFO_V1(po_statement_trigger);
Datum
po_statement_trigger(PG_FUNCTION_ARGS)
{
	PoTrigger	trigger;
	PoIdentity	caller;

	po_trigger_init(&trigger, fcinfo);
	if (po_store_is_writing())
		return PointerGetDatum(NULL);
	po_become_owner(&trigger, &caller);
	po_flight_close(trigger.schema);
	po_become(&caller);
	return PointerGetDatum(NULL);
}
