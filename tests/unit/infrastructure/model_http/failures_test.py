"""Which error a provider's words are, beyond those that the simulator says."""

import pickle
from typing import Any

import pytest

from infrastructure.model_http.failures import refused, timed_out
from infrastructure.ports.ai.errors import (
    ERRORS,
    AuthenticationRefused,
    BadRequest,
    Concern,
    ContentRefused,
    Failure,
    Malformed,
    ModelError,
    Overloaded,
    Phase,
    QuotaExhausted,
    Throttled,
)


def _openai(code: str | None, kind: str | None = None) -> dict[str, Any]:
    return {"error": {"message": "m", "type": kind, "param": None, "code": code}}


def _anthropic(kind: str, code: str | None = None) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": "m", "details": {"error_code": code}}}


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (429, _openai("rate_limit_exceeded"), Throttled),
        (429, _openai("slow_down"), Throttled),
        (429, _openai("project_spend_limit_exceeded"), QuotaExhausted),
        (429, _openai("insufficient_quota", "insufficient_quota"), QuotaExhausted),
        (429, "<html>too many</html>", Throttled),
        (429, _anthropic("rate_limit_error"), Throttled),
        (429, _anthropic("rate_limit_error", "ramp_limit_exceeded"), Throttled),
        (429, _anthropic("rate_limit_error", "contract_spend_limit_reached"), QuotaExhausted),
        (402, _anthropic("billing_error"), QuotaExhausted),
        (529, _anthropic("overloaded_error"), Overloaded),
        (503, _openai("server_is_overloaded"), Overloaded),
        (502, "<html>Bad Gateway</html>", Overloaded),
        (504, _anthropic("timeout_error"), Overloaded),
        (408, None, Overloaded),
        (409, _openai(None), Overloaded),
        (401, _openai("invalid_api_key", "invalid_request_error"), AuthenticationRefused),
        (403, _anthropic("permission_error"), AuthenticationRefused),
        (404, _openai("model_not_found", "invalid_request_error"), BadRequest),
        (404, None, BadRequest),
        (413, _anthropic("request_too_large"), BadRequest),
        (400, _openai("content_policy_violation", "invalid_request_error"), ContentRefused),
        (301, None, Malformed),
        (200, {"type": "error", "code": "rate_limit_exceeded", "message": "m"}, Throttled),
        (200, _openai("server_error"), Overloaded),
        (200, _anthropic("invalid_request_error"), BadRequest),
        (200, _anthropic("something_new"), Overloaded),
        (200, {"error": None}, Overloaded),
        (200, {"error": {"code": 7, "type": ["x"], "message": {}}}, Overloaded),
    ],
)
def test_the_words_decide_before_the_status(status: int, body: object, error: type[ModelError]) -> None:
    assert type(refused(Failure("p", "m", status=status), body)) is error


def test_a_providers_message_is_kept_apart_without_what_looks_like_a_key() -> None:
    said = {"error": {"message": "Incorrect API key provided: sk-abc***********xyz, and " + "x" * 9_000}}
    failed = refused(Failure("openai", "m", status=401), said)

    assert failed.failure.provider_message is not None
    assert failed.failure.provider_message.startswith("Incorrect API key provided: [a key]")
    assert len(failed.failure.provider_message) == 500
    assert "Incorrect" not in f"{failed} {failed.failure!r}"


def test_an_error_comes_back_whole_from_another_process() -> None:
    failed = timed_out(Failure("p", "m", retry_after_seconds=3.0), Phase.IDLE, 2.0)
    back = pickle.loads(pickle.dumps(failed))

    assert (type(back), str(back), back.phase, back.failure) == (type(failed), str(failed), Phase.IDLE, failed.failure)


def test_every_error_says_what_it_concerns_under_a_name_of_its_own() -> None:
    assert len({one.error_class for one in ERRORS}) == len(ERRORS)
    on_breaker = {one.error_class for one in ERRORS if one.concerns is Concern.SERVICE}
    assert on_breaker == {"overload", "timeout", "connection", "cut_short", "malformed"}
