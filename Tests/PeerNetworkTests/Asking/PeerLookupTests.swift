import CacheStore
import ControlProtocol
import LayeredCache
import NIOCore
import Synchronization
import SystemPackage
import TestSupport
import Testing

@testable import PeerNetwork

extension RealNetwork {
  @Suite("A lookup among the peers", .timeLimit(.minutes(5)))
  struct PeerLookupTests {
    private let key = CacheKey(test: 1)
    private let other = CacheKey(test: 2)

    /// Calls `body` with somebody who asks and peers that answer.
    private func withPeers(
      _ count: Int, maxSize: UInt64 = 1 << 30, _ body: (Asker, [MadePeer]) async throws -> Void
    ) async throws {
      try await withTemporaryDirectory { directory in
        let asker = try await Asker(directory, maxSize: maxSize)
        var peers: [MadePeer] = []
        for number in 1...count { peers.append(try await MadePeer(directory, number: UInt8(number))) }
        for peer in peers { try await asker.dial(peer) }
        try await body(asker, peers)
        await asker.stop()
        for peer in peers { await peer.stop() }
      }
    }

    @Test("gets the entry from the one that has it", arguments: [0, 5000, 1_000_000])
    func right(size: Int) async throws {
      var generator = SeededGenerator(seed: 1)
      let body = generator.bytes(size)
      try await withPeers(3) { asker, peers in
        for (number, peer) in peers.enumerated() { peer.hold(CacheKey(test: 10 + number), [1]) }
        peers[1].hold(key, body)
        for number in 0..<3 { #expect(try await asker.await(1, holding: CacheKey(test: 10 + number))) }
        #expect(try await asker.await(1, holding: key))
        let peer = try await asker.fetch(key)
        #expect(peer == "peer 2")
        #expect(await eventually { asker.store.body(key) == body })
        #expect(asker.store.lookup(key)?.record.duration == 500)
        #expect(peers.map(\.meddler.questions) == [0, 1, 0])
      }
    }

    @Test("asks nobody for what nobody says to have")
    func nobody() async throws {
      try await withPeers(2) { asker, peers in
        for peer in peers { peer.hold(other, [1]) }
        #expect(try await asker.await(2, holding: other))
        #expect(!asker.layer.mayHold(key))
        #expect(asker.layer.reasonNotToAsk(key) == LayerOutcome(.unheld, number: 2))
        let peer = try await asker.fetch(key)
        #expect(peer == nil && peers.allSatisfy { $0.meddler.questions == 0 })
      }
    }

    @Test("asks one peer, if that one answers in time")
    func one() async throws {
      try await withPeers(3) { asker, peers in
        for number in 0..<20 { for peer in peers { peer.hold(CacheKey(test: number), [1]) } }
        #expect(try await asker.await(3, holding: CacheKey(test: 19)))
        // Some of the answers come in time, even if the machine is busy.
        var questions: [Int] = []
        for number in 0..<20 where !questions.contains(1) {
          let before = peers.map(\.meddler.questions).reduce(0, +)
          let peer = try await asker.fetch(CacheKey(test: number))
          #expect(peer != nil)
          questions.append(peers.map(\.meddler.questions).reduce(0, +) - before)
        }
        #expect(questions.contains(1), "\(questions)")
      }
    }

    @Test("asks a second peer when the first is late, and takes what comes first", arguments: [1000, 1_000_000])
    func hedged(size: Int) async throws {
      let body = [UInt8](repeating: 3, count: size)
      try await withPeers(3) { asker, peers in
        for peer in peers { peer.hold(key, body) }
        #expect(try await asker.await(3, holding: key))
        // Whoever is asked first is late.
        let late = Claim()
        for (number, peer) in peers.enumerated() {
          peer.meddler.follow { $0.isEntry && late.isFirst(number) ? .hold : .send($0) }
        }
        let name = try await asker.fetch(key)
        let first = try #require(late.holder)
        #expect(name != nil && name != "peer \(first + 1)")
        #expect(await eventually { asker.store.body(key) == body })
        // What comes too late is not taken, and not held against anybody.
        peers[first].meddler.release()
        peers[first].hold(other, [2])
        #expect(try await asker.await(1, holding: other))
        for peer in peers { peer.meddler.follow { .send($0) } }
        #expect(try await eventually { try await asker.fetch(other) == "peer \(first + 1)" })
      }
    }

    /// The first one to ask for it has it.
    private final class Claim: Sendable {
      private let first = Mutex<Int?>(nil)

      var holder: Int? { first.withLock { $0 } }

      /// Whether this is the first to ask.
      func take() -> Bool {
        first.withLock { first in
          defer { first = 0 }
          return first == nil
        }
      }

      func reset() { first.withLock { $0 = nil } }

      func isFirst(_ number: Int) -> Bool {
        first.withLock { first in
          if first == nil { first = number }
          return first == number
        }
      }
    }

    @Test("does not wait behind what is fetched ahead")
    func ahead() async throws {
      try await withPeers(1) { asker, peers in
        let later = (10..<40).map { CacheKey(test: $0) }
        for key in later { peers[0].hold(key, Array("ahead".utf8)) }
        peers[0].hold(key, [1])
        #expect(try await asker.await(1, holding: key))
        peers[0].meddler.follow { $0.contains("ahead") ? .hold : .send($0) }
        let answers = later.map {
          asker.layer.fetch($0, urgency: .prefetch, within: .seconds(1), on: asker.loop)
        }
        #expect(await eventually { peers[0].meddler.questions == later.count })
        let peer = try await asker.fetch(key)
        #expect(peer == "peer 1")
        #expect(await eventually { asker.store.body(key) == [1] })
        await asker.stop()
        for answer in answers { #expect(try await answer.get().entry == nil) }
      }
    }

    @Test("of what is fetched ahead asks a second peer when a tool has begun to wait")
    func expedited() async throws {
      try await withPeers(2) { asker, peers in
        for peer in peers { peer.hold(key, [1]) }
        #expect(try await asker.await(2, holding: key))
        // The first is not given up within this test.
        try await asker.set(patience: .minutes(5))
        let late = Claim()
        for (number, peer) in peers.enumerated() {
          peer.meddler.follow { $0.isEntry && late.isFirst(number) ? .hold : .send($0) }
        }
        let answer = asker.layer.fetch(key, urgency: .prefetch, within: .seconds(1), on: asker.loop)
        #expect(await eventually { late.holder != nil })
        asker.layer.expedite(key)
        let first = try #require(late.holder)
        let fetched = try await answer.get()
        #expect(fetched.entry?.peer?.name == "peer \(2 - first)")
        #expect(try await asker.on { $0.ahead.isEmpty })
      }
    }

    @Test("says when what is fetched ahead is in the store")
    func aheadIsStored() async throws {
      try await withPeers(1) { asker, peers in
        for (key, size) in [(key, 1), (other, 100_000)] {
          peers[0].hold(key, [UInt8](repeating: 1, count: size))
          #expect(try await asker.await(1, holding: key))
          let fetched = try await asker.layer.fetch(
            key, urgency: .prefetch, within: .seconds(1), on: asker.loop
          ).get().entry
          #expect((fetched?.stored != nil) == (size == 1))
          try await fetched?.stored?.get()
          #expect(asker.store.body(key)?.count == size)
        }
      }
    }

    @Test("goes on to the next peer when one does not have it after all, and remembers that")
    func missing() async throws {
      try await withPeers(2) { asker, peers in
        for peer in peers { peer.hold(key, [1]) }
        #expect(try await asker.await(2, holding: key))
        for peer in peers { #expect(peer.store.remove(key)) }
        let answer = try await asker.ask(key)
        #expect(answer.outcome.kind == .absent && peers.map(\.meddler.questions) == [1, 1])
        #expect(["peer 1", "peer 2"].contains(answer.outcome.detail))
        #expect(!asker.layer.mayHold(key))
      }
    }

    @Test("takes nothing from a peer that sends other bytes than it announces, and talks to it no more")
    func liar() async throws {
      try await withPeers(2) { asker, peers in
        for peer in peers { peer.hold(key, [1, 2, 3]) }
        #expect(try await asker.await(2, holding: key))
        peers[0].meddler.follow {
          $0.isEntry ? .send($0.replacing("\u{1}\u{2}\u{3}", by: "\u{1}\u{2}\u{4}")) : .send($0)
        }
        peers[1].meddler.follow {
          $0.isEntry ? .send($0.replacing("\u{1}\u{2}\u{3}", by: "\u{1}\u{2}\u{5}")) : .send($0)
        }
        let answer = try await asker.ask(key)
        #expect(answer.outcome.kind == .rejected && asker.store.lookup(key) == nil)
        #expect(try await asker.on { $0.allLinks.allSatisfy { $0.peer == nil } })
        #expect(!asker.layer.mayHold(key))
        #expect(asker.layer.reasonNotToAsk(key) == LayerOutcome(.alone))
      }
    }

    @Test(
      "takes nothing whose digest is not the key's, where a key stands for its own content", arguments: [3, 100_000])
    func wrongContent(size: Int) async throws {
      let (right, wrong) = ([UInt8](repeating: 65, count: size), [UInt8](repeating: 66, count: size))
      let digests = [right, wrong].map { SHA256Digest.digest(of: $0) }
      let key = try #require(CacheKey(namespace: "bazel-cas", bytes: digests[0].bytes))
      try await withPeers(1) { asker, peers in
        peers[0].hold(key, right)
        #expect(try await asker.await(1, holding: key))
        peers[0].meddler.follow {
          .send(
            $0.replacing("\(digests[0])", by: "\(digests[1])").replacing(
              String(repeating: "A", count: min(size, 1000)), by: String(repeating: "B", count: min(size, 1000))))
        }
        let peer = try await asker.fetch(key)
        #expect(peer == nil && asker.store.lookup(key) == nil)
        #expect(!asker.layer.mayHold(key))
      }
    }

    @Test("takes nothing from whoever else is at the peer's address by then, and bans nobody for it")
    func successor() async throws {
      try await withTemporaryDirectory { directory in
        let asker = try await Asker(directory)
        let peer = try await MadePeer(directory, number: 1, successor: 2)
        peer.hold(key, [1])
        try await asker.dial(peer)
        // The first to answer was another; whoever comes in its place is the peer from then on.
        #expect(
          await eventually {
            (try? await asker.on { $0.allLinks.compactMap(\.peer?.name) }) == ["peer 2"]
          })
        #expect(peer.meddler.questions == 0)
        await asker.stop()
        await peer.stop()
      }
    }

    @Test("is asked again when one of the clocks has been set, and does not take that for a no")
    func clockWasSet() async throws {
      try await withPeers(1) { asker, peers in
        peers[0].hold(key, [1])
        #expect(try await asker.await(1, holding: key))
        let first = Claim()
        let refusal = MessageHead.answer(.unauthenticated, ["fabrik-time": "\(CacheStore.systemTime())"])
        peers[0].meddler.follow { answer in
          guard answer.isEntry, first.take() else { return .send(answer) }
          var buffer = ByteBuffer()
          refusal.write(into: &buffer)
          return .send(buffer)
        }
        let peer = try await asker.fetch(key)
        #expect(peer == "peer 1" && peers[0].meddler.questions == 2)
      }
    }

    @Test("does not keep asking who always says that a clock is wrong: others have their turn")
    func alwaysUnauthenticated() async throws {
      try await withPeers(2) { asker, peers in
        for peer in peers { peer.hold(key, [1]) }
        #expect(try await asker.await(2, holding: key))
        let first = Claim()
        let liar = Mutex<Int?>(nil)
        for (number, peer) in peers.enumerated() {
          peer.meddler.follow { answer in
            guard answer.isEntry else { return .send(answer) }
            if first.take() { liar.withLock { $0 = number } }
            guard liar.withLock({ $0 }) == number else { return .send(answer) }
            return .send(ByteBuffer(string: "HTTP/1.1 401 No\r\ncontent-length: 0\r\n\r\n"))
          }
        }
        let peer = try await asker.fetch(key)
        let number = try #require(liar.withLock { $0 })
        #expect(peer == "peer \(2 - number)" && peers[number].meddler.questions == 2)
      }
    }

    @Test("fails when the peer's answer is of no known kind, and may ask it again", arguments: [400, 401, 500])
    func otherStatus(status: Int) async throws {
      try await withPeers(1) { asker, peers in
        peers[0].hold(key, [1])
        #expect(try await asker.await(1, holding: key))
        peers[0].meddler.follow {
          $0.isEntry ? .send(ByteBuffer(string: "HTTP/1.1 \(status) No\r\ncontent-length: 0\r\n\r\n")) : .send($0)
        }
        let answer = try await asker.ask(key)
        #expect(answer.outcome.kind == .failed && asker.layer.mayHold(key))
      }
    }

    @Test("survives an answer without a digest")
    func withoutDigest() async throws {
      try await withPeers(2) { asker, peers in
        for peer in peers { peer.hold(key, [1]) }
        #expect(try await asker.await(2, holding: key))
        for peer in peers {
          peer.meddler.follow { .send($0.replacing("fabrik-digest", by: "fabrik-nothing".dropLast().description)) }
        }
        let peer = try await asker.fetch(key)
        #expect(peer == nil)
        #expect(try await asker.on { $0.allLinks.allSatisfy { $0.peer == nil } })
      }
    }

    @Test("survives a summary that cannot be understood")
    func withoutGeneration() async throws {
      try await withPeers(2) { asker, peers in
        for peer in peers { peer.hold(key, [1]) }
        #expect(try await asker.await(2, holding: key))
        peers[0].meddler.follow { .send($0.replacing("fabrik-generation", by: "fabrik-generatiox")) }
        peers[0].hold(other, [1])
        #expect(try await asker.await(1, holding: key))
        let peer = try await asker.fetch(key)
        #expect(peer == "peer 2")
      }
    }

    @Test("leaves what does not fit into this cache, and bears no grudge")
    func tooLarge() async throws {
      try await withPeers(1, maxSize: 10_000) { asker, peers in
        peers[0].hold(key, [UInt8](repeating: 1, count: 20_000))
        peers[0].hold(other, [1])
        #expect(try await asker.await(1, holding: key))
        #expect(try await asker.await(1, holding: other))
        let large = try await asker.fetch(key)
        let small = try await asker.fetch(other)
        #expect(large == nil && small == "peer 1")
      }
    }

    @Test("gets it from another peer when one breaks off", arguments: [100, 200_000])
    func brokenOff(size: Int) async throws {
      let body = [UInt8](repeating: 3, count: size)
      try await withPeers(2) { asker, peers in
        for peer in peers { peer.hold(key, body) }
        #expect(try await asker.await(2, holding: key))
        let broken = Claim()
        for (number, peer) in peers.enumerated() {
          // A large body comes in pieces after its head: some of them arrive.
          peer.meddler.follow { answer in
            let isPiece = answer.readableBytes == size % (1 << 18) || (answer.isEntry && size < 1000)
            return isPiece && broken.isFirst(number) ? .close : .send(answer)
          }
        }
        // On a busy machine the other one may be too slow.
        let isFound = try await eventually {
          broken.reset()
          let name = try await asker.fetch(key)
          return broken.holder.map { name == "peer \(2 - $0)" } ?? false
        }
        #expect(isFound)
        #expect(await eventually { asker.store.body(key) == body })
      }
    }

    @Test("ends as a miss when everybody breaks off")
    func allBrokenOff() async throws {
      try await withPeers(2) { asker, peers in
        for peer in peers {
          peer.hold(key, [1])
          peer.meddler.follow { $0.isEntry ? .close : .send($0) }
        }
        #expect(try await asker.await(2, holding: key))
        let answer = try await asker.ask(key)
        #expect(answer.outcome.kind == .failed && asker.store.lookup(key) == nil)
      }
    }

    @Test("ends as a miss when nobody answers in time")
    func silence() async throws {
      try await withPeers(2) { asker, peers in
        for peer in peers {
          peer.hold(key, [1])
          peer.meddler.follow { $0.isEntry ? .hold : .send($0) }
        }
        #expect(try await asker.await(2, holding: key))
        try await asker.set(patience: .milliseconds(300))
        let answer = try await asker.ask(key)
        #expect(answer.outcome.kind == .late)
      }
    }

    @Test("does not trip over many others at the same time")
    func many() async throws {
      try await withPeers(2) { asker, peers in
        for number in 0..<90 {
          let body = [UInt8](repeating: UInt8(number & 255), count: number * 100)
          peers[number % 2].hold(CacheKey(test: number), body)
        }
        #expect(try await asker.await(1, holding: CacheKey(test: 88)))
        #expect(try await asker.await(1, holding: CacheKey(test: 89)))
        // As many as a connection takes, again and again.
        for start in stride(from: 0, to: 90, by: 30) {
          try await withThrowingTaskGroup(of: Bool.self) { group in
            for number in start..<start + 30 {
              group.addTask {
                try await eventually { try await asker.fetch(CacheKey(test: number)) == "peer \(number % 2 + 1)" }
              }
            }
            for try await isRight in group { #expect(isRight) }
          }
        }
        for number in 0..<90 {
          #expect(await eventually { asker.store.lookup(CacheKey(test: number))?.size == UInt64(number * 100) })
        }
      }
    }

    @Test("leaves nothing behind when it is over")
    func forgotten() async throws {
      try await withPeers(1) { asker, peers in
        peers[0].hold(key, [1])
        #expect(try await asker.await(1, holding: key))
        let (key, store, loop) = (key, asker.store, asker.loop)
        let promise = loop.makePromise(of: String?.self)
        let reference = try await asker.on { directory in
          let done = loop.makePromise(of: LayerAnswer.self)
          let lookup = PeerLookup(
            key: key, store: store, candidates: directory.candidates(for: store.fingerprint(of: key)),
            directory: directory, promise: done)
          lookup.next()
          done.futureResult.map { $0.entry?.peer?.name }.cascade(to: promise)
          return WeakLookup(lookup, on: loop)
        }
        let peer = try await promise.futureResult.get()
        #expect(peer == "peer 1")
        #expect(await eventually { await reference.isGone })
      }
    }

    /// Tells whether a lookup is still there.
    private struct WeakLookup: Sendable {
      private final class Reference {
        weak var lookup: PeerLookup?
      }

      private let bound: NIOLoopBound<Reference>
      private let loop: any EventLoop

      init(_ lookup: PeerLookup, on loop: any EventLoop) {
        let reference = Reference()
        reference.lookup = lookup
        bound = NIOLoopBound(reference, eventLoop: loop)
        self.loop = loop
      }

      var isGone: Bool {
        get async {
          let bound = bound
          return (try? await loop.submit { bound.value.lookup == nil }.get()) ?? false
        }
      }
    }
  }
}
