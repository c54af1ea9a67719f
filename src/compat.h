/*
 * compat.h
 *		What differs between PostgreSQL 15, 17 and 18.
 *
 * The only file that tests PG_VERSION_NUM.  Macros that hide a difference of
 * the server's API; nothing of the product.  Include after postgres.h.
 */
#ifndef PO_COMPAT_H
#define PO_COMPAT_H

#include "access/genam.h"
#include "access/tableam.h"
#include "utils/rangetypes.h"

#if PG_VERSION_NUM >= 160000
#include "nodes/miscnodes.h"
#include "varatt.h"
#endif

#if PG_VERSION_NUM < 150000
#error "po_mgmt needs PostgreSQL 15 or later"
#endif

/*
 * po_soft_error(escontext, retval, (errcode(...), errmsg(...), ...)) reports
 * bad input.  Where the caller collects errors (pg_input_is_valid(), COPY ...
 * ON_ERROR) it makes the calling function return retval; before 16 and for
 * other callers it raises the error.
 */
#if PG_VERSION_NUM >= 160000
#define po_soft_error(escontext, retval, ...) \
	ereturn(escontext, retval, __VA_ARGS__)
#else
#define po_soft_error(escontext, retval, ...) \
	do { \
		(void) (escontext); \
		ereport(ERROR, __VA_ARGS__); \
		return retval; \
	} while (0)
#endif

/* A range's canonical function may report soft errors since 16. */
#if PG_VERSION_NUM >= 160000
#define po_range_serialize(typcache, lower, upper, escontext) \
	range_serialize(typcache, lower, upper, false, escontext)
#else
#define po_range_serialize(typcache, lower, upper, escontext) \
	((void) (escontext), range_serialize(typcache, lower, upper, false))
#endif

/* An index scan without ORDER BY operators; 18 added instrumentation. */
#if PG_VERSION_NUM >= 180000
#define po_index_beginscan(heap, index, snapshot, nkeys) \
	index_beginscan(heap, index, snapshot, NULL, nkeys, 0)
#else
#define po_index_beginscan(heap, index, snapshot, nkeys) \
	index_beginscan(heap, index, snapshot, nkeys, 0)
#endif

/* Which indexes an update has to write: 16 knows those that only sum up. */
#if PG_VERSION_NUM >= 160000
typedef TU_UpdateIndexes PoIndexesToUpdate;
#define PO_NO_INDEXES		TU_None
#define PO_ALL_INDEXES		TU_All
#define po_insert_index_tuples(result, slot, estate, which) \
	ExecInsertIndexTuples(result, slot, estate, false, false, NULL, NIL, (which) == TU_Summarizing)
#else
typedef bool PoIndexesToUpdate;
#define PO_NO_INDEXES		false
#define PO_ALL_INDEXES		true
#define po_insert_index_tuples(result, slot, estate, which) \
	((void) (which), ExecInsertIndexTuples(result, slot, estate, false, false, NULL, NIL))
#endif

/* The primary key's index, which is never deferrable here; 18 asks. */
#if PG_VERSION_NUM >= 180000
#define po_primary_key(rel)		RelationGetPrimaryKeyIndex(rel, false)
#else
#define po_primary_key(rel)		RelationGetPrimaryKeyIndex(rel)
#endif

/* Rights that a query asks for are apart from its range table since 16. */
#if PG_VERSION_NUM >= 160000
#define po_set_permissions(query, pstate) \
	((query)->rteperminfos = (pstate)->p_rteperminfos)
#else
#define po_set_permissions(query, pstate)	((void) 0)
#endif

/* A function that does not come back, in front of its declaration. */
#if PG_VERSION_NUM >= 180000
#define PO_NORETURN				pg_noreturn
#else
#define PO_NORETURN				pg_attribute_noreturn()
#endif

#endif							/* PO_COMPAT_H */
