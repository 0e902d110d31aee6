import ControlProtocol
import SystemPackage
import SystemSupport

/// A build's hold on a server for as long as the build takes. A server that ends in between is replaced by another at the
/// same sockets and port: tools miss for a few milliseconds, and some that take a cache they cannot reach for a failure
/// (Nx) find it again while they retry.
struct ServerHold: ~Copyable {
  let starter: ServerStarter
  private let terms: LeaseTerms
  private(set) var lease: LeaseConnection
  /// Servers that ended while the build ran.
  private(set) var losses = 0

  /// A server that is lost so often will be lost again.
  private static let mostLosses = 3

  init(starter: ServerStarter, terms: LeaseTerms) throws(ServerFailure) {
    self.starter = starter
    self.terms = terms
    lease = try starter.lease(terms: terms)
  }

  /// Whether the server has answered. Asked again and again, this costs a system call each time until it has.
  mutating func isReady() -> Bool { lease.isReady(within: .zero) }

  /// Has SIGIO raised when there is news of the server. For when the signal is blocked: it would end this process.
  mutating func watch() {
    lease.notify()
    // What happened before is not told any more.
    renewIfLost()
  }

  /// Asks what the tools did; nil when the server does not answer in time.
  mutating func finish(isQuiet: Bool) -> LeaseStatistics? {
    lease.finish(within: ControlMessage.finishPatience, isQuiet: isQuiet)
  }

  /// To be called at news of the server: replaces one that has ended.
  mutating func renewIfLost() {
    // One that never was ready would not get ready the next time either; the reason is in its log.
    guard isReady(), lease.isClosed(), losses < Self.mostLosses else { return }
    // One that was told to end takes its sockets away, and nobody is to bring it back.
    guard FileSystem.exists(starter.instance.path(of: .control)) else { return }
    losses += 1
    guard let next = try? starter.lease(terms: terms, isRenewal: true) else { return }
    try? lease.descriptor.close()
    lease = next
    watch()
  }
}
