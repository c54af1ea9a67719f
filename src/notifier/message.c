/*
 * message.c
 *		Builds e-mail messages.  See message.h.
 *
 * Headers: control characters become spaces, what is not ASCII becomes encoded
 * words (RFC 2047), names are quoted.  The body is quoted-printable.
 */
#include "message.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_LINE		76		/* characters, without the line's end */
#define MAX_ADDRESS		320
#define ENCODED_BYTES	39		/* of a word: 64 characters, which fit behind any header's name */

/* ---- buffer ---- */

static void
make_space(Buffer *buffer, size_t len)
{
	if (buffer->len + len + 1 <= buffer->space)
		return;
	buffer->space = (buffer->len + len + 1) * 2;
	buffer->data = realloc(buffer->data, buffer->space);
	if (buffer->data == NULL)
	{
		fputs("po-notifier: out of memory\n", stderr);
		abort();
	}
}

void
buffer_add(Buffer *buffer, const char *data, size_t len)
{
	make_space(buffer, len);
	memcpy(buffer->data + buffer->len, data, len);
	buffer->len += len;
	buffer->data[buffer->len] = '\0';
}

void
buffer_add_text(Buffer *buffer, const char *text)
{
	buffer_add(buffer, text, strlen(text));
}

void
buffer_reset(Buffer *buffer)
{
	buffer->len = 0;
	buffer_add(buffer, "", 0);
}

void
buffer_free(Buffer *buffer)
{
	free(buffer->data);
	memset(buffer, 0, sizeof(*buffer));
}

/* ---- addresses ---- */

static bool
is_control(unsigned char c)
{
	return c < 0x20 || c == 0x7f;
}

bool
address_is_good(const char *address)
{
	const char *at = strchr(address, '@');

	if (at == NULL || at == address || at[1] == '\0' || strchr(at + 1, '@') != NULL ||
		strlen(address) > MAX_ADDRESS)
		return false;
	for (const char *c = address; *c != '\0'; c++)
		if (is_control(*c) || strchr(" \"(),:;<>[\\]", *c) != NULL)
			return false;
	return true;
}

static char *
trim(char *text)
{
	size_t		len;

	while (*text == ' ' || *text == '\t')
		text++;
	len = strlen(text);
	while (len > 0 && (text[len - 1] == ' ' || text[len - 1] == '\t'))
		text[--len] = '\0';
	return text;
}

bool
mailbox_parse(char *text, Mailbox *mailbox)
{
	char	   *open = strrchr(text, '<');
	char	   *close = strrchr(text, '>');

	mailbox->name = NULL;
	mailbox->address = trim(text);
	if (open != NULL && close != NULL && close > open && *trim(close + 1) == '\0')
	{
		*open = *close = '\0';
		text = trim(text);
		mailbox->name = *text != '\0' ? text : NULL;
		mailbox->address = trim(open + 1);
	}
	return address_is_good(mailbox->address);
}

/* ---- headers ---- */

static void
fold(Buffer *out)
{
	buffer_add_text(out, "\r\n ");
}

static void
add_base64(Buffer *out, const unsigned char *data, size_t len)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

	for (size_t i = 0; i < len; i += 3)
	{
		unsigned	bits = data[i] << 16;
		char		group[4];

		if (i + 1 < len)
			bits |= data[i + 1] << 8;
		if (i + 2 < len)
			bits |= data[i + 2];
		group[0] = digits[bits >> 18];
		group[1] = digits[bits >> 12 & 63];
		group[2] = i + 1 < len ? digits[bits >> 6 & 63] : '=';
		group[3] = i + 2 < len ? digits[bits & 63] : '=';
		buffer_add(out, group, 4);
	}
}

/* how many bytes go into one word: whole characters only */
static size_t
word_length(const char *text, size_t len)
{
	size_t		n = ENCODED_BYTES;

	if (len <= n)
		return len;
	while (n > ENCODED_BYTES - 4 && ((unsigned char) text[n] & 0xc0) == 0x80)
		n--;
	return n;
}

/* from a line that has hardly begun; each further word gets a line of its own */
static void
add_encoded(Buffer *out, const char *text)
{
	size_t		len = strlen(text);

	for (bool is_first = true; len > 0; is_first = false)
	{
		size_t		n = word_length(text, len);

		if (!is_first)
			fold(out);
		buffer_add_text(out, "=?UTF-8?B?");
		add_base64(out, (const unsigned char *) text, n);
		buffer_add_text(out, "?=");
		text += n;
		len -= n;
	}
}

/* a copy without control characters */
static char *
clean_copy(const char *text)
{
	Buffer		copy = {0};

	buffer_add_text(&copy, text);
	for (size_t i = 0; i < copy.len; i++)
		if (is_control(copy.data[i]))
			copy.data[i] = ' ';
	return copy.data;
}

/* can it stand as it is? long words cannot be folded, "=?" begins an encoded word */
static bool
is_plain(const char *text)
{
	size_t		word = 0;

	for (const char *c = text; *c != '\0'; c++)
	{
		word = *c == ' ' ? 0 : word + 1;
		if ((unsigned char) *c >= 0x7f || word > MAX_LINE * 4)
			return false;
	}
	return strstr(text, "=?") == NULL;
}

