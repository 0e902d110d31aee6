"""A home of its own for a benchmark: nothing of the user's is read or written, and no server is left behind."""

import contextlib
import http.client
import os
import shutil
import signal
import subprocess
import tempfile
import time
from pathlib import Path

from support import tools

# A server ends within milliseconds; a minute tells a hung one from a busy machine.
PATIENCE = 60


class Sandbox(contextlib.AbstractContextManager):
    def __init__(self):
        # Below /tmp, whatever TMPDIR says: the address of a Unix socket holds 107 bytes.
        self.root = Path(tempfile.mkdtemp(prefix="fabrik-bench.", dir="/tmp"))
        self.runtime = self.root / "run"
        for name in ("home", "cache", "data", "config", "work"):
            (self.root / name).mkdir()
        self.runtime.mkdir(mode=0o700)

    def __exit__(self, *_):
        self.end_servers()
        shutil.rmtree(self.root)

    @property
    def work(self):
        return self.root / "work"

    def environment(self, ccache=None, **extra):
        """A small, fixed environment; the given ccache comes first in PATH, and no masquerading directory is on it."""
        path = [part for part in os.environ.get("PATH", os.defpath).split(":") if "ccache" not in part]
        if ccache:
            path.insert(0, self._program_directory(ccache))
        return {
            "PATH": ":".join(path), "LANG": "C.UTF-8", "HOME": str(self.root / "home"),
            "XDG_CACHE_HOME": str(self.root / "cache"), "XDG_CONFIG_HOME": str(self.root / "config"),
            "XDG_DATA_HOME": str(self.root / "data"), "XDG_RUNTIME_DIR": str(self.runtime),
            **{name: str(value) for name, value in extra.items()},
        }

    def _program_directory(self, ccache):
        """A directory with only this ccache: its own may hold compilers, or other things that shadow the system's."""
        directory = self.root / f"ccache-{ccache.version}"
        if not directory.exists():
            directory.mkdir()
            (directory / "ccache").symlink_to(ccache.path)
        return str(directory)

    def servers(self):
        """Process ids of the servers whose instance lies in this sandbox."""
        found = []
        mark = os.fsencode(self.runtime) + b"/"
        for name in os.listdir("/proc"):
            if not name.isdigit():
                continue
            with contextlib.suppress(OSError):
                words = Path(f"/proc/{name}/cmdline").read_bytes().split(b"\0")
                if b"--instance" in words[:-1] and words[words.index(b"--instance") + 1].startswith(mark):
                    found.append(int(name))
        return found

    def end_servers(self):
        for process in self.servers():
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGTERM)
        self.wait_until_no_server()

    def wait_until_no_server(self):
        deadline = time.monotonic() + PATIENCE
        while self.servers():
            if time.monotonic() > deadline:
                raise RuntimeError(f"a server has not ended after {PATIENCE} s: {self.servers()}")
            time.sleep(0.001)

    @contextlib.contextmanager
    def held_server(self, environment):
        """A server that stays until the block ends, held by a build of its own."""
        launcher = subprocess.Popen(
            [tools.fabrik(), "exec", "-q", "--linger", "600s", "--", "sleep", "7200"],
            env=environment, cwd=self.work, stdin=subprocess.DEVNULL)
        try:
            yield HeldServer(self)
        finally:
            launcher.terminate()
            launcher.wait()
            self.end_servers()


class HeldServer:
    """Where a running server is found."""

    def __init__(self, sandbox):
        deadline = time.monotonic() + PATIENCE
        while True:
            with contextlib.suppress(OSError, ValueError, http.client.HTTPException):
                (self.process,) = sandbox.servers()
                words = Path(f"/proc/{self.process}/cmdline").read_bytes().split(b"\0")
                self.instance = Path(os.fsdecode(words[words.index(b"--instance") + 1]))
                port, self.token = (self.instance / "http").read_text().split()
                self.port = int(port)
                self.request("HEAD", object_path(0))
                return
            if time.monotonic() > deadline:
                raise RuntimeError("the server does not answer")
            time.sleep(0.001)

    def request(self, method, path, body=None):
        """One HTTP request; returns status and body."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=PATIENCE)
        with contextlib.closing(connection):
            connection.request(method, path, body=body, headers={"Authorization": f"Bearer {self.token}"})
            answer = connection.getresponse()
            return answer.status, answer.read()


def object_path(number):
    """The path of a made-up object, in the layout ccache uses: 40 digits, and the first 24 once more."""
    key = f"{number:040x}"
    # Numbers fill a key from its end; its beginning is what comes twice.
    key = key[::-1]
    return f"/ccache/ac/{key}{key[:24]}"
