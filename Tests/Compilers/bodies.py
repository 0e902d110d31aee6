"""Bodies of objects and actions, as the plugin and the server exchange them."""

import hashlib
import struct

SMALL = 4096


def digest_of(content):
    return hashlib.sha256(content).digest()


def object_body(data, references=()):
    return b"FCAS" + struct.pack("<IQ", len(references), len(data)) + b"".join(references) + data + b"\0"


def action_body(bodies, *, version=1, count=None, reserved=0, magic=b"FACT", sizes=None, digests=None):
    """Of the bodies of objects, the value's first."""
    sizes = sizes or [len(body) for body in bodies]
    digests = digests or [digest_of(body) for body in bodies]
    items = b"".join(digest + struct.pack("<Q", size) for digest, size in zip(digests, sizes))
    head = magic + struct.pack("<III", version, len(bodies) if count is None else count, reserved)
    return head + items + b"".join(body for body in bodies if len(body) <= SMALL)


def objects_of(action):
    """Digest and size of each object of an action, and the bodies within it, by digest."""
    magic, version, count, reserved = struct.unpack_from("<4sIII", action)
    assert (magic, version, reserved) == (b"FACT", 1, 0) and 1 <= count <= 64
    items = [struct.unpack_from("<32sQ", action, 16 + 40 * index) for index in range(count)]
    offset, small = 16 + 40 * count, {}
    for digest, size in items:
        if size <= SMALL:
            small[digest] = action[offset:offset + size]
            offset += size
    assert offset == len(action)
    return items, small


def key_of(key, toolchain=""):
    """The key by which an action is known outside of a compiler."""
    return digest_of(toolchain.encode() + b"\0" + key)


def name_of(digest):
    text = digest.hex()
    return f"{text[:2]}/{text[2:]}"
