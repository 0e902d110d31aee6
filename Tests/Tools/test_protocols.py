"""Turborepo, Nx and vcpkg, whose programs cannot be installed here: their requests as their specifications and clients
have them, with the environment that builds get. Sources: Vercel's Remote Cache API, Nx's self-hosted cache
specification and `http_remote_cache.rs`, vcpkg's HTTP provider."""

import http.client
import json
from urllib.parse import urlsplit

from processes import eventually
from servers import Store
from toolcase import ToolScenario

# What COMMAND is: it shows the environment it was given, and makes requests with it.
SHOW = ["python3", "-c", "import json, os; print(json.dumps(dict(os.environ)))"]
HASH = "5f1ad2c3b4e59687"


class Client:
    """Speaks to the front end as a tool does; `base` and `token` are from the tool's variables."""

    def __init__(self, base, token):
        self.address, self.token = urlsplit(base), token

    def ask(self, method, path, body=None, **headers):
        connection = http.client.HTTPConnection(self.address.hostname, self.address.port, timeout=60)
        headers = {name.replace("_", "-"): value for name, value in headers.items()}
        try:
            connection.request(
                method, self.address.path + path, body, {"Authorization": f"Bearer {self.token}", **headers})
            answer = connection.getresponse()
            return answer.status, answer.headers, answer.read()
        finally:
            connection.close()


class ProtocolScenario(ToolScenario):
    def variables(self, installation):
        """The environment of a build; its server stays."""
        build = installation.build(SHOW)
        eventually(installation.endpoint, "the front end")
        return json.loads(build.outcome.output)


class TurborepoTests(ProtocolScenario):
    def client(self, installation):
        variables = self.variables(installation)
        self.team = variables["TURBO_TEAM"]
        return Client(variables["TURBO_API"], variables["TURBO_TOKEN"])

    def test_an_artifact_comes_back_with_its_duration_and_signature(self):
        client = self.client(self.installation())
        path = f"/v8/artifacts/{HASH}?slug={self.team}"
        self.assertEqual(client.ask("GET", path)[0], 404)
        self.assertEqual(client.ask("HEAD", path)[0], 404)
        body = bytes(range(256)) * 4000
        tag = "Tc0BmHvJYMIYJ62/zx87YqO0Flxk+5Ovip25NY825CQ="
        status, _, _ = client.ask(
            "PUT", path, body, Content_Type="application/octet-stream", x_artifact_duration="4321", x_artifact_tag=tag)
        self.assertIn(status, (200, 202))
        for method in ("GET", "HEAD"):
            status, headers, answer = client.ask(method, path)
            self.assertEqual(status, 200)
            self.assertEqual(headers["x-artifact-duration"], "4321")
            self.assertEqual(headers["x-artifact-tag"], tag)
            self.assertEqual(int(headers["Content-Length"]), len(body))
            self.assertEqual(answer, body if method == "GET" else b"")

    def test_an_artifact_without_a_signature_has_none(self):
        client = self.client(self.installation())
        path = f"/v8/artifacts/{HASH}?teamId=team_x"
        client.ask("PUT", path, b"archive", x_artifact_duration="5")
        _, headers, body = client.ask("GET", path)
        self.assertEqual(body, b"archive")
        self.assertNotIn("x-artifact-tag", headers)

    def test_an_artifact_that_is_replaced_loses_its_old_signature(self):
        client = self.client(self.installation())
        path = f"/v8/artifacts/{HASH}"
        client.ask("PUT", path, b"one", x_artifact_duration="5", x_artifact_tag="dGFn")
        client.ask("PUT", path, b"two", x_artifact_duration="5")
        _, headers, body = client.ask("GET", path)
        self.assertEqual(body, b"two")
        self.assertNotIn("x-artifact-tag", headers)

    def test_what_the_client_asks_besides(self):
        client = self.client(self.installation())
        self.assertEqual(json.loads(client.ask("GET", "/v8/artifacts/status")[2]), {"status": "enabled"})
        events = json.dumps([{"sessionId": "1", "source": "LOCAL", "event": "HIT", "hash": HASH, "duration": 1}])
        self.assertEqual(client.ask("POST", "/v8/artifacts/events", events)[0], 200)
        status, headers, _ = client.ask("OPTIONS", f"/v8/artifacts/{HASH}", Access_Control_Request_Method="PUT")
        self.assertEqual(status, 200)
        self.assertRegex(headers["Access-Control-Allow-Headers"], "(?i)(^|,) *authorization *(,|$)")

    def test_a_wrong_token_is_told_so_as_the_client_understands_it(self):
        client = self.client(self.installation())
        client.token = "0" * 32
        status, _, body = client.ask("GET", f"/v8/artifacts/{HASH}")
        self.assertEqual(status, 403)
        self.assertIn("code", json.loads(body)["error"])

    def test_another_machine_gets_it_by_the_store(self):
        store = self.enterContext(Store())
        one, two = self.installation(), self.installation()
        for fabrik in (one, two):
            fabrik.configure([store.url], secret="rT2-bV9xKq0LmZ7wEo4YcHsNd8uJf1GiA6PkXyQvB3M")
        self.client(one).ask("PUT", f"/v8/artifacts/{HASH}", b"archive", x_artifact_duration="7", x_artifact_tag="dGFn")
        eventually(lambda: len(store.names()) >= 2, "the uploads")
        status, headers, body = self.client(two).ask("GET", f"/v8/artifacts/{HASH}")
        self.assertEqual((status, body), (200, b"archive"))
        self.assertEqual((headers["x-artifact-duration"], headers["x-artifact-tag"]), ("7", "dGFn"))

    def test_a_linked_repository_keeps_its_own_cache(self):
        fabrik = self.installation()
        fabrik.host.write(f"{fabrik.top}/.turbo/config.json", '{"teamId": "team_1"}')
        self.assertNotIn("TURBO_API", self.variables(fabrik))


