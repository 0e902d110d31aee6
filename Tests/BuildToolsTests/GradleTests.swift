import BuildTools
import Glibc
import SystemPackage
import SystemSupport
import Testing

@Suite("Gradle")
struct GradleTests {
  private static func host(_ files: [FilePath: String] = [:]) -> FakeToolHost {
    var host = FakeToolHost()
    host.programs["gradle"] = "/usr/bin/gradle"
    host.directories = ["/home/me/.gradle"]
    host.files = files
    return host
  }

  @Test("as COMMAND gets a script that is the same in all builds", arguments: ["gradle", "./gradlew"])
  func command(program: String) throws {
    var wiring = Wiring()
    for _ in 0..<2 {
      let next = Gradle.wire(Self.host().context(command: [program, "build"]))
      if wiring.state == .wired, !wiring.files.isEmpty { #expect(next == wiring) }
      wiring = next
    }
    let file = try #require(wiring.files.first)
    #expect(wiring.arguments == ["-I", file.path.string])
    #expect(file.path.starts(with: "/scratch") && !file.path.starts(with: "/scratch/builds"))
    #expect(file.text.contains("'http://127.0.0.1:4711/gradle/'"))
    #expect(file.text.contains("'token'"))
    #expect(file.text.contains("start.buildCacheEnabled = true"))
    #expect(wiring.overlays.isEmpty && wiring.variables.isEmpty && wiring.links == nil)
  }

  @Test("the script does not name the build")
  func lease() throws {
    let context = Self.host().context(command: ["gradle"])
    let endpoints = CacheEndpoints(crshSocket: "/s", httpPort: 1, httpToken: "token.lease")
    let ofBuild = BuildContext(
      command: context.command, environment: context.environment, endpoints: endpoints, projectRoot: nil,
      scratch: "/scratch", buildDirectory: "/scratch/builds/1", fabrik: "/fabrik", host: context.host)
    let text = try #require(Gradle.wire(ofBuild).files.first).text
    #expect(text.contains("'token'") && !text.contains("lease"))
  }

  @Test(
    "is left alone by who wants no cache",
    arguments: ["--no-build-cache", "--offline", "-Dorg.gradle.caching=false"])
  func arguments(argument: String) {
    #expect(Gradle.wire(Self.host().context(command: ["gradle", "build", argument])).state != .wired)
  }

  @Test("properties decide, the user's before the project's")
  func properties() {
    let (off, on) = ("a=b\n org.gradle.caching = False\n", "org.gradle.caching=true\n")
    let (user, project): (FilePath, FilePath) = ("/home/me/.gradle/gradle.properties", "/src/project/gradle.properties")
    for command in [["gradle"], ["make"]] {
      #expect(Gradle.wire(Self.host([project: off]).context(command: command)).state != .wired)
      #expect(Gradle.wire(Self.host([user: off, project: on]).context(command: command)).state != .wired)
      #expect(Gradle.wire(Self.host([user: on]).context(command: command)).state == .wired)
      #expect(Gradle.wire(Self.host([project: "#org.gradle.caching=false"]).context(command: command)).state == .wired)
    }
  }

  @Test(
    "a remote cache of the user's stays",
    arguments: [
      "/src/project/settings.gradle", "/src/project/settings.gradle.kts", "/home/me/.gradle/init.gradle",
    ] as [FilePath])
  func remote(file: FilePath) {
    let text = "buildCache { remote(HttpBuildCache) { url = 'http://cache.example/' } }"
    for command in [["gradle"], ["make"]] {
      #expect(Gradle.wire(Self.host([file: text]).context(command: command)).state != .wired)
      #expect(Gradle.wire(Self.host([file: "rootProject.name = 'x'"]).context(command: command)).state == .wired)
    }
  }

  @Test("below another command is reached through a home that leads to the user's")
  func nested() throws {
    let wiring = Gradle.wire(Self.host().context())
    let overlay = try #require(wiring.overlays.first)
    #expect(overlay.variable == "GRADLE_USER_HOME" && overlay.original == "/home/me/.gradle")
    #expect(overlay.directories.contains("caches") && overlay.directories.contains("wrapper"))
    #expect(overlay.additions.map(\.path) == ["init.d/fabrik-cache.gradle"])
    #expect(wiring.value("GRADLE_OPTS") == "-Dorg.gradle.caching=true")
    #expect(wiring.arguments.isEmpty && wiring.files.isEmpty)
    // A cache that somebody has refused is not switched on.
    #expect(!(overlay.additions[0].text.contains("buildCacheEnabled = true")))
  }

  @Test("options and another home of the user's are kept")
  func kept() throws {
    var host = Self.host()
    host.directories.insert("/other")
    let wiring = Gradle.wire(host.context(["GRADLE_OPTS": "-Xmx1g", "GRADLE_USER_HOME": "/other"]))
    #expect(wiring.value("GRADLE_OPTS") == "-Xmx1g -Dorg.gradle.caching=true")
    #expect(wiring.overlays.map(\.original) == ["/other"])
    #expect(Gradle.wire(host.context(["GRADLE_OPTS": "-Dorg.gradle.caching=false"])).state != .wired)
    #expect(Gradle.wire(host.context(["GRADLE_USER_HOME": "/missing"])).state != .wired)
    #expect(Gradle.wire(host.context(["GRADLE_USER_HOME": "relative"])).state != .wired)
    host.readOnly = ["/other"]
    #expect(Gradle.wire(host.context(["GRADLE_USER_HOME": "/other"])).state != .wired)
  }

  @Test("a build that is kept away from the user's home is not led there")
  func otherHome() {
    let user = "\(getuid())"
    func host(home: String) -> FakeToolHost {
      Self.host(["/etc/passwd": "root:x:99999:0::/\nme:x:\(user):1::\(home):/bin/sh"])
    }
    #expect(Gradle.wire(host(home: "/home/me").context()).state == .wired)
    var other = host(home: "/home/other")
    other.directories.insert("/home/other/.gradle")
    #expect(Gradle.wire(other.context()).state != .wired)
    #expect(Gradle.wire(other.context(command: ["gradle"])).state == .wired)
  }

  @Test("nothing is made for who does not use it")
  func unused() {
    var host = Self.host()
    host.programs["gradle"] = nil
    #expect(Gradle.wire(host.context()).state != .wired)
    host.directories.insert("/src/project/gradlew")
    #expect(Gradle.wire(host.context()).state == .wired)
    var fresh = Self.host()
    fresh.directories = []
    #expect(Gradle.wire(fresh.context()).state != .wired)
  }
}
