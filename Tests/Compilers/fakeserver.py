"""The server's side of the plugin's socket, honest or not."""

import os
import shutil
import socket
import struct
import threading

from bodies import SMALL, name_of, objects_of

HELLO, GET, PUT, OBJECT, USED = 1, 2, 3, 4, 5
READY, HIT, MISS, FOUND, WORKING = 1, 2, 3, 4, 5


def frame(kind, fields=b""):
    return struct.pack("<IB", len(fields) + 1, kind) + fields


def hit(action, paths=()):
    encoded = [os.fsencode(path) for path in paths]
    return frame(HIT, struct.pack("<I", len(action)) + action +
                 b"".join(struct.pack("<H", len(path)) + path for path in encoded))


class Closed(Exception):
    """The connection is to end."""


class FakeServer:
    """Serves until it is stopped.

    What is called to answer a request may be replaced: `on_hello`, `on_get`, `on_object`. They return bytes to send,
    and raise `Closed` to send no more.
    """

    def __init__(self, directory):
        self.store = os.path.join(directory, "server")
        os.makedirs(self.store, exist_ok=True)
        self.path = os.path.join(directory, "cas.sock")
        self.changed = threading.Condition()
        self.hellos, self.gets, self.wanted, self.used, self.actions, self.puts = [], [], [], [], {}, []
        self.connections, self.threads = [], []
        self.on_hello = lambda fields: frame(READY, b"\2")
        self.on_get = self.answer_get
        self.on_object = self.answer_object
        self.listener = None
        self.start()

    def start(self):
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(self.path)
        self.listener.listen(64)
        self.is_over = False
        threading.Thread(target=self._accept, args=(self.listener,), daemon=True).start()

    def _accept(self, listener):
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            if self.is_over:
                connection.close()
                return
            self.connections.append(connection)
            thread = threading.Thread(target=self._serve, args=(connection,), daemon=True)
            self.threads.append(thread)
            thread.start()

    def stop(self):
        """As if it were killed."""
        self.is_over = True
        for end in [self.listener, *self.connections]:
            try:
                end.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass
        self.listener.close()
        for thread in self.threads:
            thread.join(30)
        for connection in self.connections:
            connection.close()
        self.connections, self.threads = [], []
        os.unlink(self.path)

    @staticmethod
    def _receive(connection, size):
        content = b""
        while len(content) < size:
            part = connection.recv(size - len(content))
            if not part:
                raise Closed
            content += part
        return content

    def _serve(self, connection):
        try:
            while True:
                size, kind = struct.unpack("<IB", self._receive(connection, 5))
                fields = self._receive(connection, size - 1)
                connection.sendall(self._answer(kind, fields))
        except (Closed, OSError):
            pass
        finally:
            try:
                connection.shutdown(socket.SHUT_RDWR)
            except OSError:
                pass

    def _note(self, where, what):
        with self.changed:
            where.append(what)
            self.changed.notify_all()

    def wait_for(self, condition):
        with self.changed:
            assert self.changed.wait_for(condition, timeout=60), "nothing has come"

    def _answer(self, kind, fields):
        if kind == HELLO:
            self._note(self.hellos, fields)
            return self.on_hello(fields)
        if kind == GET:
            self._note(self.gets, fields)
            return self.on_get(fields)
        if kind == OBJECT:
            self._note(self.wanted, fields)
            return self.on_object(fields)
        if kind == PUT:
            self._take(fields[:32], fields[32:])
            self._note(self.puts, (fields[:32], fields[32:]))
            return b""
        assert kind == USED, kind
        self._note(self.used, (fields[:32], struct.unpack("<Q", fields[32:])[0]))
        return b""

    # The honest server.

    def file(self, digest):
        return os.path.join(self.store, digest.hex())

    def keep(self, digest, body):
        with open(self.file(digest), "wb") as file:
            file.write(body)

    def _take(self, key, action):
        _, lease_size = self.hellos[-1][:2]
        directory = os.fsdecode(self.hellos[-1][2 + lease_size:])
        for digest, size in objects_of(action)[0]:
            if size > SMALL:
                shutil.copy(os.path.join(directory, "objects", name_of(digest)), self.file(digest))
        self.actions[key] = action

    def paths(self, action):
        return [self.file(digest) for digest, size in objects_of(action)[0] if size > SMALL]

    def answer_get(self, key):
        action = self.actions.get(key)
        return frame(MISS) if action is None else hit(action, self.paths(action))

    def answer_object(self, digest):
        path = self.file(digest)
        return frame(FOUND, os.fsencode(path)) if os.path.exists(path) else frame(MISS)
