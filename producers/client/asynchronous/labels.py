"""Labels of prompts: where they point, and their moves."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from datetime import datetime
from typing import Final

from producers.client.asynchronous.ports import AsyncCaller
from producers.client.documents import conditions
from producers.client.requests import get, path, post, put
from schemas.ai.labels import (
    LabelMove,
    LabelRollback,
    PromptExposure,
    PromptExposures,
    PromptLabelHistory,
    PromptLabels,
    PromptLabelState,
    Variant,
)
from schemas.ai.prompts import PRODUCTION, Industry

PAGE: Final = 50


class AsyncLabels:
    """Every call may raise ProblemAnswer or Unreachable."""

    def __init__(self, client: AsyncCaller) -> None:
        self._client = client

    async def get(self, prompt: str, label: str = PRODUCTION) -> tuple[PromptLabelState, ...]:
        """For all first, then for each industry for which it points to an overlay."""
        return (await self._client.ask(PromptLabels, get(_address(prompt, label)))).states

    async def move(
        self,
        prompt: str,
        variants: int | Mapping[int, int],
        *,
        label: str = PRODUCTION,
        because: str = "",
        if_match: str | None = None,
    ) -> PromptLabelState:
        """Points it to a version, or splits it: `{3: 20, 1: 80}` gives version 3 to a fifth of the subjects. Safe to repeat.
        ProblemAnswer with status 409 when a version hasn't passed the prompt's tests."""
        shares = {variants: 100} if isinstance(variants, int) else variants
        wanted = LabelMove(
            variants=tuple(Variant(version=version, percent=percent) for version, percent in shares.items()),
            because=because,
        )
        request = put(_address(prompt, label), wanted)
        request = replace(request, headers={**request.headers, **conditions(if_match)})
        return await self._client.ask(PromptLabelState, request)

    async def history(
        self, prompt: str, label: str = PRODUCTION, *, industry: Industry | str | None = None
    ) -> AsyncIterator[PromptLabelState]:
        """Its moves, the newest first, fetched a page at a time."""
        address, cursor = f"{_address(prompt, label)}/history", None
        while True:
            query = {"limit": PAGE, "cursor": cursor, "industry": industry}
            page = await self._client.ask(PromptLabelHistory, get(address, query))
            for move in page.moves:
                yield move
            cursor = page.next_cursor
            if cursor is None:
                return

    async def roll_back(
        self,
        prompt: str,
        label: str = PRODUCTION,
        *,
        industry: Industry | str | None = None,
        because: str = "",
        if_match: str | None = None,
    ) -> PromptLabelState:
        """Moves it back to where it pointed before. Each further one goes one further back, so it isn't safe to repeat without
        `if_match`. ProblemAnswer with status 409 when it has pointed nowhere else before."""
        of = None if industry is None else Industry(industry)
        wanted = LabelRollback(industry=of, because=because)
        request = post(f"{_address(prompt, label)}/rollback", wanted, repeatable=False)
        request = replace(request, headers={**request.headers, **conditions(if_match)})
        return await self._client.ask(PromptLabelState, request)

    async def exposures(self, prompt: str, *, since: datetime | None = None) -> tuple[PromptExposure, ...]:
        """How many jobs were written with each version since then, the last 30 days if it isn't given."""
        request = get(path("prompts", prompt, "exposures"), {"since": since})
        return (await self._client.ask(PromptExposures, request)).exposures


def _address(prompt: str, label: str) -> str:
    return path("prompts", prompt, "labels", label)
