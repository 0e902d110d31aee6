import CacheStore
import Glibc
import NIOCore
import NIOPosix
import Synchronization
import SystemPackage
import SystemSupport
import TestSupport
import Testing

@testable import Upstreams

/// How requests are made.
@Suite(.timeLimit(.minutes(2)))
struct TransferEngineTests {
  /// Calls `body` with an engine and a store, and ends both.
  private func with(
    _ script: @escaping FakeStore.Script = { _ in nil }, _ body: (TransferEngine, FakeStore) async throws -> Void
  ) async throws {
    let store = try await FakeStore(script)
    let engine = try TransferEngine()
    defer { engine.stop() }
    try await body(engine, store)
    try await store.close()
  }

  private static func gate() -> EventLoopPromise<Void> { FakeStore.group.next().makePromise() }

  // MARK: - What is asked

  @Test func `an object is put, got and deleted`() async throws {
    try await with { (engine, store) async throws in
      let body = Array("what is kept".utf8)
      let url = "\(store.url)/a/b"
      #expect(try await engine.perform(.put, url, body: body).result().status == 201)
      #expect(store.objects == ["/a/b": body])
      let got = try await engine.perform(.get, url).result()
      #expect(got.body == body && got.status == 200 && got.heads.first?.contentLength == UInt64(body.count))
      #expect(try await engine.perform(.delete, url).result().status == 204)
      #expect(try await engine.perform(.get, url).result().status == 404)
      #expect(store.requests.map(\.method) == ["PUT", "GET", "DELETE", "GET"])
    }
  }

  @Test(arguments: [0, 1, 70_000, 3_000_000]) func `bodies arrive as they were`(size: Int) async throws {
    try await with { (engine, store) async throws in
      var generator = SeededGenerator(seed: UInt64(size))
      let body = generator.bytes(size)
      #expect(try await engine.perform(.put, "\(store.url)/x", body: body).result().failure == nil)
      #expect(store.objects["/x"] == body)
      #expect(try await engine.perform(.get, "\(store.url)/x").result().body == body)
    }
  }

  @Test func `headers are sent as they are given, and nothing is expected to be agreed to first`() async throws {
    try await with { (engine, store) async throws in
      let header = UpstreamRequest.Header(name: "Authorization", value: "Bearer x")
      let body = [UInt8](repeating: 1, count: 2_000_000)
      _ = try await engine.perform(.put, "\(store.url)/x", [header], body: body).result()
      let headers = try #require(store.requests.first).headers
      #expect(headers["authorization"] == "Bearer x")
      #expect(headers["expect"] == nil)
      #expect(headers["content-length"] == "2000000")
      #expect(headers["transfer-encoding"] == nil)
    }
  }

  @Test func `paths are sent as they are`() async throws {
    try await with { (engine, store) async throws in
      _ = try await engine.perform(.get, "\(store.url)/a/../b/./c%2F").result()
      #expect(store.requests.map(\.path) == ["/a/../b/./c%2F"])
    }
  }

  // MARK: - Connections

  @Test func `a connection is kept for the next request`() async throws {
    try await with { (engine, store) async throws in
      for method in [.get, .put, .delete, .get] as [UpstreamRequest.Method] {
        _ = try await engine.perform(method, "\(store.url)/x", body: method == .put ? [1] : nil).result()
      }
      #expect(store.requests.map(\.connection) == [0, 0, 0, 0])
    }
  }

  @Test func `a handle that was used for a PUT sends no body with the next GET`() async throws {
    try await with { (engine, store) async throws in
      _ = try await engine.perform(.put, "\(store.url)/x", body: Array(1...200)).result()
      _ = try await engine.perform(.delete, "\(store.url)/x").result()
      _ = try await engine.perform(.get, "\(store.url)/x").result()
      #expect(store.requests.map(\.method) == ["PUT", "DELETE", "GET"])
      #expect(store.requests.map(\.body.count) == [200, 0, 0])
    }
  }

  @Test(arguments: [.get, .put] as [UpstreamRequest.Method])
  func `a kept connection that the store has closed is replaced`(method: UpstreamRequest.Method) async throws {
    try await with { (engine, store) async throws in
      let body: [UInt8]? = method == .put ? Array(repeating: 3, count: 100_000) : nil
      #expect(try await engine.perform(.get, "\(store.url)/x").result().failure == nil)
      try await store.closeConnections()
      let result = try await engine.perform(method, "\(store.url)/x", body: body).result()
      #expect(result.failure == nil && result.status == (method == .put ? 201 : 404))
      #expect(store.requests.map(\.connection) == [0, 1])
    }
  }

