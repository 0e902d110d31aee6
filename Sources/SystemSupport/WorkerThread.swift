import SystemPackage

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

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
    let context = Unmanaged.passRetained(
      Body {
        var all = sigset_t()
        sigfillset(&all)
        pthread_sigmask(SIG_BLOCK, &all, nil)
        body()
      })
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

  /// Waits for the thread's end; on the thread itself, does not wait. To be called once.
  package func end() {
    if pthread_equal(thread, pthread_self()) != 0 {
      pthread_detach(thread)
    } else {
      pthread_join(thread, nil)
    }
  }
}
