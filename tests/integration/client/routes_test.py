"""Every route that OpenAPI describes can be reached by the client, and every request of the client goes to one of them."""

import re
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from datetime import UTC, datetime
from io import BytesIO
from itertools import islice
from typing import Any, Final
from uuid import uuid4

import httpx

from api.app import described
from api.endpoint import AnyEndpoint
from api.routes.commands import JobOptionsQuery
from producers.client import BatchJob, Bucatini, ProblemAnswer
from schemas.ai import ProcessDocument
from schemas.ai.golden_tests import GoldenTest
from schemas.ai.prompts import PromptContent, PromptVariable
from schemas.api_keys import NewApiKey, Scope
from schemas.documents import DocumentChange, IngestionProfile
from schemas.failures import ReplayFailures
from schemas.holds import NewHold
from schemas.keys import RotateKeys
from schemas.schedules import ScheduleDefinition
from schemas.search import SearchQuery
from schemas.tenants import NewTenant, TenantChange, TenantState
from schemas.webhooks import WebhookRequest
from tests.integration.serving import World


def first(things: Iterable[Any]) -> list[Any]:
    return list(islice(things, 1))


ID: Final = uuid4()
LONG_AGO: Final = datetime(2026, 1, 1, tzinfo=UTC)
NIGHTLY: Final = ScheduleDefinition(name="nightly", cron="@daily", kind="keys.rotate", command={})
WEBHOOK: Final = WebhookRequest(url="https://192.0.2.1/", types=("*",))
PROMPT: Final = PromptContent(
    system="You write to {{ client }}.", outline="Plan it.", variables={"client": PromptVariable()}
)
RECEIPT: Final = f"{ID}:1:{ID}"

