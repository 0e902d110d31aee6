package import SystemPackage

/// Where tools reach the server.
package struct CacheEndpoints: Sendable, Equatable {
  /// A Unix socket that speaks ccache's storage helper protocol.
  package let crshSocket: FilePath
  /// Port on 127.0.0.1.
  package let httpPort: UInt16
  /// To be shown as `Authorization: Bearer`.
  package let httpToken: String
  /// The words of the command that speaks Go's cache protocol: an absolute path and arguments; empty when there is none.
  package let goCacheProgram: [String]
  /// For compilers that load libFabrikCAS.so; nil when it is not there.
  package let compilerCache: CompilerCacheEndpoint?

  package init(
    crshSocket: FilePath, httpPort: UInt16, httpToken: String, goCacheProgram: [String] = [],
    compilerCache: CompilerCacheEndpoint? = nil
  ) {
    self.goCacheProgram = goCacheProgram
    self.compilerCache = compilerCache
    self.crshSocket = crshSocket
    self.httpPort = httpPort
    self.httpToken = httpToken
  }

  /// For what outlives a build, which is then taken for the likely one's: the token without the lease.
  var lastingToken: String { String(httpToken.prefix { $0 != "." }) }

  /// What a tool that takes an address gets: the front end, and the root of the tool's dialect.
  func address(_ root: String) -> String { "http://127.0.0.1:\(httpPort)\(root)" }
}

/// What libFabrikCAS.so works with.
package struct CompilerCacheEndpoint: Sendable, Equatable {
  package let socket: FilePath
  /// Of the build.
  package let lease: String
  /// Where compilers keep what they hand to each other.
  package let directory: FilePath

  package init(socket: FilePath, lease: String, directory: FilePath) {
    self.socket = socket
    self.lease = lease
    self.directory = directory
  }
}
