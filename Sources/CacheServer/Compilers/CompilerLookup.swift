import CacheStore
import ControlProtocol
import Cryptography
import FrontEnds
import LayeredCache
import NIOCore

/// Looks for the result of one of the compilers' actions with all the objects that it names, or for one object: what
/// only other layers have is brought, all of it at the same time. Used on one event loop.
///
/// Nothing is counted: compilers' scanners ask for much that is never stored.
final class CompilerLookup {
  enum Outcome {
    case found(Found)
    /// And why.
    case missing([LookupStep])
  }

  struct Found {
    /// Of a ``CompilerAction``; empty when an object was looked for.
    let body: [UInt8]
    /// Of the separate objects, in their order.
    let files: [BlobFile]
    let objects: [Object]
    let hit: StatisticsAccount.Hit
  }

  struct Object {
    let digest: Digest
    let key: CacheKey
    /// Bytes; nil: not known.
    let size: UInt64?

    init?(_ digest: Digest, size: UInt64? = nil) {
      guard let key = CompilerCacheLink.key(ofObject: digest) else { return nil }
      self.digest = digest
      self.key = key
      self.size = size
    }
  }

  /// By then it is known, or taken for a miss. What comes later is there the next time.
  private static let patience = TimeAmount.seconds(10)

  /// nil: an object is looked for.
  private let key: CacheKey?
  private let cache: LayeredCache
  private let store: CacheStore
  private let account: StatisticsAccount
  private let loop: any EventLoop
  private let completion: (Outcome) -> Void
  private var timer: Scheduled<Void>?
  private var duration: UInt32?
  private var body: [UInt8] = []
  private var objects: [Object]
  private var underWay = 0
  private var files: [BlobFile] = []
  private(set) var isOver = false

  /// - Parameters:
  ///   - key: of an action.
  ///   - completion: called once, on the loop.
  convenience init(
    action key: CacheKey, in server: ServerContext, for account: StatisticsAccount, on loop: any EventLoop,
    completion: @escaping (Outcome) -> Void
  ) {
    self.init(key, [], server, account, loop, completion)
  }

  /// - Parameter completion: called once, on the loop.
  convenience init(
    object: Object, in server: ServerContext, for account: StatisticsAccount, on loop: any EventLoop,
    completion: @escaping (Outcome) -> Void
  ) {
    self.init(nil, [object], server, account, loop, completion)
  }

  private init(
    _ key: CacheKey?, _ objects: [Object], _ server: ServerContext, _ account: StatisticsAccount, _ loop: any EventLoop,
    _ completion: @escaping (Outcome) -> Void
  ) {
    self.key = key
    self.objects = objects
    cache = server.cache
    store = server.store
    self.account = account
    self.loop = loop
    self.completion = completion
  }

  /// Begins. Unless ``isOver`` afterwards, others have been asked, and it takes a while.
  func start() {
    let this = NIOLoopBound(self, eventLoop: loop)
    if let key {
      cache.bring(key, for: account, on: loop).whenComplete { _ in this.value.readAction(key) }
    } else {
      bringObjects()
    }
    guard !isOver else { return }
    timer = loop.scheduleTask(in: Self.patience) { this.value.giveUp() }
  }

  /// Calls nobody any more. What is under way still comes.
  func stop() {
    isOver = true
    timer?.cancel()
  }

  private func readAction(_ key: CacheKey) {
    guard !isOver else { return }
    guard let entry = store.lookup(key) else { return miss(key) }
    guard let body = entry.body(upTo: CompilerAction.sizeLimit), let action = CompilerAction(body),
      action.hasSoundBodies
    else { return rejectAction() }
    self.body = body
    duration = entry.record.duration
    objects = action.separate.compactMap { Object($0.digest, size: $0.size) }
    bringObjects()
  }

  private func bringObjects() {
    // One more, so that it does not end before all have been asked for.
    underWay = 1
    let this = NIOLoopBound(self, eventLoop: loop)
    for object in objects where !isOver {
      underWay += 1
      cache.bring(object.key, for: account, on: loop).whenComplete { result in
        this.value.arrived(object.key, isThere: (try? result.get()) == true)
      }
    }
    arrived(nil, isThere: true)
  }

  private func arrived(_ key: CacheKey?, isThere: Bool) {
    guard !isOver else { return }
    underWay -= 1
    if let key {
      guard isThere else { return miss(key) }
      // It is not counted by itself.
      account.takeAnswers(to: key)
    }
    if underWay == 0 { openNext() }
  }

  /// Opens the objects' files. A file that this server has not seen is read: others have their turn in between.
  private func openNext() {
    while !isOver, files.count < objects.count {
      let object = objects[files.count]
      guard let entry = store.lookup(object.key) else { return miss(object.key) }
      guard object.size == nil || object.size == entry.size, CompilerObject.isObject(entry) else {
        return rejectAction()
      }
      let isVerified = entry.isVerified
      guard let file = entry.file() else { return miss(object.key) }
      files.append(file)
      if !isVerified {
        let this = NIOLoopBound(self, eventLoop: loop)
        return loop.execute { this.value.openNext() }
      }
    }
    finish()
  }

  private func finish() {
    guard !isOver else { return }
    var source: FetchedEntry?
    for key in [key].compactMap({ $0 }) + objects.map(\.key) {
      // All of it came from where the last of it came from.
      if let other = account.takePrefetched(key), other.layer > source?.layer ?? .local { source = other }
    }
    let size = objects.reduce(UInt64(body.count)) { $0 + ($1.size ?? 0) }
    let hit = StatisticsAccount.Hit(
      layer: source?.layer ?? .local, bytes: size, duration: duration, peer: source?.peer)
    end(.found(Found(body: body, files: files, objects: objects, hit: hit)))
  }

  /// What is there is not the result of an action.
  private func rejectAction() {
    if let key {
      _ = store.remove(key)
      account.takeAnswers(to: key)
    }
    end(.missing([LookupStep(.local, LayerOutcome(.damaged))]))
  }

  private func giveUp() {
    // The action's own, unless only an object of it has not come.
    let late = objects.first { !store.contains($0.key) }?.key ?? key
    if let late { miss(late, isLate: true) }
  }

  private func miss(_ missing: CacheKey, isLate: Bool = false) {
    guard !isOver else { return }
    let steps = cache.takeMiss(of: missing, isLate: isLate, for: account)
    if let key, missing != key { account.takeAnswers(to: key) }
    end(.missing(steps))
  }

  private func end(_ outcome: Outcome) {
    guard !isOver else { return }
    stop()
    completion(outcome)
  }
}

extension CompilerAction {
  /// Whether the bodies in it are what their digests say.
  var hasSoundBodies: Bool {
    inlineObjects.allSatisfy { OpenSSL.sha256(Array($0.body)) == $0.digest.bytes }
  }
}

extension CompilerObject {
  /// Whether an entry can be an object, by its beginning.
  fileprivate static func isObject(_ entry: OpenEntry) -> Bool {
    if let body = entry.inlineBody { return isHead(body.prefix(headLength), ofSize: entry.size) }
    var head = [UInt8](repeating: 0, count: headLength)
    let isRead = head.withUnsafeMutableBytes { entry.blob?.read(at: 0, into: $0) == true }
    return isRead && isHead(head[...], ofSize: entry.size)
  }
}
