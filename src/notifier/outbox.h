/*
 * outbox.h
 *		The table po_notification: what is to be sent, and what became of it.
 *
 * Every call is a statement of its own, so no transaction stays open while a
 * mail server is talked to.  After a call that returned OUTBOX_LOST the
 * connection is to be opened again.
 */
#ifndef PO_OUTBOX_H
#define PO_OUTBOX_H

#include <stdbool.h>

#include "message.h"

typedef enum OutboxResult
{
	OUTBOX_OK,
	OUTBOX_NOTHING,				/* nothing is to be sent now */
	OUTBOX_LOST,				/* the connection */
	OUTBOX_FAILED				/* a statement: rights, or not our table */
} OutboxResult;

/* a notification, with those who do not have it yet */
typedef struct Notification
{
	char	   *account_id;
	char	   *notification_id;
	char	   *claimed_until;	/* our claim */
	char	   *message_id;
	char	   *subject;
	char	   *body;
	long		created_at;		/* seconds since 1970 */
	bool		is_partly_sent;		/* others have it already */
	Mailbox    *recipients;
	int			nrecipients;
	void	   *rows;			/* where all of these are */
	void	   *mailboxes;
} Notification;

/* how a claim ends */
typedef struct Outcome
{
	enum
	{
		OUTCOME_SENT,
		OUTCOME_LATER,
		OUTCOME_PARKED
	}			kind;
	const char *error;			/* or NULL */
	const Mailbox *delivered;	/* to these, where others are left */
	int			ndelivered;
} Outcome;

extern OutboxResult outbox_open(const char *conninfo, bool listen);
extern void outbox_close(void);
extern const char *outbox_error(void);

/* takes the next notification for so many seconds; the caller frees it */
extern OutboxResult outbox_claim(int lease, Notification *notification);

/* reads notifications that are to be sent, one after another, and claims none */
extern OutboxResult outbox_peek(const char *after, Notification *notification);
extern void notification_free(Notification *notification);

/*
 * Writes down what became of it.  Later: after base seconds, twice as long at
 * each further try, an hour at most, a bit more or less.
 */
extern OutboxResult outbox_finish(const Notification *notification,
								  const Outcome *outcome, int base);

/* until something may be there, seconds have passed, or a signal comes */
extern OutboxResult outbox_wait(double seconds);

/* seconds until one that waits is to be tried again; less than 0: none is */
extern OutboxResult outbox_next(double *seconds);

#endif							/* PO_OUTBOX_H */
