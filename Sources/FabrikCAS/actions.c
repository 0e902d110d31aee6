#include <stdlib.h>
#include <string.h>

#include "action_body.h"
#include "cas_internal.h"

// Makes the objects of an action known. False: one is damaged, or not there; `paths`: of the separate ones, from the
// server; NULL: they lie in the working directory.
static bool take_objects(cas *self, const action *action, const uint8_t *paths, size_t paths_size) {
  size_t small = action->small_start;
  for (size_t i = 0; i < action->count; i++) {
    reference *reference = cas_reference(self, action_digest(action, i));
    if (reference == NULL) return false;
    size_t size = action_size(action, i);
    if (size <= small_object) {
      const uint8_t *bytes = action->bytes + small;
      small += size;
      // What comes from the server is kept in a file of its own as well: other compilers are told of its digest alone.
      if (atomic_load(&reference->object) != NULL && (paths == NULL || atomic_load(&reference->is_stored))) continue;
      uint8_t *copy = malloc(size + 1);
      if (copy == NULL) return false;
      memcpy(copy, bytes, size);
      const content body = {copy, size, false};
      if (object_take_in(self, reference, body, paths != NULL, -1) == NULL) return false;
      continue;
    }
    char path[4096];
    if (paths != NULL) {
      if (paths_size < 2) return false;
      size_t length = number(paths, 2);
      if (length > paths_size - 2 || length >= sizeof path) return false;
      memcpy(path, paths + 2, length);
      path[length] = 0;
      paths += 2 + length, paths_size -= 2 + length;
    }
    if (atomic_load(&reference->object) != NULL || atomic_load(&reference->is_stored)) continue;
    if (directory_has(&self->directory, kind_object, reference->digest, size)) {
      atomic_store(&reference->is_stored, true);
    } else if (paths == NULL || object_take_in_file(self, reference, path) == NULL) {
      return false;
    }
  }
  return true;
}

// Whether whoever has the objects of an action has all that they lead to, as compilers take for granted.
static bool is_closed(cas *self, const action *action) {
  reference *known[most_objects];
  for (size_t i = 0; i < action->count; i++) {
    known[i] = cas_reference(self, action_digest(action, i));
    if (known[i] == NULL) return false;
  }
  for (size_t i = 0; i < action->count; i++) {
    const object *object = object_load_here(self, known[i]);
    if (object == NULL) return false;
    for (size_t j = 0; j < object->count; j++) {
      size_t k = 0;
      while (k < action->count && known[k] != object->references[j]) k++;
      if (k == action->count) return false;
    }
  }
  return true;
}

static reference *get_here(cas *self, const uint8_t key[sha256_length]) {
  content body;
  if (directory_read(&self->directory, kind_action, key, &body)) {
    action action;
    reference *value = NULL;
    uint64_t total = 0;
    if (action_parse(body.bytes, body.size, &action) && take_objects(self, &action, NULL, 0)) {
      value = cas_reference(self, action_digest(&action, 0));
      total = action.total;
    }
    content_free(&body);
    if (value != NULL) {
      server_used_action(&self->server, key, total);
      return value;
    }
  }
  reference *value = NULL;
  pthread_mutex_lock(&self->lock);
  for (kept_action *kept = self->kept_actions; kept != NULL && value == NULL; kept = kept->next) {
    if (memcmp(kept->key, key, sha256_length) == 0) value = kept->value;
  }
  pthread_mutex_unlock(&self->lock);
  return value;
}

// The scanner of Swift's driver puts what it has found out of a file of the toolchain under that file's own digest:
// every machine has it anyway. The key of a compilation leads to other objects.
static bool is_file(cas *self, const uint8_t *key, size_t size) {
  reference *reference = size == sha256_length ? cas_reference(self, key) : NULL;
  object *object = reference == NULL ? NULL : object_load_here(self, reference);
  return object != NULL && object->count == 0;
}

reference *cas_get_action(cas *self, const uint8_t *compiler_key, size_t size) {
  uint8_t key[sha256_length];
  action_shared_key(self, compiler_key, size, key);
  reference *value = get_here(self, key);
  answer answer;
  if (value != NULL || is_file(self, compiler_key, size) || !server_get_action(&self->server, key, &answer)) {
    return value;
  }
  if (answer.kind == answer_hit && answer.size >= 4) {
    size_t length = number(answer.bytes, 4);
    action action;
    if (length <= answer.size - 4 && action_parse(answer.bytes + 4, length, &action) &&
        take_objects(self, &action, answer.bytes + 4 + length, answer.size - 4 - length) && is_closed(self, &action)) {
      value = cas_reference(self, action_digest(&action, 0));
      const content body = {answer.bytes + 4, length, false};
      directory_write(&self->directory, kind_action, key, &body, 1, true);
    }
  }
  free(answer.bytes);
  return value;
}

// All that a value leads to, the value first. Returns how many, 0 when there are too many, or one is not there.
static size_t collect(cas *self, reference *value, reference *found[most_objects]) {
  size_t count = 1;
  uint64_t total = 0;
  found[0] = value;
  for (size_t i = 0; i < count; i++) {
    const object *object = object_load_here(self, found[i]);
    if (object == NULL || (total += object->body.size) > largest_graph) return 0;
    for (size_t j = 0; j < object->count; j++) {
      size_t known = 0;
      while (known < count && found[known] != object->references[j]) known++;
      if (known < count) continue;
      if (count == most_objects) return 0;
      found[count++] = object->references[j];
    }
  }
  return count;
}

static bool keep_in_memory(cas *self, const uint8_t key[sha256_length], reference *value) {
  kept_action *kept = malloc(sizeof *kept);
  if (kept == NULL) return false;
  memcpy(kept->key, key, sha256_length);
  kept->value = value;
  pthread_mutex_lock(&self->lock);
  kept->next = self->kept_actions;
  self->kept_actions = kept;
  pthread_mutex_unlock(&self->lock);
  return true;
}

bool cas_put_action(cas *self, const uint8_t *compiler_key, size_t size, reference *value) {
  uint8_t key[sha256_length];
  action_shared_key(self, compiler_key, size, key);
  reference *objects[most_objects];
  size_t count = collect(self, value, objects);
  bool is_shared = count > 0 && !self->is_private && !is_file(self, compiler_key, size);
  if (count == 0) {
    if (object_load_here(self, value) == NULL) return keep_in_memory(self, key, value);
    objects[0] = value;
    count = 1;
  }
  size_t body_size;
  uint8_t *body = action_encode(objects, count, &body_size);
  if (body == NULL) return false;
  const content parts[] = {{body, body_size, false}};
  bool is_kept =
      directory_write(&self->directory, kind_action, key, parts, 1, true) || keep_in_memory(self, key, value);
  if (is_shared) server_put_action(&self->server, key, body, body_size);
  free(body);
  return is_kept;
}
