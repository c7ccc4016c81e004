"""Which files `bucatini documents add` sends, and how their documents are named."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter

from producers.cli.ingress import WrongUsage
from producers.cli.sizes import size
from producers.cli.uploading import found_in, id_of_path
from schemas.documents import DocumentId

IDS: TypeAdapter[str] = TypeAdapter(DocumentId)
NAMES = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), min_size=1, max_size=300)


@given(NAMES, NAMES)
def test_each_path_has_an_id_of_its_own(first: str, second: str) -> None:
    assert IDS.validate_python(id_of_path(first)) == id_of_path(first)
    assert (id_of_path(first) == id_of_path(second)) == (first == second)


def test_a_plain_path_is_its_own_id() -> None:
    assert id_of_path("contracts/2026/lease-0117.pdf") == "contracts/2026/lease-0117.pdf"
    assert id_of_path("contracts/Mietvertrag Süd.pdf") == "contracts/Mietvertrag~20S~c3~bcd.pdf"


def test_a_folders_files_are_found_and_hidden_ones_are_not(tmp_path: Path) -> None:
    folder = tmp_path / "contracts"
    for name in ("b.txt", "2026/a.pdf", ".git/config", ".hidden"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_text(name)

    assert [one.id for one in found_in([folder], None)] == ["contracts/2026/a.pdf", "contracts/b.txt"]
    assert [one.id for one in found_in([folder / "b.txt"], None)] == [None]
    assert [one.id for one in found_in([folder / "b.txt"], "mine")] == ["mine"]


def test_a_folders_links_to_files_outside_of_it_are_left_out(tmp_path: Path) -> None:
    folder, secret = tmp_path / "folder", tmp_path / "secret.txt"
    folder.mkdir()
    (folder / "lease.txt").write_text("The rent is due.")
    secret.write_text("It wasn't asked for.")
    (folder / "link.txt").symlink_to(secret)
    (folder / "own.txt").symlink_to(folder / "lease.txt")

    assert [one.path.name for one in found_in([folder], None)] == ["lease.txt", "own.txt"]


def test_what_cannot_be_sent_is_wrong_usage(tmp_path: Path) -> None:
    for paths, document_id, reason in (
        ([tmp_path], None, "there is no file in"),
        ([tmp_path / "nowhere"], None, "there is no file or folder"),
    ):
        with pytest.raises(WrongUsage, match=reason):
            found_in(paths, document_id)
    for name in "ab":
        (tmp_path / name).write_text(name)
    with pytest.raises(WrongUsage, match="for one file"):
        found_in([tmp_path], "mine")


@pytest.mark.parametrize(
    ("count", "shown"),
    [(0, "0 B"), (999, "999 B"), (1_000, "1.0 kB"), (99_960, "100 kB"), (1_234_567, "1.2 MB"), (5e9, "5.0 GB")],
)
def test_sizes_are_short(count: float, shown: str) -> None:
    assert size(count) == shown
