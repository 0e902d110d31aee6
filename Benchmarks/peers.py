"""What peers give and cost, between hosts that are network namespaces of this machine.

* builds: one host builds a real C project, the other fetches that build, and builds again from its own warm store.
* latency: hits of 16 KiB over a link with a round trip of 1 ms, through the HTTP front end, each key for the first
  time, against a bare TCP exchange of as many bytes. Throughput: 64 MiB over a link of 1 Gbit/s against iperf3.
* misses: a build that nobody has the results of, with peers of which a quarter is dead (the host is gone without a
  word) or stalled (the server is stopped), against the same build of a user who has no peers.
* start: from the start of `exec` without a server to the first hit from a peer that was there before.

Rounds are interleaved. The hosts share this machine's processors: a busy one shows in both columns, and what other
hosts do shows in wall times that would be shorter on a real network. CPU is the time of the build and its own server.
"""

import contextlib
import itertools
import os
import resource
import signal
import time

from support import lan, measure, tools
from support.report import Row

# Of the laboratory, which support.lan has put on the path.
import namespaces
import network
from fabrik import SHOWN, Fabrik
from host import ALICE, BOB
from lan import Link
from processes import eventually
from project import DebianProject, objects

KIBIBYTE, MEBIBYTE = 1 << 10, 1 << 20
# Small files, of which it shows most what a fetch costs; and larger ones.
PROJECTS = ["lua", "libuv"]
BUILD_ROUNDS, QUICK_BUILD_ROUNDS = 11, 2
MISS_ROUNDS, QUICK_MISS_ROUNDS = 7, 1
HIT_ROUNDS, HITS = 10, 50
# Seconds between small hits: what was fetched is stored after it was handed on, as between two of a compiler's.
PAUSE = 0.003
LARGE_ROUNDS, QUICK_LARGE_ROUNDS = 7, 2
START_ROUNDS, QUICK_START_ROUNDS = 20, 3
PEERS = (0, 1, 8, 32)


def builds(quick):
    return [row for name in PROJECTS[:1 if quick else None] for row in builds_of(name, quick)]


def builds_of(name, quick):
    project = DebianProject(name)
    with lan.hosts(2) as (first, second):
        one, two = Fabrik(first).start(), Fabrik(second).start()
        cold = project.build(one, "tree")
        two.eventually_reaches(one)
        trees = itertools.count()
        rates, identical, fetched_entries = [], [], []

        def build(clear):
            if clear:
                lan.forget_builds(two)
            lan.put_away(two, f"{two.user.home}/.cache/ccache")
            tree = f"tree{next(trees)}"
            build = project.build(two, tree)
            identical.append(objects(one, "tree") == objects(two, tree))
            lan.put_away(two, f"{two.top}/{tree}")
            if clear:
                # The store was empty: what hits there was fetched before.
                rates.append(build.hits / build.lookups)
                fetched_entries.append(build.statistics["hits"]["peers"])
            elif build.statistics["hits"]["local"] < build.lookups:
                raise RuntimeError(f"the warm store missed: {build.statistics}")
            return build.outcome.seconds

        # The build from the other host fills the store for the one that follows.
        fetched, warm = [], []
        for _ in range(QUICK_BUILD_ROUNDS if quick else BUILD_ROUNDS):
            fetched.append(build(clear=True))
            warm.append(build(clear=False))
        ratio = measure.paired_ratio(fetched, warm)
        return [
            Row(f"build of {name} from a peer", lan.shown(fetched, 1, "{:.3f} s"),
                f"{lan.shown(warm, 1, '{:.3f} s')} own warm store (cold {cold.outcome.seconds:.1f} s)",
                f"{ratio:.3f}", "≤ 1.15"),
            Row(f"look-ups of {name} that were hits, least", f"{min(rates):.1%}", aim="≥ 99 %"),
            Row(f"entries of {name} that came from the peer, least", f"{min(fetched_entries)}"),
            Row(f"builds of {name} with byte-identical objects", f"{sum(identical)} of {len(identical)}", aim="all")]


