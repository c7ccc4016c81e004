"""Handles RotateKeys: rotates a tenant's key while its data stays readable and writable. A rotation cut short by a crash is
resumed from its cursor by the next run."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace

from events.keys import KeysRotated
from infrastructure.key_vault.sealed import DecryptionFailed
from infrastructure.ports import Refused, Unavailable
from infrastructure.ports.keys import Resealer, Rotation, Rotations, RotationSession, SealedRow, WrappedKey
from kinds.run import Run
from schemas.keys import RotateKeys
from schemas.problems import Problem

MAX_PASSES = 5


async def rotate_keys(
    command: RotateKeys,
    run: Run,
    *,
    rotations: Rotations,
    make_key: Callable[[], Awaitable[WrappedKey]],
    resealer: Resealer,
    fence_seconds: float,
) -> KeysRotated:
    """The finished rotation: one new key per job, however often the job runs. `fence_seconds`: how long other processes may
    still seal with the old key. Raises Refused when rows can't be opened, and Unavailable when rows keep coming back."""
    async with rotations.alone(run.tenant_id) as session:
        rotation = await session.of_job(run.job_id)
        if rotation is None:
            while earlier := await session.unfinished():
                await _carry_through(run, session, earlier, resealer, fence_seconds)
            rotation = await session.begin(run.job_id, await make_key())
        finished = await _carry_through(run, session, rotation, resealer, fence_seconds)
    return KeysRotated(
        old_version=finished.old_version,
        new_version=finished.new_version,
        rows_reencrypted=finished.rows_reencrypted,
        conflicts=finished.conflicts,
    )


async def _carry_through(
    run: Run, session: RotationSession, rotation: Rotation, resealer: Resealer, fence_seconds: float
) -> Rotation:
    if rotation.finished:
        return rotation
    await asyncio.sleep(fence_seconds)
    rotation = await _reencrypt_all(run, session, rotation, resealer)
    # Counted again once no process can hold the old key any more.
    await asyncio.sleep(fence_seconds)
    if left := await session.left_over(rotation):
        raise Unavailable(f"{left} rows came back under an older key; the rotation goes on with them")
    return await session.finish(rotation)


async def _reencrypt_all(run: Run, session: RotationSession, rotation: Rotation, resealer: Resealer) -> Rotation:
    """Re-encrypts until no row is left under an older key."""
    left = await session.left_over(rotation)
    for _ in range(MAX_PASSES):
        rotation, unreadable = await _pass_over(run, session, rotation, resealer, left)
        left = await session.left_over(rotation)
        if not left:
            return rotation
        rotation = await session.start_over(rotation)
        if unreadable == left:
            raise Refused(_unreadable(left))
    raise Unavailable(f"{left} rows are still under an older key after {MAX_PASSES} passes; the rotation goes on")


async def _pass_over(
    run: Run, session: RotationSession, rotation: Rotation, resealer: Resealer, total: int
) -> tuple[Rotation, int]:
    """Re-encrypts every row from the cursor on once. Returns the rotation and how many rows couldn't be opened."""
    seen = unreadable = 0
    while old := await session.next_rows(rotation):
        new = await _resealed(old, rotation, resealer)
        rotation = await session.replace(rotation, old, new)
        seen += len(old)
        unreadable += len(old) - len(new)
        run.progress(min(seen / max(total, 1), 1.0), f"{rotation.rows_reencrypted} rows re-encrypted")
    return rotation, unreadable


async def _resealed(rows: Sequence[SealedRow], rotation: Rotation, resealer: Resealer) -> list[SealedRow]:
    resealed: list[SealedRow] = []
    for row in rows:
        try:
            sealed = await resealer.reseal(rotation.key_id, row.cell, row.sealed)
        except DecryptionFailed:
            continue  # Counted by the caller: the old key isn't retired while a row under it can't be read.
        resealed.append(replace(row, sealed=sealed))
    return resealed


def _unreadable(rows: int) -> Problem:
    detail = f"{rows} rows can't be opened, so the old key stays. Restore or replace them, then replay this job."
    return Problem.of("rows-unreadable", "Some sealed rows can't be opened", 409, detail)
