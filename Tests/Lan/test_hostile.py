"""Peers that lie, stall and flood."""

import multicast
from fabrik import Fabrik
from lan import CONTAINER
from processes import eventually
from project import Project, objects
from scenario import NO_MULTICAST, Scenario

PORT = 47000


class HostileMemberTests(Scenario):
    """A member of the team, with the secret, that does not keep to the rules. Whatever it does: the build succeeds,
    nothing wrong is stored, memory stays bounded."""

    def build_beside(self, mode):
        first, second, third = self.lan(CONTAINER, CONTAINER, CONTAINER)
        for host in (first, second, third):
            host.firewall(NO_MULTICAST)
        reference = Fabrik(third, configured=False)
        project = Project("hostile")
        project.build(reference, "tree")
        hostile = first.spawn(
            ["/run/lab/fabrik/hostile-peer", mode, "--port", str(PORT)], environment={"FABRIK_SECRET": Fabrik(first).environment["FABRIK_SECRET"]})
        hostile.wait_for("ready")
        two = self.fabrik(second, peers=[f"{first.ipv4}:{PORT}"])
        eventually(lambda: "connected" in hostile.output, "the hostile peer's connection")
        for round in range(3):
            build = project.build(two, f"tree{round}")
            self.assertEqual(build.peer_hits, 0)
            self.assertEqual(objects(reference, "tree"), objects(two, f"tree{round}"))
            two.run("cache", "clear")
        self.assert_sound(two)
        return hostile, two

    def test_it_lies_about_digests(self):
        self.build_beside("lie")

    def test_it_stalls_after_accepting(self):
        self.build_beside("stall")

    def test_it_dribbles_a_byte_a_second(self):
        self.build_beside("dribble")

    def test_it_resets_in_mid_body(self):
        self.build_beside("reset")

    def test_it_sends_endless_headers(self):
        self.build_beside("headers")

    def test_it_floods_with_summaries(self):
        self.build_beside("flood")

    def test_it_relays_a_request_to_a_third_peer(self):
        hosts = self.lan(CONTAINER, CONTAINER, CONTAINER)
        for host in hosts:
            host.firewall(NO_MULTICAST)
        one = self.fabrik(hosts[0], port=PORT)
        one.put("an object", b"its bytes")
        relay = hosts[1].spawn(
            ["/run/lab/fabrik/hostile-peer", "relay", "--port", str(PORT), "--to", f"{hosts[0].ipv4}:{PORT}"],
            environment=one.environment)
        relay.wait_for("ready")
        three = self.fabrik(hosts[2], peers=[f"{hosts[1].ipv4}:{PORT}"])
        eventually(lambda: "connected" in relay.output, "the relay's connection")
        for _ in range(20):
            self.assertIsNone(three.get("an object"))
        self.assertNotIn(three.name, one.peers())


class FloodTests(Scenario):
    def test_ten_thousand_services_of_strangers(self):
        self.announce_beside(tag_known=False)

    def test_ten_thousand_services_that_claim_to_be_of_the_team(self):
        self.announce_beside(tag_known=True)

    def announce_beside(self, tag_known):
        """Nobody is where the services claim to be; real peers are found all the same."""
        one, two = self.two(CONTAINER, CONTAINER, CONTAINER, CONTAINER)
        third, fourth = one.host.lan.hosts[2:]
        self.assert_shared(one, two)
        tags = eventually(lambda: multicast.team_tags(third), "the team's tag")
        two.host.firewall("table inet count { counter dialled { }; chain output {\n"
                          "type filter hook output priority 0; tcp flags & (syn | ack) == syn oifname eth0 counter name dialled\n} }")
        multicast.flood(third, 10_000, tag=tags.pop() if tag_known else None)
        self.assert_shared(one, two, "after", b"the flood")
        three = self.fabrik(fourth)
        self.assert_shared(one, three, "for a newcomer", b"that comes during it")
        for fabrik in (one, two, three):
            self.assert_sound(fabrik)
            self.assertLess(len(fabrik.peers()), 200)
        counted = two.host.as_root(["nft", "list", "counter", "inet", "count", "dialled"])
        dialled = int(counted.split("packets ")[1].split()[0])
        self.assertLess(dialled, 2000 if tag_known else 20)
