"""Documents through the Python client: what is uploaded comes back as it was, over connections that break too."""

import asyncio
import io
from pathlib import Path
from random import Random

import pytest

from producers.client import AsyncBucatini, BatchDocument, Bucatini, ProblemAnswer, SourceUnreadable, Unreachable
from schemas.documents import DocumentChange, VersionState
from tests.integration.client.broken_way import broken_way
from tests.integration.serving import World

LARGE = Random(18).randbytes(700_000)
LEASE = "The rent is due on the first of each month."


class Once:
    """A stream that can be read once, as a pipe can."""

    def __init__(self, content: bytes) -> None:
        self._content = io.BytesIO(content)

    def read(self, size: int = -1) -> bytes:
        return self._content.read(size)


def fetched(client: Bucatini, document_id: str, start: int = 0, end: int | None = None) -> bytes:
    stream = io.BytesIO()
    assert client.documents.content(document_id, stream, start=start, end=end) == len(stream.getvalue())
    return stream.getvalue()


def test_a_file_a_content_a_stream_and_a_text_come_back_as_they_were(world: World, tmp_path: Path) -> None:
    file, sent = tmp_path / "Überblick.bin", list[int]()
    file.write_bytes(LARGE)
    opened = io.BytesIO(b"skipped" + LARGE)
    opened.seek(7)
    with Bucatini(world.url, world.tenant().key) as client:
        of_path = client.documents.add(
            file, id="files/path", progress=sent.append, tags=["a, b", "c"], metadata={"n": 1}
        )
        of_bytes = client.documents.add(LARGE, file_name="a.bin")
        of_stream = client.documents.add(opened)
        of_pipe = client.documents.add(Once(LARGE))
        of_text = client.documents.add(LEASE, title="Lease")
        long_text = client.documents.add(LEASE * 6_000, title="Long")

        assert [fetched(client, one.id) for one in (of_path, of_bytes, of_stream, of_pipe)] == [LARGE] * 4
        assert fetched(client, of_text.id).decode() == LEASE
        assert fetched(client, long_text.id).decode() == LEASE * 6_000
        assert fetched(client, of_path.id, 100, 300) == LARGE[100:300]
        assert fetched(client, of_path.id, 300, 300) == b""

    assert sum(sent) == len(LARGE)
    assert (of_path.document.tags, of_path.document.metadata) == (("a, b", "c"), {"n": 1})
    assert (of_path.id, of_path.document.newest.file_name) == ("files/path", "Überblick.bin")
    assert of_path.job is not None
    assert (of_text.document.title, of_text.document.newest.state) == ("Lease", VersionState.IMPORTING)


def test_a_fetched_file_is_there_whole_or_not_at_all(world: World, tmp_path: Path) -> None:
    folder = tmp_path / "fetched"
    folder.mkdir()
    target = folder / "lease.txt"
    with Bucatini(world.url, world.tenant().key) as client:
        client.documents.add(LEASE, id="lease")
        client.documents.content("lease", target)
        assert target.read_text() == LEASE
        with pytest.raises(ProblemAnswer):
            client.documents.content("another", target)
        with pytest.raises(OSError, match="can't be written"):
            client.documents.content("lease", folder / "no folder" / "lease.txt")

    assert [one.name for one in folder.iterdir()] == ["lease.txt"]
    assert target.read_text() == LEASE


def test_an_upload_whose_response_is_lost_makes_one_document(world: World, tmp_path: Path) -> None:
    file = tmp_path / "large.bin"
    file.write_bytes(LARGE)
    tenant = world.tenant()
    with broken_way(world, lambda number: 0 if number == 0 else None) as url, Bucatini(url, tenant.key) as client:
        added = client.documents.add(file)

        assert [one.id for one in client.documents.list()] == [added.id]
        assert fetched(client, added.id) == LARGE


def test_a_stream_that_is_spent_is_never_sent_again(world: World) -> None:
    tenant = world.tenant()
    with broken_way(world, lambda number: 0 if number == 0 else None) as url, Bucatini(url, tenant.key) as client:
        with pytest.raises(Unreachable, match="may have been done"):
            client.documents.add(Once(LARGE))

        (document,) = client.documents.list()
        assert fetched(client, document.id) == LARGE


def test_a_content_goes_on_where_its_connection_broke(world: World, tmp_path: Path) -> None:
    target, connections = tmp_path / "content", list[int]()

    def cut(number: int) -> int:
        connections.append(number)
        return 200_000

    tenant = world.tenant()
    with Bucatini(world.url, tenant.key) as client:
        client.documents.add(LARGE, id="large")
    with broken_way(world, cut) as url, Bucatini(url, tenant.key) as client:
        client.documents.content("large", target)
        assert target.read_bytes() == LARGE
        assert fetched(client, "large", 50_000, 400_000) == LARGE[50_000:400_000]

    assert len(connections) > 4


