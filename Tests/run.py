"""Runs scenarios: python3 Tests/run.py Lan|Upstreams|Tools|Compilers [-v] [-k PATTERN] [MODULE[.CLASS[.TEST]]]..."""

import importlib
import signal
import sys
import unittest
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main():
    if len(sys.argv) < 2 or not list((HERE / sys.argv[1]).glob("test_*.py")):
        sys.exit(__doc__)
    folder, *words = sys.argv[1:]
    directory = HERE / folder
    sys.path[0] = str(directory)
    # Where else modules are.
    for name in ("places", "laboratory"):
        if (directory / f"{name}.py").exists():
            importlib.import_module(name)
    if folder == "Lan":
        import namespaces

        try:
            # May begin anew.
            namespaces.enter_or_become_root()
        except namespaces.Forbidden as reason:
            print(f"skipped: the LAN scenarios need network namespaces: {reason}")
            return
    # A shell's background job is born with it ignored, and so would be all that is started here.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    # Ends what was started first.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    is_named = any(not word.startswith("-") and before != "-k" for before, word in zip(["", *words], words))
    unittest.main(module=None, argv=[folder, *([] if is_named else ["discover", "-s", str(directory)]), *words])


if __name__ == "__main__":
    main()
