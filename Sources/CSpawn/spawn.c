#define _GNU_SOURCE
#include "CSpawn.h"
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

char **fabrik_environ(void) { return environ; }

// execvp's loop over paths that were looked up beforehand. Returns the errno to report. `shell_argv` has room for argv
// and one more.
static int exec_first(char *const candidates[], char *const argv[], char *const envp[], char **shell_argv) {
  int result = ENOENT;
  for (; *candidates != NULL; candidates++) {
    execve(*candidates, argv, envp);
    if (errno == ENOEXEC) {
      shell_argv[0] = "/bin/sh";
      shell_argv[1] = (char *)*candidates;
      size_t i = 1;
      for (; argv[0] != NULL && argv[i] != NULL; i++) shell_argv[i + 1] = argv[i];
      shell_argv[i + 1] = NULL;
      execve("/bin/sh", shell_argv, envp);
    }
    if (errno == EACCES) result = EACCES;
    else if (errno != ENOENT && errno != ENOTDIR) return errno;
  }
  return result;
}

static char **allocate_shell_argv(char *const argv[]) {
  size_t count = 0;
  while (argv[count] != NULL) count++;
  return calloc(count + 2, sizeof(char *));
}

int fabrik_exec_command(char *const candidates[], char *const argv[], char *const envp[]) {
  char **shell_argv = allocate_shell_argv(argv);
  if (shell_argv == NULL) return ENOMEM;
  int result = exec_first(candidates, argv, envp, shell_argv);
  free(shell_argv);
  return result;
}

int fabrik_spawn_command(char *const candidates[], char *const argv[], char *const envp[], const sigset_t *mask,
                         int ignore_sigchld, pid_t *pid) {
  char **shell_argv = allocate_shell_argv(argv);
  if (shell_argv == NULL) return ENOMEM;
  pid_t parent = getpid();
  volatile int failure = 0;
  // vfork: the parent's page tables are not copied, and the child's failure is left in `failure`.
  pid_t child = vfork();
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(125);
    if (ignore_sigchld) signal(SIGCHLD, SIG_IGN);
    sigprocmask(SIG_SETMASK, mask, NULL);
    failure = exec_first(candidates, argv, envp, shell_argv);
    _exit(127);
  }
  int error = child < 0 ? errno : failure;
  free(shell_argv);
  if (error != 0) {
    if (child > 0) waitpid(child, NULL, 0);
    return error;
  }
  *pid = child;
  return 0;
}

// A server gets six.
enum { most_descriptors = 16 };

// Returns 0, or the errno of the failure.
static int become_daemon(const int *fds, size_t count, int is_pristine) {
  int null = open("/dev/null", O_RDWR | O_CLOEXEC);
  if (null < 0) return errno;
  // Out of the way first: a descriptor may already have one of the wanted numbers.
  int high[most_descriptors];
  for (size_t i = 0; i < count; i++) {
    high[i] = fcntl(fds[i], F_DUPFD_CLOEXEC, 3 + (int)count);
    if (high[i] < 0) return errno;
  }
  for (int fd = 0; fd < 3; fd++) dup2(null, fd);
  for (size_t i = 0; i < count; i++) dup2(high[i], 3 + (int)i);
  close_range(3 + (unsigned)count, ~0U, 0);
  if (!is_pristine) return chdir("/") == 0 ? 0 : errno;
  // The C library keeps two signals for itself and refuses changes to them; the rest go back to their defaults.
  for (int number = 1; number < NSIG; number++) signal(number, SIG_DFL);
  sigset_t none;
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &none, NULL);
  umask(077);
  return chdir("/") == 0 ? 0 : errno;
}

static int spawn_daemon(const char *path, char *const argv[], char *const envp[], const int *fds, size_t count,
                        int is_pristine) {
  if (count > most_descriptors) return EINVAL;
  volatile int failure = 0;
  pid_t middle = vfork();
  if (middle == 0) {
    setsid();
    // The second fork makes the server init's child: a COMMAND that waits for any child must not reap it.
    pid_t server = vfork();
    if (server == 0) {
      failure = become_daemon(fds, count, is_pristine);
      if (failure == 0) {
        execve(path, argv, envp);
        failure = errno;
      }
      _exit(127);
    }
    if (server < 0) failure = errno;
    _exit(0);
  }
  if (middle < 0) return errno;
  while (waitpid(middle, NULL, 0) < 0 && errno == EINTR) {
  }
  return failure;
}

int fabrik_spawn_detached(const char *path, char *const argv[], char *const envp[], const int *fds, size_t count) {
  return spawn_daemon(path, argv, envp, fds, count, 1);
}

int fabrik_spawn_companion(const char *path, char *const argv[], char *const envp[]) {
  return spawn_daemon(path, argv, envp, NULL, 0, 0);
}

int fabrik_wait_signal(const sigset_t *set, int *from_kernel, pid_t *sender) {
  siginfo_t info;
  int number;
  do number = sigwaitinfo(set, &info);
  while (number < 0 && errno == EINTR);
  *from_kernel = info.si_code > 0;
  *sender = info.si_code > 0 ? 0 : info.si_pid;
  return number;
}

static int end_signal_writer = -1;

static void report_end_signal(int number) {
  int saved = errno;
  ssize_t ignored = write(end_signal_writer, &(char){(char)number}, 1);
  (void)ignored;
  errno = saved;
}

int fabrik_catch_end_signals(void) {
  int ends[2];
  if (pipe2(ends, O_CLOEXEC) != 0) return -1;
  end_signal_writer = ends[1];
  fcntl(ends[1], F_SETFL, O_NONBLOCK);
  struct sigaction action = {.sa_handler = report_end_signal, .sa_flags = SA_RESTART};
  sigaction(SIGTERM, &action, NULL);
  sigaction(SIGINT, &action, NULL);
  sigaction(SIGHUP, &action, NULL);
  return ends[0];
}

void fabrik_close_descriptors_except(const int *keep, size_t count) {
  unsigned first = 3;
  for (size_t i = 0; i < count; i++) {
    if (keep[i] < 3) continue;
    if ((unsigned)keep[i] > first) close_range(first, (unsigned)keep[i] - 1, 0);
    first = (unsigned)keep[i] + 1;
  }
  close_range(first, ~0U, 0);
}

int fabrik_wait_child(pid_t pid, int no_hang, int *value) {
  int status;
  pid_t result;
  do result = waitpid(pid, &status, WUNTRACED | (no_hang ? WNOHANG : 0));
  while (result < 0 && errno == EINTR);
  if (result <= 0) return fabrik_wait_nothing;
  if (WIFSTOPPED(status)) {
    *value = WSTOPSIG(status);
    return fabrik_wait_stopped;
  }
  if (WIFSIGNALED(status)) {
    *value = WTERMSIG(status);
    return fabrik_wait_signaled;
  }
  *value = WEXITSTATUS(status);
  return fabrik_wait_exited;
}

int64_t fabrik_children_cpu_microseconds(void) {
  struct rusage usage;
  if (getrusage(RUSAGE_CHILDREN, &usage) != 0) return 0;
  return (int64_t)(usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) * 1000000 + usage.ru_utime.tv_usec +
         usage.ru_stime.tv_usec;
}

void fabrik_disable_core_dump(void) { prctl(PR_SET_DUMPABLE, 0); }
