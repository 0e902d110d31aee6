import Glibc
package import SystemPackage
import SystemSupport

/// Calls `body` with a fresh directory, which is removed afterwards with all below it.
package func withTemporaryDirectory<Result>(_ body: (FilePath) throws -> Result) throws -> Result {
  let directory = try makeTemporaryDirectory()
  defer { try? FileSystem.removeTree(directory) }
  return try body(directory)
}

/// Calls an asynchronous `body` with a fresh directory, which is removed afterwards with all below it.
package func withTemporaryDirectory<Result>(
  isolation: isolated (any Actor)? = #isolation, _ body: (FilePath) async throws -> Result
) async throws -> Result {
  let directory = try makeTemporaryDirectory()
  defer { try? FileSystem.removeTree(directory) }
  return try await body(directory)
}

private func makeTemporaryDirectory() throws -> FilePath {
  let parent = getenv("TMPDIR").map { FilePath(platformString: $0) } ?? "/tmp"
  var template = parent.appending("fabrik-test.XXXXXX").withPlatformString {
    Array(UnsafeBufferPointer(start: $0, count: strlen($0) + 1))
  }
  guard mkdtemp(&template) != nil else { throw Errno(rawValue: errno) }
  // Compared with what programs report, so links are resolved.
  return try FileSystem.realPath(template.withUnsafeBufferPointer { FilePath(platformString: $0.baseAddress!) })
}
