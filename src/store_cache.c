/*
 * store_cache.c
 *		Accounts' configuration in the session's memory.  See store_cache.h,
 *		and doc/design.md for why it is right.
 *
 * Memory is bounded by po_mgmt.match_cache: there are two generations, and
 * where the young one has taken half of the memory, the old one goes.
 */
#include "postgres.h"

#include "access/genam.h"
#include "access/htup_details.h"
#include "access/table.h"
#include "access/transam.h"
#include "access/parallel.h"
#include "access/xact.h"
#include "catalog/indexing.h"
#include "catalog/pg_trigger.h"
#include "access/xlog.h"
#include "commands/trigger.h"
#include "miscadmin.h"
#include "storage/sinval.h"
#include "utils/fmgroids.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "store_cache.h"

#define MAX_TYPES		1000

/* tables whose rows are kept, or say what is good, and how they are read */
static const PoTable kept_tables[] = {PO_ACCOUNT, PO_ORDER, PO_LINE_ITEM};
static const PoIndex kept_by[] = {PO_ACCOUNT_KEY, PO_ORDER_MATCH, PO_LINE_ITEM_MATCH};

/* the catalog's rows that say whether the account's row tells of all changes */
#define MAX_GUARDS		16

typedef struct Guards
{
	bool		good;
	int			n;
	TransactionId xmins[MAX_GUARDS];
} Guards;

typedef struct CachedAccount
{
	text	   *account_id;		/* key */
	PoVersion	version;
	uint64		view;			/* in which the version was found the visible one */
	bool		is_read;
	bool		is_large;
	PoConfiguration configuration;
} CachedAccount;

typedef struct Generation
{
	MemoryContext context;
	HTAB	   *accounts;
	PoArena		arena;			/* for texts and arrays */
} Generation;

typedef struct CachedType
{
	text	   *line_type;		/* key */
	PoTristate	out_of_cycle_only;
} CachedType;

int			po_cache_size = 16384;

static Generation young;
static Generation old;
static int	nholders = 0;		/* readers that look at what is kept */

static Oid	cached_schema = InvalidOid;
static uint64 guards_seen = 0;	/* po_scan_changes() when the guards were read */
static Guards guards;

/*
 * A sequence that stands for what accounts' rows do not tell: messages that it
 * has changed say so.  Snapshots from the horizon on see all of it.
 */
#define MESSENGER		"po_line_item_id_seq"

static Oid	messenger = InvalidOid;
static bool is_distrusted = true;
static TransactionId horizon;

/* this transaction has written to our tables, or is about to */
static bool has_written = false;
static bool has_distrusted = false;

/* the last snapshot; views are numbered from 1 */
static uint64 view = 0;
static SnapshotData last_snapshot;
static TransactionId *last_xids = NULL;
static int	last_space = 0;
static bool is_of_another_transaction = false;

/* what the taxonomy says in a view */
static uint64 types_view = 0;
static MemoryContext types_context = NULL;
static HTAB *types = NULL;

/* ---- generations ---- */

static void
drop_generation(Generation *generation)
{
	if (generation->context != NULL)
		MemoryContextDelete(generation->context);
	memset(generation, 0, sizeof(*generation));
}

static void
make_generation(Generation *generation)
{
	generation->context = AllocSetContextCreate(TopMemoryContext,
												"po_mgmt accounts in memory",
												ALLOCSET_DEFAULT_SIZES);
	generation->accounts = po_text_hash_create("po_mgmt accounts in memory",
											   sizeof(CachedAccount),
											   generation->context);
	generation->arena.context = generation->context;
}

static void
forget_all(void)
{
	drop_generation(&young);
	drop_generation(&old);
}

/* room for one more account */
static void
make_room(void)
{
	if (young.context != NULL &&
		MemoryContextMemAllocated(young.context, true) > (Size) po_cache_size * 1024 / 2)
	{
		drop_generation(&old);
		old = young;
		memset(&young, 0, sizeof(young));
	}
	if (young.context == NULL)
		make_generation(&young);
}

static CachedAccount *
look_up(const text *account_id)
{
	CachedAccount *entry = NULL;

	if (young.accounts != NULL)
		entry = hash_search(young.accounts, &account_id, HASH_FIND, NULL);
	if (entry == NULL && old.accounts != NULL)
		entry = hash_search(old.accounts, &account_id, HASH_FIND, NULL);
	return entry;
}

