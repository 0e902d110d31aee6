"""C projects to build."""

import hashlib
import sys

from lan import REPOSITORY

MAKEFILE = """OBJECTS = $(patsubst %.c,%.o,$(wildcard *.c))
program: $(OBJECTS)
\t$(CC) -o $@ $^
%.o: %.c common.h
\t$(CC) -O1 -c -o $@ $<
"""

SOURCE = """#include <stdio.h>
#include <stdlib.h>
#include "common.h"
static const char text[] = "{text}";
int function_{number}(int argument) {{
  int sum = {number} + (int)sizeof text;
  for (int i = 0; i < argument; i++) sum = MIX(sum, text[i % sizeof text]);
  return sum;
}}
"""


class Project:
    """A made-up program of small files. What has another seed has nothing in common."""

    def __init__(self, seed, files=8):
        self.files = {"Makefile": MAKEFILE, "common.h": f"/* {seed} */\n#define MIX(a, b) ((a) * 31 + (b))\n"}
        names = range(files)
        for number in names:
            text = hashlib.sha256(f"{seed} {number}".encode()).hexdigest()
            self.files[f"file{number}.c"] = SOURCE.format(number=number, text=text)
        calls = " + ".join(f"function_{number}({number})" for number in names)
        declarations = "".join(f"int function_{number}(int);\n" for number in names)
        self.files["main.c"] = (
            f'#include <stdio.h>\n{declarations}int main(void) {{ printf("{seed} %d\\n", {calls}); }}\n')
        self.command = ["make", "-j2"]

    def unpack(self, fabrik, name):
        """A fresh tree in the user's project; returns its path on the host."""
        directory = f"{fabrik.top}/{name}"
        fabrik.host.run(["rm", "-rf", directory], user=fabrik.user)
        for file, text in self.files.items():
            fabrik.host.write(f"{directory}/{file}", text, user=fabrik.user)
        return directory

    def build(self, fabrik, name, *flags, command=None):
        return fabrik.build(command or self.command, *flags, directory=self.unpack(fabrik, name))


class DebianProject:
    """The source of a real program, as Debian has it."""

    def __init__(self, name):
        sys.path.append(str(REPOSITORY / "Benchmarks"))
        from fetch_sources import fetch
        from support.projects import PROJECTS

        self.project = PROJECTS[name]
        fetch([self.project])

    def unpack(self, fabrik, name):
        directory = f"{fabrik.top}/{name}"
        fabrik.host.run(["rm", "-rf", directory], user=fabrik.user)
        fabrik.host.path(directory).mkdir()
        self.project.unpack(fabrik.host.path(directory))
        fabrik.host.as_root(["chown", "-R", f"{fabrik.user.number}:{fabrik.user.number}", directory])
        return directory

    def build(self, fabrik, name, *flags):
        directory = self.unpack(fabrik, name)
        builds = [fabrik.build(command, *flags, directory=directory) for _, command in self.project.phases()]
        return builds[-1]


def objects(fabrik, name):
    """Digests of the object files of a tree, by their paths in it."""
    top = fabrik.host.path(f"{fabrik.top}/{name}")
    return {str(path.relative_to(top)): hashlib.sha256(path.read_bytes()).hexdigest() for path in top.rglob("*.o")}
