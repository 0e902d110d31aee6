"""Objects and actions without a server."""

import os
import shutil
import stat
import subprocess
import sys
import unittest

import places
from bodies import digest_of, key_of, name_of, object_body
from cases import PluginCase
from plugin import PluginError

# Bodies of 32 KiB and more are mapped, others are read. A mapped file may end where a page does.
SIZES = [0, 1, 7, 8, 15, 4096 - 18, 4096 - 17, 4096 - 16, 32768 - 18, 32768 - 17, 32768 - 16, 40960 - 17, 65536 - 17,
         65536, 1 << 20]


class ObjectTests(PluginCase):
    def test_objects_are_known_by_the_hash_of_their_bodies(self):
        plugin = self.plugin()
        leaf = plugin.store(b"leaf")
        self.assertEqual(leaf, digest_of(object_body(b"leaf")))
        tree = plugin.store(b"tree", [leaf, leaf])
        self.assertEqual(tree, digest_of(object_body(b"tree", [leaf, leaf])))
        self.assertEqual(plugin.store(b"leaf"), leaf)
        self.assertNotEqual(plugin.store(b"tree", [leaf]), tree)
        self.assertEqual((self.directory / "objects" / name_of(tree)).read_bytes(), object_body(b"tree", [leaf, leaf]))

    def test_objects_come_back_whole_where_compilers_expect_them(self):
        plugin = self.plugin()
        other = plugin.store(b"other")
        stored = {}
        for size in SIZES:
            for count in range(4):
                # So that the body has the size, where it can.
                data = os.urandom(max(size - 32 * count, 0))
                stored[plugin.store(data, [other] * count)] = (data, (other,) * count)
        # A page's end is the end of some.
        sizes = {path.stat().st_size for path in self.files("objects")}
        self.assertTrue({4096, 32768, 40960, 65536} <= sizes)
        reopened = self.plugin()
        for store in (plugin, reopened):
            for digest, (data, references) in stored.items():
                content = store.load(digest)
                self.assertTrue(content.data == data and content.references == references)
                self.assertTrue(store.load_later(digest).data == data)

    def test_files_are_not_to_be_written_to(self):
        plugin = self.plugin()
        digest = plugin.store(b"x" * 50000)
        mode = (self.directory / "objects" / name_of(digest)).stat().st_mode
        self.assertEqual(stat.S_IMODE(mode) & ~0o044, 0o400)

    def test_what_is_not_there_is_not_found(self):
        missed = self.top / "missed"
        plugin = self.plugin(missed=missed)
        there = plugin.store(b"there")
        self.assertTrue(plugin.contains(there) and plugin.contains(there, globally=True))
        for globally in (False, True):
            self.assertFalse(plugin.contains(bytes(32), globally=globally))
        self.assertFalse(missed.exists(), "to ask for something is not to miss it")
        self.assertIsNone(plugin.load(bytes(32)))
        self.assertTrue(missed.exists())
        self.assertIsNone(plugin.load_later(bytes(32)))

    def test_digests_are_printed_and_read(self):
        plugin = self.plugin()
        digest = bytes(range(100, 132))
        printed = plugin.print(digest)
        self.assertEqual(printed, "fabrik://" + digest.hex())
        self.assertEqual(plugin.parse(printed), digest)
        # Too small a buffer gets nothing.
        plugin.parse(printed, size=31)
        for wrong in ("", "fabrik:", "fabrik://", printed[:-1], printed + "0", printed.replace("6", "g", 1),
                      printed.upper(), "llvmcas" + printed[6:], printed[:-1] + "é", " " + printed[1:]):
            with self.assertRaises(PluginError, msg=wrong):
                plugin.parse(wrong)
        for size in (0, 31, 33):
            with self.assertRaises(PluginError):
                plugin.print(bytes(size))
            with self.assertRaises(PluginError):
                plugin.identifier(bytes(size))

    def test_another_process_has_what_one_has_stored(self):
        plugin = self.plugin()
        large, small = plugin.store(b"l" * 100_000), plugin.store(b"s")
        plugin.put(b"key", large)

        def look():
            other = self.plugin()
            assert other.load(large).data == b"l" * 100_000 and other.load(small).data == b"s"
            assert other.get(b"key") == large
            other.put(b"answer", small)

        self.assert_well_elsewhere(look)
        self.assertEqual(plugin.get(b"answer"), small)

    def test_processes_that_store_the_same_at_once_do_not_mind_each_other(self):
        def store():
            plugin = self.plugin()
            for number in range(300):
                digest = plugin.store(b"%d" % number * 100)
                plugin.put(b"key %d" % number, digest)
                assert plugin.get(b"key %d" % number) == digest

        children = [self.elsewhere(store) for _ in range(6)]
        for child in children:
            self.assert_well(child)
        self.assertEqual(len(self.files("objects")), 300)
        self.assertEqual(len(self.files("actions")), 300)

    def test_options_of_other_versions_are_nobodys_business(self):
        plugin = self.plugin(options={"something": "new"})
        self.assertEqual(plugin.schema, "fabrik-sha256-1")
        self.assertIsNotNone(plugin.load(plugin.store(b"x")))


