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

from infrastructure.concurrency import watched
from infrastructure.ports import Unavailable

logger = logging.getLogger(__name__)

FRESH_SECONDS = 300.0
BETWEEN_FETCHES_SECONDS = 10.0
"""The least time between two fetches, however many tokens name an unknown key."""
FETCH_SECONDS = 5.0
MAX_BYTES = 500_000
MAX_KEYS = 100
DIRECTLY: Final[Mapping[str, None]] = dict.fromkeys(("all://localhost", "all://127.0.0.1", "all://[::1]"))
"""Hosts that are fetched without the environment's proxy."""
ASYMMETRIC = ("RSA", "EC", "OKP")
"""Key types with a public half. A listed shared secret is ignored."""
LEAST_RSA_BITS = 2_048
"""RFC 7518, section 3.3."""


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A public key of the issuer."""

    key: Any
    kind: str
    algorithm: str | None
    """The only algorithm it may be used with, if the issuer names one."""


class IssuerKeys:
    """The issuer's keys by id, cached."""

    def __init__(self, issuer: str, jwks_url: str | None, clock: Callable[[], float] = time.monotonic) -> None:
        self._issuer = issuer
        self._jwks_url = jwks_url
        self._clock = clock
        self._keys: Mapping[str, SigningKey] = MappingProxyType({})
        self._fetched_at: float | None = None
        self._tried_at: float | None = None
        self._fetching: asyncio.Task[None] | None = None

    async def find(self, key_id: str | None) -> SigningKey | None:
        """The key by id; the only key when the token names none. None when there is no such key.

        Unavailable when no keys were ever fetched and they can't be fetched now."""
        key = self._known(key_id)
        if key is None:
            await self._refresh_if_due()
            key = self._known(key_id)
        elif self._stale:
            # Cached keys stay valid while newer ones are fetched, or the issuer is unreachable.
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
        """The fetch in flight, or a new one unless the last was less than BETWEEN_FETCHES_SECONDS ago."""
        if self._fetching is None or self._fetching.done():
            if self._tried_at is not None and self._clock() - self._tried_at < BETWEEN_FETCHES_SECONDS:
                return None
            self._tried_at = self._clock()
            self._fetching = watched.start(self._refresh(), name="fetches an issuer's keys")
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
            logger.warning("could not fetch the issuer's keys (%s); using the cached ones", type(error).__name__)
        except Exception:  # The task's edge: tokens under cached keys are still accepted.
            logger.exception("could not read the issuer's keys; using the cached ones")

    async def _discovered(self, http: httpx.AsyncClient) -> str:
        told = await _fetch(http, self._issuer.rstrip("/") + "/.well-known/openid-configuration")
        if told.get("issuer") != self._issuer or not isinstance(told.get("jwks_uri"), str):
            raise ValueError("the configuration is another issuer's, or names no keys")
        address: str = told["jwks_uri"]
        return address


async def _fetch(http: httpx.AsyncClient, url: str) -> Mapping[str, Any]:
    """Fetches a JSON object. Doesn't follow redirects: only the settings may name the address."""
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
    """The signing keys by id; skips keys that can't be parsed, are too weak or aren't for signing."""
    found: dict[str, SigningKey] = {}
    entries = listed.get("keys")
    for entry in entries[:MAX_KEYS] if isinstance(entries, list) else []:
        if isinstance(entry, dict) and entry.get("kty") in ASYMMETRIC and entry.get("use", "sig") == "sig":
            try:
                found[str(entry.get("kid", ""))] = _signing_key(entry)
            except Exception as error:  # noqa: BLE001  # The loop's edge: whatever one key is, the others are good.
                logger.warning("skipped a key of the issuer: %s: %s", type(error).__name__, error)
    return MappingProxyType(found)


def _signing_key(entry: Mapping[str, Any]) -> SigningKey:
    match PyJWK(dict(entry)).key:
        case RSAPublicKey(key_size=bits) if bits < LEAST_RSA_BITS:
            raise ValueError(f"an RSA key of {bits} bits can be broken; at least {LEAST_RSA_BITS} are taken")
        case RSAPublicKey() | EllipticCurvePublicKey() | Ed25519PublicKey() | Ed448PublicKey() as key:
            return SigningKey(key, entry["kty"], entry.get("alg"))
        case other:
            raise TypeError(f"{type(other).__name__} is no key that signatures are checked with")
