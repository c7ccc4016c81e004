"""The keys pool's handler, bound to its adapters."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from functools import partial
from typing import Any

from infrastructure.key_vault.keyring import make_key
from infrastructure.postgres.keys.rotations import PostgresRotations
from infrastructure.settings import Settings
from infrastructure.wiring import key_vault, keyring
from schemas.keys import RotateKeys
from workers.keys.rotation import rotate_keys
from workers.runtime.handler import Handler

MAX_ROTATIONS = 4
"""Concurrent rotations in one process: each holds a connection and keeps a core busy."""


@asynccontextmanager
async def handlers(settings: Settings) -> AsyncIterator[tuple[Handler[Any], ...]]:
    async with keyring(settings) as resealer:
        rotate = partial(
            rotate_keys,
            rotations=PostgresRotations(settings.database),
            make_key=partial(make_key, key_vault(settings)),
            resealer=resealer,
            fence_seconds=settings.key_cache_seconds,
        )
        yield (Handler(RotateKeys, rotate, most_at_once=MAX_ROTATIONS),)
