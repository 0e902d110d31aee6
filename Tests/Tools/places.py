"""Where things are. The scenarios share their machines with those of upstreams, and theirs with those between hosts."""

import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
# Programs that were unpacked from packages, each in a directory of its own.
TOOLS = REPOSITORY / ".build" / "tools"
# What is there first wins: this directory, then the upstreams' laboratory, then the hosts'.
sys.path += [str(HERE.parent / "Upstreams"), str(HERE.parent / "Lan")]