CALLS: Final[tuple[Callable[[Bucatini], Any], ...]] = (
    lambda bucatini: bucatini.ai.credentials.get("openai"),
    lambda bucatini: bucatini.ai.credentials.list(),
    lambda bucatini: bucatini.ai.credentials.remove("openai"),
    lambda bucatini: bucatini.ai.credentials.set("openai", "a-key"),
    lambda bucatini: bucatini.ai.estimate(ProcessDocument(title="Lease", text="The rent is due.")),
    lambda bucatini: bucatini.ai.providers(),
    lambda bucatini: bucatini.ai.usage(by=["day", "model"]),
    lambda bucatini: bucatini.ai.usage_csv(),
    lambda bucatini: bucatini.api_keys.create(NewApiKey(name="a", scopes=(Scope.JOBS_READ,))),
    lambda bucatini: bucatini.api_keys.list(),
    lambda bucatini: bucatini.api_keys.revoke("unknown"),
    lambda bucatini: bucatini.batches.cancel(ID),
    lambda bucatini: first(bucatini.batches.events(ID)),
    lambda bucatini: bucatini.batches.get(ID),
    lambda bucatini: bucatini.batches.submit([BatchJob(RotateKeys(), priority=3)]),
    lambda bucatini: bucatini.documents.add("The rent is due."),
    lambda bucatini: bucatini.documents.add_all(["The rent is due."]),
    lambda bucatini: bucatini.documents.change("lease", DocumentChange(title="Lease")),
    lambda bucatini: bucatini.documents.content("lease", BytesIO()),
    lambda bucatini: bucatini.documents.delete("lease"),
    lambda bucatini: first(bucatini.documents.facts("lease")),
    lambda bucatini: bucatini.documents.get("lease"),
    lambda bucatini: first(bucatini.documents.jobs("lease")),
    lambda bucatini: first(bucatini.documents.list()),
    lambda bucatini: bucatini.documents.new_version("lease", "The rent is due."),
    lambda bucatini: bucatini.documents.profiles.get("default"),
    lambda bucatini: bucatini.documents.profiles.list(),
    lambda bucatini: bucatini.documents.profiles.remove("contracts"),
    lambda bucatini: bucatini.documents.profiles.set("contracts", IngestionProfile(process=True)),
    lambda bucatini: bucatini.documents.text("lease"),
    lambda bucatini: bucatini.documents.version("lease", 1),
    lambda bucatini: first(bucatini.documents.versions("lease")),
    lambda bucatini: bucatini.failures.count(ReplayFailures()),
    lambda bucatini: bucatini.failures.groups(),
    lambda bucatini: first(bucatini.failures.jobs("0123456789abcdef")),
    lambda bucatini: bucatini.failures.progress(ID),
    lambda bucatini: bucatini.failures.replay(ReplayFailures()),
    lambda bucatini: bucatini.groups.put("billing", "ai.*"),
    lambda bucatini: bucatini.groups.get("billing"),
    lambda bucatini: bucatini.groups.list(),
    lambda bucatini: bucatini.groups.take("billing"),
    lambda bucatini: bucatini.groups.acknowledge("billing", [RECEIPT]),
    lambda bucatini: bucatini.groups.parked("billing"),
    lambda bucatini: bucatini.groups.release_parked("billing"),
    lambda bucatini: bucatini.groups.delete("billing"),
    lambda bucatini: bucatini.health.alive(),
    lambda bucatini: bucatini.health.ready(),
    lambda bucatini: bucatini.holds.create(NewHold(kind="ai.process_document", reason="it repeats itself")),
    lambda bucatini: bucatini.holds.list(),
    lambda bucatini: bucatini.holds.delete(ID),
    lambda bucatini: bucatini.jobs.cancel(ID),
    lambda bucatini: bucatini.jobs.command(ID),
    lambda bucatini: first(bucatini.jobs.events(ID)),
    lambda bucatini: first(bucatini.jobs.list()),
    lambda bucatini: bucatini.jobs.get(ID),
    lambda bucatini: bucatini.jobs.replay(ID),
    lambda bucatini: bucatini.jobs.result(ID),
    lambda bucatini: bucatini.jobs.timeline(ID),
    lambda bucatini: bucatini.jobs.token(ID),
    lambda bucatini: bucatini.jobs.why(ID),
    lambda bucatini: bucatini.keys.list(),
    lambda bucatini: bucatini.prompts.add_version("letter", PROMPT),
    lambda bucatini: bucatini.prompts.create("letter", PROMPT),
    lambda bucatini: bucatini.prompts.diff("letter", 1, 2),
    lambda bucatini: bucatini.prompts.get("letter"),
    lambda bucatini: bucatini.prompts.labels.exposures("letter"),
    lambda bucatini: bucatini.prompts.labels.get("letter"),
    lambda bucatini: first(bucatini.prompts.labels.history("letter")),
    lambda bucatini: bucatini.prompts.labels.move("letter", 1),
    lambda bucatini: bucatini.prompts.labels.roll_back("letter"),
    lambda bucatini: first(bucatini.prompts.list()),
    lambda bucatini: bucatini.prompts.render("letter", {"client": "Alder"}),
    lambda bucatini: bucatini.prompts.tests.get("letter", "names"),
    lambda bucatini: bucatini.prompts.tests.list("letter"),
    lambda bucatini: bucatini.prompts.tests.remove("letter", "names"),
    lambda bucatini: bucatini.prompts.tests.run("letter"),
    lambda bucatini: bucatini.prompts.tests.runs("letter"),
    lambda bucatini: bucatini.prompts.tests.set("letter", "names", GoldenTest(contains=("Alder",))),
    lambda bucatini: bucatini.prompts.version("letter", 1),
    lambda bucatini: first(bucatini.prompts.versions("letter")),
    lambda bucatini: bucatini.schedules.create(NIGHTLY),
    lambda bucatini: bucatini.schedules.delete(ID),
    lambda bucatini: bucatini.schedules.get(ID),
    lambda bucatini: first(bucatini.schedules.list()),
    lambda bucatini: bucatini.schedules.pause(ID),
    lambda bucatini: bucatini.schedules.replace(ID, NIGHTLY),
    lambda bucatini: bucatini.schedules.resume(ID),
    lambda bucatini: bucatini.schedules.run(ID),
    lambda bucatini: bucatini.schedules.upcoming(ID),
    lambda bucatini: bucatini.search.query(SearchQuery()),
    lambda bucatini: bucatini.tenants.change(ID, TenantChange(state=TenantState.SUSPENDED)),
    lambda bucatini: bucatini.tenants.create(NewTenant(name="acme")),
    lambda bucatini: bucatini.tenants.erase(ID),
    lambda bucatini: bucatini.tenants.find("acme"),
    lambda bucatini: bucatini.tenants.get(ID),
    lambda bucatini: first(bucatini.tenants.list()),
    lambda bucatini: bucatini.tenants.own_usage(),
    lambda bucatini: bucatini.tenants.usage(ID),
    lambda bucatini: bucatini.webhooks.create(WEBHOOK),
    lambda bucatini: bucatini.webhooks.delete(ID),
    lambda bucatini: first(bucatini.webhooks.deliveries(ID)),
    lambda bucatini: bucatini.webhooks.get(ID),
    lambda bucatini: bucatini.webhooks.list(),
    lambda bucatini: bucatini.webhooks.redeliver(ID, ID),
    lambda bucatini: bucatini.webhooks.redeliver_failed(ID, LONG_AGO),
    lambda bucatini: bucatini.webhooks.replace(ID, WEBHOOK),
    lambda bucatini: bucatini.webhooks.rotate_secret(ID),
    lambda bucatini: bucatini.webhooks.test(ID),
    lambda bucatini: bucatini.workflow.instance(ID),
)
"""One for each thing that the client can ask. What there isn't is refused, and was asked for all the same."""


