import Glibc
import SystemPackage
import SystemSupport
import TestSupport

/// A network of its own for a script, without any interface to the outside. Containers and hardened kernels may forbid
/// that; tests that need it are skipped there.
enum NetworkNamespace {
  static let isAllowed = (try? run("ip link show lo && command -v nsenter >/dev/null")).map { $0.ending } == .exited(0)

  /// What the scripts have at hand. `publish` lasts until `unpublish` with the same name, or the end.
  private static let prelude = """
    set -eu
    probe=$1 other=
    work=$(mktemp -d)
    trap 'kill $(jobs -p) 2>/dev/null || :; rm -rf "$work"' EXIT
    publish() { # [COMMAND...] NAME
      mkfifo "$work/${!#}"
      "${@:1:$#-1}" "$probe" publish 4711 id="${!#}" team=t <"$work/${!#}" >/dev/null &
      sleep 1000 >"$work/${!#}" & eval "hold_${!#}=$!"
    }
    unpublish() { eval "kill \\$hold_$1"; }
    # A second host, at the other end of a cable.
    connect() {
      unshare --net sleep 1000 & other=$!
      until [ "$(readlink /proc/$other/ns/net)" != "$(readlink /proc/self/ns/net)" ]; do :; done
      ip link add here address 02:fa:b0:00:00:01 type veth peer name there address 02:fa:b0:00:00:02 netns "$other"
      # Without looking for duplicates, which takes two seconds; where that cannot be set, it just takes longer.
      sysctl -qw net.ipv6.conf.here.accept_dad=0 || :
      remote sysctl -qw net.ipv6.conf.there.accept_dad=0 || :
      remote ip link set there up
      ip link set here up
    }
    remote() { nsenter --net=/proc/$other/ns/net "$@"; }

    """

  /// Runs a script of bash in a network where not even the loopback is up. `$probe` is the path of `discovery-probe`.
  static func run(_ script: String) throws -> (ending: ChildProcess.Ending, lines: [String]) {
    try withTemporaryDirectory { directory in
      let privileges = geteuid() == 0 ? [] : ["--user", "--map-root-user"]
      let probe = try ChildProcess.path(ofProduct: "discovery-probe").string
      let child = try ChildProcess(
        program: "/usr/bin/timeout",
        arguments: ["--kill-after=5", "60", "unshare"] + privileges + [
          "--net", "bash", "-c", prelude + script, "test", probe,
        ],
        environment: Environment(["PATH": "/usr/sbin:/usr/bin:/sbin:/bin"]),
        outputFile: directory.appending("output"))
      return (child.wait(), child.outputLines)
    }
  }

  /// The events that the probes of a script reported, without times.
  static func events(_ script: String) throws -> [String] {
    let (ending, lines) = try run(script)
    guard ending == .exited(0) else { throw Failure(description: "the script ended with \(ending): \(lines)") }
    return lines.map { $0.split(separator: " ").dropFirst().joined(separator: " ") }.filter { $0 != "browsing" }
  }

  struct Failure: Error, CustomStringConvertible {
    let description: String
  }
}
