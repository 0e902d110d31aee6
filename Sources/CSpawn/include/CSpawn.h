// Starting processes and waiting for signals: fork, exec, close_range, siginfo and credentials of socket peers, which
// Swift cannot reach.
#pragma once
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

// Starts a program in the caller's process group with every descriptor, limit and ignored signal as inherited.
//
// `candidates` is a NULL-terminated list of paths, tried in order as execvp does: a missing one is skipped, one without
// permission is remembered, one without an executable format is run by /bin/sh. `mask` becomes the program's signal
// mask. When `ignore_sigchld` is set, the program gets SIGCHLD ignored. The program is killed when the calling thread's
// process dies.
//
// Returns 0 and sets `pid`, or returns the errno of the failure (ENOENT: not found; EACCES: not executable).
int fabrik_spawn_command(char *const candidates[], char *const argv[], char *const envp[], const sigset_t *mask,
                         int ignore_sigchld, pid_t *pid);

// Replaces the calling process by the first of `candidates` that can be executed. Returns an errno when none can.
int fabrik_exec_command(char *const candidates[], char *const argv[], char *const envp[]);

// Starts a program that has nothing to do with the caller any more: own session, init's child, working directory /,
// standard streams on /dev/null, default signals, umask 077, no descriptor but `fds`, which become 3, 4, …
//
// Returns 0, or the errno of the failure.
int fabrik_spawn_detached(const char *path, char *const argv[], char *const envp[], const int *fds, size_t count);

// As fabrik_spawn_detached without `fds`, but with the caller's umask and ignored signals, like its limits: what this
// program starts in turn runs as if the caller had started it.
int fabrik_spawn_companion(const char *path, char *const argv[], char *const envp[]);

// Waits for one of `set` (all of it blocked). Returns the signal's number; `from_kernel` tells whether the kernel raised
// it (a terminal, a timer, a child's change) and `sender` the process that sent it otherwise.
int fabrik_wait_signal(const sigset_t *set, int *from_kernel, pid_t *sender);

// From now on SIGTERM, SIGINT and SIGHUP do not end this process: each puts a byte into a pipe, whose reading end is
// returned, or -1 without one. A handler, because blocked signals still reach a main thread that Dispatch has put to
// sleep. To be called once.
int fabrik_catch_end_signals(void);

// Closes every descriptor from 3 on that is not in the ascending list `keep`.
void fabrik_close_descriptors_except(const int *keep, size_t count);

// What became of `pid`; with `no_hang`, fabrik_wait_nothing if nothing has. `value` is its status or signal.
enum { fabrik_wait_nothing = 0, fabrik_wait_exited = 1, fabrik_wait_signaled = 2, fabrik_wait_stopped = 3 };
int fabrik_wait_child(pid_t pid, int no_hang, int *value);

// What SO_PEERCRED tells of the process at the other end of a Unix socket (struct ucred).
typedef struct {
  pid_t pid;
  uid_t uid;
  gid_t gid;
} fabrik_peer_credentials;

// The environment of this process.
char **fabrik_environ(void);

// User and system CPU time of children that ended and were waited for, in microseconds.
int64_t fabrik_children_cpu_microseconds(void);

// Makes this process unable to leave a core file, so that dying of a child's signal does not write a second one.
void fabrik_disable_core_dump(void);
