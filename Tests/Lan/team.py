"""What a team's secret becomes, derived here a second time."""

import hashlib
import hmac

MEBIBYTE = 1 << 20


def pre_shared_key(secret):
    """The key of the channel, hexadecimal, as openssl takes it."""
    root = hashlib.scrypt(
        secret.encode(), salt=b"fabrik team 1", n=1 << 15, r=8, p=1, maxmem=64 * MEBIBYTE, dklen=32)
    return hmac.digest(root, b"fabrik tls13 psk 1\x01", "sha256").hex()
