"""What a full store costs at the start: a store of a million entries against an empty one.

Measured is the time from the start of `fabrik exec`, with no server running, to the answer to one lookup that hits, by
HTTP. Medians of interleaved runs. The million entries are links to copies of one real entry under random names; nothing
but their number can matter to opening. The file system's own caches are warm for both.
"""

import contextlib
import os
import secrets
import shutil
import signal
import socket
import struct
import time

from support import measure, options, tools
from support.report import Row, milliseconds
from support.sandbox import PATIENCE, Sandbox, object_path

ENTRIES, QUICK_ENTRIES = 1_000_000, 100_000
REPETITIONS, QUICK_REPETITIONS = 60, 15
# A file has at most 65 000 names on ext4.
LINKS_PER_FILE = 60_000
BLOCK = 4096
BODY = b"x" * 1000
AIM = "about 1"


class Store:
    """A store with one entry that can be looked up."""

    def __init__(self, sandbox, name):
        self.sandbox = sandbox
        self.directory = sandbox.root / name
        self.environment = sandbox.environment(FABRIK_CACHE_DIR=self.directory)
        with sandbox.held_server(self.environment) as server:
            status, _ = server.request("PUT", object_path(1), BODY)
            if status >= 300:
                raise RuntimeError(f"PUT: status {status}")
            self.instance, self.port, self.token = server.instance, server.port, server.token

    def fill(self, count):
        """Adds entries, and makes the store's counters (bytes and entries, the first two numbers) say so."""
        entries = self.directory / "v1" / "entries"
        (original,) = [path for path in entries.rglob("*") if path.is_file()]
        content = original.read_bytes()
        shards = [str(entries / f"{number:02x}") for number in range(256)]
        for shard in shards:
            os.makedirs(shard, exist_ok=True)
        for number in range(count):
            name = secrets.token_hex(16)
            path = f"{shards[int(name[:2], 16)]}/{name}"
            if number % LINKS_PER_FILE == 0:
                with open(path, "wb") as file:
                    file.write(content)
                source = path
            else:
                os.link(source, path)
        with open(self.directory / "v1" / "usage", "r+b") as file:
            size, entry_count = struct.unpack("=qq", file.read(16))
            file.seek(0)
            file.write(struct.pack("=qq", size + count * BLOCK, entry_count + count))

    def time_to_first_answer(self):
        command = [tools.fabrik(), "exec", "-q", "--linger", "0", "--", shutil.which("sleep"), str(PATIENCE)]
        begin = time.perf_counter()
        launcher = os.posix_spawn(command[0], command, self.environment)
        try:
            self.lookup(begin + PATIENCE)
            return time.perf_counter() - begin
        finally:
            os.kill(launcher, signal.SIGTERM)
            os.waitpid(launcher, 0)
            self.sandbox.wait_until_no_server()

    def lookup(self, deadline):
        """Asks until somebody listens; a server keeps the port and the token of the one before."""
        while time.perf_counter() < deadline:
            with contextlib.suppress(ConnectionError), socket.create_connection(("127.0.0.1", self.port)) as connection:
                connection.sendall(self.question)
                answer = b""
                while piece := connection.recv(1 << 16):
                    answer += piece
                if not (answer.startswith(b"HTTP/1.1 200") and answer.endswith(BODY)):
                    raise RuntimeError(f"the entry is not there: {answer[:100]}")
                return
            # Not at once: the launcher wants the processor, too.
            time.sleep(0.0001)
        raise RuntimeError("the server does not answer")

    @property
    def question(self):
        return (
            f"GET {object_path(1)} HTTP/1.1\r\nHost: 127.0.0.1:{self.port}\r\nConnection: close\r\n"
            f"Authorization: Bearer {self.token}\r\n\r\n").encode()


def run(settings):
    count = QUICK_ENTRIES if settings.quick else ENTRIES
    with Sandbox() as sandbox:
        empty, full = Store(sandbox, "empty"), Store(sandbox, "full")
        begin = time.monotonic()
        full.fill(count)
        tools.progress(f"store: made {count:,} entries in {time.monotonic() - begin:.0f} s")
        results = measure.interleave(
            QUICK_REPETITIONS if settings.quick else REPETITIONS, empty.time_to_first_answer,
            full.time_to_first_answer)
        base, large = map(measure.median, results)
        return [Row(
            f"start to first answer, {count:,} entries", milliseconds(large), f"{milliseconds(base)} with one entry",
            f"{large / base:.2f}", AIM)]


if __name__ == "__main__":
    options.run_alone(run, __doc__.split("\n")[0])
