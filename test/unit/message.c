/*
 * message.c
 *		Tests the messages that po-notifier sends: whatever names, subjects and
 *		texts hold, the headers are those that were meant, in ASCII and in
 *		lines that end as they have to; and what a reader decodes is what was
 *		written.
 *
 * link: src/notifier/message.c
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "notifier/message.h"

#define ROUNDS	20000

static int	failures = 0;

static void
check(int good, const char *what)
{
	printf("%sok - %s\n", good ? "" : "not ", what);
	failures += !good;
}

/* ---- reading a message as a mail program does ---- */

static int
base64_digit(char c)
{
	static const char digits[] =
		"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	const char *at = c == '\0' ? NULL : strchr(digits, c);

	return at == NULL ? -1 : (int) (at - digits);
}

/* a header's value, unfolded and with its encoded words decoded; NULL: it is not there */
static char *
header(const char *message, const char *name)
{
	static char value[100000];
	size_t		len = 0;
	const char *c = message;
	size_t		word_end = 0;	/* white space between encoded words is none */
	int			after_word = 0;

	for (;;)
	{
		const char *end = strstr(c, "\r\n");

		if (end == NULL || end == c)
			return NULL;
		if (strncmp(c, name, strlen(name)) == 0 && strncmp(c + strlen(name), ": ", 2) == 0)
			break;
		c = end + 2;
	}
	c += strlen(name) + 2;
	while (strncmp(c, "\r\n", 2) != 0 || c[2] == ' ' || c[2] == '\t')
	{
		if (*c == '\r')
			c += 2;
		else if (strncmp(c, "=?UTF-8?B?", 10) == 0)
		{
			unsigned	bits = 0;
			int			nbits = 0;

			if (after_word)
				len = word_end;
			for (c += 10; base64_digit(*c) >= 0; c++)
			{
				bits = bits << 6 | (unsigned) base64_digit(*c);
				nbits += 6;
				if (nbits >= 8)
					value[len++] = (char) (bits >> (nbits -= 8) & 0xff);
			}
			c += strspn(c, "=") + strlen("?=") - (c[strspn(c, "=")] == '?' ? 0 : 1);
			after_word = 1;
			word_end = len;
		}
		else
		{
			if (*c != ' ')
				after_word = 0;
			value[len++] = *c++;
		}
	}
	value[len] = '\0';
	return value;
}

/* the body, its quoted-printable decoded */
static char *
body(const char *message)
{
	static char text[100000];
	size_t		len = 0;

	for (const char *c = strstr(message, "\r\n\r\n") + 4; *c != '\0'; c++)
	{
		unsigned	byte;

		if (strncmp(c, "=\r\n", 3) == 0)
			c += 2;
		else if (*c == '=')
		{
			sscanf(c + 1, "%2X", &byte);
			text[len++] = (char) byte;
			c += 2;
		}
		else if (*c == '\r')
		{
			text[len++] = '\n';
			c++;
		}
		else
			text[len++] = *c;
	}
	text[len] = '\0';
	return text;
}

/* lines end with CR LF, are short, and of ASCII; the headers are ours, each once */
static int
is_sound(const char *message)
{
	static const char *const names[] = {
		"From: ", "To: ", "Subject: ", "Date: ", "Message-ID: ", "Auto-Submitted: ",
		"MIME-Version: ", "Content-Type: ", "Content-Transfer-Encoding: "
	};
	int			next = 0;		/* header, in their order */
	int			in_body = 0;

	for (const char *line = message; *line != '\0';)
	{
		const char *end = strstr(line, "\r\n");

		if (end == NULL || end - line > (in_body ? 76 : 998))
			return 0;
		for (const char *c = line; c < end; c++)
			if ((unsigned char) *c < 0x20 ? *c != '\t' : (unsigned char) *c >= 0x7f)
				return 0;
		if (in_body)
		{
			if (*line == '.' || strncmp(line, "From ", 5) == 0 || end[-1] == ' ')
				return 0;
		}
		else if (end == line)
		{
			if (next != 9)
				return 0;
			in_body = 1;
		}
		else if (*line == ' ')
		{
			if (strspn(line, " ") == (size_t) (end - line))
				return 0;		/* some take that for the end of the headers */
		}
		else
		{
			if (next == 9 || strncmp(line, names[next], strlen(names[next])) != 0)
				return 0;
			next++;
		}
		line = end + 2;
	}
	return in_body;
}

