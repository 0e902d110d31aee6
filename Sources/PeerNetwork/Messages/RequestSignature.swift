import Cryptography
import SystemSupport

/// Signs requests and checks signatures, for one channel.
///
/// A signature is an HMAC-SHA256 under the team's key over the request, its time and number, both machines' keys and the
/// channel's exporter value. So a request is worth nothing on another channel, whether it was recorded, relayed or sent
/// back; and on its own channel it is worth something once, since numbers only rise. A nonce that is a rising number
/// needs no memory of those seen, however many there were.
package struct RequestSignature: Sendable {
  package enum Refusal: Error, Equatable {
    /// A field is missing or malformed, or the signature is not right.
    case forged
    case replayed
    /// More than ``tolerance`` from this machine's clock.
    case skewed
  }

  /// Milliseconds a request's time may be off.
  static let tolerance: UInt64 = 300_000

  package static let timeField = "fabrik-time"
  package static let nonceField = "fabrik-nonce"
  package static let signatureField = "fabrik-signature"

  private let key: [UInt8]
  /// The keys of both machines, the asking one's first, and the exporter value.
  private let binding: [UInt8]
  /// The last number used, or accepted.
  private var last: UInt64

  /// - Parameters:
  ///   - server: empty as long as the asking side does not know who answers.
  ///   - start: the first nonce is greater.
  package init(key: [UInt8], client: [UInt8], server: [UInt8], exporter: [UInt8], start: UInt64 = 0) {
    self.key = key
    binding = client + server + exporter
    last = start
  }

  /// Adds time, nonce and signature.
  ///
  /// - Parameter time: milliseconds since 1970, by the answering side's clock as far as it is known.
  package mutating func sign(_ head: inout MessageHead, time: UInt64) {
    last += 1
    let nonce = Hex.encode(withUnsafeBytes(of: last.bigEndian, Array.init))
    head.fields[Self.timeField] = String(time)
    head.fields[Self.nonceField] = nonce
    head.fields[Self.signatureField] = signature(of: head.startLine, time: String(time), nonce: nonce).map(Hex.encode)
  }

  /// Checks a request and takes note of its nonce.
  ///
  /// - Parameter now: milliseconds since 1970.
  package mutating func verify(_ head: MessageHead, now: UInt64) throws(Refusal) {
    guard let time = head[Self.timeField], let milliseconds = UInt64(time), let nonce = head[Self.nonceField],
      let number = Hex.decode(Array(nonce.utf8)), number.count == 8,
      let given = head[Self.signatureField].flatMap({ Hex.decode(Array($0.utf8)) }),
      let expected = signature(of: head.startLine, time: time, nonce: nonce), OpenSSL.isEqual(given, expected)
    else { throw .forged }
    let value = number.reduce(UInt64(0)) { $0 << 8 | UInt64($1) }
    guard value > last else { throw .replayed }
    last = value
    let distance = milliseconds > now ? milliseconds - now : now - milliseconds
    guard distance <= Self.tolerance else { throw .skewed }
  }

  private func signature(of startLine: String, time: String, nonce: String) -> [UInt8]? {
    // The start line is method and target; a newline cannot be part of any of the three.
    OpenSSL.authenticate(Array("\(startLine)\n\(time)\n\(nonce)\n".utf8) + binding, key: key)
  }
}
