"""A proxy for HTTP, as companies have it, and one for TCP that does harm."""

import contextlib
import http.client
import select
import socket
import struct
import threading
import time
import urllib.parse

from laboratory import ADDRESS, free_port
from servers import Answer, Server


class HTTPProxy(Server):
    """Forwards requests whose target is a URL, and makes tunnels. `names` are hosts that only it can resolve, with
    their addresses and ports. `targets` are those that it was asked for."""

    def __init__(self, names=None):
        super().__init__()
        self.names = dict(names or {})
        self.targets = []

    def resolve(self, host, port):
        with self.lock:
            self.targets.append(host)
        return self.names.get(host, (host, port))

    def answer(self, request):
        url = urllib.parse.urlsplit(request.path)
        if url.scheme != "http":
            return Answer(400, b"this is a proxy")
        connection = http.client.HTTPConnection(*self.resolve(url.hostname, url.port or 80), timeout=60)
        headers = {name: value for name, value in request.headers.items() if not name.startswith("proxy-")}
        with contextlib.closing(connection):
            connection.request(request.method, url.path + (f"?{url.query}" if url.query else ""), request.body, headers)
            answer = connection.getresponse()
            kept = {name: value for name, value in answer.getheaders()
                    if name.lower() not in ("content-length", "connection", "transfer-encoding", "date", "server")}
            return Answer(answer.status, answer.read(), kept)

    def connect(self, handler):
        """Runs on the connection's own thread until it ends."""
        host, port = handler.path.rsplit(":", 1)
        handler.close_connection = True
        try:
            other = socket.create_connection(self.resolve(host, int(port)), 60)
        except OSError:
            handler.send_error(502)
            return
        handler.send_response(200)
        handler.end_headers()
        with other, contextlib.suppress(OSError):
            pair = {handler.connection: other, other: handler.connection}
            while True:
                for source in select.select(list(pair), [], [])[0]:
                    data = source.recv(65536)
                    if not data:
                        return
                    pair[source].sendall(data)


class FaultProxy(contextlib.AbstractContextManager):
    """In front of the server at a port. The faults can be changed while it runs, and hold from then on, also for
    connections that are open:

    * `delay`: seconds, each way.
    * `refuses`: nobody listens any more.
    * `stalls`: takes connections and bytes, and answers nothing.
    * `drip`: seconds between single bytes of the answers.
    * `rate`: bytes of answers per second.
    * `reset_after`, `cut_after`: bytes of an answer after which the connection is reset, or ended as if all were said.
    * `stall_after`: bytes after which the answer does not go on.
    * `corrupt_at`: the byte of each connection's answers that is changed.
    """

    def __init__(self, port):
        self.target = port
        self.port = free_port()
        self.lock = threading.Lock()
        self.connections = set()
        self.count = 0
        self.heal()

    def heal(self):
        """No more faults."""
        self.delay = self.drip = self.rate = 0
        self.stalls = False
        self.reset_after = self.cut_after = self.stall_after = self.corrupt_at = None
        if hasattr(self, "listener") and self.listener is None:
            self.listen()

    def __enter__(self):
        self.listen()
        return self

    def __exit__(self, *_):
        self.refuse()

    @property
    def url(self):
        return f"http://{ADDRESS}:{self.port}"

    def listen(self):
        self.listener = socket.create_server((ADDRESS, self.port), backlog=128)
        threading.Thread(target=self.accept, args=(self.listener,), daemon=True).start()

    def refuse(self):
        """Also ends what is open."""
        if self.listener:
            # Closing alone would not wake who waits for the next connection.
            with contextlib.suppress(OSError):
                self.listener.shutdown(socket.SHUT_RDWR)
            self.listener.close()
            self.listener = None
        self.cut()

    def cut(self):
        """Ends the connections that are open."""
        with self.lock:
            for connection in self.connections:
                with contextlib.suppress(OSError):
                    connection.shutdown(socket.SHUT_RDWR)

    def accept(self, listener):
        while True:
            try:
                client, _ = listener.accept()
                self.count += 1
                server = socket.create_connection((ADDRESS, self.target))
            except OSError:
                # The listener was closed; or the server is not there, then the client is told so by the end.
                if listener.fileno() < 0 or listener is not self.listener:
                    return
                client.close()
                continue
            for connection in (client, server):
                connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            with self.lock:
                self.connections |= {client, server}
            threading.Thread(target=self.serve, args=(client, server), daemon=True).start()

    def serve(self, client, server):
        """Moves bytes both ways until either end closes."""
        answered = 0
        try:
            while True:
                if self.stalls:
                    if is_closed(client):
                        return
                    time.sleep(0.05)
                    continue
                for source in select.select([client, server], [], [], 1)[0]:
                    data = source.recv(65536)
                    if not data:
                        return
                    time.sleep(self.delay)
                    if self.stalls:
                        # What was read is lost, and with it the rest.
                        while self.stalls and not is_closed(client):
                            time.sleep(0.05)
                        return
                    if source is client:
                        server.sendall(data)
                    elif self.answer(client, data, answered):
                        answered += len(data)
                    else:
                        return
        except OSError:
            pass
        finally:
            with self.lock:
                self.connections -= {client, server}
            client.close()
            server.close()

    def answer(self, client, data, passed):
        """Whether the connection goes on."""
        if self.corrupt_at is not None and passed <= self.corrupt_at < passed + len(data):
            changed = bytearray(data)
            changed[self.corrupt_at - passed] ^= 0x55
            data = bytes(changed)
        for fault in ("reset_after", "cut_after", "stall_after"):
            limit = getattr(self, fault)
            if limit is not None and passed + len(data) >= limit:
                client.sendall(data[:max(0, limit - passed)])
                while fault == "stall_after" and getattr(self, fault) and not is_closed(client):
                    time.sleep(0.05)
                if fault == "reset_after":
                    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
                return False
        if self.rate:
            for index in range(0, len(data), 1024):
                client.sendall(data[index:index + 1024])
                time.sleep(1024 / self.rate)
            return True
        for index in range(len(data)):
            if not self.drip:
                client.sendall(data[index:])
                return True
            client.sendall(data[index:index + 1])
            time.sleep(self.drip)
        return True


def is_closed(connection):
    """Whether its other end is gone, unless that had more to say before."""
    try:
        return connection.recv(1, socket.MSG_PEEK | socket.MSG_DONTWAIT) == b""
    except BlockingIOError:
        return False
    except OSError:
        return True
