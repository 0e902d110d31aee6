// A machine of the team, with its secret in FABRIK_SECRET, that does not keep to the rules. For tests.
//
//   hostile-peer MISBEHAVIOUR [--port PORT] [--store DIRECTORY] [--claim COUNT]   lets itself be asked
//   hostile-peer relay|relay-requests [--port PORT] --to ADDRESS:PORT             sits between two others
//   hostile-peer ATTACK --to ADDRESS:PORT [--key NAMESPACE/HEX]                   asks a server
//   hostile-peer identity                                                         prints its identifier
//
// --identity FILE   who it is; otherwise somebody new
// --store           a cache directory: it claims what is there of the team, and serves it
// --claim           so many fingerprints more, made up
//
// The names of misbehaviours and attacks are those of `Misbehaviour` and `Attack.Kind`, where the lines that are printed
// are described, too.
import CacheStore
import Cryptography
import Glibc
import PeerNetwork
import SystemPackage
import SystemSupport

func report(_ line: String) { StandardStream.output.write(line: line) }

func fail(_ message: String) -> Never {
  StandardStream.error.write(line: "hostile-peer: \(message)")
  exit(2)
}

var options: [String: String] = [:]
var words = Array(CommandLine.arguments.dropFirst())
guard !words.isEmpty else { fail("see the comment at the top of its main.swift") }
let mode = words.removeFirst()
while words.count >= 2, words[0].hasPrefix("--") {
  options[String(words[0].dropFirst(2))] = words[1]
  words.removeFirst(2)
}
guard words.isEmpty else { fail("what is \(words[0])?") }

signal(SIGPIPE, SIG_IGN)
// Enough descriptors for a thousand connections.
var limit = rlimit()
getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
limit.rlim_cur = limit.rlim_max
setrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
guard let secret = getenv("FABRIK_SECRET").map({ String(cString: $0) }), let scope = TeamKeys.scope(secret: secret)
else { fail("FABRIK_SECRET is not set") }
let identity =
  try options["identity"].map { try MachineIdentity(file: FilePath($0)) } ?? MachineIdentity(seed: Impostor.random(32))
if mode == "identity" {
  report("identity: \(identity.identifier)")
  exit(0)
}
let impostor = try Impostor(keys: TeamKeys(root: TeamKeys.root(secret: secret)), identity: identity)
let port = options["port"].flatMap { UInt16($0) } ?? 0
let target = options["to"].map { Target($0) ?? { fail("--to: not ADDRESS:PORT") }() }

if let misbehaviour = Misbehaviour(rawValue: mode) {
  HostileServer(
    impostor: impostor, misbehaviour: misbehaviour,
    store: try options["store"].map { try CacheStore(directory: FilePath($0), scope: scope) },
    claims: options["claim"].flatMap { Int($0) } ?? 0
  ).run(port: port)
} else if mode == "relay" || mode == "relay-requests" {
  guard let target else { fail("--to is missing") }
  Relay(impostor: impostor, target: target, isKnownToBoth: mode == "relay-requests").run(port: port)
} else if let attack = Attack.Kind(rawValue: mode) {
  guard let target else { fail("--to is missing") }
  guard let key = CacheKey(target: options["key"] ?? "test/00") else { fail("--key: not NAMESPACE/HEX") }
  try Attack(impostor: impostor, target: target, key: key).run(attack)
} else {
  fail("what is \(mode)?")
}
