"""Tables as lines of text: a row a line, cells between tabs, whatever is nested in them."""

from infrastructure.extraction.text_builder import TextBuilder


class TableRows:
    """Takes a document's lines and passes on those of tables when their row is complete."""

    def __init__(self, text: TextBuilder) -> None:
        self._text = text
        self._rows: list[list[list[str]]] = []
        """The rows that are open, outermost first: cells, each with its lines."""

    @property
    def inside(self) -> bool:
        return bool(self._rows)

    def begin_row(self) -> None:
        self._rows.append([])

    def begin_cell(self) -> None:
        if self._rows:
            self._rows[-1].append([])

    def line(self, line: str) -> None:
        if not self._rows:
            self._text.line(line)
        elif line and self._rows[-1]:
            self._rows[-1][-1].append(line)

    def end_row(self) -> None:
        if self._rows:
            row = "\t".join(" ".join(cell) for cell in self._rows.pop())
            if row.strip():
                self.line(row)
