import NIOCore

/// Tells how long a tool took to make what it stores: the time from its first miss on a connection to its first put.
/// What follows (ccache's manifest, after the result) was not made separately and has no duration.
struct ConnectionClock {
  private var firstMiss: NIODeadline?

  mutating func missed(now: NIODeadline = .now()) {
    if firstMiss == nil { firstMiss = now }
  }

  /// Milliseconds; nil when there was no miss before.
  mutating func takeDuration(now: NIODeadline = .now()) -> UInt32? {
    defer { firstMiss = nil }
    return firstMiss.map { UInt32(clamping: (now - $0).nanoseconds / 1_000_000) }
  }
}
