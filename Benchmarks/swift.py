"""What the shared cache of Swift's compiler gives: clean builds of real packages, with nothing and with everything cached.

A program that uses the package is built in debug and release configuration; `.build` is removed before each build, so that
the package manager's own work (resolving, the manifests, linking) is in all figures.

* plain: without Fabrik.
* cold: with Fabrik, and nothing cached. What compilers keep beside the store is removed, too.
* warm: everything is in the store, and beside it.
* store: everything is in the store, and nothing beside it, as after the machine was started anew.
* peer: nothing is cached on this host; all comes from another one, by a link with a round trip of 1 ms.
* elsewhere: as "store", in another directory of the same name, with `map_paths`.
* no change: what has just been built is built again, with Fabrik and without.

All hosts are network namespaces of this machine.
"""

import os
from pathlib import Path

from support import lan, measure, tools
from support.report import Row

# Of the laboratory, which support.lan has put on the path.
from fabrik import Fabrik
from lan import Link
from processes import attempt

ROUNDS, QUICK_ROUNDS = 3, 1
PATIENCE = 1800

PROJECTS = {
    "swift-argument-parser": ("from: \"1.8.0\"", ["ArgumentParser"], """import ArgumentParser
@main
struct Program: ParsableCommand {
  @Option var name = "world"
  func run() { print("hello \\(name)") }
}
"""),
    "swift-nio": ("from: \"2.100.0\"", ["NIOCore", "NIOPosix"], """import NIOCore
import NIOPosix
@main
struct Program {
  static func main() async throws {
    let group = MultiThreadedEventLoopGroup(numberOfThreads: 1)
    print(try await group.next().submit { "hello world" }.get())
    try await group.shutdownGracefully()
  }
}
"""),
}

MANIFEST = """// swift-tools-version: 6.0
import PackageDescription
let package = Package(
  name: "program",
  dependencies: [.package(url: "https://github.com/apple/{package}", {version})],
  targets: [
    .executableTarget(
      name: "program", dependencies: [{products}])
  ])
"""


class Host:
    """A user with the project in a directory or two."""

    def __init__(self, host, project):
        toolchain = Path(os.path.realpath(tools.require("swiftc"))).parent
        self.fabrik = Fabrik(host)
        self.fabrik.environment["PATH"] = f"{toolchain}:/usr/local/bin:/usr/bin:/bin"
        # The package manager clones from repositories that may be another user's.
        host.write(f"{self.fabrik.user.home}/.gitconfig", "[safe]\n  directory = *\n", user=self.fabrik.user)
        self.fabrik.start()
        self.project = project

    def unpack(self, name):
        version, products, source = PROJECTS[self.project]
        directory = f"{self.fabrik.top}/{name}/program"
        manifest = MANIFEST.format(package=self.project, version=version, products=", ".join(
            f'.product(name: "{product}", package: "{self.project}")' for product in products))
        for file, text in {"Package.swift": manifest, "Sources/program/Program.swift": source}.items():
            self.fabrik.host.write(f"{directory}/{file}", text, user=self.fabrik.user)
        self.fabrik.host.run(["git", "init", "-q", directory], user=self.fabrik.user)
        return directory

    def build(self, directory, configuration, *flags, **variables):
        """Seconds of one build, and the share of hits; None without Fabrik, or if nothing is asked. It is a clean one, unless
        a flag says "again"."""
        if "again" not in flags:
            lan.put_away(self.fabrik, f"{directory}/.build")
        command = ["swift", "build", "-c", configuration]
        before = dict(self.fabrik.environment)
        self.fabrik.environment.update(variables)
        try:
            if "plain" in flags:
                outcome = attempt(
                    self.fabrik.host.command(
                        command, user=self.fabrik.user, environment=self.fabrik.environment, directory=directory),
                    patience=PATIENCE)
                share = None
            else:
                build = self.fabrik.build(command, directory=directory, patience=PATIENCE)
                outcome = build.outcome
                share = build.hits / build.lookups if build.lookups else None
        finally:
            self.fabrik.environment = before
        if outcome.status != 0:
            raise RuntimeError(f"swift build: {outcome.output}{outcome.errors}")
        said = self.fabrik.host.run([f"{directory}/.build/{configuration}/program"], user=self.fabrik.user)
        if not said.startswith("hello"):
            raise RuntimeError(f"the program says {said!r}")
        return outcome.seconds, share

    def forget_compilers(self):
        lan.put_away(self.fabrik, f"{self.fabrik.user.home}/.cache/fabrik/compilers")

    def forget(self):
        self.forget_compilers()
        lan.forget_builds(self.fabrik)


def clean_builds(project, configuration, quick):
    with lan.hosts(2, Link(delay=0.0005)) as (first, second):
        one, two = Host(first, project), Host(second, project)
        here, there = one.unpack("here"), two.unpack("here")
        mapped, elsewhere = one.unpack("mapped"), one.unpack("elsewhere/below")
        mapping = {"FABRIK_MAP_PATHS": "true"}
        # What the package manager keeps for itself.
        one.build(here, configuration, "plain")
        two.build(there, configuration, "plain")
        names = "plain", "plain again", "cold", "warm", "again", "store", "peer", "elsewhere"
        seconds = {name: [] for name in names}
        shares = {name: [] for name in seconds}

        def note(name, result):
            seconds[name].append(result[0])
            shares[name].append(result[1])
            tools.progress(f"{project} {configuration} {name}: {result[0]:.1f} s, {result[1]}")

        for _ in range(QUICK_ROUNDS if quick else ROUNDS):
            note("plain", one.build(here, configuration, "plain"))
            note("plain again", one.build(here, configuration, "plain", "again"))
            # What the last round has brought there would be fetched.
            two.forget()
            one.forget()
            note("cold", one.build(here, configuration))
            note("warm", one.build(here, configuration))
            note("again", one.build(here, configuration, "again"))
            one.forget_compilers()
            note("store", one.build(here, configuration))
            two.forget()
            two.fabrik.eventually_reaches(one.fabrik)
            note("peer", two.build(there, configuration))
            one.build(mapped, configuration, **mapping)
            one.forget_compilers()
            note("elsewhere", one.build(elsewhere, configuration, **mapping))

    plain = seconds["plain"]
    # How many times as fast a hit must be, by the configuration.
    aim = "≥ 10" if configuration == "release" else "≥ 5"
    rows = [Row(f"{project}, {configuration}: cold", f"{measure.median(seconds['cold']):.1f} s",
                f"{measure.median(plain):.1f} s plain", f"{measure.paired_ratio(seconds['cold'], plain):.2f}", "≤ 1.10")]
    for name in ("warm", "store", "peer", "elsewhere"):
        rows.append(Row(
            f"{project}, {configuration}: {name}",
            f"{measure.median(seconds[name]):.1f} s, {min(shares[name]):.0%} hits", f"{measure.median(plain):.1f} s plain",
            f"{measure.paired_ratio(plain, seconds[name]):.1f} × as fast", aim))
    rows.append(Row(
        f"{project}, {configuration}: no change", f"{measure.median(seconds['again']):.2f} s",
        f"{measure.median(seconds['plain again']):.2f} s plain",
        f"{measure.paired_ratio(seconds['again'], seconds['plain again']):.2f}", "≤ 1.10"))
    return rows


def measurement(project):
    def run(quick):
        return [row for configuration in ("debug", "release") for row in clean_builds(project, configuration, quick)]
    return run


if __name__ == "__main__":
    lan.run("swift", __doc__, {name: measurement(name) for name in PROJECTS})
