/*
 * store_plan.c
 *		Plans of the store's statements, and running them.
 *
 * What the statements say is in store_sql.c.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/table.h"
#include "catalog/dependency.h"
#include "catalog/pg_class.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "commands/trigger.h"
#include "executor/executor.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/relcache.h"
#include "utils/syscache.h"

#include "store_shard.h"
#include "store_sql.h"

/*
 * The plans are for the extension in one schema, and for its types: those of
 * an extension that was dropped and made again are others.
 */
static PoRelations tables;		/* as they are; where they are distributed, see store_shard.c */
static Oid	plans_schema = InvalidOid;
static Oid	plans_type = InvalidOid;
static NameData plans_name;		/* of the schema, which the texts have */
static bool plans_archive;		/* do they read the archive? */
static bool plans_stale = false;

/* the depth of triggers at which the store is writing, or -1 */
static int	writing_depth = -1;

/* the same for a purchase on the marketplace */
static int	purchase_depth = -1;

/* some schema was renamed, dropped or whatever: perhaps ours; or what is in it */
static void
schema_changed(Datum arg, int cacheid, uint32 hashvalue)
{
	plans_stale = true;
}

void
po_plan_init(void)
{
	CacheRegisterSyscacheCallback(NAMESPACEOID, schema_changed, (Datum) 0);
	CacheRegisterSyscacheCallback(RELNAMENSP, schema_changed, (Datum) 0);
}

/* of the extension, whatever its name is */
bool
po_is_own_table(Oid table)
{
	Oid			extension = getExtensionOfObject(RelationRelationId, table);

	return OidIsValid(extension) && extension == get_extension_oid("po_mgmt", true);
}

/*
 * Extensions of 1.0 have no archive, but perhaps a user's table of that name.
 * This library works with them, too: they get it when they are updated.
 */
static bool
has_archive(Oid schema)
{
	Oid			table = get_relname_relid(po_table_base_name(PO_LEDGER_ARCHIVE), schema);

	return OidIsValid(table) && po_is_own_table(table);
}

Oid
po_table_oid(Oid schema, PoTable table)
{
	Oid			oid = get_relname_relid(po_table_base_name(table), schema);

	if (!OidIsValid(oid))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table \"%s\" of extension po_mgmt does not exist",
						po_table_base_name(table)),
				 errhint("It was dropped or renamed; the extension needs it under its own name.")));
	return oid;
}

static Oid
own_type(Oid schema, const char *name)
{
	return GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid,
						   CStringGetDatum(name), ObjectIdGetDatum(schema));
}

static Oid
argument_type(Oid schema, char letter)
{
	switch (letter)
	{
		case 'a':
		case 't':
			return TEXTOID;
		case 'A':
		case 'T':
			return TEXTARRAYOID;
		case 'i':
			return INT8OID;
		case 'I':
			return INT8ARRAYOID;
		case 'n':
			return NUMERICOID;
		case 'N':
			return NUMERICARRAYOID;
		case 'd':
			return DATEOID;
		case 'z':
			return TIMESTAMPTZOID;
		case 'Z':
			return TIMESTAMPTZARRAYOID;
		case 'r':
			return RECORDOID;
		case 'm':
			return own_type(schema, "po_month");
		case 'l':
			return own_type(schema, "po_line_type");
		case 'L':
			return get_array_type(own_type(schema, "po_line_type"));
		case 'E':
			return get_array_type(get_rel_type_id(po_table_oid(schema, PO_LEDGER)));
		case 'V':
			return get_array_type(get_rel_type_id(po_table_oid(schema, PO_INVOICE)));
		case 'O':
			return get_array_type(get_rel_type_id(po_table_oid(schema, PO_NOTIFICATION)));
	}
	elog(ERROR, "unknown kind of argument: %c", letter);
	return InvalidOid;			/* keep compiler quiet */
}

