import SystemSupport

@testable import Discovery

/// A service and a network to test with.
enum Sample {
  static let service = PublishedService(instance: "0123456789abcdef", port: 4711, text: ["v": "1", "team": "t"])
  static let addresses = ["10.77.0.1", "fe80::1"].map { InternetAddress($0)! }
  static let records = ServiceRecords(service: service, addresses: addresses)
  static let link = Link(interface: 2, family: .ipv4)
  static let asker = InternetAddress("10.77.0.2")!

  /// One that publishes the service on the link, and has announced it. It waits as long as it may.
  static func responder(now: Instant) -> Responder {
    var responder = Responder { $0.upperBound }
    responder.add(link, addresses: addresses, now: now - .seconds(10))
    _ = responder.publish(service, now: now - .seconds(10))
    _ = responder.takeDue(now: now - .seconds(10))
    _ = responder.takeDue(now: now - .seconds(9))
    return responder
  }

  /// What another host announces.
  static func announcement(
    of instance: String, port: UInt16 = 4711, text: [String: String] = ["team": "t"],
    addresses: [String] = ["10.77.0.9"], lifetime: UInt32 = 120
  ) -> DNSMessage {
    ServiceRecords(
      service: PublishedService(instance: instance, port: port, text: text),
      addresses: addresses.map { InternetAddress($0)! }
    ).message(.pointer, lifetime: lifetime)
  }
}
