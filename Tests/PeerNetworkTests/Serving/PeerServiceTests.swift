import CacheStore
import ChannelSupport
import ControlProtocol
import NIOCore
import NIOEmbedded
import PeerRecords
import SystemSupport
import TestSupport
import Testing

@testable import PeerNetwork

@Suite("A peer that asks this machine")
struct PeerServiceTests {
  private static let key = CacheKey(test: 1)

  // MARK: - Introduction

  @Test("introduces itself, and is told who answers")
  func introduction() throws {
    try withServiceBench { bench in
      let answers = try bench.ask(bench.introduction())
      #expect(answers.map(\.status) == [200])
      let head = try #require(answers.first?.head)
      let peer = try #require(Introduction(head, role: .server, exporter: ServiceBench.exporter))
      #expect(peer.name == "server" && peer.instance == bench.service.member.instance)
      #expect(head["fabrik-consent"] == "allowed" && head["fabrik-time"] == "\(ServiceBench.now)")
      #expect(bench.service.book.sighting(of: bench.client.identifier)?.name == "client")
      #expect(bench.channel.isActive)
    }
  }

  @Test("is told nothing before it has introduced itself")
  func stranger() throws {
    for target in [PeerTarget.summary(since: nil), .entry(Self.key), .status] {
      try withServiceBench { bench in
        bench.store.put(Self.key, [1])
        let answers = try bench.ask(target)
        #expect(answers.map(\.status) == [401])
        #expect(!bench.channel.isActive)
      }
    }
  }

  @Test("must prove what it says of itself, for this channel")
  func impostors() throws {
    var other = ServiceBench.exporter
    other[0] ^= 1
    try withServiceBench { bench in
      let answers = try bench.ask(bench.introduction(exporter: other))
      #expect(answers.map(\.status) == [401])
      #expect(!bench.channel.isActive)
    }
    try withServiceBench { bench in
      try bench.send([bench.introduction()])
      #expect(try bench.takeAnswers().map(\.status) == [401], "not signed with the team's key")
      #expect(!bench.channel.isActive)
    }
    try withServiceBench { bench in
      let itself = try bench.introduction(instance: bench.service.member.instance)
      #expect(try bench.ask(itself).map(\.status) == [401], "is this server itself")
      #expect(!bench.channel.isActive)
    }
  }

  @Test("whose clock is off is told the time, and may introduce itself again")
  func skew() throws {
    try withServiceBench { bench in
      try bench.send([bench.signed(bench.introduction(), time: ServiceBench.now - 400_000)])
      let answers = try bench.takeAnswers()
      #expect(answers.map(\.status) == [401] && answers[0].head["fabrik-time"] == "\(ServiceBench.now)")
      #expect(bench.channel.isActive)
      try bench.introduce()
      try bench.send([bench.signed(.request("/v1/status"), time: 5)])
      #expect(try bench.takeAnswers().map(\.status) == [401])
      #expect(try bench.ask(.status).map(\.status) == [200])
    }
  }

  @Test("has five seconds to introduce itself, and two minutes between requests")
  func patience() throws {
    try withServiceBench { bench in
      bench.pass(.milliseconds(4999))
      #expect(bench.channel.isActive)
      bench.pass(.milliseconds(1))
      #expect(!bench.channel.isActive)
    }
    try withServiceBench { bench in
      try bench.introduce()
      for _ in 0..<5 {
        bench.pass(.seconds(119))
        #expect(try bench.ask(.status).map(\.status) == [200])
      }
      bench.pass(.minutes(2))
      #expect(!bench.channel.isActive)
    }
  }

  // MARK: - Requests

