"""Fabrik, as one user of a host has it."""

import contextlib
import glob
import hashlib
import http.client
import json
import os
import re
import signal
from pathlib import Path

from lan import REPOSITORY, TOOLS
from processes import PATIENCE, Failure, attempt, eventually, is_running

RELEASE = Path(os.environ.get("FABRIK_TEST_BINARIES", REPOSITORY / ".build" / "release"))
# What hosts see of this machine.
SHOWN = {"fabrik": RELEASE, "ccache": TOOLS / "ccache"}
PROGRAM = "/run/lab/fabrik/fabrik"

SECRET = "rT2-bV9xKq0LmZ7wEo4YcHsNd8uJf1GiA6PkXyQvB3M"
OTHER_SECRET = "k7Nw_Zc5oRb1MvQ9tYp3XsLd2GhJf8EuTi4KaWx6CeU"

# Runs in place of fabrik-server, which is dynamically linked; the launcher passes no environment on. Only the time of
# day is shifted. The second `env` is there because the library moves the environment when it is loaded first, and Swift
# finds a program's arguments beside the environment.
SKEWED_SERVER = """#!/bin/sh
exec env LD_PRELOAD={library} FAKETIME={shift:+d}s FAKETIME_DONT_FAKE_MONOTONIC=1 NO_FAKE_STAT=1 \\
  env "$(dirname "$0")/libexec/fabrik-server" "$@"
"""


