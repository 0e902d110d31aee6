"""The one table that all benchmarks print."""

import datetime
import os
from typing import NamedTuple


class Row(NamedTuple):
    measurement: str
    fabrik: str
    reference: str = "–"
    ratio: str = "–"
    aim: str = "–"


def table(rows):
    lines = ["| measurement | Fabrik | reference | ratio | aim |", "|---|---|---|---|---|"]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows])


def machine(ccaches):
    """One line on when and where this was measured."""
    with open("/proc/cpuinfo") as file:
        model = next((line.split(":", 1)[1].strip() for line in file if line.startswith("model name")), "unknown CPU")
    versions = ", ".join(ccache.version for ccache in ccaches)
    # Without what a distributor has added.
    kernel = os.uname().release.split("-")[0]
    parts = [f"{datetime.date.today()}, {model}, {os.cpu_count()} cores, Linux {kernel}"]
    return ", ".join(parts + ([f"ccache {versions}"] if ccaches else []))


def milliseconds(seconds):
    return f"{seconds * 1000:.2f} ms"
