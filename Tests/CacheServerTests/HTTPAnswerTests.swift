import FrontEnds
import NIOCore
import Testing

@testable import CacheServer

@Suite("Answers over HTTP")
struct HTTPAnswerTests {
  private func text(_ reply: HTTPReply, isKeptAlive: Bool = true, isBodyless: Bool = false) -> String {
    String(
      buffer: HTTPAnswer.bytes(
        of: reply, isKeptAlive: isKeptAlive, isBodyless: isBodyless, allocator: ByteBufferAllocator()))
  }

  @Test("that are constants say what they would say otherwise")
  func constants() {
    for reply in [HTTPReply.ok, .notFound, .conflict, .refused] {
      #expect(text(reply) == reply.text(isKeptAlive: true))
      #expect(text(reply, isKeptAlive: false) == reply.text(isKeptAlive: false))
      #expect(text(reply, isBodyless: true) == reply.text(isKeptAlive: true, isBodyless: true))
    }
    #expect(text(.ok, isKeptAlive: false) == "HTTP/1.1 200 OK\r\nContent-Length: 0\r\nConnection: close\r\n\r\n")
  }

  @Test("to HEAD have no body, and say how long it would be")
  func head() {
    let refused = text(.refused, isBodyless: true)
    #expect(refused.hasSuffix("\r\n\r\n") && !refused.contains("Content-Length: 0"))
  }

  @Test("with a body say what the tool wants to know of it")
  func body() {
    func head(_ dialect: any HTTPDialect.Type, isKeptAlive: Bool) -> String {
      let facts = HTTPBodyFacts(size: 300_000, duration: 12, note: Array("tag".utf8))
      return String(
        buffer: HTTPAnswer.head(of: facts, in: dialect, isKeptAlive: isKeptAlive, allocator: ByteBufferAllocator()))
    }
    let start = "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: 300000\r\n"
    #expect(head(GradleProtocol.self, isKeptAlive: true) == start + "\r\n")
    #expect(head(GradleProtocol.self, isKeptAlive: false) == start + "Connection: close\r\n\r\n")
    #expect(
      head(TurborepoProtocol.self, isKeptAlive: true)
        == start + "x-artifact-duration: 12\r\nx-artifact-tag: tag\r\n\r\n")
  }
}
