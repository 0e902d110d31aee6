"""Where things are."""

import os
from pathlib import Path

HERE = Path(__file__).resolve().parent
REPOSITORY = HERE.parent.parent
SOURCES = sorted((REPOSITORY / "Sources" / "FabrikCAS").glob("*.c")) + [REPOSITORY / "Sources/CSHA256/sha256.c"]
HEADERS = REPOSITORY / "Sources" / "CSHA256" / "include"
# The library under test; tests that build it in another way name theirs.
LIBRARY = os.environ.get("FABRIK_CAS_LIBRARY") or str(REPOSITORY / ".build" / "release" / "libFabrikCAS.so")
# Whether it is one that is watched while it runs, and takes its time.
IS_WATCHED = "FABRIK_CAS_LIBRARY" in os.environ
