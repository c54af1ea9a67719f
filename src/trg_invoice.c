/*
 * trg_invoice.c
 *		Triggers of po_invoice: an invoice is matched as it is inserted.
 *
 * The decision is find.c's, the writing is books.c's; here are the row's own
 * rules, and what may change later.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/numeric.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "books.h"
#include "clock.h"
#include "find.h"
#include "limits.h"
#include "seller.h"
#include "trigger.h"

/* what an invoice is booked on; line_item_id 0: nothing */
typedef struct Association
{
	const char *kind;			/* association_kind */
	text	   *po_number;
	text	   *line_number;
	int64		line_item_id;
	bool		tracked;
} Association;

/* what the extension alone writes, besides po_number and line_number */
static const int system_columns[] = {
	Anum_invoice_line_item_id,
	Anum_invoice_association_kind,
	Anum_invoice_associated_at,
	Anum_invoice_associated_by,
	Anum_invoice_voided_at,
	Anum_invoice_recorded_at
};

/* what an invoice is matched by, and known by; fixed while it is associated */
static const int matched_columns[] = {
	Anum_invoice_account_id,
	Anum_invoice_bill_from,
	Anum_invoice_invoice_id,
	Anum_invoice_kind,
	Anum_invoice_line_type,
	Anum_invoice_billing_month,
	Anum_invoice_issued_on,
	Anum_invoice_currency,
	Anum_invoice_tax_registration_number,
	Anum_invoice_agreement_id,
	Anum_invoice_requested_po_number,
	Anum_invoice_requested_line_number,
	Anum_invoice_out_of_cycle,
	Anum_invoice_original_invoice_id
};

/* ---- values ---- */

static Numeric
amount_of(HeapTuple tuple, TupleDesc desc)
{
	bool		isnull;

	return DatumGetNumeric(heap_getattr(tuple, Anum_invoice_amount, desc, &isnull));
}

static bool
is_negative(Numeric value)
{
	return DatumGetBool(DirectFunctionCall2(numeric_lt, NumericGetDatum(value),
											NumericGetDatum(int64_to_numeric(0))));
}

static Numeric
negated(Numeric value)
{
	return DatumGetNumeric(DirectFunctionCall1(numeric_uminus, NumericGetDatum(value)));
}

static char *
printed(Numeric value)
{
	return DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value)));
}

/* ---- checks of the row itself, for history too ---- */

static void
check_amount(const PoTrigger *trigger)
{
	Numeric		amount = amount_of(trigger->new, trigger->desc);
	char	   *kind = text_to_cstring(po_new_text(trigger, Anum_invoice_kind));
	bool		is_memo = strcmp(kind, "credit_memo") == 0;
	bool		is_zero;

	if (!is_memo && strcmp(kind, "invoice") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("kind \"%s\" of an invoice is not known", kind),
				 errhint("Give invoice or credit_memo, or leave it out.")));
	if (numeric_is_nan(amount) || numeric_is_inf(amount))
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("amount of an invoice must not be %s", printed(amount)),
				 errhint("Give a finite number.")));
	is_zero = DatumGetBool(DirectFunctionCall2(numeric_eq, NumericGetDatum(amount),
											   NumericGetDatum(int64_to_numeric(0))));
	if (!is_zero && is_negative(amount) != is_memo)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("amount %s does not fit kind \"%s\"", printed(amount), kind),
				 errhint("The amount of an invoice is not negative, that of a credit memo not positive.")));
}

static void
check_row(const PoTrigger *trigger)
{
	po_require(trigger, Anum_invoice_account_id, "Give the payer's account id.");
	po_check_number(po_new_text(trigger, Anum_invoice_account_id), "account id");
	po_require(trigger, Anum_invoice_bill_from, "Give the seller, such as AWS Inc.");
	po_require(trigger, Anum_invoice_invoice_id, "Give the number of the invoice.");
	po_check_number(po_new_text(trigger, Anum_invoice_invoice_id), "invoice id");
	po_require(trigger, Anum_invoice_line_type, "Give a type of charge, such as usage.");
	po_require(trigger, Anum_invoice_billing_month, "Give a month, such as 2026-01.");
	po_require(trigger, Anum_invoice_amount, "Give the amount, tax included.");
	po_require(trigger, Anum_invoice_currency, "Give a code of ISO 4217, such as USD.");
	po_require(trigger, Anum_invoice_issued_on, "Give the date of the invoice.");
	po_require(trigger, Anum_invoice_kind, "Give invoice or credit_memo.");
	po_check_currency(po_new_text(trigger, Anum_invoice_currency));
	check_amount(trigger);
}

