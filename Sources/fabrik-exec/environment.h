// What programs are executed with: Fabrik's variables in their environment. The library's own; see interpose.c for what may be
// done here.
#pragma once
#include <stddef.h>

typedef char *const *strings;

typedef struct {
  // Of entries.
  size_t count;
  // The entry that has the library in it; NULL if there is none, or the environment is to be handed on as it is.
  const char *preload;
  // What runs compilers, and where they must not be: `CCACHE:PROJECT`.
  const char *wiring;
  // What runs Swift's compiler.
  const char *swiftc;
} surroundings;

// Of variables that are hidden from a program; more stay as they are.
enum { most_hidden = 64 };

// Takes Fabrik's variables out of this program's environment, but for LD_PRELOAD and PATH, if it is one that remembers
// things by it. To be called once, before the program begins.
void hide_injected(void);

surroundings survey(strings environment);

// Adds what is hidden from this program, and not replaced there, to the environment of what is executed. `room` is for
// most_hidden entries more than it has, and for the NULL.
void bring_back_hidden(surroundings *found, strings *environment, const char **room);

// Copies the environment without the library. `preload` has room for the entry that had it.
void leave_library_out(const surroundings *found, strings environment, char **copy, char *preload);
