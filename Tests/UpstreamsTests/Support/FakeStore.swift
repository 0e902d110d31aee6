import Glibc
import NIOCore
import NIOPosix
import Synchronization

/// A store with GET, PUT and DELETE on loopback, which answers as it is told to, and remembers what it was asked.
final class FakeStore: Sendable {
  /// A request, whole.
  struct Request: Sendable {
    /// From 0, in the order in which connections were made.
    let connection: Int
    let method: String
    /// With the query, as it stands in the request.
    let path: String
    /// With lower-case names.
    let headers: [String: String]
    let body: [UInt8]
  }

  /// What is sent for a request.
  struct Response: Sendable {
    enum Ending: Sendable {
      /// The connection is kept.
      case keep
      case close
      /// The connection is broken off with a TCP reset.
      case reset
      /// Nothing more is said, and nothing more is read.
      case silence
      /// The bytes come again and again.
      case endless
      /// More comes later, and the connection is kept.
      case then([UInt8], EventLoopFuture<Void>)
    }

    var bytes: [UInt8]
    var ending = Ending.keep
    /// Nothing is sent before.
    var gate: EventLoopFuture<Void>?

    /// A proper answer.
    static func status(
      _ status: Int, _ headers: [(String, String)] = [], body: [UInt8] = [], ending: Ending = .keep,
      gate: EventLoopFuture<Void>? = nil
    ) -> Response {
      let lines = ["HTTP/1.1 \(status) Said"] + headers.map { "\($0.0): \($0.1)" } + ["Content-Length: \(body.count)"]
      return Response(
        bytes: Array((lines + ["", ""]).joined(separator: "\r\n").utf8) + body, ending: ending, gate: gate)
    }

    static func text(_ text: String, ending: Ending = .keep) -> Response {
      Response(bytes: Array(text.utf8), ending: ending)
    }
  }

  typealias Script = @Sendable (Request) -> Response?

  private struct ScriptBox: Sendable {
    let run: Script
  }

  private struct State: Sendable {
    var objects: [String: [UInt8]] = [:]
    var requests: [Request] = []
    var connections = 0
    var script = ScriptBox { _ in nil }
    var earlyStatus: Int?
    var awaited: [(count: Int, promise: EventLoopPromise<Void>)] = []
  }

  static let group = MultiThreadedEventLoopGroup.singleton

  private let state: Mutex<State>
  private let channels = Mutex<[ObjectIdentifier: any Channel]>([:])
  private let listener: Mutex<(any Channel)?>
  let port: Int

  /// - Parameter script: what is answered; nil: as a store does, from ``objects``.
  init(_ script: @escaping Script = { _ in nil }) async throws {
    state = Mutex(State(script: ScriptBox(run: script)))
    listener = Mutex(nil)
    let box = SelfBox()
    let channel = try await ServerBootstrap(group: Self.group)
      .serverChannelOption(ChannelOptions.socketOption(.so_reuseaddr), value: 1)
      .childChannelInitializer { channel in
        channel.eventLoop.makeCompletedFuture {
          guard let store = box.store.withLock({ $0.value }) else { return }
          try channel.pipeline.syncOperations.addHandler(Connection(store, number: store.connected(channel)))
        }
      }
      .bind(host: "127.0.0.1", port: 0).get()
    port = channel.localAddress?.port ?? 0
    listener.withLock { $0 = channel }
    box.store.withLock { $0.value = self }
  }

  private struct WeakStore: Sendable {
    weak var value: FakeStore?
  }

  private final class SelfBox: Sendable {
    let store = Mutex(WeakStore(value: nil))
  }

  var url: String { "http://127.0.0.1:\(port)" }

  /// By path.
  var objects: [String: [UInt8]] {
    get { state.withLock { $0.objects } }
    set { state.withLock { $0.objects = newValue } }
  }

  var requests: [Request] { state.withLock { $0.requests } }
  var connections: Int { state.withLock { $0.connections } }

  /// What every PUT is answered with as soon as its head is there; the body is then read, and left.
  var earlyStatus: Int? {
    get { state.withLock { $0.earlyStatus } }
    set { state.withLock { $0.earlyStatus = newValue } }
  }

  func answer(_ script: @escaping Script) { state.withLock { $0.script = ScriptBox(run: script) } }

  /// Waits until there have been so many requests.
  func awaitRequests(_ count: Int) async throws {
    let promise = Self.group.next().makePromise(of: Void.self)
    state.withLock { state in
      if state.requests.count >= count { promise.succeed() } else { state.awaited.append((count, promise)) }
    }
    try await promise.futureResult.get()
  }

  /// Closes the connections that are open, from this side.
  func closeConnections() async throws {
    for channel in channels.withLock({ Array($0.values) }) { try? await channel.close() }
  }

  /// Nothing listens afterwards.
  func close() async throws {
    try await listener.withLock { $0.take() }?.close()
    try await closeConnections()
  }

