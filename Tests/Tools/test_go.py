"""Go through GOCACHEPROG, with the real go command."""

import os
import shutil
import signal
import subprocess
from pathlib import Path

from cases import SECRET
from machine import Installation, Machine
from places import TOOLS
from processes import attempt, eventually
from servers import Store
from toolcase import SYSTEM_PATH, ToolScenario, files, remove, write

MODULE = "module example.test/program\n\ngo 1.24\n"
# Little of the standard library, so that a cold build takes no more than it must.
SMALL = {
    "go.mod": MODULE,
    "main.go": 'package main\n\nimport "example.test/program/part"\n\nfunc main() { println(part.Answer()) }\n',
    "part/part.go": "package part\n\nfunc Answer() int { return 42 }\n",
}
WEB = {
    "go.mod": MODULE,
    "main.go": 'package main\n\nimport (\n\t"fmt"\n\t"net/http"\n)\n\nfunc main() { fmt.Println(http.StatusOK) }\n',
}
TEST = 'package part\n\nimport "testing"\n\nfunc TestAnswer(t *testing.T) {\n\tif Answer() != 42 {\n\t\tt.Fatal()\n\t}\n}\n'
# The build's own messages go nowhere else than to standard error.
GO = {
    "CGO_ENABLED": "0", "GOFLAGS": "-mod=mod", "GOPROXY": "off", "GOTELEMETRY": "off", "GOTOOLCHAIN": "local",
}
# A whole standard library on a busy machine.
PATIENCE = 1500


class GoScenario(ToolScenario):
    programs = ("go/bin",)

    def machine_with_go(self, upstreams=(), secret=None, peers=None, **environment):
        machine = self.enterContext(Machine())
        path = f"{TOOLS / 'go/bin'}:{SYSTEM_PATH}"
        installation = Installation(machine, upstreams, secret, peers, PATH=path, **GO, **environment)
        self.addCleanup(self.show_log, installation)
        # Go makes directories that cannot be written.
        self.addCleanup(remove, f"{machine.user.home}/go")
        return installation

    def go(self, installation, directory, *words, flags=()):
        return installation.build(["go", *words], *flags, directory=directory, patience=PATIENCE)

    def forget(self, installation):
        """Go's own cache, which must not matter."""
        remove(f"{installation.user.home}/.cache/go-build")

    def assert_nothing_but_statistics(self, build):
        lines = [line for line in build.outcome.errors.splitlines() if not line.startswith("{")]
        self.assertEqual(lines, [])


class StandardLibraryTests(GoScenario):
    def test_everything_is_compiled_once(self):
        """The standard library, and then a program that needs much of it, each in two directories."""
        fabrik = self.machine_with_go()
        first = write(f"{fabrik.top}/first", WEB)
        second = write(f"{fabrik.top}/elsewhere/second", WEB)
        cold = self.go(fabrik, first, "build", "-trimpath", "std")
        self.assertGreater(self.counts(cold, "go").lookups, 700)
        self.forget(fabrik)
        warm = self.go(fabrik, second, "build", "-trimpath", "std")
        self.assert_hits(warm, "go", share=1, at_least=1000)
        self.assertGreater(warm.statistics["saved_seconds"], 1)
        self.assert_nothing_but_statistics(warm)
        self.go(fabrik, first, "build", "-trimpath", "-o", "program", ".")
        self.forget(fabrik)
        again = self.go(fabrik, second, "build", "-trimpath", "-o", "program", ".")
        # The program itself is linked anew each time: Go does not ask for it.
        self.assert_hits(again, "go", share=0.99, at_least=500)
        self.assertEqual(files(first)["program"], files(second)["program"])
        self.assertEqual(fabrik.run("exec", "--", f"{second}/program"), "200\n")


