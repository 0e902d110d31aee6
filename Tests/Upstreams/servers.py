"""HTTP servers within the tests, whose behaviour can be changed while they run."""

import contextlib
import http.server
import socket
import threading
from typing import NamedTuple

from laboratory import ADDRESS


class Request(NamedTuple):
    method: str
    # As it was sent, still encoded.
    path: str
    # Names in lower case.
    headers: dict
    body: bytes


class Answer(NamedTuple):
    status: int
    body: bytes = b""
    headers: dict = {}


class Server(contextlib.AbstractContextManager):
    """Listens within this block. What it answers is for others to define; each request is remembered with the status
    of its answer."""

    def __init__(self, address=ADDRESS):
        self.address = address
        self.seen = []
        # Connections.
        self.accepted = 0
        self.lock = threading.Lock()

    def __enter__(self):
        self.listener = _Listener((self.address, 0), _Handler)
        self.listener.owner = self
        self.port = self.listener.server_address[1]
        self.thread = threading.Thread(target=self.listener.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.listener.shutdown()
        self.listener.server_close()
        self.listener.cut()
        self.thread.join()

    @property
    def url(self):
        return f"http://{self.address}:{self.port}"

    def answer(self, request):
        raise NotImplementedError

    def requests(self, *methods):
        """Those with one of the methods, oldest first, each with the status of its answer."""
        with self.lock:
            return [(request, status) for request, status in self.seen if not methods or request.method in methods]


class Store(Server):
    """Keeps in memory what is put. While `fault` is set, that is the answer to everything."""

    def __init__(self, address=ADDRESS, path="", token=None):
        super().__init__(address)
        self.base, self.token = path, token
        self.kept = {}
        self.fault = None

    @property
    def url(self):
        return super().url + self.base

    def answer(self, request):
        if self.fault:
            return self.fault
        if self.token and request.headers.get("authorization") != f"Bearer {self.token}":
            return Answer(401, b"who are you?")
        with self.lock:
            if request.method == "PUT":
                return self.put(request)
            return self.get(request)

    def get(self, request):
        body = self.kept.get(request.path)
        return Answer(404) if body is None else Answer(200, body)

    def put(self, request):
        self.kept[request.path] = request.body
        return Answer(201)

    # What the tests do behind its clients' backs

    def objects(self):
        """Bodies by paths."""
        with self.lock:
            return dict(self.kept)

    def names(self):
        return list(self.objects())

    def write(self, name, body):
        with self.lock:
            self.kept[name] = body

    def clear(self):
        with self.lock:
            self.kept.clear()


# What an access point for guests answers, whatever was asked.
PORTAL = Answer(200, b"<!DOCTYPE html><html><body><h1>Welcome!</h1>Please accept our terms.</body></html>",
                {"Content-Type": "text/html"})


class Redirector(Server):
    """Sends everybody to the same path elsewhere."""

    def __init__(self, target, address=ADDRESS):
        super().__init__(address)
        self.target = target

    def answer(self, request):
        return Answer(307, headers={"Location": self.target + request.path})


class MovedStore(Store):
    """What is asked for below /old is now below /new."""

    def answer(self, request):
        if request.path.startswith("/old/"):
            return Answer(307, headers={"Location": "/new/" + request.path.removeprefix("/old/")})
        return super().answer(request)


class _Listener(http.server.ThreadingHTTPServer):
    daemon_threads = True
    block_on_close = False
    request_queue_size = 128

    def __init__(self, *arguments):
        self.connections = set()
        super().__init__(*arguments)

    def process_request(self, request, client_address):
        self.connections.add(request)
        self.owner.accepted += 1
        super().process_request(request, client_address)

    def shutdown_request(self, request):
        self.connections.discard(request)
        super().shutdown_request(request)

    def cut(self):
        """Ends the connections that are open."""
        for connection in list(self.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)

    def handle_error(self, request, client_address):
        """A client that went away is no error of the server's."""


class _Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # An answer leaves in two writes; otherwise the second would wait for the first to be acknowledged.
    disable_nagle_algorithm = True

    def handle_any(self):
        owner = self.server.owner
        headers = {name.lower(): value for name, value in self.headers.items()}
        request = Request(self.command, self.path, headers, self.body())
        answer = owner.answer(request)
        with owner.lock:
            owner.seen.append((request, answer.status))
        self.send_response(answer.status)
        for name, value in answer.headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(answer.body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(answer.body)

    do_GET = do_HEAD = do_PUT = do_DELETE = do_POST = handle_any

    def do_CONNECT(self):
        self.server.owner.connect(self)

    def body(self):
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            body = b""
            while size := int(self.rfile.readline().split(b";")[0], 16):
                body += self.rfile.read(size)
                self.rfile.readline()
            self.rfile.readline()
            return body
        return self.rfile.read(int(self.headers.get("Content-Length", 0)))

    def log_message(self, *_):
        pass
