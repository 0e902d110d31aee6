import Glibc
import SystemPackage
import SystemSupport
import Testing

@testable import Discovery

@Suite("A multicast socket", .enabled(if: NetworkNamespace.isAllowed, "the loopback may be an emulated one"))
struct MulticastSocketTests {
  private let link = Link(interface: if_nametoindex("lo"), family: .ipv4)
  private let localhost = InternetAddress("127.0.0.1")!

  /// The next packet that begins like this; nil when none comes within a minute. Others may speak as well.
  private func receive(_ beginning: [UInt8], from socket: MulticastSocket) throws -> MulticastSocket.Packet? {
    try withUnsafeTemporaryAllocation(byteCount: DNSMessage.longest, alignment: 8) { buffer in
      var request = pollfd(fd: socket.descriptor.rawValue, events: Int16(POLLIN), revents: 0)
      while poll(&request, 1, 60_000) > 0 {
        let packet = try socket.receive(into: buffer)
        if let packet, packet.bytes.starts(with: beginning) { return packet }
      }
      return nil
    }
  }

  private func token() -> [UInt8] { (0..<16).map { _ in .random(in: 0...255) } }

  @Test("reaches all others on the link, from an address that they can answer to, and they reach it")
  func exchange() throws {
    let one = try MulticastSocket.joined(link, from: localhost)
    let other = try MulticastSocket.joined(link, from: localhost)
    let asking = try MulticastSocket.asking(link, from: localhost)
    for sender in [one, asking] {
      let token = token()
      #expect(sender.send(token, to: .group))
      for receiver in [one, other] {
        let packet = try #require(try receive(token, from: receiver))
        #expect(packet.bytes == token)
        #expect(packet.sender == localhost)
        #expect((packet.port == 5353) == (sender === one))
        guard sender === asking else { continue }
        #expect(receiver.send(token + [1], to: .host(packet.sender, port: packet.port)))
        let answer = try #require(try receive(token + [1], from: asking))
        #expect(answer.sender == localhost && answer.port == 5353)
      }
    }
  }

  @Test("drops what is too long for a message")
  func tooLong() throws {
    let socket = try MulticastSocket.joined(link, from: localhost)
    let token = token()
    socket.send(token + [UInt8](repeating: 0, count: DNSMessage.longest), to: .group)
    socket.send(token, to: .group)
    #expect(try receive(token, from: socket)?.bytes == token)
  }
}
