/*
 * options.h
 *		What po-notifier is told by its command line and environment.
 */
#ifndef PO_OPTIONS_H
#define PO_OPTIONS_H

#include <stdbool.h>

#include "mail.h"

/* exit status */
#define EXIT_USAGE		1		/* bad options */
#define EXIT_DATABASE	2		/* no database, or no rights there */
#define EXIT_LEFT		3		/* --once: something could not be sent */

typedef struct Options
{
	const char *conninfo;		/* or NULL: libpq's environment says all */
	MailServer	server;
	Mailbox		from;
	bool		once;
	bool		dry_run;
	bool		verbose;
	int			poll;			/* seconds between looks at the outbox */
	int			lease;			/* seconds for which a notification is claimed */
	int			retry;			/* seconds to the first further try */
} Options;

/* ends the program where they are wrong, or ask for help */
extern void options_read(Options *options, int argc, char **argv);

#endif							/* PO_OPTIONS_H */
