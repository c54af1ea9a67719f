/*
 * line_type_op.c
 *		The type po_line_type in SQL: input and output, operators, functions.
 *
 * What a path means is in line_type.c.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "lib/hyperloglog.h"
#include "libpq/pqformat.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/sortsupport.h"

#include "compat.h"
#include "line_type.h"

/* ----------
 * Input and output
 * ----------
 */

PG_FUNCTION_INFO_V1(po_line_type_in);
PG_FUNCTION_INFO_V1(po_line_type_out);
PG_FUNCTION_INFO_V1(po_line_type_recv);
PG_FUNCTION_INFO_V1(po_line_type_send);

#define LINE_TYPE_WIRE_VERSION	1

#define LINE_TYPE_HINT \
	"Write \"all\", a path such as \"usage.compute\", or an AWS name such as \"AWS Monthly Usage\"."

Datum
po_line_type_in(PG_FUNCTION_ARGS)
{
	const char *str = PG_GETARG_CSTRING(0);
	char		path[PO_LINE_TYPE_MAX_LEN];
	int			len;
	PoLineTypeStatus status;

	status = po_line_type_parse(str, strlen(str), path, &len);
	if (status != PO_LINE_TYPE_OK)
		po_soft_error(fcinfo->context, (Datum) 0,
					  (errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
					   errmsg("invalid input syntax for type %s: \"%s\"",
							  "po_line_type", str),
					   errdetail("%s", po_line_type_fault(status)),
					   errhint(LINE_TYPE_HINT)));
	PG_RETURN_PO_LINE_TYPE_P(cstring_to_text_with_len(path, len));
}

Datum
po_line_type_out(PG_FUNCTION_ARGS)
{
	PG_RETURN_CSTRING(TextDatumGetCString(PG_GETARG_DATUM(0)));
}

/*
 * A byte for the version of the format, then the path.  Nothing is folded or
 * looked up: what comes in binary must be what po_line_type_send() wrote.
 */
Datum
po_line_type_recv(PG_FUNCTION_ARGS)
{
	StringInfo	buf = (StringInfo) PG_GETARG_POINTER(0);
	int			version = pq_getmsgint(buf, 1);
	char	   *path;
	int			len;
	PoLineTypeStatus status;

	if (version != LINE_TYPE_WIRE_VERSION)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("unsupported version %d of the binary format of type %s",
						version, "po_line_type")));

	path = pq_getmsgtext(buf, buf->len - buf->cursor, &len);
	status = po_line_type_check(path, len);
	if (status != PO_LINE_TYPE_OK)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_BINARY_REPRESENTATION),
				 errmsg("invalid path in the binary format of type %s: \"%s\"",
						"po_line_type", path),
				 errdetail("%s", po_line_type_fault(status)),
				 errhint("The binary format takes no AWS names, upper case or white space.")));
	PG_RETURN_PO_LINE_TYPE_P(cstring_to_text_with_len(path, len));
}

Datum
po_line_type_send(PG_FUNCTION_ARGS)
{
	PoLineType *type = PG_GETARG_PO_LINE_TYPE_PP(0);
	StringInfoData buf;

	pq_begintypsend(&buf);
	pq_sendint8(&buf, LINE_TYPE_WIRE_VERSION);
	pq_sendtext(&buf, VARDATA_ANY(type), VARSIZE_ANY_EXHDR(type));
	PG_RETURN_BYTEA_P(pq_endtypsend(&buf));
}

/* ----------
 * Comparison and hashing
 * ----------
 */

PG_FUNCTION_INFO_V1(po_line_type_lt);
PG_FUNCTION_INFO_V1(po_line_type_le);
PG_FUNCTION_INFO_V1(po_line_type_eq);
PG_FUNCTION_INFO_V1(po_line_type_ne);
PG_FUNCTION_INFO_V1(po_line_type_ge);
PG_FUNCTION_INFO_V1(po_line_type_gt);
PG_FUNCTION_INFO_V1(po_line_type_cmp);
PG_FUNCTION_INFO_V1(po_line_type_hash);
PG_FUNCTION_INFO_V1(po_line_type_hash_extended);

/* Index support functions may not leak, hence PG_FREE_IF_COPY here. */
static int
compare_args(FunctionCallInfo fcinfo)
{
	PoLineType *a = PG_GETARG_PO_LINE_TYPE_PP(0);
	PoLineType *b = PG_GETARG_PO_LINE_TYPE_PP(1);
	int			cmp = po_line_type_compare(VARDATA_ANY(a), VARSIZE_ANY_EXHDR(a),
										   VARDATA_ANY(b), VARSIZE_ANY_EXHDR(b));

	PG_FREE_IF_COPY(a, 0);
	PG_FREE_IF_COPY(b, 1);
	return cmp;
}

