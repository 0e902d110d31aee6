import SystemPackage
import SystemSupport
import Testing

@testable import BuildTools

@Suite("What ccache.conf says")
struct CCacheSettingsTests {
  private static let places: [(FilePath, [(String, String)])] = [
    ("/etc/ccache.conf", []), ("/home/me/.ccache/ccache.conf", []), ("/home/me/.config/ccache/ccache.conf", []),
    ("/x/ccache/ccache.conf", [("XDG_CONFIG_HOME", "/x")]), ("/d/ccache.conf", [("CCACHE_DIR", "/d")]),
    ("/my.conf", [("CCACHE_CONFIGPATH", "/my.conf")]),
  ]

  private func wire(_ file: FilePath, _ text: String, _ variables: [(String, String)] = []) -> Wiring {
    var host = FakeToolHost()
    host.files[file] = text
    var environment = host.context().environment
    for (name, value) in variables { environment[name] = value }
    return CCache.wire(
      host.context(in: environment))
  }

  @Test("a remote storage in any of its places is left alone", arguments: places)
  func remoteStorage(file: FilePath, variables: [(String, String)]) {
    #expect(
      wire(file, "remote_storage = http://mine\n", variables) == .leftAlone("a remote storage is set in \(file)"))
  }

  @Test(
    "a setting is found however the line is written",
    arguments: [
      "remote_storage=http://mine", "  remote_storage  =  x", "\tsecondary_storage = file:/x\n",
      "a = b\r\nremote_storage = x\r\n",
      "# comment\n\nremote_storage = x # y",
    ])
  func spellings(text: String) {
    #expect(wire("/etc/ccache.conf", text) == .leftAlone("a remote storage is set in /etc/ccache.conf"))
  }

  @Test(
    "a comment or another setting is none",
    arguments: [
      "# remote_storage = x", "  #remote_storage = x", "remote_storage", "my_remote_storage = x",
      "remote_storage_x = y", "=",
    ])
  func notSet(text: String) {
    #expect(wire("/etc/ccache.conf", text).state == .wired)
  }

  @Test("files that ccache would not read are not read")
  func otherFiles() {
    let text = "remote_storage = x"
    #expect(wire("/home/me/.config/ccache/ccache.conf", text, [("CCACHE_DIR", "/d")]).state == .wired)
    #expect(wire("/home/me/.config/ccache/ccache.conf", text, [("XDG_CONFIG_HOME", "/x")]).state == .wired)
    #expect(wire("/etc/ccache.conf", text, [("CCACHE_CONFIGPATH", "/my.conf")]).state == .wired)
  }

  @Test("settings in the file are kept, and said")
  func kept() {
    let wiring = wire("/etc/ccache.conf", "base_dir = /\nstats = true\nremote_only = false")
    #expect(wiring.state == .wired)
    #expect(wiring.variables.count == 3)
    #expect(
      Set(wiring.kept) == [
        "ccache's base_dir, set in /etc/ccache.conf", "ccache's stats, set in /etc/ccache.conf",
        "ccache's remote_only, set in /etc/ccache.conf",
      ])
  }
}

@Suite("ccache's own directory")
struct CCacheDirectoryTests {
  @Test("is left where it is when files can be made in it")
  func writable() {
    #expect(CCache.wire(FakeToolHost().context()).value("CCACHE_DIR") == nil)
  }

  @Test("is replaced under a home that cannot be written; the user's settings stay in force")
  func readOnlyHome() {
    var host = FakeToolHost()
    host.readOnly = ["/home/me"]
    var wiring = CCache.wire(host.context())
    #expect(wiring.value("CCACHE_DIR") == "/scratch/ccache")
    #expect(wiring.value("CCACHE_CONFIGPATH") == nil)
    host.files["/home/me/.config/ccache/ccache.conf"] = "max_size = 1G"
    wiring = CCache.wire(host.context())
    #expect(wiring.value("CCACHE_DIR") == "/scratch/ccache")
    #expect(wiring.value("CCACHE_CONFIGPATH") == "/home/me/.config/ccache/ccache.conf")
  }

  @Test("is replaced where there is no home at all")
  func noHome() {
    #expect(CCache.wire(FakeToolHost().context(home: nil)).value("CCACHE_DIR") == "/scratch/ccache")
  }

  @Test(
    "is looked for where ccache has it",
    arguments: [
      ("/home/me/.cache/ccache", [:]), ("/x/ccache", ["XDG_CACHE_HOME": "/x"]), ("/d", ["CCACHE_DIR": "/d"]),
    ] as [(FilePath, [String: String])])
  func place(directory: FilePath, variables: [String: String]) {
    var host = FakeToolHost()
    host.readOnly = [directory]
    var environment = host.context().environment
    for (name, value) in variables { environment[name] = value }
    let wiring = CCache.wire(
      host.context(in: environment))
    #expect(wiring.value("CCACHE_DIR") == "/scratch/ccache")
  }

  @Test("may be ~/.ccache, or be named in the settings")
  func others() {
    var host = FakeToolHost()
    host.directories = ["/home/me/.ccache"]
    host.readOnly = ["/home/me/.ccache"]
    #expect(CCache.wire(host.context()).value("CCACHE_DIR") == "/scratch/ccache")
    host.files["/etc/ccache.conf"] = "cache_dir = /fast"
    #expect(CCache.wire(host.context()).value("CCACHE_DIR") == nil)
    host.readOnly = ["/fast"]
    #expect(CCache.wire(host.context()).value("CCACHE_DIR") == "/scratch/ccache")
  }
}
