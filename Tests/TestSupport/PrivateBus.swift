import DesktopBus
import Glibc
package import SystemPackage
import SystemSupport

/// A message bus of its own, for one test, on which everybody may do everything. It can start the notification service,
/// and ends with its owner.
package final class PrivateBus {
  package struct Unusable: Error {}

  package let address: String
  package let directory: FilePath
  package let daemon: ChildProcess
  private var children: [ChildProcess] = []

  /// - Parameter startable: the behaviour of a notification service that the bus starts when it is called.
  package init(in directory: FilePath, startable: String? = nil) throws {
    self.directory = directory
    address = "unix:path=\(directory)/bus"
    let services = directory.appending("services")
    try FileSystem.makeDirectories(services)
    if let startable {
      let program = try ChildProcess.path(ofProduct: "notification-service")
      try Files.write(
        "[D-BUS Service]\nName=\(DesktopNotifications.service)\nExec=\(program) \(startable)\n",
        to: services.appending("notifications.service"))
    }
    try Files.write(Self.configuration(address, services), to: directory.appending("bus.conf"))
    daemon = try ChildProcess(
      program: "/usr/bin/dbus-daemon",
      arguments: ["--config-file=\(directory)/bus.conf", "--nofork", "--nopidfile", "--print-address=1"],
      outputFile: directory.appending("bus.out"))
    if daemon.waitForOutput(lines: 1).isEmpty { throw Unusable() }
  }

  deinit {
    for child in children + [daemon] {
      child.send(signal: SIGKILL)
      _ = child.wait()
    }
  }

  /// Starts the notification service, and returns when it can be called.
  package func startNotificationService(_ arguments: String...) throws -> ChildProcess {
    let child = try ChildProcess(
      product: "notification-service", arguments: arguments,
      environment: Environment(["DBUS_SESSION_BUS_ADDRESS": address]),
      outputFile: directory.appending("service.\(children.count)"))
    children.append(child)
    if child.waitForOutput(lines: 1) != ["ready"] { throw Unusable() }
    return child
  }

  private static func configuration(_ address: String, _ services: FilePath) -> String {
    """
    <!DOCTYPE busconfig PUBLIC "-//freedesktop//DTD D-Bus Bus Configuration 1.0//EN"
     "http://www.freedesktop.org/standards/dbus/1.0/busconfig.dtd">
    <busconfig>
      <type>session</type>
      <listen>\(address)</listen>
      <auth>EXTERNAL</auth>
      <servicedir>\(services)</servicedir>
      <policy context="default">
        <allow send_destination="*" eavesdrop="true"/>
        <allow eavesdrop="true"/>
        <allow own="*"/>
        <allow send_type="method_return" send_requested_reply="false"/>
        <allow receive_type="method_return" receive_requested_reply="false"/>
      </policy>
    </busconfig>
    """
  }
}

/// Calls `body` with a bus that ends afterwards.
package func withBus<Result>(startable: String? = nil, _ body: (PrivateBus) throws -> Result) throws -> Result {
  try withTemporaryDirectory { try body(PrivateBus(in: $0, startable: startable)) }
}

package func withBus<Result>(
  isolation: isolated (any Actor)? = #isolation, _ body: (PrivateBus) async throws -> Result
) async throws -> Result {
  try await withTemporaryDirectory { try await body(PrivateBus(in: $0)) }
}
