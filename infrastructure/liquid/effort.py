"""What filling a document's templates costs, counted before it is done.

Steps and characters rather than seconds: the same template is refused on every machine, however busy it is.
"""

from liquid.exceptions import ResourceLimitError

MAX_STEPS = 200_000
"""Tags, outputs and expressions that loops come by: about half a second."""
MAX_WORK = 20_000_000
"""Characters and values that filters look at or make."""


class Effort:
    """How much was spent so far. Raises ResourceLimitError before more is spent than a document may cost."""

    def __init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        self._steps = 0
        self._work = 0

    def step(self, count: int) -> None:
        self._steps += count
        if self._steps > MAX_STEPS:
            message = f"its loops take more than {MAX_STEPS:,} steps; loop over less, or say less in them"
            raise ResourceLimitError(message, token=None)

    def work(self, amount: int) -> None:
        self._work += amount
        if self._work > MAX_WORK:
            message = f"its filters look at more than {MAX_WORK:,} characters; filter less"
            raise ResourceLimitError(message, token=None)

    def read(self, value: object) -> int:
        """Counts a value that a filter looks at, with all that is in it, and returns its size."""
        size, unread = 0, [value]
        while unread:
            one = unread.pop()
            part = 1 + (len(one) if isinstance(one, str) else 0)
            size += part
            self.work(part)
            if isinstance(one, dict):
                unread.extend(one.values())
            elif isinstance(one, list | tuple):
                unread.extend(one)
        return size
