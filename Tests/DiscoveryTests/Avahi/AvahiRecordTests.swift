import Testing

@testable import Discovery

@Suite("DNS records of a service")
struct AvahiRecordTests {
  private static func service(instance: String = "ab12", text: [String: String] = [:]) -> PublishedService {
    PublishedService(instance: instance, port: 0x1234, text: text)
  }

  @Test("are its place, its text and two pointers")
  func all() throws {
    let records = try #require(AvahiRecord.all(of: Self.service(text: ["v": "1", "id": "ab12"]), host: "h1.local"))
    let type = [7] + Array("_fabrik".utf8) + [4] + Array("_tcp".utf8) + [5] + Array("local".utf8) + [0]
    #expect(
      records == [
        AvahiRecord(
          name: "ab12._fabrik._tcp.local", type: 33, isUnique: true,
          data: [0, 0, 0, 0, 0x12, 0x34, 2] + Array("h1".utf8) + [5] + Array("local".utf8) + [0]),
        AvahiRecord(
          name: "ab12._fabrik._tcp.local", type: 16, isUnique: true,
          data: [7] + Array("id=ab12".utf8) + [3] + Array("v=1".utf8)),
        AvahiRecord(name: "_fabrik._tcp.local", type: 12, isUnique: false, data: [4] + Array("ab12".utf8) + type),
        AvahiRecord(name: "_services._dns-sd._udp.local", type: 12, isUnique: false, data: type),
      ])
  }

  @Test("have an empty entry where there is no text")
  func noText() {
    #expect(AvahiRecord.all(of: Self.service(), host: "h1.local")?[1].data == [0])
  }

  @Test("hold an instance of any characters in one label")
  func escaped() throws {
    let records = try #require(AvahiRecord.all(of: Self.service(instance: #"a.b\c"#), host: "h"))
    #expect(Array(records[2].data.prefix(6)) == [5] + Array(#"a.b\c"#.utf8))
    #expect(records[0].name == #"a\.b\\c._fabrik._tcp.local"#)
  }

  @Test("hold as much as a service may have, and are not made without a host")
  func limits() {
    #expect(AvahiRecord.all(of: Self.service(text: ["k": String(repeating: "x", count: 253)]), host: "h") != nil)
    #expect(AvahiRecord.all(of: Self.service(instance: String(repeating: "x", count: 56)), host: "h") != nil)
    #expect(AvahiRecord.all(of: Self.service(), host: "") == nil)
  }

  @Test(
    "have names in wire form",
    arguments: [
      ("a", [1, 97, 0]), ("a.bc.", [1, 97, 2, 98, 99, 0]), (#"a\.b"#, [3, 97, 46, 98, 0]), (#"\\"#, [1, 92, 0]),
      (#"\065\255"#, [2, 65, 255, 0]), ("", nil), (".", nil), ("a..b", nil), (#"a\"#, nil), (#"\25"#, nil),
      (#"\256"#, nil), (#"\2x4"#, nil),
      (String(repeating: "x", count: 63), [63] + [UInt8](repeating: 120, count: 63) + [0]),
      (String(repeating: "x", count: 64), nil), (String(repeating: "a.", count: 128), nil),
    ] as [(String, [UInt8]?)])
  func wireName(name: String, wire: [UInt8]?) {
    #expect(DNSName(escaped: name)?.wire == wire)
  }
}
