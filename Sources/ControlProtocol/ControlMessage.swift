import SystemSupport

/// One line on the control socket: a verb and named values, `verb name=value name=value\n`, with everything but
/// letters, digits and `-._/:` percent-encoded. Text, so that it can be read in a trace; without JSON, so that the
/// launcher needs no Foundation.
package struct ControlMessage: Sendable, Equatable {
  package let verb: String
  package var fields: [String: String]

  package init(_ verb: String, _ fields: [String: String] = [:]) {
    self.verb = verb
    self.fields = fields
  }

  /// A longer line is not one of ours; the receiver hangs up.
  package static let maximumLength = 65536

  /// What the launcher hands to the server it starts, through a pipe: ``ServerConfiguration``.
  package static let configure = "configure"
  /// The first message on a connection: opens a lease that lasts as long as the connection. Fields: `pid`, `id`,
  /// `linger` (ms), `peers=0` for a build that does without peers, `tools`, the build tools that its command usually runs,
  /// with commas between, and `plan`, 16 hexadecimal digits that builds of the same project and command have in common,
  /// for one whose results are to be fetched ahead. For `fabrik why`: `command` and `directory`, as they are shown.
  package static let lease = "lease"
  /// The server's answer to `lease`. Until it has come, no tool's question has been answered.
  package static let ready = "ready"
  /// Ends the lease, with `quiet=1` where nothing is said of what went wrong; the answer is `statistics`, with ``LeaseStatistics``.
  package static let finish = "finish"
  /// How long a launcher waits for the statistics: a server takes less, unless it hangs.
  package static let finishPatience = Duration.seconds(2)
  package static let statistics = "statistics"
  /// Says that this connection's process belongs to a build: `lease` is the lease's id. The answer is `ready`, and, when
  /// the build is over, `end`; the process then finishes what it has begun, and closes the connection, for which the
  /// build's statistics wait a little.
  package static let attend = "attend"
  /// Makes the server a daemon, which does not end by itself; the answer is `ready`.
  package static let keep = "keep"
  /// Ends the server: at once when no lease is open, else after the last. The answer is `stopping`, with their number
  /// as `leases`; the connection ends with the server.
  package static let stop = "stop"
  package static let stopping = "stopping"
  /// Asks how the server is; the answer is a `status`, with ``ServerStatus``.
  package static let status = "status"
  /// Asks for the peers; the answer is a `peer` for each, with ``PeerReport``, and an `end`.
  package static let peers = "peers"
  package static let peer = "peer"
  package static let end = "end"
  /// Has the records of the builds that are running written; the answer is `ready`, when those of builds that have ended
  /// are written as well.
  package static let record = "record"
  /// Asks for a real round trip to each upstream, with the ``UpstreamSurroundings`` of whoever asks; the answer is an
  /// `upstream` for each, with ``UpstreamReport``, and an `end`.
  package static let check = "check"
  package static let upstream = "upstream"

  package subscript(name: String) -> String? { fields[name] }

  /// The line, with its newline. Fields are in the order of their names.
  package var encoded: [UInt8] {
    var line = Array(verb.utf8)
    for (name, value) in fields.sorted(by: { $0.key < $1.key }) {
      line.append(UInt8(ascii: " "))
      Self.escape(name, into: &line)
      line.append(UInt8(ascii: "="))
      Self.escape(value, into: &line)
    }
    line.append(UInt8(ascii: "\n"))
    return line
  }

  /// Reads one line without its newline; nil when it is malformed.
  package init?(line: some Sequence<UInt8>) {
    let parts = Array(line).split(separator: UInt8(ascii: " "))
    guard let first = parts.first, let verb = Self.unescape(first) else { return nil }
    self.verb = verb
    fields = [:]
    for part in parts.dropFirst() {
      guard let equals = part.firstIndex(of: UInt8(ascii: "=")), let name = Self.unescape(part[..<equals]),
        let value = Self.unescape(part[(equals + 1)...])
      else { return nil }
      fields[name] = value
    }
  }

  private static func isPlain(_ byte: UInt8) -> Bool {
    switch byte {
    case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
      UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "-"), UInt8(ascii: "."), UInt8(ascii: "_"),
      UInt8(ascii: "/"), UInt8(ascii: ":"):
      true
    default: false
    }
  }

  private static func escape(_ text: String, into line: inout [UInt8]) {
    for byte in text.utf8 {
      if isPlain(byte) {
        line.append(byte)
      } else {
        line.append(UInt8(ascii: "%"))
        line.append(contentsOf: Hex.encodeBytes([byte]))
      }
    }
  }

  private static func unescape(_ bytes: ArraySlice<UInt8>) -> String? {
    var result: [UInt8] = []
    var rest = bytes
    while let byte = rest.popFirst() {
      if byte == UInt8(ascii: "%") {
        guard rest.count >= 2, let value = Hex.decode(Array(rest.prefix(2))) else { return nil }
        result.append(value[0])
        rest = rest.dropFirst(2)
      } else {
        result.append(byte)
      }
    }
    return String(validating: result, as: UTF8.self)
  }
}