class CommandTests(GoScenario):
    def test_commands_of_a_day(self):
        fabrik = self.machine_with_go()
        tree = write(f"{fabrik.top}/tree", {**SMALL, "part/part_test.go": TEST})
        self.go(fabrik, tree, "build", "-o", "program", ".")
        # What was built without a cache between is the same.
        self.without_fabrik(fabrik, ["go", "build", "-o", "plain", "."], tree, patience=PATIENCE)
        products = files(tree)
        self.assertEqual(products["program"], products["plain"])
        self.forget(fabrik)

        with self.subTest("run"):
            build = self.go(fabrik, tree, "run", ".")
            self.assert_hits(build, "go", at_least=20)
            self.assertTrue(build.outcome.errors.startswith("42\n"), build.outcome.errors)
        with self.subTest("vet"):
            self.go(fabrik, tree, "vet", "./...")
            self.forget(fabrik)
            self.assert_hits(self.go(fabrik, tree, "vet", "./..."), "go", share=0.99)
        with self.subTest("test"):
            self.assertNotIn("(cached)", self.go(fabrik, tree, "test", "./part").outcome.output)
            self.forget(fabrik)
            self.assertIn("(cached)", self.go(fabrik, tree, "test", "./part").outcome.output)
            write(tree, {"part/part.go": "package part\n\nfunc Answer() int { return 41 }\n"})
            outcome = fabrik.attempt("exec", "--", "go", "test", "./part", directory=tree, patience=PATIENCE)
            self.assertEqual(outcome.status, 1)
            self.assertIn("--- FAIL: TestAnswer", outcome.output)
            write(tree, {"part/part.go": SMALL["part/part.go"]})
            self.assertIn("(cached)", self.go(fabrik, tree, "test", "./part").outcome.output)
            self.assertNotIn("(cached)", self.go(fabrik, tree, "test", "-count=1", "./part").outcome.output)
        with self.subTest("list -export"):
            for _ in range(2):
                listed = self.go(fabrik, tree, "list", "-export", "-deps", "-f", "{{.Export}}", ".").outcome.output
                paths = [path for path in listed.splitlines() if path]
                self.assertGreater(len(paths), 10)
                # They are read by others when go has ended.
                self.assertTrue(all(os.path.getsize(path) for path in paths), paths)
        with self.subTest("a failing build"):
            write(tree, {"part/part.go": "package part\n\nfunc Answer() int { return nothing }\n"})
            plain = attempt(fabrik.host.command(
                ["go", "build", "."], environment=fabrik.environment, directory=tree), patience=PATIENCE)
            outcome = fabrik.attempt("exec", "--stats", "none", "--", "go", "build", ".", directory=tree)
            self.assertEqual(outcome.status, plain.status)
            self.assertEqual(outcome.errors, plain.errors)
            self.assertIn("undefined: nothing", outcome.errors)

    def test_an_archive_is_a_copy(self):
        """Go moves what it was given to where `-o` says, if it takes it for its own."""
        fabrik = self.machine_with_go()
        tree = write(f"{fabrik.top}/tree", SMALL)
        first = self.go(fabrik, tree, "build", "-o", "first.a", "./part")
        second = self.go(fabrik, tree, "build", "-o", "second.a", "./part")
        third = self.go(fabrik, tree, "build", "-o", "third.a", "./part")
        self.assertGreater(first.misses, 0)
        self.assertEqual((second.misses, third.misses), (0, 0))
        products = files(tree)
        self.assertEqual(len({products[f"{name}.a"] for name in ("first", "second", "third")}), 1)
        self.assertEqual(os.stat(f"{tree}/third.a").st_nlink, 1)
        Path(f"{tree}/third.a").write_bytes(b"mine")
        self.assertEqual(self.go(fabrik, tree, "build", "-o", "fourth.a", "./part").misses, 0)
        self.assertEqual(files(tree)["fourth.a"], products["first.a"])

    def test_several_at_once_and_one_within_another(self):
        fabrik = self.machine_with_go()
        nested = """package main

import "os/exec"

func main() {
\tif err := exec.Command("go", "build", "-trimpath", "-o", "product", "./inner").Run(); err != nil {
\t\tpanic(err)
\t}
}
"""
        trees = [write(f"{fabrik.top}/{name}", {
            "go.mod": MODULE, "main.go": nested, "inner/main.go": "package main\n\nfunc main() {}\n"})
            for name in ("one", "two")]
        script = f"(cd {trees[0]} && go run .) & one=$!; (cd {trees[1]} && go run .) && wait $one"
        cold = fabrik.build(["sh", "-c", script], directory=fabrik.top, patience=PATIENCE)
        self.assertEqual(files(trees[0])["product"], files(trees[1])["product"])
        self.assertGreater(cold.stored, 0)
        self.forget(fabrik)
        warm = fabrik.build(["sh", "-c", script], directory=fabrik.top, patience=PATIENCE)
        self.assert_hits(warm, "go", share=0.95, at_least=100)


