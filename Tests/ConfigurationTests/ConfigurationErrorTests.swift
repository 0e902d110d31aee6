import SystemPackage
import SystemSupport
import TestSupport
import Testing

@testable import Configuration

@Suite("What is wrong with a configuration file")
struct ConfigurationErrorTests {
  /// A text and what is said about it, after the path.
  static let mistakes: [(text: String, message: String)] = [
    ("[cache]\nsize = 1", ":2:1: unknown key 'size' in [cache]; known there: dir, max_size"),
    (
      "[exec]\n  stat = 1",
      ":2:3: unknown key 'stat' in [exec]; known there: linger, stats, stats_file, tools, prefetch, absolute_compilers, map_paths"
    ),
    (
      "\n[cashe]\ndir = \"x\"",
      ":2:1: unknown key or table 'cashe'; Fabrik knows the tables [cache], [exec], [p2p], [[upstream]]"
    ),
    ("top = 1", ":1:1: unknown key or table 'top'; Fabrik knows the tables [cache], [exec], [p2p], [[upstream]]"),
    ("cache = 3", ":1:1: 'cache' is a table; write [cache] and its keys below"),
    ("[[cache]]\ndir = \"x\"", ":1:1: 'cache' is a table; write [cache] and its keys below"),
    ("[cache]\ndir = 3", ":2:1: cache.dir takes a path, such as \"/var/cache/fabrik\""),
    ("[cache]\ndir = \"\"", ":2:1: cache.dir takes a path, such as \"/var/cache/fabrik\", not ''"),
    (
      "[cache]\ndir = \"x\"\nmax_size = \"lots\"",
      ":3:1: cache.max_size takes a size, such as \"10GB\" or \"512MiB\", or \"auto\", not 'lots'"
    ),
    ("[cache]\nmax_size = 1.5", ":2:1: cache.max_size takes a size, such as \"10GB\" or \"512MiB\", or \"auto\""),
    (
      "[cache]\nmax_size = -5",
      ":2:1: cache.max_size takes a size, such as \"10GB\" or \"512MiB\", or \"auto\", not '-5'"
    ),
    ("[cache]\nmax_size = \"999kB\"", ":2:1: cache.max_size must be at least 1MB, not '999kB'"),
    ("[exec]\nlinger = \"soon\"", ":2:1: exec.linger takes a duration, such as \"30s\", \"5m\" or 0, not 'soon'"),
    ("[exec]\nlinger = true", ":2:1: exec.linger takes a duration, such as \"30s\", \"5m\" or 0"),
    ("[exec]\nstats = \"much\"", ":2:1: exec.stats takes \"none\", \"line\" or \"json\", not 'much'"),
    ("[exec]\nstats = 1", ":2:1: exec.stats takes \"none\", \"line\" or \"json\""),
    ("[exec]\nstats_file = []", ":2:1: exec.stats_file takes a path, such as \"/var/cache/fabrik\""),
    ("[exec]\ntools = \"go=off\"", ":2:1: exec.tools takes a table of tools, such as { ccache = false }"),
    ("[exec]\ntools = { rust = false }", ":2:1: unknown tool 'rust'; Fabrik knows: ccache, go"),
    ("[exec.tools]\ngo = \"off\"", ":2:1: exec.tools.go takes true or false"),
    ("exec.tools.go = 0", ":1:1: exec.tools.go takes true or false"),
    (
      "[cache]\ndir = \"${NONE}\"",
      ":2:1: environment variable NONE is not set; set it, or give a default as in ${NONE:-value}"
    ),
    ("[cache]\ndir = \"${NONE\"", ":2:1: '${' without '}'; write '$$' for a dollar sign"),
    ("[cache]\r\ndir = \"x\"\r\nsize = 1\r\n", ":3:1: unknown key 'size' in [cache]; known there: dir, max_size"),
    ("[p2p]\nsecrets = 1", ":2:1: unknown key 'secrets' in [p2p]; known there: \(SettingKey.namesOfPeers)"),
    ("[p2p]\nenabled = \"maybe\"", ":2:1: p2p.enabled takes true or false, not 'maybe'"),
    ("[p2p]\nenabled = 1", ":2:1: p2p.enabled takes true or false"),
    (
      "[p2p]\nsecret = 1234567890123456",
      ":2:1: p2p.secret takes the team's secret, such as \"${FABRIK_TEAM_SECRET}\""
    ),
    (
      "p2p.consent = \"always\"",
      ":1:1: p2p.consent takes \"notify-once\", \"notify-always\" or \"always-allow\", not 'always'"
    ),
    ("[p2p]\npeers = \"10.0.0.2:4711\"", ":2:1: p2p.peers takes a list of addresses, such as [\"10.0.0.2:4711\"]"),
    ("[p2p]\npeers = [4711]", ":2:1: p2p.peers takes a list of addresses, such as [\"10.0.0.2:4711\"]"),
    (
      "[p2p]\npeers = [\n  \"10.0.0.2:1\",\n  \"example.org:2\",\n]",
      ":2:1: p2p.peers takes a list of addresses, such as [\"10.0.0.2:4711\"]: 'example.org:2' is not an IP address; "
        + "names are not looked up"
    ),
    ("[p2p]\nport = 65536", ":2:1: p2p.port takes a port, or 0 for any, not '65536'"),
    ("[p2p]\nport = -1", ":2:1: p2p.port takes a port, or 0 for any, not '-1'"),
    (
      "[p2p]\ninterfaces = [\"eth0\", \"a b\"]",
      ":2:1: p2p.interfaces takes a list of network interfaces, such as [\"eth0\"], not 'a b'"
    ),
    ("[p2p]\nname = \"\"", ":2:1: p2p.name takes a name of at most 64 characters, not ''"),
    (
      "[p2p]\nenabled = true\n  secret = \"${NONE}\"",
      ":3:3: environment variable NONE is not set; set it, or give a default as in ${NONE:-value}"
    ),
    ("[cache] # [exec]\nsize = 1 # dir = 2", ":2:1: unknown key 'size' in [cache]; known there: dir, max_size"),
  ]

