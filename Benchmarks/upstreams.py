"""What stores behind the peers give, with 25 ms to a regional one and 120 ms to S3, over a switch that delays.

* latency: hits of 16 KiB through the HTTP front end, each key for the first time, by the layer that has them.
* builds: a real C project whose results are only in one store, against compiling it: with what the last build asked for
  fetched ahead, and without.

The hosts share this machine's processors with the stores: nginx with DAV, and rclone's S3 server.
"""

import contextlib
import itertools
import os
import time

from support import lan, measure, tools
from support.report import Row

# Of the laboratory, which support.lan has put on the path.
import network
from fabrik import SHOWN, Fabrik
from host import ROOT
from lan import CONTAINER, Lan, Link
from processes import eventually
from project import DebianProject, objects

PROJECTS = ["lua", "libuv"]
ROUNDS, QUICK_ROUNDS = 5, 1
HITS, QUICK_HITS = 40, 10
SIZE = 16384
# Seconds that an object seems to have taken: what was missed so long before it was put.
MADE_IN = 0.3
# One way, seconds. The switch adds as much to each way between any two hosts.
NEAR = 0.00025
REGIONAL, S3 = 0.0125 - NEAR, 0.060 - NEAR
KEY, KEY_SECRET = "AKIDBENCHMARK", "benchmark-secret-0123456789"

NGINX = """user root; worker_processes 1; daemon off; pid /tmp/nginx.pid; error_log stderr crit;
events { worker_connections 1024; }
http { access_log off; tcp_nodelay on; keepalive_requests 1000000; client_max_body_size 0;
client_body_temp_path /tmp/bodies; proxy_temp_path /tmp/p; fastcgi_temp_path /tmp/f; uwsgi_temp_path /tmp/u;
scgi_temp_path /tmp/s;
server { listen 9000; location / { root /tmp/store; dav_methods PUT DELETE; create_full_put_path on; } } }
"""


@contextlib.contextmanager
def world():
    """A builder, a user, a regional store and one with S3."""
    shown = {**SHOWN, "rclone": tools.REPOSITORY / ".build" / "tools" / "rclone"}
    with lan.homes() as make:
        machines = [CONTAINER._replace(homes=make(number)) for number in range(2)]
        machines += [CONTAINER._replace(delay=REGIONAL), CONTAINER._replace(delay=S3)]
        with Lan(machines, Link(delay=NEAR), shown) as hosts:
            builder, user, regional, s3 = hosts.hosts
            regional.run(["mkdir", "-p", "/tmp/store", "/tmp/bodies"], user=ROOT)
            regional.write("/tmp/nginx.conf", NGINX, user=ROOT)
            regional.spawn(["nginx", "-e", "stderr", "-c", "/tmp/nginx.conf"], user=ROOT, directory="/")
            s3.run(["mkdir", "-p", "/tmp/store/builds"], user=ROOT)
            s3.spawn(["/run/lab/rclone/rclone", "serve", "s3", "--addr", "0.0.0.0:9000", "--auth-key",
                      f"{KEY},{KEY_SECRET}", "/tmp/store"], user=ROOT, directory="/")
            for host in (regional, s3):
                eventually(lambda host=host: accepts(builder, host), "a store")
            yield builder, user, regional, s3


def accepts(host, other):
    try:
        host.connect(other.address, 9000).close()
        return True
    except OSError:
        return False


def installation(host, peers=False, regional=None, s3=None, **environment):
    """Fabrik with these stores only."""
    fabrik = Fabrik(host, configured=False)
    lines = ["[p2p]", f"enabled = {str(peers).lower()}", 'secret = "${FABRIK_SECRET}"', 'consent = "always-allow"']
    if regional:
        lines += ["[[upstream]]", f'url = "http://{regional.address}:9000/fabrik"']
    if s3:
        lines += ["[[upstream]]", 'url = "s3://builds/fabrik"', f'endpoint = "http://{s3.address}:9000"']
    host.write(f"{fabrik.top}/.fabrik.toml", "\n".join([*lines, ""]), user=fabrik.user)
    fabrik.environment |= {"AWS_ACCESS_KEY_ID": KEY, "AWS_SECRET_ACCESS_KEY": KEY_SECRET, **environment}
    return fabrik


