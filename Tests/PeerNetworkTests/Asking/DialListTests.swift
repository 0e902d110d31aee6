import NIOCore
import PeerRecords
import SystemSupport
import TestSupport
import Testing

@testable import PeerNetwork

@Suite("Addresses of peers")
struct DialListTests {
  /// A list that can be changed within an expectation.
  private final class List {
    private var list = DialList()

    var count: Int { list.count }
    func add(_ endpoint: PeerEndpoint, source: DialList.Source) -> DialList.Step? { list.add(endpoint, source: source) }
    func due(_ endpoint: PeerEndpoint) -> DialList.Step { list.due(endpoint) }
    func makeRoom(for endpoint: PeerEndpoint, source: DialList.Source = .met) -> PeerEndpoint? {
      list.makeRoom(for: endpoint, source: source)
    }
    func withdraw(_ endpoint: PeerEndpoint) -> Bool { list.withdraw(endpoint) }
    func ended(_ endpoint: PeerEndpoint) -> [(PeerEndpoint, TimeAmount)] { list.ended(endpoint) }

    func connected(_ endpoint: PeerEndpoint, to server: DialList.Server) -> Bool {
      list.connected(endpoint, to: server)
    }
  }

  private func endpoint(_ number: Int) -> PeerEndpoint {
    PeerEndpoint("10.0.\(number / 200).\(number % 200 + 1):4711")!
  }

  private func local(_ number: Int) -> PeerEndpoint { .local(path: "/tmp/meeting/\(number)") }

