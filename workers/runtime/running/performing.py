"""Performs one attempt: decodes its command, calls its handler, and returns an outcome, whatever happens."""

import asyncio
import logging
from collections.abc import Mapping
from typing import Any

import orjson
from pydantic import ValidationError

from infrastructure.concurrency.work_clock import at_work
from infrastructure.ports import Refused, TryLater, Unavailable
from infrastructure.postgres.jobs.claim import Claimed
from infrastructure.postgres.tenants.quotas import QuotaExceeded
from kinds.run import AwaitChildren, Then
from monitoring.logs.context import bound
from monitoring.logs.log_throttle import LogThrottle
from schemas.commands import Command
from workers.runtime.handler import Answer, Handler
from workers.runtime.running import run_spans
from workers.runtime.running.attempt import Attempt
from workers.runtime.running.run_failures import crashed, invalid, not_understood, too_late, unavailable, undeclared
from workers.runtime.settling.outcomes import (
    AwaitingChildren,
    Done,
    Failed,
    Outcome,
    Stop,
    Stopped,
    time_limit_exceeded,
)
from workers.runtime.settling.retry import Failure

logger = logging.getLogger(__name__)
_failures = LogThrottle()


async def perform(attempt: Attempt, handlers: Mapping[str, Handler[Any]]) -> Outcome:
    """Runs the attempt and returns its outcome. Never raises: what a handler raises, SystemExit included, is an outcome."""
    attempt.entered = True
    if attempt.stopped is not None:
        return _ended_by_us(attempt)
    attempt.start_clock()
    claimed = attempt.claimed
    handler = handlers.get(claimed.kind)
    if handler is None or claimed.version > handler.command_type.version:
        return Failed(not_understood(claimed, attempt.now()))
    if claimed.deadline is not None and claimed.deadline <= attempt.now():
        return Failed(too_late(claimed.deadline))
    at_work.set(attempt)  # A context variable of the run's own task, which ends with it.
    if (span := run_spans.begin(attempt)) is None:
        with bound(attempt.log_context):
            return await _perform(attempt, handler)
    with bound(attempt.log_context):
        outcome = await _perform(attempt, handler)
    run_spans.end(span, attempt, outcome)
    return outcome


async def _perform(attempt: Attempt, handler: Handler[Any]) -> Outcome:
    try:
        command = _read(handler.command_type, attempt.claimed)
        answer = await handler.handle(command, attempt)
        await attempt.send_text()
    except asyncio.CancelledError as error:
        return _ended_by_us(attempt) if attempt.stopped else Failed(crashed(error))
    except Refused as refused:
        return Failed(Failure(refused.problem, retryable=False))
    except QuotaExceeded as exceeded:
        return Failed(Failure(exceeded.problem, retryable=False))
    except TryLater as later:
        return Failed(Failure(later.problem, retryable=True, wait_seconds=later.seconds, counted=later.counted))
    except Unavailable as error:
        return Failed(unavailable(attempt.claimed, error, attempt.now()))
    except ValidationError as error:
        return Failed(invalid(error))
    except BaseException as error:  # A handler's SystemExit would end the loop and every other run.
        if attempt.stopped:
            return _ended_by_us(attempt)
        # Each failure is in its job's timeline; the log has the traceback, throttled.
        if times := _failures.times((attempt.claimed.kind, type(error))):
            logger.error("handler failed, %d times since this was last logged", times, exc_info=error)
        return Failed(crashed(error))
    return _done(handler, answer)


def _done(handler: Handler[Any], answer: Answer) -> Outcome:
    result, commands = (answer.result, answer.commands) if isinstance(answer, Then) else (answer, ())
    for given in (answer, result):
        if not isinstance(given, handler.answers):
            return Failed(undeclared(handler, given))
    return AwaitingChildren(result) if isinstance(result, AwaitChildren) else Done(result, commands)


def _read(command_type: type[Command], claimed: Claimed) -> Command:
    if claimed.version == command_type.version:
        return command_type.model_validate_json(claimed.command)
    fields = command_type.upcast(claimed.version, orjson.loads(claimed.command))
    return command_type.model_validate_json(orjson.dumps(fields))


def _ended_by_us(attempt: Attempt) -> Outcome:
    match attempt.stopped:
        case Stop.TIME_LIMIT:
            return Failed(time_limit_exceeded(attempt.time_limit_seconds))
        case None:
            raise AssertionError("only a stopped attempt was ended by us")
        case reason:
            return Stopped(reason)
