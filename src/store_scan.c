/*
 * store_scan.c
 *		Direct index scans of the extension's tables.  See store_scan.h.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/tableam.h"
#include "access/transam.h"
#include "catalog/pg_am.h"
#include "catalog/pg_class.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rls.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "compat.h"
#include "store_visible.h"
#include "store_scan.h"

#define MAX_KEYS 5

/* how an index is searched: a column, its place and a strategy for each key */
typedef struct IndexShape
{
	PoTable		table;
	const char *name;
	int			nkeys;
	AttrNumber	columns[MAX_KEYS];	/* of the table */
	AttrNumber	places[MAX_KEYS];	/* in the index */
	StrategyNumber strategies[MAX_KEYS];
	ScanDirection direction;
} IndexShape;

static const IndexShape shapes[PO_NINDEXES] = {
	[PO_ACCOUNT_KEY] = {PO_ACCOUNT, "po_account_pkey", 1,
		{Anum_account_account_id},
		{1},
		{BTEqualStrategyNumber}, ForwardScanDirection},
	/* backwards, so that the newest order comes first */
	[PO_ORDER_MATCH] = {PO_ORDER, "po_order_match", 3,
		{Anum_order_account_id, Anum_order_bill_from, Anum_order_expiration_month},
		{1, 2, 4},
		{BTEqualStrategyNumber, BTEqualStrategyNumber, BTGreaterEqualStrategyNumber},
		BackwardScanDirection},
	[PO_LINE_ITEM_MATCH] = {PO_LINE_ITEM, "po_line_item_match", 5,
		{Anum_line_item_account_id, Anum_line_item_po_number,
		 Anum_line_item_line_type, Anum_line_item_start_month, Anum_line_item_end_month},
		{1, 2, 3, 4, 5},
		{BTEqualStrategyNumber, BTEqualStrategyNumber, BTEqualStrategyNumber,
		 BTLessEqualStrategyNumber, BTGreaterEqualStrategyNumber},
		ForwardScanDirection},
	[PO_LINE_ITEM_KEY] = {PO_LINE_ITEM, "po_line_item_pkey", 2,
		{Anum_line_item_account_id, Anum_line_item_line_item_id},
		{1, 2},
		{BTEqualStrategyNumber, BTEqualStrategyNumber}, ForwardScanDirection},
	[PO_CONTACT_KEY] = {PO_CONTACT, "po_contact_pkey", 2,
		{Anum_contact_account_id, Anum_contact_po_number},
		{1, 2},
		{BTEqualStrategyNumber, BTEqualStrategyNumber}, ForwardScanDirection},
	[PO_MEMBER_KEY] = {PO_ACCOUNT_MEMBER, "po_account_member_pkey", 1,
		{Anum_member_member_account_id},
		{1},
		{BTEqualStrategyNumber}, ForwardScanDirection},
	[PO_ALIAS_KEY] = {PO_SELLER_ALIAS, "po_seller_alias_pkey", 1,
		{Anum_alias_alias},
		{1},
		{BTEqualStrategyNumber}, ForwardScanDirection},
	[PO_TAXONOMY_KEY] = {PO_TAXONOMY, "po_taxonomy_pkey", 1,
		{Anum_taxonomy_line_type},
		{1},
		{BTEqualStrategyNumber}, ForwardScanDirection},
};

/* what is kept of an index and its table for the session */
typedef struct KnownIndex
{
	bool		valid;
	Oid			schema;
	Oid			heap;
	Oid			index;
	ScanKeyData keys[MAX_KEYS];
	bool		plain;			/* without children, without row security */
	Oid			reader;			/* a role that has SELECT on it */
} KnownIndex;

static KnownIndex known_indexes[PO_NINDEXES];
static uint64 nchanges = 1;

/* ---- what is kept ---- */

