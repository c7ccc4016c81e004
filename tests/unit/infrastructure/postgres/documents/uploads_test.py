"""What becomes of a version, by the document as it stands."""

from dataclasses import replace

import pytest

from infrastructure.postgres.documents.etags import UNCONDITIONAL, Precondition
from infrastructure.postgres.documents.uploads import (
    Add,
    Keep,
    Refuse,
    Standing,
    UploadedVersion,
    compared,
    decide,
    decide_all,
)
from schemas.documents import DocumentFields, VersionState

FIELDS = DocumentFields(title="Lease", tags=("a", "b"), metadata={"by": ["Ada"]})
UPLOAD = UploadedVersion(
    document_id="lease",
    cell="c",
    digest=b"one",
    size_bytes=3,
    stored_bytes=87,
    media_type="text/plain",
    file_name=None,
    original_key=None,
    text=None,
    fields=FIELDS,
    profile="default",
)
STANDING = Standing(4, "4-x", b"one", VersionState.READY, compared(FIELDS))


@pytest.mark.parametrize(
    ("standing", "decision"),
    [
        (None, Add(1, is_another=True)),
        (STANDING, Keep(4)),
        (replace(STANDING, state=VersionState.IMPORTING), Keep(4)),
        (replace(STANDING, state=VersionState.FAILED), Add(5, is_another=False)),
        (replace(STANDING, digest=b"two"), Add(5, is_another=False)),
        (replace(STANDING, digest=b""), Add(5, is_another=False)),
        (replace(STANDING, fields=compared(FIELDS.model_copy(update={"tags": ("b", "a")}))), Add(5, is_another=False)),
        (replace(STANDING, edition=None), Add(5, is_another=True)),
    ],
)
def test_the_same_again_is_kept_and_all_else_is_added(standing: Standing | None, decision: Keep | Add) -> None:
    assert decide(UPLOAD, standing, UNCONDITIONAL) == decision


def test_a_precondition_comes_before_the_content() -> None:
    assert decide(UPLOAD, STANDING, Precondition(if_match=('"3-x.y"',))) == Refuse()
    assert decide(UPLOAD, STANDING, Precondition(if_match=('"4-x.y"',))) == Keep(4)


def test_versions_of_one_document_in_a_batch_follow_each_other() -> None:
    other = replace(UPLOAD, digest=b"two")
    wanted = [("lease", UPLOAD), ("new", UPLOAD), ("lease", other), ("lease", other), ("lease", UPLOAD)]

    assert decide_all(wanted, {"lease": STANDING}, UNCONDITIONAL) == [
        Keep(4),
        Add(1, is_another=True),
        Add(5, is_another=False),
        Keep(5),
        Add(6, is_another=False),
    ]


def test_an_idempotency_key_stands_for_what_was_sent_and_not_for_how_it_was_stored() -> None:
    assert UPLOAD.fingerprint == replace(UPLOAD, cell="d", stored_bytes=90).fingerprint
    for changed in ({"digest": b"two"}, {"document_id": None}, {"file_name": "a"}, {"profile": "archive"}):
        assert replace(UPLOAD, **changed).fingerprint != UPLOAD.fingerprint, changed