/* ---- the stored form ---- */

static void
set_defaults(PoTrigger *trigger, const PoAccount *account)
{
	if (po_new_is_null(trigger, Anum_invoice_currency))
		po_set_text(trigger, Anum_invoice_currency,
					account ? account->currency : cstring_to_text("USD"));
	if (po_new_is_null(trigger, Anum_invoice_issued_on))
	{
		text	   *zone = account ? account->time_zone : cstring_to_text("UTC");

		po_set(trigger, Anum_invoice_issued_on,
			   DateADTGetDatum(po_clock_date(po_clock_now(), zone)));
	}
	if (po_new_is_null(trigger, Anum_invoice_kind) &&
		!po_new_is_null(trigger, Anum_invoice_amount))
		po_set_text(trigger, Anum_invoice_kind,
					cstring_to_text(is_negative(amount_of(trigger->new, trigger->desc)) ?
									"credit_memo" : "invoice"));
}

static void
normalize(PoTrigger *trigger)
{
	static const int numbers[] = {
		Anum_invoice_requested_po_number, Anum_invoice_requested_line_number,
		Anum_invoice_po_number, Anum_invoice_line_number
	};

	for (size_t i = 0; i < lengthof(numbers); i++)
		po_set_text(trigger, numbers[i], po_text_trim(po_new_text(trigger, numbers[i])));
	po_set_text(trigger, Anum_invoice_currency,
				po_text_upper(po_new_text(trigger, Anum_invoice_currency)));
	po_set_text(trigger, Anum_invoice_bill_from,
				po_seller_name(trigger->schema, po_new_text(trigger, Anum_invoice_bill_from)));
}

/* ---- where it goes ---- */

static void
associate_with(Association *association, const char *kind, const PoLineItem *item)
{
	association->kind = kind;
	association->po_number = item->po_number;
	association->line_number = item->line_number;
	association->line_item_id = item->line_item_id;
	association->tracked = item->balance_tracked;
}

static void
init_finder(const PoTrigger *trigger, PoFinder *finder, const PoInvoice *invoice,
			const PoAccount *account)
{
	memset(finder, 0, sizeof(*finder));
	finder->schema = trigger->schema;
	finder->reader = po_reader_open(trigger->schema, true);
	finder->invoice = invoice;
	finder->max_rank = 1;
	finder->balance = po_books_balance;
	finder->account = *account;
}

/* the best candidate by the rules, if there is one */
static void
find_best(const PoTrigger *trigger, const PoInvoice *invoice,
		  const PoAccount *account, const char *kind, Association *association)
{
	PoFinder	finder;

	init_finder(trigger, &finder, invoice, account);
	po_find_by_rules(&finder);
	if (finder.ncandidates > 0)
		associate_with(association, kind, finder.candidates[0].item);
	po_reader_close(finder.reader);
}

/*
 * A credit memo of a known invoice: to its line item, even if that has been
 * deleted since (then only the numbers are left, in print).
 */
static void
follow_original(const PoTrigger *trigger, const PoInvoice *original,
				const PoInvoice *invoice, Association *association)
{
	PoLineItem	item;

	if (!po_text_equal(original->currency, invoice->currency))
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("credit memo \"%s\" is in another currency than its original invoice",
						text_to_cstring(invoice->invoice_id)),
				 errdetail("The memo is in %s, invoice %s in %s.",
						   text_to_cstring(invoice->currency),
						   text_to_cstring(original->invoice_id),
						   text_to_cstring(original->currency)),
				 errhint("Correct the currency, or leave original_invoice_id out.")));
	if (original->line_item_id == 0)
		return;
	association->kind = "credit";
	association->po_number = original->po_number;
	association->line_number = original->line_number;
	association->line_item_id = original->line_item_id;
	association->tracked =
		po_read_line_item(trigger->schema, original->account_id,
						  original->line_item_id, &item) && item.balance_tracked;
}

