"""The keys pool's job, bound to its adapters."""

from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from functools import partial

from events.keys import KeysRotated
from infrastructure.key_vault.keyring import make_key
from infrastructure.postgres.keys.rotations import PostgresRotations
from infrastructure.settings import Settings
from infrastructure.wiring import key_vault, keyring
from kinds.declaration import job
from kinds.run import Run
from schemas.keys import RotateKeys
from workers.keys.rotation import rotate_keys

MAX_ROTATIONS = 4
"""Concurrent rotations in one process: each holds a connection and keeps a core busy."""

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
