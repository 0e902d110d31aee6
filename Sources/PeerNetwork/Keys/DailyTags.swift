import Cryptography
import Synchronization

/// The tags by which the team's services are known today. They are looked up with each record that anybody sends, and
/// change once a day.
final class DailyTags: Sendable {
  private let keys: TeamKeys
  private let known = Mutex<(day: UInt64, tags: Set<String>)?>(nil)

  init(keys: TeamKeys) {
    self.keys = keys
  }

  /// Whether a tag is the team's, by a clock that may be a day off.
  ///
  /// - Parameter day: days since 1970.
  func contains(_ tag: String, day: UInt64) -> Bool {
    known.withLock { known in
      if let known, known.day == day { return known.tags.contains(tag) }
      let tags = keys.announcementTags(around: day)
      known = (day, tags)
      return tags.contains(tag)
    }
  }
}
