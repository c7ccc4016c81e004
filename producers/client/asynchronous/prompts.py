"""Prompts: what models are asked, in versions that never change."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import replace
from typing import Any, Final

from producers.client.asynchronous.labels import AsyncLabels
from producers.client.asynchronous.ports import AsyncCaller
from producers.client.asynchronous.prompt_tests import AsyncPromptTests
from producers.client.documents import conditions
from producers.client.requests import get, path, post
from schemas.ai.prompt_list import Prompt, PromptPage
from schemas.ai.prompts import (
    Industry,
    NewPrompt,
    NewPromptVersion,
    PromptContent,
    PromptDiff,
    PromptVersion,
    PromptVersionInfo,
    PromptVersions,
    RenderedPrompt,
    RenderRequest,
)

PROMPTS: Final = "prompts"
PAGE: Final = 200


class AsyncPrompts:
    """Your prompts, and those that Bucatini comes with. Every call may raise ProblemAnswer or Unreachable."""

    def __init__(self, client: AsyncCaller) -> None:
        self._client = client
        self.labels = AsyncLabels(client)
        """Where names such as `production` point."""
        self.tests = AsyncPromptTests(client)
        """What a version has to pass before a label may point to it."""

    async def list(self) -> AsyncIterator[Prompt]:
        """By name, fetched a page at a time."""
        cursor = None
        while True:
            page = await self._client.ask(PromptPage, get(path(PROMPTS), {"limit": PAGE, "cursor": cursor}))
            for prompt in page.prompts:
                yield prompt
            cursor = page.next_cursor
            if cursor is None:
                return

    async def get(self, name: str) -> Prompt:
        return await self._client.ask(Prompt, get(path(PROMPTS, name)))

    async def create(self, name: str, content: PromptContent, *, description: str = "") -> PromptVersion:
        """A prompt with its first version, to which `production` points.

            await bucatini.prompts.create("letter", PromptContent.model_validate({
                "sections": [{"heading": "Summary", "instruction": "Say what {{ client }} should know."}],
                "variables": {"client": {}},
            }))

        ProblemAnswer with status 422 and a pointer for a template that can't be read, a name in one that isn't declared, and
        a variable that is never used.
        """
        wanted = NewPrompt(name=name, description=description, content=content)
        return await self._client.ask(PromptVersion, post(path(PROMPTS), wanted, repeatable=False))

    async def add_version(
        self,
        name: str,
        content: PromptContent,
        *,
        industry: Industry | str | None = None,
        base: int | None = None,
        note: str = "",
        if_match: str | None = None,
    ) -> PromptVersion:
        """A version to which no label points yet. With an industry it is an overlay, and gives only what it changes of its base.
        Safe to repeat: what says the same as the newest is the newest. With `if_match`, such as `'"3"'` for version 3, nobody
        else's version is gone over unseen."""
        of = None if industry is None else Industry(industry)
        wanted = NewPromptVersion(content=content, industry=of, base=base, note=note)
        request = post(path(PROMPTS, name, "versions"), wanted)
        request = replace(request, headers={**request.headers, **conditions(if_match)})
        return await self._client.ask(PromptVersion, request)

    async def version(self, name: str, version: int) -> PromptVersion:
        return await self._client.ask(PromptVersion, get(path(PROMPTS, name, "versions", version)))

    async def versions(self, name: str) -> AsyncIterator[PromptVersionInfo]:
        """The newest first, without what they say; fetched a page at a time."""
        address, cursor = path(PROMPTS, name, "versions"), None
        while True:
            page = await self._client.ask(PromptVersions, get(address, {"limit": PAGE, "cursor": cursor}))
            for version in page.versions:
                yield version
            cursor = page.next_cursor
            if cursor is None:
                return

    async def diff(self, name: str, before: int, after: int) -> PromptDiff:
        """What the later version says otherwise, overlays taken together with their bases."""
        address = path(PROMPTS, name, "versions", before, "diff")
        return await self._client.ask(PromptDiff, get(address, {"to": after}))

    async def render(
        self,
        name: str,
        variables: Mapping[str, Any],
        *,
        version: int | None = None,
        label: str | None = None,
        industry: Industry | str | None = None,
        subject: str | None = None,
    ) -> RenderedPrompt:
        """What it would say. No model is called. ProblemAnswer with status 422 and a pointer for a variable that is missing,
        unknown or of another type."""
        of = None if industry is None else Industry(industry)
        wanted = RenderRequest(version=version, label=label, industry=of, subject=subject, variables=dict(variables))
        return await self._client.ask(RenderedPrompt, post(path(PROMPTS, name, "render"), wanted))
