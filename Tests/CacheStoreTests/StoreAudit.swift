import SystemPackage
import SystemSupport
import TestSupport
import Testing

@testable import CacheStore

extension CacheStore {
  var entryFiles: [FilePath] { Files.all(below: layout.directory(of: .entries)) }
  var blobFiles: [FilePath] { Files.all(below: layout.directory(of: .blobs)) }
  var temporaryFiles: [FilePath] { Files.all(below: layout.temporary) }

  /// What the counters ought to say.
  var bytesOnDisk: UInt64 {
    get throws { try (entryFiles + blobFiles).map { FileSystem.diskSize(try Files.size($0)) }.reduce(0, +) }
  }

  func entryFile(_ key: CacheKey) -> FilePath { FilePath(platformString: layout.entry(key, scope: scope)) }

  func blobFile(of body: [UInt8]) -> FilePath { FilePath(platformString: layout.blob(SHA256Digest.digest(of: body))) }

  /// Expects what must hold of a store that nobody is using, whatever happened to it before: after a collection nothing
  /// is left under `tmp`, the counters are right, and all that is visible is whole.
  func expectSound(sourceLocation: SourceLocation = #_sourceLocation) throws {
    let collection = try #require(try collect(), "a collection was under way", sourceLocation: sourceLocation)
    #expect(temporaryFiles.isEmpty, "a temporary file was left", sourceLocation: sourceLocation)
    #expect(summary.bytes == (try bytesOnDisk), "bytes are counted wrong", sourceLocation: sourceLocation)
    #expect(collection.remainingBytes == (try bytesOnDisk), sourceLocation: sourceLocation)
    #expect(summary.entries == entryFiles.count, "entries are counted wrong", sourceLocation: sourceLocation)
    for file in blobFiles {
      let digest = SHA256Digest.digest(of: try Files.read(file))
      #expect(file.lastComponent?.string == digest.description, "a damaged blob", sourceLocation: sourceLocation)
    }
    #expect(verify().damagedEntries == 0, "a damaged entry was visible", sourceLocation: sourceLocation)
  }
}
