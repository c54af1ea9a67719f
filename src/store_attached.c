/*
 * store_attached.c
 *		Tables that po_attach() attached: which there are, their rows, and what
 *		is filled in there.
 *
 * Their rows are read and written as their owner; the caller sees to that.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"

#include "store.h"
#include "store_spi.h"

PoAttached *
po_read_attached(Oid schema, int *n)
{
	uint64		nrows = execute(schema, PO_READ_ATTACHED, NULL, NULL);
	PoAttached *attached = palloc(Max(nrows, 1) * sizeof(PoAttached));
	bool		isnull;

	for (uint64 row = 0; row < nrows; row++)
	{
		attached[row].relid = DatumGetObjectId(column(row, 1, &isnull));
		attached[row].mapping = TextDatumGetCString(column(row, 2, &isnull));
	}
	SPI_finish();
	*n = nrows;
	return attached;
}

char *
po_table_name(Relation rel)
{
	return quote_qualified_identifier(get_namespace_name(RelationGetNamespace(rel)),
									  RelationGetRelationName(rel));
}

static const char *
column_name(Relation rel, AttrNumber attribute)
{
	return quote_identifier(NameStr(TupleDescAttr(RelationGetDescr(rel), attribute - 1)->attname));
}

static HeapTuple
copy_row(Datum row)
{
	HeapTupleHeader header = DatumGetHeapTupleHeader(row);
	HeapTupleData tuple = {0};

	tuple.t_len = HeapTupleHeaderGetDatumLength(header);
	tuple.t_data = header;
	return heap_copytuple(&tuple);
}

PoAttachedRow *
po_read_attached_rows(Relation rel, AttrNumber attribute, text *value, int *nrows)
{
	MemoryContext caller = CurrentMemoryContext;
	Form_pg_attribute att = TupleDescAttr(RelationGetDescr(rel), attribute - 1);
	PoAttachedRow *rows;
	Oid			type = att->atttypid;
	Oid			input;
	Oid			param;
	Datum		arg;
	uint64		n;

	getTypeInputInfo(type, &input, &param);
	arg = OidInputFunctionCall(input, text_to_cstring(value), param, -1);
	SPI_connect();
	n = po_execute_text(psprintf("SELECT t.tableoid, t.ctid, t FROM %s t"
								 " WHERE t.%s OPERATOR(pg_catalog.=) $1 FOR NO KEY UPDATE",
								 po_table_name(rel), column_name(rel, attribute)),
						1, &type, &arg, NULL, false);
	MemoryContextSwitchTo(caller);
	rows = palloc(Max(n, 1) * sizeof(PoAttachedRow));
	for (uint64 row = 0; row < n; row++)
	{
		bool		isnull;

		rows[row].relid = DatumGetObjectId(column(row, 1, &isnull));
		rows[row].place = *(ItemPointer) DatumGetPointer(column(row, 2, &isnull));
		rows[row].tuple = copy_row(column(row, 3, &isnull));
	}
	SPI_finish();
	*nrows = n;
	return rows;
}

/* a NULL text is null; the casts are those of an assignment */
void
po_fill_attached(Relation rel, const PoAttachedRow *row, int ncolumns,
				 const AttrNumber *columns, text *const *values)
{
	Oid			types[4] = {OIDOID, TIDOID, TEXTOID, TEXTOID};
	Datum		args[4] = {ObjectIdGetDatum(row->relid), PointerGetDatum(&row->place)};
	char		nulls[5] = "    ";
	StringInfoData sql;

	Assert(ncolumns <= 2);
	initStringInfo(&sql);
	appendStringInfo(&sql, "UPDATE %s t SET ", po_table_name(rel));
	for (int i = 0; i < ncolumns; i++)
	{
		appendStringInfo(&sql, "%s%s = $%d", i > 0 ? ", " : "",
						 column_name(rel, columns[i]), i + 3);
		args[i + 2] = PointerGetDatum(values[i]);
		if (values[i] == NULL)
			nulls[i + 2] = 'n';
	}
	appendStringInfoString(&sql, " WHERE t.tableoid OPERATOR(pg_catalog.=) $1"
						   " AND t.ctid OPERATOR(pg_catalog.=) $2");
	SPI_connect();
	po_execute_text(sql.data, ncolumns + 2, types, args, nulls, true);
	SPI_finish();
}
