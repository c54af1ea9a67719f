/*
 * trg_line_item.c
 *		Triggers of po_line_item: what a line item may be, and what an edit
 *		does to its balance, its ledger and its order.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"
#include "utils/rel.h"

#include "books.h"
#include "clock.h"
#include "limits.h"
#include "seller.h"
#include "store.h"
#include "trigger.h"

/* duties of the AFTER trigger */
#define TOUCH_ORDER			't'
#define COUNT_LINE_ITEMS	'l'

/* ---- values ---- */

static Numeric
numeric_column(Datum value, bool isnull)
{
	return isnull ? NULL : DatumGetNumeric(value);
}

static Numeric
new_numeric(const PoTrigger *trigger, int attribute)
{
	bool		isnull;
	Datum		value = po_new(trigger, attribute, &isnull);

	return numeric_column(value, isnull);
}

static Numeric
old_numeric(const PoTrigger *trigger, int attribute)
{
	bool		isnull;
	Datum		value = po_old(trigger, attribute, &isnull);

	return numeric_column(value, isnull);
}

static Numeric
calculate(PGFunction operation, Numeric a, Numeric b)
{
	return DatumGetNumeric(DirectFunctionCall2(operation, NumericGetDatum(a),
											   NumericGetDatum(b)));
}

static bool
tracked(HeapTuple tuple, TupleDesc desc)
{
	bool		isnull;
	Datum		value = heap_getattr(tuple, Anum_line_item_balance_tracked, desc, &isnull);

	return !isnull && DatumGetBool(value);
}

/*
 * total_value - consumed_before of a row.  The generated column is not there
 * yet in a BEFORE trigger, so this repeats its expression.
 */
static Numeric
net_value(HeapTuple tuple, TupleDesc desc)
{
	bool		isnull;
	Numeric		amount = DatumGetNumeric(heap_getattr(tuple, Anum_line_item_amount, desc, &isnull));
	Numeric		quantity = DatumGetNumeric(heap_getattr(tuple, Anum_line_item_quantity, desc, &isnull));
	Numeric		tax = DatumGetNumeric(heap_getattr(tuple, Anum_line_item_tax, desc, &isnull));
	text	   *tax_kind = DatumGetTextPP(heap_getattr(tuple, Anum_line_item_tax_kind, desc, &isnull));
	Numeric		consumed = DatumGetNumeric(heap_getattr(tuple, Anum_line_item_consumed_before, desc, &isnull));
	Numeric		total = calculate(numeric_mul, amount, quantity);

	if (strcmp(text_to_cstring(tax_kind), "percent") == 0)
	{
		Numeric		hundredth = DatumGetNumeric(
			DirectFunctionCall3(numeric_in, CStringGetDatum("0.01"),
								ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
		Numeric		factor = calculate(numeric_add, int64_to_numeric(1),
									   calculate(numeric_mul, tax, hundredth));

		total = calculate(numeric_mul, total, factor);
	}
	else
		total = calculate(numeric_add, total, tax);
	return calculate(numeric_sub, total, consumed);
}

static PoMonth
new_month(const PoTrigger *trigger, int attribute)
{
	bool		isnull;

	return DatumGetPoMonth(po_new(trigger, attribute, &isnull));
}

/* ---- checks of the row itself, for history too ---- */

static void
check_tax_kind(const PoTrigger *trigger)
{
	char	   *kind = text_to_cstring(po_new_text(trigger, Anum_line_item_tax_kind));

	if (strcmp(kind, "absolute") != 0 && strcmp(kind, "percent") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("tax kind \"%s\" is not known", kind),
				 errhint("Give absolute or percent.")));
}

static void
check_months(const PoTrigger *trigger)
{
	PoMonth		start = new_month(trigger, Anum_line_item_start_month);
	PoMonth		end = new_month(trigger, Anum_line_item_end_month);
	char		from[PO_MONTH_BUFSIZE];
	char		to[PO_MONTH_BUFSIZE];

	if (start > end)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("line item \"%s\" ends before it starts",
						text_to_cstring(po_new_text(trigger, Anum_line_item_line_number))),
				 errdetail("It starts in %s and ends in %s.",
						   po_month_format(start, from), po_month_format(end, to)),
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
	po_check_number(po_new_text(trigger, Anum_line_item_line_number), "line number");
	check_months(trigger);
	po_check_money(new_numeric(trigger, Anum_line_item_amount), "amount");
	po_check_money(new_numeric(trigger, Anum_line_item_quantity), "quantity");
	po_check_money(new_numeric(trigger, Anum_line_item_tax), "tax");
	po_check_money(new_numeric(trigger, Anum_line_item_consumed_before), "consumed_before");
	check_tax_kind(trigger);
}

/* ---- checks against the order, for users' rows ---- */

static void
check_period(const PoTrigger *trigger, const PoOrder *order)
{
	PoMonth		start = new_month(trigger, Anum_line_item_start_month);
	PoMonth		end = new_month(trigger, Anum_line_item_end_month);
	char		from[PO_MONTH_BUFSIZE];
	char		to[PO_MONTH_BUFSIZE];
	char		effective[PO_MONTH_BUFSIZE];
	char		expiration[PO_MONTH_BUFSIZE];

	if (start < order->effective_month || end > order->expiration_month)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("the period of line item \"%s\" is outside that of its order \"%s\"",
						text_to_cstring(po_new_text(trigger, Anum_line_item_line_number)),
						text_to_cstring(order->po_number)),
				 errdetail("The line item is for %s to %s, the order for %s to %s.",
						   po_month_format(start, from), po_month_format(end, to),
						   po_month_format(order->effective_month, effective),
						   po_month_format(order->expiration_month, expiration)),
				 errhint("Change the line item's months, or extend the order first.")));
}

