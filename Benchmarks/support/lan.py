"""Hosts to measure between: the laboratory of Tests/Lan."""

import contextlib
import itertools
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from support import measure, options, report, tools

sys.path.append(str(tools.REPOSITORY / "Tests" / "Lan"))

import namespaces  # noqa: E402
from fabrik import SHOWN, object_path  # noqa: E402
from lan import CONTAINER, Lan, Link  # noqa: E402
from processes import eventually  # noqa: E402

# Numbers of what was put away.
AWAY = itertools.count()
# Bytes; what is not written takes no room.
IMAGE_SIZE = 16 << 30
HOMES = tools.REPOSITORY / ".build" / "lan-homes"


def require():
    """Goes on as root, if only within a user namespace: then the program begins anew."""
    for program in ("iperf3", "ip", "tc", "setpriv", "unshare", "nsenter"):
        tools.require(program)
    try:
        namespaces.enter_or_become_root()
    except namespaces.Forbidden as reason:
        raise tools.Unavailable(f"peers are measured between network namespaces: {reason}")


@contextlib.contextmanager
def homes():
    """A function that makes a directory for a host's homes: on ext4, as a user's are, and on one that is new: for some
    minutes ext4 does not use a removed file's inode again, and looks at all of those for each new file, so that what
    was done before would show. What a killed benchmark left behind is removed first."""
    HOMES.mkdir(parents=True, exist_ok=True)
    for path in HOMES.iterdir():
        if not Path("/proc", path.stem).exists():
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    top = HOMES / str(os.getpid())
    top.mkdir()
    image = top.with_suffix(".ext4")
    with open(image, "wb") as file:
        file.truncate(IMAGE_SIZE)
    # Mounts of this process end with it, however that is.
    mounted = namespaces.has_other_users() and namespaces.keep_mounts_private() and all(
        subprocess.run(command, capture_output=True).returncode == 0
        for command in (["mkfs.ext4", "-q", image], ["mount", "-o", "loop", image, top]))
    if not mounted:
        tools.progress("no file system of its own can be mounted: what was done on this disk before shows in the figures")

    def make(number):
        (top / str(number)).mkdir()
        return top / str(number)

    try:
        yield make
    finally:
        if mounted:
            subprocess.run(["umount", "--lazy", top])
        shutil.rmtree(top)
        image.unlink()


@contextlib.contextmanager
def hosts(count, link=Link()):
    """Hosts without Avahi or D-Bus, whose homes are on the disk."""
    with homes() as make:
        machines = [CONTAINER._replace(homes=make(number)) for number in range(count)]
        with Lan(machines, link, SHOWN) as lan:
            yield lan.hosts


def run(name, description, measurements):
    """The main function of a benchmark between hosts: measures what is wanted, and prints one table."""

    def main():
        parser = options.parser(description.split("\n")[0])
        parser.add_argument(
            "--only", action="append", choices=measurements, metavar="NAME", help=", ".join(measurements))
        settings = parser.parse_args()
        require()
        rows = []
        for wanted in settings.only or measurements:
            tools.progress(f"{name}: {wanted}")
            rows += measurements[wanted](settings.quick)
        print(report.table(rows))
        print()
        print(f"{report.machine([tools.CCache(SHOWN['ccache'] / 'ccache')])}, load {os.getloadavg()[0]:.1f} after")

    tools.guarded(main)


def forget_builds(fabrik):
    """Empties the user's store and ccache's own cache."""
    for directory in ("fabrik/v1/entries", "fabrik/v1/blobs", "ccache"):
        put_away(fabrik, f"{fabrik.user.home}/.cache/{directory}")
    # The removal of an entry lets the server forget what it holds in memory.
    with fabrik.front_end() as front_end:
        front_end.put("to be removed", b"x")
        front_end.request("DELETE", "to be removed")


def put_away(fabrik, directory):
    """Takes a directory out of the way without removing its files; see `homes`."""
    name = f"{fabrik.user.home}/away/{next(AWAY)}"
    fabrik.host.run(
        ["sh", "-c", f"mkdir -p {fabrik.user.home}/away; [ ! -e {directory} ] || mv {directory} {name}"],
        user=fabrik.user)


class RawFrontEnd:
    """One connection to a server's HTTP front end, with as little work on this side as Python allows."""

    def __init__(self, fabrik, connection=None):
        port, token = eventually(fabrik.endpoint, "the front end")
        self.socket = connection or fabrik.host.connect("127.0.0.1", port)
        self.tail = f" HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nAuthorization: Bearer {token}\r\n\r\n".encode()

    def get(self, name):
        """Bytes of the answer's body and the seconds until its last one; None for a miss."""
        request = b"GET " + object_path(name).encode() + self.tail
        begin = time.perf_counter()
        self.socket.sendall(request)
        answer = self.socket.recv(1 << 20)
        while (end := answer.find(b"\r\n\r\n")) < 0:
            answer += self.socket.recv(1 << 20)
        head = answer[:end].lower()
        length = int(head.split(b"content-length:")[1].split(b"\r\n")[0])
        missing = length - (len(answer) - end - 4)
        while missing > 0:
            received = len(self.socket.recv(min(missing, 1 << 20)))
            if received == 0:
                raise RuntimeError(f"{name} broke off")
            missing -= received
        seconds = time.perf_counter() - begin
        return (length, seconds) if head.startswith(b"http/1.1 200") else (None, seconds)


def shown(values, unit=1000, text="{:.2f} ms", percent=95):
    """Median and another percentile: of times the 95th, of rates the 5th."""
    values = sorted(values)
    other = values[round(percent / 100 * (len(values) - 1))]
    return f"p50 {text.format(measure.median(values) * unit)}, p{percent} {text.format(other * unit)}"
