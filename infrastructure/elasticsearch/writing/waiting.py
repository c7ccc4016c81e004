"""A tenant's changes that wait for a bulk request. Of one document there is never a change in two requests at a time."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field

from infrastructure.elasticsearch.writing.changes import MAX_REQUEST_BYTES, MAX_REQUEST_ITEMS, Change, newest


@dataclass(slots=True)
class Waiting:
    """What was asked for one document since its last request."""

    asked: list[tuple[Change, "asyncio.Future[None]"]] = field(default_factory=list)

    @property
    def change(self) -> Change:
        """The last word: the others would be gone at once."""
        return newest([change for change, _ in self.asked])

    @property
    def bytes(self) -> int:
        return sum(len(change.source) for change, _ in self.asked)

    def settle(self, failure: Exception | None) -> None:
        for _, future in self.asked:
            if future.done():
                continue
            if failure is None:
                future.set_result(None)
            else:
                future.set_exception(failure)


class Queue:
    """In the order in which the documents came."""

    def __init__(self) -> None:
        self._waiting: dict[str, Waiting] = {}
        self._under_way: set[str] = set()
        self.runners = 0
        """Tasks that take from it."""
        self.bytes = 0
        """Of what waits."""

    def __len__(self) -> int:
        return len(self._waiting)

    @property
    def is_idle(self) -> bool:
        return not self._waiting and not self.runners

    def add(self, change: Change) -> "asyncio.Future[None]":
        """Done when the change is, or a newer one of its document."""
        future: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(change.document_id, Waiting()).asked.append((change, future))
        self.bytes += len(change.source)
        return future

    @property
    def ready(self) -> bool:
        return any(document_id not in self._under_way for document_id in self._waiting)

    def take(self) -> Sequence[Waiting]:
        """What fits into a request; its documents are under way until they are given to `ended`."""
        taken: dict[str, Waiting] = {}
        size = 0
        for document_id, waiting in self._waiting.items():
            if document_id in self._under_way:
                continue
            size += len(waiting.change.source)
            if taken and (size > MAX_REQUEST_BYTES or len(taken) >= MAX_REQUEST_ITEMS):
                break
            taken[document_id] = waiting
        for document_id in taken:
            self.bytes -= self._waiting.pop(document_id).bytes
        self._under_way |= taken.keys()
        return list(taken.values())

    def give_up(self, failure: Exception) -> None:
        """Tells all that wait."""
        waiting, self._waiting, self.bytes = self._waiting, {}, 0
        for one in waiting.values():
            one.settle(failure)

    def ended(self, taken: Sequence[Waiting]) -> None:
        self._under_way -= {waiting.change.document_id for waiting in taken}
