/*
 * row.c
 *		Row structs from the values of a row.  See row.h.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "common/hashfn.h"
#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datum.h"

#include "row.h"
#include "schema.h"

const AttrNumber po_account_attributes[PO_ACCOUNT_NCOLUMNS] = {
	Anum_account_account_id,
	Anum_account_currency,
	Anum_account_period_basis,
	Anum_account_time_zone,
	Anum_account_max_active_orders,
	Anum_account_max_line_items,
	Anum_account_max_contacts,
	Anum_account_closed_through,
	Anum_account_booked_at
};

const AttrNumber po_order_attributes[PO_ORDER_NCOLUMNS] = {
	Anum_order_po_number,
	Anum_order_bill_from,
	Anum_order_status,
	Anum_order_effective_month,
	Anum_order_expiration_month,
	Anum_order_currency,
	Anum_order_tax_registration_numbers,
	Anum_order_updated_at
};

const AttrNumber po_line_item_attributes[PO_LINE_ITEM_NCOLUMNS] = {
	Anum_line_item_line_item_id,
	Anum_line_item_po_number,
	Anum_line_item_line_number,
	Anum_line_item_line_type,
	Anum_line_item_start_month,
	Anum_line_item_end_month,
	Anum_line_item_balance_tracked,
	Anum_line_item_balance,
	Anum_line_item_agreement_id
};

const AttrNumber po_invoice_attributes[PO_INVOICE_NCOLUMNS] = {
	Anum_invoice_account_id,
	Anum_invoice_bill_from,
	Anum_invoice_invoice_id,
	Anum_invoice_kind,
	Anum_invoice_line_type,
	Anum_invoice_billing_month,
	Anum_invoice_issued_on,
	Anum_invoice_amount,
	Anum_invoice_currency,
	Anum_invoice_tax_registration_number,
	Anum_invoice_agreement_id,
	Anum_invoice_requested_po_number,
	Anum_invoice_requested_line_number,
	Anum_invoice_out_of_cycle,
	Anum_invoice_original_invoice_id,
	Anum_invoice_po_number,
	Anum_invoice_line_number,
	Anum_invoice_line_item_id,
	Anum_invoice_association_kind,
	Anum_invoice_voided_at
};

/* copies, because the values live in a page or a tuple that goes away */
static text *
text_from(Datum value, bool isnull)
{
	return isnull ? NULL : DatumGetTextPCopy(value);
}

/* not copied, for rows that are looked at only */
static text *
text_in(Datum value, bool isnull)
{
	return isnull ? NULL : DatumGetTextPP(value);
}

static Numeric
numeric_from(Datum value, bool isnull)
{
	return isnull ? NULL : DatumGetNumericCopy(value);
}

static bool
text_is(Datum value, const char *expected)
{
	text	   *actual = DatumGetTextPP(value);
	size_t		len = strlen(expected);

	return VARSIZE_ANY_EXHDR(actual) == len &&
		memcmp(VARDATA_ANY(actual), expected, len) == 0;
}

static PoPeriodBasis
period_basis_from(Datum value)
{
	if (text_is(value, "billing_period"))
		return PO_BILLING_PERIOD;
	if (text_is(value, "issue_date"))
		return PO_ISSUE_DATE;
	return PO_STATUS_ON_ISSUE;
}

void
po_account_from(PoAccount *account, const Datum *values, const bool *nulls)
{
	account->account_id = text_from(values[0], nulls[0]);
	account->currency = text_from(values[1], nulls[1]);
	account->period_basis = period_basis_from(values[2]);
	account->time_zone = text_from(values[3], nulls[3]);
	account->max_active_orders = DatumGetInt32(values[4]);
	account->max_line_items = DatumGetInt32(values[5]);
	account->max_contacts = DatumGetInt32(values[6]);
	account->is_closed = !nulls[7];
	account->closed_through = nulls[7] ? 0 : DatumGetPoMonth(values[7]);
	account->booked_at = DatumGetTimestampTz(values[8]);
}

void
po_order_view(PoOrder *order, const Datum *values, const bool *nulls)
{
	order->po_number = text_in(values[0], nulls[0]);
	order->bill_from = text_in(values[1], nulls[1]);
	order->suspended = text_is(values[2], "suspended");
	order->effective_month = DatumGetPoMonth(values[3]);
	order->expiration_month = DatumGetPoMonth(values[4]);
	order->currency = text_in(values[5], nulls[5]);
	order->tax_registration_numbers = nulls[6] ? NULL : DatumGetArrayTypeP(values[6]);
	order->updated_at = DatumGetTimestampTz(values[7]);
}

