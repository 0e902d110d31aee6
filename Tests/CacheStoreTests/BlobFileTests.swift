import Glibc
import SystemPackage
import SystemSupport
import TestSupport
import Testing

@testable import CacheStore

@Suite("Files for tools that read blobs themselves")
struct BlobFileTests {
  private let key = CacheKey(test: 1)

  private func path(_ file: BlobFile) -> FilePath { FilePath(bytes: file.path) }

  private func content(_ file: BlobFile) throws -> [UInt8] { try Files.read(path(file)) }

  @Test("a body of any size can be had as a file, named after its digest", arguments: [0, 1, 3000, 5000, 1_000_000])
  func content(size: Int) throws {
    try withTemporaryDirectory { directory in
      let store = try CacheStore(directory: directory)
      var generator = SeededGenerator(seed: 1)
      let body = generator.bytes(size)
      store.put(key, body)
      let entry = try #require(store.lookup(key))
      let file = try #require(entry.file())
      #expect(try content(file) == body)
      #expect(path(file).lastComponent?.string == "\(entry.record.digest)")
      // A second time, and by another process.
      #expect(try path(#require(store.lookup(key)?.file())) == path(file))
      let other = try CacheStore(directory: directory)
      #expect(try content(#require(other.lookup(key)?.file())) == body)
      #expect(other.summary.bytes == (try store.bytesOnDisk))
    }
  }

