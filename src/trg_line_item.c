/*
 * trg_line_item.c
 *		Triggers of po_line_item: what a line item may be, and what an edit
 *		does to its balance, its ledger and its order.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "clock.h"
#include "flight.h"
#include "limits.h"
#include "notify.h"
#include "seller.h"
#include "trigger.h"

/* what the AFTER trigger does once a statement */
#define TOUCH_ORDER			't'
#define COUNT_LINE_ITEMS	'l'

/* ---- values ---- */

static bool
tracked(PoRow *row)
{
	return po_bool(row, Anum_line_item_balance_tracked);
}

/*
 * total_value - consumed_before of a row.  The generated column is not there
 * yet in a BEFORE trigger, so this repeats its expression.
 */
static Numeric
net_value(PoRow *row)
{
	Numeric		tax = po_numeric(row, Anum_line_item_tax);
	text	   *tax_kind = po_text(row, Anum_line_item_tax_kind);
	Numeric		total = po_money_multiply(po_numeric(row, Anum_line_item_amount),
										  po_numeric(row, Anum_line_item_quantity));

	if (strcmp(text_to_cstring(tax_kind), "percent") == 0)
	{
		Numeric		hundredth = DatumGetNumeric(
			DirectFunctionCall3(numeric_in, CStringGetDatum("0.01"),
								ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
		Numeric		factor = po_money_add(int64_to_numeric(1),
										  po_money_multiply(tax, hundredth));

		total = po_money_multiply(total, factor);
	}
	else
		total = po_money_add(total, tax);
	return po_money_subtract(total, po_numeric(row, Anum_line_item_consumed_before));
}

/* ---- checks of the row itself, for history too ---- */

static void
check_tax_kind(const PoTrigger *trigger)
{
	char	   *kind = text_to_cstring(po_text(trigger->new, Anum_line_item_tax_kind));

	if (strcmp(kind, "absolute") != 0 && strcmp(kind, "percent") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("tax kind \"%s\" is not known", kind),
				 errhint("Give absolute or percent.")));
}

static void
check_months(const PoTrigger *trigger)
{
	PoMonth		start = po_month_column(trigger->new, Anum_line_item_start_month);
	PoMonth		end = po_month_column(trigger->new, Anum_line_item_end_month);
	char		from[PO_MONTH_BUFSIZE];
	char		to[PO_MONTH_BUFSIZE];

	if (start > end)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("line item \"%s\" ends before it starts",
						text_to_cstring(po_text(trigger->new, Anum_line_item_line_number))),
				 trigger->is_insert || po_caller_may_read(trigger, PO_LINE_ITEM) ?
				 errdetail("It starts in %s and ends in %s.",
						   po_month_format(start, from), po_month_format(end, to)) : 0,
				 errhint("Give an end month that is not before the start month.")));
}

static void
check_row(const PoTrigger *trigger)
{
	po_require(trigger, Anum_line_item_account_id, "Give the order's account id.");
	po_require(trigger, Anum_line_item_po_number, "Give the order's number.");
	po_require(trigger, Anum_line_item_line_number, "Give a number, such as 1.");
	po_require(trigger, Anum_line_item_line_type, "Give a type of charge, such as usage, or all.");
	po_require(trigger, Anum_line_item_start_month, "Give a month, such as 2026-01.");
	po_require(trigger, Anum_line_item_end_month, "Give a month, such as 2026-12; 9999-12 means no end.");
	po_require(trigger, Anum_line_item_amount, "Give the unit price; 0 where there is none.");
	po_require(trigger, Anum_line_item_quantity, "Leave it out for 1.");
	po_require(trigger, Anum_line_item_tax, "Leave it out for 0.");
	po_require(trigger, Anum_line_item_tax_kind, "Leave it out for absolute.");
	po_require(trigger, Anum_line_item_consumed_before, "Leave it out for 0.");
	po_require(trigger, Anum_line_item_balance_tracked, "Leave it out for false.");
	po_check_number(po_text(trigger->new, Anum_line_item_line_number), "line number");
	check_months(trigger);
	po_check_money(po_numeric(trigger->new, Anum_line_item_amount), "amount");
	po_check_money(po_numeric(trigger->new, Anum_line_item_quantity), "quantity");
	po_check_money(po_numeric(trigger->new, Anum_line_item_tax), "tax");
	po_check_money(po_numeric(trigger->new, Anum_line_item_consumed_before), "consumed_before");
	check_tax_kind(trigger);
	if (trigger->is_insert && !po_is_null(trigger->new, Anum_line_item_created_at) &&
		tracked(trigger->new) == po_is_null(trigger->new, Anum_line_item_balance))
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("line item \"%s\" has a balance exactly where it is not tracked",
						text_to_cstring(po_text(trigger->new, Anum_line_item_line_number))),
				 errdetail("balance_tracked and balance go together."),
				 errhint("Give the row as it was dumped.")));
}

