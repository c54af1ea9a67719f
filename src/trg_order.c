/*
 * trg_order.c
 *		Triggers of po_order: what an order may be, and what may change.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "clock.h"
#include "limits.h"
#include "seller.h"
#include "statement.h"
#include "store.h"
#include "trigger.h"

#define MAX_TAGS	50

/* what the AFTER trigger does once a statement */
#define COUNT_ORDERS	'o'

/* ---- checks of the row itself, for history too ---- */

static void
check_word(const PoTrigger *trigger, int attribute, const char *what,
		   const char *first, const char *second)
{
	char	   *value = text_to_cstring(po_text(trigger->new, attribute));

	if (strcmp(value, first) != 0 && strcmp(value, second) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("%s \"%s\" is not known", what, value),
				 errhint("Give %s or %s.", first, second)));
}

static void
check_months(const PoTrigger *trigger)
{
	PoMonth		effective = po_month_column(trigger->new, Anum_order_effective_month);
	PoMonth		expiration = po_month_column(trigger->new, Anum_order_expiration_month);
	char		from[PO_MONTH_BUFSIZE];
	char		to[PO_MONTH_BUFSIZE];

	if (effective > expiration)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("purchase order \"%s\" expires before it takes effect",
						text_to_cstring(po_text(trigger->new, Anum_order_po_number))),
				 trigger->is_insert || po_caller_may_read(trigger, PO_ORDER) ?
				 errdetail("It takes effect in %s and expires in %s.",
						   po_month_format(effective, from),
						   po_month_format(expiration, to)) : 0,
				 errhint("Give an expiration month that is not before the effective month.")));
}

static void
check_tags(const PoTrigger *trigger)
{
	bool		isnull;
	Datum		value = po_column(trigger->new, Anum_order_tags, &isnull);
	Jsonb	   *tags;

	if (isnull)
		return;
	tags = DatumGetJsonbP(value);
	if (!JB_ROOT_IS_OBJECT(tags))
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("tags must be a JSON object"),
				 errhint("Give keys and values, such as {\"team\": \"data\"}.")));
	if (JB_ROOT_COUNT(tags) > MAX_TAGS)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("purchase order \"%s\" has %d tags",
						text_to_cstring(po_text(trigger->new, Anum_order_po_number)),
						(int) JB_ROOT_COUNT(tags)),
				 errhint("An order has at most %d tags.", MAX_TAGS)));
}

static void
check_row(const PoTrigger *trigger)
{
	po_require(trigger, Anum_order_account_id, "Give the payer's account id.");
	po_require(trigger, Anum_order_po_number, "Give the number that the order has in your books.");
	po_check_number(po_text(trigger->new, Anum_order_po_number), "purchase order number");
	po_require(trigger, Anum_order_bill_from, "Give the seller, such as AWS Inc.");
	po_require(trigger, Anum_order_status, "Leave it out for active.");
	check_word(trigger, Anum_order_status, "status", "active", "suspended");
	po_require(trigger, Anum_order_source, "Leave it out for user.");
	check_word(trigger, Anum_order_source, "source", "user", "marketplace");
	po_require(trigger, Anum_order_effective_month, "Give a month, such as 2026-01.");
	po_require(trigger, Anum_order_expiration_month, "Give a month, such as 2026-12; 9999-12 means no end.");
	po_require(trigger, Anum_order_currency, "Leave it out for the account's currency.");
	po_check_currency(po_text(trigger->new, Anum_order_currency));
	check_months(trigger);
	check_tags(trigger);
}

/* the row as the rules see it; its updated_at may not be set yet */
static void
order_from_row(PoOrder *order, PoRow *row)
{
	Datum		values[PO_ORDER_NCOLUMNS];
	bool		nulls[PO_ORDER_NCOLUMNS];

	po_columns(row, po_order_attributes, PO_ORDER_NCOLUMNS, values, nulls);
	po_order_from(order, values, nulls);
}

/* texts in the form that is stored: trimmed, upper case, the seller's own name */
static void
normalize(PoTrigger *trigger)
{
	po_set_text(trigger->new, Anum_order_po_number,
				po_text_trim(po_text(trigger->new, Anum_order_po_number)));
	po_set_text(trigger->new, Anum_order_currency,
				po_text_upper(po_text(trigger->new, Anum_order_currency)));
	po_set_text(trigger->new, Anum_order_bill_from,
				po_seller_name(trigger->schema, po_text(trigger->new, Anum_order_bill_from)));
}

/* ---- INSERT ---- */

