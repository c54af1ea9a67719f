/*
 * statement.c
 *		What is remembered while a statement runs.  See statement.h.
 */
#include "postgres.h"

#include "access/xact.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "clock.h"
#include "statement.h"

/* accounts remembered; forgetting one costs time only */
#define MAX_ACCOUNTS	10000

typedef struct LockedAt
{
	text	   *account_id;		/* key */
	TimestampTz time;
} LockedAt;

/* a row between BEFORE and AFTER INSERT */
typedef struct Seen
{
	TimestampTz stamp;
	uint64		key;
} Seen;

typedef struct KnownAccount
{
	text	   *account_id;		/* key */
	PoUse		use;
	PoAccount	account;
} KnownAccount;

/* all of it in the top transaction's memory */

/* all of it in the top transaction's memory */
static MemoryContext accounts_context = NULL;
static HTAB *accounts;
static int	accounts_level;		/* the deepest at which one was locked */

/* what is remembered besides, see po_statement_generation */
static MemoryContext memory = NULL;
static uint64 generation = 0;

/* the last times at which accounts were locked */
static MemoryContext times_context = NULL;
static HTAB *times;

static MemoryContext firsts_context = NULL;
static HTAB *firsts;

static MemoryContext seen_context = NULL;
static HTAB *seen;

/* ---- memory ---- */

static void
forget_context(MemoryContext *context)
{
	if (*context != NULL)
		MemoryContextDelete(*context);
	*context = NULL;
}

/* for what was read before may be no longer true, or is too much */
void
po_statement_forget_memory(void)
{
	generation++;
	forget_context(&memory);
}

uint64
po_statement_generation(void)
{
	return generation;
}

MemoryContext
po_statement_memory(void)
{
	if (memory == NULL)
		memory = AllocSetContextCreate(TopTransactionContext, "po_mgmt memory",
									   ALLOCSET_DEFAULT_SIZES);
	return memory;
}

bool
po_statement_recall(const PoLastRead *last, text *name, text **value)
{
	if (last->name == NULL || last->generation != generation ||
		!po_text_equal(name, last->name))
		return false;
	*value = po_text_copy(last->value);
	return true;
}

void
po_statement_remember(PoLastRead *last, text *name, text *value)
{
	MemoryContext caller = MemoryContextSwitchTo(po_statement_memory());

	last->name = po_text_copy(name);
	last->value = po_text_copy(value);
	last->generation = generation;
	MemoryContextSwitchTo(caller);
}

void
po_statement_forget_accounts(void)
{
	forget_context(&accounts_context);
	accounts = NULL;
	accounts_level = 0;
	po_statement_forget_memory();
}

/* ---- accounts ---- */

static void
remember_account(const PoAccount *account, PoUse use)
{
	MemoryContext caller;
	KnownAccount *known;
	text	   *account_id;
	bool		found;

	if (accounts == NULL)
	{
		accounts_context = AllocSetContextCreate(TopTransactionContext,
												 "po_mgmt accounts",
												 ALLOCSET_DEFAULT_SIZES);
		accounts = po_text_hash_create("po_mgmt accounts", sizeof(KnownAccount),
									   accounts_context);
	}
	caller = MemoryContextSwitchTo(accounts_context);
	account_id = po_text_copy(account->account_id);
	known = hash_search(accounts, &account_id, HASH_ENTER, &found);
	if (found)
	{
		/* locked for the other use before; callers may hold its texts yet */
		pfree(account_id);
		account_id = known->account_id;
	}
	known->use = use;
	known->account = *account;
	known->account.account_id = account_id;
	known->account.currency = po_text_copy(account->currency);
	known->account.time_zone = po_text_copy(account->time_zone);
	MemoryContextSwitchTo(caller);
	accounts_level = Max(accounts_level, GetCurrentTransactionNestLevel());
}

