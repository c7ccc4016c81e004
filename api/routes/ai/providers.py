"""Answers how the providers of models are, as far as the tenant may use them."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from uuid import UUID

from api.auth.principal import Scope
from api.endpoint import Call, Empty, Endpoint
from api.http.responses import Answer, json_answer
from api.model_registry import registry_of
from infrastructure.model_registry.pricing import rates_on
from infrastructure.model_registry.registry import Api, ModelRegistry, ModelSpec
from infrastructure.ports.ai.credentials import DEPLOYMENT
from infrastructure.ports.ai.response import RateLimits
from infrastructure.postgres.ai.credentials import credential_id, credentials_of
from infrastructure.postgres.ai.latencies import ModelLatencies, latencies_of
from infrastructure.redis.models.health import ProviderHealth
from infrastructure.redis.models.status import BreakerStatus, ModelsStatus, models_status
from infrastructure.wiring import keyed_providers
from schemas.ai.providers import (
    AllowanceState,
    BreakerState,
    Latencies,
    ModelStatus,
    ProvidersStatus,
    ProviderState,
    ProviderStatus,
)
from schemas.ai.usage import CredentialState

PATH = "/api/ai/providers/status"
ALIAS = "/api/ai/providers/health"
NO_CALLS = ModelLatencies(0, None, None, None, None, None)


async def show_providers(call: Call[Empty, Empty]) -> Answer:
    registry = await registry_of(call.ingress.settings)
    credentials, latencies = await asyncio.gather(call.db.run(credentials_of), call.db.run(latencies_of))
    own = {one.provider: one for one in credentials}
    models = [(spec.provider, name) for name, spec in registry.models.items()]
    keys = {name: _key_id(call.tenant_id, own.get(name)) for name in registry.providers}
    now = call.ingress.clock.now()
    status = await models_status(call.ingress.redis, keys, models, now.timestamp())
    view = _View(
        registry,
        status,
        frozenset(own),
        keyed_providers(call.ingress.settings, registry),
        latencies,
        now.date(),
    )
    return json_answer(200, ProvidersStatus(providers=tuple(map(view.provider, registry.providers))))


def _key_id(tenant_id: UUID, own: CredentialState | None) -> str:
    return DEPLOYMENT.id if own is None else credential_id(tenant_id, own.provider, own.updated_at)


@dataclass(frozen=True, slots=True)
class _View:
    """What the answer is made of."""

    registry: ModelRegistry
    status: ModelsStatus
    own: frozenset[str]
    """The providers that the tenant has a key of its own for."""
    keyed: Mapping[str, bool]
    """By the ingress's own settings, for while no worker has said."""
    latencies: Mapping[tuple[str, str], ModelLatencies]
    today: date

    def provider(self, name: str) -> ProviderStatus:
        health = self.status.health.get(name, ProviderHealth(self.keyed.get(name, False)))
        models = tuple(self.model(model, spec) for model, spec in self.registry.models.items() if spec.provider == name)
        key = self._key(name, health)
        state, detail = state_of(name, key, health, models)
        if state is ProviderState.READY and key != "not_needed" and self.status.why_unknown:
            state, detail = ProviderState.DEGRADED, f"How it is isn't known now: {self.status.why_unknown}"
        checked = health.ok is not None
        return ProviderStatus(
            provider=name,
            state=state,
            detail=detail,
            checked_at=_moment(health.checked_at) if checked else None,
            check_age_seconds=max(round(self.status.now - health.checked_at, 1), 0.0) if checked else None,
            key=key,
            allowances=tuple(self._allowances(self.status.limits[name])),
            models=models,
        )

    def model(self, name: str, spec: ModelSpec) -> ModelStatus:
        which = spec.provider, name
        breaker, latencies = self.status.breakers[which], self.latencies.get(which, NO_CALLS)
        return ModelStatus(
            model=name,
            breaker=BreakerState(breaker.state),
            retry_at=None if breaker.retry_at is None else _moment(breaker.retry_at),
            failures=breaker.failures,
            last_error=latencies.last_error or _others_error(breaker),
            max_input_tokens=spec.max_input_tokens,
            max_output_tokens=spec.max_output_tokens,
            lanes=tuple(sorted(lane.value for lane in spec.lanes)),
            input_usd_per_million_tokens=self._rate(name, "input_mtok"),
            output_usd_per_million_tokens=self._rate(name, "output_mtok"),
            latencies=Latencies(
                calls=latencies.calls,
                p50_ms=latencies.p50_ms,
                p95_ms=latencies.p95_ms,
                p99_ms=latencies.p99_ms,
                first_token_p50_ms=latencies.first_token_p50_ms,
            ),
        )

    def _key(self, name: str, health: ProviderHealth) -> str:
        if self.registry.providers[name].api is Api.OFFLINE:
            return "not_needed"
        if name in self.own:
            return "tenant"
        return "deployment" if health.keyed else "none"

    def _rate(self, model: str, what: str) -> Decimal | None:
        prices = self.registry.prices(model)
        rates = None if prices is None else rates_on(prices, self.today)
        return None if rates is None or what not in rates else rates[what].base

    def _allowances(self, limits: RateLimits) -> list[AllowanceState]:
        named = {name: getattr(limits, name) for name in ("requests", "tokens", "input_tokens", "output_tokens")}
        return [
            AllowanceState(
                name=name,
                limit=one.limit,
                remaining=one.remaining,
                resets_at=None if one.reset_seconds is None else _moment(self.status.now + one.reset_seconds),
            )
            for name, one in named.items()
            if one is not None
        ]


def _others_error(breaker: BreakerStatus) -> str | None:
    """What other tenants' calls met, while it still matters to this one's."""
    return breaker.last_error if breaker.failures else None


def state_of(name: str, key: str, health: ProviderHealth, models: tuple[ModelStatus, ...]) -> tuple[ProviderState, str]:
    """The state, and what is wrong and what to do about it."""
    if key == "none":
        where = f"set {name.upper()}_API_KEY for the workers, or your own: PUT /api/ai/credentials/{name}"
        return ProviderState.WITHOUT_KEY, f"There is no key: {where}"
    shut = [model.model for model in models if model.breaker is not BreakerState.CLOSED]
    if models and len(shut) == len(models):
        return ProviderState.UNAVAILABLE, "Each of its models failed five times in a row; they are tried again soon."
    # A free call is made with the deployment's key: what is said of that doesn't concern who has another.
    if health.ok is False and not (key == "tenant" and health.error_class in ("auth", "quota", "throttle")):
        away = health.error_class in ("connection", "timeout")
        return (ProviderState.UNAVAILABLE if away else ProviderState.DEGRADED), health.detail
    if shut:
        return ProviderState.DEGRADED, f"These failed five times in a row and are tried again soon: {', '.join(shut)}"
    return ProviderState.READY, ""


def _moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


ENDPOINTS = (
    Endpoint(
        method="GET",
        path=PATH,
        aliases=(ALIAS,),
        summary="Show how the providers of models are",
        description=(
            "For each provider whose key would be used, how its last free call went, and what is left of its limits; for each "
            "model its circuit breaker, its prices, and how your own calls went in the last hour."
        ),
        handle=show_providers,
        answers={200: ProvidersStatus},
        scope=Scope.AI_READ,
    ),
)
