import CacheStore
import ChannelSupport
import ControlProtocol
import FrontEnds
import Glibc
import LayeredCache
import NIOCore
import NIOEmbedded
import NIOHTTP1
import NIOPosix
import TestSupport
import Testing

@testable import CacheServer

@Suite("A connection over HTTP")
struct HTTPHandlerTests {
  private static let endpoint = HTTPEndpoint(port: 80, token: "token")
  private let name = String(repeating: "ab", count: 16)
  private var key: CacheKey { CacheKey(namespace: "gradle", bytes: [UInt8](repeating: 0xab, count: 16))! }

  private func handlers(_ server: TestServer) -> (gate: ReadGate, handler: HTTPHandler) {
    let gate = ReadGate()
    return (gate, HTTPHandler(server: server.context, guardian: LoopbackGuard(endpoint: Self.endpoint), gate: gate))
  }

  private func open(_ server: TestServer) throws -> EmbeddedChannel {
    let (gate, handler) = handlers(server)
    return try .connected(gate, handler)
  }

  private func head(_ method: HTTPMethod, closing: Bool = false) -> HTTPServerRequestPart {
    var headers: HTTPHeaders = ["Host": "127.0.0.1:80", "Authorization": "Bearer token"]
    if closing { headers.add(name: "Connection", value: "close") }
    return .head(HTTPRequestHead(version: .http1_1, method: method, uri: "/gradle/\(name)", headers: headers))
  }

  private func send(_ channel: EmbeddedChannel, _ parts: HTTPServerRequestPart...) throws {
    for part in parts { try channel.writeInbound(part) }
  }

  private func text(_ channel: EmbeddedChannel) throws -> String {
    String(decoding: try channel.output(), as: UTF8.self)
  }

  @Test("stores what is put, and gives it back")
  func roundTrip() throws {
    try withServer { server in
      let channel = try open(server)
      try send(channel, head(.PUT), .body(ByteBuffer(string: "ab")), .body(ByteBuffer(string: "c")), .end(nil))
      #expect(try text(channel) == "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
      #expect(server.store.body(key) == Array("abc".utf8) && server.context.transfers.current == 0)
      try send(channel, head(.GET), .end(nil))
      let answer = try text(channel)
      #expect(answer.hasPrefix("HTTP/1.1 200 OK\r\n") && answer.hasSuffix("Content-Length: 3\r\n\r\nabc"))
      try send(channel, head(.HEAD), .end(nil))
      #expect(try text(channel).hasSuffix("Content-Length: 3\r\n\r\n"))
    }
  }

  @Test("answers in order what is asked while an answer is awaited")
  func pipelined() throws {
    try withServer { server in
      let channel = try open(server)
      let layer = SlowLayer(loop: channel.eventLoop)
      server.context.cache.add(layer)
      try send(channel, head(.GET), .end(nil), head(.PUT), .body(ByteBuffer(string: "abc")), .end(nil))
      #expect(try text(channel).isEmpty && server.store.body(key) == nil)
      layer.say()
      channel.embeddedEventLoop.run()
      let answers = try text(channel)
      #expect(answers.hasPrefix("HTTP/1.1 404 ") && answers.hasSuffix("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"))
      #expect(server.store.body(key) == Array("abc".utf8))
    }
  }

  @Test("that ends while an answer is awaited begins nothing more")
  func endsBehindAnswer() throws {
    try withServer { server in
      let channel = try open(server)
      let layer = SlowLayer(loop: channel.eventLoop)
      server.context.cache.add(layer)
      try send(channel, head(.GET), .end(nil), head(.PUT), .body(ByteBuffer(string: "abc")))
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
      try send(channel, head(.PUT), .body(ByteBuffer(string: "abc")))
      #expect(server.context.transfers.current == 1)
      _ = try channel.finish(acceptAlreadyClosed: true)
      #expect(server.context.transfers.current == 0 && server.store.body(key) == nil)
    }
  }

  @Test("that is to be closed answers nothing more")
  func nothingBehindLast() throws {
    try withServer { server in
      let channel = try open(server)
      try send(channel, head(.GET, closing: true), .end(nil))
      #expect(try text(channel).contains("Connection: close\r\n") && !channel.isActive)
    }
  }

  @Test("that is to be closed gives the whole answer first, however slowly it is taken")
  func slowReader() async throws {
    try await withTemporaryDirectory { directory in
      let server = try TestServer(directory)
      let body = [UInt8](repeating: 7, count: 60_000)
      server.store.put(key, body)
      var ends: [CInt] = [-1, -1]
      try #require(socketpair(AF_UNIX, CInt(SOCK_STREAM.rawValue), 0, &ends) == 0)
      var least: CInt = 4096
      setsockopt(ends[0], SOL_SOCKET, SO_SNDBUF, &least, socklen_t(MemoryLayout<CInt>.size))
      let client = ends[1]
      defer { close(client) }
      let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
        .channelInitializer { channel in
          channel.eventLoop.makeCompletedFuture {
            let (gate, handler) = handlers(server)
            try channel.pipeline.syncOperations.addHandlers([
              gate, ByteToMessageHandler(HTTPRequestDecoder()), handler,
            ])
          }
        }.withConnectedSocket(ends[0]).get()
      let request =
        "GET /gradle/\(name) HTTP/1.1\r\nHost: 127.0.0.1:80\r\nAuthorization: Bearer token\r\nConnection: close\r\n\r\n"
      #expect(write(client, request, request.utf8.count) == request.utf8.count)
      let answer = try await NIOThreadPool.singleton.runIfActive {
        var answer: [UInt8] = []
        var piece = [UInt8](repeating: 0, count: 4096)
        while case let count = read(client, &piece, piece.count), count > 0 { answer += piece[..<count] }
        return answer
      }
      #expect(answer.count > body.count && Array(answer.suffix(body.count)) == body)
      try await channel.closeFuture.get()
    }
  }
}
