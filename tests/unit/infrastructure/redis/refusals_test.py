"""The sentences for Redis's errors."""

import pytest
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    ReadOnlyError,
    ResponseError,
    TryAgainError,
)
from redis.exceptions import (
    ConnectionError as NotConnected,
)

from infrastructure.redis.refusals import REASONS, UNREACHABLE, is_refusal, reason


@pytest.mark.parametrize("code", sorted(REASONS))
def test_each_code_has_its_reason_wherever_redis_puts_it(code: str) -> None:
    said = (
        ResponseError(f"{code} so it is"),
        ResponseError(f"Command # 1 (LPUSH ai x) of pipeline caused error: {code} so it is"),
        ResponseError(f"Error running script (call to f_abc): @user_script: 1: -{code} so it is"),
        ResponseError("so it is", status_code=code),
    )

    assert {reason(error) for error in said} == {REASONS[code]}
    assert all(is_refusal(error) for error in said)


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (ReadOnlyError("You can't write against a read only replica.", status_code="READONLY"), "READONLY"),
        (TryAgainError("Multiple keys request during rehashing of slot", status_code="TRYAGAIN"), "TRYAGAIN"),
        (BusyLoadingError("Redis is loading the dataset in memory", status_code="LOADING"), "LOADING"),
        (
            AuthenticationError("invalid username-password pair or user is disabled.", status_code="WRONGPASS"),
            "WRONGPASS",
        ),
        (AuthenticationError("Invalid Username or Password"), "WRONGPASS"),
    ],
)
def test_what_the_client_makes_of_a_code_is_understood(error: Exception, code: str) -> None:
    assert reason(error) == REASONS[code]


def test_a_code_of_a_later_release_is_named_and_nothing_else_of_its_text() -> None:
    told = reason(ResponseError("ERR the key 'secret' is of another kind"))

    assert told == "Redis refuses a command (ERR): see its log"


def test_a_server_that_is_gone_refuses_nothing() -> None:
    gone = NotConnected("Error 111 connecting to 10.0.0.1:6379")

    assert not is_refusal(gone)
    assert reason(gone).startswith(UNREACHABLE)
    assert "10.0.0.1" not in reason(gone)
