import SystemSupport

/// A thread that waits for the bus, and is not waited for longer than somebody wants.
package struct BusThread: Sendable {
  private let thread: WorkerThread
  private let ended: Interruption

  /// Throws an `Errno` or `.unavailable` when the system has no descriptor or thread left.
  package init(_ body: @escaping @Sendable () -> Void) throws {
    let ended = try Interruption()
    self.ended = ended
    do {
      thread = try WorkerThread {
        body()
        ended.fire()
      }
    } catch {
      throw BusFailure.unavailable("no thread is left: \(error)")
    }
  }

  /// Waits for the thread's end. One that has not ended when the time is over is left to itself, as is the calling
  /// thread. To be called once.
  package func join(until deadline: Deadline) {
    if !thread.isCurrent, ended.wait(until: deadline) { thread.end() } else { thread.detach() }
  }
}