def test_every_route_is_reached_and_no_other(world: World) -> None:
    asked: list[tuple[str, str]] = []
    with Bucatini(world.url, world.tenant().key) as bucatini:
        _note_requests(bucatini, asked)
        for call in CALLS:
            with suppress(ProblemAnswer):
                call(bucatini)
        _follow_until_something_happens(bucatini)

    reached = {_route_of(*one) for one in asked}
    assert None not in reached, [one for one in asked if _route_of(*one) is None]
    assert {_named(one) for one in described() if one.query is not JobOptionsQuery} - reached == set()


def test_a_route_that_the_client_lacks_is_noticed() -> None:
    assert _route_of("GET", "/api/jobs/batch/nonsense") is None
    assert _route_of("POST", "/api/jobs/batch") != _route_of("POST", f"/api/jobs/{ID}/cancel")


def _note_requests(bucatini: Bucatini, asked: list[tuple[str, str]]) -> None:
    def note(request: httpx.Request) -> None:
        asked.append((request.method, request.url.path))

    bucatini._http.event_hooks = {"request": [note]}


def _follow_until_something_happens(bucatini: Bucatini) -> None:
    with ThreadPoolExecutor(1) as threads:
        following = threads.submit(first, bucatini.events.follow())
        while not following.done():
            bucatini.submit(RotateKeys())
            with suppress(TimeoutError):
                following.result(timeout=0.2)


def _route_of(method: str, path: str) -> str | None:
    """The declared route that such a request takes: one without parameters before one with."""
    found = [one for one in described() if one.method == method and any(_matches(given, path) for given in _paths(one))]
    return min((_named(one) for one in found), key=lambda name: name.count("{"), default=None)


def _matches(template: str, path: str) -> bool:
    return re.fullmatch(re.sub(r"{\w+}", "[^/]+", template), path) is not None


def _paths(endpoint: AnyEndpoint) -> tuple[str, ...]:
    return (endpoint.path, *endpoint.aliases)


def _named(endpoint: AnyEndpoint) -> str:
    return f"{endpoint.method} {endpoint.path}"