class ActionTests(PluginCase):
    def test_a_value_comes_back(self):
        plugin = self.plugin()
        value = plugin.store(b"value", [plugin.store(b"output" * 10_000)])
        self.assertIsNone(plugin.get(b"key"))
        plugin.put(b"key", value)
        plugin.put_later(b"later", value)
        for store in (plugin, self.plugin()):
            for key in (b"key", b"later"):
                self.assertEqual(store.get(key), value)
                self.assertEqual(store.get_later(key), value)
            self.assertIsNone(store.get(b"another key"))
            self.assertIsNone(store.get_later(b"another key"))

    def test_the_last_value_counts(self):
        plugin = self.plugin()
        first, second = plugin.store(b"first"), plugin.store(b"second")
        plugin.put(b"key", first)
        plugin.put(b"key", second)
        self.assertEqual(plugin.get(b"key"), second)
        self.assertEqual(self.plugin().get(b"key"), second)

    def test_another_toolchain_has_keys_of_its_own(self):
        one, other = self.plugin(options={"toolchain": "1"}), self.plugin(options={"toolchain": "2"})
        value = one.store(b"value")
        one.put(b"key", value)
        self.assertIsNone(other.get(b"key"))
        self.assertEqual(self.plugin(options={"toolchain": "1"}).get(b"key"), value)
        self.assertTrue((self.directory / "actions" / name_of(key_of(b"key", "1"))).exists())

    def test_keys_of_all_lengths_are_apart(self):
        plugin = self.plugin()
        values = {length: plugin.store(b"%d" % length) for length in (0, 1, 31, 32, 33, 64, 1000)}
        for length, value in values.items():
            plugin.put(b"\0" * length, value)
        for length, value in values.items():
            self.assertEqual(plugin.get(b"\0" * length), value)

    def test_a_value_that_leads_to_what_is_not_there_is_of_no_use_to_others(self):
        plugin = self.plugin()
        value = plugin.store(b"value", [bytes(32)])
        plugin.put(b"key", value)
        self.assertEqual(plugin.get(b"key"), value)
        # A value that nobody has at all.
        plugin.put(b"nothing", bytes(32))
        self.assertIsNone(self.plugin().get(b"nothing"))

    def test_a_value_that_leads_to_very_much_is_kept_for_this_machine(self):
        plugin = self.plugin()
        value = plugin.store(b"value", [plugin.store(b"%d" % number) for number in range(100)])
        plugin.put(b"key", value)
        self.assertEqual(self.plugin().get(b"key"), value)


