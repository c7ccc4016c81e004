"""The issuer's public keys: fetched from the one address that settings name, remembered, and served stale while the
issuer is away."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final

import httpx
import orjson
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed448 import Ed448PublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from jwt import PyJWK

from infrastructure.ports import Unavailable

logger = logging.getLogger(__name__)

FRESH_SECONDS = 300.0
BETWEEN_FETCHES_SECONDS = 10.0
"""However many tokens name a key that isn't known."""
FETCH_SECONDS = 5.0
MAX_BYTES = 500_000
MAX_KEYS = 100
DIRECTLY: Final[Mapping[str, None]] = dict.fromkeys(("all://localhost", "all://127.0.0.1", "all://[::1]"))
"""Asked without the proxy that the environment may name."""
ASYMMETRIC = ("RSA", "EC", "OKP")
"""Kinds of key with a public half. A shared secret is no key here, whoever lists it."""
LEAST_RSA_BITS = 2_048
"""RFC 7518, section 3.3."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A public key of the issuer's."""

    key: Any
    kind: str
    algorithm: str | None
    """The only one it is for, if the issuer says so."""


class IssuerKeys:
    """By key id."""

    def __init__(self, issuer: str, jwks_url: str | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._issuer = issuer
        self._jwks_url = jwks_url
        self._clock = clock
        self._keys: Mapping[str, SigningKey] = MappingProxyType({})
        self._fetched_at: float | None = None
        self._tried_at: float | None = None
        self._fetching: asyncio.Task[None] | None = None

    async def find(self, key_id: str | None) -> SigningKey | None:
        """The key; the only one when the token names none. None when there is no such key.

        Unavailable when no keys were ever had and none can be had now."""
        key = self._known(key_id)
        if key is None:
            await self._refresh_if_due()
            key = self._known(key_id)
        elif self._stale:
            # What is known goes on being good while newer keys are on their way, or the issuer is away.
            self._begin_refresh()
        if key is None and self._fetched_at is None:
            raise Unavailable("the issuer's keys can't be had: look at OIDC_JWKS_URL and at the issuer")
        return key

    async def close(self) -> None:
        if self._fetching is not None:
            self._fetching.cancel()
            await asyncio.wait([self._fetching])

    def _known(self, key_id: str | None) -> SigningKey | None:
        if key_id is None:
            return next(iter(self._keys.values())) if len(self._keys) == 1 else None
        return self._keys.get(key_id)

    @property
    def _stale(self) -> bool:
        return self._fetched_at is None or self._clock() - self._fetched_at >= FRESH_SECONDS

    async def _refresh_if_due(self) -> None:
        fetching = self._begin_refresh()
        if fetching is not None:
            await asyncio.wait([fetching])

    def _begin_refresh(self) -> asyncio.Task[None] | None:
        """The fetch that is under way, or a new one unless the last was only just."""
        if self._fetching is None or self._fetching.done():
            if self._tried_at is not None and self._clock() - self._tried_at < BETWEEN_FETCHES_SECONDS:
                return None
            self._tried_at = self._clock()
            self._fetching = asyncio.create_task(self._refresh(), name="fetches an issuer's keys")
        return self._fetching

    async def _refresh(self) -> None:
        try:
            async with (
                asyncio.timeout(FETCH_SECONDS),
                httpx.AsyncClient(timeout=FETCH_SECONDS, mounts=DIRECTLY) as http,
            ):
                listed = await _fetch(http, self._jwks_url or await self._discovered(http))
            self._keys = keys_in(listed)
            self._fetched_at = self._clock()
        except (httpx.HTTPError, ValueError, TimeoutError) as error:
            logger.warning("an issuer's keys can't be fetched (%s); those known stay good", type(error).__name__)
        except Exception:  # The task's edge: tokens under known keys are still taken.
            logger.exception("an issuer's keys couldn't be read; those known stay good")

    async def _discovered(self, http: httpx.AsyncClient) -> str:
        told = await _fetch(http, self._issuer.rstrip("/") + "/.well-known/openid-configuration")
        if told.get("issuer") != self._issuer or not isinstance(told.get("jwks_uri"), str):
            raise ValueError("the configuration is another issuer's, or names no keys")
        address: str = told["jwks_uri"]
        return address


async def _fetch(http: httpx.AsyncClient, url: str) -> Mapping[str, Any]:
    """The JSON object there. Redirects aren't followed: settings name the address, nobody else."""
    body = b""
    async with http.stream("GET", url, headers={"accept": "application/json"}) as response:
        response.raise_for_status()
        async for chunk in response.aiter_bytes():
            body += chunk
            if len(body) > MAX_BYTES:
                raise ValueError("the answer is too large")
    found = orjson.loads(body)
    if not isinstance(found, dict):
        raise ValueError("the answer isn't a JSON object")
    return found


def keys_in(listed: Mapping[str, Any]) -> Mapping[str, SigningKey]:
    """The keys that may sign; what can't be read, is too weak or isn't for signing is passed over, each by itself."""
    found: dict[str, SigningKey] = {}
    entries = listed.get("keys")
    for entry in entries[:MAX_KEYS] if isinstance(entries, list) else []:
        if isinstance(entry, dict) and entry.get("kty") in ASYMMETRIC and entry.get("use", "sig") == "sig":
            try:
                found[str(entry.get("kid", ""))] = _signing_key(entry)
            except Exception as error:  # noqa: BLE001  # The loop's edge: whatever one key is, the others are good.
                logger.warning("a key of the issuer's is passed over: %s: %s", type(error).__name__, error)
    return MappingProxyType(found)


def _signing_key(entry: Mapping[str, Any]) -> SigningKey:
    match PyJWK(dict(entry)).key:
        case RSAPublicKey(key_size=bits) if bits < LEAST_RSA_BITS:
            raise ValueError(f"an RSA key of {bits} bits can be broken; at least {LEAST_RSA_BITS} are taken")
        case RSAPublicKey() | EllipticCurvePublicKey() | Ed25519PublicKey() | Ed448PublicKey() as key:
            return SigningKey(key, entry["kty"], entry.get("alg"))
        case other:
            raise TypeError(f"{type(other).__name__} is no key that signatures are checked with")
