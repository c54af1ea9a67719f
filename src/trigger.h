/*
 * trigger.h
 *		What the triggers on all tables have in common.
 */
#ifndef PO_TRIGGER_H
#define PO_TRIGGER_H

#include "commands/trigger.h"
#include "fmgr.h"

#include "row.h"

typedef struct PoTrigger
{
	Oid			schema;			/* the extension's */
	Relation	rel;
	TupleDesc	desc;
	bool		before;
	bool		is_insert;
	bool		is_update;
	bool		is_delete;
	HeapTuple	old;			/* NULL for an insert */
	HeapTuple	new;			/* NULL for a delete */
	text	   *user;			/* who does it, for the books */
} PoTrigger;

/* who we were before we became the tables' owner */
typedef struct PoIdentity
{
	Oid			user;
	int			context;
} PoIdentity;

extern void po_trigger_init(PoTrigger *trigger, FunctionCallInfo fcinfo);
extern Datum po_trigger_result(const PoTrigger *trigger);

extern Datum po_new(const PoTrigger *trigger, int attribute, bool *isnull);
extern Datum po_old(const PoTrigger *trigger, int attribute, bool *isnull);
extern text *po_new_text(const PoTrigger *trigger, int attribute);
extern text *po_old_text(const PoTrigger *trigger, int attribute);
extern bool po_new_is_null(const PoTrigger *trigger, int attribute);
extern bool po_changed(const PoTrigger *trigger, int attribute);
extern void po_set(PoTrigger *trigger, int attribute, Datum value);
extern void po_set_null(PoTrigger *trigger, int attribute);
extern void po_set_text(PoTrigger *trigger, int attribute, text *value);

extern bool po_is_history(const PoTrigger *trigger, int attribute);
extern void po_refuse_given(const PoTrigger *trigger, int attribute);
extern void po_refuse_changed(const PoTrigger *trigger, int attribute);
extern void po_require(const PoTrigger *trigger, int attribute, const char *hint);

extern void po_check_number(text *value, const char *what);
extern void po_check_currency(text *value);
extern void po_check_money(Numeric value, const char *what);

extern void po_become_owner(const PoTrigger *trigger, PoIdentity *before);
extern void po_become(const PoIdentity *before);
extern bool po_may_read(Oid relid);

#endif							/* PO_TRIGGER_H */
