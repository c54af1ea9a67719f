/*
 * mapping.c
 *		How a row of an attached table is an invoice.  See mapping.h.
 *
 * Each of our columns becomes an expression over the row: a column of theirs
 * with the cast that an assignment would make, or a constant.  What a
 * generated column has is computed by its own expression, for a trigger that
 * fires before the row is stored does not see it.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "executor/executor.h"
#include "nodes/makefuncs.h"
#include "nodes/nodeFuncs.h"
#include "optimizer/optimizer.h"
#include "parser/parse_coerce.h"
#include "rewrite/rewriteHandler.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/lsyscache.h"

#include "compat.h"
#include "mapping.h"

/* one of our columns */
typedef struct Mapped
{
	int			attribute;		/* of po_invoice */
	AttrNumber	column;			/* of theirs; 0: a constant */
	ExprState  *value;			/* ours; a text where there is a map */
	Datum		constant;
	int			nmapped;		/* of the map; -1: no map */
	text	  **from;
	Datum	   *to;
	FmgrInfo	input;			/* of their column, for what is filled in */
	Oid			input_param;
	int32		input_typmod;
} Mapped;

struct PoMapping
{
	TupleDesc	desc;			/* theirs */
	TupleDesc	invoice;
	ExprContext *context;
	TupleTableSlot *slot;
	Mapped		columns[Anum_invoice_recorded_at];
	int			ncolumns;
};

/* what can be mapped */
typedef struct Mappable
{
	int			attribute;
	bool		required;
	bool		is_filled;		/* by po_mgmt, so that it must be a column */
} Mappable;

static const Mappable mappable[] = {
	{Anum_invoice_account_id, true, false},
	{Anum_invoice_bill_from, true, false},
	{Anum_invoice_invoice_id, true, false},
	{Anum_invoice_kind, false, false},
	{Anum_invoice_line_type, true, false},
	{Anum_invoice_billing_month, true, false},
	{Anum_invoice_issued_on, false, false},
	{Anum_invoice_due_on, false, false},
	{Anum_invoice_amount, true, false},
	{Anum_invoice_currency, false, false},
	{Anum_invoice_tax_registration_number, false, false},
	{Anum_invoice_agreement_id, false, false},
	{Anum_invoice_requested_po_number, false, false},
	{Anum_invoice_requested_line_number, false, false},
	{Anum_invoice_out_of_cycle, false, false},
	{Anum_invoice_original_invoice_id, false, false},
	{Anum_invoice_po_number, false, true},
	{Anum_invoice_line_number, false, true}
};

static const char *
our_name(const PoMapping *mapping, int attribute)
{
	return NameStr(TupleDescAttr(mapping->invoice, attribute - 1)->attname);
}

static Oid
our_type(const PoMapping *mapping, int attribute)
{
	return TupleDescAttr(mapping->invoice, attribute - 1)->atttypid;
}

static const Mapped *
find_mapped(const PoMapping *mapping, int attribute)
{
	for (int i = 0; i < mapping->ncolumns; i++)
		if (mapping->columns[i].attribute == attribute)
			return &mapping->columns[i];
	return NULL;
}

/* ---- the text of a mapping ---- */

static JsonbValue *
member(JsonbContainer *object, const char *key)
{
	return getKeyJsonValueFromContainer(object, key, strlen(key), NULL);
}

static char *
string_of(const JsonbValue *value)
{
	return pnstrdup(value->val.string.val, value->val.string.len);
}

PO_NORETURN static void
report_malformed(const char *ours)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("mapping of \"%s\" is not understood", ours),
			 errhint("Give the name of a column, {\"column\": name, \"map\": {its value: ours, ...}}, or {\"value\": constant}.")));
}

/* a constant or a map's result, as a value of our column */
static Datum
value_from_json(const PoMapping *mapping, int attribute, const JsonbValue *value)
{
	Oid			input;
	Oid			param;
	char	   *text;

	switch (value->type)
	{
		case jbvString:
			text = string_of(value);
			break;
		case jbvNumeric:
			text = DatumGetCString(DirectFunctionCall1(numeric_out,
													   NumericGetDatum(value->val.numeric)));
			break;
		case jbvBool:
			text = value->val.boolean ? "true" : "false";
			break;
		default:
			report_malformed(our_name(mapping, attribute));
	}
	getTypeInputInfo(our_type(mapping, attribute), &input, &param);
	return OidInputFunctionCall(input, text, param, -1);
}

/* ---- expressions ---- */

