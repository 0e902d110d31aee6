"""Swift through the compilation cache of its own compiler, with the real package manager."""

import contextlib
import os
import re
import shutil
import signal
import sqlite3
import unittest
from pathlib import Path

import namespaces
from fabrik import RELEASE
from processes import attempt
from toolcase import SYSTEM_PATH, ToolScenario, files, remove, write

PATIENCE = 600
# The toolchain that Fabrik is built with.
TOOLCHAIN = Path(os.path.realpath(shutil.which("swiftc") or "/")).parent

MANIFEST = """// swift-tools-version: 6.0
import PackageDescription
let package = Package(
  name: "example",
  targets: [
    .target(name: "CPart"),
    .target(name: "Part", dependencies: ["CPart"]),
    .target(name: "Other"),
    .executableTarget(name: "program", dependencies: ["Part", "Other"]),
    .testTarget(name: "PartTests", dependencies: ["Part"]),
  ])
"""

PACKAGE = {
    "Package.swift": MANIFEST,
    "Sources/CPart/part.c": "#include \"part.h\"\nint c_part(void) { return ANSWER; }\n",
    "Sources/CPart/include/part.h": "#define ANSWER 42\nint c_part(void);\n",
    "Sources/Part/Part.swift": "import CPart\npublic func part() -> Int { Int(c_part()) + helped() }\n",
    "Sources/Part/Helper.swift": "import Foundation\nfunc helped() -> Int { Data([1]).count }\n",
    "Sources/Part/Third.swift": "public struct Third: Codable, Sendable { public var text = \"\" }\n",
    "Sources/Other/Other.swift": "public func other() -> String {\n  var unused = 1\n  return \"other\"\n}\n",
    "Sources/program/main.swift": "import Other\nimport Part\nprint(part(), other())\n",
    "Tests/PartTests/XCTests.swift":
        "import XCTest\n@testable import Part\nfinal class XCTests: XCTestCase {\n"
        "  func testHelp() { XCTAssertEqual(helped(), 1) }\n"
        "  func testFile() { XCTAssertTrue(FileManager.default.fileExists(atPath: #filePath)) }\n}\n",
    "Tests/PartTests/NewTests.swift":
        "import Part\nimport Testing\n@Test func answer() { #expect(part() == 43) }\n",
}

# A macro whose program speaks with the compiler by itself, so that swift-syntax need not be compiled.
MACRO = {
    "Package.swift": """// swift-tools-version: 6.0
import CompilerPluginSupport
import PackageDescription
let package = Package(
  name: "macros",
  targets: [
    .macro(name: "Implementation"),
    .target(name: "Library", dependencies: ["Implementation"]),
    .executableTarget(name: "program", dependencies: ["Library"]),
  ])
""",
    "Sources/Library/Library.swift":
        "@freestanding(expression) public macro version() -> String = "
        "#externalMacro(module: \"Implementation\", type: \"Version\")\n"
        # The package manager compiles who uses a macro by another module not again, with Fabrik or without.
        "public func expanded() -> String { #version() }\n",
    "Sources/program/main.swift": "import Library\nprint(expanded())\n",
    "Sources/Implementation/main.swift": r"""import Foundation
func read(_ count: Int) -> Data? {
  var data = Data()
  while data.count < count {
    let piece = FileHandle.standardInput.readData(ofLength: count - data.count)
    if piece.isEmpty { return nil }
    data += piece
  }
  return data
}
func send(_ message: [String: Any]) {
  let data = try! JSONSerialization.data(withJSONObject: message)
  var count = UInt64(data.count).littleEndian
  FileHandle.standardOutput.write(Data(bytes: &count, count: 8))
  FileHandle.standardOutput.write(data)
}
while let head = read(8) {
  let count = head.enumerated().reduce(0) { $0 | Int($1.element) << (8 * $1.offset) }
  guard let body = read(count), let message = try? JSONSerialization.jsonObject(with: body) as? [String: Any] else {
    break
  }
  if message["getCapability"] != nil {
    send(["getCapabilityResult": ["capability": ["protocolVersion": 7]]])
  } else if message["expandFreestandingMacro"] != nil {
    send(["expandMacroResult": ["expandedSource": "\"VERSION\"", "diagnostics": []]])
  } else {
    send(["invalidRequestResult": [:]])
  }
}
""",
}


