/*
 * notify.c
 *		Thresholds that balances cross, and the notifications of it.  See
 *		notify.h.
 */
#include "postgres.h"

#include "catalog/pg_collation.h"
#include "catalog/pg_type.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"

#include "money.h"
#include "notice.h"
#include "notify.h"

/* their texts are long, and memory stays bounded */
#define WRITTEN_AT_ONCE	1000

typedef struct Threshold
{
	Numeric		share;			/* of the total value */
	Numeric		limit;
} Threshold;

struct PoAlert
{
	int			n;
	Threshold	thresholds[FLEXIBLE_ARRAY_MEMBER];
};

typedef struct Crossing
{
	const PoEntry *cause;
	Numeric		share;
} Crossing;

struct PoCrossings
{
	int			n;
	int			space;
	Crossing   *crossings;
};

/* ---- thresholds ---- */

static int
highest_first(const void *a, const void *b)
{
	return po_money_compare(((const Threshold *) b)->share, ((const Threshold *) a)->share);
}

PoAlert *
po_alert_make(Numeric total_value, ArrayType *thresholds)
{
	PoAlert    *alert;
	Datum	   *shares;
	int			nshares;

	if (thresholds == NULL || po_money_sign(total_value) <= 0)
		return NULL;
	deconstruct_array(thresholds, NUMERICOID, -1, false, TYPALIGN_INT,
					  &shares, NULL, &nshares);
	if (nshares == 0)
		return NULL;
	alert = palloc(offsetof(PoAlert, thresholds) + nshares * sizeof(Threshold));
	for (int i = 0; i < nshares; i++)
		alert->thresholds[i].share = DatumGetNumeric(shares[i]);
	qsort(alert->thresholds, nshares, sizeof(Threshold), highest_first);
	alert->n = 0;
	for (int i = 0; i < nshares; i++)
	{
		Threshold  *kept = &alert->thresholds[alert->n];

		if (alert->n > 0 && po_money_compare(kept[-1].share, alert->thresholds[i].share) == 0)
			continue;			/* listed twice */
		kept->share = alert->thresholds[i].share;
		kept->limit = po_money_multiply(kept->share, total_value);
		alert->n++;
	}
	return alert;
}

/* zero is reached by nothing left, the others by less than their share */
static bool
is_below(Numeric balance, const Threshold *threshold)
{
	int			order = po_money_compare(balance, threshold->limit);

	return order < 0 || (order == 0 && po_money_sign(threshold->limit) == 0);
}

/* ---- crossings ---- */

PoCrossings *
po_crossings_make(void)
{
	return palloc0(sizeof(PoCrossings));
}

static void
add_crossing(PoCrossings *crossings, const PoEntry *cause, Numeric share)
{
	if (crossings->n == crossings->space)
	{
		crossings->space = Max(64, crossings->space * 2);
		crossings->crossings = crossings->crossings == NULL ?
			palloc(crossings->space * sizeof(Crossing)) :
			repalloc(crossings->crossings, crossings->space * sizeof(Crossing));
	}
	crossings->crossings[crossings->n].cause = cause;
	crossings->crossings[crossings->n++].share = share;
}

/* both alerts are of one account, so they have the same shares */
void
po_crossings_judge(PoCrossings *crossings, const PoEntry *cause,
				   const PoAlert *was, Numeric before, const PoAlert *is)
{
	for (int i = 0; i < is->n; i++)
	{
		if (!is_below(cause->balance_after, &is->thresholds[i]))
			return;				/* nor below those that are lower */
		if (was == NULL || !is_below(before, &was->thresholds[i]))
			add_crossing(crossings, cause, is->thresholds[i].share);
	}
}

/* ---- notifications ---- */

static int
by_line_item(const void *a, const void *b)
{
	const PoMove *left = a;
	const PoMove *right = b;
	int			order = left->line_item_id < right->line_item_id ? -1 :
		left->line_item_id > right->line_item_id;

	if (order == 0 && !po_text_equal(left->account_id, right->account_id))
		order = DatumGetInt32(DirectFunctionCall2Coll(bttextcmp, C_COLLATION_OID,
													  PointerGetDatum(left->account_id),
													  PointerGetDatum(right->account_id)));
	return order;
}

/* the line items that crossings are of, each once, sorted */
static PoMove *
list_items(const PoCrossings *crossings, int *nitems)
{
	PoMove	   *items = palloc0(crossings->n * sizeof(PoMove));
	int			n = 0;

	for (int i = 0; i < crossings->n; i++)
	{
		items[i].account_id = crossings->crossings[i].cause->account_id;
		items[i].line_item_id = crossings->crossings[i].cause->line_item_id;
	}
	qsort(items, crossings->n, sizeof(PoMove), by_line_item);
	for (int i = 0; i < crossings->n; i++)
		if (n == 0 || by_line_item(&items[n - 1], &items[i]) != 0)
			items[n++] = items[i];
	*nitems = n;
	return items;
}

static void
make_notification(PoNotification *notification, const Crossing *crossing,
				  const PoNotice *notice)
{
	memset(notification, 0, sizeof(*notification));
	notification->account_id = notice->account_id;
	notification->po_number = notice->po_number;
	notification->line_number = notice->line_number;
	notification->kind = "balance";
	notification->threshold = crossing->share;
	notification->recipients = notice->recipients;
	notification->created_at = crossing->cause->recorded_at;
	po_notice_balance(notice, crossing->cause, crossing->share,
					  &notification->subject, &notification->body);
}

static void
write_some(Oid schema, const Crossing *crossings, int ncrossings,
		   const PoMove *items, const PoNotice *notices, int nitems)
{
	PoNotification *notifications = palloc(ncrossings * sizeof(PoNotification));
	int			n = 0;

	for (int i = 0; i < ncrossings; i++)
	{
		PoMove		key = {0};
		const PoMove *item;
		const PoNotice *notice;

		key.account_id = crossings[i].cause->account_id;
		key.line_item_id = crossings[i].cause->line_item_id;
		item = bsearch(&key, items, nitems, sizeof(PoMove), by_line_item);
		notice = &notices[item - items];
		/* a user's trigger on the ledger may have deleted them */
		if (notice->recipients != NULL)
			make_notification(&notifications[n++], &crossings[i], notice);
	}
	if (n > 0)
		po_write_notifications(schema, PO_WRITE_NOTIFICATIONS, notifications, n);
}

void
po_crossings_notify(Oid schema, const PoCrossings *crossings)
{
	PoNotice   *notices;
	PoMove	   *items;
	int			nitems;

	if (crossings->n == 0)
		return;
	items = list_items(crossings, &nitems);
	notices = palloc(nitems * sizeof(PoNotice));
	po_read_notices(schema, items, nitems, notices);
	for (int i = 0; i < crossings->n; i += WRITTEN_AT_ONCE)
	{
		MemoryContext work = AllocSetContextCreate(CurrentMemoryContext,
												   "po_mgmt notifications",
												   ALLOCSET_DEFAULT_SIZES);
		MemoryContext caller = MemoryContextSwitchTo(work);

		write_some(schema, &crossings->crossings[i], Min(crossings->n - i, WRITTEN_AT_ONCE),
				   items, notices, nitems);
		MemoryContextSwitchTo(caller);
		MemoryContextDelete(work);
	}
}
