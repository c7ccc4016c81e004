"""`bucatini search query`: what matches, as people like to read it."""

import re
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Annotated

import typer

from producers.cli.ingress import show
from producers.cli.output import One, Output, OutputOption, View, counted, printable, view_lines
from producers.cli.table import Column
from schemas.search import Facet, FacetField, FacetValue, Filters, Hit, Mark, SearchQuery, SearchResults, Sort

if TYPE_CHECKING:
    from rich.text import Text

    from producers.client import Bucatini

MARKED = "bold yellow"
INDENT = "   "
_SPACES = re.compile(r"\s+")

Values = list[str] | None


def search(
    text: Annotated[
        str | None,
        typer.Argument(help='Words that all must occur, "a phrase", -without, begin*. Everything, if none are given.'),
    ] = None,
    types: Annotated[Values, typer.Option("--type", help="Only documents of this type. Repeatable.")] = None,
    industries: Annotated[Values, typer.Option("--industry", help="Only of this industry. Repeatable.")] = None,
    languages: Annotated[Values, typer.Option("--language", help="Only in this language. Repeatable.")] = None,
    tags: Annotated[Values, typer.Option("--tag", help="Only with this tag, and all others given. Repeatable.")] = None,
    facets: Annotated[
        list[FacetField] | None, typer.Option("--facet", help="Count the values of this field. Repeatable.")
    ] = None,
    sort: Annotated[Sort | None, typer.Option(help="By relevance if it isn't given, or the newest first.")] = None,
    limit: Annotated[int, typer.Option(min=0, max=100, help="So many documents.")] = 10,
    cursor: Annotated[str | None, typer.Option(help="Of the page before.")] = None,
    output: OutputOption = Output.TABLE,
) -> None:
    """Search your documents."""

    def found(client: "Bucatini") -> View:
        query = SearchQuery(
            text=text,
            filters=Filters(
                document_types=tuple(types or ()),
                industries=tuple(industries or ()),
                languages=tuple(languages or ()),
                tags=tuple(tags or ()),
            ),
            facets=tuple(facets or ()),
            sort=sort,
            limit=limit,
            cursor=cursor,
        )
        results = client.search.query(query)
        return One(results, list(_lines(results, text)))

    show(found, output)


def _lines(results: SearchResults, text: str | None) -> "Iterator[Text | str]":
    if results.corrected:
        yield f"nothing has {text!r}; this is what has {results.did_you_mean!r}"
    yield counted(results.total, "document") + (", some with only some of the words" if results.widened else "")
    for number, hit in enumerate(results.hits, start=1):
        yield ""
        yield from _hit(number, hit)
    for facet in results.facets:
        yield ""
        yield from _facet(facet)
    if results.did_you_mean is not None and not results.corrected:
        yield ""
        yield f"did you mean: {results.did_you_mean}"
    if results.next_cursor is not None and results.hits:
        yield ""
        yield f"more: --cursor {results.next_cursor}"


def _hit(number: int, hit: Hit) -> "Iterator[Text | str]":
    from rich.text import Text

    yield Text(f"{number}. ") + marked(hit.title, hit.title_marks, "bold")
    said = (hit.document_id, hit.document_type, hit.industry, hit.language, f"{hit.created_at:%Y-%m-%d}", *hit.tags)
    yield Text(INDENT) + Text(printable(" · ".join(one for one in said if one)), "dim")
    if hit.snippet is not None and hit.snippet.text:
        yield Text(INDENT) + marked(hit.snippet.text, hit.snippet.marks)


def marked(text: str, marks: Sequence[Mark], style: str = "") -> "Text":
    """The text with what matched in another colour; on one line, whatever is in it."""
    from rich.text import Text

    shown, done = Text(), 0
    for mark in marks:
        shown.append(_on_one_line(text[done : mark.start]), style)
        shown.append(_on_one_line(text[mark.start : mark.end]), MARKED)
        done = mark.end
    shown.append(_on_one_line(text[done:]), style)
    return shown


def _on_one_line(piece: str) -> str:
    return printable(_SPACES.sub(" ", piece))


def _facet(facet: Facet) -> "Iterator[Text | str]":
    columns = (
        Column[FacetValue](facet.field.value, lambda one: one.value),
        Column[FacetValue]("documents", lambda one: f"{one.count:,}", right=True),
    )
    others = (FacetValue(value="(others)", count=facet.others),) if facet.others else ()
    yield from view_lines((*facet.values, *others), columns)
