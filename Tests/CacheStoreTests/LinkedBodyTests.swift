import Glibc
import SystemPackage
import SystemSupport
import TestSupport
import Testing

@testable import CacheStore

@Suite("Bodies that another process keeps as its own files")
struct LinkedBodyTests {
  private let key = CacheKey(test: 1)
  private let body = [UInt8](repeating: 5, count: 300_000)

  /// A store and another directory on the same file system.
  private func withStore(_ check: (CacheStore, FilePath) throws -> Void) throws {
    try withTemporaryDirectory { root in
      let other = root.appending("other")
      try FileSystem.makeDirectories(other)
      try check(try CacheStore(directory: root.appending("store")), other)
    }
  }

  private func take(
    _ name: String, in directory: FilePath, into store: CacheStore, expecting digest: Digest? = nil
  ) throws -> EntryWriter.Outcome? {
    let descriptor = try FileDescriptor.open(directory, .readOnly, options: .directory)
    defer { try? descriptor.close() }
    let writer = store.makeWriter(key: key, digest: SHA256Digest(), linking: name, in: descriptor.rawValue)
    guard let writer else { return nil }
    while writer.readPiece() {}
    return writer.commit(duration: 1, expecting: digest, mode: .keepFirst)
  }

  @Test("the blob is the same file, not a copy")
  func isLinked() throws {
    try withStore { store, directory in
      let file = directory.appending("body")
      try Files.write(body, to: file)
      chmod(file.string, 0o444)
      let digest = SHA256Digest.digest(of: body)
      #expect(try take("body", in: directory, into: store, expecting: digest) == .stored(bytes: 300_000))
      #expect(store.body(key) == body)
      let blob = try FileSystem.status(store.blobFile(of: body))
      #expect(try blob.st_ino == FileSystem.status(file).st_ino && blob.st_nlink == 2)
      // Each of the two may go, and the other stays.
      #expect(try store.collect(target: 0)?.removedFiles == 2)
      #expect(try Files.read(file) == body)
      #expect(try take("body", in: directory, into: store) == .stored(bytes: 300_000))
      try FileSystem.remove(file)
      #expect(store.body(key) == body)
      try store.expectSound()
    }
  }

  @Test("a body that the store has is taken once")
  func twice() throws {
    try withStore { store, directory in
      try Files.write(body, to: directory.appending("body"))
      #expect(try take("body", in: directory, into: store) == .stored(bytes: 300_000))
      #expect(try take("body", in: directory, into: store) == .alreadyThere)
      #expect(store.remove(key))
      #expect(try take("body", in: directory, into: store) == .stored(bytes: 300_000))
      try store.expectSound()
    }
  }

  @Test("another body than the announced one is not stored, and the file stays")
  func mismatch() throws {
    try withStore { store, directory in
      try Files.write(body, to: directory.appending("body"))
      #expect(try take("body", in: directory, into: store, expecting: SHA256Digest.digest(of: [])) == .mismatch)
      #expect(store.lookup(key) == nil && store.temporaryFiles.isEmpty)
      #expect(try Files.read(directory.appending("body")) == body)
    }
  }

  @Test("a file that is changed after all is not handed out")
  func changed() throws {
    try withStore { store, directory in
      let file = directory.appending("body")
      try Files.write(body, to: file)
      #expect(try take("body", in: directory, into: store) == .stored(bytes: 300_000))
      try Files.write([UInt8](repeating: 6, count: body.count), to: file)
      #expect(store.lookup(key)?.file() == nil && store.body(key) == nil)
      #expect(store.summary.damaged == 1)
    }
  }

  @Test("links, directories and pipes are nobody's bodies, and nothing is left of them")
  func noFiles() throws {
    try withStore { store, directory in
      try Files.write(body, to: directory.appending("body"))
      try FileSystem.makeSymbolicLink(directory.appending("link"), to: directory.appending("body"))
      try FileSystem.makeDirectories(directory.appending("directory"))
      #expect(mkfifo(directory.appending("pipe").string, 0o600) == 0)
      for name in ["link", "directory", "pipe", "nothing"] {
        let outcome = try take(name, in: directory, into: store)
        #expect(outcome == nil, "\(name)")
      }
      #expect(store.temporaryFiles.isEmpty)
    }
  }

  @Test("what lies on another file system is none, and is to be copied")
  func otherFileSystem() throws {
    try withStore { store, directory in
      let outcome = try take("version", in: "/proc", into: store)
      #expect(outcome == nil)
      #expect(store.temporaryFiles.isEmpty)
    }
  }
}
