"""Encodes statement parameters in PostgreSQL's binary formats.

Wire formats: `array_recv`, `timestamptz_recv` and the other `…_recv` functions in PostgreSQL's src/backend/utils/adt.
"""

import struct
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta

_INT2, _INT4, _INT8, _FLOAT8 = struct.Struct("!h"), struct.Struct("!i"), struct.Struct("!q"), struct.Struct("!d")
_ARRAY = struct.Struct("!iiiii")
_NULL = _INT4.pack(-1)
_BYTEA_OID, _INT8_OID, _INT2_OID, _INT4_OID, _TEXT_OID = 17, 20, 21, 23, 25
_FLOAT8_OID, _TIMESTAMPTZ_OID, _UUID_OID = 701, 1184, 2950
_EPOCH, _MICROSECOND = datetime(2000, 1, 1, tzinfo=UTC), timedelta(microseconds=1)


def smallint(value: int) -> bytes:
    return _INT2.pack(value)


def bigint(value: int) -> bytes:
    return _INT8.pack(value)


def double(value: float) -> bytes:
    return _FLOAT8.pack(value)


def timestamp(value: datetime) -> bytes:
    """Microseconds since the year 2000. `value` must have a time zone."""
    return _INT8.pack((value - _EPOCH) // _MICROSECOND)


def uuids(values: Sequence[bytes | None]) -> bytes:
    """An array of UUIDs, given as sixteen bytes each."""
    return _array(_UUID_OID, values)


def byteas(values: Sequence[bytes | None]) -> bytes:
    return _array(_BYTEA_OID, values)


def smallints(values: Sequence[int]) -> bytes:
    return _array(_INT2_OID, list(map(smallint, values)))


def bigints(values: Sequence[bytes | None]) -> bytes:
    """An array of bigints, given as eight bytes each."""
    return _array(_INT8_OID, values)


def ints(values: Sequence[int | None]) -> bytes:
    return _array(_INT4_OID, [None if value is None else _INT4.pack(value) for value in values])


def doubles(values: Sequence[float | None]) -> bytes:
    return _array(_FLOAT8_OID, [None if value is None else _FLOAT8.pack(value) for value in values])


def texts(values: Sequence[str | None]) -> bytes:
    return _array(_TEXT_OID, [None if value is None else value.encode() for value in values])


def timestamps(values: Sequence[datetime | None]) -> bytes:
    return _array(_TIMESTAMPTZ_OID, [None if value is None else timestamp(value) for value in values])


def _array(oid: int, values: Sequence[bytes | None]) -> bytes:
    # Number of dimensions, whether there are nulls, element type, number of elements, index of the first; then each
    # element, preceded by its length.
    if not values:
        return struct.pack("!iii", 0, 0, oid)
    present = [value for value in values if value is not None]
    head = _ARRAY.pack(1, len(present) < len(values), oid, len(values), 1)
    if len(present) == len(values) and len(set(map(len, present))) == 1:
        # True for UUIDs and most kinds and queues: joining them takes a tenth of the time.
        length = _INT4.pack(len(present[0]))
        return head + length + length.join(present)
    return head + b"".join([_NULL if value is None else _INT4.pack(len(value)) + value for value in values])
