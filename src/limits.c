/*
 * limits.c
 *		The limits of an account.  See limits.h.
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "clock.h"
#include "limits.h"
#include "statement.h"

static PoMonth
this_month(const PoAccount *account)
{
	return po_clock_month(po_clock_now(), account->time_zone);
}

/* not suspended and not expired; one of the future is active too */
bool
po_order_is_active(const PoOrder *order, const PoAccount *account)
{
	return !order->suspended && order->expiration_month >= this_month(account);
}

void
po_limit_active_orders(Oid schema, text *account_id)
{
	const PoAccount *account = po_statement_account(schema, account_id, PO_FOR_CONFIGURATION);
	Datum		args[2];
	int64		count;

	if (account == NULL)
		return;					/* deleted in the same statement */
	args[0] = PointerGetDatum(account_id);
	args[1] = PoMonthGetDatum(this_month(account));
	count = po_count(schema, PO_COUNT_ACTIVE_ORDERS, args);
	if (count > account->max_active_orders)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many active purchase orders in account \"%s\"",
						text_to_cstring(account_id)),
				 errdetail("Account %s would have " INT64_FORMAT " active orders; its limit is %d.",
						   text_to_cstring(account_id), count,
						   account->max_active_orders),
				 errhint("Suspend an order that is no longer used, or raise max_active_orders of the account.")));
}

/* would a new order that is good until that month be within the limits? */
bool
po_limit_has_room(Oid schema, const PoAccount *account, PoMonth expiration_month)
{
	PoMonth		month = this_month(account);
	Datum		args[] = {PointerGetDatum(account->account_id), PoMonthGetDatum(month)};

	return account->max_line_items > 0 &&
		(expiration_month < month ||
		 po_count(schema, PO_COUNT_ACTIVE_ORDERS, args) < account->max_active_orders);
}

/* of one order: line items or contacts */
static void
limit_of_order(Oid schema, text *account_id, text *po_number,
			   PoStatement statement, int limit, const char *what,
			   const char *setting)
{
	Datum		args[] = {PointerGetDatum(account_id), PointerGetDatum(po_number)};
	int64		count = po_count(schema, statement, args);

	if (count > limit)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("too many %s on purchase order \"%s\"", what,
						text_to_cstring(po_number)),
				 errdetail("Order %s of account %s would have " INT64_FORMAT " %s; the limit is %d.",
						   text_to_cstring(po_number),
						   text_to_cstring(account_id), count, what, limit),
				 errhint("Remove one that is no longer used, or raise %s of the account.",
						 setting)));
}

void
po_limit_line_items(Oid schema, text *account_id, text *po_number)
{
	const PoAccount *account = po_statement_account(schema, account_id, PO_FOR_CONFIGURATION);

	if (account != NULL)
		limit_of_order(schema, account_id, po_number, PO_COUNT_LINE_ITEMS,
					   account->max_line_items, "line items", "max_line_items");
}

void
po_limit_contacts(Oid schema, text *account_id, text *po_number)
{
	const PoAccount *account = po_statement_account(schema, account_id, PO_FOR_CONFIGURATION);

	if (account != NULL)
		limit_of_order(schema, account_id, po_number, PO_COUNT_CONTACTS,
					   account->max_contacts, "contacts", "max_contacts");
}

void
po_report_no_order(text *account_id, text *po_number)
{
	ereport(ERROR,
			(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
			 errmsg("purchase order \"%s\" does not exist in account \"%s\"",
					text_to_cstring(po_number), text_to_cstring(account_id)),
			 errdetail("Line items, contacts and assignments by hand need an order that is there."),
			 errhint("Add the order first, or correct the number; numbers are case-sensitive.")));
}

void
po_report_no_invoice(text *account_id, text *bill_from, text *invoice_id)
{
	ereport(ERROR,
			(errcode(ERRCODE_NO_DATA_FOUND),
			 errmsg("invoice \"%s\" of \"%s\" does not exist in account \"%s\"",
					text_to_cstring(invoice_id), text_to_cstring(bill_from),
					text_to_cstring(account_id)),
			 errhint("See po_invoice; ids are case-sensitive.")));
}
