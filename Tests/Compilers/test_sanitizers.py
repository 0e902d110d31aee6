"""The plugin under the eyes of sanitizers: all the other tests, and a crowd of threads."""

import os
import shutil
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import places
from fakeserver import FakeServer


# Swift's own C compiler has no sanitizer for threads that works without Swift.
COMPILER = "gcc"
FLAGS = ["-std=gnu11", "-O1", "-g", "-Wall", "-Wextra", "-fno-omit-frame-pointer", "-pthread", f"-I{places.HEADERS}",
         f"-I{places.REPOSITORY / 'Sources' / 'FabrikCAS'}"]
ADDRESSES = ["-fsanitize=address,undefined", "-fno-sanitize-recover=all"]
WRAPPED = "-Wl,--wrap=malloc,--wrap=calloc,--wrap=strdup"
# Some minutes on a slow machine.
PATIENCE = 600


@unittest.skipIf(places.IS_WATCHED, "these build libraries of their own")
class SanitizerTests(unittest.TestCase):
    maxDiff = None

    def setUp(self):
        self.top = Path(tempfile.mkdtemp(prefix="fabrik-cas-"))
        self.addCleanup(shutil.rmtree, self.top, ignore_errors=True)

    def build(self, name, flags, sources=places.SOURCES):
        result = self.top / name
        done = subprocess.run([COMPILER, *FLAGS, *flags, "-o", result, *sources], capture_output=True, text=True,
                              timeout=PATIENCE)
        self.assertEqual(done.returncode, 0, done.stderr)
        self.assertEqual(done.stderr, "")
        return result

    def assert_well(self, command, **environment):
        done = subprocess.run(command, capture_output=True, text=True, timeout=PATIENCE,
                              env={**os.environ, **environment})
        self.assertEqual(done.returncode, 0, (done.stdout + done.stderr)[-20_000:])
        for word in ("Sanitizer", "runtime error"):
            self.assertNotIn(word, done.stderr)

    def stress(self, name, flags, mode, **environment):
        program = self.build(name, [*flags, WRAPPED], [places.HERE / "stress.c", *places.SOURCES])
        # Addresses at random leave no room for the sanitizer's own in some kernels.
        command = ["setarch", "-R", program, mode]
        self.assert_well([*command, self.top / "alone", self.top / "spill", ""], **environment)
        server = FakeServer(str(self.top))
        try:
            self.assert_well([*command, self.top / "served", self.top / "spill 2", server.path], **environment)
            self.assertTrue(server.puts and server.gets and server.used or mode == "memory")
        finally:
            server.stop()

    def test_threads_do_not_race(self):
        self.stress("threads", ["-fsanitize=thread"], "crowd", TSAN_OPTIONS="halt_on_error=1")

    def test_threads_keep_within_their_memory_and_give_it_back(self):
        self.stress("addresses", ADDRESSES, "crowd", ASAN_OPTIONS="detect_leaks=1")

    def test_running_out_of_memory_does_no_harm(self):
        self.stress("memory", ADDRESSES, "memory", ASAN_OPTIONS="detect_leaks=1")

    def test_the_other_tests(self):
        library = self.build("watched.so", ["-shared", "-fPIC", *ADDRESSES])
        runtime = subprocess.run([COMPILER, "-print-file-name=libasan.so"], capture_output=True, text=True).stdout
        self.assert_well([sys.executable, places.REPOSITORY / "Tests/run.py", "Compilers", "test_objects", "test_server"],
                         FABRIK_CAS_LIBRARY=str(library), LD_PRELOAD=runtime.strip(),
                         # Python itself gives back nothing in the end.
                         ASAN_OPTIONS="detect_leaks=0:allocator_may_return_null=1")
