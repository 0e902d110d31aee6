"""Wall time of a build through Fabrik, against the same build through plain ccache.

Cached: everything is in the cache, in Fabrik's store or in ccache's own warm directory. All misses: the store and
ccache's directory are empty and new each time. Plain ccache stands first in PATH under the compilers' names, as it is
commonly used, with its default settings. Each run builds a fresh tree at the same path; trees are unpacked outside the
measured time; pairs are interleaved, and medians are compared. Processor time is the build's, without Fabrik's server.
"""

import itertools
import resource
import shutil

from fetch_sources import fetch
from support import measure, options, tools
from support.projects import PROJECTS
from support.report import Row
from support.sandbox import Sandbox

CACHED_PAIRS, MISSING_PAIRS = 16, 6
QUICK_CACHED_PAIRS, QUICK_MISSING_PAIRS = 4, 2
CACHED_AIM, MISSING_AIM = "≤ 1.05", "≤ 1.03"
# The names compilers are called by in the projects built here.
COMPILERS = ["cc", "gcc", "c++", "g++"]


class Comparison:
    """One project with one ccache."""

    def __init__(self, sandbox, project, ccache):
        self.sandbox, self.project, self.ccache = sandbox, project, ccache
        self.tree = sandbox.work / "tree"
        self.numbers = itertools.count()
        self.masquerade = sandbox.root / "masquerade"
        self.masquerade.mkdir()
        for name in COMPILERS:
            (self.masquerade / name).symlink_to(ccache.path)

    def plain(self, directory):
        environment = self.sandbox.environment(self.ccache, CCACHE_DIR=self.sandbox.root / directory)
        environment["PATH"] = f"{self.masquerade}:{environment['PATH']}"
        return self.build(environment, [])

    def through_fabrik(self, directory, linger="30s"):
        environment = self.sandbox.environment(self.ccache, FABRIK_CACHE_DIR=self.sandbox.root / directory)
        return self.build(environment, [tools.fabrik(), "exec", "-q", "--linger", linger, "--"])

    def build(self, environment, prefix):
        """Seconds of wall time and of processor time."""
        self.project.unpack(self.tree)
        before = children_cpu()
        wall = 0
        for _, command in self.project.phases():
            command = [*prefix, shutil.which(command[0]), *command[1:]]
            status, seconds = measure.run_timed(command, environment, self.tree)
            if status != 0:
                raise RuntimeError(f"{' '.join(command)} failed in {self.tree}: status {status}")
            wall += seconds
        return wall, children_cpu() - before

    def cached(self, pairs):
        self.plain("warm-ccache")
        self.through_fabrik("warm-store")
        return measure.interleave(
            pairs, lambda: self.plain("warm-ccache"), lambda: self.through_fabrik("warm-store"))

    def missing(self, pairs):
        def once(build, **arguments):
            directory = f"empty-{next(self.numbers)}"
            result = build(directory, **arguments)
            self.sandbox.wait_until_no_server()
            shutil.rmtree(self.sandbox.root / directory)
            return result

        # Each store has a server of its own, which must not be there any more when the next is measured.
        self.sandbox.end_servers()
        return measure.interleave(pairs, lambda: once(self.plain), lambda: once(self.through_fabrik, linger="0"))


def children_cpu():
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime


def row(name, aim, plain, through):
    slow, fast = measure.median(wall for wall, _ in through), measure.median(wall for wall, _ in plain)
    tools.progress(
        f"builds: {name}: {len(through)} pairs; quickest {min(through)[0]:.3f} s through Fabrik, {min(plain)[0]:.3f} s "
        f"plain; processor time {measure.median(cpu for _, cpu in through):.3f} s and "
        f"{measure.median(cpu for _, cpu in plain):.3f} s")
    return Row(name, f"{slow:.3f} s", f"{fast:.3f} s plain ccache", f"{slow / fast:.3f}", aim)


def run(settings):
    # Small files and many of them: what Fabrik adds to each shows most.
    project = PROJECTS["lua"]
    fetch([project])
    return [row for ccache in tools.ccaches(settings.ccache) for row in compare(project, ccache, settings.quick)]


def compare(project, ccache, quick):
    label = f"{project.name}, {ccache.label}"
    with Sandbox() as sandbox:
        comparison = Comparison(sandbox, project, ccache)
        cached = comparison.cached(QUICK_CACHED_PAIRS if quick else CACHED_PAIRS)
        missing = comparison.missing(QUICK_MISSING_PAIRS if quick else MISSING_PAIRS)
        return [
            row(f"cached build of {label}", CACHED_AIM, *cached),
            row(f"all-miss build of {label}", MISSING_AIM, *missing)]


if __name__ == "__main__":
    options.run_alone(run, __doc__.split("\n")[0])
