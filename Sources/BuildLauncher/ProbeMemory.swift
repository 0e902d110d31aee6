import Configuration
import ControlProtocol
import Glibc
import SystemPackage
import SystemSupport

/// Remembers what was found out about the machine, so that `exec` need not start `ccache --version` or list /usr/bin
/// each time. What an answer depends on is part of the question, so nothing here ever gets old; it may be deleted.
struct ProbeMemory: Sendable {
  let directory: FilePath

  init(directory: FilePath) {
    self.directory = directory
  }

  /// The user's.
  init(_ paths: StandardPaths) {
    directory = paths.cache.appending("probes")
  }

  /// - Parameters:
  ///   - question: names the probe and all it depends on.
  ///   - probe: asked when the answer is not known; nil is not remembered.
  func answer(_ question: String, probe: () -> String?) -> String? {
    // Another version may write its answers in another form.
    let question = "\(fabrikVersion) \(question)"
    let file = directory.appending(ShortHash.name(of: Array(question.utf8)))
    // The question comes first in the file: a hash may collide.
    if let text = SmallFile.read(file), text.hasPrefix(question + "\n") {
      return String(text.dropFirst(question.count + 1))
    }
    guard let answer = probe() else { return nil }
    try? FileSystem.makeDirectories(directory, permissions: 0o700)
    try? SmallFile.replace(file, with: question + "\n" + answer)
    return answer
  }

  /// What tells whether a file or directory has changed: its inode, size and modification time.
  static func identity(of path: FilePath) -> String {
    guard let status = try? FileSystem.status(path) else { return "\(path):-" }
    return "\(path):\(status.st_ino):\(status.st_size):\(status.st_mtim.tv_sec).\(status.st_mtim.tv_nsec)"
  }
}
