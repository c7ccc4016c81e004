"""Nobody sees, changes or hears of another tenant's things, through any address that is declared, and not even through
a statement that forgot its WHERE."""

import asyncio
import re
from collections.abc import Awaitable, Callable, Iterator
from typing import TypeVar
from uuid import UUID, uuid4

import psycopg
import pytest
from psycopg import sql

from api.app import described
from api.auth.principal import Scope
from api.endpoint import AnyEndpoint
from api.routes.events import STREAM
from infrastructure.postgres.session import Connection, Role, connect
from infrastructure.postgres.tenants.pool import TenantPool
from infrastructure.settings import Settings
from schemas.ai.labels import LabelMove
from schemas.ai.prompts import NewPromptVersion
from schemas.groups import AcknowledgeEvents
from schemas.model import Model
from schemas.problems import Problem
from schemas.schedules import ScheduleDefinition
from schemas.search import SavedSearch
from schemas.webhooks import RedeliverFailed, WebhookRequest
from tests.integration.api.belongings import FINGERPRINT, GROUP, SCHEDULE, SECRET, Belongings, give_one_of_each
from tests.integration.serving import PROCESS, Tenant, World

T = TypeVar("T")

BODIES: dict[type[Model] | None, object] = {
    ScheduleDefinition: SCHEDULE,
    WebhookRequest: {"url": "https://8.8.8.8/"},
    RedeliverFailed: {"since": "2026-01-01T00:00:00Z"},
    NewPromptVersion: {"content": {"system": "mine"}},
    LabelMove: {"variants": [{"version": 1, "percent": 100}]},
    SavedSearch: {"query": {"text": "mine"}},
    AcknowledgeEvents: {"receipts": [f"{uuid4()}:1:{uuid4()}"]},
}
"""What an address needs to be asked at all."""
NAMED_BY_THE_CALLER = {
    ("PUT", "/api/groups/{name}"),
    ("PUT", "/api/documents/{id}"),
    ("PUT", "/api/document-profiles/{name}"),
    ("PUT", "/api/ai/credentials/{provider}"),
    ("PUT", "/api/search/saved/{name}"),
}
"""Makes the caller's own thing, whatever others call theirs."""
GUARDED = [one for one in described() if one.scope is not None]
ADDRESSES = [(one, path) for one in GUARDED for path in (one.path, *one.aliases)]


@pytest.fixture
def owner(world: World) -> Tenant:
    return world.tenant()


@pytest.fixture
def belongings(world: World, owner: Tenant) -> Belongings:
    return give_one_of_each(world, owner)


def test_every_address_of_somebody_elses_thing_answers_as_if_there_were_none(
    world: World, owner: Tenant, belongings: Belongings
) -> None:
    someone = world.tenant()
    before = _everything(world)
    with world.http(someone) as stranger:
        for endpoint, path in ADDRESSES:
            if "{" in path and (endpoint.method, path) not in NAMED_BY_THE_CALLER:
                address = belongings.of(path)
                answer = stranger.request(endpoint.method, address, json=BODIES.get(endpoint.body))
                # Tenants are an operator's work: what an admin of one may not do tells nothing of another's existence.
                refused = 403 if endpoint.scope is Scope.TENANTS_ADMIN else 404
                assert answer.status_code == refused, f"{endpoint.method} {path}: {answer.text}"

    assert _everything(world) == before
    with world.http(owner) as own:
        reads = [path for one, path in ADDRESSES if "{" in path and one.method == "GET" and _is_a_tenants(one)]
        assert {path: own.get(belongings.of(path)).status_code for path in reads} == dict.fromkeys(reads, 200)


def test_no_list_or_search_shows_somebody_elses_thing(world: World, belongings: Belongings) -> None:
    ids = (
        belongings.job,
        belongings.instance,
        belongings.key_id,
        belongings.batch,
        belongings.webhook,
        belongings.hold,
    )
    names = (SECRET, FINGERPRINT, GROUP, *map(str, ids))
    with world.http(world.tenant()) as stranger:
        for endpoint, path in ADDRESSES:
            if "{" not in path and not _streams(endpoint):
                answer = stranger.request(endpoint.method, path, json={})
                assert not [name for name in names if name in answer.text], f"{endpoint.method} {path}"


def test_a_stream_tells_of_its_own_tenant_only(world: World, owner: Tenant) -> None:
    stranger = world.tenant()
    with world.http(stranger) as http, http.stream("GET", "/api/events") as stream:
        lines = stream.iter_lines()
        _next(lines, r"id: .+")
        world.submit(owner, title=SECRET)
        own = world.submit(stranger)
        assert str(own) in _next(lines, r"data: .+specversion.+")