@unittest.skipUnless((TOOLCHAIN / "swift-build").exists(), "there is no Swift toolchain")
class SwiftScenario(ToolScenario):
    def machine_with_swift(self, **environment):
        return self.installation(PATH=f"{TOOLCHAIN}:{SYSTEM_PATH}", **environment)

    def swift(self, fabrik, directory, *words, flags=()):
        return fabrik.build(["swift", *words], *flags, directory=directory, patience=PATIENCE)

    def plain(self, fabrik, directory, *words):
        return self.without_fabrik(fabrik, ["swift", *words], directory, patience=PATIENCE)

    def forget(self, fabrik, *directories):
        """What the compilers keep beside the store, and what has been built."""
        remove(self.cache(fabrik) / "compilers", *(Path(directory) / ".build" for directory in directories))

    def cache(self, fabrik):
        return Path(fabrik.environment.get("FABRIK_CACHE_DIR") or f"{fabrik.user.home}/.cache/fabrik")

    def output(self, directory, configuration="debug"):
        outcome = attempt([f"{directory}/.build/{configuration}/program"])
        self.assertEqual(outcome.status, 0, outcome.errors)
        return outcome.output


class BuildTests(SwiftScenario):
    def test_a_clean_build_compiles_nothing_twice(self):
        for configuration in ("debug", "release"):
            with self.subTest(configuration):
                fabrik = self.machine_with_swift()
                package = write(f"{fabrik.top}/package", PACKAGE)
                cold = self.swift(fabrik, package, "build", "-c", configuration)
                self.assertEqual(self.counts(cold, "swift-ac").hits, 0)
                self.assertEqual(self.output(package, configuration), "43 other\n")
                self.forget(fabrik, package)
                warm = self.swift(fabrik, package, "build", "-c", configuration)
                self.assert_hits(warm, "swift-ac", share=1, at_least=self.counts(cold, "swift-ac").lookups)
                self.assertEqual(self.output(package, configuration), "43 other\n")
                # From what compilers keep beside the store, too.
                remove(f"{package}/.build")
                again = self.swift(fabrik, package, "build", "-c", configuration)
                self.assert_hits(again, "swift-ac", share=1, at_least=3)

    def test_paths_that_are_mapped_fit_other_directories(self):
        fabrik = self.machine_with_swift()
        first, second = (
            write(f"{fabrik.top}/{name}/package", {**PACKAGE, ".fabrik.toml": "[exec]\nmap_paths = true\n"})
            for name in ("first", "elsewhere/second"))
        for directory in (first, second):
            attempt(["git", "init", "-q", directory])
        for configuration in ("debug", "release"):
            with self.subTest(configuration):
                self.swift(fabrik, first, "build", "-c", configuration)
                self.forget(fabrik, second)
                warm = self.swift(fabrik, second, "build", "-c", configuration)
                self.assert_hits(warm, "swift-ac", at_least=4)
                self.assertEqual(self.output(second, configuration), "43 other\n")
                # What is edited afterwards is compiled.
                write(second, {"Sources/Other/Other.swift": "public func other() -> String { \"new\" }\n"})
                self.swift(fabrik, second, "build", "-c", configuration)
                self.assertEqual(self.output(second, configuration), "43 new\n")
                write(second, PACKAGE)

    def test_what_changes_is_compiled_though_the_directory_of_the_result_is_there(self):
        """What the compiler remembers of a module names files of the directory that the result was made in."""
        fabrik = self.machine_with_swift()
        text = {
            ".fabrik.toml": "[exec]\nmap_paths = true\n",
            "Sources/Other/Other.swift": "public struct Other { var one: Int64 = 1 }\npublic func other() -> String { \"x\" }\n",
            "Sources/program/main.swift": "import Other\nimport Part\nprint(part(), MemoryLayout<Other>.size)\n"}
        first, second = (write(f"{fabrik.top}/{name}/package", {**PACKAGE, **text}) for name in ("first", "second"))
        for directory in (first, second):
            attempt(["git", "init", "-q", directory])
            self.swift(fabrik, directory, "build")
            self.assertEqual(self.output(directory), "43 8\n")
        larger = text["Sources/Other/Other.swift"].replace("= 1", "= 1, two: Int64 = 2")
        write(second, {
            "Sources/Other/Other.swift": larger,
            "Sources/CPart/include/part.h": "#define ANSWER 50\nint c_part(void);\n"})
        self.swift(fabrik, second, "build")
        self.assertEqual(self.output(second), "51 16\n")

    def test_paths_that_are_not_mapped_are_what_they_are(self):
        fabrik = self.machine_with_swift()
        text = {"Sources/Other/Other.swift": "public func other() -> String { #filePath }\n"}
        for name in ("first", "second"):
            package = write(f"{fabrik.top}/{name}/package", {**PACKAGE, **text})
            self.swift(fabrik, package, "build")
            self.assertEqual(self.output(package), f"43 {package}/Sources/Other/Other.swift\n")

    def test_a_script_and_a_makefile_are_wired_too(self):
        fabrik = self.machine_with_swift()
        package = write(f"{fabrik.top}/package", {
            **PACKAGE, "Makefile": "all:\n\t./build.sh\n", "build.sh": "#!/bin/sh\nexec swift build\n"})
        fabrik.build(["make"], directory=package, patience=PATIENCE)
        self.forget(fabrik, package)
        warm = fabrik.build(["make"], directory=package, patience=PATIENCE)
        self.assert_hits(warm, "swift-ac", share=1, at_least=3)

    def test_swiftc_by_itself(self):
        fabrik = self.machine_with_swift()
        project = write(f"{fabrik.top}/project", {
            "a.swift": "public func a() -> Int { 1 }\n", "main.swift": "print(a())\n",
            "Makefile": "program: a.swift main.swift\n\tswiftc -O $^ -o $@\n"})
        for command in (["make"], ["swiftc", "-O", "a.swift", "main.swift", "-o", "program"]):
            with self.subTest(command[0]):
                Path(project, "program").unlink(missing_ok=True)
                fabrik.build(command, directory=project)
                self.forget(fabrik)
                Path(project, "program").unlink()
                self.assert_hits(fabrik.build(command, directory=project), "swift-ac", share=1)
                self.assertEqual(attempt([f"{project}/program"]).output, "1\n")

    def test_the_compiler_can_be_left_alone(self):
        fabrik = self.machine_with_swift()
        package = write(f"{fabrik.top}/package", PACKAGE)
        for flags, environment in ((["--tool", "swift=off"], {}), ([], {"SWIFT_EXEC": str(TOOLCHAIN / "swiftc")})):
            with self.subTest(flags=flags, environment=environment):
                remove(f"{package}/.build")
                fabrik.environment.update(environment)
                build = self.swift(fabrik, package, "build", flags=flags)
                self.assertEqual(self.counts(build, "swift-ac").lookups, 0)
                self.assertEqual(self.output(package), "43 other\n")


