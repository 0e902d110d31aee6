// What may be done to a program that is about to be executed. Shared by the launcher and libfabrik-exec.so, where it runs
// between vfork and exec: nothing here allocates, locks or writes to memory of its own.
#pragma once
#include <stdbool.h>
#include <stddef.h>

// In the library, too, these names are nobody else's.
#define FABRIK_HIDDEN __attribute__((visibility("hidden")))

// The library's file name, by which its entry in LD_PRELOAD is known.
#define FABRIK_EXEC_LIBRARY "libfabrik-exec.so"
// `CCACHE:PROJECT`: what runs compilers that are called by their paths, and the top of the source tree, or nothing.
#define FABRIK_EXEC_VARIABLE "FABRIK_EXEC"
// What runs Swift's compiler, which it gets as its first argument.
#define FABRIK_SWIFTC_VARIABLE "FABRIK_SWIFTC"

// The launcher's process, and what it has added to the environment, with colons between: names of variables, and (beginning
// with a slash) directories of PATH and preloaded libraries.
#define FABRIK_SESSION_VARIABLE "FABRIK_SESSION"
#define FABRIK_INJECTED_VARIABLE "FABRIK_INJECTED"

// 1980, in seconds since 1970: what has no date is often given one near the beginning of time, or of ZIP's. ccache tells
// compilers apart by date.
#define FABRIK_FIRST_CREDIBLE_DATE 320000000

// Whether a name is one of a C or C++ compiler: plain, with a version behind (`gcc-12`), with a target before
// (`x86_64-linux-gnu-g++`).
FABRIK_HIDDEN bool fabrik_is_compiler_name(const char *name);

// Whether a file is a compiler that ccache can tell from others, and no wrapper: named like one, links followed; a binary;
// with a credible date; not below `project` (which may be empty), where it may be what the build makes.
FABRIK_HIDDEN bool fabrik_is_compiler(const char *file, const char *project);

// Whether a file is Swift's compiler driver: a binary of that name.
FABRIK_HIDDEN bool fabrik_is_swiftc(const char *file);

// Whether a file is the clang of a toolchain of Swift's, which has a cache as Swift's compiler has.
FABRIK_HIDDEN bool fabrik_is_swift_clang(const char *file);

// Whether the library may be loaded into what runs when `file` is executed: a program that starts others when it builds
// (a script: its interpreter), linked dynamically, for this architecture and C library, and without AddressSanitizer.
FABRIK_HIDDEN bool fabrik_drives_builds(const char *file);

// Whether a program takes its environment for a part of what it remembers something by: with variables that are others in
// each build it would never find it again. Swift's package manager does that with what manifests say.
FABRIK_HIDDEN bool fabrik_remembers_environment(const char *program);

// Copies the value of LD_PRELOAD without the library's entries. Returns the length, at most that of `value`.
FABRIK_HIDDEN size_t fabrik_without_library(const char *value, char *copy);
