/*
 * line_type.c
 *		Paths of types of charge: pure functions.  See line_type.h.
 *
 * Paths and their order, and the names that AWS gives some of them.  Which
 * types an account may use is a matter of tables, and nothing here reads one:
 * the same text is the same value in every database.
 */
#include "postgres.h"

#include "line_type.h"

/* The first name of a path is its label; the others are input only. */
static const struct
{
	const char *name;
	const char *path;
}			aws_names[] =
{
	{"ALL", "all"},
	{"AWS Monthly Usage", "usage"},
	{"AWS Subscription Purchase", "subscription"},
	{"AWS Marketplace Blanket Usage", "marketplace"},
	{"AWS Marketplace Purchase", "marketplace"},
	{"AWS Marketplace Transaction", "marketplace.transaction"},
	{"AWS Professional Services and Training Purchase", "professional_services"},
};

/* Case and white space of ASCII, whatever the locale says. */
static inline char
fold_case(char c)
{
	return (c >= 'A' && c <= 'Z') ? c - 'A' + 'a' : c;
}

static inline bool
is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static inline bool
is_label_char(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '_';
}

/* Are these bytes that string, in any case? */
static bool
equals_in_any_case(const char *src, int srclen, const char *str)
{
	int			i;

	for (i = 0; i < srclen; i++)
	{
		/* also ends where str does: a NUL in src equals its terminator */
		if (str[i] == '\0' || fold_case(src[i]) != fold_case(str[i]))
			return false;
	}
	return str[srclen] == '\0';
}

/* The path of an AWS name; NULL if it is none. */
static const char *
path_of_aws_name(const char *src, int srclen)
{
	int			i;

	for (i = 0; i < (int) lengthof(aws_names); i++)
	{
		if (equals_in_any_case(src, srclen, aws_names[i].name))
			return aws_names[i].path;
	}
	return NULL;
}

/* Validates a path that is in lower case already. */
PoLineTypeStatus
po_line_type_check(const char *path, int len)
{
	int			levels = 1;
	int			start = 0;		/* of the current label */
	int			i;

	if (len <= 0)
		return PO_LINE_TYPE_EMPTY;
	if (len > PO_LINE_TYPE_MAX_LEN)
		return PO_LINE_TYPE_TOO_LONG;
	for (i = 0; i < len; i++)
	{
		if (path[i] == '.')
		{
			if (i == start)
				return PO_LINE_TYPE_EMPTY_LABEL;
			start = i + 1;
			levels++;
		}
		else if (!is_label_char(path[i]))
			return PO_LINE_TYPE_BAD_CHARACTER;
	}
	if (start == len)
		return PO_LINE_TYPE_EMPTY_LABEL;
	if (len > PO_LINE_TYPE_ROOT_LEN && path[PO_LINE_TYPE_ROOT_LEN] == '.' &&
		po_line_type_is_root(path, PO_LINE_TYPE_ROOT_LEN))
		return PO_LINE_TYPE_BELOW_ROOT;
	if (levels > PO_LINE_TYPE_MAX_LEVELS)
		return PO_LINE_TYPE_TOO_DEEP;
	return PO_LINE_TYPE_OK;
}

PoLineTypeStatus
po_line_type_parse(const char *src, int srclen,
				   char dst[PO_LINE_TYPE_MAX_LEN], int *dstlen)
{
	const char *path;
	int			i;

	while (srclen > 0 && is_space(src[0]))
		src++, srclen--;
	while (srclen > 0 && is_space(src[srclen - 1]))
		srclen--;
	if (srclen > PO_LINE_TYPE_MAX_LEN)
		return PO_LINE_TYPE_TOO_LONG;

	path = path_of_aws_name(src, srclen);
	if (path != NULL)
	{
		*dstlen = strlen(path);
		memcpy(dst, path, *dstlen);
		return PO_LINE_TYPE_OK;
	}

	*dstlen = srclen;
	for (i = 0; i < srclen; i++)
		dst[i] = fold_case(src[i]);
	return po_line_type_check(dst, srclen);
}

const char *
po_line_type_fault(PoLineTypeStatus status)
{
	switch (status)
	{
		case PO_LINE_TYPE_OK:
			break;
		case PO_LINE_TYPE_EMPTY:
			return "The path has no label.";
		case PO_LINE_TYPE_EMPTY_LABEL:
			return "A label of the path is empty.";
		case PO_LINE_TYPE_BAD_CHARACTER:
			return "It is no AWS name, and the labels of a path consist of a-z, 0-9 and _ only.";
		case PO_LINE_TYPE_BELOW_ROOT:
			return "The root \"all\" stands alone; paths begin with a label below it.";
		case PO_LINE_TYPE_TOO_DEEP:
			return "A path has at most 8 levels.";
		case PO_LINE_TYPE_TOO_LONG:
			return "A path has at most 255 bytes.";
	}
	return "";
}

bool
po_line_type_is_root(const char *path, int len)
{
	return len == PO_LINE_TYPE_ROOT_LEN &&
		memcmp(path, PO_LINE_TYPE_ROOT, PO_LINE_TYPE_ROOT_LEN) == 0;
}

/*
 * The dot sorts before every character of a label, so that a path is followed
 * by its descendants.
 */
int
po_line_type_compare(const char *a, int alen, const char *b, int blen)
{
	bool		aroot = po_line_type_is_root(a, alen);
	bool		broot = po_line_type_is_root(b, blen);
	int			cmp;

	if (aroot || broot)
		return (int) broot - (int) aroot;
	cmp = memcmp(a, b, Min(alen, blen));
	return cmp != 0 ? cmp : (alen > blen) - (alen < blen);
}

bool
po_line_type_covers(const char *a, int alen, const char *b, int blen)
{
	if (po_line_type_is_root(a, alen))
		return true;
	return blen >= alen && memcmp(a, b, alen) == 0 &&
		(blen == alen || b[alen] == '.');
}

int
po_line_type_specificity(const char *path, int len)
{
	int			levels = 1;
	int			i;

	if (po_line_type_is_root(path, len))
		return 0;
	for (i = 0; i < len; i++)
		levels += (path[i] == '.');
	return levels;
}

int
po_line_type_prefix_len(const char *path, int len, int depth)
{
	int			i;

	if (depth == 0)
		return 0;
	if (depth < 0 || po_line_type_is_root(path, len))
		return -1;
	for (i = 0; i < len; i++)
	{
		if (path[i] == '.' && --depth == 0)
			return i;
	}
	return depth == 1 ? len : -1;
}

const char *
po_line_type_ancestor(const char *path, int len, int depth, int *anclen)
{
	if (depth == 0)
	{
		*anclen = PO_LINE_TYPE_ROOT_LEN;
		return PO_LINE_TYPE_ROOT;
	}
	*anclen = po_line_type_prefix_len(path, len, depth);
	return *anclen > 0 ? path : NULL;
}

const char *
po_line_type_label(const char *path, int len, int *labellen)
{
	int			i;

	for (i = 0; i < (int) lengthof(aws_names); i++)
	{
		if (equals_in_any_case(path, len, aws_names[i].path))
		{
			*labellen = strlen(aws_names[i].name);
			return aws_names[i].name;
		}
	}
	*labellen = len;
	return path;
}
