import Configuration
import ControlProtocol
import SystemPackage
import SystemSupport

#if canImport(Glibc)
  import Glibc
#else
  import Darwin
#endif

/// What a build asks of the server.
struct LeaseTerms: Sendable {
  /// Names the lease; tools show it.
  let id = String(UInt64.random(in: 0...UInt64.max), radix: 16)
  /// How long the server is to stay after the build.
  let linger: Duration
  let usesPeers: Bool
  let usesUpstreams: Bool
  /// What upstreams are reached with; nil: there are none.
  let surroundings: UpstreamSurroundings?
  /// Build tools that the command usually runs.
  var tools: [String] = []
  /// By ``BuildIdentity``; nil: nothing is fetched ahead.
  var plan: String?
  /// As it is shown later; nil: the lease is not for a build.
  var command: CommandSummary?
  var directory: FilePath?
}

/// This build's hold on the server: as long as the socket is open, the server stays.
struct LeaseConnection: ~Copyable {
  private var connection: ControlConnection
  let id: String

  /// Bytes: a message must not become too long.
  private static let longestDirectory = 1024

  /// Asks for a lease; does not wait for an answer.
  init(descriptor: FileDescriptor, terms: LeaseTerms) {
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

  /// Waits for the server's `ready`. False when it does not come in time: the server has not started yet, hangs, or is
  /// gone.
  mutating func isReady(within timeout: Duration) -> Bool {
    connection.receive(within: timeout)?.verb == ControlMessage.ready
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
  func notify() {
    _ = fcntl(descriptor.rawValue, F_SETOWN, getpid())
    _ = fcntl(descriptor.rawValue, F_SETFL, fcntl(descriptor.rawValue, F_GETFL) | O_ASYNC)
  }

  /// Whether the server has closed the connection.
  func isClosed() -> Bool { connection.isClosed() }
}
