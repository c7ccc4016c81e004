"""What an index holds of a document, and how words are made of its text.

`title` and `body` hold the words as they are written, without case and accents, for phrases, prefixes and exact
matches. Beside them `text_en`, `text_de` and so on hold the stems of both, each document in its own language's field
only, so that a stemmer never sees a foreign language.
"""

from tantivy import Document, Filter, Index, Schema, SchemaBuilder, TextAnalyzer, TextAnalyzerBuilder, Tokenizer

from infrastructure.ports.search import IndexedDocument

SCHEMA_VERSION = 1
"""Raise it with any change here: an index of another version is rebuilt."""

STEMMED = {
    "ar": "arabic",
    "da": "danish",
    "de": "german",
    "el": "greek",
    "en": "english",
    "es": "spanish",
    "fi": "finnish",
    "fr": "french",
    "hu": "hungarian",
    "it": "italian",
    "nl": "dutch",
    "no": "norwegian",
    "pt": "portuguese",
    "ro": "romanian",
    "ru": "russian",
    "sv": "swedish",
    "ta": "tamil",
    "tr": "turkish",
}
LONGEST_WORD_BYTES = 60
TOMBSTONE = "-"
_FOLDED = "folded"


def folded() -> TextAnalyzer:
    """Text to words without case and accents."""
    builder = TextAnalyzerBuilder(Tokenizer.simple())
    return (
        builder.filter(Filter.remove_long(LONGEST_WORD_BYTES))
        .filter(Filter.lowercase())
        .filter(Filter.ascii_fold())
        .build()
    )


def stemming(language: str) -> TextAnalyzer:
    """Text to stems. Accents are folded last, because stemmers know words with them."""
    builder = TextAnalyzerBuilder(Tokenizer.simple())
    lower = builder.filter(Filter.remove_long(LONGEST_WORD_BYTES)).filter(Filter.lowercase())
    return lower.filter(Filter.stemmer(STEMMED[language])).filter(Filter.ascii_fold()).build()


def stems_field(language: str) -> str:
    return f"text_{language}"


def stemmed_language(tag: str | None) -> str | None:
    """The language whose stems a document of this BCP 47 tag has; None when there is no stemmer for it."""
    primary = (tag or "").partition("-")[0]
    return primary if primary in STEMMED else None


def _schema() -> Schema:
    builder = SchemaBuilder()
    builder.add_text_field("id", stored=True, tokenizer_name="raw", index_option="basic")
    builder.add_integer_field("version", stored=True, fast=True)
    builder.add_text_field("title", stored=True, tokenizer_name=_FOLDED)
    builder.add_text_field("body", stored=True, tokenizer_name=_FOLDED)
    for language in STEMMED:
        builder.add_text_field(stems_field(language), tokenizer_name=language, index_option="freq")
    for name in ("document_type", "industry"):
        builder.add_text_field(name, stored=True, fast=True, tokenizer_name="raw", index_option="basic")
    for name in ("language", "tags"):
        builder.add_text_field(name, stored=True, tokenizer_name="raw", index_option="basic")
    builder.add_date_field("created_at", stored=True, indexed=True, fast=True)
    return builder.build()


SCHEMA = _schema()


def register_analyzers(index: Index) -> None:
    """An index forgets its analyzers when it is closed."""
    index.register_tokenizer(_FOLDED, folded())
    for language in STEMMED:
        index.register_tokenizer(language, stemming(language))


def tombstone_id(document_id: str) -> str:
    """The id of what is kept of a deleted document. Documents' own ids begin with a letter or a digit."""
    return f"{TOMBSTONE}{document_id}"


def to_tombstone(document_id: str, version: int) -> Document:
    """What remembers that the version was deleted. It has nothing that a query looks for."""
    return Document.from_dict({"id": tombstone_id(document_id), "version": version}, SCHEMA)


def to_index(document: IndexedDocument) -> Document:
    fields = {
        "id": document.document_id,
        "version": document.version,
        "title": document.title,
        "body": document.text,
        "document_type": document.document_type,
        "tags": list(document.tags),
        "created_at": document.created_at,
    }
    if document.industry is not None:
        fields["industry"] = document.industry
    if document.language is not None:
        # Found by the whole tag and by its language alone.
        fields["language"] = list(dict.fromkeys((document.language, document.language.partition("-")[0])))
    if language := stemmed_language(document.language):
        fields[stems_field(language)] = [document.title, document.text]
    return Document.from_dict(fields, SCHEMA)
