/*
 * money.c
 *		Calculating with money.  See money.h.
 *
 * Only what several files need; no rounding, no floating point.
 */
#include "postgres.h"

#include "utils/datum.h"
#include "utils/fmgrprotos.h"

#include "money.h"

static Numeric
calculate(PGFunction operation, Numeric a, Numeric b)
{
	return DatumGetNumeric(DirectFunctionCall2(operation, NumericGetDatum(a),
											   NumericGetDatum(b)));
}

Numeric
po_money_add(Numeric a, Numeric b)
{
	return calculate(numeric_add, a, b);
}

Numeric
po_money_subtract(Numeric a, Numeric b)
{
	return calculate(numeric_sub, a, b);
}

Numeric
po_money_multiply(Numeric a, Numeric b)
{
	return calculate(numeric_mul, a, b);
}

Numeric
po_money_negate(Numeric value)
{
	return DatumGetNumeric(DirectFunctionCall1(numeric_uminus, NumericGetDatum(value)));
}

Numeric
po_money_copy(Numeric value)
{
	return value == NULL ? NULL :
		DatumGetNumeric(datumCopy(NumericGetDatum(value), false, -1));
}

int
po_money_compare(Numeric a, Numeric b)
{
	return DatumGetInt32(DirectFunctionCall2(numeric_cmp, NumericGetDatum(a),
											 NumericGetDatum(b)));
}

int
po_money_sign(Numeric value)
{
	return po_money_compare(value, int64_to_numeric(0));
}

bool
po_money_is_finite(Numeric value)
{
	return !numeric_is_nan(value) && !numeric_is_inf(value);
}

char *
po_money_print(Numeric value)
{
	return DatumGetCString(DirectFunctionCall1(numeric_out, NumericGetDatum(value)));
}
