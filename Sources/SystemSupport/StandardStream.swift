import Glibc

/// Standard output and standard error, written to at once.
package enum StandardStream: Int32, Sendable {
  case output = 1
  case error = 2

  /// Writes a line. One system call where the reader allows it, so that lines of several processes do not mix; a reader
  /// that is gone is not an error of ours.
  package func write(line: String) {
    var rest = Array((line + "\n").utf8)[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.write(rawValue, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return }
      rest = rest.dropFirst(count)
    }
  }
}
