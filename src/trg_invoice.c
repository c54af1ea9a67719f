/*
 * trg_invoice.c
 *		Triggers of po_invoice: an invoice is matched as it is inserted.
 *
 * The decision is find.c's, the writing is books.c's; here are the row's own
 * rules, and what may change later.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "common/hashfn.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "associate.h"
#include "clock.h"
#include "contract.h"
#include "flight.h"
#include "seller.h"
#include "trg_invoice.h"

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

static void
invoice_from_row(PoInvoice *invoice, PoRow *row)
{
	Datum		values[PO_INVOICE_NCOLUMNS];
	bool		nulls[PO_INVOICE_NCOLUMNS];

	po_columns(row, po_invoice_attributes, PO_INVOICE_NCOLUMNS, values, nulls);
	po_invoice_from(invoice, values, nulls);
}

static bool
is_associated(PoRow *row)
{
	return !po_is_null(row, Anum_invoice_line_item_id);
}

/* a hash of the row's key */
static uint64
key_of(PoRow *row)
{
	uint64		key = 0;

	for (int attribute = Anum_invoice_account_id; attribute <= Anum_invoice_invoice_id; attribute++)
	{
		text	   *part = po_text(row, attribute);

		key = hash_bytes_extended((const unsigned char *) VARDATA_ANY(part),
								  VARSIZE_ANY_EXHDR(part), key + attribute);
	}
	return key;
}

/* ---- checks of the row itself, for history too ---- */

static void
check_amount(const PoTrigger *trigger)
{
	Numeric		amount = po_numeric(trigger->new, Anum_invoice_amount);
	char	   *kind = text_to_cstring(po_text(trigger->new, Anum_invoice_kind));
	bool		is_memo = strcmp(kind, "credit_memo") == 0;

	if (!is_memo && strcmp(kind, "invoice") != 0)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("kind \"%s\" of an invoice is not known", kind),
				 errhint("Give invoice or credit_memo, or leave it out.")));
	if (!po_money_is_finite(amount))
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("amount of an invoice must not be %s", po_money_print(amount)),
				 errdetail("Balances cannot move by it."),
				 errhint("Give a finite number.")));
	if (po_money_sign(amount) != 0 && (po_money_sign(amount) < 0) != is_memo)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("amount %s does not fit kind \"%s\"", po_money_print(amount), kind),
				 errdetail("The amount of an invoice is not negative, that of a credit memo not positive."),
				 errhint("Correct the sign, or leave kind out.")));
}

static void
check_issued_on(const PoTrigger *trigger)
{
	bool		isnull;
	DateADT		issued_on = DatumGetDateADT(po_column(trigger->new, Anum_invoice_issued_on,
													  &isnull));
	PoMonth		month;

	if (!po_month_from_date(issued_on, &month))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_FIELD_OVERFLOW),
				 errmsg("date of issue out of range: %s",
						DatumGetCString(DirectFunctionCall1(date_out,
															DateADTGetDatum(issued_on)))),
				 errdetail("Its month is not of the years 0001 to 9999."),
				 errhint("Give a date of these years, or leave it out for today.")));
}

/* an association is whole or not there, and a void invoice has none; for history */
static void
check_whole(const PoTrigger *trigger)
{
	static const int columns[] = {
		Anum_invoice_line_number, Anum_invoice_line_item_id, Anum_invoice_association_kind,
		Anum_invoice_associated_at, Anum_invoice_associated_by
	};
	bool		associated = !po_is_null(trigger->new, Anum_invoice_po_number);
	bool		whole = !associated || po_is_null(trigger->new, Anum_invoice_voided_at);

	if (!trigger->is_insert || po_is_null(trigger->new, Anum_invoice_recorded_at))
		return;					/* in a new one what is given is by hand */
	for (size_t i = 0; i < lengthof(columns); i++)
		whole = whole && po_is_null(trigger->new, columns[i]) != associated;
	if (!whole)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("the association of invoice \"%s\" is not whole",
						text_to_cstring(po_text(trigger->new, Anum_invoice_invoice_id))),
				 errdetail("po_number, line_number, line_item_id, association_kind, associated_at and associated_by go together, and a void invoice has none."),
				 errhint("Give the row as it was dumped.")));
}

