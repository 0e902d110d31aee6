import CacheStore
import ChannelSupport
import FrontEnds
import LayeredCache
import NIOCore
import NIOEmbedded
import TestSupport
import Testing

@testable import CacheServer

@Suite("A connection of ccache's storage helper")
struct CRSHHandlerTests {
  private let name = [UInt8](repeating: 0xcd, count: 20)
  private var key: CacheKey { CCacheProtocol.key(name)! }
  private var get: [UInt8] { [0x00, 20] + name }

  private func put(_ body: [UInt8]) -> [UInt8] {
    [0x01, 20] + name + [1] + withUnsafeBytes(of: UInt64(body.count), Array.init) + body
  }

  private func open(_ server: TestServer) throws -> EmbeddedChannel {
    let gate = ReadGate()
    let channel = try EmbeddedChannel.connected(gate, CRSHHandler(server: server.context, gate: gate))
    #expect(try channel.output() == CRSHParser.greeting)
    return channel
  }

  @Test("stores what is put, and gives it back")
  func roundTrip() throws {
    try withServer { server in
      let channel = try open(server)
      for byte in put([1, 2, 3]) { try channel.writeInbound(ByteBuffer(bytes: [byte])) }
      #expect(try channel.output() == CRSHResponse.ok)
      #expect(server.store.body(key) == [1, 2, 3] && server.context.transfers.current == 0)
      try channel.writeInbound(ByteBuffer(bytes: get + get))
      let hit = CRSHResponse.valueHead(size: 3) + [1, 2, 3]
      #expect(try channel.output() == hit + hit)
    }
  }

  @Test("answers in order what is asked while an answer is awaited")
  func pipelined() throws {
    try withServer { server in
      let channel = try open(server)
      let layer = SlowLayer(loop: channel.eventLoop)
      server.context.cache.add(layer)
      try channel.writeInbound(ByteBuffer(bytes: get + put([1])))
      #expect(try channel.output().isEmpty && server.store.body(key) == nil)
      layer.say()
      channel.embeddedEventLoop.run()
      #expect(try channel.output() == CRSHResponse.nothing + CRSHResponse.ok)
      #expect(server.store.body(key) == [1])
    }
  }

  @Test("that ends while an answer is awaited begins nothing more")
  func endsBehindAnswer() throws {
    try withServer { server in
      let channel = try open(server)
      let layer = SlowLayer(loop: channel.eventLoop)
      server.context.cache.add(layer)
      try channel.writeInbound(ByteBuffer(bytes: get + put([1, 2, 3]).dropLast()))
      _ = try channel.finish(acceptAlreadyClosed: true)
      layer.say()
      channel.embeddedEventLoop.run()
      #expect(server.context.transfers.current == 0, "a server with transfers under way does not end")
    }
  }

  @Test("that ends within a put leaves nothing behind")
  func endsWithinPut() throws {
    try withServer { server in
      let channel = try open(server)
      try channel.writeInbound(ByteBuffer(bytes: put([1, 2, 3]).dropLast()))
      #expect(server.context.transfers.current == 1)
      _ = try channel.finish(acceptAlreadyClosed: true)
      #expect(server.context.transfers.current == 0 && server.store.body(key) == nil)
    }
  }

  @Test("is told that the server stops, which goes on")
  func stop() throws {
    try withServer { server in
      let channel = try open(server)
      try channel.writeInbound(ByteBuffer(bytes: [0x03] + put([1])))
      #expect(try channel.output() == CRSHResponse.ok && !channel.isActive)
      #expect(server.context.transfers.current == 0)
    }
  }
}
