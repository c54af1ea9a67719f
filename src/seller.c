/*
 * seller.c
 *		Sellers and payers.  See seller.h.
 */
#include "postgres.h"

#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/snapmgr.h"

#include "seller.h"
#include "statement.h"

/* by the index of one table, as the owner, on the newest rows */
static text *
read_name(Oid schema, text *(*read) (PoReader *, text *), text *name)
{
	PoReader   *reader;
	text	   *found;

	po_see_newest();
	reader = po_reader_open(schema, true);
	found = read(reader, name);
	po_reader_close(reader);
	PopActiveSnapshot();
	return found;
}

/* remembers the last one, for a load has few sellers */
text *
po_seller_name(Oid schema, text *name)
{
	static PoLastRead last;
	text	   *seller;

	if (name == NULL || po_statement_recall(&last, name, &seller))
		return name == NULL ? NULL : seller;
	seller = read_name(schema, po_read_alias, name);
	if (seller == NULL)
		seller = name;
	po_statement_remember(&last, name, seller);
	return seller;
}

void
po_name_as_stored(Oid schema, Datum *key)
{
	text	   *name = DatumGetTextPP(key[1]);
	text	   *seller = po_seller_name(schema, name);

	key[1] = PointerGetDatum(seller);
	if (!po_text_equal(seller, name) && !po_exists(schema, PO_READ_INVOICE_OF, key))
		key[1] = PointerGetDatum(name);
}

/* the same for the payer of an account that is linked to one */
text *
po_payer_of(Oid schema, text *account_id)
{
	static PoLastRead last;
	text	   *payer;

	if (!po_statement_recall(&last, account_id, &payer))
	{
		payer = read_name(schema, po_read_payer, account_id);
		po_statement_remember(&last, account_id, payer);
	}
	return payer;
}

/* the seller, or type, that a row refers to; it stays for the transaction */
bool
po_require_seller(Oid schema, text *bill_from)
{
	Datum		arg = PointerGetDatum(bill_from);
	PoTristate	enabled = po_ask(schema, PO_KEEP_SELLER, &arg);

	if (enabled == PO_UNKNOWN)
		ereport(ERROR,
				(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
				 errmsg("seller \"%s\" is not known", text_to_cstring(bill_from)),
				 errdetail("bill_from must be a row of po_seller, or an alias of one."),
				 errhint("See po_seller and po_seller_alias, or add the seller.")));
	return enabled == PO_YES;
}

static bool
require_type(Oid schema, PoLineType *line_type, PoStatement statement)
{
	Datum		arg = PointerGetDatum(line_type);
	PoTristate	enabled = po_ask(schema, statement, &arg);

	if (enabled == PO_UNKNOWN)
		ereport(ERROR,
				(errcode(ERRCODE_FOREIGN_KEY_VIOLATION),
				 errmsg("line type \"%s\" is not known", text_to_cstring(line_type)),
				 errdetail("It must be a row of po_taxonomy."),
				 errhint("See po_taxonomy, or add the type.")));
	return enabled == PO_YES;
}

void
po_require_type(Oid schema, PoLineType *line_type)
{
	require_type(schema, line_type, PO_KEEP_TYPE);
}

void
po_check_seller(Oid schema, text *bill_from)
{
	if (!po_require_seller(schema, bill_from))
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("seller \"%s\" is switched off", text_to_cstring(bill_from)),
				 errhint("Set po_seller.enabled for it, or name another seller.")));
}

void
po_check_type(Oid schema, PoLineType *line_type)
{
	if (!require_type(schema, line_type, PO_READ_TYPE_ENABLED))
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("line type \"%s\" is switched off", text_to_cstring(line_type)),
				 errhint("Set po_taxonomy.enabled for it, or use another type.")));
}

/* the type and its ancestors other than the root, as an array */
static Datum
billed_as(Oid schema, PoLineType *line_type)
{
	Oid			type_oid = get_atttype(po_table_oid(schema, PO_TAXONOMY),
									   Anum_taxonomy_line_type);
	const char *path = VARDATA_ANY(line_type);
	int			len = VARSIZE_ANY_EXHDR(line_type);
	Datum		paths[PO_LINE_TYPE_MAX_LEVELS];
	int			n = po_line_type_specificity(path, len);
	int16		typlen;
	bool		typbyval;
	char		typalign;

	for (int depth = 1; depth <= n; depth++)
		paths[depth - 1] = PointerGetDatum(
			cstring_to_text_with_len(path, po_line_type_prefix_len(path, len, depth)));
	get_typlenbyvalalign(type_oid, &typlen, &typbyval, &typalign);
	return PointerGetDatum(construct_array(paths, n, type_oid, typlen, typbyval,
										   typalign));
}

static bool
bills(Oid schema, text *bill_from, PoLineType *line_type)
{
	Datum		args[2];

	if (po_line_type_is_root(VARDATA_ANY(line_type), VARSIZE_ANY_EXHDR(line_type)))
		return true;
	args[0] = PointerGetDatum(bill_from);
	args[1] = billed_as(schema, line_type);
	return po_ask(schema, PO_READ_SELLER_BILLS, args) == PO_YES;
}

bool
po_seller_may_bill(Oid schema, text *bill_from, PoLineType *line_type)
{
	Datum		seller = PointerGetDatum(bill_from);
	Datum		type = PointerGetDatum(line_type);

	return po_ask(schema, PO_READ_SELLER_ENABLED, &seller) == PO_YES &&
		po_ask(schema, PO_READ_TYPE_ENABLED, &type) == PO_YES &&
		bills(schema, bill_from, line_type);
}

void
po_check_seller_bills(Oid schema, text *bill_from, PoLineType *line_type,
					  bool may_name)
{
	if (!bills(schema, bill_from, line_type))
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("seller \"%s\" does not bill line type \"%s\"",
						may_name ? text_to_cstring(bill_from) : "of the order",
						text_to_cstring(line_type)),
				 errdetail("po_seller_line_type lists what a seller bills."),
				 errhint("Use a type that the seller bills, or add the type to po_seller_line_type.")));
}
