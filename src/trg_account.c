/*
 * trg_account.c
 *		Triggers of po_account: what an account may be.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "pgtime.h"
#include "utils/array.h"
#include "utils/builtins.h"

#include "clock.h"
#include "statement.h"
#include "trigger.h"

static void
check_time_zone(const PoTrigger *trigger)
{
	text	   *name = po_text(trigger->new, Anum_account_time_zone);
	pg_tz	   *zone = name ? pg_tzset(text_to_cstring(name)) : NULL;

	if (zone == NULL || !pg_tz_acceptable(zone))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("time zone \"%s\" is not known",
						name ? text_to_cstring(name) : ""),
				 errhint("Give a name from pg_timezone_names, such as Europe/Luxembourg.")));
}

/* shares of the total value, from 0 (reached zero) to 1 */
static void
check_thresholds(const PoTrigger *trigger)
{
	bool		isnull;
	Datum		value = po_column(trigger->new, Anum_account_alert_thresholds, &isnull);
	Numeric		one = int64_to_numeric(1);
	Datum	   *elements;
	bool	   *nulls;
	int			n;

	if (isnull)
		return;
	deconstruct_array(DatumGetArrayTypeP(value), NUMERICOID, -1, false,
					  TYPALIGN_INT, &elements, &nulls, &n);
	for (int i = 0; i < n; i++)
	{
		if (nulls[i] ||
			po_money_sign(DatumGetNumeric(elements[i])) < 0 ||
			po_money_compare(DatumGetNumeric(elements[i]), one) > 0)
			ereport(ERROR,
					(errcode(ERRCODE_CHECK_VIOLATION),
					 errmsg("alert threshold %s is not a share from 0 to 1",
							nulls[i] ? "null" :
							po_money_print(DatumGetNumeric(elements[i]))),
					 errhint("0.75 notifies when three quarters of the total value are left, 0 when nothing is left.")));
	}
}

static void
check_basis(const PoTrigger *trigger)
{
	text	   *value = po_text(trigger->new, Anum_account_period_basis);
	char	   *basis = value ? text_to_cstring(value) : "";

	if (strcmp(basis, "billing_period") != 0 && strcmp(basis, "issue_date") != 0 &&
		strcmp(basis, "status_on_issue") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("period basis \"%s\" is not known", basis),
				 errhint("Give billing_period, issue_date or status_on_issue.")));
}

static void
check_limits(const PoTrigger *trigger)
{
	static const struct
	{
		int			attribute;
		const char *name;
	}			limits[] = {
		{Anum_account_max_active_orders, "max_active_orders"},
		{Anum_account_max_line_items, "max_line_items"},
		{Anum_account_max_contacts, "max_contacts"}
	};

	for (size_t i = 0; i < lengthof(limits); i++)
	{
		bool		isnull;
		int32		limit = DatumGetInt32(po_column(trigger->new, limits[i].attribute, &isnull));

		if (!isnull && limit < 0)
			ereport(ERROR,
					(errcode(ERRCODE_CHECK_VIOLATION),
					 errmsg("%s must not be negative, such as %d", limits[i].name, limit),
					 errhint("Give 0 or more.")));
	}
}

static void
check_row(PoTrigger *trigger)
{
	po_require(trigger, Anum_account_account_id, "Give the payer's account id.");
	po_check_number(po_text(trigger->new, Anum_account_account_id), "account id");
	po_require(trigger, Anum_account_currency, "Give a code of ISO 4217, such as USD.");
	po_check_currency(po_text(trigger->new, Anum_account_currency));
	po_require(trigger, Anum_account_period_basis, "Leave it out for billing_period.");
	po_require(trigger, Anum_account_time_zone, "Leave it out for UTC.");
	po_require(trigger, Anum_account_max_active_orders, "Leave it out for 100.");
	po_require(trigger, Anum_account_max_line_items, "Leave it out for 100.");
	po_require(trigger, Anum_account_max_contacts, "Leave it out for 10.");
	po_require(trigger, Anum_account_alert_thresholds, "Leave it out for {0.75}, or give {}.");
	po_require(trigger, Anum_account_marketplace_integration, "Leave it out for true.");
	check_basis(trigger);
	check_time_zone(trigger);
	check_limits(trigger);
	check_thresholds(trigger);
}

