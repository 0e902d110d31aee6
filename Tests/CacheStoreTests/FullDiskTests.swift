import Glibc
import SystemPackage
import SystemSupport
import TestSupport
import Testing

@testable import CacheStore

/// A small file system of its own.
private func withSmallDisk(options: String, _ body: (FilePath) throws -> Void) throws {
  try withTemporaryDirectory { directory in
    guard mount("tmpfs", directory.string, "tmpfs", 0, options) == 0 else { throw Errno(rawValue: errno) }
    defer { umount2(directory.string, CInt(MNT_DETACH)) }
    try body(directory)
  }
}

private let canMount: Bool = (try? withSmallDisk(options: "size=64k") { _ in }) != nil

@Suite("A full disk", .enabled(if: canMount, "mounting a small disk takes root's rights"))
struct FullDiskTests {
  private static let disks = ["size=2m", "size=64m,nr_inodes=120"]

  @Test("is no error: nothing is stored, and what was stored can be read", arguments: disks)
  func full(options: String) throws {
    try withSmallDisk(options: options) { disk in
      let store = try CacheStore(directory: disk.appending("cache"), maxSize: 1 << 40)
      var generator = SeededGenerator(seed: 9)
      var stored: [Int: [UInt8]] = [:]
      var refused = 0
      for number in 0..<400 {
        let body = generator.bytes([10, 3000, 20_000, 90_000].randomElement(using: &generator)!)
        switch store.put(CacheKey(test: number), pieces: generator.pieces(of: body)) {
        case .stored: stored[number] = body
        case .notStored(let reason):
          #expect(reason == "No space left on device")
          refused += 1
        case .alreadyThere, .mismatch: Issue.record("\(number) was there before it was stored")
        }
      }
      #expect(!stored.isEmpty && refused > 100)
      for number in 0..<400 { #expect(store.body(CacheKey(test: number)) == stored[number]) }
      #expect(store.temporaryFiles.isEmpty)
      #expect(store.summary.damaged == 0)
      try store.expectSound()
      _ = try store.collect(target: store.summary.bytes / 2)
      #expect(store.put(CacheKey(test: 999), [UInt8](repeating: 1, count: 50_000)) == .stored(bytes: 50_000))
      #expect(store.body(CacheKey(test: 999)) == [UInt8](repeating: 1, count: 50_000))
      try store.expectSound()
    }
  }

  @Test("a replacing put that finds no space leaves the old entry")
  func replace() throws {
    try withSmallDisk(options: "size=1m") { disk in
      let store = try CacheStore(directory: disk.appending("cache"), maxSize: 1 << 40)
      store.put(CacheKey(test: 1), [1, 2, 3])
      try fill(disk)
      #expect(store.put(CacheKey(test: 1), [UInt8](repeating: 1, count: 50_000)) != .stored(bytes: 50_000))
      #expect(store.put(CacheKey(test: 1), [9]) != .stored(bytes: 1))
      #expect(store.body(CacheKey(test: 1)) == [1, 2, 3])
    }
  }

  @Test("a store can be opened on a disk that has filled up since it was made")
  func reopen() throws {
    try withSmallDisk(options: "size=1m") { disk in
      try CacheStore(directory: disk.appending("cache")).put(CacheKey(test: 1), [1, 2, 3])
      try fill(disk)
      let store = try CacheStore(directory: disk.appending("cache"))
      #expect(store.body(CacheKey(test: 1)) == [1, 2, 3])
    }
  }

  @Test("a store that cannot be made on a full disk says why")
  func makeOnFullDisk() throws {
    try withSmallDisk(options: "size=1m") { disk in
      try fill(disk)
      #expect(throws: Errno.noSpace) { try CacheStore(directory: disk.appending("cache")) }
    }
  }

  private func fill(_ disk: FilePath) throws {
    let file = try FileDescriptor.open(
      disk.appending("ballast"), .writeOnly, options: .create, permissions: .ownerReadWrite)
    defer { try? file.close() }
    let block = [UInt8](repeating: 0, count: 4096)
    #expect(throws: Errno.noSpace) { while true { _ = try file.writeAll(block) } }
  }
}
