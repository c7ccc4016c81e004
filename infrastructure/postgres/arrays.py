"""Arrays of many values as one parameter, written as PostgreSQL reads them."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass

import psycopg
from psycopg.adapt import Buffer, Dumper
from psycopg.pq import Format

UUID_OID, UUIDS_OID = 2950, 2951
EACH = struct.pack("!i", 16)
"""The length before each element."""


@dataclass(frozen=True, slots=True)
class Uuids:
    """UUIDs by their sixteen bytes each: a parameter of type `uuid[]`."""

    each: Sequence[bytes]


class _Dumper(Dumper):
    """Wire format: `array_recv` in PostgreSQL's arrayfuncs.c (dimensions, whether there are nulls, the element's type,
    length and lower bound, then each element after its length)."""

    format = Format.BINARY
    oid = UUIDS_OID

    def dump(self, obj: Uuids) -> Buffer:
        if not obj.each:
            return struct.pack("!iii", 0, 0, UUID_OID)
        return struct.pack("!iiiii", 1, 0, UUID_OID, len(obj.each), 1) + EACH + EACH.join(obj.each)


psycopg.adapters.register_dumper(Uuids, _Dumper)