static AttrNumber
column_number(const PoMapping *mapping, Relation rel, int attribute, const char *name)
{
	for (int i = 0; i < mapping->desc->natts; i++)
	{
		Form_pg_attribute att = TupleDescAttr(mapping->desc, i);

		if (!att->attisdropped && strcmp(NameStr(att->attname), name) == 0)
			return att->attnum;
	}
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_COLUMN),
			 errmsg("column \"%s\" of \"%s\" does not exist", name,
					RelationGetRelationName(rel)),
			 errdetail("po_attach() was told to read \"%s\" there.",
					   our_name(mapping, attribute)),
			 errhint("Name a column that is there. Where it was renamed or dropped since, po_detach() and po_attach() the table anew.")));
}

/* the column's value before the row is stored */
static Node *
column_expression(Relation rel, Form_pg_attribute att)
{
	if (att->attgenerated != '\0')
		return build_column_default(rel, att->attnum);
	return (Node *) makeVar(1, att->attnum, att->atttypid, att->atttypmod,
							att->attcollation, 0);
}

/*
 * The value as one of another type, as an assignment would cast it; NULL where
 * it would not.  What is text, or an enum, may be written as our types are.
 */
static Node *
cast_to(Node *value, Oid type)
{
	Oid			source = exprType(value);
	Node	   *result = coerce_to_target_type(NULL, value, source, type, -1,
											   COERCION_ASSIGNMENT, COERCE_IMPLICIT_CAST, -1);

	if (result == NULL && (TypeCategory(source) == TYPCATEGORY_STRING ||
						   TypeCategory(source) == TYPCATEGORY_ENUM))
	{
		result = coerce_to_target_type(NULL, value, source, TEXTOID, -1,
									   COERCION_ASSIGNMENT, COERCE_IMPLICIT_CAST, -1);
		result = coerce_to_target_type(NULL, result, TEXTOID, type, -1,
									   COERCION_EXPLICIT, COERCE_IMPLICIT_CAST, -1);
	}
	return result;
}

/* a cast that is there, but would not be exact or the same in every session */
static const char *
inexact(Oid source, Oid type)
{
	source = getBaseType(source);
	if (type == NUMERICOID && (source == FLOAT4OID || source == FLOAT8OID))
		return "Money is never a floating point number; keep it as numeric.";
	if (type != TEXTOID && source == TIMESTAMPTZOID)
		return "Its day depends on a time zone. Map a date, such as a column GENERATED ALWAYS AS (CAST(t AT TIME ZONE 'UTC' AS date)) STORED.";
	return NULL;
}

static ExprState *
make_value(const PoMapping *mapping, Relation rel, const Mapped *mapped)
{
	Form_pg_attribute att = TupleDescAttr(mapping->desc, mapped->column - 1);
	Oid			type = mapped->nmapped >= 0 ? TEXTOID : our_type(mapping, mapped->attribute);
	Node	   *value = column_expression(rel, att);
	const char *hint = inexact(att->atttypid, type);

	value = hint == NULL ? cast_to(value, type) : NULL;
	if (value == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of \"%s\" cannot be \"%s\" of an invoice",
						NameStr(att->attname), RelationGetRelationName(rel),
						our_name(mapping, mapped->attribute)),
				 errdetail("It is of type %s.", format_type_be(att->atttypid)),
				 errhint("%s", hint != NULL ? hint :
						 "Map a column whose values can be assigned to it, or give a map.")));
	return ExecInitExpr(expression_planner((Expr *) value), NULL);
}

/* ---- making it ---- */

static void
make_map(const PoMapping *mapping, Mapped *mapped, const JsonbValue *map)
{
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	value;
	int			size;

	if (map->type != jbvBinary || !JsonContainerIsObject(map->val.binary.data))
		report_malformed(our_name(mapping, mapped->attribute));
	size = JsonContainerSize(map->val.binary.data);
	mapped->nmapped = 0;
	mapped->from = palloc(size * sizeof(text *) + 1);
	mapped->to = palloc(size * sizeof(Datum) + 1);
	iterator = JsonbIteratorInit(map->val.binary.data);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			mapped->from[mapped->nmapped] =
				cstring_to_text_with_len(value.val.string.val, value.val.string.len);
		else if (token == WJB_VALUE)
			mapped->to[mapped->nmapped++] =
				value_from_json(mapping, mapped->attribute, &value);
	}
}

