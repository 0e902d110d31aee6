"""libfabrik-exec.so and Swift's compiler: what is run when a program calls it."""

import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import places

LIBRARY = places.REPOSITORY / ".build" / "release" / "libfabrik-exec.so"


@unittest.skipIf(places.IS_WATCHED, "another library is watched")
class SwiftCompilerTests(unittest.TestCase):
    def setUp(self):
        self.top = Path(tempfile.mkdtemp(prefix="fabrik-exec-"))
        self.addCleanup(shutil.rmtree, self.top, ignore_errors=True)
        # Binaries say what they are called with; a wrapper is a script.
        self.compiler = self.binary("toolchain/swiftc")
        self.launcher = self.script("fabrik-swiftc", 'printf "launched:"; printf " %s" "$@"; echo; '
                                                     'printenv LD_PRELOAD || true')

    def binary(self, name):
        path = self.top / name
        path.parent.mkdir(exist_ok=True)
        shutil.copy("/bin/echo", path)
        return path

    def script(self, name, text):
        path = self.top / name
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"#!/bin/sh\n{text}\n")
        path.chmod(0o755)
        return path

    def output(self, command, launcher=None):
        """Of a shell, which has the library."""
        environment = {"PATH": f"{self.compiler.parent}:{os.environ['PATH']}", "LD_PRELOAD": str(LIBRARY),
                       "FABRIK_SWIFTC": str(self.launcher if launcher is None else launcher)}
        done = subprocess.run(["/bin/sh", "-c", command], env=environment, cwd=self.top, capture_output=True, text=True,
                              timeout=60)
        self.assertEqual((done.returncode, done.stderr), (0, ""))
        return done.stdout

    def test_it_is_called_through_the_launcher(self):
        expected = f"launched: {self.compiler} -c a.swift\n"
        self.assertEqual(self.output(f"{self.compiler} -c a.swift; true"), expected)
        # By its name; by the shell itself, which the program takes the place of; by programs that start others.
        self.assertEqual(self.output("swiftc -c a.swift; true"), expected)
        self.assertEqual(self.output("exec swiftc -c a.swift"), expected)
        self.assertEqual(self.output(f"env X=1 {self.compiler} -c a.swift"), expected)
        self.assertEqual(self.output("env swiftc -c a.swift"), expected)
        self.assertEqual(self.output("python3 -c 'import subprocess as s; s.run([\"swiftc\", \"-c\", \"a.swift\"])'"),
                         expected)
        # Without arguments, and with those that are no words.
        self.assertEqual(self.output("swiftc; true"), f"launched: {self.compiler}\n")
        self.assertEqual(self.output("swiftc '' 'a b'; true"), f"launched: {self.compiler}  a b\n")

    def test_a_link_to_it_counts_as_it(self):
        link = self.top / "links" / "swiftc"
        link.parent.mkdir()
        link.symlink_to(self.compiler)
        self.assertEqual(self.output(f"{link} -c; true"), f"launched: {link} -c\n")

    def test_whatever_else_is_run_as_it_is(self):
        wrapper = self.script("wrapped/swiftc", 'echo "wrapper $*"')
        self.assertEqual(self.output(f"{wrapper} -c; true"), "wrapper -c\n")
        for name in ("swift-frontend", "swiftc-6.3", "xswiftc"):
            self.assertEqual(self.output(f"{self.binary('other/' + name)} -c; true"), "-c\n")
        # By another name than its own.
        self.assertEqual(self.output(f"python3 -c 'import os; os.execv(\"{self.compiler}\", [\"x\", \"-c\"])'; true"),
                         "-c\n")

    def test_without_a_launcher_it_is_run_itself(self):
        for launcher in ("", "/nonexistent/fabrik-swiftc", "relative/fabrik-swiftc", "/" + "x" * 5000, self.top):
            with self.subTest(launcher=str(launcher)[:40]):
                self.assertEqual(self.output("swiftc -c a.swift; true", launcher=launcher), "-c a.swift\n")

    def test_a_program_that_is_no_driver_of_builds_is_not_looked_into(self):
        # It has not got the library.
        program = self.top / "tested"
        shutil.copy("/bin/sh", program)
        self.assertEqual(self.output(f"{program} -c 'swiftc -c a.swift; printenv LD_PRELOAD || echo none'; true"),
                         "-c a.swift\nnone\n")
