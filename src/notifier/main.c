/*
 * main.c
 *		po-notifier: sends what is in the outbox of po_mgmt.
 *
 * One notification at a time: claim it, give it to the mail server, write
 * down what became of it.  A crash in between leaves a claim that runs out, so
 * nothing is lost; one between the mail server's answer and the mark sends it
 * again, with the same Message-ID.
 */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>
#include <unistd.h>

#include "mail.h"
#include "options.h"
#include "outbox.h"

#define MAX_PAUSE		300		/* seconds without a mail server or database */

static Options options;
static volatile sig_atomic_t stopped;
static bool something_left;		/* unsent, for the exit status */

static void say(const char *format,...) __attribute__((format(printf, 1, 2)));

static void
say(const char *format,...)
{
	va_list		args;

	va_start(args, format);
	fputs("po-notifier: ", stderr);
	vfprintf(stderr, format, args);
	fputc('\n', stderr);
	va_end(args);
}

/* ---- signals and pauses ---- */

static void
stop(int signal)
{
	(void) signal;
	stopped = 1;
}

/* they come through where we wait, so a message in work is finished first */
static void
catch_signals(void)
{
	struct sigaction action;
	sigset_t	signals;

	memset(&action, 0, sizeof(action));
	action.sa_handler = stop;
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGHUP, &action, NULL);
	action.sa_handler = SIG_IGN;
	sigaction(SIGPIPE, &action, NULL);
	sigemptyset(&signals);
	sigaddset(&signals, SIGTERM);
	sigaddset(&signals, SIGINT);
	sigaddset(&signals, SIGHUP);
	sigprocmask(SIG_BLOCK, &signals, NULL);
}

/* longer at each further failure, and not the same for two of us */
static void
pause_after(int failures)
{
	double		seconds = options.retry;
	struct timespec timeout;
	sigset_t	none;

	for (int i = 1; i < failures && seconds < MAX_PAUSE; i++)
		seconds *= 2;
	if (seconds > MAX_PAUSE)
		seconds = MAX_PAUSE;
	seconds *= 0.5 + (double) rand() / RAND_MAX;
	timeout.tv_sec = (time_t) seconds;
	timeout.tv_nsec = (long) ((seconds - (double) timeout.tv_sec) * 1e9);
	sigemptyset(&none);
	pselect(0, NULL, NULL, NULL, &timeout, &none);
}

/* ---- one notification ---- */

static void
write_message(Buffer *out, const Notification *notification, const Mailbox *to, int nto)
{
	Message		message = {
		.id = notification->message_id,
		.from = options.from,
		.to = to,
		.nto = nto,
		.subject = notification->subject,
		.body = notification->body,
		.date = notification->created_at
	};

	message_write(out, &message);
}

static void
add_reason(Buffer *reasons, const char *address, const char *reason)
{
	if (reasons->len > 0)
		buffer_add_text(reasons, "; ");
	buffer_add_text(reasons, address);
	buffer_add_text(reasons, ": ");
	buffer_add_text(reasons, reason);
}

/* what became of its recipients, taken together */
static void
conclude(Outcome *outcome, Buffer *reasons, const Notification *notification,
		 const MailRecipient *recipients, Mailbox *delivered)
{
	int			nlater = 0;

	outcome->delivered = delivered;
	for (int i = 0; i < notification->nrecipients; i++)
	{
		if (recipients[i].verdict == MAIL_ACCEPTED)
		{
			delivered[outcome->ndelivered++] = notification->recipients[i];
			continue;
		}
		if (recipients[i].verdict == MAIL_LATER)
			nlater++;
		add_reason(reasons, recipients[i].address, recipients[i].reason);
	}
	if (notification->nrecipients == 0 && !notification->is_partly_sent)
		buffer_add_text(reasons, "there are no recipients");
	outcome->kind = nlater > 0 ? OUTCOME_LATER :
		outcome->ndelivered > 0 || notification->is_partly_sent ? OUTCOME_SENT : OUTCOME_PARKED;
	outcome->error = reasons->len > 0 ? reasons->data : NULL;
	if (reasons->len == 0 && !notification->is_partly_sent)
		outcome->ndelivered = 0;	/* all of them at once */
}

/* true where the mail server took notice of it */
static bool
send_to_good(const Notification *notification, MailRecipient *recipients)
{
	int			n = notification->nrecipients;
	Mailbox    *to = calloc(n + 1, sizeof(Mailbox));
	MailRecipient *good = calloc(n + 1, sizeof(MailRecipient));
	Buffer		message = {0};
	bool		reached = true;
	int			ngood = 0;

	for (int i = 0; i < n; i++)
	{
		recipients[i].address = notification->recipients[i].address;
		recipients[i].verdict = MAIL_REFUSED;
		strcpy(recipients[i].reason, "not an e-mail address");
		if (!address_is_good(recipients[i].address))
			continue;
		to[ngood] = notification->recipients[i];
		good[ngood++].address = recipients[i].address;
	}
	if (ngood > 0)
	{
		write_message(&message, notification, to, ngood);
		reached = mail_send(options.from.address, good, ngood, &message);
	}
	for (int i = 0, k = 0; i < n; i++)
		if (k < ngood && good[k].address == recipients[i].address)
			recipients[i] = good[k++];
	buffer_free(&message);
	free(good);
	free(to);
	return reached;
}

