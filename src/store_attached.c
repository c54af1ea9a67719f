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
#include "utils/portal.h"

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

/* tableoid, ctid and the row, in the caller's memory */
static PoAttachedRow *
copy_rows(uint64 n)
{
	PoAttachedRow *rows = palloc(Max(n, 1) * sizeof(PoAttachedRow));

	for (uint64 row = 0; row < n; row++)
	{
		bool		isnull;

		rows[row].relid = DatumGetObjectId(column(row, 1, &isnull));
		rows[row].place = *(ItemPointer) DatumGetPointer(column(row, 2, &isnull));
		rows[row].tuple = copy_row(column(row, 3, &isnull));
	}
	return rows;
}

static PoAttachedRow *
query_rows(const char *sql, int nargs, Oid *types, Datum *args, int *nrows)
{
	MemoryContext caller = CurrentMemoryContext;
	PoAttachedRow *rows;

	SPI_connect();
	*nrows = po_execute_text(sql, nargs, types, args, NULL, false);
	MemoryContextSwitchTo(caller);
	rows = copy_rows(*nrows);
	SPI_finish();
	return rows;
}

/* a number as a type has it; false where that has no such value: a text among integers, say */
static bool
parse(text *value, Oid type, Datum *parsed)
{
	MemoryContext caller = CurrentMemoryContext;
	volatile bool good = true;
	Oid			input;
	Oid			param;

	getTypeInputInfo(type, &input, &param);
	PG_TRY();
	{
		*parsed = OidInputFunctionCall(input, text_to_cstring(value), param, -1);
	}
	PG_CATCH();
	{
		if (ERRCODE_TO_CATEGORY(geterrcode()) != ERRCODE_DATA_EXCEPTION)
			PG_RE_THROW();
		MemoryContextSwitchTo(caller);
		FlushErrorState();
		good = false;
	}
	PG_END_TRY();
	return good;
}

/* some more than have the value as text: 7 is found by 007, too */
PoAttachedRow *
po_read_attached_rows(Relation rel, AttrNumber attribute, text *value, int *nrows)
{
	/* not a domain, whose constraints may be any code */
	Oid			type = getBaseType(TupleDescAttr(RelationGetDescr(rel), attribute - 1)->atttypid);
	Datum		arg;

	*nrows = 0;
	if (!parse(value, type, &arg))
		return NULL;
	return query_rows(psprintf("SELECT t.tableoid, t.ctid, t FROM %s t"
							   " WHERE t.%s OPERATOR(pg_catalog.=) $1 FOR NO KEY UPDATE",
							   po_table_name(rel), column_name(rel, attribute)),
					  1, &type, &arg, nrows);
}

/* ---- all rows of a table, by portions ---- */

/* needs SPI_connect(); the cursor is pinned, so that it outlives a COMMIT */
Portal
po_open_attached(Relation rel, int ncolumns, const AttrNumber *order)
{
	StringInfoData sql;
	SPIPlanPtr	plan;
	Portal		portal;

	initStringInfo(&sql);
	appendStringInfo(&sql, "SELECT t.tableoid, t.ctid, t FROM %s t ORDER BY ", po_table_name(rel));
	for (int i = 0; i < ncolumns; i++)
		appendStringInfo(&sql, "%st.%s", i > 0 ? ", " : "", column_name(rel, order[i]));
	plan = SPI_prepare(sql.data, 0, NULL);
	if (plan == NULL)
		elog(ERROR, "could not prepare \"%s\"", sql.data);
	portal = SPI_cursor_open(NULL, plan, NULL, NULL, true);
	PinPortal(portal);
	return portal;
}

PoAttachedRow *
po_fetch_attached(Portal portal, int limit, int *nrows)
{
	MemoryContext caller = CurrentMemoryContext;
	PoAttachedRow *rows;

	SPI_cursor_fetch(portal, true, limit);
	MemoryContextSwitchTo(caller);
	*nrows = SPI_processed;
	rows = copy_rows(*nrows);
	SPI_freetuptable(SPI_tuptable);
	return rows;
}

static void
place_arguments(const PoAttachedRow *rows, int nrows, Datum *args)
{
	Datum	   *relids = palloc(nrows * sizeof(Datum));
	Datum	   *places = palloc(nrows * sizeof(Datum));

	for (int i = 0; i < nrows; i++)
	{
		relids[i] = ObjectIdGetDatum(rows[i].relid);
		places[i] = PointerGetDatum(&rows[i].place);
	}
	args[0] = po_array_datum(relids, NULL, nrows, OIDOID);
	args[1] = po_array_datum(places, NULL, nrows, TIDOID);
}

/* those of the rows that nobody has changed or deleted since, in their order */
PoAttachedRow *
po_lock_attached(Relation rel, const PoAttachedRow *rows, int nrows, int *nlocked)
{
	Oid			types[] = {OIDARRAYOID, get_array_type(TIDOID)};
	Datum		args[2];

	place_arguments(rows, nrows, args);
	return query_rows(psprintf("SELECT t.tableoid, t.ctid, t FROM ROWS FROM"
							   " (pg_catalog.unnest($1), pg_catalog.unnest($2))"
							   " WITH ORDINALITY AS k(relid, place, n) JOIN %s t"
							   " ON t.tableoid OPERATOR(pg_catalog.=) k.relid"
							   " AND t.ctid OPERATOR(pg_catalog.=) k.place"
							   " ORDER BY k.n FOR NO KEY UPDATE OF t", po_table_name(rel)),
					  2, types, args, nlocked);
}

/*
 * Fills columns of rows in; values has nrows texts for each column, where NULL
 * is null.  The casts are those of an assignment.
 */
void
po_fill_attached(Relation rel, const PoAttachedRow *rows, int nrows, int ncolumns,
				 const AttrNumber *columns, text **const *values)
{
	Oid			types[4] = {OIDARRAYOID, get_array_type(TIDOID), TEXTARRAYOID, TEXTARRAYOID};
	Datum		args[4];
	StringInfoData sql;

	Assert(ncolumns >= 1 && ncolumns <= 2);
	place_arguments(rows, nrows, args);
	initStringInfo(&sql);
	appendStringInfo(&sql, "UPDATE %s t SET ", po_table_name(rel));
	for (int i = 0; i < ncolumns; i++)
	{
		Datum	   *texts = palloc(nrows * sizeof(Datum));
		bool	   *nulls = palloc(nrows * sizeof(bool));

		for (int j = 0; j < nrows; j++)
		{
			texts[j] = PointerGetDatum(values[i][j]);
			nulls[j] = values[i][j] == NULL;
		}
		args[i + 2] = po_array_datum(texts, nulls, nrows, TEXTOID);
		appendStringInfo(&sql, "%s%s = k.value%d", i > 0 ? ", " : "",
						 column_name(rel, columns[i]), i + 1);
	}
	appendStringInfo(&sql, " FROM ROWS FROM (pg_catalog.unnest($1), pg_catalog.unnest($2),"
					 " pg_catalog.unnest($3)%s) AS k(relid, place, value1%s)"
					 " WHERE t.tableoid OPERATOR(pg_catalog.=) k.relid"
					 " AND t.ctid OPERATOR(pg_catalog.=) k.place",
					 ncolumns > 1 ? ", pg_catalog.unnest($4)" : "",
					 ncolumns > 1 ? ", value2" : "");
	SPI_connect();
	po_execute_text(sql.data, ncolumns + 2, types, args, NULL, true);
	SPI_finish();
}
