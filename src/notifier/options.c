/*
 * options.c
 *		Reads po-notifier's options.  See options.h.
 *
 * A password is not taken from the command line, which other users can see.
 */
#include "options.h"

#include <getopt.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_SECONDS 86400

static const char usage[] =
	"po-notifier sends the notifications of po_mgmt by e-mail.\n"
	"\n"
	"Usage:\n"
	"  po-notifier [OPTION]... [DATABASE]\n"
	"\n"
	"DATABASE is a name or a connection string; what it leaves out, PGHOST, PGUSER and\n"
	"libpq's other variables say.\n"
	"\n"
	"Mail server:\n"
	"      --smtp=URL          smtp://HOST[:PORT] or smtps://HOST[:PORT] (PO_SMTP_URL)\n"
	"      --from=ADDRESS      sender, such as 'Purchasing <po@example.com>' (PO_MAIL_FROM)\n"
	"      --user=NAME         for a server that wants a login (PO_SMTP_USER)\n"
	"      --password-file=FILE  whose first line is the password (else PO_SMTP_PASSWORD)\n"
	"      --tls=MODE          of smtp: off, try, or require (default: try; with a user, require)\n"
	"      --ca-file=FILE      certificates to trust (default: the system's)\n"
	"      --timeout=SECONDS   for a message (60)\n"
	"\n"
	"How to work:\n"
	"      --once              send what there is, and end\n"
	"      --dry-run           print what would be sent, and end; nothing is changed\n"
	"      --poll=SECONDS      look at least so often (60)\n"
	"      --retry=SECONDS     wait before the second try, doubled for each further one (30)\n"
	"      --lease=SECONDS     another sender may take over after that (300)\n"
	"  -v, --verbose           say what is sent\n"
	"      --help              print this, and end\n"
	"      --version           print the version, and end\n"
	"\n"
	"Exit status: 0 all is well; 1 wrong options; 2 no database, or no rights there;\n"
	"3 with --once: something could not be sent, see po_notification.last_error.\n";

static void fail(const char *format,...) __attribute__((format(printf, 1, 2)));

static void
fail(const char *format,...)
{
	va_list		args;

	va_start(args, format);
	fputs("po-notifier: ", stderr);
	vfprintf(stderr, format, args);
	fputs("\nTry --help.\n", stderr);
	va_end(args);
	exit(EXIT_USAGE);
}

static int
seconds(const char *name, const char *value)
{
	char	   *end;
	long		n = strtol(value, &end, 10);

	if (*value == '\0' || *end != '\0' || n < 1 || n > MAX_SECONDS)
		fail("--%s: \"%s\" is not a number of seconds from 1 to %d", name, value, MAX_SECONDS);
	return (int) n;
}

static MailTls
tls_mode(const char *value)
{
	if (strcmp(value, "off") == 0)
		return MAIL_TLS_OFF;
	if (strcmp(value, "try") == 0)
		return MAIL_TLS_TRY;
	if (strcmp(value, "require") != 0)
		fail("--tls: \"%s\" is none of off, try, require", value);
	return MAIL_TLS_REQUIRE;
}

/* the first line of a file */
static const char *
read_password(const char *name)
{
	static char line[1024];
	FILE	   *file = fopen(name, "r");

	if (file == NULL || fgets(line, sizeof(line), file) == NULL)
		fail("--password-file: \"%s\" cannot be read", name);
	fclose(file);
	line[strcspn(line, "\r\n")] = '\0';
	return line;
}

static bool
is_url(const char *url)
{
	const char *host = strncmp(url, "smtp://", 7) == 0 ? url + 7 :
		strncmp(url, "smtps://", 8) == 0 ? url + 8 : "";

	return *host != '\0' && *host != '/';
}

