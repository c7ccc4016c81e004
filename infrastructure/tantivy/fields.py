"""What an index holds of a document.

`title` and `body` hold the words as they are written, without case and accents, for phrases, prefixes and exact
matches. Beside them `title_en`, `body_en`, `title_de` and so on hold their stems, each document in its own language's
fields only, so that a stemmer never sees a foreign language.

What is stored is enough to make the whole document again: one generation is brought up to date from another.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from hashlib import blake2b
from typing import Any

from tantivy import Document, Occur, Query, Schema, SchemaBuilder

from infrastructure.ports.search import IndexedDocument
from infrastructure.tantivy.calendar import PERIODS, period_field, period_number
from infrastructure.tantivy.words import FOLDED, STEMMED, composed, folded, language_alone, stemmed_language

SCHEMA_VERSION = 2
"""Raise it with any change here: an index of another version is rebuilt."""

TOMBSTONE = "-"
Fields = Mapping[str, Any]
"""What is stored of a document."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MOMENT = timedelta(microseconds=1)


def stems_field(name: str, language: str) -> str:
    return f"{name}_{language}"


def _schema() -> Schema:
    builder = SchemaBuilder()
    builder.add_text_field("id", stored=True, tokenizer_name="raw", index_option="basic")
    builder.add_integer_field("key", indexed=True, fast=True)
    builder.add_integer_field("version", stored=True, fast=True)
    builder.add_integer_field("sequence", fast=True)
    for name in ("title", "body"):
        builder.add_text_field(name, stored=True, tokenizer_name=FOLDED)
        for language in STEMMED:
            builder.add_text_field(stems_field(name, language), tokenizer_name=language, index_option="freq")
    builder.add_text_field("heading", fast=True, tokenizer_name="raw", index_option="basic")
    for name in ("document_type", "industry", "media_type", "tags"):
        builder.add_text_field(name, stored=True, fast=True, tokenizer_name="raw", index_option="basic")
    builder.add_text_field("language", stored=True, tokenizer_name="raw", index_option="basic")
    builder.add_text_field("language_alone", fast=True, tokenizer_name="raw", index_option="basic")
    # Tantivy's own dates are cut to seconds where they are compared.
    for name in ("created_at", "updated_at", "characters", "pages"):
        builder.add_integer_field(name, stored=True, indexed=True, fast=True)
    for period in PERIODS:
        builder.add_integer_field(period_field(period), fast=True)
    return builder.build()


SCHEMA = _schema()


def every_document() -> Query:
    """All but what is remembered of deleted ones, which has no time."""
    return Query.exists_query("created_at")


def tombstones() -> Query:
    return Query.boolean_query([(Occur.Must, Query.all_query()), (Occur.MustNot, every_document())])


def tombstone_id(document_id: str) -> str:
    """The id of what is kept of a deleted document. Documents' own ids begin with a letter or a digit."""
    return f"{TOMBSTONE}{document_id}"


def key_of(document_id: str) -> int:
    """A number that stands for the id: ids themselves can't be read from an index without reading whole documents."""
    return int.from_bytes(blake2b(document_id.encode(), digest_size=8).digest(), signed=True)


def microseconds(moment: datetime) -> int:
    return (moment - _EPOCH) // _MOMENT


def moment(microseconds: int) -> datetime:
    return _EPOCH + microseconds * _MOMENT


def fields_of(document: IndexedDocument) -> Fields:
    """What is stored of it. Deriving the rest is left to those who write it."""
    return {
        "id": document.document_id,
        "version": document.version,
        "title": composed(document.title),
        "body": composed(document.text),
        "document_type": document.document_type,
        "industry": document.industry,
        "media_type": document.media_type,
        "tags": list(document.tags),
        "language": document.language,
        "created_at": microseconds(document.created_at),
        "updated_at": microseconds(document.updated_at),
        "characters": document.characters,
        "pages": document.pages,
    }


def fields_in(stored: Document) -> Fields:
    """What `fields_of` said of a document, read back."""
    single = {name: stored.get_first(name) for name in _SINGLE}
    return {**single, "tags": stored.get_all("tags")}


_SINGLE = (
    *("id", "version", "title", "body", "document_type", "industry", "media_type", "language"),
    *("created_at", "updated_at", "characters", "pages"),
)


def to_index(fields: Fields, sequence: int) -> Document:
    """The document with all that is derived of it. `sequence` says which write of the index it came with."""
    given = {name: value for name, value in fields.items() if value is not None}
    return Document.from_dict({**given, **_derived(fields), "sequence": sequence}, SCHEMA)


def to_tombstone(document_id: str, version: int, sequence: int) -> Document:
    """What remembers that the version was deleted. It has nothing that a query looks for."""
    return Document.from_dict({"id": tombstone_id(document_id), "version": version, "sequence": sequence}, SCHEMA)


def _derived(fields: Fields) -> dict[str, Any]:
    derived: dict[str, Any] = {"key": key_of(fields["id"]), "heading": " ".join(folded().analyze(fields["title"]))}
    created = moment(fields["created_at"]).date()
    derived |= {period_field(period): period_number(period, created) for period in PERIODS}
    if tag := fields["language"]:
        # Found by the whole tag and by its language alone.
        derived |= {"language": list(dict.fromkeys((tag, language_alone(tag)))), "language_alone": language_alone(tag)}
    if language := stemmed_language(tag):
        derived |= {stems_field(name, language): fields[name] for name in ("title", "body")}
    return derived
