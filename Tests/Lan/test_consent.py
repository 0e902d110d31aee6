"""Whether a peer may fetch is its owner's decision."""

import json
import re
import signal

from lan import CONTAINER, Machine
from processes import eventually
from project import Project, objects
from scenario import Scenario

DESKTOP = Machine(avahi=False)


class DesktopTests(Scenario):
    """The first host has a desktop, with a user who answers."""

    def two_with(self, behaviour, **settings):
        hosts = self.lan(DESKTOP, CONTAINER)
        self.desktop = self.notification_service(hosts[0], behaviour)
        return self.fabrik(hosts[0], **{"consent": "notify-once", **settings}), self.fabrik(hosts[1])

    def notification_service(self, host, behaviour, *options):
        service = host.spawn(["/run/lab/fabrik/notification-service", behaviour, *options])
        service.wait_for("ready")
        return service

    def notified(self):
        return len(re.findall("^notify ", self.desktop.output, re.MULTILINE))

    def test_always_is_remembered(self):
        one, two = self.two_with("always")
        self.assert_shared(one, two)
        self.assertEqual(self.notified(), 1)
        self.assertIn(two.name, self.desktop.output)
        self.assertEqual(one.peers()[two.name]["consent"], "always")
        one.stop()
        one.start()
        self.assert_shared(one, two, "after", b"a restart")
        self.assertEqual(self.notified(), 1)

    def test_allowing_once_is_for_this_session(self):
        one, two = self.two_with("allow")
        self.assert_shared(one, two)
        self.assertEqual(self.notified(), 1)

    def test_a_denial_is_remembered(self):
        one, two = self.two_with("deny")
        one.put("an object", b"its bytes")
        eventually(lambda: two.get("an object") is None and self.notified() == 1, "a notification")
        eventually(lambda: one.peers()[two.name]["consent"] == "denied", "the denial")
        one.stop()
        one.start()
        two.eventually_reaches(one)
        self.assertIsNone(two.get("an object"))
        self.assertEqual(self.notified(), 1)
        self.assertEqual(one.pending(), {})
        # It can be taken back.
        one.run("p2p", "approve", two.name)
        self.assert_shared(one, two)

    def test_a_notification_nobody_answers_holds_nobody_up(self):
        one, two = self.two_with("ignore")
        project = Project("ignored")
        project.build(one, "tree")
        build = project.build(two, "tree")
        self.assertEqual(build.peer_hits, 0)
        eventually(lambda: two.name in one.pending(), "the request")
        one.run("p2p", "approve", two.name)
        self.assert_shared(one, two)

    def test_a_notification_that_is_closed_leaves_the_request_pending(self):
        one, two = self.two_with("dismiss")
        eventually(lambda: two.get("an object") is None and self.notified() == 1, "a notification")
        eventually(lambda: two.name in one.pending(), "the request")

    def test_a_desktop_without_buttons_leaves_the_request_pending(self):
        hosts = self.lan(DESKTOP, CONTAINER)
        self.desktop = self.notification_service(hosts[0], "always", "--no-actions")
        one, two = self.fabrik(hosts[0], consent="notify-once"), self.fabrik(hosts[1])
        eventually(lambda: two.get("an object") is None and two.name in one.pending(), "the request")

    def test_a_session_bus_that_hangs_holds_nobody_up(self):
        hosts = self.lan(DESKTOP, CONTAINER)
        hosts[0].signal(signal.SIGSTOP, "dbus-daemon", "session")
        one, two = self.fabrik(hosts[0], consent="notify-once"), self.fabrik(hosts[1])
        eventually(lambda: two.get("an object") is None and two.name in one.pending(), "the request")
        one.run("p2p", "approve", two.name)
        self.assert_shared(one, two)

    def test_notify_always_asks_for_each_session(self):
        one, two = self.two_with("allow", consent="notify-always")
        self.assert_shared(one, two)
        self.assertEqual(self.notified(), 1)
        # With the server, sessions end; otherwise after ten minutes without a request.
        one.stop()
        one.start()
        self.assert_shared(one, two, "another", b"session")
        self.assertEqual(self.notified(), 2)

    def test_always_allow_asks_nobody(self):
        one, two = self.two_with("deny", consent="always-allow")
        self.assert_shared(one, two)
        self.assertEqual(self.notified(), 0)

    def test_a_name_that_is_markup_is_shown_as_text(self):
        hosts = self.lan(DESKTOP, CONTAINER)
        self.desktop = self.notification_service(hosts[0], "always")
        one = self.fabrik(hosts[0], consent="notify-once")
        two = self.fabrik(hosts[1], name="<b>boss</b>&\u202eevil")
        self.assert_shared(one, two)
        (line,) = [line for line in self.desktop.output.splitlines() if line.startswith("notify")]
        # Titles are plain text (Desktop Notifications, 1.2); bodies are markup.
        self.assertIn('"&lt;b&gt;boss&lt;/b&gt;&amp;evil (', line)
        self.assertNotIn("\u202e", line)


