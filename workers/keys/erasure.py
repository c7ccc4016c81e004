"""Handles EraseTenant: destroys a tenant's keys, removes all it has, and proves it. Whatever is killed when, the next run
goes on, since it removes what is left."""

import asyncio
import json
from hashlib import sha256
from typing import Any, Final
from uuid import UUID

from events.tenants import TenantErased
from infrastructure.ports import Unavailable
from infrastructure.ports.objects import ObjectStore
from infrastructure.ports.search import SearchEngine
from infrastructure.ports.tenants import Erasures
from kinds.run import Run
from schemas.tenants import EraseTenant

MAX_PASSES: Final = 5
OBJECTS_AT_ONCE: Final = 500


async def erase_tenant(
    command: EraseTenant,
    run: Run,
    *,
    erasures: Erasures,
    objects: ObjectStore,
    engine: SearchEngine,
    settle_seconds: float,
) -> TenantErased:
    """The finished erasure. `settle_seconds`: how long a cancelled run or a request under way may still write; nothing may
    be left after that. Raises Unavailable while something is."""
    tenant_id = command.erased_tenant_id
    erased, proof = await erasures.erased(tenant_id)
    for number in range(MAX_PASSES):
        if proof is not None:
            break
        run.progress(number / MAX_PASSES, "removing what is left")
        await _remove_all(tenant_id, erasures, objects, engine)
        first = await _nothing_left(tenant_id, erasures, objects)
        await asyncio.sleep(settle_seconds)
        second = await _nothing_left(tenant_id, erasures, objects)
        if first is None or second is None:
            continue
        erased, _ = await erasures.erased(tenant_id)
        proof = proof_of(tenant_id, erased, erasures, first, second)
        await erasures.close(tenant_id, proof)
    if proof is None:
        raise Unavailable(f"the tenant still had something after {MAX_PASSES} passes; its erasure goes on")
    return TenantErased(erased_tenant_id=tenant_id, erased=erased, digest=proof["digest"])


def proof_of(tenant_id: UUID, erased: dict[str, int], erasures: Erasures, first: str, second: str) -> dict[str, Any]:
    """What was removed, and that two counts of everything found nothing. The digest is of the other fields, as JSON with
    sorted keys and without spaces."""
    said = {
        "tenant_id": str(tenant_id),
        "erased": erased,
        "counted": [*erasures.tables, "objects", "search_index"],
        "nothing_left_at": [first, second],
    }
    written = json.dumps(said, sort_keys=True, separators=(",", ":"))
    return {**said, "digest": sha256(written.encode()).hexdigest()}


async def _remove_all(tenant_id: UUID, erasures: Erasures, objects: ObjectStore, engine: SearchEngine) -> None:
    # No run may write behind the removal. A job that was cancelled stops within moments.
    await erasures.stop_jobs(tenant_id)
    await erasures.erase_rows(tenant_id)
    while keys := await _objects_of(tenant_id, objects):
        await objects.delete(keys)
        await erasures.count_erased(tenant_id, "objects", len(keys))
    if await engine.remove(tenant_id):
        await erasures.count_erased(tenant_id, "search_index", 1)


async def _nothing_left(tenant_id: UUID, erasures: Erasures, objects: ObjectStore) -> str | None:
    """When nothing was found, in RFC 3339; None when something was."""
    left, counted_at = await erasures.left(tenant_id)
    if left or await _objects_of(tenant_id, objects):
        return None
    return counted_at.isoformat()


async def _objects_of(tenant_id: UUID, objects: ObjectStore) -> list[str]:
    """The next keys of the tenant's objects: all begin with its id."""
    prefix = f"{tenant_id}/"
    found = await objects.list_after(prefix, OBJECTS_AT_ONCE)
    return [one.key for one in found if one.key.startswith(prefix)]