/* the line item of an order by its number, or the only one where none is given */
static bool
find_numbered(const PoTrigger *trigger, const PoInvoice *invoice,
			  const PoOrder *order, text *line_number, PoLineItem *found)
{
	PoReader   *reader = po_reader_open(trigger->schema, true);
	PoLineItem	item;
	int			place;
	int			nfound = 0;

	po_line_items_begin(reader, invoice->account_id, order, 1, NULL, 0);
	while (po_line_items_next(reader, &item, &place))
	{
		if (line_number == NULL || po_text_equal(item.line_number, line_number))
		{
			*found = item;
			nfound++;
		}
	}
	po_reader_close(reader);
	return nfound == 1;
}

static void
check_agrees(const PoInvoice *invoice, const PoOrder *order)
{
	if (!po_text_equal(order->bill_from, invoice->bill_from))
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("invoice \"%s\" is not from the seller of purchase order \"%s\"",
						text_to_cstring(invoice->invoice_id),
						text_to_cstring(order->po_number)),
				 errhint("Assign the invoice to an order of its own seller.")));
	if (!po_text_equal(order->currency, invoice->currency))
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("invoice \"%s\" is not in the currency of purchase order \"%s\"",
						text_to_cstring(invoice->invoice_id),
						text_to_cstring(order->po_number)),
				 errhint("Assign the invoice to an order in its own currency.")));
}

/*
 * An order, and a line item, given with the invoice: by hand.  Without a line
 * number it is the one that the rules choose on that order, or its only one.
 */
static void
assign_by_hand(const PoTrigger *trigger, const PoInvoice *invoice,
			   const PoAccount *account, Association *association)
{
	PoInvoice	on_order = *invoice;
	PoOrder		order;
	PoLineItem	item;

	if (account == NULL ||
		!po_read_order(trigger->schema, invoice->account_id, invoice->po_number, &order))
		po_report_no_order(invoice->account_id, invoice->po_number);
	check_agrees(invoice, &order);
	if (invoice->line_number == NULL)
	{
		on_order.requested_po_number = invoice->po_number;
		on_order.requested_line_number = NULL;
		find_best(trigger, &on_order, account, "manual", association);
		if (association->kind != NULL)
			return;
	}
	if (find_numbered(trigger, invoice, &order, invoice->line_number, &item))
	{
		associate_with(association, "manual", &item);
		return;
	}
	if (invoice->line_number == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("purchase order \"%s\" has no single line item for invoice \"%s\"",
						text_to_cstring(invoice->po_number),
						text_to_cstring(invoice->invoice_id)),
				 errhint("Give line_number too.")));
	ereport(ERROR,
			(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
			 errmsg("purchase order \"%s\" has no line item \"%s\"",
					text_to_cstring(invoice->po_number),
					text_to_cstring(invoice->line_number)),
			 errhint("See po_line_item for its line numbers.")));
}

static void
decide(const PoTrigger *trigger, const PoAccount *account, Association *association)
{
	PoInvoice	invoice;
	PoInvoice	original;

	po_invoice_from_tuple(&invoice, trigger->new, trigger->desc);
	if (invoice.po_number != NULL)
		assign_by_hand(trigger, &invoice, account, association);
	else if (account == NULL)
		return;
	else if (po_find_original(trigger->schema, &invoice, &original) != PO_FOLLOWS_NONE)
		follow_original(trigger, &original, &invoice, association);
	else
		find_best(trigger, &invoice, account, "automatic", association);
}

/* ---- INSERT ---- */

static void
check_open(const PoAccount *account, PoMonth month)
{
	char		billed[PO_MONTH_BUFSIZE];
	char		closed[PO_MONTH_BUFSIZE];

	if (account == NULL || !account->is_closed || month > account->closed_through)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("billing month %s of account \"%s\" is closed",
					po_month_format(month, billed),
					text_to_cstring(account->account_id)),
			 errdetail("The account's months are closed through %s.",
					   po_month_format(account->closed_through, closed)),
			 errhint("Book it in an open month, or set po_account.closed_through back.")));
}

static PoMonth
billing_month(HeapTuple tuple, TupleDesc desc)
{
	bool		isnull;

	return DatumGetPoMonth(heap_getattr(tuple, Anum_invoice_billing_month, desc, &isnull));
}

