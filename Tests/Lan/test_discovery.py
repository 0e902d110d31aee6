"""How peers find each other."""

import contextlib
import itertools
import signal
import socket
import unittest

import daemons
import namespaces
from fabrik import OTHER_SECRET
from host import ALICE, BOB
from lan import CONTAINER, Machine
from processes import eventually
from project import Project
from scenario import FIREWALL, MULTICAST, NO_MULTICAST, Scenario

PORT = 47000
WITH_AVAHI = Machine()
OFFLINE = Machine(ipv4=False, ipv6=False, dbus=False, avahi=False)


class MulticastTests(Scenario):
    def test_any_mixture_of_avahi_and_own_responder(self):
        for machines in itertools.product([WITH_AVAHI, CONTAINER], repeat=2):
            with self.subTest(avahi=[machine.avahi for machine in machines]):
                one, two = self.two(*machines)
                self.assert_shared(one, two, "forth")
                self.assert_shared(two, one, "back")
            self.doCleanups()

    def test_a_stopped_avahi_daemon_hangs_nobody(self):
        hosts = self.lan(WITH_AVAHI, WITH_AVAHI)
        hosts[0].signal(signal.SIGSTOP, "avahi-daemon")
        one, two = [self.fabrik(host) for host in hosts]
        self.assert_shared(one, two)
        hosts[1].signal(signal.SIGSTOP, "avahi-daemon")
        self.assert_shared(two, one)

    def test_an_avahi_daemon_that_restarts_is_told_again(self):
        one, two = self.two(WITH_AVAHI, CONTAINER, WITH_AVAHI)
        third = one.host.lan.hosts[2]
        eventually(lambda: services(third), "the services")
        daemons.stop_avahi(one.host)
        daemons.start_avahi(one.host)
        daemons.wait_until_up(one.host)
        eventually(lambda: any(one.host.ipv4 in line for line in services(third)), "the service of the first host")
        three = self.fabrik(third)
        self.assert_shared(one, three)

    def test_an_avahi_daemon_that_tolerates_no_other_is_no_hindrance(self):
        jealous = Machine(avahi_settings="disallow-other-stacks=yes")
        one, two = self.two(jealous, jealous)
        self.assert_shared(one, two)

    def test_hosts_without_ipv4(self):
        for avahi in (False, True):
            with self.subTest(avahi=avahi):
                one, two = self.two(*[Machine(ipv4=False, dbus=avahi, avahi=avahi)] * 2)
                self.assert_shared(one, two)
                self.assertRegex(two.peers()[one.name]["address"], r"^\[f[de]")
            self.doCleanups()

    def test_a_firewall_that_lets_multicast_in(self):
        hosts = self.lan(CONTAINER, CONTAINER)
        hosts[1].firewall(FIREWALL.format(multicast=MULTICAST))
        one, two = [self.fabrik(host) for host in hosts]
        self.assert_shared(one, two)

    def test_a_firewall_that_lets_nothing_in(self):
        hosts = self.lan(CONTAINER, CONTAINER)
        hosts[0].firewall(FIREWALL.format(multicast=MULTICAST))
        one, two = [self.fabrik(host) for host in hosts]
        # Who is behind it fetches all the same. The others cannot, and do not wait.
        self.assert_shared(two, one)
        one.put("behind it", b"bytes")
        self.assertIsNone(two.get("behind it"))
        project = Project("firewall")
        project.build(one, "tree")
        build = project.build(two, "tree")
        self.assertLess(build.statistics["waited_seconds"], 2)

    def test_strangers_learn_little_and_are_not_dialled(self):
        one, two = self.two(WITH_AVAHI, CONTAINER, WITH_AVAHI, CONTAINER)
        third, fourth = one.host.lan.hosts[2:]
        stranger = self.fabrik(fourth, secret=OTHER_SECRET)
        self.assert_shared(one, two)
        self.assertNotIn(stranger.name, one.peers())
        self.assertEqual(stranger.peers(), {})
        self.assertIsNone(stranger.get("an object"))
        lines = eventually(lambda: len(services(third)) >= 3 and services(third), "three services")
        for line in lines:
            self.assertRegex(line, r'"team=[0-9a-f]{16}"')
            self.assertRegex(line, r'"id=[0-9a-f]{16}"')
            for private in (one.user.name, "0fab000", *[f'"{host.number}"' for host in (one.host, two.host)]):
                self.assertNotIn(private, line)

    def test_whoever_leaves_says_goodbye(self):
        for machine in (WITH_AVAHI, CONTAINER):
            with self.subTest(avahi=machine.avahi):
                one, two = self.two(machine, CONTAINER, WITH_AVAHI)
                third = one.host.lan.hosts[2]
                self.assert_shared(one, two)
                eventually(lambda: len(services(third)) >= 2, "two services")
                one.stop()
                eventually(lambda: len(services(third)) == 1, "the goodbye", patience=30)
                # It is remembered, as one that is away.
                eventually(lambda: two.peers().get(one.name, {}).get("connected") is False, "the channel's end", 30)
            self.doCleanups()

    def test_whoever_returns_on_another_port_is_found_again(self):
        one, two = self.two()
        self.assert_shared(one, two)
        before = one.port()
        one.kill()
        # Its port is taken by something else.
        with one.host.inside():
            taken = self.enterContext(eventually(lambda: listener(before), "the port"))
        one.start()
        self.assertNotEqual(one.port(), before)
        self.assert_shared(one, two, "after", b"the restart")
        self.assertTrue(taken)

    def test_whoever_returns_on_its_configured_port_need_not_wait(self):
        one, two = self.two(port=PORT)
        self.assert_shared(one, two)
        one.kill()
        one.start()
        eventually(lambda: one.port() == PORT, "the port")
        self.assert_shared(one, two, "after", b"the restart")

    def test_a_cable_that_was_unplugged(self):
        one, two = self.two()
        self.assert_shared(one, two)
        two.host.unplug()
        self.assertIsNone(two.get("not there"))
        two.host.plug()
        self.assert_shared(one, two, "after", b"the cable")