/* the account's row, locked; made with its defaults where it is the first order */
static const PoAccount *
account_of(const PoTrigger *trigger)
{
	text	   *account_id = po_text(trigger->new, Anum_order_account_id);
	const PoAccount *account;

	account = po_statement_account(trigger->schema, account_id, PO_FOR_CONFIGURATION);
	if (account == NULL)
	{
		po_add_account(trigger->schema, account_id);
		account = po_statement_account(trigger->schema, account_id, PO_FOR_CONFIGURATION);
	}
	if (account == NULL)		/* only where it is hidden by the snapshot */
		ereport(ERROR,
				(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
				 errmsg("could not serialize access due to concurrent update"),
				 errhint("Repeat the transaction.")));
	return account;
}

/* reminders that were due until this day, in the account's time zone, are none */
static void
set_expiration_day(PoTrigger *trigger, TimestampTz stamp, const PoAccount *account)
{
	po_set(trigger->new, Anum_order_expiration_set_on,
		   DateADTGetDatum(po_clock_date(stamp, account->time_zone)));
}

static void
before_insert(PoTrigger *trigger)
{
	const PoAccount *account;
	TimestampTz stamp;
	PoIdentity	caller;

	if (po_is_history(trigger, Anum_order_created_at))
	{
		check_row(trigger);
		return;
	}
	po_refuse_given(trigger, Anum_order_updated_at);
	po_refuse_given(trigger, Anum_order_expiration_set_on);
	po_require(trigger, Anum_order_account_id, "Give the payer's account id.");
	po_check_number(po_text(trigger->new, Anum_order_account_id), "account id");

	po_check_policies(trigger, Anum_order_account_id);
	po_become_owner(trigger, &caller);
	account = account_of(trigger);
	normalize(trigger);
	if (po_is_null(trigger->new, Anum_order_currency))
		po_set_text(trigger->new, Anum_order_currency, account->currency);
	check_row(trigger);
	po_check_seller(trigger->schema, po_text(trigger->new, Anum_order_bill_from));
	po_become(&caller);

	stamp = Max(po_clock_stamp(), account->booked_at);
	po_set_time(trigger->new, Anum_order_created_at, stamp);
	po_set_time(trigger->new, Anum_order_updated_at, stamp);
	set_expiration_day(trigger, stamp, account);
	po_statement_seen(stamp, 0);
}

/* ---- UPDATE ---- */

static void
check_key_unchanged(const PoTrigger *trigger)
{
	if (po_changed(trigger, Anum_order_account_id) ||
		po_changed(trigger, Anum_order_po_number))
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("the number and the account of a purchase order never change"),
				 errdetail("Invoices have the number in print."),
				 errhint("Add an order with the other number.")));
}

/* seller and currency stay while invoices are associated */
static void
check_under_invoices(const PoTrigger *trigger)
{
	text	   *po_number = po_text(trigger->old, Anum_order_po_number);
	Datum		args[] = {
		PointerGetDatum(po_text(trigger->old, Anum_order_account_id)),
		PointerGetDatum(po_number)
	};

	if (!po_changed(trigger, Anum_order_bill_from) &&
		!po_changed(trigger, Anum_order_currency))
		return;
	if (po_exists(trigger->schema, PO_READ_ORDER_INVOICE, args))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("seller and currency of purchase order \"%s\" cannot change while invoices are associated with it",
						text_to_cstring(po_number)),
				 errhint("Release its invoices first, or add another order.")));
}

/* names the line items only to those who may see them */
static void
check_line_items_inside(const PoTrigger *trigger)
{
	text	   *po_number = po_text(trigger->new, Anum_order_po_number);
	PoMonth		effective = po_month_column(trigger->new, Anum_order_effective_month);
	PoMonth		expiration = po_month_column(trigger->new, Anum_order_expiration_month);
	Datum		args[] = {
		PointerGetDatum(po_text(trigger->new, Anum_order_account_id)),
		PointerGetDatum(po_number),
		PoMonthGetDatum(effective), PoMonthGetDatum(expiration)
	};
	char		from[PO_MONTH_BUFSIZE];
	char		to[PO_MONTH_BUFSIZE];
	char	   *outside;

	if (!po_changed(trigger, Anum_order_effective_month) &&
		!po_changed(trigger, Anum_order_expiration_month))
		return;
	outside = po_list(trigger->schema, PO_READ_OUTSIDE_PERIOD, args);
	if (outside == NULL)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_CHECK_VIOLATION),
			 po_caller_may_read(trigger, PO_ORDER) ?
			 errmsg("purchase order \"%s\" has line items outside %s to %s",
					text_to_cstring(po_number), po_month_format(effective, from),
					po_month_format(expiration, to)) :
			 errmsg("purchase order has line items outside its months"),
			 po_caller_may_read(trigger, PO_LINE_ITEM) ?
			 errdetail("Line items outside: %s.", outside) :
			 errdetail("Some of its line items start before or end after."),
			 errhint("Change the months of these line items first.")));
}

