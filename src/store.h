/*
 * store.h
 *		The store: the only place that reads and writes the tables.
 *
 * store_sql.c has the SQL, store_plan.c keeps its plans, store_shard.c knows which
 * relations these are about, store_read.c reads what a
 * match needs, store_scan.c scans indexes for it, store_cache.c keeps accounts
 * in memory, store_past.c reads what there was, store_books.c locks accounts
 * and writes the books, store_direct.c does that without statements,
 * store_write.c writes the rest, store_notify.c reads what a notification says
 * and writes the outbox, store_archive.c moves what is old of the books.
 *
 * All of it works on the tables of one schema, the extension's; callers take
 * it from the function or the trigger that they are (it cannot be moved).
 */
#ifndef PO_STORE_H
#define PO_STORE_H

#include "executor/spi.h"
#include "nodes/pg_list.h"
#include "utils/rel.h"

#include "arena.h"
#include "row.h"
#include "schema.h"

/* ---- store_plan.c ---- */

/* the statements; their SQL and arguments are in store_sql.c */
typedef enum PoStatement
{
	PO_READ_ACCOUNT,
	PO_READ_ORDERS,
	PO_READ_ALL_ORDERS,
	PO_READ_LEVEL,
	PO_READ_ALL_LINE_ITEMS,
	PO_READ_LINE_ITEM,
	PO_READ_ORDER,
	PO_READ_INVOICE,
	PO_READ_ALIAS,
	PO_READ_TAXONOMY,
	PO_READ_SELLER_ENABLED,
	PO_READ_TYPE_ENABLED,
	PO_KEEP_SELLER,
	PO_KEEP_TYPE,
	PO_KEEP_ACCOUNT,
	PO_KEEP_ORDER,
	PO_READ_SELLER_BILLS,
	PO_COUNT_ACTIVE_ORDERS,
	PO_COUNT_LINE_ITEMS,
	PO_COUNT_CONTACTS,
	PO_READ_OUTSIDE_PERIOD,
	PO_READ_LEDGER_SUM,
	PO_READ_ASSOCIATED_SUM,
	PO_READ_ORDER_INVOICE,
	PO_READ_LINE_ITEM_INVOICE,
	PO_READ_BALANCES,
	PO_READ_INVOICE_ROW,
	PO_LOCK_INVOICE,
	PO_READ_FOLLOWERS,
	PO_READ_CLOSED_FOLLOWER,
	PO_READ_UNASSOCIATED,
	PO_READ_REPAIRS,
	PO_READ_NEXT_CLOSED,
	PO_READ_ACCOUNT_ENTRY,
	PO_READ_ACCOUNT_XMIN,
	PO_READ_NOTICES,
	PO_READ_REMINDERS,
	PO_READ_PAYER,
	PO_READ_MEMBER,
	PO_READ_INTEGRATION,
	PO_READ_AGREEMENT,
	PO_READ_AGREEMENT_LINE,
	PO_READ_MOVED_TO,
	PO_READ_MEMBER_OF,
	PO_READ_ATTACHED,
	PO_READ_INVOICE_OF,
	PO_DELETE_INVOICE,
	PO_NAME_SELLER,
	PO_READ_BOOKED,
	PO_READ_ASSOCIATION,
	PO_READ_RELEASED,
	PO_READ_PAST_ACCOUNT,
	PO_READ_PAST_ORDERS,
	PO_READ_PAST_LINE_ITEMS,
	PO_READ_PAST_BALANCE,
	/* as the user who asks, like statements of his own */
	PO_SET_STATUS,
	PO_LOCK_EXPIRATION,
	PO_EXTEND_ORDER,
	PO_EXTEND_LINE_ITEMS,
	PO_READ_POLICIES,
	PO_FORGET_POLICIES,
	PO_RECORD_POLICIES,
	PO_COPY_ORDER,
	PO_READ_BEYOND,
	PO_COPY_LINE_ITEMS,
	PO_COPY_CONTACTS,
	PO_READ_ORDER_ROW,
	PO_MOVE_MEMBER,
	PO_SCHEDULE,
	/* the same for the marketplace: updated_at of orders does not move */
	PO_FIRST_PURCHASE,
	PO_PURCHASE_ORDER = PO_FIRST_PURCHASE,
	PO_WIDEN_ORDER,
	PO_PURCHASE_LINE_ITEM,
	PO_MOVE_AGREEMENT,
	/* the store's own writes, which the triggers let pass */
	PO_FIRST_WRITE,
	PO_ADD_ACCOUNT = PO_FIRST_WRITE,
	PO_LOCK_ACCOUNT,
	PO_TOUCH_ORDER,
	PO_ASSOCIATE,
	PO_WRITE_INVOICES,
	PO_REPAIR,
	PO_MOVE_BALANCES,
	PO_WRITE_LEDGER,
	PO_WRITE_NOTIFICATIONS,
	PO_WRITE_REMINDERS,
	PO_WRITE_CHANGE,
	PO_ARCHIVE_LEDGER,
	PO_ARCHIVE_CHANGES,
	PO_NSTATEMENTS
} PoStatement;

