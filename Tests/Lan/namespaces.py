"""Entering namespaces, and whether this machine allows any."""

import contextlib
import ctypes
import os
import subprocess
import sys

CLONE_NEWNS = 0x00020000
CLONE_NEWNET = 0x40000000
LIBC = ctypes.CDLL(None, use_errno=True)

# All processes of the laboratory end with whoever started them, even when that is killed.
WITH_PARENT = ["setpriv", "--pdeathsig", "KILL"]


class Forbidden(Exception):
    """This machine or this user may not make namespaces."""


def enter_or_become_root():
    """Goes on as root: really, or else within a user namespace, where the program begins anew. There no other users
    are, so whatever needs two of them is skipped."""
    if os.geteuid() != 0:
        # Into the network of its own, unlike the machine's, this program may come back.
        wrapper = ["unshare", "--user", "--map-root-user", "--net"]
        if subprocess.run([*wrapper, "true"], capture_output=True).returncode != 0:
            raise Forbidden("it needs root, or a kernel that allows user namespaces")
        os.environ["FABRIK_LAN_ONE_USER"] = "1"
        os.execvp(wrapper[0], [*wrapper, sys.executable, *sys.orig_argv[1:]])
    attempt = subprocess.run(
        ["unshare", "--mount", "--uts", "--ipc", "--net", "--pid", "--fork", "--kill-child", "mount", "-t", "proc",
         "proc", "/proc"], capture_output=True, text=True)
    if attempt.returncode != 0:
        raise Forbidden(f"this kernel forbids namespaces: {attempt.stderr.strip()}")


def has_other_users():
    return "FABRIK_LAN_ONE_USER" not in os.environ


def keep_mounts_private():
    """What is mounted from now on is seen by this process and its children only; false when that is forbidden."""
    return (LIBC.unshare(CLONE_NEWNS) == 0
            and subprocess.run(["mount", "--make-rprivate", "/"], capture_output=True).returncode == 0)


@contextlib.contextmanager
def network_of(process):
    """In this block, sockets of the calling thread are made in the network of `process`, and stay there."""
    with open("/proc/thread-self/ns/net", "rb") as own, open(f"/proc/{process}/ns/net", "rb") as other:
        _enter(other)
        try:
            yield
        finally:
            _enter(own)


def _enter(file):
    if LIBC.setns(file.fileno(), CLONE_NEWNET) != 0:
        raise OSError(ctypes.get_errno(), "setns")
