"""Announced digests (RFC 9530)."""

import asyncio
from base64 import b64encode
from collections.abc import AsyncIterator
from hashlib import sha256

import pytest

from api.http import digests
from api.http.problems import Refusal

CONTENT = b"The rent is due."
RIGHT = f"sha-256=:{b64encode(sha256(CONTENT).digest()).decode()}:"
WRONG = f"sha-256=:{b64encode(sha256(b'').digest()).decode()}:"


def _check(header: str) -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield CONTENT[:5]
        yield CONTENT[5:]

    async def read() -> bytes:
        announced = digests.announced({"content-digest": header})
        digests.check(announced, CONTENT)
        return b"".join([chunk async for chunk in digests.checked(chunks(), announced)])

    assert asyncio.run(read()) == CONTENT


@pytest.mark.parametrize("header", [RIGHT, f"md5=:AAAA:, {RIGHT}", "sha-512=:AAAA:", f"{RIGHT};x=1"])
def test_a_content_that_is_what_was_announced_passes(header: str) -> None:
    _check(header)


@pytest.mark.parametrize("header", [WRONG, f"{RIGHT}, {WRONG}"])
def test_a_content_that_is_another_is_refused(header: str) -> None:
    with pytest.raises(Refusal) as refused:
        _check(header)

    assert refused.value.problem.name == "digest-mismatch"


@pytest.mark.parametrize("header", ["sha-256=abc", "sha-256=:AAAA:", "sha-256=:!:", "nonsense", ""])
def test_a_digest_that_can_not_be_read_is_refused(header: str) -> None:
    with pytest.raises(Refusal) as refused:
        _check(header)

    assert refused.value.problem.errors[0].pointer == "/headers/Content-Digest"
