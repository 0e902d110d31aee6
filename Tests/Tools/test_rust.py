"""Rust through sccache, as cargo calls the compiler."""

import contextlib
import os
import shutil
import signal
from pathlib import Path

from processes import Running, attempt, eventually
from servers import Store
from toolcase import ToolScenario, files, remove, write

# Of a registry, in the order in which they depend on each other.
CRATES = ["first", "second", "third", "fourth"]

# Stands in for rustc, and lets a crate's compilation wait until the scenario has done something to the build.
GATED_RUSTC = """#!/bin/sh
case " $* " in
*" --print "*|*" --print="*) ;;
*" --crate-name $GATED "*link*)
  echo $$ >> "$GATE/started"
  while ! test -e "$GATE/open"; do sleep 0.02; done ;;
esac
exec /usr/bin/rustc "$@"
"""


def manifest(name, dependencies=""):
    return f'[package]\nname = "{name}"\nversion = "0.1.0"\nedition = "2021"\n[dependencies]\n{dependencies}\n'


def registry(machine):
    """A vendored registry at a fixed place, as cargo's own is at one; returns cargo's home."""
    top = f"{machine.top}/registry"
    for before, name in zip([None, *CRATES], CRATES):
        write(f"{top}/{name}", {
            "Cargo.toml": manifest(name, f'{before} = "0.1.0"' if before else ""),
            "src/lib.rs": f"pub fn {name}() -> u32 {{ {f'{before}::{before}()' if before else 0} + 1 }}\n",
            ".cargo-checksum.json": '{"files":{}}'})
    home = f"{machine.top}/cargo"
    write(home, {
        "config.toml": f'[source.crates-io]\nreplace-with = "v"\n[source.v]\ndirectory = "{top}"\n'})
    return home


WORKSPACE = {
    "Cargo.toml": '[workspace]\nmembers = ["part", "program"]\n',
    "part/Cargo.toml": manifest("part", f'{CRATES[-1]} = "0.1.0"'),
    "part/src/lib.rs": f"pub fn part() -> u32 {{ {CRATES[-1]}::{CRATES[-1]}() }}\n",
    "program/Cargo.toml": manifest("program", 'part = { path = "../part" }'),
    "program/src/main.rs": 'fn main() { println!("{}", part::part()); }\n',
}
CARGO = ["cargo", "build", "--offline"]


class RustScenario(ToolScenario):
    programs = ("sccache", "ccache")

    def cargo(self, upstreams=(), secret=None, **environment):
        """Fabrik on a machine with a registry."""
        installation = self.installation(**environment)
        installation.environment["CARGO_HOME"] = registry(installation.host)
        if upstreams:
            installation.configure(upstreams=upstreams, secret=secret)
        return installation

    def daemons(self, installation):
        """Process ids of all that belongs to sccache daemons of this machine's builds."""
        found = []
        for name in filter(str.isdigit, os.listdir("/proc")):
            with contextlib.suppress(OSError):
                variables = Path(f"/proc/{name}/environ").read_bytes()
                if b"SCCACHE_START_SERVER=" in variables and str(installation.top).encode() in variables:
                    found.append(int(name))
        return found

    def assert_nothing_is_left(self, installation):
        eventually(lambda: not self.daemons(installation), "the end of sccache's daemon")
        eventually(lambda: not installation.host.processes("fabrik-sccache-keeper"), "the end of its keeper")


