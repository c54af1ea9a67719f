/*
 * month_range.c
 *		The range type po_month_range: its canonical form and its measure.
 *
 * Only what CREATE TYPE ... AS RANGE needs beyond po_month itself.  Checks on
 * the months of orders and line items compare months and build no range.
 */
#include "postgres.h"

#include "utils/rangetypes.h"

#include "compat.h"
#include "month.h"

PG_FUNCTION_INFO_V1(po_month_range_canonical);
PG_FUNCTION_INFO_V1(po_month_subtype_diff);

/*
 * Moves a bound to the month after it; false if there is none.  An upper
 * bound of 9999-12 can therefore not be inclusive: the month that would
 * exclude it does not exist.
 */
static bool
move_to_next_month(RangeBound *bound)
{
	PoMonth		next;

	if (!po_month_add(DatumGetPoMonth(bound->val), 1, &next))
		return false;
	bound->val = PoMonthGetDatum(next);
	return true;
}

/* The range in its one form, "[lower,upper)"; unbounded ends stay so. */
Datum
po_month_range_canonical(PG_FUNCTION_ARGS)
{
	RangeType  *range = PG_GETARG_RANGE_P(0);
	TypeCacheEntry *typcache = range_get_typcache(fcinfo, RangeTypeGetOid(range));
	RangeBound	lower;
	RangeBound	upper;
	bool		empty;

	range_deserialize(typcache, range, &lower, &upper, &empty);
	if (empty)
		PG_RETURN_RANGE_P(range);

	if (!lower.infinite && !lower.inclusive)
	{
		if (!move_to_next_month(&lower))
			po_soft_error(fcinfo->context, (Datum) 0,
						  (errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
						   errmsg("exclusive lower bound of a month range out of range"),
						   errdetail("No month comes after 9999-12."),
						   errhint("Include the lower bound, as in \"[9999-12,)\".")));
		lower.inclusive = true;
	}

	if (!upper.infinite && upper.inclusive)
	{
		if (!move_to_next_month(&upper))
			po_soft_error(fcinfo->context, (Datum) 0,
						  (errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
						   errmsg("inclusive upper bound of a month range out of range"),
						   errdetail("No month comes after 9999-12."),
						   errhint("Leave the upper bound out for a range without an end: \"[lower,)\".")));
		upper.inclusive = false;
	}

	PG_RETURN_RANGE_P(po_range_serialize(typcache, &lower, &upper,
										 fcinfo->context));
}

/* For GiST, which splits pages by the lengths of ranges. */
Datum
po_month_subtype_diff(PG_FUNCTION_ARGS)
{
	PG_RETURN_FLOAT8((float8) PG_GETARG_PO_MONTH(0) -
					 (float8) PG_GETARG_PO_MONTH(1));
}
