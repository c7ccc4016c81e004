"""Pagination cursors: opaque, signed, valid for one tenant and one set of filters."""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from hashlib import sha256
from uuid import UUID

from api.http import problems
from infrastructure.settings import Settings

SIGNATURE_BYTES = 16
UUID_BYTES = 16


class Cursors:
    """Signs cursors and verifies them. A cursor that was changed or comes with other filters raises a Refusal (400)."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def sign(self, tenant_id: UUID, scope: str, after: UUID) -> str:
        return self.sign_bytes(tenant_id, scope, after.bytes)

    def read(self, tenant_id: UUID, scope: str, cursor: str) -> UUID:
        after = self.read_bytes(tenant_id, scope, cursor)
        if len(after) != UUID_BYTES:
            raise problems.cursor_invalid()
        return UUID(bytes=after)

    def sign_bytes(self, tenant_id: UUID, scope: str, after: bytes) -> str:
        """For a list whose order isn't that of UUIDs."""
        return urlsafe_b64encode(after + self._signature(tenant_id, scope, after)).rstrip(b"=").decode()

    def read_bytes(self, tenant_id: UUID, scope: str, cursor: str) -> bytes:
        try:
            raw = urlsafe_b64decode(cursor.encode("ascii") + b"=" * (-len(cursor) % 4))
        except ValueError:
            raise problems.cursor_invalid() from None
        after, signature = raw[:-SIGNATURE_BYTES], raw[-SIGNATURE_BYTES:]
        if not hmac.compare_digest(signature, self._signature(tenant_id, scope, after)):
            raise problems.cursor_invalid()
        return after

    def _signature(self, tenant_id: UUID, scope: str, after: bytes) -> bytes:
        message = tenant_id.bytes + after + scope.encode()
        return hmac.digest(self._key, message, "sha256")[:SIGNATURE_BYTES]


def signing_key(settings: Settings) -> bytes:
    """The key from SIGNING_KEY, else one derived from DATABASE_URL, so that all processes agree."""
    given = settings.signing_key.get_secret_value() if settings.signing_key else settings.database
    return sha256(b"bucatini list cursors\n" + given.encode()).digest()
