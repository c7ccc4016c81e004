"""A section as readers see it while it is written."""

from events.ai import SectionReset
from kinds.run import Run


class LiveSection:
    """A Listener: publishes what a model writes, each piece with its place in the section."""

    def __init__(self, run: Run, section: int, so_far: str = "") -> None:
        """`so_far` is published already."""
        self._run = run
        self._section = section
        self._so_far = so_far
        self._offset = len(so_far)

    def write(self, delta: str) -> None:
        self._run.write(delta, section=self._section, offset=self._offset)
        self._offset += len(delta)

    async def restart(self, model: str, error_class: str) -> None:
        await self._run.record(SectionReset(section=self._section, error=error_class, model=model))
        self._offset = 0
        if self._so_far:
            self.write(self._so_far)

    def finish(self, text: str) -> None:
        """Publishes an answer that nobody wrote piece by piece, such as one from the cache."""
        if self._offset == len(self._so_far):
            self.write(text)
