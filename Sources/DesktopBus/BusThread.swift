#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// A thread that waits for the bus. All signals are blocked in it: they are others' business.
final class BusThread: Sendable {
  private let thread: pthread_t
  private let ended: Interruption

  /// Throws an `Errno` or `.unavailable` when the system has no thread or descriptor left.
  init(_ body: @escaping @Sendable () -> Void) throws {
    let ended = try Interruption()
    self.ended = ended
    thread = try Self.start {
      body()
      ended.fire()
    }
  }

  /// Waits for the thread's end. One that has not ended when the time is over is left to itself, as is the calling
  /// thread. To be called once.
  func join(until deadline: Deadline) {
    if pthread_equal(thread, pthread_self()) == 0, ended.wait(until: deadline) {
      pthread_join(thread, nil)
    } else {
      pthread_detach(thread)
    }
  }

  private final class Body {
    let run: @Sendable () -> Void
    init(_ run: @escaping @Sendable () -> Void) { self.run = run }
  }

  private static func start(_ body: @escaping @Sendable () -> Void) throws(BusFailure) -> pthread_t {
    var all = sigset_t()
    var previous = sigset_t()
    sigfillset(&all)
    pthread_sigmask(SIG_SETMASK, &all, &previous)
    defer { pthread_sigmask(SIG_SETMASK, &previous, nil) }
    var thread = pthread_t()
    let argument = Unmanaged.passRetained(Body(body))
    let error = pthread_create(
      &thread, nil,
      {
        Unmanaged<Body>.fromOpaque($0!).takeRetainedValue().run(); return nil
      },
      argument.toOpaque())
    guard error == 0 else {
      argument.release()
      throw .unavailable("no thread is left: \(String(cString: strerror(error)))")
    }
    return thread
  }
}
