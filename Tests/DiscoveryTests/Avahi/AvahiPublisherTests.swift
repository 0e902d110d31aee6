import DesktopBus
import SystemSupport
import TestSupport
import Testing

@testable import Discovery

@Suite("Publishing by Avahi", .timeLimit(.minutes(2)))
struct AvahiPublisherTests {
  private static let service = PublishedService(
    instance: "ab12", port: 4711, text: ["v": "1", "id": "ab12"])

  /// The publisher, and what it reports.
  private static func publisher(
    on bus: PrivateBus, interfaces: [String] = []
  ) -> (AvahiPublisher, AsyncStream<AvahiPublisher.State>.Iterator) {
    let (states, continuation) = AsyncStream.makeStream(of: AvahiPublisher.State.self)
    let publisher = AvahiPublisher(service, interfaces: interfaces, busAddress: bus.address) {
      continuation.yield($0)
    }
    publisher.start()
    return (publisher, states.makeAsyncIterator())
  }

  @Test("adds the service's records to a group of its own, and frees it in the end")
  func publishes() async throws {
    try await withBus { bus in
      let avahi = try FakeAvahi(on: bus)
      var calls = avahi.calls.makeAsyncIterator()
      var (publisher, states) = Self.publisher(on: bus)
      #expect(await states.next() == .published)
      publisher.stop()
      var seen: [BusMessage] = []
      // On a busy machine enough time may pass for the question whether the daemon is alive.
      while let call = await calls.next() {
        if call.member != "GetState" { seen.append(call) }
        if call.member == "Free" { break }
      }
      #expect(
        seen.map(\.member) == [
          "GetHostNameFqdn", "EntryGroupNew", "AddRecord", "AddRecord", "AddRecord", "AddRecord", "Commit", "Free",
        ])
      let records = try #require(AvahiRecord.all(of: Self.service, host: "h1.local"))
      #expect(
        seen.filter { $0.member == "AddRecord" }.map(\.arguments)
          == records.map { record in
            [
              .int32(-1), .int32(-1), .uint32(record.isUnique ? 3 : 0), .string(record.name), .uint16(1),
              .uint16(record.type), .uint32(120), .bytes(record.data),
            ]
          })
    }
  }

  @Test("is limited to the interfaces named")
  func interfaces() async throws {
    try await withBus { bus in
      let avahi = try FakeAvahi(on: bus)
      var calls = avahi.calls.makeAsyncIterator()
      var (publisher, states) = Self.publisher(on: bus, interfaces: ["lo", "fabrik-nosuch"])
      #expect(await states.next() == .published)
      publisher.stop()
      var interfaces: [BusValue] = []
      while let call = await calls.next(), call.member != "Free" {
        if call.member == "AddRecord" { interfaces.append(call.arguments[0]) }
      }
      // The loopback interface is the first of every network namespace.
      #expect(interfaces == [.int32(1), .int32(1), .int32(1), .int32(1)])

      (publisher, states) = Self.publisher(on: bus, interfaces: ["fabrik-nosuch"])
      #expect(await states.next() == .unavailable("there is no interface fabrik-nosuch"))
      publisher.stop()
    }
  }

  @Test("follows the daemon's end and return")
  func returns() async throws {
    try await withBus { bus in
      var (publisher, states) = Self.publisher(on: bus)
      #expect(await states.next() == .unavailable("avahi-daemon is not running"))
      for _ in 0..<3 {
        let avahi = try FakeAvahi(on: bus)
        #expect(await states.next() == .published)
        avahi.end()
        #expect(await states.next() == .unavailable("avahi-daemon is not running"))
      }
      publisher.stop()
    }
  }

  @Test("is done anew when the daemon has taken another host name")
  func renamed() async throws {
    try await withBus { bus in
      let avahi = try FakeAvahi(on: bus)
      var calls = avahi.calls.makeAsyncIterator()
      var (publisher, states) = Self.publisher(on: bus)
      #expect(await states.next() == .published)
      try avahi.rename(to: "h1-2.local")
      var data: [BusValue] = []
      var members: [String?] = []
      while let call = await calls.next() {
        members.append(call.member)
        if members.count > 7, call.member == "AddRecord" { data.append(call.arguments[7]) }
        if members.count > 7, call.member == "Commit" { break }
      }
      #expect(members.contains("Free"))
      #expect(data.first == .bytes(AvahiRecord.all(of: Self.service, host: "h1-2.local")![0].data))
      publisher.stop()
    }
  }

  @Test("that the daemon refuses is unavailable, until there is another daemon")
  func refused() async throws {
    try await withBus { bus in
      let strict = try FakeAvahi(on: bus, behaviour: .refuses)
      var (publisher, states) = Self.publisher(on: bus)
      #expect(await states.next() == .unavailable("avahi-daemon refuses: Not permitted (org.freedesktop.Avahi.No)"))
      strict.end()
      #expect(await states.next() == .unavailable("avahi-daemon is not running"))
      let avahi = try FakeAvahi(on: bus)
      #expect(await states.next() == .published)
      publisher.stop()
      avahi.end()
    }
  }

  @Test("by a daemon that hangs is unavailable, and does not hold who stops it")
  func hanging() async throws {
    try await withBus { bus in
      let avahi = try FakeAvahi(on: bus, behaviour: .hangs)
      var calls = avahi.calls.makeAsyncIterator()
      var (publisher, states) = Self.publisher(on: bus)
      #expect(await states.next() == .unavailable("no answer to GetHostNameFqdn"))
      publisher.stop()
      (publisher, states) = Self.publisher(on: bus)
      #expect(await calls.next()?.member == "GetHostNameFqdn")
      publisher.stop()
    }
  }

  @Test("by a daemon that answers nonsense is unavailable", arguments: 0..<6)
  func nonsense(kind: Int) async throws {
    try await withBus { bus in
      let avahi = try FakeAvahi(on: bus, behaviour: .answers(FakeAvahi.nonsense[kind]))
      var (publisher, states) = Self.publisher(on: bus)
      #expect(await states.next() == .unavailable("avahi-daemon answers nonsense"))
      publisher.stop()
      avahi.end()
    }
  }

  @Test("may end in a collision or a failure", arguments: [(Int32(3), "another machine"), (4, "avahi-daemon cannot")])
  func failure(state: Int32, reason: String) async throws {
    try await withBus { bus in
      let avahi = try FakeAvahi(on: bus, behaviour: .ends(inState: state))
      var (publisher, states) = Self.publisher(on: bus)
      guard case .unavailable(let text) = await states.next() else {
        Issue.record("it should be unavailable")
        return
      }
      #expect(text.hasPrefix(reason))
      publisher.stop()
      avahi.end()
    }
  }

  @Test("needs a bus, and can be started and stopped at any time")
  func noBus() async throws {
    let (states, continuation) = AsyncStream.makeStream(of: AvahiPublisher.State.self)
    let publisher = AvahiPublisher(Self.service, busAddress: "unix:path=/nowhere/bus") { continuation.yield($0) }
    publisher.stop()
    publisher.start()
    publisher.start()
    var iterator = states.makeAsyncIterator()
    guard case .unavailable = await iterator.next() else {
      Issue.record("it should be unavailable")
      return
    }
    publisher.stop()
    publisher.stop()
  }

  @Test("leaves no connection behind, whenever it is stopped")
  func connections() async throws {
    try await withBus { bus in
      let avahi = try FakeAvahi(on: bus)
      for round in 0..<100 {
        var (publisher, states) = Self.publisher(on: bus)
        if round % 2 == 0 { #expect(await states.next() == .published) }
        publisher.stop()
      }
      let connection = try BusConnection(address: bus.address)
      let names = BusMessage.call(
        "ListNames", of: BusConnection.bus, at: "/org/freedesktop/DBus", to: BusConnection.bus)
      let deadline = Deadline.after(.seconds(20))
      var count = 0
      // The bus notices a closed connection a moment later.
      repeat {
        count = try connection.call(names).first?.strings?.count { $0.hasPrefix(":") } ?? 0
      } while count > 2 && !deadline.isOver
      #expect(count == 2, "the fake daemon and this test")
      avahi.end()
    }
  }
}
