/*
 * outbox.c
 *		Reads and marks po_notification, by libpq.  See outbox.h.
 *
 * claimed_until is until when nobody else takes a row: one sender has it, or
 * it waits to be tried again; infinity: it was given up.
 */
#include "outbox.h"

#include <errno.h>
#include <libpq-fe.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/select.h>

#define MAX_BACK_OFF	"3600"	/* seconds */

/* the columns that a Notification is made of */
#define COLUMNS \
	"n.account_id, n.notification_id, n.claimed_until," \
	" 'po_mgmt.' || n.notification_id || '.'" \
	" || (extract(epoch FROM n.created_at) * 1000000)::bigint," \
	" n.subject, n.body, extract(epoch FROM n.created_at)::bigint," \
	" cardinality(n.delivered_to) > 0"
#define IS_DUE \
	"sent_at IS NULL AND (claimed_until IS NULL OR claimed_until <= clock_timestamp())"

static PGconn *connection;
static char *schema;			/* quoted */
static char error_text[1024];

const char *
outbox_error(void)
{
	return error_text;
}

static void
keep_error(const char *text)
{
	size_t		len;

	snprintf(error_text, sizeof(error_text), "%s", text);
	len = strlen(error_text);
	while (len > 0 && error_text[len - 1] == '\n')
		error_text[--len] = '\0';
}

/* ---- statements ---- */

/* @ in the text stands for the extension's schema; NULL where it failed */
static PGresult *
run(OutboxResult *result, const char *text, int nparams, const char *const *params)
{
	Buffer		sql = {0};
	PGresult   *rows;
	ExecStatusType status;

	for (const char *c = text; *c != '\0'; c++)
	{
		if (*c == '@')
			buffer_add_text(&sql, schema);
		else
			buffer_add(&sql, c, 1);
	}
	rows = PQexecParams(connection, sql.data, nparams, NULL, params, NULL, NULL, 0);
	buffer_free(&sql);
	status = PQresultStatus(rows);
	*result = OUTBOX_OK;
	if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK)
		return rows;
	keep_error(PQerrorMessage(connection));
	*result = PQstatus(connection) == CONNECTION_OK ? OUTBOX_FAILED : OUTBOX_LOST;
	PQclear(rows);
	return NULL;
}

static OutboxResult
run_only(const char *text, int nparams, const char *const *params)
{
	OutboxResult result;

	PQclear(run(&result, text, nparams, params));
	return result;
}

/* ---- connection ---- */

void
outbox_close(void)
{
	PQfinish(connection);
	connection = NULL;
	free(schema);
	schema = NULL;
}

static OutboxResult
find_schema(void)
{
	OutboxResult result;
	PGresult   *rows = run(&result,
						   "SELECT pg_catalog.quote_ident(n.nspname) FROM pg_catalog.pg_extension e"
						   " JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) e.extnamespace"
						   " WHERE e.extname OPERATOR(pg_catalog.=) 'po_mgmt'", 0, NULL);

	if (rows == NULL)
		return result;
	if (PQntuples(rows) == 1)
		schema = strdup(PQgetvalue(rows, 0, 0));
	else
	{
		snprintf(error_text, sizeof(error_text), "extension po_mgmt is not in database \"%s\"",
				 PQdb(connection));
		result = OUTBOX_FAILED;
	}
	PQclear(rows);
	return result;
}

/* nothing that the role or the database has set changes what our statements mean */
OutboxResult
outbox_open(const char *conninfo, bool listen)
{
	static const char *const keywords[] = {
		"connect_timeout", "dbname", "fallback_application_name", "client_encoding", NULL
	};
	const char *values[] = {"10", conninfo, "po-notifier", "UTF8", NULL};
	OutboxResult result;

	outbox_close();
	connection = PQconnectdbParams(keywords, values, 1);
	if (PQstatus(connection) != CONNECTION_OK)
	{
		keep_error(PQerrorMessage(connection));
		return OUTBOX_LOST;
	}
	result = run_only("SELECT pg_catalog.set_config(name, value, false) FROM (VALUES"
					  " ('search_path', ''), ('DateStyle', 'ISO'), ('TimeZone', 'UTC'),"
					  " ('default_transaction_isolation', 'read committed'))"
					  " AS settings(name, value)", 0, NULL);
	if (result == OUTBOX_OK)
		result = find_schema();
	/* before the first look at the outbox, so that nothing is missed between */
	if (result == OUTBOX_OK && listen)
		result = run_only("LISTEN po_mgmt", 0, NULL);
	return result;
}

