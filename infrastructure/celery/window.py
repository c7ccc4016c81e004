"""How many more jobs a worker may prefetch: computed on its event loop, read by Celery's thread."""

from collections.abc import Callable

NO_LIMIT = 1_000_000


class Window:
    """The prefetch limit, in jobs rather than messages: a doorbell may carry hundreds, and only the worker knows how
    long they take.

    Each counter is written by one thread only, so no lock is needed.
    """

    def __init__(self, wanted: Callable[[], int] = lambda: NO_LIMIT) -> None:
        self._wanted = wanted
        self._wake: Callable[[], None] = lambda: None
        self._named = self._taken = 0
        self._refused = False

    def of(self, wanted: Callable[[], int]) -> None:
        """Sets the function that returns how many jobs are wanted beside those the worker has."""
        self._wanted = wanted

    def on_room(self, wake: Callable[[], None]) -> None:
        """Sets the function to call when there is room again after there was none."""
        self._wake = wake

    def __json__(self) -> str:
        """As `celery inspect stats` shows it, among the transport's options."""
        return f"room for {max(self._look(), 0)} jobs more"

    # Celery's thread

    @property
    def room(self) -> int:
        # Set before reading, so that room which appears right after the read still wakes the hub.
        self._refused = True
        room = self._look()
        if room > 0:
            self._refused = False
        return max(room, 0)

    def named(self, jobs: int) -> None:
        """A doorbell with this many jobs was received."""
        self._named += jobs

    # The event loop's thread

    def taken(self, jobs: int) -> None:
        """The worker has that many of the received jobs, and counts them itself from now on."""
        self._taken += jobs

    def look_again(self) -> None:
        """Wakes the hub if there is room now and it found none before."""
        if self._refused and self._look() > 0:
            self._refused = False
            self._wake()

    def _look(self) -> int:
        return self._wanted() - (self._named - self._taken)
