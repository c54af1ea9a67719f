/*
 * store_shard.c
 *		Which relation has the rows of an account.
 *
 * Mostly it is the table.  Where Citus has distributed the tables by account
 * over servers (doc/scale.md), a table is an empty shell: the rows are in
 * shards, plain tables of the same schema with the table's name, an
 * underscore and the shard's number, and all shards of an account are on one
 * server.  Triggers fire there, on a shard.  So the store's statements name the
 * shards: they need no more of the server than elsewhere, and see what the
 * running statement has written.  Tables that have a copy on every server are
 * read and locked in the copy that is here.
 *
 * A query of an account that is on another server goes to the table itself,
 * for Citus to send there.  Who writes must be where the account is.
 *
 * What is asked of Citus: its catalogs pg_dist_partition, pg_dist_shard,
 * pg_dist_placement and pg_dist_local_group, and
 * get_shard_id_for_distribution_column().
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_namespace.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "utils/builtins.h"
#include "utils/hsearch.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "store_shard.h"

static const char *const table_names[PO_NTABLES] = {
	[PO_SELLER] = "po_seller",
	[PO_SELLER_ALIAS] = "po_seller_alias",
	[PO_TAXONOMY] = "po_taxonomy",
	[PO_SELLER_LINE_TYPE] = "po_seller_line_type",
	[PO_ACCOUNT] = "po_account",
	[PO_ORDER] = "po_order",
	[PO_LINE_ITEM] = "po_line_item",
	[PO_CONTACT] = "po_contact",
	[PO_ACCOUNT_MEMBER] = "po_account_member",
	[PO_INVOICE] = "po_invoice",
	[PO_LEDGER] = "po_ledger",
	[PO_CHANGE_LOG] = "po_change_log",
	[PO_NOTIFICATION] = "po_notification",
	[PO_LEDGER_ARCHIVE] = "po_ledger_archive",
	[PO_CHANGE_LOG_ARCHIVE] = "po_change_log_archive"
};

/* what is known of the tables, until the server says that one has changed */
static bool is_known = false;
static Oid	known_schema = InvalidOid;
static Oid	known_tables[PO_NTABLES];
static bool known_distributed = false;
static uint64 generation = 0;

/* by shard of po_account */
static HTAB *shards = NULL;

/* the last account that was asked for */
static text *last_account = NULL;
static PoRelations *last_relations;
static uint64 last_generation;

/* ---- what is kept ---- */

static void
relation_changed(Datum arg, Oid relid)
{
	for (int i = 0; i < PO_NTABLES; i++)
		if (!OidIsValid(relid) || relid == known_tables[i])
		{
			is_known = false;
			generation++;
			return;
		}
}

/* not freed, because a plan may be running; this happens hardly ever */
void
po_shard_forget(void)
{
	is_known = false;
	generation++;
	shards = NULL;
}

void
po_shard_init(void)
{
	CacheRegisterRelcacheCallback(relation_changed, (Datum) 0);
}

/* ---- names ---- */

const char *
po_table_base_name(PoTable table)
{
	return table_names[table];
}

/* is it the name, an underscore and a number? */
static bool
is_shard_name(const char *relation, const char *table)
{
	size_t		length = strlen(table);

	return strncmp(relation, table, length) == 0 && relation[length] == '_' &&
		relation[length + 1] != '\0' &&
		strspn(relation + length + 1, "0123456789") == strlen(relation + length + 1);
}

/* the table that a relation is, or is a shard of; PO_NTABLES: of none of ours */
PoTable
po_which_table(Oid schema, Relation rel)
{
	const char *name = RelationGetRelationName(rel);
	PoTable		table = 0;

	if (RelationGetNamespace(rel) != schema)
		return PO_NTABLES;
	while (table < PO_NTABLES && strcmp(name, table_names[table]) != 0 &&
		   !(is_shard_name(name, table_names[table]) && po_is_distributed(schema)))
		table++;
	return table;
}

/* ---- what Citus knows ---- */

/* as the tables' owner, since it tells nobody more than where rows are */
static uint64
ask_citus(Oid schema, const char *sql, int nargs, Oid *types, Datum *args)
{
	char		nulls[] = "  ";

	PoIdentity	caller;

	po_become_table_owner(schema, PO_ACCOUNT, &caller);
	for (int i = 0; i < nargs; i++)
		if (args[i] == (Datum) 0)
			nulls[i] = 'n';
	if (SPI_execute_with_args(sql, nargs, types, args, nulls, true, 0) != SPI_OK_SELECT)
		elog(ERROR, "could not read the catalogs of Citus");
	po_become(&caller);
	return SPI_processed;
}