/* ---- checks against the order, for users' rows ---- */

static void
check_period(const PoTrigger *trigger, const PoOrder *order)
{
	PoMonth		start = po_month_column(trigger->new, Anum_line_item_start_month);
	PoMonth		end = po_month_column(trigger->new, Anum_line_item_end_month);
	char		from[PO_MONTH_BUFSIZE];
	char		to[PO_MONTH_BUFSIZE];
	char		effective[PO_MONTH_BUFSIZE];
	char		expiration[PO_MONTH_BUFSIZE];

	if (start < order->effective_month || end > order->expiration_month)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("the period of line item \"%s\" is outside that of its order \"%s\"",
						text_to_cstring(po_text(trigger->new, Anum_line_item_line_number)),
						text_to_cstring(order->po_number)),
				 po_caller_may_read(trigger, PO_ORDER) ?
				 errdetail("The line item is for %s to %s, the order for %s to %s.",
						   po_month_format(start, from), po_month_format(end, to),
						   po_month_format(order->effective_month, effective),
						   po_month_format(order->expiration_month, expiration)) :
				 errdetail("Both months must be within those of the order."),
				 errhint("Change the line item's months, or extend the order first.")));
}

/* marketplace.transaction and what is below it never track a balance */
static void
check_tracking(const PoTrigger *trigger)
{
	static const char transaction[] = "marketplace.transaction";
	text	   *type = po_text(trigger->new, Anum_line_item_line_type);

	if (tracked(trigger->new) &&
		po_line_type_covers(transaction, sizeof(transaction) - 1,
							VARDATA_ANY(type), VARSIZE_ANY_EXHDR(type)))
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("the balance of a line item of type \"%s\" cannot be tracked",
						text_to_cstring(type)),
				 errhint("Leave balance_tracked out, or use another type.")));
}

/* the seller and the taxonomy are asked only where the type is a new one */
static void
check_against_order(const PoTrigger *trigger, bool new_type)
{
	text	   *account_id = po_text(trigger->new, Anum_line_item_account_id);
	text	   *po_number = po_text(trigger->new, Anum_line_item_po_number);
	PoLineType *type = po_text(trigger->new, Anum_line_item_line_type);
	PoOrder		order;

	if (po_statement_account(trigger->schema, account_id, PO_FOR_CONFIGURATION) == NULL ||
		!po_newest_order(trigger->schema, account_id, po_number, &order))
		po_report_no_order(account_id, po_number);
	check_period(trigger, &order);
	check_tracking(trigger);
	if (new_type)
	{
		po_check_type(trigger->schema, type);
		po_check_seller_bills(trigger->schema, order.bill_from, type,
							  po_caller_may_read(trigger, PO_ORDER));
	}
}

/* ---- ledger entries ---- */

static void
make_entry(const PoTrigger *trigger, const char *kind, Numeric amount,
		   Numeric balance_after, const char *note, PoEntry *entry)
{
	PoRow	   *row = po_trigger_row(trigger);

	memset(entry, 0, sizeof(*entry));
	entry->account_id = po_text(row, Anum_line_item_account_id);
	entry->line_item_id = po_int64(row, Anum_line_item_line_item_id);
	entry->po_number = po_text(row, Anum_line_item_po_number);
	entry->line_number = po_text(row, Anum_line_item_line_number);
	entry->kind = kind;
	entry->amount = amount;
	entry->balance_after = balance_after;
	entry->recorded_at = po_statement_time(trigger->schema, entry->account_id,
										   PO_FOR_CONFIGURATION);
	entry->recorded_by = po_user();
	entry->note = note ? cstring_to_text(note) : NULL;
}

