"""Runs the tests of libFabrikCAS.so: python3 Tests/Compilers [-v] [-k PATTERN] [MODULE[.CLASS[.TEST]]]..."""

import signal
import sys
import unittest

from places import HERE


def main():
    # A shell's background job is born with it ignored, and so would be all that is started here.
    signal.signal(signal.SIGINT, signal.default_int_handler)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(128 + signal.SIGTERM))
    words = sys.argv[1:]
    is_named = any(not word.startswith("-") and before != "-k" for before, word in zip(["", *words], words))
    unittest.main(module=None, argv=["compilers", *([] if is_named else ["discover", "-s", str(HERE)]), *words])


if __name__ == "__main__":
    main()