static bool
look(Oid schema)
{
	Oid			types[] = {OIDOID};
	Datum		args[] = {ObjectIdGetDatum(known_tables[PO_ACCOUNT])};
	uint64		nrows;

	if (!OidIsValid(get_relname_relid("pg_dist_partition", PG_CATALOG_NAMESPACE)))
		return false;
	SPI_connect();
	nrows = ask_citus(schema, "SELECT FROM pg_catalog.pg_dist_partition"
					  " WHERE logicalrelid OPERATOR(pg_catalog.=) $1"
					  " AND partmethod OPERATOR(pg_catalog.=) 'h'", 1, types, args);
	SPI_finish();
	return nrows > 0;
}

bool
po_is_distributed(Oid schema)
{
	if (!is_known || known_schema != schema)
	{
		known_schema = schema;
		for (int i = 0; i < PO_NTABLES; i++)
			known_tables[i] = get_relname_relid(table_names[i], schema);
		/* a change while we look makes it false again, for the next one who asks */
		is_known = true;
		known_distributed = look(schema);
	}
	return known_distributed;
}

/* the shard of po_account for an account; is it on this server? */
static int64
shard_of(Oid schema, text *account_id, bool *is_here)
{
	Oid			types[] = {OIDOID, TEXTOID};
	Datum		args[] = {ObjectIdGetDatum(known_tables[PO_ACCOUNT]), PointerGetDatum(account_id)};
	bool		isnull;
	int64		shard;

	SPI_connect();
	ask_citus(schema,
			  "SELECT s.id, EXISTS (SELECT FROM pg_catalog.pg_dist_placement p"
			  " JOIN pg_catalog.pg_dist_local_group g ON g.groupid OPERATOR(pg_catalog.=) p.groupid"
			  " WHERE p.shardid OPERATOR(pg_catalog.=) s.id AND p.shardstate OPERATOR(pg_catalog.=) 1)"
			  " FROM (SELECT pg_catalog.get_shard_id_for_distribution_column("
			  "$1::pg_catalog.regclass, $2) AS id OFFSET 0) s", 2, types, args);
	shard = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	*is_here = DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2, &isnull));
	SPI_finish();
	return shard;
}

/*
 * The shards of the other tables for the account, and copies that every server
 * has.  What has no shard here goes by its own name.
 */
static void
read_names(Oid schema, text *account_id, NameData *names)
{
	Oid			types[] = {TEXTOID, TEXTOID};
	Datum		args[] = {CStringGetTextDatum(get_namespace_name(schema)),
	PointerGetDatum(account_id)};
	uint64		nrows;

	for (int i = 0; i < PO_NTABLES; i++)
		namestrcpy(&names[i], table_names[i]);
	SPI_connect();
	nrows = ask_citus(schema,
					  "SELECT c.relname, pg_catalog.get_shard_id_for_distribution_column("
					  "p.logicalrelid, $2)::pg_catalog.text"
					  " FROM pg_catalog.pg_dist_partition p"
					  " JOIN pg_catalog.pg_class c ON c.oid OPERATOR(pg_catalog.=) p.logicalrelid"
					  " JOIN pg_catalog.pg_namespace n ON n.oid OPERATOR(pg_catalog.=) c.relnamespace"
					  " WHERE n.nspname OPERATOR(pg_catalog.=) $1"
					  " AND (p.partmethod OPERATOR(pg_catalog.=) 'n' OR (p.partmethod OPERATOR(pg_catalog.=) 'h'"
					  " AND $2 IS NOT NULL))", 2, types, args);
	for (uint64 row = 0; row < nrows; row++)
	{
		const char *table = SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, 1);
		const char *shard = SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, 2);
		const char *name = psprintf("%s_%s", table, shard);

		for (int i = 0; i < PO_NTABLES; i++)
			if (strcmp(table, table_names[i]) == 0 &&
				OidIsValid(get_relname_relid(name, schema)))
				namestrcpy(&names[i], name);
	}
	SPI_finish();
}

/* ---- relations of accounts ---- */