class CacheTests(RustScenario):
    def test_crates_of_a_registry_come_from_the_cache_in_another_directory(self):
        fabrik = self.cargo()
        plain = write(f"{fabrik.top}/plain", WORKSPACE)
        self.without_fabrik(fabrik, CARGO, plain)
        for name in ("first", "second"):
            directory = write(f"{fabrik.top}/{name}", WORKSPACE)
            build = fabrik.build(CARGO, directory=directory)
            self.assertEqual(self.counts(build, "sccache").lookups, len(CRATES))
            for pattern in [f"target/debug/deps/lib{crate}-*" for crate in CRATES]:
                self.assertEqual(files(directory, pattern), files(plain, pattern))
            self.assert_nothing_is_left(fabrik)
        self.assert_hits(build, "sccache", share=1, at_least=len(CRATES))
        program = fabrik.host.run([f"{directory}/target/debug/program"])
        self.assertEqual(program.strip(), str(len(CRATES)))

    def test_all_that_is_made_has_been_stored_when_the_build_ends(self):
        """A CI job's server does not stay."""
        fabrik = self.cargo(FABRIK_LINGER="0")
        for name in ("first", "second"):
            build = fabrik.build(CARGO, directory=write(f"{fabrik.top}/{name}", WORKSPACE))
            eventually(lambda: not fabrik.servers(), "the server's end")
        self.assertEqual(build.statistics["hits"]["local"], len(CRATES))

    def test_a_job_gets_the_packages_of_the_workspace_too(self):
        fabrik = self.cargo(CI="true")
        directory = write(f"{fabrik.top}/job", WORKSPACE)
        products = []
        for _ in range(2):
            build = fabrik.build(CARGO, directory=directory)
            products.append(files(directory, "target/debug/deps/lib*"))
            remove(f"{directory}/target")
        self.assert_hits(build, "sccache", share=1, at_least=len(CRATES) + 1)
        self.assertEqual(*products)

    def test_a_developer_and_a_job_have_the_crates_of_a_registry_in_common(self):
        fabrik = self.cargo()
        fabrik.build(CARGO, directory=write(f"{fabrik.top}/mine", WORKSPACE))
        fabrik.environment.update(CI="true", CARGO_TERM_COLOR="always")
        build = fabrik.build(CARGO, directory=write(f"{fabrik.top}/job", WORKSPACE))
        self.assertEqual(build.statistics["hits"]["local"], len(CRATES))

    def test_another_machine_gets_what_the_first_has_built(self):
        store = self.enterContext(Store())
        top = None
        for name in ("first", "second"):
            fabrik = self.cargo(upstreams=[store.url])
            # A registry is at the same place on all machines, and cargo's key has that place in it.
            if top is None:
                top, home = fabrik.top, fabrik.environment["CARGO_HOME"]
            fabrik.environment["CARGO_HOME"] = home
            build = fabrik.build(CARGO, directory=write(f"{fabrik.top}/{name}", WORKSPACE))
            if name == "first":
                fabrik.stop()
        self.assertEqual(build.statistics["hits"]["regional"], len(CRATES), build.outcome.errors)

    def test_c_below_cargo_below_make_is_counted_as_c(self):
        fabrik = self.cargo()
        texts = {
            **WORKSPACE, "Makefile": "all:\n\tcargo build --offline\n",
            "program/build.rs": """fn main() {
                let out = std::env::var("OUT_DIR").unwrap();
                let status = std::process::Command::new("cc").args(["-c", "c/part.c", "-o"])
                    .arg(format!("{out}/part.o")).status().unwrap();
                assert!(status.success());
            }""",
            "program/c/part.c": "int part(void) { return 42; }\n"}
        for name in ("first", "second"):
            build = fabrik.build(["make"], directory=write(f"{fabrik.top}/{name}", texts))
        self.assertEqual(self.counts(build, "sccache"), (len(CRATES), len(CRATES)))
        self.assert_hits(build, "ccache", share=1, at_least=1)
        self.assertEqual(set(build.statistics["tools"]), {"sccache", "ccache"})

    def test_a_build_with_nothing_to_compile_starts_no_daemon(self):
        fabrik = self.cargo()
        directory = write(f"{fabrik.top}/tree", WORKSPACE)
        self.without_fabrik(fabrik, CARGO, directory)
        build = fabrik.build(CARGO, directory=directory)
        self.assertEqual(build.lookups, 0)
        self.assertNotIn("Compiling", build.outcome.errors)

    def test_errors_are_the_compilers_own(self):
        fabrik = self.cargo(CI="true")
        # What is found before types are looked at, sccache finds with one more warning by older compilers.
        texts = {**WORKSPACE, "part/src/lib.rs": 'pub fn part() -> u32 { "text" }\n'}
        outcomes = []
        for name in ("plain", "cached"):
            directory = write(f"{fabrik.top}/{name}/tree", texts)
            command = ["exec", "--quiet", "--", *CARGO, "--quiet"]
            if name == "plain":
                outcome = attempt(fabrik.host.command(
                    [*CARGO, "--quiet"], environment=fabrik.environment, directory=directory))
            else:
                outcome = fabrik.attempt(*command, directory=directory)
            outcomes.append((outcome.status, outcome.output, outcome.errors))
        self.assertEqual(*outcomes)
        self.assertEqual(outcomes[0][0], 101)


