/*
 * store_sql.h
 *		The texts of the store's statements; for store_plan.c only.
 */
#ifndef PO_STORE_SQL_H
#define PO_STORE_SQL_H

#include "store.h"

typedef struct PoStatementText
{
	/*
	 * One letter an argument: a an account, t another text, i bigint, m po_month, l po_line_type,
	 * n numeric, d date, z timestamptz, r a row of any table; capital letters are
	 * arrays of these, E, O and V those of rows of the ledger, outbox and invoices.
	 */
	const char *args;
	const char *sql;
} PoStatementText;

extern const PoStatementText po_statement_texts[PO_NSTATEMENTS];

#endif							/* PO_STORE_SQL_H */
