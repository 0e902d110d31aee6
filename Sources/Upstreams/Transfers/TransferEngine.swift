import CCurl
import CacheStore
import Glibc
import NIOCore
import Synchronization
import SystemSupport

/// Performs requests with libcurl, on one thread of its own: connections are kept, answers of all of them are waited for
/// together, and lookups go before what is fetched ahead or sent up.
final class TransferEngine: Sendable {
  /// What a request is for; the first go first.
  enum Urgency: Int, CaseIterable, Sendable {
    /// A tool waits.
    case lookup
    /// Nobody waits yet.
    case prefetch
    case upload

    /// Requests of this kind, and of those that are more urgent, that may be under way together.
    fileprivate var limit: Int {
      switch self {
      case .lookup: 64
      case .prefetch: 48
      case .upload: 8
      }
    }
  }

  /// A transfer that is made when its turn has come: what it is signed with must be fresh.
  private struct Order: Sendable {
    let urgency: Urgency
    let tag: CacheKey?
    let make: @Sendable () -> Transfer?
  }

  private struct Queue: Sendable {
    var orders: [CircularBuffer<Order>] = .init(repeating: .init(), count: Urgency.allCases.count)
    var isStopping = false
  }

  /// libcurl's handle of all transfers. Only its wakeup is used on other threads, which libcurl allows.
  private struct Handle: @unchecked Sendable {
    let multi: UnsafeMutableRawPointer
  }

  private let queue = Mutex(Queue())
  private let handle: Handle
  private let thread = Mutex<WorkerThread?>(nil)

  /// Loads libcurl, which takes a few milliseconds.
  /// - Throws: when it cannot be loaded.
  init() throws {
    if let problem = fabrik_curl_load() { throw EngineFailure(description: String(cString: problem)) }
    guard let multi = fabrik_curl_multi_init() else { throw EngineFailure(description: "libcurl is out of memory") }
    handle = Handle(multi: multi)
    // As many connections as there may be lookups; more would be closed again at once.
    _ = fabrik_curl_multi_set_long(multi, CURLMOPT_MAXCONNECTS, Urgency.lookup.limit)
    do {
      let thread = try WorkerThread { self.run() }
      self.thread.withLock { $0 = thread }
    } catch {
      throw EngineFailure(description: "no thread: \(error)")
    }
  }

  /// A tool has begun to wait for what was to be fetched ahead: if it is still in the queue, it goes before the others.
  func expedite(_ tag: CacheKey) {
    queue.withLock { queue in
      let prefetch = Urgency.prefetch.rawValue
      guard let index = queue.orders[prefetch].firstIndex(where: { $0.tag == tag }) else { return }
      let order = queue.orders[prefetch].remove(at: index)
      queue.orders[Urgency.lookup.rawValue].append(Order(urgency: .lookup, tag: tag, make: order.make))
      wake()
    }
  }

  /// Queues a request. `make` is called on the engine's thread when its turn has come; nil: it is no longer wanted.
  ///
  /// - Parameter tag: for ``expedite(_:)``.
  func perform(_ urgency: Urgency, tag: CacheKey? = nil, _ make: @escaping @Sendable () -> Transfer?) {
    let isAccepted = queue.withLock { queue in
      guard !queue.isStopping else { return false }
      queue.orders[urgency.rawValue].append(Order(urgency: urgency, tag: tag, make: make))
      wake()
      return true
    }
    if !isAccepted { make()?.consumer.end(.stopped) }
  }

  /// Ends all transfers, those that wait included, with ``TransferFailure/stopped``. Blocks until that is done. To be
  /// called once.
  func stop() {
    queue.withLock { queue in
      queue.isStopping = true
      wake()
    }
    thread.withLock { $0.take() }?.end()
  }

  /// To be called with the queue locked: the thread frees the handle as soon as it has seen that it is to stop.
  private func wake() {
    _ = fabrik_curl_multi_wakeup(handle.multi)
  }

  // MARK: - On the thread

  /// Milliseconds between looks at those that may be late.
  private static let tick: CInt = 50
  private static let idlePatience: CInt = 60_000

