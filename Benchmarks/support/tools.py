"""Finding the programs a benchmark needs, and saying what to install when one is missing."""

import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent.parent
SOURCES = REPOSITORY / ".build" / "sources"

# Debian's package of a program where it is not called the same.
PACKAGES = {"apt-get": "apt", "tar": "tar", "cc": "gcc", "nginx": "nginx-light"}


class Unavailable(Exception):
    """Something this machine lacks; the text says what, and what to do about it."""


def progress(text):
    print(text, file=sys.stderr, flush=True)


def require(name):
    """The path of a program."""
    search = os.environ.get("PATH", os.defpath) + ":/usr/sbin:/sbin"
    path = shutil.which(name, path=search)
    if path is None:
        raise Unavailable(f"{name} is not installed; try: apt install {PACKAGES.get(name, name)}")
    return path


def fabrik():
    """The program under test: $FABRIK_BENCH_PROGRAM, else the release build of this repository."""
    path = Path(os.environ.get("FABRIK_BENCH_PROGRAM", REPOSITORY / ".build" / "release" / "fabrik")).absolute()
    for program in (path, path.with_name("fabrik-server")):
        if not os.access(program, os.X_OK):
            raise Unavailable(f"{program} is missing; run 'make build', or set FABRIK_BENCH_PROGRAM to the fabrik program")
    return str(path)


class CCache:
    """One installed ccache."""

    def __init__(self, path):
        self.path = os.path.realpath(path)
        text = subprocess.run([self.path, "--version"], capture_output=True, text=True, check=True).stdout
        self.version = text.split("\n")[0].split()[-1]
        features = next((line.split()[1:] for line in text.split("\n") if line.startswith("Features:")), [])
        self.protocol = "crsh" if "crsh-storage" in features else "HTTP"

    @property
    def directory(self):
        return os.path.dirname(self.path)

    @property
    def label(self):
        return f"ccache {self.version} over {self.protocol}"


def ccaches(directories):
    """The ccache on the PATH and those in `directories` ($FABRIK_BENCH_CCACHE when there are none), each once."""
    directories = directories or [part for part in os.environ.get("FABRIK_BENCH_CCACHE", "").split(":") if part]
    candidates = [require("ccache")] + [os.path.join(directory, "ccache") for directory in directories]
    for path in candidates:
        if not os.access(path, os.X_OK):
            raise Unavailable(f"{path} is missing; --ccache takes a directory that holds a ccache program")
    found = {}
    for path in candidates:
        found.setdefault(os.path.realpath(path), CCache(path))
    return list(found.values())


def guarded(main):
    """Runs a script's main function; what is unavailable becomes one line and exit status 2. A script that is told to
    end removes its sandbox first."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    try:
        sys.exit(main())
    except Unavailable as error:
        progress(f"{Path(sys.argv[0]).name}: {error}")
        sys.exit(2)
