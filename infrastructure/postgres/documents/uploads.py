"""What is accepted, and the decision what becomes of it: pure, between the rows that were read and those to write."""

import base64
import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

from infrastructure.key_vault.sealed import Sealed
from infrastructure.postgres.documents.etags import Precondition
from schemas.documents import DocumentFields, VersionState

UNSEEN = ""
"""The edition of a document that nobody has seen yet."""


@dataclass(frozen=True, slots=True)
class UploadedVersion:
    """A version whose original is stored already, or that came as text."""

    document_id: str | None
    """None: it becomes a new document, whose id is made."""
    cell: str
    digest: bytes
    """SHA-256 of the original's bytes."""
    size_bytes: int
    stored_bytes: int
    """Of all ciphertexts."""
    media_type: str
    file_name: str | None = field(repr=False)
    original_key: Sealed | None
    """None: its text is its original."""
    text: Sealed | None
    fields: DocumentFields = field(repr=False)
    profile: str
    idempotency_key: str | None = None

    @property
    def seals(self) -> list[bytes]:
        """Its ciphertexts, all of which must be under the tenant's active key."""
        return [one.ciphertext for one in (self.original_key, self.text) if one is not None]

    @property
    def fingerprint(self) -> bytes:
        """Of what the client sent, so that an idempotency key isn't used for something else."""
        sent = [
            self.document_id,
            base64.b64encode(self.digest).decode(),
            self.media_type,
            self.file_name,
            self.fields.model_dump(mode="json", exclude_defaults=True),
            self.profile,
        ]
        return sha256(json.dumps(sent, sort_keys=True).encode()).digest()


@dataclass(frozen=True, slots=True)
class Standing:
    """A document as it stands when a version of it is accepted. Its row is locked."""

    version: int
    edition: str | None
    """As in its entity tag; None: it was deleted."""
    digest: bytes
    state: VersionState
    fields: tuple[Any, ...] = field(repr=False)


@dataclass(frozen=True, slots=True)
class Refuse:
    """The request's precondition isn't met."""


@dataclass(frozen=True, slots=True)
class Keep:
    """There is nothing new in it: the version stays the newest."""

    version: int


@dataclass(frozen=True, slots=True)
class Add:
    """It becomes the version of this number."""

    version: int
    is_another: bool
    """Whether the tenant has one more document than before."""


Decision = Refuse | Keep | Add


def decide(uploaded: UploadedVersion, standing: Standing | None, precondition: Precondition) -> Decision:
    """What becomes of a version, given its document; None: there is none yet.

    The same content again is the same version, unless that one couldn't be read: then it is tried once more.
    """
    if not precondition.met_by(None if standing is None else standing.edition):
        return Refuse()
    if standing is None:
        return Add(1, is_another=True)
    same = (standing.digest, standing.fields) == (uploaded.digest, compared(uploaded.fields))
    if same and standing.edition is not None and standing.state is not VersionState.FAILED:
        return Keep(standing.version)
    return Add(standing.version + 1, is_another=standing.edition is None)


def decide_all(
    wanted: Iterable[tuple[str, UploadedVersion]], documents: Mapping[str, Standing], precondition: Precondition
) -> list[Keep | Add] | None:
    """What becomes of each, by their documents' ids and in order; None if one is refused."""
    standing = dict(documents)
    decisions: list[Keep | Add] = []
    for document_id, uploaded in wanted:
        decision = decide(uploaded, standing.get(document_id), precondition)
        if isinstance(decision, Refuse):
            return None
        if isinstance(decision, Add):
            standing[document_id] = _after(uploaded, decision)
        decisions.append(decision)
    return decisions


def _after(uploaded: UploadedVersion, added: Add) -> Standing:
    return Standing(added.version, UNSEEN, uploaded.digest, VersionState.IMPORTING, compared(uploaded.fields))


def compared(fields: DocumentFields) -> tuple[Any, ...]:
    """The fields in the order in which they are read of a row."""
    return (
        fields.title,
        fields.document_type,
        fields.industry,
        fields.language,
        list(fields.tags),
        fields.metadata,
    )
