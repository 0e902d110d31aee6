import SystemSupport

/// A DNS message, as far as multicast DNS uses it (RFC 1035, RFC 6762 section 18).
struct DNSMessage: Sendable, Equatable {
  /// 0 in multicast answers; echoed in answers to one-shot questions.
  var identifier: UInt16 = 0
  var isResponse = false
  /// Of a question: known answers follow in further messages.
  var isTruncated = false
  var questions: [DNSQuestion] = []
  /// Of a question: what the asker knows already.
  var answers: [DNSRecord] = []
  /// Only what claims names that are being probed for; read over.
  var authorities: [DNSRecord] = []
  var additionals: [DNSRecord] = []
}

struct DNSQuestion: Sendable, Equatable {
  var name: DNSName
  var type: UInt16

  func asks(for type: UInt16) -> Bool { self.type == type || self.type == DNSType.any }
}

struct DNSRecord: Sendable, Equatable {
  enum Content: Sendable, Equatable {
    case address(InternetAddress)
    case pointer(DNSName)
    case service(port: UInt16, host: DNSName)
    /// The strings, each at most 255 bytes.
    case text([[UInt8]])
    /// A type or a class that nobody here reads.
    case other(type: UInt16)
  }

  var name: DNSName
  /// These are all records of that name and type: forget the others.
  var flushes = false
  /// Seconds; 0: gone.
  var lifetime: UInt32
  var content: Content
}

/// Numbers of RFC 1035, 2782 and 3596.
enum DNSType {
  static let a: UInt16 = 1
  static let ptr: UInt16 = 12
  static let txt: UInt16 = 16
  static let aaaa: UInt16 = 28
  static let srv: UInt16 = 33
  static let any: UInt16 = 255
}

enum DNSClass {
  static let internet: UInt16 = 1
  static let any: UInt16 = 255
  /// In a question: please answer by unicast. In a record: flush the cache.
  static let topBit: UInt16 = 0x8000
}

enum DNSFlags {
  static let response: UInt16 = 0x8000
  static let authoritative: UInt16 = 0x0400
  static let truncated: UInt16 = 0x0200
  /// Both must be 0 in multicast DNS.
  static let operationAndError: UInt16 = 0x780f
}
