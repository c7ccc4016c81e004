"""Resume tokens, which clients send back as `Last-Event-ID`: the seq in a job's stream, a feed position in a tenant's."""

import re
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from itertools import pairwise
from struct import Struct
from struct import error as StructError
from uuid import UUID

from api.http import problems
from infrastructure.postgres.events.feed import Place, Position
from schemas.websocket import LARGEST_SEQ, LONGEST_TOKEN

LARGEST_TRANSACTION = 2**63 - 1

MAX_NUMBER_BYTES = 10

FROM_THE_OLDEST = "0"
"""In place of a resume token: everything that is still kept, as 0 is for a job's stream."""
_NOTHING_SEEN = Position("1:1:")
"""A snapshot older than any transaction of ours."""

_PLACE = Struct(">Q16sI")
"""Microseconds, job, seq."""
_TOKEN = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
_SEQ = re.compile(r"\d{1,10}", re.ASCII)
_SNAPSHOT = re.compile(r"(\d{1,19}):(\d{1,19}):((?:\d{1,19}(?:,\d{1,19})*)?)", re.ASCII)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_LAST = datetime(9999, 1, 1, tzinfo=UTC)


def seq_from(last_event_id: str | None) -> int:
    """The seq after which a job's stream resumes; 0 for its start. Raises a Refusal (400) for an invalid token."""
    if last_event_id is None or last_event_id == "":
        return 0
    if not _SEQ.fullmatch(last_event_id) or int(last_event_id) > LARGEST_SEQ:
        raise problems.resume_token_invalid()
    return int(last_event_id)


def position_from(last_event_id: str | None) -> Position | None:
    """The position after which a tenant's stream resumes; None for now, "0" for the oldest event. Raises a Refusal (400) for
    an invalid token."""
    if last_event_id is None or last_event_id == "":
        return None
    if last_event_id == FROM_THE_OLDEST:
        return _NOTHING_SEEN
    try:
        return _position(last_event_id)
    except (ValueError, OverflowError, StructError):
        raise problems.resume_token_invalid() from None


def token_of(position: Position) -> str:
    """The position as URL-safe text, for `position_from`. Every event carries one, so it is compact."""
    packed = _packed(position.seen)
    if position.upto is not None and position.after is not None:
        place = position.after
        microseconds = (place.at - _EPOCH) // timedelta(microseconds=1)
        packed += _packed(position.upto) + _PLACE.pack(microseconds, place.job_id.bytes, place.seq)
    return urlsafe_b64encode(packed).rstrip(b"=").decode()


def _position(token: str) -> Position:
    if len(token) > LONGEST_TOKEN or not _TOKEN.fullmatch(token):
        raise ValueError("too long, or not ours")
    seen, rest = _unpacked(urlsafe_b64decode(token + "=" * (-len(token) % 4)))
    if not rest:
        return Position(seen)
    upto, rest = _unpacked(rest)
    microseconds, job_id, seq = _PLACE.unpack(rest)
    return Position(seen, upto, _place(microseconds, UUID(bytes=job_id), seq))


def _place(microseconds: int, job_id: UUID, seq: int) -> Place:
    at = _EPOCH + timedelta(microseconds=microseconds)
    if not (at <= _LAST and 0 < seq <= LARGEST_SEQ):
        raise ValueError("out of range")
    return Place(at, job_id, seq)


@lru_cache(maxsize=1_024)
def _packed(snapshot: str) -> bytes:
    """The length in bytes, then the numbers as varints: the lowest, and the others as differences from it."""
    lowest, highest, running = snapshot.split(":")
    numbers = [int(highest), *(int(one) for one in running.split(",") if one)]
    packed = b"".join(map(_number, [int(lowest), *(one - int(lowest) for one in numbers)]))
    return _number(len(packed)) + packed


def _unpacked(packed: bytes) -> tuple[str, bytes]:
    """The first snapshot, and the remaining bytes."""
    length, rest = _first_number(packed)
    mine, rest = rest[:length], rest[length:]
    if len(mine) < length:
        raise ValueError("cut off")
    numbers: list[int] = []
    while mine:
        number, mine = _first_number(mine)
        numbers.append(number)
    lowest, *others = numbers
    highest, *running = (lowest + one for one in others)
    return _snapshot(f"{lowest}:{highest}:{','.join(map(str, running))}"), rest


def _number(number: int) -> bytes:
    """A varint: seven bits per byte, lowest first; the eighth bit means that more follow."""
    packed = bytearray()
    while number > 0x7F:
        packed.append(number & 0x7F | 0x80)
        number >>= 7
    return bytes([*packed, number])


def _first_number(packed: bytes) -> tuple[int, bytes]:
    number = 0
    for place, byte in enumerate(packed[:MAX_NUMBER_BYTES]):
        number |= (byte & 0x7F) << 7 * place
        if byte <= 0x7F:
            return number, packed[place + 1 :]
    raise ValueError("cut off")


def _snapshot(text: str) -> str:
    """The text, if it is a valid pg_snapshot. Raises ValueError otherwise."""
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