def latency(quick):
    with lan.hosts(2, Link(delay=0.0005)) as (first, second):
        one, two = Fabrik(first).start(), Fabrik(second).start()
        rounds = 2 if quick else HIT_ROUNDS
        with one.front_end() as front_end:
            for number in range(rounds * HITS):
                front_end.put(f"small {number}", os.urandom(16 * KIBIBYTE))
            front_end.put("last", b"x")
        two.eventually_gets("last", b"x")
        front_end = lan.RawFrontEnd(two)
        numbers = itertools.count()

        def hits():
            times = []
            for _ in range(HITS):
                length, seconds = front_end.get(f"small {next(numbers)}")
                if length != 16 * KIBIBYTE:
                    raise RuntimeError("a small object was not fetched")
                times.append(seconds)
                time.sleep(PAUSE)
            return times

        ours, theirs = measure.interleave(
            rounds, hits, lambda: network.ping_pong(second, first, 16 * KIBIBYTE, HITS, PAUSE))
        ours, theirs = sum(ours, []), sum(theirs, [])
        more = measure.median(ours) - measure.median(theirs)
        return [Row("hit of 16 KiB from a peer, round trip 1 ms", lan.shown(ours), f"{lan.shown(theirs)} bare TCP",
                    f"+{more * 1000:.2f} ms", "≤ + 0.5 ms")]


def throughput(quick):
    with lan.hosts(2) as (first, second):
        for host in (first, second):
            host.limit(1000)
        one, two = Fabrik(first).start(), Fabrik(second).start()
        rounds = QUICK_LARGE_ROUNDS if quick else LARGE_ROUNDS
        size = 64 * MEBIBYTE
        with one.front_end() as front_end:
            for number in range(rounds):
                # What is put a second after it was missed took a second to make, and is worth being waited for.
                front_end.get(f"large {number}")
                time.sleep(1)
                front_end.put(f"large {number}", os.urandom(size))
        one.put("last", b"x")
        two.eventually_gets("last", b"x")
        front_end = lan.RawFrontEnd(two)
        numbers = itertools.count()

        def fetch():
            length, seconds = front_end.get(f"large {next(numbers)}")
            if length != size:
                raise RuntimeError("a large object was not fetched")
            return length / seconds

        ours, theirs = measure.interleave(rounds, fetch, lambda: network.throughput(first, second))
        share = measure.paired_ratio(ours, theirs)
        form = {"unit": 1e-6, "text": "{:.1f} MB/s", "percent": 5}
        return [Row("64 MiB from a peer, 1 Gbit/s", lan.shown(ours, **form), f"{lan.shown(theirs, **form)} iperf3",
                    f"{share:.2f}", "≥ 0.9")]


def misses(quick):
    if not namespaces.has_other_users():
        raise tools.Unavailable("the all-miss build compares two users, which needs root")
    project = DebianProject("lua")
    rows = []
    for count in PEERS:
        with lan.hosts(count + 1) as (host, *others):
            alone = Fabrik(host, user=BOB, configured=False).start()
            ours = Fabrik(host, user=ALICE).start()
            peers = [Fabrik(other).start() for other in others]
            for number, peer in enumerate(peers):
                peer.put(f"of peer {number}", b"x")
                ours.eventually_gets(f"of peer {number}", b"x")
            harmed = count // 4
            for peer in peers[:harmed:2]:
                os.kill(peer.host.init, signal.SIGKILL)
            for peer in peers[1:harmed:2]:
                peer.signal(signal.SIGSTOP)
            servers = [peer.server for peer in peers[harmed:]]

            def build(fabrik):
                lan.forget_builds(fabrik)
                before = processor_times(fabrik, servers)
                build = project.build(fabrik, "tree")
                own, others = (after - now for after, now in zip(processor_times(fabrik, servers), before))
                if build.hits:
                    raise RuntimeError(f"a build that should miss has hit: {build.statistics}")
                return build.outcome.seconds, own, others

            rounds = QUICK_MISS_ROUNDS if quick else MISS_ROUNDS
            with_peers, without = (
                [list(column) for column in zip(*results)]
                for results in measure.interleave(rounds, lambda: build(ours), lambda: build(alone)))
            wall, own = (measure.paired_ratio(with_peers[n], without[n]) for n in range(2))
            rows.append(Row(
                f"all-miss build with {count} peers, {harmed} of them dead or stalled",
                f"{lan.shown(with_peers[0], 1, '{:.3f} s')}, CPU {measure.median(with_peers[1]):.2f} s",
                f"{lan.shown(without[0], 1, '{:.3f} s')}, CPU {measure.median(without[1]):.2f} s without peers",
                f"{wall:.3f}, CPU {own:.3f}", "≤ 1.02"))
            tools.progress(f"peers: the peers' servers used {measure.median(with_peers[2]):.2f} s of CPU meanwhile")
            tools.progress(f"peers: {rows[-1].measurement}: {rows[-1].ratio}")
    return rows