class OtherWaysTests(Scenario):
    def test_named_peers_need_no_multicast(self):
        for machine, address in ((CONTAINER, "10.77.0.1"), (Machine(ipv4=False, dbus=False, avahi=False), "[fd77::1]")):
            with self.subTest(address=address):
                first, second = self.lan(machine, machine)
                for host in (first, second):
                    host.firewall(NO_MULTICAST)
                one = self.fabrik(first, port=PORT)
                two = self.fabrik(second, peers=[f"{address}:{PORT}"])
                self.assert_shared(one, two)
                # Channels are used in both directions.
                self.assert_shared(two, one, "back", b"to the named one")
            self.doCleanups()

    def test_a_named_peer_that_comes_later_is_found(self):
        first, second = self.lan(CONTAINER, CONTAINER)
        for host in (first, second):
            host.firewall(NO_MULTICAST)
        two = self.fabrik(second, peers=[f"10.77.0.1:{PORT}"])
        self.assertIsNone(two.get("not there"))
        one = self.fabrik(first, port=PORT)
        self.assert_shared(one, two)

    @unittest.skipUnless(namespaces.has_other_users(), "needs root")
    def test_two_users_of_one_machine_that_is_offline(self):
        (host,) = self.lan(OFFLINE)
        host.unplug()
        one, two = self.fabrik(host, user=ALICE, name="h1"), self.fabrik(host, user=BOB, name="bob")
        self.assert_shared(one, two)

    @unittest.skipUnless(namespaces.has_other_users(), "needs root")
    def test_sandboxes_that_share_a_directory_only(self):
        (host,) = self.lan(OFFLINE)
        one = self.fabrik(host.sandbox(), user=ALICE)
        two = self.fabrik(host.sandbox(), user=BOB, name="bob")
        self.assert_shared(one, two)

    @unittest.skipUnless(namespaces.has_other_users(), "needs root")
    def test_another_user_cannot_pose_as_a_peer_in_the_rendezvous_directory(self):
        (host,) = self.lan(OFFLINE)
        stranger = self.fabrik(host, user=BOB, secret=OTHER_SECRET)
        one = self.fabrik(host, user=ALICE)
        one.put("an object", b"its bytes")
        self.assertIsNone(stranger.get("an object"))
        self.assertEqual(stranger.peers(), {})

    def test_alone_on_a_host_without_any_network(self):
        (host,) = self.lan(OFFLINE)
        host.unplug()
        one = self.fabrik(host)
        self.assertIsNone(one.get("not there"))
        one.put("an object", b"its bytes")
        self.assertEqual(one.get("an object"), b"its bytes")


def services(host):
    """What the host's avahi-daemon knows of Fabrik: a line for each resolved service."""
    lines = host.run(["avahi-browse", "--parsable", "--resolve", "--terminate", "_fabrik._tcp"]).splitlines()
    return [line for line in lines if line.startswith("=") and "IPv4" in line]


def listener(port):
    """None while connections of the one who listened before are still being closed."""
    with contextlib.suppress(OSError):
        return socket.create_server(("0.0.0.0", port))
