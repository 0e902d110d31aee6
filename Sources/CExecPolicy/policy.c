#include "CExecPolicy.h"
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static const char *base_name(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash == NULL ? path : slash + 1;
}

// --- names ---

static bool is_digit(char c) { return c >= '0' && c <= '9'; }

// A digit, then digits and dots.
static bool is_version(const char *text, size_t length) {
  if (length == 0 || !is_digit(text[0])) return false;
  for (size_t i = 1; i < length; i++) {
    if (!is_digit(text[i]) && text[i] != '.') return false;
  }
  return true;
}

static bool is_one_of(const char *text, size_t length, const char *const *names) {
  for (; *names != NULL; names++) {
    if (strlen(*names) == length && memcmp(*names, text, length) == 0) return true;
  }
  return false;
}

// The start of the last part between hyphens.
static size_t last_part(const char *name, size_t length) {
  while (length > 0 && name[length - 1] != '-') length--;
  return length;
}

bool fabrik_is_compiler_name(const char *name) {
  static const char *const families[] = {"cc", "c++", "gcc", "g++", "clang", "clang++", NULL};
  size_t length = strlen(name), start = last_part(name, length);
  if (start > 0 && is_version(name + start, length - start)) {
    length = start - 1;
    start = last_part(name, length);
  }
  if (!is_one_of(name + start, length - start, families)) return false;
  if (start == 0) return true;
  // A target has at least two parts (`aarch64-elf-gcc`); `afl-gcc` or `musl-gcc` are wrappers with a mind of their own.
  size_t hyphens = 0;
  for (size_t i = 0; i + 1 < start; i++) {
    if (name[i] != '-') continue;
    if (i == 0 || name[i - 1] == '-') return false;
    hyphens++;
  }
  return hyphens >= 1 && name[0] != '-' && name[start - 2] != '-';
}

// Programs whose work, when something is built, is to start others. Programs that are built, and tested, are not to find
// the library in them.
static const char *const drivers[] = {
    // Shells.
    "sh", "ash", "bash", "dash", "ksh", "ksh93", "mksh", "zsh",
    // Build tools. SCons, Waf, Meson, libtool, configure and Debian's tools are scripts.
    "make", "gmake", "bmake", "remake", "ninja", "ninja-build", "samu", "muon", "b2", "bjam", "jam", "cmake", "cmake3",
    "ctest", "ctest3", "cpack", "cpack3", "rpmbuild",
    // Swift's package manager, under the names that it is called by.
    "swift", "swift-build", "swift-package", "swift-run", "swift-test",
    // Interpreters of build tools.
    "perl", "python", "pypy",
    // Programs that run a command in another way.
    "chrt", "env", "find", "flock", "ionice", "nice", "nohup", "setsid", "stdbuf", "taskset", "time", "timeout", "xargs",
    NULL};

static bool is_driver_name(const char *name) {
  size_t length = strlen(name), stem = length;
  while (stem > 0 && (is_digit(name[stem - 1]) || name[stem - 1] == '.')) stem--;
  return is_one_of(name, length, drivers) ||
         // perl5.36.0, python3.11, pypy3
         (stem < length && is_version(name + stem, length - stem) &&
          is_one_of(name, stem, (const char *const[]){"perl", "python", "pypy", NULL}));
}

bool fabrik_remembers_environment(const char *program) {
  // All four are one program, which its links lead to.
  return strcmp(base_name(program), "swift-package") == 0;
}

// --- files ---

#if __SIZEOF_POINTER__ == 8
typedef Elf64_Ehdr elf_header;
typedef Elf64_Phdr elf_segment;
typedef Elf64_Dyn elf_dynamic;
#define ELF_CLASS ELFCLASS64
#else
typedef Elf32_Ehdr elf_header;
typedef Elf32_Phdr elf_segment;
typedef Elf32_Dyn elf_dynamic;
#define ELF_CLASS ELFCLASS32
#endif

// The GNU C library's dynamic linker, as its ABI names it. A program with another one, as under Nix, may have another C
// library, which this library would not fit.
#if defined(__x86_64__)
#define ELF_MACHINE EM_X86_64
#define INTERPRETER "/lib64/ld-linux-x86-64.so.2"
#elif defined(__aarch64__)
#define ELF_MACHINE EM_AARCH64
#define INTERPRETER "/lib/ld-linux-aarch64.so.1"
#else
#define ELF_MACHINE EM_NONE
#define INTERPRETER ""
#endif

static ssize_t read_at(int fd, void *buffer, size_t size, off_t offset) {
  ssize_t count;
  do count = pread(fd, buffer, size, offset);
  while (count < 0 && errno == EINTR);
  return count;
}

