import PeerNetwork

/// Sits between two machines, has the team's secret, and passes on what the one says to the other.
///
/// Prints `ready PORT`, `connected`, and what became of each thing that was passed on.
struct Relay: Sendable {
  let impostor: Impostor
  let target: Target
  /// Introduces itself to both sides and passes on requests only; otherwise the introductions are passed on.
  let isKnownToBoth: Bool

  func run(port: UInt16) {
    guard let door = Door(port: port) else { return report("port \(port) cannot be listened on") }
    report("ready \(door.port)")
    door.open { visit($0) }
  }

  private func visit(_ wire: Wire) {
    guard let visitor = TeamChannel(wire, impostor.security, .server) else { return }
    report("connected")
    guard let introduction = visitor.receiveRequest(), let client = Client(impostor: impostor, target: target) else {
      return
    }
    if isKnownToBoth {
      guard client.introduce().isAccepted else { return report("not let in") }
      visitor.send(
        .answer(
          impostor.introduction(as: .server, exporter: visitor.exporter).merging(["fabrik-consent": "allowed"]) { $1 }))
    } else {
      pass(introduction, "introduction", from: visitor, to: client.channel)
    }
    while let request = visitor.receiveRequest() {
      pass(request, "request", from: visitor, to: client.channel)
    }
  }

  private func pass(_ head: MessageHead, _ what: String, from visitor: TeamChannel, to onward: TeamChannel) {
    onward.send(head)
    let outcome = onward.receiveMessage()
    report("\(what) passed on: \(outcome)")
    if case .answer(let answer, let body) = outcome { visitor.send(answer.bytes + body) }
  }
}