  @Test("a file that was damaged since it was checked is not handed out", arguments: [10, 5000])
  func damage(size: Int) throws {
    try withTemporaryDirectory { directory in
      let store = try CacheStore(directory: directory)
      let body = [UInt8](repeating: 7, count: size)
      store.put(key, body)
      let damaged = try path(#require(store.lookup(key)?.file()))
      chmod(damaged.string, 0o600)
      try Files.write([UInt8](repeating: 8, count: size), to: damaged)
      let again = store.lookup(key)?.file()
      // What lies in the entry is still sound; what only lay in the file is lost.
      #expect(try again.map { try content($0) } == (size == 10 ? body : nil))
      #expect(store.summary.damaged == 1)
      #expect((store.lookup(key) == nil) == (size != 10))
    }
  }

  @Test("a file that was cut short is not handed out")
  func truncated() throws {
    try withTemporaryDirectory { directory in
      let store = try CacheStore(directory: directory)
      store.put(key, [UInt8](repeating: 7, count: 5000))
      let entry = try #require(store.lookup(key))
      let file = try path(#require(entry.file()))
      #expect(truncate(file.string, 100) == 0)
      #expect(entry.file() == nil)
      #expect(store.lookup(key) == nil)
    }
  }

  @Test("what is handed out is not evicted until it is let go of, also when it cannot be written")
  func pinned() throws {
    try withTemporaryDirectory { directory in
      let store = try CacheStore(directory: directory, maxSize: 1_000_000)
      store.put(key, [UInt8](repeating: 7, count: 5000))
      var file = try #require(store.lookup(key)?.file()) as BlobFile?
      let path = path(try #require(file))
      chmod(path.string, 0o400)
      let other = try CacheStore(directory: directory, maxSize: 1_000_000)
      _ = try other.collect(target: 0)
      #expect(FileSystem.exists(path))
      withExtendedLifetime(file) {}
      file = nil
      _ = try other.collect(target: 0)
      #expect(!FileSystem.exists(path))
    }
  }

  // MARK: - Bodies that another process has written

  /// Writes a body as that process does, and takes it in.
  private func adopt(
    _ body: [UInt8], into store: CacheStore, as name: String = "go.1", expecting: Digest? = nil
  ) throws -> (EntryWriter.Outcome, BlobFile?)? {
    try Files.write(body, to: store.bodyDirectory.appending(name))
    guard let writer = store.makeWriter(key: key, digest: SHA256Digest(), adopting: name) else { return nil }
    while writer.readPiece() {}
    let outcome = writer.commit(duration: 5, expecting: expecting, mode: .replace)
    return (outcome, writer.file)
  }

  @Test("a body that another process has written becomes an entry, without a copy", arguments: [1, 3000, 1_000_000])
  func adopted(size: Int) throws {
    try withTemporaryDirectory { directory in
      let store = try CacheStore(directory: directory)
      var generator = SeededGenerator(seed: 1)
      let body = generator.bytes(size)
      try Files.write(body, to: store.bodyDirectory.appending("go.1"))
      let inode = try FileSystem.status(store.bodyDirectory.appending("go.1")).st_ino
      let writer = try #require(store.makeWriter(key: key, digest: SHA256Digest(), adopting: "go.1"))
      while writer.readPiece() {}
      #expect(writer.commit(duration: 5, mode: .replace) == .stored(bytes: UInt64(size)))
      let file = try #require(writer.file)
      #expect(try FileSystem.status(path(file)).st_ino == inode)
      #expect(store.body(key) == body)
      #expect(store.lookup(key)?.record.duration == 5)
      #expect(try FileSystem.entries(of: store.bodyDirectory).isEmpty)
      #expect(store.summary.bytes == (try store.bytesOnDisk))
    }
  }

  @Test("a body that is not the announced one is not stored, and leaves nothing")
  func mismatch() throws {
    try withTemporaryDirectory { directory in
      let store = try CacheStore(directory: directory)
      let (outcome, file) = try #require(
        try adopt([1, 2, 3], into: store, expecting: Digest(bytes: [UInt8](repeating: 0, count: 32))))
      #expect(outcome == .mismatch && file == nil)
      #expect(store.lookup(key) == nil)
      #expect(try FileSystem.entries(of: store.bodyDirectory).isEmpty)
    }
  }

  @Test("equal bodies share a blob, and each put gets it")
  func shared() throws {
    try withTemporaryDirectory { directory in
      let store = try CacheStore(directory: directory)
      let body = [UInt8](repeating: 7, count: 5000)
      let first = try #require(try adopt(body, into: store)?.1)
      let second = try #require(try adopt(body, into: store, as: "go.2")?.1)
      #expect(first.path == second.path)
      let empty = store.makeWriter(key: key, digest: SHA256Digest(), isInlineAllowed: false)
      #expect(empty.commit(duration: nil, mode: .replace) == .stored(bytes: 0))
      #expect(try content(#require(empty.file)).isEmpty)
    }
  }

  @Test(
    "only plain files of the directory are taken",
    arguments: [
      "", ".", "..", "missing", "../usage", "../../outside", "/etc/passwd", "directory", "link", "linked", "a\0b",
    ])
  func foreign(name: String) throws {
    try withTemporaryDirectory { directory in
      let store = try CacheStore(directory: directory)
      let outside = directory.appending("outside")
      try Files.write([1], to: outside)
      try FileSystem.makeDirectories(store.bodyDirectory.appending("directory"))
      try FileSystem.makeSymbolicLink(store.bodyDirectory.appending("link"), to: outside)
      try FileSystem.makeLink(store.bodyDirectory.appending("linked"), to: outside)
      #expect(store.makeWriter(key: key, digest: SHA256Digest(), adopting: name) == nil)
      #expect(try Files.read(outside) == [1])
      #expect(FileSystem.exists(store.bodyDirectory.appending("linked")))
      #expect(FileSystem.exists(store.layout.usage))
    }
  }

  @Test("the store may be deleted under both")
  func deleted() throws {
    try withTemporaryDirectory { directory in
      let store = try CacheStore(directory: directory)
      try FileSystem.removeTree(store.layout.root)
      let body = [UInt8](repeating: 7, count: 5000)
      #expect(try adopt(body, into: store)?.0 == .stored(bytes: 5000))
      #expect(store.body(key) == body)
      #expect(store.summary.bytes == (try store.bytesOnDisk))
    }
  }
}
