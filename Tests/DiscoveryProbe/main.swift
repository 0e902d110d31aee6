// Publishes or finds services, for tests that run it in network namespaces.
//
//   discovery-probe [OPTION VALUE]... publish PORT KEY=VALUE...   until the end of standard input
//   discovery-probe [OPTION VALUE]... browse SECONDS
//   discovery-probe [OPTION VALUE]... both PORT SECONDS KEY=VALUE...
//
// -i INTERFACE: only that one, and others so named. -w KEY=VALUE: only services with that text are wanted.
// -n COUNT: at most so many events, then the end. The published instance is the value of the key `id`.
//
// One line when it begins, `publishing INSTANCE` or `browsing`, and one per event, `found INSTANCE PORT ADDRESS,…
// KEY=VALUE…` or `lost INSTANCE`; before each, the milliseconds since the start.
import Discovery
import Glibc
import Synchronization
import SystemSupport

func fail(_ message: String) -> Never {
  StandardStream.error.write(line: "discovery-probe: \(message)")
  exit(2)
}

func pair(_ argument: String) -> (String, String) {
  let parts = argument.split(separator: "=", maxSplits: 1, omittingEmptySubsequences: false)
  guard parts.count == 2 else { fail("\(argument) is not KEY=VALUE") }
  return (String(parts[0]), String(parts[1]))
}

let start = ContinuousClock.now

/// Microseconds matter to those who measure.
func elapsed() -> String {
  let microseconds = Int((ContinuousClock.now - start) / .microseconds(1))
  let fraction = String(microseconds % 1000)
  return "\(microseconds / 1000)." + String(repeating: "0", count: 3 - fraction.count) + fraction
}

/// How many events may still come.
let remaining = Atomic<Int>(.max)

func report(_ event: DiscoveryEvent) {
  guard remaining.load(ordering: .relaxed) > 0 else { return }
  defer {
    if remaining.subtract(1, ordering: .relaxed).newValue == 0 { exit(0) }
  }
  switch event {
  case .found(let service):
    let addresses = service.addresses.map(\.description).joined(separator: ",")
    let text = service.text.sorted { $0.key < $1.key }.map { " \($0.key)=\($0.value)" }.joined()
    StandardStream.output.write(line: "\(elapsed()) found \(service.instance) \(service.port) \(addresses)\(text)")
  case .lost(let instance):
    StandardStream.output.write(line: "\(elapsed()) lost \(instance)")
  }
}

var arguments = CommandLine.arguments.dropFirst()
var interfaces: [String] = []
var wanted: [(String, String)] = []
while let option = arguments.first, ["-i", "-n", "-w"].contains(option), arguments.count > 1 {
  let value = arguments.dropFirst().first!
  switch option {
  case "-i": interfaces.append(value)
  case "-n": remaining.store(Int(value) ?? 0, ordering: .relaxed)
  default: wanted.append(pair(value))
  }
  arguments = arguments.dropFirst(2)
}

let discovery = ServiceDiscovery(
  interfaces: interfaces, wants: { [wanted] text in wanted.allSatisfy { text[$0.0] == $0.1 } },
  onEvent: report)

func publish(_ port: String, _ pairs: some Sequence<String>) {
  guard let port = UInt16(port) else { fail("\(port) is not a port") }
  let text = Dictionary(pairs.map(pair)) { $1 }
  let instance = text["id"] ?? Hex.encode((0..<8).map { _ in .random(in: 0...255) })
  discovery.publish(PublishedService(instance: instance, port: port, text: text))
  StandardStream.output.write(line: "\(elapsed()) publishing \(instance)")
}

func pause(_ seconds: String) {
  guard let seconds = Double(seconds), seconds < 1_000_000 else { fail("\(seconds) is not a number of seconds") }
  usleep(UInt32(seconds * 1000) * 1000)
}

func waitForEndOfInput() {
  var byte: UInt8 = 0
  while read(0, &byte, 1) > 0 {}
}

do { try discovery.start() } catch { fail("\(error)") }
switch (arguments.first, arguments.count) {
case ("publish", 2...):
  publish(arguments.dropFirst().first!, arguments.dropFirst(2))
  waitForEndOfInput()
case ("browse", 2):
  StandardStream.output.write(line: "\(elapsed()) browsing")
  pause(arguments.last!)
case ("both", 3...):
  let rest = Array(arguments.dropFirst())
  publish(rest[0], rest.dropFirst(2))
  pause(rest[1])
default:
  fail("publish PORT KEY=VALUE... | browse SECONDS | both PORT SECONDS KEY=VALUE...")
}
discovery.stop()