class OtherMachineTests(GoScenario):
    def test_a_store_of_the_team_and_a_peer(self):
        store = self.enterContext(Store())
        first = self.machine_with_go([store.url], secret=SECRET)
        trees = {}

        def build(installation):
            tree = trees[installation] = write(f"{installation.top}/of-{installation.user.home.count('/')}/tree", SMALL)
            return self.go(installation, tree, "build", "-trimpath", "-o", "program", ".")

        cold = build(first)
        eventually(lambda: len([name for name in store.names() if "/go/" in name]) >= cold.stored, "the uploads", 60)
        second = self.machine_with_go([store.url], secret=SECRET, peers={})
        fetched = build(second)
        self.assert_hits(fetched, "go", at_least=50)
        self.assertGreater(fetched.regional, 50)
        third = self.machine_with_go(secret=SECRET, peers={})
        third.start()
        third.eventually_reaches(second, entries=fetched.regional)
        shared = build(third)
        self.assert_hits(shared, "go", at_least=50)
        self.assertGreater(shared.peers, 50)
        self.assertEqual(len({files(tree)["program"] for tree in trees.values()}), 1)
        with self.subTest("and ahead of being asked for"):
            fourth = self.machine_with_go([store.url], secret=SECRET, FABRIK_PREFETCH="true")
            self.assert_hits(build(fourth), "go", at_least=50)
            self.assertEqual(len({files(tree)["program"] for tree in trees.values()}), 1)


