"""How well a model reads, against what a person finds."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal

from events.ai import DocumentProcessed


@dataclass(frozen=True, slots=True)
class Score:
    """Of what was found and what should have been, over all documents."""

    right: int = 0
    found: int = 0
    expected: int = 0
    wrong: tuple[str, ...] = field(default=(), repr=False)
    """What was missed (-) or found and isn't there (+)."""

    @property
    def precision(self) -> float:
        return self.right / self.found if self.found else 1.0

    @property
    def recall(self) -> float:
        return self.right / self.expected if self.expected else 1.0

    def __add__(self, other: "Score") -> "Score":
        return Score(
            self.right + other.right, self.found + other.found, self.expected + other.expected, self.wrong + other.wrong
        )


def compared(file: str, found: Iterable[str], expected: Iterable[str]) -> Score:
    """Each as often as it is named."""
    has, wanted = Counter(found), Counter(expected)
    missed = [f"{file}: - {one}" for one in (wanted - has).elements()]
    added = [f"{file}: + {one}" for one in (has - wanted).elements()]
    return Score((has & wanted).total(), has.total(), wanted.total(), (*missed, *added))


def amounts_of(result: DocumentProcessed) -> list[str]:
    return [f"{_plain(one.value)} {one.currency}" for one in result.amounts]


def amount(written: str) -> str:
    value, _, currency = written.partition(" ")
    return f"{_plain(Decimal(value))} {currency}"


def _plain(value: Decimal) -> str:
    return format(value.normalize(), "f")


def table(scores: dict[str, Score]) -> str:
    lines = [f"{'':14}precision  recall  (right / found / expected)"]
    lines += [
        f"{kind:14}{score.precision:9.3f}{score.recall:8.3f}  {score.right} / {score.found} / {score.expected}"
        for kind, score in scores.items()
    ]
    return "\n".join(lines)
