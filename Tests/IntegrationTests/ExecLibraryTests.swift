import Testing

/// The library that is loaded into programs that drive builds must be noticed by none of them, nor by what they start: each
/// script is run with and without Fabrik, and the two outcomes are compared.
@Suite(.timeLimit(.minutes(5)))
struct ExecLibraryTests {
  /// Programs that the scripts use, made without Fabrik.
  private static let preparation = """
    gcc -o calls calls.c -lpthread && cp calls make || exit
    gcc -static -DSTATIC -o sh calls.c
    gcc -fsanitize=address -o sanitized sanitized.c
    mkdir -p asan && cp sanitized asan/make
    gcc -shared -fPIC -o mine.so mine.c
    printf '#!/bin/sh\\nprintenv LD_PRELOAD\\n./sanitized\\n' > script && printf './sanitized\\necho $0\\n' > bare
    chmod +x script bare
    cp "$(command -v env)" set-user-id
    # Only root can give it to somebody else.
    [ "$(id -u)" != 0 ] || { chown nobody set-user-id && chmod u+s set-user-id; }
    """

  /// Ways to execute a program, as a program called `make` uses them, which has the library.
  private static let calls = #"""
    #define _GNU_SOURCE
    #include <errno.h>
    #include <fcntl.h>
    #include <pthread.h>
    #include <spawn.h>
    #include <stdio.h>
    #include <stdlib.h>
    #include <string.h>
    #include <sys/wait.h>
    #include <unistd.h>
    extern char **environ;

    static int run(int way, const char *file, char **arguments, char **environment) {
      switch (way) {
        case 0: return execve(file, arguments, environment);
        case 1: return execv(file, arguments);
        case 2: return execvp(file, arguments);
        case 3: return execvpe(file, arguments, environment);
        case 4: return execl(file, arguments[0], "one", "two", (char *)NULL);
        case 5: return execlp(file, arguments[0], "one", "two", (char *)NULL);
        case 6: return execle(file, arguments[0], "one", "two", (char *)NULL, environment);
        case 7: return fexecve(open(file, O_RDONLY | O_CLOEXEC), arguments, environment);
        case 8: return execve(file, arguments, NULL);
        default: return execl(file, NULL, (char *)NULL);
      }
    }

    static void report(const char *what, int way, const char *file, int status) {
      printf("%s %d %s: %d %d\n", what, way, file, WIFEXITED(status) ? WEXITSTATUS(status) : -1, WTERMSIG(status));
      fflush(stdout);
    }

    static void *spawn_many(void *unused) {
      for (int i = 0; i < 40; i++) {
        char *arguments[] = {"sh", "-c", "exit 3", NULL};
        pid_t child;
        int status;
        if (i % 3 == 0) {
          if (posix_spawnp(&child, "sh", NULL, NULL, arguments, environ) != 0) abort();
        } else {
          child = i % 3 == 1 ? fork() : vfork();
          if (child == 0) {
            execv("/bin/sh", arguments);
            _exit(9);
          }
        }
        if (waitpid(child, &status, 0) != child || WEXITSTATUS(status) != 3) abort();
      }
      return NULL;
    }