static void
set_association(PoTrigger *trigger, const Association *association,
				TimestampTz booked_at)
{
	int			columns[] = {
		Anum_invoice_po_number, Anum_invoice_line_number,
		Anum_invoice_line_item_id, Anum_invoice_association_kind,
		Anum_invoice_associated_at, Anum_invoice_associated_by
	};
	Datum		values[] = {
		PointerGetDatum(association->po_number),
		PointerGetDatum(association->line_number),
		Int64GetDatum(association->line_item_id),
		CStringGetTextDatum(association->kind),
		TimestampTzGetDatum(booked_at),
		PointerGetDatum(trigger->user)
	};
	bool		nulls[lengthof(columns)] = {0};

	trigger->new = heap_modify_tuple_by_cols(trigger->new, trigger->desc,
											 lengthof(columns), columns, values, nulls);
}

static void
make_entry(const PoTrigger *trigger, HeapTuple tuple, const char *kind,
		   Numeric amount, TimestampTz booked_at, PoEntry *entry)
{
	PoInvoice	invoice;

	po_invoice_from_tuple(&invoice, tuple, trigger->desc);
	memset(entry, 0, sizeof(*entry));
	entry->account_id = invoice.account_id;
	entry->line_item_id = invoice.line_item_id;
	entry->po_number = invoice.po_number;
	entry->line_number = invoice.line_number;
	entry->bill_from = invoice.bill_from;
	entry->invoice_id = invoice.invoice_id;
	entry->kind = kind;
	entry->amount = amount;
	entry->recorded_at = booked_at;
	entry->recorded_by = trigger->user;
}

static void
insert_as_owner(PoTrigger *trigger)
{
	const PoAccount *account = NULL;
	Association association = {0};
	PoEntry		entry;

	po_books_next_row(trigger->schema);
	normalize(trigger);
	if (!po_new_is_null(trigger, Anum_invoice_account_id))
		account = po_books_account(trigger->schema,
								   po_new_text(trigger, Anum_invoice_account_id),
								   PO_FOR_BOOKING);
	set_defaults(trigger, account);
	check_row(trigger);
	check_open(account, billing_month(trigger->new, trigger->desc));

	po_see_newest();
	decide(trigger, account, &association);
	PopActiveSnapshot();

	po_set(trigger, Anum_invoice_recorded_at, TimestampTzGetDatum(po_clock_stamp()));
	if (association.kind == NULL)
	{
		po_books_insert(trigger->rel, trigger->new, NULL, false);
		return;
	}
	set_association(trigger, &association, account->booked_at);
	make_entry(trigger, trigger->new, "association",
			   negated(amount_of(trigger->new, trigger->desc)),
			   account->booked_at, &entry);
	po_books_insert(trigger->rel, trigger->new, &entry, association.tracked);
}

static void
before_insert(PoTrigger *trigger)
{
	PoIdentity	caller;

	if (po_is_history(trigger, Anum_invoice_recorded_at))
	{
		check_row(trigger);
		return;
	}
	for (size_t i = 0; i < lengthof(system_columns); i++)
		po_refuse_given(trigger, system_columns[i]);
	if (po_new_is_null(trigger, Anum_invoice_po_number) &&
		!po_new_is_null(trigger, Anum_invoice_line_number))
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("line_number was given without po_number"),
				 errhint("Give both to assign the invoice by hand, or neither.")));
	po_become_owner(trigger, &caller);
	insert_as_owner(trigger);
	po_become(&caller);
}

/* ---- UPDATE and DELETE ---- */

/*
 * INSERT ... ON CONFLICT DO UPDATE of all columns: what the row that was not
 * inserted would have been associated with does not count; the stored
 * association stays.
 */
static void
keep_association(PoTrigger *trigger)
{
	HeapTuple	proposed = po_books_conflicting(trigger->old, trigger->desc);

	if (proposed == NULL)
		return;
	for (int attribute = Anum_invoice_po_number;
		 attribute <= Anum_invoice_recorded_at; attribute++)
	{
		PoTrigger	from_proposed = *trigger;

		from_proposed.old = proposed;
		if (!po_changed(&from_proposed, attribute))
		{
			bool		isnull;
			Datum		value = po_old(trigger, attribute, &isnull);

			if (isnull)
				po_set_null(trigger, attribute);
			else
				po_set(trigger, attribute, value);
		}
	}
}