/* ---- notifications ---- */

void
notification_free(Notification *notification)
{
	PQclear(notification->rows);
	PQclear(notification->mailboxes);
	free(notification->recipients);
	memset(notification, 0, sizeof(*notification));
}

static OutboxResult
read_recipients(Notification *notification)
{
	const char *const params[] = {notification->account_id, notification->notification_id};
	OutboxResult result;
	PGresult   *rows = run(&result,
						   "SELECT r.email, c.name FROM @.po_notification n"
						   " CROSS JOIN LATERAL unnest(n.recipients) WITH ORDINALITY AS r(email, place)"
						   " LEFT JOIN @.po_contact c ON c.account_id = n.account_id"
						   " AND c.po_number = n.po_number AND c.email = r.email"
						   " WHERE n.account_id = $1 AND n.notification_id = $2::bigint"
						   " AND r.email <> ALL (n.delivered_to) ORDER BY r.place", 2, params);

	if (rows == NULL)
		return result;
	notification->mailboxes = rows;
	notification->nrecipients = PQntuples(rows);
	notification->recipients = calloc(notification->nrecipients + 1, sizeof(Mailbox));
	for (int i = 0; i < notification->nrecipients; i++)
	{
		notification->recipients[i].address = PQgetvalue(rows, i, 0);
		notification->recipients[i].name = PQgetisnull(rows, i, 1) ? NULL : PQgetvalue(rows, i, 1);
	}
	return OUTBOX_OK;
}

/* the notification that a statement gives, if it gives one */
static OutboxResult
read_notification(const char *text, const char *param, Notification *notification)
{
	OutboxResult result;
	PGresult   *rows;

	memset(notification, 0, sizeof(*notification));
	rows = run(&result, text, 1, &param);
	if (rows == NULL)
		return result;
	notification->rows = rows;
	if (PQntuples(rows) == 0)
	{
		notification_free(notification);
		return OUTBOX_NOTHING;
	}
	notification->account_id = PQgetvalue(rows, 0, 0);
	notification->notification_id = PQgetvalue(rows, 0, 1);
	notification->claimed_until = PQgetvalue(rows, 0, 2);
	notification->message_id = PQgetvalue(rows, 0, 3);
	notification->subject = PQgetvalue(rows, 0, 4);
	notification->body = PQgetvalue(rows, 0, 5);
	notification->created_at = strtol(PQgetvalue(rows, 0, 6), NULL, 10);
	notification->is_partly_sent = PQgetvalue(rows, 0, 7)[0] == 't';
	result = read_recipients(notification);
	if (result != OUTBOX_OK)
		notification_free(notification);
	return result;
}

OutboxResult
outbox_claim(int lease, Notification *notification)
{
	char		seconds[16];

	snprintf(seconds, sizeof(seconds), "%d", lease);
	return read_notification("WITH next AS MATERIALIZED (SELECT account_id, notification_id"
							 " FROM @.po_notification WHERE " IS_DUE
							 " ORDER BY notification_id LIMIT 1 FOR NO KEY UPDATE SKIP LOCKED)"
							 " UPDATE @.po_notification n"
							 " SET claimed_until = clock_timestamp() + $1::integer * interval '1 second',"
							 " attempts = n.attempts + 1 FROM next WHERE n.account_id = next.account_id"
							 " AND n.notification_id = next.notification_id RETURNING " COLUMNS,
							 seconds, notification);
}