    int main(int count, char **words) {
      if (count > 1) {
        execv(words[1], words + 1);
        return 99;
      }
    #ifndef STATIC
      const char *files[] = {"/bin/echo", "echo", "./sanitized", "sh", "./script", "./bare", "missing", "/missing", "",
                             "/", "./calls.c"};
      char *environment[] = {"PATH=/usr/bin:/bin", "EXTRA=1", NULL};
      for (size_t i = 0; i < sizeof files / sizeof files[0]; i++) {
        char *arguments[] = {"name", "one", "two", NULL};
        for (int way = 0; way < 10; way++) {
          int status;
          pid_t child = way % 2 ? fork() : vfork();
          if (child == 0) {
            run(way, files[i], arguments, environment);
            _exit(errno);
          }
          waitpid(child, &status, 0);
          report("exec", way, files[i], status);
        }
        for (int way = 0; way < 2; way++) {
          pid_t child = 0;
          int status = 0;
          int error = (way ? posix_spawnp : posix_spawn)(&child, files[i], NULL, NULL, arguments, environ);
          printf("spawn %d %s: %d\n", way, files[i], error);
          if (error == 0) waitpid(child, &status, 0);
          report("spawn", way, files[i], status);
        }
      }
      pthread_t threads[8];
      for (int i = 0; i < 8; i++) pthread_create(&threads[i], NULL, spawn_many, NULL);
      for (int i = 0; i < 8; i++) pthread_join(threads[i], NULL);
      puts("threads");
    #endif
      return 0;
    }
    """#

  private static let sanitized = #"""
    #include <stdio.h>
    #include <stdlib.h>
    int main(int count, char **words) {
      const char *preloaded = getenv("LD_PRELOAD");
      printf("%s runs: %s\n", words[0] ? words[0] : "-", preloaded ? preloaded : "-");
      return fflush(stdout) + system("printenv LD_PRELOAD") * 0;
    }
    """#

  private func sandbox() throws -> Sandbox {
    let sandbox = try Sandbox()
    try sandbox.write(Self.calls, to: "calls.c")
    try sandbox.write(Self.sanitized, to: "sanitized.c")
    try sandbox.write("int mine;\n", to: "mine.c")
    try sandbox.write(
      "all:\n\t@./sanitized\n\t@echo shell; ./sanitized\n\t@printenv LD_PRELOAD || echo none\n", to: "Makefile")
    #expect(try sandbox.run(Self.preparation).exitStatus == 0)
    return sandbox
  }

  /// Scripts in which `$X` stands for nothing or for `fabrik exec --`.
  static let scripts: [(what: String, script: String)] = [
    ("programs with AddressSanitizer, started by make and by its shell", "$X /usr/bin/make"),
    ("programs with AddressSanitizer, started directly", "$X ./sanitized; $X sh -c ./sanitized; $X env ./sanitized"),
    ("a driver with AddressSanitizer", "$X asan/make; $X sh -c 'asan/make; exec asan/make'"),
    ("a driver that is linked statically", "$X ./sh ./sanitized; $X /bin/sh -c './sh ./sanitized; ./sh /usr/bin/make'"),
    ("every way to execute a program", "$X ./make"),
    ("a cleared environment", "$X sh -c 'env -i /bin/sh -c \"/usr/bin/env\"; env -i ./sanitized'"),
    ("scripts", "$X ./script; $X sh -c './script; ./bare'; $X ./bare"),
    ("the user's own libraries", "LD_PRELOAD=$PWD/mine.so $X sh -c 'printenv LD_PRELOAD'"),
    ("a library that a recipe names", "$X sh -c 'LD_PRELOAD=$PWD/mine.so printenv LD_PRELOAD'"),
    ("a library that is not there", "LD_PRELOAD=/missing.so $X sh -c 'printenv LD_PRELOAD'"),
    ("programs with the rights of another user", "$X sh -c './set-user-id printenv LD_PRELOAD; ./set-user-id id -un'"),
    ("Valgrind", "$X sh -c 'valgrind -q --error-exitcode=3 sh -c ./script'; echo $?"),
    (
      "a deep pipeline",
      "$X sh -c 'seq 2000 | xargs -n 50 echo | sh -c \"cat | sh -c cat\" | python3 -c \"import sys; print(len(sys.stdin.read()))\"'"
    ),
    ("a shell without descriptors", "$X sh -c 'ulimit -n 3; /bin/true; echo $?' 2>&1"),
    (
      "a large environment",
      "export A=$(seq 20000) $(seq -f 'V%.0f=1' 5000); $X sh -c 'printenv V5000; sh -c \"printenv V77\"'"
    ),
    ("many arguments", "$X sh -c 'echo $(seq 30000) | xargs /bin/echo | wc'"),
  ]

  @Test func `is noticed by nothing`() throws {
    let (direct, wrapped) = (try sandbox(), try sandbox())
    for (what, script) in Self.scripts {
      let expected = try direct.run(script, environment: ["X": ""])
      let outcome = try wrapped.run(script, environment: ["X": "fabrik exec --"])
      let names = { (text: String) in text.replacing(wrapped.path, with: direct.path) }
      #expect(names(outcome.output) == expected.output, "\(what)")
      #expect(names(outcome.errors) == expected.errors, "\(what)")
      #expect(outcome.status == expected.status, "\(what)")
    }
  }

  @Test(arguments: [
    "fabrik exec -- sh -c 'grep -c libfabrik-exec /proc/$$/maps'",
    "fabrik exec -- sh -c 'fabrik exec -- sh -c \"grep -c libfabrik-exec /proc/\\$\\$/maps\"'",
    "fabrik exec -- env make -f - <<< 'all:;@grep -c libfabrik-exec /proc/$$PPID/maps'",
    "fabrik exec -- nice python3 -c 'print(open(\"/proc/self/maps\").read().count(\"libfabrik-exec\"))'",
  ])
  func `is loaded into what drives a build`(script: String) throws {
    let outcome = try Sandbox().run(script)
    #expect((Int(outcome.output.dropLast()) ?? 0) > 0, "\(outcome.output)\(outcome.errors)")
  }

  @Test(arguments: [
    "fabrik exec -- cat /proc/self/maps", "fabrik exec -- sh -c 'cat /proc/self/maps'",
    "fabrik exec -- sh -c 'fabrik exec -- cat /proc/self/maps'",
    "fabrik exec -- fabrik exec -- cat /proc/self/maps",
    "FABRIK_ABSOLUTE_COMPILERS=0 fabrik exec -- sh -c 'cat /proc/$$/maps'",
    "fabrik exec --tool ccache=off --tool swift=off -- sh -c 'cat /proc/$$/maps'",
  ])
  func `is not loaded into anything else`(script: String) throws {
    let outcome = try Sandbox().run(script)
    #expect(outcome.output.contains("/maps") == false && outcome.output.contains("stack"))
    #expect(!outcome.output.contains("libfabrik-exec"))
  }

  /// Prints its environment, then has others print what they get: as it is, with a variable of its own, and without the
  /// library.
  private static let packageManager = #"""
    #include <spawn.h>
    #include <stdio.h>
    #include <stdlib.h>
    #include <sys/wait.h>
    #include <unistd.h>
    extern char **environ;

