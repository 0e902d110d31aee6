"""All layers together: what is not local may be at a peer, in a regional store, or in a bucket."""

from cases import SECRET, Scenario
from processes import eventually
from project import objects
from s3 import SeaweedFS
from servers import Store


class LayerTests(Scenario):
    @classmethod
    def setUpClass(cls):
        cls.bucket = cls.enterClassContext(SeaweedFS())

    def setUp(self):
        self.bucket.clear()
        self.store = self.enterContext(Store())
        self.s3 = {"url": "s3://builds/all", "endpoint": self.bucket.endpoint}

    def member(self, *upstreams, peers=None):
        return self.installation(*upstreams, secret=SECRET, peers=peers, **self.bucket.credentials)

    def test_each_layer_has_its_part_in_one_build(self):
        """Four parts of a program, each known to one layer only."""
        parts = {name: self.project(files=2) for name in ("local", "peers", "regional", "s3")}
        asker = self.member(self.store.url, self.s3, peers={})
        self.build_and_upload(self.member(self.store.url), self.store, parts["regional"])
        self.build_and_upload(self.member(self.s3), self.bucket, parts["s3"])
        peer = self.member(peers={})
        held = parts["peers"].build(peer, "tree").stored
        parts["local"].build(asker, "first", "--no-upstream")
        asker.eventually_reaches(peer, entries=held)
        lookups = {}
        for name, project in parts.items():
            project.unpack(asker, f"parts/{name}")
            lookups[name] = 2 * sum(file.endswith(".c") for file in project.files)
        build = asker.build(
            ["sh", "-ec", "for part in *; do make -j2 -C $part; done"], directory=f"{asker.top}/parts")
        self.assertEqual(build.statistics["hits"], lookups, build.outcome.errors)
        self.assertEqual(build.misses, 0)

    def test_what_one_layer_loses_the_next_one_has(self):
        project = self.project()
        peer = self.member(peers={})
        asker = self.member(self.store.url, self.s3, peers={})
        first = project.build(asker, "tree")
        self.await_objects(self.store, first.stored)
        self.await_objects(self.bucket, first.stored)
        peer.start()
        asker.eventually_reaches(peer)
        peer.eventually_reaches(asker, entries=first.stored)
        self.assertEqual(project.build(peer, "tree").peers, first.lookups)
        expected = objects(asker, "tree")

        def rebuild():
            build = project.build(asker, "tree")
            self.assertEqual(objects(asker, "tree"), expected)
            self.assertEqual(build.remarks, [])
            return build

        self.assertEqual(rebuild().local, first.lookups)
        asker.run("cache", "clear")

        def is_announced():
            build = rebuild()
            if build.peers == first.lookups:
                return True
            asker.run("cache", "clear")
            return False

        eventually(is_announced, "hits from the peer")
        peer.stop()
        asker.run("cache", "clear")
        self.assertEqual(rebuild().regional, first.lookups)
        self.store.clear()
        asker.run("cache", "clear")
        build = rebuild()
        self.assertEqual(build.s3, first.lookups, build.statistics)
        # The nearer store has it back.
        self.await_objects(self.store, first.lookups)
        self.store.clear()
        self.bucket.clear()
        asker.wipe()
        self.assertEqual(rebuild().misses, first.lookups)