/* marketplace.transaction and what is below it never track a balance */
static void
check_tracking(const PoTrigger *trigger)
{
	static const char transaction[] = "marketplace.transaction";
	text	   *type = po_new_text(trigger, Anum_line_item_line_type);

	if (tracked(trigger->new, trigger->desc) &&
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
	text	   *account_id = po_new_text(trigger, Anum_line_item_account_id);
	text	   *po_number = po_new_text(trigger, Anum_line_item_po_number);
	PoLineType *type = po_new_text(trigger, Anum_line_item_line_type);
	PoOrder		order;

	if (po_books_account(trigger->schema, account_id, PO_FOR_CONFIGURATION) == NULL ||
		!po_newest_order(trigger->schema, account_id, po_number, &order))
		po_report_no_order(account_id, po_number);
	check_period(trigger, &order);
	check_tracking(trigger);
	if (new_type)
	{
		po_check_type(trigger->schema, type);
		po_check_seller_bills(trigger->schema, order.bill_from, type,
							  TupleDescAttr(trigger->desc,
											Anum_line_item_line_type - 1)->atttypid);
	}
}

static void
owe_touch(const PoTrigger *trigger, text *account_id, text *po_number)
{
	po_books_owe(TOUCH_ORDER, account_id, po_number);
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
	po_set_text(trigger, Anum_line_item_po_number,
				po_text_trim(po_new_text(trigger, Anum_line_item_po_number)));
	po_set_text(trigger, Anum_line_item_line_number,
				po_text_trim(po_new_text(trigger, Anum_line_item_line_number)));
	check_row(trigger);

	po_become_owner(trigger, &caller);
	check_against_order(trigger, true);
	id = po_next_id(trigger->schema, "po_line_item_id_seq");
	po_become(&caller);

	po_set(trigger, Anum_line_item_line_item_id, Int64GetDatum(id));
	po_set(trigger, Anum_line_item_created_at, TimestampTzGetDatum(stamp));
	po_set(trigger, Anum_line_item_updated_at, TimestampTzGetDatum(stamp));
	if (tracked(trigger->new, trigger->desc))
	{
		po_set(trigger, Anum_line_item_balance,
			   NumericGetDatum(net_value(trigger->new, trigger->desc)));
		po_books_owe_opening(id);
	}
	owe_touch(trigger, po_new_text(trigger, Anum_line_item_account_id),
			  po_new_text(trigger, Anum_line_item_po_number));
	po_books_owe(COUNT_LINE_ITEMS, po_new_text(trigger, Anum_line_item_account_id),
				 po_new_text(trigger, Anum_line_item_po_number));
}

static bool
anything_changed(const PoTrigger *trigger)
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

/* invoices have the number in print */
static void
check_number_unused(const PoTrigger *trigger)
{
	bool		isnull;
	Datum		args[] = {
		PointerGetDatum(po_old_text(trigger, Anum_line_item_account_id)),
		PointerGetDatum(po_old_text(trigger, Anum_line_item_po_number)),
		po_old(trigger, Anum_line_item_line_item_id, &isnull)
	};

	if (po_exists(trigger->schema, PO_READ_LINE_ITEM_INVOICE, args))
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("the number of line item \"%s\" cannot change while invoices are associated with it",
						text_to_cstring(po_old_text(trigger, Anum_line_item_line_number))),
				 errhint("Release its invoices first, or add another line item.")));
}

