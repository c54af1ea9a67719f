/*
 * mail.c
 *		Gives messages to an SMTP server, by libcurl.  See mail.h.
 *
 * libcurl has one error for all that a server refuses, so the replies
 * themselves are read, as they pass by its debug callback: which command they
 * are for, and what they say.
 */
#include "mail.h"

#include <curl/curl.h>
#include <stdio.h>
#include <string.h>

/* the commands of a message; all others are of the session */
typedef enum Command
{
	COMMAND_SESSION,
	COMMAND_MAIL,
	COMMAND_RCPT,
	COMMAND_DATA
} Command;

typedef struct Dialogue
{
	Command		command;		/* the last one */
	bool		is_over;		/* the session ends, and with it what concerns the message */
	int			recipient;		/* of the last RCPT */
	MailRecipient *recipients;
	int			nrecipients;
	char		reply[MAIL_REASON_SIZE];	/* the last one */
	const Buffer *message;
	size_t		sent;			/* of the message */
} Dialogue;

/* its name had a letter too many before 8.2 */
#if LIBCURL_VERSION_NUM < 0x080200
#define CURLOPT_MAIL_RCPT_ALLOWFAILS	CURLOPT_MAIL_RCPT_ALLLOWFAILS
#endif

static CURL *curl;
static char curl_error[CURL_ERROR_SIZE];
static Dialogue dialogue;		/* the connection outlives a message, and speaks at its end */

/* ---- what passes by ---- */

/* the first digit of a reply, or 0 */
static int
reply_class(const char *reply)
{
	return reply[0] >= '2' && reply[0] <= '5' ? reply[0] - '0' : 0;
}

static MailVerdict
verdict_of(const char *reply)
{
	switch (reply_class(reply))
	{
		case 2:
			return MAIL_ACCEPTED;
		case 5:
			return MAIL_REFUSED;
		default:
			return MAIL_LATER;
	}
}

static void
judge(MailRecipient *recipient, MailVerdict verdict, const char *reason)
{
	recipient->verdict = verdict;
	snprintf(recipient->reason, sizeof(recipient->reason), "%s",
			 verdict == MAIL_ACCEPTED ? "" : reason);
}

static bool
starts_with(const char *data, size_t len, const char *word)
{
	return len >= strlen(word) && strncmp(data, word, strlen(word)) == 0;
}

static void
see_command(const char *data, size_t len)
{
	if (starts_with(data, len, "QUIT"))
	{
		/* at the begin it is of an older session */
		dialogue.is_over = dialogue.command != COMMAND_SESSION;
		return;
	}
	dialogue.command = COMMAND_SESSION;
	if (starts_with(data, len, "MAIL FROM:"))
		dialogue.command = COMMAND_MAIL;
	else if (starts_with(data, len, "RCPT TO:"))
	{
		dialogue.command = COMMAND_RCPT;
		dialogue.recipient++;
	}
	else if (starts_with(data, len, "DATA"))
		dialogue.command = COMMAND_DATA;
}

/* a line; the last one of a reply has a space behind the code */
static void
see_reply(const char *data, size_t len)
{
	while (len > 0 && (data[len - 1] == '\r' || data[len - 1] == '\n'))
		len--;
	if (len < 3 || (len > 3 && data[3] != ' ') || dialogue.is_over)
		return;
	snprintf(dialogue.reply, sizeof(dialogue.reply), "%.*s", (int) len, data);
	if (dialogue.command == COMMAND_RCPT && dialogue.recipient < dialogue.nrecipients)
		judge(&dialogue.recipients[dialogue.recipient], verdict_of(dialogue.reply),
			  dialogue.reply);
}

static int
see(CURL *handle, curl_infotype type, char *data, size_t size, void *arg)
{
	(void) handle;
	(void) arg;
	if (type == CURLINFO_HEADER_OUT)
		see_command(data, size);
	else if (type == CURLINFO_HEADER_IN)
		see_reply(data, size);
	return 0;
}

static size_t
give(char *out, size_t size, size_t n, void *arg)
{
	size_t		len = dialogue.message->len - dialogue.sent;

	(void) arg;
	if (len > size * n)
		len = size * n;
	memcpy(out, dialogue.message->data + dialogue.sent, len);
	dialogue.sent += len;
	return len;
}

/* ---- sending ---- */

