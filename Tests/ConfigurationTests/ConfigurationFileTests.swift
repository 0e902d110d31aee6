import ControlProtocol
import SystemPackage
import SystemSupport
import TestSupport
import Testing

@testable import Configuration

/// A secret that passes.
let goodSecret = "k9Zq7Tr2mVx4Lp8Wd3HsN6bJ"

/// Reads a text as `/project/.fabrik.toml` on a machine with one tool.
func parse(_ text: String, _ environment: Environment = Environment()) throws(ConfigurationError) -> ConfigurationLayer
{
  try ConfigurationFile.parse(
    text, path: "/project/.fabrik.toml", environment: environment, knownTools: ["ccache", "go"])
}

@Suite("The configuration file")
struct ConfigurationFileTests {
  @Test("every key is taken, with the place it stands at")
  func everyKey() throws {
    let layer = try parse(
      """
      [cache]
      dir = "store"
      max_size = "2GB"

      [exec]
      linger = "5m"
        stats = "json"
      stats_file = "/var/log/stats"
      tools = { ccache = false, go = true }

      [p2p]
      enabled = true
      secret = "k9Zq7Tr2mVx4Lp8Wd3HsN6bJ"
      consent = "notify-always"
      peers = ["10.0.0.2:4711"]
      port = 4711
      interfaces = ["eth0", "wlan0"]
      name = "desk"
      """)
    func place(_ line: Int, _ column: Int = 1) -> ConfigurationError.Place {
      .file("/project/.fabrik.toml", line: line, column: column)
    }
    #expect(layer.cacheDirectory == Setting("/project/store", from: place(2)))
    #expect(layer.maxSize == Setting(ByteSize(bytes: 2_000_000_000), from: place(3)))
    #expect(layer.linger == Setting(.seconds(300), from: place(6)))
    #expect(layer.statistics == Setting(.json, from: place(7, 3)))
    #expect(layer.statisticsFile == Setting("/var/log/stats", from: place(8)))
    #expect(layer.tools == ["ccache": Setting(false, from: place(9)), "go": Setting(true, from: place(9))])
    #expect(layer.peers.isEnabled == Setting(true, from: place(12)))
    #expect(layer.peers.secret == Setting(Secret(goodSecret), from: place(13)))
    #expect(layer.peers.consent == Setting(.notifyAlways, from: place(14)))
    #expect(layer.peers.addresses == Setting(["10.0.0.2:4711"], from: place(15)))
    #expect(layer.peers.port == Setting(4711, from: place(16)))
    #expect(layer.peers.interfaces == Setting(["eth0", "wlan0"], from: place(17)))
    #expect(layer.peers.name == Setting("desk", from: place(18)))
  }

  @Test("an empty file, or one of comments, says nothing", arguments: ["", "\n\n", "# nothing\n", "[cache]\n[exec]\n"])
  func empty(text: String) throws {
    let layer = try parse(text)
    #expect(layer.cacheDirectory == nil && layer.maxSize == nil && layer.linger == nil && layer.tools.isEmpty)
  }

  @Test(
    "tables may be written in any of TOML's ways",
    arguments: [
      "cache.max_size = \"2GB\"", "cache = { max_size = \"2GB\" }", "[cache]\nmax_size = 2_000_000_000",
      "[\"cache\"]\n\"max_size\" = '2GB'", "[cache]\r\nmax_size = \"2GB\"\r\n", "\u{feff}[cache]\nmax_size = \"2GB\"",
    ])
  func spellings(text: String) throws {
    #expect(try parse(text).maxSize?.value?.bytes == 2_000_000_000)
  }

  @Test("a bare number is a size in bytes or a time in seconds")
  func numbers() throws {
    #expect(try parse("exec.linger = 7").linger?.value == .seconds(7))
    #expect(try parse("exec.linger = 0").linger?.value == .zero)
    #expect(try parse("cache.max_size = 1000000").maxSize?.value?.bytes == 1_000_000)
  }

  @Test(
    "paths are relative to the file, and need not exist",
    arguments: [
      ("store", "/project/store"), ("./a/../b", "/project/b"), ("../x", "/x"), ("/abs//x/", "/abs/x"),
      ("${DIR}/c", "/data/c"), ("${NONE:-d}", "/project/d"), ("ünï", "/project/ünï"),
    ])
  func paths(text: String, path: String) throws {
    let layer = try parse("[cache]\ndir = \"\(text)\"", Environment(["DIR": "/data"]))
    #expect(layer.cacheDirectory?.value == FilePath(path))
  }

  @Test("tools may have a table of their own")
  func toolsTable() throws {
    let layer = try parse("[exec.tools]\ngo = false\n")
    #expect(
      layer.tools == ["go": Setting(false, from: .file("/project/.fabrik.toml", line: 2, column: 1))])
  }

  @Test("switches, ports and items of lists may be contents of variables")
  func expansion() throws {
    let layer = try parse(
      "[p2p]\nenabled = \"${ON:-true}\"\nport = \"${PORT}\"\npeers = [\"${HUB:-10.0.0.1}:${PORT}\"]",
      Environment(["PORT": "4711"]))
    #expect(layer.peers.isEnabled?.value == true)
    #expect(layer.peers.port?.value == 4711)
    #expect(layer.peers.addresses?.value == ["10.0.0.1:4711"])
  }

  @Test("a variable's content cannot become part of the file")
  func injection() throws {
    let layer = try parse(
      "[cache]\ndir = \"${DIR}\"", Environment(["DIR": "/a\"\nmax_size = \"2GB"]))
    #expect(layer.cacheDirectory?.value == FilePath("/a\"\nmax_size = \"2GB"))
    #expect(layer.maxSize == nil)
  }
}
