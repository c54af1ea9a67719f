/*
 * types.c
 *		The pure functions of the types by themselves: random and mutated bytes.
 *
 * link: src/month.c src/line_type.c
 *
 * Compiled with the address and undefined behaviour sanitizers; what of these
 * files needs a server is left out by the linker.  What is accepted has to
 * come back from its own text; comparison has to be an order.  PO_SEED repeats
 * a run, PO_SCALE makes it longer: 1 is a million cases.
 */
#include "postgres.h"

#include <strings.h>
#include <time.h>

#include "../../src/line_type.h"
#include "../../src/month.h"
#include "utils/datetime.h"

#undef printf

/* what these functions take from the server */
const int	day_tab[2][13] = {
	{31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 0},
	{31, 29, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31, 0}
};

int
pg_strncasecmp(const char *a, const char *b, size_t n)
{
	return strncasecmp(a, b, n);
}

static int	failures = 0;

static void
check(bool good, const char *what)
{
	printf("%s - %s\n", good ? "ok" : "not ok", what);
	failures += !good;
}

static const char *const samples[] = {
	"2026-11", "2026-11-22", "Nov 2026", "  november 2026 ", "0001-01", "9999-12", "2024-02-29",
	"2023-02-29", "10000-01", "all", "usage", "usage.compute.spot", "AWS Monthly Usage",
	"AWS Professional Services and Training Purchase", "marketplace.transaction", "a.b.c.d.e.f.g.h",
	"a.b.c.d.e.f.g.h.i", "ALL.x", "a..b", ".", "", "Usage", "\xc3\xbcsage", "-2147483648-12"
};

/* a sample with some bytes changed, added or taken away, at an exact size so that overruns show */
static char *
random_bytes(int *len, bool terminated)
{
	const char *sample = samples[rand() % lengthof(samples)];
	char		buffer[600];
	int			n = strlen(sample);
	char	   *exact;

	memcpy(buffer, sample, n);
	for (int changes = rand() % 6; changes > 0; changes--)
	{
		int			place = n > 0 ? rand() % n : 0;

		switch (rand() % 4)
		{
			case 0:
				if (n > 0)
					buffer[place] = rand();
				break;
			case 1:
				memmove(buffer + place + 1, buffer + place, n - place);
				buffer[place] = "09aZ._- \t\n\x7f\xff"[rand() % 13];
				n++;
				break;
			case 2:
				if (n > 0)
				{
					memmove(buffer + place, buffer + place + 1, n - place - 1);
					n--;
				}
				break;
			default:
				if (n < 280)
				{
					memcpy(buffer + n, buffer, n);
					n *= 2;
				}
		}
	}
	if (terminated)
		n = strnlen(buffer, n);
	exact = malloc(n + terminated);
	memcpy(exact, buffer, n);
	if (terminated)
		exact[n] = '\0';
	*len = n;
	return exact;
}

/* what was accepted is within the limits and comes back from its text */
static bool
month_is_sound(const char *input, int *accepted)
{
	char		text[PO_MONTH_BUFSIZE];
	PoMonth		month;
	PoMonth		again;
	PoMonth		moved;
	int64		step = ((int64) rand() << 31) ^ rand();

	if (po_month_parse(input, &month) != PO_MONTH_OK)
		return true;
	(*accepted)++;
	if (po_month_add(month, step, &moved) != (step >= PO_MONTH_MIN - (int64) month && step <= PO_MONTH_MAX - (int64) month))
		return false;
	return PO_MONTH_IS_VALID(month) &&
		po_month_parse(po_month_format(month, text), &again) == PO_MONTH_OK && again == month &&
		po_month_make(po_month_year(month), po_month_of_year(month), &again) && again == month;
}

static bool
line_type_is_sound(const char *input, int len, int *accepted)
{
	char		path[PO_LINE_TYPE_MAX_LEN];
	char		again[PO_LINE_TYPE_MAX_LEN];
	int			pathlen;
	int			againlen;
	int			labellen;
	int			depth;
	PoLineTypeStatus status = po_line_type_parse(input, len, path, &pathlen);

	po_line_type_check(input, len);
	if (status != PO_LINE_TYPE_OK)
		return po_line_type_fault(status)[0] != '\0';
	(*accepted)++;
	depth = po_line_type_specificity(path, pathlen);
	po_line_type_label(path, pathlen, &labellen);
	if (depth < 0 || depth > PO_LINE_TYPE_MAX_LEVELS || labellen <= 0 ||
		po_line_type_check(path, pathlen) != PO_LINE_TYPE_OK ||
		(depth == 0) != po_line_type_is_root(path, pathlen))
		return false;
	for (int i = 0; i <= depth; i++)
	{
		int			anclen;
		const char *ancestor = po_line_type_ancestor(path, pathlen, i, &anclen);

		if (!po_line_type_covers(ancestor, anclen, path, pathlen) ||
			po_line_type_specificity(ancestor, anclen) != i ||
			po_line_type_check(ancestor, anclen) != PO_LINE_TYPE_OK)
			return false;
	}
	return po_line_type_parse(path, pathlen, again, &againlen) == PO_LINE_TYPE_OK &&
		againlen == pathlen && memcmp(path, again, pathlen) == 0;
}

/* an order: against each other and a third one */
static bool
order_is_sound(void)
{
	char		paths[3][PO_LINE_TYPE_MAX_LEN];
	int			lens[3];
	int			ab;

	for (int i = 0; i < 3; i++)
	{
		int			len;
		char	   *input;
		PoLineTypeStatus status;

		do
		{
			input = random_bytes(&len, false);
			status = po_line_type_parse(input, len, paths[i], &lens[i]);
			free(input);
		} while (status != PO_LINE_TYPE_OK);
	}
	ab = po_line_type_compare(paths[0], lens[0], paths[1], lens[1]);
	if ((ab < 0) != (po_line_type_compare(paths[1], lens[1], paths[0], lens[0]) > 0) ||
		(ab == 0) != (lens[0] == lens[1] && memcmp(paths[0], paths[1], lens[0]) == 0))
		return false;
	return !(ab <= 0 && po_line_type_compare(paths[1], lens[1], paths[2], lens[2]) <= 0) ||
		po_line_type_compare(paths[0], lens[0], paths[2], lens[2]) <= 0;
}

int
main(void)
{
	const char *seed_text = getenv("PO_SEED");
	const char *scale = getenv("PO_SCALE");
	unsigned	seed = seed_text ? strtoul(seed_text, NULL, 10) : (unsigned) time(NULL);
	int			ncases = 500000 * (scale ? atof(scale) : 1);
	int			months = 0;
	int			line_types = 0;
	bool		good[3] = {true, true, true};

	printf("# PO_SEED=%u\n", seed);
	srand(seed);
	for (int i = 0; i < ncases; i++)
	{
		int			len;
		char	   *input = random_bytes(&len, true);

		good[0] = good[0] && month_is_sound(input, &months);
		free(input);
		input = random_bytes(&len, false);
		good[1] = good[1] && line_type_is_sound(input, len, &line_types);
		free(input);
		if (i % 10 == 0)
			good[2] = good[2] && order_is_sound();
	}
	printf("# %d texts for each type; accepted: %d months, %d types\n", ncases, months, line_types);
	check(good[0], "months: what is accepted is sound");
	check(good[1], "types of charge: what is accepted is sound");
	check(good[2], "types of charge: comparison is an order");
	check(months > ncases / 50 && months < ncases / 2, "some months are accepted, not all");
	check(line_types > ncases / 20 && line_types < ncases, "some types are accepted, not all");
	return failures != 0;
}
