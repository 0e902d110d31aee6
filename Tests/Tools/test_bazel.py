"""Bazel's genrules: started by fabrik, and below make. Rules for languages would have to be fetched from the network."""

import contextlib
import glob
import hashlib
import os
import shutil
import signal
from pathlib import Path

from cases import entries
from processes import attempt, eventually
from servers import Store
from toolcase import SYSTEM_PATH, ToolScenario, files, remove, write

# A rule whose output is a directory: its result names a tree, which names the files.
TREE = """
def _tree(context):
    directory = context.actions.declare_directory(context.label.name)
    context.actions.run_shell(
        outputs = [directory],
        inputs = [context.file.source],
        command = "for i in 1 2 3; do mkdir -p $1/$i; cp $2 $1/$i/copy; echo $i > $1/$i/number; done",
        arguments = [directory.path, context.file.source.path])
    return [DefaultInfo(files = depset([directory]))]

tree = rule(implementation = _tree, attrs = {"source": attr.label(allow_single_file = True)})
"""
BUILD = """
load(":tree.bzl", "tree")
[genrule(
    name = "part%d" % i, srcs = ["input.txt"], outs = ["part%d.txt" % i],
    cmd = "echo building part {0}; (echo {0}; cat $<) > $@".format(i)) for i in range(8)]
genrule(
    name = "whole", srcs = [":part%d" % i for i in range(8)], outs = ["whole.txt"],
    cmd = "cat $(SRCS) > $@; echo all parts 1>&2")
genrule(name = "empty", outs = ["empty.txt"], cmd = "touch $@")
genrule(name = "large", outs = ["large.bin"], cmd = "seq 400000 > $@")
tree(name = "directory", source = ":whole")
"""
PROJECT = {"WORKSPACE": "", "BUILD": BUILD, "tree.bzl": TREE, "input.txt": "input\n"}
# Actions of the project: genrules, and one tree.
ACTIONS = 12


class BazelScenario(ToolScenario):
    def setUp(self):
        if shutil.which("bazel", path=SYSTEM_PATH) is None:
            self.skipTest("Bazel is not installed")

    def machine(self, **settings):
        """Every Bazel server that a test starts has its outputs below the machine's directory, and ends with it."""
        fabrik = self.installation(TEST_TMPDIR=None, **settings)
        self.addCleanup(self.end_servers, fabrik)
        return fabrik

    def end_servers(self, fabrik):
        for file in glob.glob(f"{fabrik.host.top}/outputs*/*/server/server.pid.txt"):
            with contextlib.suppress(OSError, ValueError):
                os.kill(int(Path(file).read_text()), signal.SIGKILL)

    def project(self, fabrik, name, **texts):
        return write(f"{fabrik.top}/{name}", {**PROJECT, **texts})

    def words(self, fabrik, *words, outputs="outputs", batch=True):
        """A command line; its outputs lie in a place of their own."""
        # Builds are so short that compiling Bazel itself well takes longer than it saves.
        options = ["--host_jvm_args=-XX:TieredStopAtLevel=1", *(["--batch"] if batch else [])]
        return ["bazel", *options, f"--output_user_root={fabrik.host.top}/{outputs}", *words]

    def bazel(self, fabrik, directory, *words, outputs="outputs", batch=True):
        return fabrik.build(
            self.words(fabrik, *(words or ["build", "//..."]), outputs=outputs, batch=batch), directory=directory)

    def products(self, directory):
        return files(Path(directory, "bazel-bin").resolve(), "**/*")

    def forget(self, fabrik, outputs="outputs"):
        """What Bazel knows of any build."""
        self.end_servers(fabrik)
        remove(f"{fabrik.host.top}/{outputs}")


