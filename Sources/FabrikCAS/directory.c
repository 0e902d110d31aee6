#define _GNU_SOURCE
#include "directory.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "bytes.h"

// Below this, a copy costs less than a mapping, of which a process may have some 65,000.
enum { mapping_threshold = 1 << 15 };
// Seconds by which a file's time of last use may be wrong.
enum { use_granularity = 600 };
// The directory of a name may have to be made, and be gone again; and not every file system knows links.
enum { publish_attempts = 3, link_attempts = 2 };

struct spill {
  // NULL: not made yet, or of no use.
  _Atomic(directory *) directory;
  char path[];
};

enum { name_length = 2 * sha256_length + 2 };

static void file_name(const uint8_t digest[sha256_length], char name[name_length]) {
  char *next = put_hex(name, digest, 1);
  *next++ = '/';
  *put_hex(next, digest + 1, sha256_length - 1) = 0;
}

static int open_directory(int parent, const char *name) {
  if (mkdirat(parent, name, 0700) != 0 && errno != EEXIST) return -1;
  return openat(parent, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
}

// With the directories above it.
static int make_directory(const char *path) {
  int file = open_directory(AT_FDCWD, path);
  if (file >= 0 || errno != ENOENT) return file;
  char *above = strdup(path);
  char *slash = above == NULL ? NULL : strrchr(above, '/');
  if (slash != NULL && slash != above) {
    *slash = 0;
    int parent = make_directory(above);
    if (parent >= 0) close(parent);
    file = parent < 0 ? -1 : open_directory(AT_FDCWD, path);
  }
  free(above);
  return file;
}

void directory_open(directory *self, const char *path, const char *spill) {
  *self = (directory){-1, -1, -1, NULL, NULL};
  if (path != NULL && path[0] != 0) self->path = strdup(path);
  if (self->path != NULL) {
    int top = make_directory(self->path);
    if (top >= 0) {
      self->objects = open_directory(top, "objects");
      self->actions = open_directory(top, "actions");
      self->temporary = open_directory(top, "tmp");
      close(top);
    }
  }
  if (spill != NULL && spill[0] != 0) {
    self->spill = calloc(1, sizeof *self->spill + strlen(spill) + 1);
    if (self->spill == NULL) return;
    strcpy(self->spill->path, spill);
  }
}

void directory_close(directory *self) {
  if (self->objects >= 0) close(self->objects);
  if (self->actions >= 0) close(self->actions);
  if (self->temporary >= 0) close(self->temporary);
  free(self->path);
  if (self->spill == NULL) return;
  directory *spill = atomic_load(&self->spill->directory);
  if (spill != NULL) directory_close(spill);
  free(spill);
  free(self->spill);
}

static int directory_of(directory *self, file_kind kind) {
  return kind == kind_object ? self->objects : self->actions;
}

// The spill directory; NULL: there is none. `making`: it is made if nobody has needed it by now.
static directory *spill_of(directory *self, bool making) {
  if (self->spill == NULL) return NULL;
  directory *known = atomic_load(&self->spill->directory);
  if (known != NULL || (!making && access(self->spill->path, F_OK) != 0)) return known;
  directory *opened = malloc(sizeof *opened);
  if (opened == NULL) return NULL;
  directory_open(opened, self->spill->path, NULL);
  bool is_usable = opened->objects >= 0 && opened->actions >= 0 && opened->temporary >= 0;
  // Another thread may have been first.
  if (is_usable && atomic_compare_exchange_strong(&self->spill->directory, &known, opened)) return opened;
  directory_close(opened);
  free(opened);
  return known;
}

static void mark_used(int parent, const char *name, const struct stat *status) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME_COARSE, &now);
  if (now.tv_sec < status->st_atim.tv_sec + use_granularity) return;
  const struct timespec times[2] = {now, {0, UTIME_OMIT}};
  utimensat(parent, name, times, AT_SYMLINK_NOFOLLOW);
}

bool directory_has(directory *self, file_kind kind, const uint8_t digest[sha256_length], size_t size) {
  int parent = directory_of(self, kind);
  char name[name_length];
  file_name(digest, name);
  struct stat status;
  if (parent >= 0 && fstatat(parent, name, &status, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(status.st_mode)) {
    if ((size_t)status.st_size == size) {
      mark_used(parent, name, &status);
      return true;
    }
    // Nothing that was written here.
    unlinkat(parent, name, 0);
  }
  directory *spill = spill_of(self, false);
  return spill != NULL && directory_has(spill, kind, digest, size);
}

int content_open(int parent, const char *path) {
  int file;
  do file = openat(parent, path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY);
  while (file < 0 && errno == EINTR);
  return file;
}

bool content_read(int file, size_t size, content *result) {
  *result = (content){NULL, size, size >= mapping_threshold};
  if (result->is_mapped) {
    void *bytes = mmap(NULL, size, PROT_READ, MAP_PRIVATE, file, 0);
    if (bytes != MAP_FAILED) {
      result->bytes = bytes;
      return true;
    }
    result->is_mapped = false;
  }
  uint8_t *bytes = malloc(size + 1);
  if (bytes == NULL) return false;
  for (size_t done = 0; done < size;) {
    ssize_t count = pread(file, bytes + done, size - done, (off_t)done);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) {
      free(bytes);
      return false;
    }
    done += (size_t)count;
  }
  bytes[size] = 0;
  result->bytes = bytes;
  return true;
}

