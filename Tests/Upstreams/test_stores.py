"""The laboratory itself: a scenario can only show something with servers that are what they claim to be."""

import contextlib
import hashlib
import http.client
import socket
import tempfile
import time
import unittest
from pathlib import Path

from authority import Authority
from bazel import BazelStore
from laboratory import ADDRESS
from minio import Minio
from minio.error import S3Error
from nginx import Nginx
from processes import attempt
from proxies import FaultProxy, HTTPProxy
from s3 import KEY, REGION, SECRET, MinIO, Rclone, SeaweedFS
from servers import PORTAL, MovedStore, Redirector, Store


def curl(*words):
    """Status and body; the status is 0 when there was no answer, and the body curl's reason."""
    outcome = attempt(["curl", "--silent", "--show-error", "--max-time", "10", "--write-out", "\n%{http_code}", *words])
    body, status = outcome.output.rsplit("\n", 1)
    return int(status), body or outcome.errors


def put(url, body, *words):
    return curl("--request", "PUT", "--data-binary", body, url, *words)


class HTTPTests(unittest.TestCase):
    def setUp(self):
        self.top = Path(self.enterContext(tempfile.TemporaryDirectory()))

    def assert_stores(self, store, *words):
        url = f"{store.url}/a/b"
        self.assertIn(put(url, "bytes", *words)[0], (200, 201, 204))
        self.assertEqual(curl(url, *words), (200, "bytes"))
        self.assertIn(b"bytes", store.objects().values())
        self.assertEqual(curl(url + "c", *words)[0], 404)

    def test_nginx_and_the_store_in_memory_take_and_give(self):
        for store in (Nginx(path="/some/path"), Store(path="/some/path")):
            with self.subTest(type(store)), store:
                self.assert_stores(store)
                ((name, body),) = store.objects().items()
                self.assertEqual((name, body), ("/some/path/a/b", b"bytes"))
                store.write(name, b"others")
                self.assertEqual(curl(store.url + "/a/b"), (200, "others"))
                self.assertEqual(len(store.requests("PUT")), 1)
                store.clear()
                self.assertEqual(curl(store.url + "/a/b")[0], 404)

    def test_nginx_wants_credentials_where_it_should(self):
        with Nginx(user="builder", password="pass+w%rd") as store:
            self.assertEqual(curl(store.url + "/x")[0], 401)
            self.assert_stores(store, "--user", "builder:pass+w%rd")
        with Nginx(token="t0ken") as store:
            self.assertEqual(curl(store.url + "/x", "--header", "Authorization: Bearer other")[0], 401)
            self.assert_stores(store, "--header", "Authorization: Bearer t0ken")

    def test_nginx_speaks_tls_with_the_authority_of_the_team(self):
        authority = Authority(self.top)
        with Nginx(certificate=authority.certificate(ADDRESS), http2=True) as store:
            self.assertEqual(curl(store.url + "/x")[0], 0)
            self.assert_stores(store, "--cacert", str(authority.file))
            self.assertEqual({request.protocol for request in store.requests("PUT")}, {"HTTP/2.0"})

    def test_the_bazel_store_takes_only_what_belongs_there(self):
        with BazelStore(path="/cache") as store:
            body = "blob"
            digest = hashlib.sha256(body.encode()).hexdigest()
            blob = b"\x0a\x40" + digest.encode() + b"\x10\x04"
            file = b"\x0a\x01f\x12" + bytes([len(blob)]) + blob
            result = b"\x12" + bytes([len(file)]) + file
            action = f"{store.url}/ac/{'a' * 64}"
            (self.top / "result").write_bytes(result)
            self.assertEqual(put(action, f"@{self.top}/result")[0], 201)
            self.assertEqual(curl(action)[0], 404, "names a blob that is not there")
            self.assertEqual(put(f"{store.url}/cas/{'b' * 64}", body)[0], 400)
            self.assertEqual(put(f"{store.url}/cas/{digest}", body)[0], 201)
            self.assertEqual(curl(action)[0], 200)
            self.assertEqual(put(action, "FBS1 is no message")[0], 400)
            self.assertEqual(put(f"{store.url}/plain/{digest}", body)[0], 400)

    def test_answers_that_are_meant_to_confuse(self):
        with Store() as store, Redirector(store.url) as elsewhere, MovedStore() as moved:
            self.assertEqual(curl(elsewhere.url + "/x")[0], 307)
            self.assertEqual(put(elsewhere.url + "/x", "bytes", "--location")[0], 201)
            self.assertEqual(store.objects(), {"/x": b"bytes"})
            self.assertEqual(put(moved.url + "/old/x", "bytes", "--location")[0], 201)
            self.assertEqual(moved.objects(), {"/new/x": b"bytes"})
            store.fault = PORTAL
            status, body = curl(store.url + "/nothing")
            self.assertEqual((status, body[:9]), (200, "<!DOCTYPE"))

    def test_the_proxy_forwards_and_makes_tunnels(self):
        authority = Authority(self.top)
        certificate = authority.certificate("cache.test")
        with Nginx() as plain, Nginx(certificate=certificate) as secured, HTTPProxy() as proxy:
            proxy.names = {"plain.test": (ADDRESS, plain.port), "cache.test": (ADDRESS, secured.port)}
            words = ["--proxy", proxy.url, "--cacert", str(authority.file)]
            for url in ("http://plain.test/x", "https://cache.test/x"):
                self.assertEqual(put(url, "bytes", *words)[0], 201)
                self.assertEqual(curl(url, *words), (200, "bytes"))
            self.assertEqual(set(proxy.targets), {"plain.test", "cache.test"})

    def test_faults_come_and_go(self):
        with Store() as store, FaultProxy(store.port) as proxy:
            store.write("/x", bytes(range(97, 107)) * 10)
            url = proxy.url + "/x"
            good = curl(url)
            self.assertEqual(good[0], 200)
            for fault, expected in [("reset_after", "reset by peer"), ("cut_after", "bytes remaining")]:
                setattr(proxy, fault, 200)
                self.assertIn(expected, curl(url)[1] + run_errors(url))
                proxy.heal()
                self.assertEqual(curl(url), good)
            proxy.corrupt_at = 200
            status, body = curl(url)
            self.assertEqual((status, len(body)), (200, 100))
            self.assertNotEqual(body, good[1])
            proxy.heal()
            proxy.stalls = True
            self.assertIn("timed out", curl(url, "--max-time", "1")[1])
            proxy.stalls = False
            proxy.drip = 0.002
            begin = time.monotonic()
            self.assertEqual(curl(url), good)
            self.assertGreater(time.monotonic() - begin, 0.3)
            proxy.drip = 0
            proxy.delay = 0.1
            begin = time.monotonic()
            self.assertEqual(curl(url), good)
            self.assertGreater(time.monotonic() - begin, 0.2)
            proxy.refuse()
            self.assertIn("connect", curl(url)[1])
            proxy.heal()
            self.assertEqual(curl(url), good)


