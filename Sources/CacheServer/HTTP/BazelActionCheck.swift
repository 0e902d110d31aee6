import CacheStore
import FrontEnds
import LayeredCache
import NIOCore

/// Sees to it that all is there that the result of one of Bazel's actions names: what only other layers have is
/// brought. Used on one event loop.
final class BazelActionCheck {
  /// What is brought at the same time.
  private static let width = 16
  /// Files that are looked for before other connections have their turn.
  private static let turn = 128
  /// By then it is known, or taken for a miss: half as long as Bazel waits. What comes later is there the next time.
  private static let patience = TimeAmount.seconds(10)

  private let cache: LayeredCache
  private let store: CacheStore
  private let account: StatisticsAccount
  private let loop: any EventLoop
  private let promise: EventLoopPromise<Bool>
  private var isDone = false
  private var trees: [Digest] = []
  private var wanted: [Digest] = []
  private var underWay = 0

  private init(_ server: ServerContext, _ account: StatisticsAccount, _ loop: any EventLoop) {
    cache = server.cache
    store = server.store
    self.account = account
    self.loop = loop
    promise = loop.makePromise()
  }

  /// Whether the entry is the result of an action and all that it names is in the local store now. Not counted as a
  /// lookup. To be called on the loop.
  static func isWhole(
    _ key: CacheKey, in server: ServerContext, for account: StatisticsAccount, on loop: any EventLoop
  ) -> EventLoopFuture<Bool> {
    let check = NIOLoopBound(BazelActionCheck(server, account, loop), eventLoop: loop)
    let timer = loop.scheduleTask(in: patience) { check.value.end(false) }
    server.cache.bring(key, for: account, on: loop).whenComplete { _ in check.value.begin(key) }
    let result = check.value.promise.futureResult
    result.whenComplete { _ in timer.cancel() }
    return result
  }

  private func begin(_ key: CacheKey) {
    guard !isDone else { return }
    guard let body = store.lookup(key)?.body(upTo: BazelActionResult.sizeLimit), let result = BazelActionResult(body)
    else {
      return end(false)
    }
    trees = result.trees.filter { $0 != BazelProtocol.emptyFile }
    wanted = result.files + trees
    goOn()
  }

  /// Looks for the next files, until all have been found or a place is wanted.
  private func goOn() {
    var count = 0
    while !isDone, underWay < Self.width, let digest = wanted.popLast() {
      guard let key = BazelProtocol.key(ofFile: digest) else { return end(false) }
      if !store.contains(key) { bring(key) }
      count += 1
      if count == Self.turn { return goOnLater() }
    }
    if !isDone, wanted.isEmpty, underWay == 0 { finish() }
  }

  private func goOnLater() {
    underWay += 1
    let this = NIOLoopBound(self, eventLoop: loop)
    loop.execute { this.value.arrived(true) }
  }

  private func bring(_ key: CacheKey) {
    underWay += 1
    let this = NIOLoopBound(self, eventLoop: loop)
    cache.bring(key, for: account, on: loop).whenComplete { result in
      // Most files are never asked for by themselves.
      this.value.account.takeAnswers(to: key)
      this.value.arrived((try? result.get()) == true)
    }
  }

  private func arrived(_ isThere: Bool) {
    underWay -= 1
    if isThere { goOn() } else { end(false) }
  }

  /// All that is known to be wanted is there: trees name further files.
  private func finish() {
    guard let tree = trees.popLast() else { return end(true) }
    guard let key = BazelProtocol.key(ofFile: tree),
      let body = store.lookup(key)?.body(upTo: BazelActionResult.treeSizeLimit),
      let files = BazelActionResult.files(ofTree: body)
    else { return end(false) }
    wanted = files
    goOnLater()
  }

  private func end(_ isWhole: Bool) {
    guard !isDone else { return }
    isDone = true
    promise.succeed(isWhole)
  }
}
