"""What every search engine owes whoever keeps its answers: to say when they may have changed. Run on each adapter."""

from pathlib import Path
from uuid import uuid4

import pytest

from infrastructure.ports.search import SearchEngine
from tests.contracts.search.conftest import SearchAdapter
from tests.contracts.search.searching import ACME, batches, document, fill, ids, index

pytestmark = pytest.mark.anyio


async def test_every_change_is_told_before_it_returns(engine: SearchEngine) -> None:
    seen = {await engine.visible(ACME)}
    for number in range(5):
        await index(engine, document(f"d{number}"))
        seen.add(await engine.visible(ACME))
    await index(engine, document("d0", "changed", version=2))
    seen.add(await engine.visible(ACME))
    await engine.delete(ACME, "d1", 2)
    seen.add(await engine.visible(ACME))
    await fill(engine, [document("a")])
    seen.add(await engine.visible(ACME))

    assert len(seen - {None}) == 9


async def test_it_stays_as_it_is_while_nothing_changes(engine: SearchEngine) -> None:
    await index(engine, document("a"))
    before = await engine.visible(ACME)

    await ids(engine)

    assert before is not None
    assert await engine.visible(ACME) == before


async def test_anothers_change_is_told_too(engine: SearchEngine, search_adapter: SearchAdapter, tmp_path: Path) -> None:
    before = await engine.visible(ACME)

    async with search_adapter(tmp_path) as other:
        await index(other, document("a"))

        assert await engine.visible(ACME) == await other.visible(ACME) != before


async def test_one_tenants_change_is_no_change_for_another(engine: SearchEngine) -> None:
    other = uuid4()
    await engine.rebuild(other, batches())
    before = await engine.visible(ACME)

    await engine.index(other, document("a"))

    assert await engine.visible(ACME) == before
    assert await engine.visible(uuid4()) is None
