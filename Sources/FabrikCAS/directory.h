// The working directory: objects and action records of this machine's compilers, each a file.
//
//     objects/ab/cdef…  actions/ab/cdef…  tmp/
//
// Files come into being by rename, and are never changed: processes need not know of each other. The directory is only
// used until the machine is started anew, so a file that was cut short by a power failure is never met.
#pragma once
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "CSHA256.h"

typedef struct {
  // Of the directories; -1: it cannot be used.
  int objects, actions, temporary;
  // A directory in memory for what finds no room, with the same layout; used while a build runs. NULL: none.
  struct spill *spill;
  char *path;
} directory;

// A kind of files.
typedef enum { kind_object, kind_action } file_kind;

// The content of a file, in memory.
typedef struct {
  const uint8_t *bytes;
  size_t size;
  // Whether the bytes are mapped; they are allocated otherwise.
  bool is_mapped;
} content;

// Opens the directory, made when it is missing. What fails makes later calls fail.
void directory_open(directory *, const char *path, const char *spill);
void directory_close(directory *);

// Whether there is such a file of this size; marks it as used.
bool directory_has(directory *, file_kind, const uint8_t name[sha256_length], size_t size);
// Reads a file; false when there is none. Bytes are followed by a zero byte only if the file ends with one.
bool directory_read(directory *, file_kind, const uint8_t name[sha256_length], content *);
// Writes a file, or leaves the one that is there, unless `replacing`. False: it could not be written.
bool directory_write(directory *, file_kind, const uint8_t name[sha256_length], const content *parts, size_t count,
                     bool replacing);
// Gives an open file of the same file system a name in the directory; false when that fails.
bool directory_link(directory *, file_kind, const uint8_t name[sha256_length], int file);

// Opens what may be a file, and does not wait when it is something else; -1: it cannot be opened.
int content_open(int parent, const char *path);
// The content of an open file of this size.
bool content_read(int file, size_t size, content *);
void content_free(content *);
