"""What a network between two hosts can do, measured without Fabrik."""

import contextlib
import json
import socket
import statistics
import threading
import time


@contextlib.contextmanager
def answering(host, size):
    """A program on `host` that answers each byte with `size` bytes; the block gets its port."""
    with host.inside():
        listener = socket.create_server((host.address, 0), family=family(host))

    def serve():
        with contextlib.suppress(OSError):
            while True:
                connection, _ = listener.accept()
                with connection:
                    connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                    while connection.recv(1):
                        connection.sendall(bytes(size))

    thread = threading.Thread(target=serve, daemon=True)
    thread.start()
    with listener:
        try:
            yield listener.getsockname()[1]
        finally:
            # Wakes the thread up.
            listener.shutdown(socket.SHUT_RDWR)
            thread.join()


def family(host):
    return socket.AF_INET if host.machine.ipv4 else socket.AF_INET6


def ping_pong(asker, answerer, size, count=200, pause=0):
    """Seconds from a byte sent to `size` bytes received, over one warm TCP connection; one for each exchange.
    `pause`: seconds between exchanges."""
    times = []
    with answering(answerer, size) as port, asker.connect(answerer.address, port) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for number in range(count + 10):
            begin = time.perf_counter()
            connection.sendall(b"x")
            missing = size
            while missing > 0:
                missing -= len(connection.recv(missing))
            # The first ones open the congestion window.
            if number >= 10:
                times.append(time.perf_counter() - begin)
            time.sleep(pause)
    return times


def throughput(sender, receiver, seconds=2):
    """What iperf3 reaches over one connection, in bytes per second."""
    server = receiver.spawn(["iperf3", "--server", "--one-off", "--forceflush"])
    server.wait_for("listening")
    report = sender.run(["iperf3", "--client", receiver.address, "--time", str(seconds), "--json"])
    server.wait()
    return json.loads(report)["end"]["sum_received"]["bits_per_second"] / 8


def percentile(values, percent):
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]
