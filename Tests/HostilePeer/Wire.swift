import Glibc
import SystemSupport

/// A TCP connection, used by one thread at a time, which blocks. Its end is the connection's.
final class Wire: @unchecked Sendable {
  enum Received {
    case bytes([UInt8])
    case closed
    /// Nothing came within the patience.
    case silence
  }

  private let descriptor: CInt

  /// Seconds without a byte.
  private static let patience = 60

  init(descriptor: CInt) {
    self.descriptor = descriptor
    var time = timeval(tv_sec: Self.patience, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
    var isOn: CInt = 1
    setsockopt(descriptor, CInt(IPPROTO_TCP), TCP_NODELAY, &isOn, socklen_t(MemoryLayout<CInt>.size))
  }

  /// Connects; nil when nobody is there.
  convenience init?(to target: Target) {
    let descriptor = socket(
      target.address.family == .ipv6 ? AF_INET6 : AF_INET, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    self.init(descriptor: descriptor)
    let result = target.address.withSocketAddress(port: target.port) { connect(descriptor, $0, $1) }
    guard result == 0 else { return nil }
  }

  deinit { close(descriptor) }

  /// False when the other side takes nothing, or has closed.
  @discardableResult
  func send(_ bytes: UnsafeRawBufferPointer) -> Bool {
    var rest = bytes
    while !rest.isEmpty {
      let count = Glibc.send(descriptor, rest.baseAddress, rest.count, CInt(MSG_NOSIGNAL))
      guard count > 0 else { return false }
      rest = UnsafeRawBufferPointer(rebasing: rest[count...])
    }
    return true
  }

  @discardableResult
  func send(_ bytes: [UInt8]) -> Bool { bytes.withUnsafeBytes { send($0) } }

  func receive() -> Received {
    var buffer = [UInt8](repeating: 0, count: 1 << 16)
    let count = recv(descriptor, &buffer, buffer.count, 0)
    if count > 0 { return .bytes(Array(buffer[..<count])) }
    return count < 0 && (errno == EAGAIN || errno == EINTR) ? .silence : .closed
  }

  /// Reads until the other side closes; false when it does not.
  @discardableResult
  func waitForEnd() -> Bool {
    while true {
      switch receive() {
      case .bytes: continue
      case .closed: return true
      case .silence: return false
      }
    }
  }

  /// How long ``send(_:)`` waits for the other side to take something.
  func setSendPatience(seconds: Int) {
    var time = timeval(tv_sec: seconds, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
  }

  /// Has the kernel keep no more than so many bytes that have not been read, and the same again for itself. Else it takes
  /// up to 32 MiB, and to whom it sends looks as if somebody read.
  func setReceiveBuffer(bytes: CInt) {
    var size = bytes
    setsockopt(descriptor, SOL_SOCKET, SO_RCVBUF, &size, socklen_t(MemoryLayout<CInt>.size))
  }

  /// From now on the end is a reset.
  func resetAtEnd() {
    var linger = linger(l_onoff: 1, l_linger: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_LINGER, &linger, socklen_t(MemoryLayout.size(ofValue: linger)))
  }
}

/// Where a server listens.
struct Target: Sendable {
  let address: InternetAddress
  let port: UInt16

  /// Reads `10.0.0.2:4711` and `[fe80::1%eth0]:4711`.
  init?(_ text: String) {
    guard let colon = text.lastIndex(of: ":"), let port = UInt16(text[text.index(after: colon)...]) else { return nil }
    let host = text[..<colon].filter { $0 != "[" && $0 != "]" }
    guard let address = InternetAddress(host) else { return nil }
    self.address = address
    self.port = port
  }
}

/// Accepts connections on a port of all addresses, each on a thread of its own.
struct Door {
  private let descriptor: CInt
  let port: UInt16

  /// - Parameter port: 0: any that is free.
  init?(port: UInt16) {
    descriptor = socket(AF_INET6, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    var isOn: CInt = 1
    var isOff: CInt = 0
    setsockopt(descriptor, SOL_SOCKET, SO_REUSEADDR, &isOn, socklen_t(MemoryLayout<CInt>.size))
    setsockopt(descriptor, CInt(IPPROTO_IPV6), IPV6_V6ONLY, &isOff, socklen_t(MemoryLayout<CInt>.size))
    var address = sockaddr_in6()
    address.sin6_family = sa_family_t(AF_INET6)
    address.sin6_port = port.bigEndian
    var length = socklen_t(MemoryLayout<sockaddr_in6>.size)
    let descriptor = descriptor
    let isBound = withUnsafeMutablePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        bind(descriptor, $0, length) == 0 && listen(descriptor, 1024) == 0 && getsockname(descriptor, $0, &length) == 0
      }
    }
    guard isBound else { return nil }
    self.port = UInt16(bigEndian: address.sin6_port)
  }

  /// Never returns.
  func open(_ visit: @escaping @Sendable (Wire) -> Void) -> Never {
    while true {
      let visitor = accept(descriptor, nil, nil)
      guard visitor >= 0 else { continue }
      let wire = Wire(descriptor: visitor)
      detach { visit(wire) }
    }
  }
}

/// Runs something on a thread of its own.
func detach(_ body: @escaping @Sendable () -> Void) {
  final class Work {
    let body: @Sendable () -> Void
    init(_ body: @escaping @Sendable () -> Void) { self.body = body }
  }
  var thread = pthread_t()
  pthread_create(
    &thread, nil,
    { work in
      Unmanaged<Work>.fromOpaque(work!).takeRetainedValue().body()
      return nil
    }, Unmanaged.passRetained(Work(body)).toOpaque())
  pthread_detach(thread)
}
