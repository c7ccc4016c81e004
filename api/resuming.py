"""Where a reader was, as text it can give back: the seq for a job's stream, a place in the feed for a tenant's."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any
from uuid import UUID

import orjson

from api import problems
from infrastructure.postgres.feed import Place, Position
from schemas.watching import LARGEST_SEQ, LONGEST_TOKEN

LARGEST_TRANSACTION = 2**63 - 1

_SEQ = re.compile(r"\d{1,10}", re.ASCII)
_SNAPSHOT = re.compile(r"(\d{1,19}):(\d{1,19}):((?:\d{1,19}(?:,\d{1,19})*)?)", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = datetime(9999, 1, 1, tzinfo=UTC)


def seq_from(last_event_id: str | None) -> int:
    """The seq after which a job's stream goes on; 0 begins at its start. Refuses what no stream has given."""
    if last_event_id is None or last_event_id == "":
        return 0
    if not _SEQ.fullmatch(last_event_id) or int(last_event_id) > LARGEST_SEQ:
        raise problems.resume_token_invalid()
    return int(last_event_id)


def position_from(last_event_id: str | None) -> Position | None:
    """The place after which a tenant's stream goes on; None begins now. Refuses what no stream has given."""
    if last_event_id is None or last_event_id == "":
        return None
    try:
        return _position(last_event_id)
    except (ValueError, TypeError, OverflowError):
        raise problems.resume_token_invalid() from None


def token_of(position: Position) -> str:
    """URL-safe text that `position_from` understands."""
    parts: list[str | int] = [position.seen]
    if position.upto is not None and position.after is not None:
        place = position.after
        microseconds = (place.at - _EPOCH) // timedelta(microseconds=1)
        parts += [position.upto, microseconds, place.job_id.hex, place.seq]
    return urlsafe_b64encode(orjson.dumps(parts)).rstrip(b"=").decode()


def _position(token: str) -> Position:
    if len(token) > LONGEST_TOKEN or not token.isascii():
        raise ValueError("too long, or not ours")
    padded = token.encode() + b"=" * (-len(token) % 4)
    match orjson.loads(urlsafe_b64decode(padded)):
        case [str(seen)]:
            return Position(_snapshot(seen))
        case [str(seen), str(upto), int(microseconds), str(job_id), int(seq)]:
            return Position(_snapshot(seen), _snapshot(upto), _place(microseconds, job_id, seq))
        case other:
            raise ValueError(f"a token has one part or five, not {type(other).__name__}")


def _place(microseconds: Any, job_id: str, seq: int) -> Place:
    at = _EPOCH + timedelta(microseconds=microseconds)
    if not (_EPOCH <= at <= _LAST and 0 < seq <= LARGEST_SEQ):
        raise ValueError("out of range")
    return Place(at, UUID(hex=job_id), seq)


def _snapshot(text: str) -> str:
    """The text itself, if PostgreSQL would take it."""
    found = _SNAPSHOT.fullmatch(text)
    if found is None:
        raise ValueError("not a snapshot")
    lowest, highest = int(found[1]), int(found[2])
    running = [int(one) for one in found[3].split(",")] if found[3] else []
    in_order = all(before < after for before, after in pairwise(running))
    in_range = all(lowest <= one < highest for one in running)
    if not (0 < lowest <= highest <= LARGEST_TRANSACTION and in_order and in_range):
        raise ValueError("not a snapshot")
    return text