class DamageTests(PluginCase):
    def damage(self, path, content):
        path.chmod(0o600)
        path.write_bytes(content)

    def test_an_object_that_was_cut_short_is_none_and_is_made_whole(self):
        for size in (10, 10_000, 100_000):
            digest = self.plugin().store(b"x" * size)
            path = self.directory / "objects" / name_of(digest)
            whole = path.read_bytes()
            for length in (0, 1, 15, 16, 17, len(whole) - 1):
                with self.subTest(size=size, length=length):
                    self.damage(path, whole[:length])
                    self.assertIsNone(self.plugin().load(digest))
                    self.assertEqual(self.plugin().store(b"x" * size), digest)
                    self.assertEqual(path.read_bytes(), whole)
                    self.assertEqual(self.plugin().load(digest).data, b"x" * size)

    def test_an_object_of_other_lengths_than_it_says_is_none(self):
        plugin = self.plugin()
        digest = plugin.store(b"data", [plugin.store(b"leaf")])
        path = self.directory / "objects" / name_of(digest)
        whole = path.read_bytes()
        for offset, value in [(0, b"f"), (4, b"\2"), (4, b"\xff\xff\xff\xff"), (4, b"\0"), (8, b"\5"),
                              (8, b"\xff" * 8), (len(whole) - 1, b"x")]:
            with self.subTest(offset=offset, value=value):
                self.damage(path, whole[:offset] + value + whole[offset + len(value):])
                self.assertIsNone(self.plugin().load(digest))
        self.damage(path, whole)

    def test_an_action_that_was_cut_short_is_none(self):
        plugin = self.plugin()
        value = plugin.store(b"value", [plugin.store(b"l" * 5000)])
        plugin.put(b"key", value)
        (path,) = self.files("actions")
        whole = path.read_bytes()
        for length in range(len(whole)):
            self.damage(path, whole[:length])
            self.assertIsNone(self.plugin().get(b"key"))
        self.damage(path, whole)
        self.assertEqual(self.plugin().get(b"key"), value)

    def test_an_action_whose_objects_are_gone_is_none(self):
        plugin = self.plugin()
        output = plugin.store(b"l" * 5000)
        plugin.put(b"key", plugin.store(b"value", [output]))
        (self.directory / "objects" / name_of(output)).unlink()
        self.assertIsNone(self.plugin().get(b"key"))

    def test_what_is_no_file_is_none_and_is_not_waited_for(self):
        plugin = self.plugin()
        digest = plugin.store(b"x" * 100)
        path = self.directory / "objects" / name_of(digest)
        for make in (lambda: os.mkfifo(path), lambda: path.mkdir(), lambda: path.symlink_to("/dev/zero")):
            path.unlink()
            make()
            self.assertIsNone(self.plugin().load(digest))
            if path.is_dir():
                path.rmdir()
                path.touch()
        path.unlink()

    def test_the_directory_may_go_while_it_is_used(self):
        plugin = self.plugin(spill=self.top / "spill")
        before, mapped = plugin.store(b"before"), plugin.store(b"m" * 100_000)
        self.assertEqual(plugin.load(before).data, b"before")
        self.assertEqual(plugin.load(mapped).data, b"m" * 100_000)
        shutil.rmtree(self.directory)
        after = plugin.store(b"after", [before])
        plugin.put(b"key", after)
        self.assertEqual(plugin.load(after).data, b"after")
        self.assertEqual(plugin.load(before).data, b"before")
        self.assertEqual(plugin.load(mapped).data, b"m" * 100_000)
        self.assertEqual(plugin.get(b"key"), after)
        # Who comes later begins anew, and has what was spilled.
        later = self.plugin(spill=self.top / "spill")
        self.assertEqual(later.load(after).data, b"after")
        self.assertEqual(later.load(later.store(b"later")).data, b"later")

    def test_without_any_directory_a_process_has_what_it_has_stored(self):
        blocked = self.top / "file"
        blocked.touch()
        for directory in (None, "", "/proc/nope", blocked, blocked / "below"):
            for spill in (None, "", blocked / "below"):
                plugin = self.plugin("" if directory is None else directory, spill=spill)
                small, large = plugin.store(b"small"), plugin.store(b"l" * 100_000)
                value = plugin.store(b"value", [small, large])
                plugin.put(b"key", value)
                self.assertEqual(plugin.get(b"key"), value)
                self.assertEqual(plugin.load(large).data, b"l" * 100_000)
                self.assertEqual(plugin.load(value).references, (small, large))


def can_mount():
    return subprocess.run(["unshare", "--user", "--map-root-user", "--mount", "mount", "-t", "tmpfs", "tmpfs", "/mnt"],
                          capture_output=True).returncode == 0


@unittest.skipUnless(can_mount(), "this machine does not let users mount")
class FullDiskTests(PluginCase):
    # On a disk of its own, which this process alone sees: the directory, and the name of one that is not there yet.
    PROGRAM = """
import os, sys
sys.path.insert(0, sys.argv[1])
from plugin import Plugin
directory, spill = sys.argv[2:]
plugin = Plugin(directory, spill=spill or None)
stored = {}
for number in range(300):
    data = b"%d" % number * (10_000 if number % 3 else 20)
    stored[plugin.store(data)] = data
outputs = list(stored)[-40:]
value = plugin.store(b"value", outputs)
plugin.put(b"key", value)
assert plugin.get(b"key") == value
for digest, data in stored.items():
    assert plugin.load(digest).data == data
state = os.statvfs(directory)
# A second name takes one of the small number of files, too.
assert state.f_bavail * state.f_bsize < 200_000 or state.f_favail <= 2, "the disk is not full"
assert not os.listdir(os.path.join(directory, "tmp"))
assert os.path.exists(spill) == bool(spill)
if spill:
    # What has found no room is there for others.
    for other in (Plugin(directory, spill=spill), Plugin("/proc/nope", spill=spill)):
        assert other.get(b"key") == value
    other = Plugin(directory, spill=spill)
    for digest, data in stored.items():
        assert other.load(digest).data == data
print("well")
"""

    def assert_well_on(self, options, spill):
        self.directory.mkdir()
        mount = f"mount -t tmpfs -o {options} tmpfs {self.directory} && exec \"$@\""
        environment = dict(os.environ)
        done = subprocess.run(
            ["unshare", "--user", "--map-root-user", "--mount", "sh", "-ec", mount, "sh", sys.executable, "-c",
             self.PROGRAM, str(places.HERE), str(self.directory), spill and str(spill)],
            capture_output=True, text=True, timeout=300, env=environment)
        self.assertEqual((done.returncode, done.stdout), (0, "well\n"), done.stderr)

    def test_what_finds_no_room_is_spilled(self):
        self.assert_well_on("size=512k", self.top / "spill")

    def test_what_finds_no_name_is_spilled(self):
        self.assert_well_on("size=64m,nr_inodes=60", self.top / "spill")

    def test_without_another_place_a_process_has_what_it_has_stored(self):
        self.assert_well_on("size=512k", "")
