"""Checks what an OpenID Connect provider signed (RFC 7519, RFC 8725): the key decides which algorithm may be used, and
the token's header never which key or address is asked."""

from collections.abc import Callable, Mapping
from datetime import datetime
from types import TracebackType
from typing import Any, Final, Self

import jwt
from jwt.exceptions import PyJWTError

from infrastructure.oidc.keys import IssuerKeys, SigningKey

LONGEST_TOKEN = 8_000
LEEWAY_SECONDS = 30
"""How far the provider's clock may be off ours."""
ALGORITHMS: Final[dict[str, str]] = {
    "RS256": "RSA",
    "RS384": "RSA",
    "RS512": "RSA",
    "PS256": "RSA",
    "PS384": "RSA",
    "PS512": "RSA",
    "ES256": "EC",
    "ES384": "EC",
    "ES512": "EC",
    "EdDSA": "OKP",
}
"""And the kind of key each belongs to. None of them can be forged with what is public."""
UNREADABLE: Final = (PyJWTError, ValueError, TypeError, OverflowError, RecursionError, AttributeError)
"""What the library raises for tokens that anybody may write: an endless number, a list for a text, JSON 4,000 levels
deep."""
END_OF_TIME_SECONDS = 253_402_300_800
"""The year 10000, where datetimes end."""


class OidcIssuer:
    """Verifies tokens of one issuer for one audience."""

    def __init__(self, issuer: str, audience: str, jwks_url: str | None = None, *, now: Callable[[], datetime]) -> None:
        self._issuer = issuer
        self._audience = audience
        self._now = now
        self._keys = IssuerKeys(issuer, jwks_url)

    async def claims(self, token: str) -> Mapping[str, Any] | None:
        header = _header_of(token) if len(token) <= LONGEST_TOKEN else None
        if header is None:
            return None
        algorithm, key_id = header
        key = await self._keys.find(key_id)
        if key is None or not _fits(key, algorithm):
            return None
        try:
            claims: Mapping[str, Any] = jwt.decode(
                token,
                key.key,
                algorithms=[algorithm],
                audience=self._audience,
                issuer=self._issuer,
                options={
                    "require": ["exp", "iss", "aud"],
                    "verify_exp": False,
                    "verify_nbf": False,
                    "verify_iat": False,
                },
            )
        except UNREADABLE:
            return None
        # Of times the library would ask this machine's clock.
        return claims if is_in_time(claims, self._now().timestamp()) else None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._keys.close()


def _header_of(token: str) -> tuple[str, str | None] | None:
    """The token's algorithm and key id; None when its header is invalid."""
    try:
        header = jwt.get_unverified_header(token)
    except UNREADABLE:
        return None
    algorithm, key_id = header.get("alg"), header.get("kid")
    if not isinstance(algorithm, str) or algorithm not in ALGORITHMS or not isinstance(key_id, str | None):
        return None
    return algorithm, key_id


def is_in_time(claims: Mapping[str, Any], now: float) -> bool:
    """Whether the token is valid now, within LEEWAY_SECONDS."""
    ends, begins = claims["exp"], [claims[name] for name in ("nbf", "iat") if name in claims]
    if not all(map(_is_moment, (ends, *begins))):
        return False
    return bool(ends > now - LEEWAY_SECONDS) and all(one <= now + LEEWAY_SECONDS for one in begins)


def _is_moment(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and 0 <= value < END_OF_TIME_SECONDS


def _fits(key: SigningKey, algorithm: str) -> bool:
    return key.kind == ALGORITHMS[algorithm] and key.algorithm in (None, algorithm)
