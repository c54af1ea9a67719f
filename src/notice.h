/*
 * notice.h
 *		What a notification says: subject and body of the mail.
 *
 * Only sentences; when there is something to say, notify.h decides.
 */
#ifndef PO_NOTICE_H
#define PO_NOTICE_H

#include "store.h"

/*
 * A balance that fell below a share of the total value, to what it is after
 * an entry of the ledger.
 */
extern void po_notice_balance(const PoNotice *notice, const PoEntry *cause,
							  Numeric threshold, text **subject, text **body);

/* an order that expires, or has expired, as it is on the notice's today */
extern void po_notice_expiration(const PoNotice *notice, text **subject, text **body);

#endif							/* PO_NOTICE_H */