Datum
po_line_type_lt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_args(fcinfo) < 0);
}

Datum
po_line_type_le(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_args(fcinfo) <= 0);
}

Datum
po_line_type_eq(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_args(fcinfo) == 0);
}

Datum
po_line_type_ne(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_args(fcinfo) != 0);
}

Datum
po_line_type_ge(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_args(fcinfo) >= 0);
}

Datum
po_line_type_gt(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(compare_args(fcinfo) > 0);
}

Datum
po_line_type_cmp(PG_FUNCTION_ARGS)
{
	PG_RETURN_INT32(compare_args(fcinfo));
}

/* Hash partitions depend on these two: they never change. */
Datum
po_line_type_hash(PG_FUNCTION_ARGS)
{
	PoLineType *type = PG_GETARG_PO_LINE_TYPE_PP(0);
	Datum		hash = hash_any((unsigned char *) VARDATA_ANY(type),
								VARSIZE_ANY_EXHDR(type));

	PG_FREE_IF_COPY(type, 0);
	return hash;
}

Datum
po_line_type_hash_extended(PG_FUNCTION_ARGS)
{
	PoLineType *type = PG_GETARG_PO_LINE_TYPE_PP(0);
	Datum		hash = hash_any_extended((unsigned char *) VARDATA_ANY(type),
										 VARSIZE_ANY_EXHDR(type),
										 PG_GETARG_INT64(1));

	PG_FREE_IF_COPY(type, 0);
	return hash;
}

/* ----------
 * Sort support with abbreviated keys
 * ----------
 */

PG_FUNCTION_INFO_V1(po_line_type_sortsupport);

/* a path has 37 kinds of characters and an end: 39^12 < 2^64, 39^6 < 2^32 */
#define ABBREV_BASE		39
#define ABBREV_CHARS	((int) (sizeof(Datum) >= 8 ? 12 : 6))

/* Beyond this many distinct keys abbreviation pays, and counting is waste. */
#define ABBREV_ENOUGH	100000.0

typedef struct LineTypeSort
{
	bool		counting;		/* is it still open whether to abbreviate? */
	hyperLogLogState abbrev_card;	/* distinct abbreviated keys */
	hyperLogLogState full_card; /* distinct paths */
} LineTypeSort;

/* The place of a character in byte order, 1 to 38. */
static inline unsigned int
char_rank(char c)
{
	if (c == '.')
		return 1;
	if (c <= '9')
		return 2 + (c - '0');
	if (c == '_')
		return 12;
	return 13 + (c - 'a');
}

/* The first characters as digits of a number; the root is less than all. */
static Datum
abbreviate(const char *path, int len)
{
	Datum		key = 0;
	int			i;

	if (po_line_type_is_root(path, len))
		return 0;
	for (i = 0; i < ABBREV_CHARS; i++)
		key = key * ABBREV_BASE + (i < len ? char_rank(path[i]) : 0);
	return key;
}

static Datum
line_type_abbrev_convert(Datum original, SortSupport ssup)
{
	LineTypeSort *state = (LineTypeSort *) ssup->ssup_extra;
	PoLineType *type = DatumGetPoLineTypePP(original);
	const char *path = VARDATA_ANY(type);
	int			len = VARSIZE_ANY_EXHDR(type);
	Datum		key = abbreviate(path, len);

	if (state->counting)
	{
		addHyperLogLog(&state->abbrev_card,
					   DatumGetUInt32(hash_any((unsigned char *) &key, sizeof(key))));
		addHyperLogLog(&state->full_card,
					   DatumGetUInt32(hash_any((const unsigned char *) path, len)));
	}
	if ((Pointer) type != DatumGetPointer(original))
		pfree(type);
	return key;
}

/*
 * Gives up when keys tell apart less than a fifth of the paths, as when most
 * paths share a long prefix.  Few distinct paths are no reason: equal paths
 * are compared quickly.
 */
static bool
line_type_abbrev_abort(int memtupcount, SortSupport ssup)
{
	LineTypeSort *state = (LineTypeSort *) ssup->ssup_extra;
	double		abbrev_card;

	if (memtupcount < 100 || !state->counting)
		return false;
	abbrev_card = estimateHyperLogLog(&state->abbrev_card);
	if (abbrev_card > ABBREV_ENOUGH)
	{
		state->counting = false;
		return false;
	}
	return abbrev_card < estimateHyperLogLog(&state->full_card) / 5;
}

