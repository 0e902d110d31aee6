package import SystemPackage

/// The Unix sockets that a server is reached by. The launcher binds them, and the server inherits them in this order,
/// followed by what ``InheritedDescriptor`` names.
package enum ServerSocket: CInt, CaseIterable, Sendable {
  /// Leases and questions about the server: ``ControlMessage``.
  case control
  /// ccache's storage helper protocol.
  case storageHelper
  /// What `fabrik cacheprog` speaks for Go.
  case goCache
  /// What libFabrikCAS.so speaks in compilers.
  case compilerCache

  /// Tools remember some of these paths.
  var fileName: String {
    switch self {
    case .control: "control.sock"
    case .storageHelper: "crsh.sock"
    case .goCache: "go.sock"
    case .compilerCache: "cas.sock"
    }
  }

  /// Connections that wait to be accepted. A `make -j64` starts compilers faster than a busy server accepts them, and
  /// nobody may be refused.
  package static let backlog: CInt = 4096

  /// The descriptor that a server inherits it as.
  package var descriptor: CInt { InheritedDescriptor.first + rawValue }
}

/// What a server inherits beside its Unix sockets.
package enum InheritedDescriptor {
  package static let first: CInt = 3
  /// The listening socket of the HTTP front end.
  package static let http = first + CInt(ServerSocket.allCases.count)
  /// A pipe with a ``ServerConfiguration`` in it.
  package static let configuration = http + 1
}

extension ServerInstance {
  package func path(of socket: ServerSocket) -> FilePath { directory.appending(socket.fileName) }
}