static void
relation_changed(Datum arg, Oid relid)
{
	for (int i = 0; i < PO_NINDEXES; i++)
	{
		KnownIndex *known = &known_indexes[i];

		if (!OidIsValid(relid) || relid == known->heap || relid == known->index)
		{
			known->valid = false;
			nchanges++;
		}
	}
}

uint64
po_scan_changes(void)
{
	return nchanges;
}

/* a role may have lost what it had */
static void
roles_changed(Datum arg, int cacheid, uint32 hashvalue)
{
	for (int i = 0; i < PO_NINDEXES; i++)
		known_indexes[i].reader = InvalidOid;
}

void
po_scan_init(void)
{
	CacheRegisterRelcacheCallback(relation_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(AUTHOID, roles_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(AUTHMEMROLEMEM, roles_changed, (Datum) 0);
}

static void
init_keys(ScanKey keys, Relation index, const IndexShape *shape)
{
	for (int i = 0; i < shape->nkeys; i++)
	{
		AttrNumber	place = shape->places[i];
		Oid			type = index->rd_opcintype[place - 1];
		Oid			operator = get_opfamily_member(index->rd_opfamily[place - 1],
												   type, type,
												   shape->strategies[i]);

		ScanKeyEntryInitialize(&keys[i], 0, place, shape->strategies[i], type,
							   index->rd_indcollation[place - 1],
							   get_opcode(operator), (Datum) 0);
	}
}

/* is the index the one that we made? */
static bool
has_shape(const IndexShape *shape, Relation heap, Relation index)
{
	Form_pg_index form = index->rd_index;

	if (form->indrelid != RelationGetRelid(heap) || !form->indisvalid ||
		RelationGetIndexPredicate(index) != NIL)
		return false;
	for (int i = 0; i < shape->nkeys; i++)
		if (form->indnkeyatts < shape->places[i] ||
			form->indkey.values[shape->places[i] - 1] != shape->columns[i])
			return false;
	return true;
}

/* opens the table, and the index where there is a good one */
static KnownIndex *
open_known(PoScan *scan, Oid schema)
{
	KnownIndex *known = &known_indexes[scan->which];
	const IndexShape *shape = &shapes[scan->which];
	MemoryContext caller;

	if (known->valid && known->schema == schema)
	{
		scan->heap = table_open(known->heap, AccessShareLock);
		scan->index = index_open(known->index, AccessShareLock);
		return known;
	}
	known->valid = false;
	if (po_is_distributed(schema))
		return NULL;			/* queries find the rows, wherever they are */
	known->schema = schema;
	known->reader = InvalidOid;
	known->heap = po_table_oid(schema, shape->table);
	known->index = get_relname_relid(shape->name, schema);
	/* a change while we look makes it false again, for the next one who asks */
	known->valid = true;
	scan->heap = table_open(known->heap, AccessShareLock);
	if (OidIsValid(known->index) &&
		get_rel_relkind(known->index) == RELKIND_INDEX)
		scan->index = index_open(known->index, AccessShareLock);
	if (scan->index == NULL || !has_shape(shape, scan->heap, scan->index))
	{
		known->valid = false;
		return NULL;
	}
	known->plain = scan->heap->rd_rel->relkind == RELKIND_RELATION &&
		scan->heap->rd_rel->relam == HEAP_TABLE_AM_OID &&
		!scan->heap->rd_rel->relhassubclass &&
		!scan->heap->rd_rel->relrowsecurity;
	caller = MemoryContextSwitchTo(TopMemoryContext);
	init_keys(known->keys, scan->index, shape);
	MemoryContextSwitchTo(caller);
	return known;
}

/* ---- who may read directly ---- */

static bool
may_select(KnownIndex *known)
{
	Oid			user = GetUserId();

	if (known->reader == user)
		return true;
	if (pg_class_aclcheck(known->heap, user, ACL_SELECT) != ACLCHECK_OK)
		return false;
	known->reader = user;
	return true;
}

bool
po_scan_sees_all(Oid schema, PoIndex which)
{
	const KnownIndex *known = &known_indexes[which];

	return known->valid && known->schema == schema && known->plain &&
		known->reader == GetUserId();
}

/* would a query on the table see what an index scan sees? */
static bool
table_allows_direct(PoScan *scan, KnownIndex *known, bool as_owner, PoPolicies *policies)
{
	Relation	heap = scan->heap;

	if (heap->rd_rel->relkind != RELKIND_RELATION ||
		heap->rd_rel->relhassubclass)
		return false;
	if (as_owner)
		return true;
	if (!may_select(known))
		return false;
	if (!heap->rd_rel->relrowsecurity ||
		check_enable_rls(known->heap, InvalidOid, true) != RLS_ENABLED)
		return true;
	if (policies != NULL)
		scan->policy = po_policy_of(policies, shapes[scan->which].table, heap);
	return scan->policy != NULL;
}

/* an index may be too new for a snapshot, as its rows' history is not in it */
static bool
index_allows_direct(Relation index)
{
	return !index->rd_index->indcheckxmin ||
		TransactionIdPrecedes(HeapTupleHeaderGetXmin(index->rd_indextuple->t_data),
							  TransactionXmin);
}

bool
po_scan_open(PoScan *scan, Oid schema, PoIndex which, bool as_owner,
			 PoPolicies *policies)
{
	KnownIndex *known;

	if (scan->path != PATH_UNKNOWN)
		return scan->path == PATH_DIRECT;
	scan->which = which;
	scan->path = PATH_SPI;
	known = open_known(scan, schema);
	if (known == NULL || !table_allows_direct(scan, known, as_owner, policies) ||
		!index_allows_direct(scan->index))
		return false;
	scan->slot = table_slot_create(scan->heap, NULL);
	scan->path = PATH_DIRECT;
	return true;
}

/* ---- scans ---- */

void
po_scan_start(PoScan *scan, Snapshot snapshot, const Datum *values, int nkeys)
{
	ScanKey		keys = known_indexes[scan->which].keys;

	for (int i = 0; i < nkeys; i++)
		keys[i].sk_argument = values[i];
	if (scan->nkeys != nkeys)
		po_scan_stop(scan);
	if (scan->scan == NULL)
		scan->scan = po_index_beginscan(scan->heap, scan->index, snapshot, nkeys);
	scan->nkeys = nkeys;
	index_rescan(scan->scan, keys, nkeys, NULL, 0);
}

bool
po_scan_next(PoScan *scan, const AttrNumber *attributes, int nattributes,
			 Datum *values, bool *nulls)
{
	TupleTableSlot *slot = scan->slot;

	do
	{
		CHECK_FOR_INTERRUPTS();
		if (!index_getnext_slot(scan->scan, shapes[scan->which].direction, slot))
			return false;
	} while (scan->policy != NULL && !po_policy_passes(scan->policy, slot));
	if (scan->ncolumns == 0)
		for (int i = 0; i < nattributes; i++)
			scan->ncolumns = Max(scan->ncolumns, attributes[i]);
	slot_getsomeattrs(slot, scan->ncolumns);
	for (int i = 0; i < nattributes; i++)
	{
		values[i] = slot->tts_values[attributes[i] - 1];
		nulls[i] = slot->tts_isnull[attributes[i] - 1];
	}
	return true;
}

void
po_scan_stop(PoScan *scan)
{
	if (scan->scan != NULL)
		index_endscan(scan->scan);
	scan->scan = NULL;
}

void
po_scan_close(PoScan *scan)
{
	po_scan_stop(scan);
	if (scan->slot != NULL)
		ExecDropSingleTupleTableSlot(scan->slot);
	if (scan->index != NULL)
		index_close(scan->index, NoLock);
	if (scan->heap != NULL)
		table_close(scan->heap, NoLock);
}
