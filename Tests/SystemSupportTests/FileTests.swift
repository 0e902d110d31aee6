import SystemPackage
import SystemSupport
import TestSupport
import Testing

@Suite("Small files")
struct SmallFileTests {
  @Test("are replaced as a whole, whether there was one or not, and nothing is left beside them")
  func replace() throws {
    try withTemporaryDirectory { directory in
      let path = directory.appending("file")
      try SmallFile.replace(path, with: "one")
      #expect(SmallFile.read(path) == "one")
      try SmallFile.replace(path, with: "")
      #expect(SmallFile.read(path) == "")
      try SmallFile.replace(path, with: String(repeating: "ä", count: 100_000))
      #expect(SmallFile.read(path)?.count == 100_000)
      #expect(try FileSystem.entries(of: directory) == ["file"])
    }
  }

  @Test("are new files each time: who has the old one open keeps it")
  func newFile() throws {
    try withTemporaryDirectory { directory in
      let path = directory.appending("file")
      try SmallFile.replace(path, with: "old")
      let old = try FileDescriptor.open(path, .readOnly)
      defer { try? old.close() }
      try SmallFile.replace(path, with: "brand new")
      var bytes = [UInt8](repeating: 0, count: 10)
      #expect(try bytes.withUnsafeMutableBytes { try old.read(into: $0) } == 3)
    }
  }

  @Test("are for their owner alone unless told otherwise")
  func permissions() throws {
    try withTemporaryDirectory { directory in
      try SmallFile.replace(directory.appending("a"), with: "x")
      #expect(try Files.permissions(directory.appending("a")) == 0o600)
      try SmallFile.replace(directory.appending("b"), with: "x", permissions: .ownerRead)
      #expect(try Files.permissions(directory.appending("b")) == 0o400)
    }
  }

  @Test("that cannot be written leave nothing behind")
  func failure() throws {
    try withTemporaryDirectory { directory in
      #expect(throws: Errno.noSuchFileOrDirectory) {
        try SmallFile.replace(directory.appending("none/file"), with: "x")
      }
      // A directory with something in it is in the way.
      try Files.write("x", to: directory.appending("taken/file"))
      #expect(throws: Errno.isDirectory) { try SmallFile.replace(directory.appending("taken"), with: "x") }
      #expect(try FileSystem.entries(of: directory) == ["taken"])
    }
  }

  @Test("hold a mebibyte and no more", arguments: [(0, true), (65_536, true), (1 << 20, true), (1 << 20 + 1, false)])
  func limit(size: Int, isRead: Bool) throws {
    try withTemporaryDirectory { directory in
      let path = directory.appending("file")
      try Files.write([UInt8](repeating: 0x61, count: size), to: path)
      #expect(SmallFile.read(path)?.utf8.count == (isRead ? size : nil))
      if !isRead { #expect(throws: Errno.fileTooLarge) { try SmallFile.contents(path) } }
    }
  }

  @Test("that are missing are nil, or say why")
  func missing() throws {
    try withTemporaryDirectory { directory in
      #expect(SmallFile.read(directory.appending("none")) == nil)
      #expect(throws: Errno.noSuchFileOrDirectory) { try SmallFile.contents(directory.appending("none")) }
      #expect(throws: Errno.isDirectory) { try SmallFile.contents(directory) }
    }
  }
}

@Suite("The file system")
struct FileSystemTests {
  @Test("directories are made with those above them, and one that is there is left alone")
  func makeDirectories() throws {
    try withTemporaryDirectory { directory in
      let deep = directory.appending("a/b/c")
      try FileSystem.makeDirectories(deep, permissions: 0o700)
      try FileSystem.makeDirectories(deep, permissions: 0o755)
      #expect(try Files.permissions(deep) == 0o700)
      #expect(try Files.permissions(directory.appending("a")) == 0o700)
      try Files.write("", to: directory.appending("file"))
      #expect(throws: Errno.notDirectory) { try FileSystem.makeDirectories(directory.appending("file/x")) }
    }
  }

  @Test("a tree is removed without following its links")
  func removeTree() throws {
    try withTemporaryDirectory { directory in
      try Files.write("x", to: directory.appending("kept/file"))
      try Files.write("x", to: directory.appending("tree/a/b"))
      try FileSystem.makeSymbolicLink(directory.appending("tree/link"), to: directory.appending("kept"))
      try FileSystem.makeSymbolicLink(directory.appending("tree/dangling"), to: "nowhere")
      try FileSystem.removeTree(directory.appending("tree"))
      #expect(try FileSystem.entries(of: directory) == ["kept"])
      #expect(FileSystem.exists(directory.appending("kept/file")))
    }
  }

  @Test("names in a directory are given but for . and .., odd ones included")
  func entries() throws {
    try withTemporaryDirectory { directory in
      for name in [".hidden", "...", "with space", "ü", String(repeating: "n", count: 255)] {
        try Files.write("", to: directory.appending(name))
      }
      #expect(
        Set(try FileSystem.entries(of: directory))
          == [".hidden", "...", "with space", "ü", String(repeating: "n", count: 255)])
      #expect(throws: Errno.noSuchFileOrDirectory) { try FileSystem.entries(of: directory.appending("none")) }
    }
  }

  @Test("a program is a regular file that may be executed")
  func executable() throws {
    try withTemporaryDirectory { directory in
      try Files.write("x", to: directory.appending("plain"))
      #expect(!FileSystem.isExecutableFile(directory.appending("plain")))
      #expect(!FileSystem.isExecutableFile(directory))
      #expect(!FileSystem.isExecutableFile(directory.appending("none")))
      try FileSystem.makeSymbolicLink(directory.appending("link"), to: "/bin/sh")
      #expect(FileSystem.isExecutableFile(directory.appending("link")))
    }
  }
}
