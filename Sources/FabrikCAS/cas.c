#define _GNU_SOURCE
#include "cas.h"

#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { object_head = 16, action_head = 16, action_item = sha256_length + 8 };
enum { action_version = 1 };
// Bytes of the body of an object that lies within the actions it belongs to.
enum { small_object = 4096 };
// An action that leads to more is for this machine only.
enum { most_objects = 64, largest_graph = 1 << 30 };
enum { bucket_count = 1 << 14 };

static const char digits[] = "0123456789abcdef";
static const uint8_t object_magic[4] = {'F', 'C', 'A', 'S'}, action_magic[4] = {'F', 'A', 'C', 'T'};

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
  pthread_mutex_t lock;
  reference *buckets[bucket_count];
  kept_action *kept_actions;
};

static void put_number(uint8_t *bytes, uint64_t number, int count) {
  for (int i = 0; i < count; i++) bytes[i] = (uint8_t)(number >> 8 * i);
}

static uint64_t number(const uint8_t *bytes, int count) {
  uint64_t result = 0;
  for (int i = count - 1; i >= 0; i--) result = result << 8 | bytes[i];
  return result;
}

cas *cas_open(const cas_options *options) {
  cas *self = calloc(1, sizeof *self);
  if (self == NULL) return NULL;
  pthread_mutex_init(&self->lock, NULL);
  self->is_private = options->is_private;
  directory_open(&self->directory, options->directory, options->spill);
  server_open(&self->server, options->socket, options->lease, options->directory);
  self->toolchain = strdup(options->toolchain == NULL ? "" : options->toolchain);
  if (options->mapped != NULL && options->mapped[0] == '/') self->mapped = strdup(options->mapped);
  if (options->missed != NULL) self->missed = strdup(options->missed);
  if (self->toolchain != NULL) return self;
  cas_close(self);
  return NULL;
}

void cas_close(cas *self) {
  server_close(&self->server);
  directory_close(&self->directory);
  for (size_t i = 0; i < bucket_count; i++) {
    for (reference *next, *this = self->buckets[i]; this != NULL; this = next) {
      next = this->next;
      object *object = atomic_load(&this->object);
      if (object != NULL) content_free(&object->body);
      free(object);
      free(this);
    }
  }
  for (kept_action *next, *this = self->kept_actions; this != NULL; this = next) {
    next = this->next;
    free(this);
  }
  pthread_mutex_destroy(&self->lock);
  free(self->toolchain), free(self->missed), free(self->mapped);
  free(self);
}

// --- digests ---

bool cas_parse_digest(const char *printed, uint8_t digest[sha256_length]) {
  size_t prefix = sizeof CAS_DIGEST_PREFIX - 1;
  if (strncmp(printed, CAS_DIGEST_PREFIX, prefix) != 0 || strlen(printed) != prefix + 2 * sha256_length) return false;
  for (size_t i = 0; i < 2 * sha256_length; i++) {
    const char *digit = strchr(digits, printed[prefix + i]);
    if (digit == NULL) return false;
    uint8_t value = (uint8_t)(digit - digits);
    digest[i / 2] = (uint8_t)(i % 2 == 0 ? value << 4 : digest[i / 2] | value);
  }
  return true;
}

char *cas_print_digest(const uint8_t digest[sha256_length]) {
  size_t prefix = sizeof CAS_DIGEST_PREFIX - 1;
  char *text = malloc(prefix + 2 * sha256_length + 1);
  if (text == NULL) return NULL;
  memcpy(text, CAS_DIGEST_PREFIX, prefix);
  char *next = text + prefix;
  for (size_t i = 0; i < sha256_length; i++) {
    *next++ = digits[digest[i] >> 4];
    *next++ = digits[digest[i] & 15];
  }
  *next = 0;
  return text;
}

// --- objects ---

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
  for (size_t i = 0; i < count; i++) memcpy(head + object_head + i * sha256_length, references[i]->digest, sha256_length);
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