static void
check_row(const PoTrigger *trigger)
{
	po_require(trigger, Anum_invoice_account_id, "Give the payer's account id.");
	po_check_number(po_text(trigger->new, Anum_invoice_account_id), "account id");
	po_require(trigger, Anum_invoice_bill_from, "Give the seller, such as AWS Inc.");
	po_check_number(po_text(trigger->new, Anum_invoice_bill_from), "bill_from");
	po_require(trigger, Anum_invoice_invoice_id, "Give the number of the invoice.");
	po_check_number(po_text(trigger->new, Anum_invoice_invoice_id), "invoice id");
	po_require(trigger, Anum_invoice_line_type, "Give a type of charge, such as usage.");
	po_require(trigger, Anum_invoice_billing_month, "Give a month, such as 2026-01.");
	po_require(trigger, Anum_invoice_amount, "Give the amount, tax included.");
	po_require(trigger, Anum_invoice_currency, "Give a code of ISO 4217, such as USD.");
	po_require(trigger, Anum_invoice_issued_on, "Give the date of the invoice.");
	po_require(trigger, Anum_invoice_kind, "Give invoice or credit_memo.");
	po_check_currency(po_text(trigger->new, Anum_invoice_currency));
	check_issued_on(trigger);
	check_amount(trigger);
	check_whole(trigger);
}

/* ---- the stored form ---- */

static void
set_defaults(PoTrigger *trigger, const PoAccount *account)
{
	PoRow	   *row = trigger->new;

	if (po_is_null(row, Anum_invoice_currency))
		/* a copy, for the account is forgotten where the invoice makes an order */
		po_set_text(row, Anum_invoice_currency,
					account ? po_text_copy(account->currency) : cstring_to_text("USD"));
	if (po_is_null(row, Anum_invoice_issued_on))
	{
		text	   *zone = account ? account->time_zone : cstring_to_text("UTC");

		po_set(row, Anum_invoice_issued_on,
			   DateADTGetDatum(po_clock_date(po_clock_now(), zone)));
	}
	if (po_is_null(row, Anum_invoice_kind) && !po_is_null(row, Anum_invoice_amount))
		po_set_text(row, Anum_invoice_kind,
					cstring_to_text(po_money_sign(po_numeric(row, Anum_invoice_amount)) < 0 ?
									"credit_memo" : "invoice"));
}

static void
normalize(PoTrigger *trigger)
{
	static const int numbers[] = {
		Anum_invoice_requested_po_number, Anum_invoice_requested_line_number,
		Anum_invoice_po_number, Anum_invoice_line_number
	};
	PoRow	   *row = trigger->new;

	for (size_t i = 0; i < lengthof(numbers); i++)
		if (!po_is_null(row, numbers[i]))
			po_set_text(row, numbers[i], po_text_trim(po_text(row, numbers[i])));
	po_set_text(row, Anum_invoice_currency,
				po_text_upper(po_text(row, Anum_invoice_currency)));
	/* a name that has become an alias since stays while the invoice is associated */
	if (trigger->is_insert || !is_associated(trigger->old) ||
		po_changed(trigger, Anum_invoice_bill_from))
		po_set_text(row, Anum_invoice_bill_from,
					po_seller_name(trigger->schema, po_text(row, Anum_invoice_bill_from)));
}

/* ---- INSERT ---- */

static void
set_association(PoRow *row, const PoAssociation *association, TimestampTz booked_at)
{
	po_set_text(row, Anum_invoice_po_number, association->po_number);
	po_set_text(row, Anum_invoice_line_number, association->line_number);
	po_set(row, Anum_invoice_line_item_id, Int64GetDatum(association->line_item_id));
	po_set_text(row, Anum_invoice_association_kind, cstring_to_text(association->kind));
	po_set_time(row, Anum_invoice_associated_at, booked_at);
	po_set_text(row, Anum_invoice_associated_by, po_user());
}