class Fabrik:
    """`settings` are those of [p2p]; what says nothing of consent lets everybody fetch. The configuration is the file
    that a project has, and all commands run in its directory or below."""

    def __init__(self, host, user=None, secret=SECRET, configured=True, **settings):
        self.host, self.user = host, user or host.user
        # What the others call it.
        self.name = settings.get("name", f"h{host.number}")
        self.top = f"{self.user.home}/project"
        self.program = PROGRAM
        self.environment = {"FABRIK_SECRET": secret}
        host.run(["mkdir", "-p", self.top], user=self.user)
        if configured:
            self.configure(**{"consent": "always-allow", **settings})

    def configure(self, **settings):
        """Writes .fabrik.toml; a server that runs keeps its settings."""
        lines = [f"{name} = {json.dumps(value)}" for name, value in settings.items()]
        self.host.write(
            f"{self.top}/.fabrik.toml",
            "\n".join(["[p2p]", "enabled = true", 'secret = "${FABRIK_SECRET}"', *lines, ""]), user=self.user)

    def with_clock_shifted(self, seconds):
        """From here on, this user's server sees another time of day than all others."""
        (library,) = glob.glob("/usr/lib/*/faketime/libfaketime.so.1")
        directory = f"{self.user.home}/bin"
        source = os.path.dirname(self.program)
        self.host.run(["sh", "-ec", f"mkdir -p {directory}/libexec; cp {source}/fabrik {directory};"
                       f"cp {source}/fabrik-server {directory}/libexec"], user=self.user)
        self.host.write(f"{directory}/fabrik-server", SKEWED_SERVER.format(library=library, shift=seconds),
                        user=self.user, mode=0o755)
        self.program = f"{directory}/fabrik"
        return self

    # Commands

    def command(self, *words, directory=None):
        return self.host.command(
            [self.program, *words], user=self.user, environment=self.environment, directory=directory or self.top)

    def attempt(self, *words, directory=None, **settings):
        return attempt(self.command(*words, directory=directory), **settings)

    def run(self, *words, **settings):
        outcome = self.attempt(*words, **settings)
        if outcome.status != 0:
            raise Failure(f"fabrik {' '.join(words)}: status {outcome.status}\n{outcome.output}{outcome.errors}"
                          f"{self.log()}")
        return outcome.output

    def json(self, *words):
        return json.loads(self.run(*words, "--json"))

    def build(self, command, *flags, directory=None, patience=PATIENCE):
        """One `fabrik exec`, which must succeed."""
        statistics = f"{self.user.home}/statistics.json"
        outcome = self.attempt(
            "exec", "--stats", "json", "--stats-file", statistics, *flags, "--", *map(str, command),
            directory=directory, patience=patience)
        if outcome.status != 0:
            raise Failure(f"the build failed: {outcome.status}\n{outcome.output}{outcome.errors}{self.log()}")
        return Build(outcome, json.loads(self.host.path(statistics).read_text()))

    # The server

    def start(self):
        """Starts the daemon, and waits until its front end answers."""
        self.run("daemon", "start")
        eventually(self.endpoint, "the front end")
        return self

    def stop(self):
        servers = self.servers()
        self.run("daemon", "stop")
        self.await_end(servers)

    def await_end(self, servers):
        eventually(lambda: not any(map(is_running, servers)), "the server's end")

    def restart(self):
        self.run("daemon", "restart")

    def servers(self):
        """Process ids as seen from here. A wrapper is replaced by the server at once."""
        return self.host.processes("fabrik-server", "--instance", user=self.user)

    @property
    def server(self):
        (process,) = self.servers()
        return process

    def signal(self, number):
        """The processes that it was sent to."""
        processes = self.servers()
        for process in processes:
            # It may have ended by itself.
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, number)
        return processes

    def kill(self):
        # A build that runs has another one started in its place.
        self.await_end(self.signal(signal.SIGKILL))

    def instance(self):
        """The running server's directory on the host."""
        words = Path(f"/proc/{self.server}/cmdline").read_bytes().split(b"\0")
        return os.fsdecode(words[words.index(b"--instance") + 1])

    def endpoint(self):
        """Port and token of the front end; None when there is none."""
        with contextlib.suppress(OSError, ValueError):
            port, token = self.host.path(f"{self.instance()}/http").read_text().split()
            return int(port), token

    def log(self):
        with contextlib.suppress(OSError, ValueError):
            return f"\nserver.log of {self.host.port}:\n" + self.host.path(f"{self.instance()}/server.log").read_text()
        return ""

    def memory(self):
        """The server's resident size at its largest, in MiB."""
        status = Path(f"/proc/{self.server}/status").read_text()
        return int(re.search(r"VmHWM:\s*(\d+)", status).group(1)) / 1024

    # Objects

    @contextlib.contextmanager
    def front_end(self):
        """A connection to the HTTP front end, which stays open."""
        port, token = eventually(self.endpoint, "the front end")
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=PATIENCE)
        connection.sock = self.host.connect("127.0.0.1", port)
        with contextlib.closing(connection):
            yield FrontEnd(connection, token)

    def put(self, name, body):
        with self.front_end() as front_end:
            front_end.put(name, body)

    def get(self, name):
        """The object's bytes; None: a miss."""
        with self.front_end() as front_end:
            return front_end.get(name)

    def eventually_gets(self, name, body, patience=PATIENCE):
        eventually(lambda: self.get(name) == body, f"a hit for {name} on {self.host.port}{self.log()}", patience)

    # Peers

    def peers(self):
        """What `fabrik p2p list` shows, by name."""
        return {peer["name"]: peer for peer in self.json("p2p", "list")["peers"]}

    def pending(self):
        """Who waits for an answer, by name."""
        return {peer["name"]: peer for peer in self.json("p2p", "pending")["peers"]}

    def eventually_reaches(self, other, entries=0):
        """Waits until there is a channel to the other, and the other has told that it holds so many entries."""
        def is_reached():
            peer = self.peers().get(other.name, {})
            return peer.get("connected") and peer["entries"] >= entries

        eventually(is_reached, f"{other.name} with {entries} entries among the peers of {self.name}")

    def port(self):
        """Where the server listens for peers."""
        return self.json("p2p", "status")["port"]


class Build:
    def __init__(self, outcome, statistics):
        self.outcome, self.statistics = outcome, statistics

    @property
    def lookups(self):
        return self.statistics["lookups"]

    @property
    def peer_hits(self):
        return self.statistics["hits"]["peers"]

    @property
    def hits(self):
        return sum(self.statistics["hits"].values())


class FrontEnd:
    """One connection to a server's HTTP front end."""

    def __init__(self, connection, token):
        self.connection = connection
        self.headers = {"Authorization": f"Bearer {token}"}

    def request(self, method, name, body=None):
        self.connection.request(method, object_path(name), body=body, headers=self.headers)
        answer = self.connection.getresponse()
        return answer.status, answer.read()

    def put(self, name, body):
        status, text = self.request("PUT", name, body)
        if status >= 300:
            raise Failure(f"PUT {name}: {status} {text}")

    def get(self, name):
        status, body = self.request("GET", name)
        return body if status == 200 else None


def object_path(name):
    """The path of a made-up object, in the layout ccache uses: 40 digits, and the first 24 once more."""
    key = hashlib.sha1(name.encode()).hexdigest()
    return f"/ccache/ac/{key}{key[:24]}"