def run_errors(url):
    """What curl says when it got only a part."""
    return attempt(["curl", "--silent", "--show-error", "--output", "/dev/null", url]).errors


class S3Tests(unittest.TestCase):
    def test_each_server_takes_and_gives_and_checks_signatures(self):
        for kind in (SeaweedFS, MinIO, Rclone):
            with self.subTest(kind), kind() as server:
                name = "a b+c=d/é/x"
                server.write(name, b"bytes")
                self.assertEqual(server.objects(), {name: b"bytes"})
                stranger = Minio(server.host, KEY, "wrong" + SECRET, secure=False, region=REGION)
                with self.assertRaises(S3Error) as refusal:
                    stranger.stat_object(server.bucket, name)
                    stranger.get_object(server.bucket, name)
                self.assertIn(refusal.exception.code, ("SignatureDoesNotMatch", "AccessDenied"))
                server.clear()
                self.assertEqual(server.objects(), {})

    def test_minio_gives_temporary_credentials(self):
        with MinIO() as server:
            words = server.session()
            names = "ACCESS_KEY_ID", "SECRET_ACCESS_KEY", "SESSION_TOKEN"
            key, secret, token = [words[f"AWS_{name}"] for name in names]
            server.write("x", b"bytes")
            client = Minio(server.host, key, secret, token, secure=False, region=REGION)
            self.assertEqual(client.get_object(server.bucket, "x").read(), b"bytes")
            for other in ("bogus" + token, None):
                client = Minio(server.host, key, secret, other, secure=False, region=REGION)
                with self.assertRaises(S3Error):
                    client.get_object(server.bucket, "x")
