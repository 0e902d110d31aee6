"""`fabrik doctor` tries each upstream out."""

import json

from cases import Scenario
from nginx import Nginx
from proxies import FaultProxy
from s3 import SeaweedFS
from servers import Answer, Store

SECRET = "fW3-mQ8zLxT1vRk5NcYb0HsJd7uEoGi2AP9KgXtVqZ4"


class ForbiddingStore(Store):
    """May be read, and not be written to."""

    def put(self, request):
        return Answer(403)


class ForgettingStore(Store):
    """Takes everything and has nothing."""

    def get(self, request):
        return Answer(404)


class DoctorTests(Scenario):
    def examine(self, *upstreams, status=0, **settings):
        """What it says of the upstreams."""
        installation = self.installation(*upstreams, **settings)
        outcome = installation.attempt("doctor", "--json")
        self.assertEqual(outcome.status, status, outcome.output + outcome.errors)
        return json.loads(outcome.output)["upstreams"]

    def test_a_store_that_works(self):
        for secret in (None, SECRET):
            with self.subTest(secret=secret), Nginx() as store:
                (report,) = self.examine(store.url, secret=secret)
                self.assertEqual((report["read"], report["write"], report["layer"]), ("works", "works", "regional"))
                self.assertGreater(report["latency_ms"], 0)
                self.assertEqual(store.objects(), {}, "what was tried out is removed again")

    def test_what_is_only_read_is_not_written_to(self):
        store = self.enterContext(Store())
        (report,) = self.examine({"url": store.url, "read_only": True})
        self.assertEqual((report["read"], report["write"]), ("works", "read_only"))
        self.assertEqual(store.requests("PUT"), [])

    def test_a_store_that_may_not_be_written_to(self):
        store = self.enterContext(ForbiddingStore())
        (report,) = self.examine(store.url, status=1)
        self.assertEqual(report["read"], "works")
        self.assertRegex(report["write"], "403.*read_only")

    def test_a_store_that_loses_what_it_takes(self):
        store = self.enterContext(ForgettingStore())
        (report,) = self.examine(store.url, status=1)
        self.assertRegex(report["write"], "does not have it")

    def test_the_latency_is_that_of_the_network(self):
        store = self.enterContext(Store())
        proxy = self.enterContext(FaultProxy(store.port))
        proxy.delay = 0.05
        (report,) = self.examine(proxy.url)
        self.assertGreaterEqual(report["latency_ms"], 100)

    def test_each_upstream_is_told_of(self):
        bucket, store = self.enterContext(SeaweedFS()), self.enterContext(Store())
        proxy = self.enterContext(FaultProxy(store.port))
        proxy.refuse()
        first, second = self.examine(
            proxy.url, {"url": f"s3://{bucket.bucket}/p", "endpoint": bucket.endpoint}, status=1, **bucket.credentials)
        self.assertRegex(first["read"], "refuses connections")
        self.assertEqual((second["layer"], second["read"], second["write"]), ("s3", "works", "works"))

    def test_people_get_lines(self):
        store = self.enterContext(Store())
        outcome = self.installation({"url": store.url, "read_only": True}).attempt("doctor")
        self.assertEqual(outcome.status, 0)
        self.assertRegex(outcome.output, rf"upstreams +1\n  {store.url} \(regional\)\n    read   works, [0-9.]+ ms\n"
                                         r"    write  not wanted: read_only\ntools\n")