  @Test(arguments: [.get, .put] as [UpstreamRequest.Method])
  func `a kept connection that is closed over a request is replaced, and the body sent again`(
    method: UpstreamRequest.Method
  ) async throws {
    try await with { (engine, store) async throws in
      let body: [UInt8]? = method == .put ? Array(repeating: 3, count: 100_000) : nil
      _ = try await engine.perform(.get, "\(store.url)/x").result()
      store.answer { $0.connection == 0 ? .text("", ending: .close) : nil }
      let result = try await engine.perform(method, "\(store.url)/x", body: body).result()
      #expect(result.failure == nil && result.status == (method == .put ? 201 : 404))
      #expect(store.requests.map(\.connection) == [0, 0, 1])
      #expect(store.requests.last?.body == body ?? [])
    }
  }

  // MARK: - What goes wrong

  @Test func `an answer that does not begin in time is not waited for`() async throws {
    try await with({ _ in .text("", ending: .silence) }) { (engine, store) async throws in
      let result = try await engine.perform(.get, "\(store.url)/x", patience: 100).result()
      #expect(result.ends == [.stalled] && result.heads.isEmpty)
    }
  }

  @Test func `half a head is no beginning of an answer`() async throws {
    try await with({ _ in .text("HTTP/1.1 200 OK\r\nContent-Le", ending: .silence) }) { (engine, store) async throws in
      #expect(try await engine.perform(.get, "\(store.url)/x", patience: 100).result().ends == [.stalled])
    }
  }

  @Test func `interim answers are no beginning of an answer`() async throws {
    try await with({ _ in .text("HTTP/1.1 100 Continue\r\n\r\n", ending: .silence) }) { (engine, store) async throws in
      #expect(try await engine.perform(.get, "\(store.url)/x", patience: 100).result().ends == [.stalled])
    }
  }

  @Test func `of interim answers nothing is left in the head`() async throws {
    let text = "HTTP/1.1 103 Early\r\nLocation: /hint\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
    try await with({ _ in .text(text) }) { (engine, store) async throws in
      let result = try await engine.perform(.get, "\(store.url)/x").result()
      #expect(result.status == 200 && result.body == Array("ok".utf8))
      #expect(result.heads.first?.fields == ["content-length": "2"])
    }
  }

  @Test func `a body that its consumer finds too slow is given up`() async throws {
    try await with({ _ in .text("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab", ending: .silence) }) {
      (engine, store) async throws in
      let result = try await engine.perform(.get, "\(store.url)/x", into: Recorder(isImpatient: true)).result()
      #expect(result.ends == [.tooSlow] && result.body == Array("ab".utf8))
    }
  }

  @Test(arguments: [FakeStore.Response.Ending.reset, .close])
  func `a body that ends before its length is no answer`(ending: FakeStore.Response.Ending) async throws {
    try await with({ _ in .text("HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab", ending: ending) }) {
      (engine, store) async throws in
      #expect(try await engine.perform(.get, "\(store.url)/x").result().ends == [.reset])
    }
  }

  @Test func `chunks that end early are no answer`() async throws {
    let text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\n"
    try await with({ _ in .text(text, ending: .close) }) { (engine, store) async throws in
      #expect(try await engine.perform(.get, "\(store.url)/x").result().ends == [.reset])
    }
  }

  @Test func `a new connection that is closed over a request is a failure`() async throws {
    try await with({ _ in .text("", ending: .close) }) { (engine, store) async throws in
      #expect(try await engine.perform(.get, "\(store.url)/x").result().ends == [.reset])
    }
  }

  @Test func `a refusal counts, although the store breaks off before it has said all of it`() async throws {
    try await with({ _ in .text("HTTP/1.1 403 No\r\nContent-Length: 100\r\n\r\nab", ending: .close) }) {
      (engine, store) async throws in
      let result = try await engine.perform(.put, "\(store.url)/x", body: [1]).result()
      #expect(result.ends == [nil] && result.status == 403)
    }
  }

  @Test func `a refusal counts, although the store has not taken the whole body`() async throws {
    try await with { (engine, store) async throws in
      store.earlyStatus = 403
      for _ in 0..<5 {
        let body = [UInt8](repeating: 1, count: 10_000_000)
        let result = try await engine.perform(.put, "\(store.url)/x", body: body).result()
        #expect(result.ends == [nil] && result.status == 403)
      }
      #expect(store.objects.isEmpty)
    }
  }

