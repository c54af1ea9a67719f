/*
 * arena.h
 *		Memory for many small pieces that go together: they need no headers.
 */
#ifndef PO_ARENA_H
#define PO_ARENA_H

#include "utils/palloc.h"

/* all of it goes with its context */
typedef struct PoArena
{
	MemoryContext context;
	char	   *block;
	Size		left;
} PoArena;

extern void *po_arena_alloc(PoArena *arena, Size size);
/* a value of variable length; NULL stays NULL */
extern void *po_arena_copy(PoArena *arena, const void *value);

#endif							/* PO_ARENA_H */
