"""What `fabrik exec` adds to a command: the time of `true`, alone and behind `fabrik exec --`.

Once where a server has to be started (each time none is running; the last one is waited for), once where a running one
is joined. Times are those the parent sees, from posix_spawn to the child's end; medians of interleaved runs.
"""

import shutil

from support import measure, options, tools
from support.report import Row, milliseconds
from support.sandbox import Sandbox

REPETITIONS = 300
QUICK_REPETITIONS = 50
STARTED_AIM = "≤ 5 ms"
JOINED_AIM = "≤ 3 ms"


def run(settings):
    repetitions = QUICK_REPETITIONS if settings.quick else REPETITIONS
    true = shutil.which("true")
    with Sandbox() as sandbox:
        environment = sandbox.environment()

        def timed(*command):
            status, seconds = measure.run_timed(command, environment, sandbox.work)
            if status != 0:
                raise RuntimeError(f"{' '.join(command)}: status {status}")
            return seconds

        def plain():
            return timed(true)

        def started():
            sandbox.wait_until_no_server()
            seconds = timed(tools.fabrik(), "exec", "--linger", "0", "--", true)
            # The server's end must not disturb the next measurement.
            sandbox.wait_until_no_server()
            return seconds

        def joined():
            return timed(tools.fabrik(), "exec", "--", true)

        tools.progress(f"startup: the first exec of all, which probes the tools, took {milliseconds(started())}")
        rows = [row("a server is started", STARTED_AIM, *measure.interleave(repetitions, plain, started))]
        with sandbox.held_server(environment):
            rows.append(row("a server is joined", JOINED_AIM, *measure.interleave(repetitions, plain, joined)))
        return rows


def row(name, aim, plain, through):
    fast, slow = measure.median(plain), measure.median(through)
    tools.progress(f"startup: {name}: {len(through)} runs, quickest {milliseconds(min(through))}")
    return Row(
        f"`true`, {name}", milliseconds(slow), f"{milliseconds(fast)} alone", f"+{milliseconds(slow - fast)}", aim)


if __name__ == "__main__":
    options.run_alone(run, __doc__.split("\n")[0])
