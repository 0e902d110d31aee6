"""Stores that are asked by HTTP: layer 1."""

import contextlib
import tempfile
from pathlib import Path

from authority import Authority
from bazel import BazelStore
from cases import OTHER_SECRET, SECRET, Scenario, entries
from laboratory import ADDRESS
from nginx import Nginx
from processes import eventually
from proxies import HTTPProxy
from servers import MovedStore, Redirector, Store


class NginxTests(Scenario):
    def test_what_one_machine_builds_another_gets(self):
        store = self.enterContext(Nginx(path="/some/path"))
        one, two = self.assert_shares(store, store.url)
        for name in store.names():
            self.assertRegex(name, r"^/some/path/plain/[a-z0-9-]+/[0-9a-f]+$")
        # From now on it is there.
        self.assertEqual(self.rebuild(two).hits, self.rebuild(two).local)

    def test_a_team_with_a_secret(self):
        store = self.enterContext(Nginx(path="/some/path"))
        self.assert_shares(store, store.url, secret=SECRET)
        for name in store.names():
            self.assertRegex(name, r"^/some/path/sealed-[0-9a-f]{16}/[a-z0-9-]+/[0-9a-f]+$")

    def test_teams_that_share_a_store_do_not_disturb_each_other(self):
        store = self.enterContext(Nginx())
        project = self.project()
        firsts = []
        for secret in (SECRET, OTHER_SECRET, None):
            first = self.installation(store.url, secret=secret)
            self.build_and_upload(first, store, project)
            firsts.append((secret, first))
        self.assertEqual(len({name.split("/")[1] for name in store.names()}), 3)
        for secret, first in firsts:
            other = self.installation(store.url, secret=secret)
            self.assertEqual(self.assert_fetched(other, project, "regional", first).rejected, 0)

    def test_an_address_that_ends_with_a_slash(self):
        store = self.enterContext(Nginx(path="/some/path"))
        self.assert_shares(store, store.url + "/")
        self.assertFalse([name for name in store.names() if "//" in name])

    def test_large_objects_do_not_grow_the_server(self):
        store = self.enterContext(Nginx())
        one, two = [self.installation(store.url, secret=SECRET).start() for _ in range(2)]
        body = bytes(range(256)) * (64 << 12)
        one.put("large", body)
        eventually(store.names, "the upload")
        eventually(lambda: two.get("large") == body, "the object")
        for installation in (one, two):
            self.assertLess(installation.memory(), 60)

    def rebuild(self, installation):
        return installation.build(["sh", "-c", "touch *.c && make"], directory=f"{installation.top}/tree")


class SecuredTests(Scenario):
    """nginx with a certificate of an authority that only the team knows."""

    def setUp(self):
        self.authority = Authority(Path(self.enterContext(tempfile.TemporaryDirectory())))

    def secured(self, **settings):
        return self.enterContext(Nginx(certificate=self.authority.certificate(ADDRESS), **settings))

    def test_the_authority_is_named_in_the_configuration(self):
        store = self.secured()
        self.assert_shares(store, {"url": store.url, "ca_file": str(self.authority.file)})

    def test_a_relative_path_is_relative_to_the_configuration(self):
        store = self.secured()
        one = self.installation({"url": store.url, "ca_file": "corp.pem"})
        one.host.write(f"{one.top}/corp.pem", self.authority.file.read_text())
        self.build_and_upload(one, store, self.project())

    def test_without_the_authority_nothing_is_sent(self):
        store = self.secured()
        one = self.installation(store.url)
        self.assert_complaint(self.complaints_of_builds(one), store.url, "certificate|trusted.*ca_file")
        self.assertEqual(store.requests(), [])

    def test_a_certificate_for_another_name_is_refused(self):
        store = self.enterContext(Nginx(certificate=self.authority.certificate("elsewhere.test")))
        one = self.installation({"url": store.url, "ca_file": str(self.authority.file)})
        self.assert_complaint(self.complaints_of_builds(one), store.url, "certificate|trusted")

    def test_http_2_is_spoken_where_the_server_can(self):
        store = self.secured(http2=True)
        self.assert_shares(store, {"url": store.url, "ca_file": str(self.authority.file)})
        self.assertEqual({request.protocol for request in store.requests()}, {"HTTP/2.0"})


