import SystemSupport
import Testing

@testable import BuildLauncher

@Suite("What a build leaves in an environment that outlives it")
struct SessionTests {
  @Test("is taken out again, and what the user had set comes back")
  func clean() {
    let before = Environment(["PATH": "/usr/bin:/bin", "GRADLE_OPTS": "-Xmx1g", "OTHER": "x"])
    var environment = before
    Session.inject("GRADLE_OPTS", "-Xmx1g -Dmore", into: &environment)
    Session.inject("CCACHE_REMOTE_STORAGE", "http://127.0.0.1:1", into: &environment)
    environment["PATH"] = "/links:/usr/bin:/bin"
    Session.mark(&environment, injected: ["GRADLE_OPTS", "CCACHE_REMOTE_STORAGE", "/links"])
    #expect(environment["GRADLE_OPTS"] == "-Xmx1g -Dmore")
    Session.clean(&environment)
    #expect(Set(environment.entries) == Set(before.entries))
  }

  @Test("a shim's tool finds the PATH as it was")
  func directories() {
    var environment = Environment(["PATH": "/links:/usr/bin:/other/links:/bin:"])
    Session.mark(&environment, injected: ["VARIABLE", "/links", "/other/links"])
    Session.removeDirectories(Session.paths(of: environment), from: &environment)
    #expect(environment["PATH"] == "/usr/bin:/bin:")
    #expect(environment["FABRIK_INJECTED"] != nil, "the build goes on")
  }
}