def latency(quick):
    count = QUICK_HITS if quick else HITS
    with world() as (builder, user, regional, s3):
        for layer, stores in (("regional", {"regional": regional}), ("s3", {"s3": s3})):
            there = installation(builder, **stores).start()
            put_slowly(there, layer, count)
            # It ends when everything is up.
            there.stop()
        peer = installation(builder, peers=True).start()
        put_slowly(peer, "peers", count)
        ours = installation(user, peers=True, regional=regional, s3=s3).start()
        peer.put("last", b"x")
        ours.eventually_gets("last", b"x")
        front_end = lan.RawFrontEnd(ours)
        times = {}
        for layer in ("peers", "regional", "s3"):
            times[layer] = hits(front_end, layer, count)
        times["local"] = hits(front_end, "peers", count)
        bare = {layer: network.ping_pong(user, host, SIZE, count, 0.005)
                for layer, host in (("peers", builder), ("regional", regional), ("s3", s3))}
        ratio = measure.median(times["regional"]) / measure.median(times["peers"])
        aims = {"regional": (f"{ratio:.1f} × the peer's", "≥ 4 ×")}
        return [Row(f"hit of 16 KiB, {layer}", lan.shown(times[layer]),
                    f"{lan.shown(bare[layer])} bare TCP" if layer in bare else "–", *aims.get(layer, ("–", "–")))
                for layer in ("local", "peers", "regional", "s3")]


def put_slowly(fabrik, kind, count):
    """Puts objects that seem to have taken a while to make: they are worth being waited for."""
    with fabrik.front_end() as front_end:
        for number in range(count):
            front_end.get(f"{kind} {number}")
            time.sleep(MADE_IN)
            front_end.put(f"{kind} {number}", os.urandom(SIZE))


def hits(front_end, kind, count):
    times = []
    for number in range(count):
        length, seconds = front_end.get(f"{kind} {number}")
        if length != SIZE:
            raise RuntimeError(f"{kind} {number} was not fetched")
        times.append(seconds)
        time.sleep(0.005)
    return times


def builds(quick):
    return [row for name in PROJECTS[:1 if quick else None] for row in builds_of(name, quick)]


def builds_of(name, quick):
    project = DebianProject(name)
    rows = []
    with world() as (builder, user, regional, s3):
        for layer, stores, shown in (
                ("regional", {"regional": regional}, "the regional store, 25 ms"), ("s3", {"s3": s3}, "S3, 120 ms")):
            there = installation(builder, **stores).start()
            lan.forget_builds(there)
            project.build(there, "tree")
            there.stop()
            reference = objects(there, "tree")

            def build(stores, layer=layer, reference=reference, **environment):
                ours = installation(user, **stores, **environment).start()
                lan.forget_builds(ours)
                build = project.build(ours, "tree")
                if objects(ours, "tree") != reference:
                    raise RuntimeError("objects differ")
                lan.put_away(ours, f"{ours.top}/tree")
                ours.stop()
                return build

            compiled, ahead, plainly = [], [], []
            for _ in range(QUICK_ROUNDS if quick else ROUNDS):
                compiled.append(build({}).outcome.seconds)
                ahead.append(build(stores))
                plainly.append(build(stores, FABRIK_PREFETCH="false"))
            compiling = lan.shown(compiled, 1, "{:.2f} s")
            for kind, results in (("fetched ahead", ahead), ("without fetching ahead", plainly)):
                seconds = [result.outcome.seconds for result in results]
                least = min(result.statistics["hits"][layer] / result.lookups for result in results)
                rows.append(Row(
                    f"build of {name} from {shown}, {kind}", lan.shown(seconds, 1, "{:.2f} s"), f"{compiling} compiling",
                    f"{measure.paired_ratio(seconds, compiled):.2f}, hits ≥ {least:.0%}", "< 1"))
            gain = measure.paired_ratio([b.outcome.seconds for b in plainly], [b.outcome.seconds for b in ahead])
            used = measure.median([result.statistics["prefetched"]["used"] for result in ahead])
            rows.append(Row(f"gain of fetching ahead, {name}, {shown}", f"{gain:.2f} ×, {used:.0f} entries used"))
            tools.progress(f"upstreams: {rows[-1].measurement}: {rows[-1].fabrik}")
    return rows


MEASUREMENTS = {"latency": latency, "builds": builds}


if __name__ == "__main__":
    lan.run("upstreams", __doc__, MEASUREMENTS)
