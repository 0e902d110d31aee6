import Foundation
import Glibc
import TestSupport

/// A connection to the server under test, for requests that no real tool would send.
final class Connection {
  private let descriptor: CInt

  /// Connects to a port on 127.0.0.1.
  init(port: UInt16) throws {
    descriptor = socket(AF_INET, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_in()
    address.sin_family = sa_family_t(AF_INET)
    address.sin_port = port.bigEndian
    address.sin_addr.s_addr = UInt32(0x7f00_0001).bigEndian
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
      }
    }
    guard result == 0 else { throw Unexpected("connect: \(String(cString: strerror(errno)))") }
    setTimeout()
  }

  /// Connects to a Unix socket.
  init(path: String) throws {
    descriptor = socket(AF_UNIX, CInt(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
    var address = sockaddr_un()
    address.sun_family = sa_family_t(AF_UNIX)
    withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
    let result = withUnsafePointer(to: &address) {
      $0.withMemoryRebound(to: sockaddr.self, capacity: 1) {
        connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
      }
    }
    guard result == 0 else { throw Unexpected("connect: \(String(cString: strerror(errno)))") }
    setTimeout()
  }

  deinit { close(descriptor) }

  /// An answer that does not come is a failure, not a hang.
  private func setTimeout(_ seconds: Int = 60) {
    var time = timeval(tv_sec: seconds, tv_usec: 0)
    setsockopt(descriptor, SOL_SOCKET, SO_RCVTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
    setsockopt(descriptor, SOL_SOCKET, SO_SNDTIMEO, &time, socklen_t(MemoryLayout<timeval>.size))
  }

  func send(_ bytes: some Sequence<UInt8>) throws {
    var rest = Array(bytes)[...]
    while !rest.isEmpty {
      let count = rest.withUnsafeBytes { Glibc.send(descriptor, $0.baseAddress, $0.count, CInt(MSG_NOSIGNAL)) }
      guard count > 0 else { throw Unexpected("send: \(String(cString: strerror(errno)))") }
      rest = rest.dropFirst(count)
    }
  }

  func send(_ text: String) throws { try send(text.utf8) }

  /// Fails when the other side takes nothing for so many seconds.
  func send(_ text: String, patience: Int) throws {
    setTimeout(patience)
    try send(text.utf8)
  }

  /// The next `count` bytes.
  func receive(_ count: Int) throws -> [UInt8] {
    var bytes: [UInt8] = []
    while bytes.count < count {
      guard let piece = try receiveSome(atMost: count - bytes.count) else {
        throw Unexpected("the connection ended after \(bytes.count) of \(count) bytes")
      }
      bytes += piece
    }
    return bytes
  }

  /// What comes before the connection ends.
  func receiveAll() throws -> [UInt8] {
    var bytes: [UInt8] = []
    while let piece = try receiveSome(atMost: 1 << 20) { bytes += piece }
    return bytes
  }

  /// An HTTP answer's head, with its empty line.
  func receiveHead() throws -> String {
    var bytes: [UInt8] = []
    while !bytes.suffix(4).elementsEqual("\r\n\r\n".utf8) { bytes += try receive(1) }
    return String(decoding: bytes, as: UTF8.self)
  }

  private func receiveSome(atMost count: Int) throws -> [UInt8]? {
    var buffer = [UInt8](repeating: 0, count: count)
    let received = recv(descriptor, &buffer, count, 0)
    if received == 0 || (received < 0 && errno == ECONNRESET) { return nil }
    guard received > 0 else { throw Unexpected("receive: \(String(cString: strerror(errno)))") }
    return Array(buffer[..<received])
  }
}
