"""What goes wrong with an upstream costs hits, and nothing else; it is said once."""

import http.client
import os
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

import namespaces
from cases import SECRET, Scenario
from nginx import Nginx
from processes import eventually
from project import objects
from proxies import FaultProxy
from servers import PORTAL, Answer, Store

# A build that has nothing but an upstream that does not answer.
GENEROUS = 20
EXPIRED = Answer(400, b'<?xml version="1.0" encoding="UTF-8"?><Error><Code>ExpiredToken</Code>'
                 b"<Message>The provided token has expired.</Message></Error>", {"Content-Type": "application/xml"})


class FaultTests(Scenario):
    """A store behind a proxy that does harm. `harm` begins the fault, `heal` ends it."""

    upstream = {}
    layer = "regional"

    def setUp(self):
        self.store = self.enterContext(Store())
        self.proxy = self.enterContext(FaultProxy(self.store.port))
        self.url = self.proxy.url
        self.environment = {}

    def table(self, **settings):
        return {"url": self.url, "timeout": "1s", **settings}

    def assert_survives(self, harm, heal, pattern, seconds=GENEROUS):
        """Builds while something is wrong come out right, and one line in all says so; afterwards all is as before."""
        one = self.installation(self.table(), **self.environment)
        seeded = [self.project(files=1) for _ in range(4)]
        for project in seeded:
            self.build_and_upload(one, self.store, project)
        two = self.installation(self.table(), **self.environment)
        self.assert_fetched(two, seeded[0], self.layer)
        harm()
        lines, before = [], self.store.names()
        for project in seeded[1:]:
            build = project.build(two, "tree")
            self.assertEqual(build.hits, 0, build.statistics)
            self.assertLess(build.seconds, seconds)
            lines += build.complaints
            directory = project.unpack(one, "reference")
            one.build(project.command, directory=directory)
            self.assertEqual(objects(two, "tree"), objects(one, "reference"))
        self.assert_complaint(lines, self.table()["url"], pattern)
        self.assertEqual(before, [name for name in self.store.names() if name in before])
        server = two.server
        heal()
        self.assert_recovers(two, seeded[1])
        self.assertEqual(two.server, server, "it was not to be started again")

    def assert_recovers(self, installation, project):
        """Hits come again without anybody doing anything."""
        def is_fetched():
            installation.run("cache", "clear")
            build = project.build(installation, "again")
            time.sleep(0.5)
            return getattr(build, self.layer) == build.lookups

        eventually(is_fetched, f"hits{installation.log()}")

    def assert_survives_proxy(self, name, value, pattern, **settings):
        self.assert_survives(lambda: self.change(name, value), self.proxy.heal, pattern, **settings)

    def change(self, name, value):
        setattr(self.proxy, name, value)

    def assert_survives_answer(self, answer, pattern):
        def harm():
            self.store.fault = answer

        def heal():
            self.store.fault = None

        self.assert_survives(harm, heal, pattern)

    def test_nobody_listens(self):
        self.assert_survives(self.proxy.refuse, self.proxy.heal, "connect|refused|reach")

    def test_connections_are_taken_and_nothing_is_answered(self):
        self.assert_survives_proxy("stalls", True, "answer|time")

    def test_answers_that_drip(self):
        self.assert_survives_proxy("drip", 1.0, "slow|time|answer", seconds=3 * GENEROUS)

    def test_answers_that_are_cut_off(self):
        self.assert_survives_proxy("cut_after", 30, "answer|connection|cut|HTTP")

    def test_connections_that_are_reset(self):
        self.assert_survives_proxy("reset_after", 30, "reset|connection")

    def test_a_server_in_trouble(self):
        self.assert_survives_answer(Answer(500, b"oops"), "500")
        self.store.clear()
        self.assert_survives_answer(Answer(503, b"later", {"Retry-After": "1"}), "503")

    def test_a_server_that_forbids(self):
        self.assert_survives_answer(Answer(403, b"no"), "403")

    def test_a_portal_that_answers_everything(self):
        self.assert_survives_answer(PORTAL, "html|login page|portal")

    def test_a_server_that_is_asked_too_much(self):
        self.assert_survives_answer(Answer(429, b"slow down", {"Retry-After": "1"}), "429")


