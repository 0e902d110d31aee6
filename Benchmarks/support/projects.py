"""The real projects that are built, and how each is built."""

import shutil
import subprocess
from pathlib import Path
from typing import NamedTuple

from support import tools

OPTIMISED = "-O2"
JOBS = "-j2"


class Project(NamedTuple):
    name: str
    # Debian's source package.
    package: str
    kind: str
    # Commands, run at the top of the tree. {flags} stands for the compiler flags. No configuration: empty.
    configure: list
    build: list
    programs: list

    def archive(self, directory=tools.SOURCES):
        """The archive in the cache; None when it has not been fetched."""
        found = [path for path in Path(directory).glob(f"{self.package}_*.orig.tar.*") if path.suffix != ".asc"]
        return found[0] if found else None

    def unpack(self, directory):
        """A fresh tree, in place of what is at `directory`."""
        shutil.rmtree(directory, ignore_errors=True)
        directory.mkdir(parents=True)
        subprocess.run(
            [tools.require("tar"), "-xf", self.archive(), "--strip-components=1", "--no-same-owner", "-C", directory],
            check=True)

    def phases(self, flags=OPTIMISED):
        """Name and command of each step of a build."""
        steps = [("configure", self.configure)] if self.configure else []
        return [
            (name, [word.replace("{flags}", flags) for word in command])
            for name, command in [*steps, ("make", self.build)]
        ]


def cmake(name, package, *arguments):
    # Release would add its own -O3; the flags of a debug build are to be the only difference between the two.
    configure = [
        "cmake", "-S", ".", "-B", "build", "-G", "Unix Makefiles", "-DCMAKE_BUILD_TYPE=None",
        "-DCMAKE_C_FLAGS={flags} -DNDEBUG", *arguments]
    return Project(name, package, "CMake", configure, ["cmake", "--build", "build", JOBS], ["cmake", "make", "cc"])


PROJECTS = {
    project.name: project
    for project in [
        Project("lua", "lua5.4", "plain make", [], ["make", JOBS, "-C", "src", "linux", "MYCFLAGS={flags}"],
                ["make", "cc"]),
        Project("popt", "popt", "autotools", ["./configure", "--disable-nls", "CFLAGS={flags}"], ["make", JOBS],
                ["make", "cc"]),
        Project("zlib", "zlib", "own configure", ["env", "CFLAGS={flags}", "./configure"], ["make", JOBS],
                ["make", "cc"]),
        cmake("cjson", "cjson"),
        cmake("libuv", "libuv1"),
    ]
}
# What takes seconds to compile; libuv takes half a minute.
SMALL = ["lua", "popt", "zlib", "cjson"]
