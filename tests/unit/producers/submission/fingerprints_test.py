"""By what a repeated submission is known: what its client said, whichever release reads it."""

from typing import ClassVar
from uuid import UUID

from infrastructure.postgres.documents.uploads import UploadedVersion
from producers.submission.submitter import JobOptions, new_job
from schemas.commands import Command
from schemas.documents import DocumentFields
from schemas.search import AllTerms, Phrase

TENANT = UUID(int=1)
KEYED = JobOptions(idempotency_key="monday")


class Greet(Command):
    kind: ClassVar[str] = "fingerprints.greet"
    queue: ClassVar[str] = "ai"

    name: str
    match: AllTerms | Phrase | None = None


class GreetAsTheNextReleaseDoes(Greet):
    aloud: bool = False
    document: str | None = None


def _fingerprint(command: Command) -> bytes | None:
    return new_job(TENANT, command, KEYED).body_hash


def test_a_field_that_a_later_release_adds_makes_no_repeated_request_another_one() -> None:
    said = {"name": "Ada"}

    assert _fingerprint(Greet.model_validate(said)) == _fingerprint(GreetAsTheNextReleaseDoes.model_validate(said))


def test_another_value_is_another_request() -> None:
    said = [
        {"name": "Ada"},
        {"name": "Bea"},
        {"name": "Ada", "match": {"op": "all_terms", "text": "rent"}},
        {"name": "Ada", "match": {"op": "phrase", "text": "rent"}},
    ]

    assert len({_fingerprint(Greet.model_validate(one)) for one in said}) == len(said)


def test_a_submission_without_a_key_has_no_fingerprint() -> None:
    assert new_job(TENANT, Greet(name="Ada")).body_hash is None


def test_an_upload_is_known_by_what_is_said_about_it() -> None:
    class NextFields(DocumentFields):
        confidential: bool = False

    fields, next_fields = DocumentFields.model_construct(title="Lease"), NextFields.model_construct(title="Lease")

    assert _of_upload(fields) == _of_upload(next_fields)
    assert _of_upload(fields) != _of_upload(DocumentFields.model_construct(title="Deed"))


def _of_upload(fields: DocumentFields) -> bytes:
    return UploadedVersion(
        document_id="lease",
        cell="cell",
        digest=b"digest",
        size_bytes=1,
        stored_bytes=1,
        media_type="text/plain",
        file_name=None,
        original_key=None,
        text=None,
        fields=fields,
        profile="default",
    ).fingerprint
