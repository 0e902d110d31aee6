import Glibc
import SystemPackage
import SystemSupport
import TestSupport
import Testing

@testable import DesktopBus

@Suite("Questions on the desktop", .timeLimit(.minutes(2)))
struct NotificationTests {
  private static let buttons = [
    NotificationAction(key: "once", label: "Allow once"), NotificationAction(key: "always", label: "Always"),
    NotificationAction(key: "deny", label: "Deny"),
  ]
  private static let line =
    #"notify 1 "A question" "From the machine <x>" "once=Allow once" "always=Always" "deny=Deny""#

  private func ask(
    _ address: String?, body: String = "From the machine <x>", timeout: Duration = .seconds(60),
    interruption: Interruption? = nil
  ) -> NotificationAnswer {
    DesktopNotifications(busAddress: address)
      .ask(
        title: "A question", body: body, actions: Self.buttons, timeout: timeout, interruption: interruption)
  }

  @Test("are answered by the button pressed", arguments: [("allow", "once"), ("always", "always"), ("deny", "deny")])
  func pressed(behaviour: String, key: String) throws {
    try withBus { bus in
      let service = try bus.startNotificationService(behaviour, "--no-markup", "--delay-ms", "20")
      #expect(ask(bus.address) == .action(key))
      #expect(service.waitForOutput(lines: 2) == ["ready", Self.line])
    }
  }

  @Test("show markup as it is")
  func markup() throws {
    try withBus { bus in
      let service = try bus.startNotificationService("allow")
      #expect(ask(bus.address, body: "<b>\"A\" & 'B'</b>\u{202e}\nC") == .action("once"))
      let shown = #""&lt;b&gt;&quot;A&quot; &amp; &apos;B&apos;&lt;/b&gt;\nC""#
      #expect(service.waitForOutput(lines: 2).last?.contains(shown) == true)
    }
  }

  @Test("may be dismissed")
  func dismissed() throws {
    try withBus { bus in
      _ = try bus.startNotificationService("dismiss")
      #expect(ask(bus.address) == .dismissed)
    }
  }

  @Test("that nobody answers are withdrawn in the end")
  func ignored() throws {
    try withBus { bus in
      let service = try bus.startNotificationService("ignore", "--no-markup")
      #expect(ask(bus.address, timeout: .seconds(2)) == .unavailable("no answer to the question"))
      #expect(service.waitForOutput(lines: 3) == ["ready", Self.line, "close 1"])
    }
  }

  @Test("are withdrawn when the asker does not need the answer any more")
  func interrupted() throws {
    try withBus { bus in
      let service = try bus.startNotificationService("ignore", "--no-markup")
      let interruption = try Interruption()
      let withdrawal = try BusThread {
        _ = service.waitForOutput(lines: 2)
        interruption.fire()
      }
      #expect(ask(bus.address, interruption: interruption) == .unavailable("withdrawn"))
      withdrawal.join(until: .after(.seconds(20)))
      #expect(service.waitForOutput(lines: 3) == ["ready", Self.line, "close 1"])
      #expect(ask(bus.address, interruption: interruption) == .unavailable("withdrawn"), "once fired, always fired")
    }
  }

  @Test("are withdrawn when the asker gives up in the moment in which they are shown")
  func interruptedEarly() throws {
    try withBus { bus in
      let interruption = try Interruption()
      let closed = try Interruption()
      let service = try FakeService(DesktopNotifications.service, on: bus) { call, connection in
        switch call.member {
        case "GetCapabilities": try connection.send(.answer(to: call, [.strings(["actions"])]))
        case "Notify":
          interruption.fire()
          try connection.send(.answer(to: call, [.uint32(7)]))
        case "CloseNotification" where call.arguments == [.uint32(7)]: closed.fire()
        default: break
        }
      }
      withExtendedLifetime(service) {
        #expect(ask(bus.address, interruption: interruption) == .unavailable("withdrawn"))
        #expect(closed.wait(until: .after(.seconds(20))))
      }
    }
  }

  @Test("are not asked where there are no buttons")
  func noButtons() throws {
    try withBus { bus in
      let service = try bus.startNotificationService("allow", "--no-actions")
      #expect(ask(bus.address) == .unavailable("the notification service shows no buttons"))
      #expect(service.outputLines == ["ready"])
    }
  }

  @Test("end with the service that shows them")
  func died() throws {
    try withBus { bus in
      _ = try bus.startNotificationService("die", "--delay-ms", "20")
      #expect(ask(bus.address) == .unavailable("the notification service has ended"))
    }
  }

  @Test("do not wait for a service that hangs")
  func stopped() throws {
    try withBus { bus in
      let service = try bus.startNotificationService("allow")
      service.send(signal: SIGSTOP)
      #expect(ask(bus.address, timeout: .seconds(1)) == .unavailable("no answer to GetCapabilities"))
    }
  }

  @Test("do not wait for a bus that hangs")
  func stoppedBus() throws {
    try withBus { bus in
      bus.daemon.send(signal: SIGSTOP)
      #expect(ask(bus.address) == .unavailable("no answer to Hello"))
    }
  }

  @Test("end with the bus")
  func killedBus() throws {
    try withBus { bus in
      let service = try bus.startNotificationService("ignore")
      let killer = try BusThread { [daemon = bus.daemon] in
        _ = service.waitForOutput(lines: 2)
        daemon.send(signal: SIGKILL)
      }
      #expect(ask(bus.address) == .unavailable("the bus closed the connection"))
      killer.join(until: .after(.seconds(20)))
    }
  }

  @Test("are answered by a service that the bus has to start first")
  func started() throws {
    try withBus(startable: "deny") { bus in
      #expect(ask(bus.address) == .action("deny"))
    }
  }

  @Test("need a service")
  func noService() throws {
    try withBus { bus in
      #expect(ask(bus.address) == .unavailable("there is no notification service"))
    }
  }

  @Test(
    "need a bus",
    arguments: [
      nil, "", "unix:", "unix:path=", "unix:path=/nowhere/bus", "unix:abstract=fabrik-nobody", "unix:%zz=1",
      "tcp:host=192.0.2.1,port=1", "autolaunch:", "unixexec:path=/bin/false", ";;;", "unix:path=/dev/null", "\u{1}",
    ])
  func noBus(address: String?) {
    guard case .unavailable(let reason) = ask(address) else {
      Issue.record("there should be no bus at \(address ?? "-")")
      return
    }
    #expect(!reason.isEmpty)
  }
}
