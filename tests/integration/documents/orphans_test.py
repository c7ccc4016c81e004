"""An object that no version refers to is removed once nobody can come to refer to it; every other stays."""

import asyncio
import os
import time
from uuid import UUID, uuid4

import pytest
from uuid_utils.compat import uuid7

from infrastructure.object_store.files import FileStore
from infrastructure.object_store.places import document_place, result_place
from infrastructure.postgres.session import BUS_SESSION, PostgresSession, Role
from producers.dispatcher.retention import MAX_LISTED, ORPHAN_HOURS, RetentionRunner
from tests.folders import files_under
from tests.system import System
from tests.waiting import wait_until

VERSION = """
WITH v AS (SELECT %s::uuid AS tenant_id, %s AS cell, %s::bytea AS original_key, %s AS text_cell, %s::bytea AS text_key),
d AS (INSERT INTO documents (tenant_id, document_id, version, document_type) SELECT tenant_id, cell, 1, 'contract' FROM v)
INSERT INTO document_versions (tenant_id, document_id, version, cell, state, digest, size_bytes, stored_bytes, media_type,
    original_key, text_cell, text_key)
SELECT tenant_id, cell, 1, cell, 'ready', '', 1, 1, 'text/plain', original_key, text_cell, text_key FROM v
RETURNING 1
"""


class Library:
    """A tenant's versions and objects, with ages."""

    def __init__(self, system: System) -> None:
        self._system = system
        self._folder = system.settings.bucatini_home / "objects"
        self.tenant_id = system.tenant_id

    def version(self, *, original: bool = True, text: bool = True) -> tuple[str, str]:
        """The cells of a version's original and of its text, of which it has those that are asked for."""
        cell, text_cell = str(uuid7()), str(uuid7())
        keys = [b"key" if wanted else None for wanted in (original, text)]
        self._system.read(VERSION, self.tenant_id, cell, keys[0], text_cell, keys[1])
        return cell, text_cell

    def put(self, place: str, *, hours: float = ORPHAN_HOURS + 2) -> str:
        """An object so old, at its place."""
        file = self._folder / place
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_bytes(b"sealed")
        written_at = time.time() - hours * 3_600
        os.utime(file, (written_at, written_at))
        return place

    def document(self, cell: str, *, hours: float = ORPHAN_HOURS + 2, tenant_id: UUID | None = None) -> str:
        return self.put(document_place(tenant_id or self.tenant_id, cell), hours=hours)

    def left(self) -> set[str]:
        return {str(path.relative_to(self._folder)) for path in files_under(self._folder)}

    def sweep(self, *, times: int = 1) -> None:
        async def tidy() -> None:
            async with PostgresSession(self._system.settings.database, Role.SYSTEM, "test", BUS_SESSION) as session:
                runner = RetentionRunner(self._system.settings, session, FileStore(self._folder))
                for _ in range(times):
                    await runner.tidy()

        asyncio.run(tidy())


@pytest.fixture
def library(system: System) -> Library:
    return Library(system)


def test_an_object_without_a_version_goes_and_those_with_one_stay(library: Library) -> None:
    cell, text_cell = library.version()
    without_original, its_text = library.version(original=False)
    its_original, without_text = library.version(text=False)
    stay = {library.document(one) for one in (cell, text_cell, its_text, its_original)}
    for orphan in (str(uuid7()), without_original, without_text):
        library.document(orphan)
    library.document(cell, tenant_id=uuid4())

    library.sweep()

    assert library.left() == stay


def test_what_a_killed_upload_left_goes_too(library: Library) -> None:
    cell, _ = library.version()
    place = library.document(cell)
    library.put(f"{place}.{uuid4()}")
    library.put(f"{document_place(library.tenant_id, str(uuid7()))}.{uuid4()}")

    library.sweep()

    assert library.left() == {place}


def test_an_object_whose_upload_may_still_be_accepted_stays(library: Library) -> None:
    young = library.document(str(uuid7()), hours=0)
    slow = library.document(str(uuid7()), hours=ORPHAN_HOURS + 0.9)
    unfinished = library.put(f"{document_place(library.tenant_id, str(uuid7()))}.{uuid4()}", hours=0)

    library.sweep()

    assert library.left() == {young, slow, unfinished}


def test_results_and_documents_are_judged_each_by_its_own(library: Library) -> None:
    cell, _ = library.version()
    document = library.document(cell)
    job_id = uuid7()
    library.put(result_place(library.tenant_id, job_id, uuid4()))
    strange = library.put(f"{library.tenant_id}/documents/notes")

    library.sweep()

    assert library.left() == {document, strange}


def test_a_sweep_comes_to_every_object_page_by_page(library: Library) -> None:
    stay = {library.document(library.version()[0]) for _ in range(20)}
    for _ in range(2 * MAX_LISTED):
        library.document(str(uuid4()))

    library.sweep(times=3)

    assert library.left() == stay


def test_a_dispatcher_does_it_by_itself(library: Library, system: System) -> None:
    cell, text_cell = library.version()
    stay = {library.document(cell), library.document(text_cell)}
    library.document(str(uuid7()))
    system.dispatcher()

    wait_until(lambda: library.left() == stay, "the orphan is gone")
