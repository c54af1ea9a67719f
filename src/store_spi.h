/*
 * store_spi.h
 *		What the files of the store that read and write by SPI share; for
 *		them only.
 */
#ifndef PO_STORE_SPI_H
#define PO_STORE_SPI_H

#include "store.h"

/*
 * Connects, runs a statement, and goes on in the caller's memory context.  The
 * rows live until SPI_finish(), which is the caller's to call.
 */
static inline uint64
run(Oid schema, PoStatement statement, const Datum *args, const char *nulls, bool read_only)
{
	MemoryContext caller = CurrentMemoryContext;
	uint64		nrows;

	SPI_connect();
	nrows = po_execute(schema, statement, args, nulls, read_only);
	MemoryContextSwitchTo(caller);
	return nrows;
}

/* on the newest rows */
static inline uint64
execute(Oid schema, PoStatement statement, const Datum *args, const char *nulls)
{
	return run(schema, statement, args, nulls, false);
}

/* with the active snapshot */
static inline uint64
query(Oid schema, PoStatement statement, const Datum *args)
{
	return run(schema, statement, args, NULL, true);
}

/* a value of the rows that came back */
static inline Datum
column(uint64 row, int n, bool *isnull)
{
	return SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, n,
						 isnull);
}

/* copies; NULL where it is null */
static inline text *
text_column(uint64 row, int n)
{
	bool		isnull;
	Datum		value = column(row, n, &isnull);

	return isnull ? NULL : DatumGetTextPCopy(value);
}

static inline Numeric
numeric_column(uint64 row, int n)
{
	bool		isnull;
	Datum		value = column(row, n, &isnull);

	return isnull ? NULL : DatumGetNumericCopy(value);
}

/* a value of a row that is to be written; NULL is null */
static inline void
put_text(Datum *values, bool *nulls, int attribute, const text *value)
{
	values[attribute - 1] = PointerGetDatum(value);
	nulls[attribute - 1] = value == NULL;
}

/* in store_write.c */
extern Datum po_array_datum(Datum *values, bool *nulls, int n, Oid type);
extern void po_line_item_arguments(const PoMove *items, int nitems, Datum *args);

#endif							/* PO_STORE_SPI_H */