  private func server(_ number: UInt8, instance: String = "0123456789abcdef") throws -> DialList.Server {
    let identity = try MachineIdentity(seed: [UInt8](repeating: number, count: 32))
    let exporter = [UInt8](repeating: 4, count: 32)
    let fields = try Introduction.fields(
      of: identity, instance: instance, name: "a", port: 0, role: .server, exporter: exporter)
    return DialList.Server(try #require(Introduction(.answer(.ok, fields), role: .server, exporter: exporter)))
  }

  /// A connection to an address ends.
  ///
  /// - Returns: when it is dialled again, in milliseconds.
  private func end(_ endpoint: PeerEndpoint, _ list: List) -> Int64? {
    list.ended(endpoint).first { $0.0 == endpoint }.map { $0.1.nanoseconds / 1_000_000 }
  }

  @Test("are dialled at once, and one at a time")
  func once() {
    let list = List()
    #expect(list.add(endpoint(0), source: .met) == .dial)
    for source in [DialList.Source.met, .announced, .configured] {
      #expect(list.add(endpoint(0), source: source) == nil)
    }
    #expect(list.due(endpoint(0)) == .leave && list.due(endpoint(1)) == .leave)
  }

  @Test("that do not answer are dialled ever more seldom, those in the configuration for ever")
  func pauses() {
    let list = List()
    #expect(list.add(endpoint(0), source: .configured) == .dial)
    var pauses: [Int64?] = []
    for _ in 0..<10 {
      pauses.append(end(endpoint(0), list))
      #expect(list.due(endpoint(0)) == .dial)
    }
    #expect(pauses == [1000, 2000, 4000, 8000, 16_000, 32_000, 60_000, 60_000, 60_000, 60_000])
  }

  @Test("where somebody was met once are forgotten after some failures")
  func forgotten() throws {
    let list = List()
    #expect(list.add(endpoint(0), source: .met) == .dial)
    for _ in 0..<DialList.patience {
      #expect(end(endpoint(0), list) != nil)
      #expect(list.due(endpoint(0)) == .dial)
    }
    #expect(end(endpoint(0), list) == nil && list.count == 0)
    // Not those where somebody is now and then.
    #expect(list.add(endpoint(0), source: .met) == .dial)
    for _ in 0..<10 {
      #expect(list.connected(endpoint(0), to: try server(1)))
      #expect(end(endpoint(0), list) == 1000)
      #expect(list.due(endpoint(0)) == .dial)
    }
  }

  @Test("are dialled again at once when somebody says that they are there")
  func announced() {
    let list = List()
    #expect(list.add(endpoint(0), source: .met) == .dial)
    for source in [DialList.Source.announced, .met] {
      _ = end(endpoint(0), list)
      #expect(list.add(endpoint(0), source: source) == .dial)
    }
    _ = end(endpoint(0), list)
    #expect(list.add(endpoint(0), source: .configured) == nil)
  }

  @Test("of one server are connected to once, and its others when that connection has ended")
  func twins() throws {
    let list = List()
    for number in 0..<4 { #expect(list.add(endpoint(number), source: .announced) == .dial) }
    #expect(list.connected(endpoint(0), to: try server(1)))
    #expect(list.connected(endpoint(1), to: try server(2)), "another machine that claims the same instance")
    #expect(list.connected(endpoint(2), to: try server(1, instance: "fedcba9876543210")), "another server")
    #expect(!list.connected(endpoint(3), to: try server(1)))
    #expect(list.ended(endpoint(3)).isEmpty)
    #expect(list.add(endpoint(3), source: .announced) == nil && list.due(endpoint(3)) == .leave)
    #expect(list.ended(endpoint(1)).map(\.0) == [endpoint(1)])
    #expect(Set(list.ended(endpoint(0)).map(\.0)) == [endpoint(0), endpoint(3)])
    #expect(list.due(endpoint(3)) == .dial)
  }

  @Test("are forgotten when they are not announced any more, unless somebody is there, or else they are known")
  func withdrawn() throws {
    let list = List()
    for (number, source) in [DialList.Source.announced, .announced, .met, .configured].enumerated() {
      #expect(list.add(endpoint(number), source: source) == .dial)
    }
    #expect(list.connected(endpoint(1), to: try server(1)))
    #expect((0..<4).map { list.withdraw(endpoint($0)) } == [true, false, false, false])
    #expect(list.count == 3)
    #expect(list.ended(endpoint(0)).isEmpty, "of one that has been forgotten")
  }

  @Test("are connected to up to a number, which is nobody's failure")
  func full() {
    let list = List()
    for number in 0..<DialList.mostOpen { #expect(list.add(endpoint(number), source: .met) == .dial) }
    let other = endpoint(DialList.mostOpen)
    #expect(list.add(other, source: .met) == .wait(.milliseconds(500)))
    for _ in 0..<20 { #expect(list.due(other) == .wait(.milliseconds(500))) }
    _ = end(endpoint(0), list)
    #expect(list.due(other) == .dial)
  }

  @Test("that are only announced leave room for those that are known, whatever is announced")
  func hearsay() throws {
    let list = List()
    let steps = (0..<100).map { list.add(endpoint($0), source: .announced) }
    #expect(steps.count { $0 == .dial } == DialList.mostHearsay)
    for number in 100..<120 { #expect(list.add(endpoint(number), source: .configured) == .dial) }
    // One that was met before is known, even if it is announced as well.
    #expect(list.add(endpoint(99), source: .met) == .dial)
    // Those that have answered are not hearsay any more.
    #expect(list.connected(endpoint(0), to: try server(1)))
    #expect(list.due(endpoint(50)) == .dial)
    #expect(list.due(endpoint(51)) == .wait(.milliseconds(500)))
  }

  @Test("are remembered up to a number: those that have failed make room")
  func room() {
    let list = List()
    for number in 0..<DialList.limit {
      #expect(list.makeRoom(for: endpoint(number)) == nil)
      _ = list.add(endpoint(number), source: .met)
    }
    let other = endpoint(DialList.limit)
    #expect(list.makeRoom(for: other) == nil && list.add(other, source: .met) == nil)
    _ = list.ended(endpoint(7))
    #expect(list.makeRoom(for: endpoint(7)) == nil, "it is there")
    #expect(list.makeRoom(for: other) == endpoint(7))
    #expect(list.add(other, source: .met) != nil && list.count == DialList.limit)
  }

  @Test("that are known have the places of those that are only announced, and not the other way round")
  func hearsayMakesRoom() {
    let list = List()
    _ = list.add(endpoint(0), source: .met)
    for number in 1..<DialList.limit { _ = list.add(endpoint(number), source: .announced) }
    let (known, announced) = (endpoint(DialList.limit), endpoint(DialList.limit + 1))
    // Somebody who was met is away for a moment.
    _ = list.ended(endpoint(0))
    #expect(list.makeRoom(for: announced, source: .announced) == nil)
    // An announced address need not have failed, nor been tried.
    let victim = list.makeRoom(for: known, source: .met)
    #expect(victim != nil && victim != endpoint(0))
    #expect(list.add(known, source: .met) != nil)
  }

  @Test("of servers of this machine that have gone are dialled no more")
  func gone() async throws {
    try await withTemporaryDirectory { directory in
      let asker = try await Asker(directory)
      let (first, second) = (local(1), local(2))
      let counts = try await asker.on { directory in
        var counts: [Int] = []
        directory.setLocal([first, second], isComplete: true)
        counts.append(directory.addressCount)
        directory.setLocal([second], isComplete: true)
        counts.append(directory.addressCount)
        // Some may be there that were not looked at.
        directory.setLocal([], isComplete: false)
        counts.append(directory.addressCount)
        directory.setLocal([], isComplete: true)
        return counts + [directory.addressCount, directory.allLinks.count]
      }
      #expect(counts == [2, 1, 1, 0, 0])
      await asker.stop()
    }
  }
}
