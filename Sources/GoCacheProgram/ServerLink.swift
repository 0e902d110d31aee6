import FrontEnds
import Glibc
import SystemPackage
import SystemSupport

/// The connection to the server. Never waits, except in `poll`.
final class ServerLink {
  let descriptor: CInt
  /// The server's directory for bodies; nil until it has said hello.
  private(set) var directory: FilePath?
  private var parser = LinkMessageParser<GoCacheLink.Reply>()
  private var incoming: [UInt8] = []
  private var outgoing: [UInt8] = []
  /// When the server was last heard, or had nothing to say; milliseconds of the monotonic clock.
  private var heard: Int64
  private var asked: Int64?

  /// A server that was just started is there after a few milliseconds, unless the machine is very busy.
  private static let startPatience: Int64 = 20_000
  /// A server that has not said anything for so long while it had something to answer is asked whether it lives,
  private static let silence: Int64 = 5_000
  /// and is given up when it does not say so in this time. It answers in less than one millisecond.
  private static let patience: Int64 = 10_000
  /// More is not taken from Go until the server has read it.
  private static let mostOutgoing = 1 << 18

  /// nil when nobody listens.
  init?(socket: FilePath, lease: String, now: Int64) {
    guard let connection = try? Sockets.connect(unix: socket) else { return nil }
    descriptor = connection.rawValue
    _ = fcntl(descriptor, F_SETFL, O_NONBLOCK)
    heard = now
    send(.hello(lease: lease))
  }

  deinit { close(descriptor) }

  var isReady: Bool { directory != nil }
  var isFull: Bool { outgoing.count > Self.mostOutgoing }
  var hasOutgoing: Bool { !outgoing.isEmpty }

  func send(_ request: GoCacheLink.Request) { outgoing += request.encoded }

  /// Everything that is not sent yet, as far as the server takes it; false when the connection is lost.
  func flush() -> Bool {
    while !outgoing.isEmpty {
      let count = outgoing.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL)) }
      if count < 0, errno == EINTR { continue }
      if count < 0, errno == EAGAIN { return true }
      guard count > 0 else { return false }
      outgoing.removeFirst(count)
    }
    return true
  }

  /// What has arrived; nil when the connection is lost, or cannot be understood.
  func receive(into buffer: UnsafeMutableRawBufferPointer, now: Int64) -> [GoCacheLink.Reply]? {
    let count = recv(descriptor, buffer.baseAddress, buffer.count, CInt(MSG_DONTWAIT))
    if count < 0, errno == EINTR || errno == EAGAIN { return [] }
    guard count > 0 else { return nil }
    heard = now
    asked = nil
    incoming += UnsafeRawBufferPointer(rebasing: buffer[..<count])
    var replies: [GoCacheLink.Reply] = []
    var start = 0
    while let (consumed, event) = incoming.withUnsafeBytes({ bytes in
      parser.next(UnsafeRawBufferPointer(rebasing: bytes[start...]))
    }) {
      start += consumed
      guard case .message(let reply) = event else { return nil }
      if case .ready(let directory) = reply {
        self.directory = FilePath(bytes: directory)
      } else {
        replies.append(reply)
      }
    }
    incoming.removeFirst(start)
    return replies
  }

  /// Looks whether the server lives; false when it has to be given up.
  ///
  /// - Parameter isExpected: whether it has something to answer.
  func isAlive(isExpected: Bool, now: Int64) -> Bool {
    guard isReady else { return now - heard < Self.startPatience }
    guard isExpected else {
      heard = now
      return true
    }
    if let asked { return now - asked < Self.patience }
    if now - heard >= Self.silence {
      asked = now
      send(.ping)
    }
    return true
  }
}
