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
#include "environment.h"
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

// With more, nothing is put before them: the stack may be small.
enum { most_arguments = 65536 };

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
  const char *whole[found.count + most_hidden + 1];
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
  const char *whole[found.count + most_hidden + 1];
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
  const char *whole[found.count + most_hidden + 1];
  bring_back_hidden(&found, &environment, whole);
  char *without_library[found.count + 1];
  char preload[strlen(found.preload) + 1];
  leave_library_out(&found, environment, without_library, preload);
  return next.execveat(directory, path, arguments, without_library, flags);
}