/* ---- writing ---- */

static char *
write_it(const char *name, const char *subject, const char *text)
{
	static Buffer out;
	Mailbox		to[] = {{"a@example.com", name}, {"b@example.com", NULL}};
	Message		message = {
		.id = "po_mgmt.7.1", .from = {"po@example.com", name}, .to = to, .nto = 2,
		.subject = subject, .body = text, .date = 1767225599
	};

	buffer_reset(&out);
	message_write(&out, &message);
	return out.data;
}

static void
test_plain(void)
{
	const char *message = write_it("Accounts \"payable\" \\ Ltd", "Purchase order 1, line item 1: less than 75% is left",
								   "Hello,\n\n.\nFrom here 100% = all \nend");

	check(strcmp(message,
				 "From: \"Accounts \\\"payable\\\" \\\\ Ltd\" <po@example.com>\r\n"
				 "To: \"Accounts \\\"payable\\\" \\\\ Ltd\" <a@example.com>,\r\n"
				 " <b@example.com>\r\n"
				 "Subject: Purchase order 1, line item 1: less than 75% is left\r\n"
				 "Date: Wed, 31 Dec 2025 23:59:59 +0000\r\n"
				 "Message-ID: <po_mgmt.7.1@example.com>\r\n"
				 "Auto-Submitted: auto-generated\r\n"
				 "MIME-Version: 1.0\r\n"
				 "Content-Type: text/plain; charset=UTF-8\r\n"
				 "Content-Transfer-Encoding: quoted-printable\r\n"
				 "\r\n"
				 "Hello,\r\n\r\n=2E\r\n=46rom here 100% =3D all=20\r\nend\r\n") == 0,
		  "a message, to the byte");
}

static void
test_tricks(void)
{
	const char *message = write_it("x\r\nBcc: v@example.com", "a\r\nBcc: v@example.com\r\n\r\nbody", "b\r\n.\r\nMAIL FROM:<x>\r\n");

	check(is_sound(message) && header(message, "Bcc") == NULL, "line ends in names and subjects begin no header");
	check(strcmp(header(message, "Subject"), "a  Bcc: v@example.com    body") == 0, "and are spaces");
	check(strcmp(body(message), "b\n.\nMAIL FROM:<x>\n") == 0, "a line with a dot ends nothing");
	message = write_it("x\" <v@example.com>, \"y", "=?UTF-8?B?aGVsbG8=?=", "");
	check(is_sound(message) && strstr(message, "\"x\\\" <v@example.com>, \\\"y\"") != NULL, "a name with an address in it is a name");
	check(strcmp(header(message, "Subject"), "=?UTF-8?B?aGVsbG8=?=") == 0, "a subject that looks encoded is what it looks");
}

static void
test_encoding(void)
{
	const char *subject = "B\xc3\xa4ume \xe2\x82\xac 1.000 \xf0\x9f\x8c\xb3 und noch mehr B\xc3\xa4ume, bis die Zeile voll ist";
	const char *message = write_it("J\xc3\xbcrgen M\xc3\xbcller", subject, "\xe2\x82\xac\n");

	check(is_sound(message), "not ASCII");
	check(strcmp(header(message, "Subject"), subject) == 0, "the subject is read as it was");
	check(strcmp(header(message, "From"), "J\xc3\xbcrgen M\xc3\xbcller <po@example.com>") == 0, "and the name");
	check(strcmp(body(message), "\xe2\x82\xac\n") == 0, "and the body");
}

