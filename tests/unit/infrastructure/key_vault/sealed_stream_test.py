"""The format of a sealed stream: byte by byte, open at any chunk, and closed against every change."""

import os
from collections.abc import Sequence

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from hypothesis import given, settings
from hypothesis import strategies as st

from infrastructure.key_vault.sealed import DecryptionFailed
from infrastructure.key_vault.sealed_stream import (
    CHUNK_BYTES,
    HEADER_BYTES,
    SEALED_CHUNK_BYTES,
    TAG_BYTES,
    StreamOpener,
    StreamSealer,
    last_chunk,
    new_key,
    offset_of,
    sealed_bytes,
)

KEY = bytes(range(32))
PLACE = "018f2b6c-1d7e-7c3a-9b7f-0123456789ab/documents/ef/018f2b6c-1d7e-7c3a-9b7f-0123456789ef"
GOLDEN = bytes.fromhex(
    "fe2100106465666768696a6b6c6d6e6f707172737475767778797a7b"
    "14d3a6740cacc80450d5d573e4f690e3dfbda239b9dae12e5993b9fe8f0a3b0a"
    "a47008984812a2d851d374d31a7908552c2385d037"
    "8f4a36ac3fd4bb79f27802de2091991eb25e9934c1e7f4"
)
FIRST, SECOND = slice(HEADER_BYTES, HEADER_BYTES + 21), slice(HEADER_BYTES + 21, None)
"""A stream of two chunks, `first` and `Grüße`, which are shorter than a writer would make them."""

CONTENT = b"".join(number.to_bytes(4) for number in range(CHUNK_BYTES + 1))
"""Four chunks and a little, of which no two parts are alike."""
UNHURRIED = settings(deadline=None, max_examples=50)
SIZES = st.builds(lambda chunks, more: max(chunks * CHUNK_BYTES + more, 0), st.integers(0, 4), st.integers(-2, 2))
"""Sizes that fill so many chunks, or all but."""


def _seal(key: bytes, chunks: Sequence[bytes], place: str = PLACE) -> bytes:
    sealer = StreamSealer(key, place)
    sealed = [sealer.seal(number, chunk, last=number == len(chunks) - 1) for number, chunk in enumerate(chunks)]
    return sealer.header + b"".join(sealed)


def _open(key: bytes, sealed: bytes, place: str = PLACE) -> bytes:
    """The plaintext, by a reader that knows nothing but the stream: its last chunk is where it ends."""
    opener = StreamOpener(key, place, sealed[:HEADER_BYTES])
    body = sealed[HEADER_BYTES:]
    chunks = [body[at : at + SEALED_CHUNK_BYTES] for at in range(0, max(len(body), 1), SEALED_CHUNK_BYTES)]
    return b"".join(opener.open(number, one, last=one is chunks[-1]) for number, one in enumerate(chunks))


def _cut(plaintext: bytes) -> list[bytes]:
    return [plaintext[at : at + CHUNK_BYTES] for at in range(0, max(len(plaintext), 1), CHUNK_BYTES)]


def _content(size: int) -> bytes:
    return CONTENT[:size]


def test_what_was_sealed_before_still_opens() -> None:
    opener = StreamOpener(KEY, PLACE, GOLDEN[:HEADER_BYTES])

    assert opener.open(0, GOLDEN[FIRST], last=False) == b"first"
    assert opener.open(1, GOLDEN[SECOND], last=True) == "Grüße".encode()


def test_the_bytes_are_those_of_the_documented_format() -> None:
    """Built a second time from the format's description, with a general HKDF."""
    salted = b"\xfe\x21\x00\x10" + bytes(range(100, 124))
    derived = HKDFExpand(hashes.SHA512(), 64, b"fle/stream/v1" + salted).derive(KEY)
    header = salted + derived[32:]
    cipher = AESGCM(derived[:32])
    chunks = [
        cipher.encrypt(number.to_bytes(11, "big") + last, text.encode(), header + PLACE.encode())
        for number, last, text in ((0, b"\x00", "first"), (1, b"\x01", "Grüße"))
    ]

    assert header + b"".join(chunks) == GOLDEN


@given(SIZES)
@UNHURRIED
def test_every_size_comes_back_and_is_as_long_as_foretold(size: int) -> None:
    content, key = _content(size), new_key()
    sealed = _seal(key, _cut(content))

    assert _open(key, sealed) == content
    assert len(sealed) == sealed_bytes(size)


