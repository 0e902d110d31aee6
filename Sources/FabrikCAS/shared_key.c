// What compilations in other directories have in common: keys without the paths that do not matter.
#define _GNU_SOURCE
#include <string.h>

#include "cas_internal.h"

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

// Adds one module of the list that is loaded, without the paths that a module of the mapped directory has here, if it
// is known by a key. There is a line for each value.
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

// Adds a command line, of which each option ends with a zero byte, without what names files of the mapped directory
// that are known by keys, or that only a debugger is told of. False: something is missing.
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
      object *modules = reference == NULL ? NULL : object_load_here(self, reference);
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
// The object that the key is the digest of has four bytes, the number of the output, and one reference, to a tree with
// two leaves: the command line and the compiler's version.
static bool add_mapped_key(cas *self, sha256 *hash, const uint8_t *key, size_t size) {
  static const char names[] = "command-lineversion";
  reference *top_reference = size == sha256_length ? cas_reference(self, key) : NULL;
  object *top = top_reference == NULL ? NULL : object_load_here(self, top_reference);
  if (top == NULL || top->size != 4 || top->count != 1) return false;
  object *tree = object_load_here(self, top->references[0]);
  size_t length = sizeof names - 1;
  if (tree == NULL || tree->count != 3 || tree->size < length ||
      memcmp(tree->data + tree->size - length, names, length) != 0) {
    return false;
  }
  object *command_line = object_load_here(self, tree->references[1]);
  if (command_line == NULL || command_line->count != 0) return false;
  sha256_add(hash, top->data, top->size);
  sha256_add(hash, tree->references[2]->digest, sha256_length);
  return add_command_line(self, hash, command_line->data, command_line->size);
}

void action_shared_key(cas *self, const uint8_t *key, size_t size, uint8_t result[sha256_length]) {
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
