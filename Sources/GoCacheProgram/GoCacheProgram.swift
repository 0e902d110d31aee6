import FrontEnds
import Glibc
import SystemPackage
package import SystemSupport

/// `fabrik cacheprog SOCKET LEASE`: what `go` starts as GOCACHEPROG. Passes Go's questions on to the server and the
/// server's answers back.
///
/// A build does not depend on it: without a server, or when it goes away, everything is a miss and what Go puts goes to
/// Go's own cache directory. Go ends a build whose cache program ends early, so this one ends only when Go has closed it,
/// or is gone; signals that a terminal sends to all of a build are ignored.
package final class GoCacheProgram {
  private enum Waiting {
    case get(action: [UInt8], since: Int64)
    case put(action: [UInt8], output: [UInt8], size: UInt64, BodyFile, since: Int64)

    var since: Int64 {
      switch self {
      case .get(_, let since), .put(_, _, _, _, let since): since
      }
    }
  }

  /// What was put and lies in Go's cache directory.
  private struct Kept {
    let output: [UInt8]
    let size: UInt64
    let path: FilePath
  }

  private var link: ServerLink?
  private var places: BodyFile.Places
  private let prefix: [UInt8]
  private var parser = GoCacheRequestParser()
  /// From Go, not understood yet.
  private var input: [UInt8] = []
  /// For Go.
  private var output: [UInt8] = []
  private var waiting: [Int64: Waiting] = [:]
  private var kept: [[UInt8]: Kept] = [:]
  /// The put whose body is coming in.
  private var incoming: (id: Int64, action: [UInt8], output: [UInt8], size: UInt64, file: BodyFile, isSound: Bool)?
  private var closing: Int64?
  private var isOver = false

  /// What takes longer is a miss. Layers behind the server have bounds of their own, which are shorter.
  private static let patience: Int64 = 60_000
  /// How often to look at clocks while something is awaited, in milliseconds.
  private static let tick: CInt = 1000

  /// Serves one `go` command on standard input and output; returns never.
  ///
  /// - Parameter arguments: what follows `cacheprog`.
  package static func run(arguments: [[UInt8]], environment: Environment) -> Never {
    for number in [SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE] { signal(number, SIG_IGN) }
    let program = GoCacheProgram(
      socket: arguments.first.map { FilePath(bytes: $0) },
      lease: arguments.count > 1 ? String(decoding: arguments[1], as: UTF8.self) : "",
      goCache: environment.absolutePath("GOCACHE"))
    program.serve()
    exit(0)
  }

  /// - Parameter goCache: Go sets `$GOCACHE` for all that it starts.
  private init(socket: FilePath?, lease: String, goCache: FilePath?) {
    output = GoCacheAnswer.greeting
    link = socket.flatMap { ServerLink(socket: $0, lease: lease, now: Self.now) }
    places = .init(server: nil, goCache: goCache)
    prefix = goCache.flatMap(Self.detour) ?? []
  }

  private static var now: Int64 {
    var time = timespec()
    clock_gettime(CLOCK_MONOTONIC, &time)
    return Int64(time.tv_sec) * 1000 + Int64(time.tv_nsec) / 1_000_000
  }

  // MARK: - Paths

  /// What comes before the path of a file of the store.
  ///
  /// To make `lib.a` in `go build -o lib.a`, Go moves the file it was given, away from the store and from other builds
  /// that have been given it, too: only a path that begins with `$GOCACHE` is copied (`moveOrCopyFile` in
  /// `cmd/go/internal/work/shell.go`). So paths begin there, and lead back to the root first.
  private static func detour(through goCache: FilePath) -> [UInt8]? {
    guard let real = try? FileSystem.realPath(goCache) else { return nil }
    return goCache.bytes + [UInt8](repeatElement(Array("/..".utf8), count: real.components.count).joined())
  }

  private func diskPath(_ path: [UInt8]) -> [UInt8] {
    guard let goCache = places.goCache, !path.starts(with: goCache.bytes) else { return path }
    return prefix + path
  }

  // MARK: - The loop

  private func serve() {
    let buffer = UnsafeMutableRawBufferPointer.allocate(byteCount: 1 << 16, alignment: 16)
    defer { buffer.deallocate() }
    while !isOver {
      guard flushOutput() else { return }
      if link?.flush() == false { loseServer() }
      finishClosing()
      guard output.isEmpty else { continue }
      if isOver { break }
      wait(buffer)
      checkClocks()
    }
    _ = flushOutput()
    // Go is gone, and the server may not have read everything yet.
    _ = link?.flush()
  }

  private func wait(_ buffer: UnsafeMutableRawBufferPointer) {
    let none = pollfd(fd: -1, events: 0, revents: 0)
    var requests = [none, none]
    // The server's directory has to be known when a body comes.
    let isReading = closing == nil && (link.map { $0.isReady && !$0.isFull } ?? true)
    if isReading { requests[0] = pollfd(fd: 0, events: Int16(POLLIN), revents: 0) }
    if let link {
      let events = POLLIN | (link.hasOutgoing ? POLLOUT : 0)
      requests[1] = pollfd(fd: link.descriptor, events: Int16(events), revents: 0)
    }
    let isIdle = waiting.isEmpty && link?.isReady != false
    guard poll(&requests, 2, isIdle ? -1 : Self.tick) > 0 else { return }
    if requests[1].revents & ~Int16(POLLOUT) != 0 { receive(buffer) }
    if requests[0].revents != 0 { read(buffer) }
  }

  private func read(_ buffer: UnsafeMutableRawBufferPointer) {
    let count = Glibc.read(0, buffer.baseAddress, buffer.count)
    if count < 0, errno == EINTR || errno == EAGAIN { return }
    guard count > 0 else {
      // Go is gone.
      isOver = true
      return
    }
    let bytes = UnsafeRawBufferPointer(rebasing: buffer[..<count])
    if input.isEmpty {
      input += bytes[parse(bytes)...]
    } else {
      input += bytes
      input.removeFirst(input.withUnsafeBytes { parse($0) })
    }
  }

  /// Returns how many bytes were understood.
  private func parse(_ bytes: UnsafeRawBufferPointer) -> Int {
    var start = 0
    while let (consumed, event) = parser.next(UnsafeRawBufferPointer(rebasing: bytes[start...])) {
      start += consumed
      take(event)
    }
    return start
  }

  private func receive(_ buffer: UnsafeMutableRawBufferPointer) {
    guard let replies = link?.receive(into: buffer, now: Self.now) else { return loseServer() }
    places.server = link?.directory
    for reply in replies { take(reply) }
  }

  /// False when Go is gone.
  private func flushOutput() -> Bool {
    // Go reads what it is told at once, whatever else it does.
    while !output.isEmpty {
      let count = output.withUnsafeBytes { Glibc.write(1, $0.baseAddress, $0.count) }
      if count < 0, errno == EINTR { continue }
      guard count > 0 else { return false }
      output.removeFirst(count)
    }
    return true
  }

  private func checkClocks() {
    let now = Self.now
    if let link, !link.isAlive(isExpected: !waiting.isEmpty, now: now) { loseServer() }
    for (id, request) in waiting where now - request.since >= Self.patience { giveUp(id, request) }
  }

  private func finishClosing() {
    guard let id = closing, waiting.isEmpty else { return }
    output += GoCacheAnswer.closed(id: id)
    closing = nil
    isOver = true
  }

  // MARK: - Go's requests

  private func take(_ event: GoCacheRequestParser.Event) {
    switch event {
    case .get(let id, let action): get(id, action)
    case .putStart(let id, let action, let output, let size):
      incoming = (id, action, output, size, BodyFile(output: output, places: places), true)
    case .body(let bytes):
      guard !bytes.isEmpty, let put = incoming, put.isSound, !put.file.write(bytes) else { return }
      incoming?.isSound = false
    case .putEnd(let isWhole): endPut(isWhole: isWhole)
    case .close(let id): closing = id
    case .unknown(let id): output += GoCacheAnswer.failed(id: id, reason: "fabrik: not understood")
    case .malformed: break
    }
  }

  private func get(_ id: Int64, _ action: [UInt8]) {
    guard kept[action] == nil, let link else { return answerWithoutServer(get: id, action) }
    waiting[id] = .get(action: action, since: Self.now)
    link.send(.get(id: id, action: action))
  }

  private func endPut(isWhole: Bool) {
    guard let put = incoming else { return }
    incoming = nil
    guard isWhole, put.isSound else {
      put.file.close()
      output += GoCacheAnswer.failed(id: put.id, reason: "fabrik: the body cannot be stored")
      return
    }
    let request = Waiting.put(
      action: put.action, output: put.output, size: put.size, put.file, since: Self.now)
    // A file in Go's cache is none that the server may have.
    guard let link, put.size == 0 || put.file.name != nil else { return giveUp(put.id, request) }
    kept[put.action] = nil
    waiting[put.id] = request
    link.send(.put(id: put.id, action: put.action, output: put.output, size: put.size, file: put.file.name ?? ""))
  }

  // MARK: - The server's answers

  private func take(_ reply: GoCacheLink.Reply) {
    switch reply {
    case .hit(let id, let digest, let size, let created, let path):
      guard waiting.removeValue(forKey: id) != nil else { return }
      output += GoCacheAnswer.hit(id: id, output: digest, size: size, created: created, path: diskPath(path))
    case .miss(let id):
      guard waiting.removeValue(forKey: id) != nil else { return }
      output += GoCacheAnswer.miss(id: id)
    case .stored(let id, let path):
      guard case .put(_, _, _, let file, _) = waiting.removeValue(forKey: id) else { return }
      file.handOver()
      output += GoCacheAnswer.stored(id: id, path: diskPath(path))
    case .refused(let id):
      guard let request = waiting[id] else { return }
      giveUp(id, request)
    case .ready, .pong: break
    }
  }

  // MARK: - Without a server

  private func loseServer() {
    link = nil
    places.server = nil
    for (id, request) in waiting { giveUp(id, request) }
  }

  /// Answers without the server.
  private func giveUp(_ id: Int64, _ request: Waiting) {
    waiting[id] = nil
    switch request {
    case .get(let action, _): answerWithoutServer(get: id, action)
    case .put(let action, let digest, let size, let file, _):
      guard let path = file.keep() else {
        output += GoCacheAnswer.failed(id: id, reason: "fabrik: the body cannot be stored")
        return
      }
      kept[action] = Kept(output: digest, size: size, path: path)
      output += GoCacheAnswer.stored(id: id, path: diskPath(path.bytes))
    }
  }

  /// Go may ask for what it has just put.
  private func answerWithoutServer(get id: Int64, _ action: [UInt8]) {
    guard let entry = kept[action] else {
      output += GoCacheAnswer.miss(id: id)
      return
    }
    var time = timespec()
    clock_gettime(CLOCK_REALTIME, &time)
    output += GoCacheAnswer.hit(
      id: id, output: entry.output, size: entry.size,
      created: UInt64(max(0, time.tv_sec)) * 1000 + UInt64(time.tv_nsec) / 1_000_000, path: diskPath(entry.path.bytes))
  }
}