void content_free(content *self) {
  if (self->is_mapped) {
    munmap((void *)self->bytes, self->size);
  } else {
    free((void *)self->bytes);
  }
  self->bytes = NULL;
}

bool directory_read(directory *self, file_kind kind, const uint8_t digest[sha256_length], content *result) {
  int parent = directory_of(self, kind);
  char name[name_length];
  file_name(digest, name);
  int file = parent < 0 ? -1 : content_open(parent, name);
  if (file >= 0) {
    struct stat status;
    bool is_read = fstat(file, &status) == 0 && S_ISREG(status.st_mode) && status.st_size > 0 &&
                   content_read(file, (size_t)status.st_size, result);
    close(file);
    if (is_read) {
      mark_used(parent, name, &status);
      return true;
    }
  }
  directory *spill = spill_of(self, false);
  return spill != NULL && directory_read(spill, kind, digest, result);
}

static bool write_all(int file, const content *parts, size_t count) {
  for (size_t i = 0; i < count; i++) {
    for (size_t done = 0; done < parts[i].size;) {
      ssize_t written = write(file, parts[i].bytes + done, parts[i].size - done);
      if (written < 0 && errno == EINTR) continue;
      if (written <= 0) return false;
      done += (size_t)written;
    }
  }
  return true;
}

enum { temporary_length = 48 };

// Makes a file of a name that is nobody else's; -1: there is no room for it, or no directory.
static int make_temporary(int parent, char name[temporary_length]) {
  static atomic_uint counter;
  int file;
  do {
    // In containers, which may share a directory, other processes have the same number.
    unsigned number = atomic_fetch_add(&counter, 1);
    snprintf(name, temporary_length, "%d-%u-%x", (int)getpid(), number, (unsigned)(uintptr_t)&counter);
    file = openat(parent, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0444);
  } while (file < 0 && (errno == EEXIST || errno == EINTR));
  return file;
}

// Makes the directory that a name needs.
static bool make_shard(int parent, const char name[name_length]) {
  const char shard[3] = {name[0], name[1], 0};
  return mkdirat(parent, shard, 0700) == 0 || errno == EEXIST;
}

static bool publish(directory *self, file_kind kind, const char *temporary, const char name[name_length],
                    bool replacing) {
  int parent = directory_of(self, kind);
  for (int attempt = 0; attempt < publish_attempts; attempt++) {
    // What is there is the same, and may be in use: its time of last use is worth more than a second copy.
    int result = replacing ? renameat(self->temporary, temporary, parent, name)
                           : linkat(self->temporary, temporary, parent, name, 0);
    if (result == 0 || (errno == EEXIST && !replacing)) {
      if (!replacing) unlinkat(self->temporary, temporary, 0);
      return true;
    }
    if (errno == ENOENT && make_shard(parent, name)) continue;
    // Not every file system knows links.
    if (replacing || (errno != EPERM && errno != EOPNOTSUPP && errno != ENOSYS)) break;
    replacing = true;
  }
  unlinkat(self->temporary, temporary, 0);
  return false;
}

bool directory_write(directory *self, file_kind kind, const uint8_t digest[sha256_length], const content *parts,
                     size_t count, bool replacing) {
  char name[name_length], temporary[temporary_length];
  file_name(digest, name);
  if (directory_of(self, kind) >= 0 && self->temporary >= 0) {
    int file = make_temporary(self->temporary, temporary);
    if (file >= 0) {
      bool is_written = write_all(file, parts, count);
      // Some file systems notice here that they are full.
      is_written = close(file) == 0 && is_written;
      if (is_written && publish(self, kind, temporary, name, replacing)) return true;
      if (!is_written) unlinkat(self->temporary, temporary, 0);
    }
  }
  directory *spill = spill_of(self, true);
  return spill != NULL && directory_write(spill, kind, digest, parts, count, replacing);
}

bool directory_link(directory *self, file_kind kind, const uint8_t digest[sha256_length], int file) {
  int parent = directory_of(self, kind);
  if (parent < 0) return false;
  char name[name_length], source[32];
  file_name(digest, name);
  snprintf(source, sizeof source, "/proc/self/fd/%d", file);
  for (int attempt = 0; attempt < link_attempts; attempt++) {
    if (linkat(AT_FDCWD, source, parent, name, AT_SYMLINK_FOLLOW) == 0 || errno == EEXIST) return true;
    if (errno != ENOENT || !make_shard(parent, name)) return false;
  }
  return false;
}
