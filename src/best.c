/*
 * best.c
 *		The best line item for an invoice that is being booked, fast for many.
 *
 * From its third invoice on, an account's configuration is read whole into
 * memory, if it is not too large.  And the invoices of a load are alike:
 * account, seller, type and month say what fits, and only balances move from
 * one to the next.  So from the second of a kind on, the line items that fit
 * are remembered in the order in which they rank apart from their balances,
 * and the balances decide anew each time.  What the taxonomy says of a type is
 * read once.
 * The account is locked, and statement.h says when all is to be forgotten.
 */
#include "postgres.h"

#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/memutils.h"

#include "best.h"
#include "books.h"
#include "find.h"
#include "statement.h"

/* what is remembered stays below this */
#define MAX_MEMORY	(64 * 1024 * 1024)

typedef struct Remembered
{
	text	   *kind;			/* key */
	PoCandidate *candidates;	/* NULL: seen once */
	int			ncandidates;
} Remembered;

/* an account's third invoice pays for reading all of it */
#define ENOUGH_INVOICES	3

typedef struct KnownAccount
{
	text	   *account_id;		/* key */
	int			ninvoices;
	const PoConfiguration *configuration;	/* or NULL */
} KnownAccount;

static HTAB *remembered = NULL;
static HTAB *accounts = NULL;
static HTAB *types = NULL;		/* see PoKnownType */
static PoArena arena;			/* for configurations */
static uint64 generation;

/* ---- kinds of invoices ---- */

static void
append_field(StringInfo buf, const text *value)
{
	int			len = value == NULL ? -1 : (int) VARSIZE_ANY_EXHDR(value);

	appendBinaryStringInfo(buf, (const char *) &len, sizeof(len));
	if (value != NULL)
		appendBinaryStringInfo(buf, VARDATA_ANY(value), len);
}

/* all that the filters look at, but for the amount */
static text *
kind_of(const PoInvoice *invoice, const PoAccount *account)
{
	DateADT		issued_on = invoice->issued_on;

	StringInfoData buf;

	initStringInfo(&buf);
	append_field(&buf, invoice->account_id);
	append_field(&buf, invoice->bill_from);
	append_field(&buf, invoice->line_type);
	append_field(&buf, invoice->currency);
	append_field(&buf, invoice->tax_registration_number);
	append_field(&buf, invoice->agreement_id);
	append_field(&buf, invoice->requested_po_number);
	append_field(&buf, invoice->requested_line_number);
	appendBinaryStringInfo(&buf, (const char *) &invoice->billing_month, sizeof(PoMonth));
	if (account->period_basis == PO_BILLING_PERIOD)
		issued_on = 0;			/* it does not matter */
	appendBinaryStringInfo(&buf, (const char *) &issued_on, sizeof(DateADT));
	appendStringInfoChar(&buf, 'a' + invoice->out_of_cycle);
	return cstring_to_text_with_len(buf.data, buf.len);
}

static void
forget_if_old(void)
{
	if (remembered != NULL && generation == po_statement_generation() &&
		MemoryContextMemAllocated(po_statement_memory(), true) <= MAX_MEMORY)
		return;
	if (remembered != NULL && generation == po_statement_generation())
		po_statement_forget_memory();
	remembered = po_text_hash_create("po_mgmt candidates", sizeof(Remembered),
									 po_statement_memory());
	accounts = po_text_hash_create("po_mgmt configurations", sizeof(KnownAccount),
								   po_statement_memory());
	types = po_text_hash_create("po_mgmt types", sizeof(PoKnownType),
								po_statement_memory());
	memset(&arena, 0, sizeof(arena));
	arena.context = po_statement_memory();
	generation = po_statement_generation();
}

/* the entry of this kind; NULL where it is a new one, which is then noted */
static Remembered *
recall(const PoInvoice *invoice, const PoAccount *account)
{
	text	   *kind = kind_of(invoice, account);
	Remembered *entry;
	MemoryContext caller;

	forget_if_old();
	entry = hash_search(remembered, &kind, HASH_FIND, NULL);
	if (entry != NULL)
		return entry;
	caller = MemoryContextSwitchTo(po_statement_memory());
	kind = DatumGetTextPCopy(PointerGetDatum(kind));
	entry = hash_search(remembered, &kind, HASH_ENTER, NULL);
	entry->candidates = NULL;
	MemoryContextSwitchTo(caller);
	return NULL;
}

/* ---- candidates ---- */

/* of the tables, or of what is in memory */
static PoReader *
open_reader(Oid schema, const PoAccount *account)
{
	text	   *account_id = account->account_id;
	KnownAccount *known = hash_search(accounts, &account_id, HASH_FIND, NULL);

	if (known == NULL)
	{
		account_id = po_arena_copy(&arena, account_id);
		known = hash_search(accounts, &account_id, HASH_ENTER, NULL);
		known->ninvoices = 0;
		known->configuration = NULL;
	}
	if (++known->ninvoices == ENOUGH_INVOICES)
		known->configuration = po_read_whole(schema, account, &arena);
	return known->configuration == NULL ? po_reader_open(schema, true) :
		po_reader_open_whole(schema, known->configuration);
}

static void
find_candidates(Oid schema, const PoInvoice *invoice, const PoAccount *account,
				PoFinder *finder)
{
	finder->schema = schema;
	finder->reader = open_reader(schema, account);
	finder->invoice = invoice;
	finder->is_named = true;
	finder->account = *account;
	finder->types = types;
	po_find_by_rules(finder);
	po_reader_close(finder->reader);
}

static void
remember(Remembered *entry, Oid schema, const PoInvoice *invoice,
		 const PoAccount *account)
{
	PoFinder	finder = {0};
	MemoryContext caller = MemoryContextSwitchTo(po_statement_memory());

	finder.any_balance = true;
	find_candidates(schema, invoice, account, &finder);
	entry->ncandidates = finder.ncandidates;
	entry->candidates = finder.candidates != NULL ? finder.candidates :
		palloc(sizeof(PoCandidate));
	MemoryContextSwitchTo(caller);
}

/*
 * The first that covers the invoice, of those that are first by specificity;
 * where none of them does, the first of them.
 */
static bool
choose(const Remembered *entry, const PoInvoice *invoice, PoLineItem *best)
{
	const PoRank *first = &entry->candidates[0].rank;

	for (int i = 0; i < entry->ncandidates; i++)
	{
		const PoCandidate *candidate = &entry->candidates[i];

		if (candidate->rank.specificity != first->specificity ||
			candidate->rank.bound != first->bound)
			break;
		*best = *candidate->item;
		if (best->balance_tracked)
			best->balance = po_books_balance(best, unconstify(PoInvoice *, invoice));
		if (po_match_covers(invoice, best))
			return true;
	}
	if (entry->ncandidates > 0)
		*best = *entry->candidates[0].item;
	return entry->ncandidates > 0;
}

bool
po_best_find(Oid schema, const PoInvoice *invoice, const PoAccount *account,
			 PoLineItem *best)
{
	Remembered *entry = recall(invoice, account);

	if (entry == NULL)
	{
		PoFinder	finder = {0};

		finder.max_rank = 1;
		finder.balance = po_books_balance;
		finder.balance_arg = unconstify(PoInvoice *, invoice);
		find_candidates(schema, invoice, account, &finder);
		if (finder.ncandidates > 0)
			*best = *finder.candidates[0].item;
		return finder.ncandidates > 0;
	}
	if (entry->candidates == NULL)
		remember(entry, schema, invoice, account);
	return choose(entry, invoice, best);
}