class BehaviourTests(SwiftScenario):
    def test_with_and_without_fabrik_by_turns(self):
        """Nothing is compiled again because Fabrik has come or gone."""
        fabrik = self.machine_with_swift()
        package = write(f"{fabrik.top}/package", PACKAGE)
        self.swift(fabrik, package, "build")
        self.assertNotIn("Compiling", self.plain(fabrik, package, "build").output)
        write(package, {"Sources/Other/Other.swift": "public func other() -> String { \"two\" }\n"})
        plain = self.plain(fabrik, package, "build")
        self.assertNotIn(" Part ", plain.output)
        self.assertEqual(self.output(package), "43 two\n")
        write(package, {"Sources/Other/Other.swift": "public func other() -> String { \"three\" }\n"})
        build = self.swift(fabrik, package, "build")
        self.assertNotIn(" Part ", build.outcome.output)
        self.assertEqual(self.output(package), "43 three\n")
        null = self.swift(fabrik, package, "build")
        self.assertNotIn("Compiling", null.outcome.output)
        self.assertEqual(self.counts(null, "swift-ac").lookups, 0)

    def test_manifests_are_read_once(self):
        """What they say the package manager keeps by its environment, which therefore has to be the same."""
        fabrik = self.machine_with_swift()
        package = write(f"{fabrik.top}/package", PACKAGE)

        def kept():
            path = f"{fabrik.user.home}/.cache/org.swift.swiftpm/manifests/manifest.db"
            with contextlib.closing(sqlite3.connect(path)) as database:
                return database.execute("SELECT count(*) FROM MANIFEST_CACHE").fetchone()[0]

        self.swift(fabrik, package, "build")
        before = kept()
        self.assertGreater(before, 0)
        self.swift(fabrik, package, "build")
        self.swift(fabrik, package, "build", "-c", "release")
        self.assertEqual(kept(), before)

    def test_one_edited_file_is_compiled_alone(self):
        fabrik = self.machine_with_swift()
        package = write(f"{fabrik.top}/package", PACKAGE)
        self.swift(fabrik, package, "build")
        write(package, {"Sources/Part/Helper.swift": "import Foundation\nfunc helped() -> Int { Data([1, 2]).count }\n"})
        build = self.swift(fabrik, package, "build")
        self.assertIn("Helper.swift", build.outcome.output)
        self.assertNotIn("Third.swift", build.outcome.output)
        self.assertEqual(self.output(package), "44 other\n")

    def test_what_compilers_keep_may_be_lost_between_builds(self):
        fabrik = self.machine_with_swift()
        package = write(f"{fabrik.top}/package", PACKAGE)
        self.swift(fabrik, package, "build")
        remove(self.cache(fabrik))
        write(package, {"Sources/CPart/include/part.h": "#define ANSWER 50\nint c_part(void);\n"})
        self.swift(fabrik, package, "build")
        self.assertEqual(self.output(package), "51 other\n")

    def test_warnings_are_said_again(self):
        fabrik = self.machine_with_swift()
        package = write(f"{fabrik.top}/package", PACKAGE)
        texts = []
        for run in (self.plain, self.swift, self.swift):
            remove(f"{package}/.build")
            outcome = run(fabrik, package, "build")
            text = getattr(outcome, "outcome", outcome)
            texts.append(sorted({line for line in (text.output + text.errors).splitlines() if "unused" in line}))
        self.assertTrue(any("warning: initialization of variable 'unused'" in line for line in texts[0]), texts[0])
        self.assertEqual(texts[1], texts[0])
        self.assertEqual(texts[2], texts[0])

    def test_an_error_is_said_once_and_fails_the_build(self):
        fabrik = self.machine_with_swift()
        package = write(f"{fabrik.top}/package", {**PACKAGE, "Sources/Other/Other.swift": "public func other() { x }\n"})
        for _ in range(2):
            build = fabrik.attempt("exec", "--", "swift", "build", directory=package, patience=PATIENCE)
            self.assertEqual(build.status, 1)
            text = build.output + build.errors
            # Once in the line of its place, and once in the picture below.
            self.assertEqual(text.count("error: cannot find 'x' in scope"), 2, text)
        write(package, PACKAGE)
        self.swift(fabrik, package, "build")
        self.assertEqual(self.output(package), "43 other\n")

    def test_tests_are_found_on_hits(self):
        fabrik = self.machine_with_swift()
        for mapped in ("false", "true"):
            with self.subTest(mapped=mapped):
                package = write(f"{fabrik.top}/{mapped}", {**PACKAGE, ".fabrik.toml": f"[exec]\nmap_paths = {mapped}\n"})
                attempt(["git", "init", "-q", package])
                for _ in range(2):
                    self.forget(fabrik, package)
                    build = self.swift(fabrik, package, "test")
                    text = build.outcome.output + build.outcome.errors
                    self.assertIn("Executed 2 tests, with 0 failures", text)
                    self.assertIn("Test run with 1 test", text)
                self.assert_hits(build, "swift-ac", share=0.5, at_least=3)

    def test_a_macro_that_changes_expands_anew(self):
        fabrik = self.machine_with_swift()
        package = write(f"{fabrik.top}/package", MACRO)
        main = Path(package, "Sources/Implementation/main.swift")
        text = main.read_text()
        for number, is_clean in enumerate([True, True, False, True]):
            main.write_text(text.replace("VERSION", f"version-{number}"))
            if is_clean:
                remove(f"{package}/.build")
            self.swift(fabrik, package, "build")
            self.assertEqual(self.output(package), f"version-{number}\n")
        # Back to an old one.
        main.write_text(text.replace("VERSION", "version-1"))
        self.forget(fabrik, package)
        self.assert_hits(self.swift(fabrik, package, "build"), "swift-ac", share=1, at_least=3)
        self.assertEqual(self.output(package), "version-1\n")

    def test_all_that_is_asked_for_is_written(self):
        """The compiler's keys do not tell which files are wanted beside the object."""
        fabrik = self.machine_with_swift()
        project = write(f"{fabrik.top}/project", {"a.swift": "public func a() -> Int { 1 }\n"})
        command = ["swiftc", "-c", "-parse-as-library", "a.swift", "-module-name", "a"]
        fabrik.build(command, directory=project)
        fabrik.build([*command, "-emit-module-interface", "-enable-library-evolution"], directory=project)
        fabrik.build(command, directory=project)
        Path(project, "a.swiftinterface").unlink(missing_ok=True)
        fabrik.build([*command, "-emit-dependencies"], directory=project)
        self.assertTrue(Path(project, "a.d").exists())
        fabrik.build([*command, "-emit-module", "-emit-module-path", "a.swiftmodule"], directory=project)
        self.assertTrue(Path(project, "a.swiftmodule").exists())


