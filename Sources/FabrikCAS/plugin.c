// libFabrikCAS.so: is loaded into swift-frontend, Swift's driver and clang as the store of their compilation cache.
//
// The functions are those of LLVM's CAS plugin interface, version 0.1 (llvm-c/CAS/PluginAPI_functions.h), as Swift 6.3
// calls it. Nothing that goes wrong with the server or a disk is an error to the compiler: it is a miss.
#include <stdlib.h>
#include <string.h>

#include "cas.h"

#define EXPORTED __attribute__((visibility("default")))

enum { version_major = 0, version_minor = 1 };

// Names of the environment's variables, and of the option that each compiler gets.
#define SOCKET_VARIABLE "FABRIK_CAS_SOCKET"
#define LEASE_VARIABLE "FABRIK_CAS_LEASE"
#define SPILL_VARIABLE "FABRIK_CAS_SPILL"
#define MISSED_VARIABLE "FABRIK_CAS_MISSED"
#define TOOLCHAIN_OPTION "toolchain"
#define MAPPED_OPTION "mapped"
#define SHARING_OPTION "sharing"

typedef struct {
  const uint8_t *data;
  size_t size;
} llcas_digest_t;

typedef struct {
  const void *data;
  size_t size;
} llcas_data_t;

typedef struct {
  uint64_t opaque;
} llcas_objectid_t;

typedef struct {
  uint64_t opaque;
} llcas_loaded_object_t;

typedef struct {
  uint64_t opaque_b, opaque_e;
} llcas_object_refs_t;

typedef enum { lookup_success = 0, lookup_not_found = 1, lookup_error = 2 } llcas_lookup_result_t;

typedef struct cancellable *llcas_cancellable_t;
typedef void (*llcas_cas_load_object_cb)(void *context, llcas_lookup_result_t, llcas_loaded_object_t, char *error);
typedef void (*llcas_actioncache_get_cb)(void *context, llcas_lookup_result_t, llcas_objectid_t, char *error);
typedef void (*llcas_actioncache_put_cb)(void *context, bool failed, char *error);

// True, for "failed".
static bool fail(char **error, const char *message) {
  if (error != NULL) *error = strdup(message);
  return true;
}

static llcas_objectid_t id_of(reference *reference) { return (llcas_objectid_t){(uintptr_t)reference}; }
static reference *reference_of(llcas_objectid_t id) { return (reference *)(uintptr_t)id.opaque; }
static object *object_of(llcas_loaded_object_t loaded) { return (object *)(uintptr_t)loaded.opaque; }

EXPORTED void llcas_get_plugin_version(unsigned *major, unsigned *minor) {
  *major = version_major;
  *minor = version_minor;
}

EXPORTED void llcas_string_dispose(char *string) { free(string); }

// --- options ---

EXPORTED cas_options *llcas_cas_options_create(void) { return calloc(1, sizeof(cas_options)); }

EXPORTED void llcas_cas_options_dispose(cas_options *options) {
  if (options == NULL) return;
  free(options->directory), free(options->toolchain), free(options->mapped);
  free(options);
}

EXPORTED void llcas_cas_options_set_client_version(cas_options *options, unsigned major, unsigned minor) {
  (void)options, (void)major, (void)minor;
}

// False: no memory.
static bool set(char **option, const char *value) {
  free(*option);
  *option = value == NULL ? NULL : strdup(value);
  return value == NULL || *option != NULL;
}

EXPORTED void llcas_cas_options_set_ondisk_path(cas_options *options, const char *path) {
  if (options != NULL) set(&options->directory, path);
}

// Options that are not known are those of another version, and none of the compiler's business.
EXPORTED bool llcas_cas_options_set_option(cas_options *options, const char *name, const char *value, char **error) {
  if (options == NULL || name == NULL) return false;
  bool is_set = true;
  if (strcmp(name, TOOLCHAIN_OPTION) == 0) is_set = set(&options->toolchain, value);
  if (strcmp(name, SHARING_OPTION) == 0) options->is_private = value != NULL && strcmp(value, "off") == 0;
  if (strcmp(name, MAPPED_OPTION) == 0) is_set = set(&options->mapped, value);
  // Without one of them, keys would be those of another toolchain.
  return is_set ? false : fail(error, "no memory");
}

// --- the store ---

EXPORTED cas *llcas_cas_create(const cas_options *options, char **error) {
  cas_options all = options == NULL ? (cas_options){0} : *options;
  all.socket = getenv(SOCKET_VARIABLE), all.lease = getenv(LEASE_VARIABLE), all.spill = getenv(SPILL_VARIABLE);
  all.missed = getenv(MISSED_VARIABLE);
  cas *made = cas_open(&all);
  if (made == NULL) fail(error, "no memory for Fabrik's cache");
  return made;
}

EXPORTED void llcas_cas_dispose(cas *self) {
  if (self != NULL) cas_close(self);
}

EXPORTED char *llcas_cas_get_hash_schema_name(cas *self) {
  (void)self;
  return strdup("fabrik-sha256-1");
}

EXPORTED unsigned llcas_digest_parse(cas *self, const char *printed, uint8_t *bytes, size_t size, char **error) {
  (void)self;
  uint8_t digest[sha256_length];
  if (!cas_parse_digest(printed, digest)) {
    fail(error, "not a digest of Fabrik's");
    return 0;
  }
  if (size >= sha256_length) memcpy(bytes, digest, sha256_length);
  return sha256_length;
}

