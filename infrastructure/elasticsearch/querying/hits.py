"""Hits as Elasticsearch answers them, read back: marks in code points, and explanations."""

import re
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any, Final

from infrastructure.elasticsearch.fields import WRITTEN, stems_field
from schemas.search import Explanation, Hit, Mark, SearchQuery, Snippet
from schemas.search.text import WORD

# Of a private use area: no text that people write has them, and what has them anyway shows a mark too many.
_WORD = re.compile(rf"{WORD.pattern}(?:[\u0300-\u036f]+(?:{WORD.pattern})?)*")
OPENING, CLOSING = "\ue0f0", "\ue0f1"
MAX_TITLE_CHARACTERS: Final = 500
MAX_ANALYZED_CHARACTERS: Final = 1_000_000
MAX_EXPLAINED_LEVELS: Final = 12
MAX_EXPLAINED: Final = 200
SOURCE: Final = (
    "id", "version", "title", "document_type", "industry", "language", "tags", "media_type", "characters", "pages",
    "created_at", "updated_at",
)  # fmt: skip


def highlighting(query: SearchQuery, languages: Sequence[str], wanted: Mapping[str, Any]) -> dict[str, Any]:
    """What is to be highlighted: what the user looks for, in titles whole and in the best piece of each text."""
    pieces = {
        "title": {"number_of_fragments": 0},
        "body": {
            "fragment_size": query.snippet_characters,
            "number_of_fragments": 1,
            "no_match_size": query.snippet_characters,
        },
    }
    return {
        "type": "unified",
        "pre_tags": [OPENING],
        "post_tags": [CLOSING],
        "order": "score",
        "max_analyzed_offset": MAX_ANALYZED_CHARACTERS,
        "highlight_query": wanted,
        "fields": {
            field: {**pieces[field], "matched_fields": [stems_field(field, one) for one in languages]}
            for field in WRITTEN
        },
    }


def read_hit(hit: Mapping[str, Any], query: SearchQuery, *, by_score: bool) -> Hit:
    source, marked = hit["_source"], hit.get("highlight", {})
    languages = source.get("language") or [None]
    return Hit(
        document_id=source["id"],
        score=hit["_score"] if by_score else None,
        title=source["title"],
        title_marks=marks_of(marked["title"][0])[1] if "title" in marked else (),
        snippet=_snippet(marked, query.snippet_characters) if query.highlight else None,
        document_type=source["document_type"],
        industry=source.get("industry"),
        language=languages[0],
        tags=tuple(source["tags"]),
        media_type=source.get("media_type"),
        characters=source.get("characters"),
        pages=source.get("pages"),
        created_at=datetime.fromisoformat(source["created_at"]),
        updated_at=datetime.fromisoformat(source["updated_at"]),
        version=source["version"],
        explanation=_explanation(hit["_explanation"]) if "_explanation" in hit else None,
    )


def _snippet(marked: Mapping[str, Any], characters: int) -> Snippet:
    text, marks = marks_of(marked["body"][0]) if "body" in marked else ("", ())
    if len(text) <= characters:
        return Snippet(text=text, marks=marks)
    # Elasticsearch takes whole words and sentences, so that a piece may be longer than it should be.
    start = _start(text, marks, characters)
    end = start + characters
    inside = [one for one in marks if start <= one.start < end]
    return Snippet(
        text=text[start:end],
        marks=tuple(Mark(start=one.start - start, end=min(one.end, end) - start) for one in inside),
    )


def _start(text: str, marks: Sequence[Mark], characters: int) -> int:
    """At the beginning of a word, so that the first mark is inside, with some words before it."""
    if not marks or marks[0].end <= characters:
        return 0
    first = marks[0]
    wanted = min(first.start - characters // 3, len(text) - characters)
    earliest = max(first.end - characters, wanted, 0)
    space = text.find(" ", max(earliest - 1, 0), first.start)
    return space + 1 if space >= 0 else first.start


def marks_of(highlighted: str) -> tuple[str, tuple[Mark, ...]]:
    """The text without its tags, and where they were."""
    text, marks, opened = "", [], None
    for piece in _pieces(highlighted):
        if piece == OPENING:
            opened = len(text) if opened is None else opened
        elif piece == CLOSING:
            if opened is not None and opened < len(text):
                # A phrase is marked as one piece; its words are what a reader is shown.
                marks += [
                    Mark(start=opened + one.start(), end=opened + one.end()) for one in _WORD.finditer(text[opened:])
                ]
            opened = None
        else:
            text += piece
    return text, tuple(marks)


def _pieces(highlighted: str) -> list[str]:
    for tag in (OPENING, CLOSING):
        highlighted = highlighted.replace(tag, f"\0{tag}\0")
    return highlighted.split("\0")


def _explanation(answer: Mapping[str, Any]) -> Explanation:
    left = MAX_EXPLAINED

    def read(one: Mapping[str, Any], level: int) -> Explanation:
        nonlocal left
        left -= 1
        inner = one.get("details", ()) if level < MAX_EXPLAINED_LEVELS else ()
        details = tuple(read(detail, level + 1) for detail in inner if left > 0)
        return Explanation(value=float(one["value"]), description=str(one["description"])[:300], details=details)

    return read(answer, 1)