/* not freed, because one of them may be running; this happens hardly ever */
static void
forget_plans(Oid schema)
{
	memset(tables.plans, 0, sizeof(tables.plans));
	for (int i = 0; i < PO_NTABLES; i++)
		namestrcpy(&tables.names[i], po_table_base_name(i));
	po_shard_forget();
	plans_schema = schema;
	plans_type = own_type(schema, "po_month");
	namestrcpy(&plans_name, get_namespace_name(schema));
	plans_archive = has_archive(schema);
}

static bool
plans_are_good(Oid schema)
{
	if (plans_schema != schema || plans_type != own_type(schema, "po_month"))
		return false;
	if (plans_stale && (plans_archive != has_archive(schema) ||
						strcmp(get_namespace_name(schema), NameStr(plans_name)) != 0))
		return false;
	plans_stale = false;
	return true;
}

/* the table that a name is of; PO_NTABLES: none of ours */
static PoTable
table_named(const char *name, size_t length)
{
	PoTable		table = 0;

	while (table < PO_NTABLES &&
		   (strlen(po_table_base_name(table)) != length ||
			strncmp(po_table_base_name(table), name, length) != 0))
		table++;
	return table;
}

/* a name as it is in the schema; its length in the text */
static size_t
append_name(StringInfo sql, const PoRelations *relations, const char *prefix,
			const char *name, bool is_type)
{
	size_t		length = strspn(name, "abcdefghijklmnopqrstuvwxyz_");
	PoTable		table = table_named(name, length);

	appendStringInfo(sql, "%s.", prefix);
	if (table == PO_NTABLES || is_type)
		appendBinaryStringInfo(sql, name, length);
	else
		appendStringInfoString(sql, NameStr(relations->names[table]));
	return length;
}

/*
 * With the schema's name, and without what is not there: see store_sql.c.
 * Names of tables become those of the relations; after a :: they are types, and
 * stay.
 */
static char *
text_on(const PoRelations *relations, const char *prefix, const char *text)
{
	StringInfoData sql;

	initStringInfo(&sql);
	for (const char *c = text; *c != '\0'; c++)
	{
		if (c[0] == '@' && c[1] == '{' && !plans_archive)
			c = strstr(c, "@}") + 1;
		else if (c[0] == '@' && (c[1] == '{' || c[1] == '}'))
			c++;
		else if (c[0] != '@' || c[1] != '.')
			appendStringInfoChar(&sql, *c);
		else
			c += append_name(&sql, relations, prefix, c + 2, c > text && c[-1] == ':') + 1;
	}
	return sql.data;
}

static SPIPlanPtr
prepare(Oid schema, const PoRelations *relations, PoStatement statement)
{
	const PoStatementText *text = &po_statement_texts[statement];
	const char *prefix = quote_identifier(get_namespace_name(schema));
	char	   *sql = text_on(relations, prefix, text->sql);
	int			nargs = strlen(text->args);
	Oid			types[PO_MAX_ARGS];
	bool		is_elsewhere = relations != &tables && relations->shard == 0;
	SPIPlanPtr	plan;

	for (int i = 0; i < nargs; i++)
		types[i] = argument_type(schema, text->args[i]);

	/*
	 * The arguments change nothing in how these are best run; but Citus has to
	 * see the account to know where it is.
	 */
	plan = SPI_prepare_cursor(sql, nargs, types,
							  is_elsewhere ? CURSOR_OPT_CUSTOM_PLAN : CURSOR_OPT_GENERIC_PLAN);
	if (plan == NULL)
		elog(ERROR, "could not prepare \"%s\": %s", sql,
			 SPI_result_code_string(SPI_result));
	SPI_keepplan(plan);
	return plan;
}

static bool
is_write(PoStatement statement)
{
	return statement >= PO_FIRST_WRITE;
}

static bool
is_purchase(PoStatement statement)
{
	return statement >= PO_FIRST_PURCHASE && !is_write(statement);
}

/* how many triggers are running, one inside the other */
static int
trigger_depth(void)
{
	return DatumGetInt32(DirectFunctionCall1(pg_trigger_depth, (Datum) 0));
}

