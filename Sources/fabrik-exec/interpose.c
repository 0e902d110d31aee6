// libfabrik-exec.so: is loaded by LD_PRELOAD into programs that drive builds, and sees what they execute.
//
// A compiler that is called by its path, where links in PATH have no effect, is run by ccache, and Swift's by a link to
// fabrik. Everything else is executed as it is: with the library if it drives builds itself (see fabrik_drives_builds),
// without it if not, as AddressSanitizer, other C libraries, and tests that look at their environment would mind it.
//
// These functions run in threads, after fork and after vfork: they do not allocate, do not lock, and write to nothing but
// their stack and errno. Whoever takes either variable out of the environment is left alone from there on.
//
// A program that remembers things by its environment does not see what is Fabrik's, but for LD_PRELOAD and PATH, which are
// the same in each build; what it starts does.
#define _GNU_SOURCE
#include "CExecPolicy.h"
#include <dlfcn.h>
#include <errno.h>
#include <limits.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define EXPORTED __attribute__((visibility("default")))

extern char **environ;

typedef char *const *strings;

// --- the functions that come next ---

static struct {
  int (*execve)(const char *, strings, strings);
  int (*execvpe)(const char *, strings, strings);
  int (*fexecve)(int, strings, strings);
  int (*execveat)(int, const char *, strings, strings, int);
  int (*posix_spawn)(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *, strings,
                     strings);
  int (*posix_spawnp)(pid_t *, const char *, const posix_spawn_file_actions_t *, const posix_spawnattr_t *, strings,
                      strings);
} next;

// --- the environment ---

static const char preload_name[] = "LD_PRELOAD=", wiring_name[] = FABRIK_EXEC_VARIABLE "=",
                  swiftc_name[] = FABRIK_SWIFTC_VARIABLE "=";

static const char *value_of(const char *entry, const char *name, size_t length) {
  return strncmp(entry, name, length) == 0 ? entry + length : NULL;
}

typedef struct {
  // Of entries.
  size_t count;
  // The entry that has the library in it, if there is one.
  const char *preload;
  // What runs compilers, and where they must not be: `CCACHE:PROJECT`.
  const char *wiring;
  // What runs Swift's compiler.
  const char *swiftc;
} surroundings;

enum { most_hidden = 64 };

// What this program does not see of its environment. Nothing is written to it once the program runs.
static struct {
  size_t count;
  char *entries[most_hidden];
} hidden;

static size_t name_length(const char *entry) { return strcspn(entry, "="); }

static bool has_name(const char *entry, const char *name, size_t length) {
  return strncmp(entry, name, length) == 0 && entry[length] == '=';
}

// Whether a variable is Fabrik's: one of `injected`, or about them.
static bool is_injected(const char *entry, const char *injected) {
  size_t length = name_length(entry);
  if (has_name(entry, FABRIK_SESSION_VARIABLE, sizeof FABRIK_SESSION_VARIABLE - 1) ||
      has_name(entry, FABRIK_INJECTED_VARIABLE, sizeof FABRIK_INJECTED_VARIABLE - 1)) {
    return true;
  }
  for (;;) {
    size_t size = strcspn(injected, ":");
    if (size == length && memcmp(injected, entry, size) == 0) return true;
    if (injected[size] == 0) return false;
    injected += size + 1;
  }
}

static void hide_injected(void) {
  char program[PATH_MAX];
  ssize_t size = readlink("/proc/self/exe", program, sizeof program - 1);
  const char *injected = getenv(FABRIK_INJECTED_VARIABLE);
  if (size <= 0 || injected == NULL) return;
  program[size] = 0;
  if (!fabrik_remembers_environment(program)) return;
  char **kept = environ;
  for (char **entry = environ; *entry != NULL; entry++) {
    if (hidden.count < most_hidden && is_injected(*entry, injected)) hidden.entries[hidden.count++] = *entry;
    else *kept++ = *entry;
  }
  *kept = NULL;
}

// More than these are handed on as they are: the stack may be small.
enum { most_entries = 4096, longest_preload = 4096, most_arguments = 65536 };