/* of one shard; of none, where account_id is NULL */
static PoRelations *
relations_with(Oid schema, int64 shard, text *account_id)
{
	uint64		before = generation;
	NameData	names[PO_NTABLES];
	PoRelations *relations;
	bool		found;

	if (shards == NULL)
	{
		HASHCTL		ctl;

		ctl.keysize = sizeof(int64);
		ctl.entrysize = sizeof(PoRelations);
		ctl.hcxt = TopMemoryContext;
		shards = hash_create("po_mgmt shards", 32, &ctl, HASH_ELEM | HASH_BLOBS | HASH_CONTEXT);
	}
	relations = hash_search(shards, &shard, HASH_FIND, NULL);
	if (relations != NULL && relations->generation == generation)
		return relations;
	memset(names, 0, sizeof(names));
	read_names(schema, account_id, names);
	relations = hash_search(shards, &shard, HASH_ENTER, &found);
	if (!found || memcmp(relations->names, names, sizeof(names)) != 0)
	{
		memset(relations->plans, 0, sizeof(relations->plans));
		memcpy(relations->names, names, sizeof(names));
	}
	relations->generation = before;
	return relations;
}

static PoRelations *
relations_of_one(Oid schema, text *account_id, bool read_only)
{
	int64		shard;
	bool		is_here;

	if (last_account != NULL && last_generation == generation &&
		po_text_equal(account_id, last_account))
		return last_relations;
	shard = shard_of(schema, account_id, &is_here);
	if (is_here)
	{
		PoRelations *relations = relations_with(schema, shard, account_id);
		text	   *copy = MemoryContextAlloc(TopMemoryContext, VARSIZE_ANY(account_id));

		memcpy(copy, account_id, VARSIZE_ANY(account_id));
		if (last_account != NULL)
			pfree(last_account);
		last_account = copy;
		last_relations = relations;
		last_generation = relations->generation;
		return relations;
	}
	if (!read_only)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("account \"%s\" is on another server", text_to_cstring(account_id)),
				 errdetail("Its rows of \"po_account\" are in shard " INT64_FORMAT ", which is not here.", shard),
				 errhint("Let Citus call the function there: SELECT function(account_id, ...) FROM po_account WHERE account_id = '...'.")));
	return relations_with(schema, 0, NULL);
}

PoRelations *
po_relations_of(Oid schema, List *account_ids, bool read_only)
{
	PoRelations *relations = NULL;
	ListCell   *cell;

	foreach(cell, account_ids)
	{
		PoRelations *next = relations_of_one(schema, lfirst(cell), read_only);

		if (relations != NULL && next != relations && !read_only)
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("accounts \"%s\" and \"%s\" are not in one shard",
							text_to_cstring(linitial(account_ids)),
							text_to_cstring(lfirst(cell))),
					 errhint("Do it account by account.")));
		relations = relations == NULL || next == relations ? next : relations_with(schema, 0, NULL);
	}
	return relations != NULL ? relations : relations_with(schema, 0, NULL);
}

/*
 * One account of each shard that is here; where tables are not distributed, one
 * that is NULL.  What is done for all accounts is done for each of them.
 */
List *
po_accounts_here(Oid schema)
{
	const char *prefix = quote_identifier(get_namespace_name(schema));
	MemoryContext caller = CurrentMemoryContext;
	List	   *accounts = NIL;
	StringInfoData sql;
	uint64		nrows;

	if (!po_is_distributed(schema))
		return list_make1(NULL);
	SPI_connect();
	nrows = ask_citus(schema, "SELECT s.shardid FROM pg_catalog.pg_dist_shard s"
					  " JOIN pg_catalog.pg_dist_placement p ON p.shardid OPERATOR(pg_catalog.=) s.shardid"
					  " JOIN pg_catalog.pg_dist_local_group g ON g.groupid OPERATOR(pg_catalog.=) p.groupid"
					  " WHERE s.logicalrelid OPERATOR(pg_catalog.=) $1"
					  " AND p.shardstate OPERATOR(pg_catalog.=) 1 ORDER BY s.shardid",
					  1, (Oid[]) {OIDOID}, (Datum[]) {ObjectIdGetDatum(known_tables[PO_ACCOUNT])});
	initStringInfo(&sql);
	for (uint64 row = 0; row < nrows; row++)
		appendStringInfo(&sql, "%s(SELECT account_id FROM %s.po_account_%s LIMIT 1)",
						 row > 0 ? " UNION ALL " : "", prefix,
						 SPI_getvalue(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, 1));
	if (nrows > 0)
		nrows = ask_citus(schema, sql.data, 0, NULL, NULL);
	for (uint64 row = 0; row < nrows; row++)
	{
		bool		isnull;
		Datum		value = SPI_getbinval(SPI_tuptable->vals[row], SPI_tuptable->tupdesc, 1, &isnull);
		MemoryContext spi = MemoryContextSwitchTo(caller);

		accounts = lappend(accounts, DatumGetTextPCopy(value));
		MemoryContextSwitchTo(spi);
	}
	SPI_finish();
	return accounts;
}
