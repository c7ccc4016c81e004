"""The format of a sealed cell, byte by byte, and the only code that makes or reads one.

    0   1  magic 0xFE, which no UTF-8 text contains
    1   1  suite 0x01: AES-256-GCM, message key and commitment by HKDF-Expand-SHA-512
    2   1  flags, all 0
    3   1  type of the plaintext: 0 bytes, 1 UTF-8 text
    4   8  id of the tenant's key, big-endian
    12 24  salt, random
    36 32  commitment to the key
    68  n  ciphertext
    +  16  tag

Every message has its own key, derived with 192 bits of random salt, so the number of messages under a tenant's key has
no practical limit and the nonce may be fixed. The commitment makes a ciphertext that opens under two keys impossible.
The whole header and the cell are authenticated: a changed header, or a value moved to another cell, doesn't open.
"""

import hmac
import os
from dataclasses import dataclass, field
from uuid import UUID

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from infrastructure.key_vault.sealed import Cell, DecryptionFailed

KEY_BYTES = 32
HEADER_BYTES = 68
OVERHEAD_BYTES = HEADER_BYTES + 16
KEY_ID = slice(4, 12)

_PREFIX_TEXT = b"\xfe\x01\x00\x01"
_PREFIX_BYTES = b"\xfe\x01\x00\x00"
_SALT_BYTES = 24
_SALTED = 36
_INFO = b"fle/v1"
_NONCE = bytes(12)


@dataclass(frozen=True, slots=True)
class TenantKeyMaterial:
    """A tenant's key, unwrapped. Lives in memory only."""

    id: int
    tenant_id: UUID
    key: bytes = field(repr=False)


def seal(key: TenantKeyMaterial, cell: Cell, plaintext: str | bytes) -> bytes:
    """The cell's new ciphertext. Sealing the same text again gives another one."""
    if cell.tenant_id != key.tenant_id:
        raise ValueError("the cell belongs to another tenant than the key")
    return _seal(key, cell, plaintext, os.urandom(_SALT_BYTES))


def reseal(old: TenantKeyMaterial, new: TenantKeyMaterial, cell: Cell, ciphertext: bytes) -> bytes:
    """What was sealed for this cell with the old key, text or bytes, sealed with the new one; or DecryptionFailed."""
    if ciphertext[:4] == _PREFIX_TEXT:
        return seal(new, cell, open_text(old, cell, ciphertext))
    return seal(new, cell, open_bytes(old, cell, ciphertext))


def open_text(key: TenantKeyMaterial, cell: Cell, ciphertext: bytes) -> str:
    """The text that was sealed for this cell, or DecryptionFailed."""
    return _open(key, cell, ciphertext, _PREFIX_TEXT).decode()


def open_bytes(key: TenantKeyMaterial, cell: Cell, ciphertext: bytes) -> bytes:
    """The bytes that were sealed for this cell, or DecryptionFailed."""
    return _open(key, cell, ciphertext, _PREFIX_BYTES)


def key_id_of(ciphertext: bytes) -> int:
    """The id of the key it was sealed with, as the header claims; DecryptionFailed when it has no such header."""
    if len(ciphertext) < OVERHEAD_BYTES or ciphertext[:4] not in (_PREFIX_TEXT, _PREFIX_BYTES):
        raise DecryptionFailed
    return int.from_bytes(ciphertext[KEY_ID])


def _seal(key: TenantKeyMaterial, cell: Cell, plaintext: str | bytes, salt: bytes) -> bytes:
    is_text = isinstance(plaintext, str)
    salted = (_PREFIX_TEXT if is_text else _PREFIX_BYTES) + key.id.to_bytes(8) + salt
    derived = _derive(key.key, salted)
    header = salted + derived[32:]
    message = plaintext.encode() if isinstance(plaintext, str) else plaintext
    return header + AESGCM(derived[:32]).encrypt(_NONCE, message, header + _place(cell))


def _open(key: TenantKeyMaterial, cell: Cell, ciphertext: bytes, prefix: bytes) -> bytes:
    if key_id_of(ciphertext) != key.id or cell.tenant_id != key.tenant_id or ciphertext[:4] != prefix:
        raise DecryptionFailed
    header = ciphertext[:HEADER_BYTES]
    derived = _derive(key.key, header[:_SALTED])
    if not hmac.compare_digest(derived[32:], header[_SALTED:]):
        raise DecryptionFailed
    try:
        return AESGCM(derived[:32]).decrypt(_NONCE, ciphertext[HEADER_BYTES:], header + _place(cell))
    except InvalidTag:
        raise DecryptionFailed from None


def _derive(key: bytes, salted: bytes) -> bytes:
    # HKDF-Expand (RFC 5869) of one SHA-512 block is a single HMAC over info and the counter 1. The standard library's
    # one-shot HMAC does it in half the time of a general HKDF; a test holds the two equal.
    return hmac.digest(key, _INFO + salted + b"\x01", "sha512")


def _place(cell: Cell) -> bytes:
    parts = (str(cell.tenant_id), cell.table, cell.column, cell.row)
    return b"".join(len(part).to_bytes(2) + part for part in (text.encode() for text in parts))
