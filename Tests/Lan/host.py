"""One host of the laboratory."""

import contextlib
import copy
import os
import signal
import socket
from pathlib import Path
from typing import NamedTuple

import namespaces
from processes import PATIENCE, Running, attempt, run

NETWORK4, NETWORK6 = "10.77.0", "fd77::"

# The programs that lead into a host, each with the words of the program to come in its own command line. To be told from
# it: while one becomes the next, the command line is empty for a moment.
LEADERS = (b"nsenter", b"setpriv", b"env")


class User(NamedTuple):
    name: str
    number: int

    @property
    def home(self):
        return f"/home/{self.name}"

    @property
    def runtime(self):
        return f"/run/user/{self.number}"


ROOT = User("root", 0)
# Two people at one machine. Within a user namespace there is only root.
ALICE, BOB = User("alice", 4001), User("bob", 4002)

# Runs as the host's first process. Everything that a program may take for the machine's own is private: a memory file
# system for /run, /tmp and the homes, a copy of /etc. What is shown of the outside comes first, as it may lie in /tmp.
# The last line: whose parent ignores the signal need not be waited for, so orphans leave nothing behind.
START = r"""
set -eu
number=$1 homes=$2; shift 2
mount -t proc proc /proc
mount -t tmpfs -o mode=755 tmpfs /run
while [ "$1" != -- ]; do mkdir -p "/run/lab/$1"; mount --bind "$2" "/run/lab/$1"; shift 2; done; shift
if [ -n "$homes" ]; then mount --bind "$homes" /home; else mount -t tmpfs -o mode=755 tmpfs /home; fi
mount -t tmpfs -o mode=1777 tmpfs /tmp
mount -t tmpfs -o mode=1777 tmpfs /dev/shm
mkdir -p /run/etc /run/dbus /run/avahi-daemon /run/lock
# Within a user namespace some of it cannot be read, and there is nobody but root, whatever a daemon would like to be.
cp -rP --preserve=mode /etc/. /run/etc 2>/dev/null || true
if grep -q ' 1$' /proc/self/uid_map; then
  sed -i 's/^\(avahi:[^:]*\):[0-9]*:[0-9]*:/\1:0:0:/' /run/etc/passwd
  sed -i 's/^\(avahi:[^:]*\):[0-9]*:/\1:0:/' /run/etc/group
fi
mount --bind /run/etc /etc; cd /etc
hostname "h$number"; echo "h$number" > hostname
rm -f machine-id resolv.conf hosts
printf '%032x\n' $((0xfab0000 + number)) > machine-id
printf '127.0.0.1 localhost\n::1 localhost\n127.0.1.1 h%s\n' "$number" > hosts
for user; do
  name=${user%:*} id=${user#*:}
  [ "$id" = 0 ] || { echo "$name:x:$id:$id::/home/$name:/bin/sh" >> passwd; echo "$name:x:$id:" >> group; }
  mkdir -p "/home/$name" "/run/user/$id"; chmod 700 "/home/$name" "/run/user/$id"
  chown "$id:$id" "/home/$name" "/run/user/$id"
done
for file in accept_dad router_solicitations; do
  for interface in all default; do echo 0 > "/proc/sys/net/ipv6/conf/$interface/$file"; done
done
ip link set lo up
echo up; exec env --ignore-signal=CHLD sleep inf
"""


