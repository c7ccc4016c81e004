"""The digests that a sender announces: Content-Digest and Repr-Digest (RFC 9530)."""

import re
from base64 import b64decode, b64encode
from collections.abc import AsyncIterator, Mapping
from hashlib import sha256
from typing import Final

from api.http import document_problems, problems

HEADERS: Final = ("Content-Digest", "Repr-Digest")
"""An upload isn't compressed or partial, so both mean the same."""

_MEMBER = re.compile(r"\s*([a-z0-9*_.-]+)\s*=\s*:([A-Za-z0-9+/=]*):\s*(?:;[^,]*)?")
_SHA_256_BYTES = 32


def announced(headers: Mapping[str, str]) -> Mapping[str, bytes]:
    """The announced SHA-256 by the header that has it. Raises a Refusal (400) for one that can't be read. Other algorithms
    are ignored, as the RFC says."""
    found = {}
    for header in HEADERS:
        given = headers.get(header.lower())
        if given is not None and (digest := _sha_256_in(header, given)) is not None:
            found[header] = digest
    return found


def _sha_256_in(header: str, given: str) -> bytes | None:
    sha_256 = None
    for member in given.split(","):
        read = _MEMBER.fullmatch(member)
        if read is None:
            raise problems.invalid_header(header, "must be as RFC 9530 writes it: sha-256=:<base64>:")
        if read[1] == "sha-256":
            sha_256 = read[2]
    if sha_256 is None:
        return None
    try:
        digest = b64decode(sha_256, validate=True)
    except ValueError:
        digest = b""
    if len(digest) != _SHA_256_BYTES:
        raise problems.invalid_header(header, "must have 32 bytes in base64 for sha-256")
    return digest


async def checked(chunks: AsyncIterator[bytes], expected: Mapping[str, bytes]) -> AsyncIterator[bytes]:
    """The chunks. Raises a Refusal (400) after the last when they have another digest than was announced."""
    hashed = sha256()
    async for chunk in chunks:
        if expected:
            hashed.update(chunk)
        yield chunk
    _compare(expected, hashed.digest())


def check(expected: Mapping[str, bytes], content: bytes) -> None:
    """Raises a Refusal (400) when the content has another digest than was announced."""
    if expected:
        _compare(expected, sha256(content).digest())


def _compare(expected: Mapping[str, bytes], digest: bytes) -> None:
    for header, one in expected.items():
        if one != digest:
            raise document_problems.digest_mismatch(header)


def as_header(digest: bytes) -> bytes:
    return b"sha-256=:" + b64encode(digest) + b":"
