"""File names: what is kept of a sent one, and how one is sent."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from api.uploads.file_names import LONGEST_NAME, attachment, kept_name, parameters_of


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ('attachment; filename="a b.pdf"', "a b.pdf"),
        ("attachment; filename=plain.pdf", "plain.pdf"),
        ("attachment; filename=\"x.pdf\"; filename*=UTF-8''Gr%C3%B6%C3%9Fe.pdf", "Größe.pdf"),
        ("attachment; filename*=utf-8'de'%e2%82%ac.txt", "€.txt"),
        (r'form-data; name="file"; filename="a \"quoted\" one.txt"', 'a "quoted" one.txt'),
        ('attachment; filename="semi;colon.txt"', "semi;colon.txt"),
        ("attachment; filename*=KOI8-R''x; filename=fallback.txt", "fallback.txt"),
    ],
)
def test_a_name_is_read_as_the_rfcs_write_it(header: str, name: str) -> None:
    assert parameters_of(header)[1]["filename"] == name


@pytest.mark.parametrize(
    ("given_name", "kept"),
    [
        ("../../etc/passwd", "passwd"),
        ("C:\\Users\\me\\lease.pdf", "lease.pdf"),
        ("lease\r\nSet-Cookie: x=1.pdf", "leaseSet-Cookie: x=1.pdf"),
        ("annex\u202efdp.exe", "annexfdp.exe"),
        ("..", None),
        ("", None),
        ("folder/", None),
        ("x" * 400 + ".pdf", "x" * (LONGEST_NAME - 4) + ".pdf"),
    ],
)
def test_a_name_is_kept_without_folders_and_what_can_not_be_seen(given_name: str, kept: str | None) -> None:
    assert kept_name(given_name) == kept


@given(st.text(max_size=300))
def test_any_name_can_be_sent_in_one_header(name: str) -> None:
    kept = kept_name(name)
    sent = attachment(kept or "")

    assert sent.startswith(b'attachment; filename="')
    assert sent.isascii()
    assert all(0x20 <= byte < 0x7F for byte in sent)
    assert b'"' not in sent.removeprefix(b'attachment; filename="').partition(b'"')[0]


def test_a_name_comes_back_as_it_was_sent() -> None:
    assert parameters_of(attachment("Größe €.pdf").decode())[1]["filename"] == "Größe €.pdf"
    assert attachment("lease.pdf") == b'attachment; filename="lease.pdf"'