class ClangTests(SwiftScenario):
    """The clang of Swift's toolchain, where there is no ccache."""

    files = {
        "Makefile": f"program: a.o b.o\n\t{TOOLCHAIN}/clang -o $@ $^\n%.o: %.c a.h\n\t{TOOLCHAIN}/clang -O1 -c $< -o $@\n",
        "a.h": "#define NUMBER 7\nint b(void);\n", "b.c": "#include \"a.h\"\nint b(void) { return NUMBER; }\n",
        "a.c": "#include <stdio.h>\n#include \"a.h\"\nint main(void) { printf(\"%d\\n\", b()); return 0; }\n"}

    def test_c_is_compiled_once(self):
        fabrik = self.machine_with_swift()
        project = write(f"{fabrik.top}/project", self.files)
        self.without_fabrik(fabrik, ["make"], project)
        plain = files(project, "*.o")
        for expected in (0, 2):
            for name in ("a.o", "b.o"):
                Path(project, name).unlink()
            remove(self.cache(fabrik) / "compilers")
            build = fabrik.build(["make"], "--tool", "ccache=off", directory=project)
            self.assertEqual(self.counts(build, "swift-ac"), (2, expected))
            # As the compiler makes them by itself.
            self.assertEqual(files(project, "*.o"), plain)
        write(project, {"a.h": "#define NUMBER 8\nint b(void);\n"})
        fabrik.build(["make"], "--tool", "ccache=off", directory=project)
        self.assertEqual(attempt([f"{project}/program"]).output, "8\n")

    def test_a_target_of_a_package(self):
        fabrik = self.machine_with_swift()
        package = write(f"{fabrik.top}/package", PACKAGE)
        self.swift(fabrik, package, "build", flags=["--tool", "ccache=off"])
        self.forget(fabrik, package)
        warm = self.swift(fabrik, package, "build", flags=["--tool", "ccache=off"])
        self.assert_hits(warm, "swift-ac", share=1, at_least=5)
        self.assertEqual(self.output(package), "43 other\n")

    def test_a_file_that_the_assembler_reads(self):
        fabrik = self.machine_with_swift()
        project = write(f"{fabrik.top}/project", {
            **self.files, "b.c": "int b(void);\nint b(void) { extern char data; return data - '0'; }\n"
                                 "asm(\".data\\ndata: .incbin \\\"data\\\"\\n.text\");\n"})
        for digit in "12":
            write(project, {"data": digit})
            Path(project, "b.o").unlink(missing_ok=True)
            fabrik.build(["make"], "--tool", "ccache=off", directory=project)
            self.assertEqual(attempt([f"{project}/program"]).output, f"{digit}\n")

    def test_an_error_is_the_compilers_own(self):
        fabrik = self.machine_with_swift()
        project = write(f"{fabrik.top}/project", {**self.files, "b.c": "int b(void) { return x; }\n"})
        plain = attempt(fabrik.host.command(["make"], environment=fabrik.environment, directory=project))
        build = fabrik.attempt("exec", "--tool", "ccache=off", "--stats", "none", "--", "make", directory=project)
        self.assertEqual((build.status, build.errors), (plain.status, plain.errors))