/* whatever is rolled back or forgotten, time does not go back */
static void
remember_time(text *account_id, TimestampTz time)
{
	MemoryContext caller;
	LockedAt *entry;

	if (times == NULL)
	{
		times_context = AllocSetContextCreate(TopTransactionContext, "po_mgmt times",
											  ALLOCSET_DEFAULT_SIZES);
		times = po_text_hash_create("po_mgmt times", sizeof(LockedAt), times_context);
	}
	entry = hash_search(times, &account_id, HASH_FIND, NULL);
	if (entry == NULL)
	{
		caller = MemoryContextSwitchTo(times_context);
		account_id = po_text_copy(account_id);
		entry = hash_search(times, &account_id, HASH_ENTER, NULL);
		MemoryContextSwitchTo(caller);
	}
	entry->time = time;
}

static KnownAccount *
find_account(text *account_id)
{
	return accounts == NULL ? NULL :
		hash_search(accounts, &account_id, HASH_FIND, NULL);
}

const PoAccount *
po_statement_account(Oid schema, text *account_id, PoUse use)
{
	KnownAccount *known = find_account(account_id);
	PoAccount	account;

	if (known != NULL && known->use == use)
		return &known->account;
	if (accounts != NULL && hash_get_num_entries(accounts) >= MAX_ACCOUNTS)
		po_statement_forget_accounts();
	if (!po_lock_account(schema, account_id, &account))
		return NULL;
	remember_account(&account, use);
	remember_time(account_id, account.booked_at);
	return &find_account(account_id)->account;
}

/* an account that is deleted in the same statement has no time of its own */
TimestampTz
po_statement_time(Oid schema, text *account_id, PoUse use)
{
	const PoAccount *account = po_statement_account(schema, account_id, use);

	return account != NULL ? account->booked_at : po_clock_stamp();
}

/* the time when this transaction last locked the account */
TimestampTz
po_statement_latest(text *account_id)
{
	LockedAt *entry = NULL;

	if (times != NULL)
		entry = hash_search(times, &account_id, HASH_FIND, NULL);
	return entry != NULL ? entry->time : PG_INT64_MIN;
}

/* ---- once a statement ---- */

void
po_statement_rows_coming(void)
{
	forget_context(&firsts_context);
	firsts = NULL;
}

bool
po_statement_first(char kind, text *account_id, text *name)
{
	MemoryContext caller;
	text	   *key;
	bool		found;

	if (firsts == NULL)
	{
		firsts_context = AllocSetContextCreate(TopTransactionContext,
											   "po_mgmt firsts",
											   ALLOCSET_SMALL_SIZES);
		firsts = po_text_hash_create("po_mgmt firsts", sizeof(text *), firsts_context);
	}
	caller = MemoryContextSwitchTo(firsts_context);
	/* the length parts the names, so that no two pairs give one key */
	key = cstring_to_text(psprintf("%c%zu %s %s", kind,
								   (size_t) VARSIZE_ANY_EXHDR(account_id),
								   text_to_cstring(account_id),
								   name ? text_to_cstring(name) : ""));
	hash_search(firsts, &key, HASH_ENTER, &found);
	MemoryContextSwitchTo(caller);
	return !found;
}

void
po_statement_seen(TimestampTz stamp, uint64 key)
{
	Seen		row = {stamp, key};

	if (seen == NULL)
	{
		HASHCTL		ctl;

		seen_context = AllocSetContextCreate(TopTransactionContext, "po_mgmt seen",
											 ALLOCSET_SMALL_SIZES);
		ctl.keysize = ctl.entrysize = sizeof(Seen);
		ctl.hcxt = seen_context;
		seen = hash_create("po_mgmt seen", 64, &ctl,
						   HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	hash_search(seen, &row, HASH_ENTER, NULL);
}

bool
po_statement_was_seen(TimestampTz stamp, uint64 key)
{
	Seen		row = {stamp, key};

	return seen != NULL && hash_search(seen, &row, HASH_REMOVE, NULL) != NULL;
}

/* ---- ends of transactions ---- */

/* a level of nesting ends; books_changed: rolled back with bookings */
void
po_statement_end_level(int level, bool rolled_back, bool books_changed)
{
	if (rolled_back)
	{
		if (books_changed || accounts_level >= level)
			po_statement_forget_accounts();
		po_statement_rows_coming();
	}
	else if (accounts_level == level)
		accounts_level--;
}

/* the memory goes with the transaction */
void
po_statement_end(void)
{
	accounts_context = memory = times_context = firsts_context = seen_context = NULL;
	times = firsts = seen = NULL;
	po_statement_forget_accounts();
}
