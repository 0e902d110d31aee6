"""The plugin and a server: an honest one, one that lies, and one that is not well."""

import os
import random
import socket
import struct
import threading
import time
import unittest

import places
from bodies import action_body, digest_of, key_of, name_of, object_body, objects_of
from cases import PluginCase
from fakeserver import FOUND, HIT, MISS, READY, WORKING, Closed, frame, hit

# Seconds after which a server that says nothing is given up, and after which all that is certainly so.
SILENCE, PATIENCE = 4, 30


class ServerCase(PluginCase):
    LARGE = b"large" * 20_000

    def setUp(self):
        super().setUp()
        self.fake = self.server()

    def client(self, name="work", **arguments):
        return self.plugin(self.top / name, socket=self.fake.path, **arguments)

    def publish(self, key=b"key"):
        """Has the server know an action with a small and a large object; returns its value's digest."""
        author = self.client("author")
        small, large = author.store(b"small"), author.store(self.LARGE)
        value = author.store(b"value", [small, large])
        author.put(key, value)
        self.fake.wait_for(lambda: key_of(key) in self.fake.actions)
        return value

    def assert_whole(self, plugin, value):
        content = plugin.load(value)
        self.assertEqual(content.data, b"value")
        small, large = content.references
        self.assertEqual(plugin.load(small).data, b"small")
        self.assertEqual(plugin.load(large).data, self.LARGE)


class HonestServerTests(ServerCase):
    def test_it_is_told_who_asks(self):
        self.client(lease="a lease").get(b"key")
        self.assertEqual(self.fake.hellos, [b"\2\7a lease" + os.fsencode(self.top / "work")])
        self.client().get(b"key")
        self.assertEqual(self.fake.hellos[1], b"\2\0" + os.fsencode(self.top / "work"))

    def test_what_one_has_put_others_get(self):
        value = self.publish()
        reader = self.client("reader")
        self.assertEqual(reader.get(b"key"), value)
        self.assert_whole(reader, value)
        self.assertEqual(self.fake.gets, [key_of(b"key")])
        # All came with the action.
        self.assertEqual(self.fake.wanted, [])
        self.assertIsNone(reader.get(b"another key"))

    def test_an_action_has_all_that_the_value_leads_to(self):
        value = self.publish()
        items, small = objects_of(self.fake.actions[key_of(b"key")])
        self.assertEqual(items[0][0], value)
        self.assertEqual([size <= 4096 for _, size in items], [True, True, False])
        self.assertEqual(set(small), {value, digest_of(object_body(b"small"))})
        for digest, body in small.items():
            self.assertEqual(digest_of(body), digest)

    def test_what_has_come_is_there_for_other_compilers_and_without_the_server(self):
        value = self.publish()
        self.client("reader").get(b"key")
        self.fake.stop()
        other = self.plugin(self.top / "reader")
        self.assertEqual(other.get(b"key"), value)
        # They tell each other digests: each object is to be found by its own.
        another = self.plugin(self.top / "reader")
        self.assert_whole(another, value)

    def test_a_large_object_is_the_servers_file(self):
        self.publish()
        self.client("reader").get(b"key")
        name = digest_of(object_body(self.LARGE))
        self.assertTrue(os.path.samefile(self.top / "reader" / "objects" / name_of(name), self.fake.file(name)))

    def test_a_file_that_was_cut_short_is_made_whole(self):
        value = self.publish()
        self.client("reader").get(b"key")
        for path in self.files("objects", self.top / "reader"):
            # A copy: the other name of the file is the server's.
            content = path.read_bytes()
            path.unlink()
            path.write_bytes(content[:-1])
        for body in (object_body(b"small"), object_body(self.LARGE)):
            self.fake.keep(digest_of(body), body)
        reader = self.client("reader")
        self.assertEqual(reader.get(b"key"), value)
        self.assert_whole(reader, value)
        self.assert_whole(self.client("reader"), value)

    def test_it_is_told_of_what_was_there(self):
        value = self.publish()
        total = sum(size for _, size in objects_of(self.fake.actions[key_of(b"key")])[0])
        again = self.client("author")
        self.assertEqual(again.get(b"key"), value)
        self.fake.wait_for(lambda: self.fake.used)
        self.assertEqual(self.fake.used, [(key_of(b"key"), total)])
        self.assertEqual(self.fake.gets, [])

    def test_one_object_is_asked_for_by_itself(self):
        body = object_body(b"x" * 50_000)
        digest = digest_of(body)
        self.fake.keep(digest, body)
        reader = self.client("reader")
        self.assertEqual(reader.load(digest).data, b"x" * 50_000)
        self.assertTrue(reader.contains(digest, globally=True))
        self.assertIsNone(reader.load(bytes(32)))
        self.assertFalse(reader.contains(bytes(range(32))))
        self.assertEqual(self.fake.wanted, [digest, bytes(32)])

    def test_it_may_take_its_time_while_it_says_so(self):
        value = self.publish()

        def at_work(key):
            for connection in self.fake.connections[-1:]:
                for _ in range(SILENCE + 2):
                    connection.sendall(frame(WORKING))
                    time.sleep(1)
            return self.fake.answer_get(key)

        self.fake.on_get = at_work
        self.assertEqual(self.client("reader").get(b"key"), value)

    def test_another_one_may_take_its_place(self):
        value = self.publish()
        reader = self.client("reader")
        self.assertIsNone(reader.get(b"nothing"))
        self.fake.stop()
        self.assertIsNone(reader.get(b"key"))
        self.fake.start()
        self.assertEqual(reader.get(b"key"), value)

    def test_what_is_of_no_use_to_others_is_not_put(self):
        private = self.client(options={"sharing": "off"})
        private.put(b"private", private.store(b"value"))
        client = self.client()
        # What the scanner of Swift's driver puts: the key is a part of the value.
        key = client.store(b"a module of the toolchain")
        client.put(key, client.store(b"value", [key]))
        client.put(b"incomplete", client.store(b"value", [bytes(32)]))
        client.put(b"much", client.store(b"value", [client.store(b"%d" % number) for number in range(64)]))
        client.put(b"shared", client.store(b"value"))
        self.fake.wait_for(lambda: self.fake.puts)
        self.assertEqual([key for key, _ in self.fake.puts], [key_of(b"shared")])

    def test_a_process_that_splits_off_has_a_connection_of_its_own(self):
        value = self.publish()
        reader = self.client("reader")
        self.assertIsNone(reader.get(b"nothing"))
        before = len(self.fake.hellos)

        def get():
            assert reader.get(b"key") == value

        self.assert_well_elsewhere(get)
        self.assertEqual(len(self.fake.hellos), before + 1)
        self.assertEqual(reader.get(b"key"), value)
        self.assertEqual(len(self.fake.hellos), before + 1)