/*
 * Is the trigger that asks fired by the store's own statement?  One level
 * deeper than the store, that is; not by what a user's trigger does below it.
 */
bool
po_store_is_writing(void)
{
	return writing_depth >= 0 && trigger_depth() == writing_depth + 1;
}

/* is it fired by what a purchase on the marketplace does? */
bool
po_marketplace_is_writing(void)
{
	return purchase_depth >= 0 && trigger_depth() == purchase_depth + 1;
}

static PoTable
written_table(PoStatement statement)
{
	switch (statement)
	{
		case PO_TOUCH_ORDER:
			return PO_ORDER;
		case PO_MOVE_BALANCES:
		case PO_REPAIR:
			return PO_LINE_ITEM;
		case PO_WRITE_LEDGER:
			return PO_LEDGER;
		case PO_WRITE_NOTIFICATIONS:
		case PO_WRITE_REMINDERS:
			return PO_NOTIFICATION;
		case PO_WRITE_CHANGE:
			return PO_CHANGE_LOG;
		case PO_ARCHIVE_LEDGER:
			return PO_LEDGER_ARCHIVE;
		case PO_ARCHIVE_CHANGES:
			return PO_CHANGE_LOG_ARCHIVE;
		case PO_ASSOCIATE:
		case PO_WRITE_INVOICES:
			return PO_INVOICE;
		default:
			return PO_ACCOUNT;
	}
}

/* runs a trigger's function as the owner, or as one who may do as he does? */
static bool
is_trusted(Oid trigger_function, Oid owner)
{
	HeapTuple	tuple = SearchSysCache1(PROCOID, ObjectIdGetDatum(trigger_function));
	Form_pg_proc function;
	bool		trusted;

	if (!HeapTupleIsValid(tuple))
		return false;
	function = (Form_pg_proc) GETSTRUCT(tuple);
	trusted = function->prosecdef || has_privs_of_role(function->proowner, owner);
	ReleaseSysCache(tuple);
	return trusted;
}

/* may anybody but the owner make triggers on the table? */
static bool
others_make_triggers(Oid table, Oid owner)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(table));
	bool		isnull;
	Datum		value = SysCacheGetAttr(RELOID, tuple, Anum_pg_class_relacl, &isnull);
	bool		found = false;

	if (!isnull)
	{
		ArrayIterator grants = array_create_iterator(DatumGetAclP(value), 0, NULL);
		Datum		item;

		while (array_iterate(grants, &item, &isnull))
		{
			const AclItem *grant = DatumGetAclItemP(item);

			if (grant->ai_grantee != owner &&
				(ACLITEM_GET_PRIVS(*grant) & ACL_TRIGGER) != 0)
				found = true;
		}
		array_free_iterator(grants);
	}
	ReleaseSysCache(tuple);
	return found;
}

/*
 * The store writes as the tables' owner, so users' triggers fire as him, and
 * their WHEN.  A role that may only make triggers must not get his rights in
 * this way.  The lock keeps new ones out.
 */
void
po_check_triggers(Oid schema, PoTable which)
{
	Oid			table = po_table_oid(schema, which);
	Relation	rel = table_open(table, RowExclusiveLock);
	Oid			owner = rel->rd_rel->relowner;

	/* what rel has of triggers may be made anew whenever the catalog is asked */
	for (int i = 0; rel->trigdesc != NULL && i < rel->trigdesc->numtriggers; i++)
	{
		const Trigger trigger = rel->trigdesc->triggers[i];

		if (!trigger.tgisinternal && trigger.tgenabled != TRIGGER_DISABLED &&
			(!is_trusted(trigger.tgfoid, owner) ||
			 (trigger.tgqual != NULL && others_make_triggers(table, owner))))
			ereport(ERROR,
					(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
					 errmsg("trigger \"%s\" of \"%s\" must not run as the owner of the table",
							rel->trigdesc->triggers[i].tgname, RelationGetRelationName(rel)),
					 errdetail("po_mgmt writes as the owner; the trigger's function belongs to another role, or its WHEN may be another role's."),
					 errhint("Let the owner of the table own the function, and revoke TRIGGER on the table from others.")));
	}
	table_close(rel, NoLock);
}

