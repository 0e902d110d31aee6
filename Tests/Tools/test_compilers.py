"""C and C++ through ccache, as real build systems call the compilers."""

import shutil
import subprocess
from pathlib import Path

from processes import attempt
from servers import Store
from toolcase import Counts, ToolScenario, files, remove, write

PARTS = [f"part{number}" for number in range(7)]


def sources(salt):
    """A program of seven C files and one of C++. What has another salt is compiled anew."""
    return {
        "parts.h": f"enum {{ salt = {salt} }};\n" + "".join(f"int {part}(int);\n" for part in PARTS),
        **{f"{part}.c": f'#include "parts.h"\nint {part}(int x) {{ return x * {number} + salt; }}\n'
           for number, part in enumerate(PARTS)},
        "program.cpp": 'extern "C" {\n#include "parts.h"\n}\nint main() { return '
                       f"{' + '.join(f'{part}(1)' for part in PARTS)} == 0; }}\n",
    }


def output_of(*command):
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()


class CompilerScenario(ToolScenario):
    """A project is built three times: from nothing; elsewhere, with nothing left but Fabrik's cache; and once more
    elsewhere, while the server is killed."""

    def check_project(self, fabrik, name, texts, prepare, build, lookups=16):
        """`prepare` are commands before the one that compiles, `build`. It is its questions that are counted: two for each
        file. Returns the counts of the commands of the second build."""
        directories = [self.project(fabrik, name, number, texts) for number in range(3)]
        products = []
        for directory in directories[:2]:
            counts = []
            for command in [*prepare, build]:
                outcome = fabrik.build(command, directory=directory)
                counts.append(self.counts(outcome, "ccache"))
            if directory == directories[0]:
                self.assertEqual(counts[-1], Counts(lookups, 0), outcome.outcome.errors)
            products.append(files(directory, "**/*.o"))
            remove(f"{fabrik.host.user.home}/.cache/ccache", f"{fabrik.host.user.home}/.ccache")
        self.assert_hits(outcome, "ccache", share=0.95, at_least=lookups)
        self.assertGreaterEqual(len(products[0]), 8)
        self.assertEqual(*products)
        self.check_killed_server(fabrik, directories[2], [*prepare, build], products[0])
        self.check_failure(fabrik, directories[1], build)
        return counts

    def project(self, fabrik, name, number, texts):
        directory = Path(fabrik.top) / f"{name}-{number}"
        if isinstance(texts, dict):
            return write(directory, texts)
        shutil.copytree(texts, directory, symlinks=True)
        return str(directory)

    def check_killed_server(self, fabrik, directory, commands, products):
        for command in commands[:-1]:
            fabrik.build(command, directory=directory)
        self.stop_server_during(fabrik, lambda: fabrik.build(commands[-1], directory=directory))
        self.assertEqual(files(directory, "**/*.o"), products)

    def check_failure(self, fabrik, directory, build):
        """A build that fails does so as it would without Fabrik."""
        (source,) = Path(directory).rglob("part3.c")
        source.write_text("int part3(int x) { return y; }\n")
        wrapped = fabrik.attempt("exec", "-q", "--", *build, directory=directory)
        alone = attempt(fabrik.host.command(build, environment=fabrik.environment, directory=directory))
        self.assertNotEqual(alone.status, 0)
        self.assertEqual(wrapped.status, alone.status, wrapped.errors)


class MakeTests(CompilerScenario):
    RULES = "program: $(patsubst %.c,%.o,$(wildcard *.c)) program.o\n\t$(CXX) -o $@ $^\n"

    def check(self, salt, definition="", programs=("make",), **environment):
        fabrik = self.installation(**environment)
        texts = {**sources(salt), "Makefile": f"{definition}\n{self.RULES}"}
        self.check_project(fabrik, "make", texts, [], list(programs))

    def test_the_compiler_is_the_usual_one(self):
        self.check(1)

    def test_the_makefile_names_it_with_options(self):
        self.check(2, "CC = gcc -std=gnu99")

    def test_the_makefile_leaves_the_choice_to_the_user(self):
        self.check(3, "CC ?= gcc", CC=f"gcc-{output_of('gcc', '-dumpversion')}")

    def test_it_is_named_with_its_target(self):
        self.check(4, "CC ?= gcc", CC=f"{output_of('gcc', '-dumpmachine')}-gcc")

    def test_the_makefile_names_it_by_its_path(self):
        self.check(5, "CC := /usr/bin/gcc\nCXX := /usr/bin/g++")

    def test_the_user_names_it_by_its_path(self):
        self.check(6, CC="/usr/bin/gcc", CXX="/usr/bin/g++")

    def test_by_way_of_shells_and_wrappers(self):
        self.check(
            7, "CC := /usr/bin/gcc\nCXX := /usr/bin/g++", ["nice", "env", "X=1", "sh", "-c", "true; exec make -j2"])


