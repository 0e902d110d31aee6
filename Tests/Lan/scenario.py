"""What scenarios have in common."""

import unittest

from fabrik import SHOWN, Fabrik
from lan import CONTAINER, Lan, Link

# Everything but what a host asked for itself, as ufw and firewalld have it; `multicast` lets DNS-SD through, too.
FIREWALL = """table inet filter {{ chain input {{ type filter hook input priority 0; policy drop
  ct state established,related accept
  iif lo accept
  meta l4proto ipv6-icmp accept
  {multicast}
}} }}"""
MULTICAST = "udp dport 5353 accept"
# A network that carries no multicast.
NO_MULTICAST = """table inet filter {
  chain input { type filter hook input priority 0; udp dport 5353 drop; udp sport 5353 drop; }
  chain output { type filter hook output priority 0; udp dport 5353 drop; udp sport 5353 drop; }
}"""


class Scenario(unittest.TestCase):
    """Hosts end with their test. When it fails, what the servers had to say is shown before."""

    def lan(self, *machines, link=Link()):
        lan = self.enterContext(Lan(machines, link, SHOWN))
        self.installations = []
        self.addCleanup(self.show_logs)
        return lan.hosts

    def fabrik(self, host, **settings):
        """Fabrik with a running daemon."""
        fabrik = Fabrik(host, **settings)
        self.installations.append(fabrik)
        return fabrik.start()

    def two(self, *machines, link=Link(), **settings):
        """Two running installations on a host each."""
        hosts = self.lan(*(machines or [CONTAINER, CONTAINER]), link=link)
        return [self.fabrik(host, **settings) for host in hosts[:2]]

    def show_logs(self):
        if self._outcome.success:
            return
        for fabrik in self.installations:
            print(fabrik.log() or f"\nno server of {fabrik.user.name} on {fabrik.host.port}")

    def assert_shared(self, owner, asker, name="an object", body=b"its bytes"):
        """What one has, the other gets."""
        owner.put(name, body)
        asker.eventually_gets(name, body)

    def assert_sound(self, fabrik):
        """The store holds nothing damaged, and the server has not grown."""
        verified = fabrik.json("cache", "verify")
        self.assertEqual(verified["damaged"], 0, verified)
        # An idle server takes 15 MiB; what peers send is bounded, what they announce, too.
        self.assertLess(fabrik.memory(), 150)