static surroundings survey(strings environment) {
  surroundings found = {0, NULL, NULL, NULL};
  if (environment == NULL) return found;
  for (; environment[found.count] != NULL; found.count++) {
    const char *entry = environment[found.count];
    const char *value = value_of(entry, preload_name, sizeof preload_name - 1);
    if (value != NULL && found.preload == NULL && strstr(value, FABRIK_EXEC_LIBRARY) != NULL) found.preload = entry;
    value = value_of(entry, wiring_name, sizeof wiring_name - 1);
    if (value != NULL && found.wiring == NULL) found.wiring = value;
    value = value_of(entry, swiftc_name, sizeof swiftc_name - 1);
    if (value != NULL && found.swiftc == NULL) found.swiftc = value;
  }
  if (found.count > most_entries || (found.preload != NULL && strlen(found.preload) > longest_preload)) {
    found.preload = NULL;
  }
  return found;
}

// Adds what is hidden from this program, and not replaced there, to the environment of what is executed. `room` is for as
// many entries as both have.
static void bring_back_hidden(surroundings *found, strings *environment, const char **room) {
  if (hidden.count == 0) return;
  size_t count = found->count;
  memcpy(room, *environment, count * sizeof *room);
  for (size_t i = 0; i < hidden.count; i++) {
    const char *entry = hidden.entries[i];
    size_t length = name_length(entry), place = 0;
    while (place < found->count && !has_name(room[place], entry, length)) place++;
    if (place == found->count) room[count++] = entry;
  }
  room[count] = NULL;
  surroundings whole = survey((strings)room);
  if (whole.preload == NULL) return;
  *found = whole;
  *environment = (strings)room;
}

// Copies the environment without the library. `preload` has room for the entry that had it.
static void leave_library_out(const surroundings *found, strings environment, char **copy, char *preload) {
  for (; *environment != NULL; environment++) {
    if (*environment == found->preload) {
      memcpy(preload, preload_name, sizeof preload_name);
      size_t length = fabrik_without_library(found->preload + sizeof preload_name - 1, preload + sizeof preload_name - 1);
      if (length == 0) continue;
      *copy++ = preload;
    } else {
      *copy++ = *environment;
    }
  }
  *copy = NULL;
}

// Looking the functions up later would be too late: it is not allowed after vfork.
__attribute__((constructor)) static void begin_program(void) {
  *(void **)&next.execve = dlsym(RTLD_NEXT, "execve");
  *(void **)&next.execvpe = dlsym(RTLD_NEXT, "execvpe");
  *(void **)&next.fexecve = dlsym(RTLD_NEXT, "fexecve");
  *(void **)&next.execveat = dlsym(RTLD_NEXT, "execveat");
  *(void **)&next.posix_spawn = dlsym(RTLD_NEXT, "posix_spawn");
  *(void **)&next.posix_spawnp = dlsym(RTLD_NEXT, "posix_spawnp");
  hide_injected();
}

// --- what is executed ---

// The file that is meant by a name without a slash; NULL when there is none.
static const char *locate(const char *name, char *buffer) {
  const char *path = getenv("PATH");
  if (path == NULL) path = "/bin:/usr/bin";
  size_t length = strlen(name);
  for (;;) {
    size_t size = strcspn(path, ":");
    if (size + length + 2 <= PATH_MAX) {
      memcpy(buffer, path, size);
      if (size > 0) buffer[size] = '/';
      memcpy(buffer + size + (size > 0), name, length + 1);
      struct stat status;
      if (access(buffer, X_OK) == 0 && stat(buffer, &status) == 0 && S_ISREG(status.st_mode)) return buffer;
    }
    if (path[size] == 0) return NULL;
    path += size + 1;
  }
}

static const char *base_name(const char *path) {
  const char *slash = strrchr(path, '/');
  return slash == NULL ? path : slash + 1;
}

static size_t count_of(strings list) {
  size_t count = 0;
  while (list[count] != NULL) count++;
  return count;
}

