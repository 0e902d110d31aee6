import Glibc
import SystemPackage
import SystemSupport
import TestSupport
import Testing

@testable import ControlProtocol

@Suite("The runtime directory")
struct RuntimeDirectoryTests {
  /// Why a directory is refused; nil when it is taken.
  private func refusal(_ candidate: FilePath) -> String? {
    do {
      _ = try RuntimeDirectory(candidates: [candidate])
      return nil
    } catch {
      return error.description
    }
  }

  @Test("is made for its owner alone, below XDG_RUNTIME_DIR")
  func made() throws {
    try withTemporaryDirectory { directory in
      let runtime = try RuntimeDirectory(environment: Environment(["XDG_RUNTIME_DIR": directory.string]))
      #expect(runtime.path == directory.appending("fabrik"))
      #expect(try Files.permissions(runtime.path) == 0o700)
      #expect(
        try RuntimeDirectory(environment: Environment(["XDG_RUNTIME_DIR": directory.string])).path == runtime.path)
    }
  }

  @Test("is refused when others can enter it", arguments: [0o755, 0o770, 0o701, 0o710, 0o777, 0o1777] as [mode_t])
  func open(mode: mode_t) throws {
    try withTemporaryDirectory { directory in
      let path = directory.appending("fabrik")
      try FileSystem.makeDirectories(path)
      chmod(path.string, mode)
      #expect(refusal(path) == "\(path): is open to other users; run: chmod 700 \(path)")
      chmod(path.string, 0o700)
      #expect(refusal(path) == nil)
    }
  }

  @Test("is refused when it is a link, even to a good directory")
  func link() throws {
    try withTemporaryDirectory { directory in
      try FileSystem.makeDirectories(directory.appending("real"), permissions: 0o700)
      try FileSystem.makeSymbolicLink(directory.appending("fabrik"), to: directory.appending("real"))
      #expect(refusal(directory.appending("fabrik")) == "\(directory)/fabrik: not a directory")
    }
  }

  @Test("is refused when it is a file, or cannot be made")
  func file() throws {
    try withTemporaryDirectory { directory in
      try Files.write("", to: directory.appending("fabrik"))
      #expect(refusal(directory.appending("fabrik")) == "\(directory)/fabrik: not a directory")
      #expect(refusal(directory.appending("none/fabrik")) == "\(directory)/none/fabrik: No such file or directory")
    }
  }

  @Test(
    "is refused when it belongs to another user", .enabled(if: geteuid() == 0, "giving files away takes root's rights"))
  func foreign() throws {
    try withTemporaryDirectory { directory in
      let path = directory.appending("fabrik")
      try FileSystem.makeDirectories(path, permissions: 0o700)
      #expect(chown(path.string, 12345, 12345) == 0)
      #expect(refusal(path) == "\(path): belongs to user 12345")
    }
  }

  @Test("is refused when a socket's path in it would be too long")
  func long() throws {
    try withTemporaryDirectory { directory in
      try #require(directory.length < 45, "the directory for temporary files has too long a path for this test")
      let path = directory.appending(String(repeating: "d", count: 54 - directory.length - 1))
      #expect(path.length == 54)
      #expect(refusal(path) == "\(path) is too long for a socket")
      #expect(!FileSystem.exists(path))
    }
  }

  @Test("is the session's where the variable is not set, if there is a session of ours; else in /tmp")
  func sessions() throws {
    try withTemporaryDirectory { directory in
      let temporary = FilePath("/tmp/fabrik-\(geteuid())")
      #expect(RuntimeDirectory.candidates(environment: Environment(), sessions: directory) == [temporary])
      let session = directory.appending("\(geteuid())")
      try FileSystem.makeDirectories(session)
      let found = RuntimeDirectory.candidates(environment: Environment(), sessions: directory)
      #expect(found == [session.appending("fabrik"), temporary])
      let both = RuntimeDirectory.candidates(environment: Environment(["XDG_RUNTIME_DIR": "/x"]), sessions: directory)
      #expect(both == ["/x/fabrik", session.appending("fabrik"), temporary])
      let same = Environment(["XDG_RUNTIME_DIR": session.string])
      #expect(RuntimeDirectory.candidates(environment: same, sessions: directory) == found)
      guard geteuid() == 0 else { return }
      chown(session.string, 12345, 12345)
      #expect(RuntimeDirectory.candidates(environment: Environment(), sessions: directory) == [temporary])
    }
  }

  @Test("is the next candidate when the first cannot be used; all reasons are given when none can")
  func candidates() throws {
    try withTemporaryDirectory { directory in
      try Files.write("", to: directory.appending("file"))
      let bad = directory.appending("file")
      let good = directory.appending("good")
      #expect(try RuntimeDirectory(candidates: [bad, good]).path == good)
      let error = #expect(throws: RuntimeDirectory.Unusable.self) { try RuntimeDirectory(candidates: [bad, bad]) }
      #expect(error?.description == "\(bad): not a directory; \(bad): not a directory")
    }
  }
}
