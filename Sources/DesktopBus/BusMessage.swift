/// A message, sent or received.
package struct BusMessage: Sendable, Equatable {
  /// With libdbus's numbers.
  package enum Kind: CInt, Sendable {
    case call = 1
    case answer = 2
    case error = 3
    case signal = 4
  }

  package let kind: Kind
  package internal(set) var serial: UInt32 = 0
  /// What an answer or an error answers.
  package internal(set) var replySerial: UInt32 = 0
  /// Set by the bus, so it can be relied upon.
  package internal(set) var sender: String?
  package internal(set) var destination: String?
  package internal(set) var path: String?
  package internal(set) var interface: String?
  package internal(set) var member: String?
  package internal(set) var errorName: String?
  package internal(set) var arguments: [BusValue] = []

  /// More arguments or elements than any message has that is meant for us.
  static let argumentLimit = 256

  package static func call(
    _ member: String, of interface: String, at path: String, to destination: String, _ arguments: [BusValue] = []
  ) -> BusMessage {
    var message = BusMessage(kind: .call)
    message.destination = destination
    message.path = path
    message.interface = interface
    message.member = member
    message.arguments = arguments
    return message
  }

  package static func signal(
    _ member: String, of interface: String, at path: String, _ arguments: [BusValue] = [], to destination: String? = nil
  ) -> BusMessage {
    var message = BusMessage(kind: .signal)
    message.destination = destination
    message.path = path
    message.interface = interface
    message.member = member
    message.arguments = arguments
    return message
  }

  package static func answer(to call: BusMessage, _ arguments: [BusValue] = []) -> BusMessage {
    var message = BusMessage(kind: .answer)
    message.destination = call.sender
    message.replySerial = call.serial
    message.arguments = arguments
    return message
  }

  package static func error(_ name: String, to call: BusMessage, text: String = "") -> BusMessage {
    var message = BusMessage(kind: .error)
    message.destination = call.sender
    message.replySerial = call.serial
    message.errorName = name
    message.arguments = [.string(text)]
    return message
  }

  /// Whether it is this signal, whoever sent it.
  package func isSignal(_ member: String, of interface: String) -> Bool {
    kind == .signal && self.member == member && self.interface == interface
  }

  init(kind: Kind) {
    self.kind = kind
  }
}

extension BusMessage {
  /// Copies a message of libdbus, which has checked it to be well formed. Nil for kinds that D-Bus does not define.
  init?(_ message: BusLibrary.Message, by library: BusLibrary) {
    guard let kind = Kind(rawValue: library.type(message)) else { return nil }
    self.kind = kind
    serial = library.serial(message)
    replySerial = library.replySerial(message)
    sender = library.sender(message).map { String(cString: $0) }
    path = library.path(message).map { String(cString: $0) }
    interface = library.interface(message).map { String(cString: $0) }
    member = library.member(message).map { String(cString: $0) }
    errorName = library.errorName(message).map { String(cString: $0) }
    arguments = BusScratch.with { iterator in
      guard library.read(message, iterator) != 0 else { return [] }
      return BusReader(library: library).values(iterator)
    }
  }

  /// Calls `body` with the message as libdbus has it. Throws when there is no memory for it.
  func withMessage<Result>(
    of library: BusLibrary, _ body: (BusLibrary.Message) throws(BusFailure) -> Result
  ) throws(BusFailure) -> Result {
    // libdbus does not return from a signature that is longer than D-Bus allows.
    guard arguments.reduce(0, { $0 + $1.signature.utf8.count }) <= 255 else {
      throw .unavailable("there are too many arguments")
    }
    guard let message = library.newMessage(kind.rawValue) else { throw .unavailable("libdbus is out of memory") }
    defer { library.releaseMessage(message) }
    var isComplete = true
    func set(_ text: String?, _ setter: (BusLibrary.Message, BusLibrary.Text) -> BusLibrary.Flag) {
      if let text { isComplete = isComplete && setter(message, text) != 0 }
    }
    // libdbus aborts over a malformed name; these two come from services.
    if let destination { isComplete = destination.withCString { library.isBusName($0, nil) } != 0 }
    if let path { isComplete = isComplete && path.withCString { library.isPath($0, nil) } != 0 }
    set(destination, library.setDestination)
    set(path, library.setPath)
    set(interface, library.setInterface)
    set(member, library.setMember)
    set(errorName, library.setErrorName)
    if replySerial != 0 { isComplete = isComplete && library.setReplySerial(message, replySerial) != 0 }
    if kind != .call { library.setNoReply(message, 1) }
    isComplete = BusScratch.with { iterator in
      library.write(message, iterator)
      let writer = BusWriter(library: library)
      return arguments.allSatisfy { writer.append($0, to: iterator) } && isComplete
    }
    guard isComplete else { throw .unavailable("libdbus cannot make the message \(member ?? "")") }
    return try body(message)
  }
}
