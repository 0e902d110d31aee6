"""Raw multicast DNS (RFC 6762): asking for Fabrik's services, and announcing ones that are not there."""

import random
import socket
import struct

GROUP, PORT = "224.0.0.251", 5353
SERVICE = "_fabrik._tcp.local"
A, PTR, TXT, SRV, IN, UNIQUE = 1, 12, 16, 33, 1, 0x8001
ANSWER = 0x8400


def name(text):
    return b"".join(bytes([len(label)]) + label.encode() for label in text.split(".")) + b"\0"


def record(owner, kind, data, ttl=120, group=UNIQUE):
    return name(owner) + struct.pack(">HHIH", kind, group, ttl, len(data)) + data


def text(entries):
    return b"".join(bytes([len(entry)]) + entry.encode() for entry in entries)


def announcement(instance, address, port, entries):
    """What a responder says of one service."""
    owner, host = f"{instance}.{SERVICE}", f"fabrik-{instance}.local"
    records = [
        record(SERVICE, PTR, name(owner), group=IN), record(owner, SRV, struct.pack(">HHH", 0, 0, port) + name(host)),
        record(owner, TXT, text(entries)), record(host, A, socket.inet_aton(address))]
    return struct.pack(">HHHHHH", 0, ANSWER, 0, len(records), 0, 0) + b"".join(records)


def multicast_socket(host):
    with host.inside():
        made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_TTL, 255)
    made.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, socket.inet_aton(host.ipv4))
    return made


def team_tags(host, patience=3):
    """The tags that services on the network announce, as anybody can see them."""
    with multicast_socket(host) as asking:
        asking.settimeout(patience)
        question = struct.pack(">HHHHHH", 7, 0, 1, 0, 0, 0) + name(SERVICE) + struct.pack(">HH", PTR, IN)
        asking.sendto(question, (GROUP, PORT))
        try:
            answer = asking.recv(9000)
        except TimeoutError:
            return set()
    parts = answer.split(b"team=")[1:]
    return {part[:16].decode() for part in parts}


def flood(host, count, tag=None, address=None, seed=1):
    """Announces services from port 5353, as real responders do; each with a name and a port of its own."""
    numbers = random.Random(seed)
    with multicast_socket(host) as sending:
        sending.bind(("", PORT))
        for _ in range(count):
            instance = f"{numbers.getrandbits(64):016x}"
            team = tag or f"{numbers.getrandbits(64):016x}"
            there = address or f"10.77.0.{numbers.randrange(100, 250)}"
            entries = ["v=1", f"id={instance}", f"team={team}"]
            sending.sendto(announcement(instance, there, numbers.randrange(1024, 65536), entries), (GROUP, PORT))
