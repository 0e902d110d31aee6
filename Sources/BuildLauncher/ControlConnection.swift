package import ControlProtocol
import Glibc
package import SystemPackage
import SystemSupport

/// A connection to a server's control socket. Closed by its owner.
package struct ControlConnection: ~Copyable {
  package let descriptor: FileDescriptor
  private var received: [UInt8] = []

  package init(descriptor: FileDescriptor) {
    self.descriptor = descriptor
  }

  package func send(_ message: ControlMessage) {
    // A few hundred bytes fit into the socket's buffer at once; if not, the server hangs, and `receive` finds out.
    let bytes = message.encoded
    _ = bytes.withUnsafeBytes {
      Glibc.send(descriptor.rawValue, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL) | CInt(MSG_DONTWAIT))
    }
  }

  /// The next message; nil when it does not come in time, or the connection has ended.
  package mutating func receive(within timeout: Duration) -> ControlMessage? {
    let deadline = ContinuousClock.now + timeout
    while true {
      if let end = received.firstIndex(of: UInt8(ascii: "\n")) {
        defer { received.removeSubrange(...end) }
        return ControlMessage(line: received[..<end])
      }
      guard received.count <= ControlMessage.maximumLength, waitForInput(until: deadline) else { return nil }
      var buffer = [UInt8](repeating: 0, count: 4096)
      let count = recv(descriptor.rawValue, &buffer, buffer.count, CInt(MSG_DONTWAIT))
      guard count > 0 else { return nil }
      received += buffer[..<count]
    }
  }

  /// Has the kernel raise SIGIO for this process, which must have blocked it, when there is something new, the connection's
  /// end above all.
  package func notify() {
    _ = fcntl(descriptor.rawValue, F_SETOWN, getpid())
    _ = fcntl(descriptor.rawValue, F_SETFL, fcntl(descriptor.rawValue, F_GETFL) | O_ASYNC)
  }

  /// Whether the server has closed the connection.
  package func isClosed() -> Bool {
    var byte: UInt8 = 0
    let count = recv(descriptor.rawValue, &byte, 1, CInt(MSG_PEEK) | CInt(MSG_DONTWAIT))
    return count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)
  }

  /// Waits for the server to close the connection, from which nothing more is expected; false when it has not in time.
  package func waitForEnd(within timeout: Duration) -> Bool {
    waitForInput(until: ContinuousClock.now + timeout)
  }

  private func waitForInput(until deadline: ContinuousClock.Instant) -> Bool {
    while true {
      var request = pollfd(fd: descriptor.rawValue, events: Int16(POLLIN), revents: 0)
      let left = max(.zero, deadline - .now)
      let ready = poll(&request, 1, CInt(clamping: left.inMilliseconds))
      if ready < 0, errno == EINTR { continue }
      return ready > 0
    }
  }
}
