import BuildRecords
import CacheStore
import ControlProtocol
import NIOCore

/// Which way each lookup of a build went, for whoever asks why it was a miss. Most lookups of a build go one of a few
/// ways, so that one costs two words beside its key. What goes beyond the limits is counted, but not listed.
struct LookupLog: Sendable {
  /// Lookups that are listed: the misses and the hits, each. Ten thousand compilations that all miss make more, but
  /// those of the rest mostly missed for the same reasons. With their keys they take 2 MB.
  private static let limit = 1 << 14
  /// What upstreams say may be different each time.
  private static let mostTrails = 256
  /// Answers of the layers to lookups that have not been finished. Some never are; what is older is forgotten with
  /// them.
  private static let mostOpen = 4096

  private var begin = NIODeadline.now()
  private var trails: [BuildRecord.Trail] = []
  private var places: [[LookupStep]: Int] = [:]
  private var lookups: [BuildRecord.Lookup] = []
  private var listed = (hits: 0, misses: 0)
  private var stored: Set<CacheKey> = []
  private var open: [CacheKey: [[LookupStep]]] = [:]
  private var openCount = 0
  /// The trail of the hits in the local store.
  private var local: Int?

  // MARK: - On the way

  /// What the layers that were asked have answered, until the lookup is finished.
  mutating func answered(_ key: CacheKey, _ steps: [LookupStep]) {
    // What nobody finishes must not cost those who finish theirs.
    if openCount >= Self.mostOpen { (open, openCount) = ([:], 0) }
    open[key, default: []].append(steps)
    openCount += 1
  }

  mutating func takeAnswers(to key: CacheKey) -> [LookupStep] {
    guard !open.isEmpty, var answers = open[key], let last = answers.popLast() else { return [] }
    open[key] = answers.isEmpty ? nil : answers
    openCount -= 1
    return last
  }

  // MARK: - At the end

  mutating func noteLocalHit(_ key: CacheKey) {
    let place = local ?? place(of: [LookupStep(.local, LayerOutcome(.hit))])
    local = place
    note(key, place, isHit: true)
  }

  mutating func note(_ key: CacheKey, _ steps: [LookupStep]) {
    note(key, place(of: steps), isHit: steps.last?.outcome.kind == .hit)
  }

  private mutating func note(_ key: CacheKey, _ place: Int, isHit: Bool) {
    trails[place].count += 1
    guard (isHit ? listed.hits : listed.misses) < Self.limit else { return }
    if isHit { listed.hits += 1 } else { listed.misses += 1 }
    lookups.append(.init(key: key, trail: place, milliseconds: (.now() - begin).nanoseconds / 1_000_000))
  }

  private mutating func place(of steps: [LookupStep]) -> Int {
    // The last one is it more often than not, and to compare is faster than to hash.
    if let last = lookups.last?.trail, trails[last].steps == steps { return last }
    if let place = places[steps] { return place }
    // Without what makes them many.
    guard trails.count < Self.mostTrails || steps.allSatisfy(\.outcome.isPlain) else {
      return place(of: steps.map { LookupStep($0.layer, LayerOutcome($0.outcome.kind)) })
    }
    places[steps] = trails.count
    trails.append(.init(steps: steps))
    return trails.count - 1
  }

  /// The last hit of a key was none.
  mutating func retractHit(_ key: CacheKey) {
    guard let index = lookups.lastIndex(where: { $0.key == key && !trails[$0.trail].isMiss }) else { return }
    trails[lookups[index].trail].count -= 1
    lookups.remove(at: index)
    listed.hits -= 1
  }

  mutating func noteStored(_ key: CacheKey) {
    if stored.count < Self.limit { stored.insert(key) }
  }

  /// What is known so far, put into a record.
  func fill(_ record: inout BuildRecord) {
    record.trails = trails
    record.lookups = lookups
    for index in lookups.indices { record.lookups[index].isStored = stored.contains(lookups[index].key) }
  }
}

extension LayerOutcome {
  fileprivate var isPlain: Bool { number == 0 && detail.isEmpty }
}
