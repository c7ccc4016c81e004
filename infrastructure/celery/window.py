"""How many more jobs a worker wants to be rung for: known on its event loop, asked for by Celery's thread."""

from collections.abc import Callable

NO_LIMIT = 1_000_000


class Window:
    """Prefetch in jobs, not in messages: one bell may name hundreds, and what they mean in seconds only the worker knows.

    Each number has one thread that writes it, so neither waits for the other.
    """

    def __init__(self, wanted: Callable[[], int] = lambda: NO_LIMIT) -> None:
        self._wanted = wanted
        self._on_room: Callable[[], None] = lambda: None
        self._named = self._taken = 0
        self._refused = False

    def of(self, wanted: Callable[[], int]) -> None:
        """Whose window it is: what tells how many jobs are wanted beside those the worker has."""
        self._wanted = wanted

    def tell(self, on_room: Callable[[], None]) -> None:
        """Whom to wake when there is room again after there was none."""
        self._on_room = on_room

    def __json__(self) -> str:
        """As `celery inspect stats` shows it, among the transport's options."""
        return f"room for {max(self._look(), 0)} jobs more"

    # Celery's thread

    @property
    def room(self) -> int:
        # Said before it is looked at: room that comes right after the look is told then.
        self._refused = True
        room = self._look()
        if room > 0:
            self._refused = False
        return max(room, 0)

    def named(self, jobs: int) -> None:
        """A bell came that names so many."""
        self._named += jobs

    # The event loop's thread

    def taken(self, jobs: int) -> None:
        """The worker has that bell's jobs, and counts them itself."""
        self._taken += jobs

    def look_again(self) -> None:
        """There may be room."""
        if self._refused and self._look() > 0:
            self._refused = False
            self._on_room()

    def _look(self) -> int:
        return self._wanted() - (self._named - self._taken)
