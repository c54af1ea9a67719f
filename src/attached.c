/*
 * attached.c
 *		The numbers in attached tables follow the association of their invoices.
 *
 * An invoice does not say which table it came from; the tables that are
 * attached are asked for a row that is this invoice.
 */
#include "postgres.h"

#include "access/table.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "attached.h"
#include "mapping.h"
#include "seller.h"

/* the columns of an attached table that are filled in */
typedef struct Filled
{
	int			n;
	AttrNumber	columns[2];
	text	   *values[2];
	text	  **texts[2];		/* arrays of one */
} Filled;

static void
add_filled(Filled *filled, const PoMapping *mapping, int attribute, text *value)
{
	AttrNumber	column = po_mapping_filled(mapping, attribute);

	if (column == 0)
		return;
	filled->columns[filled->n] = column;
	filled->values[filled->n] = value;
	filled->texts[filled->n] = &filled->values[filled->n];
	filled->n++;
}

/*
 * Is the row of an attached table this invoice, or of a member of its account?
 * What the table's owner put into generated columns and casts runs as himself.
 */
static bool
is_invoice(Oid schema, Relation rel, PoMapping *mapping, HeapTuple row, int natts,
		   const PoInvoice *invoice)
{
	Datum	   *values = palloc(natts * sizeof(Datum));
	bool	   *nulls = palloc(natts * sizeof(bool));
	Datum		args[3];
	PoIdentity	before;

	po_become_role(rel->rd_rel->relowner, &before);
	po_mapping_eval(mapping, row, values, nulls);
	po_become(&before);
	if (nulls[Anum_invoice_account_id - 1] || nulls[Anum_invoice_bill_from - 1])
		return false;
	args[0] = PointerGetDatum(invoice->account_id);
	args[1] = values[Anum_invoice_account_id - 1];
	return po_text_equal(DatumGetTextPP(values[Anum_invoice_invoice_id - 1]), invoice->invoice_id) &&
		po_text_equal(po_seller_name(schema, DatumGetTextPP(values[Anum_invoice_bill_from - 1])),
					  invoice->bill_from) &&
		(po_text_equal(DatumGetTextPP(args[1]), invoice->account_id) ||
		 po_exists(schema, PO_READ_MEMBER_OF, args));
}

static void
fill(Oid schema, Relation rel, PoMapping *mapping, int natts, const PoInvoice *invoice,
	 const Filled *filled)
{
	AttrNumber	key = po_mapping_column(mapping, Anum_invoice_invoice_id);
	int			nrows;
	PoIdentity	before;
	PoAttachedRow *rows;

	po_become_role(rel->rd_rel->relowner, &before);
	rows = po_read_attached_rows(rel, key, invoice->invoice_id, &nrows);
	po_become(&before);
	for (int i = 0; i < nrows; i++)
	{
		if (!is_invoice(schema, rel, mapping, rows[i].tuple, natts, invoice))
			continue;
		po_become_role(rel->rd_rel->relowner, &before);
		po_fill_attached(rel, &rows[i], 1, filled->n, filled->columns, filled->texts);
		po_become(&before);
	}
}

PoMapping *
po_attached_mapping(const char *text, Relation rel, TupleDesc invoice)
{
	PoMapping  *mapping;
	PoIdentity	before;

	po_become_role(rel->rd_rel->relowner, &before);
	mapping = po_mapping_make(text, rel, invoice);
	po_become(&before);
	return mapping;
}

void
po_attached_follow(Oid schema, const PoInvoice *invoice, text *po_number, text *line_number)
{
	int			n;
	PoAttached *attached = po_read_attached(schema, &n);

	for (int i = 0; i < n; i++)
	{
		Relation	rel = table_open(attached[i].relid, RowExclusiveLock);
		Relation	invoices = table_open(po_table_oid(schema, PO_INVOICE), AccessShareLock);
		PoMapping  *mapping = po_attached_mapping(attached[i].mapping, rel, RelationGetDescr(invoices));
		Filled		filled = {0};

		add_filled(&filled, mapping, Anum_invoice_po_number, po_number);
		add_filled(&filled, mapping, Anum_invoice_line_number, line_number);
		if (filled.n > 0)
			fill(schema, rel, mapping, RelationGetNumberOfAttributes(invoices), invoice, &filled);
		table_close(invoices, NoLock);
		table_close(rel, NoLock);
	}
}

Relation
po_open_own_table(Oid relid, LOCKMODE mode)
{
	Relation	rel = try_table_open(relid, mode);

	if (rel == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table with OID %u does not exist", relid),
				 errhint("Give its name.")));
	if (!has_privs_of_role(GetUserId(), rel->rd_rel->relowner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be owner of table %s", RelationGetRelationName(rel)),
				 errhint("Let the owner of the table attach and detach it.")));
	return rel;
}
