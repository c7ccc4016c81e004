"""A document is taken for what its content is, not for what its name says."""

import bz2
import gzip
import io
import lzma
import tarfile

import pytest

from infrastructure.ports.extraction import DocumentFormat, NotExtracted, Reason
from tests.unit.infrastructure.extraction.conftest import Extract, reason_of, text_of
from tests.unit.infrastructure.extraction.hostile import archive
from tests.unit.infrastructure.extraction.producers import FILES, HTML, docx, made_by_libreoffice, pdf, scanned_pdf

MEMO = "From: Ayodele Brandt\nTo: Steering committee\nDate: 24 April 2026\nSubject: Status\n\nIn short: we are late.\n"


def tar() -> bytes:
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w") as file:
        file.add(FILES / "lease.docx", "lease.docx")
    return made.getvalue()


@pytest.mark.parametrize(
    "content",
    [
        archive(b"some text", docx()),
        archive(),
        gzip.compress(b"some text", mtime=0),
        bz2.compress(b"some text"),
        lzma.compress(b"some text"),
        tar(),
        b"7z\xbc\xaf\x27\x1c" + bytes(30),
        b"Rar!\x1a\x07\x01\x00" + bytes(30),
    ],
)
def test_an_archive_is_refused_whatever_it_holds(extract: Extract, content: bytes) -> None:
    assert reason_of(extract(content, file_name="lease.docx")) == Reason.ARCHIVE_REFUSED


@pytest.mark.parametrize(
    ("content", "named"),
    [
        (made_by_libreoffice("lease.doc"), "save it as DOCX"),
        (b"\x89PNG\r\n\x1a\n" + bytes(100), "PNG"),
        (b"\x7fELF" + bytes(100), "program"),
        (bytes(range(256)) * 20, "none of the formats"),
    ],
)
def test_what_isnt_read_is_named_and_what_is_read_is_listed(extract: Extract, content: bytes, named: str) -> None:
    outcome = extract(content, file_name="report.pdf", media_type="application/pdf")

    assert isinstance(outcome, NotExtracted)
    assert outcome.problem.name == "unknown-format"
    assert outcome.problem.status == 415
    assert named in outcome.problem.detail
    assert "pdf, docx, pptx" in outcome.problem.detail


@pytest.mark.parametrize("name", ["a.txt", "a.html", "a.zip", None])
def test_a_wrong_name_changes_nothing(extract: Extract, name: str | None) -> None:
    assert extract(docx(), file_name=name).format == DocumentFormat.DOCX
    assert extract(scanned_pdf(), file_name=name).format == DocumentFormat.PDF


def test_a_pdf_behind_some_bytes_of_a_server_is_one(extract: Extract) -> None:
    assert extract(b"\r\n\r\n" + pdf()).format == DocumentFormat.PDF


@pytest.mark.parametrize(
    ("hints", "expected"),
    [
        ({}, DocumentFormat.TEXT),
        ({"file_name": "Memo.EML"}, DocumentFormat.EML),
        ({"media_type": "message/rfc822"}, DocumentFormat.EML),
        ({"media_type": "text/markdown; charset=utf-8"}, DocumentFormat.MARKDOWN),
    ],
)
def test_what_its_uploader_says_decides_between_formats_that_look_the_same(
    extract: Extract, hints: dict[str, str], expected: DocumentFormat
) -> None:
    assert text_of(extract(MEMO.encode(), **hints)).format == expected


def test_a_page_in_utf_16_is_a_page(extract: Extract) -> None:
    assert text_of(extract(HTML.encode("utf-16"))).format == DocumentFormat.HTML


def test_a_name_that_isnt_unicode_harms_nothing(extract: Extract) -> None:
    assert extract(MEMO.encode(), file_name="Prix \udce9lev\udce9s.txt").format == DocumentFormat.TEXT
    assert extract(MEMO.encode(), file_name="a" * 100_000 + ".eml").format == DocumentFormat.EML


def test_text_with_the_marks_of_markdown_is_markdown(extract: Extract) -> None:
    assert extract(b"# Lease\n\n## Parties\n\nA [map](map.png) is attached.\n").format == DocumentFormat.MARKDOWN
    assert extract(b"# Lease\n\n## Parties\n", file_name="a.txt").format == DocumentFormat.TEXT
