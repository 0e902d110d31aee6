import CacheStore
import PeerNetwork
import PeerRecords

/// Asks a server, by the rules unless told otherwise.
final class Client {
  let channel: TeamChannel
  private let impostor: Impostor
  private var signature: RequestSignature

  /// Connects and does the handshake; nil when that fails.
  init?(impostor: Impostor, target: Target) {
    guard let wire = Wire(to: target), let channel = TeamChannel(wire, impostor.security, .client) else { return nil }
    self.impostor = impostor
    self.channel = channel
    signature = impostor.signature(server: [], exporter: channel.exporter)
  }

  /// Milliseconds since 1970.
  static var now: UInt64 { CacheStore.systemTime() }

  /// What this machine says of itself, signed.
  func introduction(time: UInt64 = now) -> MessageHead {
    var head = MessageHead.request("/v1/status", impostor.introduction(as: .client, exporter: channel.exporter))
    signature.sign(&head, time: time)
    return head
  }

  @discardableResult
  func introduce(time: UInt64 = now) -> TeamChannel.Outcome {
    channel.send(introduction(time: time))
    let outcome = channel.receiveMessage()
    if case .answer(let head, _) = outcome,
      let server = Introduction(head, role: .server, exporter: channel.exporter)
    {
      signature = impostor.signature(server: server.publicKey, exporter: channel.exporter)
    }
    return outcome
  }

  /// A signed request.
  func request(_ target: String, time: UInt64 = now) -> MessageHead {
    var head = MessageHead.request(target)
    signature.sign(&head, time: time)
    return head
  }

  func ask(_ target: String, time: UInt64 = now) -> TeamChannel.Outcome {
    send(request(target, time: time))
  }

  func send(_ head: MessageHead) -> TeamChannel.Outcome {
    channel.send(head)
    return channel.receiveMessage()
  }
}

extension TeamChannel.Outcome {
  var isAccepted: Bool { if case .answer(let head, _) = self { head.status == 200 } else { false } }

  /// The other side's clock, in milliseconds since 1970.
  var time: UInt64? {
    if case .answer(let head, _) = self { head[RequestSignature.timeField].flatMap { UInt64($0) } } else { nil }
  }
}
