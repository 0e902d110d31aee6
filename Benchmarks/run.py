"""Runs all benchmarks and prints one table.

What is measured and how is said in each benchmark's own file; real_builds.py, which checks rather than measures, is run
by itself.
"""

import os

import builds
import http_get
import memory
import startup
import store_open
from support import options, report, tools

BENCHMARKS = {
    "startup": startup, "builds": builds, "http_get": http_get, "memory": memory, "store_open": store_open}

# Half a processor of other work: more than what a desktop does when nobody touches it.
BUSY = 0.5


def main():
    parser = options.parser(__doc__.split("\n")[0])
    parser.add_argument("--only", action="append", choices=BENCHMARKS, metavar="NAME", help=", ".join(BENCHMARKS))
    settings = parser.parse_args()
    ccaches = tools.ccaches(settings.ccache)
    tools.progress(f"measuring {tools.fabrik()}")
    load = os.getloadavg()[0]
    if load > BUSY:
        tools.progress(f"the machine is busy (load {load:.1f}): wall times will say little, processor times more")
    rows = []
    for name in settings.only or BENCHMARKS:
        tools.progress(f"{name}: {BENCHMARKS[name].__doc__.splitlines()[0]}")
        rows += BENCHMARKS[name].run(settings)
    print(report.table(rows))
    print()
    print(f"{report.machine(ccaches)}, load {load:.1f} before")


if __name__ == "__main__":
    tools.guarded(main)
