/*
 * trg_attached.c
 *		Triggers of tables that po_attach() attached: a row there is an invoice
 *		here.
 *
 * A new row is associated when its BEFORE trigger fires, so that its numbers
 * are filled in, and its row of po_invoice is written with the books.  What is
 * updated or deleted there is updated or deleted in po_invoice AFTER ROW, where
 * the triggers of po_invoice do as they do for anybody.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "utils/builtins.h"
#include "utils/datum.h"
#include "utils/memutils.h"
#include "utils/rel.h"

#include "compat.h"
#include "flight.h"
#include "mapping.h"
#include "seller.h"
#include "trg_invoice.h"

/* an attached row as a row of po_invoice */
typedef struct Meant
{
	Datum	   *values;
	bool	   *nulls;
} Meant;

/* a row on its way from one partition to another */
typedef struct Departure
{
	Oid			relid;
	BlockNumber block;
	uint32		offset;			/* so that there are no bytes in between */
} Departure;

typedef struct Move
{
	Departure	departure;		/* key */
	HeapTuple	arrived;		/* the row of po_invoice that is meant then */
} Move;

/*
 * An update that moves a row fires BEFORE UPDATE, DELETE and INSERT, one after
 * the other in the memory of one row, and then AFTER DELETE and INSERT.  In
 * between, a user's trigger may update other rows.
 */
typedef struct Departing
{
	struct Departing *outer;	/* of the statement around */
	Departure	departure;
	MemoryContext row;			/* of the server, and where this is kept; NULL: it has arrived */
	bool		has_departed;
} Departing;

static Departing *departing = NULL; /* the innermost first */
static HTAB *moves = NULL;		/* in the top transaction's memory */

/* made once a statement, which keeps the table from changing */
static PoMapping *
mapping_of(const PoTrigger *trigger, FunctionCallInfo fcinfo)
{
	const Trigger *definition = ((TriggerData *) fcinfo->context)->tg_trigger;
	FmgrInfo   *function = fcinfo->flinfo;

	if (definition->tgnargs != 1)
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("trigger \"%s\" of \"%s\" has no mapping", definition->tgname,
						RelationGetRelationName(trigger->rel)),
				 errhint("Make it with po_attach().")));
	if (function->fn_extra == NULL)
	{
		MemoryContext row = MemoryContextSwitchTo(function->fn_mcxt);
		Relation	invoice = table_open(po_table_oid(trigger->schema, PO_INVOICE),
										 AccessShareLock);

		function->fn_extra = po_mapping_make(definition->tgargs[0], trigger->rel,
											 RelationGetDescr(invoice));
		table_close(invoice, AccessShareLock);
		MemoryContextSwitchTo(row);
	}
	return function->fn_extra;
}

static Meant
meant_by(PoMapping *mapping, PoRow *row, Relation invoice)
{
	int			natts = RelationGetNumberOfAttributes(invoice);
	Meant		meant;

	meant.values = palloc(natts * sizeof(Datum));
	meant.nulls = palloc(natts * sizeof(bool));
	po_mapping_eval(mapping, po_row_tuple(row), meant.values, meant.nulls);
	return meant;
}

static Relation
open_invoices(const PoTrigger *trigger)
{
	return table_open(po_table_oid(trigger->schema, PO_INVOICE), RowExclusiveLock);
}

/* ---- INSERT ---- */

static void
fill_in(PoTrigger *trigger, PoMapping *mapping, PoRow *invoice, int attribute)
{
	AttrNumber	column = po_mapping_filled(mapping, attribute);
	text	   *value = po_text(invoice, attribute);

	if (column == 0)
		return;
	if (value == NULL)
		po_set_null(trigger->new, column);
	else
		po_set(trigger->new, column, po_mapping_fill(mapping, attribute, value));
}

