package import ControlProtocol
import SystemSupport

/// Who may talk to the HTTP front end. It listens on the loopback interface, where every user of the machine and every
/// web page in a browser can reach it: so a request must carry the server's token and the right `Host`, and none that a
/// browser sends for a page (`Origin`) is let in.
package struct LoopbackGuard: Sendable {
  private let token: [UInt8]
  private let hosts: [[UInt8]]

  package init(endpoint: HTTPEndpoint) {
    token = Array(endpoint.token.utf8)
    hosts = ["127.0.0.1:\(endpoint.port)", "localhost:\(endpoint.port)"].map { Array($0.utf8) }
  }

  package enum Verdict: Sendable, Equatable {
    /// Let in; the lease the token names, if it names one.
    case admitted(lease: String?)
    case refused
  }

  /// Looks at the headers of one request.
  package struct Inspection {
    private let rules: LoopbackGuard
    private var hosts = 0
    private var authorizations = 0
    private var isWrong = false
    private var lease: String?

    fileprivate init(rules: LoopbackGuard) {
      self.rules = rules
    }

    /// Takes the next header.
    package mutating func see(name: String, value: String) {
      var (name, value) = (name, value)
      value.withUTF8 { value in
        name.withUTF8 { name in
          if LoopbackGuard.matches(name, "host") {
            hosts += 1
            if !rules.hosts.contains(where: { LoopbackGuard.matches(value, $0) }) { isWrong = true }
          } else if LoopbackGuard.matches(name, "authorization") {
            authorizations += 1
            takeAuthorization(value)
          } else if LoopbackGuard.matches(name, "origin") {
            isWrong = true
          }
        }
      }
    }

    /// `Bearer CREDENTIAL`, or `Basic` with any user's name and the credential as the password.
    private mutating func takeAuthorization(_ value: UnsafeBufferPointer<UInt8>) {
      if value.count > 7, LoopbackGuard.matches(.init(rebasing: value[..<7]), "bearer ") {
        return takeCredential(.init(rebasing: value[7...]))
      }
      guard value.count > 6, LoopbackGuard.matches(.init(rebasing: value[..<6]), "basic "),
        let pair = Base64.decode(UnsafeRawBufferPointer(UnsafeBufferPointer(rebasing: value[6...]))),
        let colon = pair.firstIndex(of: UInt8(ascii: ":"))
      else {
        isWrong = true
        return
      }
      pair[(colon + 1)...].withUnsafeBufferPointer { takeCredential($0) }
    }

    /// `TOKEN` or `TOKEN.LEASE`.
    private mutating func takeCredential(_ value: UnsafeBufferPointer<UInt8>) {
      let tokenEnd = rules.token.count
      guard value.count >= tokenEnd, LoopbackGuard.isEqual(.init(rebasing: value[..<tokenEnd]), rules.token) else {
        isWrong = true
        return
      }
      guard value.count > tokenEnd else { return }
      if value[tokenEnd] != UInt8(ascii: ".") { isWrong = true }
      lease = String(decoding: value[(tokenEnd + 1)...], as: UTF8.self)
    }

    /// To be asked after the last header.
    package var verdict: Verdict {
      !isWrong && hosts == 1 && authorizations == 1 ? .admitted(lease: lease) : .refused
    }
  }

  package func inspect() -> Inspection { Inspection(rules: self) }

  /// Whether the texts are equal but for the case of ASCII letters; `pattern` is in lower case.
  private static func matches(_ text: UnsafeBufferPointer<UInt8>, _ pattern: StaticString) -> Bool {
    let pattern = UnsafeBufferPointer(start: pattern.utf8Start, count: pattern.utf8CodeUnitCount)
    return matches(text, pattern)
  }

  private static func matches(_ text: UnsafeBufferPointer<UInt8>, _ pattern: [UInt8]) -> Bool {
    pattern.withUnsafeBufferPointer { matches(text, $0) }
  }

  private static func matches(_ text: UnsafeBufferPointer<UInt8>, _ pattern: UnsafeBufferPointer<UInt8>) -> Bool {
    guard text.count == pattern.count else { return false }
    for index in text.indices {
      let byte = text[index]
      let isUpper = (UInt8(ascii: "A")...UInt8(ascii: "Z")).contains(byte)
      if (isUpper ? byte | 0x20 : byte) != pattern[index] { return false }
    }
    return true
  }

  /// Takes the same time wherever the first difference is.
  static func isEqual(_ left: UnsafeBufferPointer<UInt8>, _ right: [UInt8]) -> Bool {
    guard left.count == right.count else { return false }
    var difference: UInt8 = 0
    for index in left.indices { difference |= left[index] ^ right[index] }
    return difference == 0
  }
}
