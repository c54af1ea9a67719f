/*
 * schedule.c
 *		The SQL function po_schedule: has pg_cron scan for reminders daily.
 *
 * The job is of the user who calls, with his rights; pg_cron runs it.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "commands/dbcommands.h"
#include "commands/extension.h"
#include "miscadmin.h"
#include "nodes/value.h"
#include "parser/parse_func.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"

#include "store.h"

static const char scan_function[] = "po_scan_expirations";

/* what the job does, whatever its search_path */
static char *
scan_command(Oid schema)
{
	return psprintf("SELECT %s.%s()", quote_identifier(get_namespace_name(schema)),
					scan_function);
}

/* one job a database, so that scheduling again changes it */
static char *
job_name(const char *database)
{
	return psprintf("po_mgmt reminders of %s", database);
}

/* else the job would fail every day */
static void
check_may_scan(Oid schema)
{
	Oid			argument = DATEOID;
	List	   *name = list_make2(makeString(get_namespace_name(schema)),
								  makeString(pstrdup(scan_function)));
	Oid			function = LookupFuncName(name, 1, &argument, false);

	if (!DatumGetBool(DirectFunctionCall2(has_function_privilege_id,
										  ObjectIdGetDatum(function),
										  CStringGetTextDatum("EXECUTE"))))
		aclcheck_error(ACLCHECK_NO_PRIV, OBJECT_FUNCTION, scan_function);
}

/* pg_cron keeps its jobs in one database of a server */
static void
check_pg_cron(Oid schema, const char *schedule, const char *database)
{
	const char *home = GetConfigOption("cron.database_name", true, false);
	const char *command = scan_command(schema);

	if (home == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("pg_cron is not loaded in this server"),
				 errdetail("It has to be in shared_preload_libraries."),
				 errhint("Without pg_cron, a line of a crontab does the same: %s  psql -X -d %s -c %s",
						 schedule, database, quote_literal_cstr(command))));
	if (OidIsValid(get_extension_oid("pg_cron", true)))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("pg_cron is not installed in database \"%s\"", database),
			 errdetail("In this server its jobs are in database \"%s\" (cron.database_name).", home),
			 strcmp(home, database) == 0 ?
			 errhint("CREATE EXTENSION pg_cron; and then schedule again.") :
			 errhint("In database \"%s\": SELECT cron.schedule_in_database(%s, %s, %s, %s);",
					 home, quote_literal_cstr(job_name(database)), quote_literal_cstr(schedule),
					 quote_literal_cstr(command), quote_literal_cstr(database))));
}

/* what was scheduled, in words */
PG_FUNCTION_INFO_V1(po_schedule);
Datum
po_schedule(PG_FUNCTION_ARGS)
{
	Oid			schema = get_func_namespace(fcinfo->flinfo->fn_oid);
	char	   *database = get_database_name(MyDatabaseId);
	char	   *command = scan_command(schema);
	char	   *schedule;
	Datum		args[3];
	int64		job;

	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("schedule must not be null"),
				 errhint("Leave it out, or give a time as in a crontab, such as 15 5 * * *.")));
	schedule = text_to_cstring(PG_GETARG_TEXT_PP(0));
	check_pg_cron(schema, schedule, database);
	check_may_scan(schema);
	args[0] = CStringGetTextDatum(job_name(database));
	args[1] = PG_GETARG_DATUM(0);
	args[2] = CStringGetTextDatum(command);
	job = po_count(schema, PO_SCHEDULE, args);
	PG_RETURN_TEXT_P(cstring_to_text(psprintf("job " INT64_FORMAT " of pg_cron, \"%s\": %s at \"%s\" as %s in database %s",
											  job, TextDatumGetCString(args[0]), command,
											  schedule, GetUserNameFromId(GetUserId(), false),
											  database)));
}
