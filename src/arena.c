/*
 * arena.c
 *		Memory for many small pieces that go together.  See arena.h.
 */
#include "postgres.h"

#include "utils/memutils.h"

#include "arena.h"
#include "compat.h"

#define BLOCK_SIZE		(64 * 1024)

void *
po_arena_alloc(PoArena *arena, Size size)
{
	void	   *result;

	size = MAXALIGN(Max(size, 1));
	if (size > arena->left)
	{
		arena->left = Max(size, BLOCK_SIZE);
		arena->block = MemoryContextAlloc(arena->context, arena->left);
	}
	result = arena->block;
	arena->block += size;
	arena->left -= size;
	return result;
}

void *
po_arena_copy(PoArena *arena, const void *value)
{
	return value == NULL ? NULL :
		memcpy(po_arena_alloc(arena, VARSIZE_ANY(value)), value, VARSIZE_ANY(value));
}
