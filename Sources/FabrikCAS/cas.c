#include <stdlib.h>
#include <string.h>

#include "cas_internal.h"

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

bool cas_parse_digest(const char *printed, uint8_t digest[sha256_length]) {
  size_t prefix = sizeof CAS_DIGEST_PREFIX - 1;
  if (strncmp(printed, CAS_DIGEST_PREFIX, prefix) != 0 || strlen(printed) != prefix + 2 * sha256_length) return false;
  for (size_t i = 0; i < 2 * sha256_length; i++) {
    const char *digit = strchr(hex_digits, printed[prefix + i]);
    if (digit == NULL) return false;
    uint8_t value = (uint8_t)(digit - hex_digits);
    digest[i / 2] = (uint8_t)(i % 2 == 0 ? value << 4 : digest[i / 2] | value);
  }
  return true;
}

char *cas_print_digest(const uint8_t digest[sha256_length]) {
  size_t prefix = sizeof CAS_DIGEST_PREFIX - 1;
  char *text = malloc(prefix + 2 * sha256_length + 1);
  if (text == NULL) return NULL;
  memcpy(text, CAS_DIGEST_PREFIX, prefix);
  *put_hex(text + prefix, digest, sha256_length) = 0;
  return text;
}