// Whether the arguments are those of a compilation that ccache may know the result of. Others need not take the way through
// it: preprocessing, linking, questions for the version.
static bool is_compilation(strings arguments) {
  for (; *arguments != NULL; arguments++) {
    const char *argument = *arguments;
    // More arguments may be in a file.
    if (argument[0] == '@' || strcmp(argument, "-c") == 0 || strcmp(argument, "-S") == 0) return true;
  }
  return false;
}

// What runs a program in its stead, with its path as the first argument.
typedef struct {
  const char *path;
  size_t length;
  // By which it is called.
  const char *name;
} launcher;

// What is to run `file`; its path is NULL when nothing is. A compiler that is called by another name may behave in another
// way.
static launcher launcher_of(const char *file, strings arguments, const surroundings *found) {
  const launcher none = {NULL, 0, NULL};
  if (file[0] != '/' || arguments == NULL || arguments[0] == NULL) return none;
  if (strcmp(base_name(file), base_name(arguments[0])) != 0 || count_of(arguments) > most_arguments) return none;
  // C is for ccache, if it is there.
  bool is_clang = found->wiring == NULL && fabrik_is_swift_clang(file) && is_compilation(arguments + 1);
  if (found->swiftc != NULL && found->swiftc[0] == '/' && (is_clang || fabrik_is_swiftc(file))) {
    size_t length = strlen(found->swiftc);
    return length < PATH_MAX ? (launcher){found->swiftc, length, base_name(found->swiftc)} : none;
  }
  if (found->wiring == NULL || !fabrik_is_compiler_name(base_name(file))) return none;
  const char *colon = strchr(found->wiring, ':');
  if (colon == NULL || found->wiring[0] != '/' || colon - found->wiring >= PATH_MAX) return none;
  if (!is_compilation(arguments + 1) || !fabrik_is_compiler(file, colon + 1)) return none;
  return (launcher){found->wiring, (size_t)(colon - found->wiring), "ccache"};
}

// How a program is begun: in this process, or in a new one; by its path, or as `execvp` does.
typedef struct {
  bool is_searched, is_spawned;
  pid_t *process;
  const posix_spawn_file_actions_t *actions;
  const posix_spawnattr_t *attributes;
} manner;

static int begin(const manner *how, bool is_searched, const char *file, strings arguments, strings environment) {
  if (how->is_spawned) {
    return (is_searched ? next.posix_spawnp : next.posix_spawn)(
        how->process, file, how->actions, how->attributes, arguments, environment);
  }
  return (is_searched ? next.execvpe : next.execve)(file, arguments, environment);
}

static int execute(const manner *how, const char *file, strings arguments, strings environment) {
  surroundings found = survey(environment);
  if (found.preload == NULL || file == NULL) return begin(how, how->is_searched, file, arguments, environment);
  const char *whole[found.count + hidden.count + 1];
  bring_back_hidden(&found, &environment, whole);
  bool is_name = how->is_searched && strchr(file, '/') == NULL;
  char buffer[is_name ? PATH_MAX : 1];
  const char *path = is_name ? locate(file, buffer) : file;
  if (path != NULL && fabrik_drives_builds(path)) return begin(how, how->is_searched, file, arguments, environment);

  char *without_library[found.count + 1];
  char preload[strlen(found.preload) + 1];
  leave_library_out(&found, environment, without_library, preload);
  launcher launcher = {NULL, 0, NULL};
  if (path != NULL) launcher = launcher_of(path, arguments, &found);
  if (launcher.path != NULL) {
    size_t count = count_of(arguments);
    char program[launcher.length + 1];
    const char *all[count + 2];
    memcpy(program, launcher.path, launcher.length);
    program[launcher.length] = 0;
    all[0] = launcher.name;
    all[1] = path;
    memcpy(all + 2, arguments + 1, count * sizeof all[0]);
    int result = begin(how, false, program, (strings)all, without_library);
    if (how->is_spawned && result == 0) return 0;
    // It is gone, or the arguments have become too many: the compiler will do.
  }
  return begin(how, how->is_searched, file, arguments, without_library);
}

// --- the functions that are replaced ---

EXPORTED int execve(const char *path, strings arguments, strings environment) {
  return execute(&(manner){0}, path, arguments, environment);
}