  @Test func `a port without TLS is told apart from one that is not trusted`() async throws {
    try await with { (engine, store) async throws in
      let result = try await engine.perform(.get, "https://127.0.0.1:\(store.port)/x").result()
      #expect(result.ends == [.handshake] && store.requests.isEmpty)
    }
  }

  @Test func `a port where nobody listens refuses`() async throws {
    let port = RefusingPort()
    try await with { (engine, _) async throws in
      #expect(try await engine.perform(.get, "\(port.url)/x").result().ends == [.refused])
    }
  }

  @Test(arguments: ["http://no.such.host.invalid/x", "http://127.0.0.1:99999/x", "file:///etc/passwd", "nonsense"])
  func `what cannot be asked fails`(url: String) async throws {
    try await with { (engine, _) async throws in
      let result = try await engine.perform(.get, url).result()
      #expect(result.failure != nil && result.body.isEmpty)
    }
  }

  @Test func `what is no HTTP is no answer`() async throws {
    try await with({ _ in .text("SSH-2.0-OpenSSH_9.2\r\n", ending: .close) }) { (engine, store) async throws in
      let result = try await engine.perform(.get, "\(store.url)/x").result()
      #expect(result.failure != nil && result.body.isEmpty)
    }
  }

  @Test func `a head without end is given up`() async throws {
    try await with({ _ in .text("HTTP/1.1 200 OK\r\n" + String(repeating: "X: y\r\n", count: 1000), ending: .endless) })
    { (engine, store) async throws in
      let result = try await engine.perform(.get, "\(store.url)/x").result()
      #expect(result.failure != nil && result.heads.isEmpty)
    }
  }

  @Test func `interim answers without end are given up`() async throws {
    try await with({ _ in .text("HTTP/1.1 103 Early\r\nX: y\r\n\r\n", ending: .endless) }) {
      (engine, store) async throws in
      #expect(try await engine.perform(.get, "\(store.url)/x").result().failure != nil)
    }
  }

  @Test func `a length beyond all bounds is only a number`() async throws {
    try await with({ _ in .text("HTTP/1.1 200 OK\r\nContent-Length: 9000000000000000000\r\n\r\nab", ending: .close) }) {
      (engine, store) async throws in
      let result = try await engine.perform(.get, "\(store.url)/x").result()
      #expect(result.ends == [.reset] && result.heads.first?.contentLength == 9_000_000_000_000_000_000)
    }
  }

  @Test func `a consumer that gives up ends the transfer, at the head or later`() async throws {
    try await with({ _ in .text("HTTP/1.1 200 OK\r\nContent-Length: 10000000\r\n\r\nab", ending: .endless) }) {
      (engine, store) async throws in
      let atHead = try await engine.perform(.get, "\(store.url)/x", into: Recorder(interest: 0)).result()
      #expect(atHead.ends == [.givenUp] && atHead.body.isEmpty)
      let later = try await engine.perform(.get, "\(store.url)/x", into: Recorder(interest: 1)).result()
      #expect(later.ends == [.givenUp] && !later.body.isEmpty)
    }
  }