static CachedAccount *
enter(const text *account_id)
{
	text	   *key;
	bool		found;
	CachedAccount *entry;

	make_room();
	key = unconstify(text *, account_id);
	entry = hash_search(young.accounts, &key, HASH_FIND, NULL);
	if (entry == NULL)
	{
		key = po_arena_copy(&young.arena, account_id);
		entry = hash_search(young.accounts, &key, HASH_ENTER, &found);
	}
	memset((char *) entry + sizeof(text *), 0, sizeof(*entry) - sizeof(text *));
	return entry;
}

/* ---- does the account's row tell of all changes? ---- */

static void
add_guard(Guards *found, HeapTuple tuple)
{
	if (found->n == MAX_GUARDS)
		found->good = false;
	else
		found->xmins[found->n++] = HeapTupleHeaderGetXmin(tuple->t_data);
}

/* the table's row in pg_class: another one after whatever rewrites the table */
static void
check_table(Guards *found, Oid table)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(table));

	if (!HeapTupleIsValid(tuple))
	{
		found->good = false;
		return;
	}
	add_guard(found, tuple);
	ReleaseSysCache(tuple);
}

/*
 * The triggers that write the account's row: BEFORE for what users do, AFTER,
 * which fires always, for history and for replication.
 */
static void
check_triggers(Guards *found, Oid table)
{
	Relation	catalog = table_open(TriggerRelationId, AccessShareLock);
	ScanKeyData key;
	SysScanDesc scan;
	HeapTuple	tuple;
	int			nfound = 0;

	ScanKeyInit(&key, Anum_pg_trigger_tgrelid, BTEqualStrategyNumber, F_OIDEQ,
				ObjectIdGetDatum(table));
	scan = systable_beginscan(catalog, TriggerRelidNameIndexId, true, NULL, 1, &key);
	while (HeapTupleIsValid(tuple = systable_getnext(scan)))
	{
		Form_pg_trigger trigger = (Form_pg_trigger) GETSTRUCT(tuple);

		if (strcmp(NameStr(trigger->tgname), PO_AFTER_NAME) == 0)
			nfound += trigger->tgenabled == TRIGGER_FIRES_ALWAYS;
		else if (strcmp(NameStr(trigger->tgname), PO_BEFORE_NAME) == 0)
			nfound += trigger->tgenabled == TRIGGER_FIRES_ON_ORIGIN ||
				trigger->tgenabled == TRIGGER_FIRES_ALWAYS;
		else
			continue;
		add_guard(found, tuple);
	}
	systable_endscan(scan);
	table_close(catalog, AccessShareLock);
	if (nfound != 2)
		found->good = false;
}

static void
read_guards(Oid schema, Guards *found)
{
	memset(found, 0, sizeof(*found));
	found->good = true;
	for (size_t i = 0; i < lengthof(kept_tables); i++)
	{
		Oid			table = po_table_oid(schema, kept_tables[i]);

		check_table(found, table);
		if (kept_tables[i] != PO_ACCOUNT)
			check_triggers(found, table);
	}
}

/* reads them again after a change of the tables; with old ones nobody is trusted */
static void
refresh_guards(Oid schema)
{
	Guards		found;
	uint64		changes = po_scan_changes();

	if (cached_schema == schema && guards_seen == changes)
		return;
	read_guards(schema, &found);
	if (cached_schema != schema || memcmp(&found, &guards, sizeof(guards)) != 0)
	{
		guards = found;
		cached_schema = schema;
		messenger = get_relname_relid(MESSENGER, schema);
		is_distrusted = true;
	}
	guards_seen = changes;
}

/* whoever wrote what is not told has a transaction number by now */
static void
refresh_horizon(void)
{
	if (!is_distrusted)
		return;
	forget_all();
	is_distrusted = false;
	horizon = ReadNextTransactionId();
}

static void
relation_changed(Datum arg, Oid relid)
{
	if (!OidIsValid(relid) || relid == messenger)
		is_distrusted = true;
}

/*
 * Tells all sessions at once, not at commit: they have to know before anybody
 * sees what this transaction writes.
 */
