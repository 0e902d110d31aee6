#include "action_body.h"

#include <stdlib.h>
#include <string.h>

#include "bytes.h"

enum { action_head = 16, action_item = sha256_length + 8 };
enum { action_version = 1 };

static const uint8_t action_magic[4] = {'F', 'A', 'C', 'T'};

const uint8_t *action_digest(const action *self, size_t index) {
  return self->bytes + action_head + index * action_item;
}

uint64_t action_size(const action *self, size_t index) { return number(action_digest(self, index) + sha256_length, 8); }

bool action_parse(const uint8_t *bytes, size_t size, action *result) {
  if (size < action_head || memcmp(bytes, action_magic, sizeof action_magic) != 0) return false;
  uint64_t count = number(bytes + 8, 4);
  if (number(bytes + 4, 4) != action_version || number(bytes + 12, 4) != 0) return false;
  if (count < 1 || count > most_objects || size < action_head + count * action_item) return false;
  *result = (action){bytes, size, count, 0, action_head + count * action_item};
  size_t small = 0;
  for (size_t i = 0; i < count; i++) {
    uint64_t body = action_size(result, i);
    if (body > largest_graph) return false;
    result->total += body;
    if (body <= small_object) small += body;
  }
  return result->total <= largest_graph && small == size - result->small_start;
}

uint8_t *action_encode(reference *const *objects, size_t count, size_t *size) {
  size_t small = 0;
  for (size_t i = 0; i < count; i++) {
    size_t body = atomic_load(&objects[i]->object)->body.size;
    if (body <= small_object) small += body;
  }
  *size = action_head + count * action_item + small;
  uint8_t *bytes = calloc(1, *size);
  if (bytes == NULL) return NULL;
  memcpy(bytes, action_magic, sizeof action_magic);
  put_number(bytes + 4, action_version, 4);
  put_number(bytes + 8, count, 4);
  uint8_t *next = bytes + action_head, *data = next + count * action_item;
  for (size_t i = 0; i < count; i++, next += action_item) {
    const content *body = &atomic_load(&objects[i]->object)->body;
    memcpy(next, objects[i]->digest, sha256_length);
    put_number(next + sha256_length, body->size, 8);
    if (body->size > small_object) continue;
    memcpy(data, body->bytes, body->size);
    data += body->size;
  }
  return bytes;
}