#define PO_MAX_ARGS 12

/*
 * Needs SPI_connect().  nulls may be NULL.  Returns the number of rows, which
 * are in SPI_tuptable.
 */
extern uint64 po_execute(Oid schema, PoStatement statement, const Datum *args,
						 const char *nulls, bool read_only);
extern Portal po_open_cursor(Oid schema, PoStatement statement, const Datum *args,
							 const char *nulls);
extern uint64 po_execute_text(const char *sql, int nargs, Oid *types, Datum *args,
							  const char *nulls, bool own);
extern Oid	po_table_oid(Oid schema, PoTable table);
extern bool po_is_own_table(Oid table);
extern void po_check_triggers(Oid schema, PoTable which);
extern bool po_store_is_writing(void);
extern bool po_marketplace_is_writing(void);
extern void po_plan_init(void);

/* ---- store_shard.c: tables that Citus has distributed over servers ---- */

extern bool po_is_distributed(Oid schema);
/* the table that a relation is, or is a shard of; PO_NTABLES: of none of ours */
extern PoTable po_which_table(Oid schema, Relation rel);
/* one of each shard that is here; where tables are not distributed, one NULL */
extern List *po_accounts_here(Oid schema);
extern void po_shard_init(void);

/* ---- store_read.c ---- */

typedef struct PoReader PoReader;

/*
 * Reads with the active snapshot, as the current user: with its privileges
 * and row security; as_owner: the current user was made the tables' owner.
 */
extern PoReader *po_reader_open(Oid schema, bool as_owner);

/*
 * What row security lets the user see, for readers of one execution of a
 * query; without it, tables with row security are read by queries.
 */
typedef struct PoPolicies PoPolicies;

extern PoPolicies *po_policies_create(MemoryContext memory);
extern void po_reader_set_policies(PoReader *reader, PoPolicies *policies);

extern void po_reader_close(PoReader *reader);

/*
 * For many invoices of an account: all of its configuration, in memory of the
 * caller's, or NULL where that does not pay; and a reader that reads it there.
 */
typedef struct PoConfiguration PoConfiguration;

extern const PoConfiguration *po_read_whole(Oid schema, const PoAccount *account,
											PoArena *arena);
extern PoReader *po_reader_open_whole(Oid schema, const PoConfiguration *configuration);

extern bool po_read_account(PoReader *reader, text *account_id, PoAccount *account);
extern text *po_read_alias(PoReader *reader, text *alias);
extern PoTristate po_read_out_of_cycle_only(PoReader *reader, PoLineType *line_type);
extern text *po_read_payer(PoReader *reader, text *member_account_id);

/*
 * A seller's orders that do not expire before a month, newest first; all of
 * the account, in no order, where bill_from is NULL.  An order stays what it is
 * until the next one is read; one that is kept, as long as the reader does.
 */
extern void po_orders_begin(PoReader *reader, text *account_id, text *bill_from,
							PoMonth month);
extern const PoOrder *po_orders_next(PoReader *reader);
extern const PoOrder *po_order_keep(PoReader *reader, const PoOrder *order);

/*
 * Line items of an order that was kept, or came from elsewhere: those of
 * exactly that type whose period has the month, or all where line_type is
 * NULL.  Another begin ends the one before.
 */
extern void po_line_items_begin(PoReader *reader, text *account_id,
								const PoOrder *order, PoLineType *line_type,
								PoMonth month);
extern const PoLineItem *po_line_items_next(PoReader *reader);
extern const PoLineItem *po_line_item_keep(PoReader *reader, const PoLineItem *item);

extern bool po_read_line_item(Oid schema, text *account_id, int64 line_item_id,
							  PoLineItem *item);
extern bool po_read_order(Oid schema, text *account_id, text *po_number,
						  PoOrder *order);
extern bool po_read_invoice(Oid schema, text *account_id, text *bill_from,
							text *invoice_id, PoInvoice *invoice);

/* ---- store_scan.c ---- */

extern void po_scan_init(void);

/* ---- store_cache.c ---- */

extern int	po_cache_size;		/* po_mgmt.match_cache, in kB */

