"""Java through Gradle: started by fabrik, and below make."""

import contextlib
import os
import pwd
import shutil
import signal
from pathlib import Path

from cases import entries
from processes import attempt, eventually
from servers import Store
from toolcase import SYSTEM_PATH, ToolScenario, files, remove, write

JAVA = {
    f"{part}/src/main/java/{part}/{name}.java":
        f"package {part};\npublic class {name} {{ public static int value() {{ return {number}; }} }}\n"
    for part in ("first", "second") for number, name in enumerate(("One", "Two", "Three"))}
PROJECT = {
    "settings.gradle": "rootProject.name = 'sample'\ninclude 'first', 'second'\n",
    "build.gradle": """
subprojects { apply plugin: 'java' }
project(':second') { dependencies { compile project(':first') } }
""",
    "second/src/main/java/second/Program.java":
        "package second;\npublic class Program { int value() { return first.One.value() + Two.value(); } }\n",
    "second/src/main/resources/second.properties": "name=second\n",
    **JAVA}
# What Gradle 4 keeps in a cache: compilations. Copying resources and making archives is quicker.
CACHEABLE = 2


class GradleScenario(ToolScenario):
    def setUp(self):
        if shutil.which("gradle", path=SYSTEM_PATH) is None:
            self.skipTest("Gradle is not installed")

    def machine(self, daemon=False, home="gradle", **environment):
        """Gradle's home is given: it would take the user's own, whatever HOME says."""
        fabrik = self.installation(**environment)
        self.home = f"{fabrik.top}/{home}"
        os.makedirs(self.home, exist_ok=True)
        write(self.home, {"gradle.properties": f"org.gradle.daemon={str(daemon).lower()}\n"})
        fabrik.environment["GRADLE_USER_HOME"] = self.home
        return fabrik

    def project(self, fabrik, name, **texts):
        return write(f"{fabrik.top}/{name}", {**PROJECT, **texts})

    def forget(self, directory):
        """Everything that Gradle remembers of a project, and its own cache."""
        remove(f"{directory}/.gradle", f"{self.home}/caches/build-cache-1",
               *(f"{directory}/{part}/build" for part in ("first", "second")))


