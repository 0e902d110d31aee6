"""A local network on one machine: hosts in namespaces of their own, joined by a bridge or by a switch that delays.

    with Lan([Machine(), Machine(avahi=False)], Link(delay=0.0005, rate=1000)) as lan:
        lan.hosts[0].run(["ping", "-c1", lan.hosts[1].ipv4])

The wire has a network namespace, too: nothing of the machine's own network is seen or touched, and two laboratories
never meet. Namespaces end with their last process, and all processes end with the laboratory's, so nothing is left
behind however that ends.
"""

import contextlib
import os
from pathlib import Path
from typing import NamedTuple

import daemons
from host import Host
from processes import Running, run

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
TOOLS = REPOSITORY / ".build" / "tools"


class Link(NamedTuple):
    """What lies between any two hosts. With all zero it is a bridge, else the switch."""

    # One way, seconds.
    delay: float = 0
    # Mbit/s, of each port.
    rate: float = 0
    # Percent of the frames.
    loss: float = 0

    @property
    def is_plain(self):
        return self == Link()


class Machine(NamedTuple):
    """What a host is like."""

    ipv4: bool = True
    # Link-local and one unique local address.
    ipv6: bool = True
    # A system bus, and a session bus for its user.
    dbus: bool = True
    # avahi-daemon; needs the system bus.
    avahi: bool = True
    # Lines for the section [server] of avahi-daemon.conf.
    avahi_settings: str = ""
    # A directory for the homes; none: in memory.
    homes: Path | None = None
    # Seconds that what it sends and gets takes longer, one way; only with a link that is not plain.
    delay: float = 0


CONTAINER = Machine(dbus=False, avahi=False)


class Lan(contextlib.AbstractContextManager):
    """`shown` are directories of this machine that all hosts see read-only, as /run/lab/NAME; their other files in
    /tmp and /run are their own."""

    def __init__(self, machines, link=Link(), shown=None):
        self.machines, self.link, self.shown = machines, link, dict(shown or {})
        self.hosts = []

    def __enter__(self):
        with contextlib.ExitStack() as stack:
            self.wire = stack.enter_context(ended(Running(["unshare", "--net", "sh", "-c", "echo up; exec sleep inf"])))
            self.wire.wait_for("up")
            for number, machine in enumerate(self.machines, 1):
                self.hosts.append(stack.enter_context(Host(self, number, machine)))
            for host in self.hosts:
                host.wait_until_up()
            self.connect(stack)
            for host in self.hosts:
                daemons.start(host)
            for host in self.hosts:
                daemons.wait_until_up(host)
            self.stack = stack.pop_all()
        return self

    def __exit__(self, *details):
        return self.stack.__exit__(*details)

    def connect(self, stack):
        """Plugs the hosts' cables in."""
        if self.link.is_plain:
            lines = ["link add name lan type bridge stp_state 0 forward_delay 0 mcast_snooping 0", "link set lan up"]
        else:
            lines = []
        for host in self.hosts:
            lines += [f"link add name {host.port} type veth peer name eth0 netns {host.init}"]
            lines += [f"link set {host.port} master lan"] if self.link.is_plain else []
            lines += [f"link set {host.port} up"]
        self.on_the_wire(["sh", "-c", "echo 1 > /proc/sys/net/ipv6/conf/default/disable_ipv6"])
        self.on_the_wire(["ip", "-batch", "-"], input="\n".join(lines))
        for host in self.hosts:
            host.configure_network()
        if not self.link.is_plain:
            self.start_switch(stack)

    def start_switch(self, stack):
        switch = Running([
            *self.wire_command, str(built_switch()), str(round(self.link.delay * 1e6)), str(self.link.rate),
            str(self.link.loss), *[f"{host.port}={round(host.machine.delay * 1e6)}" for host in self.hosts]])
        stack.enter_context(ended(switch))
        switch.wait_for("ready")

    @property
    def wire_command(self):
        return ["nsenter", "--target", str(self.wire.process.pid), "--net"]

    def on_the_wire(self, command, **settings):
        return run([*self.wire_command, *command], **settings)


def built_switch():
    """The program, compiled anew when its source is newer."""
    source, program = HERE / "switch.c", TOOLS / "lan-switch"
    if not program.exists() or program.stat().st_mtime < source.stat().st_mtime:
        TOOLS.mkdir(parents=True, exist_ok=True)
        new = program.with_suffix(f".{os.getpid()}")
        run(["cc", "-O2", "-Wall", "-Wextra", "-Werror", "-o", new, source])
        new.rename(program)
    return program


@contextlib.contextmanager
def ended(running):
    """Ends a program when the block ends."""
    try:
        yield running
    finally:
        running.stop()
