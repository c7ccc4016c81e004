"""What became of one operation of a bulk request, and what follows from it."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from infrastructure.elasticsearch.errors import AT_STATUS, REASONS


class Fate(StrEnum):
    DONE = "done"
    """Also when what is there already is newer."""
    AGAIN = "again"
    """A server or a copy of the index was away; it may be there again in a moment."""
    REJECTED = "rejected"
    """As AGAIN, and there is too much under way."""
    MISSING = "missing"
    """The index isn't there."""
    TOO_LARGE = "too large"
    REFUSED = "refused"
    """It can never be taken."""
    UNAVAILABLE = "unavailable"
    """Nothing that a moment would change, such as a full disk."""


@dataclass(frozen=True, slots=True)
class Outcome:
    fate: Fate
    reason: str = ""
    """A sentence for whoever asked, without anything of the document."""


DONE: Final = Outcome(Fate.DONE)
_AGAIN: Final = frozenset({408, 500, 502, 503, 504})


def outcome_of(item: Mapping[str, Any]) -> Outcome:
    """Of an item of a bulk request's answer: `{"index": {"status": 201}}`."""
    (result,) = item.values()
    error = result.get("error")
    # A document that is to be deleted and isn't there has the status 404 and no error.
    return DONE if error is None else outcome_at(result["status"], error.get("type", ""), _cause(error))


def outcome_at(status: int, kind: str, cause: str = "") -> Outcome:
    """Of an error's status and type."""
    match status, kind:
        case 409, _:
            return DONE
        case _, "cluster_block_exception":
            return Outcome(Fate.UNAVAILABLE, REASONS[kind])
        case 404, _:
            return Outcome(Fate.MISSING, "Elasticsearch has no such index: build it from the documents again")
        case 413, _:
            return Outcome(Fate.TOO_LARGE, "Elasticsearch takes no request that large")
        case 429, _:
            return Outcome(Fate.REJECTED, REASONS.get(kind, REASONS["es_rejected_execution_exception"]))
        case 400, _:
            return Outcome(
                Fate.REFUSED, f"Elasticsearch can't take the document ({' by '.join(filter(None, (kind, cause)))})"
            )
        case _ if status in _AGAIN:
            return Outcome(Fate.AGAIN, REASONS.get(kind) or AT_STATUS.get(status) or f"Elasticsearch failed ({kind})")
        case _:
            return Outcome(Fate.UNAVAILABLE, AT_STATUS.get(status, f"Elasticsearch doesn't take it ({kind or status})"))


def worse(one: Outcome, other: Outcome) -> Outcome:
    """What becomes of a change that is made in several indexes."""
    return max(one, other, key=lambda outcome: _GRAVITY.index(outcome.fate))


_GRAVITY: Final = (
    Fate.DONE, Fate.REFUSED, Fate.TOO_LARGE, Fate.AGAIN, Fate.REJECTED, Fate.UNAVAILABLE, Fate.MISSING,
)  # fmt: skip


def _cause(error: Mapping[str, Any]) -> str:
    """The type of what caused it; its reason may quote the document."""
    cause = error.get("caused_by", {}).get("type", "")
    return cause if isinstance(cause, str) and cause.isidentifier() else ""