static void
write_entry(const PoTrigger *trigger, const char *kind, Numeric amount,
			Numeric balance_after, const char *note)
{
	PoEntry		entry;

	make_entry(trigger, kind, amount, balance_after, note, &entry);
	po_write_ledger(trigger->schema, &entry, 1);
}

/*
 * What an update means for the ledger: the entries of a line item add up to
 * its balance, whenever it is tracked.  Written with all others of the
 * statement at its first AFTER ROW event.
 */
static void
add_edit(const PoTrigger *trigger)
{
	bool		was_tracked = tracked(trigger->old);
	bool		is_tracked = tracked(trigger->new);
	Numeric		balance = po_numeric(trigger->new, Anum_line_item_balance);
	PoEntry		entry;
	bool		isnull;

	if (was_tracked && is_tracked)
	{
		Numeric		change = po_money_subtract(balance,
												   po_numeric(trigger->old, Anum_line_item_balance));

		if (po_money_sign(change) == 0)
			return;
		make_entry(trigger, "edited", change, NULL, NULL, &entry);
	}
	else if (is_tracked)
	{
		Datum		args[] = {
			PointerGetDatum(po_text(trigger->new, Anum_line_item_account_id)),
			po_column(trigger->new, Anum_line_item_line_item_id, &isnull)
		};

		make_entry(trigger, "tracking",
				   po_money_subtract(balance,
									 po_sum(trigger->schema, PO_READ_LEDGER_SUM, args)),
				   NULL, "tracking switched on", &entry);
	}
	else if (was_tracked)
		make_entry(trigger, "tracking", int64_to_numeric(0), NULL,
				   "tracking switched off", &entry);
	else
		return;
	po_flight_add_edit(&entry, is_tracked);
}

/* ---- BEFORE ---- */

static void
before_insert(PoTrigger *trigger)
{
	TimestampTz stamp = po_clock_stamp();
	PoIdentity	caller;
	int64		id;

	if (po_is_history(trigger, Anum_line_item_created_at))
	{
		check_row(trigger);
		return;
	}
	po_refuse_given(trigger, Anum_line_item_line_item_id);
	po_refuse_given(trigger, Anum_line_item_balance);
	po_refuse_given(trigger, Anum_line_item_updated_at);
	po_refuse_given(trigger, Anum_line_item_agreement_moved_to);
	po_set_text(trigger->new, Anum_line_item_po_number,
				po_text_trim(po_text(trigger->new, Anum_line_item_po_number)));
	po_set_text(trigger->new, Anum_line_item_line_number,
				po_text_trim(po_text(trigger->new, Anum_line_item_line_number)));
	check_row(trigger);

	po_check_policies(trigger, Anum_line_item_account_id);
	po_become_owner(trigger, &caller);
	check_against_order(trigger, true);
	id = po_next_id(trigger->schema, "po_line_item_id_seq");
	po_become(&caller);

	po_set(trigger->new, Anum_line_item_line_item_id, Int64GetDatum(id));
	po_set_time(trigger->new, Anum_line_item_created_at, stamp);
	po_set_time(trigger->new, Anum_line_item_updated_at, stamp);
	if (tracked(trigger->new))
		po_set(trigger->new, Anum_line_item_balance,
			   NumericGetDatum(net_value(trigger->new)));
	po_statement_seen(stamp, 0);
}

/* invoices have the number in print */
static void
check_number_unused(const PoTrigger *trigger)
{
	bool		isnull;
	Datum		args[] = {
		PointerGetDatum(po_text(trigger->old, Anum_line_item_account_id)),
		PointerGetDatum(po_text(trigger->old, Anum_line_item_po_number)),
		po_column(trigger->old, Anum_line_item_line_item_id, &isnull)
	};

	if (po_exists(trigger->schema, PO_READ_LINE_ITEM_INVOICE, args))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the number of line item \"%s\" cannot change while invoices are associated with it",
						text_to_cstring(po_text(trigger->old, Anum_line_item_line_number))),
				 errhint("Release its invoices first, or add another line item.")));
}