class DebiansCCacheTests(CompilerScenario):
    """Over HTTP: it has no storage helpers."""

    programs = ()

    def test_compilers_called_by_name_and_by_path(self):
        texts = {**sources(8), "Makefile": f"CC := /usr/bin/gcc\n{MakeTests.RULES}"}
        self.check_project(self.installation(), "make", texts, [], ["make"])


class CMakeTests(CompilerScenario):
    TEXT = ("cmake_minimum_required(VERSION 3.20)\nproject(program C CXX)\n"
            f"add_executable(program program.cpp {' '.join(f'{part}.c' for part in PARTS)})\n")

    def check(self, salt, generator, **environment):
        texts = {**sources(salt), "CMakeLists.txt": self.TEXT}
        configure = ["cmake", "-G", generator, "-S", ".", "-B", "build"]
        self.check_project(
            self.installation(**environment), "cmake", texts, [configure], ["cmake", "--build", "build"])

    def test_with_make(self):
        self.check(11, "Unix Makefiles")

    def test_with_ninja(self):
        self.check(12, "Ninja")

    def test_a_directory_that_was_configured_without_fabrik(self):
        fabrik = self.installation()
        for salt, generator, build in [(13, "Ninja", ["ninja", "-C", "build"]),
                                       (14, "Unix Makefiles", ["make", "-C", "build"])]:
            products = []
            for number in range(2):
                texts = {**sources(salt), "CMakeLists.txt": self.TEXT}
                directory = self.project(fabrik, build[0], number, texts)
                self.without_fabrik(fabrik, ["cmake", "-G", generator, "-S", ".", "-B", "build"], directory)
                outcome = fabrik.build(build, directory=directory)
                products.append(files(directory, "**/*.o"))
            self.assert_hits(outcome, "ccache", share=0.95, at_least=16)
            self.assertEqual(*products)


class MesonTests(CompilerScenario):
    TEXTS = {"meson.build": "project('program', 'c', 'cpp', default_options: 'buildtype=plain')\n"
                            f"executable('program', 'program.cpp', {', '.join(repr(f'{part}.c') for part in PARTS)})\n"}
    PREPARE, BUILD = [["meson", "setup", "build"]], ["ninja", "-C", "build"]

    def test_it_takes_ccache(self):
        self.check_project(self.installation(), "meson", {**sources(21), **self.TEXTS}, self.PREPARE, self.BUILD)

    def test_it_compiles(self):
        self.check_project(
            self.installation(), "meson", {**sources(22), **self.TEXTS}, self.PREPARE, ["meson", "compile", "-C", "build"])


class MesonAndSCCacheTests(CompilerScenario):
    programs = ("ccache", "sccache")

    def test_sccache_is_overlooked(self):
        self.check_project(
            self.installation(), "meson", {**sources(23), **MesonTests.TEXTS}, MesonTests.PREPARE, MesonTests.BUILD)

    def test_sccache_that_was_set_up_is_not(self):
        # It starts a server of its own.
        fabrik = self.installation()
        fabrik.environment |= {"SCCACHE_SERVER_UDS": f"{fabrik.host.top}/socket", "SCCACHE_IDLE_TIMEOUT": "20"}
        self.addCleanup(fabrik.host.attempt, ["sccache", "--stop-server"], environment=fabrik.environment)
        directory = write(f"{fabrik.top}/asked", {**sources(24), **MesonTests.TEXTS})
        fabrik.build(["meson", "setup", "build"], directory=directory)
        self.assertIn("sccache", (Path(directory) / "build" / "build.ninja").read_text())

    def test_sccache_answers_all_others(self):
        fabrik = self.installation()
        fabrik.host.write(f"{fabrik.top}/meson.build", "project('asked', 'c')\n")
        outcome = fabrik.attempt("exec", "--", "sh", "-c", "sccache --version; sccache --help | head -n 1")
        self.assertEqual(outcome.output, self.without_fabrik(
            fabrik, ["sh", "-c", "sccache --version; sccache --help | head -n 1"], fabrik.top).output)


class AutotoolsTests(CompilerScenario):
    TEXTS = {
        "configure.ac": "AC_INIT([program], [1])\nAM_INIT_AUTOMAKE([foreign])\nAC_PROG_CC\nAC_PROG_CXX\nAM_PROG_AR\n"
                        "LT_INIT([disable-static])\nAC_CONFIG_FILES([Makefile])\nAC_OUTPUT\n",
        "Makefile.am": f"lib_LTLIBRARIES = libparts.la\nlibparts_la_SOURCES = {' '.join(f'{part}.c' for part in PARTS)}\n"
                       "bin_PROGRAMS = program\nprogram_SOURCES = program.cpp\nprogram_LDADD = libparts.la\n",
    }

    def test_with_libtool(self):
        fabrik = self.installation()
        top = write(f"{fabrik.host.top}/autotools", {**sources(31), **self.TEXTS})
        self.without_fabrik(fabrik, ["autoreconf", "--install"], top)
        # Without -g, which names the directory.
        configure = ["./configure", "CFLAGS=-O2", "CXXFLAGS=-O2"]
        self.check_project(fabrik, "autotools", top, [configure], ["make"])


