"""How many documents a second come into an index, and how soon a new tenant has one."""

import asyncio
import time
from uuid import uuid4

from tests.benchmarks.searching.contest import Contest, in_batches
from tests.benchmarks.searching.corpus import AT_ONCE, documents

TURNS = 4


async def rates_of_adding(contest: Contest, seed: object, count: int) -> tuple[float, float]:
    """Documents a second that come one by one and at once, until they can be found: the product's, and the bare ones."""
    tenant_id = uuid4()
    await contest.engine.rebuild(tenant_id, in_batches([]))
    ours = bare = 0.0
    for turn in range(TURNS):
        added = documents(f"added-{seed}-{turn}", count // TURNS)
        prepared = contest.bare.prepare(added)
        began = time.perf_counter()
        await asyncio.gather(*(contest.engine.index(tenant_id, one) for one in added))
        switched = time.perf_counter()
        await contest.bare.add(prepared)
        ours += switched - began
        bare += time.perf_counter() - switched
    await contest.engine.remove(tenant_id)
    return count / ours, count / bare


async def rates_of_building(contest: Contest, seed: object, count: int) -> tuple[float, float]:
    """Documents a second of an index that is built at one go, its switch and checks included."""
    ours = bare = 0.0
    for turn in range(TURNS):
        tenant_id, built = uuid4(), documents(f"built-{seed}-{turn}", count // TURNS)
        prepared = contest.bare.prepare(built)
        batches = [built[start : start + AT_ONCE] for start in range(0, len(built), AT_ONCE)]
        began = time.perf_counter()
        await contest.engine.rebuild(tenant_id, in_batches(batches))
        switched = time.perf_counter()
        await contest.bare.build(prepared)
        ours += switched - began
        bare += time.perf_counter() - switched
        await contest.engine.remove(tenant_id)
    return count / ours, count / bare


async def times_of_creation(contest: Contest, count: int) -> list[float]:
    """Seconds until a tenant without an index has one, with a document that can be found."""
    times = []
    for number in range(count):
        tenant_id, (document,) = uuid4(), documents(f"first-{number}", 1)
        began = time.perf_counter()
        await contest.engine.rebuild(tenant_id, in_batches([]), unless_there=True)
        await contest.engine.index(tenant_id, document)
        times.append(time.perf_counter() - began)
        await contest.engine.remove(tenant_id)
    return times
