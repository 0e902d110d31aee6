"""GET throughput of Fabrik's HTTP front end against nginx, which serves the same bytes as static files.

One wrk thread with keep-alive connections asks for one object again and again, over the loopback interface. nginx is
set up for static files (sendfile, tcp_nopush, open_file_cache, no access log, connections that are never closed), once
with one worker and once with one per processor. Rounds are interleaved; the median round counts.

CPU is the processor time of all processes of the server, per request. From 1 MiB on it says little: the kernel charges
the work of the loopback interface to the sender or to the receiver, as it happens.
"""

import contextlib
import os
import re
import socket
import subprocess
import time

from support import measure, options, tools
from support.report import Row
from support.sandbox import Sandbox, object_path

SIZES = {"4 KiB": 4 << 10, "64 KiB": 64 << 10, "1 MiB": 1 << 20, "64 MiB": 64 << 20}
# Few for large objects: more only wait for each other.
CONNECTIONS = {"4 KiB": 8, "64 KiB": 8, "1 MiB": 8, "64 MiB": 4}
ROUNDS, QUICK_ROUNDS = 5, 3
SECONDS, QUICK_SECONDS = 3, 1
AIM = "≥ 1"

NGINX = """
daemon off; pid {directory}/nginx.pid; error_log stderr crit; {user}
worker_processes {workers};
events {{ worker_connections 1024; }}
http {{
  access_log off; sendfile on; tcp_nopush on; tcp_nodelay on;
  keepalive_requests 1000000000; keepalive_timeout 600s;
  open_file_cache max=1000 inactive=600s; open_file_cache_valid 600s;
  client_body_temp_path {directory}/body; proxy_temp_path {directory}/proxy; fastcgi_temp_path {directory}/fastcgi;
  uwsgi_temp_path {directory}/uwsgi; scgi_temp_path {directory}/scgi;
  server {{ listen 127.0.0.1:{port}; root {files}; default_type application/octet-stream; }}
}}
"""


class Round:
    """One run of wrk: requests per second, and the server's processor time per request in microseconds."""

    def __init__(self, url, token, connections, seconds, processes):
        before = measure.cpu_seconds(processes)
        output = subprocess.run(
            [tools.require("wrk"), "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "10s",
             "-H", f"Authorization: Bearer {token}", url],
            capture_output=True, text=True, check=True).stdout
        cpu = measure.cpu_seconds(processes) - before
        if "Non-2xx" in output or "Socket errors" in output:
            raise RuntimeError(f"{url}:\n{output}")
        requests = int(re.search(r"(\d+) requests in", output).group(1))
        self.rate = float(re.search(r"Requests/sec:\s*([\d.]+)", output).group(1))
        self.cpu = cpu / requests * 1e6


class Server:
    """A server under test: its name, the URL prefix and the token, and its processes."""

    def __init__(self, name, port, token, processes, path):
        self.name, self.port, self.token, self.processes, self.path = name, port, token, processes, path

    def measure(self, number, connections, seconds):
        return Round(
            f"http://127.0.0.1:{self.port}{self.path(number)}", self.token, connections, seconds, self.processes)


@contextlib.contextmanager
def nginx(directory, files, workers):
    directory.mkdir()
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    # As root nginx would become a user who cannot enter a private directory.
    user = "user root;" if os.geteuid() == 0 else ""
    configuration = directory / "nginx.conf"
    configuration.write_text(NGINX.format(directory=directory, files=files, workers=workers, port=port, user=user))
    process = subprocess.Popen([tools.require("nginx"), "-p", directory, "-c", configuration])
    try:
        children = wait_for_workers(process, workers)
        name = f"nginx, {workers} worker{'s' if workers > 1 else ''}"
        yield Server(name, port, "none", [process.pid, *children], lambda number: f"/{number}")
    finally:
        process.terminate()
        process.wait()


def wait_for_workers(process, count):
    """The process ids of nginx's workers, when all are there."""
    for _ in range(1000):
        if process.poll() is not None:
            break
        with open(f"/proc/{process.pid}/task/{process.pid}/children") as file:
            children = [int(word) for word in file.read().split()]
        if len(children) == count:
            return children
        time.sleep(0.01)
    raise tools.Unavailable("nginx did not start; its message is above")


def run(settings):
    tools.require("wrk")
    tools.require("nginx")
    rounds, seconds = (QUICK_ROUNDS, QUICK_SECONDS) if settings.quick else (ROUNDS, SECONDS)
    rows = []
    with Sandbox() as sandbox, contextlib.ExitStack() as stack:
        files = sandbox.root / "files"
        files.mkdir()
        held = stack.enter_context(sandbox.held_server(sandbox.environment()))
        for number, size in enumerate(SIZES.values()):
            body = os.urandom(size)
            (files / str(number)).write_bytes(body)
            status, _ = held.request("PUT", object_path(number), body)
            if status >= 300 or held.request("GET", object_path(number)) != (200, body):
                raise RuntimeError(f"an object of {size} bytes was not stored")
        fabrik = Server("Fabrik", held.port, held.token, [held.process], object_path)
        references = [
            stack.enter_context(nginx(sandbox.root / "nginx-one", files, 1)),
            stack.enter_context(nginx(sandbox.root / "nginx-all", files, max(2, os.cpu_count())))]
        for number, (label, size) in enumerate(SIZES.items()):
            results = measure.interleave(rounds, *[
                lambda server=server: server.measure(number, CONNECTIONS[label], seconds)
                for server in [fabrik, *references]])
            for reference, result in zip(references, results[1:]):
                rows.append(row(label, size, results[0], reference.name, result))
    return rows


def row(label, size, ours, name, theirs):
    fast, slow = rate(ours), rate(theirs)
    return Row(
        f"GET {label} against {name}", shown(size, ours), shown(size, theirs), f"{fast / slow:.2f}", AIM)


def rate(rounds):
    return measure.median(round.rate for round in rounds)


def shown(size, rounds):
    requests, cpu = rate(rounds), measure.median(round.cpu for round in rounds)
    return f"{requests:,.0f}/s, {requests * size / 1e6:,.0f} MB/s, CPU {cpu:,.1f} µs"


if __name__ == "__main__":
    options.run_alone(run, __doc__.split("\n")[0])