/* accounts of an array, of texts or of rows with a column account_id */
static List *
accounts_of_array(List *accounts, Datum array, bool of_rows)
{
	ArrayIterator items = array_create_iterator(DatumGetArrayTypeP(array), 0, NULL);
	Datum		item;
	bool		isnull;

	while (array_iterate(items, &item, &isnull))
	{
		if (of_rows && !isnull)
			item = GetAttributeByName(DatumGetHeapTupleHeader(item), "account_id", &isnull);
		if (!isnull)
			accounts = lappend(accounts, DatumGetTextPP(item));
	}
	array_free_iterator(items);
	return accounts;
}

/* those that a statement is about */
static List *
accounts_of(PoStatement statement, const Datum *args, const char *nulls)
{
	const char *letters = po_statement_texts[statement].args;
	List	   *accounts = NIL;

	for (int i = 0; letters[i] != '\0'; i++)
		if (nulls == NULL || nulls[i] != 'n')
			switch (letters[i])
			{
				case 'a':
					accounts = lappend(accounts, DatumGetTextPP(args[i]));
					break;
				case 'A':
					accounts = accounts_of_array(accounts, args[i], false);
					break;
				case 'E':
				case 'O':
				case 'V':
					accounts = accounts_of_array(accounts, args[i], true);
					break;
			}
	return accounts;
}

static SPIPlanPtr
plan_of(Oid schema, PoStatement statement, const Datum *args, const char *nulls,
		bool read_only)
{
	PoRelations *relations = &tables;

	if (!plans_are_good(schema))
		forget_plans(schema);
	if (po_is_distributed(schema))
		relations = po_relations_of(schema, accounts_of(statement, args, nulls), read_only);
	if (relations->plans[statement] == NULL)
		relations->plans[statement] = prepare(schema, relations, statement);
	return relations->plans[statement];
}

uint64
po_execute(Oid schema, PoStatement statement, const Datum *args,
		   const char *nulls, bool read_only)
{
	int			outer_depth = writing_depth;
	int			outer_purchase = purchase_depth;
	SPIPlanPtr	plan;
	int			result;

	if (is_write(statement))
	{
		po_cache_suspend();
		po_check_triggers(schema, written_table(statement));
	}
	plan = plan_of(schema, statement, args, nulls, read_only);
	PG_TRY();
	{
		writing_depth = is_write(statement) ? trigger_depth() : -1;
		purchase_depth = is_purchase(statement) ? trigger_depth() : -1;
		result = SPI_execute_plan(plan, unconstify(Datum *, args),
								  nulls, read_only, 0);
	}
	PG_FINALLY();
	{
		writing_depth = outer_depth;
		purchase_depth = outer_purchase;
	}
	PG_END_TRY();
	if (result < 0)
		elog(ERROR, "statement %d of the store failed: %s", statement,
			 SPI_result_code_string(result));
	return SPI_processed;
}

/* of a statement that reads more rows than should be in memory at once */
Portal
po_open_cursor(Oid schema, PoStatement statement, const Datum *args, const char *nulls)
{
	return SPI_cursor_open(NULL, plan_of(schema, statement, args, nulls, false),
						   unconstify(Datum *, args),
						   nulls, false);
}

/*
 * Runs a statement whose text depends on the columns that tables have, so that
 * it has no plan here.  own: one of the store's own writes.  Needs SPI_connect().
 */
uint64
po_execute_text(const char *sql, int nargs, Oid *types, Datum *args, const char *nulls, bool own)
{
	int			outer_depth = writing_depth;

	PG_TRY();
	{
		writing_depth = own ? trigger_depth() : -1;
		SPI_execute_with_args(sql, nargs, types, args, nulls, false, 0);
	}
	PG_FINALLY();
	{
		writing_depth = outer_depth;
	}
	PG_END_TRY();
	return SPI_processed;
}
