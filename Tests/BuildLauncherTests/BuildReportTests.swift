import BuildLauncher
import ControlProtocol
import Testing

@Suite("What is said when the command has ended")
struct BuildReportTests {
  private func report(_ change: (inout LeaseStatistics) -> Void = { _ in }) -> BuildReport {
    var statistics = LeaseStatistics()
    change(&statistics)
    return BuildReport(statistics: statistics, exitStatus: 2, elapsed: .milliseconds(12_345))
  }

  @Test("nothing, when no tool asked for anything")
  func silence() {
    #expect(report().line == nil)
  }

  @Test("one line, with every layer that answered, nearest first")
  func line() {
    let line = report {
      $0.lookups = 424
      $0.hits = [.regional: 2, .local: 380, .peers: 30, .s3: 0]
      $0.bytes = [.local: 180_000_000, .peers: 4_000_000]
      $0.stored = 12
      $0.storedBytes = 999
      $0.savedMilliseconds = 192_000
    }.line
    #expect(
      line
        == "fabrik: 412 hits (380 local, 30 peers, 2 regional) · 12 misses · 184 MB · 999 B stored · about 3m 12s saved"
    )
  }

  @Test("what was stored, when there was nothing to fetch")
  func stored() {
    let line = report {
      $0.lookups = 68
      $0.stored = 68
      $0.storedBytes = 308_000
    }.line
    #expect(line == "fabrik: 0 hits · 68 misses · 308 kB stored")
  }

  @Test("one is not plural")
  func singular() {
    let line = report {
      $0.lookups = 2
      $0.hits = [.local: 1]
      $0.bytes = [.local: 1]
    }.line
    #expect(line == "fabrik: 1 hit (1 local) · 1 miss · 1 B")
  }

  @Test(
    "no word of savings too small to notice",
    arguments: [(49, ""), (50, " · about 50 ms saved"), (60_000, " · about 1m 00s saved")] as [(Int64, String)])
  func saved(milliseconds: Int64, text: String) {
    let line = report {
      $0.lookups = 1
      $0.hits = [.s3: 1]
      $0.savedMilliseconds = milliseconds
    }.line
    #expect(line == "fabrik: 1 hit (1 s3) · 0 misses\(text)")
  }

  @Test("a JSON object with every name, also when nothing happened")
  func emptyJSON() {
    #expect(
      report().json
        == #"{"schema":1,"exit":2,"seconds":12.345,"lookups":0,"hits":{"local":0,"peers":0,"regional":0,"s3":0},"#
        + #""misses":0,"stored":0,"bytes":{"local":0,"peers":0,"regional":0,"s3":0,"stored":0},"#
        + #""saved_seconds":0.000,"waited_seconds":0.000,"peers":[],"tools":{},"rejected":0,"unstored":0,"#
        + #""prefetched":{"entries":0,"bytes":0,"used":0}}"#)
  }

  @Test("a JSON object with the peers, the most generous first")
  func peers() {
    let json = report {
      $0.peers = [
        "b": .init(name: "desk \"2\"", hits: 1, bytes: 9), "a": .init(name: "x", hits: 1),
        "c": .init(name: "y", hits: 5),
      ]
    }.json
    #expect(
      json.contains(
        #""peers":[{"name":"y","id":"c","hits":5,"bytes":0},{"name":"x","id":"a","hits":1,"bytes":0},"#
          + #"{"name":"desk \"2\"","id":"b","hits":1,"bytes":9}],"#))
  }

  @Test("a JSON object with all numbers, tools in the order of their names")
  func json() {
    let json = report {
      $0.lookups = 9
      $0.hits = [.local: 4, .s3: 1]
      $0.bytes = [.local: 1 << 40]
      $0.stored = 3
      $0.storedBytes = 77
      $0.unstored = 2
      $0.savedMilliseconds = 192_100
      $0.waitedMilliseconds = 5
      $0.prefetched = .init(entries: 31, bytes: 1 << 40, used: 30)
      $0.tools = ["go": .init(lookups: 1, hits: 0), "ccache": .init(lookups: 8, hits: 5)]
    }.json
    #expect(
      json
        == #"{"schema":1,"exit":2,"seconds":12.345,"lookups":9,"hits":{"local":4,"peers":0,"regional":0,"s3":1},"#
        + #""misses":4,"stored":3,"bytes":{"local":1099511627776,"peers":0,"regional":0,"s3":0,"stored":77},"#
        + #""saved_seconds":192.100,"waited_seconds":0.005,"peers":[],"#
        + #""tools":{"ccache":{"lookups":8,"hits":5},"go":{"lookups":1,"hits":0}},"rejected":0,"unstored":2,"#
        + #""prefetched":{"entries":31,"bytes":1099511627776,"used":30}}"#)
  }
}