void
po_cache_distrust(Oid schema)
{
	SharedInvalidationMessage message;

	if (has_distrusted)
		return;
	/* AFTER a row: its transaction number is below their horizons */
	Assert(TransactionIdIsValid(GetTopTransactionIdIfAny()));
	memset(&message, 0, sizeof(message));
	message.rc.id = SHAREDINVALRELCACHE_ID;
	message.rc.dbId = MyDatabaseId;
	message.rc.relId = get_relname_relid(MESSENGER, schema);
	if (OidIsValid(message.rc.relId))
		SendSharedInvalidMessages(&message, 1);
	has_distrusted = true;
}

/* ---- views: which snapshots see the same ---- */

static bool
is_last_snapshot(Snapshot snapshot)
{
	/* a serializable transaction is to look itself: that is what it conflicts by */
	if (is_of_another_transaction && IsolationIsSerializable())
		return false;
	return snapshot->xmin == last_snapshot.xmin &&
		snapshot->xmax == last_snapshot.xmax &&
		snapshot->curcid == last_snapshot.curcid &&
		snapshot->xcnt == last_snapshot.xcnt &&
		snapshot->subxcnt == last_snapshot.subxcnt &&
		snapshot->suboverflowed == last_snapshot.suboverflowed &&
		snapshot->takenDuringRecovery == last_snapshot.takenDuringRecovery &&
		memcmp(snapshot->xip, last_xids, snapshot->xcnt * sizeof(TransactionId)) == 0 &&
		memcmp(snapshot->subxip, last_xids + snapshot->xcnt,
			   snapshot->subxcnt * sizeof(TransactionId)) == 0;
}

/* the number of what this snapshot sees */
static uint64
view_of(Snapshot snapshot)
{
	int			n = snapshot->xcnt + snapshot->subxcnt;

	if (is_last_snapshot(snapshot))
		return view;
	if (n > last_space)
	{
		if (last_xids != NULL)
			pfree(last_xids);
		last_xids = NULL;
		last_space = 0;
		last_xids = MemoryContextAlloc(TopMemoryContext, n * sizeof(TransactionId));
		last_space = n;
	}
	last_snapshot = *snapshot;
	if (snapshot->xcnt > 0)
		memcpy(last_xids, snapshot->xip, snapshot->xcnt * sizeof(TransactionId));
	if (snapshot->subxcnt > 0)
		memcpy(last_xids + snapshot->xcnt, snapshot->subxip,
			   snapshot->subxcnt * sizeof(TransactionId));
	is_of_another_transaction = false;
	/* what this snapshot sees was told before it was taken */
	AcceptInvalidationMessages();
	return ++view;
}

/* ---- may it be used? ---- */

/* may this user, with this snapshot, in this transaction use what is kept? */
static bool
is_usable(Oid schema, Snapshot snapshot)
{
	if (po_cache_size == 0)
	{
		if (nholders == 0)
			forget_all();
		return false;
	}
	/* (on a standby, messages that are not of a commit do not arrive) */
	if (has_written || !IsMVCCSnapshot(snapshot) || RecoveryInProgress())
		return false;
	(void) view_of(snapshot);
	/* a worker does not know what its leader has written */
	if (IsParallelWorker() && TransactionIdIsValid(GetTopTransactionIdIfAny()))
		return false;
	for (size_t i = 0; i < lengthof(kept_by); i++)
		if (!po_scan_sees_all(schema, kept_by[i]))
			return false;
	if (nholders == 0)
	{
		refresh_guards(schema);
		refresh_horizon();
	}
	return cached_schema == schema && guards_seen == po_scan_changes() &&
		!is_distrusted && guards.good &&
		!TransactionIdPrecedes(snapshot->xmin, horizon);
}

/* ---- accounts ---- */

static const PoConfiguration *
hold(const CachedAccount *entry)
{
	nholders++;
	return &entry->configuration;
}

void
po_cache_release(void)
{
	nholders = Max(0, nholders - 1);	/* which an error has set to 0 */
}

const PoConfiguration *
po_cache_recall(Oid schema, Snapshot snapshot, const text *account_id)
{
	CachedAccount *entry;

	if (!is_usable(schema, snapshot))
		return NULL;
	entry = look_up(account_id);
	if (entry == NULL || !entry->is_read || entry->view != view_of(snapshot))
		return NULL;
	return hold(entry);
}

