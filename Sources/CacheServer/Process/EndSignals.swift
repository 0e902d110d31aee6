import CSpawn
import Glibc
import SystemSupport

/// The signals that end the server in good order: SIGTERM, SIGINT and SIGHUP.
enum EndSignals {
  /// From now on calls `body`, on a thread of its own, each time one of the signals arrives. Without descriptors for
  /// it, they end the process as they always do. To be called once.
  static func observe(_ body: @escaping @Sendable () -> Void) {
    let descriptor = fabrik_catch_end_signals()
    guard descriptor >= 0 else { return }
    _ = try? WorkerThread {
      var byte: UInt8 = 0
      while true {
        let count = read(descriptor, &byte, 1)
        if count > 0 { body() } else if errno != EINTR { return }
      }
    }
  }
}
