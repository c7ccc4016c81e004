"""Handles IndexDocument and IndexDocuments: indexes stored documents, and others that it stores first. Both are safe to
repeat, and index what is stored, so that an index can always be rebuilt from the store."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from events.envelope import DomainEvent
from events.search import DocumentIndexed, DocumentsIndexed, NotIndexed
from infrastructure.ports import Refused, Unavailable
from infrastructure.ports.search import IndexedDocument, Marked, StoredDocument, Unreadable
from kinds.run import Run, Then
from monitoring.metrics import indexing as metrics
from monitoring.metrics.indexing import Outcome
from schemas.documents import DocumentRef
from schemas.problems import Problem
from schemas.search import IndexDocument, IndexDocuments, MatchSavedSearches, SentDocument
from workers.search.already_there import not_there_yet
from workers.search.writing import Indexing, write_as_they_stand

PLAIN_TEXT: Final = "text/plain"

UNREADABLE: Final = Refused(
    Problem.of(
        "document-damaged",
        "The document's text can't be opened",
        500,
        "It isn't as it was stored. Send the document again.",
    )
)

Source = DocumentRef | SentDocument
Failure = Refused | Unavailable
E = TypeVar("E", bound=DomainEvent)


@dataclass(slots=True)
class _Tally:
    """What has come of a job's documents so far."""

    versions: dict[str, int] = field(default_factory=dict)
    """Of those that are indexed, or that newer content stands of."""
    written: set[str] = field(default_factory=set)
    superseded: int = 0
    failures: dict[str, Failure] = field(default_factory=dict)
    to_match: list[DocumentRef] = field(default_factory=list)
    """Documents that saved searches may find now."""

    def supersede(self, document_id: str, version: int) -> None:
        self.versions[document_id] = version
        self.superseded += 1

    def count(self) -> None:
        refused = sum(isinstance(one, Refused) for one in self.failures.values())
        metrics.documents_ended(Outcome.INDEXED, len(self.written))
        metrics.documents_ended(Outcome.SUPERSEDED, self.superseded)
        metrics.documents_ended(Outcome.REFUSED, refused)
        metrics.documents_ended(Outcome.DELAYED, len(self.failures) - refused)


async def index_document(command: IndexDocument, run: Run, indexing: Indexing) -> DocumentIndexed | Then:
    """The document, once it can be found. Raises what kept it from that."""
    source = command.source
    tally = await _index_all([source], run, indexing)
    for failure in tally.failures.values():
        raise failure
    document_id = id_of(source)
    indexed = DocumentIndexed(
        document_id=document_id, version=tally.versions[document_id], superseded=tally.superseded > 0
    )
    return _then_match(indexed, tally)


async def index_documents(command: IndexDocuments, run: Run, indexing: Indexing) -> DocumentsIndexed | Then:
    """All that can be found now, and what can't. Raises Unavailable when some have to be tried again: the others stay as they
    are, and aren't written again."""
    sources = {id_of(one): one for one in command.documents}  # The last of each id counts.
    tally = await _index_all(list(sources.values()), run, indexing)
    for failure in tally.failures.values():
        if isinstance(failure, Unavailable):
            raise failure
    refused = {name: one.problem for name, one in tally.failures.items() if isinstance(one, Refused)}
    indexed = DocumentsIndexed(
        indexed=len(tally.written),
        superseded=tally.superseded + len(command.documents) - len(sources),
        failed=len(refused),
        failures=tuple(NotIndexed(document_id=name, problem=problem.bounded()) for name, problem in refused.items()),
    )
    return _then_match(indexed, tally)


def id_of(source: Source) -> str:
    return source.id if isinstance(source, DocumentRef) else source.document_id


async def _index_all(sources: Sequence[Source], run: Run, indexing: Indexing) -> _Tally:
    """Stores and marks all first, with the same few statements for all of them, and then hands them to the engine."""
    tally = _Tally()
    sent = [one for one in sources if isinstance(one, SentDocument)]
    refs = [one for one in sources if isinstance(one, DocumentRef)]
    stored = await _stored(sent, run, indexing, tally) if sent else []
    marked = await _marked(refs, run, indexing, tally) if refs else []
    if stored:
        await _write(stored, run, indexing, tally)
    if marked:
        async for some in indexing.documents.of(run.tenant_id, marked):
            readable = [one for one in some if isinstance(one, IndexedDocument)]
            tally.failures |= {one.document_id: UNREADABLE for one in some if isinstance(one, Unreadable)}
            await _write(readable, run, indexing, tally)
        # It was deleted or taken out since it was marked, and whoever did that sees to the index.
        tally.superseded += sum(name not in tally.failures and name not in tally.written for name in marked)
    tally.count()
    return tally


async def _stored(sent: Sequence[SentDocument], run: Run, indexing: Indexing, tally: _Tally) -> list[IndexedDocument]:
    """Those that are to be written, in their versions."""
    outcomes = await indexing.documents.store(run.tenant_id, run.job_id, sent)
    to_write = []
    for document, outcome in zip(sent, outcomes, strict=True):
        match outcome:
            case Refused():
                tally.failures[document.document_id] = outcome
            case StoredDocument(superseded=True, version=version):
                tally.supersede(document.document_id, version)
            case StoredDocument():
                to_write.append(to_index(document, outcome))
    return to_write


async def _marked(refs: Sequence[DocumentRef], run: Run, indexing: Indexing, tally: _Tally) -> list[str]:
    """The ids of those that are to be written."""
    outcomes = await indexing.documents.mark(run.tenant_id, run.job_id, refs)
    to_write = []
    for ref, outcome in zip(refs, outcomes, strict=True):
        match outcome:
            case Marked(superseded=True, version=version):
                tally.supersede(ref.id, version)
            case Marked(version=version):
                tally.versions[ref.id] = version
                to_write.append(ref.id)
            case failure:
                tally.failures[ref.id] = failure
    return to_write


async def _write(documents: Sequence[IndexedDocument], run: Run, indexing: Indexing, tally: _Tally) -> None:
    left = documents if run.attempt == 1 else await not_there_yet(documents, run.tenant_id, indexing.engine)
    written = await write_as_they_stand(left, run, indexing)
    tally.failures |= written.failures
    done = [one for one in documents if one.document_id not in written.failures]
    tally.versions |= {one.document_id: one.version for one in done}
    tally.written |= {one.document_id for one in done}
    if written.has_saved_searches:
        tally.to_match += [DocumentRef(id=one.document_id, version=one.version) for one in done]


def _then_match(indexed: E, tally: _Tally) -> E | Then:
    """The result, and the job that looks for saved searches which it matches: no slow or faulty one keeps a document from
    being found, or has it written again."""
    if not tally.to_match:
        return indexed
    return Then(indexed, (MatchSavedSearches(documents=tuple(tally.to_match)),))


def to_index(document: SentDocument, stored: StoredDocument) -> IndexedDocument:
    """The document as indexed, text included: the schema says why."""
    return IndexedDocument(
        document_id=document.document_id,
        version=stored.version,
        title=document.title,
        text=document.text,
        document_type=document.document_type,
        industry=document.industry,
        language=document.language,
        tags=document.tags,
        created_at=stored.created_at,
        updated_at=stored.updated_at,
        media_type=PLAIN_TEXT,
        removals=stored.removals,
    )
