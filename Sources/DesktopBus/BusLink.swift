import Glibc

/// Sends and receives single messages over one connection of libdbus, and never waits longer than it is told to.
/// Used by one thread.
final class BusLink {
  /// A longer message is none that is meant for us; libdbus then closes the connection. Bytes.
  private static let messageLimit = 1 << 20

  private let library: BusLibrary
  private let connection: BusLibrary.Connection
  private let descriptor: CInt
  private let interruption: Interruption?

  /// Connects; the first message sent has to be `Hello`. A Unix socket is connected to at once, even when nobody
  /// accepts, unless hundreds queue there already.
  init(address: String, unless interruption: Interruption?) throws(BusFailure) {
    library = try BusLibrary.shared.get()
    self.interruption = interruption
    // Other transports start programs (autolaunch, unixexec) or wait for a network.
    let addresses = address.split(separator: ";").filter { $0.hasPrefix("unix:") }
    guard !addresses.isEmpty else { throw .unavailable("'\(address)' is not the address of a bus on a Unix socket") }
    connection = try Self.open(addresses.joined(separator: ";"), by: library)
    library.setExitOnDisconnect(connection, 0)
    library.setMaxMessageSize(connection, CLong(Self.messageLimit))
    library.setMaxReceivedSize(connection, CLong(4 * Self.messageLimit))
    var descriptor: CInt = -1
    let isConnected = library.descriptor(connection, &descriptor) != 0
    self.descriptor = descriptor
    if !isConnected { throw .disconnected }
  }

  deinit {
    library.close(connection)
    library.release(connection)
  }

  private static func open(_ address: String, by library: BusLibrary) throws(BusFailure) -> BusLibrary.Connection {
    try BusScratch.with { (error) throws(BusFailure) in
      library.errorInit(error)
      defer { library.errorFree(error) }
      if let connection = address.withCString({ library.open($0, error) }) { return connection }
      // `DBusError` begins with two texts: its name, and what it means.
      let texts = error.assumingMemoryBound(to: UnsafePointer<CChar>?.self)
      throw .unavailable(texts[1].map { String(cString: $0) } ?? "no connection to the bus")
    }
  }

  /// The name the bus gave in its answer to `Hello`; false when it is none.
  func setName(_ name: String) -> Bool {
    name.withCString { library.isBusName($0, nil) != 0 && library.setUniqueName(connection, $0) != 0 }
  }

  /// Queues a message and sends what the socket takes now. Returns the message's number.
  func send(_ message: BusMessage) throws(BusFailure) -> UInt32 {
    try message.withMessage(of: library) { (raw) throws(BusFailure) in
      var serial: UInt32 = 0
      guard library.send(connection, raw, &serial) != 0 else { throw .unavailable("libdbus is out of memory") }
      return serial
    }
  }

  /// The next message, from whomever; sends what is still queued. Nil when the time is over. Throws `.disconnected`, or
  /// `.interrupted` unless that is not wanted.
  func receive(until deadline: Deadline, interruptible: Bool = true) throws(BusFailure) -> BusMessage? {
    let interruption = interruptible ? interruption : nil
    while true {
      if interruption?.isFired == true { throw .interrupted }
      if let message = pop() { return message }
      // Does not wait: it sends and receives what is possible now.
      guard library.readWrite(connection, 0) != 0 else {
        guard let message = pop() else { throw .disconnected }
        return message
      }
      if let message = pop() { return message }
      if deadline.isOver { return nil }
      wait(until: deadline, or: interruption)
    }
  }

  /// Sends what is still queued, as far as the time allows.
  func flush(until deadline: Deadline) {
    while library.hasMessagesToSend(connection) != 0, !deadline.isOver, library.readWrite(connection, 0) != 0 {
      Interruption.poll(descriptor, events: POLLOUT, or: nil, until: deadline.orEarlier(.milliseconds(20)))
    }
  }

  private func wait(until deadline: Deadline, or interruption: Interruption?) {
    guard library.isAuthenticated(connection) != 0 else {
      // Whether the authentication now waits for reading or for writing only libdbus knows. An interruption is seen
      // between two of these short waits.
      _ = library.readWrite(connection, deadline.orEarlier(.milliseconds(50)).milliseconds)
      return
    }
    let events = library.hasMessagesToSend(connection) != 0 ? POLLIN | POLLOUT : POLLIN
    Interruption.poll(descriptor, events: events, or: interruption, until: deadline)
  }

  private func pop() -> BusMessage? {
    while let raw = library.popMessage(connection) {
      defer { library.releaseMessage(raw) }
      if let message = BusMessage(raw, by: library) { return message }
    }
    return nil
  }
}
