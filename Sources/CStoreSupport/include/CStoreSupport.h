// What the store needs from C: XXH3 (the inline header of libxxhash), atomics on memory shared between processes, and
// Linux calls that Swift's Glibc module does not show because it is built without _GNU_SOURCE.
#pragma once
#include <stddef.h>
#include <stdint.h>

typedef struct {
  uint64_t low;
  uint64_t high;
} fabrik_xxh128;

// XXH3-64 of `length` bytes.
uint64_t fabrik_xxh3_64(const void *data, size_t length);
// XXH3-128 of `length` bytes.
fabrik_xxh128 fabrik_xxh3_128(const void *data, size_t length);

// A streaming XXH3-128; create returns NULL when memory is exhausted.
void *fabrik_xxh3_create(void);
void fabrik_xxh3_update(void *state, const void *data, size_t length);
fabrik_xxh128 fabrik_xxh3_digest(const void *state);
void fabrik_xxh3_free(void *state);

// Sequentially consistent atomics on a naturally aligned word, also of a MAP_SHARED page.
int64_t fabrik_atomic_add(int64_t *word, int64_t delta);
int64_t fabrik_atomic_load(const int64_t *word);
void fabrik_atomic_store(int64_t *word, int64_t value);

// Renames a file unless there is one of the new name: 0, or -1 with errno (EEXIST when `to` is there).
int fabrik_rename_noreplace(const char *from, const char *to);
