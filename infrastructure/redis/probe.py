"""Asks Redis to do what the work asks of it: it may answer a PING and take no write."""

from infrastructure.redis.client import FAULTS, Redis
from infrastructure.redis.refusals import is_refusal, reason
from schemas.health import Condition, PartState

PROBE = "bucatini:probe"
KEPT_SECONDS = 60


async def probe(redis: Redis) -> Condition:
    """One round trip: a bell is pushed and taken, a script runs, something is announced."""
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
