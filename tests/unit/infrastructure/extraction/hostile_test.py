"""A bad document is refused for a reason that its owner can do something about, and harms nobody."""

from collections.abc import Callable

import pytest

from infrastructure.ports.extraction import Reason
from tests.unit.infrastructure.extraction import hostile
from tests.unit.infrastructure.extraction.conftest import TIGHT, Extract, reason_of, text_of
from tests.unit.infrastructure.extraction.producers import (
    PARAGRAPH,
    blank_pdf,
    docx,
    locked_pdf,
    made_by_libreoffice,
    odt,
    pdf,
    pptx,
    scanned_pdf,
    xlsx,
)


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (scanned_pdf, Reason.NO_TEXT_LAYER),
        (blank_pdf, Reason.EMPTY),
        (lambda: b"", Reason.EMPTY),
        (lambda: b" \n\n", Reason.EMPTY),
        (lambda: locked_pdf(to_read="secret", to_change="more"), Reason.PASSWORD_PROTECTED),
        (lambda: made_by_libreoffice("locked.pdf"), Reason.PASSWORD_PROTECTED),
        (lambda: made_by_libreoffice("locked.docx"), Reason.PASSWORD_PROTECTED),
        (lambda: made_by_libreoffice("locked.odt"), Reason.PASSWORD_PROTECTED),
        (hostile.laughing_docx, Reason.EXPANDS_TOO_FAR),
        (hostile.laughing_odt, Reason.EXPANDS_TOO_FAR),
        (hostile.laughing_xlsx, Reason.EXPANDS_TOO_FAR),
        (hostile.docx_bomb, Reason.EXPANDS_TOO_FAR),
        (hostile.xlsx_bomb, Reason.EXPANDS_TOO_FAR),
        (hostile.deep_docx, Reason.EXPANDS_TOO_FAR),
        (hostile.crowded_package, Reason.EXPANDS_TOO_FAR),
        (lambda: b"<html>" + b"<div>" * 200_000 + b"goods", Reason.EXPANDS_TOO_FAR),
        (hostile.nested_email, Reason.EXPANDS_TOO_FAR),
        (hostile.email_of_many_parts, Reason.EXPANDS_TOO_FAR),
        (lambda: b"Message-ID: <1@example.org>\n" + b"X-Trace: on\n" * 10_000, Reason.EXPANDS_TOO_FAR),
        (hostile.pdf_of_circling_pages, Reason.DAMAGED),
        (hostile.pdf_of_nested_arrays, Reason.EMPTY),
    ],
)
def test_a_bad_document_is_refused_with_its_reason(
    extract: Extract, content: Callable[[], bytes], reason: Reason
) -> None:
    assert reason_of(extract(content())) == reason


@pytest.mark.parametrize("whole", [pdf, docx, pptx, xlsx, odt])
@pytest.mark.parametrize("share", [0.5, 0.9])
def test_a_file_that_was_cut_off_is_refused_as_damaged(
    extract: Extract, whole: Callable[[], bytes], share: float
) -> None:
    content = whole()

    assert reason_of(extract(content[: int(len(content) * share)])) == Reason.DAMAGED


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (lambda: hostile.pdf_bomb(mib=300), Reason.USED_TOO_MUCH_MEMORY),
        (lambda: hostile.docx_of_many_paragraphs(b"<!-- nothing -->"), Reason.EXPANDS_TOO_FAR),
        (
            lambda: hostile.docx_of_many_paragraphs(b"<w:p><w:r><w:t>Pay at once.</w:t></w:r></w:p>"),
            Reason.TOO_MUCH_TEXT,
        ),
        (lambda: b"{\\rtf1 " + b"{}" * 6_000_000 + b"}", Reason.TOOK_TOO_LONG),
        (lambda: pdf(pages=21, text="Goods"), Reason.TOO_MANY_PAGES),
        (lambda: pptx(slides=21), Reason.TOO_MANY_PAGES),
        ((PARAGRAPH * 10_000).encode, Reason.TOO_MUCH_TEXT),
        (lambda: b"a" * (TIGHT.content_bytes + 1), Reason.TOO_LARGE),
    ],
)
def test_a_document_that_goes_beyond_a_limit_is_refused_by_the_limits_name(
    extract_tightly: Extract, content: Callable[[], bytes], reason: Reason
) -> None:
    assert reason_of(extract_tightly(content())) == reason
    assert text_of(extract_tightly(docx())).title == "Supply agreement"  # The next document meets none of it.


@pytest.mark.parametrize(
    "page",
    [
        b"<" * 2_000_000,
        b"&#x" * 3_000_000,
        b"<!--" * 2_500_000,
        b"<a b='" * 1_500_000,
        b"</p>" * 1_000_000,
        b"<p " + b" ".join(b"a%d=1" % number for number in range(200_000)) + b">",
        b"<!DOCTYPE html [<!ENTITY a 'ha'><!ENTITY b '&a;&a;&a;&a;&a;&a;&a;'>]><p>&b;&b;&b;\xff\xfe\xed\xa0\x80",
        b"<div>" * 4_000 + b"</span>" * 20_000,
    ],
    ids=["brackets", "references", "comments", "attributes", "ends", "one-tag", "entities", "stray-ends"],
)
def test_a_page_that_stops_making_sense_keeps_what_it_said_before(extract: Extract, page: bytes) -> None:
    assert text_of(extract(b"<html><p>before " + page, media_type="text/html")).text.startswith("before")


def test_a_pdf_that_draws_itself_ends_only_its_own_child(extract_tightly: Extract) -> None:
    reason = reason_of(extract_tightly(hostile.pdf_that_draws_itself()))

    assert reason in (Reason.USED_TOO_MUCH_MEMORY, Reason.TOOK_TOO_LONG, Reason.CRASHED)


def test_a_document_reads_no_file_of_the_machine(extract: Extract, tmp_path_factory: pytest.TempPathFactory) -> None:
    secret = tmp_path_factory.mktemp("machine") / "secret.txt"
    secret.write_text("the machine's own secret")

    assert "secret" not in repr(extract(hostile.reaching_docx(str(secret))))


def test_a_refusal_says_nothing_of_the_documents_content(extract: Extract) -> None:
    content = docx(paragraphs=["confidential"])

    outcome = extract(hostile.with_part(content, "word/document.xml", [b"<w:document><confidential>"]))

    assert reason_of(outcome) == Reason.DAMAGED
    assert "confidential" not in repr(outcome)
