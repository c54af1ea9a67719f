/*
 * associate.c
 *		What an invoice is booked on.  See associate.h.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/snapmgr.h"

#include "associate.h"
#include "best.h"
#include "find.h"
#include "limits.h"

static void
associate_with(PoAssociation *association, const char *kind, const PoLineItem *item)
{
	association->kind = kind;
	association->po_number = item->po_number;
	association->line_number = item->line_number;
	association->line_item_id = item->line_item_id;
	association->tracked = item->balance_tracked;
}

/* the best candidate by the rules, if there is one */
static void
find_best(Oid schema, const PoInvoice *invoice, const PoAccount *account,
		  const char *kind, PoAssociation *association)
{
	PoLineItem	item;

	if (po_best_find(schema, invoice, account, &item))
		associate_with(association, kind, &item);
}

/*
 * A credit memo of a known invoice: to its line item, even if that has been
 * deleted since (then only the numbers are left, in print).
 */
static void
follow_original(Oid schema, const PoInvoice *original,
				const PoInvoice *invoice, PoAssociation *association)
{
	PoLineItem	item;

	if (!po_text_equal(original->currency, invoice->currency))
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("credit memo \"%s\" is in another currency than its original invoice",
						text_to_cstring(invoice->invoice_id)),
				 errhint("Correct the currency, or leave original_invoice_id out.")));
	if (original->line_item_id == 0)
		return;
	association->kind = "credit";
	association->po_number = original->po_number;
	association->line_number = original->line_number;
	association->line_item_id = original->line_item_id;
	association->tracked =
		po_read_line_item(schema, original->account_id,
						  original->line_item_id, &item) && item.balance_tracked;
}

/* the line item of an order by its number, or the only one where none is given */
static bool
find_numbered(Oid schema, const PoInvoice *invoice,
			  const PoOrder *order, text *line_number, PoLineItem *found)
{
	PoReader   *reader = po_reader_open(schema, true);
	const PoLineItem *item;
	int			nfound = 0;

	po_line_items_begin(reader, invoice->account_id, order, NULL, 0);
	while ((item = po_line_items_next(reader)) != NULL)
	{
		if (line_number == NULL || po_text_equal(item->line_number, line_number))
		{
			*found = *po_line_item_keep(reader, item);
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
void
po_associate_by_hand(Oid schema, const PoInvoice *invoice,
			   const PoAccount *account, PoAssociation *association)
{
	PoInvoice	on_order = *invoice;
	PoOrder		order;
	PoLineItem	item;

	if (account == NULL ||
		!po_read_order(schema, invoice->account_id, invoice->po_number, &order))
		po_report_no_order(invoice->account_id, invoice->po_number);
	check_agrees(invoice, &order);
	if (invoice->line_number == NULL)
	{
		on_order.requested_po_number = invoice->po_number;
		on_order.requested_line_number = NULL;
		find_best(schema, &on_order, account, "manual", association);
		if (association->kind != NULL)
			return;
	}
	if (find_numbered(schema, invoice, &order, invoice->line_number, &item))
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

void
po_associate(Oid schema, const PoInvoice *invoice, const PoAccount *account,
			 PoAssociation *association)
{
	PoInvoice	original;

	memset(association, 0, sizeof(*association));
	if (invoice->po_number != NULL)
		po_associate_by_hand(schema, invoice, account, association);
	else if (account == NULL)
		return;
	else if (po_find_original(schema, invoice, invoice->bill_from, &original) != PO_FOLLOWS_NONE)
		follow_original(schema, &original, invoice, association);
	else
		find_best(schema, invoice, account, "automatic", association);
}

void
po_check_open(const PoAccount *account, PoMonth month, bool may_tell)
{
	char		billed[PO_MONTH_BUFSIZE];

	if (account == NULL || !account->is_closed || month > account->closed_through)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 may_tell ? errmsg("billing month %s of account \"%s\" is closed",
							   po_month_format(month, billed),
							   text_to_cstring(account->account_id)) :
			 errmsg("the billing month is closed"),
			 errdetail("The account's closed_through is not before it."),
			 errhint("Book it in an open month, or set po_account.closed_through back.")));
}

/* ---- ledger entries ---- */

void
po_entry_of_invoice(PoEntry *entry, const PoInvoice *invoice, const char *kind,
					Numeric amount, TimestampTz booked_at)
{
	memset(entry, 0, sizeof(*entry));
	entry->account_id = invoice->account_id;
	entry->line_item_id = invoice->line_item_id;
	entry->po_number = invoice->po_number;
	entry->line_number = invoice->line_number;
	entry->bill_from = invoice->bill_from;
	entry->invoice_id = invoice->invoice_id;
	entry->kind = kind;
	entry->amount = amount;
	entry->recorded_at = booked_at;
	entry->recorded_by = po_user();
}

void
po_entry_of_association(PoEntry *entry, const PoInvoice *invoice,
						const PoAssociation *association, TimestampTz booked_at)
{
	po_entry_of_invoice(entry, invoice, "association",
						po_money_negate(invoice->amount), booked_at);
	entry->line_item_id = association->line_item_id;
	entry->po_number = association->po_number;
	entry->line_number = association->line_number;
}

/* is the balance tracked of the line item that the invoice is booked on? */
bool
po_is_tracked(Oid schema, const PoInvoice *invoice)
{
	PoLineItem	item;
	bool		tracked;

	po_see_newest();
	tracked = po_read_line_item(schema, invoice->account_id,
								invoice->line_item_id, &item) &&
		item.balance_tracked;
	PopActiveSnapshot();
	return tracked;
}
