/// What a message tells of an instance, which may be only a part.
struct ServiceDraft {
  var pointerLifetime: UInt32?
  var service: (port: UInt16, host: DNSName, lifetime: UInt32)?
  var text: [String: String]?

  var isGoodbye: Bool { pointerLifetime == 0 || service?.lifetime == 0 }

  /// With what an earlier message told.
  func merged(with earlier: ServiceDraft) -> ServiceDraft {
    ServiceDraft(
      pointerLifetime: pointerLifetime ?? earlier.pointerLifetime, service: service ?? earlier.service,
      text: text ?? earlier.text)
  }
}

/// Instances of which only a part has been heard. Most responders tell all in one packet, so this table is small, and a
/// flood of halves can only push out other halves.
struct FragmentTable {
  private struct Key: Hashable {
    let name: DNSName
    let interface: UInt32
  }

  private struct Fragment {
    var draft: ServiceDraft
    var question: FollowUp
    let since: Instant
  }

  private var fragments: [Key: Fragment] = [:]

  static let most = 64
  static let mostQuestions = 8
  private static let longestWait = Duration.seconds(10)

  var count: Int { fragments.count }

  mutating func remove(_ name: DNSName, interface: UInt32) {
    fragments[Key(name: name, interface: interface)] = nil
  }

  mutating func remove(interface: UInt32) {
    fragments = fragments.filter { $0.key.interface != interface }
  }

  /// The whole of which this is the last part; nil, and the part is kept, when there is more to come.
  /// - Parameter text: What is known from elsewhere.
  mutating func completed(
    _ draft: ServiceDraft, text: [String: String]?, _ name: DNSName, interface: UInt32, now: Instant
  ) -> ServiceDraft? {
    let key = Key(name: name, interface: interface)
    var whole = fragments[key].map { draft.merged(with: $0.draft) } ?? draft
    whole.text = whole.text ?? text
    if whole.service != nil, whole.text != nil {
      fragments[key] = nil
      return whole
    }
    if fragments[key] == nil {
      if fragments.count >= Self.most, let oldest = fragments.min(by: { $0.value.since < $1.value.since }) {
        fragments[oldest.key] = nil
      }
      fragments[key] = Fragment(draft: whole, question: FollowUp(now: now), since: now)
    } else {
      fragments[key]!.draft = whole
    }
    return nil
  }

  func nextQuestion(interface: UInt32) -> Instant? {
    fragments.lazy.filter { $0.key.interface == interface }.compactMap(\.value.question.due).min()
  }

  mutating func takeQuestions(interface: UInt32, now: Instant) -> [DNSQuestion] {
    let due = fragments.filter { key, fragment in
      key.interface == interface && fragment.question.due.map { $0 <= now } ?? false
    }
    return due.keys.prefix(Self.mostQuestions).map { key in
      fragments[key]!.question.note(now: now)
      return DNSQuestion(name: key.name, type: DNSType.any)
    }
  }

  /// Forgets what has been waited for long enough.
  mutating func expire(now: Instant) {
    fragments = fragments.filter { now - $0.value.since < Self.longestWait }
  }
}
