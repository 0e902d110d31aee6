import SystemSupport
import TestSupport
import Testing

@testable import PeerNetwork

@Suite("A signed request")
struct RequestSignatureTests {
  private static let now: UInt64 = 1_700_000_000_000
  private static let key = [UInt8](repeating: 1, count: 32)
  private static let client = [UInt8](repeating: 2, count: 32)
  private static let server = [UInt8](repeating: 3, count: 32)
  private static let exporter = [UInt8](repeating: 4, count: 32)

  private func make(
    key: [UInt8] = key, client: [UInt8] = client, server: [UInt8] = server, exporter: [UInt8] = exporter
  ) -> RequestSignature {
    RequestSignature(key: key, client: client, server: server, exporter: exporter)
  }

  private func signed(
    by signer: inout RequestSignature, _ target: String = "/v1/summary", time: UInt64 = now
  ) -> MessageHead {
    var head = MessageHead.request(target)
    signer.sign(&head, time: time)
    return head
  }

  private func refusal(
    of head: MessageHead, by verifier: RequestSignature, now: UInt64 = now
  ) -> RequestSignature.Refusal? {
    var verifier = verifier
    do throws(RequestSignature.Refusal) {
      try verifier.verify(head, now: now)
      return nil
    } catch {
      return error
    }
  }

  @Test("is taken by the one it is for, each once and in its order")
  func right() throws {
    var (signer, verifier) = (make(), make())
    for number in 0..<300 {
      let head = signed(by: &signer, "/v1/entries/test/\(Hex.encode([UInt8(number & 255)]))")
      try verifier.verify(head, now: Self.now)
      #expect(refusal(of: head, by: verifier) == .replayed)
    }
  }

  @Test("is not taken when an earlier one comes after it")
  func order() throws {
    var (signer, verifier) = (make(), make())
    let heads = (0..<3).map { _ in signed(by: &signer) }
    try verifier.verify(heads[1], now: Self.now)
    #expect(refusal(of: heads[0], by: verifier) == .replayed)
    try verifier.verify(heads[2], now: Self.now)
  }

  @Test("is not taken under another key, on another channel, or by another machine")
  func binding() {
    var signer = make()
    let head = signed(by: &signer)
    #expect(refusal(of: head, by: make()) == nil)
    #expect(refusal(of: head, by: make(key: [UInt8](repeating: 9, count: 32))) == .forged)
    #expect(refusal(of: head, by: make(exporter: [UInt8](repeating: 9, count: 32))) == .forged)
    #expect(refusal(of: head, by: make(client: Self.server, server: Self.client)) == .forged, "sent back")
    #expect(refusal(of: head, by: make(client: [UInt8](repeating: 9, count: 32))) == .forged)
    #expect(refusal(of: head, by: make(server: [UInt8](repeating: 9, count: 32))) == .forged)
    #expect(refusal(of: head, by: make(server: [])) == .forged, "an introduction is another thing")
  }

  @Test("is not taken when anything in it was changed")
  func changed() throws {
    var signer = make()
    let head = signed(by: &signer)
    func changed(_ field: String, _ value: String?) -> MessageHead {
      var copy = head
      copy.fields[field] = value
      return copy
    }
    for field in [RequestSignature.timeField, RequestSignature.nonceField, RequestSignature.signatureField] {
      #expect(refusal(of: changed(field, nil), by: make()) == .forged)
      for value in ["", "0", "x", "-1", String(repeating: "0", count: 16), String(repeating: "0", count: 64)] {
        #expect(refusal(of: changed(field, value), by: make()) == .forged, "\(field): \(value)")
      }
    }
    let signature = try #require(head[RequestSignature.signatureField])
    #expect(refusal(of: changed(RequestSignature.signatureField, signature.uppercased()), by: make()) == .forged)
    #expect(refusal(of: changed(RequestSignature.signatureField, String(signature.dropLast(2))), by: make()) == .forged)
    #expect(refusal(of: changed(RequestSignature.signatureField, signature + "00"), by: make()) == .forged)
    for line in ["GET /v1/status HTTP/1.1", "PUT /v1/summary HTTP/1.1", "GET /v1/summary HTTP/1.0", ""] {
      var copy = head
      copy.startLine = line
      #expect(refusal(of: copy, by: make()) == .forged)
    }
  }

  @Test("may be five minutes off, either way, and no more")
  func skew() {
    func refusal(_ offset: Int64) -> RequestSignature.Refusal? {
      var signer = make()
      let head = signed(by: &signer, time: UInt64(Int64(Self.now) + offset))
      return self.refusal(of: head, by: make())
    }
    for offset: Int64 in [0, 1, -1, 300_000, -300_000] { #expect(refusal(offset) == nil) }
    for offset: Int64 in [300_001, -300_001, -Int64(Self.now), .max - Int64(Self.now)] {
      #expect(refusal(offset) == .skewed)
    }
    var signer = make()
    #expect(self.refusal(of: signed(by: &signer, time: .max), by: make(), now: 0) == .skewed)
  }

  @Test("counts as used even when its time is refused")
  func skewedOnce() {
    var (signer, verifier) = (make(), make())
    let head = signed(by: &signer, time: 0)
    #expect(throws: RequestSignature.Refusal.skewed) { try verifier.verify(head, now: Self.now) }
    #expect(refusal(of: head, by: verifier, now: 0) == .replayed)
  }

  @Test("with a wrong signature does not use up a number")
  func forgedFirst() throws {
    var (signer, verifier) = (make(), make())
    var forged = signed(by: &signer)
    forged.fields[RequestSignature.nonceField] = "ffffffffffffffff"
    #expect(throws: RequestSignature.Refusal.forged) { try verifier.verify(forged, now: Self.now) }
    try verifier.verify(signed(by: &signer), now: Self.now)
  }
}
