import CacheStore
import NIOCore
import Synchronization
import TestSupport
import Testing

@testable import CacheServer

@Suite("Bodies that were sent lately")
struct RecentBodiesTests {
  private final class Clock: Sendable {
    let time = Mutex(NIODeadline.uptimeNanoseconds(0))
  }

  private let key = CacheKey(test: 1)
  private let clock = Clock()
  private let bodies: RecentBodies

  init() {
    let clock = clock
    bodies = RecentBodies { clock.time.withLock { $0 } }
  }

  private func body(_ size: Int) -> ByteBuffer { ByteBuffer(repeating: 1, count: size) }

  @Test("are found with what is known of them, until something has been removed from the store")
  func removals() {
    bodies.insert(key, body: body(3), duration: 70, removals: 5)
    let found = bodies.find(key, removals: 5)
    #expect(found?.body == body(3) && found?.duration == 70)
    #expect(bodies.find(key, removals: 6) == nil && bodies.find(CacheKey(test: 2), removals: 5) == nil)
    bodies.insert(key, body: body(4), duration: nil, removals: 6)
    #expect(bodies.find(key, removals: 6)?.body == body(4))
  }

  @Test("are found for as long as the store's file needs no newer time of use")
  func lifetime() {
    bodies.insert(key, body: body(3), duration: nil, removals: 0)
    clock.time.withLock { $0 = $0 + .milliseconds(Int64(CacheStore.accessTimeGranularity) - 1) }
    #expect(bodies.find(key, removals: 0) != nil)
    clock.time.withLock { $0 = $0 + .milliseconds(1) }
    #expect(bodies.find(key, removals: 0) == nil)
  }

  @Test("are forgotten when a tool has made another")
  func forget() {
    bodies.insert(key, body: body(3), duration: nil, removals: 0)
    bodies.forget(key)
    #expect(bodies.find(key, removals: 0) == nil)
  }

  @Test("are small, and as many as fit: those that came last")
  func generations() {
    bodies.insert(key, body: body(RecentBodies.bodyLimit + 1), duration: nil, removals: 0)
    #expect(bodies.find(key, removals: 0) == nil)
    let large = body(RecentBodies.bodyLimit)
    for number in 0..<2000 { bodies.insert(CacheKey(test: number), body: large, duration: nil, removals: 0) }
    let found = (0..<2000).filter { bodies.find(CacheKey(test: $0), removals: 0) != nil }
    #expect(found.count >= (16 << 20) / large.readableBytes - 1)
    #expect(found.count <= 2 * (16 << 20) / large.readableBytes + 2)
    #expect(found == Array((2000 - found.count)..<2000))
  }
}