class BazelTests(BazelScenario):
    def test_another_workspace_gets_what_the_first_has_built(self):
        fabrik = self.machine()
        first, second = self.project(fabrik, "first"), self.project(fabrik, "second")
        cold = self.bazel(fabrik, first)
        self.assertEqual(self.counts(cold, "bazel-ac").lookups, ACTIONS)
        self.assertEqual(self.counts(cold, "bazel-ac").hits, 0)
        expected = self.products(first)
        self.assertGreaterEqual(len(expected), ACTIONS + 5)
        # What one build has uploaded another server finds.
        fabrik.stop()
        warm = self.bazel(fabrik, second, outputs="outputs2")
        self.assert_hits(warm, "bazel-ac", share=1, at_least=ACTIONS)
        self.assert_hits(warm, "bazel-cas", share=1, at_least=ACTIONS)
        self.assertEqual(warm.misses, 0)
        self.assertIn("building part 7", warm.outcome.output + warm.outcome.errors)
        self.assertEqual(self.products(second), expected)
        # And without Fabrik nothing is missing.
        self.without_fabrik(fabrik, self.words(fabrik, "build", "//...", outputs="outputs2"), second)

    def test_a_server_of_bazels_that_stays_asks_for_each_build(self):
        fabrik = self.machine()
        directory = self.project(fabrik, "project")
        # It is started without Fabrik.
        self.without_fabrik(fabrik, self.words(fabrik, "info", batch=False), directory)
        processes = set()
        for share in (0, 1):
            build = self.bazel(fabrik, directory, batch=False)
            self.assert_hits(build, "bazel-ac", share=share, at_least=ACTIONS)
            (file,) = glob.glob(f"{fabrik.host.top}/outputs/*/server/server.pid.txt")
            processes.add(Path(file).read_text())
            self.without_fabrik(fabrik, self.words(fabrik, "clean", batch=False), directory)
        # Without Fabrik nobody is asked, and nothing is said of it.
        plain = self.without_fabrik(fabrik, self.words(fabrik, "build", "//...", batch=False), directory)
        self.assertNotIn("remote cache hit", plain.errors)
        self.assertNotIn("WARNING", plain.errors)
        self.assertEqual(len(processes), 1, "Bazel's server was started anew")

    def test_a_result_counts_only_with_all_that_it_names(self):
        fabrik = self.machine()
        directory = self.project(fabrik, "project")
        self.bazel(fabrik, directory)
        expected = self.products(directory)
        for name in ("part3.txt", "directory/2/number"):
            self.assertEqual(self.lose(fabrik, Path(directory, "bazel-bin", name)), 1, name)
        self.forget(fabrik)
        build = self.bazel(fabrik, directory)
        counts = self.counts(build, "bazel-ac")
        self.assertEqual(counts.lookups - counts.hits, 2)
        self.assertEqual(self.products(directory), expected)
        self.assertNotIn("WARNING", build.outcome.errors.replace("WARNING: Running Bazel server", ""))
        # And nothing that was damaged gets into a build.
        fabrik.stop()
        self.assertGreater(self.damage(fabrik), ACTIONS)
        self.forget(fabrik)
        build = self.bazel(fabrik, directory)
        self.assertEqual(self.counts(build, "bazel-ac").hits, 0)
        self.assertEqual(self.products(directory), expected)

    def damage(self, fabrik):
        """Changes a bit of every file of the store but its counters."""
        damaged = 0
        for path in Path(fabrik.user.home, ".cache/fabrik").rglob("*"):
            if path.is_file() and path.name != "usage" and path.stat().st_size > 0:
                body = bytearray(path.read_bytes())
                body[-1] ^= 1
                path.write_bytes(body)
                damaged += 1
        return damaged

    def lose(self, fabrik, file):
        """Takes the entry of a file's content out of the store: the entry's file holds its key."""
        digest, lost = hashlib.sha256(file.read_bytes()).hexdigest(), 0
        for path in Path(fabrik.user.home, ".cache/fabrik").rglob("*"):
            with contextlib.suppress(OSError):
                if path.is_file() and path.stat().st_size < 65536 and b"bazel-cas" in (text := path.read_bytes()) \
                        and bytes.fromhex(digest) in text:
                    path.unlink()
                    lost += 1
        return lost

    def test_a_remote_cache_of_the_users_stays(self):
        fabrik = self.machine()
        words = " ".join(self.words(fabrik, "build", "//:part0"))
        directory = self.project(fabrik, "project", **{
            ".bazelrc": "import %workspace%/ci.rc\n", "ci.rc": "build:ci --remote_cache=http://127.0.0.1:9/mine\n",
            "Makefile": f"all:\n\t{words}\n"})
        for command in (["make"], words.split()):
            build = fabrik.build(command, directory=directory)
            self.assertEqual(self.counts(build, "bazel-ac").lookups, 0, command)

    def test_below_make_paths_are_as_without_fabrik(self):
        fabrik = self.machine()
        outputs = []
        for name in ("first", "second"):
            words = " ".join(self.words(fabrik, "build", "//...", outputs=f"outputs-{name}"))
            directory = self.project(fabrik, name, **{
                "Makefile": f"all:\n\tcd inner && {words}\n", **{f"inner/{name}": text for name, text in PROJECT.items()},
                "inner/BUILD": BUILD + 'genrule(name = "path", outs = ["path.txt"], cmd = "echo $$PATH > $@")\n'})
            build = fabrik.build(["make"], directory=directory)
            outputs.append(self.products(f"{directory}/inner"))
            path = Path(directory, "inner/bazel-bin/path.txt").read_text()
            self.assertNotIn("fabrik", path.replace(f"{fabrik.top}", ""))
        self.assert_hits(build, "bazel-ac", share=1, at_least=ACTIONS + 1)
        self.assertEqual(*outputs)
        # The same keys as with fabrik in front of bazel itself.
        self.forget(fabrik, "outputs-second")
        build = self.bazel(fabrik, f"{directory}/inner", outputs="outputs-second")
        self.assert_hits(build, "bazel-ac", share=1, at_least=ACTIONS + 1)

    def test_a_shim_that_outlives_its_build_is_only_in_the_way_of_nobody(self):
        fabrik = self.machine()
        directory = self.project(fabrik, "project")
        shim = fabrik.build(["sh", "-c", "command -v bazel; env"], directory=directory).outcome.output
        variables = dict(line.split("=", 1) for line in shim.splitlines() if "=" in line)
        self.assertIn("links", shim.splitlines()[0])
        outcome = attempt(fabrik.host.command(
            ["bazel", "--version"], directory=directory, environment={**fabrik.environment, **{name: variables[name] for name in (
                "PATH", "FABRIK_INJECTED", "FABRIK_SESSION", "FABRIK_BAZELRC")}}))
        self.assertEqual(outcome.status, 0, outcome.errors)
        self.assertTrue(outcome.output.startswith("bazel "))

    def test_a_failing_build_keeps_its_status(self):
        fabrik = self.machine()
        directory = self.project(
            fabrik, "project", BUILD='genrule(name = "x", outs = ["y"], cmd = "exit 3")\n',
            Makefile=f"all:\n\t{' '.join(self.words(fabrik, 'build', '//:x'))}\n")
        for command, status in ((self.words(fabrik, "build", "//:x"), 1), (["make"], 2)):
            outcome = fabrik.attempt("exec", "--", *command, directory=directory)
            self.assertEqual(outcome.status, status, outcome.errors)

    def test_a_server_that_is_killed_costs_only_its_hits(self):
        fabrik = self.machine()
        slow = BUILD.replace("cmd = \"echo building", "cmd = \"sleep 0.2; echo building")
        directory = self.project(fabrik, "project", BUILD=slow)
        outcome = self.stop_server_during(
            fabrik, lambda: fabrik.attempt("exec", "--", *self.words(fabrik, "build", "//..."), directory=directory),
            when=lambda: fabrik.stored() >= 3)
        self.assertEqual(outcome.status, 0, outcome.errors)
        self.assertGreaterEqual(len(self.products(directory)), ACTIONS)


class SharedTests(BazelScenario):
    def test_another_machine_gets_what_the_store_has_as_a_whole(self):
        store = self.enterContext(Store())
        one = self.machine(upstreams=[store.url])
        build = self.bazel(one, self.project(one, "project"))
        expected = self.products(f"{one.top}/project")
        eventually(lambda: len(entries(store)) >= build.stored, "the uploads")
        two = self.machine(upstreams=[store.url])
        directory = self.project(two, "elsewhere")
        build = self.bazel(two, directory)
        self.assert_hits(build, "bazel-ac", share=1, at_least=ACTIONS)
        # Of equal files, the second is here already.
        self.assertEqual(build.misses, 0)
        self.assertGreaterEqual(build.regional, 0.9 * build.statistics["lookups"])
        self.assertEqual(self.products(directory), expected)
        # A file that only a tree names.
        digest = hashlib.sha256(Path(directory, "bazel-bin/directory/2/number").read_bytes()).hexdigest()
        (name,) = [name for name in store.kept if name.endswith(f"/bazel-cas/{digest}")]
        del store.kept[name]
        two.wipe()
        self.forget(two)
        build = self.bazel(two, directory)
        self.assertEqual(build.misses, 1)
        self.assertEqual(self.products(directory), expected)
