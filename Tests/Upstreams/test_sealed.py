"""With a secret, whoever can write to a store but does not have it cannot change what is built."""

from cases import OTHER_SECRET, SECRET, Scenario
from processes import eventually
from project import objects
from servers import Store

# An object begins with a magic, the length of its header (2 bytes), and flags; the header ends with the seal.
MAGIC, LENGTH, FLAGS, SEAL = b"FBS1", slice(4, 6), 6, 32


class SealTests(Scenario):
    def setUp(self):
        self.store = self.enterContext(Store())
        self.one = self.installation(self.store.url, secret=SECRET)

    def put(self, installation, name, body):
        """Where in the store the object is."""
        installation.start()
        before = set(self.store.names())
        installation.put(name, body)
        eventually(lambda: set(self.store.names()) - before, "the upload")
        (path,) = set(self.store.names()) - before
        return path

    def assert_no_hit(self, change):
        """A build whose objects were all changed: `change` makes another body of a path and a body."""
        project = self.project()
        before = set(self.store.names())
        self.build_and_upload(self.one, self.store, project)
        for path, body in self.store.objects().items():
            if path not in before:
                changed = change(path, body)
                self.assertNotEqual(changed, body)
                self.store.write(path, changed)
        two = self.installation({"url": self.store.url, "read_only": True}, secret=SECRET)
        build = project.build(two, "tree")
        self.assertEqual(build.hits, 0, build.statistics)
        self.assertGreater(build.rejected, 0)
        self.assertEqual(objects(two, "tree"), objects(self.one, "tree"))
        # Compiled on this machine, it is there.
        self.assertEqual(project.build(two, "again").misses, 0)
        return build

    def test_what_nobody_touched_counts_as_a_hit(self):
        project = self.project()
        self.build_and_upload(self.one, self.store, project)
        self.assertTrue(all(body.startswith(MAGIC) for body in self.store.objects().values()))
        two = self.installation(self.store.url, secret=SECRET)
        self.assertEqual(self.assert_fetched(two, project, "regional", self.one).rejected, 0)

    def test_a_changed_byte_of_a_body(self):
        self.assert_no_hit(lambda _, body: body[:-1] + bytes([body[-1] ^ 1]))

    def test_any_changed_byte(self):
        paths = {}
        self.put(self.one, "object 0", b"the body")
        length = len(self.store.objects().popitem()[1])
        for index in range(1, length):
            paths[index] = self.put(self.one, f"object {index}", b"the body")
        two = self.installation({"url": self.store.url, "read_only": True}, secret=SECRET).start()
        # The last first: a store that answers what is not even an object is soon asked no more.
        for index in reversed(range(1, length)):
            body = self.store.objects()[paths[index]]
            self.store.write(paths[index], body[:index] + bytes([body[index] ^ 0x20]) + body[index + 1:])
            self.assertIsNone(two.get(f"object {index}"), index)
            if index > FLAGS:
                self.assertEqual(self.store.requests("GET")[-1][0].path, paths[index])

    def test_bodies_that_were_cut_off(self):
        for part in (0.99, 0.5, 0):
            with self.subTest(part=part):
                self.assert_no_hit(lambda _, body: body[:int(len(body) * part)])

    def test_bodies_that_something_was_added_to(self):
        self.assert_no_hit(lambda _, body: body + b"x")

    def test_objects_in_each_others_places(self):
        def swap(path, body):
            return next(other for name, other in self.store.objects().items() if name != path and other != body)

        self.assert_no_hit(swap)

    def test_objects_whose_seal_was_removed(self):
        def unsealed(_, body):
            """As a machine without a secret writes it."""
            length = int.from_bytes(body[LENGTH], "little")
            head = bytearray(body[:length - SEAL])
            head[LENGTH] = (length - SEAL).to_bytes(2, "little")
            self.assertEqual(head[FLAGS], 1)
            head[FLAGS] = 0
            return bytes(head) + body[length:]

        def not_flagged(_, body):
            return body[:FLAGS] + b"\0" + body[FLAGS + 1:]

        self.assert_no_hit(not_flagged)
        self.assert_no_hit(unsealed)

    def test_garbage(self):
        self.assert_no_hit(lambda path, body: b"\0" * len(body))

    def test_objects_that_another_secret_sealed(self):
        self.assert_not_from(self.installation(self.store.url, secret=OTHER_SECRET))

    def test_objects_that_nobody_sealed(self):
        self.assert_not_from(self.installation(self.store.url))

    def assert_not_from(self, stranger):
        """Objects with the right key and body, in the right place, that another wrote."""
        theirs = self.put(stranger, "object", b"what another wrote")
        ours = self.put(self.one, "object", b"what the team wrote")
        self.assertEqual(theirs.rsplit("/", 1)[1], ours.rsplit("/", 1)[1])
        two = self.installation({"url": self.store.url, "read_only": True}, secret=SECRET).start()
        self.store.write(ours, self.store.objects()[theirs])
        self.assertIsNone(two.get("object"))
        three = self.installation({"url": self.store.url, "read_only": True}, secret=SECRET).start()
        self.put_back(ours)
        self.assertEqual(three.get("object"), b"what the team wrote")

    def put_back(self, path):
        self.one.wipe()
        self.store.clear()
        self.assertEqual(self.put(self.one, "object", b"what the team wrote"), path)


class PlainTests(Scenario):
    """Without a secret: what happens by accident is still noticed."""

    def test_damage_is_a_miss(self):
        store = self.enterContext(Store())
        one = self.installation(store.url)
        for change in (lambda body: body[:-1] + bytes([body[-1] ^ 1]), lambda body: body[:-1], lambda _: b"garbage",
                       lambda _: b""):
            project = self.project()
            before = set(store.names())
            self.build_and_upload(one, store, project)
            for path, body in store.objects().items():
                if path not in before:
                    store.write(path, change(body))
            two = self.installation({"url": store.url, "read_only": True})
            build = self.assert_built_alone(two, project, one)
            self.assertGreater(build.rejected, 0)