static void
insert(PoTrigger *trigger, PoMapping *mapping)
{
	Relation	rel = open_invoices(trigger);
	Meant		meant = meant_by(mapping, trigger->new, rel);
	PoTrigger	invoice;
	PoIdentity	caller;
	AttrNumber	account_id = po_mapping_filled(mapping, Anum_invoice_account_id);
	PoEntry		entry;
	bool		tracked;
	bool		booked;

	/* the table's own; those of a partitioned one are not known here */
	if (account_id != 0)
		po_check_policies(trigger, account_id);
	po_trigger_init_insert(&invoice, trigger->schema, rel, meant.values, meant.nulls);
	po_become_owner(&invoice, &caller);
	booked = po_invoice_new(&invoice, &entry, &tracked);
	po_become(&caller);
	/* the column may be of a domain, which is checked as the caller */
	fill_in(trigger, mapping, invoice.new, Anum_invoice_po_number);
	fill_in(trigger, mapping, invoice.new, Anum_invoice_line_number);
	po_flight_attached_row(trigger->rel, po_row_tuple(trigger->new),
						   po_row_tuple(invoice.new), RelationGetDescr(rel));
	if (booked)
		po_flight_book(&entry, tracked);
	table_close(rel, NoLock);
}

/* ---- rows that move to another partition ---- */

static void
row_ends(void *row)
{
	Departing **link = &departing;

	while (*link != row)
		link = &(*link)->outer;
	*link = (*link)->outer;
}

/* the row in whose memory the trigger runs, or NULL */
static Departing *
departing_here(void)
{
	Departing  *row = departing;

	while (row != NULL && row->row != CurrentMemoryContext)
		row = row->outer;
	return row;
}

static void
transaction_ends(void *arg)
{
	moves = NULL;
}

static Departure
departure_of(const PoTrigger *trigger)
{
	ItemPointer place = &trigger->old->tuple->t_self;
	Departure	departure = {
		RelationGetRelid(trigger->rel), ItemPointerGetBlockNumber(place),
		ItemPointerGetOffsetNumber(place)
	};

	return departure;
}

/* runs in the memory that the server gave to the row */
static void
may_depart(const PoTrigger *trigger)
{
	MemoryContextCallback *callback;
	Departing  *row;

	if (!trigger->rel->rd_rel->relispartition)
		return;
	row = palloc0(sizeof(Departing));
	row->departure = departure_of(trigger);
	row->row = CurrentMemoryContext;
	row->outer = departing;
	departing = row;
	callback = palloc(sizeof(MemoryContextCallback));
	callback->func = row_ends;
	callback->arg = row;
	MemoryContextRegisterResetCallback(CurrentMemoryContext, callback);
}

/* a delete: of a row that departs, or else nothing is known of such a row */
static bool
departs(const PoTrigger *trigger)
{
	Departure	departure = departure_of(trigger);
	Departing  *row = departing_here();

	if (row != NULL && memcmp(&departure, &row->departure, sizeof(departure)) == 0)
		return row->has_departed = true;
	if (moves != NULL)
		hash_search(moves, &departure, HASH_REMOVE, NULL);
	return false;
}

static bool
is_arriving(void)
{
	const Departing *row = departing_here();

	return row != NULL && row->has_departed;
}