// Opening anything else could have effects, or wait.
static int open_program(const char *path) {
  struct stat status;
  if (stat(path, &status) != 0 || !S_ISREG(status.st_mode)) return -1;
  return open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);
}

enum { most_segments = 32, most_needed = 64 };

typedef struct {
  elf_segment segments[most_segments];
  size_t count;
} segment_table;

// Where an address lies in the file; -1 when nowhere.
static off_t file_offset(const segment_table *table, unsigned long long address) {
  for (size_t i = 0; i < table->count; i++) {
    const elf_segment *segment = &table->segments[i];
    if (segment->p_type == PT_LOAD && address >= segment->p_vaddr && address - segment->p_vaddr < segment->p_filesz) {
      return (off_t)(segment->p_offset + (address - segment->p_vaddr));
    }
  }
  return -1;
}

// AddressSanitizer ends a program in which another library was loaded before its own. True when that cannot be told.
static bool needs_address_sanitizer(int fd, const segment_table *table, const elf_segment *dynamic) {
  elf_dynamic entries[most_needed];
  ssize_t size = read_at(fd, entries, sizeof entries, (off_t)dynamic->p_offset);
  size_t count = size < 0 ? 0 : (size_t)size / sizeof entries[0];
  size_t listed = dynamic->p_filesz / sizeof entries[0];
  off_t strings = -1;
  bool is_complete = false;
  if (listed < count) count = listed;
  for (size_t i = 0; i < count; i++) {
    if (entries[i].d_tag == DT_STRTAB) strings = file_offset(table, entries[i].d_un.d_ptr);
    if (entries[i].d_tag == DT_NULL) {
      is_complete = true;
      count = i;
    }
  }
  if (!is_complete || strings < 0) return true;
  for (size_t i = 0; i < count; i++) {
    if (entries[i].d_tag != DT_NEEDED) continue;
    char name[32] = "";
    if (read_at(fd, name, sizeof name - 1, strings + (off_t)entries[i].d_un.d_val) <= 0) return true;
    if (strncmp(name, "libasan", 7) == 0 || strncmp(name, "libhwasan", 9) == 0 ||
        strncmp(name, "libclang_rt.", 12) == 0) {
      return true;
    }
  }
  return false;
}

// Whether the library fits the binary that begins with `head`.
static bool is_fit(int fd, const unsigned char *head, size_t size) {
  elf_header header;
  if (size < sizeof header) return false;
  memcpy(&header, head, sizeof header);
  if (header.e_ident[EI_CLASS] != ELF_CLASS || header.e_machine != ELF_MACHINE || ELF_MACHINE == EM_NONE ||
      header.e_phentsize != sizeof(elf_segment) || header.e_phnum > most_segments) {
    return false;
  }
  segment_table table;
  size_t length = header.e_phnum * sizeof(elf_segment);
  if (header.e_phoff <= size && length <= size - header.e_phoff) {
    memcpy(table.segments, head + header.e_phoff, length);
  } else if (read_at(fd, table.segments, length, (off_t)header.e_phoff) != (ssize_t)length) {
    return false;
  }
  table.count = header.e_phnum;
  const elf_segment *interpreter = NULL, *dynamic = NULL;
  for (size_t i = 0; i < table.count; i++) {
    if (table.segments[i].p_type == PT_INTERP) interpreter = &table.segments[i];
    if (table.segments[i].p_type == PT_DYNAMIC) dynamic = &table.segments[i];
  }
  // Without one it is linked statically, and would pass the library on without knowing it.
  if (interpreter == NULL || dynamic == NULL || interpreter->p_filesz != sizeof INTERPRETER) return false;
  char name[sizeof INTERPRETER];
  return read_at(fd, name, sizeof name, (off_t)interpreter->p_offset) == sizeof name &&
         memcmp(name, INTERPRETER, sizeof name) == 0 && !needs_address_sanitizer(fd, &table, dynamic);
}

// The kernel's limit on a script's first line is 255 characters.
enum { head_size = 1024, line_size = 255 };

// Cuts the first word off a line that ends with NUL.
static char *next_word(char **line) {
  char *word = *line + strspn(*line, " \t");
  char *end = word + strcspn(word, " \t");
  *line = end + (*end != 0);
  *end = 0;
  return word;
}

// The program that runs a script of which `line` holds `size` bytes, with room for one more; NULL when there is none. Of
// `/usr/bin/env NAME` that is env: where NAME lies is env's business, and what is executed there is seen then.
static const char *interpreter_of(char *line, size_t size) {
  if (size < 3 || line[0] != '#' || line[1] != '!') return NULL;
  line[size] = 0;
  line[strcspn(line, "\n")] = 0;
  line += 2;
  const char *program = next_word(&line);
  return program[0] == '/' ? program : NULL;
}

