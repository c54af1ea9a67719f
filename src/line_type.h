/*
 * line_type.h
 *		The type po_line_type, a type of charge: what other files may use.
 *
 * A value is a varlena like text that holds a path of labels in a tree:
 * "usage", "usage.compute", or "all", the root.  The functions below are pure:
 * they neither raise errors nor allocate, take the bytes of a path and their
 * number, and need no terminator.  All but the parser expect a valid path.
 */
#ifndef PO_LINE_TYPE_H
#define PO_LINE_TYPE_H

#include "fmgr.h"

typedef text PoLineType;

#define DatumGetPoLineTypePP(d)			((PoLineType *) DatumGetTextPP(d))
#define PG_GETARG_PO_LINE_TYPE_PP(n)	DatumGetPoLineTypePP(PG_GETARG_DATUM(n))
#define PG_RETURN_PO_LINE_TYPE_P(p)		PG_RETURN_POINTER(p)

#define PO_LINE_TYPE_MAX_LEVELS	8	/* the root not counted */
#define PO_LINE_TYPE_MAX_LEN	255

#define PO_LINE_TYPE_ROOT		"all"
#define PO_LINE_TYPE_ROOT_LEN	3

typedef enum PoLineTypeStatus
{
	PO_LINE_TYPE_OK,
	PO_LINE_TYPE_EMPTY,
	PO_LINE_TYPE_EMPTY_LABEL,
	PO_LINE_TYPE_BAD_CHARACTER,
	PO_LINE_TYPE_BELOW_ROOT,	/* "all.x" */
	PO_LINE_TYPE_TOO_DEEP,
	PO_LINE_TYPE_TOO_LONG
} PoLineTypeStatus;

/*
 * Reads a path or an AWS name, in any case, with white space around it.
 * Writes the path to dst, without a terminator, and its length to *dstlen.
 */
extern PoLineTypeStatus po_line_type_parse(const char *src, int srclen,
										   char dst[PO_LINE_TYPE_MAX_LEN],
										   int *dstlen);

/* Is this a path as it is stored: lower case, no name, no white space? */
extern PoLineTypeStatus po_line_type_check(const char *path, int len);

/* what is wrong, a sentence for errdetail(); "" for PO_LINE_TYPE_OK */
extern const char *po_line_type_fault(PoLineTypeStatus status);

extern bool po_line_type_is_root(const char *path, int len);

/* the order: the root first, then bytes; < 0, 0, > 0 */
extern int	po_line_type_compare(const char *a, int alen,
								 const char *b, int blen);

/* a @> b: is a an ancestor of b, or b itself? */
extern bool po_line_type_covers(const char *a, int alen,
								const char *b, int blen);

/* the number of levels; the root has 0 */
extern int	po_line_type_specificity(const char *path, int len);

/*
 * The length of the path's prefix of that many levels; 0 for depth 0 (the root
 * is no prefix of other paths), -1 where the path is not that deep.
 */
extern int	po_line_type_prefix_len(const char *path, int len, int depth);

/*
 * The ancestor at that depth, from 0 (the root) to the specificity (itself).
 * Points into path or to a constant; NULL where the path is not that deep.
 */
extern const char *po_line_type_ancestor(const char *path, int len, int depth,
										 int *anclen);

/* the AWS name (a constant), else the path itself */
extern const char *po_line_type_label(const char *path, int len,
									  int *labellen);

#endif							/* PO_LINE_TYPE_H */
