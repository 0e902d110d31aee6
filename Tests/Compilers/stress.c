// Uses a store as a crowd of compilers does, for sanitizers to watch:
//
//     stress crowd DIRECTORY SPILL SOCKET    threads at once, on the same objects and actions
//     stress memory DIRECTORY SPILL SOCKET   each allocation of a run fails once
//
// Linked with --wrap for the allocating functions. Says what was wrong, and exits with 1.
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cas.h"

enum { thread_count = 8, round_count = 60, set_count = 20 };

#define REQUIRE(condition)                                                       \
  do {                                                                           \
    if (!(condition)) {                                                          \
      fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);    \
      exit(1);                                                                   \
    }                                                                            \
  } while (0)

// --- allocations that fail ---

// The number of the allocation that fails, from now on; 0: none.
static long failing;
static bool has_failed;

static bool fails(void) {
  if (failing == 0 || --failing > 0) return false;
  return has_failed = true;
}

void *__real_malloc(size_t);
void *__real_calloc(size_t, size_t);
char *__real_strdup(const char *);
void *__wrap_malloc(size_t size) { return fails() ? NULL : __real_malloc(size); }
void *__wrap_calloc(size_t count, size_t size) { return fails() ? NULL : __real_calloc(count, size); }
char *__wrap_strdup(const char *text) { return fails() ? NULL : __real_strdup(text); }

// --- objects and actions that follow from their numbers ---

// Some small, some mapped, some in between.
static size_t size_of(unsigned number) { return (const size_t[]){10, 5000, 40000, 200000}[number % 4] + number; }

static uint8_t *data_of(unsigned number) {
  size_t size = size_of(number);
  uint8_t *data = __real_malloc(size);
  REQUIRE(data != NULL);
  for (size_t i = 0; i < size; i++) data[i] = (uint8_t)(i * 31 + number);
  return data;
}

static reference *store(cas *cas, unsigned number, reference *const *references, size_t count) {
  uint8_t *data = data_of(number);
  reference *result = cas_store(cas, data, size_of(number), references, count);
  free(data);
  return result;
}

static void check(const object *object, unsigned number) {
  uint8_t *data = data_of(number);
  REQUIRE(object->size == size_of(number) && memcmp(object->data, data, object->size) == 0);
  REQUIRE((uintptr_t)object->data % 8 == 0 && object->data[object->size] == 0);
  free(data);
}

// A value that leads to two outputs. False: no memory.
static bool put_set(cas *cas, unsigned set) {
  reference *outputs[2] = {store(cas, 2 * set, NULL, 0), store(cas, 2 * set + 1, NULL, 0)};
  if (outputs[0] == NULL || outputs[1] == NULL) return false;
  reference *value = store(cas, 1000 + set, outputs, 2);
  return value != NULL && cas_put_action(cas, (uint8_t *)&set, sizeof set, value);
}

// False: it is not to be had.
static bool get_set(cas *cas, unsigned set) {
  reference *value = cas_get_action(cas, (uint8_t *)&set, sizeof set);
  object *top = value == NULL ? NULL : cas_load(cas, value);
  if (top == NULL) return false;
  check(top, 1000 + set);
  REQUIRE(top->count == 2);
  for (unsigned i = 0; i < 2; i++) {
    object *output = cas_load(cas, top->references[i]);
    if (output == NULL) return false;
    check(output, 2 * set + i);
  }
  return true;
}

// --- threads ---

static cas *shared;
static bool is_reading;
static pthread_barrier_t barrier;

static void *work(void *argument) {
  unsigned seed = (unsigned)(uintptr_t)argument;
  pthread_barrier_wait(&barrier);
  for (unsigned round = 0; round < round_count; round++) {
    unsigned set = (unsigned)rand_r(&seed) % set_count;
    if (is_reading) {
      REQUIRE(get_set(shared, set));
      continue;
    }
    REQUIRE(put_set(shared, set));
    REQUIRE(get_set(shared, set));
    const uint8_t unknown[sha256_length] = {(uint8_t)seed};
    REQUIRE(cas_load(shared, cas_reference(shared, unknown)) == NULL);
  }
  return NULL;
}

static void crowd(const cas_options *options, bool reading) {
  shared = cas_open(options);
  REQUIRE(shared != NULL);
  is_reading = reading;
  pthread_t threads[thread_count];
  pthread_barrier_init(&barrier, NULL, thread_count);
  for (uintptr_t i = 0; i < thread_count; i++) REQUIRE(pthread_create(&threads[i], NULL, work, (void *)i) == 0);
  for (size_t i = 0; i < thread_count; i++) pthread_join(threads[i], NULL);
  pthread_barrier_destroy(&barrier);
  // All sets are there for those who come next.
  for (unsigned set = 0; set < set_count; set++) REQUIRE(reading ? get_set(shared, set) : put_set(shared, set));
  cas_close(shared);
}

static void run_out_of_memory(const cas_options *options) {
  for (long number = 1;; number++) {
    has_failed = false;
    failing = number;
    cas *cas = cas_open(options);
    if (cas != NULL) {
      for (unsigned set = 0; set < 2; set++) put_set(cas, set), get_set(cas, set);
      // What only others have.
      get_set(cas, 100);
      cas_close(cas);
    }
    failing = 0;
    if (!has_failed) break;
    // It has done no harm.
    cas = cas_open(options);
    for (unsigned set = 0; set < 2; set++) REQUIRE(put_set(cas, set) && get_set(cas, set));
    cas_close(cas);
  }
}

int main(int count, char **arguments) {
  REQUIRE(count == 5);
  cas_options options = {0}, without_disk, other;
  options.directory = arguments[2], options.spill = arguments[3], options.socket = arguments[4];
  if (strcmp(arguments[1], "memory") == 0) {
    run_out_of_memory(&options);
    options.directory = "/proc/nope";
    run_out_of_memory(&options);
    return 0;
  }
  crowd(&options, false);
  // Opened anew; then by one that has to ask the server; then by those that find the disk full.
  crowd(&options, true);
  other = options;
  REQUIRE(asprintf(&other.directory, "%s-other", options.directory) > 0);
  if (other.socket[0] != 0) crowd(&other, true);
  free(other.directory);
  without_disk = options;
  without_disk.directory = "/proc/nope", without_disk.socket = NULL;
  crowd(&without_disk, false);
  crowd(&without_disk, true);
  without_disk.spill = NULL;
  crowd(&without_disk, false);
  return 0;
}
