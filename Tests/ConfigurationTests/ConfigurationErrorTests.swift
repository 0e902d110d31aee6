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
    ("[exec]\n  stat = 1", ":2:3: unknown key 'stat' in [exec]; known there: linger, stats, stats_file, tools"),
    ("\n[cashe]\ndir = \"x\"", ":2:1: unknown key or table 'cashe'; Fabrik knows the tables [cache], [exec]"),
    ("top = 1", ":1:1: unknown key or table 'top'; Fabrik knows the tables [cache], [exec]"),
    ("cache = 3", ":1:1: 'cache' is a table; write [cache] and its keys below"),
    ("[[cache]]\ndir = \"x\"", ":1:1: 'cache' is a table; write [cache] and its keys below"),
    ("[cache]\ndir = 3", ":2:1: cache.dir takes a path, such as \"/var/cache/fabrik\""),
    ("[cache]\ndir = \"\"", ":2:1: cache.dir takes a path, such as \"/var/cache/fabrik\", not ''"),
    (
      "[cache]\ndir = \"x\"\nmax_size = \"lots\"",
      ":3:1: cache.max_size takes a size, such as \"10GB\" or \"512MiB\", not 'lots'"
    ),
    ("[cache]\nmax_size = 1.5", ":2:1: cache.max_size takes a size, such as \"10GB\" or \"512MiB\""),
    ("[cache]\nmax_size = -5", ":2:1: cache.max_size takes a size, such as \"10GB\" or \"512MiB\", not '-5'"),
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
      "'", "\\", "\r\n", "max_size", "\u{0}", "ä", "[[", "]]", "-", "1979-05-27", "0x", "\"\"\"",
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
