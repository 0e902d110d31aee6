"""What scenarios have in common."""

import itertools
import re
import unittest

from machine import Installation, Machine
from processes import Failure, eventually
from project import Project, objects

from fabrik import OTHER_SECRET, SECRET  # noqa: F401

SEEDS = itertools.count()


def entries(store):
    """Names of the objects that tools have stored; what Fabrik notes for itself is not among them."""
    return [name for name in store.names() if "/fabrik-" not in name]


class Scenario(unittest.TestCase):
    """Machines and servers end with their test. When it fails, what Fabrik's servers had to say is shown before."""

    def installation(self, *upstreams, **settings):
        """Fabrik on a machine that has nothing yet."""
        machine = self.enterContext(Machine())
        installation = Installation(machine, upstreams, **settings)
        self.addCleanup(self.show_log, installation)
        return installation

    def show_log(self, installation):
        if not self._outcome.success:
            print(installation.log() or f"\nno server on {installation.host.port}")

    def project(self, files=3):
        """A program that nothing else has anything in common with."""
        return Project(f"{self.id()} {next(SEEDS)}", files=files)

    def build_and_upload(self, installation, store, project, name="tree"):
        """Builds, and waits until the store has all that was stored."""
        before = len(entries(store))
        build = project.build(installation, name)
        self.assertEqual(build.misses, build.lookups, "the project was to be new")
        self.assertGreater(build.stored, 0)
        self.assertEqual(build.remarks, [])
        self.await_objects(store, before + build.stored)
        return build

    def await_objects(self, store, count):
        try:
            eventually(lambda: len(entries(store)) >= count, "the uploads")
        except Failure:
            self.fail(f"{len(entries(store))} entries in the store, not {count}")

    def assert_fetched(self, installation, project, layer, other=None, name="tree"):
        """A build that gets everything from one layer. `other` is who built it first."""
        build = project.build(installation, name)
        self.assertEqual(getattr(build, layer), build.lookups, f"{build.statistics}{build.outcome.errors}")
        self.assertEqual(build.remarks, [])
        if other:
            self.assertEqual(objects(installation, name), objects(other, "tree"))
        return build

    def assert_shares(self, store, upstream, layer="regional", **settings):
        """What one machine builds, another gets by the store. Returns both."""
        one, two = self.installation(upstream, **settings), self.installation(upstream, **settings)
        project = self.project()
        self.build_and_upload(one, store, project)
        self.assert_fetched(two, project, layer, one)
        return one, two

    def assert_built_alone(self, installation, project, reference=None):
        """A build that gets nothing from elsewhere, and comes out right."""
        build = project.build(installation, "tree")
        self.assertEqual(build.hits, 0, build.statistics)
        expected = reference or self.installation()
        if reference is None:
            project.build(expected, "tree")
        self.assertEqual(objects(installation, "tree"), objects(expected, "tree"))
        return build

    def assert_complaint(self, lines, url, pattern):
        """One line about the upstream, that says what is wrong."""
        self.assertEqual(len(lines), 1, lines)
        self.assertRegex(lines[0], f"^fabrik: upstream {re.escape(url)}[: ]")
        self.assertRegex(lines[0], re.compile(pattern, re.IGNORECASE))
        return lines[0]

    def complaints_of_builds(self, installation, count=3):
        """Lines about upstreams of so many builds in a row, none of which gets anything. The first of them is the first
        with such a line: an upload may fail only after its build has ended."""
        lines, left = [], count
        for number in range(20 + count):
            build = self.project().build(installation, f"tree{number}")
            self.assertEqual(build.hits, 0, build.statistics)
            lines += build.complaints
            left -= bool(lines)
            if left == 0:
                break
        return lines
