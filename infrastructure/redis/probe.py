"""Readiness probe for Redis: performs the operations that the work needs, since a Redis that answers PING may refuse
writes."""

from infrastructure.redis.client import FAULTS, Redis
from infrastructure.redis.refusals import is_refusal, reason
from schemas.health import Condition, PartState

PROBE = "bucatini:probe"
KEPT_SECONDS = 60


async def probe(redis: Redis) -> Condition:
    """Pushes and pops a value, runs a script and publishes a message, in one round trip."""
    commands = redis.pipeline(transaction=False)
    commands.lpush(PROBE, b"")
    commands.expire(PROBE, KEPT_SECONDS)
    commands.rpop(PROBE)
    commands.eval("return 1", 1, PROBE)
    commands.publish(PROBE, b"")
    try:
        await commands.execute()
    except FAULTS as error:
        return Condition(PartState.DEGRADED if is_refusal(error) else PartState.FAILED, reason(error))
    return Condition()