EXPORTED int execv(const char *path, strings arguments) { return execute(&(manner){0}, path, arguments, environ); }

EXPORTED int execvpe(const char *file, strings arguments, strings environment) {
  return execute(&(manner){.is_searched = true}, file, arguments, environment);
}

EXPORTED int execvp(const char *file, strings arguments) {
  return execute(&(manner){.is_searched = true}, file, arguments, environ);
}

// The number of arguments up to the NULL that ends them.
static size_t count_arguments(const char *first, va_list list) {
  size_t count = 0;
  for (const char *argument = first; argument != NULL; argument = va_arg(list, const char *)) count++;
  return count;
}

static void take_arguments(const char **arguments, size_t count, const char *first, va_list list) {
  for (size_t i = 0; i < count; i++) arguments[i] = i == 0 ? first : va_arg(list, const char *);
  // The NULL, so that what follows it can be taken. Without a first argument, that was the NULL.
  if (count > 0) (void)va_arg(list, const char *);
  arguments[count] = NULL;
}

EXPORTED int execl(const char *path, const char *first, ...) {
  va_list list;
  va_start(list, first);
  size_t count = count_arguments(first, list);
  va_end(list);
  const char *arguments[count + 1];
  va_start(list, first);
  take_arguments(arguments, count, first, list);
  va_end(list);
  return execute(&(manner){0}, path, (strings)arguments, environ);
}

EXPORTED int execlp(const char *file, const char *first, ...) {
  va_list list;
  va_start(list, first);
  size_t count = count_arguments(first, list);
  va_end(list);
  const char *arguments[count + 1];
  va_start(list, first);
  take_arguments(arguments, count, first, list);
  va_end(list);
  return execute(&(manner){.is_searched = true}, file, (strings)arguments, environ);
}

EXPORTED int execle(const char *path, const char *first, ...) {
  va_list list;
  va_start(list, first);
  size_t count = count_arguments(first, list);
  va_end(list);
  const char *arguments[count + 1];
  va_start(list, first);
  take_arguments(arguments, count, first, list);
  strings environment = va_arg(list, strings);
  va_end(list);
  return execute(&(manner){0}, path, (strings)arguments, environment);
}

EXPORTED int posix_spawn(pid_t *process, const char *path, const posix_spawn_file_actions_t *actions,
                         const posix_spawnattr_t *attributes, strings arguments, strings environment) {
  manner how = {.is_spawned = true, .process = process, .actions = actions, .attributes = attributes};
  return execute(&how, path, arguments, environment);
}

EXPORTED int posix_spawnp(pid_t *process, const char *file, const posix_spawn_file_actions_t *actions,
                          const posix_spawnattr_t *attributes, strings arguments, strings environment) {
  manner how = {
      .is_searched = true, .is_spawned = true, .process = process, .actions = actions, .attributes = attributes};
  return execute(&how, file, arguments, environment);
}

// What an open file is, nobody asks; it goes without the library.
EXPORTED int fexecve(int fd, strings arguments, strings environment) {
  surroundings found = survey(environment);
  if (found.preload == NULL) return next.fexecve(fd, arguments, environment);
  const char *whole[found.count + hidden.count + 1];
  bring_back_hidden(&found, &environment, whole);
  char *without_library[found.count + 1];
  char preload[strlen(found.preload) + 1];
  leave_library_out(&found, environment, without_library, preload);
  return next.fexecve(fd, arguments, without_library);
}

EXPORTED int execveat(int directory, const char *path, strings arguments, strings environment, int flags) {
  surroundings found = survey(environment);
  if (next.execveat == NULL) {
    errno = ENOSYS;
    return -1;
  }
  if (found.preload == NULL) return next.execveat(directory, path, arguments, environment, flags);
  const char *whole[found.count + hidden.count + 1];
  bring_back_hidden(&found, &environment, whole);
  char *without_library[found.count + 1];
  char preload[strlen(found.preload) + 1];
  leave_library_out(&found, environment, without_library, preload);
  return next.execveat(directory, path, arguments, without_library, flags);
}
