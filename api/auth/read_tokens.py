"""Read tokens: short-lived, signed tokens for a browser that allow reading one job.

A token is `bctr_<payload><signature>` in URL-safe base64. It names the key that made it and is invalid once that key is
revoked. Tokens aren't stored.
"""

import hmac
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from dataclasses import dataclass
from typing import Final
from uuid import UUID

PREFIX: Final = "bctr_"
VERSION: Final = 1
SIGNATURE_BYTES: Final = 16
LONGEST_KEY_ID: Final = 64
LONGEST_TOKEN: Final = 300
_LAYOUT: Final = struct.Struct(">BQ16s16s")


@dataclass(frozen=True, slots=True)
class ReadToken:
    """A token's payload. `key_id` is empty when an OIDC token made it."""

    tenant_id: UUID
    job_id: UUID
    key_id: str
    expires_at: int
    """Unix seconds."""


class ReadTokens:
    """Signs tokens and verifies them. Whether the key behind a token is still valid is the caller's check."""

    def __init__(self, key: bytes) -> None:
        # A derived key, so that nothing else signed with the same key passes for a token.
        self._key = hmac.digest(key, b"bucatini read tokens", "sha256")

    def sign(self, token: ReadToken) -> str:
        payload = _LAYOUT.pack(VERSION, token.expires_at, token.tenant_id.bytes, token.job_id.bytes)
        payload += token.key_id.encode("ascii")
        return PREFIX + urlsafe_b64encode(payload + self._signature(payload)).rstrip(b"=").decode()

    def read(self, token: str, now: float) -> ReadToken | None:
        """The payload; None when the token is malformed, forged or expired at `now` (Unix seconds)."""
        if not token.startswith(PREFIX) or len(token) > LONGEST_TOKEN or not token.isascii():
            return None
        text = token.removeprefix(PREFIX).encode()
        try:
            raw = urlsafe_b64decode(text + b"=" * (-len(text) % 4))
        except ValueError:
            return None
        payload, signature = raw[:-SIGNATURE_BYTES], raw[-SIGNATURE_BYTES:]
        if len(payload) < _LAYOUT.size or not hmac.compare_digest(signature, self._signature(payload)):
            return None
        version, expires_at, tenant_id, job_id = _LAYOUT.unpack_from(payload)
        if version != VERSION or now >= expires_at:
            return None
        key_id = payload[_LAYOUT.size :].decode("ascii")
        return ReadToken(UUID(bytes=tenant_id), UUID(bytes=job_id), key_id, expires_at)

    def _signature(self, payload: bytes) -> bytes:
        return hmac.digest(self._key, payload, "sha256")[:SIGNATURE_BYTES]
