"""The server's memory while a blob of 4 GB is stored and fetched, over HTTP and over ccache's storage helper protocol.

The blob is sent and received in pieces and compared with what was sent. The server's largest resident size (VmHWM) is
read before the first transfer and after each one.
"""

import contextlib
import http.client
import os
import shutil
import socket
import struct
import zlib

from support import measure, options, tools
from support.report import Row
from support.sandbox import Sandbox, object_path

BLOB_SIZE, QUICK_BLOB_SIZE = 4_000_000_000, 400_000_000
PIECE = os.urandom(1 << 20)
# The two protocols' blobs have different bytes, so that they are stored twice; and the disk is not filled to the brim.
DISK_FACTOR = 2.5
AIM = "no growth with the size"
STORE_LIMIT = "20GB"


class Blob:
    """Bytes that are made as they are needed: the same piece again and again, behind a few bytes of its own."""

    def __init__(self, mark, size):
        self.mark, self.size = mark, size

    def pieces(self):
        yield self.mark
        left = self.size - len(self.mark)
        while left > 0:
            yield PIECE[:left]
            left -= len(PIECE)

    @property
    def checksum(self):
        return checksum(self.pieces())


def checksum(pieces):
    value = 0
    for piece in pieces:
        value = zlib.crc32(piece, value)
    return value


def put_http(server, number, blob):
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", server.port)) as connection:
        connection.request(
            "PUT", object_path(number), body=blob.pieces(), encode_chunked=False,
            headers={"Authorization": f"Bearer {server.token}", "Content-Length": str(blob.size)})
        if connection.getresponse().status >= 300:
            raise RuntimeError("PUT over HTTP was refused")


def get_http(server, number, blob):
    with contextlib.closing(http.client.HTTPConnection("127.0.0.1", server.port)) as connection:
        connection.request("GET", object_path(number), headers={"Authorization": f"Bearer {server.token}"})
        answer = connection.getresponse()
        return answer.status == 200 and checksum(iter(lambda: answer.read(1 << 20), b"")) == blob.checksum


def connect(server):
    """A connection of the storage helper protocol, with its greeting read."""
    connection = socket.socket(socket.AF_UNIX)
    connection.connect(str(server.instance / "crsh.sock"))
    version, capabilities = receive(connection, 2)
    if version != 1:
        raise RuntimeError(f"the storage helper protocol has version {version}")
    receive(connection, capabilities)
    return connection


def receive(connection, count):
    data = b""
    while len(data) < count:
        piece = connection.recv(count - len(data))
        if not piece:
            raise RuntimeError("the server closed the connection")
        data += piece
    return data


def key(number):
    return bytes.fromhex(f"{number:040x}")


def put_crsh(server, number, blob):
    with connect(server) as connection:
        # Opcode 1, key, flag 1 (overwrite), size in the host's byte order.
        connection.sendall(b"\x01\x14" + key(number) + b"\x01" + struct.pack("=Q", blob.size))
        for piece in blob.pieces():
            connection.sendall(piece)
        if receive(connection, 1) != b"\x00":
            raise RuntimeError("put over the storage helper protocol was refused")


def get_crsh(server, number, blob):
    with connect(server) as connection:
        connection.sendall(b"\x00\x14" + key(number))
        if receive(connection, 1) != b"\x00" or struct.unpack("=Q", receive(connection, 8)) != (blob.size,):
            return False
        left, value = blob.size, 0
        while left > 0 and (piece := connection.recv(min(left, 1 << 20))):
            value, left = zlib.crc32(piece, value), left - len(piece)
        return left == 0 and value == blob.checksum


def affordable_size(directory, wanted):
    free = shutil.disk_usage(directory).free
    if free >= wanted * DISK_FACTOR:
        return wanted
    size = int(free / DISK_FACTOR)
    tools.progress(f"memory: only {free / 1e9:.1f} GB of disk are free, so the blob has {size / 1e9:.1f} GB")
    return size


def run(settings):
    with Sandbox() as sandbox:
        size = affordable_size(sandbox.root, QUICK_BLOB_SIZE if settings.quick else BLOB_SIZE)
        environment = sandbox.environment(FABRIK_MAX_SIZE=STORE_LIMIT)
        rows = []
        for name, put, get in [("HTTP", put_http, get_http), ("storage helper protocol", put_crsh, get_crsh)]:
            with sandbox.held_server(environment) as server:
                rows += stream(name, put, get, server, Blob(name.encode(), size))
        return rows


def stream(name, put, get, server, blob):
    """Stores and fetches the blob through a server that has done nothing yet."""
    small = Blob(b"small", 100_000)
    put(server, 1, small)
    get(server, 1, small)
    before = measure.peak_memory(server.process)
    put(server, 2, blob)
    stored = measure.peak_memory(server.process)
    if not get(server, 2, blob):
        raise RuntimeError(f"the blob that came back over {name} is not the one that was stored")
    fetched = measure.peak_memory(server.process)
    tools.progress(f"memory: {name}: {before:.1f} MiB before, {stored:.1f} after put, {fetched:.1f} after get")
    return [Row(
        f"peak memory, {blob.size / 1e9:.1f} GB in and out over {name}", f"{fetched:.1f} MiB",
        f"{before:.1f} MiB after a blob of 100 kB", f"{fetched / before:.2f}", AIM)]


if __name__ == "__main__":
    options.run_alone(run, __doc__.split("\n")[0])
