import Configuration
import ControlProtocol
import SystemPackage

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What a build asks of the server.
struct LeaseTerms: Sendable {
  /// How long the server is to stay after the build.
  let linger: Duration
  let usesPeers: Bool
}

/// This build's hold on the server: as long as the socket is open, the server stays.
struct LeaseConnection: ~Copyable {
  let descriptor: FileDescriptor
  let id: String
  private var received: [UInt8] = []

  init(descriptor: FileDescriptor, id: String) {
    self.descriptor = descriptor
    self.id = id
  }

  /// Asks for the lease; does not wait for an answer.
  func open(_ terms: LeaseTerms) {
    var fields = ["pid": String(getpid()), "id": id, "linger": String(terms.linger.inMilliseconds)]
    if !terms.usesPeers { fields["peers"] = "0" }
    send(.init(ControlMessage.lease, fields))
  }

  /// Waits for the server's `ready`. False when it does not come in time: the server has not started yet, hangs, or is
  /// gone.
  mutating func isReady(within timeout: Duration) -> Bool {
    receive(within: timeout)?.verb == ControlMessage.ready
  }

  /// Ends the lease and asks what the tools did. nil when the server does not answer in time.
  mutating func finish(within timeout: Duration) -> LeaseStatistics? {
    send(.init(ControlMessage.finish))
    guard let message = receive(within: timeout), message.verb == ControlMessage.statistics else { return nil }
    return LeaseStatistics(fields: message.fields)
  }

  /// Whether the server has closed the connection.
  func isClosed() -> Bool {
    var byte: UInt8 = 0
    let count = recv(descriptor.rawValue, &byte, 1, CInt(MSG_PEEK) | CInt(MSG_DONTWAIT))
    return count == 0 || (count < 0 && errno != EAGAIN && errno != EINTR)
  }

  private func send(_ message: ControlMessage) {
    // A few hundred bytes fit into the socket's buffer at once; if not, the server hangs, and `receive` finds out.
    let bytes = message.encoded
    _ = bytes.withUnsafeBytes {
      Glibc.send(descriptor.rawValue, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL) | CInt(MSG_DONTWAIT))
    }
  }

  private mutating func receive(within timeout: Duration) -> ControlMessage? {
    let deadline = ContinuousClock.now + timeout
    while true {
      if let end = received.firstIndex(of: UInt8(ascii: "\n")) {
        defer { received.removeSubrange(...end) }
        return ControlMessage(line: received[..<end])
      }
      var request = pollfd(fd: descriptor.rawValue, events: Int16(POLLIN), revents: 0)
      let left = max(.zero, deadline - .now)
      let ready = poll(&request, 1, CInt(clamping: left.inMilliseconds))
      if ready < 0, errno == EINTR { continue }
      guard ready > 0 else { return nil }
      var buffer = [UInt8](repeating: 0, count: 4096)
      let count = recv(descriptor.rawValue, &buffer, buffer.count, CInt(MSG_DONTWAIT))
      guard count > 0 else { return nil }
      received += buffer[..<count]
    }
  }
}
