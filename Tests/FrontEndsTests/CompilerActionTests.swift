import CacheStore
import FrontEnds
import SystemSupport
import TestSupport
import Testing

@Suite("The result of an action of the compilers'")
struct CompilerActionTests {
  private static let small = CompilerSamples.object(Array("value".utf8))
  private static let atLimit = CompilerSamples.object(size: 4096)
  private static let separate = CompilerSamples.object(size: 4097)

  @Test("names its objects, and has the small ones in it")
  func parts() throws {
    let objects = [Self.small, Self.separate, Self.atLimit, CompilerSamples.object([])]
    let action = try #require(CompilerAction(CompilerSamples.action(objects)))
    #expect(action.objects.map(\.digest) == objects.map(SHA256Digest.digest))
    #expect(action.objects.map(\.size) == objects.map { UInt64($0.count) })
    #expect(action.separate.map(\.digest) == [SHA256Digest.digest(of: Self.separate)])
    #expect(action.separate.map(\.size) == [4097])
    #expect(action.inlineObjects.map { Array($0.body) } == [Self.small, Self.atLimit, CompilerSamples.object([])])
  }

  @Test("has 1 to 64 objects")
  func count() {
    #expect(CompilerAction(CompilerSamples.action([])) == nil)
    for (count, isOne) in [(1, true), (64, true), (65, false)] {
      let objects = (0..<count).map { CompilerSamples.object([UInt8($0)]) }
      #expect((CompilerAction(CompilerSamples.action(objects)) != nil) == isOne, "\(count)")
    }
    let largest = CompilerSamples.action((0..<64).map { CompilerSamples.object(size: 4096, UInt8($0)) })
    #expect(largest.count == CompilerAction.sizeLimit && CompilerAction(largest) != nil)
  }

  @Test(
    "sizes that are not true are refused",
    arguments: [0, 1, 16, 21, 23, 4097, 1 << 30, 1 << 31, 1 << 63, .max] as [UInt64])
  func lyingSize(size: UInt64) {
    #expect(Self.small.count == 22)
    #expect(CompilerAction(CompilerSamples.action([Self.small], sizes: [size])) == nil)
    #expect(CompilerAction(CompilerSamples.action([Self.small, Self.small], sizes: [size, 22])) == nil)
  }

  @Test("all objects together are not larger than a gigabyte")
  func total() {
    let objects = [Self.separate, Self.separate]
    #expect(CompilerAction(CompilerSamples.action(objects, sizes: [1 << 29, 1 << 29])) != nil)
    #expect(CompilerAction(CompilerSamples.action(objects, sizes: [1 << 29, 1 << 29 + 1])) == nil)
    #expect(CompilerAction(CompilerSamples.action(objects, sizes: [.max, .max])) == nil)
  }

  @Test("bodies that are none, too few or too many are refused")
  func bodies() {
    let changes: [(inout [UInt8]) -> Void] = [
      { $0[0] = 0 }, { $0[4] = 2 }, { $0[8] = 200 },
      {
        $0[8] = 255; $0[11] = 255
      }, { $0[12] = 1 },
      { $0.removeLast() }, { $0.append(0) }, { $0.removeLast(22) }, { $0[$0.count - 1] = 1 }, { $0[$0.count - 22] = 0 },
      { $0[$0.count - 18] = 1 }, { $0[$0.count - 7] = 255 },
    ]
    let sound = CompilerSamples.action([Self.separate, Self.small])
    #expect(CompilerAction(sound) != nil)
    for (number, change) in changes.enumerated() {
      var body = sound
      change(&body)
      #expect(CompilerAction(body) == nil, "change \(number)")
    }
  }

  @Test("nothing that is cut off is one")
  func cut() {
    let body = CompilerSamples.action([Self.small, Self.separate, Self.small])
    for count in 0..<body.count { #expect(CompilerAction(Array(body.prefix(count))) == nil, "\(count) bytes") }
  }

  @Test("what is changed at random is refused, or has objects that fit", arguments: 0..<200)
  func noise(seed: UInt64) {
    var generator = SeededGenerator(seed: seed)
    var body = CompilerSamples.action([Self.small, Self.separate, Self.small])
    for _ in 0..<Int.random(in: 1...4, using: &generator) {
      body[Int.random(in: 0..<body.count, using: &generator)] = UInt8.random(in: 0...255, using: &generator)
    }
    if let action = CompilerAction(body) {
      #expect(action.inlineObjects.allSatisfy { $0.body.count <= CompilerAction.inlineLimit })
      #expect(action.separate.allSatisfy { $0.size > 4096 && $0.size <= 1 << 30 })
      #expect(action.inlineObjects.count + action.separate.count == action.objects.count)
    }
    _ = CompilerAction(generator.bytes(Int.random(in: 0...2000, using: &generator)))
  }

  @Test("an object begins with its own lengths")
  func head() {
    func isHead(_ body: [UInt8], _ size: Int) -> Bool { CompilerObject.isHead(body.prefix(16), ofSize: UInt64(size)) }
    let references = [SHA256Digest.digest(of: [1]), SHA256Digest.digest(of: [2])]
    for body in [Self.small, Self.separate, CompilerSamples.object([3], references: references)] {
      #expect(isHead(body, body.count))
      #expect(!isHead(body, body.count - 1) && !isHead(body, body.count + 1))
    }
    #expect(!CompilerObject.isHead(Self.small.prefix(15), ofSize: 22) && !CompilerObject.isHead([], ofSize: 0))
    // Lengths that overflow.
    for data in [UInt64.max, UInt64.max - 16, UInt64.max - 32 * UInt64(UInt32.max)] {
      var body = Array("FCAS".utf8)
      body.append(littleEndian: UInt32.max)
      body.append(littleEndian: data)
      #expect(!isHead(body, 17) && !isHead(body, 0))
    }
  }
}
