"""What Flower's pages say beside Flower's own words: that its tasks are doorbells, where the jobs are, and all queues."""

from collections.abc import Iterable
from html import escape
from pathlib import Path
from typing import Final

from flower.api.tasks import GetQueueLengths  # type: ignore[import-untyped]  # Flower has no types, here and below
from flower.views.broker import BrokerView  # type: ignore[import-untyped]
from tornado.template import Loader, Template

_MAIN: Final = '<main class="app-content" id="main-content">'
_NOTE: Final = """
<div class="alert alert-secondary rounded-0 mb-3" role="note">
  Tasks here are <strong>doorbells</strong>: messages that bring a worker the ids of up to 200 jobs. One shows as failed
  when one of its jobs failed, and a job may be rung for more than once. The jobs themselves, each with its state, command
  and errors, are in <a href="{console_url}">the console</a>.
</div>
"""
_TAB: Final = ">Tasks</a>"
_OUR_TAB: Final = ">Doorbells</a>"


class FlowerChanged(Exception):
    """A page of this Flower isn't what ours are made from. Use the version that the lock names."""


class Pages(Loader):
    """Flower's templates, with our note on each page and our word for its tasks."""

    def __init__(self, folder: str, console_url: str) -> None:
        """FlowerChanged when a place of theirs is gone."""
        super().__init__(folder)
        note = _NOTE.format(console_url=escape(console_url))
        self._changed = {
            "base.html": self._with("base.html", _MAIN, _MAIN + note),
            "navbar.html": self._with("navbar.html", _TAB, _OUR_TAB),
        }

    def _with(self, name: str, place: str, ours: str) -> str:
        text = self._text(name)
        if place not in text:
            raise FlowerChanged(f"Flower's {name} has no {place}")
        return text.replace(place, ours)

    def _text(self, name: str) -> str:
        return (Path(self.root) / name).read_text(encoding="utf-8")

    def _create_template(self, name: str) -> Template:
        return Template(self._changed.get(name) or self._text(name), name=name, loader=self)


def handlers(queues: Iterable[str]) -> list[tuple[str, type]]:
    """The views of the queues: these, and those of workers with others."""
    known = frozenset(queues)

    class AllQueues:
        def get_active_queue_names(self) -> list[str]:
            names: Iterable[str] = super().get_active_queue_names()  # type: ignore[misc]  # it is mixed into Flower's views
            return sorted(known.union(names))

    class Queues(AllQueues, BrokerView):  # type: ignore[misc]  # Flower has no types
        pass

    class Lengths(AllQueues, GetQueueLengths):  # type: ignore[misc]  # the same
        pass

    return [(r"/broker", Queues), (r"/api/queues/length", Lengths)]
