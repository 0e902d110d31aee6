import ArgumentParser
import BuildLauncher
import Configuration
import ControlProtocol
import Glibc
import PeerRecords
import SystemPackage
import SystemSupport

/// `fabrik p2p`: the other machines of the team.
struct PeersCommand: ParsableCommand {
  static let configuration = CommandConfiguration(
    commandName: "p2p",
    abstract: "Look after the other machines of the team.",
    discussion: """
      PEER is a name, an identifier, or the beginning of one (at least four digits). Names are what machines call \
      themselves; consent is given to the identifier.
      """,
    subcommands: [
      List.self, Status.self, Pending.self, Approve.self, Deny.self, Forget.self, Secret.self,
    ])

  /// Everybody there is.
  struct List: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Show the peers: where they are, what was exchanged, and who lets whom.")

    @OptionGroup var options: ConfigurationOption
    @OptionGroup var format: FormatOption

    func run() throws {
      let team = try Team(options)
      let peers = team.peers
      var table = TextTable(header: KnownPeer.header)
      for peer in peers { table.add(peer.row) }
      let isOff = team.world.configuration.peers.settings == nil
      format.print(
        [("peers", .array(peers.map(\.json)))],
        lines: peers.isEmpty ? [isOff ? "no peers: p2p is off" : "no peers have been met yet"] : table.lines)
    }
  }

  /// Who waits for an answer.
  struct Pending: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Show the peers that wait for your consent to fetch from this machine.")

    @OptionGroup var options: ConfigurationOption
    @OptionGroup var format: FormatOption

    func run() throws {
      let peers = try Team(options).peers.filter { $0.consent?.consent == .pending }
      var table = TextTable(header: ["NAME", "ID", "ADDRESS", "WAITING"])
      for peer in peers { table.add([peer.name, peer.identifier.short, peer.place, peer.waiting.spoken]) }
      format.print(
        [("peers", .array(peers.map(\.json)))],
        lines: peers.isEmpty
          ? ["nobody is waiting"] : table.lines + ["", "answer with: fabrik p2p approve ID, or: fabrik p2p deny ID"])
    }
  }

  /// Yes.
  struct Approve: ParsableCommand {
    static let configuration = CommandConfiguration(abstract: "Let a peer fetch from this machine.")

    @OptionGroup var options: ConfigurationOption
    @OptionGroup var peer: PeerArgument

    func run() throws {
      try Team(options).decide(.always, peer, "may fetch from this machine")
    }
  }

  /// No.
  struct Deny: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Do not let a peer fetch from this machine; it is not asked about again.")

    @OptionGroup var options: ConfigurationOption
    @OptionGroup var peer: PeerArgument

    func run() throws {
      try Team(options).decide(.denied, peer, "may not fetch from this machine")
    }
  }

  /// As if it had never been met.
  struct Forget: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Forget a peer and what you said about it; it is asked about again.")

    @OptionGroup var options: ConfigurationOption
    @OptionGroup var peer: PeerArgument

    func run() throws {
      try Team(options).forget(peer)
    }
  }

  /// Something that cannot be guessed.
  struct Secret: ParsableCommand {
    static let configuration = CommandConfiguration(
      abstract: "Print a new secret for a team.",
      discussion: "Put it into the configuration of every machine, as p2p.secret. Nothing is changed here.")

    func run() throws {
      StandardStream.output.write(line: TeamSecretGenerator.make())
      if isatty(StandardStream.error.rawValue) == 1 {
        StandardStream.error.write(line: "fabrik: put it into ~/.config/fabrik/config.toml of each machine:")
        StandardStream.error.write(line: "[p2p]\nenabled = true\nsecret = \"…\"")
      }
    }
  }
}
