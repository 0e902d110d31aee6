"""libFabrikCAS.so as a compiler sees it: the functions of LLVM's CAS plugin interface, by ctypes."""

import ctypes
import os
from ctypes import (CFUNCTYPE, POINTER, Structure, byref, c_bool, c_char_p, c_int, c_size_t, c_uint, c_uint8, c_uint64,
                    c_void_p)
from dataclasses import dataclass

import places


class Bytes(Structure):
    _fields_ = [("data", c_void_p), ("size", c_size_t)]


class Identifier(Structure):
    _fields_ = [("opaque", c_uint64)]


class References(Structure):
    _fields_ = [("begin", c_uint64), ("end", c_uint64)]


FOUND, NOT_FOUND, FAILED = 0, 1, 2
Loaded = CFUNCTYPE(None, c_void_p, c_int, Identifier, c_void_p)
Got = CFUNCTYPE(None, c_void_p, c_int, Identifier, c_void_p)
Put = CFUNCTYPE(None, c_void_p, c_bool, c_void_p)

_SIGNATURES = {
    "get_plugin_version": (None, [POINTER(c_uint), POINTER(c_uint)]),
    "string_dispose": (None, [c_void_p]),
    "cas_options_create": (c_void_p, []),
    "cas_options_dispose": (None, [c_void_p]),
    "cas_options_set_client_version": (None, [c_void_p, c_uint, c_uint]),
    "cas_options_set_ondisk_path": (None, [c_void_p, c_char_p]),
    "cas_options_set_option": (c_bool, [c_void_p, c_char_p, c_char_p, POINTER(c_void_p)]),
    "cas_create": (c_void_p, [c_void_p, POINTER(c_void_p)]),
    "cas_dispose": (None, [c_void_p]),
    "cas_get_hash_schema_name": (c_void_p, [c_void_p]),
    "digest_parse": (c_uint, [c_void_p, c_char_p, c_void_p, c_size_t, POINTER(c_void_p)]),
    "digest_print": (c_bool, [c_void_p, Bytes, POINTER(c_void_p), POINTER(c_void_p)]),
    "cas_get_objectid": (c_bool, [c_void_p, Bytes, POINTER(Identifier), POINTER(c_void_p)]),
    "objectid_get_digest": (Bytes, [c_void_p, Identifier]),
    "cas_contains_object": (c_int, [c_void_p, Identifier, c_bool, POINTER(c_void_p)]),
    "cas_load_object": (c_int, [c_void_p, Identifier, POINTER(Identifier), POINTER(c_void_p)]),
    "cas_load_object_async": (None, [c_void_p, Identifier, c_void_p, Loaded, POINTER(c_void_p)]),
    "cas_store_object": (c_bool, [c_void_p, Bytes, POINTER(Identifier), c_size_t, POINTER(Identifier),
                                  POINTER(c_void_p)]),
    "loaded_object_get_data": (Bytes, [c_void_p, Identifier]),
    "loaded_object_get_refs": (References, [c_void_p, Identifier]),
    "object_refs_get_count": (c_size_t, [c_void_p, References]),
    "object_refs_get_id": (Identifier, [c_void_p, References, c_size_t]),
    "actioncache_get_for_digest": (c_int, [c_void_p, Bytes, POINTER(Identifier), c_bool, POINTER(c_void_p)]),
    "actioncache_get_for_digest_async": (None, [c_void_p, Bytes, c_bool, c_void_p, Got, POINTER(c_void_p)]),
    "actioncache_put_for_digest": (c_bool, [c_void_p, Bytes, Identifier, c_bool, POINTER(c_void_p)]),
    "actioncache_put_for_digest_async": (None, [c_void_p, Bytes, Identifier, c_bool, c_void_p, Put,
                                                POINTER(c_void_p)]),
}


class _Library:
    def __init__(self, path):
        library = ctypes.CDLL(path)
        for name, (result, arguments) in _SIGNATURES.items():
            function = getattr(library, "llcas_" + name)
            function.restype, function.argtypes = result, arguments
            setattr(self, name, function)


library = _Library(places.LIBRARY)


def _bytes(content):
    """With what keeps it alive."""
    buffer = ctypes.create_string_buffer(bytes(content), len(content)) if len(content) else None
    return Bytes(ctypes.addressof(buffer) if buffer is not None else None, len(content)), buffer


@dataclass(frozen=True)
class Content:
    data: bytes
    references: tuple  # of digests


class PluginError(Exception):
    """What the plugin says to the compiler."""


