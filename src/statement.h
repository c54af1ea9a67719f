/*
 * statement.h
 *		What is remembered while a statement runs: accounts that are locked,
 *		what was read of them, what was done once, which rows were seen.
 */
#ifndef PO_STATEMENT_H
#define PO_STATEMENT_H

#include "store.h"

/* what an account is locked for */
typedef enum PoUse
{
	PO_FOR_CONFIGURATION,
	PO_FOR_BOOKING
} PoUse;

/* the account, locked once a statement; NULL where it is not known */
extern const PoAccount *po_statement_account(Oid schema, text *account_id, PoUse use);
/* the time for its entries and stamps, from its lock */
extern TimestampTz po_statement_time(Oid schema, text *account_id, PoUse use);
extern TimestampTz po_statement_latest(text *account_id);
extern void po_statement_forget_accounts(void);

/*
 * Another number whenever what was read of an account may no longer be what
 * it is: when balances are written, accounts forgotten, work rolled back.
 * Until then memory of po_statement_memory() holds what one likes to remember.
 */
extern uint64 po_statement_generation(void);
extern MemoryContext po_statement_memory(void);
extern void po_statement_forget_memory(void);

/* the last value that was read for a name, good until something could change it */
typedef struct PoLastRead
{
	uint64		generation;
	text	   *name;
	text	   *value;			/* or NULL */
} PoLastRead;

extern bool po_statement_recall(const PoLastRead *last, text *name, text **value);
extern void po_statement_remember(PoLastRead *last, text *name, text *value);

/*
 * For triggers that do something once a statement, such as to count what is
 * in the table against a limit.  A BEFORE ROW trigger says that rows are on
 * their way; the first AFTER ROW trigger with this kind (a letter), account
 * and name gets true.
 */
extern void po_statement_rows_coming(void);
extern bool po_statement_first(char kind, text *account_id, text *name);

/*
 * What our BEFORE INSERT trigger tells AFTER INSERT of a row: that it was seen
 * with this stamp, and this key where that matters.
 */
extern void po_statement_seen(TimestampTz stamp, uint64 key);
extern bool po_statement_was_seen(TimestampTz stamp, uint64 key);

/* for flight.c, which is told by the server */
extern void po_statement_end_level(int level, bool rolled_back, bool books_changed);
extern void po_statement_end(void);

#endif							/* PO_STATEMENT_H */
