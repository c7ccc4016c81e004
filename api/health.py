"""What an orchestrator asks: is the process alive, can it do its work. What it counts is told on the operators' port."""

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable
from enum import StrEnum

from api.answers import Answer, json_answer
from api.endpoint import NOBODY, Call, Empty, Endpoint
from api.ingress import Ingress
from infrastructure.ports import Unavailable
from infrastructure.postgres.fitness import why_tables_unfit
from infrastructure.redis.client import FAULTS
from schemas.model import Model

logger = logging.getLogger(__name__)

CHECK_SECONDS = 2.0


class Alive(Model):
    status: str = "ok"


class PartState(StrEnum):
    OK = "ok"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """It couldn't be asked, since what it lives in failed."""


class Part(Model):
    name: str
    state: PartState
    milliseconds: float
    detail: str = ""


class Readiness(StrEnum):
    READY = "ready"
    DEGRADED = "degraded"
    """Accepted jobs are kept, but run and are told of later than they should."""
    NOT_READY = "not ready"


class Ready(Model):
    status: Readiness
    parts: tuple[Part, ...]


async def show_alive(call: Call[Empty, Empty]) -> Answer:
    return json_answer(200, Alive())


async def show_ready(call: Call[Empty, Empty]) -> Answer:
    """503 only when jobs couldn't be kept: without Redis, 202 still means kept."""
    ingress = call.ingress
    postgres, redis = await asyncio.gather(
        _part("postgres", lambda: _ask_postgres(ingress)), _part("redis", lambda: _ask_redis(ingress))
    )
    if postgres.state is PartState.OK:
        migrations = await _part("migrations", lambda: _ask_migrations(ingress))
    else:
        migrations = Part(name="migrations", state=PartState.UNKNOWN, milliseconds=0.0)
    if postgres.state is not PartState.OK or migrations.state is not PartState.OK:
        status = Readiness.NOT_READY
    else:
        status = Readiness.READY if redis.state is PartState.OK else Readiness.DEGRADED
    answer = Ready(status=status, parts=(postgres, redis, migrations))
    return json_answer(503 if status is Readiness.NOT_READY else 200, answer)


async def _part(name: str, ask: Callable[[], Awaitable[str]]) -> Part:
    began = time.perf_counter()
    try:
        async with asyncio.timeout(CHECK_SECONDS):
            wrong = await ask()
    except TimeoutError:
        wrong = f"no answer within {CHECK_SECONDS:g} s"
    except Unavailable as error:
        wrong = str(error)
    except Exception:  # The check's edge: whatever it was, the part doesn't work, and the log says why.
        logger.exception("the check of %s failed", name)
        wrong = "it refuses what is asked of it: see this process's log"
    milliseconds = round((time.perf_counter() - began) * 1_000, 2)
    state = PartState.FAILED if wrong else PartState.OK
    return Part(name=name, state=state, milliseconds=milliseconds, detail=wrong)


async def _ask_postgres(ingress: Ingress) -> str:
    await ingress.lines.run(NOBODY.tenant_id, lambda line: line.execute("SELECT 1"))
    if ingress.migrated.is_set():  # What lacks its tables is told of as such.
        await ingress.submitter.rehearse()
    return ""


async def _ask_redis(ingress: Ingress) -> str:
    try:
        await ingress.redis.ping()
    except FAULTS:
        return "Redis can't be reached: jobs are kept and run once it is back"
    return ""


async def _ask_migrations(ingress: Ingress) -> str:
    if not ingress.migrated.is_set():
        if why := await why_tables_unfit(ingress.settings.database):
            return why
        ingress.migrated.set()
    return ""


ENDPOINTS = (
    Endpoint(
        method="GET",
        path="/healthz",
        summary="Is this process alive",
        handle=show_alive,
        answers={200: Alive},
        scope=None,
    ),
    Endpoint(
        method="GET",
        path="/readyz",
        summary="Can it do its work",
        description="Each part by name. Without Redis it is degraded and still ready: 202 means kept all the same.",
        handle=show_ready,
        answers={200: Ready, 503: Ready},
        scope=None,
    ),
)
