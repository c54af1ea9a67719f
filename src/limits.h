/*
 * limits.h
 *		The limits of an account, and errors for an order or invoice that is not there.
 *
 * Counted after the rows are in, under the account's lock.  As the owner.
 */
#ifndef PO_LIMITS_H
#define PO_LIMITS_H

#include "compat.h"
#include "row.h"

extern void po_limit_active_orders(Oid schema, text *account_id);
extern bool po_limit_has_room(Oid schema, const PoAccount *account, PoMonth expiration_month);
extern void po_limit_line_items(Oid schema, text *account_id, text *po_number);
extern void po_limit_contacts(Oid schema, text *account_id, text *po_number);

extern bool po_order_is_active(const PoOrder *order, const PoAccount *account);
PO_NORETURN extern void po_report_no_order(text *account_id, text *po_number);
PO_NORETURN extern void po_report_no_invoice(text *account_id, text *bill_from,
											 text *invoice_id);

#endif							/* PO_LIMITS_H */
