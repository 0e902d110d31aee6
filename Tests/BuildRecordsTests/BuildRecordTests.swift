import BuildRecords
import CacheStore
import ControlProtocol
import Glibc
import SystemPackage
import SystemSupport
import TestSupport
import Testing

@Suite("What is kept of a build")
struct BuildRecordTests {
  private func record(begin: UInt64 = 1_700_000_000_000, end: UInt64? = nil) -> BuildRecord {
    var record = BuildRecord(
      process: 42, begin: begin, end: end, command: "make -j8 'a b'", directory: "/home/ada/α β",
      scope: Scope(tag: [UInt8](repeating: 7, count: Scope.tagLength)))
    record.trails = [
      .init(steps: [LookupStep(.local, LayerOutcome(.hit))], count: 3),
      .init(
        steps: [
          LookupStep(.local, LayerOutcome(.evicted)),
          LookupStep(.peers, LayerOutcome(.unheld, number: 3, detail: "laptop: consent\npending")),
          LookupStep(
            .s3, place: "s3://builds/fabrik", LayerOutcome(.suspended, number: 17, detail: " is = 100 % full")),
        ], count: 2),
    ]
    record.lookups = [
      .init(key: CacheKey(test: 1), trail: 1, milliseconds: 12, isStored: true),
      .init(key: CacheKey(test: 2), trail: 0, milliseconds: 900),
    ]
    return record
  }

  @Test("is read as it was written")
  func roundTrip() {
    for record in [
      record(), record(end: 1_700_000_001_000), BuildRecord(process: 1, begin: 1, command: "", directory: ""),
    ] {
      #expect(BuildRecord(encoded: record.encoded) == record)
    }
    #expect(record().misses == 2 && record().lookupCount == 5)
  }

  @Test("is read as far as it is whole, whatever bytes there are")
  func damaged() {
    let bytes = record().encoded
    for count in 0..<bytes.count { _ = BuildRecord(encoded: Array(bytes[..<count])) }
    for index in bytes.indices {
      var changed = bytes
      changed[index] ^= 0x15
      _ = BuildRecord(encoded: changed)
    }
    #expect(BuildRecord(encoded: []) == nil)
    #expect(BuildRecord(encoded: Array("trail count=1\n".utf8)) == nil)
    let text = String(decoding: bytes, as: UTF8.self)
    for line in [
      "7 1 - test/01", "0 1 - test/0", "0 -1 - test/01", "0 1 - te!st/01", "0 1 test/01",
      "99999999999999999999 1 - a/01",
    ] {
      #expect(BuildRecord(encoded: Array((text + line + "\n").utf8))?.lookups == record().lookups, "\(line)")
    }
  }

  @Test("is kept for its owner alone, of the last ten builds, the latest first")
  func history() throws {
    try withTemporaryDirectory { directory in
      let state = directory.appending("state")
      let history = BuildHistory(stateDirectory: state)
      #expect(history.all().isEmpty)
      for begin in [5, 30, 20, 1_700_000_000_000] + Array(40..<48) { try history.keep(record(begin: UInt64(begin))) }
      #expect(history.all().map(\.begin) == [1_700_000_000_000, 47, 46, 45, 44, 43, 42, 41, 40, 30])
      try history.keep(record(begin: 47, end: 99))
      #expect(history.all().count == BuildHistory.limit && history.all()[1].end == 99)
      let builds = state.appending("builds")
      let names = try FileSystem.entries(of: builds)
      #expect(names.count == BuildHistory.limit)
      for name in names { #expect(try FileSystem.status(builds.appending(name)).st_mode & 0o777 == 0o600) }
      #expect(try FileSystem.status(builds).st_mode & 0o777 == 0o700)
      try SmallFile.replace(builds.appending("99999999999999-1"), with: "nonsense")
      #expect(history.all().count == BuildHistory.limit - 1, "what cannot be read is left out")
    }
  }
}
