import SystemPackage
import SystemSupport
import Testing

@testable import BuildLauncher

@Suite("A program run for what it prints", .timeLimit(.minutes(5)))
struct SubcommandTests {
  private static let environment = Environment(["PATH": "/usr/bin:/bin"])

  private func output(_ script: String) -> String? {
    Subcommand.output(of: "/bin/sh", arguments: ["-c", script], environment: Self.environment)
  }

  @Test("is read to its end, and so much of it kept")
  func long() {
    #expect(output("yes | head -c 300000")?.utf8.count == 65536)
  }

  @Test("says nothing when it fails")
  func failing() {
    #expect(output("echo text") == "text\n")
    #expect(output("echo text; exit 3") == nil)
    #expect(output("kill -9 $$") == nil)
  }
}