static void
make_object(PoMapping *mapping, Relation rel, Mapped *mapped, JsonbContainer *object)
{
	JsonbValue *column = member(object, "column");
	JsonbValue *map = member(object, "map");
	JsonbValue *constant = member(object, "value");
	int			nknown = (column != NULL) + (map != NULL) + (constant != NULL);

	if (!JsonContainerIsObject(object) || JsonContainerSize(object) != (uint32) nknown ||
		(column == NULL) == (constant == NULL) || (map != NULL && column == NULL) ||
		(column != NULL && column->type != jbvString))
		report_malformed(our_name(mapping, mapped->attribute));
	if (constant != NULL)
	{
		mapped->constant = value_from_json(mapping, mapped->attribute, constant);
		return;
	}
	mapped->column = column_number(mapping, rel, mapped->attribute, string_of(column));
	if (map != NULL)
		make_map(mapping, mapped, map);
}

/* po_mgmt writes it: a column of its own that takes a text */
static void
check_filled(PoMapping *mapping, Relation rel, Mapped *mapped)
{
	Form_pg_attribute att;
	Oid			input;

	if (mapped->column == 0 || mapped->nmapped >= 0)
		report_malformed(our_name(mapping, mapped->attribute));
	att = TupleDescAttr(mapping->desc, mapped->column - 1);
	if (att->attgenerated != '\0' || att->attidentity != '\0' ||
		TypeCategory(att->atttypid) != TYPCATEGORY_STRING)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of \"%s\" cannot be filled with \"%s\"",
						NameStr(att->attname), RelationGetRelationName(rel),
						our_name(mapping, mapped->attribute)),
				 errdetail("It is of type %s%s.", format_type_be(att->atttypid),
						   att->attgenerated != '\0' ? " and generated" :
						   att->attidentity != '\0' ? " and an identity" : ""),
				 errhint("Name a column of type text that is neither generated nor an identity.")));
	getTypeInputInfo(att->atttypid, &input, &mapped->input_param);
	fmgr_info(input, &mapped->input);
	mapped->input_typmod = att->atttypmod;
}

static void
add_mapped(PoMapping *mapping, Relation rel, const Mappable *column, const JsonbValue *value)
{
	Mapped	   *mapped = &mapping->columns[mapping->ncolumns++];

	mapped->attribute = column->attribute;
	mapped->nmapped = -1;
	if (value->type == jbvString)
		mapped->column = column_number(mapping, rel, column->attribute, string_of(value));
	else if (value->type == jbvBinary)
		make_object(mapping, rel, mapped, value->val.binary.data);
	else
		report_malformed(our_name(mapping, column->attribute));
	if (column->is_filled)
		check_filled(mapping, rel, mapped);
	if (mapped->column != 0)
		mapped->value = make_value(mapping, rel, mapped);
}

/* a column that is filled in has no other meaning */
static void
check_columns(const PoMapping *mapping, Relation rel)
{
	for (size_t i = 0; i < lengthof(mappable); i++)
	{
		const Mapped *mapped = find_mapped(mapping, mappable[i].attribute);

		if (mappable[i].required && mapped == NULL)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("the mapping of \"%s\" lacks \"%s\"", RelationGetRelationName(rel),
							our_name(mapping, mappable[i].attribute)),
					 errhint("Map account_id, bill_from, invoice_id, line_type, billing_month and amount at least.")));
		for (int j = 0; mappable[i].is_filled && mapped != NULL && j < mapping->ncolumns; j++)
			if (mapping->columns[j].column == mapped->column && &mapping->columns[j] != mapped)
				ereport(ERROR,
						(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
						 errmsg("column \"%s\" of \"%s\" is mapped twice",
								NameStr(TupleDescAttr(mapping->desc, mapped->column - 1)->attname),
								RelationGetRelationName(rel)),
						 errdetail("po_mgmt fills it with \"%s\".", our_name(mapping, mapped->attribute)),
						 errhint("Give it a column of its own.")));
	}
	if (po_mapping_column(mapping, Anum_invoice_invoice_id) == 0)
		report_malformed(our_name(mapping, Anum_invoice_invoice_id));
}

static const Mappable *
find_mappable(const PoMapping *mapping, const char *name)
{
	for (size_t i = 0; i < lengthof(mappable); i++)
		if (strcmp(our_name(mapping, mappable[i].attribute), name) == 0)
			return &mappable[i];
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("\"%s\" is no column that can be mapped", name),
			 errhint("Use the names of po_invoice, of those columns that an INSERT may give.")));
}