class CredentialTests(Scenario):
    USER, PASSWORD = "builder", "pass+w%rd"

    def test_a_user_and_a_password_from_netrc(self):
        store = self.enterContext(Nginx(user=self.USER, password=self.PASSWORD))
        one, two = self.installation(store.url), self.installation(store.url)
        for installation in (one, two):
            installation.host.write(
                f"{installation.user.home}/.netrc",
                f"machine {ADDRESS} login {self.USER} password {self.PASSWORD}\n", mode=0o600)
        project = self.project()
        self.build_and_upload(one, store, project)
        self.assert_fetched(two, project, "regional", one)
        self.assert_secret(self.PASSWORD, one, two)

    def test_without_them_one_line_says_so(self):
        store = self.enterContext(Nginx(user=self.USER, password=self.PASSWORD))
        one = self.installation(store.url)
        self.assert_complaint(self.complaints_of_builds(one), store.url, "credentials.*401.*netrc")
        self.assertEqual(store.names(), [])

    def test_a_token(self):
        store = self.enterContext(Nginx(token="t0ken-of-the-team"))
        upstream = {"url": store.url, "token": "${CACHE_TOKEN}"}
        one, two = self.assert_shares(store, upstream, CACHE_TOKEN="t0ken-of-the-team")
        self.assert_secret("t0ken-of-the-team", one, two)

    def test_a_wrong_token(self):
        store = self.enterContext(Nginx(token="t0ken-of-the-team"))
        one = self.installation({"url": store.url, "token": "${CACHE_TOKEN}"}, CACHE_TOKEN="t0ken-of-another")
        line = self.assert_complaint(self.complaints_of_builds(one), store.url, "401")
        self.assertNotIn("t0ken", line)
        self.assert_secret("t0ken-of-another", one)

    def assert_secret(self, text, *installations):
        """It stands in no log, no file of Fabrik's, and no command line."""
        for installation in installations:
            self.assertNotIn(text, installation.log())
            self.assertNotIn(text, installation.run("config", "show"))
            line = Path(f"/proc/{installation.server}/cmdline").read_bytes()
            self.assertNotIn(text.encode(), line)
            for top in (installation.user.runtime, f"{installation.user.home}/.cache/fabrik"):
                for path in Path(top).rglob("*"):
                    # The server may remove a build's files meanwhile.
                    with contextlib.suppress(FileNotFoundError):
                        if path.is_file():
                            self.assertNotIn(text.encode(), path.read_bytes(), path)


class ProxyTests(Scenario):
    """What only the company's proxy can reach."""

    def test_plain_requests_go_through_the_proxy(self):
        store = self.enterContext(Nginx())
        proxy = self.enterContext(HTTPProxy({"cache.test": (ADDRESS, store.port)}))
        # In lower case only, as for all that use libcurl: a web server's programs find a header of the client's there.
        self.assert_shares(store, "http://cache.test", http_proxy=proxy.url)
        self.assertEqual(set(proxy.targets), {"cache.test"})

    def test_tls_goes_through_tunnels_of_the_proxy(self):
        authority = Authority(Path(self.enterContext(tempfile.TemporaryDirectory())))
        store = self.enterContext(Nginx(certificate=authority.certificate("cache.test")))
        proxy = self.enterContext(HTTPProxy({"cache.test": (ADDRESS, store.port)}))
        for variable in ("HTTPS_PROXY", "https_proxy"):
            with self.subTest(variable):
                self.assert_shares(
                    store, {"url": "https://cache.test", "ca_file": str(authority.file)}, **{variable: proxy.url})

    def test_hosts_that_need_no_proxy(self):
        store = self.enterContext(Nginx())
        proxy = self.enterContext(HTTPProxy())
        self.assert_shares(store, store.url, HTTP_PROXY=proxy.url, http_proxy=proxy.url, NO_PROXY=f"x.test,{ADDRESS}")
        self.assertEqual(proxy.targets, [])


class RedirectionTests(Scenario):
    def test_within_the_host_they_are_followed(self):
        store = self.enterContext(MovedStore())
        project = self.project()
        one = self.installation(store.url + "/new")
        self.build_and_upload(one, store, project)
        two = self.installation({"url": store.url + "/old", "read_only": True})
        self.assert_fetched(two, project, "regional", one)

    def test_objects_are_not_sent_after_them(self):
        store = self.enterContext(MovedStore())
        one = self.installation(store.url + "/old")
        self.assert_complaint(self.complaints_of_builds(one), store.url + "/old", "redirect.*/new")
        self.assertEqual(store.names(), [])

    def test_to_another_host_they_are_not(self):
        other = self.enterContext(Store(address="127.0.0.2"))
        store = self.enterContext(Redirector(other.url))
        one = self.installation({"url": store.url, "token": "t0ken"})
        self.assert_complaint(self.complaints_of_builds(one), store.url, "redirects.*127[.]0[.]0[.]2")
        self.assertGreater(len(store.requests()), 0)
        self.assertEqual(other.requests(), [])

    def test_that_lead_nowhere_end(self):
        store = self.enterContext(Redirector("/round"))
        one = self.installation(store.url)
        self.assert_complaint(self.complaints_of_builds(one), store.url, "redirect")


