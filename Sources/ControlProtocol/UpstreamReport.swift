/// What a check of one upstream has found.
package struct UpstreamReport: Sendable, Equatable {
  /// What became of an attempt.
  package enum Right: Sendable, Equatable {
    case granted
    /// The configuration says so.
    case notWanted
    /// What is wrong, and what to do.
    case problem(String)
  }

  package var url: String
  package var layer: CacheLayerName
  package var reading: Right
  package var writing: Right
  /// From a request to the beginning of its answer, on a connection that is open; nil: there was no answer.
  package var latencyMicroseconds: UInt64?
  /// Entries that wait to be sent up.
  package var waiting: Int

  package init(
    url: String, layer: CacheLayerName, reading: Right, writing: Right, latencyMicroseconds: UInt64? = nil,
    waiting: Int = 0
  ) {
    self.url = url
    self.layer = layer
    self.reading = reading
    self.writing = writing
    self.latencyMicroseconds = latencyMicroseconds
    self.waiting = waiting
  }
}

extension UpstreamReport {
  package var message: ControlMessage {
    var fields = [
      "url": url, "layer": layer.rawValue, "read": reading.text, "write": writing.text, "waiting": String(waiting),
    ]
    fields["latency"] = latencyMicroseconds.map { String($0) }
    return ControlMessage(ControlMessage.upstream, fields)
  }

  /// nil when it is another message.
  package init?(message: ControlMessage) {
    guard message.verb == ControlMessage.upstream, let url = message["url"] else { return nil }
    self.init(
      url: url, layer: message["layer"].flatMap(CacheLayerName.init(rawValue:)) ?? .regional,
      reading: Right(text: message["read"] ?? ""), writing: Right(text: message["write"] ?? ""),
      latencyMicroseconds: message["latency"].flatMap { UInt64($0) },
      waiting: message["waiting"].flatMap { Int($0) } ?? 0)
  }
}

extension UpstreamReport.Right {
  fileprivate var text: String {
    switch self {
    case .granted: "granted"
    case .notWanted: "not-wanted"
    case .problem(let text): "problem:\(text)"
    }
  }

  fileprivate init(text: String) {
    switch text {
    case "granted": self = .granted
    case "not-wanted": self = .notWanted
    default: self = .problem(text.hasPrefix("problem:") ? String(text.dropFirst(8)) : text)
    }
  }
}
