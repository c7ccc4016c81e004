"""Golden tests of prompts."""

from producers.client.asynchronous.ports import AsyncCaller
from producers.client.requests import delete, get, keyed_post, path, put
from schemas.ai.golden_tests import (
    GoldenTest,
    GoldenTests,
    NamedGoldenTest,
    PromptTestRun,
    PromptTestRuns,
    TestRequest,
)
from schemas.jobs import Job


class AsyncPromptTests:
    """Every call may raise ProblemAnswer or Unreachable."""

    def __init__(self, client: AsyncCaller) -> None:
        self._client = client

    async def list(self, prompt: str) -> tuple[NamedGoldenTest, ...]:
        return (await self._client.ask(GoldenTests, get(path("prompts", prompt, "tests")))).tests

    async def get(self, prompt: str, test: str) -> NamedGoldenTest:
        return await self._client.ask(NamedGoldenTest, get(path("prompts", prompt, "tests", test)))

    async def set(self, prompt: str, test: str, wanted: GoldenTest) -> NamedGoldenTest:
        """Adds it, or replaces it. Runs before don't count any more."""
        return await self._client.ask(NamedGoldenTest, put(path("prompts", prompt, "tests", test), wanted))

    async def remove(self, prompt: str, test: str) -> None:
        await self._client.send(delete(path("prompts", prompt, "tests", test)))

    async def run(self, prompt: str, *, version: int | None = None, idempotency_key: str | None = None) -> Job:
        """The job that runs them on the version, the newest if none is given. Await it with `bucatini.jobs`."""
        request = keyed_post(path("prompts", prompt, "test"), TestRequest(version=version), idempotency_key)
        return await self._client.ask(Job, request)

    async def runs(self, prompt: str, *, version: int | None = None) -> tuple[PromptTestRun, ...]:
        """How they went, the newest first."""
        query = {"version": version, "limit": 100}
        return (await self._client.ask(PromptTestRuns, get(path("prompts", prompt, "test-runs"), query))).runs