  private func run() {
    var active: [UnsafeMutableRawPointer: ActiveTransfer] = [:]
    var counts = [Int](repeating: 0, count: Urgency.allCases.count)
    var spare: [UnsafeMutableRawPointer] = []
    var isStopping = false
    while true {
      while let order = nextOrder(counts: counts, isStopping: &isStopping) {
        guard let transfer = order.make() else { continue }
        guard let easy = spare.popLast() ?? fabrik_curl_easy_init() else {
          transfer.consumer.end(.other("libcurl is out of memory"))
          continue
        }
        let item = ActiveTransfer(handle: easy, urgency: order.urgency, transfer: transfer)
        item.configure()
        transfer.begin = .now()
        active[easy] = item
        counts[order.urgency.rawValue] += 1
        _ = fabrik_curl_multi_add(handle.multi, easy)
      }
      if isStopping { break }
      var running: CInt = 0
      _ = fabrik_curl_multi_perform(handle.multi, &running)
      var code = CURLE_OK
      let before = active.count
      while let easy = fabrik_curl_multi_next_done(handle.multi, &code) {
        guard let item = active.removeValue(forKey: easy) else { continue }
        counts[item.urgency.rawValue] -= 1
        finish(item, code, &spare)
      }
      let now = NIODeadline.now()
      for item in active.values.filter({ Self.isLate($0.transfer, now) }) {
        active[item.handle] = nil
        counts[item.urgency.rawValue] -= 1
        finish(item, CURLE_OPERATION_TIMEDOUT, &spare)
      }
      // There is room for those that wait: nothing would wake the thread for them.
      if active.count < before { continue }
      _ = fabrik_curl_multi_poll(handle.multi, active.isEmpty ? Self.idlePatience : Self.tick)
    }
    for item in active.values {
      item.transfer.interruption = .stopped
      finish(item, CURLE_ABORTED_BY_CALLBACK, &spare)
    }
    for easy in spare { fabrik_curl_easy_cleanup(easy) }
    _ = fabrik_curl_multi_cleanup(handle.multi)
  }

  private func nextOrder(counts: [Int], isStopping: inout Bool) -> Order? {
    let result: (Order?, [Order], Bool) = queue.withLock { queue in
      if queue.isStopping {
        let rest = queue.orders.flatMap { $0 }
        queue.orders = .init(repeating: .init(), count: Urgency.allCases.count)
        return (nil, rest, true)
      }
      var underWay = 0
      for urgency in Urgency.allCases {
        underWay += counts[urgency.rawValue]
        if underWay < urgency.limit, !queue.orders[urgency.rawValue].isEmpty {
          return (queue.orders[urgency.rawValue].removeFirst(), [], false)
        }
      }
      return (nil, [], false)
    }
    isStopping = result.2
    for order in result.1 { order.make()?.consumer.end(.stopped) }
    return result.0
  }

  private static func isLate(_ transfer: Transfer, _ now: NIODeadline) -> Bool {
    if let answered = transfer.answeredAt {
      guard transfer.consumer.isTooSlow(received: transfer.received, since: answered) else { return false }
      transfer.interruption = .tooSlow
      return true
    }
    if let upload = transfer.upload, transfer.sent < upload.size,
      transfer.consumer.isTooSlow(sent: transfer.sent, since: transfer.begin)
    {
      transfer.interruption = .tooSlow
      return true
    }
    guard (now - (transfer.sentAt ?? transfer.begin)).nanoseconds / 1_000_000 > transfer.patience else { return false }
    transfer.interruption = .stalled
    return true
  }

  private func finish(_ item: ActiveTransfer, _ code: CURLcode, _ spare: inout [UnsafeMutableRawPointer]) {
    let transfer = item.transfer
    var failure = transfer.interruption ?? Self.failure(of: code, item.handle)
    _ = fabrik_curl_multi_remove(handle.multi, item.handle)
    if spare.count < Urgency.lookup.limit {
      fabrik_curl_easy_reset(item.handle)
      spare.append(item.handle)
    } else {
      fabrik_curl_easy_cleanup(item.handle)
    }
    // A store that refuses a body need not receive all of it before it closes the connection.
    if failure == .reset, transfer.answeredAt != nil, transfer.head.status >= 400 { failure = nil }
    if failure == nil, !transfer.announceHead() { failure = .givenUp }
    transfer.consumer.end(failure)
  }

  private static func failure(of code: CURLcode, _ easy: UnsafeMutableRawPointer) -> TransferFailure? {
    let text = String(cString: fabrik_curl_easy_strerror(code))
    if code != CURLE_OK, let status = proxyRefusal(easy) { return .proxyRefused(status) }
    switch code {
    case CURLE_OK: return nil
    case CURLE_COULDNT_RESOLVE_HOST: return .unresolvable
    case CURLE_COULDNT_RESOLVE_PROXY: return .proxyUnresolvable
    case CURLE_COULDNT_CONNECT: return .refused
    case CURLE_OPERATION_TIMEDOUT: return .stalled
    case CURLE_WRITE_ERROR, CURLE_ABORTED_BY_CALLBACK: return .givenUp
    case CURLE_RECV_ERROR, CURLE_SEND_ERROR, CURLE_GOT_NOTHING, CURLE_PARTIAL_FILE, CURLE_HTTP2, CURLE_HTTP2_STREAM:
      return .reset
    case CURLE_SSL_CONNECT_ERROR: return .handshake
    case CURLE_PEER_FAILED_VERIFICATION, CURLE_SSL_CACERT_BADFILE: return .tls(text)
    default: return .other(text)
    }
  }

  /// The status with which a proxy refused a tunnel; nil: it did not.
  private static func proxyRefusal(_ easy: UnsafeMutableRawPointer) -> Int? {
    var status = 0
    guard fabrik_curl_get_long(easy, CURLINFO_HTTP_CONNECTCODE, &status) == CURLE_OK else { return nil }
    return status >= 300 ? status : nil
  }
}

/// libcurl cannot be used.
struct EngineFailure: Error, CustomStringConvertible {
  let description: String
}