static void
before_insert(PoTrigger *trigger)
{
	TimestampTz stamp = po_clock_stamp();

	if (po_is_history(trigger, Anum_account_created_at))
	{
		check_row(trigger);
		return;
	}
	po_refuse_given(trigger, Anum_account_booked_at);
	po_set_text(trigger->new, Anum_account_currency,
				po_text_upper(po_text(trigger->new, Anum_account_currency)));
	check_row(trigger);
	po_set_time(trigger->new, Anum_account_created_at, stamp);
	po_set_time(trigger->new, Anum_account_booked_at, stamp);
}

/*
 * Here, since no trigger fires after this one, and the row is locked: a trigger
 * AFTER UPDATE would be called for every booking, which writes booked_at.
 */
static void
log_change(PoTrigger *trigger, TimestampTz changed_at)
{
	PoIdentity	caller;

	po_become_owner(trigger, &caller);
	po_log_change(trigger, po_text(trigger->new, Anum_account_account_id),
				  NULL, 0, NULL, changed_at, 0);
	po_become(&caller);
}

/* a change of the account is a change of its configuration, under its lock */
static void
before_update(PoTrigger *trigger)
{
	bool		isnull;
	bool		changed;
	TimestampTz booked_at;

	if (po_changed(trigger, Anum_account_account_id))
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("the id of an account never changes"),
				 errhint("Add a new account.")));
	po_refuse_changed(trigger, Anum_account_created_at);
	po_refuse_changed(trigger, Anum_account_booked_at);
	po_set_text(trigger->new, Anum_account_currency,
				po_text_upper(po_text(trigger->new, Anum_account_currency)));
	check_row(trigger);
	changed = po_anything_changed(trigger);
	booked_at = DatumGetTimestampTz(po_column(trigger->old, Anum_account_booked_at, &isnull));
	booked_at = Max(po_clock_stamp(), booked_at + 1);
	po_set_time(trigger->new, Anum_account_booked_at, booked_at);
	if (changed)
		log_change(trigger, booked_at);
}

/* the foreign keys keep an account that has orders; this one that has books */
static void
before_delete(PoTrigger *trigger)
{
	Datum		arg = PointerGetDatum(po_text(trigger->old, Anum_account_account_id));
	PoIdentity	caller;
	bool		has_books;

	po_become_owner(trigger, &caller);
	has_books = po_exists(trigger->schema, PO_READ_ACCOUNT_ENTRY, &arg);
	po_become(&caller);
	if (has_books)
		ereport(ERROR,
				(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
				 errmsg("account \"%s\" has entries in the ledger",
						TextDatumGetCString(arg)),
				 errhint("An account that was booked on is kept.")));
}

/* BEFORE INSERT OR UPDATE OR DELETE */
PG_FUNCTION_INFO_V1(po_account_trigger);
Datum
po_account_trigger(PG_FUNCTION_ARGS)
{
	PoTrigger	trigger;

	po_trigger_init(&trigger, fcinfo);
	po_check_last(&trigger);
	if (po_store_is_writing() && trigger.is_update)
	{
		po_check_written(po_int64(trigger.new, Anum_account_booked_at) >
						 po_int64(trigger.old, Anum_account_booked_at), "po_account");
		return po_trigger_result(&trigger);
	}
	if (trigger.is_insert)
		before_insert(&trigger);
	else if (trigger.is_update)
		before_update(&trigger);
	else
		before_delete(&trigger);
	po_statement_forget_accounts();
	return po_trigger_result(&trigger);
}
