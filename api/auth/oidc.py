"""Authenticates OpenID Connect tokens: the claims name the tenant and the scopes."""

import logging
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from functools import partial
from typing import Any, Final
from uuid import UUID

from pydantic import ValidationError

from api.auth.principal import Principal, Scope, end_of
from api.http import problems
from infrastructure.concurrency.batching import Batcher
from infrastructure.ports.identity import Issuer
from infrastructure.postgres.session import PostgresSession
from infrastructure.postgres.tenants import api_keys, registry
from infrastructure.settings import Settings
from schemas.tenants import NewTenant

logger = logging.getLogger(__name__)

FRESH_SECONDS = 4.0
MAX_REMEMBERED = 10_000
LONGEST_NAME: Final = 200


def is_jwt(text: str) -> bool:
    """Whether the text looks like a JWT. API keys never do."""
    return text.startswith("eyJ") and text.count(".") == 2


class OidcPrincipals:
    """Verifies JWTs and looks up their tenants by id or name, with a cache of a few seconds."""

    def __init__(
        self, settings: Settings, issuer: Issuer, session: PostgresSession, now: Callable[[], datetime]
    ) -> None:
        self._issuer = issuer
        self._now = now
        self._provisions = settings.oidc_provision_tenants
        self._tenant_claim = settings.oidc_tenant_claim
        self._scopes_claim = settings.oidc_scopes_claim
        self._session = session
        self._lookups: Batcher[str, UUID | None] = Batcher(self._look_up, "tenants")
        self._known: OrderedDict[str, tuple[float, UUID]] = OrderedDict()

    async def principal_with(self, token: str) -> Principal:
        """The principal of a JWT. Raises a Refusal (401), the same one for every invalid token."""
        claims = await self._issuer.claims(token)
        if claims is None:
            raise problems.unauthenticated()
        named, subject = _text(claims.get(self._tenant_claim)), _text(claims.get("sub", ""))
        if not named or len(named) > LONGEST_NAME or subject is None:
            raise problems.unauthenticated()
        tenant_id = self._remembered(named) or await self._find(named)
        if tenant_id is None:
            raise problems.unauthenticated()
        return Principal(
            tenant_id,
            key_id="",
            scopes=scopes_in(claims, self._scopes_claim),
            subject=subject[:LONGEST_NAME],
            expires_at=float(claims["exp"]),
            ends_at=end_of(float(claims["exp"]), self._now()),
        )

    async def drain(self) -> None:
        await self._lookups.drain()

    def _remembered(self, named: str) -> UUID | None:
        known = self._known.get(named)
        return known[1] if known is not None and time.monotonic() < known[0] else None

    async def _find(self, named: str) -> UUID | None:
        stale_at = time.monotonic() + FRESH_SECONDS
        tenant_id = await self._lookups.put(named)
        self._known.pop(named, None)
        if tenant_id is not None:
            self._known[named] = (stale_at, tenant_id)
            while len(self._known) > MAX_REMEMBERED:
                self._known.popitem(last=False)
        return tenant_id

    async def _look_up(self, named: Sequence[str]) -> Sequence[UUID | None]:
        found = await self._session.run(lambda connection: api_keys.find_tenants(connection, named))
        if self._provisions and (unknown := [one for one in named if one not in found]):
            await self._provision(unknown)
            found = await self._session.run(lambda connection: api_keys.find_tenants(connection, named))
        return [found.get(one) for one in named]

    async def _provision(self, names: Sequence[str]) -> None:
        """Makes tenants with the default limits and without a key. A claim that can't be a tenant's name makes none."""
        for name in dict.fromkeys(names):
            try:
                wanted = NewTenant(name=name)
            except ValidationError:
                continue
            if await self._session.run(partial(registry.add, wanted=wanted)) is not None:
                logger.info("tenant made at the first sight of its name in a token")


def _text(claim: object) -> str | None:
    """The claim if it is text that PostgreSQL can store, else None: no NUL and no lone surrogate."""
    if not isinstance(claim, str) or "\x00" in claim or any("\ud800" <= letter <= "\udfff" for letter in claim):
        return None
    return claim


def scopes_in(claims: Mapping[str, Any], name: str) -> frozenset[str]:
    """The scopes in the claim, a list or a space-separated text. Unknown ones are ignored."""
    listed = claims.get(name)
    words = listed.split() if isinstance(listed, str) else listed if isinstance(listed, list) else []
    return frozenset(one.value for one in Scope if one.value in words)
