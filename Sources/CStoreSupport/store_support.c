#define _GNU_SOURCE
#define XXH_INLINE_ALL
#include "CStoreSupport.h"
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>
#include <xxhash.h>

static fabrik_xxh128 from_xxh(XXH128_hash_t hash) {
  fabrik_xxh128 result = {hash.low64, hash.high64};
  return result;
}

uint64_t fabrik_xxh3_64(const void *data, size_t length) { return XXH3_64bits(data, length); }

fabrik_xxh128 fabrik_xxh3_128(const void *data, size_t length) { return from_xxh(XXH3_128bits(data, length)); }

void *fabrik_xxh3_create(void) {
  XXH3_state_t *state = XXH3_createState();
  if (state != NULL) XXH3_128bits_reset(state);
  return state;
}

void fabrik_xxh3_update(void *state, const void *data, size_t length) { XXH3_128bits_update(state, data, length); }

fabrik_xxh128 fabrik_xxh3_digest(const void *state) { return from_xxh(XXH3_128bits_digest(state)); }

void fabrik_xxh3_free(void *state) { XXH3_freeState(state); }

int64_t fabrik_atomic_add(int64_t *word, int64_t delta) { return __atomic_add_fetch(word, delta, __ATOMIC_SEQ_CST); }

int64_t fabrik_atomic_load(const int64_t *word) { return __atomic_load_n(word, __ATOMIC_SEQ_CST); }

void fabrik_atomic_store(int64_t *word, int64_t value) { __atomic_store_n(word, value, __ATOMIC_SEQ_CST); }

int fabrik_rename_noreplace(const char *from, const char *to) {
  if (renameat2(AT_FDCWD, from, AT_FDCWD, to, RENAME_NOREPLACE) == 0) return 0;
  if (errno != EINVAL && errno != ENOSYS) return -1;
  // NFS and some FUSE file systems do not know the flag; a link does not replace anything either.
  if (link(from, to) != 0) return -1;
  unlink(from);
  return 0;
}