OutboxResult
outbox_peek(const char *after, Notification *notification)
{
	return read_notification("SELECT " COLUMNS " FROM @.po_notification n WHERE " IS_DUE
							 " AND notification_id > $1::bigint ORDER BY notification_id LIMIT 1",
							 after, notification);
}

/* ---- what became of it ---- */

/* an array of PostgreSQL: {"a@example.com","b@example.com"} */
static void
add_array(Buffer *array, const Mailbox *mailboxes, int n)
{
	buffer_add_text(array, "{");
	for (int i = 0; i < n; i++)
	{
		buffer_add_text(array, i > 0 ? ",\"" : "\"");
		for (const char *c = mailboxes[i].address; *c != '\0'; c++)
		{
			if (*c == '"' || *c == '\\')
				buffer_add_text(array, "\\");
			buffer_add(array, c, 1);
		}
		buffer_add_text(array, "\"");
	}
	buffer_add_text(array, "}");
}

OutboxResult
outbox_finish(const Notification *notification, const Outcome *outcome, int base)
{
	static const char *const kinds[] = {"sent", "later", "parked"};
	Buffer		delivered = {0};
	char		seconds[16];
	OutboxResult result;

	snprintf(seconds, sizeof(seconds), "%d", base);
	add_array(&delivered, outcome->delivered, outcome->ndelivered);
	{
		const char *const params[] = {
			notification->account_id, notification->notification_id, notification->claimed_until,
			kinds[outcome->kind], outcome->error, delivered.data, seconds
		};

		/* only as long as the claim is ours */
		result = run_only("UPDATE @.po_notification"
						  " SET sent_at = CASE WHEN $4 = 'sent' THEN clock_timestamp() END,"
						  " claimed_until = CASE $4 WHEN 'parked' THEN 'infinity'::timestamptz"
						  " WHEN 'later' THEN clock_timestamp() + interval '1 second' * (0.5 + random())"
						  " * least(" MAX_BACK_OFF ", $7::integer * 2.0 ^ least(attempts - 1, 20)) END,"
						  " last_error = $5, delivered_to = delivered_to || $6::text[]"
						  " WHERE account_id = $1 AND notification_id = $2::bigint"
						  " AND claimed_until = $3::timestamptz AND sent_at IS NULL",
						  7, params);
	}
	buffer_free(&delivered);
	return result;
}

/* ---- waiting ---- */

OutboxResult
outbox_next(double *seconds)
{
	OutboxResult result;
	PGresult   *rows = run(&result,
						   "SELECT extract(epoch FROM min(claimed_until) - clock_timestamp())"
						   " FROM @.po_notification"
						   " WHERE sent_at IS NULL AND claimed_until < 'infinity'", 0, NULL);

	if (rows == NULL)
		return result;
	*seconds = PQgetisnull(rows, 0, 0) ? -1 : strtod(PQgetvalue(rows, 0, 0), NULL);
	if (*seconds < 0 && !PQgetisnull(rows, 0, 0))
		*seconds = 0;
	PQclear(rows);
	return OUTBOX_OK;
}

/* signals are blocked elsewhere, so that none is missed before the wait */
OutboxResult
outbox_wait(double seconds)
{
	int			sock = PQsocket(connection);
	struct timespec timeout;
	sigset_t	none;
	fd_set		input;
	PGnotify   *notify;

	timeout.tv_sec = (time_t) seconds;
	timeout.tv_nsec = (long) ((seconds - (double) timeout.tv_sec) * 1e9);
	sigemptyset(&none);
	FD_ZERO(&input);
	FD_SET(sock, &input);
	if (pselect(sock + 1, &input, NULL, NULL, &timeout, &none) < 0 && errno == EINTR)
		return OUTBOX_OK;
	if (!PQconsumeInput(connection))
	{
		keep_error(PQerrorMessage(connection));
		return OUTBOX_LOST;
	}
	while ((notify = PQnotifies(connection)) != NULL)
		PQfreemem(notify);
	return OUTBOX_OK;
}
