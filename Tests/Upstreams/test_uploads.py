"""Uploads happen beside the build, and after it."""

import signal
import threading

from cases import Scenario, entries
from processes import eventually
from proxies import FaultProxy
from servers import Answer, Store

# What an upload that nothing answers may cost a build; it is the hang that is looked for, not the time.
GENEROUS = 20


class SlowStore(Store):
    """While `gate` is closed, what is put waits."""

    def __init__(self):
        super().__init__()
        self.gate = threading.Event()
        self.waiting = 0

    def answer(self, request):
        if request.method == "PUT":
            self.waiting += 1
            self.gate.wait(120)
        return super().answer(request)

    def __exit__(self, *details):
        self.gate.set()
        super().__exit__(*details)


class BusyStore(Store):
    """Refuses the first few objects."""

    def __init__(self):
        super().__init__()
        self.refusals = 5

    def put(self, request):
        if self.refusals > 0:
            self.refusals -= 1
            return Answer(503)
        return super().put(request)


class UploadTests(Scenario):
    def test_a_store_that_is_busy_at_the_end_gets_everything_before_the_server_ends(self):
        for stops in (False, True):
            with self.subTest(stops=stops):
                store = self.enterContext(BusyStore())
                one = self.installation(store.url, linger="0s")
                build = self.project(files=8).build(one, "tree")
                if stops:
                    one.stop()
                eventually(lambda: not one.servers(), "the server's end", patience=90)
                self.assertEqual(len(entries(store)), build.stored)

    def test_a_store_that_takes_nothing_delays_no_build(self):
        store = self.enterContext(SlowStore())
        one = self.installation({"url": store.url, "timeout": "60s"})
        build = self.project(files=8).build(one, "tree")
        self.assertLess(build.seconds, GENEROUS)
        eventually(lambda: store.waiting, "an upload")
        self.assertEqual(store.names(), [])
        # They are still waiting.
        store.gate.set()
        self.await_objects(store, build.stored)

    def test_a_store_that_answers_nothing_delays_a_build_by_little(self):
        store = self.enterContext(Store())
        proxy = self.enterContext(FaultProxy(store.port))
        proxy.stalls = True
        one = self.installation({"url": proxy.url, "timeout": "1s"})
        build = self.project(files=8).build(one, "tree")
        self.assertLess(build.seconds, GENEROUS)

    def test_a_server_uploads_everything_before_it_ends(self):
        store = self.enterContext(SlowStore())
        one = self.installation({"url": store.url, "timeout": "60s"}, linger="500ms")
        build = self.project(files=8).build(one, "tree")
        eventually(lambda: store.waiting, "an upload")
        store.gate.set()
        eventually(lambda: not one.servers(), "the server's end")
        self.assertEqual(len(entries(store)), build.stored)

    def test_a_server_that_is_told_to_end_uploads_first(self):
        store = self.enterContext(SlowStore())
        one = self.installation({"url": store.url, "timeout": "60s"})
        build = self.project(files=8).build(one, "tree")
        eventually(lambda: store.waiting, "an upload")
        threading.Timer(1, store.gate.set).start()
        one.stop()
        self.assertEqual(len(entries(store)), build.stored)

    def test_it_does_not_wait_for_ever(self):
        store = self.enterContext(SlowStore())
        one = self.installation({"url": store.url, "timeout": "60s"})
        project = self.project(files=8)
        build = project.build(one, "tree")
        eventually(lambda: store.waiting, "an upload")
        one.stop()
        self.assertLess(len(entries(store)), build.stored)
        store.gate.set()
        own = self.assert_unharmed(one, store, project)
        # The next server has sent the rest.
        self.await_objects(store, build.stored + own.stored)

    def test_a_server_that_is_killed_meanwhile(self):
        store = self.enterContext(SlowStore())
        one = self.installation({"url": store.url, "timeout": "60s"})
        project = self.project(files=8)
        project.build(one, "tree")
        eventually(lambda: store.waiting, "an upload")
        one.signal(signal.SIGKILL)
        eventually(lambda: not one.servers(), "the server's end")
        store.gate.set()
        self.assert_unharmed(one, store, project)

    def assert_unharmed(self, one, store, project):
        """The next builds are as ever, and what they store arrives. Also for a machine that gets what is there."""
        self.assertEqual(project.build(one, "again").misses, 0)
        own = self.project()
        before = len(entries(store))
        build = own.build(one, "own")
        self.await_objects(store, before + build.stored)
        self.assertEqual(one.json("cache", "verify")["damaged"], 0)
        two = self.installation(store.url)
        project.build(two, "tree")
        self.assert_fetched(self.installation(store.url), own, "regional")
        return build

    def test_a_store_that_is_full_is_mentioned_once(self):
        class FullStore(Store):
            def put(self, request):
                return Answer(507, b"no space left")

        store = self.enterContext(FullStore())
        one = self.installation(store.url)
        self.assert_complaint(self.complaints_of_builds(one, 4), store.url, "full|507")
        # It is still asked.
        self.assertGreater(len(store.requests("GET", "HEAD")), 0)

    def test_uploads_are_not_repeated(self):
        store = self.enterContext(Store())
        one, two = self.installation(store.url), self.installation(store.url)
        project = self.project()
        build = self.build_and_upload(one, store, project)
        self.assert_fetched(two, project, "regional", one)
        for installation in (one, two):
            installation.stop()
        paths = [request.path for request, _ in store.requests("PUT") if request.path in entries(store)]
        self.assertEqual(len(paths), build.stored)