  @Test("is cut off when it sends what is no request")
  func malformed() throws {
    for text in [
      "GET /v1/entries/../x HTTP/1.1\r\n\r\n", "PUT /v1/status HTTP/1.1\r\n\r\n", "\r\n\r\n", "\0\r\n\r\n",
      "GET /v1/status HTTP/1.1\r\nContent-Length: 1\r\n\r\nx", "HTTP/1.1 200 OK\r\n\r\n",
      String(repeating: "x", count: 5000),
    ] {
      try withServiceBench { bench in
        try bench.introduce()
        try bench.send(ByteBuffer(string: text))
        #expect(try bench.takeAnswers().map(\.status) == [400])
        #expect(!bench.channel.isActive)
      }
    }
  }

  @Test("is cut off when it sends a request again, or one that is not signed for it")
  func forged() throws {
    for isReplay in [true, false] {
      try withServiceBench { bench in
        try bench.introduce()
        let request = bench.signed(.request("/v1/status"))
        var other = bench.signed(.request("/v1/status"))
        other.startLine = "GET /v1/summary HTTP/1.1"
        try bench.send([request, isReplay ? request : other, request])
        #expect(try bench.takeAnswers().map(\.status) == [200, 401])
        #expect(!bench.channel.isActive)
      }
    }
  }

  @Test("is answered in the order of its requests, however they come in")
  func pipelining() throws {
    try withServiceBench { bench in
      try bench.introduce()
      bench.store.put(Self.key, [7])
      let targets: [PeerTarget] = [.entry(CacheKey(test: 2)), .status, .entry(Self.key), .summary(since: nil), .status]
      var buffer = ByteBuffer()
      for target in targets { bench.signed(.request(target.text)).write(into: &buffer) }
      while let byte = buffer.readSlice(length: 1) { try bench.send(byte) }
      bench.pass(.milliseconds(1))
      #expect(try bench.takeAnswers().map(\.status) == [404, 200, 200, 200, 200])
    }
  }

  @Test("may always have requests waiting, but not more than 64 KiB of them")
  func backlog() throws {
    try withServiceBench { bench in
      try bench.introduce()
      bench.store.put(Self.key, [7])
      bench.brake.isOn = true
      try bench.send([bench.signed(.request(PeerTarget.entry(Self.key).text))])
      var answers = 0
      for _ in 0..<1000 {
        try bench.send([bench.signed(.request(PeerTarget.entry(Self.key).text))])
        bench.brake.release()
        answers += try bench.takeAnswers().count
      }
      #expect(answers >= 1000 && bench.channel.isActive)
      for _ in 0..<1000 where bench.channel.isActive { try bench.send([bench.signed(.request("/v1/status"))]) }
      #expect(!bench.channel.isActive)
    }
  }

  // MARK: - Entries

  @Test(
    "gets an entry with its digest and what it took to make it", arguments: [0, 1, 5000, 131_072, 131_073, 1_000_000])
  func entry(size: Int) throws {
    try withServiceBench { bench in
      try bench.introduce()
      var generator = SeededGenerator(seed: 1)
      let body = generator.bytes(size)
      bench.store.put(Self.key, body, duration: 700)
      let answers = try bench.ask(.entry(Self.key))
      #expect(answers.map(\.status) == [200])
      let answer = try #require(answers.first)
      #expect(answer.isWhole && answer.body == body)
      #expect(answer.head["fabrik-digest"] == Hex.encode(SHA256Digest.digest(of: body).bytes))
      #expect(answer.head["fabrik-duration-ms"] == "700")
      #expect(bench.service.transfers.current == 0)
      let sighting = bench.service.book.sighting(of: bench.client.identifier)
      #expect(sighting?.servedHits == 1 && sighting?.servedBytes == UInt64(size))
    }
  }

  @Test("does not get what there is not, nor what belongs to the user alone")
  func privateEntry() throws {
    try withServiceBench { bench in
      try bench.introduce()
      let own = try CacheStore(directory: bench.store.directory, maxSize: 1 << 30)
      own.put(Self.key, [7])
      #expect(try bench.ask(.entry(Self.key)).map(\.status) == [404])
      #expect(try bench.ask(.entry(Self.key)).map(\.status) == [404], "asking does not make it the team's")
      #expect(bench.store.fingerprints.isEmpty)
      #expect(bench.store.body(Self.key) == [7], "the user's own build does")
      #expect(try bench.ask(.entry(Self.key)).map(\.status) == [200])
    }
  }

