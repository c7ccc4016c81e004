# Generated from asynchronous/prompt_tests.py by `python -m producers.packaging`: edit that one.
"""Golden tests of prompts."""

from producers.client.blocking.ports import Caller
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


class PromptTests:
    """Every call may raise ProblemAnswer or Unreachable."""

    def __init__(self, client: Caller) -> None:
        self._client = client

    def list(self, prompt: str) -> tuple[NamedGoldenTest, ...]:
        return self._client.ask(GoldenTests, get(path("prompts", prompt, "tests"))).tests

    def get(self, prompt: str, test: str) -> NamedGoldenTest:
        return self._client.ask(NamedGoldenTest, get(path("prompts", prompt, "tests", test)))

    def set(self, prompt: str, test: str, wanted: GoldenTest) -> NamedGoldenTest:
        """Adds it, or replaces it. Runs before don't count any more."""
        return self._client.ask(NamedGoldenTest, put(path("prompts", prompt, "tests", test), wanted))

    def remove(self, prompt: str, test: str) -> None:
        self._client.send(delete(path("prompts", prompt, "tests", test)))

    def run(self, prompt: str, *, version: int | None = None, idempotency_key: str | None = None) -> Job:
        """The job that runs them on the version, the newest if none is given. Await it with `bucatini.jobs`."""
        request = keyed_post(path("prompts", prompt, "test"), TestRequest(version=version), idempotency_key)
        return self._client.ask(Job, request)

    def runs(self, prompt: str, *, version: int | None = None) -> tuple[PromptTestRun, ...]:
        """How they went, the newest first."""
        query = {"version": version, "limit": 100}
        return self._client.ask(PromptTestRuns, get(path("prompts", prompt, "test-runs"), query)).runs
