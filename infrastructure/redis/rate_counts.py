"""Counts that all processes share: each adds what it has counted and learns the sum."""

from collections.abc import Mapping

from infrastructure.redis.client import Redis

_KEY = "bucatini:rate:{name}:{window}"


async def exchange(
    redis: Redis, window: int, counted: Mapping[str, int], *, window_seconds: int
) -> dict[str, tuple[int, int]]:
    """(this window's sum, the one's before) by name, in one round trip. Raises one of FAULTS; a repeat would count
    twice."""
    async with redis.pipeline(transaction=False) as commands:
        for name, count in counted.items():
            key = _KEY.format(name=name, window=window)
            commands.incrby(key, count)
            commands.expire(key, 2 * window_seconds + 10)
            commands.get(_KEY.format(name=name, window=window - 1))
        answers = await commands.execute()
    triples = zip(counted, answers[::3], answers[2::3], strict=True)
    return {name: (int(current), int(previous or 0)) for name, current, previous in triples}
