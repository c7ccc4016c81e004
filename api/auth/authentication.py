"""Authenticates requests by API key, read token or OIDC token. Keys are cached for a few seconds."""

import time
from collections import OrderedDict
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from hmac import compare_digest

from api.auth import read_tokens
from api.auth.oidc import OidcPrincipals, is_jwt
from api.auth.principal import Principal, Scope, end_of
from api.auth.principal_watch import PrincipalWatch
from api.auth.read_tokens import ReadTokens
from api.http import problems
from infrastructure.concurrency.batching import Batcher
from infrastructure.concurrency.loops import Loop
from infrastructure.ports.identity import Issuer
from infrastructure.postgres.session import BUS_SESSION, PostgresSession, Role
from infrastructure.postgres.tenants import api_keys
from infrastructure.postgres.tenants.api_keys import Credential, parse_key
from infrastructure.settings import Settings

FRESH_SECONDS = 4.0
"""Cache lifetime of a key. A revoked key stops working after this plus one query; in the process that revoked it, at once."""
MAX_REMEMBERED = 10_000


class Credentials:
    """Verifies credentials against a cache of recently used keys. Concurrent lookups share one statement."""

    def __init__(
        self, settings: Settings, tokens: ReadTokens, issuer: Issuer | None, now: Callable[[], datetime]
    ) -> None:
        self._session = PostgresSession(settings.database, Role.SYSTEM, "credentials", BUS_SESSION)
        self._tokens = tokens
        self._now = now
        self._oidc = None if issuer is None else OidcPrincipals(settings, issuer, self._session, now)
        self._lookups: Batcher[str, Credential | None] = Batcher(self._look_up, "credentials")
        self._known: OrderedDict[str, tuple[float, Credential]] = OrderedDict()
        self._watch = PrincipalWatch(self._look_up_again)

    async def authenticate(self, authorization: str | None) -> Principal:
        """The principal of an `Authorization` header. Raises a Refusal (401), the same one for every invalid credential."""
        if authorization is None:
            raise problems.credentials_missing()
        scheme, _, key = authorization.partition(" ")
        if scheme.lower() != "bearer":
            raise problems.credentials_missing()
        return await self.principal_with(key.strip())

    async def principal_with(self, key: str) -> Principal:
        """The principal of a key or token. Raises a Refusal (401) if it isn't valid."""
        if key.startswith(read_tokens.PREFIX):
            return await self._principal_with_token(key)
        if self._oidc is not None and is_jwt(key):
            return await self._oidc.principal_with(key)
        presented = parse_key(key)
        if presented is None:
            raise problems.unauthenticated()
        credential = self._remembered(presented.id) or await self._fresh(presented.id)
        if credential is None or not compare_digest(credential.secret_hash, presented.secret_hash):
            raise problems.unauthenticated()
        return Principal(credential.tenant_id, credential.id, credential.scopes)

    async def principal_with_read_token(self, token: str) -> Principal:
        """The principal of a read token from a URL. A key is refused: URLs end up in logs and histories."""
        if not token:
            raise problems.credentials_missing()
        if not token.startswith(read_tokens.PREFIX):
            raise problems.unauthenticated()
        return await self._principal_with_token(token)

    async def _principal_with_token(self, text: str) -> Principal:
        now = self._now()
        token = self._tokens.read(text, now.timestamp())
        if token is None:
            raise problems.unauthenticated()
        scopes = frozenset((Scope.JOBS_READ,))
        principal = Principal(
            token.tenant_id,
            token.key_id,
            scopes,
            only_job=token.job_id,
            expires_at=token.expires_at,
            ends_at=end_of(token.expires_at, now),
        )
        if not await self.is_valid(principal):
            raise problems.unauthenticated()
        return principal

    async def is_valid(self, principal: Principal) -> bool:
        """Whether the principal's token hasn't expired and its key isn't revoked, by the cache or a query."""
        if principal.expired:
            return False
        if not principal.key_id:
            return True
        return (self._remembered(principal.key_id) or await self._fresh(principal.key_id)) is not None

    async def recheck(self, principal: Principal) -> None:
        """Raises a Refusal (401) if the principal is no longer valid. For requests that have waited since they began."""
        if not await self.is_valid(principal):
            raise problems.unauthenticated()

    def while_valid(self, principal: Principal, on_invalid: Callable[[], None]) -> AbstractContextManager[None]:
        """Calls `on_invalid` at most once, while the block runs, when the key is revoked or the token expires: at once for a
        revocation in this process, else within two seconds."""
        return self._watch.while_valid(principal, on_invalid)

    def revoked(self, key_id: str) -> None:
        """Drops the key from the cache and ends its open streams."""
        self._known.pop(key_id, None)
        self._watch.revoked(key_id)

    @property
    def loop(self) -> Loop:
        """Ends open streams whose key was revoked in another process."""
        return self._watch.loop

    async def close(self) -> None:
        await self._lookups.drain()
        if self._oidc is not None:
            await self._oidc.drain()
        await self._session.close()

    def _remembered(self, key_id: str) -> Credential | None:
        known = self._known.get(key_id)
        return known[1] if known is not None and time.monotonic() < known[0] else None

    async def _fresh(self, key_id: str) -> Credential | None:
        # Measured from before the query: a slow answer is that much older.
        stale_at = time.monotonic() + FRESH_SECONDS
        credential = await self._lookups.put(key_id)
        if credential is None:
            self._known.pop(key_id, None)
            return None
        self._known[key_id] = (stale_at, credential)
        self._known.move_to_end(key_id)
        while len(self._known) > MAX_REMEMBERED:
            self._known.popitem(last=False)
        return credential

    async def _look_up_again(self, ids: Sequence[str]) -> Sequence[Credential | None]:
        found = await self._look_up(ids)
        for key_id, credential in zip(ids, found, strict=True):
            if credential is None:
                self._known.pop(key_id, None)
        return found

    async def _look_up(self, ids: Sequence[str]) -> Sequence[Credential | None]:
        found = await self._session.run(lambda connection: api_keys.find(connection, ids))
        return [found.get(key_id) for key_id in ids]
