import BuildTools
import ControlProtocol
import SystemPackage
import SystemSupport

/// What belongs to a build that compiles Rust: all in the build's own directory, and gone with it.
struct RustBuild {
  let settings: Rust.Settings
  /// ``ServerInstance/buildDirectory(lease:)``.
  let directory: FilePath

  /// The build of this environment; nil when there is none, or it is over.
  init?(environment: Environment) {
    guard let file = environment.absolutePath(Rust.variable) else { return nil }
    self.init(file: file)
  }

  init?(file: FilePath) {
    guard let settings = SmallFile.read(file).flatMap(Rust.Settings.init(text:)) else { return nil }
    self.settings = settings
    directory = file.removingLastComponent()
  }

  var file: FilePath { directory.appending("rust") }
  /// Where the daemon listens.
  var socket: FilePath { directory.appending("sccache.sock") }
  /// Its name when nobody new is to find it.
  var hiddenSocket: FilePath { directory.appending("sccache.old") }
  /// Held by who starts the daemon.
  var lock: FilePath { directory.appending("sccache.lock") }
  /// There once somebody has begun to start a daemon. A second one never is.
  var mark: FilePath { directory.appending("sccache.started") }
  /// There when the daemon failed, or is gone: compilers run by themselves for the rest of the build.
  var end: FilePath { directory.appending("sccache.over") }
  var isOver: Bool { FileSystem.exists(end) }
  var lease: String { directory.lastComponent?.string ?? "" }
  var instance: ServerInstance {
    ServerInstance(directory: directory.removingLastComponent().removingLastComponent())
  }

  /// Whether the daemon accepts connections.
  var isServed: Bool {
    guard let connection = try? Sockets.connect(unix: socket) else { return false }
    try? connection.close()
    return true
  }

  func markAsOver() {
    try? SmallFile.create(end, with: "")
  }

  /// For sccache as a client. Should its daemon die under its hands, it goes on by itself: an attempt that the daemon had
  /// begun is made again here, and a daemon that it starts has a directory of this build, and does not stay.
  func clientEnvironment(_ environment: Environment, socket: FilePath) -> Environment {
    var environment = environment
    environment["SCCACHE_SERVER_UDS"] = socket.string
    environment["SCCACHE_CONF"] = "/dev/null"
    environment["SCCACHE_IGNORE_SERVER_IO_ERROR"] = "1"
    environment["SCCACHE_DIR"] = directory.appending("sccache").string
    environment["SCCACHE_IDLE_TIMEOUT"] = "60"
    return environment
  }

  /// For the daemon. What it compiles with comes with each request; of what surrounds it, only what could lead it astray
  /// is taken away: a jobserver that is not its own, a proxy between it and the loopback interface, and what cargo says
  /// of the crate that happened to be the first.
  func daemonEnvironment(_ environment: Environment) -> Environment {
    var daemon = Environment(
      entries: environment.entries.filter { entry in
        let name = String(decoding: entry.prefix { $0 != UInt8(ascii: "=") }, as: UTF8.self)
        if name == "CARGO_HOME" { return true }
        return !["SCCACHE_", "CARGO_", "FABRIK_", "RUST_LOG"].contains { name.hasPrefix($0) }
          && !["MAKEFLAGS", "MFLAGS", "LD_PRELOAD"].contains(name) && !name.lowercased().hasSuffix("_proxy")
      })
    daemon["SCCACHE_START_SERVER"] = "1"
    daemon["SCCACHE_NO_DAEMON"] = "1"
    daemon["SCCACHE_SERVER_UDS"] = socket.string
    daemon["SCCACHE_IDLE_TIMEOUT"] = "0"
    daemon["SCCACHE_CONF"] = "/dev/null"
    daemon["SCCACHE_WEBDAV_ENDPOINT"] = settings.address
    daemon["SCCACHE_WEBDAV_KEY_PREFIX"] = "sccache"
    daemon["SCCACHE_WEBDAV_TOKEN"] = settings.token
    return daemon
  }
}