def test_without_a_key_no_guarded_address_answers(world: World, owner: Tenant, belongings: Belongings) -> None:
    wrong = [
        {},
        {"authorization": "Bearer"},
        {"authorization": "Basic YTpi"},
        {"authorization": f"Bearer {owner.key[:-1]}"},
        {"authorization": f"Bearer {owner.key}x"},
        {"authorization": f"Bearer bct_{'x' * 12}_{'y' * 43}"},
    ]
    before = _everything(world)
    with world.http() as http:
        for endpoint, path in ADDRESSES:
            address = belongings.of(path) if "{" in path else path
            for headers in wrong:
                answer = http.request(endpoint.method, address, headers=headers, json={})
                assert answer.status_code == 401, f"{endpoint.method} {path}"
                assert answer.headers["www-authenticate"].startswith("Bearer")

    assert _everything(world) == before


def test_a_key_opens_only_what_its_scopes_name(world: World, owner: Tenant, belongings: Belongings) -> None:
    for endpoint, path in ADDRESSES:
        assert endpoint.scope is not None
        others = [scope for scope in Scope if scope not in (endpoint.scope, Scope.ADMIN)]
        with world.http(world.another_key(owner.id, *others)) as http:
            address = belongings.of(path) if "{" in path else path
            answer = http.request(endpoint.method, address, json={})
        assert answer.status_code == 403, f"{endpoint.method} {path}"
        assert endpoint.scope in Problem.model_validate_json(answer.content).detail


@pytest.mark.parametrize(
    "table",
    [
        *("tenants", "api_keys", "jobs", "job_events", "job_keys", "workflow_instances"),
        *("holds", "tenant_limits", "tenant_usage", "replays"),
        *("documents", "document_versions", "ingestion_profiles"),
    ],
)
def test_a_statement_that_forgot_its_where_sees_its_own_tenant_only(
    world: World, owner: Tenant, belongings: Belongings, api_settings: Settings, table: str
) -> None:
    with world.http(owner) as http:
        http.post(PROCESS, json={"title": "T", "text": "words"}, headers={"idempotency-key": "k"})
    stranger = world.tenant()
    column = sql.Identifier("id" if table == "tenants" else "tenant_id")
    forgetful = sql.SQL("SELECT DISTINCT {} FROM {}").format(column, sql.Identifier(table))

    async def owners(connection: Connection) -> set[UUID]:
        return {row[0] for row in await (await connection.execute(forgetful)).fetchall()}

    assert _as_tenant(api_settings, owner.id, owners) == {owner.id}
    assert _as_tenant(api_settings, stranger.id, owners) <= {stranger.id}
    assert _as_nobody(api_settings, owners) == set()


def test_a_change_that_forgot_its_where_changes_its_own_tenant_only(
    world: World, belongings: Belongings, api_settings: Settings
) -> None:
    stranger = world.tenant()

    async def cancel_all(connection: Connection) -> int:
        return (await connection.execute("UPDATE jobs SET state = 'cancelled'")).rowcount

    async def forge(connection: Connection) -> None:
        await connection.execute(
            "INSERT INTO job_events (job_id, seq, tenant_id, type) SELECT %s, 99, id, 'job.dead' FROM tenants "
            "UNION ALL SELECT %s, 98, %s, 'job.dead'",
            (belongings.job, belongings.job, uuid4()),
        )

    assert _as_tenant(api_settings, stranger.id, cancel_all) == 0
    with pytest.raises(psycopg.errors.InsufficientPrivilege):
        _as_tenant(api_settings, stranger.id, forge)


def _as_tenant(settings: Settings, tenant_id: UUID, work: Callable[[Connection], Awaitable[T]]) -> T:
    async def run() -> T:
        async with TenantPool(settings.database, "test", 1) as lines:
            return await lines.run(tenant_id, work)

    return asyncio.run(run())


def _as_nobody(settings: Settings, work: Callable[[Connection], Awaitable[T]]) -> T:
    async def run() -> T:
        async with await connect(settings.database, Role.TENANT, "test") as connection:
            return await work(connection)

    return asyncio.run(run())


def _is_a_tenants(endpoint: AnyEndpoint) -> bool:
    return endpoint.scope is not Scope.TENANTS_ADMIN


def _streams(endpoint: AnyEndpoint) -> bool:
    return STREAM in endpoint.answers.values()


def _next(lines: Iterator[str], pattern: str) -> str:
    return next(line for line in lines if re.fullmatch(pattern, line))


def _everything(world: World) -> list[object]:
    tables = (
        *("jobs", "job_events", "api_keys", "workflow_instances", "replays", "schedules"),
        *("webhooks", "webhook_secrets", "webhook_deliveries", "consumer_groups", "group_events"),
        *("documents", "document_versions", "document_facts", "ingestion_profiles"),
    )
    return [world.database.execute(f"SELECT * FROM {table} ORDER BY 1, 2").fetchall() for table in tables]