static OutboxResult open_outbox(void);

/* a database that goes away meanwhile does not make us send it again */
static OutboxResult
write_down(const Notification *notification, const Outcome *outcome)
{
	OutboxResult result = outbox_finish(notification, outcome, options.retry);

	for (int failures = 1; result == OUTBOX_LOST && !stopped && (!options.once || failures < 4);
		 failures++)
	{
		pause_after(failures);
		result = open_outbox();
		if (result == OUTBOX_OK)
			result = outbox_finish(notification, outcome, options.retry);
	}
	return result;
}

static OutboxResult
deliver(const Notification *notification, bool *reached)
{
	static const char *const words[] = {"sent", "not sent yet", "given up"};
	MailRecipient *recipients = calloc(notification->nrecipients + 1, sizeof(MailRecipient));
	Mailbox    *delivered = calloc(notification->nrecipients + 1, sizeof(Mailbox));
	Buffer		reasons = {0};
	Outcome		outcome = {0};
	OutboxResult result;

	*reached = send_to_good(notification, recipients);
	conclude(&outcome, &reasons, notification, recipients, delivered);
	if (options.verbose || outcome.error != NULL)
		say("notification %s: %s%s%s", notification->notification_id, words[outcome.kind],
			outcome.error != NULL ? ", " : "", outcome.error != NULL ? outcome.error : "");
	if (outcome.error != NULL)
		something_left = true;
	result = write_down(notification, &outcome);
	buffer_free(&reasons);
	free(delivered);
	free(recipients);
	return result;
}

/* ---- all of them ---- */

static OutboxResult
open_outbox(void)
{
	return outbox_open(options.conninfo, !options.once && !options.dry_run);
}

/* sends what there is; OUTBOX_NOTHING: nothing is left for now */
static OutboxResult
drain(bool *reached)
{
	OutboxResult result = OUTBOX_OK;

	*reached = true;
	while (result == OUTBOX_OK && *reached && !stopped)
	{
		Notification notification;

		result = outbox_claim(options.lease, &notification);
		if (result != OUTBOX_OK)
			break;
		result = deliver(&notification, reached);
		notification_free(&notification);
	}
	return result;
}

static OutboxResult
wait_for_more(void)
{
	double		next;
	OutboxResult result = outbox_next(&next);

	if (result != OUTBOX_OK)
		return result;
	return outbox_wait(next >= 0 && next < options.poll ? next : options.poll);
}

static int
run_once(void)
{
	bool		reached;
	OutboxResult result = open_outbox();

	if (result == OUTBOX_OK)
		result = drain(&reached);
	if (result == OUTBOX_LOST || result == OUTBOX_FAILED)
	{
		say("%s", outbox_error());
		return EXIT_DATABASE;
	}
	return something_left ? EXIT_LEFT : EXIT_SUCCESS;
}

/* until a signal comes; a database that is down comes back, a missing right does not */
static int
run_forever(void)
{
	OutboxResult result = open_outbox();
	int			failures = 0;	/* in a row */

	if (result != OUTBOX_OK)
	{
		say("%s", outbox_error());
		return EXIT_DATABASE;
	}
	while (!stopped)
	{
		bool		reached = true;

		if (result == OUTBOX_OK)
			result = drain(&reached);
		if (result == OUTBOX_NOTHING)
			result = wait_for_more();
		if (result == OUTBOX_OK && reached)
		{
			failures = 0;
			continue;
		}
		if (result != OUTBOX_OK)
			say("%s", outbox_error());
		if (result == OUTBOX_FAILED)
			return EXIT_DATABASE;
		if (!stopped)
			pause_after(++failures);
		if (result == OUTBOX_LOST && !stopped)
			result = open_outbox();
	}
	return EXIT_SUCCESS;
}

static int
run_dry(void)
{
	OutboxResult result = open_outbox();
	char		last[32] = "-9223372036854775808";

	while (result == OUTBOX_OK)
	{
		Notification notification;
		Buffer		message = {0};

		result = outbox_peek(last, &notification);
		if (result != OUTBOX_OK)
			break;
		write_message(&message, &notification, notification.recipients, notification.nrecipients);
		printf("-- notification %s of account %s\n", notification.notification_id,
			   notification.account_id);
		for (size_t i = 0; i < message.len; i++)
			if (message.data[i] != '\r')
				putchar(message.data[i]);
		putchar('\n');
		snprintf(last, sizeof(last), "%s", notification.notification_id);
		buffer_free(&message);
		notification_free(&notification);
	}
	if (result == OUTBOX_NOTHING)
		return EXIT_SUCCESS;
	say("%s", outbox_error());
	return EXIT_DATABASE;
}

int
main(int argc, char **argv)
{
	char		error[MAIL_REASON_SIZE];
	int			status;

	options_read(&options, argc, argv);
	if (options.dry_run)
	{
		status = run_dry();
		outbox_close();
		return status;
	}
	srand((unsigned) getpid());
	catch_signals();
	if (!mail_start(&options.server, error))
	{
		say("%s", error);
		return EXIT_USAGE;
	}
	status = options.once ? run_once() : run_forever();
	mail_stop();
	outbox_close();
	return status;
}
