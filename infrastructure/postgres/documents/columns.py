"""What is shown of a document and of a version, as columns to select and as models of their rows."""

from base64 import b64encode
from typing import Any, Final

from sqlalchemy import ColumnElement, FromClause, RowMapping, Text, and_, func, literal_column
from sqlalchemy.dialects.postgresql import JSONB

from infrastructure.postgres.documents.states import NOT_IMPORTED, problem_of, state_of
from infrastructure.postgres.tables.documents import document_versions, documents
from schemas.documents import Document, DocumentVersion, VersionState

newest = document_versions.alias("newest")
current = document_versions.alias("current")

TITLE: Final = func.coalesce(
    documents.c.title, current.c.title, current.c.file_name, newest.c.file_name, documents.c.document_id
)
LANGUAGE: Final = func.coalesce(documents.c.language, current.c.language)

NEWEST_STATE: Final = literal_column(state_of(newest.name), Text)

_VERSION: Final = tuple(DocumentVersion.model_fields)
_OWN: Final = (
    "version",
    "current_version",
    "document_type",
    "industry",
    "tags",
    "metadata",
    "created_at",
    "updated_at",
    "deleted_at",
)
_NEWEST: Final = "newest_"


def _version_columns(versions: FromClause, name: str, prefix: str = "") -> tuple[ColumnElement[Any], ...]:
    """What is shown of a version, of the table or alias that goes by this name."""
    derived: dict[str, ColumnElement[Any]] = {
        "state": literal_column(state_of(name), Text),
        "problem": literal_column(problem_of(name), JSONB),
    }
    return tuple([derived.get(one, versions.c[one]).label(prefix + one) for one in _VERSION])


DOCUMENT: Final[tuple[ColumnElement[Any], ...]] = (
    documents.c.document_id.label("id"),
    TITLE.label("title"),
    LANGUAGE.label("language"),
    *(documents.c[name] for name in _OWN),
    *_version_columns(newest, newest.name, _NEWEST),
)
VERSION: Final = _version_columns(document_versions, document_versions.name)


def documents_with_versions() -> FromClause:
    """Each document beside its newest version, and its current one if it has any."""
    with_newest = documents.join(newest, _is_version(newest, documents.c.version))
    return with_newest.outerjoin(current, _is_version(current, documents.c.current_version))


def document_of(row: RowMapping) -> Document:
    own = {name: row[name] for name in ("id", "title", "language", *_OWN)}
    return Document.model_validate({**own, "newest": _version(row, _NEWEST)})


def version_of(row: RowMapping) -> DocumentVersion:
    return DocumentVersion.model_validate(_version(row))


def _version(row: RowMapping, prefix: str = "") -> dict[str, Any]:
    shown = {name: row[prefix + name] for name in _VERSION} | {"digest": digest_shown(row[prefix + "digest"])}
    if shown["state"] == VersionState.FAILED and shown["problem"] is None:
        shown["problem"] = NOT_IMPORTED
    return shown


def digest_shown(digest: bytes) -> str | None:
    """As in the header Content-Digest; None for a version of which none was made, or whose content was removed."""
    return f"sha-256=:{b64encode(digest).decode()}:" if digest else None


def _is_version(versions: Any, number: ColumnElement[Any]) -> ColumnElement[bool]:
    return and_(
        versions.c.tenant_id == documents.c.tenant_id,
        versions.c.document_id == documents.c.document_id,
        versions.c.version == number,
    )
