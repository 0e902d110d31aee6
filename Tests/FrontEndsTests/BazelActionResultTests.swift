import CacheStore
import FrontEnds
import SystemSupport
import TestSupport
import Testing

@Suite("The result of an action of Bazel's")
struct BazelActionResultTests {
  private static func digest(_ number: UInt8) -> Digest { Digest(bytes: [UInt8](repeating: number, count: 32)) }

  private static func message(_ digest: Digest, size: UInt64 = 5) -> [UInt8] {
    ProtocolBuffers.field(1, Array(digest.description.utf8)) + ProtocolBuffers.field(2, size)
  }

  private static func file(_ number: UInt8, content: [UInt8] = []) -> [UInt8] {
    ProtocolBuffers.field(1, Array("path/\(number)".utf8)) + ProtocolBuffers.field(2, message(digest(number)))
      + ProtocolBuffers.field(4, 1) + (content.isEmpty ? [] : ProtocolBuffers.field(5, content))
  }

  private static func directory(_ number: UInt8) -> [UInt8] {
    ProtocolBuffers.field(1, Array("path/\(number)".utf8)) + ProtocolBuffers.field(3, message(digest(number)))
  }

  /// Two files, a directory, and both streams.
  private static let sample =
    ProtocolBuffers.field(2, file(1)) + ProtocolBuffers.field(2, file(2)) + ProtocolBuffers.field(3, directory(3))
    + ProtocolBuffers.field(6, message(digest(4))) + ProtocolBuffers.field(8, message(digest(5)))
    + ProtocolBuffers.field(9, [1, 2, 3])

  /// A directory with two files, and one below it with a third.
  private static let tree =
    ProtocolBuffers.field(1, ProtocolBuffers.field(1, file(6)) + ProtocolBuffers.field(1, file(7)))
    + ProtocolBuffers.field(2, ProtocolBuffers.field(1, file(8)) + ProtocolBuffers.field(2, file(9)))

  @Test("names files, directories, and what was printed")
  func names() throws {
    let result = try #require(BazelActionResult(Self.sample))
    #expect(result.files == [1, 2, 4, 5].map(Self.digest))
    #expect(result.trees == [Self.digest(3)])
  }

  @Test("a tree names the files in all its directories, but not the directories")
  func trees() {
    #expect(BazelActionResult.files(ofTree: Self.tree) == [6, 7, 8].map(Self.digest))
    #expect(BazelActionResult.files(ofTree: []) == [])
  }

  @Test("content that the result has itself is there")
  func inlined() throws {
    let message =
      ProtocolBuffers.field(2, Self.file(1, content: [1])) + ProtocolBuffers.field(5, [2])
      + ProtocolBuffers.field(6, Self.message(Self.digest(4))) + ProtocolBuffers.field(8, Self.message(Self.digest(5)))
    #expect(try #require(BazelActionResult(message)).files == [Self.digest(5)])
  }

  @Test("the file without content is always there")
  func empty() throws {
    let file = ProtocolBuffers.field(2, Self.message(BazelProtocol.emptyFile, size: 0))
    #expect(try #require(BazelActionResult(ProtocolBuffers.field(2, file))).files == [])
    #expect(BazelActionResult.files(ofTree: ProtocolBuffers.field(1, ProtocolBuffers.field(1, file))) == [])
    #expect(SHA256Digest.digest(of: []) == BazelProtocol.emptyFile)
  }

  @Test("what names a file without saying which is no result")
  func malformed() {
    let wrong: [[UInt8]] = [
      [], [0xff], Array("not a message".utf8),
      // No digest; a short one; one that is no hexadecimal number; a number.
      ProtocolBuffers.field(2, ProtocolBuffers.field(1, [1])),
      ProtocolBuffers.field(2, ProtocolBuffers.field(2, ProtocolBuffers.field(1, Array("abcd".utf8)))),
      ProtocolBuffers.field(
        2, ProtocolBuffers.field(2, ProtocolBuffers.field(1, [UInt8](repeating: UInt8(ascii: "x"), count: 64)))),
      ProtocolBuffers.field(2, 7), ProtocolBuffers.field(3, Self.file(1)), ProtocolBuffers.field(6, [1]),
      ProtocolBuffers.field(6, 1), [UInt8](repeating: 0, count: BazelActionResult.sizeLimit + 1),
    ]
    for message in wrong { #expect(BazelActionResult(message) == nil, "\(message.prefix(80))") }
    #expect(BazelActionResult.files(ofTree: [0xff]) == nil)
    #expect(BazelActionResult.files(ofTree: ProtocolBuffers.field(1, ProtocolBuffers.field(1, [1]))) == nil)
  }

  @Test("one that is cut off names less than the whole, or nothing")
  func cutOff() {
    for count in 0..<Self.sample.count {
      guard let result = BazelActionResult(Array(Self.sample.prefix(count))) else { continue }
      #expect(result.files.count + result.trees.count <= 5)
      #expect([1, 2, 4, 5].map(Self.digest).starts(with: result.files))
    }
  }

  @Test("one with some bytes changed names what is no more than its bytes allow", arguments: 0..<20)
  func mutated(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    for _ in 0..<500 {
      var (message, tree) = (Self.sample, Self.tree)
      for _ in 0..<Int.random(in: 1...4, using: &generator) {
        message[message.indices.randomElement(using: &generator)!] = .random(in: 0...255, using: &generator)
        tree[tree.indices.randomElement(using: &generator)!] = .random(in: 0...255, using: &generator)
      }
      // A digest takes 64 bytes.
      if let result = BazelActionResult(message) { #expect((result.files + result.trees).count <= message.count / 64) }
      if let files = BazelActionResult.files(ofTree: tree) { #expect(files.count <= tree.count / 64) }
    }
  }
}
