import Glibc
import SystemPackage

/// A thread of the system's own, for what waits in system calls.
package struct WorkerThread: @unchecked Sendable {
  private final class Body {
    let run: () -> Void

    init(run: @escaping () -> Void) {
      self.run = run
    }
  }

  /// A number or a pointer, depending on the system; never looked into.
  private let thread: pthread_t

  /// Starts `body`, with all signals blocked: they are for threads that expect them. Throws an `Errno`.
  package init(_ body: @escaping @Sendable () -> Void) throws {
    // A thread begins with its maker's mask: blocked in the thread itself, one could still come first.
    var all = sigset_t()
    var previous = sigset_t()
    sigfillset(&all)
    pthread_sigmask(SIG_SETMASK, &all, &previous)
    defer { pthread_sigmask(SIG_SETMASK, &previous, nil) }
    let context = Unmanaged.passRetained(Body(run: body))
    var thread = pthread_t()
    let error = pthread_create(
      &thread, nil,
      { context in
        Unmanaged<Body>.fromOpaque(context!).takeRetainedValue().run()
        return nil
      }, context.toOpaque())
    guard error == 0 else {
      context.release()
      throw Errno(rawValue: error)
    }
    self.thread = thread
  }

  /// Whether this is the calling thread.
  package var isCurrent: Bool { pthread_equal(thread, pthread_self()) != 0 }

  /// Waits for the thread's end; on the thread itself, does not wait. To be called once, if ``detach()`` is not.
  package func end() {
    if isCurrent {
      detach()
    } else {
      pthread_join(thread, nil)
    }
  }

  /// Leaves the thread to itself. To be called once, if ``end()`` is not.
  package func detach() {
    pthread_detach(thread)
  }
}
