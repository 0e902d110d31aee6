import Testing

@testable import PeerRecords

@Suite("The peer that a user means")
struct PeerSelectionTests {
  private static func identifier(_ beginning: String) -> PeerIdentifier {
    PeerIdentifier(beginning + String(repeating: "0", count: 32 - beginning.count))!
  }

  private let selection = PeerSelection([
    .init(identifier: identifier("5f0c1a2b"), name: "desk"), .init(identifier: identifier("5f0c1a2c"), name: "laptop"),
    .init(identifier: identifier("abcd"), name: "twin"), .init(identifier: identifier("dcba"), name: "twin"),
    .init(identifier: identifier("0011223344"), name: "dcba"),
    .init(identifier: identifier("0011223355"), name: "büro 2"),
  ])

  @Test(
    "is found by its name, its identifier or an unambiguous beginning of four digits",
    arguments: [
      ("desk", "5f0c1a2b"), ("büro 2", "0011223355"), ("5f0c1a2b", "5f0c1a2b"), ("abcd", "abcd"),
      ("00112233550", "0011223355"), ("5f0c1a2b000000000000000000000000", "5f0c1a2b"),
    ])
  func found(word: String, beginning: String) throws {
    #expect(try selection.find(word) == Self.identifier(beginning))
  }

  @Test("may be unknown when the whole identifier is given")
  func unknown() throws {
    let word = "0123456789abcdef0123456789abcdef"
    #expect(try selection.find(word).description == word)
  }

  @Test(
    "is asked for again, with the candidates, when it is not clear",
    arguments: [
      ("twin", "'twin' may be any of: twin (abcd0000), twin (dcba0000); give more of the identifier"),
      ("5f0c", "'5f0c' may be any of: desk (5f0c1a2b), laptop (5f0c1a2c); give more of the identifier"),
      ("00112233", "'00112233' may be any of: dcba (001122334), büro 2 (001122335); give more of the identifier"),
      ("dcba", "'dcba' may be any of: twin (dcba0000), dcba (00112233); give more of the identifier"),
      (
        "abc",
        "there is no peer 'abc'; known are: desk (5f0c1a2b), laptop (5f0c1a2c), twin (abcd0000), twin (dcba0000), "
          + "dcba (001122334), büro 2 (001122335)"
      ),
    ])
  func unclear(word: String, message: String) {
    let error = #expect(throws: PeerSelection.Failure.self) { try selection.find(word) }
    #expect(error?.description == message)
  }

  @Test("cannot be found where none is known")
  func none() {
    let error = #expect(throws: PeerSelection.Failure.self) { try PeerSelection([]).find("desk\u{1b}") }
    #expect(error?.description == "there is no peer 'desk'; no peer is known")
  }
}
