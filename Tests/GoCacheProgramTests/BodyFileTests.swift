import SystemPackage
import SystemSupport
import TestSupport
import Testing

@testable import GoCacheProgram

@Suite("Bodies on their way to the store")
struct BodyFileTests {
  private let output = [0xab] + [UInt8](repeating: 1, count: 31)

  private func withPlaces(_ body: (BodyFile.Places) throws -> Void) throws {
    try withTemporaryDirectory { directory in
      for name in ["server", "go"] { try FileSystem.makeDirectories(directory.appending(name)) }
      try body(.init(server: directory.appending("server"), goCache: directory.appending("go")))
    }
  }

  private func name(in places: BodyFile.Places) throws -> FilePath {
    try #require(places.goCache).appending("ab").appending("\(Hex.encode(output))-d")
  }

  @Test("a body lies in the server's directory, for the server alone, until it is handed over")
  func handOver() throws {
    try withPlaces { places in
      let file = BodyFile(output: output, places: places)
      #expect(file.write([1, 2]) && file.write([3]))
      let path = try #require(places.server).appending(try #require(file.name))
      #expect(try Files.read(path) == [1, 2, 3])
      #expect(try Files.permissions(path) == 0o400)
      file.handOver()
      #expect(FileSystem.exists(path))
    }
  }

  @Test("what nobody takes is removed")
  func dropped() throws {
    try withPlaces { places in
      #expect(BodyFile(output: output, places: places).write([1]))
      let server = try #require(places.server)
      #expect(try FileSystem.entries(of: server).isEmpty)
    }
  }

  @Test("what the server does not take becomes a file of Go's cache, whatever became of it", arguments: 0..<4)
  func kept(event: Int) throws {
    try withPlaces { places in
      let file = BodyFile(output: output, places: places)
      #expect(file.write([1, 2, 3]))
      let path = try #require(places.server).appending(try #require(file.name))
      switch event {
      case 1: try FileSystem.remove(path)
      case 2: try FileSystem.rename(path, to: path.removingLastComponent().appending("other"))
      case 3: try FileSystem.removeTree(path.removingLastComponent())
      default: break
      }
      let kept = try #require(file.keep())
      #expect(kept == (try name(in: places)))
      #expect(try Files.read(kept) == [1, 2, 3])
      #expect(!FileSystem.exists(path))
      file.close()
      #expect(FileSystem.exists(kept))
    }
  }

  @Test(
    "without a server it is written to Go's cache at once, also when it is empty",
    arguments: [[], [1, 2, 3]] as [[UInt8]])
  func withoutServer(body: [UInt8]) throws {
    try withPlaces { places in
      let places = BodyFile.Places(server: nil, goCache: places.goCache)
      let file = BodyFile(output: output, places: places)
      #expect(body.isEmpty || file.write(body))
      #expect(file.name == nil)
      let kept = try #require(file.keep())
      #expect(try Files.read(kept) == body)
      #expect(try FileSystem.entries(of: kept.removingLastComponent()).count == 1)
    }
  }

  @Test("a server's directory that is gone is made anew; one that cannot be made is done without")
  func missingDirectory() throws {
    try withPlaces { places in
      let server = try #require(places.server)
      try FileSystem.removeTree(server)
      let file = BodyFile(output: output, places: places)
      #expect(file.write([1]) && file.name != nil)
      file.close()
      try FileSystem.removeTree(server)
      try Files.write([], to: server)
      let other = BodyFile(output: output, places: places)
      #expect(other.write([1]) && other.name == nil)
      let kept = try #require(other.keep())
      #expect(try Files.read(kept) == [1])
    }
  }

  @Test("with nowhere to write, it says so")
  func nowhere() {
    let file = BodyFile(output: output, places: .init(server: nil, goCache: nil))
    #expect(!file.write([1]))
    #expect(file.keep() == nil)
  }
}
