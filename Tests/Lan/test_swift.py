"""What Swift's compiler has made on one host, on another."""

import os
import shutil
import unittest
from pathlib import Path

from lan import Link
from processes import attempt
from scenario import Scenario

TOOLCHAIN = Path(os.path.realpath(shutil.which("swiftc") or "/")).parent
PATIENCE = 600

PACKAGE = {
    "Package.swift": """// swift-tools-version: 6.0
import PackageDescription
let package = Package(
  name: "example",
  targets: [
    .target(name: "CPart"), .target(name: "Part", dependencies: ["CPart"]),
    .executableTarget(name: "program", dependencies: ["Part"]),
  ])
""",
    "Sources/CPart/part.c": "#include \"part.h\"\nint c_part(void) { return 42; }\n",
    "Sources/CPart/include/part.h": "int c_part(void);\n",
    "Sources/Part/Part.swift": "import CPart\nimport Foundation\npublic func part() -> Int { Int(c_part()) + Data().count }\n",
    "Sources/program/main.swift": "import Part\nprint(part())\n",
}


@unittest.skipUnless((TOOLCHAIN / "swift-build").exists(), "there is no Swift toolchain")
class SwiftTests(Scenario):
    def unpack(self, fabrik, name):
        directory = f"{fabrik.top}/{name}/package"
        for file, text in PACKAGE.items():
            fabrik.host.write(f"{directory}/{file}", text, user=fabrik.user)
        fabrik.host.run(["git", "init", "-q", directory], user=fabrik.user)
        return directory

    def build(self, fabrik, name, **variables):
        """What was built says what it should."""
        fabrik.environment.update(PATH=f"{TOOLCHAIN}:/usr/local/bin:/usr/bin:/bin", **variables)
        directory = self.unpack(fabrik, name)
        build = fabrik.build(["swift", "build"], directory=directory, patience=PATIENCE)
        said = attempt(fabrik.host.command([f"{directory}/.build/debug/program"], user=fabrik.user))
        self.assertEqual(said.output, "42\n", said.errors)
        return build

    def test_a_build_in_another_directory_comes_from_a_peer(self):
        one, two = self.two(link=Link(delay=0.0005))
        mapping = {"FABRIK_MAP_PATHS": "true"}
        cold = self.build(one, "here", **mapping)
        self.assertEqual(cold.peer_hits, 0)
        two.eventually_reaches(one, entries=cold.statistics["stored"])
        build = self.build(two, "elsewhere/below", **mapping)
        swift = build.statistics["tools"]["swift-ac"]
        self.assertEqual(swift["hits"], swift["lookups"], build.statistics)
        self.assertGreaterEqual(swift["hits"], 4)
        self.assertGreater(build.peer_hits, 0)
        self.assert_sound(two)

    def test_the_peer_is_gone_in_the_middle(self):
        one, two = self.two()
        self.build(one, "here")
        two.eventually_reaches(one)
        one.kill()
        self.build(two, "here")
        self.assert_sound(two)
