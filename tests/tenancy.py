"""Tenants, keys and limits for tests, made by the product's own code."""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeVar
from uuid import UUID, uuid4

from infrastructure.postgres.session import Connection, Role, connect
from infrastructure.postgres.tenants import api_keys, registry
from infrastructure.postgres.tenants.api_keys import NewKey, make_key
from infrastructure.postgres.tenants.limits import set_limits
from infrastructure.redis import client as redis_client
from infrastructure.redis.pubsub import Channel, announce
from infrastructure.settings import Settings
from schemas.tenants import Limits, NewTenant

T = TypeVar("T")


def make_tenant(database_url: str, **limits: Any) -> UUID:
    """A new tenant without a key."""
    new = NewTenant(name=f"t-{uuid4().hex}", limits=Limits(**limits))
    tenant_id = _as_system(database_url, lambda connection: registry.add(connection, new))
    assert tenant_id is not None, "its name is random"
    return tenant_id


async def tenants_numbered(database_url: str, count: int) -> list[UUID]:
    """The tenants `t-0`, `t-1` and so on, made where they don't exist: every process of a run has the same."""
    names = [f"t-{number}" for number in range(count)]
    connection = await connect(database_url, Role.SYSTEM, "test")
    async with connection:
        known = await api_keys.find_tenants(connection, names)
        for name in names:
            if name not in known:
                await registry.add(connection, NewTenant(name=name))
        known = await api_keys.find_tenants(connection, names)
    return [known[name] for name in names]


def make_key_of(database_url: str, tenant_id: UUID, scopes: Sequence[str]) -> NewKey:
    """Another key of the tenant; with every right in it if no scope is named."""
    key = make_key()
    _as_system(
        database_url, lambda connection: api_keys.add(connection, tenant_id, key, "test", scopes or [api_keys.ADMIN])
    )
    return key


def limit_tenant(settings: Settings, tenant_id: UUID, **limits: Any) -> int:
    """How many of its waiting jobs a new cap holds back. All processes are told."""
    changed = Limits(**limits)
    capped = _as_system(settings.database, lambda connection: set_limits(connection, tenant_id, changed))
    _run(_announce(settings))
    return capped


def _as_system(database_url: str, work: Callable[[Connection], Awaitable[T]]) -> T:
    async def run() -> T:
        connection = await connect(database_url, Role.SYSTEM, "test")
        async with connection, connection.transaction():
            return await work(connection)

    return _run(run())


def _run(work: Coroutine[Any, Any, T]) -> T:
    """In a thread, since tests may call this from a running event loop."""
    with ThreadPoolExecutor(max_workers=1) as thread:
        return thread.submit(asyncio.run, work).result()


async def _announce(settings: Settings) -> None:
    redis = redis_client.connect(settings.redis)
    await announce(redis, Channel.RULES, [])
    await redis.aclose()
