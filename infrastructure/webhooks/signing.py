"""Signs deliveries as Standard Webhooks says (https://www.standardwebhooks.com)."""

import os
from base64 import b64encode
from collections import OrderedDict
from collections.abc import Sequence
from datetime import datetime

from standardwebhooks import Webhook

from infrastructure.ports.keys import KeyVault, WrappedKey

SECRET_BYTES = 32
MAX_REMEMBERED = 1_000


def make_secret() -> bytes:
    return os.urandom(SECRET_BYTES)


def shown(secret: bytes) -> str:
    """The secret in the form its owner gets."""
    return "whsec_" + b64encode(secret).decode()


class Signer:
    """Signs with keys that the vault unwraps, and caches recent ones."""

    def __init__(self, vault: KeyVault) -> None:
        self._vault = vault
        self._known: OrderedDict[bytes, Webhook] = OrderedDict()

    async def headers(
        self, message_id: str, body: bytes, secrets: Sequence[WrappedKey], now: datetime
    ) -> dict[str, str]:
        """The three headers a receiver checks. Unavailable when the vault can't answer. `now` is in UTC."""
        signatures = [(await self._key(secret)).sign(message_id, now, body.decode()) for secret in secrets]
        return {
            "webhook-id": message_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": " ".join(signatures),
        }

    async def _key(self, secret: WrappedKey) -> Webhook:
        known = self._known.get(secret.ciphertext)
        if known is None:
            known = Webhook(await self._vault.unwrap(secret))
        self._known[secret.ciphertext] = known
        self._known.move_to_end(secret.ciphertext)
        if len(self._known) > MAX_REMEMBERED:
            self._known.popitem(last=False)
        return known
