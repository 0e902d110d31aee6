"""What the tests of the plugin have in common."""

import os
import shutil
import tempfile
import unittest
from pathlib import Path

from bodies import digest_of
from fakeserver import FakeServer
from plugin import Plugin


class PluginCase(unittest.TestCase):
    """With a directory of its own; what the plugin has left there is looked at in the end."""

    def setUp(self):
        self.top = Path(tempfile.mkdtemp(prefix="fabrik-cas-"))
        self.addCleanup(shutil.rmtree, self.top, ignore_errors=True)
        self.directory = self.top / "work"
        self.addCleanup(self.assert_sound)

    def plugin(self, directory=None, **arguments):
        plugin = Plugin(self.directory if directory is None else directory, **arguments)
        self.addCleanup(plugin.close)
        return plugin

    def server(self):
        server = FakeServer(str(self.top))
        self.addCleanup(lambda: None if server.is_over else server.stop())
        return server

    def files(self, kind, top=None):
        return sorted(path for path in ((top or self.top).glob(f"**/{kind}/*/*")))

    def assert_sound(self):
        """No file is left that is not what its name says, and none that is half there."""
        for path in self.files("objects"):
            self.assertEqual(digest_of(path.read_bytes()).hex(), path.parent.name + path.name)
        self.assertEqual(list(self.top.glob("**/tmp/*")), [])

    def elsewhere(self, work):
        """Does the work in another process."""
        child = os.fork()
        if child == 0:
            status = 1
            try:
                work()
                status = 0
            except BaseException:
                import traceback

                traceback.print_exc()
            finally:
                os._exit(status)
        return child

    def assert_well(self, child):
        _, status = os.waitpid(child, 0)
        self.assertEqual(os.waitstatus_to_exitcode(status), 0)

    def assert_well_elsewhere(self, work):
        self.assert_well(self.elsewhere(work))
