import DesktopBus
import TestSupport

@testable import Discovery

/// As much of avahi-daemon's D-Bus interface as the publisher uses.
final class FakeAvahi: Sendable {
  enum Behaviour: Sendable {
    case publishes
    case refuses
    case hangs
    /// Every group ends in this state.
    case ends(inState: Int32)
    /// The same to every call.
    case answers([BusValue])
  }

  /// Answers that are not what was asked for.
  static let nonsense: [[BusValue]] = [
    [], [.int32(1)], [.string("")], [.string("not a\\1 name")], [.strings(["h1.local"])], [.string("h1.local")],
  ]

  /// The calls that came, in order.
  let calls: AsyncStream<BusMessage>
  private let service: FakeService
  private let address: String

  init(on bus: PrivateBus, behaviour: Behaviour = .publishes) throws {
    let (calls, continuation) = AsyncStream.makeStream(of: BusMessage.self)
    self.calls = calls
    address = bus.address
    let daemon = Daemon(behaviour: behaviour)
    service = try FakeService(AvahiSession.avahi, on: bus) { message, connection in
      guard message.kind == .call else { return }
      if message.member != Daemon.rename { continuation.yield(message) }
      for answer in daemon.answers(to: message) { try connection.send(answer) }
    }
  }

  /// Ends the daemon, as if it had crashed.
  func end() { service.end() }

  /// Lets the daemon take another host name, and tell everybody.
  func rename(to host: String) throws {
    let connection = try BusConnection(address: address)
    guard let owner = try connection.owner(of: AvahiSession.avahi) else { throw FakeService.Unusable() }
    try connection.call(.call(Daemon.rename, of: "org.example.Test", at: "/", to: owner, [.string(host)]))
  }

  /// Sendable: used on the service's thread only.
  private final class Daemon: @unchecked Sendable {
    /// A call of the tests' own.
    static let rename = "Rename"

    private let behaviour: Behaviour
    private var host = "h1.local"
    private var groups = 0

    init(behaviour: Behaviour) {
      self.behaviour = behaviour
    }

    func answers(to call: BusMessage) -> [BusMessage] {
      switch behaviour {
      case .hangs: []
      case .refuses: [.error("org.freedesktop.Avahi.No", to: call, text: "Not permitted")]
      case .answers(let values): [.answer(to: call, values)]
      case .publishes: answers(to: call, groupState: 2)
      case .ends(let state): answers(to: call, groupState: state)
      }
    }

    private func answers(to call: BusMessage, groupState: Int32) -> [BusMessage] {
      switch call.member {
      case "GetHostNameFqdn": return [.answer(to: call, [.string(host)])]
      case "EntryGroupNew":
        groups += 1
        return [.answer(to: call, [.path("/Client0/EntryGroup\(groups)")])]
      case "Commit": return [.answer(to: call), state(groupState, of: AvahiSession.entryGroup, at: call.path)]
      case Self.rename:
        host = call.arguments.first?.string ?? ""
        return [state(2, of: AvahiSession.server, at: "/"), .answer(to: call)]
      default: return [.answer(to: call)]
      }
    }

    private func state(_ state: Int32, of interface: String, at path: String?) -> BusMessage {
      .signal("StateChanged", of: interface, at: path ?? "/", [.int32(state), .string("")])
    }
  }
}
