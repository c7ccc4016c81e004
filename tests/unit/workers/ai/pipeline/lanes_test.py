"""Which lane a call takes, and what becomes of it when that is full."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from infrastructure.model_registry.lanes import lanes_for
from infrastructure.ports.ai.errors import BadRequest, Failure, ModelError, Overloaded, QuotaExhausted, Throttled
from infrastructure.ports.ai.purposes import Purpose
from infrastructure.ports.ai.request import Lane, ModelRequest, user
from infrastructure.ports.ai.response import FinishReason
from workers.ai.pipeline.call import ModelCall, ModelReply, Next
from workers.ai.pipeline.lanes import lanes

pytestmark = pytest.mark.anyio

NOW = datetime(2026, 11, 30, 12, tzinfo=UTC)
DAY = 24 * 3_600
REPLY = ModelReply("Done.", FinishReason.STOP, "openai", "gpt-6-luna", "gpt-6-luna", attempts=())


def call(left: timedelta | None) -> ModelCall:
    request = ModelRequest("", (user("Write."),), 100)
    return ModelCall(uuid4(), Purpose.SECTION, request, deadline=None if left is None else NOW + left)


class Upstream:
    def __init__(self, refuses: Callable[[ModelCall], ModelError | None] = lambda call: None) -> None:
        self.asked: list[tuple[Lane, ...]] = []
        self._refuses = refuses

    @property
    def next(self) -> Next:
        async def answer(call: ModelCall) -> ModelReply:
            self.asked.append(call.lanes)
            if (error := self._refuses(call)) is not None:
                raise error
            return REPLY

        return answer


def flexible_fails_with(kind: type[ModelError]) -> Upstream:
    failure = Failure("openai", "gpt-6-luna")
    return Upstream(lambda call: kind("full", failure) if Lane.FLEX in call.lanes else None)


@pytest.mark.parametrize(
    ("left_seconds", "expected"),
    [
        (None, (Lane.REALTIME,)),
        (60.0, (Lane.REALTIME,)),
        (3_600.0, (Lane.FLEX, Lane.REALTIME)),
        (DAY + 3_600.0, (Lane.FLEX, Lane.REALTIME)),
        (2.0 * DAY, (Lane.BATCH, Lane.FLEX, Lane.REALTIME)),
    ],
)
def test_the_more_time_a_job_has_the_cheaper_it_goes(left_seconds: float | None, expected: tuple[Lane, ...]) -> None:
    assert lanes_for(left_seconds) == expected


async def test_a_job_without_a_deadline_is_answered_in_real_time() -> None:
    upstream = Upstream()
    assert await lanes(lambda: NOW)(call(None), upstream.next) is REPLY
    assert upstream.asked == [(Lane.REALTIME,)]


@pytest.mark.parametrize("kind", [Overloaded, Throttled])
async def test_a_full_flexible_lane_is_left_for_real_time_at_once(kind: type[ModelError]) -> None:
    upstream = flexible_fails_with(kind)
    assert await lanes(lambda: NOW)(call(timedelta(hours=2)), upstream.next) is REPLY
    assert upstream.asked == [(Lane.FLEX, Lane.REALTIME), (Lane.REALTIME,)]


@pytest.mark.parametrize("kind", [BadRequest, QuotaExhausted])
async def test_what_would_fail_in_any_lane_isnt_asked_again(kind: type[ModelError]) -> None:
    upstream = flexible_fails_with(kind)
    with pytest.raises(kind):
        await lanes(lambda: NOW)(call(timedelta(hours=2)), upstream.next)
    assert len(upstream.asked) == 1
