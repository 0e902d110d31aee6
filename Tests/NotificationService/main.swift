import DesktopBus
import Glibc
import SystemSupport

// A desktop's notification service with a user at it, for tests. It offers org.freedesktop.Notifications on the bus of
// DBUS_SESSION_BUS_ADDRESS until the bus ends.
//
//     notification-service allow|always|deny|KEY|ignore|dismiss|die [--delay-ms N] [--no-actions] [--no-markup]
//
// A word presses the button of that key (`allow`: that of the key `once`, `allow` or `allow-once`), N milliseconds after
// the notification came; `ignore` leaves it, `dismiss` closes it, `die` ends the service. It prints
//
//     ready
//     notify ID "TITLE" "BODY" "KEY=LABEL"...      texts quoted as in JSON
//     close ID                                     when the asker withdraws a notification
//     no button KEY                                when the button to press was not offered

let usage = "see the comment at the top of this program"
var words = CommandLine.arguments.dropFirst()
guard let behaviour = words.popFirst(), let address = getenv("DBUS_SESSION_BUS_ADDRESS") else {
  StandardStream.error.write(line: usage)
  exit(2)
}
var user = SimulatedUser(behaviour: behaviour)
while let word = words.popFirst() {
  switch word {
  case "--delay-ms": user.delay = .milliseconds(words.popFirst().flatMap { Int($0) } ?? 0)
  case "--no-actions": user.capabilities.removeAll { $0 == "actions" }
  case "--no-markup": user.capabilities.removeAll { $0 == "body-markup" }
  default:
    StandardStream.error.write(line: usage)
    exit(2)
  }
}
do {
  let bus = try BusConnection(address: String(cString: address), isService: true)
  guard try bus.offer(DesktopNotifications.service) else {
    StandardStream.error.write(line: "there is a notification service on this bus already")
    exit(1)
  }
  StandardStream.output.write(line: "ready")
  try user.serve(bus)
} catch BusFailure.disconnected {
  exit(0)
} catch {
  StandardStream.error.write(line: "\(error)")
  exit(1)
}
