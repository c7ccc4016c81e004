"""Request counts shared by all processes: each adds its own and reads the sums."""

from collections.abc import Mapping

from infrastructure.redis.client import Redis

_KEY = "bucatini:rate:{name}:{window}"


async def exchange(
    redis: Redis, window: int, counted: Mapping[str, int], *, window_seconds: int
) -> dict[str, tuple[int, int]]:
    """Adds the counts and returns (sum of this window, sum of the previous one) by name, in one round trip. Raises one
    of FAULTS. Not safe to repeat: it would count twice."""
    async with redis.pipeline(transaction=False) as commands:
        for name, count in counted.items():
            key = _KEY.format(name=name, window=window)
            commands.incrby(key, count)
            commands.expire(key, 2 * window_seconds + 10)
            commands.get(_KEY.format(name=name, window=window - 1))
        answers = await commands.execute()
    triples = zip(counted, answers[::3], answers[2::3], strict=True)
    return {name: (int(current), int(previous or 0)) for name, current, previous in triples}
