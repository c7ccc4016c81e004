"""Checks what an OpenID Connect provider signed (RFC 7519, RFC 8725): the key decides which algorithm may be used, and
the token's header never which key or address is asked."""

from collections.abc import Mapping
from types import TracebackType
from typing import Any, Final, Self

import jwt
from jwt.exceptions import PyJWTError

from infrastructure.oidc.keys import IssuerKeys, SigningKey

LONGEST_TOKEN = 8_000
LEEWAY_SECONDS = 30
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


class OidcIssuer:
    """One issuer, and the audience that its tokens must be meant for."""

    def __init__(self, issuer: str, audience: str, jwks_url: str | None = None) -> None:
        self._issuer = issuer
        self._audience = audience
        self._keys = IssuerKeys(issuer, jwks_url)

    async def claims(self, token: str) -> Mapping[str, Any] | None:
        if len(token) > LONGEST_TOKEN:
            return None
        try:
            header = jwt.get_unverified_header(token)
        except PyJWTError:
            return None
        algorithm, key_id = header.get("alg"), header.get("kid")
        if algorithm not in ALGORITHMS or not (key_id is None or isinstance(key_id, str)):
            return None
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
                leeway=LEEWAY_SECONDS,
                options={"require": ["exp", "iss", "aud"]},
            )
        except (PyJWTError, ValueError, TypeError):
            return None
        return claims

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self._keys.close()


def _fits(key: SigningKey, algorithm: str) -> bool:
    return key.kind == ALGORITHMS[algorithm] and key.algorithm in (None, algorithm)
