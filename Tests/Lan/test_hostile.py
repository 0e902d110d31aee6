"""Peers that lie, stall and flood."""

import multicast
from fabrik import Fabrik
from lan import CONTAINER
from processes import eventually
from project import Project, objects
from scenario import NO_MULTICAST, Scenario

PORT = 47000
HOSTILE = "/run/lab/fabrik/hostile-peer"

# Those that show whether a server goes on serving others; what each of them gets is tested on one machine.
ATTACKS = ["many", "slowloris", "deaf", "crowd", "everything", "unsigned", "traverse", "other-secret"]


class HostileServerTests(Scenario):
    """A member of the team, with the secret, that has all the results of a build and does not keep to the rules.
    Whatever it does: the build succeeds, nothing wrong is stored, memory stays bounded. Each way to misbehave is tested
    on one machine."""

    def setUp(self):
        self.first, self.second = self.lan(CONTAINER, CONTAINER)
        for host in (self.first, self.second):
            host.firewall(NO_MULTICAST)
        # The store that the hostile peer serves from.
        self.owner = self.fabrik(self.first)
        self.project = Project("hostile")
        self.project.build(self.owner, "tree")
        self.owner.stop()
        self.two = Fabrik(self.second, peers=[f"{self.first.ipv4}:{PORT}"])
        self.installations.append(self.two)

    def start_hostile(self, misbehaviour, *options):
        hostile = self.first.spawn(
            [HOSTILE, misbehaviour, "--port", PORT, "--store", f"{self.owner.user.home}/.cache/fabrik", *options],
            environment=self.owner.environment)
        hostile.wait_for("ready")
        return hostile

    def build_beside(self, misbehaviour, *options, sign="claimed"):
        """`sign`: what the hostile peer prints when it has been met."""
        hostile = self.start_hostile(misbehaviour, *options)
        self.two.start()
        try:
            builds = []
            # The first meets the peer while it is being connected to, the others when it is known.
            for number in range(3):
                if number == 1:
                    hostile.wait_for(sign)
                builds.append(self.project.build(self.two, f"tree{number}"))
                self.assertEqual(objects(self.owner, "tree"), objects(self.two, f"tree{number}"))
                self.two.run("cache", "clear")
            self.project.build(self.two, "last")
            self.assert_sound(self.two)
            return builds
        finally:
            self.two.kill()
            hostile.stop()
            self.two.host.run(["rm", "-rf", f"{self.two.user.home}/.cache", f"{self.two.user.home}/.local"])

    def test_an_honest_one_is_fetched_from(self):
        builds = self.build_beside("honest")
        self.assertGreater(sum(build.peer_hits for build in builds), 0)

    def test_what_it_lies_about_is_neither_used_nor_kept(self):
        self.assertEqual([build.peer_hits for build in self.build_beside("lie")], [0, 0, 0])

    def test_one_that_says_nothing_is_not_waited_for(self):
        self.build_beside("stall", sign="connected")

    def test_a_million_claims_take_bounded_memory(self):
        self.build_beside("honest", "--claim", "1000000")


class RelayTests(Scenario):
    def test_a_request_relayed_to_a_third_peer_is_refused(self):
        for mode in ("relay", "relay-requests"):
            with self.subTest(mode=mode):
                hosts = self.lan(CONTAINER, CONTAINER, CONTAINER)
                for host in hosts:
                    host.firewall(NO_MULTICAST)
                one = self.fabrik(hosts[0], port=PORT)
                one.put("an object", b"its bytes")
                relay = hosts[1].spawn(
                    [HOSTILE, mode, "--port", PORT, "--to", f"{hosts[0].ipv4}:{PORT}"], environment=one.environment)
                relay.wait_for("ready")
                three = self.fabrik(hosts[2], peers=[f"{hosts[1].ipv4}:{PORT}"])
                relay.wait_for("passed on")
                for _ in range(20):
                    self.assertIsNone(three.get("an object"))
                self.assertNotIn("passed on: 200", relay.output)
                self.assertNotIn(three.name, one.peers())
            self.doCleanups()


class HostileClientTests(Scenario):
    def test_a_server_that_is_attacked_goes_on_serving_the_others(self):
        hosts = self.lan(CONTAINER, CONTAINER, CONTAINER)
        one, two = self.fabrik(hosts[0], port=PORT), self.fabrik(hosts[1])
        one.put("here", b"bytes")
        two.eventually_reaches(one)
        for attack in ATTACKS:
            with self.subTest(attack=attack):
                attacker = hosts[2].spawn(
                    [HOSTILE, attack, "--to", f"{one.host.ipv4}:{PORT}"], environment=one.environment)
                for number in range(3):
                    self.assert_shared(one, two, f"{attack} {number}", attack.encode() * 10_000)
                attacker.stop()
                self.assert_sound(one)


class FloodTests(Scenario):
    def test_ten_thousand_services_of_strangers(self):
        self.announce_beside(tag_known=False)

    def test_ten_thousand_services_that_claim_to_be_of_the_team(self):
        self.announce_beside(tag_known=True)

    def test_ten_thousand_services_at_a_host_that_refuses_them(self):
        self.announce_beside(tag_known=True, there="10.77.0.3")

    def announce_beside(self, tag_known, there=None):
        """Nobody is where the services claim to be; real peers are found all the same."""
        one, two = self.two(CONTAINER, CONTAINER, CONTAINER, CONTAINER)
        third, fourth = one.host.lan.hosts[2:]
        self.assert_shared(one, two)
        tags = eventually(lambda: multicast.team_tags(third), "the team's tag")
        two.host.firewall(
            "table inet count { counter dialled { }\nchain output { type filter hook output priority 0\n"
            "oifname eth0 tcp flags & (syn | ack) == syn counter name dialled\n} }")
        multicast.flood(third, 10_000, tag=tags.pop() if tag_known else None, address=there)
        self.assert_shared(one, two, "after", b"the flood")
        three = self.fabrik(fourth)
        self.assert_shared(one, three, "for a newcomer", b"that comes during it")
        for fabrik in (one, two, three):
            self.assert_sound(fabrik)
            self.assertLess(len(fabrik.peers()), 200)
        counted = two.host.as_root(["nft", "list", "counter", "inet", "count", "dialled"])
        dialled = int(counted.split("packets ")[1].split()[0])
        self.assertLess(dialled, 2000 if tag_known else 20)