class FailureTests(RustScenario):
    def gated(self, crate="second", **environment):
        """A build whose compilation of one crate waits."""
        fabrik = self.cargo(GATED=crate, **environment)
        gate = Path(fabrik.top) / "gate"
        gate.mkdir()
        write(fabrik.top, {"compiler/rustc": GATED_RUSTC})
        fabrik.environment.update(GATE=str(gate), RUSTC=f"{fabrik.top}/compiler/rustc")
        directory = write(f"{fabrik.top}/tree", WORKSPACE)
        command = fabrik.host.command(
            [fabrik.program, "exec", "--", *CARGO], environment=fabrik.environment, directory=directory)
        build = Running(command)
        self.addCleanup(build.stop)
        started = gate / "started"
        eventually(lambda: started.exists() and started.read_text(), f"the crate's turn\n{build.output}")
        return fabrik, build, gate

    def compilers(self, gate):
        """Those that have been started for the crate, and run."""
        started = [int(line) for line in (gate / "started").read_text().split()]
        return [process for process in started if Path(f"/proc/{process}").exists()]

    def assert_builds(self, fabrik, build, gate):
        (gate / "open").touch()
        self.assertEqual(build.wait(), 0, build.output)
        program = fabrik.host.run([f"{fabrik.top}/tree/target/debug/program"])
        self.assertEqual(program.strip(), str(len(CRATES)))
        self.assert_nothing_is_left(fabrik)

    def test_the_daemon_is_killed(self):
        fabrik, build, gate = self.gated()
        [before] = self.compilers(gate)
        for process in self.daemons(fabrik):
            with contextlib.suppress(ProcessLookupError):
                if os.path.basename(os.readlink(f"/proc/{process}/exe")) == "sccache":
                    os.kill(process, signal.SIGKILL)
        eventually(lambda: len(self.compilers(gate)) == 1 and self.compilers(gate) != [before], "another compiler")
        self.assert_builds(fabrik, build, gate)

    def test_the_daemons_keeper_is_killed(self):
        fabrik, build, gate = self.gated()
        [keeper] = fabrik.host.processes("fabrik-sccache-keeper")
        os.kill(keeper, signal.SIGKILL)
        eventually(lambda: len((gate / "started").read_text().split()) == 2, "another compiler")
        self.assert_builds(fabrik, build, gate)

    def test_the_server_is_killed(self):
        fabrik, build, gate = self.gated()
        fabrik.kill()
        self.assert_builds(fabrik, build, gate)
        # What was under way went on.
        self.assertEqual(len((gate / "started").read_text().split()), 1)

    def test_the_server_hangs(self):
        fabrik, build, gate = self.gated()
        fabrik.signal(signal.SIGSTOP)
        try:
            # sccache itself would wait a minute for each of the crates that follow.
            eventually(lambda: not self.daemons(fabrik), "the daemon's end", patience=30)
            self.assert_builds(fabrik, build, gate)
        finally:
            fabrik.signal(signal.SIGCONT)

    def test_an_interrupted_build_leaves_no_compiler(self):
        fabrik, build, gate = self.gated()
        os.killpg(build.process.pid, signal.SIGINT)
        self.assertEqual(build.wait(), -signal.SIGINT, build.output)
        self.assert_nothing_is_left(fabrik)
        eventually(lambda: not self.compilers(gate), "the compiler's end")

    def test_the_launcher_is_killed(self):
        fabrik, build, gate = self.gated()
        build.process.kill()
        build.wait()
        self.assert_nothing_is_left(fabrik)
        eventually(lambda: not self.compilers(gate), "the compiler's end")

    def test_the_server_is_stopped_at_several_moments(self):
        moments = {
            "at once": lambda fabrik: fabrik.builds(), "when the daemon is there": self.daemons,
            "after the first crate": lambda fabrik: fabrik.stored() >= 1, "after three": lambda fabrik: fabrik.stored() >= 3}
        for name, moment in moments.items():
            with self.subTest(name):
                fabrik = self.cargo()
                directory = write(f"{fabrik.top}/tree", WORKSPACE)
                outcome = self.stop_server_during(
                    fabrik, lambda: fabrik.attempt("exec", "--", *CARGO, directory=directory), lambda: moment(fabrik))
                self.assertEqual(outcome.status, 0, outcome.errors)
                self.assert_nothing_is_left(fabrik)

    def test_an_sccache_that_cannot_be_used(self):
        """It says that it is new enough, and fails, or hangs for a while."""
        for text in ("exit 1", "exec sleep 1000"):
            fabrik = self.cargo()
            write(fabrik.top, {"bin/sccache": f'#!/bin/sh\ntest "$1" = --version && exec echo sccache 0.16.0\n{text}\n'})
            fabrik.environment["PATH"] = f"{fabrik.top}/bin:{fabrik.environment['PATH']}"
            build = fabrik.build(CARGO, directory=write(f"{fabrik.top}/tree", WORKSPACE))
            self.assertEqual(build.lookups, 0)
            self.assert_nothing_is_left(fabrik)

    def test_what_the_user_has_set_stays(self):
        fabrik = self.cargo()
        directory = write(f"{fabrik.top}/tree", {
            **WORKSPACE, ".cargo/config.toml": '[build]\nrustc-wrapper = "env"\n'})
        outcome = fabrik.attempt("exec", "-v", "--", *CARGO, directory=directory)
        self.assertEqual(outcome.status, 0, outcome.errors)
        self.assertIn("sccache: left alone, a rustc-wrapper is set in", outcome.errors)

    def test_without_sccache_a_word_says_how_to_get_it(self):
        fabrik = self.cargo()
        fabrik.environment["PATH"] = "/usr/bin:/bin"
        if shutil.which("sccache", path="/usr/bin:/bin"):
            self.skipTest("sccache is installed")
        outcome = fabrik.attempt("exec", "--", *CARGO, directory=write(f"{fabrik.top}/tree", WORKSPACE))
        self.assertEqual(outcome.status, 0, outcome.errors)
        self.assertIn("sccache is not installed (try: ", outcome.errors)
