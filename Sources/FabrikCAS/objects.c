#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cas_internal.h"

enum { object_head = 16 };

static const uint8_t object_magic[4] = {'F', 'C', 'A', 'S'};

reference *cas_reference(cas *self, const uint8_t digest[sha256_length]) {
  reference **bucket = &self->buckets[number(digest, 2) % bucket_count];
  pthread_mutex_lock(&self->lock);
  reference *found = *bucket;
  while (found != NULL && memcmp(found->digest, digest, sha256_length) != 0) found = found->next;
  if (found == NULL && (found = calloc(1, sizeof *found)) != NULL) {
    memcpy(found->digest, digest, sha256_length);
    found->next = *bucket;
    *bucket = found;
  }
  pthread_mutex_unlock(&self->lock);
  return found;
}

// Makes an object of a body, which is its from then on; NULL: the body is none, and is freed.
static object *make_object(cas *self, content body) {
  const uint8_t *bytes = body.bytes;
  object *made = NULL;
  if (body.size <= object_head || memcmp(bytes, object_magic, sizeof object_magic) != 0) goto failed;
  uint64_t count = number(bytes + 4, 4), size = number(bytes + 8, 8);
  uint64_t rest = body.size - object_head - 1;
  if (count > rest / sha256_length || size != rest - count * sha256_length || bytes[body.size - 1] != 0) goto failed;
  made = malloc(sizeof *made + count * sizeof *made->references);
  if (made == NULL) goto failed;
  made->body = body;
  made->data = bytes + object_head + count * sha256_length;
  made->size = size;
  made->count = count;
  for (uint64_t i = 0; i < count; i++) {
    made->references[i] = cas_reference(self, bytes + object_head + i * sha256_length);
    if (made->references[i] == NULL) goto failed;
  }
  return made;
failed:
  free(made);
  content_free(&body);
  return NULL;
}

// Makes an object known, unless another thread was first.
static object *set_object(reference *reference, object *made) {
  object *expected = NULL;
  if (made == NULL) return atomic_load(&reference->object);
  if (atomic_compare_exchange_strong(&reference->object, &expected, made)) return made;
  content_free(&made->body);
  free(made);
  return expected;
}

static bool has_digest(const uint8_t *bytes, size_t size, const uint8_t expected[sha256_length]) {
  sha256 hash;
  uint8_t digest[sha256_length];
  sha256_begin(&hash);
  sha256_add(&hash, bytes, size);
  sha256_end(&hash, digest);
  return memcmp(digest, expected, sha256_length) == 0;
}

reference *cas_store(cas *self, const void *data, size_t size, reference *const *references, size_t count) {
  if (count > UINT32_MAX) return NULL;
  size_t head_size = object_head + count * sha256_length;
  uint8_t small_head[object_head + 8 * sha256_length];
  uint8_t *head = head_size <= sizeof small_head ? small_head : malloc(head_size);
  if (head == NULL) return NULL;
  memcpy(head, object_magic, sizeof object_magic);
  put_number(head + 4, count, 4);
  put_number(head + 8, size, 8);
  uint8_t *next = head + object_head;
  for (size_t i = 0; i < count; i++, next += sha256_length) memcpy(next, references[i]->digest, sha256_length);
  const uint8_t end = 0;
  sha256 hash;
  uint8_t digest[sha256_length];
  sha256_begin(&hash);
  sha256_add(&hash, head, head_size);
  sha256_add(&hash, data, size);
  sha256_add(&hash, &end, 1);
  sha256_end(&hash, digest);
  reference *result = cas_reference(self, digest);
  if (result == NULL || atomic_load(&result->is_stored)) goto done;
  const content parts[] = {{head, head_size, false}, {data, size, false}, {&end, 1, false}};
  if (directory_has(&self->directory, kind_object, digest, head_size + size + 1) ||
      directory_write(&self->directory, kind_object, digest, parts, 3, false)) {
    atomic_store(&result->is_stored, true);
  } else if (atomic_load(&result->object) == NULL) {
    // There is no room on any disk: it is there for this process at least.
    uint8_t *bytes = malloc(head_size + size + 1), *next = bytes;
    if (bytes == NULL) {
      result = NULL;
      goto done;
    }
    for (size_t i = 0; i < 3; i++) {
      if (parts[i].size > 0) memcpy(next, parts[i].bytes, parts[i].size);
      next += parts[i].size;
    }
    if (set_object(result, make_object(self, (content){bytes, head_size + size + 1, false})) == NULL) result = NULL;
  }
done:
  if (head != small_head) free(head);
  return result;
}

static void keep(cas *self, reference *reference, const content *body, int file) {
  directory *directory = &self->directory;
  // It is asked first, for it removes a file that is not whole.
  if (directory_has(directory, kind_object, reference->digest, body->size) ||
      (file >= 0 && directory_link(directory, kind_object, reference->digest, file)) ||
      directory_write(directory, kind_object, reference->digest, body, 1, false)) {
    atomic_store(&reference->is_stored, true);
  }
}

object *object_take_in(cas *self, reference *reference, content body, bool keeping, int file) {
  if (!has_digest(body.bytes, body.size, reference->digest)) {
    content_free(&body);
    return NULL;
  }
  object *made = make_object(self, body);
  if (made != NULL && keeping) keep(self, reference, &made->body, file);
  return set_object(reference, made);
}

object *object_take_in_file(cas *self, reference *reference, const char *path) {
  int file = path[0] == '/' ? content_open(AT_FDCWD, path) : -1;
  if (file < 0) return NULL;
  struct stat status;
  content body;
  object *result = NULL;
  if (fstat(file, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0 &&
      content_read(file, (size_t)status.st_size, &body)) {
    result = object_take_in(self, reference, body, true, file);
  }
  close(file);
  return result;
}

object *object_load_here(cas *self, reference *reference) {
  object *found = atomic_load(&reference->object);
  if (found != NULL) return found;
  content body;
  if (!directory_read(&self->directory, kind_object, reference->digest, &body)) return NULL;
  found = set_object(reference, make_object(self, body));
  if (found != NULL) atomic_store(&reference->is_stored, true);
  return found;
}

static object *fetch(cas *self, reference *reference) {
  answer answer;
  if (!server_get_object(&self->server, reference->digest, &answer)) return NULL;
  object *result = NULL;
  if (answer.kind == answer_object) {
    // There is one more byte than `size`, of the kind.
    char *path = (char *)answer.bytes;
    path[answer.size] = 0;
    result = object_take_in_file(self, reference, path);
  }
  free(answer.bytes);
  return result;
}

// From anywhere.
static object *find(cas *self, reference *reference) {
  object *found = object_load_here(self, reference);
  return found == NULL ? fetch(self, reference) : found;
}

bool cas_can_load(cas *self, reference *reference) { return find(self, reference) != NULL; }

object *cas_load(cas *self, reference *reference) {
  object *found = find(self, reference);
  if (found == NULL && self->missed != NULL) {
    int mark = open(self->missed, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
    if (mark >= 0) close(mark);
  }
  return found;
}

bool cas_has(cas *self, reference *reference) {
  return atomic_load(&reference->object) != NULL || atomic_load(&reference->is_stored) ||
         object_load_here(self, reference) != NULL;
}
