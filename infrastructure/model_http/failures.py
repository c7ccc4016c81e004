"""Which ModelError a failed call is: decided by the provider's own words first, then by the HTTP status."""

import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from functools import cache
from typing import Any

from infrastructure.ports.ai.errors import (
    AuthenticationRefused,
    BadRequest,
    ConnectionFailed,
    ContentRefused,
    CutShort,
    Failure,
    Malformed,
    ModelError,
    Overloaded,
    Phase,
    QuotaExhausted,
    Throttled,
    TimedOut,
)

MAX_MESSAGE_LENGTH = 500

QUOTA = frozenset(
    {
        "credit_balance_exhausted",
        "insufficient_quota",
        "organization_spend_limit_exceeded",
        "project_spend_limit_exceeded",
        "organization_usage_limit_exceeded",
        "billing_hard_limit_reached",
        "billing_error",
        "enforced_spend_limit_reached",
        "contract_spend_limit_reached",
    }
)
THROTTLE = frozenset({"rate_limit_exceeded", "rate_limit_error", "slow_down", "ramp_limit_exceeded"})
OVERLOAD = frozenset(
    {"overloaded_error", "api_error", "timeout_error", "server_is_overloaded", "server_error", "internal_error"}
)
AUTHENTICATION = frozenset({"authentication_error", "permission_error", "invalid_api_key", "account_deactivated"})
REFUSED_CONTENT = frozenset(
    {"content_filter", "content_policy_violation", "invalid_prompt", "bio_policy", "misalignment_policy_violation"}
)
BAD_REQUEST = frozenset({"invalid_request_error", "not_found_error", "request_too_large", "model_not_found"})

WORDS: tuple[tuple[frozenset[str], type[ModelError]], ...] = (
    # What a 429 means is only in its words, and `invalid_request_error` is the type of many that say more in their code.
    (QUOTA, QuotaExhausted),
    (THROTTLE, Throttled),
    (OVERLOAD, Overloaded),
    (REFUSED_CONTENT, ContentRefused),
    (AUTHENTICATION, AuthenticationRefused),
)
ADVICE: dict[type[ModelError], str] = {
    QuotaExhausted: "the key's credit or spending limit is used up: raise it at the provider, or use another key",
    Throttled: "the key's requests come too fast: send fewer, or wait",
    Overloaded: "the provider failed or has no capacity: try later, or another provider",
    ContentRefused: "the provider refuses to write about this: change the prompt or the document",
    AuthenticationRefused: "the key is missing, wrong, revoked, or may not use the model: check it",
    BadRequest: "the provider doesn't take this request: check the model's entry in the registry",
    Malformed: "the provider's answer can't be read: check its base URL and its `api` in the registry",
    CutShort: "the answer ended before it was complete: try again",
    ConnectionFailed: "no connection could be made or kept: check the base URL and the network",
}


@cache
def wire_faults() -> tuple[type[Exception], ...]:
    """What breaks underneath the SDKs. Asked for once something was raised: importing these takes most of a second."""
    import aiohttp
    import httpx2

    return (httpx2.HTTPError, httpx2.StreamError, httpx2.InvalidURL, aiohttp.ClientError, OSError)


class Refusal(Exception):
    """An SDK's status error, without its request: that has the key and the document."""

    def __init__(self, status: int, headers: Mapping[str, str], body: object) -> None:
        super().__init__(f"HTTP {status}")
        self.status = status
        self.headers = headers
        self.body = body


def refused(failure: Failure, body: object) -> ModelError:
    """For an HTTP status of 300 or more, or an error event in a stream: then the failure's status is 200."""
    words, message = words_in(body)
    failure = replace(failure, code=words[0] if words else None, provider_message=_safe(message))
    return _described(_type_of(words, failure), failure)


def of_kind(kind: type[ModelError], failure: Failure, what: str | None = None) -> ModelError:
    return _described(kind, failure, what)


def timed_out(failure: Failure, phase: Phase, seconds: float) -> TimedOut:
    where = {
        Phase.CONNECT: "no connection",
        Phase.FIRST_TOKEN: "no text",
        Phase.IDLE: "no more text",
        Phase.RATE: "hardly any text",
        Phase.TOTAL: "no end",
    }[phase]
    return TimedOut(f"{_subject(failure)}: {where} within {seconds:g} s: try another provider", failure, phase)


def broken(failure: Failure, error: BaseException, connect_seconds: float) -> ModelError:
    """For what broke underneath the SDK. The SDK and its transport name most of it a timeout; the cause knows better."""
    import aiohttp
    import httpx2

    causes = list(_causes(error))
    if any(isinstance(one, httpx2.DecodingError) for one in causes):
        return of_kind(Malformed, failure)
    if not failure.accepted and any(isinstance(one, aiohttp.ConnectionTimeoutError) for one in causes):
        return timed_out(replace(failure, unsent=True), Phase.CONNECT, connect_seconds)
    if any(isinstance(one, aiohttp.ClientConnectorError) for one in causes):
        failure = replace(failure, unsent=True)
    return of_kind(CutShort if failure.accepted else ConnectionFailed, failure)


def words_in(body: object) -> tuple[tuple[str, ...], str | None]:
    """(an error's words, the most telling first; its message) of either provider's error, whole or only its inside."""
    if not isinstance(body, Mapping):
        return (), None
    inner: Any = body.get("error")
    error: Mapping[str, Any] = inner if isinstance(inner, Mapping) else body
    details = error.get("details")
    found = (details.get("error_code") if isinstance(details, Mapping) else None, error.get("code"), error.get("type"))
    words = tuple(word[:100] for word in found if isinstance(word, str) and word != "error")
    message = error.get("message")
    return words, message if isinstance(message, str) else None


def _type_of(words: tuple[str, ...], failure: Failure) -> type[ModelError]:
    named = next((kind for among, kind in WORDS if not among.isdisjoint(words)), None)
    match failure.status:
        case 401 | 403:
            return AuthenticationRefused
        case _ if named is not None:
            return named
        case 402:
            return QuotaExhausted
        case 429:
            return Throttled
        case 400 | 404 | 405 | 413 | 422:
            return BadRequest
        case int(status) if 300 <= status < 400:
            return Malformed
        case _ if not BAD_REQUEST.isdisjoint(words):
            return BadRequest
    return Overloaded


def _described(kind: type[ModelError], failure: Failure, what: str | None = None) -> ModelError:
    said = ", ".join(
        part
        for part in (f"HTTP {failure.status}" if failure.status not in (None, 200) else None, failure.code)
        if part is not None
    )
    return kind(f"{_subject(failure)}{f' ({said})' if said else ''}: {what or ADVICE[kind]}", failure)


def _subject(failure: Failure) -> str:
    return f"{failure.provider}, model {failure.model}"


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    while error is not None:
        yield error
        error = error.__cause__


_KEY_LIKE = re.compile(r"\b(?:[sp]k[-_]|Bearer )[\w*.-]{6,}", re.IGNORECASE)


def _safe(message: str | None) -> str | None:
    return None if message is None else _KEY_LIKE.sub("[a key]", message[: 4 * MAX_MESSAGE_LENGTH])[:MAX_MESSAGE_LENGTH]
