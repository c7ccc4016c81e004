"""Entity tags of documents, and the conditions that requests put on them (RFC 9110, section 13.1)."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from schemas.documents import Document

ANY = "*"
_EPOCH, _MICROSECOND = datetime(1970, 1, 1, tzinfo=UTC), timedelta(microseconds=1)


@dataclass(frozen=True, slots=True)
class Precondition:
    """What must be true of a document for it to be changed. None of it: nothing needs to be."""

    if_match: tuple[str, ...] | None = None
    """Entity tags as given, of which one must be the document's; `*` for any."""
    if_none_match_any: bool = False
    """Whether there must be no such document yet."""

    def met_by(self, edition: str | None) -> bool:
        """Whether it is met by a document of that edition; None: there is none, or it was deleted."""
        if edition is None:
            return self.if_match is None
        if self.if_none_match_any:
            return False
        return self.if_match is None or any(tag == ANY or edition_of(tag) == edition for tag in self.if_match)


UNCONDITIONAL = Precondition()


def edition(version: int, updated_at: datetime) -> str:
    """Changes with each version and each change that a client makes, and with nothing else."""
    return f"{version}-{_hash((updated_at - _EPOCH) // _MICROSECOND)}"


def etag(document: Document) -> str:
    """The document's entity tag, in its quotes. It changes with whatever is shown of the document.

    Its part before the dot is the document's edition, and the only one that If-Match compares: a client that has uploaded a
    version may replace it without having seen how its import ended.
    """
    newest = document.newest
    shown = (newest.state, document.current_version, document.title, document.language, newest.imported_at)
    return f'"{edition(document.version, document.updated_at)}.{_hash(shown)}"'


def edition_of(tag: str) -> str | None:
    """The edition in an entity tag; None if it isn't one of ours. A weak tag matches nothing, as the RFC has it."""
    if len(tag) < 2 or tag[0] != '"' or tag[-1] != '"':
        return None
    return tag[1:-1].partition(".")[0]


def _hash(value: object) -> str:
    return sha256(repr(value).encode()).hexdigest()[:12]
