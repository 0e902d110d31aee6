// What the parts of the CAS share: its state, and objects that are on this machine.
#pragma once
#include "bytes.h"
#include "cas.h"

enum { bucket_count = 1 << 14 };

// An action that could not be written, for this process.
typedef struct kept_action {
  uint8_t key[sha256_length];
  reference *value;
  struct kept_action *next;
} kept_action;

struct cas {
  directory directory;
  server server;
  // What tells apart compilers that say the same of themselves.
  char *toolchain;
  // NULL: nobody wants to know.
  char *missed;
  // A directory whose path stays out of keys; NULL: none.
  char *mapped;
  bool is_private;
  // Guards the buckets and the kept actions.
  pthread_mutex_t lock;
  reference *buckets[bucket_count];
  kept_action *kept_actions;
};

// An object that is in memory or in the working directory; NULL: it is in neither.
object *object_load_here(cas *, reference *);
// Takes in a body, which is its from then on: it is checked. NULL: it is not what its digest says, and is freed.
//
// `keeping`: whether it came from the server, and is to be kept in the working directory, where other compilers that
// are told of it look for it; `file`: where the bytes are mapped from, -1: they are in memory.
object *object_take_in(cas *, reference *, content body, bool keeping, int file);
// Takes in a body that the server has in a file.
object *object_take_in_file(cas *, reference *, const char *path);

// The key by which an action is known outside of one compiler.
void action_shared_key(cas *, const uint8_t *key, size_t size, uint8_t result[sha256_length]);
