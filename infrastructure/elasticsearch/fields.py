"""What an index holds of a document. The mappings in `templates/` say the same to Elasticsearch.

`title` and `body` hold the words as they are written, without case and accents, for phrases, prefixes and exact matches.
Beside them `title_en`, `body_en` and so on hold their stems, each document in its own language's fields only, so that a
stemmer never sees a foreign language.
"""

import unicodedata
from datetime import UTC, datetime, timedelta
from typing import Any, Final

from infrastructure.ports.search import IndexedDocument

STEMMED: Final = (
    "ar", "da", "de", "el", "en", "es", "fi", "fr", "hu", "it", "nl", "no", "pt", "ro", "ru", "sv", "ta", "tr",
)  # fmt: skip
"""The languages that have fields of stems."""
WRITTEN: Final = ("title", "body")
_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)


def stemmed_language(tag: str | None) -> str | None:
    """The language whose stems a document of this BCP 47 tag has; None when there is no stemmer for it."""
    primary = (tag or "").partition("-")[0]
    return primary if primary in STEMMED else None


def microseconds(moment: datetime) -> int:
    """Since 1970. Elasticsearch's dates are exact to milliseconds, and those that are exact to more begin in 1970."""
    return (moment - _EPOCH) // _MICROSECOND


def stems_field(field: str, language: str) -> str:
    return f"{field}_{language}"


def to_index(document: IndexedDocument) -> dict[str, Any]:
    """The document's source. Its version is the request's, and in the source for hits."""
    title, text = (unicodedata.normalize("NFC", one) for one in (document.title, document.text))
    fields: dict[str, Any] = {
        "id": document.document_id,
        "version": document.version,
        "title": title,
        "title_exact": title,
        "body": text,
        "document_type": document.document_type,
        "tags": list(document.tags),
        "created_at": document.created_at.isoformat(),
        "created_at_us": microseconds(document.created_at),
        "updated_at": document.updated_at.isoformat(),
        "updated_at_us": microseconds(document.updated_at),
        "characters": document.characters,
    }
    optional = {"industry": document.industry, "media_type": document.media_type, "pages": document.pages}
    fields |= {name: value for name, value in optional.items() if value is not None}
    if document.language is not None:
        # Found by the whole tag and by its language alone.
        fields["language"] = list(dict.fromkeys((document.language, document.language.partition("-")[0])))
    if language := stemmed_language(document.language):
        fields[stems_field("title", language)] = title
        fields[stems_field("body", language)] = text
    return fields
