"""A section as readers see it while it is written."""

from events.ai import SectionReset
from kinds.run import Run
from workers.ai.generation.markdown import storable


class LiveSection:
    """A Listener: publishes what a model writes, each piece with its place in the section. Blanks at a section's beginning
    and end are left out, as they are of the finished text: readers who followed it have nothing to correct then."""

    def __init__(self, run: Run, section: int, so_far: str = "") -> None:
        """`so_far` is published already, by the call before."""
        self._run = run
        self._section = section
        self._so_far = so_far
        self._offset = len(so_far.strip())
        self._blanks = so_far[len(so_far.rstrip()) :]
        self._begins_at = self._offset

    def write(self, delta: str) -> None:
        delta = storable(delta)
        text = self._blanks + delta if self._offset else delta.lstrip()
        shown = text.rstrip()
        self._blanks = text[len(shown) :]
        if shown:
            self._run.write(shown, section=self._section, offset=self._offset)
            self._offset += len(shown)

    async def restart(self, model: str, error_class: str) -> None:
        await self._run.record(SectionReset(section=self._section, error=error_class, model=model))
        self._offset = 0
        self.write(self._so_far)

    def finish(self, text: str) -> None:
        """Publishes an answer that nobody wrote piece by piece, such as one from the cache."""
        if self._offset == self._begins_at:
            self.write(text)
