/*
 * mail.h
 *		Gives a message to an SMTP server.
 */
#ifndef PO_MAIL_H
#define PO_MAIL_H

#include <stdbool.h>

#include "message.h"

typedef enum MailTls
{
	MAIL_TLS_OFF,
	MAIL_TLS_TRY,				/* STARTTLS where the server offers it */
	MAIL_TLS_REQUIRE
} MailTls;

typedef struct MailServer
{
	const char *url;			/* smtp://host:port or smtps://host:port */
	const char *user;			/* or NULL */
	const char *password;
	const char *ca_file;		/* or NULL: the system's */
	MailTls		tls;
	int			timeout;		/* seconds that a message may take */
} MailServer;

/* what became of a message, or of one recipient of it */
typedef enum MailVerdict
{
	MAIL_ACCEPTED,
	MAIL_LATER,					/* no answer, or 4xx: try again */
	MAIL_REFUSED				/* 5xx: trying again is of no use */
} MailVerdict;

#define MAIL_REASON_SIZE	512

typedef struct MailRecipient
{
	const char *address;
	MailVerdict verdict;
	char		reason[MAIL_REASON_SIZE];	/* where it was not accepted */
} MailRecipient;

extern bool mail_start(const MailServer *server, char *error);
extern void mail_stop(void);

/*
 * Sets each recipient's verdict.  False where the server did not get so far as
 * to say anything about this message: it is down, or refuses us.
 */
extern bool mail_send(const char *from, MailRecipient *recipients, int nrecipients,
					  const Buffer *message);

#endif							/* PO_MAIL_H */
