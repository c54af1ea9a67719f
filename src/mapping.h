/*
 * mapping.h
 *		How a row of an attached table is an invoice: its columns, constants and
 *		value maps, by our names.  See po_attach() in doc/reference.md.
 *
 * Reads no table; the text of a mapping is JSON, an argument of the trigger
 * on the attached table.
 */
#ifndef PO_MAPPING_H
#define PO_MAPPING_H

#include "utils/rel.h"

#include "row.h"
#include "schema.h"

typedef struct PoMapping PoMapping;

/* for this table (a partition has columns of its own); errors where it does not fit */
extern PoMapping *po_mapping_make(const char *text, Relation rel, TupleDesc invoice);

/* the invoice that a row of the table is, as the values of a row of po_invoice */
extern void po_mapping_eval(PoMapping *mapping, HeapTuple row, Datum *values, bool *nulls);

/*
 * The table's column for an attribute of ours, translated or not, 0 where it has
 * none; and a text as the value of one that po_mgmt fills in.
 */
extern AttrNumber po_mapping_filled(const PoMapping *mapping, int attribute);
extern Datum po_mapping_fill(PoMapping *mapping, int attribute, text *value);

/* the column of the table that an attribute of ours is read from, as it is; else 0 */
extern AttrNumber po_mapping_column(const PoMapping *mapping, int attribute);

/* an attribute of ours, one of type text, as SQL over the table under an alias */
extern char *po_mapping_sql(const PoMapping *mapping, int attribute, const char *alias);

#endif							/* PO_MAPPING_H */
