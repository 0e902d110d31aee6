import SystemSupport

/// What became of a question on the desktop.
package enum NotificationAnswer: Sendable, Equatable {
  /// The key of the button pressed, one of those offered.
  case action(String)
  /// Closed without a choice.
  case dismissed
  /// The question could not be asked, or was not answered; and why.
  case unavailable(String)
}

/// A button of a notification.
package struct NotificationAction: Sendable, Equatable {
  package let key: String
  package let label: String

  package init(key: String, label: String) {
    self.key = key
    self.label = label
  }
}

/// Questions to the user by desktop notifications with buttons (freedesktop.org's Desktop Notifications 1.2).
package struct DesktopNotifications: Sendable {
  package static let service = "org.freedesktop.Notifications"
  package static let path = "/org/freedesktop/Notifications"
  /// How long the service may take to start, or to answer a call: a desktop is slow while a build has all its cores.
  private static let patience = Duration.seconds(5)

  private let busAddress: String?

  /// - Parameter busAddress: of the session bus, as in `DBUS_SESSION_BUS_ADDRESS`; nil: every question is unavailable.
  package init(busAddress: String?) {
    self.busAddress = busAddress
  }

  /// Asks, and blocks the calling thread until the user answers, the notification is closed, the service dies,
  /// `interruption` is fired or the timeout passes; what is then still shown is closed. A service or a bus that hangs is
  /// waited for no longer than a few seconds.
  ///
  /// - Parameters:
  ///   - title: one line.
  ///   - body: plain text, with line ends; markup in it is shown as it is. Names that strangers chose should go through
  ///     `DisplayText.name` first, which limits their length.
  ///   - actions: the buttons, in order.
  package func ask(
    title: String, body: String, actions: [NotificationAction], timeout: Duration, interruption: Interruption? = nil
  ) -> NotificationAnswer {
    guard let busAddress else { return .unavailable("there is no session bus") }
    do throws(BusFailure) {
      let bus = try BusConnection(address: busAddress, interruption: interruption)
      return try ask(bus, title: title, body: body, actions: actions, timeout: timeout)
    } catch {
      return .unavailable(error.description)
    }
  }

  /// Asks on a thread of its own; see ``ask(title:body:actions:timeout:interruption:)``. Cancelling the task takes the
  /// question back.
  package func answer(
    title: String, body: String, actions: [NotificationAction], timeout: Duration, interruption: Interruption
  ) async -> NotificationAnswer {
    await withTaskCancellationHandler {
      await withCheckedContinuation { continuation in
        do {
          let thread = try BusThread {
            continuation.resume(
              returning: ask(title: title, body: body, actions: actions, timeout: timeout, interruption: interruption))
          }
          // It ends by itself.
          thread.join(until: .after(.zero))
        } catch {
          continuation.resume(returning: .unavailable("\(error)"))
        }
      }
    } onCancel: {
      interruption.fire()
    }
  }

  private func ask(
    _ bus: BusConnection, title: String, body: String, actions: [NotificationAction], timeout: Duration
  ) throws(BusFailure) -> NotificationAnswer {
    let deadline = Deadline.after(timeout)
    var patience: Duration { min(Self.patience, deadline.remaining) }
    try bus.watchOwner(of: Self.service)
    guard let owner = try bus.ownerStartingIfNeeded(of: Self.service, patience: patience) else {
      throw .unavailable("there is no notification service")
    }
    try bus.addMatch("type='signal',sender='\(Self.service)',interface='\(Self.service)'")
    let capabilities =
      try bus.call(notifications("GetCapabilities", of: owner), patience: patience).first?.strings ?? []
    guard capabilities.contains("actions") else {
      throw .unavailable("the notification service shows no buttons")
    }
    let body = DisplayText.clean(body, limit: NotificationText.bodyLimit, keepsLines: true)
    let notify = notifications(
      "Notify", of: owner,
      [
        .string("Fabrik"), .uint32(0), .string("network-workgroup"),
        .string(DisplayText.clean(title, limit: NotificationText.titleLimit)),
        .string(capabilities.contains("body-markup") ? NotificationText.escaped(body) : body),
        .strings(actions.flatMap { [$0.key, $0.label] }),
        // Urgency 1 (normal): it does not break through "do not disturb". Time 0: it stays until it is answered.
        .options([("urgency", .byte(1))]), .int32(0),
      ])
    // Without the identifier what is shown could not be closed again, so this one call is not interrupted.
    guard let identifier = try bus.call(notify, patience: patience, interruptible: false).first?.uint32 else {
      throw .unavailable("the notification service answers nonsense")
    }
    do throws(BusFailure) {
      return try answer(bus, to: identifier, from: owner, among: actions, until: deadline)
    } catch {
      // Whoever asked does not wait any more; the button would do nothing.
      try? bus.send(notifications("CloseNotification", of: owner, [.uint32(identifier)]))
      bus.flush()
      throw error
    }
  }

  private func answer(
    _ bus: BusConnection, to identifier: UInt32, from owner: String, among actions: [NotificationAction],
    until deadline: Deadline
  ) throws(BusFailure) -> NotificationAnswer {
    while !deadline.isOver {
      guard let message = try bus.next(until: deadline) else { break }
      if message.isOwnerChange(of: Self.service, from: owner) {
        throw .unavailable("the notification service has ended")
      }
      guard message.sender == owner, message.arguments.first?.uint32 == identifier else { continue }
      if message.isSignal("ActionInvoked", of: Self.service), message.arguments.count > 1,
        let key = message.arguments[1].string, actions.contains(where: { $0.key == key })
      {
        return .action(key)
      }
      if message.isSignal("NotificationClosed", of: Self.service) { return .dismissed }
    }
    throw .timedOut(waitingFor: "the question")
  }

  private func notifications(_ member: String, of owner: String, _ arguments: [BusValue] = []) -> BusMessage {
    .call(member, of: Self.service, at: Self.path, to: owner, arguments)
  }
}