class MappedDirectoryTests(ServerCase):
    """Compilations in directories that are told apart by their path alone."""

    def key(self, plugin, directory, *, options=b"-O\0", modules=None, tail=b"command-lineversion"):
        line = b"-swift-frontend\0" + options
        line += b"-module-cache-path %s/.build/modules\0-debug-module-path %s/a.swiftmodule\0" % (directory, directory)
        listed = modules or b'{\n  "modulePath" : "%s/b.swiftmodule",\n  "moduleCacheKey" : "1"\n}\n' % directory
        line += b"-explicit-swift-module-map-file " + plugin.print(plugin.store(listed)).encode() + b"\0"
        leaves = [plugin.store(b"schema"), plugin.store(line), plugin.store(b"Swift 6.3")]
        return plugin.store(b"\0\0\0\0", [plugin.store(b"head " + tail, leaves)])

    def compiled(self, name, **arguments):
        plugin = self.client(name, options={"mapped": f"/src/{name}"})
        return plugin, self.key(plugin, f"/src/{name}".encode(), **arguments)

    def test_share_what_they_compile(self):
        one, key = self.compiled("one")
        value = one.store(b"value")
        one.put(key, value)
        self.fake.wait_for(lambda: self.fake.puts)
        other, other_key = self.compiled("other")
        self.assertNotEqual(key, other_key)
        self.assertEqual(other.get(other_key), value)

    def test_share_nothing_that_is_known_by_its_path_alone(self):
        modules = b'[\n{\n  "moduleCacheKey" : "1"\n},\n{\n  "modulePath" : "/src/%s/b.swiftmodule"\n}]\n'
        one, key = self.compiled("one", modules=modules % b"one")
        one.put(key, one.store(b"value"))
        self.fake.wait_for(lambda: self.fake.puts)
        other, other_key = self.compiled("other", modules=modules % b"other")
        self.assertIsNone(other.get(other_key))

    def test_share_nothing_that_differs_in_anything_else(self):
        one, key = self.compiled("one")
        one.put(key, one.store(b"value"))
        self.fake.wait_for(lambda: self.fake.puts)
        differences = [{"options": b"-Onone\0"}, {"options": b"-I /src/other/include\0-O\0"}, {"options": b""},
                       {"modules": b'{\n  "modulePath" : "/src/other/b.swiftmodule",\n  "moduleCacheKey" : "2"\n}\n'},
                       {"modules": b'{\n  "modulePath" : "/opt/b.swiftmodule",\n  "moduleCacheKey" : "1"\n}\n'},
                       {"modules": b'{\n  "modulePath" : "/src/otherwise/b.swiftmodule",\n  "moduleCacheKey" : "1"\n}\n'},
                       {"tail": b"version"}]
        for difference in differences:
            with self.subTest(difference=difference):
                other, other_key = self.compiled("other", **difference)
                self.assertIsNone(other.get(other_key))

    def test_is_not_taken_for_what_has_another_form(self):
        plugin = self.client(options={"mapped": "/src"})
        tops = [plugin.store(b"\0\0\0\0"), plugin.store(b"", [plugin.store(b"")]),
                plugin.store(b"\0\0\0\0", [bytes(32)]),
                plugin.store(b"\0\0\0\0", [plugin.store(b"command-lineversion")]),
                plugin.store(b"\0\0\0\0", [plugin.store(b"command-lineversion", [bytes(32)] * 3)]), bytes(32)]
        for number, key in enumerate(tops):
            value = plugin.store(b"%d" % number)
            plugin.put(key, value)
            self.assertEqual(plugin.get(key), value)
        for options in (b"-explicit-swift-module-map-file ", b"-explicit-swift-module-map-file x\0", b"\0\0", b"-x",
                        b"-explicit-swift-module-map-file fabrik://" + b"0" * 64, b"-explicit-swift-module-map-file "
                        + b"0" * 1000, b"-module-cache-path ", b"-module-cache-path /src"):
            key = self.key(plugin, b"/src", options=options)
            value = plugin.store(options)
            plugin.put(key, value)
            self.assertEqual(plugin.get(key), value)


