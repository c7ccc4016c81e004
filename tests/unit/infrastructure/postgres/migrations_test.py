"""What has landed stays as it is: a database made before a change to an old migration would differ from others for ever."""

from hashlib import sha256
from importlib import import_module
from pathlib import Path
from typing import Any

import pytest

import infrastructure.postgres.migrations.versions as package
from infrastructure.postgres.migration import FIRST_UNDOABLE
from infrastructure.postgres.schema import WRITTEN_FOR, Tables, why_unfit

FOLDER = Path(package.__path__[0])
MIGRATIONS = sorted(file.stem for file in FOLDER.glob("0*.py"))
DIGESTS = {
    "0001_jobs": "40f538a9684281e31d5b6e317873b8a6a0587e3b298edd2a2f6965eb0cb766f0",
    "0002_capabilities": "6022240ec14f631e5cc2070eb78893c5d96f3b20a26a2d757e3146187439cbd9",
    "0003_admission": "78d2f91e5cb59bbfcb080ff2b0cb39716051ef93d7434e8d3c485049cea62caa",
    "0004_failures": "38ac52ef2a6e23462659e43b22b63d773015abd49215a11ca4a11d898ef7b8c0",
    "0005_batches_schedules": "4e618fbdfbf84989cdb94cdca16a817e674b8ab2ef911fea5e0b42ec22429241",
    "0006_webhooks": "5f6db49ed693b6cee0bfe77912ee31c0e17411d6bf1242c296b52bd054fc4b34",
    "0007_capped_schedules": "6bc020dbcae4b1c2a023274127f674627544a8b05c5f2dd9d261174d2c83bfad",
    "0008_compatibility": "c32c63c4ecba474108069e30358ee9270c8f0dae45c682bdeebabc264a37e6b5",
    "0009_stalled_workers": "baeceac50660972968e1a50c03cf2ede6e2f3a00d08391e44dc503dccf7578b7",
    "0010_tenants": "b537b5321a6b6e45ca6353848328ccd9cc87e9de4453db45c4a4df2591561f0f",
    "0011_documents": "4fbb796587d129485c17b6e6b93849d739b72e7ca7e88326912beb0403c1d429",
    "0012_add_ai_service_logging": "28bd4b0fdbac28f1cf990d24a0e79533b05c57832b4c37cdcfee729bfae22eff",
    "0013_paid_answers": "2864ccb33212f26823b9cbc75eaec9b4d36a4825b382a01b94ffbcde65dbd0ba",
    "0014_add_search": "47c9617daaeb107771d77cc0c6413a14e291c8ab48d58f2494733a3d02229587",
    "0015_add_saved_searches": "52eaa8444d1a76444ac46e96c079e48d92820b75dc339c05cc7e353fb400184e",
    "0016_add_search_locations": "97af21be693e59efbb2f61d5bf6a7ed5f03694fc758e94b954dae070866fa53e",
}
"""Of each migration's text, written here when it lands and never changed."""


@pytest.mark.parametrize("name", MIGRATIONS)
def test_a_migration_that_has_landed_is_never_changed(name: str) -> None:
    digest = sha256((FOLDER / f"{name}.py").read_bytes()).hexdigest()
    assert name in DIGESTS, f"a new migration: add its digest here, {digest}"
    assert digest == DIGESTS[name], (
        "write another migration that changes what this one made, and leave this one as it was"
    )


def test_no_migration_disappears() -> None:
    assert sorted(DIGESTS) == MIGRATIONS


def test_the_release_is_written_for_the_newest_migration() -> None:
    revisions = [_module(name).revision for name in MIGRATIONS]
    assert revisions == [f"{number:04}" for number in range(1, len(revisions) + 1)]
    assert revisions[-1] == WRITTEN_FOR


@pytest.mark.parametrize("name", [name for name in MIGRATIONS if name[:4] >= FIRST_UNDOABLE])
def test_a_new_migration_says_whom_its_tables_serve_and_can_be_undone(name: str) -> None:
    module = _module(name)
    assert module.serves <= module.revision
    assert module.serves <= module.down_revision or "why the release before can't work on them" in (
        module.__doc__ or ""
    )
    assert callable(module.downgrade)


@pytest.mark.parametrize(
    ("tables", "told"),
    [
        (Tables(WRITTEN_FOR, serves="0007"), ""),
        (Tables("9999", serves=WRITTEN_FOR), ""),
        (Tables("9999", serves="0001"), ""),
        (Tables("9999", serves="9998"), "start a newer one"),
        (Tables("9999"), "start a newer one"),
        (Tables("0007"), "run `bucatini migrate`"),
        (Tables(None), "run `bucatini migrate`"),
    ],
)
def test_a_process_works_with_its_own_tables_and_newer_ones_that_serve_it(tables: Tables, told: str) -> None:
    why = why_unfit(tables)
    assert told in why
    assert bool(why) == bool(told)
    assert "\n" not in why


def _module(name: str) -> Any:
    return import_module(f"{package.__name__}.{name}")
