"""What is kept of answers: under what was visible, within its bounds, and once for all who ask at the same time."""

import asyncio
from collections import Counter
from uuid import UUID

import pytest

from infrastructure.ports import Unavailable
from infrastructure.searching.cache import ENTRY_BYTES, Answered, Asked, ResultCache
from schemas.search import SearchResults

pytestmark = pytest.mark.anyio
ACME, OTHER = UUID(int=1), UUID(int=2)


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


class Lookups:
    """Counts what becomes of searches."""

    def __init__(self) -> None:
        self.results: Counter[str] = Counter()

    def searched(self, outcome: str, seconds: float) -> None:
        pass

    def looked_up(self, result: str) -> None:
        self.results[result] += 1

    def spelled_otherwise(self, outcome: str) -> None:
        pass


def asked(digest: bytes = b"q", *, visible: bytes = b"1", tenant_id: UUID = ACME) -> Asked:
    return Asked(tenant_id, visible, digest)


class Engine:
    """Answers each search with how many there were."""

    def __init__(self) -> None:
        self.searches = 0
        self.began = asyncio.Event()
        self.go_on = asyncio.Event()
        self.go_on.set()

    async def search(self) -> Answered:
        self.searches += 1
        number = self.searches
        self.began.set()
        await self.go_on.wait()
        return Answered(SearchResults(total=number, hits=()), b"after", "corrected")


async def test_an_equal_search_is_answered_from_what_is_kept() -> None:
    lookups, engine = Lookups(), Engine()
    cache = ResultCache(lookups)

    first, second = await cache.get(asked(), engine.search), await cache.get(asked(), engine.search)

    assert first == second == Answered(SearchResults(total=1, hits=()), b"after", "corrected")
    assert lookups.results == {"miss": 1, "hit": 1}


@pytest.mark.parametrize("other", [asked(b"other"), asked(visible=b"2"), asked(tenant_id=OTHER)])
async def test_another_search_another_tenants_and_one_after_a_change_are_not(other: Asked) -> None:
    cache, engine = ResultCache(Lookups()), Engine()

    await cache.get(asked(), engine.search)

    assert (await cache.get(other, engine.search)).results.total == 2


async def test_equal_searches_at_the_same_time_are_one() -> None:
    lookups, engine = Lookups(), Engine()
    cache = ResultCache(lookups)
    engine.go_on.clear()

    async def let_go_on() -> None:
        await engine.began.wait()
        engine.go_on.set()

    *together, _ = await asyncio.gather(*(cache.get(asked(), engine.search) for _ in range(5)), let_go_on())

    assert {one.results.total for one in together if one is not None} == {1}
    assert lookups.results == {"miss": 1, "shared": 4}


async def test_a_search_that_failed_is_not_kept() -> None:
    cache, engine = ResultCache(Lookups()), Engine()

    async def fails() -> Answered:
        raise Unavailable("the index is away")

    with pytest.raises(Unavailable):
        await cache.get(asked(), fails)

    assert (await cache.get(asked(), engine.search)).results.total == 1


async def test_what_nobody_asked_for_longest_goes_when_room_is_needed() -> None:
    cache, engine = ResultCache(Lookups(), max_bytes=3 * (ENTRY_BYTES + 100)), Engine()
    for name in (b"a", b"b", b"c", b"a", b"d"):
        await cache.get(asked(name), engine.search)
    assert cache.size_bytes <= 3 * (ENTRY_BYTES + 100)

    before = engine.searches
    await cache.get(asked(b"a"), engine.search)
    assert engine.searches == before
    await cache.get(asked(b"b"), engine.search)
    assert engine.searches == before + 1


async def test_nothing_is_kept_without_room_or_beyond_its_time() -> None:
    times = iter(range(0, 100, 5))
    engine = Engine()
    for cache in (
        ResultCache(Lookups(), max_bytes=0),
        ResultCache(Lookups(), kept_seconds=5, clock=lambda: next(times)),
    ):
        before = engine.searches
        await cache.get(asked(), engine.search)
        await cache.get(asked(), engine.search)
        assert engine.searches == before + 2