class S3FaultTests(FaultTests):
    """The same of a bucket."""

    layer = "s3"

    def setUp(self):
        super().setUp()
        self.environment = {"AWS_ACCESS_KEY_ID": "AKIATEST", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_REGION": "x-1"}

    def table(self, **settings):
        return {"url": "s3://builds/prefix", "endpoint": self.url, "timeout": "1s", **settings}

    def test_credentials_that_have_expired(self):
        self.assert_survives_answer(EXPIRED, "expired")


class TransferTests(Scenario):
    """What happens to a body on its way."""

    def setUp(self):
        self.store = self.enterContext(Store())
        self.proxy = self.enterContext(FaultProxy(self.store.port))
        self.one = self.installation(self.store.url, secret=SECRET).start()
        self.two = self.installation({"url": self.proxy.url, "timeout": "5s"}, secret=SECRET).start()
        self.body = bytes(range(256)) * (4 << 12)

    def assert_not_hit(self, harm):
        """A large object is fetched while `harm` is done."""
        project = self.project()
        self.build_and_upload(self.one, self.store, project)
        before = len(self.store.names())
        self.one.put("large", self.body)
        eventually(lambda: len(self.store.names()) > before, "the upload")
        harm()
        try:
            self.assertIsNone(self.two.get("large"))
        except (OSError, http.client.HTTPException):
            # The front end had begun to answer: its client sees that the body is not whole.
            pass
        self.proxy.heal()
        self.proxy.cut()

        # The next build asks the store again, whatever this question has cost.
        def is_fetched():
            self.two.run("cache", "clear")
            build = project.build(self.two, "tree")
            return build.regional == build.lookups

        eventually(is_fetched, "a build that is fetched whole")
        self.assertEqual(self.two.json("cache", "verify")["damaged"], 0)

    def change(self, **faults):
        for name, value in faults.items():
            setattr(self.proxy, name, value)

    def test_the_connection_is_reset(self):
        self.assert_not_hit(lambda: self.change(reset_after=2 << 20))

    def test_the_connection_ends(self):
        self.assert_not_hit(lambda: self.change(cut_after=2 << 20))

    def test_a_byte_changes(self):
        self.assert_not_hit(lambda: self.change(corrupt_at=2 << 20))

    def test_the_transfer_stops_in_the_middle(self):
        self.assert_not_hit(lambda: self.change(stall_after=2 << 20))


class SlowTests(Scenario):
    # Seconds of waiting. A build may lose one to the store; without a bound it would wait three for each of its files.
    GENEROUS = 8

    def test_a_store_that_sends_slowly_costs_a_build_its_allowance_and_no_more(self):
        store = self.enterContext(Store())
        proxy = self.enterContext(FaultProxy(store.port))
        project = self.project(files=6)
        for number in range(6):
            text = "".join(f"\\x{byte:02x}" for byte in os.urandom(200_000))
            project.files[f"file{number}.c"] += f'const unsigned char data{number}[] = "{text}";\n'
        project.command = ["make", "-j1"]
        one, two = self.installation(proxy.url), self.installation(proxy.url)
        self.build_and_upload(one, store, project)
        proxy.rate = 60_000
        build = project.build(two, "tree")
        self.assertEqual(objects(two, "tree"), objects(one, "tree"))
        self.assertLess(build.statistics["waited_seconds"], self.GENEROUS)

    def test_a_store_that_answers_nothing_leaves_another_of_its_kind(self):
        silent, store = self.enterContext(Store()), self.enterContext(Store())
        proxy = self.enterContext(FaultProxy(silent.port))
        proxy.stalls = True
        project = self.project(files=8)
        one, two = self.installation(store.url), self.installation(proxy.url, store.url)
        self.build_and_upload(one, store, project)
        self.assertGreater(project.build(two, "tree").regional, 0)


class NameTests(Scenario):
    def test_a_name_that_does_not_exist(self):
        url = "http://cache.invalid:8080/path"
        one = self.installation(url)
        self.assert_complaint(self.complaints_of_builds(one), url, "name")

    def test_one_upstream_in_trouble_leaves_the_others(self):
        store = self.enterContext(Store())
        broken = self.enterContext(Store())
        broken.fault = Answer(500)
        one = self.installation(store.url)
        two = self.installation(broken.url, store.url)
        project = self.project()
        self.build_and_upload(one, store, project)
        build = project.build(two, "tree")
        self.assertEqual(build.regional, build.lookups)
        self.assertEqual(len(build.complaints), 1)
        self.assertEqual(objects(one, "tree"), objects(two, "tree"))


class FullDiskTests(Scenario):
    @unittest.skipUnless(os.geteuid() == 0, "needs root, to mount a file system")
    def test_a_store_whose_disk_is_full(self):
        if not namespaces.keep_mounts_private():
            self.skipTest("this kernel forbids mounting")
        top = Path(self.enterContext(tempfile.TemporaryDirectory()))
        subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", top], check=True)
        self.addCleanup(subprocess.run, ["umount", "--lazy", top], check=True)
        store = self.enterContext(Nginx(files=top))
        one, two = self.installation(store.url), self.installation(store.url)
        project = self.project()
        self.build_and_upload(one, store, project)
        one.start().put("large", bytes(1 << 20))
        # It is tried three times: the disk might have been full for a moment.
        eventually(lambda: sum(request.status >= 500 for request in store.requests("PUT")) >= 3, "refusals")
        self.assert_complaint(self.complaints_of_builds(one), store.url, "500|full")
        # What had room is still there.
        self.assert_fetched(two, project, "regional", one)
