"""The keys pool's jobs, bound to their adapters."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import aclosing, asynccontextmanager
from functools import partial

from events.keys import KeysRotated
from events.tenants import TenantErased
from infrastructure.key_vault.keyring import make_key
from infrastructure.postgres.keys.rotations import PostgresRotations
from infrastructure.postgres.session import PostgresSession, Role
from infrastructure.postgres.tenants.erasure import StoredErasures
from infrastructure.redis import client as redis_client
from infrastructure.settings import Settings
from infrastructure.wiring import key_vault, keyring, object_store, search_engine
from kinds.declaration import job
from kinds.run import Run
from schemas.keys import RotateKeys
from schemas.tenants import EraseTenant
from workers.keys.erasure import erase_tenant
from workers.keys.rotation import rotate_keys

MAX_ROTATIONS = 4
"""Concurrent rotations in one process: each holds a connection and keeps a core busy."""

MAX_ERASURES = 4

Erasure = Callable[[EraseTenant, Run], Awaitable[TenantErased]]
Rotation = Callable[[RotateKeys, Run], Awaitable[KeysRotated]]


@asynccontextmanager
async def rotation(settings: Settings) -> AsyncIterator[Rotation]:
    async with keyring(settings) as resealer:
        yield partial(
            rotate_keys,
            rotations=PostgresRotations(settings.database),
            make_key=partial(make_key, key_vault(settings)),
            resealer=resealer,
            fence_seconds=settings.key_cache_seconds,
        )


@job(uses=rotation, at_most=MAX_ROTATIONS)
async def rotate(command: RotateKeys, run: Run, rotation: Rotation) -> KeysRotated:
    return await rotation(command, run)


@asynccontextmanager
async def erasure(settings: Settings) -> AsyncIterator[Erasure]:
    redis = redis_client.connect(settings.redis)
    async with (
        aclosing(redis),
        search_engine(settings) as engine,
        PostgresSession(settings.database, Role.SYSTEM, "tenant erasure") as session,
    ):
        yield partial(
            erase_tenant,
            erasures=StoredErasures(session, redis),
            objects=object_store(settings),
            engine=engine,
            settle_seconds=2 * settings.heartbeat_seconds,
        )


@job(uses=erasure, at_most=MAX_ERASURES)
async def erase(command: EraseTenant, run: Run, erasure: Erasure) -> TenantErased:
    return await erasure(command, run)
