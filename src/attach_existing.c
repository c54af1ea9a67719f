/*
 * attach_existing.c
 *		po_attach_existing(): books what an attached table has already.
 *
 * In portions, each of them a transaction where that is allowed.  A row whose
 * invoice is there is passed over, so that it can be called again after it was
 * stopped.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/portal.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "flight.h"
#include "attached.h"
#include "mapping.h"
#include "seller.h"
#include "trg_invoice.h"

typedef struct Adoption
{
	Oid			schema;
	Relation	rel;			/* theirs, for one portion */
	Relation	invoices;
	PoMapping  *mapping;
	PoIdentity	caller;
} Adoption;

static void
begin_portion(Adoption *adoption, Oid relid)
{
	int			n;
	PoAttached *attached = po_read_attached(adoption->schema, &n);

	adoption->mapping = NULL;
	adoption->rel = po_open_own_table(relid, RowExclusiveLock);
	adoption->invoices = table_open(po_table_oid(adoption->schema, PO_INVOICE), RowExclusiveLock);
	for (int i = 0; i < n; i++)
		if (attached[i].relid == relid)
			adoption->mapping = po_mapping_make(attached[i].mapping, adoption->rel,
												RelationGetDescr(adoption->invoices));
	if (adoption->mapping == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("table \"%s\" is not attached", RelationGetRelationName(adoption->rel)),
				 errhint("po_attachment has the tables that are.")));
}

static void
end_portion(Adoption *adoption)
{
	table_close(adoption->invoices, NoLock);
	table_close(adoption->rel, NoLock);
}

/* as invoices come: by account, date of issue, month, number */
static Portal
open_rows(const Adoption *adoption)
{
	static const int wanted[] = {
		Anum_invoice_account_id, Anum_invoice_issued_on, Anum_invoice_billing_month,
		Anum_invoice_invoice_id
	};
	AttrNumber	order[lengthof(wanted)];
	int			n = 0;

	for (size_t i = 0; i < lengthof(wanted); i++)
	{
		order[n] = po_mapping_column(adoption->mapping, wanted[i]);
		n += order[n] != 0;
	}
	return po_open_attached(adoption->rel, n, order);
}

/* as the owner of the attached table, whose generated columns and casts these are */
static void
evaluate(const Adoption *adoption, HeapTuple row, Datum **values, bool **nulls)
{
	int			natts = RelationGetNumberOfAttributes(adoption->invoices);
	PoIdentity	before;

	*values = palloc(natts * sizeof(Datum));
	*nulls = palloc(natts * sizeof(bool));
	po_become_role(adoption->rel->rd_rel->relowner, &before);
	po_mapping_eval(adoption->mapping, row, *values, *nulls);
	po_become(&before);
}

/* as the owner of po_invoice */
static bool
is_booked(const Adoption *adoption, const PoAttachedRow *row)
{
	Datum	   *values;
	bool	   *nulls;
	Datum		key[Anum_invoice_invoice_id];

	evaluate(adoption, row->tuple, &values, &nulls);
	for (int i = 0; i < Anum_invoice_invoice_id; i++)
	{
		if (nulls[i])
			return false;		/* the error comes when it is booked */
		key[i] = values[i];
	}
	po_name_as_stored(adoption->schema, key);
	return po_exists(adoption->schema, PO_READ_INVOICE_OF, key);
}

/* rows that are not booked yet; they are compacted to the front */
static int
leave_out_booked(const Adoption *adoption, PoAttachedRow *rows, int nrows)
{
	int			kept = 0;

	for (int i = 0; i < nrows; i++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!is_booked(adoption, &rows[i]))
			rows[kept++] = rows[i];
	}
	return kept;
}

/* books the row's invoice; its numbers go to where these point */
static void
book(const Adoption *adoption, const PoAttachedRow *row, text **po_number, text **line_number)
{
	Datum	   *values;
	bool	   *nulls;
	PoTrigger	invoice;
	PoEntry		entry;
	bool		tracked;
	bool		booked;

	CHECK_FOR_INTERRUPTS();
	evaluate(adoption, row->tuple, &values, &nulls);
	po_trigger_init_insert(&invoice, adoption->schema, adoption->invoices, values, nulls);
	booked = po_invoice_new(&invoice, &entry, &tracked);
	po_flight_add_invoice(po_row_tuple(invoice.new), RelationGetDescr(adoption->invoices),
						  booked ? &entry : NULL, tracked);
	*po_number = po_text_copy(po_text(invoice.new, Anum_invoice_po_number));
	*line_number = po_text_copy(po_text(invoice.new, Anum_invoice_line_number));
}