def test_nobodys_version_is_gone_over_unseen(world: World) -> None:
    with Bucatini(world.url, world.tenant().key) as client:
        first = client.documents.new_version("lease", LEASE, only_new=True)
        with pytest.raises(ProblemAnswer) as there:
            client.documents.new_version("lease", LEASE, only_new=True)
        second = client.documents.new_version("lease", f"{LEASE} It is 900 euros.", if_match=first.etag)
        with pytest.raises(ProblemAnswer) as stale:
            client.documents.new_version("lease", "Mine.", if_match=first.etag)
        unchanged = client.documents.add(f"{LEASE} It is 900 euros.", id="lease")
        changed = client.documents.change("lease", DocumentChange(industry="property"), if_match=second.etag)

        assert [one.version for one in client.documents.versions("lease")] == [2, 1]
        assert client.documents.version("lease", 1).size_bytes == len(LEASE)
        assert [one.kind for one in client.documents.jobs("lease")] == ["documents.import"] * 2
        assert client.documents.get("lease").etag != second.etag
    assert (there.value.status, stale.value.status) == (412, 412)
    assert (second.ref.version, unchanged.job, changed.industry) == (2, None, "property")


def test_many_documents_are_added_at_once_or_none(world: World, tmp_path: Path) -> None:
    file = tmp_path / "large.bin"
    file.write_bytes(LARGE)
    with Bucatini(world.url, world.tenant().key) as client:
        texts = client.documents.add_all([LEASE, BatchDocument(LEASE, id="lease", tags=["rent"])], name="monday")
        mixed = client.documents.add_all([file, BatchDocument(b"%PDF", id="b", title="B"), LEASE], idempotency_key="k")
        again = client.documents.add_all([file, BatchDocument(b"%PDF", id="b", title="B"), LEASE], idempotency_key="k")
        with pytest.raises(ProblemAnswer):
            client.documents.add_all(
                [BatchDocument(LEASE, id="not kept"), BatchDocument(LEASE, id="kept not", tags=[""])]
            )
        documents = {one.id: one for one in client.documents.list(limit=2)}

        assert {one.id for one in (*texts.documents, *mixed.documents)} == set(documents)
        assert fetched(client, mixed.documents[0].id) == LARGE
        assert [one.id for one in client.documents.list(tag="rent")] == ["lease"]
        assert texts.progress().total == 2
        assert {job.id for job in texts.jobs()} == {one.job_id for one in texts.documents}
    assert (mixed.id, documents["b"].title) == (again.id, "B")


def test_what_was_deleted_is_not_there(world: World) -> None:
    with Bucatini(world.url, world.tenant().key) as client:
        client.documents.add(LEASE, id="lease")
        removal = client.documents.delete("lease")

        assert removal is not None
        assert removal.version == 1
        with pytest.raises(ProblemAnswer) as gone:
            client.documents.read("lease")
        assert list(client.documents.list()) == []
        assert [one.deleted_at is None for one in client.documents.list(deleted=True)] == [False]
    assert gone.value.status == 404


def test_what_cannot_be_read_is_said_before_anything_is_sent(world: World, tmp_path: Path) -> None:
    tenant = world.tenant()
    with Bucatini(world.url, tenant.key) as client:
        with pytest.raises(SourceUnreadable, match=r"nowhere\.pdf can't be read: No such file"):
            client.documents.add(tmp_path / "nowhere.pdf")
        with pytest.raises(SourceUnreadable, match="is a folder"):
            client.documents.add_all([LEASE, tmp_path])
        with pytest.raises(SourceUnreadable, match="mode 'rb'"):
            client.documents.add(io.StringIO(LEASE))  # type: ignore[arg-type]  # What callers get wrong.
        assert list(client.documents.list()) == []


def test_the_async_client_does_the_same(world: World, tmp_path: Path) -> None:
    file, target = tmp_path / "large.bin", tmp_path / "fetched"
    file.write_bytes(LARGE)

    async def use() -> list[str]:
        async with AsyncBucatini(world.url, world.tenant().key) as client:
            document = await client.documents.add(file, id="large", title="Large")
            batch = await client.documents.add_all([file, LEASE])
            await client.documents.content("large", target)

            assert (await document.refresh()).title == "Large"
            assert len(batch.documents) == 2
            return [one.title async for one in client.documents.list()]

    assert "Large" in asyncio.run(use())
    assert target.read_bytes() == LARGE