  @Test("does not get the whole of what is damaged", arguments: [5000, 100_000, 1_000_000])
  func damaged(size: Int) throws {
    try withServiceBench { bench in
      try bench.introduce()
      let body = [UInt8](repeating: 1, count: size)
      bench.store.put(Self.key, body)
      let file = try #require(
        Files.all(below: bench.store.directory).first { (try? Files.size($0)) ?? 0 >= UInt64(size) })
      var bytes = try Files.read(file)
      bytes[bytes.count / 2] ^= 1
      try Files.write(bytes, to: file)
      let answers = try bench.ask(.entry(Self.key))
      #expect(answers.count == 1 && (answers[0].status == 404 || !answers[0].isWhole))
      #expect(bench.service.transfers.current == 0)
      #expect(bench.store.lookup(Self.key) == nil, "and it is gone")
      // All places are free again.
      let peer = bench.client.identifier
      for _ in 0..<ServingLimits.transfersPerPeer { #expect(bench.service.limits.beginTransfer(for: peer)) }
    }
  }

  @Test("is told to try elsewhere when too many are being served")
  func busy() throws {
    try withServiceBench { bench in
      try bench.introduce()
      bench.store.put(Self.key, [1])
      while bench.service.limits.beginTransfer(for: bench.client.identifier) {}
      #expect(try bench.ask(.entry(Self.key)).map(\.status) == [429])
      bench.service.limits.endTransfer(for: bench.client.identifier)
      #expect(try bench.ask(.entry(Self.key)).map(\.status) == [200])
      #expect(try bench.ask(.entry(Self.key)).map(\.status) == [200])
    }
  }

  @Test("may take a large entry slowly, but not stop taking it")
  func slow() throws {
    try withServiceBench { bench in
      try bench.introduce()
      let body = [UInt8](repeating: 1, count: 3_000_000)
      bench.store.put(Self.key, body)
      bench.brake.isOn = true
      try bench.send([bench.signed(.request(PeerTarget.entry(Self.key).text))])
      for _ in 0..<10 {
        #expect(bench.service.transfers.current == 1)
        bench.pass(.seconds(19))
        bench.brake.release()
      }
      #expect(bench.channel.isActive)
      bench.pass(.seconds(20))
      #expect(!bench.channel.isActive)
      bench.brake.release()
      #expect(bench.service.transfers.current == 0)
    }
  }

  @Test("that goes in the middle of an entry leaves nothing behind")
  func gone() throws {
    try withServiceBench { bench in
      try bench.introduce()
      bench.store.put(Self.key, [UInt8](repeating: 1, count: 3_000_000))
      bench.brake.isOn = true
      try bench.send([bench.signed(.request(PeerTarget.entry(Self.key).text))])
      try bench.channel.close().wait()
      bench.pass(.zero)
      bench.brake.release()
      #expect(bench.service.transfers.current == 0)
    }
  }

  // MARK: - The summary

  private func generation(_ answer: ServiceBench.Answer?) throws -> SummaryGeneration {
    try #require(answer?.head["fabrik-generation"].flatMap(SummaryGeneration.init))
  }

