/*
 * match.h
 *		The match decision: does a line item fit an invoice, how well, and why.
 *
 * Works on row structs alone and reads no table.  Matching and explaining ask
 * the same functions, so they cannot disagree; the sentences are made from
 * what was decided (match_reason.c).
 */
#ifndef PO_MATCH_H
#define PO_MATCH_H

#include "rank.h"
#include "row.h"

/* the filters, in the order in which they are tried */
typedef enum PoFilter
{
	PO_FILTER_STATUS,
	PO_FILTER_ORDER_PERIOD,
	PO_FILTER_BILL_FROM,
	PO_FILTER_CURRENCY,
	PO_FILTER_TAX_REGISTRATION,
	PO_FILTER_PERIOD,
	PO_FILTER_TYPE,
	PO_FILTER_AGREEMENT,
	PO_FILTER_REQUESTED_PO,
	PO_FILTER_NONE				/* fits */
} PoFilter;

/* an invoice with what the rules derive from its account and its type */
typedef struct PoBill
{
	const PoInvoice *invoice;
	PoPeriodBasis period_basis;
	text	   *bill_from;		/* the seller's own name */
	text	   *currency;
	text	   *time_zone;		/* the account's */
	PoMonth		issue_month;
	PoMonth		order_month;	/* the reference months */
	PoMonth		line_month;
	int			depth;			/* specificity of the invoice's type */
	bool		outside_cycle;
	/* of the invoice's type's ancestors, by depth: only outside the cycle? */
	bool		out_of_cycle_only[PO_LINE_TYPE_MAX_LEVELS + 1];
} PoBill;

typedef struct PoCandidate
{
	const PoOrder *order;
	const PoLineItem *item;
	PoRank		rank;
} PoCandidate;

extern void po_bill_init(PoBill *bill, const PoInvoice *invoice,
						 const PoAccount *account, DateADT today);
extern void po_bill_set_taxonomy(PoBill *bill, const PoTristate *out_of_cycle_only);

extern PoFilter po_match_order(const PoBill *bill, const PoOrder *order);
extern bool po_match_requested_order(const PoBill *bill, const PoOrder *order);
extern PoFilter po_match_line_item(const PoBill *bill, const PoOrder *order,
								   const PoLineItem *item);
extern bool po_match_level(const PoBill *bill, int depth);
extern void po_match_rank(const PoBill *bill, const PoOrder *order,
						  const PoLineItem *item, PoCandidate *candidate);
extern bool po_match_covers(const PoInvoice *invoice, const PoLineItem *item);
extern bool po_match_unbeatable(const PoBill *bill, const PoCandidate *candidate);

extern const char *po_filter_name(PoFilter filter);
extern const char *po_criterion_name(PoCriterion criterion);

/* match_reason.c: sentences for a person in accounts payable */
extern char *po_reason_rejected(const PoBill *bill, PoFilter filter,
								const PoOrder *order, const PoLineItem *item);
extern char *po_reason_selected(const PoBill *bill, const PoCandidate *candidate,
								int ncandidates);
extern char *po_reason_outranked(const PoBill *bill, const PoCandidate *candidate,
								 const PoCandidate *selected, PoCriterion criterion);
extern char *po_reason_followed(const PoInvoice *original);

/* of what was booked; by_rules: what they said of that moment, or NULL */
extern char *po_reason_by_hand(const PoBill *bill, text *by, TimestampTz at,
							   text *note, const char *by_rules);
extern char *po_reason_not_known(const char *by_rules);
extern char *po_reason_passed_over(bool by_hand, const PoLineItem *selected,
								   const PoOrder *order, const char *by_rules);
extern char *po_reason_unassociated(const PoBill *bill, TimestampTz recorded_at,
									bool fits, TimestampTz voided_at);

#endif							/* PO_MATCH_H */