/*
 * The transfer has failed.  What the server said of a recipient stands; the
 * others share what happened to the message.
 */
static bool
judge_failure(CURLcode code)
{
	const char *reason = dialogue.reply;
	MailVerdict verdict = verdict_of(dialogue.reply);
	int			named = dialogue.recipient + 1;	/* in a RCPT */

	/* the reply is of an earlier command, or of none: it is the connection that failed */
	if (reply_class(reason) < 4)
	{
		reason = curl_error[0] != '\0' ? curl_error : curl_easy_strerror(code);
		verdict = MAIL_LATER;
	}
	/* whatever the session fails on, it is not this message's fault */
	if (dialogue.command == COMMAND_SESSION)
		verdict = MAIL_LATER;
	for (int i = 0; i < dialogue.nrecipients; i++)
	{
		MailRecipient *recipient = &dialogue.recipients[i];

		if (dialogue.command == COMMAND_SESSION || dialogue.command == COMMAND_MAIL ||
			i >= named || recipient->verdict == MAIL_ACCEPTED)
			judge(recipient, verdict, reason);
	}
	return dialogue.command != COMMAND_SESSION && reply_class(dialogue.reply) >= 4;
}

bool
mail_send(const char *from, MailRecipient *recipients, int nrecipients, const Buffer *message)
{
	struct curl_slist *list = NULL;
	CURLcode	code;

	memset(&dialogue, 0, sizeof(dialogue));
	dialogue.recipients = recipients;
	dialogue.nrecipients = nrecipients;
	dialogue.recipient = -1;
	dialogue.message = message;
	for (int i = 0; i < nrecipients; i++)
	{
		judge(&recipients[i], MAIL_LATER, "not tried");
		list = curl_slist_append(list, recipients[i].address);
	}
	curl_error[0] = '\0';
	curl_easy_setopt(curl, CURLOPT_MAIL_FROM, from);
	curl_easy_setopt(curl, CURLOPT_MAIL_RCPT, list);
	curl_easy_setopt(curl, CURLOPT_INFILESIZE_LARGE, (curl_off_t) message->len);
	code = curl_easy_perform(curl);
	curl_slist_free_all(list);
	return code == CURLE_OK || judge_failure(code);
}

static long
use_ssl(MailTls tls)
{
	return tls == MAIL_TLS_OFF ? CURLUSESSL_NONE :
		tls == MAIL_TLS_TRY ? CURLUSESSL_TRY : CURLUSESSL_ALL;
}

bool
mail_start(const MailServer *server, char *error)
{
	curl_global_init(CURL_GLOBAL_DEFAULT);
	curl = curl_easy_init();
	snprintf(error, MAIL_REASON_SIZE, "%s", "libcurl could not start");
	if (curl == NULL)
		return false;
	curl_easy_setopt(curl, CURLOPT_NOSIGNAL, 1L);
	curl_easy_setopt(curl, CURLOPT_ERRORBUFFER, curl_error);
	curl_easy_setopt(curl, CURLOPT_VERBOSE, 1L);
	curl_easy_setopt(curl, CURLOPT_DEBUGFUNCTION, see);
	curl_easy_setopt(curl, CURLOPT_UPLOAD, 1L);
	curl_easy_setopt(curl, CURLOPT_READFUNCTION, give);
	curl_easy_setopt(curl, CURLOPT_URL, server->url);
	curl_easy_setopt(curl, CURLOPT_TIMEOUT, (long) server->timeout);
	curl_easy_setopt(curl, CURLOPT_CONNECTTIMEOUT, (long) server->timeout);
	curl_easy_setopt(curl, CURLOPT_USE_SSL, use_ssl(server->tls));
	if (server->ca_file != NULL)
		curl_easy_setopt(curl, CURLOPT_CAINFO, server->ca_file);
	curl_easy_setopt(curl, CURLOPT_USERNAME, server->user);
	curl_easy_setopt(curl, CURLOPT_PASSWORD, server->password);
	/* recipients that are refused do not stop those that are not */
	if (curl_easy_setopt(curl, CURLOPT_MAIL_RCPT_ALLOWFAILS, 1L) == CURLE_OK)
		return true;
	snprintf(error, MAIL_REASON_SIZE, "%s", "libcurl is older than 7.69 or has no SMTP");
	return false;
}

void
mail_stop(void)
{
	curl_easy_cleanup(curl);
	curl_global_cleanup();
}
