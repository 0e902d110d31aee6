"""What the scenarios share with those between hosts, and where things are."""

import contextlib
import random
import socket
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
TOOLS = REPOSITORY / ".build" / "tools"
# What is there first wins: this directory, then the hosts' laboratory, then the Python packages that were unpacked.
sys.path += [str(HERE.parent / "Lan"), str(TOOLS / "python")]

ADDRESS = "127.0.0.1"


# Below those that the kernel gives to connections, one of which could come between.
PORTS = range(10000, 32768)
GIVEN = set()


def free_port():
    """A port nobody listens on, and that this was not asked for before."""
    while True:
        port = random.choice(PORTS)
        with socket.socket() as listener, contextlib.suppress(OSError):
            listener.bind((ADDRESS, port))
            if port not in GIVEN:
                GIVEN.add(port)
                return port


def accepts(port):
    """Whether somebody listens there."""
    with socket.socket() as connection:
        return connection.connect_ex((ADDRESS, port)) == 0
