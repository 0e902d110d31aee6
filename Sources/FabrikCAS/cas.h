// Objects and actions: in memory, in the working directory, and at the server.
//
// The body of an object, whose SHA-256 is its digest: "FCAS", number of references (4 bytes), size of the data (8), the
// references' digests, the data, a zero byte. Integers are little endian. Data lies at a multiple of 8, and is followed
// by a zero byte, as LLVM wants it.
//
// The body of an action: "FACT", version (4), number of objects (4), zero (4); of each its digest and the size of its
// body (8); the bodies of those that are not larger than 4096 bytes. The first object is the action's value, the others
// are all that it leads to.
#pragma once
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "directory.h"
#include "server.h"

typedef struct cas cas;
typedef struct reference reference;

// An object in memory; it stays as long as its CAS.
typedef struct {
  content body;
  const uint8_t *data;
  size_t size, count;
  reference *references[];
} object;

// An object that may be had, or not.
struct reference {
  uint8_t digest[sha256_length];
  _Atomic(object *) object;
  // Whether it is known to lie in the working directory.
  atomic_bool is_stored;
  reference *next;
};

typedef struct {
  // `missed`: a file to make when nobody has an object that a compiler was told of.
  char *directory, *spill, *socket, *lease, *toolchain, *missed;
  // `mapped`: the directory whose path compilers replace by another one.
  char *mapped;
  // Whether what is compiled is of no use to others.
  bool is_private;
} cas_options;

// A digest as compilers print it: this, and hexadecimal digits.
#define CAS_DIGEST_PREFIX "fabrik://"

bool cas_parse_digest(const char *printed, uint8_t digest[sha256_length]);
// The caller's, to be freed; NULL: no memory.
char *cas_print_digest(const uint8_t digest[sha256_length]);

// Never fails for want of a directory or a server; NULL: no memory.
cas *cas_open(const cas_options *);
void cas_close(cas *);

// The reference to an object, which need not be there; NULL: no memory.
reference *cas_reference(cas *, const uint8_t digest[sha256_length]);
// NULL: no memory.
reference *cas_store(cas *, const void *data, size_t size, reference *const *references, size_t count);
// Whether the object is on this machine.
bool cas_has(cas *, reference *);
// Whether somebody has the object.
bool cas_can_load(cas *, reference *);
// NULL: nobody has it.
object *cas_load(cas *, reference *);

// What an action has led to; NULL: nobody knows.
reference *cas_get_action(cas *, const uint8_t *key, size_t size);
// False: no memory.
bool cas_put_action(cas *, const uint8_t *key, size_t size, reference *value);
