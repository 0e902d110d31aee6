#define _GNU_SOURCE
#include "environment.h"
#include "CExecPolicy.h"
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

extern char **environ;

static const char preload_name[] = "LD_PRELOAD=", wiring_name[] = FABRIK_EXEC_VARIABLE "=",
                  swiftc_name[] = FABRIK_SWIFTC_VARIABLE "=", session_name[] = FABRIK_SESSION_VARIABLE "=",
                  injected_name[] = FABRIK_INJECTED_VARIABLE "=";

// The rest of an entry that begins with `name`, which includes the `=`.
static const char *value_of(const char *entry, const char *name, size_t length) {
  return strncmp(entry, name, length) == 0 ? entry + length : NULL;
}

// What this program does not see of its environment. Nothing is written to it once the program runs.
static struct {
  size_t count;
  char *entries[most_hidden];
} hidden;

static size_t name_length(const char *entry) { return strcspn(entry, "="); }

// Whether a variable is Fabrik's: one of `injected`, or about them.
static bool is_injected(const char *entry, const char *injected) {
  if (value_of(entry, session_name, sizeof session_name - 1) != NULL ||
      value_of(entry, injected_name, sizeof injected_name - 1) != NULL) {
    return true;
  }
  size_t length = name_length(entry);
  for (;;) {
    size_t size = strcspn(injected, ":");
    if (size == length && memcmp(injected, entry, size) == 0) return true;
    if (injected[size] == 0) return false;
    injected += size + 1;
  }
}

void hide_injected(void) {
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
enum { most_entries = 4096, longest_preload = 4096 };

surroundings survey(strings environment) {
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

void bring_back_hidden(surroundings *found, strings *environment, const char **room) {
  if (hidden.count == 0) return;
  size_t count = found->count;
  memcpy(room, *environment, count * sizeof *room);
  for (size_t i = 0; i < hidden.count; i++) {
    const char *entry = hidden.entries[i];
    size_t length = name_length(entry) + 1, place = 0;
    while (place < found->count && value_of(room[place], entry, length) == NULL) place++;
    if (place == found->count) room[count++] = entry;
  }
  room[count] = NULL;
  surroundings whole = survey((strings)room);
  if (whole.preload == NULL) return;
  *found = whole;
  *environment = (strings)room;
}

void leave_library_out(const surroundings *found, strings environment, char **copy, char *preload) {
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