/*
 * What would be an error for a new invoice must not be one for an invoice that
 * is there: its row can only become a conflict, or a unique violation.
 */
static bool
is_there_already(const PoTrigger *trigger, const PoInvoice *invoice,
				 const PoAccount *account, PoInvoice *present)
{
	bool		may_fail = invoice->po_number != NULL ||
		invoice->original_invoice_id != NULL ||
		invoice->agreement_id != NULL ||
		(account != NULL && account->is_closed &&
		 invoice->billing_month <= account->closed_through);
	bool		found;

	if (!may_fail)
		return false;
	po_see_newest();
	found = po_read_invoice(trigger->schema, invoice->account_id, invoice->bill_from,
							invoice->invoice_id, present);
	PopActiveSnapshot();
	return found;
}

/*
 * Where its agreement has another order by now, the invoice asks for that one.
 * One that is there already does so only if it did when it was inserted.
 */
static void
follow_agreement(PoTrigger *trigger, PoInvoice *invoice, const PoInvoice *present)
{
	text	   *moved_to = po_contract_moved_to(trigger->schema, invoice);

	if (moved_to == NULL ||
		(present != NULL && !po_text_equal(moved_to, present->requested_po_number)))
		return;
	invoice->requested_po_number = moved_to;
	invoice->requested_line_number = NULL;
	po_set_text(trigger->new, Anum_invoice_requested_po_number, moved_to);
	po_set_null(trigger->new, Anum_invoice_requested_line_number);
}

/* the account is another one afterwards where an order was made */
static const PoAccount *
associate(PoTrigger *trigger, PoInvoice *invoice, const PoAccount *account,
		  PoAssociation *association)
{
	if (invoice->po_number == NULL && invoice->agreement_id != NULL)
	{
		follow_agreement(trigger, invoice, NULL);
		if (po_contract_for_invoice(trigger->schema, invoice, account))
			account = po_statement_account(trigger->schema, invoice->account_id,
										   PO_FOR_BOOKING);
	}
	po_see_newest();
	po_associate(trigger->schema, invoice, account, association);
	PopActiveSnapshot();
	return account;
}

/* an invoice of a linked account is the payer's */
static void
follow_payer(PoTrigger *trigger)
{
	text	   *account_id = po_text(trigger->new, Anum_invoice_account_id);
	text	   *payer = account_id == NULL ? NULL : po_payer_of(trigger->schema, account_id);

	if (payer == NULL)
		return;
	if (po_is_distributed(trigger->schema))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("account \"%s\" is a linked account", text_to_cstring(account_id)),
				 errdetail("Accounts are distributed over servers, and its payer may be on another one."),
				 errhint("Give the payer's account_id, and this one as member_account_id.")));
	po_set_text(trigger->new, Anum_invoice_member_account_id, account_id);
	po_set_text(trigger->new, Anum_invoice_account_id, payer);
}

bool
po_invoice_new(PoTrigger *trigger, PoEntry *entry, bool *tracked)
{
	const PoAccount *account = NULL;
	PoAssociation association = {0};
	PoInvoice	invoice;
	PoInvoice	present;

	po_flight_next_row(trigger->schema);
	normalize(trigger);
	follow_payer(trigger);
	po_check_policies(trigger, Anum_invoice_account_id);
	if (!po_is_null(trigger->new, Anum_invoice_account_id))
		account = po_statement_account(trigger->schema,
								   po_text(trigger->new, Anum_invoice_account_id),
								   PO_FOR_BOOKING);
	set_defaults(trigger, account);
	check_row(trigger);
	if (po_is_null(trigger->new, Anum_invoice_po_number) &&
		!po_is_null(trigger->new, Anum_invoice_line_number))
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("line_number was given without po_number"),
				 errhint("Give both to assign the invoice by hand, or neither.")));

	invoice_from_row(&invoice, trigger->new);
	if (is_there_already(trigger, &invoice, account, &present))
	{
		follow_agreement(trigger, &invoice, &present);
		po_set_null(trigger->new, Anum_invoice_po_number);
		po_set_null(trigger->new, Anum_invoice_line_number);
	}
	else
		account = associate(trigger, &invoice, account, &association);

	po_set_time(trigger->new, Anum_invoice_recorded_at, po_clock_stamp());
	if (association.kind == NULL)
		return false;
	po_check_open(account, invoice.billing_month, true);
	po_entry_of_association(entry, &invoice, &association, account->booked_at);
	set_association(trigger->new, &association, account->booked_at);
	*tracked = association.tracked;
	return true;
}