  @Test("is told what there is, then what is new, when there is something")
  func summary() throws {
    try withServiceBench { bench in
      try bench.introduce()
      bench.service.summary.insert(0x0102_0304)
      try bench.send([bench.signed(.request("/v1/summary"))])
      bench.pass(.zero)
      let first = try bench.takeAnswers()
      #expect(first.map(\.status) == [200] && first[0].body == [4, 3, 2, 1])
      #expect(first[0].head["fabrik-summary"] == "full")

      #expect(try bench.ask(.summary(since: generation(first.first))).isEmpty, "nothing is new")
      for fingerprint: UInt32 in [1, 2] { bench.service.summary.insert(fingerprint) }
      bench.pass(SummaryAnswer.changePause)
      let second = try bench.takeAnswers()
      #expect(second.map(\.status) == [200] && second[0].body == [1, 0, 0, 0, 2, 0, 0, 0])
      #expect(second[0].head["fabrik-summary"] == "changes")

      #expect(try bench.ask(.summary(since: generation(second.first))).isEmpty)
      bench.pass(SummaryAnswer.changePatience + SummaryAnswer.changePause)
      let third = try bench.takeAnswers()
      #expect(third.map(\.status) == [200] && third[0].body.isEmpty && third[0].head["fabrik-summary"] == "changes")
      #expect(try generation(third.first) == generation(second.first))
    }
  }

  @Test("that goes while it waits for something new is not waited for")
  func waitingGone() throws {
    try withServiceBench { bench in
      try bench.introduce()
      let current = bench.service.summary.answer(since: nil).generation
      #expect(try bench.ask(.summary(since: current)).isEmpty)
      try bench.channel.close().wait()
      bench.service.summary.insert(1)
      bench.pass(.minutes(1))
      #expect(try bench.takeAnswers().isEmpty)
    }
  }

  // MARK: - Consent

  @Test("is told nothing until the user has said yes, nor after a no")
  func consent() throws {
    try withServiceBench(mode: .notifyOnce) { bench in
      try bench.introduce()
      bench.store.put(Self.key, [7])
      func answers() throws -> [Int?] {
        var result: [Int?] = []
        for target in [PeerTarget.entry(Self.key), .summary(since: nil), .status] {
          try bench.send([bench.signed(.request(target.text))])
          // A no to the question what there is comes when nothing has changed for a while.
          bench.pass(target == .entry(Self.key) ? .zero : SummaryAnswer.changePatience + .seconds(1))
          let answers = try bench.takeAnswers()
          result += answers.map(\.status)
          #expect(answers.allSatisfy { $0.status == 200 || $0.body.isEmpty })
        }
        return result
      }
      #expect(try answers() == [403, 403, 200])
      try bench.records.setConsent(.always, of: bench.client.identifier)
      #expect(try answers() == [200, 200, 200])
      try bench.records.setConsent(.denied, of: bench.client.identifier)
      #expect(try answers() == [403, 403, 200])
      let last = try bench.ask(.entry(Self.key)) + bench.ask(.status)
      #expect(last.map { $0.head["fabrik-consent"] } == ["denied", "denied"])
    }
  }

  @Test("learns at once what the user says while it waits")
  func answeredWhileWaiting() throws {
    try withServiceBench(mode: .notifyOnce) { bench in
      try bench.introduce()
      bench.service.summary.insert(1)
      try bench.send([bench.signed(.request("/v1/summary"))])
      bench.pass(.seconds(5))
      #expect(try bench.takeAnswers().isEmpty)
      try bench.records.setConsent(.always, of: bench.client.identifier)
      bench.pass(.milliseconds(500))
      #expect(try bench.takeAnswers().map(\.status) == [200])
    }
  }

  @Test("is not told what is new when the user has said no meanwhile")
  func revoked() throws {
    try withServiceBench(mode: .notifyOnce) { bench in
      try bench.records.setConsent(.always, of: bench.client.identifier)
      try bench.introduce()
      let current = bench.service.summary.answer(since: nil).generation
      #expect(try bench.ask(.summary(since: current)).isEmpty)
      try bench.records.setConsent(.denied, of: bench.client.identifier)
      bench.service.summary.insert(1)
      bench.pass(SummaryAnswer.changePause)
      #expect(try bench.takeAnswers().map(\.status) == [403])
    }
  }
}
