import TestSupport
import Testing

/// The HTTP front end, with requests that are wrong, hostile or unusual.
@Suite(.timeLimit(.minutes(5)))
struct HTTPFrontEndTests {
  @Test func `what was put can be fetched, asked for and removed, on one connection`() throws {
    let server = try RunningServer()
    let connection = try Connection(port: server.port)
    let path = RunningServer.path(1)
    try connection.send(server.head("GET", path))
    #expect(try connection.receiveHead().hasPrefix("HTTP/1.1 404 "))
    try connection.send(server.head("PUT", path, ["Content-Length": "5"]) + "hello")
    #expect(try connection.receiveHead().hasPrefix("HTTP/1.1 200 "))
    try connection.send(server.head("HEAD", path))
    #expect(try connection.receiveHead().hasPrefix("HTTP/1.1 200 "))
    try connection.send(server.head("GET", path))
    #expect(try connection.receiveHead().contains("Content-Length: 5\r\n"))
    #expect(try connection.receive(5) == Array("hello".utf8))
    try connection.send(server.head("DELETE", path) + server.head("HEAD", path))
    #expect(try connection.receiveHead().hasPrefix("HTTP/1.1 200 "))
    #expect(try connection.receiveHead().hasPrefix("HTTP/1.1 404 "))
  }

