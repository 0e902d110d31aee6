import Synchronization
import SystemSupport
import Testing

@testable import Discovery
@testable import PeerNetwork

@Suite("Servers that discovery has found")
struct FoundEndpointsTests {
  private final class Changes: Sendable {
    private let list = Mutex<[FoundEndpoints.Change]>([])

    func append(_ change: FoundEndpoints.Change) { list.withLock { $0.append(change) } }

    func take() -> [FoundEndpoints.Change] {
      list.withLock { list in
        defer { list = [] }
        return list
      }
    }
  }

  private let changes: Changes
  private let found: FoundEndpoints

  init() {
    let changes = Changes()
    self.changes = changes
    found = FoundEndpoints { changes.append($0) }
  }

  private func service(_ instance: String, _ addresses: String..., port: UInt16 = 4711) -> DiscoveryEvent {
    .found(
      DiscoveredService(
        instance: instance, port: port, addresses: addresses.map { InternetAddress($0)! }, text: [:]))
  }

  private func endpoint(_ text: String) -> PeerEndpoint { PeerEndpoint(text)! }

  @Test("are told once, and when their addresses change")
  func changed() {
    found.handle(service("a", "10.0.0.1", "10.0.0.2"))
    #expect(changes.take() == [.found(endpoint("10.0.0.1:4711")), .found(endpoint("10.0.0.2:4711"))])
    found.handle(service("a", "10.0.0.2", "10.0.0.1"))
    #expect(changes.take() == [])
    found.handle(service("a", "10.0.0.2", "10.0.0.3"))
    #expect(changes.take() == [.lost(endpoint("10.0.0.1:4711")), .found(endpoint("10.0.0.3:4711"))])
    found.handle(service("a", "10.0.0.2", port: 5))
    #expect(
      changes.take() == [
        .lost(endpoint("10.0.0.2:4711")), .lost(endpoint("10.0.0.3:4711")), .found(endpoint("10.0.0.2:5")),
      ])
    found.handle(.lost(instance: "a"))
    #expect(changes.take() == [.lost(endpoint("10.0.0.2:5"))])
    found.handle(.lost(instance: "a"))
    #expect(changes.take() == [])
  }

  @Test("are lost when no name leads to them any more")
  func twoNames() {
    found.handle(service("a", "10.0.0.1"))
    found.handle(service("a-avahi", "10.0.0.1"))
    _ = changes.take()
    found.handle(.lost(instance: "a"))
    #expect(changes.take() == [])
    found.handle(.lost(instance: "a-avahi"))
    #expect(changes.take() == [.lost(endpoint("10.0.0.1:4711"))])
  }

  @Test("are tried at some of their addresses, and on the local network only")
  func some() {
    found.handle(service("a", "10.0.0.1", "8.8.8.8", "10.0.0.3", "10.0.0.4", "10.0.0.5"))
    #expect(
      changes.take() == ["10.0.0.1:4711", "10.0.0.3:4711", "10.0.0.4:4711"].map { .found(endpoint($0)) })
  }
}
