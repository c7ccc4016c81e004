"""A tenant's indexes grow, are replaced, lost and brought back, and each document is in one of them."""

import asyncio
import sys
from collections.abc import AsyncIterator, Sequence
from uuid import UUID, uuid4

import pytest
from hypothesis import HealthCheck, settings
from hypothesis.stateful import rule, run_state_machine_as_test

from infrastructure.elasticsearch.engine import ElasticsearchEngine, Ways
from infrastructure.elasticsearch.lifecycle.rotation import Rotation
from infrastructure.elasticsearch.lifecycle.shard_budget import shard_budget
from infrastructure.elasticsearch.names import read_alias
from infrastructure.ports.search import IndexedDocument, IndexMissing
from schemas.search import SearchQuery
from tests.contracts.search.conftest import OnElasticsearch
from tests.contracts.search.history_test import History
from tests.contracts.search.searching import batches, document
from tests.elasticsearch.engine import ask, client_of, elasticsearch_engine, versions

pytestmark = pytest.mark.anyio
TENANT = UUID(int=7)
SMALL = Ways(rotation=Rotation(max_documents=3), refresh_seconds=0.01)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
async def engine(
    elasticsearch_url: str, elasticsearch_app: str, database_url: str, redis_url: str
) -> AsyncIterator[ElasticsearchEngine]:
    """One whose indexes are full with three documents."""
    async with elasticsearch_engine(
        elasticsearch_url, elasticsearch_app, database_url, redis_url, ways=SMALL
    ) as engine:
        await engine.rebuild(TENANT, batches())
        yield engine


async def test_a_full_index_gets_a_successor_and_its_documents_are_replaced_in_place(
    engine: ElasticsearchEngine, elasticsearch_url: str, elasticsearch_app: str
) -> None:
    for number in range(10):
        await engine.index(TENANT, document(f"d{number}", "word"))
        await engine.upkeep.round()
    for number in range(0, 10, 3):
        await engine.index(TENANT, document(f"d{number}", "word again", version=2))
    await engine.delete(TENANT, "d1", 1)
    await engine.index(TENANT, document("d1", "word", version=1))

    assert await versions(engine, TENANT) == {f"d{n}": 2 if n % 3 == 0 else 1 for n in range(10) if n != 1}
    assert len(ask(elasticsearch_url, "GET", f"/{read_alias(elasticsearch_app, TENANT)}")) == 4
    assert [state.documents for state in await engine.states(TENANT)] == [9]


async def test_an_index_whose_documents_were_all_deleted_goes_and_what_is_known_of_them_stays(
    engine: ElasticsearchEngine, elasticsearch_url: str, elasticsearch_app: str
) -> None:
    for number in range(7):
        await engine.index(TENANT, document(f"d{number}", "word", version=2))
        await engine.upkeep.round()
    for number in range(3):
        await engine.delete(TENANT, f"d{number}", 2)
    await engine.upkeep.round()

    left = ask(elasticsearch_url, "GET", f"/{read_alias(elasticsearch_app, TENANT)}")
    assert len(left) == len(ask(elasticsearch_url, "GET", f"/{elasticsearch_app}-*")) == 2
    await engine.index(TENANT, document("d0", "word", version=2))  # Late, and deleted before.
    await engine.index(TENANT, document("d1", "word", version=3))
    assert await versions(engine, TENANT) == {"d1": 3, "d3": 2, "d4": 2, "d5": 2, "d6": 2}


async def test_workers_that_add_one_document_during_a_rotation_add_it_once(
    engine: ElasticsearchEngine, elasticsearch_url: str, elasticsearch_app: str, database_url: str, redis_url: str
) -> None:
    async with elasticsearch_engine(elasticsearch_url, elasticsearch_app, database_url, redis_url, ways=SMALL) as other:

        async def write(one: ElasticsearchEngine) -> None:
            for number in range(40):
                await one.index(TENANT, document(f"d{number}", "word"))

        async def rotate() -> None:
            for _ in range(8):
                await engine.upkeep.round()

        await asyncio.gather(write(engine), write(other), rotate())

        assert await versions(engine, TENANT) == await versions(other, TENANT) == {f"d{n}": 1 for n in range(40)}
        states = await engine.states(TENANT)
        assert states[0].documents == 40


class Rotated(History):
    """Beside what happens on every engine, indexes fill up."""

    @rule()
    def rotate(self) -> None:
        assert isinstance(self._engine, ElasticsearchEngine)
        self._runner.run(self._engine.upkeep.round())


def test_whatever_happened_and_wherever_documents_are_each_is_there_once(
    elasticsearch_url: str,
    elasticsearch_app: str,
    database_url: str,
    redis_url: str,
    tmp_path_factory: pytest.TempPathFactory,
) -> None:
    full_with_one = Ways(rotation=Rotation(max_documents=1), refresh_seconds=0.01)

    class Here(Rotated):
        adapter = OnElasticsearch(elasticsearch_url, elasticsearch_app, database_url, redis_url, full_with_one)
        folder = tmp_path_factory.mktemp("history")

    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=20, stateful_step_count=12, deadline=None, suppress_health_check=list(HealthCheck)
        ),
    )