class LyingServerTests(ServerCase):
    """Whatever it says, what is got is what was asked for, or nothing."""

    def setUp(self):
        super().setUp()
        self.value = self.publish()
        self.action = self.fake.actions[key_of(b"key")]
        self.bodies = [object_body(b"value", [digest_of(object_body(b"small")), digest_of(object_body(self.LARGE))]),
                       object_body(b"small"), object_body(self.LARGE)]
        self.assertEqual(self.action, action_body(self.bodies))
        self.count = 0

    def reader(self):
        self.count += 1
        return self.client(f"reader {self.count}")

    def assert_refused(self, answer):
        self.fake.on_get = answer if callable(answer) else lambda key: answer
        reader = self.reader()
        begin = time.monotonic()
        self.assertIsNone(reader.get(b"key"))
        self.assertLess(time.monotonic() - begin, PATIENCE)
        self.assertEqual(self.files("actions", self.top / f"reader {self.count}"), [])
        # It goes on.
        self.fake.on_get = self.fake.answer_get
        self.assertEqual(self.reader().get(b"key"), self.value)

    def test_of_what_an_action_is(self):
        paths = self.fake.paths(self.action)
        value, small, large = self.bodies
        for lie in [
            b"", self.action[:-1], self.action + b"\0", action_body(self.bodies, magic=b"FCAS"),
            action_body(self.bodies, version=2), action_body(self.bodies, version=0),
            action_body(self.bodies, reserved=1), action_body(self.bodies, count=0), action_body(self.bodies, count=2),
            action_body(self.bodies, count=4), action_body(self.bodies, count=65),
            action_body(self.bodies, count=2**32 - 1), action_body([small] * 65),
            action_body(self.bodies, sizes=[len(value), len(small), 2**30]),
            action_body(self.bodies, sizes=[len(value), len(small), 2**64 - 1]),
            action_body(self.bodies, sizes=[len(value), len(small) + 1, len(large)]),
            action_body(self.bodies, sizes=[2**64 - 1, len(small), len(large)]),
            action_body(self.bodies, digests=[digest_of(body) for body in (small, value, large)]),
            action_body(self.bodies, digests=[digest_of(value), bytes(32), digest_of(large)]),
            # Objects that are none, under their own digests.
            action_body([b"FCAS"]), action_body([b""]), action_body([bytes(17)]), action_body([value + b"\0"]),
            action_body([small[:4] + b"\1" + small[5:]]), action_body([value[:-1] + b"\1"]),
        ]:
            with self.subTest(lie=lie[:100]):
                self.assert_refused(hit(lie, paths))

    def test_of_what_belongs_to_an_action(self):
        value, small, large = self.bodies
        self.assert_refused(hit(action_body([value, small])))
        self.assert_refused(hit(action_body([value, large]), self.fake.paths(self.action)))

    def test_of_where_an_object_is(self):
        directory, fifo, link, short, other = (self.top / name for name in ("d", "fifo", "link", "short", "other"))
        (path,) = self.fake.paths(self.action)
        directory.mkdir()
        os.mkfifo(fifo)
        link.symlink_to(path)
        short.write_bytes(self.bodies[2][:-1])
        other.write_bytes(object_body(b"!" * len(self.LARGE)))
        for lie in ("", "/", "relative", "/nonexistent", directory, fifo, link, short, other, "/dev/zero", "/" * 4000,
                    "/x" * 3000, b"\0", os.fsencode(path) + b"x"):
            with self.subTest(lie=str(lie)[:100]):
                self.assert_refused(hit(self.action, [lie]))
        self.assert_refused(hit(self.action, []))
        self.assert_refused(hit(self.action, [path])[:-1] + b"x")
        os.chdir(self.fake.store)
        self.addCleanup(os.chdir, "/")
        self.assert_refused(hit(self.action, [os.path.basename(path)]))

    def test_of_lengths(self):
        good = hit(self.action, self.fake.paths(self.action))
        for lie in (struct.pack("<IB", 0, HIT), struct.pack("<IB", 2**32 - 1, HIT),
                    struct.pack("<IB", (1 << 20) + 1, HIT), frame(HIT), frame(HIT, b"\1\0\0"), frame(HIT, struct.pack("<I", 2**32 - 1)),
                    frame(HIT, struct.pack("<I", len(self.action) + 10_000) + self.action),
                    frame(HIT, struct.pack("<I", len(self.action)) + self.action + b"\xff\xff/"), frame(READY, b"\1"),
                    frame(FOUND, self.bodies[0]), frame(0), frame(255, b"x" * 100)):
            with self.subTest(lie=lie[:40]):
                def close_after(_, lie=lie):
                    self.fake.connections[-1].sendall(lie)
                    raise Closed

                self.assert_refused(close_after)
        for length in (0, 1, 4, 5, 6, 9, 100, len(good) - 1):
            with self.subTest(length=length):
                def stop_after(_, length=length):
                    self.fake.connections[-1].sendall(good[:length])
                    raise Closed

                self.assert_refused(stop_after)

    def test_of_what_an_object_is(self):
        body = object_body(b"x" * 1000)
        digest = digest_of(body)
        wrong = self.top / "wrong"
        wrong.write_bytes(object_body(b"y" * 1000))
        cut, long, right = self.top / "cut", self.top / "long", self.top / "right"
        cut.write_bytes(body[:-1])
        long.write_bytes(body + b"\0")
        right.write_bytes(body)
        lies = [b"", b"\0", b"/", b"/" * 70_000, bytes(1000), body, b"\1" + os.fsencode(right), os.fsencode(right) + b"x",
                *(os.fsencode(path) for path in (wrong, cut, long))]
        for lie in lies:
            with self.subTest(lie=lie[:40]):
                self.fake.on_object = lambda _, lie=lie: frame(FOUND, lie)
                self.assertIsNone(self.reader().load(digest))
        self.fake.on_object = lambda _: frame(FOUND, os.fsencode(right))
        self.assertEqual(self.reader().load(digest).data, b"x" * 1000)
        # One that is none, under its own digest.
        for lie in (b"no object", b"FCAS" + bytes(12), b"FCAS" + bytes(12) + b"\1", body[:4] + b"\1" + body[5:]):
            wrong.write_bytes(lie)
            self.fake.on_object = lambda _: frame(FOUND, os.fsencode(wrong))
            reader = self.reader()
            self.assertIsNone(reader.load(digest_of(lie)))
            self.assertFalse(reader.contains(digest_of(lie)))

    def test_what_it_says_without_being_asked_answers_no_question(self):
        other = action_body([object_body(b"another value")])
        reader = self.reader()
        self.fake.on_get = lambda _: frame(MISS) + hit(other)
        self.assertIsNone(reader.get(b"nothing"))
        self.fake.on_get = self.fake.answer_get
        self.assertEqual(reader.get(b"key"), self.value)

    def test_a_greeting_that_is_none_is_not_trusted(self):
        for greeting in (b"", frame(READY), frame(READY, b"\1"), frame(READY, b"\2\2"), frame(MISS), frame(WORKING),
                         hit(self.action, self.fake.paths(self.action)), struct.pack("<IB", 2**31, READY)):
            def greet(_, greeting=greeting):
                self.fake.connections[-1].sendall(greeting)
                raise Closed

            with self.subTest(greeting=greeting[:20]):
                self.fake.on_hello = greet
                self.assertIsNone(self.reader().get(b"key"))

    def test_frames_that_were_changed_at_random(self):
        generator = random.Random(20)
        good = hit(self.action, self.fake.paths(self.action))
        digest = digest_of(self.bodies[1])
        self.fake.keep(digest, self.bodies[1])
        alone = frame(FOUND, os.fsencode(self.fake.file(digest)))
        results = {None: 0, self.value: 0}

        def changed(original):
            content = bytearray(original)
            for _ in range(generator.choice((1, 1, 2, 5))):
                way = generator.randrange(4)
                place = generator.randrange(len(content))
                if way == 0:
                    content[place] ^= 1 << generator.randrange(8)
                elif way == 1:
                    content[place] = generator.choice((0, 1, 127, 128, 255))
                elif way == 2:
                    del content[place:place + generator.randrange(1, 9)]
                else:
                    content[place:place] = generator.randbytes(generator.randrange(1, 9))
                content = content or bytearray(1)
            # Mostly with a frame's length that is right, or nothing else would be tried.
            if generator.random() < 0.8 and len(content) >= 5:
                content[:4] = struct.pack("<I", len(content) - 4)
            return bytes(content)

        def answer(original):
            def send(_):
                self.fake.connections[-1].sendall(changed(original))
                raise Closed

            return send

        self.fake.on_get, self.fake.on_object = answer(good), answer(alone)
        for _ in range(400):
            reader = self.reader()
            value = reader.get(b"key")
            self.assertIn(value, results)
            results[value] += 1
            if value is not None:
                self.assert_whole(reader, value)
            content = reader.load(digest)
            self.assertTrue(content is None or (content.data, content.references) == (b"small", ()))
            reader.close()
        # Some paths stay what they were, but few.
        self.assertGreater(results[None], 300)