// Takes in a body that came from the server: it is checked, and kept in the working directory, where other compilers
// that are told of it look for it.
//
// `file`: where the bytes are mapped from; -1: they are in memory.
static object *take_in(cas *self, reference *reference, content body, int file) {
  if (!has_digest(body.bytes, body.size, reference->digest)) {
    content_free(&body);
    return NULL;
  }
  object *made = make_object(self, body);
  if (made == NULL) return NULL;
  directory *directory = &self->directory;
  // It is asked first, for it removes a file that is not whole.
  if (directory_has(directory, kind_object, reference->digest, body.size) ||
      (file >= 0 && directory_link(directory, kind_object, reference->digest, file)) ||
      directory_write(directory, kind_object, reference->digest, &body, 1, false)) {
    atomic_store(&reference->is_stored, true);
  }
  return set_object(reference, made);
}

static object *take_in_file(cas *self, reference *reference, const char *path) {
  int file = path[0] == '/' ? content_open(AT_FDCWD, path) : -1;
  if (file < 0) return NULL;
  struct stat status;
  content body;
  object *result = NULL;
  if (fstat(file, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0 &&
      content_read(file, (size_t)status.st_size, &body)) {
    result = take_in(self, reference, body, file);
  }
  close(file);
  return result;
}

static object *load_here(cas *self, reference *reference) {
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
  if (answer.kind == answer_object && answer.size > 1) {
    if (answer.bytes[0] == 1) {
      // There is one more byte than `size`, of the kind.
      char *path = (char *)answer.bytes + 1;
      path[answer.size - 1] = 0;
      result = take_in_file(self, reference, path);
    } else {
      uint8_t *bytes = malloc(answer.size - 1);
      if (bytes != NULL) {
        memcpy(bytes, answer.bytes + 1, answer.size - 1);
        result = take_in(self, reference, (content){bytes, answer.size - 1, false}, -1);
      }
    }
  }
  free(answer.bytes);
  return result;
}

// From anywhere.
static object *find(cas *self, reference *reference) {
  object *found = load_here(self, reference);
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
         load_here(self, reference) != NULL;
}

// --- actions ---

// Whether a text begins with a path below the mapped directory; slashes may have the backslashes of JSON before them.
static bool is_mapped_path(const cas *self, const uint8_t *text, const uint8_t *end) {
  const char *directory = self->mapped;
  for (; text < end; text++) {
    if (*text == '\\' && text + 1 < end && text[1] == '/') continue;
    if (*directory == 0) return *text == '/';
    if (*text != (uint8_t)*directory++) return false;
  }
  return false;
}

static bool starts(const uint8_t *text, const uint8_t *end, const char *prefix) {
  size_t length = strlen(prefix);
  return (size_t)(end - text) >= length && memcmp(text, prefix, length) == 0;
}

// Adds one module of the list that is loaded, without the paths that a module of the mapped directory has here, if it is
// known by a key. There is a line for each value.
static void add_module(const cas *self, sha256 *hash, const uint8_t *text, const uint8_t *end) {
  static const char *const keys[] = {"\"moduleCacheKey\" : \"", "\"clangModuleCacheKey\" : \""},
                           *const paths[] = {
                               "\"modulePath\" : \"", "\"clangModulePath\" : \"", "\"clangModuleMapPath\" : \""};
  bool has_key = false;
  for (size_t i = 0; i < sizeof keys / sizeof *keys; i++) {
    if (memmem(text, (size_t)(end - text), keys[i], strlen(keys[i])) != NULL) has_key = true;
  }
  for (const uint8_t *next = text; next < end;) {
    const uint8_t *stop = memchr(next, '\n', (size_t)(end - next));
    const uint8_t *line = next, *line_end = stop == NULL ? end : stop + 1;
    next = line_end;
    while (line < line_end && *line == ' ') line++;
    bool is_kept = true;
    for (size_t i = 0; i < sizeof paths / sizeof *paths; i++) {
      if (!starts(line, line_end, paths[i])) continue;
      is_kept = !has_key || !is_mapped_path(self, line + strlen(paths[i]), line_end);
    }
    if (is_kept) sha256_add(hash, line, (size_t)(line_end - line));
  }
}

// Adds the list of modules that are loaded: JSON, an array of objects without objects in them.
static void add_module_list(const cas *self, sha256 *hash, const uint8_t *text, size_t size) {
  for (const uint8_t *end = text + size, *next = text; next < end;) {
    const uint8_t *stop = memchr(next, '}', (size_t)(end - next));
    const uint8_t *module_end = stop == NULL ? end : stop + 1;
    add_module(self, hash, next, module_end);
    next = module_end;
  }
}

// Adds a command line, of which each option ends with a zero byte, without what names files of the mapped directory that
// are known by keys, or that only a debugger is told of. False: something is missing.
static bool add_command_line(cas *self, sha256 *hash, const uint8_t *text, size_t size) {
  static const char cache[] = "-module-cache-path ", debug[] = "-debug-module-path ",
                    list[] = "-explicit-swift-module-map-file ";
  for (const uint8_t *end = text + size, *next = text; next < end;) {
    const uint8_t *stop = memchr(next, 0, (size_t)(end - next));
    const uint8_t *option = next, *option_end = stop == NULL ? end : stop;
    next = stop == NULL ? end : stop + 1;
    if (starts(option, option_end, cache) && is_mapped_path(self, option + sizeof cache - 1, option_end)) continue;
    if (starts(option, option_end, debug) && is_mapped_path(self, option + sizeof debug - 1, option_end)) continue;
    if (starts(option, option_end, list)) {
      char printed[sizeof CAS_DIGEST_PREFIX + 2 * sha256_length];
      size_t length = (size_t)(option_end - option) - (sizeof list - 1);
      uint8_t digest[sha256_length];
      if (length >= sizeof printed) return false;
      memcpy(printed, option + sizeof list - 1, length);
      printed[length] = 0;
      reference *reference = cas_parse_digest(printed, digest) ? cas_reference(self, digest) : NULL;
      object *modules = reference == NULL ? NULL : load_here(self, reference);
      if (modules == NULL || modules->count != 0) return false;
      sha256_add(hash, list, sizeof list);
      add_module_list(self, hash, modules->data, modules->size);
      continue;
    }
    sha256_add(hash, option, (size_t)(next - option));
  }
  return true;
}

// Adds what one of Swift's compilations is known by, apart from paths that do not matter. False: it is none.
//
// The object that the key is the digest of has four bytes, the number of the output, and one reference, to a tree with two
// leaves: the command line and the compiler's version.
static bool add_mapped_key(cas *self, sha256 *hash, const uint8_t *key, size_t size) {
  static const char names[] = "command-lineversion";
  reference *top_reference = size == sha256_length ? cas_reference(self, key) : NULL;
  object *top = top_reference == NULL ? NULL : load_here(self, top_reference);
  if (top == NULL || top->size != 4 || top->count != 1) return false;
  object *tree = load_here(self, top->references[0]);
  size_t length = sizeof names - 1;
  if (tree == NULL || tree->count != 3 || tree->size < length ||
      memcmp(tree->data + tree->size - length, names, length) != 0) {
    return false;
  }
  object *command_line = load_here(self, tree->references[1]);
  if (command_line == NULL || command_line->count != 0) return false;
  sha256_add(hash, top->data, top->size);
  sha256_add(hash, tree->references[2]->digest, sha256_length);
  return add_command_line(self, hash, command_line->data, command_line->size);
}

// The key by which an action is known outside of one compiler.
static void shared_key(cas *self, const uint8_t *key, size_t size, uint8_t result[sha256_length]) {
  sha256 start, hash;
  sha256_begin(&start);
  sha256_add(&start, self->toolchain, strlen(self->toolchain) + 1);
  hash = start;
  if (self->mapped == NULL || !add_mapped_key(self, &hash, key, size)) {
    hash = start;
    sha256_add(&hash, key, size);
  }
  sha256_end(&hash, result);
}

// An action's body, taken apart.
typedef struct {
  const uint8_t *bytes;
  size_t size, count;
  // Of all objects.
  uint64_t total;
  // Of the small ones in the body.
  size_t small_start;
} action;

static const uint8_t *item(const action *self, size_t index) { return self->bytes + action_head + index * action_item; }

static uint64_t item_size(const action *self, size_t index) { return number(item(self, index) + sha256_length, 8); }

static bool action_parse(const uint8_t *bytes, size_t size, action *result) {
  if (size < action_head || memcmp(bytes, action_magic, sizeof action_magic) != 0) return false;
  uint64_t count = number(bytes + 8, 4);
  if (number(bytes + 4, 4) != action_version || number(bytes + 12, 4) != 0) return false;
  if (count < 1 || count > most_objects || size < action_head + count * action_item) return false;
  *result = (action){bytes, size, count, 0, action_head + count * action_item};
  size_t small = 0;
  for (size_t i = 0; i < count; i++) {
    uint64_t body = item_size(result, i);
    if (body > largest_graph) return false;
    result->total += body;
    if (body <= small_object) small += body;
  }
  return result->total <= largest_graph && small == size - result->small_start;
}

// Makes the objects of an action known. False: one is damaged, or not there; `paths`: of the separate ones, from the
// server; NULL: they lie in the working directory.
static bool take_objects(cas *self, const action *action, const uint8_t *paths, size_t paths_size) {
  size_t small = action->small_start;
  for (size_t i = 0; i < action->count; i++) {
    reference *reference = cas_reference(self, item(action, i));
    if (reference == NULL) return false;
    size_t size = item_size(action, i);
    if (size <= small_object) {
      const uint8_t *bytes = action->bytes + small;
      small += size;
      // What comes from the server is kept in a file of its own as well: other compilers are told of its digest alone.
      if (atomic_load(&reference->object) != NULL && (paths == NULL || atomic_load(&reference->is_stored))) continue;
      uint8_t *copy = malloc(size + 1);
      if (copy == NULL) return false;
      memcpy(copy, bytes, size);
      const content body = {copy, size, false};
      if (paths != NULL) {
        if (take_in(self, reference, body, -1) == NULL) return false;
      } else if (has_digest(copy, size, reference->digest)) {
        if (set_object(reference, make_object(self, body)) == NULL) return false;
      } else {
        free(copy);
        return false;
      }
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
    } else if (paths == NULL || take_in_file(self, reference, path) == NULL) {
      return false;
    }
  }
  return true;
}

// Whether whoever has the objects of an action has all that they lead to, as compilers take for granted.
static bool is_closed(cas *self, const action *action) {
  reference *known[most_objects];
  for (size_t i = 0; i < action->count; i++) {
    known[i] = cas_reference(self, item(action, i));
    if (known[i] == NULL) return false;
  }
  for (size_t i = 0; i < action->count; i++) {
    const object *object = load_here(self, known[i]);
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
      value = cas_reference(self, item(&action, 0));
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

// The scanner of Swift's driver puts what it has found out of a file of the toolchain under that file's own digest: every
// machine has it anyway. The key of a compilation leads to other objects.
static bool is_file(cas *self, const uint8_t *key, size_t size) {
  reference *reference = size == sha256_length ? cas_reference(self, key) : NULL;
  object *object = reference == NULL ? NULL : load_here(self, reference);
  return object != NULL && object->count == 0;
}

reference *cas_get_action(cas *self, const uint8_t *compiler_key, size_t size) {
  uint8_t key[sha256_length];
  shared_key(self, compiler_key, size, key);
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
      value = cas_reference(self, item(&action, 0));
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
    const object *object = load_here(self, found[i]);
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

// The body of an action with these objects; NULL: no memory.
static uint8_t *action_body(reference *const *objects, size_t count, size_t *size) {
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
  shared_key(self, compiler_key, size, key);
  reference *objects[most_objects];
  size_t count = collect(self, value, objects);
  bool is_shared = count > 0 && !self->is_private && !is_file(self, compiler_key, size);
  if (count == 0) {
    if (load_here(self, value) == NULL) return keep_in_memory(self, key, value);
    objects[0] = value;
    count = 1;
  }
  size_t body_size;
  uint8_t *body = action_body(objects, count, &body_size);
  if (body == NULL) return false;
  const content parts[] = {{body, body_size, false}};
  bool is_kept = directory_write(&self->directory, kind_action, key, parts, 1, true) || keep_in_memory(self, key, value);
  if (is_shared) server_put_action(&self->server, key, body, body_size);
  free(body);
  return is_kept;
}