/* this transaction writes to the tables: it reads nothing from memory any more */
extern void po_cache_suspend(void);
/* it writes what accounts' rows do not tell: nobody trusts his memory until it has ended */
extern void po_cache_distrust(Oid schema);
extern void po_cache_init(void);

/* ---- store_past.c: what was, from change log and ledger ---- */

/* an invoice as it was booked, or as it was recorded where it is not booked */
typedef struct PoBooked
{
	Oid			schema;
	PoInvoice	invoice;		/* with the amount that was booked */
	TimestampTz at;
	text	   *by;				/* NULL: not booked */
	bool		as_original;	/* a credit memo that went where its original was */
	text	   *note;			/* or NULL */
	int64		entry_id;		/* of the ledger; 0: none */
	TimestampTz voided_at;		/* where the invoice is void */
} PoBooked;

extern bool po_read_booked(Oid schema, text *account_id, text *bill_from,
						   text *invoice_id, PoBooked *booked);
extern bool po_read_past_account(Oid schema, text *account_id, TimestampTz at,
								 PoAccount *account);
extern PoOrder *po_read_past_orders(Oid schema, text *account_id, TimestampTz at,
									int *norders);
/* by order; their balances are not those of the time */
extern PoLineItem *po_read_past_line_items(Oid schema, text *account_id,
										   TimestampTz at, int *nitems);
/* of a tracked line item, as the invoice found it */
extern Numeric po_read_past_balance(const PoLineItem *item, const PoBooked *booked);

/* ---- store_books.c, store_write.c: as the tables' owner, on the newest rows ---- */

/* a change of a line item's balance */
typedef struct PoMove
{
	text	   *account_id;
	int64		line_item_id;
	Numeric		amount;
	bool		exists;			/* is the line item there still? */
	Numeric		balance;		/* before it; NULL: not tracked, or gone */
	Numeric		total_value;
	ArrayType  *thresholds;		/* NULL: nobody is to be notified */
} PoMove;

/* an entry of the ledger */
typedef struct PoEntry
{
	text	   *account_id;
	int64		line_item_id;
	text	   *po_number;
	text	   *line_number;
	text	   *bill_from;
	text	   *invoice_id;		/* or NULL */
	const char *kind;
	Numeric		amount;
	Numeric		balance_after;	/* NULL: not tracked */
	TimestampTz recorded_at;
	text	   *recorded_by;
	text	   *note;			/* or NULL */
} PoEntry;

/* what mends a line item: an entry, and with the last one its balance */
typedef struct PoRepair
{
	PoEntry		entry;
	Numeric		balance;		/* as it should be; or NULL */
} PoRepair;

/* who we were before we became the tables' owner */
typedef struct PoIdentity
{
	Oid			user;
	int			context;
} PoIdentity;

extern void po_become_role(Oid role, PoIdentity *before);
extern void po_become_table_owner(Oid schema, PoTable table, PoIdentity *before);
extern void po_become(const PoIdentity *before);
extern text *po_user(void);
extern void po_check_written(bool as_meant, const char *table);
extern bool po_lock_account(Oid schema, text *account_id, PoAccount *account);
extern void po_add_account(Oid schema, text *account_id);
extern bool po_account_is_written(Oid schema, text *account_id);
extern void po_touch_order(Oid schema, text *account_id, text *po_number,
						   TimestampTz stamp);
extern bool po_update_seed(Relation rel, HeapTuple row);
extern void po_see_newest(void);
extern bool po_newest_order(Oid schema, text *account_id, text *po_number,
							PoOrder *order);
extern int64 po_count(Oid schema, PoStatement statement, const Datum *args);
extern bool po_exists(Oid schema, PoStatement statement, const Datum *args);
extern PoTristate po_ask(Oid schema, PoStatement statement, const Datum *args);
extern Numeric po_sum(Oid schema, PoStatement statement, const Datum *args);
extern char *po_list(Oid schema, PoStatement statement, const Datum *args);
extern int64 po_next_id(Oid schema, const char *sequence);
extern PoInvoice *po_read_invoices(Oid schema, PoStatement statement,
								   const Datum *args, int *ninvoices);
extern Datum po_read_datum(Oid schema, PoStatement statement, const Datum *args,
						   const char *nulls);
extern text *po_read_text(Oid schema, PoStatement statement, const Datum *args,
						  const char *nulls);
extern bool po_read_agreement(Oid schema, text *account_id, text *agreement_id,
							  text **bill_from, text **currency,
							  PoMonth *start, PoMonth *end);
extern PoRepair *po_read_repairs(Oid schema, text *account_id, int *nrepairs);
extern bool po_read_month(Oid schema, PoStatement statement, const Datum *args,
						  PoMonth *month);