  @Test("is said with its place and the remedy", arguments: mistakes)
  func message(text: String, message: String) {
    #expect {
      try parse(text)
    } throws: {
      let said = "\($0)"
      if said != "/project/.fabrik.toml\(message)" { Issue.record("said: \(said)") }
      return true
    }
  }

  @Test(
    "is said in one line, with the place, when it is not TOML at all",
    arguments: [
      ("[cache", "1:7"), ("[cache]\ndir = x", "2:7"), ("a = 1\na = 2", "2:5"), ("[cache]\ndir = \"x", "2:9"),
      ("= 1", "1:1"),
    ])
  func syntax(text: String, place: String) throws {
    let error = #expect(throws: ConfigurationError.self) { try parse(text) }
    let said = try #require(error).description
    #expect(said.hasPrefix("/project/.fabrik.toml:\(place): not valid TOML: "), "said: \(said)")
    #expect(!said.contains("\n"), "said: \(said)")
  }

  @Test("is only the first thing, and never a trap, for random text made of TOML's parts", arguments: 0..<100)
  func random(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    let parts = [
      "[", "]", "cache", "exec", ".", "=", "\"", "dir", "tools", "{", "}", "\n", " ", "1", "true", "${", "linger", ",",
      "#",
      "'", "\\", "\r\n", "max_size", "\u{0}", "ä", "p2p", "peers", "port", "enabled", "[[", "]]", "-", "1979-05-27",
      "0x", "\"\"\"",
    ]
    for _ in 0..<30 {
      let text = (0..<Int.random(in: 1...25, using: &generator)).map { _ in parts.randomElement(using: &generator)! }
      do {
        _ = try parse(text.joined())
      } catch {
        #expect(error.description.hasPrefix("/project/.fabrik.toml"))
      }
    }
  }

  @Test(
    "is, for a secret that could be guessed, said without showing it",
    arguments: [
      ("hunter2", "is shorter than 16 characters"),
      ("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa", "is easy to guess: it is worth about 0 bits, and 80 are needed"),
      ("CorrectHorseBatteryStaple", "is easy to guess: it is worth about 15 bits, and 80 are needed"),
      ("k9Zq\\n7Tr2mVx4Lp8Wd3Hs", "has a line break or control character in it"),
    ])
  func weakSecret(secret: String, flaw: String) throws {
    let error = #expect(throws: ConfigurationError.self) { try parse("[p2p]\nenabled = true\nsecret = \"\(secret)\"") }
    #expect(
      error?.description
        == "/project/.fabrik.toml:3:1: p2p.secret \(flaw); make a good one with: fabrik p2p secret")
  }

  @Test("is nothing for a secret that was left empty on purpose: who lacks it takes no part")
  func noSecret() throws {
    #expect(try parse("[p2p]\nenabled = true\nsecret = \"${NO_SUCH_VARIABLE:-}\"").peers.secret?.value == .some(nil))
  }

  @Test("is, for a file that cannot be read, why")
  func unreadable() throws {
    try withTemporaryDirectory { directory in
      func description(_ name: String) -> String? {
        do {
          _ = try ConfigurationFile.read(directory.appending(name), environment: Environment(), knownTools: [])
          return nil
        } catch {
          return error.description
        }
      }
      #expect(description("none") == "\(directory)/none: cannot be read: No such file or directory")
      try FileSystem.makeDirectories(directory.appending("folder"))
      #expect(description("folder") == "\(directory)/folder: cannot be read: Is a directory")
      try Files.write([UInt8](repeating: 0x23, count: 1 << 20 + 1), to: directory.appending("large"))
      #expect(description("large") == "\(directory)/large: cannot be read: File too large")
    }
  }
}

extension SettingKey {
  fileprivate static let namesOfPeers = allCases.filter { $0.table == "p2p" }.map(\.name).joined(separator: ", ")
}