class Host(contextlib.AbstractContextManager):
    """`init` is its first process, as seen from here."""

    def __init__(self, lan, number, machine):
        self.lan, self.number, self.machine = lan, number, machine
        self.port = f"port{number}"
        self.users = [ALICE, BOB] if namespaces.has_other_users() else [ROOT]
        self.user = self.users[0]
        # By user.
        self.environment = {}
        self.started = []

    def __enter__(self):
        shown = [str(word) for pair in self.lan.shown.items() for word in pair]
        self.outside = Running([
            "unshare", "--mount", "--uts", "--ipc", "--net", "--pid", "--fork", "--kill-child",
            "sh", "-c", START, "host", str(self.number), str(self.machine.homes or ""), *shown, "--",
            *[f"{user.name}:{user.number}" for user in {ROOT, *self.users}]])
        return self

    def wait_until_up(self):
        self.outside.wait_for("up\n")
        pid = self.outside.process.pid
        self.init = int(Path(f"/proc/{pid}/task/{pid}/children").read_text())

    def __exit__(self, *_):
        # Also those that stopped with a program they had entered the host for, and would otherwise be waited for.
        for running in self.started:
            running.process.kill()
        # The kernel ends all processes of the host with its first, before that is reported as ended.
        with contextlib.suppress(AttributeError, ProcessLookupError):
            os.kill(self.init, signal.SIGKILL)
        if hasattr(self, "init"):
            self.outside.process.wait()
        for running in [self.outside, *self.started]:
            running.stop()

    def sandbox(self):
        """The same machine, its users, files and processes, with another network: a loopback interface only."""
        running = self.spawn(
            ["unshare", "--net", "sh", "-c", "ip link set lo up; echo up; exec sleep inf"], user=ROOT, directory="/")
        running.wait_for("up")
        sandbox = copy.copy(self)
        # The last of the chain of programs that enter the host's namespaces.
        sandbox.init = running.process.pid
        while children := Path(f"/proc/{sandbox.init}/task/{sandbox.init}/children").read_text():
            sandbox.init = int(children)
        return sandbox

    # The network

    @property
    def ipv4(self):
        return f"{NETWORK4}.{self.number}"

    @property
    def ipv6(self):
        return f"{NETWORK6}{self.number:x}"

    @property
    def address(self):
        """The one address that scenarios use."""
        return self.ipv4 if self.machine.ipv4 else self.ipv6

    def configure_network(self):
        lines = [f"link set eth0 address 02:fa:b0:00:00:{self.number:02x}"]
        if not self.machine.ipv6:
            self.as_root(["sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/eth0/disable_ipv6"])
        lines += ["link set eth0 up"]
        lines += [f"addr add {self.ipv4}/24 brd + dev eth0"] if self.machine.ipv4 else []
        lines += [f"addr add {self.ipv6}/64 dev eth0 nodad"] if self.machine.ipv6 else []
        self.as_root(["ip", "-batch", "-"], input="\n".join(lines))

    def unplug(self):
        """Pulls the cable: the host notices that its link is down."""
        self.lan.on_the_wire(["ip", "link", "set", self.port, "down"])

    def plug(self):
        self.lan.on_the_wire(["ip", "link", "set", self.port, "up"])

    def limit(self, mbit):
        """A rate for both directions, in Mbit/s."""
        shaping = ["root", "tbf", "rate", f"{mbit}mbit", "burst", "256kb", "latency", "50ms"]
        self.as_root(["tc", "qdisc", "replace", "dev", "eth0", *shaping])
        self.lan.on_the_wire(["tc", "qdisc", "replace", "dev", self.port, *shaping])

    def firewall(self, rules):
        """Replaces the host's nftables rules. nft wants braces on lines of their own."""
        self.as_root(["nft", "-f", "-"], input="flush ruleset\n" + rules.replace("}", "\n}\n"))

    def sent(self):
        """Bytes that have left the host by its cable."""
        lines = Path(f"/proc/{self.init}/net/dev").read_text().splitlines()
        return next(int(line.split()[9]) for line in lines if line.strip().startswith("eth0:"))

    def inside(self):
        """In this block, sockets of the calling thread belong to this host's network."""
        return namespaces.network_of(self.init)

    def connect(self, address, port, timeout=PATIENCE):
        with self.inside():
            return socket.create_connection((address, port), timeout)

    # Programs

    def command(self, command, user=None, environment=None, directory=None):
        """The command that runs `command` on this host, in a small environment, as its first user."""
        user = user or self.user
        variables = {
            "PATH": "/run/lab/bin:/run/lab/ccache:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
            "HOME": user.home, "USER": user.name, "LANG": "C.UTF-8", "XDG_RUNTIME_DIR": user.runtime,
            **self.environment.get(user, {}), **(environment or {})}
        identity = []
        if user.number != 0:
            number = str(user.number)
            identity = ["--reuid", number, "--regid", number, "--clear-groups"]
        return [
            "nsenter", "--target", str(self.init), "--mount", "--uts", "--ipc", "--net", "--pid",
            "setpriv", "--pdeathsig", "KILL", *identity,
            "env", "--ignore-environment", f"--chdir={directory or user.home}",
            *[f"{name}={value}" for name, value in variables.items() if value is not None], *map(str, command)]

    def run(self, command, patience=PATIENCE, input=None, **settings):
        """Runs a program and returns what it printed; it must succeed."""
        return run(self.command(command, **settings), patience=patience, input=input)

    def attempt(self, command, patience=PATIENCE, input=None, **settings):
        """Runs a program to its end, however that is."""
        return attempt(self.command(command, **settings), patience=patience, input=input)

    def spawn(self, command, **settings):
        """Starts a program, which ends with the host at the latest."""
        running = Running(self.command(command, **settings))
        self.started.append(running)
        return running

    def as_root(self, command, **settings):
        return self.run(command, user=ROOT, directory="/", **settings)

    def processes(self, *words, user=None):
        """Process ids, as seen from here, of the programs whose command line holds all the words."""
        namespace = os.readlink(f"/proc/{self.init}/ns/pid")
        found = []
        for name in os.listdir("/proc"):
            if not name.isdigit():
                continue
            with contextlib.suppress(OSError):
                if os.readlink(f"/proc/{name}/ns/pid") != namespace:
                    continue
                line = Path(f"/proc/{name}/cmdline").read_bytes().split(b"\0")
                if line[0] in LEADERS:
                    continue
                if user is not None and os.stat(f"/proc/{name}").st_uid != user.number:
                    continue
                if all(any(word.encode() in part for part in line) for word in words):
                    found.append(int(name))
        return found

    def signal(self, number, *words):
        """Sends a signal to the programs whose command line holds all the words."""
        for process in self.processes(*words):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, number)

    # Files

    def path(self, path):
        """A file of the host, as seen from here. Symbolic links in it would lead astray."""
        return Path(f"/proc/{self.init}/root{path}")

    def write(self, path, text, user=None, mode=0o644):
        """Writes a file as the user."""
        user = user or self.user
        target = self.path(path)
        missing = [parent for parent in target.parents if not parent.exists()]
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        for made in [target, *missing]:
            os.chown(made, user.number, user.number)
        target.chmod(mode)