/* the first entry of an invoice is for what was found for it */
static void
insert_as_owner(PoTrigger *trigger)
{
	PoEntry		entry;
	bool		tracked;
	bool		booked = po_invoice_new(trigger, &entry, &tracked);

	po_flight_row(trigger->rel, PO_ROW_INSERTED, po_row_tuple(trigger->new), NULL,
				  po_is_last(trigger));
	if (booked)
		po_flight_book(&entry, tracked);
}

static void
before_insert(PoTrigger *trigger)
{
	PoIdentity	caller;

	if (po_store_is_writing())
		po_check_next_invoice(trigger->new->tuple, trigger->desc);
	else if (po_is_history(trigger, Anum_invoice_recorded_at))
		check_row(trigger);
	else
	{
		for (size_t i = 0; i < lengthof(system_columns); i++)
			po_refuse_given(trigger, system_columns[i]);
		po_become_owner(trigger, &caller);
		insert_as_owner(trigger);
		po_become(&caller);
	}
	if (!po_is_last(trigger))
		po_statement_seen(po_int64(trigger->new, Anum_invoice_recorded_at),
					  key_of(trigger->new));
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
	PoRow		proposed = {0};

	proposed.desc = trigger->desc;
	proposed.tuple = po_flight_conflicting(trigger->old->tuple, trigger->desc);
	if (proposed.tuple == NULL)
		return;
	for (int attribute = Anum_invoice_po_number;
		 attribute <= Anum_invoice_recorded_at; attribute++)
	{
		bool		isnull;
		Datum		stored = po_column(trigger->old, attribute, &isnull);

		if (po_rows_differ(&proposed, trigger->new, attribute))
			continue;
		if (isnull)
			po_set_null(trigger->new, attribute);
		else
			po_set(trigger->new, attribute, stored);
	}
}

static void
check_update_allowed(PoTrigger *trigger)
{
	po_refuse_changed(trigger, Anum_invoice_po_number);
	po_refuse_changed(trigger, Anum_invoice_line_number);
	for (size_t i = 0; i < lengthof(system_columns); i++)
		po_refuse_changed(trigger, system_columns[i]);
	if (!is_associated(trigger->old))
		return;
	for (size_t i = 0; i < lengthof(matched_columns); i++)
	{
		int			attribute = matched_columns[i];

		if (po_changed(trigger, attribute))
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("column \"%s\" of invoice \"%s\" cannot change while the invoice is associated",
							NameStr(TupleDescAttr(trigger->desc, attribute - 1)->attname),
							text_to_cstring(po_text(trigger->old, Anum_invoice_invoice_id))),
					 errdetail("The invoice was matched by it."),
					 errhint("Release the invoice first.")));
	}
}

/* what the change of an associated invoice gives back; NULL for nothing */
static Numeric
given_back(PoTrigger *trigger)
{
	Numeric		before = po_numeric(trigger->old, Anum_invoice_amount);
	Numeric		back;

	if (!is_associated(trigger->old))
		return NULL;
	if (trigger->is_delete)
		return before;
	back = po_money_subtract(before, po_numeric(trigger->new, Anum_invoice_amount));
	return po_money_sign(back) == 0 ? NULL : back;
}

