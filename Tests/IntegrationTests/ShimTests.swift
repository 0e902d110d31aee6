import SystemSupport
import Testing

/// The wrapper shims that `make install` puts into libexec.
@Suite(.timeLimit(.minutes(2)))
struct ShimTests {
  /// - Parameter spelling: how PATH has the directory, below the sandbox's own.
  private func sandboxWithShims(spelling: String = "shims") throws -> Sandbox {
    let sandbox = try Sandbox()
    try sandbox.run(
      """
      mkdir ../shims; for name in $(cat \(Sandbox.repository)/shims/names); do
        ln -s \(Sandbox.repository)/shims/fabrik-shim ../shims/$name; done
      """)
    sandbox.environment["PATH"] = "\(sandbox.path)/\(spelling):\(sandbox.environment["PATH"] ?? "")"
    return sandbox
  }

  @Test(arguments: ["shims", "shims/", "./shims", "/shims", "home/../shims"])
  func `a tool called through its shim is cached, and does not meet itself`(spelling: String) throws {
    let sandbox = try sandboxWithShims(spelling: spelling)
    try CProject(files: 3).write(to: sandbox, directory: "p")
    let outcome = try sandbox.run(
      "cd p && make -s && ./program && make -s clean && make -s 'CC=gcc -O0'; gcc --version | head -n 1")
    #expect(outcome.output.hasPrefix("3 files\ngcc "))
    #expect(outcome.errors.contains("fabrik: 0 hits · 6 misses"))
  }

  @Test func `a compiler called through its shim adds nothing to standard error`() throws {
    let sandbox = try sandboxWithShims()
    try sandbox.write("int x;\n", to: "x.c")
    for _ in 0..<2 {
      let outcome = try sandbox.run("gcc -c x.c && cc -c x.c && c++ -c x.c")
      #expect(outcome.exitStatus == 0)
      #expect(outcome.errors == "")
    }
  }

  @Test func `without fabrik a shim runs the tool as it is`() throws {
    let sandbox = try sandboxWithShims()
    try CProject(files: 2).write(to: sandbox, directory: "p")
    let outcome = try sandbox.run(
      "cd p && PATH=\(sandbox.path)/shims:/usr/bin:/bin make -s && ./program; make -s no-such-target 2> /dev/null; echo $?"
    )
    #expect(outcome.output == "2 files\n2\n")
  }
}