class QueueTests(Scenario):
    """No desktop: requests wait for `approve` or `deny`."""

    def test_denied_from_the_queue(self):
        one, two = self.two(consent="notify-once")
        eventually(lambda: two.get("an object") is None and two.name in one.pending(), "the request")
        one.run("p2p", "deny", two.name)
        self.assertEqual(one.pending(), {})
        one.put("an object", b"its bytes")
        self.assertIsNone(two.get("an object"))
        self.assertEqual(one.peers()[two.name]["consent"], "denied")

    def test_revoked_during_a_build(self):
        one, two = self.two()
        project = Project("revoked", files=12)
        project.build(one, "tree")
        two.eventually_reaches(one)
        directory = project.unpack(two, "tree")
        # The second half is compiled after the denial.
        half = " ".join(f"file{number}.o" for number in range(6))
        script = f"make {half}; touch half; while ! [ -e denied ]; do sleep 0.05; done; make"
        command = two.host.spawn(
            [two.program, "exec", "--stats", "json", "--stats-file", f"{directory}/statistics", "--", "sh", "-ec",
             script], user=two.user, environment=two.environment, directory=directory)
        eventually(two.host.path(f"{directory}/half").exists, "half of the build")
        one.run("p2p", "deny", two.name)
        two.host.write(f"{directory}/denied", "", user=two.user)
        self.assertEqual(command.wait(), 0, command.output)
        statistics = json.loads(two.host.path(f"{directory}/statistics").read_text())
        self.assertGreaterEqual(statistics["hits"]["peers"], 6)
        self.assertGreaterEqual(statistics["misses"], 6)
        self.assertEqual(objects(one, "tree"), objects(two, "tree"))

    def test_who_is_forgotten_must_ask_again(self):
        one, two = self.two(consent="notify-once")
        eventually(lambda: two.get("an object") is None and two.name in one.pending(), "the request")
        one.run("p2p", "approve", two.name)
        self.assert_shared(one, two)
        one.run("p2p", "forget", two.name)
        one.put("another", b"object")
        eventually(lambda: two.get("another one") is None and two.name in one.pending(), "another request")
        self.assertIsNone(two.get("another"))

    def test_consent_is_given_to_an_identity_not_to_a_name(self):
        hosts = self.lan(CONTAINER, CONTAINER, CONTAINER)
        one = self.fabrik(hosts[0], consent="notify-once")
        two = self.fabrik(hosts[1], name="laptop")
        eventually(lambda: two.get("an object") is None and "laptop" in one.pending(), "the request")
        one.run("p2p", "approve", "laptop")
        self.assert_shared(one, two)
        three = self.fabrik(hosts[2], name="laptop", consent="notify-once")
        three.eventually_reaches(one)
        one.put("another", b"object")
        eventually(lambda: three.get("something") is None and "laptop" in one.pending(), "the other one's request")
        self.assertIsNone(three.get("another"))

    def test_the_answer_survives_both_machines_restarts(self):
        one, two = self.two(consent="notify-once")
        eventually(lambda: two.get("an object") is None and two.name in one.pending(), "the request")
        for fabrik in (one, two):
            fabrik.stop()
        self.assertIn(two.name, one.pending())
        # No server is needed to answer.
        one.run("p2p", "approve", two.name)
        for fabrik in (one, two):
            fabrik.start()
        self.assert_shared(one, two)