    static void spawn_env(const char *title) {
      char *arguments[] = {"env", NULL};
      pid_t child;
      puts(title);
      fflush(stdout);
      if (posix_spawnp(&child, "env", NULL, NULL, arguments, environ) != 0) abort();
      waitpid(child, NULL, 0);
    }

    int main(void) {
      for (char **entry = environ; *entry != NULL; entry++) puts(*entry);
      spawn_env("-- spawned");
      setenv("TURBO_TEAM", "other", 1);
      spawn_env("-- changed");
      unsetenv("LD_PRELOAD");
      spawn_env("-- alone");
      return 0;
    }
    """#

  /// Swift's package manager reads a manifest anew when its environment is another.
  @Test func `a program that remembers its environment finds it as it was in the last build`() throws {
    let sandbox = try Sandbox()
    try sandbox.write(Self.packageManager, to: "manager.c")
    #expect(try sandbox.run("gcc -o swift-package manager.c && ln -s swift-package swift-build").exitStatus == 0)
    func parts() throws -> [Set<String>] {
      let outcome = try sandbox.run("MINE=1 fabrik exec -- ./swift-build")
      #expect(outcome.exitStatus == 0, "\(outcome.errors)")
      return outcome.output.split(separator: "\n--").map { Set($0.split(separator: "\n").map(String.init)) }
    }
    let (first, second) = (try parts(), try parts())
    try #require(first.count == 4)
    #expect(first[0] == second[0] && first[0].contains("MINE=1"))
    let isSession = { (entry: String) in entry.hasPrefix("FABRIK_SESSION=") }
    #expect(first.map { $0.contains(where: isSession) } == [false, true, true, false])
    let isStorage = { (entry: String) in entry.hasPrefix("CCACHE_REMOTE_STORAGE=http") }
    #expect(first.map { $0.contains(where: isStorage) } == [false, true, true, false])
    #expect(first[1] != second[1])
    #expect(first.map { $0.filter { $0.hasPrefix("TURBO_TEAM=") } }[2] == ["TURBO_TEAM=other"])
  }

  @Test func `what is left of a session is removed`() throws {
    // The shell in the background outlives its build, as a terminal multiplexer does.
    let outcome = try Sandbox().run(
      """
      fabrik exec -- sh -c '(while ! [ -e over ]; do sleep 0.02; done
        LD_PRELOAD=/mine.so:$LD_PRELOAD fabrik exec --tool ccache=off -- printenv LD_PRELOAD > later
        touch done) > /dev/null 2>&1 &'
      touch over; while ! [ -e done ]; do sleep 0.02; done; cat later
      """)
    #expect(outcome.output == "/mine.so\n")
  }
}
