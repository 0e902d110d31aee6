import CacheStore
import Cryptography
import SystemPackage
import SystemSupport
import TestSupport
import Testing

@testable import PeerNetwork

@Suite("A team's keys")
struct TeamKeysTests {
  private static let secret = "correct horse battery staple 42"

  /// As Python's hashlib.scrypt and hmac make them of the same secret.
  private enum Expected {
    static let root = "04ea28eece2e407357af06ec6e596124425a41337ba010273e5da190b895a8a0"
    static let channelKey = "1888ff1fb99e5b9013e49c6c8f8c9a8fe96a56c1377b75d05a5a3df6b758b49f"
    static let requestKey = "5d33cb95e0aaaaf5d161a31425cdfa2ec5210fc52dc450dfee83f79778bb9380"
    static let scope = "5bc75f10ac6496c17360fc3c982daab9"
    static let tags: [UInt64: String] = [
      0: "4b3ce5a981b96f40", 19000: "45cc4ef6af70f0b4", 20000: "ce99131b78b00a48", 20001: "a37ff5967ecd4976",
    ]
    /// Of a secret beyond ASCII.
    static let otherSecret = "Schlüssel für alle — 机器 0123456789"
    static let otherRoot = "6c9b49b9ae24089e6c6f72d0f308ef24023130c14eea2d72d612f0a31ea44839"
    static let otherScope = "53bec5eb7c956ddc7fcea1b4143c54bd"
  }

  private func keys() throws -> TeamKeys {
    try TeamKeys(root: #require(Hex.decode(Array(Expected.root.utf8))))
  }

  @Test("are made of the secret by scrypt and HKDF")
  func vectors() throws {
    #expect(Hex.encode(try TeamKeys.root(secret: Self.secret)) == Expected.root)
    #expect(Hex.encode(try TeamKeys.root(secret: Expected.otherSecret)) == Expected.otherRoot)
    let keys = try keys()
    #expect(Hex.encode(keys.channelKey) == Expected.channelKey)
    #expect(Hex.encode(keys.requestKey) == Expected.requestKey)
  }

  @Test("tell the scope of the team's entries")
  func scope() throws {
    #expect(Hex.encode(try #require(TeamKeys.scope(secret: Self.secret)).tag) == Expected.scope)
    #expect(Hex.encode(try #require(TeamKeys.scope(secret: Expected.otherSecret)).tag) == Expected.otherScope)
  }

  @Test("mark the team's services differently each day")
  func tags() throws {
    let keys = try keys()
    for (day, tag) in Expected.tags { #expect(keys.announcementTag(day: day) == tag) }
    #expect(Set((0..<1000).map(keys.announcementTag)).count == 1000)
  }

  @Test("know the marks of yesterday, today and tomorrow")
  func clocks() throws {
    let keys = try keys()
    let tag = keys.announcementTag(day: 20000)
    for day: UInt64 in 19999...20001 { #expect(keys.announcementTags(around: day).contains(tag)) }
    for day: UInt64 in [0, 19998, 20002] { #expect(!keys.announcementTags(around: day).contains(tag)) }
    #expect(keys.announcementTags(around: 0).contains(keys.announcementTag(day: 0)))
    for wrong in ["", tag.uppercased(), String(tag.dropLast()), tag + "0"] {
      #expect(!keys.announcementTags(around: 20000).contains(wrong))
    }
    let others = try TeamKeys(root: [UInt8](repeating: 0, count: 32))
    #expect(!others.announcementTags(around: 20000).contains(tag))
  }

  @Test("are kept in a file for this user alone, so that they are derived once")
  func kept() throws {
    try withTemporaryDirectory { directory in
      let teams = directory.appending("data").appending("teams")
      let file = teams.appending(Expected.scope)
      #expect(!TeamKeys.areKept(secret: Self.secret, directory: teams))
      let first = try TeamKeys(secret: Self.secret, directory: teams)
      #expect(TeamKeys.areKept(secret: Self.secret, directory: teams))
      #expect(!TeamKeys.areKept(secret: Expected.otherSecret, directory: teams))
      #expect(try Files.permissions(file) == 0o600)
      #expect(try Files.permissions(teams) == 0o700)
      #expect(Files.all(below: directory) == [file])
      #expect(String(decoding: try Files.read(file), as: UTF8.self) == Expected.root + "\n")

      // What is in the file is what is used.
      try Files.write(String(repeating: "00", count: 32) + "\n", to: file)
      let changed = try TeamKeys(secret: Self.secret, directory: teams)
      #expect(changed.channelKey != first.channelKey)
    }
  }

  @Test("are derived again when the file is damaged", arguments: ["", "\n", "04ea28ee", "not hexadecimal at all"])
  func damaged(text: String) throws {
    try withTemporaryDirectory { directory in
      let file = directory.appending(Expected.scope)
      try Files.write(text, to: file)
      let keys = try TeamKeys(secret: Self.secret, directory: directory)
      #expect(Hex.encode(keys.channelKey) == Expected.channelKey)
      #expect(String(decoding: try Files.read(file), as: UTF8.self) == Expected.root + "\n")
      #expect(try Files.permissions(file) == 0o600)
    }
  }

  @Test("are derived all the same when they cannot be kept")
  func unkept() throws {
    try withTemporaryDirectory { directory in
      let file = directory.appending("a file")
      try Files.write("", to: file)
      let keys = try TeamKeys(secret: Self.secret, directory: file.appending("teams"))
      #expect(Hex.encode(keys.channelKey) == Expected.channelKey)
    }
  }

  @Test("find teammates among announcements, but not this server itself")
  func teammates() throws {
    let identity = try MachineIdentity(seed: [UInt8](repeating: 1, count: 32))
    let member = try TeamMember(keys: keys(), identity: identity, name: "a", now: { 20000 * 86_400_000 + 5 })
    #expect(member.instance.utf8.count == 16)
    #expect(member.announcementTag == Expected.tags[20000])
    let other = "0123456789abcdef"
    #expect(member.isTeammate(["v": "1", "id": other, "team": member.announcementTag]))
    #expect(member.isTeammate(["v": "1", "id": other, "team": try #require(Expected.tags[20001]), "more": "x"]))
    #expect(!member.isTeammate(["v": "1", "id": member.instance, "team": member.announcementTag]))
    #expect(!member.isTeammate(["v": "2", "id": other, "team": member.announcementTag]))
    #expect(!member.isTeammate(["v": "1", "id": other, "team": try #require(Expected.tags[19000])]))
    #expect(!member.isTeammate(["v": "1", "id": other]))
    #expect(!member.isTeammate([:]))
  }
}