void
po_order_copy(PoOrder *order)
{
	order->po_number = po_text_copy(order->po_number);
	order->bill_from = po_text_copy(order->bill_from);
	order->currency = po_text_copy(order->currency);
	if (order->tax_registration_numbers != NULL)
		order->tax_registration_numbers =
			DatumGetArrayTypePCopy(PointerGetDatum(order->tax_registration_numbers));
}

void
po_order_from(PoOrder *order, const Datum *values, const bool *nulls)
{
	po_order_view(order, values, nulls);
	po_order_copy(order);
}

void
po_line_item_view(PoLineItem *item, const Datum *values, const bool *nulls)
{
	item->line_item_id = DatumGetInt64(values[0]);
	item->po_number = text_in(values[1], nulls[1]);
	item->line_number = text_in(values[2], nulls[2]);
	item->line_type = text_in(values[3], nulls[3]);
	item->start_month = DatumGetPoMonth(values[4]);
	item->end_month = DatumGetPoMonth(values[5]);
	item->balance_tracked = DatumGetBool(values[6]);
	item->balance = nulls[7] ? NULL : DatumGetNumeric(values[7]);
	item->agreement_id = text_in(values[8], nulls[8]);
}

void
po_line_item_copy(PoLineItem *item)
{
	item->po_number = po_text_copy(item->po_number);
	item->line_number = po_text_copy(item->line_number);
	item->line_type = po_text_copy(item->line_type);
	if (item->balance != NULL)
		item->balance = DatumGetNumericCopy(NumericGetDatum(item->balance));
	item->agreement_id = po_text_copy(item->agreement_id);
}

void
po_line_item_from(PoLineItem *item, const Datum *values, const bool *nulls)
{
	po_line_item_view(item, values, nulls);
	po_line_item_copy(item);
}

void
po_invoice_from(PoInvoice *invoice, const Datum *values, const bool *nulls)
{
	invoice->account_id = text_from(values[0], nulls[0]);
	invoice->bill_from = text_from(values[1], nulls[1]);
	invoice->invoice_id = text_from(values[2], nulls[2]);
	invoice->is_credit_memo = !nulls[3] && text_is(values[3], "credit_memo");
	invoice->line_type = text_from(values[4], nulls[4]);
	invoice->billing_month = nulls[5] ? 0 : DatumGetPoMonth(values[5]);
	invoice->is_issued = !nulls[6];
	invoice->issued_on = nulls[6] ? 0 : DatumGetDateADT(values[6]);
	invoice->amount = numeric_from(values[7], nulls[7]);
	invoice->currency = text_from(values[8], nulls[8]);
	invoice->tax_registration_number = text_from(values[9], nulls[9]);
	invoice->agreement_id = text_from(values[10], nulls[10]);
	invoice->requested_po_number = text_from(values[11], nulls[11]);
	invoice->requested_line_number = text_from(values[12], nulls[12]);
	invoice->out_of_cycle = nulls[13] ? PO_UNKNOWN :
		DatumGetBool(values[13]) ? PO_YES : PO_NO;
	invoice->original_invoice_id = text_from(values[14], nulls[14]);
	invoice->po_number = text_from(values[15], nulls[15]);
	invoice->line_number = text_from(values[16], nulls[16]);
	invoice->line_item_id = nulls[17] ? 0 : DatumGetInt64(values[17]);
	invoice->by_hand = !nulls[18] && text_is(values[18], "manual");
	invoice->is_void = !nulls[19];
}

void
po_invoice_from_tuple(PoInvoice *invoice, HeapTuple tuple, TupleDesc desc)
{
	Datum		values[PO_INVOICE_NCOLUMNS];
	bool		nulls[PO_INVOICE_NCOLUMNS];

	for (int i = 0; i < PO_INVOICE_NCOLUMNS; i++)
		values[i] = heap_getattr(tuple, po_invoice_attributes[i], desc,
								 &nulls[i]);
	po_invoice_from(invoice, values, nulls);
}

/* are two rows the same to the byte? as a rule, where nothing was changed */
static bool
same_bytes(HeapTuple a, HeapTuple b, TupleDesc desc)
{
	uint32		header = a->t_data->t_hoff;

	return a->t_len == b->t_len && header == b->t_data->t_hoff &&
		memcmp((char *) a->t_data + header, (char *) b->t_data + header,
			   a->t_len - header) == 0 &&
		HeapTupleHasNulls(a) == HeapTupleHasNulls(b) &&
		(!HeapTupleHasNulls(a) ||
		 memcmp(a->t_data->t_bits, b->t_data->t_bits, BITMAPLEN(desc->natts)) == 0);
}

/*
 * The first column by which two rows of po_invoice say something else, but for
 * due_on and columns that users added; 0 where there is none.
 */
