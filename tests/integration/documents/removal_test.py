"""A deleted document can't be read from the moment on, its contents are removed for good, and no late job brings it back."""

import asyncio
from dataclasses import dataclass
from functools import partial

import pytest
from uuid_utils.compat import uuid7

from infrastructure.object_store.sealed import SealedObjects
from infrastructure.ports import Unavailable
from infrastructure.postgres.documents.changes import Deleted, NotAsExpected, NotThere
from infrastructure.postgres.documents.etags import Precondition, etag
from infrastructure.postgres.documents.store import StoredDocuments
from infrastructure.postgres.jobs import cancellation
from schemas.documents import DocumentRef, VersionState
from tests.integration.documents.library import Library

pytestmark = pytest.mark.anyio

LONG = "words of a long text. " * 20_000
FIRST = DocumentRef(id="lease", version=1)


async def full(library: Library) -> None:
    """A document of two versions, with everything that versions may have."""
    for version, content in enumerate((b"one", b"two"), 1):
        await library.upload("lease", content, title="Ada's lease", tags=("signed",), metadata={"by": "Ada"})
        await library.import_text("lease", version, f"{version} {LONG}", page_offsets=(0, 5))
    await library.store.add_facts(library.tenant_id, DocumentRef(id="lease"), job_id=uuid7(), kind="k", facts={"a": 1})


async def test_a_deleted_document_cant_be_read_while_its_contents_are_still_there(library: Library) -> None:
    await full(library)

    deleted = await library.delete("lease")

    assert isinstance(deleted, Deleted)
    assert (deleted.version, deleted.stored.ref.kind) == (2, "documents.remove")
    document = await library.document("lease")
    assert document is not None
    assert (document.deleted_at is None, document.current_version) == (False, None)
    assert [await library.text("lease", number) for number in (None, 1, 2)] == [None] * 3
    assert [await library.original("lease", number) for number in (None, 1, 2)] == [None] * 3
    assert await library.delete("lease") == NotThere()
    assert (await library.used())[0] == 0


async def test_removal_leaves_the_tombstone_and_nothing_of_the_contents(library: Library) -> None:
    await full(library)
    await library.delete("lease")

    assert await library.store.remove(library.tenant_id, DocumentRef(id="lease", version=2))
    assert await library.store.remove(library.tenant_id, DocumentRef(id="lease", version=2)), "repeating is safe"

    assert library.stored_objects() == []
    assert await library.used() == (0, 0)
    assert library.execute("SELECT count(*) FROM document_facts") == [(0,)]
    rows = "SELECT version, digest, original_key, text, text_key, outline, file_name, title FROM document_versions"
    assert library.execute(rows) == [(2, b"", None, None, None, None, None, None)]
    document = await library.document("lease")
    assert document is not None
    assert (document.id, document.version, document.title, document.tags) == ("lease", 2, "lease", ())
    assert (document.metadata, document.newest.digest) == ({}, None)


async def test_deleting_again_removes_what_a_cancelled_removal_left(library: Library) -> None:
    await full(library)
    first = await library.delete("lease")
    assert isinstance(first, Deleted)
    removal = first.stored.ref.job_id
    await library.pool.run(library.tenant_id, partial(cancellation.cancel, tenant_id=library.tenant_id, job_id=removal))

    again = await library.delete("lease")

    assert isinstance(again, Deleted)
    assert (again.version, again.stored.ref.job_id == removal) == (2, False)
    assert await library.delete("lease") == NotThere(), "a job removes it"
    assert (await library.used())[0] == 0, "it was counted as deleted once"
    library.execute("DELETE FROM jobs WHERE id = %s", again.stored.ref.job_id)
    await library.store.remove(library.tenant_id, DocumentRef(id="lease", version=2))
    assert await library.delete("lease") == NotThere(), "nothing is left of it"


async def test_an_import_that_ends_after_the_deletion_leaves_nothing(library: Library) -> None:
    await library.upload("lease", b"one")
    await library.delete("lease")

    late = await library.import_text("lease", 1, LONG)

    assert late is not None
    assert (late.is_deleted, late.is_current, late.state) == (True, False, VersionState.IMPORTING)
    assert await library.store.remove(library.tenant_id, FIRST)
    assert await library.import_text("lease", 1, LONG) is not None
    assert library.stored_objects() == []
    assert (await library.document("lease")).current_version is None  # type: ignore[union-attr]  # it is there


async def test_a_new_version_revives_the_id_and_a_late_import_of_an_old_one_changes_nothing(library: Library) -> None:
    await library.upload("lease", b"one", title="Old")
    await library.delete("lease")

    revived = await library.upload("lease", b"one", title="New")
    late = await library.import_text("lease", 1, "the old one")
    assert await library.import_text("lease", 2, "the new one") is not None

    assert (revived.document.version, revived.document.deleted_at) == (2, None)
    assert late is not None
    assert not late.is_current
    assert await library.text("lease") == "the new one"
    assert await library.text("lease", 1) is None
    assert not await library.store.remove(library.tenant_id, FIRST), "a newer version is there"
    assert await library.text("lease") == "the new one"
    document = await library.document("lease")
    assert document is not None
    assert (document.title, document.current_version) == ("New", 2)
    assert len(library.stored_objects()) == 1
    assert await library.used() == (1, library.execute("SELECT sum(stored_bytes) FROM document_versions")[0][0])


async def test_a_version_that_isnt_deleted_is_never_removed(library: Library) -> None:
    await library.upload("lease", b"one")
    await library.import_text("lease", 1, "words")

    assert not await library.store.remove(library.tenant_id, FIRST)

    assert await library.text("lease") == "words"


@dataclass
class Flaky(SealedObjects):
    """An object store that can't be reached."""

    def __init__(self) -> None: ...

    async def delete(self, places: object) -> None:
        raise Unavailable("the object store can't be reached")


async def test_a_removal_that_was_cut_short_is_carried_on_and_frees_its_room_once(library: Library) -> None:
    await full(library)
    await library.delete("lease")
    cut_short = StoredDocuments(library.pool, library.keyring, Flaky())
    with pytest.raises(Unavailable):
        await cut_short.remove(library.tenant_id, DocumentRef(id="lease", version=2))
    assert await library.used() == (0, 0)
    assert len(library.stored_objects()) == 4
    await library.add("other", "words")
    used = await library.used()

    removed = await asyncio.gather(
        *[library.store.remove(library.tenant_id, DocumentRef(id="lease", version=2)) for _ in range(3)]
    )

    assert removed == [True] * 3
    assert library.stored_objects() == []
    assert await library.used() == used


async def test_who_deletes_may_say_what_they_have_seen(library: Library) -> None:
    seen = (await library.add("lease", "one")).document
    changed = (await library.add("lease", "two")).document

    refused = await library.delete("lease", Precondition(if_match=(etag(seen),)))

    assert refused == NotAsExpected(changed)
    assert isinstance(await library.delete("lease", Precondition(if_match=(etag(changed),))), Deleted)
