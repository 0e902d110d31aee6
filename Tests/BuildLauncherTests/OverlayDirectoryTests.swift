import BuildTools
import SystemPackage
import SystemSupport
import TestSupport
import Testing

@testable import BuildLauncher

@Suite("A directory that leads to another one")
struct OverlayDirectoryTests {
  /// What lies in `home` and `overlay` below a directory.
  private func withHome(_ body: (_ home: FilePath, _ overlay: FilePath, _ update: () throws -> Void) throws -> Void)
    throws
  {
    try withTemporaryDirectory { directory in
      let (home, path) = (directory.appending("home"), directory.appending("overlay"))
      let overlay = OverlayDirectory(
        path: path,
        overlay: .init(
          variable: "HOME_OF_TOOL", original: home, directories: ["caches"],
          additions: [.init(FilePath("init.d/ours.txt"), "ours")]))
      try body(home, path) { try overlay.update() }
    }
  }

  private func read(_ path: FilePath) -> String? { SmallFile.read(path) }

  @Test("has all that is there, and more")
  func all() throws {
    try withHome { home, overlay, update in
      try Files.write("settings", to: home.appending("settings"))
      try Files.write("theirs", to: home.appending("init.d/theirs.txt"))
      for _ in 0..<2 {
        try update()
        #expect(read(overlay.appending("settings")) == "settings")
        #expect(read(overlay.appending("init.d/theirs.txt")) == "theirs")
        #expect(read(overlay.appending("init.d/ours.txt")) == "ours")
      }
      #expect(!FileSystem.exists(home.appending("init.d/ours.txt")), "nothing of ours is in the original")
    }
  }

  @Test("what is written below it is in the original")
  func written() throws {
    try withHome { home, overlay, update in
      try update()
      try Files.write("cached", to: overlay.appending("caches/1/file"))
      #expect(read(home.appending("caches/1/file")) == "cached")
    }
  }

  @Test("follows the original")
  func changes() throws {
    try withHome { home, overlay, update in
      try Files.write("old", to: home.appending("old"))
      try Files.write("old", to: home.appending("init.d/old.txt"))
      try update()
      try FileSystem.remove(home.appending("old"))
      try FileSystem.removeTree(home.appending("init.d"))
      try Files.write("new", to: home.appending("new"))
      try update()
      #expect(try Set(FileSystem.entries(of: overlay)) == ["new", "caches", "init.d"])
      #expect(try FileSystem.entries(of: overlay.appending("init.d")) == ["ours.txt"])
      #expect(read(overlay.appending("new")) == "new")
    }
  }

  @Test("what a tool has made in it by itself moves to the original, unless there is such a thing")
  func movesBack() throws {
    try withHome { home, overlay, update in
      try update()
      try Files.write("made", to: overlay.appending("made/file"))
      try Files.write("script", to: overlay.appending("init.d/made.txt"))
      try Files.write("here", to: overlay.appending("both"))
      try Files.write("there", to: home.appending("both"))
      try update()
      #expect(read(home.appending("made/file")) == "made")
      #expect(read(overlay.appending("made/file")) == "made")
      #expect(read(home.appending("init.d/made.txt")) == "script")
      #expect(read(home.appending("both")) == "there")
      #expect(read(overlay.appending("both")) == "here")
    }
  }

  @Test("many may bring it up to date at once")
  func concurrent() async throws {
    try await withTemporaryDirectory { directory in
      let home = directory.appending("home")
      for number in 0..<50 { try Files.write("\(number)", to: home.appending("file\(number)")) }
      let overlay = OverlayDirectory(
        path: directory.appending("overlay"),
        overlay: .init(
          variable: "X", original: home, directories: ["caches"],
          additions: [.init(FilePath("init.d/ours.txt"), "ours")]))
      try await withThrowingTaskGroup(of: Void.self) { group in
        for _ in 0..<8 { group.addTask { for _ in 0..<10 { try overlay.update() } } }
        try await group.waitForAll()
      }
      #expect(try FileSystem.entries(of: overlay.path).count == 52)
      #expect(try FileSystem.entries(of: overlay.path.appending("init.d")) == ["ours.txt"])
      #expect(try Set(FileSystem.entries(of: home)).count == 51)
    }
  }
}
