"""Makes a free call of each provider every half minute, so that people and alerts know of one that is away before jobs do."""

import asyncio
from collections.abc import Mapping

import structlog

from infrastructure.concurrency.loops import Loop
from infrastructure.ports.ai.errors import ModelError
from infrastructure.ports.ai.model import ModelProvider
from infrastructure.redis.models.health import CHECK_SECONDS, ProviderHealth, SharedHealth
from monitoring.metrics import models as metrics

log = structlog.get_logger(__name__)

MAX_DETAIL = 300


class HealthChecks:
    """Checks the providers that the deployment has a key for. Of many workers one checks at a time."""

    def __init__(self, providers: Mapping[str, ModelProvider], keyed: Mapping[str, bool], shared: SharedHealth) -> None:
        self._providers = providers
        self._keyed = keyed
        self._shared = shared
        self._warm = False

    @property
    def loop(self) -> Loop:
        return Loop("provider health", CHECK_SECONDS, self.check)

    async def check(self) -> None:
        checks = await self._shared.may_check()
        if checks or not self._warm:
            # The first call of a provider imports its SDK, for which no failing job should have to wait.
            names = list(self._providers)
            found = dict(zip(names, await asyncio.gather(*map(self._health_of, names)), strict=True))
            self._warm = True
        else:
            found = await self._shared.read()
        if checks:
            await self._shared.write(found)
        # Each process shows the same: a gauge of one that checks no more would stay as it was.
        for name, health in found.items():
            if health.ok is not None:
                metrics.provider_found(name, ok=health.ok)

    async def _health_of(self, name: str) -> ProviderHealth:
        if not self._keyed[name]:
            return ProviderHealth(keyed=False)
        health = await self._providers[name].health()
        if health.error is None:
            return ProviderHealth(keyed=True, ok=True, seconds=health.seconds)
        error = health.error
        error_class = error.error_class if isinstance(error, ModelError) else "unknown"
        log.warning("provider.unwell", provider=name, error=error_class)
        return ProviderHealth(True, False, health.seconds, error_class, str(error)[:MAX_DETAIL])
