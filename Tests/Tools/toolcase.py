"""What scenarios with a build tool have in common."""

import hashlib
import os
import shutil
import signal
import threading
import unittest
from pathlib import Path
from typing import NamedTuple

from places import TOOLS
from machine import Installation, Machine
from processes import attempt

SYSTEM_PATH = "/usr/local/bin:/usr/bin:/bin"


class Counts(NamedTuple):
    """What one build tool asked for."""

    lookups: int
    hits: int


class ToolScenario(unittest.TestCase):
    """Machines end with their test. `programs` are directories of .build/tools that come first in PATH."""

    programs = ("ccache",)

    def installation(self, **environment):
        """Fabrik on a machine that has nothing yet."""
        machine = self.enterContext(Machine())
        path = ":".join([*(str(TOOLS / name) for name in self.programs), SYSTEM_PATH])
        installation = Installation(machine, **{"PATH": path, **environment})
        self.addCleanup(self.show_log, installation)
        return installation

    def show_log(self, installation):
        if not self._outcome.success:
            print(installation.log() or f"\nno server on {installation.host.port}")

    def without_fabrik(self, installation, command, directory, patience=300):
        """The command as it is, in the same environment."""
        outcome = attempt(
            installation.host.command(command, environment=installation.environment, directory=directory),
            patience=patience)
        self.assertEqual(outcome.status, 0, f"{outcome.output}{outcome.errors}")
        return outcome

    def counts(self, build, namespace):
        tool = build.statistics["tools"].get(namespace, {"lookups": 0, "hits": 0})
        return Counts(tool["lookups"], tool["hits"])

    def assert_hits(self, build, namespace, share=0.95, at_least=1):
        """The tool got at least this share of what it asked for, and asked for so many."""
        counts = self.counts(build, namespace)
        message = f"{namespace}: {counts} of {build.statistics}\n{build.outcome.errors}"
        self.assertGreaterEqual(counts.lookups, at_least, message)
        self.assertGreaterEqual(counts.hits, share * counts.lookups, message)
        return counts

    def stop_server_during(self, installation, start, when=None):
        """Runs `start`, and kills the server as soon as `when` holds, or a build uses it; returns what `start` returns.
        A build must not mind."""
        when = when or installation.builds
        is_over, killed = threading.Event(), []

        def kill():
            while not killed and not is_over.wait(0.005):
                if when():
                    killed.extend(installation.signal(signal.SIGKILL))

        killer = threading.Thread(target=kill)
        killer.start()
        try:
            result = start()
        finally:
            is_over.set()
            killer.join()
        self.assertTrue(killed, "it was over before")
        return result


def files(directory, pattern="**/*"):
    """Digests of files by their names relative to the directory."""
    directory = Path(directory)
    return {
        str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.glob(pattern)) if path.is_file() and not path.is_symlink()}


def write(directory, texts):
    """Writes files by name; returns the directory."""
    for name, text in texts.items():
        path = Path(directory) / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
        if text.startswith("#!"):
            path.chmod(0o755)
    return str(directory)


def remove(*paths):
    for path in paths:
        # Go and Bazel make directories that cannot be written.
        for top, directories, _ in os.walk(path):
            for name in directories:
                os.chmod(os.path.join(top, name), 0o755)
        shutil.rmtree(path, ignore_errors=True)