class GradleTests(GradleScenario):
    def test_another_directory_gets_what_the_first_has_compiled(self):
        fabrik = self.machine()
        products = []
        for name in ("first", "second"):
            directory = self.project(fabrik, name)
            build = fabrik.build(["gradle", "build"], directory=directory)
            products.append(files(directory, "*/build/classes/**/*.class"))
        self.assert_hits(build, "gradle", at_least=CACHEABLE)
        self.assertEqual(build.misses, 0)
        self.assertEqual(len(products[0]), 7)
        self.assertEqual(*products)
        self.assertFalse(Path(self.home, "caches/build-cache-1").exists(), "a second copy")
        # And without Fabrik all is as ever.
        self.without_fabrik(fabrik, ["gradle", "build"], directory)
        self.assertEqual(files(directory, "*/build/classes/**/*.class"), products[0])

    def test_a_daemon_that_stays_asks_for_each_build(self):
        fabrik = self.machine(daemon=True)
        self.addCleanup(self.stop_daemons, fabrik)
        directory = self.project(fabrik, "project")
        fabrik.build(["gradle", "classes"], directory=directory)
        for restart in (False, True):
            self.forget(directory)
            if restart:
                fabrik.stop()
            build = fabrik.build(["gradle", "classes"], directory=directory)
            self.assertEqual(self.assert_hits(build, "gradle", share=1).hits, CACHEABLE)

    def stop_daemons(self, fabrik):
        attempt(fabrik.host.command(["gradle", "--stop"], environment=fabrik.environment, directory=fabrik.top))
        for process in fabrik.host.processes("java", "org.gradle.launcher.daemon"):
            with contextlib.suppress(ProcessLookupError):
                os.kill(process, signal.SIGKILL)

    def test_below_make_the_users_own_home_is_used_in_all_else(self):
        fabrik = self.machine()
        write(self.home, {
            "init.d/mine.gradle": "println 'a script of the user'\n",
            "gradle.properties": "org.gradle.daemon=false\nmine=a property of the user\n"})
        products = []
        for name in ("first", "second"):
            directory = self.project(fabrik, name, **{
                "Makefile": "all:\n\tgradle build\n",
                "build.gradle": PROJECT["build.gradle"] + "println mine\nprintln gradle.gradleUserHomeDir\n"})
            build = fabrik.build(["make"], directory=directory)
            self.assertIn("a script of the user", build.outcome.output)
            self.assertIn("a property of the user", build.outcome.output)
            self.assertNotIn(f"\n{self.home}\n", build.outcome.output)
            products.append(files(directory, "*/build/classes/**/*.class"))
        self.assert_hits(build, "gradle", at_least=CACHEABLE)
        self.assertEqual(*products)
        # What Gradle has written is in its own home, so that it is found without Fabrik, too.
        self.assertTrue(Path(self.home, "caches/4.4.1").is_dir())
        self.assertEqual(sorted(path.name for path in Path(self.home, "init.d").iterdir()), ["mine.gradle"])
        remove(*(f"{directory}/{part}/build" for part in ("first", "second")))
        plain = self.without_fabrik(fabrik, ["make"], directory)
        self.assertIn(f"\n{self.home}\n", plain.output)
        self.assertEqual(files(directory, "*/build/classes/**/*.class"), products[0])

    def test_another_machine_gets_what_the_store_has(self):
        store = self.enterContext(Store())
        one = self.machine(upstreams=[store.url])
        build = one.build(["gradle", "classes"], directory=self.project(one, "project"))
        eventually(lambda: len(entries(store)) >= build.stored > 0, "the uploads")
        two = self.machine(upstreams=[store.url])
        build = two.build(["gradle", "classes"], directory=self.project(two, "elsewhere"))
        self.assertEqual(build.regional, CACHEABLE)
        self.assertEqual(build.misses, 0)

    def test_a_script_may_do_without_the_cache(self):
        fabrik = self.machine()
        directory = self.project(fabrik, "project", Makefile="all:\n\tgradle --no-build-cache classes\n")
        build = fabrik.build(["make"], directory=directory)
        self.assertEqual(self.counts(build, "gradle").lookups, 0)

    def test_a_project_that_wants_no_cache_gets_none(self):
        fabrik = self.machine()
        for name, command in (("first", ["gradle", "classes"]), ("second", ["make"])):
            # Below the directory that fabrik looks at.
            directory = self.project(fabrik, f"{name}/inner", **{"gradle.properties": "org.gradle.caching=false\n"})
            if command == ["make"]:
                directory = write(f"{fabrik.top}/{name}", {
                    "Makefile": "all:\n\tcd inner && gradle classes\n", ".fabrik.toml": ""})
            build = fabrik.build(command, directory=directory)
            self.assertEqual(self.counts(build, "gradle").lookups, 0, name)

    def test_a_remote_cache_of_the_users_stays(self):
        fabrik = self.machine()
        # Said in a way that only Gradle understands.
        cache = """
def kind = Class.forName('org.gradle.caching.http.' + 'Http' + 'BuildCache')
buildCache { it.remote(kind) { url = 'http://127.0.0.1:9/mine/' } }
"""
        directory = self.project(fabrik, "project", **{"settings.gradle": PROJECT["settings.gradle"] + cache})
        build = fabrik.build(["gradle", "classes"], directory=directory)
        self.assertEqual(self.counts(build, "gradle").lookups, 0)

    def test_a_failing_build_keeps_its_status(self):
        fabrik = self.machine()
        directory = self.project(fabrik, "project", **{"first/src/main/java/first/One.java": "class {\n"})
        plain = attempt(fabrik.host.command(
            ["gradle", "classes"], environment=fabrik.environment, directory=directory))
        wired = fabrik.attempt("exec", "--", "gradle", "classes", directory=directory)
        self.assertNotEqual(plain.status, 0)
        self.assertEqual(wired.status, plain.status)

    def test_a_server_that_is_killed_costs_only_its_hits(self):
        fabrik = self.machine()
        directory = self.project(fabrik, "project")
        fabrik.build(["gradle", "classes"], directory=directory)
        expected = files(directory, "*/build/classes/**/*.class")
        self.forget(directory)
        outcome = self.stop_server_during(
            fabrik, lambda: fabrik.attempt("exec", "--", "gradle", "classes", directory=directory))
        self.assertEqual(outcome.status, 0, outcome.errors)
        self.assertEqual(files(directory, "*/build/classes/**/*.class"), expected)