async def test_a_rebuild_fills_several_indexes_when_one_is_full(
    engine: ElasticsearchEngine, elasticsearch_url: str, elasticsearch_app: str
) -> None:
    async def source() -> AsyncIterator[Sequence[IndexedDocument]]:
        for number in range(4):
            yield [document(f"d{number}-{each}", "word") for each in range(3)]

    await engine.rebuild(TENANT, source())

    assert len(await versions(engine, TENANT)) == 12
    assert len(ask(elasticsearch_url, "GET", f"/{read_alias(elasticsearch_app, TENANT)}")) > 3


async def test_live_writes_never_pause_for_a_rebuild_and_both_ways_have_them_all(engine: ElasticsearchEngine) -> None:
    written: dict[str, int] = {}
    ended = asyncio.Event()

    async def write() -> None:
        number = 0
        while not ended.is_set():
            name = f"d{number % 30}"
            written[name] = written.get(name, 0) + 1
            await engine.index(TENANT, document(name, "word", version=written[name]))
            number += 1

    async def stored() -> AsyncIterator[Sequence[IndexedDocument]]:
        yield [document("stored", "word"), *(document(name, "word", version=one) for name, one in written.items())]

    writing = asyncio.create_task(write())
    for _ in range(3):
        await engine.rebuild(TENANT, stored())
    before = await engine.roll_back(TENANT)
    ended.set()
    await writing

    assert before is not None
    assert await versions(engine, TENANT) == {**written, "stored": 1}


async def test_what_a_rebuild_that_died_left_is_removed_by_the_next(
    engine: ElasticsearchEngine, elasticsearch_url: str, elasticsearch_app: str, database_url: str, redis_url: str
) -> None:
    await engine.index(TENANT, document("a", "word"))

    await _killed_amid_a_rebuild(elasticsearch_url, elasticsearch_app, database_url, redis_url)
    await engine.index(TENANT, document("b", "word"))

    assert await versions(engine, TENANT) == {"a": 1, "b": 1}
    await engine.rebuild(TENANT, batches(document("c", "word")))
    assert await versions(engine, TENANT) == {"c": 1}
    assert len(ask(elasticsearch_url, "GET", f"/{elasticsearch_app}-*")) == 2


async def test_nothing_is_taken_for_an_index_whose_first_building_died(
    elasticsearch_url: str, elasticsearch_app: str, database_url: str, redis_url: str
) -> None:
    await _killed_amid_a_rebuild(elasticsearch_url, elasticsearch_app, database_url, redis_url)

    async with elasticsearch_engine(elasticsearch_url, elasticsearch_app, database_url, redis_url) as engine:
        with pytest.raises(IndexMissing):
            await engine.index(TENANT, document("a", "word"))
        with pytest.raises(IndexMissing):
            await engine.delete(TENANT, "a", 1)

        await engine.rebuild(TENANT, batches(document("b", "word")), unless_there=True)
        await engine.index(TENANT, document("a", "word"))
        assert await versions(engine, TENANT) == {"a": 1, "b": 1}


async def _killed_amid_a_rebuild(*servers: str) -> None:
    building = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "tests.elasticsearch.builder", *servers, str(TENANT), stdout=asyncio.subprocess.PIPE
    )
    assert building.stdout is not None
    assert await building.stdout.readline() == b"building\n"
    building.kill()
    await building.wait()


async def test_a_generation_that_was_kept_long_enough_goes(
    elasticsearch_url: str, elasticsearch_app: str, database_url: str, redis_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("infrastructure.elasticsearch.lifecycle.generations.SHORTEST_KEPT_SECONDS", 0.0)
    ways = Ways(kept_seconds=0, refresh_seconds=0.01)
    async with elasticsearch_engine(elasticsearch_url, elasticsearch_app, database_url, redis_url, ways=ways) as engine:
        await engine.rebuild(TENANT, batches())
        await engine.rebuild(TENANT, batches(document("a", "word")))
        assert len(await engine.states(TENANT)) == 2

        await engine.upkeep.round()

        assert len(await engine.states(TENANT)) == 1
        assert await engine.roll_back(TENANT) is None
        assert await versions(engine, TENANT) == {"a": 1}


async def test_removing_one_tenant_leaves_another_and_everything_of_the_first_goes(
    engine: ElasticsearchEngine, elasticsearch_url: str, elasticsearch_app: str
) -> None:
    other = uuid4()
    await engine.rebuild(other, batches(document("a", "word")))
    await engine.rebuild(TENANT, batches(document("a", "word")))

    assert await engine.remove(TENANT)

    left = ask(elasticsearch_url, "GET", f"/{elasticsearch_app}-*")
    assert len(left) == 1
    assert (await engine.search(other, SearchQuery())).results.total == 1
    with pytest.raises(IndexMissing):
        await engine.index(TENANT, document("a", "word"))


async def test_the_server_tells_how_many_shards_there_are(
    engine: ElasticsearchEngine, elasticsearch_url: str, elasticsearch_app: str
) -> None:
    async with client_of(elasticsearch_url) as client:
        found = await shard_budget(client, elasticsearch_app)

    assert (found.limit, found.made_lately) == (1_000, 1)
    assert found.used >= 1
