import SystemSupport
import TestSupport
import Testing

/// The storage helper front end, with requests that ccache would not send.
@Suite(.timeLimit(.minutes(5)))
struct CRSHFrontEndTests {
  private let key: [UInt8] = [20] + (1...20)

  private func connect(_ server: RunningServer) throws -> Connection {
    let connection = try Connection(path: server.crshSocket)
    #expect(try connection.receive(5) == [1, 3, 0, 1, 2])
    return connection
  }

  private func put(_ value: [UInt8]) -> [UInt8] {
    [1] + key + [1] + withUnsafeBytes(of: UInt64(value.count), Array.init) + value
  }

  private func head(of value: [UInt8]) -> [UInt8] {
    [0] + withUnsafeBytes(of: UInt64(value.count), Array.init)
  }

  @Test func `a whole conversation, byte by byte`() throws {
    let server = try RunningServer()
    let connection = try connect(server)
    let value = Array("value".utf8)
    for byte in [0] + key { try connection.send([byte]) }
    #expect(try connection.receive(1) == [1])
    for byte in put(value) { try connection.send([byte]) }
    #expect(try connection.receive(1) == [0])
    try connection.send([5] + key)
    #expect(try connection.receive(2) == [0, 1])
    try connection.send([0] + key)
    #expect(try connection.receive(9 + 5) == head(of: value) + value)
    try connection.send([2] + key)
    #expect(try connection.receive(1) == [0])
    try connection.send([2] + key + [5] + key)
    #expect(try connection.receive(3) == [1, 0, 0])
    try connection.send([4])
    let length = Int(try connection.receive(1)[0])
    #expect(String(decoding: try connection.receive(length), as: UTF8.self).hasPrefix("fabrik "))
  }

  @Test func `to stop one helper ends the connection and not the server`() throws {
    let server = try RunningServer()
    let connection = try connect(server)
    try connection.send([3])
    #expect(try connection.receiveAll() == [0])
    _ = try connect(server)
  }

  @Test(arguments: [0, 1, 4096, 131_073, 30_000_000])
  func `values of all sizes come back, also in requests sent at once`(size: Int) throws {
    let server = try RunningServer()
    let connection = try connect(server)
    let value = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 7 >> 2) }
    try connection.send(put(value) + [0] + key + [0] + key + [5] + key)
    #expect(try connection.receive(1) == [0])
    for _ in 0..<2 { #expect(try connection.receive(9 + size) == head(of: value) + value) }
    #expect(try connection.receive(2) == [0, 1])
  }

  @Test(arguments: [[6], [0xff, 1, 2, 3], [7, 0]] as [[UInt8]])
  func `an unknown request ends the connection`(bytes: [UInt8]) throws {
    let server = try RunningServer()
    let connection = try connect(server)
    try connection.send(bytes)
    #expect(try connection.receiveAll() == [])
  }

  @Test func `a value that breaks off is not stored`() throws {
    let server = try RunningServer()
    do {
      let connection = try connect(server)
      try connection.send(put([UInt8](repeating: 3, count: 100_000)).dropLast())
    }
    let connection = try connect(server)
    try connection.send([0] + key)
    #expect(try connection.receive(1) == [1])
    #expect(try server.sandbox.entries == 0)
  }

  @Test func `a value larger than the whole cache is taken in and not stored`() throws {
    let sandbox = try Sandbox()
    sandbox.environment["FABRIK_MAX_SIZE"] = "1MB"
    let connection = try connect(try RunningServer(sandbox))
    try connection.send(put([UInt8](repeating: 3, count: 3_000_000)) + [0] + key)
    #expect(try connection.receive(2) == [1, 1])
  }

  @Test func `a cache that outgrows its limit is brought back below it`() throws {
    let sandbox = try Sandbox()
    sandbox.environment["FABRIK_MAX_SIZE"] = "2MB"
    let connection = try connect(try RunningServer(sandbox))
    for number: UInt8 in 0..<60 {
      let value = [UInt8](repeating: number, count: 100_000)
      try connection.send([1, 1, number, 1] + head(of: value).dropFirst() + value)
      #expect(try connection.receive(1) == [0])
    }
    try eventually("the store is within its limit") {
      let size = try sandbox.run("du -sb --apparent-size $HOME/.cache/fabrik/v1/blobs | cut -f1").output.dropLast()
      return try #require(Int(size)) < 2_300_000
    }
    #expect(!(try sandbox.run("fabrik cache stats --json").output.contains("\"evicted\":0,")))
  }

  @Test func `what another process removes or replaces is not answered from memory`() throws {
    let server = try RunningServer()
    let connection = try connect(server)
    for value in [Array("one".utf8), Array("three".utf8)] {
      try connection.send(put(value) + [0] + key + [0] + key)
      #expect(try connection.receive(1) == [0])
      for _ in 0..<2 { #expect(try connection.receive(9 + value.count) == head(of: value) + value) }
    }
    try server.sandbox.run("fabrik cache clear")
    try connection.send([0] + key)
    #expect(try connection.receive(1) == [1])
  }
}
