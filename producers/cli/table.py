"""Rows of text in columns. What has to be whole is whole in any width; only prose shrinks."""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Generic, TypeVar

from rich.cells import cell_len, set_cell_size
from rich.text import Text

M = TypeVar("M")

GAP = 2
LEAST_PROSE = 16
"""Characters that a column of prose needs to be of use beside the others. With less, it goes beneath its row."""
INDENT = "  "
SEPARATOR = " · "


@dataclass(frozen=True)  # Not with slots: Python 3.11 can't write down what such a generic class was made for.
class Column(Generic[M]):
    """One column, and what it shows of a thing."""

    name: str
    cell: "Callable[[M], str | Text]"
    prose: bool = False
    """Whether it may be cut. Ids, states, counts and fingerprints may not."""
    right: bool = False


def table_lines(rows: Sequence[Sequence[Text]], columns: Sequence[Column[M]], width: int | None) -> Iterator[Text]:
    """The header, which is bold, and the rows, each a line of at most `width` characters unless what has to be whole is
    longer. None is any width: nothing is cut."""
    header = [Text(column.name, "bold") for column in columns]
    natural = [max(cell_len(row[at].plain) for row in (header, *rows)) for at in range(len(columns))]
    widths = natural if width is None else _widths(natural, columns, width)
    for row in (header, *rows):
        beside = [(at, cell) for at, cell in enumerate(row) if widths[at]]
        yield _line([_padded(cell, widths[at], right=columns[at].right) for at, cell in beside], width)
        beneath = [cell for at, cell in enumerate(row) if not widths[at] and cell.plain]
        if beneath:
            yield _cut(Text(INDENT) + Text(SEPARATOR).join(beneath), width)


def _widths(natural: Sequence[int], columns: Sequence[Column[M]], width: int) -> list[int]:
    """Each column's width; 0 for prose that goes beneath."""
    prose = [at for at, column in enumerate(columns) if column.prose]
    if not prose:
        return list(natural)
    left = width - sum(size + GAP for at, size in enumerate(natural) if at not in prose) - GAP * (len(prose) - 1)
    shares = dict.fromkeys(prose, 0)
    for rest, at in zip(range(len(prose), 0, -1), sorted(prose, key=natural.__getitem__), strict=True):
        shares[at] = min(natural[at], max(left, 0) // rest)
        left -= shares[at]
    if any(share < min(natural[at], LEAST_PROSE) for at, share in shares.items()):
        shares = dict.fromkeys(prose, 0)
    return [shares.get(at, size) for at, size in enumerate(natural)]


def _line(cells: Sequence[Text], width: int | None) -> Text:
    fits = width is None or sum(cell_len(cell.plain) + GAP for cell in cells) - GAP <= width
    gap = GAP if fits else 1  # One keeps an id, a kind and a state side by side in 80 characters.
    line = Text(" " * gap).join(cells)
    line.rstrip()
    return line


def _padded(cell: Text, width: int, *, right: bool) -> Text:
    if cell_len(cell.plain) > width:
        return _cut(cell, width)
    padding = " " * (width - cell_len(cell.plain))
    return Text(padding) + cell if right else cell + Text(padding)


def _cut(text: Text, width: int | None) -> Text:
    if width is None or cell_len(text.plain) <= width:
        return text
    cut = text.copy()
    cut.plain = set_cell_size(text.plain, width - 1).rstrip() + "…"
    return cut
