import Glibc
import Synchronization
import SystemPackage

/// Ends somebody's waiting from another thread; fired once, it stays fired.
package final class Interruption: Sendable {
  private let fired = Atomic(false)
  /// A pair of sockets, one of which is closed by `fire`: the other is then readable for ever.
  private let readEnd: CInt
  private let writeEnd: Atomic<CInt>

  /// Throws an `Errno` when there is no descriptor left.
  package init() throws {
    var ends: [CInt] = [-1, -1]
    // Unlike a pipe, made close-on-exec in one call that Swift has.
    let type = SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue
    guard socketpair(AF_UNIX, CInt(type), 0, &ends) == 0 else { throw Errno(rawValue: errno) }
    readEnd = ends[0]
    writeEnd = Atomic(ends[1])
  }

  deinit {
    fire()
    close(readEnd)
  }

  package var isFired: Bool { fired.load(ordering: .acquiring) }

  package func fire() {
    fired.store(true, ordering: .releasing)
    let end = writeEnd.exchange(-1, ordering: .acquiringAndReleasing)
    if end >= 0 { close(end) }
  }

  /// Waits until this is fired, `other` is, or the time is over. Returns whether this is fired.
  @discardableResult
  package func wait(until deadline: Deadline, unless other: Interruption? = nil) -> Bool {
    while !isFired, !deadline.isOver, other?.isFired != true {
      Self.poll(readEnd, events: POLLIN, or: other, until: deadline)
    }
    return isFired
  }

  /// Waits until `descriptor` is ready, `interruption` is fired or the time is over; may return early.
  static func poll(_ descriptor: CInt?, events: CInt, or interruption: Interruption?, until deadline: Deadline) {
    var entries = [
      // A negative descriptor is passed over.
      pollfd(fd: descriptor ?? -1, events: CShort(events), revents: 0),
      pollfd(fd: interruption?.readEnd ?? -1, events: CShort(POLLIN), revents: 0),
    ]
    _ = withExtendedLifetime(interruption) { Glibc.poll(&entries, 2, deadline.milliseconds) }
  }
}
