/*
 * trg_invoice.h
 *		What trg_attached.c needs of trg_invoice.c: one way to make an invoice.
 */
#ifndef PO_TRG_INVOICE_H
#define PO_TRG_INVOICE_H

#include "trigger.h"

/*
 * A new row of po_invoice, as the tables' owner: checks it, finds what it is
 * booked on and fills that in.  True where there is an entry for it.
 */
extern bool po_invoice_new(PoTrigger *trigger, PoEntry *entry, bool *tracked);

#endif							/* PO_TRG_INVOICE_H */
