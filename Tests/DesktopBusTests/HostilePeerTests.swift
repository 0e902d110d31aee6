import SystemSupport
import TestSupport
import Testing

@testable import DesktopBus

@Suite("Messages of hostile senders", .timeLimit(.minutes(2)))
struct HostilePeerTests {
  private static let name = DesktopNotifications.service

  private static func ask(_ bus: PrivateBus) -> NotificationAnswer {
    DesktopNotifications(busAddress: bus.address)
      .ask(
        title: "?", body: "", actions: [NotificationAction(key: "once", label: "Allow once")], timeout: .seconds(60))
  }

  private static func invoked(_ arguments: [BusValue], to peer: String?, member: String = "ActionInvoked") -> BusMessage
  {
    .signal(member, of: name, at: DesktopNotifications.path, arguments, to: peer)
  }

  /// Answers as a notification service does; what `afterwards` returns is sent after the answer to `Notify`.
  private static func service(
    on bus: PrivateBus, capabilities: [BusValue] = [.strings(["actions"])], identifier: [BusValue] = [.uint32(7)],
    afterwards: @escaping @Sendable (String?) -> [BusMessage]
  ) throws -> FakeService {
    try FakeService(name, on: bus) { call, connection in
      switch call.member {
      case "GetCapabilities": try connection.send(.answer(to: call, capabilities))
      case "Notify":
        try connection.send(.answer(to: call, identifier))
        for message in afterwards(call.sender) { try connection.send(message) }
      default: break
      }
    }
  }

