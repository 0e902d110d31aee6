import NIOCore
import NIOEmbedded
import TestSupport
import Testing

@testable import PeerNetwork

@Suite("An encrypted channel")
struct SecureChannelTests {
  @Test("stands between two who have the same key, and carries what is written")
  func sameKey() throws {
    let pair = try SecurePair()
    try pair.exchange()
    #expect(pair.client.isEstablished && pair.server.isEstablished)
    pair.client.send("question".utf8)
    pair.server.send("answer".utf8)
    try pair.exchange()
    #expect(pair.server.recorder.received == Array("question".utf8))
    #expect(pair.client.recorder.received == Array("answer".utf8))
    #expect(pair.client.channel.isActive && pair.server.channel.isActive)
  }

  @Test("does not stand between two who have different keys, and nothing is delivered", arguments: [0, 31])
  func otherKey(byte: Int) throws {
    var other = [UInt8](repeating: 1, count: 32)
    other[byte] ^= 1
    let pair = try SecurePair(serverKey: other)
    pair.client.send("early".utf8)
    try pair.exchange()
    for end in [pair.client, pair.server] {
      #expect(!end.isEstablished && end.recorder.received.isEmpty)
      #expect(!end.channel.isActive && end.recorder.isInactive)
    }
  }

  @Test("carries nothing before it stands")
  func early() throws {
    let pair = try SecurePair()
    let written = pair.server.channel.writeAndFlush(ByteBuffer(string: "early"))
    #expect(throws: ChannelError.self) { try written.wait() }
    try pair.exchange()
    #expect(pair.client.isEstablished && pair.client.recorder.received.isEmpty)
  }

  @Test("stands however its bytes are cut, and carries them unchanged")
  func cuts() throws {
    var generator = SeededGenerator(seed: 1)
    for round in 0..<12 {
      let pair = try SecurePair()
      func cut(_ bytes: [UInt8]) -> [ArraySlice<UInt8>] {
        round == 0 ? bytes.indices.map { bytes[$0...$0] } : generator.pieces(of: bytes, upTo: 3000)
      }
      try pair.exchange(cut: cut)
      let (up, down) = (generator.bytes(round * 9000), generator.bytes(100_000))
      for piece in generator.pieces(of: up) { pair.client.send(piece) }
      pair.server.send(down)
      try pair.exchange(cut: cut)
      #expect(pair.server.recorder.received == up)
      #expect(pair.client.recorder.received == down)
    }
  }

  @Test("is said to stand once, with a value both ends know and no other channel has")
  func exporter() throws {
    let pairs = try (0..<2).map { _ in try SecurePair() }
    for pair in pairs {
      try pair.exchange()
      #expect(pair.client.recorder.exporters.count == 1 && pair.client.recorder.exporters[0].count == 32)
      #expect(pair.client.recorder.exporters == pair.server.recorder.exporters)
    }
    #expect(pairs[0].client.recorder.exporters != pairs[1].client.recorder.exporters)
  }

  @Test("shows nothing of what it carries, and never the same twice")
  func secrecy() throws {
    let secret = Array("a text that must not be seen".utf8)
    var seen: Set<[UInt8]> = []
    for _ in 0..<2 {
      let pair = try SecurePair()
      try pair.exchange()
      pair.client.send(secret)
      let sent = try pair.client.takeOutput()
      #expect(sent.count >= secret.count)
      #expect(!sent.indices.contains { sent[$0...].starts(with: secret.prefix(8)) })
      seen.insert(sent)
    }
    #expect(seen.count == 2)
  }

