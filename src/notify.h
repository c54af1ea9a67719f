/*
 * notify.h
 *		When contacts are to be told of a balance, and telling them.
 *
 * A threshold is crossed by the change of a balance from at or above to below
 * it.  There is no state besides: a balance that is back is told of again.
 */
#ifndef PO_NOTIFY_H
#define PO_NOTIFY_H

#include "store.h"

/* the thresholds of a line item, the highest first */
typedef struct PoAlert PoAlert;

/* crossings, in the order in which they came about */
typedef struct PoCrossings PoCrossings;

/* NULL: nothing is to be told of such a line item */
extern PoAlert *po_alert_make(Numeric total_value, ArrayType *thresholds);
extern PoCrossings *po_crossings_make(void);

/*
 * Adds what an entry of the ledger crosses, whose balance_after is known.  An
 * edit has another total value before: was NULL, nothing was told of it then.
 */
extern void po_crossings_judge(PoCrossings *crossings, const PoEntry *cause,
							   const PoAlert *was, Numeric before, const PoAlert *is);

/* writes a notification for each, to the contacts as they are now */
extern void po_crossings_notify(Oid schema, const PoCrossings *crossings);

#endif							/* PO_NOTIFY_H */
