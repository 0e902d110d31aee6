package import ControlProtocol
import Glibc
package import SystemPackage

/// What a launcher gives a server it starts: as arguments, what everybody may see in a list of processes; through a
/// pipe, the rest.
///
/// The listening sockets are inherited as ``ServerSocket`` and ``InheritedDescriptor`` say, and so is the pipe.
package struct ServerOptions: Sendable {
  package let instance: ServerInstance
  package let parameters: ServerInstance.Parameters
  /// `$XDG_DATA_HOME/fabrik` of the user; nil when the launcher did not say.
  package let dataDirectory: FilePath?
  /// `$XDG_STATE_HOME/fabrik` of the user; nil when the launcher did not say.
  package let stateDirectory: FilePath?
  /// The D-Bus address of the user's session; nil when there is none.
  package let sessionBus: String?

  /// Of the build that started the server.
  package let surroundings: UpstreamSurroundings

  /// nil: off.
  package var peerSettings: PeerSettings? { parameters.peers }

  /// nil when the arguments are not a launcher's.
  ///
  /// - Parameters:
  ///   - arguments: without the program's name.
  ///   - configuration: what came through the pipe.
  package init?(arguments: [String], configuration: @autoclosure () -> ServerConfiguration = inheritedConfiguration()) {
    var values: [String: String] = [:]
    var rest = arguments[...]
    while let name = rest.popFirst() {
      guard let value = rest.popFirst() else { return nil }
      values[name] = value
    }
    guard let directory = values["--instance"], let cache = values["--cache"], let size = values["--max-size"] else {
      return nil
    }
    instance = ServerInstance(directory: FilePath(directory))
    let configuration = configuration()
    parameters = .init(
      cacheDirectory: FilePath(cache), maxSize: UInt64(size), peers: configuration.peers,
      upstreams: configuration.upstreams, sealingSecret: configuration.sealingSecret)
    surroundings = configuration.surroundings
    dataDirectory = configuration.dataDirectory
    stateDirectory = configuration.stateDirectory
    sessionBus = configuration.sessionBus
  }

  /// Reads and closes the pipe. Without one, or with nonsense in it, everything is off.
  package static func inheritedConfiguration() -> ServerConfiguration {
    var status = stat()
    let pipe = FileDescriptor(rawValue: InheritedDescriptor.configuration)
    guard fstat(pipe.rawValue, &status) == 0, status.st_mode & S_IFMT == S_IFIFO else { return .init() }
    var line: [UInt8] = []
    try? pipe.closeAfter {
      // The launcher has written all of it and closed its end before this program was started.
      while line.count <= ControlMessage.maximumLength {
        let count = try withUnsafeTemporaryAllocation(byteCount: 4096, alignment: 1) { buffer in
          let count = try pipe.read(into: buffer)
          line.append(contentsOf: UnsafeRawBufferPointer(rebasing: buffer[..<count]))
          return count
        }
        if count == 0 { break }
      }
    }
    let message = ControlMessage(line: line.prefix { $0 != UInt8(ascii: "\n") })
    return message.flatMap(ServerConfiguration.init(message:)) ?? .init()
  }
}
