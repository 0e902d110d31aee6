package import SystemPackage
import SystemSupport

/// Where one server is found. The name is a hash of what the server depends on, so that launchers with the same
/// configuration meet at the same server, and the paths handed to tools are the same from one run to the next.
package struct ServerInstance: Sendable {
  /// What a server is started with.
  package struct Parameters: Sendable, Equatable {
    package let cacheDirectory: FilePath
    /// Bytes; nil: the store's own choice.
    package let maxSize: UInt64?
    /// nil: off.
    package let peers: PeerSettings?
    package let upstreams: [UpstreamSettings]
    /// Seals what goes to them; nil: there is none.
    package let sealingSecret: Secret?

    package init(
      cacheDirectory: FilePath, maxSize: UInt64?, peers: PeerSettings? = nil, upstreams: [UpstreamSettings] = [],
      sealingSecret: Secret? = nil
    ) {
      self.cacheDirectory = cacheDirectory
      self.maxSize = maxSize
      self.peers = peers
      self.upstreams = upstreams
      self.sealingSecret = sealingSecret
    }

    /// Whether the instance's name depends on a secret.
    package var isSecret: Bool {
      peers != nil || (!upstreams.isEmpty && (sealingSecret != nil || upstreams.contains { $0.token != nil }))
    }
  }

  /// Raised when launcher and server would no longer understand each other.
  package static let protocolVersion = 5

  package let directory: FilePath

  package init(directory: FilePath) {
    self.directory = directory
  }

  /// - Parameter salt: of ``InstanceSalt``, wherever ``Parameters/isSecret``.
  package init(runtime: RuntimeDirectory, parameters: Parameters, salt: String = "") {
    let size = parameters.maxSize.map { "\($0)" } ?? "auto"
    var identity = Array("\(Self.protocolVersion)|\(fabrikVersion)|\(size)|".utf8) + parameters.cacheDirectory.bytes
    if let peers = parameters.peers {
      identity += Array("\0\(salt)\0".utf8) + ControlMessage(ControlMessage.configure, peers.fields).encoded
    }
    if !parameters.upstreams.isEmpty {
      let fields = UpstreamSettings.fields(of: parameters.upstreams).merging(
        ["seal": parameters.sealingSecret?.text].compactMapValues { $0 }
      ) { $1 }
      identity += Array("\0\(salt)\0".utf8) + ControlMessage(ControlMessage.configure, fields).encoded
    }
    directory = runtime.path.appending(ShortHash.name(of: identity))
  }

  /// Held by a launcher while it joins or starts a server, and by a server while it decides to end.
  package var lock: FilePath { directory.appending("lock") }
  /// There from a server's start by its launcher until it answers.
  package var starting: FilePath { directory.appending("starting") }
  /// `PORT TOKEN` of the HTTP front end on 127.0.0.1, kept so that the next server can use them again.
  package var httpEndpoint: FilePath { directory.appending("http") }
  /// What one build's tools need while it runs, by the lease's id; removed when the lease ends.
  package func buildDirectory(lease: String) -> FilePath { builds.appending(lease) }
  package var builds: FilePath { directory.appending("builds") }
  /// What went wrong in the server.
  package var log: FilePath { directory.appending("server.log") }
}
