"""The format of a sealed cell: byte by byte, and closed against every change."""

import os
from dataclasses import replace
from uuid import UUID

import pytest
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.kdf.hkdf import HKDFExpand
from hypothesis import given
from hypothesis import strategies as st

from infrastructure.key_vault import sealing
from infrastructure.key_vault.sealed import Cell, DecryptionFailed
from infrastructure.key_vault.sealing import (
    HEADER_BYTES,
    OVERHEAD_BYTES,
    TenantKeyMaterial,
    key_id_of,
    open_bytes,
    open_text,
    seal,
)

TENANT = UUID("018f2b6c-1d7e-7c3a-9b7f-0123456789ab")
KEY = TenantKeyMaterial(0x0102030405060708, TENANT, bytes(range(32)))
CELL = Cell(TENANT, "documents", "body", "contract-7")
SALT = bytes(range(100, 124))

GOLDEN_TEXT = bytes.fromhex(
    "fe01000101020304050607086465666768696a6b6c6d6e6f707172737475767778797a7b710a24b46888027068698619"
    "a131827017c215783cef2201914e14ff61cfccffec8f80d63d44b0816a2e0db9313f118ad7c10d2e635aae8e0980d720"
    "2fda42"
)
GOLDEN_EMPTY = bytes.fromhex(
    "fe01000101020304050607086465666768696a6b6c6d6e6f707172737475767778797a7b710a24b46888027068698619"
    "a131827017c215783cef2201914e14ff61cfccffbb7ea205c190189905bae7d34ab945cf"
)
GOLDEN_BYTES = bytes.fromhex(
    "fe01000001020304050607086465666768696a6b6c6d6e6f707172737475767778797a7b49babf7f323bb3cdb67af266"
    "22dc7e0f9b2542fe1092c89e4587d5d2e1ee156ca622eb1dcd9f02705e809297333a8ccb1edd"
)


@pytest.mark.parametrize(
    ("plaintext", "golden"), [("Grüße, 日本", GOLDEN_TEXT), ("", GOLDEN_EMPTY), (b"\x00\xff", GOLDEN_BYTES)]
)
def test_what_was_sealed_before_is_sealed_the_same_today(plaintext: str | bytes, golden: bytes) -> None:
    assert sealing._seal(KEY, CELL, plaintext, SALT) == golden


def test_what_was_sealed_before_still_opens() -> None:
    assert open_text(KEY, CELL, GOLDEN_TEXT) == "Grüße, 日本"
    assert open_text(KEY, CELL, GOLDEN_EMPTY) == ""
    assert open_bytes(KEY, CELL, GOLDEN_BYTES) == b"\x00\xff"


def test_the_bytes_are_those_of_the_documented_format() -> None:
    """Built a second time from the format's description, with a general HKDF."""
    salted = b"\xfe\x01\x00\x01" + KEY.id.to_bytes(8, "big") + SALT
    derived = HKDFExpand(hashes.SHA512(), 64, b"fle/v1" + salted).derive(KEY.key)
    header = salted + derived[32:]
    place = b"".join(
        len(part).to_bytes(2, "big") + part for part in (str(TENANT).encode(), b"documents", b"body", b"contract-7")
    )
    ciphertext = AESGCM(derived[:32]).encrypt(bytes(12), "Grüße, 日本".encode(), header + place)

    assert header + ciphertext == GOLDEN_TEXT
    assert (len(header), len(GOLDEN_EMPTY)) == (HEADER_BYTES, OVERHEAD_BYTES)


@given(text=st.text(max_size=2_000), row=st.text(min_size=1, max_size=50))
def test_every_text_comes_back_from_its_own_cell(text: str, row: str) -> None:
    cell = replace(CELL, row=row)

    assert open_text(KEY, cell, seal(KEY, cell, text)) == text


@given(st.binary(max_size=2_000))
def test_all_bytes_come_back(plaintext: bytes) -> None:
    assert open_bytes(KEY, CELL, seal(KEY, CELL, plaintext)) == plaintext


def test_the_same_text_is_never_sealed_the_same() -> None:
    assert len({seal(KEY, CELL, "text") for _ in range(100)}) == 100


@pytest.mark.parametrize("position", range(len(GOLDEN_TEXT)))
def test_a_change_of_any_byte_fails_closed(position: int) -> None:
    for bit in range(8):
        changed = bytearray(GOLDEN_TEXT)
        changed[position] ^= 1 << bit
        with pytest.raises(DecryptionFailed):
            open_text(KEY, CELL, bytes(changed))


@given(st.integers(0, len(GOLDEN_TEXT) - 1))
def test_a_cut_ciphertext_fails_closed(length: int) -> None:
    with pytest.raises(DecryptionFailed):
        open_text(KEY, CELL, GOLDEN_TEXT[:length])


@given(st.binary(max_size=200))
def test_bytes_that_were_never_sealed_fail_closed(noise: bytes) -> None:
    with pytest.raises(DecryptionFailed):
        open_text(KEY, CELL, noise)
    with pytest.raises(DecryptionFailed):
        open_text(KEY, CELL, GOLDEN_TEXT[:12] + noise)


@pytest.mark.parametrize(
    "elsewhere",
    [
        replace(CELL, row="contract-8"),
        replace(CELL, column="title"),
        replace(CELL, table="drafts"),
        replace(CELL, table="documentsb", column="ody"),
    ],
)
def test_a_value_moved_to_another_cell_fails_closed(elsewhere: Cell) -> None:
    with pytest.raises(DecryptionFailed):
        open_text(KEY, elsewhere, GOLDEN_TEXT)


def test_a_value_moved_to_another_tenant_fails_closed_even_with_the_key() -> None:
    other = UUID(int=9)

    with pytest.raises(DecryptionFailed):
        open_text(replace(KEY, tenant_id=other), replace(CELL, tenant_id=other), GOLDEN_TEXT)
    with pytest.raises(DecryptionFailed):
        open_text(KEY, replace(CELL, tenant_id=other), GOLDEN_TEXT)
    with pytest.raises(ValueError, match="another tenant"):
        seal(KEY, replace(CELL, tenant_id=other), "text")


def test_another_key_fails_closed() -> None:
    with pytest.raises(DecryptionFailed):
        open_text(replace(KEY, key=os.urandom(32)), CELL, GOLDEN_TEXT)
    with pytest.raises(DecryptionFailed):
        open_text(replace(KEY, id=KEY.id + 1), CELL, GOLDEN_TEXT)


def test_text_is_not_opened_as_bytes_nor_bytes_as_text() -> None:
    with pytest.raises(DecryptionFailed):
        open_bytes(KEY, CELL, GOLDEN_TEXT)
    with pytest.raises(DecryptionFailed):
        open_text(KEY, CELL, GOLDEN_BYTES)


def test_the_header_tells_its_key() -> None:
    assert key_id_of(GOLDEN_TEXT) == KEY.id


def test_no_failure_tells_why_and_no_key_shows_itself() -> None:
    with pytest.raises(DecryptionFailed) as raised:
        open_text(replace(KEY, key=os.urandom(32)), CELL, GOLDEN_TEXT)

    assert (str(raised.value), raised.value.__cause__) == ("a sealed value can't be opened", None)
    assert KEY.key.hex() not in repr(KEY)
    assert "\\x" not in repr(KEY)