/* moves the balance by a change, unless the month is closed */
static void
book_change(PoTrigger *trigger, Numeric back)
{
	PoRowChange change = trigger->is_delete ? PO_ROW_DELETED : PO_ROW_UPDATED;
	PoInvoice	invoice;
	PoEntry		entry;

	invoice_from_row(&invoice, trigger->old);
	po_check_open(po_statement_account(trigger->schema, invoice.account_id, PO_FOR_BOOKING),
				  invoice.billing_month, po_caller_may_read(trigger, PO_INVOICE));
	po_entry_of_invoice(&entry, &invoice, trigger->is_delete ? "release" : "correction",
						back,
						po_statement_time(trigger->schema, invoice.account_id, PO_FOR_BOOKING));
	entry.note = cstring_to_text(trigger->is_delete ? "invoice deleted" : "amount changed");
	po_flight_row(trigger->rel, change, po_row_tuple(po_trigger_row(trigger)),
				  &trigger->old->tuple->t_self, false);
	po_flight_book(&entry, po_is_tracked(trigger->schema, &invoice));
}

static void
before_change(PoTrigger *trigger)
{
	PoIdentity	caller;
	Numeric		back;

	po_become_owner(trigger, &caller);
	if (trigger->is_update)
	{
		keep_association(trigger);
		normalize(trigger);
		check_row(trigger);
		check_update_allowed(trigger);
	}
	po_flight_next_row(trigger->schema);
	back = given_back(trigger);
	if (back != NULL)
		book_change(trigger, back);
	else if (trigger->is_update)
		po_flight_row(trigger->rel, PO_ROW_UPDATED, po_row_tuple(trigger->new),
					  &trigger->old->tuple->t_self, false);
	po_become(&caller);
}

/*
 * The store associates the invoice anew (rebook.c): a release entry for the old
 * association, an association entry for the new one.
 */
static void
before_association(PoTrigger *trigger)
{
	TimestampTz now;
	PoInvoice	old;
	PoInvoice	new;
	PoEntry		entry;

	invoice_from_row(&old, trigger->old);
	invoice_from_row(&new, trigger->new);
	now = po_statement_time(trigger->schema, new.account_id, PO_FOR_BOOKING);
	po_flight_next_row(trigger->schema);
	po_flight_row(trigger->rel, PO_ROW_UPDATED, po_row_tuple(trigger->new),
				  &trigger->old->tuple->t_self, false);
	if (old.line_item_id != 0)
	{
		po_entry_of_invoice(&entry, &old, "release", old.amount, now);
		entry.note = po_association_note();
		po_flight_book(&entry, po_is_tracked(trigger->schema, &old));
	}
	if (new.line_item_id != 0)
	{
		po_entry_of_invoice(&entry, &new, "association", po_money_negate(new.amount), now);
		entry.note = po_association_note();
		po_flight_book(&entry, po_is_tracked(trigger->schema, &new));
	}
}

/* ---- AFTER ---- */

/*
 * A trigger that fires after ours can change what no look at the table under
 * the old key finds.  Where there is one, rows are checked once more as they
 * are stored.
 */
static void
check_as_stored(PoTrigger *trigger)
{
	if (trigger->is_update)
		check_update_allowed(trigger);
	else if (!po_statement_was_seen(po_int64(trigger->new, Anum_invoice_recorded_at),
								key_of(trigger->new)))
		ereport(ERROR,
				(errcode(ERRCODE_TRIGGERED_DATA_CHANGE_VIOLATION),
				 errmsg("invoice \"%s\" was changed after it was matched",
						text_to_cstring(po_text(trigger->new, Anum_invoice_invoice_id))),
				 errhint("Let the trigger that changes it fire before \"~po_mgmt_before\", which is by name.")));
}

static void
after(PoTrigger *trigger)
{
	PoIdentity	caller;

	if (!trigger->is_delete && !po_is_last(trigger) &&
		(trigger->is_insert || !po_store_is_writing()))
		check_as_stored(trigger);
	po_become_owner(trigger, &caller);
	po_flight_after(trigger->schema);
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
	else if (trigger.is_update && po_store_is_writing())
		before_association(&trigger);
	else if (trigger.is_insert)
		before_insert(&trigger);
	else
		before_change(&trigger);
	return po_trigger_result(&trigger);
}