/* folded where a word would pass the end of the line, which has column characters */
static void
add_words(Buffer *out, const char *text, size_t column)
{
	while (*text != '\0')
	{
		size_t		spaces = strspn(text, " ");
		size_t		word = strcspn(text + spaces, " ");

		if (word == 0)
			break;				/* only spaces are left, which would end a line */
		if (column + spaces + word > MAX_LINE && spaces > 0)
		{
			buffer_add_text(out, "\r\n");
			column = 0;
		}
		buffer_add(out, text, spaces + word);
		column += spaces + word;
		text += spaces + word;
	}
}

static void
add_subject(Buffer *out, const char *subject)
{
	char	   *text = clean_copy(subject);

	buffer_add_text(out, "Subject: ");
	if (is_plain(text))
		add_words(out, text + strspn(text, " "), sizeof("Subject: ") - 1);
	else
		add_encoded(out, text);
	buffer_add_text(out, "\r\n");
	free(text);
}

static void
add_quoted(Buffer *out, const char *text)
{
	buffer_add_text(out, "\"");
	for (const char *c = text; *c != '\0'; c++)
	{
		if (*c == '"' || *c == '\\')
			buffer_add_text(out, "\\");
		buffer_add(out, c, 1);
	}
	buffer_add_text(out, "\"");
}

static void
add_mailbox(Buffer *out, const Mailbox *mailbox)
{
	char	   *copy = clean_copy(mailbox->name != NULL ? mailbox->name : "");
	char	   *name = trim(copy);

	if (*name != '\0')
	{
		bool		is_short = strlen(name) < MAX_LINE / 3;

		if (is_plain(name) && strlen(name) < MAX_LINE * 4)
			add_quoted(out, name);
		else
			add_encoded(out, name);
		if (is_short)
			buffer_add_text(out, " ");
		else
			fold(out);
	}
	buffer_add_text(out, "<");
	buffer_add_text(out, mailbox->address);
	buffer_add_text(out, ">");
	free(copy);
}

static void
add_mailboxes(Buffer *out, const char *header, const Mailbox *mailboxes, int n)
{
	buffer_add_text(out, header);
	for (int i = 0; i < n; i++)
	{
		if (i > 0)
		{
			buffer_add_text(out, ",");
			fold(out);
		}
		add_mailbox(out, &mailboxes[i]);
	}
	buffer_add_text(out, "\r\n");
}

/* in UTC, and in English whatever the locale */
static void
add_date(Buffer *out, time_t date)
{
	static const char *const days[] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static const char *const months[] = {
		"Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"
	};
	struct tm	tm;
	char		line[64];

	gmtime_r(&date, &tm);
	snprintf(line, sizeof(line), "Date: %s, %d %s %d %02d:%02d:%02d +0000\r\n",
			 days[tm.tm_wday], tm.tm_mday, months[tm.tm_mon], tm.tm_year + 1900,
			 tm.tm_hour, tm.tm_min, tm.tm_sec);
	buffer_add_text(out, line);
}

/* ---- body ---- */

/*
 * The next byte, of a line that has column characters: as it is, or encoded?
 * A dot or a "From " at a line's begin means something to mail servers.
 */
static bool
needs_encoding(const char *text, size_t column)
{
	unsigned char c = *text;

	if (c == ' ' || c == '\t')
		return text[1] == '\n' || text[1] == '\r' || text[1] == '\0';
	return c <= 0x20 || c >= 0x7f || c == '=' ||
		(column == 0 && (c == '.' || strncmp(text, "From ", 5) == 0));
}

static void
add_body(Buffer *out, const char *body)
{
	size_t		column = 0;

	for (const char *c = body; *c != '\0'; c++)
	{
		char		encoded[4];

		if (*c == '\r' && c[1] == '\n')
			continue;
		if (*c == '\n')
		{
			buffer_add_text(out, "\r\n");
			column = 0;
			continue;
		}
		if (column + (needs_encoding(c, column) ? 3 : 1) > MAX_LINE - 1)
		{
			buffer_add_text(out, "=\r\n");
			column = 0;
		}
		snprintf(encoded, sizeof(encoded), needs_encoding(c, column) ? "=%02X" : "%c",
				 (unsigned char) *c);
		buffer_add_text(out, encoded);
		column += strlen(encoded);
	}
	if (column > 0)
		buffer_add_text(out, "\r\n");
}

void
message_write(Buffer *out, const Message *message)
{
	add_mailboxes(out, "From: ", &message->from, 1);
	add_mailboxes(out, "To: ", message->to, message->nto);
	add_subject(out, message->subject);
	add_date(out, message->date);
	buffer_add_text(out, "Message-ID: <");
	buffer_add_text(out, message->id);
	buffer_add_text(out, strchr(message->from.address, '@'));
	buffer_add_text(out, ">\r\n");
	buffer_add_text(out, "Auto-Submitted: auto-generated\r\n"
					"MIME-Version: 1.0\r\n"
					"Content-Type: text/plain; charset=UTF-8\r\n"
					"Content-Transfer-Encoding: quoted-printable\r\n"
					"\r\n");
	add_body(out, message->body);
}
