"""Machines that are nothing but directories: what a build there knows of this one's user is a home of its own."""

import contextlib
import getpass
import itertools
import json
import os
import shutil
import signal
import socket
import tempfile
from pathlib import Path
from typing import NamedTuple

from fabrik import RELEASE, Build, Fabrik
from laboratory import TOOLS
from processes import PATIENCE, attempt, eventually, run

NUMBERS = itertools.count(1)
# Longer than any scenario, so that a server's end is the scenario's choice; yet nothing stays when tests are killed.
LINGER = "5m"


class User(NamedTuple):
    name: str
    home: str
    runtime: str


class Machine(contextlib.AbstractContextManager):
    """Has what `Fabrik` needs of a host of the hosts' laboratory, in place of which it stands."""

    def __enter__(self):
        self.number = next(NUMBERS)
        self.port = f"machine {self.number}"
        self.top = Path(tempfile.mkdtemp(prefix="machine-"))
        self.user = User(getpass.getuser(), str(self.top / "home"), str(self.top / "run"))
        for directory in (self.user.home, self.user.runtime):
            os.mkdir(directory, 0o700)
        return self

    def __exit__(self, *_):
        for process in self.processes("fabrik-server", "--instance"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)
        eventually(lambda: not self.processes("fabrik-server", "--instance"), "the servers' end")
        # A build that a scenario gave up may still be at it.
        shutil.rmtree(self.top, ignore_errors=True)

    def command(self, command, user=None, environment=None, directory=None):
        """The command in a small environment."""
        variables = {
            "PATH": f"{TOOLS / 'ccache'}:/usr/local/bin:/usr/bin:/bin", "HOME": self.user.home, "USER": self.user.name,
            "LANG": "C.UTF-8", "XDG_RUNTIME_DIR": self.user.runtime, "TMPDIR": str(self.top), **(environment or {})}
        return ["env", "--ignore-environment", f"--chdir={directory or self.user.home}",
                *[f"{name}={value}" for name, value in variables.items() if value is not None], *map(str, command)]

    def run(self, command, patience=PATIENCE, input=None, **settings):
        return run(self.command(command, **settings), patience=patience, input=input)

    def attempt(self, command, patience=PATIENCE, input=None, **settings):
        return attempt(self.command(command, **settings), patience=patience, input=input)

    def connect(self, address, port, timeout=PATIENCE):
        return socket.create_connection((address, port), timeout)

    def processes(self, *words, user=None):
        """Process ids of the programs whose command line holds all the words, and a path of this machine's."""
        found = []
        for name in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                line = Path(f"/proc/{name}/cmdline").read_bytes()
                # Programs on their way to another have its words, too.
                is_program = words[0].encode() in os.path.basename(line.split(b"\0")[0])
                if is_program and all(word.encode() in line for word in [*words, f"{self.top}/"]):
                    found.append(int(name))
        return found

    def path(self, path):
        return Path(path)

    def write(self, path, text, user=None, mode=0o644):
        target = Path(path)
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(mode)


class Installation(Fabrik):
    """Fabrik with upstreams. `upstreams` are tables of the configuration, or URLs; `secret`: none: objects are not
    sealed; `peers` are further settings of [p2p], which is off without them; the rest are variables of the builds'
    environment."""

    def __init__(self, machine, upstreams=(), secret=None, peers=None, linger=LINGER, **environment):
        super().__init__(machine, configured=False)
        self.program = str(RELEASE / "fabrik")
        # What is fetched ahead, and not asked for by then, is local for the next build.
        self.environment = {"FABRIK_LINGER": linger, "FABRIK_PREFETCH": "false", **environment}
        self.configure(upstreams, secret, peers)

    def configure(self, upstreams=(), secret=None, peers=None):
        """Writes .fabrik.toml anew, and ends the server that has the old one."""
        if self.servers():
            self.stop()
        self.environment["FABRIK_SECRET"] = secret
        settings = {}
        if peers is not None:
            settings = {"enabled": True, "name": self.name, "interfaces": ["lo"], "consent": "always-allow", **peers}
        lines = ["[p2p]"] + (['secret = "${FABRIK_SECRET}"'] if secret else [])
        lines += [f"{name} = {toml(value)}" for name, value in settings.items()]
        for upstream in upstreams:
            table = {"url": upstream} if isinstance(upstream, str) else upstream
            lines += ["[[upstream]]", *[f"{name} = {toml(value)}" for name, value in table.items()]]
        self.host.write(f"{self.top}/.fabrik.toml", "\n".join([*lines, ""]))

    def build(self, command, *flags, **settings):
        """One `fabrik exec`, which must succeed."""
        return UpstreamBuild(super().build(command, *flags, **settings))

    def start(self):
        """A server that outlives its build: `put` and `get` can be used."""
        self.run("exec", "--", "true")
        eventually(self.endpoint, "the front end")
        return self

    def stop(self):
        """As a service manager does; seconds it took."""
        servers = self.servers()
        # It waits for uploads, but not for ever.
        outcome = self.attempt("daemon", "stop", patience=2 * PATIENCE)
        self.await_end(servers)
        return outcome.seconds

    def stored(self):
        """How many entries the store has."""
        return sum(len(files) for _, _, files in os.walk(f"{self.user.home}/.cache/fabrik/v1/entries"))

    def builds(self):
        """How many builds use the server."""
        return json.loads(self.attempt("daemon", "status", "--json").output)["server"].get("builds", 0)

    def wipe(self):
        """Ends the server, and forgets everything that is local."""
        self.stop()
        self.run("cache", "clear")


class UpstreamBuild(Build):
    def __init__(self, build):
        super().__init__(build.outcome, build.statistics)

    def __getattr__(self, name):
        """Hits of a layer: `local`, `peers`, `regional`, `s3`."""
        if name in ("local", "peers", "regional", "s3"):
            return self.statistics["hits"][name]
        raise AttributeError(name)

    @property
    def seconds(self):
        return self.outcome.seconds

    @property
    def misses(self):
        return self.statistics["misses"]

    @property
    def stored(self):
        return self.statistics["stored"]

    @property
    def rejected(self):
        """Objects of upstreams that were not what they should be."""
        return self.statistics["rejected"]

    @property
    def complaints(self):
        """Lines about upstreams."""
        return [line for line in self.outcome.errors.splitlines() if line.startswith("fabrik: upstream ")]

    @property
    def remarks(self):
        """All lines of Fabrik's on standard error but the statistics."""
        return [line for line in self.outcome.errors.splitlines() if line.startswith("fabrik: ")]


def toml(value):
    """Strings, numbers, truth and lists are written as in JSON, nearly."""
    return json.dumps(value, ensure_ascii=False)
