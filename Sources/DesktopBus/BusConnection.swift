/// A private connection to a message bus, used by one thread. It keeps only what the bus itself sends and the services
/// that were asked for, so that others cannot fill memory or answer in a service's place.
package final class BusConnection {
  /// The bus's own name, which nobody else can send under.
  package static let bus = "org.freedesktop.DBus"
  /// How long an answer is waited for: a service that is alive answers within milliseconds.
  package static let patience = Duration.seconds(2)
  /// Signals kept while an answer is waited for.
  private static let queueLimit = 256

  /// The name the bus gave this connection, such as ":1.42".
  package let name: String

  private let link: BusLink
  /// Whose messages are kept; nil: everybody's.
  private var senders: Set<String>?
  private var queue: [BusMessage] = []

  /// Connects and says hello.
  ///
  /// - Parameters:
  ///   - address: as in `DBUS_SESSION_BUS_ADDRESS`; only Unix sockets.
  ///   - interruption: ends all waiting, with `.interrupted`.
  ///   - isService: whether messages of unknown senders are wanted.
  package init(address: String, interruption: Interruption? = nil, isService: Bool = false) throws(BusFailure) {
    let deadline = Deadline.after(Self.patience)
    link = try BusLink(address: address, unless: interruption)
    senders = isService ? nil : [Self.bus]
    // `dbus_bus_register` would do it, but waits 25 s for a bus that does not answer.
    let serial = try link.send(.call("Hello", of: Self.bus, at: "/org/freedesktop/DBus", to: Self.bus))
    while true {
      guard let message = try link.receive(until: deadline) else { throw .timedOut(waitingFor: "Hello") }
      guard message.replySerial == serial else { continue }
      guard message.kind == .answer, let name = message.arguments.first?.string, link.setName(name) else {
        throw .unavailable("the bus refuses the connection")
      }
      self.name = name
      return
    }
  }

  /// Calls a method of the bus itself or of a unique name, and returns the answer's arguments. Throws `.refused` with
  /// the service's error, `.timedOut`, `.interrupted` or `.disconnected`.
  ///
  /// - Parameter interruptible: false where an answer that nobody waits for would leave something behind.
  @discardableResult
  package func call(
    _ call: BusMessage, patience: Duration = patience, interruptible: Bool = true
  ) throws(BusFailure) -> [BusValue] {
    let deadline = Deadline.after(patience)
    let serial = try link.send(call)
    while !deadline.isOver {
      guard let message = try link.receive(until: deadline, interruptible: interruptible) else { break }
      // The bus answers for a service that is gone.
      if message.replySerial == serial, message.sender == call.destination || message.sender == Self.bus {
        switch message.kind {
        case .answer: return message.arguments
        case .error:
          throw .refused(name: message.errorName ?? "", text: message.arguments.first?.string ?? "")
        case .call, .signal: break
        }
      }
      keep(message)
    }
    throw .timedOut(waitingFor: call.member ?? "")
  }

  /// Sends without waiting for anything.
  package func send(_ message: BusMessage) throws(BusFailure) {
    _ = try link.send(message)
  }

  /// Sends what is still queued, as far as the time allows.
  package func flush() {
    link.flush(until: .after(.milliseconds(500)))
  }

  /// As `next(until:)`.
  package func next(within time: Duration) throws(BusFailure) -> BusMessage? {
    try next(until: .after(time))
  }

  /// The next call or signal, in the order of arrival. Nil when the time is over. Throws `.interrupted` or
  /// `.disconnected`.
  package func next(until deadline: Deadline) throws(BusFailure) -> BusMessage? {
    while queue.isEmpty {
      guard let message = try link.receive(until: deadline) else { return nil }
      keep(message)
      if deadline.isOver { break }
    }
    return queue.isEmpty ? nil : queue.removeFirst()
  }

  private func keep(_ message: BusMessage) {
    guard message.kind == .signal || message.kind == .call, queue.count < Self.queueLimit else { return }
    if let senders, !senders.contains(message.sender ?? "") { return }
    queue.append(message)
  }
}

/// What the bus itself does.
extension BusConnection {
  /// The unique name of a service, from now on listened to; nil when nobody offers it.
  package func owner(of service: String) throws(BusFailure) -> String? {
    do throws(BusFailure) {
      guard let owner = try callBus("GetNameOwner", [.string(service)]).first?.string else { return nil }
      senders?.insert(owner)
      return owner
    } catch .refused(name: "org.freedesktop.DBus.Error.NameHasNoOwner", _) {
      return nil
    }
  }

  /// As `owner`, but lets the bus start the service if it knows how.
  package func ownerStartingIfNeeded(of service: String, patience: Duration) throws(BusFailure) -> String? {
    if let owner = try owner(of: service) { return owner }
    do throws(BusFailure) {
      try callBus("StartServiceByName", [.string(service), .uint32(0)], patience: patience)
    } catch .refused {
      return nil
    }
    return try owner(of: service)
  }

  /// Asks for signals; see the D-Bus specification for the rule's form.
  package func addMatch(_ rule: String) throws(BusFailure) {
    try callBus("AddMatch", [.string(rule)])
  }

  /// Asks for the news of a service's start and end.
  package func watchOwner(of service: String) throws(BusFailure) {
    try addMatch(
      "type='signal',sender='\(Self.bus)',interface='\(Self.bus)',member='NameOwnerChanged',arg0='\(service)'")
  }

  /// Offers a service under a name. Returns whether this connection has it now.
  package func offer(_ service: String) throws(BusFailure) -> Bool {
    // DBUS_NAME_FLAG_DO_NOT_QUEUE; 1: DBUS_REQUEST_NAME_REPLY_PRIMARY_OWNER.
    try callBus("RequestName", [.string(service), .uint32(4)]).first?.uint32 == 1
  }

  @discardableResult
  private func callBus(
    _ member: String, _ arguments: [BusValue], patience: Duration = patience
  ) throws(BusFailure) -> [BusValue] {
    try call(.call(member, of: Self.bus, at: "/org/freedesktop/DBus", to: Self.bus, arguments), patience: patience)
  }
}

extension BusMessage {
  /// Whether the bus says by this that not `owner`, but somebody else or nobody now offers the service.
  package func isOwnerChange(of service: String, from owner: String? = nil) -> Bool {
    isSignal("NameOwnerChanged", of: BusConnection.bus) && sender == BusConnection.bus
      && arguments.count == 3 && arguments[0].string == service && (owner == nil || arguments[2].string != owner)
  }
}