/* tracking is switched on: what the invoices have left */
static Numeric
computed_balance(const PoTrigger *trigger)
{
	bool		isnull;
	Datum		args[] = {
		PointerGetDatum(po_text(trigger->new, Anum_line_item_account_id)),
		PointerGetDatum(po_text(trigger->new, Anum_line_item_po_number)),
		po_column(trigger->new, Anum_line_item_line_item_id, &isnull)
	};

	return po_money_subtract(net_value(trigger->new),
							 po_sum(trigger->schema, PO_READ_ASSOCIATED_SUM, args));
}

/* the account is locked, so OLD has the newest balance */
static void
update_balance(PoTrigger *trigger)
{
	if (!tracked(trigger->new))
		po_set_null(trigger->new, Anum_line_item_balance);
	else if (!tracked(trigger->old))
		po_set(trigger->new, Anum_line_item_balance,
			   NumericGetDatum(computed_balance(trigger)));
	else
	{
		Numeric		change = po_money_subtract(net_value(trigger->new),
												   net_value(trigger->old));
		Numeric		balance = po_numeric(trigger->old, Anum_line_item_balance);

		po_set(trigger->new, Anum_line_item_balance,
			   NumericGetDatum(po_money_add(balance, change)));
	}
}

/* what a statement has booked on a line item, it cannot change in one breath */
static void
check_not_waiting(const PoTrigger *trigger)
{
	text	   *account_id = po_text(trigger->old, Anum_line_item_account_id);

	if (po_books_wait_for(account_id, po_int64(trigger->old, Anum_line_item_line_item_id)))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("line item \"%s\" cannot change in the statement that books on it",
						text_to_cstring(po_text(trigger->old, Anum_line_item_line_number))),
				 errhint("Use two statements.")));
}

static void
before_update(PoTrigger *trigger)
{
	PoIdentity	caller;

	po_refuse_changed(trigger, Anum_line_item_line_item_id);
	po_refuse_changed(trigger, Anum_line_item_balance);
	po_refuse_changed(trigger, Anum_line_item_created_at);
	po_refuse_changed(trigger, Anum_line_item_updated_at);
	if (!po_marketplace_is_writing())
		po_refuse_changed(trigger, Anum_line_item_agreement_moved_to);
	if (po_changed(trigger, Anum_line_item_account_id) ||
		po_changed(trigger, Anum_line_item_po_number))
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("a line item stays on its order"),
				 errhint("Delete the line item, and add it to the other order.")));
	po_set_text(trigger->new, Anum_line_item_line_number,
				po_text_trim(po_text(trigger->new, Anum_line_item_line_number)));
	if (!po_anything_changed(trigger))
		return;
	check_not_waiting(trigger);
	check_row(trigger);

	po_become_owner(trigger, &caller);
	check_against_order(trigger, po_changed(trigger, Anum_line_item_line_type));
	if (po_changed(trigger, Anum_line_item_line_number))
		check_number_unused(trigger);
	update_balance(trigger);
	add_edit(trigger);
	po_become(&caller);
	po_set_time(trigger->new, Anum_line_item_updated_at, po_clock_stamp());
}

static void
before_delete(PoTrigger *trigger)
{
	text	   *account_id = po_text(trigger->old, Anum_line_item_account_id);
	PoIdentity	caller;

	check_not_waiting(trigger);
	po_become_owner(trigger, &caller);
	po_statement_account(trigger->schema, account_id, PO_FOR_CONFIGURATION);
	po_become(&caller);
}

/* ---- AFTER ---- */

static void
after_insert(PoTrigger *trigger)
{
	text	   *account_id = po_text(trigger->new, Anum_line_item_account_id);
	text	   *po_number = po_text(trigger->new, Anum_line_item_po_number);

	if (tracked(trigger->new))
	{
		Numeric		balance = po_numeric(trigger->new, Anum_line_item_balance);

		write_entry(trigger, "opening", balance, balance, NULL);
	}
	if (po_statement_first(COUNT_LINE_ITEMS, account_id, po_number))
		po_limit_line_items(trigger->schema, account_id, po_number);
}

