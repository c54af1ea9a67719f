/*
 * contract.c
 *		Contracts of the marketplace.  See contract.h.
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "contract.h"
#include "limits.h"
#include "match.h"
#include "seller.h"
#include "statement.h"

static const char transaction[] = "marketplace.transaction";

/* purchases of an account come one after another, as its bookings do */
void
po_contract_lock(Oid schema, text *account_id)
{
	PoIdentity	caller;

	po_become_table_owner(schema, PO_ACCOUNT, &caller);
	po_statement_account(schema, account_id, PO_FOR_CONFIGURATION);
	po_become(&caller);
}

/* ---- adding a contract ---- */

static void
make_order(Oid schema, const PoContract *contract)
{
	Datum		args[] = {
		PointerGetDatum(contract->account_id), PointerGetDatum(contract->po_number),
		PointerGetDatum(contract->bill_from), PoMonthGetDatum(contract->start_month),
		PoMonthGetDatum(contract->end_month), PointerGetDatum(contract->currency)
	};

	po_write(schema, PO_PURCHASE_ORDER, args, contract->currency ? NULL : "     n");
}

/*
 * The order's months become wide enough.  One that has expired goes on by
 * this, and one that is suspended stays so.
 */
static void
widen_order(Oid schema, const PoContract *contract, const PoOrder *order)
{
	Datum		args[] = {
		PointerGetDatum(contract->account_id), PointerGetDatum(contract->po_number),
		PoMonthGetDatum(contract->start_month), PoMonthGetDatum(contract->end_month)
	};

	if (!po_text_equal(order->bill_from, contract->bill_from))
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("purchase order \"%s\" is not with seller \"%s\"",
						text_to_cstring(contract->po_number),
						text_to_cstring(contract->bill_from)),
				 errdetail("Its seller is \"%s\".", text_to_cstring(order->bill_from)),
				 errhint("Give the number of an order with this seller, or a new number.")));
	if (contract->start_month < order->effective_month ||
		contract->end_month > order->expiration_month)
		po_write(schema, PO_WIDEN_ORDER, args, NULL);
}

static text *
add_line_item(Oid schema, const PoContract *contract)
{
	Datum		args[] = {
		PointerGetDatum(contract->account_id), PointerGetDatum(contract->po_number),
		PoMonthGetDatum(contract->start_month), PoMonthGetDatum(contract->end_month),
		NumericGetDatum(contract->amount), PointerGetDatum(contract->agreement_id),
		PointerGetDatum(contract->line_number), PointerGetDatum(contract->description)
	};
	char		nulls[] = "        ";

	if (contract->line_number == NULL)
		nulls[6] = 'n';
	if (contract->description == NULL)
		nulls[7] = 'n';
	return po_read_text(schema, PO_PURCHASE_LINE_ITEM, args, nulls);
}

text *
po_contract_add(Oid schema, const PoContract *contract)
{
	PoOrder		order;

	if (po_newest_order(schema, contract->account_id, contract->po_number, &order))
		widen_order(schema, contract, &order);
	else
		make_order(schema, contract);
	return add_line_item(schema, contract);
}

/* ---- invoices ---- */

static bool
is_transaction(const PoInvoice *invoice)
{
	return po_line_type_covers(transaction, sizeof(transaction) - 1,
							   VARDATA_ANY(invoice->line_type),
							   VARSIZE_ANY_EXHDR(invoice->line_type));
}

/* an invoice of a contract that asks for an order which is not there */
static bool
asks_for_new_order(Oid schema, const PoInvoice *invoice)
{
	Datum		account_id = PointerGetDatum(invoice->account_id);
	PoOrder		order;

	return !invoice->is_credit_memo && invoice->agreement_id != NULL &&
		invoice->requested_po_number != NULL && is_transaction(invoice) &&
		po_ask(schema, PO_READ_INTEGRATION, &account_id) != PO_NO &&
		!po_newest_order(schema, invoice->account_id, invoice->requested_po_number, &order);
}

/* would the order be refused? then the invoice stays without one */
static bool
may_be_made(Oid schema, const PoContract *contract, const PoAccount *account)
{
	return po_is_number(contract->po_number) &&
		(contract->line_number == NULL || po_is_number(contract->line_number)) &&
		po_seller_may_bill(schema, contract->bill_from, cstring_to_text(transaction)) &&
		(account == NULL || po_limit_has_room(schema, account, contract->end_month));
}

/* as a purchase of the month billed; and of the month of issue, where that counts */
static void
contract_of_invoice(PoContract *contract, const PoInvoice *invoice, const PoAccount *account)
{
	PoBill		bill;

	memset(contract, 0, sizeof(*contract));
	contract->account_id = invoice->account_id;
	contract->po_number = invoice->requested_po_number;
	contract->line_number = invoice->requested_line_number;
	contract->bill_from = invoice->bill_from;
	contract->currency = invoice->currency;
	contract->agreement_id = invoice->agreement_id;
	contract->amount = invoice->amount;
	contract->start_month = contract->end_month = invoice->billing_month;
	if (account == NULL)
		return;
	po_bill_init(&bill, invoice, account, 0);
	contract->start_month = Min(bill.line_month, bill.order_month);
	contract->end_month = Max(bill.line_month, bill.order_month);
}

bool
po_contract_for_invoice(Oid schema, const PoInvoice *invoice, const PoAccount *account)
{
	PoContract	contract;

	if (!asks_for_new_order(schema, invoice) ||
		(account != NULL && account->is_closed &&
		 invoice->billing_month <= account->closed_through))
		return false;
	contract_of_invoice(&contract, invoice, account);
	if (!may_be_made(schema, &contract, account))
		return false;
	/* users' triggers fire as the owner */
	po_check_triggers(schema, PO_ORDER);
	po_check_triggers(schema, PO_LINE_ITEM);
	po_contract_add(schema, &contract);
	return true;
}

text *
po_contract_moved_to(Oid schema, const PoInvoice *invoice)
{
	Datum		args[] = {
		PointerGetDatum(invoice->account_id), PointerGetDatum(invoice->agreement_id),
		PointerGetDatum(invoice->requested_po_number),
		PointerGetDatum(invoice->requested_line_number)
	};
	char		nulls[] = "    ";

	if (invoice->agreement_id == NULL || !is_transaction(invoice))
		return NULL;
	if (invoice->requested_po_number == NULL)
		nulls[2] = nulls[3] = 'n';
	else if (invoice->requested_line_number == NULL)
		nulls[3] = 'n';
	return po_read_text(schema, PO_READ_MOVED_TO, args, nulls);
}
