/*
 * schema.h
 *		The extension's tables and the places of their columns.
 *
 * Follows sql/po_mgmt--*.sql; columns of later versions go to the end of a
 * table, so that the numbers stay.  test/pgtap/schema.sql holds the two
 * together.
 */
#ifndef PO_SCHEMA_H
#define PO_SCHEMA_H

typedef enum PoTable
{
	PO_SELLER,
	PO_SELLER_ALIAS,
	PO_TAXONOMY,
	PO_SELLER_LINE_TYPE,
	PO_ACCOUNT,
	PO_ORDER,
	PO_LINE_ITEM,
	PO_CONTACT,
	PO_ACCOUNT_MEMBER,
	PO_INVOICE,
	PO_LEDGER,
	PO_CHANGE_LOG,
	PO_NOTIFICATION,
	/* since 1.1: not there until the extension is updated */
	PO_LEDGER_ARCHIVE,
	PO_CHANGE_LOG_ARCHIVE
} PoTable;

#define PO_NTABLES (PO_CHANGE_LOG_ARCHIVE + 1)

/* the names of our triggers: for each row, of TRUNCATE, and for each statement */
#define PO_BEFORE_NAME	"~po_mgmt_before"
#define PO_AFTER_NAME	"!po_mgmt_after"
#define PO_TRUNCATE_NAME "~po_mgmt_truncate"
#define PO_STATEMENT_NAME "~po_mgmt_statement"

enum
{
	Anum_seller_bill_from = 1
};

enum
{
	Anum_alias_alias = 1,
	Anum_alias_bill_from,
	Anum_alias_enabled
};

enum
{
	Anum_taxonomy_line_type = 1,
	Anum_taxonomy_label,
	Anum_taxonomy_out_of_cycle_only
};

enum
{
	Anum_bills_bill_from = 1,
	Anum_bills_line_type
};

enum
{
	Anum_account_account_id = 1,
	Anum_account_currency,
	Anum_account_period_basis,
	Anum_account_time_zone,
	Anum_account_max_active_orders,
	Anum_account_max_line_items,
	Anum_account_max_contacts,
	Anum_account_alert_thresholds,
	Anum_account_bill_to,
	Anum_account_payment_terms,
	Anum_account_marketplace_integration,
	Anum_account_closed_through,
	Anum_account_created_at,
	Anum_account_booked_at
};

enum
{
	Anum_order_account_id = 1,
	Anum_order_po_number,
	Anum_order_bill_from,
	Anum_order_status,
	Anum_order_effective_month,
	Anum_order_expiration_month,
	Anum_order_currency,
	Anum_order_description,
	Anum_order_ship_to,
	Anum_order_tax_registration_numbers,
	Anum_order_tags,
	Anum_order_source,
	Anum_order_created_at,
	Anum_order_updated_at,
	Anum_order_expiration_set_on
};

enum
{
	Anum_line_item_line_item_id = 1,
	Anum_line_item_account_id,
	Anum_line_item_po_number,
	Anum_line_item_line_number,
	Anum_line_item_line_type,
	Anum_line_item_start_month,
	Anum_line_item_end_month,
	Anum_line_item_balance_tracked,
	Anum_line_item_amount,
	Anum_line_item_quantity,
	Anum_line_item_tax,
	Anum_line_item_tax_kind,
	Anum_line_item_total_value,
	Anum_line_item_consumed_before,
	Anum_line_item_balance,
	Anum_line_item_agreement_id,
	Anum_line_item_description,
	Anum_line_item_created_at,
	Anum_line_item_updated_at,
	Anum_line_item_agreement_moved_to
};

enum
{
	Anum_contact_account_id = 1,
	Anum_contact_po_number,
	Anum_contact_email,
	Anum_contact_name,
	Anum_contact_title,
	Anum_contact_phone,
	Anum_contact_created_at
};

enum
{
	Anum_member_member_account_id = 1,
	Anum_member_account_id
};

enum
{
	Anum_invoice_account_id = 1,
	Anum_invoice_bill_from,
	Anum_invoice_invoice_id,
	Anum_invoice_kind,
	Anum_invoice_line_type,
	Anum_invoice_billing_month,
	Anum_invoice_issued_on,
	Anum_invoice_due_on,
	Anum_invoice_amount,
	Anum_invoice_currency,
	Anum_invoice_tax_registration_number,
	Anum_invoice_agreement_id,
	Anum_invoice_requested_po_number,
	Anum_invoice_requested_line_number,
	Anum_invoice_out_of_cycle,
	Anum_invoice_original_invoice_id,
	Anum_invoice_member_account_id,
	Anum_invoice_po_number,
	Anum_invoice_line_number,
	Anum_invoice_line_item_id,
	Anum_invoice_association_kind,
	Anum_invoice_associated_at,
	Anum_invoice_associated_by,
	Anum_invoice_voided_at,
	Anum_invoice_recorded_at
};

enum
{
	Anum_ledger_entry_id = 1,
	Anum_ledger_account_id,
	Anum_ledger_line_item_id,
	Anum_ledger_po_number,
	Anum_ledger_line_number,
	Anum_ledger_bill_from,
	Anum_ledger_invoice_id,
	Anum_ledger_entry_kind,
	Anum_ledger_amount,
	Anum_ledger_balance_after,
	Anum_ledger_recorded_at,
	Anum_ledger_recorded_by,
	Anum_ledger_note
};

enum
{
	Anum_notification_notification_id = 1,
	Anum_notification_account_id,
	Anum_notification_po_number,
	Anum_notification_line_number,
	Anum_notification_kind,
	Anum_notification_threshold,
	Anum_notification_due_on,
	Anum_notification_recipients,
	Anum_notification_subject,
	Anum_notification_body,
	Anum_notification_created_at,
	Anum_notification_claimed_until,
	Anum_notification_sent_at,
	Anum_notification_attempts,
	Anum_notification_last_error,
	Anum_notification_delivered_to
};

#endif							/* PO_SCHEMA_H */
