import ArgumentParser
import BuildLauncher
import PeerRecords
import SystemSupport

/// Which peer a command is about.
struct PeerArgument: ParsableArguments {
  @Argument(
    help: ArgumentHelp("A name, an identifier, or the beginning of one.", valueName: "peer"),
    completion: .custom { _, _, _ in Team.names })
  var peer: String
}

/// The peers of the configuration in force. Works without a server, from the records.
struct Team {
  let world: World
  let records: PeerRecords

  init(_ options: ConfigurationOption, saysProblems: Bool = true) throws {
    world = try World(options, saysProblems: saysProblems)
    records = world.peerRecords
  }

  /// nil when the runtime directory cannot be used; then there is no server either.
  var control: ServerControl? {
    try? ServerControl(configuration: world.configuration, environment: world.environment)
  }

  var peers: [KnownPeer] {
    KnownPeer.all(records: records, reports: control?.peers() ?? [])
  }

  /// How the peers can be named, for completion; those with names that a shell would not take as they are by their
  /// identifiers. Whatever goes wrong, there are none.
  static var names: [String] {
    guard let options = try? ConfigurationOption.parse([]), let team = try? Team(options, saysProblems: false) else {
      return []
    }
    return team.peers.map { peer in
      let isPlain = peer.name.unicodeScalars.allSatisfy {
        $0.isASCII
          && ($0.properties.isAlphabetic || $0.properties.numericType != nil || "-._".unicodeScalars.contains($0))
      }
      return isPlain ? peer.name : peer.identifier.short
    }
  }

  func decide(_ consent: Consent, _ argument: PeerArgument, _ outcome: String) throws {
    let peer = try find(argument)
    do {
      try records.setConsent(consent, of: peer.identifier)
    } catch {
      throw CommandFailure(description: "what you said could not be kept: \(error)")
    }
    StandardStream.output.write(line: "\(peer.name) (\(peer.identifier.short)) \(outcome)")
  }

  func forget(_ argument: PeerArgument) throws {
    let peer = try find(argument)
    do {
      try records.forget(peer.identifier)
    } catch {
      throw CommandFailure(description: "the record cannot be removed: \(error)")
    }
    StandardStream.output.write(line: "\(peer.name) (\(peer.identifier.short)) was forgotten")
  }

  private func find(_ argument: PeerArgument) throws -> PeerSelection.Candidate {
    let candidates = peers.map(\.candidate)
    do {
      let identifier = try PeerSelection(candidates).find(argument.peer)
      return candidates.first { $0.identifier == identifier }
        ?? .init(identifier: identifier, name: DisplayText.name(""))
    } catch {
      throw CommandFailure(description: "\(error)")
    }
  }
}
