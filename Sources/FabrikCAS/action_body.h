// The body of an action; see cas.h. The server reads it as well: Sources/FrontEnds/CompilerAction.swift has the same
// limits.
#pragma once
#include "cas.h"

// Bytes of the body of an object that lies within the actions it belongs to.
enum { small_object = 4096 };
// An action that leads to more is for this machine only.
enum { most_objects = 64, largest_graph = 1 << 30 };

// An action's body, taken apart.
typedef struct {
  const uint8_t *bytes;
  size_t size, count;
  // Of all objects.
  uint64_t total;
  // Of the small ones in the body.
  size_t small_start;
} action;

// False: the bytes are none.
bool action_parse(const uint8_t *bytes, size_t size, action *);
// Of an object.
const uint8_t *action_digest(const action *, size_t index);
uint64_t action_size(const action *, size_t index);

// The body of an action with these objects, which are in memory; NULL: no memory.
uint8_t *action_encode(reference *const *objects, size_t count, size_t *size);