class NxTests(ProtocolScenario):
    def client(self, installation):
        variables = self.variables(installation)
        return Client(
            variables["NX_SELF_HOSTED_REMOTE_CACHE_SERVER"], variables["NX_SELF_HOSTED_REMOTE_CACHE_ACCESS_TOKEN"])

    def test_a_record_is_stored_with_200_and_never_overwritten(self):
        client = self.client(self.installation())
        path = "/v1/cache/1385638370963531659"
        settings = {"Content_Type": "application/octet-stream"}
        self.assertEqual(client.ask("GET", path, **settings)[0], 404)
        self.assertEqual(client.ask("PUT", path, b"first" * 100, **settings)[0], 200)
        self.assertEqual(client.ask("PUT", path, b"second", **settings)[0], 409)
        status, _, body = client.ask("GET", path, **settings)
        self.assertEqual((status, body), (200, b"first" * 100))

    def test_a_workspace_of_nx_cloud_keeps_it(self):
        fabrik = self.installation()
        fabrik.host.write(f"{fabrik.top}/nx.json", '{"nxCloudId": "1"}')
        self.assertNotIn("NX_SELF_HOSTED_REMOTE_CACHE_SERVER", self.variables(fabrik))


class VcpkgTests(ProtocolScenario):
    def test_a_package_is_stored_and_fetched_under_its_hash(self):
        fabrik = self.installation()
        kind, url, access, header = self.variables(fabrik)["VCPKG_BINARY_SOURCES"].split(",")
        self.assertEqual((kind, access), ("http", "readwrite"))
        name, value = header.split(": ")
        self.assertEqual(name, "Authorization")
        client = Client(url.split("/{sha}")[0], value.removeprefix("Bearer "))
        path = "/" + "0a" * 32
        self.assertEqual(client.ask("HEAD", path)[0], 404)
        self.assertEqual(client.ask("PUT", path, b"zip")[0], 200)
        self.assertEqual(client.ask("HEAD", path)[0], 200)
        self.assertEqual(client.ask("GET", path)[2], b"zip")
