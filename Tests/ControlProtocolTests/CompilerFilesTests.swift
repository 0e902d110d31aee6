import Glibc
import SystemPackage
import SystemSupport
import TestSupport
import Testing

@testable import ControlProtocol

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
      timespec(tv_sec: time(nil) - hours * 3600, tv_nsec: 0), of: path)
    return path
  }

  private func names(in directory: FilePath) -> [String] {
    Files.all(below: directory).compactMap { $0.lastComponent?.string }.filter { $0 != "lock" }
  }

  @Test("what has outgrown its limit goes as a whole: compilers miss what they have been told of otherwise")
  func trims() throws {
    try withFiles { directory, files in
      for name in ["aa", "bb", "cc"] { try write("objects/ab/\(name)", in: directory) }
      try write("actions/cd/new", in: directory)
      #expect(files.size == 4 * 8192)
      #expect(files.trim(to: 4 * 8192) == 0)
      #expect(files.trim(to: 4 * 8192 - 1) == 4 * 8192)
      #expect(!FileSystem.exists(directory))
      #expect(files.size == 0)
      #expect(files.trim(to: 0) == 0)
    }
  }

  @Test("what the store has as well costs nothing")
  func sharesWithTheStore() throws {
    try withFiles { directory, files in
      let shared = try write("objects/ab/shared", in: directory, size: 100_000)
      try write("objects/ab/own", in: directory)
      try FileSystem.makeLink(directory.removingLastComponent().appending("other-name"), to: shared)
      #expect(files.size == 8192)
      #expect(files.trim(to: 8192) == 0)
      #expect(files.trim(to: 8191) == 8192)
    }
  }

  @Test("nothing goes while a build uses it")
  func isHeld() throws {
    try withFiles { directory, files in
      try write("objects/ab/aa", in: directory)
      let hold = try #require(files.hold())
      #expect(files.trim(to: 0) == 0)
      #expect(files.clear() == (0, true))
      let second = try #require(files.hold(), "several may use it")
      try second.close()
      #expect(files.trim(to: 0) == 0)
      #expect(names(in: directory) == ["aa"])
      try hold.close()
      #expect(files.trim(to: 0) == 8192)
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
}
