"""Lists documents and shows what is kept of each."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any
from uuid import UUID

from pydantic import Field
from pydantic_core import from_json

from api.endpoint import Call, Empty
from api.http import problems
from api.http.conditional import unless_known
from api.http.entity_tags import is_known
from api.http.pagination import PageQuery, page_of
from api.http.responses import UNSHARED, Answer, json_answer
from api.routes.documents.acceptance import WHAT
from infrastructure.key_vault.cells import facts_cell
from infrastructure.postgres.documents import listing, queries
from infrastructure.postgres.documents.etags import etag
from infrastructure.postgres.documents.listing import DocumentFilters, Position
from infrastructure.postgres.documents.queries import SealedFinding
from schemas.documents import (
    Document,
    DocumentFacts,
    DocumentFinding,
    DocumentPage,
    DocumentVersions,
    Label,
    LanguageTag,
    VersionNumber,
    VersionState,
)
from schemas.jobs import JobPage
from schemas.model import Model
from schemas.timestamps import Moment

TIME_BYTES = 8
NEWEST_VERSION = 2**53 + 1
MICROSECOND = timedelta(microseconds=1)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class _LongCursor(Model):
    limit: Annotated[int, Field(ge=1, le=200)] = 50
    cursor: Annotated[str, Field(max_length=400)] | None = None
    """`next_cursor` of the previous page, with the same filters."""


class DocumentQuery(_LongCursor):
    document_type: Label | None = None
    industry: Label | None = None
    language: LanguageTag | None = None
    """As its author says, or as it was detected."""
    tag: Label | None = None
    """One that it has."""
    state: VersionState | None = None
    """Of its newest version."""
    created_from: Moment | None = None
    created_before: Moment | None = None
    updated_from: Moment | None = None
    updated_before: Moment | None = None
    deleted: bool = False
    """Whether deleted ones are listed too. Of them only the id, the version numbers and what was said about them are left."""


@dataclass(frozen=True, slots=True)
class _Found:
    """A finding, which the list goes on after by its job's id."""

    id: UUID
    finding: DocumentFinding


class FactsQuery(PageQuery):
    version: VersionNumber | None = None
    """Only what was found in this version."""


async def list_documents(call: Call[Empty, DocumentQuery]) -> Answer:
    """The newest first. A page may have fewer than `limit` and still be followed by another, where few match."""
    query, cursors = call.query, call.ingress.cursors
    scope = f"documents {query.model_dump_json(exclude={'limit', 'cursor'})}"
    after = None if query.cursor is None else _position(cursors.read_bytes(call.tenant_id, scope, query.cursor))
    filters = DocumentFilters(
        document_type=query.document_type,
        industry=query.industry,
        language=query.language,
        tags=() if query.tag is None else (query.tag,),
        state=query.state,
        created_from=query.created_from,
        created_before=query.created_before,
        updated_from=query.updated_from,
        updated_before=query.updated_before,
        deleted=query.deleted,
    )
    page = await call.orm.run(listing.page, filters, after=after, limit=query.limit)
    following = None if page.next is None else cursors.sign_bytes(call.tenant_id, scope, _packed(page.next))
    answer = json_answer(200, DocumentPage(documents=page.documents, next_cursor=following), UNSHARED)
    return unless_known(answer, call.headers.get("if-none-match"))


def _packed(position: Position) -> bytes:
    return ((position.created_at - EPOCH) // MICROSECOND).to_bytes(
        TIME_BYTES, signed=True
    ) + position.document_id.encode()


def _position(packed: bytes) -> Position:
    created_at = EPOCH + int.from_bytes(packed[:TIME_BYTES], signed=True) * MICROSECOND
    return Position(created_at, packed[TIME_BYTES:].decode())


async def show_document(call: Call[Empty, Empty]) -> Answer:
    document = await existing(call)
    tag = etag(document)
    if is_known(call.headers.get("if-none-match"), tag):
        return Answer(304, headers=((b"etag", tag.encode()), UNSHARED))
    return json_answer(200, document, UNSHARED, (b"etag", tag.encode()))


async def existing(call: Call[Any, Any]) -> Document:
    """The document in the path. Raises a Refusal (404) when it isn't there, was deleted, or is another tenant's."""
    document = await call.orm.run(queries.document, call.path["id"])
    if document is None or document.deleted_at is not None:
        raise problems.not_found(WHAT)
    return document


async def list_versions(call: Call[Empty, PageQuery]) -> Answer:
    document, query = await existing(call), call.query
    cursors, scope = call.ingress.cursors, f"versions of {document.id}"
    before = NEWEST_VERSION if query.cursor is None else cursors.read(call.tenant_id, scope, query.cursor).int
    found = await call.orm.run(queries.versions, document.id, before=before, limit=query.limit + 1)
    page = tuple(found[: query.limit])
    more = len(found) > query.limit
    following = cursors.sign(call.tenant_id, scope, UUID(int=page[-1].version)) if more else None
    answer = json_answer(200, DocumentVersions(versions=page, next_cursor=following), UNSHARED)
    return unless_known(answer, call.headers.get("if-none-match"))


async def show_version(call: Call[Empty, Empty]) -> Answer:
    document = await existing(call)
    number = call.path["n"]
    version = None
    if number.isascii() and number.isdigit() and len(number) <= len(str(NEWEST_VERSION)):
        version = await call.orm.run(queries.version, document.id, int(number))
    if version is None:
        raise problems.not_found("version")
    return unless_known(json_answer(200, version, UNSHARED), call.headers.get("if-none-match"))


async def list_facts(call: Call[Empty, FactsQuery]) -> Answer:
    document, number = await existing(call), call.query.version

    async def read(before: UUID, limit: int) -> list[_Found]:
        found = await call.orm.run(queries.facts, document.id, number=number, before=before, limit=limit)
        return [await _opened(call, one) for one in found]

    page, cursor = await page_of(call, f"facts of {number} of {document.id}", read)
    answer = json_answer(200, DocumentFacts(facts=tuple(one.finding for one in page), next_cursor=cursor), UNSHARED)
    return unless_known(answer, call.headers.get("if-none-match"))


async def _opened(call: Call[Any, Any], sealed: SealedFinding) -> _Found:
    text = await call.ingress.sealer.open(facts_cell(call.tenant_id, sealed.cell), sealed.facts)
    finding = DocumentFinding(
        version=sealed.version,
        job_id=sealed.job_id,
        kind=sealed.kind,
        found_at=sealed.found_at,
        facts=from_json(text),
    )
    return _Found(sealed.job_id, finding)


async def list_jobs(call: Call[Empty, PageQuery]) -> Answer:
    """Of a deleted document too: its removal is one of them."""
    document_id = call.path["id"]
    if await call.orm.run(queries.document, document_id) is None:
        raise problems.not_found(WHAT)
    page, cursor = await page_of(
        call,
        f"jobs of {document_id}",
        lambda before, limit: call.orm.run(queries.jobs_of, document_id, before=before, limit=limit),
    )
    answer = json_answer(200, JobPage(jobs=page, next_cursor=cursor), UNSHARED)
    return unless_known(answer, call.headers.get("if-none-match"))