static int
line_type_full_compare(Datum x, Datum y, SortSupport ssup pg_attribute_unused())
{
	PoLineType *a = DatumGetPoLineTypePP(x);
	PoLineType *b = DatumGetPoLineTypePP(y);
	int			cmp = po_line_type_compare(VARDATA_ANY(a), VARSIZE_ANY_EXHDR(a),
										   VARDATA_ANY(b), VARSIZE_ANY_EXHDR(b));

	if ((Pointer) a != DatumGetPointer(x))
		pfree(a);
	if ((Pointer) b != DatumGetPointer(y))
		pfree(b);
	return cmp;
}

Datum
po_line_type_sortsupport(PG_FUNCTION_ARGS)
{
	SortSupport ssup = (SortSupport) PG_GETARG_POINTER(0);

	ssup->comparator = line_type_full_compare;
	if (ssup->abbreviate)
	{
		LineTypeSort *state = MemoryContextAlloc(ssup->ssup_cxt,
												 sizeof(LineTypeSort));
		MemoryContext oldcontext = MemoryContextSwitchTo(ssup->ssup_cxt);

		state->counting = true;
		initHyperLogLog(&state->abbrev_card, 10);
		initHyperLogLog(&state->full_card, 10);
		MemoryContextSwitchTo(oldcontext);

		ssup->ssup_extra = state;
		ssup->comparator = ssup_datum_unsigned_cmp;
		ssup->abbrev_converter = line_type_abbrev_convert;
		ssup->abbrev_abort = line_type_abbrev_abort;
		ssup->abbrev_full_comparator = line_type_full_compare;
	}
	PG_RETURN_VOID();
}

/* ----------
 * The tree
 * ----------
 */

PG_FUNCTION_INFO_V1(po_line_type_contains);
PG_FUNCTION_INFO_V1(po_line_type_contained);
PG_FUNCTION_INFO_V1(po_specificity);
PG_FUNCTION_INFO_V1(po_ancestors);
PG_FUNCTION_INFO_V1(po_label);

static bool
line_type_covers(PoLineType *a, PoLineType *b)
{
	return po_line_type_covers(VARDATA_ANY(a), VARSIZE_ANY_EXHDR(a),
							   VARDATA_ANY(b), VARSIZE_ANY_EXHDR(b));
}

Datum
po_line_type_contains(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(line_type_covers(PG_GETARG_PO_LINE_TYPE_PP(0),
									PG_GETARG_PO_LINE_TYPE_PP(1)));
}

Datum
po_line_type_contained(PG_FUNCTION_ARGS)
{
	PG_RETURN_BOOL(line_type_covers(PG_GETARG_PO_LINE_TYPE_PP(1),
									PG_GETARG_PO_LINE_TYPE_PP(0)));
}

Datum
po_specificity(PG_FUNCTION_ARGS)
{
	PoLineType *type = PG_GETARG_PO_LINE_TYPE_PP(0);

	PG_RETURN_INT32(po_line_type_specificity(VARDATA_ANY(type),
											 VARSIZE_ANY_EXHDR(type)));
}

/* The type's own oid is only known to the catalog; asked once a query. */
static Oid
element_type_of_result(FmgrInfo *flinfo)
{
	Oid		   *cached = (Oid *) flinfo->fn_extra;

	if (cached == NULL)
	{
		cached = MemoryContextAlloc(flinfo->fn_mcxt, sizeof(Oid));
		*cached = get_element_type(get_func_rettype(flinfo->fn_oid));
		flinfo->fn_extra = cached;
	}
	return *cached;
}

Datum
po_ancestors(PG_FUNCTION_ARGS)
{
	PoLineType *type = PG_GETARG_PO_LINE_TYPE_PP(0);
	const char *path = VARDATA_ANY(type);
	int			len = VARSIZE_ANY_EXHDR(type);
	int			depth = po_line_type_specificity(path, len);
	Datum	   *elems = palloc((depth + 1) * sizeof(Datum));
	int			i;

	for (i = 0; i <= depth; i++)
	{
		int			anclen;
		const char *ancestor = po_line_type_ancestor(path, len, i, &anclen);

		elems[i] = PointerGetDatum(cstring_to_text_with_len(ancestor, anclen));
	}
	PG_RETURN_ARRAYTYPE_P(construct_array(elems, depth + 1,
										  element_type_of_result(fcinfo->flinfo),
										  -1, false, TYPALIGN_INT));
}

Datum
po_label(PG_FUNCTION_ARGS)
{
	PoLineType *type = PG_GETARG_PO_LINE_TYPE_PP(0);
	int			len;
	const char *label = po_line_type_label(VARDATA_ANY(type),
										   VARSIZE_ANY_EXHDR(type), &len);

	PG_RETURN_TEXT_P(cstring_to_text_with_len(label, len));
}