extern void po_write(Oid schema, PoStatement statement, const Datum *args,
					 const char *nulls);
extern void po_write_change(Oid schema, Datum *args, const char *nulls);
extern void po_write_association(Oid schema, const Datum *args, const char *nulls,
								 text *note);
/* in the trigger that this fires: the note for the ledger, or NULL */
extern text *po_association_note(void);
extern void po_read_balances(Oid schema, PoMove *moves, int nmoves);
extern void po_move_balances(Oid schema, const PoMove *moves, int nmoves);
extern void po_write_ledger(Oid schema, const PoEntry *entries, int nentries);

/* ---- store_invoice.c: rows of po_invoice that attached tables mean ---- */

/* the row that has this one's key now, whoever sees it, or NULL; of any table with a key */
extern HeapTuple po_fetch_row(Relation rel, HeapTuple tuple);
extern Oid	po_row_key(Relation rel);
extern void po_change_invoice(Oid schema, const Datum *key, const Datum *values,
							  const bool *nulls, const bool *changed);
extern void po_write_invoices(Oid schema, HeapTuple *rows, int nrows);
/* in the trigger of po_invoice that this fires: the next row is to be this one */
extern void po_check_next_invoice(HeapTuple row, TupleDesc desc);

/* ---- store_attached.c: tables that po_attach() attached, as their owner ---- */

typedef struct PoAttached
{
	Oid			relid;
	char	   *mapping;
} PoAttached;

/* a row of an attached table, and where it is */
typedef struct PoAttachedRow
{
	Oid			relid;			/* of its partition */
	ItemPointerData place;
	HeapTuple	tuple;			/* as a row of the table itself */
} PoAttachedRow;

extern PoAttached *po_read_attached(Oid schema, int *n);
/* the rows with this text in a column; they are locked */
extern PoAttachedRow *po_read_attached_rows(Relation rel, AttrNumber column,
											text *value, int *nrows);
extern Portal po_open_attached(Relation rel, int ncolumns, const AttrNumber *order);
extern PoAttachedRow *po_fetch_attached(Portal portal, int limit, int *nrows);
extern PoAttachedRow *po_lock_attached(Relation rel, const PoAttachedRow *rows, int nrows,
									   int *nlocked);
extern void po_fill_attached(Relation rel, const PoAttachedRow *rows, int nrows, int ncolumns,
							 const AttrNumber *columns, text **const *values);
extern char *po_table_name(Relation rel);

/* ---- store_notify.c: as the tables' owner, on the newest rows ---- */

/* what a notification says; a text that is not known is NULL */
typedef struct PoNotice
{
	text	   *account_id;
	text	   *po_number;
	text	   *order_description;
	text	   *bill_from;
	text	   *currency;
	text	   *time_zone;
	PoMonth		expiration_month;
	PoMonth		start_month;	/* of the line item, or of the order */
	PoMonth		end_month;
	text	   *line_number;	/* NULL: about the order */
	text	   *item_description;
	text	   *label;			/* of the type of charge */
	Numeric		total_value;
	Numeric		balance;		/* NULL: nothing is tracked */
	ArrayType  *recipients;		/* NULL: nobody, or the line item is gone */
	DateADT		due_on;			/* of a reminder */
	DateADT		today;
} PoNotice;

/* a row of the outbox */
typedef struct PoNotification
{
	text	   *account_id;
	text	   *po_number;
	text	   *line_number;	/* or NULL */
	const char *kind;
	Numeric		threshold;		/* NULL where it is an expiration */
	DateADT		due_on;			/* where it is one */
	ArrayType  *recipients;
	text	   *subject;
	text	   *body;
	TimestampTz created_at;
} PoNotification;

extern bool po_notify_setting;	/* po_mgmt.notify */

extern void po_read_notices(Oid schema, const PoMove *items, int nitems,
							PoNotice *notices);
extern Portal po_open_reminders(Oid schema, text *account_id, bool is_given, DateADT as_of);
extern PoNotice *po_read_reminders(Portal cursor, int max, int *nnotices);
extern uint64 po_write_notifications(Oid schema, PoStatement statement,
									 const PoNotification *notifications,
									 int nnotifications);

/* ---- store_archive.c: as the tables' owner, on the newest rows ---- */

/* the first account behind this one that has closed months, or NULL */
extern text *po_next_closed_account(Oid schema, text *account_id);
/* the account is locked; the number of rows that were moved */
extern int64 po_move_to_archive(Oid schema, text *account_id, PoMonth before);

/* ---- store_policy.c ---- */

extern int64 po_write_policies(Oid schema, const char *setting);

#endif							/* PO_STORE_H */
