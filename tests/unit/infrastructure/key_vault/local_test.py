"""The embedded vault: its file is made once, whole, and for its owner only."""

import asyncio
import multiprocessing
import shutil
import stat
from pathlib import Path

import pytest

from infrastructure.key_vault.keyring import make_key
from infrastructure.key_vault.local import MASTER_KEY_FILE, LocalKeyVault
from infrastructure.ports import Unavailable
from infrastructure.ports.keys import WrappedKey

pytestmark = pytest.mark.anyio
KEY = bytes(range(32))


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder in which a vault has made its master key, which takes about a second."""
    folder = tmp_path_factory.mktemp("made") / "keys"
    asyncio.run(LocalKeyVault(folder).wrap(KEY))
    return folder


@pytest.fixture
def folder(made: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(made, tmp_path / "keys"))


@pytest.fixture
def vault(folder: Path) -> LocalKeyVault:
    return LocalKeyVault(folder)


async def test_a_wrapped_key_comes_back(vault: LocalKeyVault) -> None:
    wrapped = await vault.wrap(KEY)

    assert await vault.unwrap(wrapped) == KEY
    assert KEY not in wrapped.ciphertext


async def test_the_master_key_outlives_the_process_that_made_it(vault: LocalKeyVault, folder: Path) -> None:
    wrapped = await vault.wrap(KEY)

    assert await LocalKeyVault(folder).unwrap(wrapped) == KEY


def test_the_file_is_its_owners_only(made: Path) -> None:
    assert [file.name for file in made.iterdir()] == [MASTER_KEY_FILE]
    assert stat.S_IMODE(made.stat().st_mode) == 0o700
    assert stat.S_IMODE((made / MASTER_KEY_FILE).stat().st_mode) == 0o600


async def test_a_file_that_others_may_read_is_refused_with_the_way_out(folder: Path) -> None:
    (folder / MASTER_KEY_FILE).chmod(0o640)

    with pytest.raises(Unavailable, match=r"0640.*chmod 600"):
        await LocalKeyVault(folder).wrap(KEY)


async def test_a_damaged_file_is_told_and_never_replaced(tmp_path: Path) -> None:
    (tmp_path / MASTER_KEY_FILE).write_text("not a key")
    (tmp_path / MASTER_KEY_FILE).chmod(0o600)

    with pytest.raises(Unavailable, match="holds no RSA key"):
        await LocalKeyVault(tmp_path).wrap(KEY)

    assert (tmp_path / MASTER_KEY_FILE).read_text() == "not a key"


async def test_a_key_wrapped_by_another_master_key_names_both(vault: LocalKeyVault) -> None:
    ours = (await vault.wrap(KEY)).master_key_id

    with pytest.raises(Unavailable, match=f"{ours}.*local:lost"):
        await vault.unwrap(WrappedKey("local:lost", b""))


async def test_a_damaged_wrapped_key_is_told(vault: LocalKeyVault) -> None:
    wrapped = await vault.wrap(KEY)

    with pytest.raises(Unavailable, match="damaged"):
        await vault.unwrap(WrappedKey(wrapped.master_key_id, wrapped.ciphertext[:-1] + b"\x00"))


def test_processes_that_start_together_agree_on_one_master_key(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(3) as processes:
        names = processes.map(_master_key_id, [str(tmp_path)] * 3, chunksize=1)

    assert len(set(names)) == 1


def _master_key_id(folder: str) -> str:
    return asyncio.run(LocalKeyVault(Path(folder)).wrap(KEY)).master_key_id


async def test_a_vault_that_gives_back_another_key_is_not_believed() -> None:
    class Mixed:
        async def wrap(self, key: bytes) -> WrappedKey:
            return WrappedKey("mixed", key)

        async def unwrap(self, wrapped: WrappedKey) -> bytes:
            return wrapped.ciphertext[::-1]

    with pytest.raises(Unavailable, match="another key"):
        await make_key(Mixed())


async def test_the_master_key_is_as_long_as_promised(vault: LocalKeyVault) -> None:
    assert len((await vault.wrap(KEY)).ciphertext) * 8 == 3_072
