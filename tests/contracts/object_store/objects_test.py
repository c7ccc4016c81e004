"""What every object store promises."""

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import UUID, uuid4

import pytest

from infrastructure.object_store.files import FileStore
from infrastructure.object_store.places import job_of, result_place
from infrastructure.object_store.s3 import Address, S3ObjectStore, address_from
from infrastructure.ports import Unavailable
from infrastructure.ports.objects import ObjectStore
from infrastructure.settings import Settings, SettingsInvalid

pytestmark = pytest.mark.anyio

LARGE = b"".join(number.to_bytes(4, "big") for number in range(1_250_000))
LARGE_BYTES = len(LARGE)
"""More than a store reads at once."""


def _key(tenant: UUID | None = None, job: UUID | None = None) -> str:
    return result_place(tenant or uuid4(), job or uuid4(), uuid4())


async def _read(objects: ObjectStore, key: str, start: int = 0, end: int | None = None) -> bytes | None:
    content = await objects.read(key, start, end)
    return None if content is None else b"".join([part async for part in content])


async def test_what_was_put_is_read_back_and_gone_once_deleted(objects: ObjectStore) -> None:
    small, large = _key(), _key()
    await objects.put(small, b"{}")
    await objects.put(large, LARGE)
    await objects.put(large, LARGE)

    assert (await _read(objects, small), await _read(objects, large)) == (b"{}", LARGE)
    await objects.delete([small, large, _key()])
    await objects.delete([small])
    assert (await _read(objects, small), await _read(objects, large)) == (None, None)
    await objects.delete([])


async def test_what_was_never_put_isnt_there(objects: ObjectStore) -> None:
    assert await _read(objects, _key()) is None
    assert await objects.list_after("", 10) == []


async def test_a_range_is_read_alone(objects: ObjectStore) -> None:
    key = _key()
    await objects.put(key, LARGE)

    for start, end in ((0, 1), (5, 600_000), (LARGE_BYTES - 3, None), (LARGE_BYTES - 3, LARGE_BYTES + 9), (0, None)):
        assert await _read(objects, key, start, end) == LARGE[start:end]
    for behind in (LARGE_BYTES, LARGE_BYTES + 1):
        assert await _read(objects, key, behind) == await _read(objects, key, behind, behind + 9) == b""
    assert await _read(objects, _key(), 5, 6) is None


async def test_two_runs_of_a_job_keep_their_own(objects: ObjectStore) -> None:
    tenant, job = uuid4(), uuid4()
    first, late = _key(tenant, job), _key(tenant, job)
    await objects.put(first, b"first")
    await objects.put(late, b"late")
    await objects.delete([late])

    assert await _read(objects, first) == b"first"
    assert job_of(first) == job


async def test_a_listing_goes_on_after_its_last_key_and_misses_nothing(objects: ObjectStore) -> None:
    tenants, job = [uuid4() for _ in range(3)], uuid4()
    keys = sorted([*(_key(tenant) for tenant in tenants for _ in range(3)), *(_key(tenants[0], job) for _ in range(3))])
    for key in keys:
        await objects.put(key, b"{}")
    found: list[str] = []
    while page := await objects.list_after(found[-1] if found else "", 5):
        assert len(page) <= 5
        assert all(abs(one.written_at - datetime.now(UTC)) < timedelta(minutes=5) for one in page)
        found += [one.key for one in page]

    assert found == keys


async def test_readers_see_all_of_it_or_nothing(objects: ObjectStore) -> None:
    key = _key()
    seen: set[bytes | None] = set()

    async def look() -> None:
        while LARGE not in seen:
            seen.add(await _read(objects, key))

    await asyncio.gather(look(), *(objects.put(key, LARGE) for _ in range(3)))

    assert seen <= {None, LARGE}


async def test_files_are_their_owners_only(tmp_path: Path) -> None:
    store = FileStore(tmp_path / "objects")
    key = _key()
    await store.put(key, b"{}")
    modes = {path.relative_to(tmp_path): path.stat().st_mode & 0o077 for path in (tmp_path / "objects").rglob("*")}

    assert set(modes.values()) == {0}
    assert [path.name for path in (tmp_path / "objects").rglob("*") if path.is_file()] == [key.rpartition("/")[2]]


def test_a_folder_goes_with_its_last_object(tmp_path: Path) -> None:
    store, root = FileStore(tmp_path), tmp_path / str(uuid4())
    keys = [f"{root.name}/documents/{name}" for name in ("a/1", "a/2", "b/3")]
    for key in keys:
        asyncio.run(store.put(key, b"{}"))
    asyncio.run(store.delete(keys[:1]))
    assert root.joinpath("documents", "a", "2").exists()
    asyncio.run(store.delete(keys[1:]))

    assert list(tmp_path.iterdir()) == []


async def test_a_store_that_is_away_says_so(tmp_path: Path) -> None:
    (tmp_path / "objects").write_text("not a folder")
    nobody = S3ObjectStore(Address("bucket", "", "us-east-1", "http://127.0.0.1:9", "test", "very secret"))
    for store in (FileStore(tmp_path / "objects"), nobody):
        with pytest.raises(Unavailable) as caught:
            await store.put(_key(), b"{}")
        assert "secret" not in str(caught.value)


async def test_no_key_leads_out_of_the_folder(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="dot"):
        await FileStore(tmp_path).read("../secrets/key")


async def test_an_address_is_read_from_the_settings() -> None:
    address = address_from(Settings(object_store_url="s3://bucket/some/prefix", object_store_endpoint="http://here"))

    assert (address.bucket, address.prefix, address.endpoint) == ("bucket", "some/prefix", "http://here")
    with pytest.raises(SettingsInvalid, match="OBJECT_STORE_URL"):
        address_from(Settings(object_store_url="https://bucket"))
