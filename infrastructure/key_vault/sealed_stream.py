"""The format of a sealed stream, byte by byte, and the only code that makes or reads one: for what is too large to be one
message, and is read in ranges.

    0   1  magic 0xFE, which no UTF-8 text contains
    1   1  suite 0x21: AES-256-GCM in chunks (STREAM), stream key and commitment by HKDF-Expand-SHA-512
    2   1  flags, all 0
    3   1  binary logarithm of a chunk's plaintext bytes: 16
    4  24  salt, random
    28 32  commitment to the key
    60     chunks: 65,536 bytes of ciphertext and 16 of tag each; the last has 0 to 65,536 bytes of ciphertext, 0 only in an
           empty stream

A stream has a key of its own (32 random bytes), kept elsewhere. From it and the header's first 28 bytes comes what seals:
`HKDF-Expand(SHA-512, key, "fle/stream/v1" | bytes 0-27, 64)` is the stream key and the commitment. Of each chunk the nonce
is its number (11 bytes, big-endian, from 0) and a byte that is 1 in the last chunk, and 0 in all others; authenticated with
it are the header and the stream's place.

So a chunk opens only where it was sealed: in this stream, at this place, with this number. A chunk that was changed, moved,
repeated or left out doesn't open, nor does a stream that was cut or made longer, since its last chunk isn't the last one
then (https://eprint.iacr.org/2015/189). The salt keeps the nonces apart if one key ever sealed two streams, and the
commitment makes a stream that opens under two keys impossible.
"""

import hmac
import os
from typing import Final

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from infrastructure.key_vault.sealed import DecryptionFailed

KEY_BYTES: Final = 32
HEADER_BYTES: Final = 60
CHUNK_BYTES: Final = 65_536
TAG_BYTES: Final = 16
SEALED_CHUNK_BYTES: Final = CHUNK_BYTES + TAG_BYTES

_PREFIX = b"\xfe\x21\x00\x10"
_SALT_BYTES = 24
_SALTED = 28
_INFO = b"fle/stream/v1"
_COUNTER_BYTES = 11


def new_key() -> bytes:
    return os.urandom(KEY_BYTES)


def sealed_bytes(size_bytes: int) -> int:
    """How long the sealed stream of so many bytes is."""
    return HEADER_BYTES + size_bytes + TAG_BYTES * (last_chunk(size_bytes) + 1)


def last_chunk(size_bytes: int) -> int:
    """The number of the last chunk of so many bytes; an empty stream has one, too."""
    return max(size_bytes - 1, 0) // CHUNK_BYTES


def offset_of(chunk: int) -> int:
    """Where in the sealed stream the chunk of this number begins."""
    return HEADER_BYTES + chunk * SEALED_CHUNK_BYTES


class StreamSealer:
    """Seals the chunks of one stream."""

    def __init__(self, key: bytes, place: str) -> None:
        salted = _PREFIX + os.urandom(_SALT_BYTES)
        derived = _derive(key, salted)
        self.header = salted + derived[32:]
        self._cipher = AESGCM(derived[:32])
        self._authenticated = self.header + place.encode()

    def seal(self, number: int, plaintext: bytes | bytearray, *, last: bool) -> bytes:
        """The sealed chunk. Never call it twice with one number."""
        return self._cipher.encrypt(_nonce(number, last), plaintext, self._authenticated)


class StreamOpener:
    """Opens chunks of one stream, in any order. Whatever isn't as it was sealed is DecryptionFailed."""

    def __init__(self, key: bytes, place: str, header: bytes | bytearray) -> None:
        if len(header) != HEADER_BYTES or header[:4] != _PREFIX:
            raise DecryptionFailed
        derived = _derive(key, bytes(header[:_SALTED]))
        if not hmac.compare_digest(derived[32:], header[_SALTED:]):
            raise DecryptionFailed
        self._cipher = AESGCM(derived[:32])
        self._authenticated = bytes(header) + place.encode()

    def open(self, number: int, sealed: bytes | bytearray, *, last: bool) -> bytes:
        try:
            return self._cipher.decrypt(_nonce(number, last), sealed, self._authenticated)
        except InvalidTag:
            raise DecryptionFailed from None


def _derive(key: bytes, salted: bytes) -> bytes:
    # As in sealing.py: HKDF-Expand of one block is a single HMAC.
    return hmac.digest(key, _INFO + salted + b"\x01", "sha512")


def _nonce(number: int, last: bool) -> bytes:
    return number.to_bytes(_COUNTER_BYTES) + (b"\x01" if last else b"\x00")