static void
test_addresses(void)
{
	static const char *const good[] = {"a@b", "ap+po@example.co.uk", "o'neil@example.com", "\xc3\xbc@example.com"};
	static const char *const bad[] = {
		"", "a", "@b", "a@", "a@b@c", "a b@c", "a@b\r\nRCPT TO:<x@y>", "a@b>", "<a@b>", "a@b,c@d", "a@b;c@d",
		"\"a\"@b", "a@b\t", "a(c)@b", "a\\b@c", "a@b SIZE=1", "a@b\x7f"
	};
	char		named[] = " Purchasing, Ltd < po@example.com > ";
	char		plain[] = "po@example.com";
	char		empty[] = "<po@example.com>";
	char		more[] = "A <a@b> c";
	Mailbox		mailbox;
	int			ok = 1;

	for (size_t i = 0; i < sizeof(good) / sizeof(*good); i++)
		ok = ok && address_is_good(good[i]);
	check(ok, "addresses");
	ok = 1;
	for (size_t i = 0; i < sizeof(bad) / sizeof(*bad); i++)
		ok = ok && !address_is_good(bad[i]);
	check(ok, "what is none");
	check(mailbox_parse(named, &mailbox) && strcmp(mailbox.name, "Purchasing, Ltd") == 0 &&
		  strcmp(mailbox.address, "po@example.com") == 0, "a sender with a name");
	check(mailbox_parse(plain, &mailbox) && mailbox.name == NULL, "without one");
	check(mailbox_parse(empty, &mailbox) && mailbox.name == NULL &&
		  strcmp(mailbox.address, "po@example.com") == 0, "in brackets");
	check(!mailbox_parse(more, &mailbox), "with more behind it");
}

/* bytes that are likely to do harm, whole characters among them */
static char *
random_text(char *out, int max)
{
	static const char *const pieces[] = {
		"\r\n", "\n", "\r", " ", "  ", "\t", ".", "=", "=?", "?=", "=?UTF-8?Q?x?=", "\"", "\\", "<", ">", ",", ":",
		"Bcc: x@y", "From ", "a", "word", "\xc3\xa4", "\xe2\x82\xac", "\xf0\x9f\x8c\xb3", "\x01", "\x7f",
		"averyveryverylongwordindeedaveryveryverylongwordindeedaveryveryverylongwordindeed"
	};
	int			n = rand() % max;

	*out = '\0';
	while (n-- > 0)
		strcat(out, pieces[rand() % (sizeof(pieces) / sizeof(*pieces))]);
	return out;
}

/* as it is to be read: controls are spaces; outer and folding space may change */
static void
squeeze(char *to, const char *from)
{
	char	   *begin = to;

	for (; *from != '\0'; from++)
	{
		char		c = (unsigned char) *from < 0x20 || *from == 0x7f ? ' ' : *from;

		if (c != ' ' || (to > begin && to[-1] != ' '))
			*to++ = c;
	}
	if (to > begin && to[-1] == ' ')
		to--;
	*to = '\0';
}

/* lone CRs stay, CR LF is a line's end, and a last line gets one */
static void
as_lines(char *to, const char *from)
{
	char	   *begin = to;

	for (; *from != '\0'; from++)
		if (*from != '\r' || from[1] != '\n')
			*to++ = *from;
	if (to > begin && to[-1] != '\n')
		*to++ = '\n';
	*to = '\0';
}

static void
test_random(void)
{
	static char name[4000],
				subject[4000],
				text[10000],
				expected[10000],
				found[10000];
	int			sound = 1,
				subjects = 1,
				bodies = 1;

	for (int i = 0; i < ROUNDS; i++)
	{
		const char *message = write_it(random_text(name, 20), random_text(subject, 30),
									   random_text(text, 80));

		sound = sound && is_sound(message) && header(message, "Bcc") == NULL;
		squeeze(expected, subject);
		squeeze(found, header(message, "Subject"));
		subjects = subjects && strcmp(expected, found) == 0;
		as_lines(expected, text);
		bodies = bodies && strcmp(expected, body(message)) == 0;
	}
	check(sound, "random texts: the headers are ours");
	check(subjects, "random texts: the subject is read as it was");
	check(bodies, "random texts: the body is read as it was");
}

int
main(void)
{
	const char *given = getenv("PO_SEED");
	unsigned	seed = given ? (unsigned) strtoul(given, NULL, 10) : (unsigned) time(NULL);

	printf("# PO_SEED=%u\n", seed);
	srand(seed);
	test_plain();
	test_tricks();
	test_encoding();
	test_addresses();
	test_random();
	return failures > 0;
}
