"""The laboratory itself: a scenario can only show something in a network that is what it claims to be."""

import os
import signal
import socket
import subprocess
import sys
import time
import unittest

import daemons
import namespaces
import network
from host import ALICE, BOB, ROOT
from lan import CONTAINER, HERE, Lan, Link, Machine
from processes import PATIENCE, Failure, eventually


# That nothing comes cannot be waited for.
MOMENT = 0.3


def receives(sender, receiver, patience=PATIENCE, address=None):
    """Whether a datagram gets from one host to the other. It is sent again and again."""
    deadline = time.monotonic() + patience
    with receiver.inside(), socket.socket(network.family(receiver), socket.SOCK_DGRAM) as target:
        target.bind((address or receiver.address, 0))
        target.settimeout(min(patience, MOMENT))
        with sender.inside(), socket.socket(network.family(sender), socket.SOCK_DGRAM) as source:
            while True:
                try:
                    source.sendto(b"x", target.getsockname()[:2])
                    return target.recv(1) == b"x"
                except TimeoutError:
                    pass
                except OSError:
                    time.sleep(0.05)
                if time.monotonic() >= deadline:
                    return False


class HostTests(unittest.TestCase):
    def test_hosts_have_their_own_files_names_and_processes(self):
        with Lan([CONTAINER, CONTAINER]) as lan:
            one, two = lan.hosts
            seen = [host.run(["sh", "-c", "hostname; cat /etc/machine-id; echo $HOME; ls -A $HOME /tmp"])
                    for host in lan.hosts]
            self.assertIn(f"h1\n{0xfab0001:032x}\n/home/{one.user.name}\n", seen[0])
            self.assertNotEqual(*seen)
            one.run(["sh", "-c", "echo text > /tmp/file"])
            self.assertEqual(one.path("/tmp/file").read_text(), "text\n")
            self.assertFalse(two.path("/tmp/file").exists())
            sleeper = one.spawn(["sleep", "1234"])
            eventually(lambda: one.processes("sleep", "1234"), "sleep")
            self.assertEqual(two.processes("sleep", "1234"), [])
            one.signal(signal.SIGTERM, "sleep", "1234")
            sleeper.wait()

    def test_nothing_is_left_when_the_tests_are_killed(self):
        script = (f"import signal, sys, time; sys.path.insert(0, {str(HERE)!r})\n"
                  # A job that a shell has put into the background is born with it ignored.
                  "signal.signal(signal.SIGINT, signal.default_int_handler)\n"
                  "from lan import *\n"
                  "with Lan([Machine(), CONTAINER], Link(delay=0.001)) as lan:\n"
                  "    lan.hosts[0].spawn(['sleep', '7777'])\n"
                  "    print(lan.hosts[0].init, lan.wire.process.pid, flush=True)\n"
                  "    time.sleep(600)\n")
        for number in (signal.SIGKILL, signal.SIGINT):
            tests = subprocess.Popen(
                [sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
                start_new_session=True)
            processes = tests.stdout.readline().split()
            spaces = {os.readlink(f"/proc/{process}/ns/net") for process in processes}
            self.assertEqual(len(spaces), 2)
            tests.send_signal(number)
            tests.communicate()
            eventually(lambda: not any(network_of(process) in spaces for process in os.listdir("/proc")),
                       "the end of the laboratory's processes")

    @unittest.skipUnless(namespaces.has_other_users(), "needs root")
    def test_users_cannot_read_each_others_files(self):
        with Lan([CONTAINER]) as lan:
            (host,) = lan.hosts
            host.run(["touch", "secret"], user=ALICE)
            with self.assertRaises(Failure):
                host.run(["ls", "/home/alice"], user=BOB)
            self.assertEqual(host.run(["id", "-un"], user=ALICE), "alice\n")
            self.assertEqual(host.run(["id", "-un"], user=ROOT), "root\n")

    def test_a_sandbox_shares_files_and_not_the_network(self):
        with Lan([CONTAINER]) as lan:
            (host,) = lan.hosts
            sandbox = host.sandbox()
            sandbox.run(["touch", "/tmp/file"])
            self.assertTrue(host.path("/tmp/file").exists())
            self.assertIn("eth0", host.run(["ip", "link"]))
            self.assertNotIn("eth0", sandbox.run(["ip", "link"]))
            self.assertTrue(receives(sandbox, sandbox, address="127.0.0.1"))

    def test_a_spawned_program_ends_with_the_one_who_started_it(self):
        with Lan([CONTAINER]) as lan:
            (host,) = lan.hosts
            running = host.spawn(["sh", "-c", "echo started; exec sleep 4321"])
            running.wait_for("started")
            eventually(lambda: host.processes("sleep", "4321"), "sleep")
            running.stop()
            eventually(lambda: not host.processes("sleep", "4321"), "the end of sleep")


def network_of(process):
    try:
        return os.readlink(f"/proc/{process}/ns/net")
    except OSError:
        return None


class NetworkTests(unittest.TestCase):
    def test_a_link_can_be_unplugged_and_plugged_in_again(self):
        for link in (Link(), Link(delay=0.0001)):
            with self.subTest(link=link), Lan([CONTAINER, CONTAINER], link) as lan:
                one, two = lan.hosts
                self.assertTrue(receives(one, two))
                two.unplug()
                self.assertIn("NO-CARRIER", two.run(["ip", "link", "show", "eth0"]))
                self.assertFalse(receives(one, two, patience=MOMENT))
                two.plug()
                self.assertTrue(receives(one, two))

    def test_a_firewall_lets_only_through_what_it_should(self):
        with Lan([CONTAINER, CONTAINER]) as lan:
            one, two = lan.hosts
            two.firewall("table inet filter { chain input { type filter hook input priority 0; policy drop;\n"
                         "ct state established,related accept\niif lo accept\nmeta l4proto ipv6-icmp accept } }")
            self.assertFalse(receives(one, two, patience=MOMENT))
            self.assertTrue(receives(two, one))
            two.firewall("")
            self.assertTrue(receives(one, two))

    def test_hosts_without_ipv4_reach_each_other(self):
        with Lan([Machine(ipv4=False, dbus=False, avahi=False)] * 2) as lan:
            one, two = lan.hosts
            self.assertNotIn("inet 10.", one.run(["ip", "address", "show", "eth0"]))
            self.assertTrue(receives(one, two))

    def test_the_switch_delays_limits_and_loses(self):
        with Lan([CONTAINER, CONTAINER], Link(delay=0.005)) as lan:
            times = network.ping_pong(*lan.hosts, size=1, count=50)
            # It must not be less; how much more depends on the machine's load, which disturbs one of them the least.
            self.assertGreaterEqual(network.percentile(times, 50), 0.010)
            self.assertLess(min(times), 0.030)
        with Lan([CONTAINER, CONTAINER], Link(rate=100)) as lan:
            self.assertLess(network.throughput(*lan.hosts, seconds=1), 100e6 / 8)
        with Lan([CONTAINER, CONTAINER], Link(loss=50)) as lan:
            self.assertTrue(receives(*lan.hosts), "the neighbour's address")
            received = sum(receives(*lan.hosts, patience=0.05) for _ in range(40))
            self.assertTrue(2 <= received <= 38, received)

    def test_a_host_may_be_farther_away_than_others(self):
        with Lan([CONTAINER, CONTAINER, CONTAINER._replace(delay=0.04)], Link(delay=0.0005)) as lan:
            one, two, three = lan.hosts
            near, far = (network.ping_pong(one, other, size=1, count=20) for other in (two, three))
            self.assertLess(min(near), 0.04)
            self.assertGreaterEqual(network.percentile(far, 50), 0.08)

    def test_large_transfers_pass_the_switch_unharmed(self):
        with Lan([CONTAINER, CONTAINER], Link(delay=0.0005)) as lan:
            one, two = lan.hosts
            self.assertEqual(len(network.ping_pong(one, two, size=8 << 20, count=3)), 3)

    def test_a_rate_holds_in_both_directions(self):
        with Lan([CONTAINER, CONTAINER]) as lan:
            one, two = lan.hosts
            one.limit(50)
            for pair in ((one, two), (two, one)):
                self.assertLess(network.throughput(*pair, seconds=1), 60e6 / 8)


class DaemonTests(unittest.TestCase):
    def test_a_service_is_seen_by_the_other_daemons_until_its_own_ends(self):
        with Lan([Machine(), Machine(), CONTAINER]) as lan:
            one, two, three = lan.hosts
            one.spawn(["avahi-publish", "--service", "a-name", "_fabriktest._tcp", "4711", "v=1"])
            browse = ["avahi-browse", "--parsable", "--resolve", "--terminate", "_fabriktest._tcp"]
            found = eventually(lambda: ";4711;" in (seen := two.run(browse)) and seen, "the service")
            self.assertIn(f";{one.ipv4};", found)
            self.assertIn("h1.local", found)
            with self.assertRaises(Failure):
                three.run(browse)
            daemons.stop_avahi(one)
            eventually(lambda: "a-name" not in two.run(browse), "the service's end")
            daemons.start_avahi(one)
            daemons.wait_until_up(one)

    def test_hosts_without_ipv4_see_services(self):
        with Lan([Machine(ipv4=False)] * 2) as lan:
            one, two = lan.hosts
            one.spawn(["avahi-publish", "--service", "a-name", "_fabriktest._tcp", "4711"])
            browse = ["avahi-browse", "--parsable", "--resolve", "--terminate", "_fabriktest._tcp"]
            eventually(lambda: ";4711" in two.run(browse), "the service")

    def test_each_user_has_a_session_bus(self):
        with Lan([Machine(avahi=False)]) as lan:
            (host,) = lan.hosts
            for user in host.users:
                answer = host.run(["dbus-send", "--session", "--print-reply", "--dest=org.freedesktop.DBus",
                                   "/org/freedesktop/DBus", "org.freedesktop.DBus.GetId"], user=user)
                self.assertIn("string", answer)
