/*
 * row.h
 *		Row structs: an account, order, line item and invoice in C.
 *
 * Each struct holds what the rules and triggers need of a row, detoasted and
 * in memory of its own; a null text, array or numeric is a NULL pointer.  The
 * po_*_from functions fill them from the values of a row, whatever read it.
 * Most orders and line items are looked at only: po_*_view leaves what they
 * point to in the row, and po_*_copy copies that.
 * Reading the row is the store's, deciding on it is the match's.
 */
#ifndef PO_ROW_H
#define PO_ROW_H

#include "access/htup.h"
#include "access/tupdesc.h"
#include "utils/array.h"
#include "utils/hsearch.h"
#include "utils/timestamp.h"

#include "line_type.h"
#include "money.h"
#include "month.h"

/* po_account.period_basis */
typedef enum PoPeriodBasis
{
	PO_BILLING_PERIOD,
	PO_ISSUE_DATE,
	PO_STATUS_ON_ISSUE
} PoPeriodBasis;

/* a boolean that may be null */
typedef enum PoTristate
{
	PO_NO,
	PO_YES,
	PO_UNKNOWN
} PoTristate;

typedef struct PoAccount
{
	text	   *account_id;
	text	   *currency;
	PoPeriodBasis period_basis;
	text	   *time_zone;
	int32		max_active_orders;
	int32		max_line_items;
	int32		max_contacts;
	bool		is_closed;		/* are months closed? */
	PoMonth		closed_through;
	TimestampTz booked_at;
} PoAccount;

typedef struct PoOrder
{
	text	   *po_number;
	text	   *bill_from;
	bool		suspended;
	PoMonth		effective_month;
	PoMonth		expiration_month;
	text	   *currency;
	ArrayType  *tax_registration_numbers;
	TimestampTz updated_at;
} PoOrder;

typedef struct PoLineItem
{
	int64		line_item_id;
	text	   *po_number;
	text	   *line_number;
	PoLineType *line_type;
	PoMonth		start_month;
	PoMonth		end_month;
	bool		balance_tracked;
	Numeric		balance;
	text	   *agreement_id;
} PoLineItem;

/* an invoice as it is matched; more of its columns only the triggers know */
typedef struct PoInvoice
{
	text	   *account_id;
	text	   *bill_from;
	text	   *invoice_id;
	bool		is_credit_memo;
	PoLineType *line_type;
	PoMonth		billing_month;
	bool		is_issued;		/* is issued_on known? */
	DateADT		issued_on;
	Numeric		amount;
	text	   *currency;
	text	   *tax_registration_number;
	text	   *agreement_id;
	text	   *requested_po_number;
	text	   *requested_line_number;
	PoTristate	out_of_cycle;
	text	   *original_invoice_id;
	text	   *po_number;
	text	   *line_number;
	int64		line_item_id;	/* 0: not associated */
	bool		by_hand;		/* associated by hand */
	bool		is_void;
} PoInvoice;

/*
 * The columns that fill a struct, in the order in which the arrays of values
 * and nulls hold them.  The store's queries list them in this order; a row of
 * the table itself has them at the places in po_*_attributes.
 */
#define PO_ACCOUNT_COLUMNS \
	"account_id, currency, period_basis, time_zone, max_active_orders, " \
	"max_line_items, max_contacts, closed_through, booked_at"
#define PO_ACCOUNT_NCOLUMNS 9

#define PO_ORDER_COLUMNS \
	"po_number, bill_from, status, effective_month, expiration_month, " \
	"currency, tax_registration_numbers, updated_at"
#define PO_ORDER_NCOLUMNS 8

#define PO_LINE_ITEM_COLUMNS \
	"line_item_id, po_number, line_number, line_type, start_month, " \
	"end_month, balance_tracked, balance, agreement_id"
#define PO_LINE_ITEM_NCOLUMNS 9

#define PO_INVOICE_COLUMNS \
	"account_id, bill_from, invoice_id, kind, line_type, billing_month, " \
	"issued_on, amount, currency, tax_registration_number, agreement_id, " \
	"requested_po_number, requested_line_number, out_of_cycle, " \
	"original_invoice_id, po_number, line_number, line_item_id, " \
	"association_kind, voided_at"
#define PO_INVOICE_NCOLUMNS 20

extern const AttrNumber po_account_attributes[PO_ACCOUNT_NCOLUMNS];
extern const AttrNumber po_order_attributes[PO_ORDER_NCOLUMNS];
extern const AttrNumber po_line_item_attributes[PO_LINE_ITEM_NCOLUMNS];
extern const AttrNumber po_invoice_attributes[PO_INVOICE_NCOLUMNS];

extern void po_account_from(PoAccount *account, const Datum *values, const bool *nulls);
extern void po_order_from(PoOrder *order, const Datum *values, const bool *nulls);
extern void po_order_view(PoOrder *order, const Datum *values, const bool *nulls);
extern void po_order_copy(PoOrder *order);
extern void po_line_item_from(PoLineItem *item, const Datum *values, const bool *nulls);
extern void po_line_item_view(PoLineItem *item, const Datum *values, const bool *nulls);
extern void po_line_item_copy(PoLineItem *item);
extern void po_invoice_from(PoInvoice *invoice, const Datum *values, const bool *nulls);

extern void po_invoice_from_tuple(PoInvoice *invoice, HeapTuple tuple, TupleDesc desc);
extern AttrNumber po_invoice_difference(HeapTuple a, HeapTuple b, TupleDesc desc);
extern void po_invoice_normalize(PoInvoice *invoice);

/* texts that may be NULL; a null equals nothing */
extern bool po_text_equal(const text *a, const text *b);
extern HTAB *po_text_hash_create(const char *name, Size entrysize, MemoryContext context);
extern text *po_text_copy(const text *value);
extern text *po_text_trim(text *value);
extern text *po_text_upper(text *value);

/* numbers that are printed, of orders, line items, invoices */
#define PO_MAX_NUMBER_LENGTH 200	/* characters */
extern int	po_text_control_character(const text *value);
extern bool po_is_number(const text *value);

#endif							/* PO_ROW_H */
