import SystemPackage
import SystemSupport
import TestSupport
import Testing

@testable import CacheStore

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

@Suite("The working directories of the compilers' plugin")
struct CompilerFilesTests {
  private static let boot = "0123456789abcdef"

  /// The directory of this boot in a fresh place, and what looks after it.
  private func withFiles(_ body: (FilePath, CompilerFiles) throws -> Void) throws {
    try withTemporaryDirectory { root in
      let current = root.appending(Self.boot)
      try FileSystem.makeDirectories(current)
      try body(current, CompilerFiles(root: root, current: current))
    }
  }

  /// Writes a file that was used so long ago.
  @discardableResult
  private func write(
    _ name: String, in directory: FilePath, size: Int = 8192, hours: Int = 2
  ) throws -> FilePath {
    let path = directory.appending(name)
    try Files.write([UInt8](repeating: 1, count: size), to: path)
    try Files.setModificationTime(
      timespec(tv_sec: Int(CacheStore.systemTime() / 1000) - hours * 3600, tv_nsec: 0), of: path)
    return path
  }

  private func names(in directory: FilePath) -> [String] {
    Files.all(below: directory).compactMap { $0.lastComponent?.string }.filter { $0 != "lock" }
  }

  @Test("what was not used for longest goes, until a tenth of the limit is free")
  func trims() throws {
    try withFiles { directory, files in
      for hours in 2...11 { try write("objects/ab/\(10 + hours)", in: directory, hours: hours) }
      try write("actions/cd/new", in: directory, hours: 0)
      #expect(files.size == 11 * 8192)
      #expect(files.trim(to: 11 * 8192) == 0)
      // 48 kB at the most are to stay; the limit is 54.
      #expect(files.trim(to: 54_000) == 6 * 8192)
      #expect(names(in: directory) == ["new", "12", "13", "14", "15"])
      #expect(files.trim(to: 54_000) == 0)
    }
  }

  @Test("what was used in the last hour stays, however small the limit")
  func sparesWhatIsNew() throws {
    try withFiles { directory, files in
      try write("objects/ab/old", in: directory)
      try write("objects/ab/new", in: directory, hours: 0)
      // Written long ago, and read a moment ago.
      let read = try write("objects/ab/read", in: directory, hours: 5)
      let times = [
        timespec(tv_sec: Int(CacheStore.systemTime() / 1000), tv_nsec: 0), timespec(tv_sec: 0, tv_nsec: (1 << 30) - 2),
      ]
      #expect(read.withPlatformString { utimensat(AT_FDCWD, $0, times, 0) } == 0)
      #expect(files.trim(to: 0) == 8192)
      #expect(names(in: directory) == ["new", "read"])
    }
  }

  @Test("what the store has as well costs nothing, and stays")
  func sharesWithTheStore() throws {
    try withFiles { directory, files in
      let shared = try write("objects/ab/shared", in: directory, size: 100_000, hours: 9)
      try write("objects/ab/own", in: directory)
      try FileSystem.makeLink(directory.appending("other-name"), to: shared)
      #expect(files.size == 8192)
      #expect(files.trim(to: 8192) == 0)
      #expect(files.trim(to: 0) == 8192)
      #expect(names(in: directory) == ["shared", "other-name"])
    }
  }

  @Test("what a killed compiler was writing goes, within the limit, too")
  func abandonedFiles() throws {
    try withFiles { directory, files in
      try write("tmp/old", in: directory)
      try write("tmp/new", in: directory, hours: 0)
      #expect(files.trim(to: .max) == 8192)
      #expect(names(in: directory) == ["new"])
    }
  }

  @Test("nothing goes while a build uses it, or once one has begun")
  func isHeld() throws {
    try withFiles { directory, files in
      for name in ["aa", "bb", "cc"] { try write("objects/ab/\(name)", in: directory) }
      let hold = try #require(files.hold())
      #expect(files.trim(to: 0) == 0)
      #expect(files.clear() == (0, true))
      let second = try #require(files.hold(), "several may use it")
      try second.close()
      #expect(files.trim(to: 0) == 0)
      try hold.close()
      var questions = 0
      let freed = files.trim(to: 0) {
        questions += 1
        return questions > 1
      }
      #expect(freed == 8192)
      #expect(names(in: directory).count == 2)
      #expect(files.trim(to: 0) == 2 * 8192)
    }
  }

  @Test("the directories of other boots go, but not those that a build of another machine uses")
  func otherBoots() throws {
    try withFiles { directory, files in
      let root = directory.removingLastComponent()
      for name in ["fedcba9876543210", "0000000000000000", "removed.17", Self.boot, "something-else"] {
        try write("objects/ab/file", in: root.appending(name))
      }
      let used = root.appending("0000000000000000")
      let hold = try #require(CompilerFiles(root: root, current: used).hold())
      files.removeOthers()
      let left = Set(try FileSystem.entries(of: root))
      #expect(left == [Self.boot, "0000000000000000", "something-else"])
      #expect(names(in: used) == ["file"])
      try hold.close()
      files.removeOthers()
      #expect(Set(try FileSystem.entries(of: root)) == [Self.boot, "something-else"])
    }
  }

  @Test("all of it can be removed")
  func clear() throws {
    try withFiles { directory, files in
      let root = directory.removingLastComponent()
      try write("objects/ab/file", in: directory)
      try write("tmp/file", in: root.appending("fedcba9876543210"))
      #expect(files.clear() == (2 * 8192, false))
      #expect(try FileSystem.entries(of: root).isEmpty)
      #expect(files.clear() == (0, false) && files.size == 0)
      #expect(files.hold() == nil && files.trim(to: 0) == 0)
    }
  }

  @Test("links are neither followed nor counted")
  func links() throws {
    try withFiles { directory, files in
      try withTemporaryDirectory { elsewhere in
        try write("file", in: elsewhere)
        try FileSystem.makeDirectories(directory.appending("objects"))
        try FileSystem.makeSymbolicLink(directory.appending("objects/ab"), to: elsewhere)
        try FileSystem.makeSymbolicLink(directory.appending("tmp"), to: elsewhere)
        #expect(files.size == 0 && files.trim(to: 0) == 0)
        #expect(files.clear() == (0, false))
        #expect(names(in: elsewhere) == ["file"])
      }
    }
  }

  @Test("the store takes no notice of them")
  func storeIgnoresThem() throws {
    try withTemporaryDirectory { directory in
      let store = try CacheStore(directory: directory, maxSize: 1 << 20)
      try write("compilers/\(Self.boot)/objects/ab/file", in: directory, size: 4 << 20)
      store.put(CacheKey(test: 1), [1, 2, 3])
      let collection = try #require(try store.collect(target: 0))
      #expect(collection.removedFiles == 1)
      _ = store.clear()
      #expect(names(in: directory.appending("compilers")) == ["file"])
    }
  }
}