/* a new seller must bill the types of all line items */
static void
check_new_seller(const PoTrigger *trigger)
{
	text	   *bill_from = po_text(trigger->new, Anum_order_bill_from);
	PoOrder		order;
	PoReader   *reader;
	const PoLineItem *item;

	if (!po_changed(trigger, Anum_order_bill_from))
		return;
	po_check_seller(trigger->schema, bill_from);
	order_from_row(&order, trigger->old);
	po_see_newest();
	reader = po_reader_open(trigger->schema, true);
	po_line_items_begin(reader, po_text(trigger->new, Anum_order_account_id),
						&order, NULL, 0);
	while ((item = po_line_items_next(reader)) != NULL)
		po_check_seller_bills(trigger->schema, bill_from, item->line_type, true);
	po_reader_close(reader);
	PopActiveSnapshot();
}

static void
before_update(PoTrigger *trigger)
{
	const PoAccount *account;
	PoIdentity	caller;
	TimestampTz stamp;

	po_refuse_changed(trigger, Anum_order_created_at);
	po_refuse_changed(trigger, Anum_order_updated_at);
	po_refuse_changed(trigger, Anum_order_expiration_set_on);
	po_become_owner(trigger, &caller);
	normalize(trigger);
	check_key_unchanged(trigger);
	if (!po_anything_changed(trigger))
	{
		po_become(&caller);
		return;
	}
	check_row(trigger);
	account = account_of(trigger);
	check_under_invoices(trigger);
	check_line_items_inside(trigger);
	check_new_seller(trigger);
	po_become(&caller);

	stamp = Max(po_clock_stamp(), account->booked_at);
	if (!po_marketplace_is_writing())
		po_set_time(trigger->new, Anum_order_updated_at, stamp);
	if (po_changed(trigger, Anum_order_expiration_month))
		set_expiration_day(trigger, stamp, account);
}

/* ---- DELETE, and AFTER ---- */

/* the foreign keys delete what is on the order, as the tables' owner */
static void
before_delete(PoTrigger *trigger)
{
	PoIdentity	caller;

	po_check_triggers(trigger->schema, PO_LINE_ITEM);
	po_check_triggers(trigger->schema, PO_CONTACT);
	po_check_triggers(trigger->schema, PO_NOTIFICATION);
	po_become_owner(trigger, &caller);
	po_statement_account(trigger->schema, po_text(trigger->old, Anum_order_account_id),
					 PO_FOR_CONFIGURATION);
	po_become(&caller);
}

/* an active order that is new, or one that becomes active; not history */
static bool
counts(PoTrigger *trigger, const PoAccount *account)
{
	PoOrder		order;

	order_from_row(&order, trigger->new);
	if (!po_order_is_active(&order, account))
		return false;
	if (trigger->is_insert)
		return true;
	order_from_row(&order, trigger->old);
	return !po_order_is_active(&order, account);
}

static void
log_change(PoTrigger *trigger)
{
	PoRow	   *row = po_trigger_row(trigger);
	text	   *account_id = po_text(row, Anum_order_account_id);

	po_log_change(trigger, account_id, po_text(row, Anum_order_po_number), 0, NULL,
				  po_statement_time(trigger->schema, account_id, PO_FOR_CONFIGURATION),
				  trigger->is_insert ? 0 : po_int64(trigger->old, Anum_order_updated_at));
}

/* counts what is in the table, whatever became of other rows of the statement */
static void
after(PoTrigger *trigger)
{
	text	   *account_id = po_text(po_trigger_row(trigger), Anum_order_account_id);
	PoIdentity	caller;

	/* history means nothing more than itself */
	if (po_is_replica() ||
		(trigger->is_insert &&
		 !po_statement_was_seen(po_int64(trigger->new, Anum_order_created_at), 0)))
	{
		po_tell_of_unbooked(trigger, Anum_order_account_id);
		return;
	}
	if (trigger->is_update && !po_anything_changed(trigger))
		return;
	po_become_owner(trigger, &caller);
	log_change(trigger);
	if (!trigger->is_delete && counts(trigger, account_of(trigger)) &&
		po_statement_first(COUNT_ORDERS, account_id, NULL))
		po_limit_active_orders(trigger->schema, account_id);
	po_become(&caller);
}

/* BEFORE and AFTER INSERT OR UPDATE OR DELETE */
PG_FUNCTION_INFO_V1(po_order_trigger);
Datum
po_order_trigger(PG_FUNCTION_ARGS)
{
	PoTrigger	trigger;

	po_trigger_init(&trigger, fcinfo);
	po_check_last(&trigger);
	/* the store moves updated_at for an edit of a line item */
	if (trigger.is_update && po_store_is_writing())
		return po_trigger_result(&trigger);
	if (!trigger.before)
		after(&trigger);
	else if (trigger.is_insert)
		before_insert(&trigger);
	else if (trigger.is_update)
		before_update(&trigger);
	else
		before_delete(&trigger);
	return po_trigger_result(&trigger);
}