/* tracking is switched on: what the invoices have left */
static Numeric
computed_balance(const PoTrigger *trigger)
{
	bool		isnull;
	Datum		args[] = {
		PointerGetDatum(po_new_text(trigger, Anum_line_item_account_id)),
		PointerGetDatum(po_new_text(trigger, Anum_line_item_po_number)),
		po_new(trigger, Anum_line_item_line_item_id, &isnull)
	};

	return calculate(numeric_sub, net_value(trigger->new, trigger->desc),
					 po_sum(trigger->schema, PO_READ_ASSOCIATED_SUM, args));
}

/* the account is locked, so OLD has the newest balance */
static void
update_balance(PoTrigger *trigger)
{
	if (!tracked(trigger->new, trigger->desc))
		po_set_null(trigger, Anum_line_item_balance);
	else if (!tracked(trigger->old, trigger->desc))
		po_set(trigger, Anum_line_item_balance,
			   NumericGetDatum(computed_balance(trigger)));
	else
	{
		Numeric		change = calculate(numeric_sub,
									   net_value(trigger->new, trigger->desc),
									   net_value(trigger->old, trigger->desc));
		Numeric		balance = old_numeric(trigger, Anum_line_item_balance);

		po_set(trigger, Anum_line_item_balance,
			   NumericGetDatum(calculate(numeric_add, balance, change)));
	}
}

static void
before_update(PoTrigger *trigger)
{
	PoIdentity	caller;

	po_refuse_changed(trigger, Anum_line_item_line_item_id);
	po_refuse_changed(trigger, Anum_line_item_balance);
	po_refuse_changed(trigger, Anum_line_item_created_at);
	po_refuse_changed(trigger, Anum_line_item_updated_at);
	if (po_changed(trigger, Anum_line_item_account_id) ||
		po_changed(trigger, Anum_line_item_po_number))
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("a line item stays on its order"),
				 errhint("Delete the line item, and add it to the other order.")));
	po_set_text(trigger, Anum_line_item_line_number,
				po_text_trim(po_new_text(trigger, Anum_line_item_line_number)));
	if (!anything_changed(trigger))
		return;
	check_row(trigger);

	po_become_owner(trigger, &caller);
	check_against_order(trigger, po_changed(trigger, Anum_line_item_line_type));
	if (po_changed(trigger, Anum_line_item_line_number))
		check_number_unused(trigger);
	update_balance(trigger);
	po_become(&caller);
	po_set(trigger, Anum_line_item_updated_at, TimestampTzGetDatum(po_clock_stamp()));
	owe_touch(trigger, po_new_text(trigger, Anum_line_item_account_id),
			  po_new_text(trigger, Anum_line_item_po_number));
}

static void
before_delete(PoTrigger *trigger)
{
	text	   *account_id = po_old_text(trigger, Anum_line_item_account_id);
	PoIdentity	caller;

	po_become_owner(trigger, &caller);
	po_books_account(trigger->schema, account_id, PO_FOR_CONFIGURATION);
	po_become(&caller);
	owe_touch(trigger, account_id, po_old_text(trigger, Anum_line_item_po_number));
}

/* ---- AFTER ---- */

static void
write_entry(const PoTrigger *trigger, const char *kind, Numeric amount,
			Numeric balance_after, const char *note)
{
	HeapTuple	tuple = trigger->new ? trigger->new : trigger->old;
	const PoAccount *account;
	PoEntry		entry = {0};
	bool		isnull;

	entry.account_id = DatumGetTextPP(heap_getattr(tuple, Anum_line_item_account_id,
												   trigger->desc, &isnull));
	account = po_books_account(trigger->schema, entry.account_id, PO_FOR_CONFIGURATION);
	entry.line_item_id = DatumGetInt64(heap_getattr(tuple, Anum_line_item_line_item_id,
													trigger->desc, &isnull));
	entry.po_number = DatumGetTextPP(heap_getattr(tuple, Anum_line_item_po_number,
												  trigger->desc, &isnull));
	entry.line_number = DatumGetTextPP(heap_getattr(tuple, Anum_line_item_line_number,
													trigger->desc, &isnull));
	entry.kind = kind;
	entry.amount = amount;
	entry.balance_after = balance_after;
	entry.recorded_at = account->booked_at;
	entry.recorded_by = trigger->user;
	entry.note = note ? cstring_to_text(note) : NULL;
	po_write_ledger(trigger->schema, &entry, 1);
}

