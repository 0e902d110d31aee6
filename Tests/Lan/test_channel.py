"""What goes over the wire, and who may join in."""

import contextlib
import socket
import threading
import time

import team
from fabrik import SECRET, Fabrik, object_path
from lan import CONTAINER
from processes import eventually
from scenario import NO_MULTICAST, Scenario

PORT = 47000


class HandshakeTests(Scenario):
    def openssl(self, host, *options, request=""):
        return host.attempt(
            ["timeout", "10", "openssl", "s_client", "-connect", f"10.77.0.1:{PORT}", *options], input=request)

    def test_openssl_agrees_on_a_channel_with_the_right_key_only(self):
        first, second = self.lan(CONTAINER, CONTAINER)
        one = self.fabrik(first, port=PORT)
        key = team.pre_shared_key(SECRET)
        right = ["-tls1_3", "-psk", key, "-psk_identity", "fabrik-v1"]
        outcome = self.openssl(second, *right)
        self.assertRegex(outcome.output, r"(?m)^(New|Reused), TLSv1.3, Cipher is TLS_AES_128_GCM_SHA256$")
        self.assertIn("no peer certificate available", outcome.output)
        # Whoever has the key and no identity can ask for nothing.
        request = "GET /v1/status HTTP/1.1\r\nHost: x\r\n\r\nGET /v1/summary HTTP/1.1\r\nHost: x\r\n\r\n"
        outcome = self.openssl(second, *right, "-quiet", "-no_ign_eof", request=request)
        self.assertNotIn(" 200 ", outcome.output)
        wrong = format(int(key, 16) ^ 1, "064x")
        for options in (["-tls1_3", "-psk", wrong, "-psk_identity", "fabrik-v1"],
                        ["-tls1_3", "-psk", key, "-psk_identity", "another"], ["-tls1_3"], ["-tls1_2"],
                        ["-tls1_2", "-psk", key, "-psk_identity", "fabrik-v1"]):
            with self.subTest(options=options):
                outcome = self.openssl(second, *options)
                self.assertNotEqual(outcome.status, 0)
                self.assertNotRegex(outcome.output, "Cipher is TLS_AES")
        self.assertNotEqual(outcome.status, 124, "the server kept the connection open")
        three = self.fabrik(second)
        self.assert_shared(one, three)


class Relay:
    """Passes connections on, and keeps what went by."""

    def __init__(self, host, target):
        self.host, self.target = host, target
        with host.inside():
            self.listener = socket.create_server((host.ipv4, PORT))
        # Of each connection: what its client sent, what its server sent.
        self.recorded = []
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                threading.Thread(target=self.join, args=(client,), daemon=True).start()

    def join(self, client):
        """Joins a connection to one of its own."""
        record = (bytearray(), bytearray())
        self.recorded.append(record)
        with contextlib.suppress(ConnectionRefusedError), client, self.host.connect(*self.target) as server:
            back = threading.Thread(target=self.pass_on, args=(server, client, record[1]), daemon=True)
            back.start()
            self.pass_on(client, server, record[0])
            back.join()

    def pass_on(self, source, sink, kept):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                kept += data
                sink.sendall(self.changed(data, len(kept)))
        for end in (source, sink):
            with contextlib.suppress(OSError):
                end.shutdown(socket.SHUT_RDWR)

    def changed(self, data, position):
        """What is passed on in place of `data`, which ends at `position`."""
        return data


class RecordedTrafficTests(Scenario):
    """Between two peers sits a third host that passes all on."""

    def setUp(self):
        first, second, third = self.lan(CONTAINER, CONTAINER, CONTAINER)
        for host in (first, second):
            host.firewall(NO_MULTICAST)
        self.one = self.fabrik(first, port=PORT)
        self.relay = Relay(third, (first.ipv4, PORT))
        self.addCleanup(self.relay.listener.close)
        self.two = self.fabrik(second, peers=[f"{third.ipv4}:{PORT}"])

    def test_an_eavesdropper_reads_neither_keys_nor_objects(self):
        body = b"a secret text that would be recognised " * 100
        self.assert_shared(self.one, self.two, "an object", body)
        seen = b"".join(bytes(part) for record in self.relay.recorded for part in record)
        self.assertGreater(len(seen), len(body))
        key = object_path("an object")[-64:-24]
        for text in (b"recognised", key.encode(), bytes.fromhex(key), SECRET.encode(), b"HTTP/1", b"Fabrik",
                     self.two.user.name.encode()):
            self.assertNotIn(text, seen)

    def test_a_replayed_session_is_worth_nothing(self):
        self.assert_shared(self.one, self.two)
        eventually(lambda: self.two.name in self.one.peers(), "the asker among the peers")
        served = self.one.peers()[self.two.name]["served"]
        for client, server in [tuple(map(bytes, record)) for record in self.relay.recorded]:
            with self.relay.host.connect(*self.relay.target) as connection:
                connection.settimeout(30)
                connection.sendall(client)
                answer = bytearray()
                with_reset = False
                try:
                    while data := connection.recv(65536):
                        answer += data
                except ConnectionResetError:
                    with_reset = True
                # A handshake's beginning, and no more: the answers were longer, and were others.
                self.assertLess(len(answer), max(400, len(server)))
                self.assertTrue(with_reset or len(answer) < 400)
        self.assertEqual(self.one.peers()[self.two.name]["served"], served)
        self.assert_shared(self.one, self.two, "after", b"the replay")

    def test_changed_bytes_end_the_channel_and_nothing_else(self):
        self.assert_shared(self.one, self.two)
        # Not the handshake.
        self.relay.changed = lambda data, position: data[:-1] + bytes([data[-1] ^ 1]) if position > 2000 else data
        self.one.put("changed", b"x" * 100_000)
        self.two.kill()
        self.two.start()
        for _ in range(20):
            self.assertIn(self.two.get("changed"), (None, b"x" * 100_000))
        self.assert_sound(self.two)
        self.assert_sound(self.one)


class ClockTests(Scenario):
    def test_a_clock_an_hour_off_is_no_hindrance(self):
        for shift in (3600, -3600):
            with self.subTest(shift=shift):
                first, second = self.lan(CONTAINER, CONTAINER)
                one = self.fabrik(first)
                two = Fabrik(second).with_clock_shifted(shift)
                self.installations.append(two)
                two.start()
                self.assert_shared(one, two, "forth")
                self.assert_shared(two, one, "back")
                # Its clock really is off.
                seen = eventually(lambda: two.peers()[one.name]["last_seen_ms"], "a record") / 1000
                self.assertAlmostEqual(seen - time.time(), shift, delta=600)
            self.doCleanups()
