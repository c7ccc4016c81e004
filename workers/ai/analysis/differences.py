"""What differs between a text and its reference: passages that a model named, and sentences that are counted."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from events.ai import ChangedPassage, Comparison, Quote
from infrastructure.offline.analysis.comparison import SHOWN, likeness, unchanged_in
from infrastructure.offline.text.sentences import sentences_in
from infrastructure.ports.ai.reading import SaidComparison
from workers.ai.quoting import Passages


@dataclass(frozen=True, slots=True)
class Differences:
    """A model's answer about a part of the text and the part of the reference that it was shown with it."""

    value: Mapping[str, Any] = field(repr=False)
    text: str = field(repr=False)
    offset: int
    reference: str = field(repr=False)
    reference_offset: int


def compared(parts: Iterable[Differences]) -> Comparison:
    """Passages that a text doesn't have are left out. How many sentences are the same is counted, not asked."""
    added: list[Quote] = []
    removed: list[Quote] = []
    changed: list[ChangedPassage] = []
    unchanged = further = 0
    for part in parts:
        said = SaidComparison.model_validate(part.value)
        text, reference = _Placed(part.text, part.offset), _Placed(part.reference, part.reference_offset)
        added += text.all(said.added)
        removed += reference.all(said.removed)
        for one in said.changed:
            before, after = reference.find(one.before), text.find(one.after)
            if before is not None and after is not None:
                changed.append(ChangedPassage(before=before, after=after, similarity=likeness(before.text, after.text)))
        further += said.further
        unchanged += unchanged_in(sentences_in(part.text), sentences_in(part.reference))
    alike = unchanged + sum(one.similarity for one in changed)
    everything = unchanged + len(changed) + len(added) + len(removed) + further
    return Comparison(
        similarity=round(alike / everything, 3) if everything else 1.0,
        unchanged=unchanged,
        added=tuple(added[:SHOWN]),
        removed=tuple(removed[:SHOWN]),
        changed=tuple(changed[:SHOWN]),
        left_out=further + sum(max(len(found) - SHOWN, 0) for found in (added, removed, changed)),
    )


class _Placed:
    """A part of a text, whose passages are placed in the whole."""

    def __init__(self, text: str, offset: int) -> None:
        self._passages = Passages(text)
        self._offset = offset

    def find(self, written: str) -> Quote | None:
        return self._moved(self._passages.find(written))

    def all(self, written: Iterable[str]) -> list[Quote]:
        found = map(self._moved, self._passages.in_order(iter(written)))
        return [one for one in found if one is not None]

    def _moved(self, quote: Quote | None) -> Quote | None:
        return None if quote is None else quote.model_copy(update={"offset": quote.offset + self._offset})
