"""A store as strict as bazel-remote, which Debian does not have.

From its documentation: blobs are in /cas/, named by their SHA-256, and what does not match is refused; in /ac/ are
messages `ActionResult` of the Remote Execution API, named by the SHA-256 of an action; other bytes are refused there,
and a result is answered only while all blobs that it names are in the store.
"""

import hashlib
import re

from servers import Answer, Store


class Malformed(Exception):
    pass


class BazelStore(Store):
    def put(self, request):
        kind, name = self.parse(request.path)
        if kind == "cas" and hashlib.sha256(request.body).hexdigest() != name:
            return Answer(400, b"the digest does not match")
        if kind == "ac":
            try:
                named_blobs(request.body)
            except Malformed as reason:
                return Answer(400, f"not an ActionResult: {reason}".encode())
        return super().put(request) if kind else Answer(400, b"what path is this?")

    def get(self, request):
        kind, _ = self.parse(request.path)
        if kind is None:
            return Answer(404)
        answer = super().get(request)
        if kind == "ac" and answer.status == 200:
            for digest, size in named_blobs(answer.body):
                blob = self.kept.get(f"{self.base}/cas/{digest}")
                if blob is None or len(blob) != size:
                    return Answer(404, b"blobs are missing")
        return answer

    def actions(self):
        return [name for name in self.names() if name.startswith(f"{self.base}/ac/")]

    def parse(self, path):
        match = re.fullmatch(re.escape(self.base) + "/(ac|cas)/([0-9a-f]{64})", path)
        return match.groups() if match else (None, None)


def named_blobs(message):
    """Digests and sizes of the blobs that an `ActionResult` names. Only what is in that message is allowed in it."""
    if not message:
        raise Malformed("empty")
    blobs = []
    for number, value in fields(message):
        if number == 2:
            # output_files; digest = 2
            blobs += [digest(inner) for tag, inner in parts(value, {1, 2, 4, 5, 7}) if tag == 2]
        elif number == 3:
            # output_directories; tree_digest = 3
            blobs += [digest(inner) for tag, inner in parts(value, {1, 3, 4, 5}) if tag == 3]
        elif number in (6, 8):
            # stdout_digest, stderr_digest
            blobs.append(digest(value))
        elif number not in (4, 5, 7, 9, 10, 11, 12):
            raise Malformed(f"a field {number}")
    return blobs


def digest(message):
    hash, size = "", 0
    for number, value in parts(message, {1, 2}):
        if number == 1:
            hash = value.decode("ascii", "replace")
        else:
            size = value
    if not re.fullmatch("[0-9a-f]{64}", hash) or not isinstance(size, int):
        raise Malformed(f"a digest '{hash}' of {size} bytes")
    return hash, size


def parts(message, allowed):
    if not isinstance(message, bytes):
        raise Malformed("a number in place of a message")
    for number, value in fields(message):
        if number not in allowed:
            raise Malformed(f"a field {number}")
        yield number, value


def fields(message):
    """Numbers and values of a message in protobuf's wire format."""
    position = 0
    while position < len(message):
        tag, position = varint(message, position)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            value, position = varint(message, position)
        elif kind in (1, 2, 5):
            length = {1: 8, 5: 4}.get(kind)
            if length is None:
                length, position = varint(message, position)
            value, position = message[position:position + length], position + length
            if position > len(message):
                raise Malformed("cut off")
        else:
            raise Malformed(f"a wire type {kind}")
        if number == 0:
            raise Malformed("a field 0")
        yield number, value


def varint(message, position):
    value = 0
    for shift in range(0, 70, 7):
        if position >= len(message):
            raise Malformed("cut off")
        byte = message[position]
        position += 1
        value |= (byte & 127) << shift
        if byte < 128:
            return value, position
    raise Malformed("a number of more than ten bytes")
