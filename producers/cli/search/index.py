"""`bucatini search index`: makes documents searchable, by their ids or from lines of JSON."""

import json
import sys
from collections import deque
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, TextIO

import typer

from producers.cli.ingress import WrongUsage, run
from producers.cli.output import EXIT_ERROR, EXIT_OK, One, Output, OutputOption, counted, print_note, print_view

if TYPE_CHECKING:
    from events.search import DocumentsIndexed
    from producers.client import Bucatini, JobHandle

MAX_LINE_CHARACTERS = 1_000_000
PORTION_CHARACTERS = 2_000_000
"""Of lines in one job: less than what a request may have, and a job."""
JOBS_AHEAD = 4
"""Under way at a time, so that the pool always has one to go on with."""
SHOWN_FAILURES = 20


def index(
    documents: Annotated[
        list[str] | None, typer.Argument(metavar="ID...", help="Stored documents, by their ids.")
    ] = None,
    file: Annotated[
        str | None,
        typer.Option(
            "--file",
            metavar="FILE",
            help='Lines of JSON, - for stdin: {"document_id", "title", "text", "document_type", ...}, or {"id"}.',
        ),
    ] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Index documents and wait until they can be found. Exit code 1 if one couldn't be indexed."""
    if not documents and file is None:
        raise typer.BadParameter("give ids, or --file with lines of JSON")

    def indexed(client: "Bucatini") -> int:
        tally = _Tally()
        jobs: deque[JobHandle[DocumentsIndexed]] = deque()
        with _lines(file) as lines:
            for portion in _portions(_sources(documents or (), lines)):
                jobs.append(_submitted(client, portion))
                while len(jobs) > JOBS_AHEAD:
                    tally.add(jobs.popleft().result())
        while jobs:
            tally.add(jobs.popleft().result())
        print_view(One(tally.whole(), tally.lines()), output)
        return EXIT_ERROR if tally.failures else EXIT_OK

    run(indexed)


class _Tally:
    """What came of all jobs so far; said on stderr as it grows."""

    def __init__(self) -> None:
        self.indexed = self.superseded = 0
        self.failures: list[dict[str, Any]] = []

    def add(self, result: "DocumentsIndexed") -> None:
        self.indexed += result.indexed
        self.superseded += result.superseded
        self.failures += [one.model_dump(mode="json") for one in result.failures]
        print_note(f"{counted(self.indexed, 'document')} indexed")

    def whole(self) -> dict[str, Any]:
        return {"indexed": self.indexed, "superseded": self.superseded, "failures": self.failures}

    def lines(self) -> list[str]:
        lines = [f"{counted(self.indexed, 'document')} can be found"]
        if self.superseded:
            lines.append(f"{self.superseded:,} superseded by newer content")
        lines += [f"{one['document_id']}: {one['problem']['title']}" for one in self.failures[:SHOWN_FAILURES]]
        if len(self.failures) > SHOWN_FAILURES:
            lines.append(f"and {len(self.failures) - SHOWN_FAILURES:,} more that couldn't be indexed: see -o json")
        return lines


@contextmanager
def _lines(file: str | None) -> Iterator[Iterable[str]]:
    if file is None:
        yield ()
    elif file == "-":
        yield _read(sys.stdin)
    else:
        try:
            with Path(file).open(encoding="utf-8") as opened:
                yield _read(opened)
        except OSError as error:
            raise WrongUsage(f"{file} can't be read: {error.strerror}") from None


def _read(source: TextIO) -> Iterator[str]:
    while line := source.readline(MAX_LINE_CHARACTERS):
        yield line


def _sources(ids: Iterable[str], lines: Iterable[str]) -> Iterator[tuple[int, Any]]:
    """(characters, document) of each."""
    for document_id in ids:
        yield len(document_id), {"id": document_id}
    for number, line in enumerate(lines, start=1):
        if line.strip():
            try:
                yield len(line), json.loads(line)
            except ValueError as error:
                raise WrongUsage(f"line {number} isn't JSON: {error}") from None


def _portions(sources: Iterable[tuple[int, Any]]) -> Iterator[list[Any]]:
    """As many at a time as one job takes."""
    from schemas.search import MAX_DOCUMENTS

    portion: list[Any] = []
    characters = 0
    for size, document in sources:
        if portion and (len(portion) >= MAX_DOCUMENTS or characters + size > PORTION_CHARACTERS):
            yield portion
            portion, characters = [], 0
        portion.append(document)
        characters += size
    if portion:
        yield portion


def _submitted(client: "Bucatini", documents: list[Any]) -> "JobHandle[DocumentsIndexed]":
    from pydantic import ValidationError

    from producers.cli.flaws import flaws_of
    from schemas.search import IndexDocuments

    try:
        return client.submit(IndexDocuments.model_validate({"documents": documents}))
    except ValidationError as error:
        raise WrongUsage(flaws_of(error, "the documents")) from None