static bool
is_version(const CachedAccount *entry, const PoVersion *version)
{
	return entry->version.xmin == version->xmin &&
		ItemPointerEquals(unconstify(ItemPointerData *, &entry->version.tid),
						  unconstify(ItemPointerData *, &version->tid)) &&
		entry->version.booked_at == version->booked_at;
}

const PoConfiguration *
po_cache_find(Oid schema, Snapshot snapshot, const PoAccount *account,
			  const PoVersion *version)
{
	CachedAccount *entry;
	bool		is_second;

	/* what this transaction has written is not final */
	if (!is_usable(schema, snapshot) ||
		TransactionIdIsCurrentTransactionId(version->xmin))
		return NULL;
	entry = look_up(account->account_id);
	if (entry != NULL && entry->is_read && is_version(entry, version))
	{
		entry->view = view_of(snapshot);
		return hold(entry);
	}
	/* while somebody is looking at what is kept, it stays as it is */
	if (nholders > 0 || (entry != NULL && entry->is_large))
		return NULL;
	/* reading all of it pays from the second time on */
	is_second = entry != NULL && is_version(entry, version);
	entry = enter(account->account_id);
	entry->version = *version;
	if (!is_second)
		return NULL;
	entry->is_large = true;		/* should it fail half-way, it is not tried again */
	if (!po_configuration_read(schema, snapshot, false, account, &young.arena,
							   &entry->configuration))
		return NULL;
	entry->is_large = false;
	entry->is_read = true;
	entry->view = view_of(snapshot);
	return hold(entry);
}

/* ---- the taxonomy ---- */

/* is what is noted, or will be, what this user would read? */
static bool
types_are_usable(Oid schema, Snapshot snapshot)
{
	if (!is_usable(schema, snapshot) || !po_scan_sees_all(schema, PO_TAXONOMY_KEY))
		return false;
	if (types_view != view_of(snapshot))
	{
		if (types_context != NULL)
			MemoryContextDelete(types_context);
		types_context = NULL;
		types = NULL;
		types_view = view_of(snapshot);
	}
	return true;
}

bool
po_cache_recall_type(Oid schema, Snapshot snapshot, const PoLineType *line_type,
					 PoTristate *out_of_cycle_only)
{
	CachedType *entry;

	if (!types_are_usable(schema, snapshot) || types == NULL)
		return false;
	entry = hash_search(types, &line_type, HASH_FIND, NULL);
	if (entry != NULL)
		*out_of_cycle_only = entry->out_of_cycle_only;
	return entry != NULL;
}

void
po_cache_note_type(Oid schema, Snapshot snapshot, const PoLineType *line_type,
				   PoTristate out_of_cycle_only)
{
	MemoryContext caller;
	CachedType *entry;

	if (!types_are_usable(schema, snapshot))
		return;
	if (types == NULL)
	{
		types_context = AllocSetContextCreate(TopMemoryContext, "po_mgmt taxonomy in memory",
											  ALLOCSET_SMALL_SIZES);
		types = po_text_hash_create("po_mgmt taxonomy", sizeof(CachedType),
									types_context);
	}
	if (hash_get_num_entries(types) >= MAX_TYPES ||
		hash_search(types, &line_type, HASH_FIND, NULL) != NULL)
		return;
	caller = MemoryContextSwitchTo(types_context);
	line_type = po_text_copy(line_type);
	entry = hash_search(types, &line_type, HASH_ENTER, NULL);
	entry->out_of_cycle_only = out_of_cycle_only;
	MemoryContextSwitchTo(caller);
}

/* ---- transactions ---- */

void
po_cache_suspend(void)
{
	has_written = true;
}

static void
transaction_ended(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_PRE_COMMIT || event == XACT_EVENT_PARALLEL_PRE_COMMIT ||
		event == XACT_EVENT_PRE_PREPARE)
		return;
	has_written = false;
	has_distrusted = false;
	is_of_another_transaction = true;
	nholders = 0;
}

void
po_cache_init(void)
{
	RegisterXactCallback(transaction_ended, NULL);
	CacheRegisterRelcacheCallback(relation_changed, (Datum) 0);
}