@given(size=SIZES, data=st.data())
@UNHURRIED
def test_each_chunk_opens_alone(size: int, data: st.DataObject) -> None:
    content = _content(size)
    sealed = _seal(KEY, _cut(content))
    number = data.draw(st.integers(0, last_chunk(size)))
    begins = offset_of(number)
    opener = StreamOpener(KEY, PLACE, sealed[:HEADER_BYTES])

    opened = opener.open(number, sealed[begins : begins + SEALED_CHUNK_BYTES], last=number == last_chunk(size))

    assert opened == content[number * CHUNK_BYTES : (number + 1) * CHUNK_BYTES]


@pytest.mark.parametrize("position", range(len(GOLDEN)))
def test_a_change_of_any_byte_fails_closed(position: int) -> None:
    for bit in range(8):
        changed = bytearray(GOLDEN)
        changed[position] ^= 1 << bit
        with pytest.raises(DecryptionFailed):
            _open_golden(bytes(changed))


@given(size=SIZES, data=st.data())
@UNHURRIED
def test_a_stream_that_was_cut_fails_closed(size: int, data: st.DataObject) -> None:
    sealed = _seal(KEY, _cut(_content(size)))
    at_any_byte = st.integers(0, len(sealed) - 1)
    after_any_chunk = st.integers(0, last_chunk(size)).map(offset_of)
    length = data.draw(at_any_byte | after_any_chunk)

    with pytest.raises(DecryptionFailed):
        _open(KEY, sealed[:length])


@given(size=SIZES, more=st.binary(min_size=1, max_size=100))
@UNHURRIED
def test_a_stream_that_was_made_longer_fails_closed(size: int, more: bytes) -> None:
    sealed = _seal(KEY, _cut(_content(size)))

    for longer in (sealed + more, sealed + sealed[HEADER_BYTES:]):
        with pytest.raises(DecryptionFailed):
            _open(KEY, longer)


@given(st.permutations(range(4)), st.lists(st.integers(0, 3), min_size=1, max_size=6))
@UNHURRIED
def test_chunks_in_another_order_fail_closed(shuffled: list[int], repeated: list[int]) -> None:
    content = _content(4 * CHUNK_BYTES)
    sealed = _seal(KEY, _cut(content))
    for order in (shuffled, repeated):
        chunks = [sealed[offset_of(number) :][:SEALED_CHUNK_BYTES] for number in order]
        stream = sealed[:HEADER_BYTES] + b"".join(chunks)
        if order == list(range(4)):
            assert _open(KEY, stream) == content
        else:
            with pytest.raises(DecryptionFailed):
                _open(KEY, stream)


@pytest.mark.parametrize("elsewhere", [PLACE + "0", PLACE[:-1], PLACE.replace("018f", "018e", 1), ""])
def test_a_stream_at_another_place_fails_closed(elsewhere: str) -> None:
    with pytest.raises(DecryptionFailed):
        _open_golden(GOLDEN, place=elsewhere)


def test_a_chunk_of_another_stream_fails_closed_under_the_same_key_and_place() -> None:
    one, other = (_seal(KEY, [b"a" * 5, b"b"]) for _ in range(2))
    opener = StreamOpener(KEY, PLACE, one[:HEADER_BYTES])

    with pytest.raises(DecryptionFailed):
        opener.open(0, other[FIRST], last=False)


def test_another_key_fails_closed_before_any_chunk() -> None:
    with pytest.raises(DecryptionFailed):
        StreamOpener(os.urandom(32), PLACE, GOLDEN[:HEADER_BYTES])


@given(st.binary(max_size=HEADER_BYTES + TAG_BYTES))
def test_bytes_that_were_never_sealed_fail_closed(noise: bytes) -> None:
    with pytest.raises(DecryptionFailed):
        _open(KEY, noise)
    with pytest.raises(DecryptionFailed):
        _open(KEY, GOLDEN[:4] + noise)


def test_the_same_content_is_never_sealed_the_same() -> None:
    assert len({_seal(KEY, [b"text"]) for _ in range(100)}) == 100
    assert len({new_key() for _ in range(100)}) == 100


def _open_golden(sealed: bytes, place: str = PLACE) -> None:
    opener = StreamOpener(KEY, place, sealed[:HEADER_BYTES])
    opener.open(0, sealed[FIRST], last=False)
    opener.open(1, sealed[SECOND], last=True)
