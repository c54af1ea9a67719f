/*
 * rebook.c
 *		The SQL functions that change an association later: assign, release,
 *		rematch and void an invoice, and rematch what has no purchase order.
 *
 * Who may execute them need no right on balances or ledger, but must be able
 * to see the invoice; the books are then written as the tables' owner.  Each
 * does nothing where what it would do is done, so that it can be repeated.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"

#include "associate.h"
#include "attached.h"
#include "clock.h"
#include "contract.h"
#include "find.h"
#include "flight.h"
#include "limits.h"
#include "seller.h"

typedef struct Rebooking
{
	Oid			schema;
	PoIdentity	caller;
	bool		known;			/* is there such an account? it is locked then */
	PoAccount	account;		/* a copy: users' triggers may run meanwhile */
	PoInvoice	invoice;		/* as it is now */
} Rebooking;

/* ---- arguments ---- */

static text *
required(FunctionCallInfo fcinfo, int n, const char *name)
{
	if (PG_ARGISNULL(n))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("%s must not be null", name),
				 errdetail("An invoice is named by account_id, bill_from and invoice_id, an order by its number."),
				 errhint("Give %s.", name)));
	return PG_GETARG_TEXT_PP(n);
}

static bool
read_newest(Oid schema, text *account_id, text *bill_from, text *invoice_id,
			PoInvoice *invoice)
{
	bool		found;

	po_see_newest();
	found = po_read_invoice(schema, account_id, bill_from, invoice_id, invoice);
	PopActiveSnapshot();
	return found;
}

static void
lock_account(Rebooking *rebooking, text *account_id)
{
	const PoAccount *account = po_statement_account(rebooking->schema, account_id,
													PO_FOR_BOOKING);

	rebooking->known = account != NULL;
	if (!rebooking->known)
		return;
	rebooking->account = *account;
	rebooking->account.account_id = po_text_copy(account->account_id);
	rebooking->account.currency = po_text_copy(account->currency);
	rebooking->account.time_zone = po_text_copy(account->time_zone);
}

static const PoAccount *
account_of(const Rebooking *rebooking)
{
	return rebooking->known ? &rebooking->account : NULL;
}

/* with its account locked: the row as it is now, locked too */
static bool
lock_invoice(Oid schema, text *account_id, text *bill_from, text *invoice_id,
			 PoInvoice *invoice)
{
	Datum		args[] = {
		PointerGetDatum(account_id), PointerGetDatum(bill_from), PointerGetDatum(invoice_id)
	};
	int			found;
	PoInvoice  *locked = po_read_invoices(schema, PO_LOCK_INVOICE, args, &found);

	if (found == 0)
		return false;
	*invoice = *locked;
	return true;
}

/* the name that it is stored under: the seller's, or one that was no alias of it when the invoice came */
static text *
find_invoice(Oid schema, text *account_id, text *bill_from, text *invoice_id,
			 PoInvoice *invoice)
{
	text	   *seller = po_seller_name(schema, bill_from);

	if (read_newest(schema, account_id, seller, invoice_id, invoice))
		return seller;
	if (!read_newest(schema, account_id, bill_from, invoice_id, invoice))
		po_report_no_invoice(account_id, seller, invoice_id);
	return bill_from;
}

/* the caller must see it; then its account is locked and it is read again */
static void
begin(Rebooking *rebooking, FunctionCallInfo fcinfo)
{
	text	   *account_id = required(fcinfo, 0, "account_id");
	text	   *bill_from = required(fcinfo, 1, "bill_from");
	text	   *invoice_id = required(fcinfo, 2, "invoice_id");
	Oid			schema = get_func_namespace(fcinfo->flinfo->fn_oid);

	memset(rebooking, 0, sizeof(*rebooking));
	rebooking->schema = schema;
	bill_from = find_invoice(schema, account_id, bill_from, invoice_id, &rebooking->invoice);
	po_become_table_owner(schema, PO_INVOICE, &rebooking->caller);
	/* rows that came to nothing, ON CONFLICT DO NOTHING say, take no balance */
	po_flight_next_row(schema);
	lock_account(rebooking, account_id);
	if (!lock_invoice(schema, account_id, bill_from, invoice_id, &rebooking->invoice))
		po_report_no_invoice(account_id, bill_from, invoice_id);
}

