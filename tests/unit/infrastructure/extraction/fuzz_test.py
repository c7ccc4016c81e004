"""Whatever becomes of a real file's bytes, its outcome is one of those that are declared."""

import zipfile
from collections.abc import Callable
from io import BytesIO

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from infrastructure.ports.extraction import Extracted, NotExtracted
from tests.unit.infrastructure.extraction.conftest import Extract
from tests.unit.infrastructure.extraction.producers import (
    HTML,
    docx,
    email,
    made_by_libreoffice,
    odt,
    pdf,
    pptx,
    xlsx,
)

MUTATIONS = st.lists(
    st.tuples(
        st.sampled_from(["flip", "cut", "insert", "repeat", "remove"]),
        st.floats(0, 1, exclude_max=True),
        st.integers(1, 200),
        st.binary(min_size=1, max_size=20),
    ),
    min_size=1,
    max_size=6,
)
Mutations = list[tuple[str, float, int, bytes]]
FUZZED = settings(
    max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


def mutated(content: bytes, mutations: Mutations) -> bytes:
    for kind, place, length, data in mutations:
        at = int(place * len(content))
        before, part, after = content[:at], content[at : at + length], content[at + length :]
        content = {
            "flip": before + bytes(byte ^ data[0] for byte in part) + after,
            "cut": before,
            "insert": before + data + part + after,
            "repeat": before + part * min(length, 50) + after,
            "remove": before + after,
        }[kind]
    return content


def mutated_inside(package: bytes, part: float, mutations: Mutations) -> bytes:
    """The package is sound; one of its parts isn't."""
    made = BytesIO()
    with zipfile.ZipFile(BytesIO(package)) as old, zipfile.ZipFile(made, "w", zipfile.ZIP_DEFLATED) as new:
        entries = old.infolist()
        chosen = entries[int(part * len(entries))]
        for entry in entries:
            content = old.read(entry)
            new.writestr(entry.filename, mutated(content, mutations) if entry is chosen else content)
    return made.getvalue()


def has_a_declared_outcome(extract: Extract, content: bytes) -> None:
    outcome = extract(content)

    match outcome:
        case Extracted():
            assert "\x00" not in outcome.text
            outcome.text.encode()
            assert all(0 <= offset <= outcome.characters for offset in outcome.page_offsets)
            assert all(0 <= heading.offset <= outcome.characters for heading in outcome.headings)
        case NotExtracted():
            assert outcome.problem.detail
            assert 400 <= outcome.problem.status < 500


WHOLE = {
    "pdf": pdf,
    "docx": docx,
    "pptx": pptx,
    "xlsx": xlsx,
    "odt": odt,
    "rtf": lambda: made_by_libreoffice("werkvertrag.rtf"),
    "eml": lambda: email([("a.pdf", b"%PDF")]).as_bytes(),
    "html": HTML.encode,
}


@pytest.mark.parametrize("whole", WHOLE.values(), ids=WHOLE)
def test_a_mutated_file_has_a_declared_outcome(extract: Extract, whole: Callable[[], bytes]) -> None:
    content = whole()

    @FUZZED
    @given(MUTATIONS)
    def check(mutations: Mutations) -> None:
        has_a_declared_outcome(extract, mutated(content, mutations))

    check()


@pytest.mark.parametrize("whole", [docx, pptx, xlsx, odt])
def test_a_package_with_a_mutated_part_has_a_declared_outcome(extract: Extract, whole: Callable[[], bytes]) -> None:
    package = whole()

    @FUZZED
    @given(st.floats(0, 1, exclude_max=True), MUTATIONS)
    def check(part: float, mutations: Mutations) -> None:
        has_a_declared_outcome(extract, mutated_inside(package, part, mutations))

    check()


@FUZZED
@given(
    beginning=st.sampled_from(
        [b"", b"%PDF-1.7\n", b"{\\rtf1", b"PK\x03\x04", b"<html>", b"Received: a\n", b"\xff\xfe"]
    ),
    rest=st.binary(max_size=500),
)
def test_any_bytes_have_a_declared_outcome(extract: Extract, beginning: bytes, rest: bytes) -> None:
    has_a_declared_outcome(extract, beginning + rest)