bool fabrik_drives_builds(const char *file) {
  // It is linked statically, and passes the library on to what it runs only if that may have it.
  if (strcmp(base_name(file), "fabrik") == 0) return true;
  unsigned char head[head_size];
  char script[line_size + 1];
  const char *name = base_name(file);
  // One interpreter: the kernel allows for scripts as interpreters of scripts, which hardly exist.
  for (int depth = 0; depth < 2; depth++) {
    int fd = open_program(file);
    if (fd < 0) return false;
    ssize_t size = read_at(fd, head, head_size, 0);
    bool is_binary = size >= SELFMAG && memcmp(head, ELFMAG, SELFMAG) == 0;
    bool result = is_binary && is_driver_name(name) && is_fit(fd, head, (size_t)size);
    close(fd);
    if (is_binary || size < 0 || depth == 1) return result;
    size_t length = size < line_size ? (size_t)size : line_size;
    memcpy(script, head, length);
    file = interpreter_of(script, length);
    // What is neither is run by sh, if by anything.
    if (file == NULL) file = "/bin/sh";
    name = base_name(file);
  }
  return false;
}

// The path of an open file, links followed, in `path` (of PATH_MAX). False when /proc is not there.
static bool real_path(int fd, char *path) {
  char link[32] = "/proc/self/fd/", digits[12];
  size_t length = strlen(link), count = 0;
  do digits[count++] = (char)('0' + fd % 10);
  while ((fd /= 10) > 0);
  while (count > 0) link[length++] = digits[--count];
  link[length] = 0;
  ssize_t size = readlink(link, path, PATH_MAX - 1);
  if (size <= 0) return false;
  path[size] = 0;
  return true;
}

static bool is_below(const char *path, const char *directory) {
  size_t length = strlen(directory);
  return length > 0 && strncmp(path, directory, length) == 0 && path[length] == '/';
}

static bool is_binary(int fd) {
  char magic[SELFMAG];
  return read_at(fd, magic, SELFMAG, 0) == SELFMAG && memcmp(magic, ELFMAG, SELFMAG) == 0;
}

bool fabrik_is_compiler(const char *file, const char *project) {
  if (!fabrik_is_compiler_name(base_name(file)) || access(file, X_OK) != 0) return false;
  int fd = open_program(file);
  if (fd < 0) return false;
  char path[PATH_MAX];
  struct stat status;
  // A script may look at variables that ccache knows nothing of. A link may lead to ccache itself, or to distcc.
  bool result = is_binary(fd) && fstat(fd, &status) == 0 && status.st_mtime > FABRIK_FIRST_CREDIBLE_DATE &&
                real_path(fd, path) && fabrik_is_compiler_name(base_name(path)) && !is_below(path, project);
  close(fd);
  return result;
}

bool fabrik_is_swift_clang(const char *file) {
  const char *name = base_name(file);
  if (strcmp(name, "clang") != 0 && strcmp(name, "clang++") != 0) return false;
  static const char cache[] = "clang-cache", swiftc[] = "swiftc";
  char sibling[PATH_MAX];
  size_t length = (size_t)(name - file);
  if (length + sizeof cache > sizeof sibling) return false;
  memcpy(sibling, file, length);
  memcpy(sibling + length, cache, sizeof cache);
  if (access(sibling, X_OK) != 0) return false;
  memcpy(sibling + length, swiftc, sizeof swiftc);
  return access(sibling, X_OK) == 0;
}

bool fabrik_is_swiftc(const char *file) {
  if (strcmp(base_name(file), "swiftc") != 0 || access(file, X_OK) != 0) return false;
  int fd = open_program(file);
  if (fd < 0) return false;
  bool result = is_binary(fd);
  close(fd);
  return result;
}

size_t fabrik_without_library(const char *value, char *copy) {
  size_t length = 0;
  while (*value != 0) {
    // Separators as the dynamic linker has them.
    size_t gap = strspn(value, ": "), size = strcspn(value + gap, ": ");
    const char *entry = value + gap, *name = entry + size;
    while (name > entry && name[-1] != '/') name--;
    value = entry + size;
    size_t name_size = (size_t)(value - name);
    if (name_size == sizeof FABRIK_EXEC_LIBRARY - 1 && memcmp(name, FABRIK_EXEC_LIBRARY, name_size) == 0) continue;
    // Nothing stands before what comes first.
    if (length == 0) gap = 0;
    memcpy(copy + length, entry - gap, gap + size);
    length += gap + size;
  }
  copy[length] = 0;
  return length;
}
