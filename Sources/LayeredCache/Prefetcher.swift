package import CacheStore
package import NIOCore

/// Fetches for one build, before its tools ask, what the last build of the same project and command asked for. To be
/// used on its event loop only.
///
/// Nothing waits for it. What it fetches goes the way of tools' lookups, so a tool that asks for a key that is on its
/// way waits for that; layers let tools go first.
package final class Prefetcher {
  package struct Limits: Sendable {
    /// Requests under way. Enough for 260 objects a second where each takes 120 ms, and to fill a line of 100 MB/s with
    /// objects of 30 kB over 10 ms.
    package var concurrency = 32
    /// Bytes fetched; what is under way then comes as well. What a large project's objects take, and half a minute of
    /// a slow line.
    package var bytes: UInt64 = 512 << 20
    /// From the build's beginning. Later, tools have asked for most of it themselves.
    package var time = TimeAmount.seconds(30)

    package init() {}
  }

  /// An old plan shows by what layers do not have: all of so many at the beginning,
  private static let firstMisses = 32
  /// or more than half, once so many have been asked for.
  private static let fairSample = 128
  /// A store must not lose for a plan what it holds for everything else: a plan may take this part of it.
  private static let storePart: UInt64 = 4
  /// Keys looked at in one go: a fifth of a millisecond, for which tools wait on the same loop.
  private static let mostSteps = 64
  /// How often a plan is asked for.
  private static let mostPlanQuestions = 3
  /// Layers and peers come up while a build is running already: they are looked at again after pauses that grow.
  private static let shortestPause = TimeAmount.milliseconds(20)
  private static let longestPause = TimeAmount.seconds(2)

  private let cache: LayeredCache
  private let planKey: CacheKey
  private let account: StatisticsAccount
  private let loop: any EventLoop
  private let limits: Limits
  private let end: NIODeadline
  private let mostBytes: UInt64

  private var plan: BuildPlan?
  private var planQuestions = 0
  /// What is still to be looked at.
  private var waiting: ArraySlice<CacheKey> = []
  /// What no layer may hold, as far as was known.
  private var unknown: [CacheKey] = []
  private var underWay = 0
  private var answers = 0
  private var misses = 0
  private var bytes: UInt64 = 0
  private var pause = Prefetcher.shortestPause
  private var timer: Scheduled<Void>?
  private var isFilling = false
  private(set) var isOver = false

  /// - Parameters:
  ///   - plan: the key of the plan, by ``CacheStore/CacheKey/init(plan:)``.
  ///   - account: of the build, which begins now. Layers that it does not admit are not asked.
  package init(
    cache: LayeredCache, plan: CacheKey, account: StatisticsAccount, loop: any EventLoop, limits: Limits = .init()
  ) {
    self.cache = cache
    planKey = plan
    self.account = account
    self.loop = loop
    self.limits = limits
    end = loop.now + limits.time
    mostBytes = min(limits.bytes, cache.local.maxSize / Self.storePart)
  }

  /// Begins, as soon as the layers know what they hold.
  package func start() {
    timer = nil
    guard isWorthwhile else { return stop() }
    guard let settling = cache.settling(for: account, on: loop) else { return look() }
    let this = NIOLoopBound(self, eventLoop: loop)
    settling.whenComplete { _ in this.value.look() }
  }

  /// Asks for nothing more. What is under way still comes.
  package func stop() {
    isOver = true
    timer?.cancel()
    waiting = []
    unknown = []
  }

  /// Whether to go on: the budget is not used up, and the plan seems to be of use.
  private var isWorthwhile: Bool {
    let isStale =
      answers == misses && misses >= Self.firstMisses || answers >= Self.fairSample && misses * 2 > answers
    return !isOver && !isStale && bytes < mostBytes && loop.now < end
  }

  private func lookAgain() {
    guard isWorthwhile else { return stop() }
    let this = NIOLoopBound(self, eventLoop: loop)
    timer = loop.scheduleTask(in: pause) { this.value.start() }
    pause = min(Self.longestPause, pause * 2)
  }

  private func look() {
    guard isWorthwhile else { return stop() }
    guard !cache.layers(for: account).isEmpty else { return lookAgain() }
    guard plan == nil else {
      waiting = unknown[...]
      unknown = []
      return fill()
    }
    if let plan = cache.plan(planKey) { follow(plan) } else { askForPlan() }
  }

  private func askForPlan() {
    guard let answer = cache.fetchPlan(planKey, for: account, on: loop) else { return lookAgain() }
    planQuestions += 1
    let this = NIOLoopBound(self, eventLoop: loop)
    answer.whenSuccess { fetched in
      let prefetcher = this.value
      guard prefetcher.isWorthwhile else { return prefetcher.stop() }
      // A small one may not have been stored yet.
      let plan =
        prefetcher.cache.plan(prefetcher.planKey)
        ?? fetched?.body.flatMap { BuildPlan(bytes: Array($0.readableBytesView)) }
      if let plan { return prefetcher.follow(plan) }
      if prefetcher.planQuestions < Self.mostPlanQuestions { prefetcher.lookAgain() } else { prefetcher.stop() }
    }
  }

  private func follow(_ plan: BuildPlan) {
    self.plan = plan
    waiting = plan.keys[...]
    fill()
  }

  /// Asks for as much as may be under way.
  private func fill() {
    guard !isFilling, timer == nil else { return }
    isFilling = true
    defer { isFilling = false }
    var steps = 0
    while underWay < limits.concurrency, !waiting.isEmpty {
      guard isWorthwhile else { return stop() }
      if steps == Self.mostSteps { return fillLater() }
      steps += 1
      consider(waiting.removeFirst())
    }
    if underWay == 0, !isOver { unknown.isEmpty ? stop() : lookAgain() }
  }

  private func fillLater() {
    let this = NIOLoopBound(self, eventLoop: loop)
    loop.execute { this.value.fill() }
  }

  private func consider(_ key: CacheKey) {
    switch cache.prefetch(key, for: account, on: loop) {
    case .unknown: unknown.append(key)
    case .unneeded: break
    case .asked(let answer):
      underWay += 1
      let this = NIOLoopBound(self, eventLoop: loop)
      answer.whenSuccess { this.value.take($0) }
    }
  }

  private func take(_ fetched: FetchedEntry?) {
    answers += 1
    guard let fetched else {
      misses += 1
      return next()
    }
    bytes += fetched.size
    guard let stored = fetched.stored else { return next() }
    let this = NIOLoopBound(self, eventLoop: loop)
    // No faster than what comes can be stored.
    stored.hop(to: loop).whenComplete { _ in this.value.next() }
  }

  private func next() {
    underWay -= 1
    if !isOver { fill() }
  }
}
