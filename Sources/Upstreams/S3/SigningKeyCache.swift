import ControlProtocol
import Cryptography
import Synchronization

/// The key that requests of one day are signed with. It shows itself to nobody.
final class SigningKey: Sendable, CustomStringConvertible, CustomReflectable {
  let bytes: [UInt8]

  fileprivate init(_ bytes: [UInt8]) {
    self.bytes = bytes
  }

  var description: String { Secret.redaction }
  var customMirror: Mirror { Mirror(self, children: [:]) }
}

/// Keeps the last key: four of a signature's five HMACs are for the key.
final class SigningKeyCache: Sendable {
  private struct Entry {
    let day: String
    let region: String
    let service: String
    let secret: Secret
    let key: SigningKey
  }

  private let last = Mutex<Entry?>(nil)

  /// nil only if OpenSSL fails.
  func key(day: String, region: String, service: String, secret: Secret) -> SigningKey? {
    last.withLock { last in
      if let last, last.day == day, last.region == region, last.service == service, last.secret == secret {
        return last.key
      }
      guard let key = Self.derive(day: day, region: region, service: service, secret: secret) else { return nil }
      last = Entry(day: day, region: region, service: service, secret: secret, key: key)
      return key
    }
  }

  private static func derive(day: String, region: String, service: String, secret: Secret) -> SigningKey? {
    var key = Array("AWS4\(secret.text)".utf8)
    for part in [day, region, service, "aws4_request"] {
      guard let next = OpenSSL.authenticate(Array(part.utf8), key: key) else { return nil }
      key = next
    }
    return SigningKey(key)
  }
}
