import DesktopBus
import Glibc
import SystemSupport

/// Answers notifications after a while, always in the same way.
struct SimulatedUser {
  let behaviour: String
  var delay = Duration.zero
  var capabilities = ["body", "body-markup", "actions"]

  /// Notifications shown, oldest first.
  private var shown: [(identifier: UInt32, keys: [String], asker: String, due: SuspendingClock.Instant)] = []
  private var last: UInt32 = 0

  init(behaviour: String) {
    self.behaviour = behaviour
  }

  /// Ends by throwing, when the bus is gone.
  mutating func serve(_ bus: BusConnection) throws(BusFailure) {
    while true {
      let wait = shown.first.map { SuspendingClock.now.duration(to: $0.due) } ?? .seconds(3600)
      if let message = try bus.next(within: wait), message.kind == .call {
        try bus.send(answer(to: message))
        if message.member == "CloseNotification" { try close(message, bus) }
      }
      while let next = shown.first, next.due <= .now {
        shown.removeFirst()
        try act(on: next.identifier, keys: next.keys, asker: next.asker, bus)
      }
    }
  }

  private mutating func answer(to call: BusMessage) -> BusMessage {
    switch call.member {
    case "GetCapabilities": return .answer(to: call, [.strings(capabilities)])
    case "CloseNotification": return .answer(to: call)
    case "Notify":
      let texts = call.arguments.map { $0.string ?? "" }
      guard call.arguments.count == 8, let actions = call.arguments[5].strings, let asker = call.sender else { break }
      last += 1
      let keys = stride(from: 0, to: actions.count, by: 2).map { actions[$0] }
      let buttons = stride(from: 1, to: actions.count, by: 2).map { "\(actions[$0 - 1])=\(actions[$0])" }
      let line = ([texts[3], texts[4]] + buttons).map { JSONText.string($0).text }.joined(separator: " ")
      StandardStream.output.write(line: "notify \(last) \(line)")
      if behaviour != "ignore" { shown.append((last, keys, asker, .now + delay)) }
      return .answer(to: call, [.uint32(last)])
    default: break
    }
    return .error("org.freedesktop.DBus.Error.UnknownMethod", to: call)
  }

  private func act(on identifier: UInt32, keys: [String], asker: String, _ bus: BusConnection) throws(BusFailure) {
    switch behaviour {
    case "die": exit(0)
    case "dismiss": break
    default:
      let wanted = behaviour == "allow" ? ["once", "allow", "allow-once"] : [behaviour]
      guard let key = keys.first(where: wanted.contains) else {
        StandardStream.output.write(line: "no button \(behaviour)")
        return
      }
      try signal("ActionInvoked", [.uint32(identifier), .string(key)], to: asker, bus)
    }
    try signal("NotificationClosed", [.uint32(identifier), .uint32(2)], to: asker, bus)
  }

  private mutating func close(_ call: BusMessage, _ bus: BusConnection) throws(BusFailure) {
    guard let identifier = call.arguments.first?.uint32, let asker = call.sender else { return }
    StandardStream.output.write(line: "close \(identifier)")
    shown.removeAll { $0.identifier == identifier }
    try signal("NotificationClosed", [.uint32(identifier), .uint32(3)], to: asker, bus)
  }

  private func signal(
    _ member: String, _ arguments: [BusValue], to asker: String, _ bus: BusConnection
  ) throws(BusFailure) {
    try bus.send(
      .signal(member, of: DesktopNotifications.service, at: DesktopNotifications.path, arguments, to: asker))
  }
}
