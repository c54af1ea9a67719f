/*
 * trg_contact.c
 *		Triggers of po_contact: who is told of an order, and how many at most.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "utils/builtins.h"
#include "utils/rel.h"

#include "clock.h"
#include "limits.h"
#include "statement.h"
#include "trigger.h"

#define MAX_EMAIL_LENGTH 320

/* what the AFTER trigger does once a statement */
#define COUNT_CONTACTS	'c'

/*
 * Not a grammar of addresses: one @ with something on both sides, and nothing
 * that could end a header line or begin another address.
 */
static void
check_email(text *value)
{
	char	   *email = text_to_cstring(value);
	char	   *at = strchr(email, '@');
	bool		good = at != NULL && at != email && at[1] != '\0' &&
		strchr(at + 1, '@') == NULL && strlen(email) <= MAX_EMAIL_LENGTH;

	for (char *c = email; good && *c != '\0'; c++)
		good = (unsigned char) *c > 0x20 && *c != 0x7f && strchr(",;<>\"", *c) == NULL;
	if (!good)
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("\"%s\" is not an e-mail address", email),
				 errhint("Give one address, such as ap@example.com.")));
}

static void
check_row(PoTrigger *trigger)
{
	po_require(trigger, Anum_contact_account_id, "Give the order's account id.");
	po_require(trigger, Anum_contact_po_number, "Give the order's number.");
	po_require(trigger, Anum_contact_email, "Give one address, such as ap@example.com.");
	check_email(po_text(trigger->new, Anum_contact_email));
}

static void
before_insert(PoTrigger *trigger)
{
	TimestampTz stamp = po_clock_stamp();
	text	   *account_id;
	text	   *po_number;
	PoOrder		order;
	PoIdentity	caller;
	bool		found;

	if (po_is_history(trigger, Anum_contact_created_at))
	{
		check_row(trigger);
		return;
	}
	po_set_text(trigger->new, Anum_contact_po_number,
				po_text_trim(po_text(trigger->new, Anum_contact_po_number)));
	check_row(trigger);
	account_id = po_text(trigger->new, Anum_contact_account_id);
	po_number = po_text(trigger->new, Anum_contact_po_number);
	po_check_policies(trigger, Anum_contact_account_id);
	po_become_owner(trigger, &caller);
	found = po_statement_account(trigger->schema, account_id, PO_FOR_CONFIGURATION) != NULL &&
		po_newest_order(trigger->schema, account_id, po_number, &order);
	po_become(&caller);
	if (!found)
		po_report_no_order(account_id, po_number);
	po_set_time(trigger->new, Anum_contact_created_at, stamp);
	po_statement_seen(stamp, 0);
}

static void
before_update(PoTrigger *trigger)
{
	if (po_changed(trigger, Anum_contact_account_id) ||
		po_changed(trigger, Anum_contact_po_number))
		ereport(ERROR,
				(errcode(ERRCODE_CHECK_VIOLATION),
				 errmsg("a contact stays with its order"),
				 errhint("Delete the contact, and add it to the other order.")));
	po_refuse_changed(trigger, Anum_contact_created_at);
	check_row(trigger);
}

/* the limit holds for what is in the table, whatever became of other rows */
static void
after_insert(PoTrigger *trigger)
{
	text	   *account_id = po_text(trigger->new, Anum_contact_account_id);
	text	   *po_number = po_text(trigger->new, Anum_contact_po_number);
	PoIdentity	caller;

	po_become_owner(trigger, &caller);
	if (po_statement_was_seen(po_int64(trigger->new, Anum_contact_created_at), 0) &&
		po_statement_first(COUNT_CONTACTS, account_id, po_number))
		po_limit_contacts(trigger->schema, account_id, po_number);
	po_become(&caller);
}

/* BEFORE INSERT OR UPDATE, AFTER INSERT */
PG_FUNCTION_INFO_V1(po_contact_trigger);
Datum
po_contact_trigger(PG_FUNCTION_ARGS)
{
	PoTrigger	trigger;

	po_trigger_init(&trigger, fcinfo);
	po_check_last(&trigger);
	if (!trigger.before)
		after_insert(&trigger);
	else if (trigger.is_insert)
		before_insert(&trigger);
	else
		before_update(&trigger);
	return po_trigger_result(&trigger);
}
