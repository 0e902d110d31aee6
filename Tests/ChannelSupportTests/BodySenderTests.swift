import CacheStore
import ChannelSupport
import Glibc
import NIOCore
import NIOEmbedded
import SystemSupport
import TestSupport
import Testing

@Suite("A body that is sent")
struct BodySenderTests {
  private let key = CacheKey(test: 1)
  private let body = (0..<700_000).map { UInt8(truncatingIfNeeded: $0 &* 31) }

  /// The entry of a store that has just been opened: nothing in it has been checked yet.
  private func withEntry(_ change: (OpenBlob) throws -> Void = { _ in }, _ use: (OpenEntry) throws -> Void) throws {
    try withTemporaryDirectory { directory in
      try CacheStore(directory: directory).put(key, body)
      let entry = try #require(try CacheStore(directory: directory).lookup(key))
      try change(try #require(entry.blob))
      try use(entry)
    }
  }

  private func send(
    _ entry: OpenEntry, delay: @escaping @Sendable (Int) -> TimeAmount = { _ in .zero }
  ) throws -> (isWhole: Bool?, bytes: [UInt8], channel: EmbeddedChannel) {
    let channel = EmbeddedChannel()
    try channel.connect(to: SocketAddress(unixDomainSocketPath: "/client")).wait()
    var isWhole: Bool?
    let sender = BodySender(entry: entry, blob: try #require(entry.blob), channel: channel, delay: delay)
    sender.start().assumeIsolated().whenSuccess { isWhole = $0 }
    channel.embeddedEventLoop.advanceTime(by: .seconds(10))
    var bytes: [UInt8] = []
    while let piece = try channel.readOutbound(as: ByteBuffer.self) { bytes += piece.readableBytesView }
    return (isWhole, bytes, channel)
  }

  @Test("arrives whole, and is known to be sound from then on")
  func whole() throws {
    try withEntry { entry in
      #expect(!entry.isVerified)
      let (isWhole, bytes, channel) = try send(entry)
      #expect(isWhole == true && bytes == body && channel.isActive && entry.isVerified)
    }
  }

  @Test("takes the time that it is given")
  func delayed() throws {
    try withEntry { entry in
      let (isWhole, bytes, _) = try send(entry) { .milliseconds(Int64($0 / 1000)) }
      #expect(isWhole == true && bytes == body)
      let (isOver, nothing, channel) = try send(entry) { _ in .seconds(20) }
      #expect(isOver == nil && nothing.isEmpty)
      channel.embeddedEventLoop.advanceTime(by: .seconds(100))
    }
  }

  @Test("never arrives whole when it is damaged: the last piece is held back")
  func damaged() throws {
    // Of the first piece, which is sent before the damage is noticed; and of the last.
    for place in [0, 699_999] {
      try withEntry { blob in
        let path = "/proc/self/fd/\(blob.descriptor)"
        let file = open(path, O_WRONLY)
        try #require(file >= 0)
        defer { close(file) }
        var byte = ~body[place]
        #expect(pwrite(file, &byte, 1, off_t(place)) == 1)
      } _: { entry in
        let (isWhole, bytes, channel) = try send(entry)
        #expect(isWhole == false && bytes.count < body.count && !channel.isActive)
        var buffer = ByteBuffer()
        let isWritten = buffer.write(bodyOf: entry)
        #expect(!isWritten && buffer.readableBytes == 0)
      }
    }
  }

  @Test("that is small is written in one go, wherever it lies")
  func small() throws {
    try withTemporaryDirectory { directory in
      let store = try CacheStore(directory: directory)
      for size in [0, 10, 100_000] {
        store.put(key, Array(body[..<size]))
        let entry = try #require(store.lookup(key))
        var buffer = ByteBuffer(bytes: [9])
        let isWhole = buffer.write(bodyOf: entry)
        #expect(isWhole)
        #expect(Array(buffer.readableBytesView) == [9] + body[..<size])
      }
    }
  }
}