/* writes what was booked, and gives the row back as the function's result */
static Datum
end(Rebooking *rebooking)
{
	PoInvoice  *invoice = &rebooking->invoice;
	Datum		args[] = {
		PointerGetDatum(invoice->account_id), PointerGetDatum(invoice->bill_from),
		PointerGetDatum(invoice->invoice_id)
	};

	po_flight_close(rebooking->schema);
	po_become(&rebooking->caller);
	return po_read_datum(rebooking->schema, PO_READ_INVOICE_ROW, args, NULL);
}

/* ---- sellers that have an alias by now ---- */

static bool
is_there(Oid schema, const PoInvoice *invoice, text *bill_from)
{
	PoInvoice	other;

	return read_newest(schema, invoice->account_id, bill_from, invoice->invoice_id, &other);
}

/*
 * Before it is associated an invoice gets its seller's own name, and so do the
 * credit memos that follow it.
 */
static void
name_seller(Oid schema, PoInvoice *invoice)
{
	text	   *seller = po_seller_name(schema, invoice->bill_from);
	Datum		args[] = {
		PointerGetDatum(invoice->account_id), PointerGetDatum(invoice->bill_from),
		PointerGetDatum(invoice->invoice_id), PointerGetDatum(seller)
	};
	PoInvoice  *memos;
	int			nmemos;

	if (invoice->line_item_id != 0 || po_text_equal(seller, invoice->bill_from))
		return;
	memos = po_read_invoices(schema, PO_READ_FOLLOWERS, args, &nmemos);
	po_check_triggers(schema, PO_INVOICE);
	po_write(schema, PO_NAME_SELLER, args, NULL);
	invoice->bill_from = seller;
	for (int i = 0; i < nmemos; i++)
		if (!is_there(schema, &memos[i], seller))
			name_seller(schema, &memos[i]);
}

/* ---- booking anew ---- */

/* writes the invoice's association; the table's trigger books it (trg_invoice.c) */
static void
rebook(const Rebooking *rebooking, const PoInvoice *invoice,
	   const PoAssociation *association, text *note, bool make_void)
{
	TimestampTz now = po_statement_time(rebooking->schema, invoice->account_id, PO_FOR_BOOKING);
	Datum		args[10] = {
		PointerGetDatum(invoice->account_id), PointerGetDatum(invoice->bill_from),
		PointerGetDatum(invoice->invoice_id)
	};
	char		nulls[11] = "   nnnnnnn";

	if (invoice->line_item_id != 0 || association->kind != NULL)
		po_check_open(account_of(rebooking), invoice->billing_month, true);
	if (association->kind != NULL)
	{
		args[3] = PointerGetDatum(association->po_number);
		args[4] = PointerGetDatum(association->line_number);
		args[5] = CStringGetTextDatum(association->kind);
		args[6] = Int64GetDatum(association->line_item_id);
		args[7] = TimestampTzGetDatum(now);
		args[8] = PointerGetDatum(po_user());
		memset(nulls, ' ', 9);
	}
	if (make_void)
	{
		args[9] = TimestampTzGetDatum(now);
		nulls[9] = ' ';
	}
	po_write_association(rebooking->schema, args, nulls, note);
	po_attached_follow(rebooking->schema, invoice, association->po_number,
					   association->line_number);
}

/* does it go where it is already? */
static bool
stays(const PoInvoice *invoice, const PoAssociation *association)
{
	bool		by_hand = association->kind != NULL && strcmp(association->kind, "manual") == 0;

	return invoice->line_item_id == association->line_item_id &&
		invoice->by_hand == by_hand;
}