def processor_times(fabrik, others):
    """Seconds that the builds and this user's server have used, and that other hosts' servers have."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    own = usage.ru_utime + usage.ru_stime + measure.cpu_seconds(fabrik.servers())
    return own, measure.cpu_seconds(others)


def start(quick):
    with lan.hosts(2) as (first, second):
        one, two = Fabrik(first).start(), Fabrik(second)
        alone = Fabrik(second, user=BOB, configured=False) if namespaces.has_other_users() else None
        rounds = QUICK_START_ROUNDS if quick else START_ROUNDS
        keys = 3000
        with one.front_end() as front_end:
            for number in range(keys):
                front_end.put(f"first {number}", b"x")

        def until_hit(known):
            """Seconds to the first hit and to the start of the command."""
            if not known:
                two.host.run(["rm", "-rf", f"{two.user.home}/.local/share/fabrik/peers"], user=two.user)
            two.run("cache", "clear")
            return first_hit(two, keys)

        # Leaves port and token for the rounds, and what is known of the peer.
        first_hit(two, keys)
        known, new = measure.interleave(rounds, lambda: until_hit(True), lambda: until_hit(False))
        rows = [
            Row("start of exec to the first hit from a known peer", lan.shown([hit for hit, _ in known]),
                aim="≤ 50 ms"),
            Row("start of exec to the first hit from a peer never met", lan.shown([hit for hit, _ in new]))]
        if alone:
            ours, theirs = measure.interleave(rounds * 2, lambda: command_start(two), lambda: command_start(alone))
            more = measure.median(ours) - measure.median(theirs)
            rows.append(Row("start of exec to the start of COMMAND", lan.shown(ours), f"{lan.shown(theirs)} no peers",
                            f"+{more * 1000:.2f} ms", "+ 0"))
        return rows


# Bash knows the time without starting a program.
TIMED = 'echo "$EPOCHREALTIME"; exec "$0" exec -q --linger 0 -- bash -c \'echo "$EPOCHREALTIME"; {command}\''


def spawn_timed(fabrik, command):
    return fabrik.host.spawn(
        ["bash", "-c", TIMED.format(command=command), fabrik.program], user=fabrik.user,
        environment=fabrik.environment, directory=fabrik.top)


def times(running):
    """When `exec` and COMMAND started, if they have."""
    return [float(line) for line in running.output.split()]


def end(fabrik, running):
    running.wait()
    eventually(lambda: not fabrik.servers(), "the server's end")


def command_start(fabrik):
    running = spawn_timed(fabrik, "true")
    end(fabrik, running)
    begin, command = times(running)
    return command - begin


def first_hit(fabrik, keys):
    """Asks for one object after another until one comes from the peer."""
    running = spawn_timed(fabrik, "while ! [ -e hit ]; do sleep 0.02; done; rm hit")
    hit = None
    names = (f"first {number}" for number in range(keys))
    while hit is None:
        if not running.is_running:
            raise RuntimeError(running.output)
        with contextlib.suppress(OSError, ValueError, IndexError):
            front_end = lan.RawFrontEnd(fabrik)
            for name in names:
                length, _ = front_end.get(name)
                if length is not None:
                    hit = time.time()
                    break
                time.sleep(0.0005)
            else:
                raise RuntimeError("no hit from a peer that is there")
    fabrik.host.write(f"{fabrik.top}/hit", "", user=fabrik.user)
    end(fabrik, running)
    begin, command = times(running)
    return hit - begin, command - begin


MEASUREMENTS = {"builds": builds, "latency": latency, "throughput": throughput, "misses": misses, "start": start}


if __name__ == "__main__":
    lan.run("peers", __doc__, MEASUREMENTS)