AttrNumber
po_invoice_difference(HeapTuple a, HeapTuple b, TupleDesc desc)
{
	if (same_bytes(a, b, desc))
		return 0;
	for (AttrNumber attribute = 1; attribute <= Anum_invoice_recorded_at; attribute++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, attribute - 1);
		bool		a_isnull;
		bool		b_isnull;
		Datum		a_value = heap_getattr(a, attribute, desc, &a_isnull);
		Datum		b_value = heap_getattr(b, attribute, desc, &b_isnull);

		if (attribute != Anum_invoice_due_on &&
			(a_isnull != b_isnull ||
			 (!a_isnull && !datum_image_eq(a_value, b_value, att->attbyval, att->attlen))))
			return attribute;
	}
	return 0;
}

bool
po_text_equal(const text *a, const text *b)
{
	return a != NULL && b != NULL &&
		VARSIZE_ANY_EXHDR(a) == VARSIZE_ANY_EXHDR(b) &&
		memcmp(VARDATA_ANY(a), VARDATA_ANY(b), VARSIZE_ANY_EXHDR(a)) == 0;
}

text *
po_text_copy(const text *value)
{
	return value == NULL ? NULL :
		cstring_to_text_with_len(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));
}

/* without outer white space; NULL where nothing is left */
text *
po_text_trim(text *value)
{
	const char *start;
	const char *end;

	if (value == NULL)
		return NULL;
	start = VARDATA_ANY(value);
	end = start + VARSIZE_ANY_EXHDR(value);
	while (start < end && strchr(" \t\n\r\v\f", *start) != NULL)
		start++;
	while (start < end && strchr(" \t\n\r\v\f", end[-1]) != NULL)
		end--;
	if (start == end)
		return NULL;
	if ((size_t) (end - start) == VARSIZE_ANY_EXHDR(value))
		return value;
	return cstring_to_text_with_len(start, end - start);
}

static bool
has_lower(const text *value)
{
	for (size_t i = 0; i < VARSIZE_ANY_EXHDR(value); i++)
		if (VARDATA_ANY(value)[i] >= 'a' && VARDATA_ANY(value)[i] <= 'z')
			return true;
	return false;
}

/* ASCII letters in upper case, for currencies; the argument stays as it is */
text *
po_text_upper(text *value)
{
	char	   *upper;

	if (value == NULL || !has_lower(value))
		return value;
	upper = text_to_cstring(value);
	for (char *byte = upper; *byte != '\0'; byte++)
		*byte = pg_ascii_toupper((unsigned char) *byte);
	return cstring_to_text(upper);
}

/* the place of its first control character, or -1 */
int
po_text_control_character(const text *value)
{
	const unsigned char *data = (const unsigned char *) VARDATA_ANY(value);
	int			len = VARSIZE_ANY_EXHDR(value);

	/* those below 0x20, delete, and in Unicode U+0080 to U+009F */
	for (int i = 0; i < len; i++)
		if (data[i] < 0x20 || data[i] == 0x7f ||
			(data[i] == 0xc2 && GetDatabaseEncoding() == PG_UTF8 && data[i + 1] < 0xa0))
			return i;
	return -1;
}

/* may an order or line item have it? */
bool
po_is_number(const text *value)
{
	int			nchars = pg_mbstrlen_with_len(VARDATA_ANY(value), VARSIZE_ANY_EXHDR(value));

	return nchars >= 1 && nchars <= PO_MAX_NUMBER_LENGTH &&
		po_text_control_character(value) < 0;
}

/* what an invoice's texts mean, however they were typed */
void
po_invoice_normalize(PoInvoice *invoice)
{
	invoice->currency = po_text_upper(invoice->currency);
	invoice->requested_po_number = po_text_trim(invoice->requested_po_number);
	invoice->requested_line_number = po_text_trim(invoice->requested_line_number);
}

static uint32
hash_text_key(const void *key, Size keysize)
{
	const text *value = *(text *const *) key;

	return hash_bytes((const unsigned char *) VARDATA_ANY(value),
					  VARSIZE_ANY_EXHDR(value));
}

static int
match_text_key(const void *a, const void *b, Size keysize)
{
	return po_text_equal(*(text *const *) a, *(text *const *) b) ? 0 : 1;
}

/* a hash table whose key is a text, at the beginning of its entries */
HTAB *
po_text_hash_create(const char *name, Size entrysize, MemoryContext context)
{
	HASHCTL		ctl;

	ctl.keysize = sizeof(text *);
	ctl.entrysize = entrysize;
	ctl.hash = hash_text_key;
	ctl.match = match_text_key;
	ctl.hcxt = context;
	return hash_create(name, 64, &ctl,
					   HASH_ELEM | HASH_FUNCTION | HASH_COMPARE | HASH_CONTEXT);
}
