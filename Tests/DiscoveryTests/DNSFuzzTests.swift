import TestSupport
import Testing

@testable import Discovery

/// Whatever comes, the program stays alive: a trap would end the server.
@Suite("Hostile packets")
struct DNSFuzzTests {
  @Test("of random bytes are survived", arguments: 0..<8)
  func random(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    for _ in 0..<2000 {
      var packet = generator.bytes(.random(in: 0...200, using: &generator))
      // Most would fail at the flags or at the first count.
      if packet.count > 12, seed % 2 == 0 {
        packet.replaceSubrange(2..<12, with: [0x84, 0, 0, .random(in: 0...3, using: &generator), 0, 4, 0, 0, 0, 2])
      }
      swallow(packet)
    }
  }

  @Test("that were good once are survived", arguments: 0..<8)
  func mutated(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    let originals = DNSMessageTests.messages.map(\.encoded) + RecordedPacket.all.map(\.bytes)
    var understood = 0
    for _ in 0..<2000 {
      var packet = originals.randomElement(using: &generator)!
      for _ in 0..<Int.random(in: 1...6, using: &generator) {
        mutate(&packet, &generator)
        if packet.isEmpty { break }
      }
      if swallow(packet) { understood += 1 }
    }
    #expect(understood > 100, "the mutations are too wild to reach far")
  }

  @Test("of nothing but pointers cost little")
  func pointers() {
    // 800 names of 255 bytes each, by pointers to the first.
    let label: [UInt8] = [63] + [UInt8](repeating: 97, count: 63)
    var packet: [UInt8] = [0, 0, 0x84, 0, 0, 1, 3, 0x20, 0, 0, 0, 0]
    packet += label + label + label + [61] + label.prefix(62).dropFirst() + [0, 0, 12, 0, 1]
    for _ in 0..<600 { packet += [0xc0, 12, 0, 12, 0, 1, 0, 0, 0, 9, 0, 2, 0xc0, 12] }
    packet[6] = UInt8(600 >> 8)
    packet[7] = UInt8(600 & 0xff)
    let message = DNSMessage(packet: packet)
    #expect(message?.answers.count == 600)
    swallow(packet)
  }

  @Test("with long chains of pointers are not followed")
  func chains() {
    // One record of an unknown type holds a chain of so many pointers, each to the one before; hundreds of names lead to
    // its end.
    func packet(links: Int) -> [UInt8] {
      let count = 374
      var packet: [UInt8] = [0, 0, 0x84, 0, 0, 0, UInt8((count + 1) >> 8), UInt8((count + 1) & 255), 0, 0, 0, 0]
      packet += [0, 0xff, 0, 0, 1, 0, 0, 0, 9]
      packet += [UInt8((2 * links + 1) >> 8), UInt8((2 * links + 1) & 255), 0]
      var target = packet.count - 1
      for _ in 0..<links {
        packet += [0xc0 | UInt8(target >> 8), UInt8(target & 255)]
        target = packet.count - 2
      }
      for _ in 0..<count {
        packet += [0xc0 | UInt8(target >> 8), UInt8(target & 255), 0xff, 0, 0, 1, 0, 0, 0, 9, 0, 0]
      }
      return packet
    }
    #expect(DNSMessage(packet: packet(links: 126))?.answers.count == 375)
    #expect(DNSMessage(packet: packet(links: 127)) == nil)
    #expect(packet(links: 2244).count <= DNSMessage.longest && DNSMessage(packet: packet(links: 2244)) == nil)
  }

  private func mutate(_ packet: inout [UInt8], _ generator: inout SeededGenerator) {
    let place = Int.random(in: packet.indices, using: &generator)
    switch Int.random(in: 0..<6, using: &generator) {
    case 0: packet[place] ^= 1 << UInt8.random(in: 0..<8, using: &generator)
    case 1: packet[place] = [0, 1, 0x3f, 0x40, 0xc0, 0xff].randomElement(using: &generator)!
    case 2: packet.remove(at: place)
    case 3: packet.insert(.random(in: 0...255, using: &generator), at: place)
    case 4: packet.removeLast(packet.count - place)
    default: packet += packet[place...]
    }
  }

  /// Reads a packet, and gives it to all who deal with messages. True when it was well-formed.
  @discardableResult
  private func swallow(_ packet: [UInt8]) -> Bool {
    guard let message = DNSMessage(packet: packet) else { return false }
    #expect(DNSMessage(packet: message.encoded) != nil, "what was read can be written and read again")
    let now = Instant.now
    var browser = Browser { _ in true }
    browser.add(interface: 1, now: now)
    for isOneShot in [true, false] {
      let origin = ServiceCache.Origin(
        sender: Sample.asker, interface: 1, isLoopback: true, isOneShot: isOneShot)
      browser.receive(message, from: origin, now: now)
    }
    _ = browser.takeEvents(now: now)
    _ = browser.takeQueries(now: now + .seconds(1)).map(\.message.encoded)
    _ = browser.takeEvents(now: now + .seconds(1_000_000))
    var responder = Sample.responder(now: now)
    for port in [5353, 1000] as [UInt16] {
      let answer = responder.receive(message, from: Sample.asker, port: port, on: Sample.link, now: now)
      #expect((answer?.message.encoded.count ?? 0) <= max(512, packet.count + 400), "answers do not amplify")
    }
    _ = responder.takeDue(now: now + .seconds(2)).map(\.message.encoded)
    return true
  }
}
