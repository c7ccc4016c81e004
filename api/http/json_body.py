"""Reads a request's body as JSON of a model."""

import asyncio
from collections.abc import Mapping
from email.message import Message as MimeHeaders
from functools import cache, lru_cache
from typing import TypeVar

from pydantic import ValidationError
from starlette.types import Receive

from api.http import digests, problems
from api.http.request_body import read_body
from api.http.responses import JSON
from api.http.validation import LARGE_BODY_BYTES, model_of, parse_json
from schemas.model import Model

LONGEST_MEDIA_TYPE = 256
CHARSETS = frozenset({"utf-8", "utf8", "us-ascii", "ascii"})

M = TypeVar("M", bound=Model)


async def read_json(
    model: type[M], receive: Receive, headers: Mapping[str, str], *, max_bytes: int, max_values: int
) -> M:
    """The body as the model. Raises a Refusal when it is too large, isn't JSON or isn't such a model."""
    body = await read_body(receive, headers.get("content-length"), max_bytes)
    if not body and takes_nothing(model):
        return model()
    if not is_json(headers.get("content-type", "")) or is_compressed(headers):
        raise problems.unsupported_media_type()
    digests.check(digests.announced(headers), body)
    tree = parse_json(body, max_values=max_values)
    if len(body) > LARGE_BODY_BYTES:  # Let other requests run before the model is validated.
        await asyncio.sleep(0)
    return model_of(model, tree)


@cache
def takes_nothing(model: type[Model]) -> bool:
    """Whether the model can be made of nothing, so that an empty body is accepted."""
    try:
        model()
    except ValidationError:
        return False
    return True


def is_compressed(headers: Mapping[str, str]) -> bool:
    return headers.get("content-encoding", "identity").strip().lower() not in ("identity", "")


def is_json(content_type: str) -> bool:
    """Whether the media type is JSON in UTF-8. Parameters other than the charset are ignored."""
    return len(content_type) <= LONGEST_MEDIA_TYPE and _is_json(content_type)


@lru_cache(maxsize=64)
def _is_json(content_type: str) -> bool:
    headers = MimeHeaders()
    headers["content-type"] = content_type
    return headers.get_content_type().encode() == JSON and headers.get_content_charset("utf-8") in CHARSETS
