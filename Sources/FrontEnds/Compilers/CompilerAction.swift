package import CacheStore

/// The result of one of the compilers' actions: the object that is its value, and all that this refers to.
///
/// Body, little endian: magic `FACT`; version (4); number of objects (4), 1 to 64; 0 (4); for each, its digest (32) and
/// the size of its body (8); then, one after the other, the bodies of those that are small. The first object is the
/// value. The others are entries of their own. May come from anybody: what is malformed is nil. The plugin writes it:
/// Sources/FabrikCAS/action_body.h has the same limits.
package struct CompilerAction: Sendable, Equatable {
  package struct Object: Sendable, Equatable {
    package let digest: Digest
    /// Bytes of its body.
    package let size: UInt64

    /// Whether it is an entry of its own.
    package var isSeparate: Bool { size > UInt64(CompilerAction.inlineLimit) }
  }

  /// A small object with its body, which may not be what the digest says.
  package struct InlineObject: Sendable, Equatable {
    package let digest: Digest
    package let body: ArraySlice<UInt8>
  }

  /// Bytes of an object that lies in its action at the most.
  package static let inlineLimit = 4096
  package static let mostObjects = 64
  /// Bytes of all objects together.
  package static let totalLimit: UInt64 = 1 << 30
  /// Bytes of a body at the most.
  package static let sizeLimit = headLength + mostObjects * (recordLength + inlineLimit)

  private static let magic = Array("FACT".utf8)
  private static let version: UInt32 = 1
  private static let headLength = 16
  private static let recordLength = Digest.length + 8

  package let objects: [Object]
  package let inlineObjects: [InlineObject]

  /// The objects that are entries of their own, in their order.
  package var separate: [Object] { objects.filter(\.isSeparate) }

  package init?(_ body: [UInt8]) {
    guard body.count <= Self.sizeLimit, body.count >= Self.headLength, body.starts(with: Self.magic),
      Self.number(body[4..<8]) == UInt64(Self.version), Self.number(body[12..<16]) == 0
    else { return nil }
    let count = Int(Self.number(body[8..<12]))
    let end = Self.headLength + count * Self.recordLength
    guard (1...Self.mostObjects).contains(count), body.count >= end else { return nil }
    var objects: [Object] = []
    var inlineObjects: [InlineObject] = []
    var total: UInt64 = 0
    var rest = body[end...]
    for start in stride(from: Self.headLength, to: end, by: Self.recordLength) {
      let middle = start + Digest.length
      let object = Object(
        digest: Digest(bytes: Array(body[start..<middle])), size: Self.number(body[middle..<middle + 8]))
      guard object.size <= Self.totalLimit else { return nil }
      total += object.size
      objects.append(object)
      if object.isSeparate { continue }
      let size = Int(object.size)
      let content = rest.prefix(size)
      guard content.count == size, content.last == 0,
        CompilerObject.isHead(content.prefix(CompilerObject.headLength), ofSize: object.size)
      else { return nil }
      inlineObjects.append(InlineObject(digest: object.digest, body: content))
      rest = rest.dropFirst(size)
    }
    guard rest.isEmpty, total <= Self.totalLimit else { return nil }
    self.objects = objects
    self.inlineObjects = inlineObjects
  }

  fileprivate static func number(_ bytes: ArraySlice<UInt8>) -> UInt64 {
    bytes.reversed().reduce(0) { $0 << 8 | UInt64($1) }
  }
}

/// An object of the compilers.
///
/// Body, little endian: magic `FCAS`; number of references (4); bytes of data (8); for each reference, its digest (32);
/// the data; and a byte 0. Its SHA-256 is the object's digest.
package enum CompilerObject {
  /// Bytes before the references.
  package static let headLength = 16

  private static let magic = Array("FCAS".utf8)

  /// Whether a body of so many bytes can begin like this.
  ///
  /// - Parameter head: ``headLength`` bytes.
  package static func isHead(_ head: ArraySlice<UInt8>, ofSize size: UInt64) -> Bool {
    guard head.count == headLength, head.starts(with: magic) else { return false }
    let references = CompilerAction.number(head.dropFirst(4).prefix(4))
    let data = CompilerAction.number(head.dropFirst(8))
    // The first part cannot overflow.
    let (whole, isTooLarge) = data.addingReportingOverflow(UInt64(headLength) + references * UInt64(Digest.length) + 1)
    return !isTooLarge && whole == size
  }
}