/* credit memos follow their original, but for those assigned by hand */
static void
rebook_followers(const Rebooking *rebooking, const PoInvoice *original,
				 const PoAssociation *association, text *note)
{
	Datum		args[] = {
		PointerGetDatum(original->account_id), PointerGetDatum(original->bill_from),
		PointerGetDatum(original->invoice_id)
	};
	PoAssociation followed = *association;
	PoInvoice  *memos;
	int			nmemos;

	if (followed.kind != NULL)
		followed.kind = "credit";
	memos = po_read_invoices(rebooking->schema, PO_READ_FOLLOWERS, args, &nmemos);
	for (int i = 0; i < nmemos; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (memos[i].by_hand || stays(&memos[i], &followed) ||
			!po_text_equal(memos[i].currency, original->currency))
			continue;
		rebook(rebooking, &memos[i], &followed, note, false);
		rebook_followers(rebooking, &memos[i], &followed, note);
	}
}

static void
rebook_all(Rebooking *rebooking, const PoAssociation *association, text *note,
		   bool make_void)
{
	if (stays(&rebooking->invoice, association) && !make_void)
		return;
	rebook(rebooking, &rebooking->invoice, association, note, make_void);
	rebook_followers(rebooking, &rebooking->invoice, association, note);
}

static void
check_not_void(const PoInvoice *invoice)
{
	if (invoice->is_void)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("invoice \"%s\" is void", text_to_cstring(invoice->invoice_id)),
				 errhint("A void invoice is not booked; insert a new one.")));
}

/* the association by today's rules, its own amount given back */
static void
decide(const Rebooking *rebooking, PoAssociation *association)
{
	PoInvoice	anew = rebooking->invoice;

	anew.po_number = anew.line_number = NULL;
	if (rebooking->known)
		po_contract_for_invoice(rebooking->schema, &anew, &rebooking->account);
	po_see_newest();
	po_associate(rebooking->schema, &anew, account_of(rebooking), association);
	PopActiveSnapshot();
}

/* ---- SQL functions ---- */

PG_FUNCTION_INFO_V1(po_assign_invoice);
Datum
po_assign_invoice(PG_FUNCTION_ARGS)
{
	Rebooking	rebooking;
	PoAssociation association = {0};
	PoInvoice	wanted;

	begin(&rebooking, fcinfo);
	check_not_void(&rebooking.invoice);
	name_seller(rebooking.schema, &rebooking.invoice);
	wanted = rebooking.invoice;
	wanted.po_number = po_text_trim(required(fcinfo, 3, "po_number"));
	wanted.line_number = PG_ARGISNULL(4) ? NULL : po_text_trim(PG_GETARG_TEXT_PP(4));
	if (wanted.po_number == NULL)
		po_report_no_order(wanted.account_id, PG_GETARG_TEXT_PP(3));
	po_see_newest();
	po_associate_by_hand(rebooking.schema, &wanted, account_of(&rebooking), &association);
	PopActiveSnapshot();
	rebook_all(&rebooking, &association,
			   PG_ARGISNULL(5) ? NULL : PG_GETARG_TEXT_PP(5), false);
	return end(&rebooking);
}

PG_FUNCTION_INFO_V1(po_release_invoice);
Datum
po_release_invoice(PG_FUNCTION_ARGS)
{
	Rebooking	rebooking;
	PoAssociation nothing = {0};

	begin(&rebooking, fcinfo);
	if (rebooking.invoice.line_item_id != 0)
		rebook_all(&rebooking, &nothing,
				   PG_ARGISNULL(3) ? NULL : PG_GETARG_TEXT_PP(3), false);
	return end(&rebooking);
}

PG_FUNCTION_INFO_V1(po_void_invoice);
Datum
po_void_invoice(PG_FUNCTION_ARGS)
{
	Rebooking	rebooking;
	PoAssociation nothing = {0};

	begin(&rebooking, fcinfo);
	if (!rebooking.invoice.is_void)
		rebook_all(&rebooking, &nothing,
				   PG_ARGISNULL(3) ? NULL : PG_GETARG_TEXT_PP(3), true);
	return end(&rebooking);
}

PG_FUNCTION_INFO_V1(po_rematch_invoice);
Datum
po_rematch_invoice(PG_FUNCTION_ARGS)
{
	Rebooking	rebooking;
	PoAssociation association;

	begin(&rebooking, fcinfo);
	check_not_void(&rebooking.invoice);
	if (!rebooking.invoice.by_hand || (!PG_ARGISNULL(3) && PG_GETARG_BOOL(3)))
	{
		name_seller(rebooking.schema, &rebooking.invoice);
		decide(&rebooking, &association);
		rebook_all(&rebooking, &association, cstring_to_text("matched again"), false);
	}
	return end(&rebooking);
}

