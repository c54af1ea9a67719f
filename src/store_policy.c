/*
 * store_policy.c
 *		Writes the policies of the tables, and which setting they ask.
 *
 * Definitions have no plans, so their text is made here, with all names
 * qualified.  It runs as the user who calls, who has to own the tables.
 */
#include "postgres.h"

#include "utils/builtins.h"

#include "store_spi.h"

#define POLICY	"po_mgmt_account"

static void
define(const char *sql)
{
	int			result = SPI_execute(sql, false, 0);

	if (result < 0)
		elog(ERROR, "\"%s\" failed: %s", sql, SPI_result_code_string(result));
}

/* rows of PO_READ_POLICIES: the table, has it our policy, and others */
static void
write_policy(uint64 row, const char *setting)
{
	bool		isnull;
	char	   *table = TextDatumGetCString(column(row, 1, &isnull));
	bool		has_ours = DatumGetBool(column(row, 2, &isnull));
	bool		has_others = DatumGetBool(column(row, 3, &isnull));

	if (has_ours)
		define(psprintf("DROP POLICY " POLICY " ON %s", table));
	if (setting != NULL)
	{
		define(psprintf("ALTER TABLE %s ENABLE ROW LEVEL SECURITY", table));
		define(psprintf("CREATE POLICY " POLICY " ON %s USING (account_id OPERATOR(pg_catalog.=)"
						" pg_catalog.current_setting(%s, true))", table,
						quote_literal_cstr(setting)));
	}
	else if (has_ours && !has_others)
		define(psprintf("ALTER TABLE %s DISABLE ROW LEVEL SECURITY", table));
}

/* setting NULL: takes them away.  The number of tables. */
int64
po_write_policies(Oid schema, const char *setting)
{
	uint64		ntables = execute(schema, PO_READ_POLICIES, NULL, NULL);
	SPITupleTable *tables = SPI_tuptable;
	Datum		arg = setting ? CStringGetTextDatum(setting) : (Datum) 0;
	const char *nulls = setting ? NULL : "n";

	for (uint64 row = 0; row < ntables; row++)
	{
		SPI_tuptable = tables;	/* what a definition leaves there is none */
		write_policy(row, setting);
	}
	po_execute(schema, PO_FORGET_POLICIES, &arg, nulls, false);
	po_execute(schema, PO_RECORD_POLICIES, &arg, nulls, false);
	SPI_finish();
	return ntables;
}