class TroubleTests(SwiftScenario):
    def built(self):
        """A package, in the cache and not built."""
        fabrik = self.machine_with_swift()
        package = write(f"{fabrik.top}/package", PACKAGE)
        self.swift(fabrik, package, "build")
        self.forget(fabrik, package)
        return fabrik, package

    def test_the_server_is_killed(self):
        for is_cold in (True, False):
            with self.subTest(is_cold=is_cold):
                fabrik, package = self.built()
                if is_cold:
                    fabrik.stop()
                    remove(self.cache(fabrik))
                self.stop_server_during(
                    fabrik, lambda: self.swift(fabrik, package, "build"),
                    when=(lambda: fabrik.stored() >= 3) if is_cold else None)
                self.assertEqual(self.output(package), "43 other\n")

    def test_the_server_hangs(self):
        fabrik, package = self.built()
        fabrik.start()
        fabrik.signal(signal.SIGSTOP)
        try:
            build = attempt(
    fabrik.command("exec", "--", "swift", "build", directory=package), patience=PATIENCE)
        finally:
            fabrik.signal(signal.SIGCONT)
        self.assertEqual(build.status, 0, build.errors)
        self.assertEqual(self.output(package), "43 other\n")

    def test_the_store_is_damaged(self):
        fabrik, package = self.built()
        fabrik.stop()
        changed = 0
        for blob in self.cache(fabrik).rglob("*"):
            if not blob.is_file() or "blobs" not in blob.parts:
                continue
            content = bytearray(blob.read_bytes())
            content[len(content) // 2] ^= 1
            blob.chmod(0o644)
            blob.write_bytes(content)
            changed += 1
        self.assertGreater(changed, 3)
        build = self.swift(fabrik, package, "build")
        self.assertLess(self.counts(build, "swift-ac").hits, self.counts(build, "swift-ac").lookups)
        self.assertEqual(self.output(package), "43 other\n")

    def test_half_of_what_compilers_keep_is_lost(self):
        """Compilers fail then; the build does not."""
        fabrik = self.machine_with_swift()
        package = write(f"{fabrik.top}/package", PACKAGE)
        self.swift(fabrik, package, "build")
        fabrik.stop()
        objects = sorted(path for path in (self.cache(fabrik) / "compilers").rglob("objects/*/*"))
        for path in objects[::2]:
            path.unlink()
        remove(self.cache(fabrik) / "v1")
        write(package, {"Sources/Part/Third.swift": "public struct Third: Codable, Sendable { public var text = \"x\" }\n"})
        for text in ("one", "two"):
            write(package, {"Sources/Other/Other.swift": f"public func other() -> String {{ \"{text}\" }}\n"})
            self.swift(fabrik, package, "build")
            self.assertEqual(self.output(package), f"43 {text}\n")

    def test_a_compiler_that_crashes_with_its_cache_runs_again_without(self):
        fabrik = self.machine_with_swift()
        tree = write(f"{fabrik.top}/tree", {"one.swift": "let one = 1\n", "two.swift": "let two = 2\n"})
        # The first crashes the driver, which scans the sources only when the cache is on; the second its compilers.
        for crash in ("-debug-crash-immediately", "-debug-crash-after-parse"):
            with self.subTest(crash=crash):
                script = f"swiftc -module-name m -c one.swift two.swift -Xfrontend {crash}"
                outcome = fabrik.attempt("exec", "--", "sh", "-c", script, directory=tree, patience=PATIENCE)
                # Of two that crash at the same time, what reproduces one may miss objects before the other's crash is noticed:
                # that is taken for a cache that is not whole.
                self.assertRegex(
                    outcome.errors, "fabrik: the compiler('s cache is not whole| has crashed with its cache); compiling without")
                # It crashes again without its cache, as it would without Fabrik.
                failure = "compile command failed due to signal"
                self.assertIn(failure, outcome.errors.split("compiling without it")[1])
                self.assertEqual(outcome.status, 1)

    def test_the_disk_is_full(self):
        fabrik = self.machine_with_swift()
        package = write(f"{fabrik.top}/package", PACKAGE)
        # More than the compiler insists on at the beginning, and less than it writes.
        cache = Path(fabrik.host.top) / "small"
        cache.mkdir()
        if not namespaces.keep_mounts_private():
            self.skipTest("needs to mount a small disk")
        mounted = attempt(["mount", "-t", "tmpfs", "-o", "size=300m", "none", str(cache)])
        if mounted.status != 0:
            self.skipTest("needs to mount a small disk")
        self.addCleanup(attempt, ["umount", "-l", str(cache)])
        filler = cache / "filler"
        filler.write_bytes(bytes(24 << 20))
        fabrik.environment["FABRIK_CACHE_DIR"] = str(cache / "fabrik")
        self.swift(fabrik, package, "build")
        self.assertEqual(self.output(package), "43 other\n")
        for size in (20, 5, 0):
            with self.subTest(size=size):
                self.forget(fabrik, package)
                remove(cache / "fabrik")
                with filler.open("wb") as file, contextlib.suppress(OSError):
                    # Room for so many megabytes; the shim believes that there is more.
                    file.write(bytes((300 - size) << 20))
                self.swift(fabrik, package, "build")
                self.assertEqual(self.output(package), "43 other\n")

    def test_the_plugin_is_gone(self):
        fabrik, package = self.built()
        fabrik.stop()
        programs = fabrik.host.top / "programs"
        programs.mkdir()
        for name in ("fabrik", "fabrik-server", "libfabrik-exec.so"):
            shutil.copy(RELEASE / name, programs)
        fabrik.program = str(programs / "fabrik")
        build = self.swift(fabrik, package, "build")
        self.assertEqual(self.counts(build, "swift-ac").lookups, 0)
        self.assertIn("libFabrikCAS.so", build.outcome.errors)
        self.assertEqual(self.output(package), "43 other\n")
