package import CacheStore
import SystemSupport

/// The keys that the next build of a project is expected to ask for, in order: those the last one got or stored.
///
/// It is kept as an entry of its own and travels like any other, so what is read may come from anybody in the team.
///
/// Format, little endian: magic `FBP1`; number of namespaces (1 byte); for each, its length (1) and its letters; number
/// of keys (4); for each, the place of its namespace among them (1), its length (1) and its bytes. Nothing follows.
struct BuildPlan: Sendable, Equatable {
  /// The namespace of the entries that hold plans.
  static let namespace = "fabrik-plan"

  /// Keys of a plan: twenty thousand compilations ask for fewer.
  static let limit = 65_536

  private static let magic = Array("FBP1".utf8)
  private static let mostNamespaces = 255

  /// The most that an encoded plan takes, in bytes.
  static let largestSize = 4 + 1 + mostNamespaces * 33 + 4 + limit * 130

  /// At least one, at most ``limit``; none is a plan's.
  let keys: [CacheKey]

  /// nil when there are no keys.
  init?(keys: some Sequence<CacheKey>) {
    self.keys = Array(keys.lazy.filter { $0.namespace != Self.namespace }.prefix(Self.limit))
    if self.keys.isEmpty { return nil }
  }

  /// The plan after one more build; nil when the old one is as good.
  ///
  /// A build that asked for much less than was planned was a partial one, of what had changed in a tree that was built
  /// before: a whole one asks for the rest as well. The order alone is no news: with several jobs it is never the same.
  init?(of build: [CacheKey], after old: BuildPlan?) {
    guard let old, !build.isEmpty else {
      self.init(keys: build)
      return
    }
    let (known, now) = (Set(old.keys), Set(build))
    if now.count < old.keys.count / 2 {
      let added = build.filter { !known.contains($0) }
      guard !added.isEmpty else { return nil }
      self.init(keys: added + old.keys)
    } else {
      guard now != known else { return nil }
      self.init(keys: build)
    }
  }

  var encoded: [UInt8] {
    var namespaces: [String] = []
    var places: [String: UInt8] = [:]
    var list: [UInt8] = []
    var count: UInt32 = 0
    for key in keys {
      if places[key.namespace] == nil {
        guard namespaces.count < Self.mostNamespaces else { continue }
        places[key.namespace] = UInt8(namespaces.count)
        namespaces.append(key.namespace)
      }
      guard let place = places[key.namespace] else { continue }
      count += 1
      list.append(place)
      list.append(UInt8(key.bytes.count))
      list += key.bytes
    }
    var bytes = Self.magic + [UInt8(namespaces.count)]
    for namespace in namespaces {
      bytes.append(UInt8(namespace.utf8.count))
      bytes += namespace.utf8
    }
    bytes.append(littleEndian: count)
    return bytes + list
  }

  /// nil when the bytes are not what ``encoded`` writes.
  init?(bytes: [UInt8]) {
    var rest = bytes[...]
    func take(_ count: Int) -> ArraySlice<UInt8>? {
      guard rest.count >= count else { return nil }
      defer { rest = rest.dropFirst(count) }
      return rest.prefix(count)
    }
    func counted() -> ArraySlice<UInt8>? {
      take(1)?.first.flatMap { take(Int($0)) }
    }
    guard bytes.count <= Self.largestSize, take(4).map(Array.init) == Self.magic, let kinds = take(1)?.first else {
      return nil
    }
    var namespaces: [String] = []
    for _ in 0..<kinds {
      guard let text = counted().flatMap({ String(validating: $0, as: UTF8.self) }), text != Self.namespace else {
        return nil
      }
      namespaces.append(text)
    }
    guard let count = take(4).map({ $0.reversed().reduce(0) { $0 << 8 | Int($1) } }), (1...Self.limit).contains(count)
    else { return nil }
    var keys: [CacheKey] = []
    for _ in 0..<count {
      guard let place = take(1)?.first, place < namespaces.count, let text = counted(),
        let key = CacheKey(namespace: namespaces[Int(place)], bytes: text)
      else { return nil }
      keys.append(key)
    }
    guard rest.isEmpty else { return nil }
    self.keys = keys
  }
}

extension CacheKey {
  /// Under which a project's plan is kept.
  ///
  /// - Parameter plan: 16 hexadecimal digits, as in the message `lease`; nil for anything else.
  package init?(plan: String) {
    guard let bytes = Hex.decode(Array(plan.utf8)), bytes.count == 8 else { return nil }
    self.init(namespace: BuildPlan.namespace, bytes: bytes)
  }
}