/*
 * An edit may change the balance, the total value, or whether it is tracked.
 * What was not tracked, or had no value, was below no threshold.
 */
static void
notify_of_edit(const PoTrigger *trigger)
{
	Numeric		balance = po_numeric(trigger->new, Anum_line_item_balance);
	PoCrossings *crossings = po_crossings_make();
	PoMove		item = {0};
	PoAlert    *was = NULL;
	PoAlert    *is;
	PoEntry		cause;

	if (!tracked(trigger->new) ||
		(!po_changed(trigger, Anum_line_item_balance) &&
		 !po_changed(trigger, Anum_line_item_total_value)))
		return;
	make_entry(trigger, "edited", balance, balance, NULL, &cause);
	item.account_id = cause.account_id;
	item.line_item_id = cause.line_item_id;
	po_read_balances(trigger->schema, &item, 1);
	is = po_alert_make(po_numeric(trigger->new, Anum_line_item_total_value), item.thresholds);
	if (is == NULL)
		return;
	if (tracked(trigger->old))
		was = po_alert_make(po_numeric(trigger->old, Anum_line_item_total_value), item.thresholds);
	po_crossings_judge(crossings, &cause, was, po_numeric(trigger->old, Anum_line_item_balance), is);
	po_crossings_notify(trigger->schema, crossings);
}

/* what was left is given up; invoices keep the number that they have in print */
static void
after_delete(PoTrigger *trigger)
{
	if (tracked(trigger->old))
		write_entry(trigger, "closed",
					po_money_negate(po_numeric(trigger->old, Anum_line_item_balance)),
					int64_to_numeric(0), "line item deleted");
	else
		write_entry(trigger, "closed", int64_to_numeric(0), NULL,
					"line item deleted");
}

/* logs the change, and then moves updated_at of the order */
static void
note_change(PoTrigger *trigger)
{
	PoRow	   *row = po_trigger_row(trigger);
	text	   *account_id = po_text(row, Anum_line_item_account_id);
	text	   *po_number = po_text(row, Anum_line_item_po_number);

	if (trigger->is_update && !po_changed(trigger, Anum_line_item_updated_at))
		return;
	po_log_change(trigger, account_id, po_number,
				  po_int64(row, Anum_line_item_line_item_id),
				  po_text(row, Anum_line_item_line_number),
				  po_statement_time(trigger->schema, account_id, PO_FOR_CONFIGURATION), 0);
	if (!po_marketplace_is_writing() &&
		po_statement_first(TOUCH_ORDER, account_id, po_number))
		po_touch_order(trigger->schema, account_id, po_number,
					   Max(po_clock_stamp(),
						   po_statement_time(trigger->schema, account_id, PO_FOR_CONFIGURATION)));
}

static void
after(PoTrigger *trigger)
{
	PoIdentity	caller;

	/* history means nothing more than itself */
	if (po_is_replica() ||
		(trigger->is_insert &&
		 !po_statement_was_seen(po_int64(trigger->new, Anum_line_item_created_at), 0)))
	{
		po_tell_of_unbooked(trigger, Anum_line_item_account_id);
		return;
	}
	po_become_owner(trigger, &caller);
	if (trigger->is_insert)
		after_insert(trigger);
	else if (trigger->is_update)
	{
		po_flight_close(trigger->schema);
		notify_of_edit(trigger);
	}
	else
		after_delete(trigger);
	note_change(trigger);
	po_become(&caller);
}

/* BEFORE and AFTER INSERT OR UPDATE OR DELETE */
PG_FUNCTION_INFO_V1(po_line_item_trigger);
Datum
po_line_item_trigger(PG_FUNCTION_ARGS)
{
	PoTrigger	trigger;

	po_trigger_init(&trigger, fcinfo);
	po_check_last(&trigger);
	/* the store moves balances; that is no change of configuration */
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
