/*
 * rank.c
 *		The ranking kernel by itself, against a naive statement of the ranking.
 *
 * link: src/rank.c
 *
 * Compiled with the address and undefined behaviour sanitizers, without
 * PostgreSQL.  PO_SEED repeats a run.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "../../src/rank.h"

#define NRANKS	400

static int	failures = 0;

static void
check(int good, const char *what)
{
	printf("%s - %s\n", good ? "ok" : "not ok", what);
	failures += !good;
}

/* bytes that sort differently by byte and by locale, prefixes of each other */
static const char *const numbers[] = {"PO", "PO-1", "PO-10", "po-1", "PO\xc3\xa9", "", "Z"};

static PoRank
random_rank(int id)
{
	const char *number = numbers[rand() % (sizeof(numbers) / sizeof(numbers[0]))];
	PoRank		rank;

	rank.specificity = rand() % 3;
	rank.bound = rand() % 2;
	rank.covers = rand() % 2;
	rank.updated_at = rand() % 3 == 0 ? INT64_MAX - rand() % 2 : rand() % 2 - 1;
	rank.months = rand() % 3 == 0 ? INT32_MAX : rand() % 2;
	rank.po_number_len = strlen(number);
	/* of exactly these bytes, so that the sanitizer sees one read too many */
	rank.po_number = memcpy(malloc(rank.po_number_len), number, rank.po_number_len);
	rank.line_item_id = id;
	return rank;
}

static int
compare_numbers(const PoRank *a, const PoRank *b)
{
	for (size_t i = 0; i < a->po_number_len && i < b->po_number_len; i++)
	{
		unsigned char left = a->po_number[i];
		unsigned char right = b->po_number[i];

		if (left != right)
			return left < right ? -1 : 1;
	}
	return (a->po_number_len > b->po_number_len) - (a->po_number_len < b->po_number_len);
}

/* the rule as a list of questions; 1: a first, -1: b first, 0: no difference */
static int
naive(const PoRank *a, const PoRank *b, PoCriterion *decided)
{
	int			order = compare_numbers(a, b);
	struct
	{
		int			a_first;
		int			b_first;
		PoCriterion criterion;
	}			questions[] = {
		{a->specificity > b->specificity, b->specificity > a->specificity, PO_BY_SPECIFICITY},
		{a->bound && !b->bound, b->bound && !a->bound, PO_BY_SPECIFICITY},
		{a->covers && !b->covers, b->covers && !a->covers, PO_BY_BALANCE},
		{a->updated_at > b->updated_at, b->updated_at > a->updated_at, PO_BY_RECENCY},
		{a->months < b->months, b->months < a->months, PO_BY_TIE},
		{order < 0, order > 0, PO_BY_TIE},
		{a->line_item_id < b->line_item_id, b->line_item_id < a->line_item_id, PO_BY_TIE}
	};

	for (size_t i = 0; i < sizeof(questions) / sizeof(questions[0]); i++)
	{
		*decided = questions[i].criterion;
		if (questions[i].a_first)
			return 1;
		if (questions[i].b_first)
			return -1;
	}
	*decided = PO_BY_NOTHING;
	return 0;
}

static int
sign(int n)
{
	return (n > 0) - (n < 0);
}

int
main(void)
{
	const char *given = getenv("PO_SEED");
	unsigned	seed = given ? (unsigned) atol(given) : (unsigned) time(NULL);
	static PoRank ranks[NRANKS];
	int			wrong = 0;
	int			asymmetric = 0;
	int			wrong_criterion = 0;
	int			intransitive = 0;
	int			decided_by[PO_BY_NOTHING + 1] = {0};

	printf("# PO_SEED=%u\n", seed);
	srand(seed);
	for (int i = 0; i < NRANKS; i++)
		ranks[i] = random_rank(i);
	for (int i = 0; i < NRANKS; i++)
	{
		for (int j = 0; j < NRANKS; j++)
		{
			PoCriterion expected;
			PoCriterion decided;
			int			result = po_rank_compare(&ranks[i], &ranks[j], &decided);

			wrong += sign(result) != -naive(&ranks[i], &ranks[j], &expected);
			wrong_criterion += decided != expected;
			asymmetric += sign(result) != -sign(po_rank_compare(&ranks[j], &ranks[i], NULL));
			decided_by[decided]++;
		}
	}
	for (int n = 0; n < 2000000; n++)
	{
		const PoRank *a = &ranks[rand() % NRANKS];
		const PoRank *b = &ranks[rand() % NRANKS];
		const PoRank *c = &ranks[rand() % NRANKS];

		intransitive += po_rank_compare(a, b, NULL) <= 0 &&
			po_rank_compare(b, c, NULL) <= 0 && po_rank_compare(a, c, NULL) > 0;
	}
	check(wrong == 0, "the order is that of the naive statement");
	check(wrong_criterion == 0, "and so is the criterion that decided");
	check(asymmetric == 0, "a before b is b after a");
	check(intransitive == 0, "the order is transitive");
	for (int criterion = 0; criterion < PO_BY_NOTHING; criterion++)
		check(decided_by[criterion] > 100, "each criterion decided often");
	check(decided_by[PO_BY_NOTHING] == NRANKS, "only a line item and itself are equal");
	return failures != 0;
}