class UnwellServerTests(ServerCase):
    def assert_given_up(self, plugin, within=PATIENCE):
        begin = time.monotonic()
        self.assertIsNone(plugin.get(b"key"))
        self.assertLess(time.monotonic() - begin, within)

    def assert_left_alone(self, within=PATIENCE):
        """By this process, and by others."""
        mark = self.directory / "silent"
        self.assertTrue(mark.exists())
        asked = len(self.fake.hellos)
        other = self.client()
        self.assert_given_up(other, within)
        self.assert_well_elsewhere(lambda: self.assert_given_up(self.client(), within))
        # The build goes on.
        other.put(b"own", other.store(b"value"))
        self.assertIsNotNone(other.get(b"own"))
        self.assertEqual(len(self.fake.hellos), asked)

    def assert_asked_again_later(self):
        value = self.publish()
        past = time.time() - 60
        os.utime(self.directory / "silent", (past, past))
        self.assertEqual(self.client().get(b"key"), value)

    def hang(self, *_):
        self.is_over.wait(120)
        raise Closed

    def setUp(self):
        super().setUp()
        self.is_over = threading.Event()
        # Before the server is stopped, which waits for its threads.
        self.addCleanup(self.is_over.set)

    def test_silence_after_the_greeting(self):
        self.fake.on_get = self.hang
        client = self.client()
        self.assert_given_up(client)
        self.assert_given_up(client)
        self.assert_left_alone()
        self.fake.on_get = self.fake.answer_get
        self.assert_asked_again_later()

    def test_silence_before_the_greeting(self):
        self.fake.on_hello = self.hang
        self.assert_given_up(self.client())
        self.assert_left_alone()

    def test_silence_within_an_answer(self):
        def begin(_):
            self.fake.connections[-1].sendall(frame(HIT, bytes(1000))[:500])
            self.hang()

        self.fake.on_get = begin
        self.assert_given_up(self.client())
        self.assert_left_alone()

    def test_silence_without_an_end_of_the_queue(self):
        self.fake.stop()
        # One that never accepts, and has a short queue.
        with socket.socket(socket.AF_UNIX) as listener:
            listener.bind(self.fake.path)
            listener.listen(0)
            self.addCleanup(os.unlink, self.fake.path)
            waiting = []
            for _ in range(10):
                connection = socket.socket(socket.AF_UNIX)
                connection.setblocking(False)
                waiting.append(connection)
                if connection.connect_ex(self.fake.path) != 0:
                    break
            self.assert_given_up(self.client())
            # Nobody counts there who asks.
            self.assert_left_alone(within=SILENCE - 1)
            for connection in waiting:
                connection.close()

    def test_a_server_that_does_not_read(self):
        self.fake.on_get = lambda _: frame(MISS)
        client = self.client()
        self.assertIsNone(client.get(b"key"))
        # Reads no more after this answer.
        self.fake.on_get = lambda _: (self.fake.connections[-1].sendall(frame(MISS)), self.hang())
        self.assertIsNone(client.get(b"key"))
        begin = time.monotonic()
        outputs = [client.store(os.urandom(4000)) for _ in range(60)]
        for number in range(20):
            client.put(b"%d" % number, client.store(b"%d" % number, outputs))
        self.assertLess(time.monotonic() - begin, PATIENCE)
        self.assertIsNotNone(client.get(b"19"))
        self.assert_left_alone()

    @unittest.skipIf(places.IS_WATCHED, "it waits for long")
    def test_a_server_that_is_for_ever_at_work(self):
        def work(_):
            while not self.is_over.is_set():
                self.fake.connections[-1].sendall(frame(WORKING) * 100)

        self.fake.on_get = work
        self.assert_given_up(self.client(), within=30 + PATIENCE)
        self.is_over.set()
        self.assert_left_alone()

    def test_a_server_that_ends_in_the_middle(self):
        value = self.publish()
        good = self.fake.answer_get(key_of(b"key"))

        def end(_):
            self.fake.connections[-1].sendall(good[:len(good) // 2])
            self.fake.listener.shutdown(socket.SHUT_RDWR)
            raise Closed

        self.fake.on_get = end
        client = self.client()
        self.assert_given_up(client)
        self.assertFalse((self.directory / "silent").exists())
        client.put(b"own", client.store(b"value"))
        self.assertIsNotNone(client.get(b"own"))
        self.fake.stop()
        self.fake.on_get = self.fake.answer_get
        self.fake.start()
        self.assertEqual(client.get(b"key"), value)

    def test_there_is_none(self):
        self.fake.stop()
        for path in (self.fake.path, "/nonexistent", "relative", "", "/" + "x" * 200, str(self.top)):
            plugin = self.plugin(socket=path, lease="x" * 300)
            self.assertIsNone(plugin.get(b"key"))
            self.assertIsNone(plugin.load(bytes(32)))
            plugin.put(b"key " + path.encode(), plugin.store(b"value"))
            self.assertIsNotNone(plugin.get(b"key " + path.encode()))
