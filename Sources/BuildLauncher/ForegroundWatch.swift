import CSpawn
package import ControlProtocol
import Glibc
import SystemPackage
import SystemSupport

/// Stays as long as a daemon does, and passes on the signals that end a service.
package struct ForegroundWatch: ~Copyable {
  private var signals: sigset_t

  /// Keeps the signals for ``run(_:instance:)``: to be made before the daemon is started.
  package init() {
    var signals = sigset_t()
    sigemptyset(&signals)
    for number in [SIGTERM, SIGINT, SIGHUP, SIGIO] { sigaddset(&signals, number) }
    sigprocmask(SIG_BLOCK, &signals, nil)
    self.signals = signals
  }

  /// Returns when the server has ended: true when it did so in good order. The first signal tells it to end after the
  /// builds that use it, the second to end at once.
  package func run(_ server: consuming KeptServer, instance: ServerInstance) -> Bool {
    server.connection.notify()
    var isStopping = false
    var process: pid_t = 0
    server.connection.send(.init(ControlMessage.status))
    while true {
      while let message = server.connection.receive(within: .zero) {
        if message.verb == ControlMessage.status { process = ServerStatus(fields: message.fields).process }
        if message.verb == ControlMessage.stopping, let leases = message["leases"], leases != "0" {
          StandardStream.error.write(
            line: "fabrik: ends after \(leases == "1" ? "the running build" : "\(leases) running builds")")
        }
      }
      // A server that ends in good order takes its sockets along.
      if server.connection.isClosed() { return !FileSystem.exists(instance.path(of: .control)) }
      var (isFromKernel, sender): (CInt, pid_t) = (0, 0)
      var signals = signals
      switch fabrik_wait_signal(&signals, &isFromKernel, &sender) {
      case SIGIO: break
      case _ where isStopping && process > 0: kill(process, SIGTERM)
      default:
        isStopping = true
        server.connection.send(.init(ControlMessage.stop))
      }
    }
  }
}
