"""The daemon outlives logins and is found by whatever starts builds."""

import shutil

from lan import CONTAINER
from processes import eventually
from project import Project
from scenario import Scenario


class LoginTests(Scenario):
    def status(self, fabrik, **environment):
        """What `fabrik daemon status` says in another environment."""
        fabrik.environment.update(environment)
        outcome = fabrik.attempt("daemon", "status", "--json")
        return outcome.status, outcome.output

    def test_a_job_without_a_session_finds_the_daemon(self):
        one, two = self.two()
        self.assert_shared(one, two)
        process = one.server
        # As under cron, ssh without PAM, or a CI agent.
        status, output = self.status(one, XDG_RUNTIME_DIR=None, DBUS_SESSION_BUS_ADDRESS=None)
        self.assertEqual(status, 0, output)
        project = Project("cron")
        project.build(two, "tree")
        build = project.build(one, "tree")
        self.assertEqual(build.peer_hits, build.lookups)
        self.assertEqual(one.server, process)

    def test_logging_out_and_in_again(self):
        one, two = self.two()
        self.assert_shared(one, two)
        process = one.server
        # What logind does when the last session ends.
        one.put("after logging out", b"still served")
        shutil.rmtree(one.host.path(one.user.runtime))
        two.eventually_gets("after logging out", b"still served")
        self.assertEqual(one.server, process)
        one.host.as_root(["install", "-d", "-m", "700", "-o", str(one.user.number), "-g", str(one.user.number),
                          one.user.runtime])
        eventually(lambda: self.status(one)[0] == 0, "the daemon")
        project = Project("after logging in")
        project.build(two, "tree")
        build = project.build(one, "tree")
        self.assertEqual(build.peer_hits, build.lookups)
        self.assertEqual(one.server, process)
        one.stop()

    def test_a_home_that_two_machines_share(self):
        # As on NFS: both have one identity.
        hosts = self.lan(CONTAINER, CONTAINER)
        one = self.fabrik(hosts[0], consent="notify-once")
        file = f"{one.user.home}/.local/share/fabrik/identity"
        eventually(one.host.path(file).exists, "the identity")
        hosts[1].write(file, one.host.path(file).read_text(), mode=0o600)
        two = self.fabrik(hosts[1], consent="notify-once")
        # One's own machine need not be asked about.
        self.assert_shared(one, two)
        self.assertEqual(one.pending(), {})
