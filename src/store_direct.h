/*
 * store_direct.h
 *		Writes rows of the books without a statement, for the store.
 *
 * Starting a statement for one row costs several times what the row does.  So
 * where it would do nothing but find a row by its key, write it and keep the
 * indexes, that is done here: in a plain table whose triggers are ours, which
 * let pass what the store writes.  Where the table does not allow it the caller
 * runs the statement.
 */
#ifndef PO_STORE_DIRECT_H
#define PO_STORE_DIRECT_H

#include "store_scan.h"

/* rows of one table that are updated, found by an index */
typedef struct PoWriter
{
	PoScan		scan;
	Relation	rel;
	TupleTableSlot *row;		/* the new version */
} PoWriter;

/* changes a row, given with all its columns; may be called again, for a newer version */
typedef void (*PoChange) (Datum *values, bool *nulls, void *arg);

/*
 * False where a statement has to be run.  column is the only one that changes;
 * generated is a generated column that does not depend on it, or 0.
 */
extern bool po_writer_open(PoWriter *writer, Oid schema, PoIndex which,
						   AttrNumber column, AttrNumber generated);
/* false where there is no such row */
extern bool po_writer_update(PoWriter *writer, const Datum *key, int nkeys,
							 PoChange change, void *arg);
extern void po_writer_close(PoWriter *writer);

/* fills in the n-th row, all columns */
typedef void (*PoFill) (Datum *values, bool *nulls, int n, void *arg);

/* false where a statement has to be run; ncolumns are ours */
extern bool po_insert_rows(Relation rel, int ncolumns, int nrows, PoFill fill, void *arg);

#endif							/* PO_STORE_DIRECT_H */