  @Test func `a body that cannot be read is not sent in part`() async throws {
    final class Unreadable: UploadBody {
      var size: UInt64 { 1_000_000 }
      func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) -> Int? {
        offset == 0 ? buffer.initializeMemory(as: UInt8.self, repeating: 0).count : nil
      }
    }
    try await with { (engine, store) async throws in
      let recorder = Recorder()
      engine.perform(.upload) {
        Transfer(
          .init(method: .put, url: "\(store.url)/x"), options: .init(), patience: 30_000, upload: Unreadable(),
          consumer: recorder)
      }
      #expect(try await recorder.result().ends == [.givenUp])
      #expect(store.objects.isEmpty)
    }
  }

  // MARK: - Order

  /// What was made, in its order.
  private final class Made: Sendable {
    let order = Mutex<[TransferEngine.Urgency]>([])
  }

  @Test func `lookups go before what is fetched ahead, and that before uploads`() async throws {
    let gate = Self.gate()
    try await with({ $0.path == "/hold" ? .status(200, gate: gate.futureResult) : nil }) {
      (engine, store) async throws in
      // As many as may be under way in all.
      let holding = (0..<64).map { _ in engine.perform(.get, "\(store.url)/hold") }
      try await store.awaitRequests(64)
      let made = Made()
      var waiting: [Recorder] = []
      for urgency in TransferEngine.Urgency.allCases.reversed() {
        let recorder = Recorder()
        waiting.append(recorder)
        engine.perform(urgency) {
          made.order.withLock { $0.append(urgency) }
          return Transfer(
            .init(method: .get, url: "\(store.url)/x"), options: .init(), patience: 30_000, consumer: recorder)
        }
      }
      gate.succeed()
      for recorder in holding + waiting { #expect(try await recorder.result().failure == nil) }
      #expect(made.order.withLock { $0 } == [.lookup, .prefetch, .upload])
    }
  }

  @Test(arguments: [(TransferEngine.Urgency.prefetch, 48), (.upload, 8)])
  func `only so many are under way, and there is always room for a lookup`(
    urgency: TransferEngine.Urgency, limit: Int
  ) async throws {
    let gate = Self.gate()
    try await with({ $0.path == "/hold" ? .status(200, gate: gate.futureResult) : nil }) {
      (engine, store) async throws in
      let holding = (0..<limit + 5).map { _ in engine.perform(.get, "\(store.url)/hold", urgency: urgency) }
      try await store.awaitRequests(limit)
      #expect(try await engine.perform(.get, "\(store.url)/lookup").result().failure == nil)
      #expect(store.requests.filter { $0.path == "/hold" }.count == limit)
      gate.succeed()
      for recorder in holding { #expect(try await recorder.result().failure == nil) }
      #expect(store.requests.filter { $0.path == "/hold" }.count == limit + 5)
    }
  }

  @Test func `what was to be fetched ahead goes first once a tool waits for it`() async throws {
    let gate = Self.gate()
    try await with({ $0.path == "/hold" ? .status(200, gate: gate.futureResult) : nil }) {
      (engine, store) async throws in
      let holding = (0..<48).map { _ in engine.perform(.get, "\(store.url)/hold", urgency: .prefetch) }
      try await store.awaitRequests(48)
      let recorders = [Recorder(), Recorder(), Recorder()]
      for (number, recorder) in recorders.enumerated() {
        let url = "\(store.url)/\(number)"
        engine.perform(.prefetch, tag: CacheKey(test: number)) {
          Transfer(.init(method: .get, url: url), options: .init(), patience: 30_000, consumer: recorder)
        }
      }
      engine.expedite(CacheKey(test: 1))
      // Neither of what is under way nor of what nobody has queued.
      engine.expedite(CacheKey(test: 7))
      #expect(try await recorders[1].result().failure == nil)
      #expect(store.requests.dropFirst(48).map(\.path) == ["/1"])
      gate.succeed()
      for recorder in holding + recorders { #expect(try await recorder.result().failure == nil) }
      #expect(store.requests.count == 51)
    }
  }

  @Test func `what waits for room is taken up when all that was under way ends at once`() async throws {
    let port = RefusingPort()
    try await with { (engine, _) async throws in
      // Each attempt fails at once.
      let recorders = (0..<200).map { _ in engine.perform(.get, "\(port.url)/x", urgency: .upload) }
      for recorder in recorders { #expect(try await recorder.result().ends == [.refused]) }
    }
  }

  @Test func `a proxy that this process's environment names is not used`() async throws {
    // In a process of its own: the environment must not change while other threads read it.
    await #expect(processExitsWith: .success) {
      setenv("http_proxy", "http://127.0.0.1:1", 1)
      setenv("ALL_PROXY", "http://127.0.0.1:1", 1)
      try await TransferEngineTests().with { (engine, store) async throws in
        #expect(try await engine.perform(.get, "\(store.url)/x").result().status == 404)
      }
    }
  }

  @Test func `a PUT may take longer than its patience as long as it is taken in`() async throws {
    final class Slow: UploadBody {
      var size: UInt64 { 8 }
      func read(at offset: UInt64, into buffer: UnsafeMutableRawBufferPointer) -> Int? {
        usleep(300_000)
        buffer[0] = 1
        return offset < 8 ? 1 : 0
      }
    }
    try await with { (engine, store) async throws in
      let recorder = Recorder()
      engine.perform(.upload) {
        Transfer(
          .init(method: .put, url: "\(store.url)/x"), options: .init(), patience: 2000, upload: Slow(),
          consumer: recorder)
      }
      #expect(try await recorder.result().status == 201)
      #expect(store.objects["/x"] == Array(repeating: 1, count: 8))
    }
  }

  @Test func `a request that is no longer wanted is not made`() async throws {
    try await with { (engine, store) async throws in
      engine.perform(.lookup) { nil }
      #expect(try await engine.perform(.get, "\(store.url)/x").result().failure == nil)
      #expect(store.requests.map(\.path) == ["/x"])
    }
  }

  // MARK: - The end

  @Test func `stopping ends what is under way and what waits, each once`() async throws {
    let store = try await FakeStore { _ in .text("", ending: .silence) }
    let engine = try TransferEngine()
    let recorders = (0..<200).map { _ in engine.perform(.get, "\(store.url)/x") }
    try await store.awaitRequests(64)
    engine.stop()
    for recorder in recorders { #expect(recorder.now.ends == [.stopped]) }
    let late = engine.perform(.get, "\(store.url)/x")
    #expect(late.now.ends == [.stopped])
    #expect(store.requests.count == 64)
    try await store.close()
  }

  @Test func `whoever asks while the engine stops gets an end`() async throws {
    for _ in 0..<50 {
      let engine = try TransferEngine()
      let asking = Task {
        (0..<50).map { _ in engine.perform(.get, "http://127.0.0.1:1/x") }
      }
      engine.stop()
      for recorder in await asking.value { #expect(try await recorder.result().ends.count == 1) }
    }
  }

  // MARK: - Proxies and credentials

  @Test func `a proxy is asked for everything but its exceptions`() async throws {
    try await with { (engine, proxy) async throws in
      proxy.answer { .status(200, body: Array($0.path.utf8)) }
      var options = ConnectionOptions(plainProxy: proxy.url, connectPatience: 30_000)
      let url = "http://cache.invalid/x"
      #expect(try await engine.perform(.get, url, options: options).result().body == Array(url.utf8))
      options.proxyExceptions = "other.invalid,cache.invalid"
      #expect(try await engine.perform(.get, url, options: options).result().failure == .unresolvable)
      #expect(proxy.requests.count == 1)
    }
  }

  @Test func `a proxy that is not there is told apart`() async throws {
    try await with { (engine, _) async throws in
      let options = ConnectionOptions(plainProxy: "http://proxy.invalid:3128")
      let result = try await engine.perform(.get, "http://cache.invalid/x", options: options).result()
      #expect(result.ends == [.proxyUnresolvable])
    }
  }

  @Test func `a proxy's agreement to a tunnel is no beginning of an answer`() async throws {
    try await with({ _ in .text("HTTP/1.1 200 Established\r\nVia: proxy\r\n\r\n", ending: .silence) }) {
      (engine, proxy) async throws in
      let options = ConnectionOptions(secureProxy: proxy.url, connectPatience: 2000)
      let result = try await engine.perform(.get, "https://cache.invalid/x", patience: 2000, options: options).result()
      #expect(result.ends == [.stalled] && result.heads.isEmpty)
      #expect(proxy.requests.map(\.method) == ["CONNECT"])
    }
  }

  @Test func `a store's credentials are not told a proxy on the way to a tunnel`() async throws {
    try await with({ _ in .status(407) }) { (engine, proxy) async throws in
      let options = ConnectionOptions(secureProxy: proxy.url, connectPatience: 30_000)
      let header = UpstreamRequest.Header(name: "Authorization", value: "Bearer x")
      let result = try await engine.perform(.get, "https://cache.invalid/x", [header], options: options).result()
      #expect(result.ends == [.proxyRefused(407)])
      #expect(proxy.requests.map { $0.headers["authorization"] } == [nil])
    }
  }

  @Test func `a password is read from the netrc file, for its host alone`() async throws {
    try await withTemporaryDirectory { directory in
      try await with { (engine, store) async throws in
        let file = directory.appending("netrc")
        try Files.write("machine 127.0.0.1 login me password secret\n", to: file)
        let options = ConnectionOptions(netrcFile: file.string, connectPatience: 30_000)
        _ = try await engine.perform(.get, "\(store.url)/x", options: options).result()
        _ = try await engine.perform(.get, "http://localhost:\(store.port)/x", options: options).result()
        _ = try await engine.perform(.get, "\(store.url)/x").result()
        #expect(store.requests.map { $0.headers["authorization"] } == ["Basic bWU6c2VjcmV0", nil, nil])
      }
    }
  }

  @Test func `a netrc file that is not there is no failure`() async throws {
    try await with { (engine, store) async throws in
      let options = ConnectionOptions(netrcFile: "/nowhere/netrc", connectPatience: 30_000)
      #expect(try await engine.perform(.get, "\(store.url)/x", options: options).result().status == 404)
    }
  }

  // MARK: - Heads

  @Test func `names of fields are in lower case, and of two values the last counts`() {
    var head = AnswerHead()
    for line in ["HTTP/2 200 \r\n", "X-A: 1\r\n", "x-a:  2 \r\n", "No colon\r\n", "\r\n"] {
      #expect(Array(line.utf8).withUnsafeBytes { head.take($0) })
    }
    #expect(head.status == 200 && head.fields == ["x-a": "2 "])
  }
}
