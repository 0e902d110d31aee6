"""Builds real projects, plainly and through Fabrik, and checks that Fabrik changes nothing and hits.

For each project and each ccache, on fresh trees:
  plain   without Fabrik;
  first   with Fabrik and an empty store, at the same path: same exit status, and the same objects as the plain build;
  second  with Fabrik in another directory: at least 99 % of the lookups of the make phase hit, and the same objects as
          the first build.
Objects are *.o and *.a, compared byte by byte. One difference from the plain build is known and shown, but does not
fail: where a build names its sources by absolute paths, as CMake does, ccache's base_dir makes them relative, and with
them __FILE__. Whether that is all is checked by a further build without base_dir, which must be the same as the plain
one. A configure script's probes have names with process ids in them, so its
hits are shown but not checked. Then the second build's hits with -g, with and without CCACHE_NOHASHDIR: for
information, because a debug build's objects hold their directory. Exits with 1 when a check fails.
"""

import hashlib
import json
import os
import subprocess

from fetch_sources import fetch
from support import options, tools
from support.projects import OPTIMISED, PROJECTS, SMALL
from support.sandbox import Sandbox

LEAST_HIT_RATE = 0.99
DEBUG = "-O2 -g"


class Build:
    """One build of a fresh tree: its statuses, its objects, and per phase hits and lookups."""

    def __init__(self, project, directory, environment, flags, through_fabrik):
        project.unpack(directory)
        self.statuses, self.counts = [], {}
        self.log = directory.with_suffix(".log")
        with open(self.log, "wb") as log:
            for name, command in project.phases(flags):
                file = directory.with_suffix(".json")
                if through_fabrik:
                    command = [tools.fabrik(), "exec", "--stats", "none", "--stats-file", file, "--", *command]
                self.statuses.append(
                    subprocess.run(command, cwd=directory, env=environment, stdout=log, stderr=log,
                                   stdin=subprocess.DEVNULL).returncode)
                if through_fabrik:
                    report = json.loads(file.read_text())
                    self.counts[name] = (sum(report["hits"].values()), report["lookups"])
        self.objects = {
            str(path.relative_to(directory)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in directory.rglob("*.[ao]") if path.is_file()
        }

    def differing(self, other):
        """Names of the objects that are not the same in both, or not in both."""
        names = self.objects.keys() | other.objects.keys()
        return sorted(name for name in names if self.objects.get(name) != other.objects.get(name))

    def rate(self, phase):
        hits, lookups = self.counts[phase]
        return hits / lookups if lookups else 0

    def shown(self, phase):
        if phase not in self.counts:
            return "–"
        hits, lookups = self.counts[phase]
        return f"{hits}/{lookups} ({self.rate(phase):.1%})"


class Check:
    """All builds of one project with one ccache."""

    def __init__(self, project, ccache):
        self.project, self.ccache = project, ccache
        self.failures = []

    def run(self):
        with Sandbox() as sandbox:
            here, there = sandbox.work / "here" / "tree", sandbox.work / "there" / "copy-of-tree"
            environment = sandbox.environment(self.ccache)
            plain = Build(self.project, here, environment, OPTIMISED, through_fabrik=False)
            first = Build(self.project, here, environment, OPTIMISED, through_fabrik=True)
            second = Build(self.project, there, environment, OPTIMISED, through_fabrik=True)
            self.compare(plain, first, second)
            same = f"{len(plain.objects) - len(plain.differing(first))}/{len(plain.objects)}"
            if plain.differing(first):
                same += f", {self.without_base_dir(sandbox, here, plain)} without base_dir"
            rates = [self.debug_rate(sandbox, here, there, name) for name in ("plain", "nohashdir")]
        return [
            self.project.name, self.project.kind, self.ccache.label, same,
            first.shown("make"), second.shown("configure"), second.shown("make"), *rates,
            "; ".join(self.failures) or "ok"]

    def compare(self, plain, first, second):
        if any(plain.statuses):
            self.failures.append(f"the plain build failed: {plain.statuses}")
        for name, build in (("first", first), ("second", second)):
            if build.statuses != plain.statuses:
                self.failures.append(f"{name} build: statuses {build.statuses}, plain {plain.statuses}")
        if different := first.differing(second):
            self.failures.append(f"first and second: {listed(different)} differ")
        if not plain.objects:
            self.failures.append("no objects were made")
        if second.rate("make") < LEAST_HIT_RATE:
            self.failures.append(f"hits of the second build {second.rate('make'):.1%}")

    def without_base_dir(self, sandbox, here, plain):
        """How many objects are the same as the plain build's when ccache leaves paths alone; all must be."""
        environment = sandbox.environment(
            self.ccache, CCACHE_BASEDIR="", FABRIK_CACHE_DIR=os.path.join(sandbox.root, "store-without-base-dir"))
        build = Build(self.project, here, environment, OPTIMISED, through_fabrik=True)
        if different := plain.differing(build):
            self.failures.append(f"plain and first: {listed(different)} differ, without base_dir, too")
        return f"{len(plain.objects) - len(different)}/{len(plain.objects)}"

    def debug_rate(self, sandbox, here, there, name):
        """Hits of the second build with -g. Each with a store of its own."""
        extra = {"CCACHE_NOHASHDIR": "1"} if name == "nohashdir" else {}
        environment = sandbox.environment(
            self.ccache, FABRIK_CACHE_DIR=os.path.join(sandbox.root, f"store-{name}"), **extra)
        Build(self.project, here, environment, DEBUG, through_fabrik=True)
        return Build(self.project, there, environment, DEBUG, through_fabrik=True).shown("make")


def listed(names):
    return f"{len(names)} objects ({', '.join(names[:3])}{', …' if len(names) > 3 else ''})"


HEADER = [
    "project", "kind", "ccache", "objects as plain", "first: make", "second: configure", "second: make",
    "-g, second: make", "-g, NOHASHDIR", "checks"]


def main():
    parser = options.parser(__doc__.split("\n")[0])
    parser.add_argument("projects", nargs="*", metavar="PROJECT", help=f"of {', '.join(PROJECTS)}; default: all")
    settings = parser.parse_args()
    names = settings.projects or (SMALL if settings.quick else list(PROJECTS))
    unknown = set(names) - set(PROJECTS)
    if unknown:
        parser.error(f"no such project: {', '.join(sorted(unknown))}")
    projects = [PROJECTS[name] for name in names]
    for program in {program for project in projects for program in project.programs}:
        tools.require(program)
    tools.fabrik()
    fetch(projects)
    print("| " + " | ".join(HEADER) + " |\n" + "|---" * len(HEADER) + "|", flush=True)
    failed = False
    for project in projects:
        for ccache in tools.ccaches(settings.ccache):
            tools.progress(f"real builds: {project.name} with {ccache.label}")
            check = Check(project, ccache)
            print("| " + " | ".join(check.run()) + " |", flush=True)
            failed = failed or bool(check.failures)
    return 1 if failed else 0


if __name__ == "__main__":
    tools.guarded(main)