class NinjaTests(CompilerScenario):
    def check(self, salt, compiler):
        objects = " ".join(f"{part}.o" for part in [*PARTS, "program"])
        lines = [f"rule compile\n  command = {compiler} -MD -MF $out.d -c $in -o $out\n  depfile = $out.d\n  deps = gcc",
                 "rule link\n  command = g++ $in -o $out",
                 *[f"build {part}.o: compile {part}.c" for part in PARTS], "build program.o: compile program.cpp",
                 f"build program: link {objects}", ""]
        self.check_project(
            self.installation(), "ninja", {**sources(salt), "build.ninja": "\n".join(lines)}, [], ["ninja"])

    def test_a_file_written_by_hand(self):
        self.check(41, "gcc")

    def test_a_compiler_named_by_its_path(self):
        self.check(42, "/usr/bin/gcc")


class UpstreamTests(CompilerScenario):
    def test_another_machine_gets_what_the_first_has_built(self):
        store = self.enterContext(Store())
        texts = {**sources(61), "Makefile": "CC := /usr/bin/gcc\nCXX := /usr/bin/g++\n" + MakeTests.RULES}
        products = []
        for _ in range(2):
            fabrik = self.installation()
            fabrik.configure([store.url])
            directory = write(f"{fabrik.top}/tree", texts)
            build = fabrik.build(["make"], directory=directory)
            products.append(files(directory, "**/*.o"))
            # Waits until everything is up.
            fabrik.stop()
        self.assertEqual(self.counts(build, "ccache"), Counts(16, 16), build.statistics)
        self.assertEqual(build.regional, 16)
        self.assertEqual(*products)


class SwitchTests(CompilerScenario):
    """Where compilers that are called by their paths are not to be cached."""

    TEXTS = {"Makefile": "CC := /usr/bin/gcc\nCXX := /usr/bin/g++\n" + MakeTests.RULES}

    def lookups(self, fabrik, name, texts=None, command=("make",)):
        directory = write(f"{fabrik.top}/{name}", {**sources(51), **self.TEXTS, **(texts or {})})
        return self.counts(fabrik.build(command, directory=directory), "ccache").lookups

    def test_it_can_be_switched_off(self):
        fabrik = self.installation()
        self.assertEqual(self.lookups(fabrik, "on"), 16)
        fabrik.environment["FABRIK_ABSOLUTE_COMPILERS"] = "0"
        self.assertEqual(self.lookups(fabrik, "off"), 0)
        del fabrik.environment["FABRIK_ABSOLUTE_COMPILERS"]
        configuration = {".fabrik.toml": "[exec]\nabsolute_compilers = false\n"}
        self.assertEqual(self.lookups(fabrik, "configured", configuration), 0)

    def test_who_clears_the_environment_is_left_alone(self):
        rules = {"Makefile": "all:\n\tenv -i /usr/bin/gcc -c part0.c\n\tenv -u LD_PRELOAD /usr/bin/gcc -c part1.c\n"}
        self.assertEqual(self.lookups(self.installation(), "cleared", rules), 0)

    def test_without_ccache_nothing_is_loaded(self):
        fabrik = self.installation(CCACHE_DISABLE="1")
        environment = fabrik.run("exec", "-q", "--", "env")
        self.assertNotIn("LD_PRELOAD", environment)
        self.assertNotIn("FABRIK_EXEC", environment)

    def test_wrappers_and_the_projects_own_compilers_are_run_as_they_are(self):
        fabrik = self.installation()
        directory = write(f"{fabrik.top}/wrappers", {
            **sources(52), "bin/gcc": '#!/bin/sh\nexec /usr/bin/gcc "$@"\n',
            "Makefile": "all:\n\t$(CURDIR)/own/gcc -c part0.c\n\t$(CURDIR)/linked/gcc -c part1.c\n\tbin/gcc -c part2.c\n",
            # The top of the source tree.
            ".git/HEAD": ""})
        for name, target in [("own/gcc", None), ("linked/gcc", "/usr/bin/true")]:
            path = Path(directory) / name
            path.parent.mkdir()
            if target:
                path.symlink_to(target)
            else:
                shutil.copy("/usr/bin/true", path)
        build = fabrik.build(["make"], directory=directory)
        # Within the script, the compiler is called by its path.
        self.assertEqual(self.counts(build, "ccache").lookups, 2)
