/*
 * store_direct.c
 *		Writes rows of the books without a statement.  See store_direct.h.
 */
#include "postgres.h"

#include "access/table.h"
#include "access/tableam.h"
#include "access/xact.h"
#include "catalog/pg_class.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "miscadmin.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"

#include "compat.h"
#include "store_direct.h"

/* ---- what a table allows ---- */

static bool
is_ours(const Trigger *trigger)
{
	static const char *const names[] = {
		PO_BEFORE_NAME, PO_AFTER_NAME, PO_TRUNCATE_NAME, PO_STATEMENT_NAME
	};

	for (size_t i = 0; i < lengthof(names); i++)
		if (strcmp(trigger->tgname, names[i]) == 0)
			return true;
	return false;
}

/* foreign keys ask about keys, which updates of ours do not change */
static bool
has_other_triggers(Relation rel, bool is_insert)
{
	const TriggerDesc *triggers = rel->trigdesc;

	for (int i = 0; triggers != NULL && i < triggers->numtriggers; i++)
		if (!is_ours(&triggers->triggers[i]) &&
			(is_insert || RI_FKey_trigger_type(triggers->triggers[i].tgfoid) == RI_TRIGGER_NONE))
			return true;
	return false;
}

/* row security does not bind the owner, who we are */
static bool
is_plain(Relation rel)
{
	return rel->rd_rel->relkind == RELKIND_RELATION && !rel->rd_rel->relhassubclass &&
		!rel->rd_rel->relispartition && !rel->rd_rel->relhasrules;
}

/* is what is written there taken as it is? */
static bool
takes_value(Relation rel, AttrNumber column)
{
	Form_pg_attribute att = TupleDescAttr(RelationGetDescr(rel), column - 1);

	return att->atttypmod == -1 && att->attgenerated == '\0' && !att->attisdropped;
}

static bool
allows_update(Relation rel, AttrNumber column, AttrNumber generated)
{
	TupleDesc	desc = RelationGetDescr(rel);

	if (!is_plain(rel) || has_other_triggers(rel, false) || !takes_value(rel, column) ||
		(desc->constr != NULL && desc->constr->num_check > 0))
		return false;
	for (int i = 0; i < desc->natts; i++)
		if (TupleDescAttr(desc, i)->attgenerated != '\0' && i + 1 != generated)
			return false;
	return true;
}

static bool
allows_insert(Relation rel, int ncolumns)
{
	if (!is_plain(rel) || has_other_triggers(rel, true) ||
		RelationGetNumberOfAttributes(rel) != ncolumns ||
		po_is_distributed(RelationGetNamespace(rel)))
		return false;
	for (int i = 1; i <= ncolumns; i++)
		if (!takes_value(rel, i))
			return false;
	return true;
}

/* as for a statement */
static void
check_may_write(const char *command)
{
	PreventCommandIfReadOnly(command);
	PreventCommandIfParallelMode(command);
	po_cache_suspend();
}

/* ---- a table's indexes ---- */

static ResultRelInfo *
open_indexes(Relation rel)
{
	ResultRelInfo *result = makeNode(ResultRelInfo);

	InitResultRelInfo(result, rel, 0, NULL, 0);
	ExecOpenIndices(result, false);
	return result;
}

/* a new version that found no room beside the old one, or has another key */
static void
add_to_indexes(Relation rel, TupleTableSlot *row, PoIndexesToUpdate which)
{
	EState	   *estate = CreateExecutorState();
	ResultRelInfo *result = open_indexes(rel);

	po_insert_index_tuples(result, row, estate, which);
	ExecCloseIndices(result);
	FreeExecutorState(estate);
}

/* ---- updates ---- */

bool
po_writer_open(PoWriter *writer, Oid schema, PoIndex which, AttrNumber column,
			   AttrNumber generated)
{
	memset(writer, 0, sizeof(*writer));
	if (po_scan_open(&writer->scan, schema, which, true, NULL))
	{
		writer->rel = table_open(RelationGetRelid(writer->scan.heap), RowExclusiveLock);
		if (allows_update(writer->rel, column, generated))
		{
			check_may_write("UPDATE");
			CheckCmdReplicaIdentity(writer->rel, CMD_UPDATE);
			writer->row = MakeSingleTupleTableSlot(RelationGetDescr(writer->rel), &TTSOpsVirtual);
			po_see_newest();
			return true;
		}
		table_close(writer->rel, NoLock);
	}
	po_scan_close(&writer->scan);
	return false;
}

