import CacheStore
import ControlProtocol
import NIOCore
import TestSupport
import Testing

@testable import CacheServer

@Suite("How long a tool took")
struct ClockTests {
  private let key = CacheKey(test: 1)

  private func at(_ milliseconds: UInt64) -> NIODeadline { .uptimeNanoseconds(milliseconds * 1_000_000) }

  @Test("is the time from a connection's first miss to its first put")
  func connection() {
    var clock = ConnectionClock()
    #expect(clock.takeDuration(now: at(5)) == nil)
    clock.missed(now: at(10))
    clock.missed(now: at(20))
    #expect(clock.takeDuration(now: at(45)) == 35)
    #expect(clock.takeDuration(now: at(50)) == nil, "what follows was not made separately")
    clock.missed(now: at(60))
    #expect(clock.takeDuration(now: at(60)) == 0)
  }

  @Test("is the time from a key's last miss to its put")
  func keys() {
    let clock = KeyClock()
    #expect(clock.takeDuration(of: key) == nil)
    clock.missed(key, now: at(10))
    clock.missed(CacheKey(test: 2), now: at(15))
    clock.missed(key, now: at(20))
    #expect(clock.takeDuration(of: key, now: at(45)) == 25)
    #expect(clock.takeDuration(of: key, now: at(45)) == nil)
    #expect(clock.takeDuration(of: CacheKey(test: 2), now: at(45)) == 30)
  }

  @Test("is not known of what was missed long before")
  func bounded() {
    let clock = KeyClock()
    for number in 0...100_000 { clock.missed(CacheKey(test: number), now: at(10)) }
    #expect(clock.takeDuration(of: CacheKey(test: 0)) == nil)
    #expect(clock.takeDuration(of: CacheKey(test: 100_000), now: at(11)) == 1)
  }
}

@Suite("Misses of compilers that may not count")
struct CompilerMissesTests {
  private let key = CacheKey(test: 1)

  @Test("are kept with their reasons until they count, once")
  func take() {
    let misses = CompilerMisses()
    let (absent, late) = ([LookupStep(.local, LayerOutcome(.absent))], [LookupStep(.peers, LayerOutcome(.late))])
    misses.missed(key, absent)
    misses.missed(CacheKey(test: 2), absent)
    misses.missed(key, late)
    #expect(misses.take(key) == late && misses.take(key) == nil)
    #expect(misses.take(CacheKey(test: 2)) == absent)
  }

  @Test("are forgotten beyond a limit, the old ones first")
  func bounded() {
    let misses = CompilerMisses()
    for number in 0...(1 << 16) { misses.missed(CacheKey(test: number), []) }
    #expect(misses.take(CacheKey(test: 0)) == nil && misses.take(CacheKey(test: 1 << 16)) != nil)
  }
}