static void
fill(const Adoption *adoption, const PoAttachedRow *rows, int nrows, text **po_numbers,
	 text **line_numbers)
{
	text	  **texts[] = {po_numbers, line_numbers};
	AttrNumber	columns[] = {
		po_mapping_filled(adoption->mapping, Anum_invoice_po_number),
		po_mapping_filled(adoption->mapping, Anum_invoice_line_number)
	};
	text	  **values[2];
	int			n = 0;

	for (int i = 0; i < 2; i++)
	{
		if (columns[i] == 0)
			continue;
		columns[n] = columns[i];
		values[n++] = texts[i];
	}
	if (n > 0)
		po_fill_attached(adoption->rel, rows, nrows, n, columns, values);
}

/* how many of the rows were booked */
static int
adopt(Adoption *adoption, PoAttachedRow *rows, int nrows)
{
	text	  **po_numbers;
	text	  **line_numbers;
	PoAttachedRow *locked;
	Oid			owner = adoption->invoices->rd_rel->relowner;

	po_become_role(owner, &adoption->caller);
	nrows = leave_out_booked(adoption, rows, nrows);
	po_become(&adoption->caller);
	if (nrows == 0)
		return 0;
	locked = po_lock_attached(adoption->rel, rows, nrows, &nrows);
	po_numbers = palloc(Max(nrows, 1) * sizeof(text *));
	line_numbers = palloc(Max(nrows, 1) * sizeof(text *));

	po_become_role(owner, &adoption->caller);
	for (int i = 0; i < nrows; i++)
		book(adoption, &locked[i], &po_numbers[i], &line_numbers[i]);
	po_flight_close(adoption->schema);
	po_become(&adoption->caller);

	if (nrows > 0)
		fill(adoption, locked, nrows, po_numbers, line_numbers);
	return nrows;
}

static bool
may_commit(FunctionCallInfo fcinfo)
{
	return fcinfo->context != NULL && IsA(fcinfo->context, CallContext) &&
		!castNode(CallContext, fcinfo->context)->atomic;
}

/* how many rows a portion has */
static int
portion_of(FunctionCallInfo fcinfo)
{
	int			portion = PG_GETARG_INT32(1);

	if (portion < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("batch must not be %d", portion),
				 errhint("Give how many rows are booked at once, 1 or more.")));
	return portion;
}

PG_FUNCTION_INFO_V1(po_attach_existing);
Datum
po_attach_existing(PG_FUNCTION_ARGS)
{
	Adoption	adoption = {0};
	Oid			relid = PG_GETARG_OID(0);
	int			limit = portion_of(fcinfo);
	bool		commits = may_commit(fcinfo);
	int64		nseen = 0;
	int64		nbooked = 0;
	int			nrows;
	Portal		portal;
	MemoryContext work;

	adoption.schema = get_func_namespace(fcinfo->flinfo->fn_oid);
	SPI_connect_ext(commits ? SPI_OPT_NONATOMIC : 0);
	work = AllocSetContextCreate(CurrentMemoryContext, "po_mgmt portion",
								 ALLOCSET_DEFAULT_SIZES);
	begin_portion(&adoption, relid);
	portal = open_rows(&adoption);
	end_portion(&adoption);
	do
	{
		MemoryContext caller = MemoryContextSwitchTo(work);
		PoAttachedRow *rows = po_fetch_attached(portal, limit, &nrows);

		begin_portion(&adoption, relid);
		nbooked += adopt(&adoption, rows, nrows);
		nseen += nrows;
		if (nrows > 0)
			ereport(NOTICE,
					(errcode(ERRCODE_SUCCESSFUL_COMPLETION),
					 errmsg("\"%s\": " INT64_FORMAT " rows seen, " INT64_FORMAT " booked",
							RelationGetRelationName(adoption.rel), nseen, nbooked)));
		end_portion(&adoption);
		MemoryContextSwitchTo(caller);
		MemoryContextReset(work);
		if (commits)
			SPI_commit();
	} while (nrows > 0);
	UnpinPortal(portal);
	SPI_cursor_close(portal);
	SPI_finish();
	PG_RETURN_VOID();
}
