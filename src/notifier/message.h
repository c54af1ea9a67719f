/*
 * message.h
 *		A notification as an e-mail message (RFC 5322, MIME).
 *
 * Pure functions over texts in UTF-8: no database, no network.  Whatever the
 * texts hold, they end up within the header or the body that they belong to.
 */
#ifndef PO_MESSAGE_H
#define PO_MESSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <time.h>

/* a text that grows; always with a terminator */
typedef struct Buffer
{
	char	   *data;
	size_t		len;
	size_t		space;
} Buffer;

extern void buffer_add(Buffer *buffer, const char *data, size_t len);
extern void buffer_add_text(Buffer *buffer, const char *text);
extern void buffer_reset(Buffer *buffer);
extern void buffer_free(Buffer *buffer);

typedef struct Mailbox
{
	const char *address;
	const char *name;			/* or NULL */
} Mailbox;

typedef struct Message
{
	const char *id;				/* unique, the same on every try */
	Mailbox		from;
	const Mailbox *to;
	int			nto;
	const char *subject;
	const char *body;			/* lines end with a line feed */
	time_t		date;
} Message;

/* one address that is safe in a header and an SMTP command, quoting nothing */
extern bool address_is_good(const char *address);

/* "Name <address>" or an address; changes text, which the mailbox points into */
extern bool mailbox_parse(char *text, Mailbox *mailbox);

extern void message_write(Buffer *out, const Message *message);

#endif							/* PO_MESSAGE_H */
