"""Changes of an index: each takes effect unless the index has a newer one of the same document."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path
from typing import Self

from tantivy import DocAddress, Document, FieldType, Index, Occur, Query, Searcher

from infrastructure.ports import Refused
from infrastructure.ports.search import IndexedDocument
from infrastructure.tantivy.fields import (
    SCHEMA,
    TOMBSTONE,
    Fields,
    fields_in,
    fields_of,
    to_index,
    to_tombstone,
    tombstone_id,
    tombstones,
)
from infrastructure.tantivy.words import register_analyzers

WRITER_HEAP_BYTES = 30_000_000
READ_AT_ONCE = 100
LONGEST_ID_BYTES = 512


@dataclass(frozen=True, slots=True)
class Change:
    """A document at a version, or its deletion."""

    document_id: str
    version: int
    fields: Fields | None = field(default=None, repr=False)

    @classmethod
    def of(cls, document: IndexedDocument) -> Self:
        """Refused for one that no index can take."""
        if len(document.document_id.encode(errors="replace")) > LONGEST_ID_BYTES:
            raise Refused(f"a document's id has at most {LONGEST_ID_BYTES} bytes")
        texts = (document.document_id, document.title, document.text, document.document_type, *document.tags)
        if not all(map(_is_unicode, (*texts, document.industry, document.language, document.media_type))):
            raise Refused("the document isn't Unicode text: it has half of a surrogate pair; send it again without")
        return cls(document.document_id, document.version, fields_of(document))

    @property
    def deletes(self) -> bool:
        return self.fields is None

    @property
    def rank(self) -> tuple[int, bool]:
        """What wins of two changes of one document: the newer version, and of one version its deletion."""
        return self.version, self.deletes

    def to_tantivy(self, sequence: int) -> Document:
        if self.fields is None:
            return to_tombstone(self.document_id, self.version, sequence)
        return to_index(self.fields, sequence)


def open_index(path: Path) -> Index:
    """The index in this folder; an empty one if there is none."""
    index = Index(SCHEMA, str(path))
    register_analyzers(index)
    index.config_reader("manual")
    index.reload()
    return index


def newest_sequence(generation: Path) -> int:
    """Of what is committed. All that is written later has a higher one."""
    stamp = json.loads((generation / "meta.json").read_bytes())["opstamp"]
    return int(stamp)


def apply(index: Index, generation: Path, changes: Sequence[Change]) -> None:
    """Commits those that are no older than what the index has of the same document. Needs the right to write."""
    effective = _effective(index.searcher(), changes)
    if effective:
        _commit(index, effective, newest_sequence(generation) + 1)


def copy(index: Index, generation: Path, batches: Iterator[Sequence[Change]]) -> None:
    """Applies changes of another generation, of which there may be many, in one commit."""
    searcher, sequence = index.searcher(), newest_sequence(generation) + 1
    writer = index.writer(WRITER_HEAP_BYTES, 1)
    try:
        for changes in batches:
            for change in _effective(searcher, changes):
                for name in (change.document_id, tombstone_id(change.document_id)):
                    writer.delete_documents_by_term("id", name)
                writer.add_document(change.to_tantivy(sequence))
        writer.commit()
    finally:
        writer.wait_merging_threads()


def changes_since(searcher: Searcher, sequence: int, *, and_all_deletions: bool = False) -> Iterator[Sequence[Change]]:
    """What was written later, as this view of an index has it, in batches."""
    wanted = [Query.range_query(SCHEMA, "sequence", FieldType.Integer, sequence, None, include_lower=False)]
    if and_all_deletions:
        wanted.append(tombstones())
    either = Query.boolean_query([(Occur.Should, query) for query in wanted])
    for offset in count(0, READ_AT_ONCE):
        hits = searcher.search(either, limit=READ_AT_ONCE, offset=offset, count=False).hits
        if not hits:
            return
        yield [_change_in(searcher.doc(address)) for _, address in hits]


def version_of(searcher: Searcher, name: str) -> int:
    """Zero when there is none."""
    hits = searcher.search(Query.term_query(SCHEMA, "id", name), limit=1, count=False).hits
    versions = searcher.fast_field_values("version", _addresses(hits))
    return int(versions[0] or 0) if versions else 0


def _addresses(hits: Sequence[tuple[object, DocAddress]]) -> list[DocAddress]:
    return [address for _, address in hits]


def _is_unicode(text: str | None) -> bool:
    if text is None or text.isascii():
        return True
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _effective(searcher: Searcher, changes: Sequence[Change]) -> list[Change]:
    """The last word on each document, where the index doesn't have it yet."""
    last: dict[str, Change] = {}
    for change in changes:
        known = last.get(change.document_id)
        if known is None or known.rank <= change.rank:
            last[change.document_id] = change
    return [change for change in last.values() if _known_rank(searcher, change.document_id) <= change.rank]


def _known_rank(searcher: Searcher, document_id: str) -> tuple[int, bool]:
    indexed = version_of(searcher, document_id)
    deleted = version_of(searcher, tombstone_id(document_id))
    return max((indexed, False), (deleted, True))


def _commit(index: Index, changes: Sequence[Change], sequence: int) -> None:
    writer = index.writer(WRITER_HEAP_BYTES, 1)
    try:
        for change in changes:
            writer.delete_documents_by_term("id", change.document_id)
            writer.delete_documents_by_term("id", tombstone_id(change.document_id))
            writer.add_document(change.to_tantivy(sequence))
        writer.commit()
    finally:
        writer.wait_merging_threads()  # Without it the merges a commit begins are thrown away and segments pile up.


def _change_in(stored: Document) -> Change:
    name, version = str(stored.get_first("id")), int(str(stored.get_first("version")))
    if name.startswith(TOMBSTONE):
        return Change(name.removeprefix(TOMBSTONE), version)
    return Change(name, version, fields_in(stored))