PoMapping *
po_mapping_make(const char *text, Relation rel, TupleDesc invoice)
{
	PoMapping  *mapping = palloc0(sizeof(PoMapping));
	Jsonb	   *json = DatumGetJsonbP(DirectFunctionCall1(jsonb_in, CStringGetDatum(text)));
	JsonbIterator *iterator;
	JsonbIteratorToken token;
	JsonbValue	value;
	const Mappable *column = NULL;

	if (!JB_ROOT_IS_OBJECT(json))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the mapping is not a JSON object"),
				 errhint("Give an object with our names as keys, such as {\"account_id\": \"customer\", ...}.")));
	mapping->desc = CreateTupleDescCopyConstr(RelationGetDescr(rel));
	mapping->invoice = CreateTupleDescCopy(invoice);
	mapping->context = CreateStandaloneExprContext();
	mapping->slot = MakeSingleTupleTableSlot(mapping->desc, &TTSOpsHeapTuple);
	iterator = JsonbIteratorInit(&json->root);
	while ((token = JsonbIteratorNext(&iterator, &value, true)) != WJB_DONE)
	{
		if (token == WJB_KEY)
			column = find_mappable(mapping, string_of(&value));
		else if (token == WJB_VALUE)
			add_mapped(mapping, rel, column, &value);
	}
	check_columns(mapping, rel);
	return mapping;
}

/* ---- rows ---- */

static Datum
look_up(const PoMapping *mapping, const Mapped *mapped, text *value)
{
	for (int i = 0; i < mapped->nmapped; i++)
		if (po_text_equal(mapped->from[i], value))
			return mapped->to[i];
	ereport(ERROR,
			(errcode(ERRCODE_CHECK_VIOLATION),
			 errmsg("value \"%s\" of column \"%s\" is not in the map of \"%s\"",
					text_to_cstring(value),
					NameStr(TupleDescAttr(mapping->desc, mapped->column - 1)->attname),
					our_name(mapping, mapped->attribute)),
			 errhint("po_detach() the table and po_attach() it with a map that has the value.")));
}

void
po_mapping_eval(PoMapping *mapping, HeapTuple row, Datum *values, bool *nulls)
{
	memset(nulls, true, mapping->invoice->natts * sizeof(bool));
	ExecStoreHeapTuple(row, mapping->slot, false);
	mapping->context->ecxt_scantuple = mapping->slot;
	for (int i = 0; i < mapping->ncolumns; i++)
	{
		const Mapped *mapped = &mapping->columns[i];
		Datum	   *value = &values[mapped->attribute - 1];
		bool	   *isnull = &nulls[mapped->attribute - 1];

		if (mapped->column == 0)
		{
			*value = mapped->constant;
			*isnull = false;
			continue;
		}
		*value = ExecEvalExpr(mapped->value, mapping->context, isnull);
		if (!*isnull && mapped->nmapped >= 0)
			*value = look_up(mapping, mapped, DatumGetTextPP(*value));
	}
	ExecClearTuple(mapping->slot);
}

AttrNumber
po_mapping_filled(const PoMapping *mapping, int attribute)
{
	const Mapped *mapped = find_mapped(mapping, attribute);

	return mapped != NULL ? mapped->column : 0;
}

Datum
po_mapping_fill(PoMapping *mapping, int attribute, text *value)
{
	const Mapped *mapped = find_mapped(mapping, attribute);

	return InputFunctionCall(unconstify(FmgrInfo *, &mapped->input),
							 text_to_cstring(value), mapped->input_param,
							 mapped->input_typmod);
}

AttrNumber
po_mapping_column(const PoMapping *mapping, int attribute)
{
	const Mapped *mapped = find_mapped(mapping, attribute);

	return mapped != NULL && mapped->nmapped < 0 ? mapped->column : 0;
}

char *
po_mapping_sql(const PoMapping *mapping, int attribute, const char *alias)
{
	const Mapped *mapped = find_mapped(mapping, attribute);
	StringInfoData sql;
	const char *column;

	if (mapped->column == 0)
		return psprintf("CAST(%s AS pg_catalog.text)",
						quote_literal_cstr(TextDatumGetCString(mapped->constant)));
	column = quote_identifier(NameStr(TupleDescAttr(mapping->desc, mapped->column - 1)->attname));
	if (mapped->nmapped <= 0)
		return psprintf("CAST(%s.%s AS pg_catalog.text)", alias, column);
	initStringInfo(&sql);
	appendStringInfo(&sql, "CASE");
	for (int i = 0; i < mapped->nmapped; i++)
		appendStringInfo(&sql, " WHEN CAST(%s.%s AS pg_catalog.text) OPERATOR(pg_catalog.=) %s THEN %s",
						 alias, column,
						 quote_literal_cstr(text_to_cstring(mapped->from[i])),
						 quote_literal_cstr(TextDatumGetCString(mapped->to[i])));
	appendStringInfoString(&sql, " END");
	return sql.data;
}
