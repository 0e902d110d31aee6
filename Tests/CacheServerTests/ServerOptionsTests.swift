import ControlProtocol
import SystemPackage
import Testing

@testable import CacheServer

@Suite("What a launcher gives its server")
struct ServerOptionsTests {
  private let whole = ["--instance", "/run/fabrik/ab", "--cache", "/cache", "--max-size", "auto"]

  @Test("is where it is found, and what it stores where")
  func arguments() throws {
    let options = try #require(ServerOptions(arguments: whole, configuration: .init()))
    #expect(options.instance.directory == "/run/fabrik/ab" && options.parameters.cacheDirectory == "/cache")
    #expect(options.parameters.maxSize == nil && options.peerSettings == nil && options.parameters.upstreams.isEmpty)
    let bounded = try #require(ServerOptions(arguments: whole.dropLast() + ["123"], configuration: .init()))
    #expect(bounded.parameters.maxSize == 123)
  }

  @Test("is nothing when a part of it is missing")
  func incomplete() {
    for name in ["--instance", "--cache", "--max-size"] {
      var arguments = whole
      arguments.removeAll { $0 == name }
      #expect(ServerOptions(arguments: arguments, configuration: .init()) == nil)
      arguments.remove(at: 1)
      #expect(ServerOptions(arguments: arguments, configuration: .init()) == nil)
    }
    #expect(ServerOptions(arguments: [], configuration: .init()) == nil)
  }
}