  deinit {
    listener.withLock { $0 }?.close(promise: nil)
    for channel in channels.withLock({ Array($0.values) }) { channel.close(promise: nil) }
  }

  // MARK: - On the loops

  private func connected(_ channel: any Channel) -> Int {
    channels.withLock { $0[ObjectIdentifier(channel)] = channel }
    return state.withLock { state in
      defer { state.connections += 1 }
      return state.connections
    }
  }

  fileprivate func disconnected(_ channel: any Channel) {
    channels.withLock { $0[ObjectIdentifier(channel)] = nil }
  }

  fileprivate func response(to request: Request) -> Response {
    let script = state.withLock { $0.script }
    let response = script.run(request)
    let due = state.withLock { state in
      state.requests.append(request)
      let due = state.awaited.filter { $0.count <= state.requests.count }
      state.awaited.removeAll { $0.count <= state.requests.count }
      return due
    }
    for item in due { item.promise.succeed() }
    return response ?? stored(request)
  }

  private func stored(_ request: Request) -> Response {
    state.withLock { state in
      switch request.method {
      case "GET": state.objects[request.path].map { .status(200, body: $0) } ?? .status(404)
      case "PUT":
        {
          state.objects[request.path] = request.body; return .status(201)
        }()
      case "DELETE":
        state.objects.removeValue(forKey: request.path) == nil ? .status(404) : .status(204)
      default: .status(405)
      }
    }
  }
}

/// One connection. Reads HTTP/1.1 with bodies of a known length, one request after the other.
private final class Connection: ChannelInboundHandler {
  typealias InboundIn = ByteBuffer
  typealias OutboundOut = ByteBuffer

  private let store: FakeStore
  private let number: Int
  private var received: [UInt8] = []
  private var isBusy = false

  init(_ store: FakeStore, number: Int) {
    self.store = store
    self.number = number
  }

  func channelRead(context: ChannelHandlerContext, data: NIOAny) {
    received += unwrapInboundIn(data).readableBytesView
    next(context)
  }

  func channelInactive(context: ChannelHandlerContext) { store.disconnected(context.channel) }
  func errorCaught(context: ChannelHandlerContext, error: any Error) { context.close(promise: nil) }

  private func next(_ context: ChannelHandlerContext) {
    guard !isBusy else { return }
    if let status = store.earlyStatus, received.starts(with: Array("PUT ".utf8)),
      received.firstRange(of: Array("\r\n\r\n".utf8)) != nil
    {
      isBusy = true
      return send(.status(status, body: Array("refused".utf8), ending: .silence), context)
    }
    if received.first == 0x16 {
      // TLS, where none is spoken: a web server says so in plain text.
      isBusy = true
      return send(.status(400, ending: .close), context)
    }
    guard let request = takeRequest() else { return }
    isBusy = true
    let response = store.response(to: request)
    guard let gate = response.gate else { return send(response, context) }
    send(after: gate, response, context)
  }

  private func send(
    after gate: EventLoopFuture<Void>, _ response: FakeStore.Response, _ context: ChannelHandlerContext
  ) {
    let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    gate.hop(to: context.eventLoop).whenComplete { _ in bound.value.0.send(response, bound.value.1) }
  }

  private func send(_ response: FakeStore.Response, _ context: ChannelHandlerContext) {
    let bound = NIOLoopBound((self, context), eventLoop: context.eventLoop)
    let written = context.writeAndFlush(wrapOutboundOut(ByteBuffer(bytes: response.bytes)))
    written.whenComplete { result in
      let (connection, context) = bound.value
      switch response.ending {
      case .keep:
        connection.isBusy = false
        connection.next(context)
      case .close: context.close(promise: nil)
      case .reset:
        let closing = (context.channel as? any SocketOptionProvider)?.setSoLinger(linger(l_onoff: 1, l_linger: 0))
        closing?.whenComplete { _ in bound.value.1.close(promise: nil) }
      case .silence: break
      case .then(let bytes, let gate):
        connection.send(after: gate, FakeStore.Response(bytes: bytes), context)
      case .endless:
        if case .success = result { connection.send(response, context) }
      }
    }
  }

  private func takeRequest() -> FakeStore.Request? {
    guard let end = received.firstRange(of: Array("\r\n\r\n".utf8)) else { return nil }
    let lines = String(decoding: received[..<end.lowerBound], as: UTF8.self).split(separator: "\r\n")
    var headers: [String: String] = [:]
    for line in lines.dropFirst() {
      let parts = line.split(separator: ":", maxSplits: 1)
      headers[parts[0].lowercased()] = String(parts.count > 1 ? parts[1].drop { $0 == " " } : "")
    }
    let length = headers["content-length"].flatMap { Int($0) } ?? 0
    guard received.count - end.upperBound >= length else { return nil }
    let body = Array(received[end.upperBound...].prefix(length))
    received.removeFirst(end.upperBound + length)
    let words = lines[0].split(separator: " ")
    return FakeStore.Request(
      connection: number, method: String(words[0]), path: String(words[1]), headers: headers, body: body)
  }
}