  @Test(arguments: [
    ["Authorization": "Bearer 00000000000000000000000000000000"], ["Authorization": "Bearer "],
    ["Authorization": "Basic dXNlcjpwYXNz"], ["Host": "evil.example"], ["Host": "127.0.0.1:1"],
    ["Origin": "http://127.0.0.1"], ["Origin": "null"],
  ])
  func `who does not belong here is refused, and stores nothing`(headers: [String: String]) throws {
    let server = try RunningServer()
    let connection = try Connection(port: server.port)
    try connection.send(
      server.head("PUT", RunningServer.path(2), headers.merging(["Content-Length": "3"]) { $1 }) + "abc")
    let refusal = try connection.receiveHead()
    #expect(refusal.hasPrefix("HTTP/1.1 403 "))
    let length = try #require(
      refusal.split(separator: "Content-Length: ").last.flatMap { Int($0.prefix(while: \.isNumber)) })
    _ = try connection.receive(length)
    try connection.send(server.head("GET", RunningServer.path(2)))
    #expect(try connection.receiveHead().hasPrefix("HTTP/1.1 404 "))
  }

  @Test(arguments: [
    "/", "/ccache/", "/ccache/ac/../../../../etc/passwd", "/ccache/ac/%2e%2e/%2e%2e", "/etc/passwd",
    "/ccache/ac/" + String(repeating: "g", count: 64), "/ccache/ac/" + String(repeating: "0", count: 63) + "1",
    "/ccache/ac/" + String(repeating: "0", count: 65), "//ccache/ac/" + String(repeating: "0", count: 64),
  ])
  func `a path that is no key is a miss, and no file`(path: String) throws {
    let server = try RunningServer()
    let connection = try Connection(port: server.port)
    try connection.send(server.head("GET", path))
    #expect(try connection.receiveHead().hasPrefix("HTTP/1.1 404 "))
    try connection.send(server.head("PUT", path, ["Content-Length": "1"]) + "x")
    #expect(try connection.receiveHead().hasPrefix("HTTP/1.1 405 "))
    #expect(try server.sandbox.entries == 0)
  }

  @Test(arguments: [1, 4096, 131_072, 131_073, 1_000_000, 40_000_000])
  func `bodies of all sizes come back as they went in, twice, and in requests sent at once`(size: Int) throws {
    let server = try RunningServer()
    let connection = try Connection(port: server.port)
    let body = (0..<size).map { UInt8(truncatingIfNeeded: $0 &* 31 >> 3) }
    try connection.send(server.head("PUT", RunningServer.path(3), ["Content-Length": "\(size)"]))
    try connection.send(body)
    #expect(try connection.receiveHead().hasPrefix("HTTP/1.1 200 "))
    let get = server.head("GET", RunningServer.path(3))
    try connection.send(get + get + server.head("GET", RunningServer.path(4)) + get)
    for _ in 0..<2 {
      _ = try connection.receiveHead()
      #expect(try connection.receive(size) == body)
    }
    #expect(try connection.receiveHead().hasPrefix("HTTP/1.1 404 "))
    _ = try connection.receiveHead()
    #expect(try connection.receive(size) == body)
  }

  @Test func `a client that waits for a word before its body gets it`() throws {
    let server = try RunningServer()
    let connection = try Connection(port: server.port)
    let headers = ["Content-Length": "4", "Expect": "100-continue", "Connection": "close"]
    try connection.send(server.head("PUT", RunningServer.path(5), headers))
    #expect(try connection.receiveHead() == "HTTP/1.1 100 Continue\r\n\r\n")
    try connection.send("body")
    #expect(String(decoding: try connection.receiveAll(), as: UTF8.self).hasPrefix("HTTP/1.1 200 "))
  }

  @Test func `a chunked body is stored`() throws {
    let server = try RunningServer()
    let connection = try Connection(port: server.port)
    try connection.send(
      server.head("PUT", RunningServer.path(6), ["Transfer-Encoding": "chunked"]) + "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n")
    #expect(try connection.receiveHead().hasPrefix("HTTP/1.1 200 "))
    try connection.send(server.head("GET", RunningServer.path(6)))
    #expect(try connection.receiveHead().contains("Content-Length: 5\r\n"))
  }

  @Test func `a body that breaks off is not stored`() throws {
    let server = try RunningServer()
    for size in [10, 1_000_000] {
      let connection = try Connection(port: server.port)
      try connection.send(server.head("PUT", RunningServer.path(7), ["Content-Length": "\(size * 2)"]))
      try connection.send([UInt8](repeating: 1, count: size))
    }
    let connection = try Connection(port: server.port)
    try connection.send(server.head("GET", RunningServer.path(7)))
    #expect(try connection.receiveHead().hasPrefix("HTTP/1.1 404 "))
    try eventually("no temporary file is left") {
      try server.sandbox.run("find $HOME/.cache/fabrik/v1/tmp -type f").output == ""
    }
  }

  @Test(arguments: [
    "nonsense\r\n\r\n", "GET / HTTP/9.9\r\n\r\n", "\u{0}\u{1}\u{2}\r\n\r\n",
    "PUT /x HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
  ])
  func `what is not HTTP ends the connection and not the server`(text: String) throws {
    let server = try RunningServer()
    let broken = try Connection(port: server.port)
    try broken.send(text)
    _ = try broken.receiveAll()
    let connection = try Connection(port: server.port)
    try connection.send(server.head("GET", RunningServer.path(8)))
    #expect(try connection.receiveHead().hasPrefix("HTTP/1.1 404 "))
  }

  @Test func `a head without end is cut off`() throws {
    let server = try RunningServer()
    let connection = try Connection(port: server.port)
    try connection.send("GET / HTTP/1.1\r\n")
    let error = #expect(throws: Unexpected.self) {
      for number in 0..<200_000 { try connection.send("X-\(number): \(String(repeating: "x", count: 100))\r\n") }
    }
    // Not just left unread.
    let reason = try #require(error).description
    #expect(reason.contains("reset") || reason.contains("Broken pipe"), "\(reason)")
  }

  @Test func `a damaged large body is never sent whole`() throws {
    let server = try RunningServer()
    let size = 2_000_000
    let connection = try Connection(port: server.port)
    try connection.send(server.head("PUT", RunningServer.path(9), ["Content-Length": "\(size)"]))
    try connection.send([UInt8](repeating: 7, count: size))
    _ = try connection.receiveHead()
    try server.sandbox.run(
      "printf x | dd of=$(find $HOME/.cache/fabrik/v1/blobs -type f) bs=1 seek=1500000 conv=notrunc status=none")
    let reader = try Connection(port: server.port)
    try reader.send(server.head("GET", RunningServer.path(9)))
    #expect(try reader.receiveAll().count < size)
    let again = try Connection(port: server.port)
    try again.send(server.head("GET", RunningServer.path(9)))
    #expect(try again.receiveHead().hasPrefix("HTTP/1.1 404 "))
    #expect(try server.sandbox.run("fabrik cache stats --json").output.contains("\"damaged\":1}"))
  }

  @Test func `a client that asks and never reads costs little memory`() throws {
    let server = try RunningServer()
    let size = 60_000
    let connection = try Connection(port: server.port)
    try connection.send(server.head("PUT", RunningServer.path(10), ["Content-Length": "\(size)"]))
    try connection.send([UInt8](repeating: 7, count: size))
    _ = try connection.receiveHead()
    let get = String(repeating: server.head("GET", RunningServer.path(10)), count: 1000)
    // Sending comes to a halt when the server has stopped reading; the answers would take 6 GB.
    #expect(throws: Unexpected.self) {
      for _ in 0..<100 { try connection.send(get, patience: 2) }
    }
    let peak = try server.sandbox.run("awk '/VmHWM/ { print $2 }' /proc/\(server.process)/status").output.dropLast()
    #expect(try #require(Int(peak)) < 150_000)
  }
}
