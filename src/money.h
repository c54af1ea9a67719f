/*
 * money.h
 *		Calculating with money: thin names over PostgreSQL's numeric.
 */
#ifndef PO_MONEY_H
#define PO_MONEY_H

#include "utils/numeric.h"

extern Numeric po_money_add(Numeric a, Numeric b);
extern Numeric po_money_subtract(Numeric a, Numeric b);
extern Numeric po_money_multiply(Numeric a, Numeric b);
extern Numeric po_money_negate(Numeric value);
extern Numeric po_money_copy(Numeric value);	/* NULL stays NULL */

extern int	po_money_compare(Numeric a, Numeric b);
extern int	po_money_sign(Numeric value);	/* -1, 0 or 1 */
extern bool po_money_is_finite(Numeric value);
extern char *po_money_print(Numeric value);

#endif							/* PO_MONEY_H */
