"""Swift's compiler itself with the plugin."""

import os
import shutil
import subprocess
import unittest

import places
from cases import PluginCase

SWIFTC = shutil.which("swiftc")


def can_cache():
    """Whether this compiler knows the options: that of Swift 6.3 does."""
    if SWIFTC is None:
        return False
    asked = subprocess.run([SWIFTC, "-help-hidden"], capture_output=True, text=True, timeout=60)
    return "-cas-plugin-path" in asked.stdout and "-cache-compile-job" in asked.stdout


@unittest.skipIf(places.IS_WATCHED, "a compiler is not built for it")
@unittest.skipUnless(can_cache(), "there is no Swift compiler that caches")
class SwiftTests(PluginCase):
    SOURCES = {
        "main.swift": "import Glibc\nputs(greeting(for: 2))\n",
        "greeting.swift": "func greeting(for count: Int) -> String { \"Hello, \\(count) of you\" }\n",
        "warning.swift": "func unused() { let nobody = 1 }\n",
    }

    def setUp(self):
        super().setUp()
        self.fake = self.server()
        self.sources = self.top / "sources"
        self.sources.mkdir()
        for name, text in self.SOURCES.items():
            (self.sources / name).write_text(text)
        # What compilers miss, they say so.
        self.missed = self.top / "missed"

    def compile(self, directory, *options, socket=None):
        environment = {**os.environ, "FABRIK_CAS_SOCKET": socket or self.fake.path,
                       "FABRIK_CAS_SPILL": str(self.top / "spill"), "FABRIK_CAS_MISSED": str(self.missed)}
        program = self.sources / "program"
        program.unlink(missing_ok=True)
        done = subprocess.run(
            [SWIFTC, "-cache-compile-job", "-explicit-module-build", "-cas-path", str(directory), "-cas-plugin-path",
             places.LIBRARY, "-Rcache-compile-job", "-driver-batch-count", "1", "-module-cache-path",
             str(self.top / "modules"), *options, *self.SOURCES, "-o", str(program)],
            env=environment, cwd=self.sources, capture_output=True, text=True, timeout=300)
        return done, program

    def assert_built(self, outcome, expected="Hello, 2 of you\n"):
        done, program = outcome
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(subprocess.run([program], capture_output=True, text=True).stdout, expected)
        self.assertIn("never used", done.stderr)
        return done.stderr.count("replay output file"), done.stderr.count("cache miss")

    def test_what_one_has_compiled_others_need_not(self):
        replayed, missed = self.assert_built(self.compile(self.top / "one"))
        self.assertEqual(replayed, 0)
        self.assertGreater(missed, 0)
        puts = len(self.fake.puts)
        self.assertGreater(puts, 0)
        # Another machine's directory, then a second compilation there.
        shutil.rmtree(self.top / "modules")
        replayed, missed = self.assert_built(self.compile(self.top / "other"))
        self.assertEqual((replayed > 0, missed), (True, 0))
        self.assertEqual(len(self.fake.puts), puts)
        self.assertTrue(self.fake.gets)
        self.assertEqual(self.fake.wanted, [], "an object did not come with its action")
        gets = len(self.fake.gets)
        self.assertEqual(self.assert_built(self.compile(self.top / "other"))[1], 0)
        self.assertEqual(len(self.fake.gets), gets)
        # The sources are others.
        (self.sources / "greeting.swift").write_text(self.SOURCES["greeting.swift"].replace("Hello", "Bye"))
        self.assertGreater(self.assert_built(self.compile(self.top / "other"), "Bye, 2 of you\n")[1], 0)
        self.assertFalse(self.missed.exists())

    def test_it_does_not_need_a_server_nor_a_disk(self):
        socket = str(self.top / "nobody.sock")
        self.assert_built(self.compile(self.top / "one", socket=socket))
        self.assertEqual(self.assert_built(self.compile(self.top / "one", socket=socket))[1], 0)
        self.assertFalse(self.missed.exists())
        # All goes to memory.
        shutil.rmtree(self.top / "modules")
        self.assert_built(self.compile("/proc/nope", socket=socket))
        self.assertTrue((self.top / "spill").exists())
        self.assertFalse(self.missed.exists())

    def test_objects_that_were_cut_short_are_no_results(self):
        self.assert_built(self.compile(self.top / "one"))
        self.fake.stop()
        for path in self.files("objects", self.top / "one"):
            path.chmod(0o600)
            content = path.read_bytes()
            path.write_bytes(content[:-1])
        done, program = self.compile(self.top / "one")
        # It may fail, but then it is told why.
        if done.returncode == 0:
            self.assert_built((done, program))
        else:
            self.assertTrue(self.missed.exists(), done.stderr)
        shutil.rmtree(self.top / "one")
        self.assert_built(self.compile(self.top / "one"))