static void
check(Options *options, const char *from)
{
	if (from == NULL && options->dry_run)
		from = "po-notifier@localhost";
	if (from == NULL)
		fail("who sends? Give --from or PO_MAIL_FROM");
	if (!mailbox_parse(strdup(from), &options->from))
		fail("--from: \"%s\" is not an address", from);
	if (options->dry_run)
		return;
	if (options->server.url == NULL)
		fail("which mail server? Give --smtp or PO_SMTP_URL");
	if (!is_url(options->server.url))
		fail("--smtp: \"%s\" is not like smtp://HOST:PORT or smtps://HOST:PORT", options->server.url);
	if (options->server.user != NULL && options->server.password == NULL)
		fail("no password for user \"%s\": give --password-file or PO_SMTP_PASSWORD",
			 options->server.user);
	if (options->lease < options->server.timeout * 2)
		fail("--lease must be at least twice the --timeout, or a message in work could be sent by another, too");
}

void
options_read(Options *options, int argc, char **argv)
{
	enum
	{
		SMTP = 256, FROM, USER, PASSWORD_FILE, TLS, CA_FILE, TIMEOUT, ONCE, DRY_RUN, POLL,
		RETRY, LEASE, HELP, VERSION
	};
	static const struct option long_options[] = {
		{"smtp", required_argument, NULL, SMTP},
		{"from", required_argument, NULL, FROM},
		{"user", required_argument, NULL, USER},
		{"password-file", required_argument, NULL, PASSWORD_FILE},
		{"tls", required_argument, NULL, TLS},
		{"ca-file", required_argument, NULL, CA_FILE},
		{"timeout", required_argument, NULL, TIMEOUT},
		{"once", no_argument, NULL, ONCE},
		{"dry-run", no_argument, NULL, DRY_RUN},
		{"poll", required_argument, NULL, POLL},
		{"retry", required_argument, NULL, RETRY},
		{"lease", required_argument, NULL, LEASE},
		{"verbose", no_argument, NULL, 'v'},
		{"help", no_argument, NULL, HELP},
		{"version", no_argument, NULL, VERSION},
		{NULL, 0, NULL, 0}
	};
	const char *from = getenv("PO_MAIL_FROM");
	bool		tls_given = false;
	int			c;

	memset(options, 0, sizeof(*options));
	options->poll = 60;
	options->retry = 30;
	options->lease = 300;
	options->server.timeout = 60;
	options->server.url = getenv("PO_SMTP_URL");
	options->server.user = getenv("PO_SMTP_USER");
	options->server.password = getenv("PO_SMTP_PASSWORD");
	while ((c = getopt_long(argc, argv, "v", long_options, NULL)) != -1)
	{
		switch (c)
		{
			case SMTP:
				options->server.url = optarg;
				break;
			case FROM:
				from = optarg;
				break;
			case USER:
				options->server.user = optarg;
				break;
			case PASSWORD_FILE:
				options->server.password = read_password(optarg);
				break;
			case TLS:
				options->server.tls = tls_mode(optarg);
				tls_given = true;
				break;
			case CA_FILE:
				options->server.ca_file = optarg;
				break;
			case TIMEOUT:
				options->server.timeout = seconds("timeout", optarg);
				break;
			case ONCE:
				options->once = true;
				break;
			case DRY_RUN:
				options->dry_run = true;
				break;
			case POLL:
				options->poll = seconds("poll", optarg);
				break;
			case RETRY:
				options->retry = seconds("retry", optarg);
				break;
			case LEASE:
				options->lease = seconds("lease", optarg);
				break;
			case 'v':
				options->verbose = true;
				break;
			case HELP:
				fputs(usage, stdout);
				exit(EXIT_SUCCESS);
			case VERSION:
				puts("po-notifier (po_mgmt) " PO_VERSION);
				exit(EXIT_SUCCESS);
			default:
				fputs("Try --help.\n", stderr);
				exit(EXIT_USAGE);
		}
	}
	if (argc - optind > 1)
		fail("one database only");
	options->conninfo = optind < argc ? argv[optind] : NULL;
	if (!tls_given)
		options->server.tls = options->server.user != NULL ? MAIL_TLS_REQUIRE : MAIL_TLS_TRY;
	check(options, from);
}