class SettingsTests(Scenario):
    def test_what_is_only_read_gets_nothing(self):
        store = self.enterContext(Nginx())
        one = self.installation(store.url)
        two = self.installation({"url": store.url, "read_only": True})
        project, own = self.project(), self.project()
        self.build_and_upload(one, store, project)
        before = len(store.requests("PUT"))
        self.assert_fetched(two, project, "regional", one)
        own.build(two, "own")
        two.stop()
        self.assertEqual(len(store.requests("PUT")), before)

    def test_only_the_builders_that_are_told_so_write(self):
        """The same configuration for all: CI writes, developers read."""
        store = self.enterContext(Nginx())
        upstream = {"url": store.url, "read_only": "${READ_ONLY:-true}"}
        developer = self.installation(upstream)
        project, own = self.project(), self.project()
        # In CI the server ends with the build, having uploaded first.
        ci = self.installation(upstream, linger=None, CI="true", READ_ONLY="false")
        build = project.build(ci, "tree")
        eventually(lambda: not ci.servers(), "the server's end")
        self.assertEqual(len(entries(store)), build.stored)
        self.assert_fetched(developer, project, "regional", ci)
        own.build(developer, "own")
        developer.stop()
        self.assertEqual(len(entries(store)), build.stored)

    def test_the_variable_takes_the_place_of_the_files_upstreams(self):
        one, two, three = [self.enterContext(Store()) for _ in range(3)]
        builder = self.installation(one.url, FABRIK_UPSTREAM=f"{two.url}/a,{three.url}/b")
        build = self.project().build(builder, "tree")
        for store in (two, three):
            self.await_objects(store, build.stored)
        self.assertEqual(one.requests(), [])
        self.assertTrue(two.names()[0].startswith("/a/"))
        self.assertTrue(three.names()[0].startswith("/b/"))

    def test_a_build_that_wants_no_upstreams_asks_none(self):
        store = self.enterContext(Store())
        builder = self.installation(store.url)
        project = self.project()
        build = project.build(builder, "tree", "--no-upstream")
        self.assertGreater(build.stored, 0)
        builder.stop()
        self.assertEqual(store.requests(), [])

    def test_upstreams_are_asked_in_order(self):
        near, far = self.enterContext(Store()), self.enterContext(Store())
        one, two = self.installation(far.url), self.installation(near.url, far.url)
        project = self.project()
        build = self.build_and_upload(one, far, project)
        self.assert_fetched(two, project, "regional", one)
        asked = [[request.path for request, _ in store.requests("GET")] for store in (near, far)]
        for name in entries(far):
            # Here by the second build; there by the first, for which it was new, and by the second.
            self.assertEqual([paths.count(name) for paths in asked], [1, 2])

    def test_what_the_last_build_asked_for_is_fetched_ahead(self):
        store = self.enterContext(Store())
        project = self.project(files=8)
        one, two = [self.installation(store.url, FABRIK_PREFETCH="true", ENTRIES="0") for _ in range(2)]
        # It waits until so many entries are there before the first question, by the same words on both machines.
        command = ["sh", "-c", "until [ $(find $HOME/.cache/fabrik/v1/entries -type f | wc -l) -ge $ENTRIES ]; do "
                   "sleep 0.05; done; make"]
        build = project.build(one, "tree", command=command)
        self.await_objects(store, build.stored)
        eventually(lambda: len(store.names()) > len(entries(store)), "what the build asked for")
        # And the plan.
        two.environment["ENTRIES"] = str(build.stored + 1)
        ahead = project.build(two, "tree", command=command)
        self.assertEqual(ahead.hits, build.lookups, ahead.statistics)
        self.assertEqual(ahead.statistics["prefetched"]["used"], build.lookups)
        self.assertEqual(ahead.remarks, [])

    def test_connections_are_kept(self):
        store = self.enterContext(Store())
        one = self.installation(store.url)
        build = self.build_and_upload(one, store, self.project(files=8))
        self.assertGreater(len(store.requests()), build.lookups)
        self.assertLess(store.accepted, build.lookups / 2)


class BazelTests(Scenario):
    def test_a_store_that_takes_only_bazels_objects(self):
        for secret in (None, SECRET):
            with self.subTest(secret=secret):
                store = self.enterContext(BazelStore(path="/cache"))
                upstream = {"url": store.url, "layout": "bazel"}
                one, two = [self.installation(upstream, secret=secret) for _ in range(2)]
                project = self.project()
                build = project.build(one, "tree")
                eventually(lambda: len(store.actions()) >= build.stored, "the uploads")
                self.assert_fetched(two, project, "regional", one)
                self.assertEqual({status for _, status in store.requests("PUT")}, {201})
                for name in store.names():
                    self.assertRegex(name, "^/cache/(ac|cas)/[0-9a-f]{64}$")

    def test_large_objects_are_blobs_that_an_action_names(self):
        store = self.enterContext(BazelStore())
        upstream = {"url": store.url, "layout": "bazel"}
        one, two, three = [self.installation(upstream, secret=SECRET).start() for _ in range(3)]
        body = bytes(range(256)) * 2000
        one.put("large", body)
        eventually(store.actions, "the upload")
        (blob,) = set(store.names()) - set(store.actions())
        self.assertEqual(two.get("large"), body)
        # Evicted: as if there were nothing.
        del store.kept[blob]
        self.assertIsNone(three.get("large"))
        three.put("large", body)
        eventually(lambda: blob in store.names(), "the upload")

    def test_the_plain_layout_at_such_a_store_is_explained(self):
        store = self.enterContext(BazelStore())
        one = self.installation(store.url)
        self.assert_complaint(self.complaints_of_builds(one), store.url, "400")