class Plugin:
    """One store, as a compiler opens it."""

    VARIABLES = ("SOCKET", "LEASE", "SPILL", "MISSED")

    def __init__(self, directory, options=None, **variables):
        for name in self.VARIABLES:
            value = variables.pop(name.lower(), None)
            if value is None:
                os.environ.pop("FABRIK_CAS_" + name, None)
            else:
                os.environ["FABRIK_CAS_" + name] = str(value)
        assert not variables
        settings = library.cas_options_create()
        library.cas_options_set_client_version(settings, 0, 1)
        if directory is not None:
            library.cas_options_set_ondisk_path(settings, os.fsencode(directory))
        for name, value in (options or {}).items():
            self._check(lambda error: library.cas_options_set_option(settings, name.encode(), value.encode(), error))
        error = c_void_p()
        self.store_ = library.cas_create(settings, byref(error))
        library.cas_options_dispose(settings)
        assert self.store_

    def close(self):
        store, self.store_ = self.store_, None
        if store:
            library.cas_dispose(store)

    @staticmethod
    def _text(pointer):
        text = ctypes.string_at(pointer.value).decode()
        library.string_dispose(pointer)
        return text

    def _check(self, call):
        error = c_void_p()
        if call(byref(error)):
            raise PluginError(self._text(error))

    @property
    def schema(self):
        return self._text(c_void_p(library.cas_get_hash_schema_name(self.store_)))

    def parse(self, printed, size=32):
        buffer = (c_uint8 * 64)(*[0xEE] * 64)
        error = c_void_p()
        length = library.digest_parse(self.store_, printed.encode(), ctypes.addressof(buffer), size, byref(error))
        if length == 0:
            raise PluginError(self._text(error))
        assert all(byte == 0xEE for byte in buffer[size:])
        return bytes(buffer[:length])

    def print(self, digest):
        value, _keep = _bytes(digest)
        text = c_void_p()
        self._check(lambda error: library.digest_print(self.store_, value, byref(text), error))
        return self._text(text)

    def identifier(self, digest):
        value, _keep = _bytes(digest)
        identifier = Identifier()
        self._check(lambda error: library.cas_get_objectid(self.store_, value, byref(identifier), error))
        return identifier

    def digest(self, identifier):
        value = library.objectid_get_digest(self.store_, identifier)
        return ctypes.string_at(value.data, value.size)

    def contains(self, digest, globally=False):
        return library.cas_contains_object(self.store_, self.identifier(digest), globally, None) == FOUND

    def store(self, data, references=()):
        """Returns the object's digest."""
        value, _keep = _bytes(data)
        identifiers = (Identifier * max(len(references), 1))(*[self.identifier(digest) for digest in references])
        result = Identifier()
        self._check(lambda error: library.cas_store_object(self.store_, value, identifiers, len(references),
                                                           byref(result), error))
        return self.digest(result)

    def _content(self, loaded):
        data = library.loaded_object_get_data(self.store_, loaded)
        # LLVM relies on both.
        assert data.data % 8 == 0, "data does not lie at a multiple of 8"
        content = ctypes.string_at(data.data, data.size + 1)
        assert content[-1] == 0, "no zero byte follows the data"
        references = library.loaded_object_get_refs(self.store_, loaded)
        count = library.object_refs_get_count(self.store_, references)
        return Content(content[:-1], tuple(
            self.digest(library.object_refs_get_id(self.store_, references, index)) for index in range(count)))

    def load(self, digest):
        """None: nobody has it."""
        loaded = Identifier()
        error = c_void_p()
        result = library.cas_load_object(self.store_, self.identifier(digest), byref(loaded), byref(error))
        assert result in (FOUND, NOT_FOUND)
        return self._content(loaded) if result == FOUND else None

    def load_later(self, digest):
        answers = []
        callback = Loaded(lambda context, result, loaded, error: answers.append((context, result, loaded.opaque)))
        library.cas_load_object_async(self.store_, self.identifier(digest), 42, callback, None)
        ((context, result, loaded),) = answers
        assert context == 42
        return self._content(Identifier(loaded)) if result == FOUND else None

    def get(self, key):
        """The value's digest; None: nobody knows."""
        value, _keep = _bytes(key)
        identifier = Identifier()
        error = c_void_p()
        result = library.actioncache_get_for_digest(self.store_, value, byref(identifier), True, byref(error))
        assert result in (FOUND, NOT_FOUND)
        return self.digest(identifier) if result == FOUND else None

    def get_later(self, key):
        value, _keep = _bytes(key)
        answers = []
        callback = Got(lambda context, result, found, error: answers.append((result, found.opaque)))
        library.actioncache_get_for_digest_async(self.store_, value, True, None, callback, None)
        ((result, found),) = answers
        return self.digest(Identifier(found)) if result == FOUND else None

    def put(self, key, digest):
        value, _keep = _bytes(key)
        self._check(lambda error: library.actioncache_put_for_digest(self.store_, value, self.identifier(digest), False,
                                                                     error))

    def put_later(self, key, digest):
        value, _keep = _bytes(key)
        answers = []
        callback = Put(lambda context, failed, error: answers.append(failed))
        library.actioncache_put_for_digest_async(self.store_, value, self.identifier(digest), False, None, callback,
                                                 None)
        assert answers == [False]
