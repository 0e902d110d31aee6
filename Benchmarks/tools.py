"""What build tools other than ccache take through Fabrik, against their own caches in the same run.

* go: the standard library, and a program that needs net/http, which is linked each time: with everything cached, against
  Go's own warm cache; and with nothing cached.
"""

import os
import shutil
import subprocess

from support import measure, options, report, tools
from support.report import Row
from support.sandbox import Sandbox

TOOLS = tools.REPOSITORY / ".build" / "tools"
ROUNDS, QUICK_ROUNDS = 15, 3
COLD_ROUNDS, QUICK_COLD_ROUNDS = 3, 1

GO_PROGRAM = {
    "go.mod": "module example.test/program\n\ngo 1.24\n",
    "main.go": 'package main\n\nimport (\n\t"fmt"\n\t"net/http"\n)\n\nfunc main() { fmt.Println(http.StatusOK) }\n',
}


def go(quick):
    program = TOOLS / "go" / "bin" / "go"
    if not program.exists():
        raise tools.Unavailable(f"{program} is missing; run scripts/install-dependencies tools")
    with Sandbox() as sandbox:
        for name, text in GO_PROGRAM.items():
            (sandbox.work / name).write_text(text)
        environment = sandbox.environment(
            CGO_ENABLED="0", GOPROXY="off", GOTELEMETRY="off", GOTOOLCHAIN="local", GOFLAGS="-mod=mod")
        environment["PATH"] = f"{program.parent}:{environment['PATH']}"
        builds = {"`go build std`": ["build", "std"], "a program with net/http": ["build", "-o", "program", "."]}

        def run(words, prefix=(), cache="go"):
            """Each way has a cache of its own."""
            (sandbox.work / "program").unlink(missing_ok=True)
            command = [*prefix, str(program), *words]
            variables = {**environment, "GOCACHE": str(sandbox.root / cache)}
            status, seconds = measure.run_timed(command, variables, sandbox.work)
            if status != 0:
                raise RuntimeError(f"{' '.join(command)}: status {status}")
            return seconds

        through = [tools.fabrik(), "exec", "--stats", "none", "--"]
        rows = []
        with sandbox.held_server(environment):
            for name, words in builds.items():
                def plainly(words=words, **settings):
                    return run(words, **settings)

                def fabrik(words=words, **settings):
                    return run(words, through, cache="unused", **settings)

                def cold_plainly():
                    forget(sandbox.root / "go")
                    return plainly()

                def cold_fabrik():
                    subprocess.run([tools.fabrik(), "cache", "clear"], env=environment, check=True, capture_output=True)
                    return fabrik()

                cold = measure.interleave(QUICK_COLD_ROUNDS if quick else COLD_ROUNDS, cold_plainly, cold_fabrik)
                rows.append(row(f"{name}, nothing cached", *cold, "≤ 1.05"))
                warm = measure.interleave(QUICK_ROUNDS if quick else ROUNDS, plainly, fabrik)
                rows.append(row(f"{name}, everything cached", *warm, "≤ 1.5"))
        return rows


def forget(directory):
    shutil.rmtree(directory, ignore_errors=True)


def row(name, theirs, ours, aim):
    result = Row(
        name, f"{measure.median(ours):.3f} s", f"{measure.median(theirs):.3f} s plain",
        f"{measure.paired_ratio(ours, theirs):.2f}", aim)
    tools.progress(f"tools: {result.measurement}: {result.fabrik}, {result.reference}")
    return result


MEASUREMENTS = {"go": go}


def main():
    parser = options.parser(__doc__.split("\n")[0])
    parser.add_argument("--only", action="append", choices=MEASUREMENTS, metavar="NAME", help=", ".join(MEASUREMENTS))
    settings = parser.parse_args()
    rows = []
    for wanted in settings.only or MEASUREMENTS:
        rows += MEASUREMENTS[wanted](settings.quick)
    print(report.table(rows))
    print()
    print(f"{report.machine([])}, load {os.getloadavg()[0]:.1f} after")


if __name__ == "__main__":
    tools.guarded(main)
