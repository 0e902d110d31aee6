import Discovery
import Synchronization

/// Where the servers are that discovery has found.
final class FoundEndpoints: Sendable {
  enum Change: Sendable, Equatable {
    case found(PeerEndpoint)
    case lost(PeerEndpoint)
  }

  /// Addresses of one server that are tried.
  static let mostAddresses = 4

  private let onChange: @Sendable (Change) -> Void
  /// Of each instance.
  private let endpoints = Mutex<[String: [PeerEndpoint]]>([:])

  init(onChange: @escaping @Sendable (Change) -> Void) {
    self.onChange = onChange
  }

  func handle(_ event: DiscoveryEvent) {
    switch event {
    case .found(let service):
      let new = service.addresses.prefix(Self.mostAddresses).compactMap { PeerEndpoint($0, port: service.port) }
      let old = endpoints.withLock { endpoints in
        defer { endpoints[service.instance] = new }
        return endpoints[service.instance] ?? []
      }
      lose(old.filter { !new.contains($0) })
      for endpoint in new where !old.contains(endpoint) { onChange(.found(endpoint)) }
    case .lost(let instance):
      lose(endpoints.withLock { $0.removeValue(forKey: instance) } ?? [])
    }
  }

  /// Reports what no service has any more: one server may be announced under two names.
  private func lose(_ lost: [PeerEndpoint]) {
    guard !lost.isEmpty else { return }
    let left = Set(endpoints.withLock { $0.values.flatMap { $0 } })
    for endpoint in lost where !left.contains(endpoint) { onChange(.lost(endpoint)) }
  }
}
