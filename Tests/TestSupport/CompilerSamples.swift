package import CacheStore
import SystemSupport

/// Objects and actions of the compilers, as the plugin writes them.
package enum CompilerSamples {
  /// The body of an object.
  package static func object(_ data: [UInt8], references: [Digest] = []) -> [UInt8] {
    var body = Array("FCAS".utf8)
    body.append(littleEndian: UInt32(references.count))
    body.append(littleEndian: UInt64(data.count))
    for reference in references { body += reference.bytes }
    return body + data + [0]
  }

  /// The body of an object of so many bytes in all, at least 17.
  package static func object(size: Int, _ content: UInt8 = 7) -> [UInt8] {
    object((0..<size - 17).map { UInt8(truncatingIfNeeded: $0 >> 3) ^ content })
  }

  /// The body of an action with these objects.
  ///
  /// - Parameters:
  ///   - sizes: what it says of their sizes; nil: the truth.
  ///   - bodies: of the small ones; nil: theirs.
  package static func action(_ objects: [[UInt8]], sizes: [UInt64]? = nil, bodies: [UInt8]? = nil) -> [UInt8] {
    var body = Array("FACT".utf8)
    body.append(littleEndian: UInt32(1))
    body.append(littleEndian: UInt32(objects.count))
    body.append(littleEndian: UInt32(0))
    for (number, object) in objects.enumerated() {
      body += SHA256Digest.digest(of: object).bytes
      body.append(littleEndian: sizes?[number] ?? UInt64(object.count))
    }
    return body + (bodies ?? objects.filter { $0.count <= 4096 }.flatMap { $0 })
  }
}
