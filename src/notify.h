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

/* the thresholds of a line item, and how many of them its balance is below */
typedef struct PoAlert PoAlert;

/* crossings, in the order in which they came about */
typedef struct PoCrossings PoCrossings;

/* of that balance; NULL: nothing is to be told of such a line item */
extern PoAlert *po_alert_make(Numeric total_value, ArrayType *thresholds, Numeric balance);
/* as low as the other, or below none: before an edit */
extern void po_alert_start(PoAlert *alert, const PoAlert *before);
extern PoCrossings *po_crossings_make(void);

/* the balance goes to where an entry of the ledger has it: what does that cross? */
extern void po_crossings_judge(PoCrossings *crossings, PoAlert *alert, const PoEntry *cause);

/* writes a notification for each, to the contacts as they are now */
extern void po_crossings_notify(Oid schema, const PoCrossings *crossings);

#endif							/* PO_NOTIFY_H */