static void
create_moves(void)
{
	MemoryContextCallback *callback = MemoryContextAlloc(TopTransactionContext,
														 sizeof(MemoryContextCallback));
	HASHCTL		ctl;

	ctl.keysize = sizeof(Departure);
	ctl.entrysize = sizeof(Move);
	ctl.hcxt = TopTransactionContext;
	moves = hash_create("po_mgmt moves", 64, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	callback->func = transaction_ends;
	callback->arg = NULL;
	MemoryContextRegisterResetCallback(TopTransactionContext, callback);
}

/* its invoice stays; AFTER DELETE will see what changed */
static void
arrive(PoTrigger *trigger, PoMapping *mapping)
{
	Departing  *from = departing_here();
	Relation	rel = open_invoices(trigger);
	Meant		meant = meant_by(mapping, trigger->new, rel);
	HeapTuple	tuple = heap_form_tuple(RelationGetDescr(rel), meant.values, meant.nulls);
	MemoryContext row = MemoryContextSwitchTo(TopTransactionContext);
	Move	   *move;

	if (moves == NULL)
		create_moves();
	move = hash_search(moves, &from->departure, HASH_ENTER, NULL);
	move->arrived = heap_copytuple(tuple);
	MemoryContextSwitchTo(row);
	from->row = NULL;
	table_close(rel, NoLock);
}

/* ---- UPDATE and DELETE ---- */

/*
 * The numbers are po_mgmt's; ON CONFLICT DO UPDATE of all columns leaves them
 * as they are.
 */
static void
check_filled(PoTrigger *trigger, const PoMapping *mapping, PoRow *proposed, int attribute)
{
	AttrNumber	column = po_mapping_filled(mapping, attribute);
	bool		isnull;
	Datum		stored;

	if (column == 0 || !po_changed(trigger, column))
		return;
	if (proposed->tuple == NULL || po_rows_differ(proposed, trigger->new, column))
		po_refuse_changed(trigger, column);
	stored = po_column(trigger->old, column, &isnull);
	if (isnull)
		po_set_null(trigger->new, column);
	else
		po_set(trigger->new, column, stored);
}

static void
before_update(PoTrigger *trigger, PoMapping *mapping)
{
	PoRow		proposed = {0};

	may_depart(trigger);
	if (po_store_is_writing())
		return;					/* fills in the numbers */
	proposed.desc = trigger->desc;
	proposed.tuple = po_flight_conflicting(trigger->old->tuple, trigger->desc);
	check_filled(trigger, mapping, &proposed, Anum_invoice_po_number);
	check_filled(trigger, mapping, &proposed, Anum_invoice_line_number);
}

/* account, seller as it is stored, and number; false where one is null */
static bool
key_of(const PoTrigger *trigger, const Meant *meant, Datum *key)
{
	for (int i = 0; i < Anum_invoice_invoice_id; i++)
	{
		if (meant->nulls[i])
			return false;
		key[i] = meant->values[i];
	}
	po_name_as_stored(trigger->schema, key);
	return true;
}

/* does an INSERT give it a value where it is null? */
static bool
has_default(int attribute)
{
	return attribute == Anum_invoice_kind || attribute == Anum_invoice_issued_on ||
		attribute == Anum_invoice_currency;
}

/* which columns of the invoice change? what defaults fill in stays where it is null */
static bool
find_changed(const Meant *old, const Meant *new, TupleDesc desc, bool *changed)
{
	bool		found = false;

	for (int i = 0; i < Anum_invoice_recorded_at; i++)
	{
		Form_pg_attribute att = TupleDescAttr(desc, i);

		changed[i] = i != Anum_invoice_po_number - 1 && i != Anum_invoice_line_number - 1 &&
			!(new->nulls[i] && has_default(i + 1)) &&
			(old->nulls[i] != new->nulls[i] ||
			 (!new->nulls[i] && !datum_image_eq(old->values[i], new->values[i],
												att->attbyval, att->attlen)));
		found = found || changed[i];
	}
	return found;
}

/* kind goes by the sign of the amount where it is not mapped */
static void
follow_sign(Meant *new, bool *changed)
{
	const int	kind = Anum_invoice_kind - 1;
	const int	amount = Anum_invoice_amount - 1;
	int			sign;

	if (!changed[amount] || new->nulls[amount] || !new->nulls[kind])
		return;
	sign = po_money_sign(DatumGetNumeric(new->values[amount]));
	changed[kind] = sign != 0;
	new->values[kind] = CStringGetTextDatum(sign < 0 ? "credit_memo" : "invoice");
	new->nulls[kind] = false;
}

static void
change(const PoTrigger *trigger, const Meant *old, Meant *new, TupleDesc desc)
{
	bool		changed[Anum_invoice_recorded_at];
	Datum		key[Anum_invoice_invoice_id];

	if (!key_of(trigger, old, key) || !find_changed(old, new, desc, changed))
		return;
	follow_sign(new, changed);
	po_change_invoice(trigger->schema, key, new->values, new->nulls, changed);
}

/* a row that went to another partition is no deleted one */
static bool
change_moved(const PoTrigger *trigger, const Meant *old, TupleDesc desc)
{
	Departure	departure = departure_of(trigger);
	Move	   *move = moves == NULL ? NULL : hash_search(moves, &departure, HASH_FIND, NULL);
	Meant		new;

	if (move == NULL)
		return false;
	new.values = palloc(desc->natts * sizeof(Datum));
	new.nulls = palloc(desc->natts * sizeof(bool));
	heap_deform_tuple(move->arrived, desc, new.values, new.nulls);
	hash_search(moves, &departure, HASH_REMOVE, NULL);
	change(trigger, old, &new, desc);
	return true;
}

/* what is booked waits for the statement's last row, or each would write a balance */
static void
change_invoice(const PoTrigger *trigger, const Meant *old, Meant *new, TupleDesc desc)
{
	Datum		key[Anum_invoice_invoice_id];
	bool		held = po_flight_hold(true);

	PG_TRY();
	{
		if (trigger->is_update)
			change(trigger, old, new, desc);
		else if (!change_moved(trigger, old, desc) && key_of(trigger, old, key))
			po_write(trigger->schema, PO_DELETE_INVOICE, key, NULL);
	}
	PG_FINALLY();
	{
		po_flight_hold(held);
	}
	PG_END_TRY();
}

static void
after_change(PoTrigger *trigger, PoMapping *mapping)
{
	Relation	rel = open_invoices(trigger);
	Meant		old = meant_by(mapping, trigger->old, rel);
	Meant		new = {0};
	PoIdentity	caller;

	if (trigger->is_update)
		new = meant_by(mapping, trigger->new, rel);
	po_check_triggers(trigger->schema, PO_INVOICE);
	po_become_role(rel->rd_rel->relowner, &caller);
	change_invoice(trigger, &old, &new, RelationGetDescr(rel));
	if (po_flight_row_came())
		po_flight_after(trigger->schema);
	po_become(&caller);
	table_close(rel, NoLock);
}

static void
after_insert(PoTrigger *trigger)
{
	PoIdentity	caller;

	if (po_books_waiting() == 0)
		return;					/* as for all rows but the first */
	po_become_table_owner(trigger->schema, PO_INVOICE, &caller);
	po_flight_after(trigger->schema);
	po_become(&caller);
}

/* ---- the trigger ---- */

static void
before(PoTrigger *trigger, PoMapping *mapping)
{
	if (trigger->is_delete)
	{
		/* the update that moves it was counted */
		if (!departs(trigger))
			po_flight_row_coming();
	}
	else if (trigger->is_update)
	{
		before_update(trigger, mapping);
		po_flight_row_coming();
	}
	else if (is_arriving())
		arrive(trigger, mapping);
	else
		insert(trigger, mapping);
}

PO_NORETURN static void
refuse_truncate(const PoTrigger *trigger)
{
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("TRUNCATE of \"%s\" is not possible while it is attached",
					RelationGetRelationName(trigger->rel)),
			 errdetail("Its rows are invoices of po_mgmt, which are given back one by one."),
			 errhint("Use DELETE, or po_detach() the table first.")));
}

/* BEFORE and AFTER INSERT OR UPDATE OR DELETE, BEFORE TRUNCATE; its argument is the mapping */
PG_FUNCTION_INFO_V1(po_attached_trigger);
Datum
po_attached_trigger(PG_FUNCTION_ARGS)
{
	PoTrigger	trigger;

	po_trigger_init(&trigger, fcinfo);
	if (trigger.old == NULL && trigger.new == NULL)
		refuse_truncate(&trigger);
	po_check_last(&trigger);
	if (trigger.before)
		before(&trigger, mapping_of(&trigger, fcinfo));
	else if (trigger.is_insert)
		after_insert(&trigger);
	else
		after_change(&trigger, mapping_of(&trigger, fcinfo));
	return po_trigger_result(&trigger);
}
