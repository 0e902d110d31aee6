/// One DNS record as Avahi's `AddRecord` takes it: the name as text, the data in wire form.
struct DNSRecord: Sendable, Equatable {
  let name: String
  let type: UInt16
  /// Whether nobody else can have a record of this name and type.
  let isUnique: Bool
  let data: [UInt8]

  static let pointerType: UInt16 = 12
  static let textType: UInt16 = 16
  static let serviceType: UInt16 = 33

  /// All records of a service (RFC 6763): two pointers to find it by, its place and its text. Nil when a name or a text
  /// is too long.
  static func all(of service: AdvertisedService, host: String) -> [DNSRecord]? {
    let type = "\(service.type).local"
    let instance = "\(escaped(service.instance)).\(type)"
    guard let wireHost = wireName(host), let wireType = wireName(type), let wireInstance = wireName(instance) else {
      return nil
    }
    let entries = service.text.sorted { $0.key < $1.key }.map { Array("\($0.key)=\($0.value)".utf8) }
    guard entries.allSatisfy({ $0.count <= 255 }) else { return nil }
    // No entry is written as an empty one.
    let text: [UInt8] = entries.isEmpty ? [0] : entries.reduce(into: []) { $0 += [UInt8($1.count)] + $1 }
    // Priority and weight are 0: there is no other server of this instance.
    let place: [UInt8] = [0, 0, 0, 0, UInt8(service.port >> 8), UInt8(service.port & 0xff)] + wireHost
    return [
      DNSRecord(name: instance, type: serviceType, isUnique: true, data: place),
      DNSRecord(name: instance, type: textType, isUnique: true, data: text),
      DNSRecord(name: type, type: pointerType, isUnique: false, data: wireInstance),
      DNSRecord(name: "_services._dns-sd._udp.local", type: pointerType, isUnique: false, data: wireType),
    ]
  }

  /// A label with the two characters escaped that mean something in a name.
  private static func escaped(_ label: String) -> String {
    String(label.flatMap { $0 == "." || $0 == "\\" ? ["\\", $0] : [$0] })
  }

  /// A name in wire form. `\.`, `\\` and `\DDD` stand for a byte of a label. Nil when it is not a name.
  static func wireName(_ name: String) -> [UInt8]? {
    var labels: [[UInt8]] = [[]]
    var rest = Array(name.utf8)[...]
    while let byte = rest.popFirst() {
      switch byte {
      case UInt8(ascii: "."): labels.append([])
      case UInt8(ascii: "\\"):
        guard let next = rest.popFirst() else { return nil }
        guard UInt8(ascii: "0")...UInt8(ascii: "9") ~= next else {
          labels[labels.count - 1].append(next)
          continue
        }
        let digits = [next] + rest.prefix(2)
        guard digits.count == 3, let value = UInt8(String(decoding: digits, as: UTF8.self)) else { return nil }
        rest = rest.dropFirst(2)
        labels[labels.count - 1].append(value)
      default: labels[labels.count - 1].append(byte)
      }
    }
    if labels.last == [] { labels.removeLast() }
    guard !labels.isEmpty, labels.allSatisfy({ 1...63 ~= $0.count }) else { return nil }
    let wire = labels.reduce(into: [UInt8]()) { $0 += [UInt8($1.count)] + $1 } + [0]
    return wire.count <= 255 ? wire : nil
  }
}
