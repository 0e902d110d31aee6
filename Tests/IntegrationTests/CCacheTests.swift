import Foundation
import SystemSupport
import Testing

/// C builds with the real ccache, in both of the ways it can talk to Fabrik.
@Suite(.timeLimit(.minutes(10)))
struct CCacheTests {
  /// A sandbox in which this ccache is the first on the PATH.
  private func sandbox(with ccache: InstalledCCache) throws -> Sandbox {
    try #require(
      FileManager.default.isExecutableFile(atPath: "\(ccache.directory)/ccache"),
      "run: scripts/install-dependencies test")
    return try Sandbox(ccache: ccache)
  }

  @Test func `a disk that is full costs a line, and nothing else`() throws {
    let sandbox = try Sandbox()
    try CProject(files: 3).write(to: sandbox, directory: "p")
    let outcome = try sandbox.run(
      """
      mkdir -p $HOME/.cache/fabrik
      unshare --user --map-root-user --mount bash -c '
        mount -t tmpfs -o size=4m none $HOME/.cache/fabrik || exit
        fabrik exec --linger 60s -- true
        head -c 10m /dev/zero > $HOME/.cache/fabrik/filler 2> /dev/null
        cd p && fabrik exec -- make -s && ./program; fabrik daemon stop > /dev/null'
      """)
    #expect(outcome.output == "3 files\n")
    #expect(
      outcome.errors
        == "fabrik: 6 results could not be stored in the cache: No space left on device\nfabrik: 0 hits · 6 misses\n")
  }

  @Test func `what ran before in the same process is not taken for a build that bypassed the cache`() throws {
    let sandbox = try Sandbox()
    try sandbox.write("all:\n\t@echo up to date\n", to: "Makefile")
    // A shell executes its last command in its own place, and the kernel keeps the time of its children.
    let outcome = try sandbox.run(
      "timeout 30 python3 -c 'import resource as r\nwhile r.getrusage(r.RUSAGE_SELF).ru_utime < 5.5: pass'; fabrik exec -- make"
    )
    #expect(outcome.output == "up to date\n")
    #expect(outcome.errors == "")
  }

  @Test func `tools are found where the end of children is ignored`() throws {
    let sandbox = try Sandbox()
    try CProject(files: 2).write(to: sandbox, directory: "p")
    let outcome = try sandbox.run("trap '' CHLD; cd p && fabrik exec -- make")
    #expect(outcome.errors.contains("fabrik: 0 hits · 4 misses"), "\(outcome)")
  }

  @Test(arguments: InstalledCCache.allCases)
  func `a second build in another directory comes from the cache`(ccache: InstalledCCache) throws {
    let sandbox = try sandbox(with: ccache)
    for directory in ["plain", "first", "elsewhere/second"] {
      try CProject(files: 8).write(to: sandbox, directory: directory)
    }
    #expect(try sandbox.run("cd plain && make").exitStatus == 0)
    let cold = try report(try sandbox.run("cd first && fabrik exec --stats json -- make -j2"))
    #expect(cold["lookups"] == 16)
    #expect(cold["misses"] == 16)
    #expect(cold["stored"] == 16)
    let warm = try report(try sandbox.run("cd elsewhere/second && fabrik exec --stats json -- make -j2"))
    #expect(warm["lookups"] == 16)
    #expect(warm["hits.local"] == 16)
    #expect(warm["misses"] == 0)
    #expect(warm["bytes.local"] == cold["bytes.stored"])
    #expect(warm["tools.ccache.hits"] == 16)
    for directory in ["first", "elsewhere/second"] {
      let same = try sandbox.run("for o in plain/*.o; do cmp $o \(directory)/${o##*/}; done; \(directory)/program")
      #expect(same.output == "8 files\n")
    }
  }

  @Test(arguments: InstalledCCache.allCases)
  func `the counts are ccache's own`(ccache: InstalledCCache) throws {
    let sandbox = try sandbox(with: ccache)
    // Fabrik switches ccache's own counting off, unless the user has switched it on.
    sandbox.environment["CCACHE_STATS"] = "1"
    try CProject(files: 9).write(to: sandbox, directory: "p")
    let cold = try report(try sandbox.run("cd p && fabrik exec --stats json -- make -j4"))
    // Half of it is known, a header has changed for one file, one file has only another comment.
    let changes = "rm -f f[1-4].o; echo '#define SCALE 4' > all.h; echo '// comment' >> f2.c"
    let mixed = try report(try sandbox.run("cd p && \(changes) && fabrik exec --stats json -- make -j4"))
    let text = try sandbox.run("ccache --print-stats").output
    var counters: [String: Double] = [:]
    for line in text.split(separator: "\n") {
      let parts = line.split(separator: "\t")
      counters[String(parts[0])] = Double(parts[1])
    }
    let hits = try #require(counters["remote_storage_read_hit"])
    let misses = try #require(counters["remote_storage_read_miss"])
    let writes = try #require(counters["remote_storage_write"])
    #expect((cold["hits.local"] ?? 0) + (mixed["hits.local"] ?? 0) == hits)
    #expect((cold["misses"] ?? 0) + (mixed["misses"] ?? 0) == misses)
    #expect((cold["stored"] ?? 0) + (mixed["stored"] ?? 0) == writes)
    #expect(hits > 0 && misses > 18)
  }

  @Test(arguments: InstalledCCache.allCases)
  func `the store holds what the report says was stored`(ccache: InstalledCCache) throws {
    let sandbox = try sandbox(with: ccache)
    try CProject(files: 5).write(to: sandbox, directory: "p")
    let cold = try report(try sandbox.run("cd p && fabrik exec --stats json -- make"))
    #expect(try sandbox.entries == Int(cold["stored"] ?? -1))
    #expect(try sandbox.run("fabrik cache verify").output.contains("sound     10\ndamaged   0,"))
  }

  @Test(arguments: InstalledCCache.allCases)
  func `damaged entries are compiled again, rightly`(ccache: InstalledCCache) throws {
    let sandbox = try sandbox(with: ccache)
    for directory in ["p", "q"] { try CProject(files: 6).write(to: sandbox, directory: directory) }
    let outcome = try sandbox.run(
      """
      (cd p && fabrik exec -q --linger 0 -- make -s)
      while grep -q "$XDG_RUNTIME_DIR/fabrik/" /proc/net/unix; do sleep 0.02; done
      for f in $(find $HOME/.cache/fabrik/v1/[eb]* -type f); do
        printf '\\377' | dd of=$f bs=1 seek=$(($(stat -c %s $f) / 2)) conv=notrunc status=none
      done
      cd q && fabrik exec -- make -s && cmp f1.o ../p/f1.o && ./program; fabrik cache stats
      """)
    #expect(outcome.exitStatus == 0)
    #expect(outcome.output.hasPrefix("6 files\n"))
    #expect(outcome.errors.hasPrefix("fabrik: 0 hits · 12 misses"))
    #expect(outcome.output.contains("damaged   12 found"))
  }

  @Test(arguments: InstalledCCache.allCases)
  func `CMake builds are cached through the launcher, also from another directory`(ccache: InstalledCCache) throws {
    let sandbox = try sandbox(with: ccache)
    for directory in ["a", "b/c"] {
      try CProject(files: 4).write(to: sandbox, directory: directory)
      try sandbox.write(
        "cmake_minimum_required(VERSION 3.13)\nproject(p C)\nfile(GLOB s *.c)\nadd_executable(program ${s})\n",
        to: "\(directory)/CMakeLists.txt")
    }
    let build = "cmake -G Ninja -S . -B build > log && fabrik exec --stats json -- ninja -C build >> log"
    let cold = try report(try sandbox.run("cd a && fabrik exec -q -- \(build)"))
    #expect(cold["lookups"] == 10)
    let warm = try report(try sandbox.run("cd b/c && fabrik exec -q -- \(build)"))
    #expect(warm["hits.local"] == 10)
    #expect(
      try sandbox.run("grep -c 'CMAKE_C_COMPILER_LAUNCHER:STRING=ccache$' a/build/CMakeCache.txt").output == "1\n")
    // Nothing of ours is remembered but ccache's name.
    #expect(try sandbox.run("grep -c fabrik/links a/build/CMakeCache.txt").output == "0\n")
  }

  @Test(
    arguments: InstalledCCache.allCases,
    ["CC='ccache gcc'", "PATH=/usr/lib/ccache:$PATH", "CC='ccache gcc' PATH=/usr/lib/ccache:$PATH"])
  func `a build that uses ccache already is not wrapped twice`(ccache: InstalledCCache, wrapping: String) throws {
    let sandbox = try sandbox(with: ccache)
    try CProject(files: 3).write(to: sandbox, directory: "p")
    try sandbox.run("sed -i 's/^CC = /CC ?= /' p/Makefile; cp -r p q")
    _ = try sandbox.run("cd p && env \(wrapping) fabrik exec -- make -s")
    let warm = try report(try sandbox.run("cd q && env \(wrapping) fabrik exec --stats json -- make -s"))
    #expect(warm["hits.local"] == 6)
  }

  @Test(arguments: InstalledCCache.allCases)
  func `a home that cannot be written does not break the build`(ccache: InstalledCCache) throws {
    let sandbox = try sandbox(with: ccache)
    try CProject(files: 2).write(to: sandbox, directory: "p")
    let isRoot = try sandbox.run("id -u").output == "0\n"
    // Root may write everywhere, so the build is somebody else's.
    let user = isRoot ? "setpriv --reuid=65534 --regid=65534 --clear-groups" : ""
    let outcome = try sandbox.run(
      """
      mkdir -m 555 \(sandbox.path)/ro; chmod 755 \(sandbox.path) \(Sandbox.repository)
      [ -z "\(user)" ] || chown -R 65534:65534 . \(sandbox.path)/run
      cd p; HOME=\(sandbox.path)/ro FABRIK_CACHE_DIR=\(sandbox.path)/run/cache \(user) fabrik exec -- make -s && ./program
      """)
    #expect(outcome.output == "2 files\n")
    #expect(outcome.errors.hasPrefix("fabrik: 0 hits · 4 misses"))
  }

  @Test func `without ccache one line says how to get it, and the build runs`() throws {
    let sandbox = try Sandbox()
    try CProject(files: 2).write(to: sandbox, directory: "p")
    let outcome = try sandbox.run(
      """
      mkdir bin; for tool in gcc make sh as ld cat; do ln -s $(command -v $tool) bin/; done
      ln -s $(command -v fabrik) $(command -v fabrik-server) bin/
      cd p; PATH=$PWD/../bin; fabrik exec -- make -s; ./program; fabrik exec -- cat /dev/null
      """)
    #expect(outcome.output == "2 files\n")
    #expect(
      outcome.errors
        == "fabrik: C and C++ are not cached: ccache is not installed (try: sudo apt install ccache)\n")
  }

  @Test(arguments: [
    ("CCACHE_REMOTE_STORAGE=file:/tmp/x", "ccache: left alone, CCACHE_REMOTE_STORAGE is set"),
    ("CCACHE_DISABLE=1", "ccache: left alone, CCACHE_DISABLE is set"),
    ("CCACHE_BASEDIR=/", "ccache: kept ccache's base_dir, set in CCACHE_BASEDIR"),
    ("CMAKE_C_COMPILER_LAUNCHER=mine", "ccache: kept CMAKE_C_COMPILER_LAUNCHER"),
    ("FABRIK_TOOLS=ccache=off", "ccache: left alone, switched off"),
  ])
  func `what the user has set is left as it is`(setting: String, message: String) throws {
    let outcome = try Sandbox().run(
      "export '\(setting)'; fabrik exec -v -- sh -c 'echo $\(setting.prefix { $0 != "=" })'")
    #expect(outcome.output == "\(setting.drop { $0 != "=" }.dropFirst())\n")
    #expect(outcome.errors.hasPrefix("fabrik: \(message)\n"))
  }

  @Test func `a remote storage in ccache's configuration file is respected`() throws {
    let sandbox = try Sandbox()
    let outcome = try sandbox.run(
      """
      mkdir -p $HOME/.config/ccache; echo 'remote_storage = file:/tmp/x' > $HOME/.config/ccache/ccache.conf
      fabrik exec -v -- printenv CCACHE_REMOTE_STORAGE
      """)
    #expect(outcome.output == "")
    #expect(
      outcome.errors.contains(
        "left alone, a remote storage is set in \(sandbox.path)/home/.config/ccache/ccache.conf\n"))
  }

  @Test func `a build that compiles past the cache gets a hint, an idle one does not`() throws {
    let sandbox = try Sandbox()
    // As much work as takes six seconds of any processor.
    try sandbox.write(
      """
      all:
      \t@/usr/bin/gcc -c small.c -o small.o
      \t@python3 -c 'import time; exec("while time.process_time() < 6: pass")'

      """, to: "Makefile")
    try sandbox.write("int f(int x) { return x; }\n", to: "small.c")
    let busy = try sandbox.run("FABRIK_ABSOLUTE_COMPILERS=0 fabrik exec -- make")
    #expect(busy.errors.hasPrefix("fabrik: no C or C++ compiler asked for cached results"))
    #expect(busy.errors.split(separator: "\n").count == 1)
    #expect(try sandbox.run("fabrik exec -- make -n").errors == "")
  }
}
