"""What every search engine owes its users after any history of writes, deletions, rebuilds and ways back: of each document the
newest version once, and of a deleted one nothing. Run on each adapter."""

import asyncio
from collections.abc import AsyncIterator, Sequence
from contextlib import AsyncExitStack
from itertools import count
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule, run_state_machine_as_test

from infrastructure.ports.search import IndexedDocument, SearchEngine
from schemas.search import AllTerms
from tests.contracts.search.conftest import SearchAdapter
from tests.contracts.search.searching import ACME, batches, counts, document, find

NAMES = ("a", "b", "c", "d")


class Written(NamedTuple):
    """The last word on a document."""

    version: int
    deleted: bool
    word: str


CHANGES = st.builds(
    lambda name, version, deleted, word: (name, Written(version, deleted, word)),
    st.sampled_from(NAMES),
    st.integers(1, 6),
    st.booleans(),
    st.sampled_from(("zebra", "okapi")),
)


class History(RuleBasedStateMachine):
    """Writes in any order beside the truth that they leave."""

    adapter: SearchAdapter
    folder: Path
    numbers = count()

    def __init__(self) -> None:
        super().__init__()
        self._open = AsyncExitStack()
        self._runner = asyncio.Runner()
        self._engine: SearchEngine = self._runner.run(self._start())
        self._truth: dict[str, Written] = {}
        self._kept = False

    async def _start(self) -> SearchEngine:
        folder = self.folder / str(next(self.numbers))
        folder.mkdir()
        engine = await self._open.enter_async_context(self.adapter(folder))
        await engine.rebuild(ACME, batches())
        return engine

    def teardown(self) -> None:
        self._runner.run(self._open.aclose())
        self._runner.close()

    @rule(changes=st.lists(CHANGES, min_size=1, max_size=4))
    def write(self, changes: list[tuple[str, Written]]) -> None:
        self._runner.run(self._write(changes))

    @rule()
    def rebuild(self) -> None:
        self._runner.run(self._rebuild(self._stored(), ()))

    @rule(changes=st.lists(CHANGES, min_size=1, max_size=4))
    def rebuild_while_others_write(self, changes: list[tuple[str, Written]]) -> None:
        self._runner.run(self._rebuild(self._stored(), changes))

    @rule(name=st.sampled_from(NAMES))
    def rebuild_from_what_was_read_before_a_deletion(self, name: str) -> None:
        known = self._truth.get(name)
        stale = [_written(name, known)] if known and known.deleted else []
        self._runner.run(self._rebuild([*self._stored(), *stale], ()))

    @precondition(lambda self: self._kept)
    @rule()
    def roll_back(self) -> None:
        assert self._runner.run(self._engine.roll_back(ACME)) is not None
        self._kept = False

    @invariant()
    def each_document_is_there_once_at_its_newest_version(self) -> None:
        self._runner.run(self._check())

    async def _write(self, changes: Sequence[tuple[str, Written]]) -> None:
        for name, change in changes:
            if change.deleted:
                await self._engine.delete(ACME, name, change.version)
            else:
                await self._engine.index(ACME, _written(name, change))
            known = self._truth.get(name)
            if known is None or known[:2] <= change[:2]:
                self._truth[name] = change

    async def _rebuild(self, documents: Sequence[IndexedDocument], changes: Sequence[tuple[str, Written]]) -> None:
        async def source() -> AsyncIterator[Sequence[IndexedDocument]]:
            yield documents
            await self._write(changes)

        assert await self._engine.rebuild(ACME, source()) is not None
        self._kept = True

    def _stored(self) -> list[IndexedDocument]:
        return [_written(name, change) for name, change in self._truth.items() if not change.deleted]

    async def _check(self) -> None:
        live = {name: change for name, change in self._truth.items() if not change.deleted}
        results = await find(self._engine, limit=100, facets=("tags",))

        assert results.total == len(live)
        assert sorted((hit.document_id, hit.version) for hit in results.hits) == sorted(
            (name, change.version) for name, change in live.items()
        )
        for word in ("zebra", "okapi"):
            named = sorted(name for name, change in live.items() if change.word == word)
            found = (await find(self._engine, AllTerms(text=word))).hits
            assert sorted(hit.document_id for hit in found) == named
            assert counts(results.facets[0]).get(word, 0) == len(named)
        assert (await self._engine.states(ACME))[0].documents == len(live)


def _written(name: str, change: Written) -> IndexedDocument:
    return document(name, change.word, version=change.version, tags=(change.word,))


def test_whatever_happened_each_document_is_there_once_at_its_newest_version(
    search_adapter: SearchAdapter, tmp_path_factory: pytest.TempPathFactory
) -> None:
    class Here(History):
        adapter = staticmethod(search_adapter)
        folder = tmp_path_factory.mktemp("history")

    run_state_machine_as_test(
        Here,
        settings=settings(
            max_examples=25,
            stateful_step_count=12,
            deadline=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