void
po_writer_close(PoWriter *writer)
{
	ExecDropSingleTupleTableSlot(writer->row);
	po_scan_close(&writer->scan);
	PopActiveSnapshot();
	table_close(writer->rel, NoLock);
}

/* the row as the snapshot sees it, and what becomes of it */
static bool
make_row(PoWriter *writer, const Datum *key, int nkeys, PoChange change, void *arg)
{
	TupleTableSlot *old = writer->scan.slot;
	TupleTableSlot *row = writer->row;
	int			natts = row->tts_tupleDescriptor->natts;

	po_scan_start(&writer->scan, GetActiveSnapshot(), key, nkeys);
	if (!po_scan_next(&writer->scan, NULL, 0, NULL, NULL))
		return false;
	slot_getallattrs(old);
	ExecClearTuple(row);
	memcpy(row->tts_values, old->tts_values, natts * sizeof(Datum));
	memcpy(row->tts_isnull, old->tts_isnull, natts * sizeof(bool));
	change(row->tts_values, row->tts_isnull, arg);
	ExecStoreVirtualTuple(row);
	return true;
}

/* waits for whoever is changing the row */
static TM_Result
write_row(PoWriter *writer)
{
	TM_FailureData failure;
	LockTupleMode mode;
	PoIndexesToUpdate indexes;
	TM_Result	result = table_tuple_update(writer->rel, &writer->scan.slot->tts_tid, writer->row,
											GetCurrentCommandId(true), GetActiveSnapshot(),
											InvalidSnapshot, true, &failure, &mode, &indexes);

	if (result == TM_Ok && indexes != PO_NO_INDEXES)
		add_to_indexes(writer->rel, writer->row, indexes);
	return result;
}

static void
look_again(PoWriter *writer)
{
	po_scan_stop(&writer->scan);
	PopActiveSnapshot();
	po_see_newest();
}

/*
 * Where somebody else has changed the row since our snapshot: READ COMMITTED
 * goes on with what he has left, as a statement does.
 */
bool
po_writer_update(PoWriter *writer, const Datum *key, int nkeys, PoChange change, void *arg)
{
	while (make_row(writer, key, nkeys, change, arg))
	{
		TM_Result	result = write_row(writer);

		if (result == TM_Ok)
			return true;
		if (result != TM_Updated && result != TM_Deleted)
			elog(ERROR, "unexpected result of an update: %d", result);
		if (IsolationUsesXactSnapshot())
			ereport(ERROR,
					(errcode(ERRCODE_T_R_SERIALIZATION_FAILURE),
					 result == TM_Updated ?
					 errmsg("could not serialize access due to concurrent update") :
					 errmsg("could not serialize access due to concurrent delete")));
		look_again(writer);
	}
	return false;
}

/* ---- inserts ---- */

bool
po_insert_rows(Relation rel, int ncolumns, int nrows, PoFill fill, void *arg)
{
	TupleTableSlot *row;
	EState	   *estate;
	ResultRelInfo *result;

	if (!allows_insert(rel, ncolumns))
		return false;
	check_may_write("INSERT");
	estate = CreateExecutorState();
	result = open_indexes(rel);
	row = MakeSingleTupleTableSlot(RelationGetDescr(rel), &TTSOpsVirtual);
	row->tts_tableOid = RelationGetRelid(rel);
	for (int i = 0; i < nrows; i++)
	{
		CHECK_FOR_INTERRUPTS();
		ExecClearTuple(row);
		fill(row->tts_values, row->tts_isnull, i, arg);
		ExecStoreVirtualTuple(row);
		if (rel->rd_att->constr != NULL)
			ExecConstraints(result, row, estate);
		table_tuple_insert(rel, row, GetCurrentCommandId(true), 0, NULL);
		po_insert_index_tuples(result, row, estate, PO_ALL_INDEXES);
		ResetPerTupleExprContext(estate);
	}
	ExecDropSingleTupleTableSlot(row);
	ExecCloseIndices(result);
	FreeExecutorState(estate);
	return true;
}
