import Configuration
import ControlProtocol
import Glibc
import SystemPackage
import SystemSupport

/// A lease of a server, for a build or for a question: as long as the socket is open, the server stays.
struct LeaseConnection: ~Copyable {
  private var connection: ControlConnection
  let id: String
  /// Where the server speaks HTTP.
  let endpoint: HTTPEndpoint
  /// Whether the server's `ready` has been seen, or it was running before.
  private var wasReady = false

  /// Bytes: a message must not become too long.
  private static let longestDirectory = 1024

  /// Asks for a lease; does not wait for an answer.
  init(descriptor: FileDescriptor, endpoint: HTTPEndpoint, terms: LeaseTerms) {
    self.endpoint = endpoint
    connection = ControlConnection(descriptor: descriptor)
    id = terms.id
    var fields = ["pid": String(getpid()), "id": id, "linger": String(terms.linger.inMilliseconds)]
    if !terms.usesPeers { fields["peers"] = "0" }
    if !terms.usesUpstreams { fields["upstreams"] = "0" }
    fields.merge(terms.surroundings?.fields ?? [:]) { $1 }
    if !terms.tools.isEmpty { fields["tools"] = terms.tools.joined(separator: ",") }
    fields["plan"] = terms.plan
    fields["command"] = terms.command?.text
    fields["directory"] = terms.directory.map {
      String(decoding: $0.bytes.prefix(Self.longestDirectory), as: UTF8.self)
    }
    connection.send(.init(ControlMessage.lease, fields))
  }

  var descriptor: FileDescriptor { connection.descriptor }

  /// Waits for the server's `ready`, unless it has come. False when it does not come in time: the server has not started
  /// yet, hangs, or is gone.
  mutating func isReady(within timeout: Duration) -> Bool {
    if !wasReady { wasReady = connection.receive(within: timeout)?.verb == ControlMessage.ready }
    return wasReady
  }

  /// Ends the lease and asks what the tools did. nil when the server does not answer in time.
  ///
  /// - Parameter isQuiet: whether what went wrong will not be said.
  mutating func finish(within timeout: Duration, isQuiet: Bool = false) -> LeaseStatistics? {
    connection.send(.init(ControlMessage.finish, isQuiet ? ["quiet": "1"] : [:]))
    guard let message = connection.receive(within: timeout), message.verb == ControlMessage.statistics else {
      return nil
    }
    return LeaseStatistics(fields: message.fields)
  }

  /// Has the kernel raise SIGIO for this process when there is something new, the connection's end above all.
  func notify() { connection.notify() }

  /// Whether the server has closed the connection.
  func isClosed() -> Bool { connection.isClosed() }
}