class TroubleTests(GoScenario):
    """A build does not mind what becomes of the cache."""

    def setUp(self):
        self.fabrik = self.machine_with_go()
        self.tree = write(f"{self.fabrik.top}/tree", SMALL)

    def build(self, output="program"):
        return self.go(self.fabrik, self.tree, "build", "-trimpath", "-o", output, ".")

    def attempt(self, *words):
        outcome = self.fabrik.attempt("exec", "--", "go", *words, directory=self.tree, patience=PATIENCE)
        self.assertEqual(outcome.status, 0, outcome.errors)
        return outcome

    @property
    def store(self):
        return f"{self.fabrik.user.home}/.cache/fabrik"

    def expected(self):
        """The digest of the program, as it is without Fabrik."""
        self.without_fabrik(
            self.fabrik, ["go", "build", "-trimpath", "-o", "plain", "."], self.tree, patience=PATIENCE)
        self.forget(self.fabrik)
        return files(self.tree)["plain"]

    def assert_built(self, expected, output="program"):
        self.assertEqual(files(self.tree)[output], expected)
        os.remove(f"{self.tree}/{output}")

    def test_the_server_is_killed(self):
        expected = self.expected()
        for count in (0, 5, 30):
            with self.subTest(stored=count):
                self.fabrik.run("cache", "clear")
                outcome = self.stop_server_during(
                    self.fabrik, lambda: self.attempt("build", "-trimpath", "-o", "program", "."),
                    when=lambda: self.fabrik.stored() >= count if count else self.fabrik.builds())
                self.assertNotIn("GOCACHEPROG", outcome.errors)
                self.assert_built(expected)
                self.forget(self.fabrik)
        # What was stored until then can be used.
        self.build()
        self.assert_built(expected)
        self.forget(self.fabrik)
        self.assert_hits(self.build(), "go")
        self.assert_built(expected)

    def test_what_is_put_without_a_server_stays(self):
        """`go list -export` needs what it has just put, and so does who reads its output."""
        outcome = self.stop_server_during(
            self.fabrik, lambda: self.attempt("list", "-export", "-deps", "-f", "{{.Export}}", "."),
            when=lambda: self.fabrik.stored() >= 5)
        paths = [path for path in outcome.output.splitlines() if path]
        self.assertGreater(len(paths), 10)
        self.assertTrue(all(os.path.getsize(path) for path in paths), paths)

    def test_the_server_hangs(self):
        expected = self.expected()
        self.fabrik.start()
        self.fabrik.signal(signal.SIGSTOP)
        try:
            # Started by hand: a launcher does not use a server that hangs.
            environment = {**self.fabrik.environment, "GOCACHEPROG":
                           f"{self.fabrik.program} cacheprog {self.fabrik.instance()}/go.sock"}
            outcome = attempt(self.fabrik.host.command(
                ["go", "build", "-trimpath", "-o", "program", "."], environment=environment, directory=self.tree),
                patience=PATIENCE)
        finally:
            self.fabrik.signal(signal.SIGCONT)
        self.assertEqual(outcome.status, 0, outcome.errors)
        self.assertEqual(outcome.errors, "")
        self.assert_built(expected)

    def test_nobody_is_there(self):
        expected = self.expected()
        for arguments in ("", f"{self.tree}/none.sock lease"):
            environment = {**self.fabrik.environment, "GOCACHEPROG": f"{self.fabrik.program} cacheprog {arguments}"}
            for words in (["build", "-trimpath", "-o", "program", "."], ["vet", "./..."]):
                outcome = attempt(self.fabrik.host.command(
                    ["go", *words], environment=environment, directory=self.tree), patience=PATIENCE)
                self.assertEqual(outcome.status, 0, outcome.errors)
            self.assert_built(expected)

    def test_the_store_is_deleted(self):
        self.build()
        expected = files(self.tree)["program"]
        shutil.rmtree(self.store)
        self.forget(self.fabrik)
        # The server runs on.
        self.assertGreater(self.build().stored, 0)
        self.assert_built(expected)
        self.forget(self.fabrik)
        self.assert_hits(self.build(), "go")
        self.assert_built(expected)

    def test_damaged_files_are_not_handed_out(self):
        self.build()
        expected = files(self.tree)["program"]
        self.fabrik.stop()
        damaged = 0
        for path in Path(self.store).glob("v1/blobs/*/*"):
            if path.stat().st_size > 10_000:
                path.chmod(0o600)
                content = bytearray(path.read_bytes())
                content[len(content) // 2] ^= 1
                path.write_bytes(content)
                damaged += 1
        self.assertGreater(damaged, 10)
        self.forget(self.fabrik)
        self.assertGreater(self.build().misses, 10)
        self.assert_built(expected)

    def test_the_disk_is_full(self):
        expected = self.expected()
        os.makedirs(self.store, exist_ok=True)
        command = self.fabrik.command("exec", "--", "go", "build", "-trimpath", "-o", "program", ".",
                                      directory=self.tree)
        # A disk of its own for the store, seen by this build alone.
        mount = f"mount -t tmpfs -o size=3m tmpfs {self.store} && exec \"$@\""
        outcome = attempt(["unshare", "--user", "--map-root-user", "--mount", "sh", "-ec", mount, "sh", *command],
                          patience=PATIENCE)
        self.assertEqual(outcome.status, 0, outcome.errors)
        self.assertNotIn("no space", outcome.errors)
        self.assert_built(expected)

    def test_an_interrupted_build_ends_without_a_word_of_ours(self):
        command = self.fabrik.command("exec", "--", "go", "build", ".", directory=self.tree)
        process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True, start_new_session=True)
        eventually(self.fabrik.stored, "the first entry")
        self.assertIsNone(process.poll())
        os.killpg(process.pid, signal.SIGINT)
        _, errors = process.communicate(timeout=60)
        self.assertNotIn("GOCACHEPROG", errors)
        self.assertNotEqual(process.returncode, 0)
