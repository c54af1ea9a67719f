/*
 * trigger.h
 *		What the triggers on all tables have in common.
 */
#ifndef PO_TRIGGER_H
#define PO_TRIGGER_H

#include "commands/trigger.h"
#include "fmgr.h"

#include "store.h"

/* OLD or NEW; taken apart at the first look at a column */
typedef struct PoRow
{
	HeapTuple	tuple;
	TupleDesc	desc;
	Datum	   *values;			/* NULL: not taken apart yet */
	bool	   *nulls;
	bool		changed;		/* tuple is not what values say */
} PoRow;

typedef struct PoTrigger
{
	Oid			schema;			/* the extension's */
	const char *suffix;			/* of our triggers' names: of a shard, its number */
	Relation	rel;			/* the table, or a shard of it */
	TupleDesc	desc;
	bool		before;
	bool		is_insert;
	bool		is_update;
	bool		is_delete;
	PoRow	   *old;			/* NULL for an insert */
	PoRow	   *new;			/* NULL for a delete */
	PoRow		rows[2];
	Oid			caller;			/* who runs the statement */
} PoTrigger;

extern void po_trigger_init(PoTrigger *trigger, FunctionCallInfo fcinfo);
extern void po_trigger_init_insert(PoTrigger *trigger, Oid schema, Relation rel,
								   Datum *values, bool *nulls);
extern Datum po_trigger_result(const PoTrigger *trigger);
extern bool po_is_last(const PoTrigger *trigger);
extern void po_check_last(const PoTrigger *trigger);
extern void po_check_alone(const PoTrigger *trigger);
extern PoRow *po_trigger_row(const PoTrigger *trigger);

/* columns of a row; a text that is null is NULL */
extern Datum po_column(PoRow *row, int attribute, bool *isnull);
extern bool po_is_null(PoRow *row, int attribute);
extern text *po_text(PoRow *row, int attribute);
extern Numeric po_numeric(PoRow *row, int attribute);
extern int64 po_int64(PoRow *row, int attribute);
extern PoMonth po_month_column(PoRow *row, int attribute);
extern bool po_bool(PoRow *row, int attribute);
extern void po_columns(PoRow *row, const AttrNumber *attributes, int n,
					   Datum *values, bool *nulls);
extern HeapTuple po_row_tuple(PoRow *row);

extern void po_set(PoRow *row, int attribute, Datum value);
extern void po_set_null(PoRow *row, int attribute);
extern void po_set_text(PoRow *row, int attribute, text *value);
extern void po_set_time(PoRow *row, int attribute, TimestampTz value);

extern bool po_rows_differ(PoRow *a, PoRow *b, int attribute);
extern bool po_changed(const PoTrigger *trigger, int attribute);
extern bool po_anything_changed(const PoTrigger *trigger);

extern bool po_is_history(const PoTrigger *trigger, int attribute);
extern void po_refuse_given(const PoTrigger *trigger, int attribute);
extern void po_refuse_changed(const PoTrigger *trigger, int attribute);
extern void po_check_policies(PoTrigger *trigger, AttrNumber account_id);
extern void po_require(const PoTrigger *trigger, int attribute, const char *hint);

extern bool po_is_replica(void);
extern void po_tell_of_unbooked(const PoTrigger *trigger, int attribute);

extern void po_check_number(text *value, const char *what);
extern void po_check_currency(text *value);
extern void po_check_money(Numeric value, const char *what);

/*
 * Logs the change of a row's configuration.  As the owner, with the account
 * locked: changed_at is of that lock.  NULL and 0 for what the row is not of;
 * order_updated_at: of an order, before the change.
 */
extern void po_log_change(const PoTrigger *trigger, text *account_id, text *po_number,
						  int64 line_item_id, text *line_number,
						  TimestampTz changed_at, TimestampTz order_updated_at);

extern void po_become_owner(const PoTrigger *trigger, PoIdentity *before);
extern bool po_caller_may_read(const PoTrigger *trigger, PoTable table);

#endif							/* PO_TRIGGER_H */
