"""What breaks during a build breaks no build."""

import signal
import threading

from lan import Link
from processes import eventually
from project import Project, objects
from scenario import Scenario


class InterruptedBuildTests(Scenario):
    def build_while(self, harm, link=Link(), at_least=6):
        """The second host builds; after half of it, something happens to the first, where the other half is."""
        one, two = self.two(link=link)
        project = Project("interrupted", files=12)
        project.build(one, "tree")
        two.eventually_reaches(one)
        half = " ".join(f"file{number}.o" for number in range(6))
        script = f"make {half}; touch half; while ! [ -e harmed ]; do sleep 0.05; done; make"
        directory = project.unpack(two, "tree")
        builds = []
        thread = threading.Thread(target=lambda: builds.append(
            two.build(["sh", "-ec", script], directory=directory)))
        thread.start()
        eventually(two.host.path(f"{directory}/half").exists, "half of the build")
        harm(one)
        two.host.write(f"{directory}/harmed", "", user=two.user)
        thread.join()
        (build,) = builds
        self.assertGreaterEqual(build.peer_hits, at_least)
        self.assertEqual(objects(one, "tree"), objects(two, "tree"))
        self.assert_sound(two)
        return one, two

    def test_the_peer_is_killed(self):
        self.build_while(lambda one: one.kill())

    def test_the_peer_stalls(self):
        one, two = self.build_while(lambda one: one.signal(signal.SIGSTOP))
        one.signal(signal.SIGCONT)
        self.assert_shared(one, two, "after", b"the stall")

    def test_the_peers_cable_is_unplugged(self):
        one, two = self.build_while(lambda one: one.host.unplug())
        one.host.plug()
        self.assert_shared(one, two, "after", b"the cable")

    def test_the_peer_vanishes_without_a_trace(self):
        self.build_while(lambda one: one.host.firewall(
            "table inet filter { chain output { type filter hook output priority 0; policy drop; } }"))

    def test_a_link_that_loses_frames(self):
        # How much comes through is left to chance: a lost segment takes longer than a build waits.
        self.build_while(lambda one: None, link=Link(delay=0.001, loss=3), at_least=0)


class InterruptedTransferTests(Scenario):
    """A large object is on its way when something happens to the one who sends it."""

    def interrupt(self, harm):
        one, two = self.two()
        body = bytes(range(256)) * (16 << 12)
        one.put("large", body)
        one.put("small", b"bytes")
        two.eventually_gets("small", b"bytes")
        # 16 MiB take seven seconds.
        one.host.limit(20)
        before = one.host.sent()
        results = []

        def fetch():
            try:
                results.append(two.get("large"))
            except Exception as error:
                # The front end had begun to answer: its client sees that the body is not whole.
                results.append(error)

        thread = threading.Thread(target=fetch)
        thread.start()
        eventually(lambda: one.host.sent() - before > 2 << 20, "the transfer")
        harm(one)
        thread.join()
        self.assertNotIsInstance(results[0], bytes)
        self.assertIsNone(two.get("large"))
        self.assert_sound(two)
        return one, two

    def test_the_sender_is_killed(self):
        self.interrupt(lambda one: one.kill())

    def test_the_sender_stalls(self):
        self.interrupt(lambda one: one.signal(signal.SIGSTOP))

    def test_the_senders_cable_is_unplugged(self):
        one, two = self.interrupt(lambda one: one.host.unplug())
        one.host.plug()
        one.host.limit(1000)
        # The next build asks the peer again, whatever this one has suffered.
        Project("after the cable").build(one, "tree")

        def is_fetched():
            two.run("cache", "clear")
            build = Project("after the cable").build(two, "tree")
            return build.peer_hits == build.lookups

        eventually(is_fetched, "a build that is fetched whole")


class ServerTests(Scenario):
    def test_a_server_that_is_killed_is_replaced_by_the_next_build(self):
        one, two = self.two()
        self.assert_shared(one, two)
        two.kill()
        project = Project("replaced")
        project.build(one, "tree")
        project.build(two, "tree")
        self.assertEqual(objects(one, "tree"), objects(two, "tree"))

    def test_the_daemon_ends_in_order_when_told_by_a_signal(self):
        one, two = self.two()
        self.assert_shared(one, two)
        instance = one.instance()
        one.signal(signal.SIGTERM)
        eventually(lambda: not one.servers(), "the server's end")
        self.assertFalse(one.host.path(f"{instance}/control.sock").exists())
        eventually(lambda: two.peers().get(one.name, {}).get("connected") is False, "the end of the channel")