static void
after_insert(PoTrigger *trigger)
{
	bool		isnull;
	int64		id = DatumGetInt64(po_new(trigger, Anum_line_item_line_item_id, &isnull));
	text	   *account_id = po_new_text(trigger, Anum_line_item_account_id);
	text	   *po_number = po_new_text(trigger, Anum_line_item_po_number);

	if (po_books_take_opening(id))
	{
		Numeric		balance = new_numeric(trigger, Anum_line_item_balance);

		write_entry(trigger, "opening", balance, balance, NULL);
	}
	if (po_books_take(COUNT_LINE_ITEMS, account_id, po_number))
		po_limit_line_items(trigger->schema, account_id, po_number);
}

/* the entries of a line item add up to its balance, whenever it is tracked */
static void
after_update(PoTrigger *trigger)
{
	bool		was_tracked = tracked(trigger->old, trigger->desc);
	bool		is_tracked = tracked(trigger->new, trigger->desc);
	Numeric		balance = new_numeric(trigger, Anum_line_item_balance);
	bool		isnull;

	if (was_tracked && is_tracked)
	{
		Numeric		change = calculate(numeric_sub, balance,
									   old_numeric(trigger, Anum_line_item_balance));

		if (DatumGetBool(DirectFunctionCall2(numeric_ne, NumericGetDatum(change),
											 NumericGetDatum(int64_to_numeric(0)))))
			write_entry(trigger, "edited", change, balance, NULL);
	}
	else if (is_tracked)
	{
		Datum		args[] = {
			PointerGetDatum(po_new_text(trigger, Anum_line_item_account_id)),
			po_new(trigger, Anum_line_item_line_item_id, &isnull)
		};

		write_entry(trigger, "tracking",
					calculate(numeric_sub, balance,
							  po_sum(trigger->schema, PO_READ_LEDGER_SUM, args)),
					balance, "tracking switched on");
	}
	else if (was_tracked)
		write_entry(trigger, "tracking", int64_to_numeric(0), NULL,
					"tracking switched off");
}

/* what was left is given up; invoices keep the number that they have in print */
static void
after_delete(PoTrigger *trigger)
{
	if (tracked(trigger->old, trigger->desc))
		write_entry(trigger, "closed",
					calculate(numeric_sub, int64_to_numeric(0),
							  old_numeric(trigger, Anum_line_item_balance)),
					int64_to_numeric(0), "line item deleted");
	else
		write_entry(trigger, "closed", int64_to_numeric(0), NULL,
					"line item deleted");
}

static void
touch_order(PoTrigger *trigger)
{
	HeapTuple	tuple = trigger->new ? trigger->new : trigger->old;
	bool		isnull;
	text	   *account_id = DatumGetTextPP(heap_getattr(tuple, Anum_line_item_account_id,
														 trigger->desc, &isnull));
	text	   *po_number = DatumGetTextPP(heap_getattr(tuple, Anum_line_item_po_number,
														trigger->desc, &isnull));

	if (po_books_take(TOUCH_ORDER, account_id, po_number))
	{
		const PoAccount *account = po_books_account(trigger->schema, account_id,
													PO_FOR_CONFIGURATION);

		po_touch_order(trigger->schema, account_id, po_number,
					   Max(po_clock_stamp(), account->booked_at));
	}
}

static void
after(PoTrigger *trigger)
{
	PoIdentity	caller;

	po_become_owner(trigger, &caller);
	if (trigger->is_insert)
		after_insert(trigger);
	else if (trigger->is_update)
		after_update(trigger);
	else
		after_delete(trigger);
	touch_order(trigger);
	po_become(&caller);
}

/* BEFORE and AFTER INSERT OR UPDATE OR DELETE */
PG_FUNCTION_INFO_V1(po_line_item_trigger);
Datum
po_line_item_trigger(PG_FUNCTION_ARGS)
{
	PoTrigger	trigger;

	po_trigger_init(&trigger, fcinfo);
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
