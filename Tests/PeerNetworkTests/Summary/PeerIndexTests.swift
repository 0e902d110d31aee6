import Testing

@testable import PeerNetwork

@Suite("What the peers hold")
struct PeerIndexTests {
  private func table(_ fingerprints: some Sequence<UInt32>) -> FingerprintTable {
    var table = FingerprintTable()
    for fingerprint in fingerprints { table.insert(fingerprint) }
    return table
  }

  @Test("is known peer by peer")
  func holders() {
    let index = PeerIndex()
    let (first, second) = (index.open(), index.open())
    #expect(first != second)
    index.replace(first, by: table([1, 2]))
    index.insert([2, 3, 3], into: second)
    #expect(index.holders(of: 1) == [first])
    #expect(Set(index.holders(of: 2)) == [first, second])
    #expect(index.holders(of: 3) == [second])
    #expect(index.contains(1) && index.contains(3) && !index.contains(4))
    #expect(index.count(of: first) == 2 && index.count(of: second) == 2)
  }

  @Test("is forgotten key by key, wholly, and with the peer")
  func forgotten() {
    let index = PeerIndex()
    let (first, second) = (index.open(), index.open())
    for slot in [first, second] { index.insert([1, 2, 3], into: slot) }
    index.remove(1, from: first)
    #expect(index.holders(of: 1) == [second])
    index.clear(first)
    #expect(index.holders(of: 2) == [second] && index.count(of: first) == 0)
    index.insert([2], into: first)
    #expect(Set(index.holders(of: 2)) == [first, second], "a cleared peer is still there")
    index.close(second)
    index.close(second)
    #expect(index.holders(of: 3).isEmpty)
    #expect(index.open() != second, "places are not used again")
  }

  @Test("is not known of a peer that has gone")
  func gone() {
    let index = PeerIndex()
    let slot = index.open()
    index.close(slot)
    index.insert([1], into: slot)
    index.replace(slot, by: table([1]))
    index.remove(1, from: slot)
    #expect(!index.contains(1) && index.count(of: slot) == 0)
  }

  @Test("has a limit for all together, and one for each")
  func limits() {
    let index = PeerIndex(limit: 100, limitPerPeer: 60)
    let slots = (0..<3).map { _ in index.open() }
    index.insert(Array(0..<1000), into: slots[0])
    #expect(index.count(of: slots[0]) == 60)
    index.insert(Array(0..<1000), into: slots[1])
    #expect(index.count(of: slots[1]) == 40)
    index.insert([1], into: slots[2])
    #expect(index.count(of: slots[2]) == 0)

    index.replace(slots[2], by: table(0..<10))
    #expect(index.count(of: slots[2]) == 0, "does not fit")
    index.close(slots[1])
    index.replace(slots[2], by: table(0..<40))
    #expect(index.count(of: slots[2]) == 40)
    index.replace(slots[2], by: table(0..<61))
    #expect(index.count(of: slots[2]) == 0, "more than one may have")
    index.clear(slots[0])
    index.insert(Array(0..<60), into: slots[2])
    #expect(index.count(of: slots[2]) == 60, "what was given back can be used")
  }
}