EXPORTED bool llcas_digest_print(cas *self, llcas_digest_t digest, char **printed, char **error) {
  (void)self;
  if (digest.size != sha256_length) return fail(error, "not a digest of Fabrik's");
  *printed = cas_print_digest(digest.data);
  return *printed == NULL ? fail(error, "no memory") : false;
}

// --- objects ---

EXPORTED bool llcas_cas_get_objectid(cas *self, llcas_digest_t digest, llcas_objectid_t *id, char **error) {
  if (digest.size != sha256_length) return fail(error, "not a digest of Fabrik's");
  reference *reference = cas_reference(self, digest.data);
  if (reference == NULL) return fail(error, "no memory");
  *id = id_of(reference);
  return false;
}

EXPORTED llcas_digest_t llcas_objectid_get_digest(cas *self, llcas_objectid_t id) {
  (void)self;
  return (llcas_digest_t){reference_of(id)->digest, sha256_length};
}

EXPORTED llcas_lookup_result_t llcas_cas_contains_object(cas *self, llcas_objectid_t id, bool globally, char **error) {
  (void)error;
  reference *reference = reference_of(id);
  bool is_there = globally ? cas_can_load(self, reference) : cas_has(self, reference);
  return is_there ? lookup_success : lookup_not_found;
}

EXPORTED llcas_lookup_result_t llcas_cas_load_object(cas *self, llcas_objectid_t id, llcas_loaded_object_t *loaded,
                                                     char **error) {
  (void)error;
  object *object = cas_load(self, reference_of(id));
  if (object == NULL) return lookup_not_found;
  loaded->opaque = (uintptr_t)object;
  return lookup_success;
}

EXPORTED void llcas_cas_load_object_async(cas *self, llcas_objectid_t id, void *context,
                                          llcas_cas_load_object_cb callback, llcas_cancellable_t *cancellable) {
  if (cancellable != NULL) *cancellable = NULL;
  llcas_loaded_object_t loaded = {0};
  llcas_lookup_result_t result = llcas_cas_load_object(self, id, &loaded, NULL);
  callback(context, result, loaded, NULL);
}

EXPORTED bool llcas_cas_store_object(cas *self, llcas_data_t data, const llcas_objectid_t *references, size_t count,
                                     llcas_objectid_t *id, char **error) {
  // An identifier is a pointer in 64 bits.
  _Static_assert(sizeof(llcas_objectid_t) == sizeof(reference *), "64 bits");
  reference *stored = cas_store(self, data.data, data.size, (reference *const *)references, count);
  if (stored == NULL) return fail(error, "no memory");
  *id = id_of(stored);
  return false;
}

EXPORTED llcas_data_t llcas_loaded_object_get_data(cas *self, llcas_loaded_object_t loaded) {
  (void)self;
  return (llcas_data_t){object_of(loaded)->data, object_of(loaded)->size};
}

EXPORTED llcas_object_refs_t llcas_loaded_object_get_refs(cas *self, llcas_loaded_object_t loaded) {
  (void)self;
  const object *object = object_of(loaded);
  return (llcas_object_refs_t){(uintptr_t)object->references, (uintptr_t)(object->references + object->count)};
}

EXPORTED size_t llcas_object_refs_get_count(cas *self, llcas_object_refs_t references) {
  (void)self;
  return (references.opaque_e - references.opaque_b) / sizeof(reference *);
}

EXPORTED llcas_objectid_t llcas_object_refs_get_id(cas *self, llcas_object_refs_t references, size_t index) {
  (void)self;
  return id_of(((reference **)(uintptr_t)references.opaque_b)[index]);
}

// --- actions ---

EXPORTED llcas_lookup_result_t llcas_actioncache_get_for_digest(cas *self, llcas_digest_t key, llcas_objectid_t *value,
                                                                bool globally, char **error) {
  (void)globally, (void)error;
  reference *found = cas_get_action(self, key.data, key.size);
  if (found == NULL) return lookup_not_found;
  *value = id_of(found);
  return lookup_success;
}

EXPORTED void llcas_actioncache_get_for_digest_async(cas *self, llcas_digest_t key, bool globally, void *context,
                                                     llcas_actioncache_get_cb callback,
                                                     llcas_cancellable_t *cancellable) {
  if (cancellable != NULL) *cancellable = NULL;
  llcas_objectid_t value = {0};
  llcas_lookup_result_t result = llcas_actioncache_get_for_digest(self, key, &value, globally, NULL);
  callback(context, result, value, NULL);
}

EXPORTED bool llcas_actioncache_put_for_digest(cas *self, llcas_digest_t key, llcas_objectid_t value, bool globally,
                                               char **error) {
  (void)globally;
  return cas_put_action(self, key.data, key.size, reference_of(value)) ? false : fail(error, "no memory");
}

EXPORTED void llcas_actioncache_put_for_digest_async(cas *self, llcas_digest_t key, llcas_objectid_t value,
                                                     bool globally, void *context, llcas_actioncache_put_cb callback,
                                                     llcas_cancellable_t *cancellable) {
  if (cancellable != NULL) *cancellable = NULL;
  char *error = NULL;
  bool failed = llcas_actioncache_put_for_digest(self, key, value, globally, &error);
  callback(context, failed, error);
}