  @Test("that are not what they should be are passed over")
  func nonsense() throws {
    try withBus { bus in
      let service = try Self.service(on: bus) { asker in
        let malformed: [[BusValue]] = [
          [], [.string("7"), .string("once")], [.uint32(7)], [.uint32(7), .uint32(7)], [.int32(7), .string("once")],
          [.uint32(8), .string("once")], [.uint32(7), .string("default")], [.uint32(7), .string("")],
          [.uint32(7), .path("/once")], [.strings(["7", "once"])], [.bytes([7])], [.options([("once", .byte(1))])],
          [.uint32(7), .strings(["once"])], [.bool(true), .byte(1), .uint16(2)],
        ]
        return malformed.map { Self.invoked($0, to: asker) }
          + malformed.prefix(2).map { Self.invoked($0, to: asker, member: "NotificationClosed") }
          + [
            Self.invoked([.uint32(7), .string("once")], to: asker, member: "NoSuchSignal"),
            .signal("ActionInvoked", of: "org.example.Other", at: "/", [.uint32(7), .string("once")], to: asker),
            .signal(
              "NameOwnerChanged", of: BusConnection.bus, at: "/", [.string(Self.name), .string(""), .string("")],
              to: asker),
            .call("ActionInvoked", of: Self.name, at: "/", to: asker ?? "", [.uint32(7), .string("once")]),
            Self.invoked([.uint32(7), .uint32(2)], to: asker, member: "NotificationClosed"),
          ]
      }
      withExtendedLifetime(service) { #expect(Self.ask(bus) == .dismissed) }
    }
  }

  @Test("are not taken for the service's")
  func forged() throws {
    try withBus { bus in
      let address = bus.address
      // All that another program can say in the service's name, before the service itself says something.
      let service = try FakeService(Self.name, on: bus) { call, connection in
        guard let asker = call.sender, call.member == "GetCapabilities" || call.member == "Notify" else { return }
        let forger = try BusConnection(address: address)
        var answer = BusMessage.answer(to: call, call.member == "Notify" ? [.uint32(8)] : [.strings([])])
        try forger.send(answer)
        answer.sender = connection.name
        try forger.send(answer)
        for identifier in UInt32(7)...8 {
          try forger.send(Self.invoked([.uint32(identifier), .string("once")], to: asker))
        }
        let news: [BusValue] = [.string(Self.name), .string(connection.name), .string("")]
        try forger.send(
          .signal("NameOwnerChanged", of: BusConnection.bus, at: "/org/freedesktop/DBus", news, to: asker))
        // The bus has passed on everything when it answers.
        _ = try forger.owner(of: Self.name)
        if call.member == "GetCapabilities" {
          try connection.send(.answer(to: call, [.strings(["actions"])]))
        } else {
          try connection.send(.answer(to: call, [.uint32(7)]))
          try connection.send(Self.invoked([.uint32(7), .uint32(2)], to: asker, member: "NotificationClosed"))
        }
      }
      withExtendedLifetime(service) { #expect(Self.ask(bus) == .dismissed) }
    }
  }

  @Test(
    "as answers make the service unavailable",
    arguments: [
      ([], [.uint32(7)]), ([.string("actions")], [.uint32(7)]), ([.bytes([1, 2])], [.uint32(7)]),
      ([.options([("actions", .byte(1))])], [.uint32(7)]), ([.strings([])], [.uint32(7)]),
      ([.strings(["actions"])], []), ([.strings(["actions"])], [.string("7")]),
      ([.strings(["actions"])], [.int32(7)]), ([.strings(["actions"])], [.path("/7")]),
    ] as [([BusValue], [BusValue])])
  func answers(capabilities: [BusValue], identifier: [BusValue]) throws {
    try withBus { bus in
      let service = try Self.service(on: bus, capabilities: capabilities, identifier: identifier) { _ in [] }
      withExtendedLifetime(service) {
        guard case .unavailable = Self.ask(bus) else {
          Issue.record("a service that answers \(capabilities), \(identifier) was believed")
          return
        }
      }
    }
  }

  @Test("that refuse are reported")
  func refusal() throws {
    try withBus { bus in
      let service = try FakeService(Self.name, on: bus) { call, connection in
        try connection.send(.error("org.example.Error.No", to: call, text: "not today"))
      }
      withExtendedLifetime(service) {
        #expect(Self.ask(bus) == .unavailable("not today (org.example.Error.No)"))
      }
    }
  }

  @Test("of any size end in an answer or in the end of the connection")
  func large() throws {
    try withBus { bus in
      let service = try FakeService(Self.name, on: bus) { call, connection in
        let count = call.member == "GetCapabilities" ? 100_000 : 3_000_000
        try connection.send(.answer(to: call, [.strings(["actions"]), .string(String(repeating: "x", count: count))]))
      }
      withExtendedLifetime(service) {
        #expect(Self.ask(bus) == .unavailable("the bus closed the connection"))
      }
    }
  }

  @Test("that nothing was asked of are not kept")
  func strangers() throws {
    try withBus { bus in
      let connection = try BusConnection(address: bus.address)
      let stranger = try BusConnection(address: bus.address)
      for name in ["ActionInvoked", "StateChanged"] {
        try stranger.send(.signal(name, of: Self.name, at: "/", to: connection.name))
        try stranger.send(.call(name, of: Self.name, at: "/", to: connection.name))
      }
      // The bus has passed on everything when it answers.
      _ = try stranger.owner(of: Self.name)
      _ = try connection.owner(of: Self.name)
      while let message = try connection.next(within: .zero) {
        #expect(message.sender == BusConnection.bus, "the bus says which name it has given")
      }
    }
  }

  @Test("in great number are forgotten while something else is waited for")
  func flood() throws {
    try withBus { bus in
      let service = try FakeService("org.example.Flood", on: bus) { call, connection in
        for _ in 0..<5000 { try connection.send(.signal("Noise", of: "org.example.Flood", at: "/", to: call.sender)) }
        try connection.send(.answer(to: call, [.uint32(1)]))
      }
      try withExtendedLifetime(service) {
        let connection = try BusConnection(address: bus.address)
        let owner = try #require(try connection.owner(of: "org.example.Flood"))
        let go = BusMessage.call("Go", of: "org.example", at: "/", to: owner)
        #expect(try connection.call(go, patience: .seconds(60)) == [.uint32(1)])
        var kept = 0
        while try connection.next(within: .zero) != nil { kept += 1 }
        #expect(kept == 256)
      }
    }
  }

  @Test("arrive as they were sent")
  func roundTrip() throws {
    try withBus { bus in
      let service = try FakeService("org.example.Echo", on: bus) { call, connection in
        try connection.send(.answer(to: call, call.arguments.map { $0 == .other ? .string("other") : $0 }))
      }
      try withExtendedLifetime(service) {
        let connection = try BusConnection(address: bus.address)
        let owner = try #require(try connection.owner(of: "org.example.Echo"))
        func echo(_ arguments: [BusValue]) throws -> [BusValue] {
          try connection.call(.call("Echo", of: "org.example", at: "/a/b", to: owner, arguments))
        }
        let values: [BusValue] = [
          .byte(255), .bool(true), .bool(false), .int32(-1), .uint16(65535), .uint32(.max), .string("ä\u{10ffff}"),
          .string(""), .path("/x"), .strings([]), .strings(["a", ""]), .bytes([0, 255]),
        ]
        #expect(try echo(values) == values)
        #expect(try echo([.string("a\u{0}b")]) == [.string("a")], "D-Bus has no NUL")
        #expect(try echo([.options([("a", .byte(1)), ("b", .string("c"))])]) == [.string("other")])
        let many = [String](repeating: "x", count: 300)
        #expect(try echo([.strings(many)]) == [.strings(Array(many.prefix(256)))])
      }
    }
  }

  @Test("are not made from what libdbus would abort over")
  func malformed() throws {
    try withBus { bus in
      let connection = try BusConnection(address: bus.address)
      for (path, destination) in [
        ("x", ":1.1"), ("", ":1.1"), ("/", ""), ("/", "no name"), ("/", "a..b"), ("//", "a.b"),
      ] {
        #expect(throws: BusFailure.self) { try connection.send(.call("A", of: "a.b", at: path, to: destination)) }
      }
      let arguments: [[BusValue]] = [
        [.path("nowhere")], [.other], [.options([("a", .other)])], [.array(of: "", [])], [.array(of: "s", [.byte(1)])],
        [BusValue](repeating: .byte(1), count: 256),
      ]
      for arguments in arguments {
        #expect(throws: BusFailure.self) {
          try connection.send(.call("A", of: "a.b", at: "/", to: ":1.1", arguments))
        }
      }
    }
  }
}