static void
check_update_allowed(PoTrigger *trigger)
{
	bool		is_associated = !heap_attisnull(trigger->old, Anum_invoice_line_item_id,
												trigger->desc);

	po_refuse_changed(trigger, Anum_invoice_po_number);
	po_refuse_changed(trigger, Anum_invoice_line_number);
	for (size_t i = 0; i < lengthof(system_columns); i++)
		po_refuse_changed(trigger, system_columns[i]);
	for (size_t i = 0; is_associated && i < lengthof(matched_columns); i++)
	{
		int			attribute = matched_columns[i];

		if (po_changed(trigger, attribute))
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("column \"%s\" of invoice \"%s\" cannot change while the invoice is associated",
							NameStr(TupleDescAttr(trigger->desc, attribute - 1)->attname),
							text_to_cstring(po_old_text(trigger, Anum_invoice_invoice_id))),
					 errdetail("The invoice was matched by it."),
					 errhint("Release the invoice first.")));
	}
}

/* a change of what was booked in a closed month is refused */
static void
before_change(PoTrigger *trigger)
{
	text	   *account_id = po_old_text(trigger, Anum_invoice_account_id);
	bool		is_associated = !heap_attisnull(trigger->old, Anum_invoice_line_item_id,
												trigger->desc);
	const PoAccount *account;
	PoIdentity	caller;

	po_become_owner(trigger, &caller);
	if (trigger->is_update)
	{
		keep_association(trigger);
		normalize(trigger);
		check_row(trigger);
		check_update_allowed(trigger);
	}
	if (is_associated && (trigger->is_delete || po_changed(trigger, Anum_invoice_amount)))
	{
		account = po_books_account(trigger->schema, account_id, PO_FOR_BOOKING);
		check_open(account, billing_month(trigger->old, trigger->desc));
	}
	po_become(&caller);
}

/* what the change of an associated invoice moves; NULL for nothing */
static Numeric
moved_by_change(PoTrigger *trigger)
{
	Numeric		old = amount_of(trigger->old, trigger->desc);

	if (heap_attisnull(trigger->old, Anum_invoice_line_item_id, trigger->desc))
		return NULL;
	if (trigger->is_delete)
		return old;
	if (!po_changed(trigger, Anum_invoice_amount))
		return NULL;
	return DatumGetNumeric(
		DirectFunctionCall2(numeric_sub, NumericGetDatum(old),
							NumericGetDatum(amount_of(trigger->new, trigger->desc))));
}

static void
after(PoTrigger *trigger)
{
	Numeric		moved = trigger->is_insert ? NULL : moved_by_change(trigger);
	PoIdentity	caller;

	po_become_owner(trigger, &caller);
	if (moved != NULL)
	{
		text	   *account_id = po_old_text(trigger, Anum_invoice_account_id);
		const PoAccount *account = po_books_account(trigger->schema, account_id,
													PO_FOR_BOOKING);
		PoLineItem	item;
		PoEntry		entry;

		make_entry(trigger, trigger->old, trigger->is_delete ? "release" : "correction",
				   moved, account->booked_at, &entry);
		entry.note = cstring_to_text(trigger->is_delete ? "invoice deleted" : "amount changed");
		po_see_newest();
		po_books_add(&entry, po_read_line_item(trigger->schema, entry.account_id,
											   entry.line_item_id, &item) &&
					 item.balance_tracked);
		PopActiveSnapshot();
	}
	po_books_close(trigger->schema);
	po_become(&caller);
}

/* BEFORE and AFTER INSERT OR UPDATE OR DELETE */
PG_FUNCTION_INFO_V1(po_invoice_trigger);
Datum
po_invoice_trigger(PG_FUNCTION_ARGS)
{
	PoTrigger	trigger;

	po_trigger_init(&trigger, fcinfo);
	if (!trigger.before)
		after(&trigger);
	else if (trigger.is_insert)
		before_insert(&trigger);
	else
		before_change(&trigger);
	return po_trigger_result(&trigger);
}
