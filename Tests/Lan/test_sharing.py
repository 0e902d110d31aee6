"""Builds that fetch from each other."""

import threading

from fabrik import Fabrik
from lan import CONTAINER
from processes import eventually
from project import DebianProject, Project, objects
from scenario import Scenario


class SharingTests(Scenario):
    def test_the_first_contact_waits_for_consent_and_then_builds_share(self):
        one, two = self.two(consent="notify-once")
        project = Project("first contact")
        project.build(one, "tree")
        build = project.build(two, "before")
        self.assertEqual(build.peer_hits, 0)
        waiting = eventually(one.pending, "a request for consent")
        self.assertEqual(waiting[two.name]["id"], two.json("p2p", "status")["id"])
        one.run("p2p", "approve", waiting[two.name]["id"])
        self.assertEqual(one.pending(), {})
        one.put("asked for again", b"body")
        two.eventually_gets("asked for again", b"body")
        two.run("cache", "clear")
        build = project.build(two, "after")
        self.assertEqual(build.peer_hits, build.lookups)
        self.assertEqual(objects(one, "tree"), objects(two, "after"))
        shown = two.peers()[one.name]
        self.assertEqual(shown["id"], one.json("p2p", "status")["id"])
        self.assertGreaterEqual(shown["fetched"]["hits"], build.peer_hits)
        self.assertGreaterEqual(one.peers()[two.name]["served"]["hits"], build.peer_hits)

    def test_a_real_project_is_fetched_whole_and_byte_identical(self):
        one, two = self.two()
        project = DebianProject("lua")
        stored = project.build(one, "here").statistics["stored"]
        two.eventually_reaches(one, entries=stored)
        build = project.build(two, "elsewhere")
        self.assertGreaterEqual(build.peer_hits, 0.99 * build.lookups)
        self.assertGreater(build.lookups, 60)
        self.assertEqual(objects(one, "here"), objects(two, "elsewhere"))
        (peer,) = build.statistics["peers"]
        self.assertEqual((peer["name"], peer["hits"]), (one.name, build.peer_hits))

    def test_builds_without_a_daemon_share_while_their_servers_linger(self):
        hosts = self.lan(CONTAINER, CONTAINER)
        one, two = [Fabrik(host) for host in hosts]
        self.installations += [one, two]
        project = Project("linger")
        project.build(one, "tree", "--linger", "60s")
        # Nothing waits for discovery, so that the first look-ups of such a small build may be misses.
        connected = f"""{two.program} p2p list --json | grep -q '"connected":true'"""
        build = project.build(two, "tree", command=["sh", "-c", f"until {connected}; do sleep 0.1; done; make"])
        self.assertGreater(build.peer_hits, 0)
        self.assertEqual(objects(one, "tree"), objects(two, "tree"))

    def test_what_others_have_asked_for_is_prefetched(self):
        one, two = self.two()
        project = Project("prefetch", files=16)
        project.build(one, "tree")
        self.assert_shared(one, two)
        for round in range(2):
            build = project.build(two, "tree")
            prefetched = build.statistics["prefetched"]
            self.assertGreater(prefetched["used"], 0, build.statistics)
            self.assertLessEqual(prefetched["used"], prefetched["entries"])
            self.assertEqual(build.peer_hits, build.lookups)
            self.assertEqual(objects(one, "tree"), objects(two, "tree"))
            two.run("cache", "clear")
        build = project.build(two, "another tree")
        self.assertEqual(build.statistics["prefetched"]["entries"], 0, "it has never been built in that place")
        self.assertEqual(build.peer_hits, build.lookups)

    def test_a_build_that_wants_no_peers_asks_none(self):
        one, two = self.two()
        project = Project("alone")
        project.build(one, "tree")
        self.assert_shared(one, two)
        build = project.build(two, "tree", "--no-peers")
        self.assertEqual(build.hits, 0)

    def test_what_was_built_outside_the_team_stays_private(self):
        (first, second) = self.lan(CONTAINER, CONTAINER)
        alone = Fabrik(first, configured=False)
        alone.start().put("private", b"nobody's business")
        alone.stop()
        one, two = self.fabrik(first), self.fabrik(second)
        self.assert_shared(one, two)
        self.assertIsNone(two.get("private"))
        # The team's own build asks for it: from now on it is the team's.
        self.assertEqual(one.get("private"), b"nobody's business")
        two.eventually_gets("private", b"nobody's business")

    def test_a_server_ends_only_when_its_transfers_have(self):
        first, second = self.lan(CONTAINER, CONTAINER)
        one, two = Fabrik(first), self.fabrik(second)
        self.installations.append(one)
        body = bytes(range(256)) * (12 << 12)
        command = ["sh", "-c", "while ! [ -e done ]; do sleep 0.1; done"]
        build = threading.Thread(target=one.build, args=(command, "--linger", "2s"), kwargs={"directory": one.top})
        build.start()
        eventually(one.endpoint, "the front end")
        one.put("large", body)
        self.assert_shared(one, two)
        # At this rate, 12 MiB take five seconds.
        one.host.limit(20)
        results = []
        fetch = threading.Thread(target=lambda: results.append(two.get("large")))
        fetch.start()
        before = one.host.sent()
        eventually(lambda: one.host.sent() - before > 1 << 20, "the transfer")
        one.host.write(f"{one.top}/done", "")
        build.join()
        fetch.join()
        self.assertEqual(results, [body])
        eventually(lambda: not one.servers(), "the server's end")
