"""Chooses the model of each attempt: the first candidate that has a key and whose breaker is closed, and the next one when it
fails."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Final

import structlog
from uuid_utils.compat import uuid7

from events.ai.provenance import ModelAttempt
from infrastructure.concurrency.work_clock import waiting
from infrastructure.model_registry.registry import ModelRegistry
from infrastructure.ports.ai.breakers import Admission, Breakers
from infrastructure.ports.ai.credentials import Credentials
from infrastructure.ports.ai.errors import (
    AuthenticationRefused,
    Concern,
    Failure,
    ModelError,
    Overloaded,
    QuotaExhausted,
    Throttled,
)
from monitoring.metrics import models as metrics
from workers.ai.pipeline.call import Attempt, Listener, Middleware, ModelCall, ModelReply, Next
from workers.ai.pipeline.counting import count_attempt
from workers.ai.pipeline.lanes import lane_of
from workers.ai.pipeline.ledger import made

log = structlog.get_logger(__name__)

MAX_ATTEMPTS: Final = 8
"""Of one call, over all its candidates."""
MAX_RETRIES: Final = 2
"""Of the same model, after it asked for a short pause, where there is no other."""
SHORT_SECONDS: Final = 5.0
PATIENT_SECONDS: Final = 60.0
"""How long the last candidate's limits are waited for: longer than that, the job gives its place to others."""
IMPATIENT_SECONDS: Final = 0.5
"""The same while there is another candidate."""
BREAKER_OPEN: Final = "breaker_open"


@dataclass(frozen=True, slots=True)
class Routing:
    """What the step works with."""

    registry: ModelRegistry
    credentials: Credentials
    breakers: Breakers
    keyed: Mapping[str, bool]
    """Whether the deployment has a key for a provider, or it needs none."""


def route(routing: Routing) -> Middleware:
    """Raises the ModelError of the last candidate that was tried."""

    async def ask(call: ModelCall, call_next: Next) -> ModelReply:
        journey = _Journey(call, call_next, routing)
        return await journey.go()

    return ask


@dataclass(slots=True)
class _Gate:
    """Reads along, to know whether anybody has seen text of an attempt."""

    listener: Listener
    opened: bool = False

    def write(self, delta: str) -> None:
        self.opened = True
        self.listener.write(delta)

    async def restart(self, model: str, error_class: str) -> None:
        self.opened = False
        await self.listener.restart(model, error_class)


@dataclass(slots=True)
class _Journey:
    """One call's way past its candidates."""

    call: ModelCall
    call_next: Next
    routing: Routing
    made: list[ModelAttempt] = field(default_factory=list)
    error: ModelError | None = None
    """Of the candidate that was tried last."""
    closed_providers: set[str] = field(default_factory=set)
    """Whose key was refused or is used up: other models of theirs would be as well."""
    tried: int = 0

    async def go(self) -> ModelReply:
        models = self.call.models
        for place, model in enumerate(models):
            reply = await self._try(model, is_last=place == len(models) - 1)
            if reply is not None:
                return reply
            if self.tried >= MAX_ATTEMPTS:
                break
        assert self.error is not None, "each candidate answers, or says why not"
        raise self.error

    async def _try(self, model: str, *, is_last: bool) -> ModelReply | None:
        """None when the next candidate is to be tried."""
        provider = self.routing.registry.model(model).provider
        if provider in self.closed_providers:
            return None
        credential = await self.routing.credentials.of(self.call.tenant_id, provider)
        if not credential.is_tenants and not self.routing.keyed.get(provider, False):
            self._pass_over(model, _without_key(provider, model))
            return None
        retries = MAX_RETRIES if is_last else 0
        while True:
            admission = await self.routing.breakers.admit(provider, model)
            if not admission.allowed:
                self._pass_over(model, _breaker_open(admission), BREAKER_OPEN)
                return None
            attempt = Attempt(uuid7(), provider, model, credential)
            try:
                return await self._attempt(attempt, admission, PATIENT_SECONDS if is_last else IMPATIENT_SECONDS)
            except ModelError as error:
                self.error = error
                if not _another_may_do(error):
                    raise
                if isinstance(error, AuthenticationRefused | QuotaExhausted):
                    self.closed_providers.add(provider)
                pause_seconds = _pause_before_retry(error)
                if retries == 0 or pause_seconds is None or self.tried >= MAX_ATTEMPTS:
                    if not is_last:
                        self._leave(model, error.error_class)
                    return None
            retries -= 1
            with waiting():
                await asyncio.sleep(pause_seconds)

    async def _attempt(self, attempt: Attempt, admission: Admission, wait_seconds: float) -> ModelReply:
        call, breakers = self.call, self.routing.breakers
        gate = None if call.listener is None else _Gate(call.listener)
        request = replace(
            call.request,
            model=attempt.model,
            lane=lane_of(call, self.routing.registry.model(attempt.model)),
        )
        self.tried += 1
        try:
            reply = await self.call_next(
                replace(call, request=request, attempt=attempt, listener=gate, wait_seconds=wait_seconds)
            )
        except ModelError as error:
            await breakers.failed(admission, error)
            if gate is not None and gate.opened:
                await gate.restart(attempt.model, error.error_class)
            raise
        except BaseException:
            await breakers.abandoned(admission)
            raise
        finally:
            self._note(attempt)
        await breakers.succeeded(admission)
        return replace(reply, attempts=tuple(self.made))

    def _note(self, attempt: Attempt) -> None:
        if attempt.end is not None:
            end = attempt.end
            self.made.append(made(self.call, attempt.id, attempt.provider, attempt.model, end.outcome, end.cost_usd))
            count_attempt(attempt, end)

    def _pass_over(self, model: str, error: ModelError, reason: str | None = None) -> None:
        # What a candidate said that was tried is worth more to the job than that another one couldn't be.
        self.error = self.error or error
        self._leave(model, reason or error.error_class)

    def _leave(self, model: str, reason: str) -> None:
        metrics.failed_over(model, reason)
        log.warning("model.left", model=model, reason=reason)


def _another_may_do(error: ModelError) -> bool:
    return error.concerns is not Concern.REQUEST


def _pause_before_retry(error: ModelError) -> float | None:
    """None when the same model isn't to be asked again."""
    if not isinstance(error, Throttled) or error.failure.unsent:
        return None
    seconds = error.failure.retry_after_seconds or 0.0
    # The reservation waits for the rest, as soon as it knows of the refusal.
    return seconds if seconds <= SHORT_SECONDS else None


def _without_key(provider: str, model: str) -> AuthenticationRefused:
    what = f"{provider}, model {model}: there is no key: set {provider.upper()}_API_KEY, or give the tenant one"
    return AuthenticationRefused(what, Failure(provider, model, unsent=True))


def _breaker_open(admission: Admission) -> Overloaded:
    seconds = admission.retry_after_seconds
    failure = Failure(admission.provider, admission.model, retry_after_seconds=seconds, unsent=True)
    return Overloaded(
        f"{admission.provider}, model {admission.model}: it failed five times in a row, and is asked again in {seconds:.0f} s",
        failure,
    )
