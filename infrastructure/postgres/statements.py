"""The prepared statements of one session."""

from collections.abc import Sequence

from psycopg._preparing import Key, Prepare, PrepareManager
from psycopg.abc import Transformer
from psycopg.pq.abc import PGresult


class Statements(PrepareManager):
    """Tracks a session's prepared statements, psycopg's own and those of infrastructure/postgres/prepared.py.

    They last as long as the session. psycopg by itself deallocates all of them, ours too, at every rollback, in case a
    statement's table was created in that transaction; no session of ours creates or drops tables.
    """

    def __init__(self) -> None:
        super().__init__()
        self.readers: dict[str, Transformer | None] = {}
        """By the name of our own statements: the decoder of their rows, set at the first result with rows."""

    def clear(self) -> bool:
        return False

    def validate(self, key: Key, prep: Prepare, name: bytes, results: Sequence[PGresult]) -> None:
        # A statement that failed stays prepared. psycopg would drop its name and prepare it again under another.
        self._rotate()
