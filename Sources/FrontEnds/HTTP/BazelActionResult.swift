package import CacheStore
import SystemSupport

/// What the result of one of Bazel's actions names.
///
/// Source: Remote Execution API v2, messages `ActionResult`, `OutputFile`, `OutputDirectory`, `Tree`, `Directory`,
/// `FileNode` and `Digest`. May come from anybody: what is malformed names nothing, and is nil.
package struct BazelActionResult: Sendable, Equatable {
  /// Files that have to be there, without those whose content the result has itself.
  package private(set) var files: [Digest] = []
  /// Files that name further ones: ``files(ofTree:)``.
  package private(set) var trees: [Digest] = []

  /// Bytes of a result; a larger one is no result. Sixteen thousand output files fit, more or less.
  package static let sizeLimit = 4 << 20
  /// Bytes of a tree.
  package static let treeSizeLimit = 16 << 20

  package init?(_ message: [UInt8]) {
    guard !message.isEmpty, message.count <= Self.sizeLimit, let fields = ProtocolBuffers.fields(of: message[...]),
      let outputFiles = fields.all(2), let outputDirectories = fields.all(3)
    else { return nil }
    for output in outputFiles {
      guard let output = ProtocolBuffers.fields(of: output) else { return nil }
      if Self.hasContent(output.one(5)) { continue }
      guard let file = Self.digest(output.one(2)) else { return nil }
      files.append(file)
    }
    for output in outputDirectories {
      guard let output = ProtocolBuffers.fields(of: output), let tree = Self.digest(output.one(3)) else { return nil }
      trees.append(tree)
    }
    // Standard output and standard error: the content, and its digest.
    for (content, digest) in [(UInt64(5), UInt64(6)), (7, 8)] {
      guard let named = fields.one(digest), !Self.hasContent(fields.one(content)) else { continue }
      guard let file = Self.digest(named) else { return nil }
      files.append(file)
    }
    files.removeAll { $0 == BazelProtocol.emptyFile }
  }

  /// The files that a tree names; nil when it is malformed.
  package static func files(ofTree message: [UInt8]) -> [Digest]? {
    guard message.count <= treeSizeLimit, let fields = ProtocolBuffers.fields(of: message[...]),
      let root = fields.all(1), let children = fields.all(2)
    else { return nil }
    var files: [Digest] = []
    for directory in root + children {
      guard let nodes = ProtocolBuffers.fields(of: directory)?.all(1) else { return nil }
      for node in nodes {
        guard let node = ProtocolBuffers.fields(of: node), let file = digest(node.one(2)) else { return nil }
        if file != BazelProtocol.emptyFile { files.append(file) }
      }
    }
    return files
  }

  private static func hasContent(_ value: ProtocolBuffers.Value?) -> Bool {
    guard case .bytes(let bytes)? = value else { return false }
    return !bytes.isEmpty
  }

  /// A `Digest`: the hash as a text, and the size, which the hash makes superfluous.
  private static func digest(_ value: ProtocolBuffers.Value?) -> Digest? {
    guard case .bytes(let message)? = value, let fields = ProtocolBuffers.fields(of: message),
      case .bytes(let text)? = fields.one(1), let hash = Hex.decode(Array(text)), hash.count == Digest.length
    else { return nil }
    return Digest(bytes: hash)
  }
}
