"""What an entity tag says, and to whom."""

from datetime import UTC, datetime, timedelta

import pytest

from infrastructure.postgres.documents.etags import Precondition, edition, edition_of, etag
from schemas.documents import Document, DocumentVersion, VersionState

AT = datetime(2026, 11, 30, 15, 0, tzinfo=UTC)


def document(**changed: object) -> Document:
    newest = DocumentVersion(
        version=2, state=VersionState.IMPORTING, media_type="text/plain", size_bytes=1, created_at=AT
    )
    plain = Document(
        id="lease", version=2, title="Lease", document_type="lease", created_at=AT, updated_at=AT, newest=newest
    )
    return plain.model_copy(update=changed)


def test_a_tag_changes_with_whatever_is_shown_and_its_edition_with_what_a_client_changed() -> None:
    imported = document(current_version=2)
    changed = document(updated_at=AT + timedelta(microseconds=1))

    assert len({etag(document()), etag(imported), etag(changed)}) == 3
    assert edition_of(etag(imported)) == edition_of(etag(document())) == edition(2, AT)
    assert edition_of(etag(changed)) != edition(2, AT)


@pytest.mark.parametrize("tag", ["", '"', "2-abc", f'W/"{edition(2, AT)}"', "*"])
def test_what_isnt_a_strong_tag_matches_no_document(tag: str) -> None:
    assert edition_of(tag) is None or edition_of(tag) != edition(2, AT)


@pytest.mark.parametrize(
    ("precondition", "absent", "present"),
    [
        (Precondition(), True, True),
        (Precondition(if_match=("*",)), False, True),
        (Precondition(if_match=('"other"', f'"{edition(2, AT)}.x"')), False, True),
        (Precondition(if_match=('"other"',)), False, False),
        (Precondition(if_match=()), False, False),
        (Precondition(if_none_match_any=True), True, False),
    ],
)
def test_a_precondition_is_met_by_the_documents_it_names(
    precondition: Precondition, absent: bool, present: bool
) -> None:
    assert (precondition.met_by(None), precondition.met_by(edition(2, AT))) == (absent, present)