  @Test("is given up when it does not stand in time", arguments: ["client", "server"])
  func handshakePatience(role: String) throws {
    let end = try SecureEnd(#require(ChannelSecurity.Role(rawValue: role)), key: [UInt8](repeating: 1, count: 32))
    end.channel.embeddedEventLoop.advanceTime(by: SecureChannelHandler.handshakePatience - .milliseconds(1))
    #expect(end.channel.isActive)
    end.channel.embeddedEventLoop.advanceTime(by: .milliseconds(1))
    #expect(!end.channel.isActive && end.recorder.isInactive && !end.isEstablished)
  }

  @Test("that stands is not given up")
  func patienceEnds() throws {
    let pair = try SecurePair()
    try pair.exchange()
    for end in [pair.client, pair.server] {
      end.channel.embeddedEventLoop.advanceTime(by: .hours(1))
      #expect(end.channel.isActive)
    }
  }

  @Test("is closed by what is no handshake, and nothing is delivered")
  func garbage() throws {
    var generator = SeededGenerator(seed: 2)
    let texts = [
      Array("GET / HTTP/1.1\r\n\r\n".utf8), generator.bytes(5), generator.bytes(20_000), [0x15, 3, 3, 0, 2, 2, 40],
    ]
    for role in [ChannelSecurity.Role.client, .server] {
      for bytes in texts {
        let end = try SecureEnd(role, key: [UInt8](repeating: 1, count: 32))
        try? end.receive(bytes)
        #expect(!end.isEstablished && end.recorder.received.isEmpty)
        if bytes.count > 5 { #expect(!end.channel.isActive) }
      }
    }
  }

  @Test("is closed when a byte was changed, and nothing from there on is delivered")
  func changed() throws {
    var generator = SeededGenerator(seed: 3)
    for _ in 0..<100 {
      let pair = try SecurePair()
      try pair.exchange()
      pair.client.send("right".utf8)
      try pair.exchange()
      pair.client.send("wrong".utf8)
      var bytes = try pair.client.takeOutput()
      // Not the length: the rest would be waited for.
      let place = Int.random(in: 5..<bytes.count, using: &generator)
      bytes[place] ^= 1 << Int.random(in: 0..<8, using: &generator)
      try pair.server.receive(bytes)
      #expect(pair.server.recorder.received == Array("right".utf8))
      #expect(!pair.server.channel.isActive)
      try pair.exchange()
      #expect(!pair.client.channel.isActive, "the other end is told")
    }
  }

  @Test("is closed when bytes come again or are left out")
  func replayed() throws {
    for isLeftOut in [false, true] {
      let pair = try SecurePair()
      try pair.exchange()
      pair.client.send("one".utf8)
      let first = try pair.client.takeOutput()
      if !isLeftOut { try pair.server.receive(first) }
      pair.client.send("two".utf8)
      try pair.server.receive(isLeftOut ? pair.client.takeOutput() : first)
      #expect(pair.server.recorder.received == (isLeftOut ? [] : Array("one".utf8)))
      #expect(!pair.server.channel.isActive)
    }
  }

  @Test("changed anywhere in its handshake does not stand")
  func changedHandshake() throws {
    var generator = SeededGenerator(seed: 4)
    for round in 0..<150 {
      let pair = try SecurePair()
      var output = try pair.client.takeOutput()
      var (sender, receiver) = (pair.client, pair.server)
      // The first, the second or the third flight.
      for _ in 0..<round % 3 {
        try receiver.receive(output)
        output = try receiver.takeOutput()
        swap(&sender, &receiver)
      }
      output[Int.random(in: 5..<output.count, using: &generator)] ^= 1 << Int.random(in: 0..<8, using: &generator)
      try receiver.receive(output)
      try pair.exchange()
      #expect(!(pair.client.isEstablished && pair.server.isEstablished && pair.client.channel.isActive))
      #expect(!pair.server.isEstablished)
    }
  }

  @Test("that breaks off in the middle of a record delivers what was whole")
  func truncated() throws {
    let pair = try SecurePair()
    try pair.exchange()
    let bytes = [UInt8](repeating: 9, count: 40_000)
    pair.client.send(bytes)
    try pair.server.receive(pair.client.takeOutput().dropLast(10))
    let received = pair.server.recorder.received
    #expect(received.count >= 1 << 14 && received.count < bytes.count && bytes.starts(with: received))
    #expect(pair.server.channel.isActive)
    try pair.server.channel.close().wait()
    #expect(pair.server.recorder.isInactive && pair.server.recorder.received == received)
  }

  @Test("tells the other end when it is closed")
  func closed() throws {
    let pair = try SecurePair()
    try pair.exchange()
    pair.client.send("last words".utf8)
    pair.client.channel.close(promise: nil)
    try pair.exchange()
    #expect(pair.server.recorder.received == Array("last words".utf8))
    #expect(!pair.server.channel.isActive)
  }

  @Test("takes little memory for a large message, beyond the message itself")
  func memory() throws {
    let pair = try SecurePair()
    try pair.exchange()
    let bytes = [UInt8](repeating: 1, count: 4 << 20)
    pair.server.send(bytes)
    #expect(pair.server.connection.pendingCapacity < 1 << 17)
    try pair.exchange(cut: { bytes in stride(from: 0, to: bytes.count, by: 65536).map { bytes[$0...].prefix(65536) } })
    #expect(pair.client.recorder.received == bytes)
  }
}
