import Cryptography
import PeerRecords
import SystemSupport

/// This server as its team sees it: the team's keys, the machine's identity, and the name of this start.
struct TeamMember: Sendable {
  let keys: TeamKeys
  let security: ChannelSecurity
  let identity: MachineIdentity
  /// 16 hexadecimal digits, new with each start of a server.
  let instance: String
  /// What the owner calls the machine.
  let name: String
  /// Milliseconds since 1970.
  let now: @Sendable () -> UInt64
  private let tags: DailyTags

  init(keys: TeamKeys, identity: MachineIdentity, name: String, now: @escaping @Sendable () -> UInt64) throws {
    self.keys = keys
    tags = DailyTags(keys: keys)
    self.identity = identity
    self.name = name
    self.now = now
    security = try ChannelSecurity(key: keys.channelKey)
    instance = Hex.encode(withUnsafeBytes(of: UInt64.random(in: 0...UInt64.max), Array.init))
  }

  /// Milliseconds of a day.
  private static let day: UInt64 = 86_400_000

  var announcementTag: String { keys.announcementTag(day: now() / Self.day) }

  /// With these an answer tells this machine's time.
  var timeFields: [String: String] { [RequestSignature.timeField: String(now())] }

  /// Whether a service that announces itself so is of this team, and not this one.
  func isTeammate(_ text: [String: String]) -> Bool {
    guard text["v"] == "1", let tag = text["team"], text["id"] != instance else { return false }
    return tags.contains(tag, day: now() / Self.day)
  }
}
