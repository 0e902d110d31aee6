import CacheStore
import TestSupport
import Testing

@testable import Upstreams

/// An object as a store holds it.
struct FakeObject {
  let key: CacheKey
  let body: [UInt8]
  var duration: UInt32?

  func head(sealingKey: [UInt8]? = nil) throws -> [UInt8] {
    let envelope = Envelope(
      key: key, digest: SHA256Digest.digest(of: body), size: UInt64(body.count), duration: duration)
    return try #require(envelope.head(sealingKey: sealingKey))
  }

  func bytes(sealingKey: [UInt8]? = nil) throws -> [UInt8] { try head(sealingKey: sealingKey) + body }

  /// Below a store's URL, where there is no secret.
  var path: String { "/" + ObjectName(scope: "plain", key: key).path }
}
