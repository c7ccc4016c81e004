"""What one session has prepared."""

from collections.abc import Sequence

from psycopg._preparing import Key, Prepare, PrepareManager
from psycopg.abc import Transformer
from psycopg.pq.abc import PGresult


class Statements(PrepareManager):
    """The one owner of what a session has prepared, by psycopg and by infrastructure/postgres/prepared.py.

    Only the end of the session makes it forget. psycopg by itself deallocates everything, ours too, at every rollback,
    for the case that a table which a statement names was made in that transaction; no session of ours makes or drops one.
    """

    def __init__(self) -> None:
        super().__init__()
        self.readers: dict[str, Transformer | None] = {}
        """By the names of our own: how the rows of its answers are read, once there were any."""

    def clear(self) -> bool:
        return False

    def validate(self, key: Key, prep: Prepare, name: bytes, results: Sequence[PGresult]) -> None:
        # A statement that failed stays prepared. psycopg would forget the name and prepare it once more under another.
        self._rotate()
