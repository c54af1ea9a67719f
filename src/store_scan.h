/*
 * store_scan.h
 *		Direct index scans of the extension's tables, for the store.
 *
 * A table is read directly where that sees provably what a query would see.
 * What does not depend on who asks (the table, its index, the keys) is kept
 * for the session, until the server says that one of them has changed.
 */
#ifndef PO_STORE_SCAN_H
#define PO_STORE_SCAN_H

#include "access/genam.h"
#include "executor/tuptable.h"
#include "utils/snapshot.h"

#include "store.h"

/* the indexes that are searched */
typedef enum PoIndex
{
	PO_ACCOUNT_KEY,
	PO_ORDER_MATCH,
	PO_LINE_ITEM_MATCH,
	PO_LINE_ITEM_KEY,
	PO_CONTACT_KEY,
	PO_MEMBER_KEY,
	PO_ALIAS_KEY,
	PO_TAXONOMY_KEY
} PoIndex;

#define PO_NINDEXES (PO_TAXONOMY_KEY + 1)

typedef enum PoPath
{
	PATH_UNKNOWN,
	PATH_DIRECT,
	PATH_SPI
} PoPath;

/* one table, its index, and a scan that is used again and again */
typedef struct PoScan
{
	PoPath		path;
	PoIndex		which;
	Relation	heap;
	Relation	index;
	IndexScanDesc scan;
	TupleTableSlot *slot;
	struct PoPolicy *policy;	/* that rows have to pass, or NULL */
	int			nkeys;			/* of the scan */
	AttrNumber	ncolumns;		/* that are looked at: up to the last of them */
} PoScan;

/*
 * Does the current user see all rows of a table that was opened before, which
 * is a plain one, and nothing of this changed since?
 */
extern bool po_scan_sees_all(Oid schema, PoIndex which);
/* a number that grows when the server says that one of the tables has changed */
extern uint64 po_scan_changes(void);

/*
 * Opens an index and its table at the first use; says whether it is read directly.
 * as_owner: the current user was made the tables' owner.  policies may be NULL.
 */
extern bool po_scan_open(PoScan *scan, Oid schema, PoIndex which, bool as_owner,
						 PoPolicies *policies);

/* starts with these values for its first nkeys keys */
extern void po_scan_start(PoScan *scan, Snapshot snapshot, const Datum *values,
						  int nkeys);

/* the next row's values in the order of attributes; false at the end */
extern bool po_scan_next(PoScan *scan, const AttrNumber *attributes,
						 int nattributes, Datum *values, bool *nulls);
/* ends the scan, but not the use of the table: the next start may have another snapshot */
extern void po_scan_stop(PoScan *scan);
extern void po_scan_close(PoScan *scan);

#endif							/* PO_STORE_SCAN_H */
