import BuildLauncher
import Configuration
import ControlProtocol
import PeerRecords
import SystemSupport

extension DoctorCommand {
  /// How this machine's part in the team is.
  struct PeerReports {
    let isOn: Bool
    /// `set`, or what to do.
    let secret: String
    let connected: Int
    let pending: Int
    /// Of the connected peer whose clock differs most from this machine's, in milliseconds; nil: there is nobody to
    /// compare with.
    let clockOffset: Int64?
    private let problem: String?

    /// Peers refuse what is signed at another time than theirs, and are then asked with theirs; stores only refuse.
    private static let noticeableOffset: Int64 = 60_000

    init(_ world: World, _ control: ServerControl, _ server: ServerStatus?) {
      let configuration = world.configuration.peers
      isOn = configuration.settings != nil
      switch (configuration.isEnabled.value, configuration.secret.value) {
      case (_, .some): secret = "set"
      case (true, nil): secret = "missing: make one with 'fabrik p2p secret', the same on every machine"
      case (false, nil): secret = "none, and none is needed without peers"
      }
      let reports = server?.peers == nil ? [] : control.peers().filter(\.isConnected)
      connected = reports.count
      clockOffset = reports.map(\.clockOffsetMilliseconds).max { abs($0) < abs($1) }
      pending = world.peerRecords.all().count {
        $0.1?.consent == .pending
      }
      problem = server?.peers?.problem
    }

    /// A secret that is missing where one is wanted, or a server that says what keeps it from taking part.
    var isSound: Bool { problem == nil && !secret.hasPrefix("missing") }

    var line: String {
      guard isOn else { return "off" }
      var parts = ["on", "\(connected) connected"]
      if pending > 0 { parts.append("\(pending) waiting for your consent: fabrik p2p pending") }
      if let problem { parts.append(DisplayText.clean(problem, limit: 400)) }
      return parts.joined(separator: ", ")
    }

    var clockLine: String {
      guard let clockOffset else { return "nobody to compare with" }
      guard abs(clockOffset) >= Self.noticeableOffset else { return "as the peers'" }
      let direction = clockOffset > 0 ? "behind" : "ahead of"
      return "\(Duration.milliseconds(abs(clockOffset)).spoken) \(direction) a peer's, which is allowed for; set it"
    }
  }
}
