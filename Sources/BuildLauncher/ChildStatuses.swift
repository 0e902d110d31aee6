import Glibc

/// Whether the kernel keeps the statuses of children that have ended: with SIGCHLD ignored, as somebody above may have left
/// it, it throws them away.
struct ChildStatuses {
  private let previous: sigaction

  /// Has them kept.
  init() {
    var previous = sigaction()
    var standard = sigaction()
    standard.__sigaction_handler.sa_handler = SIG_DFL
    sigaction(SIGCHLD, &standard, &previous)
    self.previous = previous
  }

  /// Whether SIGCHLD was ignored.
  var wereIgnored: Bool {
    // SIG_IGN, which is no function.
    unsafeBitCast(previous.__sigaction_handler.sa_handler, to: Int.self) == 1
  }

  /// Does about SIGCHLD what was done before.
  func restore() {
    var previous = previous
    sigaction(SIGCHLD, &previous, nil)
  }
}