/* would it be an error to match the invoice, for itself or a memo of it? */
static bool
is_stuck(const Rebooking *rebooking, const PoInvoice *invoice)
{
	const PoAccount *account = &rebooking->account;
	Datum		args[] = {
		PointerGetDatum(invoice->account_id), PointerGetDatum(invoice->bill_from),
		PointerGetDatum(invoice->invoice_id), PointerGetDatum(invoice->currency),
		PoMonthGetDatum(account->closed_through)
	};
	PoInvoice	original;
	text	   *seller = po_seller_name(rebooking->schema, invoice->bill_from);

	if (!po_text_equal(seller, invoice->bill_from) &&
		is_there(rebooking->schema, invoice, seller))
		return true;
	if (po_find_original(rebooking->schema, invoice, seller, &original) != PO_FOLLOWS_NONE &&
		!po_text_equal(original.currency, invoice->currency))
		return true;
	if (!account->is_closed)
		return false;
	return invoice->billing_month <= account->closed_through ||
		po_exists(rebooking->schema, PO_READ_CLOSED_FOLLOWER, args);
}

/* one of many: what cannot be matched without an error is left as it is */
static bool
rematch_one(Rebooking *rebooking, const PoInvoice *seen)
{
	PoAssociation association;
	PoInvoice  *invoice = &rebooking->invoice;
	bool		stuck;

	lock_account(rebooking, seen->account_id);
	if (!rebooking->known)
		return false;
	if (!lock_invoice(rebooking->schema, seen->account_id, seen->bill_from,
					  seen->invoice_id, invoice) ||
		invoice->line_item_id != 0 || invoice->is_void)
		return false;
	po_see_newest();
	stuck = is_stuck(rebooking, invoice);
	PopActiveSnapshot();
	if (stuck)
		return false;
	name_seller(rebooking->schema, invoice);
	decide(rebooking, &association);
	rebook_all(rebooking, &association, cstring_to_text("matched again"), false);
	return association.kind != NULL;
}

static int64
rematch_all(Rebooking *rebooking, const PoInvoice *invoices, int ninvoices)
{
	MemoryContext row = AllocSetContextCreate(CurrentMemoryContext, "po_mgmt rematch",
											  ALLOCSET_DEFAULT_SIZES);
	MemoryContext caller = MemoryContextSwitchTo(row);
	int64		count = 0;

	for (int i = 0; i < ninvoices; i++)
	{
		CHECK_FOR_INTERRUPTS();
		count += rematch_one(rebooking, &invoices[i]);
		MemoryContextReset(row);
	}
	MemoryContextSwitchTo(caller);
	MemoryContextDelete(row);
	return count;
}

/* the number of invoices that got a purchase order */
PG_FUNCTION_INFO_V1(po_rematch_unassociated);
Datum
po_rematch_unassociated(PG_FUNCTION_ARGS)
{
	Rebooking	rebooking = {0};
	Datum		arg = PG_ARGISNULL(0) ? (Datum) 0 : PG_GETARG_DATUM(0);
	PoInvoice  *invoices;
	int			ninvoices;
	volatile int64 count = 0;
	bool		held;

	rebooking.schema = get_func_namespace(fcinfo->flinfo->fn_oid);
	invoices = po_read_invoices(rebooking.schema, PO_READ_UNASSOCIATED, &arg, &ninvoices);
	po_become_table_owner(rebooking.schema, PO_INVOICE, &rebooking.caller);
	po_flight_next_row(rebooking.schema);
	held = po_flight_hold(true);
	PG_TRY();
	{
		count = rematch_all(&rebooking, invoices, ninvoices);
	}
	PG_FINALLY();
	{
		po_flight_hold(held);
	}
	PG_END_TRY();
	po_flight_close(rebooking.schema);
	po_become(&rebooking.caller);
	PG_RETURN_INT64(count);
}
