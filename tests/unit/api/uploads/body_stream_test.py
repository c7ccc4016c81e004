"""Bodies as they arrive: bounded in size and time."""

import asyncio
from collections.abc import Sequence

import pytest
from starlette.types import Message

from api.http import problems
from api.http.problems import Refusal
from api.http.request_body import Disconnected
from api.uploads.body_stream import MIN_BYTES, BodyStream, Pause, UploadLimits

GENEROUS = UploadLimits(max_bytes=100_000, idle_seconds=60, total_seconds=60)


def _nothing() -> None:
    """Nobody waits for the end."""


class _Client:
    """Sends these chunks and then nothing more; an empty one ends the body."""

    def __init__(self, *chunks: bytes | None) -> None:
        self._chunks = list(chunks)

    async def receive(self) -> Message:
        if not self._chunks:
            await asyncio.Event().wait()
        chunk = self._chunks.pop(0)
        if chunk is None:
            return {"type": "http.disconnect"}
        return {"type": "http.request", "body": chunk, "more_body": chunk != b""}


def _read(client: _Client, limits: UploadLimits = GENEROUS, length: str | None = None) -> Sequence[bytes]:
    async def read() -> Sequence[bytes]:
        async with asyncio.timeout(60) as around:
            return [
                chunk
                async for chunk in BodyStream(client.receive, limits, length, Pause(around, 60, _nothing)).chunks()
            ]

    return asyncio.run(read())


def test_the_chunks_come_as_they_arrive() -> None:
    assert _read(_Client(b"a", b"bc", b"")) == [b"a", b"bc"]


def test_a_body_is_refused_at_its_limit_by_what_it_announces_or_by_what_arrives() -> None:
    for client, length in [(_Client(), "100001"), (_Client(b"x" * 60_000, b"x" * 60_000), None)]:
        with pytest.raises(Refusal) as refused:
            _read(client, length=length)
        assert refused.value.problem.status == 413


def test_a_client_that_leaves_ends_the_body() -> None:
    with pytest.raises(Disconnected):
        _read(_Client(b"x", None))


@pytest.mark.parametrize("sent", [(), (b"x",), (b"x" * (MIN_BYTES - 1),)])
def test_an_upload_of_which_nothing_more_arrives_is_refused(sent: tuple[bytes, ...]) -> None:
    with pytest.raises(Refusal) as refused:
        _read(_Client(*sent), UploadLimits(100_000, idle_seconds=0.05, total_seconds=60))

    assert refused.value.problem.name == "upload-stalled"


def test_an_upload_that_lasts_too_long_is_refused() -> None:
    with pytest.raises(Refusal) as refused:
        _read(_Client(b"x" * 5_000), UploadLimits(100_000, idle_seconds=60, total_seconds=0.05))

    assert refused.value.problem.name == "upload-too-long"


def test_an_upload_that_waits_can_be_stopped() -> None:
    async def stop_it() -> None:
        async with asyncio.timeout(60) as around:
            stream = BodyStream(_Client(b"x").receive, GENEROUS, None, Pause(around, 60, _nothing))
            async for _ in stream.chunks():
                asyncio.get_running_loop().call_soon(stream.stop, problems.unauthenticated())

    with pytest.raises(Refusal) as refused:
        asyncio.run(stop_it())
    assert refused.value.problem.status == 401


def test_the_timeout_around_it_does_not_run_while_a_body_arrives() -> None:
    async def read() -> list[float | None]:
        async with asyncio.timeout(5) as around:
            stream = BodyStream(_Client(b"a", b"").receive, GENEROUS, None, Pause(around, 5, _nothing))
            during = [around.when() async for _ in stream.chunks()]
            return [*during, around.when()]

    during, after = asyncio.run(read())
    assert during is None
    assert after is not None
