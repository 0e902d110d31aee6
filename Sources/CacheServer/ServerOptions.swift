package import ControlProtocol
import SystemPackage

/// What a launcher gives a server it starts, as arguments: nothing secret, so it may be seen in a process list.
///
/// The listening sockets are descriptors 3 (control), 4 (storage helper) and 5 (HTTP).
package struct ServerOptions: Sendable, Equatable {
  package let instance: ServerInstance
  package let parameters: ServerInstance.Parameters

  /// Inherited listening sockets.
  package static let controlDescriptor: CInt = 3
  package static let crshDescriptor: CInt = 4
  package static let httpDescriptor: CInt = 5

  /// - Parameter arguments: without the program's name; nil when they are not what ``ServerInstance/arguments`` makes.
  package init?(arguments: [String]) {
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
    parameters = .init(cacheDirectory: FilePath(cache), maxSize: UInt64(size))
  }

  package static func == (left: ServerOptions, right: ServerOptions) -> Bool {
    left.instance.directory == right.instance.directory && left.parameters == right.parameters
  }
}
